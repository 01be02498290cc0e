"""Cards for link previews: of the right size, with the whole text on them, cut only where it cannot fit."""

from __future__ import annotations

import os
import re
import struct
import xml.etree.ElementTree as ElementTree

import pytest

from bench.report.pages import cache, drawings, workers

pytest.importorskip("vl_convert")

from bench.report.pages import cards

SHORT = ("Is it worth it?", "Only if you measured that & < 3 of them are slow.")
LONG = (
    "Is an expensive server with many cores, or a whole cluster of such servers, an alternative to a single card?",
    " ".join(f"Sentence number {n} has a few words and says nothing at all." for n in range(12)),
)


def text_of(svg: str) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))


@pytest.mark.parametrize("words", [SHORT, LONG], ids=["short", "long"])
def test_a_card_is_a_picture_of_its_size(words, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "PICTURES", tmp_path)

    png = drawings.begin_card(cards.svg(*words, "The site"))()

    assert b"\x89PNG\r\n\x1a\n" == png[:8]
    assert (1200, 630) == struct.unpack(">II", png[16:24])
    monkeypatch.setattr(workers, "begin", None)  # nothing is drawn again
    assert png == drawings.begin_card(cards.svg(*words, "The site"))()


def test_a_card_has_no_letters_of_this_machines_fonts(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "PICTURES", tmp_path)
    before = dict(os.environ)
    card = cards.svg(*SHORT, "The site")

    here, nowhere = (
        drawings.begin_card(re.sub(r'font-family="[^"]*"', f'font-family="{name}"', card))()
        for name in ("DejaVu Sans Mono", "No such font")
    )

    assert here == nowhere
    assert before == dict(os.environ)  # by which a browser finds its own


def test_a_short_answer_stands_on_its_card_whole():
    assert f"{SHORT[0]} {SHORT[1]} The site" == text_of(cards.svg(*SHORT, "The site"))


def test_a_long_answer_is_cut_between_words_inside_the_card():
    svg = cards.svg(*LONG, "The site")

    text = text_of(svg)
    assert text.startswith(LONG[0])
    shown = text.removeprefix(LONG[0]).removesuffix("The site").strip()
    assert shown.endswith(" …") and LONG[1].startswith(shown.removesuffix(" …"))
    baselines = [float(y) for y in re.findall(r'<text [^>]*y="([\d.]+)"', svg)]
    assert baselines == sorted(baselines) and baselines[-1] < cards.HEIGHT_PX


def test_no_line_is_wider_than_the_card_by_its_estimate():
    block = cards.fit(LONG[1], cards.ANSWER_SIZES_PX, 300)

    limit = cards.WIDTH_PX - 2 * cards.MARGIN_PX
    assert len(block.lines) > 3
    assert all(cards.width_px(line, block.size_px) <= limit for line in block.lines)


def test_a_word_that_is_too_wide_stands_alone():
    assert ("a", "m" * 200, "b") == cards.wrap(f"a {'m' * 200} b", 40, 500)
