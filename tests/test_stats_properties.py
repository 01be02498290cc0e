"""What holds of every estimate, whatever was measured: its interval, how estimates divide, and how they read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.stats import bootstrap, break_even, estimate, quantities
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import Block
from tests.factories import make_record, make_run

FEW = settings(max_examples=25, derandomize=True, deadline=None, database=None)
TIMES = st.floats(1e-5, 1e4)
RUNS = st.lists(st.lists(TIMES, min_size=1, max_size=7), min_size=1, max_size=7)
FACTORS = st.floats(1e-3, 1e3)
UNITS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}


@st.composite
def estimates(draw, unit="s"):
    """An estimate as the bootstrap makes it: positive, its value between its ends."""
    low, value, high = sorted(draw(st.tuples(TIMES, TIMES, TIMES)))
    n = draw(st.integers(1, 12))
    return Estimate(value=value, low=low, high=high, n=n, n_samples=3 * n, unit=unit, spread_frac=draw(st.floats(0, 1)))


def numbers(found: Estimate) -> tuple[float, float, float]:
    return found.low, found.value, found.high


# The interval.


@FEW
@given(RUNS, st.integers(0, 9))
def test_an_interval_holds_its_value_and_both_lie_among_the_samples(samples, seed):
    drawn = bootstrap.draws_of(samples, seed)
    found = bootstrap.to_estimate(drawn, "s")

    assert 0 < found.low <= found.value <= found.high
    every = [value for run in samples for value in run]
    assert min(every) <= found.value <= max(every)
    assert min(every) <= drawn.resamples.min() <= drawn.resamples.max() <= max(every)
    assert (len(samples), len(every)) == (found.n, found.n_samples)


@FEW
@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_of_samples_within_a_run_changes_nothing(samples, random):
    shuffled = [random.sample(run, len(run)) for run in samples]

    one, other = (bootstrap.to_estimate(bootstrap.draws_of(runs, 3), "s") for runs in (samples, shuffled))

    assert one == other


@FEW
@given(RUNS, st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_change_the_value(samples, random):
    one, other = (bootstrap.draws_of(runs, 3) for runs in (samples, random.sample(samples, len(samples))))

    assert (one.value, one.n, one.n_samples) == (other.value, other.n, other.n_samples)
    assert one.spread_frac == pytest.approx(other.spread_frac)


@FEW
@given(RUNS, FACTORS)
def test_scaled_times_have_a_scaled_interval(samples, factor):
    scaled = [[factor * value for value in run] for run in samples]

    one, other = (bootstrap.to_estimate(bootstrap.draws_of(runs, 3), "s") for runs in (samples, scaled))

    assert numbers(estimate.times(one, factor)) == pytest.approx(numbers(other))


@FEW
@given(RUNS, st.data())
def test_longer_times_never_give_a_shorter_estimate(samples, data):
    longer = [[value + data.draw(st.floats(0, 1e3)) for value in run] for run in samples]

    one, other = (bootstrap.draws_of(runs, 3) for runs in (samples, longer))

    assert one.value <= other.value
    for ends in (lambda drawn: drawn.ends, lambda drawn: bootstrap.ends_of(drawn.resamples)):
        assert all(a <= b for a, b in zip(ends(one), ends(other), strict=True))


@FEW
@given(st.lists(TIMES, min_size=1, max_size=5), st.integers(1, 64))
def test_a_rate_and_the_time_of_a_step_always_agree(steps, batch_size):
    runs = [make_run(i, n_samples_per_step=batch_size, blocks=(Block(n_steps=1, seconds=s),) * 3)
            for i, s in enumerate(steps)]  # fmt: skip
    record = make_record("resnet50", runs=runs, batch_size=batch_size)

    rate, step = quantities.throughput(record), quantities.step_time(record)

    assert batch_size == pytest.approx(rate.value * step.value)
    assert batch_size == pytest.approx(rate.low * step.high) == pytest.approx(rate.high * step.low)


# Dividing and scaling.


@FEW
@given(estimates(), estimates(), FACTORS)
def test_a_ratio_the_other_way_round_is_its_inverse(first, second, factor):
    ratio = estimate.over(first, second)

    assert ratio.low <= ratio.value <= ratio.high
    assert numbers(estimate.inverse(ratio)) == pytest.approx(numbers(estimate.over(second, first)))
    assert numbers(estimate.inverse(estimate.inverse(ratio))) == pytest.approx(numbers(ratio))
    assert numbers(estimate.times(ratio, factor)) == pytest.approx(
        numbers(estimate.over(estimate.times(first, factor), second))
    )


@FEW
@given(estimates(), FACTORS)
def test_scaling_there_and_back_changes_nothing(found, factor):
    assert numbers(estimate.times(estimate.times(found, factor), 1 / factor)) == pytest.approx(numbers(found))
    assert "overlaps" == estimate.side(estimate.over(found, found))


@FEW
@given(RUNS, RUNS)
def test_a_resampled_ratio_the_other_way_round_is_its_inverse(first, second):
    a, b = bootstrap.draws_of(first, 1), bootstrap.draws_of(second, 2)

    one, other = bootstrap.ratio_of(a, b), bootstrap.ratio_of(b, a)

    assert one.low <= one.value <= one.high
    assert numbers(estimate.inverse(one)) == pytest.approx(numbers(other))


@FEW
@given(estimates(), estimates())
def test_one_of_two_is_faster_exactly_when_the_other_is_slower(first, second):
    opposite = {"faster": "slower", "slower": "faster", "overlaps": "overlaps"}

    found = estimate.compare(first, second)

    assert opposite[found] == estimate.compare(second, first)
    # Of times, the one that is faster has the smaller ratio.
    assert estimate.side(estimate.over(first, second)) in (opposite[found], "overlaps")


@FEW
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_holds_it_and_mirrors(found):
    hits, n = found

    share, rest = estimate.share(hits, n), estimate.share(n - hits, n)

    assert 0 <= share.low <= share.value <= share.high <= 1
    assert numbers(share) == pytest.approx(tuple(1 - value for value in reversed(numbers(rest))), abs=1e-12)
    assert 1e-9 < share.high - share.low < 1


@FEW
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=8))
def test_from_the_break_even_on_every_size_is_ahead_and_the_one_before_is_not(ratios):
    sizes = [2**k for k in range(len(ratios))]

    found = break_even.break_even(sizes, ratios)

    first = len(sizes) if found is None else sizes.index(found)
    assert all(ratio > 1 for ratio in ratios[first:])
    assert first == 0 or not ratios[first - 1] > 1


# Text.


def seconds_in(text: str) -> float:
    """A duration read back: "5 min 12 s"."""
    return sum(float(n.replace(",", "")) * UNITS[unit] for n, unit in re.findall(r"([\d.,]+) (\S+)", text))


@FEW
@given(st.floats(1e-9, 1e9))
def test_a_number_reads_as_itself_to_three_digits(value):
    assert value == pytest.approx(float(fmt.number(value).replace(",", "")), rel=0.00501)


@FEW
@given(st.floats(1e-9, 1e8))
def test_a_duration_reads_as_itself(value_s):
    text = fmt.seconds(value_s)

    # Three digits; a composite is exact to half of its small unit, which is at most a sixtieth of a large one.
    assert value_s == pytest.approx(seconds_in(text), rel=0.011)
    assert "60 s" not in text


@FEW
@given(estimates("ratio").filter(lambda found: found.n > 1))
def test_the_printed_ends_stand_in_the_order_of_the_ends(found):
    texts = re.findall(r"[\d.,]*\d", fmt.interval(found).partition(", n =")[0])

    value, low, high = (float(text.replace(",", "")) for text in texts)
    assert low <= value <= high
