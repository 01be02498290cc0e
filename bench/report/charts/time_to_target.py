"""Chart and table: time until a network is as good as its target."""

from __future__ import annotations

import dataclasses

from bench.report.charts import chart, marks
from bench.report.charts.paint import forest
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables import cells, select, table
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope
from bench.schema import Record, Target


@table.table("target-by-batch")
def target_by_batch(scope: TableScope) -> Draft:
    """What each batch size learns: whether the runs met the target, after how many epochs, and in what time."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            target = scope.evidence.workloads[workload].target
            if target is None:
                continue
            found = [r for r in select.strict(scope, session, workload) if quantities.reached_frac(r) is not None]
            for best in select.best_by_batch(scope, found):
                time, epochs, share = _of_target(scope, best)
                rows.append((
                    scope.machine(session),
                    cells.text(cells.arm_text(best.cell.backend, best.cell.device)),
                    cells.text(fmt.count(best.cell.batch_size)),
                    epochs,
                    time,
                    share,
                    cells.text(scope.evidence.title(workload)),
                    _aim(target),
                ))  # fmt: skip
    return Draft(
        caption="Training until the target was met on held-out data, by batch size, all else and the learning rate "
        "the same (fewer seconds are better). Each run has a seed of its own.",
        columns=(MACHINE, "backend", "batch size", "epochs", "training", "runs that met it", "workload", "target"),
        rows=rows,
    )


def _aim(target: Target) -> Cellv:
    return cells.text(f"{fmt.percent(target.at_least)} {target.metric}")


def _of_target(scope: TableScope, record: Record) -> tuple[Cellv, Cellv, Cellv]:
    """Seconds of training until the target was met, epochs from least to most, and the share of runs that met it."""
    epochs = sorted(epoch for epoch in quantities.epochs_to_target(record) if epoch is not None)
    counted = " to ".join(dict.fromkeys(fmt.count(epoch) for epoch in (*epochs[:1], *epochs[-1:])))
    return (
        _or_missed(scope, quantities.time_to_target(record), record),
        Cellv(text=counted or fmt.NOT_REACHED, cells=scope.evidence.refs(record)),
        cells.estimate(scope, quantities.reached_frac(record), record),
    )


def _or_missed(scope: TableScope, time: Estimate | None, record: Record) -> Cellv:
    """A time until the target was met, or that it was not."""
    if time is None:
        return Cellv(text=fmt.NOT_REACHED, cells=scope.evidence.refs(record))
    return cells.estimate(scope, time, record)


def _rows(scope: TableScope) -> list[tuple[select.Arm, Target]]:
    """The arms of every network with a target, each with it."""
    arms = select.arms(scope, modes=("train",), by="time_to_target")
    targets = {id_: spec.target for id_, spec in scope.evidence.workloads.items()}
    return [(arm, target) for arm in arms if (target := targets[arm.workload]) is not None]


@table.table("time-to-target")
def time_to_target_table(scope: TableScope) -> Draft:
    """Time until the quality target was met, with the share of runs that met it."""
    rows = []
    for arm, target in _rows(scope):
        machine, workload, _, words = cells.arm(scope, arm)
        record = arm.measured
        if record is None:
            times = [cells.failed(scope, arm.record), cells.NOTHING, cells.NOTHING, cells.NOTHING]
        else:
            time, *rest = _of_target(scope, record)
            times = [time, _or_missed(scope, quantities.whole_time_to_target(record), record), *rest]
        rows.append((machine, workload, _aim(target), words, *times))
    return Draft(
        caption="Seconds of training until the target was met on held-out data (lower is better).",
        columns=(
            MACHINE,
            "workload",
            "target",
            "arm",
            "training",
            "from starting Python",
            "epochs",
            "runs that met it",
        ),
        rows=rows,
    )


def _has_target(scope: TableScope) -> bool:
    return any(scope.evidence.workloads[workload].target for workload in scope.models())


@chart.chart("time-to-target", of_workload=_has_target, place=5)
def time_to_target(scope: chart.Scope) -> chart.Picture:
    """Seconds of training until the target's quality was met, by backend and device."""
    known = {arm.key: arm.record for arm, _ in _rows(scope.of_table)}
    found = []
    for workload in marks.models(scope):
        if scope.evidence.workloads[workload].target is None:
            continue
        for _, label, series, record in marks.every_arm(dataclasses.replace(scope, workload=workload), known):
            mark = marks.quantity(scope, label, series, record, quantities.time_to_target)
            if record is not None and record.status == "ok" and mark["value"] is None:
                mark["note"] = "target not reached"
            found.append(mark)
    found = marks.drawn(found, rising=True)
    return chart.Picture(
        title=_title(found),
        description=marks.in_words(f"Seconds of training until the target was met{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: forest.forest(
            found, "time until the goal is met (log scale, lower is better)", narrow=narrow, row_px=16, is_time=True
        ),
        note="Training from the first epoch until the network is as good as we asked for on data it has not seen.",
    )


SOON_S = 60.0


def _title(found: list[marks.Mark]) -> str:
    """How many networks meet their goal within a minute, each in its fastest framework."""
    best: dict[str, float] = {}
    for mark in found:
        if mark["value"] is not None:
            best[mark["row"]] = min(mark["value"], best.get(mark["row"], mark["value"]))
    if not best:
        return "Time until a network is good enough"
    if len(best) == 1:
        ((name, time),) = best.items()
        return f"{name}: good enough after {marks.spoken(time)}"
    n_soon = sum(time <= SOON_S for time in best.values())
    return f"{marks.of_all(n_soon, len(best))} small networks are good enough within a minute".capitalize()
