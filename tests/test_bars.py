"""Figures of a page's own: what authors write into them, and numbers that no bar can stand for."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import pytest
from markupsafe import Markup

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.claims import beliefs
from bench.report.claims.case import Decided, Part, Verdict
from bench.report.claims.cases import make
from bench.report.evidence.evidence import Evidence
from bench.report.pages import bars
from bench.report.prose import source
from bench.report.prose.bars import Spec
from bench.report.prose.source import PageError
from bench.report.published import figures as published
from tests import committed, sites
from tests.test_pages import page_of

ROWS = ("kapp-resnet50-cpu-gpu-ratio", "kapp-resnet50-cpu-time-per-inference-step")
HOSTILE = "<img src=x onerror=alert(1)> [a](javascript:b) {{ 7*7 }} {most} `c` **d** | e"


def row(label: str, low: float, value: float, high: float, kind: str = "measured") -> bars.Row:
    return bars.Row(label, low, value, high, "ratio", kind, "cpu", Markup(f"{value:g}x"))


def spec(says: str = "{most} is {times} times {least}", same: str = "Equal") -> Spec:
    return Spec(shows="Times.", rows={"a": "x", "b": "y"}, says=says, same=same)


@pytest.mark.parametrize(
    "says",
    ["{0} {most}", "{most.__class__}", "{most!r}", "{most:>99999999999}", "{", "}{", "{most} {nobody}", "{{most}}"],
)
def test_a_title_fills_its_own_names_and_runs_nothing(says: str):
    title = bars.finding(spec(says), [row("one", 4, 4, 4), row("other", 2, 2, 2)])

    assert title == says.replace("{most}", "one" if says.index("{most}") else "One") if "{most}" in says else says


def test_a_label_that_looks_like_a_name_stays_as_written():
    assert "{least} beats b" == bars.finding(spec("{most} beats {least}"), [row("{least}", 4, 4, 4), row("b", 2, 2, 2)])


@pytest.mark.parametrize(
    ("most", "least", "title"),
    [
        ((5, 5, 5), (0, 0, 0), "A is many times b"),
        ((5, 5, 5), (-1, 1, 2), "A is 5 times b"),
        ((0, 0, 0), (0, 0, 0), "Equal"),
        ((1, 1.05, 1.1), (1, 1, 1), "Equal"),
    ],
)
def test_nothing_is_not_as_much_as_something(most, least, title: str):
    assert title == bars.finding(spec(), [row("a", *most), row("b", *least)])


@pytest.mark.parametrize("ends", [[(0, 0, 0), (0, 0, 0)], [(-5, -3, -1), (1, 2, 3)], [(-3, -2, -1), (-1, -1, -1)]])
def test_zero_and_negative_numbers_have_a_place_within_the_figure(ends):
    rows = [row(str(number), *three) for number, three in enumerate(ends)]

    places = [bars.Scale.of(rows).at(value) for one in rows for value in (one.low, one.value, one.high)]

    assert all(0 <= place <= 100 for place in places)


def shown(tmp_path: Path, monkeypatch, values: dict[str, tuple[str, str]], head: str = "") -> str:
    """A page whose figure has a bar for each published row, with these values and units."""
    lookup = published.lookup

    def changed(row_id: str) -> published.Figure:
        value, unit = values.get(row_id, ("", ""))
        return msgspec.structs.replace(lookup(row_id), value=value, unit=unit) if value else lookup(row_id)

    monkeypatch.setattr(published, "lookup", changed)
    rows = "".join(f"    {label}: published/{name}\n" for label, name in zip("ab", values, strict=True))
    head = head or f"bars:\n  shows: Times.\n  says: '{{most}} over {{least}}'\n  same: Equal\n  rows:\n{rows}"
    return page_of(tmp_path, "{{ bars() }}", head=f"title: Why?\nid: q\n{head}")


@pytest.mark.parametrize(
    ("values", "title"),
    [
        (("1.8-2.1", "1"), "A over b"),
        (("2.1–1.8", "1"), "A over b"),
        (("1,000", "2,000"), "B over a"),
        (("0", "3"), "B over a"),
    ],
)
def test_published_ranges_and_thousands_are_bars(tmp_path: Path, monkeypatch, values, title: str):
    page = shown(tmp_path, monkeypatch, {name: (value, "x") for name, value in zip(ROWS, values, strict=True)})

    assert f'<p class="chart-title">{title}</p>' in page
    assert not re.search(r"--(low|at|high):(?!\d)", page)


@pytest.mark.parametrize("value", ["about 5", "nan", "inf", "-5", "<100", "1-2-3", "2026-09-20", "up to 4.1", "1e400"])
def test_a_published_row_that_is_no_number_says_its_page_and_line(tmp_path: Path, monkeypatch, value: str):
    with pytest.raises(PageError, match=r"docs/faq/q\.md:\d+: bars: published row .* is no number: .*; choose another"):
        shown(tmp_path, monkeypatch, {ROWS[0]: (value, "x"), ROWS[1]: ("1", "x")})


@pytest.mark.parametrize("units", [("x", "s"), ("GiB/s", "GB/s"), ("tokens/s", "images/s"), ("W", "kW")])
def test_numbers_of_two_units_are_no_figure(tmp_path: Path, monkeypatch, units):
    with pytest.raises(PageError, match=r"docs/faq/q\.md:\d+: bars: the rows are in .* and in "):
        shown(tmp_path, monkeypatch, {name: ("5", unit) for name, unit in zip(ROWS, units, strict=True)})


@pytest.mark.parametrize("units", [("FPS", "images/s"), ("USD/hour", "USD/GPU-hour"), ("ms", "minutes"), ("MB", "GB")])
def test_two_spellings_of_one_unit_are_a_figure(tmp_path: Path, monkeypatch, units):
    shown(tmp_path, monkeypatch, {name: ("5", unit) for name, unit in zip(ROWS, units, strict=True)})


def test_no_figure_of_a_belief_has_two_equal_labels_or_raw_names():
    evidence = committed.evidence()
    voice = type("Voice", (), {"evidence": evidence})
    n_compared = 0
    for id_, belief in source.beliefs().items():
        names = [case.name for case in make.cases(belief, evidence)] if belief.counts_cases else []
        labels = list(bars.labels(voice, names)[0].values()) if names else []
        n_compared += len(labels) > 1
        assert len(labels) == len(names) == len(set(labels)), (id_, sorted(labels))
        assert not [
            label
            for label in labels
            if re.search(r"[=_]|\b(net (cnn|mlp|mid|small|dense|plain)|tuned|heads|block-s|image px)\b", label)
        ], id_
    assert n_compared > 20


def test_hostile_labels_and_titles_are_shown_and_nothing_else(tmp_path: Path, monkeypatch):
    rows = "".join(f"    '{HOSTILE} {name}': published/{name}\n" for name in ROWS)
    head = f"bars:\n  shows: '{HOSTILE}'\n  says: '{HOSTILE}'\n  same: '{HOSTILE}'\n  rows:\n{rows}"

    body = shown(tmp_path, monkeypatch, dict.fromkeys(ROWS, ("5", "x")), head).split("---\n", 2)[2]
    (figure,) = (one for one in sites.parse(body).walk() if one.name == "figure")

    assert HOSTILE.replace("{most}", f"{HOSTILE} {ROWS[0]}") in figure.text
    assert not [one for one in figure.walk() if one.name in ("img", "code", "strong")]


@pytest.mark.parametrize(
    "call", ["{{ figure('x') }}", "{% call figure() %}y{% endcall %}", "{% call figure('x') %} {% endcall %}"]
)
def test_a_figure_without_finding_or_content_says_how_to_write_it(tmp_path: Path, call: str):
    with pytest.raises(PageError, match=r"docs/faq/q\.md:6: write {% call figure"):
        page_of(tmp_path, call)


@pytest.mark.parametrize("three", [(math.nan,) * 3, (1.0, 2.0, math.inf), (-2.0, -1.0, 1.0)])
def test_a_fact_that_no_bar_can_stand_for_is_left_out(three):
    fact = type(
        "Fact",
        (),
        {
            "kind": "measured",
            "cells": (),
            "estimate": type("E", (), dict(zip(("low", "value", "high"), three, strict=True))),
        },
    )
    voice = type("Voice", (), {"left_out": [], "site": type("Site", (), {"fact": staticmethod(lambda _: fact)})})

    assert "" == bars.figure(voice, spec())
    assert ["a", "b"] == voice.left_out


@pytest.mark.parametrize(("n_agree", "title"), [(0, "None of the 3 win"), (2, "2 of 3 win"), (3, "All 3 win")])
def test_the_figure_of_a_belief_counts_its_cases_as_one_says_it(n_agree: int, title: str):
    cases = [
        Decided(name, Part("2x"), "agrees" if at < n_agree else "open", at + 1, at + 1, at + 2)
        for at, name in enumerate("abc")
    ]
    belief = beliefs.Belief(counted="win", measure="{{ gpu }} over a CPU,", at_least=2)
    evidence = Evidence(Results(()), workloads={})
    voice = type("Voice", (), {"evidence": evidence, "part": staticmethod(lambda part: part.text)})
    verdict = Verdict(id="x", belief="x", outcome="true", parts=(), rule="", cases=tuple(cases))

    figure = bars.cases(voice, verdict, belief, Markup(""))

    assert f">{title}<" in figure
    assert "Each mark: a GPU over a CPU." in figure
    assert "Marks wholly on or right of the line, at 2 times, support the belief." in figure
