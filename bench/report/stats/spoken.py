"""Numbers as a sentence says them: as many digits as the interval carries, two as a rule, and units in words. Pure.

The full form, with interval and number of runs, is ``format.interval``.
"""

from __future__ import annotations

import math

from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate, single

N_DIGITS = 2
WIDE_FRAC = 0.2  # of the value: a wider interval is told by its two ends
CLOSE_FRAC = 0.05  # a narrower one is told by its value alone, without "about"
NEAR_ERROR_FRAC = 0.05  # of an end of a range, by which it may be rounded
FAR_ERROR_FRAC = 0.1  # the same where the ends are more than a factor of two apart
# What one of a unit is in seconds, and the value up to which it is told in that unit.
_TIMES = (
    (1e-9, "nanosecond", 1e-6),
    (1e-6, "microsecond", 1e-3),
    (1e-3, "millisecond", 1.0),
    (1.0, "second", 100.0),
    (60.0, "minute", 6000.0),
    (3600.0, "hour", 86_400.0),
    (86_400.0, "day", 63_072_000.0),
    (31_557_600.0, "year", math.inf),
)
_LARGE = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1.0, ""))
_BYTES = ((1e15, " PB"), (1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B"))
_ENERGY = ((1e6, " MJ"), (1e3, " kJ"), (1.0, " J"))


def spoken(value: Estimate, noun: str = "samples") -> str:
    """A value in words: "10 images a second", "17 seconds", "1.5 days"; of a wide interval its ends, "7 to 25 times".

    ``noun`` is what a rate counts.
    """
    if is_wide(value) and math.isfinite(value.value) and math.isfinite(value.low):
        scale, unit = _unit(value, noun)
        error_frac = FAR_ERROR_FRAC if 2 * value.low < value.high < math.inf else NEAR_ERROR_FRAC
        low = _end(value.low / scale, error_frac)
        if not math.isfinite(value.high):
            return f"{low}{_plural(unit, low)} or more"
        high = _end(value.high / scale, error_frac)
        if low != high:
            return f"{low} to {high}{_plural(unit, high)}"
    return middle(value, noun)


def times(value: float) -> str:
    """A quotient: "4.8 times"."""
    return middle(single(value, "ratio", 1))


def middle(value: Estimate, noun: str = "samples") -> str:
    """The same of the value alone, for a sentence that has a range of its own: "from 0.9 times to 4.8 times"."""
    if not math.isfinite(value.value):
        return fmt.NOT_REACHED
    scale, unit = _unit(single(value.value, value.unit, value.n), noun)
    shown = _number(value.value / scale, unit)
    return f"{shown}{_plural(unit, shown)}"


def seconds(value_s: float) -> str:
    """A duration in words: 312 becomes "5.2 minutes"; infinity becomes "not reached"."""
    if not math.isfinite(value_s):
        return fmt.NOT_REACHED
    scale, unit = _time(value_s)
    shown = fmt.number(value_s / scale, N_DIGITS)
    return f"{shown}{_plural(unit, shown)}"


def is_wide(value: Estimate) -> bool:
    """Whether the interval is so wide that its ends say more than its middle."""
    return value.high - value.low > WIDE_FRAC * abs(value.value)


def is_close(value: Estimate) -> bool:
    """Whether the interval is narrow enough to tell the value without "about"."""
    return value.high - value.low <= CLOSE_FRAC * abs(value.value)


def _unit(value: Estimate, noun: str) -> tuple[float, str]:
    """What one of the unit is in the estimate's own, and the unit with the blank before it."""
    if value.unit == "s":
        return _time(value.high if is_wide(value) and math.isfinite(value.high) else value.value)
    if value.unit == "ratio":
        scale, sign = fmt.ratio_scale(value.value)
        return scale, " times" if sign == "x" else sign
    if value.unit == "frac":
        return 0.01, " %"
    if value.unit in ("bytes", "bytes_per_s", "j"):
        scale, unit = _scaled(value.value, _ENERGY if value.unit == "j" else _BYTES)
        return scale, f"{unit} a second" if value.unit == "bytes_per_s" else unit
    scale, word = _scaled(value.value, _LARGE)
    what = {"samples_per_s": f" {noun} a second", "flop_per_s": " operations a second", "per_s": " a second"}
    return scale, word + what.get(value.unit, "")


def _time(value_s: float) -> tuple[float, str]:
    size = fmt.rounded(abs(value_s), N_DIGITS)
    return next((scale, f" {name}") for scale, name, limit in _TIMES if 0 < size < limit or (size, scale) == (0, 1.0))


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    return next((pair for pair in scales if fmt.rounded(abs(value) / pair[0], N_DIGITS) >= 1), scales[-1])


def _plural(unit: str, shown: str) -> str:
    """The unit for a number as shown: " second" of 1, else " seconds"; other units have one form."""
    return f"{unit}s" if unit.strip() in {name for _, name, _ in _TIMES} and shown != "1" else unit


def _number(value: float, unit: str) -> str:
    shown = fmt.number(value, N_DIGITS)
    return "1.0" if unit == " times" and shown == "1" else shown


def _end(value: float, error_frac: float) -> str:
    """An end of a range, with the fewest digits that stay close to it."""
    short = fmt.rounded(value, 1)
    is_enough = abs(short - value) <= error_frac * abs(value)
    return fmt.number(value, 1 if is_enough else N_DIGITS)
