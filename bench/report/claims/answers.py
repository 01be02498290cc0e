"""Answers as objects: what the records decide of a question, and the sentence that says so. Pure: words in, words out.

A page gives in its front matter, under ``answer``, the rule and one sentence for each outcome. The rule is a belief, or
cases against a threshold; both go by whole intervals. Opening, description, structured data, card and the files for
programs all take the sentence of the one outcome, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

import msgspec

from bench.report.claims import beliefs as claims_beliefs
from bench.report.claims import sentence
from bench.report.claims.case import Basis, Decided, Part
from bench.report.claims.cases import make
from bench.report.claims.cases.facts import listed
from bench.report.claims.check_rule import (
    HOW_TO,
    Offers,
    line_in,
    name_problems,
    named,
    sentence_problems,
    shape_problems,
    unknown,
)
from bench.report.claims.rule import Rule
from bench.report.evidence.evidence import Evidence

Outcome = Literal["true", "false", "depends", "not enough data"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
KEY = "answer"  # of the front matter, and the call that puts the sentence on the page
SENTENCES = ("true", "false", "depends", "unknown")  # keys with a sentence, in the order of the outcomes
OPENING = "{{ answer() }}"

RAW = re.compile(r"\{% raw %\}.*?\{% endraw %\}", re.S)  # shown to authors, not meant


class Spec(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the front matter says of an answer: a rule, and a sentence for each outcome or several to choose from."""

    true: str | list[str]
    false: str | list[str]
    depends: str | list[str]
    unknown: str | list[str]
    decided_by: str = ""  # a belief, instead of a rule of its own
    by_estimates: dict[Literal["true", "false", "depends"], str] = {}  # instead of the first three; else it is unknown

    def sentences(self, outcome: Outcome, basis: Basis) -> tuple[str, ...]:
        """Templates of an outcome; of several the first counts whose facts are all known."""
        if basis == "estimates" and outcome != "not enough data":
            return (self.by_estimates[outcome],)
        return listed(getattr(self, SENTENCES[OUTCOMES.index(outcome)]))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A question's answer on the present evidence."""

    id: str
    statement: str  # what the outcome is an outcome of
    outcome: Outcome
    parts: tuple[Part, ...]  # of the sentence; words are Markdown
    rule: str
    basis: Basis = "records"
    compares_devices: bool = False
    cases: tuple[Decided, ...] = ()  # lowest first

    @property
    def sentence(self) -> str:
        """The opening as plain text, numbers included; it is the summary everywhere."""
        return re.sub(r"`|\*\*", "", "".join(part.text for part in self.parts))


def spec_of(meta: Mapping[str, Any]) -> Spec | None:
    """The answer in a page's front matter; None where the page has none.

    Raises:
        msgspec.ValidationError: it is not one; ``problems`` says what is wrong in words for authors.
    """
    return msgspec.convert(_named(meta[KEY]), Spec) if KEY in meta else None


def _named(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys as words, those of the sentences by estimates too."""
    found = named(given)
    inner = found.get("by_estimates")
    return found | {"by_estimates": named(inner)} if isinstance(inner, Mapping) else found


def compares_devices(spec: Spec, beliefs: claims_beliefs.Beliefs) -> bool:
    """Whether the rule of an answer sets a GPU against a CPU."""
    if spec.decided_by:
        return beliefs[spec.decided_by].compares_devices
    pairs = [listed(names) for names in spec.facts.values()]
    in_facts = any("-speedup" in p[0] or len({"gpu" in name.split("-") for name in p}) > 1 for p in pairs)
    return spec.compares_devices or in_facts


def decide(answer_id: str, spec: Spec, beliefs: claims_beliefs.Beliefs, evidence: Evidence) -> Answer:
    """The answer on the present evidence.

    Raises:
        SentenceError: a sentence names a case, and the rule counted none.
        LookupError: no such belief, fact or published figure.
    """
    if spec.decided_by:
        verdict = claims_beliefs.lookup(spec.decided_by, beliefs, evidence)
        outcome, cases = verdict.outcome, verdict.cases
        statement, rule, basis = spec.says or verdict.belief, verdict.rule, verdict.basis
    else:
        statement = spec.says
        outcome, cases, rule, basis = make.decided(spec, evidence)
    shown: Outcome = "not enough data" if outcome == "not measured" else outcome
    if basis == "estimates" and shown not in spec.by_estimates:
        shown, cases, basis = "not enough data", (), "records"
    templates = spec.sentences(shown, basis)
    template = next((one for one in templates if sentence.is_known(one, evidence)), templates[-1])
    return Answer(
        id=answer_id,
        statement=statement,
        outcome=shown,
        parts=tuple(sentence.filled(template, cases, evidence)),
        rule=rule,
        basis=basis,
        compares_devices=compares_devices(spec, beliefs),
        cases=cases,
    )


def without(head: str) -> str:
    """Front matter without its rule, of which a page that is ready has only the outcome."""
    return re.sub(rf"^(?:{KEY}|{claims_beliefs.KEY}):.*\n(?:(?:[ \t].*)?\n)*", "", head, flags=re.M)


# What is wrong with an answer, before anything is built.


def problems(
    meta: Mapping[str, Any], head: str, body: str, *, beliefs: claims_beliefs.Beliefs, offers: Offers
) -> Iterator[tuple[int, str]]:
    """Line and words, with what to do, of everything wrong with a page's answer and with its place on the page."""
    n_head = head.count("\n")
    spoken = RAW.sub(lambda raw: "\n" * raw.group(0).count("\n"), body).splitlines()
    calls = [number for number, line in enumerate(spoken, n_head + 1) if re.search(rf"\{{\{{\s*{KEY}\(", line)]
    if KEY not in meta:
        yield from ((line, f"{OPENING} has nothing to say; write {KEY!r} into the front matter") for line in calls)
        return
    at = line_in(head, KEY)
    if body.strip().partition("\n\n")[0].strip() != OPENING or len(calls) != 1:
        yield n_head + 1, f"the front matter has an answer; begin the text with {OPENING}, alone in a paragraph, once"
    if "description" in meta:
        yield line_in(head, "description"), "description is the answer's sentence on this page; remove the line"
    if not isinstance(meta[KEY], dict):
        yield at, f"{KEY} must be keys and values: a rule, and a sentence each for {', '.join(SENTENCES)}"
        return
    given = _named(meta[KEY])
    empty = [key for key in SENTENCES if not given.get(key)]
    for key in empty:
        yield at, f"the answer has no sentence for {key!r}; add it, whatever we believe the records to say"
    found = list(shape_problems(dict.fromkeys(empty, "-") | given, Spec))
    if not found and not empty:
        spec = msgspec.convert(given, Spec)
        found += _rule_problems(spec, beliefs, offers)
        counts = not spec.decided_by or spec.decided_by not in beliefs or beliefs[spec.decided_by].counts_cases
        for key in SENTENCES:
            templates = listed(getattr(spec, key))
            told = sentence_problems(templates, offers, has_cases=counts and key != "unknown")
            found += [(key, one) for one in told]
            if key == "unknown" and "fact(" in templates[-1]:
                found.append((key, "the last sentence stands where nothing is measured; write it without fact()"))
        for template in spec.by_estimates.values():
            told = sentence_problems((template,), offers, has_cases=counts)
            found += [("by_estimates", one) for one in told]
    yield from ((line_in(head, key, KEY), f"{KEY}.{key}: {told}") for key, told in found)


def _rule_problems(spec: Spec, beliefs: claims_beliefs.Beliefs, offers: Offers) -> Iterator[tuple[str, str]]:
    if bool(spec.decided_by) == bool(spec.facts or spec.cases):
        yield "decided_by", "an answer is decided by a belief, or by cases or facts of its own; write one of these"
    elif spec.decided_by:
        if spec.decided_by not in beliefs:
            yield "decided_by", unknown("belief", spec.decided_by, beliefs)
        for key in ("measure", "at_least", "at_most"):
            if getattr(spec, key):
                yield key, f"{key} is the belief's own business; remove it"
    elif not spec.says:
        yield "says", f"cases decide nothing without 'says'; add what is decided, as {HOW_TO} shows"
    yield from name_problems(spec, offers)
