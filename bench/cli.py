"""The command line: arguments and printing only. Results go to stdout, progress to stderr."""

from __future__ import annotations

import difflib
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bench import doctor as rules
from bench import gpu_day as day
from bench import launch, machine, pack, plan, refresh, registry, store, vitals
from bench.report import against, stats, studies
from bench.report import format as text
from bench.schema import BACKENDS, DEVICES, PROFILES, Cell, Record, encode

OK, SOME_FAILED, WRONG_USAGE, NO_GPU = 0, 1, 2, 9
EXIT_OF: dict[against.Agreement, int] = {"agrees": 0, "disagrees": 1, "not comparable": 3}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
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
    list[str] | None,
    typer.Option(help="Cores for CPU cells, by commas; all: the usable ones; physical: without second threads."),
]
Repeats = Annotated[int | None, typer.Option(min=1, help="Processes per cell.")]
Seed = Annotated[int, typer.Option(help="Seed of data, weights and order.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print cells, order and estimated minutes; run nothing.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with this machine's latest session of this profile.")]
Budget = Annotated[
    str | None, typer.Option("--time-budget", help="Stop in time, for example 20m: headline cells come first.")
]
Timeout = Annotated[str | None, typer.Option(help="Give a run up after this long, for example 120s; default: 20m.")]
ResultsDir = Annotated[Path | None, typer.Option("--results", help="Where to store; default bench/results/local.")]
CellIds = Annotated[list[str] | None, typer.Option("--cell", help="Run just this cell, by its id.")]
Keep = Annotated[bool, typer.Option("--keep", help="File this session among the published ones, for a pull request.")]
Seal = Annotated[bool, typer.Option("--seal", help="Store unfinished cells with the runs that they have.")]
Doctor = Annotated[bool, typer.Option("--doctor", help="Say what each backend sees here and why; run nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
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
            time_budget_s=None if time_budget is None else duration_s(time_budget, "--time-budget"),
            timeout_s=launch.TIMEOUT_S if timeout is None else duration_s(timeout, "--timeout"),
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
    failed = _run(prepared, seal=seal)
    _print_left_out(prepared)
    _print_summary(prepared)
    if keep:
        _keep(prepared)
    raise typer.Exit(SOME_FAILED if failed else OK)


@app.command("gpu-day")
def gpu_day(
    time_budget: Annotated[str, typer.Option("--time-budget", help="All there is, for example 520s.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for results.tgz, after every run, and doctor.json.")],
    backend: Backend = None,
    n_rows: Annotated[int, typer.Option("--rows", min=1, help="Only the first rows.")] = len(day.ROWS),
    profile: Profile = "reference",
    timeout: Timeout = None,
    results: ResultsDir = None,
    machine_id: MachineId = "",
) -> None:
    """A GPU for some minutes: what answers most comes first; again to go on. Exit code 9: not on the GPU."""
    start = monotonic()
    backends = _split(backend) or day.default_backends()
    try:
        seconds = duration_s(time_budget, "--time-budget")
        options = refresh.Options(
            profile=profile,
            backends=backends,
            timeout_s=day.TIMEOUT_S if timeout is None else duration_s(timeout, "--timeout"),
            results=results,
            machine_id=machine_id,
        )
        prepared, rows = day.prepare(options, n_rows=n_rows)
    except (registry.UnknownNameError, store.RecordError, ValueError) as error:
        _fail(error)
    if prepared.note:
        out.print(f"a new session: {prepared.note}", markup=False)
    out_dir.mkdir(parents=True, exist_ok=True)
    if prepared.is_new:
        facts = vitals.collect(backends, limit_s=day.GATE_S / 2)
        findings = rules.diagnose(facts)
        (out_dir / "doctor.json").write_bytes(_doctor_json(facts, findings))
        out.print(f"{monotonic() - start:6.1f} s  doctor: {sum(f.severity == 'problem' for f in findings)} problems")
        try:
            day.gate(backends, limit_s=day.GATE_S)
        except day.NoGpuError as error:
            out.print(f"{monotonic() - start:6.1f} s  gate: {error}", markup=False, soft_wrap=True)
            raise typer.Exit(NO_GPU) from None
        out.print(f"{monotonic() - start:6.1f} s  gate: every backend computes on the GPU")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failed = _measure_day(prepared, rows, start, seconds, out_dir)
    raise typer.Exit(SOME_FAILED if failed else OK)


def _measure_day(
    prepared: refresh.Prepared, rows: Mapping[str, int], start: float, seconds: float, out_dir: Path
) -> int:
    """Run the rows, a line per run, packing after each; the number of cells that did not end well."""
    failed, row, n_runs = 0, -1, 0
    try:
        for step in day.execute(prepared, rows, start + seconds - monotonic()):
            n_runs += 1
            if step.row != row:
                row = step.row
                out.print(f"row {row + 1}: {day.ROWS[row].title}", markup=False)
            line = step.planned.cell.id if step.record is None else cell_line(step.record)
            times = f"{monotonic() - start:6.1f} s  took {step.run.total_s:5.1f} s"
            out.print(f"{times}  {line}", markup=False, soft_wrap=True)
            if step.record is not None:
                failed += step.record.status not in ("ok", "skipped")
                pack.pack(prepared.folder, out_dir / "results.tgz")
    except day.OutOfTimeError as error:
        out.print(f"out of time: {error}", markup=False)
    except KeyboardInterrupt:
        out.print("interrupted; what was finished is packed")
    except (store.StoreError, FileExistsError) as error:
        _fail(error)
    n_left = len(prepared.plan.runs) - n_runs
    out.print(f"{n_runs} runs, {failed} cells failed, {n_left} left{'; the same command goes on' if n_left else ''}")
    return failed


@app.command("take")
def take(
    path: Annotated[Path, typer.Argument(metavar="PACK", help="results.tgz of a gpu-day, from another machine.")],
    results: ResultsDir = None,
) -> None:
    """File a pack's session among the published ones, checked as `check` does; a later pack adds to it."""
    try:
        folder, n_new = pack.take(path, results or store.RESULTS)
    except (store.RecordError, store.StoreError, FileExistsError) as error:
        _fail(error)
    out.print(f"filed {n_new} files in {_relative(folder)}; commit that folder", markup=False)


@app.command("commit", hidden=True)
def commit() -> None:
    """Print what BENCH_COMMIT must be beside a copy of this checkout that has no git."""
    try:
        out.print(machine.commit_text(launch.REPOSITORY), markup=False)
    except ValueError as error:
        _fail(error)


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
    except store.RecordError as error:
        _fail(error)
    here, others = _chosen_sessions(found, session, mine)
    shown = []
    for there in others:
        compared = against.compare(here, there)
        compared = compared._replace(rows=tuple(row for row in compared.rows if cell in row.cell_id))
        shown.append({"here": here.path, "there": there.path} | _comparison_json(compared))
        if not as_json:
            _print_comparison(here, there, compared)
    if as_json:
        out.print(msgspec.json.encode(shown).decode(), markup=False, soft_wrap=True)


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
        there = _published(published, cell, session, machine.describe(machine_id=machine_id))
        record = there.records[cell]
    except (registry.UnknownNameError, store.RecordError) as error:
        _fail(error)
    if record.status != "ok":
        _conclude("not comparable", f"it gave no number in {there.path}: {record.status}, {record.reason}")
    options = refresh.Options(
        profile=record.profile,
        cell_ids=(cell,),
        repeats=repeats,
        results=results,
        machine_id=machine_id,
        **_filters_of([record.cell]),
    )
    try:
        prepared = refresh.prepare(options)
    except registry.UnknownNameError:
        _conclude("not comparable", "this version of the benchmarks has no such cell on this machine")
    except (store.RecordError, ValueError) as error:
        _fail(error)
    for _, reason in prepared.plan.skipped:
        _conclude("not comparable", reason)
    _run(prepared, seal=False)
    own = store.load_session(prepared.folder, results or store.RESULTS).records[cell]
    if own.status != "ok":
        _conclude("not comparable", f"it gave no number here: {own.reason}")
    same = against.is_same_machine(prepared.machine, there.machine)
    rows = against.compare_cells(own, record, same_machine=same)
    _print_rows(rows, _columns_of(same))
    for difference in against.differences(prepared.session, there.session):
        out.print(f"differs: {difference}", markup=False)
    out.print(f"records: {_relative(prepared.folder)}", markup=False)
    if load := _disturbance(own):
        out.print(load, markup=False)
    _conclude(*against.conclude(rows, there, same_machine=same, tolerance_frac=tolerance))


@app.command("doctor")
def doctor(as_json: AsJson = False) -> None:
    """Why is my GPU not used? What each backend sees here, and the fix. Exit code: 0 no problem, 1 problems."""
    facts = vitals.collect()
    findings = rules.diagnose(facts)
    if as_json:
        out.print(_doctor_json(facts, findings).decode(), markup=False, soft_wrap=True)
    else:
        out.print(rules.as_text(findings), markup=False, soft_wrap=True)
    raise typer.Exit(SOME_FAILED if rules.has_problem(findings) else OK)


def _doctor_json(facts: rules.Facts, findings: Sequence[rules.Finding]) -> bytes:
    report = {"facts": msgspec.json.decode(encode(facts)), "findings": msgspec.to_builtins(findings)}
    return msgspec.json.encode(report)


def _chosen_sessions(
    found: Sequence[store.SessionResults], session: str, mine: str
) -> tuple[store.SessionResults, list[store.SessionResults]]:
    """The session to look at, and those to hold it against."""
    by_path = {item.path: item for item in found}
    for name in (session, mine):
        if name and name not in by_path:
            _fail(registry.unknown("session", name, list(by_path)))
    local = [item for item in found if item.is_local and item.path != session]
    if mine:
        here = by_path[mine]
    elif local:
        here = max(local, key=lambda item: item.session.started_at)
    else:
        message = "this machine has no session yet; run scripts/refresh_benchmarks.py first, or name one with --mine"
        _fail(ValueError(message))
    return here, [by_path[session]] if session else [s for s in found if not s.is_local and s is not here]


def _published(
    sessions: Sequence[store.SessionResults], cell_id: str, path: str, host: machine.Machine
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


def _conclude(verdict: against.Agreement, why: str) -> NoReturn:
    """Print the verdict of a rerun and exit with its code."""
    out.print(f"{verdict}: {why}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_OF[verdict])


def _disturbance(record: Record) -> str:
    """What else ran on the machine, in words; empty when it was quiet."""
    loads = [run.before.load_1min for run in record.runs if run.before is not None and run.before.load_1min is not None]
    if record.cell.device != "cpu" or not loads or loads[0] / machine.cores().effective < rules.BUSY_LOAD:
        return ""
    return f"disturbed: the load was {loads[0]:.2f} when the first run began; measure again on a quiet machine"


def _columns_of(same_machine: bool) -> tuple[str, ...]:
    if same_machine:
        return "cell", "this session", "that session", "that session / this session", "this session is"
    return "cell", "this machine", "that machine", "that machine / this machine", "this machine is"


def _print_comparison(here: store.SessionResults, there: store.SessionResults, compared: against.Comparison) -> None:
    out.print(f"this: {here.path} ({here.machine.cpu_model})   that: {there.path} ({there.machine.cpu_model})")
    for difference in compared.differences:
        out.print(f"differs: {difference}", markup=False)
    if not compared.rows:
        out.print("no cell in common: run the same profile")
        return
    _print_rows(compared.rows, _columns_of(compared.same_machine))
    if compared.same_machine:
        out.print(against.rule())
    out.print(against.normal(compared), markup=False, soft_wrap=True)


def _print_rows(rows: Sequence[against.Row], columns: Sequence[str]) -> None:
    table = _table(*columns)
    for row in rows:
        values = (text.interval(value, row.noun) for value in (row.here, row.there))
        if row.ratio is None:
            table.add_row(row.label, *values, "", row.problem)
        else:
            table.add_row(row.label, *values, text.interval(row.ratio), _order_words(row))
    out.print(table)


def _order_words(row: against.Row) -> str:
    """How this session stands to that one; between two dates of one machine, what the test says."""
    if row.change is None:
        return row.order or ""
    if row.change.p is None:
        return f"{row.order} (too few runs to test: {row.change.n_before} and {row.change.n_after})"
    return f"{row.order}; {row.change.verdict} (p = {text.number(row.change.p)})"


def _comparison_json(compared: against.Comparison) -> dict[str, Any]:
    rows = [row._asdict() | {"change": None if row.change is None else row.change._asdict()} for row in compared.rows]
    return compared._asdict() | {"rows": rows, "normal": against.normal(compared), "rule": against.rule()}


def duration_s(value: str, option: str) -> float:
    """ "20m" becomes 1200.0; a bare number means minutes.

    Raises:
        ValueError: the text of the option is not a duration.
    """
    match = DURATION.fullmatch(value.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{option} must look like 90s, 20m or 1.5h, got {value!r}")
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


def _run(prepared: refresh.Prepared, *, seal: bool) -> int:
    """Run the plan; the number of cells that did not end well. Exits with 1 when interrupted or out of disk."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C: the child ends too
    try:
        return _execute(prepared, seal=seal)
    except KeyboardInterrupt:
        progress_console.print("interrupted; finished runs are kept, go on with --resume")
        raise typer.Exit(SOME_FAILED) from None
    except (store.StoreError, FileExistsError) as error:
        progress_console.print(f"error: {error}", style="bold")
        raise typer.Exit(SOME_FAILED) from None


def _execute(prepared: refresh.Prepared, *, seal: bool) -> int:
    """Run the plan with a progress bar; the number of cells that did not end well."""
    failed, n_at_once = 0, refresh.at_once(prepared)
    runs = prepared.plan.runs
    if n_at_once > 1:
        progress_console.print(f"smoke: {n_at_once} runs at once, to see that they work; their times say nothing")
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
        for step in refresh.execute(prepared, n_at_once=n_at_once):
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
    """Cells that the time budget had no room for, and those that it cut short."""
    planned = prepared.plan.cells | {run.cell.id: run.cell for run in prepared.plan.spare}
    n_done = {cell_id: len(store.spooled_runs(prepared.folder, cell_id)) for cell_id in planned}
    for cell, seconds in prepared.plan.left_out:
        if not n_done[cell.id] and not (prepared.folder / f"{cell.id}.json").exists():
            out.print(f"not in the time budget: {cell.id} (about {text.seconds(seconds)})", markup=False)
    for cell_id, n in n_done.items():
        if n and prepared.options.time_budget_s is not None:
            needed = prepared.plan.n_repeats[cell_id]
            out.print(
                f"cut short by the time budget: {cell_id}, {n} of {needed} runs; go on with --resume", markup=False
            )


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
    """Numbers of threads; "all" becomes this machine's usable cores, "physical" those that are no second threads."""
    chosen = []
    for part in _split(values):
        if part in ("all", "physical"):
            chosen.append(machine.cores().effective if part == "all" else machine.physical_cores())
        elif part.isdigit() and int(part) > 0:
            chosen.append(int(part))
        else:
            raise ValueError(f"--threads must be positive numbers, all or physical, got {part!r}")
    return tuple(dict.fromkeys(chosen))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left", no_wrap=index == 0, overflow="fold")
    return table


def _fail(error: Exception) -> NoReturn:
    """Say what is wrong with the request and exit with 2."""
    progress_console.print(f"error: {error}", markup=False, soft_wrap=True)
    raise typer.Exit(WRONG_USAGE)


def main() -> None:
    """Entry point of ``python -m bench.cli``."""
    app()


if __name__ == "__main__":
    main()
