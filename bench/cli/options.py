"""Options of the commands, and how their texts become values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from bench.cli import names, show
from bench.machine import cores
from bench.records import texts
from bench.schema import BACKENDS, DEVICES, PROFILES, SLUG, Cell
from bench.schema import Backend as BackendName
from bench.schema import Profile as ProfileName
from bench.session import arms, shards
from bench.session.plan import plan
from bench.session.prepare import Options
from bench.workloads import registry

T = TypeVar("T", bound=str)
OTHER_PROFILES: tuple[ProfileName, ...] = ("reference", "smoke")
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")
MOST_REPEATS, MOST_SEED = 1000, 2**31 - 1
UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, None: 60.0}

Profile = Annotated[str, typer.Option(metavar="NAME", help=f"Sizes to run: {', '.join(PROFILES)}.")]
AnyProfile = Annotated[
    str,
    typer.Option(
        "--profile", metavar="NAME", help=f"Sizes to run: {', '.join(PROFILES)}; gpu-day: a GPU lent for minutes."
    ),
]
Only = Annotated[
    list[str] | None, typer.Option(metavar="WORKLOAD", help="Only this workload; repeat it or separate by commas.")
]
Sweep = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only the sizes of this sweep, such as batch or threads.")
]
Backend = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help=f"Keras backend: {', '.join(BACKENDS)}, or all. Default: tensorflow."),
]
Device = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help=f"Device: {', '.join(DEVICES)}. Default: cpu, and gpu where there is one."),
]
Threads = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N", help="Cores for the CPU, by commas; or all, physical (no second threads), fast (the fastest kind)."
    ),
]
Repeats = Annotated[int | None, typer.Option(min=1, max=MOST_REPEATS, metavar="N", help="Processes for each result.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, metavar="N", help="Seed of data, weights and order.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would run, in what order and how long; run nothing.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with this machine's latest session of this profile.")]
Budget = Annotated[
    str | None,
    typer.Option("--time-budget", metavar="TIME", help="Stop in time, for example 20m: what answers most comes first."),
]
Timeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="Give a run up after this long, for example 120s; default: 20m.")
]


def results_folder(text: str) -> Path:
    """What --results names, a folder that may not be there yet; refuses a file, and an unset variable of a shell."""
    path = Path(text)
    if not text:
        show.fail(ValueError("--results must be a folder, got an empty text"))
    for place in (path, *path.parents):
        if os.path.lexists(place) and not place.is_dir():
            show.fail(ValueError(f"--results must be a folder; there is a file at {place}"))
    return path


ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results",
        metavar="FOLDER",
        parser=results_folder,
        help="Folder of results; default: bench/results, new ones in local.",
    ),
]
CellIds = Annotated[
    list[str] | None,
    typer.Option("--cell", metavar="NAME", help="Run just this one: its id, or words such as 'resnet50 train b8'."),
]
Keep = Annotated[bool, typer.Option("--keep", help="File this session among the published ones, for a pull request.")]
Seal = Annotated[bool, typer.Option("--seal", help="Store unfinished results with the runs that they have.")]
Doctor = Annotated[bool, typer.Option("--doctor", help="Say what each backend sees here and why; run nothing.")]
ShowAll = Annotated[bool, typer.Option("--all", help="Print everything, not only what matters most.")]
Pack = Annotated[
    Path | None,
    typer.Option(
        "--pack", metavar="FOLDER", help="Folder for results.tgz, the records as one file that `take` files elsewhere."
    ),
]
Launcher = Annotated[
    str,
    typer.Option(help=f"Measure in jobs, one for each workload, through submitit: {' or '.join(shards.LAUNCHERS)}."),
]
Partition = Annotated[
    list[str] | None, typer.Option(help="Slurm's partition, one for each kind of machine; repeat it or use commas.")
]
Nodes = Annotated[int, typer.Option(min=1, help="Nodes of each job; more than one for the workload multi-host.")]
GpusPerNode = Annotated[int, typer.Option(min=0, help="GPUs that each job asks Slurm for.")]
JobLimit = Annotated[str, typer.Option(help="Time limit of a job, for example 90m; it goes on in a new one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
MachineId = Annotated[
    str, typer.Option(metavar="NAME", help="Name of this machine in kebab case; default: from its hardware.")
]


def given(**options: object) -> list[str]:
    """Options of the command line that were given, by the names of their values."""
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value]


def duration_s(value: str, option: str) -> float:
    """ "20m" becomes 1200.0; a bare number means minutes.

    Raises:
        ValueError: the text of the option is not a duration.
    """
    match = DURATION.fullmatch(value.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{option} must look like 90s, 20m or 1.5h, got {value!r}")
    return float(match[1]) * UNIT_S[match[2]]


def with_cells(options: Options, wanted: Sequence[str]) -> Options:
    """The options for the cells of these ids or names alone, with the profile in which they exist; of none, as given.

    Raises:
        UnknownNameError: no profile has them all.
    """
    if not wanted:
        return options
    refused = []
    for profile in dict.fromkeys((options.profile, *OTHER_PROFILES)):
        known = _cells(options, wanted, profile)
        try:
            cells = [names.find(name, known) for name in wanted]
        except registry.UnknownNameError as error:
            refused.append(error)
        else:
            ids = tuple(cell.id for cell in cells)
            return for_cells(replace(options, profile=profile, cell_ids=ids), cells)
    raise refused[0]


def for_cells(options: Options, cells: Sequence[Cell]) -> Options:
    """The options under which these cells, and few others, are planned."""
    return replace(
        options,
        only=tuple(dict.fromkeys(cell.workload for cell in cells)),
        backends=tuple(dict.fromkeys(cell.backend for cell in cells)),
        devices=tuple(dict.fromkeys(cell.device for cell in cells)),
        threads=tuple(dict.fromkeys(cell.threads for cell in cells)),
    )


def _cells(options: Options, wanted: Sequence[str], profile: ProfileName) -> dict[str, Cell]:
    """Every cell of a profile on any backend and device, at any number of threads that the wanted names hold."""
    named = {int(found[1]) for name in wanted if (found := re.search(r"(?:^|[- ])t(\d+)(?:[- ]|$)", name))}
    counts = tuple(sorted(named)) or options.threads
    selection = arms.Selection(profile=profile, backends=BACKENDS, devices=DEVICES, threads=counts)
    n_cores = max(counts, default=cores.cores().effective)
    return plan(registry.workloads(), selection, arms.any_host(n_cores)).cells


def one_of(kind: str, names: Iterable[str], known: Sequence[T]) -> tuple[T, ...]:
    """The names as words of a vocabulary.

    Raises:
        UnknownNameError: one is not among the known ones.
    """
    found = []
    for name in names:
        word = next((word for word in known if word == name), None)
        if word is None:
            raise registry.unknown(kind, name, tuple(known))
        found.append(word)
    return tuple(found)


def profile(name: str) -> ProfileName:
    """A profile by its name."""
    return one_of("profile", (name,), PROFILES)[0]


def backends(values: list[str] | None) -> tuple[BackendName, ...]:
    """Names of backends; "all" stands for every one."""
    names = split_names(values)
    return BACKENDS if "all" in names else one_of("backend", names, BACKENDS)


def machine_name(value: str) -> str:
    """A machine's name as given; empty for the one that its hardware suggests.

    Raises:
        ValueError: it is not in kebab case, as a folder's name must be, or tells whose machine it is.
    """
    if value and not SLUG.fullmatch(value):
        raise ValueError(f"--machine-id must be lower-case words joined by hyphens, got {value!r}")
    if value and (said := texts.problem(value, "machine_id")):
        raise ValueError(f"--machine-id names a machine on public pages: {said}, in {value!r}")
    return value


def split_names(values: list[str] | None) -> tuple[str, ...]:
    """Names given one by one or separated by commas.

    Raises:
        ValueError: an option was given and names nothing, such as an empty variable of a shell.
    """
    names = tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())
    if values and not names:
        raise ValueError(f"an option names nothing, got {', '.join(values)!r}; write a name or leave the option out")
    return names


NAMED_THREADS: dict[str, Callable[[], int]] = {
    "all": lambda: cores.cores().effective,
    "physical": cores.physical_cores,
    "fast": cores.fast_cores,
}


def threads(values: list[str] | None) -> tuple[int, ...]:
    """Numbers of threads, or what ``NAMED_THREADS`` counts on this machine."""
    chosen = []
    for part in split_names(values):
        if part in NAMED_THREADS:
            chosen.append(NAMED_THREADS[part]())
        elif re.fullmatch("[0-9]+", part) and int(part) > 0:
            chosen.append(int(part))
        else:
            raise ValueError(f"--threads must be positive numbers, all, physical or fast, got {part!r}")
    return tuple(dict.fromkeys(chosen))
