"""The same training on a CPU and on a GPU, by the same people: what a GPU gained, by the size of the network.

Reads bench/published/gpu/pairs.csv.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from bench.report.estimates import networks
from bench.report.published import cards
from bench.report.published.sources import GPU, Source, sources
from bench.report.published.strict import lines

COLUMNS = "network batch_size framework cpu card cpu_ms gpu_ms source file how".split()


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One network's training step on a CPU and on a GPU, in seconds.

    ``how`` says how close the two runs are: "same file", "same author", or medians over several authors' notebooks.
    """

    network: networks.Network
    batch: float
    framework: str
    cpu: str
    card: str
    cpu_seconds: float
    gpu_seconds: float
    source: Source
    file: str
    how: str

    @property
    def speedup(self) -> float:
        """CPU time over GPU time: below 1 where the CPU is faster."""
        return self.cpu_seconds / self.gpu_seconds


@cache
def pairs(path: Path = GPU / "pairs.csv") -> tuple[Pair, ...]:
    """Every pair, by the operations of its network.

    Raises:
        PublishedError: a line is not as it must be, or names what is not known.
    """
    found = [
        Pair(
            network=networks.published()[line.key("network", networks.published())],
            batch=line.number("batch_size"),
            framework=line.text("framework"),
            cpu=line.text("cpu"),
            card=line.key("card", cards.cards()),
            cpu_seconds=line.number("cpu_ms") / 1e3,
            gpu_seconds=line.number("gpu_ms") / 1e3,
            source=sources()[line.key("source", sources())],
            file=line.text("file", needed=False),
            how=line.text("how"),
        )
        for line in lines(path, COLUMNS)
    ]
    return tuple(sorted(found, key=lambda pair: pair.network.forward or 0.0))
