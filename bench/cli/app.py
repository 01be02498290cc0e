"""The command line: its commands by name. Results go to stdout, progress to stderr."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import compare, crash, doctor, estimate, gpu_day, measure, names, show
from bench.cli.options import AsJson, Backend, CellIds, Device, Only, Profile, ResultsDir, ShowAll
from bench.doctor.facts import plural
from bench.records import files, store
from bench.schema import Record
from bench.workloads import registry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Executable benchmarks behind the site."
)
app.command("run")(measure.measure)
app.command("doctor")(doctor.doctor)
app.command("compare")(compare.compare)
app.command("repro")(compare.repro)
app.command("estimate")(estimate.estimate)


@app.command("check")
def check(results: ResultsDir = None, as_json: AsJson = False) -> None:
    """Validate every stored file; one line per problem."""
    root = _existing(results)
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


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Print the workloads."""
    found = [
        {
            "id": spec.id,
            "title": spec.title,
            "modes": sorted({variant.mode for sizes in spec.variants.values() for variant in sizes}, reverse=True),
            "data": spec.data_source,
        }
        for spec in registry.workloads().values()
    ]
    if as_json:
        show.print_json(found)
        return
    table = show.new_table("id", "title", "modes")
    for item in found:
        table.add_row(str(item["id"]), str(item["title"]), ", ".join(item["modes"]))
    show.print_table(table)


@app.command("plan")
def plan_(
    profile: Profile = "quick",
    only: Only = None,
    backend: Backend = None,
    device: Device = None,
    cell: CellIds = None,
    show_all: ShowAll = False,
    as_json: AsJson = False,
) -> None:
    """Print what `run` would do."""
    measure.measure(
        profile, only, backend=backend, device=device, cell=cell, dry_run=True, show_all=show_all, as_json=as_json
    )


@app.command("export")
def export(
    session: Annotated[str, typer.Argument(help="MACHINE/DATE; default: every stored session.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    results: ResultsDir = None,
    as_json: AsJson = False,
) -> None:
    """Every record as a row of a table, for a spreadsheet: comma-separated values, or JSON."""
    try:
        found = store.load(_existing(results)).sessions
        if session and session not in {item.path for item in found}:
            raise registry.unknown("session", session, [item.path for item in found])
        found = tuple(item for item in found if session in ("", item.path))
        rows = []
        for item in found:
            known = names.short_names(record.cell for record in item.records.values())
            rows += [{"session": item.path, "name": known[id_]} | _row(r) for id_, r in item.records.items()]
        text = show.as_json(rows) + "\n" if as_json else _csv(rows)
        if out is None:
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8")
    except OSError as error:
        show.fail(ValueError(f"--out must be a file that can be written: {error.strerror}"))
    except (registry.UnknownNameError, files.RecordError) as error:
        show.fail(error)


app.command("wheelhouse")(gpu_day.wheelhouse)
app.command("take")(gpu_day.take)
app.command("gpu-day", hidden=True)(gpu_day.measure)


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


def _csv(rows: list[dict[str, Any]]) -> str:
    made = io.StringIO()
    lines = csv.DictWriter(made, list(rows[0]) if rows else [], lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return made.getvalue()


def main() -> None:
    """Entry point of ``gpu-bench`` and of ``python -m bench.cli``."""
    crash.guard(app)


if __name__ == "__main__":
    main()
