"""A chart and its table: every mark rests on the cells of a row of the table below it, and shows its number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import pytest

pytest.importorskip("altair")

from bench.report.charts import chart, draw, make_table
from bench.report.evidence.cells import CellRef, is_headline
from bench.report.evidence.evidence import Evidence
from bench.report.prose import readme
from bench.report.tables.table import TableScope
from tests.factories import BUSY, make_evidence, make_gpu, make_machine, make_records, make_session_results

PER_TFLOP = 1e-12  # matmul-rate is drawn in TFLOP/s
IN_SUMS = ("card-ladder", "estimate-against-measured")  # their tables count and span what others published
NO_NUMBER = ("phase-times", "warm-up")  # their marks are parts of what the row shows


@cache
def evidence(name: str) -> Evidence:
    if name == "stored":
        return readme.committed_evidence()
    if name == "disturbed":
        return disturbed()
    return make_evidence(gpu=name != "cpu", local=name == "local", n_runs=2, n_blocks=4)


def disturbed() -> Evidence:
    """A machine with a GPU whose fastest cells, those without a compiler, were measured beside something else."""
    common = {"devices": ("cpu", "gpu"), "n_runs": 2, "n_blocks": 4, "threads": 16}
    calm, busy = make_records(**common), make_records(**common, run_fields=BUSY)
    records = [b if is_headline(b) and b.cell.jit == "off" else c for c, b in zip(calm, busy, strict=True)]
    machine = make_machine("gpu-16c", gpus=(make_gpu(),))
    return make_evidence(make_session_results(records, machine=machine))


def drawn(found: Evidence) -> Iterator[tuple[str, str]]:
    """Every chart that a page may call, with its workload: of all workloads, and those of the pages of each."""
    yield from ((chart_id, "") for chart_id in chart.ids())
    for workload, spec in found.workloads.items():
        scope = TableScope(evidence=found, sessions=found.shown, workloads=(workload,))
        yield from ((chart_id, workload) for chart_id in chart.of_workload(scope))
        if spec.series:
            yield "study", workload


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stored", "cpu", "gpu", "local", "disturbed"])
def test_every_mark_is_a_number_of_a_row_of_its_table(name: str):
    found, wrong, n_marks = evidence(name), [], 0
    for chart_id, workload in drawn(found):
        session, made = draw.picture(chart_id, found, workload=workload)
        assert len(made.title) <= 100, "two lines on a desk, four on a phone"
        table = make_table.make(chart_id, found, workload=workload, first=session)
        rows = [
            (
                {ref for cell in row for ref in cell.cells},
                {cell.estimate.value for cell in row if cell.estimate is not None},
            )
            for row in table.rows
        ]
        for mark in made.rows:
            if mark.get("value") is None and mark.get("seconds") is None:
                continue
            if chart_id in IN_SUMS and mark.get("kind") == "published":
                continue
            n_marks += 1
            refs: set[CellRef] = set(mark["cells"])
            is_ours = "kind" not in mark
            numbers = [value for cells, values in rows if refs <= cells and (refs or not is_ours) for value in values]
            is_shown = chart_id in NO_NUMBER or any(
                math.isclose(mark["value"], value * unit) for value in numbers for unit in (1, PER_TFLOP)
            )
            if not numbers or not is_shown:
                wrong.append((chart_id, workload, mark))

    assert n_marks > 100
    assert [] == wrong
