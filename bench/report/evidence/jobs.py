"""Whole training jobs: how long each takes, and whether it reached its target."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bench import grouped
from bench.report.evidence import cells
from bench.report.evidence.thresholds import COURSE_SAMPLES
from bench.report.evidence.view import Pick, most_threads
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.schema import Record, Workload

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.evidence.evidence import Evidence


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One whole task on a CPU, from starting Python to the end, on the backend and jit arm that end first.

    ``time`` is None when the task did not end; ``note`` then says why. ``arithmetic`` shows how a computed time
    follows from measured parts, and says "measured" otherwise.
    """

    name: str
    record: Record
    time: Estimate | None
    is_measured: bool
    arithmetic: str
    note: str = ""

    def ends_within(self, limit_s: float) -> bool:
        """Whether the whole interval lies below the limit."""
        return self.time is not None and self.time.high <= limit_s

    def exceeds(self, limit_s: float) -> bool:
        """Whether the whole interval lies above the limit, or the task never ended."""
        return self.time is None or self.time.low > limit_s


def jobs(evidence: Evidence, session: SessionResults | None, *, sweeps: bool = False) -> tuple[Job, ...]:
    """Whole tasks on a session's CPU, shortest first: headline variants and those that time a whole job.

    With ``sweeps`` also the other sizes that a workload is measured at. A workload that was only skipped is left out.
    """
    found = []
    for workload in evidence.model_workloads():
        every = evidence.view(session).records(Pick(workload, "train", "cpu", precision="float32-strict"))
        ran = (record for record in every if record.status != "skipped")
        spec = evidence.workloads[workload]
        for records in grouped(ran, cells.params_key).values():
            first = [record for record in records if _is_first(record)]
            if not first and not sweeps:
                continue
            among = evidence.undisturbed(most_threads(first or records))
            found.append(min((_job(record, spec, evidence) for record in among), key=_job_order))
    return tuple(sorted(found, key=lambda job: (_length(job), job.name)))


def job_samples(record: Record, spec: Workload) -> int:
    """Samples that the record's whole job passes through the model: the reference size, whatever the profile."""
    cell = record.cell
    for variant in (*spec.variants.get("reference", ()), *cells.variants_of(record)):
        if variant.mode == cell.mode and variant.n_job_epochs and dict(variant.params) == dict(cell.params):
            return variant.n_samples * variant.n_job_epochs
    return COURSE_SAMPLES


def _job(record: Record, spec: Workload, evidence: Evidence) -> Job:
    from_target = record.spec.target is not None
    size = evidence.size(record)
    name = evidence.title(record.cell.workload) + (f" ({size})" if size else "")
    job = partial(Job, name=name, record=record)
    if record.status != "ok":
        return job(time=None, is_measured=True, arithmetic="", note=fmt.status(record.status, record.reason))
    if from_target:
        time = quantities.whole_time_to_target(record)
        note = "" if time is not None else f"target reached in {runs_that_reached(record)}"
        return job(time=time, is_measured=True, arithmetic="measured, to the quality target", note=note)
    n_samples = job_samples(record, spec)
    noun, batch = evidence.noun(record.cell.workload), record.cell.batch_size
    if quantities.job_time(record) is not None and n_samples == _timed_samples(record):
        arithmetic = f"measured, {fmt.count(n_samples)} {noun}"
        return job(time=quantities.whole_job_time(record), is_measured=True, arithmetic=arithmetic)
    n_steps = math.ceil(n_samples / batch)
    parts = (quantities.set_up(record), quantities.first_step(record), quantities.step_time(record))
    if any(part is None for part in parts):
        return job(time=None, is_measured=False, arithmetic="", note=fmt.NOT_MEASURED)
    set_up, first, step = (fmt.estimate(part) for part in parts)
    arithmetic = (
        f"{fmt.count(n_samples)} {noun} / {batch} = {fmt.count(n_steps)} steps: "
        f"{set_up} set-up + {first} first step + {fmt.count(n_steps - 1)} x {step}"
    )
    return job(time=quantities.projected_time(record, n_steps), is_measured=False, arithmetic=arithmetic)


def _timed_samples(record: Record) -> int:
    epochs = max((len(run.job.epochs) for run in record.runs if run.job is not None), default=0)
    return record.cell.n_samples * epochs


def _is_first(record: Record) -> bool:
    """Whether the cell's variant is a headline or a whole job."""
    return any(v.headline or v.n_job_epochs > 0 for _, v in cells.own_variants(record))


def _job_order(job: Job) -> tuple[float, float, str]:
    """Runs that got there count before speed: a fast arm that misses its target is not the best one."""
    reached = quantities.reached_frac(job.record)
    return (0.0 if reached is None else -reached.value, _length(job), job.record.cell.id)


def _length(job: Job) -> float:
    return math.inf if job.time is None else job.time.value


def has_target(job: Job) -> bool:
    """Whether the job's workload has a quality to reach."""
    return job.record.spec.target is not None


def n_reached(record: Record, limit_s: float = math.inf) -> int:
    """Runs that reached the target within so many seconds."""
    target = record.spec.target
    return sum(
        run.status == "ok"
        and run.job is not None
        and target is not None
        and any(e.quality is not None and e.quality >= target.at_least and e.at_s <= limit_s for e in run.job.epochs)
        for run in record.runs
    )


def reached_in_every_run(record: Record) -> bool:
    """Whether every run reached the target."""
    return bool(record.runs) and n_reached(record) == len(record.runs)


def runs_that_reached(record: Record) -> str:
    """How many of the runs reached the target, in words."""
    return f"{n_reached(record)} of {len(record.runs)} runs"
