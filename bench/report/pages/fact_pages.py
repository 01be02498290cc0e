"""The pages of all facts and of all published figures."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.evidence.cells import CellRef
from bench.report.facts import fact as facts_fact
from bench.report.facts import lookup
from bench.report.pages import addresses, cell_pages, markup
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING, e


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
    shown = e(text) if cells or text != facts_fact.NOT_MEASURED else MISSING
    lines = [f'<div class="fact" id="{e(anchor)}"><p><code>{e(anchor)}</code> {e(title)}: <strong>{shown}</strong></p>']
    lines.append(f"<p>{e(' '.join(how.split()))}</p>")
    refs = markup.refs(cells)
    if len(refs) == 1:  # the number's own link leads to this place, which holds the rest
        target = addresses.href(page, addresses.evidence_of(refs[0]), refs[0].cell)
        lines.append(f'<p>Evidence: <a href="{e(target)}">{e(markup.key_of(refs[0]))}</a></p>')
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
        f'<a href="{e(addresses.href(page, addresses.data_path(session, file)))}">{e(addresses.machine_slug(session))} '
        f"{session.session.id} {file}.json</a>"
        for session in site.evidence.sessions
        for file in ("machine", "session")
    )


def _cell_line(site: Site, page: str, ref: CellRef) -> str:
    session = site._sessions[ref.machine, ref.session]
    record = session.records[ref.cell]
    target = addresses.href(page, addresses.evidence_of(ref), ref.cell)
    n = sum(len(run.blocks) for run in record.runs)
    return (
        f'<li><a href="{e(target)}">{e(record.spec.title)}, {e(markup.cell_words(record))}</a>: {n} samples, '
        f'<a class="record" href="{e(addresses.href(page, addresses.data_path(session, ref.cell)))}">record</a>; '
        f"machine {e(ref.machine)}, {markup.finished_at(session)}, commit {e(markup.commit(session))}; "
        f"<code>{e(markup.rerun_line(session, ref.cell))}</code></li>"
    )


def published_page(site: Site) -> str:
    """Every published figure that a page shows, with its source."""
    rows = []
    for figure in sorted(site.used.figures.values(), key=lambda f: f.id):
        source = f'<a href="{e(figure.url)}">{e(figure.source)}</a>' if figure.url else e(figure.source)
        kind = f"{figure.evidence}{f': {figure.warning}' if figure.warning else ''}"
        rows.append(
            (
                f'<code id="{e(figure.id)}">{e(figure.id)}</code>',
                f'<span class="pub"><span>{e(figure.text)}</span></span>',
                e(figure.what),
                e(figure.software),
                e(figure.date),
                source,
                e(kind),
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
