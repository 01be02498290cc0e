"""Tables for readers who compute on: a row for each session and cell, and for each series or reading. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.report.evidence import cells
from bench.report.stats import format as fmt
from bench.report.stats import quantities, studies
from bench.report.stats.estimate import Estimate
from bench.schema import PHASES, Reading, Record, Series

if TYPE_CHECKING:
    import polars as pl

    from bench.report.evidence.evidence import Evidence
    from bench.report.evidence.view import View


class Column(NamedTuple):
    """A column of a table to compute on: polars type, what it means, and the unit of a number."""

    type: str
    meaning: str
    unit: str = ""


class Measure(NamedTuple):
    """An estimate of every record, as three columns: the value and the ends of its interval."""

    make: Callable[[Record], Estimate | None]
    unit: str
    meaning: str


ESTIMATES: dict[str, Measure] = {
    "samples_per_s": Measure(quantities.throughput, "1/s", "samples a second in steady steps"),
    "step_s": Measure(quantities.step_time, "s", "a steady step"),
    "latency_s": Measure(quantities.latency, "s", "a single step that is waited for"),
    "first_step_s": Measure(quantities.first_step, "s", "the first step: tracing, compilation, tuning and the step"),
    "start_up_s": Measure(quantities.start_up, "s", "from starting Python until the backend has its device"),
    "job_s": Measure(quantities.job_time, "s", "a whole training, from the call of fit to the end of its last epoch"),
    "time_to_target_s": Measure(quantities.time_to_target, "s", "from the call of fit until the target is met"),
    "flop_per_s": Measure(quantities.flop_rate, "FLOP/s", "operations a second, counted by formula; of probes"),
    "peak_host_bytes": Measure(quantities.peak_host_bytes, "B", "most memory that a process held"),
    "peak_device_bytes": Measure(quantities.peak_device_bytes, "B", "most memory that the backend held on the GPU"),
    "energy_j": Measure(quantities.energy, "J", "of the processors or the GPU in the steady phase"),
    "reached_frac": Measure(quantities.reached_frac, "share of 1", "runs that met the target"),
    **{
        f"{phase}_s": Measure(partial(quantities.phase_time, phase=phase), "s", f"phase of the process: {phase}")
        for phase in PHASES
        if phase != "first_step"
    },
}


def records(evidence: Evidence) -> pl.DataFrame:
    """Every cell, derived columns included; null where not measured, never 0 or infinite."""
    views = map(evidence.view, evidence.listed)
    rows = [_row(evidence, view, record) for view in views for record in view.described.records.values()]
    return table(FRAME_COLUMNS, rows)


def studied(evidence: Evidence) -> pl.DataFrame:
    """Every series that a study timed, and every reading that it took."""
    views = map(evidence.view, evidence.listed)
    found = (line for view in views for record in view.described.records.values() for line in _studied(view, record))
    return table(STUDY_COLUMNS, found)


def table(columns: Mapping[str, Column], rows: Iterable[Any]) -> pl.DataFrame:
    """A table of rows: sequences in the order of its columns, or dicts."""
    import polars as pl

    schema = {name: getattr(pl, column.type) for name, column in columns.items()}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def _studied(view: View, record: Record) -> Iterator[tuple[Any, ...]]:
    cell = record.cell
    of_cell = (view.key, view.described.session.id, cell.workload, cell.backend, cell.device, cell.id)
    found: list[tuple[str, Series | Reading, Estimate | None]]
    found = [("series", item, studies.call_time(record, item.id)) for item in studies.series_of(record)]
    found += [("reading", item, studies.reading(record, item.id)) for item in studies.readings_of(record)]
    for kind, item, one in found:
        if one is not None:
            yield *of_cell, kind, item.id, item.label, one.value, one.low, one.high, one.n, one.unit


def _row(evidence: Evidence, view: View, record: Record) -> dict[str, Any]:
    cell, session = record.cell, view.described
    throughput = quantities.throughput(record)
    row: dict[str, Any] = {
        "machine_id": session.machine.id,
        "machine": view.key,
        "machine_label": view.label,
        "cpu": view.cpu_text(record),
        "gpu": view.gpu_text(),
        "session_id": session.session.id,
        "profile": record.profile,
        "is_local": session.is_local,
        "standing": "" if session.is_local else session.standing.kind,
        "is_lead": session is evidence.lead,
        "workload": cell.workload,
        "title": evidence.title(cell.workload),
        "sample_noun": evidence.noun(cell.workload),
        "kind": record.spec.kind,
        "mode": cell.mode,
        "backend": cell.backend,
        "device": cell.device,
        "precision": cell.precision,
        "jit": cell.jit,
        "batch_size": cell.batch_size,
        "n_samples": cell.n_samples,
        "threads": cell.threads,
        "params": json.dumps(dict(cell.params), sort_keys=True),
        "params_text": fmt.params(cell.params),
        "status": record.status,
        "reason": record.reason,
        "headline": cells.is_headline(record),
        "disturbed_by": "; ".join(evidence.flags(record)) if record.status == "ok" else "",
        "started_at": session.session.started_at,
        "method_version": record.method_version,
        "source_hash": record.source_hash,
        "commit": record.commit or session.session.commit,
        "cell_id": cell.id,
        "n_params": quantities.n_params(record),
        "n_runs": throughput.n if throughput else 0,
        "spread_frac": _finite(throughput.spread_frac) if throughput else None,
    }
    for name, measure in ESTIMATES.items():
        row |= _columns(name, measure.make(record))
    return row


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: _finite(estimate.value), f"{name}_low": _finite(estimate.low), f"{name}_high": _finite(estimate.high)}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


FRAME_COLUMNS: dict[str, Column] = {
    "machine_id": Column("String", "id of the machine"),
    "machine": Column("String", "the same in addresses: local- stands before one that is not published"),
    "machine_label": Column("String", "the same in words"),
    "cpu": Column("String", "processor, and the cores that the cell used"),
    "gpu": Column("String", "graphics processors of the machine; empty without one"),
    "session_id": Column("String", "id of the session: its day"),
    "profile": Column("String", "smoke, quick or reference: how long it measured"),
    "is_local": Column("Boolean", "whether the session is the reader's own and not published"),
    "standing": Column("String", "of a published session: reference, community, unverified or superseded"),
    "is_lead": Column("Boolean", "whether pages take their numbers from this session first"),
    "workload": Column("String", "id of the workload"),
    "title": Column("String", "name of the workload"),
    "sample_noun": Column("String", "what its samples are: images, rows, sequences"),
    "kind": Column("String", "model, probe or study"),
    "mode": Column("String", "train, infer, probe or study"),
    "backend": Column("String", "backend of Keras"),
    "device": Column("String", "cpu or gpu"),
    "precision": Column("String", "precision of the arithmetic"),
    "jit": Column("String", "compilation by XLA: on or off"),
    "batch_size": Column("Int64", "samples of a step", "count"),
    "n_samples": Column("Int64", "rows of the data", "count"),
    "threads": Column("Int64", "cores that the process may use", "cores"),
    "params": Column("String", "what else tells the cell from others of its workload, as JSON"),
    "params_text": Column("String", "the same in words"),
    "status": Column("String", "ok, skipped, failed, timeout or out_of_memory"),
    "reason": Column("String", "why it is not ok"),
    "headline": Column("Boolean", "whether it is of the size that pages show first"),
    "disturbed_by": Column("String", "what else the machine did meanwhile; empty where nothing was seen"),
    "started_at": Column("String", "when the session began, UTC"),
    "method_version": Column("Int64", "of how its mode is measured; only equal ones compare", "version"),
    "source_hash": Column("String", "fingerprint of the workload's code; only equal ones compare"),
    "commit": Column("String", "of the benchmarks' code"),
    "cell_id": Column("String", "id of the cell, and name of its record"),
    "n_params": Column("Int64", "weights of the model", "count"),
    "n_runs": Column("Int64", "processes that finished", "count"),
    "spread_frac": Column("Float64", "distance of the fastest from the slowest process", "share of the value"),
    **{
        f"{name}{end}": Column("Float64", f"{measure.meaning}{words}", measure.unit)
        for name, measure in ESTIMATES.items()
        for end, words in (("", ""), ("_low", ": lower end of its 95 % interval"), ("_high", ": upper end"))
    },
}
STUDY_COLUMNS: dict[str, Column] = {
    **{name: FRAME_COLUMNS[name] for name in ("machine", "session_id", "workload", "backend", "device", "cell_id")},
    "kind": Column("String", "series, of which a call is timed, or reading, of which a run has one value"),
    "id": Column("String", "id of the series or reading"),
    "label": Column("String", "the same in words"),
    "value": Column("Float64", "median over processes", "see column unit"),
    "low": Column("Float64", "lower end of its 95 % interval", "see column unit"),
    "high": Column("Float64", "upper end", "see column unit"),
    "n_runs": Column("Int64", "processes that have it", "count"),
    "unit": Column("String", "unit of the three"),
}
