"""TODO"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.evidence.cells import CellRef
from bench.report.facts import fact as facts_fact
from bench.report.facts import lookup
from bench.report.pages import addresses, cell_pages, markup
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING


def facts_page(site: Site) -> str:
    """Every fact: value, derivation, the cells behind it."""
    path = "evidence/facts.md"
    parts = [
        markup.front(
            "Every number, with its evidence", "All numbers of this build, how each follows from records.", search=False
        ),
        "Numbers that rest on one record link to it directly; this page holds all facts, "
        "and the numbers that rest on several records.\n",
    ]
    known = {name: site.fact(name) for name in lookup.names(site.evidence.workloads)}
    for name, fact in known.items():
        if fact.measured or name in site.used.facts:
            parts.append(_fact_entry(site, path, name, fact.title, fact.text, f"{fact.how} {fact.note}", fact.cells))
    missing = [name for name, fact in known.items() if not fact.measured and name not in site.used.facts]
    for anchor, (texts, refs) in sorted(site.used.groups.items()):
        how = "Computed from all of these cells."
        parts.append(_fact_entry(site, path, anchor, "shown in tables and verdicts", "; ".join(texts), how, refs))
    parts.append(f"\n## Not measured yet\n\n{', '.join(f'`{name}`' for name in missing) or 'Nothing is missing.'}\n")
    return "\n".join(parts)


def _fact_entry(
    site, page: str, anchor: str, title: str, text: str, how: str, cells: Sequence[CellRef | facts_fact.CellKey]
) -> str:
    shown = markup.e(text) if cells or text != facts_fact.NOT_MEASURED else MISSING
    lines = [
        f'<div class="fact" id="{markup.e(anchor)}"><p><code>{markup.e(anchor)}</code> {markup.e(title)}: '
        f"<strong>{shown}</strong></p>"
    ]
    lines.append(f"<p>{markup.e(' '.join(how.split()))}</p>")
    refs = markup.refs(cells)
    if len(refs) == 1:  # the number's own link leads to this place, which holds the rest
        target = addresses.href(page, addresses.evidence_of(refs[0]), refs[0].cell)
        lines.append(f'<p>Evidence: <a href="{markup.e(target)}">{markup.e(markup.key_of(refs[0]))}</a></p>')
    elif refs:
        rows = "".join(_cell_line(site, page, ref) for ref in refs)
        lines.append(f'<details class="plain"><summary>{len(refs)} records</summary><ul>{rows}</ul></details>')
    elif text != facts_fact.NOT_MEASURED:
        lines.append(f"<p>Read from: {_session_files(site, page) or 'the records folder'}.</p>")
    if refs and anchor in site.used.facts:
        lines.append(_cite(site, page, anchor, title, text, refs))
    return "".join(lines) + "</div>"


def _cite(site: Site, page: str, anchor: str, what: str, value: str, refs: Sequence[CellRef]) -> str:
    """The number's citation in three forms, folded."""
    found = site.evidence.resolve(refs)
    sessions = list({id(session): session for session, _ in found}.values())
    machines = dict.fromkeys(
        cell_pages.machine_of(site.evidence, session, session.records[cell]) for session, cell in found
    )
    address = f"{site.address or '/'}{addresses.url_of(page)}#{anchor}"
    return cell_pages.citation(what, value, "; ".join(machines), sessions, address)


def _session_files(site: Site, page: str) -> str:
    return ", ".join(
        f'<a href="{markup.e(addresses.href(page, addresses.data_path(session, file)))}">{markup.e(addresses.machine_slug(session))} {session.session.id} '
        f"{file}.json</a>"
        for session in site.evidence.sessions
        for file in ("machine", "session")
    )


def _cell_line(site: Site, page: str, ref: CellRef) -> str:
    session = site._sessions[ref.machine, ref.session]
    record = session.records[ref.cell]
    target = addresses.href(page, addresses.evidence_of(ref), ref.cell)
    n = sum(len(run.blocks) for run in record.runs)
    return (
        f'<li><a href="{markup.e(target)}">{markup.e(record.spec.title)}, {markup.e(markup.cell_words(record))}</a>: {n} samples, '
        f'<a class="record" href="{markup.e(addresses.href(page, addresses.data_path(session, ref.cell)))}">record</a>; machine '
        f"{markup.e(ref.machine)}, {markup.finished_at(session)}, commit {markup.e(markup.commit(session))}; "
        f"<code>{markup.e(markup.rerun_line(session, ref.cell))}</code></li>"
    )


def published_page(site: Site) -> str:
    """Every published figure that a page shows, with its source."""
    rows = []
    for figure in sorted(site.used.figures.values(), key=lambda f: f.id):
        source = (
            f'<a href="{markup.e(figure.url)}">{markup.e(figure.source)}</a>' if figure.url else markup.e(figure.source)
        )
        kind = f"{figure.evidence}{f': {figure.warning}' if figure.warning else ''}"
        rows.append(
            (
                f'<code id="{markup.e(figure.id)}">{markup.e(figure.id)}</code>',
                f'<span class="pub"><span>{markup.e(figure.text)}</span></span>',
                markup.e(figure.what),
                markup.e(figure.software),
                markup.e(figure.date),
                source,
                markup.e(kind),
            )
        )
    columns = ("Row", "Figure", "What", "Software", "Date", "Source", "Kind")
    table = markup.table(columns, rows, label="Published figures") if rows else "No page shows one.\n"
    return (
        markup.front(
            "Figures published elsewhere", "Numbers from elsewhere on this site, each with its source.", search=False
        )
        + "These were not measured here. They carry their own colour and never enter an estimate of ours.\n\n"
        + table
        + "\n"
    )
