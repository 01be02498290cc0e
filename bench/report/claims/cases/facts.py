"""Cases from facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.report.claims.case import Case, Part, case_of
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated, lookup
from bench.report.facts.fact import Fact
from bench.report.stats import estimate, spoken
from bench.report.stats import format as fmt


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
        value, kinds = estimates[0], {one.kind for one in found}
        is_estimated, is_published = "estimated" in kinds, "estimated" not in kinds and "published" in kinds
        refs = () if is_published else evidence.refs(*records)
        if len(estimates) == 1:
            part = Part(found[0].text, refs, fact=found[0].id, is_estimated=is_estimated, is_published=is_published)
            yield Case(name=name, value=value.value, low=value.low, high=value.high, part=part)
        elif (ratio := estimate.quotient(value, estimates[1])) is not None:
            if is_estimated or is_published:
                text, short = estimated.says(ratio) if is_estimated else fmt.estimate(ratio), spoken.spoken(ratio)
                part = Part(text, refs, is_estimated=is_estimated, is_published=is_published, short=short)
                yield Case(name=name, value=ratio.value, low=ratio.low, high=ratio.high, part=part)
                continue
            if len(records) == len(found) and value.unit in estimate.TIMED_UNITS:
                ratio = evidence.with_drift(ratio, *records)
            yield case_of(name, ratio, refs)


def _sessions(fact: Fact) -> frozenset[str]:
    return frozenset(session.path for session, _ in fact.cells)
