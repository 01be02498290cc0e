"""Pages in a real browser, each opened once for every question: nothing goes wrong on it, it fits its screens and is
short, axe finds nothing, and the texts of its charts are whole, apart and large; at all widths, in both schemes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.sites import Sites, served
from tests.test_browser import Watched

pytestmark = pytest.mark.browser

DESK, PHONE, NARROWEST = 1280, 390, 320
LEAST_PX = {DESK: 12.0, PHONE: 11.0}  # size of a chart's text by the width of the window
MOST_PX = {DESK: 600, PHONE: 720}  # height of a drawing: a page that answers has room for one beside its words
INK = {"light": "#17202c", "dark": "#e8edf4"}
NAMES = {"light": "default", "dark": "slate"}  # of the schemes, for the theme
# Folder of the committed site -> the most pixels that a page may be tall on a desk; on a phone twice as many.
MOST = {
    "": 2000,
    "faq": 2000,
    "misconceptions": 2000,
    "guides": 3600,
    "gpus": 4000,
    "machines": 4000,
    "workloads": 4000,
}
MOST_OF_INDEX = 3000
# Of the site with a GPU and a local session, one of each kind.
KINDS = (
    "",
    "faq/",
    "faq/how-long-on-a-cpu/",
    "faq/gpu-slower-than-cpu/",
    "faq/slow-first-step/",
    "misconceptions/",
    "misconceptions/always-requires-gpu/",
    "misconceptions/gpu-uses-more-energy/",
    "workloads/",
    "workloads/resnet50/",
    "workloads/mlp-tabular/",
    "machines/",
    "machines/gpu-16c/",
    "machines/local-own-4c/",
    "machines/compare/",
    "data/",
    "evidence/",
    "evidence/facts/",
    "evidence/published/",
    "evidence/estimates/",
    "evidence/gpu-16c/2026-11-02/cnn-digits/",
    "gpus/",
    "guides/rerun/",
    "guides/your-job/",
    "guides/how-long/",
    "guides/memory/",
    "method/",
    "method/coverage/",
    "articles/",
    "contributing/architecture/",
    "notebooks/compare/",
    "404.html",
)
# The success criteria of WCAG 2.2, levels A and AA; axe's further advice concerns the theme's own markup.
# The theme sets the height of its side bars a moment after the window has changed.
RUN_AXE = """new Promise(done => setTimeout(done, 200)).then(() =>
axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']}))"""
AXE_KINDS = ("", "faq/", "faq/slow-first-step/", "misconceptions/always-requires-gpu/", "workloads/resnet50/",
             "articles/", "machines/gpu-16c/", "evidence/gpu-16c/2026-11-02/cnn-digits/", "method/", "guides/your-job/",
             "method/coverage/", "machines/compare/", "data/", "gpus/", "notebooks/compare/")  # fmt: skip
HEIGHT = "document.documentElement.scrollHeight"
ASIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Of each drawing that is shown: its figure, its frame, and of its texts what, where and how large.
DRAWINGS = """scheme => {
  const figures = [...document.querySelectorAll('figure.chart')]
  if (!figures.length) return []
  document.body.setAttribute('data-md-color-scheme', scheme)
  const box = one => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] }
  return figures.map(figure => {
    const svg = [...figure.querySelectorAll('svg.drawing')].find(one => one.getBoundingClientRect().width)
    const scale = svg && svg.getScreenCTM().a
    const size = one => parseFloat(getComputedStyle(one).fontSize) * scale
    const texts = svg && [...svg.querySelectorAll('text')].filter(one => one.textContent.trim())
    return svg && {id: figure.id, frame: box(svg), texts: texts.map(one => [one.textContent, box(one), size(one)])}
  }).filter(Boolean)
}"""
# A window whose width has changed is at once what it would be after a while.
STILL = """const still = new CSSStyleSheet();
still.replaceSync('*, ::before, ::after { transition: none !important }');
document.adoptedStyleSheets = [still];"""

Box = tuple[float, float, float, float]


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


class Walk:
    """A browser page that walks through a site, and what is wrong with the pages it has seen."""

    def __init__(self, browser, address: str) -> None:
        self.watched = Watched(browser, address)
        self.watched.context.add_init_script(STILL)
        self.wrong = self.watched.problems
        self.n_texts = 0

    def see(
        self, address: str, widths: Sequence[int], *, schemes: Sequence[str] = tuple(INK), most: int = 0, axe: str = ""
    ) -> None:
        """Open a page at the first of the widths, in the first of the schemes, and look at it at each width.

        Args:
            schemes: those in which its charts are looked at.
            most: pixels that it may be tall at DESK, half of those at PHONE; 0 for any.
            axe: the script of axe, which is run at DESK.
        """
        page = self.watched.page
        page.set_viewport_size({"width": widths[0], "height": 900})
        page.emulate_media(color_scheme=schemes[0])
        self.watched.open(address)
        if tool := page.query_selector(".your-job"):  # comes when it is looked at
            tool.scroll_into_view_if_needed()
            page.wait_for_selector(".job-result:not([hidden])")
        ink = page.evaluate("getComputedStyle(document.body).getPropertyValue('--chart-ink').trim()")
        if ink != INK[schemes[0]]:
            self.wrong.append(f"{address}, {schemes[0]}: charts are drawn in {ink}")
        if axe:
            page.evaluate(axe)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            where = f"{address} at {width} px"
            if (aside := page.evaluate(ASIDE)) > 0:
                self.wrong.append(f"{where}: {aside} px too wide; let the widest element wrap")
            limit = {DESK: most, PHONE: 2 * most}.get(width)
            if limit and (height := page.evaluate(HEIGHT)) > limit:
                self.wrong.append(f"{where}: {height} px tall; fold what is not the answer, to {limit} px")
            for rule in page.evaluate(RUN_AXE)["violations"] if axe and width == DESK else ():
                first = rule["nodes"][0]
                told = f"{rule['id']} ({len(rule['nodes'])}): {first['target']} {first['html'][:160]}"
                self.wrong.append(f"{where}, {schemes[0]}: {told}")
            for scheme in schemes if width in LEAST_PX else ():
                for drawing in page.evaluate(DRAWINGS, NAMES[scheme]):
                    self.n_texts += len(drawing["texts"])
                    where = f"{address}#{drawing['id']} at {width} px, {scheme}"
                    self.wrong += [f"{where}: {fault}" for fault in faults(drawing, width)]


@pytest.fixture(scope="module")
def opened(browser, sites: Sites, request: pytest.FixtureRequest) -> Iterator[Walk]:
    """A walk through the site of a name."""
    with served(sites.site(request.param)) as at:
        found = Walk(browser, at)
        yield found
        found.watched.context.close()


@pytest.fixture
def walk(opened: Walk) -> Walk:
    """The same, with nothing seen yet."""
    opened.wrong.clear()
    opened.n_texts = 0
    return opened


def with_charts(site: Path) -> list[str]:
    """Addresses of the pages with a chart."""
    pages = (path for path in sorted(site.rglob("index.html")) if '<figure class="chart"' in path.read_text("utf-8"))
    return [address_of(site, path) for path in pages]


def address_of(site: Path, path: Path) -> str:
    """Address of a page below the site's root."""
    return f"{path.parent.relative_to(site).as_posix()}/".removeprefix("./")


@pytest.mark.parametrize("opened", ["full"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_is_as_it_should_be(walk: Walk, kind: str):
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python not installed")
    script = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    script = script if kind in AXE_KINDS else ""
    walk.see(kind, (DESK, PHONE), schemes=("light",), axe=script)
    walk.see(kind, (PHONE, DESK), schemes=("dark",), axe=script)

    assert not walk.wrong, "\n".join(walk.wrong)


@pytest.mark.parametrize("opened", ["full"], indirect=True)
def test_charts_of_all_other_pages_are_as_they_should_be(walk: Walk, sites: Sites):
    for address in sorted({*with_charts(sites.site("full"))} - {*KINDS}):
        walk.see(address, (DESK, PHONE))

    assert walk.n_texts > 5000
    assert not walk.wrong, "\n".join(walk.wrong)


@pytest.mark.parametrize("opened", ["committed"], indirect=True)
@pytest.mark.parametrize("folder", MOST)
def test_no_page_of_the_committed_site_is_taller_than_a_reader_reads(walk: Walk, sites: Sites, folder: str):
    site = sites.site("committed")
    found = sorted((site / folder).glob("*/index.html")) if folder else [site / "index.html"]
    assert found

    if folder and (site / folder / "index.html").is_file():
        walk.see(f"{folder}/", (DESK, PHONE, NARROWEST), most=MOST_OF_INDEX)
    for path in found:
        walk.see(address_of(site, path), (DESK, PHONE, NARROWEST), most=MOST[folder])

    assert walk.n_texts > 1000 or folder not in ("faq", "misconceptions", "workloads")
    assert not walk.wrong, "\n".join(walk.wrong)


@pytest.mark.parametrize("opened", ["committed"], indirect=True)
def test_charts_of_the_committed_sites_other_pages_are_as_they_should_be(walk: Walk, sites: Sites):
    others = [address for address in with_charts(sites.site("committed")) if address.split("/")[0] not in MOST]
    for address in others:
        walk.see(address, (DESK, PHONE))

    assert others and walk.n_texts > 100
    assert not walk.wrong, "\n".join(walk.wrong)


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
