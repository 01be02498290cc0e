"""The command line: arguments and printing only. Results go to stdout, progress to stderr."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bench import launch, machine, plan, refresh, registry, store
from bench.report import format as text
from bench.report import stats, studies
from bench.schema import BACKENDS, DEVICES, PROFILES, Cell, Record

OK, SOME_FAILED, WRONG_USAGE = 0, 1, 2
BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, None: 60.0}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Executable benchmarks behind the site.")
WIDE = 200  # columns when the output is a file or a pipe: no line of a table is broken there
out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
progress_console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDE)

Profile = Annotated[str, typer.Option(help=f"Sizes to run: {', '.join(PROFILES)}.")]
Only = Annotated[list[str] | None, typer.Option(help="Only this workload; repeat it or separate by commas.")]
Sweep = Annotated[
    list[str] | None, typer.Option(help="Only variants of this sweep, such as batch or threads, and its further arms.")
]
Backend = Annotated[
    list[str] | None, typer.Option(help=f"Keras backend: {', '.join(BACKENDS)}, or all. Default: tensorflow.")
]
Device = Annotated[
    list[str] | None, typer.Option(help=f"Device: {', '.join(DEVICES)}. Default: cpu, and gpu where there is one.")
]
Threads = Annotated[
    list[str] | None, typer.Option(help="Cores for CPU cells, several by commas; all means all usable ones.")
]
Repeats = Annotated[int | None, typer.Option(min=1, help="Processes per cell.")]
Seed = Annotated[int, typer.Option(help="Seed of data, weights and order.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print cells, order and estimated minutes; run nothing.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with this machine's latest session of this profile.")]
Budget = Annotated[
    str | None, typer.Option("--time-budget", help="Stop in time, for example 20m: headline cells come first.")
]
ResultsDir = Annotated[Path | None, typer.Option("--results", help="Where to store; default bench/results/local.")]
CellIds = Annotated[list[str] | None, typer.Option("--cell", help="Run just this cell, by its id.")]
Keep = Annotated[bool, typer.Option("--keep", help="File this session among the published ones, for a pull request.")]
Seal = Annotated[bool, typer.Option("--seal", help="Store unfinished cells with the runs that they have.")]
MachineId = Annotated[str, typer.Option(help="Name of this machine in kebab case; default: from its hardware.")]


@app.command("run")
def run(
    profile: Profile = "quick",
    only: Only = None,
    sweep: Sweep = None,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    repeats: Repeats = None,
    seed: Seed = 0,
    cell: CellIds = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    time_budget: Budget = None,
    results: ResultsDir = None,
    machine_id: MachineId = "",
    keep: Keep = False,
    seal: Seal = False,
) -> None:
    """Measure this machine: plan, run every cell in processes of its own, store records, summarise."""
    try:
        options = refresh.Options(
            profile=profile,
            only=_split(only),
            sweeps=_split(sweep),
            backends=BACKENDS if "all" in _split(backend) else _split(backend) or refresh.DEFAULT_BACKENDS,
            devices=_split(device),
            threads=_threads(threads),
            repeats=repeats,
            seed=seed,
            cell_ids=_split(cell),
            resume=resume,
            time_budget_s=None if time_budget is None else budget_seconds(time_budget),
            results=results,
            machine_id=machine_id,
        )
        if cell:
            options = _with_profile_of(options)
        prepared = refresh.prepare(options)
    except (registry.UnknownNameError, ValueError) as error:
        _fail(error)
    if prepared.note:
        progress_console.print(f"starting a new session: {prepared.note}")
    if dry_run:
        _print_plan(prepared)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C: the child ends too
    try:
        failed = _execute(prepared, seal=seal)
    except KeyboardInterrupt:
        progress_console.print("interrupted; finished runs are kept, go on with --resume")
        raise typer.Exit(SOME_FAILED) from None
    except (store.StoreError, FileExistsError) as error:
        progress_console.print(f"error: {error}", style="bold")
        raise typer.Exit(SOME_FAILED) from None
    _print_left_out(prepared)
    _print_summary(prepared)
    if keep:
        _keep(prepared)
    raise typer.Exit(SOME_FAILED if failed else OK)


@app.command("list")
def list_() -> None:
    """Print the workloads."""
    table = _table("id", "title", "modes", "data")
    for spec in registry.workloads().values():
        modes = sorted({variant.mode for variants in spec.variants.values() for variant in variants}, reverse=True)
        table.add_row(spec.id, spec.title, ", ".join(modes), spec.data_source)
    out.print(table)


@app.command("plan")
def plan_(profile: Profile = "quick", only: Only = None, backend: Backend = None, device: Device = None) -> None:
    """Print what `run` would do."""
    run(profile=profile, only=only, backend=backend, device=device, dry_run=True)


@app.command("check")
def check(results: ResultsDir = None) -> None:
    """Validate every stored file; one line per problem."""
    root = results or store.RESULTS
    problems = store.check(root)
    for problem in problems:
        out.print(problem, markup=False)
    if problems:
        raise typer.Exit(SOME_FAILED)
    found = store.load(root).sessions
    out.print(f"{sum(len(session.records) for session in found)} records in {len(found)} sessions are valid")


@app.command("compare")
def compare(session: Annotated[str, typer.Argument(help="Committed session, MACHINE/SESSION.")] = "") -> None:
    """Set this machine's latest session beside a committed one, cell by cell."""
    try:
        found = store.load().sessions
    except store.RecordError as error:
        _fail(error)
    mine = [item for item in found if item.is_local]
    theirs = {item.path: item for item in found if not item.is_local}
    if not mine:
        _fail(ValueError("this machine has no session yet; run scripts/refresh_benchmarks.py first"))
    if session and session not in theirs:
        _fail(registry.unknown("session", session, list(theirs)))
    here = max(mine, key=lambda item: item.session.started_at)
    chosen = [theirs[session]] if session else list(theirs.values())
    for there in chosen:
        table = _table("cell", here.machine.id, there.machine.id, "this / that", "")
        for cell_id in sorted(set(here.records) & set(there.records)):
            a, b = here.records[cell_id], there.records[cell_id]
            noun = a.spec.sample_noun
            values = (text.interval(stats.throughput(record), noun) for record in (a, b))
            try:
                ratio = stats.ratio(a, b)
            except stats.ComparisonError as error:
                table.add_row(cell_id, *values, "", f"not comparable: {error}")
                continue
            if ratio is not None:
                table.add_row(cell_id, *values, text.interval(ratio), stats.side(ratio))
        out.print(f"this machine ({here.machine.cpu_model}) against {there.path}")
        out.print(table if table.row_count else "no cell in common: run the same profile")


@app.command("doctor")
def doctor() -> None:
    """Print what this machine has and what each Keras backend sees of it."""
    host, cores = machine.describe(), machine.cores()
    out.print(f"CPU        {host.cpu_model}, {cores.effective} usable of {cores.visible} cores")
    quota = "none" if cores.quota is None else f"{cores.quota:g} cores"
    out.print(f"limits     affinity {cores.affinity}, cgroup quota {quota}")
    for gpu in host.gpus:
        out.print(f"GPU        {gpu.name}, {text.bytes_(gpu.memory_bytes)}, driver {gpu.driver}")
    if not host.gpus:
        out.print("GPU        none that a driver reports")
    for backend in BACKENDS:
        version = machine.backend_version(backend)
        if version is None:
            out.print(f"{backend:<11}not installed; {machine.INSTALL[backend]}")
            continue
        done = subprocess.run(
            [sys.executable, "-c", SEES[backend]], capture_output=True, text=True, timeout=120, check=False
        )
        seen = done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1][:200]
        out.print(f"{backend:<11}{version}  {seen}", markup=False)


# What a child prints of the devices that a backend sees.
SEES = {
    "tensorflow": (
        "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
        "import tensorflow as tf\n"
        "print([d.device_type for d in tf.config.list_physical_devices()], 'CUDA build:', tf.test.is_built_with_cuda())"
    ),
    "jax": "import jax; print([d.device_kind for d in jax.devices()], 'platform:', jax.default_backend())",
    "torch": (
        "import torch; n = torch.cuda.device_count()\n"
        "print([torch.cuda.get_device_name(i) for i in range(n)] or ['cpu'], 'CUDA build:', torch.version.cuda)"
    ),
}


def budget_seconds(value: str) -> float:
    """ "20m" becomes 1200.0; a bare number means minutes.

    Raises:
        ValueError: the text is not a duration.
    """
    match = BUDGET.fullmatch(value.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"--time-budget must look like 90s, 20m or 1.5h, got {value!r}")
    return float(match[1]) * UNIT_S[match[2]]


def _with_profile_of(options: refresh.Options) -> refresh.Options:
    """The options with the profile in which the asked-for cells exist: a rerun line needs no profile."""
    for profile in (options.profile, "reference", "smoke"):
        known = _cell_ids(options, profile)
        if set(options.cell_ids) <= set(known):
            return replace(options, profile=profile, **_filters_of([known[cell_id] for cell_id in options.cell_ids]))
    return options


def _filters_of(cells: Sequence[Cell]) -> dict[str, Any]:
    """Filters under which these cells, and few others, are planned."""
    return {
        "only": tuple(dict.fromkeys(cell.workload for cell in cells)),
        "backends": tuple(dict.fromkeys(cell.backend for cell in cells)),
        "devices": tuple(dict.fromkeys(cell.device for cell in cells)),
        "threads": tuple(dict.fromkeys(cell.threads for cell in cells)),
    }


def _cell_ids(options: refresh.Options, profile: str) -> dict[str, Cell]:
    """Every cell of a profile on any backend and device, at any number of threads that the asked-for ids name."""
    named = {int(found[1]) for cell_id in options.cell_ids if (found := re.search(r"-t(\d+)(?:-|$)", cell_id))}
    everything = plan.plan(
        registry.workloads(),
        profile=profile,
        installed=dict.fromkeys(BACKENDS, "any"),
        n_gpus=1,
        n_cores=max(named, default=1),
        backends=BACKENDS,
        devices=DEVICES,
        threads=tuple(sorted(named)),
    )
    return everything.cells


def _execute(prepared: refresh.Prepared, *, seal: bool) -> int:
    """Run the plan with a progress bar; the number of cells that did not end well."""
    failed = 0
    runs = prepared.plan.runs
    width = max((len(cell_id) for cell_id in prepared.plan.cells), default=0)
    for cell, reason in prepared.plan.skipped:
        out.print(f"{cell.id:<{width}}  skipped  {reason}", markup=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    # No refresh thread: nothing of ours may run while a child is being measured.
    bar = Progress(*columns, console=progress_console, auto_refresh=False, transient=True)
    with bar:
        task = bar.add_task("", total=len(runs), left=_left(prepared.plan.estimate_s))
        if runs:
            bar.update(task, description=_describe(runs[0]), refresh=True)
        for step in refresh.execute(prepared):
            bar.update(
                task,
                total=step.n_total,
                completed=step.n_done,
                description=_describe(step.following) if step.following else "done",
                left=_left(step.left_s),
                refresh=True,
            )
            if step.record is not None:
                failed += step.record.status not in ("ok", "skipped")
                bar.console.print(cell_line(step.record, width), markup=False, soft_wrap=True)
    if seal:
        for record in refresh.seal(prepared):
            failed += record.status not in ("ok", "skipped")
            out.print(cell_line(record, width), markup=False)
    return failed


def _describe(planned: plan.PlannedRun) -> str:
    return f"{planned.cell.id}  repeat {planned.index + 1}"


def _left(seconds: float) -> str:
    return f"about {text.seconds(seconds)} left" if seconds > 0 else ""


def cell_line(record: Record, width: int = 0) -> str:
    """One line on a finished cell: id, status, runs, median with interval; or the reason."""
    head = f"{record.cell.id:<{width}}  {record.status:<8}"
    if record.status != "ok":
        return f"{head}  {record.reason}"
    estimate = stats.throughput(record)
    shown = main_quantity(record)
    n = sum(run.status == "ok" for run in record.runs)
    line = f"{head}  {n} {'run ' if n == 1 else 'runs'}  {shown}"
    warning = text.warning(estimate) if estimate is not None else ""
    return f"{line}  ({warning})" if warning else line


def main_quantity(record: Record) -> str:
    """The number that a reader looks for first: rate of arithmetic for a probe, else samples per second.

    Of a study, every series: median seconds per call of all its runs, and every reading.
    """
    if record.spec.kind == "study":
        return _study_words(record)
    estimate = stats.flop_rate(record) if record.spec.kind == "probe" else stats.throughput(record)
    return text.interval(estimate, record.spec.sample_noun)


def _study_words(record: Record) -> str:
    words = [f"{item.id} {text.estimate(studies.call_time(record, item.id))}" for item in studies.series_of(record)]
    words += [f"{item.id} {text.estimate(studies.reading(record, item.id))}" for item in studies.readings_of(record)]
    return ", ".join(words)


def _print_plan(prepared: refresh.Prepared) -> None:
    """Cells in order of their first run, then what does not run, then the time."""
    estimate_s: dict[str, float] = {}
    for planned in prepared.plan.runs:
        estimate_s[planned.cell.id] = estimate_s.get(planned.cell.id, 0.0) + planned.estimate_s
    table = _table("order", "cell", "runs", "about")
    for number, (cell_id, seconds) in enumerate(estimate_s.items(), start=1):
        n = sum(planned.cell.id == cell_id for planned in prepared.plan.runs)
        table.add_row(str(number), cell_id, str(n), text.seconds(seconds))
    out.print(table)
    out.print("order of the runs: " + " ".join(str(planned.order) for planned in prepared.plan.runs))
    for cell, reason in prepared.plan.skipped:
        out.print(f"skipped: {cell.id}: {reason}", markup=False)
    _print_left_out(prepared)
    minutes = prepared.plan.estimate_s / 60
    out.print(f"{len(prepared.plan.runs)} runs of {len(estimate_s)} cells, about {minutes:.1f} minutes")


def _print_left_out(prepared: refresh.Prepared) -> None:
    for cell, seconds in prepared.plan.left_out:
        out.print(f"not in the time budget: {cell.id} (about {text.seconds(seconds)})", markup=False)


def _print_summary(prepared: refresh.Prepared) -> None:
    """CPU against GPU where both were measured, else what this CPU can do."""
    root = prepared.options.results or store.RESULTS
    stored = store.load_session(prepared.folder, root)
    records = [record for record in stored.records.values() if record.status == "ok"]
    pairs = list(gpu_pairs(records))
    noun = {record.cell.workload: record.spec.sample_noun for record in records}
    if pairs:
        table = _table("workload", "CPU", "GPU", "GPU / CPU")
        for cpu, gpu in pairs:
            ratio = stats.ratio(gpu, cpu)
            label = f"{cpu.cell.workload} {cpu.cell.mode}, batch {cpu.cell.batch_size}, {cpu.cell.backend}"
            table.add_row(label, main_quantity(cpu), main_quantity(gpu), text.interval(ratio))
    else:
        table = _table("workload", f"this CPU, {prepared.session.n_cores_effective} cores", "first step", "whole job")
        for record in sorted(records, key=lambda record: record.cell.id):
            cell = record.cell
            params = " ".join(f"{key} {value}" for key, value in sorted(cell.params.items()))
            label = f"{cell.workload} {cell.mode}, batch {cell.batch_size}, {cell.backend} jit {cell.jit} {params}"
            job = stats.job_time(record)
            table.add_row(
                label.strip(),
                main_quantity(record),
                text.estimate(stats.first_step(record), noun[cell.workload]),
                "" if job is None else text.estimate(job),
            )
    if table.row_count:
        out.print(table)
    out.print(f"records: {_relative(prepared.folder)}")


def gpu_pairs(records: Iterable[Record]) -> Iterable[tuple[Record, Record]]:
    """CPU and GPU records of one session that differ in device, threads, precision and jit only: the best of each."""
    best: dict[tuple, dict[str, Record]] = {}
    for record in records:
        cell = record.cell
        params = tuple(sorted(cell.params.items()))
        key = (cell.workload, cell.mode, cell.backend, cell.batch_size, cell.n_samples, params)
        arms = best.setdefault(key, {})
        rival, own = arms.get(cell.device), stats.throughput(record)
        if own is not None and (rival is None or own.value > stats.throughput(rival).value):
            arms[cell.device] = record
    for arms in best.values():
        if len(arms) == 2:
            yield arms["cpu"], arms["gpu"]


def _keep(prepared: refresh.Prepared) -> None:
    if prepared.options.results is not None:
        _fail(ValueError("--keep files a session of bench/results/local; with --results it is where you put it"))
    try:
        target = store.keep(prepared.folder)
    except (store.StoreError, FileExistsError) as error:
        _fail(error)
    out.print(f"filed as {_relative(target)}; commit that folder and open a pull request")


def _relative(path: Path) -> str:
    try:
        return path.resolve().relative_to(launch.REPOSITORY.resolve()).as_posix()
    except ValueError:
        return os.path.relpath(path)


def _split(values: list[str] | None) -> tuple[str, ...]:
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())


def _threads(values: list[str] | None) -> tuple[int, ...]:
    """Numbers of threads; "all" becomes this machine's usable cores."""
    chosen = []
    for part in _split(values):
        if part != "all" and not (part.isdigit() and int(part) > 0):
            raise ValueError(f"--threads must be positive numbers or all, got {part!r}")
        chosen.append(machine.cores().effective if part == "all" else int(part))
    return tuple(dict.fromkeys(chosen))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left", no_wrap=index == 0, overflow="fold")
    return table


def _fail(error: Exception) -> None:
    """Say what is wrong with the request and exit with 2."""
    progress_console.print(f"error: {error}", markup=False, soft_wrap=True)
    raise typer.Exit(WRONG_USAGE)


def main() -> None:
    """Entry point of ``python -m bench.cli``."""
    app()


if __name__ == "__main__":
    main()
