"""The command `doctor`: what each backend sees here, broken to the terminal's width."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys

import typer

from bench.cli import crash, show
from bench.cli import options as cli_options
from bench.doctor import collect, rules

INDENT = " " * 9  # of a finding's lines behind its severity
FIX = f"{INDENT}fix: "
COMMAND = r"(?:pip|py|python|export|sudo|docker|podman|apptainer|conda|srun|ls|https?)\b"  # how one begins


def doctor(as_json: cli_options.AsJson = False, show_all: cli_options.ShowAll = False) -> None:
    """Why is my GPU not used? What each backend sees here, and the fix. Exit code: 0 no problem, 1 problems."""
    if show.progress_console.is_terminal:
        show.progress_console.print("asking TensorFlow, JAX and PyTorch, which takes some seconds")
    facts = collect.collect()
    try:
        findings = rules.diagnose(facts)
    except Exception as error:  # noqa: BLE001  the facts are worth more than the traceback
        crash.end(error, facts)
    if as_json:
        show.print_text(show.doctor_json(facts, findings).decode())
    else:
        print_findings(rules.as_text(findings, show_all=show_all))
        if other := other_pip() if any("pip " in finding.fix for finding in findings) else "":
            show.print_text(f"pip in a fix: {other} -m pip, since this shell's pip belongs to another Python")
    raise typer.Exit(show.SOME_FAILED if rules.has_problem(findings) else show.OK)


def other_pip() -> str:
    """The Python whose pip a fix means, where the shell's own pip is another one's; empty where they are one."""
    found = shutil.which("pip")
    if found and os.path.dirname(os.path.abspath(found)) == os.path.dirname(sys.executable):
        return ""
    shorter = sys.executable
    with contextlib.suppress(ValueError):  # on another of Windows' drives
        shorter = os.path.relpath(sys.executable)
    return min(sys.executable, shorter, key=len)


def print_findings(text: str) -> None:
    """Print findings; facts to paste keep their lines, and a command is broken only where it is wider than all."""
    said, mark, paste = text.partition("\nfacts to paste")
    for line in said.splitlines():
        if line.startswith(FIX):
            _print_fix(line.removeprefix(FIX))
        else:
            show.print_wrapped(line, INDENT)
    if mark:
        show.print_text(f"{mark.lstrip()}{paste}")


def _print_fix(fix: str) -> None:
    """Print a fix, broken between its commands; a command that is wider than the terminal stays whole."""
    line, indent = FIX.rstrip(), " " * len(FIX)
    for part in re.split(rf"(?<=;) |(?<=:) (?={COMMAND})", fix):
        if len(f"{line} {part}") > show.out.width and line.strip() not in ("", "fix:"):
            _print_line(line, indent)
            line = indent[:-1]
        line = f"{line} {part}"
    _print_line(line, indent)


def _print_line(line: str, indent: str) -> None:
    is_command = re.match(rf" *(fix: )?{COMMAND}", line) and not re.search(r", | \(", line)  # and no prose behind it
    show.print_text(line) if is_command else show.print_wrapped(line, indent)
