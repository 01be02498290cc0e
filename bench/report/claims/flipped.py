"""Verdicts that changed when a session came in: before, after, and what was new about it. Pure.

The published sessions are taken in the order in which they were measured; the records of each are added to those
before it, and every rule is asked again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from bench.records.store import Results, SessionResults
from bench.report.claims import beliefs as claims_beliefs
from bench.report.claims.beliefs import Beliefs
from bench.report.claims.case import Verdict
from bench.report.evidence import history
from bench.report.evidence.evidence import Evidence

MOST_SESSIONS = 20  # each is judged together with all before it


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict that a session changed."""

    session: SessionResults
    before: Verdict
    after: Verdict
    cause: str


Keep = Callable[[str, Callable[[], Verdict]], Verdict]


def flips(evidence: Evidence, beliefs: Beliefs, keep: Keep = lambda name, make: make()) -> tuple[Flip, ...]:
    """Changes of outcome over the last published sessions, newest first; empty with fewer than two sessions.

    Args:
        keep: makes a verdict, or knows it by its name from an earlier time.
    """
    sessions = sorted((s for s in evidence.sessions if not s.is_local), key=lambda s: s.session.started_at)
    found: list[Flip] = []
    before: dict[str, Verdict] = {}
    for number, session in list(enumerate(sessions))[-MOST_SESSIONS:]:
        until = sessions[: number + 1]
        is_all = len(until) == len(evidence.sessions)
        then = evidence if is_all else Evidence(Results(tuple(until)), evidence.workloads)
        judge = functools.partial(claims_beliefs.lookup, beliefs=beliefs, evidence=then)
        after = {id_: keep(f"{id_} until {session.path}", functools.partial(judge, id_)) for id_ in beliefs}
        why = cause(session, sessions[:number])
        turned = [id_ for id_ in after if before and after[id_].outcome != before[id_].outcome]
        found = [Flip(session=session, before=before[id_], after=after[id_], cause=why) for id_ in turned] + found
        before = after
    return tuple(found)


def cause(session: SessionResults, earlier: list[SessionResults]) -> str:
    """What is new about a session beside those before it: hardware, method, versions, or only more records."""
    same = [other for other in earlier if other.machine.id == session.machine.id]
    if not same:
        gpus = ", ".join(gpu.name for gpu in session.machine.gpus)
        return f"hardware: a new machine, {session.machine.cpu_model}{f' with {gpus}' if gpus else ''}"
    last = same[-1].session
    if last.method_version != session.session.method_version:
        return f"method: version {last.method_version} became {session.session.method_version}"
    changed = [f"{name} {then} became {now}" for name, then, now in history.changed_versions(same[-1], session)]
    return f"version: {', '.join(changed)}" if changed else "more records of a known machine"
