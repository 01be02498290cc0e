"""A whole training on a card: what a rented one costs. Needs PyYAML, which measuring does without."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from bench.report.estimates.formula import Estimate
from bench.report.published import cards, prices
from bench.report.published.figures import Figure
from bench.report.published.strict import PublishedError


class Cost(NamedTuple):
    """What a job costs at one dated price, in its currency, by the ends of the estimate's range."""

    low: float
    high: float
    price: Figure


@cache
def rents(name: str) -> tuple[Figure, ...]:
    """Dated prices of an hour of one such card, newest first."""
    return tuple(figure for figure in prices.rents() if _card_of(figure.hardware.removeprefix("1x ")) == name)


@cache
def launch_price(name: str) -> Figure | None:
    """What the card cost when it came out, where a source was read."""
    return next((figure for figure in prices.cards() if _card_of(figure.hardware or figure.subject) == name), None)


@cache
def _card_of(text: str) -> str:
    """The card that the hardware of a price is; empty for one that is not in the table."""
    for name in (text, text.rsplit(" ", 1)[0]):
        try:
            return cards.card(name).name
        except PublishedError:
            continue
    return ""


def costs(answer: Estimate, n_steps: float, card: cards.Card) -> tuple[Cost, ...]:
    """What a job of so many steps costs rented, at every dated price; none where the estimate was refused."""
    if answer.kind == "refused":
        return ()
    return tuple(
        Cost(answer.low * n_steps / 3600 * float(price.value), answer.high * n_steps / 3600 * float(price.value), price)
        for price in rents(card.name)
    )


def steps(n_samples: float, batch: float, n_epochs: float = 1.0) -> float:
    """Steps of a job; the last of an epoch may be short."""
    return math.ceil(n_samples / batch) * n_epochs
