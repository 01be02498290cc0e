"""Runs a prepared session: launch, store; yields what happened. Starts processes and writes results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from os import environ
from pathlib import Path
from time import monotonic

import msgspec

from bench import REPOSITORY
from bench.machine import software
from bench.records import check, spool, store
from bench.schema import METHOD_VERSIONS, Cell, Record, Request, Run, Status
from bench.session import launch
from bench.session.plan import PlannedRun
from bench.session.prepare import Prepared
from bench.workloads import registry

MOST_AT_ONCE = 4  # smoke runs: each starts a framework of about a GB, and a laptop has eight


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One finished run, and the record when it was the cell's last."""

    run: Run
    planned: PlannedRun
    n_done: int
    n_total: int
    left_s: float
    record: Record | None
    following: PlannedRun | None = None  # what starts next, as far as it is known


def at_once(prepared: Prepared) -> int:
    """Runs that may share the machine: one, except at the smoke size, which asks only whether everything runs.

    A smoke session speaks for no page where there is another. On a GPU runs stay alone: JAX reserves its memory.
    """
    if prepared.session.profile != "smoke" or any(cell.device == "gpu" for cell in prepared.plan.cells.values()):
        return 1
    return min(prepared.session.n_cores_effective, MOST_AT_ONCE)


def execute(
    prepared: Prepared,
    *,
    launcher: Callable[[Request], Run] | None = None,
    now: Callable[[], float] = monotonic,
    n_at_once: int = 1,
) -> Iterator[Progress]:
    """Run the plan. Every finished run is on disk before another one starts in its place.

    With a time budget, no run starts that is not expected to end within it, and what time is left in the end goes to
    cells that the plan had left out.

    Args:
        launcher: starts a run and waits for its end; by default each in a process of its own.
        n_at_once: runs that share the machine; more than one only where nobody looks at the numbers.

    Raises:
        StoreError: results cannot be written.
    """
    if launcher is None:
        launcher = partial(launch.launch, timeout_s=prepared.options.timeout_s)
        if n_at_once > 1:
            launcher = partial(launcher, base=launch.SHARING | environ)
    folder = prepared.folder
    if prepared.is_new:
        store.begin(folder, prepared.machine, prepared.session)
    for cell, reason in prepared.plan.skipped:
        store.write_record(folder, _record(cell, prepared, "skipped", reason, ()))
    for cell in prepared.unclosed:
        close(folder, cell, prepared)
    start, n_done = now(), 0
    ended = prepared.last_end

    def run_of(planned: PlannedRun) -> Run:
        nonlocal ended
        run = launcher(_request(planned, prepared.plan.seed))
        if n_at_once == 1:  # a clock that was set back must not let a run begin before the last one's end
            started = max(datetime.fromisoformat(run.started_at), ended)
            run = msgspec.structs.replace(run, started_at=started.isoformat(timespec="milliseconds"))
            ended = started + timedelta(seconds=run.total_s)
        return run

    for planned, following, run in _finished(_due(prepared, lambda: now() - start), run_of, n_at_once):
        spool.write_run(folder, planned.cell.id, run)
        finished = spool.spooled_runs(folder, planned.cell.id)
        record = None
        if len(finished) >= prepared.plan.n_repeats[planned.cell.id]:
            record = close(folder, planned.cell, prepared)
        n_done += 1  # noqa: SIM113  what an interrupted generator has yielded
        yield Progress(
            run=run,
            planned=planned,
            n_done=n_done,
            n_total=n_done + len(following),
            left_s=sum(later.estimate_s for later in following),
            record=record,
            following=following[0] if following else None,
        )


def _request(planned: PlannedRun, seed: int) -> Request:
    spec = registry.workload(planned.cell.workload)
    return Request(
        cell=planned.cell,
        variant=planned.variant,
        target=spec.target,
        kind=spec.kind,
        index=planned.index,
        order=planned.order,
        seed=seed,
    )


def _finished(
    due: Iterator[tuple[PlannedRun, Sequence[PlannedRun]]], run_of: Callable[[PlannedRun], Run], n_at_once: int
) -> Iterator[tuple[PlannedRun, Sequence[PlannedRun], Run]]:
    """Runs as they end; whoever stops listening ends those under way."""
    if n_at_once == 1:  # no thread of ours beside a run that is measured
        yield from ((planned, following, run_of(planned)) for planned, following in due)
        return
    with ThreadPoolExecutor(n_at_once) as pool:
        under_way: dict[Future[Run], tuple[PlannedRun, Sequence[PlannedRun]]] = {}
        try:
            for planned, following in due:
                under_way[pool.submit(run_of, planned)] = planned, following
                if len(under_way) == n_at_once:
                    for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                        yield *under_way.pop(ended), ended.result()
            for ended in as_completed(list(under_way)):
                yield *under_way.pop(ended), ended.result()
        except BaseException:
            launch.end_all()
            raise


def _due(prepared: Prepared, elapsed: Callable[[], float]) -> Iterator[tuple[PlannedRun, Sequence[PlannedRun]]]:
    """Runs to start now, each with those that are expected behind it."""
    budget = prepared.options.time_budget_s
    queue, spare = prepared.plan.runs, prepared.plan.spare
    while queue:
        planned, queue = queue[0], queue[1:]
        if budget is None:
            yield planned, queue
            continue
        if elapsed() + planned.estimate_s <= budget:
            yield planned, queue
        if not queue:
            queue = fitting(spare, budget - elapsed())
            spare = tuple(run for run in spare if run not in queue)


def fitting(runs: Sequence[PlannedRun], left_s: float) -> tuple[PlannedRun, ...]:
    """Runs of the cells that fit whole into the seconds left, the first ones first."""
    needed: dict[str, float] = {}
    for run in runs:
        needed[run.cell.id] = needed.get(run.cell.id, 0.0) + run.estimate_s
    chosen = set()
    for cell_id, seconds in needed.items():
        if seconds <= left_s:
            left_s -= seconds
            chosen.add(cell_id)
    return tuple(run for run in runs if run.cell.id in chosen)


def close(folder: Path, cell: Cell, prepared: Prepared) -> Record:
    """Make a cell's record of its spooled runs."""
    runs = spool.spooled_runs(folder, cell.id)
    good = [run for run in runs if run.status == "ok"]
    bad = [run for run in runs if run.status != "ok"]
    status: Status = "ok" if good else bad[0].status
    reason = "" if not bad else f"{len(bad)} of {len(runs)} runs did not finish: {bad[0].reason}"
    if not good and len(bad) == len(runs):
        reason = bad[0].reason
    record = _record(cell, prepared, status, reason, runs)
    store.write_record(folder, record)
    return spool.fit(record)


def seal(prepared: Prepared) -> list[Record]:
    """Close the cells that have fewer runs than planned; they say how many they have."""
    cells = prepared.plan.cells | {run.cell.id: run.cell for run in prepared.plan.spare}
    return [
        close(prepared.folder, cell, prepared)
        for cell_id, cell in cells.items()
        if spool.spooled_runs(prepared.folder, cell_id)
    ]


def _record(cell: Cell, prepared: Prepared, status: Status, reason: str, runs: Sequence[Run]) -> Record:
    spec = registry.workload(cell.workload)
    profile = prepared.options.profile
    own = tuple(variant for variant in spec.variants[profile] if check.size(variant) == check.size(cell))
    return Record(
        method_version=METHOD_VERSIONS[cell.mode],
        cell=cell,
        spec=msgspec.structs.replace(spec, variants={profile: own}),
        profile=profile,
        source_hash=registry.source_hash(cell.workload),
        commit=software.commit(REPOSITORY)[0],
        status=status,
        reason=reason,
        runs=tuple(runs),
    )
