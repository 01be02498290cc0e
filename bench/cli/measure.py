"""The command `run`: what will be measured, what is being measured, what came of it, and what to do next."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bench.cli import cluster, doctor, gpu_day, names, show
from bench.cli import options as cli_options
from bench.records import files, pack, spool, store
from bench.report.stats import format as text
from bench.report.stats import quantities, spoken
from bench.schema import DEVICES, Cell, Record
from bench.session import launch, prepare
from bench.session import run as session_run
from bench.session.arms import DEFAULT_BACKENDS
from bench.session.prepare import Options, Prepared
from bench.workloads import registry

MOST_LISTED = 30  # cells that a list shows one by one unless all are asked for


def measure(
    profile: cli_options.AnyProfile = "quick",
    only: cli_options.Only = None,
    sweep: cli_options.Sweep = None,
    backend: cli_options.Backend = None,
    device: cli_options.Device = None,
    threads: cli_options.Threads = None,
    repeats: cli_options.Repeats = None,
    seed: cli_options.Seed = 0,
    cell: cli_options.CellIds = None,
    dry_run: cli_options.DryRun = False,
    resume: cli_options.Resume = False,
    time_budget: cli_options.Budget = None,
    timeout: cli_options.Timeout = None,
    results: cli_options.ResultsDir = None,
    machine_id: cli_options.MachineId = "",
    pack_dir: cli_options.Pack = None,
    keep: cli_options.Keep = False,
    seal: cli_options.Seal = False,
    see: cli_options.Doctor = False,
    show_all: cli_options.ShowAll = False,
    launcher: cli_options.Launcher = "",
    partition: cli_options.Partition = None,
    nodes: cli_options.Nodes = 1,
    gpus_per_node: cli_options.GpusPerNode = 0,
    job_limit: cli_options.JobLimit = "4h",
    as_json: cli_options.AsJson = False,
) -> None:
    """Measure this machine: each result in processes of its own, stored as raw records."""
    if see:
        doctor.doctor(as_json, show_all)
        return
    if profile == gpu_day.PROFILE:
        unfit = cli_options.given(only=only, sweep=sweep, device=device, threads=threads, repeats=repeats, cell=cell,
                                  launcher=launcher, dry_run=dry_run, keep=keep, seal=seal, json=as_json)  # fmt: skip
        gpu_day.from_run(time_budget, pack_dir, backend, timeout, results, machine_id, unfit)
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
            resume=resume,
            time_budget_s=None if time_budget is None else cli_options.duration_s(time_budget, "--time-budget"),
            timeout_s=launch.TIMEOUT_S if timeout is None else cli_options.duration_s(timeout, "--timeout"),
            results=results,
            machine_id=cli_options.machine_name(machine_id),
        )
        options = cli_options.with_cells(options, cli_options.split_names(cell))
        if launcher:
            unfit = cli_options.given(pack=pack_dir, keep=keep, seal=seal, json=as_json)
            cluster.measure(options, launcher, partition, nodes, gpus_per_node, job_limit, unfit, dry_run=dry_run)
    except (registry.UnknownNameError, ValueError) as error:
        show.fail(error)
    failed = _measure(options, dry_run, seal, keep, pack_dir, show_all, as_json)
    raise typer.Exit(show.SOME_FAILED if failed else show.OK)


def _measure(
    options: Options, dry_run: bool, seal: bool, keep: bool, pack_dir: Path | None, show_all: bool, as_json: bool
) -> int:
    """Prepare, run and report; the number of cells that did not end well."""
    with contextlib.ExitStack() as stack:
        if not dry_run:
            stack.enter_context(show.measuring(options.results))
        try:
            prepared = prepare.prepare(options)
            if pack_dir is not None:
                pack_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            show.fail(ValueError(f"--pack must be a folder that can be written: {error.strerror}"))
        except (registry.UnknownNameError, ValueError) as error:
            show.fail(error)
        if prepared.note:
            show.progress_console.print(f"starting a new session: {prepared.note}")
        if dry_run:
            show.print_json(plan_json(prepared)) if as_json else print_plan(prepared, show_all=show_all)
            return 0
        failed = run(prepared, seal=seal, show_all=show_all, quiet=as_json)
        with show.silent(as_json):
            print_left_out(prepared, show_all=show_all)
            print_summary(prepared, show_all=show_all)
            if pack_dir is not None:
                pack.pack(prepared.folder, pack_dir / "results.tgz")
                show.print_text(f"packed: {show.relative(pack_dir / 'results.tgz')}")
            kept = _keep(prepared) if keep else None
            _print_next(prepared, failed, is_kept=kept is not None)
        if as_json:
            show.print_json(_summary_json(prepared, kept or prepared.folder))
        return failed


def run(prepared: Prepared, *, seal: bool = False, show_all: bool = False, quiet: bool = False) -> int:
    """Run the plan; the number of cells that did not end well. Exits with 1 when interrupted or out of disk."""
    show.end_politely()
    try:
        with show.silent(quiet):
            return _execute(prepared, seal=seal, show_all=show_all)
    except KeyboardInterrupt:
        show.progress_console.print("interrupted; finished runs are kept, go on with --resume")
        raise typer.Exit(show.SOME_FAILED) from None
    except (files.StoreError, files.RecordError, FileExistsError) as error:
        show.progress_console.print(f"error: {error}", style="bold", markup=False)
        raise typer.Exit(show.SOME_FAILED) from None


def _execute(prepared: Prepared, *, seal: bool, show_all: bool) -> int:
    """Run the plan with a progress bar; the number of cells that did not end well."""
    failed, n_at_once = 0, session_run.at_once(prepared)
    runs = prepared.plan.runs
    known = names.short_names(_cells(prepared))
    width = max((len(known[cell_id]) for cell_id in prepared.plan.cells), default=0)
    if n_at_once > 1:
        show.progress_console.print(f"smoke: {n_at_once} runs at once, to see that they work; their times say nothing")
    _print_skipped(prepared, known, show_all=show_all)
    columns = (TextColumn("running {task.description}"), BarColumn(bar_width=12), MofNCompleteColumn())
    # No refresh thread: nothing of ours may run while a child is being measured.
    bar = Progress(
        *columns, TextColumn("{task.fields[left]}"), console=show.progress_console, auto_refresh=False, transient=True
    )
    with bar:
        first = known[runs[0].cell.id] if runs else "nothing"
        task = bar.add_task(first, total=len(runs), left=show.left(prepared.plan.estimate_s))
        bar.refresh()
        for step in session_run.execute(prepared, n_at_once=n_at_once):
            following = "nothing more" if step.following is None else known[step.following.cell.id]
            left = show.left(step.left_s)
            # Of runs at once, those under way are in no queue; a budget drops and adds some.
            n_total = len(runs) if prepared.options.time_budget_s is None else step.n_total
            bar.update(task, total=n_total, completed=step.n_done, description=following, left=left, refresh=True)
            if step.record is not None:
                failed += step.record.status not in ("ok", "skipped")
                line = show.cell_line(step.record, known[step.record.cell.id], width)
                place = f"{step.n_done:>{len(str(n_total))}} of {n_total}"
                # A file has no bar that tells the time.
                rest = "" if sys.stderr.isatty() or not left or step.n_done >= n_total else f"  [{left}]"
                if step.record.status == "ok" and len(f"{place}  {line}{rest}") > show.WIDE:
                    line = re.sub(r" +\([^()]*\)", "", line)  # intervals; the table in the end has them
                bar.console.print(f"{place}  {line}{rest}", markup=False, soft_wrap=True)
    if seal:
        for record in session_run.seal(prepared):
            failed += record.status not in ("ok", "skipped")
            show.print_text(show.cell_line(record, known[record.cell.id], width))
    return failed


def _cells(prepared: Prepared) -> list[Cell]:
    """Every cell that a prepared session may speak of."""
    plan = prepared.plan
    cells = plan.cells | {run.cell.id: run.cell for run in plan.spare} | {cell.id: cell for cell, _ in plan.skipped}
    cells |= {cell.id: cell for cell, _ in plan.left_out} | {cell.id: cell for cell in plan.finished}
    return list(cells.values())


def _print_skipped(prepared: Prepared, known: Mapping[str, str], *, show_all: bool) -> None:
    """What cannot run here: each reason once, or every cell by its short name."""
    for cell, reason in prepared.plan.skipped if show_all else ():
        show.print_text(f"skipped: {known[cell.id]}: {reason}")
    n_cells = Counter(reason for _, reason in prepared.plan.skipped)
    first = {reason: known[cell.id] for cell, reason in reversed(prepared.plan.skipped)}
    for reason, n in () if show_all else n_cells.items():
        show.print_text(f"skipped: {first[reason] if n == 1 else f'{n} cells'}: {reason}")


def print_plan(prepared: Prepared, *, show_all: bool = False) -> None:
    """What will run in order of first runs, by workload where that is long; what does not run; the time."""
    seconds, n_runs = Counter[str](), Counter(planned.cell.id for planned in prepared.plan.runs)
    for planned in prepared.plan.runs:
        seconds[planned.cell.id] += planned.estimate_s  # type: ignore[assignment]  # seconds are counted, too
    cells, known = prepared.plan.cells, names.short_names(_cells(prepared))
    is_long = len(cells) > MOST_LISTED and not show_all
    table = show.new_table(*(("workload", "cells") if is_long else ("order", "cell")), "runs", "about")
    if is_long:
        for workload in dict.fromkeys(cell.workload for cell in cells.values()):
            own = [id_ for id_, cell in cells.items() if cell.workload == workload]
            total = text.seconds(sum(seconds[id_] for id_ in own))
            table.add_row(workload, str(len(own)), str(sum(n_runs[id_] for id_ in own)), total)
    else:
        for number, cell_id in enumerate(cells, start=1):
            table.add_row(str(number), known[cell_id], str(n_runs[cell_id]), text.seconds(seconds[cell_id]))
    if cells:
        show.print_table(table)
    if show_all:
        show.print_wrapped("order of the runs: " + " ".join(str(planned.order) for planned in prepared.plan.runs))
    _print_skipped(prepared, known, show_all=show_all)
    print_left_out(prepared, show_all=show_all)
    takes = spoken.seconds(prepared.plan.estimate_s) + ("; --all lists each" if is_long else "")
    show.print_text(f"{len(prepared.plan.runs)} runs of {len(cells)} cells, about {takes}")


def plan_json(prepared: Prepared) -> dict[str, Any]:
    """A plan as plain data."""
    plan, known = prepared.plan, names.short_names(_cells(prepared))
    n_runs = Counter(planned.cell.id for planned in plan.runs)
    per_run = {planned.cell.id: planned.estimate_s for planned in plan.runs}
    return {
        "session": show.relative(prepared.folder),
        "profile": plan.profile,
        "estimate_s": plan.estimate_s,
        "n_runs": len(plan.runs),
        "cells": [
            {"id": id_, "name": known[id_], "n_runs": n, "estimate_s": n * per_run[id_]} for id_, n in n_runs.items()
        ],
        "skipped": [{"id": cell.id, "name": known[cell.id], "reason": reason} for cell, reason in plan.skipped],
        "left_out": [{"id": cell.id, "name": known[cell.id], "estimate_s": s} for cell, s in plan.left_out],
    }


def print_left_out(prepared: Prepared, *, show_all: bool = False) -> None:
    """Cells that the time budget had no room for, and those that it cut short."""
    cells = prepared.plan.cells | {run.cell.id: run.cell for run in prepared.plan.spare}
    known, spooled = names.short_names(_cells(prepared)), spool.n_spooled(prepared.folder)
    waiting = [
        (known[cell.id], seconds)
        for cell, seconds in prepared.plan.left_out
        if not spooled.get(cell.id) and not (prepared.folder / f"{cell.id}.json").exists()
    ]
    if show_all or len(waiting) == 1:
        for name, seconds in waiting:
            show.print_text(f"not in the time budget: {name} (about {text.seconds(seconds)})")
    elif waiting:
        total = text.seconds(sum(seconds for _, seconds in waiting))
        show.print_text(f"not in the time budget: {len(waiting)} cells (about {total}), first {waiting[0][0]}")
    for cell_id in cells:
        if (n := spooled.get(cell_id, 0)) and prepared.options.time_budget_s is not None:
            needed = prepared.plan.n_repeats[cell_id]
            show.print_text(
                f"cut short by the time budget: {known[cell_id]}, {n} of {needed} runs; go on with --resume"
            )


def print_summary(prepared: Prepared, *, show_all: bool = False) -> None:
    """CPU against GPU where both were measured, else what this CPU can do; of many the headline cells."""
    records = [record for record in _stored(prepared).values() if record.status == "ok"]
    known = names.short_names(record.cell for record in records)
    if len(records) > MOST_LISTED and not show_all:
        shown = {cell.id for cell in names.usual(record.cell for record in records)}
        records = [record for record in records if record.cell.id in shown]
    if pairs := list(show.gpu_pairs(records)):
        table = show.new_table("result", "CPU", "GPU", "GPU / CPU")
        for cpu, gpu in pairs:
            ratio = quantities.ratio(gpu, cpu)
            rates = (text.estimate(show.main_estimate(one), one.spec.sample_noun) for one in (cpu, gpu))
            table.add_row(known[cpu.cell.id], *rates, text.interval(ratio))
    else:
        n_cores = text.cores(prepared.session.n_cores_effective)
        table = show.new_table("result", f"this CPU, {n_cores}", "first step", "whole job")
        table.columns[1].no_wrap = all(record.spec.kind != "study" for record in records)
        for record in sorted(records, key=lambda record: record.cell.id):
            job, first = quantities.job_time(record), quantities.first_step(record)
            times = ("" if value is None else text.estimate(value) for value in (first, job))
            table.add_row(known[record.cell.id], show.main_quantity(record, brief=True), *times)
    if table.row_count:
        show.print_table(table)
    show.print_text(f"records: {show.relative(prepared.folder)}")


def _print_next(prepared: Prepared, failed: int, *, is_kept: bool) -> None:
    """What to do with what was measured, or about what went wrong."""
    records = _stored(prepared).values()
    if records and all(record.status == "skipped" for record in records):
        show.print_text(f"next: nothing could run here; `{show.COMMAND} doctor` says why, and the fix")
        return
    if failed:
        show.print_text(f"next: {failed} failed, for the reasons above; `{show.COMMAND} doctor` looks for the cause")
    if prepared.session.profile == "smoke":
        show.print_text(f"next: `{show.COMMAND} run` measures; that was a rehearsal")
        return
    if prepared.options.results is not None:
        return
    steps = [f"`{show.COMMAND} compare` says whether these numbers are normal", "`make site` shows them on the site"]
    if not is_kept:
        steps.append(f"`{show.COMMAND} export` packs them and says how to send them in")
    show.print_text("next: " + "\n      ".join(steps))


def _summary_json(prepared: Prepared, folder: Path) -> dict[str, Any]:
    """What came of a session as plain data."""
    found = _stored(prepared).values()
    known = names.short_names(record.cell for record in found)
    return {
        "records": show.relative(folder),
        "left_out": [cell.id for cell, _ in prepared.plan.left_out],
        "cells": [_record_json(record, known[record.cell.id]) for record in found],
    }


def _record_json(record: Record, name: str) -> dict[str, Any]:
    value = show.main_estimate(record)
    state = {"status": record.status, "reason": record.reason, "n_runs": len(record.runs)}
    return {"id": record.cell.id, "name": name} | state | {"estimate": value, "shown": show.main_quantity(record)}


def _stored(prepared: Prepared) -> dict[str, Record]:
    return dict(store.load_session(prepared.folder, prepared.options.results or files.RESULTS).records)


def _keep(prepared: Prepared) -> Path:
    if prepared.options.results is not None:
        show.fail(ValueError("--keep files a session of bench/results/local; with --results it is where you put it"))
    try:
        target = store.keep(prepared.folder)
    except (files.StoreError, FileExistsError) as error:
        show.fail(error)
    show.print_text(f"filed as {show.relative(target)}; `{show.COMMAND} export` says how to send it in")
    return target
