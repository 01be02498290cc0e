"""Drives a session: plan, launch, store; yields what happened. Starts processes and writes results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from os import environ
from pathlib import Path
from time import monotonic

import msgspec

from bench.machine import cores as machine_cores
from bench.machine import describe, software
from bench.records import files, spool, store
from bench.schema import (
    BACKENDS,
    METHOD_VERSION,
    METHOD_VERSIONS,
    Cell,
    Machine,
    PlannedCell,
    Profile,
    Record,
    Request,
    Run,
    Session,
    Status,
    Variant,
)
from bench.session import cost, launch
from bench.session.plan import Plan, PlannedRun, plan
from bench.workloads import registry

DEFAULT_BACKENDS = ("tensorflow",)
MOST_AT_ONCE = 4  # smoke runs: each starts a framework of about a GB, and a laptop has eight


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    profile: Profile = "quick"
    only: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    backends: tuple[str, ...] = DEFAULT_BACKENDS
    devices: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    repeats: int | None = None
    seed: int = 0
    cell_ids: tuple[str, ...] = ()
    resume: bool = False
    time_budget_s: float | None = None
    timeout_s: float = launch.TIMEOUT_S  # of one run
    results: Path | None = None  # None: bench/results/local of this checkout
    machine_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A session that is ready to run: nothing has been written or started yet."""

    options: Options
    machine: Machine
    session: Session
    folder: Path
    is_new: bool
    plan: Plan
    note: str  # why a session is not resumed, or empty
    unclosed: tuple[Cell, ...] = ()  # all runs are spooled, but a kill came before the record was written


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


def prepare(options: Options, *, estimate: Callable[[Cell, Variant], float] | None = None) -> Prepared:
    """Describe the machine, find or name the session, plan what is missing.

    Args:
        estimate: seconds of one run; by default what all stored records tell, which takes seconds to read.

    Raises:
        UnknownNameError: a name on the command line does not exist.
        RecordError: stored results that the plan builds on are broken.
    """
    root = options.results or files.RESULTS
    local = options.results is None
    host = describe.describe(machine_id=options.machine_id)
    cores = machine_cores.cores()
    found = software.versions()
    folder, note = None, ""
    if options.resume:
        folder = store.latest_session_folder(root, host.id, local=local)
        if folder is not None:
            note = _why_not_resumed(folder, root, host, found, options.profile)
            folder = None if note else folder
    done: dict[str, int] = {}
    if folder is not None:
        stored = store.load_session(folder, root)
        done = dict.fromkeys(stored.records, 10**6)
    specs = registry.workloads()
    arguments = {
        "profile": options.profile,
        "installed": {backend: software.backend_version(backend) for backend in BACKENDS},
        "n_gpus": len(host.gpus),
        "n_cores": cores.effective,
        "only": options.only,
        "sweeps": options.sweeps,
        "backends": options.backends,
        "devices": options.devices,
        "threads": options.threads,
        "repeats": options.repeats,
        "seed": options.seed,
        "cell_ids": options.cell_ids,
        "install": software.INSTALL,
    }
    unclosed: tuple[Cell, ...] = ()
    if folder is not None:
        everything = plan(specs, **arguments)
        spooled = {cell_id: len(spool.spooled_runs(folder, cell_id)) for cell_id in everything.cells}
        done = spooled | done
        unclosed = tuple(
            cell
            for cell_id, cell in everything.cells.items()
            if cell_id not in stored.records and spooled[cell_id] >= everything.n_repeats[cell_id]
        )
    chosen = plan(
        specs,
        **arguments,
        estimate=estimate or estimator(root, host.id, options.profile),
        time_budget_s=options.time_budget_s,
        done=done,
    )
    if folder is not None:
        session = stored.session
        # A record of a skipped cell may exist already, and is never written twice.
        skipped = tuple(item for item in chosen.skipped if item[0].id not in stored.records)
        chosen = replace(chosen, skipped=skipped)
    else:
        session = _new_session(root, local, host, cores, found, options, chosen)
    target = folder or store.session_folder(root, host.id, session.id, local=local)
    return Prepared(
        options=options,
        machine=host,
        session=session,
        folder=target,
        is_new=folder is None,
        plan=chosen,
        note=note,
        unclosed=unclosed,
    )


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

    def run_of(planned: PlannedRun) -> Run:
        spec = registry.workload(planned.cell.workload)
        return launcher(
            Request(
                cell=planned.cell,
                variant=planned.variant,
                target=spec.target,
                kind=spec.kind,
                index=planned.index,
                order=planned.order,
                seed=prepared.plan.seed,
            )
        )

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


def estimator(root: Path, machine_id: str, profile: Profile) -> Callable[[Cell, Variant], float]:
    """Seconds that a run of a cell will take on this machine, learned from all stored records."""
    sessions = store.load(root, only_plausible=False).sessions
    pairs = ((session.machine.id, session.records.values()) for session in sessions)
    known = cost.known(pairs, registry.workloads())
    costs = cost.Costs(known, machine_id)
    return lambda cell, variant: costs.of(cell, variant, profile).seconds


def _record(cell: Cell, prepared: Prepared, status: Status, reason: str, runs: Sequence[Run]) -> Record:
    spec = registry.workload(cell.workload)
    profile = prepared.options.profile
    own = tuple(
        variant
        for variant in spec.variants[profile]
        if (variant.mode, variant.batch_size, variant.n_samples, variant.params)
        == (cell.mode, cell.batch_size, cell.n_samples, cell.params)
    )
    return Record(
        method_version=METHOD_VERSIONS[cell.mode],
        cell=cell,
        spec=msgspec.structs.replace(spec, variants={profile: own}),
        profile=profile,
        source_hash=registry.source_hash(cell.workload),
        commit=software.commit(launch.REPOSITORY)[0],
        status=status,
        reason=reason,
        runs=tuple(runs),
    )


def _new_session(
    root: Path,
    local: bool,
    host: Machine,
    cores: machine_cores.Cores,
    found: Mapping[str, str],
    options: Options,
    chosen: Plan,
) -> Session:
    now = datetime.now(UTC)
    commit, dirty = software.commit(launch.REPOSITORY)
    unmeasured = {}
    if commit is None:
        unmeasured |= {"commit": "not a git checkout", "dirty": "not a git checkout"}
    if cores.affinity is None:
        unmeasured["n_cores_affinity"] = "this operating system has no core affinity"
    if cores.quota is None:
        unmeasured["cgroup_quota_cores"] = "no quota is set"
    cells = [PlannedCell(cell_id=cell_id, n_repeats=chosen.n_repeats[cell_id]) for cell_id in chosen.cells]
    cells += [PlannedCell(cell_id=cell.id, n_repeats=0, skip=reason) for cell, reason in chosen.skipped]
    cells += [
        PlannedCell(cell_id=cell.id, n_repeats=0, skip="did not fit into the time budget")
        for cell, _ in chosen.left_out
    ]
    return Session(
        id=store.new_session_id(root, host.id, now.date().isoformat(), local=local),
        machine_id=host.id,
        profile=options.profile,
        started_at=now.isoformat(timespec="seconds"),
        seed=options.seed,
        n_repeats=max(chosen.n_repeats.values(), default=0),
        versions=dict(found),
        environment=software.variables(),
        n_cores_visible=cores.visible,
        n_cores_affinity=cores.affinity,
        cgroup_quota_cores=cores.quota,
        n_cores_effective=cores.effective,
        commit=commit,
        dirty=dirty,
        plan=tuple(cells),
        unmeasured=unmeasured,
    )


def _why_not_resumed(folder: Path, root: Path, host: Machine, found: Mapping[str, str], profile: Profile) -> str:
    """Why the latest session cannot go on, or an empty text: one session is one machine in one environment."""
    stored = store.load_session(folder, root)
    session = stored.session
    if session.profile != profile:
        return f"the latest session has the profile {session.profile}"
    if session.method_version != METHOD_VERSION and spool.has_spooled_runs(folder):
        # A run does not name its method: the record made of it would say that of today.
        return f"the latest session has runs left of method {session.method_version}, this is {METHOD_VERSION}"
    for name in sorted({*session.versions, *found}):
        before, now = session.versions.get(name, "absent"), found.get(name, "absent")
        if before != now:
            return f"{name} was {before} in the latest session and is {now} now"
    # The memory that a virtual machine shows may grow while it is used.
    before, now = (msgspec.structs.replace(m, unmeasured={}, memory_bytes=0) for m in (stored.machine, host))
    changed = [name for name in now.__struct_fields__ if getattr(before, name) != getattr(now, name)]
    return f"the machine's {' and '.join(changed)} changed since the latest session" if changed else ""
