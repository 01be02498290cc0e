"""Chart and table: where the time of a short job goes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import altair as alt
import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.marks import Mark
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, LINE_PX, TEXT_PX, Layers
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table
from bench.schema import DEVICES, PHASES, Device, Phase, Record

# One bar of "where the time goes" is set-up, first step and as many steady steps as make a short training job.
N_STEADY_STEPS = 100
STEADY: dict[Device, str] = {device: f"{N_STEADY_STEPS} steps, {device.upper()}" for device in DEVICES}

PHASE_NAMES: dict[Phase, str] = {
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
def phase_times_table(scope: table.TableScope) -> table.Draft:
    """Where the time of one training process goes, phase by phase."""
    rows = []
    first = msgspec.structs.replace(scope, sessions=scope.leading)
    for arm in select.arms(first, modes=("train",)):
        machine, workload, _, words = cells.arm(scope, arm)
        record = arm.measured
        if record is None:
            phases = [cells.failed(scope, arm.record), *[cells.NOTHING] * (len(PHASES) - 1)]
        else:
            phases = [cells.estimate(scope, quantities.phase_time(record, phase), record) for phase in PHASES]
        rows.append((machine, workload, words, *phases))
    caption = "Seconds of each phase of a training process (lower is better); the steady steps last as long as asked."
    columns = (table.MACHINE, "workload", "backend", *(PHASE_NAMES[phase] for phase in PHASES))
    return table.Draft(caption=caption, columns=columns, rows=rows)


@chart.chart("phase-times", about_gpu=True, of_workload=lambda scope: bool(scope.models()), place=1)
def phase_times(scope: Scope) -> Picture:
    """Share of a short training job spent before and in the first step, and in steady steps."""
    known = {arm.key: arm.record for arm in select.arms(scope.of_table, modes=("train",))}
    devices, backends = scope.devices(), scope.backends()
    if not scope.workload:
        devices, backends = devices[-1:], backends[:1]
    found = []
    for workload in marks.models(scope):
        for device, backend in itertools.product(devices, backends):
            label = axes.series(device, backend) if scope.workload else scope.title_of(workload)
            found += _phases(scope, known.get((workload, device, backend)), label, device)
    known_rows = [mark for mark in found if mark["note"] != fmt.NOT_MEASURED]
    late = {mark["row"]: mark["start"] or 0.0 for mark in known_rows}  # of its last phase, the steps
    found = sorted(known_rows, key=lambda mark: -late[mark["row"]]) or found[:1]
    of_backend = "" if scope.workload else f", {fmt.backend(backends[0])}"
    return Picture(
        title=_title(found),
        note=f"Where the time of a training of {N_STEADY_STEPS} steps goes{of_backend}, from starting Python.",
        description=_phases_in_words(scope, found),
        rows=found,
        paint=lambda narrow: _stack(found, narrow=narrow),
    )


PHASE_ROLES: dict[Phase, str] = {
    "import": "phase-import",
    "device_start": "phase-device",
    "data": "phase-data",
    "build": "phase-build",
    "first_step": "phase-first",
}


def _phases(scope: Scope, record: Record | None, label: str, device: Device) -> list[Mark]:
    """One mark per phase, ``start`` and ``end`` as shares of the whole; the first carries total and interval."""
    step = None if record is None or record.status != "ok" else quantities.step_time(record)
    if record is None or step is None:
        absent = {"row": label, "phase": STEADY[device], "seconds": None, "start": None, "end": None}
        return [absent | {"note": marks.why(record), "cells": ()}]
    times = {phase: quantities.phase_time(record, phase) for phase in PHASE_ROLES}
    parts = [(PHASE_NAMES[phase], time.value) for phase, time in times.items() if time is not None]
    before = sum(seconds for _, seconds in parts)
    parts.append((STEADY[device], N_STEADY_STEPS * step.value))
    total = sum(seconds for _, seconds in parts)
    common = {"row": label, "note": None, "cells": scope.evidence.refs(record)}
    found, at = [], 0.0
    for name, seconds in parts:
        found.append(common | {"phase": name, "seconds": seconds, "start": at / total, "end": (at + seconds) / total})
        at += seconds
    # Where the steady steps begin, from the slowest set-up with the fastest steps to the other way round.
    first = times["first_step"]
    ends = (0.0, 0.0, 0.0) if first is None else (first.value, first.low, first.high)
    early, late = (before - ends[0] + end for end in ends[1:])
    slow, fast = N_STEADY_STEPS * step.high, N_STEADY_STEPS * step.low
    found[0] |= {"low": early / (early + slow), "high": late / (late + fast), "total": fmt.seconds(total)}
    return found


def _title(found: Sequence[Mark]) -> str:
    """In how many trainings the steps begin after half of the time."""
    starts = [mark["start"] for mark in found if mark["note"] is None and mark["phase"] in STEADY.values()]
    if not starts:
        return "Where the time of a short training goes"
    n_late = sum(start > 0.5 for start in starts)
    return f"Starting takes longer than {N_STEADY_STEPS} steps in {marks.of_all(n_late, len(starts))} trainings"


def _phases_in_words(scope: Scope, rows: Sequence[Mark]) -> str:
    shares = {row["row"]: row["start"] for row in rows if row["note"] is None and row["phase"] in STEADY.values()}
    what = f"Share of set-up, first step and {N_STEADY_STEPS} steady training steps{scope.place()}"
    if not shares:
        return f"{what}: {fmt.NOT_MEASURED}."
    most, least = max(shares, key=lambda r: shares[r]), min(shares, key=lambda r: shares[r])
    span = f"{shares[least]:.0%} of the time ({least}) to {shares[most]:.0%} ({most})"
    return f"{what}. The steady steps begin after {span}."


def _stack(rows: list[Mark], *, narrow: bool) -> Layers:
    """Bars of one whole; a rule marks the interval of the place where the steady steps begin."""
    labels = list(dict.fromkeys(row["row"] for row in rows))
    texts_of = {label: axes.wrapped(label, 17 if narrow else 27) for label in labels}
    row_px = max(LINE_PX * (text.count("|") + 1) for text in texts_of.values()) + 2
    names, places = {}, {}
    for place, (label, text) in enumerate(texts_of.items()):
        places[label] = place + 0.5
        names[round(place + 0.5 - text.count("|") / 2 * LINE_PX / row_px, 3)] = text
    data = [
        row | {"y": places[row["row"]], "top": places[row["row"]] - 0.3, "foot": places[row["row"]] + 0.3}
        for row in rows
    ]
    y_scale = alt.Scale(domain=[0, len(labels)], reverse=True, nice=False, zero=False)
    y_axis = axes.names_axis(names)
    base = alt.Chart(axes.data(data)).encode(y=alt.Y("y:Q", scale=y_scale, axis=y_axis))
    title = "share of the time; total at the right"
    x_scale = alt.Scale(domain=[0, 1.34 if narrow else 1.13], nice=False)
    bars = (
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
            color=_phase_colour(rows, narrow=narrow),
        )
    )
    texts = (
        base.transform_filter("isValid(datum.total)")
        .transform_calculate(at="1.012")
        .mark_text(align="left", fontSize=TEXT_PX[narrow], color=COLOURS["ink"])
        .encode(x=alt.X("at:Q", scale=x_scale, title=title), text=alt.Text("total:N")),
        base.transform_filter("datum.start == null")
        .transform_calculate(text=f"truncate(datum.note, {30 if narrow else 80})")
        .mark_text(align="left", fontSize=TEXT_PX[narrow], fontStyle="italic", color=COLOURS["missing"])
        .encode(x=alt.XValue(4), text=alt.Text("text:N")),
    )
    spread = _spread(base, alt.X("low:Q", scale=x_scale, title=title))
    return axes.layered(bars, *spread, *texts, height=max(60, round(len(labels) * row_px)))


def _phase_colour(rows: Sequence[Mark], *, narrow: bool) -> alt.Color:
    """A colour for each phase that is drawn."""
    colours = {PHASE_NAMES[phase]: COLOURS[role] for phase, role in PHASE_ROLES.items()}
    colours |= {name: COLOURS[f"{device}-tensorflow"] for device, name in STEADY.items()}
    drawn = {row["phase"] for row in rows if row["note"] is None}
    used = [name for name in colours if name in drawn]
    legend = alt.Legend(
        orient="top", title=None, columns=2 if narrow else 4 if len(used) > 6 else 6, symbolType="square"
    )
    scale = alt.Scale(domain=used, range=[colours[name] for name in used])
    return alt.Color("phase:N", scale=scale, legend=legend if used else None)


def _spread(base: alt.Chart, low: alt.X) -> list[alt.Chart]:
    """The interval of the place where the steady steps begin: a rule between two ends."""
    spread = base.transform_filter("isValid(datum.low)")
    rule = spread.mark_rule(color=COLOURS["ink"], strokeWidth=2).encode(x=low, x2=alt.X2("high:Q"))
    ends = spread.mark_tick(color=COLOURS["ink"], thickness=2, size=10)
    return [rule, *(ends.encode(x=alt.X(f"{end}:Q")) for end in ("low", "high"))]
