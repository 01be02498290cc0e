"""Plain text of rendered pieces, for descriptions and cards."""

from __future__ import annotations

import functools
import html
import posixpath
import re

from markupsafe import Markup

from bench.report.pages import addresses
from bench.report.pages.markup import PARTS
from bench.report.templates import inert

LONGEST_UNBROKEN = 36  # characters of an interval that a phone shows in one line


@functools.lru_cache(maxsize=None, typed=True)  # a text and the same as markup are equal, and not shown alike
def small(text: str) -> Markup:
    """A value with its interval set smaller: "12.4x <small>(11.9 to 12.8, n = 5)</small>"."""
    match = re.fullmatch(r"([^(]+) (\([^()]*\b(?:n = \d+|one run\b)[^()]*\))(.*)", text)
    if match is None:
        return inert(text)
    value, interval, rest = match.groups()
    return PARTS.with_interval(value, _smaller(interval), rest)


def _smaller(interval: str) -> Markup:
    """An interval as HTML, which breaks nowhere if it is short."""
    return PARTS.interval(interval, len(interval) <= LONGEST_UNBROKEN)


NOTE = re.compile(r"<sup[ >].*?</sup>")  # its text stands at the foot of one page
TABLE_LINES = re.compile(r"^\|.*(?:\n\|.*)+", re.M)
PLACED = re.compile(r"<small[^>]*>([^<]*); on ([^<;]+)\)</small>")


def say_place_once(text: str) -> str:
    """Tables of which every number is from one machine, and not from the site's main one: the machine below them, once.

    Args:
        text: Markdown with its numbers filled in.
    """

    def shorten(match: re.Match[str]) -> str:
        table = match.group()
        places = [machine for _, machine in PLACED.findall(table)]
        if len(places) < 2 or len(set(places)) > 1 or len(places) != table.count('<a class="num"'):
            return table
        bare = PLACED.sub(lambda placed: _smaller(html.unescape(f"{placed.group(1)})")), table)
        return f"{bare}\n\n*Measured on {places[0]}.*"

    return TABLE_LINES.sub(shorten, text)


def plain(text: str) -> str:
    """Markdown and HTML without their marks, for machines."""
    text = re.sub(r"<!--.*?-->|</?[a-zA-Z][^>]*>", "", NOTE.sub("", text))
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`)", "", text)
    return " ".join(html.unescape(text).split())


def first_paragraph(body: str) -> str:
    """The first block of prose of a rendered page."""
    for block in re.split(r"\n\s*\n", body):
        block = block.strip()
        if block and not block.startswith(("#", "|", "!!!", "???", "```", "<figure", "<div", "<script", "<details")):
            return block
    return ""


def inline(text: str, written_for: str, shown_on: str) -> Markup:
    """A rendered paragraph of one page as HTML on another: emphasis, code and links between pages."""
    # A page's own words and what its calls returned: markup already.
    bold = PARTS.strong(Markup(r"\1")) if written_for == shown_on else r"\1"
    text = re.sub(r"\*\*(.+?)\*\*", bold, text, flags=re.S)
    text = re.sub(r"`([^`]+)`", PARTS.code(Markup(r"\1")), text)

    def moved(match: re.Match[str]) -> str:
        words, target = match.group(1), match.group(2)
        file, _, anchor = target.partition("#")
        if "://" in target or not file.endswith(".md"):
            return words
        path = posixpath.normpath(posixpath.join(posixpath.dirname(written_for), file))
        return PARTS.link(addresses.href(shown_on, path, anchor), Markup(words))

    text = re.sub(r"\[([^\]]*)\]\(([^)\s]*)\)", moved, text)
    text = re.sub(r"<!--.*?-->", "", text)
    return Markup(" ".join(text.split()))
