"""Cells of tables: text, with the records it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from bench.records.store import SessionResults
from bench.report.evidence.cells import Contrast
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import estimate as stats_estimate
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables import select
from bench.report.tables.table import NO_GPU, Cellv, TableScope
from bench.schema import BACKENDS, DEVICES, Backend, Device, Mode, Record

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
    text = fmt.interval(estimate, noun)
    return Cellv(
        text=text, cells=cells, estimate=estimate, note=note, is_disturbed=bool(disturbed), is_older=bool(older)
    )


def failed(scope: TableScope, record: Record | None) -> Cellv:
    """Status and reason of a record without result; "not measured yet" when there is no record."""
    if record is None:
        return MISSING
    return Cellv(text=fmt.status(record.status, record.reason), cells=scope.evidence.refs(record))


def or_failed(scope: TableScope, record: Record, quantity: Callable[[Record], Estimate | None]) -> Cellv:
    """A quantity of a record, or why it has none."""
    if record.status != "ok":
        return failed(scope, record)
    return estimate(scope, quantity(record), record, noun=scope.evidence.noun(record.cell.workload))


def best_or_failed(
    scope: TableScope, best: Record | None, same: Sequence[Record], quantity: Callable[[Record], Estimate | None]
) -> Cellv:
    """The best record's number, else why none of its like has one."""
    shown = best or next(iter(same), None)
    return MISSING if shown is None else or_failed(scope, shown, quantity)


def places(scope: TableScope, names: Sequence[str], cells: Sequence[Cellv]) -> Cellv:
    """Who comes first among cells of one row, in words; what overlaps shares a place (``Evidence.order``)."""
    measured: list[tuple[Record, Estimate] | None] = []
    for cell in cells:
        behind = scope.evidence.resolve(cell.cells if cell.estimate is not None else ())
        measured += [(session.records[cell_id], cell.estimate) for session, cell_id in behind] or [None]
    ranks = stats_estimate.ranks(measured, scope.evidence.order)
    found = sorted((place, i) for i, place in enumerate(ranks) if place is not None)
    if len(found) < 2:
        return NOTHING
    refs = tuple(dict.fromkeys(ref for _, i in found for ref in cells[i].cells))
    text = ", ".join(f"{place}. {names[i]}" for place, i in found)
    once = any(cells[i].estimate.n == 1 for _, i in found)
    return Cellv(text=f"{text} (by single runs)" if once else text, cells=refs)


def rate(
    scope: TableScope,
    session: SessionResults,
    workload: str,
    mode: Mode,
    device: Device,
    backend: Backend | None = None,
) -> Cellv:
    """The rate of an arm's best record, or why it has none."""
    found = scope.evidence.view(session).candidates(Pick(workload, mode, device, backend=backend))
    return best_or_failed(scope, select.fastest(scope, found), found, quantities.throughput)


def arm_text(backend: str, device: str) -> str:
    """An arm in words."""
    return f"{fmt.backend(backend)}, {fmt.device(device)}"


def sized(scope: TableScope, record: Record) -> str:
    """A workload's title, with the parameters that tell this size from its others."""
    title, own = scope.evidence.title(record.cell.workload), fmt.params(scope.evidence.distinct_params(record))
    return f"{title} ({own})" if own else title


def backend_names() -> tuple[str, ...]:
    """All backends in words."""
    return tuple(fmt.backend(backend) for backend in BACKENDS)


def both_devices(scope: TableScope, session: SessionResults, workload: str) -> tuple[Cellv, Cellv, Cellv]:
    """Training speed on the CPU and on the GPU, and their ratio with what batch and precision each had."""
    contrast = scope.evidence.view(session).best_contrast(Pick(workload))
    if contrast is None:
        cpu, gpu = (rate(scope, session, workload, "train", device) for device in DEVICES)
        return (cpu, gpu, MISSING) if session.machine.gpus else (cpu, NO_GPU, NOTHING)
    _, _, cpu, gpu, ratio = sides(scope, contrast)
    value, _, interval = ratio.text.partition(" (")
    return cpu, gpu, msgspec.structs.replace(ratio, text=f"{value} ({contrast.arms}; {interval}")


def sides(scope: TableScope, contrast: Contrast) -> tuple[Cellv, ...]:
    """Settings, CPU, both speeds and the ratio."""
    noun = scope.evidence.noun(contrast.cpu.cell.workload)
    return (
        text(contrast.arms),
        text(scope.evidence.view(contrast.session).cpu_text(contrast.cpu)),
        *(estimate(scope, quantities.throughput(r), r, noun=noun) for r in (contrast.cpu, contrast.gpu)),
        estimate(scope, contrast.speedup, contrast.gpu, contrast.cpu),
    )
