"""Cases from published figures."""

from __future__ import annotations

from collections.abc import Mapping

from bench.report.claims.case import Case, Part, published_case
from bench.report.claims.cases.names import maker
from bench.report.estimates import pairs
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.stats import format as fmt
from bench.report.stats import spoken


@maker
def rows(evidence: Evidence, *, rows: Mapping[str, str]) -> list[Case]:
    """The published figures themselves, by name."""
    figures = {name: published.lookup(row) for name, row in rows.items()}
    return [
        published_case(name, float(figure.value), figure.text, figure, short=figure.short)
        for name, figure in figures.items()
    ]


@maker
def row_ratios(evidence: Evidence, *, pairs: Mapping[str, tuple[str, str]], ideal: float = 0.0) -> list[Case]:
    """One published figure over another, by name; as a share of ``ideal`` where it is given."""
    return [_ratio(name, *map(published.lookup, pair), ideal=ideal) for name, pair in pairs.items()]


@maker
def row_shares(evidence: Evidence, *, wholes: Mapping[str, float]) -> list[Case]:
    """Published figures as shares of what each would be at most."""
    figures = {published.lookup(row): whole for row, whole in wholes.items()}
    return [
        published_case(figure.subject, float(figure.value) / whole, figure.text, figure, short=figure.short)
        for figure, whole in figures.items()
    ]


@maker
def over_lowest(evidence: Evidence, *, offer: str) -> list[Case]:
    """Each published price of one and the same thing over the lowest of them, by provider."""
    lowest, *others = sorted(published.offers(offer), key=lambda figure: float(figure.value))
    return [_ratio(figure.subject, figure, lowest) for figure in others]


@maker
def same_script(evidence: Evidence, *, most_cpu_ms: float) -> list[Case]:
    """What a GPU gained on networks of which a CPU of the same people ends a step within so many milliseconds."""
    found = []
    for pair in pairs.pairs():
        if pair.cpu_seconds * 1e3 <= most_cpu_ms:
            text = f"{fmt.seconds(pair.cpu_seconds)} against {fmt.seconds(pair.gpu_seconds)}, {fmt.ratio(pair.speedup)}"
            short = spoken.times(pair.speedup)
            part = Part(f"{text} ({pair.source.id})", is_published=True, short=short)
            size = f" (inputs {pair.network.size})" if pair.network.size else ""
            name = f"{pair.network.said}{size}, batch {pair.batch:g}, {pair.card}"
            found.append(Case(name=name, value=pair.speedup, low=pair.speedup, high=pair.speedup, part=part))
    return found


def _ratio(name: str, first: published.Figure, second: published.Figure, *, ideal: float = 0.0) -> Case:
    value = float(first.value) / float(second.value) / (ideal or 1.0)
    share = f"{fmt.percent(value)} of the ideal gain" if ideal else fmt.ratio(value)
    short = share if ideal else spoken.times(value)
    return published_case(name, value, f"{first.text} against {second.text}, {share}", first, second, short=short)
