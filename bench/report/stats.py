"""Estimates from repeated runs. Pure: no files, no clocks, no randomness without a seed.

The statistic is always the same: the median over processes of each process's median over its samples. Its interval
is a 95 % percentile bootstrap on two levels, processes first and then the samples within each, because blocks of one
process share its memory layout, its autotuning and its neighbours, and are not independent repeats.
Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (hierarchical data).

What the interval is worth: with five processes the ends of the bootstrap lie near the smallest and largest process
median, which cover the true median with probability 1 - 2 x (1/2)^5 = 94 %, and with seven they cover it in 88 %.
``WIDENING`` moves them away from the value until they cover it in 95 % (``python -m bench.coverage``). With two to
four processes an estimate's interval stays what ``attainable_coverage`` says, near the range of the runs: a factor
that made it cover 95 % would be 13 for two. With one process only the noise inside that process is seen. ``n`` says
which it was. The interval of a ratio covers 95 % from two runs on each side (``RATIO_WIDENING``), since claims rest on
ratios.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args

import msgspec
import numpy as np

from bench.schema import Phase, Record, Run

N_RESAMPLES = 1000  # the ends of the interval then rest on 25 resamples each
CONFIDENCE_FRAC = 0.95
SPREAD_LIMIT_FRAC = 0.10  # runs that differ by more of their median are warned about; pyperf warns at the same share
MIN_RUNS = 5  # the smallest number of runs whose range covers the median with about 95 %
Z_95 = 1.959963984540054  # standard normal quantile at 0.975

# Factors by which the ends of an interval move away from its value, on a logarithmic scale, so that it covers 95 %
# where nothing but differences between processes is left, normal on that scale: the least favourable of the cases
# tried. Rounded up; `python -m bench.coverage` prints what they cover. By number of processes; more take the last.
WIDENING = {5: 1.15, 6: 1.1, 7: 1.5, 8: 1.2, 9: 1.1, 10: 1.2}
# Of a ratio, by the smaller and the larger number of processes; five or more count as five, and need none.
RATIO_WIDENING = {
    (2, 2): 3.3, (2, 3): 2.3, (2, 4): 2.0, (2, 5): 1.9, (3, 3): 1.4, (3, 4): 1.3, (3, 5): 1.2, (4, 4): 1.2, (4, 5): 1.1,
}  # fmt: skip

Unit = Literal["s", "samples_per_s", "flop_per_s", "bytes_per_s", "per_s", "ratio", "bytes", "frac", "count", "j"]
Order = Literal["faster", "slower", "overlaps"]
Quantity = Literal[
    "throughput",
    "step_time",
    "latency",
    "first_step",
    "start_up",
    "job_time",
    "whole_job_time",
    "time_to_target",
    "flop_rate",
    "peak_host_bytes",
    "peak_device_bytes",
    "energy",
]
T = TypeVar("T")
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
TIMED_UNITS = ("s", "samples_per_s", "flop_per_s")  # of two values in one of these, one is the faster
SET_UP_PHASES: tuple[Phase, ...] = ("import", "device_start", "data", "build")
START_UP_PHASES: tuple[Phase, ...] = ("import", "device_start")


class ComparisonError(ValueError):
    """Two results that must not meet in one ratio; the message names both and says why."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval.

    ``n`` counts processes, ``n_samples`` the blocks (or single values) in them. ``spread_frac`` is the distance
    between the smallest and the largest process median as a share of the value; with one process, the
    interquartile range of its samples.
    """

    value: float
    low: float
    high: float
    n: int
    n_samples: int
    unit: Unit
    spread_frac: float

    @property
    def is_noisy(self) -> bool:
        """Whether the spread is above the limit from which it is said in words."""
        return self.spread_frac > SPREAD_LIMIT_FRAC


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ratio passes 1 for good, among the sizes measured.

    ``size`` is what ``break_even`` says of the ratios themselves. The truth lies above ``low`` and at or below
    ``high`` in 95 %; ``low`` is 0 where it may be below the smallest size, ``high`` infinite where it may be above
    the largest.
    """

    size: float | None
    low: float
    high: float


class _Draws(msgspec.Struct, frozen=True):
    """The estimate's raw material: one value, its resamples, and what they rest on."""

    value: float
    resamples: Any  # (N_RESAMPLES,)
    n: int
    n_samples: int
    spread_frac: float


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
    return _memo(
        record,
        ("latency_tail", share),
        lambda: _to_estimate(_draws(record, _samples_of(record, _latencies), share), "s"),
    )


def first_step(record: Record) -> Estimate | None:
    """Seconds of the first step: tracing, compilation, autotuning and the step itself."""
    return _estimate(record, "first_step", "s")


def phase_time(record: Record, phase: Phase) -> Estimate | None:
    """Seconds of one phase of the process."""
    return _memo(record, ("phase", phase), lambda: _to_estimate(_draws(record, _phase_samples(record, (phase,))), "s"))


def start_up(record: Record) -> Estimate | None:
    """Seconds until the backend has its device: import plus device start."""
    return _estimate(record, "start_up", "s")


def set_up(record: Record) -> Estimate | None:
    """Seconds before the first step: import, device start, data, build."""
    return _memo(record, ("set_up",), lambda: _to_estimate(_draws(record, _phase_samples(record, SET_UP_PHASES)), "s"))


def pooled_phase_time(records: Sequence[Record], phases: Sequence[Phase] = START_UP_PHASES) -> Estimate | None:
    """Seconds of some phases over every process of several records.

    For phases that do not depend on what the process does afterwards, such as the import of a backend.
    """
    samples = [sample for record in records for sample in _phase_samples(record, phases)]
    return _to_estimate(_draws_of(samples, _seed(*records)), "s")


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
        record, ("whole_time_to_target",), lambda: _to_estimate(_draws(record, _whole(record, _target_s)), "s")
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
    low, high = wilson(hits, n)
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
        record, ("projected", n_steps), lambda: _to_estimate(_draws(record, _samples_of(record, samples)), "s")
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


def n_failed_runs(record: Record) -> int:
    """Runs that did not finish, and so are in no estimate."""
    return sum(run.status != "ok" for run in record.runs)


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


def compare(first: Estimate, second: Estimate) -> Order:
    """Whether the first is faster or slower than the second, or cannot be told apart because intervals overlap.

    Raises:
        ComparisonError: the units differ, or have no notion of fast.
    """
    if first.unit != second.unit:
        raise ComparisonError(f"cannot compare {first.unit} with {second.unit}")
    if first.unit not in TIMED_UNITS:
        raise ComparisonError(f"neither of two values in {first.unit} is faster")
    if first.low <= second.high and second.low <= first.high:
        return "overlaps"
    return "faster" if (first.value > second.value) == (first.unit != "s") else "slower"


def side(estimate: Estimate) -> Order:
    """Where a speed-up stands against 1: "overlaps" when its interval contains 1.

    Raises:
        ComparisonError: not a ratio.
    """
    if estimate.unit != "ratio":
        raise ComparisonError(f"expected a ratio, got a value in {estimate.unit}")
    if estimate.low <= 1 <= estimate.high:
        return "overlaps"
    return "faster" if estimate.low > 1 else "slower"


def break_even(sizes: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Smallest size from which the GPU stays ahead, or None if it never does.

    Both arguments have shape (n,); sizes ascend. "Ahead" means a ratio above 1 at that size and at every larger one
    measured.

    Raises:
        ValueError: the lengths differ or sizes do not ascend.
    """
    if len(sizes) != len(ratios):
        raise ValueError(f"{len(sizes)} sizes for {len(ratios)} ratios")
    if any(later <= earlier for earlier, later in itertools.pairwise(sizes)):
        raise ValueError(f"sizes must ascend, got {tuple(sizes)}")
    start = None
    for size, value in zip(reversed(sizes), reversed(ratios), strict=True):
        if not value > 1:
            break
        start = size
    return start


def break_even_interval(
    sizes: Sequence[float], pairs: Sequence[tuple[Record, Record]], quantity: Quantity = "throughput"
) -> BreakEven | None:
    """From where on the first record of each pair stays ahead, with the sizes between which the truth lies.

    Each size's ratio is resampled on its own, and every resample of the curve has its own break-even. The low end
    is the size measured before it, because the crossing itself lies between two sizes.

    Args:
        sizes: shape (n,), ascending.
        pairs: of each size the record that may be ahead and the one it is compared with.
        quantity: a rate, of which more is better.

    Raises:
        ComparisonError: two records of a pair mean different things.
        ValueError: the lengths differ, sizes do not ascend, or the quantity is no rate.
    """
    if quantity not in ("throughput", "flop_rate"):
        raise ValueError(f"a break-even needs a rate, got {quantity}")
    if len(sizes) != len(pairs):
        raise ValueError(f"{len(sizes)} sizes for {len(pairs)} pairs")
    drawn = []
    for first, second in pairs:
        check_comparable(first, second)
        drawn.append((_quantity_draws(first, quantity), _quantity_draws(second, quantity)))
    if not drawn or any(draws is None for both in drawn for draws in both):
        return None
    return _break_even_of(sizes, drawn)


def ranks(items: Sequence[T | None], order: Callable[[T, T], Order] = compare) -> tuple[int | None, ...]:
    """Place of each item, in the order given: 1 plus the number of those that are certainly better.

    "Certainly better" means that the whole interval lies on the better side (``compare``), so equals share a place
    and the place after them is skipped, as in sport: 1, 1, 3. Overlap does not carry over: of three, the first and
    the last may be apart while the middle one overlaps both; the middle one then has place 1, too. The order in which
    items are given never changes a place. None has no place.

    Args:
        order: how the first of two stands to the second; of estimates, which are the usual items, ``compare``.

    Raises:
        ComparisonError: the units differ, or have no notion of fast.
    """
    measured = [item for item in items if item is not None]
    return tuple(None if own is None else 1 + sum(order(other, own) == "faster" for other in measured) for own in items)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % score interval of a share of ``hits`` among ``n``."""
    share, z2 = hits / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == n else middle + half)


def attainable_coverage(n: int) -> float:
    """Largest probability with which the range of ``n`` independent runs covers the true median: 1 - 2 x (1/2)^n."""
    return 1 - 2 * 0.5**n


def nested_estimate(
    record: Record, name: tuple[Any, ...], values: Callable[[Run], list[float]], unit: Unit, *, share: float = 0.5
) -> Estimate | None:
    """Median over finished runs of each run's quantile of its values, with the usual interval; None without values.

    Args:
        name: tells this estimate from others of the same record; estimates are kept under it.
        share: 0.5 for the median of each run.
    """
    return _memo(record, name, lambda: _to_estimate(_draws(record, _samples_of(record, values), share), unit))


def pooled_estimate(records: Sequence[Record], values: Callable[[Run], list[float]], unit: Unit) -> Estimate | None:
    """The same over the finished runs of several records, as if they were one's: what is typical of them."""
    samples = [sample for record in records for sample in _samples_of(record, values)]
    return _to_estimate(_draws_of(samples, _seed(*records)), unit)


def ok_runs(record: Record) -> tuple[Run, ...]:
    """The runs that finished."""
    return _ok_runs(record)


def run_values(record: Record, quantity: Quantity) -> tuple[float, ...]:
    """A quantity's median in each finished run that has it, in the quantity's own unit."""
    rate = quantity in ("throughput", "flop_rate")
    work = _work_per_step(record, quantity) if rate else None
    medians = (float(np.median(sample)) for sample in _SAMPLES[quantity](record))
    if rate:
        return () if work is None else tuple(work / seconds for seconds in medians)
    return tuple(medians)


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


# Resampling.


def _seed(*records: Record) -> int:
    """Seed from what a record is, not from what it measured: scaling every time by k scales the interval by k.

    Two sessions' records of one cell get unrelated seeds, since their runs started at other instants.
    """
    names = [f"{record.cell.id} {[(run.index, run.started_at) for run in record.runs]}" for record in records]
    return int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()[:8], "big")


def _draws(record: Record, samples: list[list[float]], share: float = 0.5) -> _Draws | None:
    return _draws_of(samples, _seed(record), share)


def _draws_of(samples: list[list[float]], seed: int, share: float = 0.5) -> _Draws | None:
    """Median over runs of each run's quantile, and its hierarchical resamples.

    The quantile of a bootstrap sample is an order statistic of m indices drawn uniformly from m, and the k-th smallest
    of m uniform numbers follows Beta(k, m - k + 1) (David and Nagaraja, Order Statistics, 2003, section 2.3). So one
    beta draw per resampled run stands for drawing and sorting its m samples, and the distribution is exactly the same.
    """
    if not samples:
        return None
    n = len(samples)
    sizes = np.array([len(sample) for sample in samples])
    table = np.full((n, sizes.max()), np.inf)  # (n runs, largest number of samples)
    for row, sample in zip(table, samples, strict=True):
        row[: len(sample)] = np.sort(sample)
    lower, upper = _ranks(sizes, share)
    rows = np.arange(n)
    by_run = _middle(table[rows, lower - 1], table[rows, upper - 1])
    value = float(_median(by_run[None, :])[0])
    if not math.isfinite(value):
        return None

    rng = np.random.default_rng(seed)
    runs = rng.integers(n, size=(N_RESAMPLES, n))
    m, k, twin = sizes[runs], lower[runs], (upper != lower)[runs]
    if sizes.max() == 1:
        picked = table[runs, 0]
    else:
        uniform = rng.beta(k, m - k + 1)  # (resamples, n runs): the k-th smallest of m uniform numbers
        picked = table[runs, _index(uniform, m)]
        if twin.any():
            # Given the k-th, the next is the smallest of the m - k uniform numbers above it.
            above = 1 - rng.random(uniform.shape) ** (1 / np.maximum(m - k, 1))
            following = table[runs, _index(uniform + (1 - uniform) * above, m)]
            picked = np.where(twin, _middle(picked, following), picked)
    if n > 1:
        finite = by_run[np.isfinite(by_run)]
        spread = float(finite.max() - finite.min()) if len(finite) == n else math.inf
    else:
        quarter, three_quarters = np.quantile(samples[0], (0.25, 0.75))
        spread = float(three_quarters - quarter)
    spread_frac = spread / abs(value) if value else 0.0
    return _Draws(value, _median(picked), n, int(sizes.sum()), spread_frac)


def _ranks(sizes: Any, share: float) -> tuple[Any, Any]:
    """Ranks, from 1, of the one or two order statistics that a quantile is the mean of; two for even medians only."""
    if share == 0.5:
        return (sizes + 1) // 2, sizes // 2 + 1
    rank = np.clip(np.ceil(share * sizes).astype(int), 1, sizes)
    return rank, rank


def _index(uniform: Any, m: Any) -> Any:
    return np.minimum((uniform * m).astype(int), m - 1)


def _middle(a: Any, b: Any) -> Any:
    return np.where(a == b, a, (a + b) / 2)


def _median(values: Any) -> Any:
    """Median along the last axis; infinities allowed."""
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    return _middle(ordered[..., (n - 1) // 2], ordered[..., n // 2])


def _ends(resamples: Any) -> tuple[float, float]:
    """The two order statistics that cut off equal tails: no interpolation, so that monotone maps keep them."""
    ordered = np.sort(resamples)
    cut = int((1 - CONFIDENCE_FRAC) / 2 * len(ordered))
    return float(ordered[cut]), float(ordered[-1 - cut])


def _widening(n: int) -> float:
    """Factor for an estimate of n processes."""
    return WIDENING.get(min(n, max(WIDENING)), 1.0)


def _ratio_widening(n: int, m: int) -> float:
    """Factor for a ratio of two estimates of n and m processes."""
    return RATIO_WIDENING.get((min(n, m, MIN_RUNS), min(max(n, m), MIN_RUNS)), 1.0)


def _widened(value: float, ends: tuple[float, float], factor: float) -> tuple[float, float]:
    """An interval's ends moved away from its value by a factor, on a logarithmic scale; they always hold the value."""
    low, high = min(ends[0], value), max(ends[1], value)
    if factor == 1 or low <= 0:
        return low, high
    return value * (low / value) ** factor, value * (high / value) ** factor


def _to_estimate(draws: _Draws | None, unit: Unit) -> Estimate | None:
    if draws is None:
        return None
    low, high = _widened(draws.value, _ends(draws.resamples), _widening(draws.n))
    return Estimate(
        value=draws.value,
        low=low,
        high=high,
        n=draws.n,
        n_samples=draws.n_samples,
        unit=unit,
        spread_frac=draws.spread_frac,
    )


def _quantity_draws(record: Record, quantity: Quantity) -> _Draws | None:
    """Resamples of a quantity in its own unit; the three that rest on the steady steps share theirs."""
    if quantity not in ("throughput", "flop_rate"):
        return _memo(record, ("draws", quantity), lambda: _draws(record, _SAMPLES[quantity](record)))
    seconds, work = _quantity_draws(record, "step_time"), _work_per_step(record, quantity)
    if seconds is None or work is None:
        return None
    return _Draws(work / seconds.value, work / seconds.resamples, seconds.n, seconds.n_samples, seconds.spread_frac)


def _estimate(record: Record, quantity: Quantity, unit: Unit) -> Estimate | None:
    return _memo(record, ("estimate", quantity), lambda: _to_estimate(_quantity_draws(record, quantity), unit))


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
    a, b = _quantity_draws(first, quantity), _quantity_draws(second, quantity)
    return None if a is None or b is None or a.value <= 0 or b.value <= 0 else _ratio_of(a, b)


def _ratio_of(a: _Draws, b: _Draws) -> Estimate:
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(a.resamples) - np.log(b.resamples)
    logs = logs[~np.isnan(logs)]  # infinite over infinite: both resamples hold only runs that missed the target
    value = a.value / b.value
    low, high = _widened(value, _ends(np.exp(logs)), _ratio_widening(a.n, b.n))
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=min(a.n, b.n),
        n_samples=a.n_samples + b.n_samples,
        unit="ratio",
        spread_frac=max(a.spread_frac, b.spread_frac),
    )


def _break_even_of(sizes: Sequence[float], pairs: Sequence[tuple[_Draws, _Draws]]) -> BreakEven:
    curves = []
    for a, b in pairs:
        value = math.log(a.value / b.value)
        logs = np.log(a.resamples) - np.log(b.resamples)
        curves.append((value, value + _ratio_widening(a.n, b.n) * (logs - value)))
    size = break_even(sizes, [math.exp(value) for value, _ in curves])
    ahead = np.stack([logs for _, logs in curves]) > 0  # (n sizes, resamples)
    # Of each resample, the number of sizes before the first from which it is ahead for good.
    n_behind = len(sizes) - np.cumprod(ahead[::-1], axis=0).sum(axis=0)
    low, high = (int(end) for end in _ends(n_behind))
    now = len(sizes) if size is None else list(sizes).index(size)
    low, high = min(low, now), max(high, now)
    return BreakEven(size=size, low=sizes[low - 1] if low else 0.0, high=sizes[high] if high < len(sizes) else math.inf)


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
