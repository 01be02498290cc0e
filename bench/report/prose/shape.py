"""The shape of an answer: its sections, its first sentence, its limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from bench.report.claims.check_rule import MOST_WORDS
from bench.report.prose.groups import LINK, MARK, SPOKEN
from bench.report.prose.problem import Problem
from bench.report.prose.source import Source, with_code

# How a page says what it does not rest on. A page with limits has at least one such sentence.
LIMITS = "## When this is wrong"  # of a guide
UNTRIED = re.compile(
    r"\b(?:we|our|ours)\b[^.|\n]*\b(?:not|no|nothing|none|nobody|neither|never|only)\b"
    r"|\bnot (?:yet )?(?:tried|measured)\b|\bnobody has\b|\bnothing\b[^.|\n]*\bis known\b",
    re.I,
)
# The shape of an answer and of a belief: sections in order, those in brackets only where there is something to say.
WHY, WHEN, CHECK = "Why", "When it is different for you", "Check it yourself"
NUMBERS, SOURCES, LAST = "All the numbers", "Sources", "Related"
FOLDED = (NUMBERS, SOURCES)
ANSWER = (WHY, WHEN, CHECK, (NUMBERS,), (SOURCES,), LAST)
BELIEF = ("Why people believe it", "What is true", CHECK, (NUMBERS,), (SOURCES,), LAST)
OPEN = (WHY, WHEN, "Why people believe it", "What is true")
MOST_PARAGRAPHS, MOST_LIMITS, MOST_RELATED = 3, 4, 3
STATEMENT = re.compile(r"\{%.*?%\}")  # of a template: logic, no prose
FIGURE = re.compile(r"\{\{\s*(?:chart|table|bars|cases)\(|\{%\s*call\s+figure\(")


def check_shape(source: Source, wanted: Sequence[str | tuple[str]]) -> list[Problem]:
    """Problems in the shape of an answer or a belief: sections in order, one figure, short sentences, few of all."""
    found: list[Problem] = []
    parts = sections(source.body.splitlines())
    names = [name for name, _ in parts if name]
    known = [name if isinstance(name, str) else name[0] for name in wanted]
    fits = [name for name in known if name in names or name in wanted]
    if names != fits:
        told = f"sections {', '.join(names) or 'none'}; make them {', '.join(fits)}, in this order"
        found.append(Problem(source.shown, 1, told))
    number = source.n_head_lines + 1
    for name, lines in parts:
        numbered = [(at, "```" if is_code else line) for at, (line, is_code) in enumerate(lines, number)]
        found += (Problem(source.shown, at, told) for at, told in _section_problems(name, numbered))
        number += len(lines)
    return found


def check_answer(source: Source) -> list[Problem]:
    """Problems in the shape of an answer: a question as title, and the shape."""
    problems = check_shape(source, ANSWER)
    if not str(source.meta.get("title", "")).endswith("?"):
        told = "the title of an answer is a question and ends in '?'; write it as asked"
        problems.insert(0, Problem(source.shown, 1, told))
    return problems


def check_belief(source: Source) -> list[Problem]:
    """Problems in the shape of a belief."""
    return check_shape(source, BELIEF)


def sections(lines: Iterable[str]) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Headings of second order, each with its lines and whether these are fenced code; above the first it is empty."""
    found: list[tuple[str, list[tuple[str, bool]]]] = [("", [])]
    for line, is_code in with_code(lines):
        if not is_code and line.startswith("## "):
            found.append((line.removeprefix("## "), []))
        found[-1][1].append((line, is_code))
    return found


def _section_problems(name: str, lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    first = lines[0][0] if lines else 1
    texts = [line for _, line in lines]
    if not name:
        n_figures = len(FIGURE.findall("\n".join(texts)))
        if n_figures != 1:
            yield first, f"{n_figures} figures below the answer; show one: a chart, bars, a table, cases or a figure"
    if not name or name in OPEN:
        yield from ((number, told) for number, line in lines if (told := _long(line)))
    if name in (WHY, "Why people believe it", "What is true"):
        n = len(_paragraphs(texts))
        if n > MOST_PARAGRAPHS:
            yield first, f"{n} paragraphs under {name!r}; {MOST_PARAGRAPHS} at most, the rest goes to {NUMBERS!r}"
    n_items = sum(line.lstrip().startswith(("- ", "* ")) or re.match(r"\d+\. ", line) is not None for line in texts)
    for heading, most in ((WHEN, MOST_LIMITS), (LAST, MOST_RELATED)):
        if name == heading and n_items > most:
            yield first, f"{n_items} lines under {name!r}; keep the {most} that matter most"


def _paragraphs(lines: Sequence[str]) -> list[str]:
    """Blocks of text, those of statements alone left out."""
    blocks = re.split(r"\n\s*\n", STATEMENT.sub("", "\n".join(lines[1:])))
    return [block for block in blocks if block.strip()]


def _long(line: str) -> str:
    """What is wrong with a line whose sentences are too long; empty where none is."""
    if line.lstrip().startswith(("|", "#", "<")):
        return ""
    plain = SPOKEN.sub("it", LINK.sub(r"\1", MARK.sub("", STATEMENT.sub("", line))))
    n = max(len(part.split()) for part in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", plain.strip()))
    return f"a sentence has {n} words; shorten it to {MOST_WORDS}" if n > MOST_WORDS else ""


def check_opening(source: Source) -> list[Problem]:
    """A guide answers in one short sentence, too, and shows a figure or the command before its first heading."""
    above = "\n".join(line for line, _ in sections(source.body.splitlines())[0][1])
    if source.body.strip() and not (FIGURE.search(above) or "```" in above or "your_job(" in above):
        told = "nothing to see above the first heading; show one figure, or the command, below the first sentence"
        return [Problem(source.shown, 1, told)]
    for number, line in enumerate(source.body.splitlines(), source.n_head_lines + 1):
        if n := answer_words(re.sub(r"<!--.*?-->", "", line)):
            problem = Problem(source.shown, number, f"the first sentence has {n} words; shorten it to {MOST_WORDS}")
            return [problem] if n > MOST_WORDS else []
    return [Problem(source.shown, 1, "the page says nothing; answer in its first sentence")]


def answer_words(line: str) -> int:
    """Words of a line's first sentence; a call or a piece of code counts as one word, a line of calls alone as none."""
    plain = STATEMENT.sub("", line)
    if not re.sub(r"\{\{.*?\}\}", "", plain).strip():
        return 0
    plain = SPOKEN.sub("it", plain)
    return len(re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain.strip())[0].split())
