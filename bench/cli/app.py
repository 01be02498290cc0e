"""The command line: its commands by name. Results go to stdout, progress to stderr."""

from __future__ import annotations

import typer

from bench.cli import compare, contribute, crash, doctor, estimate, gpu_day, measure, show
from bench.cli.options import AsJson, Backend, CellIds, Device, Only, Profile, ShowAll
from bench.workloads import registry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Executable benchmarks behind the site."
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


app.command("wheelhouse")(gpu_day.wheelhouse)
app.command("take")(gpu_day.take)
app.command("gpu-day", hidden=True)(gpu_day.measure)


def main() -> None:
    """Entry point of ``gpu-bench`` and of ``python -m bench.cli``."""
    crash.guard(app)


if __name__ == "__main__":
    main()
