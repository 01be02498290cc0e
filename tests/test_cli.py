"""The command line as its user meets it: messages, exit codes, rehearsal; and a real interrupted refresh."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import cli, launch, refresh, store
from tests.factories import make_gpu, make_machine, make_record, make_run

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPT = REPOSITORY / "scripts" / "refresh_benchmarks.py"


def script(*arguments, **options):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "resnet5"], ["unknown workload 'resnet5'", "mlp-tabular"]),
        (["--backend", "mxnet"], ["unknown backend 'mxnet'", "tensorflow, jax, torch"]),
        (["--device", "tpu"], ["unknown device 'tpu'", "cpu, gpu"]),
        (["--profile", "fast"], ["unknown profile 'fast'", "smoke, quick, reference"]),
        (["--time-budget", "soon"], ["--time-budget", "20m"]),
        (["--threads", "0"], ["--threads"]),
        (["--cell", "nothing"], ["unknown cell 'nothing'"]),
        (["--nonsense"], ["No such option"]),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_is_known(arguments, words):
    result = CliRunner().invoke(cli.app, ["run", "--dry-run", *arguments])

    text = " ".join((result.output + result.stderr).split())
    assert 2 == result.exit_code
    assert all(word in text for word in words), text


def test_a_rehearsal_prints_cells_order_and_minutes_and_writes_nothing(tmp_path):
    result = script("--dry-run", "--profile", "smoke", "--results", tmp_path)

    assert 0 == result.returncode, result.stderr
    assert "resnet50-train-tensorflow-cpu" in result.stdout
    assert "order of the runs: 0 1 2" in result.stdout
    assert "minutes" in result.stdout
    assert [] == list(tmp_path.iterdir())


def test_a_cells_own_rerun_line_needs_no_other_option(tmp_path):
    """The line under every number names the cell and nothing else, whatever profile and backend it came from."""
    cell_id = "cnn-digits-train-jax-cpu-float32-strict-jit-on-b32-n1440-t1"

    result = script("--dry-run", "--cell", cell_id, "--results", tmp_path)

    assert 0 == result.returncode, result.stderr
    assert cell_id in result.stdout


@pytest.mark.parametrize(("given", "seconds"), [("20m", 1200.0), ("90s", 90.0), ("1.5h", 5400.0), ("3", 180.0)])
def test_a_budget_is_a_duration(given, seconds):
    assert seconds == cli.budget_seconds(given)


def test_check_lists_problems_and_exits_with_1(tmp_path):
    folder = tmp_path / "example-2c" / "2026-11-03"
    store.begin(folder, make_machine(), refresh_session())
    (folder / "broken.json").write_text("{}")

    result = CliRunner().invoke(cli.app, ["check", "--results", str(tmp_path)])

    assert 1 == result.exit_code
    assert "example-2c/2026-11-03/broken.json: $.schema_version: expected 2" in result.output


def refresh_session():
    from tests.factories import make_session

    return make_session()


def test_committed_records_are_valid():
    result = CliRunner().invoke(cli.app, ["check"])

    assert 0 == result.exit_code, result.output


@pytest.fixture
def fake_launch(monkeypatch):
    """Runs that take no time; a workload named in the list fails."""
    failing: list[str] = []

    def fake(request, **_):
        if request.cell.workload in failing:
            return make_run(request.index, cell=request.cell, status="failed", reason="it broke", blocks=())
        return make_run(request.index, cell=request.cell, order=request.order)

    monkeypatch.setattr(launch, "launch", fake)
    monkeypatch.setattr(refresh.execute, "__kwdefaults__", {**refresh.execute.__kwdefaults__, "launcher": fake})
    return failing


def test_a_run_prints_a_line_per_cell_and_what_this_cpu_can_do(fake_launch, tmp_path):
    result = CliRunner().invoke(
        cli.app, ["run", "--profile", "smoke", "--only", "cnn-digits", "--results", str(tmp_path)]
    )

    assert 0 == result.exit_code, result.output
    assert "ok" in result.output
    assert "1 run   64.0 images/s (64.0 to 64.0, n = 1)" in result.output
    assert "this CPU" in result.output


def test_a_failing_cell_exits_with_1_and_the_others_are_stored(fake_launch, tmp_path):
    fake_launch.append("matmul")

    result = CliRunner().invoke(
        cli.app,
        ["run", "--profile", "smoke", "--only", "cnn-digits,matmul", "--results", str(tmp_path)],
    )

    assert 1 == result.exit_code, result.output
    assert "it broke" in result.output
    statuses = {
        record.cell.workload: record.status for record in store.load(tmp_path).sessions[0].records.values()
    }
    assert {"cnn-digits": "ok", "matmul": "failed"} == statuses


def test_an_unwritable_results_folder_is_one_sentence(fake_launch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")

    result = CliRunner().invoke(cli.app, ["run", "--profile", "smoke", "--only", "matmul", "--results", str(blocked)])

    assert 1 == result.exit_code
    assert "choose another" in (result.output + result.stderr)


def test_the_closing_table_pairs_the_best_of_each_device():
    cpu = make_record("resnet50", device="cpu")
    slow = make_record("resnet50", device="gpu", step_s=0.2)
    fast = make_record("resnet50", device="gpu", precision="tf32", step_s=0.1)

    pairs = list(cli.gpu_pairs([cpu, slow, fast, make_record("matmul")]))

    assert [(cpu, fast)] == pairs
    assert make_gpu().name


@pytest.mark.keras
def test_an_interrupted_refresh_is_resumed(tmp_path):
    """A real session is killed with Ctrl-C in its second run; the first is kept, and --resume does the rest."""
    command = [sys.executable, str(SCRIPT), "--profile", "smoke", "--only", "matmul", "--results", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not list(tmp_path.rglob("matmul-*.json")):
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("matmul-*.json")}

    assert 1 == process.returncode
    assert b"--resume" in stderr
    assert kept

    resumed = script(*command[2:], "--resume")

    assert 0 == resumed.returncode, resumed.stderr
    (session,) = store.load(tmp_path).sessions
    assert 2 == len(session.records)
    for path in tmp_path.rglob("matmul-*.json"):
        if path.name in kept:
            assert kept[path.name] == path.read_bytes()


@pytest.mark.keras
def test_every_workload_really_runs_in_smoke_size_on_tensorflow(tmp_path):
    """The main job: one process per run, real models, valid records with everything that a page needs."""
    result = script("--profile", "smoke", "--backend", "tensorflow", "--results", tmp_path)

    assert 0 == result.returncode, result.stdout + result.stderr
    assert [] == store.check(tmp_path)
    (session,) = store.load(tmp_path).sessions
    records = session.records.values()
    assert {"ok"} == {record.status for record in records}
    assert {record.cell.workload for record in records} == set(cli.registry.workloads())
    for record in records:
        for run in record.runs:
            assert record.cell.device == run.observed.device
            assert record.cell.threads == run.observed.n_cores_affinity
            assert run.control_before is not None and run.control_after is not None
            assert {"import", "device_start", "first_step", "warmup", "steady"} <= set(run.phases_s)
    (digits,) = [r for r in records if r.cell.workload == "cnn-digits" and r.cell.mode == "train"]
    assert digits.runs[0].job.reached
