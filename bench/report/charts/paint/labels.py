"""Places of names within a plot, so that no two lie on each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.report.stats import format as fmt


class _Box(NamedTuple):
    """A rectangle in a plot: left, top, right and bottom in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Area that the two share, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


class Plane:
    """A plot with two logarithmic axes whose size in pixels is known about, so that texts find free places in it."""

    def __init__(self, x_domain: tuple[float, float], y_domain: tuple[float, float], size: tuple[float, float]) -> None:
        """A plane of ``size`` pixels over these ends of its axes, both logarithmic."""
        self._x, self._y, self._size = x_domain, y_domain, size
        self._taken: list[_Box] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        shares = (math.log(v / d[0]) / math.log(d[1] / d[0]) for v, d in ((x, self._x), (y, self._y)))
        across, up = shares
        return across * self._size[0], (1 - up) * self._size[1]

    def take(self, x: float, y: float, reach_px: float) -> None:
        """Keep texts away from a point."""
        self.take_px(*self.at(x, y), reach_px)

    def take_px(self, px: float, py: float, reach_px: float) -> None:
        """As ``take``, of a point in pixels."""
        self._taken.append(_Box(px - reach_px, py - reach_px, px + reach_px, py + reach_px))

    def place(self, text: str, anchors: Iterable[tuple[float, float]]) -> dict[str, Any]:
        """The text at the first of its middles, in pixels, where it meets least; as a row of x, y and text."""
        width, height = len(text) * 5.6 + 4, 13.0

        def box(middle: tuple[float, float]) -> _Box:
            left = min(max(middle[0] - width / 2, 2), self._size[0] - width - 2)
            top = min(max(middle[1] - height / 2, 2), self._size[1] - height - 2)
            return _Box(left, top, left + width, top + height)

        best, least = None, math.inf
        for middle in anchors:
            one = box(middle)
            met = sum(one.overlap(other) for other in self._taken)
            if met < least:
                best, least = one, met
            if not least:
                break
        if best is None:
            raise ValueError(f"no place to try for {text!r}")
        self._taken.append(best)
        shares = ((best.left + width / 2) / self._size[0], 1 - (best.top + height / 2) / self._size[1])
        x, y = (d[0] * (d[1] / d[0]) ** share for d, share in zip((self._x, self._y), shares, strict=True))
        return {"x": x, "value": y, "text": text}


FEW_GROUPS = 3  # others up to which no name stands beyond them; among more, that beats a name on top of another


def roof_names(
    plane: Plane, lines: Sequence[Mapping[str, Any]], x_domain: tuple[float, float], y_domain: tuple[float, float]
) -> list[dict[str, Any]]:
    """What each ceiling is, near its line."""
    found = []
    for line in lines:
        ridge, left = line["flat"] / line["slope"], max(x_domain[0], y_domain[0] / line["slope"])
        (a, top), (b, _) = plane.at(ridge, line["flat"]), plane.at(x_domain[1], line["flat"])
        middles = [(b - share * (b - a), top + dy) for share in (0.0, 0.3, 0.6) for dy in (-11, 12)]
        found.append(plane.place(f"{line['device']}: matrix product, {fmt.flop_rate(line['flat'])}", middles))
        steps = (left * (ridge / left) ** share for share in (0.25, 0.5, 0.1, 0.7, 0.9))
        near = [plane.at(step, step * line["slope"]) for step in steps]
        text = f"{line['device']}: memory, {fmt.bytes_(line['slope'])}/s"
        side = len(text) * 2.8 + 10
        found.append(plane.place(text, [(px + dx, py + dy) for px, py in near for dx, dy in ((-side, -6), (side, 8))]))
    return found


def group_names(plane: Plane, groups: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The name of each group of points, by name and device, where it meets least; those with least room first."""
    found = []
    placed = {key: [plane.at(row["x"], row["value"]) for row in rows] for key, rows in groups.items()}
    for points in placed.values():
        for (a, b), (c, d) in itertools.pairwise(sorted(points)):
            for k in range(1, 8):
                plane.take_px(a + (c - a) * k / 8, b + (d - b) * k / 8, 3)
    for key, points in sorted(placed.items(), key=lambda item: -len(item[0][0])):
        label, others = key[0], [other for name, other in placed.items() if name != key]
        left, right = min(px for px, _ in points), max(px for px, _ in points)
        top, bottom = min(py for _, py in points), max(py for _, py in points)
        half, middle = len(label) * 2.8 + 2, (left + right) / 2
        shifts = (0.0, half * 0.5, -half * 0.5, half * 0.85, -half * 0.85)
        over = [(middle + dx, y) for y in (top - 14, bottom + 14) for dx in shifts]
        heights = (top, bottom, (top + bottom) / 2, *(y for _, y in points))
        beside = [
            (x, y)
            for y in heights
            for x in (right + half + 9, left - half - 9)
            if len(others) > FEW_GROUPS or not any(_lies_between(other, x, middle, y) for other in others)
        ]
        found.append(plane.place(label, [*over[:1], *over[5:6], *beside, *over]))
    return found


def _lies_between(points: Sequence[tuple[float, float]], one: float, other: float, y: float) -> bool:
    """Whether a group of points is passed on the way from one place to another, at about one height."""
    inside = any(min(one, other) < px < max(one, other) for px, _ in points)
    return inside and min(py for _, py in points) - 8 < y < max(py for _, py in points) + 8
