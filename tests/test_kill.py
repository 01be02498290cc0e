"""Killed at any file operation, a session loses at most the run under way, and the next start goes on.

``python -m tests.test_kill`` kills before and after every operation and prints the counts.
"""

import itertools
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from bench.machine import cores, describe, software
from bench.records import files, lock, spool, store
from bench.session import run as session_run
from bench.session.prepare import Options, prepare
from tests.factories import make_machine, make_run, run_now

N_REPEATS = 2
OPERATIONS = ("mkdir", "chmod", "replace", "unlink", "rmdir", "fsync", "open")
linux = pytest.mark.skipif(sys.platform != "linux", reason="forks")


@pytest.fixture(autouse=True)
def host(monkeypatch):
    as_host(monkeypatch.setattr)


def as_host(put):
    put(describe, "describe", lambda machine_id="": make_machine("example-2c"))
    put(cores, "cores", lambda: cores.Cores(2, 2, None, 2))
    put(software, "versions", lambda: {"keras": "3.0.0", "tensorflow": "2.0.0"})
    put(software, "backend_version", lambda backend: "1.0" if backend == "tensorflow" else None)


def refresh(root):
    """What ``refresh_benchmarks.py --resume`` does; the session's folder, and how many runs it started."""
    only = ("cnn-digits", "matmul")
    chosen = Options(profile="smoke", only=only, repeats=N_REPEATS, results=root, resume=True)
    with store.measuring(root, local=False):
        prepared = prepare(chosen, estimate=lambda cell, variant: 1.0)
        return prepared.folder, len(list(session_run.execute(prepared, launcher=run_now)))


def killed(root, at, after):
    """Refresh in a process that ends at once before or after its n-th file operation; whether it came that far."""
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, 9), "a refresh that is not killed ends well"
        return code == 9
    try:
        numbers = itertools.count(1)

        def ending(call):
            def called(*arguments, **named):
                number = next(numbers)
                if number == at and not after:
                    os._exit(9)
                try:
                    return call(*arguments, **named)
                finally:
                    if number == at:
                        os._exit(9)

            return called

        for name in OPERATIONS:
            setattr(os, name, ending(getattr(os, name)))
        refresh(root)
        os._exit(0)
    except BaseException:  # noqa: BLE001  a forked test must not go on as the test
        os._exit(1)


def judged(root, n_whole):
    """What a killed refresh has done to the next one, in a word; "fine" when nothing."""
    runs = {path.stem for path in root.glob(f"*/*/{files.SPOOL}/*.*.json")}
    for path in root.glob("*/*/*-*.json"):
        runs |= {f"{path.stem}.{index}" for index in range(N_REPEATS)}
    folder, n_runs = refresh(root)
    if n_runs != n_whole - len(runs):
        return f"lost {n_runs - n_whole + len(runs)}"
    records = store.load_session(folder, root).records
    if store.check(root) or n_whole != sum(len(record.runs) for record in records.values()):
        return "half"
    if left := [path.name for path in root.rglob(".*")]:
        return f"left {left}"
    return "fine" if store.keep(folder, root / "published").is_dir() else "not kept"


def kill_everywhere(root, step=1):
    """Counts of what came of a kill before and after every ``step``-th operation."""
    counts, at = Counter(), 1
    _, n_whole = refresh(root / "whole")
    while True:
        for after in (False, True):
            place = root / f"{at}-{after}"
            if not killed(place, at, after):
                return counts
            counts[judged(place, n_whole)] += 1
        at += step


@linux
@pytest.mark.filterwarnings("ignore:.*is left out", "ignore:.*fork")
def test_a_kill_at_any_file_operation_loses_nothing_and_blocks_nothing(tmp_path):
    counts = kill_everywhere(tmp_path, step=5)

    assert {"fine"} == set(counts)
    assert counts["fine"] > 10


def test_a_second_refresh_is_told_of_the_first(tmp_path):
    said = f"process {os.getpid()} measures into .* already"
    with store.measuring(tmp_path, local=False), pytest.raises(files.StoreError, match=said):
        refresh(tmp_path)

    assert [] == list(tmp_path.iterdir())


def test_a_lock_file_that_a_killed_process_left_is_no_lock(tmp_path):
    (tmp_path / ".lock").write_text("1\n")

    with lock.held(tmp_path / ".lock"):
        pass

    assert [] == list(tmp_path.iterdir())


def test_a_folder_without_its_session_is_left_out_with_a_warning(tmp_path):
    (tmp_path / "example-2c" / "2026-11-03").mkdir(parents=True)

    with pytest.warns(UserWarning, match="example-2c/2026-11-03 is left out: it has no session.json"):
        assert [] == store.check(tmp_path)
    assert refresh(tmp_path)[1] > 0


def test_an_unreadable_run_is_repeated(tmp_path):
    folder, _ = refresh(tmp_path)
    record = next(folder.glob("matmul-*.json"))
    record.unlink()
    (folder / files.SPOOL).mkdir()
    (folder / files.SPOOL / f"{record.stem}.0.json").write_text('{"index": 0, "ord')

    with pytest.raises(files.RecordError, match="expected a run, found something else; go on with --resume"):
        spool.spooled_runs(folder, record.stem)
    with store.measuring(tmp_path, local=False) as said:
        assert [f"{files.SPOOL}/{record.stem}.0.json cannot be read: that run is repeated"] == said
    assert (folder, 2) == refresh(tmp_path)


STRANGE = {
    "a folder as a run": lambda runs, name: (runs / name).mkdir(),
    "a full folder as a run": lambda runs, name: (runs / name / "x").mkdir(parents=True),
    "a pipe as a run": lambda runs, name: os.mkfifo(runs / name),
    "a link to a device as a run": lambda runs, name: (runs / name).symlink_to("/dev/zero"),
    "a link to nothing as a run": lambda runs, name: (runs / name).symlink_to("nothing"),
    "a folder as a half file": lambda runs, name: (runs.parent / ".x.tmp").mkdir(),
    "a file for the folder of runs": lambda runs, name: (runs.rmdir(), runs.write_text("x")),
    "a link for the folder of runs": lambda runs, name: (runs.rmdir(), runs.symlink_to("nothing")),
    "a file as a session to come": lambda runs, name: (runs.parents[1] / ".2026-01-01.tmp").write_text("x"),
}


@linux
@pytest.mark.parametrize("name", STRANGE)
def test_whatever_lies_among_the_runs_the_next_start_goes_on(tmp_path, name):
    folder, _ = refresh(tmp_path)
    record = next(folder.glob("matmul-*.json"))
    record.unlink()
    (folder / files.SPOOL).mkdir()
    STRANGE[name](folder / files.SPOOL, f"{record.stem}.0.json")

    assert (folder, 2) == refresh(tmp_path)
    assert [] == store.check(tmp_path) == [path.name for path in tmp_path.rglob(".*")]


@linux
def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("precious")
    (tmp_path / ".lock").symlink_to(kept)

    with pytest.raises(files.StoreError, match="no regular file, remove it"), lock.held(tmp_path / ".lock"):
        pass

    assert "precious" == kept.read_text()


def test_a_run_whose_number_is_taken_takes_the_next(tmp_path):
    spool.write_run(tmp_path, "a-cell", make_run(1))
    spool.write_run(tmp_path, "a-cell", make_run(1))

    assert [0, 1] == [run.index for run in spool.spooled_runs(tmp_path, "a-cell")]


def test_a_session_whose_folder_is_gone_is_not_made_again(tmp_path):
    with pytest.raises(files.StoreError, match=r"folder is gone \(--resume begins a new session\) or cannot"):
        files.write_once(tmp_path / "2026-11-03" / "matmul.json", make_run())

    assert [] == list(tmp_path.iterdir())


if __name__ == "__main__":
    as_host(setattr)
    with tempfile.TemporaryDirectory() as folder:
        print(dict(kill_everywhere(Path(folder))))
