"""Chart and table: samples per second of every workload."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import forest
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.tables import cells as tables_cells
from bench.report.tables import select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, PLACES, Draft, TableScope
from bench.schema import BACKENDS


@table.table("speed-by-workload")
def speed_by_workload_table(scope: TableScope) -> Draft:
    """Steady throughput by workload, mode and device; one column for each backend."""
    rows = []
    for session, workload, mode, device in select.arms(scope):
        ran = scope.evidence.view(session).backends
        cells = [
            tables_cells.rate(scope, session, workload, mode, device, b) if b in ran else NOTHING for b in BACKENDS
        ]
        record = next(iter(scope.evidence.view(session).candidates(Pick(workload, mode, device))), None)
        rows.append((
            scope.machine(session),
            tables_cells.text(scope.evidence.title(workload)),
            tables_cells.text(fmt.MODE_NAMES[mode]),
            NOTHING if record is None else tables_cells.text(fmt.count(record.cell.batch_size)),
            tables_cells.text(fmt.device(device)),
            *cells,
            tables_cells.places(scope, tables_cells.backend_names(), cells),
        ))  # fmt: skip
    caption = (
        "Samples per second in the steady state (higher is better), each backend with the better of the compiler "
        "settings that were measured. Inference goes through predict, a few batches a call, so what a call costs by "
        "itself is in it. "
        "Backends whose intervals overlap share a place."
    )
    columns = (MACHINE, "workload", "mode", "batch size", "device", *tables_cells.backend_names(), PLACES)
    return Draft(caption=caption, columns=columns, rows=rows)


@chart.chart("speed-by-workload")
def speed_by_workload(scope: Scope) -> Picture:
    """Samples per second of training, by workload and backend, with intervals."""
    found = []
    for workload in marks.models(scope):
        for device, backend in marks.arms(scope):
            row = marks.headline(scope, workload, device, backend)
            found.append(marks.mark_row(scope, row, workload, device, backend, "samples_per_s"))
    found = marks.collapsed(found)
    if not scope.has_gpu():
        found.append(marks.absent("GPU, all workloads", "GPU", scope.without_gpu()))
    return Picture(
        title="Training speed by workload and backend",
        description=marks.in_words(f"Samples per second of steady training{scope.place()}", found, marks.fmt_rate),
        rows=found,
        paint=lambda narrow: forest.forest(found, "samples per second (log scale, higher is better)", narrow=narrow),
    )
