"""Evidence pages: every cell with its runs."""

from __future__ import annotations

from collections.abc import Sequence

from bench import schema
from bench.records.store import SessionResults
from bench.report.evidence import disturbed as evidence_disturbed
from bench.report.evidence.cells import is_older_method
from bench.report.evidence.evidence import Evidence
from bench.report.pages import addresses, cache, markup, sharing
from bench.report.pages.addresses import Pages
from bench.report.pages.markup import MISSING, e
from bench.report.stats import format as fmt
from bench.report.stats import quantities, studies, traces
from bench.report.stats import traces as stats_traces
from bench.schema import Record, Run

# Evidence: the raw samples of every cell.


def evidence_pages(evidence: Evidence, address: str) -> Pages:
    """Every evidence page, by path."""
    return cache.keep(evidence, f"evidence pages {address}", lambda: _make_evidence_pages(evidence, address))


def _make_evidence_pages(evidence: Evidence, address: str) -> Pages:
    pages: Pages = {}
    for session in evidence.sessions:
        by_workload: dict[str, list[Record]] = {}
        for record in session.records.values():
            by_workload.setdefault(record.cell.workload, []).append(record)
        for workload, records in by_workload.items():
            path = addresses.evidence_path(session, workload)
            title = f"Evidence: {records[0].spec.title} on {addresses.machine_slug(session)}, {session.session.id}"
            parts = [markup.front(title, f"Raw samples of every cell of {workload}.", search=False, hide=("toc",))]
            machine = addresses.href(path, f"machines/{addresses.machine_slug(session)}.md")
            known = workload in evidence.workloads
            about = (
                f' of <a href="{e(addresses.href(path, f"workloads/{workload}.md"))}">{e(workload)}</a>'
                if known
                else ""
            )
            parts.append(
                f'<p>{len(records)} cells{about} on <a href="{e(machine)}">{e(session.machine.cpu_model)}</a>. '
                "Nothing here is derived but the estimates; the samples are as stored.</p>\n"
            )
            for record in records:
                cite = _cited_cell(evidence, f"{address or '/'}{addresses.url_of(path)}", session, record)
                parts.append(markup.block(_cell_section(path, session, record, cite)))
            pages[path] = "\n".join(parts) + "\n"
    return pages


def _cited_cell(evidence: Evidence, page: str, session: SessionResults, record: Record) -> str:
    """The citation of a cell's main number; empty where it has none."""
    best = quantities.flop_rate(record) or quantities.throughput(record)
    if best is None:
        return ""
    what = f"{record.spec.title}, {markup.cell_words(record)}"
    value = fmt.interval(best, noun=record.spec.sample_noun)
    return citation(what, value, machine_of(evidence, session, record), [session], f"{page}#{record.cell.id}")


def machine_of(evidence: Evidence, session: SessionResults, record: Record) -> str:
    """What a cell ran on, for a citation: the CPU with its cores, and before it the GPU that did the work."""
    cpu = evidence.view(session).cpu_text(record)
    return f"{evidence.view(session).gpu_text(record)} beside {cpu}" if record.cell.device == "gpu" else cpu


def citation(what: str, value: str, machine: str, sessions: Sequence[SessionResults], address: str) -> str:
    """A number's citation as text, Markdown and BibTeX, folded."""
    number = sharing.Cited(
        what=what,
        value=value,
        machine=machine,
        date=max(markup.finished_at(session) for session in sessions),
        commit=", ".join(dict.fromkeys((session.session.commit or "unknown")[:12] for session in sessions)),
        address=address,
    )
    forms = "".join(f"<p>{form}</p><pre>{e(text)}</pre>" for form, text in sharing.citations(number).items())
    return f'<details class="plain cite"><summary>Cite this number</summary>{forms}</details>'


def _cell_section(page: str, session: SessionResults, record: Record, cite: str) -> str:
    """All that is stored of a cell, folded below a line of words; ``cite`` is its citation."""
    cell_id = record.cell.id
    best = quantities.flop_rate(record) or quantities.throughput(record)
    shown = e(fmt.interval(best, noun=record.spec.sample_noun)) if best else e(record.reason)
    machine = addresses.href(page, f"machines/{addresses.machine_slug(session)}.md")
    download = addresses.href(page, addresses.data_path(session, cell_id))
    pairs = [
        ("Status", markup.badge(record.status) + (f" {e(record.reason)}" if record.reason else "")),
        ("Record", f'<a class="record" href="{e(download)}" download>{e(cell_id)}.json</a>'),
        (
            "Machine",
            f'<a href="{e(machine)}">{e(session.machine.cpu_model)}</a>, {session.session.n_cores_effective} cores',
        ),
        ("Date", e(record.runs[0].started_at if record.runs else session.session.started_at)),
        ("Commit", f"<code>{e(markup.commit(session, record))}</code>"),
        ("Versions", e(markup.versions(session))),
        ("Method", f"version {record.method_version}; source {e(record.source_hash)}"),
        ("Rerun", f"<code>{e(markup.rerun_line(session, cell_id))}</code>"),
    ]
    if traces := _traces(record):
        pairs.append(("Traces", e(traces)))
    if disturbed := _disturbances(session, record):
        pairs.append(("Disturbed by", e("; ".join(disturbed))))
    if is_older_method(record):
        pairs.append(("Older method", "another method or other code than today's made it; in no ratio with newer ones"))
    estimates = [
        (
            title,
            fmt.interval(found, noun=record.spec.sample_noun),
            f"{found.n_samples:,}",
            fmt.percent(found.spread_frac),
        )
        for title, found in (
            *((q.title, q(record)) for q in quantities.QUANTITIES.values() if q.title),
            *((item.label, studies.call_time(record, item.id)) for item in studies.series_of(record)),
            *((item.label, studies.reading(record, item.id)) for item in studies.readings_of(record)),
        )
        if found is not None
    ]
    parts = [
        f'<details class="cell"><summary>{markup.badge(record.status)} {e(markup.cell_words(record))} '
        f'<span class="estimate">{shown}</span></summary><div id="{e(cell_id)}">',
        markup.facts_list(pairs),
    ]
    if estimates:
        parts.append(
            markup.table(
                ("Estimate", "Median, interval", "Samples", "Spread"),
                ([*map(markup.e, row)] for row in estimates),
                label="Estimates",
            )
        )
    if record.runs:
        parts.append(f"<p>{len(record.runs)} runs, each a process of its own:</p>")
        parts += [f'<pre class="samples" tabindex="0">{e(_run_text(run))}</pre>' for run in record.runs]
    else:
        parts.append("<p>No samples: no run took place.</p>")
    return "".join([*parts, cite]) + "</div></details>"


def _disturbances(session: SessionResults, record: Record) -> tuple[str, ...]:
    return evidence_disturbed.flags(record, n_cores=session.session.n_cores_effective) if record.status == "ok" else ()


def _traces(record: Record) -> str:
    """What the runs' blocks did over time, counted; empty where no run has enough of them to tell."""
    kinds = traces.kinds(record)
    return ", ".join(f"{kind} in {kinds.count(kind)} of {len(kinds)} runs" for kind in dict.fromkeys(kinds))


def _run_text(run: Run) -> str:
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
    if run.warmup:
        settled = {True: "settled", False: "did not settle", None: "not judged"}[run.steady]
        lines.append(f"warm-up      {settled}: {_blocks(run.warmup)}")
    if run.blocks:
        cut = f"  ({run.n_blocks_dropped} left out)" if run.n_blocks_dropped else ""
        lines.append(f"blocks       steps x seconds: {_blocks(run.blocks)}{cut}")
    trace = stats_traces.classify_trace(stats_traces.trace_of(run))
    if trace is not None:
        levels = " ".join(f"{seconds:.4g} from {start + 1}" for start, seconds in trace.levels)
        steady = "" if trace.steady_from is None else f", steady from block {trace.steady_from + 1}"
        lines.append(f"trace        {trace.kind}{steady}, warm-up included; seconds per step, from block: {levels}")
    if run.latencies_s:
        cut = f"  ({run.n_latencies_dropped} left out)" if run.n_latencies_dropped else ""
        lines.append("latencies    s: " + " ".join(f"{value:.4g}" for value in run.latencies_s) + cut)
    if run.between_epochs_s:
        cut = f"  ({run.n_between_epochs_dropped} left out)" if run.n_between_epochs_dropped else ""
        lines.append("between      epochs, s: " + " ".join(f"{value:.4g}" for value in run.between_epochs_s) + cut)
    for name, blocks in run.series.items():
        first = f"first call {run.first_s[name]:.4g} s; " if name in run.first_s else ""
        lines.append(f"blocks of {name}: {first}calls x seconds: {_blocks(blocks)}")
    if run.readings:
        values = "  ".join(f"{name} {value:.6g}" for name, value in run.readings.items())
        lines.append(f"samples      readings, once per run: {values}")
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
            values = " ".join(f"{value:.4g}" for value in control.seconds)
            lines.append(f"control {name}".ljust(13) + f"n = {control.n}, s: {values}")
    drift = evidence_disturbed.control_factor(run)
    if drift is not None:
        lines.append(f"control      after over before: {drift:.3f}")
    if run.peak_host_bytes is not None:
        lines.append(f"peak memory  {fmt.bytes_(run.peak_host_bytes)}")
    if run.unmeasured:
        lines.append("unmeasured   " + "; ".join(f"{name}: {why}" for name, why in sorted(run.unmeasured.items())))
    return "\n".join(lines)


def _blocks(blocks: Sequence[schema.Block]) -> str:
    return " ".join(f"{block.n_steps}x{block.seconds:.4g}" for block in blocks)


def evidence_index(evidence: Evidence) -> str:
    """The list of all evidence pages."""
    page = "evidence/index.md"
    rows = []
    for session in evidence.sessions:
        for workload in sorted({record.cell.workload for record in session.records.values()}):
            path = addresses.evidence_path(session, workload)
            n = sum(record.cell.workload == workload for record in session.records.values())
            rows.append(
                (
                    f'<a href="{e(addresses.href(page, path))}">{e(workload)}</a>',
                    e(addresses.machine_slug(session)),
                    session.session.id,
                    str(n),
                )
            )
    table = markup.table(("Workload", "Machine", "Session", "Cells"), rows, label="Evidence") if rows else MISSING
    return (
        markup.front("Evidence", "Raw samples of every cell behind a number on this site.", search=False)
        + "Every number on this site links to one of these pages, or to "
        "[the list of facts](facts.md); numbers from elsewhere are [listed apart](published.md).\n\n" + table + "\n"
    )
