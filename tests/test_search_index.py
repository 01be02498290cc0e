"""What the search reads of a page, and what it leaves out."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from bench import REPOSITORY
from scripts import search_index
from tests.sites import parse

META = {"title": "Why?", "asks": ["How come?", "What <for>?"], "answer": "Because. It is so."}
HTML = "<h2>Reasons</h2><p>One.</p><svg><text>drawn</text></svg><table><tr><td>12</td></tr></table><p>Two.</p>"


def words(meta: dict, html: str = HTML, title: str = "From the page") -> tuple[dict[str, str], list[tuple[str, str]]]:
    """What is shown of a page in the results, by name, and what is searched: weight and text."""
    tree = parse(search_index.indexed("faq", meta, title, html))
    shown = {e.attributes["data-pagefind-meta"]: e.text for e in tree.walk() if "data-pagefind-meta" in e.attributes}
    searched = [
        (e.attributes["data-pagefind-weight"], " ".join(e.text.split()))
        for e in tree.walk()
        if "data-pagefind-weight" in e.attributes
    ]
    return shown, searched


def test_titles_and_wordings_weigh_more_than_text():
    shown, searched = words(META)

    assert ["Why?", "How come?. What <for>?", "Because. It is so.", "Reasons One. Two."] == [t for _, t in searched]
    weights = [float(weight) for weight, _ in searched]
    assert sorted(weights, reverse=True) == weights and weights[0] > weights[-1]
    assert ("Why?", "Because.", "Answers") == (shown["title"], shown["answer"], shown["kind"])
    assert "Why?; How come?; What <for>?" == shown["wordings"]


def test_a_page_without_front_matter_has_its_own_title():
    shown, searched = words({})

    assert "From the page" == shown["title"] and "" == shown["answer"]
    assert ["From the page", "Reasons One. Two."] == [text for _, text in searched]


def test_a_preview_writes_no_index(tmp_path: Path):
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="faq/x.md"), meta=META, title="", url="faq/x/")
    search_index.on_startup(command="serve", dirty=False)
    search_index.on_pre_build(config={})

    assert HTML == search_index.on_page_content(HTML, page=page, config={}, files=[])
    search_index.on_post_build(config={"site_dir": str(tmp_path), "docs_dir": str(REPOSITORY / "docs")})

    assert [] == [*tmp_path.iterdir()]


def test_pages_of_readers_are_written_and_others_are_not(tmp_path: Path):
    pytest.importorskip("pagefind")
    search_index.on_startup(command="build", dirty=False)
    search_index.on_pre_build(config={})
    for folder in ("faq", "evidence"):
        file = types.SimpleNamespace(src_uri=f"{folder}/x.md")
        page = types.SimpleNamespace(file=file, meta=META, title="", url=f"{folder}/x/")
        search_index.on_page_content(HTML, page=page, config={}, files=[])

    search_index.on_post_build(config={"site_dir": str(tmp_path), "docs_dir": str(REPOSITORY / "docs")})

    assert 1 == len([*(tmp_path / "pagefind" / "fragment").iterdir()])
    assert (tmp_path / "pagefind" / "pagefind-entry.json").stat().st_size and not [*tmp_path.rglob("pagefind-ui*")]
