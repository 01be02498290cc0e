"""The batches that fit a card's memory."""

from __future__ import annotations

import math
from typing import NamedTuple

from bench.report.estimates.formula import WEIGHT_BYTES, number_bytes
from bench.report.estimates.networks import Network
from bench.report.estimates.rows import Precision
from bench.report.published.cards import Card

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
    room = card.memory - CONTEXT_BYTES - WEIGHT_COPIES * WEIGHT_BYTES * (network.parameters or 0.0)
    sample = number_bytes(precision) * (network.activations or 0.0)
    return Fits(*(power_of_two(room / (sample * kept)) for kept in (KEPT_MOST, KEPT_LEAST)))


def power_of_two(n: float) -> int:
    """The largest power of two up to a number; 0 below 1."""
    return 2 ** int(math.log2(n)) if n >= 1 else 0
