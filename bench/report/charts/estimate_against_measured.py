"""Chart and table: every measurement that the formula was fitted to, against what it says of it."""

from __future__ import annotations

import math
import statistics
from functools import cache

import msgspec

from bench import grouped
from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, scatter
from bench.report.estimates import fit, formula
from bench.report.estimates import rows as published
from bench.report.stats import format as fmt
from bench.report.tables import cells, table

SERIES = {
    "measured by others": (axes.COLOURS["published"], "circle", [1, 0]),
    "by others, no estimate": (axes.COLOURS["missing"], "circle", [1, 0]),
    "estimated range": (axes.COLOURS["estimated"], axes.BAR, [1, 0]),
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A published step: where, its measured seconds, and what the formula says of it."""

    card: str
    network: str
    measured: float
    answer: formula.Estimate

    @property
    def is_answered(self) -> bool:
        """Whether the site would show an estimate of such a case."""
        return self.answer.kind != "refused"

    @property
    def is_inside(self) -> bool:
        """Whether the measured time lies in the estimated range."""
        return self.is_answered and self.answer.low <= self.measured <= self.answer.high


@cache  # all of it is published
def _rows() -> list[Row]:
    some = fit.points(published.measured())
    every = zip(some.cases, some.log_seconds.tolist(), formula.estimates(some.cases), strict=True)
    return [
        Row(card=case.card.name, network=case.network.title, measured=math.exp(log), answer=answer)
        for case, log, answer in every
    ]


@table.table("estimate-against-measured")
def estimate_against_measured_table(scope: table.TableScope) -> table.Draft:
    """By card how many published steps the formula was asked for, and how many lie in its range."""
    lines = []
    for card, same in sorted(grouped(_rows(), lambda row: row.card).items(), key=lambda item: -len(item[1])):
        answered = [row for row in same if row.is_answered]
        off = statistics.median(row.measured / row.answer.seconds for row in same)
        lines.append((
            cells.text(card),
            cells.text(fmt.count(len(same))),
            cells.text(fmt.count(len(answered))),
            cells.text(fmt.count(sum(row.is_inside for row in answered))),
            table.Cellv(text=fmt.ratio(off), is_published=True),
        ))  # fmt: skip
    return table.Draft(
        caption="Published training steps that the formula was fitted to, by card. The others have no estimate, "
        "because starting the work decides and nobody published how long that takes outside TensorFlow.",
        columns=("card", "steps", "with an estimate", "inside its range", "measured over estimated, median"),
        rows=lines,
    )


@chart.chart("estimate-against-measured")
def estimate_against_measured(scope: chart.Scope) -> chart.Picture:
    """Seconds of a step, estimated and measured, of every published row of the fit."""
    rows = _rows()
    answered = [row for row in rows if row.is_answered]
    n_inside = sum(row.is_inside for row in answered)
    title = f"The estimated range holds {fmt.count(n_inside)} of {fmt.count(len(answered))} published measurements"
    found: list[marks.Mark] = [
        marks.absent(row.card, axes.PUBLISHED, "")
        | {"kind": "published", "note": None, "x": row.answer.seconds, "value": row.measured, "inside": row.is_inside}
        | {"answered": row.is_answered}
        for row in rows
    ]
    range_ = formula.constants().ranges["nvidia"]
    return chart.Picture(
        title=title,
        description=f"{title}. {fmt.count(len(rows) - len(answered))} more have no estimate.",
        rows=found,
        note=f"One dot a training step on a GPU. The band is the range on NVIDIA cards, {range_.low:g} to "
        f"{range_.high:g} times the estimate. Grey: {fmt.count(len(rows) - len(answered))} steps too small for an "
        "estimate. The formula was fitted to these.",
        paint=lambda narrow: _paint(found, range_, narrow=narrow),
    )


def _paint(found: list[marks.Mark], range_: formula.Range, *, narrow: bool) -> axes.Layers:
    """A dot for every step over the range and the line where both are equal."""
    ends = axes.domain([{"value": mark[key], "low": None, "high": None} for mark in found for key in ("x", "value")])
    x = scatter.Axis("estimated seconds of a step (log scale)", ends, axes.DECADES)
    y = scatter.Axis("measured seconds of a step (log scale)", ends, axes.DECADES)
    inside = scatter.Band(range_.low, range_.high, "estimated", "", (ends[0], ends[0]))
    places = {is_in: [(m["x"], m["value"]) for m in found if m["answered"] == is_in] for is_in in (True, False)}
    return axes.layered(
        *scatter.band(x, y, inside, narrow=narrow),
        *scatter.points(x, y, [], SERIES, narrow=narrow),
        scatter.diagonal(x, y, narrow=narrow),
        scatter.dots(x, y, places[False], "missing", narrow=narrow),
        scatter.dots(x, y, places[True], "published", narrow=narrow),
        height=320 if narrow else 420,
    )
