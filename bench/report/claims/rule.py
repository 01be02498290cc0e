"""What beliefs and claims are decided with: cases, tests, words. Pure: evidence in, verdict out.

A *case* is one number that a belief makes a statement about, such as the speed of a GPU over that of a CPU on one
workload. A *test* says on which side of a threshold a case lies; it goes by the whole interval, so a case that
straddles the threshold is on neither side. A belief then needs its cases to agree with it: always, mostly, or once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from bench.report.claims import case as claims_case
from bench.report.claims.case import Basis, Case, Decided, Outcome, Part, Verdict, VerdictError
from bench.report.published import figures as published
from bench.report.stats import format as fmt
from bench.schema import Record

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence
Needs = Literal["always", "throughout", "mostly", "once"]
NEEDS: tuple[Needs, ...] = get_args(Needs)
RESTING = "resting on published figures"
MAX_NAMED = 2  # cases that a sentence names: the lowest and the highest; the table below it has all


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

    def words(self, show: Callable[[float], str]) -> str:
        """The test in words: "at least 2x", "from 10x to 100x"."""
        if self.at_least is not None and self.at_most is not None:
            return f"from {show(self.at_least)} to {show(self.at_most)}"
        if self.at_least is not None:
            return f"at least {show(self.at_least)}"
        return f"at most {show(self.at_most if self.at_most is not None else 0.0)}"


def decide(cases: Sequence[Case], test: Test, needs: Needs) -> Outcome:
    """The outcome for a belief that says of its cases that they meet the test.

    always: one case that fails makes it false. throughout: false only when every case fails. once: one case that holds
    makes it true. mostly: more than half of all cases on one side decide. What the rest of the intervals leave open is
    "depends"; no cases, "not measured".
    """
    n, n_hold, n_fail = len(cases), sum(map(test.holds, cases)), sum(map(test.fails, cases))
    if not n:
        return "not measured"
    if needs == "always":
        return "false" if n_fail else "true" if n_hold == n else "depends"
    if needs == "throughout":
        return "true" if n_hold == n else "false" if n_fail == n else "depends"
    if needs == "once":
        return "true" if n_hold else "false" if n_fail == n else "depends"
    return "true" if 2 * n_hold > n else "false" if 2 * n_fail > n else "depends"


def rule_text(measure: str, needs: Needs, shown_test: str, reason: str = "", *, basis: Basis = "records") -> str:
    """The rule of ``decide`` in words; published figures have no intervals to speak of."""
    how_many, how_few = {
        "always": ("every case", "one case does not"),
        "throughout": ("every case", "no case does"),
        "once": ("at least one case", "no case does"),
        "mostly": ("more than half of the cases", "more than half do not"),
    }[needs]
    words = f"True if {measure} is {shown_test} in {how_many}; false if {how_few}"
    if basis == "published":
        return f"{words}{'; it depends otherwise' if needs in ('mostly', 'throughout') else ''}. {reason}".strip()
    return (
        f"{words}; a case counts for either side with its whole 95 % interval; it depends otherwise. {reason}".strip()
    )


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """A belief that says of its cases that they meet a test.

    The sentence counts the cases that meet the test and names the lowest and the highest.
    """

    id: str
    text: str  # the belief as a sentence
    measure: str  # what each case is, for the rule: "the GPU's speed over the CPU's"
    counted: str  # after "3 of 14", for the sentence: "comparisons have the GPU ahead"
    test: Test
    needs: Needs
    cases: Callable[[Evidence], Sequence[Case]]
    reason: str  # why the threshold is where it is
    missing: str  # the sentence while there are no cases
    show: Callable[[float], str] = fmt.ratio
    basis: Basis = "records"
    compares_devices: bool = False
    second: Callable[[Evidence], Sequence[Case]] | None = None  # told after the cases where it says something else
    second_words: str = ""  # how its cases were taken, to begin a sentence with

    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on the present evidence."""
        cases, others = (
            sorted(make(evidence) if make else (), key=lambda case: (case.value, case.name))
            for make in (self.cases, self.second)
        )
        if [case.part for case in cases] == [case.part for case in others]:
            others = []
        return Verdict(
            id=self.id,
            belief=self.text,
            outcome=decide(cases, self.test, self.needs),
            parts=(*self._sentence(cases), *self._aside(others)) if cases else (Part(self.missing),),
            rule=rule_text(self.measure, self.needs, self.test.words(self.show), self.reason, basis=self.basis),
            basis=self.basis,
            compares_devices=self.compares_devices,
            cases=tuple(Decided(case.name, case.part, self._side(case)) for case in cases),
        )

    def _side(self, case: Case) -> Literal["agrees", "disagrees", "open"]:
        return "agrees" if self.test.holds(case) else "disagrees" if self.test.fails(case) else "open"

    def _sentence(self, cases: Sequence[Case]) -> Iterable[Part]:
        yield Part("Published: " if self.basis == "published" else "")
        if len(cases) == 1:
            yield Part(f"{cases[0].name}, ")
            yield cases[0].part
            yield Part(f"; the belief needs {self.test.words(self.show)}.")
            return
        yield self._count(cases)
        yield Part(f" {self.counted} ({self.test.words(self.show)})")
        yield from self._ends(cases)

    def _aside(self, cases: Sequence[Case]) -> Iterable[Part]:
        """The second way of counting: in how many cases the same holds, and between which ends."""
        if len(cases) == 1:
            yield Part(f" {self.second_words}: {cases[0].name}, ")
            yield cases[0].part
            yield Part(".")
        elif cases:
            yield Part(f" {self.second_words}: ")
            yield self._count(cases)
            yield from self._ends(cases)

    def _count(self, cases: Sequence[Case]) -> Part:
        # Published figures keep their own links; the count over records links to all of them.
        cells = tuple(dict.fromkeys(cell for case in cases for cell in case.part.cells))
        return Part(f"{sum(map(self.test.holds, cases))} of {len(cases)}", cells)

    def _ends(self, cases: Sequence[Case]) -> Iterable[Part]:
        for word, case in (("lowest", cases[0]), ("highest", cases[-1])):
            yield Part(f"; {word}: {case.name}, ")
            yield case.part
        yield Part(".")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A belief that a published statement contradicts: false while the statement begins with the given words."""

    id: str
    text: str
    row: str  # id of the published row
    begins: str  # how the row's value begins where the belief is false
    reason: str

    basis: Basis = "published"
    compares_devices: bool = False

    def judge(self, evidence: Evidence) -> Verdict:
        """The verdict on the row as it stands."""
        figure = published.lookup(self.row)
        outcome: Outcome = "false" if figure.value.lower().startswith(self.begins.lower()) else "depends"
        text = f"{figure.subject}: {figure.value} ({claims_case.short_source(figure.source)}, {figure.date})"
        return Verdict(
            id=self.id,
            belief=self.text,
            outcome=outcome,
            parts=(Part("Published, "), Part(text, figures=(self.row,)), Part(".")),
            rule=f'False while the published statement begins with "{self.begins}"; it depends otherwise. '
            f"{self.reason}",
            basis=self.basis,
        )


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A registered rule, and whether it sets a GPU against a CPU."""

    judge: Callable[[Evidence], Verdict]
    compares_devices: bool
    basis: Basis = "records"


ALL: dict[str, Entry] = {}


def verdict(verdict_id: str, *, compares_devices: bool = False) -> Callable:
    """Register a function as a rule under a permanent id."""

    def register(judge: Callable[[Evidence], Verdict]) -> Callable[[Evidence], Verdict]:
        def placed(evidence: Evidence) -> Verdict:
            return msgspec.structs.replace(judge(evidence), compares_devices=compares_devices)

        _add(verdict_id, Entry(judge=placed, compares_devices=compares_devices))
        return judge

    return register


def add(*beliefs: Belief | Statement) -> None:
    """Register beliefs under their ids."""
    for belief in beliefs:
        entry = Entry(judge=belief.judge, compares_devices=belief.compares_devices, basis=belief.basis)
        _add(belief.id, entry)


def _add(verdict_id: str, entry: Entry) -> None:
    if verdict_id in ALL:
        raise VerdictError(f"verdict {verdict_id!r} is registered twice")
    ALL[verdict_id] = entry


def lookup(verdict_id: str, evidence: Evidence) -> Verdict:
    """One verdict on the present evidence.

    Raises:
        VerdictError: no such verdict.
    """
    if verdict_id not in ALL:
        near = difflib.get_close_matches(verdict_id, ALL, n=2) or sorted(ALL)
        raise VerdictError(f"unknown verdict {verdict_id!r}; did you mean {' or '.join(map(repr, near))}?")
    return ALL[verdict_id].judge(evidence)


class Words:
    """A sentence under construction."""

    def __init__(self, evidence: Evidence) -> None:
        """``evidence`` gives the addresses of the records behind the numbers."""
        self.evidence = evidence
        self._parts: list[Part] = []

    def say(self, text: str) -> Words:
        """Adds plain words."""
        if text:
            self._parts.append(Part(text))
        return self

    def number(self, text: str, *records: Record) -> Words:
        """Adds a number that rests on records."""
        self._parts.append(Part(text, self.evidence.refs(*records)))
        return self

    def parts(self) -> tuple[Part, ...]:
        """The sentence so far."""
        return tuple(self._parts)
