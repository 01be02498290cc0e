"""Pages: from Markdown sources and stored records to ``{path: content}``. Reads both, writes only a cache of drawings.

Every source under docs/ is a Jinja template; the rendered page replaces it. Workload, machine and evidence pages and
the data files are generated. Nothing here knows a site generator: addresses are those of pages that are folders
("faq/x.md" is served at "faq/x/"), which any generator can be told to use.
"""

from __future__ import annotations

import functools
from pathlib import Path

from bench.report.evidence.evidence import Evidence
from bench.report.pages import (
    cache,
    cell_pages,
    compare_pages,
    data_files,
    downloads,
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
    from_records = cache.CACHE.keep_beside(
        site.evidence,
        f"from records {address}",
        functools.partial(_from_records, site.evidence, address),
        _from_results,
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
    pages |= job.files(site.evidence)
    answers = data_files.answer_entries(site)
    pages |= data_files.answer_files(site, answers)
    if "faq/index.md" in rendered:
        asked = markup.json_ld([one for one in answers if one["kind"] == "answer"])
        pages["faq/index.md"] = "".join([*rendered["faq/index.md"], f"\n{asked}\n"])
    pages |= render.card_files(site, rendered)
    pages |= data_files.claim_files(site)
    pages |= compare_pages.compare_pages(site)
    measured = from_records()
    data = {path: text for path, text in measured.items() if path.startswith("data/")}
    data |= downloads.published_files() | downloads.record_files(site.evidence, results)
    pages |= measured | data | downloads.archived(data, address)
    pages["evidence/index.md"] = cell_pages.evidence_index(site.evidence)
    pages["evidence/facts.md"] = fact_pages.facts_page(site)
    pages["evidence/published.md"] = fact_pages.published_page(site)
    pages["evidence/estimates.md"] = fact_pages.estimates_page()
    pages |= data_files.notebooks(docs, repository)
    pages |= data_files.chart_files(site)
    return dict(sorted(site.with_drawings(pages).items()))


def _from_results(results: Path, address: str) -> Pages:
    """The same for a process that has not read the records yet."""
    return _from_records(cache.CACHE.evidence(results), address)


def _from_records(evidence: Evidence, address: str) -> Pages:
    """Evidence pages and tables of measurements: both rest on the same estimates of every record."""
    return cell_pages.evidence_pages(evidence, address) | downloads.measured_files(evidence)
