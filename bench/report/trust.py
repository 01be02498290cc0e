"""Whether a measurement can be trusted: its trace, the machine around it, a cell against itself. Pure.

Nothing is corrected here and nothing is thrown away: a reading that looks disturbed is named, so that pages can say so
and choose another cell for a headline.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from bench.report import stats
from bench.report.stats import Estimate, Quantity
from bench.schema import Block, Record, Run

# Traces. The notions are those of Barrett, Bolz-Tereick, Killick, Mount and Tratt, Virtual Machine Warmup Blows Hot
# and Cold, OOPSLA 2017: a trace is cut where its level changes, and named by how its levels follow one another.
TraceKind = Literal["flat", "warm-up", "slow-down", "no steady state"]
MIN_TRACE = 12  # blocks below which a trace has no name: its levels cannot be told from noise
MIN_LEVEL = 3  # blocks that make a level
LEVEL_FRAC = 0.05  # levels that differ by less are one
STEADY_FRAC = 0.25  # of the trace that its last level must fill to be a steady state; the paper's 500 of 2000
CUT_PENALTY = 8.0  # of one more level, in noise variances times log n
SWING_P = 0.001  # of Fisher's test, below which a trace without levels swings
N_ALTERNATIONS = 3  # turns between faster and slower from which a trace swings instead of settling

# Contention and throttling. A run that crosses a limit is disturbed; a cell is, when at least half of its runs are,
# because the median over runs forgives fewer. Shown, never corrected.
LOAD_LIMIT = 1.25  # times the cores: our own runs, back to back, keep the load average of a minute near the cores
GIVEN_WAY_FRAC = 0.05  # of the run's quota periods in which the kernel stopped it
QUOTA_PERIOD_S = 0.1  # the kernel's usual cpu.max period
CLOCK_DROP_FRAC = 0.10
CPU_HOT_C, GPU_HOT_C = 95.0, 85.0  # near where chips start to slow themselves down
CONTROL_LIMIT = 1.5  # the control kernel slower or faster after the run than before; small virtual machines move by 1.3
# What holds a GPU back at full load by design: its power limit is where its makers want it to work.
USUAL_LIMITS = ("software power cap",)
SHARE_OF_RUNS = 0.5
UNTIMED_UNITS = ("bytes", "count")
UNTIMED_SIGNS = ("gpu shared",)  # another process takes memory, too

# Changes between two dates.
CHANGE_P = 0.05
CHANGE_MIN_FRAC = 0.05  # smaller differences are not worth a sentence, however sure
MIN_CHANGE_RUNS = 4  # of each date: with three against three no outcome has p below 0.1


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's blocks did over time. ``steady_from`` is the index of the first steady block, None without any.

    ``levels`` are the median seconds per step of each stretch, with the index at which it begins.
    """

    kind: TraceKind
    steady_from: int | None
    levels: tuple[tuple[int, float], ...]


class Halves(msgspec.Struct, frozen=True, kw_only=True):
    """A cell against itself: its even runs over its odd ones, which nothing should tell apart."""

    ratio: Estimate
    n_even: int
    n_odd: int

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1, which it should do in 5 % of such tests."""
        return stats.side(self.ratio) != "overlaps"

    @property
    def is_weak(self) -> bool:
        """Whether a half has fewer runs than a headline cell: then only a large difference would be seen."""
        return min(self.n_even, self.n_odd) < stats.MIN_RUNS

    @property
    def sees_frac(self) -> float:
        """How far the interval reaches from its value, as a share: a smaller difference would have gone unseen."""
        return max(self.ratio.high / self.ratio.value, self.ratio.value / self.ratio.low) - 1


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One cell on two dates. ``factor`` is the new median over the old, ``p`` of a two-sided Mann-Whitney test.

    The kind is "too few runs" where the test could not have found anything.
    """

    kind: Literal["larger", "smaller", "no change", "too few runs"]
    factor: float
    p: float | None


def trace_of(run: Run) -> tuple[Block, ...]:
    """Warm-up and steady blocks in order; steady blocks may be thinned evenly (``n_blocks_dropped``)."""
    return (*run.warmup, *run.blocks)


def classify_trace(blocks: Sequence[Block]) -> Trace | None:
    """Name a trace by the levels of its time per step; None for one too short to tell.

    The trace is cut into stretches of constant level at the least sum of squares plus a penalty per cut, exactly, on
    logarithms whose outliers are drawn in first; neighbours that differ by less than ``LEVEL_FRAC`` are then one.
    Flat: there is one level. No steady state: the last level fills too little of the trace, or the trace goes up and
    down, by its levels or in swings too short to have any. Slow-down: a level before was faster. Warm-up: all were
    slower.
    """
    n = len(blocks)
    if n < MIN_TRACE:
        return None
    seconds = np.array([block.seconds / block.n_steps for block in blocks])
    logs = _drawn_in(np.log(seconds))
    starts, levels = _merged(_cuts(logs), seconds)
    shown = tuple(zip(starts, levels, strict=True))
    if len(levels) == 1:
        swings = _swings(logs)
    else:
        ups = [b > a for a, b in itertools.pairwise(levels)]
        n_turns = 1 + sum(a != b for a, b in itertools.pairwise(ups))
        swings = n_turns >= N_ALTERNATIONS or n - starts[-1] < STEADY_FRAC * n
    if swings:
        return Trace(kind="no steady state", steady_from=None, levels=shown)
    kind: TraceKind = "warm-up" if len(levels) > 1 else "flat"
    if min(levels) < levels[-1]:
        kind = "slow-down"
    return Trace(kind=kind, steady_from=starts[-1], levels=shown)


def _merged(starts: list[int], seconds: Any) -> tuple[list[int], list[float]]:
    """Stretches and their medians, after joining neighbours that are alike, the most alike first."""
    while True:
        ends = [*starts[1:], len(seconds)]
        levels = [float(np.median(seconds[a:b])) for a, b in zip(starts, ends, strict=True)]
        gaps = [abs(np.log(b / a)) for a, b in itertools.pairwise(levels)]
        if not gaps or min(gaps) >= np.log1p(LEVEL_FRAC):
            return starts, levels
        closest = int(np.argmin(gaps)) + 1
        starts = starts[:closest] + starts[closest + 1 :]


def _drawn_in(logs: Any) -> Any:
    """Values no farther than three deviations of the noise from the median of their five neighbours."""
    padded = np.pad(logs, 2, mode="edge")
    near = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    reach = 3 * max(_noise(logs), 1e-12)
    return np.clip(logs, near - reach, near + reach)


def _noise(logs: Any) -> float:
    """Standard deviation of the noise, from second differences, so that levels and slow swings do not count."""
    return float(np.median(np.abs(np.diff(logs, 2)))) / (0.6745 * np.sqrt(6))


def _swings(logs: Any) -> bool:
    """Whether one frequency of two swings or more holds more of the variance than noise would give it.

    A swing from top to bottom is at least ``LEVEL_FRAC``.

    Source: Fisher, Tests of Significance in Harmonic Analysis, Proc. R. Soc. A 125 (1929); the bound on p is the first
    term of his series.
    """
    n = len(logs)
    power = np.abs(np.fft.rfft(logs - logs.mean())[1 : (n + 1) // 2]) ** 2
    if not power.sum() > 0:
        return False
    share, height = power.max() / power.sum(), 4 * np.sqrt(power.max()) / n  # from the lowest point to the highest
    is_sure = len(power) * (1 - share) ** (len(power) - 1) < SWING_P
    return bool(is_sure and height > np.log1p(LEVEL_FRAC) and np.argmax(power) > 0)


def _cuts(logs: Any) -> list[int]:
    """Where levels begin: the segmentation with the least sum of squares plus penalty, by dynamic programming.

    Source: Jackson and others, An Algorithm for Optimal Partitioning of Data on an Interval, IEEE Signal Processing
    Letters 12 (2005).
    """
    n = len(logs)
    total, squares = (np.concatenate([[0.0], np.cumsum(x)]) for x in (logs - logs.mean(), (logs - logs.mean()) ** 2))
    # A trace without noise of its own still may not be cut at the last digit.
    penalty = CUT_PENALTY * max(_noise(logs), LEVEL_FRAC / 10) ** 2 * np.log(n)
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=int)
    best[0] = -penalty
    for end in range(MIN_LEVEL, n + 1):
        start = np.arange(0, end - MIN_LEVEL + 1)
        cost = squares[end] - squares[start] - (total[end] - total[start]) ** 2 / (end - start)
        every = best[start] + cost + penalty
        before[end] = start[np.argmin(every)]
        best[end] = every.min()
    starts, end = [], n
    while end > 0:
        end = int(before[end])
        starts.append(end)
    return starts[::-1]


# The machine around a run.


def run_flags(run: Run, *, n_cores: int | None = None) -> dict[str, str]:
    """What disturbed a run, by name of the sign, in words; empty when nothing was seen.

    ``n_cores`` are the cores that the session could use; without them the load is not judged.
    """
    before, after = run.before, run.after
    found: dict[str, str] = {}
    if n_cores and before and before.load_1min is not None and before.load_1min > LOAD_LIMIT * n_cores:
        found["load"] = "the load before the start was above the cores"
    for when in (before, after):
        if when and when.n_gpu_processes:
            found["gpu shared"] = "another process used the GPU"
        if when and (held := held_back(when.gpu_throttle)):
            found["gpu throttled"] = f"the GPU was held back ({held})"
        if when and when.cpu_temperature_c is not None and when.cpu_temperature_c >= CPU_HOT_C:
            found["cpu hot"] = "the CPU was near its temperature limit"
        if when and when.gpu_temperature_c is not None and when.gpu_temperature_c >= GPU_HOT_C:
            found["gpu hot"] = "the GPU was near its temperature limit"
    if before and after:
        periods = (before.n_throttled_periods, after.n_throttled_periods)
        if None not in periods and run.total_s > 0:
            share = (periods[1] - periods[0]) * QUOTA_PERIOD_S / run.total_s
            if share > GIVEN_WAY_FRAC:
                found["quota"] = "the container's CPU quota stopped the process"
        for name, label in (("cpu_clock_hz", "CPU"), ("gpu_clock_hz", "GPU")):
            start, end = getattr(before, name), getattr(after, name)
            if start and end and end < (1 - CLOCK_DROP_FRAC) * start:
                found[f"{label.lower()} clock"] = f"the {label}'s clock fell during the run"
    drift = control_factor(run)
    if drift is not None and max(drift, 1 / drift) > CONTROL_LIMIT:
        found["control"] = "the control kernel's speed changed during the run"
    return found


def held_back(throttle: str | None) -> str:
    """Of what limited a GPU, what is no usual state at full load; empty where nothing did."""
    return ", ".join(limit for limit in (throttle or "").split(", ") if limit not in USUAL_LIMITS)


def control_factor(run: Run) -> float | None:
    """Median time of the control kernel after the run over that before it; None where it was not timed."""
    if run.control_before is None or run.control_after is None:
        return None
    before, after = (control.seconds for control in (run.control_before, run.control_after))
    return float(np.median(after) / np.median(before)) if before and after else None


def flags(record: Record, *, n_cores: int | None = None) -> tuple[str, ...]:
    """What disturbed a cell: signs seen in at least half of its finished runs, in words with their count.

    Fewer runs than half are forgiven, because the value is a median over runs; what they did is in ``run_flags``.
    A cell that holds no time is disturbed only by what shares its memory: bytes and counts do not wait for a core.
    """
    by_run = [run_flags(run, n_cores=n_cores) for run in stats.ok_runs(record)]
    timed = is_timed(record)
    names = dict.fromkeys(name for found in by_run for name in found if timed or name in UNTIMED_SIGNS)
    said = []
    for name in names:
        texts = [found[name] for found in by_run if name in found]
        if len(texts) >= SHARE_OF_RUNS * len(by_run):
            said.append(f"{texts[0]} ({len(texts)} of {len(by_run)} runs)")
    return tuple(said)


def is_timed(record: Record) -> bool:
    """Whether anything published of a cell depends on time: all but studies that read only bytes and counts."""
    spec = record.spec
    return spec.kind != "study" or bool(spec.series) or any(item.unit not in UNTIMED_UNITS for item in spec.readings)


# A cell against itself, and against its own past.


def against_itself(record: Record, quantity: Quantity = "throughput") -> Halves | None:
    """The ratio of a cell's even runs to its odd ones, or None with fewer than two in a half.

    Runs of a cell take turns with those of other cells, so drift of the machine hits both halves alike.
    """
    runs = sorted(stats.ok_runs(record), key=lambda run: run.index)
    halves = [
        msgspec.structs.replace(record, runs=tuple(run for run in runs if run.index % 2 == parity)) for parity in (0, 1)
    ]
    if min(len(half.runs) for half in halves) < 2:
        return None
    ratio = stats.ratio(*halves, quantity)
    if ratio is None:
        return None
    return Halves(ratio=ratio, n_even=len(halves[0].runs), n_odd=len(halves[1].runs))


def changed(old: Record, new: Record, quantity: Quantity = "step_time") -> Change | None:
    """Whether a cell's quantity changed between two sessions, or None where one did not measure it.

    Each process counts once, by its median. A change is one that a two-sided Mann-Whitney test finds
    (``CHANGE_P``) and that is large enough to matter (``CHANGE_MIN_FRAC``).

    Raises:
        ComparisonError: the records differ in method, workload, mode or source.
    """
    from scipy.stats import mannwhitneyu

    stats.check_comparable(old, new)
    before, after = stats.run_values(old, quantity), stats.run_values(new, quantity)
    if not before or not after:
        return None
    factor = float(np.median(after) / np.median(before))
    if min(len(before), len(after)) < MIN_CHANGE_RUNS:
        return Change(kind="too few runs", factor=factor, p=None)
    p = float(mannwhitneyu(before, after, alternative="two-sided").pvalue)
    if p >= CHANGE_P or max(factor, 1 / factor) < 1 + CHANGE_MIN_FRAC:
        return Change(kind="no change", factor=factor, p=p)
    return Change(kind="larger" if factor > 1 else "smaller", factor=factor, p=p)
