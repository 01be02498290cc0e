"""Stored files: round trips, refusals that name the place, write-once, nothing half-written."""

import errno
import json
import os

import pytest

from bench.records import files, spool, store
from bench.records.codec import encode
from bench.records.spool import RECORD_LIMIT_BYTES
from bench.schema import SCHEMA_VERSION, Record, Run
from tests.factories import in_turn, make_machine, make_record, make_run, make_session


@pytest.fixture
def session(tmp_path):
    """A results folder with one session of two records."""
    records = in_turn((make_record("resnet50"), make_record("matmul")))
    folder = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=False)
    store.begin(folder, make_machine(), make_session(records))
    for record in records:
        store.write_record(folder, record)
    return folder


def path_of(folder, workload):
    return next(folder.glob(f"{workload}-*.json"))


def test_what_is_written_is_what_is_read(session, tmp_path):
    (record,) = in_turn([make_record("resnet50")])

    loaded = store.load(tmp_path).sessions[0]

    assert spool.fit(record) == loaded.records[record.cell.id]
    assert make_machine() == loaded.machine
    assert "example-2c/2026-11-03" == loaded.path
    assert not loaded.is_local


def test_encoding_twice_gives_the_same_bytes(session):
    path = path_of(session, "resnet50")

    assert path.read_bytes() == encode(files.read(path, Record))


def test_local_sessions_are_marked(tmp_path):
    folder = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=True)
    store.begin(folder, make_machine(), make_session())

    (loaded,) = store.load(tmp_path).sessions

    assert loaded.is_local
    assert "local/example-2c/2026-11-03" == loaded.path


def edited(change):
    def edit(path):
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return edit


BROKEN = {
    "truncated": (lambda p: p.write_text(p.read_text()[:200]), ["$: expected JSON", "line"]),
    "empty": (lambda p: p.write_text(""), ["$: expected a JSON object, found an empty file"]),
    "not JSON": (lambda p: p.write_text("hello"), ["$: expected JSON"]),
    "a list": (lambda p: p.write_text("[]"), ["$: expected a JSON object, found list"]),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe\x00"), ["$: expected UTF-8 text, found byte 0xff"]),
    "deeply nested": (lambda p: p.write_text("[" * 200_000), ["$: expected JSON"]),
    "newer version": (
        edited(lambda d: d.update(schema_version=99)),
        [f"$.schema_version: expected at most {SCHEMA_VERSION}", "found 99: newer than this checkout; update it"],
    ),
    "no version": (
        edited(lambda d: d.pop("schema_version")),
        [f"$.schema_version: expected {SCHEMA_VERSION}", "found None"],
    ),
    "unknown key": (edited(lambda d: d["cell"].update(colour="red")), ["$.cell: expected only known keys", "colour"]),
    "missing key": (edited(lambda d: d["cell"].pop("backend")), ["$.cell: expected the key", "backend"]),
    "wrong type": (
        edited(lambda d: d["cell"].update(batch_size="8")),
        ["$.cell.batch_size: expected `int`", "found `str`"],
    ),
    "unknown word": (edited(lambda d: d["cell"].update(backend="mxnet")), ["$.cell.backend", '"mxnet"']),
    "NaN": (
        lambda p: p.write_text(p.read_text().replace('"total_s": ', '"total_s": NaN, "x": ', 1)),
        ["NaN, which is not a JSON number"],
    ),
    "zero seconds": (
        edited(lambda d: d["runs"][0]["blocks"][0].__setitem__(1, 0.0)),
        ["$.runs[0].blocks[0][1]: expected `float` >= 1e-09, found 0.0"],
    ),
    "null without reason": (
        edited(lambda d: d["runs"][0]["unmeasured"].pop("energy_j")),
        ["$.runs[0].unmeasured.energy_j: expected the reason"],
    ),
    "other device": (
        edited(lambda d: d["runs"][0]["observed"].update(device="gpu")),
        ["$.runs[0].observed.device: expected 'cpu', found 'gpu'"],
    ),
    "ok without runs": (edited(lambda d: d.update(runs=[])), ["$.runs: expected at least one run"]),
    "renamed": (lambda p: p.rename(p.with_name("resnet50-other.json")), ["$.cell: expected a file named resnet50-"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_is_named_with_path_place_expected_and_found(name, session, tmp_path):
    breaks, words = BROKEN[name]
    breaks(path_of(session, "resnet50"))

    with pytest.raises(files.RecordError) as caught:
        store.load(tmp_path)

    (line,) = str(caught.value).splitlines()
    assert line.startswith("example-2c/2026-11-03/resnet50-")
    assert all(word in line for word in words), line


def test_every_broken_file_is_listed_and_others_are_untouched(session, tmp_path):
    good = path_of(session, "matmul").read_bytes()
    path_of(session, "resnet50").write_text("{")
    (session / "machine.json").write_text("")

    problems = store.check(tmp_path)

    assert 2 == len(problems)
    assert good == path_of(session, "matmul").read_bytes()


def test_a_session_in_another_machines_folder_is_refused(session, tmp_path):
    session.parent.rename(tmp_path / "other-machine")

    problems = store.check(tmp_path)

    assert any("expected 'other-machine', found 'example-2c'" in problem for problem in problems)


def test_a_stored_file_is_never_overwritten(session):
    before = path_of(session, "resnet50").read_bytes()

    with pytest.raises(FileExistsError):
        store.write_record(session, make_record("resnet50", step_s=9.0))

    assert before == path_of(session, "resnet50").read_bytes()


def test_nan_is_never_written(tmp_path):
    with pytest.raises(files.StoreError, match="would not be read again.*total_s"):
        files.write_once(tmp_path / "run.json", make_run(total_s=float("nan")))

    assert [] == list(tmp_path.iterdir())


def test_a_full_disk_ends_with_one_sentence_and_nothing_half_written(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(files.StoreError, match="No space left on device; free some space and go on with --resume"):
        files.write_once(tmp_path / "run.json", make_run())
    assert [] == list(tmp_path.iterdir())


def test_a_read_only_folder_ends_with_one_sentence(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)

    with pytest.raises(files.StoreError, match="make the folder writable or choose another with --results"):
        files.write_once(tmp_path / "run.json", make_run())


def test_a_long_record_is_thinned_and_says_how_much(tmp_path):
    record = make_record("resnet50", n_runs=5, n_blocks=400)

    fitted = spool.fit(record)

    assert len(encode(fitted)) <= RECORD_LIMIT_BYTES
    for before, after in zip(record.runs, fitted.runs, strict=True):
        assert len(before.blocks) == len(after.blocks) + after.n_blocks_dropped
        assert (before.blocks[0], before.blocks[-1]) == (after.blocks[0], after.blocks[-1])


def test_every_array_of_samples_is_thinned_and_its_loss_counted():
    long = tuple(0.5 + k / 1000 for k in range(400))
    runs = [make_run(index, step_s=long, latencies_s=long, between_epochs_s=long) for index in range(3)]

    fitted = spool.fit(make_record("resnet50", runs=runs))

    assert {"blocks", "latencies_s", "between_epochs_s"} == set(spool.SAMPLED)
    for before, after in zip(runs, fitted.runs, strict=True):
        for name, counter in spool.SAMPLED.items():
            kept = getattr(after, name)
            assert spool.LEAST_KEPT <= len(kept) < len(getattr(before, name))
            assert len(getattr(before, name)) == len(kept) + getattr(after, counter), name
            assert (getattr(before, name)[0], getattr(before, name)[-1]) == (kept[0], kept[-1])


def test_spooled_runs_become_the_record_and_disappear(tmp_path):
    runs = [make_run(index) for index in range(3)]
    record = make_record("cnn-digits")
    for run in reversed(runs):
        spool.write_run(tmp_path, record.cell.id, run)

    assert tuple(runs) == spool.spooled_runs(tmp_path, record.cell.id)

    store.write_record(tmp_path, record)

    assert () == spool.spooled_runs(tmp_path, record.cell.id)
    assert not (tmp_path / files.SPOOL).exists()


def test_a_second_session_of_a_day_gets_a_number(session, tmp_path):
    assert "2026-11-03-2" == store.new_session_id(tmp_path, "example-2c", "2026-11-03", local=False)
    assert "2026-11-04" == store.new_session_id(tmp_path, "example-2c", "2026-11-04", local=False)


def test_keep_files_a_complete_session_once(tmp_path):
    folder = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=True)
    store.begin(folder, make_machine(), make_session())
    store.write_record(folder, make_record())

    target = store.keep(folder, tmp_path)

    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in target.iterdir())
    with pytest.raises(FileExistsError):
        store.keep(folder, tmp_path)


def test_keep_refuses_a_session_with_unfinished_cells(tmp_path):
    folder = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=True)
    store.begin(folder, make_machine(), make_session())
    spool.write_run(folder, "some-cell", make_run())

    with pytest.raises(files.StoreError, match="--resume.*--seal"):
        store.keep(folder, tmp_path)


def test_a_run_survives_the_round_trip(tmp_path):
    run = make_run(4)
    spool.write_run(tmp_path, "cell", run)

    assert (run,) == spool.spooled_runs(tmp_path, "cell")
    assert isinstance(spool.spooled_runs(tmp_path, "cell")[0], Run)


def test_a_copy_that_breaks_off_leaves_nothing(tmp_path, session, monkeypatch):
    local = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=True)
    local.parent.mkdir(parents=True)
    session.rename(local)
    copied = []

    def full(source, target):
        copied.append(target.write_bytes(b"half"))
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(store.shutil, "copyfile", full)
    for copy in (lambda: store.keep(local, tmp_path), lambda: store.add_files(local, session)):
        with pytest.raises(files.StoreError, match="File too large; free some space"):
            copy()

    assert 2 == len(copied) and [] == list((tmp_path / "example-2c").iterdir())


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path):
    target = tmp_path / "a.tgz"
    target.write_text("old")

    with pytest.raises(RuntimeError), files.replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert "old" == target.read_text() and [target] == list(tmp_path.iterdir())
    with files.replacing(target) as temporary:
        temporary.write_text("new")
    assert "new" == target.read_text() and [target] == list(tmp_path.iterdir())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("nothing")])
def test_a_pipe_or_a_link_is_not_replaced(tmp_path, make):
    target = tmp_path / "a.tgz"
    make(target)

    with pytest.raises(FileExistsError, match="no regular file"), files.replacing(target):
        pass

    assert not target.is_file() and [target] == list(tmp_path.iterdir())


def test_nothing_is_filed_through_a_link(session, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "example-2c").symlink_to(elsewhere)

    with pytest.raises(store.StoreError, match="it is a link"):
        store.add_files(session, tmp_path / "results" / "example-2c" / "2026-11-03")

    assert [] == list(elsewhere.iterdir())


def test_an_interrupted_copy_leaves_nothing(session, tmp_path, monkeypatch):
    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.shutil, "copyfile", interrupted)
    target = tmp_path / "results" / "example-2c" / "2026-11-03"

    with pytest.raises(KeyboardInterrupt):
        store.add_files(session, target)

    assert [] == list(target.parent.iterdir())
