"""One answer, one object: page, verdict, JSON-LD, front matter, card and the files for programs say the same."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from bench.report.claims.rule import RESTING
from bench.report.pages import build, drawings, sharing

pytest.importorskip("altair")
pytest.importorskip("jinja2")

from bench.report.pages import cards
from tests.sites import Element, Sites, parse
from tests.test_pages import DOCS, page_of, results_with, write_docs

pytestmark = pytest.mark.browser(needs_chromium=False)  # reads whole sites: no part of the fast half
ADDRESS = "https://example.org/"
JSON_LD = re.compile(r'<script type="application/ld\+json">(.*?)</script>', re.S)


@pytest.fixture(scope="module")
def public(sites: Sites) -> dict[str, str | bytes]:
    """Everything of a site with a public address; its cards are the drawings before they become pictures."""
    patched = pytest.MonkeyPatch()
    patched.setattr(drawings, "begin_card", lambda drawn: drawn.encode)
    built = build.build(DOCS, sites.results("full"), address=ADDRESS)
    patched.undo()
    return built


def head_and_body(text: str) -> tuple[dict, str]:
    match = re.match(r"---\n(.*?)\n---\n", text, re.S)
    assert match is not None
    return yaml.safe_load(match.group(1)), text[match.end() :]


def first(tree: Element, name: str) -> Element:
    return next(element for element in tree.walk() if name in element.classes)


def plain(text: str) -> str:
    return " ".join(text.split())


def asked(text: str) -> list[tuple[str, str]]:
    """Questions and answers of a page's structured data."""
    (found,) = JSON_LD.findall(text)
    data = json.loads(found)
    assert "FAQPage" == data["@type"]
    return [(one["name"], one["acceptedAnswer"]["text"]) for one in data["mainEntity"]]


def card_text(drawn: bytes) -> str:
    root = ElementTree.fromstring(drawn)
    return " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))


def test_everything_says_what_the_answer_says(public):
    answers = json.loads(public["data/answers.json"])["answers"]
    faq = {one["id"]: one for one in json.loads(public["faq.json"])["answers"]}
    llms = public["llms.txt"].splitlines()
    assert len(answers) > 100
    for one in answers:
        head, body = head_and_body(public[f"{one['address'].rstrip('/')}.md"])
        assert [(one["question"], one["answer"])] == asked(body), one["id"]
        assert one["answer"] == html.unescape(head["answer"])
        assert one["answer"] and "<" not in one["answer"]
        assert (one["answer"], one["verdict"]) == (faq[one["id"]]["answer"], faq[one["id"]]["verdict"])
        assert f"- [{one['question']}]({ADDRESS}{one['address']}): {plain(one['answer'])}" in llms
        drawn = public[head["card"].removeprefix(ADDRESS)]
        assert cards.svg(one["question"], one["answer"], sharing.SITE).encode() == drawn
        shown = card_text(drawn).removeprefix(one["question"]).removesuffix(sharing.SITE).strip()
        assert plain(one["answer"]).startswith(shown.removesuffix(" …").rstrip()), one["id"]


def test_the_verdict_on_a_page_is_the_one_in_its_answer(public):
    for one in json.loads(public["data/answers.json"])["answers"]:
        if one["kind"] != "misconception":
            continue
        _, body = head_and_body(public[f"{one['address'].rstrip('/')}.md"])
        shown = first(parse(re.sub(r"<sup .*?</sup>", "", body)), "verdict")  # a note is no word of it
        word = first(shown, "badge").text
        sentence = next(element for element in shown.walk() if element.name == "p")
        words = RESTING[one["resting_on"]] if one["resting_on"] != "records" else ""
        resting = f" ({words})" if words else ""
        assert f"badge-{one['verdict'].replace(' ', '-')}" in first(shown, "badge").classes
        assert plain(one["answer"]) == plain(f"{word.capitalize()}{resting}. {sentence.text}"), one["id"]


def test_the_list_of_questions_carries_all_of_them(public):
    answers = json.loads(public["data/answers.json"])["answers"]

    listed = asked(public["faq/index.md"])

    assert [(one["question"], one["answer"]) for one in answers if one["kind"] == "answer"] == listed


@pytest.mark.usefixtures("without_workload_pages")
def test_other_wordings_stand_on_the_page_and_in_its_head(tmp_path: Path):
    docs = write_docs(tmp_path / "docs", "So.", head="title: Why?\nid: q\nasks: ['Why?', 'How come?', 'What <for>?']\n")

    text = build.build(docs, results_with(tmp_path / "results"))["faq/q.md"]

    head, body = head_and_body(text)
    assert ["Why?", "How come?", "What <for>?"] == head["asks"]
    assert "Also asked as: How come? · What <for>?" in html.unescape(body) and "<for>" not in body


def test_a_page_says_from_which_days_its_numbers_are(public, tmp_path: Path):
    _, body = head_and_body(public["faq/slow-first-step.md"])

    note = first(parse(body), "provenance")

    dated = [element for element in note.walk() if "data-day" in element.attributes]
    assert [dated[0].attributes["data-day"]] == [dated[0].text[:10]] and "180" == dated[0].attributes[
        "data-old-at-days"
    ]
    assert "no measurement yet" in page_of(tmp_path, "Yes.")


def test_a_price_says_its_day_and_other_figures_do_not(tmp_path: Path):
    price = page_of(tmp_path, 'It is {{ published("gpu-geforce-rtx-3060-12-gb-launch-price") }}.')
    other = page_of(tmp_path, 'It is {{ published("anec-so42097115-small-cpu") }}.')

    assert 'data-day="2021-02" data-old-at-days="91" data-what="price"' in price
    assert "data-day" not in other
