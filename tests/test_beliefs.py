"""Front matter of beliefs and rules of claims: what is wrong is refused with its line and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.records.store import Results
from bench.report.claims import beliefs, ledger, sentence
from bench.report.claims.case import Decided, Part
from bench.report.claims.cases import make
from bench.report.claims.cases.names import MAKERS
from bench.report.claims.check_rule import Offers
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.prose import source
from bench.report.published import figures as published
from bench.workloads import registry
from tests.beliefs import BELIEFS

OFFERS = Offers(lookup.names(registry.workloads()), published.figures(), registry.workloads())
HEAD = """---
title: It is so
id: so
verdict:
  cases:
    study_ratio: {workload: call-styles, series: predict, baseline: compiled}
  measure: the time of one over that of the other
  at_most: NOTICED_RATIO
  needs: mostly
  counted: cells come that close
  reason: A fifth is noticed.
  unknown: Nothing is measured yet.
---
"""


def page(text: str) -> source.Source:
    return source.parsed(text, "misconceptions/so.md", "docs/misconceptions/so.md")


def complaints(text: str) -> list[str]:
    """What is wrong with a page, as the build says it: line and words."""
    head = page(text)
    return [f"{line}: {told}" for line, told in beliefs.problems(head.meta, head.head, OFFERS)]


def test_a_right_belief_is_accepted_and_says_its_title():
    assert [] == complaints(HEAD)
    (belief,) = beliefs.of_heads([page(HEAD).meta]).values()
    assert ("It is so.", 1.2, "records") == (belief.says, belief.test.at_most, belief.basis)


CASES = "study_ratio: {workload: call-styles, series: predict, baseline: compiled}"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("needs: mostly", "needs: mostl", r"^9: verdict.needs: expected one of .*'mostl'; did you mean 'mostly'"),
        ("needs: mostly", "need: mostly", r"^9: verdict.need: unknown key 'need'; near ones: needs"),
        ("NOTICED_RATIO", "NOTICED", r"^8: .*expected a number or a shared constant, found .*near ones: NOTICED_RATIO"),
        ("  at_most: NOTICED_RATIO\n", "", r"cases decide nothing without a threshold; add at_least or at_most"),
        ("  at_most: NOTICED_RATIO\n", "  at_most: [1]\n", r"^8: verdict.at_most: expected `.*found \[1\]; write"),
        ("  counted: cells come that close\n", "", r"^4: verdict.counted: there is no 'counted'; add it, as docs/"),
        ("  unknown: Nothing is measured yet.\n", "", r"^4: verdict.unknown: there is no 'unknown'"),
        (CASES, "study_ratios: {}", r"^5: .*unknown maker of cases 'study_ratios'; near ones: study_ratio"),
        ("call-styles", "call-style", r"^5: .*study_ratio: workload: unknown workload 'call-style'; near ones: call"),
        ("predict,", "predicts,", r"^5: .*series: unknown series of call-styles 'predicts'; near ones: predict"),
        ("baseline: compiled", "base: compiled", r"^5: .*study_ratio: base: unknown key 'base'; near ones: baseline"),
        (", baseline: compiled", "", r"^5: .*study_ratio: baseline: there is no 'baseline'; add it"),
        ("baseline: compiled", "baseline: compiled, device: tpu", r"device: expected one of cpu, gpu, found 'tpu'"),
        (CASES, "rows: {rows: {one: nobody}}", r"^5: .*rows: rows: unknown published row 'nobody'"),
        ("  cases:", "  row: tf-gpu-removed\n  begins: removed\n  cases:", r"cases, row, judge, found cases, row"),
        (HEAD[HEAD.index("  cases") : HEAD.index("  measure")], "  row: tf-gpu\n", r"^5: verdict.row: unknown publ"),
        (HEAD[HEAD.index("  cases") : HEAD.index("---\n", 5)], "  judge: course_job\n", r"near ones: course_jobs"),
        (HEAD[HEAD.index("verdict:") : HEAD.index("---\n", 5)], "verdict: so\n", r"^4: verdict must be keys and"),
    ],
)  # fmt: skip
def test_a_wrong_belief_is_refused_with_its_line(old: str, new: str, told: str):
    assert old in HEAD
    found = complaints(HEAD.replace(old, new))
    assert [one for one in found if re.search(told, one)], found


SAID = 'said: {true: It is so., false: It is not., depends: "At {{ lowest.value }}."}'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SAID, ""),
        ("said: [so]", r"verdict.said: expected `object`, got `array`"),
        ("said:", r"verdict.said: expected `object`, got `null`"),
        (SAID.replace("It is so.", "5"), r"verdict.said: expected `str`, got `int`"),
        (SAID.replace("true:", "maybe:"), r"verdict.said: "),
        (SAID.replace("true: It is so., ", ""), r"verdict.said: there is no sentence for 'true'"),
        (SAID.replace("It is so.", '""'), r"verdict.said: the sentence has no full stop"),
        (SAID.replace("lowest.value }}", "lowest.value }"), r"verdict.said: a brace that belongs to no expression"),
        (SAID.replace("{{ lowest.value }}", "{% if x %}a{% endif %}"), r"verdict.said: a brace that belongs to no"),
        (SAID.replace("lowest.value", "lowest.name.__class__"), r"verdict.said: 'lowest.name.__class__' is no"),
        (SAID.replace("lowest.value", "nobody\\n.value"), r"verdict.said: 'nobody .value' is no expression"),
        (f"{SAID}\n  shows: [1]", r"verdict.shows: expected `str`, got `array`"),
    ],
)
def test_a_wrong_sentence_of_an_outcome_is_refused_in_words(said: str, told: str):
    found = complaints(HEAD.replace("  needs: mostly\n", f"  needs: mostly\n  {said}\n"))

    assert bool(told) == bool(found), found
    assert not told or [one for one in found if re.search(told, one)], found


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"needs": "often"}, "rule.needs: expected one of always, throughout, mostly, once, varies, found 'often'"),
        ({"fact": ["n-runs"]}, "rule.fact: unknown key 'fact'; near ones: facts"),
        ({"holds": "gone"}, "rule.holds: expected one of confirmed, refuted, .*found 'gone'"),
        ({"decided_by": "only-for-trainings"}, "rule.decided_by: unknown belief .*; near ones: only-for-training"),
        ({"facts": ["n-run"]}, "rule.facts: unknown fact 'n-run'; near ones: n-runs"),
        ({"quotients": [["imagenet-size", "imagenet-siz"]]}, "unknown published row 'imagenet-siz'; near ones"),
        ({"at_least": "much"}, "rule.at_least: expected `.*`, got `str`, found 'much'; write it as docs/"),
    ],
)
def test_a_wrong_rule_of_a_claim_is_refused_with_its_line(monkeypatch, rule: dict, told: str):
    monkeypatch.setattr(published, "rules", lambda: {"a-gpu-is-the-key": rule})

    ((file, line, found),) = ledger.problems(BELIEFS, OFFERS)

    text = Path(file).read_text(encoding="utf-8").splitlines()
    assert ("bench/published/claims.yaml", "- id: a-gpu-is-the-key") == (file, text[line - 1])
    assert re.match(f"claim 'a-gpu-is-the-key': .*{told}", found), found


def test_every_maker_says_what_it_takes_and_somebody_asks_for_it():
    asked = {name for belief in BELIEFS.values() for name in belief.cases}

    assert asked == set(MAKERS)
    assert all(make.arguments_of(name).__struct_config__.forbid_unknown_fields for name in MAKERS)


def test_the_lowest_price_is_what_the_others_are_held_against():
    verdict = beliefs.lookup("gpu-hour-has-one-price", BELIEFS, Evidence(Results(()), {}))

    assert len(verdict.cases) == len(published.offers("h100-hour")) - 1
    assert all(case.part.figures[1] == "runpod-h100-sxm-community-2026-11" for case in verdict.cases)
    with pytest.raises(published.PublishedError, match="no published row has the offer 'h100-hours'"):
        published.offers("h100-hours")


@pytest.mark.parametrize("gpu", ["NVIDIA H200", "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090", "Tesla T4"])
def test_a_gpus_peak_is_found_by_the_name_that_its_driver_gives(gpu: str):
    assert "peak_fp32" == published.lookup(published.peak_row(gpu)).metric
    assert "" == published.peak_row("Unheard of")


# Front matter.


@pytest.mark.parametrize(
    ("text", "meta", "body"),
    [
        ("---\ntitle: A\n---\n\nText.\n---\nMore.\n", {"title": "A"}, "\nText.\n---\nMore.\n"),
        ("Text.\n---\nMore.\n---\n", {}, "Text.\n---\nMore.\n---\n"),
        ("---\ntitle: A\n", {}, "---\ntitle: A\n"),
        ("---\n---\nText.\n", {}, "Text.\n"),
    ],
)
def test_front_matter_and_body_are_told_apart(text: str, meta: dict, body: str):
    found = page(text)

    assert (meta, body, text) == (found.meta, found.body, found.text)
    assert found.n_head_lines == text.count("\n") - body.count("\n")


@pytest.mark.parametrize(
    ("head", "told"),
    [("title: a: b\n", r"so\.md:2: the front matter is no YAML"), ("- a\n", r"so\.md:1: .*keys and v")],
)
def test_front_matter_that_is_none_is_refused(head: str, told: str):
    with pytest.raises(source.PageError, match=told):
        page(f"---\n{head}---\n")


def decided(low: float, value: float, high: float, **more) -> Decided:
    return Decided("one", Part(f"{value}x", short=f"{value} times", **more), "agrees", low, value, high)


@pytest.mark.parametrize(
    ("case", "said", "text"),
    [
        (decided(0.05, 0.0625, 0.08), "16 times as long on a GPU", "16x (12 to 20x)"),
        (decided(2.0, 2.0, 2.0), "0.5 times as long on a GPU", "0.5x"),
        (decided(0.1, 0.2, 0.5, is_estimated=True), "2 to 10 times as long on a T4", "2 to 10x (estimated, T4)"),
    ],
)
def test_a_sentence_may_turn_a_quotient_round_and_names_the_card_of_an_estimate(case: Decided, said: str, text: str):
    evidence = Evidence(Results(()), workloads={})

    parts = list(sentence.filled("{{ lowest.inverse }} as long on {{ gpu }}", [case], evidence))

    assert "".join(part.short or part.text for part in parts) == said
    assert parts[0].text == text
    assert parts[0].is_estimated == case.part.is_estimated
