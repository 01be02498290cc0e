"""Which cells run, in what order, and what is left out and why. No machine is asked."""

import itertools

import msgspec
import pytest

from bench.schema import BACKENDS
from bench.session.plan import SELF_TEST
from bench.workloads.registry import UnknownNameError
from tests.factories import INSTALLED, make_plan


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    first, again = make_plan(seed=1, repeats=3), make_plan(seed=1, repeats=3)
    other = make_plan(seed=2, repeats=3)

    def order(p):
        return [(run.cell.id, run.index) for run in p.runs]

    assert order(first) == order(again)
    assert order(first) != order(other)
    assert sorted(order(first)) == sorted(order(other))


def test_repeats_of_compared_cells_alternate():
    """Between two repeats of a cell every other cell of its group has run once."""
    runs = make_plan(only=("resnet50",), backends=BACKENDS, repeats=4).runs
    n_cells = len({run.cell.id for run in runs})

    rounds = [runs[start : start + n_cells] for start in range(0, len(runs), n_cells)]

    assert all(len({run.cell.id for run in group}) == n_cells for group in rounds)
    assert [0, 1, 2, 3] == [group[0].index for group in rounds]


def test_a_cells_repeats_lie_a_whole_round_of_all_workloads_apart():
    """So that its interval holds the session's drift; what is compared still runs side by side."""
    plan = make_plan(only=("resnet50", "lstm-text", "embedding"), backends=BACKENDS, repeats=3)
    runs = [run for run in plan.runs if run.variant.headline]

    rounds = [{(run.cell.workload, run.cell.id) for run in runs if run.index == number} for number in range(3)]
    workloads_in_turn = [name for name, _ in itertools.groupby(run.cell.workload for run in runs if not run.index)]

    assert rounds[0] == rounds[1] == rounds[2]
    assert [run.index for run in runs] == sorted(run.index for run in runs)
    assert 3 == len(workloads_in_turn)


def test_a_session_that_may_end_early_finishes_cell_after_cell():
    chosen = make_plan(only=("resnet50", "lstm-text"), repeats=3, time_budget_s=1e6)

    headline = [run.cell.workload for run in chosen.runs if run.variant.headline]
    workloads_in_turn = [name for name, _ in itertools.groupby(headline)]

    assert 2 == len(workloads_in_turn)


def test_headline_cells_come_first():
    """And further arms of a variant, such as fewer threads, after everything else, headline or not."""
    runs = make_plan(profile="reference").runs
    usual = [run.cell.threads == 2 and run.cell.precision == "float32-strict" for run in runs]
    headline = [run.variant.headline for run, is_usual in zip(runs, usual, strict=True) if is_usual]

    assert usual == sorted(usual, reverse=True)
    assert headline == sorted(headline, reverse=True)


def test_a_time_budget_leaves_out_cells_from_the_end_and_lists_them():
    everything = make_plan(profile="quick")
    budget_s = everything.estimate_s / 2

    chosen = make_plan(profile="quick", time_budget_s=budget_s)

    assert chosen.estimate_s <= budget_s
    assert chosen.left_out
    assert len(everything.cells) == len(chosen.cells) + len(chosen.left_out)
    assert chosen.runs[0].variant.headline


GPU_MACHINE = {"profile": "quick", "n_gpus": 1, "n_cores": 16, "backends": ("jax", "torch")}
MOST_ASKED = {"matmul", "mlp-tabular", "resnet50", "lstm-text", "transformer-text"}


def twin_on_cpu(cell):
    return msgspec.structs.replace(cell, device="cpu", precision="float32-strict").id


def test_nine_minutes_tell_whether_a_gpu_is_needed():
    """Not what comes first by alphabet; each GPU cell beside the CPU cell that it is divided by, or none of the two."""
    chosen = make_plan(**GPU_MACHINE, time_budget_s=540.0)

    for backend in GPU_MACHINE["backends"]:
        trained = {c.workload for c in chosen.cells.values() if c.backend == backend and c.mode in ("train", "probe")}
        assert trained >= MOST_ASKED
    assert {"gpu", "cpu"} == {cell.device for cell in chosen.cells.values()}
    assert all(twin_on_cpu(cell) in chosen.cells for cell in chosen.cells.values())


def test_a_gpu_cell_runs_beside_the_cpu_cell_that_it_is_divided_by():
    """So that a session that ends between two runs has whole pairs, but for one."""
    cells = [run.cell for run in make_plan(**GPU_MACHINE, time_budget_s=540.0).runs if run.index == 0]
    usual = [cell for cell in cells if cell.precision == "float32-strict" and cell.workload != SELF_TEST[0]]

    assert usual
    for first, second in zip(usual[::2], usual[1::2], strict=True):
        assert {"cpu", "gpu"} == {first.device, second.device}
        assert twin_on_cpu(first) == twin_on_cpu(second)


def test_a_half_that_alone_would_fit_waits_for_time_left_over():
    def estimate(cell, _):
        return 1000.0 if cell.device == "cpu" else 1.0

    chosen = make_plan(**GPU_MACHINE, only=("matmul",), time_budget_s=540.0, estimate=estimate)

    strict = {cell.id for cell, _ in chosen.left_out if cell.precision == "float32-strict"}
    assert {"cpu", "gpu"} == {run.cell.device for run in chosen.spare if run.cell.id in strict}


def test_further_precisions_wait_until_each_asked_workload_has_its_pair():
    pairs = {
        run.cell.id: run.estimate_s
        for run in make_plan(**GPU_MACHINE).runs
        if run.cell.workload in MOST_ASKED and run.variant.headline and run.cell.precision == "float32-strict"
    }

    assert set(pairs) == set(make_plan(**GPU_MACHINE, time_budget_s=sum(pairs.values()) + 0.1).cells)


def test_workloads_run_in_the_order_in_which_they_are_asked_for():
    asked = ("transformer-text", "cnn-digits", "matmul")
    by_name = make_plan(profile="quick", only=asked, time_budget_s=1e6).runs
    ids = [next(r.cell.id for r in by_name if r.cell.workload == name and r.variant.headline) for name in asked]
    ids.insert(1, next(r.cell.id for r in by_name if r.cell.workload == "transformer-text" and not r.variant.headline))

    by_cell = make_plan(profile="quick", only=asked[::-1], cell_ids=ids).runs

    headline = [run.cell.workload for run in by_name if run.variant.headline]
    assert list(asked) == [name for name, _ in itertools.groupby(headline)]
    assert list(asked) == [name for name, _ in itertools.groupby(run.cell.workload for run in by_cell)]


def test_time_goes_to_the_cells_that_are_listed_first():
    every = make_plan(**GPU_MACHINE).cells
    large = next(id_ for id_, cell in every.items() if cell.batch_size == 128)
    small = next(id_ for id_, cell in every.items() if (cell.workload, cell.device) == ("matmul", "cpu"))

    chosen = make_plan(**GPU_MACHINE, cell_ids=(large, small), time_budget_s=10.0, estimate=lambda *_: 9.0)

    assert [large] == list(chosen.cells)


def test_what_earlier_records_tell_replaces_the_guesses():
    cell_id = next(iter(make_plan().cells))

    chosen = make_plan(estimate=lambda cell, _: 1234.0 if cell.id == cell_id else 1.0)

    assert {1234.0} == {run.estimate_s for run in chosen.runs if run.cell.id == cell_id}
    assert {1.0} == {run.estimate_s for run in chosen.runs if run.cell.id != cell_id}


def test_runs_of_what_did_not_fit_wait_in_the_order_of_the_plan():
    everything = make_plan(profile="quick")

    chosen = make_plan(profile="quick", time_budget_s=everything.estimate_s / 2)

    waiting = {run.cell.id for run in chosen.spare}
    assert {cell.id for cell, _ in chosen.left_out} == waiting
    assert not waiting & set(chosen.cells)
    orders = [run.order for run in (*chosen.runs, *chosen.spare)]
    assert orders == list(range(len(everything.runs)))


def test_finished_runs_are_not_planned_again_and_keep_their_order():
    everything = make_plan(repeats=3)
    cell_id = everything.runs[0].cell.id

    rest = make_plan(repeats=3, done={cell_id: 2})

    assert len(everything.runs) - 2 == len(rest.runs)
    assert [2] == [run.index for run in rest.runs if run.cell.id == cell_id]
    order = {(run.cell.id, run.index): run.order for run in everything.runs}
    assert all(order[run.cell.id, run.index] == run.order for run in rest.runs)


def test_a_missing_backend_is_skipped_and_sent_to_the_doctor():
    chosen = make_plan(backends=("torch",), installed={**INSTALLED, "torch": None})

    assert not chosen.runs
    (reason,) = {reason for _, reason in chosen.skipped}
    assert reason.startswith("torch is not installed; `python -m bench.cli doctor`")


def test_a_gpu_that_is_not_there_is_skipped_with_the_reason():
    chosen = make_plan(devices=("gpu",))

    assert not chosen.runs
    assert {"this machine shows no GPU"} == {reason for _, reason in chosen.skipped}


def test_an_lstm_in_sixteen_bits_is_skipped_where_jax_has_no_kernel_for_it():
    chosen = make_plan(profile="reference", n_gpus=1, only=("lstm-text",), backends=BACKENDS)

    assert {("jax", "mixed_bfloat16")} == {(cell.backend, cell.precision) for cell, _ in chosen.skipped}
    assert {"cuDNN's LSTM in JAX computes in float32 and float64 only"} == {reason for _, reason in chosen.skipped}
    measured = {(c.backend, c.device) for c in chosen.cells.values() if c.precision == "mixed_bfloat16"}
    assert {("tensorflow", "gpu"), ("torch", "gpu")} == measured


def test_more_threads_than_cores_are_skipped():
    chosen = make_plan(threads=(2, 64))

    assert {2} == {run.cell.threads for run in chosen.runs}
    assert all("64 threads asked for, 2 cores" in reason for _, reason in chosen.skipped)


def test_a_gpu_machine_measures_both_devices_and_the_gpus_precisions():
    """A variant may ask for more formats on either device, but TF32 exists on a GPU only."""
    cells = make_plan(n_gpus=1, only=("resnet50",), profile="reference", backends=("jax",)).cells.values()

    on = {device: {cell.precision for cell in cells if cell.device == device} for device in ("cpu", "gpu")}
    assert {"float32-strict", "tf32", "mixed_bfloat16"} <= on["gpu"]
    assert "float32-strict" in on["cpu"]
    assert "tf32" not in on["cpu"]


def test_a_quick_session_takes_further_precisions_where_they_tell_most():
    def names(profile):
        cells = make_plan(profile=profile, n_gpus=1, backends=BACKENDS).cells.values()
        return {cell.workload for cell in cells if cell.precision != "float32-strict"}

    assert {"matmul", "resnet50", "transformer-text"} == names("quick")
    assert {"cnn-digits", "mlp-tabular", "lstm-text"} < names("reference")


@pytest.mark.parametrize("profile", ["quick", "reference"])
def test_a_batch_that_fills_a_gpu_is_measured_in_its_precisions_and_with_the_headline_cells(profile):
    runs = make_plan(profile=profile, n_gpus=1, only=("resnet50",), backends=("torch",)).runs

    large = [run for run in runs if run.cell.batch_size >= 128]
    assert {"float32-strict", "tf32", "mixed_bfloat16"} == {run.cell.precision for run in large}
    assert {"gpu"} == {run.cell.device for run in large}
    others = [run.order for run in runs if run.cell.batch_size < 128 and not run.variant.headline]
    assert not others or max(run.order for run in large) < min(others)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": ("resnet5",)}, ["unknown workload 'resnet5'", "did you mean 'resnet50'", "more)"]),
        ({"profile": "reference", "sweeps": ("batsh",)}, ["unknown sweep 'batsh'", "did you mean 'batch'"]),
        ({"cell_ids": ("nothing",)}, ["unknown cell 'nothing'"]),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_known_ones(options, words):
    with pytest.raises(UnknownNameError) as caught:
        make_plan(**options)

    assert all(word in str(caught.value) for word in words)


def test_cell_ids_are_unique_slugs_over_every_arm():
    cells = make_plan(profile="reference", n_gpus=1, backends=BACKENDS, threads=(1, 2)).cells

    assert all(cell_id == cell.id for cell_id, cell in cells.items())
    assert len(set(map(repr, cells.values()))) == len(cells)


def self_tested(chosen):
    """How often the cell of the session's test of itself runs, by device."""
    found = [
        (chosen.n_repeats[cell_id], cell.device)
        for cell_id, cell in chosen.cells.items()
        if (cell.workload, cell.mode, cell.backend) == (*SELF_TEST, "tensorflow") and chosen.n_repeats[cell_id] > 2
    ]
    return {device: n for n, device in sorted(found)}


@pytest.mark.parametrize(("profile", "n"), [("quick", 4), ("reference", 10)])
def test_one_cheap_cell_of_each_device_is_repeated_so_that_the_session_can_test_itself(profile, n):
    chosen = make_plan(profile=profile, n_gpus=1, backends=BACKENDS)

    assert {"cpu": n, "gpu": n} == {d: k for d, k in self_tested(chosen).items() if k == n}
    assert 2 == sum(k == n for k in chosen.n_repeats.values())
    assert n % 2 == 0


def test_its_runs_alternate_with_those_of_the_other_cells():
    """Twice in each round, numbered in the order in which they run."""
    runs = list(make_plan(profile="reference", only=("cnn-digits",), backends=BACKENDS).runs)
    (cell_id,) = {run.cell.id for run in runs if run.index == 9}
    other = next(run.cell.id for run in runs if run.index == 4 and run.cell.id != cell_id)

    assert list(range(10)) == [run.index for run in runs if run.cell.id == cell_id]
    places = [place for place, run in enumerate(runs) if run.cell.id == other]
    for number in range(5):
        own = [place for place, run in enumerate(runs) if run.cell.id == cell_id and run.index // 2 == number]
        first, last = min(own), max(own)
        before = places[number - 1] if number else -1
        after = places[number + 1] if number < 4 else len(runs)
        assert before < first < last < after  # in the same round as the other cell's repeat of that number


def test_a_test_of_itself_is_left_out_where_it_was_not_asked_for():
    assert {} == self_tested(make_plan(profile="smoke"))
    assert {} == self_tested(make_plan(profile="quick", repeats=1))
    cell_id = next(run.cell.id for run in make_plan(profile="quick").runs if run.cell.workload == SELF_TEST[0])
    assert {} == self_tested(make_plan(profile="quick", cell_ids=(cell_id,)))
    assert {} == self_tested(make_plan(profile="quick", only=("matmul",)))


def test_a_short_session_runs_the_cell_as_often_as_the_others():
    costs = {run.cell.id: run.estimate_s for run in make_plan(profile="quick", only=("cnn-digits",)).runs}

    chosen = make_plan(profile="quick", only=("cnn-digits",), time_budget_s=1.5 * max(costs.values()))

    assert {} == self_tested(chosen)
    assert [0] == [run.index for run in chosen.runs]


def test_a_resumed_test_of_itself_goes_on_where_it_stopped():
    everything = make_plan(profile="quick", only=("cnn-digits",))
    cell_id = next(cell_id for cell_id, n in everything.n_repeats.items() if n == 4)

    rest = make_plan(profile="quick", only=("cnn-digits",), done={cell_id: 3})

    assert [3] == [run.index for run in rest.runs if run.cell.id == cell_id]
    order = {(run.cell.id, run.index): run.order for run in everything.runs}
    assert all(order[run.cell.id, run.index] == run.order for run in rest.runs)


def test_a_workload_without_the_profiles_size_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="bandwidth has no quick size, only smoke and reference: add --profile"):
        make_plan(profile="quick", only=("bandwidth",))
