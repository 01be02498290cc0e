"""Pages: from Markdown sources and stored records to ``{path: content}``. Reads both, writes only a cache of drawings.

Every source under docs/ is a Jinja template; the rendered page replaces it. Workload, machine and evidence pages and
the data files are generated. Nothing here knows a site generator: addresses are those of pages that are folders
("faq/x.md" is served at "faq/x/"), which any generator can be told to use.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.report.evidence.evidence import Evidence
from bench.report.pages import (
    cache,
    cell_pages,
    compare_pages,
    data_files,
    downloads,
    drawings,
    fact_pages,
    further,
    gpu_pages,
    job,
    machine_pages,
    markup,
    parts,
    render,
    workers,
    workload_pages,
)
from bench.report.pages.addresses import Pages
from bench.report.pages.context import FURTHER, STAND_IN, Site
from bench.report.prose.source import Source
from bench.report.stats import reads

N_PIECES = 9  # in which all pages are kept: as one, they would need their memory a second time


class Begun:
    """Every page and data file of the site, with stand-ins for drawings that may still be in the making."""

    def __init__(self, pages: Pages, drawing: Callable[[str], str], keep: Callable[[Begun], object]) -> None:
        """``drawing`` is what belongs in the place of a stand-in; ``keep`` does so for the next build."""
        self.pages = pages
        self._drawing = drawing
        self._keep = keep

    def drawn(self, text: str) -> str:
        """The text with its drawings; waits for them."""
        return STAND_IN.sub(lambda found: self._drawing(found[0]), text)

    def whole(self) -> tuple[Pages, dict[str, str]]:
        """The pages, and all drawings by their stand-ins; waits for them."""
        texts = (page for page in self.pages.values() if isinstance(page, str))
        return self.pages, {found[0]: self._drawing(found[0]) for text in texts for found in STAND_IN.finditer(text)}

    def finish(self) -> None:
        """Wait for all drawings, and keep them with the pages for the next build."""
        self._keep(self)


def build(docs: Path, results: Path, **given: Any) -> Pages:
    """Every page and data file of the site, finished. Arguments and errors are those of ``begin``."""
    begun = begin(docs, results, **given)
    begun.finish()
    return {path: begun.drawn(page) if isinstance(page, str) else page for path, page in begun.pages.items()}


def begin(
    docs: Path, results: Path, *, address: str = "", summary: str = "", repository: str = "", keep: Path | None = None
) -> Begun:
    """The pages, with their drawings being made meanwhile.

    Args:
        address: the site's public address, with a slash at its end, for citations; empty when it has none.
        summary: what the site is, in a sentence.
        repository: the repository's public address; without it notebooks have no links to Colab and Kaggle.
        keep: folder for what the records alone decide, so that the next build need not work it out again.

    Raises:
        PageError: a source cannot be rendered, or a stored record is broken; says file and place.
    """
    cache.CACHE.look(results, keep)
    given = (address, summary, repository)
    name = cache.CACHE.name_of(docs, *given)
    names = [f"{name} {number}" for number in range(N_PIECES)]
    if all(map(cache.CACHE.is_on_disk, names)):
        with contextlib.suppress(cache.LostError):
            drawings, *found = [cache.CACHE.through_disk(piece, cache.lost) for piece in names]
            pages: Pages = dict(sorted(item for piece in found for item in piece.items()))
            if all(content.exists() for content in pages.values() if isinstance(content, Path)):
                return Begun(pages, drawings.__getitem__, lambda _: None)  # else another build dropped it

    def put_away(begun: Begun) -> None:
        pages, drawings = begun.whole()
        items = list(pages.items())
        for number, piece in enumerate([drawings, *(items[first :: N_PIECES - 1] for first in range(N_PIECES - 1))]):
            cache.CACHE.through_disk(names[number], functools.partial(dict, piece))
        if keep:
            cache.tidy(keep)

    try:
        return _begin(docs, results, keep, *given, put_away)
    except BaseException:
        workers.end()
        raise


def _begin(
    docs: Path,
    results: Path,
    keep: Path | None,
    address: str,
    summary: str,
    repository: str,
    put_away: Callable[[Begun], object],
) -> Begun:
    evidence = cache.CACHE.read(results)
    of_further = further.Further(evidence.further, results, keep, cache.CACHE.folders)
    cache.CACHE.others = {FURTHER: parts.digest(of_further.state)}
    of_records = _of_records(evidence, results, keep, address, of_further)
    site = Site(docs, evidence, of_further, address=address, summary=summary)
    site.check_heads()
    common = f"{site.depends_on()} {repository}"
    made = _last_parts("pages", site.sources, common)
    entries = _last_parts("facts", parts.Sources({}), common)
    pages = _build(site, repository, of_records, functools.partial(made.part, site), entries)
    _keep_parts("pages", common, made)
    _keep_parts("facts", common, entries)
    return Begun(pages, site.placed, put_away)


def _last_parts(name: str, sources: parts.Sources, common: str) -> parts.Parts:
    """Parts of the last build, if what all of them depend on is as it was, and what of the records is not."""
    found = cache.CACHE.last(name, None)
    if found is None or found[0] != common:
        return parts.Parts(sources, {})
    return parts.Parts(sources, found[2], cache.CACHE.changed(found[1]))


def _keep_parts(name: str, common: str, made: parts.Parts) -> None:
    if not made.now:
        return  # nobody asked for one: those of an earlier build stay
    read = frozenset().union(*(part.read for part in made.now.values()))
    cache.CACHE.keep_last(name, (common, cache.CACHE.seen(read), made.now))


def _build(
    site: Site, repository: str, of_records: Callable[[], Pages], part: Callable[..., Any], entries: parts.Parts
) -> Pages:
    docs = site.docs
    told = {source.path: part(functools.partial(_told, site, source), source.path) for source in site.sources.values()}
    rendered = {path: (head, body) for path, (head, body, _) in told.items()}
    answers = [entry for _, _, entry in told.values() if entry is not None]
    pages: Pages = {path: head + body for path, (head, body) in rendered.items()}
    pages |= render.redirects(site)
    pages |= part(functools.partial(gpu_pages.gpu_pages, site), "gpus")
    pages |= part(functools.partial(job.files, site.evidence), "your job")
    pages |= data_files.answer_files(site, answers)
    if "faq/index.md" in rendered:
        asked = markup.json_ld([one for one in answers if one["kind"] == "answer"])
        pages["faq/index.md"] = "".join([*rendered["faq/index.md"], f"\n{asked}\n"])
    pages |= render.card_files(site, rendered)
    pages |= part(functools.partial(data_files.claim_files, site), "claims")
    pages |= part(functools.partial(compare_pages.compare_pages, site), "comparisons")
    pages |= of_records()
    # After what can be made while further sessions are read.
    for path, make in (workload_pages.workload_pages(site) | machine_pages.machine_pages(site)).items():
        pages[path] = part(make, path)
    pages["evidence/index.md"] = cell_pages.evidence_index(site.evidence)
    shown = (sorted(site.used.facts), sorted(site.used.groups.items()))
    entry = functools.partial(entries.part, _Nobody())
    pages["evidence/facts.md"] = part(functools.partial(fact_pages.facts_page, site, site.used, entry), "facts", shown)
    figures = functools.partial(fact_pages.published_page, site.used.figures)
    pages["evidence/published.md"] = part(figures, "figures", sorted(site.used.figures))
    pages |= data_files.notebooks(docs, repository)
    shades = drawings.light_shades(docs)
    for key, drawing in dict(site.used.drawings).items():
        looks = (drawing.title, drawing.description, drawing.wide, drawing.narrow, shades)
        pages |= part(functools.partial(data_files.chart_files, site, drawing, shades), f"chart {key}", looks)
    if site.used.drawings:
        pages[drawings.VEGA] = site.vega()()
    return dict(sorted(pages.items()))


def _told(site: Site, source: Source) -> tuple[str, str, dict[str, Any] | None]:
    """Head and body of a page, and what programs are told of it."""
    head, body = render.render(site, source)
    return head, body, data_files.answer_entry(site, site.sources[source.path])


class _Nobody:
    """Refers to no fact, figure or chart."""

    used = parts.Used()


def _of_records(
    evidence: Evidence, results: Path, keep: Path | None, address: str, of_further: further.Further
) -> Callable[[], Pages]:
    """Evidence pages, estimates, and all data to take away: no source and no page decides anything of them.

    Where nothing of them is kept, another process makes them meanwhile, unless it has further sessions to read; what
    comes back waits for it.
    """
    made = _last_parts("records", parts.Sources({}), address)
    begun = None
    if keep and not made.before and not of_further.is_in_the_making:
        begun = workers.begin(_record_parts, results, keep, address, of_further.made)

    def finish() -> Pages:
        if begun is not None:
            made.before = begun()
        pages = _from_records(
            functools.partial(made.part, _Nobody()), evidence, results, address, lambda: of_further.made
        )
        _keep_parts("records", address, made)
        return pages

    return functools.partial(cache.CACHE.keep, evidence, f"of records {address}", finish)


def _record_parts(
    results: Path, keep: Path | None, address: str, derived: Sequence[further.Derived]
) -> dict[str, parts.Part]:
    """The parts of them, for a process that has not read the records yet."""
    made = parts.Parts(parts.Sources({}), {})
    evidence = cache.CACHE.evidence(results, keep)
    _from_records(functools.partial(made.part, _Nobody()), evidence, results, address, lambda: derived)
    return made.now


def _from_records(
    part: Callable[..., Any],
    evidence: Evidence,
    results: Path,
    address: str,
    of_further: Callable[[], Sequence[further.Derived]],
) -> Pages:
    pages: Pages = {"evidence/estimates.md": part(fact_pages.estimates_page, "estimates")}
    for path, make in cell_pages.evidence_pages(evidence, address).items():
        pages[path] = part(make, path)
    derived = of_further()  # which may wait
    pages |= {further.pack_path(session): one.pack for session, one in zip(evidence.further, derived, strict=True)}
    data = part(functools.partial(_tables, evidence, derived), "tables")
    data |= part(downloads.published_files, "published") | downloads.record_files(evidence, results)
    return pages | data | downloads.archived(data, address)


def _tables(evidence: Evidence, derived: Sequence[further.Derived]) -> Pages:
    reads.add([FURTHER])
    return dict(downloads.measured_files(evidence, derived))
