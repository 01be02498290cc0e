"""Table: what the harness itself costs."""

from __future__ import annotations

import msgspec

from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import studies
from bench.report.tables import cells as tables_cells
from bench.report.tables import select, table
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope
from bench.schema import BACKENDS, Record


@table.table("overhead")
def overhead(scope: TableScope) -> Draft:
    """What the clock of this benchmark adds to a step of fit, and what is found between two equal arms."""
    workload, evidence = "harness-overhead", scope.evidence
    backends = [b for b in BACKENDS if any(evidence.view(s).records(Pick(workload, backend=b)) for s in scope.sessions)]
    rows = []
    for session in scope.sessions if workload in scope.workloads else ():
        for group in select.groups(evidence.view(session).records(Pick(workload)), select.study_size):
            by_backend = {record.cell.backend: record for record in group}
            net = tables_cells.text(evidence.title(str(group[0].cell.params["net"])))
            for series, label in (("clock", "timed"), ("again", "bare again")):
                cells = [_change(scope, by_backend.get(backend), series) for backend in backends]
                rows.append((scope.machine(session), net, tables_cells.text(label), *cells))
    return Draft(
        caption="What a step of fit takes beyond one of bare fit (lower is better), round by round: timed by the clock "
        "of this benchmark, and bare once more, where nothing differs and what is found is noise.",
        columns=(MACHINE, "network", "fit", *(fmt.backend(b) for b in backends)),
        rows=rows,
    )


def _change(scope: TableScope, record: Record | None, series: str) -> Cellv:
    """What a series takes beyond the study's first one, in percent."""
    if record is None or record.status != "ok":
        return tables_cells.failed(scope, record)
    ratio = studies.call_ratio(record, series, record.spec.series[0].id)
    made = tables_cells.estimate(scope, ratio, record)
    text = fmt.change(ratio)
    return msgspec.structs.replace(made, text=text, short=text.partition(" (")[0])
