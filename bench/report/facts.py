"""Facts: estimates, and what follows from them, as text inside a sentence. Pure: evidence in, words out.

A fact is looked up by a permanent name. Families of names follow from the workloads; the others are functions with
the decorator ``@fact``. A fact without a record reads "not measured yet"; an unknown name is an error.

``lookup`` asks the leading session first, then the others, and says which machine when it is not the leading one, so
that a machine with few records does not hide what others measured.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from bench.records.store import SessionResults
from bench.report import calculators, history, stats, studies
from bench.report import format as fmt
from bench.report.rows import Contrast, Evidence, fastest, is_older_method
from bench.report.stats import Estimate, Quantity
from bench.schema import BACKENDS, DEVICES, Backend, Device, Job, Mode, Precision, Record, Scalar, Workload, n_gpus_of

# Training images of ImageNet (ILSVRC 2012): row imagenet-train of bench/published/datasets_and_accuracy.csv.
IMAGENET_IMAGES = 1_281_167
# Epochs of ImageNet that published ResNet-50 recipes train for: rows derived-r50-90ep-* of the same folder.
IMAGENET_EPOCHS = 90
# Images of one epoch in the article that reports "42 minutes against 33 seconds": claim a-42min-vs-33s.
ARTICLE_IMAGES = 2_000
MOST_PAIRS_LISTED = 3  # of two sessions; of more the fewest and the most
LATE_FRAC = 0.1  # of a job: fit came back late when it took that much longer to do so
# Sizes of a grid with a larger factor between them say where a crossing is not, and the upper one is no estimate of it.
# The reference grid's batches lie up to eight apart.
COARSE_RATIO = 8
OVERHEAD_LIMIT_FRAC = 0.01  # of a step: what this benchmark's own clock should stay within

# Variants with facts of their own beside the headline's: workload, name in the fact's id, how to recognise them.
EXTRA_VARIANTS = (
    ("transfer-2000", "all", "tuned", "all", "all layers trained"),
    ("transformer-text", "large", "width", 768, "of BERT-base size"),
    ("endurance", "long", "minutes", 10, "ten minutes"),
    ("layout", "depthwise", "net", "depthwise", "depthwise convolutions"),
    ("request-gap", "cnn", "net", "cnn", "convolutions"),
    ("matmul-copy", "one-row", "rows", 1, "one row"),
    ("matmul-copy", "thin", "rows", 32, "32 rows"),
    ("matmul-copy", "square", "rows", 2048, "2,048 rows"),
    ("matmul-copy", "tiny", "rows", 16, "16 rows"),
    *(
        ("memory-optimizers", name, "optimizer", name, f"optimizer {name}")
        for name in ("sgd", "momentum", "rmsprop", "adafactor")
    ),
    ("onednn", "dense", "net", "dense", "dense layers"),
    ("onednn", "look-ups", "net", "look-ups", "look-ups in a table"),
    ("side-by-side", "dense", "net", "dense", "dense layers"),
    ("resnet50", "one-image", "batch_size", 1, "one image at a time"),
    ("raw-models", "resnet50", "net", "resnet50", "ResNet-50"),
    ("raw-models", "mobilenet-v2", "net", "mobilenet-v2", "MobileNetV2"),
    ("raw-models", "lstm-text", "net", "lstm-text", "LSTM"),
    ("raw-models", "transformer-text", "net", "transformer-text", "transformer"),
)


NOT_MEASURED = fmt.NOT_MEASURED
CellKey = tuple[SessionResults, str]  # a session and the id of a cell in it


class FactError(LookupError):
    """A fact that does not exist; the message names near ones."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A number in words, with all that it rests on."""

    id: str
    title: str  # what the number is
    text: str  # plain text, "12.4x (11.9 to 12.8, n = 5)" or "not measured yet"
    how: str  # how it follows from the records, one sentence
    measured: bool
    estimate: Estimate | None = None
    cells: tuple[CellKey, ...] = ()
    note: str = ""  # backend, settings and machine, where they are not said in the text


class Found(NamedTuple):
    """What a fact's function returns: its text and the cells it rests on."""

    text: str
    cells: tuple[CellKey, ...] = ()
    estimate: Estimate | None = None
    note: str = ""
    is_place: bool = False  # names a machine itself


Make = Callable[[Evidence, SessionResults], Found | None]


class _Entry(NamedTuple):
    title: str
    how: str
    make: Make
    of_all: bool = False  # about all sessions at once; made with the leading one, whichever that is


_DERIVED: dict[str, _Entry] = {}


def fact(name: str, title: str, how: str, *, of_all: bool = False) -> Callable[[Make], Make]:
    """Register a function as a fact under a permanent name."""

    def register(make: Make) -> Make:
        _DERIVED[name] = _Entry(title, how, make, of_all)
        return make

    return register


def lookup(name: str, evidence: Evidence) -> Fact:
    """The fact of that name.

    Raises:
        FactError: no such fact; the message names near ones.
    """
    entries = _entries_of(evidence)
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"; near ones: {', '.join(near)}" if near else ""
        raise FactError(f"no fact {name!r}{hint}; python scripts/check_prose.py --facts TEXT lists them")
    entry = entries[name]
    for session in evidence.shown or ((None,) if entry.of_all else ()):
        found = entry.make(evidence, session)
        if found is not None:
            elsewhere = not entry.of_all and session is not evidence.lead
            return Fact(
                id=name,
                title=entry.title,
                text=_placed(found.text, evidence.label(session)) if elsewhere and not found.is_place else found.text,
                how=entry.how,
                measured=True,
                estimate=found.estimate,
                cells=found.cells,
                note="; ".join(part for part in (found.note, *_doubts(evidence, found.cells)) if part),
            )
        if entry.of_all:
            break
    return Fact(id=name, title=entry.title, text=NOT_MEASURED, how=entry.how, measured=False)


def _doubts(evidence: Evidence, cells: Sequence[CellKey]) -> tuple[str, ...]:
    """What disturbed the cells behind a number, whether they are old or hours apart; nothing for more than two."""
    if len(cells) > 2:
        return ()
    records = [session.records[cell_id] for session, cell_id in cells]
    return evidence.disturbance(records), evidence.age(records), evidence.distance(records)


def measured(name: str, evidence: Evidence) -> bool:
    """Whether the fact has a record.

    Raises:
        FactError: no such fact.
    """
    return lookup(name, evidence).measured


def names(workloads: Mapping[str, Workload]) -> tuple[str, ...]:
    """Names of all facts, sorted."""
    return tuple(sorted(_entries(_signature(workloads))))


def _placed(text: str, machine: str) -> str:
    """The text with the machine in it: "3.1 s (3.0 to 3.2, n = 5; on other-machine)"."""
    return f"{text[:-1]}; on {machine})" if text.endswith(")") else f"{text} (on {machine})"


# Families: one fact per workload, mode, device, backend and quantity.


class _Signature(NamedTuple):
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


def _signature(workloads: Mapping[str, Workload]) -> tuple[_Signature, ...]:
    return tuple(
        _Signature(
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


_KNOWN: dict[int, tuple[Evidence, dict[str, _Entry]]] = {}


def _entries_of(evidence: Evidence) -> dict[str, _Entry]:
    """All facts of these results; kept for the last ones asked about."""
    if id(evidence) not in _KNOWN:
        _KNOWN.clear()
        _KNOWN[id(evidence)] = (evidence, _entries(_signature(evidence.workloads)))
    return _KNOWN[id(evidence)][1]


@cache
def _entries(workloads: tuple[_Signature, ...]) -> dict[str, _Entry]:
    entries = dict(_DERIVED)
    for backend in BACKENDS:
        entries[f"start-up-{backend}"] = _start_up(backend)
    for spec in workloads:
        if spec.is_model:
            entries |= _family(spec, spec.id, f"{spec.title}, ", None)
            for workload, suffix, key, value, words in EXTRA_VARIANTS:
                if workload == spec.id:
                    entries |= _family(spec, f"{spec.id}-{suffix}", f"{spec.title}, {words}, ", (key, value))
            if spec.has_target:
                entries |= _target_family(spec)
        entries |= _study_family(spec, spec.id, spec.title, None)
        for workload, suffix, key, value, words in EXTRA_VARIANTS:
            if workload == spec.id:
                entries |= _study_family(spec, f"{spec.id}-{suffix}", f"{spec.title}, {words}", {key: value})
    return entries


def _study_family(spec: _Signature, prefix: str, title: str, only: Mapping[str, Scalar] | None) -> dict[str, _Entry]:
    """Time per call, first call and ratio to the first series of each series of a study; each of its readings."""
    entries: dict[str, _Entry] = {}
    for backend in BACKENDS:
        for device in ("cpu", "gpu"):
            arm = f"with {fmt.backend(backend)} on the {device.upper()}"
            for series, label in spec.series:
                name, baseline = f"{prefix}-{series}-{backend}-{device}", spec.series[0][0]
                for suffix, what, how, make in (
                    ("", "time per call", "Median over processes of the median time per call.",
                     lambda record, s=series: studies.call_time(record, s)),
                    ("-first", "first call", "Seconds of the first call; median over processes.",
                     lambda record, s=series: studies.first_call(record, s)),
                    ("-ratio", f"time per call over that of {spec.series[0][1]}",
                     "Ratio of two series timed in turn, round by round; median over rounds and processes.",
                     lambda record, s=series, b=baseline: studies.call_ratio(record, s, b)),
                ):  # fmt: skip
                    value = _of_study(spec.id, device, backend, only, make)
                    entries[name + suffix] = _Entry(f"{title}: {label}, {what} {arm}", how, value)
            for reading, label in spec.readings:
                entries[f"{prefix}-{reading}-{backend}-{device}"] = _Entry(
                    f"{title}: {label}, {arm}",
                    "Read once per run; median over processes.",
                    _of_study(spec.id, device, backend, only, lambda record, r=reading: studies.reading(record, r)),
                )
    return entries


def _of_study(
    workload: str,
    device: Device,
    backend: Backend,
    only: Mapping[str, Scalar] | None,
    value: Callable[[Record], Estimate | None],
) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = studies.usual(evidence, session, workload, device, backend, only)
        found = None if record is None else value(record)
        if record is None or found is None:
            return None
        return Found(fmt.interval(found), _cells(evidence, record), found, fmt.cores(record.cell.threads))

    return make


def _family(spec: _Signature, prefix: str, title: str, only: tuple[str, object] | None) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}

    def add(name: str, what: str, how: str, make: Make, *, of_all: bool = False) -> None:
        entries[name] = _Entry(title + what, how, make, of_all)

    for mode in spec.modes:
        work = "training" if mode == "train" else "inference"
        for backend in (None, *BACKENDS):
            tail = f"-{backend}" if backend else ""
            arm = f" with {fmt.backend(backend)}" if backend else ", fastest backend"
            for device in ("cpu", "gpu"):
                pick = _Pick(spec.id, mode, device, backend, only)
                on = f"on the {device.upper()}{arm}"
                lead = "" if device == "cpu" else "gpu-"
                add(
                    f"{prefix}-{mode}-{device}-throughput{tail}",
                    f"{work} throughput {on}",
                    "Batch size over the median time of a steady step, XLA on or off, whichever is faster.",
                    _quantity(pick, "throughput", spec.noun),
                )
                add(
                    f"{prefix}-{mode}-{lead}step{tail}",
                    f"steady step of {work} {on}",
                    "Median over processes of the median time per step in blocks of steps.",
                    _quantity(pick, "step_time"),
                )
                add(
                    f"{prefix}-{mode}-{lead}latency{tail}",
                    f"latency of one step of {work} {on}",
                    "Median over processes of single steps, each waited for.",
                    _quantity(pick, "latency"),
                )
                if backend:
                    add(
                        f"{prefix}-{mode}-{lead}first-step-{backend}",
                        f"first step of {work} {on}",
                        "Time of the first step: tracing, compilation, tuning and the step itself.",
                        _quantity(pick, "first_step"),
                    )
                    add(
                        f"{prefix}-{mode}-{lead}first-step-share-{backend}",
                        f"first step of {work} over a steady one, {on}",
                        "First step divided by steady step of the same cell; interval from the ends of both.",
                        _first_step_share(pick),
                    )
                if mode == "train" and spec.has_job:
                    add(
                        f"{prefix}-{lead}job-time{tail}",
                        f"whole training job {on}",
                        "From the call of fit to the end of its last epoch, compilation and evaluation included.",
                        _quantity(pick, "job_time"),
                    )
                    add(
                        f"{prefix}-{lead}job-samples{tail}",
                        f"samples in one epoch of the job {on}",
                        "Read from the cell, or declared by the workload where none was measured.",
                        _samples(pick, spec.noun),
                        of_all=True,
                    )
        if mode == "train":
            add(
                f"{prefix}-{mode}-gpu-utilisation",
                f"utilisation that the driver reads during {work} on the GPU, fastest backend",
                "Median over processes of the median of its samples, one a second while steady.",
                _utilisation(_Pick(spec.id, mode, "gpu", None, only)),
            )
        if only is None:
            entries |= _speedup_family(spec, mode, f"{title}{work}")
    return entries


def _speedup_family(spec: _Signature, mode: Mode, title: str) -> dict[str, _Entry]:
    """How many times faster the GPU is, both sides of that ratio, and the ratio at equal settings."""

    def best(evidence: Evidence, session: SessionResults) -> Contrast | None:
        return evidence.best_contrast(session, spec.id, mode)

    def same(evidence: Evidence, session: SessionResults) -> Contrast | None:
        return evidence.contrast(session, spec.id, mode)

    name = f"{spec.id}-{mode}-speedup"
    found = {
        name: _Entry(
            f"{title}: GPU over CPU of the same machine, each at its fastest batch and usual precision",
            "Samples per second of the fastest cell on the GPU over those of the fastest on the CPU, over all batches, "
            "backends and precisions that the device computes in; both of one network and one session.",
            _speedup(best),
        ),
        f"{name}-factor": _Entry(
            f"{title}: GPU over CPU, for a table that names the batch and precision of both beside it",
            f"The ratio of {name}.",
            _speedup(best, is_named=False),
        ),
        f"{name}-same-batch": _Entry(
            f"{title}: GPU over CPU of the same machine, same batch and strict float32 on both",
            "Throughput on the GPU over throughput on the CPU, both of one variant and one session, fastest backend of "
            "each.",
            _speedup(same),
        ),
    }
    for device in DEVICES:
        found[f"{name}-{device}"] = _Entry(
            f"{title}: throughput on the {device.upper()} in the ratio of the two devices",
            f"Of the cell of {name} that ran on the {device.upper()}.",
            _side_of(best, device, spec.noun),
        )
    return found


def _target_family(spec: _Signature) -> dict[str, _Entry]:
    entries = {
        f"{spec.id}-target": _Entry(
            f"{spec.title}, the quality at which it counts as done",
            "Declared by the workload.",
            lambda evidence, session: _target(evidence, spec.id),
            of_all=True,
        )
    }
    for backend in (None, *BACKENDS):
        tail, arm = (f"-{backend}", f" with {fmt.backend(backend)}") if backend else ("", ", fastest backend")
        for device in ("cpu", "gpu"):
            pick = _Pick(spec.id, "train", device, backend, None)
            lead = "" if device == "cpu" else "gpu-"
            entries[f"{spec.id}-{lead}time-to-target{tail}"] = _Entry(
                f"{spec.title}, time to its target on the {device.upper()}{arm}",
                "From the call of fit to the end of the first epoch whose held-out quality meets the target.",
                _quantity(pick, "time_to_target"),
            )
    entries[f"{spec.id}-reached"] = _Entry(
        f"{spec.title}, share of runs that met the target on the CPU",
        "Runs that met it over all runs of the cell; Wilson's interval.",
        _reached(_Pick(spec.id, "train", "cpu", None, None)),
    )
    return entries


class _Pick(NamedTuple):
    """Which cell a fact takes: the best of a workload, or of one of its other variants."""

    workload: str
    mode: Mode
    device: Device
    backend: Backend | None
    only: tuple[str, object] | None

    def record(self, evidence: Evidence, session: SessionResults, by: Quantity = "throughput") -> Record | None:
        """The record, or None when nothing was measured; among several the best by a quantity."""
        only = {} if self.only is None else dict([self.only])
        batch_size = only.pop("batch_size", None)
        return evidence.best(
            session,
            self.workload,
            self.mode,
            self.device,
            backend=self.backend,
            params=only or None,
            batch_size=batch_size,
            by=by,
        )


# Of these the fastest arm is the one that is fastest in them; the others belong to the arm of the best throughput.
OWN_CHOICE: frozenset[Quantity] = frozenset({"job_time", "time_to_target"})


def _quantity(pick: _Pick, quantity: Quantity, noun: str = "samples") -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = pick.record(evidence, session, quantity if quantity in OWN_CHOICE else "throughput")
        value = None if record is None else getattr(stats, quantity)(record)
        if record is None or value is None:
            return None
        return Found(fmt.interval(value, noun), _cells(evidence, record), value, _arm(record))

    return make


def _utilisation(pick: _Pick) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = pick.record(evidence, session)
        if record is None:
            return None
        value = stats.nested_estimate(record, ("utilisation",), lambda run: list(run.utilisation_frac or ()), "frac")
        return None if value is None else Found(fmt.interval(value), _cells(evidence, record), value, _arm(record))

    return make


def _reached(pick: _Pick) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = pick.record(evidence, session, "time_to_target")
        value = None if record is None else stats.reached_frac(record)
        if record is None or value is None:
            return None
        return Found(fmt.interval(value), _cells(evidence, record), value, _arm(record))

    return make


def _samples(pick: _Pick, noun: str) -> Make:
    """Samples of the job whose time the sentence gives; before it was measured, as the reference variant has them."""

    def make(evidence: Evidence, session: SessionResults | None) -> Found | None:
        for shown in evidence.shown:
            record = pick.record(evidence, shown, "job_time")
            if record is not None:
                return Found(f"{fmt.count(record.cell.n_samples)} {noun}", _cells(evidence, record))
        declared = evidence.workloads[pick.workload].variants.get("reference", ())
        n = next((variant.n_samples for variant in declared if variant.mode == pick.mode), None)
        return None if n is None else Found(f"{fmt.count(n)} {noun}")

    return make


def _first_step_share(pick: _Pick) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = pick.record(evidence, session)
        if record is None:
            return None
        first, steady = stats.first_step(record), stats.step_time(record)
        if first is None or steady is None:
            return None
        value = _over(first, steady)
        return Found(fmt.interval(value), _cells(evidence, record), value, _arm(record))

    return make


def _speedup(contrast: Callable[[Evidence, SessionResults], Contrast | None], *, is_named: bool = True) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        found = contrast(evidence, session)
        if found is None:
            return None
        note = f"GPU: {_arm(found.gpu)}; CPU: {_arm(found.cpu)}, {evidence.cpu_text(session, found.cpu)}"
        text = fmt.interval(found.speedup)
        text = _named(text, found.arms) if is_named else text
        return Found(text, _cells(evidence, found.gpu, found.cpu), found.speedup, note)

    return make


def _side_of(contrast: Callable[[Evidence, SessionResults], Contrast | None], device: Device, noun: str) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        found = contrast(evidence, session)
        if found is None:
            return None
        record = found.gpu if device == "gpu" else found.cpu
        value = stats.throughput(record)
        cell = record.cell
        text = _named(fmt.interval(value, noun), f"batch {cell.batch_size}, {fmt.precision(cell.precision, device)}")
        return Found(text, _cells(evidence, record), value, _arm(record))

    return make


def _start_up(backend: Backend) -> _Entry:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        records = evidence.records(session, backend=backend, device="cpu", status="ok")
        value = stats.pooled_phase_time(records)
        if value is None:
            return None
        return Found(fmt.interval(value), _cells(evidence, *records), value)

    return _Entry(
        f"start-up of {fmt.backend(backend)}: import and device start",
        "Median over all processes of the session that used this backend on the CPU.",
        make,
    )


def _target(evidence: Evidence, workload: str) -> Found | None:
    target = evidence.workloads[workload].target
    if target is None:
        return None
    record = evidence.best(evidence.lead, workload, "train", "cpu")
    return Found(f"{fmt.percent(target.at_least)} {target.metric} on held-out data", _cells(evidence, record))


# Derived facts: what the prose needs beyond one estimate.


@fact("machine-cpu", "the CPU of the leading session and the cores it used", "Read from machine.json and session.json.")
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    return Found(f"{fmt.cores(session.session.n_cores_effective)} of {fmt.with_article(session.machine.cpu_model)}")


@fact(
    "machine-gpu",
    "the GPU of a session that measured one",
    "Read from machine.json; as many as one of its cells used, which is one but for studies of several.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    records = evidence.records(session, device="gpu", status="ok")
    if not records:
        return None
    fewest = min(records, key=lambda record: n_gpus_of(record.cell))
    return Found(fmt.with_article(evidence.gpu_text(session, fewest)), is_place=True)


@fact("lead-date", "the day of the leading session", "Read from session.json.")
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    return Found(fmt.date(session.session.started_at))


@fact("n-records", "records this build rests on", "Counted: cells with status ok in all sessions.", of_all=True)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    n = sum(record.status == "ok" for s in evidence.sessions for record in s.records.values())
    return Found(fmt.count(n)) if n else None


@fact("n-runs", "runs this build rests on", "Counted: processes that finished, in all sessions.", of_all=True)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    runs = [run for s in evidence.sessions for record in s.records.values() for run in record.runs]
    n = sum(run.status == "ok" for run in runs)
    return Found(fmt.count(n)) if n else None


@fact("n-machines", "machines this build rests on", "Counted: different machine ids.", of_all=True)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    n = len({s.machine.id for s in evidence.sessions})
    return Found(f"{n} machine{'s' if n != 1 else ''}") if n else None


def _images(name: str, title: str, n_images: int, how: str) -> None:
    @fact(name, f"ResNet-50 on the CPU: {title}", how)
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        record = evidence.best(session, "resnet50", "train", "cpu")
        step = None if record is None else stats.step_time(record)
        if record is None or step is None:
            return None
        value = _times(step, n_images / record.cell.batch_size)
        return Found(fmt.interval(value), _cells(evidence, record), value, _arm(record))


_images(
    "resnet50-imagenet-epoch",
    "one pass over the training images of ImageNet",
    IMAGENET_IMAGES,
    f"Steady step times the {IMAGENET_IMAGES:,} images over the batch size; reading the images is left out.",
)
_images(
    "resnet50-imagenet-90-epochs",
    "ninety passes over the training images of ImageNet",
    IMAGENET_IMAGES * IMAGENET_EPOCHS,
    f"Steady step times {IMAGENET_EPOCHS} x {IMAGENET_IMAGES:,} images over the batch size; evaluation is left out.",
)
_images(
    "resnet50-2000-images",
    "one pass over two thousand images",
    ARTICLE_IMAGES,
    f"Steady step times {ARTICLE_IMAGES:,} images over the batch size; start-up and first step are left out.",
)


@fact(
    "mobilenet-v2-vs-resnet50",
    "training throughput of MobileNet-v2 over that of ResNet-50, on the CPU",
    "One throughput divided by the other, both of one session; interval from the ends of both.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    small, large = (evidence.best(session, name, "train", "cpu") for name in ("mobilenet-v2", "resnet50"))
    if small is None or large is None:
        return None
    first, second = stats.throughput(small), stats.throughput(large)
    if first is None or second is None:
        return None
    value = _over(first, second)
    return Found(fmt.interval(value), _cells(evidence, small, large), value)


def _extreme(name: str, word: str, place: Callable[[int], int]) -> None:
    @fact(
        name,
        f"{word} training speed-up of GPU over CPU over all workloads",
        "Speed-ups of all headline networks of one session in training, each device at its fastest batch and usual "
        "precision, in order.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        contrasts = [evidence.best_contrast(session, workload) for workload in evidence.model_workloads()]
        found = sorted((c for c in contrasts if c is not None), key=lambda c: c.speedup.value)
        if not found:
            return None
        chosen = found[place(len(found))]
        records = [record for c in found for record in (c.gpu, c.cpu)]
        name = f"{evidence.title(chosen.cpu.cell.workload)}, {chosen.arms}"
        text = _named(fmt.interval(chosen.speedup), name)
        return Found(text, _cells(evidence, *records), chosen.speedup)


_extreme("speedup-smallest", "smallest", lambda n: 0)
_extreme("speedup-largest", "largest", lambda n: n - 1)
_extreme("speedup-median", "middle", lambda n: (n - 1) // 2)


def _probe_rate(device: Device) -> None:
    @fact(
        f"matmul-{device}-rate",
        f"highest rate of a square matrix product on the {device.upper()}",
        "Operations by formula (2 n^3) over the median time of a step; the best n, backend and XLA setting in float32.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        records = evidence.records(session, workload="matmul", device=device, precision="float32-strict")
        record = fastest(evidence.undisturbed(records), "flop_rate")
        value = None if record is None else stats.flop_rate(record)
        if record is None or value is None:
            return None
        text = _named(fmt.interval(value), f"{fmt.count(record.cell.params['n'])} wide")
        return Found(text, _cells(evidence, record), value, _arm(record))


_probe_rate("cpu")
_probe_rate("gpu")


def _sixteen_bits(precision: Precision, what: str, word: str) -> None:
    """The largest or smallest gain of a precision on a CPU: of the matrix product, or of a training."""
    name = precision.removeprefix("mixed_")

    @fact(
        f"{name}-{what}-{word}-cpu",
        f"{word} speed of a {'matrix product' if what == 'matmul' else 'training'} on a CPU in {name}, over float32",
        "Over all machines: the rate of each cell divided by that of the same cell in strict float32, in one session; "
        "pairs that were disturbed count only where no other was measured.",
        of_all=True,
    )
    def make(evidence: Evidence, _: SessionResults) -> Found | None:
        is_product = what == "matmul"
        quantity, meant = ("flop_rate", {"workload": "matmul"}) if is_product else ("throughput", {"mode": "train"})
        found: list[tuple[Estimate, Record, Record]] = []
        for session in evidence.shown:
            for record in evidence.records(session, device="cpu", precision=precision, status="ok", **meant):
                strict = msgspec.structs.replace(record.cell, precision="float32-strict").id
                ratio = evidence.cell_ratio(session, record.cell.id, strict, quantity)
                if ratio is not None:
                    found.append((ratio, record, session.records[strict]))
        if not found:
            return None
        found = [one for one in found if not any(map(evidence.flags, one[1:]))] or found
        ratio, record, strict = (max if word == "best" else min)(found, key=lambda one: one[0].value)
        machine = evidence.label(evidence.session_of(record))
        arm = f"{evidence.title(record.cell.workload)}, {fmt.backend(record.cell.backend)}, {machine}"
        return Found(_named(fmt.interval(ratio), arm), _cells(evidence, record, strict), ratio, _arm(record))


for _precision in ("mixed_bfloat16", "mixed_float16"):
    _sixteen_bits(_precision, "matmul", "best")
    _sixteen_bits(_precision, "train", "best")
    _sixteen_bits(_precision, "train", "worst")


def _grid(
    evidence: Evidence, session: SessionResults, device: Device, size: Callable[[int, int], int]
) -> dict[int, Record]:
    """The fastest record of each size of the dense network's grid, ascending; size is made of width and batch size."""
    found: dict[int, list[Record]] = {}
    for record in evidence.records(session, workload="mlp-tabular", mode="train", device=device, status="ok"):
        if record.cell.precision == "float32-strict":
            key = size(int(record.cell.params["width"]), record.cell.batch_size)
            found.setdefault(key, []).append(record)
    best = {size: fastest(evidence.undisturbed(records)) for size, records in sorted(found.items())}
    return {size: record for size, record in best.items() if record is not None}


def _product(width: int, batch_size: int) -> int:
    """The size of a step that break-even is told by."""
    return width * batch_size


def _work(width: int, batch_size: int) -> int:
    """What the operations of a step grow with."""
    return width * width * batch_size


def _grid_end(name: str, word: str, place: int) -> None:
    @fact(
        name,
        f"training step of the {word} dense network of the grid, on the CPU",
        f"Steady step of the cell with the {word} product of batch size and width squared, fastest backend.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        grid = _grid(evidence, session, "cpu", _work)
        if not grid:
            return None
        record = list(grid.values())[place]
        value = stats.step_time(record)
        if value is None:
            return None
        cell = record.cell
        name = f"{fmt.backend(cell.backend)}, width {cell.params['width']}, batch {cell.batch_size}"
        return Found(_named(fmt.interval(value), name), _cells(evidence, record), value, _arm(record))


_grid_end("mlp-smallest-step", "smallest", 0)
_grid_end("mlp-largest-step", "largest", -1)


@fact(
    "memory-caps-agree",
    "caps on memory under which the computed largest batch is the one found by trying",
    "Under each cap the largest batch of the line through readings at two batches, for the room that was left, against "
    "the one found by trying; both are powers of two.",
)
def _caps_agree(evidence: Evidence, session: SessionResults) -> Found | None:
    both = [capped for capped in calculators.caps(evidence, session) if capped.computed is not None]
    if not both:
        return None
    n_equal = sum(capped.computed == capped.largest for capped in both)
    records = [record for c in both for record in (c.record, c.growth.small, c.growth.large)]
    return Found(f"{n_equal} of {len(both)}", _cells(evidence, *records))


def _of_this_clock(evidence: Evidence, session: SessionResults) -> tuple[Record, ...]:
    """Records of what the clock costs, without those that measured an earlier clock: they say nothing of this one."""
    found = evidence.records(session, workload="harness-overhead", status="ok")
    return tuple(record for record in found if not is_older_method(record))


def _overhead(name: str, series: str, title: str) -> None:
    """Register what a series of the study adds to bare fit, over all its networks and backends."""

    @fact(
        name,
        title,
        "One of two fits of the same network over the other, timed in turn in one process, paired by round; the median "
        "over the processes of all networks and backends.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        records = _of_this_clock(evidence, session)
        value = studies.pooled_ratio(records, series, "bare") if records else None
        return None if value is None else Found(fmt.change(value), _cells(evidence, *records), value)


_overhead("harness-overhead", "clock", "what the clock of this benchmark adds to a step of fit")
_overhead("harness-overhead-again", "again", "what a second fit adds to a step of the first, though nothing differs")


@fact(
    "harness-overhead-certain",
    "networks and backends in which the clock of this benchmark surely adds more than a hundredth to a step of fit",
    "Fit under the clock over fit as it comes, timed in turn in one process, paired by round; counted are the networks "
    "and backends whose 95 % interval lies above a hundredth.",
)
def _certain_overhead(evidence: Evidence, session: SessionResults) -> Found | None:
    records = _of_this_clock(evidence, session)
    ratios = [r for record in records if (r := studies.call_ratio(record, "clock", "bare")) is not None]
    n_above = sum(ratio.low > 1 + OVERHEAD_LIMIT_FRAC for ratio in ratios)
    return Found(f"{n_above} of {len(ratios)}", _cells(evidence, *records)) if ratios else None


def _late_jobs(backend: Backend) -> None:
    """Register how many whole jobs in a backend came back late, and which one the latest."""

    def jobs(evidence: Evidence, session: SessionResults) -> list[tuple[Record, Job]]:
        records = evidence.records(session, mode="train", backend=backend, device="cpu", status="ok")
        return [(record, run.job) for record in records for run in record.runs if run.job is not None]

    how = "From the end of the last epoch until fit had returned, in every whole job of the session on the CPU"

    @fact(
        f"jobs-late-{backend}",
        f"whole jobs in {fmt.backend(backend)} in which fit came back late",
        f"{how}; late is by a tenth of the job or more.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        found = jobs(evidence, session)
        n_late = sum(job.return_s >= LATE_FRAC * job.done_s for _, job in found)
        return Found(f"{n_late} of {len(found)}", _cells(evidence, *(record for record, _ in found))) if found else None

    @fact(
        f"jobs-longest-return-{backend}",
        f"the longest time that fit took to come back after a whole job in {fmt.backend(backend)}",
        f"{how}; the longest, and the seconds of its job.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        found = jobs(evidence, session)
        if not found:
            return None
        record, job = max(found, key=lambda pair: pair[1].return_s)
        text = f"{fmt.seconds(job.return_s)} after {fmt.seconds(job.done_s)} of work"
        return Found(text, _cells(evidence, record), note=record.spec.title)


for _backend in BACKENDS:
    _late_jobs(_backend)


@fact(
    "mlp-break-even",
    "sizes of the dense network at which the GPU trains faster than the CPU",
    "Smallest size of the grid from which the GPU's throughput stays above the CPU's, same batch and strict float32 on "
    "both, fastest backend of each; every resample of the curve has its own, and the crossing lies between the two "
    "sizes in 95 %. Where the grid is too coarse, the sizes on both sides of it instead.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    cpu, gpu = (_grid(evidence, session, device, _product) for device in ("cpu", "gpu"))
    sizes = sorted(cpu.keys() & gpu.keys())
    found = stats.break_even_interval(sizes, [(gpu[size], cpu[size]) for size in sizes])
    if found is None:
        return None
    smaller = max((size for size in sizes if found.size is not None and size < found.size), default=None)
    if found.size is None:
        text = f"at no size up to width x batch = {fmt.count(sizes[-1])}"
    elif smaller is not None and found.size > COARSE_RATIO * smaller:
        text = f"from a width x batch between {fmt.count(smaller)} and {fmt.count(found.size)}"
    else:
        text = f"from width x batch = {fmt.count(found.size)} on"
    if (found.low, found.high) != (smaller, found.size) or "between" not in text:
        text += f" ({_between(found)})"
    records = [grid[size] for size in sizes for grid in (gpu, cpu)]
    return Found(text, _cells(evidence, *records))


def _between(found: stats.BreakEven) -> str:
    """Where a crossing lies, in words."""
    if math.isinf(found.high):
        return f"crossing above {fmt.count(found.low)}" if found.low else "the intervals leave the crossing open"
    if not found.low:
        return f"crossing at or below {fmt.count(found.high)}"
    return f"crossing between {fmt.count(found.low)} and {fmt.count(found.high)}"


@fact(
    "sessions-overlap",
    "headline intervals that overlap, for every two sessions of one machine",
    "Headline cells that two sessions with equal versions measured alike; of a study its first series. Each count is "
    "of cells whose 95 % intervals overlap, for one pair of sessions; of many pairs the fewest and the most.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    pairs = _repeats(evidence, session)
    if not pairs:
        return None
    note = f"sessions {'; '.join(found.names for found in pairs)}"
    return Found(_overlap_words(pairs), _of_pairs(evidence, pairs), note=note)


@fact(
    "sessions-overlap-elsewhere",
    "headline intervals that overlap, for every two sessions of each other machine",
    "As for the leading machine, of which sessions-overlap tells.",
    of_all=True,
)
def _overlap_elsewhere(evidence: Evidence, _: SessionResults) -> Found | None:
    repeated = [(session, pairs) for session in evidence.shown[1:] if (pairs := _repeats(evidence, session))]
    if not repeated:
        return None
    text = "; ".join(f"{_overlap_words(pairs)} on {evidence.label(session)}" for session, pairs in repeated)
    return Found(text, _of_pairs(evidence, [found for _, pairs in repeated for found in pairs]))


def _overlap_words(pairs: Sequence[history.Overlap]) -> str:
    """Each pair's count; of many the fewest and the most."""
    *others, last = [found.text for found in pairs]
    if len(pairs) > MOST_PAIRS_LISTED:
        fewest, *_, most = sorted(pairs, key=lambda found: len(found.together) / found.n)
        return f"{fewest.text} to {most.text}"
    return f"{', '.join(others)} and {last}" if others else last


@fact(
    "sessions-overlap-enough",
    "pairs of sessions of one machine in which nine of ten headline intervals overlap",
    "Every two sessions with equal versions; counted are those in which the 95 % intervals of at least nine of ten "
    "headline cells overlap.",
)
def _overlap_enough(evidence: Evidence, session: SessionResults) -> Found | None:
    pairs = _repeats(evidence, session)
    if not pairs:
        return None
    enough = [found for found in pairs if len(found.together) >= history.EXPECTED_FRAC * found.n]
    note = f"sessions {'; '.join(found.names for found in enough)}" if enough else ""
    return Found(f"{len(enough)} of {len(pairs)}", _of_pairs(evidence, pairs), note=note)


def _repeats(evidence: Evidence, session: SessionResults) -> tuple[history.Overlap, ...]:
    """Every two sessions of the session's machine with equal versions."""
    return history.repeats(history.same_machine(evidence.sessions, session))


def _of_pairs(evidence: Evidence, pairs: Sequence[history.Overlap]) -> tuple[CellKey, ...]:
    return _cells(evidence, *(record for found in pairs for record in found.records))


def _by_backend(evidence: Evidence, session: SessionResults) -> dict[str, dict[Backend, Record]]:
    """Records of the CPU's headline training cells, by workload and backend; only workloads with two or more."""
    found = {
        workload: {
            backend: record
            for backend in BACKENDS
            if (record := evidence.best(session, workload, "train", "cpu", backend=backend)) is not None
        }
        for workload in evidence.model_workloads()
    }
    return {workload: records for workload, records in found.items() if len(records) > 1}


@fact(
    "machine-drift",
    "how far the speed of a headline cell moves between sessions of the machine",
    "Standard deviation of the logarithm of a cell's value between sessions that did the same work under the same "
    "versions, pooled over cells, beyond what the cells' intervals explain.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    sd = evidence.drift(session)
    return None if sd is None else Found(fmt.percent(math.expm1(sd)), ())


@fact(
    "backend-wins",
    "on how many workloads each backend trains fastest on the CPU",
    "A backend wins a workload when its interval lies above those of all others; otherwise there is no clear winner.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    arms = _by_backend(evidence, session)
    wins = dict.fromkeys(BACKENDS, 0)
    for records in arms.values():
        rates = {backend: rate for backend, record in records.items() if (rate := stats.throughput(record))}
        first, *others = sorted(rates, key=lambda backend: -rates[backend].value)
        if all(evidence.order(*((records[b], rates[b]) for b in (first, other))) == "faster" for other in others):
            wins[first] += 1
    if not arms:
        return None
    seen = [backend for backend in BACKENDS if any(backend in records for records in arms.values())]
    parts = [f"{fmt.backend(backend)} fastest on {wins[backend]}" for backend in seen]
    open_ = len(arms) - sum(wins.values())
    parts += [f"no clear winner on {open_}"] if open_ else []
    records = [record for records in arms.values() for record in records.values()]
    return Found(f"{', '.join(parts)} of {len(arms)}", _cells(evidence, *records))


@fact(
    "backend-gap-largest",
    "largest ratio between the fastest and the slowest backend of one workload, training on the CPU",
    "Throughput of the fastest divided by that of the slowest, for each workload; the largest of these.",
)
def _(evidence: Evidence, session: SessionResults) -> Found | None:
    gaps = []
    for workload, records in _by_backend(evidence, session).items():
        first, *_, last = sorted(records.values(), key=lambda record: -stats.throughput(record).value)
        value = evidence.record_speedup(first, last)
        if value is not None:
            gaps.append((value, workload, first, last))
    if not gaps:
        return None
    value, workload, first, last = max(gaps, key=lambda gap: gap[0].value)
    pair = f"{fmt.backend(first.cell.backend)} over {fmt.backend(last.cell.backend)}"
    text = _named(fmt.interval(value), f"{evidence.title(workload)}, {pair}")
    return Found(text, _cells(evidence, first, last), value)


# Small parts.


def _cells(evidence: Evidence, *records: Record | None) -> tuple[CellKey, ...]:
    found = {id(record): record for record in records if record is not None}
    return tuple((evidence.session_of(record), record.cell.id) for record in found.values())


def _over(first: Estimate, second: Estimate) -> Estimate:
    """Ratio of two estimates of different things; the interval spans the ends of both, so it is rather too wide."""
    return Estimate(
        value=first.value / second.value,
        low=first.low / second.high,
        high=first.high / second.low,
        n=min(first.n, second.n),
        n_samples=min(first.n_samples, second.n_samples),
        unit="ratio",
        spread_frac=max(first.spread_frac, second.spread_frac),
    )


def _times(estimate: Estimate, factor: float) -> Estimate:
    return msgspec.structs.replace(
        estimate, value=estimate.value * factor, low=estimate.low * factor, high=estimate.high * factor
    )


def _named(text: str, name: str) -> str:
    """The text with what it is about: "12.4x (ResNet-50; 11.9 to 12.8, n = 5)"."""
    return text.replace("(", f"({name}; ", 1) if "(" in text else f"{text} ({name})"


def _arm(record: Record) -> str:
    cell = record.cell
    return f"{fmt.backend(cell.backend)}, XLA {cell.jit}, {cell.precision}, batch {cell.batch_size}"
