"""The registry of quantities, and estimates from repeated runs. Pure: no files, no clocks, no unseeded randomness.

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
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np

from bench.report.stats import bootstrap, estimate, reads
from bench.report.stats.bootstrap import Draws
from bench.report.stats.estimate import ComparisonError, Estimate, Unit
from bench.schema import Phase, Record, Run
from bench.workloads import registry

T = TypeVar("T")
Samples = Callable[[Record, Run], list[float]]  # of a finished run the values that its median is taken of

SET_UP_PHASES: tuple[Phase, ...] = ("import", "device_start", "data", "build")
START_UP_PHASES: tuple[Phase, ...] = ("import", "device_start")


class Wording(NamedTuple):
    """What facts call a quantity, and which facts there are of it."""

    id: str
    phrase: str  # "first step of {work}"
    how: str
    scope: Literal["steps", "backend", "job", "target"] = "steps"  # "backend": of each backend, not of the fastest


class Quantity(msgspec.Struct, frozen=True):
    """One row of the registry: what an estimate is of. Called with a record it is that record's estimate.

    ``samples`` are the values of one finished run that its median is taken of; none where it was not measured. Those of
    a rate are seconds per step, and ``work`` is what one step counts, so that a rate and ``step_time`` always agree.
    """

    name: str
    unit: Unit
    samples: Samples
    title: str = ""  # on pages; none where no page lists it
    work: Callable[[Record], float | None] | None = None
    less_is_better: bool = True
    is_timed: bool = True  # a machine's drift over hours moves it
    is_share: bool = False  # of runs, each of them 0 or 1: its interval is Wilson's
    fact: Wording | None = None

    def __call__(self, record: Record) -> Estimate | None:
        """The estimate from a record's finished runs; None where none of them has it."""
        return remembered(record, ("estimate", self.name), lambda: self._estimate(record))

    def draws(self, record: Record) -> Draws | None:
        """Resamples in its own unit; those quantities that rest on the steady steps share theirs."""
        if self.work is None:
            return remembered(record, ("draws", self.name), lambda: bootstrap.draws(record, self._nested(record)))
        seconds, work = step_time.draws(record), self.work(record)
        if seconds is None or work is None:
            return None
        return seconds.over(work)

    def medians(self, record: Record) -> list[float]:
        """Each finished run's median of its samples, which of a rate are seconds per step."""
        return [statistics.median(sample) for sample in self._nested(record)]

    def ratio(self, first: Record, second: Record) -> Estimate | None:
        """How many times the first record's value is the second's, or None when one was not measured.

        The interval comes from differences of logarithms of independent resamples, so that the ratio the other way
        round has exactly the inverse interval. Nothing is paired. That both come from one session is for the caller to
        check (``Evidence.record_speedup`` does).

        Raises:
            ComparisonError: the records differ in method version, workload, mode or source, and mean different things.
        """
        check_comparable(first, second)
        return remembered(first, ("ratio", self.name, id(second)), lambda: self._ratio(first, second), keep=second)

    def _ratio(self, first: Record, second: Record) -> Estimate | None:
        a, b = self.draws(first), self.draws(second)
        return None if a is None or b is None or a.value <= 0 or b.value <= 0 else bootstrap.ratio_of(a, b)

    def _estimate(self, record: Record) -> Estimate | None:
        if not self.is_share:
            return bootstrap.to_estimate(self.draws(record), self.unit)
        hits = [hit for sample in self._nested(record) for hit in sample]
        return estimate.share(sum(map(bool, hits)), len(hits)) if hits else None

    def _nested(self, record: Record) -> list[list[float]]:
        return _samples_of(record, self.samples)


# Readers: of one finished run the values of a quantity.


def ok_runs(record: Record) -> tuple[Run, ...]:
    """The runs that finished."""
    return tuple([run for run in record.runs if run.status == "ok"]) if record.status == "ok" else ()


def _samples_of(record: Record, samples: Samples) -> list[list[float]]:
    return [sample for run in ok_runs(record) if (sample := samples(record, run))]


def _step_s(record: Record, run: Run) -> list[float]:
    return [block.seconds / block.n_steps for block in run.blocks]


def _phases_s(*phases: Phase) -> Samples:
    """Seconds of some phases together; nothing where one is missing."""

    def samples(record: Record, run: Run) -> list[float]:
        seconds = [run.phases_s[phase] for phase in phases if phase in run.phases_s]
        return [sum(seconds)] if len(seconds) == len(phases) else []

    return samples


def _with_set_up(samples: Samples) -> Samples:
    """The same from starting Python on."""
    before = _phases_s(*SET_UP_PHASES)
    return lambda record, run: [head + rest for head in before(record, run) for rest in samples(record, run)]


def _meets(record: Record, quality: float | None) -> bool:
    target = record.spec.target
    return target is not None and quality is not None and quality >= target.at_least


def _job_s(record: Record, run: Run) -> list[float]:
    return [] if run.job is None else [run.job.done_s]


def _target_s(record: Record, run: Run) -> list[float]:
    if run.job is None or record.spec.target is None:
        return []
    return [next((epoch.at_s for epoch in run.job.epochs if _meets(record, epoch.quality)), math.inf)]


def _reached(record: Record, run: Run) -> list[float]:
    return [float(math.isfinite(seconds)) for seconds in _target_s(record, run)]


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _samples_per_step(record: Record) -> float:
    counted = next((run.n_samples_per_step for run in ok_runs(record) if run.n_samples_per_step), None)
    return counted or float(record.cell.batch_size)


def _flop_per_step(record: Record) -> float | None:
    return next((run.flop_per_step for run in ok_runs(record) if run.flop_per_step), None)


# The registry, in the order in which pages list it.

throughput = Quantity(
    "throughput", "samples_per_s", _step_s, title="Throughput", work=_samples_per_step, less_is_better=False,
    fact=Wording("throughput", "{work} throughput",
                 "Batch size over the median time of a steady step, XLA on or off, whichever is faster."),
)  # fmt: skip
step_time = Quantity(
    "step_time", "s", _step_s, title="Steady step",
    fact=Wording("step", "steady step of {work}",
                 "Median over processes of the median time per step in blocks of steps."),
)  # fmt: skip
latency = Quantity(
    "latency", "s", lambda record, run: list(run.latencies_s), title="Latency of one step",
    fact=Wording("latency", "latency of one step of {work}",
                 "Median over processes of single steps, each waited for."),
)  # fmt: skip
first_step = Quantity(
    "first_step", "s", _phases_s("first_step"), title="First step",
    fact=Wording("first-step", "first step of {work}",
                 "Time of the first step: tracing, compilation, tuning and the step itself.", "backend"),
)  # fmt: skip
start_up = Quantity("start_up", "s", _phases_s(*START_UP_PHASES), title="Start-up")  # until the backend has its device
set_up = Quantity("set_up", "s", _phases_s(*SET_UP_PHASES))  # everything before the first step
job_time = Quantity(
    "job_time", "s", _job_s, title="Whole job",
    fact=Wording("job-time", "whole training job",
                 "From the call of fit to the end of its last epoch, compilation and evaluation included.", "job"),
)  # fmt: skip
whole_job_time = Quantity("whole_job_time", "s", _with_set_up(_job_s))  # from starting Python
# A run that never met its target counts as infinitely slow: leaving it out would reward giving up. The upper end is
# then infinite where too few runs met it, and there is no estimate when half of them or more did not.
time_to_target = Quantity(
    "time_to_target", "s", _target_s, title="Time to target",
    fact=Wording("time-to-target", "time to its target",
                 "From the call of fit to the end of the first epoch whose held-out quality meets the target.",
                 "target"),
)  # fmt: skip
whole_time_to_target = Quantity("whole_time_to_target", "s", _with_set_up(_target_s))  # from starting Python
reached_frac = Quantity(
    "reached_frac", "frac", _reached, title="Runs that reached the target", less_is_better=False, is_timed=False,
    is_share=True,
)  # fmt: skip
flop_rate = Quantity(  # by formula: only probes count their operations
    "flop_rate", "flop_per_s", _step_s, title="Rate", work=_flop_per_step, less_is_better=False
)
peak_host_bytes = Quantity(  # resident
    "peak_host_bytes", "bytes", lambda record, run: _known(run.peak_host_bytes), title="Peak memory", is_timed=False
)
peak_device_bytes = Quantity(  # held by the backend's allocator
    "peak_device_bytes", "bytes", lambda record, run: _known(run.peak_device_bytes), title="Peak GPU memory",
    is_timed=False,
)  # fmt: skip
energy = Quantity("energy", "j", lambda record, run: _known(run.energy_j), title="Energy")  # from counters
utilisation = Quantity(  # of the GPU, as its driver reads it
    "utilisation", "frac", lambda record, run: list(run.utilisation_frac or ()), less_is_better=False
)
QUANTITIES: dict[str, Quantity] = {row.name: row for row in tuple(globals().values()) if isinstance(row, Quantity)}


def named(name: str) -> Quantity:
    """The row of that name.

    Raises:
        UnknownNameError: there is none; the message names near ones.
    """
    if name not in QUANTITIES:
        raise registry.unknown("quantity", name, list(QUANTITIES))
    return QUANTITIES[name]


# Estimates that take more than a record.


def latency_tail(record: Record, share: float = 0.95) -> Estimate | None:
    """Seconds that the given share of single steps stays within: per process, then the median over processes."""
    return nested_estimate(record, ("latency_tail", share), latency.samples, "s", share=share)


def phase_time(record: Record, phase: Phase) -> Estimate | None:
    """Seconds of one phase of the process."""
    return nested_estimate(record, ("phase", phase), _phases_s(phase), "s")


def pooled_phase_time(records: Sequence[Record], phases: Sequence[Phase] = START_UP_PHASES) -> Estimate | None:
    """Seconds of some phases over every process of several records.

    For phases that do not depend on what the process does afterwards, such as the import of a backend.
    """
    return pooled_estimate(records, _phases_s(*phases), "s")


def epochs_to_target(record: Record) -> tuple[int | None, ...]:
    """Epochs each finished run of a workload with a target needed; None where it did not get there."""
    return tuple(
        next((n for n, epoch in enumerate(run.job.epochs, 1) if _meets(record, epoch.quality)), None)
        for run in ok_runs(record)
        if run.job is not None
    )


JOB_STEPS = (1, 10, 100, 1_000, 10_000, 100_000)  # steps of a job at which pages show its time


def projected_time(record: Record, n_steps: int) -> Estimate | None:
    """Seconds from starting Python to the end of ``n_steps`` steps: set-up, first step, and the other steady steps.

    Arithmetic on measured parts, for workloads that do not time a whole job; evaluation is left out. What passes
    between epochs is in it where the record has it, as its mean.

    Raises:
        ValueError: ``n_steps`` is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    n_between = (n_steps - 1) // max(1, record.cell.n_samples // record.cell.batch_size)

    head = _phases_s(*SET_UP_PHASES, "first_step")

    def samples(record: Record, run: Run) -> list[float]:
        between = n_between * mean_between_epochs_s(run)
        steps = _step_s(record, run)
        return [first + between + (n_steps - 1) * step for first in head(record, run) for step in steps]

    return nested_estimate(record, ("projected", n_steps), samples, "s")


def mean_between_epochs_s(run: Run) -> float:
    """Mean seconds between two epochs of a run; 0 where it has none of its own, and they are in its blocks."""
    return float(np.mean(run.between_epochs_s)) if run.between_epochs_s else 0.0


def n_params(record: Record) -> int | None:
    """Weights of the model, as counted by the runs."""
    return next((run.n_params for run in ok_runs(record) if run.n_params is not None), None)


def control_spread_frac(record: Record) -> float | None:
    """How much slower the control kernel was at its slowest than at its fastest, before and after all runs.

    The kernel always does the same work, so a large share means that something else used the machine, or that its
    clock moved. None where no run has it.
    """
    controls = [control for run in ok_runs(record) for control in (run.control_before, run.control_after)]
    medians = [statistics.median(control.seconds) for control in controls if control is not None and control.seconds]
    return max(medians) / min(medians) - 1 if medians else None


def ratio(first: Record, second: Record, quantity: str = "throughput") -> Estimate | None:
    """How many times the first record's quantity is the second's, see ``Quantity.ratio``."""
    return named(quantity).ratio(first, second)


def nested_estimate(
    record: Record, name: tuple[Any, ...], samples: Samples, unit: Unit, *, share: float = 0.5
) -> Estimate | None:
    """Median over finished runs of each run's quantile of its values, with the usual interval; None without values.

    Args:
        name: tells this estimate from others of the same record; estimates are kept under it.
        share: 0.5 for the median of each run.
    """
    return remembered(
        record, name, lambda: bootstrap.to_estimate(bootstrap.draws(record, _samples_of(record, samples), share), unit)
    )


def pooled_estimate(records: Sequence[Record], samples: Samples, unit: Unit) -> Estimate | None:
    """The same over the finished runs of several records, as if they were one's: what is typical of them."""
    nested = [sample for record in records for sample in _samples_of(record, samples)]
    return bootstrap.to_estimate(bootstrap.draws_of(nested, bootstrap.seed(*records)), unit)


def check_comparable(first: Record, second: Record) -> None:
    """Refuse two results that must not meet in a ratio or a test.

    Raises:
        ComparisonError: the records differ in method version, workload, mode or source; the message names both.
    """
    differing: list[tuple[str, object, object]] = [
        ("workload", first.cell.workload, second.cell.workload),
        ("mode", first.cell.mode, second.cell.mode),
        ("source of the workload", first.source_hash, second.source_hash),
    ]
    if not first.shares_method(second):
        differing.append(("method version", first.method_version, second.method_version))
    for what, a, b in differing:
        if a != b:
            raise ComparisonError(f"{first.cell.id} and {second.cell.id} differ in {what}: {a} and {b}")


# Estimates of a record are asked for by tables, charts, facts and verdicts alike. Records hold dicts and have no hash,
# so the memo goes by identity and keeps the record alive, which makes the identity safe.
_MEMO_LIMIT = 100_000
_memory: dict[tuple[Any, ...], tuple[Any, ...]] = {}


def forget() -> None:
    """Forget the estimates of all records, and with them the records."""
    _memory.clear()


def remembered(record: Record, name: tuple[Any, ...], compute: Callable[[], T], *, keep: Any = None) -> T:
    """What follows from a record alone, worked out once.

    Args:
        name: tells it from all else that follows from the record.
        keep: another record that the name holds the identity of.
    """
    key = id(record), name
    reads.note(record, keep)
    if (kept := _memory.get(key)) is None:
        if len(_memory) >= _MEMO_LIMIT:
            _memory.clear()
        kept = _memory[key] = compute(), record, keep
    found: T = kept[0]
    return found
