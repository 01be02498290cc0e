"""Painter of a grid of cells, shaded by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, TEXT_PX, Layers
from bench.report.stats import format as fmt


def surface(cells: list[dict[str, Any]], *, compares: bool, narrow: bool) -> Layers:
    """A heat map with the value in each cell and its interval below it."""
    family = "div" if compares else "seq"
    values = sorted(cell["value"] for cell in cells if cell["value"] is not None)
    if compares:
        steps = [0.25, 0.5, 0.9, 1.1, 2.0, 4.0]  # symmetric in the logarithm, the middle one "about the same"
    else:
        low, high = (values[0], values[-1]) if values else (1.0, 10.0)
        steps = [low * (max(high, low * 1.01) / low) ** (k / 7) for k in range(1, 7)]
    data = [cell | {"text": _cell_text(cell, compares), "small": "" if narrow else _cell_range(cell)} for cell in cells]
    if not data:
        data = [{"width": "", "batch": "", "value": None, "text": fmt.NOT_MEASURED, "small": ""}]
    size = 34 if narrow else 46
    batches = sorted({cell["batch"] for cell in cells})
    widths = sorted({cell["width"] for cell in cells}, reverse=True)
    base = alt.Chart(axes.data(data)).encode(
        x=alt.X(
            "batch:O", title="batch size", sort=batches or None, axis=alt.Axis(labelAngle=0, domain=False, ticks=False)
        ),
        y=alt.Y("width:O", title="width of the layers", sort=widths or None, axis=alt.Axis(domain=False, ticks=False)),
    )

    def shade(role: str) -> alt.Scale:
        return alt.Scale(type="threshold", domain=steps, range=[COLOURS[f"{role}-{k}"] for k in range(1, 8)])

    drawn = base.transform_filter("datum.value != null")
    absent = base.transform_filter("datum.value == null")
    layers = [
        drawn.mark_rect(stroke=COLOURS["surface"], strokeWidth=2).encode(
            color=alt.Color("value:Q", scale=shade(family), legend=None)
        ),
        drawn.mark_text(fontSize=11 if narrow else 13, dy=0 if narrow else -7, fontWeight=600).encode(
            text=alt.Text("text:N"), color=alt.Color("value:Q", scale=shade(f"{family}-ink"), legend=None)
        ),
        drawn.mark_text(fontSize=12, dy=9).encode(
            text=alt.Text("small:N"), color=alt.Color("value:Q", scale=shade(f"{family}-ink"), legend=None)
        ),
        absent.mark_rect(fill=None, stroke=COLOURS["missing"], strokeDash=[3, 3]),
        absent.transform_calculate(text=f"truncate(datum.text, {8 if narrow and batches else 20})")
        .mark_text(fontSize=TEXT_PX[narrow], fontStyle="italic", color=COLOURS["missing"])
        .encode(text=alt.Text("text:N")),
    ]
    resolve = {"scale": {"color": "independent"}}
    return axes.layered(*layers, height=size * max(len(widths), 2), resolve=resolve)


def _cell_text(cell: Mapping[str, Any], compares: bool) -> str:
    if cell["value"] is None:
        return cell["note"] or fmt.NOT_MEASURED
    return fmt.ratio(cell["value"]) if compares else _short(cell["value"])


def _cell_range(cell: Mapping[str, Any]) -> str:
    if cell["value"] is None:
        return ""
    return f"{_short(cell['low'])}–{_short(cell['high'])}"


def _short(value: float) -> str:
    """Three digits with k and M, for the cells of a heat map."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
