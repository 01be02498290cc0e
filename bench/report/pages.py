"""Pages: from Markdown sources and stored records to ``{path: content}``. Reads both, writes only a cache of drawings.

Every source under docs/ is a Jinja template; the rendered page replaces it. Workload, machine and evidence pages and
the data files are generated. Nothing here knows a site generator: addresses are those of pages that are folders
("faq/x.md" is served at "faq/x/"), which any generator can be told to use.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import html
import io
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
import yaml

from bench import REPOSITORY, ROOT, schema
from bench.records import files as records_files
from bench.records import store
from bench.records.store import SessionResults
from bench.report import (
    against,
    answers,
    beside,
    calculators,
    cards,
    charts,
    facts,
    flipped,
    freshness,
    groups,
    heads,
    history,
    kept,
    ledger,
    published,
    questions,
    rooflines,
    rules,
    sharing,
    stats,
    studies,
    tables,
    total_time,
    traces,
    trust,
    verdicts,
)
from bench.report import format as fmt
from bench.report.rows import OLDER, CellRef, Evidence, is_older_method
from bench.schema import Record, Run, Workload
from bench.workloads import registry

Pages = dict[str, str | bytes]
CODE = ROOT  # with the published figures and the counted operations
CACHE = REPOSITORY / ".cache" / "charts"
CARD_CACHE = CACHE.parent / "cards"
# In the search an answer comes before a belief and a guide, and those before everything else.
SEARCH_BOOST = {"faq": 2.0, "misconceptions": 1.0, "guides": 1.0}
OTHER_BOOST = 0.5
VEGA = "assets/vega/vega.js"
MISSING = '<span class="missing">not measured yet</span>'
# Title of each folder in the menu, in order; folders not listed here stay out of it.
MENU = {
    "faq": "Questions",
    "misconceptions": "Misconceptions",
    "workloads": "Measurements",
    "machines": "Machines",
    "guides": "Guides",
    "method": "Method",
    "notebooks": "Notebooks",
    "articles": "Articles",
    "contributing": "Contributing",
}
# What others published about a workload of ours or its nearest relative, shown where our GPU arm is missing.
PUBLISHED_SPEEDUPS = {
    "resnet50": ("cnnb-resnet-50-gtx-1080-ti-speedup", "kapp-resnet50-cpu-gpu-ratio"),
    "inception-v3": ("kapp-inceptionv3-cpu-gpu-ratio",),
    "mobilenet-v2": ("kapp-mobilenetv2-cpu-gpu-ratio",),
    "lstm-text": ("dawn-bidaf-ratio-k80",),
}
ANCHOR = "chart-anchor-"  # stands for a drawing's place on a page until that is known
BRANCH = "main"  # of the repository, in links to notebooks
LONGEST_UNBROKEN = 36  # characters of an interval that a phone shows in one line
PER_MACHINE = ("machines", "sessions")  # tables whose rows are machines, or what one of them did
# Kinds of published figures whose remark waits on their own page; doubtful kinds carry it beside the number.
QUIET_KINDS = ("derived", "secondary")
MEASURED_HERE = {"train": "training", "infer": "inference", "probe": "probe", "study": "study"}
MAIN_MODE: Mapping[schema.Kind, schema.Mode] = {"model": "train", "probe": "probe", "study": "study"}
# What a page shows of a record, in words, and the estimate behind it.
QUANTITIES: tuple[tuple[str, str, Callable[[Record], stats.Estimate | None]], ...] = (
    ("throughput", "Throughput", stats.throughput),
    ("step", "Steady step", stats.step_time),
    ("latency", "Latency of one step", stats.latency),
    ("first-step", "First step", stats.first_step),
    ("start-up", "Start-up", stats.start_up),
    ("job", "Whole job", stats.job_time),
    ("target", "Time to target", stats.time_to_target),
    ("reached", "Runs that reached the target", stats.reached_frac),
    ("rate", "Rate", stats.flop_rate),
    ("host-memory", "Peak memory", stats.peak_host_bytes),
    ("device-memory", "Peak GPU memory", stats.peak_device_bytes),
    ("energy", "Energy", stats.energy),
)


class PageError(ValueError):
    """A page that cannot be rendered; the message begins with file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Markdown source: where it is, its front matter as written, and its body."""

    path: str  # relative to docs/
    shown: str  # as messages name it
    meta: dict[str, Any]
    head: str
    body: str

    @property
    def n_head_lines(self) -> int:
        """Lines above the body."""
        return self.head.count("\n")


@dataclass(slots=True, kw_only=True)
class Used:
    """What the pages referred to while they were rendered."""

    facts: dict[str, facts.Fact] = field(default_factory=dict)
    figures: dict[str, published.Figure] = field(default_factory=dict)
    groups: dict[str, tuple[list[str], tuple[CellRef, ...]]] = field(default_factory=dict)
    drawings: dict[str, charts.Drawing] = field(default_factory=dict)


def build(
    docs: Path, results: Path, *, address: str = "", summary: str = "", repository: str = "", keep: Path | None = None
) -> Pages:
    """Every page and data file of the site.

    Args:
        address: the site's public address, with a slash at its end, for citations; empty when it has none.
        summary: what the site is, in a sentence.
        repository: the repository's public address; without it notebooks have no links to Colab and Kaggle.
        keep: folder for what the records alone decide, so that the next build need not work it out again.

    Raises:
        PageError: a source cannot be rendered, or a stored record is broken; says file and place.
    """
    site = Site(docs, _evidence(results), address=address, summary=summary)
    state = _recall(site.evidence, results, keep) if keep else ""
    site.check_heads()
    pages: Pages = {}
    rendered = {source.path: site.render(source) for source in site.sources.values()}
    for path, (head, body) in rendered.items():
        pages[path] = head + body
    pages |= site.redirects()
    pages |= site.workload_pages()
    pages |= site.machine_pages()
    answers = site.answers(rendered)
    pages |= site.answer_files(answers)
    if "faq/index.md" in pages:
        pages["faq/index.md"] += f"\n{json_ld([one for one in answers if one['kind'] == 'answer'])}\n"
    pages |= site.card_files(rendered)
    pages |= site.claim_files()
    pages |= _evidence_pages(site.evidence, site.address)
    pages["evidence/index.md"] = _evidence_index(site.evidence)
    pages["evidence/facts.md"] = site.facts_page()
    pages["evidence/published.md"] = site.published_page()
    pages |= _notebooks(docs, repository)
    pages |= site.chart_files()
    pages |= _data_files(site.evidence, results)
    if keep:
        _remember(keep, state)
    return dict(sorted(pages.items()))


UNORDERED = 1_000  # place of a page that does not name one


def navigation(pages: Mapping[str, str | bytes]) -> list[dict[str, Any]]:
    """The menu as nested lists of ``{title: path}``, from the folders of the pages."""
    menu: list[dict[str, Any]] = [{"Home": "index.md"}] if "index.md" in pages else []
    for folder, title in MENU.items():
        paths = [p for p in pages if p.startswith(f"{folder}/") and p.endswith((".md", ".ipynb"))]
        paths.sort(key=lambda path: (not path.endswith("/index.md"), _order(pages[path]), path))
        if not paths:
            continue
        if len(paths) == 1:
            menu.append({title: paths[0]})
        else:
            menu.append({title: _menu_of(pages, paths)})
    return menu


def _menu_of(pages: Mapping[str, str | bytes], paths: Sequence[str]) -> list[Any]:
    """One folder's entries; pages that name a group stand below its heading, in the order of the groups."""
    entries: list[Any] = []
    found: dict[str, list[Any]] = {}
    for path in paths:
        group = _head_value(pages[path], "group")
        entry = path if path.endswith("index.md") else {_title(pages, path): path}
        (found.setdefault(group, []) if group else entries).append(entry)
    return entries + [{groups.heading(group): found[group]} for group in sorted(found, key=groups.place)]


def _order(text: str | bytes) -> int:
    """A page's place in its folder's menu, from ``order`` in its front matter; pages without one come last."""
    found = _head_value(text, "order") or _notebook_order(text)
    return int(found) if found.isdigit() else UNORDERED


def _head_value(text: str | bytes, key: str) -> str:
    """A plain value of a page's front matter; empty where there is none."""
    if not isinstance(text, str):
        return ""
    found = re.search(rf"^{key}: *(\S+) *$", text.partition("\n---")[0], re.M)
    return found.group(1) if found else ""


def _notebook_order(text: str | bytes) -> str:
    """A notebook's ``order``, from its metadata; empty for other pages."""
    if not isinstance(text, str) or not text.startswith("{"):
        return ""
    return str(json.loads(text)["metadata"].get("order", ""))


def _title(pages: Mapping[str, str | bytes], path: str) -> str:
    text = pages[path]
    if path.endswith(".ipynb"):
        return "".join(json.loads(text)["cells"][0]["source"]).partition("\n")[0].removeprefix("# ")
    found = re.search(r"^(?:short_title|title): *(.+)$", text, re.M) if isinstance(text, str) else None
    if not found:
        return Path(path).stem.replace("-", " ").capitalize()
    return yaml.load(found.group(1), Loader=published.YAML_LOADER)


# Addresses.


def url_of(path: str) -> str:
    """Address of a page below the site's root; "" is the home page."""
    if not path.endswith((".md", ".ipynb")):
        return path
    stem = path.rsplit(".", 1)[0]
    if posixpath.basename(stem) in ("index", "README"):
        folder = posixpath.dirname(stem)
        return f"{folder}/" if folder else ""
    return f"{stem}/"


def href(page: str, target: str, anchor: str = "") -> str:
    """Relative address of one page or file as seen from another page."""
    start, goal = url_of(page), url_of(target)
    if start == goal and anchor:
        return f"#{anchor}"
    found = posixpath.relpath(goal or ".", posixpath.dirname(start) or ".")
    if (goal.endswith("/") or not goal) and not found.endswith("/"):
        found += "/"
    return f"{found}#{anchor}" if anchor else found


def machine_slug(session: SessionResults) -> str:
    """Machine's name in addresses; measurements that are not published are told apart."""
    return f"local-{session.machine.id}" if session.is_local else session.machine.id


def evidence_path(session: SessionResults, workload: str) -> str:
    """Page that holds the raw samples of a session's workload."""
    return f"evidence/{machine_slug(session)}/{session.session.id}/{workload}.md"


def evidence_of(ref: CellRef) -> str:
    """Page that holds the raw samples of a cell."""
    return f"evidence/{ref.machine}/{ref.session}/{ref.workload}.md"


def data_path(session: SessionResults, name: str) -> str:
    """Download of one stored file of a session."""
    return f"data/{machine_slug(session)}/{session.session.id}/{name}.json"


# Loading, kept between builds of one process: under `mkdocs serve` only what changed is read again.


def _fingerprint(results: Path) -> str:
    seen = hashlib.sha256()
    for path in sorted(results.rglob("*.json")):
        status = path.stat()
        seen.update(f"{path}:{status.st_mtime_ns}:{status.st_size}\n".encode())
    return seen.hexdigest()


def _evidence(results: Path) -> Evidence:
    key = (str(results), _fingerprint(results))
    if _LOADED.get("key") != key:
        _LOADED.clear()
        try:
            loaded = store.load(results)
        except records_files.RecordError as error:
            raise PageError(str(error)) from error
        _LOADED["evidence"] = Evidence(loaded, registry.workloads())
        _LOADED["key"] = key
    return _LOADED["evidence"]


_LOADED: dict[str, Any] = {}
_KEPT: dict[str, Any] = {}


def _keep(evidence: Evidence, name: str, make: Callable[[], Any]) -> Any:
    """The value for this evidence, made once."""
    if _KEPT.get("evidence") is not evidence:
        _KEPT.clear()
        _KEPT["evidence"] = evidence
    if name not in _KEPT:
        _KEPT[name] = make()
    return _KEPT[name]


ON_DISK = ("drawing ", "svg ", "table ", "claims", "evidence pages ", "flips")  # slow to make, and made of plain data


def _recall(evidence: Evidence, results: Path, folder: Path) -> str:
    """Take what an earlier process kept for this evidence, unless this one has begun already; the state's name."""
    name = kept.name_of(_fingerprint(results), CODE)
    if _KEPT.get("evidence") is not evidence:
        _KEPT.clear()
        _KEPT.update(kept.load(folder, name), evidence=evidence)
        _KEPT["on disk"] = frozenset(_KEPT)
    return name


def _remember(folder: Path, name: str) -> None:
    """Keep what was worked out since, for the next process."""
    values = {key: value for key, value in _KEPT.items() if key.startswith(ON_DISK)}
    if not _KEPT.get("on disk", frozenset()) >= values.keys():
        kept.save(folder, name, values)
        _KEPT["on disk"] = frozenset(values)


def _read(docs: Path) -> dict[str, Source]:
    sources = {}
    for path in sorted(docs.rglob("*.md")):
        relative = path.relative_to(docs)
        if any(part.startswith(("_", ".")) for part in relative.parts):
            continue
        text = path.read_text(encoding="utf-8")
        match = re.match(r"---\n(.*?)\n---\n", text, re.S)
        shown = f"{docs.name}/{relative.as_posix()}"
        try:
            meta = yaml.load(match.group(1), Loader=published.YAML_LOADER) if match else {}
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
            raise PageError(f"{shown}:{line}: the front matter is no YAML: {error}") from error
        if not isinstance(meta, dict):
            raise PageError(f"{shown}:1: the front matter must be keys and values")
        head = match.group(0) if match else ""
        sources[relative.as_posix()] = Source(
            path=relative.as_posix(), shown=shown, meta=meta, head=head, body=text[len(head) :]
        )
    return sources


# Small pieces of HTML.


def _e(text: object) -> str:
    return html.escape(str(text), quote=True)


def _small(text: str) -> str:
    """A value with its interval set smaller: "12.4x <small>(11.9 to 12.8, n = 5)</small>"."""
    match = re.fullmatch(r"([^(]+) (\([^()]*\b(?:n = \d+|one run\b)[^()]*\))(.*)", text)
    if match is None:
        return _e(text)
    value, interval, rest = match.groups()
    return f'<span class="value">{_e(value)}</span> {_smaller(interval)}{_e(rest)}'


def _smaller(interval: str) -> str:
    """An interval as HTML, which breaks nowhere if it is short."""
    short = ' class="short"' if len(interval) <= LONGEST_UNBROKEN else ""
    return f"<small{short}>{_e(interval)}</small>"


TABLE_LINES = re.compile(r"^\|.*(?:\n\|.*)+", re.M)
PLACED = re.compile(r"<small[^>]*>([^<]*); on ([^<;]+)\)</small>")


def say_place_once(text: str) -> str:
    """Tables of which every number is from one machine, and not from the site's main one: the machine below them, once.

    Args:
        text: Markdown with its numbers filled in.
    """

    def shorten(match: re.Match[str]) -> str:
        table = match.group()
        places = [machine for _, machine in PLACED.findall(table)]
        if len(places) < 2 or len(set(places)) > 1 or len(places) != table.count('<a class="num"'):
            return table
        bare = PLACED.sub(lambda placed: _smaller(html.unescape(f"{placed.group(1)})")), table)
        return f"{bare}\n\n*Measured on {places[0]}.*"

    return TABLE_LINES.sub(shorten, text)


def _ref(session: SessionResults, record: Record) -> CellRef:
    return CellRef(machine_slug(session), session.session.id, record.cell.workload, record.cell.id)


def _refs(cells: Iterable[CellRef | facts.CellKey]) -> tuple[CellRef, ...]:
    """Addresses of cells, whichever way a table, a verdict or a fact names them."""
    return tuple(c if isinstance(c, CellRef) else _ref(c[0], c[0].records[c[1]]) for c in cells)


def _key_of(ref: CellRef) -> str:
    return f"{ref.machine}/{ref.session}/{ref.cell}"


def _group_id(cells: Sequence[CellRef]) -> str:
    return "cells-" + hashlib.sha256("\n".join(map(_key_of, cells)).encode()).hexdigest()[:10]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", *, label: str = "Table") -> str:
    """HTML of a table in a box that scrolls by itself; cells are HTML already, the first of each row heads it.

    A row of one cell in a table of several columns heads the rows below it.
    """
    head = "".join(f'<th scope="col">{_e(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        if rest or len(columns) == 1
        else f'<tr class="group"><th colspan="{len(columns)}" scope="rowgroup"><span>{first}</span></th></tr>'
        for first, *rest in rows
    )
    words = f"<caption>{_e(caption)}</caption>" if caption else ""
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{_e(label)}"><table class="plain">{words}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _by_machine(table: tables.Table, rows: Iterable[Sequence[str]]) -> tuple[list[str], list[list[str]]] | None:
    """Columns and rows of a table without its machines, each of which heads its rows instead.

    None where the table has no machines, or a row is about one.
    """
    if table.columns[:1] != (tables.MACHINE,) or table.id in PER_MACHINE:
        return None
    found: list[list[str]] = []
    before = None
    for row, cells in zip(rows, table.rows, strict=True):
        machine = cells[0]
        if machine != before:
            note = f' <span class="note">{_e(machine.note)}</span>' if machine.note else ""
            found.append([_e(machine.text) + note])
        found.append(list(row[1:]))
        before = machine
    return list(table.columns[1:]), found


def _facts_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Terms and values; values are HTML already."""
    return '<dl class="facts">' + "".join(f"<dt>{_e(term)}</dt><dd>{value}</dd>" for term, value in pairs) + "</dl>"


def _badge(word: str) -> str:
    return f'<span class="badge badge-{word.replace(" ", "-").replace("_", "-")}">{_e(word.replace("_", " "))}</span>'


def _basis(verdict: verdicts.Verdict) -> str:
    """What a verdict rests on, where it is not our records."""
    return f' <span class="resting">{rules.RESTING}</span>' if verdict.basis == "published" else ""


def _block(text: str) -> str:
    """HTML that Markdown must leave alone: without the blank lines that would end it."""
    return re.sub(r"\n\s*\n+", "\n", text)


def _front(title: str, description: str, *, search: bool = True, hide: Sequence[str] = ()) -> str:
    meta: dict[str, Any] = {"title": title, "description": description}
    meta["search"] = {"boost": OTHER_BOOST} if search else {"exclude": True}
    if hide:
        meta["hide"] = list(hide)
    return f"---\n{yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=1000)}---\n\n"


def _plain(text: str) -> str:
    """Markdown and HTML without their marks, for machines."""
    text = re.sub(r"<!--.*?-->|</?[a-zA-Z][^>]*>", "", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`)", "", text)
    return " ".join(html.unescape(text).split())


def _first_paragraph(body: str) -> str:
    """The first block of prose of a rendered page."""
    for block in re.split(r"\n\s*\n", body):
        block = block.strip()
        if block and not block.startswith(("#", "|", "!!!", "???", "```", "<figure", "<div", "<script", "<details")):
            return block
    return ""


def cell_words(record: Record) -> str:
    """A cell in words: what ran, with what, on what."""
    cell = record.cell
    parts = [
        MEASURED_HERE[cell.mode],
        f"{charts.BACKEND_NAMES[cell.backend]} on {cell.device.upper()}",
        cell.precision,
        f"XLA {cell.jit}",
        f"batch {cell.batch_size:,}",
        f"{cell.threads} thread{'s' if cell.threads != 1 else ''}",
    ]
    return ", ".join([*parts, *(f"{key} {value}" for key, value in sorted(cell.params.items()))])


def _finished_at(session: SessionResults) -> str:
    return session.session.started_at[:10]


def _commit(session: SessionResults, record: Record | None = None) -> str:
    if record is not None and record.commit not in (None, session.session.commit):
        return record.commit[:12]
    commit = session.session.commit
    if commit is None:
        return "not recorded"
    return f"{commit[:12]}{' (with uncommitted changes)' if session.session.dirty else ''}"


def rerun_line(session: SessionResults, cell_id: str) -> str:
    """The command that repeats one cell; of a published one, with a verdict on whether the two agree."""
    if session.is_local:
        return f"python scripts/refresh_benchmarks.py --cell {cell_id}"
    return f"python -m bench.cli repro {cell_id}"


class Site:
    """The pages of one build: sources, evidence, and what the pages refer to."""

    def __init__(self, docs: Path, evidence: Evidence, *, address: str = "", summary: str = "") -> None:
        """Reads the sources."""
        self.evidence = evidence
        self.address, self.summary = address, summary
        self.sources = _read(docs)
        self.docs = docs
        self.numbered = questions.Register()
        self.used = Used()
        self.env = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
        self._voices: dict[str, Voice] = {}
        self._decided: dict[str, answers.Answer | None] = {}
        self._sessions = {(machine_slug(s), s.session.id): s for s in evidence.sessions}

    def check_heads(self) -> None:
        """Refuses sources whose front matter or ids are wrong.

        Raises:
            PageError: every problem, each with file, line and what to do.
        """
        path = self.docs / heads.REGISTRY
        try:
            registered = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            told = f"{error}; an id stands there once, as: name = {{ page = ..., since = ... }}"
            raise PageError(f"docs/{heads.REGISTRY}:{at.group(1) if at else 1}: {told}") from error
        found = heads.problems(
            self.sources.values(),
            verdicts=rules.ALL,
            workloads=self.evidence.workloads,
            groups=groups.GROUPS,
            registered=registered,
        )
        known = {"verdicts": rules.ALL, "facts": facts.names(self.evidence.workloads), "figures": published.figures()}
        of_answers = (
            f"{source.shown}:{line}: {told}"
            for source in self.sources.values()
            for line, told in answers.problems(source.meta, source.head, source.body, **known)
        )
        if wrong := [*found, *of_answers]:
            raise PageError("\n".join(wrong))
        self.numbered = self._numbered()

    def _numbered(self) -> questions.Register:
        """The numbered questions; none where a checkout has no list of them."""
        path = self.docs / questions.FILE
        if not path.is_file():
            return questions.Register()
        heads_of = {name: source.meta for name, source in self.sources.items()}
        try:
            text = path.read_text(encoding="utf-8")
            return questions.checked(text, f"docs/{path.name}", pages=heads_of, specs=self.evidence.workloads)
        except questions.QuestionsError as error:
            raise PageError(str(error)) from error

    # Rendering of sources.

    def render(self, source: Source) -> tuple[str, str]:
        """Head and body of one source, placeholders replaced.

        Raises:
            PageError: with file and line.
        """
        voice = self._voices[source.path] = Voice(self, source.path)
        body = self._fill(source.body, voice, source, source.n_head_lines)
        head = answers.without(source.head)
        if "{{" in head or "{%" in head:
            head = self._fill(head, PlainVoice(self, source.path), source, 0)
        body = re.sub(r" *<!-- (?:cites|setting): [^>]*-->", "", body)
        folder, name = posixpath.split(source.path)
        if source.path == "index.md":
            body = self._hero(source, body, voice)
            head = _with_meta(head, "hide:\n  - navigation\n  - toc\n")
        answer = ""
        if folder in ("faq", "misconceptions") and name != "index.md":
            answer = self.short_answer(source, body)
            body = body.rstrip("\n") + "\n\n" + self._provenance(source, voice) + "\n"
            body += "\n" + json_ld([{"question": source.meta.get("title", ""), "answer": answer}]) + "\n"
        return _with_meta(head, self._for_readers(source, answer)), body

    def _for_readers(self, source: Source, answer: str) -> str:
        """Front matter that the site generator reads: words and weight for the search, answer and card for links."""
        meta: dict[str, Any] = {}
        if "search" not in source.meta:
            meta["search"] = {"boost": SEARCH_BOOST.get(posixpath.dirname(source.path), OTHER_BOOST)}
        if asked := _asks(source):
            meta["tags"] = asked
        if answer:
            meta |= {"answer": answer} | ({"description": answer} if self.decide(source) else {})
        if card := self.card_path(source):
            meta["card"] = self.address + card
        return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=100_000)

    def card_path(self, source: Source) -> str:
        """Where the picture of a page lies; empty on a site without a public address, which nobody links to."""
        known = self.address and source.meta.get("id") and source.meta.get("title")
        return f"assets/cards/{source.meta['id']}.png" if known else ""

    def card_files(self, rendered: Mapping[str, tuple[str, str]]) -> Pages:
        """A picture for every page that has one: its title with its short answer or its description."""
        pages: Pages = {}
        for path, source in self.sources.items():
            if card := self.card_path(source):
                meta = yaml.load(rendered[path][0].strip().strip("-"), Loader=published.YAML_LOADER)
                words = str(meta.get("answer") or meta.get("description") or "")
                pages[card] = _card(cards.svg(str(meta["title"]), words, sharing.SITE))
        return pages

    def _fill(self, text: str, voice: Voice, source: Source, n_lines_above: int) -> str:
        try:
            decided = self.decide(source)
            opening = {answers.KEY: functools.partial(voice.opening, decided)} if decided else {}
            return say_place_once(self.env.from_string(text).render(**voice.calls(), **opening))
        except jinja2.TemplateSyntaxError as error:
            raise PageError(f"{source.shown}:{n_lines_above + error.lineno}: {error.message}") from error
        except PageError:
            raise
        except Exception as error:
            line = n_lines_above + (_template_line(error) or 1)
            raise PageError(f"{source.shown}:{line}: {_message(error)}") from error

    def decide(self, source: Source) -> answers.Answer | None:
        """The answer that the records decide; None for a page whose answer is plain text."""
        if source.path not in self._decided:
            spec = answers.spec_of(source.meta)
            found = answers.decide(str(source.meta.get("id")), spec, self.evidence) if spec else None
            self._decided[source.path] = found
        return self._decided[source.path]

    def answer(self, path: str, shown_on: str) -> str:
        """First paragraph of a source as HTML for another page."""
        source = self.sources[path]
        body = self._fill(source.body, Voice(self, shown_on), source, source.n_head_lines)
        return _inline(_first_paragraph(body), path, shown_on)

    def _hero(self, source: Source, body: str, voice: Voice) -> str:
        """The home page's first paragraphs as its opening, with the machine they come from."""
        match = re.search(r"^(?=<figure|<div|## |\|)", body, re.M)
        opening, rest = (body[: match.start()], body[match.start() :]) if match else (body, "")
        lead = self.evidence.lead
        if lead is None:
            where = "Nothing has been measured yet. Run <code>make refresh</code> to begin with this machine."
        else:
            whose = "this machine" if lead.is_local else "a published machine"
            used = {self.evidence.key(session): session for fact in voice.facts for session, _ in fact.cells}
            links = [
                f'<a href="{href(source.path, f"machines/{machine_slug(session)}.md")}">'
                f"{_e(self.machine_words(session))}</a>"
                for session in ({self.evidence.key(lead): lead} | used).values()
            ]
            where = (
                f"Measured on <strong>{whose}</strong>: {' and '.join(links)}, "
                f"{self._measured_when(voice) or _finished_at(lead)}."
            )
        title = _e(source.meta.get("title", ""))
        paragraphs = [_inline(block, source.path, source.path) for block in re.split(r"\n\s*\n", opening.strip())]
        words = "".join(f"<p>{text}</p>" for text in paragraphs if text)
        return f'<div class="hero"><h1>{title}</h1>{words}<p class="measured-on">{where}</p></div>\n\n{rest}'

    def machine_words(self, session: SessionResults) -> str:
        """A machine's GPU, where one was measured, its CPU and the cores used."""
        beside = f"{self.evidence.gpu_text(session)} beside " if self.evidence.has_gpu(session) else ""
        return f"{beside}{session.machine.cpu_model}, {fmt.cores(session.session.n_cores_effective)}"

    def _measured_when(self, voice: Voice) -> str:
        """Days of a page's own numbers, with what says so when they are old; empty without numbers."""
        used = list({id(session): session for session in voice.sessions()}.values())
        days = freshness.days(used)
        if not days:
            return ""
        late = freshness.behind(used, self.evidence.sessions)
        badge = f' <span class="aged">{_e(late)}</span>' if late else ""
        return (
            f'<span data-day="{days[0]}" data-old-at-days="{freshness.OLD_AT_DAYS}">{" to ".join(days)}</span>{badge}'
        )

    def _provenance(self, source: Source, voice: Voice) -> str:
        """Below an answer: its id, how old its numbers are, and how else people ask."""
        when = self._measured_when(voice) or "no measurement yet"
        data = href(source.path, "data/answers.json")
        asked = _asks(source)
        also = f"<br>Also asked as: {_e(' · '.join(asked))}" if asked else ""
        decided = self.decide(source)
        how = f"<br>Decided: {_e(decided.statement)} {_badge(decided.outcome)} {_e(decided.rule)}" if decided else ""
        return (
            f'<div class="provenance">Permanent id of this page: <code>{_e(source.meta.get("id", ""))}</code>. '
            f'Numbers measured: {when}. <a href="{data}">All answers as data</a>.{also}{how}</div>'
        )

    def short_answer(self, source: Source, body: str) -> str:
        """One paragraph of plain text: the verdict's sentence where the page has one, else its first paragraph."""
        if source.meta.get("verdict"):
            verdict = self.judge(str(source.meta["verdict"]))
            resting = f" ({rules.RESTING})" if verdict.basis == "published" else ""
            return f"{verdict.outcome.capitalize()}{resting}. {verdict.sentence}"
        if (decided := self.decide(source)) is not None:
            return _plain(decided.sentence)
        return _plain(_first_paragraph(body))

    def redirects(self) -> Pages:
        """A stub at every address that a page has left (``redirect_from`` in its front matter)."""
        pages: Pages = {}
        for source in self.sources.values():
            for old in source.meta.get("redirect_from", ()):
                at = url_of(old) if old.endswith(".md") else f"{str(old).strip('/')}/"
                stub = f"{at}index.html"
                target = _e(href(old if old.endswith(".md") else f"{at}index.md", source.path))
                pages[stub] = (
                    f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Moved</title>'
                    f'<link rel="canonical" href="{target}"><meta http-equiv="refresh" content="0; url={target}">'
                    f'</head><body><p>This page moved: <a href="{target}">follow it</a>.</p></body></html>\n'
                )
        return pages

    # Numbers.

    def number(
        self, page: str, text: str, cells: Iterable[CellRef | facts.CellKey], *, anchor: str = "", hint: str = ""
    ) -> str:
        """A displayed number: a link to the one record behind it, or to the list of all of them."""
        refs = _refs(cells)
        if len(refs) == 1:
            target = href(page, evidence_of(refs[0]), refs[0].cell)
        else:
            if not anchor:
                anchor = _group_id(refs)
                shown, _ = self.used.groups.setdefault(anchor, ([], refs))
                if text not in shown:
                    shown.append(text)
            target = href(page, "evidence/facts.md", anchor)
        names = " ".join(map(_key_of, refs))
        title = f"{hint}: open the evidence" if hint else "Open the evidence"
        return f'<a class="num" href="{_e(target)}" data-cells="{_e(names)}" title="{_e(title)}">{_small(text)}</a>'

    def fact(self, name: str) -> facts.Fact:
        """A fact, looked up once for each state of the records."""
        return _keep(self.evidence, f"fact {name}", lambda: facts.lookup(name, self.evidence))

    def judge(self, verdict_id: str) -> verdicts.Verdict:
        """A verdict, reached once for each state of the records."""
        return _keep(self.evidence, f"verdict {verdict_id}", lambda: verdicts.lookup(verdict_id, self.evidence))

    def claims(self) -> tuple[ledger.Item, ...]:
        """Every claim of the articles with its verdict, worked out once for each state of the records."""
        return _keep(self.evidence, "claims", lambda: ledger.items(self.evidence))

    def named(self) -> tuple[ledger.State, ...]:
        """Everything the articles name, with its state."""
        return _keep(self.evidence, "named", lambda: ledger.states(self.evidence))

    def claim_files(self) -> Pages:
        """The ledger as data, from the same objects as its page."""
        found = self.claims()
        data = {
            "counts": ledger.counts(found),
            "claims": [
                {
                    "id": item.claim.id,
                    "article": item.claim.article,
                    "section": item.claim.section,
                    "claim": item.claim.claim,
                    "kind": item.claim.kind,
                    "verdict": item.word,
                    "basis": item.basis,
                    "because": item.sentence,
                    "rule": item.rule,
                    "test": item.claim.test,
                    "address": f"{url_of('articles/index.md')}#{item.claim.id}",
                    "explained": url_of(item.claim.page),
                    "cells": [_key_of(ref) for part in item.parts for ref in part.cells],
                    "published": sorted({*item.claim.evidence, *(row for part in item.parts for row in part.figures)}),
                }
                for item in found
            ],
            "named": [
                {
                    "id": state.named.id,
                    "name": state.named.name,
                    "type": state.named.type,
                    "state": state.word,
                    "known": "".join(part.text for part in state.parts),
                    "explained": url_of(state.named.page),
                }
                for state in self.named()
            ],
        }
        text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        return {"data/claims.json": text, "claims.json": text}

    # Charts.

    def drawn(self, drawing: charts.Drawing, kind: str, anchor: str) -> str:
        """Inline SVG of a drawing under the given anchor."""
        spec = drawing.wide if kind == "wide" else drawing.narrow
        text = _keep(self.evidence, f"svg {drawing.key} {kind}", lambda: svg(spec, drawing, ANCHOR, kind))
        return text.replace(ANCHOR, anchor)

    def draw(self, chart_id: str, workload: str = "") -> charts.Drawing:
        """A chart of the leading session, drawn once per build."""
        key = f"{chart_id}--{workload}" if workload else chart_id
        if key not in self.used.drawings:
            self.used.drawings[key] = _keep(
                self.evidence,
                f"drawing {key}",
                lambda: charts.draw(chart_id, self.evidence, workload=workload, others=_others(chart_id)),
            )
        return self.used.drawings[key]

    def make_table(
        self,
        table_id: str,
        workload: str = "",
        session: SessionResults | None = None,
        first: SessionResults | None = None,
    ) -> tables.Table:
        """A table, made once for each state of the records; ``first`` begins it, else the leading session."""
        key = f"table {table_id} {workload} {session.path if session else ''} {first.path if first else ''}"
        options = {"workload": workload, "session": session, "first": first}
        return _keep(self.evidence, key, functools.partial(tables.make, table_id, self.evidence, **options))

    def chart_files(self) -> Pages:
        """Specification and values of every chart that a page shows, and the library that animates them."""
        shades = _light_shades(self.docs)
        pages: Pages = {}
        for key, drawing in self.used.drawings.items():
            plain = _recoloured(json.dumps(drawing.wide), shades)
            spec = json.loads(plain) | {
                "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
                "title": drawing.title,
                "description": drawing.description,
                "usermeta": {
                    "wide": drawing.wide,
                    "narrow": drawing.narrow,
                    "colours": {sentinel: role for role, sentinel in charts.COLOURS.items()},
                },
            }
            pages[f"data/charts/{key}.vl.json"] = json.dumps(spec, indent=1, sort_keys=True) + "\n"
            pages[f"data/charts/{key}.csv"] = _csv(self.make_table(drawing.id, drawing.workload, first=drawing.session))
        if pages:
            pages[VEGA] = _vega()
        return pages

    # Generated pages.

    def workload_pages(self) -> Pages:
        """One page per workload, and their index."""
        lead, gpu = self.evidence.lead, self.evidence.gpu_session()
        measured: list[tuple[str, SessionResults | None, schema.Device]] = [("CPU", lead, "cpu"), ("GPU", lead, "gpu")]
        beside = ""
        if gpu is not None and gpu is not lead:
            measured = [("CPU", lead, "cpu"), ("CPU beside the GPU", gpu, "cpu"), ("GPU", gpu, "gpu")]
            beside = f" Beside them those{self._where(gpu)}."
        pages: Pages = {}
        rows = []
        for spec in self.evidence.workloads.values():
            path = f"workloads/{spec.id}.md"
            pages[path] = self._workload_page(path, spec)
            voice = Voice(self, "workloads/index.md")
            mode = MAIN_MODE[spec.kind]
            rows.append(
                (
                    f'<a href="{_e(href("workloads/index.md", path))}">{_e(spec.title)}</a>',
                    _e(spec.summary),
                    *(voice.best(spec, mode, device, session) for _, session, device in measured),
                )
            )
        intro = (
            "Each workload is a fixed task: the same data, the same model, the same stopping rule on every machine.\n"
            f"The numbers below are training speed{self._where(lead)}; the fastest backend of each device.{beside}\n\n"
        )
        columns = ("Workload", "What is done", *(name for name, _, _ in measured))
        pages["workloads/index.md"] = (
            _front("Measurements", "Every workload this site measures, with the newest numbers of the leading machine.")
            + intro
            + _table(columns, rows, label="Workloads")
            + "\n"
        )
        return pages

    def _where(self, session: SessionResults | None) -> str:
        """Where and when a session was measured, to end a sentence or a heading."""
        if session is None:
            return ""
        beside = f"{self.evidence.gpu_text(session)} beside " if self.evidence.has_gpu(session) else ""
        machine = "this machine" if session.is_local else f"{beside}{session.machine.cpu_model}"
        return f" on {machine}, measured {_finished_at(session)}"

    def _speakers(self, workload: str) -> list[SessionResults | None]:
        """Sessions that a workload's page is about: the leading one, then the first that ran it on a GPU."""
        lead, gpu = self.evidence.lead, self.evidence.gpu_session(workload)
        found = [lead] if gpu is None or gpu is lead else [lead, gpu]
        return [session for session in found if self.evidence.records(session, workload=workload)] or [lead]

    def _workload_page(self, path: str, spec: Workload) -> str:
        voice = Voice(self, path)
        parts = [_front(spec.title, spec.summary, hide=()), spec.summary, ""]
        about = [("Data", _e(spec.data_source)), ("Counted in", _e(spec.sample_noun))]
        if spec.target is not None:
            goal = f"{spec.target.metric} of at least {spec.target.at_least:g} on held-out data"
            about.append(("Done when", _e(f"{goal}, at most {spec.target.max_epochs} epochs")))
        about.append(("Weights", "pretrained" if spec.pretrained else "random at the start"))
        about.append(("Source hash", f"<code>{registry.source_hash(spec.id)}</code>"))
        parts += [_facts_list(about), ""]
        if spec.kind == "study":
            drawn = self.draw("study", spec.id).session if spec.series else self.evidence.lead
            parts += [f"## What was measured{self._where(drawn)}", ""]
            parts += [voice.chart("study", workload=spec.id) if spec.series else voice.table("study", spec.id), ""]
        else:
            for session in self._speakers(spec.id):
                shown = self._headline_table(voice, spec, session)
                parts += [f"## Headline numbers{self._where(session)}", "", shown, ""]
        for chart_id in self._charts_of(spec):
            parts += [voice.chart(chart_id, workload=spec.id), ""]
        parts += self._whole_jobs(path, spec)
        parts += ["## All results", "", self._all_results(path, self._of_workload(spec.id), with_machine=True), ""]
        parts += ["## What did not finish", "", self._failures(path, spec.id), ""]
        parts += ["## Measure it yourself", "", voice.rerun(spec.id), ""]
        return "\n".join(parts)

    def _whole_jobs(self, page: str, spec: Workload) -> list[str]:
        """Whether start-up, first step and steady steps add up to the job that was timed, cell by cell."""
        lead = self.evidence.lead
        rows = []
        for record in self.evidence.records(lead, workload=spec.id, mode="train", status="ok"):
            found = total_time.check(record)
            if found is not None:
                rows.append(
                    (
                        _e(cell_words(record)),
                        self.number(page, fmt.seconds(found.measured_s), (self.evidence.ref(record),)),
                        self.number(page, fmt.seconds(found.predicted_s), (self.evidence.ref(record),)),
                        _e(total_time.in_words(found)),
                    )
                )
        if not rows:
            return []
        table = _table(("Cell", "Measured", "Sum of the parts", "In words"), rows, label="Whole jobs")
        return ["## Does the whole equal its parts?", "", table, ""]

    def _charts_of(self, spec: Workload) -> list[str]:
        if spec.kind != "model":
            return ["matmul-rate"] if spec.id == "matmul" else []
        found = ["phase-times", "job-by-steps"]
        speakers = self._speakers(spec.id)
        measured = [r for s in speakers for r in self.evidence.records(s, workload=spec.id, status="ok")]
        if any(r.cell.mode == "train" and traces.shown(r) is not None for r in measured):
            found.append("warm-up")
        if any(rooflines.intensity(record) is not None for record in measured):
            found.append("roofs")
        if spec.target is not None:
            found.append("time-to-target")
        if spec.id == "mlp-tabular":
            found.append("mlp-surface")
        for session in speakers:
            trained = self.evidence.records(session, workload=spec.id, mode="train")
            if len({record.cell.batch_size for record in trained}) > 1:
                found.append("throughput-by-batch")
                break
        return found

    def _headline_table(self, voice: Voice, spec: Workload, session: SessionResults | None) -> str:
        """Every arm of one session: on a GPU also the faster precisions."""
        modes = ["probe"] if spec.kind == "probe" else ["train", "infer"]
        modes = [m for m in modes if any(v.mode == m for vs in spec.variants.values() for v in vs)] or modes[:1]
        columns = [(title, make) for _, title, make in QUANTITIES[:8]]
        if spec.kind == "probe":
            columns = [(title, make) for name, title, make in QUANTITIES if name in ("rate", "step", "first-step")]
        rows = []
        for mode in modes:
            arms = self._headline_arms(spec, session, mode)
            has_gpu = session is not None and bool(session.machine.gpus)
            lacks_gpu = not any(record and record.cell.device == "gpu" for _, record in arms)
            is_gap = lacks_gpu and (has_gpu or self.evidence.gpu_session(spec.id) is None)
            if len(modes) > 1 and (arms or is_gap):
                rows.append([MEASURED_HERE[mode].capitalize()])
            rows += [[name, *(voice.estimate(session, record, make, title) for title, make in columns)]
                     for name, record in arms]  # fmt: skip
            if is_gap:
                rows.append(["GPU", MISSING, *("" for _ in columns[1:])])
        full = [row for row in rows if len(row) > 1]
        keep = [k for k in range(len(columns)) if any(row[k + 1] not in ("", MISSING, "–") for row in full)] or [0]
        return _table(
            ["Arm", *(columns[k][0] for k in keep)],
            [[_e(row[0]), *(row[k + 1] for k in keep[: len(row) - 1])] for row in rows],
            "Medians over processes with 95 % intervals; n counts processes.",
            label=f"Headline numbers of {spec.title}{self._where(session)}",
        )

    def _headline_arms(
        self, spec: Workload, session: SessionResults | None, mode: schema.Mode
    ) -> list[tuple[str, Record | None]]:
        """Name and best record of each arm of a mode: of the leading session also the CPU arms it lacks."""
        found: list[tuple[str, Record | None]] = []
        for device in schema.DEVICES:
            for backend in self.evidence.backends(session):
                for precision in tables.PRECISIONS[: 1 if device == "cpu" else None]:
                    record = self.evidence.best(session, spec.id, mode, device, backend=backend, precision=precision)
                    if record is None and (device == "gpu" or session is not self.evidence.lead):
                        continue
                    name = f"{charts.BACKEND_NAMES[backend]}, {device.upper()}"
                    found.append((f"{name}, {fmt.precision(precision, device)}" if device == "gpu" else name, record))
        return found

    def _of_workload(self, workload: str) -> list[tuple[SessionResults, Record]]:
        return [(s, r) for s in self.evidence.sessions for r in s.records.values() if r.cell.workload == workload]

    def _all_results(self, page: str, found: Sequence[tuple[SessionResults, Record]], *, with_machine: bool) -> str:
        if not found:
            return MISSING
        rows = []
        for session, record in found:
            first = f"{_e(machine_slug(session))}, {session.session.id}" if with_machine else _e(record.spec.title)
            rate = stats.flop_rate(record) or stats.throughput(record)
            step = stats.step_time(record)
            cells = (_ref(session, record),)
            noun = record.spec.sample_noun
            shown = self.number(page, fmt.interval(rate, noun=noun), cells) if rate else ""
            if record.status == "ok" and record.spec.kind == "study":
                n_series, n_readings = len(studies.series_of(record)), len(studies.readings_of(record))
                words = [f"{n_series} series"] if n_series else []
                words += [f"{n_readings} reading{'s' if n_readings != 1 else ''}"] if n_readings else []
                shown = self.number(page, ", ".join(words), cells)
            rows.append(
                (
                    first,
                    _e(cell_words(record)),
                    shown or self._status(page, session, record),
                    self.number(page, fmt.interval(step), cells) if step else "",
                )
            )
        first = "Machine, session" if with_machine else "Workload"
        table = _table((first, "Cell", "Speed", "Steady step"), rows, label="All results")
        n = len(rows)
        return (
            f'<details class="plain"{" open" if n <= 12 else ""}><summary>{n} result{"s" if n != 1 else ""}</summary>'
            f"{table}</details>"
        )

    def _status(self, page: str, session: SessionResults, record: Record) -> str:
        target = href(page, evidence_path(session, record.cell.workload), record.cell.id)
        return f'{_badge(record.status)} <a href="{_e(target)}">{_e(record.reason or "no reason recorded")}</a>'

    def _failures(self, page: str, workload: str) -> str:
        bad = [(s, r) for s, r in self._of_workload(workload) if r.status != "ok"]
        if not bad:
            return "Every cell that ran has finished." if self._of_workload(workload) else MISSING
        return _table(
            ("Machine, session", "Cell", "What happened"),
            ((f"{machine_slug(s)}, {s.session.id}", _e(cell_words(r)), self._status(page, s, r)) for s, r in bad),
            label="Cells that did not finish",
        )

    def machine_pages(self) -> Pages:
        """One page per machine, and their index."""
        by_machine: dict[str, list[SessionResults]] = {}
        for session in self.evidence.sessions:
            by_machine.setdefault(machine_slug(session), []).append(session)
        pages: Pages = {}
        rows = []
        for slug, sessions in sorted(by_machine.items(), key=lambda item: (not item[1][0].is_local, item[0])):
            path = f"machines/{slug}.md"
            pages[path] = self._machine_page(path, sessions)
            machine = sessions[-1].machine
            rows.append(
                (
                    f'<a href="{_e(href("machines/index.md", path))}">{_e(slug)}</a>'
                    + (" (this machine)" if sessions[0].is_local else ""),
                    _e(machine.cpu_model),
                    _e(", ".join(gpu.name for gpu in machine.gpus) or "none"),
                    str(len(sessions)),
                    str(sum(len(session.records) for session in sessions)),
                )
            )
        table = _table(("Machine", "CPU", "GPU", "Sessions", "Records"), rows, label="Machines") if rows else MISSING
        add = href("machines/index.md", "guides/add-a-machine.md")
        more = f"\n\nYours is not here? [Add a machine]({add.rstrip('/')}.md) says how.\n"
        if "guides/add-a-machine.md" not in self.sources:
            more = "\n"
        pages["machines/index.md"] = (
            _front("Machines", "Every machine that was measured, with its sessions and all of its results.")
            + "A machine's results are compared with each other, never averaged with those of another machine.\n\n"
            + table
            + more
        )
        return pages

    def _machine_page(self, path: str, sessions: Sequence[SessionResults]) -> str:
        machine = sessions[-1].machine
        name = "This machine" if sessions[0].is_local else machine.id
        about = f"{machine.cpu_model}: specification, sessions and every result."
        parts = [_front(name, about, search=False)]
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
            _facts_list(
                [
                    ("CPU", _e(machine.cpu_model)),
                    ("Family", _e(machine.cpu_family)),
                    ("Architecture", _e(machine.architecture)),
                    ("Cores", _e(f"{cores} physical, {machine.n_logical_cores} logical")),
                    ("Flags that matter", _e(", ".join(machine.cpu_flags) or "none")),
                    ("Memory", _e(fmt.bytes_(machine.memory_bytes))),
                    ("GPU", _e(gpus or "none")),
                    ("System", _e(machine.os)),
                    ("Virtual", {True: "yes", False: "no", None: "not readable"}[machine.virtual]),
                ]
            ),
            "",
        ]
        parts += self._history(path, sessions)
        for session in reversed(sessions):
            described = session.session
            environment = ", ".join(f"{key}={value}" for key, value in sorted(described.environment.items()))
            statuses = [record.status for record in session.records.values()]
            counted = ", ".join(
                f"{statuses.count(status)} {status.replace('_', ' ')}" for status in sorted(set(statuses))
            )
            files = " · ".join(
                f'<a href="{_e(href(path, data_path(session, file)))}" download>{file}.json</a>'
                for file in ("machine", "session")
            )
            parts += [
                f"## Session {described.id}",
                "",
                _facts_list(
                    [
                        ("Profile", _e(described.profile)),
                        ("Started", _e(described.started_at)),
                        ("Records", _e(counted or "none")),
                        ("Versions", _e(_versions(session))),
                        ("Environment", _e(environment or "nothing set")),
                        ("Cores", _e(_cores(described))),
                        ("Commit", f"<code>{_e(_commit(session))}</code>"),
                        ("Against itself", self._self_test(path, session)),
                        ("Disturbed", _e(self._disturbed(session))),
                        ("Seed", str(described.seed)),
                        ("Download", files),
                    ]
                ),
                "",
                "### Fairness",
                "",
                Voice(self, path).table("fairness", session=session),
                "",
                "### Results",
                "",
                self._all_results(path, [(session, r) for r in session.records.values()], with_machine=False),
                "",
            ]
        return "\n".join(parts)

    def _history(self, page: str, sessions: Sequence[SessionResults]) -> list[str]:
        """What sessions of one machine say of each other: how many headline intervals overlap, and every cell."""
        ordered = history.same_machine(sessions, sessions[-1])
        pairs = tuple(self._overlap_row(page, found) for found in history.overlaps(ordered))
        columns = ("Two sessions", "Intervals that overlap", "Versions")
        table = _table(columns, pairs, f"{history.rule()}.", label="Sessions against each other") if pairs else ""
        cells = history.histories(ordered)
        rows = [row for found in cells for row in self._history_rows(page, found)]
        if not rows:
            return ["## History", "", _block(table), ""] if table else []
        columns = ("Cell", "Session", "Versions", "Speed, or time of a call", "Against the session before")
        n, rule = fmt.count(len(cells)), against.rule()
        folded = (
            f'<details class="plain"><summary>{n} cells measured in more than one session</summary>'
            f"{_table(columns, rows, f'{rule[:1].upper()}{rule[1:]}.', label='History')}</details>"
        )
        return ["## History", "", _block(table + folded), ""]

    def _overlap_row(self, page: str, found: history.Overlap) -> tuple[str, ...]:
        """Two sessions, how many of the headline intervals of both overlap, and the versions that changed between."""
        count = self.number(page, found.text, self.evidence.refs(*found.records))
        return _e(found.names), count, _e("; ".join(history.changed_versions(found.older, found.newer)) or "equal")

    def _history_rows(self, page: str, found: history.History) -> Iterable[tuple[str, ...]]:
        """One row for each session of a cell; the cell is named in its first."""
        before: Record | None = None
        for session, record, speed, row in found.entries:
            label = "" if before is not None else f"{record.spec.title}, {cell_words(record)}"
            if label and found.series:
                label += f": {next(item.label for item in record.spec.series if item.id == found.series)}"
            refs = self.evidence.refs(before, record)
            change = "" if row is None else history.change_words(row)
            if row is not None and row.ratio is not None:
                change = self.number(page, change, refs)
            yield (
                _e(label),
                _e(f"{session.session.id}, {fmt.date(session.session.started_at)}"),
                _e(history.versions(session, record)),
                self.number(page, fmt.interval(speed, noun=record.spec.sample_noun), self.evidence.refs(record)),
                change if row is None or row.ratio is not None else _e(change),
            )
            before = record

    def _self_test(self, page: str, session: SessionResults) -> str:
        """The A/A test: the same cell's even runs against its odd ones, and how often any headline cell differs."""
        found = self.evidence.self_test(session)
        if found is None:
            return "not tested: no headline cell has two runs in each half"
        record, halves = found.planned or max(found.halves, key=lambda pair: (pair[1].n_odd, pair[0].cell.id))
        ratio = self.number(page, fmt.interval(halves.ratio), (self.evidence.ref(record),))
        words = (
            f"{_e(record.spec.title)}, {_e(cell_words(record))}; even runs over odd ones: {ratio}. "
            f"{fmt.count(found.n_different)} of {fmt.count(len(found.halves))} headline cells seem to differ from "
            f"themselves, {fmt.percent(1 - stats.CONFIDENCE_FRAC)} is what chance does."
        )
        if found.is_weak:
            words += f" A weak test: with so few runs, differences below {fmt.percent(halves.sees_frac)} go unseen."
        return f"{'passed' if found.passed else 'failed'}: {words}"

    def _disturbed(self, session: SessionResults) -> str:
        """How many cells were measured beside something else; the evidence of each says what."""
        measured = [record for record in session.records.values() if record.status == "ok"]
        flagged = sum(bool(self.evidence.flags(record)) for record in measured)
        return f"{fmt.count(flagged)} of {fmt.count(len(measured))} cells are flagged; headlines avoid them"

    # Evidence of facts and published figures.

    def facts_page(self) -> str:
        """Every fact: value, derivation, the cells behind it."""
        path = "evidence/facts.md"
        parts = [
            _front(
                "Every number, with its evidence",
                "All numbers of this build, how each follows from records.",
                search=False,
            ),
            "Numbers that rest on one record link to it directly; this page holds all facts, "
            "and the numbers that rest on several records.\n",
        ]
        known = {name: self.fact(name) for name in facts.names(self.evidence.workloads)}
        for name, fact in known.items():
            if fact.measured or name in self.used.facts:
                parts.append(self._fact_entry(path, name, fact.title, fact.text, f"{fact.how} {fact.note}", fact.cells))
        missing = [name for name, fact in known.items() if not fact.measured and name not in self.used.facts]
        for anchor, (texts, refs) in sorted(self.used.groups.items()):
            how = "Computed from all of these cells."
            parts.append(self._fact_entry(path, anchor, "shown in tables and verdicts", "; ".join(texts), how, refs))
        parts.append(
            f"\n## Not measured yet\n\n{', '.join(f'`{name}`' for name in missing) or 'Nothing is missing.'}\n"
        )
        return "\n".join(parts)

    def _fact_entry(
        self, page: str, anchor: str, title: str, text: str, how: str, cells: Sequence[CellRef | facts.CellKey]
    ) -> str:
        shown = _e(text) if cells or text != facts.NOT_MEASURED else MISSING
        lines = [
            f'<div class="fact" id="{_e(anchor)}"><p><code>{_e(anchor)}</code> {_e(title)}: '
            f"<strong>{shown}</strong></p>"
        ]
        lines.append(f"<p>{_e(' '.join(how.split()))}</p>")
        refs = _refs(cells)
        if len(refs) == 1:  # the number's own link leads to this place, which holds the rest
            target = href(page, evidence_of(refs[0]), refs[0].cell)
            lines.append(f'<p>Evidence: <a href="{_e(target)}">{_e(_key_of(refs[0]))}</a></p>')
        elif refs:
            rows = "".join(self._cell_line(page, ref) for ref in refs)
            lines.append(f'<details class="plain"><summary>{len(refs)} records</summary><ul>{rows}</ul></details>')
        elif text != facts.NOT_MEASURED:
            lines.append(f"<p>Read from: {self._session_files(page) or 'the records folder'}.</p>")
        if refs and anchor in self.used.facts:
            lines.append(self._cite(page, anchor, title, text, refs))
        return "".join(lines) + "</div>"

    def _cite(self, page: str, anchor: str, what: str, value: str, refs: Sequence[CellRef]) -> str:
        """The number's citation in three forms, folded."""
        found = self.evidence.resolve(refs)
        sessions = list({id(session): session for session, _ in found}.values())
        machines = dict.fromkeys(_machine_of(self.evidence, session, session.records[cell]) for session, cell in found)
        address = f"{self.address or '/'}{url_of(page)}#{anchor}"
        return _citation(what, value, "; ".join(machines), sessions, address)

    def _session_files(self, page: str) -> str:
        return ", ".join(
            f'<a href="{_e(href(page, data_path(session, file)))}">{_e(machine_slug(session))} {session.session.id} '
            f"{file}.json</a>"
            for session in self.evidence.sessions
            for file in ("machine", "session")
        )

    def _cell_line(self, page: str, ref: CellRef) -> str:
        session = self._sessions[ref.machine, ref.session]
        record = session.records[ref.cell]
        target = href(page, evidence_of(ref), ref.cell)
        n = sum(len(run.blocks) for run in record.runs)
        return (
            f'<li><a href="{_e(target)}">{_e(record.spec.title)}, {_e(cell_words(record))}</a>: {n} samples, '
            f'<a class="record" href="{_e(href(page, data_path(session, ref.cell)))}">record</a>; machine '
            f"{_e(ref.machine)}, {_finished_at(session)}, commit {_e(_commit(session))}; "
            f"<code>{_e(rerun_line(session, ref.cell))}</code></li>"
        )

    def published_page(self) -> str:
        """Every published figure that a page shows, with its source."""
        rows = []
        for figure in sorted(self.used.figures.values(), key=lambda f: f.id):
            source = f'<a href="{_e(figure.url)}">{_e(figure.source)}</a>' if figure.url else _e(figure.source)
            kind = f"{figure.evidence}{f': {figure.warning}' if figure.warning else ''}"
            rows.append(
                (
                    f'<code id="{_e(figure.id)}">{_e(figure.id)}</code>',
                    f'<span class="pub"><span>{_e(figure.text)}</span></span>',
                    _e(figure.what),
                    _e(figure.software),
                    _e(figure.date),
                    source,
                    _e(kind),
                )
            )
        columns = ("Row", "Figure", "What", "Software", "Date", "Source", "Kind")
        table = _table(columns, rows, label="Published figures") if rows else "No page shows one.\n"
        return (
            _front(
                "Figures published elsewhere",
                "Numbers from elsewhere on this site, each with its source.",
                search=False,
            )
            + "These were not measured here. They carry their own colour and never enter an estimate of ours.\n\n"
            + table
            + "\n"
        )

    def answers(self, rendered: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
        """All answers and beliefs, from the same objects as the pages."""
        found = []
        for path, source in self.sources.items():
            folder, name = posixpath.split(path)
            if folder not in ("faq", "misconceptions") or name == "index.md":
                continue
            voice = self._voices[path]
            verdict = self.judge(str(source.meta["verdict"])) if source.meta.get("verdict") else self.decide(source)
            found.append(
                {
                    "id": source.meta.get("id"),
                    "kind": "answer" if folder == "faq" else "misconception",
                    "address": url_of(path),
                    "question": source.meta.get("title"),
                    "answer": self.short_answer(source, rendered[path][1]),
                    "verdict": verdict.outcome if verdict else None,
                    "statement": None if verdict is None else getattr(verdict, "statement", None) or verdict.belief,
                    "resting_on": None if verdict is None else verdict.basis,
                    "facts": [_fact_data(fact) for fact in {f.id: f for f in voice.facts}.values()],
                    "published": sorted(voice.figures),
                }
            )
        return found

    def answer_files(self, found: Sequence[Mapping[str, Any]]) -> Pages:
        """The answers as data for programs and language models."""
        return {
            "data/answers.json": json.dumps({"answers": found}, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
            "faq.json": sharing.faq_json(found, self.address),
            "llms.txt": sharing.llms_txt(found, self.address, self.summary),
        }


class Voice:
    """What a page can call: each call returns HTML with addresses as seen from that page."""

    def __init__(self, site: Site, page: str) -> None:
        """For one page of a site."""
        self.site = site
        self.page = page
        self.evidence = site.evidence
        self.facts: list[facts.Fact] = []
        self.verdicts: list[verdicts.Verdict | answers.Answer] = []
        self.figures: set[str] = set()
        self.in_tables: set[CellRef] = set()
        self._drawn: dict[str, int] = {}

    def calls(self) -> dict[str, Callable[..., Any]]:
        """The names available in a source."""
        return {
            "fact": self.fact,
            "measured": self.measured,
            "chart": self.chart,
            "table": self.table,
            "verdict": self.verdict,
            "cases": self.cases,
            "published": self.published,
            "published_beside": self.published_beside,
            "rerun": self.rerun,
            "generated_index": self.generated_index,
            "coverage": self.coverage,
            "flips": self.flips,
            "article_titles": self.article_titles,
            "claims_table": self.claims_table,
            "named_table": self.named_table,
            "calculator": self.calculator,
            "ours_and_theirs": self.ours_and_theirs,
            "agreement": self.agreement,
        }

    def fact(self, name: str) -> str:
        """A number of ours."""
        fact = self.site.fact(name)
        self.facts.append(fact)
        self.site.used.facts[name] = fact
        if not fact.measured:
            return MISSING
        return self.site.number(self.page, fact.text, fact.cells, anchor=name, hint=_hint(fact))

    def sessions(self) -> Iterable[SessionResults]:
        """Sessions of the page's own numbers: its facts, what its verdicts name, and its tables and charts."""
        yield from (session for fact in self.facts for session, _ in fact.cells)
        refs = [ref for verdict in self.verdicts for part in verdict.parts for ref in part.cells]
        yield from (session for session, _ in self.evidence.resolve([*refs, *sorted(self.in_tables)]))

    def measured(self, name: str) -> bool:
        """Whether a fact has a record."""
        return self.site.fact(name).measured

    def estimate(
        self,
        session: SessionResults | None,
        record: Record | None,
        make: Callable[[Record], stats.Estimate | None],
        hint: str,
    ) -> str:
        """One quantity of one record."""
        if session is None or record is None:
            return MISSING
        found = make(record)
        if found is None:
            return "–"
        noun = record.spec.sample_noun
        return self.site.number(self.page, fmt.interval(found, noun=noun), (_ref(session, record),), hint=hint)

    def best(self, spec: Workload, mode: schema.Mode, device: schema.Device, session: SessionResults | None) -> str:
        """Speed of a workload's best headline cell in a session."""
        if spec.kind == "study":
            return self._first_of_study(spec, device, session)
        make = stats.flop_rate if spec.kind == "probe" else stats.throughput
        return self.estimate(session, self.evidence.best(session, spec.id, mode, device), make, spec.title)

    def _first_of_study(self, spec: Workload, device: schema.Device, session: SessionResults | None) -> str:
        """The first series, or the first reading, of a study on the first backend that has it."""
        for backend in schema.BACKENDS:
            record = studies.usual(self.evidence, session, spec.id, device, backend)
            if session is None or record is None:
                continue
            found = [(item, studies.call_time(record, item.id)) for item in studies.series_of(record)]
            found += [(item, studies.reading(record, item.id)) for item in studies.readings_of(record)]
            item, estimate = found[0]
            shown = self.site.number(self.page, fmt.interval(estimate), (_ref(session, record),), hint=spec.title)
            return f"{shown} {_e(item.label)}, {fmt.backend(backend)}"
        return MISSING

    def chart(self, chart_id: str, workload: str = "") -> str:
        """A chart with its table."""
        drawing = self.site.draw(chart_id, workload)
        count = self._drawn[drawing.key] = self._drawn.get(drawing.key, 0) + 1
        anchor = f"chart-{drawing.key}" + (f"-{count}" if count > 1 else "")
        wide, narrow = (self.site.drawn(drawing, kind, f"{anchor}-{kind}") for kind in ("wide", "narrow"))
        here = functools.partial(href, self.page)
        files = f"data/charts/{drawing.key}"
        note = f'<p class="chart-note">{_e(self._chart_note(drawing.session))}</p>' if drawing.session else ""
        title = _e(drawing.title)
        link = (
            f'<a class="headerlink" href="#{anchor}" title="Link to this chart" aria-label="Link to this chart">#</a>'
        )
        return _block(
            f'<figure class="chart" id="{anchor}">'
            f'<figcaption><p class="chart-title">{title}{link}</p>{note}</figcaption>'
            f'<div class="chart-drawing" data-search-exclude tabindex="0" role="group" aria-label="{title}">'
            f"{wide}{narrow}</div>"
            f'<details class="twin"><summary>The same numbers as a table</summary>'
            f"{self.table(drawing.id, drawing.workload, first=drawing.session)}</details>"
            f'<div class="chart-foot"><a href="{_e(here(files + ".csv"))}" download>CSV</a>'
            f'<a href="{_e(here(files + ".vl.json"))}" download>Vega-Lite</a>'
            f'<button type="button" data-spec="{_e(here(files + ".vl.json"))}" data-bundle="{_e(here(VEGA))}">'
            f"Make it interactive</button></div></figure>"
        )

    def table(
        self,
        table_id: str,
        workload: str = "",
        session: SessionResults | None = None,
        first: SessionResults | None = None,
    ) -> str:
        """A table by id, every number a link; a machine stands above its rows."""
        made = self.site.make_table(table_id, workload, session, first)
        if not made.rows:
            return f"<p>{MISSING}</p>"
        self.in_tables.update(ref for row in made.rows for cell in row for ref in _refs(cell.cells))
        rows = [[self._cell(cell) for cell in row] for row in made.rows]
        columns, rows = _by_machine(made, rows) or (made.columns, rows)
        return _block(_table(columns, rows, made.caption, label=made.caption or table_id))

    def _cell(self, cell: tables.Cellv) -> str:
        if cell.text == facts.NOT_MEASURED:
            return MISSING
        # Runs that disagree are said in words; that they are few stands in every n, and waits behind the link.
        loud = [fmt.short_warning(cell.estimate)] if cell.estimate is not None and cell.estimate.is_noisy else []
        loud += ["disturbed"] if cell.is_disturbed else []
        loud += [OLDER] if cell.is_older else []
        note = f'<span class="note">{_e(", ".join(loud))}</span>' if loud else ""
        if not cell.cells:
            return _e(cell.text) + note
        return self.site.number(self.page, cell.text, cell.cells, hint=cell.note[:1].upper() + cell.note[1:]) + note

    def _chart_note(self, session: SessionResults) -> str:
        """Where and when a chart was measured, and a warning where that session does not agree with itself."""
        whose = "This machine" if session.is_local else session.machine.id
        passed = self.evidence.has_passed_self_test(session)
        warning = {True: "", False: " It differs from itself.", None: " It was not tested against itself."}[passed]
        where = f"{whose}: {self.site.machine_words(session)}, {_finished_at(session)}"
        return f"{where}. Medians with 95 % intervals.{warning}"

    def verdict(self, verdict_id: str) -> str:
        """What a rule says today: badge, sentence, rule."""
        verdict = self.site.judge(verdict_id)
        self.verdicts.append(verdict)
        outcome = verdict.outcome.replace(" ", "-")
        return _block(
            f'<div class="verdict verdict-{outcome}">{_badge(verdict.outcome)}{_basis(verdict)}'
            f"<p>{self._sentence(verdict)}</p>"
            f'<p class="rule">Rule: {_e(verdict.rule)}</p><p class="rule">{_e(self._tried(verdict))}</p></div>'
        )

    def opening(self, answer: answers.Answer) -> str:
        """The sentence of an answer's outcome, as Markdown."""
        self.verdicts.append(answer)
        return "".join(self._part(p) if p.cells or p.figures or p.fact else p.text for p in answer.parts)

    def _tried(self, verdict: verdicts.Verdict) -> str:
        """What a verdict rests on, and what is not among it."""
        if verdict.basis == "published":
            return "Not tried: any of it. The figures are those of others."
        refs = {ref: None for part in (*verdict.parts, *(case.part for case in verdict.cases)) for ref in part.cells}
        found = [(session, session.records[cell]) for session, cell in self.evidence.resolve(refs)]
        if not found:
            return "Not tried: anything that the rule asks for."
        cells = [record.cell for _, record in found]
        n_machines = len({session.machine.id for session, _ in found})
        machines = f"{n_machines} machine{'s' if n_machines != 1 else ''}"
        tried = {fmt.backend(cell.backend) for cell in cells}
        left = [fmt.backend(name) for name in schema.BACKENDS if fmt.backend(name) not in tried]
        left += [f"a {fmt.device(name)}" for name in schema.DEVICES if name not in {cell.device for cell in cells}]
        left.append("machines of other makers")
        n_cells = f"{fmt.count(len(found))} cell{'s' if len(found) != 1 else ''}"
        return f"Rests on {n_cells} of {machines}. Not among them: {', '.join(left)}."

    def cases(self, verdict_id: str) -> str:
        """Everything that a rule over many cases counted, with the side on which it counts."""
        verdict = self.site.judge(verdict_id)
        if not verdict.cases:
            return f"<p>{MISSING}</p>"
        sides = {"agrees": "for the belief", "disagrees": "against it", "open": "for neither"}
        rows = [(_e(case.name), self._part(case.part), sides[case.side]) for case in verdict.cases]
        return _block(_table(("Case", "Value", "Counts"), rows, label=f"Cases of: {verdict.belief}"))

    def _sentence(self, verdict: verdicts.Verdict | ledger.Item | ledger.State) -> str:
        return "".join(self._part(part) for part in verdict.parts)

    def _part(self, part: rules.Part) -> str:
        """A piece of a sentence: a link to our records, to the published rows, or plain words."""
        if part.fact:
            return self.fact(part.fact)
        if part.cells:
            return self.site.number(self.page, part.text, part.cells)
        if not part.figures:
            return _e(part.text)
        for row_id in part.figures:
            self.figures.add(row_id)
            self.site.used.figures[row_id] = published.lookup(row_id)
        detail = _e(href(self.page, "evidence/published.md", part.figures[0]))
        return f'<span class="pub"><a class="pub-value" href="{detail}">{_e(part.text)}</a></span>'

    def published(self, row_id: str) -> str:
        """A number from elsewhere: value, source, date."""
        figure = published.lookup(row_id)
        self.figures.add(row_id)
        self.site.used.figures[row_id] = figure
        value = _e(figure.text).replace("|", "&#124;")  # a bar would end the cell of a Markdown table
        shown = f'<a class="pub-value" href="{_e(figure.url)}">{value}</a>' if figure.url else f"<span>{value}</span>"
        detail = href(self.page, "evidence/published.md", row_id)
        doubt = (
            "" if figure.evidence in QUIET_KINDS and figure.warning in published.WARNINGS.values() else figure.warning
        )
        about = ", ".join(part for part in (_short_source(figure.source), figure.date, doubt) if part)
        day = freshness.price_day(figure)
        age = f' data-day="{day}" data-old-at-days="{freshness.PRICE_OLD_AT_DAYS}" data-what="price"' if day else ""
        return (
            f'<span class="pub" title="{_e(figure.what)}"{age}>{shown} '
            f'<a class="pub-src" href="{_e(detail)}">({_e(about)})</a></span>'
        )

    def published_beside(self, *row_ids: str) -> str:
        """A list of numbers from elsewhere, each with what it is about."""
        items = "".join(f"<li>{_e(published.lookup(row_id).what)}: {self.published(row_id)}</li>" for row_id in row_ids)
        return f'<ul class="beside">{items}</ul>'

    def rerun(self, workload: str) -> str:
        """The command that measures a workload on the reader's machine."""
        size = "" if registry.workload(workload).variants.get("quick") else " --profile reference"
        return f"```sh\npython scripts/refresh_benchmarks.py{size} --only {workload}\n```"

    def calculator(self, kind: str) -> str:
        """A form that works with this page's numbers; shown by its script, and nothing without records."""
        if kind not in calculators.IDS:
            raise PageError(f"unknown calculator {kind!r}; expected {' or '.join(calculators.IDS)}")
        if kind == "how-long":
            return calculators.how_long(self.evidence)
        for figure in (*calculators.cards(), *calculators.rents()):
            self.site.used.figures[figure.id] = figure
            self.figures.add(figure.id)
        words, rows = calculators.worked_break_even()
        shown = " and ".join(self.published(row.id) for row in rows)
        worked = f"<p>Worked out for the first pair: <code>{_e(words)}</code>, from {shown}.</p>"
        return calculators.buy_or_rent() + worked

    def ours_and_theirs(self) -> str:
        """Published ratios beside ours, pair by pair, and the order of the networks in each source."""
        rows = []
        for pair in beside.pairs(self.evidence):
            figures = tuple(figure.id for figure in pair.figures)
            words = f"{fmt.ratio(pair.theirs)}, from {pair.figures[0].text} and {pair.figures[1].text}"
            ours, gap, said = MISSING, MISSING, "not measured yet"
            if pair.ours is not None:
                cells = self.evidence.refs(*pair.ours.records)
                where = "" if pair.is_like else f", on a {fmt.device(pair.ours.records[0].cell.device)}"
                ours = self.number(pair.ours.ratio, cells) + _e(where)
                gap = self.site.number(self.page, fmt.ratio(pair.ours.ratio.value / pair.theirs), cells)
                said = {"near": "near", "apart": f"apart: theirs is from {pair.source.why}"}.get(
                    pair.place, "neither near nor apart: our interval crosses the limit"
                )
            device = f"{fmt.MODE_NAMES[pair.source.mode]}, {fmt.device(pair.source.device)}"
            name = self.evidence.title(pair.network).partition(",")[0]
            theirs = self._part(rules.Part(words, figures=figures))
            rows.append((f"{_e(name)}, {device}", _e(pair.source.name), theirs, ours, gap, _e(said)))
        columns = ("Network", "Source", "Theirs, times ResNet-50", "Ours", "Ours over theirs", "Near or apart")
        return _block(_table(columns, rows, label="Ours and theirs")) + "\n\n" + self._orders()

    def agreement(self) -> str:
        """How many of the published ratios that can be compared lie near ours: "5 of 8"."""
        found = [(pair, pair.ours) for pair in beside.pairs(self.evidence)]
        measured = [(pair, mine) for pair, mine in found if mine is not None]
        if not measured:
            return MISSING
        n_near = sum(pair.place == "near" for pair, _ in measured)
        cells = dict.fromkeys(ref for _, mine in measured for ref in self.evidence.refs(*mine.records))
        return self.site.number(self.page, f"{n_near} of {len(measured)}", tuple(cells))

    def _orders(self) -> str:
        """The networks from fast to slow, by source, and whether ours come in the same order."""
        rows = []
        for source in beside.SOURCES:
            theirs, mine = beside.orders(self.evidence, source)
            names = [[self.evidence.title(name).partition(",")[0] for name in found] for found in (theirs, mine or ())]
            same = "not measured yet" if mine is None else "the same" if mine == theirs else "another"
            rows.append((_e(source.name), _e(", ".join(names[0])), _e(", ".join(names[1])) or MISSING, same))
        return _block(_table(("Source", "Theirs, fastest first", "Ours", "Order"), rows, label="Order of the networks"))

    def number(self, estimate: stats.Estimate, cells: Iterable[CellRef]) -> str:
        """An estimate as a number that opens its evidence."""
        return self.site.number(self.page, fmt.interval(estimate), cells)

    def coverage(self) -> str:
        """Sweeps, questions and beliefs, each with the records that bear on it and how many of its numbers exist."""
        page = questions.Page(
            link=functools.partial(href, self.page),
            facts=self._facts_called,
            badge=lambda name: _badge(self.site.judge(name).outcome) + _basis(self.site.judge(name)),
            rests_on=lambda name: self._n_records(ref for part in self.site.judge(name).parts for ref in part.cells),
        )
        return questions.tables(self.site.numbered, self.evidence, self.site.sources, page)

    def _facts_called(self, names: Sequence[str]) -> str:
        """How many of a page's facts exist; folded below it their names, each with its place among all numbers."""
        found = {name: self.site.fact(name) for name in names}
        for name, fact in found.items():
            self.site.used.facts[name] = fact
        items = "".join(
            f'<li><a href="{_e(href(self.page, "evidence/facts.md", name))}">{_e(name)}</a>'
            f"{'' if fact.measured else ': not measured yet'}</li>"
            for name, fact in found.items()
        )
        count = f"{sum(fact.measured for fact in found.values())} of {len(found)}"
        return f'<details class="plain"><summary>{count}</summary><ul>{items}</ul></details>' if items else count

    def flips(self) -> str:
        """Verdicts that a newer session changed, newest first."""
        found = _keep(self.evidence, "flips", lambda: flipped.flips(self.evidence))
        published_ones = [session for session in self.evidence.sessions if not session.is_local]
        if not found:
            n = len(published_ones)
            compared = f"{fmt.count(n)} sessions were compared" if n > 1 else "there is only one session so far"
            return _block(f"<p>No verdict has changed yet: {compared}.</p>")
        paths = {str(source.meta.get("verdict")): path for path, source in self.site.sources.items()}
        rows = []
        for flip in found:
            path = paths.get(flip.after.id)
            belief = _e(flip.after.belief)
            slug = machine_slug(flip.session)
            rows.append(
                (
                    f'<a href="{_e(href(self.page, path))}">{belief}</a>' if path else belief,
                    f"{_badge(flip.before.outcome)}<p>{self._sentence(flip.before)}</p>",
                    f"{_badge(flip.after.outcome)}<p>{self._sentence(flip.after)}</p>",
                    _e(flip.cause),
                    f'<a href="{_e(href(self.page, f"machines/{slug}.md"))}">{_e(slug)}</a>, {flip.session.session.id}',
                )
            )
        return _block(_table(("Belief", "Before", "After", "What was new", "Session"), rows, label="What flipped"))

    def _n_records(self, cells: Iterable[CellRef]) -> questions.Counted:
        """How many different records these are, by device."""
        return questions.count(session.records[cell] for session, cell in self.evidence.resolve(dict.fromkeys(cells)))

    def generated_index(self, folder: str) -> str:
        """A list of the folder's pages with verdict and short answer, below the headings of their groups if any."""
        items: dict[str, list[str]] = {}
        ordered = sorted(
            self.site.sources.items(), key=lambda item: (int(item[1].meta.get("order", UNORDERED)), item[0])
        )
        for path, source in ordered:
            if posixpath.dirname(path) != folder or path.endswith("index.md"):
                continue
            badge, short = "", ""
            if source.meta.get("verdict"):
                verdict = self.site.judge(str(source.meta["verdict"]))
                badge, short = f" {_badge(verdict.outcome)}{_basis(verdict)}", self._sentence(verdict)
            else:
                short = self.site.answer(path, self.page)
            link = _e(href(self.page, path))
            question = f'<a class="question" href="{link}">{_e(source.meta.get("title", path))}</a>'
            group = str(source.meta.get("group", ""))
            items.setdefault(group, []).append(f"<li>{question}{badge}<p>{short}</p></li>")
        lists = {group: _block(f'<ul class="answers">{"".join(found)}</ul>') for group, found in items.items()}
        if not any(lists):
            return lists.get("", MISSING)
        named = sorted(lists, key=groups.place)
        return "\n\n".join(
            f"## {groups.heading(group)} {{#group-{group or 'none'}}}\n\n{lists[group]}" for group in named
        )

    def article_titles(self) -> str:
        """The two articles' titles, quoted."""
        return " and ".join(f"“{_e(article.title)}”" for article in published.articles().values())

    def claims_table(self) -> str:
        """Every claim of the articles with its verdict, and the numbers of each verdict above them."""
        found = self.site.claims()
        chips = "".join(
            f'<li data-word="{_e(word)}">{_badge(word)} <strong>{n}</strong></li>'
            for word, n in ledger.counts(found).items()
        )
        entries = "".join(self._claim(item) for item in found)
        return _block(
            f'<ul class="ledger-counts" aria-label="Claims by verdict">{chips}</ul>'
            f'<ul class="ledger" id="ledger">{entries}</ul>'
        )

    def _claim(self, item: ledger.Item) -> str:
        claim = item.claim
        data = {"word": item.word, "article": claim.article, "kind": claim.kind, "basis": item.basis}
        marks = " ".join(f'data-{name}="{_e(value)}"' for name, value in data.items())
        resting = "" if item.basis == "none" else f", resting on {item.basis}"
        where = f"Article {claim.article.upper()}, {claim.section.lower()}{resting}"
        source = self.site.sources.get(claim.page)
        title = source.meta.get("title", claim.page) if source else claim.page
        rule = f"<p>Rule: {_e(item.rule)}</p>" if item.rule else ""
        bearing = "".join(f"<li>{_e(published.lookup(row).what)}: {self.published(row)}</li>" for row in claim.evidence)
        figures = f"<p>Published figures that bear on it:</p><ul>{bearing}</ul>" if bearing else ""
        return (
            f'<li id="{_e(claim.id)}" {marks}><p class="ledger-claim">{_badge(item.word)} <strong>{_e(claim.claim)}'
            f'</strong> <a class="headerlink" href="#{_e(claim.id)}" title="Link to this claim" '
            f'aria-label="Link to this claim">#</a></p><p class="ledger-where">{_e(where)}. Explained: '
            f'<a href="{_e(href(self.page, claim.page))}">{_e(title)}</a></p><p>{self._sentence(item)}</p>'
            f'<details class="plain"><summary>How it is decided</summary>{rule}<p>What would settle it: '
            f"{_e(claim.test)}.</p>{figures}</details></li>"
        )

    def named_table(self) -> str:
        """Everything the articles name, and how things stand with it."""
        items = []
        for state in self.site.named():
            entry = state.named
            where = {"": "in neither article", "ab": "in both articles"}.get(
                entry.articles, f"in article {entry.articles.upper()}"
            )
            source = self.site.sources.get(entry.page)
            title = source.meta.get("title", entry.page) if source else entry.page
            items.append(
                f'<li id="{_e(entry.id)}"><p class="ledger-claim">{_badge(state.word)} '
                f'<strong>{_e(entry.name)}</strong></p><p class="ledger-where">{_e(entry.type.capitalize())}, {where}. '
                f'More: <a href="{_e(href(self.page, entry.page))}">{_e(title)}</a></p>'
                f"<p>{self._sentence(state)}.</p></li>"
            )
        return _block(f'<ul class="ledger">{"".join(items)}</ul>')


class PlainVoice(Voice):
    """The same calls in front matter, where only plain text can stand."""

    def fact(self, name: str) -> str:
        """A number of ours, as text."""
        found = self.site.fact(name)
        self.site.used.facts[name] = found
        return found.text

    def published(self, row_id: str) -> str:
        """A number from elsewhere, as text."""
        figure = published.lookup(row_id)
        return f"{figure.text} ({figure.source}, {figure.date})"


def _with_meta(head: str, more: str) -> str:
    """A page's head with further keys, unless it has them already."""
    key = more.partition(":")[0]
    return f"{head[:-4]}{more}---\n" if head and more and f"\n{key}:" not in head else head


def _asks(source: Source) -> list[str]:
    """Other wordings of a page's question, from ``asks`` in its front matter: one, or a list."""
    asked = source.meta.get("asks") or []
    wordings = [asked] if isinstance(asked, str) else asked
    return [str(one) for one in wordings if str(one) != source.meta.get("title")]


def json_ld(answers: Sequence[Mapping[str, Any]]) -> str:
    """Questions and answers as schema.org data, from the same text that the pages show."""
    data = {
        "@context": "https://schema.org",
        "@type": "FAQPage",
        "mainEntity": [
            {
                "@type": "Question",
                "name": str(one["question"]),
                "acceptedAnswer": {"@type": "Answer", "text": one["answer"]},
            }
            for one in answers
        ],
    }
    text = json.dumps(data, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")
    return f'<script type="application/ld+json">{text}</script>'


def _hint(fact: facts.Fact) -> str:
    return "; ".join(part for part in (fact.title[:1].upper() + fact.title[1:], fact.note) if part)


def _short_source(source: str) -> str:
    """A source's name without its remarks."""
    return re.split(r" [(,;]|, ", source)[0][:60]


def _inline(text: str, written_for: str, shown_on: str) -> str:
    """A rendered paragraph of one page as HTML on another: emphasis, code and links between pages."""
    bold = r"<strong>\1</strong>" if written_for == shown_on else r"\1"
    text = re.sub(r"\*\*(.+?)\*\*", bold, text, flags=re.S)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)

    def moved(match: re.Match[str]) -> str:
        words, target = match.group(1), match.group(2)
        file, _, anchor = target.partition("#")
        if "://" in target or not file.endswith(".md"):
            return words
        path = posixpath.normpath(posixpath.join(posixpath.dirname(written_for), file))
        return f'<a href="{_e(href(shown_on, path, anchor))}">{words}</a>'

    text = re.sub(r"\[([^\]]*)\]\(([^)\s]*)\)", moved, text)

    text = re.sub(r"<!--.*?-->", "", text)
    return " ".join(text.split())


def _template_line(error: BaseException) -> int | None:
    """Line of the template in which an exception arose."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _message(error: BaseException) -> str:
    """An exception's text without the quotes that a KeyError puts around it."""
    return str(error.args[0]) if error.args else type(error).__name__


def _fact_data(fact: facts.Fact) -> dict[str, Any]:
    estimate = fact.estimate
    return {
        "id": fact.id,
        "text": fact.text,
        "measured": fact.measured,
        "value": None if estimate is None else _finite(estimate.value),
        "low": None if estimate is None else _finite(estimate.low),
        "high": None if estimate is None else _finite(estimate.high),
        "n": None if estimate is None else estimate.n,
        "unit": None if estimate is None else estimate.unit,
        "cells": [_key_of(ref) for ref in _refs(fact.cells)],
    }


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None


def _cores(described: schema.Session) -> str:
    affinity = "not readable" if described.n_cores_affinity is None else described.n_cores_affinity
    quota = "none" if described.cgroup_quota_cores is None else f"{described.cgroup_quota_cores:g}"
    used, seen = described.n_cores_effective, described.n_cores_visible
    return f"{used} used; {seen} visible, by affinity {affinity}, quota {quota}"


def _versions(session: SessionResults) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(session.session.versions.items()))


def _others(chart_id: str) -> tuple[charts.Other, ...]:
    if chart_id == "ours-and-theirs":
        return tuple(
            charts.Other(
                workload=f"{network} {source.mode}",
                value=beside.ratio_of(source, network),
                label=f"{fmt.ratio(beside.ratio_of(source, network))}: {source.name}, {fmt.device(source.device)}",
            )
            for source in beside.SOURCES
            for network in beside.NETWORKS
            if network in source.rows
        )
    if chart_id != "cpu-gpu-speedup":
        return ()
    found = []
    for workload, row_ids in PUBLISHED_SPEEDUPS.items():
        for row_id in row_ids:
            figure = published.figures().get(row_id)
            if figure is not None:
                label = f"{figure.value}x: {figure.hardware} ({_short_source(figure.source)}, {figure.date})"
                found.append(charts.Other(workload=workload, value=float(figure.value), label=label))
    return tuple(found)


# Evidence: the raw samples of every cell.


def _evidence_pages(evidence: Evidence, address: str) -> Pages:
    return _keep(evidence, f"evidence pages {address}", lambda: _make_evidence_pages(evidence, address))


def _make_evidence_pages(evidence: Evidence, address: str) -> Pages:
    pages: Pages = {}
    for session in evidence.sessions:
        by_workload: dict[str, list[Record]] = {}
        for record in session.records.values():
            by_workload.setdefault(record.cell.workload, []).append(record)
        for workload, records in by_workload.items():
            path = evidence_path(session, workload)
            title = f"Evidence: {records[0].spec.title} on {machine_slug(session)}, {session.session.id}"
            parts = [_front(title, f"Raw samples of every cell of {workload}.", search=False, hide=("toc",))]
            machine = href(path, f"machines/{machine_slug(session)}.md")
            known = workload in evidence.workloads
            about = f' of <a href="{_e(href(path, f"workloads/{workload}.md"))}">{_e(workload)}</a>' if known else ""
            parts.append(
                f'<p>{len(records)} cells{about} on <a href="{_e(machine)}">{_e(session.machine.cpu_model)}</a>. '
                "Nothing here is derived but the estimates; the samples are as stored.</p>\n"
            )
            for record in records:
                cite = _cited_cell(evidence, f"{address or '/'}{url_of(path)}", session, record)
                parts.append(_block(_cell_section(path, session, record, cite)))
            pages[path] = "\n".join(parts) + "\n"
    return pages


def _cited_cell(evidence: Evidence, page: str, session: SessionResults, record: Record) -> str:
    """The citation of a cell's main number; empty where it has none."""
    best = stats.flop_rate(record) or stats.throughput(record)
    if best is None:
        return ""
    what = f"{record.spec.title}, {cell_words(record)}"
    value = fmt.interval(best, noun=record.spec.sample_noun)
    return _citation(what, value, _machine_of(evidence, session, record), [session], f"{page}#{record.cell.id}")


def _machine_of(evidence: Evidence, session: SessionResults, record: Record) -> str:
    """What a cell ran on, for a citation: the CPU with its cores, and before it the GPU that did the work."""
    cpu = evidence.cpu_text(session, record)
    return f"{evidence.gpu_text(session, record)} beside {cpu}" if record.cell.device == "gpu" else cpu


def _citation(what: str, value: str, machine: str, sessions: Sequence[SessionResults], address: str) -> str:
    """A number's citation as text, Markdown and BibTeX, folded."""
    number = sharing.Cited(
        what=what,
        value=value,
        machine=machine,
        date=max(_finished_at(session) for session in sessions),
        commit=", ".join(dict.fromkeys((session.session.commit or "unknown")[:12] for session in sessions)),
        address=address,
    )
    forms = "".join(f"<p>{form}</p><pre>{_e(text)}</pre>" for form, text in sharing.citations(number).items())
    return f'<details class="plain cite"><summary>Cite this number</summary>{forms}</details>'


def _cell_section(page: str, session: SessionResults, record: Record, cite: str) -> str:
    """All that is stored of a cell, folded below a line of words; ``cite`` is its citation."""
    cell_id = record.cell.id
    best = stats.flop_rate(record) or stats.throughput(record)
    shown = _e(fmt.interval(best, noun=record.spec.sample_noun)) if best else _e(record.reason)
    machine = href(page, f"machines/{machine_slug(session)}.md")
    download = href(page, data_path(session, cell_id))
    pairs = [
        ("Status", _badge(record.status) + (f" {_e(record.reason)}" if record.reason else "")),
        ("Record", f'<a class="record" href="{_e(download)}" download>{_e(cell_id)}.json</a>'),
        (
            "Machine",
            f'<a href="{_e(machine)}">{_e(session.machine.cpu_model)}</a>, {session.session.n_cores_effective} cores',
        ),
        ("Date", _e(record.runs[0].started_at if record.runs else session.session.started_at)),
        ("Commit", f"<code>{_e(_commit(session, record))}</code>"),
        ("Versions", _e(_versions(session))),
        ("Method", f"version {record.method_version}; source {_e(record.source_hash)}"),
        ("Rerun", f"<code>{_e(rerun_line(session, cell_id))}</code>"),
    ]
    if traces := _traces(record):
        pairs.append(("Traces", _e(traces)))
    if disturbed := _disturbances(session, record):
        pairs.append(("Disturbed by", _e("; ".join(disturbed))))
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
            *((title, make(record)) for _, title, make in QUANTITIES),
            *((item.label, studies.call_time(record, item.id)) for item in studies.series_of(record)),
            *((item.label, studies.reading(record, item.id)) for item in studies.readings_of(record)),
        )
        if found is not None
    ]
    parts = [
        f'<details class="cell"><summary>{_badge(record.status)} {_e(cell_words(record))} '
        f'<span class="estimate">{shown}</span></summary><div id="{_e(cell_id)}">',
        _facts_list(pairs),
    ]
    if estimates:
        parts.append(
            _table(
                ("Estimate", "Median, interval", "Samples", "Spread"),
                ([*map(_e, row)] for row in estimates),
                label="Estimates",
            )
        )
    if record.runs:
        parts.append(f"<p>{len(record.runs)} runs, each a process of its own:</p>")
        parts += [f'<pre class="samples" tabindex="0">{_e(_run_text(run))}</pre>' for run in record.runs]
    else:
        parts.append("<p>No samples: no run took place.</p>")
    return "".join([*parts, cite]) + "</div></details>"


def _disturbances(session: SessionResults, record: Record) -> tuple[str, ...]:
    return trust.flags(record, n_cores=session.session.n_cores_effective) if record.status == "ok" else ()


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
    trace = trust.classify_trace(trust.trace_of(run))
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
    drift = trust.control_factor(run)
    if drift is not None:
        lines.append(f"control      after over before: {drift:.3f}")
    if run.peak_host_bytes is not None:
        lines.append(f"peak memory  {fmt.bytes_(run.peak_host_bytes)}")
    if run.unmeasured:
        lines.append("unmeasured   " + "; ".join(f"{name}: {why}" for name, why in sorted(run.unmeasured.items())))
    return "\n".join(lines)


def _blocks(blocks: Sequence[schema.Block]) -> str:
    return " ".join(f"{block.n_steps}x{block.seconds:.4g}" for block in blocks)


def _notebooks(docs: Path, repository: str = "") -> Pages:
    """Notebooks with links to sources turned into links to pages, which no site generator does for them.

    Below the title of each stand links to Colab and Kaggle, which open notebooks of repositories on GitHub only.
    """
    pages: Pages = {}
    for path in sorted(docs.glob("notebooks/*.ipynb")):
        name = path.relative_to(docs).as_posix()

        def moved(match: re.Match[str], name: str = name) -> str:
            file, _, anchor = match.group(1).partition("#")
            return f"]({href(name, posixpath.normpath(posixpath.join(posixpath.dirname(name), file)), anchor)})"

        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                lines = cell["source"] if isinstance(cell["source"], list) else [cell["source"]]
                cell["source"] = [
                    re.sub(r"\]\(((?!https?:)[^)\s]+\.(?:md|ipynb)(?:#[^)\s]*)?)\)", moved, line) for line in lines
                ]
        place = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", repository)
        if place:
            file = f"{place.group(1)}/blob/{BRANCH}/docs/{name}"
            links = (
                f"[Open in Colab](https://colab.research.google.com/github/{file})"
                f" · [Open in Kaggle](https://www.kaggle.com/kernels/welcome?src=https://github.com/{file})"
            )
            notebook["cells"].insert(1, {"cell_type": "markdown", "id": "open", "metadata": {}, "source": [links]})
        pages[name] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return pages


def _evidence_index(evidence: Evidence) -> str:
    page = "evidence/index.md"
    rows = []
    for session in evidence.sessions:
        for workload in sorted({record.cell.workload for record in session.records.values()}):
            path = evidence_path(session, workload)
            n = sum(record.cell.workload == workload for record in session.records.values())
            rows.append(
                (
                    f'<a href="{_e(href(page, path))}">{_e(workload)}</a>',
                    _e(machine_slug(session)),
                    session.session.id,
                    str(n),
                )
            )
    table = _table(("Workload", "Machine", "Session", "Cells"), rows, label="Evidence") if rows else MISSING
    return (
        _front("Evidence", "Raw samples of every cell behind a number on this site.", search=False)
        + "Every number on this site links to one of these pages, or to "
        "[the list of facts](facts.md); numbers from elsewhere are [listed apart](published.md).\n\n" + table + "\n"
    )


def _data_files(evidence: Evidence, results: Path) -> Pages:
    def make() -> Pages:
        pages: Pages = {}
        for session in evidence.sessions:
            folder = results / session.path
            for name in ("machine", "session", *session.records):
                pages[data_path(session, name)] = (folder / f"{name}.json").read_bytes()
        pages["data/schema.json"] = json.dumps(schema.json_schema(), indent=1, sort_keys=True) + "\n"
        return pages

    return _keep(evidence, "data files", make)


# Drawings as SVG.


def svg(spec: dict[str, Any], drawing: charts.Drawing, anchor: str, kind: str) -> str:
    """Inline SVG of a drawing in the site's own colours, with title and description for screen readers."""
    bare = _svg_of(json.dumps(spec, sort_keys=True))
    title, about = _e(drawing.title), _e(drawing.description)
    words = f'<title id="{anchor}-title">{title}</title><desc id="{anchor}-desc">{about}</desc>'
    # Clip paths are named by number; two drawings on one page must not share them.
    bare = re.sub(r'(id="|url\(#)(clip\d+|gradient_\d+)', rf"\g<1>{anchor}-\g<2>", bare)
    return re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>",
        rf'<svg xmlns="http://www.w3.org/2000/svg" class="drawing {kind}" \1 role="img" '
        rf'aria-labelledby="{anchor}-title {anchor}-desc">{words.replace(chr(92), "")}',
        bare,
        count=1,
    )


@functools.lru_cache(maxsize=512)
def _svg_of(spec: str) -> str:
    """Themed SVG without words, from memory, from disk, or drawn now."""
    name = hashlib.sha256(f"{THEME_VERSION}\n{vl_convert.__version__}\n{spec}".encode()).hexdigest()[:32]
    path = CACHE / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
    drawn = themed(
        vl_convert.vegalite_to_svg(json.loads(spec) | {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"})
    )
    kept.write(path, drawn.encode())
    return drawn


THEME_VERSION = 1  # raise it when `themed` changes, so that kept drawings are made anew


def themed(drawn: str) -> str:
    """SVG with each sentinel replaced by its CSS variable, and nothing left that would name a shade.

    Raises:
        ValueError: a colour that is not one of the sentinels.
    """
    roles = {sentinel: role for role, sentinel in charts.COLOURS.items()}
    plain = {"none", "transparent"}

    def restyled(match: re.Match[str]) -> str:
        tag, styles = match.group(0), []
        for name in ("fill", "stroke"):
            found = re.search(rf' {name}="([^"]*)"', tag)
            if found is None or found.group(1) in plain or found.group(1).startswith("url("):
                continue
            if found.group(1) not in roles:
                raise ValueError(f"{name}={found.group(1)!r} in a chart is not one of the palette's colours")
            styles.append(f"{name}:var(--chart-{roles[found.group(1)]})")
            tag = tag.replace(found.group(0), "", 1)
        if not styles:
            return tag
        end = 2 if tag.endswith("/>") else 1
        return f'{tag[:-end]} style="{";".join(styles)}"{tag[-end:]}'

    drawn = re.sub(r' (?:aria-[a-z]+|role)="[^"]*"', "", drawn)
    drawn = re.sub(r"<path[^>]*? d=\"\"[^>]*/>", "", drawn)
    return re.sub(r"<[a-z][^>]*>", restyled, drawn)


def _card(drawn: str) -> bytes:
    """A card as PNG, from disk or drawn now."""
    name = hashlib.sha256(f"{cards.VERSION}\n{vl_convert.__version__}\n{drawn}".encode()).hexdigest()[:32]
    path = CARD_CACHE / f"{name}.png"
    try:
        return path.read_bytes()
    except OSError:
        pass
    data = vl_convert.svg_to_png(drawn)
    kept.write(path, data)
    return data


def _vega() -> str:
    """Vega, Vega-Lite and their embedder in one file, for the site to serve itself."""
    path = CACHE / f"vega-{vl_convert.__version__}.js"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
    bundle = vl_convert.javascript_bundle()
    kept.write(path, bundle.encode())
    return bundle


def _light_shades(docs: Path) -> dict[str, str]:
    """Role -> shade in the light scheme, read from the stylesheet, for drawings that leave the site."""
    sheet = docs / "assets" / "css" / "site.css"
    text = sheet.read_text(encoding="utf-8") if sheet.exists() else ""
    found: dict[str, str] = {}
    for role, shade in re.findall(r"--chart-([a-z0-9-]+): *(#[0-9a-f]{6})", text):
        found.setdefault(role, shade)
    return found


def _recoloured(text: str, shades: Mapping[str, str]) -> str:
    for role, sentinel in charts.COLOURS.items():
        text = text.replace(sentinel, shades.get(role, sentinel))
    return text


def _csv(table: tables.Table) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table.plain_rows())
    return out.getvalue()
