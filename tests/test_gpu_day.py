"""A session on a GPU for some minutes: its rows, its gate, its end in time, and the way home of its records."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile

import msgspec
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.cli import gpu_day as cli_gpu_day
from bench.doctor import collect
from bench.doctor.facts import Facts, HostFacts
from bench.machine import cores, describe, software
from bench.records import files, pack, store
from bench.records.codec import encode
from bench.schema import Block, Session
from bench.session import gpu_day, launch
from bench.session.prepare import Options
from bench.workloads import registry
from tests.factories import make_gpu, make_machine, run_now

BOTH = ("torch", "jax")


@pytest.fixture(autouse=True)
def gpu_machine(monkeypatch):
    """A machine with a GPU and two backends, whatever runs the tests."""
    machine = make_machine("nvidia-h200-16c", gpus=(make_gpu(),), n_logical_cores=16, n_physical_cores=16)
    monkeypatch.setattr(describe, "describe", lambda machine_id="": machine)
    monkeypatch.setattr(cores, "cores", lambda: cores.Cores(16, 16, None, 16))
    monkeypatch.setattr(software, "versions", lambda: {"keras": "3.0.0", "torch": "2.0.0", "jax": "0.8.0"})
    monkeypatch.setattr(software, "backend_version", lambda name: "1.0" if name in BOTH else None)


def measured(cell):
    """What a run of a study holds: a block of each series, a value of each reading; a matrix product is fast."""
    spec = registry.workload(cell.workload)
    if spec.kind != "study":
        return {"step_s": 0.01 if cell.device == "gpu" else 0.5} if spec.kind == "probe" else {}
    return {
        "series": {item.id: (Block(n_steps=1, seconds=0.5),) for item in spec.series},
        "first_s": {},
        "readings": {item.id: 0.5 for item in spec.readings},
    }


@pytest.fixture
def lab(monkeypatch):
    """Runs that take the seconds that a dictionary gives by cell, by a clock that the test reads."""

    class Lab:
        now, seconds, started, limits = 0.0, {}, [], []

        def launch(self, request, *, timeout_s=1e9, **_):
            self.started.append(request.cell)
            self.limits.append(timeout_s)
            took = self.seconds.get(request.cell.id, 10.0)
            self.now += min(took, timeout_s)
            if took > timeout_s:
                return run_now(request, status="timeout", reason="no result", blocks=())
            return run_now(request, **measured(request.cell))

    made = Lab()
    made.started, made.limits = [], []
    monkeypatch.setattr(launch, "launch", made.launch)
    return made


def options(tmp_path, **fields):
    return Options(profile="reference", backends=BOTH, results=tmp_path / "results", timeout_s=120.0, **fields)


def run_day(lab, tmp_path, seconds):
    prepared, rows = gpu_day.prepare(options(tmp_path))
    return prepared, list(gpu_day.execute(prepared, rows, seconds, now=lambda: lab.now))


def test_every_choice_of_every_row_is_a_cell_of_the_reference_profile():
    found = gpu_day.choose("reference", BOTH, 16)

    assert [choice for row in gpu_day.ROWS for choice in row.choices] == [choice for _, choice, _ in found]


def test_the_rows_come_in_their_order_and_each_gpu_cell_near_its_cpu(lab, tmp_path):
    _, steps = run_day(lab, tmp_path, 10_000)

    assert sorted(step.row for step in steps) == [step.row for step in steps]
    assert set(range(len(gpu_day.ROWS))) == {step.row for step in steps}
    assert ["matmul", "gpu", "torch"] == [lab.started[0].workload, lab.started[0].device, lab.started[0].backend]
    resnet = [(c.device, c.batch_size, c.precision) for c in lab.started if c.workload == "resnet50"]
    assert ("gpu", 8, "float32-strict") == resnet[0]
    assert ("cpu", 8, "float32-strict") == resnet[1]
    assert ("gpu", 256, "mixed_bfloat16") in resnet
    assert ("gpu", 256, "tf32") in resnet


def test_what_does_not_fit_is_not_started_and_a_second_call_goes_on(lab, tmp_path):
    first, steps = run_day(lab, tmp_path, 100)
    n_started = len(lab.started)
    assert 0 < n_started < len(first.plan.runs)
    assert lab.now <= 100

    second, rest = run_day(lab, tmp_path, 10_000)

    assert first.folder == second.folder
    assert not second.is_new
    assert len(first.plan.runs) == len(steps) + len(rest)
    assert [] == store.check(tmp_path / "results")
    records = store.load_session(second.folder, tmp_path / "results").records
    assert {4} == {len(r.runs) for i, r in records.items() if i.startswith("cnn-digits-train-torch-gpu")}


def test_a_run_that_hangs_costs_its_timeout_and_the_next_one_starts(lab, tmp_path):
    hanging = gpu_day.choose("reference", BOTH, 16)[0][2].cell.id
    lab.seconds[hanging] = 1e9

    prepared, steps = run_day(lab, tmp_path, 10_000)

    assert 120.0 == lab.limits[0]
    record = store.load_session(prepared.folder, tmp_path / "results").records[hanging]
    assert "timeout" == record.status
    assert len(steps) == len(prepared.plan.runs)


def test_a_run_under_way_when_the_time_is_over_leaves_no_record(lab, tmp_path):
    slow = gpu_day.choose("reference", BOTH, 16)[1][2].cell.id
    lab.seconds[slow] = 1e9
    prepared, rows = gpu_day.prepare(options(tmp_path))

    with pytest.raises(gpu_day.OutOfTimeError, match=slow):
        list(gpu_day.execute(prepared, rows, 60, now=lambda: lab.now))

    assert lab.now == 60
    assert slow not in store.load_session(prepared.folder, tmp_path / "results").records


@pytest.mark.parametrize(("status", "reason"), [("failed", "asked for gpu, it is the cpu"), ("timeout", "no result")])
def test_the_gate_gives_up_where_a_backend_is_not_on_the_gpu(monkeypatch, status, reason):
    def launched(request, *, timeout_s):
        assert timeout_s <= gpu_day.GATE_S
        ends = {} if request.cell.backend == "torch" else {"status": status, "reason": reason, "blocks": ()}
        return run_now(request, **ends)

    monkeypatch.setattr(launch, "launch", launched)

    gpu_day.gate(("torch",))
    with pytest.raises(gpu_day.NoGpuError, match=f"jax: {reason}"):
        gpu_day.gate(BOTH)


def test_the_gate_gives_up_where_there_is_no_gpu_or_no_backend(monkeypatch):
    monkeypatch.setattr(launch, "launch", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(gpu_day.NoGpuError, match="tensorflow is not installed"):
        gpu_day.gate(("tensorflow",))
    monkeypatch.setattr(describe, "describe", lambda machine_id="": make_machine())
    with pytest.raises(gpu_day.NoGpuError, match="shows no GPU"):
        gpu_day.gate(("torch",))


def test_a_backend_that_falls_back_later_ends_the_session_without_a_record(monkeypatch, lab, tmp_path):
    """A record of it would be final, and the next call may be on the GPU again."""
    reason = "NotAsAskedError: asked for gpu, torch computes on the cpu: no driver"

    def fallen(request, **_):
        return run_now(request, status="failed", reason=reason, blocks=())

    prepared, rows = gpu_day.prepare(options(tmp_path))
    monkeypatch.setattr(launch, "launch", fallen)
    with pytest.raises(gpu_day.NoGpuError, match="torch computes on the cpu"):
        list(gpu_day.execute(prepared, rows, 1000, now=lambda: lab.now))

    assert {} == store.load_session(prepared.folder, tmp_path / "results").records


def test_a_machine_without_a_gpu_or_a_backend_is_refused_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "describe", lambda machine_id="": make_machine())
    with pytest.raises(gpu_day.NoGpuError, match="no driver shows a GPU"):
        gpu_day.check_gpu(gpu_day.prepare(options(tmp_path))[0])
    monkeypatch.setattr(software, "backend_version", lambda name: None)
    with pytest.raises(ValueError, match="none of torch, jax, tensorflow is installed"):
        gpu_day.default_backends()


# A session resumed.


def test_a_machine_whose_memory_grew_goes_on_with_its_session(monkeypatch, lab, tmp_path):
    first, _ = run_day(lab, tmp_path, 100)
    grown = msgspec.structs.replace(describe.describe(), memory_bytes=2**50)
    monkeypatch.setattr(describe, "describe", lambda machine_id="": grown)

    assert first.folder == gpu_day.prepare(options(tmp_path))[0].folder

    monkeypatch.setattr(
        describe, "describe", lambda machine_id="": msgspec.structs.replace(grown, gpus=(), os="Other 1")
    )
    other, _ = gpu_day.prepare(options(tmp_path))
    assert other.is_new
    assert "the machine's gpus and os changed since the latest session" == other.note


# The pack.


@pytest.fixture
def packed(lab, tmp_path):
    """A pack of a short session, and its folder."""
    prepared, _ = run_day(lab, tmp_path, 100)
    path = tmp_path / "results.tgz"
    assert len(list(prepared.folder.glob("*.json"))) - 2 == pack.pack(prepared.folder, path)
    return path, prepared.folder


def test_a_pack_is_filed_as_it_was_and_a_later_one_adds_to_it(packed, lab, tmp_path):
    path, folder = packed

    target, n_new = pack.take(path, tmp_path / "home")
    assert {p.name: p.read_bytes() for p in folder.glob("*.json")} == {p.name: p.read_bytes() for p in target.iterdir()}
    assert len(list(target.iterdir())) == n_new
    assert (target, 0) == pack.take(path, tmp_path / "home")

    run_day(lab, tmp_path, 10_000)
    pack.pack(folder, path)
    _, n_later = pack.take(path, tmp_path / "home")
    assert n_later > 0
    assert [] == store.check(tmp_path / "home")


def test_a_pack_that_differs_from_what_is_filed_changes_nothing(packed, tmp_path):
    path, folder = packed
    target, _ = pack.take(path, tmp_path / "home")
    session = files.read(folder / "session.json", Session)
    (folder / "session.json").write_bytes(encode(msgspec.structs.replace(session, seed=session.seed + 1)))
    next(target.glob("matmul*")).unlink()
    left = {p.name: p.read_bytes() for p in target.iterdir()}
    pack.pack(folder, path)

    with pytest.raises(FileExistsError, match="differs"):
        pack.take(path, tmp_path / "home")
    assert left == {p.name: p.read_bytes() for p in target.iterdir()}


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, data, kind in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(data), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("../../evil.json", b"{}", tarfile.REGTYPE)], "expected only MACHINE/DATE/NAME.json"),
        ([("/abs/2026-11-03/session.json", b"{}", tarfile.REGTYPE)], "expected only"),
        ([("m/2026-11-03/session.json", b"", tarfile.SYMTYPE)], "no regular file"),
        ([("m/2026-11-03/.runs/x.json", b"{}", tarfile.REGTYPE)], "expected only"),
        ([("m/2026-11-03/x.json", b" " * 2_000_000, tarfile.REGTYPE)], "expected at most"),
        ([("m/2026-11-03/x.json", b"{}", tarfile.REGTYPE)], "expected a machine.json"),
        ([("m/2026-11-03/x.json", b"{}", tarfile.REGTYPE)] * 2, "expected each file once"),
        ([(f"m/2026-11-03/x{n}.json", b" " * 999_999, tarfile.REGTYPE) for n in range(70)], "64000000 together"),
        ([], "found 0 sessions"),
        ([(f"m/2026-11-03/{'x' * 300}.json", b"{}", tarfile.REGTYPE)], "expected only MACHINE/DATE/NAME.json"),
        ([("m/2026-11-0\u0663/x.json", b"{}", tarfile.REGTYPE)], "expected only"),
        ([("-/2026-11-03/x.json", b"{}", tarfile.REGTYPE)], "expected only"),
        ([("local/2026-11-03/x.json", b"{}", tarfile.REGTYPE)], "expected a machine's name, found 'local'"),
        ([("m/2026-11-03/x.json", b"{}", tarfile.GNUTYPE_SPARSE)], "expected"),
        (
            [(f"m/2026-11-03/{n}.json", b"{}", tarfile.REGTYPE) for n in ("machine", "session")],
            "schema_version: expected",
        ),
    ],
)
def test_a_pack_that_is_no_session_is_refused_in_words(tmp_path, members, said):
    tar(tmp_path / "x.tgz", *members)

    with pytest.raises(files.RecordError, match=said):
        pack.take(tmp_path / "x.tgz", tmp_path / "home")
    assert not (tmp_path / "home").exists()
    assert not (tmp_path.parent / "evil.json").exists()


def test_a_pack_whose_checksum_is_wrong_or_that_is_a_pipe_is_refused(packed, tmp_path):
    path, _ = packed
    data = path.read_bytes()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "changed").write_bytes(data[:-8] + bytes(8))
    (tmp_path / "longer").write_bytes(data + b"more")

    for name in ("pipe", "changed", "longer"):
        with pytest.raises(files.RecordError, match="expected a pack"):
            pack.take(tmp_path / name, tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b\x08" + bytes(30)])
def test_a_broken_pack_is_refused_in_words(tmp_path, data):
    (tmp_path / "x.tgz").write_bytes(data)

    with pytest.raises(files.RecordError, match="expected a pack"):
        pack.take(tmp_path / "x.tgz", tmp_path / "home")


# What to carry to a machine without network.

PIP_LIST = """Package            Version
------------------ ----------
torch              2.9.0+cu128
NumPy              2.3.4
typing_extensions  4.15.0
rich               14.2.0
"""


def test_what_a_machine_has_is_read_from_pip_list_and_pip_freeze():
    assert {"torch", "numpy", "typing-extensions", "rich"} <= cli_gpu_day.installed(PIP_LIST)
    assert {"jax", "keras-nightly"} == cli_gpu_day.installed("jax==0.8.0\nKeras.Nightly @ file:///x.whl\n")


def test_only_what_it_lacks_is_carried_in_locked_versions():
    wanted = cli_gpu_day.lacking(cli_gpu_day.installed(PIP_LIST))

    assert {"keras", "msgspec", "typer", "scipy", "scikit-learn"} <= set(wanted)
    assert not {"torch", "numpy", "rich", "typing-extensions"} & set(wanted)
    for name, entry in wanted.items():
        assert entry.startswith(f"{name}==") and "--hash=sha256:" in entry and "# via" not in entry


def test_without_a_list_all_is_carried_but_what_is_large():
    names = [line for line in (launch.REPOSITORY / "requirements/gpu-session.in").read_text().splitlines() if line]

    assert {name for name in names if name[0] != "#"} == set(cli_gpu_day.lacking(None))


@pytest.fixture
def pip(monkeypatch):
    """A pip that fetches nothing; the commands that it was asked, and how it ends."""

    class Pip:
        asked, code, err = [], 0, ""

        def run(self, command, **_):
            self.asked.append(command)
            return subprocess.CompletedProcess(command, self.code, "", self.err)

    made = Pip()
    made.asked = []
    monkeypatch.setattr(cli_gpu_day, "subprocess", made)
    monkeypatch.setattr(software, "commit_text", lambda repository: "a" * 40 + "-" + "b" * 16)
    return made


def wheelhouse(*arguments):
    result = CliRunner().invoke(app.app, ["wheelhouse", *map(str, arguments)])
    return result.exit_code, " ".join((result.output + result.stderr).split())


def test_a_wheelhouse_is_for_the_python_and_processor_there(pip, tmp_path):
    (tmp_path / "have.txt").write_text(PIP_LIST)
    (tmp_path / "old.whl").touch()
    (tmp_path / "commit").touch()

    arguments = ("--python", "3.13", "--machine", "aarch64", "--have", tmp_path / "have.txt", "--out", tmp_path)
    code, said = wheelhouse(*arguments)

    assert 0 == code, said
    (command,) = pip.asked
    assert {"--python-version=3.13", "--platform=manylinux_2_28_aarch64", "--require-hashes"} <= set(command)
    assert "a" * 40 in (tmp_path / "commit").read_text()
    assert not (tmp_path / "old.whl").exists(), "of another Python"


@pytest.mark.parametrize(
    ("listed", "arguments", "code", "words"),
    [
        (PIP_LIST, ["--python", "twelve"], 2, "--python must look like 3.12"),
        (PIP_LIST, ["--python", "3.14"], 2, "a Python from 3.11 to 3.13 and a network are needed"),
        ("numpy 2.3.4", [], 0, "one of them must be there, with its CUDA"),
    ],
)
def test_what_is_wrong_with_a_wheelhouse_is_said_with_its_remedy(pip, tmp_path, listed, arguments, code, words):
    (tmp_path / "have.txt").write_text(listed)
    pip.code, pip.err = int("3.14" in arguments), "ERROR: No matching distribution found for h5py"

    found, said = wheelhouse("--have", tmp_path / "have.txt", "--out", tmp_path, *arguments)

    assert code == found, said
    assert words in said


def test_a_failed_wheelhouse_leaves_the_last_one(pip, tmp_path):
    (tmp_path / "old.whl").touch()
    (tmp_path / "commit").touch()
    pip.code, pip.err = 1, "ERROR: no network"

    assert 2 == wheelhouse("--out", tmp_path)[0]
    assert ["commit", "old.whl"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_wheelhouse_is_not_made_where_other_wheels_lie(pip, tmp_path):
    (tmp_path / "own.whl").touch()

    code, said = wheelhouse("--out", tmp_path)

    assert (2, []) == (code, pip.asked)
    assert "wheels of another origin, such as own.whl" in said


@pytest.mark.parametrize("arguments", [[], ["--time-budget", "9m"], ["--pack", "x"]])
def test_a_gpu_day_by_run_needs_its_time_and_a_folder(arguments):
    result = CliRunner().invoke(app.app, ["run", "--profile", "gpu-day", *arguments])

    assert 2 == result.exit_code
    assert "--time-budget" in result.stderr and "--pack" in result.stderr


def test_a_gpu_day_takes_no_option_that_it_would_not_heed():
    arguments = ["--time-budget", "9m", "--pack", "x", "--only", "resnet50", "--json"]
    result = CliRunner().invoke(app.app, ["run", "--profile", "gpu-day", *arguments])

    assert 2 == result.exit_code
    assert "leave out --only, --json" in result.stderr


def test_a_gpu_day_by_run_is_the_same_day(monkeypatch, lab, tmp_path):
    monkeypatch.setattr(gpu_day, "gate", lambda *_, **__: None)
    monkeypatch.setattr(collect, "collect", lambda *_, **__: Facts(host=HostFacts(system="Linux")))
    monkeypatch.setattr(gpu_day.execute, "__kwdefaults__", {"now": lambda: lab.now})
    arguments = ["--time-budget", "100s", "--pack", str(tmp_path / "out"), "--results", str(tmp_path / "results")]

    result = CliRunner().invoke(app.app, ["run", "--profile", "gpu-day", *arguments])

    assert 0 == result.exit_code, result.output + result.stderr
    assert "row 1: matrix product" in result.output
    assert (tmp_path / "out" / "results.tgz").is_file() and (tmp_path / "out" / "doctor.json").is_file()


# The whole of it: the script, a GPU that is not there, and home again.


@pytest.mark.keras
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("bash"), reason="the script needs bash")
def test_the_rehearsal_comes_home_and_a_second_call_goes_on(tmp_path):
    """The short form: one row at the smoke size, with the backend that the tests have."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "-m bench.cli" ] && set -- -m tests.gpu_stubs "$@"\nexec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    env = os.environ | {"PYTHON": str(python), "TMPDIR": str(tmp_path), "BACKENDS": "tensorflow"}
    out = tmp_path / "out"

    def call(**more):
        options = ["--profile", "smoke", "--rows", "1", "--results", str(tmp_path / "results")]
        command = ["bash", "scripts/gpu_session.sh", "run", "500", str(out), *options]
        return subprocess.run(command, env=env | more, cwd=launch.REPOSITORY, capture_output=True, text=True)

    refused = call(FAKE_GPU="tensorflow-on-cpu")
    assert 9 == refused.returncode, refused.stdout + refused.stderr
    assert "not on the GPU: tensorflow: NotAsAskedError: asked for gpu" in refused.stdout
    first = call()
    assert 0 == first.returncode, first.stdout + first.stderr
    assert "gate: every backend computes on the GPU" in first.stdout
    assert "took" in (out / "log.txt").read_text()
    assert json.loads((out / "doctor.json").read_text())["facts"]["host"]["gpus"]
    second = call()
    assert 0 == second.returncode, second.stdout + second.stderr
    assert "0 runs" in second.stdout

    with pytest.raises(files.RecordError, match="a rehearsal"):
        pack.take(out / "results.tgz", tmp_path / "published")
    folder, _ = pack.take(out / "results.tgz", tmp_path / "home", is_published=False)
    records = store.load_session(folder, tmp_path / "home").records
    assert {"gpu", "cpu"} == {record.cell.device for record in records.values()}
    assert {"ok"} == {record.status for record in records.values()}
    on_gpu = [run for r in records.values() if r.cell.device == "gpu" for run in r.runs]
    assert {"Rehearsal GPU"} == {run.observed.device_name for run in on_gpu}
