"""Which records a table shows, and in which groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bench.records.store import SessionResults
from bench.report.evidence import cells, rooflines
from bench.report.evidence.view import Pick
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables.table import MODES, TableScope
from bench.schema import BACKENDS, DEVICES, Backend, Device, Mode, Record


def study_size(record: Record) -> tuple[Any, ...]:
    """Sort key of a study's size."""
    cell = record.cell
    params = cells.params_key(record)
    return (DEVICES.index(cell.device), -cell.threads, cell.precision, cell.batch_size, cell.n_samples, params)


def with_counts(scope: TableScope) -> Iterator[tuple[SessionResults, str, Mode, Device, Backend, Record]]:
    """The best record of every arm whose operations are counted."""
    for session, workload, mode, device in arms(scope):
        for backend, record, _ in by_backend(scope, session, workload, mode, device):
            if record is not None and rooflines.achieved(record) is not None:
                yield session, workload, mode, device, backend, record


def all_but_threads(record: Record) -> tuple[Any, ...]:
    """What stays equal along a sweep of threads."""
    cell = record.cell
    params = cells.params_key(record)
    return (cell.mode, params, BACKENDS.index(cell.backend), cell.jit, cell.batch_size, cell.n_samples)


def fastest(scope: TableScope, records: Sequence[Record], by: str = "throughput") -> Record | None:
    """The best record that nothing disturbed; a disturbed one only where there is no other."""
    return cells.fastest(scope.evidence.undisturbed(records), by)


def speeds(scope: TableScope) -> Iterator[tuple[SessionResults, str, str, Callable[[Record], Estimate | None]]]:
    """Session, workload, and the quantity that is its speed, by name and as a function; a study has none."""
    for session in scope.sessions:
        for workload in scope.workloads:
            kind = scope.evidence.workloads[workload].kind
            if kind == "probe":
                yield session, workload, "flop_rate", quantities.flop_rate
            elif kind == "model":
                yield session, workload, "throughput", quantities.throughput


def arms(
    scope: TableScope, *, sessions: int | None = None, modes: Sequence[Mode] = MODES
) -> Iterator[tuple[SessionResults, str, Mode, Device]]:
    """Session, workload, mode and device of every headline variant that has a record.

    Of the leading session also what it could have measured on the CPU and has not, so that a gap is seen.
    """
    evidence = scope.evidence
    for session in scope.sessions[:sessions]:
        for workload in scope.models():
            variants = [v for group in evidence.workloads[workload].variants.values() for v in group]
            expected = {v.mode for v in variants if v.headline} if session is evidence.lead else set()
            for mode in modes:
                for device in DEVICES:
                    if evidence.view(session).candidates(Pick(workload, mode, device)) or (
                        device == "cpu" and mode in expected
                    ):
                        yield session, workload, mode, device


def by_backend(
    scope: TableScope, session: SessionResults, workload: str, mode: Mode, device: Device, by: str = "throughput"
) -> Iterator[tuple[Backend, Record | None, Record | None]]:
    """Each backend that has a record, with its best record, or else the one that says why there is none.

    When no backend has any, the first that the session ran stands for them, with neither.
    """
    if not scope.evidence.view(session).candidates(Pick(workload, mode, device)):
        yield scope.evidence.view(session).backends[0], None, None
    for backend in BACKENDS:
        found = scope.evidence.view(session).candidates(Pick(workload, mode, device, backend=backend))
        if found:
            measured = [record for record in found if record.status == "ok"]
            best = fastest(scope, measured, by) or fastest(scope, measured)
            yield backend, best, None if best else found[0]


def strict(scope: TableScope, session: SessionResults, workload: str, **fields: Any) -> list[Record]:
    """Float32 records of a workload, on each device those with most threads."""
    found = scope.evidence.view(session).records(Pick(workload, precision="float32-strict", **fields))
    return [r for device in DEVICES for r in most_threads([r for r in found if r.cell.device == device])]


def most_threads(records: Sequence[Record]) -> list[Record]:
    """The records with the most threads."""
    n_threads = max((record.cell.threads for record in records), default=0)
    return [record for record in records if record.cell.threads == n_threads]


def best_by_batch(scope: TableScope, records: Iterable[Record]) -> Iterator[Record]:
    """The best record of each batch size, where cells that differ in nothing else were measured at several."""
    for alike in groups(records, all_but_batch):
        batches = sorted({record.cell.batch_size for record in alike})
        for batch in batches if len(batches) > 1 else ():
            same = [record for record in alike if record.cell.batch_size == batch]
            yield fastest(scope, same) or same[0]


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
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return [found[name] for name in sorted(found)]


def every_session(scope: TableScope) -> tuple[SessionResults, ...]:
    """All sessions, the leading one first, unless the table is about one."""
    if scope.sessions != scope.evidence.shown:
        return scope.sessions
    lead = scope.evidence.lead
    return tuple(sorted(scope.evidence.sessions, key=lambda s: s is not lead))
