"""Tables of jobs and waits: headline rates, course jobs, first steps, latency."""

from __future__ import annotations

import msgspec

from bench.report.evidence import jobs, thresholds, waits
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.cells import MISSING, NOTHING
from bench.report.tables.table import MACHINE, NO_GPU, Cellv, Draft, TableScope

CORES = (1, 2, 4, 8, 16)  # cores that readers ask about


@table.table("headline")
def headline(scope: TableScope) -> Draft:
    """Training on CPU and GPU, and how long a whole job takes: of the lead and of the first machine with a GPU.

    Where the lead is local, also of the published one that would lead without it.
    """
    evidence = scope.evidence
    leading = scope.leading
    others = [s for s in scope.sessions if s not in leading and evidence.view(s).has_gpu][:1]
    rows: list[tuple[Cellv, ...]] = []
    for session in sorted((*leading, *others), key=lambda s: not evidence.view(s).has_gpu):
        timed = {job.record.cell.workload: job for job in reversed(jobs.jobs(evidence, session))}
        start = scope.machine(session)
        if session is not leading[0]:
            start = msgspec.structs.replace(start, note=cells.doubt(evidence, session))
        for workload in scope.models():
            job = timed.get(workload)
            whole = MISSING if job is None else _job_time(scope, job)
            shown = (*cells.both_devices(scope, session, workload), whole)
            if session is scope.sessions[0] or any(cell.cells for cell in shown):
                rows.append((start, cells.text(evidence.title(workload)), *shown))
    columns: tuple[str, ...] = (MACHINE, "workload", "CPU", "GPU", "GPU over CPU", "a job on the CPU")
    has_gpu = any(evidence.view(session).has_gpu for session in scope.sessions)
    is_estimated = any(cell.is_estimated for row in rows for cell in row)
    ratio = ", beside a ratio at its fastest batch and usual precision, else in float32" if has_gpu else ""
    caption = (
        f"Training, each device with its best backend and compiler setting{ratio}. A job runs from starting Python to "
        "the quality target or the workload's last epoch; where neither is timed, it is computed for "
        f"{fmt.count(thresholds.COURSE_SAMPLES)} samples and marked so."
    )
    if is_estimated:
        card = fmt.with_article(estimated.CARD)
        batch = f"the CPU's batch, or {estimated.LEAST_BATCH} where that is more"
        caption += f" What is estimated is of {card}, a free one, in float32 at {batch}."
        rows = [tuple(cells.text("no estimate") if cell is NO_GPU else cell for cell in row) for row in rows]
    if not (has_gpu or is_estimated):
        columns, rows = (*columns[:3], columns[5]), [(*row[:3], row[5]) for row in rows]
    return Draft(caption=caption, columns=columns, rows=rows)


@table.table("patience")
def patience(scope: TableScope) -> Draft:
    """A course-sized amount of training on each number of cores and on the GPU."""
    evidence, n_samples = scope.evidence, thresholds.COURSE_SAMPLES
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            by_cores = waits.by_threads(evidence, session, workload)
            shown = []
            for record in (*map(by_cores.get, CORES), evidence.view(session).best(Pick(workload, "train", "gpu"))):
                time = None if record is None else waits.time_for(record, n_samples)
                shown.append(cells.estimate(scope, time, record))
            if any(cell is not MISSING for cell in shown):
                rows.append((scope.machine(session), cells.text(evidence.title(workload)), *shown))
    return Draft(
        caption=f"Training on {fmt.count(n_samples)} samples once, computed from the steady step (lower is better).",
        columns=(MACHINE, "workload", *map(fmt.cores, CORES), "GPU"),
        rows=rows,
    )


@table.table("first-step")
def first_step(scope: TableScope) -> Draft:
    """The first step beside a steady one."""
    rows: list[tuple[Cellv, ...]] = []
    for arm in select.arms(scope, modes=("train",)):
        machine, workload, _, words = cells.arm(scope, arm)
        record = arm.measured
        if record is None:
            rows.append((machine, workload, words, cells.failed(scope, arm.record), NOTHING, NOTHING))
            continue
        first, steady = quantities.first_step(record), quantities.step_time(record)
        steps = MISSING
        if first is not None and steady is not None:
            text = f"{fmt.number(first.value / steady.value)} steps"
            steps = Cellv(text=text, cells=scope.evidence.refs(record))
        words = cells.text(f"{words.text}, jit {record.cell.jit}")
        both = (cells.estimate(scope, time, record) for time in (first, steady))
        rows.append((machine, workload, words, *both, steps))
    return Draft(
        caption="Seconds of the first step, which traces and compiles, and of a steady step of the same training.",
        columns=(MACHINE, "workload", "backend", "first step", "steady step", "the first costs as much as"),
        rows=rows,
    )


@table.table("latency")
def latency(scope: TableScope) -> Draft:
    """Time of one inference step on its own, by batch size: its median and what 95 % of steps stay within."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            found = select.strict(scope, session, workload, mode="infer")
            for records in select.groups(found, lambda r: (*select.all_but_batch(r), r.cell.batch_size)):
                best = select.speaker(scope, records, "latency")
                machine, name, _, arm = cells.arm_of(scope, best)
                rows.append((
                    machine,
                    name,
                    cells.text(fmt.count(best.cell.batch_size)),
                    arm,
                    cells.or_failed(scope, best, quantities.latency),
                    cells.or_failed(scope, best, quantities.latency_tail),
                ))  # fmt: skip
    return Draft(
        caption="Seconds of one inference step, synchronised before and after (lower is better).",
        columns=(MACHINE, "workload", "batch size", "backend", "median", "95 % of steps within"),
        rows=rows,
    )


@table.table("course-jobs")
def course_jobs(scope: TableScope) -> Draft:
    """Whole jobs on the CPU, shortest first, each with how its time was found."""
    evidence = scope.evidence
    rows = [
        (
            scope.machine(session),
            cells.text(job.name),
            _job_time(scope, job),
            Cellv(text=job.arithmetic or job.note, cells=evidence.refs(job.record)),
            cells.text(cells.arm_text(job.record.cell.backend, "cpu")),
            Cellv(text=_limit_text(job), cells=evidence.refs(job.record)),
        )
        for session in scope.sessions
        for job in jobs.jobs(evidence, session)
        if job.record.cell.workload in scope.workloads
    ]
    return Draft(
        caption="Jobs of the size that courses ask for, from starting Python to the end.",
        columns=(MACHINE, "job", "time", "how", "backend", "done within"),
        rows=rows,
    )


def _job_time(scope: TableScope, job: jobs.Job) -> Cellv:
    if job.time is None:
        return Cellv(text=job.note, cells=scope.evidence.refs(job.record))
    cell = cells.estimate(scope, job.time, job.record)
    if job.is_measured:
        return cell
    return msgspec.structs.replace(cell, text=f"{cell.text}, computed", short=f"{cell.short}, computed")


def _limit_text(job: jobs.Job) -> str:
    for limit_s in (thresholds.COFFEE_BREAK_S, thresholds.OVERNIGHT_S):
        if job.ends_within(limit_s):
            return fmt.seconds(limit_s)
    return "no limit we use"
