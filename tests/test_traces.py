"""Warm-up traces set in time, from invented runs."""

from __future__ import annotations

import pytest

from bench.report.stats import traces
from bench.schema import Block
from tests.factories import make_cell, make_record, make_run

SLOW = tuple(Block(n_steps=1, seconds=s) for s in (4.0, 2.0))


def run_of(index: int, step_s: float, **fields):
    return make_run(index, cell=make_cell(), step_s=[step_s] * 4, warmup=SLOW, **fields)


def test_the_run_with_the_median_step_is_drawn():
    record = make_record(runs=[run_of(i, step_s) for i, step_s in enumerate((3.0, 1.0, 2.0, 9.0))])

    found = traces.shown(record)

    assert (2, 2.0) == (found.run.index, found.step_s), "the lower of the middle two"


def test_points_lie_in_the_middle_of_their_blocks():
    found = traces.shown(make_record(runs=[run_of(0, 1.0)]))

    assert [2.0, 5.0, 6.5, 7.5, 8.5, 9.5] == [point.at_s for point in found.points]
    assert [4.0, 2.0, 1.0, 1.0, 1.0, 1.0] == [point.factor for point in found.points]
    assert [False, False, True, True, True, True] == [point.is_steady for point in found.points]
    assert (6.0, 10.0, 4.0, True) == (found.from_s, found.to_s, found.first_factor, found.settled)


def test_dropped_blocks_take_their_time():
    found = traces.shown(make_record(runs=[run_of(0, 1.0, n_blocks_dropped=4, steady=False)]))

    assert (6.0, 14.0) == (found.from_s, found.to_s)
    assert [7.0, 9.0, 11.0, 13.0] == [point.at_s for point in found.points if point.is_steady]
    assert not found.settled


def test_a_long_trace_has_its_name_and_a_short_one_none():
    long = make_run(0, cell=make_cell(), step_s=[1.0] * 20, warmup=SLOW * 4)

    assert ["warm-up"] == traces.kinds(make_record(runs=[long]))
    assert [] == traces.kinds(make_record(runs=[run_of(0, 1.0)]))


@pytest.mark.parametrize("fields", [{"warmup": ()}, {"blocks": ()}])
def test_without_a_warm_up_or_a_steady_part_nothing_is_drawn(fields):
    run = make_run(0, cell=make_cell(), **fields)

    assert traces.shown(make_record(runs=[run])) is None
    assert traces.shown(make_record(status="failed")) is None
