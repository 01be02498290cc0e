"""Chart and table: how long a job takes by its number of steps, and where the GPU overtakes."""

from __future__ import annotations

from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, curves
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, select, table


@table.table("job-by-steps")
def job_by_steps_table(scope: table.TableScope) -> table.Draft:
    """Time from starting Python to the end of a number of training steps: start-up, first step, steady steps."""
    rows = []
    for arm in select.arms(scope, modes=("train",)):
        machine, workload, _, words = cells.arm(scope, arm)
        record = arm.measured
        if record is None:
            times = [cells.failed(scope, arm.record), *[cells.NOTHING] * (len(quantities.JOB_STEPS) - 1)]
        else:
            times = [cells.estimate(scope, quantities.projected_time(record, n), record) for n in quantities.JOB_STEPS]
        rows.append((machine, workload, words, *times))
    steps = (f"{fmt.count(n)} step{'s' if n > 1 else ''}" for n in quantities.JOB_STEPS)
    return table.Draft(
        caption="Seconds from starting Python to the end of so many training steps, without evaluation (lower is "
        "better): import, device, data, model, first step, and the steady step for each of the others.",
        columns=(table.MACHINE, "workload", "backend", *steps),
        rows=rows,
    )


@chart.chart("job-by-steps", about_gpu=True, of_workload=lambda scope: bool(scope.models()), place=2)
def job_by_steps(scope: chart.Scope) -> chart.Picture:
    """Seconds from starting Python to the end of a number of training steps, by backend and device."""
    workload = scope.workload or marks.most_batches(scope)
    found = []
    for arm in select.arms(scope.of_table, modes=("train",)):
        record, series = arm.measured, axes.series(arm.device, arm.backend)
        if record is None or arm.workload != workload:
            continue
        for n in quantities.JOB_STEPS:
            time = quantities.projected_time(record, n)
            if time is not None:
                found.append(marks.estimated(scope, scope.title_of(workload), series, time, record) | {"x": n})
    title = scope.title_of(workload) if workload else "training"
    return chart.Picture(
        title=f"{_finding(found)}: {title}",
        description=marks.in_words(f"Seconds from start to last step, {title}{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: curves.curves(
            found,
            "training steps (log scale)",
            "time from starting Python (log scale, lower is better)",
            narrow=narrow,
            base=10,
            is_time=True,
        ),
    )


def _finding(found: list[marks.Mark]) -> str:
    """From how many steps on the GPU is ahead; without one, up to how many starting takes longer than training."""
    least: dict[str, dict[int, float]] = {}
    for mark in found:
        by_steps = least.setdefault(mark["series"].rpartition(" ")[2], {})
        by_steps[mark["x"]] = min(mark["value"], by_steps.get(mark["x"], mark["value"]))
    if not least:
        return "Time by the number of steps"
    cpu, gpu = least.get("CPU", {}), least.get("GPU", {})
    last = max(n for by_steps in least.values() for n in by_steps)
    if cpu and gpu:
        ahead = [n for n in cpu if n in gpu and gpu[n] < cpu[n]]
        if not ahead:
            return f"The CPU is done first, even after {fmt.count(last)} steps"
        return f"The GPU is done first from {fmt.count(min(ahead))} step{'s' if min(ahead) > 1 else ''} on"
    (only,) = least.values()
    n_start = max(n for n in only if only[n] <= 2 * only[min(only)])
    if n_start == min(only):
        return "From the first steps on, training takes longer than starting"
    return f"Up to {fmt.count(n_start)} steps, starting takes longer than training"
