"""What the calculators of the guides start from: rates, prices, memory by batch. Pure: evidence in, values, HTML out.

The page holds every number as a data attribute, taken from records or from published rows; the script
docs/assets/js/calculators.js only multiplies and divides what stands there and what the reader types.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from bench.report.evidence import thresholds, waits
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.waits import PATIENCE, TOO_LONG
from bench.report.published import figures as published
from bench.report.published import freshness, prices
from bench.report.published.prices import FIRST_CARD, FIRST_RENT

# Forms. Hidden until the script shows them: without it they could do nothing.


def how_long(evidence: Evidence) -> str:
    """Form that asks for model, samples and epochs; empty where nothing was measured."""
    known = waits.rates(evidence)
    if not known:
        return ""
    options = "".join(
        _option(
            rate.workload,
            rate.title,
            {
                "rate": rate.rate.value,
                "low": rate.rate.low,
                "high": rate.rate.high,
                "n": rate.rate.n,
                "start": rate.start_s,
                "noun": rate.noun,
                "arm": rate.arm,
            },
        )
        for rate in known
    )
    limits = " ".join(f"{word}={limit_s:g}" for word, limit_s in PATIENCE).replace("coffee break", "coffee-break")
    fields = (
        _label("Model", f'<select name="case">{options}</select>'),
        _label("Samples", _number("samples", str(thresholds.COURSE_SAMPLES), low=1)),
        _label("Epochs", _number("epochs", "1", low=1)),
    )
    return _form("how-long", "How long will it take?", fields, {"limits": limits, "too-long": TOO_LONG})


def buy_or_rent() -> str:
    """Form that asks for prices, with published ones to start from, and the first pair worked out below it."""
    chosen = {"card": published.lookup(FIRST_CARD), "rent": published.lookup(FIRST_RENT)}
    selects = {}
    for name, rows, words in (("card", prices.cards(), prices.card_words), ("rent", prices.rents(), prices.rent_words)):
        selects[name] = "".join(
            _option(f.id, words(f), {"price": f.value, "date": f.date}, chosen=f.id == chosen[name].id) for f in rows
        )
    fields = (
        _label("Card, published price", f'<select name="card">{selects["card"]}</select>'),
        _label("Price of the card", _number("price", chosen["card"].value)),
        _label("You sell it later for", _number("resale", "0")),
        _label("Rent, published price", f'<select name="rent">{selects["rent"]}</select>'),
        _label("Rent of an hour", _number("hourly", chosen["rent"].value)),
        _label("Watts under load", _number("watts", "", hint="not counted")),
        _label("Price of a kWh", _number("kwh", "", hint="not counted")),
        _label("Hours you use a week", _number("weekly", "", hint="your own")),
    )
    return _form("buy-or-rent", "Buy or rent?", fields, {"old-days": freshness.PRICE_OLD_AT_DAYS - 1})


def _attributes(data: dict[str, object]) -> str:
    return "".join(
        f' data-{name}="{html.escape(repr(value) if isinstance(value, float) else str(value), quote=True)}"'
        for name, value in data.items()
    )


def _option(value: str, text: str, data: dict[str, object], *, chosen: bool = False) -> str:
    mark = " selected" if chosen else ""
    return f'<option value="{html.escape(value, quote=True)}"{mark}{_attributes(data)}>{html.escape(text)}</option>'


def _number(name: str, value: str, *, low: int = 0, hint: str = "") -> str:
    shown = f' placeholder="{html.escape(hint, quote=True)}"' if hint else ""
    return f'<input type="number" name="{name}" value="{html.escape(value, quote=True)}" min="{low}" step="any"{shown}>'


def _label(title: str, control: str) -> str:
    return f"<label>{html.escape(title)}{control}</label>"


def _form(kind: str, title: str, fields: Iterable[str], data: dict[str, object]) -> str:
    return (
        f'<form class="calculator" data-calculator="{kind}" aria-label="{html.escape(title, quote=True)}"'
        f"{_attributes(data)} hidden>{''.join(fields)}"
        '<output aria-live="polite"></output></form>'
    )
