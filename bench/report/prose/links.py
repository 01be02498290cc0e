"""Links between pages, and the headings they lead to."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from markdown.extensions.toc import slugify

from bench import REPOSITORY as ROOT
from bench.report.prose import groups
from bench.report.prose.problem import EXPRESSION, Known, Problem
from bench.report.prose.source import with_code

# Links between pages: [words](target), the target without spaces.
PAGE_LINK = re.compile(r"\]\(([^)\s]+)\)")
EXPLICIT_ANCHOR = re.compile(r"\{:? *#([\w-]+)[^}]*\}|\bid=\"([\w-]+)\"")
HEADING = re.compile(r"^(#{1,6}) (.+?)\s*(?:\{:? *[#.][^}]*\})?\s*$")
# Pages made by the build, by folder; "workloads" has one for each workload.
GENERATED = (
    *(f"{folder}/index.md" for folder in ("evidence", "gpus", "machines", "workloads")),
    "evidence/facts.md",
    "evidence/published.md",
    "evidence/estimates.md",
)


def anchors(text: str) -> frozenset[str]:
    """Anchors of a page: its headings as the site writes them, and those that it names itself."""
    found = {one or other for one, other in EXPLICIT_ANCHOR.findall(text)}
    for line, is_code in with_code(text.splitlines()):
        if not is_code and (heading := HEADING.match(line)):
            words = re.sub(r"\]\([^)]*\)|[`*\[]", "", EXPRESSION.sub("", heading.group(2)))
            found.add(slugify(words, "-"))
    return frozenset(found)


def check_links(path: str, text: str, sources: Mapping[str, str], names: Known, root: Path = ROOT) -> list[Problem]:
    """Links of a page that lead nowhere: to no page, to no heading of it, or to an address that is none."""
    problems: list[Problem] = []
    for number, (line, is_code) in enumerate(with_code(text.splitlines()), 1):
        for target in () if is_code else PAGE_LINK.findall(re.sub(r"`[^`]*`", "", line)):
            wrong = foreign(target) if ":" in target.partition("/")[0] else _near(path, target, sources, names, root)
            problems += [Problem(path, number, f"link to {target!r}: {wrong}")] if wrong else []
    return problems


def foreign(target: str) -> str:
    """What is wrong with an address outside the site; empty when nothing is."""
    parts = urlsplit(target)
    if parts.scheme != "https":
        return f"begins with {parts.scheme}:; write the page's https: address"
    if not re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", parts.netloc) or target[-1] in ".,;:":
        return "is no well-formed address; copy it from the browser"
    return ""


def _near(path: str, target: str, sources: Mapping[str, str], names: Known, root: Path) -> str:
    """What is wrong with a link inside the site; empty when nothing is."""
    file, _, anchor = target.partition("#")
    at = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
    below = at.removeprefix("docs/")
    made = below in GENERATED or below.startswith("data/")
    made |= below.startswith("workloads/") and Path(below).stem in names.workloads
    if at not in sources and not made:
        if (root / at).is_file():
            return ""
        near = difflib.get_close_matches(at, [*sources], n=1)
        return f"no such page{f'; {near[0]} is near' if near else ''}; correct it or remove the link"
    if anchor and not made and anchor not in _anchors_on(below, sources[at], names):
        near = difflib.get_close_matches(anchor, sorted(_anchors_on(below, sources[at], names)), n=3, cutoff=0.3)
        return f"{below} has no heading {anchor!r}; near ones: {', '.join(near) or 'none'}"
    return ""


def _anchors_on(page: str, text: str, names: Known) -> frozenset[str]:
    """Anchors of a page with those that calls on it make."""
    made: Collection[str] = ()
    if page == "articles/index.md":
        made = names.claims
    elif page == "faq/index.md" or page == "misconceptions/index.md":
        made = [f"group-{group}" for group in groups.GROUPS]
    return anchors(text) | frozenset(made)
