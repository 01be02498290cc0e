"""Unexpected errors, and output to any code page."""

import errno
import io
import os
import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from bench import REPOSITORY
from bench.cli import app, crash
from bench.doctor import collect, rules
from bench.doctor.facts import Facts, HostFacts


@pytest.fixture
def stream(monkeypatch):
    """Standard output and error of a code page; gives a function that reads what was written."""

    def made(encoding):
        raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
        for name, buffer in raw.items():
            monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding=encoding))

        def written(name):
            getattr(sys, name).flush()
            return raw[name].getvalue().decode(encoding)

        return written

    return made


@pytest.mark.parametrize("encoding", ["cp936", "cp1252", "cp437", "ascii", "utf-8"])
def test_output_to_a_file_takes_any_code_page(stream, encoding):
    written = stream(encoding)
    crash.survive_code_pages()

    print("12 µs × 3 → naïve ½ 漢 ●")

    assert written("stdout").startswith(("12 µs", "12 us"))


def test_a_sign_that_is_lacking_becomes_a_plain_one(stream):
    written = stream("ascii")
    crash.survive_code_pages()

    print("12 µs × 3 − ½ é 漢")

    assert "12 us x 3 - 1/2 e ?\n" == written("stdout")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS])
def test_a_full_disk_is_one_sentence_and_no_fault_of_ours(capsys, number):
    def full():
        raise OSError(number, os.strerror(number), "/srv/somebody/place.txt")

    with pytest.raises(SystemExit) as ended:
        crash.guard(full)

    assert 1 == ended.value.code
    expected = f"error: cannot write: {os.strerror(number)}; free space or name another place\n"
    assert expected == capsys.readouterr().err


def test_a_folder_that_is_gone_is_one_sentence(capsys, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()

    with pytest.raises(SystemExit) as ended:
        crash.guard(lambda: None)

    assert 2 == ended.value.code
    assert "error: the folder that you are in is gone; change to one that is there\n" == capsys.readouterr().err


def test_an_unexpected_error_has_an_exit_code_of_its_own_and_tells_the_facts(capsys):
    def broken():
        raise RuntimeError("the disk at /srv/somebody/secret/place.txt is upside down")

    with pytest.raises(SystemExit) as ended:
        crash.guard(broken)

    text = capsys.readouterr().err
    assert 70 == ended.value.code
    assert "RuntimeError: the disk at place.txt is upside down" in text
    assert "test_crash.py" in text
    assert "Python 3" in text
    assert "Traceback" not in text
    assert "somebody" not in text


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_other_exit_codes_keep_their_meaning(code):
    def command():
        raise SystemExit(code)

    with pytest.raises(SystemExit) as ended:
        crash.guard(command)

    assert code == ended.value.code


@pytest.mark.parametrize(
    ("closed", "words"),
    [("stdout", "list"), ("stdout", "list --json"), ("stdout", "--help"), ("stderr", "estimate"), ("stderr", "run -x")],
)
def test_output_that_nobody_reads_any_more_ends_a_command_without_a_word(closed, words):
    read, write = os.pipe()
    os.close(read)
    kept = "stderr" if closed == "stdout" else "stdout"
    command = [sys.executable, "-m", "bench.cli", *words.split()]
    ended = subprocess.run(command, **{closed: write, kept: subprocess.PIPE}, text=True, check=False)
    os.close(write)

    assert (141, "") == (ended.returncode, getattr(ended, kept))


def test_the_facts_collected_so_far_are_printed(capsys):
    known = Facts(host=HostFacts(system="Linux", driver="575.51.03", refused={"memory": "PermissionError: denied"}))

    with pytest.raises(typer.Exit) as ended:
        crash.end(ValueError("no"), known)

    text = capsys.readouterr().err
    assert crash.UNEXPECTED == ended.value.exit_code
    assert "575.51.03" in text
    assert "not read: memory: PermissionError: denied" in text


def test_a_rule_that_breaks_ends_the_doctor_with_70_and_the_facts(monkeypatch):
    def broken(facts):
        raise ZeroDivisionError("a rule of ours")

    known = Facts(host=HostFacts(system="Linux", driver="575.51.03"))
    monkeypatch.setattr(collect, "collect", lambda: known)
    monkeypatch.setattr(rules, "diagnose", broken)

    result = CliRunner().invoke(app.app, ["doctor"])

    assert 70 == result.exit_code
    assert "a rule of ours" in result.stderr and "575.51.03" in result.stderr


@pytest.mark.parametrize("program", [["-m", "bench.cli", "list"], ["scripts/refresh_benchmarks.py", "--dry-run"]])
def test_ctrl_c_while_modules_load_is_one_sentence(program):
    command = [sys.executable, "-X", "importtime", *program]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        for line in run.stderr:
            if line.rstrip().endswith(" bench.cli"):
                run.send_signal(signal.SIGINT)
                break
        said = [line for line in run.stderr if not line.startswith("import time:")]

    assert (130, ["interrupted before anything began\n"]) == (run.returncode, said)


def test_ctrl_c_in_a_command_is_one_sentence(capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        crash.guard(interrupted)

    assert 130 == ended.value.code
    assert "interrupted\n" == capsys.readouterr().err
