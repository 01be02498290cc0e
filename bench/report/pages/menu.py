"""The menu: five doors, which pages stand behind each, and under which title."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.report.prose import groups
from bench.report.published import figures as published


class Door(NamedTuple):
    """An entry of the menu: what is behind it, where it leads, and the folders whose pages it holds."""

    title: str
    about: str
    start: str
    folders: Mapping[str, str]  # folder -> its title below the door; that of the first is not shown


# Folders not listed here stay out of the menu.
DOORS = (
    Door(
        "Answers",
        "What people ask and believe, each answered in one sentence.",
        "faq/index.md",
        {"faq": "Questions", "misconceptions": "Beliefs"},
    ),
    Door(
        "Your job", "How long yours takes, on which machine, for how much.", "guides/your-job.md", {"guides": "Guides"}
    ),
    Door(
        "Machines and models",
        "All measurements, and every graphics card people name.",
        "machines/index.md",
        {"machines": "Machines", "workloads": "Models", "gpus": "Graphics cards", "data": "Data"},
    ),
    Door(
        "Method",
        "How we measure, how we estimate, and where we were wrong.",
        "method/index.md",
        {"method": "Method", "articles": "Articles", "notebooks": "Notebooks"},
    ),
    Door(
        "Take part",
        "Add your machine, a question, a number.",
        "contributing/index.md",
        {"contributing": "Contributing"},
    ),
)


INDEX_ONLY = ("gpus",)  # folders of which the menu has the index alone: their pages are many
UNORDERED = 1_000  # place of a page that does not name one


def navigation(pages: Mapping[str, str | bytes]) -> list[dict[str, Any]]:
    """The menu as nested lists of ``{title: path}``, from the folders of the pages."""
    menu: list[dict[str, Any]] = [{"Home": "index.md"}] if "index.md" in pages else []
    for door in DOORS:
        entries: list[Any] = []
        for number, (folder, title) in enumerate(door.folders.items()):
            below = _folder(pages, folder)
            entries += below if number == 0 else [{title: below}] if below else []
        if entries:
            menu.append({door.title: entries})
    return menu


def _folder(pages: Mapping[str, str | bytes], folder: str) -> list[Any]:
    paths = [p for p in pages if p.startswith(f"{folder}/") and p.endswith((".md", ".ipynb"))]
    if folder in INDEX_ONLY:
        paths = [path for path in paths if path.endswith("/index.md")]
    return _menu_of(pages, sorted(paths, key=lambda path: (not path.endswith("/index.md"), _order(pages[path]), path)))


def _menu_of(pages: Mapping[str, str | bytes], paths: Sequence[str]) -> list[Any]:
    """One folder's entries; pages that name a group stand below its heading, in the order of the groups."""
    entries: list[Any] = []
    found: dict[str, list[Any]] = {}
    for path in paths:
        group = _head_value(pages[path], "group")
        entry = path if path.endswith("index.md") else {_title(pages, path): path}
        (found.setdefault(group, []) if group else entries).append(entry)
    return entries + [{groups.heading(group): found[group]} for group in sorted(found, key=groups.place)]


def _order(text: str | bytes) -> int:
    """A page's place in its folder's menu, from ``order`` in its front matter; pages without one come last."""
    found = _head_value(text, "order") or _notebook_order(text)
    return int(found) if found.isdigit() else UNORDERED


def _head_value(text: str | bytes, key: str) -> str:
    """A plain value of a page's front matter; empty where there is none."""
    if not isinstance(text, str):
        return ""
    found = re.search(rf"^{key}: *(\S+) *$", text.partition("\n---")[0], re.M)
    return found.group(1) if found else ""


def _notebook_order(text: str | bytes) -> str:
    """A notebook's ``order``, from its metadata; empty for other pages."""
    if not isinstance(text, str) or not text.startswith("{"):
        return ""
    return str(json.loads(text)["metadata"].get("order", ""))


def _title(pages: Mapping[str, str | bytes], path: str) -> str:
    text = pages[path]
    if path.endswith(".ipynb"):
        return "".join(json.loads(text)["cells"][0]["source"]).partition("\n")[0].removeprefix("# ")
    found = re.search(r"^(?:short_title|title): *(.+)$", text, re.M) if isinstance(text, str) else None
    if not found:
        return Path(path).stem.replace("-", " ").capitalize()
    return yaml.load(found.group(1), Loader=published.YAML_LOADER)
