"""Charts: from rows of evidence to Vega-Lite specifications in sentinel colours. Pure: no files, no statistics.

A colour here is a name, not a shade: each sentinel in ``COLOURS`` stands for a CSS variable of the site, so that one
drawing is right in both colour schemes. Every drawing comes twice, for a desk and for a phone.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt
from altair.utils import schemapi

from bench.records.store import SessionResults
from bench.report import beside, rooflines, stats, studies, traces
from bench.report import format as fmt
from bench.report.rows import Evidence
from bench.schema import BACKENDS, DEVICES, Record

WIDE_PX = 720
NARROW_PX = 340
LINE_PX = 14.5  # height of a line of an axis label
# One bar of "where the time goes" is set-up, first step and as many steady steps as make a short training job.
N_STEADY_STEPS = 100
NOT_MEASURED = "not measured yet"
CHECKS_SCHEMA = False
NO_GPU = "none in this machine"
# Charts whose point is what a GPU changes: drawn of a machine with a GPU wherever that has the records, whichever
# machine leads; so is every chart of one workload.
ABOUT_A_GPU = (
    "cpu-gpu-speedup",
    "job-by-steps",
    "matmul-rate",
    "mlp-surface",
    "phase-times",
    "rooflines",
    "roofs",
    "study",
    "throughput-by-batch",
)

EVERY = "every arm"
# Our ratios of the two devices: each at its own best, and both alike.
OURS = ("each at its best", "same batch, strict float32")

BACKEND_NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
SHAPES = {"tensorflow": "circle", "jax": "square", "torch": "triangle-up"}
DASHES = {"tensorflow": [1, 0], "jax": [7, 3], "torch": [2, 3]}

_ROLES = (
    "ink ink-soft grid surface missing published rule "
    "cpu-tensorflow cpu-jax cpu-torch gpu-tensorflow gpu-jax gpu-torch "
    "phase-import phase-device phase-data phase-build phase-first "
    "seq-1 seq-2 seq-3 seq-4 seq-5 seq-6 seq-7 "
    "seq-ink-1 seq-ink-2 seq-ink-3 seq-ink-4 seq-ink-5 seq-ink-6 seq-ink-7 "
    "div-1 div-2 div-3 div-4 div-5 div-6 div-7 "
    "div-ink-1 div-ink-2 div-ink-3 div-ink-4 div-ink-5 div-ink-6 div-ink-7"
).split()
# Role -> sentinel. The shades are absurd on purpose: one that survives into a page is a bug a test finds.
COLOURS: dict[str, str] = {role: f"#fa{number:02x}af" for number, role in enumerate(_ROLES)}


class ChartError(LookupError):
    """A chart that does not exist; the message names near ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A published speed-up to draw beside ours: whose workload, how large, and where it comes from."""

    workload: str
    value: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart ready to render: two specifications, what they show in words, and the values in them."""

    id: str
    workload: str
    title: str
    description: str
    wide: dict[str, Any]
    narrow: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    session: SessionResults | None

    @property
    def key(self) -> str:
        """Name of the drawing's files: the id, and the workload where it is about one."""
        return f"{self.id}--{self.workload}" if self.workload else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a chart is to show: one session, one workload or all, and published figures where it takes them."""

    evidence: Evidence
    session: SessionResults | None
    workload: str = ""
    others: tuple[Other, ...] = ()

    def rows(self, **equal: Any) -> list[dict[str, Any]]:
        """Rows of the session's frame whose columns have these values."""
        if self.session is None:
            return []
        machine, session = self.session.machine.id, self.session.session.id
        return [
            row
            for row in _frame_rows(self.evidence)
            if row["machine_id"] == machine
            and row["session_id"] == session
            and row["is_local"] == self.session.is_local
            and all(row[key] == value for key, value in equal.items())
        ]

    def has_gpu(self) -> bool:
        """Whether any cell of the session was meant for a GPU."""
        return bool(self.rows(device="gpu"))

    def devices(self) -> tuple[str, ...]:
        """The CPU always, the GPU where the session has one."""
        return DEVICES if self.has_gpu() else DEVICES[:1]

    def backends(self) -> tuple[str, ...]:
        """The backends that the session ran."""
        return self.evidence.backends(self.session)

    def place(self) -> str:
        """The machine in words."""
        if self.session is None:
            return ""
        beside = f"{self.evidence.gpu_text(self.session)} and " if self.has_gpu() else ""
        return f" on {beside}{self.session.machine.cpu_model}"

    def without_gpu(self) -> str:
        """Why a machine that has no GPU shows none: nobody measured one yet, or this machine has none."""
        return NO_GPU if self.evidence.gpu_session() is not None else NOT_MEASURED

    def title_of(self, workload: str) -> str:
        """A workload's title."""
        spec = self.evidence.workloads.get(workload)
        return spec.title if spec else workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a chart function returns: its words, its rows, and a painter for a width."""

    title: str
    description: str
    rows: list[dict[str, Any]]
    paint: Callable[[bool], alt.Chart | alt.LayerChart]
    says_enough: bool = True  # of a machine that is drawn for its GPU: whether it has what the chart is about

    def n_on_gpu(self) -> int:
        """Marks measured on a GPU."""
        return sum(_is_on_gpu(row) for row in self.rows)


def _is_on_gpu(row: Mapping[str, Any]) -> bool:
    """Whether a row of any chart holds a value of a GPU."""
    if "phase" in row:
        return row["start"] is not None and row["phase"] == STEADY["gpu"]
    if "compares" in row:
        return row["compares"] and row["value"] is not None
    known = (*OURS, *(_series("gpu", backend) for backend in BACKENDS))
    return row["value"] is not None and row["series"] in known


_CHARTS: dict[str, Callable[[Scope], Picture]] = {}


def chart(chart_id: str) -> Callable[[Callable[[Scope], Picture]], Callable[[Scope], Picture]]:
    """Register a chart function under a permanent id."""

    def register(function: Callable[[Scope], Picture]) -> Callable[[Scope], Picture]:
        _CHARTS[chart_id] = function
        return function

    return register


def ids() -> tuple[str, ...]:
    """Ids of all charts."""
    return tuple(_CHARTS)


def draw(
    chart_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    others: Sequence[Other] = (),
) -> Drawing:
    """One chart of a session, by default of the one the site leads with, or of a GPU machine where it is about one.

    Raises:
        ChartError: no such chart.
    """
    if chart_id not in _CHARTS:
        near = difflib.get_close_matches(chart_id, _CHARTS, n=2) or sorted(_CHARTS)
        raise ChartError(f"no chart {chart_id!r}; near ones: {', '.join(near)}")
    scope = Scope(evidence=evidence, session=session or evidence.lead, workload=workload, others=tuple(others))
    found = _with_gpu(chart_id, scope) if session is None and (workload or chart_id in ABOUT_A_GPU) else None
    session, picture = found or (scope.session, _CHARTS[chart_id](scope))
    # Checking every part against Vega-Lite's schema takes half of the time; the tests do it for every chart.
    with schemapi.debug_mode(CHECKS_SCHEMA):
        wide, narrow = _finished(picture.paint(False), WIDE_PX), _finished(picture.paint(True), NARROW_PX)
    return Drawing(
        id=chart_id,
        workload=workload,
        title=picture.title,
        description=picture.description,
        wide=wide,
        narrow=narrow,
        rows=tuple(picture.rows),
        session=session,
    )


def _with_gpu(chart_id: str, scope: Scope) -> tuple[SessionResults, Picture] | None:
    """The first of the shown sessions whose picture shows a GPU and says enough, with it."""
    for session in scope.evidence.shown:
        if scope.evidence.has_gpu(session):
            picture = _CHARTS[chart_id](dataclasses.replace(scope, session=session))
            if picture.n_on_gpu() and picture.says_enough:
                return session, picture
    return None


@chart("speed-by-workload")
def speed_by_workload(scope: Scope) -> Picture:
    """Samples per second of training, by workload and backend, with intervals."""
    found = []
    for workload in _models(scope):
        for device, backend in _arms(scope):
            row = _headline(scope, workload, device, backend)
            found.append(_mark(scope, row, workload, device, backend, "samples_per_s"))
    found = _collapsed(found)
    if not scope.has_gpu():
        found.append(_absent("GPU, all workloads", "GPU", scope.without_gpu()))
    return Picture(
        title="Training speed by workload and backend",
        description=_in_words(f"Samples per second of steady training{scope.place()}", found, fmt_rate),
        rows=found,
        paint=lambda narrow: _forest(found, "samples per second (log scale, higher is better)", narrow=narrow),
    )


@chart("phase-times")
def phase_times(scope: Scope) -> Picture:
    """Share of a short training job spent before and in the first step, and in steady steps."""
    found = []
    if scope.workload:
        arms = [(scope.workload, device, backend) for device, backend in _arms(scope)]
    else:
        arms = [(w, device, scope.backends()[0]) for w in _models(scope) for device in scope.devices()]
    for workload, device, backend in arms:
        row = _headline(scope, workload, device, backend)
        label = f"{BACKEND_NAMES[backend]}, {device.upper()}" if scope.workload else scope.title_of(workload)
        if not scope.workload and scope.has_gpu():
            label += f", {device.upper()}"
        found += _phases(row, label, device)
    backend = "" if scope.workload else f", {BACKEND_NAMES[scope.backends()[0]]}"
    return Picture(
        title=f"Where the time of the first {N_STEADY_STEPS} training steps goes{backend}",
        description=_phases_in_words(scope, found),
        rows=found,
        paint=lambda narrow: _stack(found, narrow=narrow),
    )


@chart("throughput-by-batch")
def throughput_by_batch(scope: Scope) -> Picture:
    """Samples per second by batch size, one workload, backends and devices apart."""
    workload = scope.workload or _most_batches(scope)
    rows = scope.rows(workload=workload, mode="train", params=_main_params(scope, workload))
    found = _curve_rows(scope, rows, "batch_size", "samples_per_s")
    title = scope.title_of(workload) if workload else "training"
    return Picture(
        title=f"Throughput by batch size: {title}",
        description=_in_words(f"Samples per second by batch size, {title}{scope.place()}", found, fmt_rate),
        rows=found,
        paint=lambda narrow: _curves(
            found,
            "batch size (log scale)",
            "samples per second (log scale, higher is better)",
            _missing_arms(scope, found),
            narrow=narrow,
            base=2,
        ),
        says_enough=len({row["x"] for row in found if _is_on_gpu(row)}) > 1,
    )


@chart("threads")
def threads(scope: Scope) -> Picture:
    """How many times faster training is on each number of cores than on one, by workload and backend."""
    found = []
    for workload in _models(scope):
        for backend in scope.backends():
            by_count = _by_threads(scope, workload, backend)
            most = max(by_count, default=0)
            if most < 2 or 1 not in by_count or scope.session is None:
                continue
            gain = scope.evidence.record_speedup(by_count[most], by_count[1])
            if gain is not None:
                found.append(_estimated(scope.title_of(workload), _series("cpu", backend), gain))
    n = 0 if scope.session is None else scope.session.session.n_cores_effective
    if not found:
        found = [_absent(scope.title_of(w), _series("cpu", scope.backends()[0]), NOT_MEASURED) for w in _models(scope)]
    return Picture(
        title=f"Training speed on {fmt.cores(n)} over one" if n > 1 else "Training speed by cores",
        description=_in_words(f"Training speed on all cores over the speed on one{scope.place()}", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: _forest(
            found, "times the speed on one core (log scale; right of 1 more cores pay)", narrow=narrow, rule_at=1.0
        ),
    )


@chart("mlp-surface")
def mlp_surface(scope: Scope) -> Picture:
    """Width by batch: rows per second of the CPU, or how many times faster the GPU is."""
    cells = _surface_cells(scope)
    compares = scope.has_gpu()
    quantity = "GPU speed over CPU speed" if compares else "Rows per second on the CPU"
    return Picture(
        title=f"{quantity}, dense net, by width and batch size",
        description=_in_words(
            f"{quantity}, by width of the layers and batch size{scope.place()}",
            cells,
            fmt.ratio if compares else fmt_rate,
        ),
        rows=cells,
        paint=lambda narrow: _surface(cells, compares=compares, narrow=narrow),
    )


@chart("time-to-target")
def time_to_target(scope: Scope) -> Picture:
    """Seconds of training until the target's quality was met, by backend and device."""
    found = []
    for workload, spec in scope.evidence.workloads.items():
        if spec.target is None or (scope.workload and workload != scope.workload):
            continue
        for device, backend in _arms(scope):
            strict = _strict_rows(scope, workload, "train")
            rows = [r for r in strict if r["device"] == device and r["backend"] == backend and r["headline"]]
            ok = [r for r in rows if r.get("time_to_target_s") is not None]
            row = min(ok, key=lambda r: r["time_to_target_s"]) if ok else (rows or [None])[0]
            mark = _mark(scope, row, workload, device, backend, "time_to_target_s")
            if row is not None and row["status"] == "ok" and not ok:
                mark["note"] = "target not reached"
            found.append(mark)
    found = _collapsed(found)
    if not scope.has_gpu():
        found.append(_absent("GPU", "GPU", scope.without_gpu()))
    return Picture(
        title="Time to the target quality",
        description=_in_words(f"Seconds of training until the target was met{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: _forest(found, "seconds (lower is better)", narrow=narrow, log=False, row_px=22),
    )


@chart("matmul-rate")
def matmul_rate(scope: Scope) -> Picture:
    """Operations per second of a square matrix product, by size."""
    rows = []
    for row in scope.rows(workload="matmul", mode="probe"):
        size = json.loads(row["params"]).get("n")
        if size is not None:
            rows.append(row | {"n": size})
    found = _curve_rows(scope, rows, "n", "flop_per_s")
    for row in found:
        for key in ("value", "low", "high"):
            row[key] = None if row[key] is None else row[key] / 1e12
    return Picture(
        title="Rate of a square matrix product by size",
        description=_in_words(
            f"Floating-point operations per second of a matrix product, by number of rows{scope.place()}",
            found,
            lambda value: f"{value:.3g} TFLOP/s",
        ),
        rows=found,
        paint=lambda narrow: _curves(
            found,
            "rows and columns of the matrix, n (log scale)",
            "TFLOP/s (log scale, higher is better)",
            _missing_arms(scope, found),
            narrow=narrow,
            base=2,
        ),
    )


@chart("cpu-gpu-speedup")
def cpu_gpu_speedup(scope: Scope) -> Picture:
    """How many times faster the GPU trains than the CPU of the same machine, beside what others published.

    First each device as its owner would use it, then both with the same batch in strict float32.
    """
    found: list[dict[str, Any]] = []
    rows = {workload: _speedups(scope, workload) for workload in _models(scope)}
    measured = any(mark["value"] is not None for marks in rows.values() for mark in marks)
    for workload, marks in sorted(rows.items(), key=lambda item: -(item[1][0]["value"] or 0.0)):
        others = [other for other in scope.others if other.workload == workload]
        if others or marks[0]["value"] is not None or not measured:
            found += marks
            found += [_published(scope.title_of(workload), number, other) for number, other in enumerate(others, 2)]
    return Picture(
        title="GPU speed over CPU speed, training",
        description=_in_words("How many times faster a GPU trains than a CPU", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: _forest(
            found,
            "times the CPU's speed (log scale; right of 1 the GPU is faster)",
            narrow=narrow,
            rule_at=1.0,
            row_px=16,
        ),
    )


def _speedups(scope: Scope, workload: str) -> list[dict[str, Any]]:
    """The marks of our ratios of one workload, each with batch and precision; one that says why there is none."""
    label, evidence = scope.title_of(workload), scope.evidence
    best, same = (make(scope.session, workload) for make in (evidence.best_contrast, evidence.contrast))
    marks = []
    for series, contrast in zip(OURS, (best, same), strict=True):
        if contrast is not None and (contrast is best or best is None or contrast.arms != best.arms):
            mark = _estimated(label, series, contrast.speedup)
            marks.append(mark | {"label": f"{fmt.ratio(contrast.speedup.value)}: {contrast.arms}"})
    return marks or [_absent(label, OURS[0], NOT_MEASURED)]


@chart("ours-and-theirs")
def ours_and_theirs(scope: Scope) -> Picture:
    """How fast each network is beside ResNet-50 on the same machine, by us and by others."""
    found = []
    titles = {name: scope.title_of(name).partition(",")[0] for name in beside.NETWORKS}
    for mode in dict.fromkeys(source.mode for source in beside.SOURCES):
        for network in beside.NETWORKS:
            label = f"{titles[network]}, {fmt.MODE_NAMES[mode]}"
            ours = [beside.ours(scope.evidence, network, mode, device) for device in DEVICES]
            for mine in filter(None, ours):
                cell = mine.records[0].cell
                found.append(_estimated(label, _series(cell.device, cell.backend), mine.ratio))
            if not any(ours):
                found.append(_absent(label, "measured here", NOT_MEASURED))
            others = [other for other in scope.others if other.workload == f"{network} {mode}"]
            found += [_published(label, number, other) for number, other in enumerate(others, 1)]
    return Picture(
        title="Speed of a network over that of ResNet-50, same machine",
        description=_in_words("Speed over that of ResNet-50 on the same machine", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: _forest(
            found, "times the speed of ResNet-50 (log scale)", narrow=narrow, rule_at=1.0, row_px=20
        ),
    )


def _published(label: str, number: int, other: Other) -> dict[str, Any]:
    """A published value in its row, below ours."""
    return {
        "row": label,
        "slot": str(number),
        "series": "published elsewhere",
        "value": other.value,
        "low": None,
        "high": None,
        "note": None,
        "label": other.label,
    }


@chart("jit-arms")
def jit_arms(scope: Scope) -> Picture:
    """Training speed with XLA or another compiler over the speed without, by workload and backend."""
    found = []
    for workload in _models(scope):
        for device, backend in _arms(scope):
            if backend == "jax":
                continue  # without its compiler JAX interprets operation by operation, which nobody trains with
            gain = None if scope.session is None else _jit_gain(scope, workload, device, backend)
            series = _series(device, backend)
            label = scope.title_of(workload)
            found.append(_absent(label, series, NOT_MEASURED) if gain is None else _estimated(label, series, gain))
    found = _collapsed(found)
    return Picture(
        title="Speed with jit_compile over speed without",
        description=_in_words(f"Training speed with a compiler over speed without{scope.place()}", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: _forest(
            found, "times the speed without (log scale; right of 1 compiling pays)", narrow=narrow, rule_at=1.0
        ),
    )


@chart("rooflines")
def roofline_chart(scope: Scope) -> Picture:
    """Share of the fastest matrix product's rate that training reaches, by workload and backend."""
    found = []
    for workload in _models(scope):
        for device, backend in _arms(scope):
            label, series = scope.title_of(workload), _series(device, backend)
            best = rooflines.ceiling(scope.evidence, scope.session, device)
            record = _best(scope, workload, "train", device, backend)
            part = None if record is None or best is None else rooflines.share(record, best)
            found.append(_absent(label, series, NOT_MEASURED) if part is None else _estimated(label, series, part))
    found = _collapsed(found)
    return Picture(
        title="Share of the machine's arithmetic that training gets",
        description=_in_words(
            f"Arithmetic per second of training over that of the fastest matrix product{scope.place()}",
            found,
            fmt.percent,
        ),
        rows=found,
        paint=lambda narrow: _forest(
            found, "share of the fastest matrix product's rate (log scale, higher is better)", narrow=narrow
        ),
    )


@chart("roofs")
def roofs(scope: Scope) -> Picture:
    """Arithmetic achieved against operations per byte, below the measured ceilings of arithmetic and of memory.

    All workloads in training; of one workload inference, too.
    """
    found, lines = [], []
    for device in scope.devices():
        best = rooflines.ceiling(scope.evidence, scope.session, device)
        band = rooflines.bandwidth(scope.evidence, scope.session, device)
        flat = None if best is None else stats.flop_rate(best)
        if flat is not None and band is not None:
            lines.append({"device": device.upper(), "flat": flat.value, "slope": band.rate.value})
        for workload in _models(scope):
            for mode in ("train", "infer") if scope.workload else ("train",):
                label = fmt.MODE_NAMES[mode] if scope.workload else scope.title_of(workload).partition(", ")[0]
                short = label if scope.workload else workload
                for backend in scope.backends():
                    mark = _below_a_roof(scope, workload, mode, device, backend)
                    if mark is not None:
                        found.append(
                            _estimated(label, _series(device, backend), mark[1]) | {"x": mark[0], "short": short}
                        )
    name = scope.title_of(scope.workload) if scope.workload else "training"
    return Picture(
        title=f"Arithmetic against memory traffic: {name}",
        description=_roofs_in_words(
            f"Operations per second by operations per byte, {name}{scope.place()}", found, lines
        ),
        rows=found,
        paint=lambda narrow: _roofs(found, lines, _missing_arms(scope, found), narrow=narrow),
        says_enough=any(line["device"] == "GPU" for line in lines),
    )


def _below_a_roof(
    scope: Scope, workload: str, mode: str, device: str, backend: str
) -> tuple[float, stats.Estimate] | None:
    """Operations per byte and operations per second of an arm's best cell."""
    record = _best(scope, workload, mode, device, backend)
    steep = None if record is None else rooflines.intensity(record)
    rate = None if record is None else rooflines.achieved(record)
    return None if steep is None or rate is None else (steep, rate)


def _roofs_in_words(what: str, rows: Sequence[dict[str, Any]], lines: Sequence[Mapping[str, Any]]) -> str:
    text = _in_words(what, [{k: v for k, v in row.items() if k != "x"} for row in rows], fmt.flop_rate)
    for line in lines:
        ridge = line["flat"] / line["slope"]
        text += (
            f" {line['device']} ceilings: {fmt.flop_rate(line['flat'])} for arithmetic, "
            f"{fmt.bytes_(line['slope'])}/s for memory; they meet at {ridge:.3g} operations per byte."
        )
    return text


@chart("warm-up")
def warm_up(scope: Scope) -> Picture:
    """Step time after the first step over the measured one, with the part that is measured marked."""
    workload = scope.workload or _most_batches(scope)
    panels: list[tuple[str, traces.Shown | str]] = []
    for device, backend in _arms(scope):
        record = _best(scope, workload, "train", device, backend)
        panels.append((_series(device, backend), (record and traces.shown(record)) or NOT_MEASURED))
    if not scope.has_gpu():
        panels.append(("GPU", scope.without_gpu()))
    found = [
        _absent(series, series, NOT_MEASURED) | {"value": point.factor, "note": None, "x": point.at_s}
        for series, trace in panels
        if not isinstance(trace, str)
        for point in trace.points
    ]
    title = scope.title_of(workload) if workload else "training"
    what = f"Time of a training step over the measured one, after the first step, {title}{scope.place()}"
    return Picture(
        title=f"Warm-up and steady part: {title}",
        description=_traces_in_words(what, panels),
        rows=found,
        paint=lambda narrow: _trace_panels(panels, narrow=narrow),
    )


def _traces_in_words(what: str, panels: Sequence[tuple[str, traces.Shown | str]]) -> str:
    parts = []
    for series, trace in panels:
        if isinstance(trace, str):
            parts.append(f"{series}: {trace}.")
            continue
        blocks = f"{len(trace.run.warmup)} blocks in {fmt.seconds(trace.from_s)}"
        parts.append(
            f"{series}: warm-up of {blocks}, the first at {trace.first_factor:.3g} times the measured step of "
            f"{fmt.seconds(trace.step_s)}; {'settled' if trace.settled else 'never settled'}."
        )
    return f"{what}. {' '.join(parts)}"


@chart("job-by-steps")
def job_by_steps(scope: Scope) -> Picture:
    """Seconds from starting Python to the end of a number of training steps, by backend and device."""
    workload = scope.workload or _most_batches(scope)
    found = []
    for device, backend in _arms(scope):
        record = _best(scope, workload, "train", device, backend)
        for n in stats.JOB_STEPS if record is not None else ():
            time = stats.projected_time(record, n)
            if time is not None:
                mark = _estimated(scope.title_of(workload), _series(device, backend), time)
                found.append(mark | {"x": n, "cell": record.cell.id})
    title = scope.title_of(workload) if workload else "training"
    return Picture(
        title=f"Whole job by its number of steps: {title}",
        description=_in_words(f"Seconds from start to last step, {title}{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: _curves(
            found,
            "training steps (log scale)",
            "seconds from starting Python (log scale, lower is better)",
            _missing_arms(scope, found),
            narrow=narrow,
            base=10,
        ),
    )


@chart("study")
def study(scope: Scope) -> Picture:
    """Seconds per call of each series of a study, by backend and device, with intervals."""
    known = scope.evidence.workloads
    spec = known[scope.workload or next(id_ for id_, spec in known.items() if spec.kind == "study" and spec.series)]
    found = []
    for item in spec.series:
        for device, backend in _arms(scope):
            record = studies.usual(scope.evidence, scope.session, spec.id, device, backend)
            time = None if record is None else studies.call_time(record, item.id)
            if time is not None:
                found.append(_estimated(item.label, _series(device, backend), time))
        if not any(mark["row"] == item.label for mark in found):
            found.append(_absent(item.label, _series(*_arms(scope)[0]), NOT_MEASURED))
    return Picture(
        title=f"Time per call: {spec.title}",
        description=_in_words(f"Seconds per call, {spec.title}{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: _forest(found, "seconds per call (log scale, lower is better)", narrow=narrow),
    )


# Rows: what each chart draws, one dict per mark. A row without a value carries a note, drawn in the mark's place.


def _frame_rows(evidence: Evidence) -> list[dict[str, Any]]:
    cached = _FRAMES.get(id(evidence))
    if cached is None or cached[0] is not evidence:
        _FRAMES.clear()
        cached = _FRAMES[id(evidence)] = (evidence, evidence.frame().to_dicts())
    return cached[1]


_FRAMES: dict[int, tuple[Evidence, list[dict[str, Any]]]] = {}


def _models(scope: Scope) -> list[str]:
    if scope.workload:
        return [scope.workload]
    return [id_ for id_, spec in scope.evidence.workloads.items() if spec.kind == "model"]


def _arms(scope: Scope) -> list[tuple[str, str]]:
    return [(device, backend) for device in scope.devices() for backend in scope.backends()]


def _series(device: str, backend: str) -> str:
    return f"{BACKEND_NAMES[backend]}, {device.upper()}"


def _best(scope: Scope, workload: str, mode: str, device: str, backend: str) -> Record | None:
    """The cell of the drawn session that speaks for an arm; None without one, or without a session."""
    if scope.session is None:
        return None
    return scope.evidence.best(scope.session, workload, mode, device, backend=backend)


def _headline(scope: Scope, workload: str, device: str, backend: str) -> dict[str, Any] | None:
    """The row of the arm's best headline cell; else one that says why there is none."""
    best = _best(scope, workload, "train", device, backend)
    rows = scope.rows(workload=workload, mode="train", device=device, backend=backend)
    if best is not None:
        return next((row for row in rows if row["cell_id"] == best.cell.id), None)
    rows.sort(key=lambda row: not row["headline"])
    return next((row for row in rows if row["status"] != "ok"), None)


def _strict_rows(scope: Scope, workload: str, mode: str) -> list[dict[str, Any]]:
    """Rows in strict float32, on each device those with most threads: the other arms have charts of their own."""
    return _most_threads(scope.rows(workload=workload, mode=mode, precision="float32-strict"))


def _most_threads(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = {device: max((row["threads"] for row in rows if row["device"] == device), default=0) for device in DEVICES}
    return [row for row in rows if row["threads"] == most[row["device"]]]


def _by_threads(scope: Scope, workload: str, backend: str) -> dict[int, Any]:
    """Records of a workload's first headline training cell that was measured on one core, by number of cores."""
    records = scope.evidence.records(
        scope.session, workload=workload, mode="train", backend=backend, device="cpu", precision="float32-strict",
        headline=True, status="ok",
    )  # fmt: skip
    for first in records:
        if first.cell.threads == 1:
            same = (first.cell.jit, first.cell.batch_size, first.cell.n_samples, dict(first.cell.params))
            return {
                r.cell.threads: r
                for r in records
                if (r.cell.jit, r.cell.batch_size, r.cell.n_samples, dict(r.cell.params)) == same
            }
    return {}


def _collapsed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks with one note, of no arm by name, in the place of several equal ones where no arm of a row has a value."""
    kept = []
    for label in dict.fromkeys(mark["row"] for mark in found):
        marks = [mark for mark in found if mark["row"] == label]
        nothing = all(mark["value"] is None for mark in marks) and len({mark["note"] for mark in marks}) == 1
        kept += [marks[0] | {"series": EVERY}] if nothing else marks
    return kept


def _mark(
    scope: Scope, row: dict[str, Any] | None, workload: str, device: str, backend: str, column: str
) -> dict[str, Any]:
    label, series = scope.title_of(workload), _series(device, backend)
    value = None if row is None else row.get(column)
    if row is None or value is None:
        return _absent(label, series, _why(row))
    return {
        "row": label,
        "slot": series,
        "series": series,
        "value": value,
        "low": row[f"{column}_low"],
        "high": row[f"{column}_high"] if math.isfinite(row[f"{column}_high"]) else None,
        "note": None,
        "label": "",
        "cell": row["cell_id"],
    }


def _estimated(label: str, series: str, estimate: Any) -> dict[str, Any]:
    return {
        "row": label,
        "slot": series,
        "series": series,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "note": None,
        "label": "",
    }


def _absent(label: str, series: str, note: str) -> dict[str, Any]:
    return {
        "row": label,
        "slot": series,
        "series": series,
        "value": None,
        "low": None,
        "high": None,
        "note": note,
        "label": "",
    }


def _why(row: Mapping[str, Any] | None) -> str:
    if row is None or row["status"] == "ok":
        return NOT_MEASURED
    reason = " ".join((row["reason"] or "").split())
    return f"{row['status'].replace('_', ' ')}: {reason}" if reason else row["status"].replace("_", " ")


PHASE_COLUMNS = (
    ("import", "import_s", "phase-import"),
    ("device start", "device_start_s", "phase-device"),
    ("data", "data_s", "phase-data"),
    ("build", "build_s", "phase-build"),
    ("first step", "first_step_s", "phase-first"),
)
STEADY = {device: f"{N_STEADY_STEPS} steady steps, {device.upper()}" for device in DEVICES}


def _phases(row: dict[str, Any] | None, label: str, device: str) -> list[dict[str, Any]]:
    """One dict per phase, ``start`` and ``end`` as shares of the whole; the first carries total and interval."""
    if row is None or row.get("step_s") is None:
        return [{"row": label, "phase": STEADY[device], "seconds": None, "start": None, "end": None, "note": _why(row)}]
    parts = [(name, row.get(column)) for name, column, _ in PHASE_COLUMNS]
    parts = [(name, seconds) for name, seconds in parts if seconds is not None]
    before = sum(seconds for _, seconds in parts)
    parts.append((STEADY[device], N_STEADY_STEPS * row["step_s"]))
    total = sum(seconds for _, seconds in parts)
    found, at = [], 0.0
    for name, seconds in parts:
        found.append(
            {
                "row": label,
                "phase": name,
                "seconds": seconds,
                "start": at / total,
                "end": (at + seconds) / total,
                "note": None,
                "cell": row["cell_id"],
            }
        )
        at += seconds
    # Where the steady steps begin, from the slowest set-up with the fastest steps to the other way round.
    first, low, high = (row.get(f"first_step_s{end}") or 0.0 for end in ("", "_low", "_high"))
    slow, fast = N_STEADY_STEPS * row["step_s_high"], N_STEADY_STEPS * row["step_s_low"]
    early, late = before - first + low, before - first + high
    found[0] |= {"low": early / (early + slow), "high": late / (late + fast), "total": fmt.seconds(total)}
    return found


def _most_batches(scope: Scope) -> str:
    """The workload measured at most batch sizes with everything else as in its headline."""
    counts = {
        workload: len(
            {
                r["batch_size"]
                for r in scope.rows(workload=workload, mode="train")
                if r["params"] == _main_params(scope, workload)
            }
        )
        for workload in _models(scope)
    }
    return max(counts, key=lambda workload: counts[workload], default="")


def _main_params(scope: Scope, workload: str) -> str:
    rows = scope.rows(workload=workload, mode="train")
    return next((row["params"] for row in rows if row["headline"]), rows[0]["params"] if rows else "{}")


def _curve_rows(scope: Scope, rows: Iterable[dict[str, Any]], x: str, column: str) -> list[dict[str, Any]]:
    """The best compiler arm of each backend and device at each x; those that did not finish carry a note.

    In strict float32; of the GPU also the faster formats with their names as labels, each on the one backend that is
    fastest at its largest x.
    """
    best: dict[tuple[str, str, str, Any], dict[str, Any]] = {}
    for row in _most_threads([row for row in rows if row["precision"] in ("float32-strict", *FASTER_FORMATS)]):
        label = FASTER_FORMATS.get(row["precision"], "")
        if label and (row["device"] == "cpu" or row[column] is None):
            continue
        key = (row["device"], label, row["backend"], row[x])
        held = best.get(key)
        if held is None or (row.get(column) or 0.0) > (held.get(column) or 0.0):
            best[key] = row
    leading = {row["precision"]: row["backend"] for row in sorted(best.values(), key=lambda r: (r[x], r[column] or 0))}
    found = []
    for (device, label, backend, size), row in sorted(best.items(), key=lambda item: item[0]):
        if not label or backend == leading[row["precision"]]:
            mark = _mark(scope, row, row["workload"], device, backend, column)
            found.append(mark | {"x": size, "line": f"{mark['series']} {label}", "label": label})
    return found


# Formats of a GPU that are faster than strict float32, and their names beside their marks.
FASTER_FORMATS = {name: fmt.PRECISION_NAMES[name] for name in ("tf32", "mixed_bfloat16")}


def _missing_arms(scope: Scope, found: Sequence[dict[str, Any]]) -> list[str]:
    drawn = {row["series"] for row in found if row["value"] is not None}
    notes = [f"{_series(d, b)}: {NOT_MEASURED}" for d, b in _arms(scope) if _series(d, b) not in drawn]
    return notes if scope.has_gpu() else [*notes, f"GPU: {scope.without_gpu()}"]


def _surface_cells(scope: Scope) -> list[dict[str, Any]]:
    grid: dict[tuple[int, int], dict[str, list[dict[str, Any]]]] = {}
    for row in _strict_rows(scope, "mlp-tabular", "train"):
        width = json.loads(row["params"]).get("width")
        if width is not None:
            grid.setdefault((width, row["batch_size"]), {}).setdefault(row["device"], []).append(row)
    found = []
    for (width, batch), by_device in sorted(grid.items()):
        if scope.has_gpu() and "cpu" not in by_device:
            continue  # made for a GPU, too large to wait for on a CPU
        cell = {"width": width, "batch": batch, "value": None, "low": None, "high": None, "note": None}
        cell["compares"] = scope.has_gpu()
        fastest = {d: _fastest(rows) for d, rows in by_device.items()}
        if not scope.has_gpu():
            row = fastest.get("cpu")
            if row is None or row["samples_per_s"] is None:
                cell["note"] = _why(row)
            else:
                cell |= {
                    "value": row["samples_per_s"],
                    "low": row["samples_per_s_low"],
                    "high": row["samples_per_s_high"],
                }
                cell["cell"] = row["cell_id"]
        else:
            gain = None
            if all(fastest.get(d) is not None and fastest[d]["samples_per_s"] is not None for d in DEVICES):
                gain = scope.evidence.cell_ratio(scope.session, fastest["gpu"]["cell_id"], fastest["cpu"]["cell_id"])
            if gain is None:
                cell["note"] = NOT_MEASURED
            else:
                cell |= {"value": gain.value, "low": gain.low, "high": gain.high}
        found.append(cell)
    return found


def _fastest(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return max(rows, key=lambda row: row["samples_per_s"] or 0.0)


def _jit_gain(scope: Scope, workload: str, device: str, backend: str) -> Any:
    rows = [
        row
        for row in _strict_rows(scope, workload, "train")
        if row["device"] == device
        and row["backend"] == backend
        and row["headline"]
        and row["samples_per_s"] is not None
    ]
    on = next((row for row in rows if row["jit"] == "on"), None)
    off = next((row for row in rows if row["jit"] == "off" and on is not None and _same_but_jit(on, row)), None)
    if on is None or off is None:
        return None
    return scope.evidence.cell_ratio(scope.session, on["cell_id"], off["cell_id"])


def _same_but_jit(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in ("precision", "batch_size", "n_samples", "threads", "params"))


# Words.


def fmt_rate(value: float) -> str:
    """Samples per second in words."""
    return f"{fmt.count(value) if value >= 1000 else f'{value:.3g}'} per second"


def _in_words(what: str, rows: Sequence[dict[str, Any]], spell: Callable[[float], str]) -> str:
    """One sentence on the range, one on what is missing."""
    drawn = [row for row in rows if row["value"] is not None]
    missing = sum(1 for row in rows if row["value"] is None)
    if not drawn:
        return f"{what}: {NOT_MEASURED}."
    low, high = min(drawn, key=lambda r: r["value"]), max(drawn, key=lambda r: r["value"])
    text = f"{what}: from {spell(low['value'])} ({_which(low)}) to {spell(high['value'])} ({_which(high)})."
    return f"{text} {missing} of {len(rows)} results are missing." if missing else text


def _which(row: Mapping[str, Any]) -> str:
    if "width" in row:
        return f"width {row['width']}, batch {row['batch']}"
    if "x" in row:
        return f"{row['series']}, {row['label']}{', ' if row['label'] else ''}at {row['x']}"
    return f"{row['row']}, {row['series']}"


def _phases_in_words(scope: Scope, rows: Sequence[dict[str, Any]]) -> str:
    shares = {row["row"]: row["start"] for row in rows if row["note"] is None and "steady" in row["phase"]}
    what = f"Share of set-up, first step and {N_STEADY_STEPS} steady training steps{scope.place()}"
    if not shares:
        return f"{what}: {NOT_MEASURED}."
    most, least = max(shares, key=lambda r: shares[r]), min(shares, key=lambda r: shares[r])
    span = f"{shares[least]:.0%} of the time ({least}) to {shares[most]:.0%} ({most})"
    return f"{what}. The steady steps begin after {span}."


# Painters: from rows to an Altair chart, for a desk or a phone.


def _styles(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[str, str, list[int]]]:
    """Colour, shape and dash of each series in the rows, in a fixed order."""
    known = {_series(d, b): (f"{d}-{b}", SHAPES[b], DASHES[b]) for d in DEVICES for b in BACKENDS}
    known |= {OURS[0]: ("gpu-tensorflow", "circle", [1, 0]), OURS[1]: ("gpu-jax", "square", [1, 0])}
    known["published elsewhere"] = ("published", "diamond", [2, 2])
    used = {row["series"] for row in rows}
    return {name: (COLOURS[role], shape, dash) for name, (role, shape, dash) in known.items() if name in used}


def _legend(styles: Mapping[str, Any], *, narrow: bool) -> alt.Legend | None:
    if len(styles) < 2:
        return None
    columns = (1 if any(len(name) > 20 for name in styles) else 2) if narrow else min(len(styles), 3)
    return alt.Legend(orient="top", title=None, columns=columns, symbolOpacity=1)


class _Strip(NamedTuple):
    """The plot of a forest in pixels from its left edge, known well enough to place texts in it.

    ``width`` is what it has at least; a place is given back as the value that stands there, so that it stays right in
    a wider plot.
    """

    domain: tuple[float, float]
    log: bool
    width: float
    char_px: float
    rule_at: float | None

    def px(self, value: float) -> float:
        """Place of a value."""
        low, high = self.domain
        share = math.log(value / low) / math.log(high / low) if self.log else (value - low) / (high - low)
        return share * self.width

    def value(self, px: float) -> float:
        """Value at a place."""
        low, high = self.domain
        share = px / self.width
        return low * (high / low) ** share if self.log else low + share * (high - low)

    @property
    def left(self) -> float:
        """Where texts may begin: right of the rule, else at the edge."""
        return 4.0 if self.rule_at is None else self.px(self.rule_at) + 6

    def beside(self, row: Mapping[str, Any]) -> float | None:
        """Where a mark's label begins right of it; None where it would leave the plot."""
        start = max(self.px(row["high"] or row["value"]) + 9, self.left)
        return start if start + len(row["label"]) * self.char_px <= self.width else None

    def below(self, row: Mapping[str, Any], max_lines: int) -> tuple[float, str]:
        """Where a mark's label begins below it, and the label in as many lines as it may have, cut to fit."""
        n_chars = int((self.width - self.left) / self.char_px)
        lines = _wrapped(row["label"], n_chars).split("|")
        if len(lines) > max_lines:
            lines = [*lines[: max_lines - 1], _cut(" ".join(lines[max_lines - 1 :]), n_chars)]
        wide = max(map(len, lines)) * self.char_px
        start = max(self.left, min(self.px(row["value"]) - wide / 2, self.width - wide))
        return start, "|".join(lines)

    def note(self, text: str) -> tuple[float, str]:
        """Where the text in place of a mark begins, and the text cut to what fits on the wider side of the rule."""
        start, room = self.left, self.width - self.left
        if self.rule_at is not None and self.px(self.rule_at) > room:
            start, room = 4.0, self.px(self.rule_at) - 8
        return start, _cut(text, int(room / self.char_px))


def _cut(text: str, n_chars: int) -> str:
    return text if len(text) <= n_chars else f"{text[: max(n_chars - 1, 1)]}…"


class _Lines(NamedTuple):
    """A forest's marks, texts and names of rows, each with its height on an axis that counts lines from the top."""

    data: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    names: dict[float, str]
    n_lines: float


def _lines(rows: Sequence[dict[str, Any]], strip: _Strip, row_px: float, *, narrow: bool) -> _Lines:
    """Every row of a forest at its height; a label that does not fit right of its mark has room below it."""
    data, texts, names, at = [], [], {}, 0.0
    text_lines = 13 / row_px
    for label in dict.fromkeys(row["row"] for row in rows):
        slots: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row["row"] == label:
                slots.setdefault(row["slot"], []).append(row)
        places, below, used = {}, {}, 0.0
        for slot, same in slots.items():
            places[slot] = used + 0.5
            used += 1
            first = same[0]
            if first["value"] is not None and first["label"] and strip.beside(first) is None:
                start, text = strip.below(first, 2 if narrow else 1)
                below[slot] = {"start": start, "text": text, "y": used + 0.35 * text_lines}
                used += (text.count("|") + 1) * text_lines
        name = _wrapped(label, 17 if narrow else 27)
        n_lines = name.count("|") + 1
        room = max(used, n_lines * LINE_PX / row_px)
        top = at + (room - used) / 2
        for slot, same in slots.items():
            data += [row | {"y": top + places[slot]} for row in same]
            texts += _texts(same[0], strip, top, places[slot], below.get(slot), narrow=narrow)
        # A name hangs from its first line; it is lifted so that its middle meets the middle of its rows.
        names[round(at + room / 2 - (n_lines - 1) / 2 * LINE_PX / row_px, 3)] = name
        at += room + 0.6
    return _Lines(data, texts, names, at)


def _texts(
    row: Mapping[str, Any], strip: _Strip, top: float, place: float, below: Mapping[str, Any] | None, *, narrow: bool
) -> list[dict[str, Any]]:
    """What is written about a mark: its label, or why it is missing."""
    if row["value"] is None:
        start, text = strip.note(_said(row, narrow=narrow))
        return [{"text_x": strip.value(start), "y": top + place, "text": text, "role": "missing"}]
    role = "published" if row["series"] == "published elsewhere" else "ink-soft"
    if below is not None:
        return [{"text_x": strip.value(below["start"]), "y": top + below["y"], "text": below["text"], "role": role}]
    if row["label"]:
        return [{"text_x": strip.value(strip.beside(row)), "y": top + place, "text": row["label"], "role": role}]
    return []


def _forest(
    rows: list[dict[str, Any]],
    title: str,
    *,
    narrow: bool,
    log: bool = True,
    rule_at: float | None = None,
    row_px: int = 17,
) -> alt.LayerChart:
    """One line per result: point, interval, or the reason why there is none."""
    slots: dict[str, set[str]] = {}
    for row in rows:
        slots.setdefault(row["row"], set()).add(row["slot"])
    row_px = min(row_px, 14) if any(len(found) > 4 for found in slots.values()) else row_px
    domain = _domain(rows, log=log, include=rule_at)
    names_px = max((len(line) for row in slots for line in _wrapped(row, 17 if narrow else 27).split("|")), default=0)
    width = (NARROW_PX if narrow else WIDE_PX) - names_px * 6.2 - 30
    strip = _Strip(domain, log, width, 5.4 if narrow else 5.8, rule_at)
    lines = _lines(rows, strip, row_px, narrow=narrow)
    styles = _styles([row for row in rows if row["value"] is not None])
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[-0.3, lines.n_lines - 0.3], reverse=True, nice=False, zero=False),
        axis=alt.Axis(
            values=list(lines.names),
            labelExpr=_choose(lines.names),
            title=None,
            grid=False,
            ticks=False,
            domain=False,
            labelPadding=8,
            labelOverlap=False,
        ),
    )
    layers = _marks(lines.data, styles, y, title, domain, narrow=narrow, log=log, rule_at=rule_at)
    for role in ("ink-soft", "published", "missing"):
        texts = alt.Chart(_data([text for text in lines.texts if text["role"] == role])).encode(y=y)
        font = {"fontStyle": "italic"} if role == "missing" else {"lineBreak": "|"}
        mark = texts.mark_text(align="left", fontSize=10 if narrow else 11, color=COLOURS[role], **font)
        layers.append(mark.encode(x=alt.X("text_x:Q", scale=_scale(domain, log)), text="text:N"))
    return alt.layer(*layers, height=max(60, int(lines.n_lines * row_px)))


def _marks(
    data: list[dict[str, Any]],
    styles: Mapping[str, tuple[str, str, list[int]]],
    y: alt.Y,
    title: str,
    domain: tuple[float, float],
    *,
    narrow: bool,
    log: bool,
    rule_at: float | None,
) -> list[alt.Chart]:
    """Points and intervals of a forest over its rule."""
    x = alt.X(
        "value:Q", title=_axis_title(title, narrow), scale=_scale(domain, log), axis=_axis(domain, log, narrow, data)
    )
    base = alt.Chart(_data(data)).encode(y=y)
    colour, shape = (
        channel(
            "series:N",
            scale=alt.Scale(domain=list(styles), range=[style[k] for style in styles.values()]),
            legend=_legend(styles, narrow=narrow),
        )
        for k, channel in enumerate((alt.Color, alt.Shape))
    )
    layers: list[alt.Chart] = []
    if rule_at is not None:
        mark = alt.Chart(_data([{"at": rule_at}])).mark_rule(color=COLOURS["rule"], strokeWidth=1.5)
        layers.append(mark.encode(x=alt.X("at:Q", scale=_scale(domain, log))))
    drawn = base.transform_filter("datum.value != null")
    spread = base.transform_filter("datum.low != null && datum.high != null")
    layers.append(
        spread.mark_rule(strokeWidth=2.5, opacity=0.55).encode(
            x=alt.X("low:Q", scale=_scale(domain, log), title=_axis_title(title, narrow)),
            x2=alt.X2("high:Q"),
            color=colour,
        )
    )
    for end in ("low", "high"):
        layers.append(spread.mark_tick(thickness=2, size=9).encode(x=alt.X(f"{end}:Q"), color=colour))
    layers.append(drawn.mark_point(filled=True, size=64, opacity=1).encode(x=x, color=colour, shape=shape))
    return layers


def _said(row: Mapping[str, Any], *, narrow: bool) -> str:
    """What stands where a mark is missing: which arm, and why."""
    if row["note"] is None:
        return ""
    if row["series"] in ("GPU", "measured here", EVERY, *OURS):
        return row["note"]
    return f"{row['series'].split(',')[0] if narrow else row['series']}: {row['note']}"


def _curves(
    rows: list[dict[str, Any]], x_title: str, y_title: str, missing: Sequence[str], *, narrow: bool, base: int
) -> alt.LayerChart:
    """Lines over a logarithmic size, each point with its interval."""
    rows = [{"line": row["series"]} | row for row in rows]
    styles = _styles([row for row in rows if row["value"] is not None])
    domain = _domain(rows, log=True)
    sizes = sorted({row["x"] for row in rows}) or [1, 1024]
    ticks = sizes[:: 2 if narrow and len(sizes) > 6 else 1]
    pad = math.sqrt(base) if len(sizes) > 1 else base
    x = alt.X(
        "x:Q",
        title=x_title,
        scale=alt.Scale(type="log", base=base, domain=[sizes[0] / pad, sizes[-1] * pad], nice=False),
        axis=alt.Axis(values=ticks, format="~s" if sizes[-1] >= 100_000 else "d", grid=False, labels=bool(rows)),
    )
    y = alt.Y(
        "value:Q",
        title=_axis_title(y_title, narrow),
        scale=_scale(domain, True),
        axis=_axis(domain, True, narrow, rows),
    )
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(styles), range=[style[0] for style in styles.values()]),
        legend=_legend(styles, narrow=narrow),
    )
    shape = alt.Shape("series:N", scale=alt.Scale(domain=list(styles), range=[s[1] for s in styles.values()]))
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=list(styles), range=[s[2] for s in styles.values()]))
    plot = alt.Chart(_data(rows)).encode(x=x)
    drawn = plot.transform_filter("datum.value != null")
    spread = plot.transform_filter("datum.low != null && datum.high != null")
    layers = [
        spread.mark_rule(strokeWidth=2.5, opacity=0.55).encode(
            y=alt.Y("low:Q", scale=_scale(domain, True), title=_axis_title(y_title, narrow)),
            y2=alt.Y2("high:Q"),
            color=colour,
        ),
        drawn.mark_line(strokeWidth=2).encode(y=y, color=colour, strokeDash=dash, detail="line:N"),
        drawn.mark_point(filled=True, size=56, opacity=1).encode(y=y, color=colour, shape=shape),
    ]
    ends = {row["label"]: row for row in rows if row["label"] and row["value"] is not None}  # the largest size of each
    if ends:
        names = alt.Chart(_data(list(ends.values()))).encode(x=x, y=y, text="label:N")
        layers.append(names.mark_text(align="right", dx=-9, dy=-9, fontSize=11, color=COLOURS["ink"]))
    failed = [f"{row['series']} at {row['x']}: {row['note']}" for row in rows if row["note"]]
    layers += _notes([*missing, *failed], narrow=narrow)
    return alt.layer(*layers, height=260 if narrow else 320)


def _notes(texts: Sequence[str], *, narrow: bool) -> list[alt.Chart]:
    """What is missing, in lines at the upper left of the plot."""
    notes = [{"text": text, "line": line} for line, text in enumerate(texts[:8])]
    said = alt.Chart(_data(notes)).transform_calculate(text=f"truncate(datum.text, {44 if narrow else 90})")
    return [
        said.transform_filter(f"datum.line == {note['line']}")
        .mark_text(align="left", baseline="top", fontSize=11, fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.value(8), y=alt.value(6 + 15 * note["line"]), text=alt.Text("text:N"))
        for note in notes
    ]


class _Box(NamedTuple):
    """A rectangle in a plot: left, top, right and bottom in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Area that the two share, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


class _Plane:
    """A plot with two logarithmic axes whose size in pixels is known about, so that texts find free places in it."""

    def __init__(self, x_domain: tuple[float, float], y_domain: tuple[float, float], size: tuple[float, float]) -> None:
        self._x, self._y, self._size = x_domain, y_domain, size
        self._taken: list[_Box] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        shares = (math.log(v / d[0]) / math.log(d[1] / d[0]) for v, d in ((x, self._x), (y, self._y)))
        across, up = shares
        return across * self._size[0], (1 - up) * self._size[1]

    def take(self, x: float, y: float, reach_px: float) -> None:
        """Keep texts away from a point."""
        self.take_px(*self.at(x, y), reach_px)

    def take_px(self, px: float, py: float, reach_px: float) -> None:
        """As ``take``, of a point in pixels."""
        self._taken.append(_Box(px - reach_px, py - reach_px, px + reach_px, py + reach_px))

    def place(self, text: str, anchors: Iterable[tuple[float, float]]) -> dict[str, Any]:
        """The text at the first of its middles, in pixels, where it meets least; as a row of x, y and text."""
        width, height = len(text) * 5.6 + 4, 13.0

        def box(middle: tuple[float, float]) -> _Box:
            left = min(max(middle[0] - width / 2, 2), self._size[0] - width - 2)
            top = min(max(middle[1] - height / 2, 2), self._size[1] - height - 2)
            return _Box(left, top, left + width, top + height)

        best, least = None, math.inf
        for middle in anchors:
            one = box(middle)
            met = sum(one.overlap(other) for other in self._taken)
            if met < least:
                best, least = one, met
            if not least:
                break
        if best is None:
            raise ValueError(f"no place to try for {text!r}")
        self._taken.append(best)
        shares = ((best.left + width / 2) / self._size[0], 1 - (best.top + height / 2) / self._size[1])
        x, y = (d[0] * (d[1] / d[0]) ** share for d, share in zip((self._x, self._y), shares, strict=True))
        return {"x": x, "value": y, "text": text}


def _roofs(
    rows: list[dict[str, Any]], lines: list[dict[str, Any]], missing: Sequence[str], *, narrow: bool
) -> alt.LayerChart:
    """Points below the two ceilings of each device, both axes logarithmic; a name once for each group of points."""
    height = 330 if narrow else 400
    corners = [line["flat"] / line["slope"] for line in lines]
    across = [row["x"] for row in rows] + corners or [1.0, 100.0]
    up = [row[key] for row in rows for key in ("low", "high")] + [line["flat"] for line in lines] or [1.0, 100.0]
    x_domain, y_domain = (min(across) / 2, max(across) * 2), (min(up) / 2, max(up) * 2)
    plane = _Plane(x_domain, y_domain, ((NARROW_PX if narrow else WIDE_PX) - 66, height))
    styles = _styles(rows)
    known: Sequence[Mapping[str, Any]] = rows or [{"value": None}]
    x = alt.X(
        "x:Q",
        title=_axis_title("operations per byte that must be moved (log scale)", narrow),
        scale=_scale(x_domain, True),
        axis=_axis(x_domain, True, narrow, known),
    )
    y_title, y_axis = _axis_title(FLOP_TITLE, narrow), _axis(y_domain, True, narrow, known)
    y, low = (alt.Y(f"{name}:Q", title=y_title, scale=_scale(y_domain, True), axis=y_axis) for name in ("value", "low"))
    colour, shape = (
        channel(
            "series:N",
            scale=alt.Scale(domain=list(styles), range=[style[k] for style in styles.values()]),
            legend=_legend(styles, narrow=narrow),
        )
        for k, channel in enumerate((alt.Color, alt.Shape))
    )
    layers: list[alt.Chart] = []
    for line in lines:
        ridge, left = line["flat"] / line["slope"], max(x_domain[0], y_domain[0] / line["slope"])
        path = [(left, left * line["slope"]), (ridge, line["flat"]), (x_domain[1], line["flat"])]
        drawn = alt.Chart(_data([{"x": a, "value": b} for a, b in path]))
        layers.append(drawn.mark_line(color=COLOURS["rule"], strokeWidth=1.5).encode(x=x, y=y))
        for (a, b), (c, d) in itertools.pairwise(path):
            for k in range(33):
                plane.take(a * (c / a) ** (k / 32), b * (d / b) ** (k / 32), 4)
    for row in rows:
        plane.take(row["x"], row["value"], 6)
        for k in range(9):
            plane.take(row["x"], row["low"] * (row["high"] / row["low"]) ** (k / 8), 4)
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["short" if narrow else "row"], row["series"].rpartition(", ")[2]), []).append(row)
    joined = [
        {"x": row["x"], "value": row["value"], "group": " ".join(key)} for key, same in groups.items() for row in same
    ]
    threads = alt.Chart(_data(joined)).mark_line(color=COLOURS["missing"], strokeWidth=1, opacity=0.6)
    layers.append(threads.encode(x=x, y=y, detail="group:N"))
    base = alt.Chart(_data(rows))
    layers.append(base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=x, y=low, y2="high:Q", color=colour))
    layers.append(base.mark_point(filled=True, size=56, opacity=1).encode(x=x, y=y, color=colour, shape=shape))
    roofs = alt.Chart(_data(_roof_names(plane, lines, x_domain, y_domain)))
    layers.append(roofs.mark_text(fontSize=11, color=COLOURS["ink-soft"]).encode(x=x, y=y, text="text:N"))
    names = alt.Chart(_data(_group_names(plane, groups)))
    layers.append(names.mark_text(fontSize=11, color=COLOURS["ink"]).encode(x=x, y=y, text="text:N"))
    layers += _notes(missing, narrow=narrow)
    return alt.layer(*layers, height=height)


FEW_GROUPS = 3  # others up to which no name stands beyond them; among more, that beats a name on top of another
FLOP_TITLE = "operations per second (FLOP/s, log scale, higher is better)"


def _roof_names(
    plane: _Plane, lines: Sequence[Mapping[str, Any]], x_domain: tuple[float, float], y_domain: tuple[float, float]
) -> list[dict[str, Any]]:
    """What each ceiling is, near its line."""
    found = []
    for line in lines:
        ridge, left = line["flat"] / line["slope"], max(x_domain[0], y_domain[0] / line["slope"])
        (a, top), (b, _) = plane.at(ridge, line["flat"]), plane.at(x_domain[1], line["flat"])
        middles = [(b - share * (b - a), top + dy) for share in (0.0, 0.3, 0.6) for dy in (-11, 12)]
        found.append(plane.place(f"{line['device']}: matrix product, {fmt.flop_rate(line['flat'])}", middles))
        steps = (left * (ridge / left) ** share for share in (0.25, 0.5, 0.1, 0.7, 0.9))
        near = [plane.at(step, step * line["slope"]) for step in steps]
        text = f"{line['device']}: memory, {fmt.bytes_(line['slope'])}/s"
        side = len(text) * 2.8 + 10
        found.append(plane.place(text, [(px + dx, py + dy) for px, py in near for dx, dy in ((-side, -6), (side, 8))]))
    return found


def _group_names(plane: _Plane, groups: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The name of each group of points, by name and device, where it meets least; those with least room first."""
    found = []
    placed = {key: [plane.at(row["x"], row["value"]) for row in rows] for key, rows in groups.items()}
    for points in placed.values():
        for (a, b), (c, d) in itertools.pairwise(sorted(points)):
            for k in range(1, 8):
                plane.take_px(a + (c - a) * k / 8, b + (d - b) * k / 8, 3)
    for key, points in sorted(placed.items(), key=lambda item: -len(item[0][0])):
        label, others = key[0], [other for name, other in placed.items() if name != key]
        left, right = min(px for px, _ in points), max(px for px, _ in points)
        top, bottom = min(py for _, py in points), max(py for _, py in points)
        half, middle = len(label) * 2.8 + 2, (left + right) / 2
        shifts = (0.0, half * 0.5, -half * 0.5, half * 0.85, -half * 0.85)
        over = [(middle + dx, y) for y in (top - 14, bottom + 14) for dx in shifts]
        heights = (top, bottom, (top + bottom) / 2, *(y for _, y in points))
        beside = [
            (x, y)
            for y in heights
            for x in (right + half + 9, left - half - 9)
            if len(others) > FEW_GROUPS or not any(_lies_between(other, x, middle, y) for other in others)
        ]
        found.append(plane.place(label, [*over[:1], *over[5:6], *beside, *over]))
    return found


def _lies_between(points: Sequence[tuple[float, float]], one: float, other: float, y: float) -> bool:
    """Whether a group of points is passed on the way from one place to another, at about one height."""
    inside = any(min(one, other) < px < max(one, other) for px, _ in points)
    return inside and min(py for _, py in points) - 8 < y < max(py for _, py in points) + 8


def _trace_panels(panels: Sequence[tuple[str, traces.Shown | str]], *, narrow: bool) -> alt.LayerChart:
    """A strip for each arm: its blocks over time, a shade over those that are measured; a line for one without."""
    strip_px, head_px, bare_px, gap_px = 62.0, 20.0, 22.0, 12.0
    drawn = [trace for _, trace in panels if not isinstance(trace, str)]
    factors = [point.factor for trace in drawn for point in trace.points] or [1.0]
    low, high = min([*factors, 0.8]) / 1.1, max([*factors, 1.5]) * 1.1
    end_s = max([trace.to_s for trace in drawn], default=1.0)

    def down(factor: float) -> float:
        """Pixels from the upper edge of a strip."""
        return strip_px * (1 - math.log(factor / low) / math.log(high / low))

    ticks = [1.0]
    for tick in (100, 50, 20, 10, 5, 2, 1.5, 0.5, 0.2):
        if low < tick < high and all(abs(down(tick) - down(other)) > 15 for other in ticks):
            ticks.append(float(tick))
    points, shades, heads, names, top = [], [], [], {}, 0.0
    for series, trace in panels:
        if isinstance(trace, str):
            heads.append({"y": top + 8, "text": f"{series}: {trace}", "role": "missing"})
            top += bare_px
            continue
        step = f"{series}: {'steady ' if trace.settled else ''}step {fmt.seconds(trace.step_s)}"
        step += "" if trace.settled else ", never settled"
        heads.append({"y": top + 8, "text": step, "role": "ink"})
        top += head_px
        shades.append({"x": trace.from_s, "end": trace.to_s, "y": top, "foot": top + strip_px})
        shades[-1]["at"] = min(trace.from_s, 0.8 * end_s)  # of its word, which must not leave the plot
        for tick in ticks:
            names[round(top + down(tick), 2)] = f"{tick:g}x"
        points += [
            {"x": point.at_s, "y": top + down(point.factor), "series": series, "steady": point.is_steady}
            for point in trace.points
        ]
        top += strip_px + gap_px
    height = max(top, 40.0)
    styles = _styles(points)
    x, word = (
        alt.X(
            f"{name}:Q",
            title="seconds since the first step ended",
            scale=alt.Scale(domain=[0, end_s], nice=False),
            axis=alt.Axis(grid=False, labels=bool(drawn), ticks=bool(drawn), tickCount=5 if narrow else 8),
        )
        for name in ("x", "at")
    )
    scale = alt.Scale(domain=[0, height], reverse=True, nice=False, zero=False)
    axis = alt.Axis(
        values=list(names),
        labelExpr=_choose(names) if names else "''",
        grid=False,
        ticks=False,
        domain=False,
        labelOverlap=False,
        labelPadding=6,
    )
    y = alt.Y("y:Q", scale=scale, axis=axis, title=_axis_title("times the measured step (log scale)", narrow))
    shades_of = alt.Scale(domain=list(styles), range=[style[0] for style in styles.values()])
    colour = alt.Color("series:N", scale=shades_of, legend=None)
    strips = alt.Chart(_data(shades))
    rules = alt.Chart(_data([{"y": at} for at, text in names.items() if text == "1x"]))
    marks = alt.Chart(_data(points))
    layers = [
        strips.mark_rect(color=COLOURS["grid"], opacity=0.65).encode(x=x, x2="end:Q", y=y, y2="foot:Q"),
        rules.mark_rule(color=COLOURS["rule"], strokeWidth=1, strokeDash=[2, 3]).encode(y=y),
        strips.mark_rule(color=COLOURS["rule"], strokeWidth=1.5).encode(x=x, y=y, y2="foot:Q"),
        strips.mark_text(align="left", baseline="top", dx=5, dy=3, fontSize=10, color=COLOURS["ink-soft"]).encode(
            x=word, y=y, text=alt.value("measured")
        ),
        marks.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, detail="series:N"),
        marks.transform_filter("!datum.steady")
        .mark_point(filled=True, fill=COLOURS["surface"], size=26, strokeWidth=1.5, opacity=1)
        .encode(x=x, y=y, stroke=alt.Stroke("series:N", scale=shades_of, legend=None)),
        marks.transform_filter("datum.steady")
        .mark_point(filled=True, size=26, opacity=1)
        .encode(x=x, y=y, color=colour),
    ]
    for role in ("ink", "missing"):
        texts = alt.Chart(_data([head for head in heads if head["role"] == role]))
        style = {"fontStyle": "italic"} if role == "missing" else {"fontWeight": 600}
        layers.append(
            texts.mark_text(align="left", fontSize=11 if role == "missing" else 12, color=COLOURS[role], **style)
            .encode(x=alt.value(0), y=y, text="text:N")
        )  # fmt: skip
    return alt.layer(*layers, height=height)


def _surface(cells: list[dict[str, Any]], *, compares: bool, narrow: bool) -> alt.LayerChart:
    """A heat map with the value in each cell and its interval below it."""
    family = "div" if compares else "seq"
    values = sorted(cell["value"] for cell in cells if cell["value"] is not None)
    if compares:
        steps = [0.25, 0.5, 0.9, 1.1, 2.0, 4.0]  # symmetric in the logarithm, the middle one "about the same"
    else:
        low, high = (values[0], values[-1]) if values else (1.0, 10.0)
        steps = [low * (max(high, low * 1.01) / low) ** (k / 7) for k in range(1, 7)]
    data = [cell | {"text": _cell_text(cell, compares), "small": _cell_range(cell, compares)} for cell in cells]
    if not data:
        data = [{"width": "", "batch": "", "value": None, "text": NOT_MEASURED, "small": ""}]
    size = 34 if narrow else 46
    batches = sorted({cell["batch"] for cell in cells})
    widths = sorted({cell["width"] for cell in cells}, reverse=True)
    base = alt.Chart(_data(data)).encode(
        x=alt.X(
            "batch:O", title="batch size", sort=batches or None, axis=alt.Axis(labelAngle=0, domain=False, ticks=False)
        ),
        y=alt.Y("width:O", title="width of the layers", sort=widths or None, axis=alt.Axis(domain=False, ticks=False)),
    )

    def shade(role: str) -> alt.Scale:
        return alt.Scale(type="threshold", domain=steps, range=[COLOURS[f"{role}-{k}"] for k in range(1, 8)])

    drawn = base.transform_filter("datum.value != null")
    absent = base.transform_filter("datum.value == null")
    layers = [
        drawn.mark_rect(stroke=COLOURS["surface"], strokeWidth=2).encode(
            color=alt.Color("value:Q", scale=shade(family), legend=None)
        ),
        drawn.mark_text(fontSize=11 if narrow else 13, dy=-6, fontWeight=600).encode(
            text=alt.Text("text:N"), color=alt.Color("value:Q", scale=shade(f"{family}-ink"), legend=None)
        ),
        drawn.mark_text(fontSize=8.5 if narrow else 10, dy=8).encode(
            text=alt.Text("small:N"), color=alt.Color("value:Q", scale=shade(f"{family}-ink"), legend=None)
        ),
        absent.mark_rect(fill=None, stroke=COLOURS["missing"], strokeDash=[3, 3]),
        absent.transform_calculate(text=f"truncate(datum.text, {9 if narrow and batches else 28})")
        .mark_text(fontSize=9 if narrow else 11, fontStyle="italic", color=COLOURS["missing"])
        .encode(text=alt.Text("text:N")),
    ]
    return alt.layer(*layers, height=size * max(len(widths), 2)).resolve_scale(color="independent")


def _cell_text(cell: Mapping[str, Any], compares: bool) -> str:
    if cell["value"] is None:
        return cell["note"] or NOT_MEASURED
    return fmt.ratio(cell["value"]) if compares else _short(cell["value"])


def _cell_range(cell: Mapping[str, Any], compares: bool) -> str:
    if cell["value"] is None:
        return ""
    return f"{_short(cell['low'])}–{_short(cell['high'])}"


def _short(value: float) -> str:
    """Three digits with k and M, for the cells of a heat map."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _stack(rows: list[dict[str, Any]], *, narrow: bool) -> alt.LayerChart:
    """Bars of one whole; a rule marks the interval of the place where the steady steps begin."""
    order = [*(name for name, _, _ in PHASE_COLUMNS), *STEADY.values()]
    colours = {name: COLOURS[role] for name, _, role in PHASE_COLUMNS}
    colours |= {STEADY[device]: COLOURS[f"{device}-tensorflow"] for device in DEVICES}
    used = [name for name in order if any(row["phase"] == name and row["note"] is None for row in rows)]
    labels = list(dict.fromkeys(row["row"] for row in rows))
    row_px = 44 if narrow else 34
    names, places = {}, {}
    for place, label in enumerate(labels):
        text = _wrapped(label, 17 if narrow else 27)
        places[label] = place + 0.5
        names[round(place + 0.5 - text.count("|") / 2 * LINE_PX / row_px, 3)] = text
    data = [
        row | {"y": places[row["row"]], "top": places[row["row"]] - 0.3, "foot": places[row["row"]] + 0.3}
        for row in rows
    ]
    x_scale = alt.Scale(domain=[0, 1.34 if narrow else 1.13], nice=False)
    y_scale = alt.Scale(domain=[0, len(labels)], reverse=True, nice=False, zero=False)
    y_axis = alt.Axis(
        values=list(names),
        labelExpr=_choose(names),
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=8,
        labelOverlap=False,
    )
    base = alt.Chart(_data(data)).encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis))
    title = "share of the time; total at the right"
    layers = [
        base.transform_filter("datum.start != null")
        .mark_rect(stroke=COLOURS["surface"], strokeWidth=1)
        .encode(
            y=alt.Y("top:Q", scale=y_scale, axis=y_axis),
            y2=alt.Y2("foot:Q"),
            x=alt.X(
                "start:Q",
                title=title,
                scale=x_scale,
                axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format="%", grid=True),
            ),
            x2=alt.X2("end:Q"),
            color=alt.Color(
                "phase:N",
                scale=alt.Scale(domain=used, range=[colours[name] for name in used]),
                legend=alt.Legend(orient="top", title=None, columns=1 if narrow else 4, symbolType="square")
                if used
                else None,
            ),
        )
    ]
    spread = base.transform_filter("isValid(datum.low)")
    layers.append(
        spread.mark_rule(color=COLOURS["ink"], strokeWidth=2).encode(
            x=alt.X("low:Q", scale=x_scale, title=title), x2=alt.X2("high:Q")
        )
    )
    for end in ("low", "high"):
        layers.append(spread.mark_tick(color=COLOURS["ink"], thickness=2, size=10).encode(x=f"{end}:Q"))
    layers.append(
        base.transform_filter("isValid(datum.total)")
        .transform_calculate(at="1.012")
        .mark_text(align="left", fontSize=11, color=COLOURS["ink"])
        .encode(x=alt.X("at:Q", scale=x_scale, title=title), text=alt.Text("total:N"))
    )
    layers.append(
        base.transform_filter("datum.start == null")
        .transform_calculate(text=f"truncate(datum.note, {30 if narrow else 80})")
        .mark_text(align="left", fontSize=11, fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.value(4), text=alt.Text("text:N"))
    )
    return alt.layer(*layers, height=max(60, len(labels) * row_px))


# Scales and axes.


def _domain(rows: Sequence[Mapping[str, Any]], *, log: bool, include: float | None = None) -> tuple[float, float]:
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    if include is not None:
        ends.append(include)
    if not ends or (len(ends) == 1 and include is not None):
        return (0.5, 200.0) if include is not None else (1.0, 1000.0) if log else (0.0, 60.0)
    low, high = min(ends), max(ends)
    if not log:
        return (0.0, high * 1.08)
    return (low / 1.35, max(high, low * 4) * 1.35)


def _scale(domain: tuple[float, float], log: bool) -> alt.Scale:
    if log:
        return alt.Scale(type="log", domain=list(domain), nice=False)
    return alt.Scale(type="linear", domain=list(domain), nice=False, zero=False)


def _axis(domain: tuple[float, float], log: bool, narrow: bool, rows: Sequence[Mapping[str, Any]]) -> alt.Axis:
    if not any(row["value"] is not None for row in rows):
        return alt.Axis(labels=False, ticks=False, grid=False)  # numbers on an empty chart would look like results
    if not log:
        return alt.Axis(tickCount=5 if narrow else 8)
    decades = math.log10(domain[1] / domain[0])
    steps = (1,) if decades > (3 if narrow else 5) else (1, 3) if decades > 1.7 else (1, 2, 5)
    exponents = range(math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1])) + 1)
    values = [step * 10.0**e for e in exponents for step in steps if domain[0] <= step * 10.0**e <= domain[1]]
    label = "datum.value < 1 ? format(datum.value, '~g') : format(datum.value, '~s')"
    return alt.Axis(values=values, labelExpr=label)


def _axis_title(title: str, narrow: bool) -> str | list[str]:
    return _wrapped(title, 42).split("|") if narrow else title


def _wrapped(text: str, width: int) -> str:
    """The text in lines of about that many characters, joined by bars."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "|".join(lines)


def _choose(names: Mapping[Any, str]) -> str:
    """Vega expression that maps an axis value to its lines of text."""
    known = {f"{key:g}" if isinstance(key, float) else key: text for key, text in names.items()}
    return f"split({json.dumps(known)}[toString(datum.value)], '|')"


def _with_values(part: Any) -> Any:
    """The specification with values in the place of their names."""
    if isinstance(part, list):
        return [_with_values(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {"values": _VALUES[value["name"]]} if key == "data" and "name" in value else _with_values(value)
        for key, value in part.items()
    }


# Values that a painter has handed over since the last finished drawing, by name. Altair copies a chart, its data
# included, at every step of its making; a name is copied faster, and the values are put in at the end.
_VALUES: dict[str, list[dict[str, Any]]] = {}


def _data(values: list[dict[str, Any]]) -> alt.NamedData:
    """Data of a chart, by name until the drawing is finished."""
    name = f"values-{len(_VALUES)}"
    _VALUES[name] = values
    return alt.NamedData(name=name)


def _finished(drawing: alt.Chart | alt.LayerChart, width: int) -> dict[str, Any]:
    """The specification with the site's type and colours, exactly as wide as asked for."""
    spec = _with_values(drawing.to_dict(validate=False))
    spec |= {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    _VALUES.clear()
    soft, ink, grid = COLOURS["ink-soft"], COLOURS["ink"], COLOURS["grid"]
    text = {"labelColor": soft, "titleColor": soft, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500}
    spec["config"] = {
        "background": "transparent",
        "font": "sans-serif",
        "padding": 4,
        "view": {"stroke": None, "fill": None},
        "axis": text
        | {
            "gridColor": grid,
            "domainColor": grid,
            "tickColor": grid,
            "labelLimit": 0,
            "titlePadding": 10,
            "labelOverlap": True,
        },
        "legend": {
            "labelColor": ink,
            "labelFontSize": 12,
            "labelLimit": 0,
            "symbolSize": 80,
            "columnPadding": 16,
            "layout": {"top": {"anchor": "start", "bounds": "full", "margin": 12}},
        },
        "text": {"color": ink},
    }
    return spec
