"""Chart and table: what compiling with XLA changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes, forest
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.tables import cells, select, table
from bench.report.tables.cells import MISSING, NOTHING
from bench.report.tables.table import MACHINE, Draft, TableScope
from bench.schema import BACKENDS

ORDER_WORDS = {"faster": "faster", "slower": "slower", "overlaps": "no difference seen"}


@table.table("jit-arms")
def jit_arms_table(scope: TableScope) -> Draft:
    """With and without a compiler, for each backend: steady speed, and what the first step costs."""
    evidence = scope.evidence
    rows = []
    for session, workload, mode, device in select.arms(scope):
        for backend in BACKENDS:
            arms = evidence.view(session).candidates(Pick(workload, mode, device, backend=backend))
            if not arms:
                continue
            on, off = (
                select.fastest(scope, [record for record in arms if record.cell.jit == jit]) for jit in ("on", "off")
            )
            gain = None if on is None or off is None else evidence.record_speedup(on, off)
            sides = []
            for jit, best in (("off", off), ("on", on)):
                same = [record for record in arms if record.cell.jit == jit]
                sides.append((best, same))
            rows.append((
                scope.machine(session),
                cells.text(evidence.title(workload)),
                cells.text(fmt.MODE_NAMES[mode]),
                cells.text(cells.arm_text(backend, device)),
                *(cells.best_or_failed(scope, best, same, quantities.throughput) for best, same in sides),
                MISSING if gain is None else cells.estimate(scope, gain, on, off),
                cells.text("" if gain is None else ORDER_WORDS[estimate.side(gain)]),
                *(NOTHING if b is None else cells.estimate(scope, quantities.first_step(b), b) for b, _ in sides),
            ))  # fmt: skip
    return Draft(
        caption="Steady speed without and with a compiler (jit), and what the first step takes in each case.",
        columns=(
            MACHINE, "workload", "mode", "arm", "without jit", "with jit", "with over without", "with jit it is",
            "first step without", "first step with",
        ),
        rows=rows,
    )  # fmt: skip


@chart.chart("jit-arms")
def jit_arms(scope: Scope) -> Picture:
    """Training speed with XLA or another compiler over the speed without, by workload and backend."""
    found = []
    for workload in marks.models(scope):
        for device, backend in marks.arms(scope):
            if backend == "jax":
                continue  # without its compiler JAX interprets operation by operation, which nobody trains with
            gain = None if scope.session is None else _jit_gain(scope, workload, device, backend)
            series = axes.series(device, backend)
            label = scope.title_of(workload)
            found.append(
                marks.absent(label, series, NOT_MEASURED) if gain is None else marks.estimated(label, series, gain)
            )
    found = marks.collapsed(found)
    return Picture(
        title="Speed with jit_compile over speed without",
        description=marks.in_words(
            f"Training speed with a compiler over speed without{scope.place()}", found, fmt.ratio
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed without (log scale; right of 1 compiling pays)", narrow=narrow, rule_at=1.0
        ),
    )


def _jit_gain(scope: Scope, workload: str, device: str, backend: str) -> Any:
    rows = [
        row
        for row in marks.strict_rows(scope, workload, "train")
        if row["device"] == device
        and row["backend"] == backend
        and row["headline"]
        and row["samples_per_s"] is not None
    ]
    on = next((row for row in rows if row["jit"] == "on"), None)
    off = next((row for row in rows if row["jit"] == "off" and on is not None and _same_but_jit(on, row)), None)
    if on is None or off is None:
        return None
    return scope.evidence.view(scope.session).cell_ratio(on["cell_id"], off["cell_id"])


def _same_but_jit(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in ("precision", "batch_size", "n_samples", "threads", "params"))
