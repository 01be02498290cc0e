"""From evidence to marks: which cell speaks for an arm, and the row that is drawn for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.report.charts.chart import EVERY, Other, Scope
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.schema import DEVICES, Record


def published(label: str, number: int, other: Other) -> dict[str, Any]:
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


def models(scope: Scope) -> list[str]:
    """Ids of the workloads that the chart shows."""
    if scope.workload:
        return [scope.workload]
    return [id_ for id_, spec in scope.evidence.workloads.items() if spec.kind == "model"]


def arms(scope: Scope) -> list[tuple[str, str]]:
    """Device and backend of every arm of the session."""
    return [(device, backend) for device in scope.devices() for backend in scope.backends()]


def best_record(scope: Scope, workload: str, mode: str, device: str, backend: str) -> Record | None:
    """The cell of the drawn session that speaks for an arm; None without one, or without a session."""
    if scope.session is None:
        return None
    return scope.evidence.view(scope.session).best(Pick(workload, mode, device, backend=backend))


def headline(scope: Scope, workload: str, device: str, backend: str) -> dict[str, Any] | None:
    """The row of the arm's best headline cell; else one that says why there is none."""
    best = best_record(scope, workload, "train", device, backend)
    rows = scope.rows(workload=workload, mode="train", device=device, backend=backend)
    if best is not None:
        return next((row for row in rows if row["cell_id"] == best.cell.id), None)
    rows.sort(key=lambda row: not row["headline"])
    return next((row for row in rows if row["status"] != "ok"), None)


def strict_rows(scope: Scope, workload: str, mode: str) -> list[dict[str, Any]]:
    """Rows in strict float32, on each device those with most threads: the other arms have charts of their own."""
    return _most_threads(scope.rows(workload=workload, mode=mode, precision="float32-strict"))


def _most_threads(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = {device: max((row["threads"] for row in rows if row["device"] == device), default=0) for device in DEVICES}
    return [row for row in rows if row["threads"] == most[row["device"]]]


def collapsed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Marks with one note, of no arm by name, in the place of several equal ones where no arm of a row has a value."""
    kept = []
    for label in dict.fromkeys(mark["row"] for mark in found):
        marks = [mark for mark in found if mark["row"] == label]
        nothing = all(mark["value"] is None for mark in marks) and len({mark["note"] for mark in marks}) == 1
        kept += [marks[0] | {"series": EVERY}] if nothing else marks
    return kept


def mark_row(
    scope: Scope, row: dict[str, Any] | None, workload: str, device: str, backend: str, column: str
) -> dict[str, Any]:
    """The mark of an arm: its value with interval, or a note where there is none."""
    label, series = scope.title_of(workload), axes.series(device, backend)
    value = None if row is None else row.get(column)
    if row is None or value is None:
        return absent(label, series, why(row))
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


def estimated(label: str, series: str, estimate: Any) -> dict[str, Any]:
    """The mark of an estimate."""
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


def absent(label: str, series: str, note: str) -> dict[str, Any]:
    """The mark of an arm without a value."""
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


def why(row: Mapping[str, Any] | None) -> str:
    """Why a cell has no value, in words."""
    if row is None or row["status"] == "ok":
        return NOT_MEASURED
    reason = " ".join((row["reason"] or "").split())
    return f"{row['status'].replace('_', ' ')}: {reason}" if reason else row["status"].replace("_", " ")


def most_batches(scope: Scope) -> str:
    """The workload measured at most batch sizes with everything else as in its headline."""
    counts = {
        workload: len(
            {
                r["batch_size"]
                for r in scope.rows(workload=workload, mode="train")
                if r["params"] == main_params(scope, workload)
            }
        )
        for workload in models(scope)
    }
    return max(counts, key=lambda workload: counts[workload], default="")


def main_params(scope: Scope, workload: str) -> str:
    """Parameters of the workload's headline network, as JSON text."""
    rows = scope.rows(workload=workload, mode="train")
    return next((row["params"] for row in rows if row["headline"]), rows[0]["params"] if rows else "{}")


def curve_rows(scope: Scope, rows: Iterable[dict[str, Any]], x: str, column: str) -> list[dict[str, Any]]:
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
            mark = mark_row(scope, row, row["workload"], device, backend, column)
            found.append(mark | {"x": size, "line": f"{mark['series']} {label}", "label": label})
    return found


# Formats of a GPU that are faster than strict float32, and their names beside their marks.
FASTER_FORMATS = {name: fmt.PRECISION_NAMES[name] for name in ("tf32", "mixed_bfloat16")}


def missing_arms(scope: Scope, found: Sequence[dict[str, Any]]) -> list[str]:
    """Notes on the arms that no row shows."""
    drawn = {row["series"] for row in found if row["value"] is not None}
    notes = [f"{axes.series(d, b)}: {NOT_MEASURED}" for d, b in arms(scope) if axes.series(d, b) not in drawn]
    return notes if scope.has_gpu() else [*notes, f"GPU: {scope.without_gpu()}"]


def fastest(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the highest rate."""
    return max(rows, key=lambda row: row["samples_per_s"] or 0.0)


# Words.


def fmt_rate(value: float) -> str:
    """Samples per second in words."""
    return f"{fmt.count(value) if value >= 1000 else f'{value:.3g}'} per second"


def in_words(what: str, rows: Sequence[dict[str, Any]], spell: Callable[[float], str]) -> str:
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
