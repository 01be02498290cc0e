"""Order of a reader's page: what answers stands open, what proves it is folded, what is near it comes last."""

from __future__ import annotations

import re

from markdown.extensions.toc import slugify
from markupsafe import Markup

from bench.report.pages.markup import PARTS
from bench.report.prose.shape import CHECK, FOLDED, LAST, NUMBERS, SOURCES, sections

ATTRIBUTES = re.compile(r" \{[^}]*\}\s*$")  # at the end of a heading
ANCHOR = re.compile(r"\{[^}]*#([\w-]+)[^}]*\}\s*$")  # at the end of a heading: the id it asks for
IN_PLACE = re.compile(r"\{[^}]*\.fold\b[^}]*\}\s*$")  # at the end of a heading: fold this part where it stands


def laid_out(body: str, how: Markup | str = "", foot: str = "", notes: Markup | str = "", code: str = "") -> str:
    """A page's text with its proof folded.

    Args:
        body: Markdown with its calls filled in.
        how: what the fold "How we know" holds, as HTML; empty for a page that decides nothing.
        foot: a line on what is left out, in the first fold; below the open part of a page without one.
        notes: the numbered sources of published numbers, as HTML.
        code: address of the page that says how to get the code, for a link beside the heading of what to run.
    """
    open_: list[Markup | str] = []
    folds: dict[str, list[str]] = {}
    last: list[str] = []
    used: list[str] = []
    for heading, lines in sections(body.split("\n")):
        text = "\n".join(line for line, _ in lines).strip("\n")
        name = ATTRIBUTES.sub("", heading).strip()
        head, _, content = text.partition("\n")
        if name in FOLDED:
            folds.setdefault(name, []).append(content.strip("\n"))
        elif IN_PLACE.search(head):
            named = ANCHOR.search(head)
            anchor = named[1] if named else slugify(name, "-")
            used.append(anchor)
            again = f"-{used.count(anchor)}" if used.count(anchor) > 1 else ""
            open_.append(PARTS.fold(name, content.strip("\n"), f"{anchor}{again}"))
        elif name == LAST:
            last.append(text)
        elif name == CHECK and code and "```" in content:
            open_ += [head, PARTS.get_code(code), content.strip("\n")]
        else:
            open_.append(text)
    parts: dict[str, list[Markup | str]] = {
        NUMBERS: list(folds.get(NUMBERS, [])),
        "How we know": [how] if how else [],
        SOURCES: [*folds.get(SOURCES, []), *([notes] if notes else [])],
    }
    next((part for part in parts.values() if part), open_).append(foot)
    texts = {name: "\n\n".join(map(str, filter(None, given))) for name, given in parts.items()}
    folded = [PARTS.fold(name, text, slugify(name, "-")) for name, text in texts.items() if text]
    return "\n\n".join(map(str, filter(None, [*open_, *folded, *last]))) + "\n"
