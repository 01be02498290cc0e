"""Beliefs and the written rules that decide them from estimates. Pure: evidence in, verdict out.

A threshold is a named constant with its reason. Moving one is a change of method and belongs in CHANGELOG.md.
Every rule is decided by intervals, not by values alone: what straddles a threshold counts for neither side.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from bench.report import format as fmt
from bench.report import stats
from bench.report.stats import Estimate
from bench.schema import Record, Scalar, Workload

if TYPE_CHECKING:
    from bench.report.rows import CellRef, Contrast, Evidence
    from bench.store import SessionResults

Outcome = Literal["true", "false", "depends", "not measured"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# A wait that fits into a break from studying; longer, and the next attempt happens another day.
COFFEE_BREAK_S = 600.0
# From leaving in the evening to coming back in the morning.
OVERNIGHT_S = 12 * 3600.0
# Half: a belief about "always" that fails for every second job of its own readers does not hold for them.
COURSE_SHARE_FRAC = 0.5
# Half of one or two jobs would be one lucky job.
MIN_JOBS = 3
# What a course asks of a model whose workload times no whole job: ten passes over 2,000 examples, the size of the
# data set in the article whose "42 minutes against 33 seconds" many readers come with.
COURSE_SAMPLES = 20_000
# Twice as fast is the least for which people put up with a second machine, its driver and its price.
WORTH_A_GPU_RATIO = 2.0


class VerdictError(LookupError):
    """A verdict that does not exist; the message names near ones."""


class Part(msgspec.Struct, frozen=True):
    """A piece of a sentence; ``cells`` is not empty when it shows a measured number."""

    text: str
    cells: tuple[CellRef, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A belief, what the records say about it, and the rule that decided."""

    id: str
    belief: str
    outcome: Outcome
    parts: tuple[Part, ...]
    rule: str

    @property
    def sentence(self) -> str:
        """The answer as plain text, numbers included."""
        return "".join(part.text for part in self.parts)

    @property
    def numbers(self) -> tuple[Part, ...]:
        """The parts that show measured numbers."""
        return tuple(part for part in self.parts if part.cells)

    @property
    def cells(self) -> tuple[CellRef, ...]:
        """Every cell the sentence rests on, without repeats."""
        return tuple(dict.fromkeys(cell for part in self.parts for cell in part.cells))


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


ALL: dict[str, Callable[[Evidence], Verdict]] = {}


def verdict(verdict_id: str) -> Callable[[Callable[[Evidence], Verdict]], Callable[[Evidence], Verdict]]:
    """Register a rule under a permanent id."""

    def register(rule: Callable[[Evidence], Verdict]) -> Callable[[Evidence], Verdict]:
        ALL[verdict_id] = rule
        return rule

    return register


def lookup(verdict_id: str, evidence: Evidence) -> Verdict:
    """One verdict on the present evidence.

    Raises:
        VerdictError: no such verdict.
    """
    if verdict_id not in ALL:
        near = difflib.get_close_matches(verdict_id, ALL, n=2) or sorted(ALL)
        raise VerdictError(f"unknown verdict {verdict_id!r}; did you mean {' or '.join(map(repr, near))}?")
    return ALL[verdict_id](evidence)


@verdict("always-requires-gpu")
def always_requires_gpu(evidence: Evidence) -> Verdict:
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

    def decide(outcome: Outcome, words: _Words) -> Verdict:
        belief = "Deep learning always requires a powerful GPU."
        return Verdict(id="always-requires-gpu", belief=belief, outcome=outcome, parts=words.parts(), rule=rule)

    session, found = _session_with_jobs(evidence)
    words = _Words(evidence)
    if session is None:
        n = max((len(jobs(evidence, s)) for s in _serious(evidence)), default=0)
        words.say(f"Too few whole jobs have been timed on a CPU so far: {n} of the {MIN_JOBS} that the rule needs.")
        return decide("not measured", words)
    short = [job for job in found if job.ends_within(COFFEE_BREAK_S)]
    records = [job.record for job in found]
    words.say("On ").number(_cpu(evidence, session, found), records[0]).say(", ")
    words.number(f"{len(short)} of {len(found)}", *records).say(f" course-size jobs end within {limit}")
    if short:
        words.say(": ").jobs(short)
    words.say(".")
    if len(short) < len(found):
        words.say(" Longer: " if short else " They take: ").jobs(job for job in found if job not in short).say(".")
    if all(job.exceeds(COFFEE_BREAK_S) for job in found):
        return decide("true", words)
    return decide("false" if len(short) >= COURSE_SHARE_FRAC * len(found) else "depends", words)


@verdict("only-for-training")
def only_for_training(evidence: Evidence) -> Verdict:
    """Whether GPUs gain too little at inference to be of use there."""
    least = fmt.ratio(WORTH_A_GPU_RATIO)
    rule = (
        f"False if, for at least one model, inference on a GPU is at least {least} as fast as on the CPU of the same "
        f"session, with the whole 95 % interval above it; true if every interval lies below {least}; it depends "
        f"otherwise. Each side runs its best backend and jit arm at the same batch size. "
        f"Without a GPU nothing is decided."
    )

    def decide(outcome: Outcome, words: _Words) -> Verdict:
        belief = "GPUs are only useful for training."
        return Verdict(id="only-for-training", belief=belief, outcome=outcome, parts=words.parts(), rule=rule)

    words = _Words(evidence)
    found = [
        contrast
        for session in _serious(evidence)
        for workload in evidence.model_workloads()
        if (contrast := evidence.contrast(session, workload, "infer")) is not None
    ]
    if not found:
        words.say("Inference on a GPU is not measured yet")
        largest = _largest_inference(evidence)
        rate = None if largest is None else stats.throughput(largest)
        if largest is not None and rate is not None:
            title, noun = evidence.title(largest.cell.workload), evidence.noun(largest.cell.workload)
            words.say(f"; on {evidence.cpu_text(evidence.session_of(largest), largest)}, {title} reaches ")
            words.number(fmt.interval(rate, noun), largest)
        words.say(".")
        return decide("not measured", words)
    top = max(found, key=lambda c: (c.speedup.low, c.gpu.cell.id))
    worth = [c for c in found if c.speedup.low >= WORTH_A_GPU_RATIO]
    words.say(f"For inference with {evidence.title(top.gpu.cell.workload)} in batches of {top.gpu.cell.batch_size}, ")
    words.say(f"{evidence.gpu_text(top.session) or 'the GPU'} is ").number(fmt.interval(top.speedup), top.gpu, top.cpu)
    words.say(f" as fast as the CPU ({evidence.cpu_text(top.session, top.cpu)}) of {evidence.label(top.session)}; ")
    everything = [record for contrast in found for record in (contrast.gpu, contrast.cpu)]
    words.number(f"{len(worth)} of {len(found)}", *everything).say(f" comparisons reach {least}")
    below = [c for c in found if c not in worth]
    if below:
        words.say("; those that do not: ").contrasts(below)
    words.say(".")
    if worth:
        return decide("false", words)
    return decide("true" if all(c.speedup.high < WORTH_A_GPU_RATIO for c in found) else "depends", words)


@verdict("not-feasible-without-gpu")
def not_feasible_without_gpu(evidence: Evidence) -> Verdict:
    """Whether a CPU fails to train a network to its target in a night."""
    night = fmt.seconds(OVERNIGHT_S)
    rule = (
        f"False if a workload with a quality target reaches it in every run within {night} on the CPU, start-up "
        f"included and the whole 95 % interval below it; true if none reaches it in any run in that time; it depends "
        f"in between. The largest model is the one with most weights whose job ends in that time."
    )

    def decide(outcome: Outcome, words: _Words) -> Verdict:
        belief = "Without a GPU, deep learning is not feasible."
        return Verdict(id="not-feasible-without-gpu", belief=belief, outcome=outcome, parts=words.parts(), rule=rule)

    words = _Words(evidence)
    everywhere = ((s, jobs(evidence, s, sweeps=True)) for s in _serious(evidence))
    session, found = next(((s, f) for s, f in everywhere if any(_has_target(job) for job in f)), (None, ()))
    if session is None:
        words.say("No network has been trained to a quality target on a CPU yet.")
        return decide("not measured", words)
    aimed = [job for job in found if _has_target(job)]
    words.say("On ").number(_cpu(evidence, session, found), aimed[0].record)
    for number, job in enumerate(aimed):
        words.say(f"{', and' if number else ','} {job.name} reached its target in ")
        words.number(_runs_that_reached(job.record), job.record)
        if job.time is not None:
            words.say(", in ").number(fmt.interval(job.time), job.record)
    words.say(".")
    done = [job for job in found if job.ends_within(OVERNIGHT_S) and stats.n_params(job.record)]
    if done:
        largest = max(done, key=lambda job: (stats.n_params(job.record), job.record.cell.id))
        weights = fmt.short_count(stats.n_params(largest.record) or 0)
        words.say(f" The largest model whose job ends within {night} is {largest.name}, with ")
        words.number(f"{weights} weights", largest.record).say(", after ")
        words.number(fmt.interval(largest.time), largest.record)
        words.say("" if largest.is_measured else " (computed)").say(".")
    late = [job for job in found if not job.ends_within(OVERNIGHT_S) and not _has_target(job)]
    if late:
        words.say(" Not within that time: ").jobs(late).say(".")
    if any(job.ends_within(OVERNIGHT_S) and _reached_in_every_run(job.record) for job in aimed):
        return decide("false", words)
    hopeless = not any(_n_reached(job.record, OVERNIGHT_S) for job in aimed)
    return decide("true" if hopeless else "depends", words)


IDS = tuple(ALL)


def jobs(evidence: Evidence, session: SessionResults | None, *, sweeps: bool = False) -> tuple[Job, ...]:
    """Whole tasks on a session's CPU, shortest first: headline variants and those that time a whole job.

    With ``sweeps`` also the other sizes that a workload is measured at. A workload that was only skipped is left out.
    """
    found = []
    for workload in evidence.model_workloads():
        groups: dict[tuple[tuple[str, Scalar], ...], list[Record]] = {}
        for record in evidence.records(session, workload=workload, mode="train", device="cpu"):
            if record.cell.precision == "float32-strict" and record.status != "skipped":
                groups.setdefault(tuple(sorted(record.cell.params.items())), []).append(record)
        spec = evidence.workloads[workload]
        for records in groups.values():
            first = [record for record in records if _is_first(record)]
            if not first and not sweeps:
                continue
            n_threads = max(record.cell.threads for record in first or records)
            among = [_job(record, spec, evidence) for record in first or records if record.cell.threads == n_threads]
            found.append(min(among, key=_job_order))
    return tuple(sorted(found, key=lambda job: (_length(job), job.name)))


def job_samples(record: Record, spec: Workload) -> int:
    """Samples that the record's whole job passes through the model: the reference size, whatever the profile."""
    cell = record.cell
    for variant in (*spec.variants.get("reference", ()), *record.spec.variants.get(record.profile, ())):
        if variant.mode == cell.mode and variant.n_job_epochs and dict(variant.params) == dict(cell.params):
            return variant.n_samples * variant.n_job_epochs
    return COURSE_SAMPLES


def _job(record: Record, spec: Workload, evidence: Evidence) -> Job:
    from_target = record.spec.target is not None
    distinct = evidence.distinct_params(record)
    name = evidence.title(record.cell.workload) + (f" ({fmt.params(distinct)})" if distinct else "")
    common = {"name": name, "record": record}
    if record.status != "ok":
        return Job(**common, time=None, is_measured=True, arithmetic="", note=fmt.status(record.status, record.reason))
    if from_target:
        time = stats.whole_time_to_target(record)
        note = "" if time is not None else f"target reached in {_runs_that_reached(record)}"
        return Job(**common, time=time, is_measured=True, arithmetic="measured, to the quality target", note=note)
    n_samples = job_samples(record, spec)
    noun, batch = evidence.noun(record.cell.workload), record.cell.batch_size
    if stats.job_time(record) is not None and n_samples == _timed_samples(record):
        arithmetic = f"measured, {fmt.count(n_samples)} {noun}"
        return Job(**common, time=stats.whole_job_time(record), is_measured=True, arithmetic=arithmetic)
    n_steps = math.ceil(n_samples / batch)
    parts = (stats.set_up(record), stats.first_step(record), stats.step_time(record))
    if any(part is None for part in parts):
        return Job(**common, time=None, is_measured=False, arithmetic="", note=fmt.NOT_MEASURED)
    set_up, first, step = (fmt.estimate(part) for part in parts)
    arithmetic = (
        f"{fmt.count(n_samples)} {noun} / {batch} = {fmt.count(n_steps)} steps: "
        f"{set_up} set-up + {first} first step + {fmt.count(n_steps - 1)} x {step}"
    )
    return Job(**common, time=stats.projected_time(record, n_steps), is_measured=False, arithmetic=arithmetic)


def _timed_samples(record: Record) -> int:
    epochs = max((len(run.job.epochs) for run in record.runs if run.job is not None), default=0)
    return record.cell.n_samples * epochs


def _is_first(record: Record) -> bool:
    """Whether the cell's variant is a headline or a whole job."""
    cell = record.cell
    return any(
        (v.headline or v.n_job_epochs > 0)
        and (v.mode, v.batch_size, v.n_samples, dict(v.params))
        == (cell.mode, cell.batch_size, cell.n_samples, dict(cell.params))
        for v in record.spec.variants.get(record.profile, ())
    )


def _job_order(job: Job) -> tuple[float, float, str]:
    """Runs that got there count before speed: a fast arm that misses its target is not the best one."""
    reached = stats.reached_frac(job.record)
    return (0.0 if reached is None else -reached.value, _length(job), job.record.cell.id)


def _length(job: Job) -> float:
    return math.inf if job.time is None else job.time.value


def _serious(evidence: Evidence) -> tuple[SessionResults, ...]:
    """Sessions of real size, the leading one first: smoke runs only prove that the code runs."""
    return tuple(session for session in evidence.shown if session.session.profile != "smoke")


def _session_with_jobs(evidence: Evidence) -> tuple[SessionResults | None, tuple[Job, ...]]:
    for session in _serious(evidence):
        found = jobs(evidence, session)
        if len(found) >= MIN_JOBS:
            return session, found
    return None, ()


def _has_target(job: Job) -> bool:
    return job.record.spec.target is not None


def _n_reached(record: Record, limit_s: float = math.inf) -> int:
    target = record.spec.target
    return sum(
        run.status == "ok"
        and run.job is not None
        and target is not None
        and any(e.quality is not None and e.quality >= target.at_least and e.at_s <= limit_s for e in run.job.epochs)
        for run in record.runs
    )


def _reached_in_every_run(record: Record) -> bool:
    return bool(record.runs) and _n_reached(record) == len(record.runs)


def _runs_that_reached(record: Record) -> str:
    return f"{_n_reached(record)} of {len(record.runs)} runs"


def _largest_inference(evidence: Evidence) -> Record | None:
    """The CPU's inference record of the model with most weights, in the first session that has one."""
    for session in _serious(evidence):
        found = [evidence.best(session, workload, "infer", "cpu") for workload in evidence.model_workloads()]
        measured = [record for record in found if record is not None]
        if measured:
            return max(measured, key=lambda record: (stats.n_params(record) or 0, record.cell.id))
    return None


def _cpu(evidence: Evidence, session: SessionResults, found: Iterable[Job]) -> str:
    """The CPU with the cores its jobs used; "this machine" where it is the reader's."""
    n_threads = max(job.record.cell.threads for job in found)
    words = f"{session.machine.cpu_model}, {fmt.cores(n_threads)}"
    return f"this machine ({words})" if session.is_local else f"{evidence.label(session)} ({words})"


def _share(value_frac: float) -> str:
    return "half" if value_frac == 0.5 else fmt.percent(value_frac)


class _Words:
    """A sentence under construction."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._parts: list[Part] = []

    def say(self, text: str) -> _Words:
        if text:
            self._parts.append(Part(text))
        return self

    def number(self, text: str, *records: Record) -> _Words:
        self._parts.append(Part(text, self._evidence.refs(*records)))
        return self

    def jobs(self, found: Iterable[Job]) -> _Words:
        for n, job in enumerate(found):
            self.say(f"{'; ' if n else ''}{job.name}, ")
            self.number(job.note if job.time is None else fmt.estimate(job.time), job.record)
            if job.time is not None and not job.is_measured:
                self.say(" (computed)")
        return self

    def contrasts(self, found: Iterable[Contrast]) -> _Words:
        for n, contrast in enumerate(found):
            place = f"{self._evidence.title(contrast.gpu.cell.workload)} on {self._evidence.label(contrast.session)}"
            self.say(f"{'; ' if n else ''}{place}, ")
            self.number(fmt.interval(contrast.speedup), contrast.gpu, contrast.cpu)
        return self

    def parts(self) -> tuple[Part, ...]:
        return tuple(self._parts)
