"""The makers of cases that rules name, and the names of cases. Pure.

A maker takes evidence and the arguments that a rule gives it, and returns cases. Smoke runs are left out: they only
prove that the code runs. Comparisons stay within one session. A cell that was disturbed while it was measured counts
only where none of its like was not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.report.claims.case import Case, Part, case_of
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import format as fmt
from bench.report.stats import spoken
from bench.schema import Record

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


def name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True) -> str:
    """A cell's task in words: title, mode where it is not training, and what tells it from the other sizes."""
    cell = record.cell
    words = _task(evidence, record)
    same = evidence.view(session).records(Pick(cell.workload, cell.mode, cell.device))
    if batch and any(r.cell.batch_size != cell.batch_size for r in same):
        words += f", batch {cell.batch_size}"
    return placed(evidence, words, session)


def _task(evidence: Evidence, record: Record) -> str:
    """A cell's task without its batch size."""
    distinct = fmt.params(evidence.distinct_params(record))
    mode = ", inference" if record.cell.mode == "infer" else ""
    return evidence.title(record.cell.workload) + mode + (f" ({distinct})" if distinct else "")


def arm_name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True) -> str:
    """Name of a cell with its backend and device."""
    cell = record.cell
    return f"{name(evidence, record, session, batch=batch)}, {fmt.backend(cell.backend)} on the {cell.device.upper()}"


def placed(evidence: Evidence, words: str, session: SessionResults) -> str:
    """Words, with the machine where there are several."""
    return words if len(serious(evidence)) == 1 else f"{words}, on {evidence.view(session).label}"
