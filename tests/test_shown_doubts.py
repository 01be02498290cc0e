"""What pages say of a measurement's own doubts: its trace, its control kernel, a session that differs from itself."""

from __future__ import annotations

import pytest

from bench.report.charts import make_table as make
from bench.report.pages import cell_pages
from bench.schema import Control, Run
from tests.factories import (
    make_evidence,
    make_gpu,
    make_machine,
    make_record,
    make_records,
    make_run,
    make_session,
    make_session_results,
)

FLAT = [0.5, 0.51, 0.505] * 8


def text_of(run: Run) -> str:
    return "\n".join(cell_pages.run_lines(run))


def test_a_runs_trace_has_its_name_and_the_steady_part_is_marked():
    text = text_of(make_run(step_s=[1.0, 1.01, 0.99, 1.0, *FLAT], warmup=()))

    (line,) = [line for line in text.splitlines() if line.startswith("trace")]
    assert "warm-up, steady from block 5" in line
    assert line.endswith("1 from 1 0.505 from 5")


def test_a_trace_too_short_to_tell_has_no_name():
    assert "trace" not in text_of(make_run(step_s=[0.5, 0.5], warmup=()))


def test_traces_are_counted_over_runs():
    runs = [make_run(0, step_s=FLAT, warmup=()), make_run(1, step_s=[*FLAT, *[0.9] * 12], warmup=())]

    assert "flat in 1 of 2 runs, slow-down in 1 of 2 runs" == cell_pages.traces_of(make_record(runs=runs))
    assert "" == cell_pages.traces_of(make_record(status="failed"))


def test_drift_of_the_control_kernel_is_shown():
    run = make_run(control_before=Control(n=64, seconds=(1.0,)), control_after=Control(n=64, seconds=(1.25,)))

    assert "after over before: 1.250" in text_of(run)


@pytest.mark.parametrize(("n_runs", "note"), [(5, ""), (1, "not tested against itself")])
def test_a_machine_that_was_not_tested_against_itself_says_so_beside_its_name(n_runs: int, note: str):
    lead = make_session_results([make_record("resnet50")])
    machine = make_machine("gpu-16c", cpu_model="Example Server CPU", gpus=(make_gpu(),))
    records = make_records(workloads=("resnet50",), backends=("jax",), devices=("cpu", "gpu"), n_runs=n_runs)
    session = make_session(records, machine_id=machine.id, id="2026-11-02", profile="quick")
    other = make_session_results(records, machine=machine, session=session)
    evidence = make_evidence(lead, other)
    assert evidence.lead is lead

    rows = make.make("headline", evidence, workload="resnet50").rows

    assert [note, ""] == [row[0].note for row in rows]
