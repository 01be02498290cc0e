"""What a run did before and in its steady part: the warm-up trace that its record keeps, set in time. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.report import stats, trust
from bench.report.trust import TraceKind
from bench.schema import Block, Record, Run


class Point(NamedTuple):
    """One block: its middle in seconds since the first step ended, and its step over the steady one."""

    at_s: float
    factor: float
    is_steady: bool


class Shown(NamedTuple):
    """The run that is drawn for a record: the points of its trace, where its measurement begins and ends.

    ``settled`` says whether the criterion was met.
    """

    run: Run
    points: tuple[Point, ...]
    step_s: float
    from_s: float
    to_s: float
    settled: bool

    @property
    def first_factor(self) -> float:
        """The first block's step over the steady one."""
        return self.points[0].factor


def shown(record: Record) -> Shown | None:
    """The trace of the run whose step is the median of the record's, the lower of two; None without a warm-up.

    Steady blocks that the record does not keep were dropped evenly, so each kept one stands for its neighbours, too.
    """
    runs = [run for run in stats.ok_runs(record) if run.warmup and run.blocks]
    if not runs:
        return None
    run = sorted(runs, key=_step_s)[(len(runs) - 1) // 2]
    step_s, at_s = _step_s(run), 0.0
    stretch = (len(run.blocks) + run.n_blocks_dropped) / len(run.blocks)
    points = []
    for blocks, is_steady, each in ((run.warmup, False, 1.0), (run.blocks, True, stretch)):
        for block in blocks:
            points.append(Point(at_s + each * block.seconds / 2, _per_step(block) / step_s, is_steady))
            at_s += each * block.seconds
    return Shown(
        run=run,
        points=tuple(points),
        step_s=step_s,
        from_s=sum(block.seconds for block in run.warmup),
        to_s=at_s,
        settled=run.steady is True,
    )


def kinds(record: Record) -> list[TraceKind]:
    """Names of the runs' traces, without those too short to have one."""
    return [trace.kind for run in stats.ok_runs(record) if (trace := trust.classify_trace(trust.trace_of(run)))]


def _per_step(block: Block) -> float:
    return block.seconds / block.n_steps


def _step_s(run: Run) -> float:
    return float(np.median([_per_step(block) for block in run.blocks]))
