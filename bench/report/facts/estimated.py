"""What a GPU would do where nobody has measured one: the formula's range, beside our own CPU.

Only of training, of networks and cards that the formula knows, at the batch of the fastest CPU cell. A fact that has a
record never comes here (``lookup``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.estimates import formula, networks, words
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import fact
from bench.report.facts.fact import Found
from bench.report.published import cards
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.report.stats.estimate import Estimate
from bench.schema import BACKENDS, Backend, Record
from bench.workloads import registry

CARD = "Tesla T4"  # what most people can have for nothing
BESIDE = "-train-speedup-cpu"  # names of the side that is measured
HOW_PAGE = "method/how-we-estimate.md"
HOW = (
    "By a formula fitted to what others measured: the network's operations and memory traffic over what the data sheet "
    "promises, and the start of each step. The side of the CPU is measured."
)

Make = Callable[[Evidence], Found | None]


class Pair(NamedTuple):
    """A CPU cell of ours, and what a card is estimated to do with the same network and batch."""

    session: SessionResults
    record: Record
    cpu: Estimate  # samples per second
    gpu: Estimate  # samples per second; its ends are those of the range
    step: Estimate  # seconds
    answer: formula.Estimate
    card: str
    batch: int  # of the card; the CPU's is the record's

    @property
    def speedup(self) -> Estimate:
        """The card's rate over the CPU's; ends over ends, so rather too wide."""
        return estimate.over(self.gpu, self.cpu)


def pair(
    evidence: Evidence,
    workload: str,
    card: str = CARD,
    backend: Backend | None = None,
    least_batch: int = 0,
    only: SessionResults | None = None,
) -> Pair | None:
    """A workload's fastest training cell on a CPU, and the card at the same; None where either is not known.

    It is of the first of the shown sessions that has one, or of ``only``. Where launching decides, both sides are
    TensorFlow's, of which alone anything was published.
    """
    for session in evidence.shown if only is None else (only,):
        if session.session.profile == "smoke":  # its sizes are too small to tell anything
            continue
        record = evidence.view(session).best(Pick(workload, "train", "cpu", backend=backend))
        found = None if record is None else of_record(session, record, card, least_batch)
        if found is None:
            continue
        if found.answer.kind == "launching" and found.record.cell.backend != "tensorflow" and backend is None:
            return pair(evidence, workload, card, "tensorflow", least_batch, only)
        return found
    return None


def case_of(record: Record, card: cards.Card, least_batch: int = 0) -> formula.Case:
    """The same training as a record's on a card; what TensorFlow's launching costs decides which kind of case it is.

    ``least_batch``: the card takes that many samples a step where the CPU was fastest with fewer.

    Raises:
        KeyError: the record's network was not counted.
    """
    network = networks.ours()[registry.network(record.cell.workload, record.cell.params)]
    return formula.case_of(network, card, max(record.cell.batch_size, least_batch), backend="tensorflow")


def of_record(session: SessionResults, record: Record, card: str, least_batch: int = 0) -> Pair | None:
    """The pair of one CPU cell; None where the formula refuses."""
    cell, cpu = record.cell, quantities.throughput(record)
    if registry.network(cell.workload, cell.params) not in networks.ours() or cpu is None or cell.mode != "train":
        return None
    case = case_of(record, cards.card(card), least_batch)
    guess = formula.estimate(case)
    if guess.kind == "refused":
        return None
    step = Estimate(value=guess.seconds, low=guess.low, high=guess.high, n=0, n_samples=0, unit="s", spread_frac=0.0)
    gpu = estimate.over(estimate.single(case.batch, "samples_per_s", 0), step, "samples_per_s")
    return Pair(session, record, cpu, gpu, step, guess, card, int(case.batch))


def of(name: str, evidence: Evidence) -> Found | None:
    """What is estimated under a fact's name; None where nothing is."""
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
        for suffix, what in (("", "speedup"), ("-factor", "speedup"), ("-same-batch", "speedup"), ("-gpu", "gpu")):
            makers[f"{workload}-train-speedup{suffix}"] = _maker(workload, what, None)
        makers[f"{workload}{BESIDE}"] = _beside(workload)
    for name, place in (("smallest", 0), ("largest", -1)):
        makers[f"speedup-{name}"] = _extreme(workloads, place)
    return makers


def _maker(workload: str, what: str, backend: Backend | None) -> Make:
    def make(evidence: Evidence) -> Found | None:
        found = pair(evidence, workload, backend=backend)
        if found is None or (found.answer.kind == "launching" and backend not in (None, "tensorflow")):
            return None
        value: Estimate = getattr(found, what)
        return Found(
            says(value, found.record.spec.sample_noun), cells(found), value, note(evidence, found), card=spoken()
        )

    return make


def _beside(workload: str) -> Make:
    def make(evidence: Evidence) -> Found | None:
        found = pair(evidence, workload)
        if found is None:
            return None
        batch = f"batch {found.record.cell.batch_size}, {fmt.precision(found.record.cell.precision, 'cpu')}"
        text = fact.named(fmt.interval(found.cpu, found.record.spec.sample_noun), batch)
        return Found(text, cells(found), found.cpu, fact.arm(found.record))

    return make


def _extreme(workloads: tuple[str, ...], place: int) -> Make:
    def make(evidence: Evidence) -> Found | None:
        pairs = [found for found in (pair(evidence, workload) for workload in workloads) if found is not None]
        if not pairs:
            return None
        found = sorted(pairs, key=lambda one: one.speedup.value)[place]
        text = fact.named(says(found.speedup), evidence.title(found.record.cell.workload))
        return Found(text, cells(found), found.speedup, note(evidence, found), card=spoken())

    return make


def cells(found: Pair) -> tuple[fact.CellKey, ...]:
    """The measured side."""
    return ((found.session, found.record.cell.id),)


def note(evidence: Evidence, found: Pair) -> str:
    """Of which card and which CPU an estimate is, and how far it can be trusted."""
    cpu = f"{fact.arm(found.record)}, {evidence.view(found.session).cpu_text(found.record)}"
    sure = words.trust(found.answer, formula.constants())
    return f"GPU: {found.card}, float32, batch {found.batch}, by formula; CPU: {cpu}. {sure}"
