"""Chart and table: published speed-ups beside ours."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes, forest
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence import beside
from bench.report.published import comparisons
from bench.report.stats import format as fmt
from bench.report.tables import cells, table
from bench.report.tables.cells import MISSING
from bench.report.tables.table import Draft, TableScope
from bench.schema import DEVICES


@table.table("ours-and-theirs")
def ours_and_theirs_table(scope: TableScope) -> Draft:
    """How fast each network is beside ResNet-50 in our records; the page sets published ratios beside it."""
    rows = []
    modes = dict.fromkeys(source.mode for source in comparisons.comparisons().sources)
    arms = [(mode, device) for mode in modes for device in DEVICES]
    for mode, device in arms:
        for network in beside.NETWORKS:
            mine = beside.ours(scope.evidence, network, mode, device) if network in scope.workloads else None
            name = scope.evidence.title(network)
            ratio = MISSING if mine is None else cells.estimate(scope, mine.ratio, *mine.records)
            if network in scope.workloads:
                rows.append((cells.text(name), cells.text(fmt.MODE_NAMES[mode]), cells.text(fmt.device(device)), ratio))
    caption = "Speed of a network over that of ResNet-50 on the same machine, fastest backend of each."
    return Draft(caption=caption, columns=("network", "mode", "device", "times ResNet-50, ours"), rows=rows)


@chart.chart("ours-and-theirs")
def ours_and_theirs(scope: Scope) -> Picture:
    """How fast each network is beside ResNet-50 on the same machine, by us and by others."""
    found = []
    titles = {name: scope.title_of(name).partition(",")[0] for name in beside.NETWORKS}
    for mode in dict.fromkeys(source.mode for source in comparisons.comparisons().sources):
        for network in beside.NETWORKS:
            label = f"{titles[network]}, {fmt.MODE_NAMES[mode]}"
            ours = [beside.ours(scope.evidence, network, mode, device) for device in DEVICES]
            for mine in filter(None, ours):
                cell = mine.records[0].cell
                found.append(marks.estimated(label, axes.series(cell.device, cell.backend), mine.ratio))
            if not any(ours):
                found.append(marks.absent(label, "measured here", NOT_MEASURED))
            others = [other for other in scope.others if other.workload == f"{network} {mode}"]
            found += [marks.published(label, number, other) for number, other in enumerate(others, 1)]
    return Picture(
        title="Speed of a network over that of ResNet-50, same machine",
        description=marks.in_words("Speed over that of ResNet-50 on the same machine", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "times the speed of ResNet-50 (log scale)", narrow=narrow, rule_at=1.0, row_px=20
        ),
    )
