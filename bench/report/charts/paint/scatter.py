"""Painter of scatter plots on two logarithmic axes, with a band along the diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS

Domain = tuple[float, float]


class Axis(NamedTuple):
    """A logarithmic axis: its title, its ends and its ticks in words."""

    title: str
    domain: Domain
    ticks: Mapping[float, str]

    def encoding(self, channel: type[alt.X] | type[alt.Y], field: str, *, narrow: bool) -> Any:
        """The axis as the encoding of a field."""
        shown = {at: name for at, name in self.ticks.items() if self.domain[0] <= at <= self.domain[1]}
        title = axes.axis_title(self.title, narrow)
        return channel(f"{field}:Q", title=title, scale=axes.scale(self.domain), axis=axes.named_axis(shown))


class Band(NamedTuple):
    """What lies between two multiples of x, and its name, which stands at a place."""

    low: float
    high: float
    role: str
    text: str
    at: tuple[float, float]


def band(x: Axis, y: Axis, of: Band, *, narrow: bool) -> list[alt.Chart]:
    """The band, cut at the frame, with its name."""
    ends = [x.domain[0], x.domain[1]]
    corners = [
        {"x": at, "low": at * of.low, "high": at * of.high}
        for k in range(65)
        if (at := ends[0] * (ends[1] / ends[0]) ** (k / 64))
    ]
    area = alt.Chart(axes.data(corners)).mark_area(clip=True, color=COLOURS[of.role], opacity=0.16)
    text = alt.Chart(axes.data([{"x": of.at[0], "value": of.at[1]}]))
    named = text.mark_text(
        align="left", baseline="middle", fontSize=11 if narrow else 12, color=COLOURS[of.role], lineBreak="|"
    )
    across = x.encoding(alt.X, "x", narrow=narrow)
    return [
        area.encode(x=across, y=y.encoding(alt.Y, "low", narrow=narrow), y2=alt.Y2("high:Q")),
        named.encode(x=across, y=y.encoding(alt.Y, "value", narrow=narrow), text=alt.TextValue(of.text)),
    ]


def dots(x: Axis, y: Axis, places: Sequence[tuple[float, float]], role: str, *, narrow: bool) -> alt.Chart:
    """Very many points as one path: each is a line of no length with round ends, which a browser draws as a dot."""
    apart: list[dict[str, Any]] = []
    for one in sorted(places):
        apart += [{"i": len(apart), "x": one[0], "value": one[1]}, {"i": len(apart) + 1, "x": one[0], "value": None}]
    path = alt.Chart(axes.data(apart)).mark_line(
        strokeCap="round", strokeWidth=2.5 if narrow else 3.5, color=COLOURS[role], opacity=0.45,
        invalid="break-paths-show-domains",
    )  # fmt: skip
    return path.encode(
        x=x.encoding(alt.X, "x", narrow=narrow), y=y.encoding(alt.Y, "value", narrow=narrow), order=alt.Order("i:Q")
    )


def rule(y: Axis, at: float, below: str, *, narrow: bool) -> list[alt.Chart]:
    """A line across the plot, and what lies below it at its right end."""
    base = alt.Chart(axes.data([{"at": at}])).encode(y=y.encoding(alt.Y, "at", narrow=narrow))
    name = base.mark_text(align="right", baseline="top", dx=-4, dy=5, fontSize=axes.TEXT_PX[narrow])
    return [
        base.mark_rule(color=COLOURS["rule"], strokeWidth=1.5),
        name.encode(x=alt.value("width"), text=alt.value(below), color=alt.value(COLOURS["ink-soft"])),
    ]


def diagonal(x: Axis, y: Axis, *, narrow: bool) -> alt.Chart:
    """Where both are equal."""
    low, high = max(x.domain[0], y.domain[0]), min(x.domain[1], y.domain[1])
    line = alt.Chart(axes.data([{"x": end, "value": end} for end in (low, high)]))
    drawn = line.mark_line(color=COLOURS["rule"], strokeWidth=1.5)
    return drawn.encode(x=x.encoding(alt.X, "x", narrow=narrow), y=y.encoding(alt.Y, "value", narrow=narrow))


def points(
    x: Axis, y: Axis, rows: list[dict[str, Any]], styles: Mapping[str, tuple[str, str, list[int]]], *, narrow: bool
) -> list[alt.Chart]:
    """Points by series; the bars of estimated ranges upright."""
    colour, shape = axes.colour_and_shape(styles, narrow=narrow)
    base = alt.Chart(axes.data(rows)).encode(x=x.encoding(alt.X, "x", narrow=narrow))
    height = y.encoding(alt.Y, "value", narrow=narrow)
    low, high = y.encoding(alt.Y, "low", narrow=narrow), alt.Y2("high:Q")
    bars = base.transform_filter(f"datum.kind == '{axes.ESTIMATED}'")
    drawn = base.transform_filter(f"datum.value != null && datum.kind != '{axes.ESTIMATED}'")
    return [
        bars.mark_bar(size=7, **axes.BAR_STYLE).encode(y=low, y2=high),
        drawn.transform_filter("datum.low != null").mark_rule(strokeWidth=2.5).encode(y=low, y2=high, color=colour),
        drawn.mark_point(filled=True, size=50, opacity=0.8).encode(y=height, color=colour, shape=shape),
    ]  # fmt: skip
