"""One machine over time: planted changes are found, other versions are named, other code is not compared."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.records.store import SessionResults
from bench.report.evidence import history
from bench.report.facts import lookup
from bench.report.pages import context, machine_pages
from tests.factories import make_cell, make_evidence, make_machine, make_record, make_run, make_session
from tests.factories import make_session_results as make_results

NAMES = ("cnn-digits", "lstm-text", "mobilenet-v2", "resnet50", "transformer-text")
OLDER = {"python": "3.11.2", "keras": "3.11.0", "tensorflow": "2.20.0", "jax": "0.7.0", "torch": "2.9.0"}


def make_side(day: str, factor: float = 1.0, *, names=NAMES, odd=None, n_runs: int = 5, **fields) -> SessionResults:
    """A session whose steps take ``factor`` times 50 ms; ``odd`` maps workloads to other factors."""
    odd, session_fields = odd or {}, {key: fields.pop(key) for key in ("versions",) if key in fields}
    records = [
        make_record(name, step_s=0.05 * odd.get(name, factor), n_runs=n_runs, session_date=day[:10], **fields)
        for name in names
    ]
    return make_results(records, session=make_session(records, id=day, **session_fields))


def test_a_repeat_overlaps_where_nothing_changed_and_not_where_something_did():
    first, second = make_side("2026-11-03"), make_side("2026-11-04", odd={"lstm-text": 1.5})

    found = history.overlap(second, first)

    assert ("2026-11-03", "2026-11-04") == (found.older.session.id, found.newer.session.id)
    assert (5, 4) == (found.n, len(found.together))
    assert [("lstm-text", "lstm-text")] == [tuple(r.cell.workload for r in pair) for pair in found.apart]


def test_only_headline_cells_of_the_same_code_and_method_count():
    sweep = make_record("resnet50", batch_size=2, params={"image_px": 224})
    changed, older = make_record("lstm-text", source_hash="other"), make_record("cnn-digits", method_version=0)
    failed = make_record("mobilenet-v2", status="failed")
    first = make_results([sweep, *map(make_record, ("lstm-text", "cnn-digits", "mobilenet-v2", "resnet50"))])
    records = [sweep, changed, older, failed, make_record("resnet50")]
    second = make_results(records, session=make_session(records, id="2026-11-04"))

    found = history.overlap(first, second)

    assert ["resnet50"] == [record.cell.workload for record, _ in found.together]
    assert 1 == found.n


def test_a_study_counts_once_by_its_first_series():
    first, second = (make_side(day, names=("call-styles",)) for day in ("2026-11-03", "2026-11-04"))

    assert 1 == history.overlap(first, second).n


def test_sessions_of_another_machine_and_local_ones_are_no_history():
    mine = make_side("2026-11-04")
    other = make_results([make_record()], machine=make_machine("other", cpu_family="V 2/2/2"))
    local = mine._replace(is_local=True)
    before = make_side("2026-11-03")

    assert (before, mine) == history.same_machine([mine, other, local, before], mine)


def test_every_two_sessions_are_set_against_each_other():
    full = make_side("2026-11-03")
    small, old = make_side("2026-11-04", names=NAMES[:2]), make_side("2026-11-05", names=NAMES[:3], versions=OLDER)
    apart = make_side("2026-11-06", names=("matmul",))
    sessions = [full, small, old, apart]

    found = history.overlaps(sessions)

    first, second, third = "2026-11-03", "2026-11-04", "2026-11-05"
    assert [(first, second, 2), (first, third, 3), (second, third, 2)] == [
        (f.older.session.id, f.newer.session.id, f.n) for f in found
    ]
    assert found[:1] == history.repeats(sessions), "with equal versions"
    changed = history.changed_versions(found[1].older, found[1].newer)
    assert ("keras", "3.12.0", "3.11.0") in changed and not any(name == "torch" for name, *_ in changed)


def test_without_a_second_session_there_is_no_repeat():
    assert () == history.repeats([make_side("2026-11-03")])
    assert () == history.repeats([])
    assert () == history.repeats([make_side("2026-11-03"), make_side("2026-11-04", versions=OLDER)])


def test_a_cell_tells_dates_versions_speed_and_what_changed():
    sessions = (
        make_side("2026-11-03", names=("resnet50",), versions=OLDER),
        make_side("2026-11-04", 1.3, names=("resnet50",)),
        make_side("2026-11-05", 1.3, names=("resnet50",)),
    )

    (found,) = history.histories(sessions)

    assert make_cell().id == found.cell_id
    assert ["Keras 3.11.0, TensorFlow 2.20.0", *["Keras 3.12.0, TensorFlow 2.21.0"] * 2] == [
        history.versions(entry.session, entry.record) for entry in found.entries
    ]
    first, second, third = found.entries
    assert first.row is None
    assert first.speed.value == pytest.approx(1.3 * second.speed.value, rel=0.05)
    assert "slower" == second.row.change.verdict
    assert history.change_words(second.row).startswith("slower (p = 0.0")
    assert "0.7" in history.change_words(second.row)  # the later speed over the earlier one
    assert "no change shown" == third.row.change.verdict


def test_with_too_few_runs_the_interval_has_to_do():
    sessions = [make_side(day, f, names=("resnet50",), n_runs=3) for day, f in (("2026-11-03", 1), ("2026-11-04", 2))]

    (found,) = history.histories(sessions)

    assert history.change_words(found.entries[1].row).startswith("slower, too few runs for the test: 0.")


def test_other_code_is_shown_and_not_compared():
    sessions = [
        make_side(day, names=("resnet50",), source_hash=source)
        for day, source in (("2026-11-03", "old"), ("2026-11-04", "new"))
    ]

    (found,) = history.histories(sessions)

    assert 2 == len(found.entries)
    assert "not comparable" in history.change_words(found.entries[1].row)


def test_each_series_of_a_study_has_a_history_with_its_own_test():
    first, second = make_side("2026-11-03", names=("call-styles",)), make_side("2026-11-04", names=("call-styles",))
    (record,) = second.records.values()
    slower = [
        msgspec.structs.replace(
            run,
            series=run.series | {"call": tuple(type(b)(n_steps=1, seconds=2 * b.seconds) for b in run.series["call"])},
        )
        for run in record.runs
    ]
    changed = msgspec.structs.replace(record, runs=tuple(slower))
    second = make_results([changed], session=second.session)

    found = {item.series: item.entries[1].row for item in history.histories((first, second))}

    assert {"predict", "call", "compiled"} == set(found)
    assert "slower" == found["call"].change.verdict
    assert "no change shown" == found["predict"].change.verdict


def test_a_cell_of_one_session_has_no_history():
    assert () == history.histories([make_side("2026-11-03"), make_side("2026-11-04", names=("matmul",))])


def test_the_fact_counts_every_repeat_and_names_the_sessions():
    sides = [make_side("2026-11-03"), make_side("2026-11-04", odd={"lstm-text": 1.5}), make_side("2026-11-05")]

    two, three = (lookup.lookup("sessions-overlap", make_evidence(*sides[:n])) for n in (2, 3))

    assert ("4 of 5", "sessions 2026-11-03 and 2026-11-04") == (two.text, two.note)
    assert 10 == len(two.cells)
    assert "4 of 5, 5 of 5 and 4 of 5" == three.text, "the best pair is not picked"
    assert 3 == three.note.count(" and ")
    assert not lookup.lookup("sessions-overlap", make_evidence(sides[0])).measured


def test_of_many_repeats_the_fewest_and_the_most_are_told_and_how_many_agree_enough():
    odd = {"2026-11-04": {"lstm-text": 1.5}, "2026-11-05": {"lstm-text": 2.5, "resnet50": 1.5}}
    days = ("2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06")
    evidence = make_evidence(*(make_side(day, odd=odd.get(day, {})) for day in days))

    found = lookup.lookup("sessions-overlap", evidence)
    enough = lookup.lookup("sessions-overlap-enough", evidence)

    assert "3 of 5 to 5 of 5" == found.text
    assert 6 == found.note.count(" and ")
    assert ("1 of 6", "sessions 2026-11-03 and 2026-11-06") == (enough.text, enough.note)
    assert found.cells == enough.cells
    assert not lookup.lookup("sessions-overlap-enough", make_evidence(make_side("2026-11-03"))).measured


def test_runs_of_a_study_without_a_series_have_no_speed():
    cell = make_cell("call-styles")
    record = make_record("call-styles", runs=[make_run(cell=cell, series={})])
    sessions = [make_results([record], session_id=day) for day in ("2026-11-03", "2026-11-04")]

    assert () == history.histories(sessions)
    assert 0 == history.overlap(*sessions).n


def test_the_machines_page_tells_its_history(tmp_path: Path):
    first, second = make_side("2026-11-03", versions=OLDER), make_side("2026-11-04", odd={"lstm-text": 1.5})
    site = context.Site(tmp_path, make_evidence(first, second))

    text = machine_pages.machine_pages(site)["machines/example-2c.md"]()

    history_part = text.partition("## History")[2].partition("## Session")[0]
    pairs = history_part.partition("</table>")[0]
    assert "at least 90 %" in pairs
    assert "2026-11-03 and 2026-11-04</th>" in pairs and ">4 of 5</a></td><td>keras 3.11.0, then 3.12.0" in pairs
    assert "5 cells measured in more than one session" in history_part
    assert 1 == history_part.count(">slower (p = 0.0")
    assert 4 == history_part.count(">no change shown (p = ")
    assert "Keras 3.11.0, TensorFlow 2.20.0" in history_part and "Keras 3.12.0, TensorFlow 2.21.0" in history_part
    assert "Mann-Whitney" in history_part


def test_a_machine_with_one_session_has_no_history_yet(tmp_path: Path):
    site = context.Site(tmp_path, make_evidence(make_side("2026-11-03")))

    assert "## History" not in machine_pages.machine_pages(site)["machines/example-2c.md"]()
