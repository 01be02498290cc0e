"""Readers' pages are short: every page of the committed records in a real browser, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sites import Sites, served

pytestmark = pytest.mark.browser

# Folder -> the most pixels that a page may be tall at 1,280 px; at 390 px twice as many.
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
WIDE, PHONE, NARROWEST = 1280, 390, 320
HEIGHT = "document.documentElement.scrollHeight"
ASIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def opened(sites: Sites, browser) -> Iterator:
    """A browser page that opens addresses of the committed site."""
    with served(sites.site("committed")) as at:
        page = browser.new_page(base_url=at)
        yield page
        page.close()


def pages(site: Path, folder: str) -> list[str]:
    """Addresses of a folder's pages."""
    found = (site / folder).glob("*/index.html") if folder else [site / "index.html"]
    return sorted(f"{path.parent.relative_to(site).as_posix()}/" for path in found)


@pytest.mark.parametrize("folder", MOST)
def test_no_page_is_taller_than_a_reader_reads(sites: Sites, opened, folder: str):
    site = sites.site("committed")
    listed = [f"{folder}/"] if folder and (site / folder / "index.html").is_file() else []
    found = pages(site, folder)
    assert found
    wrong = []
    for address in [*listed, *found]:
        opened.set_viewport_size({"width": WIDE, "height": 900})
        opened.goto(address.removeprefix("./"), wait_until="load")
        if tool := opened.query_selector(".your-job"):  # comes when it is looked at
            tool.scroll_into_view_if_needed()
            opened.wait_for_selector(".job-result:not([hidden])")
        most = MOST_OF_INDEX if address in listed else MOST[folder]
        for width, limit in ((WIDE, most), (PHONE, 2 * most)):
            opened.set_viewport_size({"width": width, "height": 900})
            if (height := opened.evaluate(HEIGHT)) > limit:
                wrong.append(f"{address}: {height} px tall at {width} px; fold what is not the answer, to {limit} px")
        opened.set_viewport_size({"width": NARROWEST, "height": 900})
        if (aside := opened.evaluate(ASIDE)) > 0:
            wrong.append(f"{address}: {aside} px wider than a screen of {NARROWEST} px; let the widest element wrap")
    assert not wrong, "\n".join(wrong)
