"""Our speeds beside published ones of the same networks: ratios to ResNet-50, order, outliers. Pure.

Speeds of different machines cannot be compared, but how fast a network is beside another one on the same machine can:
the ratio has no unit. A published ratio far from ours is an outlier, and each source says what sets it apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from bench.report.evidence.view import Pick
from bench.report.published import comparisons
from bench.report.published import figures as published
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate, quotient
from bench.schema import Device, Mode, Record

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence

ANCHOR = "resnet50"
NETWORKS = ("mobilenet-v2", "inception-v3")
# Half as much again, either way: batch, precision and library move such a ratio by that much within one source.
OUTLIER_RATIO = 1.5

Place = Literal["near", "apart", "open"]


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a network is beside ResNet-50 in one of our sessions, and the two records that say so."""

    ratio: Estimate
    records: tuple[Record, Record]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One network in one source, with ours where it was measured on that kind of device, else on the CPU."""

    network: str
    source: comparisons.Source
    theirs: float
    figures: tuple[published.Figure, published.Figure]  # of the network and of ResNet-50
    ours: Ours | None
    place: Place

    @property
    def is_like(self) -> bool:
        """Whether ours was measured on the kind of device that the source used."""
        return self.ours is not None and self.ours.records[0].cell.device == self.source.device


def ours(evidence: Evidence, network: str, mode: Mode, device: Device) -> Ours | None:
    """Our ratio, from the first session that measured both networks."""
    for session in sorted(evidence.shown, key=lambda one: one.is_local):
        records = [evidence.view(session).best(Pick(name, mode, device)) for name in (network, ANCHOR)]
        if records[0] is None or records[1] is None:
            continue
        ratio = quotient(quantities.throughput(records[0]), quantities.throughput(records[1]))
        if ratio is not None:
            return Ours(ratio=ratio, records=(records[0], records[1]))
    return None


def pairs(evidence: Evidence) -> Iterator[Pair]:
    """Every network of every source beside ours, in the order of the sources."""
    for source in comparisons.comparisons().sources:
        for network in NETWORKS:
            if network not in source.rows:
                continue
            figures = (published.lookup(source.rows[network]), published.lookup(source.rows[ANCHOR]))
            mine = ours(evidence, network, source.mode, source.device) or ours(evidence, network, source.mode, "cpu")
            theirs = ratio_of(source, network)
            place = "open" if mine is None else place_of(mine.ratio, theirs)
            yield Pair(network=network, source=source, theirs=theirs, figures=figures, ours=mine, place=place)


def ratio_of(source: comparisons.Source, network: str) -> float:
    """A network's published speed over that of ResNet-50 in the same source."""
    value, anchor = (float(published.lookup(source.rows[name]).value) for name in (network, ANCHOR))
    return anchor / value if source.is_time else value / anchor


def place_of(mine: Estimate, theirs: float) -> Place:
    """Whether ours lies near theirs with its whole interval, apart from it with all of it, or neither."""
    low, high = theirs / OUTLIER_RATIO, theirs * OUTLIER_RATIO
    if low <= mine.low and mine.high <= high:
        return "near"
    return "apart" if mine.high < low or mine.low > high else "open"


def order(ratios: Mapping[str, float]) -> tuple[str, ...]:
    """Networks from the fastest to the slowest, ResNet-50 among them with its ratio of one."""
    known = {ANCHOR: 1.0, **ratios}
    return tuple(sorted(known, key=lambda name: -known[name]))


def orders(evidence: Evidence, source: comparisons.Source) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The order of a source's networks, and ours of the same ones; None where one of them was not measured."""
    names = [name for name in NETWORKS if name in source.rows]
    theirs = order({name: ratio_of(source, name) for name in names})
    found = {p.network: p.ours.ratio.value for p in pairs(evidence) if p.source is source and p.ours is not None}
    return theirs, order(found) if len(found) == len(names) else None
