"""One session as seen: its machine in words, its records, and which of them speaks for a workload. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from bench import grouped
from bench.records.store import SessionResults
from bench.report.evidence import cells, drift, self_test
from bench.report.evidence.cells import LOCAL_PREFIX, Contrast
from bench.report.stats import format as fmt
from bench.report.stats import quantities, reads
from bench.report.stats.estimate import Estimate
from bench.report.stats.reads import kept_property, noted_property
from bench.schema import BACKENDS, Backend, Device, Jit, Mode, Precision, Record, Scalar, Status

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence

STRICT: Precision = "float32-strict"
OF = " of "  # in the name of what follows from a session: "drift of m/2026-11-21"


class Pick(msgspec.Struct, frozen=True):
    """Which cells of a session: those that agree in every field that is not None; ``params`` may be a part of theirs.

    Where one cell is to speak for a workload, what is left open is that of usual training: on the CPU, in float32.
    """

    workload: str | None = None
    mode: Mode | None = None
    device: Device | None = None
    backend: Backend | None = None
    precision: Precision | None = None
    jit: Jit | None = None
    batch_size: int | None = None
    params: Mapping[str, Scalar] | None = None
    headline: bool | None = None
    status: Status | None = None

    def but(self, **fields: Any) -> Pick:
        """The same with other fields."""
        return msgspec.structs.replace(self, **fields)


ANY = Pick()
OF_CELLS = ("workload", "mode", "device", "backend", "precision", "jit", "batch_size")


def _key(pick: Pick) -> tuple[Any, ...]:
    """A pick as a key of a dict."""
    return (*msgspec.structs.astuple(msgspec.structs.replace(pick, params=None)), *sorted((pick.params or {}).items()))


def _generation(family: str) -> tuple[str, int]:
    """Vendor and number of a CPU's family, as "AuthenticAMD 25/1/1" has them; -1 where it has none."""
    vendor, _, numbers = family.rpartition(" ")
    first = numbers.partition("/")[0]
    return vendor, int(first) if first.isdigit() else -1


class View:
    """A session, and the questions that pages ask of it. Everything is None or empty where nothing was measured."""

    def __init__(self, evidence: Evidence, session: SessionResults | None) -> None:
        """The view of no session has no records."""
        self.evidence = evidence
        self.session = session
        self._by_workload: dict[str | None, tuple[Record, ...]] = {}
        self._by_pick: dict[tuple[Any, ...], tuple[Record, ...]] = {}
        self._undisturbed: dict[tuple[Any, ...], tuple[tuple[Record, ...], reads.Names]] = {}

    @property
    def described(self) -> SessionResults:
        """The session.

        Raises:
            LookupError: there is none.
        """
        if self.session is None:
            raise LookupError("there is no session that has a machine")
        return self.session

    @property
    def key(self) -> str:
        """The machine's name in addresses: its id, with "local-" before it when not published."""
        return f"{LOCAL_PREFIX if self.described.is_local else ''}{self.described.machine.id}"

    @property
    def label(self) -> str:
        """The machine in words: "this machine" for the owner's own, else its id."""
        return "this machine" if self.described.is_local else self.described.machine.id

    @kept_property
    def has_gpu(self) -> bool:
        """Whether a cell was measured on a GPU."""
        return bool(self.records(Pick(device="gpu", status="ok")))

    @kept_property
    def backends(self) -> tuple[Backend, ...]:
        """Backends with a record, whatever became of it; all where there is none."""
        used = {record.cell.backend for record in self.records()}
        return tuple(backend for backend in BACKENDS if backend in used) or BACKENDS

    @kept_property
    def cpu(self) -> str:
        """The CPU in a sentence; "older", "newer" or "other" tells it from a namesake that is shown before it."""
        own = self.described.machine
        name = fmt.cpu(own.cpu_model)
        for before in itertools.takewhile(lambda one: self.evidence.view(one).key != self.key, self.evidence.shown):
            other = before.machine
            if fmt.cpu(other.cpu_model) != name or other.cpu_family == own.cpu_family:
                continue
            (vendor, mine), (their_vendor, theirs) = map(_generation, (own.cpu_family, other.cpu_family))
            is_order = vendor == their_vendor and mine != theirs
            return f"{('older' if mine < theirs else 'newer') if is_order else 'other'} {name}"
        return name

    def cpu_text(self, record: Record | None = None) -> str:
        """The denominator of a speed-up: CPU model and the cores in use."""
        n = self.described.session.n_cores_effective if record is None else record.cell.threads
        return f"{self.cpu}, {fmt.cores(n)}"

    def cores_text(self, record: Record | None = None) -> str:
        """The same as a sentence says it: "2 cores of an Example CPU"."""
        n = self.described.session.n_cores_effective if record is None else record.cell.threads
        return f"{fmt.cores(n)} of {fmt.with_article(self.cpu)}"

    def gpu_text(self, record: Record | None = None) -> str:
        """The machine's GPUs by name, of a record those that its cell used; empty when there is none."""
        names = [gpu.name for gpu in self.described.machine.gpus]
        if record is not None and len(set(names)) > 1:  # the driver's list does not tell which of unlike ones ran
            seen = [run.observed.device_name for run in record.runs if run.observed is not None]
            names = seen[:1] * record.cell.n_gpus or names
        elif record is not None:
            names = names[: record.cell.n_gpus]
        return ", ".join(f"{names.count(n)} x {n}" if names.count(n) > 1 else n for n in dict.fromkeys(names))

    @property
    def words(self) -> str:
        """The machine: its GPU, where one was measured, its CPU and the cores used."""
        return f"{self.gpu_text()} beside {self.cpu_text()}" if self.has_gpu else self.cpu_text()

    def records(self, pick: Pick = ANY) -> tuple[Record, ...]:
        """The records of a pick, in order of their ids; looked up once."""
        key = _key(pick)
        if key not in self._by_pick:
            self._by_pick[key] = self._records(pick)
        return self._by_pick[key]

    def undisturbed(self, pick: Pick) -> tuple[Record, ...]:
        """The measured records of a pick without those that were disturbed, see ``Evidence``; looked up once."""
        measured = self.records(pick.but(status="ok"))
        return reads.kept(self._undisturbed, _key(pick), lambda: self.evidence.undisturbed(measured))

    def _records(self, pick: Pick) -> tuple[Record, ...]:
        wanted = {name: value for name in OF_CELLS if (value := getattr(pick, name)) is not None}
        return tuple(
            record
            for record in self._all(pick.workload)
            if all(getattr(record.cell, name) == value for name, value in wanted.items())
            and (pick.status is None or record.status == pick.status)
            and (pick.headline is None or cells.is_headline(record) == pick.headline)
            and all(record.cell.params.get(name) == value for name, value in (pick.params or {}).items())
        )

    def _all(self, workload: str | None) -> tuple[Record, ...]:
        """All records, or those of one workload; looked up once."""
        if workload not in self._by_workload:
            self._by_workload[workload] = tuple(
                record
                for _, record in sorted(self.session.records.items() if self.session else ())
                if workload is None or record.cell.workload == workload
            )
        return self._by_workload[workload]

    def candidates(self, pick: Pick) -> tuple[Record, ...]:
        """Records of any status that ``best`` chooses among: one variant's cells, at the most threads used for it.

        Without ``params`` or ``batch_size`` that is the first headline variant that has a measured record, else the
        first that has any; of a mode for which the workload declares no headline, its first variant. With them, a
        headline variant that agrees, else every cell that agrees. Looked up once.
        """
        key = ("candidates", *_key(pick))
        if key not in self._by_pick:
            self._by_pick[key] = self._candidates(pick)
        return self._by_pick[key]

    def _candidates(self, pick: Pick) -> tuple[Record, ...]:
        mode = pick.mode or "train"
        found = self.records(pick.but(mode=mode, device=pick.device or "cpu", precision=pick.precision or STRICT))
        first = [record for record in found if cells.is_headline(record)]
        if not first and pick.params is None and pick.batch_size is None:
            if any(v.headline and v.mode == mode for record in found for v in cells.variants_of(record)):
                return ()
            first = [record for record in found if cells.position_of(record) < len(cells.variants_of(record))]
        ordered = sorted(first, key=cells.position_of) or found
        groups = grouped(ordered, lambda record: cells.variant_key(record) if first else None)
        chosen = next((g for g in groups.values() if any(r.status == "ok" for r in g)), None)
        return most_threads(chosen or next(iter(groups.values()), []))

    def best(self, pick: Pick, by: str = "throughput") -> Record | None:
        """The cell that speaks for a workload: its best jit arm, and best backend unless one is given.

        The choice is made among ``candidates`` by the estimate's value; ties go to the first id. A cell that was
        disturbed (``Evidence.flags``) is chosen only where no undisturbed one was measured.
        """
        return cells.fastest(self.evidence.undisturbed(self.candidates(pick)), by)

    def failure(self, pick: Pick) -> Record | None:
        """The record that says why ``best`` is None, if there is one."""
        found = self.candidates(pick)
        return None if any(r.status == "ok" for r in found) else next(iter(found), None)

    def usual(self, pick: Pick) -> Record | None:
        """The cell that speaks for a study: its headline variant, or that of ``params``, on the most threads.

        A disturbed cell speaks only where there is no other.
        """
        found = self.evidence.undisturbed(self.candidates(pick.but(mode="study")))
        return next((record for record in found if record.status == "ok"), None)

    def cell_ratio(self, first: str, second: str, quantity: str = "throughput") -> Estimate | None:
        """How many times faster one cell is than another, both given by id; None unless both exist."""
        known = self.session.records if self.session else {}
        one, other = known.get(first), known.get(second)
        return None if one is None or other is None else self.evidence.record_speedup(one, other, quantity)

    def contrast(self, pick: Pick) -> Contrast | None:
        """GPU against CPU, like for like: on each side the best arm of one and the same variant.

        The precision is the GPU's; the CPU's is always float32. How many times faster a GPU is for its owner says
        ``best_contrast``.
        """
        gpu = self.best(pick.but(device="gpu"))
        if self.session is None or gpu is None:
            return None
        on_cpu = Pick(pick.workload, gpu.cell.mode, "cpu", pick.backend, STRICT)
        same = [record for record in self.records(on_cpu) if cells.variant_key(record) == cells.variant_key(gpu)]
        cpu = cells.fastest(self.evidence.undisturbed(most_threads(same)))
        speedup = None if cpu is None else self.evidence.record_speedup(gpu, cpu)
        return None if cpu is None or speedup is None else Contrast(self.session, gpu, cpu, speedup)

    def best_contrast(self, pick: Pick) -> Contrast | None:
        """GPU against CPU on one network, each as its owner would use it.

        Each side is its fastest cell in samples per second over batch sizes (unless one is given), usual precisions,
        backends and jit arms. Usual is every precision that the device has instructions for: sixteen bits take one
        line on either device, so leaving them out on a CPU that computes in them would favour the GPU, and a CPU that
        only emulates them gains nothing that anyone would use. The network is the headline's unless ``params``, which
        may be a part, say another. None unless both sides were measured.

        Raises:
            ComparisonError: the two fastest were made by different methods or different code.
        """
        pick = pick.but(mode=pick.mode or "train", status="ok")
        gpus, cpus = self.records(pick.but(device="gpu")), self.records(pick.but(device="cpu"))
        network = _network(gpus, cpus, only_headline=pick.params is None)
        gpu, cpu = (self._fastest_usual(records, network) for records in (gpus, cpus))
        if self.session is None or gpu is None or cpu is None:
            return None
        speedup = self.evidence.record_speedup(gpu, cpu)
        return None if speedup is None else Contrast(self.session, gpu, cpu, speedup)

    def _fastest_usual(self, records: Sequence[Record], network: str | None) -> Record | None:
        """The fastest of a network's records in a usual precision, at the most threads used for it."""
        same = [r for r in records if cells.network_of(r) == network and self.evidence.is_native(r)]
        return cells.fastest(self.evidence.undisturbed(most_threads(same)))

    def name_of(self, value: str) -> str:
        """What a value of the whole session is noted as when it is read; empty where its records are."""
        return f"{value}{OF}{self.described.path}" if self.evidence.is_noted and self.session else ""

    @noted_property
    def control_rate(self) -> float:
        """Operations a second of the control kernel, which every machine runs, at its fastest; 0 where none has it."""
        controls = (run.control_before for record in self.records() for run in record.runs)
        return max((2 * one.n**3 / min(one.seconds) for one in controls if one is not None), default=0.0)

    @kept_property
    def self_test(self) -> self_test.SelfTest | None:
        """The session against itself, or None when no headline cell has two runs in each half."""
        tested = [
            (record, against)
            for record in self.records(Pick(headline=True, status="ok"))
            if (against := self_test.against_itself(record)) is not None
        ]
        if not tested:
            return None
        full = [pair for pair in tested if not pair[1].is_weak]
        planned = max(full, key=lambda pair: (pair[1].n_even + pair[1].n_odd, pair[0].cell.id), default=None)
        return self_test.SelfTest(planned, tuple(tested))

    @noted_property
    def has_passed_self_test(self) -> bool | None:
        """Whether the session agrees with itself; None when it was not tested."""
        return None if self.self_test is None else self.self_test.passed

    @noted_property
    def drift(self) -> float | None:
        """How far this machine's headline cells move between sessions, see ``drift.scatter``; None if none repeats.

        Repeats did the same work by the same method under the same versions, and were not disturbed.
        """
        repeats: dict[tuple[Any, ...], list[Estimate]] = {}
        for other in map(self.evidence.view, self.evidence.sessions):
            if other.key != self.key:
                continue
            for record in other.records(Pick(headline=True, status="ok")):
                speed = quantities.flop_rate(record) or quantities.throughput(record)
                if speed is not None and not self.evidence.flags(record):
                    known = other.described.session.versions
                    versions = (known.get("keras"), known.get(record.cell.backend))
                    same = (record.cell.id, versions, record.source_hash, record.numbers_method)
                    repeats.setdefault(same, []).append(speed)
        return drift.scatter(repeats.values())


def most_threads(records: Sequence[Record]) -> tuple[Record, ...]:
    """Those of the records that used the most threads of any."""
    most = max((record.cell.threads for record in records), default=0)
    return tuple(record for record in records if record.cell.threads == most)


def _network(gpus: Sequence[Record], cpus: Sequence[Record], *, only_headline: bool) -> str | None:
    """The first network in the order of its variants that both devices ran; the headline's before the others."""
    both = {cells.network_of(r) for r in gpus} & {cells.network_of(r) for r in cpus}
    for record in sorted((*gpus, *cpus), key=lambda r: (not cells.is_of_headline(r), cells.position_of(r), r.cell.id)):
        if only_headline and not cells.is_of_headline(record):
            return None
        if cells.network_of(record) in both:
            return cells.network_of(record)
    return None
