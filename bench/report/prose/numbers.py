"""Numbers in prose that no fact, figure or marker vouches for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bench.report.claims.check_rule import unknown
from bench.report.prose.problem import Known

CITES = re.compile(r"<!-- (cites|setting): (\S+) -->\s*$")
# What is no prose: inline code, calls, comments, link targets, tags, headings' attributes.
NOT_PROSE = re.compile(
    r"[\w.-]+/[\w.-]+ (?:issue|pull request) \d+"  # a thread of a repository, whose name may hold digits
    r"|`[^`]*`|\{\{.*?\}\}|\{%.*?%\}|<!--.*?-->|\]\([^)]*\)|<[^>]*>|\{[#.:][^}]*\}"
)
# Digits that are part of a name. A quantity never belongs here.
NAMES = re.compile(
    r"\b(ResNet-50|Inception-v3|MobileNet-v2|MobileNetV2|Keras [23]|MkDocs 1|Windows 1[01]|Python 3\.\d+"
    r"|TensorFlow 2\.\d+|PyTorch \d\.\d+|TF32|CC0|CO2|(mixed_)?b?float(16|32|64)|AVX2|AVX-512|WSL2|[AHKPTV]\d{1,3}|A10G"
    r"|M[1-5]( (Pro|Max|Ultra))?|GB10|CUDA 1\d(\.\d)?|ROCm \d(\.\d)?|JAX 0\.\d+|RTX 50"
    r"|(RTX|GTX) \d{4}( Ti)?|(issue|pull request) \d+|\d{4}-\d{2}-\d{2}|UTF-8|n = 1)\b"
)
LIST_MARK = re.compile(r"^\s*\d+\. ")
# People's own words: titles of pages they link to, quotations, and the belief that a misconception repeats.
OTHERS_WORDS = re.compile(r"!?\[[^\]]*\]\([^)]*\)|\"[^\"]*\"|\*\*The belief\.\*\*.*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s\|\s")


def unlike(line: str) -> list[str]:
    """Sentences of a line that say "faster" and not than what; other people's words are left alone."""
    prose = OTHERS_WORDS.sub(" ", NOT_PROSE.sub(" ", OTHERS_WORDS.sub(" ", line)))
    parts = (" ".join(part.split()) for part in SENTENCE_END.split(prose))
    return [part for part in parts if re.search(r"\bfaster\b", part, re.I) and not re.search(r"\bthan\b", part)]


def check_numbers(line: str, names: Known, root: Path) -> Iterator[str]:
    """Problems of a line's numbers and of its marker."""
    marker = CITES.search(line)
    if marker is None:
        for found in naked_numbers(line):
            yield f"naked number {found!r}: use fact(), published() or a marker (docs/contributing/add-an-answer.md)"
    elif marker.group(1) == "cites" and marker.group(2) not in names.claims:
        yield unknown("claim", marker.group(2), names.claims)
    elif marker.group(1) == "setting" and not (root / marker.group(2)).is_file():
        yield f"marker names a file that does not exist: {marker.group(2)!r}; name the file that holds the setting"


def naked_numbers(line: str) -> list[str]:
    """Numbers in a line's prose that are no part of a name, with the unit or sign that follows."""
    prose = NAMES.sub(" ", NOT_PROSE.sub(" ", LIST_MARK.sub("", line)))
    return [found.group(0).strip() for found in re.finditer(r"\d[\d.,]*\s?(%|x\b|×|[a-zA-Z]+)?", prose)]
