"""Whose number it is: on a page that people read, a number always says its machine where a reader would take another.

Calls leave a mark beside each number of a fact, and beside each machine that they name. Within a paragraph an item or a
table, ``settled`` then adds a number's machine wherever it is not the one last named; before any is named, that is the
one that leads. So no sentence can set a number of one machine beside the name of another.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

from markupsafe import Markup

from bench.report.evidence.cells import LOCAL_PREFIX
from bench.report.pages.markup import PARTS
from bench.report.pages.plain import TABLE_LINES
from bench.report.stats import format as fmt
from bench.report.templates import inert, join

Kind = Literal["of", "by", "at"]  # a measured number, an estimate beside a machine, a machine that the text names
MARK = re.compile(r"<!--(of|by|at) ([^=>]*)=(.*?)-->")  # without a bar, at which the cells of a table part
ABOUT = re.compile(r"<!--(about|roughly)-->")
SHARP = "<!--about-->"  # in a table every number is
DOUBT = re.compile(r"<!--roughly-->(<a .*?</a>)", re.S)
HEDGE = re.compile(r"\b(?:about|roughly|around|nearly|almost)\s+$", re.I)  # in the characters before such a mark
# A table stands alone; other ends are those of paragraphs, items and cells.
END = re.compile(r"(\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|\d+\.)[ \t])|</(?:p|li|dd|dt|td|th|h\d)>)")
WORDS = {"of": " on ", "by": " beside "}
DOUBTED = "†"


class Mark(NamedTuple):
    """A mark as it stands in the text."""

    kind: str
    key: str
    machine: Markup


def mark(kind: Kind, key: str, machine: str) -> Markup:
    """A mark: behind a number, or behind the words that name a machine."""
    return Markup(f"<!--{kind} {key}={inert(machine)}-->")


def hedge(*, is_doubted: bool, is_close: bool) -> Markup:
    """A mark before a number that is not sharp; of a doubted one it becomes "roughly", or the mark of a table."""
    return Markup("" if is_close and not is_doubted else f"<!--{'roughly' if is_doubted else 'about'}-->")


def settled(text: str, lead: str) -> str:
    """A page's text with every mark replaced by what it asks for.

    Args:
        text: Markdown with its numbers filled in.
        lead: key of the leading machine, which numbers are of when nothing else is said.
    """
    text = TABLE_LINES.sub(lambda found: _table(found.group(), lead), text)
    text = ABOUT.sub(_hedged, text)
    return "".join(_named(block, lead) for block in END.split(text))


def _hedged(found: re.Match[str]) -> str:
    return "" if HEDGE.search(found.string[max(0, found.start() - 20) : found.start()]) else f"{found[1]} "


def _marks(text: str) -> list[Mark]:
    return [Mark(kind, key, Markup(words)) for kind, key, words in MARK.findall(text)]


def _named(text: str, current: str) -> str:
    """A block in which every number of another machine than the one last named says so."""

    marks = _marks(text)
    if marks and {one.key for one in marks} == {current} and current.startswith(LOCAL_PREFIX):
        text = fmt.yours(text)  # the reader's own, of which a sentence about ours now speaks
    next_ones = iter([*marks[1:], None])

    def say(found: re.Match[str]) -> str:
        nonlocal current
        kind, key, machine = found.groups()
        following = next(next_ones)
        is_named = kind == "at" or key == current or (following is not None and following[:2] == ("at", key))
        current = key
        return "" if is_named else f"{WORDS[kind]}{machine}"

    return MARK.sub(say, text)


def _table(text: str, lead: str) -> str:
    """A table with its machine below it, and each number of another one with its own."""
    marks = _marks(text)
    counts = Counter(one.key for one in marks)
    named = [one.key for one in marks if one.kind == "at"]
    main = named[0] if named else lead if lead in counts or not counts else counts.most_common(1)[0][0]
    lines = "\n".join("|".join(_named(cell, main) for cell in line.split("|")) for line in text.split("\n"))
    lines, n_doubted = DOUBT.subn(rf"\1{PARTS.doubted(DOUBTED)}", lines.replace(SHARP, ""))
    own = [one for one in marks if one.key == main]
    notes = [_caption(own)] if own and not named else []
    notes += [PARTS.doubts(DOUBTED)] if n_doubted else []
    return f"{lines}\n\n{PARTS.below_table(join(notes, ' '))}\n" if notes else lines


def _caption(marks: Iterable[Mark]) -> Markup:
    """What the numbers of a table were measured on, or stand beside."""
    kinds = {one.kind for one in marks}
    machines = list(dict.fromkeys(one.machine for one in marks))
    longest = [one for one in machines if not any(one != other and one in other for other in machines)]
    return join(["Measured on " if "of" in kinds else "Beside ", join(longest, " and "), "."])
