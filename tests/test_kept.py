"""What a build keeps for the next one is used for the same state only, and never instead of the truth."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.report.charts import draw
from bench.report.charts import make_table as make
from bench.report.pages import build, cache

pytest.importorskip("altair")

from bench.report.pages import cache as kept
from tests.factories import make_record
from tests.test_pages import results_with, write_docs


def test_what_was_kept_comes_back_and_only_for_its_state(tmp_path: Path):
    kept.save(tmp_path, "one", {"table a": (1, 2)})

    assert {"table a": (1, 2)} == kept.load(tmp_path, "one")
    assert {} == kept.load(tmp_path, "two")


def test_a_torn_file_costs_time_and_nothing_else(tmp_path: Path):
    kept.save(tmp_path, "one", {"table a": list(range(100))})
    path = tmp_path / "one.pickle"
    path.write_bytes(path.read_bytes()[:40])

    assert {} == kept.load(tmp_path, "one")


def test_only_the_latest_states_are_kept(tmp_path: Path):
    for index in range(kept.N_FILES + 2):
        kept.save(tmp_path, f"state-{index}", {})
        os.utime(tmp_path / f"state-{index}.pickle", (index, index))
    kept.save(tmp_path, "last", {})

    assert kept.N_FILES == len(list(tmp_path.iterdir()))
    assert (tmp_path / "last.pickle").exists()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    kept.save(tmp_path / "file", "one", {"a": 1})


@pytest.mark.parametrize("change", ["records", "code", "new file"])
def test_whatever_decides_the_pages_is_in_the_name(tmp_path: Path, change: str):
    (tmp_path / "a.py").write_text("x = 1\n")
    before = kept.name_of("records", tmp_path)
    if change == "code":
        (tmp_path / "a.py").write_text("x = 2\n")
    if change == "new file":
        (tmp_path / "b.csv").write_text("")

    assert before != kept.name_of("other records" if change == "records" else "records", tmp_path)


def test_results_of_runs_count_through_their_fingerprint_alone(tmp_path: Path):
    before = kept.name_of("records", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("{}")

    assert before == kept.name_of("records", tmp_path)


def made_again(*_: object, **__: object) -> None:
    pytest.fail("made again")


def test_pages_from_what_was_kept_are_the_pages_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    docs = write_docs(tmp_path / "docs", '{{ chart("time-to-target") }}\n\n{{ table("fairness") }}')
    root = results_with(tmp_path / "results", make_record())
    cache._KEPT.clear()
    first = build.build(docs, root, keep=tmp_path / "kept")
    cache._KEPT.clear()  # as a new process begins
    monkeypatch.setattr(draw, "draw", made_again)
    monkeypatch.setattr(make, "make", made_again)

    assert first == build.build(docs, root, keep=tmp_path / "kept")
