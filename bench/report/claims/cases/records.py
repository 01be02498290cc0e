"""Cases from single records."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from bench.report.claims.case import Case, case_of
from bench.report.claims.cases import arms, names
from bench.report.claims.cases.names import maker
from bench.report.evidence import jobs
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.published import figures as published
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.schema import BACKENDS, Backend, Device, Mode, Record


@maker
def job_time(evidence: Evidence, *, workload: str) -> list[Case]:
    """The whole job of a workload on the CPU, from starting Python to the end."""
    return [
        case_of(f"{job.name} on {evidence.view(session).label}", job.time, evidence.refs(job.record))
        for session in names.serious(evidence)
        for job in jobs.jobs(evidence, session)
        if job.record.cell.workload == workload and job.time is not None
    ]


def _first_over_steady(record: Record) -> estimate.Estimate | None:
    return estimate.quotient(quantities.first_step(record), quantities.step_time(record))


QUANTITIES: Mapping[str, Callable[[Record], estimate.Estimate | None]] = {
    "latency_tail": quantities.latency_tail,
    "first_over_steady": _first_over_steady,
}


@maker
def model_quantity(
    evidence: Evidence,
    *,
    quantity: Literal["latency_tail", "first_over_steady"],
    modes: Sequence[Mode],
    devices: Sequence[Device] = ("cpu",),
    by: str = "throughput",
) -> list[Case]:
    """A quantity of the cell that speaks for each model, in each mode; ``by`` is what the cell is the best in."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            for mode in modes:
                for device in devices:
                    record = evidence.view(session).best(Pick(workload, mode, device), by=by)
                    if record is not None and (value := QUANTITIES[quantity](record)) is not None:
                        name = names.name(evidence, record, session)
                        found.append(case_of(name, value, evidence.refs(record), evidence.noun(workload)))
    return found


@maker
def quality_gap(evidence: Evidence) -> list[Case]:
    """How far the worst run on the GPU ends above the best run on the CPU, in held-out quality; below 0, they mix."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            for backend in BACKENDS:
                gpu, cpu = (
                    evidence.view(session).best(Pick(workload, "train", device, backend=backend), by="time_to_target")
                    for device in ("gpu", "cpu")
                )
                if gpu is None or cpu is None:
                    continue
                ours, theirs = _last_qualities(gpu), _last_qualities(cpu)
                if ours and theirs:
                    gap = estimate.single(min(ours) - max(theirs), "frac", min(len(ours), len(theirs)))
                    name = f"{names.name(evidence, gpu, session)}, {fmt.backend(backend)}"
                    found.append(case_of(name, gap, evidence.refs(gpu, cpu)))
    return found


@maker
def memory_ratio(evidence: Evidence) -> list[Case]:
    """A GPU's memory over the main memory of its machine."""
    found = []
    for session in names.serious(evidence):
        records = evidence.view(session).records(Pick(device="gpu", status="ok"))
        for gpu in session.machine.gpus[:1] if records else ():
            if gpu.memory_bytes is None:
                continue
            ratio = estimate.single(gpu.memory_bytes / session.machine.memory_bytes, "ratio", 1)
            name = f"{gpu.name}, {fmt.bytes_(gpu.memory_bytes)} beside {fmt.bytes_(session.machine.memory_bytes)}"
            found.append(case_of(name, ratio, evidence.refs(records[0])))
    return found


@maker
def memory_of_half_precision(evidence: Evidence) -> list[Case]:
    """Peak GPU memory with mixed precision over that in float32, all else equal."""
    return [
        case_of(names.arm_name(evidence, half, session), ratio, evidence.refs(half, full))
        for precision in ("mixed_float16", "mixed_bfloat16")
        for session, half, full in arms.pairs(evidence, "precision", precision, "float32-strict")
        if (ratio := quantities.ratio(half, full, "peak_device_bytes")) is not None
    ]


@maker
def share_of_best_product(evidence: Evidence, *, backend: Backend) -> list[Case]:
    """A backend's rate of the largest matrix product on the CPU over the fastest backend's."""
    found = []
    for session in names.serious(evidence):
        records = evidence.view(session).records(Pick("matmul", device="cpu", precision="float32-strict", status="ok"))
        largest = max((_size(record) for record in records), default=0.0)
        same = [record for record in records if _size(record) == largest]
        mine = max((r for r in same if r.cell.backend == backend), key=_rate, default=None)
        best = max((r for r in same if r.cell.backend != backend), key=_rate, default=None)
        if mine is None or best is None:
            continue
        if (ratio := evidence.record_speedup(mine, best, "flop_rate")) is not None:
            arm = f"{names.name(evidence, mine, session)}, {fmt.backend(backend)}"
            name = f"{arm} against {fmt.backend(best.cell.backend)}"
            found.append(case_of(name, ratio, evidence.refs(mine, best)))
    return found


@maker
def share_of_data_sheet(evidence: Evidence) -> list[Case]:
    """Best measured float32 matrix product of a GPU over the peak that its data sheet prints."""
    found = []
    for session in names.serious(evidence):
        row = published.peak_row(evidence.view(session).gpu_text())
        records = evidence.view(session).records(Pick("matmul", device="gpu", precision="float32-strict"))
        best = max(records, key=_rate, default=None)
        rate = best and quantities.flop_rate(best)
        if row and best and rate:
            share = estimate.times(rate, 1e-12 / float(published.lookup(row).value), "frac")
            found.append(case_of(evidence.view(session).gpu_text(best), share, evidence.refs(best)))
    return found


@maker
def device_without_code(evidence: Evidence) -> list[Case]:
    """Share of finished runs on GPU machines, asked for the GPU, whose weights lay there: no workload names one."""
    found = []
    for session in names.serious(evidence):
        for backend in BACKENDS:
            records = [
                r
                for r in evidence.view(session).records(Pick(backend=backend, device="gpu", status="ok"))
                if quantities.n_params(r)
            ]
            runs = [run for record in records for run in record.runs if run.status == "ok" and run.observed]
            if runs:
                hits = sum(run.observed is not None and run.observed.device == "gpu" for run in runs)
                share = estimate.share(hits, len(runs))
                found.append(case_of(fmt.backend(backend), share, evidence.refs(*records)))
    return found


@maker
def rate_at_high_utilisation(evidence: Evidence, *, least_util_frac: float) -> list[Case]:
    """Share of the best measured rate, for GPU cells of the matrix product whose utilisation reads high."""
    found = []
    for session in names.serious(evidence):
        records = evidence.view(session).records(Pick("matmul", device="gpu", status="ok"))
        best = max((r for r in records if quantities.flop_rate(r) is not None), key=_rate, default=None)
        for record in records:
            util = _utilisation(record)
            if best is None or util is None or util < least_util_frac:
                continue
            share = estimate.quotient(quantities.flop_rate(record), quantities.flop_rate(best), unit="frac")
            if share is not None:
                found.append(case_of(names.arm_name(evidence, record, session), share, evidence.refs(record, best)))
    return found


@maker
def speedup_at_low_utilisation(evidence: Evidence, *, most_util_frac: float) -> list[Case]:
    """The GPU's speed over the CPU's, where the GPU's utilisation reads low."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            contrast = evidence.view(session).contrast(Pick(workload))
            util = None if contrast is None else _utilisation(contrast.gpu)
            if contrast is not None and util is not None and util <= most_util_frac:
                found.append(names.contrast_case(evidence, contrast, f", at {fmt.percent(util)} utilisation"))
    return found


def _rate(record: Record) -> tuple[float, str]:
    value = quantities.flop_rate(record)
    return (0.0 if value is None else value.value, record.cell.id)


def _size(record: Record) -> float:
    return float(record.cell.params.get("n", 0))


def _last_qualities(record: Record) -> list[float]:
    timed = [run.job for run in record.runs if run.status == "ok" and run.job is not None and run.job.epochs]
    return [quality for job in timed if (quality := job.epochs[-1].quality) is not None]


def _utilisation(record: Record) -> float | None:
    """Median of a GPU's utilisation over all samples of all runs."""
    samples = [value for run in record.runs for value in run.utilisation_frac or ()]
    return statistics.median(samples) if samples else None
