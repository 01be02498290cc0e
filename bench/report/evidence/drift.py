"""How far a machine's numbers drift over hours, and what that does to a ratio of cells measured apart. Pure.

Cells that are measured in turn meet the same neighbours, clocks and temperatures; cells hours apart do not, though both
stand in one session. How much that is, a machine's repeated sessions tell: the same headline cells at other hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from bench.report.stats.estimate import Z_95, Estimate
from bench.schema import Record

APART_S = 3600.0  # runs further apart than this were not taken in turn


def gap_s(first: Record, second: Record) -> float:
    """Seconds between the runs of two records; 0 where one began before the other had its last run."""
    one, other = (sorted(datetime.fromisoformat(run.started_at) for run in r.runs) for r in (first, second))
    if not one or not other:
        return 0.0
    return max(0.0, (other[0] - one[-1]).total_seconds(), (one[0] - other[-1]).total_seconds())


def are_apart(first: Record, second: Record) -> bool:
    """Whether two records were measured at different hours."""
    return gap_s(first, second) > APART_S


def scatter(repeats: Iterable[Sequence[Estimate]]) -> float | None:
    """Standard deviation of the logarithm of a cell's value between sessions, beyond what its intervals explain.

    The variance of the values around each cell's mean, pooled over cells, less the mean variance that the intervals
    claim; 0 where they claim more.

    Args:
        repeats: of each cell its estimates in several sessions; those with one are passed over.

    Returns:
        None where no cell was measured twice.
    """
    squares, claimed, n_free = 0.0, [], 0
    for estimates in repeats:
        if len(estimates) < 2:
            continue
        logs = [math.log(estimate.value) for estimate in estimates]
        mean = sum(logs) / len(logs)
        squares += sum((value - mean) ** 2 for value in logs)
        n_free += len(logs) - 1
        claimed += [(math.log(e.high / e.low) / (2 * Z_95)) ** 2 for e in estimates]
    if not n_free:
        return None
    return math.sqrt(max(0.0, squares / n_free - sum(claimed) / len(claimed)))


def widened(estimate: Estimate, sd: float) -> Estimate:
    """A positive estimate whose interval holds a further, independent error with that deviation of its logarithm."""
    extra = Z_95 * sd
    down = math.hypot(math.log(estimate.value / estimate.low), extra)
    up = math.hypot(math.log(estimate.high / estimate.value), extra)
    return msgspec.structs.replace(estimate, low=estimate.value * math.exp(-down), high=estimate.value * math.exp(up))
