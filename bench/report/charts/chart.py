"""What a chart is: its scope, its picture, the drawing made of it, and the registry of chart functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from bench.records.store import SessionResults
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import NOT_MEASURED, OURS
from bench.report.evidence.evidence import Evidence
from bench.schema import BACKENDS, DEVICES

# One bar of "where the time goes" is set-up, first step and as many steady steps as make a short training job.
N_STEADY_STEPS = 100
NO_GPU = "none in this machine"

EVERY = "every arm"


class ChartError(LookupError):
    """A chart that does not exist; the message names near ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A published speed-up to draw beside ours: whose workload, how large, and where it comes from."""

    workload: str
    value: float
    label: str


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
    session: SessionResults | None

    @property
    def key(self) -> str:
        """Name of the drawing's files: the id, and the workload where it is about one."""
        return f"{self.id}--{self.workload}" if self.workload else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a chart is to show: one session, one workload or all, and published figures where it takes them."""

    evidence: Evidence
    session: SessionResults | None
    workload: str = ""
    others: tuple[Other, ...] = ()

    def rows(self, **equal: Any) -> list[dict[str, Any]]:
        """Rows of the session's frame whose columns have these values."""
        if self.session is None:
            return []
        machine, session = self.session.machine.id, self.session.session.id
        return [
            row
            for row in _frame_rows(self.evidence)
            if row["machine_id"] == machine
            and row["session_id"] == session
            and row["is_local"] == self.session.is_local
            and all(row[key] == value for key, value in equal.items())
        ]

    def has_gpu(self) -> bool:
        """Whether any cell of the session was meant for a GPU."""
        return bool(self.rows(device="gpu"))

    def devices(self) -> tuple[str, ...]:
        """The CPU always, the GPU where the session has one."""
        return DEVICES if self.has_gpu() else DEVICES[:1]

    def backends(self) -> tuple[str, ...]:
        """The backends that the session ran."""
        return self.evidence.view(self.session).backends

    def place(self) -> str:
        """The machine in words."""
        if self.session is None:
            return ""
        beside = f"{self.evidence.view(self.session).gpu_text()} and " if self.has_gpu() else ""
        return f" on {beside}{self.session.machine.cpu_model}"

    def without_gpu(self) -> str:
        """Why a machine that has no GPU shows none: nobody measured one yet, or this machine has none."""
        return NO_GPU if self.evidence.gpu_session() is not None else NOT_MEASURED

    def title_of(self, workload: str) -> str:
        """A workload's title."""
        spec = self.evidence.workloads.get(workload)
        return spec.title if spec else workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a chart function returns: its words, its rows, and a painter for a width."""

    title: str
    description: str
    rows: list[dict[str, Any]]
    paint: Callable[[bool], alt.Chart | alt.LayerChart]
    says_enough: bool = True  # of a machine that is drawn for its GPU: whether it has what the chart is about

    def n_on_gpu(self) -> int:
        """Marks measured on a GPU."""
        return sum(is_on_gpu(row) for row in self.rows)


def is_on_gpu(row: Mapping[str, Any]) -> bool:
    """Whether a row of any chart holds a value of a GPU."""
    if "phase" in row:
        return row["start"] is not None and row["phase"] == STEADY["gpu"]
    if "compares" in row:
        return row["compares"] and row["value"] is not None
    known = (*OURS, *(axes.series("gpu", backend) for backend in BACKENDS))
    return row["value"] is not None and row["series"] in known


CHARTS: dict[str, Callable[[Scope], Picture]] = {}


def chart(chart_id: str) -> Callable[[Callable[[Scope], Picture]], Callable[[Scope], Picture]]:
    """Register a chart function under a permanent id."""

    def register(function: Callable[[Scope], Picture]) -> Callable[[Scope], Picture]:
        CHARTS[chart_id] = function
        return function

    return register


def ids() -> tuple[str, ...]:
    """Ids of all charts."""
    return tuple(CHARTS)


# Rows: what each chart draws, one dict per mark. A row without a value carries a note, drawn in the mark's place.


def _frame_rows(evidence: Evidence) -> list[dict[str, Any]]:
    cached = _FRAMES.get(id(evidence))
    if cached is None or cached[0] is not evidence:
        _FRAMES.clear()
        cached = _FRAMES[id(evidence)] = (evidence, evidence.frame().to_dicts())
    return cached[1]


_FRAMES: dict[int, tuple[Evidence, list[dict[str, Any]]]] = {}
STEADY = {device: f"{N_STEADY_STEPS} steady steps, {device.upper()}" for device in DEVICES}
