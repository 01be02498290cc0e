"""Groups of answers, in the order in which the list of questions and the menu show them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bench.report.prose.source import Source, with_code

# Value of ``group`` in an answer's front matter -> its heading. The values are permanent: anchors are made of them.
GROUPS = {
    "start": "Start here",
    "speed": "How much faster",
    "slower": "The GPU is slower, or not used",
    "memory": "Memory, batch and precision",
    "recurrent": "Recurrent networks and frameworks",
    "cpu": "The CPU side",
    "hardware": "Which hardware",
    "money": "Money and energy",
    "measuring": "Measuring properly",
}
# Value of ``where`` in an answer's front matter -> who can measure what it asks.
WHERE = {"here": "anyone", "contributors": "owners of it", "documents": "a cited fact"}
UNGROUPED = "More questions"


def place(group: str) -> int:
    """A group's place in the list; unknown and empty ones come last."""
    return list(GROUPS).index(group) if group in GROUPS else len(GROUPS)


def heading(group: str) -> str:
    """A group's heading."""
    return GROUPS.get(group, UNGROUPED)


# What is no prose, or reads as one word: logic of templates, comments, tags; then calls and code.
SILENT = re.compile(r"\{%.*?%\}|<!--.*?-->|<[^>]*>|\{[#.:][^}]*\}", re.S)
SPOKEN = re.compile(r"\{\{.*?\}\}|`[^`]*`", re.S)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARK = re.compile(r"^\s*(?:[-*>]|\d+\.|#+)\s+")
RULE = re.compile(r"[\s|:-]+")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(A-Z0-9])")
WORD = re.compile(r"[A-Za-z0-9][\w'-]*")
VOWELS = re.compile(r"[aeiouy]+")


class Reading(NamedTuple):
    """A page's counts; the grade is in years of school, ``longest`` in words of the longest sentence."""

    path: str
    n_words: int
    n_sentences: int
    longest: int
    grade: float


def sentences(markdown: str) -> list[str]:
    """Sentences of a page's prose, marks removed; a call or a piece of code is the one word "It"."""
    text = "\n".join(line for line, is_code in with_code(markdown.splitlines()) if not is_code)
    text = LINK.sub(r"\1", SPOKEN.sub("It", SILENT.sub("", text)))
    found: list[str] = []
    for line in text.splitlines():
        cells = line.strip().strip("|").split("|") if line.lstrip().startswith("|") else [line]
        for cell in cells:
            plain = re.sub(r"[*_]{1,2}", "", MARK.sub("", cell)).strip()
            if plain and not RULE.fullmatch(plain):
                found += [part for part in SENTENCE_END.split(plain) if WORD.search(part)]
    return found


def syllables(word: str) -> int:
    """Syllables of an English word: groups of vowels, without a silent e at its end; at least one."""
    letters = re.sub(r"[^a-z]", "", word.lower())
    n_groups = len(VOWELS.findall(letters))
    silent = letters.endswith("e") and not letters.endswith(("le", "ee", "ye")) and n_groups > 1
    return max(1, n_groups - silent)


def grade(n_words: int, n_sentences: int, n_syllables: int) -> float:
    """Flesch-Kincaid grade level, in years of school; 0 for an empty page."""
    if not n_words or not n_sentences:
        return 0.0
    return 0.39 * n_words / n_sentences + 11.8 * n_syllables / n_words - 15.59


def read(source: Source) -> Reading:
    """Counts of one page; fragments such as the cells of a table and headings count as words, not as sentences."""
    found = sentences(source.body)
    words = [WORD.findall(part) for part in found]
    ended = [text.rstrip("\"')").endswith((".", "!", "?", ":")) for text in found]
    whole = [part for part, is_whole in zip(words, ended, strict=True) if is_whole]
    n_syllables = sum(syllables(word) for part in whole for word in part)
    n_whole = sum(map(len, whole))
    return Reading(
        path=source.shown,
        n_words=sum(map(len, words)),
        n_sentences=len(whole),
        longest=max(map(len, whole), default=0),
        grade=grade(n_whole, len(whole), n_syllables),
    )


def table(readings: Iterable[Reading]) -> str:
    """A plain table, hardest page first, with the middle of each column at its end."""
    rows = sorted(readings, key=lambda r: (-r.grade, -r.longest, r.path))
    width = max([len(row.path) for row in rows] + [len("page")])
    lines = [f"{'page':<{width}}  words  sentences  longest  grade"]
    lines += [f"{r.path:<{width}}  {r.n_words:5}  {r.n_sentences:9}  {r.longest:7}  {r.grade:5.1f}" for r in rows]
    if rows:
        middle = [sorted(column)[len(rows) // 2] for column in zip(*(row[1:] for row in rows), strict=True)]
        n_words, n_sentences, longest, level = middle
        lines.append(f"{'middle page':<{width}}  {n_words:5}  {n_sentences:9}  {longest:7}  {level:5.1f}")
    return "\n".join(lines)
