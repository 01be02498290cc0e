"""Chart and table: how near each workload comes to the machine's highest rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import forest
from bench.report.evidence import rooflines
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, MODES, Draft, TableScope
from bench.schema import Mode, Record


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An arm whose operations are counted, and the measured ceilings of its device."""

    arm: select.Arm
    record: Record
    best: Record | None  # the fastest matrix product
    band: rooflines.Band | None


def counted(scope: TableScope, *, modes: Sequence[Mode] = MODES) -> Iterator[Row]:
    """Every arm whose operations are counted."""
    for arm in select.arms(scope, modes=modes):
        if arm.measured is not None and rooflines.achieved(arm.measured) is not None:
            best = rooflines.ceiling(scope.evidence, arm.session, arm.device)
            band = rooflines.bandwidth(scope.evidence, arm.session, arm.device)
            yield Row(arm=arm, record=arm.measured, best=best, band=band)


@table.table("rooflines")
def roofline_table(scope: TableScope) -> Draft:
    """Arithmetic and memory traffic that each network gets, as shares of the session's two measured ceilings."""
    rows = []
    for row in counted(scope):
        record, best, band = row.record, row.best, row.band
        part = None if best is None else rooflines.share(record, best)
        memory = None if band is None else rooflines.memory_share(record, band)
        rows.append((
            *cells.arm(scope, row.arm),
            cells.estimate(scope, rooflines.achieved(record), record),
            cells.MISSING if best is None else cells.estimate(scope, quantities.flop_rate(best), best),
            cells.estimate(scope, part, record, best),
            cells.estimate(scope, rooflines.moved(record), record),
            cells.MISSING if band is None else cells.estimate(scope, band.rate, band.record),
            cells.MISSING if band is None else cells.estimate(scope, memory, record, band.record),
        ))  # fmt: skip
    return Draft(
        caption="Arithmetic and bytes per second, both counted from the layers, and their shares of the fastest matrix "
        "product and the best bandwidth measured. Bytes are a floor; a share of the bandwidth above 100 % means that "
        "caches hold a part.",
        columns=(
            MACHINE, "workload", "mode", "backend", "achieved", "matrix product", "of the matrix product", "moved",
            "bandwidth", "of the bandwidth",
        ),
        rows=rows,
    )  # fmt: skip


@chart.chart("rooflines", about_gpu=True)
def roofline_chart(scope: chart.Scope) -> chart.Picture:
    """Share of the fastest matrix product's rate that training reaches, by workload and backend."""
    known = {row.arm.key: row for row in counted(scope.of_table, modes=("train",))}
    found = []
    for _, label, series, row in marks.every_arm(scope, known):
        part = None if row is None or row.best is None else rooflines.share(row.record, row.best)
        if row is None or row.best is None or part is None:
            found.append(marks.absent(label, series, fmt.NOT_MEASURED))
        else:
            found.append(marks.estimated(scope, label, series, part, row.record, row.best))
    found = marks.drawn(found)
    shares = [mark["value"] for mark in found if mark["value"] is not None]
    device = "GPU" if scope.has_gpu() else "CPU"
    return chart.Picture(
        title=f"Training uses {_percent(min(shares))} to {_percent(max(shares))} of what the {device} can compute"
        if shares
        else "How much of the machine training uses",
        note="Arithmetic of a training step over that of the fastest matrix product on the same device.",
        description=marks.in_words(
            f"Arithmetic per second of training over that of the fastest matrix product{scope.place()}",
            found,
            fmt.percent,
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found,
            "share of the fastest matrix product's rate (log scale, higher is better)",
            narrow=narrow,
            row_px=9,
            gap=0.8,
        ),
    )


def _percent(share: float) -> str:
    return f"{fmt.number(100 * share, 2)} %"
