"""The makers of cases that rules name, and the names of cases. Pure.

A maker takes evidence and the arguments that a rule gives it, and returns cases. Smoke runs are left out: they only
prove that the code runs. Comparisons stay within one session. A cell that was disturbed while it was measured counts
only where none of its like was not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from bench.report.claims.case import Case, Part, case_of
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import format as fmt
from bench.report.stats import spoken
from bench.schema import Cell, Record

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.evidence.cells import Contrast
    from bench.report.evidence.evidence import Evidence
    from bench.report.facts.estimated import Pair

Maker = Callable[..., list[Case]]
MAKERS: dict[str, Maker] = {}


def maker(make: Maker) -> Maker:
    """Lets rules name a function of evidence and of keywords; its annotations say what the keywords may be."""
    MAKERS[make.__name__] = make
    return make


def serious(evidence: Evidence) -> tuple[SessionResults, ...]:
    """Sessions of real size, the leading one first."""
    return tuple(session for session in evidence.shown if session.session.profile != "smoke")


def contrast_case(evidence: Evidence, contrast: Contrast, more: str = "") -> Case:
    """GPU over CPU as a case, whose name says batch and precision of both."""
    name = f"{_task(evidence, contrast.gpu)}, {contrast.arms}{more}"
    refs = evidence.refs(contrast.gpu, contrast.cpu)
    return case_of(placed(evidence, name, contrast.session), contrast.speedup, refs)


def estimated_case(evidence: Evidence, pair: Pair) -> Case:
    """An estimated GPU over our CPU as a case."""
    part = Part(
        estimated.says(pair.speedup), evidence.refs(pair.record), is_estimated=True, short=spoken.spoken(pair.speedup)
    )
    name = f"{_task(evidence, pair.record)}, {pair.batches}"
    value = pair.speedup
    return Case(name=name, value=value.value, low=value.low, high=value.high, part=part)


def name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True, more: str = "") -> str:
    """A cell's task in words: title, mode where it is not training, what tells its size from others, ``more``."""
    cell = record.cell
    words = _task(evidence, record)
    same = evidence.view(session).records(Pick(cell.workload, cell.mode, cell.device))
    if batch and any(r.cell.batch_size != cell.batch_size for r in same):
        words += f", batch {cell.batch_size}"
    return placed(evidence, ", ".join(filter(None, (words, more))), session)


def _task(evidence: Evidence, record: Record) -> str:
    """A cell's task without its batch size."""
    distinct = evidence.size(record)
    mode = ", inference" if record.cell.mode == "infer" else ""
    return evidence.title(record.cell.workload) + mode + (f" ({distinct})" if distinct else "")


def arm_name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True) -> str:
    """Name of a cell with its backend and device."""
    cell = record.cell
    arm = f"{fmt.backend(cell.backend)} on the {cell.device.upper()}"
    return name(evidence, record, session, batch=batch, more=arm)


def apart(evidence: Evidence, cases: Sequence[Case]) -> list[Case]:
    """The cases, those of one name with as much of what else tells their cells apart as is needed."""
    named = {at: case.name for at, case in enumerate(cases)}
    for say in TELLING:
        seen = Counter(named.values())
        cells = {at: _first_cell(evidence, cases[at]) for at, name in named.items() if seen[name] > 1}
        if not cells:
            break
        said: dict[str, dict[int, str]] = {}
        for at, cell in cells.items():
            said.setdefault(named[at], {})[at] = say(cell) if cell else ""
        for group in said.values():
            if len(set(group.values())) > 1:
                named |= {at: f"{named[at]}, {words}" for at, words in group.items()}
    return [msgspec.structs.replace(case, name=named[at]) for at, case in enumerate(cases)]


def _first_cell(evidence: Evidence, case: Case) -> Cell | None:
    return next((session.records[cell].cell for session, cell in evidence.resolve(case.part.cells[:1])), None)


# What may tell one cell from another, in words; what says more to a reader first.
TELLING: tuple[Callable[[Cell], str], ...] = (
    lambda cell: fmt.backend(cell.backend),
    lambda cell: fmt.MODE_NAMES[cell.mode],
    lambda cell: fmt.precision(cell.precision, cell.device),
    lambda cell: f"batch {fmt.count(cell.batch_size)}",
    lambda cell: fmt.cores(cell.threads),
    lambda cell: f"{fmt.count(cell.n_samples)} samples",
    lambda cell: "compiled" if cell.jit == "on" else "not compiled",
)


def placed(evidence: Evidence, words: str, session: SessionResults) -> str:
    """Words, with the machine where there are several."""
    return words if len(serious(evidence)) == 1 else f"{words}, on {evidence.view(session).label}"
