"""A page for each machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench import schema
from bench.records.store import SessionResults
from bench.report.evidence import against, history
from bench.report.pages import addresses, markup, workload_pages
from bench.report.pages import machine_pages as pages_machine_pages
from bench.report.pages.addresses import Pages
from bench.report.pages.calls import Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import MISSING, e
from bench.report.stats import estimate
from bench.report.stats import format as fmt
from bench.schema import Record


def cores(described: schema.Session) -> str:
    """How many cores a session used and saw, in words."""
    affinity = "not readable" if described.n_cores_affinity is None else described.n_cores_affinity
    quota = "none" if described.cgroup_quota_cores is None else f"{described.cgroup_quota_cores:g}"
    used, seen = described.n_cores_effective, described.n_cores_visible
    return f"{used} used; {seen} visible, by affinity {affinity}, quota {quota}"


def machine_pages(site: Site) -> Pages:
    """One page per machine, and their index."""
    by_machine: dict[str, list[SessionResults]] = {}
    for session in site.evidence.sessions:
        by_machine.setdefault(addresses.machine_slug(session), []).append(session)
    pages: Pages = {}
    rows = []
    for slug, sessions in sorted(by_machine.items(), key=lambda item: (not item[1][0].is_local, item[0])):
        path = f"machines/{slug}.md"
        pages[path] = _machine_page(site, path, sessions)
        machine = sessions[-1].machine
        rows.append(
            (
                f'<a href="{e(addresses.href("machines/index.md", path))}">{e(slug)}</a>'
                + (" (this machine)" if sessions[0].is_local else ""),
                e(machine.cpu_model),
                e(", ".join(gpu.name for gpu in machine.gpus) or "none"),
                str(len(sessions)),
                str(sum(len(session.records) for session in sessions)),
            )
        )
    table = markup.table(("Machine", "CPU", "GPU", "Sessions", "Records"), rows, label="Machines") if rows else MISSING
    add = addresses.href("machines/index.md", "guides/add-a-machine.md")
    more = f"\n\nYours is not here? [Add a machine]({add.rstrip('/')}.md) says how.\n"
    if "guides/add-a-machine.md" not in site.sources:
        more = "\n"
    pages["machines/index.md"] = (
        markup.front("Machines", "Every machine that was measured, with its sessions and all of its results.")
        + "A machine's results are compared with each other, never averaged with those of another machine.\n\n"
        + table
        + more
    )
    return pages


def _machine_page(site: Site, path: str, sessions: Sequence[SessionResults]) -> str:
    machine = sessions[-1].machine
    name = "This machine" if sessions[0].is_local else machine.id
    about = f"{machine.cpu_model}: specification, sessions and every result."
    parts = [markup.front(name, about, search=False)]
    if sessions[0].is_local:
        parts += [
            "Measured by the owner of this checkout and not published. "
            "Run the benchmarks with `--keep` to file it for a pull request.",
            "",
        ]
    gpus = ", ".join(f"{fmt.gpu(gpu)}, driver {gpu.driver}" for gpu in machine.gpus)
    cores = machine.n_physical_cores if machine.n_physical_cores is not None else "not readable"
    parts += [
        "## Specification",
        "",
        markup.facts_list(
            [
                ("CPU", e(machine.cpu_model)),
                ("Family", e(machine.cpu_family)),
                ("Architecture", e(machine.architecture)),
                ("Cores", e(f"{cores} physical, {machine.n_logical_cores} logical")),
                ("Flags that matter", e(", ".join(machine.cpu_flags) or "none")),
                ("Memory", e(fmt.bytes_(machine.memory_bytes))),
                ("GPU", e(gpus or "none")),
                ("System", e(machine.os)),
                ("Virtual", {True: "yes", False: "no", None: "not readable"}[machine.virtual]),
            ]
        ),
        "",
    ]
    parts += _history(site, path, sessions)
    for session in reversed(sessions):
        described = session.session
        environment = ", ".join(f"{key}={value}" for key, value in sorted(described.environment.items()))
        statuses = [record.status for record in session.records.values()]
        counted = ", ".join(f"{statuses.count(status)} {status.replace('_', ' ')}" for status in sorted(set(statuses)))
        files = " · ".join(
            f'<a href="{e(addresses.href(path, addresses.data_path(session, file)))}" download>{file}.json</a>'
            for file in ("machine", "session")
        )
        parts += [
            f"## Session {described.id}",
            "",
            markup.facts_list(
                [
                    ("Profile", e(described.profile)),
                    ("Started", e(described.started_at)),
                    ("Records", e(counted or "none")),
                    ("Versions", e(markup.versions(session))),
                    ("Environment", e(environment or "nothing set")),
                    ("Cores", e(pages_machine_pages.cores(described))),
                    ("Commit", f"<code>{e(markup.commit(session))}</code>"),
                    ("Against itself", _self_test(site, path, session)),
                    ("Disturbed", e(_disturbed(site, session))),
                    ("Seed", str(described.seed)),
                    ("Download", files),
                ]
            ),
            "",
            "### Fairness",
            "",
            Voice(site, path).table("fairness", session=session),
            "",
            "### Results",
            "",
            workload_pages.all_results(
                site, path, [(session, r) for r in session.records.values()], with_machine=False
            ),
            "",
        ]
    return "\n".join(parts)


def _history(site: Site, page: str, sessions: Sequence[SessionResults]) -> list[str]:
    """What sessions of one machine say of each other: how many headline intervals overlap, and every cell."""
    ordered = history.same_machine(sessions, sessions[-1])
    pairs = tuple(_overlap_row(site, page, found) for found in history.overlaps(ordered))
    columns = ("Two sessions", "Intervals that overlap", "Versions")
    table = markup.table(columns, pairs, f"{history.rule()}.", label="Sessions against each other") if pairs else ""
    cells = history.histories(ordered)
    rows = [row for found in cells for row in _history_rows(site, page, found)]
    if not rows:
        return ["## History", "", markup.block(table), ""] if table else []
    columns = ("Cell", "Session", "Versions", "Speed, or time of a call", "Against the session before")
    n, rule = fmt.count(len(cells)), against.rule()
    folded = (
        f'<details class="plain"><summary>{n} cells measured in more than one session</summary>'
        f"{markup.table(columns, rows, f'{rule[:1].upper()}{rule[1:]}.', label='History')}</details>"
    )
    return ["## History", "", markup.block(table + folded), ""]


def _overlap_row(site: Site, page: str, found: history.Overlap) -> tuple[str, ...]:
    """Two sessions, how many of the headline intervals of both overlap, and the versions that changed between."""
    count = site.number(page, found.text, site.evidence.refs(*found.records))
    return (e(found.names), count, e("; ".join(history.changed_versions(found.older, found.newer)) or "equal"))


def _history_rows(site: Site, page: str, found: history.History) -> Iterable[tuple[str, ...]]:
    """One row for each session of a cell; the cell is named in its first."""
    before: Record | None = None
    for session, record, speed, row in found.entries:
        label = "" if before is not None else f"{record.spec.title}, {markup.cell_words(record)}"
        if label and found.series:
            label += f": {next(item.label for item in record.spec.series if item.id == found.series)}"
        refs = site.evidence.refs(before, record)
        change = "" if row is None else history.change_words(row)
        if row is not None and row.ratio is not None:
            change = site.number(page, change, refs)
        yield (
            e(label),
            e(f"{session.session.id}, {fmt.date(session.session.started_at)}"),
            e(history.versions(session, record)),
            site.number(page, fmt.interval(speed, noun=record.spec.sample_noun), site.evidence.refs(record)),
            change if row is None or row.ratio is not None else e(change),
        )
        before = record


def _self_test(site: Site, page: str, session: SessionResults) -> str:
    """The A/A test: the same cell's even runs against its odd ones, and how often any headline cell differs."""
    found = site.evidence.view(session).self_test
    if found is None:
        return "not tested: no headline cell has two runs in each half"
    record, halves = found.planned or max(found.halves, key=lambda pair: (pair[1].n_odd, pair[0].cell.id))
    ratio = site.number(page, fmt.interval(halves.ratio), (site.evidence.ref(record),))
    words = (
        f"{e(record.spec.title)}, {e(markup.cell_words(record))}; even runs over odd ones: {ratio}. "
        f"{fmt.count(found.n_different)} of {fmt.count(len(found.halves))} headline cells seem to differ from "
        f"themselves, {fmt.percent(1 - estimate.CONFIDENCE_FRAC)} is what chance does."
    )
    if found.is_weak:
        words += f" A weak test: with so few runs, differences below {fmt.percent(halves.sees_frac)} go unseen."
    return f"{'passed' if found.passed else 'failed'}: {words}"


def _disturbed(site: Site, session: SessionResults) -> str:
    """How many cells were measured beside something else; the evidence of each says what."""
    measured = [record for record in session.records.values() if record.status == "ok"]
    flagged = sum(bool(site.evidence.flags(record)) for record in measured)
    return f"{fmt.count(flagged)} of {fmt.count(len(measured))} cells are flagged; headlines avoid them"
