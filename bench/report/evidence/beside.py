"""Our speeds beside published ones of the same networks: ratios to ResNet-50, order, outliers. Pure.

Speeds of different machines cannot be compared, but how fast a network is beside another one on the same machine can:
the ratio has no unit. A published ratio far from ours is an outlier, and each source says what sets it apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from bench.report.evidence.view import Pick
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


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's speeds of several networks on one machine; ``rows`` are published rows by workload of ours."""

    id: str
    name: str
    mode: Mode
    device: Device
    rows: Mapping[str, str]
    is_time: bool = False  # rows hold times, so that the larger one is the slower network
    why: str  # what sets it apart from ours, for outliers


SOURCES = (
    Source(
        id="kapp-cpu",
        name="Keras Applications",
        mode="infer",
        device="cpu",
        rows={
            "resnet50": "kapp-resnet50-cpu-time-per-inference-step",
            "mobilenet-v2": "kapp-mobilenetv2-cpu-time-per-inference-step",
            "inception-v3": "kapp-inceptionv3-cpu-time-per-inference-step",
        },
        is_time=True,
        why="dozens of cores and a batch of thirty-two, and the step of Inception-v3, on its larger pictures, is "
        "printed as shorter than that of ResNet-50, unlike in the other sources",
    ),
    Source(
        id="timm-i7",
        name="timm, laptop CPU",
        mode="infer",
        device="cpu",
        rows={
            "resnet50": "timm-infer-resnet50-infer-fp32-nchw-pt240-cpu-i7-12700h-dynamo",
            "mobilenet-v2": "timm-infer-mobilenetv2-100-infer-fp32-nchw-pt240-cpu-i7-12700h-dynamo",
            "inception-v3": "timm-infer-inception-v3-infer-fp32-nchw-pt240-cpu-i7-12700h-dynamo",
        },
        why="one picture at a time, compiled by PyTorch",
    ),
    Source(
        id="timm-i9",
        name="timm, desktop CPU",
        mode="infer",
        device="cpu",
        rows={
            "resnet50": "timm-infer-resnet50-infer-fp32-nchw-pt240-cpu-i9-10940x-dynamo",
            "mobilenet-v2": "timm-infer-mobilenetv2-100-infer-fp32-nchw-pt240-cpu-i9-10940x-dynamo",
            "inception-v3": "timm-infer-inception-v3-infer-fp32-nchw-pt240-cpu-i9-10940x-dynamo",
        },
        why="one picture at a time on many cores, of which a small network fills only some",
    ),
    Source(
        id="timm-3090",
        name="timm, RTX 3090",
        mode="train",
        device="gpu",
        rows={
            "resnet50": "timm-train-resnet50-train-amp-nhwc-pt112-cu113-rtx3090",
            "mobilenet-v2": "timm-train-mobilenetv2-100-train-amp-nhwc-pt112-cu113-rtx3090",
            "inception-v3": "timm-train-inception-v3-train-amp-nhwc-pt112-cu113-rtx3090",
        },
        why="a GPU in half precision, whose matrix units speed up the large convolutions of ResNet-50 and not the thin "
        "ones of MobileNet-v2",
    ),
    Source(
        id="tlkh-3090",
        name="tf-metal-experiments, RTX 3090",
        mode="train",
        device="gpu",
        rows={"resnet50": "tlkh-resnet50-nvidia-rtx-3090", "mobilenet-v2": "tlkh-mobilenetv2-nvidia-rtx-3090"},
        why="a GPU in half precision, whose matrix units speed up the large convolutions of ResNet-50 and not the thin "
        "ones of MobileNet-v2",
    ),
    Source(
        id="tf-p100",
        name="TensorFlow benchmarks, P100",
        mode="train",
        device="gpu",
        rows={"resnet50": "tfr1-resnet-50-p100", "inception-v3": "tfr1-inceptionv3-p100"},
        why="a GPU and the software of years ago",
    ),
)


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a network is beside ResNet-50 in one of our sessions, and the two records that say so."""

    ratio: Estimate
    records: tuple[Record, Record]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One network in one source, with ours where it was measured on that kind of device, else on the CPU."""

    network: str
    source: Source
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
    for session in evidence.shown:
        records = [evidence.view(session).best(Pick(name, mode, device)) for name in (network, ANCHOR)]
        if records[0] is None or records[1] is None:
            continue
        ratio = quotient(quantities.throughput(records[0]), quantities.throughput(records[1]))
        if ratio is not None:
            return Ours(ratio=ratio, records=(records[0], records[1]))
    return None


def pairs(evidence: Evidence) -> Iterator[Pair]:
    """Every network of every source beside ours, in the order of the sources."""
    for source in SOURCES:
        for network in NETWORKS:
            if network not in source.rows:
                continue
            figures = (published.lookup(source.rows[network]), published.lookup(source.rows[ANCHOR]))
            mine = ours(evidence, network, source.mode, source.device) or ours(evidence, network, source.mode, "cpu")
            theirs = ratio_of(source, network)
            place = "open" if mine is None else place_of(mine.ratio, theirs)
            yield Pair(network=network, source=source, theirs=theirs, figures=figures, ours=mine, place=place)


def ratio_of(source: Source, network: str) -> float:
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


def orders(evidence: Evidence, source: Source) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The order of a source's networks, and ours of the same ones; None where one of them was not measured."""
    names = [name for name in NETWORKS if name in source.rows]
    theirs = order({name: ratio_of(source, name) for name in names})
    found = {p.network: p.ours.ratio.value for p in pairs(evidence) if p.source is source and p.ours is not None}
    return theirs, order(found) if len(found) == len(names) else None
