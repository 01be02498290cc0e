"""Ours beside theirs: ratios by hand, outliers by the whole interval, the order of networks, and the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.charts import draw
from bench.report.pages import calls, context, drawings, ledger_calls, markup

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.evidence import beside
from bench.report.evidence.evidence import Evidence
from bench.report.published import comparisons
from bench.report.published import figures as published
from bench.report.stats.estimate import Estimate
from tests.factories import make_evidence, make_record, make_session_results

SOURCES = {source.id: source for source in comparisons.comparisons().sources}
NOTHING = Evidence(Results(()), {})


def ratio(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=5, n_samples=50, unit="ratio", spread_frac=0.0)


def measured(**step_s: float) -> Evidence:
    records = [
        make_record(name.replace("_", "-"), backend="tensorflow", jit="off", step_s=seconds, jitter_frac=1e-6)
        for name, seconds in step_s.items()
    ]
    return make_evidence(make_session_results(records))


def test_a_published_ratio_is_a_quotient_of_speeds_or_of_times_the_other_way_round():
    assert 2313.1 / 1218.01 == pytest.approx(beside.ratio_of(SOURCES["timm-3090"], "mobilenet-v2"))
    assert 58.2 / 25.9 == pytest.approx(beside.ratio_of(SOURCES["kapp-cpu"], "mobilenet-v2"))


def test_every_row_of_a_source_is_one_quantity_on_one_machine():
    for source in SOURCES.values():
        figures = [published.lookup(row) for row in source.rows.values()]
        assert 1 == len({figure.hardware for figure in figures}), source.id
        assert 1 == len({(figure.metric, figure.unit) for figure in figures}), source.id
        assert beside.ANCHOR in source.rows and source.why


@pytest.mark.parametrize(
    ("low", "high", "place"),
    [(0.7, 1.4, "near"), (1.51, 2.0, "apart"), (0.1, 0.66, "apart"), (1.4, 1.6, "open"), (0.6, 1.0, "open")],
)
def test_near_and_apart_go_by_the_whole_interval(low: float, high: float, place: str):
    assert place == beside.place_of(ratio((low + high) / 2, low, high), 1.0)


def test_ours_is_the_quotient_of_two_throughputs_of_one_session():
    evidence = measured(resnet50=1.0, mobilenet_v2=0.25)

    found = beside.ours(evidence, "mobilenet-v2", "train", "cpu")

    assert 4.0 == pytest.approx(found.ratio.value, rel=1e-3)
    assert beside.ours(evidence, "inception-v3", "train", "cpu") is None
    assert beside.ours(evidence, "mobilenet-v2", "train", "gpu") is None


def test_a_network_that_we_measured_far_from_a_source_is_apart_from_it():
    places = {
        (pair.source.id, pair.network): pair.place
        for pair in beside.pairs(measured(resnet50=1.0, mobilenet_v2=0.5, inception_v3=9.0))
    }

    assert "near" == places["timm-3090", "mobilenet-v2"]  # 2.0 against 1.9
    assert "apart" == places["timm-3090", "inception-v3"] == places["tf-p100", "inception-v3"]
    assert "open" == places["kapp-cpu", "mobilenet-v2"]  # no inference was measured


def test_orders():
    slow_mobile = measured(resnet50=1.0, mobilenet_v2=2.0, inception_v3=1.5)

    theirs, mine = beside.orders(slow_mobile, SOURCES["timm-3090"])

    assert ("mobilenet-v2", "resnet50", "inception-v3") == theirs
    assert ("resnet50", "inception-v3", "mobilenet-v2") == mine
    assert beside.orders(slow_mobile, SOURCES["timm-i7"])[1] is None


def test_the_explanation_of_keras_applications_is_what_its_rows_say():
    others = [source for name, source in SOURCES.items() if "inception-v3" in source.rows and name != "kapp-cpu"]

    assert beside.ratio_of(SOURCES["kapp-cpu"], "inception-v3") > 1
    assert others and all(beside.ratio_of(source, "inception-v3") < 1 for source in others)


def test_the_chart_shows_published_ratios_where_ours_is_missing():
    made = draw.draw("ours-and-theirs", NOTHING, others=drawings.others("ours-and-theirs"))

    assert any(row["series"] == "published elsewhere" for row in made.rows)
    assert not [row for row in made.rows if row["series"] == "measured here" or row["value"] is None]


def test_the_chart_draws_ours_beside_the_published_ratios():
    evidence = measured(resnet50=1.0, mobilenet_v2=0.5, inception_v3=9.0)

    rows = draw.draw("ours-and-theirs", evidence, others=drawings.others("ours-and-theirs")).rows

    training = [row for row in rows if row["row"].startswith("MobileNetV2") and row["row"].endswith("training")]
    assert ["TensorFlow, CPU", "published elsewhere", "published elsewhere"] == [row["series"] for row in training]
    assert 2.0 == pytest.approx(training[0]["value"], rel=1e-3)
    assert not [
        row for row in rows if row["value"] is None
    ]  # no inference was measured, so no row of ours stands there


def test_the_page_links_ours_and_cites_theirs():
    evidence = measured(resnet50=1.0, mobilenet_v2=0.5, inception_v3=9.0)
    site = context.Site(Path("docs"), evidence)
    voice = calls.Voice(site, "method/ours-and-theirs.md")

    text = ledger_calls.ours_and_theirs(voice)

    assert "timm-train-mobilenetv2-100-train-amp-nhwc-pt112-cu113-rtx3090" in voice.figures
    assert "apart: theirs is from a GPU in half precision" in text and ", on a CPU" in text
    assert 'class="num"' in text and 'class="pub"' in text
    assert "the same" in text and "not measured yet" in text
    assert ">2 of 4</a>" in ledger_calls.agreement(voice)  # both of MobileNet-v2 are near, both of Inception-v3 apart
    assert markup.MISSING == ledger_calls.agreement(calls.Voice(context.Site(Path("docs"), NOTHING), "x.md"))
