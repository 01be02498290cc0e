"""What a source may call about estimates: how they are made, how far they were off, what they refuse."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.estimates import bands, formula, words
from bench.report.pages.calls import Voice
from bench.report.pages.markup import PARTS
from bench.report.stats import format as fmt
from bench.report.templates import join

RANGES = {
    "nvidia": "an NVIDIA card decides",
    "amd": "an AMD card decides",
    "keras": "a card decides, under Keras itself",
    "launching": "starting the work decides, under TensorFlow",
}


def fitted(what: str) -> str:
    """How many "points", "cards", "networks" or "sources" the formula was fitted to."""
    return fmt.count(formula.constants().counts[what])


def how_sure() -> str:
    """The sentence behind every estimate."""
    return words.trust(None, formula.constants())


def held_out() -> str:
    """How far the formula is off where the fit had not seen what it was asked about."""
    rows = [
        (
            str(line["left_out"]),
            fmt.count(int(line["groups"])),
            fmt.count(int(line["points"])),
            *(fmt.number(float(line[name]), 3) for name in ("median", "p90")),
            fmt.percent(float(line["within_2"])),
        )
        for line in formula.constants().held_out
    ]
    columns = ("Left out", "Groups", "Points", "Half within", "9 in 10 within", "Below 2")
    return PARTS.table(columns, rows, label="Errors where the fit had not seen the case")


def ranges() -> str:
    """The range around the middle, by case, and how often it held what was measured."""
    rows = [
        (
            RANGES[name],
            f"{fmt.number(one.low)} to {fmt.number(one.high)}",
            f"{fmt.count(one.inside)} of {fmt.count(one.n)}",
        )
        for name, one in formula.constants().ranges.items()
    ]
    return PARTS.table(("Where", "Times the middle", "Held"), rows, label="Ranges")


def grades(voice: Voice) -> str:
    """How often our own GPU records lie in the range that the formula had for them."""
    found = voice.site.tally
    if not found.n:
        return "None of our records is of a GPU that the formula knows, so nothing has graded it yet."
    said = f"Of {fmt.count(found.n)} records of ours on GPUs {fmt.count(found.inside)} lie in the range."
    return f"{said} That is too few: the badge of all estimates says so." if found.is_doubted else said


def refusals() -> str:
    """What the formula does not answer, why, and what is known instead."""
    rows = [
        (reason[:1].upper() + reason[1:], PARTS.published_cell(instead) if why in formula.FROM_OTHERS else instead)
        for why, (reason, instead) in formula.REFUSED.items()
    ]
    return PARTS.table(("No estimate where", "Known instead"), rows, label="Refusals")


def decoded() -> Markup:
    """What trainings reach whose pictures a few cores decode, and in how many public notebooks."""
    found = bands.pictures()
    rate = f"{fmt.number(found.low, 1)} to {fmt.number(found.high, 1)} images a second"
    return join([PARTS.published_cell(rate), f" in {fmt.count(found.n)} public notebooks"])


# The names available in a source.
CALLS = {call.__name__: call for call in (fitted, how_sure, held_out, ranges, refusals, decoded)}
