"""What a source may call: numbers, charts, tables, verdicts, as Markdown or HTML."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from bench import schema
from bench.records.store import SessionResults
from bench.report import templates
from bench.report.claims import answers, ledger
from bench.report.claims import case as claims_case
from bench.report.evidence.cells import OLDER, CellRef
from bench.report.evidence.view import Pick
from bench.report.facts import estimated, lookup
from bench.report.facts import fact as facts_fact
from bench.report.pages import addresses, bars, job, left_out, markup, plain, whose
from bench.report.pages.context import Site
from bench.report.pages.drawings import VEGA
from bench.report.pages.markup import MISSING, PARTS
from bench.report.prose.source import PageError, is_for_readers
from bench.report.published import figures as published
from bench.report.published import freshness
from bench.report.published.figures import Figure
from bench.report.stats import estimate as stats_estimate
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken, studies
from bench.report.tables import table as tables_table
from bench.report.templates import inert, join
from bench.schema import Record, Workload

CHART = templates.macros("chart.html.j2")
VERDICT = templates.macros("verdict.html.j2")
PER_MACHINE = ("machines", "sessions")  # tables whose rows are machines, or what one of them did
# Kinds of published figures whose remark waits on their own page; doubtful kinds carry it beside the number.
QUIET_KINDS = ("derived", "secondary")


def _by_machine(
    table: tables_table.Table, rows: Iterable[Sequence[Markup]]
) -> tuple[Sequence[str], list[list[Markup]]] | None:
    """Columns and rows of a table without its machines, each of which heads its rows instead.

    None where the table has no machines, or a row is about one.
    """
    if table.columns[:1] != (tables_table.MACHINE,) or table.id in PER_MACHINE:
        return None
    found: list[list[Markup]] = []
    before = None
    for row, cells in zip(rows, table.rows, strict=True):
        machine = cells[0]
        if machine != before:
            note = join([" ", PARTS.note(machine.note)]) if machine.note else ""
            found.append([join([machine.text, note])])
        found.append(list(row[1:]))
        before = machine
    return table.columns[1:], found


class Note(NamedTuple):
    """Where a published figure is from: a numbered note at the foot of a page."""

    number: int
    anchor: str
    what: str
    about: str
    detail: str  # address of the figure among all published ones


class Voice:
    """What a page can call: each call returns HTML with addresses as seen from that page."""

    def __init__(self, site: Site, page: str) -> None:
        """For one page of a site."""
        self.site = site
        self.page = page
        self.evidence = site.evidence
        self.facts: list[facts_fact.Fact] = []
        self.verdicts: list[claims_case.Verdict | answers.Answer] = []
        self.figures: set[str] = set()
        self.in_tables: set[CellRef] = set()
        self.left_out: list[str] = []  # names of what tables do not show, for want of measurements
        self.notes: dict[str, Note] = {}  # of the published figures on the page, by row, in their order
        self.is_short = is_for_readers(page)
        self._drawn: dict[str, int] = {}

    def calls(self) -> dict[str, Callable[..., Any]]:
        """The names available in a source."""
        return {
            "fact": self.fact,
            "where": self.where,
            "measured": lambda name: self.site.fact(name).measured,
            "estimated": lambda name: self.site.fact(name).kind == "estimated",
            "known": lambda name: self.site.fact(name).kind != "missing",
            "chart": self.chart,
            "table": self.table,
            "verdict": self.verdict,
            "cases": self.cases,
            "published": self.published,
            "published_beside": self.published_beside,
            "rerun": self.rerun,
            "your_job": functools.partial(job.form, self),
        }

    def fact(self, name: str, where: bool = False) -> Markup:
        """A number of ours, and on request its machine: "10 images a second on 2 cores of an Example CPU".

        Raises:
            PageError: it names a machine, on a page for readers; there ``where`` does.
        """
        fact = self._used(name)
        if fact.kind == "missing":
            return MISSING
        if self.is_short and (told := lookup.misplaced(name)):
            raise PageError(told)
        short = fact.short if self.is_short else ""
        if fact.figure is not None:
            number = self._noted(fact.figure, short or fact.text, f"{fact.text}\n{_hint(fact)}")
        elif fact.kind == "estimated":
            number = self.site.estimated(self.page, fact.text, _hint(fact), short=short)
        else:
            number = self.site.number(self.page, fact.text, fact.cells, anchor=name, hint=_hint(fact), short=short)
        if short and fact.estimate is not None:
            is_close = spoken.is_close(fact.estimate) or spoken.is_wide(fact.estimate)  # a range needs no "about"
            number = whose.hedge(is_doubted=fact.is_doubted, is_close=is_close) + number
        if where:
            return join([number, " on ", self.where(name)])
        return join([number, self._mark("of" if fact.measured else "by", fact)])

    def where(self, name: str) -> Markup:
        """The machine of a number in words; what follows is told apart from it, if it is of another."""
        fact = self._used(name)
        return MISSING if fact.kind == "missing" else join([fact.where, self._mark("at", fact)])

    def _used(self, name: str) -> facts_fact.Fact:
        fact = self.site.fact(name)
        self.facts.append(fact)
        self.site.used.facts[name] = fact
        return fact

    def _mark(self, kind: whose.Kind, fact: facts_fact.Fact) -> Markup:
        """What tells a number of one machine from one of another; nothing of one that all machines share."""
        is_cost = bool(fact.card) and fact.estimate is None  # of a rented card, whatever the CPU
        if fact.session is None or is_cost or not self.is_short:
            return Markup("")
        return whose.mark(kind, self.evidence.view(fact.session).key, fact.machine)

    def sessions(self) -> Iterable[SessionResults]:
        """Sessions of the page's own numbers: its facts, what its verdicts name, and its tables and charts."""
        yield from (session for fact in self.facts if fact.measured for session, _ in fact.cells)
        told = [part for one in self.verdicts for part in (*one.parts, *getattr(one, "counted", ()))]
        refs = list(measured_cells(told))
        yield from (session for session, _ in self.evidence.resolve([*refs, *sorted(self.in_tables)]))

    def estimate(
        self,
        session: SessionResults | None,
        record: Record | None,
        make: Callable[[Record], stats_estimate.Estimate | None],
        hint: str,
    ) -> Markup:
        """One quantity of one record."""
        if session is None or record is None:
            return MISSING
        found = make(record)
        if found is None:
            return Markup("–")
        return self.number(found, (markup.ref(session, record),), noun=record.spec.sample_noun, hint=hint)

    def best(self, spec: Workload, mode: schema.Mode, device: schema.Device, session: SessionResults | None) -> Markup:
        """Speed of a workload's best headline cell in a session."""
        if spec.kind == "study":
            return self._first_of_study(spec, device, session)
        make = quantities.flop_rate if spec.kind == "probe" else quantities.throughput
        return self.estimate(session, self.evidence.view(session).best(Pick(spec.id, mode, device)), make, spec.title)

    def _first_of_study(self, spec: Workload, device: schema.Device, session: SessionResults | None) -> Markup:
        """The first series, or the first reading, of a study on the first backend that has it."""
        for backend in schema.BACKENDS:
            record = self.evidence.view(session).usual(Pick(spec.id, device=device, backend=backend))
            if session is None or record is None:
                continue
            found: list[tuple[schema.Series | schema.Reading, stats_estimate.Estimate | None]]
            found = [(item, studies.call_time(record, item.id)) for item in studies.series_of(record)]
            found += [(item, studies.reading(record, item.id)) for item in studies.readings_of(record)]
            item, estimate = found[0]
            shown = self.number(estimate, (markup.ref(session, record),), hint=spec.title)
            return join([shown, f" {item.label}, {fmt.backend(backend)}"])
        return MISSING

    def chart(self, chart_id: str, workload: str = "") -> Markup:
        """A chart with its table."""
        drawing = self.site.draw(chart_id, workload)
        count = self._drawn[drawing.key] = self._drawn.get(drawing.key, 0) + 1
        anchor = f"chart-{drawing.key}" + (f"-{count}" if count > 1 else "")
        here = functools.partial(addresses.href, self.page)
        files = f"data/charts/{drawing.key}"
        return CHART.figure(
            anchor,
            drawing.title,
            " ".join(filter(None, (drawing.note, drawing.session and self._chart_note(drawing.session, drawing.rows)))),
            [self.site.drawn(drawing, kind, f"{anchor}-{kind}") for kind in ("wide", "narrow")],
            self.table(drawing.id, drawing.workload, first=drawing.session),
            csv=here(f"{files}.csv"),
            spec=here(f"{files}.vl.json"),
            bundle=here(VEGA),
        )

    def table(
        self,
        table_id: str,
        workload: str = "",
        session: SessionResults | None = None,
        first: SessionResults | None = None,
    ) -> Markup:
        """A table by id, every number a link; a machine stands above its rows."""
        made = self.site.make_table(table_id, workload, session, first)
        if not made.rows:
            return self._nothing(made.caption or table_id)
        cells = (cell for row in made.rows for cell in row if not cell.is_estimated)
        self.in_tables.update(ref for cell in cells for ref in markup.refs(cell.cells))
        if self.is_short:
            made = self._shortened(made)
            if not made.rows:
                return self._nothing(made.caption or table_id)
        rows = [[self._cell(cell) for cell in row] for row in made.rows]
        columns, rows = _by_machine(made, rows) or (made.columns, rows)
        doubts = PARTS.doubts(whose.DOUBTED) if self.is_short and any(map(_loud, itertools.chain(*made.rows))) else ""
        caption = join(filter(None, (made.caption, doubts)), " ")
        return PARTS.table(columns, rows, caption, label=made.caption or table_id)

    def _nothing(self, what: str) -> Markup:
        """What stands in the place of a table without a row."""
        if not self.is_short:
            return PARTS.paragraph(MISSING)
        self.left_out.append(what.partition(":")[0].partition(".")[0])
        return PARTS.paragraph("No record of it so far.")

    def _shortened(self, made: tables_table.Table) -> tables_table.Table:
        """A table without what holds no number, which the page's foot names."""
        columns, rows, gone = left_out.without(made.columns, made.rows, _is_missing, _is_value)
        self.left_out += gone
        at = int(made.columns[:1] == (tables_table.MACHINE,))
        self.left_out += [row[at].text for row in made.rows if row[at].text not in {kept[at].text for kept in rows}]
        return msgspec.structs.replace(made, columns=tuple(columns), rows=tuple(map(tuple, rows)))

    def _cell(self, cell: tables_table.Cellv) -> Markup:
        if _is_missing(cell):
            return PARTS.missing_cell() if self.is_short else MISSING
        short = cell.short if self.is_short else ""
        if cell.is_estimated:
            return self.site.estimated(self.page, cell.text, cell.note, short=short)
        if cell.is_published:
            return PARTS.published_cell(cell.text)
        # Runs that disagree are said in words; that they are few stands in every n, and waits behind the link.
        loud = _loud(cell)
        note = "" if not loud else PARTS.doubted(whose.DOUBTED) if self.is_short else PARTS.note(", ".join(loud))
        if not cell.cells:
            return join([short or cell.text, note])
        hint = cell.note[:1].upper() + cell.note[1:]
        return join([self.site.number(self.page, cell.text, cell.cells, hint=hint, short=short), note])

    def _chart_note(self, session: SessionResults, rows: Iterable[dict[str, Any]]) -> str:
        """Where and when a chart was measured, what its lines are, and a warning if the session differs from itself."""
        whose = "this machine" if session.is_local else session.machine.id
        passed = self.evidence.view(session).has_passed_self_test
        warning = {True: "", False: " It differs from itself.", None: " It was not tested against itself."}[passed]
        end = "; lines are 95 % intervals" if any("kind" not in r and r.get("low") is not None for r in rows) else ""
        return f"Measured on {self.site.machine_words(session)} ({whose}), {markup.finished_at(session)}{end}.{warning}"

    def verdict(self, verdict_id: str) -> Markup:
        """What a rule says today: badge, sentence, rule."""
        verdict = self.site.judge(verdict_id)
        self.verdicts.append(verdict)
        said = plain.inline(self.sentence(verdict), self.page, self.page)  # its author's Markdown, within HTML
        return VERDICT.verdict(verdict.outcome, PARTS.badge(verdict.outcome), self.site.basis(verdict), said)

    def opening(self, answer: answers.Answer) -> Markup:
        """The sentence of an answer's outcome, as Markdown."""
        self.verdicts.append(answer)
        return join(map(self.part, answer.parts))

    def tried(self, verdict: claims_case.Verdict) -> str:
        """What a verdict rests on, and what is not among it."""
        if verdict.basis == "published":
            return "Not tried: any of it. The figures are those of others."
        refs = {ref: None for part in (*verdict.numbers, *(case.part for case in verdict.cases)) for ref in part.cells}
        found = [(session, session.records[cell]) for session, cell in self.evidence.resolve(refs)]
        if not found:
            return "Not tried: anything that the rule asks for."
        n_cells = f"{fmt.count(len(found))} measurement{'s' if len(found) != 1 else ''}"
        if verdict.basis == "estimates":
            return f"Rests on estimates of a GPU beside {n_cells} on a CPU. Not tried: a GPU of ours."
        cells = [record.cell for _, record in found]
        n_machines = len({session.machine.id for session, _ in found})
        machines = f"{n_machines} machine{'s' if n_machines != 1 else ''}"
        tried = {fmt.backend(cell.backend) for cell in cells}
        left = [fmt.backend(name) for name in schema.BACKENDS if fmt.backend(name) not in tried]
        left += [f"a {fmt.device(name)}" for name in schema.DEVICES if name not in {cell.device for cell in cells}]
        left.append("machines of other makers")
        return f"Rests on {n_cells} of {machines}. Not among them: {', '.join(left)}."

    def cases(self, verdict_id: str) -> Markup:
        """Everything that a rule over many cases counted, with the side on which it counts."""
        verdict = self.site.judge(verdict_id)
        if verdict.basis == "published" and not verdict.cases:
            return PARTS.paragraph("A published statement decides; there are no cases to count.")
        if not verdict.cases:
            return self._nothing("the cases of this belief")
        sides = {"agrees": "for the belief", "disagrees": "against it", "open": "for neither"}
        rows = [(case.name, self.part(case.part), sides[case.side]) for case in verdict.cases]
        table = PARTS.table(("Case", "Value", "Counts"), rows, label=f"Cases of: {verdict.belief}")
        return bars.cases(self, verdict, self.site.beliefs[verdict_id], table)

    def sentence(self, verdict: claims_case.Verdict | ledger.Item | ledger.State) -> Markup:
        """A verdict's or claim's sentence."""
        return join(map(self.part, verdict.parts))

    def part(self, part: claims_case.Part) -> Markup:
        """A piece of a sentence: a link to our records, to the published rows, or plain words."""
        if part.fact:
            return self.where(part.fact) if part.is_place else self.fact(part.fact, part.with_place)
        short = part.short if self.is_short else ""
        if part.is_estimated:
            return self.site.estimated(self.page, part.text, short=short)
        if part.cells:
            return self.site.number(self.page, part.text, part.cells, short=short)
        if part.is_published:
            return PARTS.published_cell(short or part.text, part.text)
        if not part.figures:
            return inert(part.text)
        if self.is_short and len(part.figures) == 1:
            return self.published(part.figures[0])
        for row_id in part.figures:
            self.figures.add(row_id)
            self.site.used.figures[row_id] = published.lookup(row_id)
        detail = addresses.href(self.page, "evidence/published.md", part.figures[0])
        return PARTS.published_value(detail, short or part.text, part.text)

    def published(self, row_id: str) -> Markup:
        """A number from elsewhere: value, source, date."""
        figure = estimated.speed(row_id) or published.lookup(row_id)
        is_said = self.is_short or self.page.startswith("gpus/")
        return self._noted(figure, figure.short if is_said else figure.text)

    def _noted(self, figure: Figure, shown: str, told: str = "") -> Markup:
        """A figure from elsewhere, or a number made of it of which ``told`` says what it is, with its source."""
        self.figures.add(figure.id)
        self.site.used.figures[figure.id] = figure
        detail = addresses.href(self.page, "evidence/published.md", figure.id)
        is_quiet = figure.evidence in QUIET_KINDS and figure.warning in published.WARNINGS.values()
        parts = (claims_case.short_source(figure.source), figure.date, "" if is_quiet else figure.warning)
        about = ", ".join(filter(None, parts))
        day = freshness.price_day(figure)
        if not self.is_short:
            return PARTS.published(figure, shown, about, detail, day, freshness.PRICE_OLD_AT_DAYS)
        number = len(self.notes) + 1
        note = self.notes.setdefault(figure.id, Note(number, f"source-{number}", figure.what, about, detail))
        title = f"{told or f'{figure.what}: {figure.text}'}\n{about}"
        return PARTS.published_noted(figure, shown, title, note, day, freshness.PRICE_OLD_AT_DAYS)

    def published_beside(self, *row_ids: str) -> Markup:
        """A list of numbers from elsewhere, each with what it is about."""
        return PARTS.published_list([(published.lookup(row_id).what, self.published(row_id)) for row_id in row_ids])

    def rerun(self, workload: str) -> Markup:
        """The command that measures a workload on the reader's machine."""
        return Markup(f"```sh\n{job.command(workload)}\n```")

    def number(
        self,
        estimate: stats_estimate.Estimate | None,
        cells: Iterable[CellRef],
        *,
        noun: str = "samples",
        hint: str = "",
    ) -> Markup:
        """An estimate as a number that opens its evidence."""
        short = spoken.spoken(estimate, noun) if self.is_short and estimate is not None else ""
        shown = self.site.number(self.page, fmt.interval(estimate, noun), cells, hint=hint, short=short)
        return shown if estimate is None else templates.Valued(shown, estimate.value)


def _loud(cell: tables_table.Cellv) -> list[str]:
    """What a reader must know of a cell before trusting it, in words."""
    loud = [fmt.short_warning(cell.estimate)] if cell.estimate is not None and cell.estimate.is_noisy else []
    loud += ["busy machine"] if cell.is_disturbed else []
    return loud + ([OLDER] if cell.is_older else [])


def _is_missing(cell: tables_table.Cellv) -> bool:
    return cell.text == facts_fact.NOT_MEASURED


def _is_value(cell: tables_table.Cellv) -> bool:
    return bool(cell.cells) or cell.estimate is not None


def measured_cells(parts: Iterable[claims_case.Part]) -> Iterator[CellRef]:
    """What a sentence's own numbers rest on; those of the formula do not count."""
    return (ref for part in parts if not part.is_estimated for ref in part.cells)


def _hint(fact: facts_fact.Fact) -> str:
    return "; ".join(part for part in (fact.title[:1].upper() + fact.title[1:], fact.note) if part)
