"""The commands where a user's system is unlike ours: no home, other locales, odd paths, a Python without wheels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import REPOSITORY
from bench.cli import app, doctor, show
from bench.doctor import rules
from bench.doctor.facts import BackendFacts, Facts, HostFacts
from bench.machine import owner, software
from bench.records import store
from bench.session import launch
from tests.factories import make_cell

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
NOWHERE = "/dev/null/home"  # not there, and nobody can make it, root neither
ODD = "Ünal Jürgen's café 漢"
PERSONAL = ("HOME", "USER", "LOGNAME", "USERNAME", "USERPROFILE", "LANG", "LC_ALL", "TMPDIR")


# One command after the other in one process, as the arguments of "-c" are its lines.
IN_TURN = """
import sys
from bench.cli import app

for line in sys.argv[1:]:
    sys.argv[1:] = line.split("|")
    try:
        app.main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


def call(*arguments, cwd=ROOT, encoding="utf-8", program=("-m", "bench.cli"), **variables):
    env = {name: value for name, value in os.environ.items() if name not in PERSONAL} | variables
    command = [sys.executable, *program, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, timeout=600, check=False)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding, errors="replace")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HOME": NOWHERE},
        {"HOME": NOWHERE, "KERAS_HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE},
        {"LC_ALL": "tr_TR.UTF-8", "HOME": "/"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"USER": ODD, "LOGNAME": ODD, "HOME": f"/home-of/{ODD}"},
    ],
    ids=["no-home-no-user", "no-folder-for-home", "nowhere-to-write", "turkish", "ascii", "user-beyond-ascii"],
)
def test_a_plan_needs_no_home_no_user_and_no_locale(tmp_path, variables):
    results = tmp_path / ODD

    lines = "plan|--profile|smoke|--only|matmul", f"run|--dry-run|--profile|smoke|--only|cnn-digits|--results|{results}"
    code, out, err = call(*lines, program=("-c", IN_TURN), **variables)

    assert 0 == code, err
    assert "matmul" in out and "cnn-digits" in out
    assert not results.exists()


NAMELESS = """
import pwd

def nobody(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = nobody
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no user ids")
@pytest.mark.parametrize("arguments", [("plan", "--profile", "smoke", "--only", "matmul"), ("doctor", "--json")])
def test_a_user_id_without_a_name_is_no_error(tmp_path, arguments):
    """R13: a container run as user id 1042, which has no name and no home: KeyError from getpwuid."""
    (tmp_path / "sitecustomize.py").write_text(NAMELESS, encoding="utf-8")

    code, out, err = call(*arguments, PYTHONPATH=str(tmp_path))

    assert code in (0, 1), err  # 1: the doctor found something
    assert "getpwuid" not in out + err
    assert not (ROOT / "~").exists(), "Keras makes such a folder where it is told no other"


def test_what_went_wrong_for_a_user_without_a_home_is_stored_all_the_same(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)

    assert "it broke" == owner.impersonal("it broke")
    assert launch.environment(make_cell(), {}, "scratch")["KERAS_HOME"].startswith("scratch")
    assert "mine" == launch.environment(make_cell(), {"KERAS_HOME": "mine"}, "scratch")["KERAS_HOME"]


@pytest.mark.parametrize("encoding", ["cp936", "cp1252", "ascii"])
def test_output_to_a_file_under_another_code_page(encoding):
    """R19: `compare > file` ended after a hundred bytes with UnicodeEncodeError, and the code of another meaning."""
    arguments = (
        "compare",
        "--mine",
        "intel-xeon-2c/2026-11-22",
        "amd-epyc-2c/2026-11-21",
        "--cell",
        "bandwidth",
        "--all",
    )

    code, out, err = call(*arguments, encoding=encoding, PYTHONIOENCODING=encoding, PYTHONUTF8="0")

    assert 0 == code, err
    assert {"us", "µs", "μs"} & set(out.split()), "the sign that stopped it"
    assert "numpy-copy" in out.splitlines()[-1], "the last line"


@pytest.mark.skipif(os.name != "posix", reason="closes them by the shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_shell_that_closed_the_output_is_no_error(closed):
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m bench.cli list {closed}'], cwd=ROOT, capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.keras
def test_a_real_run_in_a_checkout_with_a_space_without_a_home(tmp_path):
    checkout = tmp_path / ODD
    shutil.copytree(ROOT / "bench", checkout / "bench", ignore=shutil.ignore_patterns("results", "__pycache__"))
    scratch = tmp_path / f"temporary {ODD}"
    scratch.mkdir()
    arguments = ("run", "--profile", "smoke", "--only", "matmul", "--json", "--pack", tmp_path / "out of it")

    code, out, err = call(*arguments, cwd=checkout, HOME=NOWHERE, LC_ALL="C", TMPDIR=str(scratch))

    assert 0 == code, out + err
    assert {"ok"} == {cell["status"] for cell in json.loads(out)["cells"]}
    assert (tmp_path / "out of it" / "results.tgz").is_file()
    root = checkout / "bench" / "results"
    assert [] == store.check(root)
    assert not [path for path in root.rglob("*.json") if "Jürgen" in path.read_text(encoding="utf-8")]
    assert [] == list(scratch.iterdir()), "the run leaves nothing behind"


# A Python that is too new.


def test_a_run_on_a_python_without_wheels_sends_to_the_doctor_and_names_no_command_that_fails(monkeypatch, tmp_path):
    """R15: Windows, Python 3.14: "no matching distribution" was answered by the very command that gave it."""
    monkeypatch.setattr(software, "backend_version", lambda name: None)

    result = CliRunner().invoke(app.app, ["run", "--profile", "smoke", "--only", "matmul", "--results", str(tmp_path)])

    assert 0 == result.exit_code, result.output
    assert "pip install" not in result.output + result.stderr
    assert "tensorflow is not installed" in result.output
    assert f"next: nothing could run here; `{show.COMMAND} doctor` says why" in result.output


def test_the_doctor_says_which_python_to_take():
    facts = Facts(
        host=HostFacts(system="Windows", architecture="AMD64", python="3.14.3", cpu_flags=("avx", "avx2")),
        backends=tuple(BackendFacts(name=name) for name in ("tensorflow", "jax", "torch")),
        keras_backend="tensorflow",
    )

    text = rules.as_text(rules.diagnose(facts))

    assert "py -3.13 -m venv" in text
    assert "fix: pip install tensorflow" not in text


@pytest.mark.parametrize("path", ["README.md", "docs/guides/rerun.md", "Makefile"])
def test_documents_name_the_pythons_that_tensorflow_is_built_for(path):
    text = (ROOT / path).read_text(encoding="utf-8")

    assert "3.11 to 3.13" in text
    assert "3.11 or newer" not in text and "\npy -m venv" not in text


# What is printed fits.


def widths(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["plan"],
        ["plan", "--profile", "reference"],
        ["compare", "--mine", "intel-xeon-2c/2026-11-22", "amd-epyc-2c/2026-11-21"],
        ["estimate", "--model", "resnet50"],
    ],
)
def test_what_people_read_fits_a_hundred_columns(arguments):
    result = CliRunner().invoke(app.app, arguments)

    assert 0 == result.exit_code, result.output
    assert widths(result.stdout) <= 100


def test_no_cell_of_a_comparison_is_broken_into_a_word_a_line():
    result = CliRunner().invoke(
        app.app, ["compare", "--mine", "intel-xeon-2c/2026-11-22", "amd-epyc-2c/2026-11-21", "--all"]
    )

    lines = result.stdout.splitlines()
    alone = [number for number, line in enumerate(lines) if len(line.split()) == 1]
    assert [] == [lines[n] for n in alone if n + 1 in alone and n + 2 in alone]
    assert widths(result.stdout) <= 100


def test_the_doctor_breaks_prose_at_the_terminals_width_and_leaves_commands_whole(monkeypatch, capsys):
    fix = "pip install --upgrade torch --index-url https://download.example.org/whl/with/a/long/name && echo done"
    prose = f"problem  {'seen ' * 30}\n         {'means ' * 30}"
    text = f"{prose}\n         fix: {fix}\nfacts to paste where you ask:\n{'x' * 90}"
    monkeypatch.setattr(show.out, "_width", 60)

    doctor.print_findings(text)

    lines = capsys.readouterr().out.splitlines()
    assert f"         fix: {fix}" in lines and "x" * 90 in lines
    assert all(len(line) <= 60 for line in lines if "fix:" not in line and "x" * 90 not in line)
    assert all(line.startswith(" " * 9) for line in lines[1:8])


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (["python3", "-m", "bench.cli", "run"], "python3 -m bench.cli"),
        ([".venv/bin/python", "-m", "bench.cli"], ".venv/bin/python -m bench.cli"),
        (["/x/python", ".venv/bin/gpu-bench", "run"], ".venv/bin/gpu-bench"),
        (["C:/venv/Scripts/gpu-bench.exe", "run"], "C:/venv/Scripts/gpu-bench.exe"),
        (["python", "-m", "pytest", "gpu-bench"], "python -m bench.cli"),
    ],
)
def test_a_recommended_command_is_written_as_the_program_was_called(monkeypatch, called, expected):
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert expected == show.command(called)


def test_a_command_that_the_shell_finds_is_written_by_its_name(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: os.path.abspath(f"bin/{name}"))

    assert "gpu-bench" == show.command(["python", "bin/gpu-bench"])


@pytest.mark.parametrize(("pip", "is_other"), [(None, True), ("/usr/bin/pip", True), ("own", False)])
def test_a_fix_says_whose_pip_it_means_where_the_shells_is_another(monkeypatch, pip, is_other):
    own = os.path.join(os.path.dirname(sys.executable), "pip")
    monkeypatch.setattr(shutil, "which", lambda name: own if pip == "own" else pip)

    assert bool(doctor.other_pip()) == is_other


def test_a_fix_is_broken_between_its_commands(monkeypatch, capsys):
    first, second = (
        "pip uninstall -y torch",
        "pip install 'torch==2.8.*' --index-url https://download.example.org/cu126",
    )
    monkeypatch.setattr(show.out, "_width", 100)

    text = f"problem  seen\n         means\n         fix: a build that has code for it: {first}; {second}"

    doctor.print_findings(text)

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert second in lines and max(map(len, lines)) <= 100
    assert " ".join(lines).endswith(f"means fix: a build that has code for it: {first}; {second}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn"], "did you mean 'run'"),
        (["plan", "--cell", "resnet50", "train"], "quotes"),
        (["repro"], "missing argument"),
        (["run", "--repeats", "0"], "greater than or equal to 1"),
    ],
)
def test_a_command_that_cannot_be_is_refused_as_any_other_error(arguments, words):
    command = [sys.executable, "-m", "bench.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)

    assert show.WRONG_USAGE == done.returncode and not done.stdout
    assert done.stderr.startswith("error: ") and words.lower() in done.stderr.lower()
    assert "--help" in done.stderr and 1 == done.stderr.count("\n")
