"""The texts of every chart of a built site in a browser: whole, apart, large; at both widths, in both schemes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sites import Sites

pytestmark = pytest.mark.browser

LEAST_PX = {1280: 12.0, 390: 11.0}  # size of a text by the width of the window
MOST_PX = {1280: 600, 390: 720}  # height of a drawing: a page that answers has room for one beside its words
SCHEMES = ("default", "slate")
# Of each drawing that is shown: its figure, its frame, and of its texts what, where and how large.
DRAWINGS = """() => [...document.querySelectorAll('figure.chart')].map(figure => {
  const svg = [...figure.querySelectorAll('svg.drawing')].find(one => one.getBoundingClientRect().width)
  const box = one => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] }
  const scale = svg && svg.getScreenCTM().a
  const size = one => parseFloat(getComputedStyle(one).fontSize) * scale
  const texts = svg && [...svg.querySelectorAll('text')].filter(one => one.textContent.trim())
  return svg && {id: figure.id, frame: box(svg), texts: texts.map(one => [one.textContent, box(one), size(one)])}
}).filter(Boolean)"""

Box = tuple[float, float, float, float]


def with_charts(site: Path) -> list[str]:
    """Addresses of the pages with a chart, below the site's root."""
    pages = (path for path in sorted(site.rglob("index.html")) if '<figure class="chart"' in path.read_text("utf-8"))
    return [path.relative_to(site).as_posix() for path in pages]


def meet(one: Box, other: Box) -> bool:
    """Whether two texts lie on each other by more than the air around their letters."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 1 and down > 2


def faults(drawing: dict, width: int) -> Iterator[str]:
    """What is wrong with the texts of a drawing, and what to do."""
    left, top, right, bottom = drawing["frame"]
    for text, box, size in drawing["texts"]:
        if text in ("undefined", "null", "NaN"):
            yield f"{text!r} stands where a name is missing; see axes.choose"
        if box[0] < left - 1 or box[1] < top - 1 or box[2] > right + 1 or box[3] > bottom + 1:
            yield f"{text!r} leaves the frame; shorten or wrap it, or give it room in its painter"
        if size < LEAST_PX[width] - 0.05:
            yield f"{text!r} is {size:.1f} px high, less than {LEAST_PX[width]:g}; take axes.TEXT_PX for its size"
    for (one, a, _), (other, b, _) in itertools.combinations(drawing["texts"], 2):
        if meet(a, b):
            yield f"{one!r} lies on {other!r}; move one, or show fewer"
    if bottom - top > MOST_PX[width]:
        yield f"it is {bottom - top:.0f} px high, more than {MOST_PX[width]}; draw fewer rows or lower ones"


def all_faults(browser, site: Path) -> tuple[list[str], int]:
    """What is wrong with the charts of a site, each with page, chart, width, scheme; and how many texts there are."""
    found, n_texts = [], 0
    # Without scripts, as the drawings need none: the scheme is set here.
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for address in with_charts(site):
        page.goto((site / address).as_uri())
        for width in LEAST_PX:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                page.evaluate("scheme => document.body.setAttribute('data-md-color-scheme', scheme)", scheme)
                for drawing in page.evaluate(DRAWINGS):
                    n_texts += len(drawing["texts"])
                    where = f"{address}#{drawing['id']} at {width} px, {scheme}"
                    found += [f"{where}: {fault}" for fault in faults(drawing, width)]
    context.close()
    return found, n_texts


@pytest.mark.parametrize("name", ["committed", "full"])
def test_texts_of_all_charts_are_whole_apart_and_large(browser, sites: Sites, name: str):
    found, n_texts = all_faults(browser, sites.site(name))

    assert n_texts > 5000
    assert not found, "\n".join(found)


def test_a_text_that_is_cut_covered_or_small_is_found():
    frame, fine = (0.0, 0.0, 100.0, 100.0), (10.0, 10.0, 50.0, 24.0)

    def said(*texts: tuple[str, Box, float]) -> list[str]:
        return list(faults({"frame": frame, "texts": texts}, 1280))

    assert [] == said(("a", fine, 12.0), ("b", (10.0, 23.0, 50.0, 37.0), 12.0))
    assert ["'a' lies on 'b'; move one, or show fewer"] == said(
        ("a", fine, 12.0), ("b", (40.0, 20.0, 90.0, 34.0), 12.0)
    )
    assert "'a' leaves the frame" in said(("a", (80.0, 10.0, 120.0, 24.0), 12.0))[0]
    assert ["'undefined' stands where a name is missing; see axes.choose"] == said(("undefined", fine, 12.0))
    assert "'a' is 11.0 px high, less than 12" in said(("a", fine, 11.0))[0]
    assert "it is 700 px high" in list(faults({"frame": (0.0, 0.0, 100.0, 700.0), "texts": []}, 1280))[0]
