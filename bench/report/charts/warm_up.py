"""Chart and table: how long steps take to settle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.report.charts import chart, marks
from bench.report.charts.paint import axes
from bench.report.charts.paint import panels as paint_panels
from bench.report.stats import format as fmt
from bench.report.stats import quantities, traces
from bench.report.tables import cells, fairness, select, table
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope
from bench.schema import Record


def _rows(scope: TableScope) -> Iterator[tuple[select.Arm, Record, traces.Shown]]:
    """The arms of training with a trace, each with its record and the trace that is shown."""
    for arm in select.arms(scope, modes=("train",)):
        trace = None if arm.measured is None else traces.shown(arm.measured)
        if arm.measured is not None and trace is not None:
            yield arm, arm.measured, trace


@table.table("warm-up")
def warm_up_table(scope: TableScope) -> Draft:
    """How long training took to settle: blocks and seconds, the first block, whether the criterion was met, traces."""
    rows = []
    for arm, record, trace in _rows(scope):
        machine, workload, _, words = cells.arm(scope, arm)
        refs = scope.evidence.refs(record)
        rows.append((
            machine,
            workload,
            words,
            Cellv(text=_warm_up_blocks(record), cells=refs),
            cells.estimate(scope, quantities.phase_time(record, "warmup"), record),
            Cellv(text=fmt.ratio(trace.first_factor), cells=refs),
            cells.estimate(scope, quantities.step_time(record), record),
            Cellv(text=fairness.warm_up_cell(record), cells=refs),
            Cellv(text=_counted_words(traces.kinds(record)), cells=refs),
        ))  # fmt: skip
    return Draft(
        caption="The warm-up of training after the first step, until the criterion was met or the limit reached. A "
        "trace has a name from some blocks on; the drawn run is the one with the median step.",
        columns=(
            MACHINE, "workload", "backend", "blocks", "warm-up", "first block over steady", "steady step", "settled",
            "traces by name",
        ),
        rows=rows,
    )  # fmt: skip


def _warm_up_blocks(record: Record) -> str:
    counts = sorted({len(run.warmup) for run in quantities.ok_runs(record)})
    return " to ".join(fmt.count(n) for n in dict.fromkeys((counts[0], counts[-1])))


def _counted_words(words: Iterable[str]) -> str:
    """Each word with how often it comes."""
    found = Counter(words)
    return ", ".join(f"{word}: {n}" for word, n in found.items()) or "too short for a name"


@chart.chart("warm-up", of_workload=lambda scope: any(True for _ in _rows(scope)), place=3)
def warm_up(scope: chart.Scope) -> chart.Picture:
    """Step time after the first step over the measured one, with the part that is measured marked."""
    workload = scope.workload or marks.most_batches(scope)
    known = {arm.key: (record, trace) for arm, record, trace in _rows(scope.of_table)}
    panels: list[paint_panels.Panel] = []
    found = []
    for device, backend in marks.arms(scope):
        series, row = axes.series(device, backend), known.get((workload, device, backend))
        if row is not None:
            panels.append((series, row[1]))
            mark = marks.absent(series, series, fmt.NOT_MEASURED) | {"note": None, "cells": scope.evidence.refs(row[0])}
            found += [mark | {"value": point.factor, "x": point.at_s} for point in row[1].points]
    panels = panels or [("every framework", fmt.NOT_MEASURED)]
    title = scope.title_of(workload) if workload else "training"
    what = f"Time of a training step over the measured one, after the first step, {title}{scope.place()}"
    return chart.Picture(
        title=f"{_finding(panels)}: {title}",
        description=_traces_in_words(what, panels),
        rows=found,
        note="Time of a step, over the time of those that we measure, shaded.",
        paint=lambda narrow: paint_panels.trace_panels(panels, narrow=narrow),
    )


def _finding(panels: Sequence[paint_panels.Panel]) -> str:
    """When the steps settle, over all frameworks, and how many never do."""
    drawn = [trace for _, trace in panels if not isinstance(trace, str)]
    settled = [trace.from_s for trace in drawn if trace.settled]
    if not settled:
        return "Steps never settle" if drawn else "How steps settle"
    span = " to ".join(dict.fromkeys(marks.spoken(time) for time in (min(settled), max(settled))))
    never = len(drawn) - len(settled)
    return f"Steps settle {span} after the first" + (f", in {never} of {len(drawn)} frameworks never" if never else "")


def _traces_in_words(what: str, panels: Sequence[paint_panels.Panel]) -> str:
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
