"""How much of a machine a network gets: achieved rates over the measured ceilings of arithmetic and of memory. Pure.

The ceilings are the best rate of a matrix product and the best bandwidth in the same session on the same device, never
a data sheet's. What a network's arithmetic is, and the bytes it must move at least, stand in ``bench/flops.json``,
counted from its layers by ``bench.workloads.count_flops``; a record whose workload has changed since has no count.

Source of the model of two ceilings: Williams, Waterman and Patterson, Roofline: An Insightful Visual Performance Model
for Multicore Architectures, Communications of the ACM 52 (2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bench.records import operations
from bench.report.evidence.view import Pick, most_threads
from bench.report.stats import estimate, quantities, studies
from bench.report.stats.estimate import Estimate
from bench.schema import Device, Precision, Record

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.evidence.evidence import Evidence

FLOAT32: tuple[Precision, ...] = ("float32-strict", "tf32")  # arrays of four bytes a number, as bytes are counted


class Band(NamedTuple):
    """The cell of the session's fastest pass over memory, and its rate in bytes per second."""

    record: Record
    rate: Estimate


class Roof(NamedTuple):
    """What a network can reach: operations per second, the lower of two ceilings, and whether memory sets it."""

    rate: Estimate
    is_memory: bool


def bytes_per_sample(record: Record) -> float | None:
    """Least bytes moved for one sample, its share of the step's included; None where its operations are not counted.

    None too in half precision: bytes are counted in float32.
    """
    known, half = operations.of(record), operations.half(record.cell.mode)
    if known is None or record.cell.precision not in FLOAT32 or f"{half}_step_bytes" not in known:
        return None
    return known[f"{half}_step_bytes"] / record.cell.batch_size + known[f"{half}_sample_bytes"]


def intensity(record: Record) -> float | None:
    """Operations per byte: those counted over the least bytes, so the network's own is this or less."""
    work, moved = operations.flop_per_sample(record), bytes_per_sample(record)
    return None if work is None or moved is None else work / moved


def achieved(record: Record) -> Estimate | None:
    """Operations per second of the steady steps, by count; for a probe, by its formula."""
    if record.spec.kind == "probe":
        return quantities.flop_rate(record)
    rate, work = quantities.throughput(record), operations.flop_per_sample(record)
    return None if rate is None or work is None else estimate.times(rate, work, "flop_per_s")


def moved(record: Record) -> Estimate | None:
    """Least bytes per second of the steady steps, by count."""
    rate, work = quantities.throughput(record), bytes_per_sample(record)
    return None if rate is None or work is None else estimate.times(rate, work, "bytes_per_s")


def ceiling(
    evidence: Evidence, session: SessionResults | None, device: Device, precision: Precision = "float32-strict"
) -> Record | None:
    """The cell of the session's fastest matrix product on a device, any size and backend, at most threads.

    A disturbed cell is the ceiling only where no other was measured.
    """
    found = evidence.view(session).records(Pick("matmul", device=device, precision=precision, status="ok"))
    among = evidence.undisturbed(most_threads(found))
    rated = [(rate.value, record) for record in among if (rate := quantities.flop_rate(record)) is not None]
    return max(rated, key=lambda pair: (pair[0], pair[1].cell.id))[1] if rated else None


def bandwidth(evidence: Evidence, session: SessionResults | None, device: Device) -> Band | None:
    """The session's fastest pass over its largest arrays on a device, any operation and backend, at most threads.

    A disturbed cell is the ceiling only where no other was measured.
    """
    found = evidence.view(session).records(Pick("bandwidth", device=device, precision=FLOAT32[0], status="ok"))
    largest = max((_mib(record) for record in found), default=0.0)
    among = most_threads([record for record in found if _mib(record) == largest])
    bands = [
        Band(record, rate)
        for record in evidence.undisturbed(among)
        for item in studies.readings_of(record)
        if item.unit == "bytes_per_s" and (rate := studies.reading(record, item.id)) is not None and rate.low > 0
    ]
    return max(bands, key=lambda band: (band.rate.value, band.record.cell.id), default=None)


def _mib(record: Record) -> float:
    return float(record.cell.params.get("mib", 0))


def share(record: Record, best: Record) -> Estimate | None:
    """Achieved rate as a share of the ceiling's; the interval goes from the worst to the best of both ends."""
    return _share(achieved(record), quantities.flop_rate(best))


def memory_share(record: Record, band: Band) -> Estimate | None:
    """Least bytes moved as a share of the bandwidth, ends as in ``share``; above 1 where caches hold a part."""
    return _share(moved(record), band.rate)


def roof(record: Record, best: Record, band: Band) -> Roof | None:
    """The lower of the two ceilings at a record's operations per byte."""
    flat, steep = quantities.flop_rate(best), intensity(record)
    if flat is None or steep is None:
        return None
    slope = estimate.times(band.rate, steep, "flop_per_s")
    lower = min(slope, flat, key=lambda one: one.value)
    ends = {"low": min(slope.low, flat.low), "high": min(slope.high, flat.high), "n": min(slope.n, flat.n)}
    return Roof(msgspec.structs.replace(lower, **ends), lower is slope)


def roof_share(record: Record, best: Record, band: Band) -> Estimate | None:
    """Achieved rate as a share of what the lower ceiling lets through, ends as in ``share``."""
    lower = roof(record, best, band)
    return None if lower is None else _share(achieved(record), lower.rate)


def _share(mine: Estimate | None, top: Estimate | None) -> Estimate | None:
    """Share of a ceiling; its samples are the record's own, however few the ceiling's reading has."""
    found = estimate.quotient(mine, top, "frac")
    return None if mine is None or found is None else msgspec.structs.replace(found, n_samples=mine.n_samples)
