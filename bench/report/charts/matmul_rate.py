"""Chart and table: rate of a square matrix product by its size."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.paint import curves
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, PLACES, Draft, TableScope
from bench.schema import BACKENDS, Record

WORKLOAD = "matmul"


def _rows(scope: TableScope) -> list[list[Record]]:
    """For each session, device, precision and size the record of every backend that has one."""
    found = []
    for session in scope.sessions if WORKLOAD in scope.workloads else ():
        every = select.most_threads_by_device(scope.evidence.view(session).records(Pick(WORKLOAD, "probe")))
        for same in select.groups(every, lambda r: (r.cell.device, r.cell.precision, _size(r))):
            by_backend = ([record for record in same if record.cell.backend == backend] for backend in BACKENDS)
            found.append([select.speaker(scope, records, "flop_rate") for records in by_backend if records])
    return found


def _size(record: Record) -> int:
    return int(record.cell.params.get("n", 0))


@table.table("matmul-rate")
def matmul_rate_table(scope: TableScope) -> Draft:
    """Operations per second of a matrix product, by size and precision; one column for each backend."""
    rows = []
    for records in _rows(scope):
        first, session = records[0], scope.evidence.session_of(records[0])
        rows.append((
            scope.machine(session),
            cells.text(fmt.device(first.cell.device)),
            cells.text(scope.evidence.precision_text(first)),
            cells.text(fmt.count(_size(first))),
            *cells.by_backend(scope, session, {r.cell.backend: r for r in records}, quantities.flop_rate),
        ))  # fmt: skip
    return Draft(
        caption="Floating-point operations per second of the product of two n x n matrices (higher is better). "
        "Backends whose intervals overlap share a place.",
        columns=(MACHINE, "device", "precision", "n", *cells.backend_names(), PLACES),
        rows=rows,
    )


@chart.chart("matmul-rate", about_gpu=True, of_workload=lambda scope: WORKLOAD in scope.workloads)
def matmul_rate(scope: chart.Scope) -> chart.Picture:
    """Operations per second of a square matrix product, by size."""
    records = [record for same in _rows(scope.of_table) for record in same if marks.is_drawn(record)]
    found = marks.curve(scope, records, _size, quantities.flop_rate)
    for mark in found:
        mark |= {key: mark[key] and mark[key] / 1e12 for key in ("value", "low", "high")}
    return chart.Picture(
        title=_title(found),
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
            narrow=narrow,
            base=2,
        ),
        note="Product of two square matrices. One TFLOP/s is a million million operations a second.",
    )


HALF = 0.5


def _title(found: list[marks.Mark]) -> str:
    """How far the GPU is ahead at the largest size, in the same arithmetic; without one, where the CPU is best."""
    best: dict[str, dict[int, float]] = {}
    for mark in found:
        if mark["value"] is not None and not mark["label"]:
            by_size = best.setdefault(mark["series"].rpartition(" ")[2], {})
            by_size[mark["x"]] = max(mark["value"], by_size.get(mark["x"], 0.0))
    cpu, gpu = best.get("CPU", {}), best.get("GPU", {})
    if sizes := cpu.keys() & gpu.keys():
        return f"The GPU multiplies large matrices {fmt.ratio(gpu[max(sizes)] / cpu[max(sizes)])} as fast as the CPU"
    size = min((n for n, rate in cpu.items() if rate >= HALF * max(cpu.values())), default=0)
    if size == min(cpu, default=0):
        return "How fast matrices are multiplied"
    return f"Below {fmt.count(size)} rows the CPU multiplies matrices at less than half of its best speed"
