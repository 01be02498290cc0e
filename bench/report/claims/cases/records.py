"""Cases from single records."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bench.report.claims import case
from bench.report.claims.case import Case, case_of
from bench.report.claims.cases import arms as cases_arms
from bench.report.claims.cases import names
from bench.report.claims.cases.names import Cases, serious
from bench.report.evidence import jobs
from bench.report.evidence.view import Pick
from bench.report.published import figures as published
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import Device, Mode, Record

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence


def transfer_job(evidence: Evidence) -> list[Case]:
    """The whole job of tuning the last layer of a trained network, on the CPU."""
    return [
        case.case_of(f"{job.name} on {evidence.view(session).label}", job.time, evidence.refs(job.record))
        for session in serious(evidence)
        for job in jobs.jobs(evidence, session)
        if job.record.cell.workload == "transfer-2000" and job.time is not None
    ]


if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence


# Quantities of single records.


def of_records(
    make: Callable[[Record], Estimate | None],
    *,
    modes: Sequence[Mode],
    device: Device | None = "cpu",
    by: str = "throughput",
) -> Cases:
    """A quantity of the cell that speaks for each model, in each mode; ``by`` is what the cell is the best in."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in names.serious(evidence):
            for workload in evidence.model_workloads():
                for mode in modes:
                    for where in (device,) if device else ("cpu", "gpu"):
                        record = evidence.view(session).best(Pick(workload, mode, where), by=by)
                        value = None if record is None else make(record)
                        if value is not None:
                            name = names.name(evidence, record, session)
                            found.append(case_of(name, value, evidence.refs(record), evidence.noun(workload)))
        return found

    return cases


def first_over_steady(record: Record) -> Estimate | None:
    """First step over a steady one."""
    return estimate.quotient(quantities.first_step(record), quantities.step_time(record))


def quality_gap(evidence: Evidence) -> list[Case]:
    """How far the worst run on the GPU ends above the best run on the CPU, in held-out quality; below 0, they mix."""
    found = []
    for session in names.serious(evidence):
        for workload in evidence.model_workloads():
            for backend in fmt.BACKEND_NAMES:
                arms = [
                    evidence.view(session).best(Pick(workload, "train", device, backend=backend), by="time_to_target")
                    for device in ("gpu", "cpu")
                ]
                if any(record is None for record in arms):
                    continue
                gpu, cpu = ([q for run in record.runs if (q := _last_quality(run)) is not None] for record in arms)
                if gpu and cpu:
                    gap = min(gpu) - max(cpu)
                    name = f"{names.name(evidence, arms[0], session)}, {fmt.backend(backend)}"
                    found.append(
                        case_of(name, estimate.single(gap, "frac", min(len(gpu), len(cpu))), evidence.refs(*arms))
                    )
    return found


def memory_ratio(evidence: Evidence) -> list[Case]:
    """A GPU's memory over the main memory of its machine."""
    found = []
    for session in names.serious(evidence):
        records = evidence.view(session).records(Pick(device="gpu", status="ok"))
        for gpu in [gpu for gpu in session.machine.gpus[:1] if records and gpu.memory_bytes is not None]:
            ratio = estimate.single(gpu.memory_bytes / session.machine.memory_bytes, "ratio", 1)
            name = f"{gpu.name}, {fmt.bytes_(gpu.memory_bytes)} beside {fmt.bytes_(session.machine.memory_bytes)}"
            found.append(case_of(name, ratio, evidence.refs(records[0])))
    return found


def memory_of_half_precision(evidence: Evidence) -> list[Case]:
    """Peak GPU memory with mixed precision over that in float32, all else equal."""
    found = []
    for session, records in cases_arms.alike(evidence, "precision"):
        by_value = {record.cell.precision: record for record in records}
        full = by_value.get("float32-strict")
        for name in ("mixed_float16", "mixed_bfloat16"):
            half = by_value.get(name)
            ratio = None if full is None or half is None else quantities.ratio(half, full, "peak_device_bytes")
            if ratio is not None:
                found.append(case_of(names.arm_name(evidence, half, session), ratio, evidence.refs(half, full)))
    return found


def share_of_best_product(backend: str) -> Cases:
    """A backend's rate of the largest matrix product on the CPU over the fastest backend's."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in names.serious(evidence):
            records = evidence.view(session).records(
                Pick("matmul", device="cpu", precision="float32-strict", status="ok")
            )
            sizes = {record.cell.params.get("n") for record in records}
            same = [record for record in records if sizes and record.cell.params.get("n") == max(sizes)]
            mine = max((r for r in same if r.cell.backend == backend), key=_rate, default=None)
            best = max((r for r in same if r.cell.backend != backend), key=_rate, default=None)
            ratio = None if mine is None or best is None else evidence.record_speedup(mine, best, "flop_rate")
            if ratio is not None:
                name = f"{names.name(evidence, mine, session)}, {fmt.backend(backend)} against "
                name += fmt.backend(best.cell.backend)
                found.append(case_of(name, ratio, evidence.refs(mine, best)))
        return found

    return cases


def share_of_data_sheet(peaks: dict[str, str]) -> Cases:
    """Best measured float32 matrix product of a GPU over the peak that its data sheet prints.

    ``peaks`` maps a part of a GPU's name to the published row with its peak in TFLOP/s.
    """

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in names.serious(evidence):
            row = next((row for part, row in peaks.items() if part in evidence.view(session).gpu_text()), None)
            records = evidence.view(session).records(Pick("matmul", device="gpu", precision="float32-strict"))
            best = max((r for r in records if quantities.flop_rate(r) is not None), key=_rate, default=None)
            if row is None or best is None:
                continue
            peak = float(published.lookup(row).value) * 1e12
            share = estimate.mapped(quantities.flop_rate(best), lambda value, peak=peak: value / peak, unit="frac")
            found.append(case_of(evidence.view(session).gpu_text(best), share, evidence.refs(best)))
        return found

    return cases


def device_without_code(evidence: Evidence) -> list[Case]:
    """Share of finished runs on GPU machines, asked for the GPU, whose weights lay there: no workload names one."""
    found = []
    for session in names.serious(evidence):
        for backend in fmt.BACKEND_NAMES:
            records = [
                r
                for r in evidence.view(session).records(Pick(backend=backend, device="gpu", status="ok"))
                if quantities.n_params(r)
            ]
            runs = [run for record in records for run in record.runs if run.status == "ok" and run.observed]
            if runs:
                hits = sum(run.observed.device == "gpu" for run in runs)
                share = estimate.share(hits, len(runs))
                found.append(case_of(fmt.backend(backend), share, evidence.refs(*records)))
    return found


def busy_and_idle(least_util_frac: float) -> Cases:
    """Share of the best measured rate, for GPU cells of the matrix product whose utilisation reads high."""

    def cases(evidence: Evidence) -> list[Case]:
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

    return cases


def speedup_at_low_utilisation(most_util_frac: float) -> Cases:
    """The GPU's speed over the CPU's, where the GPU's utilisation reads low."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in names.serious(evidence):
            for workload in evidence.model_workloads():
                contrast = evidence.view(session).contrast(Pick(workload))
                util = None if contrast is None else _utilisation(contrast.gpu)
                if contrast is not None and util is not None and util <= most_util_frac:
                    found.append(names.contrast_case(evidence, contrast, f", at {fmt.percent(util)} utilisation"))
        return found

    return cases


def _rate(record: Record) -> tuple[float, str]:
    value = quantities.flop_rate(record)
    return (0.0 if value is None else value.value, record.cell.id)


def _last_quality(run: Any) -> float | None:
    if run.status != "ok" or run.job is None or not run.job.epochs:
        return None
    return run.job.epochs[-1].quality


def _utilisation(record: Record) -> float | None:
    """Median of a GPU's utilisation over all samples of all runs."""
    samples = [value for run in record.runs for value in run.utilisation_frac or ()]
    return statistics.median(samples) if samples else None
