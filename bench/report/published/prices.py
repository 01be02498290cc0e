"""Prices of cards and of rented hours."""

from __future__ import annotations

import re

from bench.report.published import figures as published

DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


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
