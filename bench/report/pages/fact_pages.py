"""The pages of all facts and of all published figures."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

from markupsafe import Markup

from bench.report.estimates import networks, words
from bench.report.evidence.cells import CellRef
from bench.report.facts import fact as facts_fact
from bench.report.facts import lookup
from bench.report.pages import addresses, cell_pages, downloads, markup
from bench.report.pages.cell_pages import EVIDENCE
from bench.report.pages.context import Site
from bench.report.pages.markup import PARTS
from bench.report.pages.parts import Used
from bench.report.published import figures as published
from bench.report.published.sources import sources
from bench.report.stats import format as fmt
from bench.report.templates import Valued


def facts_page(site: Site, used: Used, part: Callable[..., Markup]) -> str:
    """Every fact: value, derivation, the cells behind it; and what pages ``used`` that rests on several records.

    ``part`` takes what makes an entry, its name and what it is made of (``parts.Parts.part``).
    """
    path = "evidence/facts.md"
    parts = [
        "Numbers that rest on one record link to it directly; this page holds all facts, "
        "and the numbers that rest on several records.\n"
    ]
    known = {name: site.fact(name) for name in lookup.names(site.evidence.workloads)}
    for name, fact in known.items():
        if fact.measured or (fact.kind == "missing" and name in used.facts):
            how, refs = f"{fact.how} {fact.note}", markup.refs(fact.cells)
            shown = (name, fact.title, fact.text, how, refs, name in used.facts)
            parts.append(part(functools.partial(_fact_entry, site, path, *shown), name, shown))
    missing = [name for name, fact in known.items() if fact.kind == "missing" and name not in used.facts]
    for anchor, (texts, refs) in sorted(used.groups.items()):
        how = "Computed from all of these cells."
        shown = (anchor, "shown in tables and verdicts", "; ".join(texts), how, refs, False)
        parts.append(part(functools.partial(_fact_entry, site, path, *shown), anchor, shown))
    others = [_published_entry(path, fact) for fact in known.values() if fact.figure is not None]
    parts += ["\n## Published\n\nNot measured here: others did, on the same card.\n", *others] if others else []
    guessed = [_estimated_entry(site, path, fact) for fact in known.values() if fact.kind == "estimated"]
    parts += (
        ["\n## Estimated\n\nNot measured here: a formula says so until somebody does.\n", *guessed] if guessed else []
    )
    parts.append(f"\n## Not measured yet\n\n{', '.join(f'`{name}`' for name in missing) or 'Nothing is missing.'}\n")
    about = "All numbers of this build, how each follows from records."
    return markup.page("Every number, with its evidence", about, "\n".join(parts))


def _fact_entry(
    site: Site, page: str, anchor: str, title: str, text: str, how: str, refs: Sequence[CellRef], is_cited: bool
) -> Markup:
    shown = text if refs or text != facts_fact.NOT_MEASURED else markup.MISSING
    evidence = Markup("")
    if len(refs) == 1:  # the number's own link leads to this place, which holds the rest
        target = addresses.href(page, addresses.evidence_of(refs[0]), refs[0].cell)
        evidence = EVIDENCE.one_record(target, markup.key_of(refs[0]))
    elif refs:
        evidence = EVIDENCE.records([_cell_line(site, page, ref) for ref in refs])
    elif text != facts_fact.NOT_MEASURED:
        evidence = EVIDENCE.read_from(_session_files(site, page))
    cite = _cite(site, page, anchor, title, text, refs) if refs and is_cited else ""
    return EVIDENCE.fact(anchor, title, shown, " ".join(how.split()), evidence, cite)


def _estimated_entry(site: Site, page: str, fact: facts_fact.Fact) -> Markup:
    shown, how = site.estimated(page, fact.text), f"{fact.how} {fact.note}"
    return EVIDENCE.fact(fact.id, fact.title, shown, how, "", "")


def _published_entry(page: str, fact: facts_fact.Fact) -> Markup:
    assert fact.figure is not None, "only facts with a figure are published ones"
    shown = PARTS.published_value(fact.figure.url, fact.text)
    how = f"{fact.how} {fact.note}. Source: {fact.figure.source}, {fact.figure.date}."
    return EVIDENCE.fact(fact.id, fact.title, shown, how, "", "")


def _cite(site: Site, page: str, anchor: str, what: str, value: str, refs: Sequence[CellRef]) -> Markup:
    """The number's citation in three forms, folded."""
    found = site.evidence.resolve(refs)
    sessions = list({id(session): session for session, _ in found}.values())
    machines = dict.fromkeys(
        cell_pages.machine_of(site.evidence, session, session.records[cell]) for session, cell in found
    )
    address = f"{site.address or '/'}{addresses.url_of(page)}#{anchor}"
    return cell_pages.citation(what, value, "; ".join(machines), sessions, address)


def _session_files(site: Site, page: str) -> list[tuple[str, str]]:
    return [
        (
            addresses.href(page, addresses.data_path(session, file)),
            f"{addresses.machine_slug(session)} {session.session.id} {file}.json",
        )
        for session in site.evidence.stored
        for file in ("machine", "session")
    ]


def _cell_line(site: Site, page: str, ref: CellRef) -> tuple[str, str, str]:
    """Address of a cell's evidence, which holds the rest, the cell in words, and where and when it was measured."""
    session = site.session_of(ref)
    record = session.records[ref.cell]
    words = f"{record.spec.title}, {markup.cell_words(record)}"
    return addresses.href(page, addresses.evidence_of(ref), ref.cell), words, f"{ref.machine}, {session.session.id}"


def published_page(used: dict[str, published.Figure]) -> str:
    """Every published figure, with its source; of the estimates' rows those that pages used."""
    rows = []
    known = published.figures() | used
    for figure in sorted(known.values(), key=lambda f: f.id):
        source = PARTS.link(figure.url, figure.source) if figure.url else figure.source
        kind = f"{figure.evidence}{f': {figure.warning}' if figure.warning else ''}"
        shown = PARTS.published_cell(figure.text)
        if re.fullmatch(r"-?\d+(\.\d+)?", figure.value):
            shown = Valued(shown, float(figure.value))
        about = (figure.what, figure.software, figure.date, source, kind)
        rows.append((EVIDENCE.figure_id(figure.id), shown, *about))
    columns = ("Row", "Figure", "What", "Software", "Date", "Source", "Kind")
    table = PARTS.table(columns, rows, label="Published figures", is_sortable=True, shares=(16, 10, 24, 12, 10, 16, 12))
    return markup.page(
        "Figures published elsewhere",
        "Every number from elsewhere, each with its source.",
        "These were not measured here. They carry their own colour and never count as ours.\n\n",
        table,
        "\n",
        hide=("navigation", "toc"),
    )


def estimates_page() -> str:
    """Every published step that the formula has an estimate of, side by side."""
    found = list(downloads.estimated())
    known = [(row, answer) for row, answer in found if answer.kind != "refused"]
    lines = []
    for row, answer in known:
        seconds, network, source = row.seconds or 0.0, networks.published()[row.network], sources()[row.source]
        factor = seconds / answer.seconds
        lines.append((
            f"{network.title} {network.size}".strip(),
            row.card,
            f"{row.framework}, {row.precision}, batch {row.batch:g}",
            Valued(PARTS.published_cell(fmt.seconds(seconds)), seconds),
            Valued(words.span(answer.low, answer.high), answer.seconds),
            Valued(fmt.ratio(factor), factor),
            "yes" if answer.low <= seconds <= answer.high else "no",
            PARTS.link(source.url, source.id),
        ))  # fmt: skip
    columns = (
        "Network",
        "Card",
        "With",
        "Step, published",
        "Step, estimated",
        "Published / estimated",
        "In range",
        "Source",
    )
    n_refused = len(found) - len(known)
    return markup.page(
        "Published steps beside their estimates",
        "Every published training step on a GPU beside the range that our formula gives for it.",
        f"{fmt.count(len(known))} published steps beside [the formula's answer](../method/how-we-estimate.md), whether "
        f"it was fitted to them or not; {fmt.count(n_refused)} more, of which it refuses to say anything, are in "
        "[estimates.csv](../data/estimates.csv).\n\n",
        PARTS.table(columns, lines, label="Estimates", is_sortable=True, shares=(20, 13, 22, 9, 11, 9, 6, 10)),
        "\n",
        hide=("navigation", "toc"),
    )
