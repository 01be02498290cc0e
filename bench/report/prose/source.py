"""Sources: Markdown files with their front matter."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from frontmatter.default_handlers import YAMLHandler

from bench import REPOSITORY
from bench.report.claims import beliefs as claims_beliefs

READERS = ("", "faq", "misconceptions", "guides")  # folders; "" holds the home page
DOCS = REPOSITORY / "docs"
FENCE = re.compile(r"^\s*(`{3,}|~{3,})([^`]*)$")
HANDLER = YAMLHandler(fm_boundary=re.compile(r"^---\n", re.M))


class PageError(ValueError):
    """A page that cannot be rendered; the message begins with file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Markdown source: where it is, its front matter as written, and its body."""

    path: str  # relative to docs/
    shown: str  # as messages name it
    meta: dict[str, Any]
    head: str
    body: str

    @property
    def text(self) -> str:
        """The file."""
        return self.head + self.body

    @property
    def n_head_lines(self) -> int:
        """Lines above the body."""
        return self.head.count("\n")


def toml(text: str, shown: str, how: str) -> dict[str, Any]:
    """A TOML file's content; ``how`` says what to write instead.

    Raises:
        PageError: it is no TOML, or names a key twice.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise PageError(f"{shown}:{at.group(1) if at else 1}: {error}; {how}") from error


def is_for_readers(page: str) -> bool:
    """Whether a page answers somebody; the others show what was measured, and what was not."""
    return posixpath.dirname(page) in READERS


def parsed(text: str, path: str, shown: str) -> Source:
    """A Markdown text with its front matter apart; without any, ``meta`` and ``head`` are empty.

    Raises:
        PageError: the front matter is no YAML, or no keys and values.
    """
    try:
        written, body = HANDLER.split(text) if HANDLER.detect(text) else ("", text)
    except ValueError:  # it never ends
        written, body = "", text
    try:
        meta = HANDLER.load(written) if written else {}
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
        why = getattr(error, "problem", None) or error
        told = f"{shown}:{line}: the front matter is no YAML: {why}; put a text with a colon in quotes"
        raise PageError(told) from error
    if not isinstance(meta, dict):
        raise PageError(f"{shown}:1: the front matter must be keys and values")
    return Source(path=path, shown=shown, meta=meta, head=text[: len(text) - len(body)], body=body)


def read(docs: Path, below: str = "") -> dict[str, Source]:
    """Every source of a folder, by path; only those in one folder of it where that is named.

    Raises:
        PageError: front matter is no YAML, or no keys and values.
    """
    sources = {}
    for path in sorted((docs / below).rglob("*.md")):
        relative = path.relative_to(docs)
        if not any(part.startswith(("_", ".")) for part in relative.parts):
            at = relative.as_posix()
            sources[at] = parsed(path.read_text(encoding="utf-8"), at, f"{docs.name}/{at}")
    return sources


def with_code(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is fenced code, which ends at a mark of the same sign, as long at least, and alone."""
    begun = ""
    for line in lines:
        mark = FENCE.match(line)
        yield line, bool(begun or mark)
        if mark and not begun:
            begun = mark[1]
        elif mark and mark[1].startswith(begun) and not mark[2].strip():
            begun = ""


def beliefs(docs: Path = DOCS) -> dict[str, claims_beliefs.Belief]:
    """The beliefs of the pages in docs/misconceptions/, by id."""
    return claims_beliefs.of_heads(source.meta for source in read(docs, "misconceptions").values())
