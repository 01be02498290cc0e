"""Marks: what is drawn for a row, one dict each. One without a value carries a note, drawn in the mark's place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from bench.report.charts.chart import Other, Scope
from bench.report.charts.paint import axes
from bench.report.estimates import formula
from bench.report.evidence.cells import CellRef, is_headline
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import Backend, Device, Precision, Record, Scalar

Mark = dict[str, Any]
T = TypeVar("T")


# Which arms and workloads a chart shows.


def models(scope: Scope) -> list[str]:
    """Ids of the workloads that the chart shows."""
    if scope.workload:
        return [scope.workload]
    return [id_ for id_, spec in scope.evidence.workloads.items() if spec.kind == "model"]


def arms(scope: Scope) -> list[tuple[Device, Backend]]:
    """Device and backend of every arm of the session."""
    return [(device, backend) for device in scope.devices() for backend in scope.backends()]


def every_arm(
    scope: Scope, known: Mapping[tuple[str, Device, Backend], T]
) -> Iterator[tuple[Backend, str, str, T | None]]:
    """Every arm of every workload: its backend, the names of its row and of its series, and what is known of it."""
    for workload in models(scope):
        for device, backend in arms(scope):
            yield (
                backend,
                scope.title_of(workload),
                axes.series(device, backend),
                known.get((workload, device, backend)),
            )


def main_params(scope: Scope, workload: str) -> Mapping[str, Scalar]:
    """Parameters of the workload's headline network."""
    trained = scope.evidence.view(scope.session).records(Pick(workload, "train"))
    records = [record for record in trained if is_headline(record)] or trained
    return records[0].cell.params if records else {}


def most_batches(scope: Scope) -> str:
    """The workload measured at most batch sizes with everything else as in its headline."""
    counts = {}
    for workload in models(scope):
        main = main_params(scope, workload)
        records = scope.evidence.view(scope.session).records(Pick(workload, "train"))
        counts[workload] = len({r.cell.batch_size for r in records if dict(r.cell.params) == dict(main)})
    return max(counts, key=lambda workload: counts[workload], default="")


# Marks.


def absent(label: str, series: str, note: str) -> Mark:
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
        "cells": (),
    }


def estimated(scope: Scope, label: str, series: str, estimate: Estimate, *records: Record) -> Mark:
    """The mark of an estimate that rests on these records."""
    return absent(label, series, "") | {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high if math.isfinite(estimate.high) else None,
        "note": None,
        "cells": scope.evidence.refs(*records),
    }


def quantity(
    scope: Scope, label: str, series: str, record: Record | None, make: Callable[[Record], Estimate | None]
) -> Mark:
    """The mark of a record's quantity, or why it has none."""
    estimate = None if record is None or record.status != "ok" else make(record)
    if record is None or estimate is None:
        return absent(label, series, why(record))
    return estimated(scope, label, series, estimate, record)


def guessed(label: str, slot: str, estimate: Estimate, text: str, cells: tuple[CellRef, ...] = ()) -> Mark:
    """The mark of a range that the formula gives, with the cells of ours that went into it."""
    mark = absent(label, axes.ESTIMATED, "") | {"kind": "estimated", "slot": slot, "label": text, "cells": cells}
    return mark | {"value": estimate.value, "low": estimate.low, "high": estimate.high, "note": None}


def times_step(answer: formula.Estimate, n_steps: float = 1.0) -> Estimate:
    """Seconds of so many steps of an estimate that was not refused."""
    value, low, high = (seconds * n_steps for seconds in (answer.seconds, answer.low, answer.high))
    return Estimate(value=value, low=low, high=high, n=0, n_samples=0, unit="s", spread_frac=0.0)


def published(label: str, number: int, other: Other) -> Mark:
    """A published value in its row, below ours."""
    mark = absent(label, axes.PUBLISHED, "") | {"kind": "published"}
    return mark | {"slot": str(number), "value": other.value, "note": None, "label": other.label}


def drawn(found: list[Mark], *, rising: bool = False) -> list[Mark]:
    """The marks of the rows that have something, those with the highest value first, or the lowest if ``rising``.

    A failure stands in the place of its mark; what nobody measured yet is left out. Where that leaves nothing, one
    mark says so.
    """
    kept = [mark for mark in found if mark["value"] is not None or mark["note"] != fmt.NOT_MEASURED]
    best: dict[str, float] = {}
    for mark in kept:
        if mark["value"] is not None and mark.get("kind") != "published":
            value = mark["value"] if rising else -mark["value"]
            best[mark["row"]] = min(best.get(mark["row"], math.inf), value)
    kept.sort(key=lambda mark: best.get(mark["row"], math.inf))
    return kept or [mark | {"series": axes.EVERY} for mark in found[:1]]


def of_all(n: int, total: int) -> str:
    """How many of all: "none of the 9", "6 of 9", "all 9"."""
    return f"all {total}" if n == total > 1 else f"{n} of {total}" if n else f"none of the {total}"


def why(record: Record | None) -> str:
    """Why a cell has no value, in words."""
    if record is None or record.status == "ok":
        return fmt.NOT_MEASURED
    return fmt.status(record.status, " ".join(record.reason.split()))


# Formats of a GPU that are faster than strict float32, and their names beside their marks.
FASTER_FORMATS: dict[Precision, str] = {name: fmt.PRECISION_NAMES[name] for name in ("tf32", "mixed_bfloat16")}


def is_drawn(record: Record) -> bool:
    """Whether a curve shows a record's precision: strict float32, and of a GPU also the faster formats."""
    cell = record.cell
    return cell.precision == "float32-strict" or (
        cell.device == "gpu" and cell.precision in FASTER_FORMATS and record.status == "ok"
    )


def curve(
    scope: Scope, records: Sequence[Record], x: Callable[[Record], int], make: Callable[[Record], Estimate | None]
) -> list[Mark]:
    """A mark of each record of ``is_drawn`` at its x, with a note where it did not finish.

    Of the faster formats only the backend that is fastest at its largest x, with the format's name as label.
    """

    def place(record: Record) -> tuple[int, float]:
        estimate = make(record) if record.status == "ok" else None
        return x(record), 0.0 if estimate is None else estimate.value

    leading = {record.cell.precision: record.cell.backend for record in sorted(records, key=place)}
    found = []
    for record in sorted(records, key=lambda r: (r.cell.device, _format(r), r.cell.backend, x(r))):
        cell, label = record.cell, _format(record)
        if not label or cell.backend == leading[cell.precision]:
            series = axes.series(cell.device, cell.backend)
            mark = quantity(scope, scope.title_of(cell.workload), series, record, make)
            found.append(mark | {"x": x(record), "line": f"{series} {label}", "label": label})
    return found


def _format(record: Record) -> str:
    return FASTER_FORMATS.get(record.cell.precision, "")


# Words.

UNITS = ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def spoken(seconds: float) -> str:
    """A time in two digits and one unit."""
    size, unit = next((pair for pair in UNITS if seconds >= (2 if pair[0] > 1 else 0.1) * pair[0]), UNITS[-1])
    return f"{fmt.number(seconds / size, 2)} {unit}"


def fmt_rate(value: float) -> str:
    """Samples per second in words."""
    return f"{fmt.count(value) if value >= 1000 else f'{value:.3g}'} per second"


def in_words(what: str, rows: Sequence[Mark], spell: Callable[[float], str]) -> str:
    """One sentence on the range, one on what is missing."""
    drawn = [row for row in rows if row["value"] is not None]
    missing = sum(1 for row in rows if row["value"] is None)
    if not drawn:
        return f"{what}: {fmt.NOT_MEASURED}."
    low, high = min(drawn, key=lambda r: r["value"]), max(drawn, key=lambda r: r["value"])
    text = f"{what}: from {spell(low['value'])} ({_which(low)}) to {spell(high['value'])} ({_which(high)})."
    return f"{text} {missing} of {len(rows)} results are missing." if missing else text


def _which(row: Mark) -> str:
    if "width" in row:
        return f"width {row['width']}, batch {row['batch']}"
    if "x" in row:
        return f"{row['series']}, {row['label']}{', ' if row['label'] else ''}at {row['x']}"
    return f"{row['row']}, {row['series']}"
