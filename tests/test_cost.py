"""What a run will take: every step of the ladder on made-up records, and a leave-one-out test on the committed ones."""

import msgspec
import pytest

from bench.schema import Block
from bench.session import cost
from bench.session.cost import Costs
from bench.workloads import registry
from tests import committed
from tests.factories import make_cell, make_record, make_run, make_workload

VARIANT = make_workload("resnet50").variants["reference"][0]


def record_that_took(seconds, workload="resnet50", *, n_runs=3, **fields):
    cell = make_cell(workload, **{k: v for k, v in fields.items() if k != "profile"})
    runs = []
    for index in range(n_runs):
        usual = make_run(index, cell=cell)
        phases = usual.phases_s | {"import": max(seconds - sum(usual.phases_s.values()), 0.0)}  # nothing unexplained
        runs.append(msgspec.structs.replace(usual, total_s=seconds, phases_s=phases))
    return make_record(workload, runs=runs, **fields)


def costs(*pairs, machine_id="here"):
    return Costs(cost.known((name, [record]) for name, record in pairs), machine_id)


def expected(known, workload="resnet50", *, profile="reference", **fields):
    return known.of(make_cell(workload, **fields), make_workload(workload).variants["reference"][0], profile)


def test_without_records_it_is_the_workloads_guess():
    assert (VARIANT.estimate_s, "the workload's guess") == expected(costs())
    assert pytest.approx(1.2 * VARIANT.estimate_s) == expected(costs(), backend="jax", jit="on").seconds


def test_a_guess_for_a_gpu_holds_the_start_of_its_process():
    """What a workload file guesses for a small network is the time on two cores, and shorter."""
    short, long = (msgspec.structs.replace(VARIANT, estimate_s=seconds) for seconds in (2.0, 100.0))
    on_cpu, on_gpu = (make_cell(device=device, backend="jax", jit="on") for device in ("cpu", "gpu"))

    assert pytest.approx(2.4) == cost.guess(on_cpu, short)
    assert 5.0 < cost.guess(on_gpu, short) < 60.0
    assert pytest.approx(120.0) == cost.guess(on_gpu, long)


def test_the_same_cell_on_this_machine_is_believed_whatever_others_took():
    known = costs(("here", record_that_took(33.0)), ("there", record_that_took(900.0)))

    assert (33.0, "this cell") == expected(known)


def test_a_failing_run_counts_only_where_all_fail():
    cell = make_cell()
    failed = make_run(1, cell=cell, total_s=2.0, status="failed", reason="it broke", blocks=())
    mixed = make_record(runs=[make_run(0, cell=cell, total_s=40.0), failed])

    assert 40.0 == expected(costs(("here", mixed))).seconds
    assert 2.0 == expected(costs(("here", make_record(status="failed", runs=[failed])))).seconds


def test_another_profile_of_the_cell_is_scaled_by_the_guesses():
    known = costs(("here", record_that_took(30.0)))
    quick = msgspec.structs.replace(VARIANT, estimate_s=VARIANT.estimate_s / 4)

    found = known.of(make_cell(), quick, "quick")

    assert "its siblings here" == found.basis
    assert pytest.approx(7.5) == found.seconds


def test_another_size_is_scaled_by_the_guesses():
    known = costs(("here", record_that_took(30.0)))
    large = msgspec.structs.replace(VARIANT, batch_size=32, estimate_s=3 * VARIANT.estimate_s)

    found = known.of(make_cell(batch_size=32), large, "reference")

    assert ("its siblings here", pytest.approx(90.0)) == (found.basis, found.seconds)


def test_half_the_threads_take_longer_but_start_up_does_not():
    whole = record_that_took(60.0)
    half = expected(costs(("here", whole)), threads=1)

    assert "its siblings here" == half.basis
    assert 60.0 < half.seconds < 120.0


def test_a_gpu_cell_does_not_depend_on_the_cpus_threads():
    known = costs(("here", record_that_took(60.0, device="gpu", threads=16)))

    assert 60.0 == pytest.approx(expected(known, device="gpu", threads=4).seconds)


def test_other_machines_are_scaled_by_what_both_measured():
    """Here everything takes twice as long as there, whatever the number of cores in the cells' names."""
    known = costs(
        ("here", record_that_took(20.0, "mlp-tabular")),
        ("here", record_that_took(12.0, "lstm-text")),
        ("there", record_that_took(10.0, "mlp-tabular", threads=16)),
        ("there", record_that_took(6.0, "lstm-text", threads=16)),
        ("there", record_that_took(50.0, "resnet50", threads=16)),
    )

    assert (pytest.approx(100.0), "other machines") == expected(known)


def test_another_machines_gpu_is_believed_where_nothing_is_common():
    known = costs(("here", record_that_took(500.0)), ("there", record_that_took(15.0, device="gpu", threads=16)))

    assert (15.0, "other machines") == expected(known, device="gpu")


def test_another_backend_here_goes_before_a_bare_guess():
    known = costs(("here", record_that_took(5 * VARIANT.estimate_s)))

    found = expected(known, backend="jax", jit="on")

    assert "another backend here" == found.basis
    assert pytest.approx(5**cost.BACKEND_AGREEMENT * 1.2 * VARIANT.estimate_s) == found.seconds


def test_guesses_that_were_off_are_corrected_from_three_cells_on():
    slow = [record_that_took(40.0, name) for name in ("mlp-tabular", "lstm-text", "cnn-digits")]
    assert {10.0} == {record.spec.variants["reference"][0].estimate_s for record in slow}

    two, three = (costs(*(("here", record) for record in slow[:n])) for n in (2, 3))

    assert VARIANT.estimate_s == expected(two).seconds
    assert pytest.approx(4 * VARIANT.estimate_s) == expected(three).seconds


def test_skipped_cells_teach_nothing():
    assert () == cost.known([("here", [make_record(status="skipped")])])


def test_a_run_that_was_interrupted_teaches_nothing():
    blocks = (Block(n_steps=10, seconds=5.0),) * 4
    whole, stopped = (make_run(0, cell=make_cell(), total_s=total, blocks=blocks, job=None) for total in (30.0, 600.0))

    assert "the workload's guess" == expected(costs(("here", make_record(runs=[stopped])))).basis
    assert 30.0 == expected(costs(("here", make_record(runs=[stopped, whole])))).seconds


def test_nine_of_ten_committed_cells_are_foretold_within_a_factor_of_two():
    """Every fifth cell from all other records, as if its machine had never run it in any profile."""
    sessions = ((s.machine.id, s.records.values()) for s in committed.results().sessions)
    known = cost.known(sessions, registry.workloads())
    tried = known[::5]
    assert len(tried) >= 50

    off = {}
    for item in tried:
        rest = [o for o in known if (o.machine_id, o.cell.id) != (item.machine_id, item.cell.id)]
        variant = msgspec.structs.replace(VARIANT, estimate_s=item.guess_s / cost.BACKEND_COST[item.cell.backend])
        ratio = Costs(rest, item.machine_id).of(item.cell, variant, item.profile).seconds / item.seconds
        if not 0.5 <= ratio <= 2:
            off[item.cell.id] = ratio

    assert len(off) <= 0.1 * len(tried), off
