"""Chart and table: speed by number of threads."""

from __future__ import annotations

from typing import Any

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes, forest
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.tables import cells, select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, PRECISIONS, Draft, TableScope


@table.table("threads")
def threads_table(scope: TableScope) -> Draft:
    """Each CPU cell that was measured on several numbers of cores, and how much faster than on the fewest it is."""
    evidence = scope.evidence
    rows = []
    for session, workload, quantity, make in select.speeds(scope):
        records = evidence.view(session).records(Pick(workload, device="cpu", precision=PRECISIONS[0]))
        for same in select.groups(records, select.all_but_threads):
            by_count = sorted(same, key=lambda record: record.cell.threads)
            for record in by_count if len(by_count) > 1 else ():
                few = by_count[0]
                both = record is not few and "ok" == record.status == few.status
                gain = evidence.record_speedup(record, few, quantity) if both else None
                rows.append((
                    scope.machine(session),
                    cells.text(cells.sized(scope, record)),
                    cells.text(fmt.MODE_NAMES[record.cell.mode]),
                    cells.text(cells.arm_text(record.cell.backend, record.cell.device)),
                    cells.text(fmt.count(record.cell.batch_size)),
                    cells.text(fmt.count(record.cell.threads)),
                    cells.or_failed(scope, record, make),
                    NOTHING if gain is None else cells.estimate(scope, gain, record, few),
                ))  # fmt: skip
    columns = ("workload", "mode", "arm", "batch size", "cores", "speed", "times the fewest cores")
    return Draft(
        caption="Speed by the number of cores that the process may use (higher is better), all else the same.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


@chart.chart("threads")
def threads(scope: Scope) -> Picture:
    """How many times faster training is on each number of cores than on one, by workload and backend."""
    found = []
    for workload in marks.models(scope):
        for backend in scope.backends():
            by_count = _by_threads(scope, workload, backend)
            most = max(by_count, default=0)
            if most < 2 or 1 not in by_count or scope.session is None:
                continue
            gain = scope.evidence.record_speedup(by_count[most], by_count[1])
            if gain is not None:
                found.append(marks.estimated(scope.title_of(workload), axes.series("cpu", backend), gain))
    n = 0 if scope.session is None else scope.session.session.n_cores_effective
    if not found:
        found = [
            marks.absent(scope.title_of(w), axes.series("cpu", scope.backends()[0]), NOT_MEASURED)
            for w in marks.models(scope)
        ]
    return Picture(
        title=f"Training speed on {fmt.cores(n)} over one" if n > 1 else "Training speed by cores",
        description=marks.in_words(
            f"Training speed on all cores over the speed on one{scope.place()}", found, fmt.ratio
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed on one core (log scale; right of 1 more cores pay)", narrow=narrow, rule_at=1.0
        ),
    )


def _by_threads(scope: Scope, workload: str, backend: str) -> dict[int, Any]:
    """Records of a workload's first headline training cell that was measured on one core, by number of cores."""
    records = scope.evidence.view(scope.session).records(
        Pick(workload, "train", backend=backend, device="cpu", precision="float32-strict", headline=True, status="ok")
    )
    for first in records:
        if first.cell.threads == 1:
            same = (first.cell.jit, first.cell.batch_size, first.cell.n_samples, dict(first.cell.params))
            return {
                r.cell.threads: r
                for r in records
                if (r.cell.jit, r.cell.batch_size, r.cell.n_samples, dict(r.cell.params)) == same
            }
    return {}
