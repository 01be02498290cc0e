"""Painter of curves: a value over a size, one line per series with its name at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, NARROW_PX, TEXT_PX, WIDE_PX, Layers
from bench.report.stats import format as fmt

NAMES_PX = {False: 13.5, True: 12.5}  # from one name at the end of a line to the next
SIDE_PX = {False: 68, True: 84}  # left of a plot: ticks and title of the axis


def curves(
    rows: list[dict[str, Any]], x_title: str, y_title: str, *, narrow: bool, base: int, is_time: bool = False
) -> Layers:
    """Lines over a logarithmic size, each point with its interval; ``is_time`` writes seconds as people say them."""
    rows = [{"line": row["series"]} | row for row in rows]
    drawn_rows = [row for row in rows if row["value"] is not None]
    styles, domain, height = axes.styles(drawn_rows), axes.domain(rows), 250 if narrow else 320
    sizes = sorted({row["x"] for row in rows}) or [1, 1024]
    pad = math.sqrt(base) if len(sizes) > 1 else base
    names = _names(drawn_rows, domain, height, narrow=narrow)
    room = max((len(name["text"]) for name in names), default=0) * 0.58 * TEXT_PX[narrow] + 12
    share = room / ((NARROW_PX if narrow else WIDE_PX) - SIDE_PX[narrow])
    left, right = sizes[0] / pad, sizes[-1] * 1.02
    x = alt.X(
        "x:Q",
        title=x_title,
        scale=alt.Scale(
            type="log", base=base, domain=[left, right * (right / left) ** (share / (1 - share))], nice=False
        ),
        axis=alt.Axis(
            values=sizes[:: 2 if narrow and len(sizes) > 5 else 1],
            format="~s" if sizes[-1] >= 100_000 else "d",
            grid=False,
            labels=bool(rows),
        ),
    )
    axis = axes.axis(domain, narrow, rows)
    if is_time and drawn_rows:
        axis = axes.named_axis(axes.times(domain, narrow=narrow))
    y, low = (
        alt.Y(f"{name}:Q", title=axes.axis_title(y_title, narrow), scale=axes.scale(domain), axis=axis)
        for name in ("value", "low")
    )
    colours, shapes, dashes = (
        alt.Scale(domain=list(styles), range=[style[k] for style in styles.values()]) for k in range(3)
    )
    colour = alt.Color("series:N", scale=colours, legend=None)
    plot = alt.Chart(axes.data(rows)).encode(x=x)
    drawn = plot.transform_filter("datum.value != null")
    layers = [
        plot.transform_filter("datum.low != null && datum.high != null")
        .mark_rule(strokeWidth=2.5, opacity=0.55)
        .encode(y=low, y2=alt.Y2("high:Q"), color=colour),
        drawn.mark_line(strokeWidth=2).encode(
            y=y,
            color=colour,
            strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=None),
            detail=alt.Detail("line:N"),
        ),
        drawn.mark_point(filled=True, size=56, opacity=1).encode(
            y=y, color=colour, shape=alt.Shape("series:N", scale=shapes, legend=None)
        ),
        alt.Chart(axes.data([name | {"x": sizes[-1]} for name in names]))
        .mark_text(align="left", dx=9, fontSize=TEXT_PX[narrow], fontWeight=600)
        .encode(x=x, y=y, text=alt.Text("text:N"), color=colour),
    ]
    failed = [f"{row['series']} at {row['x']}: {row['note']}" for row in rows if row["note"]]
    layers += notes(failed if rows else [fmt.NOT_MEASURED], narrow=narrow)
    return axes.layered(*layers, height=height)


def _names(
    rows: Sequence[Mapping[str, Any]], domain: tuple[float, float], height: float, *, narrow: bool
) -> list[dict[str, Any]]:
    """The name of each line at the height of its end, those that would meet apart, from the top."""
    ends = {row["line"]: row for row in sorted(rows, key=lambda row: row["x"])}
    falling = sorted(ends.values(), key=lambda row: -row["value"])
    step, wide = NAMES_PX[narrow], math.log(domain[1] / domain[0])
    places, above = [], -step / 2
    for row in falling:
        above = max(height * math.log(domain[1] / row["value"]) / wide, above + step)
        places.append(above)
    below = height + step / 2
    for k in reversed(range(len(places))):
        below = places[k] = min(places[k], below - step)
    return [
        {
            "value": domain[1] * math.exp(-at / height * wide),
            "series": row["series"],
            "text": f"{row['series']} {row['label']}".strip(),
        }
        for at, row in zip(places, falling, strict=True)
    ]


def notes(texts: Sequence[str], *, narrow: bool) -> list[alt.Chart]:
    """What failed, in lines at the upper left of the plot."""
    return [
        alt.Chart(axes.data([{"text": text if len(text) <= (n := 44 if narrow else 80) else f"{text[: n - 1]}…"}]))
        .mark_text(align="left", baseline="top", fontSize=TEXT_PX[narrow], fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.XValue(8), y=alt.YValue(6 + 15 * line), text=alt.Text("text:N"))
        for line, text in enumerate(texts[:8])
    ]
