"""Hostile texts: the gate refuses them; past it nothing of them is executed, and no page breaks. Chromium judges.

The long form is ``tests.long payload``.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("altair")

from bench.records import files, store, texts
from bench.report.pages import data_files, markup
from bench.report.tables.table import NUMBER, Cellv, Table, for_spreadsheets
from bench.schema import Machine, Record, Session
from tests import sites
from tests.conftest import launched
from tests.sites import ROOT, served
from tests.test_gate import a_session
from tests.test_hostile import DECLARED, HOSTILE, SHORT, SIGN, Words, hostile_results, said, written

DATA = Path(__file__).parent / "data"
PAYLOADS = [json.loads(line) for line in (DATA / "payloads.txt").read_text(encoding="utf-8").split("\n")[1:-1]]
TOGETHER = 10  # payloads in one text
CHUNKS = [f"{SIGN} {' '.join(PAYLOADS[at : at + TOGETHER])}" for at in range(0, len(PAYLOADS), TOGETHER)]

# What is called when a payload runs, and what of a page only a payload asks for.
LISTEN = """
window.ran = [];
for (const name of ["alert", "confirm", "prompt", "print", "msgbox"]) window[name] = () => { ran.push(name) };
"""
JUDGE = """() => {
  const found = [...ran.map(name => `ran ${name}`)];
  for (const one of document.querySelectorAll("*")) {
    const names = one.getAttributeNames();
    const links = ["href", "src", "xlink:href", "action", "formaction", "data", "srcdoc"].map(n => one.getAttribute(n));
    if (names.some(name => name.startsWith("on")) ||
        links.some(link => /^[\\s\\x00-\\x20]*(javascript|vbscript|data:text)/i.test(link ?? "")) ||
        one.matches("base, embed, object, frameset, meta[http-equiv=refresh], iframe:not([name=__it_wrapper])"))
      found.push(`live ${one.outerHTML.slice(0, 160)}`);
  }
  const whole = document.querySelectorAll("article").length === 1 && document.title &&
    document.querySelectorAll(".md-footer").length === 1 && !document.querySelector("article .md-footer");
  return whole ? found : [...found, "broken"];
}"""


def in_turn(chunks: Sequence[str]) -> Words:
    """Words for a field: what is declared and used elsewhere gets the first chunk, all else one after the other."""
    each = itertools.cycle(chunks)

    def words(at: tuple[str, str]) -> str:
        fixed = at in DECLARED or at[1] == "id"
        return SHORT if at[1] == "params" else chunks[0] if fixed else next(each)

    return words


def build(folder: Path, words: Words) -> Path:
    """The whole site of records with these words in every text, past a switched-off gate."""
    made = hostile_results(words)
    (folder / "made").write_bytes(pickle.dumps(made))
    # Every process of the build begins with this file, also those that work beside the first one.
    (folder / "sitecustomize.py").write_text(
        f"import pickle, pathlib\nfrom bench.records import store\n"
        f"made = pickle.loads(pathlib.Path({str(folder / 'made')!r}).read_bytes())\n"
        "store.load = lambda *_, **__: made\n",
        encoding="utf-8",
    )
    path = os.pathsep.join((str(folder), str(ROOT)))
    sites.build_site(written(folder / "results", made), folder / "site", PYTHONPATH=path)
    return folder / "site"


def formulas(site: Path) -> list[str]:
    """Cells of CSV files that a spreadsheet would calculate, and files with a NUL in them."""
    found = []
    for path in site.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            content = file.read()
        found += [f"{path.name}: NUL"] if "\0" in content else []
        for row in csv.reader(content.replace("\0", "").splitlines(keepends=True)):
            found += [
                f"{path.name}: {cell[:60]!a}"
                for cell in row
                if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not NUMBER.fullmatch(cell)
            ]
    return found


class Judged:
    """A browser page without the site's policy, which remembers what ran and what broke."""

    def __init__(self, browser: Any, address: str) -> None:
        self.address = address
        self.wrong: list[str] = []
        self.context = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
        self.context.add_init_script(LISTEN)
        self.page = self.context.new_page()
        self.page.on("dialog", lambda dialog: (self.note(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.note(f"error {error}"))
        self.page.on("console", lambda said: self.note(f"{said.type} {said.text}") if said.type == "error" else None)
        self.page.on("request", lambda asked: None if self.is_own(asked.url) else self.note(f"foreign {asked.url}"))

    def is_own(self, url: str) -> bool:
        return url.startswith((self.address, "data:", "blob:"))

    def note(self, what: str) -> None:
        self.wrong.append(f"{self.page.url.removeprefix(self.address)}: {what[:300]}")

    def judge(self, at: str) -> None:
        """Open a page and look at it."""
        self.page.goto(self.address + at, wait_until="load")
        self.look()

    def look(self) -> None:
        for what in self.page.evaluate(JUDGE):
            self.note(what)

    def use(self, record: Path) -> None:
        """Do what readers do where texts of records are shown by scripts: search, charts, numbers, files, addresses."""
        self.page.goto(f"{self.address}machines/", wait_until="load")
        self.page.locator(".md-search__input").fill("hostile")
        self.page.wait_for_selector("#search-results[data-question='hostile']", state="attached")
        self.look()
        for at in ("faq/gpu-slower-than-cpu/", "workloads/resnet50/"):
            self.page.goto(self.address + at, wait_until="load")
            if (number := self.page.locator("article a.num[data-cells]").first).count():
                number.focus()
            if (button := self.page.locator("button[data-spec]").first).count():
                button.click()
                self.page.wait_for_selector(".chart-live svg")
            self.look()
        self.page.goto(f"{self.address}guides/your-job/", wait_until="load")
        self.page.wait_for_selector(".job-result:not([hidden])")
        self.page.locator("input[type=file]").set_input_files(record)
        self.page.wait_for_timeout(300)
        self.look()
        for at in ("machines/compare/?a={0}&b={0}", "articles/?word={0}&words={0}", "gpus/?words={0}&sort={0}",
                   "guides/your-job/?model={0}&cpu={0}&rate={0}", "#{0}"):  # fmt: skip
            for number in range(0, len(PAYLOADS), 50):  # the first is what the value begins with
                self.page.goto("about:blank")
                value = quote(" ".join(PAYLOADS[number : number + 50]))
                self.page.goto(self.address + at.format(value), wait_until="load")
                self.look()


def judged(browser: Any, site: Path, record: Path, *, step: int = 1) -> tuple[int, list[str]]:
    """How many pages of a site were opened, and what went wrong on them."""
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    shown = [page for page in pages if SIGN in (site / page / "index.html").read_text(encoding="utf-8")]
    with served(site) as address:
        one = Judged(browser, address)
        for page in shown[::step]:
            one.judge("" if page == "." else f"{page}/")
        one.use(record)
        one.context.close()
    return len(shown[::step]), one.wrong


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in the JSON: the way to each, and to each key as ("key", its name)."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for name, one in value.items():
            yield (*at, ("key", name))
            yield from places(one, (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value[:1]):  # the others are like it
            yield from places(one, (*at, number))


def with_payload(raw: Any, at: tuple[Any, ...], payload: str) -> Any:
    """The JSON with the payload at a place."""
    raw = inner = json.loads(json.dumps(raw))
    for key in at[:-1]:
        inner = inner[key]
    if isinstance(at[-1], tuple):
        inner[payload] = inner.pop(at[-1][1])
    else:
        inner[at[-1]] = payload
    return raw


def of_changed(path: Path) -> list[str]:
    """Problems of a session of which one file was changed; the others are read only where that one is let through."""
    try:
        files.read(path, {"machine": Machine, "session": Session}.get(path.stem, Record))
    except files.RecordError as error:
        return [str(error)]
    return store.check(path.parents[2])


def through_the_gate(folder: Path, step: int) -> tuple[int, list[str]]:
    """How many records with a payload in one place were tried, every ``step``-th; and which payloads were read."""
    n, wrong = 0, []
    for path in sorted(folder.glob("*.json")):
        before = path.read_bytes()
        raw = json.loads(before)
        for at, payload in itertools.islice(itertools.product(places(raw), PAYLOADS), 0, None, step):
            n += 1
            path.write_text(json.dumps(with_payload(raw, at, payload)), encoding="utf-8")
            problems = of_changed(path)
            if not problems and texts.problem(payload):
                wrong.append(f"{path.name} {at}: {payload!a}")
            wrong += [f"{at}: {said!a}" for said in problems if not said.isprintable() or len(said) > 300]
        path.write_bytes(before)
    return n, wrong


def as_names(root: Path) -> tuple[int, list[str]]:
    """How many payloads were tried as the name of a machine, a session and a file, and which were read."""
    n, wrong = 0, []
    for payload in PAYLOADS:
        for depth in range(3):
            folder, record = a_session(root / "names")
            (old := [folder.parent, folder, record][depth]).rename(old.with_name("moved"))
            moved = old.with_name("moved")
            try:
                moved.rename(old.with_name(payload if depth < 2 else f"{payload}.json"))
                n += 1
                if not store.check(root / "names") and not old.with_name(payload).name.startswith("."):
                    wrong.append(f"a name: {payload!a}")
            except (OSError, ValueError):  # no name of any file
                pass
            shutil.rmtree(root / "names", ignore_errors=True)
    return n, wrong


def hostile_record(folder: Path) -> Path:
    """A record that holds a payload in every text, as a reader may open it on a page."""
    _, record = a_session(folder / "opened")
    raw = json.loads(record.read_bytes())
    for at in list(places(raw)):
        if not isinstance(at[-1], tuple) and at[-1] not in ("status", "kind", "mode", "workload"):
            raw = with_payload(raw, at, HOSTILE)
    record.write_text(json.dumps(raw), encoding="utf-8")
    return record


def count(n_builds: int) -> tuple[dict[str, int], list[str]]:
    """Every payload in every field through the gate; then n sites in which every text has its share of all payloads."""
    with tempfile.TemporaryDirectory() as temporary, launched() as browser:
        root = Path(temporary)
        counts: dict[str, int] = {"payloads": len(PAYLOADS)}
        folder, _ = a_session(root / "gate")
        counts["records"], wrong = through_the_gate(folder, 1)
        counts["names"], more = as_names(root)
        wrong += more
        counts |= {"builds": n_builds, "pages": 0}
        for number in range(n_builds):
            (own := root / f"build-{number}").mkdir()
            site = build(own, in_turn([" ".join(CHUNKS[number::n_builds])]))
            n_pages, found = judged(browser, site, hostile_record(own))
            counts["pages"] += n_pages
            wrong += found + formulas(site)
            shutil.rmtree(own)
    return counts, wrong


def test_payloads_are_many_and_different():
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 200


def test_the_gate_refuses_payloads_wherever_they_stand(tmp_path: Path):
    folder, _ = a_session(tmp_path)

    n, wrong = through_the_gate(folder, 97)

    assert n > 100 and [] == wrong


@pytest.mark.slow
def test_no_payload_is_the_name_of_a_machine_a_session_or_a_record(tmp_path: Path):
    n, wrong = as_names(tmp_path)

    assert n > 300 and [] == wrong


@pytest.mark.parametrize("payload", [one for one in PAYLOADS if one[:1] in "=+-@\t\r\n" or "\0" in one], ids=ascii)
def test_no_cell_of_a_csv_file_is_a_formula(payload: str):
    text = data_files.csv_text(Table(id="x", caption="", columns=(payload,), rows=((Cellv(text=payload),),)))

    assert not next(csv.reader(io.StringIO(text, newline="")))[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert "\0" not in text


@pytest.mark.parametrize("text", ["", "-1", "+12.5 %", "-1,024 MB", "-1.5e-07", "a=b"])
def test_numbers_and_plain_texts_are_cells_as_they_are(text: str):
    assert text == for_spreadsheets(text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of records in which each payload stands in many texts."""
    return build(tmp_path_factory.mktemp("payloads"), in_turn([said(("", "")), *CHUNKS]))


@pytest.mark.browser(needs_chromium=False)
def test_no_cell_of_a_hostile_site_is_a_formula(site: Path):
    assert [] == formulas(site)


@pytest.mark.browser
def test_nothing_of_a_hostile_site_is_executed_and_no_page_breaks(browser: Any, site: Path, tmp_path: Path):
    n_pages, wrong = judged(browser, site, hostile_record(tmp_path), step=5)

    assert n_pages > 10 and [] == wrong


@pytest.mark.browser
@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<img src=x: onerror=alert(1)>", "ran alert"),
        ("<a href=' javascript:1'>x</a>", "live <a"),
        ("<base href=/>", "live <base"),
        ("<article>x</article>", "broken"),
    ],
)
def test_the_judge_sees_what_runs_and_what_breaks(browser: Any, tmp_path: Path, body: str, what: str):
    page = f"<title>x</title><article>{body}<p class=md-footer></p>"
    (tmp_path / "index.html").write_text(page if what == "broken" else page.replace("<p ", "</article><p "))

    with served(tmp_path) as address:
        one = Judged(browser, address)
        one.judge("")
        one.page.wait_for_timeout(200)
        one.look()
        one.context.close()

    assert any(what in found for found in one.wrong), one.wrong


def test_every_field_of_a_pages_head_is_one_line():
    head = markup.page(" ".join(PAYLOADS), "x").split("---\n")[1]

    assert ["title", "description"] == [line.partition(":")[0] for line in head.splitlines()]
