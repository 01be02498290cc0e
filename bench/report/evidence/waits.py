"""How long people wait, and the records that decide it."""

from __future__ import annotations

from bench import grouped
from bench.records.store import SessionResults
from bench.report.evidence import thresholds
from bench.report.evidence.cells import fastest, variant_key
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities
from bench.schema import Record

# How long people wait, in words; the first and the last are the limits that the verdicts use.
LUNCH_S = 3600.0
PATIENCE: tuple[tuple[str, float], ...] = (
    ("coffee break", thresholds.COFFEE_BREAK_S),
    ("lunch", LUNCH_S),
    ("overnight", thresholds.OVERNIGHT_S),
)
TOO_LONG = "no"


def patience(seconds: float) -> str:
    """The word for a wait: "coffee break", "lunch", "overnight" or "no"."""
    return next((word for word, limit_s in PATIENCE if seconds <= limit_s), TOO_LONG)


def by_threads(evidence: Evidence, session: SessionResults, workload: str) -> dict[int, Record]:
    """The fastest float32 training record for each number of cores, all of the variant that is fastest on all cores."""
    best = evidence.view(session).best(Pick(workload, "train", "cpu"))
    if best is None:
        return {}
    pick = Pick(workload, "train", "cpu", precision="float32-strict", status="ok")
    alike = (record for record in evidence.view(session).records(pick) if variant_key(record) == variant_key(best))
    by_count = grouped(alike, lambda record: record.cell.threads)
    found = {n: fastest(evidence.undisturbed(same)) for n, same in by_count.items()}
    return {n: record for n, record in found.items() if record is not None}


def time_for(record: Record, n_samples: int) -> estimate.Estimate | None:
    """Seconds of steady training that a number of samples takes; start-up is left out."""
    step = quantities.step_time(record)
    return None if step is None else estimate.times(step, n_samples / record.cell.batch_size)
