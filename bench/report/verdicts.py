"""Beliefs and the written rules that decide them. Pure: evidence in, verdict out.

A threshold is a named constant with its reason. Moving one is a change of method and belongs in CHANGELOG.md.
Every rule is decided by intervals, not by values alone: what straddles a threshold counts for neither side.
Rules over published figures are for what no run of ours can decide; their verdicts say so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from bench.report import cases as of
from bench.report import format as fmt
from bench.report import published, rules, stats
from bench.report.cases import serious
from bench.report.rules import (
    OUTCOMES,
    Belief,
    Case,
    Outcome,
    Part,
    Statement,
    Test,
    Verdict,
    VerdictError,
    lookup,
    verdict,
)
from bench.report.stats import Estimate
from bench.schema import Record, Scalar, Workload

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.rows import Contrast, Evidence

__all__ = ["IDS", "OUTCOMES", "Job", "Outcome", "Part", "Verdict", "VerdictError", "job_samples", "jobs", "lookup"]

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
# As fast as: what a belief in "always faster" or "no slower" says.
EVEN_RATIO = 1.0
# The factor that the belief itself names.
HUNDRED_RATIO = 100.0
# What people who hold that an optimised CPU keeps up usually say, "about twice", with room for a machine's luck.
NEARLY_AS_FAST_RATIO = 2.5
# The lower end of "CPUs beat GPUs four to fifteen times", as GPU over CPU.
CPU_AHEAD_RATIO = 1 / 4
# Below half as much again, nobody would call a recurrent network sped up.
LSTM_GAIN_RATIO = 1.5
# An answer that takes longer is felt as a wait (Nielsen, Usability Engineering, 1993: 0.1 s feels instant).
INSTANT_S = 0.1
# The slowest rate that is called video.
VIDEO_PER_S = 24.0
# Half the speed of the data-centre card of the same years, for a card sold to players, is "suited" by any measure.
SUITED_RATIO = 0.5
# Nine tenths: what is advertised as doubling, or as a peak, may fall short by a tenth before it is called wrong.
NEARLY_ALL_FRAC = 0.9
# A fifth more is the least that a timing by hand would notice.
NOTICED_RATIO = 1.2
# Half as long per doubling, with a fifth of slack: 1 / 0.6.
DOUBLED_RATIO = 1 / 0.6
# First steps that take a third longer make a plan from the first epoch wrong.
FIRST_STEP_RATIO = 1.3
# "Half", with a tenth of slack on either side.
HALF_RATIOS = (0.45, 0.55)
# A stock build that reaches this share of the fastest library on the same machine is not what makes a job slow.
STOCK_FRAC = 0.6
# A GPU whose meter reads this or more looks full; one that reads this or less looks idle.
LOOKS_FULL_FRAC, LOOKS_IDLE_FRAC = 0.95, 0.5
# A short epoch: what compiling must have paid for by then, if it pays at once.
SHORT_EPOCH_STEPS = 100.0
# Twice the weights: room for the gradients and for nothing else.
MEMORY_RATIO = 2.0
# Below a third of the step, copying is not what to mend first.
COPY_FRAC = 0.3
# Less than a third faster is not "much".
RESIDENT_RATIO = 1.3
# One decimal digit.
ROUNDING_RATIO = 10.0
# Half of what a limit allows: nearer than that, the limit is what decides.
BOUND_FRAC = 0.5
# A tenth of a percentage point: less is a few pictures of a held-out set, and no better model.
BETTER_FRAC = 0.001
# A training that lasts less has no first and last minute.
LONG_MINUTES = 2.0
LOOK_UPS = "embedding"  # the workload whose weights are a table
# A price that differs by a quarter between shops is a different price.
SAME_PRICE_RATIO = 1.25


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
        n = max((len(jobs(evidence, s)) for s in serious(evidence)), default=0)
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
        longer = [job for job in found if job.exceeds(COFFEE_BREAK_S)]
        if longer:
            words.say(" Longer: " if short else " They take: ").jobs(longer).say(".")
        if unclear := [job for job in found if job not in short and job not in longer]:
            words.say(" Too close to that to tell: ").jobs(unclear).say(".")
    if all(job.exceeds(COFFEE_BREAK_S) for job in found):
        return decide("true", words)
    return decide("false" if len(short) >= COURSE_SHARE_FRAC * len(found) else "depends", words)


@verdict("only-for-training", compares_devices=True)
def only_for_training(evidence: Evidence) -> Verdict:
    """Whether GPUs gain too little at inference to be of use there."""
    least = fmt.ratio(WORTH_A_GPU_RATIO)
    rule = (
        f"False if, for at least one model, inference on a GPU is at least {least} as fast as on the CPU of the same "
        f"session, with the whole 95 % interval above it; true if every interval lies below {least}; it depends "
        f"otherwise. Each side runs its fastest batch, usual precision, backend and jit arm. "
        f"Without a GPU nothing is decided."
    )

    def decide(outcome: Outcome, words: _Words) -> Verdict:
        belief = "GPUs are only useful for training."
        return Verdict(id="only-for-training", belief=belief, outcome=outcome, parts=words.parts(), rule=rule)

    words = _Words(evidence)
    found = [
        contrast
        for session in serious(evidence)
        for workload in evidence.model_workloads()
        if (contrast := evidence.best_contrast(session, workload, "infer")) is not None
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
    gpu = fmt.with_article(evidence.gpu_text(top.session, top.gpu) or "GPU")
    words.say(f"For inference with {evidence.title(top.gpu.cell.workload)}, {top.arms}, {gpu} is ")
    words.number(fmt.interval(top.speedup), top.gpu, top.cpu)
    words.say(f" as fast as the CPU ({evidence.cpu_text(top.session, top.cpu)}) of {evidence.label(top.session)}; ")
    everything = [record for contrast in found for record in (contrast.gpu, contrast.cpu)]
    words.number(f"{len(worth)} of {len(found)}", *everything).say(f" comparisons reach {least}")
    below = [c for c in found if c not in worth]
    if below:
        words.say("; those that do not: ").contrasts(below)
    words.say(".")
    same = evidence.contrast(top.session, top.gpu.cell.workload, "infer")
    if same is not None and same != top:
        words.say(f" {LIKE_FOR_LIKE}, {same.arms}: ")
        words.number(fmt.interval(same.speedup), same.gpu, same.cpu).say(".")
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
        f"in between. The largest model is the one with most weights whose job ends in that time, tables of look-ups "
        f"left out, since a step touches few of their rows."
    )

    def decide(outcome: Outcome, words: _Words) -> Verdict:
        belief = "Without a GPU, deep learning is not feasible."
        return Verdict(id="not-feasible-without-gpu", belief=belief, outcome=outcome, parts=words.parts(), rule=rule)

    words = _Words(evidence)
    everywhere = ((s, jobs(evidence, s, sweeps=True)) for s in serious(evidence))
    session, found = next(((s, f) for s, f in everywhere if any(_has_target(job) for job in f)), (None, ()))
    if session is None:
        words.say("No network has been trained to a quality target on a CPU yet.")
        return decide("not measured", words)
    aimed = [job for job in found if _has_target(job)]
    words.say("On ").number(_cpu(evidence, session, found), aimed[0].record).say(", counted from starting Python,")
    for number, job in enumerate(aimed):
        words.say(f"{';' if number else ''} {job.name} reached its target in ")
        words.number(_runs_that_reached(job.record), job.record)
        if job.time is not None:
            words.say(", after ").number(fmt.interval(job.time), job.record)
    words.say(".")
    done = [
        job
        for job in found
        if job.ends_within(OVERNIGHT_S) and stats.n_params(job.record) and job.record.cell.workload != LOOK_UPS
    ]
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
            among = evidence.undisturbed([r for r in first or records if r.cell.threads == n_threads])
            found.append(min((_job(record, spec, evidence) for record in among), key=_job_order))
    return tuple(sorted(found, key=lambda job: (_length(job), job.name)))


def job_samples(record: Record, spec: Workload) -> int:
    """Samples that the record's whole job passes through the model: the reference size, whatever the profile."""
    cell = record.cell
    for variant in (*spec.variants.get("reference", ()), *record.spec.variants.get(record.profile, ())):
        if variant.mode == cell.mode and variant.n_job_epochs and dict(variant.params) == dict(cell.params):
            return variant.n_samples * variant.n_job_epochs
    return COURSE_SAMPLES


def _bits(share: float) -> str:
    """Whether two results are equal bit by bit, in words."""
    return "the same bits" if share >= 1 else "other bits"


def _order(share: float) -> str:
    """The order of rows of several epochs, in words."""
    return "the same one each time" if share > 0 else "a new one each time"


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


def _session_with_jobs(evidence: Evidence) -> tuple[SessionResults | None, tuple[Job, ...]]:
    for session in serious(evidence):
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
    for session in serious(evidence):
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


class _Words(rules.Words):
    """A sentence about jobs and contrasts."""

    def jobs(self, found: Iterable[Job]) -> _Words:
        for n, job in enumerate(found):
            self.say(f"{'; ' if n else ''}{job.name}, ")
            self.number(job.note if job.time is None else fmt.estimate(job.time), job.record)
            if job.time is not None and not job.is_measured:
                self.say(" (computed)")
        return self

    def contrasts(self, found: Iterable[Contrast]) -> _Words:
        for n, contrast in enumerate(found):
            place = f"{self.evidence.title(contrast.gpu.cell.workload)} on {self.evidence.label(contrast.session)}"
            self.say(f"{'; ' if n else ''}{place}, {contrast.arms}, ")
            self.number(fmt.interval(contrast.speedup), contrast.gpu, contrast.cpu)
        return self


# Beliefs that say one thing of many cases.

# A part of a GPU's name as its driver gives it, and the published row with its float32 peak.
PEAK_ROWS = {
    "H200": "gpu-h200-sxm-141-gb-peak-fp32",
    "H100": "gpu-h100-sxm5-80-gb-peak-fp32",
    "RTX 4090": "gpu-geforce-rtx-4090-peak-fp32",
    "RTX 3090": "gpu-geforce-rtx-3090-peak-fp32",
    "T4": "gpu-tesla-t4-peak-fp32",
}
NO_GPU = "No GPU has been measured yet, so nothing is decided."
GPU_SPEED = (
    "a GPU's speed over that of the CPU in the same session, each with its fastest batch, usual precision, backend and "
    "jit arm,"
)
GPU_SPEED_BY_SIZE = (
    "a GPU's speed over that of the CPU in the same session at one batch size, each with its fastest usual precision, "
    "backend and jit arm,"
)
LIKE_FOR_LIKE = "At equal settings on both"
H100_PRICES = (
    "runpod-h100-sxm-community-2026-11",
    "nebius-h100-2026-09",
    "runpod-h100-sxm-secure-2026-11",
    "lambda-h100-sxm-2026-09",
    "gcp-a3-highgpu-1g-2026-09",
    "azure-nd96isr-h100-2026-11",
)


def _transfer_job(evidence: Evidence) -> list[Case]:
    """The whole job of tuning the last layer of a trained network, on the CPU."""
    return [
        rules.case_of(f"{job.name} on {evidence.label(session)}", job.time, evidence.refs(job.record))
        for session in serious(evidence)
        for job in jobs(evidence, session)
        if job.record.cell.workload == "transfer-2000" and job.time is not None
    ]


def _scaling(evidence: Evidence) -> list[Case]:
    """Gain from more GPUs or machines over the ideal gain, from published rows."""
    return [
        *of.row_ratios(
            ("Inception-v3, eight P100 against one", "tfr1-inceptionv3-p100x8", "tfr1-inceptionv3-p100"),
            ("ResNet-50, eight P100 against one", "tfr1-resnet-50-p100x8", "tfr1-resnet-50-p100"),
            scale=1 / 8,
        )(evidence),
        *of.row_ratios(
            ("ResNet-50, 128 CPU servers against 64", "dawn-r50-train-64xeon", "dawn-r50-train-128xeon"), scale=1 / 2
        )(evidence),
        *of.row_ratios(
            ("DistilBERT, four CPU servers against one", "hf-distilbert-spr1", "hf-distilbert-spr4"), scale=1 / 4
        )(evidence),
    ]


def _free_hours(evidence: Evidence) -> list[Case]:
    """Hours granted as a share of the week or the day, from published rows."""
    shares = (("kaggle-gpu-hours", 7 * 24), ("colab-free-session-hours", 24))
    return [
        rules.published_case(figure.subject, float(figure.value) / hours, figure.text, figure)
        for row, hours in shares
        for figure in [published.lookup(row)]
    ]


def _tiny_values(evidence: Evidence) -> list[Case]:
    """Time of each operation on tiny values over that on usual ones."""
    pairs = [(item.id, item.label) for w in evidence.workloads.values() if w.id == "denormals" for item in w.series]
    return [
        msgspec.structs.replace(case, name=f"{label}, {case.name}")
        for series, label in pairs
        if series.endswith("-tiny")
        for case in of.study_ratio("denormals", series, f"{series.removesuffix('-tiny')}-normal")(evidence)
    ]


def _provider(row: str) -> str:
    return published.lookup(row).subject


rules.add(
    Belief(
        id="transfer-learning-needs-a-gpu",
        text="Transfer learning needs a GPU.",
        measure="the time to train a new last layer on 2,000 images on a CPU, from starting Python to the end,",
        counted="jobs take so long",
        test=Test(at_least=COFFEE_BREAK_S),
        needs="always",
        cases=_transfer_job,
        show=fmt.seconds,
        reason="Longer than a break, and the next attempt happens another day.",
        missing="Transfer learning on a CPU is not measured yet.",
    ),
    Belief(
        id="serving-needs-a-gpu",
        text="Serving a model needs a GPU.",
        measure="the time within which 95 of 100 batches of a model end on a CPU",
        counted="models, counted on each machine, are that slow on a CPU",
        test=Test(at_least=INSTANT_S),
        needs="always",
        cases=of.of_records(stats.latency_tail, modes=("infer",), by="latency"),
        show=fmt.seconds,
        reason="A tenth of a second feels instant. Each model runs its headline batch, so one request is shorter.",
        missing="Inference on a CPU is not measured yet.",
    ),
    Belief(
        id="real-time-video-needs-a-gpu",
        text="Real-time image recognition needs a GPU.",
        measure="the published rate at which a detector or classifier runs on a CPU",
        counted="published CPU rates are too slow for video",
        test=Test(at_most=VIDEO_PER_S),
        needs="always",
        cases=of.rows(
            "yolov4tiny-cpu-darknet",
            "yolov4tiny-cpu-opencv",
            "timm-infer-resnet18-infer-fp32-nchw-pt240-cpu-i7-12700h-dynamo",
            "timm-infer-mobilenetv3-large-100-infer-fp32-nchw-pt240-cpu-i7-12700h-dynamo",
        ),
        show=lambda value: f"{fmt.number(value)} pictures per second",
        reason="Film runs at 24 pictures per second.",
        missing="",
        basis="published",
    ),
    Belief(
        id="gpu-is-always-faster",
        text="A GPU is always faster.",
        measure=GPU_SPEED_BY_SIZE,
        counted="comparisons have the GPU ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.gpu_over_cpu(modes=("train", "infer"), by_size=True),
        reason="Every size that both devices ran counts.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="gpu-is-a-hundred-times-faster",
        text="A GPU trains a hundred times faster.",
        measure=GPU_SPEED,
        counted="workloads gain that much",
        test=Test(at_least=HUNDRED_RATIO),
        needs="mostly",
        cases=of.gpu_over_cpu(),
        second=of.gpu_over_cpu(strict=True),
        second_words=LIKE_FOR_LIKE,
        reason="A factor that is said of GPUs as such must hold for the ordinary workload.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="good-cpu-is-nearly-as-fast",
        text="With all its cores in use, a CPU is nearly as fast as a GPU.",
        measure=GPU_SPEED,
        counted="workloads keep the gap that small",
        test=Test(at_most=NEARLY_AS_FAST_RATIO),
        needs="mostly",
        cases=of.gpu_over_cpu(),
        second=of.gpu_over_cpu(strict=True),
        second_words=LIKE_FOR_LIKE,
        reason="People who say so usually name a factor of two.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="cpu-trains-many-times-faster",
        text="CPUs can beat GPUs several times over at training.",
        measure=GPU_SPEED_BY_SIZE,
        counted="sizes have the CPU that far ahead",
        test=Test(at_most=CPU_AHEAD_RATIO),
        needs="once",
        cases=of.gpu_over_cpu(by_size=True),
        reason="The claim as printed starts at four times.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="lstm-gains-nothing",
        text="An LSTM gains nothing from a GPU, because it is sequential.",
        measure="the GPU's training speed on the LSTM workload over that of the CPU at one batch size, each with its "
        "fastest usual precision, backend and jit arm,",
        counted="sizes gain less",
        test=Test(at_most=LSTM_GAIN_RATIO),
        needs="always",
        cases=of.gpu_over_cpu(workloads=("lstm-text",), by_size=True),
        reason="Below that nobody would call it sped up.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="reinforcement-learning-needs-a-gpu",
        text="Reinforcement learning is faster on a GPU.",
        measure="the GPU's speed over the CPU's at acting in an environment, one small policy, same session,",
        counted="comparisons have the GPU ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.study_on_both("rl-loop", "act"),
        reason="The environment runs on the CPU on both sides.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="boosted-trees-need-a-gpu",
        text="Boosted trees train faster on a GPU.",
        measure="the published training time of a library on a CPU over that on a GPU",
        counted="published comparisons have the GPU ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.row_ratios(
            ("XGBoost, 100,000 rows", "gbmperf-xgboost-cpu-100k", "gbmperf-xgboost-gpu-100k"),
            ("XGBoost, 10 million rows", "gbmperf-xgboost-cpu-10m", "gbmperf-xgboost-gpu-10m"),
            ("LightGBM, 100,000 rows", "gbmperf-lightgbm-cpu-100k", "gbmperf-lightgbm-gpu-100k"),
            ("LightGBM, 10 million rows", "gbmperf-lightgbm-cpu-10m", "gbmperf-lightgbm-gpu-10m"),
        ),
        reason="One benchmark, one server each.",
        missing="",
        basis="published",
        compares_devices=True,
    ),
    Belief(
        id="gpu-trains-better-models",
        text="A GPU trains a more accurate model.",
        measure="the worst final quality among the runs on the GPU minus the best among the runs on the CPU",
        counted="comparisons have every run on the GPU ahead",
        test=Test(at_least=BETTER_FRAC),
        needs="always",
        cases=of.quality_gap,
        show=fmt.percent,
        reason="Where runs of one device lie among those of the other, the seed decides and not the device.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="mixed-precision-is-always-faster",
        text="Mixed precision is always faster.",
        measure="training speed with bfloat16 over that in float32, all else equal,",
        counted="comparisons have bfloat16 ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.between_arms("precision", "mixed_bfloat16", "float32-strict"),
        reason="On every device and backend that ran both.",
        missing="Mixed precision is not measured beside float32 yet.",
    ),
    Belief(
        id="float16-is-fast-everywhere",
        text="float16 speeds up training on any device.",
        measure="training speed with float16 over that in float32, all else equal,",
        counted="comparisons have float16 ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.between_arms("precision", "mixed_float16", "float32-strict"),
        reason="On every device and backend that ran both.",
        missing="float16 is not measured beside float32 yet.",
    ),
    Belief(
        id="half-precision-halves-memory",
        text="Half precision halves the memory.",
        measure="peak GPU memory of a training with mixed precision over that in float32",
        counted="comparisons come out at half",
        test=Test(at_least=HALF_RATIOS[0], at_most=HALF_RATIOS[1]),
        needs="mostly",
        cases=of.all_of(
            of.memory_of_half_precision,
            of.study_reading_between("memory", "peak", "mixed_bfloat16", "float32-strict", device="gpu"),
            of.study_reading_between("memory", "peak", "mixed_float16", "float32-strict", device="gpu"),
        ),
        reason="Half, with a tenth of slack on either side.",
        missing=NO_GPU,
    ),
    Belief(
        id="weights-tell-the-memory",
        text="The size of the weights tells how much memory training takes.",
        measure="the peak memory of a training step over that of the weights alone",
        counted="cells stay that close to their weights",
        test=Test(at_most=MEMORY_RATIO),
        needs="always",
        cases=of.study_readings_ratio("memory", "peak", "weights"),
        reason="Twice leaves room for the gradients and for nothing else.",
        missing="The memory of training is not measured yet.",
    ),
    Belief(
        id="nvidia-smi-shows-the-need",
        text="nvidia-smi shows the memory that my model needs.",
        measure="the GPU memory that the driver reports as in use over what the framework gave out",
        counted="cells report about what was given out",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=of.study_readings_ratio("memory", "held", "used", device="gpu"),
        reason="A fifth more would already mislead who buys by it.",
        missing="The memory of training on a GPU is not measured yet.",
    ),
    Belief(
        id="bigger-batch-is-always-faster",
        text="A bigger batch always trains faster.",
        measure="training speed in samples per second at a batch size over that at the next smaller one",
        counted="steps to a bigger batch are faster",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.larger_batch(),
        reason="Speed of an epoch, not of learning.",
        missing="No workload has been measured at several batch sizes yet.",
    ),
    Belief(
        id="double-batch-half-the-time",
        text="Twice the batch size halves the time of an epoch.",
        measure="the gain in training speed for each doubling of the batch size",
        counted="steps to a bigger batch gain that much per doubling",
        test=Test(at_least=DOUBLED_RATIO),
        needs="always",
        cases=of.larger_batch(per_doubling=True),
        reason="Exactly half would be a gain of two; a fifth of slack is left.",
        missing="No workload has been measured at several batch sizes yet.",
    ),
    Belief(
        id="compiling-always-helps",
        text="jit_compile always makes it faster.",
        measure="steady speed with XLA on over that with XLA off, all else equal,",
        counted="comparisons have XLA ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.between_arms("jit", "on", "off"),
        reason="Steady steps only: the time of compiling would come on top.",
        missing="No cell has been measured both with and without XLA yet.",
    ),
    Belief(
        id="compiling-pays-at-once",
        text="Compiling pays for itself within the first epoch.",
        measure="the number of steps after which compiling has beaten single operations",
        counted="backends and devices get there so soon",
        test=Test(at_most=SHORT_EPOCH_STEPS),
        needs="always",
        cases=of.study_reading("compile-tax", "pays-after-eager"),
        show=lambda value: f"{fmt.count(value)} steps",
        reason="A short epoch has about a hundred steps.",
        missing="The cost of compiling is not measured yet.",
    ),
    Belief(
        id="changing-shapes-are-free",
        text="Batches of changing shapes cost nothing.",
        measure="the time of a step with a shape never seen before over that with one shape",
        counted="backends and devices take them so lightly",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=of.study_ratio("compile-tax", "new-shapes", "one-shape"),
        reason="A fifth is what a timing by hand would notice.",
        missing="Changing shapes are not measured yet.",
    ),
    Belief(
        id="more-threads-are-always-faster",
        text="More CPU threads are always faster.",
        measure="speed with the most threads measured over that with fewer",
        counted="comparisons have the most threads ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.more_over_fewer("threads"),
        reason="Cores are limited together with threads, so no arm runs more threads than cores.",
        missing="No workload has been measured at several thread counts yet.",
    ),
    Belief(
        id="jax-is-always-the-fastest",
        text="JAX is always the fastest backend.",
        measure="JAX's training speed over that of the fastest other Keras backend",
        counted="comparisons have JAX ahead",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.backend_over_others("jax"),
        reason="Each backend with its better jit arm, on every workload and device.",
        missing="JAX is not measured beside another backend yet.",
    ),
    Belief(
        id="faster-step-means-faster-job",
        text="The set-up with the fastest step finishes first.",
        measure="the whole job of the arm with the fastest step over that of the arm that ends first",
        counted="workloads end first where the step is fastest",
        test=Test(at_most=EVEN_RATIO),
        needs="always",
        cases=of.quickest_step_job,
        reason="From starting Python to the end; 1x where both are the same arm.",
        missing="No two arms of one workload have timed a whole job yet.",
    ),
    Belief(
        id="first-step-tells-the-speed",
        text="The first steps tell how fast the training will be.",
        measure="the first step over a steady one, training on a CPU or a GPU,",
        counted="first steps come that close",
        test=Test(at_most=FIRST_STEP_RATIO),
        needs="always",
        cases=of.of_records(of.first_over_steady, modes=("train",), device=None),
        reason="A third more already spoils a plan made from it.",
        missing="No first step has been measured yet.",
    ),
    Belief(
        id="stopwatch-measures-the-gpu",
        text="A stopwatch around the call measures the GPU.",
        measure="the time that a loop shows without waiting for the GPU, over the true one,",
        counted="readings come within a fifth",
        test=Test(at_least=1 / NOTICED_RATIO, at_most=NOTICED_RATIO),
        needs="always",
        cases=of.study_reading("wrong-timer", "no-wait-ratio", device="gpu"),
        reason="A fifth is what a timing by hand would notice.",
        missing="The wrong timer has not been tried on a GPU yet.",
    ),
    Belief(
        id="predict-in-a-loop-is-free",
        text="Calling predict in a loop costs no more than calling the model.",
        measure="the time of model.predict, in batches of 32, over that of one compiled call with the same rows",
        counted="cells come that close",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=of.study_ratio("call-styles", "predict", "compiled"),
        reason="A fifth is what a timing by hand would notice.",
        missing="The ways of calling a model are not measured yet.",
    ),
    Belief(
        id="back-to-back-tells-the-wait",
        text="A test that asks again and again tells how long one request takes.",
        measure="the time of a call that comes 10 ms after the last one over that of a call right after it",
        counted="cells come that close",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=of.study_ratio("request-gap", "gap-10ms", "gap-0"),
        reason="A fifth is what a timing by hand would notice; ten milliseconds are a hundred requests a second.",
        missing="Requests after a pause are not measured yet.",
    ),
    Belief(
        id="callbacks-are-free",
        text="A progress bar and a callback on every batch cost nothing.",
        measure="the time of fit with a progress bar or a batch callback over that without, on a tiny network,",
        counted="comparisons stay that close",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=of.all_of(
            of.study_ratio("fit-overhead", "progress-bar", "fit"), of.study_ratio("fit-overhead", "callback", "fit")
        ),
        reason="A fifth is what a timing by hand would notice; a tiny network is the worst case.",
        missing="What fit costs is not measured yet.",
    ),
    Belief(
        id="copying-is-the-bottleneck",
        text="Copying the data to the GPU is what makes it slow.",
        measure="the time to copy a batch to the GPU as a share of a training step fed from NumPy",
        counted="cells spend that much on copying",
        test=Test(at_least=COPY_FRAC),
        needs="mostly",
        cases=of.study_reading("resident-data", "copy-frac", device="gpu"),
        show=fmt.percent,
        reason="With less than a third, copying is not what to mend first.",
        missing="Copying to a GPU is not measured yet.",
    ),
    Belief(
        id="data-on-the-gpu-is-much-faster",
        text="Keeping the whole data set on the GPU makes training much faster.",
        measure="the time of a step fed from NumPy over that of one on data that lies on the GPU",
        counted="cells gain that much",
        test=Test(at_least=RESIDENT_RATIO),
        needs="mostly",
        cases=of.study_reading("resident-data", "resident-speedup", device="gpu"),
        reason="A small network on small pictures, where feeding weighs most.",
        missing="Data that lies on a GPU is not measured yet.",
    ),
    Belief(
        id="values-do-not-matter",
        text="Training time depends on the shapes alone, not on the values.",
        measure="the time of an operation on tiny values over that on usual ones, same shapes, on a CPU,",
        counted="operations stay that close",
        test=Test(at_most=NOTICED_RATIO),
        needs="always",
        cases=_tiny_values,
        reason="A fifth is what a timing by hand would notice.",
        missing="Tiny values are not measured yet.",
    ),
    Belief(
        id="same-seed-same-weights",
        text="The same seed gives the same weights, bit by bit.",
        measure="what two trainings from one seed end in, with no switch set,",
        counted="cells repeat themselves",
        test=Test(at_least=1.0),
        needs="always",
        cases=of.study_reading("determinism", "equal-off", show=_bits),
        show=_bits,
        reason="All bits of all weights are compared.",
        missing="Repeated trainings are not measured yet.",
    ),
    Belief(
        id="a-seed-only-repeats",
        text="A seed makes a training repeatable and changes nothing else.",
        measure="the order of rows that a seeded fit takes, epoch by epoch,",
        counted="cells draw a new order",
        test=Test(at_most=0.0),
        needs="always",
        cases=of.study_reading("determinism", "same-order", show=_order),
        show=_order,
        reason="Without a seed each epoch has an order of its own, in every backend.",
        missing="The order of the rows under a seed is not measured yet.",
    ),
    Belief(
        id="cpu-cores-stop-mattering",
        text="Once the GPU is in use, CPU cores do not matter.",
        measure="the number of CPU cores that must decode pictures to keep up with a small network on a GPU",
        counted="cells are content with one",
        test=Test(at_most=1.0),
        needs="always",
        cases=of.study_reading("input-pipeline", "workers-needed", device="gpu"),
        show=lambda value: fmt.cores(round(value)),
        reason="Needing more than one core is what mattering means.",
        missing="Feeding pictures to a GPU is not measured yet.",
    ),
    Belief(
        id="first-minute-tells-the-last",
        text="The speed of the first minute holds to the end.",
        measure="the pace of the end of a long training over that of its beginning",
        counted="trainings keep their pace",
        test=Test(at_least=NEARLY_ALL_FRAC),
        needs="always",
        cases=of.study_reading(
            "endurance", "last-to-first-rate", only=lambda record: float(record.cell.params["minutes"]) >= LONG_MINUTES
        ),
        reason=f"A tenth may be lost before a plan goes wrong. Trainings of {LONG_MINUTES:g} minutes and more count.",
        missing="No training has been watched for minutes yet.",
    ),
    Belief(
        id="full-meter-means-full-gpu",
        text="A GPU at a hundred per cent utilisation is fully used.",
        measure=f"the rate of a matrix product at which the GPU's meter reads {fmt.percent(LOOKS_FULL_FRAC)} or more, "
        "as a share of the best rate of the same session,",
        counted="such products come near the best rate",
        test=Test(at_least=NEARLY_ALL_FRAC),
        needs="always",
        cases=of.busy_and_idle(LOOKS_FULL_FRAC),
        show=fmt.percent,
        reason="The same GPU, the same operation, other sizes.",
        missing="No GPU's utilisation has been recorded yet.",
    ),
    Belief(
        id="low-meter-means-broken",
        text="Low GPU utilisation means that something is broken.",
        measure=f"the GPU's speed over the CPU's on workloads at which its meter reads {fmt.percent(LOOKS_IDLE_FRAC)} "
        "or less",
        counted="such workloads are no faster than on the CPU",
        test=Test(at_most=EVEN_RATIO),
        needs="always",
        cases=of.speedup_at_low_utilisation(LOOKS_IDLE_FRAC),
        reason="A job that beats the CPU with the meter low is not broken.",
        missing="No GPU's utilisation has been recorded yet.",
        compares_devices=True,
    ),
    Belief(
        id="avx-message-means-slow-build",
        text="The message about AVX means that TensorFlow is slow and must be built anew.",
        measure="the rate of the stock TensorFlow at the largest matrix product on a CPU, as a share of the fastest "
        "other backend's,",
        counted="machines have the stock build that far behind",
        test=Test(at_most=STOCK_FRAC),
        needs="always",
        cases=of.share_of_best_product("tensorflow"),
        reason="A build that reaches more is not what makes a job slow.",
        missing="The matrix product is not measured with TensorFlow and another backend yet.",
    ),
    Statement(
        id="must-install-tensorflow-gpu",
        text="For the GPU you must install tensorflow-gpu.",
        row="tf-gpu-removed",
        begins="removed",
        reason="A package that its makers removed cannot be needed.",
    ),
    Belief(
        id="keras-needs-device-code",
        text="In Keras you must move the model and the data to the GPU yourself.",
        measure="the share of runs whose weights lay on the GPU although no workload here names a device",
        counted="backends leave the weights elsewhere",
        test=Test(at_most=STOCK_FRAC),
        needs="always",
        cases=of.device_without_code,
        show=fmt.percent,
        reason="The device is read from the weights themselves, in every run.",
        missing=NO_GPU,
    ),
    Statement(
        id="newer-driver-breaks-the-package",
        text="If the driver's CUDA is newer than the package's, training silently runs on the CPU.",
        row="cuda-driver-backward-compatible",
        begins="always works",
        reason="The vendor says how its driver is meant to behave; what a package really does is another matter.",
    ),
    Belief(
        id="lstm-always-takes-the-fast-path",
        text="In Keras an LSTM on the GPU takes the fast path by itself.",
        measure="whether the fused operation ran, read from the operation itself for each argument of the layer",
        counted="arguments keep the fused operation",
        test=Test(at_least=1.0),
        needs="always",
        cases=of.study_readings("lstm-switches", "fused-", device="gpu"),
        show=lambda value: "yes" if value else "no",
        reason="One argument that loses it without a word is enough.",
        missing="The switches of an LSTM layer have not been tried on a GPU yet.",
    ),
    Belief(
        id="keras-is-slow",
        text="Keras makes the framework below it slow.",
        measure="the time of a step of fit over that of a loop in the framework's own words, equal arithmetic,",
        counted="comparisons have Keras that much slower",
        test=Test(at_least=NOTICED_RATIO),
        needs="mostly",
        cases=of.all_of(of.study_ratio("raw-framework", "fit", "raw"), of.study_ratio("raw-models", "fit", "raw")),
        reason="A fifth is what a timing by hand would notice.",
        missing="Keras is not measured beside the raw frameworks yet.",
    ),
    Belief(
        id="float32-means-float32",
        text="float32 on a GPU means float32 precision.",
        measure="the rounding error of a matrix product with TF32, which TensorFlow and JAX take by themselves, over "
        "that without",
        counted="comparisons stay within that factor",
        test=Test(at_most=ROUNDING_RATIO),
        needs="always",
        cases=of.study_reading_between("numerics", "product-rel", "tf32", "float32-strict"),
        reason="One decimal digit.",
        missing="Rounding on a GPU with TF32 is not measured yet.",
    ),
    Belief(
        id="tokens-need-compute",
        text="A language model writes as fast as the chip computes.",
        measure="the speed of writing tokens as a share of what the bandwidth allows that the fastest backend finds",
        counted="cells stay far from that bound",
        test=Test(at_most=BOUND_FRAC),
        needs="always",
        cases=of.share_of_best("gpt-decode", "bound-frac", "bandwidth"),
        show=fmt.percent,
        reason="From half of the bound on, bandwidth decides, whatever the chip can compute. Farther away something "
        "else decides, which need not be arithmetic, so a cell there is only the weaker half of the proof.",
        missing="Writing tokens is not measured yet.",
    ),
    Belief(
        id="data-sheet-is-what-you-get",
        text="The TFLOPS of the data sheet are what you get.",
        measure="the best measured float32 matrix product of a GPU as a share of the peak on its data sheet",
        counted="GPUs come that close",
        test=Test(at_least=NEARLY_ALL_FRAC),
        needs="always",
        cases=of.share_of_data_sheet(PEAK_ROWS),
        show=fmt.percent,
        reason="A matrix product is the best case: whole networks reach less.",
        missing="No GPU with a data sheet in our list has been measured yet.",
    ),
    Belief(
        id="gaming-cards-are-unsuited",
        text="Gaming GPUs are not suited to deep learning.",
        measure="the published training speed of a gaming card over that of the data-centre card of the same years",
        counted="gaming cards are that slow",
        test=Test(at_most=SUITED_RATIO),
        needs="always",
        cases=of.row_ratios(
            (
                "RTX 2080 Ti against V100, float32",
                "u39kun-resnet152-tesla-v100-aws-p3-fp32",
                "u39kun-resnet152-rtx-2080-ti-fp32",
            ),
            (
                "RTX 2080 Ti against V100, float16",
                "u39kun-resnet152-tesla-v100-aws-p3-fp16",
                "u39kun-resnet152-rtx-2080-ti-fp16",
            ),
            (
                "GTX 1080 Ti against V100, float32",
                "u39kun-resnet152-tesla-v100-aws-p3-fp32",
                "u39kun-resnet152-gtx-1080-ti-fp32",
            ),
        ),
        reason="One author's times of one network.",
        missing="",
        basis="published",
    ),
    Belief(
        id="tpu-is-always-faster",
        text="A TPU trains faster than a GPU.",
        measure="the published training speed of a TPU over that of a GPU on the same job",
        counted="published jobs end first on the TPU",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.row_ratios(
            (
                "ResNet-50 to its target, four chips against eight V100",
                "mlperf-0-5-google-cloud-v100x8-resnet",
                "mlperf-0-5-google-cloud-v2-8-resnet",
            ),
            ("BERT-base on Colab, some of a TPU's cores against one P100", "anec-st371-gpu", "anec-st371-tpu"),
            ("MNIST, a TPU of four chips against one Titan V", "anec-xla791-gpu", "anec-xla791-tpu"),
        ),
        reason="One slower job is enough against a belief that says no size or shape; chips differ in number and year.",
        missing="",
        basis="published",
    ),
    Belief(
        id="mac-gpu-is-always-faster",
        text="On a Mac the GPU makes everything faster.",
        measure="the published time of a job on a Mac's CPU over that on its GPU",
        counted="published jobs run faster on the Mac's GPU",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.row_ratios(
            ("LSTM text classifier", "anec-tf56782-cpu", "anec-tf56782-gpu"),
            ("a user's notebook", "anec-applemac88-cpu", "anec-applemac88-gpu"),
        ),
        reason="Reports of single users, and marked so.",
        missing="",
        basis="published",
        compares_devices=True,
    ),
    Belief(
        id="twice-the-hardware-half-the-time",
        text="Twice the hardware trains twice as fast.",
        measure="the published gain from more GPUs or machines as a share of the ideal gain",
        counted="published systems gain that much",
        test=Test(at_least=NEARLY_ALL_FRAC),
        needs="mostly",
        cases=_scaling,
        show=fmt.percent,
        reason='A tenth may be lost before "twice" is called wrong.',
        missing="",
        basis="published",
    ),
    Belief(
        id="gpu-has-more-memory",
        text="A GPU has more memory, so it takes larger models.",
        measure="a GPU's memory over the main memory of the machine it sits in",
        counted="measured GPUs have more",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.memory_ratio,
        reason="A model that does not fit the GPU may still train on the CPU beside it, slowly.",
        missing=NO_GPU,
        compares_devices=True,
    ),
    Belief(
        id="gpu-uses-more-energy",
        text="Training on a GPU uses more energy.",
        measure="the published energy of a GPU server to train ResNet-50 over an estimate for CPU servers",
        counted="comparisons have the GPU server above the CPUs",
        test=Test(at_least=EVEN_RATIO),
        needs="mostly",
        cases=of.row_ratios(
            ("against two CPUs", "power-smc-ac-power-resnet-energy-to-train", "power-tdp-estimate-2s8180"),
            ("against eight CPUs", "power-smc-ac-power-resnet-energy-to-train", "power-tdp-estimate-8s8380h"),
            ("against thirty-two CPUs", "power-smc-ac-power-resnet-energy-to-train", "power-tdp-estimate-32spr"),
        ),
        reason="Energy is power times time; the estimates count the chips alone, which favours the CPUs.",
        missing="",
        basis="published",
        compares_devices=True,
    ),
    Belief(
        id="gpu-costs-more-per-model",
        text="A trained model costs more on a GPU.",
        measure="the published cloud cost of one trained model on a GPU over that on a CPU",
        counted="comparisons have the GPU dearer",
        test=Test(at_least=EVEN_RATIO),
        needs="always",
        cases=of.row_ratios(("ResNet-164 to its target", "dawn-r164b-cost-k80", "dawn-r164b-cost-cpu")),
        reason="An hour costs more; what counts is the price of the result.",
        missing="",
        basis="published",
        compares_devices=True,
    ),
    Belief(
        id="gpu-hour-has-one-price",
        text="An hour of the same GPU costs about the same everywhere.",
        measure="a provider's price for an hour of one H100 over the lowest in our list",
        counted="prices lie that close to the lowest",
        test=Test(at_most=SAME_PRICE_RATIO),
        needs="always",
        cases=of.row_ratios(*((_provider(row), row, H100_PRICES[0]) for row in H100_PRICES[1:])),
        reason="A quarter more is another price. Prices age; each carries its date.",
        missing="",
        basis="published",
    ),
    Belief(
        id="free-gpus-are-unlimited",
        text="A free GPU is there whenever you need it.",
        measure="the hours that a free service grants as a share of all hours",
        counted="free services grant that much",
        test=Test(at_least=NEARLY_ALL_FRAC),
        needs="always",
        cases=_free_hours,
        show=fmt.percent,
        reason="Terms change; each carries its date.",
        missing="",
        basis="published",
    ),
)

IDS = tuple(rules.ALL)
