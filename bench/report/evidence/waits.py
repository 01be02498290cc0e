"""How long people wait, and the rates that decide it."""

from __future__ import annotations

import msgspec

from bench.records.store import SessionResults
from bench.report.evidence import thresholds
from bench.report.evidence.cells import fastest, variant_key
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import Record

# How long people wait, in words; the first and the last are the limits that the verdicts use.
LUNCH_S = 3600.0
PATIENCE: tuple[tuple[str, float], ...] = (
    ("coffee break", thresholds.COFFEE_BREAK_S),
    ("lunch", LUNCH_S),
    ("overnight", thresholds.OVERNIGHT_S),
)
TOO_LONG = "no"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Training speed of one workload on a CPU, and what passes before the first steady step."""

    workload: str
    title: str
    noun: str
    rate: Estimate  # samples per second
    start_s: float  # import and device, then the first step
    arm: str  # backend, cores and machine in words
    record: Record


def patience(seconds: float) -> str:
    """The word for a wait: "coffee break", "lunch", "overnight" or "no"."""
    return next((word for word, limit_s in PATIENCE if seconds <= limit_s), TOO_LONG)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The fastest CPU training arm of each model, in the first shown session that has one."""
    found = []
    for workload in evidence.model_workloads():
        for session in evidence.shown:
            record = evidence.view(session).best(Pick(workload, "train", "cpu"))
            rate = None if record is None else quantities.throughput(record)
            if record is None or rate is None:
                continue
            parts = (quantities.start_up(record), quantities.first_step(record))
            found.append(
                Rate(
                    workload=workload,
                    title=evidence.title(workload),
                    noun=evidence.noun(workload),
                    rate=rate,
                    start_s=sum(part.value for part in parts if part is not None),
                    arm=f"{fmt.backend(record.cell.backend)}, {evidence.view(session).cpu_text(record)}",
                    record=record,
                )
            )
            break
    return tuple(found)


def by_threads(evidence: Evidence, session: SessionResults, workload: str) -> dict[int, Record]:
    """The fastest float32 training record for each number of cores, all of the variant that is fastest on all cores."""
    best = evidence.view(session).best(Pick(workload, "train", "cpu"))
    if best is None:
        return {}
    by_count: dict[int, list[Record]] = {}
    for record in evidence.view(session).records(Pick(workload, "train", "cpu", precision="float32-strict")):
        if record.status == "ok" and variant_key(record) == variant_key(best):
            by_count.setdefault(record.cell.threads, []).append(record)
    found = {n: fastest(evidence.undisturbed(same)) for n, same in by_count.items()}
    return {n: record for n, record in found.items() if record is not None}


def time_for(record: Record, n_samples: int) -> Estimate | None:
    """Seconds of steady training that a number of samples takes; start-up is left out."""
    step = quantities.step_time(record)
    return None if step is None else estimate.times(step, n_samples / record.cell.batch_size)
