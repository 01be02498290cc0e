"""Chart and table: published speed-ups beside ours."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, forest
from bench.report.evidence import beside
from bench.report.evidence.evidence import Evidence
from bench.report.published import comparisons
from bench.report.stats import format as fmt
from bench.report.tables import cells, table
from bench.schema import DEVICES, Device, Mode


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A network in a mode on a device, and our ratio where it was measured."""

    network: str
    mode: Mode
    device: Device
    ours: beside.Ours | None


def _rows(evidence: Evidence) -> Iterator[Row]:
    modes = dict.fromkeys(source.mode for source in comparisons.comparisons().sources)
    for mode, device, network in itertools.product(modes, DEVICES, beside.NETWORKS):
        mine = beside.ours(evidence, network, mode, device)
        yield Row(network=network, mode=mode, device=device, ours=mine)


@table.table("ours-and-theirs")
def ours_and_theirs_table(scope: table.TableScope) -> table.Draft:
    """How fast each network is beside ResNet-50 in our records; the page sets published ratios beside it."""
    rows = [
        (
            cells.text(scope.evidence.title(row.network)),
            cells.text(fmt.MODE_NAMES[row.mode]),
            cells.text(fmt.device(row.device)),
            cells.MISSING if row.ours is None else cells.estimate(scope, row.ours.ratio, *row.ours.records),
        )
        for row in _rows(scope.evidence)
        if row.network in scope.workloads
    ]
    caption = "Speed of a network over that of ResNet-50 on the same machine, fastest backend of each."
    return table.Draft(caption=caption, columns=("network", "mode", "device", "times ResNet-50, ours"), rows=rows)


@chart.chart("ours-and-theirs")
def ours_and_theirs(scope: chart.Scope) -> chart.Picture:
    """How fast each network is beside ResNet-50 on the same machine, by us and by others."""
    found = []
    every = list(_rows(scope.evidence))
    for mode, network in dict.fromkeys((row.mode, row.network) for row in every):
        label = f"{scope.title_of(network)}, {fmt.MODE_NAMES[mode]}"
        ours = [row.ours for row in every if (row.mode, row.network) == (mode, network) and row.ours is not None]
        for mine in ours:
            cell = mine.records[0].cell
            series = axes.series(cell.device, cell.backend)
            found.append(marks.estimated(scope, label, series, mine.ratio, *mine.records))
        if not ours:
            found.append(marks.absent(label, "measured here", fmt.NOT_MEASURED))
        others = [other for other in scope.others if other.workload == f"{network} {mode}"]
        found += [marks.published(label, number, other) for number, other in enumerate(others, 1)]
    found = marks.drawn(found)
    return chart.Picture(
        title=_title(found),
        note="How many times as fast as ResNet-50 a network is on the same machine.",
        description=marks.in_words("Speed over that of ResNet-50 on the same machine", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed of ResNet-50 (log scale)", narrow=narrow, rule_at=1.0, row_px=17
        ),
    )


def _title(found: list[marks.Mark]) -> str:
    """How far the published figures are from the nearest of ours."""
    ours: dict[str, list[float]] = {}
    for mark in found:
        if mark["value"] is not None and "kind" not in mark:
            ours.setdefault(mark["row"], []).append(mark["value"])
    off = [
        math.exp(min(abs(math.log(mark["value"] / mine)) for mine in ours[mark["row"]]))
        for mark in found
        if mark.get("kind") == "published" and mark["row"] in ours
    ]
    if not off:
        return "Speed of networks beside ResNet-50"
    median, most = (fmt.number(factor, 2) for factor in (statistics.median(off), max(off)))
    return f"Figures of others differ from ours by {median} times in the median, by {most} at most"
