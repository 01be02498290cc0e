"""Addresses of pages and files."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.records.store import SessionResults
from bench.report.evidence.cells import CellRef
from bench.report.published.cards import Card

Files = dict[str, str | bytes]
Pages = dict[str, str | bytes | Path]  # a path is of a file to copy
ToMake = dict[str, Callable[[], str]]


# Addresses.


def url_of(path: str) -> str:
    """Address of a page below the site's root; "" is the home page."""
    if not path.endswith((".md", ".ipynb")):
        return path
    stem = path.rsplit(".", 1)[0]
    if posixpath.basename(stem) in ("index", "README"):
        folder = posixpath.dirname(stem)
        return f"{folder}/" if folder else ""
    return f"{stem}/"


def href(page: str, target: str, anchor: str = "") -> str:
    """Relative address of one page or file as seen from another page."""
    start, goal = url_of(page), url_of(target)
    if start == goal and anchor:
        return f"#{anchor}"
    found = _relative(start, goal)
    return f"{found}#{anchor}" if anchor else found


@functools.cache  # tables name the same pages again and again
def _relative(start: str, goal: str) -> str:
    found = posixpath.relpath(goal or ".", posixpath.dirname(start) or ".")
    return f"{found}/" if (goal.endswith("/") or not goal) and not found.endswith("/") else found


def machine_slug(session: SessionResults) -> str:
    """Machine's name in addresses; measurements that are not published are told apart."""
    return f"local-{session.machine.id}" if session.is_local else session.machine.id


def evidence_path(session: SessionResults, workload: str) -> str:
    """Page that holds the raw samples of a session's workload."""
    return f"evidence/{machine_slug(session)}/{session.session.id}/{workload}.md"


def evidence_of(ref: CellRef) -> str:
    """Page that holds the raw samples of a cell."""
    return f"evidence/{ref.machine}/{ref.session}/{ref.workload}.md"


def card_page(card: Card) -> str:
    """The page of a graphics card."""
    return f"gpus/{card.slug}.md"


def data_path(session: SessionResults, name: str) -> str:
    """Download of one stored file of a session."""
    return f"data/{machine_slug(session)}/{session.session.id}/{name}.json"


def public(address: str | None) -> str:
    """The site's public address with a slash at its end; empty where it is only on this machine."""
    address = address or ""
    is_public = urlsplit(address).hostname not in (None, "localhost", "127.0.0.1")
    return f"{address.rstrip('/')}/" if is_public else ""
