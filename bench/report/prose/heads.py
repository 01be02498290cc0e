"""Front matter of the sources: what must be right before anything is built. Pure: sources and known ids in, words out.

A page without its id, an id used twice, an id of the registry that no page has any more, a misspelt rule or workload:
each is refused with file, line and what to do. ``scripts/check_prose.py`` asks for much more.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bench.report.prose.source import Source

# Kinds of the registry whose ids belong to a Markdown page of their own.
KINDS = ("answers", "misconceptions", "pages")
REGISTRY = "_ids.toml"
HOW_TO = "docs/contributing/add-an-answer.md"
WANTED = ("title", "id")


def problems(
    sources: Iterable[Source],
    *,
    verdicts: Collection[str],
    workloads: Collection[str],
    groups: Collection[str],
    registered: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[str]:
    """Every problem as "file:line: what is wrong; what to do", in the order of the sources.

    ``registered`` is docs/_ids.toml by kind and id; empty where a checkout has none, and then nothing is missing in it.
    """
    owners: dict[str, Source] = {}
    pages: dict[str, str] = {}
    for source in sources:
        if not source.head:
            yield f"{source.shown}:1: the page has no front matter; begin it with ---, title, id and --- ({HOW_TO})"
            continue
        for key in WANTED:
            if not source.meta.get(key):
                yield f"{source.shown}:1: the front matter has no {key}; add it ({HOW_TO})"
        name = str(source.meta.get("id", ""))
        if name in owners:
            first = owners[name].shown
            yield f"{source.shown}:{line_of(source, 'id')}: id {name!r} is that of {first}; give this page another"
        owners.setdefault(name, source)
        pages[source.path] = name
        yield from _unknown(source, "verdict", [source.meta.get("verdict")], verdicts)
        yield from _unknown(source, "group", [source.meta.get("group")], groups)
        yield from _unknown(source, "workloads", source.meta.get("workloads") or [], workloads)
    for kind in KINDS:
        for name, entry in registered.get(kind, {}).items():
            if pages.get(str(entry.get("page"))) != name:
                told = f"id {name!r} of {kind} was removed: no page {entry.get('page')} has it"
                yield f"docs/{REGISTRY}:1: {told}; ids are permanent, bring it back or name the page it moved to"
    if registered:
        known = {name for kind in KINDS for name in registered.get(kind, {})}
        for name, source in owners.items():
            if name and name not in known:
                yield f"{source.shown}:{line_of(source, 'id')}: id {name!r} is not in docs/{REGISTRY}; add it there"


def line_of(source: Source, key: str) -> int:
    """Line of a key of the front matter; 1 where it is not found."""
    lines = enumerate(source.head.splitlines(), 1)
    return next((number for number, line in lines if line.startswith(f"{key}:")), 1)


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """What is wrong with a name that is not known, and what to write instead."""
    near = difflib.get_close_matches(name, sorted(known), n=3) or sorted(known)[:10]
    return f"unknown {kind} {name!r}; write one of {', '.join(near)}"


def _unknown(source: Source, key: str, values: Iterable[Any], known: Collection[str]) -> Iterator[str]:
    for value in values:
        if value and str(value) not in known:
            yield f"{source.shown}:{line_of(source, key)}: {unknown(key.removesuffix('s'), str(value), known)}"
