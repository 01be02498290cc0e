"""Chart and table: samples per second by batch size."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import curves
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, Draft, TableScope


@table.table("throughput-by-batch")
def throughput_by_batch_table(scope: TableScope) -> Draft:
    """Throughput and step time by batch size, for every size of a workload that was measured at several."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            for best in select.best_by_batch(scope, select.strict(scope, session, workload)):
                cell = best.cell
                rows.append((
                    scope.machine(session),
                    cells.text(cells.sized(scope, best)),
                    cells.text(fmt.MODE_NAMES[cell.mode]),
                    cells.text(cells.arm_text(cell.backend, cell.device)),
                    cells.text(fmt.count(cell.batch_size)),
                    cells.or_failed(scope, best, quantities.throughput),
                    cells.or_failed(scope, best, quantities.step_time),
                ))  # fmt: skip
    return Draft(
        caption="Samples per second (higher is better) and seconds per step, by batch size.",
        columns=(MACHINE, "workload", "mode", "arm", "batch size", "throughput", "step"),
        rows=rows,
    )


@chart.chart("throughput-by-batch")
def throughput_by_batch(scope: Scope) -> Picture:
    """Samples per second by batch size, one workload, backends and devices apart."""
    workload = scope.workload or marks.most_batches(scope)
    rows = scope.rows(workload=workload, mode="train", params=marks.main_params(scope, workload))
    found = marks.curve_rows(scope, rows, "batch_size", "samples_per_s")
    title = scope.title_of(workload) if workload else "training"
    return Picture(
        title=f"Throughput by batch size: {title}",
        description=marks.in_words(f"Samples per second by batch size, {title}{scope.place()}", found, marks.fmt_rate),
        rows=found,
        paint=lambda narrow: curves.curves(
            found,
            "batch size (log scale)",
            "samples per second (log scale, higher is better)",
            marks.missing_arms(scope, found),
            narrow=narrow,
            base=2,
        ),
        says_enough=len({row["x"] for row in found if chart.is_on_gpu(row)}) > 1,
    )
