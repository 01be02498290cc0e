"""One row per session and cell, as a table for readers who compute on. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.report.evidence import cells
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.schema import PHASES, Record

if TYPE_CHECKING:
    import polars as pl

    from bench.report.evidence.evidence import Evidence
    from bench.report.evidence.view import View

ESTIMATES: dict[str, Callable[[Record], Estimate | None]] = {
    "samples_per_s": quantities.throughput,
    "step_s": quantities.step_time,
    "latency_s": quantities.latency,
    "first_step_s": quantities.first_step,
    "start_up_s": quantities.start_up,
    "job_s": quantities.job_time,
    "time_to_target_s": quantities.time_to_target,
    "flop_per_s": quantities.flop_rate,
    "peak_host_bytes": quantities.peak_host_bytes,
    "peak_device_bytes": quantities.peak_device_bytes,
    "reached_frac": quantities.reached_frac,
    **{f"{phase}_s": partial(quantities.phase_time, phase=phase) for phase in PHASES if phase != "first_step"},
}


def frame(evidence: Evidence) -> pl.DataFrame:
    """The table, derived columns included; null where not measured, never 0 or infinite."""
    import polars as pl

    views = map(evidence.view, evidence.sessions)
    rows = [_row(evidence, view, record) for view in views for record in view.described.records.values()]
    return pl.DataFrame(rows, schema={name: getattr(pl, type_) for name, type_ in FRAME_COLUMNS.items()})


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
        "cell_id": cell.id,
        "n_params": quantities.n_params(record),
        "n_runs": throughput.n if throughput else 0,
        "spread_frac": _finite(throughput.spread_frac) if throughput else None,
    }
    for name, make in ESTIMATES.items():
        row |= _columns(name, make(record))
    return row


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: _finite(estimate.value), f"{name}_low": _finite(estimate.low), f"{name}_high": _finite(estimate.high)}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# Column and polars type of Evidence.frame; each estimate also has its "_low" and "_high".
FRAME_COLUMNS: dict[str, str] = {
    **dict.fromkeys(("machine_id", "machine", "machine_label", "cpu", "gpu", "session_id", "profile"), "String"),
    **dict.fromkeys(("is_local", "is_lead"), "Boolean"),
    **dict.fromkeys(("workload", "title", "sample_noun", "kind", "mode", "backend", "device"), "String"),
    **dict.fromkeys(("precision", "jit"), "String"),
    **dict.fromkeys(("batch_size", "n_samples", "threads"), "Int64"),
    **dict.fromkeys(("params", "params_text", "status", "reason"), "String"),
    "headline": "Boolean",
    "cell_id": "String",
    **dict.fromkeys(("n_params", "n_runs"), "Int64"),
    "spread_frac": "Float64",
    **{f"{name}{end}": "Float64" for name in ESTIMATES for end in ("", "_low", "_high")},
}
