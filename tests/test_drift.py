"""Cells measured hours apart: how far a machine drifts, and what its ratios then hold."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from bench.records.store import Results
from bench.report.evidence import drift
from bench.report.evidence.evidence import Evidence
from bench.report.stats import estimate as stats_estimate
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.schema import Record
from tests.factories import make_record, make_session_results


def at(record: Record, *times: str) -> Record:
    """The record with its runs begun at these times of one day."""
    runs = tuple(
        msgspec.structs.replace(record.runs[i % len(record.runs)], index=i, started_at=f"2026-11-03T{time}:00+00:00")
        for i, time in enumerate(times)
    )
    return msgspec.structs.replace(record, runs=runs)


def estimate(value: float, half: float = 0.0) -> Estimate:
    """A speed with an interval that is ``half`` of a logarithm wide on either side."""
    low, high = value * math.exp(-half), value * math.exp(half)
    return Estimate(value=value, low=low, high=high, n=5, n_samples=150, unit="samples_per_s", spread_frac=0.0)


@pytest.mark.parametrize(
    ("one", "other", "gap_h"),
    [
        (("08:00", "09:00"), ("08:30",), 0.0),
        (("08:00", "12:00"), ("09:00", "10:00"), 0.0),
        (("08:00", "09:00"), ("11:00", "13:00"), 2.0),
        (("11:00", "13:00"), ("08:00", "09:00"), 2.0),
    ],
)
def test_the_gap_is_that_between_nearest_runs(one, other, gap_h):
    first, second = at(make_record("resnet50"), *one), at(make_record("resnet50", backend="jax"), *other)

    assert 3600 * gap_h == drift.gap_s(first, second) == drift.gap_s(second, first)
    assert (gap_h > 1) == drift.are_apart(first, second)


def test_scatter_is_what_intervals_leave_unexplained():
    rng = np.random.default_rng(0)
    within, between = 0.03, 0.10
    repeats = [
        [
            estimate(100 * math.exp(rng.normal(0, math.hypot(within, between))), stats_estimate.Z_95 * within)
            for _ in range(4)
        ]
        for _ in range(2_000)
    ]

    assert between == pytest.approx(drift.scatter(repeats), rel=0.03)


def test_scatter_of_cells_that_agree_is_none_at_all():
    assert 0.0 == drift.scatter([[estimate(10, 0.2), estimate(10.1, 0.2)]])
    assert drift.scatter([[estimate(10)], []]) is None


def test_a_widened_interval_covers_both_errors():
    rng = np.random.default_rng(1)
    own, further, hits = 0.05, 0.12, 0
    for _ in range(4_000):
        seen = math.exp(rng.normal(0, own) + rng.normal(0, further))
        wide = drift.widened(estimate(seen, stats_estimate.Z_95 * own), further)
        hits += wide.low <= 1 <= wide.high

    assert 0.93 <= hits / 4_000 <= 0.97


def evidence_of(first: Record, second: Record, *repeated: Record) -> tuple[Evidence, Record, Record]:
    sessions = [make_session_results([first, second])]
    sessions += [make_session_results([one], session_id=f"2026-11-{4 + i:02d}") for i, one in enumerate(repeated)]
    spec = first.spec
    return Evidence(Results(tuple(sessions)), {spec.id: spec}), first, second


def test_a_ratio_of_cells_hours_apart_holds_the_machines_drift():
    slow, fast = make_record("resnet50", step_s=0.5), make_record("resnet50", backend="jax", step_s=0.4)
    later = make_record("resnet50", step_s=0.6)  # the same cell in another session

    apart, first, second = evidence_of(at(slow, "08:00"), at(fast, "16:00"), later)
    narrow, one, other = evidence_of(at(slow, "08:00"), at(fast, "08:10"), later)
    alone, a, b = evidence_of(at(slow, "08:00"), at(fast, "16:00"))

    wide, close, unknown = (e.record_speedup(y, x) for e, x, y in
                            ((apart, first, second), (narrow, one, other), (alone, a, b)))  # fmt: skip
    assert wide.value == close.value
    assert wide.low < close.low and close.high < wide.high
    assert (unknown.low, unknown.high) == pytest.approx((close.low, close.high), rel=0.01)  # nothing repeats
    assert "measured 8 h apart" == apart.distance((first, second))
    assert "" == narrow.distance((one, other))


def test_bytes_do_not_drift():
    one, other = at(make_record("resnet50"), "08:00"), at(make_record("resnet50", backend="jax"), "16:00")
    found, first, second = evidence_of(one, other, make_record("resnet50", step_s=9.0))

    assert found.record_speedup(first, second, "peak_host_bytes") == quantities.ratio(second, first, "peak_host_bytes")


def test_places_of_cells_hours_apart_are_shared_where_the_drift_is_larger():
    slow, fast = make_record("resnet50", step_s=0.5), make_record("resnet50", backend="jax", step_s=0.45)
    later = make_record("resnet50", step_s=0.8)

    def order(*times: str) -> str:
        found, first, second = evidence_of(at(slow, times[0]), at(fast, times[1]), later)
        return found.order(*((record, quantities.throughput(record)) for record in (second, first)))

    assert "faster" == order("08:00", "08:10")
    assert "overlaps" == order("08:00", "16:00")
