"""Chart and table: how many times faster the GPU is, by workload."""

from __future__ import annotations

from typing import Any

from bench.records.store import SessionResults
from bench.report.charts import chart
from bench.report.charts import marks as charts_marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import forest
from bench.report.charts.paint.axes import NOT_MEASURED, OURS
from bench.report.evidence.cells import Contrast
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick, View
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells, table
from bench.report.tables.cells import MISSING, NOTHING
from bench.report.tables.table import MACHINE, MODES, NO_GPU, PRECISIONS, Draft, TableScope
from bench.schema import Mode


@table.table("cpu-gpu-speedup")
def cpu_gpu_speedup_table(scope: TableScope) -> Draft:
    """GPU against CPU of the same session, with what each side is: a speed-up has a denominator.

    First each device at its best, then the same batch on both with the GPU in each precision.
    """
    evidence = scope.evidence
    rows = []
    for session in scope.gpus_first():
        for workload in scope.workloads:
            for mode in (*MODES, "probe"):
                start = (scope.machine(session), cells.text(evidence.title(workload)), cells.text(fmt.MODE_NAMES[mode]))
                contrasts = _contrasts(evidence, session, workload, mode)
                rows += [(*start, *cells.sides(scope, contrast)) for contrast in contrasts]
                if not contrasts and (cpu := evidence.view(session).best(Pick(workload, mode, "cpu"))) is not None:
                    failure = evidence.view(session).failure(Pick(workload, mode, "gpu"))
                    speed = cells.estimate(scope, quantities.throughput(cpu), cpu, noun=evidence.noun(workload))
                    no_gpu = MISSING if session.machine.gpus else NO_GPU
                    missing = no_gpu if failure is None else cells.failed(scope, failure)
                    rows.append(
                        (*start, NOTHING, cells.text(evidence.view(session).cpu_text(cpu)), speed, missing, NOTHING)
                    )
    columns = ("workload", "mode", "batch and precision", "CPU and cores", "on the CPU", "on the GPU", "GPU over CPU")
    return Draft(
        caption="How many times faster the GPU is than the CPU of the same session (above 1x: the GPU): each at its "
        "fastest batch and usual precision, then with the same batch.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


def _contrasts(evidence: Evidence, session: SessionResults, workload: str, mode: Mode) -> list[Contrast]:
    """Ratios of the two devices: the best of each, then one for each precision of the GPU; no pair twice."""
    every = (
        [evidence.view(session).best_contrast(Pick(workload, mode))]
        if evidence.workloads[workload].kind == "model"
        else []
    )
    every += [evidence.view(session).contrast(Pick(workload, mode, precision=precision)) for precision in PRECISIONS]
    found: dict[tuple[str, str], Contrast] = {}
    for one in filter(None, every):
        found.setdefault((one.gpu.cell.id, one.cpu.cell.id), one)
    return list(found.values())


@chart.chart("cpu-gpu-speedup")
def cpu_gpu_speedup(scope: Scope) -> Picture:
    """How many times faster the GPU trains than the CPU of the same machine, beside what others published.

    First each device as its owner would use it, then both with the same batch in strict float32.
    """
    found: list[dict[str, Any]] = []
    rows = {workload: _speedups(scope, workload) for workload in charts_marks.models(scope)}
    measured = any(mark["value"] is not None for marks in rows.values() for mark in marks)
    for workload, marks in sorted(rows.items(), key=lambda item: -(item[1][0]["value"] or 0.0)):
        others = [other for other in scope.others if other.workload == workload]
        if others or marks[0]["value"] is not None or not measured:
            found += marks
            found += [
                charts_marks.published(scope.title_of(workload), number, other)
                for number, other in enumerate(others, 2)
            ]
    return Picture(
        title="GPU speed over CPU speed, training",
        description=charts_marks.in_words("How many times faster a GPU trains than a CPU", found, fmt.ratio),
        rows=found,
        paint=lambda narrow: forest.forest(
            found,
            "times the CPU's speed (log scale; right of 1 the GPU is faster)",
            narrow=narrow,
            rule_at=1.0,
            row_px=16,
        ),
    )


def _speedups(scope: Scope, workload: str) -> list[dict[str, Any]]:
    """The marks of our ratios of one workload, each with batch and precision; one that says why there is none."""
    label, evidence = scope.title_of(workload), scope.evidence
    best, same = (make(evidence.view(scope.session), Pick(workload)) for make in (View.best_contrast, View.contrast))
    marks = []
    for series, contrast in zip(OURS, (best, same), strict=True):
        if contrast is not None and (contrast is best or best is None or contrast.arms != best.arms):
            mark = charts_marks.estimated(label, series, contrast.speedup)
            marks.append(mark | {"label": f"{fmt.ratio(contrast.speedup.value)}: {contrast.arms}"})
    return marks or [charts_marks.absent(label, OURS[0], NOT_MEASURED)]
