"""Pages in a real browser: both schemes, desk and phone, no error, no failed request, no foreign host."""

from __future__ import annotations

import datetime as dt
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.charts import draw
from bench.report.pages import drawings as pages_drawings

pytest.importorskip("altair")

from bench import REPOSITORY
from bench.records import store
from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.workloads import registry
from tests import gpu_session
from tests.sites import Sites

pytestmark = pytest.mark.browser

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
    "evidence/",
    "evidence/facts/",
    "evidence/published/",
    "evidence/gpu-16c/2026-11-02/cnn-digits/",
    "guides/rerun/",
    "guides/how-long/",
    "guides/buy-rent-free/",
    "guides/memory/",
    "method/",
    "method/coverage/",
    "articles/",
    "contributing/architecture/",
    "notebooks/compare/",
    "404.html",
)
# The success criteria of WCAG 2.2, levels A and AA; axe's further advice concerns the theme's own markup.
RUN_AXE = "axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})"
AXE_KINDS = ("", "faq/", "faq/slow-first-step/", "misconceptions/always-requires-gpu/", "workloads/resnet50/",
             "articles/", "machines/gpu-16c/", "evidence/gpu-16c/2026-11-02/cnn-digits/", "method/", "guides/how-long/",
             "guides/buy-rent-free/", "method/coverage/")  # fmt: skip


# What people type -> the page that answers it: the ten of the trial, then ten that show it is not only these.
ASKED = {
    "gpu slower than cpu": "faq/gpu-slower-than-cpu/",
    "tensorflow not using gpu": "faq/tensorflow-sees-no-gpu/",
    "is 4gb vram enough": "faq/small-laptop-gpu/",
    "how long to train on cpu": "faq/how-long-on-a-cpu/",
    "lstm slow on gpu": "faq/lstm-slower-on-gpu/",
    "do I need a gpu to learn deep learning": "faq/gpu-for-a-course/",
    "mac gpu": "faq/mac-gpu/",
    "mixed precision no faster": "faq/mixed-precision-no-gain/",
    "out of memory": "faq/how-much-vram/",
    "which backend is fastest": "faq/fastest-keras-backend/",
    "student laptop without gpu course": "faq/gpu-for-a-course/",
    "gru slower on cuda": "faq/lstm-slower-on-gpu/",
    "m1 macbook slow training": "faq/mac-gpu/",
    "is pytorch faster than tensorflow": "faq/tensorflow-or-pytorch/",
    "kaggle t4 or p100": "faq/kaggle-p100-or-t4/",
    "docker slow cpu": "faq/slow-in-a-container/",
    "electricity cost of training": "faq/gpu-electricity/",
    "how many workers dataloader": "faq/data-loading-bottleneck/",
    "xgboost gpu": "faq/tabular-data/",
    "buy or rent gpu": "faq/buy-or-rent/",
}
N_TRIAL, ENOUGH_FOUND = 10, 9


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address(sites: Sites) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(sites.site("full")))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield launched
        launched.close()


class Watched:
    """A browser page that remembers everything that went wrong on it."""

    def __init__(self, browser, address: str, **context) -> None:
        self.problems: list[str] = []
        self.address = address
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)
        self.page.on("request", self._asked)

    def _said(self, message) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the next page was opened before this request ended
            self.problems.append(f"{request.failure}: {request.url}")

    def _answered(self, response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def _asked(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"foreign: {request.url}")

    def open(self, path: str) -> None:
        """Go to a page of the site."""
        self.page.goto(self.address + path, wait_until="load")


TEXTS_AND_RULE = """svg => {
  const box = one => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] }
  return {
    frame: box(svg),
    rule: [...svg.querySelectorAll('.mark-rule line')].map(box).sort((a, b) => b[3] - b[1] - a[3] + a[1])[0],
    texts: [...svg.querySelectorAll('text')].filter(one => one.textContent).map(one => [one.textContent, box(one)]),
    marks: [...svg.querySelectorAll('.mark-symbol.role-mark path')].map(box),
  }
}"""


@pytest.mark.parametrize("kind", ["wide", "narrow"])
def test_texts_of_the_speed_up_chart_meet_nothing(browser, kind: str):
    session = gpu_session.gpu_session()
    made = draw.draw(
        "cpu-gpu-speedup",
        Evidence(Results((session,)), registry.workloads()),
        others=pages_drawings.others("cpu-gpu-speedup"),
    )
    page = browser.new_page(viewport={"width": 1280, "height": 2000})
    page.set_content(pages_drawings.svg(getattr(made, kind), made, "x", kind))
    found = page.locator("svg").evaluate(TEXTS_AND_RULE)
    page.close()

    (left, _, right, _), (rule, top, _, bottom) = found["frame"], found["rule"]
    boxes = found["texts"]
    outside = [text for text, box in boxes if box[0] < left or box[2] > right]
    crossing = [text for text, box in boxes if box[0] < rule < box[2] and box[1] > top and box[3] < bottom]
    overlapping = [
        (one, other)
        for number, (one, a) in enumerate(boxes)
        for other, b in [*boxes[number + 1 :], *(("a mark", mark) for mark in found["marks"])]
        if min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1
    ]
    assert len(boxes) > 20
    assert ([], [], []) == (outside, crossing, overlapping)


# Width of a drawing on a page at 1,280 and at 390 px, and the least size of its texts there.
SHOWN_PX = {"wide": (642, 12), "narrow": (352, 11)}


@pytest.mark.parametrize("kind", SHOWN_PX)
@pytest.mark.parametrize(
    "chart_id", ["time-to-finish", "card-ladder", "same-script-pairs", "estimate-against-measured", "cpu-gpu-speedup"]
)
def test_texts_of_the_charts_with_estimates_are_large_apart_and_whole(browser, chart_id: str, kind: str):
    evidence = Evidence(store.load(REPOSITORY / "bench/results"), registry.workloads())
    made = draw.draw(chart_id, evidence, others=pages_drawings.others(chart_id))
    width, least = SHOWN_PX[kind]
    page = browser.new_page(viewport={"width": 1280, "height": 2000})
    style = f"svg {{ display: block; width: {width}px; height: auto }} text {{ font-family: Arial, sans-serif }}"
    page.set_content(f"<!doctype html><style>{style}</style>{pages_drawings.svg(getattr(made, kind), made, 'x', kind)}")
    found = page.locator("svg").evaluate(TEXTS_AND_RULE)
    sizes = page.locator("svg text").evaluate_all(
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getScreenCTM().a)"
    )
    page.close()

    boxes, (left, top, right, bottom) = found["texts"], found["frame"]
    outside = [text for text, box in boxes if box[0] < left or box[1] < top or box[2] > right or box[3] > bottom]
    overlapping = [
        (one, other)
        for number, (one, a) in enumerate(boxes)
        for other, b in boxes[number + 1 :]
        if min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1.5
    ]
    assert len(boxes) > 10 and min(sizes) >= least
    assert ([], []) == (outside, overlapping)
    assert bottom - top <= (900 if chart_id == "card-ladder" else 670)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_kind_opens_clean(browser, address: str, scheme: str, width: int):
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": width, "height": 900})
    for kind in KINDS:
        watched.open(kind)
        wide = watched.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            watched.problems.append(f"{kind}: {wide} px too wide")
        dark = watched.page.evaluate("getComputedStyle(document.body).getPropertyValue('--chart-ink').trim()")
        assert ("#e8edf4" if scheme == "dark" else "#17202c") == dark
    assert [] == watched.problems
    watched.context.close()


@pytest.mark.parametrize("width", [1440, 360])
def test_charts_are_visible_without_javascript(browser, address: str, width: int):
    watched = Watched(browser, address, java_script_enabled=False, viewport={"width": width, "height": 900})
    watched.open("faq/slow-first-step/")

    drawings = watched.page.locator("figure.chart svg.drawing:visible")

    assert 1 == drawings.count()
    box = drawings.first.bounding_box()
    assert box["width"] > 250 and box["height"] > 100
    assert not watched.page.locator("button[data-spec]").first.is_visible()
    assert [] == watched.problems
    watched.context.close()


def test_text_in_a_chart_is_readable_on_a_phone(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 360, "height": 800})
    watched.open("faq/how-long-on-a-cpu/")

    heights = (
        watched.page.locator("svg.drawing.narrow")
        .first.locator("text")
        .evaluate_all(
            "all => all.map(one => parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getScreenCTM().a)"
        )
    )

    assert heights and min(heights) >= 9
    watched.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_interactive_chart_comes_from_the_site_itself(browser, address: str, scheme: str):
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.open("faq/slow-first-step/")
    assert not any("vega" in url for url in asked)

    watched.page.locator("button[data-spec]").first.click()
    watched.page.wait_for_selector(".chart-live svg")

    assert any(url.endswith("assets/vega/vega.js") for url in asked)
    assert [] == watched.problems
    watched.context.close()


def test_a_number_leads_to_its_opened_evidence(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("workloads/resnet50/")

    watched.page.locator("a.num[data-cells]:not([data-cells*=' '])").first.click()
    watched.page.wait_for_url("**/evidence/**")

    anchor = watched.page.evaluate("decodeURIComponent(location.hash.slice(1))")
    assert watched.page.locator(f"[id='{anchor}']").is_visible()
    assert [] == watched.problems
    watched.context.close()


def test_a_short_number_opens_its_full_value_on_hover_focus_and_the_first_tap(browser, address: str):
    opened, number = ".number-window", "a.num[data-cells]"
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    page = watched.page
    watched.open("faq/how-long-on-a-cpu/")
    first = page.locator(f"article p {number}").first
    assert "(" not in first.inner_text() and "images/s (" in first.get_attribute("title")

    first.hover()
    assert "images/s (" in page.locator(opened).inner_text() and "measured 20" in page.locator(opened).inner_text()
    assert first.get_attribute("href") == page.locator(f"{opened} a").first.get_attribute("href")
    page.keyboard.press("Escape")
    assert 0 == page.locator(opened).count()
    first.focus()
    assert first.get_attribute("aria-describedby") == page.locator(opened).get_attribute("id")
    assert [] == watched.problems
    watched.context.close()

    touch = Watched(browser, address, viewport={"width": 390, "height": 800}, has_touch=True)
    touch.open("faq/how-long-on-a-cpu/")
    first, before = touch.page.locator(f"article p {number}").first, touch.page.url
    first.tap()
    box = touch.page.locator(opened).bounding_box()
    assert before == touch.page.url and 0 <= box["x"] and box["x"] + box["width"] <= 390
    first.tap()
    touch.page.wait_for_url("**/evidence/**")
    assert [] == touch.problems
    touch.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, address: str, scheme: str):
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python not installed")
    script = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    found = []
    for kind in AXE_KINDS:
        watched.open(kind)
        watched.page.evaluate(script)
        result = watched.page.evaluate(RUN_AXE)
        for rule in result["violations"]:
            first = rule["nodes"][0]
            found.append(f"{kind}: {rule['id']} ({len(rule['nodes'])}): {first['target']} {first['html'][:160]}")
    assert [] == found
    watched.context.close()


def test_the_ledger_is_filtered_and_the_address_keeps_the_choice(browser, address: str):
    watched = Watched(browser, address)
    watched.open("articles/")
    entries = watched.page.locator("#ledger > li")
    n_all = entries.count()

    watched.page.select_option(".ledger-filters select[name=word]", "outdated")
    chosen = watched.page.locator("#ledger > li:visible")
    n_chosen = chosen.count()
    watched.page.fill(".ledger-filters input", "caffe")

    assert n_all > n_chosen > chosen.count() >= 1
    assert {"outdated"} == set(chosen.evaluate_all("all => all.map(one => one.dataset.word)"))
    assert watched.page.url.endswith("articles/?word=outdated&words=caffe")
    watched.open("articles/?word=outdated")
    assert n_chosen == watched.page.locator("#ledger > li:visible").count()
    assert [] == watched.problems
    watched.context.close()


def test_the_ledger_is_readable_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    watched.open("articles/")

    assert watched.page.locator("#ledger > li").count() == watched.page.locator("#ledger > li:visible").count() > 130
    assert 0 == watched.page.locator(".ledger-filters").count()
    watched.context.close()


def test_a_claim_opened_by_its_address_is_in_sight(browser, address: str):
    watched = Watched(browser, address)
    watched.open("articles/#b-power-not-energy")

    assert watched.page.locator("#b-power-not-energy").is_visible()
    assert "0.269" in watched.page.locator("#b-power-not-energy").inner_text()
    watched.context.close()


def test_a_reader_types_a_job_and_reads_how_long_it_takes(browser, address: str):
    watched = Watched(browser, address)
    watched.open("guides/how-long/")
    form = watched.page.locator("form.calculator")
    form.locator("select[name=case]").select_option("resnet50")
    option = form.locator("option[value=resnet50]")
    rate, start = (float(option.get_attribute(f"data-{name}")) for name in ("rate", "start"))

    form.locator("input[name=samples]").fill(str(round(7200 * rate)))
    form.locator("input[name=epochs]").fill("3")

    hours = (start + round(7200 * rate) * 3 / rate) / 3600
    result = form.locator(".result").inner_text()
    assert result.startswith(f"{hours:.3g} h (") and result.endswith("): overnight")
    form.locator("input[name=epochs]").fill("")
    assert 0 == form.locator(".result").count()
    assert [] == watched.problems
    watched.context.close()


def test_a_reader_types_prices_and_reads_the_break_even(browser, address: str):
    watched = Watched(browser, address)
    watched.open("guides/buy-rent-free/")
    form = watched.page.locator("form.calculator")

    assert "older than 90 days" in form.locator(".old-price").first.inner_text()
    for name, value in {"price": "500", "hourly": "0.5", "watts": "500", "kwh": "0.2", "weekly": "10"}.items():
        form.locator(f"input[name={name}]").fill(value)

    assert "Break-even after 1,250 hours, 125 weeks" in form.locator(".result").inner_text()
    assert "your own price" in form.locator("output").inner_text()
    form.locator("input[name=hourly]").fill("0.1")
    assert form.locator(".result").inner_text().startswith("Rent")
    assert [] == watched.problems
    watched.context.close()


def test_calculators_stay_hidden_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    for page in ("guides/how-long/", "guides/buy-rent-free/"):
        watched.open(page)
        assert not watched.page.locator("form.calculator").is_visible()
        assert watched.page.locator("table").first.is_visible()
    watched.context.close()


def first_found(watched: Watched, question: str) -> str:
    """Address below the site's root of the page that the search puts first."""
    watched.open("")
    box = watched.page.locator(".md-search__input")
    box.click()
    box.fill(question)
    link = watched.page.locator(".md-search-result__item a").first
    for trial in range(30):  # the theme listens to keys, but a key that comes before it has read its index is lost
        box.press("End")
        watched.page.wait_for_timeout(1_000 if trial else 300)
        if link.is_visible():
            break
    return watched.page.evaluate("one => one.origin + one.pathname", link.element_handle()).removeprefix(
        watched.address
    )


def test_a_reader_finds_the_right_page_first(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})

    found = {question: first_found(watched, question) for question in ASKED}

    wrong = {question: page for question, page in found.items() if page != ASKED[question]}
    assert len(wrong.keys() & set(list(ASKED)[:N_TRIAL])) <= N_TRIAL - ENOUGH_FOUND, wrong
    assert len(wrong) <= len(ASKED) - 2 * ENOUGH_FOUND, wrong
    assert [] == watched.problems
    watched.context.close()


def test_old_numbers_and_prices_say_so_in_the_browser(browser, address: str):
    watched = Watched(browser, address)
    watched.open("faq/slow-first-step/")
    day = watched.page.locator(".provenance [data-day]").get_attribute("data-day")

    shown = {}
    for n_days in (179, 180):
        watched.page.clock.set_fixed_time(f"{dt.date.fromisoformat(day) + dt.timedelta(days=n_days)}T12:00:00Z")
        watched.open("faq/slow-first-step/")
        shown[n_days] = watched.page.locator(".provenance .aged").all_inner_texts()
    watched.open("faq/buy-or-rent/")
    prices = watched.page.locator(".pub .aged").all_inner_texts()

    assert {179: [], 180: ["180 days old"]} == shown
    assert prices and all(text.startswith("price ") and text.endswith(" old") for text in prices)
    assert [] == watched.problems
    watched.context.close()


def test_the_date_of_numbers_is_readable_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    watched.open("faq/slow-first-step/")

    note = watched.page.locator(".provenance")
    assert "2026-11-0" in note.inner_text() and note.is_visible()
    assert 0 == watched.page.locator(".aged").count()
    watched.context.close()
