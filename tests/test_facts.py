"""Facts: text, derivation and cells; "not measured yet" without a record; an error for an unknown name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.facts import by_card, lookup, networks
from bench.report.facts import fact as facts_fact
from bench.report.stats import quantities

pytest.importorskip("numpy")

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.stats import format as fmt
from bench.workloads import registry
from tests.factories import (
    BUSY,
    INVENTED,
    make_cell,
    make_evidence,
    make_gpu,
    make_job,
    make_machine,
    make_record,
    make_results,
    make_run,
    make_session,
    make_session_results,
)

ROOT = Path(__file__).parents[1]
EMPTY = Evidence(Results(()), registry.workloads())
USED = sorted(
    {
        name
        for path in (ROOT / "docs").rglob("*.md")
        for call in re.findall(r"\{[{%].*?[%}]\}", path.read_text(encoding="utf-8"))
        for name in re.findall(r"\b(?:fact|measured)\(\"([^\"]+)\"\)", call)
    }
)


def one(*records, **fields) -> Evidence:
    """Evidence of a single session."""
    return make_evidence(make_session_results(records, **fields))


def cells_of(evidence, *records) -> set[tuple[str, str]]:
    """Session path and cell id of records."""
    return {(evidence.session_of(record).path, record.cell.id) for record in records}


def cells(found) -> set[tuple[str, str]]:
    """Session path and cell id of all that a fact rests on."""
    return {(session.path, cell) for session, cell in found.cells}


def steady(workload: str, step_s: float, **fields):
    """A record whose every step takes the same time, so that its interval is a point."""
    return make_record(workload, step_s=step_s, jitter_frac=0.0, **fields)


def test_throughput_is_the_batch_over_the_step_with_its_cell():
    evidence = one(record := steady("resnet50", 2.0))

    found = lookup.lookup("resnet50-train-cpu-throughput", evidence)

    assert "4.00 images/s (4.00 to 4.00, n = 5)" == found.text
    assert cells_of(evidence, record) == cells(found)
    assert 4.0 == pytest.approx(found.estimate.value)
    assert found.measured and "TensorFlow" in found.note and found.how.endswith(".")


def test_the_fastest_backend_and_setting_speaks_for_a_workload():
    slow, fast = steady("resnet50", 4.0), steady("resnet50", 2.0, backend="jax", jit="on")
    evidence = one(slow, fast)

    assert cells_of(evidence, fast) == cells(lookup.lookup("resnet50-train-cpu-throughput", evidence))
    assert cells_of(evidence, slow) == cells(lookup.lookup("resnet50-train-cpu-throughput-tensorflow", evidence))


def test_speedup_rests_on_both_cells_and_names_the_cpu():
    cpu, gpu = steady("resnet50", 4.0), steady("resnet50", 0.5, device="gpu")
    evidence = one(cpu, gpu, machine=make_machine(gpus=(make_gpu(),)))

    found = lookup.lookup("resnet50-train-speedup", evidence)

    assert "8.00x (batch 8, strict float32 on both; 8.00 to 8.00, n = 5)" == found.text
    assert cells_of(evidence, gpu, cpu) == cells(found)
    assert "Example CPU" in found.note


def test_both_sides_of_a_speedup_are_those_of_its_own_machine():
    """A reader multiplies what stands beside a ratio, so it must not be the leading machine's."""
    lead = make_session_results([steady("resnet50", 100.0), *(steady(w, 1.0) for w in INVENTED if w != "resnet50")])
    records = [
        steady("resnet50", 2.0),
        steady("resnet50", 4.0, batch_size=32),
        steady("resnet50", 1.0, device="gpu"),
        steady("resnet50", 0.32, device="gpu", batch_size=32, precision="tf32"),
    ]
    machine = make_machine("with-gpu", gpus=(make_gpu("NVIDIA H200"),) * 8)
    session = make_session(records, machine_id=machine.id)
    evidence = make_evidence(lead, make_session_results(records, machine=machine, session=session))
    assert lead is evidence.lead

    ratio, cpu, gpu, same = (
        lookup.lookup(f"resnet50-train-speedup{end}", evidence) for end in ("", "-cpu", "-gpu", "-same-batch")
    )

    assert "8.00 images/s (batch 32, float32; 8.00 to 8.00, n = 5; on with-gpu)" == cpu.text
    assert "100 images/s (batch 32, TF32; 100 to 100, n = 5; on with-gpu)" == gpu.text
    assert ratio.text.startswith("12.5x (batch 32 on both, TF32 against float32; ")
    assert same.text.startswith("2.00x (batch 8, strict float32 on both; ")
    assert "12.5x (12.5 to 12.5, n = 5; on with-gpu)" == lookup.lookup("resnet50-train-speedup-factor", evidence).text
    assert cells(ratio) == cells(cpu) | cells(gpu)
    assert gpu.estimate.value / cpu.estimate.value == pytest.approx(ratio.estimate.value)
    assert "an NVIDIA H200" == lookup.lookup("machine-gpu", evidence).text  # of eight, each cell used one


def test_sixteen_bits_on_a_cpu_are_judged_over_all_machines():
    """Each cell beside the same one in float32 of its own session; products and trainings apart."""
    lead = make_session_results(
        [
            make_record("resnet50", step_s=1.0),
            make_record("resnet50", step_s=2.0, precision="mixed_bfloat16"),
            make_record("matmul", step_s=1.0, mode="probe"),
        ]
    )
    records = [
        make_record("resnet50", step_s=1.0),
        make_record("resnet50", step_s=0.8, precision="mixed_bfloat16"),
        make_record("matmul", step_s=1.0, mode="probe"),
        make_record("matmul", step_s=0.25, mode="probe", precision="mixed_bfloat16"),
    ]
    machine = make_machine("other-2c")
    session = make_session(records, machine_id=machine.id, id="2026-11-02", profile="quick")
    evidence = make_evidence(lead, make_session_results(records, machine=machine, session=session))

    best, worst, product = (
        lookup.lookup(f"bfloat16-{what}-cpu", evidence) for what in ("train-best", "train-worst", "matmul-best")
    )

    assert [1.25, 0.5, 4.0] == pytest.approx([fact.estimate.value for fact in (best, worst, product)], rel=0.02)
    assert "other-2c" in best.text and "other-2c" in product.text
    assert "other-2c" not in worst.text
    assert not lookup.measured("float16-train-best-cpu", evidence)


def test_a_number_from_a_disturbed_cell_says_what_disturbed_it():
    quiet, disturbed = one(make_record("resnet50")), one(make_record("resnet50", run_fields=BUSY))
    name = "resnet50-train-cpu-throughput"

    assert "busy" not in lookup.lookup(name, quiet).note
    assert "busy machine: the control kernel's speed changed during the run (5 of 5 runs)" in (
        lookup.lookup(name, disturbed).note
    )


def test_speedup_without_a_gpu_is_estimated_beside_a_measured_cpu():
    evidence = one(steady("resnet50", 4.0))
    found, beside = (lookup.lookup(f"resnet50-train-speedup{end}", evidence) for end in ("", "-cpu"))

    assert ("estimated", "measured") == (found.kind, beside.kind)
    assert found.text.endswith("x (estimated, T4)") and found.cells == beside.cells
    assert found.estimate.low < found.estimate.value < found.estimate.high


@pytest.mark.parametrize("name", ["lstm-text-train-speedup", "resnet50-infer-gpu-throughput"])
def test_what_the_formula_does_not_know_stays_unmeasured(name: str):
    found = lookup.lookup(name, one(steady("resnet50", 4.0), steady("lstm-text", 4.0)))

    assert (fmt.NOT_MEASURED, "missing", None, ()) == (found.text, found.kind, found.estimate, found.cells)


def test_a_pass_over_imagenet_is_the_step_times_the_steps():
    evidence = one(record := steady("resnet50", 2.0))

    found = lookup.lookup("resnet50-imagenet-epoch", evidence)

    assert 1_281_167 / 8 * 2.0 == pytest.approx(found.estimate.value)
    assert "3 d" in found.text and "1,281,167" in found.how
    assert found.estimate.value * 90 == pytest.approx(
        lookup.lookup("resnet50-imagenet-90-epochs", evidence).estimate.value
    )
    assert cells_of(evidence, record) == cells(found)


def test_the_size_of_imagenet_is_the_published_one():
    assert str(networks.IMAGENET_IMAGES) == published.lookup("imagenet-train").value


def test_first_step_share_is_the_first_over_a_steady_one():
    evidence = one(steady("resnet50", 2.0))

    found = lookup.lookup("resnet50-train-first-step-share-tensorflow", evidence)

    assert (2.0 + 2.0) / 2.0 == pytest.approx(found.estimate.value)


def test_spread_of_speedups_names_the_workloads():
    machine = make_machine(gpus=(make_gpu(),))
    pairs = (("mlp-tabular", 1.0, 2.0), ("lstm-text", 1.0, 0.25), ("resnet50", 1.0, 0.02))
    records = [steady(w, s, device=d) for w, cpu_s, gpu_s in pairs for d, s in (("cpu", cpu_s), ("gpu", gpu_s))]
    evidence = one(*records, machine=machine)

    smallest, middle, largest = (lookup.lookup(f"speedup-{w}", evidence) for w in ("smallest", "median", "largest"))

    assert smallest.text.startswith("0.500x (Dense net on tabular rows, batch 32, strict float32 on both; ")
    assert middle.text.startswith("4.00x (LSTM on characters, batch 64, strict float32 on both; ")
    assert largest.text.startswith("50.0x (ResNet-50")
    assert 6 == len(smallest.cells) == len(largest.cells)


def test_backend_wins_need_intervals_that_do_not_overlap():
    clear = [steady("resnet50", s, backend=b) for b, s in (("tensorflow", 1.0), ("jax", 2.0), ("torch", 3.0))]
    equal = [steady("lstm-text", 1.0, backend=b) for b in ("tensorflow", "jax", "torch")]
    alone = [steady("mobilenet-v2", 1.0, backend="jax")]
    evidence = one(*clear, *equal, *alone)

    wins, gap = lookup.lookup("backend-wins", evidence), lookup.lookup("backend-gap-largest", evidence)

    assert "TensorFlow fastest on 1, JAX fastest on 0, PyTorch fastest on 0, no clear winner on 1 of 2" == wins.text
    assert 6 == len(wins.cells)
    assert 3.0 == pytest.approx(gap.estimate.value)
    assert "TensorFlow over PyTorch" in gap.text


def test_one_backend_alone_wins_nothing():
    assert not lookup.measured("backend-wins", one(steady("resnet50", 1.0)))


def test_break_even_is_the_size_from_which_the_gpu_stays_ahead():
    sizes = (((16, 32), 1.0, 4.0), ((128, 32), 1.0, 0.5), ((16, 2048), 1.0, 0.25))
    records = [
        steady("mlp-tabular", step_s, device=device, batch_size=batch, params={"width": width})
        for (width, batch), *pair in sizes
        for device, step_s in zip(("cpu", "gpu"), pair, strict=True)
    ]
    evidence = one(*records, machine=make_machine(gpus=(make_gpu(),)))

    found = lookup.lookup("mlp-break-even", evidence)

    assert "from width x batch = 4,096 on (crossing between 512 and 4,096)" == found.text
    assert 6 == len(found.cells)
    assert "width 16, batch 32" in lookup.lookup("mlp-smallest-step", evidence).text
    assert "width 16, batch 2048" in lookup.lookup("mlp-largest-step", evidence).text


def test_a_crossing_in_a_coarse_grid_is_between_two_sizes_and_no_number():
    sizes = ((32, 4.0), (2048, 0.25))
    records = [
        steady("mlp-tabular", step_s, device=device, batch_size=batch, params={"width": 16})
        for batch, gpu_s in sizes
        for device, step_s in (("cpu", 1.0), ("gpu", gpu_s))
    ]

    found = lookup.lookup("mlp-break-even", one(*records, machine=make_machine(gpus=(make_gpu(),))))

    assert "from a width x batch between 512 and 32,768" == found.text


def test_a_gpu_that_never_gets_ahead_breaks_even_nowhere():
    pair = [steady("mlp-tabular", step_s, device=device) for device, step_s in (("cpu", 1.0), ("gpu", 2.0))]

    found = lookup.lookup("mlp-break-even", one(*pair, machine=make_machine(gpus=(make_gpu(),))))

    assert "at no size up to width x batch = 4,096 (crossing above 4,096)" == found.text


def test_a_break_even_that_the_runs_leave_open_says_between_which_sizes():
    sizes = (((16, 32), 1.0), ((128, 32), 0.99), ((16, 2048), 0.25))  # the GPU's seconds over the CPU's
    records = [
        make_record(
            "mlp-tabular", step_s=step_s, jitter_frac=0.2, device=device, batch_size=batch, params={"width": width}
        )
        for (width, batch), gpu_s in sizes
        for device, step_s in (("cpu", 1.0), ("gpu", gpu_s))
    ]

    found = lookup.lookup("mlp-break-even", one(*records, machine=make_machine(gpus=(make_gpu(),))))

    assert re.search(r"\(crossing at or below 32,768\)$", found.text), found.text


def test_matmul_rate_is_the_best_size():
    slow = steady("matmul", 1.0, params={"n": 1024})
    fast = steady("matmul", 1.0, params={"n": 4096})

    found = lookup.lookup("matmul-cpu-rate", one(slow, fast))

    assert 2 * 4096**3 == pytest.approx(found.estimate.value)
    assert "(4,096 wide; " in found.text


def test_other_variants_have_facts_of_their_own():
    head = make_record("transfer-2000")
    tuned = make_record("transfer-2000", params={"tuned": "all"})
    evidence = one(head, tuned)

    assert cells_of(evidence, head) == cells(lookup.lookup("transfer-2000-job-time", evidence))
    assert cells_of(evidence, tuned) == cells(lookup.lookup("transfer-2000-all-job-time", evidence))
    assert "2,000 images" == lookup.lookup("transfer-2000-job-samples", evidence).text


def test_jobs_that_came_back_late_are_counted_and_the_latest_is_told():
    def job(index, return_s):
        return make_run(index, cell=make_cell("cnn-digits", backend="tensorflow"), job=make_job(8.0, return_s=return_s))

    late = make_record("cnn-digits", backend="tensorflow", runs=[job(0, 0.01), job(1, 6.0), job(2, 0.79)])
    none = make_record("cnn-digits", backend="torch", status="failed")
    evidence = one(late, none)

    found = lookup.lookup("jobs-late-tensorflow", evidence)
    assert "1 of 3" == found.text
    assert cells(found) == cells_of(evidence, late)
    assert "6 s after 8 s of work" == lookup.lookup("jobs-longest-return-tensorflow", evidence).text
    assert facts_fact.NOT_MEASURED == lookup.lookup("jobs-late-torch", evidence).text


def test_start_up_pools_all_cells_of_a_backend():
    records = [make_record("resnet50"), make_record("lstm-text"), make_record("lstm-text", backend="jax")]
    evidence = one(*records)

    found = lookup.lookup("start-up-tensorflow", evidence)

    assert cells_of(evidence, *records[:2]) == cells(found)
    assert 10 == found.estimate.n


def test_another_machine_answers_and_is_named():
    own = make_session_results(
        [make_record("cnn-digits")],
        machine=make_machine("own-4c"),
        session=make_session(machine_id="own-4c", n_cores_effective=4),
        is_local=True,
    )
    other = make_session_results([make_record("resnet50")], machine=make_machine("other-2c"))
    evidence = make_evidence(other, own)

    assert evidence.lead is own
    assert lookup.lookup("resnet50-train-step", evidence).text.endswith("; on other-2c)")
    assert "on " not in lookup.lookup("cnn-digits-time-to-target", evidence).text
    assert "4 cores of an Example CPU 2.1 GHz" == lookup.lookup("machine-cpu", evidence).text


def test_what_a_workload_declares_is_known_without_records():
    assert "2,000 images" == lookup.lookup("transfer-2000-job-samples", EMPTY).text
    assert "97 % accuracy on held-out data" == lookup.lookup("cnn-digits-target", EMPTY).text


def test_every_fact_of_an_empty_store_says_so():
    targets = {f"{name}-target" for name, spec in registry.workloads().items() if spec.target is not None}
    for name in lookup.names(registry.workloads()):
        found = lookup.lookup(name, EMPTY)
        declared = name in targets or "-job-samples" in name or name in by_card.bought()

        assert declared or (fmt.NOT_MEASURED, False) == (found.text, found.measured), name
        assert found.title and found.how, name


def test_every_fact_the_pages_use_is_measured_on_a_full_store():
    evidence = Evidence(make_results(gpu=True), registry.workloads())
    # The factories have no such variant on every backend, and no such workload at all.
    not_invented = {"cnn-digits", "transformer-text-large", *(set(registry.workloads()) - set(INVENTED))}
    not_invented |= {"sessions-overlap", "machine-drift"}  # and -enough: they need a second session of one machine
    not_invented |= {"call-styles-predict-on-batch", "resnet50-one-image", "transfer-2000-all-job-time"}
    not_invented |= {"bfloat16-", "float16-"}  # an invented CPU computes in strict float32

    not_invented |= {
        *by_card.SPEEDS,
        *by_card.costs(),
        *by_card.bought(),
    }  # of cards by name, none of which is invented

    # Nor has any invented GPU a meter.
    silent = [n for n in USED if not n.endswith("-gpu-utilisation") and not lookup.lookup(n, evidence).measured]

    assert [] == [name for name in silent if not name.startswith(tuple(not_invented))]


def test_every_fact_of_a_full_store_names_its_cells_and_derivation():
    evidence = make_evidence(gpu=True, local=True)
    known = {(session.path, cell) for session in evidence.sessions for cell in session.records}
    described = {name for name in lookup.names(evidence.workloads) if "-job-samples" in name}
    described |= {"machine-cpu", "machine-gpu", "lead-date", "n-records", "n-runs", "n-machines"}

    for name in lookup.names(evidence.workloads):
        found = lookup.lookup(name, evidence)
        assert cells(found) <= known, name
        if found.measured and name not in described:
            assert found.cells, name
            assert not re.search(r"nan|inf|None", found.text), name


def test_an_unknown_fact_names_near_ones():
    with pytest.raises(facts_fact.FactError, match="resnet50-train-speedup"):
        lookup.lookup("resnet50-train-speedups", EMPTY)


def test_estimates_are_those_of_stats():
    evidence = one(record := make_record("resnet50"))

    assert quantities.first_step(record) == lookup.lookup("resnet50-train-first-step-tensorflow", evidence).estimate
    assert quantities.latency(record) == lookup.lookup("resnet50-train-latency", evidence).estimate
