"""A table by id, of a chart or one that stands alone. Pure.

``make`` builds it of the leading session and, where it makes sense, of the other machines, which are then
named in a column. What was not measured says so; what failed shows its status and reason where the number would be.
"""

from __future__ import annotations

import difflib

from bench.records.store import SessionResults
from bench.report import tables  # noqa: F401  registers those that stand alone; this room registers its own
from bench.report.evidence.evidence import Evidence
from bench.report.tables.table import MACHINE, TABLES, Table, TableError, TableScope


def ids() -> tuple[str, ...]:
    """Ids of all tables."""
    return tuple(TABLES)


def make(
    table_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    first: SessionResults | None = None,
) -> Table:
    """One table: of all shown machines, or of one session; of all workloads, or of one.

    A machine column whose cells all agree moves into the caption. ``first`` is the session to begin with, when it is
    not the leading one: the one that a chart with this table was drawn from.

    Raises:
        TableError: no such table.
    """
    if table_id not in TABLES:
        near = difflib.get_close_matches(table_id, TABLES, n=2) or sorted(TABLES)
        raise TableError(f"unknown table {table_id!r}; did you mean {' or '.join(map(repr, near))}?")
    shown = evidence.shown if session is None else (session,)
    scope = TableScope(
        evidence=evidence,
        sessions=tuple(sorted(shown, key=lambda one: one is not first)),
        workloads=(workload,) if workload else tuple(evidence.workloads),
    )
    draft = TABLES[table_id](scope)
    caption, columns, rows = draft.caption, draft.columns, draft.rows
    if MACHINE in columns and not draft.keeps_machine and len({row[columns.index(MACHINE)].text for row in rows}) == 1:
        at = columns.index(MACHINE)
        caption = f"{caption} Measured on {rows[0][at].text}."
        columns = columns[:at] + columns[at + 1 :]
        rows = [row[:at] + row[at + 1 :] for row in rows]
    return Table(id=table_id, caption=caption, columns=columns, rows=tuple(rows))
