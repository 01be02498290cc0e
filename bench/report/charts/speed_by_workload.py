"""Chart and table: samples per second of every workload."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

from bench.report.charts import chart, marks
from bench.report.charts.paint import forest
from bench.report.facts import networks
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, PLACES, Draft, TableScope
from bench.schema import Backend, Device, Record


@table.table("speed-by-workload")
def speed_by_workload_table(scope: TableScope) -> Draft:
    """Steady throughput by workload, mode and device; one column for each backend."""
    rows = []
    for _, same in itertools.groupby(
        select.arms(scope), key=lambda arm: (arm.session.path, arm.workload, arm.mode, arm.device)
    ):
        arms = list(same)
        machine, workload, mode, _ = cells.arm(scope, arms[0])
        first, by_backend = arms[0].record, {arm.backend: arm.record for arm in arms}
        rows.append((
            machine,
            workload,
            mode,
            cells.NOTHING if first is None else cells.text(fmt.count(first.cell.batch_size)),
            cells.text(fmt.device(arms[0].device)),
            *cells.by_backend(scope, arms[0].session, by_backend, quantities.throughput),
        ))  # fmt: skip
    caption = (
        "Samples per second in the steady state (higher is better), each backend with the better of the compiler "
        "settings that were measured. Inference goes through predict, a few batches a call, so what a call costs by "
        "itself is in it. "
        "Backends whose intervals overlap share a place."
    )
    columns = (MACHINE, "workload", "mode", "batch size", "device", *cells.backend_names(), PLACES)
    return Draft(caption=caption, columns=columns, rows=rows)


@chart.chart("speed-by-workload")
def speed_by_workload(scope: chart.Scope) -> chart.Picture:
    """Samples per second of training, by workload and backend, with intervals."""
    known = {arm.key: arm.record for arm in select.arms(scope.of_table, modes=("train",))}
    found = [
        marks.quantity(scope, label, series, record, quantities.throughput)
        for _, label, series, record in marks.every_arm(scope, known)
    ]
    found = marks.drawn(found)
    return chart.Picture(
        title=_title(scope, known),
        description=marks.in_words(f"Samples per second of steady training{scope.place()}", found, marks.fmt_rate),
        rows=found,
        note="How many pictures, texts or rows a second each framework trains on.",
        paint=lambda narrow: forest.forest(
            found, "samples per second (log scale, higher is better)", narrow=narrow, row_px=9, gap=0.8
        ),
    )


def _title(scope: chart.Scope, known: Mapping[tuple[str, Device, Backend], Record | None]) -> str:
    """How many networks each framework clearly trains fastest, on the device that leads."""
    device = "gpu" if scope.has_gpu() else "cpu"
    by_network: dict[str, dict[Backend, Record]] = {}
    for (workload, on, backend), record in known.items():
        if on == device and record is not None and record.status == "ok":
            by_network.setdefault(workload, {})[backend] = record
    compared = [same for same in by_network.values() if len(same) > 1]
    if not compared:
        return "How fast networks train"
    wins = Counter(first for same in compared if (first := networks.winner(scope.evidence, same)) is not None)
    if not wins:
        return f"No framework is clearly the fastest on any of {len(compared)} networks"
    first, *rest = sorted(scope.backends(), key=lambda backend: -wins[backend])
    n_open = len(compared) - wins.total()
    others = [f"{fmt.backend(one)} {wins[one] or 'none'}" for one in rest] if wins[first] < len(compared) else []
    others += [f"no clear winner on {n_open}"] if n_open else []
    said = f"{fmt.backend(first)} trains {marks.of_all(wins[first], len(compared))} networks fastest"
    return ", ".join([said, *others])
