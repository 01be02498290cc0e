"""What of the questions and sweeps is measured, as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from bench.records.store import SessionResults
from bench.report import templates
from bench.report.claims.cases.facts import listed
from bench.report.evidence.evidence import Evidence
from bench.report.prose import groups
from bench.report.prose import questions as prose_questions
from bench.report.prose.questions import CELL_FIELDS, FOLDER, WHERE, Key, Part, Question, Register, Sweep
from bench.report.prose.source import Source
from bench.report.published import figures as published
from bench.report.stats import format as fmt
from bench.schema import Cell, Record, Run, Scalar, Variant, Workload

ADDRESS = re.compile(r"\]\((https?://[^)\s]+)\)")
FIGURE = re.compile(r"""\bpublished\(["']([^"']+)["']\)""")
ISSUE = re.compile(r"(?:([\w.-]+/[\w.-]+) )?(?:issue|pull request) (\d+)")
FACT_CALL = re.compile(r"""\b(?:fact|measured|known|estimated)\(["']([^"']+)["']\)""")


class Counted(NamedTuple):
    """Finished records by device."""

    cpu: int
    gpu: int


def facts_of(source: Source) -> frozenset[str]:
    """The facts that a page calls, those that decide its answer included."""
    answer = source.meta.get("answer")
    deciding = (answer.get("facts") or {}).values() if isinstance(answer, Mapping) else ()
    named = (name for value in deciding for name in listed(value))
    return frozenset([*FACT_CALL.findall(source.text), *named])


def sources_of(source: Source) -> frozenset[str]:
    """What a page cites: addresses that it links, sources of its published figures, and issues that it names."""
    text = source.text
    found = set(ADDRESS.findall(text))
    known = published.figures()
    found |= {known[name].url or known[name].source for name in FIGURE.findall(text) if name in known}
    repository = ""
    for named, number in ISSUE.findall(re.sub(r"\[[^\]]*\]\([^)]*\)", "", text)):
        repository = named or repository
        found |= {f"{repository} {number}"} if repository else set()
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Bearing:
    """Which finished records bear on what."""

    register: Register
    evidence: Evidence
    _by_sweep: dict[str, dict[int, Record]] = field(default_factory=dict, init=False, repr=False)

    def of_sweep(self, sweep: Sweep) -> dict[int, Record]:
        """Records of a sweep, by their identity; looked up once, for many questions share a sweep."""
        if sweep.id not in self._by_sweep:
            found = {id(record): record for part in sweep.measured for record in self._of_part(part)}
            self._by_sweep[sweep.id] = found
        return self._by_sweep[sweep.id]

    def of_question(self, question: Question) -> dict[int, Record]:
        """Records of a question: of its sweeps, its workloads, and its own conditions."""
        sweeps = [sweep for sweep in self.register.sweeps if sweep.id in question.sweeps]
        found = {key: record for sweep in sweeps for key, record in self.of_sweep(sweep).items()}
        found = {key: record for key, record in found.items() if record.cell.workload in question.workloads}
        if not question.only:
            return found
        kept = {id(record) for part in question.only for record in self._of_part(part)}
        return {key: record for key, record in found.items() if key in kept}

    def gpu_only(self, question: Question) -> str:
        """Why only a GPU can answer a question: its own reason, or that of its sweeps if each has one."""
        reasons = [sweep.gpu_only for sweep in self.register.sweeps if sweep.id in question.sweeps]
        return question.gpu_only or (reasons[0] if reasons and all(reasons) else "")

    def _of_part(self, part: Part) -> list[Record]:
        tags = _tags(self.evidence.workloads) if part.tags else {}
        found: list[tuple[SessionResults, Record]] = []
        for session in self.evidence.sessions:
            if not _session_fits(part, session):
                continue
            for record in session.records.values():
                cell = record.cell
                fits = record.status == "ok" and (not part.workloads or cell.workload in part.workloads)
                fits = fits and all(_value(cell, name) in allowed for name, allowed in part.cell.items())
                fits = fits and (not part.tags or tags.get(_key(cell.workload, cell), "") in part.tags)
                if fits and (not part.needs or any(_holds(run, part.needs) for run in record.runs)):
                    found.append((session, record))
        return _with_siblings(found, part.differ) if part.differ else [record for _, record in found]


def count(records: Iterable[Record]) -> Counted:
    """How many on each device."""
    devices = [record.cell.device for record in records]
    return Counted(devices.count("cpu"), devices.count("gpu"))


# Tables.

TABLES = templates.macros("coverage.html.j2")
MISSING = templates.macros("parts.html.j2").missing("none yet")
SWEEP_COLUMNS = ("Sweep", "What varies", "Workloads", "Questions", "CPU records", "GPU records")
QUESTION_COLUMNS = ("Question", "Who can measure it", "Sweeps", "Numbers measured", "CPU records", "GPU records")
BELIEF_COLUMNS = ("Belief", "Verdict", "CPU records it rests on", "GPU records it rests on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page that shows the tables: how it links, and what it can call."""

    link: Callable[[str], str]  # address of another page, as seen from this one
    facts: Callable[[Sequence[str]], Markup]  # "3 of 5", with the facts folded below
    badge: Callable[[str], Markup]  # the verdict of a page with a rule
    rests_on: Callable[[str], Counted]  # records behind that verdict


def tables(register: Register, evidence: Evidence, sources: Mapping[str, Source], page: Page) -> Markup:
    """Markdown headings, each with its table: sweeps, questions by group, beliefs."""
    bearing = Bearing(register, evidence)
    found = []
    if register.sweeps:
        found.append(("Sweeps", "sweeps", _sweeps(bearing, sources, page)))
    found += _questions(bearing, sources, page)
    if register.beliefs:
        found.append(("Beliefs", "beliefs", _beliefs(register, sources, page)))
    return Markup("\n\n".join(f"## {heading} {{#{anchor}}}\n\n{table}" for heading, anchor, table in found))


def _sweeps(bearing: Bearing, sources: Mapping[str, Source], page: Page) -> Markup:
    rows = []
    for sweep in bearing.register.sweeps:
        records = bearing.of_sweep(sweep)
        using = [question for question in bearing.register.questions if sweep.id in question.sweeps]
        questions = TABLES.asked([(one.number, prose_questions.asked(one, sources)) for one in using])
        why = "Contributors only" if sweep.contributor_only else "Needs a GPU"
        varies = TABLES.varies(sweep.varies, why, sweep.contributor_only or sweep.gpu_only)
        workloads = _workloads(prose_questions.workloads_of(sweep), records, page)
        shown = _counts(count(records.values()), cpu=not (sweep.gpu_only or sweep.contributor_only))
        rows.append((f"sweep-{sweep.id.lower()}", f"{sweep.id} {sweep.name}", varies, workloads, questions, *shown))
    return TABLES.table(SWEEP_COLUMNS, rows, "Sweeps and their records")


def _questions(bearing: Bearing, sources: Mapping[str, Source], page: Page) -> list[tuple[str, str, Markup]]:
    rows: dict[str, list[tuple[str, ...]]] = {}
    numbered = {path for question in bearing.register.questions for path in question.pages}
    for question in sorted(bearing.register.questions, key=lambda one: one.number):
        lead = sources[question.pages[0]]
        rows.setdefault(str(lead.meta.get("group", "")), []).append(_question(bearing, question, sources, page))
    for path, source in sorted(sources.items()):
        if path.startswith(FOLDER) and not path.endswith("index.md") and path not in numbered:
            rows.setdefault(str(source.meta.get("group", "")), []).append(_further(bearing, source, page))
    return [
        (
            groups.heading(group),
            f"questions-{group or 'none'}",
            TABLES.table(QUESTION_COLUMNS, rows[group], f"Coverage: {groups.heading(group)}"),
        )
        for group in sorted(rows, key=groups.place)
    ]


def _question(bearing: Bearing, question: Question, sources: Mapping[str, Source], page: Page) -> tuple[str, ...]:
    records = bearing.of_question(question)
    named = prose_questions.asked(question, sources)
    further = [(page.link(path), sources[path].meta.get("title", path)) for path in question.pages[1:]]
    title = TABLES.title(f"{question.number}. ", [(page.link(question.pages[0]), named), *further])
    called = sorted(frozenset().union(*(facts_of(sources[path]) for path in question.pages)))
    gpu_only = bearing.gpu_only(question)
    who, shown = WHERE[question.where][0], _counts(count(records.values()), cpu=not gpu_only)
    if question.where == "fact":
        n = len(frozenset().union(*(sources_of(sources[path]) for path in question.pages)))
        who, shown = f"{who}: {fmt.count(n)} source{'s' if n != 1 else ''} on its page", ("–", "–")
    elif question.where == "contributor":
        who = f"contributors only: {question.who or WHERE['contributor'][0]}"
        shown = _counts(count(records.values())) if question.only else ("–", "–")
    elif gpu_only:
        who = f"owners of a GPU: {gpu_only}"
    workloads = "" if question.where == "fact" else _workloads(question.workloads, records, page)
    sweeps = TABLES.sweeps(question.sweeps, workloads)
    return (f"q{question.number}", title, who, sweeps, page.facts(called) if called else "–", *shown)


def _further(bearing: Bearing, source: Source, page: Page) -> tuple[str, ...]:
    """A page beyond the numbered questions: its workloads and all their records."""
    names = [name for name in source.meta.get("workloads") or () if name in bearing.evidence.workloads]
    records = {id(record): record for record in bearing._of_part(Part(workloads=tuple(names)))} if names else {}
    title = TABLES.title("", [(page.link(source.path), source.meta.get("title", source.path))])
    who = groups.WHERE.get(str(source.meta.get("where", "here")), "")
    called = sorted(facts_of(source))
    return (
        f"page-{source.meta.get('id', '')}", title, who, _workloads(names, records, page) or "none",
        page.facts(called) if called else "–", *_counts(count(records.values())),
    )  # fmt: skip


def _beliefs(register: Register, sources: Mapping[str, Source], page: Page) -> Markup:
    rows: list[tuple[str, ...]] = []
    for number, path in sorted(register.beliefs.items(), key=lambda item: int(item[0])):
        source = sources[path]
        title = TABLES.title(f"M{number}. ", [(page.link(path), source.meta.get("title", path))])
        if source.meta.get("verdict"):
            name = str(source.meta["id"])
            rows.append((f"m{number}", title, page.badge(name), *_counts(page.rests_on(name))))
        else:
            rows.append((f"m{number}", title, "answered as a question", "–", "–"))
    return TABLES.table(BELIEF_COLUMNS, rows, "Beliefs and their records")


def _workloads(names: Sequence[str], records: Mapping[int, Record], page: Page) -> Markup:
    """Workloads, folded, each with its records here."""
    if not names:
        return Markup("")
    counted = [record.cell.workload for record in records.values()]
    return TABLES.workloads(
        [(page.link(f"workloads/{name}.md"), name, fmt.count(counted.count(name))) for name in names]
    )


def _counts(counted: Counted, *, cpu: bool = True) -> tuple[str, str]:
    """Numbers of records; zero is said in words, and a dash stands where none is expected."""
    on_cpu = fmt.count(counted.cpu) if counted.cpu else MISSING if cpu else "–"
    return on_cpu, fmt.count(counted.gpu) if counted.gpu else MISSING


def _value(cell: Cell, name: str) -> Scalar | None:
    return getattr(cell, name) if name in CELL_FIELDS else cell.params.get(name)


def _holds(run: Run, name: str) -> bool:
    return getattr(run, name) not in (None, (), {})


def _session_fits(part: Part, session: SessionResults) -> bool:
    machine, given = session.machine, session.session.environment
    words = f"CPU {machine.cpu_model}; GPU {', '.join(gpu.name for gpu in machine.gpus)}; OS {machine.os}"
    return bool(re.search(part.machine, words)) and all(given.get(k) == v for k, v in part.environment.items())


def _key(workload: str, of: Cell | Variant) -> Key:
    """What a cell takes from its variant."""
    return (workload, of.mode, of.batch_size, of.n_samples, tuple(sorted(of.params.items())))


def _tags(specs: Mapping[str, Workload]) -> dict[Key, str]:
    """Tag of every variant that has one."""
    return {
        _key(name, variant): variant.sweep
        for name, spec in specs.items()
        for variants in spec.variants.values()
        for variant in variants
        if variant.sweep
    }


def _with_siblings(found: Sequence[tuple[SessionResults, Record]], name: str) -> list[Record]:
    """Records beside which, in their session, another stands that differs in one field of the cell."""
    others = sorted(CELL_FIELDS - {name} - ({"n_samples"} if name == "batch_size" else set()))
    if name == "backend":
        others.remove("jit")  # each backend has its own usual arm
    values: dict[tuple[Any, ...], set[Any]] = {}
    keys = []
    for session, record in found:
        cell = record.cell
        key = (id(session), *(getattr(cell, other) for other in others), tuple(sorted(cell.params.items())))
        keys.append(key)
        values.setdefault(key, set()).add(getattr(cell, name))
    return [record for key, (_, record) in zip(keys, found, strict=True) if len(values[key]) > 1]
