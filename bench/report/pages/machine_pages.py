"""A page for each machine."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bench import grouped, schema
from bench.records.store import SessionResults
from bench.report import templates
from bench.report.evidence import against, history
from bench.report.pages import addresses, compare_pages, further, markup, workload_pages, yours
from bench.report.pages.calls import Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING, PARTS
from bench.report.stats import estimate
from bench.report.stats import format as fmt
from bench.report.templates import join

MACHINE = templates.macros("machine.md.j2")


def cores(described: schema.Session) -> str:
    """How many cores a session used and saw, in words."""
    affinity = "not readable" if described.n_cores_affinity is None else described.n_cores_affinity
    quota = "none" if described.cgroup_quota_cores is None else f"{described.cgroup_quota_cores:g}"
    used, seen = described.n_cores_effective, described.n_cores_visible
    return f"{used} used; {seen} visible, by affinity {affinity}, quota {quota}"


def machine_pages(site: Site) -> addresses.ToMake:
    """One page per machine, and their index, to be made."""
    found = grouped(site.evidence.stored, addresses.machine_slug).items()
    by_machine = dict(sorted(found, key=lambda item: (not item[1][0].is_local, item[0])))
    paths = {f"machines/{slug}.md": sessions for slug, sessions in by_machine.items()}
    made = {path: functools.partial(_machine_page, site, path, sessions) for path, sessions in paths.items()}
    return {**made, "machines/index.md": functools.partial(_index, site, by_machine)}


def _index(site: Site, by_machine: Mapping[str, Sequence[SessionResults]]) -> str:
    rows = []
    for slug, sessions in by_machine.items():
        path = f"machines/{slug}.md"
        machine = sessions[-1].machine
        link = PARTS.link(addresses.href("machines/index.md", path), slug)
        rows.append(
            (
                join([link, " (this machine)" if sessions[0].is_local else ""]),
                machine.cpu_model,
                ", ".join(gpu.name for gpu in machine.gpus) or "none",
                _kinds(sessions),
                len(sessions),
                sum(len(session.records) for session in sessions),
            )
        )
    rows += _further_rows(site)
    band = yours.band(site, "machines/index.md")
    columns = ("Machine", "CPU", "GPU", "Kind", "Sessions", "Records")
    table = PARTS.table(columns, rows, label="Machines", is_sortable=True) if rows else MISSING
    more = "\n\n[Compare two machines](compare.md) or [download all data](../data/index.md)."
    if site.evidence.further:
        more += " A machine without a link has no page here: its sessions are there as archives, and in those tables."
    if "guides/add-a-machine.md" in site.sources:
        more += " Yours is not here? [Add a machine](../guides/add-a-machine.md) says how."
    return markup.page(
        "Machines",
        "Every machine that was measured, with its sessions and all of its results.",
        band,
        "Every computer that was measured. A time holds for its own computer; yours may be faster or slower.\n\n",
        table,
        f"{more}\n",
    )


def _further_rows(site: Site) -> Iterator[tuple[Any, ...]]:
    """A row for each machine that has no page, with its sessions to download."""
    n_records = {s.path: one.n_records for s, one in zip(site.evidence.further, site.of_further, strict=True)}
    for slug, sessions in grouped(site.evidence.further, addresses.machine_slug).items():
        machine = sessions[-1].machine
        files = [
            PARTS.link(addresses.href("machines/index.md", further.pack_path(one)), one.session.id, download=True)
            for one in sessions
        ]
        gpus = ", ".join(gpu.name for gpu in machine.gpus) or "none"
        n = sum(n_records[one.path] for one in sessions)
        yield join([slug, ": ", join(files, ", ")]), machine.cpu_model, gpus, _kinds(sessions), len(sessions), n


def _kinds(sessions: Sequence[SessionResults]) -> str:
    """How many of a machine's sessions are of which kind, where not all are of one."""
    found = Counter("not published" if session.is_local else session.standing.kind for session in sessions)
    return ", ".join(f"{n} {kind}" for kind, n in found.items()) if len(found) > 1 else next(iter(found))


def _machine_page(site: Site, path: str, sessions: Sequence[SessionResults]) -> str:
    machine, is_local = sessions[-1].machine, sessions[0].is_local
    about = f"{machine.cpu_model}: specification, sessions and every result."
    shown = [_session(site, path, session) for session in reversed(sessions)]
    beside = yours.table(site, path) if sessions[-1] is site.evidence.lead else ""
    counted = [session for session in sessions if session.standing.counts]
    other = f"{addresses.href(path, compare_pages.PAGE)}?a={addresses.machine_slug(sessions[0])}"
    if not counted:
        other = ""  # nothing of it can be chosen there
    text = MACHINE.page(is_local, beside, _specification(machine), other, _history(site, path, counted), shown)
    band = "" if is_local else yours.band(site, path)
    words = site.evidence.view(sessions[-1]).cpu_text()
    return markup.page("This machine" if is_local else f"{words} ({machine.id})", about, band, text)


def _specification(machine: schema.Machine) -> list[tuple[str, str]]:
    gpus = ", ".join(f"{fmt.gpu(gpu)}, driver {gpu.driver}" for gpu in machine.gpus)
    n_cores = machine.n_physical_cores if machine.n_physical_cores is not None else "not readable"
    return [
        ("CPU", machine.cpu_model),
        ("Family", machine.cpu_family),
        ("Architecture", machine.architecture),
        ("Cores", f"{n_cores} physical, {machine.n_logical_cores} logical"),
        ("Flags that matter", ", ".join(machine.cpu_flags) or "none"),
        ("Memory", fmt.bytes_(machine.memory_bytes)),
        ("GPU", gpus or "none"),
        ("System", machine.os),
        ("Virtual", {True: "yes", False: "no", None: "not readable"}[machine.virtual]),
    ]


def _session(site: Site, path: str, session: SessionResults) -> dict[str, Any]:
    """What a machine's page shows of one session."""
    described = session.session
    statuses = [record.status for record in session.records.values()]
    counted = (f"{statuses.count(status)} {status.replace('_', ' ')}" for status in sorted(set(statuses)))
    environment = (f"{key}={value}" for key, value in sorted(described.environment.items()))
    files = [
        PARTS.link(addresses.href(path, addresses.data_path(session, file)), f"{file}.json", download=True)
        for file in ("machine", "session")
    ]
    about = [
        ("Kind", "not published" if session.is_local else session.standing.words),
        ("Profile", described.profile),
        ("Started", described.started_at),
        ("Records", ", ".join(counted) or "none"),
        ("Versions", markup.versions(session)),
        ("Environment", ", ".join(environment) or "nothing set"),
        ("Cores", cores(described)),
        ("Commit", PARTS.code(markup.commit(session))),
        ("Against itself", _self_test(site, path, session)),
        ("Busy meanwhile", _disturbed(site, session)),
        ("Seed", str(described.seed)),
        ("Download", join(files, " · ")),
    ]
    found = [(session, record) for record in session.records.values()]
    return {
        "id": described.id,
        "standing": markup.standing(session),
        "about": about,
        "fairness": Voice(site, path).table("fairness", session=session),
        "results": workload_pages.all_results(site, path, found, with_machine=False),
    }


def _history(site: Site, page: str, sessions: Sequence[SessionResults]) -> Markup:
    """What sessions of one machine say of each other: how many headline intervals overlap, and every cell."""
    ordered = history.same_machine(sessions, sessions[-1]) if sessions else ()
    found = []
    if pairs := [_overlap_row(site, page, pair) for pair in history.overlaps(ordered)]:
        heads = ("Two sessions", "Intervals that overlap", "Versions")
        table = PARTS.table(heads, pairs, f"{history.rule()}.", label="Sessions against each other")
        found.append(
            PARTS.folded(f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''} of sessions, and how far they agree", table)
        )
    cells = history.histories(ordered)
    if rows := [row for one in cells for row in _history_rows(site, page, one)]:
        columns = ("Cell", "Session", "Versions", "Speed, or time of a call", "Against the session before")
        rule = against.rule()
        table = PARTS.table(columns, rows, f"{rule[:1].upper()}{rule[1:]}.", label="History")
        n = fmt.count(len(cells))
        found.append(PARTS.folded(f"{n} cells measured in more than one session", table))
    return join(found)


def _overlap_row(site: Site, page: str, found: history.Overlap) -> tuple[str, ...]:
    """Two sessions, how many of the headline intervals of both overlap, and the versions that changed between."""
    count = site.number(page, found.text, site.evidence.refs(*found.records))
    changed = [f"{name} {then}, then {now}" for name, then, now in history.changed_versions(found.older, found.newer)]
    return (found.names, count, "; ".join(changed) or "equal")


def _history_rows(site: Site, page: str, found: history.History) -> Iterable[tuple[str, ...]]:
    """One row for each session of a cell; the cell is named in its first."""
    before: schema.Record | None = None
    for session, record, speed, row in found.entries:
        label = "" if before is not None else f"{record.spec.title}, {markup.cell_words(record)}"
        if label and found.series:
            label += f": {next(item.label for item in record.spec.series if item.id == found.series)}"
        refs = site.evidence.refs(before, record)
        change = "" if row is None else history.change_words(row)
        if row is not None and row.ratio is not None:
            change = site.number(page, change, refs)
        yield (
            label,
            f"{session.session.id}, {fmt.date(session.session.started_at)}",
            history.versions(session, record),
            site.number(page, fmt.interval(speed, noun=record.spec.sample_noun), site.evidence.refs(record)),
            change,
        )
        before = record


def _self_test(site: Site, page: str, session: SessionResults) -> str:
    """The A/A test: the same cell's even runs against its odd ones, and how often any headline cell differs."""
    found = site.evidence.view(session).self_test
    if found is None:
        return "not tested: no headline cell has two runs in each half"
    record, halves = found.planned or max(found.halves, key=lambda pair: (pair[1].n_odd, pair[0].cell.id))
    ratio = site.number(page, fmt.interval(halves.ratio), (site.evidence.ref(record),))
    words = MACHINE.self_test(
        f"{record.spec.title}, {markup.cell_words(record)}",
        ratio,
        n_different=fmt.count(found.n_different),
        n_tested=fmt.count(len(found.halves)),
        chance=fmt.percent(1 - estimate.CONFIDENCE_FRAC),
        weak_below=fmt.percent(halves.sees_frac) if found.is_weak else "",
    )
    return join(["passed: " if found.passed else "failed: ", words])


def _disturbed(site: Site, session: SessionResults) -> str:
    """How many cells were measured beside something else; the evidence of each says what."""
    measured = [record for record in session.records.values() if record.status == "ok"]
    flagged = sum(bool(site.evidence.flags(record)) for record in measured)
    ran = f"{fmt.count(flagged)} of {fmt.count(len(measured))} measurements"
    return f"{ran} ran beside something else; headlines avoid them"
