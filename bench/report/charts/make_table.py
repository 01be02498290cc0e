"""A table by id, of a chart or one that stands alone. Pure.

``make`` builds it of the leading session and, where it makes sense, of the other machines, which are then
named in a column. What was not measured says so; what failed shows its status and reason where the number would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from bench.records.store import SessionResults
from bench.report import tables  # noqa: F401  registers those that stand alone; this room registers its own
from bench.report.evidence.evidence import Evidence
from bench.report.tables.table import MACHINE, TABLES, Table, TableScope
from bench.workloads import registry

T = TypeVar("T")


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
    """One table: of the chosen machines, or of one session; of all workloads, or of one.

    A machine column whose cells all agree moves into the caption; a column of ``Draft.varying`` is left out then.
    ``first`` is the session to begin with, when it is not the leading one: the one that a chart with this table was
    drawn from.

    Raises:
        UnknownNameError: no such table.
    """
    if table_id not in TABLES:
        raise registry.unknown("table", table_id, list(TABLES))
    shown = evidence.chosen if session is None else (session,)
    scope = TableScope(
        evidence=evidence,
        sessions=tuple(sorted(shown, key=lambda one: one is not first)),
        workloads=(workload,) if workload else tuple(evidence.workloads),
    )
    draft = TABLES[table_id](scope)
    caption, left_out = draft.caption, set()
    for i, name in enumerate(draft.columns):
        said = {row[i].text for row in draft.rows}
        if name == MACHINE and not draft.keeps_machine and len(said) == 1:
            caption += f" Measured on {said.pop()}."
            left_out.add(i)
        elif name in draft.varying and len(said) < 2:
            left_out.add(i)

    def kept(row: Sequence[T]) -> tuple[T, ...]:
        return tuple(cell for i, cell in enumerate(row) if i not in left_out)

    return Table(id=table_id, caption=caption, columns=kept(draft.columns), rows=tuple(map(kept, draft.rows)))
