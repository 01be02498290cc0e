"""A session cut by workload into jobs: on this machine one after the other, and in a Slurm that the test starts."""

import contextlib
import signal
import subprocess
import sys
import time

import msgspec
import psutil
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.records import codec, files, gather, store
from bench.schema import Machine, Session
from bench.session import shards
from bench.session.prepare import Options
from tests import slurm_node
from tests.fake_shard import FakeShard
from tests.test_kill import Trials, as_host

WORKLOADS = ("cnn-digits", "matmul")
ARGUMENTS = ["run", "--profile", "smoke", "--only", ",".join(WORKLOADS), "--repeats", "2"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="submitit signals as POSIX systems do"),
]


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    """A results folder for jobs whose children measure nothing."""
    as_host(monkeypatch.setattr)
    monkeypatch.setattr(shards, "Shard", FakeShard)
    monkeypatch.setattr(shards, "POLL_S", 0.1)
    monkeypatch.setenv("QUICK_RUNS", str(Trials(tmp_path).runs))
    return tmp_path / "results"


@pytest.fixture
def submitit():
    return pytest.importorskip("submitit", reason="submitit is not installed; make test installs it")


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """The configuration of a Slurm of one node."""
    if reason := slurm_node.missing():
        pytest.skip(reason)
    with slurm_node.slurm(tmp_path_factory.mktemp("slurm")) as conf:
        yield conf


@pytest.fixture
def cluster(submitit, node, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(node))


def run(root, *arguments):
    return CliRunner().invoke(app, [*ARGUMENTS, "--results", str(root), *arguments])


def kind_of(root, **fields):
    options = Options(profile="smoke", only=("matmul",), repeats=12, results=root)
    given = {"name": "local", "launcher": "local", "nodes": 1, "gpus_per_node": 0, "limit_s": 3600, "options": options}
    return shards.Kind(**given | fields)


def until(is_so, said):
    """Wait for a moment of a job; the limit is only for one that never comes."""
    for _ in range(2400):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(said())


def finished(root):
    """Instants at which the runs began that are on disk, in spools and records of parts."""
    found = set()
    for path in root.rglob("*.json"):
        if path.name not in ("machine.json", "session.json"):
            with contextlib.suppress(FileNotFoundError):  # its cell has just got its record
                raw = msgspec.json.decode(path.read_bytes())
                found |= {run["started_at"] for run in raw.get("runs", [raw])}
    return found


def only_session(root):
    """The one session of a results folder, after every check; nothing else is there."""
    assert [] == store.check(root)
    (found,) = store.load(root).sessions
    assert [found.machine.id] == [path.name for path in root.iterdir()]
    return found


def logs(kind):
    return "".join(path.read_text(encoding="utf-8") for path in (kind.folder / "log").glob("*_log.*"))


# On this machine.


def test_jobs_of_this_machine_become_one_whole_session(submitit, jobs):
    done = run(jobs, "--launcher", "local")

    assert 0 == done.exit_code, done.output
    found = only_session(jobs)
    assert set(WORKLOADS) == {record.cell.workload for record in found.records.values()}
    assert {cell.cell_id for cell in found.session.plan} == set(found.records)
    orders = [run.order for record in found.records.values() for run in record.runs]
    assert sorted(orders) == list(range(len(orders))), "every run has its place in the one plan"


def test_a_session_goes_on_with_the_workloads_that_are_left(submitit, jobs, monkeypatch):
    options = Options(profile="smoke", only=WORKLOADS, repeats=2, results=jobs)
    kind = kind_of(jobs, options=options)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as submitit does for its jobs
    kind.left()[0]()
    assert ["matmul"] == [shard.workload for shard in kind.left()]
    with pytest.raises(files.RecordError, match=r"1 workloads are not finished \(matmul\)"):
        shards.collect(kind)
    before = finished(jobs)

    refused, done = run(jobs, "--launcher", "local"), run(jobs, "--launcher", "local", "--resume")

    assert 2 == refused.exit_code and "add --resume" in refused.output
    assert 0 == done.exit_code and "1 job submitted" in done.output, done.output
    assert before < {run.started_at for record in only_session(jobs).records.values() for run in record.runs}


def test_a_job_that_is_told_to_end_goes_on_and_repeats_nothing(submitit, jobs):
    """As in Slurm every process of the job gets the signal; the run under way is lost, and no other."""
    kind = kind_of(jobs)
    (shard,) = kind.left()
    job = submitit.AutoExecutor(kind.folder / "log", cluster="local").submit(shard)
    kept = held(jobs, lambda: logs(kind))
    (task,) = psutil.Process(int(job.job_id)).children()
    for process in (*task.children(recursive=True), task):
        process.send_signal(signal.SIGUSR2)
    until(lambda: "Caught signal" in logs(kind), lambda: logs(kind))
    release(jobs)
    job.wait()

    assert_goes_on(kind, jobs, kept)


def held(root, said):
    """Let some runs of a job end and hold the next one; the instants of those that have ended."""
    until(lambda: len(finished(root)) > 3, said)
    (root.parent / "runs" / "hold").touch()
    n = -1
    while n != len(found := finished(root)):
        n = len(found)
        time.sleep(0.5)
    return found


def release(root):
    (root.parent / "runs" / "hold").unlink()


def assert_goes_on(kind, root, kept):
    folder = shards.collect(kind)
    found = only_session(root)
    assert root / found.path == folder
    runs = [run for record in found.records.values() for run in record.runs]
    assert {"ok"} == {run.status for run in runs}
    assert kept < {run.started_at for run in runs}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--launcher", "slurm"], "needs --partition"),
        (["--launcher", "local", "--partition", "gpu"], "has none"),
        (["--launcher", "pbs"], "slurm"),
        (["--launcher", "local", "--time-budget", "20m", "--json"], "leave out --time-budget, --json"),
        (["--launcher", "slurm", "--partition", "a,b", "--machine-id", "x"], "several partitions"),
        (["--launcher", "local", "--job-limit", "soon"], "--job-limit must look like"),
    ],
)
def test_what_no_launcher_can_do_is_refused(jobs, arguments, said):
    done = run(jobs, *arguments)

    assert 2 == done.exit_code and said in done.output
    assert not jobs.exists()


def test_without_submitit_a_launcher_says_what_to_install(jobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)

    done = run(jobs, "--launcher", "local")

    assert 2 == done.exit_code and "requirements/slurm.txt" in done.output


def test_a_dry_run_names_the_jobs_of_each_kind(jobs):
    done = run(jobs, "--launcher", "slurm", "--partition", "cpu", "--partition", "gpu", "--dry-run")

    assert ["cpu: cnn-digits, matmul", "gpu: cnn-digits, matmul"] == done.output.splitlines()
    assert not jobs.exists()


# Parts that are not of one session.


@pytest.fixture
def parts(jobs):
    """Two parts of a plan."""
    kind = kind_of(jobs, options=Options(profile="smoke", only=WORKLOADS, repeats=1, results=jobs))
    for shard in kind.left():
        shard()
    return [kind.folder / shards.PARTS / name for name in WORKLOADS]


def gathered(parts, root):
    return gather.gather(parts, root, local=False, scratch=root / ".scratch")


def changed(part, name, type_, **fields):
    path = part / name
    path.write_bytes(codec.encode(msgspec.structs.replace(files.read(path, type_), **fields)))


@pytest.mark.parametrize(
    ("name", "type_", "fields"),
    [
        ("machine.json", Machine, {"cpu_model": "Another Processor"}),
        ("session.json", Session, {"versions": {"keras": "3.1.0"}}),
        ("session.json", Session, {"environment": {"OMP_NUM_THREADS": "1"}}),
    ],
)
def test_parts_of_two_kinds_of_machine_are_no_session(parts, tmp_path, name, type_, fields):
    changed(parts[1], name, type_, **fields)

    with pytest.raises(files.RecordError, match=f"matmul and cnn-digits .* other {next(iter(fields))}"):
        gathered(parts, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def test_equal_nodes_may_differ_a_little_in_memory(parts, tmp_path):
    changed(parts[1], "machine.json", Machine, memory_bytes=8 * 2**30 + 4096)

    assert gathered(parts, tmp_path / "whole").is_dir()
    assert WORKLOADS == tuple(sorted({r.cell.workload for r in only_session(tmp_path / "whole").records.values()}))


def test_a_session_that_lacks_a_part_is_not_filed(parts, tmp_path):
    with pytest.raises(files.RecordError, match="planned cells have no record, first matmul"):
        gathered(parts[:1], tmp_path / "whole")
    assert [".scratch"] == [path.name for path in (tmp_path / "whole").iterdir()]


# In Slurm.


def queued(kind, form):
    command = ["squeue", "--noheader", f"--name={kind.job_name}", f"--format={form}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def update(kind, *changes):
    subprocess.run(["scontrol", "update", f"JobId={queued(kind, '%i')}", *changes], check=True)


def start_at_once(kind):
    """Do without the minutes that Slurm lets pass before it starts a job again."""
    until(lambda: queued(kind, "%t") == "PD", lambda: f"{queued(kind, '%t %r')} {logs(kind)}")
    update(kind, "StartTime=now", "TimeLimit=10")


def test_two_kinds_of_machine_become_two_sessions(cluster, jobs):
    done = run(jobs, "--launcher", "slurm", "--partition", "low,high")

    assert 0 == done.exit_code, done.output
    assert [] == store.check(jobs)
    found = store.load(jobs).sessions
    assert [set(WORKLOADS)] * 2 == [{record.cell.workload for record in one.records.values()} for one in found]


def test_a_partition_that_there_is_not_is_refused_with_what_slurm_says(cluster, jobs):
    done = run(jobs, "--launcher", "slurm", "--partition", "nowhere")

    assert 2 == done.exit_code and "nowhere: " in done.output and "invalid partition" in done.output, done.output
    assert not (jobs / shards.FOLDER / "nowhere").exists()


def test_a_preempted_job_goes_back_into_the_queue_and_goes_on(cluster, jobs):
    kind = kind_of(jobs, name="low", launcher="slurm")
    assert 1 == shards.submit(kind)
    kept = held(jobs, lambda: logs(kind))
    subprocess.run(
        ["sbatch", "--partition=high", "--exclusive", "--wait", "--wrap=true", "--output=/dev/null"], check=True
    )
    release(jobs)
    assert 0 == shards.submit(kind), "its job is still in the queue"
    start_at_once(kind)
    list(shards.wait([kind]))

    assert 2 == logs(kind).count("Starting with JobEnvironment"), logs(kind)
    assert_goes_on(kind, jobs, kept)


def test_a_job_at_its_time_limit_goes_on_in_a_new_one(cluster, jobs):
    kind = kind_of(jobs, name="low", launcher="slurm", limit_s=600)
    shards.submit(kind)
    kept = held(jobs, lambda: logs(kind))
    update(kind, "TimeLimit=2")  # which is near its end as soon as Slurm looks, every half minute
    until(lambda: "this job is timed-out" in logs(kind), lambda: logs(kind))
    release(jobs)
    start_at_once(kind)
    list(shards.wait([kind]))

    assert "remaining timeouts" in logs(kind)
    assert_goes_on(kind, jobs, kept)
