"""Cases from two arms of one session: GPU and CPU, threads, batch sizes, backends."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from bench import grouped
from bench.records.store import SessionResults
from bench.report.claims.case import Case, Part, case_of
from bench.report.claims.cases import names
from bench.report.claims.cases.names import maker
from bench.report.evidence import cells
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import ANY, Pick, View
from bench.report.facts import estimated
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.schema import BACKENDS, DEVICES, Backend, Mode, Record

# Comparisons within a session.


@maker
def gpu_over_cpu(
    evidence: Evidence,
    *,
    modes: Sequence[Mode] = ("train",),
    workloads: Sequence[str] = (),
    by_size: bool = False,
    strict: bool = False,
) -> list[Case]:
    """The GPU's speed over the CPU's on each network, each at its fastest batch and usual precision.

    Where no GPU was measured, what a free one is estimated to reach in training.

    Args:
        by_size: at every size that both ran instead, one batch for both.
        strict: like for like instead, the headline's batch and strict float32 on both.
    """
    contrast = View.contrast if strict else View.best_contrast
    found = [
        names.contrast_case(evidence, one)
        for session in names.serious(evidence)
        for workload in workloads or evidence.model_workloads()
        for mode in modes
        for options in (_sizes(evidence, session, workload, mode) if by_size else [{}])
        if (one := contrast(evidence.view(session), Pick(workload, mode, **options))) is not None
    ]
    if found or "train" not in modes or strict:
        return found
    estimates = (estimated.pair(evidence, workload) for workload in workloads or evidence.model_workloads())
    known = names.serious(evidence)
    return [names.estimated_case(evidence, pair) for pair in estimates if pair is not None and pair.session in known]


@maker
def between_arms(
    evidence: Evidence, *, field: Literal["jit", "precision", "backend"], first: str, second: str
) -> list[Case]:
    """Speed of one setting over that of another, all else equal: of the field "jit", "on" over "off"."""
    return [
        case_of(names.arm_name(evidence, one, session), ratio, evidence.refs(one, other))
        for session, one, other in pairs(evidence, field, first, second)
        if (ratio := evidence.record_speedup(one, other)) is not None
    ]


@maker
def more_threads(evidence: Evidence) -> list[Case]:
    """Speed at the most threads measured on a CPU over that at each smaller number."""
    found = []
    for session, records in alike(evidence, "threads"):
        *fewer, most = sorted(records, key=lambda record: record.cell.threads)
        for record in fewer:
            ratio = evidence.record_speedup(most, record) if record.cell.device == "cpu" else None
            if ratio is not None:
                arm = names.name(evidence, most, session)
                name = f"{arm}, {most.cell.threads} threads against {record.cell.threads}"
                found.append(case_of(name, ratio, evidence.refs(most, record)))
    return found


@maker
def larger_batch(evidence: Evidence, *, per_doubling: bool = False) -> list[Case]:
    """Training speed of each batch size over that of the next smaller one measured, or its share per doubling.

    A step to or from a cell that was disturbed is left out, and not bridged by a longer one.
    """
    found = []
    for session in names.serious(evidence):
        measured = evidence.view(session).records(Pick(mode="train", status="ok"))
        usable = {record.cell.id for record in evidence.view(session).undisturbed(Pick(mode="train"))}
        for records in grouped(measured, lambda record: _all_but(record, "batch_size", "n_samples")).values():
            ordered = sorted(records, key=lambda record: record.cell.batch_size)
            for small, large in itertools.pairwise(ordered):
                if not {small.cell.id, large.cell.id} <= usable:
                    continue
                ratio = evidence.record_speedup(large, small)
                n_doublings = math.log2(large.cell.batch_size / small.cell.batch_size)
                if ratio is None or n_doublings == 0:
                    continue
                if per_doubling:
                    ratio = estimate.mapped(ratio, functools.partial(_root, n_doublings))
                arm = names.arm_name(evidence, large, session, batch=False)
                name = f"{arm}, batch {small.cell.batch_size} to {large.cell.batch_size}"
                found.append(case_of(name, ratio, evidence.refs(large, small)))
    return found


@maker
def backend_over_others(evidence: Evidence, *, backend: Backend) -> list[Case]:
    """Training speed of one backend over the fastest other one, on each workload and device."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            for device in DEVICES:
                arms = {
                    name: evidence.view(session).best(Pick(workload, "train", device, backend=name))
                    for name in BACKENDS
                }
                mine = arms.pop(backend)
                rival = max((record for record in arms.values() if record is not None), key=_speed, default=None)
                if mine is None or rival is None:
                    continue
                if (ratio := evidence.record_speedup(mine, rival)) is not None:
                    against = f"on the {device.upper()} against {fmt.backend(rival.cell.backend)}"
                    name = names.name(evidence, mine, session, more=against)
                    found.append(case_of(name, ratio, evidence.refs(mine, rival)))
    return found


@maker
def quickest_step_job(evidence: Evidence) -> list[Case]:
    """Whole job of the arm with the fastest step over that of the arm whose job ends first; 1 where they are one."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            for device in DEVICES:
                arms = evidence.undisturbed(evidence.view(session).candidates(Pick(workload, "train", device)))
                timed = [
                    (step.value, job.value, record)
                    for record in arms
                    if (job := quantities.whole_job_time(record)) and (step := quantities.step_time(record))
                ]
                if len(timed) < 2:
                    continue
                quick = min(timed, key=lambda arm: (arm[0], arm[2].cell.id))[2]
                first = min(timed, key=lambda arm: (arm[1], arm[2].cell.id))[2]
                name = names.name(evidence, quick, session, more=f"on the {device.upper()}")
                if quick is first:
                    part = Part("the same set-up", evidence.refs(*(arm[2] for arm in timed)))
                    found.append(Case(name=name, value=1.0, low=1.0, high=1.0, part=part))
                elif ratio := evidence.record_speedup(first, quick, "whole_job_time"):
                    found.append(case_of(name, ratio, evidence.refs(quick, first)))
    return found


def _root(n: float, value: float) -> float:
    return value ** (1 / n)


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


def pairs(evidence: Evidence, field: str, first: str, second: str) -> Iterator[tuple[SessionResults, Record, Record]]:
    """Measured cells of a session with one value of a field and with another, all else equal."""
    for session, records in alike(evidence, field):
        by_value = {getattr(record.cell, field): record for record in records}
        if first in by_value and second in by_value:
            yield session, by_value[first], by_value[second]


def alike(evidence: Evidence, field: str) -> Iterator[tuple[SessionResults, list[Record]]]:
    """Groups of two or more measured cells of a session that differ in one field of the cell only."""
    for session in names.serious(evidence):
        measured = evidence.view(session).undisturbed(ANY)
        of_models = (record for record in measured if record.cell.mode in ("train", "infer"))
        for records in grouped(of_models, lambda record: _all_but(record, field)).values():
            if len(records) > 1:
                yield session, records


def _all_but(record: Record, *fields: str) -> tuple[Any, ...]:
    """All that identifies a cell, without some fields."""
    own = {name: getattr(record.cell, name) for name in record.cell.__struct_fields__ if name not in fields}
    return tuple((own | {"params": cells.params_key(record)}).values())
