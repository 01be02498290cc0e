"""The menu: which pages stand where, and under which title."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.report.prose import groups
from bench.report.published import figures as published

# Title of each folder in the menu, in order; folders not listed here stay out of it.
MENU = {
    "faq": "Questions",
    "misconceptions": "Misconceptions",
    "workloads": "Measurements",
    "machines": "Machines",
    "gpus": "Graphics cards",
    "guides": "Guides",
    "method": "Method",
    "notebooks": "Notebooks",
    "articles": "Articles",
    "contributing": "Contributing",
}


INDEX_ONLY = ("gpus",)  # folders of which the menu has the index alone: their pages are many
UNORDERED = 1_000  # place of a page that does not name one


def navigation(pages: Mapping[str, str | bytes]) -> list[dict[str, Any]]:
    """The menu as nested lists of ``{title: path}``, from the folders of the pages."""
    menu: list[dict[str, Any]] = [{"Home": "index.md"}] if "index.md" in pages else []
    for folder, title in MENU.items():
        paths = [p for p in pages if p.startswith(f"{folder}/") and p.endswith((".md", ".ipynb"))]
        if folder in INDEX_ONLY:
            paths = [path for path in paths if path.endswith("/index.md")]
        paths.sort(key=lambda path: (not path.endswith("/index.md"), _order(pages[path]), path))
        if not paths:
            continue
        if len(paths) == 1:
            menu.append({title: paths[0]})
        else:
            menu.append({title: _menu_of(pages, paths)})
    return menu


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
