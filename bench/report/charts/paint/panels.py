"""Painter of small panels: the steps of a run, one panel per arm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, TEXT_PX, Layers
from bench.report.stats import format as fmt
from bench.report.stats import traces

Panel = tuple[str, traces.Shown | str]  # name of the arm, and its trace or why it has none
STRIP_PX, HEAD_PX, BARE_PX, GAP_PX = 54.0, 20.0, 22.0, 12.0


class _Strip(NamedTuple):
    """The logarithmic axis that all strips share, from its lowest to its highest factor."""

    low: float
    high: float

    def down(self, factor: float) -> float:
        """Pixels from the upper edge of a strip."""
        return STRIP_PX * (1 - math.log(factor / self.low) / math.log(self.high / self.low))

    def ticks(self) -> list[float]:
        """Factors to name, one always, far enough from each other."""
        found = [1.0]
        for tick in (100, 50, 20, 10, 5, 2, 1.5, 0.5, 0.2):
            if self.low < tick < self.high and all(abs(self.down(tick) - self.down(other)) > 15 for other in found):
                found.append(float(tick))
        return found


class _Lines(NamedTuple):
    """The panels below each other: heads, shades, points and names of ticks at their pixels from the top."""

    heads: list[dict[str, Any]]
    shades: list[dict[str, Any]]
    points: list[dict[str, Any]]
    names: dict[float, str]
    height: float


def _lines(panels: Iterable[Panel], strip: _Strip, end_s: float) -> _Lines:
    heads, shades, points, top = [], [], [], 0.0
    names: dict[float, str] = {}
    for series, trace in panels:
        if isinstance(trace, str):
            heads.append({"y": top + 8, "text": f"{series}: {trace}", "role": "missing"})
            top += BARE_PX
            continue
        step = f"{series}: {fmt.seconds(trace.step_s)} a step"
        step += "" if trace.settled else ", never settled"
        heads.append({"y": top + 8, "text": step, "role": "ink"})
        top += HEAD_PX
        at = min(trace.from_s, 0.8 * end_s)  # of the shade's word, which must not leave the plot
        shades.append({"x": trace.from_s, "end": trace.to_s, "y": top, "foot": top + STRIP_PX, "at": at})
        names |= {round(top + strip.down(tick), 2): f"{tick:g}x" for tick in strip.ticks()}
        points += [
            {"x": point.at_s, "y": top + strip.down(point.factor), "series": series, "steady": point.is_steady}
            for point in trace.points
        ]
        top += STRIP_PX + GAP_PX
    return _Lines(heads, shades, points, names, max(top, 40.0))


def trace_panels(panels: Sequence[Panel], *, narrow: bool) -> Layers:
    """A strip for each arm: its blocks over time, a shade over those that are measured; a line for one without."""
    drawn = [trace for _, trace in panels if not isinstance(trace, str)]
    factors = [point.factor for trace in drawn for point in trace.points] or [1.0]
    end_s = max([trace.to_s for trace in drawn], default=1.0)
    strip = _Strip(min([*factors, 0.8]) / 1.1, max([*factors, 1.5]) * 1.1)
    heads, shades, points, names, height = _lines(panels, strip, end_s)
    styles = axes.styles(points)
    x, word = (
        alt.X(
            f"{name}:Q",
            title="seconds since the first step ended",
            scale=alt.Scale(domain=[0, end_s], nice=False),
            axis=alt.Axis(grid=False, labels=bool(drawn), ticks=bool(drawn), tickCount=3 if narrow else 8),
        )
        for name in ("x", "at")
    )
    scale = alt.Scale(domain=[0, height], reverse=True, nice=False, zero=False)
    axis = alt.Axis(
        values=list(names),
        labelExpr=axes.choose(names) if names else "''",
        grid=False,
        ticks=False,
        domain=False,
        labelOverlap=False,
        labelPadding=6,
    )
    y = alt.Y("y:Q", scale=scale, axis=axis, title=axes.axis_title("times the measured step (log scale)", narrow))
    shades_of = alt.Scale(domain=list(styles), range=[style[0] for style in styles.values()])
    colour = alt.Color("series:N", scale=shades_of, legend=None)
    strips = alt.Chart(axes.data(shades))
    rules = alt.Chart(axes.data([{"y": at} for at, text in names.items() if text == "1x"]))
    marks = alt.Chart(axes.data(points))
    layers = [
        strips.mark_rect(color=COLOURS["grid"], opacity=0.65).encode(x=x, x2=alt.X2("end:Q"), y=y, y2=alt.Y2("foot:Q")),
        rules.mark_rule(color=COLOURS["rule"], strokeWidth=1, strokeDash=[2, 3]).encode(y=y),
        strips.mark_rule(color=COLOURS["rule"], strokeWidth=1.5).encode(x=x, y=y, y2=alt.Y2("foot:Q")),
        strips.mark_text(
            align="left", baseline="top", dx=5, dy=3, fontSize=TEXT_PX[narrow], color=COLOURS["ink-soft"]
        ).encode(x=word, y=y, text=alt.TextValue("measured")),
        marks.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, detail=alt.Detail("series:N")),
        marks.transform_filter("!datum.steady")
        .mark_point(filled=True, fill=COLOURS["surface"], size=26, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y, stroke=alt.Stroke("series:N", scale=shades_of, legend=None)),
        marks.transform_filter("datum.steady")
        .mark_point(filled=True, size=26, opacity=1)
        .encode(x=x, y=y, color=colour),
    ]
    for role in ("ink", "missing"):
        texts = alt.Chart(axes.data([head for head in heads if head["role"] == role]))
        style = {"fontStyle": "italic"} if role == "missing" else {"fontWeight": 600}
        layers.append(
            texts.mark_text(align="left", fontSize=TEXT_PX[narrow], color=COLOURS[role], **style)
            .encode(x=alt.XValue(0), y=y, text=alt.Text("text:N"))
        )  # fmt: skip
    return axes.layered(*layers, height=height)
