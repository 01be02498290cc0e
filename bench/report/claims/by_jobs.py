"""Judges of beliefs that tell their own sentence: of whole training jobs on a CPU, and of a gain at inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.claims.case import Outcome, Part
from bench.report.claims.cases.names import serious
from bench.report.evidence import jobs as evidence_jobs
from bench.report.evidence.cells import Contrast
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.thresholds import (
    COFFEE_BREAK_S,
    COURSE_SAMPLES,
    COURSE_SHARE_FRAC,
    LOOK_UPS,
    MIN_JOBS,
    OVERNIGHT_S,
    WORTH_A_GPU_RATIO,
)
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken
from bench.report.stats.estimate import Estimate
from bench.schema import Record

LIKE_FOR_LIKE = "At equal settings on both"


class Told(NamedTuple):
    """What a judge says: the outcome, the sentence, and the rule in words."""

    outcome: Outcome
    parts: tuple[Part, ...]
    rule: str


def course_jobs(evidence: Evidence) -> Told:
    """Whether most jobs of a course take too long on a CPU."""
    limit = fmt.seconds(COFFEE_BREAK_S)
    rule = (
        f"False if at least {_share(COURSE_SHARE_FRAC)} of the course-size jobs end within {limit} on the CPU, with "
        f"the whole 95 % interval below it; true if every interval lies above it; it depends in between. A job runs "
        f"from starting Python to the quality target, or to the end of the workload's own epochs; a workload that "
        f"times neither counts {fmt.count(COURSE_SAMPLES)} samples, computed as set-up + first step + further steps x "
        f"step time. "
        f"Fewer than {MIN_JOBS} jobs decide nothing."
    )
    session, found = _session_with_jobs(evidence)
    words = Words(evidence)
    if session is None:
        n = max((len(evidence_jobs.jobs(evidence, s)) for s in serious(evidence)), default=0)
        words.say(f"Too few whole jobs have been timed on a CPU so far: {n} of the {MIN_JOBS} that the rule needs.")
        return Told("not measured", words.parts(), rule)
    short = [job for job in found if job.ends_within(COFFEE_BREAK_S)]
    records = [job.record for job in found]
    words.say("On ").number(_cpu(evidence, session, found), records[0]).say(", ")
    words.number(f"{len(short)} of {len(found)}", *records).say(f" course-size jobs end within {limit}")
    if short:
        words.say(": ").jobs(short)
    words.say(".")
    if len(short) < len(found):
        longer = [job for job in found if job.exceeds(COFFEE_BREAK_S)]
        if longer:
            words.say(" Longer: " if short else " They take: ").jobs(longer).say(".")
        if unclear := [job for job in found if job not in short and job not in longer]:
            words.say(" Too close to that to tell: ").jobs(unclear).say(".")
    if all(job.exceeds(COFFEE_BREAK_S) for job in found):
        return Told("true", words.parts(), rule)
    return Told("false" if len(short) >= COURSE_SHARE_FRAC * len(found) else "depends", words.parts(), rule)


def gain_at_inference(evidence: Evidence) -> Told:
    """Whether GPUs gain too little at inference to be of use there."""
    least = fmt.ratio(WORTH_A_GPU_RATIO)
    rule = (
        f"False if, for at least one model, inference on a GPU is at least {least} as fast as on the CPU of the same "
        f"session, with the whole 95 % interval above it; true if every interval lies below {least}; it depends "
        f"otherwise. Each side runs its fastest batch, usual precision, backend and compiler setting. "
        f"Without a GPU nothing is decided."
    )
    words = Words(evidence)
    found = [
        contrast
        for session in serious(evidence)
        for workload in evidence.model_workloads()
        if (contrast := evidence.view(session).best_contrast(Pick(workload, "infer"))) is not None
    ]
    if not found:
        words.say("Nobody has measured inference on a GPU here")
        largest = _largest_inference(evidence)
        rate = None if largest is None else quantities.throughput(largest)
        if largest is not None and rate is not None:
            title, noun = evidence.title(largest.cell.workload), evidence.noun(largest.cell.workload)
            words.say(f"; on {evidence.view(evidence.session_of(largest)).cpu_text(largest)}, {title} reaches ")
            words.estimate(rate, largest, noun=noun)
        words.say(".")
        return Told("not measured", words.parts(), rule)
    top = max(found, key=lambda c: (c.speedup.low, c.gpu.cell.id))
    worth = [c for c in found if c.speedup.low >= WORTH_A_GPU_RATIO]
    gpu = fmt.with_article(evidence.view(top.session).gpu_text(top.gpu) or "GPU")
    words.say(f"For inference with {evidence.title(top.gpu.cell.workload)}, {top.arms}, {gpu} is ")
    words.estimate(top.speedup, top.gpu, top.cpu)
    words.say(
        f" as fast as the CPU ({evidence.view(top.session).cpu_text(top.cpu)}) of {evidence.view(top.session).label}; "
    )
    everything = [record for contrast in found for record in (contrast.gpu, contrast.cpu)]
    words.number(f"{len(worth)} of {len(found)}", *everything).say(f" comparisons reach {least}")
    below = [c for c in found if c not in worth]
    if below:
        words.say("; those that do not: ").contrasts(below)
    words.say(".")
    same = evidence.view(top.session).contrast(Pick(top.gpu.cell.workload, "infer"))
    if same is not None and same != top:
        words.say(f" {LIKE_FOR_LIKE}, {same.arms}: ")
        words.estimate(same.speedup, same.gpu, same.cpu).say(".")
    if worth:
        return Told("false", words.parts(), rule)
    return Told("true" if all(c.speedup.high < WORTH_A_GPU_RATIO for c in found) else "depends", words.parts(), rule)


def jobs_in_a_night(evidence: Evidence) -> Told:
    """Whether a CPU fails to train a network to its target in a night."""
    night = fmt.seconds(OVERNIGHT_S)
    rule = (
        f"False if a workload with a quality target reaches it in every run within {night} on the CPU, start-up "
        f"included and the whole 95 % interval below it; true if none reaches it in any run in that time; it depends "
        f"in between. The largest model is the one with most weights whose job ends in that time, tables of look-ups "
        f"left out, since a step touches few of their rows."
    )
    words = Words(evidence)
    everywhere = ((s, evidence_jobs.jobs(evidence, s, sweeps=True)) for s in serious(evidence))
    session, found = next(
        ((s, f) for s, f in everywhere if any(evidence_jobs.has_target(job) for job in f)), (None, ())
    )
    if session is None:
        words.say("No network has been trained to a quality target on a CPU yet.")
        return Told("not measured", words.parts(), rule)
    aimed = [job for job in found if evidence_jobs.has_target(job)]
    words.say("On ").number(_cpu(evidence, session, found), aimed[0].record).say(", counted from starting Python,")
    for number, job in enumerate(aimed):
        words.say(f"{';' if number else ''} {job.name} reached its target in ")
        words.number(evidence_jobs.runs_that_reached(job.record), job.record)
        if job.time is not None:
            words.say(", after ").estimate(job.time, job.record)
    words.say(".")
    done = [
        job
        for job in found
        if job.ends_within(OVERNIGHT_S) and quantities.n_params(job.record) and job.record.cell.workload != LOOK_UPS
    ]
    if done:
        largest = max(done, key=lambda job: (quantities.n_params(job.record), job.record.cell.id))
        weights = fmt.short_count(quantities.n_params(largest.record) or 0)
        words.say(f" The largest model whose job ends within {night} is {largest.name}, with ")
        words.number(f"{weights} weights", largest.record).say(", after ")
        words.estimate(largest.time, largest.record)
        words.say("" if largest.is_measured else " (computed)").say(".")
    late = [job for job in found if not job.ends_within(OVERNIGHT_S) and not evidence_jobs.has_target(job)]
    if late:
        words.say(" Not within that time: ").jobs(late).say(".")
    if any(job.ends_within(OVERNIGHT_S) and evidence_jobs.reached_in_every_run(job.record) for job in aimed):
        return Told("false", words.parts(), rule)
    hopeless = not any(evidence_jobs.n_reached(job.record, OVERNIGHT_S) for job in aimed)
    return Told("true" if hopeless else "depends", words.parts(), rule)


def _session_with_jobs(evidence: Evidence) -> tuple[SessionResults | None, tuple[evidence_jobs.Job, ...]]:
    for session in serious(evidence):
        found = evidence_jobs.jobs(evidence, session)
        if len(found) >= MIN_JOBS:
            return session, found
    return None, ()


def _largest_inference(evidence: Evidence) -> Record | None:
    """The CPU's inference record of the model with most weights, in the first session that has one."""
    for session in serious(evidence):
        found = [evidence.view(session).best(Pick(workload, "infer", "cpu")) for workload in evidence.model_workloads()]
        measured = [record for record in found if record is not None]
        if measured:
            return max(measured, key=lambda record: (quantities.n_params(record) or 0, record.cell.id))
    return None


def _cpu(evidence: Evidence, session: SessionResults, found: Iterable[evidence_jobs.Job]) -> str:
    """The CPU with the cores its jobs used; "this machine" where it is the reader's."""
    n_threads = max(job.record.cell.threads for job in found)
    words = f"{fmt.cpu(session.machine.cpu_model)}, {fmt.cores(n_threads)}"
    return f"this machine ({words})" if session.is_local else f"{evidence.view(session).label} ({words})"


def _share(value_frac: float) -> str:
    return "half" if value_frac == 0.5 else fmt.percent(value_frac)


class Words:
    """A sentence under construction."""

    def __init__(self, evidence: Evidence) -> None:
        """``evidence`` gives the addresses of the records behind the numbers."""
        self.evidence = evidence
        self._parts: list[Part] = []

    def say(self, text: str) -> Words:
        """Adds plain words."""
        if text:
            self._parts.append(Part(text))
        return self

    def number(self, text: str, *records: Record, short: str = "") -> Words:
        """Adds a number that rests on records; ``short`` as a sentence says it."""
        self._parts.append(Part(text, self.evidence.refs(*records), short=short))
        return self

    def estimate(self, value: Estimate | None, *records: Record, noun: str = "samples") -> Words:
        """Adds an estimate that rests on records."""
        short = "" if value is None else spoken.spoken(value, noun)
        return self.number(fmt.interval(value, noun), *records, short=short)

    def parts(self) -> tuple[Part, ...]:
        """The sentence so far."""
        return tuple(self._parts)

    def jobs(self, found: Iterable[evidence_jobs.Job]) -> Words:
        """Adds jobs with the time that each takes."""
        for n, job in enumerate(found):
            self.say(f"{'; ' if n else ''}{job.name}, ")
            if job.time is None:
                self.number(job.note, job.record)
            else:
                self.number(fmt.estimate(job.time), job.record, short=spoken.seconds(job.time.value))
            if job.time is not None and not job.is_measured:
                self.say(" (computed)")
        return self

    def contrasts(self, found: Iterable[Contrast]) -> Words:
        """Adds comparisons with the gain of each."""
        for n, contrast in enumerate(found):
            place = f"{self.evidence.title(contrast.gpu.cell.workload)} on {self.evidence.view(contrast.session).label}"
            self.say(f"{'; ' if n else ''}{place}, {contrast.arms}, ")
            self.estimate(contrast.speedup, contrast.gpu, contrast.cpu)
        return self


JUDGES: Mapping[str, Callable[[Evidence], Told]] = {
    judge.__name__: judge for judge in (course_jobs, gain_at_inference, jobs_in_a_night)
}
