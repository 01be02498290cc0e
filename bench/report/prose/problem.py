"""A problem of a page, the names a page may use, and the patterns of calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from bench.report.claims.beliefs import Beliefs
from bench.report.claims.check_rule import Offers
from bench.schema import Workload

HOW_TO_ADD = "docs/contributing/add-an-answer.md"
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
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
    beliefs: Beliefs
    figures: frozenset[str]
    workloads: Mapping[str, Workload]
    claims: frozenset[str]

    @property
    def offers(self) -> Offers:
        """What a rule may refer to."""
        return Offers(self.facts, self.figures, self.workloads)
