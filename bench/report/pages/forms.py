"""What the calculators of the guides start from: rates, prices, memory by batch.

The page holds every number as a data attribute, taken from records or from published rows; the script
docs/assets/js/calculators.js only multiplies and divides what stands there and what the reader types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bench.report import templates
from bench.report.evidence import thresholds, waits
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.waits import PATIENCE, TOO_LONG
from bench.report.prose import problem
from bench.report.prose.source import PageError
from bench.report.published import figures as published
from bench.report.published import freshness, prices
from bench.report.published.prices import FIRST_CARD, FIRST_RENT
from bench.report.templates import join

if TYPE_CHECKING:
    from bench.report.pages.calls import Voice

FORMS = templates.macros("calculator.html.j2")


def calculator(voice: Voice, kind: str) -> Markup:
    """A form that works with a page's numbers; shown by its script, and nothing without records.

    Raises:
        PageError: no such form.
    """
    if kind not in problem.CALCULATORS:
        raise PageError(f"unknown calculator {kind!r}; expected {' or '.join(problem.CALCULATORS)}")
    if kind == "how-long":
        return how_long(voice.evidence)
    for figure in (*prices.cards(), *prices.rents()):
        voice.site.used.figures[figure.id] = figure
        voice.figures.add(figure.id)
    words, rows = prices.worked_break_even()
    return buy_or_rent(words, join((voice.published(row.id) for row in rows), " and "))


def how_long(evidence: Evidence) -> Markup:
    """Form that asks for model, samples and epochs; empty where nothing was measured."""
    models = [
        {
            "value": rate.workload,
            "text": rate.title,
            "data": [
                ("rate", repr(rate.rate.value)),
                ("low", repr(rate.rate.low)),
                ("high", repr(rate.rate.high)),
                ("n", rate.rate.n),
                ("start", _exact(rate.start_s)),
                ("noun", rate.noun),
                ("arm", rate.arm),
            ],
        }
        for rate in waits.rates(evidence)
    ]
    if not models:
        return Markup("")
    limits = " ".join(f"{word}={limit_s:g}" for word, limit_s in PATIENCE).replace("coffee break", "coffee-break")
    return FORMS.how_long(models, thresholds.COURSE_SAMPLES, limits, TOO_LONG)


def buy_or_rent(worked: str, sources: Markup) -> Markup:
    """Form that asks for prices, with published ones to start from, and the first pair worked out below it."""
    return FORMS.buy_or_rent(
        _priced(prices.cards(), prices.card_words),
        _priced(prices.rents(), prices.rent_words),
        card=published.lookup(FIRST_CARD),
        rent=published.lookup(FIRST_RENT),
        old_days=freshness.PRICE_OLD_AT_DAYS - 1,
        worked=worked,
        sources=sources,
    )


def _priced(rows: Iterable[published.Figure], words: Callable[[published.Figure], str]) -> list[dict[str, Any]]:
    return [{"value": f.id, "text": words(f), "data": [("price", f.value), ("date", f.date)]} for f in rows]


def _exact(value: float | str) -> str:
    return repr(value) if isinstance(value, float) else str(value)
