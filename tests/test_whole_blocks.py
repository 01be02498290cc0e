"""Long blocks of finished HTML pass Markdown unread: the page is the same, and links into them are still known."""

from __future__ import annotations

import markdown
import pytest

from scripts.whole_blocks import WholeBlocks, _TakeOut

LONG = "<p>many words in a row</p>" * 30


def rendered(text: str) -> tuple[str, str]:
    """The text by Markdown alone, and with whole blocks."""
    plain = markdown.Markdown(extensions=["tables", "toc", "attr_list"])
    blocks = markdown.Markdown(extensions=["tables", "toc", "attr_list", WholeBlocks()])
    return plain.convert(text), blocks.convert(text)


@pytest.mark.parametrize(
    "text",
    [
        f'# Title\n\nW.\n\n<div class="table" id="a">{LONG}<div id="b">*no stars*</div></div>\n\n## Then\n\n*stars*',
        f"<details><summary>s</summary>{LONG}</details>\n\n<div>{LONG}</div>\n\nend",
        f"<details>\n\n{LONG}\n\n</details>\n\n**end**",
        f"<div>{LONG}</div></div>\n\nend",
        f'<div data-x="1">{LONG}\n</div>\n\n| a | b |\n| --- | --- |\n| 1 | 2 |',
    ],
    ids=["nested", "two", "open", "unbalanced", "table after"],
)
def test_the_page_is_the_same(text: str):
    plain, blocks = rendered(text)

    assert plain.split() == blocks.split()
    assert "data-block" not in blocks


def test_a_long_block_is_taken_out_and_its_ids_stay():
    kept: list[str] = []
    block = f'<div id="a">{LONG}<span id="b">x</span></div>'

    found = _TakeOut(markdown.Markdown(), kept).run(["Words.", "", *block.split("\n"), "", "End."])

    assert [block] == kept
    assert 'id="a"' in "\n".join(found) and 'id="b"' in "\n".join(found)
    assert LONG not in "\n".join(found)


@pytest.mark.parametrize("text", ["<div>short</div>", f"Words <b>{LONG}</b>", f"<div>{LONG}", f"<div>{LONG}</div> *x*"])
def test_what_may_hold_markdown_is_left_to_it(text: str):
    kept: list[str] = []

    assert text.split("\n") == _TakeOut(markdown.Markdown(), kept).run(text.split("\n"))
    assert [] == kept
