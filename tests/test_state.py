"""The state of the data: newest record of each cell, code that changed since, versions behind the lock."""

from __future__ import annotations

import msgspec

from bench.report.evidence import state
from tests import committed


def _of(machine, sessions, locked=None):
    return next(found for found in state.states(sessions, locked or {}) if found.machine == machine)


def test_every_machine_counts_each_cell_once():
    sessions = committed.results().sessions
    machine = sessions[0].machine.id
    newest = {}
    for session in sorted(sessions, key=lambda one: one.session.started_at):
        if session.machine.id == machine:
            newest |= session.records
    found = _of(machine, sessions)
    assert sum(found.counts.values()) == len(newest)
    assert found.counts["ok"] == sum(record.status == "ok" for record in newest.values())


def test_a_record_of_other_code_is_counted_as_earlier():
    session = committed.results().sessions[0]
    before = _of(session.machine.id, [session]).n_older
    cell, record = next((c, r) for c, r in session.records.items() if r.status == "ok")
    current = msgspec.structs.replace(record, source_hash="0" * len(record.source_hash))
    changed = session._replace(records={**session.records, cell: current})
    assert _of(session.machine.id, [changed]).n_older >= max(before, 1)


def test_a_version_older_than_the_lock_is_behind():
    session = committed.results().sessions[0]
    used = session.session.versions["keras"]
    assert _of(session.machine.id, [session], {"keras": "99.10"}).behind == (f"keras {used}, lock 99.10",)
    assert _of(session.machine.id, [session], {"keras": used}).behind == ()
    assert state.locked_versions("keras==3.10.0 \\\n    --hash=x\njax==0.9 ; python_version\n") == {
        "keras": "3.10.0", "jax": "0.9",
    }  # fmt: skip
