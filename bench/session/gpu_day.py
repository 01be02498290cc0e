"""A GPU for some minutes: what answers most comes first, and what is measured is packed at once. Starts processes.

The rows are for a machine that is lent once. Each gives a pair or a set that says something alone, so that whatever
time there is ends behind a whole answer; a second call goes on where the first stopped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import msgspec

from bench.machine import cores, software
from bench.records import spool
from bench.schema import DEVICES, Backend, Device, Mode, Precision, Profile, Record, Request, Run, Scalar
from bench.session import arms, launch
from bench.session import prepare as session_prepare
from bench.session import run as session_run
from bench.session.plan import PlannedRun, plan
from bench.session.prepare import Options, Prepared
from bench.workloads import registry

PREFERRED: tuple[Backend, ...] = ("torch", "jax", "tensorflow")  # the first two that are installed
TIMEOUT_S = 120.0  # of a run: one that hangs must not take the rest with it
GATE_S = 75.0  # within which every backend has computed on the GPU, or the session ends
GATE_WORKLOAD = "mlp-tabular"
NOT_ON_GPU = "asked for gpu"  # how a run that fell back begins its reason, see measure.backend.check_device


class Choice(NamedTuple):
    """A cell of a row; where the profile lacks its size, the workload's first one of that mode."""

    workload: str
    backend: int  # place among the session's backends
    device: Device
    seconds: float  # of one process on a fast GPU machine
    mode: Mode = "train"
    precision: Precision = "float32-strict"
    batch_size: int | None = None  # None: the workload's headline size
    params: Mapping[str, Scalar] = {}
    n_repeats: int = 1


class Row(NamedTuple):
    """What is measured together, in two words."""

    title: str
    choices: tuple[Choice, ...]


FIRST, SECOND = 0, 1
MATMUL = partial(Choice, "matmul", mode="probe", params={"n": 4096})
MLP = partial(Choice, "mlp-tabular", batch_size=32, params={"width": 128})
DIGITS = partial(Choice, "cnn-digits")
RESNET = partial(Choice, "resnet50", batch_size=8)
RESNET_LARGE = partial(Choice, "resnet50", FIRST, "gpu", batch_size=256)
TEXT = partial(Choice, "transformer-text")
LSTM = partial(Choice, "lstm-text", params={"units": 128, "length": 64})

ROWS: tuple[Row, ...] = (
    Row(
        "matrix product: strict, TF32, sixteen bits, and the CPU's",
        (
            MATMUL(FIRST, "gpu", 10),
            MATMUL(FIRST, "cpu", 12),
            MATMUL(FIRST, "gpu", 10, precision="tf32"),
            MATMUL(FIRST, "gpu", 10, precision="mixed_bfloat16"),
        ),
    ),
    Row(
        "a small dense net, bound by launching",
        (MLP(FIRST, "gpu", 12), MLP(FIRST, "cpu", 11), MLP(SECOND, "gpu", 13), MLP(SECOND, "cpu", 11)),
    ),
    Row(
        "digits to their target, and the session against itself",
        (DIGITS(FIRST, "gpu", 14, n_repeats=4), DIGITS(FIRST, "cpu", 14)),
    ),
    Row(
        "ResNet-50, same batch on both", (RESNET(FIRST, "gpu", 30), RESNET(FIRST, "cpu", 45), RESNET(SECOND, "gpu", 38))
    ),
    Row(
        "ResNet-50, a GPU's batch",
        (
            RESNET_LARGE(45, precision="mixed_bfloat16"),
            RESNET_LARGE(45, precision="tf32"),
            Choice("resnet50", SECOND, "gpu", 50, batch_size=256, precision="mixed_bfloat16"),
        ),
    ),
    Row("a small transformer", (TEXT(FIRST, "gpu", 17), TEXT(FIRST, "cpu", 20), TEXT(SECOND, "gpu", 22))),
    Row("an LSTM", (LSTM(FIRST, "gpu", 14), LSTM(FIRST, "cpu", 16), LSTM(SECOND, "gpu", 18))),
    Row(
        "copies and memory",
        (
            Choice("copy", FIRST, "gpu", 22, mode="study", batch_size=1, params={"kib": 262144}),
            Choice("bandwidth", FIRST, "gpu", 23, mode="study", params={"mib": 256}),
        ),
    ),
    Row(
        "rounding, and what an empty process holds",
        (
            Choice("numerics", FIRST, "gpu", 11, mode="study", params={"net": "cnn"}),
            Choice("numerics", FIRST, "gpu", 11, mode="study", params={"net": "cnn"}, precision="tf32"),
            Choice("memory", SECOND, "gpu", 10, mode="study", batch_size=1, params={"net": "none"}),
        ),
    ),
    Row(
        "tokens of a small language model",
        (Choice("gpt-decode", FIRST, "gpu", 20, mode="study", params={"width": 768}),),
    ),
)


class NoGpuError(RuntimeError):
    """A backend does not compute on the GPU here; the message says which, and what it says of why."""


class OutOfTimeError(RuntimeError):
    """The time given is over; the run under way is lost, what was finished before is stored."""


class Step(NamedTuple):
    """One finished run of the day: its row, how long it took, and its cell's record if it was the last."""

    row: int  # from 0
    planned: PlannedRun
    run: Run
    record: Record | None


def default_backends() -> tuple[Backend, ...]:
    """The backends of a session where none is named.

    Raises:
        ValueError: none is installed.
    """
    found = tuple(name for name in PREFERRED if software.backend_version(name))[:2]
    if not found:
        raise ValueError(f"none of {', '.join(PREFERRED)} is installed here")
    return found


def check_gpu(prepared: Prepared) -> None:
    """Refuse a machine on which no driver shows a GPU.

    Raises:
        NoGpuError: it has none; before anything else is tried.
    """
    if not prepared.machine.gpus:
        raise NoGpuError("no driver shows a GPU here; `python -m bench.cli doctor` says why")


def prepare(options: Options, *, n_rows: int = len(ROWS)) -> tuple[Prepared, dict[str, int]]:
    """The session with its runs in the order of the first rows, and the row of each cell by id.

    Goes on with this machine's latest session where that is one of the same profile, versions and hardware.

    Args:
        options: profile, backends, timeout and place; what to measure follows from the rows.
    """
    chosen = choose(options.profile, options.backends, cores.cores().effective, n_rows)
    rows = {run.cell.id: row for row, _, run in chosen}
    repeats = {run.cell.id: choice.n_repeats for _, choice, run in chosen}
    options = replace(
        options,
        only=tuple(dict.fromkeys(run.cell.workload for _, _, run in chosen)),
        devices=DEVICES,
        repeats=1,
        cell_ids=tuple(rows),
        resume=True,
    )
    prepared = session_prepare.prepare(options, estimate=lambda cell, variant: 0.0)
    skipped = {cell.id for cell, _ in prepared.plan.skipped}
    spooled = spool.n_spooled(prepared.folder)
    done = {
        cell_id: n if (prepared.folder / f"{cell_id}.json").exists() else spooled.get(cell_id, 0)
        for cell_id, n in repeats.items()
    }
    runs = [
        replace(run, index=index, order=order, estimate_s=choice.seconds)
        for order, (choice, run, index) in enumerate(
            (choice, run, index) for _, choice, run in chosen for index in range(choice.n_repeats)
        )
        if run.cell.id not in skipped and index >= done[run.cell.id]
    ]
    session = prepared.session
    if prepared.is_new:
        planned = tuple(
            item if item.skip else msgspec.structs.replace(item, n_repeats=repeats[item.cell_id])
            for item in session.plan
        )
        session = msgspec.structs.replace(session, plan=planned, n_repeats=max(repeats.values()))
    ready = replace(prepared.plan, runs=tuple(runs), n_repeats=repeats)
    return replace(prepared, plan=ready, session=session, unclosed=()), rows


def choose(
    profile: Profile, backends: Sequence[Backend], n_cores: int, n_rows: int = len(ROWS)
) -> list[tuple[int, Choice, PlannedRun]]:
    """Row, choice and a planned run of every cell of the first rows, in order.

    With one backend, rows lack what is for the second.
    """
    selection = arms.Selection(
        profile=profile,
        only=tuple({choice.workload for row in ROWS for choice in row.choices}),
        backends=tuple(backends),
        devices=DEVICES,
        repeats=1,
    )
    known = plan(registry.workloads(), selection, arms.any_host(n_cores))
    found: dict[str, tuple[int, Choice, PlannedRun]] = {}
    for number, row in enumerate(ROWS[:n_rows]):
        for choice in (choice for choice in row.choices if choice.backend < len(backends)):
            run = _match(choice, backends[choice.backend], known.runs, profile)
            if run is not None:
                found.setdefault(run.cell.id, (number, choice, run))
    return list(found.values())


def _match(choice: Choice, backend: Backend, runs: Sequence[PlannedRun], profile: Profile) -> PlannedRun | None:
    """The run of a choice; in a smaller profile of the nearest size that it has, or None."""
    spec = registry.workload(choice.workload)
    jit = arms.usual_jit(spec, backend, choice.device)
    like = [
        run
        for run in runs
        if (run.cell.workload, run.cell.backend, run.cell.device, run.cell.mode, run.cell.jit)
        == (choice.workload, backend, choice.device, choice.mode, jit)
    ]
    same = [
        run
        for run in like
        if run.cell.precision == choice.precision
        and (run.variant.headline if choice.batch_size is None else run.cell.batch_size == choice.batch_size)
        and choice.params.items() <= run.cell.params.items()
    ]
    if profile == "smoke":
        same = same or like
    variants = spec.variants[profile]
    return min(
        same, key=lambda run: (run.cell.precision != choice.precision, variants.index(run.variant)), default=None
    )


def gate(backends: Sequence[Backend], *, limit_s: float = GATE_S, now: Callable[[], float] = monotonic) -> None:
    """Let every backend train once on the GPU, apart from the session's records.

    Raises:
        NoGpuError: one does not, or not within ``limit_s`` together.
    """
    end = now() + limit_s
    with tempfile.TemporaryDirectory(prefix="gate-") as scratch:
        options = Options(
            profile="smoke", only=(GATE_WORKLOAD,), backends=tuple(backends), devices=("gpu",), results=Path(scratch)
        )
        prepared = session_prepare.prepare(options, estimate=lambda cell, variant: 0.0)
        runs = tuple({run.cell.backend: run for run in reversed(prepared.plan.runs)}.values())
        for cell, reason in prepared.plan.skipped:
            raise NoGpuError(f"{cell.backend}: {reason}")

        def launcher(request: Request) -> Run:
            return launch.launch(request, timeout_s=max(end - now(), 1.0))

        only_those = replace(prepared, plan=replace(prepared.plan, runs=runs))
        for step in session_run.execute(only_those, launcher=launcher):
            if step.run.status != "ok":
                raise NoGpuError(f"{step.planned.cell.backend}: {step.run.reason}")


def execute(
    prepared: Prepared, rows: Mapping[str, int], seconds: float, *, now: Callable[[], float] = monotonic
) -> Iterator[Step]:
    """Run what is left of the day within so many seconds; a run that would not end in time is not started.

    Raises:
        OutOfTimeError: a run took longer than expected and was ended when the time was over.
        NoGpuError: a backend fell back to the CPU.
    """
    end = now() + seconds

    def launcher(request: Request) -> Run:
        left = max(end - now(), 1.0)
        run = launch.launch(request, timeout_s=min(prepared.options.timeout_s, left))
        if run.status == "timeout" and left < prepared.options.timeout_s:
            raise OutOfTimeError(f"{request.cell.id} was under way when the time was over")
        if run.status == "failed" and NOT_ON_GPU in run.reason:  # no record: it may be there again next time
            raise NoGpuError(f"{request.cell.backend}: {run.reason}")
        return run

    within = replace(prepared, options=replace(prepared.options, time_budget_s=seconds))
    for step in session_run.execute(within, launcher=launcher, now=now):
        yield Step(rows[step.planned.cell.id], step.planned, step.run, step.record)
