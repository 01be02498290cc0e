"""Checks the pages: front matter, placeholders, naked numbers, links, permanent ids. Reads docs/ and README.md.

What it refuses, each with file, line and remedy: a naked number; an unknown fact, chart, table, verdict, published
row or workload; front matter that is missing or wrong; an id twice, unregistered or gone; a title that is no question
(answers) or no claim (misconceptions); an answer without its five sections, or whose first sentence is long; "faster"
without "than"; a page with limits that does not say what was not tried; a link to a page, a heading or an address
that is none.

python scripts/check_prose.py                   every problem as file:line: text; exit code 1 when there is one
python scripts/check_prose.py --report          length and reading level of every page, hardest first; no gate
python scripts/check_prose.py --facts resnet50  the facts whose id contains the text, with their values
python scripts/check_prose.py --write-readme    renews the README's numbers from the committed records
"""

from __future__ import annotations

import argparse
import difflib
import functools
import json
import posixpath
import re
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml
from markdown.extensions.toc import slugify

from bench.report.claims import beliefs
from bench.report.facts import lookup
from bench.report.prose import groups
from bench.report.prose import problem as prose_problem

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.records import files, store  # noqa: E402
from bench.report.claims import answers
from bench.report.evidence.evidence import Evidence  # noqa: E402
from bench.report.published import figures as published  # noqa: E402
from bench.workloads import registry  # noqa: E402

REGISTRY = "docs/_ids.toml"
KINDS = ("answers", "misconceptions", "charts", "pages", "notebooks", "claims")
# Kinds whose ids belong to a page of their own; charts and claims stand on pages of another id.
PAGE_KINDS = ("answers", "misconceptions", "pages", "notebooks")
HOW_TO_ADD = "docs/contributing/add-an-answer.md"
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
KEYS = frozenset(
    "title short_title id description answer workloads where verdict asks order group redirect_from hide search".split()
)
MOST_LISTED = 40  # names that a message spells out
DESCRIPTION_LIMIT = 170  # search engines cut longer ones

FENCE = re.compile(r"^\s*(```|~~~)")
FENCED = re.compile(r"^\s*(```|~~~).*?^\s*\1[^\n]*$", re.S | re.M)
COMMENT = re.compile(r"<!--.*?-->")
CITES = re.compile(r"<!-- (cites|setting): (\S+) -->\s*$")
EXPRESSION = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}")
CALL = re.compile(r"\b([a-z_]+)\(([^()]*)\)")
STRING = re.compile(r"[\"']([^\"']*)[\"']")
# What is no prose: inline code, calls, comments, link targets, tags, headings' attributes.
NOT_PROSE = re.compile(
    r"[\w.-]+/[\w.-]+ (?:issue|pull request) \d+"  # a thread of a repository, whose name may hold digits
    r"|`[^`]*`|\{\{.*?\}\}|\{%.*?%\}|<!--.*?-->|\]\([^)]*\)|<[^>]*>|\{[#.:][^}]*\}"
)
# Digits that are part of a name. A quantity never belongs here.
NAMES = re.compile(
    r"\b(ResNet-50|Inception-v3|MobileNet-v2|MobileNetV2|Keras [23]|MkDocs 1|Windows 1[01]|Python 3\.\d+"
    r"|TensorFlow 2\.\d+|PyTorch \d\.\d+|TF32|CC0|CO2|(mixed_)?b?float(16|32|64)|AVX2|AVX-512|WSL2|[AHKPTV]\d{1,3}|A10G"
    r"|M1 Max|(RTX|GTX) \d{4}( Ti)?|(issue|pull request) \d+|\d{4}-\d{2}-\d{2}|UTF-8|n = 1)\b"
)
LIST_MARK = re.compile(r"^\s*\d+\. ")
# People's own words: titles of pages they link to, quotations, and the belief that a misconception repeats.
OTHERS_WORDS = re.compile(r"!?\[[^\]]*\]\([^)]*\)|\"[^\"]*\"|\*\*The belief\.\*\*.*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s\|\s")
# How a page says what it does not rest on. A page with limits has at least one such sentence.
LIMITS = "## When this is wrong"
UNTRIED = re.compile(
    r"\b(?:we|our|ours)\b[^.|\n]*\b(?:not|no|nothing|none|nobody|neither|never|only)\b"
    r"|\bnot (?:yet )?(?:tried|measured)\b|\bnobody has\b|\bnothing\b[^.|\n]*\bis known\b",
    re.I,
)
# Links between pages: [words](target), the target without spaces.
PAGE_LINK = re.compile(r"\]\(([^)\s]+)\)")
EXPLICIT_ANCHOR = re.compile(r"\{:? *#([\w-]+)[^}]*\}|\bid=\"([\w-]+)\"")
HEADING = re.compile(r"^(#{1,6}) (.+?)\s*(?:\{:? *#[^}]*\})?\s*$")
# Pages made by the build, by folder; "workloads" has one for each workload.
GENERATED = tuple(
    "evidence/index.md evidence/facts.md evidence/published.md machines/index.md workloads/index.md".split()
)
# The shape of an answer: its sections in order, and how long the sentence that answers may be.
SECTIONS = ("The evidence", "When this is wrong", "Measure it yourself", "Related", "Sources")
ANSWER_WORDS = 25


class Problem(NamedTuple):
    """What is wrong and where."""

    path: str
    line: int
    text: str

    @property
    def shown(self) -> str:
        """As editors jump to it: file:line: text."""
        return f"{self.path}:{self.line}: {self.text}"


class Known(NamedTuple):
    """Everything a page may refer to, by kind of call."""

    facts: frozenset[str]
    charts: frozenset[str]
    tables: frozenset[str]
    verdicts: frozenset[str]
    figures: frozenset[str]
    workloads: frozenset[str]
    claims: frozenset[str]


def known(root: Path = ROOT) -> Known:
    """What this checkout offers."""
    return Known(
        facts=frozenset(lookup.names(registry.workloads())),
        charts=_decorated(root / "bench/report/charts.py", "chart"),
        tables=_decorated(root / "bench/report/tables.py", "table"),
        verdicts=frozenset(beliefs.IDS),
        figures=frozenset(published.figures()),
        workloads=frozenset(registry.workloads()),
        claims=frozenset(entry.id for entry in (*published.claims(), *published.named())),
    )


def _decorated(path: Path, decorator: str) -> frozenset[str]:
    """Ids given to a decorator in a source file; read as text, because importing charts needs the drawing packages."""
    return frozenset(re.findall(rf"^@{decorator}\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8"), re.M))


def check_page(path: str, text: str, names: Known, root: Path = ROOT) -> list[Problem]:
    """Problems of one page; ``path`` is relative to the repository."""
    head, n_head = front_matter(text)
    problems = list(_check_head(path, head, names))
    lines = text.splitlines(keepends=True)
    problems += _check_decided(path, head, "".join(lines[:n_head]), "".join(lines[n_head:]), names)
    in_fence = False
    for number, line in enumerate(text.splitlines()[n_head:], n_head + 1):
        if FENCE.match(line):
            in_fence = not in_fence
        problems += [Problem(path, number, found) for found in _check_calls(line, names)]
        if not in_fence and not FENCE.match(line):
            problems += [Problem(path, number, found) for found in _check_numbers(line, names, root)]
            alone = (f'"faster" without "than": {sentence!r}; say than what' for sentence in unlike(line))
            problems += [Problem(path, number, found) for found in alone]
    plain = EXPRESSION.sub("", text)
    if LIMITS in text and not UNTRIED.search(plain):
        at = text.splitlines().index(LIMITS) + 1
        problems.append(Problem(path, at, "the page does not say what was not tried; add a sentence on it below"))
    return problems


def unlike(line: str) -> list[str]:
    """Sentences of a line that say "faster" and not than what; other people's words are left alone."""
    prose = OTHERS_WORDS.sub(" ", NOT_PROSE.sub(" ", OTHERS_WORDS.sub(" ", line)))
    parts = (" ".join(part.split()) for part in SENTENCE_END.split(prose))
    return [part for part in parts if re.search(r"\bfaster\b", part, re.I) and not re.search(r"\bthan\b", part)]


def front_matter(text: str) -> tuple[dict[str, object], int]:
    """The block between the first two lines of three hyphens, and the number of lines it takes."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.S)
    if match is None:
        return {}, 0
    data = yaml.safe_load(match.group(1))
    return (data if isinstance(data, dict) else {}), match.group(0).count("\n")


def _check_head(path: str, head: dict[str, object], names: Known) -> Iterator[Problem]:
    folder = Path(path).parent.name
    is_answer = folder in ("faq", "misconceptions") and Path(path).name != "index.md"
    wanted = ["title", "id", *(() if answers.KEY in head else ("description",))]
    wanted += ["workloads"] if is_answer else []
    wanted += ["verdict"] if is_answer and folder == "misconceptions" else []
    for key in wanted:
        if not head.get(key):
            yield Problem(path, 1, f"front matter has no {key!r}; add it as {HOW_TO_ADD} shows")
    for key in sorted(head.keys() - KEYS):
        yield Problem(path, 1, f"front matter has an unknown key {key!r}; known are {', '.join(sorted(KEYS))}")
    if not ID.fullmatch(str(head.get("id", "x"))):
        yield Problem(path, 1, f"id {head['id']!r} is not lower-case words joined by hyphens; write it so")
    title = str(head.get("title", ""))
    if is_answer and folder == "misconceptions" and title.endswith(("?", ".", "!")):
        yield Problem(path, 1, "the title of a misconception is a claim and ends without a mark; write it as believed")
    for sentence in unlike(str(head.get("description", ""))):
        yield Problem(path, 1, f'"faster" without "than" in description: {sentence!r}; say than what')
    for workload in head.get("workloads") or []:
        if workload not in names.workloads:
            yield Problem(path, 1, _unknown("workload", workload, names.workloads))
    if "verdict" in head and head["verdict"] not in names.verdicts:
        yield Problem(path, 1, _unknown("verdict", str(head["verdict"]), names.verdicts))
    if "group" in head and head["group"] not in groups.GROUPS:
        yield Problem(path, 1, _unknown("group", str(head["group"]), groups.GROUPS))
    if "where" in head and head["where"] not in groups.WHERE:
        yield Problem(path, 1, _unknown("where", str(head["where"]), groups.WHERE))
    description = str(head.get("description", ""))
    if len(description) > DESCRIPTION_LIMIT:
        yield Problem(path, 1, f"description has {len(description)} characters; shorten it to {DESCRIPTION_LIMIT}")
    for key in ("title", "description"):
        for found in naked_numbers(str(head.get(key, ""))):
            yield Problem(path, 1, f"naked number {found!r} in {key}; say it in words or call fact()")


def _check_decided(path: str, head: Mapping[str, object], raw: str, body: str, names: Known) -> Iterator[Problem]:
    """Problems of the answer in a page's front matter: its rule, its sentences, and what stands in them."""
    known_ones = {"verdicts": names.verdicts, "facts": names.facts, "figures": names.figures}
    yield from (Problem(path, line, told) for line, told in answers.problems(head, raw, body, **known_ones))
    given = head.get(answers.KEY)
    for key, text in (answers.named(given) if isinstance(given, dict) else {}).items():
        if key not in (*answers.SENTENCES, "says", "measure", "reason"):
            continue
        line = answers.line_in(raw, key, answers.KEY)
        for one in answers.listed(text):
            for found in naked_numbers(one):
                yield Problem(path, line, f"naked number {found!r} in {key}; say it in words or call fact()")
            for sentence in unlike(one):
                yield Problem(path, line, f'"faster" without "than" in {key}: {sentence!r}; say than what')


def _check_calls(line: str, names: Known) -> Iterator[str]:
    offers = {
        "answer": frozenset(),
        "fact": names.facts,
        "measured": names.facts,
        "chart": names.charts,
        "table": names.tables,
        "verdict": names.verdicts,
        "cases": names.verdicts,
        "published": names.figures,
        "published_beside": names.figures,
        "rerun": names.workloads,
        "generated_index": frozenset({"faq", "misconceptions"}),
        "claims_table": frozenset(),
        "calculator": frozenset(prose_problem.IDS),
        "coverage": frozenset(),
        "flips": frozenset(),
        "named_table": frozenset(),
        "article_titles": frozenset(),
        "ours_and_theirs": frozenset(),
        "agreement": frozenset(),
    }
    for expression in EXPRESSION.finditer(line):
        for call in CALL.finditer(expression.group(1) or expression.group(2)):
            name, arguments = call.groups()
            if name not in offers:
                yield _unknown("call", name, offers)
                continue
            for place, argument in enumerate(STRING.findall(arguments)):
                of_workload = place == 1 and name in ("chart", "table")
                if argument not in (names.workloads if of_workload else offers[name]):
                    kind = "workload" if of_workload else f"{name} id"
                    yield _unknown(kind, argument, names.workloads if of_workload else offers[name])


def _check_numbers(line: str, names: Known, root: Path) -> Iterator[str]:
    marker = CITES.search(line)
    if marker is None:
        for found in naked_numbers(line):
            yield f"naked number {found!r}: use fact(), published() or a marker (docs/contributing/add-an-answer.md)"
    elif marker.group(1) == "cites" and marker.group(2) not in names.claims:
        yield _unknown("claim", marker.group(2), names.claims)
    elif marker.group(1) == "setting" and not (root / marker.group(2)).is_file():
        yield f"marker names a file that does not exist: {marker.group(2)!r}; name the file that holds the setting"


def naked_numbers(line: str) -> list[str]:
    """Numbers in a line's prose that are no part of a name, with the unit or sign that follows."""
    prose = NAMES.sub(" ", NOT_PROSE.sub(" ", LIST_MARK.sub("", line)))
    return [found.group(0).strip() for found in re.finditer(r"\d[\d.,]*\s?(%|x\b|×|[a-zA-Z]+)?", prose)]


def check_answer(path: str, text: str) -> list[Problem]:
    """Problems in the shape of an answer: a question as title, a short first sentence, all sections in order."""
    head, n_head = front_matter(text)
    problems = []
    if not str(head.get("title", "")).endswith("?"):
        problems.append(Problem(path, 1, "the title of an answer is a question and ends in '?'; write it as asked"))
    sections, in_fence, in_answer = [], False, True
    for number, line in enumerate(text.splitlines()[n_head:], n_head + 1):
        in_fence ^= FENCE.match(line) is not None
        if not in_fence and line.startswith("## "):
            sections.append(line.removeprefix("## "))
            in_answer = False
        if in_answer and (n := answer_words(line)) > ANSWER_WORDS:
            problems.append(Problem(path, number, f"the first sentence has {n} words; shorten it to {ANSWER_WORDS}"))
    if tuple(sections) != SECTIONS:
        found = ", ".join(sections)
        problems.append(Problem(path, 1, f"sections {found}; make them {', '.join(SECTIONS)}, in this order"))
    return problems


def check_opening(path: str, text: str) -> list[Problem]:
    """A guide answers in its first sentence, too, and that sentence is short."""
    _, n_head = front_matter(text)
    for number, line in enumerate(text.splitlines()[n_head:], n_head + 1):
        if n := answer_words(re.sub(r"<!--.*?-->", "", line)):
            problem = Problem(path, number, f"the first sentence has {n} words; shorten it to {ANSWER_WORDS}")
            return [problem] if n > ANSWER_WORDS else []
    return [Problem(path, 1, "the page says nothing; answer in its first sentence")]


def anchors(text: str) -> frozenset[str]:
    """Anchors of a page: its headings as the site writes them, and those that it names itself."""
    found = {one or other for one, other in EXPLICIT_ANCHOR.findall(text)}
    for line in FENCED.sub("", text).splitlines():
        if heading := HEADING.match(line):
            words = re.sub(r"\]\([^)]*\)|[`*\[]", "", EXPRESSION.sub("", heading.group(2)))
            found.add(slugify(words, "-"))
    return frozenset(found)


def check_links(path: str, text: str, sources: Mapping[str, str], names: Known, root: Path = ROOT) -> list[Problem]:
    """Links of a page that lead nowhere: to no page, to no heading of it, or to an address that is none."""
    problems: list[Problem] = []
    in_fence = False
    for number, line in enumerate(text.splitlines(), 1):
        in_fence ^= FENCE.match(line) is not None
        for target in () if in_fence else PAGE_LINK.findall(re.sub(r"`[^`]*`", "", line)):
            wrong = _foreign(target) if ":" in target.partition("/")[0] else _near(path, target, sources, names, root)
            problems += [Problem(path, number, f"link to {target!r}: {wrong}")] if wrong else []
    return problems


def _foreign(target: str) -> str:
    """What is wrong with an address outside the site; empty when nothing is."""
    parts = urlsplit(target)
    if parts.scheme != "https":
        return f"begins with {parts.scheme}:; write the page's https: address"
    if not re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", parts.netloc) or target[-1] in ".,;:":
        return "is no well-formed address; copy it from the browser"
    return ""


def _near(path: str, target: str, sources: Mapping[str, str], names: Known, root: Path) -> str:
    """What is wrong with a link inside the site; empty when nothing is."""
    file, _, anchor = target.partition("#")
    at = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
    below = at.removeprefix("docs/")
    made = below in GENERATED or below.startswith("data/")
    made |= below.startswith("workloads/") and Path(below).stem in names.workloads
    if at not in sources and not made:
        if (root / at).is_file():
            return ""
        near = difflib.get_close_matches(at, [*sources], n=1)
        return f"no such page{f'; {near[0]} is near' if near else ''}; correct it or remove the link"
    if anchor and not made and anchor not in _anchors_on(below, sources[at], names):
        near = difflib.get_close_matches(anchor, sorted(_anchors_on(below, sources[at], names)), n=3, cutoff=0.3)
        return f"{below} has no heading {anchor!r}; near ones: {', '.join(near) or 'none'}"
    return ""


def _anchors_on(page: str, text: str, names: Known) -> frozenset[str]:
    """Anchors of a page with those that calls on it make."""
    made: Collection[str] = ()
    if page == "articles/index.md":
        made = names.claims
    elif page == "faq/index.md" or page == "misconceptions/index.md":
        made = [f"group-{group}" for group in groups.GROUPS]
    return anchors(text) | frozenset(made)


def answer_words(line: str) -> int:
    """Words of a line's first sentence; a call or a piece of code counts as one word, a line of calls alone as none."""
    plain = re.sub(r"\{%.*?%\}", "", line)
    if not re.sub(r"\{\{.*?\}\}", "", plain).strip():
        return 0
    plain = re.sub(r"\{\{.*?\}\}|`[^`]*`", "it", plain)
    return len(re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain.strip())[0].split())


def _unknown(kind: str, name: str, offers: Iterable[str]) -> str:
    known_ones = sorted(offers)
    near = difflib.get_close_matches(name, known_ones, n=3)
    if near:
        return f"unknown {kind} {name!r}; near ones: {', '.join(near)}"
    if len(known_ones) <= MOST_LISTED:
        return f"unknown {kind} {name!r}; known are {', '.join(known_ones) or 'none'}"
    hint = "--facts TEXT lists facts; " if kind.startswith(("fact", "measured")) else ""
    return f"unknown {kind} {name!r}; {hint}{HOW_TO_ADD} says where names come from"


def check_registry(
    pages: Mapping[str, str], registered: dict[str, dict[str, dict]], names: Known, root: Path = ROOT
) -> list[Problem]:
    """Problems between the ids that pages, charts and claims have and those of docs/_ids.toml.

    ``pages`` maps a path below docs/ to the page's id.
    """
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for kind, ids in registered.items():
        if kind not in KINDS:
            problems.append(Problem(REGISTRY, 1, f"unknown kind {kind!r}; use one of {', '.join(KINDS)}"))
        for name, entry in ids.items():
            here = functools.partial(Problem, REGISTRY, _line_of(name, root))
            if name in owners:
                problems.append(here(f"id {name!r} stands under {owners[name]} and {kind}; give the newer one another"))
            owners[name] = kind
            if set(entry) != {"page", "since"}:
                problems.append(here(f"id {name!r} must have page and since, has {sorted(entry)}; write these two"))
            elif kind in PAGE_KINDS:
                if pages.get(entry["page"]) != name:
                    told = f"id {name!r}: no page {entry['page']} with that id; ids are permanent, bring it back"
                    problems.append(here(told))
            elif entry["page"] not in pages:
                problems.append(here(f"id {name!r}: page {entry['page']} does not exist; name the page it stands on"))
    at = {name: entry.get("page") for ids in registered.values() for name, entry in ids.items()}
    for page, page_id in pages.items():
        if owners.get(page_id) not in PAGE_KINDS:
            problems.append(Problem(f"docs/{page}", 1, f"id {page_id!r} is not in {REGISTRY}; add it there"))
        elif at[page_id] != page and pages.get(str(at[page_id])) == page_id:
            told = f"id {page_id!r} belongs to docs/{at[page_id]}; give this page another"
            problems.append(Problem(f"docs/{page}", 1, told))
    for kind, ids in (("charts", names.charts), ("claims", names.claims)):
        listed = registered.get(kind, {}).keys()
        for name in sorted(ids - listed):
            problems.append(Problem(REGISTRY, 1, f"{kind}: {name!r} is not registered; add a line for it"))
        for name in sorted(listed - ids):
            told = f"{kind}: {name!r} does not exist any more; ids are permanent, bring it back"
            problems.append(Problem(REGISTRY, _line_of(name, root), told))
    return problems


def _line_of(name: str, root: Path = ROOT) -> int:
    """Line of an id in the registry of a checkout; 1 where it is not found."""
    path = root / REGISTRY
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{name} =")), 1)


def check_append_only(before: dict[str, dict[str, dict]], after: dict[str, dict[str, dict]]) -> list[Problem]:
    """Ids that an older registry had and a newer one lost or dates differently; an id may move to another list."""
    problems = []
    now = {name: entry for ids in after.values() for name, entry in ids.items()}
    for kind, ids in before.items():
        for name, entry in ids.items():
            kept = now.get(name)
            if kept is None:
                problems.append(Problem(REGISTRY, 1, f"{kind}: {name!r} was removed; ids are permanent"))
            elif kept["since"] != entry["since"]:
                problems.append(Problem(REGISTRY, 1, f"{kind}: {name!r} changed its date; dates are permanent"))
    return problems


def page_sources(root: Path = ROOT) -> dict[str, str]:
    """Text of every page source, by path relative to the repository."""
    paths = sorted((root / "docs").rglob("*.md"))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def notebook_ids(root: Path = ROOT) -> dict[str, str]:
    """Ids of the notebooks, from their metadata, by path below docs/."""
    paths = sorted((root / "docs" / "notebooks").glob("*.ipynb"))
    found = ((path, json.loads(path.read_text(encoding="utf-8"))["metadata"].get("id", "")) for path in paths)
    return {path.relative_to(root / "docs").as_posix(): str(name) for path, name in found}


def load_registry(text: str) -> dict[str, dict[str, dict]]:
    """The registry's kinds, each with its entries by id.

    Raises:
        ValueError: the file is no TOML, or names an id twice in one list; the message has the line and what to do.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        told = f"{error}; an id may stand there once, as: name = {{ page = ..., since = ... }}"
        raise ValueError(f"{REGISTRY}:{at.group(1) if at else 1}: {told}") from error


def check(root: Path = ROOT) -> list[Problem]:
    """All problems of the pages, the registry and the README's numbers."""
    names = known(root)
    sources = page_sources(root)
    problems = [found for path, text in sources.items() for found in check_page(path, text, names, root)]
    for path, text in sources.items():
        if path.startswith("docs/faq/") and not path.endswith("/index.md"):
            problems += check_answer(path, text)
        elif path.startswith("docs/guides/"):
            problems += check_opening(path, text)
        problems += check_links(path, text, sources, names, root)
    for figure in published.figures().values():
        if figure.url and (wrong := _foreign(figure.url)):
            problems.append(Problem(figure.file, 1, f"row {figure.id!r}, {figure.url!r}: {wrong}"))
    ids = {path.removeprefix("docs/"): str(front_matter(text)[0].get("id", "")) for path, text in sources.items()}
    ids |= notebook_ids(root)
    problems += check_registry(ids, load_registry((root / REGISTRY).read_text(encoding="utf-8")), names, root)
    readme = (root / "README.md").read_text(encoding="utf-8")
    if readme != with_numbers(readme, committed_evidence()):
        problems.append(Problem("README.md", 1, "numbers differ from the records; run check_prose.py --write-readme"))
    return problems


# The README's numbers.

START, END = "<!-- numbers:start -->", "<!-- numbers:end -->"
README_FACTS = (
    ("digits network, trained to its target", "cnn-digits-time-to-target", ""),
    ("dense network on a table, training", "mlp-tabular-train-cpu-throughput", "mlp-tabular-train-speedup"),
    ("LSTM on text, training", "lstm-text-train-cpu-throughput", "lstm-text-train-speedup"),
    ("small transformer on text, training", "transformer-text-train-cpu-throughput", "transformer-text-train-speedup"),
    ("MobileNet-v2, training", "mobilenet-v2-train-cpu-throughput", "mobilenet-v2-train-speedup"),
    ("ResNet-50, training", "resnet50-train-cpu-throughput", "resnet50-train-speedup"),
    ("ResNet-50, one pass over ImageNet (computed)", "resnet50-imagenet-epoch", ""),
)


def committed_evidence(results: Path = files.RESULTS) -> Evidence:
    """Evidence without what this machine's owner measured and has not published."""
    stored = store.load(results)
    return Evidence(stored._replace(sessions=tuple(s for s in stored.sessions if not s.is_local)), registry.workloads())


def with_numbers(readme: str, evidence: Evidence) -> str:
    """The README with the block between its markers made from the records.

    Raises:
        ValueError: the markers are missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"README.md: expected {START} and {END}")
    cpu, gpu, date = (lookup.lookup(name, evidence) for name in ("machine-cpu", "machine-gpu", "lead-date"))
    rows = ["| | CPU | GPU over CPU |", "| --- | --- | --- |"]
    for label, on_cpu, ratio in README_FACTS:
        if ratio and lookup.measured(ratio, evidence):
            on_cpu = f"{ratio}-cpu"  # a ratio stands beside its own CPU
        factor = lookup.lookup(ratio, evidence).text if ratio else ""
        rows.append(f"| {label} | {lookup.lookup(on_cpu, evidence).text} | {factor} |")
    notes = f"CPU: {cpu.text}. GPU: {gpu.text}. Measured: {date.text}. Median, 95 % interval, number of processes."
    return f"{before}{START}\n" + "\n".join(rows) + f"\n\n{notes}\n{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 nothing found, 1 problems."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", metavar="TEXT", help="list the facts whose id contains TEXT, and stop")
    parser.add_argument("--report", action="store_true", help="length and reading level of every page, and stop")
    parser.add_argument("--write-readme", action="store_true", help="renew the numbers in README.md, and stop")
    options = parser.parse_args(arguments)
    if options.facts is not None:
        evidence = Evidence(store.load(), registry.workloads())
        for name in lookup.names(registry.workloads()):
            if options.facts in name:
                print(f"{name}  {lookup.lookup(name, evidence).text}")
        return 0
    if options.report:
        print(groups.table(groups.read(path, text) for path, text in page_sources().items()))
        return 0
    if options.write_readme:
        path = ROOT / "README.md"
        path.write_text(with_numbers(path.read_text(encoding="utf-8"), committed_evidence()), encoding="utf-8")
        return 0
    problems = check()
    for problem in problems:
        print(problem.shown)
    print(f"{len(problems)} problems in {len(page_sources())} pages", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
