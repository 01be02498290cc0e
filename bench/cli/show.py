"""What commands print: tables, lines on cells, comparisons. Results go to stdout, progress to stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench import REPOSITORY
from bench.doctor import facts as doctor_facts
from bench.records import files, spool, store
from bench.records.codec import encode
from bench.report.evidence import against
from bench.report.stats import format as text
from bench.report.stats import quantities, studies
from bench.schema import Device, Record
from bench.session import launch, plan
from bench.session.prepare import Prepared

OK, SOME_FAILED, WRONG_USAGE, NO_GPU = 0, 1, 2, 9
EXIT_OF: dict[against.Agreement, int] = {"agrees": 0, "disagrees": 1, "not comparable": 3}
WIDE = 200  # columns when the output is a file or a pipe: no line of a table is broken there
out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
progress_console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDE)


def doctor_json(facts: doctor_facts.Facts, findings: Sequence[doctor_facts.Finding]) -> bytes:
    """Facts and findings as JSON."""
    report = {"facts": msgspec.json.decode(encode(facts)), "findings": msgspec.to_builtins(findings)}
    return msgspec.json.encode(report)


def print_text(text: str) -> None:
    """Print a text as it is: no markup in it, no line of it broken."""
    out.print(text, markup=False, soft_wrap=True)


def print_json(data: object) -> None:
    """Print data as JSON on one line."""
    print_text(msgspec.json.encode(data).decode())


def conclude(verdict: against.Agreement, why: str) -> NoReturn:
    """Print the verdict of a rerun and exit with its code."""
    print_text(f"{verdict}: {why}")
    raise typer.Exit(EXIT_OF[verdict])


def columns_of(same_machine: bool) -> tuple[str, ...]:
    """Column titles of a comparison."""
    if same_machine:
        return "cell", "this session", "that session", "that session / this session", "this session is"
    return "cell", "this machine", "that machine", "that machine / this machine", "this machine is"


def print_comparison(here: store.SessionResults, there: store.SessionResults, compared: against.Comparison) -> None:
    """Print one session against another, and whether the differences are normal."""
    out.print(f"this: {here.path} ({here.machine.cpu_model})   that: {there.path} ({there.machine.cpu_model})")
    for difference in compared.differences:
        out.print(f"differs: {difference}", markup=False)
    if not compared.rows:
        out.print("no cell in common: run the same profile")
        return
    print_rows(compared.rows, columns_of(compared.same_machine))
    if compared.same_machine:
        out.print(against.rule())
    print_text(against.normal(compared))


def print_rows(rows: Sequence[against.Row], columns: Sequence[str]) -> None:
    """Print the cells of a comparison."""
    table = new_table(*columns)
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


def comparison_json(compared: against.Comparison) -> dict[str, Any]:
    """A comparison as plain data."""
    rows = [row._asdict() | {"change": None if row.change is None else row.change._asdict()} for row in compared.rows]
    return compared._asdict() | {"rows": rows, "normal": against.normal(compared), "rule": against.rule()}


def describe(planned: plan.PlannedRun) -> str:
    """A planned run in the progress bar."""
    return f"{planned.cell.id}  repeat {planned.index + 1}"


def left(seconds: float) -> str:
    """The time left in the progress bar."""
    return f"about {text.seconds(seconds)} left" if seconds > 0 else ""


def cell_line(record: Record, width: int = 0) -> str:
    """One line on a finished cell: id, status, runs, median with interval; or the reason."""
    head = f"{record.cell.id:<{width}}  {record.status:<8}"
    if record.status != "ok":
        return f"{head}  {record.reason}"
    estimate = quantities.throughput(record)
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
    estimate = quantities.flop_rate(record) if record.spec.kind == "probe" else quantities.throughput(record)
    return text.interval(estimate, record.spec.sample_noun)


def _study_words(record: Record) -> str:
    words = [f"{item.id} {text.estimate(studies.call_time(record, item.id))}" for item in studies.series_of(record)]
    words += [f"{item.id} {text.estimate(studies.reading(record, item.id))}" for item in studies.readings_of(record)]
    return ", ".join(words)


def print_plan(prepared: Prepared) -> None:
    """Cells in order of their first run, then what does not run, then the time."""
    estimate_s: dict[str, float] = {}
    for planned in prepared.plan.runs:
        estimate_s[planned.cell.id] = estimate_s.get(planned.cell.id, 0.0) + planned.estimate_s
    table = new_table("order", "cell", "runs", "about")
    for number, (cell_id, seconds) in enumerate(estimate_s.items(), start=1):
        n = sum(planned.cell.id == cell_id for planned in prepared.plan.runs)
        table.add_row(str(number), cell_id, str(n), text.seconds(seconds))
    out.print(table)
    out.print("order of the runs: " + " ".join(str(planned.order) for planned in prepared.plan.runs))
    for cell, reason in prepared.plan.skipped:
        out.print(f"skipped: {cell.id}: {reason}", markup=False)
    print_left_out(prepared)
    minutes = prepared.plan.estimate_s / 60
    out.print(f"{len(prepared.plan.runs)} runs of {len(estimate_s)} cells, about {minutes:.1f} minutes")


def print_left_out(prepared: Prepared) -> None:
    """Cells that the time budget had no room for, and those that it cut short."""
    planned = prepared.plan.cells | {run.cell.id: run.cell for run in prepared.plan.spare}
    spooled = spool.n_spooled(prepared.folder)
    n_done = {cell_id: spooled.get(cell_id, 0) for cell_id in planned}
    for cell, seconds in prepared.plan.left_out:
        if not n_done[cell.id] and not (prepared.folder / f"{cell.id}.json").exists():
            out.print(f"not in the time budget: {cell.id} (about {text.seconds(seconds)})", markup=False)
    for cell_id, n in n_done.items():
        if n and prepared.options.time_budget_s is not None:
            needed = prepared.plan.n_repeats[cell_id]
            out.print(
                f"cut short by the time budget: {cell_id}, {n} of {needed} runs; go on with --resume", markup=False
            )


def print_summary(prepared: Prepared) -> None:
    """CPU against GPU where both were measured, else what this CPU can do."""
    root = prepared.options.results or files.RESULTS
    stored = store.load_session(prepared.folder, root)
    records = [record for record in stored.records.values() if record.status == "ok"]
    pairs = list(gpu_pairs(records))
    noun = {record.cell.workload: record.spec.sample_noun for record in records}
    if pairs:
        table = new_table("workload", "CPU", "GPU", "GPU / CPU")
        for cpu, gpu in pairs:
            ratio = quantities.ratio(gpu, cpu)
            label = f"{cpu.cell.workload} {cpu.cell.mode}, batch {cpu.cell.batch_size}, {cpu.cell.backend}"
            table.add_row(label, main_quantity(cpu), main_quantity(gpu), text.interval(ratio))
    else:
        table = new_table(
            "workload", f"this CPU, {prepared.session.n_cores_effective} cores", "first step", "whole job"
        )
        for record in sorted(records, key=lambda record: record.cell.id):
            cell = record.cell
            params = " ".join(f"{key} {value}" for key, value in sorted(cell.params.items()))
            label = f"{cell.workload} {cell.mode}, batch {cell.batch_size}, {cell.backend} jit {cell.jit} {params}"
            job = quantities.job_time(record)
            table.add_row(
                label.strip(),
                main_quantity(record),
                text.estimate(quantities.first_step(record), noun[cell.workload]),
                "" if job is None else text.estimate(job),
            )
    if table.row_count:
        out.print(table)
    out.print(f"records: {relative(prepared.folder)}")


def gpu_pairs(records: Iterable[Record]) -> Iterable[tuple[Record, Record]]:
    """CPU and GPU records of one session that differ in device, threads, precision and jit only: the best of each."""
    best: dict[tuple[Hashable, ...], dict[Device, tuple[float, Record]]] = {}
    for record in records:
        cell = record.cell
        params = tuple(sorted(cell.params.items()))
        key = (cell.workload, cell.mode, cell.backend, cell.batch_size, cell.n_samples, params)
        arms = best.setdefault(key, {})
        own = quantities.throughput(record)
        if own is not None and (cell.device not in arms or own.value > arms[cell.device][0]):
            arms[cell.device] = own.value, record
    for arms in best.values():
        if len(arms) == 2:
            yield arms["cpu"][1], arms["gpu"][1]


def relative(path: Path) -> str:
    """A path as seen from the repository; from the working folder where it lies outside."""
    try:
        return path.resolve().relative_to(REPOSITORY.resolve()).as_posix()
    except ValueError:
        return os.path.relpath(path)


def new_table(*columns: str) -> Table:
    """A table without lines, its first column unbroken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left", no_wrap=index == 0, overflow="fold")
    return table


def end_politely() -> None:
    """A polite kill, or a terminal that is closed, is a Ctrl-C: the children end too."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


@contextlib.contextmanager
def measuring(results: Path | None) -> Iterator[None]:
    """The results folder for this process alone; says what killed ones left to do again.

    Exits with 1 when another process measures into it, or it cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            launch.remove_leftovers()
            said = stack.enter_context(store.measuring(results or files.RESULTS, local=results is None))
        except files.StoreError as error:
            progress_console.print(f"error: {error}", style="bold")
            raise typer.Exit(SOME_FAILED) from None
        for sentence in said:
            progress_console.print(sentence, markup=False)
        yield


def fail(error: Exception) -> NoReturn:
    """Say what is wrong with the request and exit with 2."""
    progress_console.print(f"error: {error}", markup=False, soft_wrap=True)
    raise typer.Exit(WRONG_USAGE)
