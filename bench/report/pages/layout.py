"""Order of a reader's page: what answers stands open, what proves it is folded, what is near it comes last."""

from __future__ import annotations

import re

from markupsafe import Markup

from bench.report.pages.markup import PARTS
from bench.report.prose.shape import FENCE, FOLDED, LAST, NUMBERS, SOURCES

HEADING = re.compile(r"## (.+?)(?: \{[^}]*\})?$")
IN_PLACE = re.compile(r"\{[^}]*\.fold\b[^}]*\}$")  # at the end of a heading: fold this part where it stands


def sections(body: str) -> list[tuple[str, str]]:
    """Headings of second order with their text; the text before the first has an empty heading."""
    found: list[tuple[str, list[str]]] = [("", [])]
    in_fence = False
    for line in body.split("\n"):
        in_fence ^= FENCE.match(line) is not None
        heading = None if in_fence else HEADING.match(line)
        if heading:
            found.append((heading.group(1), []))
        found[-1][1].append(line)
    return [(name, "\n".join(lines).strip("\n")) for name, lines in found]


def laid_out(body: str, how: Markup | str = "", foot: str = "", notes: Markup | str = "") -> str:
    """A page's text with its proof folded.

    Args:
        body: Markdown with its calls filled in.
        how: what the fold "How we know" holds, as HTML; empty for a page that decides nothing.
        foot: a line below the open part.
        notes: the numbered sources of published numbers, as HTML.
    """
    open_: list[str] = []
    folds: dict[str, str] = {}
    last: list[str] = []
    for name, text in sections(body):
        if name in FOLDED:
            folds[name] = text.partition("\n")[2].strip("\n")
        elif IN_PLACE.search(text.partition("\n")[0]):
            open_.append(PARTS.fold(name, text.partition("\n")[2].strip("\n")))
        elif name == LAST:
            last.append(text)
        else:
            open_.append(text)
    folded = [PARTS.fold(name, folds[name]) for name in (NUMBERS,) if folds.get(name)]
    folded += [PARTS.fold("How we know", how)] if how else []
    if sources := "\n\n".join(filter(None, [folds.get(SOURCES, ""), str(notes)])):
        folded.append(PARTS.fold(SOURCES, sources))
    return "\n\n".join(map(str, filter(None, [*open_, foot, *folded, *last]))) + "\n"
