"""Which session leads, which cell speaks, and what may be divided by what."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from bench.records.store import Results
from bench.report.evidence.cells import CellRef, fastest, is_headline, is_older_method, variant_key
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import quantities
from bench.report.stats.estimate import ComparisonError
from bench.schema import METHOD_VERSIONS, Block
from bench.workloads import registry
from tests.factories import (
    BUSY,
    INVENTED,
    make_cell,
    make_conditions,
    make_evidence,
    make_gpu,
    make_machine,
    make_observed,
    make_record,
    make_records,
    make_run,
    make_session,
    make_session_results,
    make_workload,
)


def session_on(machine_id: str, records=None, *, is_local: bool = False, gpus=(), **fields):
    """A session on a named machine; ``fields`` are the session's."""
    machine = make_machine(machine_id, gpus=gpus)
    records = make_records(backends=("tensorflow",)) if records is None else records
    session = make_session(records, machine_id=machine_id, **fields)
    return make_session_results(records, machine=machine, session=session, is_local=is_local)


@pytest.fixture(scope="module")
def gpu_evidence() -> Evidence:
    return make_evidence(gpu=True)


# The lead.


def test_nothing_measured_leads_to_nothing():
    evidence = Evidence(Results(()), {})

    assert evidence.lead is None
    assert () == evidence.shown
    assert evidence.view(evidence.lead).best(Pick("resnet50")) is None
    assert evidence.view(evidence.lead).contrast(Pick("resnet50")) is None


def test_this_machines_latest_session_leads():
    old = session_on("own", is_local=True, id="2026-11-01")
    new = session_on("own", is_local=True, id="2026-11-02")
    published = session_on("big", gpus=(make_gpu(),), id="2026-11-09")

    assert new is make_evidence(published, old, new).lead


def test_one_cell_measured_again_does_not_lead():
    full = session_on("own", is_local=True, id="2026-11-01")
    single = session_on("own", [make_record("matmul")], is_local=True, id="2026-11-02")

    assert full is make_evidence(full, single).lead
    assert single is make_evidence(single).lead


def test_smoke_runs_of_this_machine_speak_only_where_nothing_else_was_measured():
    tried = session_on("own", is_local=True, id="2026-11-09", profile="smoke")
    published = session_on("big", id="2026-11-01")

    assert (published,) == make_evidence(published, tried).shown
    assert (tried,) == make_evidence(tried).shown


def test_without_a_local_session_the_latest_reference_session_with_a_gpu_leads():
    def both():
        return make_records(backends=("tensorflow",), devices=("cpu", "gpu"))

    cpu = session_on("a", id="2026-11-09")
    old = session_on("b", both(), gpus=(make_gpu(),), id="2026-11-01")
    new = session_on("c", both(), gpus=(make_gpu(),), id="2026-11-02")
    quick = session_on("d", both(), gpus=(make_gpu(),), id="2026-11-10", profile="quick")

    evidence = make_evidence(cpu, old, new, quick)

    assert new is evidence.lead
    assert [new, old, quick, cpu] == list(evidence.shown)  # GPU machines before the others


def test_a_session_in_which_all_failed_does_not_lead():
    failed = session_on("own", [make_record(status="failed")], is_local=True, id="2026-11-09")
    good = session_on("good", id="2026-11-01")

    assert good is make_evidence(failed, good).lead
    assert make_evidence(failed).lead is None


def test_each_machine_is_shown_once_with_its_best_session():
    lead = session_on("own", is_local=True)
    old, new = session_on("a", id="2026-11-01"), session_on("a", id="2026-11-02")

    assert (lead, new) == make_evidence(lead, old, new).shown


def test_headline_cells_measured_again_do_not_hide_a_machines_fuller_session():
    lead = session_on("own", is_local=True)
    few = [make_record(), make_record("lstm-text")]
    fuller = [*few, *(make_record("mlp-tabular", batch_size=2**n) for n in range(8))]
    old, again = session_on("a", fuller, id="2026-11-01"), session_on("a", few, id="2026-11-02")

    assert (lead, old) == make_evidence(lead, old, again).shown
    assert old is make_evidence(old, again).lead


def test_names_of_a_machine():
    evidence = make_evidence(gpu=True, local=True)
    gpu, own = (next(s for s in evidence.sessions if s.machine.id == name) for name in ("gpu-16c", "own-4c"))

    assert ("gpu-16c", "gpu-16c") == (evidence.view(gpu).key, evidence.view(gpu).label)
    assert ("local-own-4c", "this machine") == (evidence.view(own).key, evidence.view(own).label)
    assert "Reader's CPU, 4 cores" == evidence.view(own).cpu_text()
    assert "Example Server CPU, 1 core" == evidence.view(gpu).cpu_text(make_record(threads=1))
    assert "Example GPU" == evidence.view(gpu).gpu_text()


@pytest.mark.parametrize(("params", "words"), [({}, "Example GPU"), ({"gpus": 2}, "2 x Example GPU")])
def test_a_cell_names_as_many_gpus_as_it_used(params, words):
    record = make_record(device="gpu", params={"image_px": 224, **params})
    session = session_on("eight", [record], gpus=(make_gpu(),) * 8)
    evidence = make_evidence(session)

    assert words == evidence.view(session).gpu_text(record)
    assert "8 x Example GPU" == evidence.view(session).gpu_text()


def test_of_unlike_gpus_a_record_names_the_one_that_ran():
    """A second card's time under the first one's name would be another card's number."""
    gpus = (make_gpu(), make_gpu(name="Small GPU", memory_bytes=None))
    cell = make_cell(device="gpu")
    run = make_run(0, cell=cell, observed=make_observed(cell, device_name="Small GPU"))
    session = session_on("two", [make_record(device="gpu", runs=(run,))], gpus=gpus)
    evidence = make_evidence(session)
    (record,) = session.records.values()

    assert "Small GPU" == evidence.view(session).gpu_text(record)
    assert "Example GPU, Small GPU" == evidence.view(session).gpu_text()


# Addresses.


def test_a_record_knows_its_address_and_back():
    evidence = make_evidence(local=True)
    session = evidence.lead
    record = next(iter(session.records.values()))

    ref = evidence.ref(record)

    assert CellRef("local-own-4c", "2026-11-05", record.cell.workload, record.cell.id) == ref
    assert ((session, record.cell.id),) == evidence.resolve((ref,))
    assert (ref,) == evidence.refs(record, None, record)


def test_a_record_of_other_results_is_refused():
    with pytest.raises(LookupError, match="is not a record of these results"):
        make_evidence().ref(make_record())


def test_a_workload_that_only_records_know_keeps_its_title():
    evidence = Evidence(Results((make_session_results([make_record("matmul")]),)), {})

    assert "Matrix product" == evidence.title("matmul")
    assert "products" == evidence.noun("matmul")
    assert () == evidence.model_workloads()
    assert ("unheard-of", "samples") == (evidence.title("unheard-of"), evidence.noun("unheard-of"))


# The cell that speaks.


def test_headline_cells_are_those_of_headline_variants():
    assert is_headline(make_record("resnet50"))
    assert not is_headline(make_record("resnet50", batch_size=2))
    assert not is_headline(make_record("resnet50", params={"image_px": 64}))


def test_best_takes_the_faster_jit_arm_and_backend():
    slow, fast = make_record(step_s=2.0), make_record(step_s=1.0, jit="on")
    other = make_record(step_s=1.5, backend="torch")
    evidence = make_evidence(session := make_session_results([slow, fast, other]))

    assert fast is evidence.view(session).best(Pick("resnet50", "train", "cpu"))
    assert other is evidence.view(session).best(Pick("resnet50", "train", "cpu", backend="torch"))
    assert evidence.view(session).best(Pick("resnet50", "train", "gpu")) is None
    assert evidence.view(session).best(Pick("resnet50", "infer", "cpu")) is None


def test_best_ignores_cells_off_the_headline_fewer_threads_and_looser_precision():
    headline = make_record(step_s=1.0)
    others = [
        make_record(step_s=0.1, batch_size=32),
        make_record(step_s=0.1, threads=1),
        make_record(step_s=0.1, precision="mixed_bfloat16"),
    ]
    evidence = make_evidence(session := make_session_results([headline, *others]))

    assert headline is evidence.view(session).best(Pick("resnet50"))
    assert others[0] is evidence.view(session).best(Pick("resnet50", batch_size=32))
    assert others[2] is evidence.view(session).best(Pick("resnet50", precision="mixed_bfloat16"))


def test_best_by_parameters_prefers_the_headline_variant_among_those_that_agree():
    evidence = make_evidence()

    tuned = evidence.view(evidence.lead).best(Pick("transfer-2000", params={"tuned": "all"}))
    width = evidence.view(evidence.lead).best(Pick("mlp-tabular", params={"width": 128}))

    assert "all" == tuned.cell.params["tuned"]
    assert 32 == width.cell.batch_size


def test_best_prefers_what_is_better_known_where_the_two_overlap():
    known = make_record(runs=[make_run(i, cell=make_cell(), step_s=0.9 + i / 20) for i in range(5)])  # 0.9 to 1.1
    cell = make_cell(jit="on")
    lucky = make_record(jit="on", runs=[make_run(cell=cell, step_s=(0.9, 0.95, 1.0))])
    surely = make_record(step_s=0.5, jit="on", n_runs=1, jitter_frac=0.01)

    assert quantities.throughput(lucky).value > quantities.throughput(known).value
    assert known is fastest([lucky, known])
    assert surely is fastest([surely, known])


def test_a_mode_without_a_headline_is_shown_by_its_first_variant():
    spec = make_workload("inception-v3")
    own = tuple(variant for variant in spec.variants["reference"] if variant.mode == "train")
    tail = tuple(
        msgspec.structs.replace(own[0], mode="infer", batch_size=n, headline=False) for n in (own[0].batch_size, 99)
    )
    spec = msgspec.structs.replace(spec, variants={"reference": own + tail})
    first, other = (
        msgspec.structs.replace(make_record("inception-v3", mode="infer", batch_size=v.batch_size), spec=spec)
        for v in tail
    )
    evidence = make_evidence(session := make_session_results([other, first]))

    assert not is_headline(first)
    assert first is evidence.view(session).best(Pick("inception-v3", "infer"))
    assert other is evidence.view(session).best(Pick("inception-v3", "infer", batch_size=99))


def test_best_by_another_quantity():
    quick_start = make_record("mlp-tabular", step_s=0.002)
    fast = make_record("mlp-tabular", step_s=0.001, jit="on", run_fields={"job": None})
    evidence = make_evidence(session := make_session_results([quick_start, fast]))

    assert fast is evidence.view(session).best(Pick("mlp-tabular"))
    assert quick_start is evidence.view(session).best(Pick("mlp-tabular"), by="job_time")
    assert fastest([]) is None


def test_failure_says_why_there_is_no_best():
    failed = make_record(status="out_of_memory", reason="killed")
    evidence = make_evidence(session := make_session_results([failed, make_record("lstm-text")]))

    assert evidence.view(session).best(Pick("resnet50")) is None
    assert failed is evidence.view(session).failure(Pick("resnet50"))
    assert evidence.view(session).failure(Pick("lstm-text")) is None
    assert evidence.view(session).failure(Pick("mobilenet-v2")) is None


def test_records_are_filtered_by_every_field():
    evidence = make_evidence()
    lead = evidence.lead

    wide = evidence.view(lead).records(Pick("mlp-tabular", params={"width": 1024}))

    assert {1024} == {record.cell.params["width"] for record in wide}
    assert {"skipped"} == {r.status for r in evidence.view(lead).records(Pick("inception-v3", backend="jax"))}
    assert () == evidence.view(None).records()
    assert all(is_headline(record) for record in evidence.view(lead).records(Pick(headline=True, status="ok")))


def test_parameters_that_tell_cells_apart():
    evidence = make_evidence()
    wide = evidence.view(evidence.lead).records(Pick("mlp-tabular", params={"width": 1024}))[0]
    picture = evidence.view(evidence.lead).records(Pick("mobilenet-v2"))[0]

    assert {"width": 1024} == evidence.distinct_params(wide)
    assert {} == evidence.distinct_params(picture)


def test_equal_work_has_equal_keys():
    assert variant_key(make_record(device="gpu")) == variant_key(make_record(backend="jax", threads=7))
    assert variant_key(make_record()) != variant_key(make_record(batch_size=2))


# Ratios.


def test_speed_up_of_two_sessions_is_refused_and_names_both():
    gpu, cpu = make_record(device="gpu"), make_record(device="cpu")
    evidence = make_evidence(
        session_on("one", [gpu], id="2026-11-01"), session_on("two", [cpu], is_local=True, id="2026-11-02")
    )

    with pytest.raises(ComparisonError, match="one/2026-11-01 and local-two/2026-11-02"):
        evidence.record_speedup(gpu, cpu)


def test_speed_up_of_two_methods_is_refused():
    gpu, cpu = make_record(device="gpu"), make_record(device="cpu", method_version=2)
    evidence = make_evidence(make_session_results([gpu, cpu]))

    with pytest.raises(ComparisonError, match="method version: 3 and 2"):
        evidence.record_speedup(gpu, cpu)


def test_speed_up_is_above_one_when_the_first_is_faster_whatever_the_quantity():
    gpu = make_record(device="gpu", step_s=1.0, jitter_frac=0)
    cpu = make_record(device="cpu", step_s=4.0, jitter_frac=0)
    evidence = make_evidence(session := make_session_results([gpu, cpu]))

    assert 4.0 == pytest.approx(evidence.record_speedup(gpu, cpu).value)
    assert 4.0 == pytest.approx(evidence.record_speedup(gpu, cpu, "step_time").value)
    assert 0.25 == pytest.approx(evidence.view(session).cell_ratio(cpu.cell.id, gpu.cell.id).value)
    assert evidence.view(session).cell_ratio("no-such-cell", gpu.cell.id) is None


def test_contrast_sets_the_best_arms_of_one_variant_against_each_other(gpu_evidence: Evidence):
    session = gpu_evidence.lead

    found = gpu_evidence.view(session).contrast(Pick("resnet50", "infer"))

    assert ("gpu", "cpu") == (found.gpu.cell.device, found.cpu.cell.device)
    assert variant_key(found.gpu) == variant_key(found.cpu)
    assert gpu_evidence.view(session).best(Pick("resnet50", "infer", "cpu")) is found.cpu
    looser = gpu_evidence.view(session).contrast(Pick("resnet50", "infer", precision="tf32"))
    assert ("tf32", "float32-strict") == (looser.gpu.cell.precision, looser.cpu.cell.precision)


def test_a_view_of_no_session_has_no_records_and_no_machine(gpu_evidence: Evidence):
    nothing = gpu_evidence.view(None)

    assert () == nothing.records() and not nothing.has_gpu
    with pytest.raises(LookupError, match="no session"):
        nothing.cpu_text()


def test_contrast_needs_both_sides(gpu_evidence: Evidence):
    cpu_only = next(s for s in gpu_evidence.sessions if not gpu_evidence.view(s).has_gpu)
    gpu_only = make_session_results([make_record(device="gpu")])

    assert gpu_evidence.view(cpu_only).contrast(Pick("resnet50")) is None
    assert make_evidence(gpu_only).view(gpu_only).contrast(Pick("resnet50")) is None


def test_contrast_never_mixes_sizes():
    gpu, cpu = make_record(device="gpu"), make_record(device="cpu", batch_size=2)
    evidence = make_evidence(session := make_session_results([gpu, cpu]))

    assert evidence.view(session).contrast(Pick("resnet50")) is None


# Each device as its owner would use it.


def sized(batch_size: int, samples_per_s: float, **fields):
    """A record of ResNet-50 with that throughput in every run."""
    return make_record(batch_size=batch_size, step_s=batch_size / samples_per_s, jitter_frac=0.0, **fields)


def with_flags(*flags: str, records) -> tuple:
    """A session whose CPU has these instructions, and evidence of it alone."""
    machine = make_machine("flagged", gpus=(make_gpu(),), cpu_flags=flags)
    session = make_session_results(records, machine=machine, session=make_session(records, machine_id=machine.id))
    return make_evidence(session), session


def test_each_side_of_the_best_contrast_takes_its_own_batch_and_precision():
    like = {"gpu": sized(8, 40.0, device="gpu"), "cpu": sized(8, 4.0)}
    best = {"gpu": sized(256, 900.0, device="gpu", precision="mixed_bfloat16"), "cpu": sized(32, 5.0, jit="on")}
    others = [sized(256, 300.0, device="gpu", precision="tf32"), sized(256, 100.0, device="gpu"), sized(2, 3.0)]
    evidence, session = with_flags(records=[*like.values(), *best.values(), *others])

    found, strict = (
        evidence.view(session).best_contrast(Pick("resnet50")),
        evidence.view(session).contrast(Pick("resnet50")),
    )

    assert (best["gpu"], best["cpu"]) == (found.gpu, found.cpu)
    assert 180.0 == pytest.approx(found.speedup.value)
    assert "batch 256, bfloat16, against batch 32, float32" == found.arms
    assert (like["gpu"], like["cpu"]) == (strict.gpu, strict.cpu)
    assert "batch 8, strict float32 on both" == strict.arms
    assert found.speedup == evidence.view(session).best_contrast(Pick("resnet50")).speedup


def test_where_only_one_batch_was_measured_both_contrasts_are_one():
    evidence, session = with_flags(records=[sized(8, 40.0, device="gpu"), sized(8, 4.0)])

    assert evidence.view(session).contrast(Pick("resnet50")) == evidence.view(session).best_contrast(Pick("resnet50"))


def test_one_batch_for_both_may_be_asked_for_with_the_usual_precisions():
    records = [sized(8, 40.0, device="gpu"), sized(8, 60.0, device="gpu", precision="tf32"), sized(8, 4.0)]
    evidence, session = with_flags(records=[*records, sized(32, 500.0, device="gpu"), sized(32, 5.0)])

    found = evidence.view(session).best_contrast(Pick("resnet50", batch_size=8))

    assert "batch 8 on both, TF32 against float32" == found.arms
    assert 15.0 == pytest.approx(found.speedup.value)


@pytest.mark.parametrize(("flags", "precision"), [((), "float32-strict"), (("amx_bf16",), "mixed_bfloat16")])
def test_sixteen_bits_count_on_a_cpu_that_computes_in_them(flags, precision):
    records = [sized(8, 40.0, device="gpu"), sized(8, 4.0), sized(8, 8.0, precision="mixed_bfloat16")]
    evidence, session = with_flags(*flags, records=records)

    assert precision == evidence.view(session).best_contrast(Pick("resnet50")).cpu.cell.precision


def test_the_best_contrast_stays_with_one_network_and_the_headlines_unless_asked():
    wide = {"workload": "mlp-tabular", "params": {"width": 1024}, "jitter_frac": 0.0}
    records = [
        *(make_record("mlp-tabular", device=device, step_s=step) for device, step in (("cpu", 1.0), ("gpu", 2.0))),
        make_record(**wide, device="gpu", step_s=0.01),
        make_record(**wide, device="cpu", step_s=1.0),
        make_record("mlp-tabular", params={"width": 16}, device="gpu", step_s=0.001),
    ]
    evidence, session = with_flags(records=records)

    assert 128 == evidence.view(session).best_contrast(Pick("mlp-tabular")).gpu.cell.params["width"]
    found = evidence.view(session).best_contrast(Pick("mlp-tabular", params={"width": 1024}))
    assert 100.0 == pytest.approx(found.speedup.value)
    assert evidence.view(session).best_contrast(Pick("mlp-tabular", params={"width": 16})) is None
    evidence, session = with_flags(records=records[2:4])
    assert evidence.view(session).best_contrast(Pick("mlp-tabular")) is None  # the headline's network was not measured


def test_the_best_contrast_takes_the_backend_asked_for():
    records = [sized(8, 40.0, device="gpu"), sized(8, 4.0), sized(8, 9.0, backend="jax", jit="on")]
    evidence, session = with_flags(records=[*records, sized(8, 10.0, device="gpu", backend="jax", jit="on")])

    assert "jax" == evidence.view(session).best_contrast(Pick("resnet50")).cpu.cell.backend
    assert 10.0 == pytest.approx(
        evidence.view(session).best_contrast(Pick("resnet50", backend="tensorflow")).speedup.value
    )
    assert evidence.view(session).best_contrast(Pick("resnet50", backend="torch")) is None


def test_the_best_contrast_needs_both_sides_of_one_session():
    gpu, cpu = sized(8, 40.0, device="gpu"), sized(8, 4.0)
    one, two = session_on("one", [gpu], gpus=(make_gpu(),)), session_on("two", [cpu])
    evidence = make_evidence(one, two)

    assert [None] * 3 == [evidence.view(session).best_contrast(Pick("resnet50")) for session in (one, two, None)]


@pytest.mark.parametrize(
    ("fields", "message"), [({"source_hash": "0" * 16}, "source"), ({"method_version": 2}, "method version: 3 and 2")]
)
def test_the_best_contrast_refuses_other_code_and_other_methods(fields, message):
    evidence, session = with_flags(records=[sized(256, 40.0, device="gpu"), sized(8, 4.0, **fields)])

    with pytest.raises(ComparisonError, match=message):
        evidence.view(session).best_contrast(Pick("resnet50"))


def test_the_best_contrast_prefers_undisturbed_cells_and_the_most_threads():
    clean, busy = sized(8, 40.0, device="gpu"), sized(256, 900.0, device="gpu", run_fields=BUSY)
    few, most = sized(32, 9.0, threads=1), sized(8, 4.0, threads=2)
    evidence, session = with_flags(records=[clean, busy, few, most])

    found = evidence.view(session).best_contrast(Pick("resnet50"))

    assert (clean, most) == (found.gpu, found.cpu)


# What can be trusted.


@pytest.mark.parametrize(("step_s", "speaks"), [(0.2, "jax"), (0.99, "tensorflow"), (3.0, "tensorflow")])
def test_a_slower_backend_does_not_stand_in_for_a_disturbed_one_that_is_surely_faster(step_s: float, speaks: str):
    clean, disturbed = make_record(step_s=1.0), make_record(backend="jax", step_s=step_s, run_fields=BUSY)
    evidence = make_evidence(session := make_session_results([clean, disturbed]))

    assert speaks == evidence.view(session).best(Pick("resnet50")).cell.backend


def test_a_disturbed_cell_speaks_only_where_no_clean_one_was_measured():
    disturbed = make_record(step_s=1.0, run_fields=BUSY)
    clean = make_record(step_s=2.0, jit="on")
    failed = make_record(status="failed", backend="torch")
    evidence = make_evidence(session := make_session_results([disturbed, clean, failed]))

    assert clean is evidence.view(session).best(Pick("resnet50"))
    assert disturbed in evidence.view(session).candidates(Pick("resnet50"))  # shown all the same
    assert ("the control kernel's speed changed during the run (5 of 5 runs)",) == evidence.flags(disturbed)
    assert () == evidence.flags(clean)
    alone = make_evidence(other := make_session_results([disturbed, failed]))
    assert disturbed is alone.view(other).best(Pick("resnet50"))


def test_a_disturbed_cell_is_no_denominator_where_a_clean_one_exists():
    gpu = make_record(device="gpu", step_s=0.1)
    disturbed, clean = make_record(step_s=1.0, run_fields=BUSY), make_record(step_s=2.0, jit="on")
    evidence = make_evidence(session := make_session_results([gpu, disturbed, clean]))

    assert clean is evidence.view(session).contrast(Pick("resnet50")).cpu


def test_the_load_is_judged_by_the_cores_of_the_session():
    busy = make_record(run_fields={"before": make_conditions(load_1min=3.0)})
    small, large = session_on("small", [busy]), session_on("large", [make_record(
        run_fields={"before": make_conditions(load_1min=3.0)})], n_cores_effective=16)  # fmt: skip
    evidence = make_evidence(small, large)

    assert evidence.flags(busy)
    assert () == evidence.flags(next(iter(large.records.values())))


def split_record(factor: float, n: int, **fields):
    """A record whose odd runs take ``factor`` times as long as its even ones."""
    return make_record(
        runs=[make_run(i, step_s=(factor if i % 2 else 1.0) * (1 + i / 100)) for i in range(n)], **fields
    )


def test_a_session_without_a_planned_test_is_judged_weakly_by_its_halves():
    records = [split_record(1.0, 5), split_record(1.0, 5, jit="on"), split_record(1.0, 1, backend="jax")]
    evidence = make_evidence(session := make_session_results(records))

    found = evidence.view(session).self_test

    assert (None, 2, 0, True, True) == (
        found.planned, len(found.halves), found.n_different, found.is_weak, found.passed,
    )  # fmt: skip
    assert (0.0, 2) == (found.false_frac.value, found.false_frac.n)
    assert evidence.view(session).has_passed_self_test


def test_the_planned_cell_decides_where_there_is_one():
    good = make_session_results([split_record(1.0, 10), split_record(3.0, 4, jit="on")])
    bad = session_on("other", [split_record(1.5, 10), split_record(1.0, 5, jit="on")])
    evidence = make_evidence(good, bad)

    assert 10 == len(evidence.view(good).self_test.planned[0].runs)
    assert not evidence.view(good).self_test.is_weak
    assert evidence.view(good).has_passed_self_test
    assert 1 == evidence.view(bad).self_test.n_different
    assert evidence.view(bad).has_passed_self_test is False


def test_halves_that_all_differ_do_not_pass_without_a_planned_cell():
    records = [split_record(3.0, 6, jit=jit, backend=b) for jit in ("on", "off") for b in ("tensorflow", "torch")]
    evidence = make_evidence(session := make_session_results(records))

    assert evidence.view(session).self_test.n_different == len(records)
    assert not evidence.view(session).has_passed_self_test


def test_too_few_runs_are_no_test():
    evidence = make_evidence(session := make_session_results([split_record(1.0, 3)]))

    assert evidence.view(session).self_test is None
    assert evidence.view(session).has_passed_self_test is None
    assert evidence.view(None).self_test is None


@pytest.mark.parametrize(("n_steps", "is_older"), [(2, False), (3, True)])
def test_trainings_of_the_first_method_stay_where_few_blocks_held_a_new_epoch(n_steps: int, is_older: bool):
    """The clock ran on between epochs then; 32 steps are an epoch, and a block of 2 is less than a fifteenth."""
    blocks = (*[Block(n_steps=2, seconds=0.1)] * 29, Block(n_steps=n_steps, seconds=0.1))
    run = make_run(cell=make_cell("cnn-digits"), blocks=blocks)
    record = make_record("cnn-digits", batch_size=45, n_samples=1_440, method_version=1, runs=[run])
    assert is_older == is_older_method(record)

    newer = msgspec.structs.replace(record, method_version=METHOD_VERSIONS["train"])
    refused = pytest.raises(ComparisonError, match="method version: 1 and 3") if is_older else contextlib.nullcontext()
    with refused:
        quantities.check_comparable(record, newer)


def test_records_of_other_methods_or_other_code_are_older():
    current = make_record("matmul", source_hash=registry.source_hash("matmul"))

    assert not is_older_method(current)
    assert is_older_method(msgspec.structs.replace(current, method_version=2))
    assert not is_older_method(make_record("matmul", mode="infer", method_version=METHOD_VERSIONS["infer"]))
    assert is_older_method(make_record("matmul", mode="infer", method_version=1))
    assert is_older_method(msgspec.structs.replace(current, source_hash="f" * 16))
    gone = msgspec.structs.replace(current.cell, workload="no-longer-declared")
    assert is_older_method(msgspec.structs.replace(current, cell=gone))


def test_an_older_record_never_meets_a_newer_one_in_a_ratio():
    new = make_record("matmul", source_hash=registry.source_hash("matmul"))
    old = make_record("matmul", source_hash="f" * 16, jit="on")
    evidence = make_evidence(make_session_results([new, old]))

    with pytest.raises(ComparisonError, match="source of the workload"):
        evidence.record_speedup(new, old)


def test_every_invented_workload_is_known():
    assert sorted(INVENTED) == sorted(make_evidence().workloads)
    assert all(make_workload(name).id == name for name in INVENTED)
