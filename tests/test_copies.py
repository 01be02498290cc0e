"""Samples that are those of another run are refused, copied or multiplied; no honest ones are alike."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.records import copies, files, store
from bench.schema import Block, Control
from tests.factories import make_record, make_run

SOURCE = files.RESULTS / "intel-xeon-2c" / "2026-11-22"
SECONDS = st.lists(st.floats(0.1, 0.2), min_size=6, max_size=30, unique=True)


def a_folder(root, *words, machine="intel-xeon-2c"):
    """A session of the records whose names begin so, each of one run."""
    folder = root / machine / SOURCE.name
    folder.mkdir(parents=True)
    for path in SOURCE.glob("*.json"):
        if path.stem in ("machine", "session") or path.name.startswith(words):
            text = path.read_text(encoding="utf-8").replace('"intel-xeon-2c"', f'"{machine}"')
            (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def both(folder):
    return sorted(folder.glob("*-*.json"))[:2]


@pytest.mark.parametrize("factor", [1.0, 1.25])
@pytest.mark.parametrize("field", ["latencies_s", "warmup", "blocks", "control"])
def test_samples_of_another_cell_are_refused(tmp_path, field, factor):
    folder = a_folder(tmp_path, "mlp-tabular-train-tensorflow")
    assert [] == store.check(tmp_path)
    donor, taker = both(folder)
    given, raw = (json.loads(path.read_text(encoding="utf-8")) for path in (donor, taker))
    for one, other in zip(given["runs"], raw["runs"], strict=False):
        for name in ("control_before", "control_after") if field == "control" else ():
            other[name]["seconds"] = [factor * seconds for seconds in one[name]["seconds"]]
        if field == "latencies_s":
            other[field] = [factor * seconds for seconds in one[field]]
        elif field != "control":
            other[field] = [[other[field][-1][0], factor * seconds] for _, seconds in one[field]]
    taker.write_text(json.dumps(raw))

    problems = store.check(tmp_path)

    assert any("expected samples of its own, found those, or a multiple, of" in problem for problem in problems)
    assert all(len(problem) <= 300 for problem in problems)


def test_a_session_that_is_another_one_under_another_name_is_refused_in_one_line(tmp_path):
    a_folder(tmp_path, "mlp-tabular-train-tensorflow")
    assert [] == store.check(tmp_path)
    a_folder(tmp_path, "mlp-tabular-train-tensorflow", machine="mine-2c")

    (problem,) = store.check(tmp_path)
    (alone,) = store.check(tmp_path, only={"intel-xeon-2c/2026-11-22"})

    assert problem.startswith("mine-2c/") and "found those of intel-xeon-2c/2026-11-22, in" in problem
    assert alone.startswith("intel-xeon-2c/") and "found those of mine-2c/2026-11-22" in alone
    assert [] == store.check(tmp_path, only=())


def test_a_local_session_and_what_was_filed_of_it_are_one(tmp_path):
    folder = a_folder(tmp_path / "local", "mlp-tabular-train-tensorflow")
    shutil.copytree(folder, tmp_path / "intel-xeon-2c" / SOURCE.name)

    assert [] == store.check(tmp_path)


@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(SECONDS, SECONDS, st.floats(0.5, 2))
def test_any_multiple_is_found_and_nothing_else(seconds, others, factor):
    def record(values, **fields):
        control = Control(n=1024, seconds=(0.02,))
        run = make_run(control_before=control, control_after=control, latencies_s=())
        blocks = tuple(Block(n_steps=1, seconds=value) for value in values)
        run = type(run)(**{name: getattr(run, name) for name in run.__struct_fields__} | {"blocks": blocks})
        return make_record(runs=[run], **fields)

    one = record(seconds)
    multiple = record([factor * value for value in seconds], batch_size=2)
    other = record(others, batch_size=32)
    spread = max(seconds[:6]) > 1.01 * min(seconds[:6])

    if spread and len({round(1e6 * value / seconds[0]) for value in seconds[:6]}) == 6:
        assert list(copies.within({"a": one, "b": multiple}))
    if seconds[:6] != others[:6]:
        assert [] == list(copies.within({"a": one, "b": other}))


def test_no_stored_run_has_the_samples_of_another():
    sessions = store.load(only_plausible=False).sessions

    assert not any(list(copies.within(session.records)) for session in sessions)


def test_a_constant_clock_says_nothing_of_copies():
    runs = [make_run(index, step_s=0.5) for index in range(3)]

    assert [] == list(copies.within({"a": make_record(runs=runs)}))
