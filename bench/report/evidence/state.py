"""The state of the data: what each machine's newest records are worth today. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench import grouped
from bench.records.store import SessionResults
from bench.report.evidence import cells
from bench.report.evidence.history import VERSIONED

NUMBER = re.compile(r"\d+")


class State(NamedTuple):
    """One machine: ``counts`` are its cells by the status of their newest record."""

    machine: str
    is_local: bool
    n_sessions: int
    newest_day: str  # as "2026-11-21"
    counts: Mapping[str, int]
    n_older: int  # finished cells whose method or code has changed since
    behind: tuple[str, ...]  # "keras 3.12.0, lock 3.13.1"


def states(sessions: Iterable[SessionResults], locked: Mapping[str, str]) -> list[State]:
    """Each machine's state, by name; ``locked`` are the package versions that this checkout installs."""
    by_machine = grouped(sessions, lambda session: (session.machine.id, session.is_local))
    return [_state(*key, found, locked) for key, found in sorted(by_machine.items())]


def _state(machine: str, is_local: bool, found: list[SessionResults], locked: Mapping[str, str]) -> State:
    ordered = sorted(found, key=lambda session: session.session.started_at)
    newest = {cell: record for session in ordered for cell, record in session.records.items()}
    n_older = sum(record.status == "ok" and cells.is_older_method(record) for record in newest.values())
    counts = Counter(str(record.status) for record in newest.values())
    used: dict[str, str] = {}
    for session in ordered:
        used |= session.session.versions
    behind = tuple(
        f"{name} {used[name]}, lock {locked[name]}"
        for name in VERSIONED
        if name in used and name in locked and _release(used[name]) < _release(locked[name])
    )
    return State(machine, is_local, len(ordered), ordered[-1].session.started_at[:10], counts, n_older, behind)


def locked_versions(text: str) -> dict[str, str]:
    """Package -> version of a lock file's lines ``name==version``."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", text, re.M))


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, NUMBER.findall(version.partition("+")[0])))
