"""Chart and table: what compiling with XLA changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import forest
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, MODES, Draft, TableScope
from bench.schema import Mode, Record

ORDER_WORDS = {"faster": "faster", "slower": "slower", "overlaps": "no difference seen"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An arm without and with a compiler: the record of each, or the one that says why there is none, and the gain."""

    arm: select.Arm
    off: Record | None
    on: Record | None
    gain: estimate.Estimate | None  # the speed with over the speed without


def _rows(scope: TableScope, *, modes: Sequence[Mode] = MODES) -> Iterator[Row]:
    for arm in select.arms(scope, modes=modes):
        found = scope.evidence.view(arm.session).candidates(
            Pick(arm.workload, arm.mode, arm.device, backend=arm.backend)
        )
        sides = ([record for record in found if record.cell.jit == jit] for jit in ("off", "on"))
        off, on = (select.speaker(scope, side) if side else None for side in sides)
        if found:
            yield Row(arm=arm, off=off, on=on, gain=select.speedup(scope, on, off))


@table.table("jit-arms")
def jit_arms_table(scope: TableScope) -> Draft:
    """With and without a compiler, for each backend: steady speed, and what the first step costs."""
    rows = []
    for row in _rows(scope):
        measured = [record if record is not None and record.status == "ok" else None for record in (row.off, row.on)]
        rows.append((
            *cells.arm(scope, row.arm),
            *(cells.or_failed(scope, record, quantities.throughput) for record in (row.off, row.on)),
            cells.MISSING if row.gain is None else cells.estimate(scope, row.gain, row.on, row.off),
            cells.text("" if row.gain is None else ORDER_WORDS[estimate.side(row.gain)]),
            *(cells.NOTHING if r is None else cells.estimate(scope, quantities.first_step(r), r) for r in measured),
        ))  # fmt: skip
    return Draft(
        caption="Steady speed without and with a compiler (jit), and what the first step takes in each case.",
        columns=(
            MACHINE, "workload", "mode", "backend", "without jit", "with jit", "with over without", "with jit it is",
            "first step without", "first step with",
        ),
        rows=rows,
    )  # fmt: skip


@chart.chart("jit-arms")
def jit_arms(scope: chart.Scope) -> chart.Picture:
    """Training speed with XLA or another compiler over the speed without, by workload and backend."""
    known = {row.arm.key: row for row in _rows(scope.of_table, modes=("train",))}
    found, n_busy = [], 0
    for backend, label, series, row in marks.every_arm(scope, known):
        if backend == "jax":
            continue  # without its compiler JAX interprets operation by operation, which nobody trains with
        if row is None or row.gain is None or row.on is None or row.off is None:
            found.append(marks.absent(label, series, fmt.NOT_MEASURED))
        elif scope.evidence.flags(row.on) or scope.evidence.flags(row.off):
            n_busy += 1
        else:
            found.append(marks.estimated(scope, label, series, row.gain, row.on, row.off))
    found = marks.drawn(found)
    sides = [ORDER_WORDS[_side(mark)] for mark in found if mark["value"] is not None]
    n_faster, n_slower = (sum(side == word for side in sides) for word in ("faster", "slower"))
    backends = {mark["series"].partition(",")[0] for mark in found if mark["series"]}
    only = f"all in {backends.pop()}, " if len(backends) == 1 else ""
    return chart.Picture(
        title=f"Compiling makes {marks.of_all(n_faster, len(sides))} networks clearly faster and {n_slower or 'none'}"
        " clearly slower"
        if sides
        else "What compiling changes",
        note=f"Training with jit_compile=True against without, {only}compiling itself left out."
        + (f" {n_busy} more, measured on a busy machine, are in the table only." if n_busy else ""),
        description=marks.in_words(
            f"Training speed with a compiler over speed without{scope.place()}", found, fmt.ratio
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed without (log scale; right of 1 compiling pays)", narrow=narrow, rule_at=1.0,
            row_px=14,
        ),
    )  # fmt: skip


def _side(mark: marks.Mark) -> str:
    return "faster" if mark["low"] > 1 else "slower" if mark["high"] < 1 else "overlaps"
