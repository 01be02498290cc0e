"""How far off the formula is where the fit had not seen the card, the source, the network; the range that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from bench.report.estimates import fit, formula, networks, rows
from bench.report.estimates.fit import Points
from bench.report.estimates.formula import Case, Estimate, Hull, Range, Terms
from bench.report.published import cards

Line = dict[str, str | int | float]

# What is left out together, by a name for it.
GROUPS: dict[str, Callable[[Case, rows.Row], str]] = {
    "card": lambda case, row: case.card.name,
    "source": lambda case, row: row.source,
    "network": lambda case, row: case.network.id.partition("@")[0],
    "family of networks": lambda case, row: case.network.group,
    "architecture": lambda case, row: case.card.architecture,
    "framework": lambda case, row: row.stack,
}
NEWEST_FITTED_YEAR = 2020
# The share of measurements that a range is to hold, and how it is rounded outwards.
COVERAGE = 0.91
STEP = 0.01
# Keras is the site's own case and has few rows: its range is not read off them but wide, and they are counted in it.
KERAS_LOW, KERAS_HIGH = 0.6, 2.1
# Epochs with fewer steps are timed with their beginning and end.
STEADY_STEPS = 200


class LeftOut(NamedTuple):
    """Logarithm of measured over estimated of every point, the fit made without its group."""

    by_group: dict[str, np.ndarray]
    n_groups: dict[str, int]


def leave_out(some: Points, by: Mapping[str, Callable[[Case, rows.Row], str]] = GROUPS) -> LeftOut:
    """Refits without each group, and asks the fit for the group."""
    found, n_groups = {}, {}
    for name, group_of in by.items():
        groups = np.array([group_of(case, row) for case, row in zip(some.cases, some.rows, strict=True)])
        off = np.empty(len(groups))
        for group in np.unique(groups):
            is_out = groups == group
            off[is_out] = _off(some.only(is_out), fit.solve(some.only(~is_out)))
        found[name], n_groups[name] = off, len(np.unique(groups))
    return LeftOut(found, n_groups)


def _off(some: Points, terms: Terms) -> np.ndarray:
    """Logarithm of measured over estimated."""
    off: np.ndarray = np.subtract(some.log_seconds, fit.log_estimates(some.base, terms))
    return off


def tables(some: Points, terms: Terms, left_out: LeftOut, ranges: Mapping[str, Range]) -> tuple[Line, ...]:
    """Factors between measured and estimated, larger over smaller: by what was left out, by case, and of rivals."""
    is_nvidia = np.array([case.card.vendor == "NVIDIA" for case in some.cases])
    found = [_line(f"one {name}", off, is_nvidia, left_out.n_groups[name]) for name, off in left_out.by_group.items()]
    is_old = np.array([case.card.year <= NEWEST_FITTED_YEAR for case in some.cases])
    newer = _off(some.only(~is_old), fit.solve(some.only(is_old)))
    n_newer = len({case.card.name for case in some.only(~is_old).cases})
    found.append(_line(f"every card newer than {NEWEST_FITTED_YEAR}", newer, is_nvidia[~is_old], n_newer))
    host, arithmetic, traffic = formula.parts(some.base, terms)
    share = host / (arithmetic + traffic)
    is_keras = np.array([case.is_keras for case in some.cases])
    for group, name, chosen in (
        ("card", "host below half the GPU's part", share < 0.5),
        ("card", "host between half and the whole", (share >= 0.5) & (share <= 1)),
        ("card", "host above the GPU's part", share > 1),
        ("source", "Keras on NVIDIA", is_keras & is_nvidia),
        ("source", "AMD", ~is_nvidia),
    ):
        off, n_groups = left_out.by_group[group][chosen], left_out.n_groups[group]
        found.append(_line(f"one {group}; {name}", off, is_nvidia[chosen], n_groups))
    found += [
        _line(f"one card; rival: {name}", off, is_nvidia, left_out.n_groups["card"]) for name, off in rivals(some)
    ]
    return tuple(found)


def _line(name: str, off: np.ndarray, is_nvidia: np.ndarray, n_groups: int) -> Line:
    factor = np.exp(np.abs(off))
    own = factor[is_nvidia]
    return {
        "left_out": name,
        "groups": n_groups,
        "points": len(factor),
        "median": _rounded(np.median(factor)),
        "p90": _rounded(np.quantile(factor, 0.9)),
        "within_2": _rounded(np.mean(factor <= 2)),
        "nvidia_p90": _rounded(np.quantile(own, 0.9)) if len(own) else 0.0,
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


def rivals(some: Points) -> list[tuple[str, np.ndarray]]:
    """Simpler ways to say how long it takes, each fitted without the card that it is asked for."""
    _, operations, computed, moved, weights, _, _ = np.log(np.maximum(some.base, 1e-12))
    one = np.ones_like(computed)
    inputs = {
        "operations over peak": (computed[None], one[None]),
        "bytes over bandwidth": (moved[None], one[None]),
        "a straight line of logarithms": (
            np.zeros((1, len(one))),
            np.stack([one, operations, computed, moved, weights]),
        ),
    }
    names = np.array([case.card.name for case in some.cases])
    found = []
    for title, (given, fitted) in inputs.items():
        off = np.empty(len(one))
        target = some.log_seconds - given[0]
        for name in np.unique(names):
            is_out = names == name
            root = np.sqrt(some.weight[~is_out])
            slope = np.linalg.lstsq((fitted[:, ~is_out] * root).T, target[~is_out] * root, rcond=None)[0]
            off[is_out] = target[is_out] - slope @ fitted[:, is_out]
        found.append((title, off))
    return found


def ranges(some: Points, terms: Terms, hull: Hull, left_out: LeftOut) -> dict[str, Range]:
    """Between which factors measured over estimated lies, and how many points of sources left out it held.

    Of NVIDIA's and AMD's cards the factors are quantiles where card or source were left out, counted in as for a source
    unseen: by the factors that the other sources give.
    """
    found = {}
    for name in ("nvidia", "amd"):
        chosen = _decided(some, terms, name)
        low, high = bounds(np.concatenate([left_out.by_group[group][chosen] for group in ("card", "source")]))
        n, inside = covered(some, terms, left_out, name, "source")
        found[name] = Range(low=low, high=high, n=n, inside=inside)
    by_source = left_out.by_group["source"][_decided(some, terms, "keras")]
    found["keras"] = Range(
        low=KERAS_LOW, high=KERAS_HIGH, n=len(by_source), inside=_inside(by_source, KERAS_LOW, KERAS_HIGH)
    )
    small = launched(terms, hull, found)
    inside = sum(answer.low <= (row.seconds or 0.0) <= answer.high for row, answer in small)
    found["launching"] = Range(low=formula.LAUNCH_LOW, high=formula.LAUNCH_HIGH, n=len(small), inside=inside)
    return found


def _decided(some: Points, terms: Terms, name: str) -> np.ndarray:
    """Which points the GPU decides and this range is for."""
    host, arithmetic, traffic = formula.parts(some.base, terms)
    is_mine = np.array([formula.range_name(case) == name for case in some.cases])
    chosen: np.ndarray = is_mine & (host <= arithmetic + traffic)
    return chosen


def bounds(off: np.ndarray) -> tuple[float, float]:
    """The factors between which the wanted share of residuals lies, rounded outwards."""
    low, high = np.exp(np.quantile(off, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]))
    return round(float(np.floor(low / STEP) * STEP), 2), round(float(np.ceil(high / STEP) * STEP), 2)


def _inside(off: np.ndarray, low: float, high: float) -> int:
    return int(((off >= np.log(low)) & (off <= np.log(high))).sum())


def launched(terms: Terms, hull: Hull, known: Mapping[str, Range]) -> list[tuple[rows.Row, Estimate]]:
    """Steps of small networks in memory under Keras on TensorFlow, from notebooks with long epochs."""
    given = formula.Constants(terms=terms, ranges=dict(known), hull=hull, counts={}, held_out=(), versions={})
    chosen = [
        row
        for row in rows.notebooks()
        if row.input_from == "memory" and (row.steps_per_epoch or STEADY_STEPS) >= STEADY_STEPS
    ]
    asked = [formula.case_of_row(row, networks.published()[row.network], cards.cards()[row.card]) for row in chosen]
    answers = zip(chosen, formula.estimates(asked, given), strict=True)
    return [(row, answer) for row, answer in answers if answer.kind == "launching"]


def covered(some: Points, terms: Terms, left_out: LeftOut, name: str, group: str) -> tuple[int, int]:
    """How many points a range is for, and how many lie in the one that the other groups' residuals give."""
    chosen = _decided(some, terms, name)
    names = np.array([GROUPS[group](case, row) for case, row in zip(some.cases, some.rows, strict=True)])
    off, inside = left_out.by_group[group], 0
    for one in np.unique(names[chosen]):
        is_out = chosen & (names == one)
        inside += _inside(off[is_out], *bounds(off[chosen & ~is_out]))
    return int(chosen.sum()), inside
