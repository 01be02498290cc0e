"""How long a training takes on each number of cores, and the records that say so."""

from __future__ import annotations

from bench import grouped
from bench.records.store import SessionResults
from bench.report.evidence.cells import fastest, variant_key
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities
from bench.schema import Record


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
