"""Chart and table: speed by number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, forest
from bench.report.evidence.cells import is_headline
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, PRECISIONS, Draft, TableScope
from bench.schema import Record


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A CPU cell that was measured on several numbers of cores, beside the one that is like it on the fewest."""

    record: Record
    fewest: Record
    speed: Callable[[Record], Estimate | None]
    gain: Estimate | None  # the speed over that on the fewest


def _rows(scope: TableScope) -> Iterator[Row]:
    for session, workload, quantity, make in select.speeds(scope):
        records = scope.evidence.view(session).records(Pick(workload, device="cpu", precision=PRECISIONS[0]))
        for same in select.groups(records, select.all_but_threads):
            by_count = sorted(same, key=lambda record: record.cell.threads)
            for record in by_count if len(by_count) > 1 else ():
                few = by_count[0]
                gain = None if record is few else select.speedup(scope, record, few, quantity)
                yield Row(record=record, fewest=few, speed=make, gain=gain)


@table.table("threads")
def threads_table(scope: TableScope) -> Draft:
    """Each CPU cell that was measured on several numbers of cores, and how much faster than on the fewest it is."""
    rows = [
        (
            *cells.arm_of(scope, row.record),
            cells.text(fmt.count(row.record.cell.batch_size)),
            cells.text(fmt.count(row.record.cell.threads)),
            cells.or_failed(scope, row.record, row.speed),
            cells.NOTHING if row.gain is None else cells.estimate(scope, row.gain, row.record, row.fewest),
        )
        for row in _rows(scope)
    ]
    columns = ("workload", "mode", "backend", "batch size", "cores", "speed", "times the fewest cores")
    return Draft(
        caption="Speed by the number of cores that the process may use (higher is better), all else the same.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


@chart.chart("threads")
def threads(scope: chart.Scope) -> chart.Picture:
    """How many times faster training is on each number of cores than on one, by workload and backend."""
    every = [row for row in _rows(scope.of_table) if _is_drawn(row)]
    found = []
    for workload in marks.models(scope):
        for backend in scope.backends():
            of_arm = [r for r in every if (r.record.cell.workload, r.record.cell.backend) == (workload, backend)]
            # Of several cells the first; its rows go from few cores to many.
            of_cell = [r for r in of_arm if r.fewest is of_arm[0].fewest]
            if of_cell and (gain := of_cell[-1].gain) is not None:
                label, both = scope.title_of(workload), (of_cell[-1].record, of_cell[-1].fewest)
                found.append(marks.estimated(scope, label, axes.series("cpu", backend), gain, *both))
    n = 0 if scope.session is None else scope.session.session.n_cores_effective
    if not found:
        found = [marks.absent("every network", axes.EVERY, fmt.NOT_MEASURED)]
    found = marks.drawn(found)
    return chart.Picture(
        title=_title(found, n),
        description=marks.in_words(
            f"Training speed on all cores over the speed on one{scope.place()}", found, fmt.ratio
        ),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed on one core (log scale; right of 1 more cores pay)", narrow=narrow, rule_at=1.0,
            row_px=14,
        ),
        note="Training speed on all cores over that on one; a network in two frameworks is two trainings.",
    )  # fmt: skip


def _title(found: list[marks.Mark], n_cores: int) -> str:
    """How many networks gain from all cores, each in each framework, and at most how much."""
    gains = [mark for mark in found if mark["value"] is not None]
    if not gains:
        return "Training speed by cores"
    most = fmt.number(max(mark["value"] for mark in gains), 2)
    faster = marks.of_all(sum(mark["low"] > 1 for mark in gains), len(gains))
    return f"{fmt.cores(n_cores)} make {faster} trainings faster than one does, up to {most} times as fast"


def _is_drawn(row: Row) -> bool:
    """Whether the chart may show a row: training of a headline cell, against one core."""
    cell = row.record.cell
    return row.gain is not None and cell.mode == "train" and row.fewest.cell.threads == 1 and is_headline(row.record)
