"""A problem of a page, the names a page may use, and the patterns of calls."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

CALCULATORS = ("how-long", "buy-or-rent")
HOW_TO_ADD = "docs/contributing/add-an-answer.md"
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MOST_LISTED = 40  # names that a message spells out
EXPRESSION = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}")
CALL = re.compile(r"\b([a-z_]+)\(([^()]*)\)")
STRING = re.compile(r"[\"']([^\"']*)[\"']")


class Problem(NamedTuple):
    """What is wrong and where."""

    path: str
    line: int
    text: str

    @property
    def shown(self) -> str:
        """As editors jump to it: file:line: text."""
        return f"{self.path}:{self.line}: {self.text}"


class Known(NamedTuple):
    """Everything a page may refer to, by kind of call."""

    facts: frozenset[str]
    charts: frozenset[str]
    tables: frozenset[str]
    verdicts: frozenset[str]
    figures: frozenset[str]
    workloads: frozenset[str]
    claims: frozenset[str]


def unknown(kind: str, name: str, offers: Iterable[str]) -> str:
    """What to say of an unknown name: near ones, or where names come from."""
    known_ones = sorted(offers)
    near = difflib.get_close_matches(name, known_ones, n=3)
    if near:
        return f"unknown {kind} {name!r}; near ones: {', '.join(near)}"
    if len(known_ones) <= MOST_LISTED:
        return f"unknown {kind} {name!r}; known are {', '.join(known_ones) or 'none'}"
    hint = "--facts TEXT lists facts; " if kind.startswith(("fact", "measured")) else ""
    return f"unknown {kind} {name!r}; {hint}{HOW_TO_ADD} says where names come from"
