"""What a page weighs on a first visit, and that the built site stays within its budgets."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from scripts import site_cost
from tests.sites import Sites

HEAD = '<!doctype html><link rel="stylesheet" href="../../a.css"><link rel="canonical" href="https://example.org/">'


def page(site: Path, text: str) -> Path:
    path = site / "faq" / "x" / "index.html"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_weighs_what_it_fetches_compressed(tmp_path: Path):
    style, script = "a { color: red }" * 100, "x"
    (tmp_path / "a.css").write_text(style)
    (tmp_path / "b.js").write_text(script)
    text = f'{HEAD}<script src="../../b.js"></script><script src="../../b.js"></script>' + "<p>word</p>" * 500
    path = page(tmp_path, text)

    found = site_cost.weight(tmp_path, path)

    assert found == len(gzip.compress(style.encode(), 6)) + len(script) + len(gzip.compress(text.encode(), 6))
    assert {"faq": {"faq/x": found}} == site_cost.by_kind(tmp_path)


def test_a_page_that_fetches_from_elsewhere_has_no_weight(tmp_path: Path):
    path = page(tmp_path, '<img src="https://example.org/a.png">')

    with pytest.raises(ValueError, match="faq/x/index.html fetches https://example.org/a.png"):
        site_cost.weight(tmp_path, path)


def test_a_page_that_fetches_what_is_not_there_has_no_weight(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        site_cost.weight(tmp_path, page(tmp_path, HEAD))


@pytest.mark.browser(needs_chromium=False)
def test_pages_of_the_built_site_are_within_their_budgets(sites: Sites):
    found = site_cost.by_kind(sites.site("full"))

    assert {} == {
        address: n_bytes
        for kind, budget in site_cost.BUDGETS.items()
        for address, n_bytes in found[kind].items()
        if n_bytes > budget
    }
