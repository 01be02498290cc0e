"""Which cells to run, in what order, and what does not fit. Pure: specs, machine facts and filters in, plan out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

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

# float32-strict is what both devices can do alike; the faster formats of a GPU are arms of headline cells. A quick
# session takes them where they tell most.
PRECISIONS: Mapping[Device, tuple[Precision, ...]] = {
    "cpu": ("float32-strict",),
    "gpu": ("float32-strict", "tf32", "mixed_bfloat16"),
}
QUICK_PRECISIONS = ("matmul", "resnet50", "transformer-text")
# cuDNN's LSTM as JAX calls it knows float32 and float64 only, and stops in sixteen bits.
FUSED_LSTM = ("lstm-text",)

# What comes first within a rank unless workloads are named: what tells whether a GPU is needed. The rest follows by id.
PRIORITY = (
    "matmul", "mlp-tabular", "resnet50", "lstm-text", "transformer-text", "cnn-digits", "mobilenet-v2",
)  # fmt: skip

# Cells that are compared with each other, by rank (a lower one comes first), place within it, and workload.
Groups = Mapping[tuple[int, int, str], Sequence[tuple[Cell, Variant]]]


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
        only: workload ids, the first ones first; all when empty, in the order of PRIORITY.
        sweeps: only variants of these sweeps, with the usual arm beside the further ones.
        devices: cpu, gpu; by default cpu, and gpu where there is one.
        repeats: processes per cell; by default from REPEATS.
        cell_ids: run just these cells (in their profile's sizes), their workloads in the order given.
        estimate: seconds of one run; see ``cost.Costs`` for what earlier records tell.
        time_budget_s: leave out cells from the end until the rest fits, see ``_units``.
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

    counts = threads or (n_cores,)
    places = tuple(dict.fromkeys(candidates[id_][0].workload for id_ in cell_ids)) or tuple(only) or PRIORITY
    skipped, groups = [], {}
    for cell, variant in candidates.values():
        reason = _why_not(cell, installed, n_gpus, n_cores, install or {})
        if reason:
            skipped.append((cell, reason))
        else:
            rank = 0 if cell_ids else _rank(specs[cell.workload], cell, variant, counts)
            place = places.index(cell.workload) if cell.workload in places else len(places)
            groups.setdefault((rank, place, cell.workload), []).append((cell, variant))
    groups = dict(sorted(groups.items()))
    cost = {cell.id: estimate(cell, variant) for cell, variant in candidates.values()}
    n_repeats = {
        cell.id: repeats
        or REPEATS[profile][not _is_headline(specs[cell.workload], cell, variant) or _is_further(cell, counts)]
        for cell, variant in candidates.values()
    }
    usual = dict(n_repeats)
    if repeats is None and not cell_ids and profile in SELF_TEST_REPEATS:
        for cell_id in _self_tests(specs, candidates, backends, counts):
            n_repeats[cell_id] = SELF_TEST_REPEATS[profile]

    budget_s = float("inf") if time_budget_s is None else time_budget_s
    units = _units(specs, groups, len(places), is_listed=bool(cell_ids))
    left_out = _left_out(units, n_repeats, usual, cost, done or {}, budget_s)
    waits = {cell.id for cell, _ in left_out}
    fitting, waiting = (
        {key: found for key, cells in groups.items() if (found := [c for c in cells if (c[0].id in waits) is late])}
        for late in (False, True)
    )
    is_spread = time_budget_s is None
    unit_of = {cell.id: number for number, unit in enumerate(units) for cell in unit}
    runs, order = _rounds(fitting, unit_of, n_repeats, usual, cost, seed, done or {}, 0, is_spread=is_spread)
    spare, _ = _rounds(waiting, unit_of, n_repeats, usual, cost, seed, done or {}, order, is_spread=is_spread)
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
    groups: Groups,
    unit_of: Mapping[str, int],
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
        unit_of: number of a cell's unit, see ``_units``: its cells run one after the other, so that an early end leaves
            whole ones.
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
                (cell, variant, copy)
                for cell, variant in groups[key]
                if number < usual[cell.id]
                for copy in range(n_repeats[cell.id] // usual[cell.id])
            ]
            random.Random(f"{seed} {key[2]} {key[0]} {number}").shuffle(due)
            first: dict[tuple[int, int], int] = {}
            for position, (cell, _, copy) in enumerate(due):
                first.setdefault((unit_of[cell.id], copy), position)
            due.sort(key=lambda item, first=first: first[unit_of[item[0].id], item[2]])
            for cell, variant, _ in due:
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
        and not _is_further(cell, counts)
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
    has_precisions = variant.headline and spec.kind != "study" and (profile != "quick" or spec.id in QUICK_PRECISIONS)
    cells = []
    for device in (d for d in devices if not variant.devices or d in variant.devices):
        for backend in (b for b in backends if not variant.backends or b in variant.backends):
            known_jits = (PROBE_JIT[backend],) if spec.kind != "model" else JIT_ARMS[backend, device]
            jits = known_jits if variant.headline and in_full else known_jits[:1]
            precisions = PRECISIONS[device] if has_precisions else PRECISIONS[device][:1]
            counts = (threads or (n_cores,)) if device == "cpu" else (n_cores,)
            arms = [(jit, precision, n) for jit in jits for precision in precisions for n in counts]
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


def _rank(spec: Workload, cell: Cell, variant: Variant, counts: Sequence[int]) -> int:
    """0 for headline cells and networks at a GPU's own batch, 1 for other sizes, 2 for further arms."""
    if _is_further(cell, counts):
        return 2
    return int(not (variant.headline or _is_gpu_size(spec, variant)))


def _is_gpu_size(spec: Workload, variant: Variant) -> bool:
    """Whether a network runs at a batch that fills a GPU and would take a CPU minutes."""
    return spec.kind == "model" and variant.devices == ("gpu",)


def _units(specs: Mapping[str, Workload], groups: Groups, n_places: int, *, is_listed: bool) -> list[list[Cell]]:
    """Cells that fit into a time budget together or not at all, in the order in which it is spent.

    A GPU's cell stays with the CPU's that it is divided by: the first arms of a size in one backend. Within a rank the
    workloads that have a place come before the others, and of both the first arms before a GPU's own sizes, and those
    before further arms; cells that were listed come as they were.
    """
    units: dict[tuple[int, bool, bool, int, str, bool, str], list[Cell]] = {}
    seen: set[tuple[str, Device]] = set()
    for (rank, place, name), cells in groups.items():
        for cell, variant in cells:
            size = msgspec.structs.replace(cell, device="cpu", precision="float32-strict", jit="off").id
            is_first = (size, cell.device) not in seen
            seen.add((size, cell.device))
            is_own = _is_gpu_size(specs[name], variant) and not is_listed
            is_late = is_own or not (is_first or is_listed)
            key = (rank, place == n_places, is_late, place, name, not is_own, size if is_first else cell.id)
            units.setdefault(key, []).append(cell)
    return [units[key] for key in sorted(units, key=lambda key: key[:-1])]


def _left_out(
    units: Sequence[Sequence[Cell]],
    n_repeats: dict[str, int],
    usual: Mapping[str, int],
    cost: Mapping[str, float],
    done: Mapping[str, int],
    budget_s: float,
) -> list[tuple[Cell, float]]:
    """Cells that a budget has no room for, with the seconds that they need.

    A unit with no room goes without the session's test of itself: its repeats in ``n_repeats`` become the usual ones.
    """

    def seconds(cell: Cell) -> float:
        return max(0, n_repeats[cell.id] - done.get(cell.id, 0)) * cost[cell.id]

    left_out = []
    for unit in units:
        if sum(map(seconds, unit)) > budget_s:
            n_repeats.update({cell.id: usual[cell.id] for cell in unit})
        if (needed := sum(map(seconds, unit))) > budget_s:
            left_out += [(cell, seconds(cell)) for cell in unit]
        else:
            budget_s -= needed
    return left_out


def _is_further(cell: Cell, counts: Sequence[int]) -> bool:
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
    is_jax_gpu = (cell.backend, cell.device) == ("jax", "gpu")
    if cell.workload in FUSED_LSTM and is_jax_gpu and cell.precision.startswith("mixed_"):
        return "cuDNN's LSTM in JAX computes in float32 and float64 only"
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
