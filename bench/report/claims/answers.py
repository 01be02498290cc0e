"""Answers as objects: what the records decide of a question, and the sentence that says so. Pure: words in, words out.

A page gives in its front matter, under ``answer``, the rule and one sentence for each outcome. The rule is a verdict,
or facts against a threshold; both go by whole intervals. Opening, description, structured data, card and the files for
programs all take the sentence of the one outcome, so they cannot disagree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
from markupsafe import Markup

from bench.report.claims import case as claims_case
from bench.report.claims import rule as claims_rule
from bench.report.claims.case import Case, Decided, Part
from bench.report.claims.rule import Test
from bench.report.facts import fact as facts_fact
from bench.report.facts import lookup
from bench.report.published import figures as published
from bench.report.stats import estimate
from bench.report.stats import format as fmt

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence

Outcome = Literal["true", "false", "depends", "not enough data"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
KEY = "answer"  # of the front matter, and the call that puts the sentence on the page
SENTENCES = ("true", "false", "depends", "unknown")  # keys with a sentence, in the order of the outcomes
OPENING = "{{ answer() }}"
MOST_WORDS = 25
SHOWN: Mapping[str, Callable[[float], str]] = {
    "ratio": fmt.ratio,
    "s": fmt.seconds,
    "frac": fmt.percent,
    "per s": lambda value: f"{fmt.number(value)} per second",
}

EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
CALL = re.compile(r"(fact|published)\([\"']([\w-]+)[\"']\)")
RAW = re.compile(r"\{% raw %\}.*?\{% endraw %\}", re.S)  # shown to authors, not meant
END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
CASES = ("counted", "lowest.name", "lowest.value", "highest.name", "highest.value")


class AnswerError(ValueError):
    """An answer that cannot be said, such as one that names a case where its rule counted none."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the front matter says of an answer: a rule, and a sentence for each outcome or several to choose from."""

    true: str | list[str]
    false: str | list[str]
    depends: str | list[str]
    unknown: str | list[str]
    decided_by: str = ""  # a verdict; instead of it the following
    says: str = ""  # what is decided, as a statement
    facts: dict[str, str | list[str]] = {}  # case -> fact, or two facts of one machine, the first over the second
    measure: str = ""  # what each case is, for the rule
    at_least: float | None = None
    at_most: float | None = None
    unit: Literal["ratio", "s", "frac", "per s"] = "ratio"
    needs: claims_rule.Needs = "always"
    reason: str = ""  # why the threshold is where it is

    def sentences(self, outcome: Outcome) -> tuple[str, ...]:
        """Templates of an outcome; of several the first counts whose facts all have records."""
        return listed(getattr(self, SENTENCES[OUTCOMES.index(outcome)]))

    @property
    def compares_devices(self) -> bool:
        """Whether the rule sets a GPU against a CPU."""
        if self.decided_by:
            return claims_rule.ALL[self.decided_by].compares_devices
        pairs = [listed(names) for names in self.facts.values()]
        return any("-speedup" in p[0] or len({"gpu" in name.split("-") for name in p}) > 1 for p in pairs)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A question's answer on the present evidence."""

    id: str
    statement: str  # what the outcome is an outcome of
    outcome: Outcome
    parts: tuple[Part, ...]  # of the sentence; words are Markdown
    rule: str
    basis: claims_case.Basis = "records"
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
    return msgspec.convert(named(meta[KEY]), Spec) if KEY in meta else None


def decide(answer_id: str, spec: Spec, evidence: Evidence) -> Answer:
    """The answer on the present evidence.

    Raises:
        AnswerError: a sentence names a case, and the rule counted none.
        LookupError: no such verdict, fact or published figure.
    """
    if spec.decided_by:
        verdict = claims_rule.lookup(spec.decided_by, evidence)
        outcome, counted = verdict.outcome, verdict.cases
        statement, rule, basis = spec.says or verdict.belief, verdict.rule, verdict.basis
    else:
        test = Test(at_least=spec.at_least, at_most=spec.at_most)
        cases = sorted(_cases(spec, evidence), key=lambda case: (case.value, case.name))
        outcome, counted = claims_rule.decide(cases, test, spec.needs), tuple(_decided(case, test) for case in cases)
        rule = claims_rule.rule_text(spec.measure, spec.needs, test.words(SHOWN[spec.unit]), spec.reason)
        statement, basis = spec.says, "records"
    found: Outcome = "not enough data" if outcome == "not measured" else outcome
    templates = spec.sentences(found)
    template = next((one for one in templates if _is_measured(one, evidence)), templates[-1])
    return Answer(
        id=answer_id,
        statement=statement,
        outcome=found,
        parts=tuple(_parts(template, counted, evidence)),
        rule=rule,
        basis=basis,
        compares_devices=spec.compares_devices,
        cases=counted,
    )


def without(head: str) -> str:
    """Front matter without the answer, of which a page that is ready has only the sentence."""
    return re.sub(rf"^{KEY}:.*\n(?:(?:[ \t].*)?\n)*", "", head, flags=re.M)


def listed(one: str | Sequence[str]) -> tuple[str, ...]:
    """One or several, as several."""
    return (one,) if isinstance(one, str) else tuple(one)


def named(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys as words: YAML reads a bare ``true`` as a truth value."""
    return {str(key).lower() if isinstance(key, bool) else str(key): value for key, value in given.items()}


# What is wrong with an answer, before anything is built.


def problems(
    meta: Mapping[str, Any],
    head: str,
    body: str,
    *,
    verdicts: Collection[str],
    facts: Collection[str],
    figures: Collection[str],
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
    given = named(meta[KEY])
    known = Spec.__struct_fields__
    for key in given.keys() - set(known):
        near = difflib.get_close_matches(key, known, n=2) or known
        yield line_in(head, key, KEY), f"unknown key or outcome {key!r} of an answer; write one of {', '.join(near)}"
    for key in SENTENCES:
        if not given.get(key):
            yield at, f"the answer has no sentence for {key!r}; add it, whatever we believe the records to say"
    if {*given} - {*known} or not all(given.get(key) for key in SENTENCES):
        return
    try:
        spec = msgspec.convert(given, Spec)
    except msgspec.ValidationError as error:
        yield at, f"the answer is not one: {error}; docs/contributing/add-an-answer.md shows the form"
        return
    yield from ((line_in(head, key, KEY), told) for key, told in _rule_problems(spec, verdicts, facts))
    for key in SENTENCES:
        told = _sentence_problems(key, listed(getattr(spec, key)), spec, facts, figures)
        yield from ((line_in(head, key, KEY), f"{key}: {one}") for one in told)


def line_in(head: str, key: str, below: str = "") -> int:
    """Line of a key of the front matter, or of one below another; 1 where it is not found."""
    lines = head.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith(f"{below}:")), 0) if below else 0
    found = re.compile(rf"{' +' if below else ''}[\"']?{re.escape(key)}[\"']?:")
    return next((n + 1 for n, line in enumerate(lines) if n >= start and found.match(line)), start + 1)


def words_in(template: str) -> int:
    """Words of the longest sentence of a template; an expression or a piece of code counts as one word."""
    return max(len(part.split()) for part in END.split(re.sub(r"\{\{.*?\}\}|`[^`]*`", "it", template.strip())))


def _rule_problems(spec: Spec, verdicts: Collection[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    if bool(spec.decided_by) == bool(spec.facts):
        yield KEY, "an answer is decided by a verdict or by facts; write decided_by or facts, one of them"
    elif spec.decided_by:
        if spec.decided_by not in verdicts:
            yield "decided_by", _unknown("rule", spec.decided_by, verdicts)
        for key in ("facts", "measure", "at_least", "at_most"):
            if getattr(spec, key):
                yield key, f"{key} is the verdict's own business; remove it"
    else:
        for key in ("says", "measure"):
            if not getattr(spec, key):
                yield "facts", f"facts decide nothing without {key!r}; add it"
        if spec.at_least is None and spec.at_most is None:
            yield "facts", "facts decide nothing without a threshold; add at_least or at_most"
    for names in map(listed, spec.facts.values()):
        if len(names) not in (1, 2):
            yield "facts", f"a case is one fact, or two of which the first is divided by the second; not {len(names)}"
        for name in names:
            if name not in known:
                yield "facts", _unknown("fact", name, known)


def _sentence_problems(
    key: str, templates: Sequence[str], spec: Spec, known: Collection[str], figures: Collection[str]
) -> Iterator[str]:
    offers = {"fact": known, "published": figures}
    counts = not spec.decided_by or _counts_cases(spec.decided_by)
    for template in templates:
        if (n := words_in(template)) > MOST_WORDS:
            yield f"the sentence has {n} words; shorten it to {MOST_WORDS}"
        if not template.rstrip().endswith((".", "!")):
            yield "the sentence has no full stop; end it with one"
        for inner in EXPRESSION.findall(template):
            call = CALL.fullmatch(inner)
            if call is None and inner not in CASES:
                yield f'{inner!r} is no expression of a sentence; write fact("..."), published("...") or {CASES}'
            elif call is None and (key == "unknown" or not counts):
                yield f"{inner!r}: there are no cases here; write a fact or a published figure instead"
            elif call is not None and call.group(2) not in offers[call.group(1)]:
                yield _unknown(call.group(1), call.group(2), offers[call.group(1)])
    if key == "unknown" and "fact(" in templates[-1]:
        yield "the last sentence stands where nothing is measured; write it without fact()"


def _counts_cases(verdict_id: str) -> bool:
    entry = claims_rule.ALL.get(verdict_id)
    return entry is None or isinstance(getattr(entry.judge, "__self__", None), claims_rule.Belief)


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    what_to_do = f"near ones: {', '.join(near)}" if near else "look it up and write it as it is"
    return f"unknown {kind} {name!r}; {what_to_do}"


# Cases and sentences.


def _cases(spec: Spec, evidence: Evidence) -> Iterator[Case]:
    """The facts that have records; of two the ratio, if one machine gave both in one session."""
    for name, ids in spec.facts.items():
        found = [lookup.lookup(one, evidence) for one in listed(ids)]
        estimates = [one.estimate for one in found if one.estimate is not None]
        if len(estimates) < len(found) or len({_sessions(one) for one in found}) > 1:
            continue
        records = [session.records[cell] for one in found for session, cell in one.cells]
        refs = evidence.refs(*records)
        if len(found) == 1:
            (value,) = estimates
            part = Part(found[0].text, refs, fact=found[0].id)
            yield Case(name=name, value=value.value, low=value.low, high=value.high, part=part)
        elif (ratio := estimate.quotient(*estimates)) is not None:
            if len(records) == len(found) and estimates[0].unit in estimate.TIMED_UNITS:
                ratio = evidence.with_drift(ratio, *records)
            yield claims_case.case_of(name, ratio, refs)


def _sessions(fact: facts_fact.Fact) -> frozenset[str]:
    return frozenset(session.path for session, _ in fact.cells)


def _decided(case: Case, test: Test) -> Decided:
    side = "agrees" if test.holds(case) else "disagrees" if test.fails(case) else "open"
    return Decided(case.name, case.part, side)


def _is_measured(template: str, evidence: Evidence) -> bool:
    calls = [call for call in map(CALL.fullmatch, EXPRESSION.findall(template)) if call is not None]
    return all(lookup.measured(call.group(2), evidence) for call in calls if call.group(1) == "fact")


def _parts(template: str, counted: Sequence[Decided], evidence: Evidence) -> Iterator[Part]:
    """The template in pieces, each number with what it rests on."""
    for number, piece in enumerate(EXPRESSION.split(" ".join(template.split()))):
        if number % 2 == 0:
            if piece:
                yield Part(Markup(piece))  # its author's Markdown
            continue
        call = CALL.fullmatch(piece)
        if call is not None and call.group(1) == "fact":
            yield Part(lookup.lookup(call.group(2), evidence).text, fact=call.group(2))
        elif call is not None:
            figure = published.lookup(call.group(2))
            yield claims_case.published_case("", 0.0, figure.text, figure).part
        elif not counted:
            raise AnswerError(f"{piece!r}: the rule counted no cases; write a fact instead")
        elif piece == "counted":
            cells = tuple(dict.fromkeys(cell for case in counted for cell in case.part.cells))
            yield Part(f"{sum(case.side == 'agrees' for case in counted)} of {len(counted)}", cells)
        else:
            case = counted[0] if piece.startswith("lowest") else counted[-1]
            yield case.part if piece.endswith("value") else Part(case.name)
