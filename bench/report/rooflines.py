"""How much of a machine's arithmetic a network gets: achieved operations per second over the measured ceiling. Pure.

The ceiling is the best rate of a matrix product in the same session on the same device, never a data sheet's. What a
network's arithmetic is stands in ``bench/flops.json``, counted from its layers by ``bench.flops``; a record whose
workload has changed since has no count.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench import registry
from bench.report import stats
from bench.report.stats import Estimate
from bench.schema import Device, Precision, Record

if TYPE_CHECKING:
    from bench.report.rows import Evidence
    from bench.store import SessionResults

FILE = Path(__file__).parents[1] / "flops.json"


@cache
def counts() -> dict[str, dict[str, Any]]:
    """Operations per sample by network, as counted."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def flop_per_sample(record: Record) -> float | None:
    """Operations of one sample in the record's mode; None where they are not counted or the workload has changed."""
    known = counts().get(registry.network(record.cell.workload, record.cell.params))
    if known is None or known["source"] != record.source_hash:
        return None
    return known["training" if record.cell.mode == "train" else "forward"]


def achieved(record: Record) -> Estimate | None:
    """Operations per second of the steady steps, by count; for a probe, by its formula."""
    if record.spec.kind == "probe":
        return stats.flop_rate(record)
    rate, work = stats.throughput(record), flop_per_sample(record)
    if rate is None or work is None:
        return None
    return msgspec.structs.replace(
        rate, value=rate.value * work, low=rate.low * work, high=rate.high * work, unit="flop_per_s"
    )


def ceiling(
    evidence: Evidence, session: SessionResults | None, device: Device, precision: Precision = "float32-strict"
) -> Record | None:
    """The cell of the session's fastest matrix product on a device, any size and backend, at most threads.

    A disturbed cell is the ceiling only where no other was measured.
    """
    found = evidence.records(session, workload="matmul", device=device, precision=precision, status="ok")
    n_threads = max((record.cell.threads for record in found), default=0)
    found = evidence.undisturbed([record for record in found if record.cell.threads == n_threads])
    rated = [(rate.value, record) for record in found if (rate := stats.flop_rate(record)) is not None]
    return max(rated, key=lambda pair: (pair[0], pair[1].cell.id))[1] if rated else None


def share(record: Record, best: Record) -> Estimate | None:
    """Achieved rate as a share of the ceiling's; the interval goes from the worst to the best of both ends."""
    mine, top = achieved(record), stats.flop_rate(best)
    if mine is None or top is None:
        return None
    return Estimate(
        value=mine.value / top.value,
        low=mine.low / top.high,
        high=mine.high / top.low,
        n=min(mine.n, top.n),
        n_samples=mine.n_samples,
        unit="frac",
        spread_frac=max(mine.spread_frac, top.spread_frac),
    )
