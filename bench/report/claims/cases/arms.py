"""Cases from two arms of one session: GPU and CPU, threads, batch sizes, backends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.report.claims.case import Case, Part, case_of
from bench.report.claims.cases import names as cases_names
from bench.report.claims.cases.names import Cases
from bench.report.evidence.view import Pick, View
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.schema import Device, Mode, Record

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.evidence.evidence import Evidence


# Comparisons within a session.


def gpu_over_cpu(
    *, modes: Sequence[Mode] = ("train",), workloads: Sequence[str] = (), by_size: bool = False, strict: bool = False
) -> Cases:
    """The GPU's speed over the CPU's on each network, each at its fastest batch and usual precision.

    Args:
        by_size: at every size that both ran instead, one batch for both.
        strict: like for like instead, the headline's batch and strict float32 on both.
    """

    def cases(evidence: Evidence) -> list[Case]:
        contrast = View.contrast if strict else View.best_contrast
        return [
            cases_names.contrast_case(evidence, found)
            for session in cases_names.serious(evidence)
            for workload in workloads or evidence.model_workloads()
            for mode in modes
            for options in (_sizes(evidence, session, workload, mode) if by_size else [{}])
            if (found := contrast(evidence.view(session), Pick(workload, mode, **options))) is not None
        ]

    return cases


def between_arms(field: str, first: Any, second: Any, *, device: Device | None = None) -> Cases:
    """Speed of one setting over that of another, all else equal: ``between_arms("jit", "on", "off")``."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session, records in alike(evidence, field):
            by_value = {getattr(record.cell, field): record for record in records}
            one, other = by_value.get(first), by_value.get(second)
            if one is None or other is None or device not in (None, one.cell.device):
                continue
            ratio = evidence.record_speedup(one, other)
            if ratio is not None:
                found.append(case_of(cases_names.arm_name(evidence, one, session), ratio, evidence.refs(one, other)))
        return found

    return cases


def more_over_fewer(field: str) -> Cases:
    """Speed at the largest value of a counting field over that at each smaller one: threads."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session, records in alike(evidence, field):
            *fewer, most = sorted(records, key=lambda record: getattr(record.cell, field))
            for record in fewer:
                ratio = evidence.record_speedup(most, record) if record.cell.device == "cpu" else None
                if ratio is not None:
                    name = f"{cases_names.name(evidence, most, session)}, {getattr(most.cell, field)} {field} against "
                    name += str(getattr(record.cell, field))
                    found.append(case_of(name, ratio, evidence.refs(most, record)))
        return found

    return cases


def larger_batch(*, per_doubling: bool = False) -> Cases:
    """Training speed of each batch size over that of the next smaller one measured, or its share per doubling.

    A step to or from a cell that was disturbed is left out, and not bridged by a longer one.
    """

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in cases_names.serious(evidence):
            groups: dict[tuple[Any, ...], list[Record]] = {}
            measured = evidence.view(session).records(Pick(mode="train", status="ok"))
            usable = {record.cell.id for record in evidence.undisturbed(measured)}
            for record in measured:
                c = record.cell
                key = (c.workload, c.backend, c.device, c.precision, c.jit, c.threads, tuple(sorted(c.params.items())))
                groups.setdefault(key, []).append(record)
            for records in groups.values():
                ordered = sorted(records, key=lambda record: record.cell.batch_size)
                for small, large in itertools.pairwise(ordered):
                    if not {small.cell.id, large.cell.id} <= usable:
                        continue
                    ratio = evidence.record_speedup(large, small)
                    n_doublings = math.log2(large.cell.batch_size / small.cell.batch_size)
                    if ratio is None or n_doublings == 0:
                        continue
                    if per_doubling:
                        ratio = estimate.mapped(ratio, lambda value, n=n_doublings: value ** (1 / n))
                    arm = cases_names.arm_name(evidence, large, session, batch=False)
                    name = f"{arm}, batch {small.cell.batch_size} to "
                    name += str(large.cell.batch_size)
                    found.append(case_of(name, ratio, evidence.refs(large, small)))
        return found

    return cases


def backend_over_others(backend: str) -> Cases:
    """Training speed of one backend over the fastest other one, on each workload and device."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in cases_names.serious(evidence):
            for workload in evidence.model_workloads():
                for device in ("cpu", "gpu"):
                    arms = {
                        name: evidence.view(session).best(Pick(workload, "train", device, backend=name))
                        for name in fmt.BACKEND_NAMES
                    }
                    mine = arms.pop(backend, None)
                    others = [record for record in arms.values() if record is not None]
                    rival = max(others, key=_speed, default=None)
                    ratio = None if mine is None or rival is None else evidence.record_speedup(mine, rival)
                    if ratio is not None:
                        name = f"{cases_names.name(evidence, mine, session)} on the {device.upper()} against "
                        name += fmt.backend(rival.cell.backend)
                        found.append(case_of(name, ratio, evidence.refs(mine, rival)))
        return found

    return cases


def quickest_step_job(evidence: Evidence) -> list[Case]:
    """Whole job of the arm with the fastest step over that of the arm whose job ends first; 1 where they are one."""
    found = []
    for session in cases_names.serious(evidence):
        for workload in evidence.model_workloads():
            for device in ("cpu", "gpu"):
                arms = evidence.undisturbed(evidence.view(session).candidates(Pick(workload, "train", device)))
                timed = [
                    r for r in arms if quantities.whole_job_time(r) is not None and quantities.step_time(r) is not None
                ]
                if len(timed) < 2:
                    continue
                quick = min(timed, key=lambda r: (quantities.step_time(r).value, r.cell.id))
                first = min(timed, key=lambda r: (quantities.whole_job_time(r).value, r.cell.id))
                name = f"{cases_names.name(evidence, quick, session)} on the {device.upper()}"
                if quick is first:
                    part = Part("the same arm", evidence.refs(*timed))
                    found.append(Case(name=name, value=1.0, low=1.0, high=1.0, part=part))
                elif ratio := evidence.record_speedup(first, quick, "whole_job_time"):
                    found.append(case_of(name, ratio, evidence.refs(quick, first)))
    return found


def _speed(record: Record) -> tuple[float, str]:
    value = quantities.throughput(record)
    return (0.0 if value is None else value.value, record.cell.id)


def _sizes(evidence: Evidence, session: SessionResults, workload: str, mode: Mode) -> list[dict[str, Any]]:
    """Every size of a workload that ran on the session's GPU, as options of ``contrast``."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in evidence.view(session).records(Pick(workload, mode, "gpu", status="ok")):
        cell = record.cell
        options = {"params": dict(cell.params), "batch_size": cell.batch_size}
        seen.setdefault((tuple(sorted(cell.params.items())), cell.batch_size), options)
    return [options for _, options in sorted(seen.items(), key=lambda item: str(item[0]))]


def alike(evidence: Evidence, field: str) -> Iterator[tuple[SessionResults, list[Record]]]:
    """Groups of two or more measured cells of a session that differ in one field of the cell only."""
    names = ("workload", "mode", "backend", "device", "precision", "jit", "batch_size", "n_samples", "threads")
    for session in cases_names.serious(evidence):
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in evidence.undisturbed(evidence.view(session).records(Pick(status="ok"))):
            cell = record.cell
            if cell.mode not in ("train", "infer"):
                continue
            key = (*(getattr(cell, n) for n in names if n != field), tuple(sorted(cell.params.items())))
            groups.setdefault(key, []).append(record)
        for records in groups.values():
            if len(records) > 1:
                yield session, records
