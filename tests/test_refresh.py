"""A session from plan to records with a fake launcher: resumed after a kill, closed early, stopped in time."""

import itertools
import statistics
import threading
from dataclasses import replace
from datetime import datetime

import pytest

from bench.machine import cores, describe, software
from bench.records import files, store
from bench.schema import METHOD_VERSION, Run
from bench.session import run as session_run
from bench.session.prepare import Options, prepare
from tests.factories import INVENTED, just_now, make_gpu, make_machine, run_now


@pytest.fixture(autouse=True)
def one_machine(monkeypatch):
    """The same invented machine whatever runs the tests, with every backend but torch."""
    monkeypatch.setattr(describe, "describe", lambda machine_id="": make_machine(machine_id or "example-2c"))
    monkeypatch.setattr(cores, "cores", lambda: cores.Cores(2, 2, None, 2))
    monkeypatch.setattr(software, "versions", lambda: {"keras": "3.0.0", "tensorflow": "2.0.0"})
    monkeypatch.setattr(software, "backend_version", lambda backend: None if backend == "torch" else "1.0")


def options(tmp_path, **fields):
    known = {"profile": "smoke", "only": ("cnn-digits", "matmul"), "repeats": 3, "results": tmp_path}
    return Options(**known | fields)


def run_all(prepared, launcher=run_now, **fields):
    return list(session_run.execute(prepared, launcher=launcher, **fields))


def records_of(prepared, root):
    return store.load_session(prepared.folder, root).records


def test_a_session_leaves_a_record_of_every_cell_and_no_spool(tmp_path):
    prepared = prepare(options(tmp_path))

    steps = run_all(prepared)

    records = records_of(prepared, tmp_path)
    assert set(prepared.plan.cells) == set(records)
    assert {3} == {len(record.runs) for record in records.values()}
    assert len(records) == sum(step.record is not None for step in steps)
    assert not (prepared.folder / files.SPOOL).exists()
    assert [] == store.check(tmp_path)


def test_a_kill_loses_at_most_the_run_in_flight_and_resume_goes_on(tmp_path):
    """Whatever run is in flight when the process dies, the resumed session is the one that was never killed."""
    n_runs = len(prepare(options(tmp_path / "whole")).plan.runs)

    for n_before_kill in range(n_runs):
        root = tmp_path / f"killed-{n_before_kill}"
        first = prepare(options(root))
        calls = itertools.count()

        def dying(request, calls=calls, limit=n_before_kill):
            if next(calls) == limit:
                raise KeyboardInterrupt
            return run_now(request)

        with pytest.raises(KeyboardInterrupt):
            run_all(first, dying)
        resumed = prepare(options(root, resume=True))

        assert first.folder == resumed.folder
        assert n_runs - n_before_kill == len(resumed.plan.runs)
        run_all(resumed)
        orders = [run.order for record in records_of(resumed, root).values() for run in record.runs]
        assert sorted(orders) == list(range(n_runs))
        assert [] == store.check(root)


def test_a_kill_between_the_last_run_and_its_record_is_mended(tmp_path, monkeypatch):
    first = prepare(options(tmp_path, only=("matmul",)))
    with monkeypatch.context() as patch:
        patch.setattr(session_run, "close", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_all(first)

    resumed = prepare(options(tmp_path, only=("matmul",), resume=True))
    run_all(resumed)

    assert set(first.plan.cells) == set(records_of(resumed, tmp_path))


def test_resuming_a_complete_session_starts_nothing(tmp_path):
    run_all(prepare(options(tmp_path)))

    again = prepare(options(tmp_path, resume=True))

    assert not again.is_new
    assert () == again.plan.runs


def test_without_resume_a_new_session_begins(tmp_path):
    first = prepare(options(tmp_path))
    run_all(first)

    second = prepare(options(tmp_path))

    assert second.is_new
    assert f"{first.session.id}-2" == second.session.id


def test_another_environment_begins_a_new_session_and_says_why(tmp_path, monkeypatch):
    run_all(prepare(options(tmp_path)))
    monkeypatch.setattr(software, "versions", lambda: {"keras": "3.1.0", "tensorflow": "2.0.0"})

    again = prepare(options(tmp_path, resume=True))

    assert again.is_new
    assert "keras was 3.0.0 in the latest session and is 3.1.0 now" == again.note


def test_runs_of_an_older_method_are_never_closed_under_todays(tmp_path, monkeypatch):
    calls = itertools.count()

    def dying(request):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return run_now(request)

    with pytest.raises(KeyboardInterrupt):
        run_all(prepare(options(tmp_path)), dying)
    monkeypatch.setattr("bench.session.prepare.METHOD_VERSION", METHOD_VERSION + 1)

    again = prepare(options(tmp_path, resume=True))

    assert again.is_new
    assert "has runs left of method" in again.note


def test_a_session_without_runs_left_goes_on_under_another_method(tmp_path, monkeypatch):
    first = prepare(options(tmp_path))
    run_all(first)
    monkeypatch.setattr("bench.session.prepare.METHOD_VERSION", METHOD_VERSION + 1)

    assert first.folder == prepare(options(tmp_path, resume=True)).folder


def test_failing_is_a_record_and_stops_nothing(tmp_path):
    def failing(request):
        if request.cell.workload == "matmul":
            return Run(
                index=request.index,
                order=request.order,
                status="out_of_memory",
                reason="it was too large",
                started_at=just_now(),
                total_s=1.0,
            )
        return run_now(request)

    prepared = prepare(options(tmp_path))
    run_all(prepared, failing)

    status = {record.cell.workload: record.status for record in records_of(prepared, tmp_path).values()}
    assert {"cnn-digits": "ok", "matmul": "out_of_memory"} == status
    assert [] == store.check(tmp_path)


def test_a_cell_with_one_good_run_keeps_it_and_names_the_bad_ones(tmp_path):
    def flaky(request):
        if request.index:
            return Run(
                index=request.index,
                order=request.order,
                status="timeout",
                reason="no result after 5 s",
                started_at=just_now(),
                total_s=5.0,
            )
        return run_now(request)

    prepared = prepare(options(tmp_path, only=("matmul",)))
    run_all(prepared, flaky)

    for record in records_of(prepared, tmp_path).values():
        assert ("ok", "2 of 3 runs did not finish: no result after 5 s") == (record.status, record.reason)


def test_a_backend_that_is_not_installed_leaves_skipped_records(tmp_path):
    prepared = prepare(options(tmp_path, backends=("torch",)))
    run_all(prepared)

    records = records_of(prepared, tmp_path)
    assert {"skipped"} == {record.status for record in records.values()}
    (reason,) = {record.reason for record in records.values()}
    assert reason.startswith("torch is not installed; ") and "pip install" not in reason, "only the doctor knows which"


def test_runs_at_once_meet_and_leave_the_records_of_runs_in_turn(tmp_path):
    prepared = prepare(options(tmp_path / "at-once", repeats=2))
    alone = prepare(options(tmp_path / "in-turn", repeats=2))
    two = threading.Barrier(2, timeout=60)

    def meeting(request):
        two.wait()
        return run_now(request)

    steps = run_all(prepared, launcher=meeting, n_at_once=2)
    run_all(alone)

    assert len(prepared.plan.runs) == len(steps) == steps[-1].n_done
    at_once, in_turn = (records_of(prepared, tmp_path / "at-once"), records_of(alone, tmp_path / "in-turn"))
    assert {cell_id: [run.index for run in record.runs] for cell_id, record in in_turn.items()} == {
        cell_id: [run.index for run in record.runs] for cell_id, record in at_once.items()
    }


@pytest.mark.parametrize(("n_at_once", "expected"), [(1, None), (2, "passive")])
def test_waiting_threads_sleep_only_where_runs_share_the_machine(tmp_path, monkeypatch, n_at_once, expected):
    """Spinning threads of two processes on the same cores slow each other down many times over."""
    policies = []

    def recording(request, base=None, timeout_s=None):
        policies.append((base or {}).get("OMP_WAIT_POLICY"))
        return run_now(request)

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(session_run.launch, "launch", recording)
    prepared = prepare(options(tmp_path))

    assert list(session_run.execute(prepared, n_at_once=n_at_once))
    assert {expected} == set(policies)


def test_whoever_stops_listening_ends_the_runs_under_way(tmp_path, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(session_run.launch, "end_all", ended.set)
    prepared = prepare(options(tmp_path))
    n_launched = itertools.count()

    def first_returns(request):
        if next(n_launched):
            assert ended.wait(timeout=60)
        return run_now(request)

    steps = session_run.execute(prepared, launcher=first_returns, n_at_once=2)
    next(steps)
    steps.close()

    assert ended.is_set()
    assert 2 >= next(n_launched)


def test_a_clock_that_is_set_back_lets_no_run_begin_before_the_last_ones_end(tmp_path):
    hours = itertools.count(12, -1)

    def back_in_time(request):
        return run_now(request, started_at=f"{just_now()[:10]}T{next(hours):02d}:00:00+00:00", total_s=100.0)

    runs = [step.run for step in run_all(prepare(options(tmp_path)), launcher=back_in_time)]

    starts = [datetime.fromisoformat(run.started_at) for run in runs]
    assert [100.0] * (len(runs) - 1) == [(b - a).total_seconds() for a, b in itertools.pairwise(starts)]


def test_only_the_smoke_size_on_a_cpu_shares_the_machine(tmp_path):
    n_at_once = {
        profile: session_run.at_once(prepare(options(tmp_path, profile=profile, only=("matmul",))))
        for profile in ("smoke", "quick", "reference")
    }

    assert {"smoke": 2, "quick": 1, "reference": 1} == n_at_once


def test_smoke_runs_on_a_gpu_stay_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(describe, "describe", lambda machine_id="": make_machine("example-2c", gpus=(make_gpu(),)))
    prepared = prepare(options(tmp_path))

    assert "gpu" in {cell.device for cell in prepared.plan.cells.values()}
    assert 1 == session_run.at_once(prepared)


def test_a_time_budget_that_runs_out_leaves_the_rest_for_resume(tmp_path):
    clock = itertools.count(step=40.0)
    prepared = prepare(options(tmp_path, only=("cnn-digits",), time_budget_s=10_000.0))
    tight = prepare(options(tmp_path / "tight", only=("cnn-digits",), time_budget_s=100.0))

    assert len(run_all(prepared, now=lambda: 0.0)) == len(prepared.plan.runs)
    assert len(run_all(tight, now=lambda: float(next(clock)))) < len(prepared.plan.runs)


def test_seal_stores_unfinished_cells_with_the_runs_they_have(tmp_path):
    prepared = prepare(options(tmp_path, only=("matmul",)))
    steps = session_run.execute(prepared, launcher=run_now)
    for _ in range(len(prepared.plan.cells)):
        next(steps)
    steps.close()

    sealed = session_run.seal(prepared)

    assert sealed
    assert all(0 < len(record.runs) < 3 for record in sealed)
    assert not (prepared.folder / files.SPOOL).exists()


def test_earlier_records_teach_the_plan_what_a_run_takes(tmp_path):
    prepared = prepare(options(tmp_path))
    run_all(prepared)
    took = {
        cell_id: statistics.median(run.total_s for run in record.runs)
        for cell_id, record in records_of(prepared, tmp_path).items()
    }

    again = prepare(options(tmp_path))

    assert took == {run.cell.id: run.estimate_s for run in again.plan.runs}
    assert took != {run.cell.id: run.estimate_s for run in prepared.plan.runs}


class Clock:
    """Time that passes only while a run is launched."""

    def __init__(self, seconds_of):
        self.now, self._seconds_of, self.last = 0.0, seconds_of, 0.0

    def launch(self, request):
        self.last = self._seconds_of(request)
        self.now += self.last
        return run_now(request)


@pytest.mark.slow
@pytest.mark.parametrize("off_by", [0.3, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("budget_s", [200.0, 600.0])
def test_a_time_budget_is_filled_and_overrun_by_one_run_at_most(tmp_path, off_by, budget_s):
    """Runs that take up to three times longer or shorter than expected, and far more to do than there is time."""
    wanted = options(tmp_path, only=tuple(INVENTED), profile="reference", repeats=2, time_budget_s=budget_s)
    prepared = prepare(replace(wanted, backends=("tensorflow", "jax")))
    runs = (*prepared.plan.runs, *prepared.plan.spare)
    expected = {run.cell.id: run.estimate_s for run in runs}
    assert sum(run.estimate_s for run in runs) * off_by > budget_s, "there must be enough to do"
    clock = Clock(lambda request: off_by * expected[request.cell.id])

    run_all(prepared, clock.launch, now=lambda: clock.now)

    assert 0.85 * budget_s <= clock.now <= budget_s + clock.last


def test_time_that_is_left_goes_to_cells_that_the_plan_had_left_out(tmp_path):
    prepared = prepare(options(tmp_path, time_budget_s=60.0))
    left_out = {cell.id for cell, _ in prepared.plan.left_out}
    assert left_out

    steps = run_all(prepared, now=lambda: 0.0)

    records = records_of(prepared, tmp_path)
    assert left_out & set(records)
    assert {3} == {len(records[cell_id].runs) for cell_id in left_out & set(records)}
    assert steps[-1].n_done == steps[-1].n_total == len(steps)
    assert [] == store.check(tmp_path)
