"""Memory: how a network's peak grows with its batch, and which real cards it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bench.records.store import SessionResults
from bench.report.estimates.card_memory import power_of_two
from bench.report.evidence import cells, sizes
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import quantities, studies
from bench.report.stats.estimate import Estimate
from bench.schema import BACKENDS, DEVICES, Cell, Record, Scalar
from bench.workloads import registry

# A peak that grows by less than this share between the two batches read tells no line: something else than the layers'
# outputs sets it, the optimizer's step say, and takes turns with them at some larger batch.
FLAT_FRAC = 0.25
# Sizes of cards, in bytes. A card of "8 GB" has 8 * 2^30, so that counting 10^9 leaves about 7 % for the driver.
CARD_SIZES_GB = (4, 6, 8, 12, 16, 24, 40, 80)
CARDS_BYTES = tuple(size * 10**9 for size in CARD_SIZES_GB)


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of training as a straight line through the smallest and the largest batch that were read."""

    title: str
    small: Record
    large: Record
    per_sample_bytes: float
    fixed_bytes: float  # what the line has at batch zero
    growth_frac: float  # of the smaller batch's peak, what the larger one took more

    @property
    def is_whole(self) -> bool:
        """Whether it is of a whole process, libraries and data included."""
        return self.small.cell.device == "cpu" and not _by_batch(self.small.cell.workload)

    @property
    def is_flat(self) -> bool:
        """Whether the peak grew too little for a line through it to say anything of other batches."""
        return self.growth_frac < FLAT_FRAC

    def largest_batch(self, card_bytes: float) -> int:
        """Largest power of two whose line stays within the card; 0 where not even one sample fits."""
        return power_of_two((card_bytes - self.fixed_bytes) // self.per_sample_bytes)


class Capped(msgspec.Struct, frozen=True, kw_only=True):
    """The largest batch that was found by trying under a cap; of several runs the smallest."""

    title: str
    record: Record
    cap_bytes: float
    room_bytes: float | None  # what the cap leaves for the net; None where every try ended before that was known
    largest: int  # 0 where not even one sample fitted
    too_large: int | None  # the next batch, which did not fit; None where all that were tried did
    growth: Growth | None  # the line of the same net in the same session

    @property
    def computed(self) -> int | None:
        """The largest batch that the line has for the same room; None without a line that tells."""
        if self.growth is None or self.growth.is_flat or self.room_bytes is None:
            return None
        return self.growth.largest_batch(self.room_bytes)


def growths(evidence: Evidence, session: SessionResults) -> tuple[Growth, ...]:
    """Memory by batch of every training cell of a session that was read at two batches or more, all else the same.

    A workload whose net a study read on the same arm is left out: the study reads the net without the libraries.
    """
    groups: dict[tuple, list[tuple[Record, Estimate]]] = {}
    for record in evidence.view(session).records(Pick(status="ok")):
        peak = _peak(record)
        if peak is not None:
            groups.setdefault(_all_but_batch(record), []).append((record, peak))
    found = []
    for points in groups.values():
        points.sort(key=lambda point: point[0].cell.batch_size)
        (small, low), (large, high) = points[0], points[-1]
        n_more = large.cell.batch_size - small.cell.batch_size
        per_sample = (high.value - low.value) / n_more if n_more else 0.0
        if per_sample <= 0:  # one batch only, or too small a net for the allocator to show it
            continue
        found.append(
            Growth(
                title=_net_title(evidence, small),
                small=small,
                large=large,
                per_sample_bytes=per_sample,
                fixed_bytes=max(low.value - per_sample * small.cell.batch_size, 0.0),
                growth_frac=high.value / low.value - 1,
            )
        )
    arms = {id(g): (g.small.cell.backend, g.small.cell.device) for g in found}
    read = {(_net(g.small), *arms[id(g)]) for g in found if _by_batch(g.small.cell.workload)}
    found = [g for g in found if _by_batch(w := g.small.cell.workload) or (w, *arms[id(g)]) not in read]
    return tuple(sorted(found, key=lambda g: _place(g.small.cell, g.title)))


def caps(evidence: Evidence, session: SessionResults) -> tuple[Capped, ...]:
    """What a session found under caps, by net, cap and backend, each beside the line of its net."""
    lines = {_line_key(growth.small, growth.small.cell.params): growth for growth in growths(evidence, session)}
    found = []
    for record in evidence.view(session).records(Pick(status="ok")):
        if registry.names(record.cell.workload).memory != "under-cap":
            continue
        params = {name: value for name, value in record.cell.params.items() if name != "cap_gb"}
        readings = [run.readings for run in quantities.ok_runs(record)]
        too_large = _least(readings, "too-large")
        found.append(
            Capped(
                title=_net_title(evidence, record),
                record=record,
                cap_bytes=_least(readings, "cap") or 0.0,
                room_bytes=_least(readings, "room"),
                largest=int(_least(readings, "largest") or 0),
                too_large=None if too_large is None else int(too_large),
                growth=lines.get(_line_key(record, params)),
            )
        )
    return tuple(sorted(found, key=lambda c: _place(c.record.cell, c.title, c.cap_bytes)))


def _place(cell: Cell, *names: str | float) -> tuple[int | str | float, ...]:
    """A cell's place among others: the CPU first, then by name, then in the order of the backends."""
    return DEVICES.index(cell.device), *names, BACKENDS.index(cell.backend)


def _least(readings: Sequence[Mapping[str, float]], name: str) -> float | None:
    return min((found[name] for found in readings if name in found), default=None)


def _by_batch(workload: str) -> bool:
    """Whether a workload is a study that reads memory by batch."""
    return registry.names(workload).memory == "by-batch"


def _net(record: Record) -> str:
    return str(record.cell.params.get("net", ""))


def _net_title(evidence: Evidence, record: Record) -> str:
    """A net in words; of a study's nets with what tells it from others of the same name in its session."""
    cell, net = record.cell, _net(record)
    if net:
        like = evidence.view(evidence.session_of(record)).records(Pick(cell.workload, params={"net": net}))
        own = {k: v for k, v in cell.params.items() if k != "cap_gb" and any(r.cell.params.get(k) != v for r in like)}
        title = sizes.net(net, cell.workload)
        title = title[:1].upper() + title[1:]
    else:
        own, title = evidence.distinct_params(record), evidence.title(cell.workload)
    is_whole = cell.device == "cpu" and not registry.names(cell.workload).memory  # libraries are in it
    words = [part for part in (sizes.words(net or cell.workload, own), "whole process" if is_whole else "") if part]
    return title + (f" ({', '.join(words)})" if words else "")


def _line_key(record: Record, params: Mapping[str, Scalar]) -> tuple:
    cell = record.cell
    return (cell.backend, cell.device, cell.precision, tuple(sorted((k, str(v)) for k, v in params.items())))


def _peak(record: Record) -> Estimate | None:
    cell = record.cell
    if _by_batch(cell.workload):  # their data grow with the batch, and are read before the net is built
        if cell.n_samples != 2 * cell.batch_size:
            return None
        return studies.reading(record, "peak") or studies.reading(record, "peak-first")
    if cell.mode != "train":
        return None
    return quantities.peak_device_bytes(record) if cell.device == "gpu" else quantities.peak_host_bytes(record)


def _all_but_batch(record: Record) -> tuple:
    cell = record.cell
    data = 0 if _by_batch(cell.workload) else cell.n_samples  # the data lie in the process's memory
    params = cells.params_key(record)
    has_job = any(run.job is not None for run in record.runs)  # a whole job keeps more than its steps do
    return (cell.workload, params, cell.backend, cell.device, cell.precision, cell.jit, cell.threads, data, has_job)
