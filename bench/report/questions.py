"""Question -> page -> sweep -> workloads -> records, from docs/_questions.toml. Pure: text and evidence in, tables out.

A sweep is one way of varying what is measured; its parts say which workloads carry it out, and which of their records
bear on it. A question names its sweeps and, among their workloads, those that its page rests on; where not even all
of their records bear on the question, it says which do.
"""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from bench.records.store import SessionResults
from bench.report import format as fmt
from bench.report import groups, heads, published
from bench.report.rows import Evidence
from bench.schema import Cell, Record, Run, Scalar, Variant, Workload

FILE = "_questions.toml"
HOW_TO = "docs/contributing/add-an-answer.md"
FOLDER = "faq/"
# Value of ``where`` of a question -> who can measure it, and the word for it in a page's front matter.
WHERE = {
    "here": ("anyone", "here"),
    "cap": ("anyone, with fewer cores or less memory in use", "here"),
    "contributor": ("owners of it", "contributors"),
    "fact": ("a fact, no run needed", "documents"),
}
MEASURABLE = ("here", "cap")
CELL_FIELDS = frozenset(Cell.__struct_fields__) - {"params"}
ADDRESS = re.compile(r"\]\((https?://[^)\s]+)\)")
FIGURE = re.compile(r"""\bpublished\(["']([^"']+)["']\)""")
ISSUE = re.compile(r"(?:([\w.-]+/[\w.-]+) )?(?:issue|pull request) (\d+)")
FACT_CALL = re.compile(r"""\b(?:fact|measured)\(["']([^"']+)["']\)""")

Key = tuple[str, str, int, int, tuple[tuple[str, Scalar], ...]]


class QuestionsError(ValueError):
    """The data file cannot be used; each line says file, line and what to do."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some records: those that fulfil everything named here; what is left empty asks for nothing."""

    workloads: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # ``sweep`` of the variant that the record's cell comes from
    cell: dict[str, tuple[Scalar, ...]] = {}  # a cell's field, or a parameter of it -> permitted values
    differ: str = ""  # a cell's field: in the same session another record differs in it, and in nothing else
    needs: str = ""  # a run's field that holds a value: "energy_j"
    machine: str = ""  # a pattern, searched in "CPU ...; GPU ...; OS ..."
    environment: dict[str, str] = {}  # variables as the session was given them


class Sweep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of varying what is measured."""

    id: str
    name: str
    varies: str
    measured: tuple[Part, ...]
    gpu_only: str = ""  # why no CPU can answer it; empty where one can
    contributor_only: str = ""  # whose machines are needed


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question as people ask it; without ``asked`` it is the title of its first page."""

    number: int
    where: str
    pages: tuple[str, ...]
    asked: str = ""
    sweeps: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    only: tuple[Part, ...] = ()  # the records of those workloads that bear on it; empty: all
    who: str = ""  # of a contributor's question: whose machine is needed
    gpu_only: str = ""  # why no CPU can answer it, where its sweeps do not say so already


class Register(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file: ``beliefs`` maps the number of a misconception to its page."""

    sweeps: tuple[Sweep, ...] = ()
    questions: tuple[Question, ...] = ()
    beliefs: dict[str, str] = {}


class Headed(Protocol):
    """What is needed of a source."""

    path: str  # relative to docs/
    meta: Mapping[str, Any]
    head: str
    body: str


class Counted(NamedTuple):
    """Finished records by device."""

    cpu: int
    gpu: int


def checked(
    text: str, shown: str, *, pages: Mapping[str, Mapping[str, Any]], specs: Mapping[str, Workload]
) -> Register:
    """The file's content, fit for use; ``pages`` maps paths to front matter.

    Raises:
        QuestionsError: every problem, each with file, line and what to do.
    """
    register = read(text, shown)
    if wrong := list(problems(register, text, shown, pages=pages, specs=specs)):
        raise QuestionsError("\n".join(wrong))
    return register


def read(text: str, shown: str) -> Register:
    """The file's content.

    Raises:
        QuestionsError: no TOML, or an entry of another shape.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise QuestionsError(f"{shown}:{at.group(1) if at else 1}: {error}; {HOW_TO} shows an entry") from error
    try:
        return msgspec.convert(data, Register)
    except msgspec.ValidationError as error:
        at = re.search(r"\$\.(\w+)(?:\[(\d+)\](?:\.(\w+))?)?", str(error))
        kind, index, key = at.groups() if at else ("", None, None)
        line = _line(_lines(text), kind, int(index or 0), key or "")
        raise QuestionsError(f"{shown}:{line}: {error}; {HOW_TO} shows an entry") from error


def problems(  # noqa: C901  one line each
    register: Register, text: str, shown: str, *, pages: Mapping[str, Mapping[str, Any]], specs: Mapping[str, Workload]
) -> Iterator[str]:
    """Every problem as "file:line: what is wrong; what to do". ``pages`` maps paths to front matter."""
    lines = _lines(text)

    def told(kind: str, index: int, key: str, words: str) -> str:
        return f"{shown}:{_line(lines, kind, index, key)}: {words}"

    by_id = {sweep.id: sweep for sweep in register.sweeps}
    seen: set[str | int] = set()
    for index, sweep in enumerate(register.sweeps):
        if sweep.id in seen:
            yield told("sweeps", index, "id", f"sweep {sweep.id!r} stands here twice; give this one another id")
        seen.add(sweep.id)
        for part in sweep.measured:
            yield from (told("sweeps", index, "measured", words) for words in _part_problems(part, specs))
    for index, question in enumerate(register.questions):
        where = f"question {question.number}"
        if question.number in seen:
            yield told("questions", index, "number", f"{where} stands here twice; give this one the next free number")
        seen.add(question.number)
        if question.where not in WHERE:
            yield told("questions", index, "where", heads.unknown("mark", question.where, WHERE))
        for sweep_id in question.sweeps:
            if sweep_id not in by_id:
                yield told("questions", index, "sweeps", heads.unknown("sweep", sweep_id, by_id))
        if not question.pages:
            yield told("questions", index, "pages", f"{where} has no page; name the page that answers it")
        for page in question.pages:
            if page not in pages:
                yield told("questions", index, "pages", heads.unknown("page", page, pages))
            elif page == question.pages[0] and page.startswith(FOLDER) and question.where in WHERE:
                word, wanted = str(pages[page].get("where", "here")), WHERE[question.where][1]
                if word != wanted:
                    words = f"{where} is {question.where!r}, but its page {page} says where: {word}"
                    yield told("questions", index, "where", f"{words}; write where: {wanted} there, or change the mark")
        offered = {name for found in question.sweeps if found in by_id for name in workloads_of(by_id[found])}
        for name in question.workloads:
            if name not in specs:
                yield told("questions", index, "workloads", heads.unknown("workload", name, specs))
            elif name not in offered:
                words = f"workload {name!r} belongs to none of the sweeps of {where}"
                yield told("questions", index, "workloads", f"{words}; leave it out, or name its sweep")
        if question.where in MEASURABLE and not question.workloads:
            yield told("questions", index, "where", f"{where} can be measured but names no workloads; add some")
        for part in question.only:
            yield from (told("questions", index, "only", words) for words in _part_problems(part, specs))
    for number, page in register.beliefs.items():
        if page not in pages:
            yield told("beliefs", 0, number, heads.unknown("page", page, pages))


def workloads_of(sweep: Sweep) -> tuple[str, ...]:
    """The workloads that carry a sweep out, in the order of its parts."""
    return tuple(dict.fromkeys(name for part in sweep.measured for name in part.workloads))


def facts_of(source: Headed) -> frozenset[str]:
    """The facts that a page calls, those that decide its answer included."""
    answer = source.meta.get("answer")
    deciding = (answer.get("facts") or {}).values() if isinstance(answer, Mapping) else ()
    named = (name for value in deciding for name in ([value] if isinstance(value, str) else value))
    return frozenset([*FACT_CALL.findall(source.head + source.body), *named])


def sources_of(source: Headed) -> frozenset[str]:
    """What a page cites: addresses that it links, sources of its published figures, and issues that it names."""
    text = source.head + source.body
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


# Tables. Cells are HTML; a narrow screen shows a row as a block, with the column's name before each value.

SWEEP_COLUMNS = ("Sweep", "What varies", "Workloads", "Questions", "CPU records", "GPU records")
QUESTION_COLUMNS = ("Question", "Who can measure it", "Sweeps", "Numbers measured", "CPU records", "GPU records")
BELIEF_COLUMNS = ("Belief", "Verdict", "CPU records it rests on", "GPU records it rests on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page that shows the tables: how it links, and what it can call."""

    link: Callable[[str], str]  # address of another page, as seen from this one
    facts: Callable[[Sequence[str]], str]  # "3 of 5", with the facts folded below
    badge: Callable[[str], str]  # the verdict of a page with a rule
    rests_on: Callable[[str], Counted]  # records behind that verdict


def tables(register: Register, evidence: Evidence, sources: Mapping[str, Headed], page: Page) -> str:
    """Markdown headings, each with its table: sweeps, questions by group, beliefs."""
    bearing = Bearing(register, evidence)
    found = []
    if register.sweeps:
        found.append(("Sweeps", "sweeps", _sweeps(bearing, sources, page)))
    found += _questions(bearing, sources, page)
    if register.beliefs:
        found.append(("Beliefs", "beliefs", _beliefs(register, sources, page)))
    return "\n\n".join(f"## {heading} {{#{anchor}}}\n\n{table}" for heading, anchor, table in found)


def _sweeps(bearing: Bearing, sources: Mapping[str, Headed], page: Page) -> str:
    rows = []
    for sweep in bearing.register.sweeps:
        records = bearing.of_sweep(sweep)
        using = [question for question in bearing.register.questions if sweep.id in question.sweeps]
        questions = ", ".join(
            f'<a href="#q{one.number}" title="{_e(_asked(one, sources))}">{one.number}</a>' for one in using
        )
        counted, why = count(records.values()), ""
        if sweep.contributor_only:
            why = f"<p>Contributors only: {_e(sweep.contributor_only)}.</p>"
        elif sweep.gpu_only:
            why = f"<p>Needs a GPU: {_e(sweep.gpu_only)}.</p>"
        workloads = _workloads(workloads_of(sweep), records, page)
        shown = _counts(counted, cpu=not (sweep.gpu_only or sweep.contributor_only))
        rows.append((f"sweep-{sweep.id.lower()}", f"{_e(sweep.id)} {_e(sweep.name)}", f"{_e(sweep.varies)}{why}",
                     workloads, questions, *shown))  # fmt: skip
    return _table(SWEEP_COLUMNS, rows, "Sweeps and their records")


def _questions(bearing: Bearing, sources: Mapping[str, Headed], page: Page) -> list[tuple[str, str, str]]:
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
            _table(QUESTION_COLUMNS, rows[group], f"Coverage: {groups.heading(group)}"),
        )
        for group in sorted(rows, key=groups.place)
    ]


def _question(bearing: Bearing, question: Question, sources: Mapping[str, Headed], page: Page) -> tuple[str, ...]:
    records = bearing.of_question(question)
    named = _asked(question, sources)
    title = f'{question.number}. <a href="{_e(page.link(question.pages[0]))}">{_e(named)}</a>'
    title += "".join(
        f', and <a href="{_e(page.link(path))}">{_e(sources[path].meta.get("title", path))}</a>'
        for path in question.pages[1:]
    )
    called = sorted(frozenset().union(*(facts_of(sources[path]) for path in question.pages)))
    gpu_only = bearing.gpu_only(question)
    who, shown = _e(WHERE[question.where][0]), _counts(count(records.values()), cpu=not gpu_only)
    if question.where == "fact":
        n = len(frozenset().union(*(sources_of(sources[path]) for path in question.pages)))
        who, shown = f"{who}: {fmt.count(n)} source{'s' if n != 1 else ''} on its page", ("–", "–")
    elif question.where == "contributor":
        who = f"contributors only: {_e(question.who or WHERE['contributor'][0])}"
        shown = _counts(count(records.values())) if question.only else ("–", "–")
    elif gpu_only:
        who = f"owners of a GPU: {_e(gpu_only)}"
    links = ", ".join(f'<a href="#sweep-{_e(name.lower())}">{_e(name)}</a>' for name in question.sweeps) or "none"
    workloads = "" if question.where == "fact" else _workloads(question.workloads, records, page)
    return (f"q{question.number}", title, who, f"{links}{workloads}", page.facts(called) if called else "–", *shown)


def _further(bearing: Bearing, source: Headed, page: Page) -> tuple[str, ...]:
    """A page beyond the numbered questions: its workloads and all their records."""
    names = [name for name in source.meta.get("workloads") or () if name in bearing.evidence.workloads]
    records = {id(record): record for record in bearing._of_part(Part(workloads=tuple(names)))} if names else {}
    title = f'<a href="{_e(page.link(source.path))}">{_e(source.meta.get("title", source.path))}</a>'
    who = groups.WHERE.get(str(source.meta.get("where", "here")), "")
    called = sorted(facts_of(source))
    return (
        f"page-{_e(source.meta.get('id', ''))}", title, _e(who), _workloads(names, records, page) or "none",
        page.facts(called) if called else "–", *_counts(count(records.values())),
    )  # fmt: skip


def _beliefs(register: Register, sources: Mapping[str, Headed], page: Page) -> str:
    rows = []
    for number, path in sorted(register.beliefs.items(), key=lambda item: int(item[0])):
        source = sources[path]
        title = f'M{number}. <a href="{_e(page.link(path))}">{_e(source.meta.get("title", path))}</a>'
        if source.meta.get("verdict"):
            name = str(source.meta["verdict"])
            rows.append((f"m{number}", title, page.badge(name), *_counts(page.rests_on(name))))
        else:
            rows.append((f"m{number}", title, "answered as a question", "–", "–"))
    return _table(BELIEF_COLUMNS, rows, "Beliefs and their records")


def _workloads(names: Sequence[str], records: Mapping[int, Record], page: Page) -> str:
    """Workloads, folded, each with its records here."""
    if not names:
        return ""
    counted = [record.cell.workload for record in records.values()]
    items = "".join(
        f'<li><a href="{_e(page.link(f"workloads/{name}.md"))}">{_e(name)}</a>: {fmt.count(counted.count(name))}</li>'
        for name in names
    )
    summary = f"{len(names)} workload{'s' if len(names) != 1 else ''}"
    return f'<details class="plain"><summary>{summary}</summary><ul>{items}</ul></details>'


def _counts(counted: Counted, *, cpu: bool = True) -> tuple[str, str]:
    """Numbers of records; zero is said in words, and a dash stands where none is expected."""
    zero = '<span class="missing">none yet</span>'
    on_cpu = fmt.count(counted.cpu) if counted.cpu else zero if cpu else "–"
    return on_cpu, fmt.count(counted.gpu) if counted.gpu else zero


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """A table whose rows have anchors: the first item of each row is its id, the second its head."""
    head = "".join(f'<th scope="col">{_e(column)}</th>' for column in columns)
    body = "".join(
        f'<tr id="{_e(anchor)}"><th scope="row">{first}</th>'
        + "".join(f'<td data-label="{_e(name)}">{cell}</td>' for name, cell in zip(columns[1:], rest, strict=True))
        + "</tr>"
        for anchor, first, *rest in rows
    )
    return (
        f'<div class="table stacked" tabindex="0" role="region" aria-label="{_e(label)}"><table class="plain">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


# Small parts.


def _asked(question: Question, sources: Mapping[str, Headed]) -> str:
    lead = sources[question.pages[0]]
    return question.asked or str(lead.meta.get("title", lead.path))


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


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


def _part_problems(part: Part, specs: Mapping[str, Workload]) -> Iterator[str]:
    for name in part.workloads:
        if name not in specs:
            yield heads.unknown("workload", name, specs)
    variants = [
        v for name in part.workloads or specs if name in specs for vs in specs[name].variants.values() for v in vs
    ]
    for tag in part.tags:
        if tag not in (known := {v.sweep for v in variants if v.sweep}):
            yield heads.unknown("sweep tag", tag, known)
    fields = CELL_FIELDS | {key for v in variants for key in v.params}
    for name in part.cell:
        if name not in fields:
            yield heads.unknown("field of a cell", name, fields)
    if part.differ and part.differ not in CELL_FIELDS:
        yield heads.unknown("field of a cell", part.differ, CELL_FIELDS)
    if part.needs and part.needs not in Run.__struct_fields__:
        yield heads.unknown("field of a run", part.needs, Run.__struct_fields__)
    try:
        re.compile(part.machine)
    except re.error as error:
        yield f"machine {part.machine!r} is no pattern: {error}; write a regular expression"


def _lines(text: str) -> dict[str, list[dict[str, int]]]:
    """Line of every key, by kind of entry and its place among its kind; the entry's own line is that of ""."""
    found: dict[str, list[dict[str, int]]] = {}
    entry: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"\[\[?(\w+)\]", line):
            entry = {"": number}
            found.setdefault(heading.group(1), []).append(entry)
        elif key := re.match(r"(\w+)\s*=", line):
            entry.setdefault(key.group(1), number)
    return found


def _line(lines: Mapping[str, Sequence[Mapping[str, int]]], kind: str, index: int, key: str) -> int:
    entries = lines.get(kind, ())
    entry = entries[index] if index < len(entries) else {}
    return entry.get(key, entry.get("", 1))
