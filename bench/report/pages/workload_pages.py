"""A page for each workload."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from markupsafe import Markup

from bench import schema
from bench.records.store import SessionResults
from bench.report import templates
from bench.report.charts import chart
from bench.report.charts.paint import axes
from bench.report.evidence.view import Pick
from bench.report.pages import addresses, markup
from bench.report.pages.calls import Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import MAIN_MODE, MISSING, PARTS
from bench.report.stats import format as fmt
from bench.report.stats import quantities, studies, total_time
from bench.report.tables import table as tables_table
from bench.report.templates import Valued, inert, join
from bench.schema import Record, Workload
from bench.workloads import registry

WORKLOAD = templates.macros("workload.md.j2")
# What the headline table of a workload shows.
OF_A_MODEL = (
    quantities.throughput, quantities.step_time, quantities.latency, quantities.first_step, quantities.start_up,
    quantities.job_time, quantities.time_to_target, quantities.reached_frac,
)  # fmt: skip
MOST_OPEN = 12  # results that a table shows unfolded
OF_A_PROBE = (quantities.step_time, quantities.first_step, quantities.flop_rate)


def workload_pages(site: Site) -> addresses.ToMake:
    """One page per workload, and their index, to be made."""
    paths = {f"workloads/{spec.id}.md": spec for spec in site.evidence.workloads.values()}
    found = {path: functools.partial(_workload_page, site, path, spec) for path, spec in paths.items()}
    return {**found, "workloads/index.md": functools.partial(_index, site)}


def _index(site: Site) -> str:
    lead, gpu = site.evidence.lead, site.evidence.gpu_session()
    measured: list[tuple[str, SessionResults | None, schema.Device]] = [("CPU", lead, "cpu"), ("GPU", lead, "gpu")]
    beside = ""
    if gpu is not None and gpu is not lead:
        measured = [("CPU", lead, "cpu"), ("CPU beside the GPU", gpu, "cpu"), ("GPU", gpu, "gpu")]
        beside = f" Beside them those{speaker_words(site, gpu)}."
    voice = Voice(site, "workloads/index.md")
    rows = []
    for spec in site.evidence.workloads.values():
        rows.append(
            (
                PARTS.link(addresses.href("workloads/index.md", f"workloads/{spec.id}.md"), spec.title),
                spec.summary,
                *(_best(voice, spec, device, session) for _, session, device in measured),
            )
        )
    intro = (
        "Each workload is a fixed task: the same data, the same model, the same stopping rule on every machine.\n"
        f"The numbers below are training speed{inert(speaker_words(site, lead))}; "
        f"the fastest backend of each device.{inert(beside)}\n\n"
    )
    columns = ("Workload", "What is done", *(name for name, _, _ in measured))
    return markup.page(
        "Measurements",
        "Every workload this site measures, with the newest numbers of the leading machine.",
        intro,
        PARTS.table(columns, rows, label="Workloads", is_sortable=True),
        "\n",
    )


def _best(voice: Voice, spec: Workload, device: schema.Device, session: SessionResults | None) -> Markup:
    """A workload's speed in a session; in place of a lead that did not run it, on the machine that did, by its name."""
    own = voice.evidence.leading(spec.id) if session is voice.evidence.lead else session
    shown = voice.best(spec, MAIN_MODE[spec.kind], device, own)
    return shown if own is session or shown == MISSING else join([shown, f", {voice.evidence.view(own).label}"])


def speaker_words(site: Site, session: SessionResults | None) -> str:
    """Where and when a session was measured, to end a sentence or a heading."""
    if session is None:
        return ""
    beside = f"{site.evidence.view(session).gpu_text()} beside " if site.evidence.view(session).has_gpu else ""
    machine = "this machine" if session.is_local else f"{beside}{site.evidence.view(session).cpu}"
    return f" on {machine}, measured {markup.finished_at(session)}"


def _speakers(site: Site, workload: str) -> list[SessionResults | None]:
    """Sessions that a workload's page is about: the first that ran it, then the first that ran it on a GPU."""
    lead, gpu = site.evidence.leading(workload), site.evidence.gpu_session(workload)
    found = [lead] if gpu is None or gpu is lead else [lead, gpu]
    return [session for session in found if site.evidence.view(session).records(Pick(workload))] or [lead]


def _workload_page(site: Site, path: str, spec: Workload) -> str:
    voice = Voice(site, path)
    about = [("Data", spec.data_source), ("Counted in", spec.sample_noun)]
    if spec.target is not None:
        goal = f"{spec.target.metric} of at least {spec.target.at_least:g} on held-out data"
        about.append(("Done when", f"{goal}, at most {spec.target.max_epochs} epochs"))
    about.append(("Weights", "pretrained" if spec.pretrained else "random at the start"))
    about.append(("Source hash", PARTS.code(registry.source_hash(spec.id))))
    sections: list[tuple[str, str]] = []
    if spec.kind == "study":
        drawn = site.draw("study", spec.id).session if spec.series else site.evidence.leading(spec.id)
        shown = voice.chart("study", workload=spec.id) if spec.series else voice.table("study", spec.id)
        sections.append((f"Results{speaker_words(site, drawn)}", shown))
    else:
        sections += [
            (f"Headline numbers{speaker_words(site, session)}", _headline_table(site, voice, spec, session))
            for session in _speakers(site, spec.id)
        ]
    speakers = tuple(filter(None, _speakers(site, spec.id)))
    scope = tables_table.TableScope(evidence=site.evidence, sessions=speakers, workloads=(spec.id,))
    charts = [voice.chart(chart_id, workload=spec.id) for chart_id in chart.of_workload(scope)]
    sections += [("", shown) for shown in charts[:1]]
    if more := charts[1:]:
        sections.append(("", PARTS.folded(f"{len(more)} more chart{'s' if len(more) > 1 else ''}", join(more))))
    if jobs := _whole_jobs(site, path, spec):
        sections.append(("Does the whole equal its parts?", jobs))
    sections += [
        (
            "All results",
            join([all_results(site, path, _of_workload(site, spec.id), with_machine=True), _further(site, path, spec)]),
        ),
        ("What did not finish", _failures(site, path, spec.id)),
        ("Measure it yourself", voice.rerun(spec.id)),
    ]
    return markup.page(spec.title, spec.summary, WORKLOAD.page(spec.summary, about, sections))


def _further(site: Site, page: str, spec: Workload) -> str:
    """How fast the machines without pages train it, in a sentence for each device; empty without any."""
    return join(
        WORKLOAD.further(
            n=fmt.count(found.n_machines),
            slowest=fmt.rate(found.slowest, spec.sample_noun),
            fastest=fmt.rate(found.fastest, spec.sample_noun),
            device=fmt.device(found.device),
            tables=addresses.href(page, "data/index.md"),
        )
        for found in site.speeds_of_further
        if found.workload == spec.id
    )


def _whole_jobs(site: Site, page: str, spec: Workload) -> str:
    """Whether start-up, first step and steady steps add up to the job that was timed, cell by cell."""
    rows = []
    for record in site.evidence.view(site.evidence.leading(spec.id)).records(Pick(spec.id, "train", status="ok")):
        found = total_time.check(record)
        if found is not None:
            cells = (site.evidence.ref(record),)
            times = (fmt.seconds(found.measured_s), fmt.seconds(found.predicted_s))
            numbers = [site.number(page, time, cells) for time in times]
            rows.append((markup.cell_words(record), *numbers, total_time.in_words(found)))
    columns = ("Cell", "Measured", "Sum of the parts", "In words")
    table = PARTS.table(columns, rows, label="Whole jobs")
    return PARTS.folded(f"{len(rows)} whole jobs beside the sum of their parts", table) if rows else ""


def _headline_table(site: Site, voice: Voice, spec: Workload, session: SessionResults | None) -> str:
    """Every arm of one session: on a GPU also the faster precisions."""
    modes: list[schema.Mode] = ["probe"] if spec.kind == "probe" else ["train", "infer"]
    modes = [m for m in modes if any(v.mode == m for vs in spec.variants.values() for v in vs)] or modes[:1]
    columns = [(quantity.title, quantity) for quantity in (OF_A_PROBE if spec.kind == "probe" else OF_A_MODEL)]
    rows = []
    for mode in modes:
        arms = _headline_arms(site, spec, session, mode)
        has_gpu = session is not None and bool(session.machine.gpus)
        lacks_gpu = not any(record and record.cell.device == "gpu" for _, record in arms)
        is_gap = lacks_gpu and (has_gpu or site.evidence.gpu_session(spec.id) is None)
        if len(modes) > 1 and (arms or is_gap):
            rows.append([fmt.MODE_NAMES[mode].capitalize()])
        rows += [[name, *(voice.estimate(session, record, make, title) for title, make in columns)]
                 for name, record in arms]  # fmt: skip
        if is_gap:
            rows.append(["GPU", MISSING, *("" for _ in columns[1:])])
    full = [row for row in rows if len(row) > 1]
    keep = [k for k in range(len(columns)) if any(row[k + 1] not in ("", MISSING, "–") for row in full)] or [0]
    return PARTS.table(
        ["Set-up", *(columns[k][0] for k in keep)],
        [[row[0], *(row[k + 1] for k in keep[: len(row) - 1])] for row in rows],
        "Medians over processes with 95 % intervals; n counts processes.",
        label=f"Headline numbers of {spec.title}{speaker_words(site, session)}",
    )


def _headline_arms(
    site, spec: Workload, session: SessionResults | None, mode: schema.Mode
) -> list[tuple[str, Record | None]]:
    """Name and best record of each arm of a mode: of the leading session also the CPU arms it lacks."""
    found: list[tuple[str, Record | None]] = []
    for device in schema.DEVICES:
        for backend in site.evidence.view(session).backends:
            for precision in tables_table.PRECISIONS[: 1 if device == "cpu" else None]:
                record = site.evidence.view(session).best(
                    Pick(spec.id, mode, device, backend=backend, precision=precision)
                )
                if record is None and (device == "gpu" or session is not site.evidence.lead):
                    continue
                name = axes.series(device, backend)
                found.append((f"{name}, {fmt.precision(precision, device)}" if device == "gpu" else name, record))
    return found


def _of_workload(site: Site, workload: str) -> list[tuple[SessionResults, Record]]:
    return [(s, r) for s in site.evidence.listed for r in s.records.values() if r.cell.workload == workload]


def all_results(site: Site, page: str, found: Sequence[tuple[SessionResults, Record]], *, with_machine: bool) -> str:
    """Table of all records found, best first."""
    if not found:
        return MISSING
    rows = []
    for session, record in found:
        first = f"{addresses.machine_slug(session)}, {session.session.id}" if with_machine else record.spec.title
        first += "" if session.standing.counts else f", {session.standing.kind}"
        rate = quantities.flop_rate(record) or quantities.throughput(record)
        step = quantities.step_time(record)
        cells = (markup.ref(session, record),)
        noun = record.spec.sample_noun
        shown = Valued(site.number(page, fmt.interval(rate, noun=noun), cells), rate.value) if rate else ""
        if record.status == "ok" and record.spec.kind == "study":
            n_series, n_readings = len(studies.series_of(record)), len(studies.readings_of(record))
            words = [f"{n_series} series"] if n_series else []
            words += [f"{n_readings} reading{'s' if n_readings != 1 else ''}"] if n_readings else []
            shown = site.number(page, ", ".join(words), cells)
        rows.append(
            (
                first,
                markup.cell_words(record),
                shown or _status(site, page, session, record),
                Valued(site.number(page, fmt.interval(step), cells), step.value) if step else "",
            )
        )
    first = "Machine, session" if with_machine else "Workload"
    table = PARTS.table((first, "Cell", "Speed", "Steady step"), rows, label="All results", is_sortable=True)
    n = len(rows)
    return PARTS.folded(f"All {n} results" if n != 1 else "1 result", table, is_open=n <= MOST_OPEN)


def _status(site: Site, page: str, session: SessionResults, record: Record) -> str:
    target = addresses.href(page, addresses.evidence_path(session, record.cell.workload), record.cell.id)
    link = PARTS.link(target, record.reason or "no reason recorded")
    return join([PARTS.badge(record.status), " ", link])


def _failures(site: Site, page: str, workload: str) -> str:
    bad = [(s, r) for s, r in _of_workload(site, workload) if r.status != "ok"]
    if not bad:
        return "Every cell that ran has finished." if _of_workload(site, workload) else MISSING
    return PARTS.table(
        ("Machine, session", "Cell", "What happened"),
        [
            (f"{addresses.machine_slug(s)}, {s.session.id}", markup.cell_words(r), _status(site, page, s, r))
            for s, r in bad
        ],
        label="Cells that did not finish",
    )
