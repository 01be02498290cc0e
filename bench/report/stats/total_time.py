"""How long a whole job takes: start-up, first step, N steps; and whether that sum is right. Pure.

The parts come from a record's phases and steady blocks. Where a record also timed a whole job, that job's time is in
none of the parts, so its number of steps is one at which the sum can be checked.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

from bench.report.stats import quantities
from bench.schema import Record, Run

LIMIT_FRAC = 0.10  # a prediction that is off by more is said to be off


class Parts(NamedTuple):
    """What a whole job of one process is made of, in seconds."""

    set_up_s: float  # import, device, data, model
    first_step_s: float
    step_s: float  # median of the steady blocks
    first_evaluation_s: float  # compilation included; 0 where the job evaluates nothing
    evaluation_s: float  # median of the later ones
    between_s: float  # mean, from an epoch's last step to the next one's first; 0 where steps hold it

    def total_s(self, n_steps: int, n_evaluations: int = 0, n_epochs: int = 1) -> float:
        """Seconds from starting Python to the end of the last step or evaluation."""
        total = self.set_up_s + self.first_step_s + (n_steps - 1) * self.step_s + (n_epochs - 1) * self.between_s
        return total + (self.first_evaluation_s + (n_evaluations - 1) * self.evaluation_s if n_evaluations else 0.0)


class Check(NamedTuple):
    """A record's prediction beside its measured jobs: means over runs, since each may stop at another step."""

    n_steps: float
    predicted_s: float
    measured_s: float
    ratio: float  # predicted over measured: of the means
    low: float  # smallest and largest ratio of a run
    high: float
    n: int  # runs

    @property
    def holds(self) -> bool:
        """Whether the prediction is within the limit of what was measured."""
        return abs(self.ratio - 1) <= LIMIT_FRAC


def check(record: Record) -> Check | None:
    """Whole jobs as measured beside the sum of the parts; None where the record timed no whole job.

    A job is predicted from the parts of the record's other processes, so that a process's own slow neighbour cannot
    make its prediction look right; with one process, from its own.
    """
    parts = {run.index: found for run in record.runs if run.status == "ok" and (found := parts_of(run)) is not None}
    compared = []
    for run in record.runs:
        if run.index not in parts or run.job is None:
            continue
        n_steps = len(run.job.epochs) * (record.cell.n_samples // record.cell.batch_size)
        n_evaluations = sum(epoch.quality is not None for epoch in run.job.epochs)
        used = [other for index, other in parts.items() if index != run.index] or [parts[run.index]]
        predicted = statistics.median(other.total_s(n_steps, n_evaluations, len(run.job.epochs)) for other in used)
        compared.append((n_steps, predicted, parts[run.index].set_up_s + run.job.done_s))
    if not compared:
        return None
    ratios = [predicted / measured for _, predicted, measured in compared]
    steps, predicted, measured = (statistics.fmean(column) for column in zip(*compared, strict=True))
    return Check(
        n_steps=steps,
        predicted_s=predicted,
        measured_s=measured,
        ratio=predicted / measured,
        low=min(ratios),
        high=max(ratios),
        n=len(compared),
    )


def parts_of(run: Run) -> Parts | None:
    """The parts of one run; None where it has no steady blocks or lacks a phase."""
    phases = run.phases_s
    if not run.blocks or any(name not in phases for name in (*quantities.SET_UP_PHASES, "first_step")):
        return None
    evaluations = [epoch.evaluation_s for epoch in run.job.epochs if epoch.quality is not None] if run.job else []
    return Parts(
        set_up_s=sum(phases[name] for name in quantities.SET_UP_PHASES),
        first_step_s=phases["first_step"],
        step_s=statistics.median(block.seconds / block.n_steps for block in run.blocks),
        first_evaluation_s=evaluations[0] if evaluations else 0.0,
        evaluation_s=statistics.median(evaluations[1:] or evaluations or [0.0]),
        between_s=quantities.mean_between_epochs_s(run),
    )


def in_words(found: Check) -> str:
    """Whether the sum of the parts can be trusted, in a sentence; where runs disagree about that, in two."""
    verdict = "the sum holds" if found.holds else "so the sum is off here: use the measured job"
    aside, steps = _aside(found.ratio), f"{found.n_steps:,.0f}"
    said = f"At {steps} steps the parts add up to {aside} than the measured whole job; {verdict}."
    if any((abs(ratio - 1) <= LIMIT_FRAC) != found.holds for ratio in (found.low, found.high)):
        said += f" Single jobs differ: by run it is from {_aside(found.low)} to {_aside(found.high)}."
    return said


def _aside(ratio: float) -> str:
    """How far a ratio is from 1: "3 % less"."""
    return f"{100 * abs(ratio - 1):.0f} % {'more' if ratio > 1 else 'less'}"
