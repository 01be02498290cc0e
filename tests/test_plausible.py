"""Every rule refuses the anomaly it was made for, and leaves honest records alone."""

from __future__ import annotations

import json

import msgspec
import pytest

from bench.records import agree, files, plausible, store
from bench.schema import Block, Cell, Epoch, Job, Record
from tests.factories import (
    in_turn,
    make_cell,
    make_gpu,
    make_machine,
    make_record,
    make_results,
    make_run,
    make_session,
)


def changed_run(index: int = 1, **fields) -> Record:
    """An honest record with other fields in one of its runs."""
    record = make_record()
    runs = list(record.runs)
    runs[index] = msgspec.structs.replace(runs[index], **fields)
    return msgspec.structs.replace(record, runs=tuple(runs))


def blocks_of(*seconds: float) -> tuple[Block, ...]:
    return tuple(Block(n_steps=1, seconds=value) for value in seconds)


HONEST = make_record().runs[1]
GOOD_JOB = Job(epochs=(Epoch(loss=1, quality=None, at_s=1.0, evaluation_s=0.1),), seconds=2.0, reached=None)


def backwards() -> Job:
    early = Epoch(loss=1, quality=None, at_s=0.5, evaluation_s=0.1)
    return msgspec.structs.replace(GOOD_JOB, epochs=(*GOOD_JOB.epochs, early))


# Rule, a record with its anomaly, and the place and words of the refusal.
RECORDS = {
    # Lambda's table of GPU benchmarks published 24 zeros that stood for "not measured".
    "a zero for missing memory": (plausible.zero_for_missing, changed_run(peak_host_bytes=0), "peak_host_bytes: "),
    "a zero for missing energy": (plausible.zero_for_missing, changed_run(energy_j=0.0), "energy_j: expected above 0"),
    "a job of no time": (
        plausible.zero_for_missing,
        changed_run(job=msgspec.structs.replace(GOOD_JOB, seconds=0.0, epochs=())),
        "job.seconds",
    ),
    "a job of no steps": (
        plausible.job_shorter_than_its_steps,
        changed_run(
            job=msgspec.structs.replace(GOOD_JOB, epochs=(Epoch(loss=1, quality=None, at_s=1e-3, evaluation_s=0),))
        ),
        "job.epochs[0].at_s: expected at least",
    ),
    "a product of more than its operations": (
        plausible.miscounted_product,
        make_record("matmul", n_runs=1, run_fields={"flop_per_step": 1e13}),
        "flop_per_step: expected",
    ),
    "equal blocks": (plausible.identical_samples, changed_run(blocks=blocks_of(*[0.5] * 6)), "6 of 6 equal"),
    "mostly equal blocks": (
        plausible.identical_samples,
        changed_run(blocks=blocks_of(*[0.5] * 6, 0.51, 0.52)),
        "6 of 8 equal",
    ),
    "equal latencies": (plausible.identical_samples, changed_run(latencies_s=(0.25,) * 9), "latencies_s: "),
    "phases longer than the run": (plausible.clock_backwards, changed_run(total_s=3.0), "phases_s: expected at most"),
    "an epoch before the one before": (plausible.clock_backwards, changed_run(job=backwards()), "job.epochs[1]"),
    "an epoch after the job's end": (
        plausible.clock_backwards,
        changed_run(job=msgspec.structs.replace(GOOD_JOB, seconds=0.5)),
        "job.epochs: expected to end within",
    ),
    "a job longer than its process": (
        plausible.clock_backwards,
        changed_run(job=msgspec.structs.replace(GOOD_JOB, seconds=1e6)),
        "job.seconds: expected at most",
    ),
    "blocks longer than the steady phase": (
        plausible.blocks_longer_than_the_phase,
        changed_run(phases_s={**HONEST.phases_s, "steady": 1.0}),
        "the steady phase's 1.0 s",
    ),
    "blocks longer than the run": (
        agree.waits,
        changed_run(total_s=60.0, phases_s={}),
        "blocks: expected at most the run's 60.0 s",
    ),
    "GPU memory on a CPU": (
        plausible.gpu_memory_on_a_cpu,
        changed_run(peak_device_bytes=5_000_000),
        "expected null in a run on the CPU, found 5000000",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_rule_refuses_its_anomaly(name):
    rule, record, words = RECORDS[name]

    found = [f"{at}: {text}" for at, text in rule(record)]

    assert 1 == len(found)
    assert words in found[0]


@pytest.mark.parametrize("rule", plausible.RECORD_RULES)
def test_a_rule_has_an_anomaly_and_leaves_honest_records_alone(rule):
    assert rule in [refused for refused, _, _ in RECORDS.values()]
    for session in make_results(gpu=True, local=True).sessions:
        for record in session.records.values():
            assert [] == list(rule(record)), record.cell.id


def test_runs_that_failed_are_not_judged():
    run = make_run(status="failed", total_s=0.0, energy_j=-1.0, blocks=())

    assert [] == [found for rule in plausible.RECORD_RULES for found in rule(make_record(runs=[run]))]


def test_a_coarse_clock_may_repeat_itself_below_a_millisecond():
    assert [] == list(plausible.identical_samples(changed_run(latencies_s=(4.2e-6,) * 50)))


def test_five_equal_readings_are_let_pass():
    assert [] == list(plausible.identical_samples(changed_run(blocks=blocks_of(*[0.5] * plausible.N_IDENTICAL))))


def test_studies_are_judged_by_their_series():
    same = {"fit": blocks_of(*[0.2] * 7), "step": blocks_of(0.1, 0.11, 0.12)}

    (found,) = plausible.identical_samples(changed_run(series=same))
    (longer,) = agree.waits(changed_run(series={"fit": blocks_of(500.0)}))

    assert "$.runs[1].series.fit" == found[0]
    assert "expected at most the run's" in longer[1]


def test_no_run_holds_more_memory_than_there_is():
    machine = make_machine(memory_bytes=800_000_000)
    gpu = make_machine(gpus=(make_gpu(memory_bytes=10),))
    on_gpu = make_record(device="gpu", n_runs=1, run_fields={"peak_device_bytes": 11})

    (found, *_) = plausible.more_memory_than_the_machine(make_record(), machine)
    ((at, text),) = plausible.more_memory_than_the_machine(on_gpu, gpu)

    assert ("$.runs[0].peak_host_bytes", "expected at most the machine's 800000000, found 900000000") == found
    assert ("$.runs[0].peak_device_bytes", "expected at most the GPU's 10, found 11") == (at, text)
    assert [] == list(plausible.more_memory_than_the_machine(make_record(), make_machine()))


# What two cells say together.


def by_id(*records: Record) -> dict[str, Record]:
    return {record.cell.id: record for record in in_turn(records)}


def said(rule, *records: Record) -> list[tuple[str, str]]:
    """What a rule of sessions says of these records."""
    found = by_id(*records)
    return list(rule(found, plausible.seconds_per_step(found)))


def counted(flop_per_step: float, step_s: float = 1.0, workload: str = "resnet50", **fields) -> Record:
    cell = make_cell(workload, **fields)
    return make_record(workload, runs=[make_run(cell=cell, step_s=step_s, flop_per_step=flop_per_step)], **fields)


def one_core(record: Record) -> Cell:
    return msgspec.structs.replace(record.cell, threads=1)


def test_nothing_is_much_faster_than_the_matrix_product_of_its_device():
    """Lambda's table shows one network 51 times as fast on a card as on its like: more than the card can do."""
    ceiling = counted(1e11, workload="matmul", params={"n": 4096})
    slower = counted(1e10, workload="matmul", params={"n": 1024})  # the highest of the products counts

    for factor, n_found in ((51, 1), (plausible.CEILING_FACTOR - 0.1, 0), (0.5, 0)):
        found = said(plausible.faster_than_the_ceiling, counted(factor * 1e11), ceiling, slower)
        assert n_found == len(found)
    ((cell_id, text),) = said(plausible.faster_than_the_ceiling, counted(51e11), ceiling)
    assert counted(51e11).cell.id == cell_id
    assert "1e+11 operations a second, found 5.1e+12" in text
    # A small product is none, nor is one on fewer cores than the network had.
    for other in (
        counted(1e10, workload="matmul", params={"n": 64}),
        msgspec.structs.replace(ceiling, cell=one_core(ceiling)),
    ):
        assert [] == said(plausible.faster_than_the_ceiling, counted(51e11), other)
    # Another device's product is no ceiling, and without one nothing can be said.
    assert [] == said(plausible.faster_than_the_ceiling, counted(51e11, device="gpu"), ceiling)
    assert [] == said(plausible.faster_than_the_ceiling, counted(51e11))


@pytest.mark.parametrize(("gain", "n_found"), [(3.5, 1), (2.9, 0), (1.7, 0), (0.5, 0)])
def test_two_cores_are_not_far_more_than_twice_one(gain, n_found):
    one, two = counted(1.0, gain, threads=1), counted(1.0, 1.0, threads=2)

    found = said(plausible.threads_beyond_linear, one, two)

    assert [two.cell.id] * n_found == [cell_id for cell_id, _ in found]
    other = counted(1.0, gain, threads=1, backend="jax", jit="on")
    assert [] == said(plausible.threads_beyond_linear, other, two)


@pytest.mark.parametrize(("train_s", "n_found"), [(0.3, 1), (0.6, 0), (3.0, 0)])
def test_training_is_not_shorter_than_its_forward_pass(train_s, n_found):
    """In cnn-benchmarks some forward and backward passes did not add up to their total."""
    train, infer = counted(1.0, train_s), counted(1.0, 1.0, mode="infer")

    found = said(plausible.training_shorter_than_its_forward_pass, train, infer)

    assert [train.cell.id] * n_found == [cell_id for cell_id, _ in found]
    other = counted(1.0, 1.0, mode="infer", batch_size=64)
    assert [] == said(plausible.training_shorter_than_its_forward_pass, train, other)


def test_smoke_cells_are_not_set_against_each_other():
    pair = [counted(1.0, 0.3), counted(1.0, 1.0, mode="infer")]
    small = [
        msgspec.structs.replace(
            record,
            profile="smoke",
            spec=msgspec.structs.replace(record.spec, variants={"smoke": record.spec.variants["reference"]}),
        )
        for record in pair
    ]

    assert 1 == len(list(plausible.problems(by_id(*pair))))
    assert [] == list(plausible.problems(by_id(*small)))
    broken = msgspec.structs.replace(small[0], runs=(msgspec.structs.replace(small[0].runs[0], energy_j=0.0),))
    assert list(plausible.problems(by_id(broken))), "a record alone is still checked"


def test_failed_cells_say_nothing_together():
    failed = make_record(status="failed", threads=1)

    assert [] == list(plausible.problems(by_id(failed, make_record(threads=2))))


def test_invented_sessions_pass():
    for session in make_results(gpu=True, local=True).sessions:
        assert [] == list(plausible.problems(by_id(*session.records.values()), session.machine))


# In the store.


def test_every_committed_record_passes():
    assert [] == store.check()


@pytest.fixture
def implausible(tmp_path):
    """A results folder whose one record is well-formed and cannot be true."""
    record = make_record()
    folder = store.session_folder(tmp_path, "example-2c", "2026-11-03", local=False)
    store.begin(folder, make_machine(), make_session((record,)))
    path = store.write_record(folder, record)
    data = json.loads(path.read_text())
    data["runs"][0]["peak_device_bytes"] = 7
    path.write_text(json.dumps(data))
    return tmp_path


def test_the_check_and_the_site_refuse_what_cannot_be_true(implausible):
    problem, *_ = store.check(implausible)  # and that a value stands beside the reason why there is none
    with pytest.raises(files.RecordError, match="expected null in a run on the CPU, found 7"):
        store.load(implausible)

    assert problem.startswith("example-2c/2026-11-03/resnet50-")
    assert problem.endswith("; measure it again or take the file away")


def test_a_strange_reading_does_not_stand_in_the_way_of_measuring_again(implausible):
    assert 1 == len(store.load(implausible, only_plausible=False).sessions)
