"""Hierarchical bootstrap: resamples of runs and of steps, widened to their coverage."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec
import numpy as np

from bench.report.stats.estimate import CONFIDENCE_FRAC, MIN_RUNS, Estimate, Unit
from bench.schema import Record

N_RESAMPLES = 1000  # the ends of the interval then rest on 25 resamples each

# Factors by which the ends of an interval move away from its value, on a logarithmic scale, so that it covers 95 %
# where nothing but differences between processes is left, normal on that scale: the least favourable of the cases
# tried. Rounded up; `python -m bench.report.stats.coverage` prints what they cover. By number of processes; more take
# the last.
WIDENING = {5: 1.15, 6: 1.1, 7: 1.5, 8: 1.2, 9: 1.1, 10: 1.2}
# Of a ratio, by the smaller and the larger number of processes; five or more count as five, and need none.
RATIO_WIDENING = {
    (2, 2): 3.3, (2, 3): 2.3, (2, 4): 2.0, (2, 5): 1.9, (3, 3): 1.4, (3, 4): 1.3, (3, 5): 1.2, (4, 4): 1.2, (4, 5): 1.1,
}  # fmt: skip


class Draws(msgspec.Struct, frozen=True):
    """The estimate's raw material: one value, its resamples, and what they rest on."""

    value: float
    resamples: Any  # (N_RESAMPLES,)
    n: int
    n_samples: int
    spread_frac: float


# Resampling.


def seed(*records: Record) -> int:
    """Seed from what a record is, not from what it measured: scaling every time by k scales the interval by k.

    Two sessions' records of one cell get unrelated seeds, since their runs started at other instants.
    """
    names = [f"{record.cell.id} {[(run.index, run.started_at) for run in record.runs]}" for record in records]
    return int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()[:8], "big")


def draws(record: Record, samples: list[list[float]], share: float = 0.5) -> Draws | None:
    """Resamples of a record's samples, seeded by its cell."""
    return draws_of(samples, seed(record), share) if samples else None


def draws_of(samples: list[list[float]], seed: int, share: float = 0.5) -> Draws | None:
    """Median over runs of each run's quantile, and its hierarchical resamples.

    The quantile of a bootstrap sample is an order statistic of m indices drawn uniformly from m, and the k-th smallest
    of m uniform numbers follows Beta(k, m - k + 1) (David and Nagaraja, Order Statistics, 2003, section 2.3). So one
    beta draw per resampled run stands for drawing and sorting its m samples, and the distribution is exactly the same.
    """
    if not samples:
        return None
    n = len(samples)
    if n == len(samples[0]) == 1:  # every resample is the same
        value = float(samples[0][0])
        return Draws(value, np.full(N_RESAMPLES, value), 1, 1, 0.0) if math.isfinite(value) else None
    sizes = np.array([len(sample) for sample in samples])
    table = np.full((n, sizes.max()), np.inf)  # (n runs, largest number of samples)
    for row, sample in zip(table, samples, strict=True):
        row[: len(sample)] = np.sort(sample)
    lower, upper = _ranks(sizes, share)
    rows = np.arange(n)
    by_run = _middle(table[rows, lower - 1], table[rows, upper - 1])
    value = float(_median(by_run[None, :])[0])
    if not math.isfinite(value):
        return None

    rng = np.random.default_rng(seed)
    runs = rng.integers(n, size=(N_RESAMPLES, n))
    m, k, twin = sizes[runs], lower[runs], (upper != lower)[runs]
    if sizes.max() == 1:
        picked = table[runs, 0]
    else:
        uniform = rng.beta(k, m - k + 1)  # (resamples, n runs): the k-th smallest of m uniform numbers
        picked = table[runs, _index(uniform, m)]
        if twin.any():
            # Given the k-th, the next is the smallest of the m - k uniform numbers above it.
            above = 1 - rng.random(uniform.shape) ** (1 / np.maximum(m - k, 1))
            following = table[runs, _index(uniform + (1 - uniform) * above, m)]
            picked = np.where(twin, _middle(picked, following), picked)
    if n > 1:
        finite = by_run[np.isfinite(by_run)]
        spread = float(finite.max() - finite.min()) if len(finite) == n else math.inf
    else:
        spread = _quantile(table[0], 0.75) - _quantile(table[0], 0.25)
    spread_frac = spread / abs(value) if value else 0.0
    return Draws(value, _median(picked), n, int(sizes.sum()), spread_frac)


def _quantile(ordered: Any, share: float) -> float:
    """Quantile of sorted samples, between two of them as NumPy's own, which takes as long as all the resampling."""
    at = share * (len(ordered) - 1)
    lower = math.floor(at)
    low, high = float(ordered[lower]), float(ordered[min(lower + 1, len(ordered) - 1)])
    beyond = at - lower
    return low + (high - low) * beyond if beyond < 0.5 else high - (high - low) * (1 - beyond)


def _ranks(sizes: Any, share: float) -> tuple[Any, Any]:
    """Ranks, from 1, of the one or two order statistics that a quantile is the mean of; two for even medians only."""
    if share == 0.5:
        return (sizes + 1) // 2, sizes // 2 + 1
    rank = np.clip(np.ceil(share * sizes).astype(int), 1, sizes)
    return rank, rank


def _index(uniform: Any, m: Any) -> Any:
    return np.minimum((uniform * m).astype(int), m - 1)


def _middle(a: Any, b: Any) -> Any:
    return np.where(a == b, a, (a + b) / 2)


def _median(values: Any) -> Any:
    """Median along the last axis; infinities allowed."""
    n = values.shape[-1]
    if n == 1:
        return values[..., 0]
    ordered = np.sort(values, axis=-1)
    return _middle(ordered[..., (n - 1) // 2], ordered[..., n // 2])


def ends(resamples: Any) -> tuple[float, float]:
    """The two order statistics that cut off equal tails: no interpolation, so that monotone maps keep them."""
    ordered = np.sort(resamples)
    cut = int((1 - CONFIDENCE_FRAC) / 2 * len(ordered))
    return float(ordered[cut]), float(ordered[-1 - cut])


def _widening(n: int) -> float:
    """Factor for an estimate of n processes."""
    return WIDENING.get(min(n, max(WIDENING)), 1.0)


def ratio_widening(n: int, m: int) -> float:
    """Factor for a ratio of two estimates of n and m processes."""
    return RATIO_WIDENING.get((min(n, m, MIN_RUNS), min(max(n, m), MIN_RUNS)), 1.0)


def _widened(value: float, ends: tuple[float, float], factor: float) -> tuple[float, float]:
    """An interval's ends moved away from its value by a factor, on a logarithmic scale; they always hold the value."""
    low, high = min(ends[0], value), max(ends[1], value)
    if factor == 1 or low <= 0:
        return low, high
    return value * (low / value) ** factor, value * (high / value) ** factor


def to_estimate(draws: Draws | None, unit: Unit) -> Estimate | None:
    """Estimate with its widened interval, in that unit."""
    if draws is None:
        return None
    low, high = _widened(draws.value, ends(draws.resamples), _widening(draws.n))
    return Estimate(
        value=draws.value,
        low=low,
        high=high,
        n=draws.n,
        n_samples=draws.n_samples,
        unit=unit,
        spread_frac=draws.spread_frac,
    )


def ratio_of(a: Draws, b: Draws) -> Estimate:
    """Ratio of two medians, by pairs of resamples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(a.resamples) - np.log(b.resamples)
    logs = logs[~np.isnan(logs)]  # infinite over infinite: both resamples hold only runs that missed the target
    value = a.value / b.value
    low, high = _widened(value, ends(np.exp(logs)), ratio_widening(a.n, b.n))
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=min(a.n, b.n),
        n_samples=a.n_samples + b.n_samples,
        unit="ratio",
        spread_frac=max(a.spread_frac, b.spread_frac),
    )
