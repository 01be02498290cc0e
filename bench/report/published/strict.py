"""Reading a table as it must be: every complaint names file, line and remedy."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import REPOSITORY, ROOT

FOLDER = ROOT / "published"


class PublishedError(ValueError):
    """A published row that does not exist, or a file that breaks the rules in bench/published/README.md."""


class Line(NamedTuple):
    """One line of a table; its cells by column, each asked for in the form that it must have."""

    place: str  # "bench/published/gpu/cards.csv:12"
    cells: dict[str, str]

    def fail(self, what: str, remedy: str) -> PublishedError:
        """The error to raise for this line."""
        return PublishedError(f"{self.place}: {what}; {remedy}")

    def text(self, column: str, *, needed: bool = True) -> str:
        """A cell's text; it may be empty only where it is not needed."""
        value = (self.cells.get(column) or "").strip()
        if needed and not value:
            raise self.fail(f"{column} is empty", f"fill in {column}, or take the line out")
        return value

    def number(self, column: str) -> float:
        """A number above zero."""
        value = self.optional(column)
        if value is None:
            raise self.fail(f"{column} is empty", f"fill in {column}, or take the line out")
        return value

    def optional(self, column: str, scale: float = 1.0) -> float | None:
        """A number above zero, times the scale, or None for an empty cell."""
        text = self.text(column, needed=False)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise self.fail(f"{column} is {text!r}, not a number above zero", "correct it, or take the line out")
        return value * scale

    def several(self, column: str) -> tuple[str, ...]:
        """Texts with "; " between them; none in an empty cell."""
        return tuple(filter(None, self.text(column, needed=False).split("; ")))

    def one_of(self, column: str, known: Collection[str]) -> str:
        """One word of a vocabulary."""
        value = self.text(column, needed="" not in known)
        if value not in known:
            words = ", ".join(sorted(word for word in known if word))
            raise self.fail(f"{column} is {value!r}", f"known are {words}")
        return value

    def key(self, column: str, names: Collection[str]) -> str:
        """The name of something that has a line of its own in the table of its kind: networks.csv for a network."""
        name = self.text(column)
        if name not in names:
            raise self.fail(f"no {column} {name!r} in {column}s.csv", f"add the {column} there, with its source")
        return name


def lines(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """The lines of a table that has just these columns.

    Raises:
        PublishedError: it has others, or a line has more or fewer cells.
    """
    place = path.relative_to(REPOSITORY).as_posix() if path.is_relative_to(REPOSITORY) else path.name
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        head = next(reader, [])
        if head != list(columns):
            raise PublishedError(f"{place}:1: the columns are {','.join(head)}; make them {','.join(columns)}")
        for cells in reader:
            line = Line(f"{place}:{reader.line_num}", dict(zip(head, cells, strict=False)))
            if len(cells) != len(head):
                raise line.fail(f"{len(cells)} cells under {len(head)} columns", "quote what holds a comma")
            yield line
