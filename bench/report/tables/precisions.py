"""Table: speed by number format."""

from __future__ import annotations

from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, PRECISIONS, Draft, TableScope


@table.table("precisions")
def precisions(scope: TableScope) -> Draft:
    """Each cell measured in another precision beside the same cell in strict float32, and the ratio of the two."""
    evidence = scope.evidence
    rows = []
    for session, workload, quantity, make in select.speeds(scope):
        for same in select.groups(evidence.view(session).records(Pick(workload)), select.all_but_precision):
            strict = next((record for record in same if record.cell.precision == PRECISIONS[0]), None)
            for record in sorted(same, key=lambda record: PRECISIONS.index(record.cell.precision)):
                if record is strict or strict is None:
                    continue
                gain = select.speedup(scope, record, strict, quantity)
                rows.append((
                    *cells.arm_of(scope, record),
                    cells.text(fmt.count(record.cell.batch_size)),
                    cells.or_failed(scope, strict, make),
                    cells.text(evidence.precision_text(record)),
                    cells.or_failed(scope, record, make),
                    cells.MISSING if gain is None else cells.estimate(scope, gain, record, strict),
                ))  # fmt: skip
    columns = ("workload", "mode", "backend", "batch size", PRECISIONS[0], "precision", "in it", "times as fast")
    return Draft(
        caption="Speed in strict float32 and in another precision (higher is better), all else the same. Emulated: the "
        "CPU has no instructions for that precision.",
        columns=(MACHINE, *columns),
        rows=rows,
    )
