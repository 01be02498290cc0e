"""The records as evidence: which session leads, what each cell is called, how far two may be compared. Pure.

Speed-ups are made here, since only here it is known which session a record comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.machine.cpu import SIXTEEN_BIT_FLAGS
from bench.records.store import Results, SessionResults
from bench.report.evidence import cells, disturbed, drift, sizes
from bench.report.evidence.cells import OLDER, CellRef
from bench.report.evidence.view import Pick, View
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import ComparisonError, Estimate, Order, compare
from bench.report.stats.reads import kept_property
from bench.schema import Record, Scalar, Workload

FEW_WORKLOADS_FRAC = 0.5  # a session with fewer of the workloads does not lead while a fuller one exists
MOST_MACHINES = 6  # side by side on a page
MOST_WITH_PAGES = 12  # machines of which a site has pages; of each further one it has a pack and rows of its tables
PROFILE_RANK = {"smoke": 0, "quick": 1, "reference": 2}


class Evidence:
    """All results, and the questions that pages ask of them. Everything is None or empty where nothing was measured."""

    def __init__(self, results: Results, workloads: Mapping[str, Workload], *, is_noted: bool = False) -> None:
        """``workloads`` are the declared ones; a workload that only records know is appended to them.

        Args:
            is_noted: whether readers of what follows from a whole session are noted as that (``View.name_of``).
        """
        self.is_noted = is_noted
        self.stored: tuple[SessionResults, ...] = tuple(results.sessions)
        self.further = results.further  # sessions of machines without pages, and without their records
        self.sessions = tuple(session for session in self.stored if session.standing.counts)  # what answers rest on
        known = dict(workloads)
        for session in self.sessions:
            for record in session.records.values():
                known.setdefault(record.spec.id, record.spec)
        self.workloads: dict[str, Workload] = known
        self._views: dict[int, View] = {}
        self._home = {id(record): session for session in self.stored for record in session.records.values()}

    @kept_property
    def lead(self) -> SessionResults | None:
        """The session that answers first: this machine's latest, else the latest published one, GPU machines first.

        Among several, a session that covers at least half of the workloads goes before one that does not, one with
        half the cells of its machine's fullest before one without, and a fuller profile before a smaller one of the
        published, so that rerunning one cell does not empty the site.
        """
        if local := [session for session in self._answering if session.is_local]:
            return max(local, key=lambda s: (self._is_full(s), s.session.started_at))
        return self.published

    @kept_property
    def published(self) -> SessionResults | None:
        """The session that answers first of those that are published."""
        return max((s for s in self._answering if not s.is_local), key=self._rank, default=None)

    @kept_property
    def listed(self) -> tuple[SessionResults, ...]:
        """What data pages list: every session that is not withdrawn."""
        return tuple(session for session in self.stored if session.standing.kind != "withdrawn")

    @kept_property
    def measured(self) -> tuple[SessionResults, ...]:
        """Sessions in which at least one cell gave a result."""
        return tuple(session for session in self.sessions if self._n_measured(session))

    @kept_property
    def _answering(self) -> tuple[SessionResults, ...]:
        """Sessions that may speak: something was measured, and not at the smoke size unless there is nothing else."""
        return tuple(session for session in self.measured if session.session.profile != "smoke") or self.measured

    @kept_property
    def shown(self) -> tuple[SessionResults, ...]:
        """The lead, then the best session of every other machine: GPU machines first, then by name.

        Behind a local lead comes the published one, so that what the lead lacks is as it was without it.
        """
        if self.lead is None:
            return ()
        best: dict[str, SessionResults] = {}
        for session in self._answering:
            key = self.view(session).key
            if key != self.view(self.lead).key:
                best[key] = max(session, best.get(key, session), key=self._rank)
        first = self.published is not None and self.view(self.published).key
        others = sorted(map(self.view, best.values()), key=lambda v: (v.key != first, not v.has_gpu, v.key))
        return (self.lead, *(view.described for view in others))

    @kept_property
    def chosen(self) -> tuple[SessionResults, ...]:
        """Those of the shown sessions that a page has room for.

        The first two, and of the others in even steps from the slowest machine to the fastest, so that a page stays as
        long as it is however many machines there are.
        """
        if len(self.shown) <= MOST_MACHINES:
            return self.shown
        others = sorted(self.shown[2:], key=lambda session: self.view(session).control_rate)
        step = (len(others) - 1) / (MOST_MACHINES - 3)
        kept = {id(others[round(step * at)]) for at in range(MOST_MACHINES - 2)}
        return (*self.shown[:2], *(session for session in self.shown[2:] if id(session) in kept))

    def view(self, session: SessionResults | None) -> View:
        """A session as seen from here."""
        if id(session) not in self._views:
            self._views[id(session)] = View(self, session)
        return self._views[id(session)]

    def forget(self) -> None:
        """Forget the views, which know it as it knows them: both go then, without a search for cycles."""
        self._views.clear()

    def leading(self, workload: str) -> SessionResults | None:
        """The first of the shown sessions that ran a workload; the lead where none did."""
        return next((one for one in self.shown if self.view(one).records(Pick(workload))), self.lead)

    def gpu_session(self, workload: str = "") -> SessionResults | None:
        """The first of the shown sessions that measured something on a GPU: of one workload, or of any."""
        pick = Pick(workload or None, device="gpu", status="ok")
        return next((session for session in self.shown if self.view(session).records(pick)), None)

    def precision_text(self, record: Record) -> str:
        """A cell's precision, and whether its CPU has no instructions for it, so that libraries convert back and forth.

        The bfloat16 and float16 arms of such a CPU say what a user gets there, and nothing about the format.
        """
        return record.cell.precision + ("" if self.is_native(record) else ", emulated")

    def is_native(self, record: Record) -> bool:
        """Whether the device has instructions for the cell's precision; of GPUs all are taken to have them."""
        native = SIXTEEN_BIT_FLAGS.get(record.cell.precision)
        if record.cell.device == "gpu" or native is None:
            return True
        return bool(native & set(self.session_of(record).machine.cpu_flags))

    def session_of(self, record: Record) -> SessionResults:
        """The session that holds a record.

        Raises:
            LookupError: the record is not one of these results.
        """
        if id(record) not in self._home:
            raise LookupError(f"{record.cell.id} is not a record of these results")
        return self._home[id(record)]

    def ref(self, record: Record) -> CellRef:
        """Address of a record's evidence."""
        session = self.session_of(record)
        return CellRef(self.view(session).key, session.session.id, record.cell.workload, record.cell.id)

    def refs(self, *records: Record | None) -> tuple[CellRef, ...]:
        """Addresses of the records that are not None, without repeats."""
        return tuple(dict.fromkeys(self.ref(record) for record in records if record is not None))

    def resolve(self, refs: Iterable[CellRef]) -> tuple[tuple[SessionResults, str], ...]:
        """Session and cell id behind each address."""
        return tuple((self._by_address[ref.machine, ref.session], ref.cell) for ref in refs)

    @kept_property
    def _by_address(self) -> dict[tuple[str, str], SessionResults]:
        return {(self.view(session).key, session.session.id): session for session in self.stored}

    def title(self, workload: str) -> str:
        """A workload's title; its id when nobody declared it."""
        return self.workloads[workload].title if workload in self.workloads else workload

    def noun(self, workload: str) -> str:
        """What a workload's samples are called."""
        return self.workloads[workload].sample_noun if workload in self.workloads else "samples"

    def size(self, record: Record) -> str:
        """What tells a record's network or size from the others of its workload and session, in words."""
        return sizes.words(record.cell.workload, self.distinct_params(record))

    def distinct_params(self, record: Record) -> dict[str, Scalar]:
        """A record's parameters without those that all cells of its workload and session share: what tells it apart."""
        like = self.view(self.session_of(record)).records(Pick(record.cell.workload))
        return {
            name: value
            for name, value in record.cell.params.items()
            if any(name not in other.cell.params or other.cell.params[name] != value for other in like)
        }

    def model_workloads(self) -> tuple[str, ...]:
        """Workloads that train a model, in order of their ids; probes left out."""
        return tuple(sorted(id_ for id_, spec in self.workloads.items() if spec.kind == "model"))

    def undisturbed(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """The records without flags; all of them where each measured one has a flag. Failures stay.

        So does a flagged one of a backend that has no other, if it is faster all the same, its whole interval above
        theirs: what runs beside a cell only slows it, and a slower backend must not stand in its place.
        """
        flagged = {id(record) for record in records if self.flags(record)}
        clean = [record for record in records if id(record) not in flagged]
        backends = {record.cell.backend for record in clean if record.status == "ok"}
        if not flagged or not backends:
            return tuple(records)
        highest = max((rate.high for rate in map(quantities.throughput, clean) if rate is not None), default=math.inf)

        def is_faster(record: Record) -> bool:
            rate = None if record.cell.backend in backends else quantities.throughput(record)
            return rate is not None and rate.low > highest

        return tuple(record for record in records if id(record) not in flagged or is_faster(record))

    def flags(self, record: Record) -> tuple[str, ...]:
        """What disturbed a cell while it was measured, in words; see ``disturbed.flags``."""
        return disturbed.flags(record, n_cores=self.session_of(record).session.n_cores_effective)

    def disturbance(self, records: Iterable[Record]) -> str:
        """The flags of all these cells in words, each once: "busy machine: ..."; empty where nothing disturbed them."""
        seen = dict.fromkeys(flag for record in records for flag in self.flags(record))
        return f"busy machine: {', '.join(seen)}" if seen else ""

    def age(self, records: Iterable[Record]) -> str:
        """ "earlier code" where one of these cells was made by another method or other code than today's."""
        return OLDER if any(record.status == "ok" and cells.is_older_method(record) for record in records) else ""

    def record_speedup(self, first: Record, second: Record, quantity: str = "throughput") -> Estimate | None:
        """How many times faster the first record is than the second: above 1, the first is ahead.

        Of two that were not measured in turn the interval holds the machine's drift over hours, where that is known.

        Raises:
            ComparisonError: the two come from different sessions, or from different methods.
        """
        one, other = self.session_of(first), self.session_of(second)
        if one is not other:
            names = " and ".join(f"{self.view(s).key}/{s.session.id}" for s in (one, other))
            msg = f"no ratio across sessions: {first.cell.id} and {second.cell.id} were measured in {names}"
            raise ComparisonError(msg)
        row = quantities.named(quantity)
        if row.less_is_better:
            first, second = second, first
        found = row.ratio(first, second)
        return self.with_drift(found, first, second) if found is not None and row.is_timed else found

    def with_drift(self, ratio: Estimate, first: Record, second: Record) -> Estimate:
        """A ratio of two cells of one machine; measured hours apart, its interval holds the drift of both."""
        sd = self.view(self.session_of(first)).drift if drift.are_apart(first, second) else None
        return ratio if sd is None else drift.widened(ratio, math.sqrt(2) * sd)

    def order(self, first: tuple[Record, Estimate], second: tuple[Record, Estimate]) -> Order:
        """How the first cell stands to the second by a rate or a time of both.

        Their intervals decide (``stats.compare``); of cells measured hours apart each holds the machine's drift.
        """
        (one, mine), (other, theirs) = first, second
        sd = self.view(self.session_of(one)).drift if drift.are_apart(one, other) else None
        return compare(*((mine, theirs) if sd is None else (drift.widened(e, sd) for e in (mine, theirs))))

    def distance(self, records: Sequence[Record]) -> str:
        """ "measured 6 h apart" of two cells that were not measured in turn, else empty."""
        if len(records) != 2 or not drift.are_apart(*records):
            return ""
        return f"measured {fmt.seconds(drift.gap_s(*records))} apart"

    def _n_measured(self, session: SessionResults) -> int:
        """How many workloads have a measured cell in the session."""
        return len({r.cell.workload for r in session.records.values() if r.status == "ok"})

    def _is_full(self, session: SessionResults) -> bool:
        return self._n_measured(session) >= FEW_WORKLOADS_FRAC * len(self.workloads)

    def _is_full_of_its_own(self, session: SessionResults) -> bool:
        """Whether it has enough of the cells that the fullest session of its machine has, to speak for that machine."""
        return _n_cells(session) >= FEW_WORKLOADS_FRAC * self._fullest[self.view(session).key]

    @kept_property
    def _fullest(self) -> dict[str, int]:
        """Cells of each machine's fullest session."""
        found: dict[str, int] = {}
        for session in self._answering:
            key = self.view(session).key
            found[key] = max(found.get(key, 0), _n_cells(session))
        return found

    def _rank(self, session: SessionResults) -> tuple[Any, ...]:
        described = session.session
        return (
            self._is_full(session),
            self._is_full_of_its_own(session),
            PROFILE_RANK[described.profile],
            self.view(session).has_gpu,
            described.started_at,
            self.view(session).key,
        )


def _n_cells(session: SessionResults) -> int:
    return sum(record.status == "ok" for record in session.records.values())
