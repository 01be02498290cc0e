"""The shape of an answer: its sections, its first sentence, its limits."""

from __future__ import annotations

import re

from bench.report.prose.problem import Problem
from bench.report.prose.source import Source

FENCE = re.compile(r"^\s*(```|~~~)")
# How a page says what it does not rest on. A page with limits has at least one such sentence.
LIMITS = "## When this is wrong"
UNTRIED = re.compile(
    r"\b(?:we|our|ours)\b[^.|\n]*\b(?:not|no|nothing|none|nobody|neither|never|only)\b"
    r"|\bnot (?:yet )?(?:tried|measured)\b|\bnobody has\b|\bnothing\b[^.|\n]*\bis known\b",
    re.I,
)
# The shape of an answer: its sections in order, and how long the sentence that answers may be.
SECTIONS = ("The evidence", "When this is wrong", "Measure it yourself", "Related", "Sources")
ANSWER_WORDS = 25


def check_answer(source: Source) -> list[Problem]:
    """Problems in the shape of an answer: a question as title, a short first sentence, all sections in order."""
    problems, path = [], source.shown
    if not str(source.meta.get("title", "")).endswith("?"):
        problems.append(Problem(path, 1, "the title of an answer is a question and ends in '?'; write it as asked"))
    sections, in_fence, in_answer = [], False, True
    for number, line in enumerate(source.body.splitlines(), source.n_head_lines + 1):
        in_fence ^= FENCE.match(line) is not None
        if not in_fence and line.startswith("## "):
            sections.append(line.removeprefix("## "))
            in_answer = False
        if in_answer and (n := answer_words(line)) > ANSWER_WORDS:
            problems.append(Problem(path, number, f"the first sentence has {n} words; shorten it to {ANSWER_WORDS}"))
    if tuple(sections) != SECTIONS:
        found = ", ".join(sections)
        problems.append(Problem(path, 1, f"sections {found}; make them {', '.join(SECTIONS)}, in this order"))
    return problems


def check_opening(source: Source) -> list[Problem]:
    """A guide answers in its first sentence, too, and that sentence is short."""
    for number, line in enumerate(source.body.splitlines(), source.n_head_lines + 1):
        if n := answer_words(re.sub(r"<!--.*?-->", "", line)):
            problem = Problem(source.shown, number, f"the first sentence has {n} words; shorten it to {ANSWER_WORDS}")
            return [problem] if n > ANSWER_WORDS else []
    return [Problem(source.shown, 1, "the page says nothing; answer in its first sentence")]


def answer_words(line: str) -> int:
    """Words of a line's first sentence; a call or a piece of code counts as one word, a line of calls alone as none."""
    plain = re.sub(r"\{%.*?%\}", "", line)
    if not re.sub(r"\{\{.*?\}\}", "", plain).strip():
        return 0
    plain = re.sub(r"\{\{.*?\}\}|`[^`]*`", "it", plain)
    return len(re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain.strip())[0].split())
