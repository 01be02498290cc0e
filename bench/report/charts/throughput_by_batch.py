"""Chart and table: samples per second by batch size."""

from __future__ import annotations

from bench import grouped
from bench.report.charts import chart, marks
from bench.report.charts.paint import curves
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, Draft, TableScope
from bench.schema import Record

NEAR_BEST = 0.95  # of the best speed: no reader would notice the rest


def _rows(scope: TableScope) -> list[Record]:
    """The record of every arm at each batch size, of networks that were measured at several on a device.

    In strict float32; of a GPU also in the faster formats.
    """
    found = []
    for session in scope.sessions:
        for workload in scope.models():
            every = filter(marks.is_drawn, scope.evidence.view(session).records(Pick(workload)))
            for network in select.groups(select.most_threads_by_device(every), _network):
                if len({record.cell.batch_size for record in network}) > 1:
                    arms = select.groups(network, lambda r: (*select.all_but_batch(r), r.cell.precision, _batch(r)))
                    found += [select.speaker(scope, arm) for arm in arms]
    return found


def _network(record: Record) -> tuple[object, ...]:
    mode, params, device, _ = select.all_but_batch(record)
    return mode, params, device


def _batch(record: Record) -> int:
    return record.cell.batch_size


@table.table("throughput-by-batch")
def throughput_by_batch_table(scope: TableScope) -> Draft:
    """Throughput and step time by batch size, for every size of a workload that was measured at several."""
    rows = [
        (
            *cells.arm_of(scope, record),
            cells.text(record.cell.precision),
            cells.text(fmt.count(record.cell.batch_size)),
            cells.or_failed(scope, record, quantities.throughput),
            cells.or_failed(scope, record, quantities.step_time),
        )
        for record in _rows(scope)
    ]
    return Draft(
        caption="Samples per second (higher is better) and seconds per step, by batch size.",
        columns=(MACHINE, "workload", "mode", "backend", "precision", "batch size", "throughput", "step"),
        rows=rows,
        varying=("precision",),
    )


@chart.chart("throughput-by-batch", about_gpu=True, of_workload=lambda scope: bool(_rows(scope)), place=7)
def throughput_by_batch(scope: chart.Scope) -> chart.Picture:
    """Samples per second by batch size, one workload, backends and devices apart."""
    workload = scope.workload or marks.most_batches(scope)
    main = dict(marks.main_params(scope, workload))
    records = [
        record
        for record in _rows(scope.of_table)
        if (record.cell.workload, record.cell.mode, dict(record.cell.params)) == (workload, "train", main)
    ]
    found = marks.curve(scope, records, _batch, quantities.throughput)
    title = scope.title_of(workload) if workload else "training"
    return chart.Picture(
        title=_title(scope, found) or f"Speed by batch size: {title}",
        description=marks.in_words(f"Samples per second by batch size, {title}{scope.place()}", found, marks.fmt_rate),
        rows=found,
        paint=lambda narrow: curves.curves(
            found, "batch size (log scale)", "samples per second (log scale, higher is better)", narrow=narrow, base=2
        ),
        note=f"Training: {title}.",
    )


def _title(scope: chart.Scope, found: list[marks.Mark]) -> str:
    """Which batch is enough, by framework on the device that leads; empty if there are no two batches to compare."""
    device = "GPU" if scope.has_gpu() else "CPU"
    lines: dict[str, list[marks.Mark]] = {}
    for mark in found:
        if mark["value"] is not None and not mark["label"] and mark["series"].endswith(device):
            lines.setdefault(mark["series"].partition(",")[0], []).append(mark)
    ends = sorted((_enough(same), same[-1]["x"], name) for name, same in lines.items() if len(same) > 1)
    enough = [f"of {fmt.count(batch)} is enough in {name}" for batch, largest, name in ends if batch < largest]
    enough[1:] = [words.replace(" is enough", "") for words in enough[1:]]
    told = [f"On the {device} a batch {', '.join(enough)}"] * bool(enough)
    gaining = grouped((end for end in ends if end[0] == end[1]), lambda end: end[1])
    for batch, same in gaining.items():
        names = " and ".join(name for *_, name in same)
        told.append(f"{names} still gain{'s' * (len(same) == 1)} at {fmt.count(batch)}")
    return "; ".join(told)


def _enough(line: list[marks.Mark]) -> int:
    """The smallest batch with which training is nearly as fast as with the best."""
    return min(mark["x"] for mark in line if mark["value"] >= NEAR_BEST * max(other["value"] for other in line))
