"""Chart and table: rate of a square matrix product by its size."""

from __future__ import annotations

import json

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import curves
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, PLACES, Draft, TableScope
from bench.schema import BACKENDS


@table.table("matmul-rate")
def matmul_rate_table(scope: TableScope) -> Draft:
    """Operations per second of a matrix product, by size and precision; one column for each backend."""
    rows = []
    workload = "matmul"
    for session in scope.sessions if workload in scope.workloads else ():
        found = scope.evidence.view(session).records(Pick(workload))
        for records in select.groups(found, lambda r: (r.cell.device, r.cell.precision, r.cell.params.get("n", 0))):
            cell = records[0].cell
            rates = []
            for backend in BACKENDS:
                same = select.most_threads([record for record in records if record.cell.backend == backend])
                rate = cells.best_or_failed(scope, select.fastest(scope, same, "flop_rate"), same, quantities.flop_rate)
                rates.append(rate if backend in scope.evidence.view(session).backends else NOTHING)
            rows.append((
                scope.machine(session),
                cells.text(fmt.device(cell.device)),
                cells.text(scope.evidence.precision_text(records[0])),
                cells.text(fmt.count(int(cell.params.get("n", 0)))),
                *rates,
                cells.places(scope, cells.backend_names(), rates),
            ))  # fmt: skip
    return Draft(
        caption="Floating-point operations per second of the product of two n x n matrices (higher is better). "
        "Backends whose intervals overlap share a place.",
        columns=(MACHINE, "device", "precision", "n", *cells.backend_names(), PLACES),
        rows=rows,
    )


@chart.chart("matmul-rate")
def matmul_rate(scope: Scope) -> Picture:
    """Operations per second of a square matrix product, by size."""
    rows = []
    for row in scope.rows(workload="matmul", mode="probe"):
        size = json.loads(row["params"]).get("n")
        if size is not None:
            rows.append(row | {"n": size})
    found = marks.curve_rows(scope, rows, "n", "flop_per_s")
    for row in found:
        for key in ("value", "low", "high"):
            row[key] = None if row[key] is None else row[key] / 1e12
    return Picture(
        title="Rate of a square matrix product by size",
        description=marks.in_words(
            f"Floating-point operations per second of a matrix product, by number of rows{scope.place()}",
            found,
            lambda value: f"{value:.3g} TFLOP/s",
        ),
        rows=found,
        paint=lambda narrow: curves.curves(
            found,
            "rows and columns of the matrix, n (log scale)",
            "TFLOP/s (log scale, higher is better)",
            marks.missing_arms(scope, found),
            narrow=narrow,
            base=2,
        ),
    )
