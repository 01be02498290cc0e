"""However many machines there are, a page shows a few: the first, and others from the slowest to the fastest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.records import store
from bench.report.charts import make_table
from bench.report.evidence.evidence import MOST_MACHINES, Evidence
from bench.schema import Control
from scripts import many_machines
from tests.factories import make_evidence, make_machine, make_record, make_session_results


def machines(n: int) -> Evidence:
    """Evidence of machines m0 and so on, of which each has a slower control kernel than the one before it."""
    sessions = []
    for number in range(n):
        record = make_record(n_runs=2)
        control = Control(n=64, seconds=(1.0 + number,))
        runs = tuple(msgspec.structs.replace(run, control_before=control) for run in record.runs)
        record = msgspec.structs.replace(record, runs=runs)
        sessions.append(make_session_results([record], machine=make_machine(f"m{number:02}")))
    return make_evidence(*sessions)


@pytest.mark.parametrize("n", [1, MOST_MACHINES])
def test_few_machines_are_all_shown(n: int):
    evidence = machines(n)

    assert evidence.shown == evidence.chosen
    assert n == len(evidence.chosen)


def test_of_many_machines_the_first_and_the_extremes_are_chosen():
    evidence = machines(40)

    names = [session.machine.id for session in evidence.chosen]

    behind = sorted(session.machine.id for session in evidence.shown[2:])
    assert MOST_MACHINES == len(set(names))
    assert {*(session.machine.id for session in evidence.shown[:2]), behind[0], behind[-1]} < set(names)


def test_a_table_is_no_longer_with_more_machines():
    few, many = (make_table.make("fairness", machines(n)) for n in (MOST_MACHINES, 40))

    assert len(few.rows) == len(many.rows)


def test_invented_machines_pass_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(many_machines, "RECORDS", 3)

    many_machines.write(tmp_path, 2)

    assert [] == store.check(tmp_path)
    one, other = (
        sum(run.total_s for record in session.records.values() for run in record.runs)
        for session in store.load(tmp_path).sessions
    )
    assert one != other


@pytest.mark.parametrize("most", [1, 99], ids=["other processes", "this one"])
def test_problems_are_the_same_wherever_they_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(many_machines, "RECORDS", 1)
    many_machines.write(tmp_path, 3)
    for number in (1, 3):
        next((tmp_path / f"m-000{number}").glob("*/machine.json")).write_text("{")
    monkeypatch.setattr(store, "FEW_SESSIONS", most)

    found = store.check(tmp_path)

    assert ["m-0001", "m-0003"] == [problem.partition("/")[0] for problem in found]
