"""Published figures and claims: every row has a source, none is disputed, every reference resolves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.estimates import rows
from bench.report.published import figures as published
from bench.report.published import said
from bench.schema import SLUG

ROOT = Path(__file__).parents[1]
CALL = re.compile(r"\{\{[^}]*published(?:_beside)?\(([^)]*)\)[^}]*\}\}")
HEADER = (
    "id,subject,metric,value,unit,hardware,software,precision,batch_size,dataset,date,"
    "source_title,source_url,read_in,licence_if_known,evidence,note\n"
)
ROW = "one-row,ResNet-50,speedup,5,x,,,,,,2020,A source,https://example.org/,,,measured,\n"


def test_every_row_has_a_slug_a_source_and_a_date():
    for figure in published.figures().values():
        assert SLUG.fullmatch(figure.id), figure.id
        assert figure.source and figure.date, figure.id
        assert figure.url == "" or figure.url.startswith(("https://", "http://")), figure.id
        assert figure.evidence in published.KINDS, figure.id


def test_no_row_is_disputed():
    assert [] == [f.id for f in published.figures().values() if f.metric.endswith("_disputed")]


def test_anecdotes_and_vendor_claims_carry_a_warning():
    for figure in published.figures().values():
        if figure.evidence in ("anecdote", "vendor-claim"):
            assert figure.warning, figure.id


def test_ratios_of_the_keras_applications_table_carry_the_warning():
    assert published.RATIO_WARNING == published.lookup("kapp-resnet50-cpu-gpu-ratio").warning


def test_gpu_milliseconds_of_the_keras_applications_table_are_left_out():
    assert [] == [f.id for f in published.figures().values() if f.metric == "gpu_time_per_inference_step"]


def test_unknown_row_names_near_ones():
    with pytest.raises(published.PublishedError, match="kapp-resnet50-cpu-gpu-ratio"):
        published.lookup("kapp-resnet50-cpu-gpu-ratios")


def test_text_joins_value_and_unit():
    assert "12.7x" == published.lookup("kapp-resnet50-cpu-gpu-ratio").text
    assert "about 30 hours per week" == published.lookup("kaggle-gpu-hours").text
    assert "58.2 ms" == published.lookup("kapp-resnet50-cpu-time-per-inference-step").text


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("3360", "s", "56 minutes"),
        ("0.785", "hours", "47 minutes"),
        ("486.00", "ms/step", "490 milliseconds a step"),
        ("42", "FPS", "42 images a second"),
        ("1100", "img/s", "1,100 images a second"),
        ("12.29", "USD/GPU-hour", "12.29 USD an hour"),
        ("0.0816", "USD/hour", "0.08 USD an hour"),
        ("1599", "USD", "1,599 USD"),
        ("12.7", "x", "12.7 times"),
        ("25-50", "%", "25 to 50 %"),
        ("30", "hours per week (about)", "about 30 hours a week"),
        ("12", "hours per session (maximum)", "at most 12 hours a session"),
        ("restricted", "", ""),
        ("T4", "GPU model", ""),
        ("0.7303", "AUC", ""),
        ("1281167", "images", "1,281,167 images"),
        ("5", "ms/lap", ""),
        ("3", "x (of old)", ""),
    ],
)
def test_a_published_value_is_said_as_a_measured_one_is(value: str, unit: str, expected: str):
    assert expected == said.said(value, unit)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (ROW + ROW, "also stands in"),
        (ROW.replace("A source", ""), "has no source"),
        (ROW.replace("2020", ""), "has no date"),
        (ROW.replace("speedup", "speedup_disputed"), "disputed"),
        (ROW.replace("measured", "hearsay"), "one-row.*hearsay"),
    ],
)
def test_a_bad_row_is_refused(tmp_path, body, complaint):
    (tmp_path / "figures.csv").write_text(HEADER + body, encoding="utf-8")

    with pytest.raises(published.PublishedError, match=complaint):
        published.figures(tmp_path)


def test_claims_are_unique_and_their_evidence_exists():
    claims = published.claims()

    assert len(claims) == len({claim.id for claim in claims})
    for claim in claims:
        assert SLUG.fullmatch(claim.id), claim.id
        assert claim.article in published.articles()
        assert claim.test, f"{claim.id}: what would settle it"
        for row_id in claim.evidence:
            published.lookup(row_id)


def test_every_row_that_the_pages_cite_exists():
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for call in CALL.finditer(path.read_text(encoding="utf-8")):
            for row_id in re.findall(r"[\"']([a-z0-9-]+)[\"']", call.group(1)):
                assert row_id in rows.by_id() or published.lookup(row_id)
