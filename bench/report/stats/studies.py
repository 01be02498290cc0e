"""Estimates of studies: series timed in turn within one process, and values read once per run. Pure.

A ratio of two series is taken round by round, since their blocks alternate: round k of one over round k of the other,
then the median over rounds and over processes. What slows the machine for a while slows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import msgspec

from bench.report.stats import estimate, quantities
from bench.report.stats.estimate import Estimate
from bench.schema import Block, Reading, Record, Run, Series
from bench.workloads import registry


def series_of(record: Record) -> tuple[Series, ...]:
    """Series that at least one finished run has, in the workload's order."""
    return tuple(
        item for item in record.spec.series if any(item.id in run.series for run in quantities.ok_runs(record))
    )


def readings_of(record: Record) -> tuple[Reading, ...]:
    """Readings that at least one finished run has, in the workload's order."""
    return tuple(
        item for item in record.spec.readings if any(item.id in run.readings for run in quantities.ok_runs(record))
    )


@cache
def calls(series: str) -> quantities.Quantity:
    """The seconds per call of a series, as a quantity."""
    return quantities.Quantity(f"calls of {series}", "s", lambda record, run: _seconds(run.series.get(series, ())))


def call_time(record: Record, series: str) -> Estimate | None:
    """Seconds per call of a series."""
    return calls(series)(record)


def first_call(record: Record, series: str) -> Estimate | None:
    """Seconds of a series' first call: tracing and compilation included."""

    def samples(record: Record, run: Run) -> list[float]:
        return [run.first_s[series]] if series in run.first_s else []

    return quantities.nested_estimate(record, ("series-first", series), samples, "s")


def call_ratio(record: Record, series: str, baseline: str) -> Estimate | None:
    """How many times the baseline's seconds a call of the series takes, paired by round."""
    samples = partial(_ratios, series, baseline)
    return quantities.nested_estimate(record, ("series-ratio", series, baseline), samples, "ratio")


def pooled_ratio(records: Sequence[Record], series: str, baseline: str) -> Estimate | None:
    """The same over the runs of several cells: the ratio that is typical of them; ``n`` counts their runs."""
    return quantities.pooled_estimate(records, partial(_ratios, series, baseline), "ratio")


def places(record: Record) -> dict[str, int]:
    """Place of each series among its alternatives, 1 for the fastest; what overlaps shares a place (``stats.ranks``).

    Compared are ratios to the workload's first series, paired by round, since two series share each slow moment.
    """
    found: dict[str, int] = {}
    if not record.spec.series:
        return found
    baseline = record.spec.series[0].id
    for group in registry.names(record.spec.id).alternatives:
        # As times in units of the first series' call: a ratio alone has no notion of fast.
        relative = {name: _as_time(call_ratio(record, name, baseline)) for name in group}
        measured = {name: time for name, time in relative.items() if time is not None}
        if len(measured) > 1:
            ranks = estimate.ranks(tuple(measured.values()))
            found |= {name: rank for name, rank in zip(measured, ranks, strict=True) if rank is not None}
    return found


def _as_time(ratio: Estimate | None) -> Estimate | None:
    return None if ratio is None else msgspec.structs.replace(ratio, unit="s")


def reading(record: Record, reading_id: str) -> Estimate | None:
    """A reading over runs, in the unit that its workload declares."""
    unit = next((item.unit for item in record.spec.readings if item.id == reading_id), None)
    if unit is None:
        return None

    def samples(record: Record, run: Run) -> list[float]:
        return [run.readings[reading_id]] if reading_id in run.readings else []

    return quantities.nested_estimate(record, ("reading", reading_id), samples, unit)


def _ratios(series: str, baseline: str, _: Record, run: Run) -> list[float]:
    """Of each round of a run, the series' seconds over the baseline's."""
    mine, other = _seconds(run.series.get(series, ())), _seconds(run.series.get(baseline, ()))
    return [a / b for a, b in zip(mine, other, strict=False)]


def _seconds(blocks: tuple[Block, ...]) -> list[float]:
    return [block.seconds / block.n_steps for block in blocks]
