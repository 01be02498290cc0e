"""Sentences of beliefs and answers: a template with calls between double braces, filled from what a rule counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from bench.report.claims.case import Decided, Part, published_case
from bench.report.claims.rule import counted
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.published import figures as published

EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
CALL = re.compile(r"(fact|where|published)\([\"']([\w-]+)[\"'](, where=True)?\)")
CASES = ("counted", "lowest.name", "lowest.value", "highest.name", "highest.value")


class SentenceError(ValueError):
    """A sentence that cannot be said, such as one that names a case where its rule counted none."""


def filled(template: str, cases: Sequence[Decided], evidence: Evidence) -> Iterator[Part]:
    """The template in pieces, each number with what it rests on; ``cases`` are lowest first.

    Raises:
        SentenceError: it names a case, and there is none.
        LookupError: no such fact or published figure.
    """
    for number, piece in enumerate(EXPRESSION.split(" ".join(template.split()))):
        if number % 2 == 0:
            if piece:
                yield Part(Markup(piece))  # its author's Markdown
            continue
        call = CALL.fullmatch(piece)
        if call is not None and call.group(1) != "published":
            found = lookup.lookup(call.group(2), evidence)
            is_place, with_place = call.group(1) == "where", call.group(3) is not None
            text = found.where if is_place else f"{found.text} on {found.where}" if with_place else found.text
            is_estimated = found.kind == "estimated" and not is_place
            yield Part(text, fact=found.id, is_estimated=is_estimated, is_place=is_place, with_place=with_place)
        elif call is not None:
            figure = published.lookup(call.group(2))
            yield published_case("", 0.0, figure.text, figure, short=figure.short).part
        elif not cases:
            raise SentenceError(f"{piece!r}: the rule counted no cases; write a fact instead")
        elif piece == "counted":
            yield counted(cases)
        else:
            case = cases[0] if piece.startswith("lowest") else cases[-1]
            yield case.part if piece.endswith("value") else Part(case.name)


def is_known(template: str, evidence: Evidence) -> bool:
    """Whether every fact that a template calls has a record or an estimate."""
    calls = [call for call in map(CALL.fullmatch, EXPRESSION.findall(template)) if call is not None]
    return all(lookup.known(call.group(2), evidence) for call in calls if call.group(1) != "published")
