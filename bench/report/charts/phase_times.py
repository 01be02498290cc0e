"""Chart and table: where the time of a short job goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from bench.report.charts import chart, marks
from bench.report.charts.chart import N_STEADY_STEPS, STEADY, Picture, Scope
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import BACKEND_NAMES, COLOURS, LINE_PX, NOT_MEASURED
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, Draft, TableScope
from bench.schema import DEVICES, PHASES

PHASE_NAMES = {
    "import": "import",
    "device_start": "device start",
    "data": "data",
    "build": "build",
    "first_step": "first step",
    "warmup": "warm-up",
    "steady": "steady steps",
    "evaluation": "evaluation",
}


@table.table("phase-times")
def phase_times_table(scope: TableScope) -> Draft:
    """Where the time of one training process goes, phase by phase."""
    rows = []
    for session, workload, mode, device in select.arms(scope, sessions=1, modes=("train",)):
        for backend, record, failure in select.by_backend(scope, session, workload, mode, device):
            start = [cells.text(scope.evidence.title(workload)), cells.text(cells.arm_text(backend, device))]
            if record is None:
                phases = [cells.failed(scope, failure), *[NOTHING] * (len(PHASES) - 1)]
            else:
                phases = [cells.estimate(scope, quantities.phase_time(record, phase), record) for phase in PHASES]
            rows.append((scope.machine(session), *start, *phases))
    caption = "Seconds of each phase of a training process (lower is better); the steady steps last as long as asked."
    columns = (MACHINE, "workload", "arm", *(PHASE_NAMES[phase] for phase in PHASES))
    return Draft(caption=caption, columns=columns, rows=rows)


@chart.chart("phase-times")
def phase_times(scope: Scope) -> Picture:
    """Share of a short training job spent before and in the first step, and in steady steps."""
    found = []
    if scope.workload:
        arms = [(scope.workload, device, backend) for device, backend in marks.arms(scope)]
    else:
        arms = [(w, device, scope.backends()[0]) for w in marks.models(scope) for device in scope.devices()]
    for workload, device, backend in arms:
        row = marks.headline(scope, workload, device, backend)
        label = f"{BACKEND_NAMES[backend]}, {device.upper()}" if scope.workload else scope.title_of(workload)
        if not scope.workload and scope.has_gpu():
            label += f", {device.upper()}"
        found += _phases(row, label, device)
    backend = "" if scope.workload else f", {BACKEND_NAMES[scope.backends()[0]]}"
    return Picture(
        title=f"Where the time of the first {N_STEADY_STEPS} training steps goes{backend}",
        description=_phases_in_words(scope, found),
        rows=found,
        paint=lambda narrow: _stack(found, narrow=narrow),
    )


PHASE_COLUMNS = (
    ("import", "import_s", "phase-import"),
    ("device start", "device_start_s", "phase-device"),
    ("data", "data_s", "phase-data"),
    ("build", "build_s", "phase-build"),
    ("first step", "first_step_s", "phase-first"),
)


def _phases(row: dict[str, Any] | None, label: str, device: str) -> list[dict[str, Any]]:
    """One dict per phase, ``start`` and ``end`` as shares of the whole; the first carries total and interval."""
    if row is None or row.get("step_s") is None:
        return [
            {"row": label, "phase": STEADY[device], "seconds": None, "start": None, "end": None, "note": marks.why(row)}
        ]
    parts = [(name, row.get(column)) for name, column, _ in PHASE_COLUMNS]
    parts = [(name, seconds) for name, seconds in parts if seconds is not None]
    before = sum(seconds for _, seconds in parts)
    parts.append((STEADY[device], N_STEADY_STEPS * row["step_s"]))
    total = sum(seconds for _, seconds in parts)
    found, at = [], 0.0
    for name, seconds in parts:
        found.append(
            {
                "row": label,
                "phase": name,
                "seconds": seconds,
                "start": at / total,
                "end": (at + seconds) / total,
                "note": None,
                "cell": row["cell_id"],
            }
        )
        at += seconds
    # Where the steady steps begin, from the slowest set-up with the fastest steps to the other way round.
    first, low, high = (row.get(f"first_step_s{end}") or 0.0 for end in ("", "_low", "_high"))
    slow, fast = N_STEADY_STEPS * row["step_s_high"], N_STEADY_STEPS * row["step_s_low"]
    early, late = before - first + low, before - first + high
    found[0] |= {"low": early / (early + slow), "high": late / (late + fast), "total": fmt.seconds(total)}
    return found


def _phases_in_words(scope: Scope, rows: Sequence[dict[str, Any]]) -> str:
    shares = {row["row"]: row["start"] for row in rows if row["note"] is None and "steady" in row["phase"]}
    what = f"Share of set-up, first step and {N_STEADY_STEPS} steady training steps{scope.place()}"
    if not shares:
        return f"{what}: {NOT_MEASURED}."
    most, least = max(shares, key=lambda r: shares[r]), min(shares, key=lambda r: shares[r])
    span = f"{shares[least]:.0%} of the time ({least}) to {shares[most]:.0%} ({most})"
    return f"{what}. The steady steps begin after {span}."


def _stack(rows: list[dict[str, Any]], *, narrow: bool) -> alt.LayerChart:
    """Bars of one whole; a rule marks the interval of the place where the steady steps begin."""
    order = [*(name for name, _, _ in PHASE_COLUMNS), *STEADY.values()]
    colours = {name: COLOURS[role] for name, _, role in PHASE_COLUMNS}
    colours |= {STEADY[device]: COLOURS[f"{device}-tensorflow"] for device in DEVICES}
    used = [name for name in order if any(row["phase"] == name and row["note"] is None for row in rows)]
    labels = list(dict.fromkeys(row["row"] for row in rows))
    row_px = 44 if narrow else 34
    names, places = {}, {}
    for place, label in enumerate(labels):
        text = axes.wrapped(label, 17 if narrow else 27)
        places[label] = place + 0.5
        names[round(place + 0.5 - text.count("|") / 2 * LINE_PX / row_px, 3)] = text
    data = [
        row | {"y": places[row["row"]], "top": places[row["row"]] - 0.3, "foot": places[row["row"]] + 0.3}
        for row in rows
    ]
    x_scale = alt.Scale(domain=[0, 1.34 if narrow else 1.13], nice=False)
    y_scale = alt.Scale(domain=[0, len(labels)], reverse=True, nice=False, zero=False)
    y_axis = alt.Axis(
        values=list(names),
        labelExpr=axes.choose(names),
        title=None,
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=8,
        labelOverlap=False,
    )
    base = alt.Chart(axes.data(data)).encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis))
    title = "share of the time; total at the right"
    layers = [
        base.transform_filter("datum.start != null")
        .mark_rect(stroke=COLOURS["surface"], strokeWidth=1)
        .encode(
            y=alt.Y("top:Q", scale=y_scale, axis=y_axis),
            y2=alt.Y2("foot:Q"),
            x=alt.X(
                "start:Q",
                title=title,
                scale=x_scale,
                axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format="%", grid=True),
            ),
            x2=alt.X2("end:Q"),
            color=alt.Color(
                "phase:N",
                scale=alt.Scale(domain=used, range=[colours[name] for name in used]),
                legend=alt.Legend(orient="top", title=None, columns=1 if narrow else 4, symbolType="square")
                if used
                else None,
            ),
        )
    ]
    spread = base.transform_filter("isValid(datum.low)")
    layers.append(
        spread.mark_rule(color=COLOURS["ink"], strokeWidth=2).encode(
            x=alt.X("low:Q", scale=x_scale, title=title), x2=alt.X2("high:Q")
        )
    )
    for end in ("low", "high"):
        layers.append(spread.mark_tick(color=COLOURS["ink"], thickness=2, size=10).encode(x=f"{end}:Q"))
    layers.append(
        base.transform_filter("isValid(datum.total)")
        .transform_calculate(at="1.012")
        .mark_text(align="left", fontSize=11, color=COLOURS["ink"])
        .encode(x=alt.X("at:Q", scale=x_scale, title=title), text=alt.Text("total:N"))
    )
    layers.append(
        base.transform_filter("datum.start == null")
        .transform_calculate(text=f"truncate(datum.note, {30 if narrow else 80})")
        .mark_text(align="left", fontSize=11, fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.value(4), text=alt.Text("text:N"))
    )
    return alt.layer(*layers, height=max(60, len(labels) * row_px))
