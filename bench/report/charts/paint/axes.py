"""Colours, legends, scales and axes that all painters share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from bench.report.stats import format as fmt
from bench.report.tables.table import evidence_text
from bench.schema import BACKENDS, DEVICES

WIDE_PX = 640
NARROW_PX = 340
LINE_PX = 14.5  # height of a line of an axis label
TEXT_PX = {False: 12, True: 11}  # of texts in the plot, on a desk and on a phone
EVERY = "every backend"  # series of a mark that stands for all arms of its row
# Our ratios of the two devices: each at its own best, and both alike.
OURS = ("each at its best", "same batch, strict float32")
# Kinds of numbers, where a chart shows several.
ESTIMATED, PUBLISHED, MEASURED = (
    "estimated",
    "published elsewhere",
    {"cpu": "our CPU, measured", "gpu": "our GPU, measured"},
)
BAR = "M-1.1,-0.5L1.1,-0.5L1.1,0.5L-1.1,0.5Z"  # a bar as a symbol, for the legend of ranges

SHAPES = {"tensorflow": "circle", "jax": "square", "torch": "triangle-up"}
DASHES = {"tensorflow": [1, 0], "jax": [7, 3], "torch": [2, 3]}

_ROLES = (
    "ink ink-soft grid surface missing published rule "
    "cpu-tensorflow cpu-jax cpu-torch gpu-tensorflow gpu-jax gpu-torch "
    "phase-import phase-device phase-data phase-build phase-first "
    "seq-1 seq-2 seq-3 seq-4 seq-5 seq-6 seq-7 "
    "seq-ink-1 seq-ink-2 seq-ink-3 seq-ink-4 seq-ink-5 seq-ink-6 seq-ink-7 "
    "div-1 div-2 div-3 div-4 div-5 div-6 div-7 "
    "div-ink-1 div-ink-2 div-ink-3 div-ink-4 div-ink-5 div-ink-6 div-ink-7 "
    "estimated"
).split()
# Role -> sentinel. The shades are absurd on purpose: one that survives into a page is a bug a test finds.
COLOURS: dict[str, str] = {role: f"#fa{number:02x}af" for number, role in enumerate(_ROLES)}

BAR_STYLE: dict[str, Any] = {
    "fill": COLOURS["estimated"],
    "fillOpacity": 0.2,
    "stroke": COLOURS["estimated"],
    "strokeWidth": 1,
}


def series(device: str, backend: str) -> str:
    """Name of an arm as legends show it."""
    return f"{fmt.backend(backend)}, {device.upper()}"


Layers = dict[str, Any]  # a specification in Vega-Lite


# Painters: from rows to an Altair chart, for a desk or a phone.


def styles(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[str, str, list[int]]]:
    """Colour, shape and dash of each series in the rows, in a fixed order."""
    known = {series(d, b): (f"{d}-{b}", SHAPES[b], DASHES[b]) for d in DEVICES for b in BACKENDS}
    known |= {OURS[0]: ("gpu-tensorflow", "circle", [1, 0]), OURS[1]: ("gpu-jax", "square", [1, 0])}
    known |= {name: (f"{device}-tensorflow", "circle", [1, 0]) for device, name in MEASURED.items()}
    known |= {PUBLISHED: ("published", "diamond", [2, 2]), ESTIMATED: ("estimated", BAR, [1, 0])}
    used = {row["series"] for row in rows}
    return {name: (COLOURS[role], shape, dash) for name, (role, shape, dash) in known.items() if name in used}


def legend(styles: Mapping[str, Any], *, narrow: bool) -> alt.Legend | None:
    """A legend above the plot; None where there is one series."""
    if len(styles) < 2:
        return None
    longest = sorted(map(len, styles))
    columns = (1 if sum(longest[-2:]) > 26 else 2) if narrow else min(len(styles), 3 if sum(longest) > 75 else 4)
    return alt.Legend(orient="top", title=None, columns=columns, symbolOpacity=1)


def colour_and_shape(styles: Mapping[str, tuple[str, str, list[int]]], *, narrow: bool) -> tuple[alt.Color, alt.Shape]:
    """Encodings of a mark's series, with one legend."""
    colours, shapes = (alt.Scale(domain=list(styles), range=[style[k] for style in styles.values()]) for k in (0, 1))
    above = legend(styles, narrow=narrow)
    return alt.Color("series:N", scale=colours, legend=above), alt.Shape("series:N", scale=shapes, legend=above)


# Scales and axes.


def domain(rows: Sequence[Mapping[str, Any]], *, include: float | None = None) -> tuple[float, float]:
    """Ends of a logarithmic axis that holds all values and intervals."""
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    if include is not None:
        ends.append(include)
    if not ends or (len(ends) == 1 and include is not None):
        return (1.0, 1000.0) if include is None else (0.5, 200.0)
    low, high = min(ends), max(ends)
    return (low / 1.35, max(high, low * 4) * 1.35)


def scale(domain: tuple[float, float]) -> alt.Scale:
    """A logarithmic scale over these ends."""
    return alt.Scale(type="log", domain=list(domain), nice=False)


def axis(domain: tuple[float, float], narrow: bool, rows: Sequence[Mapping[str, Any]]) -> alt.Axis:
    """Ticks that fit the width; none on an axis without values."""
    if not any(row["value"] is not None for row in rows):
        return alt.Axis(labels=False, ticks=False, grid=False)  # numbers on an empty chart would look like results
    decades = math.log10(domain[1] / domain[0])
    steps = (1,) if decades > (3 if narrow else 5) else (1, 3) if decades > 1.7 else (1, 2, 5)
    exponents = range(math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1])) + 1)
    values = [step * 10.0**e for e in exponents for step in steps if domain[0] <= step * 10.0**e <= domain[1]]
    label = "datum.value < 1 ? format(datum.value, '~g') : format(datum.value, '~s')"
    return alt.Axis(values=values, labelExpr=label)


SPANS = {1: "second", 60: "minute", 600: "coffee|break", 3600: "hour", 8 * 3600: "over|night", 86400: "day"}
SPANS |= {7 * 86400: "week", 30 * 86400: "month", 365 * 86400: "year"}
ROOMY_SPANS = ("second", "minute", "hour", "day", "month")  # far enough apart for a phone


def spans_axis(*, narrow: bool) -> alt.Axis:
    """Seconds in words a person uses, from a second to a year."""
    shown: dict[float, str] = {at: name for at, name in SPANS.items() if not narrow or name in ROOMY_SPANS}
    return named_axis(shown)


TIMES = {1e-6: "1 µs", 1e-5: "10 µs", 1e-4: "0.1 ms", 1e-3: "1 ms", 1e-2: "10 ms", 0.1: "0.1 s", 1.0: "1 s"}
TIMES |= {10.0: "10 s", 60.0: "1 min", 600.0: "10 min", 3600.0: "1 hour", 36e3: "10 hours", 86400.0: "1 day"}
UNITS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"))


DECADES = {at: name for at, name in TIMES.items() if at <= 10} | {100.0: "100 s"}  # where two axes are alike


def times(domain: tuple[float, float], *, narrow: bool) -> dict[float, str]:
    """Seconds within a logarithmic axis that have a name, with it."""
    decades = math.log10(domain[1] / domain[0])
    steps = () if decades > (2 if narrow else 3) else (3, 30, 300) if decades > 1 else (2, 5, 20, 50, 200, 500)
    known = TIMES | {at * size: f"{at} {unit}" for size, unit in UNITS for at in steps if at <= 30 or size < 1}
    return {at: name for at, name in sorted(known.items()) if domain[0] <= at <= domain[1]}


def named_axis(names: Mapping[float, str]) -> alt.Axis:
    """An axis with these values alone, in words."""
    return alt.Axis(
        values=list(names), labelExpr=choose({float(at): name for at, name in names.items()}), labelOverlap=False
    )


def names_axis(names: Mapping[float, str]) -> alt.Axis:
    """An axis of names in lines, each at its height."""
    return alt.Axis(
        values=list(names),
        labelExpr=choose(names),
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=8,
        labelOverlap=False,
    )


def axis_title(title: str, narrow: bool) -> str | list[str]:
    """Title of an axis, in two lines on a phone."""
    return wrapped(title, 36).split("|") if narrow else title


def wrapped(text: str, width: int) -> str:
    """The text in lines of about that many characters, joined by bars."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "|".join(lines)


def choose(names: Mapping[Any, str]) -> str:
    """Vega expression that maps an axis value to its lines of text."""
    known = {_as_in_scripts(key): text for key, text in names.items()}
    return f"split({json.dumps(known)}[toString(datum.value)], '|')"


def _as_in_scripts(key: Any) -> Any:
    """A number as JavaScript writes one of a millionth or more."""
    return np.format_float_positional(key, trim="-") if isinstance(key, float) else key


def with_values(part: Any) -> Any:
    """The specification with values in the place of their names."""
    if isinstance(part, list):
        return [with_values(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {"values": [_plain(row) for row in VALUES[value["name"]]]}
        if key == "data" and "name" in value
        else with_values(value)
        for key, value in part.items()
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of data for a file: the addresses of the cells behind it as text."""
    plain = {key: value for key, value in row.items() if key != "cells"}
    return plain | ({"evidence": evidence_text(row["cells"])} if row.get("cells") else {})


def layered(*marks: alt.Chart, height: float, **properties: Any) -> Layers:
    """The specification of marks that lie on one another; what all of them show is in it once.

    ``alt.layer`` makes the same of them, and copies all their parts four times, which takes longer than all the rest.
    """
    layers: list[Layers] = []
    for mark in marks:
        bare = mark.copy(deep=False)
        bare.data = alt.Undefined  # else Altair tries for every field whether its type follows from the data
        layers.append(bare.to_dict(validate=False, context={"top_level": False, "data": None}))
    data = [{"name": mark.data.name} for mark in marks]
    if all(one == data[0] for one in data):
        properties["data"] = data[0]
    else:
        layers = [layer | {"data": one} for layer, one in zip(layers, data, strict=True)]
    return {"layer": layers, "height": height, **properties, "$schema": alt.SCHEMA_URL}


# Values that a painter has handed over since the last finished drawing, by name. Altair copies a chart, its data
# included, at every step of its making; a name is copied faster, and the values are put in at the end.
VALUES: dict[str, list[dict[str, Any]]] = {}


def data(values: list[dict[str, Any]]) -> alt.NamedData:
    """Data of a chart, by name until the drawing is finished."""
    name = f"values-{len(VALUES)}"
    VALUES[name] = values
    return alt.NamedData(name=name)
