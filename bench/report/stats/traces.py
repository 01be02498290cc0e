"""What a run did before and in its steady part: the warm-up trace that its record keeps, set in time. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from bench.report.stats import quantities
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
    runs = [run for run in quantities.ok_runs(record) if run.warmup and run.blocks]
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
    return [trace.kind for run in quantities.ok_runs(record) if (trace := classify_trace(trace_of(run)))]


def _per_step(block: Block) -> float:
    return block.seconds / block.n_steps


def _step_s(run: Run) -> float:
    return float(np.median([_per_step(block) for block in run.blocks]))


# Traces. The notions are those of Barrett, Bolz-Tereick, Killick, Mount and Tratt, Virtual Machine Warmup Blows Hot
# and Cold, OOPSLA 2017: a trace is cut where its level changes, and named by how its levels follow one another.
TraceKind = Literal["flat", "warm-up", "slow-down", "no steady state"]
MIN_TRACE = 12  # blocks below which a trace has no name: its levels cannot be told from noise
MIN_LEVEL = 3  # blocks that make a level
LEVEL_FRAC = 0.05  # levels that differ by less are one
STEADY_FRAC = 0.25  # of the trace that its last level must fill to be a steady state; the paper's 500 of 2000
CUT_PENALTY = 8.0  # of one more level, in noise variances times log n
SWING_P = 0.001  # of Fisher's test, below which a trace without levels swings
N_ALTERNATIONS = 3  # turns between faster and slower from which a trace swings instead of settling


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's blocks did over time. ``steady_from`` is the index of the first steady block, None without any.

    ``levels`` are the median seconds per step of each stretch, with the index at which it begins.
    """

    kind: TraceKind
    steady_from: int | None
    levels: tuple[tuple[int, float], ...]


def trace_of(run: Run) -> tuple[Block, ...]:
    """Warm-up and steady blocks in order; steady blocks may be thinned evenly (``n_blocks_dropped``)."""
    return (*run.warmup, *run.blocks)


def classify_trace(blocks: Sequence[Block]) -> Trace | None:
    """Name a trace by the levels of its time per step; None for one too short to tell.

    The trace is cut into stretches of constant level at the least sum of squares plus a penalty per cut, exactly, on
    logarithms whose outliers are drawn in first; neighbours that differ by less than ``LEVEL_FRAC`` are then one.
    Flat: there is one level. No steady state: the last level fills too little of the trace, or the trace goes up and
    down, by its levels or in swings too short to have any. Slow-down: a level before was faster. Warm-up: all were
    slower.
    """
    n = len(blocks)
    if n < MIN_TRACE:
        return None
    seconds = np.array([block.seconds / block.n_steps for block in blocks])
    logs = _drawn_in(np.log(seconds))
    starts, levels = _merged(_cuts(logs), seconds)
    shown = tuple(zip(starts, levels, strict=True))
    if len(levels) == 1:
        swings = _swings(logs)
    else:
        ups = [b > a for a, b in itertools.pairwise(levels)]
        n_turns = 1 + sum(a != b for a, b in itertools.pairwise(ups))
        swings = n_turns >= N_ALTERNATIONS or n - starts[-1] < STEADY_FRAC * n
    if swings:
        return Trace(kind="no steady state", steady_from=None, levels=shown)
    kind: TraceKind = "warm-up" if len(levels) > 1 else "flat"
    if min(levels) < levels[-1]:
        kind = "slow-down"
    return Trace(kind=kind, steady_from=starts[-1], levels=shown)


def _merged(starts: list[int], seconds: Any) -> tuple[list[int], list[float]]:
    """Stretches and their medians, after joining neighbours that are alike, the most alike first."""
    while True:
        ends = [*starts[1:], len(seconds)]
        levels = [float(np.median(seconds[a:b])) for a, b in zip(starts, ends, strict=True)]
        gaps = [abs(np.log(b / a)) for a, b in itertools.pairwise(levels)]
        if not gaps or min(gaps) >= np.log1p(LEVEL_FRAC):
            return starts, levels
        closest = int(np.argmin(gaps)) + 1
        starts = starts[:closest] + starts[closest + 1 :]


def _drawn_in(logs: Any) -> Any:
    """Values no farther than three deviations of the noise from the median of their five neighbours."""
    padded = np.pad(logs, 2, mode="edge")
    near = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    reach = 3 * max(_noise(logs), 1e-12)
    return np.clip(logs, near - reach, near + reach)


def _noise(logs: Any) -> float:
    """Standard deviation of the noise, from second differences, so that levels and slow swings do not count."""
    return float(np.median(np.abs(np.diff(logs, 2))) / (0.6745 * np.sqrt(6)))


def _swings(logs: Any) -> bool:
    """Whether one frequency of two swings or more holds more of the variance than noise would give it.

    A swing from top to bottom is at least ``LEVEL_FRAC``.

    Source: Fisher, Tests of Significance in Harmonic Analysis, Proc. R. Soc. A 125 (1929); the bound on p is the first
    term of his series.
    """
    n = len(logs)
    power = np.abs(np.fft.rfft(logs - logs.mean())[1 : (n + 1) // 2]) ** 2
    if not power.sum() > 0:
        return False
    share, height = power.max() / power.sum(), 4 * np.sqrt(power.max()) / n  # from the lowest point to the highest
    is_sure = len(power) * (1 - share) ** (len(power) - 1) < SWING_P
    return bool(is_sure and height > np.log1p(LEVEL_FRAC) and np.argmax(power) > 0)


def _cuts(logs: Any) -> list[int]:
    """Where levels begin: the segmentation with the least sum of squares plus penalty, by dynamic programming.

    Source: Jackson and others, An Algorithm for Optimal Partitioning of Data on an Interval, IEEE Signal Processing
    Letters 12 (2005).
    """
    n = len(logs)
    total, squares = (np.concatenate([[0.0], np.cumsum(x)]) for x in (logs - logs.mean(), (logs - logs.mean()) ** 2))
    # A trace without noise of its own still may not be cut at the last digit.
    penalty = CUT_PENALTY * max(_noise(logs), LEVEL_FRAC / 10) ** 2 * np.log(n)
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = -penalty
    for end in range(MIN_LEVEL, n + 1):
        start = np.arange(0, end - MIN_LEVEL + 1)
        cost = squares[end] - squares[start] - (total[end] - total[start]) ** 2 / (end - start)
        every = best[start] + cost + penalty
        before[end] = start[np.argmin(every)]
        best[end] = every.min()
    starts, end = [], n
    while end > 0:
        end = int(before[end])
        starts.append(end)
    return starts[::-1]
