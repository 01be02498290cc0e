"""The registry of permanent ids."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from bench import REPOSITORY as ROOT
from bench.report.prose import source
from bench.report.prose.problem import Known, Problem

REGISTRY = "docs/_ids.toml"
KINDS = ("answers", "misconceptions", "charts", "pages", "notebooks", "claims")
# Kinds whose ids belong to a page of their own; charts and claims stand on pages of another id.
PAGE_KINDS = ("answers", "misconceptions", "pages", "notebooks")


def check_registry(
    pages: Mapping[str, str], registered: dict[str, dict[str, dict]], names: Known, root: Path = ROOT
) -> list[Problem]:
    """Problems between the ids that pages, charts and claims have and those of docs/_ids.toml.

    ``pages`` maps a path below docs/ to the page's id.
    """
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for kind, ids in registered.items():
        if kind not in KINDS:
            problems.append(Problem(REGISTRY, 1, f"unknown kind {kind!r}; use one of {', '.join(KINDS)}"))
        for name, entry in ids.items():
            here = functools.partial(Problem, REGISTRY, _line_of(name, root))
            if name in owners:
                problems.append(here(f"id {name!r} stands under {owners[name]} and {kind}; give the newer one another"))
            owners[name] = kind
            if not isinstance(entry, Mapping) or set(entry) != {"page", "since"}:
                has = sorted(entry) if isinstance(entry, Mapping) else entry
                problems.append(here(f"id {name!r} must have page and since, has {has!r}; write these two"))
            elif kind in PAGE_KINDS:
                if pages.get(entry["page"]) != name:
                    told = f"id {name!r}: no page {entry['page']} with that id; ids are permanent, bring it back"
                    problems.append(here(told))
            elif entry["page"] not in pages:
                problems.append(here(f"id {name!r}: page {entry['page']} does not exist; name the page it stands on"))
    entries = [item for ids in registered.values() for item in ids.items() if isinstance(item[1], Mapping)]
    at = {name: entry.get("page") for name, entry in entries}
    for page, page_id in pages.items():
        if owners.get(page_id) not in PAGE_KINDS:
            line = f'{page_id} = {{ page = "{page}", since = YYYY-MM-DD }}'
            problems.append(Problem(f"docs/{page}", 1, f"id {page_id!r} is not in {REGISTRY}; add it there: {line}"))
        elif at.get(page_id, page) != page and pages.get(str(at[page_id])) == page_id:
            told = f"id {page_id!r} belongs to docs/{at[page_id]}; give this page another"
            problems.append(Problem(f"docs/{page}", 1, told))
    for kind, existing in (("charts", names.charts), ("claims", names.claims)):
        listed = registered.get(kind, {}).keys()
        for name in sorted(existing - listed):
            problems.append(Problem(REGISTRY, 1, f"{kind}: {name!r} is not registered; add a line for it"))
        for name in sorted(listed - existing):
            told = f"{kind}: {name!r} does not exist any more; ids are permanent, bring it back"
            problems.append(Problem(REGISTRY, _line_of(name, root), told))
    return problems


def _line_of(name: str, root: Path = ROOT) -> int:
    """Line of an id in the registry of a checkout; 1 where it is not found."""
    path = root / REGISTRY
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{name} =")), 1)


def notebook_ids(root: Path = ROOT) -> dict[str, str]:
    """Ids of the notebooks, from their metadata, by path below docs/."""
    paths = sorted((root / "docs" / "notebooks").glob("*.ipynb"))
    found = ((path, json.loads(path.read_text(encoding="utf-8"))["metadata"].get("id", "")) for path in paths)
    return {path.relative_to(root / "docs").as_posix(): str(name) for path, name in found}


def load_registry(text: str) -> dict[str, dict[str, dict]]:
    """The registry's kinds, each with its entries by id.

    Raises:
        PageError: the file is no TOML, or names an id twice in one list; the message has the line and what to do.
    """
    return source.toml(text, REGISTRY, "an id may stand there once, as: name = { page = ..., since = ... }")
