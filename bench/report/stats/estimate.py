"""An estimate with its interval, and how two compare or divide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

CONFIDENCE_FRAC = 0.95
SPREAD_LIMIT_FRAC = 0.10  # runs that differ by more of their median are warned about; pyperf warns at the same share
MIN_RUNS = 5  # the smallest number of runs whose range covers the median with about 95 %
Z_95 = 1.959963984540054  # standard normal quantile at 0.975

Unit = Literal["s", "samples_per_s", "flop_per_s", "bytes_per_s", "per_s", "ratio", "bytes", "frac", "count", "j"]
Order = Literal["faster", "slower", "overlaps"]
T = TypeVar("T")
TIMED_UNITS = ("s", "samples_per_s", "flop_per_s")  # of two values in one of these, one is the faster


class ComparisonError(ValueError):
    """Two results that must not meet in one ratio; the message names both and says why."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval.

    ``n`` counts processes, ``n_samples`` the blocks (or single values) in them. ``spread_frac`` is the distance
    between the smallest and the largest process median as a share of the value; with one process, the
    interquartile range of its samples.
    """

    value: float
    low: float
    high: float
    n: int
    n_samples: int
    unit: Unit
    spread_frac: float

    @property
    def is_noisy(self) -> bool:
        """Whether the spread is above the limit from which it is said in words."""
        return self.spread_frac > SPREAD_LIMIT_FRAC


def compare(first: Estimate, second: Estimate) -> Order:
    """Whether the first is faster or slower than the second, or cannot be told apart because intervals overlap.

    Raises:
        ComparisonError: the units differ, or have no notion of fast.
    """
    if first.unit != second.unit:
        raise ComparisonError(f"cannot compare {first.unit} with {second.unit}")
    if first.unit not in TIMED_UNITS:
        raise ComparisonError(f"neither of two values in {first.unit} is faster")
    if first.low <= second.high and second.low <= first.high:
        return "overlaps"
    return "faster" if (first.value > second.value) == (first.unit != "s") else "slower"


def side(estimate: Estimate) -> Order:
    """Where a speed-up stands against 1: "overlaps" when its interval contains 1.

    Raises:
        ComparisonError: not a ratio.
    """
    if estimate.unit != "ratio":
        raise ComparisonError(f"expected a ratio, got a value in {estimate.unit}")
    if estimate.low <= 1 <= estimate.high:
        return "overlaps"
    return "faster" if estimate.low > 1 else "slower"


def ranks(items: Sequence[T | None], order: Callable[[Any, Any], Order] = compare) -> tuple[int | None, ...]:
    """Place of each item, in the order given: 1 plus the number of those that are certainly better.

    "Certainly better" means that the whole interval lies on the better side (``compare``), so equals share a place
    and the place after them is skipped, as in sport: 1, 1, 3. Overlap does not carry over: of three, the first and
    the last may be apart while the middle one overlaps both; the middle one then has place 1, too. The order in which
    items are given never changes a place. None has no place.

    Args:
        order: how the first of two stands to the second; of estimates, which are the usual items, ``compare``.

    Raises:
        ComparisonError: the units differ, or have no notion of fast.
    """
    measured = [item for item in items if item is not None]
    return tuple(None if own is None else 1 + sum(order(other, own) == "faster" for other in measured) for own in items)


def share(hits: int, n: int) -> Estimate:
    """Share of ``hits`` among ``n`` with Wilson's 95 % score interval.

    Source: Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion, Statistical Science 16 (2001).
    A bootstrap would call five of five certain; this interval does not.
    """
    p, z = hits / n, Z_95
    whole = 2 * (n + z**2)
    center, reach = (2 * n * p + z**2) / whole, z / whole * math.sqrt(4 * n * p * (1 - p) + z**2)
    return Estimate(
        value=p,
        low=center - reach if hits else 0.0,
        high=center + reach if hits < n else 1.0,
        n=n,
        n_samples=n,
        unit="frac",
        spread_frac=0.0,
    )


def attainable_coverage(n: int) -> float:
    """Largest probability with which the range of ``n`` independent runs covers the true median: 1 - 2 x (1/2)^n."""
    return 1 - 2 * 0.5**n


def quotient(first: Estimate | None, second: Estimate | None, unit: Unit = "ratio") -> Estimate | None:
    """Ratio of two estimates of different things; the interval spans the ends of both, so it is rather too wide."""
    return None if first is None or second is None or second.low <= 0 else over(first, second, unit)


def over(first: Estimate, second: Estimate, unit: Unit = "ratio") -> Estimate:
    """Ratio of two estimates of different things, which are positive; see ``quotient``."""
    return Estimate(
        value=first.value / second.value,
        low=first.low / second.high,
        high=first.high / second.low,
        n=min(first.n, second.n),
        n_samples=min(first.n_samples, second.n_samples),
        unit=unit,
        spread_frac=max(first.spread_frac, second.spread_frac),
    )


def inverse(ratio: Estimate) -> Estimate:
    """The other way round."""
    return msgspec.structs.replace(ratio, value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)


def times(estimate: Estimate, factor: float, unit: Unit | None = None) -> Estimate:
    """An estimate times a known number."""
    return mapped(estimate, lambda value: value * factor, unit)


def mapped(estimate: Estimate, change: Callable[[float], float], unit: Unit | None = None) -> Estimate:
    """An estimate after a monotonic change of its value and ends."""
    value, low, high = map(change, (estimate.value, estimate.low, estimate.high))
    return msgspec.structs.replace(estimate, value=value, low=low, high=high, unit=unit or estimate.unit)


def single(value: float, unit: Unit, n: int) -> Estimate:
    """An estimate without an interval."""
    return Estimate(value=value, low=value, high=value, n=n, n_samples=n, unit=unit, spread_frac=0.0)
