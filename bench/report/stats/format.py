"""How numbers become text, with three significant digits; the only place where units convert. Pure.

Everywhere else a quantity has one unit: seconds, bytes, joules, samples per second, operations per second, a share
from 0 to 1, or a ratio.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.report.stats.estimate import MIN_RUNS, SPREAD_LIMIT_FRAC, Estimate, attainable_coverage

if TYPE_CHECKING:
    from bench.schema import Cell, Gpu

NOT_MEASURED = "not measured yet"
NOT_REACHED = "not reached"
N_DIGITS = 3
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
STATUS_WORDS = {
    "ok": "measured",
    "skipped": "skipped",
    "failed": "failed",
    "timeout": "ran out of time",
    "out_of_memory": "ran out of memory",
}
BACKEND_NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
DEVICE_NAMES = {"cpu": "CPU", "gpu": "GPU"}
PRECISION_NAMES = {
    "float32-strict": "float32",
    "tf32": "TF32",
    "mixed_bfloat16": "bfloat16",
    "mixed_float16": "float16",
}
MODE_NAMES = {"train": "training", "infer": "inference", "probe": "probe", "study": "study"}

SPELT_WITH_VOWEL = "AEFHILMNORSX"  # letters whose names begin with a vowel: "an M2", "an RTX 4090", but "a UHD"
_SECOND_SCALE = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_WORD_SCALE = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
_LETTERS = {"flop_per_s": "FLOP/s", "bytes_per_s": "B/s", "bytes": "B", "j": "J"}
_BIG_SCALE = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def seconds(value_s: float) -> str:
    """0.0042 becomes "4.2 ms"; 312 becomes "5 min 12 s"; infinity becomes "not reached"."""
    if not math.isfinite(value_s):
        return NOT_REACHED
    if _is_composite(value_s):
        return _composite(value_s)
    scale, unit = _second_scale(value_s)
    return f"{number(value_s / scale)} {unit}"


def rate(value_per_s: float, noun: str = "samples") -> str:
    """1243.2 becomes "1,240 samples/s"."""
    return f"{number(value_per_s)} {noun}/s"


def flop_rate(value_per_s: float) -> str:
    """1.24e12 becomes "1.24 TFLOP/s"."""
    return _scaled(value_per_s, "FLOP/s")


def bytes_(value_bytes: float) -> str:
    """1.5e9 becomes "1.5 GB": powers of ten, as on a data sheet of a disk; 2^30 bytes are 1.07 GB."""
    return _scaled(value_bytes, "B")


def gpu(described: Gpu) -> str:
    """A GPU by name and memory: "NVIDIA H200, 151 GB"; its name alone where the driver does not tell the memory."""
    return described.name if described.memory_bytes is None else f"{described.name}, {bytes_(described.memory_bytes)}"


def hertz(value_hz: float) -> str:
    """2.1e9 becomes "2.1 GHz"."""
    return _scaled(value_hz, "Hz")


def celsius(value_c: float) -> str:
    """61.0 becomes "61 °C"."""
    return f"{value_c:.0f} °C"


def percent(value_frac: float) -> str:
    """0.973 becomes "97.3 %"."""
    return f"{number(value_frac * 100)} %"


def ratio(value: float) -> str:
    """12.41 becomes "12.4x"; a relative error of 2e-6 becomes "2 millionths"."""
    scale, suffix = ratio_scale(value)
    return f"{number(value / scale)}{suffix}"


def count(value: float) -> str:
    """1797 becomes "1,797": counts are exact and keep all their digits."""
    return f"{value:,.0f}"


def short_count(value: float) -> str:
    """25636712 becomes "25.6 million"; below 10,000 all digits stay."""
    if value < 10_000:
        return count(value)
    scale, word = next((pair for pair in _WORD_SCALE if rounded(value / pair[0]) >= 1), _WORD_SCALE[-1])
    return f"{number(value / scale)} {word}"


def date(instant: str) -> str:
    """Day of an ISO 8601 instant: "2026-11-03T08:15:00+00:00" becomes "2026-11-03"."""
    return instant[:10]


def status(name: str, reason: str = "") -> str:
    """A status with its reason, such as "skipped: torch is not installed"."""
    words = STATUS_WORDS.get(name, name)
    return f"{words}: {reason}" if reason else words


def backend(name: str) -> str:
    """Name of a backend as its makers write it."""
    return BACKEND_NAMES.get(name, name)


def device(name: str) -> str:
    """Name of a device in a sentence: "CPU" or "GPU"."""
    return DEVICE_NAMES.get(name, name)


def precision(name: str, device: str) -> str:
    """A cell's precision in a sentence: "bfloat16"; "strict float32" on a GPU, where plain float32 may mean TF32."""
    strict = device == "gpu" and name == "float32-strict"
    return f"{'strict ' if strict else ''}{PRECISION_NAMES.get(name, name)}"


def arms(gpu: Cell, cpu: Cell) -> str:
    """Batch and precision of two cells: "batch 256, bfloat16, against batch 32, float32"."""
    first, second = precision(gpu.precision, "gpu"), precision(cpu.precision, "cpu")
    if gpu.batch_size != cpu.batch_size:
        return f"batch {gpu.batch_size}, {first}, against batch {cpu.batch_size}, {second}"
    if gpu.precision == cpu.precision:
        return f"batch {gpu.batch_size}, {first} on both"
    return f"batch {gpu.batch_size} on both, {first} against {second}"


def cores(n: int) -> str:
    """A number of cores with its noun: "1 core", "2 cores"."""
    return f"{n} core" if n == 1 else f"{n} cores"


def with_article(name: str) -> str:
    """A name behind "a" or "an", by its sound: "an NVIDIA H200", "a Xeon", "an 8-core CPU"."""
    word = name.partition(" ")[0]
    spelt = word[:2].upper() == word[:2]  # letter by letter, or a number
    vowels = SPELT_WITH_VOWEL if spelt else "AEIOU"
    sounds = re.match("8|1[18](?![0-9])", word) or word[:1].upper() in tuple(vowels)
    return f"{'an' if sounds else 'a'} {name}"


def cpu(model: str) -> str:
    """A CPU's name in a sentence: "Intel(R) Xeon(R) CPU @ 2.20GHz" becomes "Intel Xeon"."""
    return re.sub(r"\((?:R|TM|C)\)| CPU @.*| Processor$", "", model).strip() or model


def params(values: Mapping[str, object]) -> str:
    """Parameters in words: "width 128, fast path on"; empty when there are none."""
    switches = {True: "on", False: "off"}
    return ", ".join(
        f"{name.replace('_', ' ')} {switches[value] if isinstance(value, bool) else value}"
        for name, value in values.items()
    )


def yours(text: str) -> str:
    """A text about our CPU or GPU as one about the reader's own."""
    return re.sub(r"\b([Oo])ur (?=CPU|GPU)", lambda found: f"{'Y' if found[1] == 'O' else 'y'}our ", text)


def number(value: float, digits: int = N_DIGITS) -> str:
    """A value with three significant digits, no exponent, thousands separated, no trailing zeros."""
    text = _fixed(value, _decimals(value, digits), digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def estimate(value: Estimate | None, noun: str = "samples") -> str:
    """An estimate's value alone, with its unit; "not measured yet" for None."""
    if value is None:
        return NOT_MEASURED
    return _value(value.value, value.unit, noun)


def interval(value: Estimate | None, noun: str = "samples", *, brief: bool = False) -> str:
    """Value, 95 % interval, number of runs: "12.4x (11.9 to 12.8, n = 5)"; "not measured yet" for None.

    A single number has no interval, "12.4x (n = 1)", unless it is a share of many. What lies between the ends of one
    run's interval is no spread between runs, and the text says so: "12.4x (11.9 to 12.8 within one run)", in a narrow
    table, ``brief``, "12.4x (11.9 to 12.8, 1 run)".
    """
    if value is None:
        return NOT_MEASURED
    low, middle, high = _three(value, noun)
    is_point = value.low == value.value == value.high
    if value.n == 1 and (is_point or (value.n_samples == 1 and value.unit != "frac")):
        return f"{middle} (n = 1)"
    return f"{middle} ({low} to {high}{_of_runs(value, brief=brief)})"


def between(value: Estimate, noun: str = "samples") -> str:
    """An estimate's ends alone, two digits each: "7.1 to 25x"; the unit once where both have the same."""
    low, high = (_value(rounded(end, 2), value.unit, noun) for end in (value.low, value.high))
    start, _, unit = low.partition(" ") if " " in low else (low.rstrip("x"), "", "x" if low.endswith("x") else "")
    return f"{start if high.endswith(unit) and unit else low} to {high}"


def change(value: Estimate | None) -> str:
    """A ratio near 1 as what it adds, to a tenth of a percent: "+0.4 % (-1.2 to +2.0, n = 5)"."""
    if value is None:
        return NOT_MEASURED
    tenths = (round((v - 1) * 100, 1) for v in (value.low, value.value, value.high))
    low, middle, high = (f"{added:+.1f}" if added else "0.0" for added in tenths)
    return f"{middle} % ({low} to {high}{_of_runs(value)})"


def warning(value: Estimate) -> str:
    """What a reader must know before trusting the estimate, in words; empty when the runs agree."""
    if not value.is_noisy:
        return ""
    limit = percent(SPREAD_LIMIT_FRAC)
    if not math.isfinite(value.spread_frac):
        return "some runs did not get there at all"
    subject = "the middle half of this run's samples spans" if value.n == 1 else "the runs differ by"
    return f"{subject} {percent(value.spread_frac)} of their median (limit {limit})"


def short_warning(value: Estimate) -> str:
    """The same in few words, for a table: "runs differ by 36 %"."""
    if not value.is_noisy:
        return ""
    if not math.isfinite(value.spread_frac):
        return "some runs did not get there"
    return f"{'samples spread over' if value.n == 1 else 'runs differ by'} {percent(value.spread_frac)}"


def caveat(value: Estimate) -> str:
    """What few runs do to the interval, in words; empty from five runs on."""
    if value.n >= MIN_RUNS:
        return ""
    if value.n == 1:
        return "one run: the interval knows only the noise inside it"
    covered = percent(attainable_coverage(value.n))
    return f"{value.n} runs: the range of so few covers the true median with {covered} at most"


def _of_runs(value: Estimate, *, brief: bool = False) -> str:
    """What an interval's ends lie among: several runs, or the samples of one."""
    if value.n == 1 and value.n_samples > 1:
        return ", 1 run" if brief else " within one run"
    return f", n = {value.n}"


def _value(value: float, unit: str, noun: str) -> str:
    if unit == "s":
        return seconds(value)
    if unit == "samples_per_s":
        return rate(value, noun)
    if unit == "per_s":
        return f"{number(value)} per second"
    if unit in _LETTERS:
        return _scaled(value, _LETTERS[unit])
    return {"frac": percent, "ratio": ratio, "count": number}[unit](value)


def _three(value: Estimate, noun: str) -> tuple[str, str, str]:
    """Low, value with unit, high: one unit and one number of decimals, chosen by the value."""
    if value.unit == "s" and (_is_composite(value.value) or _is_composite(value.high)):
        return seconds(value.low), seconds(value.value), seconds(value.high)
    if value.unit == "s":
        scale, unit = _second_scale(value.value)
        suffix = f" {unit}"
    elif value.unit in _LETTERS:
        scale, prefix = _big_scale(value.value)
        suffix = f" {prefix}{_LETTERS[value.unit]}"
    elif value.unit == "ratio":
        scale, suffix = ratio_scale(value.value)
    else:
        scale = 0.01 if value.unit == "frac" else 1.0
        suffix = {"frac": " %", "count": "", "samples_per_s": f" {noun}/s", "per_s": " per second"}[value.unit]
    places = _decimals(value.value / scale, N_DIGITS)
    low, middle, high = (_fixed(v / scale, places, N_DIGITS) for v in (value.low, value.value, value.high))
    return low, f"{middle}{suffix}", high


def _is_composite(value_s: float) -> bool:
    """Whether a duration is told in minutes and more."""
    return not math.isfinite(value_s) or rounded(value_s) >= MINUTE_S


def _composite(value_s: float) -> str:
    if round(value_s) < HOUR_S:
        large, name, small, small_name = MINUTE_S, "min", 1, "s"
    elif round(value_s / MINUTE_S) * MINUTE_S < 2 * DAY_S:
        large, name, small, small_name = HOUR_S, "h", MINUTE_S, "min"
    else:
        large, name, small, small_name = DAY_S, "d", HOUR_S, "h"
    whole, rest = divmod(round(value_s / small), large // small)
    return f"{whole:,} {name}" + (f" {rest} {small_name}" if rest else "")


def _second_scale(value_s: float) -> tuple[float, str]:
    for scale, unit in _SECOND_SCALE:
        if rounded(value_s / scale) >= 1:
            return scale, unit
    return (1.0, "s") if value_s == 0 else (1e-9, "ns")


def _big_scale(value: float) -> tuple[float, str]:
    return next(((scale, prefix) for scale, prefix in _BIG_SCALE if rounded(value / scale) >= 1), (1.0, ""))


def ratio_scale(value: float) -> tuple[float, str]:
    """What one is worth, and its sign: times, or parts of a million or billion for what no one reads as times."""
    if value == 0 or abs(value) >= 1e-3:
        return 1.0, "x"
    return (1e-6, " millionths") if rounded(abs(value) / 1e-6) >= 1 else (1e-9, " billionths")


def _scaled(value: float, unit: str) -> str:
    scale, prefix = _big_scale(value)
    return f"{number(value / scale)} {prefix}{unit}"


def rounded(value: float, digits: int = N_DIGITS) -> float:
    """A value with so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def _decimals(value: float, digits: int) -> int:
    """Places behind the point that show the given number of significant digits."""
    value = abs(rounded(value, digits))
    if value == 0 or not math.isfinite(value):
        return 0
    return max(0, digits - 1 - math.floor(math.log10(value)))


def _fixed(value: float, places: int, digits: int) -> str:
    """Text with so many decimals; above them, digits that are not significant become zeros."""
    if not math.isfinite(value):
        return NOT_REACHED
    if places == 0:
        value = float(f"{value:.{max(digits, 1) - 1}e}") if abs(value) >= 10**digits else value
    return f"{value:,.{places}f}"
