"""What is wrong with a rule, before anything is decided: of a belief, of an answer, of a claim. Pure.

Every problem is a key and words that say what was expected, what was found and what to write instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from bench.report.claims.cases import make
from bench.report.claims.cases.facts import listed
from bench.report.claims.cases.names import MAKERS
from bench.report.claims.rule import THRESHOLDS, Rule
from bench.report.claims.sentence import CALL, CASES, EXPRESSION
from bench.report.facts import lookup
from bench.schema import Reading, Series, Workload

HOW_TO = "docs/contributing/add-a-claim.md"
MOST_LISTED = 40  # names that a message spells out
MOST_WORDS = 25
END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
Told = tuple[str, str]  # a key, and what is wrong with its value


class Offers(NamedTuple):
    """The names that a rule may use."""

    facts: Collection[str]
    figures: Collection[str]
    workloads: Mapping[str, Workload]


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """What to say of a name that is not known: near ones, all of a few, or where names come from."""
    if near := difflib.get_close_matches(name, sorted(known), n=3):
        return f"unknown {kind} {name!r}; near ones: {', '.join(near)}"
    if len(known) <= MOST_LISTED:
        return f"unknown {kind} {name!r}; known are {', '.join(sorted(known)) or 'none'}"
    return f"unknown {kind} {name!r}; {HOW_TO} says where names come from"


def named(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys as words: YAML reads a bare ``true`` as a truth value."""
    return {str(key).lower() if isinstance(key, bool) else str(key): value for key, value in given.items()}


def line_in(head: str, key: str, below: str = "") -> int:
    """Line of a key of front matter, or of one below another; that of the other, or 1, where it is not found."""
    lines = head.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith(f"{below}:")), 0) if below else 0
    found = re.compile(rf"{' +' if below else ''}[\"']?{re.escape(key)}[\"']?:")
    return next((n + 1 for n, line in enumerate(lines) if n >= start and found.match(line)), start + 1)


def shape_problems(given: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[Told]:
    """Keys that a rule does not have, and values of another kind than it wants."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in sorted(given.keys() - fields):
        yield key, unknown("key", key, fields)
    for name, field in fields.items():
        if name in given:
            try:
                msgspec.convert(given[name], field.type)
            except msgspec.ValidationError as error:
                yield name, _expected(field.type, given[name], error)
        elif field.required:
            yield name, f"there is no {name!r}; add it, as {HOW_TO} shows"


def name_problems(rule: Rule, offers: Offers) -> Iterator[Told]:
    """Thresholds, facts, makers of cases and their arguments that do not exist."""
    for key in ("at_least", "at_most"):
        limit = getattr(rule, key)
        if isinstance(limit, str) and limit not in THRESHOLDS:
            yield key, f"expected a number or a shared constant, found {limit!r}; {unknown(key, limit, THRESHOLDS)}"
    for names in map(listed, rule.facts.values()):
        if len(names) not in (1, 2):
            yield "facts", f"a case is one fact, or two of which the first is divided by the second; not {len(names)}"
        yield from (("facts", unknown("fact", name, offers.facts)) for name in names if name not in offers.facts)
    yield from (("cases", told) for told in case_problems(rule.cases, offers))
    if rule.cases or rule.facts:
        if not rule.measure:
            yield "measure", "cases decide nothing without 'measure'; add what each of them is"
        if rule.at_least is None and rule.at_most is None:
            yield "at_least", "cases decide nothing without a threshold; add at_least or at_most"


def case_problems(calls: Mapping[str, dict[str, Any] | list[dict[str, Any]]], offers: Offers) -> Iterator[str]:
    """Makers that do not exist, and arguments of those that do."""
    for name, given in calls.items():
        if name not in MAKERS:
            yield unknown("maker of cases", name, MAKERS)
            continue
        for arguments in given if isinstance(given, list) else [given]:
            found = list(shape_problems(arguments, make.arguments_of(name)))
            found = found or list(_argument_problems(arguments, offers))
            yield from (f"{name}: {key}: {told}" for key, told in found)


def sentence_problems(templates: Sequence[str], offers: Offers, *, has_cases: bool) -> Iterator[str]:
    """What is wrong with the sentences of an outcome; ``has_cases`` says whether there are cases to name."""
    offered: dict[str, Collection[str]] = {"fact": offers.facts, "where": offers.facts, "published": offers.figures}
    for template in templates:
        if (n := words_in(template)) > MOST_WORDS:
            yield f"the sentence has {n} words; shorten it to {MOST_WORDS}"
        if not template.rstrip().endswith((".", "!")):
            yield "the sentence has no full stop; end it with one"
        template = " ".join(template.split())  # as it is filled in
        if set("{}") & set(EXPRESSION.sub("", template)):
            yield "a brace that belongs to no expression; write {{ ... }} in full, and no {% if %}"
        for inner in EXPRESSION.findall(template):
            call = CALL.fullmatch(inner)
            if call is None and inner not in CASES:
                calls = 'fact("..."), where("..."), published("...")'
                yield f"{inner!r} is no expression of a sentence; write {calls} or {CASES}"
            elif call is None and not has_cases:
                yield f"{inner!r}: there are no cases here; write a fact or a published figure instead"
            elif call is not None and call.group(2) not in offered[call.group(1)]:
                yield unknown(call.group(1), call.group(2), offered[call.group(1)])
            elif call is not None and (told := lookup.misplaced(call.group(2))):
                yield told


def words_in(template: str) -> int:
    """Words of the longest sentence of a template; an expression or a piece of code counts as one word."""
    return max(len(part.split()) for part in END.split(re.sub(r"\{\{.*?\}\}|`[^`]*`", "it", template.strip())))


def _argument_problems(arguments: Mapping[str, Any], offers: Offers) -> Iterator[Told]:
    """Workloads, readings and series of them, and published rows, by what the arguments of makers are called."""
    rows = [*arguments.get("rows", {}).values(), *arguments.get("wholes", ())]
    rows += [row for pair in arguments.get("pairs", {}).values() for row in pair]
    yield from (("rows", unknown("published row", row, offers.figures)) for row in rows if row not in offers.figures)
    workloads = [arguments["workload"]] if "workload" in arguments else arguments.get("workloads", ())
    for workload in workloads:
        if workload not in offers.workloads:
            yield "workload", unknown("workload", workload, offers.workloads)
            return
    if "workload" not in arguments:
        return
    spec = offers.workloads[arguments["workload"]]
    kinds: dict[str, tuple[Series, ...] | tuple[Reading, ...]] = {"series": spec.series, "baseline": spec.series}
    kinds |= dict.fromkeys(("reading", "over", "under", "share", "ceiling"), spec.readings)
    for key, known in kinds.items():
        ids = [one.id for one in known]
        if key in arguments and arguments[key] not in ids:
            yield key, unknown(f"{key} of {spec.id}", arguments[key], ids)


def _expected(kind: Any, value: Any, error: msgspec.ValidationError) -> str:
    choices = next((one for one in (kind, *get_args(kind)) if get_origin(one) is Literal), None)
    if choices is not None and isinstance(value, str):
        known = get_args(choices)
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write one of them"
        return f"expected one of {', '.join(known)}, found {value!r}; {hint}"
    told = str(error)
    return f"{told[0].lower()}{told[1:]}, found {value!r}; write it as {HOW_TO} shows"
