"""Cells: their addresses, which variant they are of, which of several is the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.records.check import size
from bench.records.store import SessionResults
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.schema import METHOD_VERSIONS, Record, Variant
from bench.workloads import registry

LOCAL_PREFIX = "local-"
OLDER = "earlier code"  # beside a number whose record another method or other code than today's made


class CellRef(NamedTuple):
    """Address of a cell's evidence: machine as in the page's path ("local-" before a local one), session, cell."""

    machine: str
    session: str
    workload: str
    cell: str


class Contrast(NamedTuple):
    """GPU against CPU on one network, within one session; ``speedup`` above 1 means that the GPU is faster."""

    session: SessionResults
    gpu: Record
    cpu: Record
    speedup: Estimate

    @property
    def arms(self) -> str:
        """Batch and precision of both sides, in words."""
        return fmt.arms(self.gpu.cell, self.cpu.cell)


def is_headline(record: Record) -> bool:
    """Whether the cell comes from a variant that its workload measures first."""
    position, variants = position_of(record), variants_of(record)
    return position < len(variants) and variants[position].headline


def variant_key(record: Record) -> tuple[Any, ...]:
    """What a cell takes from its variant; two cells with equal keys do the same work."""
    cell = record.cell
    return (cell.workload, cell.mode, cell.batch_size, cell.n_samples, tuple(sorted(cell.params.items())))


def network_of(record: Record) -> str:
    """Name of the network that a record's cell trained."""
    return registry.network(record.cell.workload, record.cell.params)


def params_key(record: Record) -> tuple[tuple[str, str], ...]:
    """A cell's parameters as a key that sorts, whatever their types."""
    return tuple((name, str(value)) for name, value in sorted(record.cell.params.items()))


def is_of_headline(record: Record) -> bool:
    """Whether the cell's network is that of a headline variant of its mode, or of its first variant without one."""
    variants = [v for v in variants_of(record) if v.mode == record.cell.mode]
    shown = [v for v in variants if v.headline] or variants[:1]
    return any(dict(v.params) == dict(record.cell.params) for v in shown)


def fastest(records: Sequence[Record], by: str = "throughput") -> Record | None:
    """The record with the best value of a quantity, or None when none was measured.

    Where the best rests on fewer runs than another whose interval overlaps its own, the one with more runs is taken:
    the fastest of few is often the luckiest.
    """
    quantity = quantities.named(by)
    measured = [(record, estimate) for record in records if (estimate := quantity(record)) is not None]
    if not measured:
        return None
    sign = 1 if quantity.less_is_better else -1

    def place(pair: tuple[Record, Estimate]) -> tuple[float, str]:
        return (sign * pair[1].value, pair[0].cell.id)

    first = min(measured, key=place)
    better_known = [
        (record, other)
        for record, other in measured
        if other.n > first[1].n and other.low <= first[1].high and first[1].low <= other.high
    ]
    return min(better_known or [first], key=place)[0]


def is_older_method(record: Record) -> bool:
    """Whether a record was made by another method, or by other code of its workload, than this checkout has.

    Such a record is shown as older; ``stats.check_comparable`` keeps it out of every ratio with a newer one. A
    workload that is no longer declared counts as changed.
    """
    if record.numbers_method != METHOD_VERSIONS[record.cell.mode]:
        return True
    try:
        return record.source_hash != registry.source_hash(record.cell.workload)
    except registry.UnknownNameError:
        return True


def variants_of(record: Record) -> tuple[Variant, ...]:
    """Variants of the record's profile."""
    return record.spec.variants.get(record.profile, ())


def position_of(record: Record) -> int:
    """Place of the cell's variant in the SPEC, headline variants before their twins; after all when it has none."""
    own = own_variants(record)
    return next((place for place, v in own if v.headline), next((place for place, _ in own), len(variants_of(record))))


def own_variants(record: Record) -> list[tuple[int, Variant]]:
    """The variants that do what the record's cell does, each with its place."""
    return [(place, v) for place, v in enumerate(variants_of(record)) if size(v) == size(record.cell)]
