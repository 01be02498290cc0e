"""Tables: functions from evidence to cells of text, each with the records it rests on. Pure.

``make`` builds a table by id, of the leading session and, where it makes sense, of the other machines, which are then
named in a column. What was not measured says so; what failed shows its status and reason where the number would be.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec

from bench.records.store import SessionResults
from bench.report import beside, calculators, rooflines, stats, studies, traces, verdicts
from bench.report import format as fmt
from bench.report.rows import CellRef, Contrast, Evidence, fastest, is_headline
from bench.report.stats import Estimate, Quantity
from bench.schema import BACKENDS, DEVICES, PHASES, Backend, Conditions, Device, Mode, Precision, Record, Run

MACHINE = "machine"
PLACES = "places"  # of the backends in a row
PLACE = "place"  # of a row among its like, within a backend
PHASE_NAMES = {
    "import": "import",
    "device_start": "device start",
    "data": "data",
    "build": "build",
    "first_step": "first step",
    "warmup": "warm-up",
    "steady": "steady steps",
    "evaluation": "evaluation",
}
ORDER_WORDS = {"faster": "faster", "slower": "slower", "overlaps": "no difference seen"}
CORES = (1, 2, 4, 8, 16)  # cores that readers ask about
MODES: tuple[Mode, ...] = ("train", "infer")
PRECISIONS: tuple[Precision, ...] = get_args(Precision)  # strict float32 first


class TableError(LookupError):
    """A table that does not exist; the message names near ones."""


class Cellv(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a table: text, the addresses of its evidence, and the estimate it was made of, if it was.

    ``note`` says in words what a reader must know of the number: runs that disagree, or too few of them.
    """

    text: str
    cells: tuple[CellRef, ...] = ()
    estimate: Estimate | None = None
    note: str = ""
    is_disturbed: bool = False  # what it rests on was measured beside something else
    is_older: bool = False  # or by another method or other code than today's


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A finished table; every row has one cell per column. Without rows nothing was measured."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cellv, ...], ...]

    def plain_rows(self) -> tuple[tuple[str | float | int, ...], ...]:
        """The table for a CSV file: a header, then rows; estimates as value, ends, runs and unit, unrounded.

        The last column lists the evidence as machine/session/cell, separated by blanks.
        """
        wide = [any(row[i].estimate is not None for row in self.rows) for i in range(len(self.columns))]
        header: list[str] = []
        for name, is_wide in zip(self.columns, wide, strict=True):
            ends = ("", " low", " high", " n", " unit", " status") if is_wide else ("",)
            header += [f"{name}{end}" for end in ends]
        lines: list[tuple[str | float | int, ...]] = [(*header, "evidence")]
        for row in self.rows:
            line: list[str | float | int] = []
            for cell, is_wide in zip(row, wide, strict=True):
                e = cell.estimate
                if not is_wide:
                    line.append(cell.text)
                elif e is None:
                    line += ["", "", "", "", "", cell.text]
                else:
                    line += [e.value, e.low, e.high, e.n, e.unit, "ok"]
            refs = dict.fromkeys(ref for cell in row for ref in cell.cells)
            lines.append((*line, " ".join(f"{ref.machine}/{ref.session}/{ref.cell}" for ref in refs)))
        return tuple(lines)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a table covers: the evidence, the sessions in order, and the workloads."""

    evidence: Evidence
    sessions: tuple[SessionResults, ...]
    workloads: tuple[str, ...]

    def models(self) -> tuple[str, ...]:
        """The workloads that train a model."""
        return tuple(id_ for id_ in self.evidence.model_workloads() if id_ in self.workloads)

    def machine(self, session: SessionResults) -> Cellv:
        """The machine in words, with its GPU and its cores."""
        label, cpu, gpu = (getattr(self.evidence, name)(session) for name in ("label", "cpu_text", "gpu_text"))
        return Cellv(text=f"{label} ({gpu} beside {cpu})" if gpu else f"{label} ({cpu})")

    def gpus_first(self) -> tuple[SessionResults, ...]:
        """The sessions, those that measured a GPU before the others."""
        return tuple(sorted(self.sessions, key=lambda session: not self.evidence.has_gpu(session)))


class _Draft(msgspec.Struct, kw_only=True):
    """A table as its function returns it, before the machine column is settled."""

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[Cellv, ...]]
    keeps_machine: bool = False  # the column stays even when all rows share a machine


Maker = Callable[[Scope], _Draft]
_TABLES: dict[str, Maker] = {}
MISSING = Cellv(text=fmt.NOT_MEASURED)
NO_GPU = Cellv(text="no GPU")
NOTHING = Cellv(text="")


def table(table_id: str) -> Callable[[Maker], Maker]:
    """Register a table function under a permanent id."""

    def register(function: Maker) -> Maker:
        _TABLES[table_id] = function
        return function

    return register


def ids() -> tuple[str, ...]:
    """Ids of all tables."""
    return tuple(_TABLES)


def make(
    table_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    first: SessionResults | None = None,
) -> Table:
    """One table: of all shown machines, or of one session; of all workloads, or of one.

    A machine column whose cells all agree moves into the caption. ``first`` is the session to begin with, when it is
    not the leading one: the one that a chart with this table was drawn from.

    Raises:
        TableError: no such table.
    """
    if table_id not in _TABLES:
        near = difflib.get_close_matches(table_id, _TABLES, n=2) or sorted(_TABLES)
        raise TableError(f"unknown table {table_id!r}; did you mean {' or '.join(map(repr, near))}?")
    shown = evidence.shown if session is None else (session,)
    scope = Scope(
        evidence=evidence,
        sessions=tuple(sorted(shown, key=lambda one: one is not first)),
        workloads=(workload,) if workload else tuple(evidence.workloads),
    )
    draft = _TABLES[table_id](scope)
    caption, columns, rows = draft.caption, draft.columns, draft.rows
    if MACHINE in columns and not draft.keeps_machine and len({row[columns.index(MACHINE)].text for row in rows}) == 1:
        at = columns.index(MACHINE)
        caption = f"{caption} Measured on {rows[0][at].text}."
        columns = columns[:at] + columns[at + 1 :]
        rows = [row[:at] + row[at + 1 :] for row in rows]
    return Table(id=table_id, caption=caption, columns=columns, rows=tuple(rows))


@table("headline")
def headline(scope: Scope) -> _Draft:
    """Training on CPU and GPU, and how long a whole job takes: of the lead and of the first machine with a GPU."""
    evidence = scope.evidence
    others = [s for s in scope.sessions[1:] if evidence.has_gpu(s)][:1]
    rows = []
    for session in sorted((*scope.sessions[:1], *others), key=lambda s: not evidence.has_gpu(s)):
        timed = {job.record.cell.workload: job for job in reversed(verdicts.jobs(evidence, session))}
        start = scope.machine(session)
        if session in others:
            start = msgspec.structs.replace(start, note=_doubt(evidence, session))
        for workload in scope.models():
            job = timed.get(workload)
            cells = (*_both_devices(scope, session, workload), MISSING if job is None else _job_time(scope, job))
            if session is scope.sessions[0] or any(cell.cells for cell in cells):
                rows.append((start, _text(evidence.title(workload)), *cells))
    columns = (MACHINE, "workload", "CPU", "GPU", "GPU over CPU", "a job on the CPU")
    has_gpu = any(map(evidence.has_gpu, scope.sessions))
    ratio = ", beside a ratio at its fastest batch and usual precision, else in float32" if has_gpu else ""
    caption = (
        f"Training, each device with its best backend and compiler setting{ratio}. A job runs from starting Python to "
        "the quality target or the workload's last epoch; where neither is timed, it is computed for "
        f"{fmt.count(verdicts.COURSE_SAMPLES)} samples and marked so."
    )
    if not has_gpu:
        columns, rows = (*columns[:3], columns[5]), [(*row[:3], row[5]) for row in rows]
        caption += f" GPU: {fmt.NOT_MEASURED}."
    return _Draft(caption=caption, columns=columns, rows=rows)


def _doubt(evidence: Evidence, session: SessionResults) -> str:
    """What the test of a session against itself leaves open; empty where it passed."""
    passed = evidence.has_passed_self_test(session)
    return {True: "", False: "differs from itself", None: "not tested against itself"}[passed]


def _both_devices(scope: Scope, session: SessionResults, workload: str) -> tuple[Cellv, Cellv, Cellv]:
    """Training speed on the CPU and on the GPU, and their ratio with what batch and precision each had."""
    contrast = scope.evidence.best_contrast(session, workload)
    if contrast is None:
        cpu, gpu = (_rate(scope, session, workload, "train", device) for device in DEVICES)
        return (cpu, gpu, MISSING) if session.machine.gpus else (cpu, NO_GPU, NOTHING)
    _, _, cpu, gpu, ratio = _sides(scope, contrast)
    value, _, interval = ratio.text.partition(" (")
    return cpu, gpu, msgspec.structs.replace(ratio, text=f"{value} ({contrast.arms}; {interval}")


@table("study")
def study(scope: Scope) -> _Draft:
    """What a study timed and read: a row for each series and reading, time and ratio to the first series by backend."""
    evidence = scope.evidence
    chosen = [w for w in scope.workloads if evidence.workloads[w].kind == "study"]
    backends = [b for b in BACKENDS if any(evidence.records(s, workload=w, backend=b)
                for s in scope.sessions for w in chosen)]  # fmt: skip
    has_series = any(evidence.workloads[w].series for w in chosen)
    rows = []
    for session in scope.sessions:
        for workload in chosen:
            records = evidence.records(session, workload=workload)
            for group in _groups(records, _study_size):
                by_backend = {record.cell.backend: record for record in group}
                size = _study_words(evidence, group[0], records)
                ranks = _study_places(scope, by_backend)
                for label, cells in _study_rows(scope, workload, by_backend, backends, has_series):
                    start = (scope.machine(session), _text(evidence.title(workload)), _text(size), _text(label))
                    rows.append((*start, *cells, ranks.pop(label, NOTHING)))  # a reading may have a series' label
    columns: list[str] = [MACHINE, "study", "size", "what"]
    for backend in backends:
        name = fmt.backend(backend)
        columns += [name, f"{name}, ratio"] if has_series else [name]
    columns.append(PLACE)
    first = evidence.workloads[chosen[0]].series[0].label if len(chosen) == 1 and has_series else "the first series"
    caption = f"Time per call (lower is better), and how many times that of {first} it is, round by round."
    caption = caption if has_series else "Values read once per run."
    if any(row[-1].text for row in rows):
        caption += " Of ways to do the same work, those whose ratios overlap share a place."
    varying = ("study", "size", PLACE)
    keep = [i for i, name in enumerate(columns) if name not in varying or len({r[i].text for r in rows}) > 1]
    return _Draft(
        caption=caption, columns=tuple(columns[i] for i in keep), rows=[tuple(row[i] for i in keep) for row in rows]
    )


def _study_places(scope: Scope, by_backend: dict[Backend, Record]) -> dict[str, Cellv]:
    """Place of each series among its alternatives, by backend in words; by the series' label."""
    said: dict[str, list[tuple[str, Record]]] = {}
    for backend in BACKENDS:
        record = by_backend.get(backend)
        if record is None:
            continue
        labels = {item.id: item.label for item in record.spec.series}
        for name, place in studies.places(record).items():
            said.setdefault(labels[name], []).append((f"{place}. in {fmt.backend(backend)}", record))
    return {
        label: Cellv(text=", ".join(text for text, _ in parts), cells=scope.evidence.refs(*(r for _, r in parts)))
        for label, parts in said.items()
    }


def _study_size(record: Record) -> tuple[Any, ...]:
    cell = record.cell
    params = tuple((name, str(value)) for name, value in sorted(cell.params.items()))
    return (DEVICES.index(cell.device), -cell.threads, cell.precision, cell.batch_size, cell.n_samples, params)


def _study_words(evidence: Evidence, record: Record, among: Sequence[Record]) -> str:
    """What tells a study's cell from the others of its session, in words."""
    cell, words = record.cell, []
    for name, value in (
        ("device", fmt.device(cell.device)),
        ("batch_size", f"batch {fmt.count(cell.batch_size)}"),
        ("threads", fmt.cores(cell.threads)),
        ("precision", evidence.precision_text(record)),
    ):
        if len({getattr(other.cell, name) for other in among}) > 1:
            words.append(value)
    rest = {"backend": cell.backend, "jit": cell.jit, "n_samples": cell.n_samples}
    alike = (other.cell for other in among if msgspec.structs.replace(other.cell, **rest).id == cell.id)
    if len({other.n_samples for other in alike}) > 1:  # they differ in nothing else
        words.append(f"{fmt.count(cell.n_samples)} {evidence.noun(cell.workload)}")
    own = fmt.params(evidence.distinct_params(record))
    return ", ".join([*words, own] if own else words)


def _study_rows(
    scope: Scope, workload: str, by_backend: dict[Backend, Record], backends: Sequence[Backend], has_series: bool
) -> Iterator[tuple[str, list[Cellv]]]:
    """Label and cells of each series and reading that a backend has; else why there is none."""
    spec = scope.evidence.workloads[workload]
    failed = {b: r for b, r in by_backend.items() if r.status != "ok"}
    baseline = spec.series[0].id if spec.series else ""
    found = False
    for item in spec.series:
        if not any(item in studies.series_of(r) for r in by_backend.values()):
            continue
        cells: list[Cellv] = []
        for backend in backends:
            record = by_backend.get(backend)
            time = None if record is None else studies.call_time(record, item.id)
            if record is None or record.status != "ok" or time is None:
                cells += [_failed(scope, failed.get(backend)) if backend in failed else NOTHING, NOTHING]
                continue
            ratio = None if item.id == baseline else studies.call_ratio(record, item.id, baseline)
            cells += [_estimate(scope, time, record), NOTHING if ratio is None else _estimate(scope, ratio, record)]
        found = True
        yield item.label, cells
    for item in spec.readings:
        values = {b: studies.reading(r, item.id) for b, r in by_backend.items() if r.status == "ok"}
        if not any(values.values()):
            continue
        cells = []
        for backend in backends:
            value = values.get(backend)
            cells.append(NOTHING if value is None else _estimate(scope, value, by_backend[backend]))
            cells += [NOTHING] if has_series else []
        found = True
        yield item.label, cells
    if not found:
        cells = []
        for backend in backends:
            cells += [_failed(scope, failed.get(backend)) if backend in failed else NOTHING]
            cells += [NOTHING] if has_series else []
        yield spec.title, cells


@table("overhead")
def overhead(scope: Scope) -> _Draft:
    """What the clock of this benchmark adds to a step of fit, and what is found between two equal arms."""
    workload, evidence = "harness-overhead", scope.evidence
    backends = [b for b in BACKENDS if any(evidence.records(s, workload=workload, backend=b) for s in scope.sessions)]
    rows = []
    for session in scope.sessions if workload in scope.workloads else ():
        for group in _groups(evidence.records(session, workload=workload), _study_size):
            by_backend = {record.cell.backend: record for record in group}
            net = _text(evidence.title(str(group[0].cell.params["net"])))
            for series, label in (("clock", "timed"), ("again", "bare again")):
                cells = [_change(scope, by_backend.get(backend), series) for backend in backends]
                rows.append((scope.machine(session), net, _text(label), *cells))
    return _Draft(
        caption="What a step of fit takes beyond one of bare fit (lower is better), round by round: timed by the clock "
        "of this benchmark, and bare once more, where nothing differs and what is found is noise.",
        columns=(MACHINE, "network", "fit", *(fmt.backend(b) for b in backends)),
        rows=rows,
    )


def _change(scope: Scope, record: Record | None, series: str) -> Cellv:
    """What a series takes beyond the study's first one, in percent."""
    if record is None or record.status != "ok":
        return _failed(scope, record)
    ratio = studies.call_ratio(record, series, record.spec.series[0].id)
    made = _estimate(scope, ratio, record)
    return msgspec.structs.replace(made, text=fmt.change(ratio))


@table("job-by-steps")
def job_by_steps(scope: Scope) -> _Draft:
    """Time from starting Python to the end of a number of training steps: start-up, first step, steady steps."""
    rows = []
    for session, workload, mode, device in _arms(scope, modes=("train",)):
        for backend, record, failure in _by_backend(scope, session, workload, mode, device):
            start = (scope.machine(session), _text(scope.evidence.title(workload)), _text(_arm_text(backend, device)))
            if record is None:
                rows.append((*start, _failed(scope, failure), *[NOTHING] * (len(stats.JOB_STEPS) - 1)))
                continue
            rows.append((
                *start,
                *(_estimate(scope, stats.projected_time(record, n), record) for n in stats.JOB_STEPS),
            ))  # fmt: skip
    steps = (f"{fmt.count(n)} step{'s' if n > 1 else ''}" for n in stats.JOB_STEPS)
    return _Draft(
        caption="Seconds from starting Python to the end of so many training steps, without evaluation (lower is "
        "better): import, device, data, model, first step, and the steady step for each of the others.",
        columns=(MACHINE, "workload", "arm", *steps),
        rows=rows,
    )


@table("scaling")
def scaling(scope: Scope) -> _Draft:
    """Several GPUs against one: the gain with the same total batch, and the share of the ideal gain in both ways."""
    workload, evidence = "multi-gpu", scope.evidence
    rows = []
    for session in scope.sessions if workload in scope.workloads else ():
        for record in evidence.records(session, workload=workload, mode="study"):
            cell, n = record.cell, int(record.cell.params["gpus"])
            words = (str(cell.params["net"]), _arm_text(cell.backend, cell.device), fmt.count(cell.batch_size))
            start = (scope.machine(session), *map(_text, words), _text(fmt.count(n)))
            if record.status != "ok":
                rows.append((*start, _failed(scope, record), *[NOTHING] * 3))
                continue
            gain, same_step = (studies.call_ratio(record, "one", name) for name in ("strong", "weak"))
            rows.append((
                *start,
                _estimate(scope, studies.call_time(record, "one"), record),
                _estimate(scope, gain, record),
                _estimate(scope, _as_share(gain, n), record),
                _estimate(scope, _as_share(same_step, 1), record),
            ))  # fmt: skip
    columns = ("net", "arm", "batch of one GPU", "GPUs", "a step on one", "gain, same total batch")
    return _Draft(
        caption="One GPU against several, steps timed in turn: the gain where they share one GPU's batch, and what "
        "arrives of the ideal gain there and where each has a full batch (higher is better).",
        columns=(MACHINE, *columns, "of the ideal", "of the ideal, full batches"),
        rows=rows,
    )


def _as_share(gain: Estimate | None, ideal: int) -> Estimate | None:
    """A gain as a share of the ideal one."""
    if gain is None:
        return None
    value, low, high = (end / ideal for end in (gain.value, gain.low, gain.high))
    return msgspec.structs.replace(gain, value=value, low=low, high=high, unit="frac")


@table("rooflines")
def roofline_table(scope: Scope) -> _Draft:
    """Arithmetic and memory traffic that each network gets, as shares of the session's two measured ceilings."""
    rows = []
    for session, workload, mode, device, backend, record in _with_counts(scope):
        best = rooflines.ceiling(scope.evidence, session, device)
        band = rooflines.bandwidth(scope.evidence, session, device)
        refs = (record, band.record) if band else (record,)
        part = None if best is None else rooflines.share(record, best)
        memory = None if band is None else rooflines.memory_share(record, band)
        rows.append((
            scope.machine(session),
            _text(scope.evidence.title(workload)),
            _text(fmt.MODE_NAMES[mode]),
            _text(_arm_text(backend, device)),
            _estimate(scope, rooflines.achieved(record), record),
            MISSING if best is None else _estimate(scope, stats.flop_rate(best), best),
            MISSING if part is None else _estimate(scope, part, record, best),
            _estimate(scope, rooflines.moved(record), record),
            MISSING if band is None else _estimate(scope, band.rate, band.record),
            MISSING if memory is None else _estimate(scope, memory, *refs),
        ))  # fmt: skip
    return _Draft(
        caption="Arithmetic and bytes per second, both counted from the layers, and their shares of the fastest matrix "
        "product and the best bandwidth measured. Bytes are a floor; a share of the bandwidth above 100 % means that "
        "caches hold a part.",
        columns=(
            MACHINE, "workload", "mode", "arm", "achieved", "matrix product", "of the matrix product", "moved",
            "bandwidth", "of the bandwidth",
        ),
        rows=rows,
    )  # fmt: skip


@table("roofs")
def roof_table(scope: Scope) -> _Draft:
    """Operations per byte of each network, the rate that the lower ceiling then allows, and the share achieved."""
    rows = []
    for session, workload, mode, device, backend, record in _with_counts(scope):
        best = rooflines.ceiling(scope.evidence, session, device)
        band = rooflines.bandwidth(scope.evidence, session, device)
        steep = rooflines.intensity(record)
        roof = None if best is None or band is None else rooflines.roof(record, best, band)
        part = None if best is None or band is None else rooflines.roof_share(record, best, band)
        rests = () if roof is None else (record, band.record if roof.is_memory else best)
        rows.append((
            scope.machine(session),
            _text(scope.evidence.title(workload)),
            _text(fmt.MODE_NAMES[mode]),
            _text(_arm_text(backend, device)),
            MISSING if steep is None else Cellv(text=fmt.number(steep), cells=scope.evidence.refs(record)),
            _estimate(scope, rooflines.achieved(record), record),
            MISSING if roof is None else _estimate(scope, roof.rate, *rests),
            _text("" if roof is None else "memory" if roof.is_memory else "arithmetic"),
            MISSING if part is None else _estimate(scope, part, *rests),
        ))  # fmt: skip
    return _Draft(
        caption="Operations for each byte that must be moved, counted from the layers; the rate that the measured "
        "matrix product and bandwidth then allow, and what is reached of it (higher is better).",
        columns=(
            MACHINE, "workload", "mode", "arm", "operations per byte", "achieved", "attainable", "lower ceiling",
            "of the attainable",
        ),
        rows=rows,
    )  # fmt: skip


@table("warm-up")
def warm_up(scope: Scope) -> _Draft:
    """How long training took to settle: blocks and seconds, the first block, whether the criterion was met, traces."""
    rows = []
    for session, workload, mode, device in _arms(scope, modes=("train",)):
        for backend, record, _ in _by_backend(scope, session, workload, mode, device):
            trace = None if record is None else traces.shown(record)
            if trace is None:
                continue
            refs = scope.evidence.refs(record)
            rows.append((
                scope.machine(session),
                _text(scope.evidence.title(workload)),
                _text(_arm_text(backend, device)),
                Cellv(text=_warm_up_blocks(record), cells=refs),
                _estimate(scope, stats.phase_time(record, "warmup"), record),
                Cellv(text=fmt.ratio(trace.first_factor), cells=refs),
                _estimate(scope, stats.step_time(record), record),
                Cellv(text=_warm_up(record), cells=refs),
                Cellv(text=_counted_words(traces.kinds(record)), cells=refs),
            ))  # fmt: skip
    return _Draft(
        caption="The warm-up of training after the first step, until the criterion was met or the limit reached. A "
        "trace has a name from some blocks on; the drawn run is the one with the median step.",
        columns=(
            MACHINE, "workload", "arm", "blocks", "warm-up", "first block over steady", "steady step", "settled",
            "traces by name",
        ),
        rows=rows,
    )  # fmt: skip


def _warm_up_blocks(record: Record) -> str:
    counts = sorted({len(run.warmup) for run in stats.ok_runs(record)})
    return " to ".join(fmt.count(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _counted_words(words: Iterable[str]) -> str:
    """Each word with how often it comes."""
    found = Counter(words)
    return ", ".join(f"{word}: {n}" for word, n in found.items()) or "too short for a name"


def _with_counts(scope: Scope) -> Iterator[tuple[SessionResults, str, Mode, Device, Backend, Record]]:
    """The best record of every arm whose operations are counted."""
    for session, workload, mode, device in _arms(scope):
        for backend, record, _ in _by_backend(scope, session, workload, mode, device):
            if record is not None and rooflines.achieved(record) is not None:
                yield session, workload, mode, device, backend, record


@table("speed-by-workload")
def speed_by_workload(scope: Scope) -> _Draft:
    """Steady throughput by workload, mode and device; one column for each backend."""
    rows = []
    for session, workload, mode, device in _arms(scope):
        ran = scope.evidence.backends(session)
        cells = [_rate(scope, session, workload, mode, device, b) if b in ran else NOTHING for b in BACKENDS]
        record = next(iter(scope.evidence.candidates(session, workload, mode, device)), None)
        rows.append((
            scope.machine(session),
            _text(scope.evidence.title(workload)),
            _text(fmt.MODE_NAMES[mode]),
            NOTHING if record is None else _text(fmt.count(record.cell.batch_size)),
            _text(fmt.device(device)),
            *cells,
            _places(scope, _backend_names(), cells),
        ))  # fmt: skip
    caption = (
        "Samples per second in the steady state (higher is better), each backend with the better of the compiler "
        "settings that were measured. Inference goes through predict, a few batches a call, so what a call costs by "
        "itself is in it. "
        "Backends whose intervals overlap share a place."
    )
    columns = (MACHINE, "workload", "mode", "batch size", "device", *_backend_names(), PLACES)
    return _Draft(caption=caption, columns=columns, rows=rows)


@table("phase-times")
def phase_times(scope: Scope) -> _Draft:
    """Where the time of one training process goes, phase by phase."""
    rows = []
    for session, workload, mode, device in _arms(scope, sessions=1, modes=("train",)):
        for backend, record, failure in _by_backend(scope, session, workload, mode, device):
            start = [_text(scope.evidence.title(workload)), _text(_arm_text(backend, device))]
            if record is None:
                phases = [_failed(scope, failure), *[NOTHING] * (len(PHASES) - 1)]
            else:
                phases = [_estimate(scope, stats.phase_time(record, phase), record) for phase in PHASES]
            rows.append((scope.machine(session), *start, *phases))
    caption = "Seconds of each phase of a training process (lower is better); the steady steps last as long as asked."
    columns = (MACHINE, "workload", "arm", *(PHASE_NAMES[phase] for phase in PHASES))
    return _Draft(caption=caption, columns=columns, rows=rows)


@table("throughput-by-batch")
def throughput_by_batch(scope: Scope) -> _Draft:
    """Throughput and step time by batch size, for every size of a workload that was measured at several."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            for best in _best_by_batch(scope, _strict(scope, session, workload)):
                cell = best.cell
                rows.append((
                    scope.machine(session),
                    _text(_sized(scope, best)),
                    _text(fmt.MODE_NAMES[cell.mode]),
                    _text(_arm_text(cell.backend, cell.device)),
                    _text(fmt.count(cell.batch_size)),
                    _or_failed(scope, best, stats.throughput),
                    _or_failed(scope, best, stats.step_time),
                ))  # fmt: skip
    return _Draft(
        caption="Samples per second (higher is better) and seconds per step, by batch size.",
        columns=(MACHINE, "workload", "mode", "arm", "batch size", "throughput", "step"),
        rows=rows,
    )


@table("target-by-batch")
def target_by_batch(scope: Scope) -> _Draft:
    """What each batch size learns: whether the runs met the target, after how many epochs, and in what time."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            target = scope.evidence.workloads[workload].target
            found = [r for r in _strict(scope, session, workload) if stats.reached_frac(r) is not None]
            for best in _best_by_batch(scope, found) if target is not None else ():
                time, epochs, share = _of_target(scope, best)
                rows.append((
                    scope.machine(session),
                    _text(_arm_text(best.cell.backend, best.cell.device)),
                    _text(fmt.count(best.cell.batch_size)),
                    epochs,
                    time,
                    share,
                    _text(scope.evidence.title(workload)),
                    _text(f"{fmt.percent(target.at_least)} {target.metric}"),
                ))  # fmt: skip
    return _Draft(
        caption="Training until the target was met on held-out data, by batch size, all else and the learning rate "
        "the same (fewer seconds are better). Each run has a seed of its own.",
        columns=(MACHINE, "arm", "batch size", "epochs", "training", "runs that met it", "workload", "target"),
        rows=rows,
    )


def _of_target(scope: Scope, record: Record) -> tuple[Cellv, Cellv, Cellv]:
    """Seconds of training until the target was met, epochs from least to most, and the share of runs that met it."""
    epochs = sorted(epoch for epoch in stats.epochs_to_target(record) if epoch is not None)
    counted = " to ".join(dict.fromkeys(fmt.count(epoch) for epoch in (*epochs[:1], *epochs[-1:])))
    return (
        _or_missed(scope, stats.time_to_target(record), record),
        Cellv(text=counted or fmt.NOT_REACHED, cells=scope.evidence.refs(record)),
        _estimate(scope, stats.reached_frac(record), record),
    )


def _or_missed(scope: Scope, time: Estimate | None, record: Record) -> Cellv:
    """A time until the target was met, or that it was not."""
    if time is None:
        return Cellv(text=fmt.NOT_REACHED, cells=scope.evidence.refs(record))
    return _estimate(scope, time, record)


@table("precisions")
def precisions(scope: Scope) -> _Draft:
    """Each cell measured in another precision beside the same cell in strict float32, and the ratio of the two."""
    evidence = scope.evidence
    rows = []
    for session in scope.sessions:
        for workload in scope.workloads:
            kind = evidence.workloads[workload].kind
            if kind == "study":
                continue
            quantity, make = ("flop_rate", stats.flop_rate) if kind == "probe" else ("throughput", stats.throughput)
            for same in _groups(evidence.records(session, workload=workload), _all_but_precision):
                strict = next((record for record in same if record.cell.precision == PRECISIONS[0]), None)
                for record in sorted(same, key=lambda record: PRECISIONS.index(record.cell.precision)):
                    if record is strict or strict is None:
                        continue
                    gain = evidence.record_speedup(record, strict, quantity) if record.status == "ok" else None
                    rows.append((
                        scope.machine(session),
                        _text(_sized(scope, record)),
                        _text(fmt.MODE_NAMES[record.cell.mode]),
                        _text(_arm_text(record.cell.backend, record.cell.device)),
                        _text(fmt.count(record.cell.batch_size)),
                        _or_failed(scope, strict, make),
                        _text(evidence.precision_text(record)),
                        _or_failed(scope, record, make),
                        MISSING if gain is None else _estimate(scope, gain, record, strict),
                    ))  # fmt: skip
    columns = ("workload", "mode", "arm", "batch size", PRECISIONS[0], "precision", "in it", "times as fast")
    return _Draft(
        caption="Speed in strict float32 and in another precision (higher is better), all else the same. Emulated: the "
        "CPU has no instructions for that precision.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


@table("threads")
def threads(scope: Scope) -> _Draft:
    """Each CPU cell that was measured on several numbers of cores, and how much faster than on the fewest it is."""
    evidence = scope.evidence
    rows = []
    for session in scope.sessions:
        for workload in scope.workloads:
            kind = evidence.workloads[workload].kind
            if kind == "study":
                continue
            quantity, make = ("flop_rate", stats.flop_rate) if kind == "probe" else ("throughput", stats.throughput)
            records = evidence.records(session, workload=workload, device="cpu", precision=PRECISIONS[0])
            for same in _groups(records, _all_but_threads):
                by_count = sorted(same, key=lambda record: record.cell.threads)
                for record in by_count if len(by_count) > 1 else ():
                    few = by_count[0]
                    both = record is not few and "ok" == record.status == few.status
                    gain = evidence.record_speedup(record, few, quantity) if both else None
                    rows.append((
                        scope.machine(session),
                        _text(_sized(scope, record)),
                        _text(fmt.MODE_NAMES[record.cell.mode]),
                        _text(_arm_text(record.cell.backend, record.cell.device)),
                        _text(fmt.count(record.cell.batch_size)),
                        _text(fmt.count(record.cell.threads)),
                        _or_failed(scope, record, make),
                        NOTHING if gain is None else _estimate(scope, gain, record, few),
                    ))  # fmt: skip
    columns = ("workload", "mode", "arm", "batch size", "cores", "speed", "times the fewest cores")
    return _Draft(
        caption="Speed by the number of cores that the process may use (higher is better), all else the same.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


def _all_but_threads(record: Record) -> tuple[Any, ...]:
    cell = record.cell
    params = tuple((name, str(value)) for name, value in sorted(cell.params.items()))
    return (cell.mode, params, BACKENDS.index(cell.backend), cell.jit, cell.batch_size, cell.n_samples)


@table("patience")
def patience(scope: Scope) -> _Draft:
    """A course-sized amount of training on each number of cores and on the GPU, with the word for the wait."""
    evidence, n_samples = scope.evidence, verdicts.COURSE_SAMPLES
    columns = [*CORES, "GPU"]
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            arms: dict[int | str, Record] = dict(calculators.by_threads(evidence, session, workload))
            if (gpu := evidence.best(session, workload, "train", "gpu")) is not None:
                arms["GPU"] = gpu
            times = {key: calculators.time_for(record, n_samples) for key, record in arms.items()}
            cells = []
            for key in columns:
                if times.get(key) is None:
                    cells.append(MISSING)
                    continue
                cell = _estimate(scope, times[key], arms[key])
                word = calculators.patience(times[key].value)
                cells.append(msgspec.structs.replace(cell, text=f"{word}: {cell.text}"))
            if any(cell is not MISSING for cell in cells):
                rows.append((scope.machine(session), _text(evidence.title(workload)), *cells))
    names = [fmt.cores(key) if isinstance(key, int) else key for key in columns]
    return _Draft(
        caption=f"Training on {fmt.count(n_samples)} samples once, computed from the steady step (lower is better).",
        columns=(MACHINE, "workload", *names),
        rows=rows,
    )


@table("largest-batch")
def largest_batch(scope: Scope) -> _Draft:
    """Largest batch under the memory of common cards, from a straight line through peaks at two batches.

    Left out are half precision on a CPU, which has no memory to save by it, and small nets that compute nothing.
    """
    rows = []
    for session in scope.sessions:
        for growth in calculators.growths(scope.evidence, session):
            workload = growth.small.cell.workload
            is_idle = (growth.device == "cpu" and growth.precision != "float32-strict") or (
                growth.is_flat and workload == "memory"
            )
            if workload not in scope.workloads or is_idle:
                continue
            refs = scope.evidence.refs(growth.small, growth.large)
            batches = [_batch_text(growth.largest_batch(card)) for card in calculators.CARDS_BYTES]
            batches = ["not computed"] * len(batches) if growth.is_flat else batches
            read = [fmt.count(record.cell.batch_size) for record in (growth.small, growth.large)]
            fixed = fmt.bytes_(growth.fixed_bytes) if growth.fixed_bytes else "too small to tell"
            precision = "" if growth.precision == "float32-strict" else f", {growth.precision}"
            rows.append((
                scope.machine(session),
                _text(growth.title),
                _text(f"{_arm_text(growth.backend, growth.device)}{precision}"),
                *(Cellv(text=words, cells=refs) for words in batches),
                Cellv(text=fixed, cells=refs),
                Cellv(text=fmt.bytes_(growth.per_sample_bytes), cells=refs),
                _text(" and ".join(read)),
            ))  # fmt: skip
    sizes = (f"{size} GB" for size in calculators.CARD_SIZES_GB)
    return _Draft(
        caption="Largest batch, rounded down to a power of two: (card - fixed part) / part of each sample.",
        columns=(MACHINE, "network", "read on", *sizes, "fixed part", "of each sample", "batches read"),
        rows=rows,
    )


@table("real-caps")
def real_caps(scope: Scope) -> _Draft:
    """The largest batch found by trying under a real cap, beside the one that readings at two batches compute."""
    rows = []
    for session in scope.sessions:
        for capped in calculators.caps(scope.evidence, session) if calculators.TRIED_BY in scope.workloads else ():
            cell, line = capped.record.cell, capped.growth
            found = scope.evidence.refs(capped.record)
            read = scope.evidence.refs(capped.record, line.small, line.large) if line else ()
            rows.append((
                scope.machine(session),
                _text(capped.title),
                _text(f"{_arm_text(cell.backend, cell.device)}, {cell.precision}"),
                Cellv(text=fmt.bytes_(capped.cap_bytes), cells=found),
                MISSING if capped.room_bytes is None else Cellv(text=fmt.bytes_(capped.room_bytes), cells=found),
                MISSING if capped.computed is None else Cellv(text=_batch_text(capped.computed), cells=read),
                Cellv(text=_batch_text(capped.largest), cells=found),
                _text("none tried") if capped.too_large is None else Cellv(
                    text=fmt.count(capped.too_large), cells=found),
            ))  # fmt: skip
    return _Draft(
        caption="Largest batch under a real cap, doubled until it failed, beside the one computed for the same room.",
        columns=(MACHINE, "network", "tried on", "cap", "left for the net", "computed", "found", "did not fit"),
        rows=rows,
    )


def _batch_text(n: int) -> str:
    return fmt.count(n) if n else "does not fit"


@table("mlp-surface")
def mlp_surface(scope: Scope) -> _Draft:
    """The dense net by width and batch size: both devices and the speed-up, from which the break-even line follows."""
    workload, evidence = "mlp-tabular", scope.evidence
    rows = []
    for session in scope.sessions:
        grid = _groups(_strict(scope, session, workload, mode="train"), lambda record: (
            record.cell.params.get("width", 0), record.cell.batch_size))  # fmt: skip
        for records in grid if workload in scope.workloads else ():
            cpu, gpu = ([r for r in records if r.cell.device == device] for device in DEVICES)
            best_cpu, best_gpu = _fastest(scope, cpu), _fastest(scope, gpu)
            gain = None if best_cpu is None or best_gpu is None else evidence.record_speedup(best_gpu, best_cpu)
            cell = records[0].cell
            rows.append((
                scope.machine(session),
                _text(fmt.count(int(cell.params.get("width", 0)))),
                _text(fmt.count(cell.batch_size)),
                _best_or_failed(scope, best_cpu, cpu, stats.throughput),
                _best_or_failed(scope, best_gpu, gpu, stats.throughput),
                MISSING if gain is None else _estimate(scope, gain, best_gpu, best_cpu),
            ))  # fmt: skip
    return _Draft(
        caption="Rows per second of the dense net (higher is better), by the width of its layers and the batch size.",
        columns=(MACHINE, "width", "batch size", "CPU", "GPU", "GPU over CPU"),
        rows=rows,
    )


@table("time-to-target")
def time_to_target(scope: Scope) -> _Draft:
    """Time until the quality target was met, with the share of runs that met it."""
    evidence = scope.evidence
    rows = []
    for session, workload, mode, device in _arms(scope, modes=("train",)):
        target = evidence.workloads[workload].target
        if target is None:
            continue
        for backend, record, failure in _by_backend(scope, session, workload, mode, device, by="time_to_target"):
            aim = f"{fmt.percent(target.at_least)} {target.metric}"
            start = (_text(evidence.title(workload)), _text(aim), _text(_arm_text(backend, device)))
            if record is None:
                rows.append((scope.machine(session), *start, _failed(scope, failure), NOTHING, NOTHING, NOTHING))
                continue
            time, *rest = _of_target(scope, record)
            whole = _or_missed(scope, stats.whole_time_to_target(record), record)
            rows.append((scope.machine(session), *start, time, whole, *rest))
    return _Draft(
        caption="Seconds of training until the target was met on held-out data (lower is better).",
        columns=(
            MACHINE,
            "workload",
            "target",
            "arm",
            "training",
            "from starting Python",
            "epochs",
            "runs that met it",
        ),
        rows=rows,
    )


@table("matmul-rate")
def matmul_rate(scope: Scope) -> _Draft:
    """Operations per second of a matrix product, by size and precision; one column for each backend."""
    rows = []
    workload = "matmul"
    for session in scope.sessions if workload in scope.workloads else ():
        found = scope.evidence.records(session, workload=workload)
        for records in _groups(found, lambda r: (r.cell.device, r.cell.precision, r.cell.params.get("n", 0))):
            cell = records[0].cell
            rates = []
            for backend in BACKENDS:
                same = _most_threads([record for record in records if record.cell.backend == backend])
                rate = _best_or_failed(scope, _fastest(scope, same, "flop_rate"), same, stats.flop_rate)
                rates.append(rate if backend in scope.evidence.backends(session) else NOTHING)
            rows.append((
                scope.machine(session),
                _text(fmt.device(cell.device)),
                _text(scope.evidence.precision_text(records[0])),
                _text(fmt.count(int(cell.params.get("n", 0)))),
                *rates,
                _places(scope, _backend_names(), rates),
            ))  # fmt: skip
    return _Draft(
        caption="Floating-point operations per second of the product of two n x n matrices (higher is better). "
        "Backends whose intervals overlap share a place.",
        columns=(MACHINE, "device", "precision", "n", *_backend_names(), PLACES),
        rows=rows,
    )


@table("cpu-gpu-speedup")
def cpu_gpu_speedup(scope: Scope) -> _Draft:
    """GPU against CPU of the same session, with what each side is: a speed-up has a denominator.

    First each device at its best, then the same batch on both with the GPU in each precision.
    """
    evidence = scope.evidence
    rows = []
    for session in scope.gpus_first():
        for workload in scope.workloads:
            for mode in (*MODES, "probe"):
                start = (scope.machine(session), _text(evidence.title(workload)), _text(fmt.MODE_NAMES[mode]))
                contrasts = _contrasts(evidence, session, workload, mode)
                rows += [(*start, *_sides(scope, contrast)) for contrast in contrasts]
                if not contrasts and (cpu := evidence.best(session, workload, mode, "cpu")) is not None:
                    failure = evidence.failure(session, workload, mode, "gpu")
                    speed = _estimate(scope, stats.throughput(cpu), cpu, noun=evidence.noun(workload))
                    no_gpu = MISSING if session.machine.gpus else NO_GPU
                    missing = no_gpu if failure is None else _failed(scope, failure)
                    rows.append((*start, NOTHING, _text(evidence.cpu_text(session, cpu)), speed, missing, NOTHING))
    columns = ("workload", "mode", "batch and precision", "CPU and cores", "on the CPU", "on the GPU", "GPU over CPU")
    return _Draft(
        caption="How many times faster the GPU is than the CPU of the same session (above 1x: the GPU): each at its "
        "fastest batch and usual precision, then with the same batch.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


def _contrasts(evidence: Evidence, session: SessionResults, workload: str, mode: Mode) -> list[Contrast]:
    """Ratios of the two devices: the best of each, then one for each precision of the GPU; no pair twice."""
    every = [evidence.best_contrast(session, workload, mode)] if evidence.workloads[workload].kind == "model" else []
    every += [evidence.contrast(session, workload, mode, precision=precision) for precision in PRECISIONS]
    found: dict[tuple[str, str], Contrast] = {}
    for one in filter(None, every):
        found.setdefault((one.gpu.cell.id, one.cpu.cell.id), one)
    return list(found.values())


def _sides(scope: Scope, contrast: Contrast) -> tuple[Cellv, ...]:
    """Settings, CPU, both speeds and the ratio."""
    noun = scope.evidence.noun(contrast.cpu.cell.workload)
    return (
        _text(contrast.arms),
        _text(scope.evidence.cpu_text(contrast.session, contrast.cpu)),
        *(_estimate(scope, stats.throughput(r), r, noun=noun) for r in (contrast.cpu, contrast.gpu)),
        _estimate(scope, contrast.speedup, contrast.gpu, contrast.cpu),
    )


@table("ours-and-theirs")
def ours_and_theirs(scope: Scope) -> _Draft:
    """How fast each network is beside ResNet-50 in our records; the page sets published ratios beside it."""
    rows = []
    arms = [(mode, device) for mode in dict.fromkeys(s.mode for s in beside.SOURCES) for device in DEVICES]
    for mode, device in arms:
        for network in beside.NETWORKS:
            mine = beside.ours(scope.evidence, network, mode, device) if network in scope.workloads else None
            name = scope.evidence.title(network)
            ratio = MISSING if mine is None else _estimate(scope, mine.ratio, *mine.records)
            if network in scope.workloads:
                rows.append((_text(name), _text(fmt.MODE_NAMES[mode]), _text(fmt.device(device)), ratio))
    caption = "Speed of a network over that of ResNet-50 on the same machine, fastest backend of each."
    return _Draft(caption=caption, columns=("network", "mode", "device", "times ResNet-50, ours"), rows=rows)


@table("jit-arms")
def jit_arms(scope: Scope) -> _Draft:
    """With and without a compiler, for each backend: steady speed, and what the first step costs."""
    evidence = scope.evidence
    rows = []
    for session, workload, mode, device in _arms(scope):
        for backend in BACKENDS:
            arms = evidence.candidates(session, workload, mode, device, backend=backend)
            if not arms:
                continue
            on, off = (_fastest(scope, [record for record in arms if record.cell.jit == jit]) for jit in ("on", "off"))
            gain = None if on is None or off is None else evidence.record_speedup(on, off)
            sides = []
            for jit, best in (("off", off), ("on", on)):
                same = [record for record in arms if record.cell.jit == jit]
                sides.append((best, same))
            rows.append((
                scope.machine(session),
                _text(evidence.title(workload)),
                _text(fmt.MODE_NAMES[mode]),
                _text(_arm_text(backend, device)),
                *(_best_or_failed(scope, best, same, stats.throughput) for best, same in sides),
                MISSING if gain is None else _estimate(scope, gain, on, off),
                _text("" if gain is None else ORDER_WORDS[stats.side(gain)]),
                *(NOTHING if best is None else _estimate(scope, stats.first_step(best), best) for best, _ in sides),
            ))  # fmt: skip
    return _Draft(
        caption="Steady speed without and with a compiler (jit), and what the first step takes in each case.",
        columns=(
            MACHINE, "workload", "mode", "arm", "without jit", "with jit", "with over without", "with jit it is",
            "first step without", "first step with",
        ),
        rows=rows,
    )  # fmt: skip


@table("first-step")
def first_step(scope: Scope) -> _Draft:
    """The first step beside a steady one."""
    rows = []
    for session, workload, mode, device in _arms(scope, modes=("train",)):
        for backend, record, failure in _by_backend(scope, session, workload, mode, device):
            arm = (
                _arm_text(backend, device) if record is None else f"{_arm_text(backend, device)}, jit {record.cell.jit}"
            )
            start = (scope.machine(session), _text(scope.evidence.title(workload)), _text(arm))
            if record is None:
                rows.append((*start, _failed(scope, failure), NOTHING, NOTHING))
                continue
            first, steady = stats.first_step(record), stats.step_time(record)
            steps = MISSING
            if first is not None and steady is not None:
                text = f"{fmt.number(first.value / steady.value)} steps"
                steps = Cellv(text=text, cells=scope.evidence.refs(record))
            rows.append((*start, _estimate(scope, first, record), _estimate(scope, steady, record), steps))
    return _Draft(
        caption="Seconds of the first step, which traces and compiles, and of a steady step of the same cell.",
        columns=(MACHINE, "workload", "arm", "first step", "steady step", "the first costs as much as"),
        rows=rows,
    )


@table("fairness")
def fairness(scope: Scope) -> _Draft:
    """What was equal and what was not between the arms of the leading session: one column each."""
    evidence = scope.evidence
    session = next(iter(scope.sessions), None)
    found: dict[tuple[Backend, Device], list[Record]] = {}
    for workload in scope.workloads if session else ():
        for mode in (*MODES, "probe"):
            for device in DEVICES:
                for backend in BACKENDS:
                    best = evidence.best(session, workload, mode, device, backend=backend)
                    if best is not None:
                        found.setdefault((backend, device), []).append(best)
    arms = sorted(found, key=lambda arm: (DEVICES.index(arm[1]), BACKENDS.index(arm[0])))
    rows = []
    for name, values in _FAIRNESS.items() if session else ():
        cells = [
            Cellv(text=_counted(values(session, record) for record in found[arm]), cells=evidence.refs(*found[arm]))
            for arm in arms
        ]
        if arms:
            rows.append((_text(name), *cells))
    caption = "What was set, and what really ran, in the cells that speak for each backend."
    if session:
        caption += f" {scope.machine(session).text}, {session.session.id}."
    return _Draft(caption=caption, columns=("", *(_arm_text(*arm) for arm in arms)), rows=rows)


@table("latency")
def latency(scope: Scope) -> _Draft:
    """Time of one inference step on its own, by batch size: its median and what 95 % of steps stay within."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            found = _strict(scope, session, workload, mode="infer")
            for records in _groups(found, lambda r: (*_all_but_batch(r), r.cell.batch_size)):
                best = _fastest(scope, records, "latency") or records[0]
                rows.append((
                    scope.machine(session),
                    _text(_sized(scope, best)),
                    _text(fmt.count(best.cell.batch_size)),
                    _text(_arm_text(best.cell.backend, best.cell.device)),
                    _or_failed(scope, best, stats.latency),
                    _or_failed(scope, best, stats.latency_tail),
                ))  # fmt: skip
    return _Draft(
        caption="Seconds of one inference step, synchronised before and after (lower is better).",
        columns=(MACHINE, "workload", "batch size", "arm", "median", "95 % of steps within"),
        rows=rows,
    )


@table("start-up")
def start_up(scope: Scope) -> _Draft:
    """Import and device start of each backend, over all processes of the session."""
    rows = []
    for session in scope.sessions:
        for device in DEVICES:
            for backend in BACKENDS:
                every = scope.evidence.records(session, backend=backend, device=device, status="ok")
                # Other workloads import more than the backend; the headline cells are the same for every backend.
                records = [r for r in every if is_headline(r) and r.cell.workload in scope.workloads]
                if not records:
                    continue
                both = stats.pooled_phase_time(records)
                times = [stats.pooled_phase_time(records, (phase,)) for phase in stats.START_UP_PHASES]
                rows.append((
                    scope.machine(session),
                    _text(_arm_text(backend, device)),
                    _text(session.session.versions.get(backend, "")),
                    *(_estimate(scope, time, *records) for time in (*times, both)),
                ))  # fmt: skip
    return _Draft(
        caption="Seconds until a backend is ready, over all processes that used it (lower is better).",
        columns=(MACHINE, "arm", "version", "import", "device start", "both"),
        rows=rows,
    )


@table("course-jobs")
def course_jobs(scope: Scope) -> _Draft:
    """Whole jobs on the CPU, shortest first, each with how its time was found."""
    evidence = scope.evidence
    rows = [
        (
            scope.machine(session),
            _text(job.name),
            _job_time(scope, job),
            Cellv(text=job.arithmetic or job.note, cells=evidence.refs(job.record)),
            _text(_arm_text(job.record.cell.backend, "cpu")),
            Cellv(text=_limit_text(job), cells=evidence.refs(job.record)),
        )
        for session in scope.sessions
        for job in verdicts.jobs(evidence, session)
        if job.record.cell.workload in scope.workloads
    ]
    return _Draft(
        caption="Jobs of the size that courses ask for, from starting Python to the end.",
        columns=(MACHINE, "job", "time", "how", "arm", "done within"),
        rows=rows,
    )


@table("sessions")
def sessions(scope: Scope) -> _Draft:
    """Every session: when, where, how much, with which versions."""
    rows = []
    for session in _every_session(scope):
        described, records = session.session, tuple(session.records.values())
        measured = [record for record in records if record.status == "ok"]
        others = [record for record in records if record.status != "ok"]
        rows.append((
            scope.machine(session),
            _text(described.id),
            _text(described.profile),
            _number(scope, len(measured), measured),
            _number(scope, len(others), others),
            _number(scope, sum(len(record.runs) for record in records), records),
            _text(", ".join(f"{name} {version}" for name, version in sorted(described.versions.items()))),
            _text(_commit(session)),
            _text("not published" if session.is_local else "published"),
        ))  # fmt: skip
    return _Draft(
        caption="Sessions: all cells measured on one machine in one environment on one day.",
        columns=(MACHINE, "session", "profile", "cells", "not measured", "runs", "versions", "commit", "state"),
        rows=rows,
        keeps_machine=True,
    )


@table("machines")
def machines(scope: Scope) -> _Draft:
    """Every machine: processor, cores, memory, GPUs."""
    evidence = scope.evidence
    rows = []
    for found in _groups(_every_session(scope), evidence.key):
        session = max(found, key=lambda s: s.session.started_at)
        machine, described = session.machine, session.session
        told = [record for record in session.records.values() if record.status == "ok"][:1]
        gpus = [fmt.gpu(gpu) for gpu in machine.gpus]
        rows.append((
            _text(evidence.label(session)),
            _text(machine.cpu_model),
            MISSING if machine.n_physical_cores is None else _number(scope, machine.n_physical_cores, told),
            _number(scope, machine.n_logical_cores, told),
            _number(scope, described.n_cores_effective, told),
            Cellv(text=fmt.bytes_(machine.memory_bytes), cells=scope.evidence.refs(*told)),
            _text("; ".join(gpus) or "none"),
            _text(machine.os),
            _text(fmt.count(len(found))),
        ))  # fmt: skip
    return _Draft(
        caption="Machines, as they describe themselves.",
        columns=(
            MACHINE,
            "CPU",
            "physical cores",
            "logical cores",
            "cores used",
            "memory",
            "GPU",
            "system",
            "sessions",
        ),
        rows=rows,
        keeps_machine=True,
    )


@table("failures")
def failures(scope: Scope) -> _Draft:
    """Cells without a result, and why: failing is a result, too."""
    evidence = scope.evidence
    rows = []
    for session in _every_session(scope):
        start = (scope.machine(session), _text(session.session.id))
        for record in evidence.records(session):
            if record.status != "ok" and record.cell.workload in scope.workloads:
                cells = evidence.refs(record)
                rows.append((
                    *start,
                    Cellv(text=record.cell.id, cells=cells),
                    Cellv(text=fmt.status(record.status), cells=cells),
                    _text(record.reason),
                ))  # fmt: skip
        for planned in session.session.plan:
            if planned.cell_id not in session.records and planned.cell_id.startswith(
                tuple(f"{w}-" for w in scope.workloads)
            ):
                words = "skipped" if planned.skip else fmt.NOT_MEASURED
                reason = planned.skip or "planned, but the session ended before it"
                rows.append((*start, _text(planned.cell_id), _text(words), _text(reason)))
    return _Draft(
        caption="Cells that gave no result.", columns=(MACHINE, "session", "cell", "what happened", "why"), rows=rows
    )


# Cells.


def _text(text: str) -> Cellv:
    return Cellv(text=text)


def _number(scope: Scope, value: int, records: Iterable[Record]) -> Cellv:
    """A count with the records it was counted in."""
    return Cellv(text=fmt.count(value), cells=scope.evidence.refs(*records))


def _estimate(scope: Scope, estimate: Estimate | None, *records: Record | None, noun: str = "samples") -> Cellv:
    if estimate is None:
        return MISSING
    known = [record for record in records if record is not None]
    disturbed, older = scope.evidence.disturbance(known), scope.evidence.age(known)
    note = "; ".join(filter(None, (fmt.warning(estimate), fmt.caveat(estimate), disturbed, older)))
    cells = scope.evidence.refs(*records)
    text = fmt.interval(estimate, noun)
    return Cellv(
        text=text, cells=cells, estimate=estimate, note=note, is_disturbed=bool(disturbed), is_older=bool(older)
    )


def _failed(scope: Scope, record: Record | None) -> Cellv:
    """Status and reason of a record without result; "not measured yet" when there is no record."""
    if record is None:
        return MISSING
    return Cellv(text=fmt.status(record.status, record.reason), cells=scope.evidence.refs(record))


def _or_failed(scope: Scope, record: Record, quantity: Callable[[Record], Estimate | None]) -> Cellv:
    if record.status != "ok":
        return _failed(scope, record)
    return _estimate(scope, quantity(record), record, noun=scope.evidence.noun(record.cell.workload))


def _best_or_failed(
    scope: Scope, best: Record | None, same: Sequence[Record], quantity: Callable[[Record], Estimate | None]
) -> Cellv:
    """The best record's number, else why none of its like has one."""
    shown = best or next(iter(same), None)
    return MISSING if shown is None else _or_failed(scope, shown, quantity)


def _fastest(scope: Scope, records: Sequence[Record], by: Quantity = "throughput") -> Record | None:
    """The best record that nothing disturbed; a disturbed one only where there is no other."""
    return fastest(scope.evidence.undisturbed(records), by)


def _places(scope: Scope, names: Sequence[str], cells: Sequence[Cellv]) -> Cellv:
    """Who comes first among cells of one row, in words; what overlaps shares a place (``Evidence.order``)."""
    measured: list[tuple[Record, Estimate] | None] = []
    for cell in cells:
        behind = scope.evidence.resolve(cell.cells if cell.estimate is not None else ())
        measured += [(session.records[cell_id], cell.estimate) for session, cell_id in behind] or [None]
    ranks = stats.ranks(measured, scope.evidence.order)
    found = sorted((place, i) for i, place in enumerate(ranks) if place is not None)
    if len(found) < 2:
        return NOTHING
    refs = tuple(dict.fromkeys(ref for _, i in found for ref in cells[i].cells))
    text = ", ".join(f"{place}. {names[i]}" for place, i in found)
    once = any(cells[i].estimate.n == 1 for _, i in found)
    return Cellv(text=f"{text} (by single runs)" if once else text, cells=refs)


def _rate(
    scope: Scope, session: SessionResults, workload: str, mode: Mode, device: Device, backend: Backend | None = None
) -> Cellv:
    found = scope.evidence.candidates(session, workload, mode, device, backend=backend)
    return _best_or_failed(scope, _fastest(scope, found), found, stats.throughput)


def _job_time(scope: Scope, job: verdicts.Job) -> Cellv:
    if job.time is None:
        return Cellv(text=job.note, cells=scope.evidence.refs(job.record))
    cell = _estimate(scope, job.time, job.record)
    return cell if job.is_measured else msgspec.structs.replace(cell, text=f"{cell.text}, computed")


def _limit_text(job: verdicts.Job) -> str:
    for limit_s in (verdicts.COFFEE_BREAK_S, verdicts.OVERNIGHT_S):
        if job.ends_within(limit_s):
            return fmt.seconds(limit_s)
    return "no limit we use"


def _arm_text(backend: str, device: str) -> str:
    return f"{fmt.backend(backend)}, {fmt.device(device)}"


def _sized(scope: Scope, record: Record) -> str:
    """A workload's title, with the parameters that tell this size from its others."""
    title, own = scope.evidence.title(record.cell.workload), fmt.params(scope.evidence.distinct_params(record))
    return f"{title} ({own})" if own else title


def _backend_names() -> tuple[str, ...]:
    return tuple(fmt.backend(backend) for backend in BACKENDS)


# Rows.


def _arms(
    scope: Scope, *, sessions: int | None = None, modes: Sequence[Mode] = MODES
) -> Iterator[tuple[SessionResults, str, Mode, Device]]:
    """Session, workload, mode and device of every headline variant that has a record.

    Of the leading session also what it could have measured on the CPU and has not, so that a gap is seen.
    """
    evidence = scope.evidence
    for session in scope.sessions[:sessions]:
        for workload in scope.models():
            variants = [v for group in evidence.workloads[workload].variants.values() for v in group]
            expected = {v.mode for v in variants if v.headline} if session is evidence.lead else set()
            for mode in modes:
                for device in DEVICES:
                    if evidence.candidates(session, workload, mode, device) or (device == "cpu" and mode in expected):
                        yield session, workload, mode, device


def _by_backend(
    scope: Scope, session: SessionResults, workload: str, mode: Mode, device: Device, by: Quantity = "throughput"
) -> Iterator[tuple[Backend, Record | None, Record | None]]:
    """Each backend that has a record, with its best record, or else the one that says why there is none.

    When no backend has any, the first that the session ran stands for them, with neither.
    """
    if not scope.evidence.candidates(session, workload, mode, device):
        yield scope.evidence.backends(session)[0], None, None
    for backend in BACKENDS:
        found = scope.evidence.candidates(session, workload, mode, device, backend=backend)
        if found:
            measured = [record for record in found if record.status == "ok"]
            best = _fastest(scope, measured, by) or _fastest(scope, measured)
            yield backend, best, None if best else found[0]


def _strict(scope: Scope, session: SessionResults, workload: str, **fields: Any) -> list[Record]:
    """Float32 records of a workload, on each device those with most threads."""
    found = scope.evidence.records(session, workload=workload, precision="float32-strict", **fields)
    return [r for device in DEVICES for r in _most_threads([r for r in found if r.cell.device == device])]


def _most_threads(records: Sequence[Record]) -> list[Record]:
    n_threads = max((record.cell.threads for record in records), default=0)
    return [record for record in records if record.cell.threads == n_threads]


def _best_by_batch(scope: Scope, records: Iterable[Record]) -> Iterator[Record]:
    """The best record of each batch size, where cells that differ in nothing else were measured at several."""
    for alike in _groups(records, _all_but_batch):
        batches = sorted({record.cell.batch_size for record in alike})
        for batch in batches if len(batches) > 1 else ():
            same = [record for record in alike if record.cell.batch_size == batch]
            yield _fastest(scope, same) or same[0]


def _all_but_batch(record: Record) -> tuple[Any, ...]:
    cell = record.cell
    params = tuple((name, str(value)) for name, value in sorted(cell.params.items()))
    return (cell.mode, params, DEVICES.index(cell.device), BACKENDS.index(cell.backend))


def _all_but_precision(record: Record) -> tuple[Any, ...]:
    cell = record.cell
    return (*_all_but_batch(record), cell.batch_size, cell.n_samples, cell.threads, cell.jit)


def _groups(items: Iterable[Any], key: Callable[[Any], Any]) -> list[list[Any]]:
    """Items with equal keys together, in order of the keys."""
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return [found[name] for name in sorted(found)]


def _every_session(scope: Scope) -> tuple[SessionResults, ...]:
    """All sessions, the leading one first, unless the table is about one."""
    if scope.sessions != scope.evidence.shown:
        return scope.sessions
    lead = scope.evidence.lead
    return tuple(sorted(scope.evidence.sessions, key=lambda s: s is not lead))


# Fairness: name of the row, and its value for a record.


def _runs(record: Record) -> list[Run]:
    return [run for run in record.runs if run.status == "ok"]


def _seen(record: Record, field: str) -> str:
    return _distinct(getattr(run.observed, field) for run in _runs(record) if run.observed is not None)


def _distinct(values: Iterable[Any]) -> str:
    words = {None: "not told", True: "on", False: "off"}
    shown = [words[v] if v is None or isinstance(v, bool) else str(v) for v in values]
    return ", ".join(dict.fromkeys(shown))


def _runtimes(record: Record) -> str:
    """OpenMP libraries in the process; two of them keep two pools of threads, which fight for the cores."""
    seen = [run.observed.openmp for run in _runs(record) if run.observed is not None]
    return _distinct(None if names is None else ", ".join(names) or "none seen" for names in seen)


def _counted(values: Iterable[str]) -> str:
    """Distinct values; with how many cells have each, when they differ."""
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    if len(found) == 1:
        return next(iter(found))
    shares = {text: float(text.removesuffix(" %")) for text in found if re.fullmatch(r"[\d.]+ %", text)}
    if len(shares) == len(found):
        n = sum(found.values())
        return f"{min(shares, key=shares.get)} to {max(shares, key=shares.get)} ({fmt.count(n)} cells)"
    return "; ".join(f"{value} ({fmt.count(n)} {'cell' if n == 1 else 'cells'})" for value, n in sorted(found.items()))


def _state(record: Record, text: Callable[[Conditions], str | None]) -> str:
    """Lowest and highest of a condition before and after the runs."""
    seen = [text(state) for run in _runs(record) for state in (run.before, run.after) if state is not None]
    told = [value for value in seen if value is not None]
    return ", ".join(dict.fromkeys((min(told), max(told)))) if told else "not told"


def _clock(record: Record) -> str:
    on_gpu = record.cell.device == "gpu"

    def text(state: Conditions) -> str | None:
        value = state.gpu_clock_hz if on_gpu else state.cpu_clock_hz
        return None if value is None else fmt.hertz(value)

    return _state(record, text)


def _temperature(record: Record) -> str:
    on_gpu = record.cell.device == "gpu"

    def text(state: Conditions) -> str | None:
        value = state.gpu_temperature_c if on_gpu else state.cpu_temperature_c
        return None if value is None else fmt.celsius(value)

    return _state(record, text)


def _warm_up(record: Record) -> str:
    met = sum(run.steady is True for run in _runs(record))
    return f"criterion met in {met} of {len(_runs(record))} runs"


def _spread(record: Record) -> str:
    estimate = stats.throughput(record)
    return fmt.NOT_MEASURED if estimate is None else fmt.percent(round(estimate.spread_frac, 2))


def _control(record: Record) -> str:
    drift = stats.control_spread_frac(record)
    return fmt.NOT_MEASURED if drift is None else fmt.percent(round(drift, 2))


def _commit(session: SessionResults) -> str:
    described = session.session
    if described.commit is None:
        return "not told"
    return described.commit[:12] + (", with local changes" if described.dirty else "")


def _quota(session: SessionResults) -> str:
    quota = session.session.cgroup_quota_cores
    return "none" if quota is None else fmt.number(quota)


_FAIRNESS: dict[str, Callable[[SessionResults, Record], str]] = {
    "backend version": lambda s, r: s.session.versions.get(r.cell.backend, "not told"),
    "Keras version": lambda s, r: s.session.versions.get("keras", "not told"),
    "device observed": lambda s, r: _seen(r, "device_name"),
    "precision asked": lambda s, r: r.cell.precision,
    "dtype of weights": lambda s, r: _seen(r, "weight_dtype"),
    "dtype of outputs": lambda s, r: _seen(r, "output_dtype"),
    "TF32": lambda s, r: "does not apply" if r.cell.device == "cpu" else _seen(r, "tf32"),
    "jit asked": lambda s, r: r.cell.jit,
    "jit resolved": lambda s, r: _seen(r, "jit"),
    "layout": lambda s, r: _seen(r, "layout"),
    "autotune": lambda s, r: _seen(r, "autotune"),
    "recurrent path": lambda s, r: _seen(r, "recurrent_path"),
    "threads asked": lambda s, r: fmt.count(r.cell.threads),
    "threads observed": lambda s, r: _seen(r, "n_threads"),
    "OpenMP runtimes": lambda s, r: _runtimes(r),
    "cores visible": lambda s, r: fmt.count(s.session.n_cores_visible),
    "cores by affinity": lambda s, r: _seen(r, "n_cores_affinity"),
    "physical cores of these": lambda s, r: _seen(r, "n_physical_cores"),
    "cores by quota": lambda s, r: _quota(s),
    "data feed": lambda s, r: _seen(r, "data_feed"),
    "caches": lambda s, r: _seen(r, "caches"),
    "batch size": lambda s, r: fmt.count(r.cell.batch_size),
    "runs": lambda s, r: fmt.count(len(_runs(r))),
    "warm-up": lambda s, r: _warm_up(r),
    "runs differ by": lambda s, r: _spread(r),
    "control kernel differs by": lambda s, r: _control(r),
    "clock": lambda s, r: _clock(r),
    "temperature": lambda s, r: _temperature(r),
    "commit": lambda s, r: r.commit[:12] if r.commit else _commit(s),
    "date": lambda s, r: fmt.date(s.session.started_at),
}
