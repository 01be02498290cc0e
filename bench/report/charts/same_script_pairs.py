"""Chart and table: the same training on a CPU and on a GPU, published and ours, by what a step takes the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, scatter
from bench.report.charts.paint.axes import COLOURS, ESTIMATED, MEASURED, Layers
from bench.report.estimates import bands, pairs, words
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.tables import cells, table
from bench.report.tables.table import Cellv, Draft, TableScope
from bench.schema import Record

# Series of the published pairs by the family of their network, each with its shape.
FAMILIES = {
    "mlp": ("published: dense", "circle"),
    "cnn": ("published: convolutional", "square"),
    "transformer": ("published: transformer", "triangle-up"),
}
TICKS_X = {0.1: "0.1x", 0.3: "0.3x", 1.0: "1x", 3.0: "3x", 10.0: "10x", 30.0: "30x", 100.0: "100x"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A network's training step on both devices: seconds on the CPU, and how many times as fast the GPU is."""

    series: str
    network: str
    batch: float
    cpu: str
    card: str
    cpu_time: estimate.Estimate
    speedup: estimate.Estimate
    source: str = ""  # of a published pair
    records: tuple[Record, ...] = ()


def _rows(scope: TableScope) -> Iterator[Row]:
    """The published pairs, ours, and our CPU's beside an estimated card where no GPU of ours did the same."""
    for pair in pairs.pairs():
        yield Row(
            series=FAMILIES.get(pair.network.family, ("published: other", ""))[0],
            network=pair.network.said,
            batch=pair.batch,
            cpu=pair.cpu,
            card=pair.card,
            cpu_time=estimate.single(pair.cpu_seconds, "s", 1),
            speedup=estimate.single(pair.speedup, "ratio", 1),
            source=pair.source.id,
        )
    for workload in scope.models():
        yield from _ours(scope, workload)


def _ours(scope: TableScope, workload: str) -> list[Row]:
    found = []
    for session in scope.gpus_first():
        view = scope.evidence.view(session)
        both = view.contrast(Pick(workload, "train", precision="float32-strict"))
        step = None if both is None else quantities.step_time(both.cpu)
        if both is not None and step is not None:
            found.append(
                Row(series=MEASURED["gpu"], network=scope.evidence.title(workload), batch=both.cpu.cell.batch_size,
                    cpu=view.cpu_text(both.cpu), card=view.gpu_text(), cpu_time=step, speedup=both.speedup,
                    records=(both.gpu, both.cpu))
            )  # fmt: skip
    for session in () if found else scope.leading:
        guess = estimated.pair(scope.evidence, workload, least_batch=0, only=session)
        step = None if guess is None else quantities.step_time(guess.record)
        if guess is not None and step is not None:
            found.append(
                Row(series=ESTIMATED, network=scope.evidence.title(workload), batch=guess.record.cell.batch_size,
                    cpu=scope.evidence.view(session).cpu_text(guess.record), card=estimated.CARD, cpu_time=step,
                    speedup=guess.speedup, records=(guess.record,))
            )  # fmt: skip
    return found


@table.table("same-script-pairs")
def same_script_pairs_table(scope: TableScope) -> Draft:
    """Every published training on both devices and ours, by what a step takes the CPU."""
    rows = [
        (
            cells.text(f"{row.network.replace('*', '×')}, batch {row.batch:g}"),
            Cellv(text=row.cpu, is_published=bool(row.source)),
            cells.text(row.card),
            _cell(scope, row, row.cpu_time),
            _cell(scope, row, row.speedup),
            cells.text(row.source or ("estimated" if row.series == ESTIMATED else "measured here")),
        )
        for row in sorted(_rows(scope), key=lambda row: row.cpu_time.value)
    ]
    return Draft(
        caption="The same training on a CPU and on a GPU: seconds of the CPU's step, and how many times as fast the "
        "GPU was (below 1x: the CPU was faster). Published ones by their source; ours are measured, or estimated for "
        "a T4 beside the CPU's measured step.",
        columns=("network", "CPU", "GPU", "CPU's step", "GPU over CPU", "from"),
        rows=rows,
    )


def _cell(scope: TableScope, row: Row, value: estimate.Estimate) -> Cellv:
    if row.source:
        return Cellv(text=fmt.estimate(value), estimate=value, is_published=True)
    if row.series == ESTIMATED and value is row.speedup:
        return cells.guessed(value)
    return cells.estimate(scope, value, *row.records)


@chart.chart("same-script-pairs", about_gpu=True)
def same_script_pairs(scope: chart.Scope) -> chart.Picture:
    """How many times as fast the GPU was, by what a step took the CPU."""
    rows = list(_rows(scope.of_table))
    found = [_mark(scope, row) for row in rows]
    seen = [row for row in rows if row.series != ESTIMATED]
    gains_from = min(row.cpu_time.value for row in seen if row.speedup.value > 1)
    floor = bands.floor()
    n_small = sum(row.cpu_time.value < gains_from for row in seen)
    title = "How many times as fast a GPU was, by what a step takes the CPU"
    if n_small:
        limit = f"{math.floor(gains_from * 1e4) / 10:g} ms"
        title = f"Of {n_small} trainings whose step took the CPU less than {limit}, none ran faster on a GPU"
    return chart.Picture(
        title=title,
        description=f"{title}: {n_small} of {len(seen)} trainings on both devices. The largest gain was "
        f"{fmt.ratio(max(row.speedup.value for row in seen))}.",
        rows=found,
        note=f"{sum(bool(row.source) for row in rows)} published trainings on both devices. In the band a GPU's step "
        f"takes {_span(floor)}, as most steps of small networks do. Estimated: a T4 beside our CPU.",
        paint=lambda narrow: _paint(found, floor, narrow=narrow),
    )


def _span(floor: bands.Band) -> str:
    """What the shortest steps take: "1.6 to 8 ms"."""
    return words.span(floor.low, floor.high)


def _mark(scope: chart.Scope, row: Row) -> marks.Mark:
    refs = scope.evidence.refs(*row.records)
    mark = marks.absent(row.network, row.series, "") | {"note": None, "x": row.cpu_time.value, "cells": refs}
    value = row.speedup
    mark |= {"value": value.value} | ({} if row.source else {"low": value.low, "high": value.high})
    kind = "published" if row.source else "estimated" if row.series == ESTIMATED else ""
    return mark | ({"kind": kind} if kind else {})


def _paint(found: list[marks.Mark], floor: bands.Band, *, narrow: bool) -> Layers:
    """The pairs over the band of the shortest steps and the rule at one."""
    x = scatter.Axis(
        "what a step takes the CPU (log scale)",
        axes.domain([{"value": m["x"], "low": None, "high": None} for m in found]),
        axes.DECADES,
    )
    y = scatter.Axis("times as fast on the GPU (log scale)", axes.domain(found), TICKS_X)
    known = {name: (COLOURS["published"], shape, [1, 0]) for name, shape in FAMILIES.values()}
    known |= {"published: other": (COLOURS["published"], "diamond", [1, 0])}
    drawn = {mark["series"] for mark in found}
    styles = {name: style for name, style in known.items() if name in drawn} | axes.styles(found)
    below = scatter.Band(
        1 / floor.high,
        1 / floor.low,
        "published",
        f"in the band a GPU's step|takes {_span(floor)}",
        (x.domain[0] * 1.15, y.domain[1] / 1.6),
    )
    return axes.layered(
        *scatter.band(x, y, below, narrow=narrow),
        *scatter.rule(y, 1.0, "the CPU is faster below", narrow=narrow),
        *scatter.points(x, y, found, styles, narrow=narrow),
        height=320 if narrow else 400,
    )
