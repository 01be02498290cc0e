"""Which records a table shows, and in which groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bench import grouped
from bench.records.store import SessionResults
from bench.report.evidence import cells, view
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables.table import MODES, TableScope
from bench.schema import BACKENDS, DEVICES, Backend, Device, Mode, Record


def study_size(record: Record) -> tuple[Any, ...]:
    """Sort key of a study's size."""
    cell = record.cell
    params = cells.params_key(record)
    return (DEVICES.index(cell.device), -cell.threads, cell.precision, cell.batch_size, cell.n_samples, params)


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A backend on a device, with one workload in one mode of a session, and the record that speaks for it.

    ``record`` is the best one; where nothing was measured the first, which says why, or None without any.
    """

    session: SessionResults
    workload: str
    mode: Mode
    device: Device
    backend: Backend
    record: Record | None

    @property
    def key(self) -> tuple[str, Device, Backend]:
        """What tells it from the others of its session and mode."""
        return self.workload, self.device, self.backend

    @property
    def measured(self) -> Record | None:
        """The record, if it has a result."""
        return self.record if self.record is not None and self.record.status == "ok" else None


def arms(scope: TableScope, *, modes: Sequence[Mode] = MODES, by: str = "throughput") -> Iterator[Arm]:
    """Every arm of a headline variant that has a record, with the one that is best by a quantity, else by throughput.

    Of the leading session also what it could have measured on the CPU and has not, so that a gap is seen: its first
    backend stands for it.
    """
    evidence = scope.evidence
    for session in scope.sessions:
        for workload in scope.models():
            variants = [v for group in evidence.workloads[workload].variants.values() for v in group]
            expected = {v.mode for v in variants if v.headline} if session is evidence.lead else set()
            for mode, device in itertools.product(modes, DEVICES):
                place: dict[str, Any] = {"session": session, "workload": workload, "mode": mode, "device": device}
                by_backend = {
                    b: evidence.view(session).candidates(view.Pick(workload, mode, device, backend=b)) for b in BACKENDS
                }
                if not any(by_backend.values()) and device == "cpu" and mode in expected:
                    yield Arm(backend=evidence.view(session).backends[0], record=None, **place)
                for backend, found in by_backend.items():
                    if found:
                        yield Arm(backend=backend, record=speaker(scope, found, by), **place)


def all_but_threads(record: Record) -> tuple[Any, ...]:
    """What stays equal along a sweep of threads."""
    cell = record.cell
    params = cells.params_key(record)
    return (cell.mode, params, BACKENDS.index(cell.backend), cell.jit, cell.batch_size, cell.n_samples)


def fastest(scope: TableScope, records: Sequence[Record], by: str = "throughput") -> Record | None:
    """The best record that nothing disturbed; a disturbed one only where there is no other."""
    return cells.fastest(scope.evidence.undisturbed(records), by)


def speaker(scope: TableScope, records: Sequence[Record], by: str = "throughput") -> Record:
    """The best of the records by a quantity, else by throughput; with nothing measured the first, which says why.

    Raises:
        IndexError: no records.
    """
    return fastest(scope, records, by) or fastest(scope, records) or records[0]


def speedup(
    scope: TableScope, first: Record | None, second: Record | None, quantity: str = "throughput"
) -> Estimate | None:
    """How many times faster the first record is than the second; None unless both were measured."""
    if first is None or second is None or not ("ok" == first.status == second.status):
        return None
    return scope.evidence.record_speedup(first, second, quantity)


def speeds(scope: TableScope) -> Iterator[tuple[SessionResults, str, str, Callable[[Record], Estimate | None]]]:
    """Session, workload, and the quantity that is its speed, by name and as a function; a study has none."""
    for session in scope.sessions:
        for workload in scope.workloads:
            kind = scope.evidence.workloads[workload].kind
            if kind == "probe":
                yield session, workload, "flop_rate", quantities.flop_rate
            elif kind == "model":
                yield session, workload, "throughput", quantities.throughput


def strict(scope: TableScope, session: SessionResults, workload: str, **fields: Any) -> list[Record]:
    """Float32 records of a workload, on each device those with most threads."""
    return most_threads_by_device(
        scope.evidence.view(session).records(view.Pick(workload, precision="float32-strict", **fields))
    )


def most_threads_by_device(records: Iterable[Record]) -> list[Record]:
    """The records with the most threads of those of each device."""
    by_device = groups(records, lambda record: DEVICES.index(record.cell.device))
    return [record for same in by_device for record in view.most_threads(same)]


def best_by_batch(scope: TableScope, records: Iterable[Record]) -> Iterator[Record]:
    """The best record of each batch size, where cells that differ in nothing else were measured at several."""
    for alike in groups(records, all_but_batch):
        batches = sorted({record.cell.batch_size for record in alike})
        for batch in batches if len(batches) > 1 else ():
            same = [record for record in alike if record.cell.batch_size == batch]
            yield speaker(scope, same)


def all_but_batch(record: Record) -> tuple[Any, ...]:
    """What stays equal along a sweep of batches."""
    cell = record.cell
    return (cell.mode, cells.params_key(record), DEVICES.index(cell.device), BACKENDS.index(cell.backend))


def all_but_precision(record: Record) -> tuple[Any, ...]:
    """What stays equal along a sweep of precisions."""
    cell = record.cell
    return (*all_but_batch(record), cell.batch_size, cell.n_samples, cell.threads, cell.jit)


def groups(items: Iterable[Any], key: Callable[[Any], Any]) -> list[list[Any]]:
    """Items with equal keys together, in order of the keys."""
    found = grouped(items, key)
    return [found[name] for name in sorted(found)]


def every_session(scope: TableScope) -> tuple[SessionResults, ...]:
    """All sessions, the leading one first, unless the table is about one."""
    if scope.sessions != scope.evidence.chosen:
        return scope.sessions
    lead = scope.evidence.lead
    return tuple(sorted(scope.evidence.sessions, key=lambda s: s is not lead))
