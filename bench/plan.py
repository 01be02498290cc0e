"""Which cells to run, in what order, and what does not fit. Pure: specs, machine facts and filters in, plan out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.cost import guess
from bench.registry import unknown
from bench.schema import (
    BACKENDS,
    DEVICES,
    PROFILES,
    Backend,
    Cell,
    Device,
    Jit,
    Precision,
    Profile,
    Variant,
    Workload,
    n_gpus_of,
)

# How often a headline cell (in its backend's first jit arm) and any other cell is repeated, each time in a
# process of its own.
REPEATS: Mapping[Profile, tuple[int, int]] = {"smoke": (1, 1), "quick": (1, 1), "reference": (5, 2)}
# One cheap headline cell per device is run more often, so that its even runs can be set against its odd ones: a
# session that finds a difference there has no business with finding others. Two against two at least.
SELF_TEST = ("cnn-digits", "train")
SELF_TEST_REPEATS: Mapping[Profile, int] = {"quick": 4, "reference": 10}

# Compilation arms that make sense; the first is the one every cell runs in, the others are for headline
# cells of a reference session. JAX without jit runs operation by operation and is nobody's choice for training.
JIT_ARMS: Mapping[tuple[Backend, Device], tuple[Jit, ...]] = {
    ("tensorflow", "cpu"): ("off", "on"),
    ("tensorflow", "gpu"): ("on", "off"),
    ("jax", "cpu"): ("on",),
    ("jax", "gpu"): ("on",),
    ("torch", "cpu"): ("off",),
    ("torch", "gpu"): ("off", "on"),
}
# A probe is one operation: there is nothing to compile but in JAX, which compiles all it does. A study says for each
# of its series what it compiles.
PROBE_JIT: Mapping[Backend, Jit] = {"tensorflow": "off", "jax": "on", "torch": "off"}

# float32-strict is what both devices can do alike; the faster formats of a GPU are arms of headline cells.
PRECISIONS: Mapping[Device, tuple[Precision, ...]] = {
    "cpu": ("float32-strict",),
    "gpu": ("float32-strict", "tf32", "mixed_bfloat16"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One process to start."""

    cell: Cell
    variant: Variant
    index: int  # repeat, from 0
    order: int  # position over the whole session
    estimate_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Runs in the order in which to start them, and cells that will not run."""

    profile: Profile
    seed: int
    runs: tuple[PlannedRun, ...]
    skipped: tuple[tuple[Cell, str], ...]  # cannot run here, with the reason
    left_out: tuple[tuple[Cell, float], ...]  # did not fit into the time budget, with estimated seconds
    spare: tuple[PlannedRun, ...]  # runs of the cells left out, for when the plan is done earlier than expected
    n_repeats: Mapping[str, int]  # by cell id

    @property
    def estimate_s(self) -> float:
        """Estimated seconds of all runs together."""
        return sum(run.estimate_s for run in self.runs)

    @property
    def cells(self) -> dict[str, Cell]:
        """Cells that will run, by id, in order of first appearance."""
        return {run.cell.id: run.cell for run in self.runs}


def plan(
    specs: Mapping[str, Workload],
    *,
    profile: Profile,
    installed: Mapping[str, str | None],
    n_gpus: int,
    n_cores: int,
    only: Sequence[str] = (),
    sweeps: Sequence[str] = (),
    backends: Sequence[str] = ("tensorflow",),
    devices: Sequence[str] = (),
    threads: Sequence[int] = (),
    repeats: int | None = None,
    seed: int = 0,
    cell_ids: Sequence[str] = (),
    estimate: Callable[[Cell, Variant], float] = guess,
    time_budget_s: float | None = None,
    done: Mapping[str, int] | None = None,
    install: Mapping[str, str] | None = None,
) -> Plan:
    """Cells of a profile on this machine, in seeded interleaved order.

    Args:
        specs: workloads by id.
        installed: version of each backend, or None where it is missing.
        n_gpus: GPUs of this machine.
        n_cores: cores this process can use; a CPU cell takes all of them unless ``threads`` says otherwise.
        only: workload ids; all when empty.
        sweeps: only variants of these sweeps, with the usual arm beside the further ones.
        devices: cpu, gpu; by default cpu, and gpu where there is one.
        repeats: processes per cell; by default from REPEATS.
        cell_ids: run just these cells (in their profile's sizes).
        estimate: seconds of one run; see ``cost.Costs`` for what earlier records tell.
        time_budget_s: leave out cells from the end until the rest fits.
        done: finished runs by cell id (all of them where a record exists); they are not planned again.
        install: command that installs a backend, for the reason of a skip.

    Raises:
        UnknownNameError: a workload, backend, device, profile or cell does not exist.
        ValueError: a workload asked for by name has no size in the profile.
    """
    _check_names(specs, profile, only, backends, devices)
    for name in only:
        if not specs[name].variants[profile]:
            sizes = " and ".join(size for size in PROFILES if specs[name].variants[size])
            raise ValueError(f"{name} has no {profile} size, only {sizes}: add --profile reference")
    known_sweeps = sorted({v.sweep for spec in specs.values() for v in spec.variants[profile] if v.sweep})
    for name in sweeps:
        if name not in known_sweeps:
            raise unknown("sweep", name, known_sweeps)
    chosen_devices = tuple(devices) or (("cpu", "gpu") if n_gpus else ("cpu",))
    candidates: dict[str, tuple[Cell, Variant]] = {}
    for spec in (specs[name] for name in (only or specs)):
        for variant in spec.variants[profile]:
            if sweeps and variant.sweep not in sweeps:
                continue
            for cell in _cells(spec, variant, profile, backends, chosen_devices, threads, n_cores):
                candidates.setdefault(cell.id, (cell, variant))
    if cell_ids:
        for cell_id in cell_ids:
            if cell_id not in candidates:
                raise unknown("cell", cell_id, list(candidates))
        candidates = {cell_id: candidates[cell_id] for cell_id in cell_ids}

    skipped, groups = [], {}
    for cell, variant in candidates.values():
        reason = _why_not(cell, installed, n_gpus, n_cores, install or {})
        if reason:
            skipped.append((cell, reason))
        else:
            rank = 2 if _is_further(specs[cell.workload], cell, threads or (n_cores,)) else int(not variant.headline)
            groups.setdefault((rank, cell.workload), []).append((cell, variant))
    cost = {cell.id: estimate(cell, variant) for cell, variant in candidates.values()}
    n_repeats = {
        cell.id: repeats
        or REPEATS[profile][
            not _is_headline(specs[cell.workload], cell, variant)
            or _is_further(specs[cell.workload], cell, threads or (n_cores,))
        ]
        for cell, variant in candidates.values()
    }
    usual = dict(n_repeats)
    if repeats is None and not cell_ids and profile in SELF_TEST_REPEATS:
        for cell_id in _self_tests(specs, candidates, backends, threads or (n_cores,)):
            n_repeats[cell_id] = SELF_TEST_REPEATS[profile]

    left_out: list[tuple[Cell, float]] = []
    left_s = float("inf") if time_budget_s is None else time_budget_s
    fitting: dict[tuple[int, str], list[tuple[Cell, Variant]]] = {}
    waiting: dict[tuple[int, str], list[tuple[Cell, Variant]]] = {}
    for key in sorted(groups):
        for cell, variant in groups[key]:
            n_done = (done or {}).get(cell.id, 0)
            if max(0, n_repeats[cell.id] - n_done) * cost[cell.id] > left_s:
                n_repeats[cell.id] = usual[cell.id]  # a short session goes without a test of itself
            needed = max(0, n_repeats[cell.id] - n_done) * cost[cell.id]
            if needed > left_s:
                left_out.append((cell, needed))
                waiting.setdefault(key, []).append((cell, variant))
                continue
            left_s -= needed
            fitting.setdefault(key, []).append((cell, variant))
    is_spread = time_budget_s is None
    runs, order = _rounds(fitting, n_repeats, usual, cost, seed, done or {}, 0, is_spread=is_spread)
    spare, _ = _rounds(waiting, n_repeats, usual, cost, seed, done or {}, order, is_spread=is_spread)
    return Plan(
        profile=profile,
        seed=seed,
        runs=tuple(runs),
        skipped=tuple(skipped),
        left_out=tuple(left_out),
        spare=tuple(spare),
        n_repeats=n_repeats,
    )


def _rounds(
    groups: Mapping[tuple[int, str], Sequence[tuple[Cell, Variant]]],
    n_repeats: Mapping[str, int],
    usual: Mapping[str, int],
    cost: Mapping[str, float],
    seed: int,
    done: Mapping[str, int],
    order: int,
    *,
    is_spread: bool,
) -> tuple[list[PlannedRun], int]:
    """Runs that are not done yet and the first order number behind them.

    Repeats of a group's cells alternate, in a new order each round, so that drift hits every arm alike. A cell that is
    repeated more than usual comes several times in each round.

    Args:
        groups: cells that are compared with each other, by rank and workload; a lower rank comes first.
        is_spread: whether a round goes through all groups of a rank, so that a cell's processes lie far apart and its
            interval holds the drift of the whole session; else group by group, so that a session that has to stop
            early leaves whole cells.
    """
    runs = []
    index = {cell.id: 0 for cells in groups.values() for cell, _ in cells}
    for _, together in itertools.groupby(groups, key=lambda key: key[0] if is_spread else key):
        keys = list(together)
        n_rounds = max(usual[cell.id] for key in keys for cell, _ in groups[key])
        for number, key in itertools.product(range(n_rounds), keys):
            due = [
                (cell, variant)
                for cell, variant in groups[key]
                if number < usual[cell.id]
                for _ in range(n_repeats[cell.id] // usual[cell.id])
            ]
            random.Random(f"{seed} {key[1]} {key[0]} {number}").shuffle(due)
            for cell, variant in due:
                if index[cell.id] >= done.get(cell.id, 0):
                    run = PlannedRun(
                        cell=cell, variant=variant, index=index[cell.id], order=order, estimate_s=cost[cell.id]
                    )
                    runs.append(run)
                index[cell.id] += 1
                order += 1
    return runs, order


def _self_tests(
    specs: Mapping[str, Workload],
    candidates: Mapping[str, tuple[Cell, Variant]],
    backends: Sequence[str],
    counts: Sequence[int],
) -> list[str]:
    """Of each device the cell that the session sets against itself: the first backend's usual arm."""
    found = {
        cell.device: cell.id
        for cell, variant in reversed(candidates.values())
        if (cell.workload, cell.mode) == SELF_TEST
        and cell.backend == backends[0]
        and _is_headline(specs[cell.workload], cell, variant)
        and not _is_further(specs[cell.workload], cell, counts)
        and cell.precision == "float32-strict"
    }
    return list(found.values())


def _cells(
    spec: Workload,
    variant: Variant,
    profile: Profile,
    backends: Sequence[str],
    devices: Sequence[str],
    threads: Sequence[int],
    n_cores: int,
) -> list[Cell]:
    """Cells of a variant: the usual arms in every combination, then each further arm on its own."""
    in_full = profile == "reference"
    cells = []
    for device in (d for d in devices if not variant.devices or d in variant.devices):
        for backend in (b for b in backends if not variant.backends or b in variant.backends):
            known_jits = (PROBE_JIT[backend],) if spec.kind != "model" else JIT_ARMS[backend, device]
            jits = known_jits if variant.headline and in_full else known_jits[:1]
            precisions = PRECISIONS[device] if variant.headline and spec.kind != "study" else PRECISIONS[device][:1]
            counts = (threads or (n_cores,)) if device == "cpu" else (n_cores,)
            arms = [(jit, precision, n) for jit in jits for precision in precisions for n in counts]
            if in_full:
                jit, precision, n = jits[0], precisions[0], counts[0]
                more = [(other, precision, n) for other in variant.more_jits if other in known_jits]
                more += [(jit, p, n) for p in variant.more_precisions if device == "gpu" or p != "tf32"]
                if device == "cpu" and not threads:
                    more += [(jit, precision, count) for count in variant.more_threads if count < n_cores]
                arms += [arm for arm in more if arm not in arms]
            for jit, precision, n in arms:
                cells.append(
                    Cell(
                        workload=spec.id,
                        mode=variant.mode,
                        backend=backend,
                        device=device,
                        precision=precision,
                        jit=jit,
                        batch_size=variant.batch_size,
                        n_samples=variant.n_samples,
                        threads=n,
                        params=variant.params,
                    )
                )
    return cells


def _is_further(spec: Workload, cell: Cell, counts: Sequence[int]) -> bool:
    """Whether a cell is a further arm of its variant: measured after all others, and repeated less."""
    return (cell.device == "cpu" and cell.threads not in counts) or cell.precision not in PRECISIONS[cell.device]


def _is_headline(spec: Workload, cell: Cell, variant: Variant) -> bool:
    """Whether a cell is one that headlines rest on: a headline variant in its backend's usual compilation arm."""
    usual = PROBE_JIT[cell.backend] if spec.kind != "model" else JIT_ARMS[cell.backend, cell.device][0]
    return variant.headline and cell.jit == usual


def _why_not(
    cell: Cell, installed: Mapping[str, str | None], n_gpus: int, n_cores: int, install: Mapping[str, str]
) -> str:
    """Why a cell cannot run on this machine, or an empty text."""
    if not installed.get(cell.backend):
        command = install.get(cell.backend, f"pip install {cell.backend}")
        return f"{cell.backend} is not installed; {command}"
    if cell.device == "gpu" and not n_gpus:
        return "this machine shows no GPU"
    if n_gpus_of(cell) > n_gpus:
        return f"{n_gpus_of(cell)} GPUs are needed, this machine shows {n_gpus}"
    if cell.threads > n_cores:
        return f"{cell.threads} threads asked for, {n_cores} cores may be used"
    return ""


def _check_names(
    specs: Mapping[str, Workload], profile: str, only: Sequence[str], backends: Sequence[str], devices: Sequence[str]
) -> None:
    for kind, names, known in (
        ("profile", (profile,), PROFILES),
        ("workload", only, tuple(specs)),
        ("backend", backends, BACKENDS),
        ("device", devices, DEVICES),
    ):
        for name in names:
            if name not in known:
                raise unknown(kind, name, known)
