"""Chart and table: how long steps take to settle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes
from bench.report.charts.paint import panels as paint_panels
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.stats import format as fmt
from bench.report.stats import quantities, traces
from bench.report.tables import cells, fairness, select, table
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope
from bench.schema import Record


@table.table("warm-up")
def warm_up_table(scope: TableScope) -> Draft:
    """How long training took to settle: blocks and seconds, the first block, whether the criterion was met, traces."""
    rows = []
    for session, workload, mode, device in select.arms(scope, modes=("train",)):
        for backend, record, _ in select.by_backend(scope, session, workload, mode, device):
            trace = None if record is None else traces.shown(record)
            if trace is None:
                continue
            refs = scope.evidence.refs(record)
            rows.append((
                scope.machine(session),
                cells.text(scope.evidence.title(workload)),
                cells.text(cells.arm_text(backend, device)),
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
            MACHINE, "workload", "arm", "blocks", "warm-up", "first block over steady", "steady step", "settled",
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


@chart.chart("warm-up")
def warm_up(scope: Scope) -> Picture:
    """Step time after the first step over the measured one, with the part that is measured marked."""
    workload = scope.workload or marks.most_batches(scope)
    panels: list[tuple[str, traces.Shown | str]] = []
    for device, backend in marks.arms(scope):
        record = marks.best_record(scope, workload, "train", device, backend)
        panels.append((axes.series(device, backend), (record and traces.shown(record)) or NOT_MEASURED))
    if not scope.has_gpu():
        panels.append(("GPU", scope.without_gpu()))
    found = [
        marks.absent(series, series, NOT_MEASURED) | {"value": point.factor, "note": None, "x": point.at_s}
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
        paint=lambda narrow: paint_panels.trace_panels(panels, narrow=narrow),
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
