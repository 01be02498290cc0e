"""Checks pages: heads, calls, numbers, links, ids. Says file, line and remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from bench import REPOSITORY as ROOT
from bench.doctor import builds
from bench.doctor.facts import NAMES
from bench.report.claims import answers, beliefs, ledger
from bench.report.claims.cases.facts import listed
from bench.report.claims.check_rule import Offers, line_in, named, unknown
from bench.report.estimates import formula, rows
from bench.report.facts import lookup
from bench.report.prose import bars, groups, links, numbers, shape
from bench.report.prose import ids as prose_ids
from bench.report.prose import readme as prose_readme
from bench.report.prose import source as prose_source
from bench.report.prose.problem import CALL, EXPRESSION, HOW_TO_ADD, ID, STRING, Known, Problem
from bench.report.published import cards
from bench.report.published import figures as published
from bench.workloads import registry

KEYS = frozenset(
    "title short_title id description answer bars workloads where verdict asks order group redirect_from hide".split()
)
# Calls that take no id; a figure's words are its title.
WITHOUT_NAMES = (
    "answer bars figure doors claims_table your_job coverage data_state flips named_table article_titles"
    " ours_and_theirs agreement grades how_sure decoded held_out ranges refusals old_cards"
).split()
DESCRIPTION_LIMIT = 170  # search engines cut longer ones


def known(root: Path = ROOT) -> Known:
    """What this checkout offers."""
    return Known(
        facts=frozenset(lookup.names(registry.workloads())),
        charts=_decorated(root / "bench/report/charts", "chart"),
        tables=_decorated(root / "bench/report", "table"),
        beliefs=prose_source.beliefs(root / "docs"),
        figures=frozenset(published.figures()) | frozenset(rows.by_id()),
        workloads=registry.workloads(),
        claims=frozenset(entry.id for entries in (published.claims(), published.named()) for entry in entries),
    )


def _decorated(folder: Path, decorator: str) -> frozenset[str]:
    """Ids given to a decorator below a folder; read as text, because importing charts needs the drawing packages."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    return frozenset(re.findall(rf"^@(?:\w+\.)?{decorator}\(\s*\"([^\"]+)\"", text, re.M))


def check_page(source: prose_source.Source, names: Known, root: Path = ROOT) -> list[Problem]:
    """Problems of one page."""
    path = source.shown
    problems = [*_check_head(source, names), *_check_decided(source, names)]
    problems += (Problem(path, *told) for told in bars.problems(source.meta, source.head, source.body, names.offers))
    for number, (line, is_code) in enumerate(prose_source.with_code(source.body.splitlines()), source.n_head_lines + 1):
        problems += [Problem(path, number, found) for found in _check_calls(line, names)]
        if prose_source.is_for_readers(source.path):
            problems += [Problem(path, number, told) for told in map(lookup.misplaced, STRING.findall(line)) if told]
        if not is_code:
            problems += [Problem(path, number, found) for found in numbers.check_numbers(line, names, root)]
            alone = (f'"faster" without "than": {sentence!r}; say than what' for sentence in numbers.unlike(line))
            problems += [Problem(path, number, found) for found in alone]
    if shape.LIMITS in source.text and not shape.UNTRIED.search(EXPRESSION.sub("", source.text)):
        at = source.text.splitlines().index(shape.LIMITS) + 1
        problems.append(Problem(path, at, "the page does not say what was not tried; add a sentence on it below"))
    return problems


def _check_head(source: prose_source.Source, names: Known) -> Iterator[Problem]:
    path, head = source.shown, source.meta
    folder = Path(path).parent.name
    is_answer = folder in ("faq", "misconceptions") and Path(path).name != "index.md"
    wanted = ["title", "id", *(() if answers.KEY in head else ("description",))]
    wanted += ["workloads"] if is_answer else []
    wanted += [beliefs.KEY] if is_answer and folder == "misconceptions" else []
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
    for sentence in numbers.unlike(str(head.get("description", ""))):
        yield Problem(path, 1, f'"faster" without "than" in description: {sentence!r}; say than what')
    for workload in head.get("workloads") or []:
        if workload not in names.workloads:
            yield Problem(path, 1, unknown("workload", workload, names.workloads))
    if "group" in head and head["group"] not in groups.GROUPS:
        yield Problem(path, 1, unknown("group", str(head["group"]), groups.GROUPS))
    if "where" in head and head["where"] not in groups.WHERE:
        yield Problem(path, 1, unknown("where", str(head["where"]), groups.WHERE))
    description = str(head.get("description", ""))
    if len(description) > DESCRIPTION_LIMIT:
        yield Problem(path, 1, f"description has {len(description)} characters; shorten it to {DESCRIPTION_LIMIT}")
    for key in ("title", "description"):
        for found in numbers.naked_numbers(str(head.get(key, ""))):
            yield Problem(path, 1, f"naked number {found!r} in {key}; say it in words or call fact()")


def _check_decided(source: prose_source.Source, names: Known) -> Iterator[Problem]:
    """Problems of the answer in a page's front matter: its rule, its sentences, and what stands in them."""
    path = source.shown
    found = answers.problems(source.meta, source.head, source.body, beliefs=names.beliefs, offers=names.offers)
    yield from (Problem(path, line, told) for line, told in found)
    given = source.meta.get(answers.KEY)
    for key, text in (named(given) if isinstance(given, dict) else {}).items():
        if key not in (*answers.SENTENCES, "says", "measure", "reason"):
            continue
        line = line_in(source.head, key, answers.KEY)
        for one in listed(text):
            for number in numbers.naked_numbers(one):
                yield Problem(path, line, f"naked number {number!r} in {key}; say it in words or call fact()")
            for sentence in numbers.unlike(one):
                yield Problem(path, line, f'"faster" without "than" in {key}: {sentence!r}; say than what')


def _check_calls(line: str, names: Known) -> Iterator[str]:
    chips = builds.chips()
    offers: dict[str, Collection[str]] = dict.fromkeys(WITHOUT_NAMES, ())
    offers |= dict.fromkeys(("fact", "where", "measured", "known", "estimated"), names.facts)
    offers |= dict.fromkeys(("verdict", "cases"), names.beliefs)
    offers |= dict.fromkeys(("published", "published_beside"), names.figures)
    offers |= {"chart": names.charts, "table": names.tables, "rerun": names.workloads}
    offers |= {"generated_index": ("faq", "misconceptions"), "fitted": formula.constants().counts}
    offers["card"] = [card.name for card in cards.often_named()]
    offers |= {"code_for": [*NAMES, *chips], "builds_for": chips, "chips_of": NAMES}
    offers["last_with"] = [*NAMES, *(row.what for row in builds.table().ended)]
    offers["plugin_end"] = [plugin.name for plugin in builds.table().plugin]
    for expression in EXPRESSION.finditer(line):
        for call in CALL.finditer(expression.group(1) or expression.group(2)):
            name, arguments = call.groups()
            if name not in offers:
                yield unknown("call", name, offers)
                continue
            for place, argument in enumerate(STRING.findall(arguments) if name != "figure" else ()):
                of_workload = place == 1 and name in ("chart", "table")
                if argument not in (names.workloads if of_workload else offers[name]):
                    kind = "workload" if of_workload else f"{name} id"
                    yield unknown(kind, argument, names.workloads if of_workload else offers[name])


def check(root: Path = ROOT) -> list[Problem]:
    """All problems of the pages, the rules, the registry and the README's numbers; of broken beliefs those alone."""
    sources = prose_source.read(root / "docs").values()
    offers = Offers(frozenset(lookup.names(registry.workloads())), published.figures(), registry.workloads())
    problems = [
        Problem(source.shown, line, told)
        for source in sources
        for line, told in beliefs.problems(source.meta, source.head, offers)
    ]
    if problems:
        return problems
    names = known(root)
    texts = {source.shown: source.text for source in sources}
    for told in ledger.problems(names.beliefs, offers):
        problems.append(Problem(*told))
    for source in sources:
        problems += check_page(source, names, root)
        if source.path.startswith("faq/") and not source.path.endswith("/index.md"):
            problems += shape.check_answer(source)
        elif source.path.startswith("misconceptions/") and not source.path.endswith("/index.md"):
            problems += shape.check_belief(source)
        elif source.path.startswith("guides/"):
            problems += shape.check_opening(source)
        problems += links.check_links(source.shown, source.text, texts, names, root)
    for figure in published.figures().values():
        if figure.url and (wrong := links.foreign(figure.url)):
            problems.append(Problem(figure.file, 1, f"row {figure.id!r}, {figure.url!r}: {wrong}"))
    ids = {source.path: str(source.meta.get("id", "")) for source in sources} | prose_ids.notebook_ids(root)
    registered = prose_ids.load_registry((root / prose_ids.REGISTRY).read_text(encoding="utf-8"))
    problems += prose_ids.check_registry(ids, registered, names, root)
    readme = (root / "README.md").read_text(encoding="utf-8")
    if readme != prose_readme.with_numbers(readme, prose_readme.committed_evidence()):
        problems.append(Problem("README.md", 1, "numbers differ from the records; run check_prose.py --write-readme"))
    return problems
