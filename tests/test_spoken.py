"""Numbers as sentences say them: digits that the interval carries, ends of a wide one, units in words."""

from __future__ import annotations

import math

import pytest

from bench.report.stats import spoken
from bench.report.stats.estimate import Estimate


def make(value: float, low: float, high: float, unit: str = "ratio") -> Estimate:
    return Estimate(value=value, low=low, high=high, n=5, n_samples=50, unit=unit, spread_frac=0.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (make(12.4, 7.1, 25.3), "7 to 25 times"),
        (make(12.41, 12.0, 12.8), "12 times"),
        (make(1.004, 0.99, 1.02), "1.0 times"),
        (make(0.854, 0.84, 0.86), "0.85 times"),
        (make(1.4, 0.5, 1.6), "0.5 to 1.6 times"),
        (make(1.9e-6, 1.8e-6, 2e-6), "1.9 millionths"),
        (make(17.3, 17, 17.9, "s"), "17 seconds"),
        (make(1.0, 1.0, 1.0, "s"), "1 second"),
        (make(312, 300, 320, "s"), "5.2 minutes"),
        (make(129_600, 129_000, 130_000, "s"), "1.5 days"),
        (make(0.0042, 0.0041, 0.0043, "s"), "4.2 milliseconds"),
        (make(0.989, 0.875, 1.5, "s"), "0.9 to 1.5 seconds"),
        (make(12, 11, math.inf, "s"), "11 seconds or more"),
        (make(math.inf, 11, math.inf, "s"), "not reached"),
        (make(math.nan, math.nan, math.nan, "s"), "not reached"),
        (make(1, -math.inf, math.inf, "s"), "1 second"),
        (make(0, 0, 0, "s"), "0 seconds"),
        (make(0, -1, 1, "s"), "-1 to 1 second"),
        (make(0.1, -0.5, 0.5), "-0.5 to 0.5 times"),
        (make(1e15, 1e15, 1e15, "s"), "32,000,000 years"),
        (make(10.2, 10, 10.5, "samples_per_s"), "10 images a second"),
        (make(1_243, 1_240, 1_250, "samples_per_s"), "1,200 images a second"),
        (make(2.34e6, 2.3e6, 2.4e6, "samples_per_s"), "2.3 million images a second"),
        (make(447e9, 437e9, 468e9, "flop_per_s"), "450 billion operations a second"),
        (make(1.21e10, 1.2e10, 1.22e10, "bytes_per_s"), "12 GB a second"),
        (make(0.973, 0.97, 0.975, "frac"), "97 %"),
        (make(42.6, 42, 43, "per_s"), "43 a second"),
    ],
)
def test_a_number_has_the_digits_of_its_interval_and_its_unit_in_words(value: Estimate, expected: str):
    assert expected == spoken.spoken(value, "images")


@pytest.mark.parametrize(
    ("ends", "is_wide", "is_close"),
    [((0.9, 1.11), True, False), ((0.95, 1.05), False, False), ((0.98, 1.02), False, True)],
)
def test_only_an_interval_wider_than_a_fifth_is_told_by_its_ends(ends: tuple[float, float], is_wide, is_close):
    value = make(1.0, *ends)

    assert (is_wide, is_close) == (spoken.is_wide(value), spoken.is_close(value))
    assert is_wide == (" to " in spoken.spoken(value))


def test_a_sentence_with_a_range_of_its_own_takes_values_alone():
    assert "12 times" == spoken.middle(make(12.4, 7.1, 25.3))
    assert "60 seconds" == spoken.middle(make(60, 20, 300, "s"))
    assert "not reached" == spoken.middle(make(math.inf, 1, math.inf, "s"))


@pytest.mark.parametrize(
    ("value_s", "expected"),
    [(0, "0 seconds"), (312, "5.2 minutes"), (math.inf, "not reached"), (math.nan, "not reached")],
)
def test_a_duration_that_is_none_or_endless_has_words(value_s: float, expected: str):
    assert expected == spoken.seconds(value_s)
