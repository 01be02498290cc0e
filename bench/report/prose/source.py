"""Sources: Markdown files with their front matter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.report.published import figures as published


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
    def n_head_lines(self) -> int:
        """Lines above the body."""
        return self.head.count("\n")


def read(docs: Path) -> dict[str, Source]:
    """Every source below a folder, by path."""
    sources = {}
    for path in sorted(docs.rglob("*.md")):
        relative = path.relative_to(docs)
        if any(part.startswith(("_", ".")) for part in relative.parts):
            continue
        text = path.read_text(encoding="utf-8")
        match = re.match(r"---\n(.*?)\n---\n", text, re.S)
        shown = f"{docs.name}/{relative.as_posix()}"
        try:
            meta = yaml.load(match.group(1), Loader=published.YAML_LOADER) if match else {}
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
            raise PageError(f"{shown}:{line}: the front matter is no YAML: {error}") from error
        if not isinstance(meta, dict):
            raise PageError(f"{shown}:1: the front matter must be keys and values")
        head = match.group(0) if match else ""
        sources[relative.as_posix()] = Source(
            path=relative.as_posix(), shown=shown, meta=meta, head=head, body=text[len(head) :]
        )
    return sources
