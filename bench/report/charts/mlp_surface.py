"""Chart and table: a dense network by width and batch size."""

from __future__ import annotations

import json
from typing import Any

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import surface
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.cells import MISSING
from bench.report.tables.table import MACHINE, Draft, TableScope
from bench.schema import DEVICES


@table.table("mlp-surface")
def mlp_surface_table(scope: TableScope) -> Draft:
    """The dense net by width and batch size: both devices and the speed-up, from which the break-even line follows."""
    workload, evidence = "mlp-tabular", scope.evidence
    rows = []
    for session in scope.sessions:
        grid = select.groups(select.strict(scope, session, workload, mode="train"), lambda record: (
            record.cell.params.get("width", 0), record.cell.batch_size))  # fmt: skip
        for records in grid if workload in scope.workloads else ():
            cpu, gpu = ([r for r in records if r.cell.device == device] for device in DEVICES)
            best_cpu, best_gpu = select.fastest(scope, cpu), select.fastest(scope, gpu)
            gain = None if best_cpu is None or best_gpu is None else evidence.record_speedup(best_gpu, best_cpu)
            cell = records[0].cell
            rows.append((
                scope.machine(session),
                cells.text(fmt.count(int(cell.params.get("width", 0)))),
                cells.text(fmt.count(cell.batch_size)),
                cells.best_or_failed(scope, best_cpu, cpu, quantities.throughput),
                cells.best_or_failed(scope, best_gpu, gpu, quantities.throughput),
                MISSING if gain is None else cells.estimate(scope, gain, best_gpu, best_cpu),
            ))  # fmt: skip
    return Draft(
        caption="Rows per second of the dense net (higher is better), by the width of its layers and the batch size.",
        columns=(MACHINE, "width", "batch size", "CPU", "GPU", "GPU over CPU"),
        rows=rows,
    )


@chart.chart("mlp-surface")
def mlp_surface(scope: Scope) -> Picture:
    """Width by batch: rows per second of the CPU, or how many times faster the GPU is."""
    cells = _surface_cells(scope)
    compares = scope.has_gpu()
    quantity = "GPU speed over CPU speed" if compares else "Rows per second on the CPU"
    return Picture(
        title=f"{quantity}, dense net, by width and batch size",
        description=marks.in_words(
            f"{quantity}, by width of the layers and batch size{scope.place()}",
            cells,
            fmt.ratio if compares else marks.fmt_rate,
        ),
        rows=cells,
        paint=lambda narrow: surface.surface(cells, compares=compares, narrow=narrow),
    )


def _surface_cells(scope: Scope) -> list[dict[str, Any]]:
    grid: dict[tuple[int, int], dict[str, list[dict[str, Any]]]] = {}
    for row in marks.strict_rows(scope, "mlp-tabular", "train"):
        width = json.loads(row["params"]).get("width")
        if width is not None:
            grid.setdefault((width, row["batch_size"]), {}).setdefault(row["device"], []).append(row)
    found = []
    for (width, batch), by_device in sorted(grid.items()):
        if scope.has_gpu() and "cpu" not in by_device:
            continue  # made for a GPU, too large to wait for on a CPU
        cell = {"width": width, "batch": batch, "value": None, "low": None, "high": None, "note": None}
        cell["compares"] = scope.has_gpu()
        fastest = {d: marks.fastest(rows) for d, rows in by_device.items()}
        if not scope.has_gpu():
            row = fastest.get("cpu")
            if row is None or row["samples_per_s"] is None:
                cell["note"] = marks.why(row)
            else:
                cell |= {
                    "value": row["samples_per_s"],
                    "low": row["samples_per_s_low"],
                    "high": row["samples_per_s_high"],
                }
                cell["cell"] = row["cell_id"]
        else:
            gain = None
            if all(fastest.get(d) is not None and fastest[d]["samples_per_s"] is not None for d in DEVICES):
                gain = scope.evidence.view(scope.session).cell_ratio(
                    fastest["gpu"]["cell_id"], fastest["cpu"]["cell_id"]
                )
            if gain is None:
                cell["note"] = NOT_MEASURED
            else:
                cell |= {"value": gain.value, "low": gain.low, "high": gain.high}
        found.append(cell)
    return found
