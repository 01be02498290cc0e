"""Chart and table: how many times faster the GPU is, by workload."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bench.records.store import SessionResults
from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.marks import Mark
from bench.report.charts.paint import axes, forest
from bench.report.evidence.cells import Contrast
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken
from bench.report.tables import cells, table
from bench.report.tables.table import MACHINE, MODES, NO_GPU, PRECISIONS, Cellv, Draft, TableScope
from bench.schema import Mode, Record


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """GPU against CPU on a workload in one mode; without a ratio what the CPU did, and what is known of a GPU.

    ``series`` is the chart's name for the ratio; empty for the ones that it leaves out.
    """

    session: SessionResults
    workload: str
    mode: Mode
    series: str = ""
    contrast: Contrast | None = None
    cpu: Record | None = None
    failure: Record | None = None
    guess: estimated.Pair | None = None  # an estimated card beside the CPU, where no GPU has trained the workload


def _rows(scope: TableScope, *, modes: tuple[Mode, ...] = (*MODES, "probe")) -> Iterator[Row]:
    """First each device at its best, then the same batch on both with the GPU in each precision."""
    for session in scope.gpus_first():
        for workload in scope.workloads:
            for mode in modes:
                ratios = _ratios(scope, session, workload, mode)
                for series, contrast in ratios:
                    yield Row(session=session, workload=workload, mode=mode, series=series, contrast=contrast)
                cpu = None if ratios else scope.evidence.view(session).best(Pick(workload, mode, "cpu"))
                if cpu is not None:
                    failure = scope.evidence.view(session).failure(Pick(workload, mode, "gpu"))
                    guess = _guess(scope, session, workload) if mode == "train" else None
                    yield Row(session=session, workload=workload, mode=mode, cpu=cpu, failure=failure, guess=guess)


def _guess(scope: TableScope, session: SessionResults, workload: str) -> estimated.Pair | None:
    """The estimate for a workload that no machine has a ratio of, if it stands beside a CPU cell of this session."""
    evidence = scope.evidence
    if any(evidence.view(one).best_contrast(Pick(workload)) for one in evidence.shown if evidence.view(one).has_gpu):
        return None
    return estimated.pair(evidence, workload, only=session)


def _ratios(scope: TableScope, session: SessionResults, workload: str, mode: Mode) -> list[tuple[str, Contrast]]:
    """Ratios of the two devices: the best of each, then one for each precision of the GPU; no pair twice."""
    evidence = scope.evidence
    is_model = evidence.workloads[workload].kind == "model"
    every = [(axes.OURS[0], evidence.view(session).best_contrast(Pick(workload, mode)))] if is_model else []
    for precision in PRECISIONS:
        series = axes.OURS[1] if precision == PRECISIONS[0] else ""
        every.append((series, evidence.view(session).contrast(Pick(workload, mode, precision=precision))))
    found: dict[tuple[str, str], tuple[str, Contrast]] = {}
    for series, one in every:
        if one is not None:
            found.setdefault((one.gpu.cell.id, one.cpu.cell.id), (series, one))
    return list(found.values())


@table.table("cpu-gpu-speedup")
def cpu_gpu_speedup_table(scope: TableScope) -> Draft:
    """GPU against CPU of the same session, with what each side is: a speed-up has a denominator."""
    rows: list[tuple[Cellv, ...]] = []
    for row in _rows(scope):
        title, mode = scope.evidence.title(row.workload), fmt.MODE_NAMES[row.mode]
        start = (scope.machine(row.session), cells.text(title), cells.text(mode))
        if row.contrast is not None:
            rows.append((*start, *cells.sides(scope, row.contrast)))
        elif row.guess is not None:
            rows.append((*start, *_guessed(scope, row.guess)))
        elif row.cpu is not None:
            speed = cells.or_failed(scope, row.cpu, quantities.throughput)
            no_gpu = cells.MISSING if row.session.machine.gpus else NO_GPU
            missing = no_gpu if row.failure is None else cells.failed(scope, row.failure)
            cores = cells.text(scope.evidence.view(row.session).cpu_text(row.cpu))
            rows.append((*start, cells.NOTHING, cores, speed, missing, cells.NOTHING))
    columns = ("workload", "mode", "batch and precision", "CPU and cores", "on the CPU", "on the GPU", "GPU over CPU")
    return Draft(
        caption="How many times faster the GPU is than the CPU of the same session (above 1x: the GPU): each at its "
        "fastest batch and usual precision, then with the same batch; where no GPU was measured, estimated.",
        columns=(MACHINE, *columns),
        rows=rows,
    )


def _guessed(scope: TableScope, guess: estimated.Pair) -> tuple[Cellv, ...]:
    """Settings, CPU, the CPU's measured speed, the card's range and the ratio's."""
    return (
        cells.text(guess.batches),
        cells.text(scope.evidence.view(guess.session).cpu_text(guess.record)),
        *cells.estimated_sides(scope, guess),
    )


@chart.chart("cpu-gpu-speedup", about_gpu=True)
def cpu_gpu_speedup(scope: Scope) -> Picture:
    """How many times faster the GPU trains than the CPU of the same machine, beside what others published.

    First each device as its owner would use it, then both with the same batch in strict float32.
    """
    ours = _ours(scope)
    known = any(mark["value"] is not None for same in ours.values() for mark in same)
    found: list[Mark] = []
    for workload, same in sorted(ours.items(), key=lambda item: -(item[1][0]["value"] or 0.0)):
        others = [other for other in scope.others if other.workload == workload]
        if same[0]["value"] is not None or not (known or others):
            found += same
        if others or same[0]["value"] is not None:
            label = scope.title_of(workload)
            found += [marks.published(label, number, other) for number, other in enumerate(others, 2)]
    return Picture(
        title=_title(ours),
        description=marks.in_words("How many times faster a GPU trains than a CPU", found, fmt.ratio),
        rows=found,
        note=_note(scope, found),
        paint=lambda narrow: forest.forest(
            [_short(mark) if narrow or mark["series"] == axes.OURS[1] else mark for mark in found],
            "times the CPU's speed (log scale; right of 1 the GPU is faster)",
            narrow=narrow,
            rule_at=1.0,
            row_px=13,
        ),
    )


def _short(mark: Mark) -> Mark:
    """The mark without what its two sides are, where the legend says it or a phone has no room: the table has it."""
    return mark | {"label": mark["label"].partition(":")[0]}


def _note(scope: Scope, found: list[Mark]) -> str:
    """What is compared, and who published what stands beside it."""
    is_guess = any(mark.get("kind") == "estimated" for mark in found)
    rows = {mark["row"] for mark in found}
    named = dict.fromkeys(o.source for o in scope.others if o.source and scope.title_of(o.workload) in rows)
    said = [
        f"Estimated: a {estimated.spoken()} beside our CPU." if is_guess else "Training on both devices of a machine."
    ]
    return " ".join([*said, *([f"Published, of other machines: {', '.join(named)}."] if named else [])])


def _title(ours: dict[str, list[Mark]]) -> str:
    """What the ratios are; where all of ours are estimated, how many of them leave no doubt."""
    known = [same[0] for same in ours.values() if same[0]["value"] is not None]
    if not known or any("kind" not in mark for mark in known):
        measured = [mark for mark in known if "kind" not in mark]
        if not measured:
            return "GPU speed over CPU speed, training"
        faster = marks.of_all(sum(mark["low"] > 1 for mark in measured), len(measured))
        most = fmt.number(max(mark["value"] for mark in measured), 2)
        return f"The GPU trains {faster} networks faster than the CPU, at most {most} times as fast"
    faster = marks.of_all(sum(mark["low"] > 1 for mark in known), len(known))
    return f"A {estimated.spoken()} would train {faster} networks faster than our CPU (estimated)"


def _ours(scope: Scope) -> dict[str, list[Mark]]:
    """By workload the marks of our ratios, each with batch and precision, or one that says why there is none."""
    found: dict[str, dict[str, Mark]] = {workload: {} for workload in marks.models(scope)}
    for row in _rows(scope.of_table, modes=("train",)):
        if row.contrast is not None and row.series and row.workload in found:
            title, ratio = scope.title_of(row.workload), row.contrast.speedup
            mark = marks.estimated(scope, title, row.series, ratio, row.contrast.gpu, row.contrast.cpu)
            mark["label"] = f"{fmt.ratio(ratio.value)}: {row.contrast.arms}"
            found[row.workload].setdefault(row.contrast.arms, mark)
        elif row.guess is not None and row.workload in found:
            title, ratio = scope.title_of(row.workload), row.guess.speedup
            said = f"{spoken.spoken(ratio).removesuffix(' times')}x"
            refs = scope.evidence.refs(row.guess.record)
            found[row.workload][said] = marks.guessed(title, axes.ESTIMATED, ratio, said, refs)
    return {
        workload: [*by_arms.values()] or [marks.absent(scope.title_of(workload), axes.OURS[0], fmt.NOT_MEASURED)]
        for workload, by_arms in found.items()
    }
