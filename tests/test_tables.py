"""Tables: every number has its evidence, what is missing says so, what failed shows why."""

from __future__ import annotations

import re

import msgspec
import pytest

from bench.records.store import Results
from bench.report.charts import make_table as make
from bench.report.evidence.cells import OLDER
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import table as tables_table
from bench.schema import Block, Cell, Record
from bench.workloads import registry
from tests.factories import (
    make_cell,
    make_conditions,
    make_evidence,
    make_gpu,
    make_job,
    make_machine,
    make_record,
    make_run,
    make_session,
    make_session_results,
)

ESTIMATE = re.compile(r"n = \d+\)")


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return make_evidence(gpu=True)


def text_rows(table: tables_table.Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def column(table: tables_table.Table, name: str) -> list[str]:
    at = table.columns.index(name)
    return [row[at].text for row in table.rows]


def test_unknown_table_names_the_nearest(evidence: Evidence):
    with pytest.raises(registry.UnknownNameError, match="course-jobs"):
        make.make("coursejobs", evidence)


OF_OTHERS = ("same-script-pairs", "estimate-against-measured")  # of what others published


@pytest.mark.parametrize("table_id", [id_ for id_ in make.ids() if id_ not in OF_OTHERS])
def test_a_table_of_nothing_has_no_rows(table_id: str):
    made = make.make(table_id, Evidence(Results(()), {}))

    assert () == made.rows
    assert made.caption.endswith(".")


# Nobody of the factory has two GPUs, tried networks under a cap, trained to a target at several batch sizes, or timed
# the clock itself.
ALONE = {"scaling", "real-caps", "target-by-batch", "overhead", "what-fits"}


@pytest.mark.parametrize("table_id", sorted(set(make.ids()) - ALONE))
def test_rows_have_one_cell_per_column_and_no_column_twice(table_id: str, evidence: Evidence):
    made = make.make(table_id, evidence)

    assert made.rows
    assert {len(made.columns)} == {len(row) for row in made.rows}
    assert len(set(made.columns)) == len(made.columns)


@pytest.mark.parametrize("table_id", make.ids())
def test_every_estimate_names_records_that_exist(table_id: str, evidence: Evidence):
    cells = [cell for row in make.make(table_id, evidence).rows for cell in row]

    assert [] == [cell.text for cell in cells if ESTIMATE.search(cell.text) and not (cell.cells and cell.estimate)]
    assert all(cell_id in s.records for cell in cells for s, cell_id in evidence.resolve(cell.cells))


@pytest.mark.parametrize("table_id", make.ids())
def test_no_number_appears_where_nothing_was_measured(table_id: str):
    failed = make_session_results([make_record("lstm-text"), *(
        make_record(w, status="failed", reason="loss is not finite")
        for w in ("resnet50", "matmul", "mlp-tabular", "cnn-digits"))])  # fmt: skip
    made = make.make(table_id, make_evidence(failed))

    cells = [cell for row in made.rows for cell in row]

    assert [] == [cell.text for cell in cells if re.fullmatch(r"0(\.0*)?( .*|x.*)|.*\b(nan|inf|None)\b.*", cell.text)]


@pytest.mark.parametrize("table_id", sorted(set(make.ids()) - ALONE))
def test_plain_rows_are_rectangular(table_id: str, evidence: Evidence):
    header, *lines = make.make(table_id, evidence).plain_rows()

    assert "evidence" == header[-1]
    assert {len(header)} == {len(line) for line in lines}


def test_plain_rows_hold_unrounded_numbers_and_the_evidence():
    record = make_record("resnet50")
    session = make_session_results([record])
    made = make.make("speed-by-workload", make_evidence(session), workload="resnet50")

    header, line, _ = made.plain_rows()  # training, then inference
    found = dict(zip(header, line, strict=True))

    rate = quantities.throughput(record)
    names = ("TensorFlow", "TensorFlow low", "TensorFlow high", "TensorFlow n", "TensorFlow unit")
    assert [rate.value, rate.low, rate.high, 5, "samples_per_s"] == [found[name] for name in names]
    assert "" == found["JAX"], "nothing of this session ran on it"
    assert f"example-2c/2026-11-03/{record.cell.id}" == found["evidence"]


def test_a_machine_column_of_one_machine_moves_into_the_caption(evidence: Evidence):
    one, both = make_evidence(), evidence

    assert "machine" not in make.make("speed-by-workload", one).columns
    assert "Example CPU 2.1 GHz, 2 cores" in make.make("speed-by-workload", one).caption
    assert "machine" == make.make("speed-by-workload", both).columns[0]


def test_tables_can_be_narrowed_to_a_workload_and_a_session(evidence: Evidence):
    cpu_only = evidence.sessions[0]

    made = make.make("jit-arms", evidence, workload="lstm-text", session=cpu_only)

    assert {"LSTM on characters"} == set(column(made, "workload"))
    assert {ref.machine for row in made.rows for cell in row for ref in cell.cells} == {"example-2c"}


def test_headline_without_a_gpu_estimates_one_beside_the_cpu_of_its_row():
    made = make.make("headline", make_evidence())
    at = made.columns.index("GPU")
    guessed = [row for row in made.rows if row[at].is_estimated]

    assert ("workload", "CPU", "GPU", "GPU over CPU", "a job on the CPU") == made.columns
    assert guessed and all(row[at + 1].is_estimated and row[at - 1].cells == row[at].cells for row in guessed)
    assert "What is estimated is of a Tesla T4" in made.caption
    assert all("n = 5" in text for text in column(made, "CPU"))
    assert any(text.endswith(", computed") for text in column(made, "a job on the CPU"))


def test_headline_with_a_gpu_divides_within_one_session(evidence: Evidence):
    made = make.make("headline", evidence)
    at = made.columns.index("GPU over CPU")

    for row in made.rows:
        assert 2 == len(row[at].cells)
        assert 1 == len({(ref.machine, ref.session) for ref in row[at].cells})


OWN, WITH_GPU = "this machine (Reader's CPU, 4 cores)", "gpu-16c (Example GPU beside Example Server CPU, 16 cores)"


def test_headline_of_a_machine_without_gpu_begins_with_a_machine_that_has_one():
    made = make.make("headline", make_evidence(gpu=True, local=True))

    n = column(made, "machine").index(OWN)
    assert [WITH_GPU] * n == column(made, "machine")[:n] and {OWN} == set(column(made, "machine")[n:])
    assert {"no GPU"} == set(column(made, "GPU")[n:]) and {""} == set(column(made, "GPU over CPU")[n:])
    assert "not measured yet" not in column(made, "GPU")[:n]


def test_headline_shows_a_gpu_whose_session_was_not_tested_against_itself():
    own = make_session_results([make_record("resnet50", threads=4, n_runs=2)], is_local=True)
    machine = make_machine("gpu-16c", gpus=(make_gpu(),))
    once = [make_record("resnet50", device=d, threads=16, n_runs=1) for d in ("cpu", "gpu")]
    made = make.make("headline", make_evidence(own, make_session_results(once, machine=machine)))

    assert ["not tested against itself", ""] == list(dict.fromkeys(row[0].note for row in made.rows))
    assert made.rows[0][0].text.startswith("gpu-16c (Example GPU beside")


def test_headline_names_batch_and_precision_of_a_ratio():
    records = [make_record("resnet50"), make_record("resnet50", device="gpu", precision="tf32", batch_size=32)]
    machine = make_machine(gpus=(make_gpu(),))
    made = make.make("headline", make_evidence(make_session_results(records, machine=machine)))

    ratio = dict(zip(column(made, "workload"), column(made, "GPU over CPU"), strict=True))["ResNet-50, 224 px"]
    assert "x (batch 32, TF32, against batch 8, float32; " in ratio


@pytest.mark.parametrize("table_id", ["phase-times", "job-by-steps", "speed-by-workload", "first-step", "matmul-rate"])
def test_a_backend_that_a_machine_does_not_run_has_no_row(table_id: str):
    records = [make_record(w, backend=b) for w in ("resnet50", "matmul") for b in ("jax", "torch")]
    made = make.make(table_id, make_evidence(make_session_results(records)))

    assert not any("TensorFlow" in cell.text for row in made.rows for cell in row)
    if "TensorFlow" in made.columns:
        assert {""} == set(column(made, "TensorFlow"))


def test_a_failed_cell_shows_its_status_and_reason(evidence: Evidence):
    made = make.make("speed-by-workload", evidence)
    at = made.columns.index("JAX")

    cells = [row[at] for row in made.rows if "Inception-v3, 299 px" in [cell.text for cell in row]]

    assert {"skipped: jax is not installed: pip install '.[jax]'"} == {cell.text for cell in cells}
    assert all(cell.cells for cell in cells)


def test_speed_ups_name_cpu_and_cores_and_every_gpu_precision(evidence: Evidence):
    made = make.make("cpu-gpu-speedup", evidence)

    assert {"Example Server CPU, 16 cores", "Example CPU 2.1 GHz, 2 cores"} == set(column(made, "CPU and cores"))
    assert {"strict float32 on both", "TF32 against float32", ""} <= {
        text.partition(", ")[2] if text.endswith("on both") else text.rpartition("on both, ")[2]
        for text in column(made, "batch and precision")
    }
    assert {"no GPU"} == {
        on_gpu for machine, on_gpu in zip(column(made, "machine"), column(made, "on the GPU"), strict=True)
        if machine.startswith("example-2c")
    }  # fmt: skip
    assert made.rows[0][0].text.startswith("gpu-16c")
    at = made.columns.index("GPU over CPU")
    assert all(1 == len({ref[:2] for ref in row[at].cells}) for row in made.rows if row[at].cells)


def test_surface_has_a_row_for_each_width_and_batch(evidence: Evidence):
    made = make.make("mlp-surface", evidence, session=evidence.lead)

    sizes = list(zip(column(made, "width"), column(made, "batch size"), strict=True))
    assert 9 == len(sizes) == len(set(sizes))
    assert [("16", "32"), ("16", "256"), ("16", "2,048")] == sizes[:3]
    assert all(text.endswith("n = 5)") for text in column(made, "GPU over CPU"))


def test_batches_are_compared_within_one_size_of_a_workload():
    records = [make_record("resnet50", batch_size=b) for b in (2, 8, 32)] + [make_record("lstm-text")]
    made = make.make("throughput-by-batch", make_evidence(make_session_results(records)))

    assert ["2", "8", "32"] == column(made, "batch size")


def test_a_precision_stands_beside_the_same_cell_in_float32():
    strict = [make_record(step_s=2.0, jitter_frac=0), make_record(step_s=1.0, jitter_frac=0, jit="on")]
    mixed = make_record(step_s=4.0, jitter_frac=0, precision="mixed_bfloat16")
    alone = make_record(step_s=4.0, precision="mixed_float16", batch_size=64)
    made = make.make("precisions", make_evidence(make_session_results([*strict, mixed, alone])))

    assert ["mixed_bfloat16, emulated"] == column(made, "precision")
    assert ["0.500x (0.500 to 0.500, n = 5)"] == column(made, "times as fast")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), {"mixed_bfloat16, emulated", "mixed_float16, emulated"}),
        (("avx512_bf16",), {"mixed_bfloat16", "mixed_float16, emulated"}),
        (("bf16", "asimdhp"), {"mixed_bfloat16", "mixed_float16"}),
    ],
)
def test_a_precision_without_instructions_is_marked_on_a_cpu_and_not_on_a_gpu(flags, expected):
    arms = [make_record(precision=precision) for precision in ("float32-strict", "mixed_bfloat16", "mixed_float16")]
    gpu = [make_record(device="gpu", precision=precision) for precision in ("float32-strict", "mixed_float16")]
    evidence = make_evidence(make_session_results([*arms, *gpu], machine=make_machine(cpu_flags=flags)))

    assert ["float32-strict", *sorted(expected)] == sorted(map(evidence.precision_text, arms))
    assert ["float32-strict", "mixed_float16"] == list(map(evidence.precision_text, gpu))
    assert {*expected, "mixed_float16"} == set(column(make.make("precisions", evidence), "precision"))


def test_jit_table_says_slower_in_words():
    records = [make_record(step_s=1.0, jitter_frac=0), make_record(step_s=2.0, jitter_frac=0, jit="on")]
    made = make.make("jit-arms", make_evidence(make_session_results(records)))

    assert ["slower"] == column(made, "with jit it is")
    assert ["0.500x (0.500 to 0.500, n = 5)"] == column(made, "with over without")


def test_first_step_is_told_in_steady_steps():
    phases = {"import": 1.0, "device_start": 0.1, "data": 0.1, "build": 0.1, "first_step": 30.0}
    record = make_record(step_s=0.5, jitter_frac=0, run_fields={"phases_s": phases})
    made = make.make("first-step", make_evidence(make_session_results([record])), workload="resnet50")

    assert ["60 steps"] == column(made, "the first costs as much as")


def test_target_table_shows_the_share_of_runs_that_met_it():
    made = make.make("time-to-target", make_evidence(make_session_results([make_record("cnn-digits")])))

    assert column(made, "runs that met it")[0].startswith("100 % (57 to 100")
    assert ["97 % accuracy"] == column(made, "target")


def test_batch_sizes_are_set_beside_each_other_by_what_they_learn():
    def record(batch_size: int, *qualities: tuple[float, ...], **fields):
        cell = make_cell("cnn-digits", batch_size=batch_size, **fields)
        runs = [make_run(i, cell=cell, job=make_job(10.0, each)) for i, each in enumerate(qualities)]
        return make_record("cnn-digits", runs=runs, batch_size=batch_size, **fields)

    all_met, none_met = ((0.98,), (0.5, 0.98)), ((0.5, 0.6), (0.5, 0.9))
    records = [record(8, *all_met), record(480, *none_met), record(8, *all_met, backend="jax", jit="on")]
    made = make.make("target-by-batch", make_evidence(make_session_results(records)))

    assert ["8", "480"] == column(made, "batch size"), "JAX has one batch size, which is no comparison"
    assert ["1 to 2", "not reached"] == column(made, "epochs")
    assert [True, False] == [text.startswith("100 %") for text in column(made, "runs that met it")]
    assert "not reached" == column(made, "training")[1]
    shown = [made.columns.index(name) for name in ("epochs", "training", "runs that met it")]
    assert all(row[index].cells for row in made.rows for index in shown), "each number has its evidence"


def test_fairness_prints_what_was_asked_and_what_ran():
    slow, fast = make_record(jit="on"), make_record("lstm-text")
    other = make_record(backend="torch")
    made = make.make("fairness", make_evidence(make_session_results([slow, fast, other])))

    rows = {row[0].text: [cell.text for cell in row[1:]] for row in made.rows}

    assert ("", "TensorFlow, CPU", "PyTorch, CPU") == made.columns
    assert ["off (1 run); on (1 run)", "off"] == rows["jit asked"]
    assert ["2.21.0", "2.9.0"] == rows["backend version"]
    assert ["does not apply"] * 2 == rows["TF32"]
    assert ["loop (1 run); none (1 run)", "none"] == rows["recurrent path"]
    assert ["55 °C, 61 °C"] * 2 == rows["temperature"]
    assert ["2"] * 2 == rows["threads observed"]
    assert {"cores by quota", "caches", "data feed", "autotune", "layout", "commit", "date"} <= set(rows)
    assert all(cell.cells for row in made.rows for cell in row[1:])


def test_failures_list_what_was_planned_and_never_ran():
    ran, failed = make_record("lstm-text"), make_record(status="timeout")
    lost = make_record("mobilenet-v2")
    session = make_session([ran, failed, lost])
    made = make.make("failures", make_evidence(make_session_results([ran, failed], session=session)))

    by_cell = dict(zip(column(made, "cell"), column(made, "what happened"), strict=True))

    assert {failed.cell.id: "ran out of time", lost.cell.id: "not measured yet"} == by_cell


def test_machines_and_sessions_cover_everything():
    evidence = make_evidence(gpu=True, local=True)

    assert ["example-2c", "gpu-16c", "this machine"] == column(make.make("machines", evidence), "machine")
    assert ["not published", "community", "community"] == column(make.make("sessions", evidence), "state")


def test_unknown_core_count_is_not_a_zero():
    machine = make_machine(n_physical_cores=None)
    made = make.make("machines", make_evidence(make_session_results([make_record()], machine=machine)))

    assert ["not measured yet"] == column(made, "physical cores")


def test_a_noisy_number_carries_its_warning():
    record = make_record(n_runs=2, jitter_frac=0.9)
    made = make.make("speed-by-workload", make_evidence(make_session_results([record])), workload="resnet50")

    note = made.rows[0][made.columns.index("TensorFlow")].note

    assert "(limit 10 %)" in note
    assert "2 runs" in note


def test_deleting_a_workloads_records_leaves_a_gap_that_says_so():
    records = [make_record("lstm-text"), make_record("resnet50")]
    before, after = (make_evidence(make_session_results(found)) for found in (records, records[:1]))

    for table_id, name in (("headline", "CPU"), ("speed-by-workload", "TensorFlow"), ("first-step", "first step")):
        full, short = (make.make(table_id, found, workload="resnet50") for found in (before, after))
        assert "n = 5" in column(full, name)[0]
        assert "not measured yet" == column(short, name)[0]


def test_backends_that_overlap_share_a_place():
    records = [
        make_record("resnet50", backend=backend, step_s=step_s)
        for backend, step_s in (("tensorflow", 2.0), ("jax", 2.01), ("torch", 4.0))
    ]
    made = make.make("speed-by-workload", make_evidence(make_session_results(records)), workload="resnet50")

    assert "1. TensorFlow, 1. JAX, 3. PyTorch" == column(made, tables_table.PLACES)[0]
    (places,) = [row[-1] for row in made.rows[:1]]
    assert {r.cell.id for r in records} == {ref.cell for ref in places.cells}


def test_places_of_single_runs_say_so():
    records = [make_record("resnet50", backend=backend, n_runs=1) for backend in ("tensorflow", "torch")]
    made = make.make("speed-by-workload", make_evidence(make_session_results(records)), workload="resnet50")

    assert column(made, tables_table.PLACES)[0].endswith(" (by single runs)")


def test_a_job_grows_by_its_steady_step():
    record = make_record("resnet50")
    made = make.make("job-by-steps", make_evidence(make_session_results([record])), workload="resnet50")

    one, ten, *_ = (cell.estimate.value for cell in made.rows[0][-len(quantities.JOB_STEPS) :])
    assert ten - one == pytest.approx(9 * quantities.step_time(record).value, rel=0.02)


def test_one_backend_alone_has_no_place():
    made = make.make("speed-by-workload", make_evidence(make_session_results([make_record("resnet50")])))

    assert {""} == set(column(made, tables_table.PLACES))


def test_a_disturbed_cell_is_named_and_chosen_only_where_there_is_no_other():
    busy = {"before": make_conditions(load_1min=9.0)}
    fast = make_record("resnet50", step_s=1.0, jit="on", run_fields=busy)
    calm = make_record("resnet50", step_s=2.0, jit="off")
    both, alone = (make_evidence(make_session_results(records)) for records in ([fast, calm], [fast]))

    chosen, only = (make.make("headline", e, workload="resnet50").rows[0][1] for e in (both, alone))

    assert ([calm.cell.id], False) == ([ref.cell for ref in chosen.cells], chosen.is_disturbed)
    assert ([fast.cell.id], True) == ([ref.cell for ref in only.cells], only.is_disturbed)
    assert "load" in only.note and "load" not in chosen.note


@pytest.mark.parametrize(("fields", "is_older"), [({}, False), ({"source_hash": "f" * 16}, True)])
def test_a_number_of_an_older_method_says_so_in_tables_and_facts(fields: dict[str, str], is_older: bool):
    evidence = make_evidence(make_session_results([make_record("resnet50", **fields)]))

    rate = make.make("headline", evidence, workload="resnet50").rows[0][1]
    fact = lookup.lookup("resnet50-train-cpu-throughput", evidence)

    assert (is_older, is_older, is_older) == (rate.is_older, OLDER in rate.note, OLDER in fact.note)


def test_several_gpus_show_their_gain_and_the_share_of_the_ideal():
    spec = registry.workload("multi-gpu")
    (variant,) = spec.variants["smoke"]
    cell = Cell(
        workload=spec.id, mode="study", backend="jax", device="gpu", jit="on", batch_size=variant.batch_size,
        n_samples=variant.n_samples, threads=2, params=variant.params,
    )  # fmt: skip
    seconds = {"one": 0.10, "strong": 0.0625, "weak": 0.125}
    like = make_cell("call-styles", backend="jax", device="gpu")
    series = {name: tuple([Block(n_steps=5, seconds=5 * s)] * 4) for name, s in seconds.items()}
    runs = tuple(make_run(i, cell=like, series=series, readings={"devices": 2.0}) for i in range(5))
    known = {"profile": "smoke", "method_version": 1, "source_hash": "x"}
    record = Record(cell=cell, spec=spec, status="ok", runs=runs, **known)
    skipped = msgspec.structs.replace(
        record,
        cell=msgspec.structs.replace(cell, backend="torch"),
        status="skipped",
        reason="no data parallelism",
        runs=(),
    )

    made = make.make("scaling", Evidence(Results((make_session_results([record, skipped]),)), {spec.id: spec}))

    first, second = ([cell.text.split(" (")[0] for cell in row[-4:]] for row in made.rows)
    assert ["100 ms", "1.60x", "80.0 %", "80.0 %"] == first
    assert "skipped: no data parallelism" == second[0]


def test_ways_to_do_the_same_work_have_places_within_a_backend():
    records = [make_record("call-styles", backend=backend) for backend in ("tensorflow", "torch")]

    made = make.make("study", make_evidence(make_session_results(records)), workload="call-styles")

    told = dict(zip(column(made, "what"), column(made, "place"), strict=True))
    assert "1. in TensorFlow, 1. in PyTorch" == told["model(x) compiled (PyTorch: in inference mode)"]
    assert "3. in TensorFlow, 3. in PyTorch" == told["model.predict(x)"]
    assert "share a place" in made.caption


def test_a_study_without_alternatives_has_no_places():
    spec = msgspec.structs.replace(make_record("call-styles").spec, id="other-study")
    record = msgspec.structs.replace(make_record("call-styles"), spec=spec)
    record = msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, workload="other-study"))

    made = make.make("study", Evidence(Results((make_session_results([record]),)), {spec.id: spec}))

    assert made.rows and "place" not in made.columns and "share a place" not in made.caption


def test_cells_that_differ_in_their_rows_only_say_how_many():
    record = make_record("call-styles")
    more = msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, n_samples=4096))
    noun = record.spec.sample_noun

    def sizes(*records) -> set[str]:
        made = make.make("study", make_evidence(make_session_results(records)), workload="call-styles")
        return set(column(made, "size")) if "size" in made.columns else set()

    assert {f"{record.cell.n_samples} {noun}", f"4,096 {noun}"} == sizes(record, more)
    assert set() == sizes(record)


def test_the_warm_up_is_counted_over_all_runs():
    short, long = ((Block(n_steps=1, seconds=0.2),) * n for n in (3, 5))
    cell = make_cell("cnn-digits")
    runs = [make_run(i, cell=cell, step_s=0.1, warmup=w, steady=i > 0) for i, w in enumerate((short, long, long))]
    record = make_record("cnn-digits", runs=runs)

    (row,) = text_rows(make.make("warm-up", make_evidence(make_session_results([record])), workload="cnn-digits"))

    expected = ["3 to 5", fmt.ratio(2.0), "criterion met in 2 of 3 runs", "too short for a name"]
    assert expected == [row[i] for i in (2, 4, 6, 7)]
