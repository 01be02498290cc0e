"""What comes before a sitting: the machine described, its session found or named, the plan made. Reads results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import REPOSITORY
from bench.machine import cores as machine_cores
from bench.machine import describe, software
from bench.records import files, gather, spool, store
from bench.schema import BACKENDS, METHOD_VERSION, Cell, Machine, PlannedCell, Profile, Session, Variant
from bench.session import arms, cost, launch
from bench.session.plan import Plan, plan
from bench.workloads import registry

ALL_RUNS = 10**6  # of a cell with a record, however many were planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(arms.Selection):
    """What to measure, and how and where to store it, as it was asked for."""

    resume: bool = False
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
    last_end: datetime  # of the runs that it has already
    unclosed: tuple[Cell, ...] = ()  # all runs are spooled, but a kill came before the record was written


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
    machine = describe.describe(machine_id=options.machine_id)
    cores = machine_cores.cores()
    versions = software.versions()
    stored, note = _latest(root, local, machine, versions, options) if options.resume else (None, "")
    recorded = stored.records if stored else {}
    done = (spool.n_spooled(root / stored.path) if stored else {}) | dict.fromkeys(recorded, ALL_RUNS)
    host = arms.Host(
        installed={backend: software.backend_version(backend) for backend in BACKENDS},
        n_gpus=len(machine.gpus),
        n_cores=cores.effective,
    )
    chosen = plan(
        registry.workloads(),
        options,
        host,
        estimate=estimate or estimator(root, machine.id, options.profile),
        done=done,
    )
    # A record of a skipped cell may exist already, and is never written twice.
    chosen = replace(chosen, skipped=tuple(item for item in chosen.skipped if item[0].id not in recorded))
    session = stored.session if stored else _new_session(root, local, machine, cores, versions, options, chosen)
    return Prepared(
        options=options,
        machine=machine,
        session=session,
        folder=store.session_folder(root, machine.id, session.id, local=local),
        is_new=stored is None,
        plan=chosen,
        note=note,
        last_end=_last_end(stored, root),
        unclosed=tuple(cell for cell in chosen.finished if cell.id not in recorded),
    )


def _last_end(stored: store.SessionResults | None, root: Path) -> datetime:
    """When the last run of a stored session ended, by the clock of its start and the seconds it took."""
    runs = [run for record in stored.records.values() for run in record.runs] if stored else []
    if stored:
        folder = root / stored.path
        runs += [run for cell_id in spool.n_spooled(folder) for run in spool.spooled_runs(folder, cell_id)]
    ends = (datetime.fromisoformat(run.started_at) + timedelta(seconds=run.total_s) for run in runs)
    return max(ends, default=datetime.min.replace(tzinfo=UTC))


def estimator(root: Path, machine_id: str, profile: Profile) -> Callable[[Cell, Variant], float]:
    """Seconds that a run of a cell will take on this machine, learned from all stored records."""
    sessions = store.load(root, only_plausible=False).sessions
    pairs = ((session.machine.id, session.records.values()) for session in sessions)
    known = cost.known(pairs, registry.workloads())
    costs = cost.Costs(known, machine_id)
    return lambda cell, variant: costs.of(cell, variant, profile).seconds


def _latest(
    root: Path, local: bool, machine: Machine, versions: Mapping[str, str], options: Options
) -> tuple[store.SessionResults | None, str]:
    """This machine's latest session if it can go on, else why it cannot."""
    folder = store.latest_session_folder(root, machine.id, local=local)
    if folder is None:
        return None, ""
    stored = store.load_session(folder, root)
    note = _why_not_resumed(stored, folder, machine, versions, options.profile)
    return (None, note) if note else (stored, "")


def _new_session(
    root: Path,
    local: bool,
    machine: Machine,
    cores: machine_cores.Cores,
    versions: Mapping[str, str],
    options: Options,
    chosen: Plan,
) -> Session:
    now = datetime.now(UTC)
    commit, dirty = software.commit(REPOSITORY)
    unmeasured: dict[str, str] = {}
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
        id=store.new_session_id(root, machine.id, now.date().isoformat(), local=local),
        machine_id=machine.id,
        profile=options.profile,
        started_at=now.isoformat(timespec="seconds"),
        seed=options.seed,
        n_repeats=max(chosen.n_repeats.values(), default=0),
        versions=dict(versions),
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


def _why_not_resumed(
    stored: store.SessionResults, folder: Path, machine: Machine, versions: Mapping[str, str], profile: Profile
) -> str:
    """Why the latest session cannot go on, or an empty text: one session is one machine in one environment."""
    session = stored.session
    if session.profile != profile:
        return f"the latest session has the profile {session.profile}"
    if session.method_version != METHOD_VERSION and spool.has_spooled_runs(folder):
        # A run does not name its method: the record made of it would say that of today.
        return f"the latest session has runs left of method {session.method_version}, this is {METHOD_VERSION}"
    for name in sorted({*session.versions, *versions}):
        was, is_now = session.versions.get(name, "absent"), versions.get(name, "absent")
        if was != is_now:
            return f"{name} was {was} in the latest session and is {is_now} now"
    changed = gather.machine_changes(stored.machine, machine)
    return f"the machine's {' and '.join(changed)} changed since the latest session" if changed else ""
