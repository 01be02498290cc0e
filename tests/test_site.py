"""The built site: strict from committed records, invented ones and none; every link and every number resolves."""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs")

from tests.sites import Element, Sites

pytestmark = pytest.mark.browser(needs_chromium=False)  # three whole sites are built: no part of the fast half
NAMES = ("full", "none", "committed")
# A quantity as our tables print it: a number with a unit that only a measurement or a citation has.
QUANTITY = re.compile(r"\d ?(ms|µs|[A-Za-z]+/s)\b|\dx\b|\d (times|[a-z]+ a second)\b")


def resolve(page: str, address: str) -> tuple[str, str]:
    """File below the site's root and anchor that an address on a page leads to."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    base = path.lstrip("/") if path.startswith("/") else posixpath.join(posixpath.dirname(page), path)
    target = posixpath.normpath(base) if path else page
    if path and (path.endswith("/") or target in (".", "")):
        target = posixpath.normpath(posixpath.join(target, "index.html"))
    return target, unquote(parts.fragment)


def is_foreign(address: str) -> bool:
    return bool(urlsplit(address).netloc) and not address.startswith("http://localhost:8000")


def closest(element: Element, test) -> Element | None:
    at: Element | None = element
    while at is not None and not test(at):
        at = at.parent
    return at


@pytest.mark.parametrize("name", NAMES)
def test_every_internal_link_and_anchor_resolves(sites: Sites, name: str):
    out, trees = sites.site(name), sites.pages(name)
    ids = {page: {e.attributes["id"] for e in tree.walk() if "id" in e.attributes} for page, tree in trees.items()}
    broken = []
    for page, tree in trees.items():
        if page == "404.html":
            continue  # its addresses start at the site's root
        for element in tree.walk():
            for key in ("href", "src", "data-spec", "data-bundle"):
                address = element.attributes.get(key, "")
                if not address or address.startswith(("data:", "mailto:", "http:", "https:")):
                    continue
                target, anchor = resolve(page, address)
                if not (out / target).is_file():
                    broken.append(f"{page}: {address}")
                elif anchor and target in ids and anchor not in ids[target] and anchor != "__skip":
                    broken.append(f"{page}: {address} (no such anchor)")
    assert [] == broken[:20]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_opens_its_evidence(sites: Sites, name: str):
    trees = sites.pages(name)
    by_id: dict[str, dict[str, Element]] = {}
    checked, n_numbers = set(), 0

    def opened(page: str, link: Element) -> tuple[str, Element]:
        target, anchor = resolve(page, link.attributes["href"])
        assert target.startswith("evidence/"), f"{page}: {link.attributes['href']}"
        if target not in by_id:
            by_id[target] = {e.attributes["id"]: e for e in trees[target].walk() if "id" in e.attributes}
        section = by_id[target].get(anchor)
        assert section is not None, f"{page}: {link.attributes['href']}"
        return target, section

    for page, tree in trees.items():
        for link in tree.walk():
            if "num" not in link.classes:
                continue
            n_numbers += 1
            target, section = opened(page, link)
            cells = link.attributes["data-cells"].split()
            if len(cells) < 2:
                check_evidence(section, cells)
                continue
            links = [e for e in section.walk() if e.name == "a" and "#" in e.attributes.get("href", "")]
            places = {resolve(target, e.attributes["href"]): e for e in links}
            for cell in cells:  # each is a link on
                machine, day, name_of_cell = cell.split("/")
                (place,) = [at for at in places if at[1] == name_of_cell and f"/{machine}/{day}/" in at[0]]
                if (target, place) not in checked:
                    check_evidence(opened(target, places[place])[1], [cell])
                checked.add((target, place))
    assert n_numbers > 50 or name != "full"


def check_evidence(section: Element, cells: list[str]) -> None:
    """A section holds record, samples, machine, date, commit and rerun line of each of its cells."""
    text = section.text
    if not cells:  # a count or a name: read from the sessions' files
        assert "Read from" in text
        return
    records = [e.attributes["href"] for e in section.walk() if "record" in e.classes]
    assert len(records) == len(cells)
    assert re.search(r"\d{4}-\d{2}-\d{2}", text)
    assert "ommit" in text and "achine" in text
    assert any(word in text for word in ("samples", "blocks", "reason: "))  # a run that failed has only a reason
    for cell in cells:
        machine, name = cell.split("/")[0], cell.rsplit("/", 1)[1]
        command = "refresh_benchmarks.py --cell" if machine.startswith("local-") else "bench.cli repro"
        assert f"{command} {name}" in text


@pytest.mark.parametrize("name", NAMES)
def test_no_page_asks_another_host(sites: Sites, name: str):
    foreign = []
    for page, tree in sites.pages(name).items():
        for element in tree.walk():
            loads = [element.attributes.get("src", "")]
            if element.name == "link" and element.attributes.get("rel") not in ("canonical", "prev", "next"):
                loads.append(element.attributes.get("href", ""))
            foreign += [f"{page}: {address}" for address in loads if is_foreign(address)]
    assert [] == foreign


@pytest.mark.parametrize("name", NAMES)
def test_stylesheets_and_own_scripts_name_no_other_host(sites: Sites, name: str):
    assets = sites.site(name) / "assets"
    for path in [*assets.rglob("*.css"), *(assets / "js").rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"url\(['\"]?(https?:)?//|@import|fetch\(['\"]https?:", text), path.name


@pytest.mark.parametrize("name", ["full", "committed"])
def test_every_quantity_in_a_table_is_linked(sites: Sites, name: str):
    naked = []
    for page, tree in sites.pages(name).items():
        if page.startswith(("evidence/", "articles/", "notebooks/", "contributing/")):
            continue
        for cell in tree.walk():
            if cell.name != "td" or not QUANTITY.search(cell.text):
                continue
            linked = [e for e in cell.walk() if e.name == "a" or "pub" in e.classes]
            if not linked:
                naked.append(f"{page}: {cell.text}")
    assert [] == naked[:20]


@pytest.mark.parametrize("name", NAMES)
def test_front_page_answers_before_anything_else(sites: Sites, name: str):
    home = sites.pages(name)["index.html"]
    hero = next(e for e in home.walk() if "hero" in e.classes)

    assert "Not to learn" in hero.text
    assert "None" not in hero.text and "nan" not in hero.text


def test_without_records_every_kind_of_page_exists_and_says_so(sites: Sites):
    trees = sites.pages("none")

    for page in ("index.html", "workloads/index.html", "workloads/resnet50/index.html", "machines/index.html"):
        assert "not measured yet" in trees[page].text.lower() or "nothing has been measured" in trees[page].text.lower()


@pytest.mark.parametrize("name", NAMES)
def test_downloads_are_the_stored_bytes(sites: Sites, name: str):
    out, results = sites.site(name), sites.results(name)
    for path in (out / "data").rglob("*.json"):
        machine, *rest = path.relative_to(out / "data").parts
        if len(rest) == 2 and machine != "charts":
            local = machine.startswith("local-")
            stored = results / ("local" if local else "") / machine.removeprefix("local-") / Path(*rest)
            assert stored.read_bytes() == path.read_bytes()


def test_without_a_public_address_there_are_no_cards(sites: Sites):
    assert not (sites.site("full") / "assets" / "cards").exists()
    for path, tree in sites.pages("full").items():
        assert not [e for e in tree.walk() if "assets/cards/" in e.attributes.get("content", "")], path


def test_every_page_tells_other_sites_what_it_is(sites: Sites):
    for path, tree in sites.pages("full").items():
        if path == "404.html" or not any(
            e.attributes.get("name") == "generator" or e.name == "main" for e in tree.walk()
        ):
            continue  # a redirect
        meta = {e.attributes.get("property"): e.attributes.get("content") for e in tree.walk() if e.name == "meta"}
        assert meta.get("og:title") and meta.get("og:description"), path
        assert f"http://localhost:8000/{path.removesuffix('index.html')}" == meta["og:url"]
        if re.fullmatch(r"(faq|misconceptions)/[^/]+/index\.html", path):
            (found,) = (e.text for e in tree.walk() if e.attributes.get("type") == "application/ld+json")
            data = json.loads(found)["mainEntity"][0]
            assert (data["name"], data["acceptedAnswer"]["text"]) == (meta["og:title"], meta["og:description"]), path


def test_a_local_session_leads_and_is_told_apart(sites: Sites):
    site = sites.site("full")

    assert (site / "machines/local-own-4c/index.html").is_file()
    assert "yours among them" in sites.pages("full")["index.html"].text
    assert any((site / "evidence/local-own-4c").glob("2026-11-05/*/index.html"))


def test_numbers_wear_their_kind(sites: Sites):
    tree = sites.pages("none")["faq/tabular-data/index.html"]

    published = [e for e in tree.walk() if "pub" in e.classes]

    assert published
    for figure in published:
        assert any(e.name == "a" for e in figure.walk())
        assert closest(figure, lambda e: "num" in e.classes) is None
