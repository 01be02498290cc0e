"""Sections of readers' pages: what stands open, what is folded, and that nothing of a page is lost."""

from __future__ import annotations

import re

import markdown
import pytest

from bench.report.pages import layout

MARKDOWN = ["attr_list", "md_in_html", "toc", "pymdownx.superfences"]


def html(body: str) -> str:
    return markdown.Markdown(extensions=MARKDOWN).convert(layout.laid_out(body, "how"))


@pytest.mark.parametrize(
    "code",
    [
        "````md\n```\n## Sources\n```\n## Related\n````",
        "```sh\n~~~\n## Sources\n```",
        "~~~\n```\n## Sources\n~~~",
        "```one line```",
        "```text\n``` text\n## Sources\n```",
        "    ## Sources",
    ],
)
def test_a_heading_in_code_is_no_section(code: str):
    page = html(f"Yes.\n\n## Why\n\n{code}\n\nafter it\n\n## Sources\n\nread here\n\n## Related\n\n- more")

    places = [page.index(text) for text in ("<p>after it</p>", "<p>how</p>", "<p>read here</p>", "<li>more</li>")]
    assert sorted(places) == places
    assert 1 == page.count('id="sources"')


@pytest.mark.parametrize("name", ["All the numbers", "Sources"])
def test_two_sections_of_one_name_are_both_there(name: str):
    page = html(f"Yes.\n\n## {name}\n\nfirst\n\n## {name}  \n\nsecond")

    assert page.index("<p>first</p>") < page.index("<p>second</p>")
    assert 1 == page.count(f"<summary>{name}</summary>")


def test_every_fold_has_an_id_of_its_own_by_which_it_can_be_linked():
    heads = ("A { .fold }", "A { .fold }", "B { #mine .fold }", 'C & "<i>d</i>" { .fold } ')

    page = html("Yes.\n\n" + "\n\n".join(f"## {head}\n\ntext" for head in heads))

    ids = re.findall(r'<details class="plain fold" id="([^"]*)"', page)
    assert ["a", "a-2", "mine"] == ids[:3]
    assert re.fullmatch(r"[\w-]+", ids[3])
    assert "<i>" not in page
