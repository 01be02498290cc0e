"""Table: published speed-ups of several GPUs."""

from __future__ import annotations

from bench.report.evidence.view import Pick
from bench.report.stats import estimate, studies
from bench.report.stats import format as fmt
from bench.report.tables import cells, table


@table.table("scaling")
def scaling(scope: table.TableScope) -> table.Draft:
    """Several GPUs against one: the gain with the same total batch, and the share of the ideal gain in both ways."""
    workload, evidence = "multi-gpu", scope.evidence
    rows = []
    for session in scope.sessions if workload in scope.workloads else ():
        for record in evidence.view(session).records(Pick(workload, "study")):
            cell, n = record.cell, int(record.cell.params["gpus"])
            words = (str(cell.params["net"]), cells.arm_text(cell.backend, cell.device), fmt.count(cell.batch_size))
            start = (scope.machine(session), *map(cells.text, words), cells.text(fmt.count(n)))
            if record.status != "ok":
                rows.append((*start, cells.failed(scope, record), *[cells.NOTHING] * 3))
                continue
            gain, same_step = (studies.call_ratio(record, "one", name) for name in ("strong", "weak"))
            rows.append((
                *start,
                cells.estimate(scope, studies.call_time(record, "one"), record),
                cells.estimate(scope, gain, record),
                cells.estimate(scope, _as_share(gain, n), record),
                cells.estimate(scope, _as_share(same_step, 1), record),
            ))  # fmt: skip
    columns = ("net", "backend", "batch of one GPU", "GPUs", "a step on one", "gain, same total batch")
    return table.Draft(
        caption="One GPU against several, steps timed in turn: the gain where they share one GPU's batch, and what "
        "arrives of the ideal gain there and where each has a full batch (higher is better).",
        columns=(table.MACHINE, *columns, "of the ideal", "of the ideal, full batches"),
        rows=rows,
    )


def _as_share(gain: estimate.Estimate | None, ideal: int) -> estimate.Estimate | None:
    """A gain as a share of the ideal one."""
    return None if gain is None else estimate.mapped(gain, lambda end: end / ideal, "frac")
