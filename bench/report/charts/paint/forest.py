"""Painter of forest plots: one row per thing compared, a mark with its interval per series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import (
    COLOURS,
    ESTIMATED,
    EVERY,
    LINE_PX,
    NARROW_PX,
    OURS,
    PUBLISHED,
    TEXT_PX,
    WIDE_PX,
    Layers,
)

BAR_PX = 9


class _Strip(NamedTuple):
    """The plot of a forest in pixels from its left edge, known well enough to place texts in it.

    ``width`` is what it has at least; a place is given back as the value that stands there, so that it stays right in
    a wider plot.
    """

    domain: tuple[float, float]
    width: float
    char_px: float
    rule_at: float | None

    def px(self, value: float) -> float:
        """Place of a value."""
        low, high = self.domain
        return math.log(value / low) / math.log(high / low) * self.width

    def value(self, px: float) -> float:
        """Value at a place."""
        low, high = self.domain
        return low * (high / low) ** (px / self.width)

    @property
    def left(self) -> float:
        """Where texts may begin: right of the rule, else at the edge."""
        return 4.0 if self.rule_at is None else self.px(self.rule_at) + 6

    def beside(self, row: Mapping[str, Any]) -> float | None:
        """Where a mark's label begins right of it, else left of it; None where it would leave the plot."""
        wide = len(row["label"]) * self.char_px
        right = max(self.px(row["high"] or row["value"]) + 9, self.left)
        left = self.px(row["low"] or row["value"]) - 9 - wide
        return right if right + wide <= self.width else left if left >= self.left else None

    def below(self, row: Mapping[str, Any], max_lines: int) -> tuple[float, str]:
        """Where a mark's label begins below it, and the label in as many lines as it may have, cut to fit."""
        n_chars = int((self.width - self.left) / self.char_px)
        lines = axes.wrapped(row["label"], n_chars).split("|")
        if len(lines) > max_lines:
            lines = [*lines[: max_lines - 1], _cut(" ".join(lines[max_lines - 1 :]), n_chars)]
        wide = max(map(len, lines)) * self.char_px
        start = max(self.left, min(self.px(row["value"]) - wide / 2, self.width - wide))
        return start, "|".join(lines)

    def note(self, text: str) -> tuple[float, str]:
        """Where the text in place of a mark begins, and the text cut to what fits on the wider side of the rule."""
        start, room = self.left, self.width - self.left
        if self.rule_at is not None and self.px(self.rule_at) > room:
            start, room = 4.0, self.px(self.rule_at) - 8
        return start, _cut(text, int(room / self.char_px))


def _cut(text: str, n_chars: int) -> str:
    return text if len(text) <= n_chars else f"{text[: max(n_chars - 1, 1)]}…"


class _Lines(NamedTuple):
    """A forest's marks, texts and names of rows, each with its height on an axis that counts lines from the top."""

    data: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    names: dict[float, str]
    n_lines: float


def _lines(
    rows: Sequence[dict[str, Any]], strip: _Strip, row_px: float, gap: float, name_chars: int, *, narrow: bool
) -> _Lines:
    """Every row of a forest at its height; a label that does not fit right of its mark has room below it."""
    data, texts, names, at = [], [], {}, 0.0
    text_lines = 13 / row_px
    for label in dict.fromkeys(row["row"] for row in rows):
        slots: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row["row"] == label:
                slots.setdefault(row["slot"], []).append(row)
        places, below, used = {}, {}, 0.0
        for slot, same in slots.items():
            places[slot] = used + 0.5
            used += 1
            first = same[0]
            if first["value"] is not None and first["label"] and strip.beside(first) is None:
                start, text = strip.below(first, 2)
                below[slot] = {"start": start, "text": text, "y": used + 0.45 * text_lines}
                used += (text.count("|") + 1.1) * text_lines
        name = axes.wrapped(label, name_chars)
        n_lines = name.count("|") + 1
        room = max(used, n_lines * LINE_PX / row_px)
        top = at + (room - used) / 2
        for slot, same in slots.items():
            data += [row | {"y": top + places[slot]} for row in same]
            texts += _texts(same[0], strip, top, places[slot], below.get(slot), narrow=narrow)
        # A name hangs from its first line; it is lifted so that its middle meets the middle of its rows.
        names[round(at + room / 2 - (n_lines - 1) / 2 * LINE_PX / row_px, 3)] = name
        at += room + gap
    return _Lines(data, texts, names, at)


def _texts(
    row: Mapping[str, Any], strip: _Strip, top: float, place: float, below: Mapping[str, Any] | None, *, narrow: bool
) -> list[dict[str, Any]]:
    """What is written about a mark: its label, or why it is missing."""
    if row["value"] is None:
        left, text = strip.note(_said(row, narrow=narrow))
        return [{"text_x": strip.value(left), "y": top + place, "text": text, "role": "missing"}]
    role = {PUBLISHED: "published", ESTIMATED: "estimated"}.get(row["series"], "ink-soft")
    if below is not None:
        return [{"text_x": strip.value(below["start"]), "y": top + below["y"], "text": below["text"], "role": role}]
    start = strip.beside(row) if row["label"] else None
    if start is not None:
        return [{"text_x": strip.value(start), "y": top + place, "text": row["label"], "role": role}]
    return []


def forest(
    rows: list[dict[str, Any]],
    title: str,
    *,
    narrow: bool,
    rule_at: float | None = None,
    row_px: int = 17,
    gap: float = 0.6,
    name_chars: int | None = None,
    axis: alt.Axis | None = None,
    is_time: bool = False,
) -> Layers:
    """One line per result: point and interval, the bar of an estimated range, or the reason why there is none.

    ``gap`` is the room between two rows in lines; a name is broken after ``name_chars``; ``axis`` replaces the plain
    one; ``is_time`` writes seconds as people say them.
    """
    slots: dict[str, set[str]] = {}
    for row in rows:
        slots.setdefault(row["row"], set()).add(row["slot"])
    row_px = min(row_px, 14) if any(len(found) > 4 for found in slots.values()) else row_px
    domain = axes.domain(rows, include=rule_at)
    name_chars = name_chars or (17 if narrow else 27)
    names_px = max((len(line) for row in slots for line in axes.wrapped(row, name_chars).split("|")), default=0)
    width = (NARROW_PX if narrow else WIDE_PX) - names_px * 6.2 - 30
    strip = _Strip(domain, width, 0.53 * TEXT_PX[narrow], rule_at)
    lines = _lines(rows, strip, row_px, gap, name_chars, narrow=narrow)
    styles = axes.styles([row for row in rows if row["value"] is not None])
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[-0.3, lines.n_lines - 0.3], reverse=True, nice=False, zero=False),
        axis=axes.names_axis(lines.names),
    )
    x = {"title": axes.axis_title(title, narrow), "scale": axes.scale(domain)}
    if is_time and styles:
        axis = axes.named_axis(axes.times(domain, narrow=narrow))
    axis = axis or axes.axis(domain, narrow, lines.data)
    layers = _marks(lines.data, styles, x, axis, y, narrow=narrow, rule_at=rule_at)
    for role in ("ink-soft", "published", "estimated", "missing"):
        texts = alt.Chart(axes.data([text for text in lines.texts if text["role"] == role])).encode(y=y)
        font: dict[str, Any] = {"fontStyle": "italic"} if role == "missing" else {"lineBreak": "|"}
        mark = texts.mark_text(align="left", fontSize=TEXT_PX[narrow], color=COLOURS[role], **font)
        layers.append(mark.encode(x=alt.X("text_x:Q", scale=axes.scale(domain)), text=alt.Text("text:N")))
    return axes.layered(*layers, height=max(60, int(lines.n_lines * row_px)))


def _marks(
    data: list[dict[str, Any]],
    styles: Mapping[str, tuple[str, str, list[int]]],
    x: dict[str, Any],
    axis: alt.Axis,
    y: alt.Y,
    *,
    narrow: bool,
    rule_at: float | None,
) -> list[alt.Chart]:
    """Points, intervals and bars of a forest over its rule; ``x`` is the title and the scale of what lies along it."""
    base = alt.Chart(axes.data(data)).encode(y=y)
    colour, shape = axes.colour_and_shape(styles, narrow=narrow)
    layers: list[alt.Chart] = []
    if rule_at is not None:
        mark = alt.Chart(axes.data([{"at": rule_at}])).mark_rule(color=COLOURS["rule"], strokeWidth=1.5)
        layers.append(mark.encode(x=alt.X("at:Q", scale=x["scale"])))
    if ESTIMATED in styles:
        bars = base.transform_filter(f"datum.series == '{ESTIMATED}'").mark_bar(height=BAR_PX, **axes.BAR_STYLE)
        layers.append(bars.encode(x=alt.X("low:Q", **x), x2=alt.X2("high:Q")))
    drawn = base.transform_filter(f"datum.value != null && datum.series != '{ESTIMATED}'")
    spread = drawn.transform_filter("datum.low != null && datum.high != null")
    layers.append(
        spread.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q", **x), x2=alt.X2("high:Q"), color=colour)
    )
    for end in ("low", "high"):
        layers.append(spread.mark_tick(thickness=2, size=9).encode(x=alt.X(f"{end}:Q"), color=colour))
    layers.append(
        drawn.mark_point(filled=True, size=64, opacity=1).encode(
            x=alt.X("value:Q", axis=axis, **x), color=colour, shape=shape
        )
    )
    return layers


def _said(row: Mapping[str, Any], *, narrow: bool) -> str:
    """What stands where a mark is missing: which arm, and why."""
    if row["note"] is None:
        return ""
    if row["series"] in ("GPU", "measured here", EVERY, *OURS):
        return row["note"]
    return f"{row['series'].split(',')[0] if narrow else row['series']}: {row['note']}"
