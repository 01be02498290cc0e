"""Prices of cards and of rented hours, and when buying pays."""

from __future__ import annotations

import re

from bench.report.published import figures as published
from bench.report.stats import format as fmt

# What the form shows first, by row id; the reader chooses others or types.
FIRST_CARD = "gpu-geforce-rtx-3060-12-gb-launch-price"
FIRST_RENT = "openrelay-rtx3090-2026-09"
DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


# Prices.


def cards() -> tuple[published.Figure, ...]:
    """Published launch prices of cards."""
    return tuple(f for f in published.figures().values() if f.metric == "launch_price" and f.unit == "USD")


def rents() -> tuple[published.Figure, ...]:
    """Published prices of one rented GPU for an hour, newest first; without those whose date is no date."""
    found = [
        f
        for f in published.figures().values()
        if f.unit in ("USD/GPU-hour", "USD/hour") and f.hardware.startswith("1x") and DAY.fullmatch(f.date)
    ]
    return tuple(sorted(found, key=lambda f: (f.date[:4], -float(f.value)), reverse=True))


def break_even_hours(
    price: float, rent_per_h: float, *, resale: float = 0.0, watts: float = 0.0, price_per_kwh: float = 0.0
) -> float | None:
    """Rented hours that cost as much as a card of one's own; None where an own hour costs as much as a rented one."""
    saved_per_h = rent_per_h - watts / 1000 * price_per_kwh
    return max(price - resale, 0.0) / saved_per_h if saved_per_h > 0 else None


def worked_break_even() -> tuple[str, tuple[published.Figure, published.Figure]]:
    """The form's first pair worked out, in plain text, and the two rows it rests on."""
    card, rent = published.lookup(FIRST_CARD), published.lookup(FIRST_RENT)
    hours = break_even_hours(float(card.value), float(rent.value))
    assert hours is not None, "an hour of one's own costs nothing here"
    return f"{card.value} / {rent.value} = {fmt.count(round(hours))} hours", (card, rent)


def card_words(figure: published.Figure) -> str:
    """A card's price in words."""
    return f"{figure.subject}: {figure.value} ({figure.date})"


def rent_words(figure: published.Figure) -> str:
    """A rented hour's price in words."""
    return f"{figure.hardware.removeprefix('1x ')}, {figure.subject}: {float(figure.value):g} ({figure.date})"
