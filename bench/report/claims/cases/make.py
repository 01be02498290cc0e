"""From what a rule names to its cases, and to what they decide."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import msgspec

from bench.report.claims.case import Basis, Case, Decided, Outcome, Part
from bench.report.claims.cases import arms, facts, names, published, records, studies
from bench.report.claims.cases.names import MAKERS
from bench.report.claims.rule import SHOWN, WORDED, Rule, decide, rule_text, sided
from bench.report.evidence.evidence import Evidence

ROOMS = (arms, published, records, studies)  # imported, so that their makers have names


def decided(rule: Rule, evidence: Evidence) -> tuple[Outcome, tuple[Decided, ...], str, Basis]:
    """Outcome of a rule on the present evidence, the cases it counts, lowest first, the rule in words, and its basis.

    Raises:
        LookupError: no such fact or published figure.
    """
    found = cases(rule, evidence)
    rests_on = basis(rule, found)
    words = rule_text(rule.measure, rule.needs, rule.shown_test, rule.reason, basis=rests_on)
    return decide(found, rule.test, rule.needs), sided(found, rule.test), words, rests_on


def cases(rule: Rule, evidence: Evidence) -> list[Case]:
    """The cases that a rule counts, lowest first; estimated ones where nothing was measured.

    Raises:
        LookupError: no such fact or published figure.
    """
    found = [*facts.of_facts(rule.facts, evidence), *made(rule.cases, evidence)]
    found = [case for case in found if not case.is_estimated] or found
    if rule.unit in WORDED:
        found = [msgspec.structs.replace(c, part=Part(SHOWN[rule.unit](c.value), c.part.cells)) for c in found]
    return sorted(names.apart(evidence, found), key=lambda case: (case.value, case.name))


def made(calls: Mapping[str, dict[str, Any] | list[dict[str, Any]]], evidence: Evidence) -> list[Case]:
    """The cases of makers by name, each with its arguments, once or several times."""
    found = []
    for name, given in calls.items():
        for arguments in given if isinstance(given, list) else [given]:
            found += MAKERS[name](evidence, **msgspec.structs.asdict(msgspec.convert(arguments, arguments_of(name))))
    return found


@functools.cache
def arguments_of(name: str) -> type[msgspec.Struct]:
    """The arguments that a maker takes beside the evidence, as a type that checks them."""
    hints = get_type_hints(MAKERS[name])
    _, *known = inspect.signature(MAKERS[name]).parameters.values()
    fields: list[Any] = [
        (one.name, hints[one.name]) if one.default is one.empty else (one.name, hints[one.name], one.default)
        for one in known
    ]
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def basis(rule: Rule, cases: Sequence[Case] = ()) -> Basis:
    """Whether a rule's cases are records of ours, published figures, or estimates of the formula."""
    if any(case.is_estimated for case in cases):
        return "estimates"
    if any(case.part.fact and case.part.is_published for case in cases):
        return "published"
    rooms = {MAKERS[name].__module__ for name in rule.cases if name in MAKERS}
    return "published" if rooms == {published.__name__} and not rule.facts else "records"
