"""Painter of curves: a value over a size, one line per series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, Layers


def curves(
    rows: list[dict[str, Any]], x_title: str, y_title: str, missing: Sequence[str], *, narrow: bool, base: int
) -> Layers:
    """Lines over a logarithmic size, each point with its interval."""
    rows = [{"line": row["series"]} | row for row in rows]
    styles = axes.styles([row for row in rows if row["value"] is not None])
    domain = axes.domain(rows, log=True)
    sizes = sorted({row["x"] for row in rows}) or [1, 1024]
    ticks = sizes[:: 2 if narrow and len(sizes) > 6 else 1]
    pad = math.sqrt(base) if len(sizes) > 1 else base
    x = alt.X(
        "x:Q",
        title=x_title,
        scale=alt.Scale(type="log", base=base, domain=[sizes[0] / pad, sizes[-1] * pad], nice=False),
        axis=alt.Axis(values=ticks, format="~s" if sizes[-1] >= 100_000 else "d", grid=False, labels=bool(rows)),
    )
    y = alt.Y(
        "value:Q",
        title=axes.axis_title(y_title, narrow),
        scale=axes.scale(domain, True),
        axis=axes.axis(domain, True, narrow, rows),
    )
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(styles), range=[style[0] for style in styles.values()]),
        legend=axes.legend(styles, narrow=narrow),
    )
    shape = alt.Shape("series:N", scale=alt.Scale(domain=list(styles), range=[s[1] for s in styles.values()]))
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=list(styles), range=[s[2] for s in styles.values()]))
    plot = alt.Chart(axes.data(rows)).encode(x=x)
    drawn = plot.transform_filter("datum.value != null")
    spread = plot.transform_filter("datum.low != null && datum.high != null")
    layers = [
        spread.mark_rule(strokeWidth=2.5, opacity=0.55).encode(
            y=alt.Y("low:Q", scale=axes.scale(domain, True), title=axes.axis_title(y_title, narrow)),
            y2=alt.Y2("high:Q"),
            color=colour,
        ),
        drawn.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash, detail=alt.Detail("line:N")),
        drawn.mark_point(filled=True, size=56, opacity=1).encode(y=y, color=colour, shape=shape),
    ]
    ends = {row["label"]: row for row in rows if row["label"] and row["value"] is not None}  # the largest size of each
    if ends:
        names = alt.Chart(axes.data(list(ends.values()))).encode(x=x, y=y, text=alt.Text("label:N"))
        layers.append(names.mark_text(align="right", dx=-9, dy=-9, fontSize=11, color=COLOURS["ink"]))
    failed = [f"{row['series']} at {row['x']}: {row['note']}" for row in rows if row["note"]]
    layers += notes([*missing, *failed], narrow=narrow)
    return axes.layered(*layers, height=260 if narrow else 320)


def notes(texts: Sequence[str], *, narrow: bool) -> list[alt.Chart]:
    """What is missing, in lines at the upper left of the plot."""
    lines = list(enumerate(texts[:8]))
    said = alt.Chart(axes.data([{"text": text, "line": line} for line, text in lines]))
    said = said.transform_calculate(text=f"truncate(datum.text, {44 if narrow else 90})")
    return [
        said.transform_filter(f"datum.line == {line}")
        .mark_text(align="left", baseline="top", fontSize=11, fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.XValue(8), y=alt.YValue(6 + 15 * line), text=alt.Text("text:N"))
        for line, _ in lines
    ]
