"""Beliefs on studies, arms and meters: each outcome follows from records, and other records turn it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bench.records.store import Results
from bench.report.claims import case as claims_case
from bench.report.claims.cases import arms
from bench.report.claims.cases.names import apart
from bench.report.evidence import sizes
from bench.report.evidence.evidence import Evidence
from bench.report.stats import estimate, quantities
from bench.schema import Block, Cell, Reading, Record, Run, Series, Variant, Workload
from bench.workloads import registry
from tests.beliefs import judge
from tests.factories import (
    INVENTED,
    make_cell,
    make_gpu,
    make_job,
    make_machine,
    make_observed,
    make_record,
    make_run,
    make_session,
    make_session_results,
    make_workload,
)

STEPS = (0.99, 1.0, 1.01)


def study_record(
    workload: str,
    *,
    times: Mapping[str, float] | None = None,
    readings: Mapping[str, float] | None = None,
    **cell_fields: Any,
) -> Record:
    """A record of a study with these seconds per call and these readings, in three runs."""
    times, readings = dict(times or {}), dict(readings or {})
    variant = Variant(mode="study", batch_size=1, n_samples=1, headline=True)
    spec = Workload(
        id=workload,
        title=workload,
        summary="Invented for tests.",
        kind="study",
        data_source="invented for tests",
        series=tuple(Series(id=name, label=name) for name in times),
        readings=tuple(Reading(id=name, label=name, unit="ratio") for name in readings),
        variants={"reference": (variant,)},
    )
    known = {"backend": "tensorflow", "device": "cpu", "jit": "off", "threads": 2}
    cell = Cell(workload=workload, mode="study", batch_size=1, n_samples=1, **known | cell_fields)
    runs = tuple(
        Run(
            index=index,
            order=index,
            status="ok",
            started_at=f"2026-11-03T08:0{index}:00+00:00",
            total_s=10.0,
            series={name: tuple(Block(n_steps=1, seconds=s * step) for step in STEPS) for name, s in times.items()},
            readings=readings,
        )
        for index in range(3)
    )
    known = {"profile": "reference", "method_version": 1, "source_hash": "0123456789abcdef"}
    return Record(cell=cell, spec=spec, status="ok", runs=runs, **known)


def judged(verdict_id: str, *records: Record, gpu_bytes: int = 80_000_000_000) -> claims_case.Verdict:
    """A verdict on one session of a machine with a GPU."""
    machine = make_machine(gpus=(make_gpu(memory_bytes=gpu_bytes),))
    session = make_session(records, machine_id=machine.id)
    found = make_session_results(records, machine=machine, session=session)
    return judge(verdict_id, Evidence(Results((found,)), {id_: make_workload(id_) for id_ in INVENTED}))


STUDIES = {
    "weights-tell-the-memory": (
        "memory",
        {"readings": {"peak": 1.5, "weights": 1.0}},
        {"readings": {"peak": 9.0, "weights": 1.0}},
    ),
    "nvidia-smi-shows-the-need": (
        "memory",
        {"device": "gpu", "readings": {"held": 1.1, "used": 1.0}},
        {"device": "gpu", "readings": {"held": 60.0, "used": 1.0}},
    ),
    "cpu-cores-stop-mattering": (
        "input-pipeline",
        {"device": "gpu", "readings": {"workers-needed": 0.5}},
        {"device": "gpu", "readings": {"workers-needed": 6.0}},
    ),
    "first-minute-tells-the-last": (
        "endurance",
        {"readings": {"last-to-first-rate": 0.99}, "params": {"minutes": 10}},
        {"readings": {"last-to-first-rate": 0.5}, "params": {"minutes": 10}},
    ),
    "predict-in-a-loop-is-free": ("call-styles", {"times": {"predict": 1.1, "compiled": 1.0}},
                                  {"times": {"predict": 40.0, "compiled": 1.0}}),
    "back-to-back-tells-the-wait": ("request-gap", {"times": {"gap-0": 1.0, "gap-10ms": 1.1}},
                                    {"times": {"gap-0": 1.0, "gap-10ms": 3.0}}),
    "a-seed-only-repeats": ("determinism", {"readings": {"same-order": 0.0}}, {"readings": {"same-order": 1.0}}),
    "callbacks-are-free": ("fit-overhead", {"times": {"fit": 1.0, "progress-bar": 1.0, "callback": 1.1}},
                           {"times": {"fit": 1.0, "progress-bar": 1.0, "callback": 1.5}}),
    "changing-shapes-are-free": ("compile-tax", {"times": {"one-shape": 1.0, "new-shapes": 1.1}},
                                 {"times": {"one-shape": 1.0, "new-shapes": 90.0}}),
    "compiling-pays-at-once": ("compile-tax", {"readings": {"pays-after-eager": 20.0}},
                               {"readings": {"pays-after-eager": 900.0}}),
    "keras-is-slow": ("raw-framework", {"times": {"raw": 1.0, "fit": 2.0}}, {"times": {"raw": 1.0, "fit": 1.05}}),
    "values-do-not-matter": ("denormals", {"times": {"scale-normal": 1.0, "scale-tiny": 1.0}},
                             {"times": {"scale-normal": 1.0, "scale-tiny": 9.0}}),
    "same-seed-same-weights": ("determinism", {"readings": {"equal-off": 1.0}}, {"readings": {"equal-off": 0.0}}),
    "stopwatch-measures-the-gpu": ("wrong-timer", {"device": "gpu", "readings": {"no-wait-ratio": 0.95}},
                                   {"device": "gpu", "readings": {"no-wait-ratio": 0.01}}),
    "copying-is-the-bottleneck": ("resident-data", {"device": "gpu", "readings": {"copy-frac": 0.5}},
                                  {"device": "gpu", "readings": {"copy-frac": 0.05}}),
    "data-on-the-gpu-is-much-faster": ("resident-data", {"device": "gpu", "readings": {"resident-speedup": 2.0}},
                                       {"device": "gpu", "readings": {"resident-speedup": 1.05}}),
    "lstm-always-takes-the-fast-path": ("lstm-switches", {"device": "gpu", "readings": {"fused-plain": 1.0}},
                                        {"device": "gpu", "readings": {"fused-plain": 1.0, "fused-relu": 0.0}}),
}  # fmt: skip


@pytest.mark.parametrize("verdict_id", STUDIES)
def test_a_belief_on_a_study_turns_with_its_times(verdict_id: str):
    workload, agrees, disagrees = STUDIES[verdict_id]

    assert "true" == judged(verdict_id, study_record(workload, **agrees)).outcome
    assert "false" == judged(verdict_id, study_record(workload, **disagrees)).outcome


@pytest.mark.parametrize("verdict_id", STUDIES)
def test_a_study_and_its_parts_exist(verdict_id: str):
    workload, _, parts = STUDIES[verdict_id]
    spec = registry.workload(workload)

    assert set(parts.get("times", ())) <= {item.id for item in spec.series}
    assert set(parts.get("readings", ())) <= {item.id for item in spec.readings}


def test_a_training_of_seconds_tells_nothing_of_a_last_minute():
    short = study_record("endurance", readings={"last-to-first-rate": 0.5}, params={"minutes": 0.05})
    long = study_record("endurance", readings={"last-to-first-rate": 0.99}, params={"minutes": 10})

    assert "not measured" == judged("first-minute-tells-the-last", short).outcome
    assert "true" == judged("first-minute-tells-the-last", short, long).outcome


def test_writing_is_held_against_the_best_product_on_as_many_cores():
    product = make_record("matmul", mode="probe", threads=2)
    rate = quantities.flop_rate(product).value

    def outcome(share: float, **fields) -> str:
        tokens = share * rate / (2 * 100)  # of a model of a hundred weights in float32
        readings = {"tokens-per-s": tokens, "weight-bytes": 400.0}
        return judged("tokens-need-compute", study_record("gpt-decode", readings=readings, **fields), product).outcome

    assert ["true", "false"] == [outcome(0.9), outcome(0.1)]
    assert "not measured" == outcome(0.9, threads=1) == outcome(0.9, precision="mixed_bfloat16")


def test_acting_is_compared_between_the_devices_of_one_session():
    def agents(gpu_s: float) -> list[Record]:
        return [
            study_record("rl-loop", times={"act": 1.0}),
            study_record("rl-loop", times={"act": gpu_s}, device="gpu"),
        ]

    assert "true" == judged("reinforcement-learning-needs-a-gpu", *agents(0.5)).outcome
    assert "false" == judged("reinforcement-learning-needs-a-gpu", *agents(2.0)).outcome
    assert "not measured" == judged("reinforcement-learning-needs-a-gpu", agents(1.0)[0]).outcome


def test_rounding_with_tf32_is_set_against_rounding_without():
    def errors(with_tf32: float) -> list[Record]:
        return [
            study_record("numerics", readings={"product-rel": 1e-7}, device="gpu"),
            study_record("numerics", readings={"product-rel": with_tf32}, device="gpu", precision="tf32"),
        ]

    assert "true" == judged("float32-means-float32", *errors(2e-7)).outcome
    assert "false" == judged("float32-means-float32", *errors(5e-4)).outcome


# Arms that differ in one field.


@pytest.mark.parametrize(
    ("verdict_id", "field", "base", "arm"),
    [
        ("compiling-always-helps", "jit", "off", "on"),
        ("mixed-precision-is-always-faster", "precision", "float32-strict", "mixed_bfloat16"),
        ("float16-is-fast-everywhere", "precision", "float32-strict", "mixed_float16"),
        ("more-threads-are-always-faster", "threads", 1, 2),
    ],
)
def test_a_faster_arm_makes_the_belief_true_and_a_slower_one_false(verdict_id: str, field: str, base: Any, arm: Any):
    before = make_record("lstm-text", step_s=1.0, **{field: base})

    assert "true" == judged(verdict_id, before, make_record("lstm-text", step_s=0.5, **{field: arm})).outcome
    assert "false" == judged(verdict_id, before, make_record("lstm-text", step_s=2.0, **{field: arm})).outcome
    assert "not measured" == judged(verdict_id, before).outcome


def by_batch(*steps: tuple[int, float]) -> list[Record]:
    return [make_record("resnet50", batch_size=batch, step_s=seconds) for batch, seconds in steps]


def test_batches_are_compared_with_the_next_smaller_one():
    doubling, even, worse = by_batch((8, 1.0), (16, 1.05)), by_batch((8, 1.0), (16, 1.6)), by_batch((8, 1.0), (16, 3.0))

    assert ["true", "true", "false"] == [
        judged("bigger-batch-is-always-faster", *records).outcome for records in (doubling, even, worse)
    ]
    assert ["true", "false", "false"] == [
        judged("double-batch-half-the-time", *records).outcome for records in (doubling, even, worse)
    ]


def test_a_gain_over_two_doublings_is_shared_between_them():
    records = by_batch((8, 1.0), (32, 1.0))
    machine = make_machine()
    session = make_session_results(records, machine=machine, session=make_session(records, machine_id=machine.id))

    found = Evidence(Results((session,)), {"resnet50": make_workload("resnet50")})
    (case,) = arms.larger_batch(found, per_doubling=True)

    assert 2.0 == pytest.approx(case.value, rel=0.05)


def test_jax_must_be_ahead_of_the_best_other_backend():
    slow = [make_record("lstm-text", backend=backend, step_s=1.0) for backend in ("tensorflow", "torch")]

    assert (
        "true"
        == judged("jax-is-always-the-fastest", *slow, make_record("lstm-text", backend="jax", step_s=0.5)).outcome
    )
    assert (
        "false"
        == judged("jax-is-always-the-fastest", *slow, make_record("lstm-text", backend="jax", step_s=2.0)).outcome
    )


# Meters, memory, quality.


def test_a_low_meter_that_beats_the_cpu_is_not_broken():
    def pair(gpu_s: float) -> list[Record]:
        low = make_record("lstm-text", device="gpu", step_s=gpu_s, run_fields={"utilisation_frac": (0.2, 0.3)})
        return [make_record("lstm-text", step_s=1.0), low]

    assert "false" == judged("low-meter-means-broken", *pair(0.2)).outcome
    assert "true" == judged("low-meter-means-broken", *pair(5.0)).outcome
    assert "not measured" == judged("low-meter-means-broken", make_record("lstm-text")).outcome


def test_a_full_meter_at_a_low_rate_is_not_full():
    def product(n: int, step_s: float) -> Record:
        run_fields = {"utilisation_frac": (1.0, 1.0), "flop_per_step": 2.0 * n**3}
        return make_record("matmul", device="gpu", params={"n": n}, step_s=step_s, run_fields=run_fields)

    even = [product(1024, 1e-3), product(2048, 8e-3)]
    uneven = [product(1024, 1e-2), product(2048, 8e-3)]

    assert "true" == judged("full-meter-means-full-gpu", even[1]).outcome
    assert "false" == judged("full-meter-means-full-gpu", *uneven).outcome


@pytest.mark.parametrize(("share", "outcome"), [(0.5, "true"), (0.8, "false")])
def test_half_precision_is_weighed_against_full(share: float, outcome: str):
    def record(precision: str, peak: float) -> Record:
        fields = {"peak_device_bytes": int(peak)}
        return make_record("resnet50", device="gpu", precision=precision, run_fields=fields)

    found = judged("half-precision-halves-memory", record("float32-strict", 1e9), record("mixed_bfloat16", share * 1e9))

    assert outcome == found.outcome


@pytest.mark.parametrize(("gpu_bytes", "outcome"), [(8 * 2**30, "false"), (64 * 2**30, "true")])
def test_memory_of_the_gpu_is_set_against_that_of_its_machine(gpu_bytes: int, outcome: str):
    assert outcome == judged("gpu-has-more-memory", make_record("resnet50", device="gpu"), gpu_bytes=gpu_bytes).outcome


def test_runs_that_mix_show_no_better_model():
    def digits(device: str, *qualities: float) -> Record:

        cell = make_cell("cnn-digits", device=device)
        return make_record("cnn-digits", device=device, runs=[
            make_run(i, cell=cell, job=make_job(20.0, (quality,))) for i, quality in enumerate(qualities)
        ])  # fmt: skip

    cpu = digits("cpu", 0.971, 0.975, 0.98)

    assert "false" == judged("gpu-trains-better-models", cpu, digits("gpu", 0.972, 0.985)).outcome
    assert "true" == judged("gpu-trains-better-models", cpu, digits("gpu", 0.985, 0.99)).outcome


@pytest.mark.parametrize(("device", "outcome"), [("gpu", "false"), ("cpu", "true")])
def test_weights_that_lie_on_the_gpu_need_no_code(device: str, outcome: str):
    cell = make_cell("resnet50", device="gpu")
    seen = make_observed(make_cell("resnet50", device=device))
    runs = [make_run(i, cell=cell, observed=seen) for i in range(10)]

    assert outcome == judged("keras-needs-device-code", make_record("resnet50", device="gpu", runs=runs)).outcome


def test_the_stock_build_is_judged_by_its_largest_product():
    def product(backend: str, step_s: float) -> Record:
        return make_record("matmul", backend=backend, step_s=step_s)

    assert "false" == judged("avx-message-means-slow-build", product("tensorflow", 1.0), product("torch", 0.9)).outcome
    assert "true" == judged("avx-message-means-slow-build", product("tensorflow", 1.0), product("torch", 0.2)).outcome


def test_the_data_sheet_is_looked_up_by_the_gpus_name():
    def share(seconds: float) -> str:
        record = make_record("matmul", device="gpu", step_s=seconds)
        machine = make_machine(gpus=(make_gpu("NVIDIA H200"),))
        session = make_session((record,), machine_id=machine.id)
        results = Results((make_session_results((record,), machine=machine, session=session),))
        return judge("data-sheet-is-what-you-get", Evidence(results, {"matmul": make_workload("matmul")})).outcome

    peak_s = 2 * 4096**3 / 66.91e12

    assert ["true", "false"] == [share(peak_s / 0.97), share(peak_s / 0.5)]


# Names of cases.


@pytest.mark.parametrize(
    ("workload", "params", "expected"),
    [
        ("transformer-text", {"heads": 12, "layers": 12, "width": 768}, "BERT-base size"),
        ("transformer-text", {"heads": 4, "layers": 2, "width": 128}, "2 layers, width 128"),
        ("memory-nets", {"net": "resnet50", "image_px": 224}, "ResNet-50, 224 px"),
        ("memory-nets", {"net": "transformer-text", "heads": 12, "layers": 12, "length": 128, "width": 768},
         "Transformer encoder on words, BERT-base size"),
        ("memory-caps", {"net": "resnet50", "image_px": 224, "cap_gb": 4}, "ResNet-50, 224 px, at most 4 GB"),
        ("memory", {"net": "mlp"}, "small dense network"),
        ("compile-tax", {"net": "mid"}, "eight convolutions"),
        ("transfer-2000", {"tuned": "head"}, "only the last layer trained"),
        ("embedding", {"optimizer": "sgd", "rows": 1_000_000}, "SGD, 1,000,000 rows"),
        ("unheard-of", {"fast_path": True, "net": "new"}, "new, fast path on"),
        ("matmul", {}, ""),
    ],
)  # fmt: skip
def test_a_size_is_named_in_words(workload: str, params: dict[str, Any], expected: str):
    assert expected == sizes.words(workload, params)


def test_cases_of_one_name_say_what_tells_them_apart_and_no_more():
    records = [study_record("s", times={"a": 1.0}, threads=n, precision=p) for n, p in
               ((1, "float32-strict"), (2, "float32-strict"), (2, "mixed_bfloat16"))]  # fmt: skip
    evidence = Evidence(Results((make_session_results(records),)), {})
    cases = [claims_case.case_of("same", estimate.single(1.0, "ratio", 1), evidence.refs(one)) for one in records]
    other = claims_case.case_of("other", estimate.single(1.0, "ratio", 1), evidence.refs(records[0]))

    names = [case.name for case in apart(evidence, [*cases, other])]

    assert ["same, float32, 1 core", "same, float32, 2 cores", "same, bfloat16", "other"] == names
