"""A whole training on a card: what fits its memory, and what a rented one costs."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from bench.report.estimates.formula import HALF, Estimate
from bench.report.estimates.networks import Network
from bench.report.estimates.rows import Precision
from bench.report.published import cards, prices
from bench.report.published.cards import Card
from bench.report.published.figures import Figure
from bench.report.published.strict import PublishedError

# Memory that a sample takes, over what its counted activations take: normalisation, activation functions and gradients
# come on top. 98 % of the trainings in measured.csv ran on cards that leave this much; more would not have fitted.
KEPT_LEAST = 2.0
# What our own records have at most under TensorFlow, read on a CPU at two batches (bench/report/evidence/memory.py).
KEPT_MOST = 3.8
# Of each weight: itself, its gradient, and the two numbers of Adam.
WEIGHT_COPIES = 4
# The driver's context and the workspace of convolutions, in bytes; our records have 0.5 to 1 GB beyond the weights.
CONTEXT_BYTES = 1e9


class Fits(NamedTuple):
    """Largest batches, powers of two; 0 where not even one sample fits."""

    surely: int
    perhaps: int


def largest_batch(network: Network, card: Card, precision: Precision = "fp32") -> Fits | None:
    """The batches that fit a card's memory; None where memory or network are not known."""
    if not card.memory or not network.is_counted:
        return None
    room = card.memory - CONTEXT_BYTES - WEIGHT_COPIES * 4 * (network.parameters or 0.0)
    sample = (2 if precision in HALF else 4) * (network.activations or 0.0)
    return Fits(*(_power_of_two(room / (sample * kept)) for kept in (KEPT_MOST, KEPT_LEAST)))


def _power_of_two(n: float) -> int:
    return 2 ** int(math.log2(n)) if n >= 1 else 0


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


def costs(answer: Estimate, n_steps: float, card: Card) -> tuple[Cost, ...]:
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
