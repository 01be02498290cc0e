"""Chart and table: how near each workload comes to the machine's highest rate."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes, forest
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence import rooflines
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.cells import MISSING
from bench.report.tables.table import MACHINE, Draft, TableScope


@table.table("rooflines")
def roofline_table(scope: TableScope) -> Draft:
    """Arithmetic and memory traffic that each network gets, as shares of the session's two measured ceilings."""
    rows = []
    for session, workload, mode, device, backend, record in select.with_counts(scope):
        best = rooflines.ceiling(scope.evidence, session, device)
        band = rooflines.bandwidth(scope.evidence, session, device)
        refs = (record, band.record) if band else (record,)
        part = None if best is None else rooflines.share(record, best)
        memory = None if band is None else rooflines.memory_share(record, band)
        rows.append((
            scope.machine(session),
            cells.text(scope.evidence.title(workload)),
            cells.text(fmt.MODE_NAMES[mode]),
            cells.text(cells.arm_text(backend, device)),
            cells.estimate(scope, rooflines.achieved(record), record),
            MISSING if best is None else cells.estimate(scope, quantities.flop_rate(best), best),
            MISSING if part is None else cells.estimate(scope, part, record, best),
            cells.estimate(scope, rooflines.moved(record), record),
            MISSING if band is None else cells.estimate(scope, band.rate, band.record),
            MISSING if memory is None else cells.estimate(scope, memory, *refs),
        ))  # fmt: skip
    return Draft(
        caption="Arithmetic and bytes per second, both counted from the layers, and their shares of the fastest matrix "
        "product and the best bandwidth measured. Bytes are a floor; a share of the bandwidth above 100 % means that "
        "caches hold a part.",
        columns=(
            MACHINE, "workload", "mode", "arm", "achieved", "matrix product", "of the matrix product", "moved",
            "bandwidth", "of the bandwidth",
        ),
        rows=rows,
    )  # fmt: skip


@chart.chart("rooflines")
def roofline_chart(scope: Scope) -> Picture:
    """Share of the fastest matrix product's rate that training reaches, by workload and backend."""
    found = []
    for workload in marks.models(scope):
        for device, backend in marks.arms(scope):
            label, series = scope.title_of(workload), axes.series(device, backend)
            best = rooflines.ceiling(scope.evidence, scope.session, device)
            record = marks.best_record(scope, workload, "train", device, backend)
            part = None if record is None or best is None else rooflines.share(record, best)
            found.append(
                marks.absent(label, series, NOT_MEASURED) if part is None else marks.estimated(label, series, part)
            )
    found = marks.collapsed(found)
    return Picture(
        title="Share of the machine's arithmetic that training gets",
        description=marks.in_words(
            f"Arithmetic per second of training over that of the fastest matrix product{scope.place()}",
            found,
            fmt.percent,
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "share of the fastest matrix product's rate (log scale, higher is better)", narrow=narrow
        ),
    )
