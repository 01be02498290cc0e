"""What a chart is: its scope, its picture, the drawing made of it, and the registry of chart functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.records.store import SessionResults
from bench.report.charts.paint.axes import Layers
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.tables.table import TableScope
from bench.schema import DEVICES, Backend, Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A published speed-up to draw beside ours: whose workload, how large, of what, and who published it."""

    workload: str
    value: float
    label: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart ready to render: two specifications, what they show in words, and the values in them."""

    id: str
    workload: str
    title: str
    description: str
    wide: dict[str, Any]
    narrow: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    session: SessionResults | None  # whose records it shows; None where it shows none of ours
    note: str = ""

    @property
    def key(self) -> str:
        """Name of the drawing's files: the id, and the workload where it is about one."""
        return f"{self.id}--{self.workload}" if self.workload else self.id

    def spec(self, kind: str) -> dict[str, Any]:
        """The specification of a kind, "wide" or "narrow"."""
        return self.wide if kind == "wide" else self.narrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a chart is to show: one session, one workload or all, and published figures where it takes them."""

    evidence: Evidence
    session: SessionResults | None
    workload: str = ""
    others: tuple[Other, ...] = ()

    @property
    def of_table(self) -> TableScope:
        """The same as the scope of a table, for the rows that both show."""
        return TableScope(
            evidence=self.evidence,
            sessions=() if self.session is None else (self.session,),
            workloads=(self.workload,) if self.workload else tuple(self.evidence.workloads),
        )

    def has_gpu(self) -> bool:
        """Whether any cell of the session was meant for a GPU."""
        return bool(self.evidence.view(self.session).records(Pick(device="gpu")))

    def devices(self) -> tuple[Device, ...]:
        """The CPU always, the GPU where the session has one."""
        return DEVICES if self.has_gpu() else DEVICES[:1]

    def backends(self) -> tuple[Backend, ...]:
        """The backends that the session ran."""
        return self.evidence.view(self.session).backends

    def place(self) -> str:
        """The machine in words."""
        if self.session is None:
            return ""
        beside = f"{self.evidence.view(self.session).gpu_text()} and " if self.has_gpu() else ""
        return f" on {beside}{self.session.machine.cpu_model}"

    def title_of(self, workload: str) -> str:
        """A workload's title without the size of its pictures."""
        spec = self.evidence.workloads.get(workload)
        return spec.title.partition(", ")[0] if spec else workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a chart function returns: its words, its marks, and a painter for a width.

    Each mark is the row of a table of data, with the addresses of the cells behind it under ``cells``.
    """

    title: str
    description: str
    rows: list[dict[str, Any]]
    paint: Callable[[bool], Layers]
    note: str = ""  # below the title: what is shown, in a student's words; where and when stand beside it
    says_enough: bool = True  # of a machine that is drawn for its GPU: whether it has what the chart is about

    def shows_gpu(self, evidence: Evidence) -> bool:
        """Whether a mark rests on a cell of a GPU."""
        refs = dict.fromkeys(ref for row in self.rows for ref in row["cells"])
        return any(session.records[cell].cell.device == "gpu" for session, cell in evidence.resolve(refs))


Maker = Callable[[Scope], Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A registered chart function.

    ``about_gpu`` says that its point is what a GPU changes: it is drawn of a machine with one wherever that has the
    records, whichever machine leads. The page of a workload for which ``of_workload`` holds shows the chart of that
    workload, those with a lower ``place`` first.
    """

    make: Maker
    about_gpu: bool
    of_workload: Callable[[TableScope], bool]
    place: int


CHARTS: dict[str, Chart] = {}


def chart(
    chart_id: str,
    *,
    about_gpu: bool = False,
    of_workload: Callable[[TableScope], bool] = lambda scope: False,
    place: int = 0,
) -> Callable[[Maker], Maker]:
    """Register a chart function under a permanent id; the rest as for ``Chart``."""

    def register(function: Maker) -> Maker:
        CHARTS[chart_id] = Chart(make=function, about_gpu=about_gpu, of_workload=of_workload, place=place)
        return function

    return register


def ids() -> tuple[str, ...]:
    """Ids of all charts."""
    return tuple(CHARTS)


def of_workload(scope: TableScope) -> list[str]:
    """Ids of the charts on a workload's page, in their order there; the scope has that workload alone."""
    shown = [id_ for id_, one in CHARTS.items() if one.of_workload(scope)]
    return sorted(shown, key=lambda id_: CHARTS[id_].place)
