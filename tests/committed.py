"""The committed records, read once in a process. Nobody changes them: what is estimated from one serves every test."""

from __future__ import annotations

from functools import cache

from bench.records import files, store
from bench.records.store import Results, SessionResults
from bench.report.evidence.evidence import Evidence
from bench.workloads import registry


@cache
def results() -> Results:
    """The published sessions, without what this machine measured for itself."""
    loaded = store.load(files.RESULTS)
    return loaded._replace(sessions=tuple(session for session in loaded.sessions if not session.is_local))


@cache
def evidence() -> Evidence:
    """Evidence over all of them."""
    return Evidence(results(), registry.workloads())


def without_a_gpu(*more: SessionResults) -> Evidence:
    """Evidence over those of machines without a GPU, and further sessions."""
    bare = tuple(session for session in results().sessions if not session.machine.gpus)
    return Evidence(Results((*bare, *more)), registry.workloads())
