"""Facts that every workload has: rate, step time, memory, speed-up, time to target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.evidence.cells import Contrast
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import ANY, Pick
from bench.report.facts import fact
from bench.report.facts.fact import Entry, Found, Make
from bench.report.stats import estimate, quantities, studies
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.report.stats.quantities import Quantity
from bench.schema import BACKENDS, DEVICES, Backend, Device, Mode, Record, Workload

# Families: one fact per workload, mode, device, backend and quantity.


class Signature(NamedTuple):
    """What the names of a workload's facts follow from."""

    id: str
    title: str
    noun: str
    modes: tuple[Mode, ...]
    is_model: bool
    has_job: bool
    has_target: bool
    series: tuple[tuple[str, str], ...] = ()  # id and label
    readings: tuple[tuple[str, str], ...] = ()


def signature(workloads: Mapping[str, Workload]) -> tuple[Signature, ...]:
    """What the names of facts follow from; the same for workloads that differ in nothing else."""
    return tuple(
        Signature(
            id=spec.id,
            title=spec.title,
            noun=spec.sample_noun,
            modes=tuple(dict.fromkeys(v.mode for variants in spec.variants.values() for v in variants)),
            is_model=spec.kind == "model",
            has_job=spec.target is not None or any(v.n_job_epochs for vs in spec.variants.values() for v in vs),
            has_target=spec.target is not None,
            series=tuple((item.id, item.label) for item in spec.series),
            readings=tuple((item.id, item.label) for item in spec.readings),
        )
        for spec in workloads.values()
    )


def study_family(spec: Signature, prefix: str, title: str, part: Pick = ANY) -> dict[str, Entry]:
    """Time per call, first call and ratio to the first series of each series of a study; each of its readings."""
    entries: dict[str, Entry] = {}
    for backend in BACKENDS:
        for device in DEVICES:
            pick = part.but(workload=spec.id, device=device, backend=backend)
            arm = f"with {fmt.backend(backend)} on the {device.upper()}"
            for series, label in spec.series:
                name, baseline = f"{prefix}-{series}-{backend}-{device}", spec.series[0][0]
                for suffix, what, how, make in (
                    ("", "time per call", "Median over processes of the median time per call.",
                     partial(studies.call_time, series=series)),
                    ("-first", "first call", "Seconds of the first call; median over processes.",
                     partial(studies.first_call, series=series)),
                    ("-ratio", f"time per call over that of {spec.series[0][1]}",
                     "Ratio of two series timed in turn, round by round; median over rounds and processes.",
                     partial(studies.call_ratio, series=series, baseline=baseline)),
                ):  # fmt: skip
                    value = _of_study(pick, make)
                    entries[name + suffix] = Entry(f"{title}: {label}, {what} {arm}", how, value)
            for reading, label in spec.readings:
                entries[f"{prefix}-{reading}-{backend}-{device}"] = Entry(
                    f"{title}: {label}, {arm}",
                    "Read once per run; median over processes.",
                    _of_study(pick, partial(studies.reading, reading_id=reading)),
                )
    return entries


def _of_study(pick: Pick, value: Callable[[Record], Estimate | None]) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.view(session).usual(pick)
        found = None if record is None else value(record)
        if record is None or found is None:
            return None
        return Found(fmt.interval(found), fact.cells(evidence, record), found, fmt.cores(record.cell.threads))

    return make


def family(spec: Signature, prefix: str, title: str, part: Pick = ANY) -> dict[str, Entry]:
    """Facts of one workload, or of one of its parts, by id."""
    entries: dict[str, Entry] = {}
    for mode in spec.modes:
        work = "training" if mode == "train" else "inference"
        for device in DEVICES:
            for backend in (None, *BACKENDS):
                pick = part.but(workload=spec.id, mode=mode, device=device, backend=backend)
                entries |= _quantity_family(spec, pick, prefix, title, work)
        if mode == "train":
            entries[f"{prefix}-{mode}-gpu-utilisation"] = Entry(
                f"{title}utilisation that the driver reads during {work} on the GPU, fastest backend",
                "Median over processes of the median of its samples, one a second while steady.",
                _quantity(part.but(workload=spec.id, mode=mode, device="gpu"), quantities.utilisation),
            )
        if part == ANY:
            entries |= _speedup_family(spec, mode, f"{title}{work}")
    return entries


def _quantity_family(spec: Signature, pick: Pick, prefix: str, title: str, work: str) -> dict[str, Entry]:
    """Facts of one mode, device and backend: those of the registry, and what follows from them."""
    lead = "" if pick.device == "cpu" else "gpu-"
    tail = f"-{pick.backend}" if pick.backend else ""
    arm = f" with {fmt.backend(pick.backend)}" if pick.backend else ", fastest backend"
    on = f"on the {str(pick.device).upper()}{arm}"
    is_train = pick.mode == "train"
    wanted = {
        "steps": True,
        "backend": pick.backend is not None,
        "job": is_train and spec.has_job,
        "target": is_train and spec.has_target and pick.params is None and pick.batch_size is None,
    }
    entries: dict[str, Entry] = {}
    for quantity in quantities.QUANTITIES.values():
        fact_ = quantity.fact
        if fact_ is None or not wanted[fact_.scope]:
            continue
        of_mode = "" if fact_.scope in OWN_CHOICE else f"{pick.mode}-"
        device = f"{pick.device}-" if quantity is quantities.throughput else lead
        entries[f"{prefix}-{of_mode}{device}{fact_.id}{tail}"] = Entry(
            f"{title}{fact_.phrase.format(work=work)} {on}", fact_.how, _quantity(pick, quantity, spec.noun)
        )
    if wanted["backend"]:
        entries[f"{prefix}-{pick.mode}-{lead}first-step-share{tail}"] = Entry(
            f"{title}first step of {work} over a steady one, {on}",
            "First step divided by steady step of the same cell; interval from the ends of both.",
            _first_step_share(pick),
        )
    if wanted["job"]:
        entries[f"{prefix}-{lead}job-samples{tail}"] = Entry(
            f"{title}samples in one epoch of the job {on}",
            "Read from the cell, or declared by the workload where none was measured.",
            _samples(pick, spec),
            of_all=True,
        )
    return entries


def _speedup_family(spec: Signature, mode: Mode, title: str) -> dict[str, Entry]:
    """How many times faster the GPU is, both sides of that ratio, and the ratio at equal settings."""

    def best(evidence: Evidence, session: SessionResults) -> Contrast | None:
        return evidence.view(session).best_contrast(Pick(spec.id, mode))

    def same(evidence: Evidence, session: SessionResults) -> Contrast | None:
        return evidence.view(session).contrast(Pick(spec.id, mode))

    name = f"{spec.id}-{mode}-speedup"
    found = {
        name: Entry(
            f"{title}: GPU over CPU of the same machine, each at its fastest batch and usual precision",
            "Samples per second of the fastest cell on the GPU over those of the fastest on the CPU, over all batches, "
            "backends and precisions that the device computes in; both of one network and one session.",
            _speedup(best),
        ),
        f"{name}-factor": Entry(
            f"{title}: GPU over CPU, for a table that names the batch and precision of both beside it",
            f"The ratio of {name}.",
            _speedup(best, is_named=False),
        ),
        f"{name}-same-batch": Entry(
            f"{title}: GPU over CPU of the same machine, same batch and strict float32 on both",
            "Throughput on the GPU over throughput on the CPU, both of one variant and one session, fastest backend of "
            "each.",
            _speedup(same),
        ),
    }
    for device in DEVICES:
        found[f"{name}-{device}"] = Entry(
            f"{title}: throughput on the {device.upper()} in the ratio of the two devices",
            f"Of the cell of {name} that ran on the {device.upper()}.",
            _side_of(best, device, spec.noun),
        )
    return found


def target_family(spec: Signature) -> dict[str, Entry]:
    """Facts about reaching a workload's target, by id."""
    entries = {
        f"{spec.id}-target": Entry(
            f"{spec.title}, the quality at which it counts as done",
            "Declared by the workload.",
            lambda evidence, session: _target(evidence, spec.id),
            of_all=True,
        )
    }
    entries[f"{spec.id}-reached"] = Entry(
        f"{spec.title}, share of runs that met the target on the CPU",
        "Runs that met it over all runs of the cell; Wilson's interval.",
        _reached(Pick(spec.id, "train", "cpu")),
    )
    return entries


# Of these the fastest arm is the one that is fastest in them; the others belong to the arm of the best throughput.
OWN_CHOICE = ("job", "target")


def _quantity(pick: Pick, quantity: Quantity, noun: str = "samples") -> Make:
    is_own = quantity.fact is not None and quantity.fact.scope in OWN_CHOICE

    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.view(session).best(pick, by=quantity.name if is_own else "throughput")
        value = None if record is None else quantity(record)
        if record is None or value is None:
            return None
        return Found(fmt.interval(value, noun), fact.cells(evidence, record), value, fact.arm(record))

    return make


def _reached(pick: Pick) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.view(session).best(pick, by="time_to_target")
        value = None if record is None else quantities.reached_frac(record)
        if record is None or value is None:
            return None
        short = f"{round(value.value * value.n)} of {value.n} runs"
        return Found(fmt.interval(value), fact.cells(evidence, record), value, fact.arm(record), short)

    return make


def _samples(pick: Pick, spec: Signature) -> Make:
    """Samples of the job whose time the sentence gives; before it was measured, as the reference variant has them."""

    def make(evidence: Evidence, session: SessionResults | None) -> Found | None:
        for shown in evidence.shown:
            record = evidence.view(shown).best(pick, by="job_time")
            if record is not None:
                return Found(f"{fmt.count(record.cell.n_samples)} {spec.noun}", fact.cells(evidence, record))
        declared = evidence.workloads[spec.id].variants.get("reference", ())
        n = next((variant.n_samples for variant in declared if variant.mode == pick.mode), None)
        return None if n is None else Found(f"{fmt.count(n)} {spec.noun}")

    return make


def _first_step_share(pick: Pick) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.view(session).best(pick)
        if record is None:
            return None
        first, steady = quantities.first_step(record), quantities.step_time(record)
        if first is None or steady is None:
            return None
        value = estimate.over(first, steady)
        return Found(fmt.interval(value), fact.cells(evidence, record), value, fact.arm(record))

    return make


def _speedup(contrast: Callable[[Evidence, SessionResults], Contrast | None], *, is_named: bool = True) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        found = contrast(evidence, session)
        if found is None:
            return None
        note = f"GPU: {fact.arm(found.gpu)}; CPU: {fact.arm(found.cpu)}, {evidence.view(session).cpu_text(found.cpu)}"
        text = fmt.interval(found.speedup)
        text = fact.named(text, found.arms) if is_named else text
        return Found(text, fact.cells(evidence, found.gpu, found.cpu), found.speedup, note)

    return make


def _side_of(contrast: Callable[[Evidence, SessionResults], Contrast | None], device: Device, noun: str) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        found = contrast(evidence, session)
        if found is None:
            return None
        record = found.gpu if device == "gpu" else found.cpu
        value = quantities.throughput(record)
        cell = record.cell
        text = fact.named(
            fmt.interval(value, noun), f"batch {cell.batch_size}, {fmt.precision(cell.precision, device)}"
        )
        return Found(text, fact.cells(evidence, record), value, fact.arm(record))

    return make


def start_up(backend: Backend) -> Entry:
    """Fact: how long a backend takes to start."""

    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        records = evidence.view(session).records(Pick(backend=backend, device="cpu", status="ok"))
        value = quantities.pooled_phase_time(records)
        if value is None:
            return None
        return Found(fmt.interval(value), fact.cells(evidence, *records), value)

    return Entry(
        f"start-up of {fmt.backend(backend)}: import and device start",
        "Median over all processes of the session that used this backend on the CPU.",
        make,
    )


def _target(evidence: Evidence, workload: str) -> Found | None:
    target = evidence.workloads[workload].target
    if target is None:
        return None
    record = evidence.view(evidence.lead).best(Pick(workload, "train", "cpu"))
    return Found(f"{fmt.percent(target.at_least)} {target.metric} on held-out data", fact.cells(evidence, record))
