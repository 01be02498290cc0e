"""What a table is, its scope, and the registry of table functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

import msgspec

from bench.records.store import SessionResults
from bench.report import templates
from bench.report.evidence.cells import CellRef
from bench.report.evidence.evidence import Evidence
from bench.report.stats.estimate import Estimate
from bench.schema import Mode, Precision

MACHINE = "machine"
PLACES = "places"  # of the backends in a row
PLACE = "place"  # of a row among its like, within a backend
MODES: tuple[Mode, ...] = ("train", "infer")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
NUMBER = re.compile(r"[+-]\d[\d.,]*(?:e[+-]?\d+)?(?: ?[%\w]+)?")  # with its unit
PRECISIONS: tuple[Precision, ...] = get_args(Precision)  # strict float32 first


class Cellv(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of a table: text, the addresses of its evidence, and the estimate it was made of, if it was.

    ``note`` says in words what a reader must know of the number: runs that disagree, or too few of them.
    """

    text: str
    short: str = ""  # a number as pages for readers show it, without interval
    cells: tuple[CellRef, ...] = ()
    estimate: Estimate | None = None
    note: str = ""
    is_disturbed: bool = False  # what it rests on was measured beside something else
    is_older: bool = False  # or by another method or other code than today's
    is_estimated: bool = False  # by the formula, of a GPU; ``cells`` then holds the measured side of a ratio
    is_published: bool = False  # by others; another column names the source


def for_spreadsheets(text: str) -> str:
    """A text as a cell of a CSV file: a head that a spreadsheet takes for a formula stands behind an apostrophe."""
    text = templates.UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def evidence_text(refs: Iterable[CellRef]) -> str:
    """Addresses of cells for files: machine/session/cell, each once, separated by blanks."""
    return " ".join(f"{ref.machine}/{ref.session}/{ref.cell}" for ref in dict.fromkeys(refs))


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A finished table; every row has one cell per column. Without rows nothing was measured."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cellv, ...], ...]

    def plain_rows(self) -> tuple[tuple[str | float | int, ...], ...]:
        """The table for a CSV file: a header, then rows; estimates as value, ends, runs and unit, unrounded.

        The last column lists the evidence as machine/session/cell, separated by blanks.
        """
        wide = [any(row[i].estimate is not None for row in self.rows) for i in range(len(self.columns))]
        header: list[str] = []
        for name, is_wide in zip(self.columns, wide, strict=True):
            ends = ("", " low", " high", " n", " unit", " status") if is_wide else ("",)
            header += [f"{name}{end}" for end in ends]
        lines: list[tuple[str | float | int, ...]] = [(*header, "evidence")]
        for row in self.rows:
            line: list[str | float | int] = []
            for cell, is_wide in zip(row, wide, strict=True):
                e = cell.estimate
                if not is_wide:
                    line.append(cell.text)
                elif e is None:
                    line += ["", "", "", "", "", cell.text]
                else:
                    line += [e.value, e.low, e.high, e.n, e.unit, "estimated" if cell.is_estimated else "ok"]
            lines.append((*line, evidence_text(ref for cell in row for ref in cell.cells)))
        return tuple(tuple(for_spreadsheets(one) if isinstance(one, str) else one for one in line) for line in lines)


class TableScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a table covers: the evidence, the sessions in order, and the workloads."""

    evidence: Evidence
    sessions: tuple[SessionResults, ...]
    workloads: tuple[str, ...]

    def models(self) -> tuple[str, ...]:
        """The workloads that train a model."""
        return tuple(id_ for id_ in self.evidence.model_workloads() if id_ in self.workloads)

    def machine(self, session: SessionResults) -> Cellv:
        """The machine in words, with its GPU and its cores."""
        view = self.evidence.view(session)
        label, cpu, gpu = view.label, view.cpu_text(), view.gpu_text()
        return Cellv(text=f"{label} ({gpu} beside {cpu})" if gpu else f"{label} ({cpu})")

    @property
    def leading(self) -> tuple[SessionResults, ...]:
        """The first session, and behind a local one the published one that would be first without it."""
        first = self.sessions[:1]
        joined = bool(first) and first[0].is_local and self.evidence.published in self.sessions
        return (*first, *(s for s in self.sessions[1:] if joined and s is self.evidence.published))

    def gpus_first(self) -> tuple[SessionResults, ...]:
        """The sessions, those that measured a GPU before the others."""
        return tuple(sorted(self.sessions, key=lambda session: not self.evidence.view(session).has_gpu))


class Draft(msgspec.Struct, kw_only=True):
    """A table as its function returns it, before columns whose rows all agree are left out."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cellv, ...]]
    varying: tuple[str, ...] = ()  # columns that tell nothing where all rows agree
    keeps_machine: bool = False  # the column stays even when all rows share a machine


Maker = Callable[[TableScope], Draft]
TABLES: dict[str, Maker] = {}
NO_GPU = Cellv(text="no GPU")


def table(table_id: str) -> Callable[[Maker], Maker]:
    """Register a table function under a permanent id."""

    def register(function: Maker) -> Maker:
        TABLES[table_id] = function
        return function

    return register
