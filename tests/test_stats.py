"""Statistics against numbers worked by hand, against laws, and against the slow way of resampling."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest

from bench.report.stats import bootstrap, break_even, quantities
from bench.report.stats import estimate as stats_estimate
from bench.report.stats.estimate import ComparisonError, Estimate
from bench.schema import Block, Control, Record
from bench.workloads.registry import UnknownNameError
from tests.factories import make_cell, make_job, make_record, make_run


def record_of(*steps_by_run: tuple[float, ...], workload: str = "resnet50", **fields) -> Record:
    """A record whose runs have these step times, one block each."""
    cell = make_cell(workload, **fields)
    return make_record(
        workload, runs=[make_run(i, cell=cell, step_s=steps) for i, steps in enumerate(steps_by_run)], **fields
    )


def estimate(value: float, low: float, high: float, unit: str = "s") -> Estimate:
    return Estimate(value=value, low=low, high=high, n=5, n_samples=5, unit=unit, spread_frac=0.0)


def jobs_record(*qualities_by_run: tuple[float, ...], seconds: float = 10.0) -> Record:
    runs = [
        make_run(i, cell=make_cell("cnn-digits"), job=make_job(seconds, qualities))
        for i, qualities in enumerate(qualities_by_run)
    ]
    return make_record("cnn-digits", runs=runs)


# Worked by hand.


def test_step_time_is_the_median_over_runs_of_each_runs_median_over_blocks():
    record = record_of((1.0, 2.0, 9.0), (2.0, 2.0, 2.0), (3.0, 4.0, 5.0))

    found = quantities.step_time(record)

    assert 2.0 == found.value  # run medians 2, 2, 4
    assert (3, 9, "s") == (found.n, found.n_samples, found.unit)
    assert 1.0 == found.spread_frac  # (4 - 2) / 2


def test_even_numbers_of_runs_and_blocks_take_the_middle_of_two():
    assert 3.0 == quantities.step_time(record_of((1.0, 3.0), (3.0, 5.0))).value  # run medians 2 and 4


def test_a_block_of_several_steps_counts_its_time_per_step():
    run = make_run(step_s=1.0, blocks=(Block(n_steps=10, seconds=5.0),))

    assert 0.5 == quantities.step_time(make_record(runs=[run])).value


def test_throughput_is_the_batch_over_the_step_time_interval_included():
    record = make_record(batch_size=8)

    rate, step = quantities.throughput(record), quantities.step_time(record)

    assert (8 / step.value, 8 / step.high, 8 / step.low) == pytest.approx((rate.value, rate.low, rate.high), rel=1e-12)
    assert (step.n, step.n_samples, step.spread_frac) == (rate.n, rate.n_samples, rate.spread_frac)


def test_rate_of_a_probe_is_its_operations_over_the_step_time():
    record = record_of((0.5,), workload="matmul", params={"n": 100})

    assert 2 * 100**3 / 0.5 == quantities.flop_rate(record).value
    assert quantities.flop_rate(make_record("resnet50")) is None


def test_phases_add_up_to_start_up_and_set_up():
    phases = {"import": 4.0, "device_start": 1.0, "data": 0.5, "build": 0.25, "first_step": 3.0}
    record = make_record(runs=[make_run(phases_s=phases)])

    assert 5.0 == quantities.start_up(record).value
    assert 5.75 == quantities.set_up(record).value
    assert 3.0 == quantities.first_step(record).value
    assert 4.0 == quantities.phase_time(record, "import").value
    assert quantities.phase_time(record, "evaluation") is None


def test_projection_is_set_up_plus_first_step_plus_the_other_steps():
    phases = {"import": 4.0, "device_start": 1.0, "data": 0.5, "build": 0.5, "first_step": 3.0}
    record = make_record(runs=[make_run(step_s=2.0, phases_s=phases)])

    assert 6.0 + 3.0 + 99 * 2.0 == quantities.projected_time(record, 100).value
    assert 9.0 == quantities.projected_time(record, 1).value
    with pytest.raises(ValueError, match="at least 1, got 0"):
        quantities.projected_time(record, 0)


def test_latency_and_its_tail():
    twenty = tuple(float(n) for n in range(1, 21))
    record = make_record(runs=[make_run(latencies_s=twenty)])

    assert 10.5 == quantities.latency(record).value
    assert 19.0 == quantities.latency_tail(record).value  # 19 of 20 are within 19 s


def test_job_times_and_memory():
    record = make_record(
        "mlp-tabular",
        runs=[
            make_run(i, cell=make_cell("mlp-tabular"), job=make_job(seconds, return_s=late_s), peak_host_bytes=size)
            for i, (seconds, late_s, size) in enumerate(((10.0, 9.0, 100), (12.0, 0.0, 300), (11.0, 0.1, 200)))
        ],
    )

    assert 11.0 == quantities.job_time(record).value  # what fit takes to return after the last epoch is no part of it
    assert 11.0 + quantities.set_up(record).value == pytest.approx(quantities.whole_job_time(record).value)
    assert (200, "bytes") == (quantities.peak_host_bytes(record).value, quantities.peak_host_bytes(record).unit)
    assert quantities.energy(record) is None


def test_time_to_target_is_the_first_epoch_that_met_it():
    record = jobs_record((0.90, 0.98, 0.95, 0.99))

    assert 5.0 == quantities.time_to_target(record).value  # the second of four epochs in 10 s
    assert (2,) == quantities.epochs_to_target(record)


def test_a_run_that_missed_the_target_counts_as_infinitely_slow():
    reached, missed = (0.98,), (0.5,)

    found = quantities.time_to_target(jobs_record(reached, reached, missed))

    assert 10.0 == found.value
    assert math.inf == found.high
    assert found.is_noisy
    assert quantities.time_to_target(jobs_record(reached, missed)) is None
    assert quantities.time_to_target(jobs_record(missed)) is None


def test_a_workload_without_target_has_neither_time_nor_share():
    assert quantities.time_to_target(make_record("mlp-tabular")) is None
    assert quantities.reached_frac(make_record("mlp-tabular")) is None


def test_share_of_runs_that_reached_has_wilsons_interval():
    found = quantities.reached_frac(jobs_record((0.98,), (0.99,), (0.5,), (0.97,)))

    assert (0.75, 4, "frac") == (found.value, found.n, found.unit)
    assert found == stats_estimate.share(3, 4)
    # As the formula has it, see the source that the function names.
    for hits, n in ((0, 5), (1, 3), (5, 5), (8, 10), (90, 100), (3000, 10_000)):
        share, frac, z2 = stats_estimate.share(hits, n), hits / n, stats_estimate.Z_95**2
        middle, spread = frac + z2 / (2 * n), math.sqrt(z2 * (frac * (1 - frac) / n + z2 / (4 * n * n)))
        expected = ((middle - spread) / (1 + z2 / n), (middle + spread) / (1 + z2 / n))
        assert expected == pytest.approx((share.low, share.high), abs=1e-12)
    assert (0.0, 1.0) == (stats_estimate.share(0, 5).low, stats_estimate.share(5, 5).high)


def test_control_kernel_tells_a_machine_that_was_not_left_alone():
    calm = Control(n=64, seconds=(1.0, 1.0, 9.0))
    busy = Control(n=64, seconds=(1.25, 1.25, 1.25))
    record = make_record(
        runs=[make_run(control_before=calm, control_after=calm), make_run(1, control_before=calm, control_after=busy)]
    )

    assert 0.25 == quantities.control_spread_frac(record)
    assert quantities.control_spread_frac(make_record(runs=[make_run(control_before=None, control_after=None)])) is None


def test_pooled_time_takes_every_process_of_every_record():
    records = [
        make_record(runs=[make_run(i, phases_s={"import": s, "device_start": 0.5})])
        for i, s in enumerate((1.0, 2.0, 6.0))
    ]

    found = quantities.pooled_phase_time(records)

    assert (2.5, 3) == (found.value, found.n)
    assert quantities.pooled_phase_time([]) is None


def test_parameters_and_failed_runs_are_counted():
    record = make_record(runs=[make_run(n_params=None), make_run(1, n_params=7), make_run(2, status="timeout")])

    assert 7 == quantities.n_params(record)
    assert 2 == quantities.step_time(record).n


@pytest.mark.parametrize("status", ["skipped", "failed", "timeout", "out_of_memory"])
def test_a_record_without_result_has_no_estimate(status: str):
    record = make_record(status=status)

    assert [] == [name for name, quantity in quantities.QUANTITIES.items() if quantity(record) is not None]


def test_an_unknown_quantity_is_refused_with_near_names():
    with pytest.raises(UnknownNameError, match="unknown quantity 'throughputs'; did you mean 'throughput'"):
        quantities.ratio(make_record(), make_record(), "throughputs")


def test_every_quantity_is_registered_under_the_name_that_code_uses():
    assert quantities.QUANTITIES == {
        name: value for name, value in vars(quantities).items() if isinstance(value, quantities.Quantity)
    }


# The interval.


def test_equal_samples_leave_no_interval():
    found = quantities.step_time(record_of(*[(0.5,) * 9] * 5))

    assert (0.5, 0.5, 0.5, 0.0) == (found.value, found.low, found.high, found.spread_frac)


def test_five_runs_of_one_sample_span_a_little_more_than_from_the_smallest_to_the_largest():
    # The median of five drawn from five is the smallest with 5.8 % > 2.5 %, so both ends are extreme runs, which
    # cover the truth in 94 %; the ends then move outwards, as shares, by the factor for five.
    found = quantities.step_time(record_of((1.0,), (2.0,), (3.0,), (4.0,), (5.0,)))

    factor = bootstrap.WIDENING[5]
    assert 1 < factor < 1.2
    assert (3 * (1 / 3) ** factor, 3.0, 3 * (5 / 3) ** factor) == pytest.approx((found.low, found.value, found.high))


def test_fewer_than_five_runs_are_not_widened():
    found = quantities.step_time(record_of((1.0,), (2.0,), (4.0,)))

    assert (1.0, 2.0, 4.0) == (found.low, found.value, found.high)


def test_one_run_has_the_interval_of_its_blocks_and_says_so():
    found = quantities.step_time(record_of(tuple(np.linspace(0.9, 1.1, 31))))

    assert 1 == found.n
    assert 0.9 < found.low < 1.0 < found.high < 1.1
    assert 0.1 == pytest.approx(found.spread_frac)  # quartiles 0.95 and 1.05


def test_interval_contains_its_value():
    for record in (make_record(n_runs=n, n_blocks=m, jitter_frac=0.5) for n in (1, 2, 5) for m in (1, 2, 30)):
        found = quantities.throughput(record)
        assert found.low <= found.value <= found.high


def test_differences_between_runs_widen_the_interval_more_than_differences_within():
    within = quantities.step_time(record_of(*[tuple(np.linspace(0.8, 1.2, 15))] * 5))
    between = quantities.step_time(record_of(*[(center,) * 15 for center in np.linspace(0.8, 1.2, 5)]))

    assert between.high - between.low > 1.5 * (within.high - within.low)


def test_more_blocks_cannot_make_up_for_runs_that_disagree():
    few = quantities.step_time(record_of(*[(c,) * 3 for c in (1.0, 1.1, 1.2, 1.3, 1.4)]))
    many = quantities.step_time(record_of(*[(c,) * 300 for c in (1.0, 1.1, 1.2, 1.3, 1.4)]))

    assert (few.low, few.high) == (many.low, many.high)


@pytest.mark.parametrize("sample", [(1.0, 3.0), (1.0, 2.0, 4.0), (1.0, 2.0, 4.0, 8.0), (1.0, 1.0, 2.0, 5.0, 7.0)])
def test_order_statistics_shortcut_has_the_exact_bootstrap_distribution(sample, monkeypatch):
    monkeypatch.setattr(bootstrap, "N_RESAMPLES", 60_000)
    every = [float(np.median(drawn)) for drawn in itertools.product(sample, repeat=len(sample))]

    drawn = bootstrap.draws_of([list(sample)], seed=1).resamples

    assert set(every) == set(drawn)
    for value in set(every):
        expected = every.count(value) / len(every)
        # Four standard errors of a share of 60,000.
        assert expected == pytest.approx(np.mean(drawn == value), abs=4 * math.sqrt(expected / 60_000))


def cut_off(values: list[float]) -> tuple[float, float]:
    """What cuts off equal tails of equally likely values."""
    return tuple(sorted(values)[at] for at in (int(0.025 * len(values)), -1 - int(0.025 * len(values))))


@pytest.mark.parametrize("n", range(1, 7))
def test_the_ends_are_those_of_every_resample_there_could_be(n):
    sample = list(np.random.default_rng(n).gamma(2.0, 1.0, n))
    every = [float(np.median(drawn)) for drawn in itertools.product(sample, repeat=n)]

    one_run, runs = bootstrap.draws_of([sample], seed=1), bootstrap.draws_of([[value] for value in sample], seed=1)

    assert cut_off(every) == pytest.approx(one_run.ends) and cut_off(every) == pytest.approx(runs.ends)


def test_the_ends_of_runs_of_several_samples_are_those_of_every_resample_there_could_be():
    samples = [[1.0, 1.3], [1.1, 1.7, 2.0], [0.9, 1.2]]
    drawn = [[float(np.median(one)) for one in itertools.product(run, repeat=len(run))] for run in samples]
    of_one = [value for medians in drawn for value in medians * (108 // len(medians))]  # of each run as many
    every = [sorted(three)[1] for three in itertools.product(of_one[::3], repeat=3)]

    assert cut_off(every) == pytest.approx(bootstrap.draws_of(samples, seed=1).ends)


CENTERS = (1.0, 1.02, 1.1, 0.97, 1.05)


@pytest.mark.parametrize("sizes", [(7, 12, 9, 8), (7, 12, 9, 8, 30), (200,), (1000, 1001, 999), (31,)])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_two_levels_agree_with_drawing_processes_and_then_blocks_one_by_one(monkeypatch, sizes, share):
    monkeypatch.setattr(bootstrap, "N_RESAMPLES", 20_000)
    rng = np.random.default_rng(3)
    samples = [list(center + rng.gamma(2.0, 0.05, m)) for center, m in zip(CENTERS, sizes, strict=False)]
    ranked = [(np.sort(run), *bootstrap._ranks(len(run), share)) for run in samples]

    def quantile(run, lower, upper):
        found = np.sort(rng.choice(run, len(run)))
        return (found[lower - 1] + found[upper - 1]) / 2

    slow = [np.median([quantile(*ranked[i]) for i in rng.integers(len(sizes), size=len(sizes))]) for _ in range(4_000)]

    fast = bootstrap.draws_of(samples, seed=2, share=share)

    for at in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert np.quantile(slow, at) == pytest.approx(np.quantile(fast.resamples, at), abs=0.01)
    assert cut_off(slow) == pytest.approx(fast.ends, abs=0.01)


def test_coverage_that_few_runs_can_reach():
    assert (0.0, 0.5, 0.75, 0.9375) == tuple(stats_estimate.attainable_coverage(n) for n in (1, 2, 3, 5))


# Laws.


@pytest.mark.parametrize("factor", [0.5, 4.0, 1000.0])
def test_scaling_every_time_scales_value_and_interval(factor: float):
    steps = tuple(tuple(np.random.default_rng(i).gamma(5.0, 0.1, 20)) for i in range(5))

    plain = quantities.step_time(record_of(*steps))
    scaled = quantities.step_time(record_of(*(tuple(factor * s for s in run) for run in steps)))

    assert tuple(factor * v for v in (plain.value, plain.low, plain.high)) == pytest.approx(
        (scaled.value, scaled.low, scaled.high)
    )
    assert plain.spread_frac == pytest.approx(scaled.spread_frac)


def test_equal_records_give_equal_estimates():
    assert quantities.throughput(make_record()) == quantities.throughput(make_record())


def test_order_of_blocks_does_not_matter():
    assert quantities.step_time(record_of((1.0, 2.0, 5.0))) == quantities.step_time(record_of((5.0, 1.0, 2.0)))


def test_editing_a_record_changes_its_estimate():
    record = make_record()
    before = quantities.step_time(record).value

    runs = tuple(
        msgspec.structs.replace(r, blocks=tuple(Block(n_steps=1, seconds=9.0) for _ in r.blocks)) for r in record.runs
    )

    assert before < 9.0 == quantities.step_time(msgspec.structs.replace(record, runs=runs)).value


def test_ratio_the_other_way_round_is_the_inverse():
    gpu, cpu = make_record(device="gpu"), make_record(device="cpu")

    forth, back = quantities.ratio(gpu, cpu), quantities.ratio(cpu, gpu)

    assert (forth.value, forth.low, forth.high) == pytest.approx((1 / back.value, 1 / back.high, 1 / back.low))
    assert forth.low < forth.value < forth.high


def test_ratio_of_constant_times_is_exact():
    fast, slow = record_of((0.25,) * 3), record_of((2.0,) * 3, jit="on")

    found = quantities.ratio(fast, slow)

    assert 8.0 == pytest.approx(found.value) == pytest.approx(found.low) == pytest.approx(found.high)
    assert 0.125 == pytest.approx(quantities.ratio(fast, slow, "step_time").value)


def test_ratio_carries_the_smaller_number_of_runs_and_the_larger_spread():
    noisy, calm = make_record(n_runs=3, jitter_frac=0.4), make_record(n_runs=5, jit="on")

    found = quantities.ratio(noisy, calm)

    assert 3 == found.n
    assert quantities.throughput(noisy).spread_frac == found.spread_frac


def test_ratio_scales_with_the_work():
    small, large = make_record(batch_size=8, step_s=1.0), make_record(batch_size=32, step_s=1.0)

    assert 4.0 == pytest.approx(quantities.ratio(large, small).value, rel=0.1)


def test_ratio_of_something_not_measured_is_none():
    assert quantities.ratio(make_record(), make_record(status="failed", jit="on")) is None
    assert quantities.ratio(make_record(), make_record(jit="on"), "energy") is None


@pytest.mark.parametrize(("fields", "word"), [
    ({"method_version": 2}, "method version: 3 and 2"),
    ({"workload": "lstm-text"}, "workload: resnet50 and lstm-text"),
    ({"mode": "infer"}, "mode: train and infer"),
    ({"source_hash": "f" * 16}, "source of the workload"),
])  # fmt: skip
def test_results_that_mean_different_things_never_meet_in_a_ratio(fields, word):
    first, second = make_record(), make_record(**({"workload": "resnet50"} | fields))

    with pytest.raises(ComparisonError, match=word):
        quantities.ratio(first, second)


def test_overlapping_intervals_are_called_equal():
    assert "overlaps" == stats_estimate.compare(estimate(1.0, 0.9, 1.1), estimate(1.15, 1.1, 1.2))


def test_faster_means_less_time_and_more_throughput():
    assert "faster" == stats_estimate.compare(estimate(1, 0.9, 1.1), estimate(2, 1.9, 2.1))
    assert "slower" == stats_estimate.compare(estimate(2, 1.9, 2.1), estimate(1, 0.9, 1.1))
    assert "faster" == stats_estimate.compare(
        estimate(2, 1.9, 2.1, "samples_per_s"), estimate(1, 0.9, 1.1, "samples_per_s")
    )


def test_units_that_are_not_about_speed_are_refused():
    with pytest.raises(ComparisonError, match="s with samples_per_s"):
        stats_estimate.compare(estimate(1, 1, 1), estimate(1, 1, 1, "samples_per_s"))
    with pytest.raises(ComparisonError, match="bytes"):
        stats_estimate.compare(estimate(1, 1, 1, "bytes"), estimate(1, 1, 1, "bytes"))
    with pytest.raises(ComparisonError, match="expected a ratio"):
        stats_estimate.side(estimate(1, 1, 1))


def test_side_of_a_speed_up():
    assert "faster" == stats_estimate.side(estimate(2, 1.01, 3, "ratio"))
    assert "slower" == stats_estimate.side(estimate(0.5, 0.4, 0.99, "ratio"))
    assert "overlaps" == stats_estimate.side(estimate(1.2, 0.99, 1.4, "ratio"))


@pytest.mark.parametrize(("ratios", "expected"), [
    ((0.5, 0.9, 1.1, 2.0), 64),
    ((0.5, 1.2, 0.9, 2.0), 128),  # ahead once, then behind again
    ((2.0, 2.0, 2.0, 2.0), 16),
    ((0.5, 0.6, 0.7, 0.8), None),
    ((2.0, 2.0, 2.0, 1.0), None),  # level at the largest is not ahead
])  # fmt: skip
def test_break_even_is_where_the_gpu_stays_ahead(ratios, expected):
    sizes = (16, 32, 64, 128)

    assert expected == break_even.break_even(sizes, ratios)
    assert expected == break_even.break_even(sizes, tuple(r**2 for r in ratios))  # only the side of 1 matters


def test_break_even_refuses_what_is_no_curve():
    assert break_even.break_even((), ()) is None
    with pytest.raises(ValueError, match="2 sizes for 1"):
        break_even.break_even((1, 2), (1.0,))
    with pytest.raises(ValueError, match="ascend"):
        break_even.break_even((2, 2), (1.0, 1.0))


def test_runs_that_differ_by_more_than_the_limit_are_noisy():
    assert not quantities.step_time(record_of((1.0,), (1.04,), (1.08,))).is_noisy
    assert quantities.step_time(record_of((1.0,), (1.04,), (1.20,))).is_noisy
