"""What a built site costs its readers and its makers: weight of the pages, time of a build.

python scripts/site_cost.py                  weight by kind of page of the site in site/, heaviest pages first
python scripts/site_cost.py --site DIR       of another folder
python scripts/site_cost.py --build          also times two builds of what is committed: the first ever, and the next

A page weighs what a browser fetches when it opens it for the first time, compressed with gzip as most hosts do:
the page itself, style sheets, scripts, icon and pictures. Fonts and other hosts there are none.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "http://site/"
FETCHED_RELS = {"stylesheet", "icon", "modulepreload", "preload"}
# Bytes that a page of a kind may weigh; the folder is the kind. A test reads the built site with it.
BUDGETS = {"": 250_000, "faq": 150_000, "misconceptions": 150_000, "guides": 150_000}


class _Fetched(HTMLParser):
    """Addresses that a browser fetches with a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and FETCHED_RELS & set(given.get("rel", "").split()):
            self.found.append(given["href"])
        elif tag in ("script", "img", "source", "iframe") and given.get("loading") != "lazy" and given.get("src"):
            self.found.append(given["src"])


@functools.cache
def compressed(file: Path) -> int:
    """Bytes of a file as a host sends it: compressed where that is smaller."""
    content = file.read_bytes()
    return min(len(content), len(gzip.compress(content, 6)))


def weight(site: Path, page: Path) -> int:
    """Bytes that a first visit to a page fetches.

    Raises:
        ValueError: it fetches from another host.
        FileNotFoundError: it fetches what the site does not hold.
    """
    parser = _Fetched()
    parser.feed(page.read_text(encoding="utf-8"))
    here = urljoin(ADDRESS, page.relative_to(site).as_posix())
    files = {page}
    for address in parser.found:
        at = urljoin(here, address)
        if at.startswith("data:"):
            continue
        if not at.startswith(ADDRESS):
            raise ValueError(f"{page.relative_to(site)} fetches {address}")
        files.add(site / urlsplit(at).path.lstrip("/"))
    return sum(map(compressed, files))


def by_kind(site: Path) -> dict[str, dict[str, int]]:
    """Weight in bytes of every page, by its folder ("" for the home page), then by its address; heaviest first."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for page in site.rglob("index.html"):
        address = page.parent.relative_to(site).as_posix()
        if 'http-equiv="refresh"' not in page.read_text(encoding="utf-8")[:400]:  # a redirect
            found[address.partition("/")[0].strip(".")][address] = weight(site, page)
    return {kind: dict(sorted(found[kind].items(), key=lambda item: -item[1])) for kind in sorted(found)}


def build_times() -> dict[str, float]:
    """Seconds of a build in a fresh clone, where nothing is kept yet, and of the next one there."""
    seconds = {}
    with tempfile.TemporaryDirectory() as clone:
        subprocess.run(["git", "clone", "--quiet", "--local", str(ROOT), clone], check=True)
        for name in ("cold", "warm"):
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet"], cwd=clone, check=True)
            seconds[name] = time.monotonic() - began
    return seconds


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 within the budgets, 1 over one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="folder of the built site")
    parser.add_argument("--build", action="store_true", help="time two builds as well")
    options = parser.parse_args(arguments)
    over = 0
    print(f"{'pages':16}{'n':>5}{'median kB':>11}{'heaviest kB':>13}  which")
    for kind, pages in by_kind(options.site).items():
        heaviest, most = next(iter(pages.items()))
        over += most > BUDGETS.get(kind, most)
        middle = statistics.median(pages.values())
        print(f"{kind or 'home':16}{len(pages):5}{middle / 1e3:11.0f}{most / 1e3:13.0f}  {heaviest}")
    for name, seconds in (build_times() if options.build else {}).items():
        print(f"{name} build: {seconds:.0f} s")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
