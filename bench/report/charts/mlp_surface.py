"""Chart and table: a dense network by width and batch size."""

from __future__ import annotations

import msgspec

from bench.records.store import SessionResults
from bench.report.charts import chart, marks
from bench.report.charts.paint import surface
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables import cells, select, table
from bench.report.tables.cells import MISSING
from bench.report.tables.table import MACHINE, Draft, TableScope
from bench.schema import DEVICES, Record

WORKLOAD = "mlp-tabular"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A width at a batch size: the record of each device, or the one that says why there is none, and their ratio."""

    session: SessionResults
    width: int
    batch_size: int
    cpu: Record | None
    gpu: Record | None
    gain: Estimate | None


def _rows(scope: TableScope) -> list[Row]:
    found = []
    for session in scope.sessions if WORKLOAD in scope.workloads else ():
        grid = select.groups(select.strict(scope, session, WORKLOAD, mode="train"), lambda record: (
            record.cell.params.get("width", 0), record.cell.batch_size))  # fmt: skip
        for records in grid:
            sides = ([r for r in records if r.cell.device == device] for device in DEVICES)
            cpu, gpu = (select.speaker(scope, side) if side else None for side in sides)
            found.append(
                Row(
                    session=session,
                    width=int(records[0].cell.params.get("width", 0)),
                    batch_size=records[0].cell.batch_size,
                    cpu=cpu,
                    gpu=gpu,
                    gain=select.speedup(scope, gpu, cpu),
                )
            )
    return found


@table.table("mlp-surface")
def mlp_surface_table(scope: TableScope) -> Draft:
    """The dense net by width and batch size: both devices and the speed-up, from which the break-even line follows."""
    rows = [
        (
            scope.machine(row.session),
            cells.text(fmt.count(row.width)),
            cells.text(fmt.count(row.batch_size)),
            cells.or_failed(scope, row.cpu, quantities.throughput),
            cells.or_failed(scope, row.gpu, quantities.throughput),
            MISSING if row.gain is None else cells.estimate(scope, row.gain, row.gpu, row.cpu),
        )
        for row in _rows(scope)
    ]
    return Draft(
        caption="Rows per second of the dense net (higher is better), by the width of its layers and the batch size.",
        columns=(MACHINE, "width", "batch size", "CPU", "GPU", "GPU over CPU"),
        rows=rows,
    )


@chart.chart("mlp-surface", about_gpu=True, of_workload=lambda scope: WORKLOAD in scope.workloads, place=6)
def mlp_surface(scope: chart.Scope) -> chart.Picture:
    """Width by batch: rows per second of the CPU, or how many times faster the GPU is."""
    cells = _surface_cells(scope)
    compares = scope.has_gpu()
    quantity = "GPU speed over CPU speed" if compares else "Rows per second on the CPU"
    return chart.Picture(
        title=_title(cells, compares=compares),
        note=f"{quantity}: a dense net, by the width of its layers and the batch size.",
        description=marks.in_words(
            f"{quantity}, by width of the layers and batch size{scope.place()}",
            cells,
            fmt.ratio if compares else marks.fmt_rate,
        ),
        rows=cells,
        paint=lambda narrow: surface.surface(cells, compares=compares, narrow=narrow),
    )


def _title(cells: list[marks.Mark], *, compares: bool) -> str:
    """In how many cells the GPU is ahead; without one, what the largest batch gains at the ends of the widths."""
    known = sorted((cell for cell in cells if cell["value"] is not None), key=lambda c: (c["width"], c["batch"]))
    if not known:
        return "A dense net by width and batch size"
    if compares:
        n_ahead = sum(cell["low"] > 1 for cell in known)
        return f"The GPU is faster in {marks.of_all(n_ahead, len(known))} combinations of width and batch size"
    said = []
    for width in (known[0]["width"], known[-1]["width"]):
        of_width = [cell["value"] for cell in known if cell["width"] == width]
        said.append(f"{fmt.number(of_width[-1] / of_width[0], 2)} times")
    return f"Larger batches make the narrowest net up to {said[0]} as fast, the widest {said[1]}"


def _surface_cells(scope: chart.Scope) -> list[marks.Mark]:
    found = []
    for row in _rows(scope.of_table):
        if not scope.has_gpu():
            mark = marks.quantity(scope, "", "", row.cpu, quantities.throughput)
        elif row.cpu is None:
            continue  # made for a GPU, too large to wait for on a CPU
        elif row.gpu is None or row.gain is None:
            mark = marks.absent("", "", fmt.NOT_MEASURED)
        else:
            mark = marks.estimated(scope, "", "", row.gain, row.gpu, row.cpu)
        of_cell = {key: mark[key] for key in ("value", "low", "high", "note", "cells")}
        found.append({"width": row.width, "batch": row.batch_size, "compares": scope.has_gpu()} | of_cell)
    return found
