"""One machine over time: each cell in all sessions that measured it, and how far two sessions agree. Pure.

Sessions of a machine differ in date and in versions. Numbers of two sessions are set side by side, never averaged; what
was measured by another method, or by other code of the workload, is shown and not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.evidence import against
from bench.report.evidence.cells import is_headline
from bench.report.stats import estimate, quantities, studies
from bench.report.stats import format as fmt
from bench.schema import BACKENDS, Record

EXPECTED_FRAC = 0.9  # of the headline intervals of two sessions with equal versions should overlap
VERSIONED = ("keras", *BACKENDS)


class Entry(NamedTuple):
    """A cell, or one series of a study, in one session; ``row`` sets it against the entry before, None at the first."""

    session: SessionResults
    record: Record
    speed: estimate.Estimate
    row: against.Row | None


class History(NamedTuple):
    """A cell over two sessions or more, oldest first."""

    cell_id: str
    series: str  # of a study, else empty
    entries: tuple[Entry, ...]


class Overlap(NamedTuple):
    """Headline cells that two sessions measured alike: those whose intervals overlap, and those that lie apart."""

    older: SessionResults
    newer: SessionResults
    together: tuple[tuple[Record, Record], ...]
    apart: tuple[tuple[Record, Record], ...]

    @property
    def n(self) -> int:
        """Cells compared."""
        return len(self.together) + len(self.apart)

    @property
    def names(self) -> str:
        """Ids of the two sessions: "2026-11-03 and 2026-11-04"."""
        return f"{self.older.session.id} and {self.newer.session.id}"

    @property
    def text(self) -> str:
        """Cells whose intervals overlap, of those compared: "27 of 30"."""
        return f"{fmt.count(len(self.together))} of {fmt.count(self.n)}"

    @property
    def records(self) -> tuple[Record, ...]:
        """All records that the counts rest on."""
        return tuple(record for pair in (*self.together, *self.apart) for record in pair)


def same_machine(sessions: Sequence[SessionResults], session: SessionResults) -> tuple[SessionResults, ...]:
    """The sessions of one machine, published ones and local ones apart, oldest first."""
    found = [
        other
        for other in sessions
        if other.is_local == session.is_local and against.is_same_machine(other.machine, session.machine)
    ]
    return tuple(sorted(found, key=lambda s: (s.session.started_at, s.session.id)))


def histories(sessions: Sequence[SessionResults]) -> tuple[History, ...]:
    """Every cell that two of the sessions measured, by id; of a study each series.

    Args:
        sessions: of one machine, oldest first.
    """
    by_cell: dict[str, list[tuple[SessionResults, Record]]] = {}
    for session in sessions:
        for cell_id, record in session.records.items():
            if record.status == "ok":
                by_cell.setdefault(cell_id, []).append((session, record))
    found = []
    for cell_id, measured in sorted(by_cell.items()):
        for series in _series(measured[-1][1]) if len(measured) > 1 else ():
            entries: list[Entry] = []
            for session, record in measured:
                speed = _speed(record, series)
                if speed is not None:
                    before = entries[-1].record if entries else None
                    row = None if before is None else _row(record, before, series)
                    entries.append(Entry(session, record, speed, row))
            if len(entries) > 1:
                found.append(History(cell_id, series, tuple(entries)))
    return tuple(found)


def overlap(one: SessionResults, other: SessionResults) -> Overlap:
    """How many headline intervals of two sessions of one machine overlap; a study counts once, by its first series.

    A cell counts when its workload calls it headline in both sessions, and both did the same work by the same method.
    """
    older, newer = sorted((one, other), key=lambda s: (s.session.started_at, s.session.id))
    together: list[tuple[Record, Record]] = []
    apart: list[tuple[Record, Record]] = []
    for cell_id, record in sorted(newer.records.items()):
        twin = older.records.get(cell_id)
        if twin is None or not (is_headline(record) and is_headline(twin)) or not _same_work(twin, record):
            continue
        series = _series(record)[:1]
        speeds = [s for r in (twin, record) for name in series if (s := _speed(r, name)) is not None]
        if len(speeds) == 2:
            apart_or_not = together if estimate.compare(*speeds) == "overlaps" else apart
            apart_or_not.append((twin, record))
    return Overlap(older, newer, tuple(together), tuple(apart))


def overlaps(sessions: Sequence[SessionResults]) -> tuple[Overlap, ...]:
    """Every two of the sessions that share headline cells, by date of the older, then of the newer.

    Args:
        sessions: of one machine, oldest first.
    """
    return tuple(found for pair in combinations(sessions, 2) if (found := overlap(*pair)).n)


def repeats(sessions: Sequence[SessionResults]) -> tuple[Overlap, ...]:
    """Those of ``overlaps`` with equal versions: what a session is worth on another day."""
    return tuple(found for found in overlaps(sessions) if not changed_versions(found.older, found.newer))


def versions(session: SessionResults, record: Record) -> str:
    """The versions that a cell ran with: "Keras 3.12.0, JAX 0.8.0"."""
    known, backend = session.session.versions, record.cell.backend
    names = [("Keras", known.get("keras")), (fmt.backend(backend), known.get(backend))]
    return ", ".join(f"{name} {version}" for name, version in names if version)


def changed_versions(older: SessionResults, newer: SessionResults) -> tuple[tuple[str, str, str], ...]:
    """Keras and the backends of which both sessions had different versions: name, older version, newer version."""
    then, now = older.session.versions, newer.session.versions
    both = [name for name in VERSIONED if then.get(name) and now.get(name)]
    return tuple((name, then[name], now[name]) for name in both if then[name] != now[name])


def rule() -> str:
    """How the overlap of two sessions is counted, and what it should be."""
    return (
        "Headline cells that both sessions measured alike, by the same code and method, of a study its first series; "
        f"with equal versions the 95 % intervals of at least {fmt.percent(EXPECTED_FRAC)} should overlap"
    )


def change_words(row: against.Row) -> str:
    """What became of a cell since the entry before, as a short verdict with the factor of its speed."""
    if row.ratio is None:
        return row.problem or "not compared"
    factor = fmt.interval(estimate.inverse(row.ratio))  # the later speed over the earlier one
    if row.change is None or row.change.verdict == "too few runs":
        order = {"faster": "faster", "slower": "slower", "overlaps": "no difference seen", None: "not compared"}
        return f"{order[row.order]}, too few runs for the test: {factor}"
    return f"{row.change.verdict} (p = {row.change.p:.2g}): {factor}"


def _series(record: Record) -> tuple[str, ...]:
    """The series of a study; of everything else one without a name."""
    return tuple(item.id for item in studies.series_of(record)) if record.spec.kind == "study" else ("",)


def _speed(record: Record, series: str) -> estimate.Estimate | None:
    """Samples or operations per second; of a study the seconds of a call."""
    if series:
        return studies.call_time(record, series)
    return quantities.flop_rate(record) or quantities.throughput(record)


def _row(record: Record, before: Record, series: str) -> against.Row:
    """The cell, or the series, against its record before."""
    rows = against.compare_cells(record, before, same_machine=True)
    return next((row for row in rows if row.series == series), rows[0])


def _same_work(one: Record, other: Record) -> bool:
    return one.status == other.status == "ok" and one.source_hash == other.source_hash and one.shares_method(other)
