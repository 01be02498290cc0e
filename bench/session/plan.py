"""Which cells to run, in what order, and what does not fit. Pure: specs, selection and machine facts in, plan out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.schema import Cell, Device, Profile, Variant, Workload
from bench.session.arms import Host, Selection, candidates, is_further, is_gpu_size, is_headline, why_not
from bench.session.cost import guess

# How often a headline cell (in its backend's first jit arm) and any other cell is repeated, each time in a
# process of its own.
REPEATS: Mapping[Profile, tuple[int, int]] = {"smoke": (1, 1), "quick": (1, 1), "reference": (5, 2)}
# One cheap headline cell per device is run more often, so that its even runs can be set against its odd ones: a
# session that finds a difference there has no business with finding others. Two against two at least.
SELF_TEST = ("cnn-digits", "train")
SELF_TEST_REPEATS: Mapping[Profile, int] = {"quick": 4, "reference": 10}


# What comes first within a rank unless workloads are named: what tells whether a GPU is needed. The rest follows by id.
PRIORITY = (
    "matmul", "mlp-tabular", "resnet50", "lstm-text", "transformer-text", "cnn-digits", "mobilenet-v2",
)  # fmt: skip


# Cells that are compared with each other, by rank (a lower one comes first), place within it, and workload.
Groups = Mapping[tuple[int, int, str], Sequence[tuple[Cell, Variant]]]
Candidates = Mapping[str, tuple[Cell, Variant]]  # by cell id


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
    finished: tuple[Cell, ...]  # have all their runs already

    @property
    def estimate_s(self) -> float:
        """Estimated seconds of all runs together."""
        return sum(run.estimate_s for run in self.runs)

    @property
    def cells(self) -> dict[str, Cell]:
        """Cells that will run, by id, in order of first appearance."""
        return {run.cell.id: run.cell for run in self.runs}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """How often each cell runs and what one of its runs takes, by cell id."""

    usual: Mapping[str, int]  # repeats, but for the session's test of itself
    n_repeats: dict[str, int]
    done: Mapping[str, int]
    cost_s: Mapping[str, float]

    def left_s(self, cell: Cell) -> float:
        """Seconds of the runs that are not done yet."""
        return max(0, self.n_repeats[cell.id] - self.done.get(cell.id, 0)) * self.cost_s[cell.id]


def plan(
    specs: Mapping[str, Workload],
    selection: Selection,
    host: Host,
    *,
    estimate: Callable[[Cell, Variant], float] = guess,
    done: Mapping[str, int] | None = None,
) -> Plan:
    """The selected cells on this machine, in seeded interleaved order.

    Args:
        specs: workloads by id.
        estimate: seconds of one run; see ``cost.Costs`` for what earlier records tell.
        done: finished runs by cell id (all of them where a record exists); they are not planned again.

    Raises:
        UnknownNameError: a workload, sweep or cell does not exist.
        ValueError: a workload asked for by name has no size in the profile.
    """
    chosen = candidates(specs, selection, host)
    skipped = tuple((cell, reason) for cell, _ in chosen.values() if (reason := why_not(cell, host)))
    unfit = {cell.id for cell, _ in skipped}
    places = _places(selection, chosen)
    groups = _groups(specs, selection, host, places, [found for id_, found in chosen.items() if id_ not in unfit])
    load = _load(specs, selection, host, chosen, estimate, done or {})
    together = [cell for cells in groups.values() for cell, _ in cells]
    finished = tuple(cell for cell in together if load.done.get(cell.id, 0) >= load.n_repeats[cell.id])
    units = _units(specs, groups, len(places), is_listed=bool(selection.cell_ids))
    left_out = _left_out(units, load, selection.time_budget_s)
    waits = {cell.id for cell, _ in left_out}
    fitting, waiting = (
        {key: found for key, cells in groups.items() if (found := [c for c in cells if (c[0].id in waits) is late])}
        for late in (False, True)
    )
    unit_of = {cell.id: number for number, unit in enumerate(units) for cell in unit}
    runs, order = _rounds(fitting, unit_of, load, selection, 0)
    spare, _ = _rounds(waiting, unit_of, load, selection, order)
    return Plan(
        profile=selection.profile,
        seed=selection.seed,
        runs=tuple(runs),
        skipped=skipped,
        left_out=tuple(left_out),
        spare=tuple(spare),
        n_repeats=load.n_repeats,
        finished=finished,
    )


def _places(selection: Selection, chosen: Candidates) -> tuple[str, ...]:
    """Workloads in the order in which they come within a rank; what is not among them follows by id."""
    listed = tuple(dict.fromkeys(chosen[cell_id][0].workload for cell_id in selection.cell_ids))
    return listed or selection.only or PRIORITY


def _groups(
    specs: Mapping[str, Workload],
    selection: Selection,
    host: Host,
    places: Sequence[str],
    found: Sequence[tuple[Cell, Variant]],
) -> Groups:
    """Cells that can run, by rank, place and workload, in that order."""
    groups: dict[tuple[int, int, str], list[tuple[Cell, Variant]]] = {}
    counts = host.thread_counts(selection)
    for cell, variant in found:
        rank = 0 if selection.cell_ids else _rank(specs[cell.workload], cell, variant, counts)
        place = places.index(cell.workload) if cell.workload in places else len(places)
        groups.setdefault((rank, place, cell.workload), []).append((cell, variant))
    return dict(sorted(groups.items()))


def _load(
    specs: Mapping[str, Workload],
    selection: Selection,
    host: Host,
    chosen: Candidates,
    estimate: Callable[[Cell, Variant], float],
    done: Mapping[str, int],
) -> _Load:
    """Repeats and cost of every cell; one cheap cell of each device is repeated more, unless repeats were asked for."""
    profile, counts = selection.profile, host.thread_counts(selection)
    usual = {
        cell.id: selection.repeats
        or REPEATS[profile][not is_headline(specs[cell.workload], cell, variant) or is_further(cell, counts)]
        for cell, variant in chosen.values()
    }
    more = {}
    if selection.repeats is None and not selection.cell_ids and profile in SELF_TEST_REPEATS:
        tests = _self_tests(specs, chosen, selection.backends[0], counts)
        more = dict.fromkeys(tests, SELF_TEST_REPEATS[profile])
    cost_s = {cell.id: estimate(cell, variant) for cell, variant in chosen.values()}
    return _Load(usual=usual, n_repeats=usual | more, done=done, cost_s=cost_s)


def _self_tests(
    specs: Mapping[str, Workload], chosen: Candidates, first_backend: str, counts: Sequence[int]
) -> list[str]:
    """Of each device the cell that the session sets against itself: the first backend's usual arm."""
    found = {
        cell.device: cell.id
        for cell, variant in reversed(list(chosen.values()))
        if (cell.workload, cell.mode, cell.backend) == (*SELF_TEST, first_backend)
        and is_headline(specs[cell.workload], cell, variant)
        and not is_further(cell, counts)
        and cell.precision == "float32-strict"
    }
    return list(found.values())


def _rounds(
    groups: Groups, unit_of: Mapping[str, int], load: _Load, selection: Selection, order: int
) -> tuple[list[PlannedRun], int]:
    """Runs that are not done yet and the first order number behind them.

    Repeats of a group's cells alternate, in a new order each round, so that drift hits every arm alike. A cell that is
    repeated more than usual comes several times in each round. A round goes through all groups of a rank, so that a
    cell's processes lie far apart and its interval holds the drift of the whole session; with a time budget group by
    group, so that a session that has to stop early leaves whole cells.

    Args:
        unit_of: number of a cell's unit, see ``_units``: its cells run one after the other, so that an early end leaves
            whole ones.
    """
    runs = []
    is_spread = selection.time_budget_s is None
    index = {cell.id: 0 for cells in groups.values() for cell, _ in cells}
    for _, together in itertools.groupby(groups, key=lambda key: key[0] if is_spread else key):
        keys = list(together)
        n_rounds = max(load.usual[cell.id] for key in keys for cell, _ in groups[key])
        for number, key in itertools.product(range(n_rounds), keys):
            for cell, variant in _round(
                groups[key], unit_of, load, f"{selection.seed} {key[2]} {key[0]} {number}", number
            ):
                if index[cell.id] >= load.done.get(cell.id, 0):
                    cost_s = load.cost_s[cell.id]
                    runs.append(
                        PlannedRun(cell=cell, variant=variant, index=index[cell.id], order=order, estimate_s=cost_s)
                    )
                index[cell.id] += 1
                order += 1
    return runs, order


def _round(
    group: Sequence[tuple[Cell, Variant]], unit_of: Mapping[str, int], load: _Load, seed: str, number: int
) -> list[tuple[Cell, Variant]]:
    """Cells of a group in their order in one round, shuffled by the seed's text."""
    due = [
        (cell, variant, copy)
        for cell, variant in group
        if number < load.usual[cell.id]
        for copy in range(load.n_repeats[cell.id] // load.usual[cell.id])
    ]
    random.Random(seed).shuffle(due)
    first: dict[tuple[int, int], int] = {}
    for position, (cell, _, copy) in enumerate(due):
        first.setdefault((unit_of[cell.id], copy), position)
    due.sort(key=lambda item: first[unit_of[item[0].id], item[2]])
    return [(cell, variant) for cell, variant, _ in due]


def _rank(spec: Workload, cell: Cell, variant: Variant, counts: Sequence[int]) -> int:
    """0 for headline cells and networks at a GPU's own batch, 1 for other sizes, 2 for further arms."""
    if is_further(cell, counts):
        return 2
    return int(not (variant.headline or is_gpu_size(spec, variant)))


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
            is_own = is_gpu_size(specs[name], variant) and not is_listed
            is_late = is_own or not (is_first or is_listed)
            key = (rank, place == n_places, is_late, place, name, not is_own, size if is_first else cell.id)
            units.setdefault(key, []).append(cell)
    return [units[key] for key in sorted(units, key=lambda key: key[:-1])]


def _left_out(units: Sequence[Sequence[Cell]], load: _Load, time_budget_s: float | None) -> list[tuple[Cell, float]]:
    """Cells that a budget has no room for, with the seconds that they need.

    A unit with no room goes without the session's test of itself: its repeats become the usual ones.
    """
    budget_s = float("inf") if time_budget_s is None else time_budget_s
    left_out = []
    for unit in units:
        if sum(map(load.left_s, unit)) > budget_s:
            load.n_repeats.update({cell.id: load.usual[cell.id] for cell in unit})
        if (needed := sum(map(load.left_s, unit))) > budget_s:
            left_out += [(cell, load.left_s(cell)) for cell in unit]
        else:
            budget_s -= needed
    return left_out
