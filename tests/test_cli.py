"""The command line as its user meets it: messages, exit codes, rehearsal; and a real interrupted refresh."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from bench.cli import app, show
from bench.cli import options as cli_options
from bench.doctor import collect as vitals
from bench.doctor import facts as doctor_facts
from bench.machine import cores, describe, software
from bench.records import files, store
from bench.records.codec import encode
from bench.schema import METHOD_VERSIONS, Record, Run
from bench.session import launch
from bench.session import run as session_run
from bench.workloads import registry
from tests import frameworks
from tests.factories import in_turn, make_gpu, make_machine, make_plan, make_record, make_run, make_session, run_now

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
        (["--only", "resnet5"], ["unknown workload 'resnet5'", "more)"]),
        (["--backend", "mxnet"], ["unknown backend 'mxnet'", "tensorflow, jax, torch"]),
        (["--device", "tpu"], ["unknown device 'tpu'", "cpu, gpu"]),
        (["--profile", "fast"], ["unknown profile 'fast'", "smoke, quick, reference"]),
        (["--time-budget", "soon"], ["--time-budget", "20m"]),
        (["--threads", "0"], ["--threads"]),
        (["--threads", "²"], ["--threads must be positive numbers", "²"]),
        (["--repeats", "9" * 30], ["--repeats", "less than or equal to 1000"]),
        (["--seed", "-1"], ["--seed", "greater than or equal to 0"]),
        (["--cell", "nothing"], ["unknown cell 'nothing'"]),
        (["--cell", ""], ["an option names nothing, got ''"]),
        (["--only", " , "], ["an option names nothing", "leave the option out"]),
        (["--backend", ""], ["an option names nothing"]),
        (["--device", ","], ["an option names nothing"]),
        (["--threads", ""], ["an option names nothing"]),
        (["--nonsense"], ["No such option"]),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_is_known(arguments, words):
    result = CliRunner().invoke(app.app, ["run", "--dry-run", *arguments])

    text = " ".join((result.output + result.stderr).split())
    assert 2 == result.exit_code
    assert all(word in text for word in words), text


@pytest.mark.slow
def test_a_rehearsal_prints_cells_order_and_how_long_it_takes_and_writes_nothing(tmp_path):
    result = script("--dry-run", "--profile", "smoke", "--results", tmp_path)

    assert 0 == result.returncode, result.stderr
    assert "resnet50" in result.stdout
    assert re.search(r"runs of \d+ cells, about [\d.]+ (seconds|minutes|hours)", result.stdout)
    assert [] == list(tmp_path.iterdir())


def test_a_cells_own_rerun_line_needs_no_other_option(tmp_path):
    """The line under every number names the cell and nothing else, whatever profile and backend it came from."""
    cell_id = "cnn-digits-train-jax-cpu-float32-strict-jit-on-b32-n1440-t1"

    result = CliRunner().invoke(app.app, ["run", "--dry-run", "--cell", cell_id, "--results", str(tmp_path)])

    assert 0 == result.exit_code, result.output
    assert "cnn-digits train jax b32" in result.stdout


@pytest.mark.parametrize(("given", "seconds"), [("20m", 1200.0), ("90s", 90.0), ("1.5h", 5400.0), ("3", 180.0)])
def test_a_budget_is_a_duration(given, seconds):
    assert seconds == cli_options.duration_s(given, "--time-budget")


def test_check_lists_problems_and_exits_with_1(tmp_path):
    folder = tmp_path / "example-2c" / "2026-11-03"
    store.begin(folder, make_machine(), refresh_session())
    (folder / "broken.json").write_text("{}")

    result = CliRunner().invoke(app.app, ["check", "--results", str(tmp_path)])

    assert 1 == result.exit_code
    assert "example-2c/2026-11-03/broken.json: $.schema_version: expected 3" in result.output


def refresh_session():
    from tests.factories import make_session

    return make_session()


def test_committed_records_are_valid():
    result = CliRunner().invoke(app.app, ["check"])

    assert 0 == result.exit_code, result.output


def launch_by(monkeypatch, launcher):
    """Let sessions launch their runs by this function."""
    defaults = {**session_run.execute.__kwdefaults__, "launcher": launcher}
    monkeypatch.setattr(session_run.execute, "__kwdefaults__", defaults)


@pytest.fixture
def fake_launch(monkeypatch):
    """Runs that take no time; those of a workload that the dictionary names end with that status."""
    ends: dict[str, str] = {}

    def fake(request, **_):
        if status := ends.get(request.cell.workload):
            return run_now(request, status=status, reason="it broke", blocks=())
        return run_now(request)

    monkeypatch.setattr(launch, "launch", fake)
    launch_by(monkeypatch, fake)
    return ends


def test_a_run_prints_a_line_per_cell_and_what_this_cpu_can_do(fake_launch, tmp_path):
    result = CliRunner().invoke(
        app.app, ["run", "--profile", "smoke", "--only", "cnn-digits", "--results", str(tmp_path)]
    )

    assert 0 == result.exit_code, result.output
    assert "ok" in result.output
    assert "1 run   64.0 images/s (n = 1)" in result.output
    assert "this CPU" in result.output


def test_a_failing_cell_exits_with_1_and_the_others_are_stored(fake_launch, tmp_path):
    fake_launch["matmul"] = "failed"

    result = CliRunner().invoke(
        app.app, ["run", "--profile", "smoke", "--only", "cnn-digits,matmul", "--results", str(tmp_path)]
    )

    assert 1 == result.exit_code, result.output
    assert "it broke" in result.output
    statuses = {record.cell.workload: record.status for record in store.load(tmp_path).sessions[0].records.values()}
    assert {"cnn-digits": "ok", "matmul": "failed"} == statuses


def test_a_cell_whose_data_cannot_be_had_is_skipped_and_no_failure(fake_launch, tmp_path):
    fake_launch["matmul"] = "skipped"

    result = CliRunner().invoke(
        app.app, ["run", "--profile", "smoke", "--only", "cnn-digits,matmul", "--results", str(tmp_path)]
    )

    assert 0 == result.exit_code, result.output
    assert "skipped   it broke" in result.output
    records = store.load(tmp_path).sessions[0].records.values()
    assert {("cnn-digits", "ok"), ("matmul", "skipped")} == {(r.cell.workload, r.status) for r in records}
    assert all(record.runs for record in records)
    assert [] == store.check(tmp_path)


def test_an_unwritable_results_folder_is_one_sentence(fake_launch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")

    result = CliRunner().invoke(app.app, ["run", "--profile", "smoke", "--only", "matmul", "--results", str(blocked)])

    assert 2 == result.exit_code
    assert "--results must be a folder; there is a file at" in (result.output + result.stderr)


def test_the_closing_table_pairs_the_best_of_each_device():
    cpu = make_record("resnet50", device="cpu")
    slow = make_record("resnet50", device="gpu", step_s=0.2)
    fast = make_record("resnet50", device="gpu", precision="tf32", step_s=0.1)

    pairs = list(show.gpu_pairs([cpu, slow, fast, make_record("matmul")]))

    assert [(cpu, fast)] == pairs
    assert make_gpu().name


def records_in(root):
    return [path for path in root.rglob("*-cpu-*.json") if files.SPOOL not in path.parts]


@pytest.fixture
def one_core():
    """What is started meanwhile has one core: runs that share two may end one right after the other."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.keras
@pytest.mark.usefixtures("one_core")
def test_an_interrupted_refresh_is_resumed(tmp_path):
    """A real session is stopped with Ctrl-C behind its first run; that is kept, and --resume does the rest."""
    only = ["--only", "matmul", "--repeats", "2"]
    command = [sys.executable, str(SCRIPT), "--profile", "smoke", *only, "--results", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not records_in(tmp_path):
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    kept = {path.name: path.read_bytes() for path in records_in(tmp_path)}

    assert 1 == process.returncode
    assert b"--resume" in stderr
    assert kept

    resumed = script(*command[2:], "--resume")

    assert 0 == resumed.returncode, resumed.stderr
    (session,) = store.load(tmp_path).sessions
    assert {2} == {len(record.runs) for record in session.records.values()}
    assert len(kept) < 2 == len(session.records)
    for path in records_in(tmp_path):
        if path.name in kept:
            assert kept[path.name] == path.read_bytes()


def forked(request, **_):
    """A run in a process of its own, as a session starts it, but that it finds its framework imported."""
    code = "import sys; from bench.measure import child; child.main(*sys.argv[1:])"
    with tempfile.TemporaryDirectory() as scratch:
        asked, told = Path(scratch, "request"), Path(scratch, "run")
        asked.write_bytes(encode(request))
        env = launch.environment(request.cell, launch.SHARING | os.environ, scratch)
        start = time.perf_counter()
        frameworks.run(code, str(asked), str(told), variables=env)
        total_s = time.perf_counter() - start
        return msgspec.structs.replace(msgspec.json.decode(told.read_bytes(), type=Run), total_s=total_s)


@pytest.mark.keras
def test_every_workload_really_runs_in_smoke_size_on_tensorflow(monkeypatch, tmp_path):
    """The main job: one process per run, real models, valid records with everything that a page needs."""
    launch_by(monkeypatch, forked)
    arguments = ["run", "--profile", "smoke", "--backend", "tensorflow", "--results", str(tmp_path)]
    result = CliRunner().invoke(app.app, arguments)

    assert 0 == result.exit_code, result.output
    assert [] == store.check(tmp_path)
    (session,) = store.load(tmp_path).sessions
    records = session.records.values()
    # Skipped are the workload whose data Keras downloads, without a network, and those that cap memory or cores,
    # without the right to make a cgroup.
    may_skip = ("cnn-fashion", "memory-caps", "quota")
    assert {"ok"} == {record.status for record in records if record.cell.workload not in may_skip}
    assert {"ok", "skipped"} >= {record.status for record in records}
    on_a_cpu = {
        name
        for name, spec in registry.workloads().items()
        if any(
            "cpu" in (variant.devices or ("cpu",)) and "tensorflow" in (variant.backends or ("tensorflow",))
            for variant in spec.variants["smoke"]
        )
    }
    assert {record.cell.workload for record in records} == on_a_cpu
    for record in records:
        for run in record.runs if record.status == "ok" else ():
            assert record.cell.device == run.observed.device
            assert record.cell.threads == run.observed.n_cores_affinity
            assert run.control_before is not None and run.control_after is not None
            of_every_model = set() if record.spec.kind == "study" else {"first_step", "warmup", "steady"}
            assert {"import", "device_start", *of_every_model} <= set(run.phases_s)
    (digits,) = [r for r in records if r.cell.workload == "cnn-digits" and r.cell.mode == "train"]
    assert digits.runs[0].job.reached


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A results folder of its own: one published session of an invented machine, which this machine then is."""
    monkeypatch.setattr(describe, "describe", lambda machine_id="": make_machine(machine_id or "example-2c"))
    monkeypatch.setattr(cores, "cores", lambda: cores.Cores(2, 2, None, 2))
    monkeypatch.setattr(software, "backend_version", lambda backend: "1.0")
    root = tmp_path / "results"
    monkeypatch.setattr(files, "RESULTS", root)
    monkeypatch.setattr(store, "load", lambda at=root, load=store.load, **options: load(at, **options))

    def publish(*records, folder=root, host=None, **fields):
        host = host or make_machine()
        session = make_session(records, machine_id=host.id, profile=records[0].profile, **fields)
        place = folder / host.id / session.id
        store.begin(place, host, session)
        for record in in_turn(records):
            store.write_record(place, record)

    return publish


def a_cell():
    """A cell of the smoke profile as the registry has it, and its id."""
    chosen = make_plan(only=("cnn-digits",))
    return next(cell for cell in chosen.cells.values() if cell.mode == "train")


def a_record(cell, *, step_s, **fields):
    spec = registry.workload(cell.workload)
    runs = [make_run(i, cell=cell, step_s=step_s * (1 + 0.001 * i)) for i in range(5)]
    known = {
        "cell": cell,
        "spec": msgspec.structs.replace(spec, variants={"smoke": spec.variants["smoke"]}),
        "profile": "smoke",
        "method_version": METHOD_VERSIONS[cell.mode],
        "source_hash": registry.source_hash(cell.workload),
        "status": "ok",
        "runs": tuple(runs),
    }
    return Record(**known | fields)


@pytest.fixture
def runs_that_take(monkeypatch):
    """A launcher whose runs have steps of the given seconds, here."""
    steps = {"s": 0.1}

    def fake(request, **_):
        step_s = steps["s"] * (1 + 0.001 * request.index)
        return run_now(request, step_s=step_s)

    launch_by(monkeypatch, fake)
    return steps


def invoke(*arguments):
    result = CliRunner().invoke(app.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join((result.output + result.stderr).split())


@pytest.mark.parametrize(
    ("step_s", "code", "word"),
    [(0.1, 0, "agrees:"), (0.104, 0, "agrees:"), (0.2, 1, "disagrees:"), (0.05, 1, "disagrees:")],
)
def test_a_rerun_agrees_or_disagrees_with_the_published_number(published, runs_that_take, step_s, code, word):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    runs_that_take["s"] = step_s

    exit_code, text = invoke("repro", cell.id)

    assert code == exit_code, text
    assert word in text
    assert "that / this" in text
    (mine,) = [session for session in store.load().sessions if session.is_local]
    assert 3 == len(mine.records[cell.id].runs)


def test_a_wider_tolerance_agrees(published, runs_that_take):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    runs_that_take["s"] = 0.12

    assert 1 == invoke("repro", cell.id, "--repeats", 1)[0]
    assert 0 == invoke("repro", cell.id, "--repeats", 1, "--tolerance", 0.25)[0]


def test_another_machines_number_is_not_comparable_and_the_ratio_is_shown(published, runs_that_take):
    cell = a_cell()
    published(a_record(cell, step_s=0.1), host=make_machine("other-2c", cpu_family="Other 1/2/3"))
    runs_that_take["s"] = 0.2

    exit_code, text = invoke("repro", cell.id)

    assert 3 == exit_code
    assert "that / this" in text
    assert "2.00x" in text or "2x" in text
    assert "not comparable: another machine than other-2c/2026-11-03" in text


def test_a_workload_that_has_changed_is_not_comparable(published, runs_that_take):
    cell = a_cell()
    published(a_record(cell, step_s=0.1, source_hash="0123456789abcdef"))

    exit_code, text = invoke("repro", cell.id)

    assert 3 == exit_code
    assert "differ in source of the workload" in text


def test_what_this_machine_cannot_run_is_not_comparable(published, monkeypatch):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    monkeypatch.setattr(software, "backend_version", lambda backend: None)

    exit_code, text = invoke("repro", cell.id)

    assert 3 == exit_code
    assert "not comparable: tensorflow is not installed" in text


def test_a_published_failure_is_not_comparable(published):
    cell = a_cell()
    published(
        a_record(cell, step_s=0.1, status="timeout", reason="no result after 5 s", runs=(make_run(status="timeout"),))
    )

    assert 3 == invoke("repro", cell.id)[0]


@pytest.mark.parametrize("arguments", [["repro", "nothing"], ["repro", "CELL", "--session", "nowhere/2026"], ["repro"]])
def test_wrong_usage_of_repro_exits_with_2(published, arguments):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))

    exit_code, text = invoke(*(cell.id if part == "CELL" else part for part in arguments))

    assert 2 == exit_code
    assert "repro" not in arguments[1:] and ("unknown" in text or "Missing argument" in text)


def test_a_cells_own_machine_goes_before_a_later_session_of_another(published, runs_that_take):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    published(a_record(cell, step_s=0.3), host=make_machine("zeta-2c", cpu_family="Other 1/2/3"))

    exit_code, text = invoke("repro", cell.id)

    assert 0 == exit_code, text
    assert "against example-2c/2026-11-03" in text


def test_compare_says_whether_numbers_are_normal(published):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    published(a_record(cell, step_s=0.2), folder=files.RESULTS / "local")

    exit_code, text = invoke("compare")

    assert 0 == exit_code
    assert "Mann-Whitney" in text and "at least 5 %" in text
    assert text.startswith(
        "This machine is not normal: 0 of 1 results are within 10 % of example-2c/2026-11-03, 1 slower"
    )
    assert "Of 1 tested, 1 became slower" in text
    assert "speed-up" not in text


def test_compare_of_two_machines_names_the_ratio(published):
    cell = a_cell()
    published(a_record(cell, step_s=0.1), host=make_machine("other-2c", cpu_family="Other 1/2/3"))
    published(a_record(cell, step_s=0.2), folder=files.RESULTS / "local")

    exit_code, text = invoke("compare", "other-2c/2026-11-03")

    assert 0 == exit_code
    assert "that / this" in text
    assert "Mann-Whitney" not in text and "speed-up" not in text


def test_compare_as_json_has_the_rows(published):
    cell = a_cell()
    published(a_record(cell, step_s=0.1))
    published(a_record(cell, step_s=0.2), folder=files.RESULTS / "local")

    result = CliRunner().invoke(app.app, ["compare", "--json"])

    (found,) = json.loads(result.stdout)
    assert cell.id == found["rows"][0]["cell_id"]
    assert 2.0 == pytest.approx(found["rows"][0]["ratio"]["value"], rel=0.01)
    assert "slower" == found["rows"][0]["change"]["verdict"]


def test_a_session_is_not_normal_for_being_like_itself(published):
    published(a_record(a_cell(), step_s=0.1))

    exit_code, text = invoke("compare", "example-2c/2026-11-03", "--mine", "example-2c/2026-11-03")

    assert 2 == exit_code
    assert "name two" in text


def test_a_machines_id_alone_means_its_newest_session(published):
    published(a_record(a_cell(), step_s=0.1))
    published(a_record(a_cell(), step_s=0.2), host=make_machine("other-2c"))

    exit_code, text = invoke("compare", "other-2c", "--mine", "example-2c")

    assert 0 == exit_code
    assert "other-2c/2026-11-03" in text and "example-2c/2026-11-03" in text


@pytest.mark.parametrize("mine", ["local/example-2c", "own-2c", "own-2c/2026-11-03"])
def test_a_machines_id_means_what_is_published_of_it_where_something_is(published, tmp_path, mine):
    published(a_record(a_cell(), step_s=0.1), started_at="2026-11-03T07:59:00+00:00")
    for host in (make_machine(), make_machine("own-2c")):
        published(a_record(a_cell(), step_s=0.2), folder=tmp_path / "results" / files.LOCAL, host=host)

    exit_code, text = invoke("compare", "example-2c", "--mine", mine)

    assert 0 == exit_code, text
    assert "that: example-2c/2026-11-03" in text and f"this: local/{mine.removeprefix('local/').split('/')[0]}/" in text


@pytest.mark.parametrize("command", ["check", "export"])
@pytest.mark.parametrize("named", ["misspelt", "a-file"])
def test_a_results_folder_that_is_none_holds_no_valid_records(tmp_path, command, named):
    (tmp_path / "a-file").write_text("root:x:0:0")

    exit_code, text = invoke(command, "--results", str(tmp_path / named))

    assert 2 == exit_code
    assert "--results must be a folder" in text and "valid" not in text


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["take", "no.tgz"], ["run", "--launcher", "local"]])
@pytest.mark.parametrize("named", ["a-file", "a-file/below", ""])
def test_records_are_put_in_no_file(tmp_path, command, named):
    (tmp_path / "a-file").write_text("mine")

    exit_code, text = invoke(*command, "--results", str(tmp_path / named) if named else "")

    assert 2 == exit_code
    assert text.startswith("error: --results must be a folder") and "Traceback" not in text


@pytest.mark.parametrize("arguments", [["compare"], ["compare", "nowhere/2026"], ["compare", "--mine", "nowhere"]])
def test_compare_without_a_session_or_with_an_unknown_one_exits_with_2(published, arguments):
    published(a_record(a_cell(), step_s=0.1))

    assert 2 == invoke(*arguments)[0]


@pytest.mark.parametrize(("load", "code"), [(0.0, 0), (99.0, 1)])
@pytest.mark.parametrize("arguments", [["doctor"], ["run", "--doctor"]])
def test_the_doctor_exits_with_1_only_for_problems(monkeypatch, arguments, load, code):
    facts = doctor_facts.Facts(host=doctor_facts.HostFacts(system="Linux", load_1min=load, cpu_flags=("avx", "avx2")))
    monkeypatch.setattr(vitals, "collect", lambda: facts)

    exit_code, text = invoke(*arguments)

    assert code == exit_code
    assert f"{code} problem" in text


def test_the_doctor_as_json(monkeypatch):
    facts = doctor_facts.Facts(host=doctor_facts.HostFacts(system="Linux", cpu_flags=("avx", "avx2")))
    monkeypatch.setattr(vitals, "collect", lambda: facts)

    result = CliRunner().invoke(app.app, ["doctor", "--json"])

    report = json.loads(result.stdout)
    assert {"facts", "findings"} == set(report)
    assert {"id", "severity", "seen", "means", "fix"} <= set(report["findings"][0])


def test_a_cell_that_the_budget_cut_short_is_named(fake_launch, tmp_path, monkeypatch):
    """Runs that take ten times what was expected: the first cell stays behind with one of its three runs."""
    clock = iter(float(100 * i) for i in range(1000))
    monkeypatch.setattr(
        session_run.execute, "__kwdefaults__", {**session_run.execute.__kwdefaults__, "now": lambda: next(clock)}
    )

    exit_code, text = invoke(
        "run", "--profile", "smoke", "--only", "matmul", "--repeats", 3, "--time-budget", "250s", "--results", tmp_path
    )

    assert 0 == exit_code, text
    assert "cut short by the time budget: matmul probe" in text


def as_json(*arguments):
    result = CliRunner().invoke(app.app, [*map(str, arguments), "--json"])
    assert 0 == result.exit_code, result.output + result.stderr
    return json.loads(result.stdout)


def test_a_plan_and_a_list_as_json():
    plan = as_json("plan", "--profile", "smoke", "--only", "matmul")
    workloads = as_json("list")

    assert plan["n_runs"] == sum(cell["n_runs"] for cell in plan["cells"])
    assert {"id", "name", "n_runs", "estimate_s"} <= set(plan["cells"][0])
    assert set(registry.workloads()) == {item["id"] for item in workloads}


def test_a_run_as_json_prints_json_alone(fake_launch, tmp_path):
    found = as_json("run", "--profile", "smoke", "--only", "cnn-digits", "--results", tmp_path)

    assert {"ok"} == {cell["status"] for cell in found["cells"]}
    assert "cnn-digits train tensorflow b32" in {cell["name"] for cell in found["cells"]}
    assert 64.0 == pytest.approx(found["cells"][0]["estimate"]["value"])


def test_a_rerun_as_json_has_its_verdict_and_a_short_name_will_do(published, runs_that_take):
    published(a_record(a_cell(), step_s=0.1))

    found = as_json("repro", "cnn-digits", "train")

    assert ("agrees", a_cell().id) == (found["verdict"], found["cell"])
    assert 1.0 == pytest.approx(found["rows"][0]["ratio"]["value"], rel=0.01)


def test_a_check_as_json_lists_its_problems(tmp_path):
    folder = tmp_path / "example-2c" / "2026-11-03"
    store.begin(folder, make_machine(), refresh_session())
    assert {"problems": [], "n_sessions": 1, "n_records": 0} == as_json("check", "--results", tmp_path)
    (folder / "broken.json").write_text("{}")

    result = CliRunner().invoke(app.app, ["check", "--results", str(tmp_path), "--json"])

    assert 1 == result.exit_code
    assert "broken.json" in json.loads(result.stdout)["problems"][0]


def test_a_table_has_a_row_for_each_record(published, tmp_path):
    published(a_record(a_cell(), step_s=0.1))
    out = tmp_path / "rows.csv"

    assert 0 == invoke("export", "--csv", out, "--results", files.RESULTS)[0]

    head, row = out.read_text(encoding="utf-8").splitlines()
    found = dict(zip(head.split(","), row.split(","), strict=True))
    assert ("example-2c/2026-11-03", "cnn-digits train tensorflow b32") == (found["session"], found["name"])
    assert 320.0 == pytest.approx(float(found["value"]), rel=0.01)


def test_a_run_ends_with_what_to_do_next(published, fake_launch):
    exit_code, text = invoke("run", "--profile", "quick", "--only", "matmul")

    assert 0 == exit_code, text
    assert f"next: `{show.COMMAND} compare` says whether these numbers are normal" in text
    assert f"`{show.COMMAND} export` packs them and says how to send them in" in text


def test_a_failed_run_names_the_doctor(fake_launch, tmp_path):
    fake_launch["matmul"] = "failed"

    _, text = invoke("run", "--profile", "smoke", "--only", "matmul", "--results", tmp_path)

    assert f"`{show.COMMAND} doctor` looks for the cause" in text


def test_many_skipped_cells_of_one_reason_are_one_line(fake_launch, tmp_path, monkeypatch):
    monkeypatch.setattr(software, "backend_version", lambda name: "1.0" if name == "tensorflow" else None)
    arguments = ("run", "--profile", "smoke", "--only", "cnn-digits", "--backend", "tensorflow,jax")

    _, text = invoke(*arguments, "--results", tmp_path / "folded")
    assert "skipped: 2 cells: jax is not installed" in text
    _, text = invoke(*arguments, "--all", "--results", tmp_path / "all")
    assert 2 == text.count("skipped: cnn-digits")
