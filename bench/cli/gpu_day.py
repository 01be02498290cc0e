"""Commands for a GPU that is lent for minutes: what to carry there, measure there, file the pack at home."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated, NoReturn

import typer

from bench import REPOSITORY
from bench.cli import names, show
from bench.cli import options as cli_options
from bench.doctor import collect, rules
from bench.machine import software
from bench.records import files, pack
from bench.report.stats import format as text
from bench.session import gpu_day as day
from bench.session.prepare import Options, Prepared
from bench.workloads import registry

Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", help=f"Default: the first two of {', '.join(day.PREFERRED)} that are installed."),
]


PROFILE = "gpu-day"  # of `run`: what answers most comes first, in a time that is all there is
PLATFORMS = ("manylinux1", "manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 27, 28, 31, 34)))
FRAMEWORKS = ("tensorflow", "tensorflow-cpu", "tf-nightly", "torch", "jax")
# What measuring needs of the machine itself unless its own list says that it lacks them, too, each with what it needs.
LARGE = {"numpy": (), "scipy": (), "scikit-learn": ("joblib", "narwhals", "threadpoolctl")}


def from_run(
    time_budget: str | None,
    out_dir: Path | None,
    backend: list[str] | None,
    timeout: str | None,
    results: Path | None,
    machine_id: str,
    unfit: Sequence[str],
) -> NoReturn:
    """`run --profile gpu-day`: the options that it shares with every run; ``unfit`` are others that were given."""
    if unfit:
        show.fail(ValueError(f"--profile {PROFILE} has its own cells and report: leave out {', '.join(unfit)}"))
    if time_budget is None or out_dir is None:
        show.fail(ValueError(f"--profile {PROFILE} needs --time-budget, all the time there is, and --pack, a folder"))
    measure(
        time_budget, out_dir, backend, timeout=timeout or f"{day.TIMEOUT_S:g}s", results=results, machine_id=machine_id
    )


def measure(
    time_budget: Annotated[str, typer.Option("--time-budget", help="All there is, for example 520s or 9m.")],
    out_dir: Annotated[Path, typer.Option("--pack", help="Folder for results.tgz, after every cell, and doctor.json.")],
    backend: Backends = None,
    n_rows: Annotated[int, typer.Option("--rows", min=1, help="Only the first rows.")] = len(day.ROWS),
    profile: cli_options.Profile = "reference",
    timeout: Annotated[str, typer.Option(help="Give a run up after this long.")] = f"{day.TIMEOUT_S:g}s",
    results: cli_options.ResultsDir = None,
    machine_id: cli_options.MachineId = "",
) -> NoReturn:
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
            show.fail(ValueError(f"--pack must be a folder that can be written: {error.strerror}"))
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
    known = names.short_names(run.cell for run in prepared.plan.runs)
    try:
        for step in day.execute(prepared, rows, start + seconds - monotonic()):
            n_runs += 1
            if step.row != row:
                row = step.row
                show.out.print(f"row {row + 1}: {day.ROWS[row].title}", markup=False)
            name = known[step.planned.cell.id]
            line = name if step.record is None else show.cell_line(step.record, name)
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
    path: Annotated[Path, typer.Argument(metavar="PACK", help="Archive that `export` or `run --pack` wrote.")],
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            parser=cli_options.results_folder,
            help="Where to file it; default: bench/results, published.",
        ),
    ] = None,
    as_json: cli_options.AsJson = False,
) -> None:
    """File an archive of records among the published ones. Checked as `check` does; a later one adds to it."""
    try:
        folder, n_new = pack.take(path, results or files.RESULTS, is_published=results is None)
    except (files.RecordError, files.StoreError, FileExistsError) as error:
        show.fail(error)
    if as_json:
        show.print_json({"folder": show.relative(folder), "n_new": n_new})
        return
    rest = "; commit that folder" if results is None and n_new else ""
    show.out.print(f"filed {n_new} new files in {show.relative(folder)}{rest}", markup=False)


def wheelhouse(
    python: Annotated[str, typer.Option(metavar="VERSION", help="Version of Python there, such as 3.12.")] = "3.12",
    have: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `python -m pip list` printed there; default: nothing.")
    ] = None,
    machine: Annotated[str, typer.Option(metavar="NAME", help="What `uname -m` says there.")] = "x86_64",
    out_dir: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", show_default=False, help="Folder for the wheels; default: .whl.")
    ] = REPOSITORY / ".whl",
) -> None:
    """Fetch the wheels that a machine without network lacks for measuring. For Linux; with this copy's commit."""
    try:
        if not re.fullmatch(r"3\.\d+", python):
            raise ValueError(f"--python must look like 3.12, got {python!r}")
        there = None if have is None else installed(have.read_text(encoding="utf-8", errors="replace"))
        commit = software.commit_text(REPOSITORY)
        wanted = lacking(there)
        out_dir.mkdir(parents=True, exist_ok=True)
        old = list(out_dir.glob("*.whl"))
        if old and not (out_dir / "commit").is_file():
            raise ValueError(f"--out is a folder with wheels of another origin, such as {old[0].name}; name a new one")
        with tempfile.TemporaryDirectory(dir=out_dir) as fresh:
            if wanted:
                _download(wanted, python, machine, Path(fresh))
            for path in old:
                path.unlink()
            for path in Path(fresh).iterdir():
                path.replace(out_dir / path.name)
        (out_dir / "commit").write_text(f"{commit}\n", encoding="utf-8")
    except OSError as error:
        show.fail(ValueError(f"{error.filename}: {error.strerror}"))
    except ValueError as error:
        show.fail(error)
    wheels = list(out_dir.glob("*.whl"))
    size = text.bytes_(sum(path.stat().st_size for path in wheels))
    show.print_text(f"{len(wheels)} wheels for Python {python}, {size}, in {show.relative(out_dir)}")
    if there is not None and not there & set(FRAMEWORKS):
        show.print_wrapped(f"{have} names none of {', '.join(FRAMEWORKS)}: one of them must be there, with its CUDA")
    show.print_wrapped("next: put this folder and the checkout on that machine: scripts/gpu_session.sh run SECONDS OUT")


def installed(listed: str) -> set[str]:
    """Distributions that a `pip list` or `pip freeze` names, in lower case with hyphens."""
    names = (re.match(r"\s*([A-Za-z0-9][\w.-]*)(?=\s|==|@|$)", line) for line in listed.splitlines())
    return {re.sub(r"[-_.]+", "-", name[1]).lower() for name in names if name}


def lacking(there: Container[str] | None) -> dict[str, str]:
    """Locked requirements, with hashes, of what measuring needs beside what is there, by name.

    Args:
        there: distributions on that machine; None: not known, so that all is carried but what is large.
    """
    locked: dict[str, str] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (REPOSITORY / "requirements" / "full.txt").read_text(encoding="utf-8")):
        if found := re.match(r"[a-z0-9-]+(?===)", entry):
            locked[found[0]] = locked.get(found[0], "") + re.sub(r"(?m)^\s*#.*\n?", "", entry) + "\n"
    small = (REPOSITORY / "requirements" / "gpu-session.in").read_text(encoding="utf-8")
    wanted = [line for line in small.splitlines() if line and not line.startswith("#")]
    if there is not None:
        wanted += [name for large, more in LARGE.items() if large not in there for name in (large, *more)]
    return {name: locked[name] for name in wanted if there is None or name not in there}


def _download(wanted: Mapping[str, str], python: str, machine: str, out_dir: Path) -> None:
    """Let pip fetch them for another machine.

    Raises:
        ValueError: it could not; with what it said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        lock = Path(scratch, "lock.txt")
        lock.write_text("\n".join(wanted.values()), encoding="utf-8")
        platforms = [f"--platform={name}_{machine}" for name in PLATFORMS]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                   f"--python-version={python}", "--implementation=cp", *platforms, "--platform=any",
                   "--require-hashes", f"--requirement={lock}", f"--dest={out_dir}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip said nothing"]
        raise ValueError(f"no wheels for Python {python} on {machine}: {said[-1].removeprefix('ERROR: ')}; "
                         "a Python from 3.11 to 3.13 and a network are needed")  # fmt: skip
