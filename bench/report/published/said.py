"""Published values as a sentence says them: "56 minutes" of "3360 s". Pure."""

from __future__ import annotations

import re

from bench.report.stats import format as fmt
from bench.report.stats import spoken

NUMBER = r"(\d[\d,]*(?:\.\d+)?)"
RANGE = re.compile(rf"{NUMBER}(?:\s*[-–]\s*{NUMBER})?")
SECONDS = {"ms": 1e-3, "s": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86_400.0}
EACH = {"": "", "step": " a step", "epoch": " an epoch"}  # what a time is of
PICTURES = ("img/s", "images/s", "FPS", "fps")  # one unit, however a source writes it
DOLLARS = {"USD": "USD", "USD/hour": "USD an hour", "USD/GPU-hour": "USD an hour"}
UNITS = (
    dict.fromkeys(PICTURES, "images a second")
    | {
        "frames/s": "frames a second",
        "samples/s": "samples a second",
        "seq/s": "sequences a second",
        "tokens/s": "tokens a second",
        "words/s": "words a second",
        "TB/s": "TB a second",
        "GB/s": "GB a second",
        "MB/s": "MB a second",
        "gCO2e/kWh": "g of CO2 for a kWh",
        "J/image": "J an image",
        "hours per week": "hours a week",
        "hours per session": "hours a session",
        "x": "times",
    }
    | {unit: unit for unit in ("%", "MB", "GB", "TB", "GiB", "W", "kWh", "lbs", "TFLOP/s")}
)
BOUNDS = {"": "", "about": "about ", "over": "over ", "maximum": "at most "}


def ends(value: str) -> tuple[float, float] | None:
    """A value's number twice, or the ends of its range; None of what is no number."""
    found = RANGE.fullmatch(value.strip())
    if found is None:
        return None
    low, high = (float((end or found[1]).replace(",", "")) for end in found.groups())
    return low, high


def said(value: str, unit: str) -> str:
    """A value with its unit in words; empty where there are none for it."""
    unit, _, remark = unit.partition(" (")
    found, bound = ends(value), BOUNDS.get(remark.removesuffix(")"))
    if found is None or bound is None:
        return ""
    unit, _, each = (unit, "", "") if unit in UNITS or unit in DOLLARS else unit.partition("/")
    if unit in SECONDS and each in EACH:
        shown = [spoken.seconds(end * SECONDS[unit]) for end in found]
        words = EACH[each]
    elif unit in DOLLARS:
        shown, words = [f"{end:,.2f}" if end < 100 else f"{end:,.0f}" for end in found], f" {DOLLARS[unit]}"
    elif unit in UNITS:
        shown, words = [fmt.number(end) for end in found], f" {UNITS[unit]}"
    elif unit and not each and value.isdigit():
        return f"{bound}{int(value):,} {unit}"
    else:
        return ""
    return f"{bound}{' to '.join(dict.fromkeys(shown))}{words}"
