"""Pages in a real browser: both schemes, desk and phone, no error, no failed request, no foreign host."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.charts import draw
from bench.report.pages import drawings as pages_drawings

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.workloads import registry
from tests import gpu_session
from tests.sites import ROOT, Sites, served

pytestmark = pytest.mark.browser
SHEET = ROOT / "docs" / "assets" / "css" / "site.css"

# What people type, with the page that each must find, in the first place for most of them.
QUERIES = tomllib.loads((Path(__file__).parent / "data" / "queries.toml").read_text(encoding="utf-8"))["queries"]
FIRST_FRAC, N_SHOWN_FIRST = 55 / 60, 3


@pytest.fixture(scope="module")
def address(sites: Sites) -> Iterator[str]:
    with served(sites.site("full")) as at:
        yield at


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
    fonts = "".join(re.findall(r"@font-face.*", SHEET.read_text(encoding="utf-8")))
    page.set_content(f"<style>{fonts}</style>{pages_drawings.svg(getattr(made, kind), made, 'x', kind)}")
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


SHIFTS = """window.shifts = []
new PerformanceObserver(list => shifts.push(...list.getEntries().map(one => one.value)))
  .observe({type: 'layout-shift', buffered: true})"""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_a_page_comes(browser, address: str, width: int):
    """The theme says only at a page's end that scripts run, so what one puts in must have its room before."""
    found = {}
    for path in ("", "faq/", "guides/your-job/", "guides/how-long/", "gpus/", "workloads/", "machines/compare/",
                 "evidence/published/", "data/"):  # fmt: skip
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.add_init_script(SHIFTS)
        page.goto(address + path, wait_until="networkidle")
        found[path] = sum(page.evaluate("shifts"))
        page.close()

    assert {path: shift for path, shift in found.items() if shift >= 0.05} == {}


SMUGGLED = (
    "<script>ran.push('script')</script>",
    "<script src='data:text/javascript,ran.push(%22data%22)'></script>",
    "<script type=module>ran.push('module')</script>",
    "<img src=x: onerror=\"ran.push('onerror')\">",
    "<svg onload=\"ran.push('onload')\"><animate onbegin=\"ran.push('onbegin')\" attributeName=x dur=1s></svg>",
    "<details open ontoggle=\"ran.push('ontoggle')\"></details>",
    "<iframe srcdoc=\"<script>parent.ran.push('srcdoc')</script>\"></iframe>",
    "<object data='data:text/html,<script>parent.ran.push('object')</script>'></object>",
    "<a id=smuggled href=\"javascript:ran.push('link')\">x</a>",
    "<form id=sent action=\"javascript:ran.push('form')\"></form>",
    "<base href='https://elsewhere.invalid/'>",
)


@pytest.mark.parametrize("kind", ["", "faq/gpu-slower-than-cpu/", "guides/your-job/", "notebooks/compare/", "404.html"])
def test_what_a_page_smuggled_in_would_not_run(browser, address: str, kind: str):
    """Past escaping, which lets nothing through: the page's policy alone."""
    watched = Watched(browser, address)
    heard = "document.addEventListener('securitypolicyviolation', one => stopped.push(one.effectiveDirective))"
    watched.page.add_init_script(f"window.ran = []; window.stopped = []; {heard}")

    def smuggle(route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("</article>", "".join(SMUGGLED) + "</article>"))

    watched.page.route(address + kind, smuggle)
    watched.open(kind)
    watched.page.evaluate("() => { smuggled.click(); sent.submit(); setTimeout(\"ran.push('timer')\") }")
    watched.page.wait_for_timeout(200)

    assert [] == watched.page.evaluate("ran")
    assert {"script-src-elem", "script-src-attr", "script-src", "base-uri"} <= set(watched.page.evaluate("stopped"))
    watched.context.close()


def test_every_page_has_a_policy_without_inline_scripts(sites: Sites):
    for page in sites.site("full").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if 'http-equiv="refresh"' in text.lower() or "http-equiv=refresh" in text.lower():
            continue  # a redirect
        found = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
        assert 1 == len(found), page
        scripts = next(rule for rule in found[0].split("; ") if rule.startswith("script-src"))
        assert "unsafe" not in scripts and 3 == scripts.count("'sha256-"), page
        assert text.index("Content-Security-Policy") < text.index("<script"), page


@pytest.mark.parametrize("width", [1440, 360])
def test_charts_are_visible_without_javascript(browser, address: str, width: int):
    watched = Watched(browser, address, java_script_enabled=False, viewport={"width": width, "height": 900})
    watched.open("faq/gpu-slower-than-cpu/")

    drawings = watched.page.locator("figure.chart svg.drawing:visible")

    assert 1 == drawings.count()
    box = drawings.first.bounding_box()
    assert box["width"] > 250 and box["height"] > 100
    assert not watched.page.locator("button[data-spec]").first.is_visible()
    assert [] == watched.problems
    watched.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_interactive_chart_comes_from_the_site_itself(browser, address: str, scheme: str):
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.open("faq/gpu-slower-than-cpu/")
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


# What has the focus, and whether it, its label or what holds it looks otherwise than without; null behind the last.
STOP = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const near = [at, ...(at.labels ?? []), ...at.parentElement.children];
  for (let up = at.parentElement, n = 0; up && n < 4; up = up.parentElement, n++) near.push(up);
  const look = (one) => {
    const { bottom, left, right, top } = one.getBoundingClientRect(), style = getComputedStyle(one);
    const isSeen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && right - left > 2
      && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    const outline = style.outlineStyle === "none" ? "" : style.outline;
    return isSeen ? [outline, style.boxShadow, style.backgroundColor, style.border].join() : "";
  };
  const on = near.map(look);
  at.blur();
  const off = near.map(look);
  at.focus({ preventScroll: true, focusVisible: true });
  const name = at.getAttribute("aria-label") || at.name || at.textContent.trim().slice(0, 40);
  return { name: `${at.tagName} ${at.className} ${name}`, isMarked: on.some((one, i) => one && one !== off[i]) };
}"""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_stop_of_the_keyboard_is_seen(browser, address: str, sites: Sites, width: int, scheme: str):
    notebook = next((sites.site("full") / "notebooks").glob("*/index.html")).parent.name
    watched = Watched(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme)
    n_stops, unseen = 0, []
    for path in ("", "faq/slow-first-step/", "guides/your-job/", f"notebooks/{notebook}/", "machines/"):
        watched.open(path)
        watched.page.add_style_tag(content="* { transition: none !important }")
        for _ in range(80):
            watched.page.keyboard.press("Tab")
            stop = watched.page.evaluate(STOP)
            if stop is None:
                break
            n_stops += 1
            unseen += [] if stop["isMarked"] else [f"{path}: {stop['name']}"]

    assert n_stops > 100
    assert not unseen, "\n".join(unseen)
    watched.context.close()


def test_the_drawer_opens_by_the_keyboard_and_its_links_are_stops_only_then(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 390, "height": 900})
    watched.open("faq/")
    links = watched.page.locator(".md-sidebar--primary a.md-nav__link")

    for key in ("Enter", " "):
        assert not links.first.is_visible()
        watched.page.get_by_role("button", name="Menu").press(key)
        links.first.wait_for(state="visible")
        watched.page.get_by_role("button", name="Menu").press("Enter")
        links.first.wait_for(state="hidden")
    watched.context.close()


def test_an_answer_in_the_list_is_whole_while_it_is_pointed_at_and_moves_nothing(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("faq/")
    watched.page.wait_for_selector("form.filter")
    cut = "[...document.querySelectorAll('.answers .short')].findIndex((one) => one.scrollWidth > one.clientWidth)"
    item = watched.page.locator(".answers .short").nth(watched.page.evaluate(cut))
    height, line = watched.page.evaluate("document.documentElement.scrollHeight"), item.bounding_box()["height"]

    item.hover()

    assert item.locator("span").bounding_box()["height"] > 1.5 * line == 1.5 * item.bounding_box()["height"]
    assert height == watched.page.evaluate("document.documentElement.scrollHeight")
    watched.context.close()


def test_a_short_number_opens_its_full_value_on_hover_focus_and_the_first_tap(browser, address: str):
    opened, number = ".number-window", "a.num[data-cells]"
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    page = watched.page
    watched.open("faq/how-long-on-a-cpu/")
    first = page.locator(f"article p {number}").first
    assert "(" not in first.inner_text() and " (" in first.get_attribute("title")

    first.hover()
    assert " (" in page.locator(opened).inner_text() and "measured 20" in page.locator(opened).inner_text()
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


def test_the_ledger_is_filtered_and_the_address_keeps_the_choice(browser, address: str):
    watched = Watched(browser, address)
    watched.open("articles/")
    entries = watched.page.locator("#ledger > li")
    n_all = entries.count()

    watched.page.select_option(".filter select[name=word]", "outdated")
    chosen = watched.page.locator("#ledger > li:visible")
    n_chosen = chosen.count()
    watched.page.fill(".filter input", "caffe")

    assert n_all > n_chosen > chosen.count() >= 1
    assert {"outdated"} == set(chosen.evaluate_all("all => all.map(one => one.dataset.word)"))
    assert watched.page.url.endswith("articles/?word=outdated&words=caffe")
    watched.open("articles/?word=outdated")
    watched.page.wait_for_selector(".filter")
    assert n_chosen == watched.page.locator("#ledger > li:visible").count()
    assert [] == watched.problems
    watched.context.close()


def test_the_ledger_is_readable_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    watched.open("articles/")

    assert watched.page.locator("#ledger > li").count() == watched.page.locator("#ledger > li:visible").count() > 130
    assert 0 == watched.page.locator(".filter").count()
    watched.context.close()


def column(page, number: int) -> list[str]:
    """What the shown rows of a page's first sortable table have in a column, from 1, and what it is sorted by."""
    cells = page.locator(f"table.sortable tbody tr:visible > :nth-child({number})")
    return cells.evaluate_all("all => all.map(one => one.dataset.value ?? one.textContent.trim())")


def test_a_table_is_sorted_by_value_with_mouse_and_keys_and_what_is_missing_comes_last(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("gpus/")
    heads = watched.page.locator("table.sortable thead th")
    watched.page.wait_for_selector("thead button")
    as_written, prices = column(watched.page, 1), column(watched.page, 4)

    heads.nth(3).locator("button").click()
    up = column(watched.page, 4)
    assert "ascending" == heads.nth(3).get_attribute("aria-sort")
    heads.nth(3).locator("button").focus()
    watched.page.keyboard.press("Enter")
    down = column(watched.page, 4)
    assert "descending" == heads.nth(3).get_attribute("aria-sort")
    heads.nth(0).locator("button").click()

    numbers = [float(price) for price in prices if price]
    assert 10 < len(numbers) < len(prices) and max(numbers) >= 1000 > min(numbers)
    assert sorted(numbers) == [float(price) for price in up[: len(numbers)]]
    assert sorted(numbers, reverse=True) == [float(price) for price in down[: len(numbers)]]
    assert {""} == {*up[len(numbers) :], *down[len(numbers) :]}
    assert sorted(as_written) == sorted(column(watched.page, 1)) and as_written != column(watched.page, 1)
    assert ["ascending"] == [one for n in range(6) if (one := heads.nth(n).get_attribute("aria-sort"))]
    assert [] == watched.problems
    watched.context.close()


def test_a_table_is_filtered_and_the_address_keeps_the_words(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("evidence/published/")
    n_all = watched.page.locator("table.sortable tbody tr").count()

    watched.page.fill(".filter input", "Akash  h200")
    words = [row.lower() for row in watched.page.locator("tbody tr:visible").all_inner_texts()]
    told = watched.page.locator(".filter output").inner_text()
    watched.open(watched.page.url.removeprefix(address))
    watched.page.wait_for_selector(".filter")

    assert n_all > 1700 > len(words) >= 1 and all("akash" in row and "h200" in row for row in words)
    assert f"{len(words)} of {n_all} rows" == told == watched.page.locator(".filter output").inner_text()
    watched.page.fill(".filter input", "no such words")
    assert 0 == watched.page.locator("tbody tr:visible").count()
    assert [] == watched.problems
    watched.context.close()


def test_a_table_is_whole_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    watched.open("gpus/")

    assert 60 == watched.page.locator("table.sortable tbody tr:visible").count()
    assert 0 == watched.page.locator(".filter, thead button").count()
    watched.open("machines/compare/")
    assert watched.page.locator(".compared tbody tr:visible").count() > 10
    assert not watched.page.locator(".compare form").is_visible()
    watched.context.close()


def test_two_machines_are_chosen_and_the_address_keeps_them(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("machines/compare/")
    page, sentence = watched.page, watched.page.locator(".compare [role=status]")
    machines = page.locator("select[name=a] option").evaluate_all("all => all.map(one => one.value)")
    first = sentence.inner_text()
    assert "local-own-4c" == machines[0] and len(machines) == 3 and "this machine" in first

    page.select_option("select[name=a]", machines[2])
    page.wait_for_function("was => document.querySelector('.compare [role=status]').textContent !== was", arg=first)
    chosen = sentence.inner_text()
    assert machines[2] in chosen and f"?a={machines[2]}&b={machines[1]}" in page.url
    page.wait_for_selector(".compared thead button")
    page.fill(".compared .filter input", "resnet")
    assert 1 == page.locator(".compare .filter").count()
    assert 0 < page.locator(".compared tbody tr:visible").count() < page.locator(".compared tbody tr").count()

    watched.open(f"machines/compare/?a={machines[1]}&b={machines[2]}")
    page.wait_for_function("told => document.querySelector('.compare [role=status]').innerText === told", arg=chosen)
    page.select_option("select[name=b]", machines[1])
    assert "Choose two different machines." == sentence.inner_text()
    watched.open(f"machines/compare/?a={machines[0]}")
    page.wait_for_selector(".compare form:visible")
    assert page.locator("select[name=b]").input_value() != machines[0]
    assert [] == watched.problems
    watched.context.close()


@pytest.mark.parametrize("query", ["#100%", "#%E0%A4%A", "?word=%3Cscript%3E&words=%00%3Cb%3E#<script>"])
def test_an_address_that_cannot_be_read_opens_the_page_as_it_is(browser, address: str, query: str):
    watched = Watched(browser, address)
    watched.open(f"articles/{query}")

    assert watched.page.locator(".filter output").inner_text().endswith(" claims")
    number = "document.querySelector('a:is(.num, .est, .pub-value)[title]')"
    watched.page.evaluate(f"{number}.dispatchEvent(new Event('focusin', {{bubbles: true}}))")
    assert 1 == watched.page.locator("a[data-full]").count(), "the rest of the script ran"
    assert [] == watched.problems
    watched.context.close()


def test_a_claim_opened_by_its_address_is_in_sight(browser, address: str):
    watched = Watched(browser, address)
    watched.open("articles/#b-power-not-energy")

    assert watched.page.locator("#b-power-not-energy").is_visible()
    assert "0.269" in watched.page.locator("#b-power-not-energy").inner_text()
    watched.context.close()


class Search:
    """The search box of an opened page."""

    def __init__(self, watched: Watched) -> None:
        self.page = watched.page
        self.root = watched.address
        self.box = watched.page.locator(".md-search__input")

    def found(self, question: str) -> list[str]:
        """Addresses below the site's root that a question finds, in the order shown."""
        self.box.fill(question)
        shown = self.page.locator(f"#search-results[data-question='{question}']")
        shown.wait_for(state="attached")
        return [link.removeprefix(self.root) for link in shown.locator("a").evaluate_all("all => all.map(a => a.href)")]


def test_the_search_finds_what_people_ask_for(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    watched.open("contributing/")
    search = Search(watched)

    found = {question: search.found(question) for question in QUERIES}

    not_first = {question: pages[:4] for question, pages in found.items() if f"{QUERIES[question]}/" not in pages[:1]}
    late = [question for question, pages in not_first.items() if f"{QUERIES[question]}/" not in pages[:N_SHOWN_FIRST]]
    assert 60 <= len(QUERIES) and [] == late, not_first
    assert len(not_first) <= (1 - FIRST_FRAC) * len(QUERIES), not_first
    everything = [page for pages in found.values() for page in pages]
    assert not any(page.startswith(("evidence/", "data/", "contributing/", "http")) for page in everything)
    assert [] == watched.problems
    watched.context.close()


def test_a_pasted_page_is_searched_by_its_first_words(browser, address: str):
    watched = Watched(browser, address)
    watched.open("contributing/")
    search = Search(watched)
    first = " ".join(["gpu", "slow", *(f"qq{chr(97 + n // 26)}{chr(97 + n % 26)}x" for n in range(28))])

    assert search.found("gpu") and search.found(f"gpu{' gpu' * 2500}") == search.found("gpu")
    assert search.found(f"{first} {' '.join(f'memory{n}' for n in range(1000))}") == search.found(first)
    assert [] == watched.problems
    watched.context.close()


def test_the_search_is_loaded_on_use_and_led_by_keys(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.open("guides/rerun/")
    assert not any("pagefind" in url or url.endswith("search.js") for url in asked)
    keys = watched.page.keyboard
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"

    keys.press("/")
    search = Search(watched)
    assert search.found("qqxjw pytorch") and not search.found("qqxjw")
    assert "Nothing found" == watched.page.locator(".md-search [role=status]").inner_text()
    first = search.found("xgboost gpu")[0]
    keys.press("ArrowDown")
    assert watched.page.locator("#search-results a").first.inner_text().split("\n")[0] in watched.page.evaluate(focused)
    keys.press("ArrowUp")
    assert "Search" == watched.page.evaluate(focused)
    keys.press("Escape")
    assert not watched.page.locator("#search-results a").first.is_visible()
    keys.press("s")
    keys.press("Enter")
    watched.page.wait_for_url(f"**/{first}")

    assert [] == watched.problems
    watched.context.close()


def test_the_search_on_a_phone_opens_over_the_page(browser, address: str):
    watched = Watched(browser, address, viewport={"width": 390, "height": 800})
    watched.open("guides/rerun/")
    box = watched.page.locator(".md-search__input")

    watched.page.locator("label.md-header__button[for=__search]").click()
    assert "Search" == watched.page.evaluate("document.activeElement.getAttribute('aria-label')")
    Search(watched).found("xgboost gpu")
    link = watched.page.locator("#search-results a").first
    link.wait_for(state="visible")
    assert link.bounding_box()["width"] > 350
    watched.page.locator("label.md-search__icon[for=__search]").click()
    watched.page.wait_for_function("!document.getElementById('__search').checked")

    assert not link.is_visible() and "xgboost gpu" == box.input_value()
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
        shown[n_days] = watched.page.locator(".provenance .aged").all_text_contents()
    watched.open("faq/buy-or-rent/")
    prices = watched.page.locator(".pub .aged").all_text_contents()

    assert {179: [], 180: [f"measured in {day[:4]}"]} == shown
    assert prices and all(re.fullmatch(r"price of 20\d\d", text) for text in prices)
    assert [] == watched.problems
    watched.context.close()


def test_the_date_of_numbers_is_readable_without_javascript(browser, address: str):
    watched = Watched(browser, address, java_script_enabled=False)
    watched.open("faq/slow-first-step/")

    note = watched.page.locator(".provenance")
    watched.page.locator("#how-we-know > summary").click()
    assert "2026-11-0" in note.inner_text() and note.is_visible()
    assert 0 == watched.page.locator(".aged").count()
    watched.context.close()
