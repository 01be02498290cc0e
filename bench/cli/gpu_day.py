"""Commands for a GPU that is lent for minutes: measure there, file the pack at home."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from bench import REPOSITORY
from bench.cli import options as cli_options
from bench.cli import show
from bench.doctor import collect, rules
from bench.machine import software
from bench.records import files, pack
from bench.session import gpu_day as day
from bench.session.prepare import Options, Prepared
from bench.workloads import registry

Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", help=f"Default: the first two of {', '.join(day.PREFERRED)} that are installed."),
]


def measure(
    time_budget: Annotated[str, typer.Option("--time-budget", help="All there is, for example 520s or 9m.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for results.tgz, after every cell, and doctor.json.")],
    backend: Backends = None,
    n_rows: Annotated[int, typer.Option("--rows", min=1, help="Only the first rows.")] = len(day.ROWS),
    profile: cli_options.Profile = "reference",
    timeout: Annotated[str, typer.Option(help="Give a run up after this long.")] = f"{day.TIMEOUT_S:g}s",
    results: cli_options.ResultsDir = None,
    machine_id: cli_options.MachineId = "",
) -> None:
    """A GPU for some minutes: what answers most comes first; again to go on. Exit code 9: not on the GPU."""
    start = monotonic()
    with contextlib.ExitStack() as stack:
        try:
            backends = cli_options.backends(backend) or day.default_backends()
            seconds = cli_options.duration_s(time_budget, "--time-budget")
            options = Options(
                profile=cli_options.profile(profile),
                backends=backends,
                timeout_s=cli_options.duration_s(timeout, "--timeout"),
                results=results,
                machine_id=cli_options.machine_name(machine_id),
            )
            stack.enter_context(show.measuring(results))
            prepared, rows = day.prepare(options, n_rows=n_rows)
            out_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            show.fail(ValueError(f"--out must be a folder that can be written: {error.strerror}"))
        except (registry.UnknownNameError, files.RecordError, ValueError) as error:
            show.fail(error)
        if prepared.note:
            show.out.print(f"a new session: {prepared.note}", markup=False)
        try:
            day.check_gpu(prepared)
            if prepared.is_new:
                _look(out_dir, backends, start)
                day.gate(backends, limit_s=day.GATE_S)
                show.out.print(f"{monotonic() - start:6.1f} s  gate: every backend computes on the GPU")
            else:
                show.out.print(f"going on with {show.relative(prepared.folder)}: {len(prepared.plan.runs)} runs left")
            show.end_politely()
            failed = _run(prepared, rows, start, seconds, out_dir)
        except day.NoGpuError as error:
            show.print_text(f"{monotonic() - start:6.1f} s  not on the GPU: {error}")
            raise typer.Exit(show.NO_GPU) from None
        raise typer.Exit(show.SOME_FAILED if failed else show.OK)


def _look(out_dir: Path, backends: tuple[str, ...], start: float) -> None:
    """What the doctor finds, as a file, and its problems as lines."""
    facts = collect.collect(backends, limit_s=day.GATE_S / 2)
    findings = rules.diagnose(facts)
    (out_dir / "doctor.json").write_bytes(show.doctor_json(facts, findings))
    for finding in (finding for finding in findings if finding.severity == "problem"):
        show.print_text(f"{monotonic() - start:6.1f} s  doctor: {finding.seen}")


def _run(prepared: Prepared, rows: Mapping[str, int], start: float, seconds: float, out_dir: Path) -> int:
    """Run the rows, a line per run, packing after each cell; the number of cells that did not end well.

    Raises:
        NoGpuError: a backend stopped computing on the GPU.
    """
    failed, row, n_runs = 0, -1, 0
    try:
        for step in day.execute(prepared, rows, start + seconds - monotonic()):
            n_runs += 1
            if step.row != row:
                row = step.row
                show.out.print(f"row {row + 1}: {day.ROWS[row].title}", markup=False)
            line = step.planned.cell.id if step.record is None else show.cell_line(step.record)
            times = f"{monotonic() - start:6.1f} s  took {step.run.total_s:5.1f} s"
            show.print_text(f"{times}  {line}")
            if step.record is not None:
                failed += step.record.status not in ("ok", "skipped")
                pack.pack(prepared.folder, out_dir / "results.tgz")
    except day.OutOfTimeError as error:
        show.out.print(f"out of time: {error}", markup=False)
    except KeyboardInterrupt:
        show.out.print("interrupted; what was finished is packed")
    except (OSError, FileExistsError) as error:
        show.fail(error)
    if prepared.folder.is_dir():
        pack.pack(prepared.folder, out_dir / "results.tgz")
    n_left = len(prepared.plan.runs) - n_runs
    rest = "; the same command goes on" if n_left else ""
    show.out.print(f"{n_runs} runs, {failed} cells failed, {n_left} runs left{rest}")
    return failed


def take(
    path: Annotated[Path, typer.Argument(metavar="PACK", help="results.tgz of a gpu-day, from another machine.")],
    results: Annotated[Path | None, typer.Option(help="Where to file it; default: bench/results, published.")] = None,
) -> None:
    """File a pack's session among the published ones, checked as `check` does; a later pack adds to it."""
    try:
        folder, n_new = pack.take(path, results or files.RESULTS, is_published=results is None)
    except (files.RecordError, files.StoreError, FileExistsError) as error:
        show.fail(error)
    rest = "; commit that folder" if results is None and n_new else ""
    show.out.print(f"filed {n_new} new files in {show.relative(folder)}{rest}", markup=False)


def commit() -> None:
    """Print what BENCH_COMMIT must be beside a copy of this checkout that has no git."""
    try:
        show.out.print(software.commit_text(REPOSITORY), markup=False)
    except ValueError as error:
        show.fail(error)
