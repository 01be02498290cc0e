"""Hierarchical bootstrap of runs and of their steps, its interval widened to its coverage.

An estimate's interval is that of all resamples there could be, by the probabilities of order statistics; only of an
even number of runs with several samples each, and of ratios, are resamples drawn.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from bench.report.stats.estimate import CONFIDENCE_FRAC, MIN_RUNS, Estimate, Unit
from bench.schema import Record

N_RESAMPLES = 1000  # where they are drawn; the ends of the interval then rest on 25 each
TAIL_FRAC = (1 - CONFIDENCE_FRAC) / 2
NEVER = 1e-9  # a probability that moves no interval

# Factors by which the ends of an interval move away from its value, on a logarithmic scale, so that it covers 95 %
# where nothing but differences between processes is left, normal on that scale: the least favourable of the cases
# tried. Rounded up; `python -m bench.report.stats.coverage` prints what they cover. By number of processes; more take
# the last.
WIDENING = {5: 1.15, 6: 1.1, 7: 1.5, 8: 1.2, 9: 1.1, 10: 1.2}
# Of a ratio, by the smaller and the larger number of processes; five or more count as five, and need none.
RATIO_WIDENING = {
    (2, 2): 3.3, (2, 3): 2.3, (2, 4): 2.0, (2, 5): 1.9, (3, 3): 1.4, (3, 4): 1.3, (3, 5): 1.2, (4, 4): 1.2, (4, 5): 1.1,
}  # fmt: skip


class Draws(msgspec.Struct, frozen=True, dict=True):
    """The estimate's raw material: one value, the ends of its resamples, what they rest on, and they themselves.

    Only ratios need resamples: they are drawn when first asked for.
    """

    value: float
    ends: tuple[float, float]
    n: int
    n_samples: int
    spread_frac: float
    draw: Callable[[], Any]

    @functools.cached_property
    def resamples(self) -> Any:
        """Of shape (N_RESAMPLES,)."""
        return self.draw()

    def over(self, work: float) -> Draws:
        """Of seconds for so much work: how much of it in a second."""
        low, high = self.ends
        return Draws(
            work / self.value,
            (work / high, work / low),
            self.n,
            self.n_samples,
            self.spread_frac,
            lambda: work / self.resamples,
        )


# Resampling.


def seed(*records: Record) -> int:
    """Seed from what a record is, not from what it measured: scaling every time by k scales the interval by k.

    Two sessions' records of one cell get unrelated seeds, since their runs started at other instants.
    """
    names = [f"{record.cell.id} {[(run.index, run.started_at) for run in record.runs]}" for record in records]
    return int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()[:8], "big")


def draws(record: Record, samples: list[list[float]], share: float = 0.5) -> Draws | None:
    """Resamples of a record's samples, seeded by its cell."""
    return draws_of(samples, functools.partial(seed, record), share)


def draws_of(samples: list[list[float]], seed: int | Callable[[], int], share: float = 0.5) -> Draws | None:
    """Median over runs of each run's quantile, with what its hierarchical resamples would be."""
    if not samples:
        return None
    if len(samples) == len(samples[0]) == 1:  # every resample is the same
        value = float(samples[0][0])
        same = Draws(value, (value, value), 1, 1, 0.0, functools.partial(np.full, N_RESAMPLES, value))
        return same if math.isfinite(value) else None
    n, ordered = len(samples), list(map(sorted, samples))
    ranks = [_ranks(len(run), share) for run in ordered]
    by_run = sorted((run[lower - 1] + run[upper - 1]) / 2 for run, (lower, upper) in zip(ordered, ranks, strict=True))
    value = (by_run[(n - 1) // 2] + by_run[n // 2]) / 2
    if not math.isfinite(value):
        return None
    draw: Callable[[], Any] = functools.partial(_resampled, ordered, ranks, seed)
    n_samples = sum(map(len, ordered))
    if n_samples == n:  # one each: they are resampled as the samples of one run would be
        ends = _exact_ends([by_run], [_ranks(n)], 1)
    elif n % 2:
        ends = _exact_ends(ordered, ranks, n)
    else:
        drawn = draw()
        draw, ends = lambda: drawn, ends_of(drawn)
    spread = by_run[-1] - by_run[0] if n > 1 else _quantile(ordered[0], 0.75) - _quantile(ordered[0], 0.25)
    return Draws(value, ends, n, n_samples, spread / abs(value) if value else 0.0, draw)


def _exact_ends(ordered: list[list[float]], ranks: list[tuple[int, int]], n: int) -> tuple[float, float]:
    """What cuts off equal tails of the median of an odd number of draws, each from a run that is drawn first.

    At most x are the middle ones of n draws with the probability that most of n are; this passes the tail where the
    probability of one passes ``_tail_of_one``.
    """
    tail = _tail_of_one(n)
    if len(ordered) == 1 and ranks[0][0] == ranks[0][1]:
        at = _end_indices(len(ordered[0]), ranks[0][0], tail)
        return float(ordered[0][at[0]]), float(ordered[0][at[1]])
    values, shares = [], []
    for run, (lower, upper) in zip(ordered, ranks, strict=True):
        a, b, share = _order_statistic(len(run), lower, upper)
        found = np.array(run)
        values.append((found[a] + found[b]) / 2)
        shares.append(share)
    joined = values[0] if len(values) == 1 else np.concatenate(values)
    share = shares[0] if len(shares) == 1 else np.concatenate(shares) / len(shares)
    order = joined.argsort()
    low, high = _cut(share[order], tail)
    return float(joined[order[low]]), float(joined[order[high]])


def _cut(share: Any, tail: float) -> tuple[int, int]:
    """Where the values of these probabilities, in order, pass a tail from below and from above."""
    upto = share.cumsum()
    return int(upto.searchsorted(tail, side="right")), int(upto.searchsorted(upto[-1] - tail))


@functools.cache
def _tail_of_one(n: int) -> float:
    """The probability p at which most of n, an odd number, are successes of probability p in 2.5 %."""
    from scipy import special  # a tenth of a second to import

    return float(special.betaincinv((n + 1) // 2, (n + 1) // 2, TAIL_FRAC))


@functools.cache
def _end_indices(m: int, k: int, tail: float) -> tuple[int, int]:
    at, _, share = _order_statistic(m, k, k)
    low, high = _cut(share, tail)
    return int(at[low]), int(at[high])


@functools.cache
def _order_statistic(m: int, k: int, next_k: int) -> tuple[Any, Any, Any]:
    """What the k-th smallest, or the middle of it and the next, of a resample of m ordered values may be.

    The k-th smallest of m uniform numbers follows Beta(k, m - k + 1) (David and Nagaraja, Order Statistics, 2003,
    section 2.3). It is value i and the next a larger one, j, where k of m draws are at most i, one of them i, and the
    others at least j, one of them j.

    Returns:
        The indices of the two values, and the probability of each pair; what never happens is left out.
    """
    from scipy import special

    alone = np.diff(special.betainc(k, m - k + 1, np.arange(m + 1) / m))
    near = np.flatnonzero(alone > NEVER)
    if next_k == k:
        return near, near, alone[near]
    i, j = (near[at] for at in np.triu_indices(len(near), 1))
    ways = special.gammaln(m + 1) - special.gammaln(k + 1) - special.gammaln(m - k + 1)
    low = k * np.log((i + 1) / m) + np.log1p(-((i / (i + 1)) ** k))
    high = (m - k) * np.log((m - j) / m) + np.log1p(-(((m - j - 1) / (m - j)) ** (m - k)))
    share = np.exp(ways + low + high)
    same = np.clip(alone - np.bincount(i, share, minlength=m), 0, None)[near]
    i, j, share = np.concatenate([near, i]), np.concatenate([near, j]), np.concatenate([same, share])
    kept = share > NEVER
    return i[kept], j[kept], share[kept]


def _resampled(ordered: list[list[float]], ranks: list[tuple[int, int]], seed: int | Callable[[], int]) -> Any:
    """Medians of resampled runs' quantiles, of shape (N_RESAMPLES,).

    One beta draw per resampled run stands for drawing and sorting its m samples (``_order_statistic``), and the
    distribution is exactly the same.
    """
    n = len(ordered)
    sizes = np.array([len(run) for run in ordered])
    lower, upper = np.array(ranks).T
    table = np.full((n, sizes.max()), np.inf)  # (n runs, largest number of samples)
    for row, run in zip(table, ordered, strict=True):
        row[: len(run)] = run
    rng = np.random.default_rng(seed if isinstance(seed, int) else seed())
    runs = rng.integers(n, size=(N_RESAMPLES, n))
    m, k, twin = sizes[runs], lower[runs], (upper != lower)[runs]
    if sizes.max() == 1:
        return _median(table[runs, 0])
    uniform = rng.beta(k, m - k + 1)  # (resamples, n runs): the k-th smallest of m uniform numbers
    picked = table[runs, _index(uniform, m)]
    if twin.any():
        # Given the k-th, the next is the smallest of the m - k uniform numbers above it.
        above = 1 - rng.random(uniform.shape) ** (1 / np.maximum(m - k, 1))
        following = table[runs, _index(uniform + (1 - uniform) * above, m)]
        picked = np.where(twin, (picked + following) / 2, picked)
    return _median(picked)


def _quantile(ordered: list[float], share: float) -> float:
    """Quantile of sorted samples, between two of them as NumPy's own."""
    at = share * (len(ordered) - 1)
    lower = math.floor(at)
    low, high = ordered[lower], ordered[min(lower + 1, len(ordered) - 1)]
    beyond = at - lower
    return low + (high - low) * beyond if beyond < 0.5 else high - (high - low) * (1 - beyond)


def _ranks(m: int, share: float = 0.5) -> tuple[int, int]:
    """Ranks, from 1, of the one or two order statistics that a quantile is the mean of; two for even medians only."""
    if share == 0.5:
        return (m + 1) // 2, m // 2 + 1
    rank = min(max(math.ceil(share * m), 1), m)
    return rank, rank


def _index(uniform: Any, m: Any) -> Any:
    return np.minimum((uniform * m).astype(int), m - 1)


def _median(values: Any) -> Any:
    """Median along the last axis; infinities allowed."""
    n = values.shape[-1]
    if n == 1:
        return values[..., 0]
    ordered = np.sort(values, axis=-1)
    return (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2


def ends_of(resamples: Any) -> tuple[float, float]:
    """The two order statistics that cut off equal tails: no interpolation, so that monotone maps keep them."""
    ordered = np.sort(resamples)
    cut = int(TAIL_FRAC * len(ordered))
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
    low, high = _widened(draws.value, draws.ends, _widening(draws.n))
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
    low, high = _widened(value, ends_of(np.exp(logs)), ratio_widening(a.n, b.n))
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=min(a.n, b.n),
        n_samples=a.n_samples + b.n_samples,
        unit="ratio",
        spread_frac=max(a.spread_frac, b.spread_frac),
    )
