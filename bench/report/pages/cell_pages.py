"""Evidence pages: every cell with its runs."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup

from bench import grouped, schema
from bench.records.store import SessionResults
from bench.report import templates
from bench.report.estimates import words
from bench.report.evidence import disturbed as evidence_disturbed
from bench.report.evidence.cells import is_older_method
from bench.report.evidence.evidence import Evidence
from bench.report.facts import graded
from bench.report.pages import addresses, markup, sharing
from bench.report.pages.markup import MISSING, PARTS
from bench.report.stats import format as fmt
from bench.report.stats import quantities, studies, traces
from bench.schema import Record, Run

EVIDENCE = templates.macros("evidence.html.j2")


def evidence_pages(evidence: Evidence, address: str) -> addresses.ToMake:
    """Every evidence page."""
    return {
        addresses.evidence_path(session, workload): functools.partial(
            _evidence_page, evidence, address, session, workload, records
        )
        for session in evidence.stored
        for workload, records in grouped(session.records.values(), lambda record: record.cell.workload).items()
    }


def _evidence_page(
    evidence: Evidence, address: str, session: SessionResults, workload: str, records: Sequence[Record]
) -> str:
    path = addresses.evidence_path(session, workload)
    title = f"Evidence: {records[0].spec.title} on {addresses.machine_slug(session)}, {session.session.id}"
    machine = addresses.href(path, f"machines/{addresses.machine_slug(session)}.md")
    known = addresses.href(path, f"workloads/{workload}.md") if workload in evidence.workloads else ""
    head = EVIDENCE.cells(len(records), workload, known, machine, session.machine.cpu_model)
    parts: list[str] = [markup.standing(session), head, "\n"]
    for record in records:
        cite = _cited_cell(evidence, f"{address or '/'}{addresses.url_of(path)}", session, record)
        parts += ["\n", _cell_section(path, session, record, cite)]
    about = f"Raw samples of every cell of {workload}."
    return markup.page(title, about, *parts, "\n", hide=("toc",))


def _cited_cell(evidence: Evidence, page: str, session: SessionResults, record: Record) -> Markup:
    """The citation of a cell's main number; empty where it has none."""
    best = quantities.flop_rate(record) or quantities.throughput(record)
    if best is None:
        return Markup("")
    what = f"{record.spec.title}, {markup.cell_words(record)}"
    value = fmt.interval(best, noun=record.spec.sample_noun)
    return citation(what, value, machine_of(evidence, session, record), [session], f"{page}#{record.cell.id}")


def machine_of(evidence: Evidence, session: SessionResults, record: Record) -> str:
    """What a cell ran on, for a citation: the CPU with its cores, and before it the GPU that did the work."""
    cpu = evidence.view(session).cpu_text(record)
    return f"{evidence.view(session).gpu_text(record)} beside {cpu}" if record.cell.device == "gpu" else cpu


def citation(what: str, value: str, machine: str, sessions: Sequence[SessionResults], address: str) -> Markup:
    """A number's citation as text, Markdown and BibTeX, folded."""
    number = sharing.Cited(
        what=what,
        value=value,
        machine=machine,
        date=max(markup.finished_at(session) for session in sessions),
        commit=", ".join(dict.fromkeys((session.session.commit or "unknown")[:12] for session in sessions)),
        address=address,
    )
    return PARTS.citation(list(sharing.citations(number).items()))


def _cell_section(page: str, session: SessionResults, record: Record, cite: Markup) -> Markup:
    """All that is stored of a cell, folded below a line of words; ``cite`` is its citation."""
    best = quantities.flop_rate(record) or quantities.throughput(record)
    return EVIDENCE.cell(
        id=record.cell.id,
        status=record.status,
        words=markup.cell_words(record),
        shown=fmt.interval(best, noun=record.spec.sample_noun) if best else record.reason,
        pairs=_stored(page, session, record),
        estimates=_estimates(record),
        had_said=_had_said(session, record),
        runs=[run_lines(run) for run in record.runs],
        cite=cite,
    )


def _stored(page: str, session: SessionResults, record: Record) -> list[tuple[str, str]]:
    """Where a cell's record comes from, and what speaks against it."""
    cell_id = record.cell.id
    machine = addresses.href(page, f"machines/{addresses.machine_slug(session)}.md")
    download = addresses.href(page, addresses.data_path(session, cell_id))
    n_cores = session.session.n_cores_effective
    pairs = [
        ("Status", EVIDENCE.cell_status(record.status, record.reason)),
        ("Record", PARTS.link(download, f"{cell_id}.json", "record", download=True)),
        ("Machine", EVIDENCE.cell_machine(machine, session.machine.cpu_model, n_cores)),
        ("Date", record.runs[0].started_at if record.runs else session.session.started_at),
        ("Commit", PARTS.code(markup.commit(session, record))),
        ("Versions", markup.versions(session)),
        ("Method", f"version {record.method_version}; source {record.source_hash}"),
        ("Rerun", PARTS.code(markup.rerun_line(session, cell_id))),
    ]
    if said := traces_of(record):
        pairs.append(("Traces", said))
    if disturbed := _disturbances(session, record):
        pairs.append(("Disturbed by", "; ".join(disturbed)))
    if is_older_method(record):
        pairs.append(("Older method", "another method or other code than today's made it; in no ratio with newer ones"))
    return pairs


def _estimates(record: Record) -> list[tuple[str, str, str, str]]:
    """Every estimate of a cell: name, interval, samples, spread."""
    found = [(quantity.title, quantity(record)) for quantity in quantities.QUANTITIES.values() if quantity.title]
    found += [(item.label, studies.call_time(record, item.id)) for item in studies.series_of(record)]
    found += [(item.label, studies.reading(record, item.id)) for item in studies.readings_of(record)]
    return [
        (title, fmt.interval(one, noun=record.spec.sample_noun), f"{one.n_samples:,}", fmt.percent(one.spread_frac))
        for title, one in found
        if one is not None
    ]


def _had_said(session: SessionResults, record: Record) -> str:
    """The range that the formula had for a step on a GPU, and whether it held; empty where it had none."""
    found = graded.grade(session, record)
    if found is None:
        return ""
    held = "the measured step lies in it" if found.is_inside else "the measured step lies outside"
    return f"A step of {words.span(found.answer.low, found.answer.high)}, {words.kind(found.answer)}: {held}."


def _disturbances(session: SessionResults, record: Record) -> tuple[str, ...]:
    return evidence_disturbed.flags(record, n_cores=session.session.n_cores_effective) if record.status == "ok" else ()


def traces_of(record: Record) -> str:
    """What the runs' blocks did over time, counted; empty where no run has enough of them to tell."""
    kinds = traces.kinds(record)
    return ", ".join(f"{kind} in {kinds.count(kind)} of {len(kinds)} runs" for kind in dict.fromkeys(kinds))


def run_lines(run: Run) -> list[str]:
    """One run as stored, in lines of text."""
    lines = [
        f"run {run.index}  order {run.order}  {run.status}  started {run.started_at}  total {run.total_s:.3f} s"
        + (f"  reason: {run.reason}" if run.reason else "")
    ]
    if run.phases_s:
        lines.append("phases (s)   " + "  ".join(f"{name} {seconds:.4g}" for name, seconds in run.phases_s.items()))
    if run.observed is not None:
        o = run.observed
        lines.append(
            f"observed     {o.device_name}  weights {o.weight_dtype}  outputs {o.output_dtype}  jit {o.jit}  "
            f"layout {o.layout}  recurrent {o.recurrent_path}"
        )
    lines += _timed_lines(run)
    if run.job is not None:
        epochs = " ".join(
            f"{epoch.at_s:.4g} s loss {epoch.loss:.4g}"
            + (f" quality {epoch.quality:.4g}" if epoch.quality is not None else "")
            + ";"
            for epoch in run.job.epochs
        )
        returned = f"{run.job.done_s:.4g} s, fit returned after {run.job.seconds:.4g} s"
        lines.append(f"job          {returned}, reached {run.job.reached}: {epochs}")
    for name, control in (("before", run.control_before), ("after", run.control_after)):
        if control is not None:
            lines.append(f"control {name}".ljust(13) + f"n = {control.n}, s: {_values(control.seconds)}")
    drift = evidence_disturbed.control_factor(run)
    if drift is not None:
        lines.append(f"control      after over before: {drift:.3f}")
    if run.peak_host_bytes is not None:
        lines.append(f"peak memory  {fmt.bytes_(run.peak_host_bytes)}")
    if run.unmeasured:
        lines.append("unmeasured   " + "; ".join(f"{name}: {why}" for name, why in sorted(run.unmeasured.items())))
    return lines


def _timed_lines(run: Run) -> Iterator[str]:
    """What a run's own clock read: blocks, latencies, series, readings."""
    if run.warmup:
        settled = {True: "settled", False: "did not settle", None: "not judged"}[run.steady]
        yield f"warm-up      {settled}: {_blocks(run.warmup)}"
    if run.blocks:
        yield f"blocks       steps x seconds: {_blocks(run.blocks)}{_left_out(run.n_blocks_dropped)}"
    trace = traces.classify_trace(traces.trace_of(run))
    if trace is not None:
        levels = " ".join(f"{seconds:.4g} from {start + 1}" for start, seconds in trace.levels)
        steady = "" if trace.steady_from is None else f", steady from block {trace.steady_from + 1}"
        yield f"trace        {trace.kind}{steady}, warm-up included; seconds per step, from block: {levels}"
    if run.latencies_s:
        yield f"latencies    s: {_values(run.latencies_s)}{_left_out(run.n_latencies_dropped)}"
    if run.between_epochs_s:
        yield f"between      epochs, s: {_values(run.between_epochs_s)}{_left_out(run.n_between_epochs_dropped)}"
    for name, blocks in run.series.items():
        first = f"first call {run.first_s[name]:.4g} s; " if name in run.first_s else ""
        yield f"blocks of {name}: {first}calls x seconds: {_blocks(blocks)}"
    if run.readings:
        values = "  ".join(f"{name} {value:.6g}" for name, value in run.readings.items())
        yield f"samples      readings, once per run: {values}"


def _values(found: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in found)


def _left_out(n: int) -> str:
    return f"  ({n} left out)" if n else ""


def _blocks(blocks: Sequence[schema.Block]) -> str:
    return " ".join(f"{block.n_steps}x{block.seconds:.4g}" for block in blocks)


def evidence_index(evidence: Evidence) -> str:
    """The list of all evidence pages."""
    page = "evidence/index.md"
    rows = []
    for session in evidence.stored:
        for workload in sorted({record.cell.workload for record in session.records.values()}):
            path = addresses.evidence_path(session, workload)
            n = sum(record.cell.workload == workload for record in session.records.values())
            link = PARTS.link(addresses.href(page, path), workload)
            kind = "not published" if session.is_local else session.standing.kind
            rows.append((link, addresses.machine_slug(session), session.session.id, kind, n))
    columns = ("Workload", "Machine", "Session", "Kind", "Cells")
    table = PARTS.table(columns, rows, label="Evidence", is_sortable=True) if rows else MISSING
    return markup.page(
        "Evidence",
        "Raw samples of every cell behind a number on this site.",
        "Every number on this site links to one of these pages, or to [the list of facts](facts.md); "
        "numbers from elsewhere are [listed apart](published.md), as is [what a formula says of them](estimates.md). "
        "All of it to take away: [download the data](../data/index.md).\n\n",
        table,
        "\n",
    )
