"""A page's own figure: a few numbers as bars, written in its front matter. Pure: words in, words out.

``{{ bars() }}`` draws it. Its title is the finding, in the author's words and with the names that the numbers decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bench.report.claims.check_rule import Offers, Told, line_in, shape_problems, unknown

KEY = "bars"
CALL = re.compile(r"\{\{\s*bars\(\)\s*\}\}")
PUBLISHED = "published/"
PLACEHOLDER = re.compile(r"\{(\w+)\}")
PLACEHOLDERS = ("most", "least", "times", "most_value", "least_value")
MOST_ROWS = 8


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the front matter says of a figure."""

    shows: str  # what each bar is, with its unit in words
    rows: dict[str, str]  # label: a fact, or "published/" and the id of a row
    says: str  # the finding; {most}, {least} are labels, {most_value}, {least_value} values, {times} their quotient
    same: str  # the finding where the ends are about equal
    sort: bool = True  # longest first; else as written, where the order means something


def spec_of(meta: Mapping[str, Any]) -> Spec | None:
    """The figure in a page's front matter; None where the page has none.

    Raises:
        msgspec.ValidationError: it is not one; ``problems`` says what is wrong in words for authors.
    """
    return msgspec.convert(meta[KEY], Spec) if KEY in meta else None


def problems(meta: Mapping[str, Any], head: str, body: str, offers: Offers) -> Iterator[tuple[int, str]]:
    """Line and words, with what to do, of everything wrong with a page's figure."""
    n_calls = len(CALL.findall(body))
    if KEY not in meta:
        if n_calls:
            yield 1, f"{{{{ {KEY}() }}}} has nothing to draw; write {KEY!r} into the front matter"
        return
    if n_calls != 1:
        yield line_in(head, KEY), f"the front matter has {KEY!r}; call {{{{ {KEY}() }}}} once, below the answer"
    given = meta[KEY]
    if not isinstance(given, dict):
        yield line_in(head, KEY), f"{KEY} must be keys and values: shows, rows, says, same"
        return
    found = list(shape_problems(given, Spec)) or list(_of(msgspec.convert(given, Spec), offers))
    yield from ((line_in(head, key, KEY), f"{KEY}.{key}: {told}") for key, told in found)


def _of(spec: Spec, offers: Offers) -> Iterator[Told]:
    if not 2 <= len(spec.rows) <= MOST_ROWS:
        yield "rows", f"a figure compares 2 to {MOST_ROWS} numbers, found {len(spec.rows)}; choose those that matter"
    for name in spec.rows.values():
        row = name.removeprefix(PUBLISHED)
        known, kind = (offers.figures, "published row") if row != name else (offers.facts, "fact")
        if row not in known:
            yield "rows", unknown(kind, row, known)
    for key in ("says", "same"):
        text = getattr(spec, key)
        yield from (
            (key, unknown("placeholder", n, PLACEHOLDERS)) for n in PLACEHOLDER.findall(text) if n not in PLACEHOLDERS
        )
        if set("{}") & set(PLACEHOLDER.sub("", text)):
            yield key, f"a brace that belongs to no placeholder; known are {', '.join(PLACEHOLDERS)}, each in a pair"
    if "{times}" in spec.same:
        yield "same", "where the ends are about equal there is no {times}; say that they are"
