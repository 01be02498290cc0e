"""Chart and table: rates under the two roofs of the machine, arithmetic and memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from bench import grouped
from bench.report.charts import chart, marks
from bench.report.charts import rooflines as rooflines_chart
from bench.report.charts.paint import axes, curves, labels
from bench.report.charts.paint.axes import COLOURS, NARROW_PX, TEXT_PX, WIDE_PX, Layers
from bench.report.evidence import rooflines
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, table
from bench.report.tables.table import MACHINE, MODES, Cellv, Draft, TableScope
from bench.schema import DEVICES


@table.table("roofs")
def roof_table(scope: TableScope) -> Draft:
    """Operations per byte of each network, the rate that the lower ceiling then allows, and the share achieved."""
    rows = []
    for row in rooflines_chart.counted(scope):
        record, best, band = row.record, row.best, row.band
        steep = rooflines.intensity(record)
        roof = None if best is None or band is None else rooflines.roof(record, best, band)
        part = None if best is None or band is None else rooflines.roof_share(record, best, band)
        rests = () if roof is None or band is None else (record, band.record if roof.is_memory else best)
        rows.append((
            *cells.arm(scope, row.arm),
            cells.MISSING if steep is None else Cellv(text=fmt.number(steep), cells=scope.evidence.refs(record)),
            cells.estimate(scope, rooflines.achieved(record), record),
            cells.MISSING if roof is None else cells.estimate(scope, roof.rate, *rests),
            cells.text("" if roof is None else "memory" if roof.is_memory else "arithmetic"),
            cells.MISSING if part is None else cells.estimate(scope, part, *rests),
        ))  # fmt: skip
    return Draft(
        caption="Operations for each byte that must be moved, counted from the layers; the rate that the measured "
        "matrix product and bandwidth then allow, and what is reached of it (higher is better).",
        columns=(
            MACHINE, "workload", "mode", "backend", "operations per byte", "achieved", "attainable", "lower ceiling",
            "of the attainable",
        ),
        rows=rows,
    )  # fmt: skip


@chart.chart(
    "roofs", about_gpu=True, of_workload=lambda scope: any(True for _ in rooflines_chart.counted(scope)), place=4
)
def roofs(scope: chart.Scope) -> chart.Picture:
    """Arithmetic achieved against operations per byte, below the measured ceilings of arithmetic and of memory.

    All workloads in training; of one workload inference, too.
    """
    lines = []
    for device in scope.devices():
        best = rooflines.ceiling(scope.evidence, scope.session, device)
        band = rooflines.bandwidth(scope.evidence, scope.session, device)
        flat = None if best is None else quantities.flop_rate(best)
        if flat is not None and band is not None:
            lines.append({"device": device.upper(), "flat": flat.value, "slope": band.rate.value})
    known = list(rooflines_chart.counted(scope.of_table, modes=MODES if scope.workload else MODES[:1]))
    found = []
    for row in sorted(known, key=lambda row: DEVICES.index(row.arm.device)):
        steep, rate = rooflines.intensity(row.record), rooflines.achieved(row.record)
        if steep is not None and rate is not None:
            arm = row.arm
            label = fmt.MODE_NAMES[arm.mode] if scope.workload else scope.title_of(arm.workload)
            short = label if scope.workload else arm.workload
            mark = marks.estimated(scope, label, axes.series(arm.device, arm.backend), rate, row.record)
            found.append(mark | {"x": steep, "short": short})
    name = scope.title_of(scope.workload) if scope.workload else "training"
    return chart.Picture(
        title=_title(found, lines, name),
        note="Below the slope memory is the limit, below the level line arithmetic. Nearer to a line is better.",
        description=_roofs_in_words(
            f"Operations per second by operations per byte, {name}{scope.place()}", found, lines
        ),
        rows=found,
        paint=lambda narrow: _roofs(found, lines, narrow=narrow),
        says_enough=any(line["device"] == "GPU" for line in lines),
    )


def _title(rows: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], name: str) -> str:
    """Which of the two ceilings is the lower one above most of the marks."""
    corners = {line["device"]: line["flat"] / line["slope"] for line in lines}
    sides = [row["x"] > corners[device] for row in rows if (device := row["series"].rpartition(" ")[2]) in corners]
    if not sides:
        return f"Arithmetic against memory traffic: {name}"
    limit, other = ("arithmetic", "memory") if 2 * sum(sides) >= len(sides) else ("memory", "arithmetic")
    n = sum(sides) if limit == "arithmetic" else len(sides) - sum(sides)
    said = f"The limit is {limit}, not {other}" + ("" if n == len(sides) else f", in {n} of {len(sides)} cases")
    return f"{said}: {name}"


def _roofs_in_words(what: str, rows: Sequence[dict[str, Any]], lines: Sequence[Mapping[str, Any]]) -> str:
    text = marks.in_words(what, [{k: v for k, v in row.items() if k != "x"} for row in rows], fmt.flop_rate)
    for line in lines:
        ridge = line["flat"] / line["slope"]
        text += (
            f" {line['device']} ceilings: {fmt.flop_rate(line['flat'])} for arithmetic, "
            f"{fmt.bytes_(line['slope'])}/s for memory; they meet at {ridge:.3g} operations per byte."
        )
    return text


def _roofs(rows: list[dict[str, Any]], lines: list[dict[str, Any]], *, narrow: bool) -> Layers:
    """Points below the two ceilings of each device, both axes logarithmic; a name once for each group of points."""
    height = 400
    corners = [line["flat"] / line["slope"] for line in lines]
    across = [row["x"] for row in rows] + corners or [1.0, 100.0]
    up = [row[key] for row in rows for key in ("low", "high")] + [line["flat"] for line in lines] or [1.0, 100.0]
    x_domain, y_domain = (min(across) / 2, max(across) * 2), (min(up) / 2, max(up) * 2)
    plane = labels.Plane(x_domain, y_domain, ((NARROW_PX if narrow else WIDE_PX) - 66, height))
    styles = axes.styles(rows)
    known: Sequence[Mapping[str, Any]] = rows or [{"value": None}]
    x = alt.X(
        "x:Q",
        title=axes.axis_title("operations per byte that must be moved (log scale)", narrow),
        scale=axes.scale(x_domain),
        axis=axes.axis(x_domain, narrow, known),
    )
    y_title, y_axis = axes.axis_title(FLOP_TITLE, narrow), axes.axis(y_domain, narrow, known)
    y, low = (alt.Y(f"{name}:Q", title=y_title, scale=axes.scale(y_domain), axis=y_axis) for name in ("value", "low"))
    colour, shape = axes.colour_and_shape(styles, narrow=narrow)
    layers: list[alt.Chart] = []
    for line in lines:
        ridge, left = line["flat"] / line["slope"], max(x_domain[0], y_domain[0] / line["slope"])
        path = [(left, left * line["slope"]), (ridge, line["flat"]), (x_domain[1], line["flat"])]
        drawn = alt.Chart(axes.data([{"x": a, "value": b} for a, b in path]))
        layers.append(drawn.mark_line(color=COLOURS["rule"], strokeWidth=1.5).encode(x=x, y=y))
        for (a, b), (c, d) in itertools.pairwise(path):
            for k in range(33):
                plane.take(a * (c / a) ** (k / 32), b * (d / b) ** (k / 32), 4)
    for row in rows:
        plane.take(row["x"], row["value"], 6)
        for k in range(9):
            plane.take(row["x"], row["low"] * (row["high"] / row["low"]) ** (k / 8), 4)
    # Points of one network are above each other on both devices; one name is enough.
    named = rows[-1]["series"].rpartition(", ")[2] if rows else ""
    groups = grouped(rows, lambda row: (row["short" if narrow else "row"], row["series"].rpartition(", ")[2]))
    joined = [
        {"x": row["x"], "value": row["value"], "group": " ".join(key)} for key, same in groups.items() for row in same
    ]
    threads = alt.Chart(axes.data(joined)).mark_line(color=COLOURS["missing"], strokeWidth=1, opacity=0.6)
    layers.append(threads.encode(x=x, y=y, detail=alt.Detail("group:N")))
    base = alt.Chart(axes.data(rows))
    layers.append(base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=x, y=low, y2=alt.Y2("high:Q"), color=colour))
    layers.append(base.mark_point(filled=True, size=56, opacity=1).encode(x=x, y=y, color=colour, shape=shape))
    roofs = alt.Chart(axes.data(labels.roof_names(plane, lines, x_domain, y_domain)))
    layers.append(
        roofs.mark_text(fontSize=TEXT_PX[narrow], color=COLOURS["ink-soft"]).encode(x=x, y=y, text=alt.Text("text:N"))
    )
    names = alt.Chart(
        axes.data(labels.group_names(plane, {key: same for key, same in groups.items() if key[1] == named}))
    )
    layers.append(
        names.mark_text(fontSize=TEXT_PX[narrow], color=COLOURS["ink"]).encode(x=x, y=y, text=alt.Text("text:N"))
    )
    layers += curves.notes([] if rows else [fmt.NOT_MEASURED], narrow=narrow)
    return axes.layered(*layers, height=height)


FLOP_TITLE = "operations per second (FLOP/s, log scale, higher is better)"
