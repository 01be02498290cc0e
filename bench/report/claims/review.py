"""What new sessions would change, for whoever lets them in or not: rank, odd values, gaps, turned verdicts. Pure.

Nothing here refuses: the gate has done that. What is odd may be true.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bench import grouped
from bench.records.store import SessionResults
from bench.report.claims import answers, ledger
from bench.report.claims import beliefs as claims_beliefs
from bench.report.claims.beliefs import Beliefs
from bench.report.evidence import against, cells
from bench.report.evidence.evidence import Evidence
from bench.report.facts import graded
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.schema import BACKENDS, DEVICES, Device, Record

MOST_NAMED = 5  # cells that one line names


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A session with new files: what it holds, and what a person should look at. Sentences without a full stop."""

    session: str  # path
    machine: str  # in words
    profile: str
    standing: str  # kind
    counts: dict[str, int]  # records by status
    rank: tuple[str, ...]  # among the other machines, on each device
    odd: tuple[str, ...]  # values that are possible, and not what one would expect
    missing: tuple[str, ...]  # what was planned, or what others have, and this session has not


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that becomes another."""

    what: str  # "belief", "answer" or "claim"
    id: str
    before: str
    after: str
    sentence: str  # what it will say


def arrival(evidence: Evidence, session: SessionResults) -> Arrival:
    """A session beside everything else of ``evidence``, which holds it."""
    records = list(session.records.values())
    return Arrival(
        session=session.path,
        machine=evidence.view(session).words,
        profile=session.session.profile,
        standing=session.standing.kind,
        counts=dict(sorted(Counter(str(record.status) for record in records).items())),
        rank=tuple(_ranks(evidence, session)),
        odd=tuple(_odd(evidence, session)),
        missing=tuple(_missing(evidence, session)),
    )


def _ranks(evidence: Evidence, session: SessionResults) -> Iterator[str]:
    """Its place by the middle ratio to each other machine, over the cells of a device that both measured alike."""
    others = [one for one in evidence.shown if one.machine.id != session.machine.id]
    compared = [(one, against.compare(session, one)) for one in others]
    like = [pair for pair in compared if pair[1].is_like]
    for device in DEVICES:
        for pool, words in ((like, "machines of the same processor, cores and GPUs"), (compared, "all machines")):
            ratios = {one.machine.id: _middle(found, device) for one, found in pool}
            known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
            if known:
                place = 1 + sum(ratio > 1 for ratio in known.values())
                listed = ", ".join(f"{name} {fmt.ratio(ratio)}" for name, ratio in sorted(known.items()))
                yield f"{fmt.device(device)}: place {place} of {len(known) + 1} among {words}; that / this: {listed}"


def _middle(compared: against.Comparison, device: Device) -> float | None:
    ratios = [math.log(ratio.value) for row, ratio in compared.rated if row.device == device]
    return math.exp(statistics.median(ratios)) if len(ratios) >= against.MIN_PATTERN else None


def _odd(evidence: Evidence, session: SessionResults) -> Iterator[str]:
    others = [one for one in evidence.sessions if one.path != session.path and not one.is_local]
    if (there := against.most_like(session, others)) is not None:
        compared = against.compare(session, there)
        yield against.normal(compared).rstrip(".")
        if out := against.standing_out(compared):
            rows = [
                f"{row.cell_id} {row.series}".strip() + f" ({fmt.ratio(row.ratio.value)})" for row in out if row.ratio
            ]
            yield f"stand out most (that / this): {_some(rows)}"
    measured = [record for record in session.records.values() if record.status == "ok"]
    if flagged := [record.cell.id for record in measured if evidence.flags(record)]:
        yield f"{len(flagged)} of {len(measured)} measured cells ran beside something else: {_some(flagged)}"
    speeds = [(record, quantities.throughput(record)) for record in measured]
    if noisy := [record.cell.id for record, speed in speeds if speed is not None and speed.is_noisy]:
        yield f"{len(noisy)} results differ from run to run by more than usual: {_some(noisy)}"
    if evidence.view(session).has_passed_self_test is False:
        yield "the session does not agree with itself: even runs differ from odd ones"
    grades = [(record, graded.grade(session, record)) for record in measured]
    if outside := [record.cell.id for record, grade in grades if grade is not None and not grade.is_inside]:
        n = sum(grade is not None for _, grade in grades)
        yield f"{len(outside)} of {n} GPU steps lie outside the range that the formula gives: {_some(outside)}"
    if older := [record.cell.id for record in measured if cells.is_older_method(record)]:
        yield f"{len(older)} cells were made by other code or another method than today's: {_some(older)}"


def _missing(evidence: Evidence, session: SessionResults) -> Iterator[str]:
    records = session.records
    if absent := [one.cell_id for one in session.session.plan if not one.skip and one.cell_id not in records]:
        yield f"{len(absent)} planned cells have no record: {_some(absent)}"
    by_reason = grouped(
        (r for r in records.values() if r.status != "ok"), lambda record: (record.status, record.reason)
    )
    for (status, reason), found in by_reason.items():
        yield f"{len(found)} {fmt.status(status)}, {reason}: {_some([record.cell.id for record in found])}"
    measured = [record for record in records.values() if record.status == "ok"]
    for what, expected, found_ in (
        ("backends", BACKENDS, {record.cell.backend for record in measured}),
        ("networks", evidence.model_workloads(), {record.cell.workload for record in measured}),
    ):
        if rest := [name for name in expected if name not in found_]:
            yield f"{what} without a measured cell: {', '.join(rest)}"
    arms = grouped(measured, _arm)
    if lone := ["-".join(arm) for arm, found in sorted(arms.items()) if {r.cell.device for r in found} == {"gpu"}]:
        yield f"measured on the GPU and not on the CPU beside it: {_some(lone)}"


def _arm(record: Record) -> tuple[str, str]:
    return record.cell.workload, record.cell.mode


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def turns(
    before: Evidence, after: Evidence, beliefs: Beliefs, specs: Mapping[str, answers.Spec]
) -> tuple[tuple[Turn, ...], int]:
    """Verdicts that become others, and how many keep theirs with another sentence.

    Args:
        specs: the rules of answers that records decide, by the answer's id.
    """
    then, now = (_verdicts(evidence, beliefs, specs) for evidence in (before, after))
    both = [(key, then[key], now[key]) for key in now if key in then]
    turned = [
        Turn(what=what, id=name, before=old, after=new, sentence=said)
        for (what, name), (old, _), (new, said) in both
        if old != new
    ]
    return tuple(turned), sum(old == new and was != said for _, (old, was), (new, said) in both)


def _verdicts(
    evidence: Evidence, beliefs: Beliefs, specs: Mapping[str, answers.Spec]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Outcome and sentence of every belief, answer and claim."""
    found: dict[tuple[str, str], Any] = {
        ("belief", name): claims_beliefs.lookup(name, beliefs, evidence) for name in beliefs
    }
    found |= {("answer", name): answers.decide(name, spec, beliefs, evidence) for name, spec in specs.items()}
    shown = {key: (str(one.outcome), one.sentence) for key, one in found.items()}
    claims = ledger.items(evidence, beliefs)
    return shown | {("claim", item.claim.id): (item.word, item.sentence) for item in claims}
