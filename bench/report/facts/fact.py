"""A fact: a number by name, how it is made, and the cells it rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from bench.records.store import SessionResults
from bench.report.evidence.evidence import Evidence
from bench.report.published.figures import Figure
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import Record

NOT_MEASURED = fmt.NOT_MEASURED
Kind = Literal["measured", "published", "estimated", "missing"]
CellKey = tuple[SessionResults, str]  # a session and the id of a cell in it


class FactError(LookupError):
    """A fact that does not exist; the message names near ones."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A number in words, with all that it rests on."""

    id: str
    title: str  # what the number is
    text: str  # plain text, "12.4x (11.9 to 12.8, n = 5)" or "not measured yet"
    short: str  # the same as a sentence says it, "12 times"
    how: str  # how it follows from the records, one sentence
    kind: Kind
    estimate: Estimate | None = None
    cells: tuple[CellKey, ...] = ()
    note: str = ""  # backend, settings and machine, where they are not said in the text
    is_doubted: bool = False  # the cells were disturbed, are of an older method or hours apart, or their runs differ
    session: SessionResults | None = None  # whose number it is; None of all sessions at once
    machine: str = ""  # in words, "2 cores of an Example CPU"; of a ratio the GPU beside the CPU
    card: str = ""  # where nobody measured a GPU here: the one that the number is of, "T4"
    figure: Figure | None = None  # what others published, over our CPU

    @property
    def where(self) -> str:
        """What the number is of, in words: the machine, or a card that is not ours beside it."""
        return f"{fmt.with_article(self.card)} beside {self.machine}" if self.card else self.machine

    @property
    def measured(self) -> bool:
        """Whether records stand behind it."""
        return self.kind == "measured"


class Found(NamedTuple):
    """What a fact's function returns: its text and the cells it rests on."""

    text: str
    cells: tuple[CellKey, ...] = ()
    estimate: Estimate | None = None
    note: str = ""
    short: str = ""  # as a sentence says it, where that does not follow from the estimate
    card: str = ""  # that is not ours
    figure: Figure | None = None  # that others published of it


Make = Callable[[Evidence, Any], Found | None]  # of a session; of None where a fact of all sessions has none


class Entry(NamedTuple):
    """How a fact is made."""

    title: str
    how: str
    make: Make
    of_all: bool = False  # about all sessions at once; made with the leading one, whichever that is
    is_place: bool = False  # names a machine, and no number of it


DERIVED: dict[str, Entry] = {}


def fact(name: str, title: str, how: str, *, of_all: bool = False, is_place: bool = False) -> Callable[[Make], Make]:
    """Register a function as a fact under a permanent name."""

    def register(make: Make) -> Make:
        DERIVED[name] = Entry(title, how, make, of_all, is_place)
        return make

    return register


def placed(text: str, machine: str) -> str:
    """The text with the machine in it: "3.1 s (3.0 to 3.2, n = 5; on other-machine)"."""
    return f"{text[:-1]}; on {machine})" if text.endswith(")") else f"{text} (on {machine})"


# Small parts.


def cells(evidence: Evidence, *records: Record | None) -> tuple[CellKey, ...]:
    """Session and id of each record's cell, each once."""
    found = {id(record): record for record in records if record is not None}
    return tuple((evidence.session_of(record), record.cell.id) for record in found.values())


def named(text: str, name: str) -> str:
    """The text with what it is about: "12.4x (ResNet-50; 11.9 to 12.8, n = 5)"."""
    return text.replace("(", f"({name}; ", 1) if "(" in text else f"{text} ({name})"


def arm(record: Record) -> str:
    """An arm in words: backend, XLA, precision, batch."""
    cell = record.cell
    return f"{fmt.backend(cell.backend)}, XLA {cell.jit}, {cell.precision}, batch {cell.batch_size}"
