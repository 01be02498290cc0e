"""The command line: arguments and printing only. Results go to stdout, progress to stderr."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bench.cli import crash, estimate, gpu_day, show
from bench.cli import options as cli_options
from bench.cli.options import (
    AsJson,
    Backend,
    Budget,
    CellIds,
    Device,
    Doctor,
    DryRun,
    Keep,
    MachineId,
    Only,
    Profile,
    Repeats,
    ResultsDir,
    Resume,
    Seal,
    Seed,
    Sweep,
    Threads,
    Timeout,
)
from bench.cli.show import OK, SOME_FAILED
from bench.doctor import collect as vitals
from bench.doctor import cpu, rules
from bench.machine import cores, describe
from bench.records import files, store
from bench.report.evidence import against
from bench.schema import DEVICES, Machine, Record
from bench.session import launch
from bench.session import run as session_run
from bench.session.arms import DEFAULT_BACKENDS
from bench.session.prepare import Options, Prepared, prepare
from bench.workloads import registry

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Executable benchmarks behind the site.")


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
    timeout: Timeout = None,
    results: ResultsDir = None,
    machine_id: MachineId = "",
    keep: Keep = False,
    seal: Seal = False,
    see: Doctor = False,
) -> None:
    """Measure this machine: plan, run every cell in processes of its own, store records, summarise."""
    if see:
        doctor()
        return
    with contextlib.ExitStack() as stack:
        try:
            options = Options(
                profile=cli_options.profile(profile),
                only=cli_options.split_names(only),
                sweeps=cli_options.split_names(sweep),
                backends=cli_options.backends(backend) or DEFAULT_BACKENDS,
                devices=cli_options.one_of("device", cli_options.split_names(device), DEVICES),
                threads=cli_options.threads(threads),
                repeats=repeats,
                seed=seed,
                cell_ids=cli_options.split_names(cell),
                resume=resume,
                time_budget_s=None if time_budget is None else cli_options.duration_s(time_budget, "--time-budget"),
                timeout_s=launch.TIMEOUT_S if timeout is None else cli_options.duration_s(timeout, "--timeout"),
                results=results,
                machine_id=cli_options.machine_name(machine_id),
            )
            if cell:
                options = cli_options.with_profile_of(options)
            if not dry_run:
                stack.enter_context(show.measuring(results))
            prepared = prepare(options)
        except (registry.UnknownNameError, ValueError) as error:
            show.fail(error)
        if prepared.note:
            show.progress_console.print(f"starting a new session: {prepared.note}")
        if dry_run:
            show.print_plan(prepared)
            return
        failed = _run(prepared, seal=seal)
        show.print_left_out(prepared)
        show.print_summary(prepared)
        if keep:
            _keep(prepared)
    raise typer.Exit(SOME_FAILED if failed else OK)


app.command("estimate")(estimate.estimate)
app.command("gpu-day")(gpu_day.measure)
app.command("take")(gpu_day.take)
app.command("commit", hidden=True)(gpu_day.commit)


@app.command("list")
def list_() -> None:
    """Print the workloads."""
    table = show.new_table("id", "title", "modes", "data")
    for spec in registry.workloads().values():
        modes = sorted({variant.mode for variants in spec.variants.values() for variant in variants}, reverse=True)
        table.add_row(spec.id, spec.title, ", ".join(modes), spec.data_source)
    show.out.print(table)


@app.command("plan")
def plan_(profile: Profile = "quick", only: Only = None, backend: Backend = None, device: Device = None) -> None:
    """Print what `run` would do."""
    run(profile=profile, only=only, backend=backend, device=device, dry_run=True)


@app.command("check")
def check(results: ResultsDir = None) -> None:
    """Validate every stored file; one line per problem."""
    root = results or files.RESULTS
    problems = store.check(root)
    for problem in problems:
        show.out.print(problem, markup=False)
    if problems:
        raise typer.Exit(SOME_FAILED)
    found = store.load(root).sessions
    show.out.print(f"{sum(len(session.records) for session in found)} records in {len(found)} sessions are valid")


@app.command("compare")
def compare(
    session: Annotated[
        str, typer.Argument(help="Session to compare with, MACHINE/DATE; default: each committed.")
    ] = "",
    mine: Annotated[str, typer.Option(help="Session to look at, MACHINE/DATE; default: this machine's latest.")] = "",
    cell: Annotated[str, typer.Option(help="Only cells whose id contains this text.")] = "",
    as_json: AsJson = False,
) -> None:
    """Is my number normal? One session against another, cell by cell; also two dates of one machine."""
    try:
        found = store.load().sessions
    except files.RecordError as error:
        show.fail(error)
    here, others = _chosen_sessions(found, session, mine)
    shown = []
    for there in others:
        compared = against.compare(here, there)
        compared = compared._replace(rows=tuple(row for row in compared.rows if cell in row.cell_id))
        shown.append({"here": here.path, "there": there.path} | show.comparison_json(compared))
        if not as_json:
            show.print_comparison(here, there, compared)
    if as_json:
        show.print_json(shown)


@app.command("repro")
def repro(
    cell: Annotated[str, typer.Argument(help="Id of a published cell, as its evidence page shows it.")],
    session: Annotated[str, typer.Option(help="Published session to hold it against, MACHINE/DATE.")] = "",
    repeats: Annotated[int, typer.Option(min=1, help="Processes to run here.")] = 3,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Agrees when the ratio's interval comes within this share of 1.")
    ] = against.TOLERANCE_FRAC,
    results: ResultsDir = None,
    machine_id: MachineId = "",
) -> None:
    """Run one published cell here. Exit code: 0 agrees, 1 disagrees, 3 not comparable, 2 wrong usage."""
    try:
        published = [item for item in store.load().sessions if not item.is_local]
        there = _published(published, cell, session, describe.describe(machine_id=machine_id))
        record = there.records[cell]
    except (registry.UnknownNameError, files.RecordError) as error:
        show.fail(error)
    if record.status != "ok":
        show.conclude("not comparable", f"it gave no number in {there.path}: {record.status}, {record.reason}")
    options = Options(profile=record.profile, cell_ids=(cell,), repeats=repeats, results=results, machine_id=machine_id)
    with show.measuring(results):
        try:
            prepared = prepare(cli_options.for_cells(options, [record.cell]))
        except registry.UnknownNameError:
            show.conclude("not comparable", "this version of the benchmarks has no such cell on this machine")
        except (files.RecordError, ValueError) as error:
            show.fail(error)
        for _, reason in prepared.plan.skipped:
            show.conclude("not comparable", reason)
        _run(prepared, seal=False)
    own = store.load_session(prepared.folder, results or files.RESULTS).records[cell]
    if own.status != "ok":
        show.conclude("not comparable", f"it gave no number here: {own.reason}")
    same = against.is_same_machine(prepared.machine, there.machine)
    rows = against.compare_cells(own, record, same_machine=same)
    show.print_rows(rows, show.columns_of(same))
    for difference in against.differences(prepared.session, there.session):
        show.out.print(f"differs: {difference}", markup=False)
    show.out.print(f"records: {show.relative(prepared.folder)}", markup=False)
    if load := _disturbance(own):
        show.out.print(load, markup=False)
    show.conclude(*against.conclude(rows, there, same_machine=same, tolerance_frac=tolerance))


@app.command("doctor")
def doctor(as_json: AsJson = False) -> None:
    """Why is my GPU not used? What each backend sees here, and the fix. Exit code: 0 no problem, 1 problems."""
    facts = vitals.collect()
    try:
        findings = rules.diagnose(facts)
    except Exception as error:  # noqa: BLE001  the facts are worth more than the traceback
        crash.end(error, facts)
    if as_json:
        show.print_text(show.doctor_json(facts, findings).decode())
    else:
        show.print_text(rules.as_text(findings))
    raise typer.Exit(SOME_FAILED if rules.has_problem(findings) else OK)


def _chosen_sessions(
    found: Sequence[store.SessionResults], session: str, mine: str
) -> tuple[store.SessionResults, list[store.SessionResults]]:
    """The session to look at, and those to hold it against."""
    by_path = {item.path: item for item in found}
    for name in (session, mine):
        if name and name not in by_path:
            show.fail(registry.unknown("session", name, list(by_path)))
    local = [item for item in found if item.is_local and item.path != session]
    if mine:
        here = by_path[mine]
    elif local:
        here = max(local, key=lambda item: item.session.started_at)
    else:
        message = "this machine has no session yet; run scripts/refresh_benchmarks.py first, or name one with --mine"
        show.fail(ValueError(message))
    return here, [by_path[session]] if session else [s for s in found if not s.is_local and s is not here]


def _published(
    sessions: Sequence[store.SessionResults], cell_id: str, path: str, host: Machine
) -> store.SessionResults:
    """The published session to hold a cell against: this machine's if there is one, with a number if there is one."""
    if path:
        if path not in {item.path for item in sessions}:
            raise registry.unknown("session", path, [item.path for item in sessions])
        sessions = [item for item in sessions if item.path == path]
    holders = [item for item in sessions if cell_id in item.records]
    if not holders:
        known = sorted({id_ for item in sessions for id_ in item.records})
        raise registry.unknown("published cell", cell_id, difflib.get_close_matches(cell_id, known, 5, 0.0))

    def preference(item: store.SessionResults) -> tuple[bool, bool, str]:
        measured = item.records[cell_id].status == "ok"
        return measured, against.is_same_machine(host, item.machine), item.session.started_at

    return max(holders, key=preference)


def _disturbance(record: Record) -> str:
    """What else ran on the machine, in words; empty when it was quiet."""
    loads = [run.before.load_1min for run in record.runs if run.before is not None and run.before.load_1min is not None]
    if record.cell.device != "cpu" or not loads or loads[0] / cores.cores().effective < cpu.BUSY_LOAD:
        return ""
    return f"disturbed: the load was {loads[0]:.2f} when the first run began; measure again on a quiet machine"


def _run(prepared: Prepared, *, seal: bool) -> int:
    """Run the plan; the number of cells that did not end well. Exits with 1 when interrupted or out of disk."""
    show.end_politely()
    try:
        return _execute(prepared, seal=seal)
    except KeyboardInterrupt:
        show.progress_console.print("interrupted; finished runs are kept, go on with --resume")
        raise typer.Exit(SOME_FAILED) from None
    except (files.StoreError, FileExistsError) as error:
        show.progress_console.print(f"error: {error}", style="bold")
        raise typer.Exit(SOME_FAILED) from None


def _execute(prepared: Prepared, *, seal: bool) -> int:
    """Run the plan with a progress bar; the number of cells that did not end well."""
    failed, n_at_once = 0, session_run.at_once(prepared)
    runs = prepared.plan.runs
    if n_at_once > 1:
        show.progress_console.print(f"smoke: {n_at_once} runs at once, to see that they work; their times say nothing")
    width = max((len(cell_id) for cell_id in prepared.plan.cells), default=0)
    for cell, reason in prepared.plan.skipped:
        show.out.print(f"{cell.id:<{width}}  skipped  {reason}", markup=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    # No refresh thread: nothing of ours may run while a child is being measured.
    bar = Progress(*columns, console=show.progress_console, auto_refresh=False, transient=True)
    with bar:
        task = bar.add_task("", total=len(runs), left=show.left(prepared.plan.estimate_s))
        if runs:
            bar.update(task, description=show.describe(runs[0]), refresh=True)
        for step in session_run.execute(prepared, n_at_once=n_at_once):
            bar.update(
                task,
                total=step.n_total,
                completed=step.n_done,
                description=show.describe(step.following) if step.following else "done",
                left=show.left(step.left_s),
                refresh=True,
            )
            if step.record is not None:
                failed += step.record.status not in ("ok", "skipped")
                bar.console.print(show.cell_line(step.record, width), markup=False, soft_wrap=True)
    if seal:
        for record in session_run.seal(prepared):
            failed += record.status not in ("ok", "skipped")
            show.out.print(show.cell_line(record, width), markup=False)
    return failed


def _keep(prepared: Prepared) -> None:
    if prepared.options.results is not None:
        show.fail(ValueError("--keep files a session of bench/results/local; with --results it is where you put it"))
    try:
        target = store.keep(prepared.folder)
    except (files.StoreError, FileExistsError) as error:
        show.fail(error)
    show.out.print(f"filed as {show.relative(target)}; commit that folder and open a pull request")


def main() -> None:
    """Entry point of ``python -m bench.cli``."""
    crash.guard(app)


if __name__ == "__main__":
    main()
