"""Verdicts follow from the evidence: change the times and they flip."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.records.store import Results
from bench.report.claims import case
from bench.report.evidence import jobs
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.stats import quantities
from bench.schema import Block, Record
from tests.beliefs import BELIEFS, judge
from tests.factories import (
    make_cell,
    make_evidence,
    make_job,
    make_machine,
    make_record,
    make_run,
    make_session,
    make_session_results,
)

ROOT = Path(__file__).parents[1]
COURSE = ("cnn-digits", "mlp-tabular", "lstm-text", "transformer-text")


def slowed(record: Record, factor: float) -> Record:
    """The record with every time multiplied."""
    runs = []
    for run in record.runs:
        job = run.job and msgspec.structs.replace(
            run.job,
            seconds=run.job.seconds * factor,
            epochs=tuple(msgspec.structs.replace(e, at_s=e.at_s * factor) for e in run.job.epochs),
        )
        blocks = tuple(Block(n_steps=b.n_steps, seconds=b.seconds * factor) for b in run.blocks)
        phases = {name: seconds * factor for name, seconds in run.phases_s.items()}
        runs.append(msgspec.structs.replace(run, job=job, blocks=blocks, phases_s=phases))
    return msgspec.structs.replace(record, runs=tuple(runs))


def judged(verdict_id: str, *records: Record, **session_fields) -> case.Verdict:
    session = make_session(records, **session_fields)
    return judge(verdict_id, make_evidence(make_session_results(records, session=session)))


def reaching(*qualities: float, seconds: float = 60.0) -> Record:
    """A digits record in which each run ends with one of these accuracies."""
    cell = make_cell("cnn-digits")
    runs = [make_run(i, cell=cell, job=make_job(seconds, (quality,))) for i, quality in enumerate(qualities)]
    return make_record("cnn-digits", runs=runs)


# All of them.

ON_RECORDS = tuple(id_ for id_, entry in BELIEFS.items() if entry.basis == "records")
ON_PUBLISHED = tuple(id_ for id_, entry in BELIEFS.items() if entry.basis == "published")


def test_every_misconception_is_a_belief_and_many_are_judged():
    pages = {path.stem for path in (ROOT / "docs" / "misconceptions").glob("*.md")} - {"index"}

    assert pages == set(BELIEFS)
    assert len(BELIEFS) >= 30


@pytest.mark.parametrize("verdict_id", ON_RECORDS)
def test_without_records_nothing_is_decided(verdict_id: str):
    found = judge(verdict_id, Evidence(Results(()), {}))

    assert "not measured" == found.outcome
    assert found.tally.endswith(".")
    assert () == found.cells


@pytest.mark.parametrize("verdict_id", ON_RECORDS)
def test_smoke_runs_decide_nothing(verdict_id: str):
    records = [make_record(workload, profile="smoke") for workload in COURSE]

    assert "not measured" == judged(verdict_id, *records, profile="smoke").outcome


@pytest.mark.parametrize("verdict_id", ON_PUBLISHED)
def test_a_verdict_on_published_figures_cites_them_and_says_so(verdict_id: str):
    found = judge(verdict_id, Evidence(Results(()), {}))

    assert "published" == found.basis
    assert found.outcome in ("true", "false", "depends")
    named = found.figures or [case.part.text for case in found.cases if case.part.is_published]
    assert named and all(published.lookup(row).source for row in found.figures)
    assert found.tally.startswith("Published")
    assert found.rule.endswith(".") and "interval" not in found.rule


@pytest.fixture(scope="module")
def on_a_gpu() -> Evidence:
    """Results of a machine with a GPU; what is computed from them once is kept for all verdicts."""
    return make_evidence(gpu=True)


@pytest.mark.parametrize("verdict_id", ON_RECORDS)
def test_every_number_of_a_sentence_names_cells_that_exist(verdict_id: str, on_a_gpu: Evidence):
    evidence = on_a_gpu
    found = judge(verdict_id, evidence)

    resolved = evidence.resolve(found.cells)

    assert verdict_id == found.id
    assert found.outcome in case.OUTCOMES
    assert all(cell in session.records for session, cell in resolved)
    assert found.sentence == "".join(part.text for part in found.parts)
    assert found.belief.endswith(".") and found.rule.endswith(".")
    if found.outcome != "not measured":
        assert found.numbers


@pytest.mark.parametrize(
    "verdict_id",
    [
        "always-requires-gpu",
        "only-for-training",
        "not-feasible-without-gpu",
        "gpu-is-always-faster",
        "gpu-is-a-hundred-times-faster",
        "lstm-gains-nothing",
        "bigger-batch-is-always-faster",
        "compiling-always-helps",
        "jax-is-always-the-fastest",
        "first-step-tells-the-speed",
        "predict-in-a-loop-is-free",
        "gpu-has-more-memory",
        "keras-needs-device-code",
    ],
)
def test_a_machine_with_a_gpu_decides(verdict_id: str, on_a_gpu: Evidence):
    assert "not measured" != judge(verdict_id, on_a_gpu).outcome


def test_unknown_verdict_names_the_nearest():
    with pytest.raises(LookupError, match="only-for-training"):
        judge("only-for-trainin", make_evidence())


# Always requires a GPU.


def test_course_jobs_that_end_in_a_break_make_the_belief_false():
    found = judged("always-requires-gpu", *(make_record(workload) for workload in COURSE))

    assert "false" == found.outcome
    assert "4 of 4 course-size jobs end within 10 min" in found.tally
    assert "2 cores" in found.tally


def test_ten_hundred_times_slower_records_flip_it_to_true():
    records = [slowed(make_record(workload), 1000) for workload in COURSE]

    found = judged("always-requires-gpu", *records)

    assert "true" == found.outcome
    assert "0 of 4" in found.tally
    assert "They take: " in found.tally


def test_one_of_four_depends_and_lists_those_that_take_longer():
    records = [make_record(COURSE[0]), *(slowed(make_record(workload), 1000) for workload in COURSE[1:])]

    found = judged("always-requires-gpu", *records)

    assert "depends" == found.outcome
    assert "Longer: Dense net on tabular rows" in found.tally


def test_exactly_half_is_enough():
    records = [make_record(w) for w in COURSE[:2]] + [slowed(make_record(w), 1000) for w in COURSE[2:]]

    assert "false" == judged("always-requires-gpu", *records).outcome


def test_an_interval_across_the_limit_counts_for_neither_side():
    cell = make_cell("mlp-tabular")
    straddling = make_record(
        "mlp-tabular",
        runs=[make_run(i, cell=cell, job=make_job(s, (None,) * 3)) for i, s in enumerate((500, 550, 590, 650, 700))],
    )
    others = [slowed(make_record(workload), 1000) for workload in ("lstm-text", "transformer-text")]

    found = judged("always-requires-gpu", straddling, *others)

    assert "depends" == found.outcome
    assert "0 of 3" in found.tally


def test_two_jobs_decide_nothing():
    found = judged("always-requires-gpu", *(make_record(workload) for workload in COURSE[:2]))

    assert "not measured" == found.outcome
    assert "2 of the 3" in found.tally


def test_a_job_that_failed_is_a_job_that_did_not_end():
    records = [make_record(w) for w in COURSE[:3]] + [make_record("transformer-text", status="out_of_memory")]

    found = judged("always-requires-gpu", *records)

    assert "3 of 4" in found.tally
    assert "ran out of memory" in found.tally


def test_a_skipped_workload_is_no_job():
    records = [make_record(w) for w in COURSE[:3]] + [make_record("transformer-text", status="skipped")]

    assert "3 of 3" in judged("always-requires-gpu", *records).tally


def test_a_local_session_is_called_this_machine():
    records = [make_record(workload) for workload in COURSE]
    evidence = make_evidence(make_session_results(records, machine=make_machine("own"), is_local=True))

    assert "On this machine (Example CPU 2.1 GHz, 2 cores)" in judge("always-requires-gpu", evidence).tally


# Jobs.


def jobs_of(*records: Record, sweeps: bool = False) -> dict[str, jobs.Job]:
    evidence = make_evidence(session := make_session_results(records))
    return {job.name: job for job in jobs.jobs(evidence, session, sweeps=sweeps)}


def test_a_workload_that_times_no_job_is_computed_from_its_parts():
    record = make_record("lstm-text", jitter_frac=0, step_s=0.1)

    job = jobs_of(record)["LSTM on characters"]

    # 20,000 sequences in batches of 64 are 313 steps; set-up 4.2 + 0.1 + 0.2 + 0.8 s, first step 2.1 s.
    assert 5.3 + 2.1 + 312 * 0.1 == pytest.approx(job.time.value)
    assert "20,000 sequences / 64 = 313 steps: 5.3 s set-up + 2.1 s first step + 312 x 100 ms" == job.arithmetic
    assert not job.is_measured


def test_a_timed_job_counts_from_starting_python():
    record = make_record("mlp-tabular", jitter_frac=0)

    job = jobs_of(record)["Dense net on tabular rows"]

    assert job.is_measured
    assert quantities.whole_job_time(record) == job.time
    assert "measured, 49,152 rows" == job.arithmetic


def test_a_job_shortened_by_its_profile_is_computed_at_reference_size():
    record = make_record("transfer-2000", profile="quick", n_samples=100, step_s=1.0, jitter_frac=0)

    assert 2000 == jobs.job_samples(record, make_evidence().workloads["transfer-2000"])
    job = next(iter(jobs_of(record, sweeps=True).values()))
    assert not job.is_measured
    assert "2,000 images / 25 = 80 steps" in job.arithmetic


def test_the_fastest_backend_speaks_for_a_job():
    slow, fast = make_record("lstm-text"), make_record("lstm-text", backend="torch", step_s=0.001)

    assert fast is jobs_of(slow, fast)["LSTM on characters"].record


def test_an_arm_that_reaches_its_target_goes_before_a_faster_one_that_does_not():
    sure = reaching(0.98, 0.98, 0.98, seconds=50)
    runs = [
        make_run(i, cell=make_cell("cnn-digits", jit="on"), job=make_job(10, (quality,)))
        for i, quality in enumerate((0.98, 0.98, 0.5))
    ]
    unsure = make_record("cnn-digits", jit="on", runs=runs)

    assert sure is jobs_of(sure, unsure)["Convnet on handwritten digits"].record


def test_sweeps_are_jobs_only_when_asked_for():
    headline = make_record("mlp-tabular")
    wide = make_record("mlp-tabular", params={"width": 1024})

    assert ["Dense net on tabular rows (width 128)"] == list(jobs_of(headline, wide))
    assert 2 == len(jobs_of(headline, wide, sweeps=True))


# Only for training.


def pair(speedup: float, workload: str = "resnet50", **fields) -> tuple[Record, Record]:
    common = {"mode": "infer", "jitter_frac": 0.02} | fields
    return (
        make_record(workload, device="cpu", step_s=1.0, **common),
        make_record(workload, device="gpu", step_s=1.0 / speedup, **common),
    )


@pytest.mark.parametrize(("speedups", "outcome"), [
    ((5.0,), "false"),
    ((1.2,), "true"),
    ((0.5, 1.5), "true"),
    ((0.5, 5.0), "false"),
    ((2.0,), "depends"),  # the interval contains the threshold
])  # fmt: skip
def test_gain_at_inference_decides(speedups, outcome):
    workloads = ("resnet50", "lstm-text")
    records = [r for s, w in zip(speedups, workloads, strict=False) for r in pair(s, w, jitter_frac=0.2)]

    assert outcome == judged("only-for-training", *records).outcome


def test_training_on_a_gpu_says_nothing_about_inference():
    found = judged("only-for-training", make_record(device="cpu"), make_record(device="gpu"))

    assert "not measured" == found.outcome


def test_without_a_gpu_the_cpu_number_is_given():
    found = judged("only-for-training", make_record(mode="infer"), make_record("lstm-text", mode="infer"))

    assert "not measured" == found.outcome
    assert "ResNet-50, 224 px reaches" in found.tally
    assert 1 == len(found.cells)


def test_gpu_and_cpu_of_different_sessions_are_never_compared():
    cpu, gpu = pair(10.0)
    one = make_session_results([cpu], machine=make_machine("one"))
    two = make_session_results([gpu], machine=make_machine("two"))

    assert "not measured" == judge("only-for-training", make_evidence(one, two)).outcome


def test_sentence_names_the_denominator_and_what_falls_short():
    found = judged("only-for-training", *pair(10.0), *pair(1.1, "lstm-text"))

    assert "Example CPU 2.1 GHz, 2 cores" in found.tally
    assert "1 of 2 comparisons reach 2x" in found.tally
    assert "those that do not: LSTM on characters" in found.tally


# How many times faster.


def as_used(*, workload: str = "resnet50", **fields) -> tuple[Record, ...]:
    """A GPU that gains thirty times at equal settings, and 150 times with a batch and a precision of its own."""
    common = {"workload": workload, "jitter_frac": 0.0, **fields}
    return (
        make_record(**common, device="cpu", step_s=8.0, batch_size=8),
        make_record(**common, device="gpu", step_s=8.0 / 30, batch_size=8),
        make_record(**common, device="gpu", step_s=256 / 150, batch_size=256, precision="mixed_bfloat16"),
    )


def test_times_faster_rests_on_each_device_as_used_and_tells_equal_settings_second():
    found = judged("gpu-is-a-hundred-times-faster", *as_used())

    assert "true" == found.outcome
    assert "false" == judged("gpu-is-a-hundred-times-faster", *as_used()[:2]).outcome
    assert "ResNet-50, 224 px, batch 256, bfloat16, against batch 8, float32, 150x (" in found.tally
    assert "At equal settings on both: ResNet-50, 224 px, batch 8, strict float32 on both, 30.0x (" in found.tally
    several = judged("gpu-is-a-hundred-times-faster", *as_used(), *as_used(workload="mobilenet-v2"))
    assert "2 of 2 networks would gain a hundred times" in several.tally
    assert "At equal settings on both: 0 of 2; lowest: " in several.tally


def test_where_only_equal_settings_were_measured_the_sentence_says_so_once():
    found = judged("good-cpu-is-nearly-as-fast", *as_used()[:2])

    assert "batch 8, strict float32 on both, 30.0x" in found.tally
    assert "At equal settings" not in found.tally


def test_inference_names_batch_and_precision_of_both_sides():
    found = judged("only-for-training", *as_used(mode="infer"))

    assert "ResNet-50, 224 px, batch 256, bfloat16, against batch 8, float32, a GPU is 150x" in found.tally
    assert "At equal settings on both, batch 8, strict float32 on both: 30.0x" in found.tally


def test_a_size_counts_against_the_gpu_only_if_no_precision_of_it_wins():
    slow = (
        make_record(device="cpu", step_s=1.0, jitter_frac=0.0),
        make_record(device="gpu", step_s=1.1, jitter_frac=0.0),
    )

    assert "false" == judged("gpu-is-always-faster", *slow).outcome
    better = make_record(device="gpu", step_s=0.5, jitter_frac=0.0, precision="tf32")
    found = judged("gpu-is-always-faster", *slow, better)
    assert "true" == found.outcome
    assert "batch 8 on both, TF32 against float32, 2.00x" in found.tally


# Not feasible without a GPU.


def test_reaching_the_target_in_every_run_makes_the_belief_false():
    found = judged("not-feasible-without-gpu", reaching(0.98, 0.97, 0.99), make_record("resnet50"))

    assert "false" == found.outcome
    assert "3 of 3 runs" in found.tally
    assert "ResNet-50, 224 px, with 25.6 million weights" in found.tally


def test_reaching_it_in_some_runs_depends():
    found = judged("not-feasible-without-gpu", reaching(0.98, 0.5, 0.99))

    assert "depends" == found.outcome
    assert "2 of 3 runs" in found.tally


def test_never_reaching_it_makes_the_belief_true():
    assert "true" == judged("not-feasible-without-gpu", reaching(0.5, 0.6)).outcome


def test_reaching_it_after_more_than_a_night_makes_the_belief_true():
    within, beyond = reaching(0.98, seconds=11 * 3600), reaching(0.98, seconds=13 * 3600)

    assert "false" == judged("not-feasible-without-gpu", within).outcome
    assert "true" == judged("not-feasible-without-gpu", beyond).outcome


def test_a_run_that_crashed_did_not_reach_the_target():
    record = reaching(0.98, 0.98)
    crashed = make_run(2, cell=record.cell, status="timeout", reason="no result after 600 s")

    found = judged("not-feasible-without-gpu", msgspec.structs.replace(record, runs=(*record.runs, crashed)))

    assert "depends" == found.outcome
    assert "2 of 3 runs" in found.tally


def test_models_that_take_more_than_a_night_are_listed_and_not_the_largest():
    records = [reaching(0.98), make_record("mobilenet-v2"), slowed(make_record("resnet50"), 100)]

    found = judged("not-feasible-without-gpu", *records)

    assert "is MobileNetV2, 224 px" in found.tally
    assert "Not within that time: ResNet-50, 224 px" in found.tally


def test_without_a_workload_with_a_target_nothing_is_decided():
    assert "not measured" == judged("not-feasible-without-gpu", make_record("resnet50")).outcome
