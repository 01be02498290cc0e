"""Rows and columns of which nothing is measured: left out on the pages people read, and named once at the foot."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.report.pages.markup import MISSING, PARTS
from bench.report.pages.plain import TABLE_LINES, plain
from bench.report.stats import format as fmt

MOST_NAMED = 6
ADD = "guides/add-a-machine.md"

Cell = TypeVar("Cell")
Row = Sequence[Cell]


def without(
    columns: Sequence[str],
    rows: Sequence[Row[Cell]],
    is_missing: Callable[[Cell], bool],
    is_value: Callable[[Cell], bool],
) -> tuple[list[str], list[list[Cell]], list[str]]:
    """Columns and rows that hold a value, and the names of those left out.

    A row goes if something of it is missing and no cell of it is a value; a column if all of it is missing or empty.
    """
    kept = [row for row in rows if not any(map(is_missing, row)) or any(map(is_value, row))]
    shown = [
        at
        for at in range(len(columns))
        if not any(is_missing(row[at]) for row in rows) or any(is_value(row[at]) for row in kept)
    ]
    gone = [columns[at] for at in range(len(columns)) if at not in shown]
    return [columns[at] for at in shown], [[row[at] for at in shown] for row in kept], gone


def in_markdown(text: str, names: list[str]) -> str:
    """The text with its Markdown tables so shortened; what they lost is added to ``names``."""

    def shortened(match: re.Match[str]) -> str:
        if fmt.NOT_MEASURED not in match.group():
            return match.group()
        head, rule, *body = (
            [part.strip() for part in line.strip().strip("|").split("|")] for line in match.group().split("\n")
        )
        rows = [[*row, *[""] * (len(head) - len(row))] for row in body]
        labels = {row[0] for row in rows}
        columns, kept, gone = without(
            head, rows, _is_missing, lambda cell: not _is_missing(cell) and cell not in ("", "–", *labels)
        )
        names.extend(gone)
        names.extend(row[0] for row in rows if row[0] not in {row[0] for row in kept})
        if not kept or len(columns) < 2:
            return ""
        lines = [columns, rule[: len(columns)], *([_dashed(cell) for cell in row] for row in kept)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    return TABLE_LINES.sub(shortened, text)


def _is_missing(cell: str) -> bool:
    return cell in (MISSING, fmt.NOT_MEASURED)


def _dashed(cell: str) -> str:
    return str(PARTS.missing_cell()) if _is_missing(cell) else cell


def foot(names: Sequence[str], address: str) -> str:
    """The line at a page's foot that says what its tables leave out, and how to add it; empty where nothing is."""
    found = list(dict.fromkeys(filter(None, map(plain, names))))
    if not found:
        return ""
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return PARTS.left_out("; ".join(found[:MOST_NAMED]) + more, address)
