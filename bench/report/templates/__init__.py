"""Markup: Jinja templates with autoescape on, one file for each kind of page. Nothing else writes HTML.

Pages are Markdown, so a text that comes from a record must be inert twice: as HTML and as Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

# Marks of HTML and of Markdown, ends of lines (a fence or a heading begins at one), an underscore beside no letter.
MARKS = re.compile(r"""[&<>"'`|*\[\]{}\\~\r\n]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])""")
# Control characters, by which Markdown marks what it set aside, and those that reverse the direction of writing.
UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PLAIN = re.compile(r"[A-Za-z0-9 .,:;/()%+=-]*")  # nearly every text: nothing to look for


def inert(value: object) -> Markup:
    """A text that neither HTML nor Markdown reads as markup, and that shows the same; markup stays as it is.

    Every mark becomes a character reference; characters that would change the text around them become U+FFFD.
    """
    if isinstance(value, Markup):
        return value
    text = str(value)
    if not PLAIN.fullmatch(text):
        text = UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)
        text = MARKS.sub(lambda found: f"&#{ord(found[0])};", text)
    return Markup(text)


class Valued(Markup):
    """What a table's cell shows, with the number that its column is sorted by."""

    value: float

    def __new__(cls, shown: object, value: float) -> Valued:
        """As ``inert``."""
        found = super().__new__(cls, inert(shown))
        found.value = value
        return found


def join(pieces: Iterable[object], between: str = "") -> Markup:
    """Pieces one after the other, those that are no markup made inert."""
    return Markup(between.join(map(inert, pieces)))


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    finalize=inert,  # of every value that a template shows
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
# Sources of pages: what they call returns markup, and what else they show is made inert.
SOURCES = ENVIRONMENT.overlay(trim_blocks=False, lstrip_blocks=False, keep_trailing_newline=True)


@lru_cache(1000)  # of as many pages; a preview renders them again and again
def source(text: str) -> jinja2.Template:
    """A page's source as a template.

    Raises:
        jinja2.TemplateSyntaxError: it is none.
    """
    return SOURCES.from_string(text)


@cache
def macros(name: str) -> Any:
    """The macros of a template file, to be called as functions that return ``Markup``."""
    return ENVIRONMENT.get_template(name).module
