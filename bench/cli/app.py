"""The command line: its commands by name. Results go to stdout, progress to stderr."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from bench.cli import compare, contribute, crash, doctor, estimate, gpu_day, measure, show
from bench.cli.options import AsJson, Backend, Budget, CellIds, Device, Only, Profile, Repeats, ShowAll, Sweep, Threads
from bench.workloads import registry

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Do I need a GPU? Measure this machine, find out why a GPU is not used, estimate what one would bring.",
    context_settings={"max_content_width": show.WIDE, "help_option_names": ["-h", "--help"]},
)
app.command("run")(measure.measure)
app.command("doctor")(doctor.doctor)
app.command("compare")(compare.compare)
app.command("repro")(compare.repro)
app.command("estimate")(estimate.estimate)
app.command("check")(contribute.check)
app.command("export")(contribute.export)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The workloads: what can be measured."""
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
    sweep: Sweep = None,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    repeats: Repeats = None,
    cell: CellIds = None,
    time_budget: Budget = None,
    show_all: ShowAll = False,
    as_json: AsJson = False,
) -> None:
    """What `run` would do, and how long that takes; runs nothing."""
    measure.measure(
        profile,
        only,
        sweep,
        backend,
        device,
        threads,
        repeats,
        cell=cell,
        dry_run=True,
        time_budget=time_budget,
        show_all=show_all,
        as_json=as_json,
    )


app.command("wheelhouse")(gpu_day.wheelhouse)
app.command("take")(gpu_day.take)
app.command("gpu-day", hidden=True)(gpu_day.measure)


def main() -> None:
    """Entry point of ``gpu-bench`` and of ``python -m bench.cli``."""
    crash.guard(_command)


def refresh() -> None:
    """Entry point of ``scripts/refresh_benchmarks.py``: the command `run` alone."""
    crash.guard(lambda: typer.run(measure.measure))


def _command() -> NoReturn:
    """The command that was typed; one that cannot be is refused in the words of every other error."""
    try:
        sys.exit(app(standalone_mode=False))
    except Exception as error:
        refusal = getattr(error, "format_message", None)  # of what cannot be parsed, and of nothing else
        if refusal is None:
            raise
        if len(sys.argv) < 2:
            print(refusal())
            sys.exit(show.WRONG_USAGE)
        context = getattr(error, "ctx", None)
        path = show.COMMAND if context is None else context.command_path
        said = str(refusal()).rstrip(".")
        hint = "; put words that belong together in quotes" if "extra argument" in said else ""
        end = "" if said.endswith("?") else ";"
        typer.echo(f"error: {said[:1].lower()}{said[1:]}{hint}{end} `{path} --help` lists what there is", err=True)
        sys.exit(show.WRONG_USAGE)


if __name__ == "__main__":
    main()
