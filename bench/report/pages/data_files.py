"""Files for programs: charts' data, claims, answers, notebooks. Records and tables are in ``downloads``."""

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

from bench.report.charts import chart
from bench.report.charts.paint import axes
from bench.report.claims import answers, case, ledger
from bench.report.facts import fact as facts_fact
from bench.report.pages import addresses, markup, sharing
from bench.report.pages import drawings as pages_drawings
from bench.report.pages.addresses import Pages
from bench.report.pages.context import Site
from bench.report.prose.source import Source
from bench.report.tables import table as tables_table

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


def csv_text(table: tables_table.Table) -> str:
    """A table as comma-separated values."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table.plain_rows())
    return out.getvalue()


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


def chart_files(site: Site, drawing: chart.Drawing, shades: Mapping[str, str]) -> Pages:
    """Specification and values of a chart that a page shows."""
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
    values = site.make_table(drawing.id, drawing.workload, first=drawing.session)
    named = f"data/charts/{drawing.key}"
    return {f"{named}.vl.json": json.dumps(spec, sort_keys=True) + "\n", f"{named}.csv": csv_text(values)}


def answer_entry(site: Site, source: Source) -> dict[str, Any] | None:
    """An answer or a belief as data, from the same objects as its page; None for other pages."""
    folder, name = posixpath.split(source.path)
    if folder not in ("faq", "misconceptions") or name == "index.md":
        return None
    voice = site.voices[source.path]
    verdict = site.judge(str(source.meta["id"])) if source.meta.get("verdict") else site.decide(source)
    return {
        "id": source.meta.get("id"),
        "kind": "answer" if folder == "faq" else "misconception",
        "address": addresses.url_of(source.path),
        "question": source.meta.get("title"),
        "answer": site.answers[source.path],
        "verdict": verdict.outcome if verdict else None,
        "statement": _statement(verdict),
        "resting_on": None if verdict is None else verdict.basis,
        "facts": [fact_data(fact) for fact in {f.id: f for f in voice.facts}.values()],
        "published": sorted(voice.figures),
    }


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
