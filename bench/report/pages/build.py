"""Pages: from Markdown sources and stored records to ``{path: content}``. Reads both, writes only a cache of drawings.

Every source under docs/ is a Jinja template; the rendered page replaces it. Workload, machine and evidence pages and
the data files are generated. Nothing here knows a site generator: addresses are those of pages that are folders
("faq/x.md" is served at "faq/x/"), which any generator can be told to use.
"""

from __future__ import annotations

import functools
from pathlib import Path

from bench.report.pages import (
    cache,
    cell_pages,
    data_files,
    fact_pages,
    gpu_pages,
    job,
    machine_pages,
    markup,
    render,
    workload_pages,
)
from bench.report.pages.addresses import Pages
from bench.report.pages.context import Site


def build(
    docs: Path, results: Path, *, address: str = "", summary: str = "", repository: str = "", keep: Path | None = None
) -> Pages:
    """Every page and data file of the site.

    Args:
        address: the site's public address, with a slash at its end, for citations; empty when it has none.
        summary: what the site is, in a sentence.
        repository: the repository's public address; without it notebooks have no links to Colab and Kaggle.
        keep: folder for what the records alone decide, so that the next build need not work it out again.

    Raises:
        PageError: a source cannot be rendered, or a stored record is broken; says file and place.
    """
    evidence = cache.CACHE.evidence(results, keep)
    make = functools.partial(_build, Site(docs, evidence, address=address, summary=summary), results, repository)
    pages = cache.CACHE.pages(docs, (address, summary, repository), make)
    if keep:
        cache.tidy(keep)
    return pages


def _build(site: Site, results: Path, repository: str) -> Pages:
    docs, address = site.docs, site.address
    site.check_heads()
    evidence_pages = cache.CACHE.keep_beside(
        site.evidence,
        f"evidence pages {address}",
        functools.partial(cell_pages.evidence_pages, site.evidence, address),
        cell_pages.pages_of,
        results,
        address,
    )
    pages: Pages = {}
    rendered = {source.path: render.render(site, source) for source in site.sources.values()}
    pages |= {path: head + body for path, (head, body) in rendered.items()}
    pages |= render.redirects(site)
    pages |= workload_pages.workload_pages(site)
    pages |= machine_pages.machine_pages(site)
    pages |= gpu_pages.gpu_pages(site)
    pages |= data_files.estimate_files()
    pages |= job.files(site.evidence)
    answers = data_files.answer_entries(site)
    pages |= data_files.answer_files(site, answers)
    if "faq/index.md" in rendered:
        asked = markup.json_ld([one for one in answers if one["kind"] == "answer"])
        pages["faq/index.md"] = "".join([*rendered["faq/index.md"], f"\n{asked}\n"])
    pages |= render.card_files(site, rendered)
    pages |= data_files.claim_files(site)
    pages |= evidence_pages()
    pages["evidence/index.md"] = cell_pages.evidence_index(site.evidence)
    pages["evidence/facts.md"] = fact_pages.facts_page(site)
    pages["evidence/published.md"] = fact_pages.published_page(site)
    pages |= data_files.notebooks(docs, repository)
    pages |= data_files.chart_files(site)
    pages |= data_files.data_files(site.evidence, results)
    return dict(sorted(site.with_drawings(pages).items()))
