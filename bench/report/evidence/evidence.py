"""The records as evidence: which session leads, which cell speaks for a workload, one frame for charts. Pure.

Speed-ups are made here, since only here it is known which session a record comes from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench.machine.cpu import SIXTEEN_BIT_FLAGS
from bench.records.store import Results, SessionResults
from bench.report.evidence import cells, disturbed, drift
from bench.report.evidence import self_test as evidence_self_test
from bench.report.evidence.cells import LOCAL_PREFIX, OLDER, CellRef, Contrast
from bench.report.evidence.self_test import SelfTest
from bench.report.stats import estimate as stats_estimate
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.stats.estimate import ComparisonError, Estimate, Order, Quantity
from bench.schema import BACKENDS, PHASES, Backend, Device, Jit, Mode, Precision, Record, Scalar, Workload

if TYPE_CHECKING:
    import polars as pl
FEW_WORKLOADS_FRAC = 0.5  # a session with fewer of the workloads does not lead while a fuller one exists
PROFILE_RANK = {"smoke": 0, "quick": 1, "reference": 2}


class Evidence:
    """All results, and the questions that pages ask of them. Everything is None or empty where nothing was measured."""

    def __init__(self, results: Results, workloads: Mapping[str, Workload]) -> None:
        """``workloads`` are the declared ones; a workload that only records know is appended to them."""
        self.sessions: tuple[SessionResults, ...] = tuple(results.sessions)
        known = dict(workloads)
        for session in self.sessions:
            for record in session.records.values():
                known.setdefault(record.spec.id, record.spec)
        self.workloads: dict[str, Workload] = known
        self._lists: dict[tuple[int, str | None], tuple[Record, ...]] = {}
        self._params: dict[tuple[int, str], list[Mapping[str, Scalar]]] = {}
        self._flags: dict[int, tuple[str, ...]] = {}
        self._self_tests: dict[int, SelfTest | None] = {}
        self._drifts: dict[str, float | None] = {}
        self._home = {id(record): session for session in self.sessions for record in session.records.values()}

    @cached_property
    def lead(self) -> SessionResults | None:
        """The session that answers first: this machine's latest, else the latest published one, GPU machines first.

        Among several, a session that covers at least half of the workloads goes before one that does not, one with
        half the cells of its machine's fullest before one without, and a fuller profile before a smaller one of the
        published, so that rerunning one cell does not empty the site.
        """
        if local := [session for session in self._answering if session.is_local]:
            return max(local, key=lambda s: (self._is_full(s), s.session.started_at))
        return max(self._answering, key=self._rank, default=None)

    @cached_property
    def _answering(self) -> tuple[SessionResults, ...]:
        """Sessions that may speak: something was measured, and not at the smoke size unless there is nothing else."""
        measured = tuple(session for session in self.sessions if self._n_measured(session))
        return tuple(session for session in measured if session.session.profile != "smoke") or measured

    @cached_property
    def shown(self) -> tuple[SessionResults, ...]:
        """The lead, then the best session of every other machine: GPU machines first, then by name."""
        if self.lead is None:
            return ()
        best: dict[str, SessionResults] = {}
        for session in self._answering:
            key = self.key(session)
            if key != self.key(self.lead):
                best[key] = max(session, best.get(key, session), key=self._rank)
        return (self.lead, *sorted(best.values(), key=lambda s: (not self.has_gpu(s), self.key(s))))

    def has_gpu(self, session: SessionResults) -> bool:
        """Whether a cell was measured on a GPU in the session."""
        return any(r.cell.device == "gpu" and r.status == "ok" for r in session.records.values())

    def gpu_session(self, workload: str = "") -> SessionResults | None:
        """The first of the shown sessions that measured something on a GPU: of one workload, or of any."""
        return next(
            (s for s in self.shown if self.records(s, workload=workload or None, device="gpu", status="ok")), None
        )

    def backends(self, session: SessionResults | None) -> tuple[Backend, ...]:
        """Backends with a record in the session, whatever became of it; all where it has none."""
        used = {record.cell.backend for record in self._records_of(session, None)}
        return tuple(backend for backend in BACKENDS if backend in used) or BACKENDS

    def key(self, session: SessionResults) -> str:
        """The machine's name in addresses: its id, with "local-" before it when not published."""
        return f"{LOCAL_PREFIX if session.is_local else ''}{session.machine.id}"

    def label(self, session: SessionResults) -> str:
        """The machine in words: "this machine" for the owner's own, else its id."""
        return "this machine" if session.is_local else session.machine.id

    def cpu_text(self, session: SessionResults, record: Record | None = None) -> str:
        """The denominator of a speed-up: CPU model and the cores in use."""
        n = session.session.n_cores_effective if record is None else record.cell.threads
        return f"{session.machine.cpu_model}, {fmt.cores(n)}"

    def precision_text(self, record: Record) -> str:
        """A cell's precision, and whether its CPU has no instructions for it, so that libraries convert back and forth.

        The bfloat16 and float16 arms of such a CPU say what a user gets there, and nothing about the format.
        """
        return record.cell.precision + ("" if self._is_native(record) else ", emulated")

    def _is_native(self, record: Record) -> bool:
        """Whether the device has instructions for the cell's precision; of GPUs all are taken to have them."""
        native = SIXTEEN_BIT_FLAGS.get(record.cell.precision)
        if record.cell.device == "gpu" or native is None:
            return True
        return bool(native & set(self.session_of(record).machine.cpu_flags))

    def gpu_text(self, session: SessionResults, record: Record | None = None) -> str:
        """The machine's GPUs by name, of a record those that its cell used; empty when there is none."""
        names = [gpu.name for gpu in session.machine.gpus]
        if record is not None and len(set(names)) > 1:  # the driver's list does not tell which of unlike ones ran
            seen = [run.observed.device_name for run in record.runs if run.observed is not None]
            names = seen[:1] * record.cell.n_gpus or names
        elif record is not None:
            names = names[: record.cell.n_gpus]
        return ", ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in dict.fromkeys(names))

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
        return CellRef(self.key(session), session.session.id, record.cell.workload, record.cell.id)

    def refs(self, *records: Record | None) -> tuple[CellRef, ...]:
        """Addresses of the records that are not None, without repeats."""
        return tuple(dict.fromkeys(self.ref(record) for record in records if record is not None))

    def resolve(self, refs: Iterable[CellRef]) -> tuple[tuple[SessionResults, str], ...]:
        """Session and cell id behind each address."""
        sessions = {(self.key(session), session.session.id): session for session in self.sessions}
        return tuple((sessions[ref.machine, ref.session], ref.cell) for ref in refs)

    def title(self, workload: str) -> str:
        """A workload's title; its id when nobody declared it."""
        return self.workloads[workload].title if workload in self.workloads else workload

    def noun(self, workload: str) -> str:
        """What a workload's samples are called."""
        return self.workloads[workload].sample_noun if workload in self.workloads else "samples"

    def distinct_params(self, record: Record) -> dict[str, Scalar]:
        """A record's parameters without those that all cells of its workload and session share: what tells it apart."""
        session, workload = self.session_of(record), record.cell.workload
        key = (id(session), workload)
        if key not in self._params:
            self._params[key] = [r.cell.params for r in session.records.values() if r.cell.workload == workload]
        return {
            name: value
            for name, value in record.cell.params.items()
            if any(name not in params or params[name] != value for params in self._params[key])
        }

    def model_workloads(self) -> tuple[str, ...]:
        """Workloads that train a model, in order of their ids; probes left out."""
        return tuple(sorted(id_ for id_, spec in self.workloads.items() if spec.kind == "model"))

    def records(
        self,
        session: SessionResults | None,
        *,
        workload: str | None = None,
        mode: Mode | None = None,
        backend: Backend | None = None,
        device: Device | None = None,
        precision: Precision | None = None,
        jit: Jit | None = None,
        batch_size: int | None = None,
        params: Mapping[str, Scalar] | None = None,
        headline: bool | None = None,
        status: str | None = None,
    ) -> tuple[Record, ...]:
        """A session's records that agree with every given field, in order of their ids; ``params`` may be a part."""
        wanted = {
            "workload": workload,
            "mode": mode,
            "backend": backend,
            "device": device,
            "precision": precision,
            "jit": jit,
            "batch_size": batch_size,
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        return tuple(
            record
            for record in self._records_of(session, workload)
            if all(getattr(record.cell, name) == value for name, value in wanted.items())
            and (status is None or record.status == status)
            and (headline is None or cells.is_headline(record) == headline)
            and all(record.cell.params.get(name) == value for name, value in (params or {}).items())
        )

    def _records_of(self, session: SessionResults | None, workload: str | None) -> tuple[Record, ...]:
        """Records of a session, or of one workload of it, in order of their ids; looked up once."""
        key = (id(session), workload)
        if key not in self._lists:
            self._lists[key] = tuple(
                record
                for _, record in sorted(session.records.items() if session else ())
                if workload is None or record.cell.workload == workload
            )
        return self._lists[key]

    def candidates(
        self,
        session: SessionResults | None,
        workload: str,
        mode: Mode = "train",
        device: Device = "cpu",
        *,
        backend: Backend | None = None,
        params: Mapping[str, Scalar] | None = None,
        batch_size: int | None = None,
        precision: Precision | None = "float32-strict",
    ) -> tuple[Record, ...]:
        """Records of any status that ``best`` chooses among: one variant's cells, at the most threads used for it.

        Without ``params`` or ``batch_size`` that is the first headline variant that has a measured record, else the
        first that has any; of a mode for which the workload declares no headline, its first variant. With them, a
        headline variant that agrees, else every cell that agrees.
        """
        found = self.records(
            session, workload=workload, mode=mode, device=device, backend=backend, params=params,
            batch_size=batch_size, precision=precision,
        )  # fmt: skip
        first = [record for record in found if cells.is_headline(record)]
        if not first and params is None and batch_size is None:
            if any(v.headline and v.mode == mode for record in found for v in cells.variants_of(record)):
                return ()
            first = [record for record in found if cells.position_of(record) < len(cells.variants_of(record))]
        groups: dict[Any, list[Record]] = {}
        for record in sorted(first, key=cells.position_of) or found:
            groups.setdefault(cells.variant_key(record) if first else None, []).append(record)
        chosen = next((g for g in groups.values() if any(r.status == "ok" for r in g)), None)
        chosen = chosen or next(iter(groups.values()), [])
        n_threads = max((record.cell.threads for record in chosen), default=0)
        return tuple(record for record in chosen if record.cell.threads == n_threads)

    def best(
        self,
        session: SessionResults | None,
        workload: str,
        mode: Mode = "train",
        device: Device = "cpu",
        *,
        backend: Backend | None = None,
        params: Mapping[str, Scalar] | None = None,
        batch_size: int | None = None,
        precision: Precision | None = "float32-strict",
        by: Quantity = "throughput",
    ) -> Record | None:
        """The cell that speaks for a workload: its best jit arm, and best backend unless one is given.

        The choice is made among ``candidates`` by the estimate's value; ties go to the first id. A cell that was
        disturbed (``flags``) is chosen only where no undisturbed one was measured.
        """
        found = self.candidates(
            session, workload, mode, device, backend=backend, params=params, batch_size=batch_size, precision=precision
        )
        return cells.fastest(self.undisturbed(found), by)

    def undisturbed(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """The records without flags; all of them where each measured one has a flag. Failures stay."""
        clean = tuple(record for record in records if not self.flags(record))
        return clean if any(record.status == "ok" for record in clean) else tuple(records)

    def flags(self, record: Record) -> tuple[str, ...]:
        """What disturbed a cell while it was measured, in words; see ``trust.flags``."""
        if id(record) not in self._flags:
            n_cores = self.session_of(record).session.n_cores_effective
            self._flags[id(record)] = disturbed.flags(record, n_cores=n_cores)
        return self._flags[id(record)]

    def disturbance(self, records: Iterable[Record]) -> str:
        """The flags of all these cells in words, each once: "disturbed: ..."; empty where nothing disturbed them."""
        seen = dict.fromkeys(flag for record in records for flag in self.flags(record))
        return f"disturbed: {', '.join(seen)}" if seen else ""

    def age(self, records: Iterable[Record]) -> str:
        """ "older method" where one of these cells was made by another method or other code than today's."""
        return OLDER if any(record.status == "ok" and cells.is_older_method(record) for record in records) else ""

    def self_test(self, session: SessionResults | None) -> SelfTest | None:
        """A session against itself, or None when no headline cell has two runs in each half."""
        if id(session) not in self._self_tests:
            self._self_tests[id(session)] = self._self_test(session)
        return self._self_tests[id(session)]

    def _self_test(self, session: SessionResults | None) -> SelfTest | None:
        tested = [
            (record, against)
            for record in self.records(session, headline=True, status="ok")
            if (against := evidence_self_test.against_itself(record)) is not None
        ]
        if not tested:
            return None
        full = [pair for pair in tested if not pair[1].is_weak]
        planned = max(full, key=lambda pair: (pair[1].n_even + pair[1].n_odd, pair[0].cell.id), default=None)
        return SelfTest(planned, tuple(tested))

    def has_passed_self_test(self, session: SessionResults | None) -> bool | None:
        """Whether a session agrees with itself; None when it was not tested."""
        found = self.self_test(session)
        return None if found is None else found.passed

    def failure(
        self, session: SessionResults | None, workload: str, mode: Mode = "train", device: Device = "cpu", **fields: Any
    ) -> Record | None:
        """The record that says why ``best`` is None, if there is one; ``fields`` as for ``candidates``."""
        found = self.candidates(session, workload, mode, device, **fields)
        return None if any(r.status == "ok" for r in found) else next(iter(found), None)

    def record_speedup(self, first: Record, second: Record, quantity: Quantity = "throughput") -> Estimate | None:
        """How many times faster the first record is than the second: above 1, the first is ahead.

        Of two that were not measured in turn the interval holds the machine's drift over hours, where that is known.

        Raises:
            ComparisonError: the two come from different sessions, or from different methods.
        """
        one, other = self.session_of(first), self.session_of(second)
        if one is not other:
            names = " and ".join(f"{self.key(s)}/{s.session.id}" for s in (one, other))
            msg = f"no ratio across sessions: {first.cell.id} and {second.cell.id} were measured in {names}"
            raise ComparisonError(msg)
        row = quantities.QUANTITIES[quantity]
        if row.less_is_better:
            first, second = second, first
        found = quantities.ratio(first, second, quantity)
        return self.with_drift(found, first, second) if found is not None and row.is_timed else found

    def with_drift(self, ratio: Estimate, first: Record, second: Record) -> Estimate:
        """A ratio of two cells of one machine; measured hours apart, its interval holds the drift of both."""
        sd = self.drift(self.session_of(first)) if drift.are_apart(first, second) else None
        return ratio if sd is None else drift.widened(ratio, math.sqrt(2) * sd)

    def order(self, first: tuple[Record, Estimate], second: tuple[Record, Estimate]) -> Order:
        """How the first cell stands to the second by a rate or a time of both.

        Their intervals decide (``stats.compare``); of cells measured hours apart each holds the machine's drift.
        """
        (one, mine), (other, theirs) = first, second
        sd = self.drift(self.session_of(one)) if drift.are_apart(one, other) else None
        return stats_estimate.compare(
            *((mine, theirs) if sd is None else (drift.widened(e, sd) for e in (mine, theirs)))
        )

    def drift(self, session: SessionResults) -> float | None:
        """How far this machine's headline cells move between sessions, see ``drift.scatter``; None if none repeats.

        Repeats did the same work by the same method under the same versions, and were not disturbed.
        """
        key = self.key(session)
        if key not in self._drifts:
            repeats: dict[tuple[Any, ...], list[Estimate]] = {}
            for other in self.sessions:
                if self.key(other) != key:
                    continue
                for record in self.records(other, headline=True, status="ok"):
                    speed = quantities.flop_rate(record) or quantities.throughput(record)
                    if speed is not None and not self.flags(record):
                        known = other.session.versions
                        versions = (known.get("keras"), known.get(record.cell.backend))
                        same = (record.cell.id, versions, record.source_hash, record.numbers_method)
                        repeats.setdefault(same, []).append(speed)
            self._drifts[key] = drift.scatter(repeats.values())
        return self._drifts[key]

    def distance(self, records: Sequence[Record]) -> str:
        """ "measured 6 h apart" of two cells that were not measured in turn, else empty."""
        if len(records) != 2 or not drift.are_apart(*records):
            return ""
        return f"measured {fmt.seconds(drift.gap_s(*records))} apart"

    def cell_ratio(
        self, session: SessionResults, first: str, second: str, quantity: Quantity = "throughput"
    ) -> Estimate | None:
        """How many times faster one cell of a session is than another, both given by id; None unless both exist."""
        one, other = session.records.get(first), session.records.get(second)
        return None if one is None or other is None else self.record_speedup(one, other, quantity)

    def speedup(
        self, session: SessionResults | None, workload: str, mode: Mode = "train", **options: Any
    ) -> Estimate | None:
        """How many times faster the GPU is than the CPU on a workload; options as for ``best_contrast``."""
        found = self.best_contrast(session, workload, mode, **options)
        return None if found is None else found.speedup

    def contrast(
        self,
        session: SessionResults | None,
        workload: str,
        mode: Mode = "train",
        *,
        backend: Backend | None = None,
        params: Mapping[str, Scalar] | None = None,
        batch_size: int | None = None,
        precision: Precision = "float32-strict",
        quantity: Quantity = "throughput",
    ) -> Contrast | None:
        """GPU against CPU in one session, like for like: on each side the best arm of one and the same variant.

        ``precision`` is the GPU's; the CPU's is always float32. How many times faster a GPU is for its owner says
        ``best_contrast``.
        """
        gpu = self.best(
            session, workload, mode, "gpu", backend=backend, params=params, batch_size=batch_size, precision=precision,
            by=quantity,
        )  # fmt: skip
        if session is None or gpu is None:
            return None
        same = [
            record
            for record in self.records(
                session, workload=workload, mode=mode, device="cpu", backend=backend, precision="float32-strict"
            )
            if cells.variant_key(record) == cells.variant_key(gpu)
        ]
        n_threads = max((record.cell.threads for record in same), default=0)
        cpu = cells.fastest(self.undisturbed([record for record in same if record.cell.threads == n_threads]), quantity)
        speedup = None if cpu is None else self.record_speedup(gpu, cpu, quantity)
        return None if cpu is None or speedup is None else Contrast(session, gpu, cpu, speedup)

    def best_contrast(
        self,
        session: SessionResults | None,
        workload: str,
        mode: Mode = "train",
        *,
        backend: Backend | None = None,
        params: Mapping[str, Scalar] | None = None,
        batch_size: int | None = None,
    ) -> Contrast | None:
        """GPU against CPU in one session on one network, each as its owner would use it.

        Each side is its fastest cell in samples per second over batch sizes (unless one is given), usual precisions,
        backends and jit arms. Usual is every precision that the device has instructions for: sixteen bits take one
        line on either device, so leaving them out on a CPU that computes in them would favour the GPU, and a CPU that
        only emulates them gains nothing that anyone would use. The network is the headline's unless ``params``, which
        may be a part, say another. None unless both sides were measured.

        Raises:
            ComparisonError: the two fastest were made by different methods or different code.
        """
        gpus, cpus = (
            self.records(
                session, workload=workload, mode=mode, device=device, backend=backend, params=params,
                batch_size=batch_size, status="ok",
            )
            for device in ("gpu", "cpu")
        )  # fmt: skip
        network = self._network(gpus, cpus, only_headline=params is None)
        gpu, cpu = (self._fastest_usual(records, network) for records in (gpus, cpus))
        if session is None or gpu is None or cpu is None:
            return None
        speedup = self.record_speedup(gpu, cpu)
        return None if speedup is None else Contrast(session, gpu, cpu, speedup)

    def _network(self, gpus: Sequence[Record], cpus: Sequence[Record], *, only_headline: bool) -> str | None:
        """The first network in the order of its variants that both devices ran; the headline's before the others."""
        both = {cells.network_of(r) for r in gpus} & {cells.network_of(r) for r in cpus}
        for record in sorted(
            (*gpus, *cpus), key=lambda r: (not cells.is_of_headline(r), cells.position_of(r), r.cell.id)
        ):
            if only_headline and not cells.is_of_headline(record):
                return None
            if cells.network_of(record) in both:
                return cells.network_of(record)
        return None

    def _fastest_usual(self, records: Sequence[Record], network: str | None) -> Record | None:
        """The fastest of a network's records in a usual precision, at the most threads used for it."""
        same = [record for record in records if cells.network_of(record) == network and self._is_native(record)]
        n_threads = max((record.cell.threads for record in same), default=0)
        return cells.fastest(self.undisturbed([record for record in same if record.cell.threads == n_threads]))

    def frame(self) -> pl.DataFrame:
        """One row per session and cell, derived columns included; null where not measured, never 0 or infinite."""
        return self._frame

    @cached_property
    def _frame(self) -> pl.DataFrame:
        import polars as pl

        rows = [self._row(session, record) for session in self.sessions for record in session.records.values()]
        return pl.DataFrame(rows, schema={name: getattr(pl, type_) for name, type_ in FRAME_COLUMNS.items()})

    def _row(self, session: SessionResults, record: Record) -> dict[str, Any]:
        cell = record.cell
        throughput = quantities.throughput(record)
        row: dict[str, Any] = {
            "machine_id": session.machine.id,
            "machine": self.key(session),
            "machine_label": self.label(session),
            "cpu": self.cpu_text(session, record),
            "gpu": self.gpu_text(session),
            "session_id": session.session.id,
            "profile": record.profile,
            "is_local": session.is_local,
            "is_lead": session is self.lead,
            "workload": cell.workload,
            "title": self.title(cell.workload),
            "sample_noun": self.noun(cell.workload),
            "kind": record.spec.kind,
            "mode": cell.mode,
            "backend": cell.backend,
            "device": cell.device,
            "precision": cell.precision,
            "jit": cell.jit,
            "batch_size": cell.batch_size,
            "n_samples": cell.n_samples,
            "threads": cell.threads,
            "params": json.dumps(dict(cell.params), sort_keys=True),
            "params_text": fmt.params(cell.params),
            "status": record.status,
            "reason": record.reason,
            "headline": cells.is_headline(record),
            "cell_id": cell.id,
            "n_params": quantities.n_params(record),
            "n_runs": throughput.n if throughput else 0,
            "spread_frac": _finite(throughput.spread_frac) if throughput else None,
        }
        for name, estimate in (
            ("samples_per_s", throughput),
            ("step_s", quantities.step_time(record)),
            ("latency_s", quantities.latency(record)),
            ("first_step_s", quantities.first_step(record)),
            ("start_up_s", quantities.start_up(record)),
            ("job_s", quantities.job_time(record)),
            ("time_to_target_s", quantities.time_to_target(record)),
            ("flop_per_s", quantities.flop_rate(record)),
            ("peak_host_bytes", quantities.peak_host_bytes(record)),
            ("peak_device_bytes", quantities.peak_device_bytes(record)),
            ("reached_frac", quantities.reached_frac(record)),
        ):
            row |= _columns(name, estimate)
        for phase in PHASES:
            if phase != "first_step":
                row |= _columns(f"{phase}_s", quantities.phase_time(record, phase))
        return row

    def _n_measured(self, session: SessionResults) -> int:
        """How many workloads have a measured cell in the session."""
        return len({r.cell.workload for r in session.records.values() if r.status == "ok"})

    def _is_full(self, session: SessionResults) -> bool:
        return self._n_measured(session) >= FEW_WORKLOADS_FRAC * len(self.workloads)

    def _is_full_of_its_own(self, session: SessionResults) -> bool:
        """Whether it has enough of the cells that the fullest session of its machine has, to speak for that machine."""
        same = [other for other in self._answering if self.key(other) == self.key(session)]
        return _n_cells(session) >= FEW_WORKLOADS_FRAC * max(map(_n_cells, same))

    def _rank(self, session: SessionResults) -> tuple[Any, ...]:
        described = session.session
        return (
            self._is_full(session),
            self._is_full_of_its_own(session),
            PROFILE_RANK[described.profile],
            self.has_gpu(session),
            described.started_at,
            self.key(session),
        )


def _n_cells(session: SessionResults) -> int:
    return sum(record.status == "ok" for record in session.records.values())


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: _finite(estimate.value), f"{name}_low": _finite(estimate.low), f"{name}_high": _finite(estimate.high)}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


_ESTIMATE_COLUMNS = (
    "samples_per_s",
    "step_s",
    "latency_s",
    "first_step_s",
    "start_up_s",
    "job_s",
    "time_to_target_s",
    "flop_per_s",
    "peak_host_bytes",
    "peak_device_bytes",
    "reached_frac",
    *(f"{phase}_s" for phase in PHASES if phase != "first_step"),
)
# Column and polars type of Evidence.frame; each estimate also has its "_low" and "_high".
FRAME_COLUMNS: dict[str, str] = {
    **dict.fromkeys(("machine_id", "machine", "machine_label", "cpu", "gpu", "session_id", "profile"), "String"),
    **dict.fromkeys(("is_local", "is_lead"), "Boolean"),
    **dict.fromkeys(("workload", "title", "sample_noun", "kind", "mode", "backend", "device"), "String"),
    **dict.fromkeys(("precision", "jit"), "String"),
    **dict.fromkeys(("batch_size", "n_samples", "threads"), "Int64"),
    **dict.fromkeys(("params", "params_text", "status", "reason"), "String"),
    "headline": "Boolean",
    "cell_id": "String",
    **dict.fromkeys(("n_params", "n_runs"), "Int64"),
    "spread_frac": "Float64",
    **{f"{name}{end}": "Float64" for name in _ESTIMATE_COLUMNS for end in ("", "_low", "_high")},
}
