"""Cases, tests and needs: what makes a belief true, false, open or undecided."""

from __future__ import annotations

from typing import get_args

import pytest

from bench.records.store import Results
from bench.report.claims import beliefs, rule
from bench.report.claims.beliefs import Belief
from bench.report.claims.case import Case, Part, Verdict
from bench.report.claims.cases import make
from bench.report.claims.cases.names import MAKERS
from bench.report.claims.rule import Test, decide
from bench.report.evidence.evidence import Evidence

EMPTY = Evidence(Results(()), {})
TWICE = Test(at_least=2.0)
HIGH, LOW, ACROSS = (2.5, 3.0), (1.0, 1.5), (1.5, 2.5)


def case(low: float, high: float, name: str = "a case") -> Case:
    return Case(name=name, value=(low + high) / 2, low=low, high=high, part=Part(f"{low} to {high}"))


def cases(*ends: tuple[float, float]) -> list[Case]:
    return [case(*pair) for pair in ends]


@pytest.mark.parametrize(
    ("test", "low", "high", "holds", "fails"),
    [
        (Test(at_least=2.0), 2.0, 3.0, True, False),
        (Test(at_least=2.0), 1.9, 3.0, False, False),
        (Test(at_least=2.0), 1.0, 1.9, False, True),
        (Test(at_most=2.0), 1.0, 2.0, True, False),
        (Test(at_most=2.0), 1.0, 2.1, False, False),
        (Test(at_most=2.0), 2.1, 3.0, False, True),
        (Test(at_least=1.0, at_most=2.0), 1.0, 2.0, True, False),
        (Test(at_least=1.0, at_most=2.0), 0.5, 0.9, False, True),
        (Test(at_least=1.0, at_most=2.0), 2.1, 2.2, False, True),
        (Test(at_least=1.0, at_most=2.0), 0.5, 2.5, False, False),
    ],
)
def test_a_case_counts_with_its_whole_interval(test: Test, low: float, high: float, holds: bool, fails: bool):
    assert holds == test.holds(case(low, high))
    assert fails == test.fails(case(low, high))


@pytest.mark.parametrize(
    ("needs", "ends", "outcome"),
    [
        ("always", (), "not measured"),
        ("always", (HIGH, HIGH), "true"),
        ("always", (HIGH, ACROSS), "depends"),
        ("always", (HIGH, HIGH, LOW), "false"),
        ("throughout", (HIGH, HIGH), "true"),
        ("throughout", (HIGH, LOW), "depends"),
        ("throughout", (LOW, LOW), "false"),
        ("throughout", (LOW, ACROSS), "depends"),
        ("once", (LOW, HIGH), "true"),
        ("once", (LOW, LOW), "false"),
        ("once", (LOW, ACROSS), "depends"),
        ("mostly", (HIGH, HIGH, LOW), "true"),
        ("mostly", (HIGH, LOW), "depends"),
        ("mostly", (LOW, LOW, HIGH), "false"),
        ("mostly", (HIGH, ACROSS, LOW), "depends"),
        ("varies", (HIGH,), "not measured"),
        ("varies", (HIGH, LOW), "true"),
        ("varies", (HIGH, HIGH), "false"),
        ("varies", (HIGH, ACROSS), "depends"),
    ],
)
def test_the_needs_decide(needs: str, ends: tuple[tuple[float, float], ...], outcome: str):
    assert outcome == decide(cases(*ends), TWICE, needs)


@pytest.fixture
def judged(monkeypatch):
    """The verdict on a belief whose maker returns these cases."""

    def judge(found: list[Case], **fields) -> Verdict:
        monkeypatch.setitem(MAKERS, "invented", lambda evidence: found)
        known = {
            "says": "Something is so.",
            "cases": {"invented": {}},
            "measure": "the measure",
            "counted": "cases are so",
            "at_least": 2.0,
            "reason": "Because.",
            "unknown": "Nothing is known yet.",
        }
        return beliefs.judged("a-belief", Belief(**known | fields), EMPTY)

    make.arguments_of.cache_clear()
    return judge


def test_a_sentence_counts_and_names_the_lowest_and_the_highest(judged):
    found = judged([case(*HIGH, "wide"), case(*LOW, "narrow"), case(*ACROSS, "middle")])

    assert "false" == found.outcome
    assert "1 of 3 cases are so (at least 2x); lowest: narrow, 1.0 to 1.5; highest: wide, 2.5 to 3.0." == found.sentence
    assert ["disagrees", "open", "agrees"] == [decided.side for decided in found.cases]


def test_a_single_case_is_told_without_counting(judged):
    assert "only, 2.5 to 3.0; the belief needs at least 2x." == judged([case(*HIGH, "only")]).sentence


def test_what_is_no_quantity_is_told_in_words(judged):
    assert "only, other bits; the belief needs the same bits." == (
        judged([case(0.0, 0.0, "only")], unit="bits", at_least=1.0).sentence
    )


def test_without_cases_the_sentence_says_what_is_missing(judged):
    found = judged([])

    assert ("not measured", "Nothing is known yet.") == (found.outcome, found.sentence)


@pytest.mark.parametrize("needs", get_args(rule.Needs))
def test_a_rule_is_words_with_its_reason(needs: str):
    on_records = rule.rule_text("the measure", needs, "at least 2x", "Because.")
    on_published = rule.rule_text("the measure", needs, "at least 2x", "Because.", basis="published")

    assert "at least 2x" in on_records and on_records.endswith("Because.")
    assert ("interval" in on_records) == (needs != "varies") and "interval" not in on_published


def statement(begins: str) -> Verdict:
    stated = Belief(says="It is.", row="tf-gpu-removed", begins=begins, reason="Why.")
    return beliefs.judged("a-statement", stated, EMPTY)


def test_a_statement_is_false_while_its_row_begins_with_the_words():
    found = statement("removed")

    assert "false" == found.outcome
    assert ("tf-gpu-removed",) == found.figures
    assert "depends" == statement("still there").outcome
