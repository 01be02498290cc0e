"""The number of steps from which a device with the longer start overtakes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec
import numpy as np

from bench.report.stats import bootstrap, quantities
from bench.schema import Record


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ratio passes 1 for good, among the sizes measured.

    ``size`` is what ``break_even`` says of the ratios themselves. The truth lies above ``low`` and at or below
    ``high`` in 95 %; ``low`` is 0 where it may be below the smallest size, ``high`` infinite where it may be above
    the largest.
    """

    size: float | None
    low: float
    high: float


def break_even(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Smallest size from which the GPU stays ahead, or None if it never does.

    Both arguments have shape (n,); sizes ascend. "Ahead" means a ratio above 1 at that size and at every larger one
    measured.

    Raises:
        ValueError: the lengths differ or sizes do not ascend.
    """
    if len(sizes) != len(ratios):
        raise ValueError(f"{len(sizes)} sizes for {len(ratios)} ratios")
    if any(later <= earlier for earlier, later in itertools.pairwise(sizes)):
        raise ValueError(f"sizes must ascend, got {tuple(sizes)}")
    start = None
    for size, value in zip(reversed(sizes), reversed(ratios), strict=True):
        if not value > 1:
            break
        start = size
    return start


def break_even_interval(sizes: Sequence[float], pairs: Sequence[tuple[Record, Record]]) -> BreakEven | None:
    """From where on the first record of each pair stays ahead in throughput, and between which sizes the truth lies.

    Each size's ratio is resampled on its own, and every resample of the curve has its own break-even. The low end
    is the size measured before it, because the crossing itself lies between two sizes.

    Args:
        sizes: shape (n,), ascending.
        pairs: of each size the record that may be ahead and the one it is compared with.

    Raises:
        ComparisonError: two records of a pair mean different things.
        ValueError: the lengths differ, or sizes do not ascend.
    """
    if len(sizes) != len(pairs):
        raise ValueError(f"{len(sizes)} sizes for {len(pairs)} pairs")
    drawn = []
    for first, second in pairs:
        quantities.check_comparable(first, second)
        a, b = quantities.throughput.draws(first), quantities.throughput.draws(second)
        if a is not None and b is not None:
            drawn.append((a, b))
    return of_draws(sizes, drawn) if drawn and len(drawn) == len(pairs) else None


def of_draws(sizes: Sequence[float], pairs: Sequence[tuple[bootstrap.Draws, bootstrap.Draws]]) -> BreakEven:
    """The same from resamples of the two sides of each size."""
    curves = []
    for a, b in pairs:
        value = math.log(a.value / b.value)
        logs = np.log(a.resamples) - np.log(b.resamples)
        curves.append((value, value + bootstrap.ratio_widening(a.n, b.n) * (logs - value)))
    size = break_even(sizes, [math.exp(value) for value, _ in curves])
    ahead = np.stack([logs for _, logs in curves]) > 0  # (n sizes, resamples)
    # Of each resample, the number of sizes before the first from which it is ahead for good.
    n_behind = len(sizes) - np.cumprod(ahead[::-1], axis=0).sum(axis=0)
    low, high = (int(end) for end in bootstrap.ends_of(n_behind))
    now = len(sizes) if size is None else list(sizes).index(size)
    low, high = min(low, now), max(high, now)
    return BreakEven(size=size, low=sizes[low - 1] if low else 0.0, high=sizes[high] if high < len(sizes) else math.inf)
