"""How numbers read: units, digits, intervals, words of warning."""

from __future__ import annotations

import math

import pytest

from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate


def make_estimate(value: float, low: float, high: float, unit: str = "ratio", **fields) -> Estimate:
    known = {"n": 5, "n_samples": 150, "spread_frac": 0.02}
    return Estimate(value=value, low=low, high=high, unit=unit, **known | fields)


def test_what_a_ratio_adds_has_a_sign_but_for_nothing():
    assert "+0.4 % (-1.2 to +2.0, n = 5)" == fmt.change(make_estimate(1.0041, 0.988, 1.02))
    assert "0.0 % (-0.1 to 0.0, n = 5)" == fmt.change(make_estimate(0.99999, 0.9993, 1.0004))
    assert "not measured yet" == fmt.change(None)


@pytest.mark.parametrize(("value_s", "text"), [
    (0, "0 s"),
    (1.5e-10, "0.15 ns"),
    (1e-7, "100 ns"),
    (4.56e-5, "45.6 µs"),
    (0.0042, "4.2 ms"),
    (0.9994, "999 ms"),
    (0.9996, "1 s"),
    (1.2345, "1.23 s"),
    (59.94, "59.9 s"),
    (59.97, "1 min"),
    (61, "1 min 1 s"),
    (312, "5 min 12 s"),
    (3599.4, "59 min 59 s"),
    (3599.7, "1 h"),
    (7260, "2 h 1 min"),
    (43200, "12 h"),
    (172800, "2 d"),
    (200000, "2 d 8 h"),
    (1e9, "11,574 d 2 h"),
    (math.inf, "not reached"),
])  # fmt: skip
def test_seconds(value_s: float, text: str):
    assert text == fmt.seconds(value_s)


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (12, "12"), (12.0, "12"), (12.345, "12.3"), (1243.2, "1,240"), (999.6, "1,000"), (0.00123456, "0.00123"),
    (123456, "123,000"), (1e6, "1,000,000"), (-2.345, "-2.35"), (100.4, "100"),
])  # fmt: skip
def test_number_has_three_significant_digits_and_no_exponent(value: float, text: str):
    assert text == fmt.number(value)


@pytest.mark.parametrize(("text", "shown"), [
    ("1,240 images/s", fmt.rate(1243.2, "images")),
    ("1.24 TFLOP/s", fmt.flop_rate(1.24e12)),
    ("250 FLOP/s", fmt.flop_rate(250)),
    ("5.37 GB", fmt.bytes_(5 * 2**30)),
    ("0 B", fmt.bytes_(0)),
    ("2.1 GHz", fmt.hertz(2.1e9)),
    ("61 °C", fmt.celsius(61.2)),
    ("97.3 %", fmt.percent(0.973)),
    ("12.4x", fmt.ratio(12.41)),
    ("0.301x", fmt.ratio(0.3012)),
    ("0.00123x", fmt.ratio(0.001234)),
    ("1.99 millionths", fmt.ratio(1.99e-6)),
    ("1 millionths", fmt.ratio(0.9999e-6)),
    ("1.86 billionths", fmt.ratio(1.86e-9)),
    ("0x", fmt.ratio(0.0)),
    ("1,281,167", fmt.count(1_281_167)),
    ("9,999", fmt.short_count(9_999)),
    ("121 thousand", fmt.short_count(120_842)),
    ("1 million", fmt.short_count(999_950)),
    ("25.6 million", fmt.short_count(25_636_712)),
    ("2026-11-03", fmt.date("2026-11-03T08:15:00+00:00")),
    ("1,240 per second", fmt.estimate(make_estimate(1243, 1199, 1281, "per_s"))),
    ("skipped: torch is not installed", fmt.status("skipped", "torch is not installed")),
    ("ran out of memory", fmt.status("out_of_memory")),
    ("1 core", fmt.cores(1)),
    ("2 cores", fmt.cores(2)),
    ("width 128, fast path on", fmt.params({"width": 128, "fast_path": True})),
    ("PyTorch", fmt.backend("torch")),
    ("GPU", fmt.device("gpu")),
])  # fmt: skip
def test_units_convert_here(text: str, shown: str):
    assert text == shown


def test_interval_shows_value_ends_and_runs():
    assert "12.4x (11.9 to 12.8, n = 5)" == fmt.interval(make_estimate(12.41, 11.9, 12.81))


def test_interval_has_one_unit_and_one_number_of_decimals():
    assert "4.20 ms (3.98 to 10.00, n = 5)" == fmt.interval(make_estimate(0.0042, 0.003981, 0.01, "s"))
    assert "1,240 images/s (1,200 to 1,280, n = 5)" == fmt.interval(
        make_estimate(1243, 1199, 1281, "samples_per_s"), "images"
    )
    assert "1.24 TFLOP/s (0.99 to 1.30, n = 5)" == fmt.interval(make_estimate(1.24e12, 9.9e11, 1.3e12, "flop_per_s"))
    assert "42.5 per second (40.0 to 43.0, n = 5)" == fmt.interval(make_estimate(42.5, 40, 43, "per_s"))
    assert "80.0 % (37.6 to 96.4, n = 5)" == fmt.interval(make_estimate(0.8, 0.37553, 0.9638, "frac"))
    assert "5.00 GB (4.80 to 5.20, n = 5)" == fmt.interval(make_estimate(5e9, 4.8e9, 5.2e9, "bytes"))
    assert "1.99 millionths (0.50 to 3.00, n = 5)" == fmt.interval(make_estimate(1.99e-6, 5e-7, 3e-6))
    assert "29.7 kJ (29.0 to 30.1, n = 5)" == fmt.interval(make_estimate(29700, 29000, 30100, "j"))


def test_interval_of_minutes_spells_each_end_out():
    assert "5 min 12 s (4 min 59 s to 5 min 20 s, n = 5)" == fmt.interval(make_estimate(312, 299, 320, "s"))
    assert "59 s (58 s to 1 min 1 s, n = 5)" == fmt.interval(make_estimate(59, 58, 61, "s"))


def test_interval_without_an_upper_end_says_so():
    assert "12.4 s (11.9 s to not reached, n = 5)" == fmt.interval(make_estimate(12.4, 11.9, math.inf, "s"))


def test_a_single_number_has_no_interval():
    assert "12.4x (n = 1)" == fmt.interval(make_estimate(12.4, 12.4, 12.4, n=1, n_samples=1))
    assert "100 % (21 to 100, n = 1)" == fmt.interval(make_estimate(1, 0.207, 1, "frac", n=1, n_samples=1))


def test_an_interval_inside_one_run_says_that_it_is_none_between_runs():
    one = make_estimate(12.4, 12.3, 12.5, n=1, n_samples=30)

    assert "12.4x (12.3 to 12.5 within one run)" == fmt.interval(one)
    assert "12.4x (12.3 to 12.5, 1 run)" == fmt.interval(one, brief=True)
    assert fmt.change(one).endswith(" within one run)")
    assert "12.4x (12.3 to 12.5, n = 2)" == fmt.interval(make_estimate(12.4, 12.3, 12.5, n=2, n_samples=60))


@pytest.mark.parametrize(
    "named",
    "an NVIDIA H200|an AMD EPYC|an RTX 4090|a GeForce RTX 4090|a Tesla T4|a T4|an L4|an Apple M2|an M2|a UHD Graphics|"
    "an Ultra 7|a Xeon|an 8-core CPU|an 11th Gen Intel|a 13th Gen Intel|a 110 W card".split("|"),
)
def test_an_article_goes_by_the_sound(named: str):
    assert named == fmt.with_article(named.partition(" ")[2])


def test_a_precision_says_strict_where_float32_may_mean_less():
    assert ("float32", "strict float32") == tuple(fmt.precision("float32-strict", d) for d in ("cpu", "gpu"))
    assert ("TF32", "bfloat16") == tuple(fmt.precision(p, "gpu") for p in ("tf32", "mixed_bfloat16"))


def test_not_measured_is_never_blank_or_zero():
    assert "not measured yet" == fmt.interval(None) == fmt.estimate(None)


def test_an_estimate_alone():
    speed = make_estimate(1243, 1199, 1281, "samples_per_s")

    assert "1,240 images/s" == fmt.estimate(speed, "images")
    assert "4.2 ms" == fmt.estimate(make_estimate(0.0042, 0.004, 0.005, "s"))
    assert "80 %" == fmt.estimate(make_estimate(0.8, 0.7, 0.9, "frac"))


def test_spread_above_the_limit_is_said_in_words_with_the_limit():
    assert "" == fmt.warning(make_estimate(1, 1, 1, spread_frac=0.0999))
    assert "the runs differ by 14 % of their median (limit 10 %)" == fmt.warning(
        make_estimate(1, 1, 1, spread_frac=0.14)
    )
    assert fmt.warning(make_estimate(1, 1, 1, n=1, spread_frac=0.14)).startswith("the middle half of this run's")
    assert "some runs did not get there at all" == fmt.warning(make_estimate(1, 1, 1, spread_frac=math.inf))


def test_few_runs_are_said_in_words():
    assert "" == fmt.caveat(make_estimate(1, 1, 1, n=5))
    assert "3 runs: the range of so few covers the true median with 75 % at most" == fmt.caveat(
        make_estimate(1, 1, 1, n=3)
    )
    assert "one run: the interval knows only the noise inside it" == fmt.caveat(make_estimate(1, 1, 1, n=1))
