"""The review of a change of records: what the gate refuses, else everything that it would change. Reads files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import REPOSITORY
from bench.records.changes import changes
from bench.report import templates
from bench.report.charts import chart
from bench.report.claims import answers
from bench.report.claims import review as claims_review
from bench.report.claims.review import Arrival, Turn
from bench.report.evidence.evidence import MOST_WITH_PAGES, Evidence
from bench.report.pages import addresses, render
from bench.report.pages.context import Site
from bench.report.prose import readme
from bench.workloads import registry

DOCS = REPOSITORY / "docs"
README_BLOCK = readme.START + readme.END
REVIEW = templates.macros("review.md.j2")


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """With problems nothing else is filled in."""

    problems: tuple[str, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    stand_anew: tuple[tuple[str, str, str], ...] = ()  # session, how it stood, how it stands
    turned: tuple[Turn, ...] = ()
    n_reworded: int = 0  # verdicts that stay, with another sentence
    new_pages: tuple[str, ...] = ()
    changed_pages: tuple[str, ...] = ()  # sources whose text or charts would be others
    changes_readme: bool = False


def review(before: Path, after: Path, docs: Path = DOCS) -> Review:
    """What a later results folder changes of an earlier one, and of the site that is made of it.

    Raises:
        RecordError: the earlier folder is broken.
        PageError: a source cannot be rendered.
    """
    found = changes(before, after, most_machines=MOST_WITH_PAGES)
    if found.problems:
        return Review(problems=found.problems)
    old, new = (Evidence(results, registry.workloads()) for results in (found.before, found.after))
    then, now = _Undrawn(docs, old), _Undrawn(docs, new)
    specs = {
        str(source.meta["id"]): spec
        for source in now.sources.values()
        if "id" in source.meta and (spec := answers.spec_of(source.meta)) is not None
    }
    turned, n_reworded = claims_review.turns(old, new, now.beliefs, specs)
    texts, newer = _rendered(then), _rendered(now)
    return Review(
        arrivals=tuple(claims_review.arrival(new, session) for session in found.changed),
        stand_anew=tuple((path, was.words, is_.words) for path, was, is_ in found.stand_anew),
        turned=turned,
        n_reworded=n_reworded,
        new_pages=tuple(sorted(_generated(new) - _generated(old))),
        changed_pages=tuple(path for path in newer if texts[path] != newer[path]),
        changes_readme=len({readme.with_numbers(README_BLOCK, evidence) for evidence in (old, new)}) > 1,
    )


def markdown(found: Review) -> str:
    """The review as Markdown."""
    return str(REVIEW.review(found)).strip() + "\n"


class _Undrawn(Site):
    """A site whose charts stay stand-ins, which is all that a comparison needs."""

    def picture(self, drawing: chart.Drawing, kind: str) -> Callable[[], str]:
        return str


def _rendered(site: Site) -> dict[str, tuple[str, str]]:
    site.check_heads()
    return {source.path: render.render(site, source) for source in site.sources.values()}


def _generated(evidence: Evidence) -> set[str]:
    """Pages that a session has of its own."""
    found = {f"machines/{addresses.machine_slug(session)}.md" for session in evidence.stored}
    for session in evidence.stored:
        found |= {addresses.evidence_path(session, record.cell.workload) for record in session.records.values()}
    return found
