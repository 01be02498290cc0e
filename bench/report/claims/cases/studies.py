"""Cases from the readings of studies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.records.store import SessionResults
from bench.report.claims.case import Case, case_of
from bench.report.claims.cases import names
from bench.report.claims.cases.names import maker
from bench.report.evidence import rooflines
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import estimate, quantities, studies
from bench.report.stats import format as fmt
from bench.schema import Device, Precision, Record


@maker
def tiny_values(evidence: Evidence) -> list[Case]:
    """Time of each operation on tiny values over that on usual ones."""
    return [
        case
        for item in (evidence.workloads["denormals"].series if "denormals" in evidence.workloads else ())
        if item.id.endswith("-tiny")
        for case in study_ratio(
            evidence,
            workload="denormals",
            series=item.id,
            baseline=f"{item.id.removesuffix('-tiny')}-normal",
            named=item.label.removesuffix(", tiny values"),
        )
    ]


@maker
def study_ratio(
    evidence: Evidence, *, workload: str, series: str, baseline: str, device: Device | None = None, named: str = ""
) -> list[Case]:
    """Seconds of a call of one series over those of another, in every cell of a study.

    Args:
        named: what the series is, where several are counted.
    """
    return [
        case_of(_study_name(evidence, record, session, named), ratio, evidence.refs(record))
        for session, record in _study_records(evidence, workload, device)
        if (ratio := studies.call_ratio(record, series, baseline)) is not None
    ]


@maker
def share_of_product(evidence: Evidence, *, workload: str) -> list[Case]:
    """Arithmetic of writing tokens in float32, two operations a weight, over the fastest product on as many cores."""
    found = []
    for session, record in _study_records(evidence, workload, None):
        best = rooflines.ceiling(evidence, session, record.cell.device)
        settings = (record.cell.threads, record.cell.precision)
        if best is None or (best.cell.threads, best.cell.precision) != settings:
            continue
        written, size = (studies.reading(record, name) for name in ("tokens-per-s", "weight-bytes"))
        rate = quantities.flop_rate(best)
        if written is not None and size is not None and rate is not None:
            share = estimate.over(estimate.times(written, 2 * size.value / 4, "flop_per_s"), rate, "frac")
            found.append(case_of(_study_name(evidence, record, session), share, evidence.refs(record, best)))
    return found


@maker
def study_reading(
    evidence: Evidence,
    *,
    workload: str,
    reading: str,
    device: Device | None = None,
    least: Mapping[str, float] | None = None,
) -> list[Case]:
    """A reading of every cell of a study.

    Args:
        least: of parameters of a cell, the least values with which it counts.
    """
    return [
        case_of(_study_name(evidence, record, session), value, evidence.refs(record))
        for session, record in _study_records(evidence, workload, device)
        if all(float(record.cell.params[name]) >= limit for name, limit in (least or {}).items())
        and (value := studies.reading(record, reading)) is not None
    ]


@maker
def study_readings(evidence: Evidence, *, workload: str, prefix: str, device: Device | None = None) -> list[Case]:
    """Every reading of a study whose id begins with the prefix, named by its label."""
    return [
        case_of(_study_name(evidence, record, session, reading.label), value, evidence.refs(record))
        for session, record in _study_records(evidence, workload, device)
        for reading in studies.readings_of(record)
        if reading.id.startswith(prefix) and (value := studies.reading(record, reading.id)) is not None
    ]


@maker
def study_readings_ratio(
    evidence: Evidence, *, workload: str, over: str, under: str, device: Device | None = None
) -> list[Case]:
    """One reading over another, in every cell of a study; the interval spans the ends of both."""
    return [
        case_of(_study_name(evidence, record, session), ratio, evidence.refs(record))
        for session, record in _study_records(evidence, workload, device)
        if (ratio := estimate.quotient(studies.reading(record, over), studies.reading(record, under))) is not None
    ]


@maker
def study_reading_between(
    evidence: Evidence,
    *,
    workload: str,
    reading: str,
    first: Precision,
    second: Precision,
    device: Device | None = None,
) -> list[Case]:
    """A reading of a study at one precision over that at another, all else equal."""
    found = []
    for session, record in _study_records(evidence, workload, device):
        cell = record.cell
        if cell.precision != first:
            continue
        same = evidence.view(session).records(
            Pick(
                workload,
                "study",
                backend=cell.backend,
                device=cell.device,
                jit=cell.jit,
                precision=second,
                batch_size=cell.batch_size,
                params=cell.params,
                status="ok",
            )
        )
        other = next((r for r in same if r.cell.threads == cell.threads), None)
        if other is None:
            continue
        ratio = estimate.quotient(studies.reading(record, reading), studies.reading(other, reading))
        if ratio is not None:
            found.append(case_of(_study_name(evidence, record, session), ratio, evidence.refs(record, other)))
    return found


@maker
def study_on_both(evidence: Evidence, *, workload: str, series: str) -> list[Case]:
    """The GPU's speed over the CPU's at one series of a study, same session, backend and variant."""
    found = []
    for session in names.serious(evidence):
        arms: dict[tuple[Any, ...], dict[str, list[Record]]] = {}
        for record in evidence.view(session).records(Pick(workload, "study", status="ok")):
            cell = record.cell
            if cell.precision == "float32-strict":
                key = (cell.backend, cell.batch_size, tuple(sorted(cell.params.items())))
                arms.setdefault(key, {}).setdefault(cell.device, []).append(record)
        for sides in arms.values():
            if len(sides) < 2:
                continue
            gpu, cpu = sides["gpu"][0], max(sides["cpu"], key=lambda record: record.cell.threads)
            ratio = estimate.quotient(studies.call_time(cpu, series), studies.call_time(gpu, series))
            if ratio is not None:
                name = f"{fmt.backend(gpu.cell.backend)}, {fmt.arms(gpu.cell, cpu.cell)}"
                found.append(case_of(names.placed(evidence, name, session), ratio, evidence.refs(gpu, cpu)))
    return found


def _study_records(evidence: Evidence, workload: str, device: Device | None) -> Iterable[tuple[SessionResults, Record]]:
    """Measured cells of a study; a disturbed one only where no other was measured."""
    for session in names.serious(evidence):
        for record in evidence.view(session).undisturbed(Pick(workload, "study", device)):
            yield session, record


def _study_name(evidence: Evidence, record: Record, session: SessionResults, what: str = "") -> str:
    """Series or reading, where ``what`` names it, size, backend, device, batch where there are several, machine."""
    cell, size = record.cell, evidence.size(record)
    words = [what, size[:1].upper() + size[1:], f"{fmt.backend(cell.backend)} on the {cell.device.upper()}"]
    if any(r.cell.batch_size != cell.batch_size for _, r in _study_records(evidence, cell.workload, None)):
        words.append(f"batch {cell.batch_size}")
    return names.placed(evidence, ", ".join(filter(None, words)), session)
