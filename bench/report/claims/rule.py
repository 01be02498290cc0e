"""The rule of a belief, of an answer and of a claim: cases held against a threshold. Pure: evidence in, outcome out.

A *case* is one number that a rule makes a statement about, such as the speed of a GPU over that of a CPU on one
workload. A *test* says on which side of a threshold a case lies; it goes by the whole interval, so a case that
straddles the threshold is on neither side. A rule then needs its cases to agree with it: always, mostly, or once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from bench.report.claims.case import Basis, Case, Decided, Outcome, Part, Side
from bench.report.evidence import thresholds
from bench.report.stats import format as fmt

Needs = Literal["always", "throughout", "mostly", "once", "varies"]
Unit = Literal["ratio", "s", "frac", "per s", "pictures per s", "steps", "cores", "bits", "order", "yes or no"]
SHOWN: Mapping[Unit, Callable[[float], str]] = {
    "ratio": fmt.ratio,
    "s": fmt.seconds,
    "frac": fmt.percent,
    "per s": lambda value: f"{fmt.number(value)} per second",
    "pictures per s": lambda value: f"{fmt.number(value)} pictures per second",
    "steps": lambda value: f"{fmt.count(value)} steps",
    "cores": lambda value: fmt.cores(round(value)),
    "bits": lambda value: "the same bits" if value >= 1 else "other bits",
    "order": lambda value: "the same one each time" if value > 0 else "a new one each time",
    "yes or no": lambda value: "yes" if value else "no",
}
WORDED: tuple[Unit, ...] = ("bits", "order", "yes or no")  # no quantities: a case, too, is shown in these words
RESTING: Mapping[Basis, str] = {
    "records": "by our runs",
    "published": "by published figures",
    "estimates": "by estimates",
}
# Constants that several rules share. A rule may name one instead of a number.
THRESHOLDS = {name: float(value) for name, value in vars(thresholds).items() if isinstance(value, int | float)}


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold, or two. A case holds when its whole interval lies within, and fails when all of it lies outside."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, case: Case) -> bool:
        """Whether the whole interval meets the test."""
        low_enough = self.at_most is None or case.high <= self.at_most
        return low_enough and (self.at_least is None or case.low >= self.at_least)

    def fails(self, case: Case) -> bool:
        """Whether the whole interval misses the test."""
        above = self.at_most is not None and case.low > self.at_most
        return above or (self.at_least is not None and case.high < self.at_least)

    def side(self, case: Case) -> Side:
        """For which side a case counts."""
        return "agrees" if self.holds(case) else "disagrees" if self.fails(case) else "open"

    def words(self, show: Callable[[float], str]) -> str:
        """The test in words: "at least 2x", "from 10x to 100x"."""
        if self.at_least is not None and self.at_most is not None:
            return f"from {show(self.at_least)} to {show(self.at_most)}"
        if self.at_least is not None:
            return f"at least {show(self.at_least)}"
        return f"at most {show(self.at_most if self.at_most is not None else 0.0)}"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What front matter says of a rule: ``cases`` and ``facts`` give numbers, the rest holds them to a threshold."""

    says: str = ""  # what is decided, as a sentence
    cases: dict[str, dict[str, Any] | list[dict[str, Any]]] = {}  # name of a maker -> arguments, once or several times
    facts: dict[str, str | list[str]] = {}  # case -> fact, or two facts of one machine, the first over the second
    measure: str = ""  # what each case is, for the rule: "the GPU's speed over the CPU's"
    at_least: float | str | None = None  # a number, or the name of a constant that several rules share
    at_most: float | str | None = None
    unit: Unit = "ratio"
    needs: Needs = "always"
    reason: str = ""  # why the threshold is where it is
    compares_devices: bool = False  # whether a GPU is set against a CPU

    @property
    def test(self) -> Test:
        """The thresholds as numbers."""
        return Test(at_least=_limit(self.at_least), at_most=_limit(self.at_most))

    @property
    def shown_test(self) -> str:
        """The thresholds as readers see them."""
        words = self.test.words(SHOWN[self.unit])
        return words.removeprefix("at least ").removeprefix("at most ") if self.unit in WORDED else words


def _limit(given: float | str | None) -> float | None:
    return THRESHOLDS[given] if isinstance(given, str) else given


def decide(cases: Sequence[Case], test: Test, needs: Needs) -> Outcome:
    """The outcome for a rule that says of its cases that they meet the test.

    always: one case that fails makes it false. throughout: false only when every case fails. once: one case that holds
    makes it true. mostly: more than half of all cases on one side decide. varies: cases on both sides make it true,
    and all on one side false. What the rest of the intervals leave open is "depends"; no cases, and for varies a
    single one, "not measured".
    """
    n, n_hold, n_fail = len(cases), sum(map(test.holds, cases)), sum(map(test.fails, cases))
    if not n or (needs == "varies" and n == 1):
        return "not measured"
    is_true, is_false = {
        "always": (n_hold == n, n_fail > 0),
        "throughout": (n_hold == n, n_fail == n),
        "once": (n_hold > 0, n_fail == n),
        "mostly": (2 * n_hold > n, 2 * n_fail > n),
        "varies": (n_hold > 0 and n_fail > 0, n in (n_hold, n_fail)),
    }[needs]
    return "true" if is_true else "false" if is_false else "depends"


def rule_text(measure: str, needs: Needs, shown_test: str, reason: str = "", *, basis: Basis = "records") -> str:
    """The rule of ``decide`` in words; published figures have no intervals to speak of."""
    if needs == "varies":
        return f"Holds if {measure} is {shown_test} in some cases and not in others. {reason}".strip()
    how_many, how_few = {
        "always": ("every case", "it is not in one case"),
        "throughout": ("every case", "it is in no case"),
        "once": ("at least one case", "it is in no case"),
        "mostly": ("more than half of the cases", "it is not in more than half"),
    }[needs]
    words = f"True if {measure} is {shown_test} in {how_many}; false if {how_few}"
    if basis == "published":
        return f"{words}{'; it depends otherwise' if needs in ('mostly', 'throughout') else ''}. {reason}".strip()
    whole = "range" if basis == "estimates" else "95 % interval"
    return f"{words}; a case counts for either side with its whole {whole}; it depends otherwise. {reason}".strip()


def sided(cases: Sequence[Case], test: Test) -> tuple[Decided, ...]:
    """Cases with the side on which each counts."""
    return tuple(Decided(c.name, c.part, test.side(c), c.low, c.value, c.high) for c in cases)


def counted(cases: Sequence[Decided]) -> Part:
    """How many cases agree: "3 of 14". It links to all records; published figures keep links of their own."""
    cells = tuple(dict.fromkeys(cell for case in cases for cell in case.part.cells))
    text = f"{sum(case.side == 'agrees' for case in cases)} of {len(cases)}"
    return Part(text) if any(case.part.is_estimated for case in cases) else Part(text, cells)
