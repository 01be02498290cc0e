"""How often the intervals of ``bench.report.stats`` hold the truth, by simulation. Prints; measures and writes nothing.

``python -m bench.report.stats.coverage`` prints a line per case: estimates of five to ten processes under
several kinds of noise, then ratios of two to five processes. The factors in ``bootstrap.WIDENING`` and
``bootstrap.RATIO_WIDENING`` come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report.stats import bootstrap

N_DRAWS = 2000
N_BLOCKS = 30
N_POPULATION = 50_000  # processes whose median stands for the truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Block times of processes that differ, on a machine with neighbours.

    ``between`` and ``within`` are standard deviations of logarithms, over processes and over blocks. A share ``hit``
    of the processes meets a neighbour, who slows a stretch of the blocks by an exponential factor with mean 1 +
    ``slowdown``.
    """

    between: float = 0.05
    within: float = 0.05
    hit: float = 0.3
    slowdown: float = 0.4

    def draw(self, rng: np.random.Generator, n: int, n_blocks: int = N_BLOCKS) -> Any:
        """Seconds of blocks of ``n`` processes, shape (n, n_blocks); a block takes about 1 s."""
        center = np.exp(self.between * rng.standard_normal((n, 1)))
        blocks = np.exp(self.within * (rng.gamma(2.0, 0.5, (n, n_blocks)) - 1) * np.sqrt(2))
        begin, length = rng.integers(n_blocks, size=(n, 1)), rng.integers(1, n_blocks + 1, (n, 1))
        place = np.arange(n_blocks)[None, :]
        slow = (rng.random((n, 1)) < self.hit) & (place >= begin) & (place < begin + length)
        return center * blocks * np.where(slow, 1 + rng.exponential(self.slowdown, (n, 1)), 1.0)

    def truth(self, rng: np.random.Generator, n_blocks: int = N_BLOCKS) -> float:
        """Median over all processes of a process's median block."""
        return float(np.median(np.median(self.draw(rng, N_POPULATION, n_blocks), axis=1)))


NOISES = {
    "processes and blocks differ, slow neighbours": Noise(),
    "the same, a neighbour beside most processes": Noise(hit=0.6),
    "processes differ more than blocks": Noise(between=0.1),
    "only processes differ": Noise(between=0.1, within=0.001, hit=0.0),
    "only blocks differ": Noise(between=0.0, within=0.2, hit=0.0),
}


def estimate_coverage(noise: Noise, n: int, *, n_draws: int = N_DRAWS, seed: int = 0) -> float:
    """Share of draws in which the interval of ``n`` processes holds the true step time."""
    rng = np.random.default_rng(seed)
    truth, hits = noise.truth(rng), 0
    for trial in range(n_draws):
        found = bootstrap.to_estimate(bootstrap.draws_of(noise.draw(rng, n).tolist(), seed=trial), "s")
        hits += found is not None and found.low <= truth <= found.high
    return hits / n_draws


def ratio_coverage(noise: Noise, n: int, m: int, *, n_draws: int = N_DRAWS, seed: int = 0, ratio: float = 3.0) -> float:
    """Share of draws in which the interval of a ratio of ``n`` to ``m`` processes holds the true ratio."""
    rng = np.random.default_rng(seed)
    hits = 0
    for trial in range(n_draws):
        a = bootstrap.draws_of((ratio * noise.draw(rng, n)).tolist(), seed=2 * trial)
        b = bootstrap.draws_of(noise.draw(rng, m).tolist(), seed=2 * trial + 1)
        found = None if a is None or b is None else bootstrap.ratio_of(a, b)
        hits += found is not None and found.low <= ratio <= found.high
    return hits / n_draws


def main() -> None:
    """Print every case."""
    for name, noise in NOISES.items():
        for n in (*bootstrap.WIDENING, 15):
            print(f"estimate  {n:2} processes  {estimate_coverage(noise, n):.3f}  {name}")
    for name, noise in NOISES.items():
        for n, m in (*bootstrap.RATIO_WIDENING, (5, 5), (5, 10)):
            print(f"ratio  {n} and {m:2} processes  {ratio_coverage(noise, n, m):.3f}  {name}")


if __name__ == "__main__":
    main()
