"""Estimates from repeated runs. Pure: no files, no clocks, no randomness without a seed.

The statistic is always the same: the median over processes of each process's median over its samples. Its interval
is a 95 % percentile bootstrap on two levels, processes first and then the samples within each, because blocks of one
process share its memory layout, its autotuning and its neighbours, and are not independent repeats.
Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (hierarchical data).

What the interval is worth: with five processes the ends of the bootstrap lie near the smallest and largest process
median, which cover the true median with probability 1 - 2 x (1/2)^5 = 94 %, and with seven they cover it in 88 %.
``WIDENING`` moves them away from the value until they cover it in 95 % (``python -m bench.report.stats.coverage``).
With two to four processes an estimate's interval stays what ``attainable_coverage`` says, near the range of the runs:
a factor that made it cover 95 % would be 13 for two. With one process only the noise inside that process is seen.
``n`` says which it was. The interval of a ratio covers 95 % from two runs on each side (``RATIO_WIDENING``), since
claims rest on ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.report.stats import bootstrap, estimate
from bench.report.stats.bootstrap import Draws
from bench.report.stats.estimate import ComparisonError, Estimate, Quantity, Unit
from bench.schema import Phase, Record, Run

SET_UP_PHASES: tuple[Phase, ...] = ("import", "device_start", "data", "build")
START_UP_PHASES: tuple[Phase, ...] = ("import", "device_start")


def step_time(record: Record) -> Estimate | None:
    """Seconds per steady step."""
    return _estimate(record, "step_time", "s")


def throughput(record: Record) -> Estimate | None:
    """Samples per second of steady steps: the batch over ``step_time``, so that the two always agree."""
    return _estimate(record, "throughput", "samples_per_s")


def flop_rate(record: Record) -> Estimate | None:
    """Floating-point operations per second, by formula; only probes count their operations."""
    return _estimate(record, "flop_rate", "flop_per_s")


def latency(record: Record) -> Estimate | None:
    """Seconds of one step on its own, synchronised before and after."""
    return _estimate(record, "latency", "s")


def latency_tail(record: Record, share: float = 0.95) -> Estimate | None:
    """Seconds that the given share of single steps stays within: per process, then the median over processes."""
    return nested_estimate(record, ("latency_tail", share), _latencies, "s", share=share)


def first_step(record: Record) -> Estimate | None:
    """Seconds of the first step: tracing, compilation, autotuning and the step itself."""
    return _estimate(record, "first_step", "s")


def phase_time(record: Record, phase: Phase) -> Estimate | None:
    """Seconds of one phase of the process."""
    return _memo(
        record,
        ("phase", phase),
        lambda: bootstrap.to_estimate(bootstrap.draws(record, _phase_samples(record, (phase,))), "s"),
    )


def start_up(record: Record) -> Estimate | None:
    """Seconds until the backend has its device: import plus device start."""
    return _estimate(record, "start_up", "s")


def set_up(record: Record) -> Estimate | None:
    """Seconds before the first step: import, device start, data, build."""
    return _memo(
        record,
        ("set_up",),
        lambda: bootstrap.to_estimate(bootstrap.draws(record, _phase_samples(record, SET_UP_PHASES)), "s"),
    )


def pooled_phase_time(records: Sequence[Record], phases: Sequence[Phase] = START_UP_PHASES) -> Estimate | None:
    """Seconds of some phases over every process of several records.

    For phases that do not depend on what the process does afterwards, such as the import of a backend.
    """
    samples = [sample for record in records for sample in _phase_samples(record, phases)]
    return bootstrap.to_estimate(bootstrap.draws_of(samples, bootstrap.seed(*records)), "s")


def job_time(record: Record) -> Estimate | None:
    """Seconds of a whole training job, from the call of fit to the end of its last epoch and its evaluation."""
    return _estimate(record, "job_time", "s")


def whole_job_time(record: Record) -> Estimate | None:
    """Seconds from starting Python to the end of a whole job: set-up plus ``job_time``."""
    return _estimate(record, "whole_job_time", "s")


def time_to_target(record: Record) -> Estimate | None:
    """Seconds from the call of fit until the target's quality was met on held-out data.

    A run that never met it counts as infinitely slow: leaving it out would reward giving up. The upper end is then
    infinite where too few runs met it, and there is no estimate when half of them or more did not.
    """
    return _estimate(record, "time_to_target", "s")


def whole_time_to_target(record: Record) -> Estimate | None:
    """Seconds from starting Python until the target's quality was met: set-up plus ``time_to_target``."""
    return _memo(
        record,
        ("whole_time_to_target",),
        lambda: bootstrap.to_estimate(bootstrap.draws(record, _whole(record, _target_s)), "s"),
    )


def epochs_to_target(record: Record) -> tuple[int | None, ...]:
    """Epochs each finished run of a workload with a target needed; None where it did not get there."""
    return tuple(
        next((n for n, epoch in enumerate(run.job.epochs, 1) if _meets(record, epoch.quality)), None)
        for run in _ok_runs(record)
        if run.job is not None
    )


def reached_frac(record: Record) -> Estimate | None:
    """Share of runs that met the target, with Wilson's score interval.

    Source: Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion, Statistical Science 16 (2001).
    A bootstrap would call five of five certain; this interval does not.
    """
    if record.spec.target is None:
        return None
    epochs = epochs_to_target(record)
    n, hits = len(epochs), sum(epoch is not None for epoch in epochs)
    if n == 0:
        return None
    low, high = estimate.wilson(hits, n)
    return Estimate(value=hits / n, low=low, high=high, n=n, n_samples=n, unit="frac", spread_frac=0.0)


JOB_STEPS = (1, 10, 100, 1_000, 10_000, 100_000)  # steps of a job at which pages show its time


def projected_time(record: Record, n_steps: int) -> Estimate | None:
    """Seconds from starting Python to the end of ``n_steps`` steps: set-up, first step, and the other steady steps.

    Arithmetic on measured parts, for workloads that do not time a whole job; evaluation is left out. What passes
    between epochs is in it where the record has it, as its mean.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")

    n_between = (n_steps - 1) // max(1, record.cell.n_samples // record.cell.batch_size)

    def samples(run: Run) -> list[float]:
        head = _sum_of_phases(run, (*SET_UP_PHASES, "first_step"))
        between = n_between * mean_between_epochs_s(run)
        return [] if head is None else [head + between + (n_steps - 1) * seconds for seconds in _step_seconds(run)]

    return _memo(
        record,
        ("projected", n_steps),
        lambda: bootstrap.to_estimate(bootstrap.draws(record, _samples_of(record, samples)), "s"),
    )


def mean_between_epochs_s(run: Run) -> float:
    """Mean seconds between two epochs of a run; 0 where it has none of its own, and they are in its blocks."""
    return float(np.mean(run.between_epochs_s)) if run.between_epochs_s else 0.0


def peak_host_bytes(record: Record) -> Estimate | None:
    """Largest resident memory of the process."""
    return _estimate(record, "peak_host_bytes", "bytes")


def peak_device_bytes(record: Record) -> Estimate | None:
    """Largest memory the backend's allocator held on the GPU."""
    return _estimate(record, "peak_device_bytes", "bytes")


def energy(record: Record) -> Estimate | None:
    """Joules of the run, from counters."""
    return _estimate(record, "energy", "j")


def n_params(record: Record) -> int | None:
    """Weights of the model, as counted by the runs."""
    return next((run.n_params for run in _ok_runs(record) if run.n_params is not None), None)


def control_spread_frac(record: Record) -> float | None:
    """How much slower the control kernel was at its slowest than at its fastest, before and after all runs.

    The kernel always does the same work, so a large share means that something else used the machine, or that its
    clock moved. None where no run has it.
    """
    controls = [control for run in _ok_runs(record) for control in (run.control_before, run.control_after)]
    medians = [float(np.median(control.seconds)) for control in controls if control is not None and control.seconds]
    return max(medians) / min(medians) - 1 if medians else None


def ratio(first: Record, second: Record, quantity: Quantity = "throughput") -> Estimate | None:
    """How many times the first record's quantity is the second's, or None when one was not measured.

    The interval comes from differences of logarithms of independent resamples, so that the ratio the other way round
    has exactly the inverse interval. Nothing is paired. That both come from one session is for the caller to check
    (``rows.Evidence.speedup`` does).

    Raises:
        ComparisonError: the records differ in method version, workload, mode or source, and mean different things.
    """
    check_comparable(first, second)
    return _memo(first, ("ratio", quantity, id(second)), lambda: _ratio(first, second, quantity), keep=second)


def nested_estimate(
    record: Record, name: tuple[Any, ...], values: Callable[[Run], list[float]], unit: Unit, *, share: float = 0.5
) -> Estimate | None:
    """Median over finished runs of each run's quantile of its values, with the usual interval; None without values.

    Args:
        name: tells this estimate from others of the same record; estimates are kept under it.
        share: 0.5 for the median of each run.
    """
    return _memo(
        record, name, lambda: bootstrap.to_estimate(bootstrap.draws(record, _samples_of(record, values), share), unit)
    )


def pooled_estimate(records: Sequence[Record], values: Callable[[Run], list[float]], unit: Unit) -> Estimate | None:
    """The same over the finished runs of several records, as if they were one's: what is typical of them."""
    samples = [sample for record in records for sample in _samples_of(record, values)]
    return bootstrap.to_estimate(bootstrap.draws_of(samples, bootstrap.seed(*records)), unit)


def ok_runs(record: Record) -> tuple[Run, ...]:
    """The runs that finished."""
    return _ok_runs(record)


# Samples: for each run that finished, the list of values that its median is taken of.


def _ok_runs(record: Record) -> tuple[Run, ...]:
    return tuple(run for run in record.runs if run.status == "ok") if record.status == "ok" else ()


def _samples_of(record: Record, values: Callable[[Run], list[float]]) -> list[list[float]]:
    return [sample for run in _ok_runs(record) if (sample := values(run))]


def _step_seconds(run: Run) -> list[float]:
    return [block.seconds / block.n_steps for block in run.blocks]


def _latencies(run: Run) -> list[float]:
    return list(run.latencies_s)


def _sum_of_phases(run: Run, phases: Sequence[Phase]) -> float | None:
    return sum(run.phases_s[p] for p in phases) if all(p in run.phases_s for p in phases) else None


def _phase_samples(record: Record, phases: Sequence[Phase]) -> list[list[float]]:
    return _single(record, lambda run: _sum_of_phases(run, phases))


def _single(record: Record, value: Callable[[Run], float | None]) -> list[list[float]]:
    return [[number] for run in _ok_runs(record) if (number := value(run)) is not None]


def _meets(record: Record, quality: float | None) -> bool:
    target = record.spec.target
    return target is not None and quality is not None and quality >= target.at_least


def _job_s(record: Record, run: Run) -> float | None:
    return None if run.job is None else run.job.done_s


def _target_s(record: Record, run: Run) -> float | None:
    if run.job is None or record.spec.target is None:
        return None
    return next((epoch.at_s for epoch in run.job.epochs if _meets(record, epoch.quality)), math.inf)


def _whole(record: Record, value: Callable[[Record, Run], float | None]) -> list[list[float]]:
    def total(run: Run) -> float | None:
        before, after = _sum_of_phases(run, SET_UP_PHASES), value(record, run)
        return None if before is None or after is None else before + after

    return _single(record, total)


_SAMPLES: dict[Quantity, Callable[[Record], list[list[float]]]] = {
    "throughput": lambda record: _samples_of(record, _step_seconds),
    "step_time": lambda record: _samples_of(record, _step_seconds),
    "flop_rate": lambda record: _samples_of(record, _step_seconds),
    "latency": lambda record: _samples_of(record, _latencies),
    "first_step": lambda record: _phase_samples(record, ("first_step",)),
    "start_up": lambda record: _phase_samples(record, START_UP_PHASES),
    "job_time": lambda record: _single(record, lambda run: _job_s(record, run)),
    "whole_job_time": lambda record: _whole(record, _job_s),
    "time_to_target": lambda record: _single(record, lambda run: _target_s(record, run)),
    "peak_host_bytes": lambda record: _single(record, lambda run: run.peak_host_bytes),
    "peak_device_bytes": lambda record: _single(record, lambda run: run.peak_device_bytes),
    "energy": lambda record: _single(record, lambda run: run.energy_j),
}


def _work_per_step(record: Record, quantity: Quantity) -> float | None:
    """What a rate counts in one step; None for quantities that are no rate, or where the work is unknown."""
    if quantity == "throughput":
        return next((run.n_samples_per_step for run in _ok_runs(record) if run.n_samples_per_step), None) or float(
            record.cell.batch_size
        )
    return next((run.flop_per_step for run in _ok_runs(record) if run.flop_per_step), None)


def quantity_draws(record: Record, quantity: Quantity) -> Draws | None:
    """Resamples of a quantity in its own unit; the three that rest on the steady steps share theirs."""
    if quantity not in ("throughput", "flop_rate"):
        return _memo(record, ("draws", quantity), lambda: bootstrap.draws(record, _SAMPLES[quantity](record)))
    seconds, work = quantity_draws(record, "step_time"), _work_per_step(record, quantity)
    if seconds is None or work is None:
        return None
    return Draws(work / seconds.value, work / seconds.resamples, seconds.n, seconds.n_samples, seconds.spread_frac)


def _estimate(record: Record, quantity: Quantity, unit: Unit) -> Estimate | None:
    return _memo(record, ("estimate", quantity), lambda: bootstrap.to_estimate(quantity_draws(record, quantity), unit))


def check_comparable(first: Record, second: Record) -> None:
    """Refuse two results that must not meet in a ratio or a test.

    Raises:
        ComparisonError: the records differ in method version, workload, mode or source; the message names both.
    """
    differing = [
        ("workload", first.cell.workload, second.cell.workload),
        ("mode", first.cell.mode, second.cell.mode),
        ("source of the workload", first.source_hash, second.source_hash),
    ]
    if not first.shares_method(second):
        differing.append(("method version", first.method_version, second.method_version))
    for what, a, b in differing:
        if a != b:
            raise ComparisonError(f"{first.cell.id} and {second.cell.id} differ in {what}: {a} and {b}")


def _ratio(first: Record, second: Record, quantity: Quantity) -> Estimate | None:
    a, b = quantity_draws(first, quantity), quantity_draws(second, quantity)
    return None if a is None or b is None or a.value <= 0 or b.value <= 0 else bootstrap.ratio_of(a, b)


# Estimates of a record are asked for by tables, charts, facts and verdicts alike. Records hold dicts and have no hash,
# so the memo goes by identity and keeps the record alive, which makes the identity safe.
_MEMO_LIMIT = 100_000
_memory: dict[tuple[Any, ...], tuple[Any, ...]] = {}


def _memo(record: Record, name: tuple[Any, ...], compute: Callable[[], Any], *, keep: Any = None) -> Any:
    key = (id(record), *name)
    if key not in _memory:
        if len(_memory) >= _MEMO_LIMIT:
            _memory.clear()
        _memory[key] = (compute(), record, keep)
    return _memory[key][0]
