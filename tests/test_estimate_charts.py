"""Charts of what a GPU would do: ranges where nothing was measured, the figures of others on them, and when they go."""

from __future__ import annotations

import math
import zlib
from functools import cache

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.records.store import Results
from bench.report.charts import chart, draw, make_table, time_to_finish
from bench.report.charts.paint import axes
from bench.report.estimates import bands, formula, networks, pairs
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated
from bench.report.pages import drawings
from bench.report.published import cards
from bench.workloads import registry
from tests import committed, gpu_session
from tests.factories import make_evidence, make_record, make_session_results

NEW = ("time-to-finish", "card-ladder", "same-script-pairs", "estimate-against-measured")


@cache
def drawing(chart_id: str) -> chart.Drawing:
    return draw.draw(chart_id, committed.evidence())


def of_kind(made: chart.Drawing, kind: str) -> list[dict]:
    return [row for row in made.rows if row.get("kind") == kind]


@pytest.mark.parametrize("chart_id", NEW)
def test_a_drawing_is_light_enough_for_a_page(chart_id: str):
    made = drawing(chart_id)

    sizes = [
        len(zlib.compress(drawings.svg(getattr(made, kind), made, "x", kind).encode())) for kind in ("wide", "narrow")
    ]

    assert max(sizes) < 60_000


@pytest.mark.parametrize("chart_id", ["time-to-finish", "card-ladder", "same-script-pairs", "cpu-gpu-speedup"])
def test_an_estimate_is_a_range_in_the_colour_of_estimates_and_no_point(chart_id: str):
    made = drawing(chart_id)
    marks = of_kind(made, "estimated")

    assert marks and all(row["low"] < row["value"] < row["high"] for row in marks)
    assert {axes.ESTIMATED} == {row["series"] for row in marks}
    others = [row for row in made.rows if row not in marks]
    assert axes.ESTIMATED not in {row["series"] for row in others}
    shown = drawings.svg(made.wide, made, "x", "wide")
    bars = shown.count("stroke:var(--chart-estimated)")
    assert len(marks) <= bars <= len(marks) + 2


def test_a_job_takes_its_steps_times_the_estimated_step():
    made = drawing("time-to-finish")
    record = committed.evidence().view(committed.evidence().lead).best(time_to_finish.Pick("resnet50", "train", "cpu"))
    network = networks.ours()[registry.network("resnet50", record.cell.params)]
    answer = formula.estimate(formula.case_of(network, cards.card("T4"), record.cell.batch_size))

    marks = {row["slot"]: row for row in of_kind(made, "estimated") if "2,000" in row["row"] and "ResNet" in row["row"]}

    assert set(time_to_finish.CARDS) == set(marks)
    n_steps = 2000 / record.cell.batch_size
    assert answer.low * n_steps == pytest.approx(marks["free T4"]["low"])
    assert answer.high * n_steps == pytest.approx(marks["free T4"]["high"])


def test_jobs_stand_by_the_time_of_the_cpu_and_the_title_counts_the_short_ones():
    made = drawing("time-to-finish")
    times = [row["value"] for row in made.rows if row["series"] == axes.MEASURED["cpu"]]

    assert sorted(times) == times
    n_soon = sum(time <= 600 for time in times)
    assert f"A CPU finishes {n_soon} of {len(times)} familiar jobs within ten minutes" == made.title


def test_a_refused_job_has_no_mark_but_its_reason():
    made = drawing("time-to-finish")

    guessed = {row["row"] for row in of_kind(made, "estimated")}

    assert "LSTM, 25,000 short texts" in {row["row"] for row in made.rows} - guessed
    assert "No estimate for LSTM (works step by step)" in made.note
    table = make_table.make("time-to-finish", committed.evidence())
    lstm = next(row for row in table.rows if "LSTM, 25,000 short texts" in {cell.text for cell in row})
    assert f"no estimate: {formula.REFUSED['recurrent'][0]}" in {cell.text for cell in lstm}


def test_a_measured_gpu_stands_beside_the_estimates_and_takes_the_place_of_its_own():
    session = gpu_session.gpu_session()
    evidence = Evidence(Results((session,)), registry.workloads())
    made = draw.draw("time-to-finish", evidence)

    assert any(row["series"] == axes.MEASURED["gpu"] for row in made.rows)
    speedups = draw.draw("cpu-gpu-speedup", evidence)
    measured = {row["row"] for row in speedups.rows if "kind" not in row and row["value"] is not None}
    assert measured and measured.isdisjoint(row["row"] for row in of_kind(speedups, "estimated"))
    pairs_ = draw.draw("same-script-pairs", evidence)
    ours = {row["row"] for row in pairs_.rows if row["series"] == axes.MEASURED["gpu"]}
    assert ours and ours.isdisjoint(row["row"] for row in of_kind(pairs_, "estimated"))


def test_the_speed_up_of_a_workload_nobody_measured_is_the_estimate_of_the_facts():
    made = drawing("cpu-gpu-speedup")
    guess = estimated.pair(committed.evidence(), "resnet50")

    marks = [row for row in of_kind(made, "estimated") if row["row"] == "ResNet-50"]

    assert [(guess.speedup.low, guess.speedup.high)] == [(row["low"], row["high"]) for row in marks]
    assert "not measured yet" not in drawings.svg(made.wide, made, "x", "wide")
    faster = [row for row in of_kind(made, "estimated") if row["low"] > 1]
    assert f"A T4 would train {len(faster)} of {len(of_kind(made, 'estimated'))} networks faster" in made.title
    table = make_table.make("cpu-gpu-speedup", committed.evidence())
    assert any("(estimated, T4)" in cell.text for row in table.rows for cell in row)


def test_the_ladder_goes_down_and_shows_what_others_measured_in_the_same_arithmetic():
    made = drawing("card-ladder")
    guessed, published = of_kind(made, "estimated"), of_kind(made, "published")

    values = [row["value"] for row in guessed]
    assert sorted(values, reverse=True) == values
    assert len(cards.USUAL) == len(guessed)
    assert published and {row["row"] for row in published} <= {row["row"] for row in guessed}
    assert not {row["series"] for row in published} & {row["series"] for row in guessed}
    inside = sum(
        row["low"] <= other["value"] <= row["high"]
        for row in guessed
        for other in published
        if row["row"] == other["row"]
    )
    assert inside >= 0.8 * len(published), "figures in half precision would lie beyond the range"


def test_the_ladder_draws_some_cards_and_says_that_the_table_has_all():
    made = drawing("card-ladder")
    named = {card.name for card in cards.often_named()}

    assert named > cards.USUAL
    assert f"The table has all {len(named)} cards" in made.note
    table = make_table.make("card-ladder", committed.evidence())
    assert named <= {row[0].text for row in table.rows}


def test_the_ladder_of_another_network_is_about_that():
    made = draw.draw("card-ladder", committed.evidence(), workload="mobilenet-v2")

    assert "MobileNetV2" in made.title
    fast, slow = (of_kind(one, "estimated")[0]["value"] for one in (made, drawing("card-ladder")))
    assert fast > slow


def test_every_published_pair_is_drawn_and_none_below_the_title_gained():
    made = drawing("same-script-pairs")
    published = of_kind(made, "published")

    assert len(pairs.pairs()) == len(published)
    limit_s = float(made.title.split("less than ")[1].split(" ms")[0]) / 1e3
    below = [row for row in published if row["x"] < limit_s]
    assert below and all(row["value"] <= 1 for row in below)
    assert any(row["value"] > 1 and row["x"] < 1.1 * limit_s for row in published), (
        "the limit is no lower than it need be"
    )
    floor = bands.floor()
    assert f"{floor.low * 1e3:.1f} to" in made.note


def test_without_records_the_pairs_of_others_remain():
    alone = draw.draw("same-script-pairs", make_evidence(make_session_results([make_record("lstm-text")])))

    assert len(pairs.pairs()) == len(alone.rows)
    assert alone.session is None, "nothing of ours is in it"


def test_the_title_counts_the_measurements_inside_their_range():
    made = drawing("estimate-against-measured")
    known = formula.constants()

    assert known.counts["points"] == len(made.rows)
    answered = [row for row in made.rows if row["answered"]]
    inside = [row for row in answered if row["inside"]]
    assert f"{len(inside):,} of {len(answered):,} published measurements" in made.title
    widest = max(range_.high for range_ in known.ranges.values())
    assert all(row["value"] <= row["x"] * widest for row in inside)
    assert any(row["value"] > row["x"] * widest for row in answered), "those outside are drawn too"
    assert all(math.isfinite(row["x"]) for row in made.rows)
    table = make_table.make("estimate-against-measured", committed.evidence())
    assert len(inside) == sum(int(row[3].text.replace(",", "")) for row in table.rows)
