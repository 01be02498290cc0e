"""What readers see has none of the words of the laboratory, in what the code writes as in what people wrote."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

pytest.importorskip("altair")

from bench.report.pages import context, drawings, plain, render
from bench.report.prose import readme
from bench.report.prose.source import is_for_readers

DOCS = Path(__file__).parents[1] / "docs"
WORDS = re.compile(r"\b(?:arms?|cells?|start-up apart|disturbed|older method)\b", re.I)
# What these pages explain is how to measure, in the words of the programs that do it.
FOR_THOSE_WHO_MEASURE = {
    "guides/add-a-machine.md",
    "guides/gpu-in-ten-minutes.md",
    "guides/rerun.md",
    "faq/is-my-number-normal.md",
    "faq/share-my-results.md",
}
OTHER_MEANINGS = re.compile(r"Linux on ARM|ARM (?:processors?|system)|Recurrent cells|Your own cell|Intel GPU|`[^`]*`")
CODE = re.compile(r"```.*?```|<svg.*?</svg>|<!--.*?-->", re.S)


def seen(body: str) -> str:
    """Text of a page with what opens beside a number, without code, drawings' data and addresses."""
    body = CODE.sub("", body)
    titles = " ".join(html.unescape(found) for found in re.findall(r'title="([^"]*)"', body))
    return OTHER_MEANINGS.sub("", f"{plain.plain(body)} {titles}")


@pytest.mark.slow
def test_no_page_for_readers_uses_the_words_of_the_laboratory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drawings, "begin_svg", lambda spec: lambda: "")
    site = context.Site(DOCS, readme.committed_evidence())
    found = {
        path: sorted({f"{word[0]}: ...{text[max(0, word.start() - 60) : word.end() + 20]}" for word in told})
        for path, source in site.sources.items()
        if is_for_readers(path) and path not in FOR_THOSE_WHO_MEASURE
        for text in [seen("".join(render.render(site, source)))]
        if (told := list(WORDS.finditer(text)))
    }

    assert {} == found
