"""Cases from facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.report.claims.case import Case, Part, case_of
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated, lookup
from bench.report.facts.fact import Fact
from bench.report.stats import estimate, spoken


def listed(one: str | list[str]) -> tuple[str, ...]:
    """One or several, as several."""
    return (one,) if isinstance(one, str) else tuple(one)


def of_facts(facts: Mapping[str, str | list[str]], evidence: Evidence) -> Iterator[Case]:
    """The facts that are known, by name of the case; of two the ratio, if one machine gave both in one session."""
    for name, ids in facts.items():
        found = [lookup.lookup(one, evidence) for one in listed(ids)]
        estimates = [one.estimate for one in found if one.estimate is not None]
        if len(estimates) < len(found) or len({_sessions(one) for one in found}) > 1:
            continue
        records = [session.records[cell] for one in found for session, cell in one.cells]
        refs = evidence.refs(*records)
        value, is_estimated = estimates[0], any(one.kind == "estimated" for one in found)
        if len(estimates) == 1:
            part = Part(found[0].text, refs, fact=found[0].id, is_estimated=is_estimated)
            yield Case(name=name, value=value.value, low=value.low, high=value.high, part=part)
        elif (ratio := estimate.quotient(value, estimates[1])) is not None:
            if is_estimated:
                part = Part(estimated.says(ratio), refs, is_estimated=True, short=spoken.spoken(ratio))
                yield Case(name=name, value=ratio.value, low=ratio.low, high=ratio.high, part=part)
                continue
            if len(records) == len(found) and value.unit in estimate.TIMED_UNITS:
                ratio = evidence.with_drift(ratio, *records)
            yield case_of(name, ratio, refs)


def _sessions(fact: Fact) -> frozenset[str]:
    return frozenset(session.path for session, _ in fact.cells)
