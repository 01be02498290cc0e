"""Estimates of studies against numbers worked by hand."""

from __future__ import annotations

import msgspec
import pytest

from bench.report.evidence.view import Pick
from bench.report.stats import studies
from bench.schema import Block, Reading
from bench.workloads import registry
from tests.factories import CALL_STYLES, make_evidence, make_record, make_run, make_session_results, make_workload


def record_of(*runs_series, **fields):
    """A record whose runs have these blocks, given as {series: [seconds per call of each round]}."""
    cell = make_record("call-styles", n_runs=1).cell
    runs = [
        make_run(
            index,
            cell=cell,
            series={name: tuple(Block(n_steps=4, seconds=4 * s) for s in times) for name, times in series.items()},
            **fields,
        )
        for index, series in enumerate(runs_series)
    ]
    return make_record("call-styles", runs=runs)


def test_time_per_call_is_the_median_over_runs_of_medians_over_blocks():
    record = record_of({"predict": [1.0, 2.0, 9.0]}, {"predict": [3.0, 4.0, 5.0]}, {"predict": [6.0, 7.0, 8.0]})

    estimate = studies.call_time(record, "predict")

    assert (4.0, 3, 9, "s") == (estimate.value, estimate.n, estimate.n_samples, estimate.unit)
    assert estimate.low <= 4.0 <= estimate.high


def test_a_ratio_is_taken_round_by_round():
    # The machine slows down threefold in the second round of both; the ratio does not move.
    record = record_of({"predict": [4.0, 12.0, 4.0], "call": [2.0, 6.0, 2.0]})

    estimate = studies.call_ratio(record, "call", "predict")

    assert (0.5, 0.5, 0.5) == (estimate.low, estimate.value, estimate.high)


def test_a_reading_keeps_the_unit_that_was_declared():
    record = record_of({"predict": [1.0]}, readings={"agree": 3.0})
    agree = Reading(id="agree", label="results agree", unit="count")
    record = msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, readings=(agree,)))

    assert (3.0, "count") == (studies.reading(record, "agree").value, studies.reading(record, "agree").unit)
    assert studies.reading(record, "other") is None


def test_only_series_that_ran_are_listed_in_the_declared_order():
    record = record_of({"compiled": [1.0], "predict": [2.0]})

    assert ["predict", "compiled"] == [item.id for item in studies.series_of(record)]


def test_first_calls_stand_apart():
    record = record_of({"predict": [1.0]}, first_s={"predict": 8.0})

    assert 8.0 == studies.first_call(record, "predict").value


@pytest.mark.parametrize("status", ["failed", "ok"])
def test_the_usual_cell_is_the_headline_one_that_finished(status: str):
    wide = make_workload("call-styles").variants["reference"][0]
    record = make_record("call-styles", status=status)
    other = make_record("call-styles", batch_size=64, n_samples=64)
    evidence = make_evidence(make_session_results([record, other]))

    found = evidence.view(evidence.lead).usual(Pick("call-styles", device="cpu", backend="tensorflow"))

    assert wide.headline
    assert found is (record if status == "ok" else None)


def test_invented_series_are_all_there():
    record = make_record("call-styles")

    assert set(CALL_STYLES) == {item.id for item in studies.series_of(record)}
    assert msgspec.structs.asdict(record)["status"] == "ok"


def test_alternatives_share_a_place_where_their_ratios_overlap():
    # "call" and "compiled" overlap each other; both are certainly faster than the first series.
    times = {"predict": [4.0] * 6, "call": [2.0, 2.1] * 3, "compiled": [2.05, 2.0] * 3, "predict-on-batch": [8.0] * 6}
    record = record_of(*[times] * 3)

    assert {"call": 1, "compiled": 1, "predict": 3, "predict-on-batch": 4} == studies.places(record)


def test_a_slow_moment_that_meets_all_costs_no_place():
    # Times of the two overlap from run to run, their ratio does not.
    runs = [{"predict": [s] * 6, "call": [1.5 * s] * 6} for s in (1.0, 2.0, 4.0)]

    assert {"predict": 1, "call": 2} == studies.places(record_of(*runs))


def test_what_does_other_work_has_no_place():
    record = record_of({"predict": [1.0] * 3, "other": [2.0] * 3})

    assert {} == studies.places(record)
    assert {} == studies.places(make_record("resnet50"))


def test_alternatives_are_series_of_their_study():
    for study, spec in registry.workloads().items():
        groups = registry.names(study).alternatives
        known = [item.id for item in spec.series]
        for group in groups:
            assert len(group) > 1 and [] == [name for name in group if name not in known], study
        assert len({item.label for item in spec.series}) == len(known), study
