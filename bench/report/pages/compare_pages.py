"""Two machines side by side: a page with a choice of both, and a file for every pair that it can show.

The numbers are those of ``gpu-bench compare``; the page's script only fetches what stands here.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from markupsafe import Markup

from bench.records.store import SessionResults
from bench.report import templates
from bench.report.evidence import against
from bench.report.pages import addresses, markup
from bench.report.pages.addresses import Pages
from bench.report.pages.context import Site
from bench.report.pages.markup import PARTS
from bench.report.stats import estimate, spoken
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.report.templates import Valued, join
from bench.schema import Kind, Record

PAGE = "machines/compare.md"
FOLDER = "data/compare/"
SCRIPT = "assets/js/compare.js"
KINDS = get_args(Kind)  # networks first, which most people look for
MOST_PAIRS = 30  # that are worked out: each of the first machines with every other one; at least the first with all
COMPARE = templates.macros("compare.md.j2")


class Result(NamedTuple):
    """A cell of both machines, or one series of a study; ``ratio`` is the first machine's speed over the second's."""

    first: Record
    second: Record
    row: against.Row
    ratio: Estimate


def pairs(machines: Sequence[SessionResults]) -> Iterator[tuple[SessionResults, SessionResults]]:
    """Every two machines in their order, each by its best session; of very many the first with each other one."""
    n = max(MOST_PAIRS, len(machines) - 1)
    return itertools.islice(itertools.combinations(machines, 2), n)


def results(first: SessionResults, second: SessionResults) -> tuple[list[Result], list[str]]:
    """What both measured alike, and of each cell that cannot be compared the reason."""
    found, problems = [], []
    in_order = sorted(against.twins(first, second), key=lambda two: (KINDS.index(two[0].spec.kind), two[0].spec.title))
    for one, other in in_order:
        for row in against.compare_cells(one, other, same_machine=False):
            if row.ratio is not None:
                found.append(Result(one, other, row, estimate.inverse(row.ratio)))
            elif row.problem:
                problems.append(row.problem)
    return found, problems


def mean(found: Sequence[Result]) -> float:
    """Geometric mean of the first machine's speed over the second's."""
    return math.exp(statistics.fmean(math.log(one.ratio.value) for one in found))


def compare_pages(site: Site) -> Pages:
    """The page, and beside it a file for each pair of machines."""
    files: Pages = {}
    shown: list[dict[str, str]] = []
    lead, rest = site.evidence.shown[:1], site.evidence.shown[1:]
    in_order = (*lead, *sorted(rest, key=lambda session: -len(session.records)))  # first the two with most to compare
    for first, second in pairs(in_order):
        found, problems = results(first, second)
        labels = [site.evidence.view(session).label for session in (first, second)]
        table = _table(site, (first, second), labels, found, problems)
        shown.append({"sentence": _sentence(labels, found), "table": table})
        names = "--".join(map(addresses.machine_slug, (first, second)))
        files[f"{FOLDER}{names}.json"] = json.dumps(shown[-1], ensure_ascii=False) + "\n"
    machines = [(addresses.machine_slug(session), _words(site, session)) for session in in_order]
    text = COMPARE.page(
        machines=machines,
        shown=shown[0] if shown else None,
        files=addresses.href(PAGE, FOLDER),
        script=addresses.href(PAGE, SCRIPT),
        add=addresses.href(PAGE, "guides/add-a-machine.md"),
    )
    about = "Any two machines that were measured: which is faster, by how much, and every result that both have."
    return files | {PAGE: markup.page("Compare two machines", about, text, hide=("toc",), order=1)}


def _words(site: Site, session: SessionResults) -> str:
    name = "this machine" if session.is_local else session.machine.id
    return f"{name}: {site.machine_words(session)}"


def _sentence(labels: Sequence[str], found: Sequence[Result]) -> Markup:
    """Which is faster and by how much, on each device that both measured."""
    if not found:
        return COMPARE.nothing(*labels)
    said = []
    for device in dict.fromkeys(one.row.device for one in found):
        of_device = [one for one in found if one.row.device == device]
        ratio = mean(of_device)
        fast, slow = labels if ratio >= 1 else reversed(labels)
        times = spoken.times(max(ratio, 1 / ratio))
        orders = [one.row.order for one in of_device]
        n_ahead = orders.count("faster" if ratio >= 1 else "slower")
        n_equal = orders.count("overlaps")
        said.append(
            COMPARE.said(
                fast=fast,
                slow=slow,
                times="" if times == "1.0 times" else times,
                device=fmt.device(device),
                n=len(of_device),
                n_ahead=n_ahead,
                n_behind=len(of_device) - n_ahead - n_equal,
                n_equal=n_equal,
            )
        )
    return join(said, " ")


def _table(
    site: Site,
    both: tuple[SessionResults, SessionResults],
    labels: Sequence[str],
    found: Sequence[Result],
    problems: Sequence[str],
) -> Markup:
    """Every result that both have, what else differs, and why some have no ratio."""
    first, second = both
    rows = []
    for one in found:
        noun = one.row.noun
        numbers = [
            Valued(site.number(PAGE, fmt.interval(value, noun), site.evidence.refs(record)), value.value)
            for record, value in ((one.first, one.row.here), (one.second, one.row.there))
            if value is not None
        ]
        series = next((item.label for item in one.first.spec.series if item.id == one.row.series), "")
        rows.append(
            (
                f"{one.first.spec.title}{f': {series}' if series else ''}",
                markup.cell_words(one.first),
                Valued(
                    site.number(PAGE, fmt.interval(one.ratio), site.evidence.refs(one.first, one.second)),
                    one.ratio.value,
                ),
                *numbers,
            )
        )
    columns = ("What", "Cell", "Ratio", *labels)
    caption = f"Ratio: speed of {labels[0]} over that of {labels[1]}; where its interval holds 1x, no difference shows."
    reasons = [(reason, problems.count(reason)) for reason in dict.fromkeys(problems)]
    table = PARTS.table(columns, rows, caption, label="Results of both", is_sortable=True) if rows else ""
    links = [
        PARTS.link(addresses.href(PAGE, f"machines/{addresses.machine_slug(session)}.md"), label)
        for session, label in zip(both, labels, strict=True)
    ]
    paths = (first.path, second.path)
    differences = against.differences(first.session, second.session)
    return COMPARE.table(table, links, paths, differences, reasons)
