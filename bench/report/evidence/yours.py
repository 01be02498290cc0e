"""The reader's own machine beside the published one: the same training on both CPUs. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bench.report.evidence import cells
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick, most_threads
from bench.report.stats import estimate, quantities
from bench.schema import Record

FIRST = "resnet50"  # what most people know, and what loads a CPU most


class Beside(NamedTuple):
    """A training on both machines; ``slower`` is their time over ours, each with its fastest backend."""

    yours: Record
    ours: Record
    slower: estimate.Estimate


def beside(evidence: Evidence) -> tuple[Beside, ...]:
    """Every network that a leading local session and the published one trained alike; empty without a local one.

    Alike are the network, its input, the batch, the code of the workload and the method.
    """
    lead, published = evidence.lead, evidence.published
    if lead is None or not lead.is_local or published is None:
        return ()
    found = []
    for workload in sorted(evidence.model_workloads(), key=lambda name: name != FIRST):
        yours = evidence.view(lead).best(Pick(workload, "train", "cpu"))
        ours = None if yours is None else _twin(evidence, yours)
        if yours is None or ours is None:
            continue
        slower = estimate.quotient(quantities.throughput(ours), quantities.throughput(yours))
        if slower is not None:
            found.append(Beside(yours, ours, slower))
    return tuple(found)


def _twin(evidence: Evidence, yours: Record) -> Record | None:
    """The published session's fastest record of the same training."""
    cell = yours.cell
    pick = Pick(
        cell.workload, cell.mode, cell.device, None, cell.precision, batch_size=cell.batch_size, params=cell.params
    )
    alike = [
        record
        for record in evidence.view(evidence.published).records(pick)
        if (record.source_hash, record.numbers_method) == (yours.source_hash, yours.numbers_method)
    ]
    return cells.fastest(evidence.undisturbed(most_threads(alike)))
