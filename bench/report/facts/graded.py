"""What the formula had said of our own GPU records, and how often their steps lie in its range."""

from __future__ import annotations

from typing import NamedTuple

from bench.records.store import SessionResults
from bench.report.estimates import formula, networks
from bench.report.evidence.evidence import Evidence
from bench.report.published import cards
from bench.report.published.strict import PublishedError
from bench.report.stats import quantities
from bench.report.stats.estimate import Estimate
from bench.schema import Record
from bench.workloads import registry

# So many records must be there before they count against the formula, and so many of them lie in its range.
LEAST_RECORDS = 20
LEAST_INSIDE_FRAC = 0.8


class Grade(NamedTuple):
    """A training record on a GPU, and the range that the formula had for its step, in seconds."""

    answer: formula.Estimate
    step: Estimate

    @property
    def is_inside(self) -> bool:
        """Whether the measured step lies in the range."""
        return self.answer.low <= self.step.value <= self.answer.high


class Tally(NamedTuple):
    """How many of our GPU records lie in their range."""

    inside: int
    n: int

    @property
    def is_doubted(self) -> bool:
        """Whether our records speak against the formula, so that its badge says so."""
        return self.n >= LEAST_RECORDS and self.inside < LEAST_INSIDE_FRAC * self.n


def grade(session: SessionResults, record: Record) -> Grade | None:
    """A record beside its estimate; None where it is no training on one GPU, or the formula has no answer."""
    cell = record.cell
    network = networks.ours().get(registry.network(cell.workload, cell.params))
    step = quantities.step_time(record)
    if cell.device != "gpu" or cell.mode != "train" or cell.n_gpus != 1 or network is None or step is None:
        return None
    try:
        card = cards.card(session.machine.gpus[0].name)
    except PublishedError:
        return None
    policy = "float32" if cell.precision == "tf32" else cell.precision
    answer = formula.estimate(formula.case_of(network, card, cell.batch_size, policy=policy, backend=cell.backend))
    return None if answer.kind == "refused" else Grade(answer, step)


def tally(evidence: Evidence) -> Tally:
    """All our GPU records that the formula has an answer for."""
    grades = (grade(session, record) for session in evidence.sessions for record in session.records.values())
    found = [one.is_inside for one in grades if one is not None]
    return Tally(sum(found), len(found))
