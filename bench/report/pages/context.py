"""The site in the making: evidence, sources, what pages have used so far."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bench.records.store import SessionResults
from bench.report.charts import chart, make_table
from bench.report.charts import draw as charts_draw
from bench.report.claims import answers, case, ledger
from bench.report.claims import beliefs as claims_beliefs
from bench.report.claims.check_rule import Offers
from bench.report.estimates import formula, words
from bench.report.evidence.cells import CellRef
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated, graded, lookup
from bench.report.facts import fact as facts_fact
from bench.report.pages import addresses, further, markup
from bench.report.pages import drawings as pages_drawings
from bench.report.pages import plain as pages_plain
from bench.report.pages.cache import CACHE
from bench.report.pages.parts import Sources, Used, digest
from bench.report.prose import groups as prose_groups
from bench.report.prose import heads, ids, questions
from bench.report.prose import source as prose_source
from bench.report.published import figures as published
from bench.report.stats import reads
from bench.report.tables import table as tables_table

MEASURE_PAGE = "guides/gpu-in-ten-minutes.md"  # how to replace an estimate by a measurement
FURTHER = "further sessions"  # as they are noted by who reads what is made of them
STAND_IN = re.compile(r"<!--drawing ([\w-]+) (\w+) ([\w-]+) \w+-->")


class Site:
    """The pages of one build: sources, evidence, and what the pages refer to."""

    def __init__(
        self,
        docs: Path,
        evidence: Evidence,
        of_further: further.Further | None = None,
        *,
        address: str = "",
        summary: str = "",
    ) -> None:
        """Reads the sources."""
        self.evidence, self._further = evidence, of_further
        self.address, self.summary = address, summary
        self.sources = Sources(prose_source.read(docs))
        self.docs = docs
        self.numbered = questions.Register()
        self.used = Used()
        self.voices: dict[str, Any] = {}
        self.answers: dict[str, str] = {}  # of each rendered answer and belief, in one paragraph of plain text
        self._sessions = {(addresses.machine_slug(s), s.session.id): s for s in evidence.stored}

    @property
    def of_further(self) -> Sequence[further.Derived]:
        """What is made of each of the evidence's further sessions."""
        reads.add([FURTHER])
        return self._further.made if self._further else ()

    def check_heads(self) -> None:
        """Refuses sources whose front matter or ids are wrong.

        Raises:
            PageError: every problem, each with file, line and what to do.
        """
        path = self.docs / heads.REGISTRY
        registered = ids.load_registry(path.read_text(encoding="utf-8")) if path.is_file() else {}
        offers = Offers(frozenset(lookup.names(self.evidence.workloads)), published.figures(), self.evidence.workloads)
        sources = self.sources.values()
        wrong = [
            f"{s.shown}:{line}: {told}"
            for s in sources
            for line, told in claims_beliefs.problems(s.meta, s.head, offers)
        ]
        if not wrong:  # other rules may name the beliefs
            wrong += heads.problems(
                sources, workloads=self.evidence.workloads, groups=prose_groups.GROUPS, registered=registered
            )
            for s in sources:
                found = answers.problems(s.meta, s.head, s.body, beliefs=self.beliefs, offers=offers)
                wrong += (f"{s.shown}:{line}: {told}" for line, told in found)
            wrong += (f"{file}:{line}: {told}" for file, line, told in ledger.problems(self.beliefs, offers))
        if wrong:
            raise prose_source.PageError("\n".join(wrong))
        self.numbered = self._numbered()

    @functools.cached_property
    def beliefs(self) -> claims_beliefs.Beliefs:
        """The beliefs that have a page here; where no page is one, as in tests, those of this repository."""
        return claims_beliefs.of_heads(s.meta for s in self.sources.values()) or prose_source.beliefs()

    def depends_on(self) -> str:
        """What every page may depend on beside the records, the code and the sources that it looks at."""
        path = self.docs / questions.FILE
        register = path.read_text(encoding="utf-8") if path.is_file() else ""
        given = (sorted(self.sources), self._rules, register, self.address, self.summary)
        return digest(repr(given))

    def _numbered(self) -> questions.Register:
        """The numbered questions; none where a checkout has no list of them."""
        path = self.docs / questions.FILE
        if not path.is_file():
            return questions.Register()
        heads_of = {name: source.meta for name, source in self.sources.items()}
        text = path.read_text(encoding="utf-8")
        return questions.checked(text, f"docs/{path.name}", pages=heads_of, specs=self.evidence.workloads)

    # Rendering of sources.

    def decide(self, source: prose_source.Source) -> answers.Answer | None:
        """The answer that the records decide; None for a page whose answer is plain text."""
        spec = answers.spec_of(source.meta)
        return self._answer(str(source.meta.get("id")), spec) if spec else None

    def _answer(self, answer_id: str, spec: answers.Spec) -> answers.Answer:
        make = functools.partial(answers.decide, answer_id, spec, self.beliefs, self.evidence)
        return CACHE.keep(self.evidence, self.of_beliefs(f"answer {answer_id} {spec}"), make, across=True)

    def session_of(self, ref: CellRef) -> SessionResults:
        """The session that a cell's address names."""
        return self._sessions[ref.machine, ref.session]

    def machine_words(self, session: SessionResults) -> str:
        """A machine's GPU, where one was measured, its CPU and the cores used."""
        return self.evidence.view(session).words

    # Numbers.

    def number(
        self,
        page: str,
        text: str,
        cells: Iterable[CellRef | facts_fact.CellKey],
        *,
        anchor: str = "",
        hint: str = "",
        short: str = "",
    ) -> Markup:
        """A displayed number: a link to the one record behind it, or to the list of all of them.

        Args:
            short: what is displayed, where ``text`` with its interval, the machine and the day wait behind the number.
        """
        refs = markup.refs(cells)
        if len(refs) == 1:
            target = addresses.href(page, addresses.evidence_of(refs[0]), refs[0].cell)
        else:
            if not anchor:
                anchor = markup.group_id(refs)
                shown, _ = self.used.groups.setdefault(anchor, ([], refs))
                if text not in shown:
                    shown.append(text)
            target = addresses.href(page, "evidence/facts.md", anchor)
        names = " ".join(map(markup.key_of, refs))
        if short:
            title = "\n".join(filter(None, (text, hint, self._measured_on(refs))))
            return markup.PARTS.number(target, names, title, short)
        title = f"{hint}: open the evidence" if hint else "Open the evidence"
        return markup.PARTS.number(target, names, title, pages_plain.small(text))

    def _measured_on(self, refs: Sequence[CellRef]) -> str:
        """Machines and days of a number, in words."""
        sessions = {id(session): session for session in map(self.session_of, refs)}.values()
        where = dict.fromkeys(self.machine_words(session) for session in sessions)
        days = sorted({markup.finished_at(session) for session in sessions})
        return f"{'; '.join(where)}, measured {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""

    def estimated(self, page: str, text: str, hint: str = "", *, short: str = "") -> Markup:
        """A displayed estimate: a link to how it is made; ``hint`` says of what, and how far it can be trusted.

        ``short`` as for ``number``.
        """
        sure = hint or words.trust(None, formula.constants())
        how = addresses.href(page, estimated.HOW_PAGE)
        if not short:
            return markup.PARTS.estimated(how, f"Estimated. {sure}", text)
        told = "\n".join(("Estimated, not measured", text, sure))
        return markup.PARTS.estimated(how, told, short, measure=addresses.href(page, MEASURE_PAGE))

    def fact(self, name: str) -> facts_fact.Fact:
        """A fact, looked up once for each state of the records."""
        return CACHE.keep(self.evidence, f"fact {name}", lambda: lookup.lookup(name, self.evidence), across=True)

    def judge(self, verdict_id: str) -> case.Verdict:
        """A verdict."""
        return claims_beliefs.lookup(verdict_id, self.beliefs, self.evidence)

    def of_beliefs(self, name: str) -> str:
        """A name for what follows from the beliefs' rules, which stand in pages, as well as from the records."""
        return f"{name} {self._rules}"

    @functools.cached_property
    def _rules(self) -> str:
        return digest(repr(self.beliefs))

    def claims(self) -> tuple[ledger.Item, ...]:
        """Every claim of the articles with its verdict, worked out once for each state of the records."""
        make = functools.partial(ledger.items, self.evidence, self.beliefs)
        return CACHE.keep(self.evidence, self.of_beliefs("claims"), make, slow=True)

    def named(self) -> tuple[ledger.State, ...]:
        """Everything the articles name, with its state."""
        return CACHE.keep(self.evidence, "named", lambda: ledger.states(self.evidence))

    @property
    def tally(self) -> graded.Tally:
        """How our GPU records grade the formula."""
        return CACHE.keep(self.evidence, "grades of estimates", lambda: graded.tally(self.evidence))

    @reads.kept_property
    def speeds_of_further(self) -> list[further.Speeds]:
        """How fast the machines without pages train each network."""
        return further.speeds(self.of_further)

    def basis(self, verdict: case.Verdict) -> Markup:
        """What a verdict rests on, where it is not our records."""
        return markup.basis(verdict, is_doubted=self.tally.is_doubted)

    # Charts.

    def drawn(self, drawing: chart.Drawing, kind: str, anchor: str) -> Markup:
        """A stand-in for a drawing under the given anchor, which ``placed`` replaces; the drawing is begun."""
        self.picture(drawing, kind)
        name = f"digest {drawing.key} {kind}"
        drawn_from = CACHE.keep(
            self.evidence, name, lambda: digest(f"{drawing.title} {drawing.description} {drawing.spec(kind)}")[:12]
        )
        return pages_drawings.CHART.stand_in(drawing.key, kind, anchor, drawn_from)

    def picture(self, drawing: chart.Drawing, kind: str) -> Callable[[], str]:
        """What waits for the SVG, begun when it is first asked for."""
        self.vega()
        begin = functools.partial(pages_drawings.begin_svg, drawing.spec(kind))
        return CACHE.keep(self.evidence, f"svg {drawing.key} {kind}", lambda: functools.cache(begin()))

    def vega(self) -> Callable[[], str]:
        """What waits for the library that animates charts, begun with the first of them."""
        return CACHE.keep(self.evidence, "vega", pages_drawings.begin_vega)

    def placed(self, stand_in: str) -> Markup:
        """The drawing that a stand-in stands for, once it is drawn."""
        key, kind, anchor = STAND_IN.fullmatch(stand_in).groups()  # type: ignore[union-attr]  # from ``drawn``
        drawing = self.used.drawings[key]

        def make() -> Markup:
            return pages_drawings.placed(self.picture(drawing, kind)(), drawing, anchor, kind)

        return CACHE.keep_named(stand_in, make)  # which holds a digest of the drawing

    def draw(self, chart_id: str, workload: str = "") -> chart.Drawing:
        """A chart of the leading session, drawn once per build."""
        key = f"{chart_id}--{workload}" if workload else chart_id
        if key not in self.used.drawings:
            self.used.drawings[key] = CACHE.keep(
                self.evidence,
                f"drawing {key}",
                lambda: charts_draw.draw(
                    chart_id, self.evidence, workload=workload, others=pages_drawings.others(chart_id)
                ),
                across=True,
            )
        return self.used.drawings[key]

    def make_table(
        self,
        table_id: str,
        workload: str = "",
        session: SessionResults | None = None,
        first: SessionResults | None = None,
    ) -> tables_table.Table:
        """A table, made once for each state of the records; ``first`` begins it, else the leading session."""
        key = f"table {table_id} {workload} {session.path if session else ''} {first.path if first else ''}"
        make = functools.partial(
            make_table.make, table_id, self.evidence, workload=workload, session=session, first=first
        )
        return CACHE.keep(self.evidence, key, make, across=True)
