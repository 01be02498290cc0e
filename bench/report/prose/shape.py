"""The shape of an answer: its sections, its first sentence, its limits."""

from __future__ import annotations

import re

import yaml

from bench.report.prose.problem import Problem

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


def front_matter(text: str) -> tuple[dict[str, object], int]:
    """The block between the first two lines of three hyphens, and the number of lines it takes."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.S)
    if match is None:
        return {}, 0
    data = yaml.safe_load(match.group(1))
    return (data if isinstance(data, dict) else {}), match.group(0).count("\n")


def check_answer(path: str, text: str) -> list[Problem]:
    """Problems in the shape of an answer: a question as title, a short first sentence, all sections in order."""
    head, n_head = front_matter(text)
    problems = []
    if not str(head.get("title", "")).endswith("?"):
        problems.append(Problem(path, 1, "the title of an answer is a question and ends in '?'; write it as asked"))
    sections, in_fence, in_answer = [], False, True
    for number, line in enumerate(text.splitlines()[n_head:], n_head + 1):
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


def check_opening(path: str, text: str) -> list[Problem]:
    """A guide answers in its first sentence, too, and that sentence is short."""
    _, n_head = front_matter(text)
    for number, line in enumerate(text.splitlines()[n_head:], n_head + 1):
        if n := answer_words(re.sub(r"<!--.*?-->", "", line)):
            problem = Problem(path, number, f"the first sentence has {n} words; shorten it to {ANSWER_WORDS}")
            return [problem] if n > ANSWER_WORDS else []
    return [Problem(path, 1, "the page says nothing; answer in its first sentence")]


def answer_words(line: str) -> int:
    """Words of a line's first sentence; a call or a piece of code counts as one word, a line of calls alone as none."""
    plain = re.sub(r"\{%.*?%\}", "", line)
    if not re.sub(r"\{\{.*?\}\}", "", plain).strip():
        return 0
    plain = re.sub(r"\{\{.*?\}\}|`[^`]*`", "it", plain)
    return len(re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain.strip())[0].split())
