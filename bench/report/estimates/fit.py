"""The constants of the formula, from the published rows: soft-L1 on the logarithm of the time.

Every source's rows on one card weigh as the root of their number, so that one long table does not decide.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from bench.report.estimates import formula, networks, rows
from bench.report.estimates.formula import SIZES, Case, Constants, Hull, Terms
from bench.report.estimates.rows import Row
from bench.report.published import cards

# Residuals of the logarithm above this count by their size and no longer by its square.
SOFT = 0.3
START = Terms(launch=2e-3, launch_each=2e-4, yearly=1.0, arithmetic=1.5, memory=35.0, amd=1.0)
ROUNDS = 100
DIGITS = 6  # of a constant, as it is stored
ALL_THE_SAME = ("source", "card", "stack", "network", "precision", "batch", "optimizer")


class Points(NamedTuple):
    """What is fitted: a case each, its bases and the logarithm of its seconds."""

    cases: tuple[Case, ...]
    rows: tuple[Row, ...]  # the first of the repeats that a point stands for
    base: np.ndarray
    log_seconds: np.ndarray
    weight: np.ndarray

    def only(self, chosen: np.ndarray) -> Points:
        """Some of the points."""
        return Points(
            tuple(case for case, is_in in zip(self.cases, chosen, strict=True) if is_in),
            tuple(row for row, is_in in zip(self.rows, chosen, strict=True) if is_in),
            self.base[:, chosen],
            self.log_seconds[chosen],
            self.weight[chosen],
        )


def points(measured: Sequence[Row]) -> Points:
    """The rows that the formula is for, repeats of one measurement merged into their median."""
    known = networks.published()
    groups: dict[tuple[object, ...], list[tuple[Row, float]]] = {}
    for row in measured:
        network, card = known[row.network], cards.cards()[row.card]
        if row.seconds is None or row.left_out or not network.is_counted or not _is_fitted(network.family, card):
            continue
        groups.setdefault(tuple(getattr(row, name) for name in ALL_THE_SAME), []).append((row, row.seconds))
    first = tuple(group[0][0] for group in groups.values())
    cases = tuple(formula.case_of_row(row, known[row.network], cards.cards()[row.card]) for row in first)
    seconds = [np.median(np.log([seconds for _, seconds in group])) for group in groups.values()]
    sizes = Counter((row.source, row.card) for row in first)
    weight = np.array([sizes[row.source, row.card] ** -0.5 for row in first])
    return Points(cases, first, formula.bases(cases), np.array(seconds), weight)


def _is_fitted(family: str, card: cards.Card) -> bool:
    known_maker = card.vendor in ("NVIDIA", "AMD") and card.architecture != "Kepler"
    return family in formula.FITTED_FAMILIES and known_maker and bool(card.fp32 and card.bandwidth)


def log_estimates(base: np.ndarray, terms: Terms) -> np.ndarray:
    """Logarithm of the estimated seconds."""
    return np.log(sum(formula.parts(base, terms)))


def solve(some: Points) -> Terms:
    """The terms with the smallest loss: Gauss-Newton on the terms' logarithms, damped, reweighted for the soft loss.

    A term that no point tells anything of, AMD's factor without a card of AMD's, stays where it starts.
    """
    theta = np.log([getattr(START, name) for name in Terms.__struct_fields__])
    residual, slopes = _linear(some, theta)
    loss, damping = _loss(some, residual), 1e-3
    for _ in range(ROUNDS):
        weight = some.weight / np.sqrt(1 + (residual / SOFT) ** 2)
        normal = (slopes * weight) @ slopes.T
        downhill = -(slopes * weight) @ residual
        damped = normal + np.diag(damping * np.diag(normal) + 1e-12)
        trial = theta + np.clip(np.linalg.solve(damped, downhill), -1, 1)
        new_residual, new_slopes = _linear(some, trial)
        new_loss = _loss(some, new_residual)
        if new_loss > loss:
            damping *= 8
            if damping > 1e8:
                break
            continue
        gain = loss - new_loss
        theta, residual, slopes, loss = trial, new_residual, new_slopes, new_loss
        damping = max(damping / 10, 1e-9)
        if gain < 1e-13 * loss:
            break
    return Terms(**dict(zip(Terms.__struct_fields__, np.exp(theta).tolist(), strict=True)))


def _loss(some: Points, residual: np.ndarray) -> float:
    return float((some.weight * (np.sqrt(1 + (residual / SOFT) ** 2) - 1)).sum())


def _linear(some: Points, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals, and their slopes by the logarithm of each term, one row a term."""
    terms = Terms(**dict(zip(Terms.__struct_fields__, np.exp(theta), strict=True)))
    host, arithmetic, traffic = formula.parts(some.base, terms)
    one, _, _, moved, weights, year, is_amd = some.base
    total = host + arithmetic + traffic
    first = terms.launch * one * terms.yearly**year
    activations = traffic * (terms.memory * moved / (terms.memory * moved + weights))
    by_term = np.stack([first, host - first, host * year, -arithmetic, activations, -(arithmetic + traffic) * is_amd])
    return np.log(total) - some.log_seconds, by_term / total


def rounded(terms: Terms) -> Terms:
    """Terms as they are stored."""
    return Terms(**{name: float(f"{getattr(terms, name):.{DIGITS}g}") for name in Terms.__struct_fields__})


def hull_of(some: Points) -> Hull:
    """What the points have seen."""
    fitted = [case.card for case in some.cases]
    peaks, widths = [card.fp32 or 0.0 for card in fitted], [card.bandwidth or 0.0 for card in fitted]
    return Hull(
        peak=(min(peaks), max(peaks)),
        bandwidth=(min(widths), max(widths)),
        **{name: max(getattr(case.network, name) or 0.0 for case in some.cases) for name in SIZES},
    )


def as_text(found: Constants) -> bytes:
    """The constants as they are stored."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def fit() -> Constants:
    """Everything that is committed: terms, ranges, hull, held-out tables, versions."""
    from bench.report.estimates import held_out

    some = points(rows.measured())
    terms, hull = rounded(solve(some)), hull_of(some)
    left_out = held_out.leave_out(some)
    ranges = held_out.ranges(some, terms, hull, left_out)
    return Constants(
        terms=terms,
        ranges=ranges,
        hull=hull,
        counts={
            "points": len(some.cases),
            "cards": len({case.card.name for case in some.cases}),
            "networks": len({case.network.id for case in some.cases}),
            "sources": len({row.source for row in some.rows}),
        },
        held_out=held_out.tables(some, terms, left_out, ranges),
        versions={"numpy": np.__version__, "python": platform.python_version()},
    )
