"""Front matter and words that several pages share, and the macros for their small pieces."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from markupsafe import Markup

from bench import schema
from bench.records.store import SessionResults
from bench.report import templates
from bench.report.claims import case, rule
from bench.report.evidence.cells import CellRef
from bench.report.facts import fact
from bench.report.pages import addresses
from bench.report.stats import format as fmt
from bench.report.templates import inert

PARTS = templates.macros("parts.html.j2")
MISSING: Markup = PARTS.missing()
MAIN_MODE: Mapping[schema.Kind, schema.Mode] = {"model": "train", "probe": "probe", "study": "study"}


def ref(session: SessionResults, record: schema.Record) -> CellRef:
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


def basis(verdict: case.Verdict, *, is_doubted: bool = False) -> Markup:
    """What a verdict rests on; ``is_doubted`` of estimates that missed records of ours."""
    if verdict.outcome == "not measured":
        return Markup("")
    words = rule.RESTING[verdict.basis]
    if is_doubted and verdict.basis == "estimates":
        words += ", which our own GPU records do not bear out"
    return PARTS.resting(words)


def standing(session: SessionResults) -> Markup:
    """What stands above everything of a session that decides no answer; empty for one that does."""
    return Markup("") if session.standing.counts else PARTS.standing(session.standing.words) + "\n\n"


def page(title: str, description: str, *parts: str, hide: Sequence[str] = (), order: int = 0) -> str:
    """A generated page: its front matter, whose words the theme shows as they stand, and its parts.

    ``order`` is its place in the menu's list of its folder; 0 for one that comes after those with a place.
    """
    meta: dict[str, Any] = {"title": str(inert(title)), "description": str(inert(description))}
    if hide:
        meta["hide"] = list(hide)
    if order:
        meta["order"] = order
    head = f"---\n{yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=math.inf)}---\n\n"
    return "".join([head, *parts])  # of text and markup, text: it has been joined as it stands


def cell_words(record: schema.Record) -> str:
    """A cell in words: what ran, with what, on what."""
    cell = record.cell
    parts = [
        fmt.MODE_NAMES[cell.mode],
        f"{fmt.backend(cell.backend)} on {cell.device.upper()}",
        cell.precision,
        f"XLA {cell.jit}",
        f"batch {cell.batch_size:,}",
        f"{cell.threads} thread{'s' if cell.threads != 1 else ''}",
    ]
    return ", ".join([*parts, *(f"{key} {value}" for key, value in sorted(cell.params.items()))])


def finished_at(session: SessionResults) -> str:
    """Date of a session."""
    return session.session.started_at[:10]


def commit(session: SessionResults, record: schema.Record | None = None) -> str:
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
    return f"python -m bench.cli repro {cell_id} --session {session.path}"


def json_ld(answers: Sequence[Mapping[str, Any]]) -> Markup:
    """Questions and answers as schema.org data, from the same text that the pages show."""
    asked = [
        {
            "@type": "Question",
            "name": str(one["question"]),
            "acceptedAnswer": {"@type": "Answer", "text": one["answer"]},
        }
        for one in answers
    ]
    return PARTS.json_ld({"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": asked})


def versions(session: SessionResults) -> str:
    """Versions of a session's packages, in words."""
    return ", ".join(f"{name} {version}" for name, version in sorted(session.session.versions.items()))
