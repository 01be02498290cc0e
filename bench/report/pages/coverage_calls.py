"""What a source may call about coverage: what has records, and how many of a page's numbers exist."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from bench.report.evidence.cells import CellRef
from bench.report.pages import addresses
from bench.report.pages.calls import VERDICT, Voice, measured_cells
from bench.report.pages.markup import PARTS
from bench.report.prose import coverage as prose_coverage
from bench.report.templates import inert


def coverage(voice: Voice) -> Markup:
    """Sweeps, questions and beliefs, each with the records that bear on it and how many of its numbers exist."""
    site = voice.site
    page = prose_coverage.Page(
        link=functools.partial(addresses.href, voice.page),
        facts=functools.partial(_facts_called, voice),
        badge=lambda name: PARTS.badge(site.judge(name).outcome) + site.basis(site.judge(name)),
        rests_on=lambda name: _n_records(voice, measured_cells(site.judge(name).numbers)),
    )
    return prose_coverage.tables(site.numbered, site.evidence, site.sources, page)


def _facts_called(voice: Voice, names: Sequence[str]) -> Markup:
    """How many of a page's facts exist; folded below it their names, each with its place among all numbers."""
    found = {name: voice.site.fact(name) for name in names}
    voice.site.used.facts.update(found)
    count = inert(f"{sum(fact.measured for fact in found.values())} of {len(found)}")
    here = functools.partial(addresses.href, voice.page, "evidence/facts.md")
    listed = VERDICT.facts_called([(name, here(name), fact.kind) for name, fact in found.items()])
    return PARTS.folded(count, listed) if found else count


def _n_records(voice: Voice, cells: Iterable[CellRef]) -> prose_coverage.Counted:
    """How many different records these are, by device."""
    found = voice.evidence.resolve(dict.fromkeys(cells))
    return prose_coverage.count(session.records[cell] for session, cell in found)
