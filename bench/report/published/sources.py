"""Where the figures on graphics cards were read. Reads bench/published/gpu/sources.csv."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from bench.report.published.strict import FOLDER, lines

GPU = FOLDER / "gpu"
COLUMNS = "id url commit date note".split()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures were read: a repository at a commit, or a page; "undated" where it gives no date."""

    id: str
    url: str
    commit: str
    date: str
    note: str


@cache
def sources(path: Path = GPU / "sources.csv") -> dict[str, Source]:
    """Every source, by id.

    Raises:
        PublishedError: one has no address or no date, or two have the same id.
    """
    found: dict[str, Source] = {}
    for line in lines(path, COLUMNS):
        source = Source(
            id=line.text("id"),
            url=line.text("url"),
            commit=line.text("commit", needed=False),
            date=line.text("date"),
            note=line.text("note", needed=False),
        )
        if not source.url.startswith(("https://", "http://")):
            raise line.fail(f"url is {source.url!r}", "write the address of the page or repository")
        if source.id in found:
            raise line.fail(f"{source.id} stands above already", "keep one line for each source")
        found[source.id] = source
    return found
