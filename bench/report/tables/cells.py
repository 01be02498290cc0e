"""Cells of tables: text, with the records it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from bench.records.store import SessionResults
from bench.report.evidence.cells import Contrast
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import estimate as stats_estimate
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken
from bench.report.stats.estimate import Estimate
from bench.report.tables import select
from bench.report.tables.table import NO_GPU, Cellv, TableScope
from bench.schema import BACKENDS, DEVICES, Backend, Record

MISSING = Cellv(text=fmt.NOT_MEASURED)
NOTHING = Cellv(text="")


def doubt(evidence: Evidence, session: SessionResults) -> str:
    """What the test of a session against itself leaves open; empty where it passed."""
    passed = evidence.view(session).has_passed_self_test
    return {True: "", False: "differs from itself", None: "not tested against itself"}[passed]


# Cells.


def text(text: str) -> Cellv:
    """A cell of plain text."""
    return Cellv(text=text)


def number(scope: TableScope, value: int, records: Iterable[Record]) -> Cellv:
    """A count with the records it was counted in."""
    return Cellv(text=fmt.count(value), cells=scope.evidence.refs(*records))


def estimate(scope: TableScope, estimate: Estimate | None, *records: Record | None, noun: str = "samples") -> Cellv:
    """A cell of an estimate with its interval and doubts."""
    if estimate is None:
        return MISSING
    known = [record for record in records if record is not None]
    disturbed, older = scope.evidence.disturbance(known), scope.evidence.age(known)
    note = "; ".join(filter(None, (fmt.warning(estimate), fmt.caveat(estimate), disturbed, older)))
    cells = scope.evidence.refs(*records)
    return Cellv(
        text=fmt.interval(estimate, noun),
        short=spoken.spoken(estimate, noun),
        cells=cells,
        estimate=estimate,
        note=note,
        is_disturbed=bool(disturbed),
        is_older=bool(older),
    )


def guessed(value: Estimate, noun: str = "samples") -> Cellv:
    """A cell of an estimated range."""
    return Cellv(text=fmt.between(value, noun), short=spoken.spoken(value, noun), estimate=value, is_estimated=True)


def failed(scope: TableScope, record: Record | None) -> Cellv:
    """Status and reason of a record without result; "not measured yet" when there is no record."""
    if record is None:
        return MISSING
    return Cellv(text=fmt.status(record.status, record.reason), cells=scope.evidence.refs(record))


def or_failed(scope: TableScope, record: Record | None, quantity: Callable[[Record], Estimate | None]) -> Cellv:
    """A quantity of a record, or why it has none; "not measured yet" when there is no record."""
    if record is None or record.status != "ok":
        return failed(scope, record)
    return estimate(scope, quantity(record), record, noun=scope.evidence.noun(record.cell.workload))


def by_backend(
    scope: TableScope,
    session: SessionResults,
    records: Mapping[Backend, Record | None],
    quantity: Callable[[Record], Estimate | None],
) -> tuple[Cellv, ...]:
    """The quantity of each backend's record, nothing for one that the session did not run; at the end their places."""
    ran = {backend: records.get(backend) for backend in scope.evidence.view(session).backends}
    found = {b: or_failed(scope, ran[b], quantity) if b in ran else NOTHING for b in BACKENDS}
    return (*found.values(), _places(scope, found, ran))


def _places(scope: TableScope, cells: Mapping[Backend, Cellv], records: Mapping[Backend, Record | None]) -> Cellv:
    """Who comes first among backends, in words; what overlaps shares a place (``Evidence.order``)."""
    measured = {
        backend: (record, cell.estimate)
        for backend, cell in cells.items()
        if (record := records.get(backend)) is not None and cell.estimate is not None
    }
    if len(measured) < 2:
        return NOTHING
    ranks = stats_estimate.ranks(tuple(measured.values()), scope.evidence.order)
    found = sorted((place, BACKENDS.index(b), b) for b, place in zip(measured, ranks, strict=True) if place is not None)
    refs = tuple(dict.fromkeys(ref for *_, backend in found for ref in cells[backend].cells))
    text = ", ".join(f"{place}. {fmt.backend(backend)}" for place, _, backend in found)
    once = any(estimate.n == 1 for _, estimate in measured.values())
    return Cellv(text=f"{text} (by single runs)" if once else text, cells=refs)


def arm_text(backend: str, device: str) -> str:
    """An arm in words."""
    return f"{fmt.backend(backend)}, {fmt.device(device)}"


def arm(scope: TableScope, arm: select.Arm) -> tuple[Cellv, Cellv, Cellv, Cellv]:
    """Machine, workload, mode and arm, with which a row begins."""
    title, words = scope.evidence.title(arm.workload), arm_text(arm.backend, arm.device)
    return scope.machine(arm.session), text(title), text(fmt.MODE_NAMES[arm.mode]), text(words)


def arm_of(scope: TableScope, record: Record) -> tuple[Cellv, Cellv, Cellv, Cellv]:
    """The same of a record in a sweep, the workload with what tells its size from its others."""
    cell, session = record.cell, scope.evidence.session_of(record)
    words = arm_text(cell.backend, cell.device)
    return scope.machine(session), text(sized(scope, record)), text(fmt.MODE_NAMES[cell.mode]), text(words)


def sized(scope: TableScope, record: Record) -> str:
    """A workload's title, with the parameters that tell this size from its others."""
    title, own = scope.evidence.title(record.cell.workload), scope.evidence.size(record)
    return f"{title} ({own})" if own else title


def backend_names() -> tuple[str, ...]:
    """All backends in words."""
    return tuple(fmt.backend(backend) for backend in BACKENDS)


def both_devices(scope: TableScope, session: SessionResults, workload: str) -> tuple[Cellv, ...]:
    """Training speed on the CPU and on the GPU, and their ratio with what batch and precision each had.

    Where nobody measured a GPU, the estimate for a card beside the CPU on which it rests.
    """
    contrast = scope.evidence.view(session).best_contrast(Pick(workload))
    if contrast is None and (guessed := _guess_beside(scope, session, workload)) is not None:
        return guessed
    if contrast is None:
        found = (scope.evidence.view(session).candidates(Pick(workload, "train", device)) for device in DEVICES)
        best = (select.speaker(scope, records) if records else None for records in found)
        cpu, gpu = (or_failed(scope, record, quantities.throughput) for record in best)
        return (cpu, gpu, MISSING) if session.machine.gpus else (cpu, NO_GPU, NOTHING)
    _, _, cpu, gpu, ratio = sides(scope, contrast)
    value, _, interval = ratio.text.partition(" (")
    return cpu, gpu, msgspec.structs.replace(ratio, text=f"{value} ({contrast.arms}; {interval}")


def _guess_beside(scope: TableScope, session: SessionResults, workload: str) -> tuple[Cellv, ...] | None:
    """A CPU's measured speed, a card's estimated one and their ratio; None where the formula has none.

    Nothing is estimated beside a GPU that somebody measured.
    """
    if any(scope.evidence.view(one).has_gpu for one in scope.evidence.sessions):
        return None
    found = estimated.pair(scope.evidence, workload, only=session)
    return None if found is None else estimated_sides(scope, found)


def estimated_sides(scope: TableScope, found: estimated.Pair) -> tuple[Cellv, ...]:
    """The CPU's measured speed, the card's estimated one, and their ratio."""
    noun, note = found.record.spec.sample_noun, estimated.note(scope.evidence, found)
    refs = scope.evidence.refs(found.record)
    guessed = (
        Cellv(
            text=estimated.says(value, noun),
            short=spoken.spoken(value, noun),
            estimate=value,
            cells=refs,
            note=note,
            is_estimated=True,
        )
        for value in (found.gpu, found.speedup)
    )
    return (estimate(scope, found.cpu, found.record, noun=noun), *guessed)


def sides(scope: TableScope, contrast: Contrast) -> tuple[Cellv, ...]:
    """Settings, CPU, both speeds and the ratio."""
    noun = scope.evidence.noun(contrast.cpu.cell.workload)
    return (
        text(contrast.arms),
        text(scope.evidence.view(contrast.session).cpu_text(contrast.cpu)),
        *(estimate(scope, quantities.throughput(r), r, noun=noun) for r in (contrast.cpu, contrast.gpu)),
        estimate(scope, contrast.speedup, contrast.gpu, contrast.cpu),
    )
