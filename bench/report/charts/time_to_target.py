"""Chart and table: time until a network is as good as its target."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import forest
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.report.tables import cells, select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope
from bench.schema import Record


@table.table("target-by-batch")
def target_by_batch(scope: TableScope) -> Draft:
    """What each batch size learns: whether the runs met the target, after how many epochs, and in what time."""
    rows = []
    for session in scope.sessions:
        for workload in scope.models():
            target = scope.evidence.workloads[workload].target
            found = [r for r in select.strict(scope, session, workload) if quantities.reached_frac(r) is not None]
            for best in select.best_by_batch(scope, found) if target is not None else ():
                time, epochs, share = _of_target(scope, best)
                rows.append((
                    scope.machine(session),
                    cells.text(cells.arm_text(best.cell.backend, best.cell.device)),
                    cells.text(fmt.count(best.cell.batch_size)),
                    epochs,
                    time,
                    share,
                    cells.text(scope.evidence.title(workload)),
                    cells.text(f"{fmt.percent(target.at_least)} {target.metric}"),
                ))  # fmt: skip
    return Draft(
        caption="Training until the target was met on held-out data, by batch size, all else and the learning rate "
        "the same (fewer seconds are better). Each run has a seed of its own.",
        columns=(MACHINE, "arm", "batch size", "epochs", "training", "runs that met it", "workload", "target"),
        rows=rows,
    )


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


@table.table("time-to-target")
def time_to_target_table(scope: TableScope) -> Draft:
    """Time until the quality target was met, with the share of runs that met it."""
    evidence = scope.evidence
    rows = []
    for session, workload, mode, device in select.arms(scope, modes=("train",)):
        target = evidence.workloads[workload].target
        if target is None:
            continue
        for backend, record, failure in select.by_backend(scope, session, workload, mode, device, by="time_to_target"):
            aim = f"{fmt.percent(target.at_least)} {target.metric}"
            start = (cells.text(evidence.title(workload)), cells.text(aim), cells.text(cells.arm_text(backend, device)))
            if record is None:
                rows.append((scope.machine(session), *start, cells.failed(scope, failure), NOTHING, NOTHING, NOTHING))
                continue
            time, *rest = _of_target(scope, record)
            whole = _or_missed(scope, quantities.whole_time_to_target(record), record)
            rows.append((scope.machine(session), *start, time, whole, *rest))
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


@chart.chart("time-to-target")
def time_to_target(scope: Scope) -> Picture:
    """Seconds of training until the target's quality was met, by backend and device."""
    found = []
    for workload, spec in scope.evidence.workloads.items():
        if spec.target is None or (scope.workload and workload != scope.workload):
            continue
        for device, backend in marks.arms(scope):
            strict = marks.strict_rows(scope, workload, "train")
            rows = [r for r in strict if r["device"] == device and r["backend"] == backend and r["headline"]]
            ok = [r for r in rows if r.get("time_to_target_s") is not None]
            row = min(ok, key=lambda r: r["time_to_target_s"]) if ok else (rows or [None])[0]
            mark = marks.mark_row(scope, row, workload, device, backend, "time_to_target_s")
            if row is not None and row["status"] == "ok" and not ok:
                mark["note"] = "target not reached"
            found.append(mark)
    found = marks.collapsed(found)
    if not scope.has_gpu():
        found.append(marks.absent("GPU", "GPU", scope.without_gpu()))
    return Picture(
        title="Time to the target quality",
        description=marks.in_words(f"Seconds of training until the target was met{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: forest.forest(found, "seconds (lower is better)", narrow=narrow, log=False, row_px=22),
    )
