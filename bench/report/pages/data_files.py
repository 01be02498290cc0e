"""Files for programs: charts' data, claims, answers, records, notebooks."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records import codec
from bench.report.charts.paint import axes
from bench.report.claims import answers, case, ledger
from bench.report.estimates import formula, networks, rows
from bench.report.evidence.evidence import Evidence
from bench.report.facts import fact as facts_fact
from bench.report.pages import addresses, markup, sharing
from bench.report.pages import drawings as pages_drawings
from bench.report.pages.addresses import Pages
from bench.report.pages.cache import CACHE
from bench.report.pages.context import Site
from bench.report.published import cards
from bench.report.published.sources import sources
from bench.report.tables import table as tables_table

ESTIMATE_COLUMNS = (
    "id source address file network card framework precision batch measured_s estimated_s low_s high_s"
    " measured_over_estimated in_range kind refused_because left_out_of_the_fit_because"
).split()
BRANCH = "main"  # of the repository, in links to notebooks


def fact_data(fact: facts_fact.Fact) -> dict[str, Any]:
    """A fact as data."""
    numbers = {name: getattr(fact.estimate, name, None) for name in ("value", "low", "high", "n", "unit")}
    return {
        "id": fact.id,
        "text": fact.text,
        "kind": fact.kind,
        "measured": fact.measured,
        **{name: None if value in (math.inf, -math.inf) else value for name, value in numbers.items()},
        "cells": [markup.key_of(ref) for ref in markup.refs(fact.cells)],
    }


def notebooks(docs: Path, repository: str = "") -> Pages:
    """Notebooks with links to sources turned into links to pages, which no site generator does for them.

    Below the title of each stand links to Colab and Kaggle, which open notebooks of repositories on GitHub only.
    """
    pages: Pages = {}
    for path in sorted(docs.glob("notebooks/*.ipynb")):
        name = path.relative_to(docs).as_posix()

        def moved(match: re.Match[str], name: str = name) -> str:
            file, _, anchor = match.group(1).partition("#")
            return (
                f"]({addresses.href(name, posixpath.normpath(posixpath.join(posixpath.dirname(name), file)), anchor)})"
            )

        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                lines = cell["source"] if isinstance(cell["source"], list) else [cell["source"]]
                cell["source"] = [
                    re.sub(r"\]\(((?!https?:)[^)\s]+\.(?:md|ipynb)(?:#[^)\s]*)?)\)", moved, line) for line in lines
                ]
        place = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", repository)
        if place:
            file = f"{place.group(1)}/blob/{BRANCH}/docs/{name}"
            links = (
                f"[Open in Colab](https://colab.research.google.com/github/{file})"
                f" · [Open in Kaggle](https://www.kaggle.com/kernels/welcome?src=https://github.com/{file})"
            )
            notebook["cells"].insert(1, {"cell_type": "markdown", "id": "open", "metadata": {}, "source": [links]})
        pages[name] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return pages


def data_files(evidence: Evidence, results: Path) -> Pages:
    """Every record and the schema, by path."""

    def make() -> Pages:
        pages: Pages = {}
        for session in evidence.sessions:
            folder = results / session.path
            for name in ("machine", "session", *session.records):
                pages[addresses.data_path(session, name)] = (folder / f"{name}.json").read_bytes()
        pages["data/schema.json"] = json.dumps(codec.json_schema(), indent=1, sort_keys=True) + "\n"
        return pages

    return CACHE.keep(evidence, "data files", make)


def csv_text(table: tables_table.Table) -> str:
    """A table as comma-separated values."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table.plain_rows())
    return out.getvalue()


def estimate_files() -> Pages:
    """Every published row beside what the formula says of it, with the ratio of the two, or why there is none."""
    found = [row for row in (*rows.measured(), *rows.notebooks()) if row.seconds is not None]
    known = networks.published()
    guesses = formula.estimates(
        [formula.case_of_row(row, known[row.network], cards.cards()[row.card]) for row in found]
    )
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(ESTIMATE_COLUMNS)
    for row, answer in zip(found, guesses, strict=True):
        seconds = row.seconds or 0.0
        is_refused = answer.kind == "refused"
        lines.writerow((
            row.id, row.source, sources()[row.source].url, row.file, row.network, row.card, row.framework,
            row.precision, row.batch, f"{seconds:.6g}",
            *(("", "", "", "", "") if is_refused else (
                f"{answer.seconds:.6g}", f"{answer.low:.6g}", f"{answer.high:.6g}", f"{seconds / answer.seconds:.4g}",
                "yes" if answer.low <= seconds <= answer.high else "no",
            )),
            answer.kind, answer.reason, row.left_out,
        ))  # fmt: skip
    return {"data/estimates.csv": out.getvalue()}


def claim_files(site: Site) -> Pages:
    """The ledger as data, from the same objects as its page."""
    found = site.claims()
    data = {
        "counts": ledger.counts(found),
        "claims": [
            {
                "id": item.claim.id,
                "article": item.claim.article,
                "section": item.claim.section,
                "claim": item.claim.claim,
                "kind": item.claim.kind,
                "verdict": item.word,
                "basis": item.basis,
                "because": item.sentence,
                "rule": item.rule,
                "test": item.claim.test,
                "address": f"{addresses.url_of('articles/index.md')}#{item.claim.id}",
                "explained": addresses.url_of(item.claim.page),
                "cells": [markup.key_of(ref) for part in item.parts for ref in part.cells],
                "published": sorted({*item.claim.evidence, *(row for part in item.parts for row in part.figures)}),
            }
            for item in found
        ],
        "named": [
            {
                "id": state.named.id,
                "name": state.named.name,
                "type": state.named.type,
                "state": state.word,
                "known": "".join(part.text for part in state.parts),
                "explained": addresses.url_of(state.named.page),
            }
            for state in site.named()
        ],
    }
    text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return {"data/claims.json": text, "claims.json": text}


def chart_files(site: Site) -> Pages:
    """Specification and values of every chart that a page shows, and the library that animates them."""
    shades = pages_drawings.light_shades(site.docs)
    pages: Pages = {}
    for key, drawing in site.used.drawings.items():
        plain = pages_drawings.recoloured(json.dumps(drawing.wide), shades)
        spec = json.loads(plain) | {
            "$schema": pages_drawings.SCHEMA,
            "title": drawing.title,
            "description": drawing.description,
            "usermeta": {
                "wide": drawing.wide,
                "narrow": drawing.narrow,
                "colours": {sentinel: role for role, sentinel in axes.COLOURS.items()},
            },
        }
        pages[f"data/charts/{key}.vl.json"] = json.dumps(spec, sort_keys=True) + "\n"
        pages[f"data/charts/{key}.csv"] = csv_text(site.make_table(drawing.id, drawing.workload, first=drawing.session))
    if pages:
        pages[pages_drawings.VEGA] = pages_drawings.begin_vega()()
    return pages


def answer_entries(site: Site) -> list[dict[str, Any]]:
    """All answers and beliefs, from the same objects as the pages."""
    found = []
    for path, source in site.sources.items():
        folder, name = posixpath.split(path)
        if folder not in ("faq", "misconceptions") or name == "index.md":
            continue
        voice = site.voices[path]
        verdict = site.judge(str(source.meta["id"])) if source.meta.get("verdict") else site.decide(source)
        found.append(
            {
                "id": source.meta.get("id"),
                "kind": "answer" if folder == "faq" else "misconception",
                "address": addresses.url_of(path),
                "question": source.meta.get("title"),
                "answer": site.answers[path],
                "verdict": verdict.outcome if verdict else None,
                "statement": _statement(verdict),
                "resting_on": None if verdict is None else verdict.basis,
                "facts": [fact_data(fact) for fact in {f.id: f for f in voice.facts}.values()],
                "published": sorted(voice.figures),
            }
        )
    return found


def _statement(decided: case.Verdict | answers.Answer | None) -> str | None:
    """What was decided: a belief, or the statement of an answer's rule."""
    if decided is None:
        return None
    return decided.statement if isinstance(decided, answers.Answer) else decided.belief


def answer_files(site: Site, found: Sequence[Mapping[str, Any]]) -> Pages:
    """The answers as data for programs and language models."""
    return {
        "data/answers.json": json.dumps({"answers": found}, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        "faq.json": sharing.faq_json(found, site.address),
        "llms.txt": sharing.llms_txt(found, site.address, site.summary),
    }
