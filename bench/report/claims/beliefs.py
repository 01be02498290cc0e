"""Beliefs: what people say, and what the evidence says of it. Pure: front matter and evidence in, verdict out.

A belief is the front matter of its page in docs/misconceptions/, under ``verdict``: a rule in the language of
``rule.Rule``, and words for its sentence, which counts the cases that meet the test and names the lowest and the
highest. Moving a threshold is a change of method and belongs in CHANGELOG.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec

from bench.report.claims import by_jobs, sentence
from bench.report.claims.case import Basis, Decided, Outcome, Part, Verdict, short_source
from bench.report.claims.cases import make
from bench.report.claims.check_rule import (
    HOW_TO,
    Offers,
    case_problems,
    line_in,
    name_problems,
    named,
    sentence_problems,
    shape_problems,
    unknown,
)
from bench.report.claims.rule import Rule, sided
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.stats import reads

KEY = "verdict"  # of the front matter


class Second(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another way of taking the cases, told after the first where it says something else."""

    words: str  # how its cases were taken, to begin a sentence with
    cases: dict[str, dict[str, Any] | list[dict[str, Any]]]


class Belief(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A belief: it says of its cases that they meet a test, or what follows instead."""

    counted: str = ""  # after "3 of 14", for the sentence: "comparisons have the GPU ahead"
    shows: str = ""  # what a mark in the figure of the cases is, as a sentence; else ``measure`` says it
    unknown: str = ""  # the sentence while there are no cases
    said: dict[Literal["true", "false", "depends"], str] = {}  # the sentence of each outcome, as a reader wants it
    second: Second | None = None
    row: str = ""  # instead of cases, a published statement; the belief is false while it begins with the words
    begins: str = ""
    judge: str = ""  # instead of all that, the name of a function that decides and tells for itself

    @property
    def counts_cases(self) -> bool:
        """Whether its verdict has cases to name."""
        return not (self.row or self.judge)

    @property
    def basis(self) -> Basis:
        """Our records, or published figures."""
        return "published" if self.row else make.basis(self)


Beliefs = Mapping[str, Belief]


def of_heads(heads: Iterable[Mapping[str, Any]]) -> dict[str, Belief]:
    """The beliefs in the front matter of pages, by id; a belief that says nothing says its page's title.

    Raises:
        msgspec.ValidationError: one is none; ``problems`` says what is wrong in words for authors.
    """
    found = (meta for meta in heads if KEY in meta)
    given = {str(meta["id"]): {"says": f"{meta['title']}."} | meta[KEY] for meta in found}
    return {name: msgspec.convert(keys | {"said": named(keys.get("said", {}))}, Belief) for name, keys in given.items()}


# Pages, answers, claims and the list of what flipped ask for the same verdicts.
_judged: WeakKeyDictionary[Evidence, dict[str, tuple[Verdict, reads.Names]]] = WeakKeyDictionary()


def lookup(verdict_id: str, beliefs: Beliefs, evidence: Evidence) -> Verdict:
    """One verdict on the present evidence, reached once.

    Raises:
        LookupError: no such belief.
    """
    if verdict_id not in beliefs:
        raise LookupError(unknown("verdict", verdict_id, beliefs))
    belief, known = beliefs[verdict_id], _judged.setdefault(evidence, {})
    return reads.kept(known, f"{verdict_id} {belief}", lambda: judged(verdict_id, belief, evidence))


def judged(verdict_id: str, belief: Belief, evidence: Evidence) -> Verdict:
    """The verdict on a belief, on the present evidence."""
    cases: tuple[Decided, ...] = ()
    basis = belief.basis
    if belief.judge:
        outcome, parts, rule = by_jobs.JUDGES[belief.judge](evidence)
    elif belief.row:
        outcome, parts, rule = _stated(belief)
    else:
        outcome, cases, rule, basis = make.decided(belief, evidence)
        parts = tuple(_sentence(belief, cases, evidence)) if cases else ()
    is_open = outcome == "not measured" and not cases
    template = belief.unknown if is_open else "" if outcome == "not measured" else belief.said.get(outcome, "")
    template = template if sentence.is_known(template, evidence) else ""
    return Verdict(
        id=verdict_id,
        belief=belief.says,
        outcome=outcome,
        parts=tuple(sentence.filled(template, cases, evidence)) if template else parts,
        counted=parts if template else (),
        rule=rule,
        basis=basis,
        compares_devices=belief.compares_devices,
        cases=cases,
    )


def _sentence(belief: Belief, cases: tuple[Decided, ...], evidence: Evidence) -> Iterator[Part]:
    ends = "; lowest: {{ lowest.name }}, {{ lowest.value }}; highest: {{ highest.name }}, {{ highest.value }}."
    if belief.basis == "published":
        yield Part("Published: ")
    if any(case.part.is_estimated for case in cases):
        yield Part("By estimates, ")
    template = f"{{{{ counted }}}} {belief.counted} ({belief.shown_test}){ends}"
    if len(cases) == 1:
        template = f"{{{{ lowest.name }}}}, {{{{ lowest.value }}}}; the belief needs {belief.shown_test}."
    yield from sentence.filled(template, cases, evidence)
    if belief.second is None:
        return
    rule = msgspec.structs.replace(belief, cases=belief.second.cases)
    others = sided(make.cases(rule, evidence), belief.test)
    if others and [case.part for case in others] != [case.part for case in cases]:
        template = "{{ lowest.name }}, {{ lowest.value }}." if len(others) == 1 else f"{{{{ counted }}}}{ends}"
        yield Part(" ")
        yield from sentence.filled(f"{belief.second.words}: {template}", others, evidence)


def _stated(belief: Belief) -> by_jobs.Told:
    """The verdict that a published statement gives as it stands."""
    figure = published.lookup(belief.row)
    outcome: Outcome = "false" if figure.value.lower().startswith(belief.begins.lower()) else "depends"
    text = f"{figure.subject}: {figure.value} ({short_source(figure.source)}, {figure.date})"
    rule = f'False while the published statement begins with "{belief.begins}"; it depends otherwise. {belief.reason}'
    return by_jobs.Told(outcome, (Part("Published, "), Part(text, figures=(belief.row,)), Part(".")), rule)


def problems(meta: Mapping[str, Any], head: str, offers: Offers) -> Iterator[tuple[int, str]]:
    """Line and words, with what to do, of everything wrong with the belief in a page's front matter."""
    if KEY not in meta:
        return
    if not isinstance(meta[KEY], dict):
        yield line_in(head, KEY), f"{KEY} must be keys and values, found {meta[KEY]!r}; {HOW_TO} shows them"
        return
    given = named(meta[KEY])
    if isinstance(given.get("said"), dict):
        given["said"] = named(given["said"])
    found = list(shape_problems(given, Belief)) or list(_rule_problems(msgspec.convert(given, Belief), offers))
    yield from ((line_in(head, key, KEY), f"{KEY}.{key}: {told}") for key, told in found)


def _rule_problems(belief: Belief, offers: Offers) -> Iterator[tuple[str, str]]:
    ways = {"cases": belief.cases or belief.facts, "row": belief.row, "judge": belief.judge}
    if sum(map(bool, ways.values())) != 1:
        given = ", ".join(key for key, value in ways.items() if value)
        yield given.partition(",")[0], f"expected one of {', '.join(ways)}, found {given or 'none'}; write one of them"
    if belief.judge and belief.judge not in by_jobs.JUDGES:
        yield "judge", unknown("judge", belief.judge, by_jobs.JUDGES)
    if belief.row and belief.row not in offers.figures:
        yield "row", unknown("published row", belief.row, offers.figures)
    if belief.row and not belief.begins:
        yield "begins", "there is no 'begins'; add how the published statement begins where the belief is false"
    yield from name_problems(belief, offers)
    missing = [key for key in ("true", "false", "depends") if key not in belief.said] if belief.said else []
    yield from (("said", f"there is no sentence for {key!r}; add it, whatever we believe") for key in missing)
    for template in belief.said.values():
        told = sentence_problems((template,), offers, has_cases=belief.counts_cases)
        yield from (("said", one) for one in told)
    shown = (belief.shows,) if belief.shows else ()
    yield from (("shows", told) for told in sentence_problems(shown, offers, has_cases=belief.counts_cases))
    if belief.second is not None:
        yield from (("second", told) for told in case_problems(belief.second.cases, offers))
    if not belief.counts_cases:
        return
    wanted = ("counted", "reason") if belief.basis == "published" else ("counted", "reason", "unknown")
    yield from ((key, f"there is no {key!r}; add it, as {HOW_TO} shows") for key in wanted if not getattr(belief, key))
