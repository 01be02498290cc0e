"""Killed or hindered at any moment, a session loses at most the run under way, and the next start goes on.

The long form is ``tests.long kill``.
"""

import contextlib
import errno
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import typer

from bench.cli import crash, measure
from bench.machine import cores, describe, processes, software
from bench.records import files, lock, spool, store
from bench.records.codec import encode
from bench.schema import Block, Control
from bench.session import launch
from bench.session import run as session_run
from bench.session.prepare import Options, prepare
from tests.factories import make_cell, make_machine, make_run, run_now

pytestmark = pytest.mark.slow

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


# What goes wrong in a process that measures, by name; each is called in it before it begins.


def disk_full(root):
    failing("fsync", errno.ENOSPC)


def disk_full_at_first(root):
    failing("mkdir", errno.ENOSPC)


def disk_full_at_last(root):
    failing("replace", errno.ENOSPC, after=6)


def disk_read_only(root):
    failing("mkdir", errno.EROFS)


def folder_closed(root):
    failing("fsync", errno.EACCES, after=3)


def temporary_folder_full(root):
    whole = Path.write_bytes

    def written(path, data):
        if path.name == "request.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path, data)

    Path.write_bytes = written


def temporary_folder_gone(root):
    shutil.rmtree(os.environ["TMPDIR"])
    Path(os.environ["TMPDIR"]).write_text("no folder")


def on_launch(act, number=2):
    """Do this as soon as so many runs were asked for."""
    numbers, whole = itertools.count(1), launch.environment

    def asked(*arguments):
        if next(numbers) == number:
            act()
        return whole(*arguments)

    launch.environment = asked


def results_gone(root):
    on_launch(lambda: shutil.rmtree(root))


def session_gone(root):
    on_launch(lambda: [shutil.rmtree(folder) for folder in root.glob("*/*")])


def spool_unreadable(root):
    def spoil():
        for path in root.glob(f"*/*/{files.SPOOL}/*.json"):
            path.write_bytes(b"\xff")

    on_launch(spoil, 3)


def spool_is_a_file(root):
    on_launch(lambda: [(folder / files.SPOOL).write_text("x") for folder in root.glob("*/*")], 1)


def clock_set_back(root):
    class Earlier(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(hours=2)

    on_launch(lambda: setattr(launch, "datetime", Earlier))


def hung_up(root):
    on_launch(lambda: os.kill(os.getpid(), signal.SIGHUP))


FAULTS = (disk_full, disk_full_at_first, disk_full_at_last, disk_read_only, folder_closed, temporary_folder_full,
          temporary_folder_gone, results_gone, session_gone, spool_unreadable, spool_is_a_file, clock_set_back,
          hung_up)  # fmt: skip


def failing(name, code, after=0):
    """Let a call of the system fail from its n-th use on."""
    numbers, whole = itertools.count(), getattr(os, name)

    def called(*arguments, **named):
        if next(numbers) >= after:
            raise OSError(code, os.strerror(code), *arguments[:1])
        return whole(*arguments, **named)

    setattr(os, name, called)


class Trials:
    """Sessions of the real command and real processes below a folder, with a child that measures nothing."""

    def __init__(self, root):
        self.root, self.runs = root, root / "runs"
        self.runs.mkdir()
        quick = {"phases_s": {"import": 1e-3, "steady": 3e-3}, "warmup": (), "latencies_s": (), "total_s": 0.1}
        control = Control(n=64, seconds=(1e-4,))
        blocks = (Block(n_steps=1, seconds=1e-3),) * 3
        for workload, params in (("cnn-digits", {}), ("matmul", {"n": 256})):
            cell = make_cell(workload, params=params)
            run = make_run(cell=cell, blocks=blocks, control_before=control, control_after=control, **quick)
            (self.runs / f"{workload}.json").write_bytes(encode(run))

    def begin(self, name, fault=None):
        """Start the command in a process of its own, which leads a group."""
        root, scratch = self.root / name, self.root / f"{name}.tmp"
        if scratch.is_file():
            scratch.unlink()
        scratch.mkdir(exist_ok=True)
        if pid := os.fork():
            return pid
        try:
            os.setsid()
            sys.stdout = sys.stderr = (self.root / f"{name}.log").open("a", encoding="utf-8", buffering=1)
            os.environ |= {"TMPDIR": str(scratch), "QUICK_RUNS": str(self.runs)}
            tempfile.tempdir = None
            launch.WORKER = (sys.executable, "-S", str(Path(__file__).with_name("quick_worker.py")))
            if fault is not None:
                fault(root)
            crash.guard(lambda: command(root))
            os._exit(0)
        except SystemExit as ended:
            os._exit(ended.code or 0)
        except KeyboardInterrupt:  # before the first run; typer then does the same
            os._exit(1)
        except BaseException as error:  # noqa: BLE001  a forked test must not go on as the test
            print(f"Traceback: {error!r}")
            os._exit(99)

    def said(self, name):
        """What the command printed so far."""
        return (self.root / f"{name}.log").read_text(encoding="utf-8")

    def finished(self, name):
        """Instants at which the finished runs of a session began, in records and in the spool."""
        found = set()
        for path in (self.root / name).rglob("*.json"):
            if path.name not in ("machine.json", "session.json"):
                with contextlib.suppress(ValueError):
                    raw = msgspec.json.decode(path.read_bytes())
                    found |= {run["started_at"] for run in raw.get("runs", [raw])}
        return found

    def judged(self, name, pid, before):
        """What a disturbed session has left, and the next one made of it, in a word; "fine" when nothing."""
        until = time.monotonic() + max(1, os.getloadavg()[0] / os.cpu_count())  # a second, where nobody else computes
        while orphans(pid) and time.monotonic() < until:
            time.sleep(0.02)
        if orphans(pid):
            return "orphans"
        for _ in range(2):  # where the child was ended, its run is a failed one
            code = ended(self.begin(name))
        root = self.root / name
        if code not in (0, 1) or "Traceback" in self.said(name) or "fault of ours" in self.said(name):
            return f"blocked, exit code {code}: {self.said(name).rpartition('Traceback')[2][:300]!r}"
        if not before <= self.finished(name):
            return "lost"
        sessions = [
            store.load_session(folder, root) for folder in root.glob("*/*") if (folder / "session.json").exists()
        ]
        if store.check(root) or any(len(one.runs) != N_REPEATS for one in sessions[-1].records.values()):
            return f"half: {store.check(root)[:1]}"
        left = [path.name for path in (*root.rglob(".*"), *(self.root / f"{name}.tmp").iterdir())]
        return f"left {left}" if left else "fine"

    def hindered(self, fault):
        """What came of a session in which something goes wrong: one sentence, and the next one goes on."""
        name = fault.__name__
        pid = self.begin(name, fault)
        code, said = ended(pid), self.said(name)
        if "Traceback" in said or "fault of ours" in said or code not in (0, 1):
            return f"{name}: exit code {code}: {said[-500:]}"
        if code == 1 and 1 != sum(line.startswith(("error: ", "interrupted; ")) for line in said.splitlines()):
            return f"{name}: not one sentence: {said[-500:]}"
        keeps = fault not in (results_gone, session_gone, spool_unreadable)
        return self.judged(name, pid, self.finished(name) if keeps else set())

    def struck(self, name, after_s, number, child=False):
        """What came of a signal to the command, or of SIGKILL to what it started, after so many seconds."""
        pid = self.begin(name)
        time.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            for one in orphans(pid) if child else [pid]:
                os.kill(one, signal.SIGKILL if child else number)
        ended(pid)
        return self.judged(name, pid, self.finished(name))


def command(root):
    """What ``refresh_benchmarks.py --resume`` does."""
    try:
        measure.measure(profile="smoke", only=["cnn-digits,matmul"], repeats=N_REPEATS, resume=True, results=root)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


def ended(pid):
    """Wait for a process; its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def orphans(parent):
    """Processes that a command with this number started."""
    found, mark = [], f"BENCH_PARENT={parent}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def count(n):
    """What came of kills at every file operation, of every fault, and of signals at n random moments."""
    as_host(setattr)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = Counter({f"operation: {what}": n for what, n in kill_everywhere(root / "operations").items()})
        (root / "trials").mkdir()
        trials, chance = Trials(root / "trials"), random.Random(1)
        for fault in FAULTS:
            found[f"fault: {trials.hindered(fault)}"] += 1
        began = time.monotonic()
        ended(trials.begin("whole"))
        whole_s = time.monotonic() - began
        for number in range(n):
            name = chance.choice(("SIGKILL", "SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"))
            args = chance.uniform(0, whole_s), getattr(signal, name), chance.random() < 0.2
            found[f"random: {trials.struck(str(number), *args)}"] += 1
            shutil.rmtree(root / "trials" / str(number), ignore_errors=True)
    return dict(found), [what for what in found if not what.endswith(": fine")]


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


@linux
@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_one_sentence_and_the_next_start_goes_on(tmp_path, fault):
    assert "fine" == Trials(tmp_path).hindered(fault)


@linux
@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_signal_at_any_moment_loses_nothing_and_leaves_nobody(tmp_path, number):
    trials = Trials(tmp_path)

    assert {"fine"} == {trials.struck(str(after_s), after_s, number) for after_s in (0.05, 0.3)}


def test_a_temporary_folder_without_its_lock_stays_as_long_as_who_made_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = next(pid for pid in range(4_000_000, 5_000_000) if not processes.is_alive(pid))
    kept, left = (tmp_path / f"{launch.SCRATCH}{pid}-x" for pid in (os.getpid(), gone))
    kept.mkdir(), left.mkdir()

    launch.remove_leftovers()

    assert [kept] == list(tmp_path.iterdir())
