"""However many machines there are, a page shows a few: the first, and others from the slowest to the fastest.

Of a bounded number a site has pages; the long form is ``tests.long scale``.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import msgspec
import polars as pl
import pytest

from bench.records import files, pack, standing, store
from bench.records.store import Results, SessionResults
from bench.report.charts import make_table
from bench.report.evidence import frame
from bench.report.evidence.evidence import MOST_MACHINES, Evidence
from bench.report.pages import build, cache, further, workers
from bench.report.prose.source import PageError
from bench.schema import Control
from bench.workloads import registry
from scripts import many_machines
from tests.factories import in_turn, make_evidence, make_gpu, make_machine, make_record, make_session_results
from tests.sites import write_results
from tests.test_pages import write_docs


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


def session_of(name: str, day: int = 3, *, is_local: bool = False, step_s: float = 0.5, **machine) -> SessionResults:
    records = in_turn([make_record(step_s=step_s, n_runs=2, session_date=f"2026-11-{day:02}")])
    described = make_machine(name, **machine)
    return make_session_results(records, machine=described, session_id=f"2026-11-{day:02}", is_local=is_local)


def stored(root: Path, *sessions: SessionResults) -> Path:
    return write_results(root, Results(sessions))


@pytest.mark.parametrize("most", range(1, 5))
def test_local_machines_come_first_then_reference_then_gpus_then_the_newest(tmp_path: Path, most: int):
    root = stored(
        tmp_path,
        session_of("older", 3),
        session_of("newer", 5),
        session_of("own", 1, is_local=True),
        session_of("standard", 2),
        session_of("card", 2, gpus=(make_gpu(),)),
    )
    (root / standing.FILE).write_text('["standard/2026-11-02"]\nkind = "reference"\n')

    found = store.load(root, most_machines=most)

    in_order = ["own", "standard", "card", "newer", "older"]
    assert {*in_order[:most]} == {one.machine.id for one in found.sessions if one.records}
    assert {*in_order[most:]} == {one.machine.id for one in found.further if not one.records}


def test_all_sessions_of_a_machine_stay_together(tmp_path: Path):
    root = stored(tmp_path, session_of("a", 3), session_of("a", 6), session_of("b", 5))

    found = store.load(root, most_machines=1)

    assert ["a", "a"] == [one.machine.id for one in found.sessions] and ["b"] == [
        one.machine.id for one in found.further
    ]


def derived(root: Path, keep: Path | None) -> tuple[Results, list[further.Derived]]:
    results = store.load(root, most_machines=1)
    return results, further.Further(results.further, root, keep, cache.states(root)).made


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_machine_without_pages_has_the_rows_that_it_would_have_with_them(tmp_path: Path, is_kept: bool):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))

    results, (found,) = derived(root, tmp_path / "kept" if is_kept else None)

    (session,) = results.further
    alone = Evidence(Results((store.load_session(root / session.path, root),)), registry.workloads())
    (rows,) = pl.collect_all(further.tables([found.records]))
    assert rows.drop("is_lead").equals(frame.records(alone).drop("is_lead")) and not rows["is_lead"].any()
    assert rows.height == found.n_records == 1


def test_what_is_kept_of_a_session_is_used_until_its_files_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "begin", lambda work, *args: lambda: work(*args))
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3), session_of("c", 4))
    read, whole = [], store.load_session
    monkeypatch.setattr(
        store,
        "load_session",
        lambda folder, *args, **how: (read.append(folder.parent.name), whole(folder, *args, **how))[1],
    )
    _, before = derived(root, tmp_path / "kept")

    _, again = derived(root, tmp_path / "kept")
    path = next(path for path in (root / "b").rglob("*.json") if path.stem not in ("machine", "session"))
    os.utime(path)
    _, touched = derived(root, tmp_path / "kept")
    path.write_text(f"{path.read_text()}\n")
    _, after = derived(root, tmp_path / "kept")

    assert [{"b", "c"}, {"b"}] == [{*read[:2]}, {*read[2:]}] and 3 == len(read)
    assert before == again == touched and before[1] == after[1] and before[0].pack != after[0].pack
    assert {one.pack for one in after} == {*(tmp_path / "kept" / further.PACKS).iterdir()}


def test_of_a_session_that_is_as_it_was_no_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "begin", lambda work, *args: lambda: work(*args))
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    results, before = derived(root, tmp_path / "kept")

    monkeypatch.setattr(files, "regular_bytes", lambda path: pytest.fail(f"opened {path.name}"))

    assert before == further.Further(results.further, root, tmp_path / "kept", cache.states(root)).made


@pytest.mark.parametrize("lost", ["sessions.json", "sessions/*.records", "sessions/*.studies", "packs/*.tgz"])
def test_what_is_lost_of_what_was_kept_is_made_again(tmp_path: Path, lost: str):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    _, before = derived(root, tmp_path / "kept")
    (path,) = (tmp_path / "kept").glob(lost)
    path.unlink()

    _, after = derived(root, tmp_path / "kept")

    assert before == after and path.exists()


@pytest.mark.parametrize("torn", ["sessions/*.records", "sessions/*.studies", "packs/*.tgz"])
def test_what_was_torn_of_what_was_kept_is_made_again(tmp_path: Path, torn: str):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    derived(root, tmp_path / "kept")
    (path,) = (tmp_path / "kept").glob(torn)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])

    derived(root, tmp_path / "kept")

    assert whole == path.read_bytes()


@pytest.mark.parametrize("text", ["[]", '{"b/2026-11-03": ["a"]}', "{"])
def test_an_index_of_another_shape_is_no_index(tmp_path: Path, text: str):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    _, before = derived(root, tmp_path / "kept")
    (tmp_path / "kept" / further.INDEX).write_text(text)

    assert before == derived(root, tmp_path / "kept")[1]


def test_what_is_kept_of_a_session_outlives_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "MOST_BYTES", 0)
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    _, before = derived(root, tmp_path / "kept")

    cache.tidy(tmp_path / "kept")

    monkeypatch.setattr(store, "load_session", lambda *_, **__: pytest.fail("read again"))
    monkeypatch.setattr(workers, "begin", lambda work, *args: lambda: work(*args))
    assert before == derived(root, tmp_path / "kept")[1]


def test_a_broken_record_of_a_machine_without_pages_stops_the_build(tmp_path: Path):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3))
    next(path for path in (root / "b").rglob("*.json") if path.stem not in ("machine", "session")).write_text("{")

    with pytest.raises(PageError, match="b/2026-11-03/.*expected JSON"):
        derived(root, tmp_path / "kept")


@pytest.mark.slow
def test_a_site_lists_machines_without_pages_and_has_their_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "MOST_WITH_PAGES", 1)
    root = stored(
        tmp_path / "results", session_of("a", 5), session_of("b", 3, step_s=0.4), session_of("c", 4, step_s=0.8)
    )
    docs = write_docs(tmp_path / "docs", "So.")

    pages = build.build(docs, root)

    assert "machines/a.md" in pages and not {"machines/b.md", "machines/c.md"} & {*pages}
    assert not [path for path in pages if path.startswith(("evidence/b/", "data/b/"))]
    listed = pages["machines/index.md"]
    assert 'href="../data/packs/results-b-2026-11-03.tgz"' in listed and "has no page here" in listed
    (rows,) = (line for line in pages["workloads/resnet50.md"].splitlines() if "without pages" in line)
    assert "2 further machines" in rows and re.search(r": \S+ images/s to \S+ images/s in training on the CPU", rows)
    assert {"a", "b", "c"} == {*pl.read_parquet(io.BytesIO(pages["data/records.parquet"]))["machine"]}
    assert 2 == pages["data/records.csv"].count("\n") and "machines without pages" in pages["data/index.md"]
    target = tmp_path / "pack.tgz"
    target.write_bytes(pages["data/packs/results-b-2026-11-03.tgz"])
    pack.take(target, tmp_path / "elsewhere")
    assert (
        store.load(tmp_path / "elsewhere").sessions[0].records
        == store.load_session(root / "b/2026-11-03", root).records
    )


@pytest.mark.slow
def test_pages_for_readers_stay_as_they_are_with_more_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "MOST_WITH_PAGES", 2)
    sessions = [session_of(name, 9 - number, step_s=0.3 * number) for number, name in enumerate("abcdef", 1)]
    docs = write_docs(
        tmp_path / "docs", 'So. {{ fact("resnet50-train-cpu-throughput") }} {{ chart("speed-by-workload") }}'
    )
    write_docs(docs, "Home.", name="index.md", head="title: Home\nid: home\n")

    few, many = (build.build(docs, stored(tmp_path / f"{n}", *sessions[:n])) for n in (2, 6))

    assert few["faq/q.md"] == many["faq/q.md"] and "<svg" in many["faq/q.md"]
    assert few["index.md"].replace("2 machines", "6 machines") == many["index.md"]
    assert {path for path in few if "/a/" in path} == {path for path in many if "/a/" in path}
    assert {*many} - {*few} == {f"data/packs/results-{name}-2026-11-{9 - n:02}.tgz" for n, name in enumerate("cdef", 3)}


def test_records_kept_as_archives_are_the_same_store(tmp_path: Path):
    root = stored(tmp_path / "results", session_of("a", 5), session_of("b", 3), session_of("b", 4))
    for folder in root.glob("*/*"):
        pack.pack(folder, tmp_path / f"{folder.parent.name}-{folder.name}.tgz")

    for path in tmp_path.glob("*.tgz"):
        pack.take(path, tmp_path / "elsewhere", is_published=False)

    assert store.load(root) == store.load(tmp_path / "elsewhere")


def test_equal_sessions_make_equal_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (folder,) = stored(tmp_path / "results", session_of("a", 5)).glob("*/*")
    made = []
    for day in (1, 2):
        monkeypatch.setattr("time.time", lambda day=day: day * 86_400.0)
        pack.pack(folder, tmp_path / f"{day}.tgz")
        made.append((tmp_path / f"{day}.tgz").read_bytes())

    assert made[0] == made[1]
