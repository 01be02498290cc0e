"""Sentences of beliefs and answers: a template with calls between double braces, filled from what a rule counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from markupsafe import Markup

from bench.report.claims.case import Decided, Part, published_case
from bench.report.claims.rule import counted
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated, lookup
from bench.report.published import figures as published
from bench.report.stats import estimate, spoken
from bench.report.stats import format as fmt

EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}")
CALL = re.compile(r"(fact|where|published)\([\"']([\w-]+)[\"'](, where=True)?\)")
ENDS = ("name", "value", "inverse")  # of the lowest and of the highest case
CASES = ("counted", "gpu", *(f"{which}.{what}" for which in ("lowest", "highest") for what in ENDS))


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
        elif piece == "gpu":
            is_estimated = any(case.part.is_estimated for case in cases)
            yield Part(f"a {estimated.spoken()}" if is_estimated else "a GPU")
        else:
            case = cases[0] if piece.startswith("lowest") else cases[-1]
            what = piece.partition(".")[2]
            yield Part(case.name) if what == "name" else case.part if what == "value" else _inverse(case)


def _inverse(case: Decided) -> Part:
    """One over a case's quotient, which says more of one far below one: "15 times as long", not "0.065 times"."""
    own = msgspec.structs.replace(estimate.single(case.value, "ratio", 1), low=case.low, high=case.high)
    inverse = estimate.inverse(own)
    if case.part.is_estimated:  # a range, without a best guess inside
        text, short = estimated.says(inverse), spoken.spoken(inverse)
    else:
        span = f" ({fmt.between(inverse)})" if inverse.low < inverse.high else ""
        text, short = f"{fmt.estimate(inverse)}{span}", spoken.middle(inverse)
    return msgspec.structs.replace(case.part, text=text, short=short)


def is_known(template: str, evidence: Evidence) -> bool:
    """Whether every fact that a template calls has a record or an estimate."""
    calls = [call for call in map(CALL.fullmatch, EXPRESSION.findall(template)) if call is not None]
    return all(lookup.known(call.group(2), evidence) for call in calls if call.group(1) != "published")
