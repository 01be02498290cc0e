"""Commands on records that go to others: `check` them, `export` a session. Nothing here uploads anything."""

from __future__ import annotations

import contextlib
import csv
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bench import REPOSITORY
from bench.cli import names, show
from bench.cli.options import AsJson, ResultsDir
from bench.doctor.facts import plural
from bench.records import files, pack, store
from bench.report.stats import format as text
from bench.schema import Record
from bench.workloads import registry

Against = Annotated[
    str,
    typer.Option(
        help="A commit such as main, or a folder of records: refuse what is no addition to it, report what changes."
    ),
]
FORM = "A new machine"  # in .github/ISSUE_TEMPLATE


def check(results: ResultsDir = None, against: Against = "", as_json: AsJson = False) -> None:
    """Validate every stored file; one line per problem. With --against a review of what is new, as Markdown."""
    root = _existing(results)
    if against:
        _review(root, against, as_json=as_json)
        return
    problems = store.check(root)
    n_sessions, n_records = (0, 0) if problems else store.count(root)
    if as_json:
        show.print_json({"problems": problems, "n_sessions": n_sessions, "n_records": n_records})
    for problem in () if as_json else problems:
        show.print_text(problem)
    if problems:
        raise typer.Exit(show.SOME_FAILED)
    if not as_json:
        where = f"{n_sessions} {plural(n_sessions, 'session', 'sessions')}"
        show.print_text(
            f"{n_records} {plural(n_records, 'record', 'records')} in {where} {plural(n_records, 'is', 'are')} valid"
        )


def _review(root: Path, against: str, *, as_json: bool) -> None:
    """Print what a results folder changes of an earlier one; exits with 1 where the gate refuses it."""
    try:
        from bench.report.pages import review
        from bench.report.prose.source import PageError
    except ImportError as error:
        show.fail(ValueError(f"--against builds pages and needs the site's packages: pip install '.[site]' ({error})"))
    try:
        with _earlier(against) as before:
            found = review.review(before, root)
    except (files.RecordError, PageError, ValueError) as error:
        show.fail(error)
    sys.stdout.write(f"{show.as_json(msgspec.to_builtins(found))}\n" if as_json else review.markdown(found))
    if found.problems:
        raise typer.Exit(show.SOME_FAILED)


@contextlib.contextmanager
def _earlier(against: str) -> Iterator[Path]:
    """The folder of records that was named, or that of a commit, for as long as it is needed.

    Raises:
        ValueError: it is neither.
    """
    if Path(against).is_dir():
        yield Path(against)
        return
    inside = files.RESULTS.relative_to(REPOSITORY).as_posix() if files.RESULTS.is_relative_to(REPOSITORY) else "."
    command = ["git", "archive", "--format=tar", against, inside]
    done = None
    with contextlib.suppress(FileNotFoundError):  # no git
        done = None if against.startswith("-") else subprocess.run(command, cwd=REPOSITORY, capture_output=True)
    if done is None or done.returncode:
        raise ValueError(f"--against must be a folder of records, or a commit with them; {against!r} is neither")
    with tempfile.TemporaryDirectory(prefix="against-") as scratch:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            regular = [member for member in archive if member.isreg()]  # and no link out of the folder
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
            archive.extractall(scratch, regular)
        yield Path(scratch) / inside


def export(
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="MACHINE/DATE; default: this machine's latest.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Archive to write; default: results-MACHINE-DATE.tgz here.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Instead, a table for a spreadsheet, a row for each record of all."),
    ] = None,
    results: ResultsDir = None,
    as_json: AsJson = False,
) -> None:
    """One session as one archive, and the steps to send it in. Uploads nothing."""
    try:
        known = store.load(_existing(results)).sessions
        found = [one for one in known if session in ("", one.path, one.path.removeprefix(f"{files.LOCAL}/"))]
        if session and not found:
            raise registry.unknown("session", session, [one.path for one in known])
        if table is not None:
            with files.replacing(table) as temporary:
                temporary.write_text(_csv(found), encoding="utf-8")
            show.print_text(f"written: {show.relative(table)}")
            return
        chosen = max(found, key=lambda one: (one.is_local, one.session.started_at), default=None)
        if chosen is None or not chosen.records:
            raise ValueError(f"there is no record yet; `{show.COMMAND} run --profile reference` measures some")
        if chosen.session.profile == "smoke":
            raise ValueError(f"{chosen.path} is a rehearsal, at the smoke size; measure with --profile reference")
        name = f"results-{chosen.machine.id}-{chosen.session.id}.tgz"
        target = out or Path(name)
        pack.pack((results or files.RESULTS) / chosen.path, target)
    except OSError as error:
        option = "--out" if table is None else "--csv"
        show.fail(ValueError(f"{option} must be a file that can be written: {error.strerror}"))
    except (registry.UnknownNameError, files.RecordError, ValueError) as error:
        show.fail(error)
    steps = _steps(chosen, show.relative(target))
    if as_json:
        show.print_json({"archive": show.relative(target), "n_records": len(chosen.records)} | steps)
        return
    size = text.bytes_(target.stat().st_size)
    show.print_text(f"packed: {show.relative(target)}, {len(chosen.records)} records, {size}; nothing was uploaded")
    show.print_text("\nTo send it in as a pull request, in a clone of the project:")
    for step in steps["pull_request"]:
        show.print_text(f"  {step}")
    show.print_text("\nOr without one:")
    for step in steps["issue"]:
        show.print_text(f"  {step}")


def _steps(session: store.SessionResults, archive: str) -> dict[str, list[str]]:
    """What to do with an archive, one command or sentence a step."""
    place = session.path.removeprefix(f"{files.LOCAL}/")
    machine, _, day = place.partition("/")
    branch = f"results-{machine}-{day}"
    return {
        "pull_request": [
            f"git switch -c {branch}",
            f"{show.COMMAND} take {archive}",
            f"{show.COMMAND} check --against main",
            f"git add bench/results/{place}",
            f'git commit -m "results: {machine} {day}, {len(session.records)} cells"',
            "git push -u origin HEAD    # its answer has the address to open the pull request at",
        ],
        "issue": [f'open an issue with the form "{FORM}" and drop {archive} at "Records"'],
    }


def _existing(results: Path | None) -> Path:
    """The folder of records that was named, else ours; refuses a misspelt one, in which nothing would be wrong."""
    if results is not None and not results.is_dir():
        show.fail(ValueError(f"--results must be a folder with records; there is none at {results}"))
    return results or files.RESULTS


def _row(record: Record) -> dict[str, Any]:
    """A record as one row: its cell, and the number that a reader looks for first, where it has one."""
    cell, value = record.cell, show.main_estimate(record)
    fields = {name: getattr(cell, name) for name in cell.__struct_fields__ if name != "params"}
    numbers = dict.fromkeys(("value", "low", "high", "n", "unit"))
    numbers |= {name: getattr(value, name) for name in numbers if value is not None}
    params = " ".join(f"{name}={value}" for name, value in sorted(cell.params.items()))
    return fields | {"params": params, "id": cell.id, "status": record.status, "reason": record.reason} | numbers


def _csv(sessions: list[store.SessionResults]) -> str:
    rows = []
    for one in sessions:
        known = names.short_names(record.cell for record in one.records.values())
        rows += [{"session": one.path, "name": known[id_]} | _row(record) for id_, record in one.records.items()]
    made = io.StringIO()
    lines = csv.DictWriter(made, list(rows[0]) if rows else [], lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return made.getvalue()
