"""Whether a measurement can be trusted: the machine around it. Pure.

Nothing is corrected here and nothing is thrown away: a reading that looks disturbed is named, so that pages can say so
and choose another cell for a headline.
"""

from __future__ import annotations

import statistics

from bench.report.stats import quantities
from bench.schema import Record, Run

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
        first, last = before.n_throttled_periods, after.n_throttled_periods
        if first is not None and last is not None and run.total_s > 0:
            share = (last - first) * QUOTA_PERIOD_S / run.total_s
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
    return statistics.median(after) / statistics.median(before) if before and after else None


def flags(record: Record, *, n_cores: int | None = None) -> tuple[str, ...]:
    """What disturbed a cell: signs seen in at least half of its finished runs, in words with their count.

    Fewer runs than half are forgiven, because the value is a median over runs; what they did is in ``run_flags``.
    A cell that holds no time is disturbed only by what shares its memory: bytes and counts do not wait for a core.
    """
    return quantities.remembered(record, ("flags", n_cores), lambda: _flags(record, n_cores))


def _flags(record: Record, n_cores: int | None) -> tuple[str, ...]:
    by_run = [run_flags(run, n_cores=n_cores) for run in quantities.ok_runs(record)]
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
