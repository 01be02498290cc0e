"""Question -> page -> sweep -> workloads -> records, from docs/_questions.toml. Pure: text and evidence in, tables out.

A sweep is one way of varying what is measured; its parts say which workloads carry it out, and which of their records
bear on it. A question names its sweeps and, among their workloads, those that its page rests on; where not even all
of their records bear on the question, it says which do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bench.report.claims.check_rule import unknown
from bench.report.prose.problem import HOW_TO_ADD
from bench.report.prose.source import PageError, Source, toml
from bench.schema import Cell, Run, Scalar, Workload

FILE = "_questions.toml"
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

Key = tuple[str, str, int, int, tuple[tuple[str, Scalar], ...]]


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


def checked(
    text: str, shown: str, *, pages: Mapping[str, Mapping[str, Any]], specs: Mapping[str, Workload]
) -> Register:
    """The file's content, fit for use; ``pages`` maps paths to front matter.

    Raises:
        PageError: every problem, each with file, line and what to do.
    """
    register = read(text, shown)
    if wrong := list(problems(register, text, shown, pages=pages, specs=specs)):
        raise PageError("\n".join(wrong))
    return register


def read(text: str, shown: str) -> Register:
    """The file's content.

    Raises:
        PageError: no TOML, or an entry of another shape.
    """
    try:
        return msgspec.convert(toml(text, shown, f"{HOW_TO_ADD} shows an entry"), Register)
    except msgspec.ValidationError as error:
        at = re.search(r"\$\.(\w+)(?:\[(\d+)\](?:\.(\w+))?)?", str(error))
        kind, index, key = at.groups() if at else ("", None, None)
        line = _line(_lines(text), kind, int(index or 0), key or "")
        raise PageError(f"{shown}:{line}: {error}; {HOW_TO_ADD} shows an entry") from error


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
            yield told("questions", index, "where", unknown("mark", question.where, WHERE))
        for sweep_id in question.sweeps:
            if sweep_id not in by_id:
                yield told("questions", index, "sweeps", unknown("sweep", sweep_id, by_id))
        if not question.pages:
            yield told("questions", index, "pages", f"{where} has no page; name the page that answers it")
        for page in question.pages:
            if page not in pages:
                yield told("questions", index, "pages", unknown("page", page, pages))
            elif page == question.pages[0] and page.startswith(FOLDER) and question.where in WHERE:
                word, wanted = str(pages[page].get("where", "here")), WHERE[question.where][1]
                if word != wanted:
                    words = f"{where} is {question.where!r}, but its page {page} says where: {word}"
                    yield told("questions", index, "where", f"{words}; write where: {wanted} there, or change the mark")
        offered = {name for found in question.sweeps if found in by_id for name in workloads_of(by_id[found])}
        for name in question.workloads:
            if name not in specs:
                yield told("questions", index, "workloads", unknown("workload", name, specs))
            elif name not in offered:
                words = f"workload {name!r} belongs to none of the sweeps of {where}"
                yield told("questions", index, "workloads", f"{words}; leave it out, or name its sweep")
        if question.where in MEASURABLE and not question.workloads:
            yield told("questions", index, "where", f"{where} can be measured but names no workloads; add some")
        for part in question.only:
            yield from (told("questions", index, "only", words) for words in _part_problems(part, specs))
    for number, page in register.beliefs.items():
        if page not in pages:
            yield told("beliefs", 0, number, unknown("page", page, pages))


def workloads_of(sweep: Sweep) -> tuple[str, ...]:
    """The workloads that carry a sweep out, in the order of its parts."""
    return tuple(dict.fromkeys(name for part in sweep.measured for name in part.workloads))


# Small parts.


def asked(question: Question, sources: Mapping[str, Source]) -> str:
    """A question's wording."""
    lead = sources[question.pages[0]]
    return question.asked or str(lead.meta.get("title", lead.path))


def _part_problems(part: Part, specs: Mapping[str, Workload]) -> Iterator[str]:
    for name in part.workloads:
        if name not in specs:
            yield unknown("workload", name, specs)
    variants = [
        v for name in part.workloads or specs if name in specs for vs in specs[name].variants.values() for v in vs
    ]
    for tag in part.tags:
        if tag not in (known := {v.sweep for v in variants if v.sweep}):
            yield unknown("sweep tag", tag, known)
    fields = CELL_FIELDS | {key for v in variants for key in v.params}
    for name in part.cell:
        if name not in fields:
            yield unknown("field of a cell", name, fields)
    if part.differ and part.differ not in CELL_FIELDS:
        yield unknown("field of a cell", part.differ, CELL_FIELDS)
    if part.needs and part.needs not in Run.__struct_fields__:
        yield unknown("field of a run", part.needs, Run.__struct_fields__)
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
