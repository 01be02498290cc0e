"""What a source may call about coverage: what has records, how many of a page's numbers exist, how old the data is."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from bench import REPOSITORY
from bench.report.evidence import state
from bench.report.evidence.cells import LOCAL_PREFIX, CellRef
from bench.report.pages import addresses
from bench.report.pages.calls import VERDICT, Voice, measured_cells
from bench.report.pages.markup import PARTS
from bench.report.prose import coverage as prose_coverage
from bench.report.stats import format as fmt
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


def data_state(voice: Voice) -> Markup:
    """What each machine's newest records are worth today: how many, how old, how far behind this checkout."""
    locks = "\n".join((REPOSITORY / "requirements" / f"{name}.txt").read_text("utf-8") for name in ("full", "jax"))
    rows = []
    for found in state.states(voice.evidence.listed, state.locked_versions(locks)):
        page = f"machines/{LOCAL_PREFIX if found.is_local else ''}{found.machine}.md"
        counts = dict(found.counts)
        rows.append(
            (
                PARTS.link(addresses.href(voice.page, page), "this machine" if found.is_local else found.machine),
                found.newest_day,
                str(found.n_sessions),
                str(counts.pop("ok", 0)),
                str(counts.pop("skipped", 0)),
                ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in sorted(counts.items())) or "0",
                str(found.n_older),
                "; ".join(found.behind) or "none",
            )
        )
    columns = ("Machine", "Newest", "Sessions", "Measured", "Skipped", "Failed", "Made by earlier code", "Behind")
    others = len({session.machine.id for session in voice.evidence.further})
    caption = f"{fmt.count(others)} more machines, which have no pages, are not in this list." if others else ""
    return PARTS.table(columns, rows, caption, label="State of the data")


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
