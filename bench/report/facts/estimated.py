"""What a GPU would do that nobody has measured here: what others published, else the formula's range, beside our CPU.

Only of training, at the batch of the fastest CPU cell or the least that a card is trained with. A fact that has a
record never comes here (``lookup``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.estimates import formula, networks, rows, words
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import fact
from bench.report.facts.fact import Found
from bench.report.published import cards
from bench.report.published.figures import Figure
from bench.report.published.sources import sources
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.stats import spoken as in_words
from bench.report.stats.estimate import Estimate
from bench.schema import BACKENDS, Backend, Record
from bench.workloads import registry

CARD = "Tesla T4"  # what most people can have for nothing
LEAST_BATCH = 32  # of a card, which smaller batches leave idle
BESIDE = "-train-speedup-cpu"  # names of the side that is measured
HOW_PAGE = "method/how-we-estimate.md"
HOW_PUBLISHED = "What others measured of the same network on the same card, over what our CPU does."
HOW = (
    "By a formula fitted to what others measured: the network's operations and memory traffic over what the data sheet "
    "promises, and the start of each step. The side of the CPU is measured."
)

Make = Callable[[Evidence], Found | None]


class Pair(NamedTuple):
    """A CPU cell of ours, and what a card does with the same network: by the formula, or published by others."""

    session: SessionResults
    record: Record
    cpu: Estimate  # samples per second
    gpu: Estimate  # samples per second; its ends are those of the range
    step: Estimate  # seconds
    answer: formula.Estimate | None  # None of what was published
    card: str
    batch: int  # of the card; the CPU's is the record's
    figure: Figure | None = None

    @property
    def speedup(self) -> Estimate:
        """The card's rate over the CPU's; ends over ends, so rather too wide."""
        return estimate.over(self.gpu, self.cpu)

    @property
    def batches(self) -> str:
        """Batches of both sides in words: "batch 32 on both", "batch 32 against 8"."""
        own = self.record.cell.batch_size
        return f"batch {self.batch} on both" if self.batch == own else f"batch {self.batch} against {own}"

    @property
    def is_launching(self) -> bool:
        """Whether by the formula starting the work decides."""
        return self.answer is not None and self.answer.kind == "launching"

    def found(self, evidence: Evidence, value: Estimate, noun: str = "samples") -> Found:
        """One of its numbers as a fact: "7.1 to 25x (estimated, T4)", "73x (published, RTX 4090, batch 224)"."""
        card = spoken(self.card)
        told = f"published, {card}, batch {self.batch}"
        text = says(value, noun, self.card) if self.figure is None else f"{fmt.estimate(value, noun)} ({told})"
        cell = (self.session, self.record.cell.id)
        return Found(text, (cell,), value, note(evidence, self), card=card, figure=self.figure)


def pair(
    evidence: Evidence,
    workload: str,
    card: str = CARD,
    backend: Backend | None = None,
    least_batch: int = LEAST_BATCH,
    only: SessionResults | None = None,
) -> Pair | None:
    """A workload's fastest training cell on a CPU, and the card by the formula; None where either is not known.

    It is of the first of the shown sessions that has one, or of ``only``. Where launching decides, both sides are
    TensorFlow's, of which alone anything was published.
    """
    for session, record in _fastest(evidence, workload, backend, only):
        found = of_record(session, record, card, least_batch)
        if found is None:
            continue
        if found.is_launching and found.record.cell.backend != "tensorflow" and backend is None:
            return pair(evidence, workload, card, "tensorflow", least_batch, only)
        return found
    return None


def _fastest(
    evidence: Evidence, workload: str, backend: Backend | None = None, only: SessionResults | None = None
) -> Iterator[tuple[SessionResults, Record]]:
    """Each shown session, or ``only``, with its fastest training cell on a CPU."""
    for session in evidence.shown if only is None else (only,):
        if session.session.profile == "smoke":  # its sizes are too small to tell anything
            continue
        record = evidence.view(session).best(Pick(workload, "train", "cpu", backend=backend))
        if record is not None:
            yield session, record


def published(evidence: Evidence, workload: str, card: str = CARD, *, is_same_batch: bool = False) -> Pair | None:
    """A workload's fastest training cell on a CPU, and what others measured on the card; None where nobody did.

    Of the arithmetic that Keras has by default there, at the batch nearest to that of the formula's case, the fastest
    of several; a card's batch differs from the CPU's unless it ``is_same_batch``.
    """
    sheet = cards.card(card)
    for session, record in _fastest(evidence, workload):
        mine, cpu = _network(record), quantities.throughput(record)
        if mine is None or cpu is None:
            continue
        batch = record.cell.batch_size if is_same_batch else max(record.cell.batch_size, LEAST_BATCH)
        near = {
            row: abs(math.log(row.batch / batch))
            for row in formula.published(formula.case_of(mine, sheet, batch))
            if row.batch and (row.batch == batch if is_same_batch else row.batch >= LEAST_BATCH)
        }
        if near:
            row = min(near, key=lambda row: (near[row], -row.throughput))
            gpu, step = estimate.single(row.throughput, "samples_per_s", 0), estimate.single(row.seconds or 0.0, "s", 0)
            return Pair(session, record, cpu, gpu, step, None, sheet.name, int(row.batch or 0), figure_of(row))
    return None


def known(evidence: Evidence, workload: str, card: str = CARD, *, is_same_batch: bool = False) -> Pair | None:
    """What others published of a workload on a card beside our CPU, else what the formula says."""
    found = published(evidence, workload, card, is_same_batch=is_same_batch)
    return found or pair(evidence, workload, card, least_batch=0 if is_same_batch else LEAST_BATCH)


def speed(row_id: str) -> Figure | None:
    """A published training speed by its id; None where it is something else that was published."""
    row = rows.by_id().get(row_id)
    return None if row is None else figure_of(row)


def figure_of(row: rows.Row) -> Figure:
    """A published speed as a figure, with its source."""
    network, source = networks.published()[row.network], sources()[row.source]
    return Figure(
        id=row.id,
        subject=f"{network.title} {network.size}".strip(),
        metric="training speed",
        value=fmt.number(row.throughput),
        unit=row.unit,
        hardware=row.card,
        software=f"{row.framework}, {row.precision}, batch {row.batch:g}",
        batch_size=f"{row.batch:g}",
        date=source.date,
        source=source.id,
        url=source.url,
        evidence="measured",
        warning="",
        file=row.file,
    )


def _network(record: Record) -> networks.Network | None:
    return networks.ours().get(registry.network(record.cell.workload, record.cell.params))


def case_of(record: Record, card: cards.Card, least_batch: int = LEAST_BATCH) -> formula.Case:
    """The same training as a record's on a card; what TensorFlow's launching costs decides which kind of case it is.

    ``least_batch``: the card takes that many samples a step where the CPU was fastest with fewer.

    Raises:
        KeyError: the record's network was not counted.
    """
    network = networks.ours()[registry.network(record.cell.workload, record.cell.params)]
    return formula.case_of(network, card, max(record.cell.batch_size, least_batch), backend="tensorflow")


def of_record(session: SessionResults, record: Record, card: str, least_batch: int = LEAST_BATCH) -> Pair | None:
    """The pair of one CPU cell; None where the formula refuses."""
    cell, cpu = record.cell, quantities.throughput(record)
    if _network(record) is None or cpu is None or cell.mode != "train":
        return None
    case = case_of(record, cards.card(card), least_batch)
    guess = formula.estimate(case)
    if guess.kind == "refused":
        return None
    step = Estimate(value=guess.seconds, low=guess.low, high=guess.high, n=0, n_samples=0, unit="s", spread_frac=0.0)
    gpu = estimate.over(estimate.single(case.batch, "samples_per_s", 0), step, "samples_per_s")
    return Pair(session, record, cpu, gpu, step, guess, card, int(case.batch))


def of(name: str, evidence: Evidence) -> Found | None:
    """What is published or estimated under a fact's name; None where nothing is."""
    make = _makers(tuple(evidence.workloads)).get(name)
    return None if make is None else make(evidence)


def says(value: Estimate, noun: str = "samples", card: str = CARD) -> str:
    """A range in words, and what it is: "7.1 to 25x (estimated, T4)"."""
    return f"{fmt.between(value, noun)} (estimated, {spoken(card)})"


def spoken(card: str = CARD) -> str:
    """A card's name as people say it: "RTX 4090" of "GeForce RTX 4090"."""
    return re.sub(r"^(GeForce|Tesla) | PCIe| SXM\d?| \d+ GB$", "", card)


@cache
def _makers(workloads: tuple[str, ...]) -> Mapping[str, Make]:
    makers: dict[str, Make] = {}
    for workload in workloads:
        for backend in (None, *BACKENDS):
            tail = f"-{backend}" if backend else ""
            makers[f"{workload}-train-gpu-throughput{tail}"] = _maker(workload, "gpu", backend)
            makers[f"{workload}-train-gpu-step{tail}"] = _maker(workload, "step", backend)
        for suffix, what in (("", "speedup"), ("-factor", "speedup"), ("-gpu", "gpu")):
            makers[f"{workload}-train-speedup{suffix}"] = _maker(workload, what)
        makers[f"{workload}-train-speedup-same-batch"] = _maker(workload, "speedup", is_same_batch=True)
        makers[f"{workload}{BESIDE}"] = _beside(workload)
    for name, place in (("smallest", 0), ("largest", -1)):
        makers[f"speedup-{name}"] = _extreme(workloads, place)
    return makers


def _maker(workload: str, what: str, backend: Backend | None = None, *, is_same_batch: bool = False) -> Make:
    def make(evidence: Evidence) -> Found | None:
        if backend is None:
            found = known(evidence, workload, is_same_batch=is_same_batch)
        else:  # what others published is hardly ever Keras on a backend
            found = pair(evidence, workload, backend=backend)
        if found is None or (found.is_launching and backend not in (None, "tensorflow")):
            return None
        return found.found(evidence, getattr(found, what), found.record.spec.sample_noun)

    return make


def _beside(workload: str) -> Make:
    def make(evidence: Evidence) -> Found | None:
        found = known(evidence, workload)
        if found is None:
            return None
        batch = f"batch {found.record.cell.batch_size}, {fmt.precision(found.record.cell.precision, 'cpu')}"
        text = fact.named(fmt.interval(found.cpu, found.record.spec.sample_noun), batch)
        cell = (found.session, found.record.cell.id)
        return Found(text, (cell,), found.cpu, fact.arm(found.record))

    return make


def _extreme(workloads: tuple[str, ...], place: int) -> Make:
    def make(evidence: Evidence) -> Found | None:
        pairs = [found for found in (known(evidence, workload) for workload in workloads) if found is not None]
        if not pairs:
            return None
        pair = sorted(pairs, key=lambda one: one.speedup.value)[place]
        found = pair.found(evidence, pair.speedup)
        end = pair.speedup.low if place == 0 else pair.speedup.high  # of all ranges, which the sentence spans
        short = in_words.middle(estimate.single(end, "ratio", 0))
        text = fact.named(found.text, evidence.title(pair.record.cell.workload))
        return found._replace(text=text, short=short)

    return make


def note(evidence: Evidence, found: Pair) -> str:
    """Of which card and which CPU it is; of an estimate also how far it can be trusted."""
    cpu = f"{fact.arm(found.record)}, {evidence.view(found.session).cpu_text(found.record)}"
    if found.figure is not None:
        return f"GPU: {found.card}, {found.figure.text}, {found.figure.software}; CPU: {cpu}"
    sure = words.trust(found.answer, formula.constants())
    return f"GPU: {found.card}, float32, batch {found.batch}, by formula; CPU: {cpu}. {sure}"
