"""Chart and table: how fast graphics cards train a network, estimated, with what others measured on them."""

from __future__ import annotations

import re

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.paint import forest
from bench.report.charts.paint.axes import MEASURED, PUBLISHED
from bench.report.estimates import formula, networks
from bench.report.estimates.rows import Row as Figure
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.published import cards
from bench.report.stats import estimate, quantities, spoken
from bench.report.stats import format as fmt
from bench.report.tables import cells, table
from bench.report.tables.table import Cellv, Draft, TableScope
from bench.schema import Record
from bench.workloads import registry

WORKLOAD = "resnet50"
BATCH = 32


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A card: samples a second that the formula gives for a network, or why none, and what others measured."""

    card: cards.Card
    answer: formula.Estimate
    rate: estimate.Estimate | None
    figures: tuple[Figure, ...]


def label(card: cards.Card) -> str:
    """The card's name without its maker's brands, and its memory."""
    name = re.sub("^(GeForce|Tesla|Radeon) | Blackwell$", "", card.name)
    memory = fmt.bytes_(card.memory) if card.memory else ""
    return name if memory in name else f"{name}, {memory}"


def _network(evidence: Evidence, workload: str) -> networks.Network | None:
    """The network that a workload trains first."""
    spec = evidence.workloads.get(workload)
    every = [v for v in spec.variants.get("reference", ()) if v.headline and v.mode == "train"] if spec else []
    return networks.ours().get(registry.network(workload, every[0].params)) if every else None


def _rows(evidence: Evidence, workload: str) -> list[Row]:
    """The cards that people name most, the fastest first."""
    network = _network(evidence, workload)
    if network is None:
        return []
    named = cards.often_named()
    cases = [formula.case_of(network, card, BATCH) for card in named]
    found = []
    for card, case, answer in zip(named, cases, formula.estimates(cases), strict=True):
        rate = None
        if answer.kind != "refused":
            samples = estimate.single(BATCH, "samples_per_s", 0)
            rate = estimate.over(samples, marks.times_step(answer), "samples_per_s")
        found.append(Row(card=card, answer=answer, rate=rate, figures=formula.published(case)))
    return sorted(found, key=lambda row: -(row.rate.value if row.rate else 0.0))


def _cpu(scope: chart.Scope, workload: str) -> tuple[Record, estimate.Estimate] | None:
    record = scope.evidence.view(scope.session).best(Pick(workload, "train", "cpu")) if scope.session else None
    rate = None if record is None else quantities.throughput(record)
    return None if record is None or rate is None else (record, rate)


@table.table("card-ladder")
def card_ladder_table(scope: TableScope) -> Draft:
    """How fast the most named cards train a network, estimated, with what others measured on them."""
    workload = scope.workloads[0] if len(scope.workloads) == 1 else WORKLOAD
    noun, rows = scope.evidence.noun(workload), []
    for session in scope.leading:
        record = scope.evidence.view(session).best(Pick(workload, "train", "cpu"))
        if record is not None:
            speed = cells.estimate(scope, quantities.throughput(record), record, noun=noun)
            rows.append((scope.machine(session), *[cells.text("")] * 3, speed, cells.text("")))
    for row in _rows(scope.evidence, workload):
        published = sorted(figure.throughput for figure in row.figures)
        said = " to ".join(dict.fromkeys(fmt.number(rate) for rate in (*published[:1], *published[-1:])))
        rows.append((
            cells.text(row.card.name),
            cells.text(str(row.card.year)),
            cells.text(fmt.bytes_(row.card.memory) if row.card.memory else ""),
            _guessed(row, noun),
            cells.text(""),
            Cellv(text=f"{said} ({len(published)})", is_published=True) if published else cells.text(""),
        ))  # fmt: skip
    return Draft(
        caption=f"{scope.evidence.title(workload)}: {noun} a second in training (higher is better), on cards at batch "
        f"{BATCH} in float32 or TF32, by formula; published ones in the same arithmetic at their own batch, with "
        "their number; the CPU's own is measured.",
        columns=("card", "year", "memory", "estimated", "measured", "published elsewhere"),
        rows=rows,
    )


def _guessed(row: Row, noun: str) -> Cellv:
    if row.rate is None:
        return cells.text(f"no estimate: {row.answer.reason}")
    return cells.guessed(row.rate, noun)


@chart.chart("card-ladder")
def card_ladder(scope: chart.Scope) -> chart.Picture:
    """Training speed of a network on the cards that people name most, beside our CPU."""
    workload = scope.workload or WORKLOAD
    every = _rows(scope.evidence, workload)
    rows = [row for row in every if row.rate is not None and row.card.name in cards.USUAL]
    found = [mark for row in rows for mark in _marks(row)]
    ours = _cpu(scope, workload)
    if ours:
        found.append(marks.estimated(scope, "our CPU", MEASURED["cpu"], ours[1], ours[0]))
    noun, title = scope.evidence.noun(workload), scope.title_of(workload)
    return chart.Picture(
        title=_title(rows, ours[1] if ours else None, title),
        description=marks.in_words(f"{noun} a second, training {title}", found, marks.fmt_rate),
        rows=found,
        note=f"Training at batch {BATCH} in float32 or TF32. The table has all {len(every)} cards.",
        paint=lambda narrow: forest.forest(
            found, f"{noun} a second (log scale, higher is better)", narrow=narrow, row_px=13, gap=0.12,
            name_chars=21 if narrow else 27, rule_at=ours[1].value if ours else None,
        ),
    )  # fmt: skip


def _marks(row: Row) -> list[marks.Mark]:
    if row.rate is None:
        return []
    others = [
        marks.absent(label(row.card), PUBLISHED, "")
        | {"kind": "published", "slot": "", "value": figure.throughput, "note": None}
        for figure in row.figures
    ]
    return [marks.guessed(label(row.card), "", row.rate, ""), *others]


def _title(rows: list[Row], cpu: estimate.Estimate | None, network: str) -> str:
    rates = [(row.rate, [figure.throughput for figure in row.figures]) for row in rows if row.rate]
    if not rates or cpu is None:
        return f"How fast graphics cards train {network}"
    faster = marks.of_all(sum(rate.low > cpu.high for rate, _ in rates), len(rates)).capitalize()
    best, published = max(rates, key=lambda each: each[0].value)
    most = spoken.spoken(estimate.over(estimate.single(max(published), "samples_per_s", 1) if published else best, cpu))
    return f"{faster} cards train {network} faster than our CPU, the fastest {most} as fast"
