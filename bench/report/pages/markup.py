"""Small pieces of HTML, front matter and words that several pages share."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from bench import schema
from bench.records.store import SessionResults
from bench.report.charts.paint import axes
from bench.report.claims import case, rule
from bench.report.evidence.cells import CellRef
from bench.report.facts import fact
from bench.report.pages import addresses
from bench.schema import Record

# In the search an answer comes before a belief and a guide, and those before everything else.
SEARCH_BOOST = {"faq": 2.0, "misconceptions": 1.0, "guides": 1.0}
OTHER_BOOST = 0.5
MISSING = '<span class="missing">not measured yet</span>'
MEASURED_HERE = {"train": "training", "infer": "inference", "probe": "probe", "study": "study"}
MAIN_MODE: Mapping[schema.Kind, schema.Mode] = {"model": "train", "probe": "probe", "study": "study"}


# Small pieces of HTML.


def e(text: object) -> str:
    """Text as HTML."""
    return html.escape(str(text), quote=True)


def ref(session: SessionResults, record: Record) -> CellRef:
    """Address of a record's cell."""
    return CellRef(addresses.machine_slug(session), session.session.id, record.cell.workload, record.cell.id)


def refs(cells: Iterable[CellRef | fact.CellKey]) -> tuple[CellRef, ...]:
    """Addresses of cells, whichever way a table, a verdict or a fact names them."""
    return tuple(c if isinstance(c, CellRef) else ref(c[0], c[0].records[c[1]]) for c in cells)


def key_of(ref: CellRef) -> str:
    """Key of a cell's address."""
    return f"{ref.machine}/{ref.session}/{ref.cell}"


def group_id(cells: Sequence[CellRef]) -> str:
    """Anchor of a group of cells."""
    return "cells-" + hashlib.sha256("\n".join(map(key_of, cells)).encode()).hexdigest()[:10]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", *, label: str = "Table") -> str:
    """HTML of a table in a box that scrolls by itself; cells are HTML already, the first of each row heads it.

    A row of one cell in a table of several columns heads the rows below it.
    """
    head = "".join(f'<th scope="col">{e(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        if rest or len(columns) == 1
        else f'<tr class="group"><th colspan="{len(columns)}" scope="rowgroup"><span>{first}</span></th></tr>'
        for first, *rest in rows
    )
    words = f"<caption>{e(caption)}</caption>" if caption else ""
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{e(label)}"><table class="plain">{words}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def facts_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms and values; values are HTML already."""
    return '<dl class="facts">' + "".join(f"<dt>{e(term)}</dt><dd>{value}</dd>" for term, value in pairs) + "</dl>"


def badge(word: str) -> str:
    """A word as a badge."""
    return f'<span class="badge badge-{word.replace(" ", "-").replace("_", "-")}">{e(word.replace("_", " "))}</span>'


def basis(verdict: case.Verdict) -> str:
    """What a verdict rests on, where it is not our records."""
    words = rule.RESTING[verdict.basis]
    return f' <span class="resting">{words}</span>' if words else ""


def block(text: str) -> str:
    """HTML that Markdown must leave alone: without the blank lines that would end it."""
    return re.sub(r"\n\s*\n+", "\n", text)


def front(title: str, description: str, *, search: bool = True, hide: Sequence[str] = ()) -> str:
    """Front matter of a generated page."""
    meta: dict[str, Any] = {"title": title, "description": description}
    meta["search"] = {"boost": OTHER_BOOST} if search else {"exclude": True}
    if hide:
        meta["hide"] = list(hide)
    return f"---\n{yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=1000)}---\n\n"


def cell_words(record: Record) -> str:
    """A cell in words: what ran, with what, on what."""
    cell = record.cell
    parts = [
        MEASURED_HERE[cell.mode],
        f"{axes.BACKEND_NAMES[cell.backend]} on {cell.device.upper()}",
        cell.precision,
        f"XLA {cell.jit}",
        f"batch {cell.batch_size:,}",
        f"{cell.threads} thread{'s' if cell.threads != 1 else ''}",
    ]
    return ", ".join([*parts, *(f"{key} {value}" for key, value in sorted(cell.params.items()))])


def finished_at(session: SessionResults) -> str:
    """Date of a session."""
    return session.session.started_at[:10]


def commit(session: SessionResults, record: Record | None = None) -> str:
    """Commit that a session or record was measured at, in words."""
    if record is not None and record.commit not in (None, session.session.commit):
        return record.commit[:12]
    commit = session.session.commit
    if commit is None:
        return "not recorded"
    return f"{commit[:12]}{' (with uncommitted changes)' if session.session.dirty else ''}"


def rerun_line(session: SessionResults, cell_id: str) -> str:
    """The command that repeats one cell; of a published one, with a verdict on whether the two agree."""
    if session.is_local:
        return f"python scripts/refresh_benchmarks.py --cell {cell_id}"
    return f"python -m bench.cli repro {cell_id}"


def json_ld(answers: Sequence[Mapping[str, Any]]) -> str:
    """Questions and answers as schema.org data, from the same text that the pages show."""
    data = {
        "@context": "https://schema.org",
        "@type": "FAQPage",
        "mainEntity": [
            {
                "@type": "Question",
                "name": str(one["question"]),
                "acceptedAnswer": {"@type": "Answer", "text": one["answer"]},
            }
            for one in answers
        ],
    }
    text = json.dumps(data, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")
    return f'<script type="application/ld+json">{text}</script>'


def versions(session: SessionResults) -> str:
    """Versions of a session's packages, in words."""
    return ", ".join(f"{name} {version}" for name, version in sorted(session.session.versions.items()))
