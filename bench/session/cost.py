"""What a run will take, learned from the runs that are stored. Pure: records in, seconds out.

From the best knowledge to the least: the same cell on this machine; its siblings here (the same workload, mode,
backend and device in another size, profile or number of threads); the same work on other machines, times a factor
from what both measured; the same workload here on another backend; the workload file's own guess, corrected by how
far such guesses were off here. A step down the list is taken only where nothing is known above.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from bench import grouped
from bench.records.check import size
from bench.schema import Backend, Cell, Profile, Record, Run, Variant, Workload

# Start-up and compilation relative to TensorFlow, for guesses without records.
BACKEND_COST: Mapping[Backend, float] = {"tensorflow": 1.0, "jax": 1.2, "torch": 1.3}
# What a process on a GPU takes at least: imports, the driver's context, in JAX its compiler. Few guesses count them.
GPU_LEAST_S: Mapping[Backend, float] = {"tensorflow": 12.0, "jax": 15.0, "torch": 12.0}

# Twice the cores do not halve the time: of n times the cores, n to this power is used. Between perfect scaling (1)
# and none (0); only the order of magnitude matters, since a cell is measured here after its first session.
THREADS_POWER = 0.7
SLOW_BLOCK_S = 0.15  # blocks last 0.1 s unless one step takes longer: then their time follows the step's
MIN_FOR_CORRECTION = 3  # guesses are corrected from at least this many cells

# A run is taken for interrupted beyond so many times the seconds it accounts for, and so many more: the warm-up of a
# study, which its record does not hold, takes about as long again as what it does hold, and a graph some seconds.
INTERRUPTED_RATIO, INTERRUPTED_S = 2.0, 15.0

Basis = Literal["this cell", "its siblings here", "other machines", "another backend here", "the workload's guess"]


class Cost(NamedTuple):
    """Expected seconds of one run, from starting its process to its end, and what they rest on."""

    seconds: float
    basis: Basis


# How much of another backend's surprise is expected here, as an exponent: backends surprise differently. Chosen by
# leaving out each cell of the first machine's session in turn; from a quarter to 0.4 it makes no difference.
BACKEND_AGREEMENT = 1 / 3


class Known(NamedTuple):
    """What one cell took on one machine: the median over its runs."""

    machine_id: str
    profile: Profile
    cell: Cell
    seconds: float
    guess_s: float  # what its workload file expected
    work_frac: float  # share of the seconds that follows the speed of a step; the rest is start-up and fixed blocks

    @property
    def surprise(self) -> float:
        """How many times the guess it took."""
        return self.seconds / self.guess_s


def guess(cell: Cell, variant: Variant) -> float:
    """Seconds that the workload file expects, on two cores; on a GPU not less than its start takes."""
    seconds = variant.estimate_s * BACKEND_COST[cell.backend]
    return seconds if cell.device == "cpu" else max(seconds, GPU_LEAST_S[cell.backend])


def known(
    sessions: Iterable[tuple[str, Iterable[Record]]], specs: Mapping[str, Workload] | None = None
) -> tuple[Known, ...]:
    """What each cell took in each session, from pairs of machine id and records; cells that never ran are left out.

    ``specs`` are today's workloads: a plan is made of their guesses, so a surprise is counted against them, and
    against the guess of the record's own time only where they do not have the variant any more.
    """
    return tuple(
        item
        for machine_id, records in sessions
        for record in records
        if (item := _known(machine_id, record, (specs or {}).get(record.cell.workload)))
    )


class Costs:
    """What is known for plans on one machine."""

    def __init__(self, known: Sequence[Known], machine_id: str) -> None:
        """``machine_id`` is the machine to plan for."""
        by_machine = grouped(known, lambda item: item.machine_id)
        self._here = by_machine.pop(machine_id, [])
        self._elsewhere = by_machine
        self._by_id = grouped(self._here, lambda item: item.cell.id)
        self._factors: dict[tuple[str, str], float] = {}

    def of(self, cell: Cell, variant: Variant, profile: Profile) -> Cost:
        """Expected seconds of one run of a cell in a profile's size."""
        expected = guess(cell, variant)
        same = self._by_id.get(cell.id, [])
        exact = [item.seconds for item in same if item.profile == profile]
        if exact:
            return Cost(statistics.median(exact), "this cell")
        siblings = same or _closest(cell, self._here, _sibling_key)
        if siblings:
            ratio = _middle(item.surprise * _thread_factor(item, cell) for item in siblings)
            return Cost(expected * ratio, "its siblings here")
        if abroad := self._from_elsewhere(cell, profile, expected):
            return Cost(abroad, "other machines")
        others = _closest(cell, self._here, _work_key)
        if others:
            ratio = _middle(item.surprise * _thread_factor(item, cell) for item in others)
            return Cost(expected * ratio**BACKEND_AGREEMENT, "another backend here")
        return Cost(expected * self._correction(cell), "the workload's guess")

    def _from_elsewhere(self, cell: Cell, profile: Profile, expected: float) -> float | None:
        """Seconds on other machines, each times how this machine compares with it; None where nobody has it."""
        found = []
        for machine_id, items in self._elsewhere.items():
            items = [item for item in items if _sibling_key(item.cell) == _sibling_key(cell)]
            if not items:
                continue
            factor = self._factor(machine_id, cell.device)
            exact = [item.seconds for item in items if _twin_key(item.cell, item.profile) == _twin_key(cell, profile)]
            if exact:
                found.append(factor * statistics.median(exact))
            else:
                siblings = _closest(cell, items, _sibling_key)
                found.append(factor * expected * _middle(item.surprise for item in siblings))
        return _middle(found) if found else None

    def _factor(self, machine_id: str, device: str) -> float:
        """How many times as long as that machine this one takes over the cells of a device both ran; 1 without any."""
        if (machine_id, device) not in self._factors:
            here, there = (
                {_twin_key(item.cell, item.profile): item.seconds for item in items if item.cell.device == device}
                for items in (self._here, self._elsewhere[machine_id])
            )
            common = here.keys() & there.keys()
            self._factors[machine_id, device] = _middle(here[key] / there[key] for key in common) if common else 1.0
        return self._factors[machine_id, device]

    def _correction(self, cell: Cell) -> float:
        """How far guesses were off here for this backend and device; 1 while too few are known."""
        off = [i.surprise for i in self._here if (i.cell.backend, i.cell.device) == (cell.backend, cell.device)]
        return _middle(off) if len(off) >= MIN_FOR_CORRECTION else 1.0


def _known(machine_id: str, record: Record, today: Workload | None) -> Known | None:
    variants = [v for spec in (today, record.spec) if spec for v in spec.variants.get(record.profile, ())]
    variant = next((v for v in variants if size(record.cell) == size(v)), None)
    runs = [run for run in record.runs if run.status == "ok"] or list(record.runs)
    runs = [run for run in runs if run.total_s > 0 and not _was_interrupted(run)]
    seconds = [run.total_s for run in runs]
    if variant is None or not seconds:
        return None
    return Known(
        machine_id=machine_id,
        profile=record.profile,
        cell=record.cell,
        seconds=statistics.median(seconds),
        guess_s=guess(record.cell, variant),
        work_frac=statistics.median(_work_frac(run) for run in runs),
    )


def _was_interrupted(run: Run) -> bool:
    """Whether the run lasted far longer than what it did: a session that was stopped meanwhile, a machine that slept.

    What is not accounted for is loading, compiling and, in a study, its warm-up. A study that times nothing cannot
    be told.
    """
    blocks = [*run.blocks, *run.warmup, *(block for found in run.series.values() for block in found)]
    if not blocks:
        return False
    accounted = sum(run.phases_s.values()) + sum(run.first_s.values()) + sum(block.seconds for block in blocks)
    accounted += run.job.seconds if run.job else 0.0
    return run.total_s > INTERRUPTED_RATIO * accounted + INTERRUPTED_S


def _work_frac(run: Run) -> float:
    """Share of a run that follows the speed of a step: first step, job, and blocks of steps slower than a block."""
    phases = run.phases_s
    work = phases.get("first_step", 0.0) if run.job is None else run.job.seconds
    if run.blocks and statistics.median(block.seconds for block in run.blocks) > SLOW_BLOCK_S:
        work += phases.get("warmup", 0.0) + phases.get("steady", 0.0)
    return min(work / run.total_s, 1.0)


def _sibling_key(cell: Cell) -> tuple[Hashable, ...]:
    return (cell.workload, cell.mode, cell.backend, cell.device)


def _work_key(cell: Cell) -> tuple[Hashable, ...]:
    return (cell.workload, cell.mode, cell.device)


def _twin_key(cell: Cell, profile: Profile) -> tuple[Hashable, ...]:
    """What makes two cells of two machines the same work, however many cores each of them has."""
    params = tuple(sorted(cell.params.items()))
    return (profile, *_sibling_key(cell), cell.precision, cell.jit, cell.batch_size, cell.n_samples, params)


def _closest(cell: Cell, items: Iterable[Known], key: Callable[[Cell], tuple[Hashable, ...]]) -> list[Known]:
    """Items with the cell's key: those that differ from it in the fewest of size, parameters, jit and precision."""
    found = [item for item in items if key(item.cell) == key(cell)]

    def distance(item: Known) -> int:
        other = item.cell
        return sum(
            getattr(other, name) != getattr(cell, name)
            for name in ("params", "batch_size", "n_samples", "jit", "precision")
        )

    nearest = min(map(distance, found), default=0)
    return [item for item in found if distance(item) == nearest]


def _thread_factor(item: Known, cell: Cell) -> float:
    """How many times as long a run takes with the cell's threads as with the item's."""
    if cell.device != "cpu" or item.cell.threads == cell.threads:
        return 1.0
    ratio: float = (item.cell.threads / cell.threads) ** THREADS_POWER
    return 1 - item.work_frac + item.work_frac * ratio


def _middle(ratios: Iterable[float]) -> float:
    """Median on a logarithmic scale: twice and half are equally far from one."""
    return math.exp(statistics.median(math.log(ratio) for ratio in ratios))
