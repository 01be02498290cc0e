"""The command `doctor`: what each backend sees here, broken to the terminal's width."""

from __future__ import annotations

import typer

from bench.cli import crash, show
from bench.cli import options as cli_options
from bench.doctor import collect, rules

INDENT = " " * 9  # of a finding's lines behind its severity


def doctor(as_json: cli_options.AsJson = False) -> None:
    """Why is my GPU not used? What each backend sees here, and the fix. Exit code: 0 no problem, 1 problems."""
    facts = collect.collect()
    try:
        findings = rules.diagnose(facts)
    except Exception as error:  # noqa: BLE001  the facts are worth more than the traceback
        crash.end(error, facts)
    if as_json:
        show.print_text(show.doctor_json(facts, findings).decode())
    else:
        print_findings(rules.as_text(findings))
    raise typer.Exit(show.SOME_FAILED if rules.has_problem(findings) else show.OK)


def print_findings(text: str) -> None:
    """Print findings; what is to be pasted, commands and facts, keeps its lines."""
    said, mark, paste = text.partition("\nfacts to paste")
    for line in said.splitlines():
        if line.startswith(f"{INDENT}fix: "):
            show.print_text(line)
        else:
            show.print_wrapped(line, INDENT)
    if mark:
        show.print_text(f"{mark.lstrip()}{paste}")
