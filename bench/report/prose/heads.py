"""Front matter of the sources: what must be right before anything is built. Pure: sources and known ids in, words out.

A page without its id, an id used twice, an id of the registry that no page has any more, a misspelt rule or workload:
each is refused with file, line and what to do. ``scripts/check_prose.py`` asks for much more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from bench.report.claims.check_rule import line_in, unknown
from bench.report.prose.problem import HOW_TO_ADD
from bench.report.prose.source import Source

# Kinds of the registry whose ids belong to a Markdown page of their own.
KINDS = ("answers", "misconceptions", "pages")
REGISTRY = "_ids.toml"
WANTED = ("title", "id")


def problems(
    sources: Iterable[Source],
    *,
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
            yield f"{source.shown}:1: the page has no front matter; begin it with ---, title, id and --- ({HOW_TO_ADD})"
            continue
        for key in WANTED:
            if not source.meta.get(key):
                yield f"{source.shown}:1: the front matter has no {key}; add it ({HOW_TO_ADD})"
        name = str(source.meta.get("id", ""))
        if name in owners:
            first = owners[name].shown
            yield f"{source.shown}:{line_in(source.head, 'id')}: id {name!r} is that of {first}; give this page another"
        owners.setdefault(name, source)
        pages[source.path] = name
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
                at = f"{source.shown}:{line_in(source.head, 'id')}"
                yield f"{at}: id {name!r} is not in docs/{REGISTRY}; add it there"


def _unknown(source: Source, key: str, values: Iterable[Any], known: Collection[str]) -> Iterator[str]:
    for value in values:
        if value and str(value) not in known:
            yield f"{source.shown}:{line_in(source.head, key)}: {unknown(key.removesuffix('s'), str(value), known)}"
