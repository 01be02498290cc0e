"""What a build keeps for the next one is used for the same state only, and never instead of the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest

from bench.records import store
from bench.report.charts import draw
from bench.report.charts import make_table as make
from bench.report.evidence.evidence import Evidence
from bench.report.pages import build, cache, workers

pytest.importorskip("altair")

from tests.factories import in_turn, make_evidence, make_record
from tests.sites import ROOT
from tests.test_pages import results_with, write_docs


def made_again(*_: object, **__: object) -> None:
    pytest.fail("made again")


def say_who(path: Path) -> int:
    """For another process: writes its id, at once, and returns it."""
    path.with_suffix(".new").write_text(f"{os.getpid()}")
    path.with_suffix(".new").replace(path)
    return os.getpid()


def opened(results: Path, folder: Path) -> tuple[cache.Cache, Evidence]:
    """A cache as a new process opens it, with its evidence."""
    found = cache.Cache()
    return found, found.evidence(results, folder)


def test_a_slow_value_comes_back_from_disk_and_only_for_its_name(tmp_path: Path):
    results = results_with(tmp_path / "results", make_record())
    first, evidence = opened(results, tmp_path / "kept")
    assert (1, 2) == first.keep(evidence, "table a", lambda: (1, 2), slow=True)

    second, evidence = opened(results, tmp_path / "kept")

    assert (1, 2) == second.keep(evidence, "table a", made_again, slow=True)
    assert 3 == second.keep(evidence, "table b", lambda: 3, slow=True)


def test_a_value_of_other_records_is_not_found(tmp_path: Path):
    results = results_with(tmp_path / "results", make_record())
    first, evidence = opened(results, tmp_path / "kept")
    first.keep(evidence, "a", lambda: 1, slow=True)

    store.write_record(next(results.rglob("session.json")).parent, make_record("matmul", session_date="2026-11-04"))
    second, evidence = opened(results, tmp_path / "kept")

    assert 2 == second.keep(evidence, "a", lambda: 2, slow=True)


def test_after_an_edit_an_unchanged_record_is_the_same_object(tmp_path: Path):
    results = results_with(tmp_path / "results", *in_turn([make_record(), make_record("matmul")]))
    found, before = opened(results, tmp_path / "kept")
    (path,) = results.rglob("matmul-*.json")
    then = dict(before.sessions[0].records)

    path.write_text(f"{path.read_text()}\n")
    (after,) = found.evidence(results, tmp_path / "kept").sessions

    assert [path.stem] == [cell for cell in after.records if after.records[cell] is not then[cell]]
    assert after is before.sessions[0]  # which values refer to


def test_another_evidence_has_values_of_its_own(tmp_path: Path):
    found, evidence = opened(results_with(tmp_path / "results", make_record()), tmp_path / "kept")
    found.keep(evidence, "a", lambda: 1)

    assert 2 == found.keep(make_evidence(), "a", lambda: 2)


def test_what_its_name_decides_outlives_the_evidence_and_not_the_next(tmp_path: Path):
    found = cache.Cache()
    made = []

    def of_evidence(*records: object, name: str = "a") -> str:
        found.evidence(results_with(tmp_path / f"{len(made)}{len(records)}{name}", *records))
        return found.keep_named("a", lambda: made.append(name) or name)

    first, second = make_record(), make_record("matmul")
    assert ["first"] * 2 == [of_evidence(first, name="first"), of_evidence(*in_turn([first, second]), name="second")]
    found.evidence(results_with(tmp_path / "unasked"))
    assert "third" == of_evidence(first, name="third")


def test_a_torn_file_costs_time_and_nothing_else(tmp_path: Path):
    results = results_with(tmp_path / "results", make_record())
    first, evidence = opened(results, tmp_path / "kept")
    first.keep(evidence, "a", lambda: list(range(100)), slow=True)
    for path in (tmp_path / "kept").rglob("output.pkl"):
        path.write_bytes(path.read_bytes()[:40])

    second, evidence = opened(results, tmp_path / "kept")

    assert list(range(100)) == second.keep(evidence, "a", lambda: list(range(100)), slow=True)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    found, evidence = opened(results_with(tmp_path / "results", make_record()), tmp_path / "file" / "below")

    assert 1 == found.keep(evidence, "a", lambda: 1, slow=True)


@pytest.mark.parametrize("change", ["records", "code", "template", "new file"])
def test_whatever_decides_the_pages_is_in_the_name(tmp_path: Path, change: str):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "a.html.j2").write_text("{{ x }}\n")
    before = cache.state_of("records", cache.code_of(tmp_path))
    name = {"code": "a.py", "template": "a.html.j2", "new file": "b.csv"}.get(change)
    if name:
        (tmp_path / name).write_text("another text\n")

    assert before != cache.state_of("other records" if change == "records" else "records", cache.code_of(tmp_path))


def test_results_of_runs_count_through_their_fingerprint_alone(tmp_path: Path):
    before = cache.state_of("records", cache.code_of(tmp_path))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")

    assert before == cache.state_of("records", cache.code_of(tmp_path))


@pytest.mark.parametrize("breaks", ["at once", "later"])
def test_work_is_done_here_where_no_other_process_can(monkeypatch: pytest.MonkeyPatch, breaks: str):
    class Broken:
        def __init__(self, *_: object, **__: object) -> None: ...

        def submit(self, *_: object) -> Future[int]:
            if breaks == "at once":
                raise BrokenProcessPool
            future: Future[int] = Future()
            future.set_exception(BrokenProcessPool())
            return future

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Broken)
    monkeypatch.setattr(workers._State, "pool", None)

    assert 3 == workers.begin(len, "abc")()


def test_work_that_was_begun_elsewhere_is_waited_for(tmp_path: Path):
    result = workers.begin(say_who, tmp_path / "who")
    while not (tmp_path / "who").exists():
        os.sched_yield()

    assert os.getpid() != result() == int((tmp_path / "who").read_text())


@pytest.mark.slow
def test_no_worker_outlives_a_process_that_was_killed():
    code = "import os; from bench.report.pages import workers; print(workers.begin(os.getpid)(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__': {code}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as parent:  # fmt: skip
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running() and worker.pid != parent.pid
        parent.kill()

    worker.wait(30)
    assert not worker.is_running()


def test_work_that_nobody_has_begun_is_done_by_who_waits(monkeypatch: pytest.MonkeyPatch):
    class Busy:
        def __init__(self, *_: object, **__: object) -> None: ...

        def submit(self, *_: object) -> Future[int]:
            return Future()

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Busy)
    monkeypatch.setattr(workers._State, "pool", None)

    assert 3 == workers.begin(len, "abc")()


def test_work_that_was_given_up_is_done_by_who_waits_and_other_work_begins_anew():
    given = [workers.begin(len, "a" * n) for n in range(50)]

    workers.end()

    assert [*range(50)] == [wait() for wait in given] and 3 == workers.begin(len, "abc")()


TORN = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:100],
    "zeros": lambda data: data[: len(data) // 2] + bytes(50) + data[len(data) // 2 + 50 :],
}


@pytest.mark.filterwarnings("ignore:.*loading results")
@pytest.mark.parametrize("how", TORN)
def test_what_was_torn_on_disk_is_made_anew(tmp_path: Path, how: str):
    docs, root = write_docs(tmp_path / "docs", "So."), results_with(tmp_path / "results", make_record())
    first = build.build(docs, root, keep=tmp_path / "kept")
    pieces = sorted((tmp_path / "kept" / cache.VALUES).rglob("output.pkl"))
    for piece in pieces:
        piece.write_bytes(TORN[how](piece.read_bytes()))

    cache.CACHE.forget()  # as a new process begins
    again = build.build(docs, root, keep=tmp_path / "kept")
    cache.CACHE.forget()

    assert len(pieces) >= build.N_PIECES and first == again == build.build(docs, root, keep=tmp_path / "kept")


@pytest.mark.slow
def test_pages_from_what_was_kept_are_the_pages_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    docs = write_docs(tmp_path / "docs", '{{ chart("time-to-target") }}\n\n{{ table("fairness") }}')
    root = results_with(tmp_path / "results", make_record())
    first = build.build(docs, root, keep=tmp_path / "kept")
    cache.CACHE.forget()  # as a new process begins
    monkeypatch.setattr(draw, "draw", made_again)
    monkeypatch.setattr(make, "make", made_again)

    assert first == build.build(docs, root, keep=tmp_path / "kept")


def test_pages_come_back_from_disk_and_only_for_the_same_sources(tmp_path: Path):
    results, docs = results_with(tmp_path / "results", make_record()), write_docs(tmp_path / "docs", "So.")
    first, _ = opened(results, tmp_path / "kept")
    there, elsewhere = first.name_of(docs, "there"), first.name_of(docs, "elsewhere")
    assert {"a": "1"} == first.through_disk(there, lambda: {"a": "1"})

    second, _ = opened(results, tmp_path / "kept")

    assert second.is_on_disk(there) and not second.is_on_disk(elsewhere)
    assert {"a": "1"} == second.through_disk(there, made_again)
    assert {"a": "2"} == second.through_disk(elsewhere, lambda: {"a": "2"})
    write_docs(docs, "Not so.")
    assert there != second.name_of(docs, "there")
