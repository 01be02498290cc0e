"""What commands print: tables, lines on cells, comparisons. Results go to stdout, progress to stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import textwrap
import warnings
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench import REPOSITORY
from bench.doctor import facts as doctor_facts
from bench.records import files, store
from bench.records.codec import encode
from bench.report.stats import format as text
from bench.report.stats import quantities, studies
from bench.report.stats.estimate import Estimate
from bench.schema import Device, Record
from bench.session import launch


def command(called: Sequence[str]) -> str:
    """This program as it was called, so that the commands that it recommends can be copied.

    Args:
        called: the words of the call as the shell gave them: the interpreter first, then the program or -m.
    """
    name = next((word for word in called[:2] if Path(word).stem == "gpu-bench"), "")
    if name:
        return "gpu-bench" if shutil.which("gpu-bench") == os.path.abspath(name) else name
    return f"{called[0]} -m bench.cli"


COMMAND = command(sys.orig_argv)
OK, SOME_FAILED, WRONG_USAGE, NO_GPU = 0, 1, 2, 9
WIDE = 100  # columns of a table, at most; when the output is a file or a pipe also of a sentence
MOST_SERIES = 2  # of a study, that one line names
for name in ("stdout", "stderr"):  # Python has none of them where the shell has closed it, or Windows shows no console
    if getattr(sys, name) is None:
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  as long as the program runs
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


def print_wrapped(text: str, indent: str = "") -> None:
    """Print prose, broken at the terminal's width between words; further lines begin with the indent."""
    print_text(textwrap.fill(text, out.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, and no wider than people read."""
    out.print(table, width=min(out.width, WIDE))


def as_json(data: object) -> str:
    """Data as JSON on one line."""
    return msgspec.json.encode(data).decode()


def print_json(data: object) -> None:
    """Print data as JSON on one line."""
    print_text(as_json(data))


def left(seconds: float) -> str:
    """The time left in the progress bar."""
    return f"about {text.seconds(seconds)} left" if seconds > 0 else ""


def cell_line(record: Record, name: str = "", width: int = 0) -> str:
    """One line on a finished cell: name, status, runs, median with interval; or the reason."""
    head = f"{name or record.cell.id:<{width}}  {record.status:<8}"
    if record.status != "ok":
        return f"{head}  {record.reason}"
    estimate = quantities.throughput(record)
    shown = main_quantity(record)
    n = sum(run.status == "ok" for run in record.runs)
    line = f"{head}  {n} {'run ' if n == 1 else 'runs'}  {shown}"
    return f"{line}  (spread {text.percent(estimate.spread_frac)})" if estimate and estimate.is_noisy else line


def main_quantity(record: Record, *, brief: bool = False) -> str:
    """The number that a reader looks for first: rate of arithmetic for a probe, else samples per second.

    Of a study, its first series and readings: the median seconds per call of all its runs.
    """
    if record.spec.kind == "study":
        return _study_words(record)
    return text.interval(main_estimate(record), record.spec.sample_noun, brief=brief)


def main_estimate(record: Record) -> Estimate | None:
    """The same as an estimate; None of a study, which has no number of its own."""
    return quantities.flop_rate(record) if record.spec.kind == "probe" else quantities.throughput(record)


def _study_words(record: Record) -> str:
    words = [f"{item.id} {text.estimate(studies.call_time(record, item.id))}" for item in studies.series_of(record)]
    words += [f"{item.id} {text.estimate(studies.reading(record, item.id))}" for item in studies.readings_of(record)]
    more = len(words) - MOST_SERIES
    return ", ".join(words[:MOST_SERIES]) + (f" and {more} more" if more > 0 else "")


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
    """A table without lines; what does not fit is broken between words."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left", overflow="fold")
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


@contextlib.contextmanager
def silent(is_silent: bool) -> Iterator[None]:
    """Nothing on standard output meanwhile, where it is to hold JSON alone; progress goes on."""
    out.quiet = is_silent
    try:
        yield
    finally:
        out.quiet = False


def fail(error: Exception) -> NoReturn:
    """Say what is wrong with the request and exit with 2."""
    progress_console.print(f"error: {error}", markup=False, soft_wrap=True)
    raise typer.Exit(WRONG_USAGE)
