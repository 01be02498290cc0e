"""Cases from published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.report.claims.case import Case, published_case
from bench.report.claims.cases.names import maker
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.published.figures import Figure
from bench.report.stats import format as fmt


@maker
def rows(evidence: Evidence, *, rows: Sequence[str]) -> list[Case]:
    """The published figures themselves."""
    figures = map(published.lookup, rows)
    return [published_case(figure.what, float(figure.value), figure.text, figure) for figure in figures]


@maker
def row_ratios(evidence: Evidence, *, pairs: Mapping[str, tuple[str, str]], ideal: float = 0.0) -> list[Case]:
    """One published figure over another, by name; as a share of ``ideal`` where it is given."""
    return [_ratio(name, *map(published.lookup, pair), ideal=ideal) for name, pair in pairs.items()]


@maker
def row_shares(evidence: Evidence, *, wholes: Mapping[str, float]) -> list[Case]:
    """Published figures as shares of what each would be at most."""
    figures = {published.lookup(row): whole for row, whole in wholes.items()}
    return [
        published_case(figure.subject, float(figure.value) / whole, figure.text, figure)
        for figure, whole in figures.items()
    ]


@maker
def over_lowest(evidence: Evidence, *, offer: str) -> list[Case]:
    """Each published price of one and the same thing over the lowest of them, by provider."""
    lowest, *others = sorted(published.offers(offer), key=lambda figure: float(figure.value))
    return [_ratio(figure.subject, figure, lowest) for figure in others]


def _ratio(name: str, first: Figure, second: Figure, *, ideal: float = 0.0) -> Case:
    value = float(first.value) / float(second.value) / (ideal or 1.0)
    share = f"{fmt.percent(value)} of the ideal gain" if ideal else fmt.ratio(value)
    return published_case(name, value, f"{first.text} against {second.text}, {share}", first, second)
