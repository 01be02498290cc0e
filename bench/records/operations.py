"""Operations and least bytes of the networks that workloads build, as ``bench.workloads.count_flops`` counted them.

Reads one file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from bench import ROOT
from bench.schema import Mode, Record, Run, Scalar

FILE = ROOT / "flops.json"
OTHER_CODE = 2.0  # by which code of another version, or a size that was not counted, may need less


@cache
def counts() -> dict[str, dict[str, Any]]:
    """Operations and least bytes by network."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def network(workload_id: str, params: Mapping[str, Scalar]) -> str:
    """Name of the network that a variant builds: workload and parameters; batch size and mode do not change it."""
    return " ".join([workload_id, *(f"{name}={value}" for name, value in sorted(params.items()))])


def of(record: Record) -> dict[str, Any] | None:
    """The counts of a record's network; None where it is not counted or the workload has changed."""
    known = counts().get(network(record.cell.workload, record.cell.params))
    return known if known is not None and known["source"] == record.source_hash else None


def half(mode: Mode) -> str:
    """Which of a network's counts a mode's step is: with the way back or without."""
    return "training" if mode == "train" else "forward"


def flop_per_sample(record: Record) -> float | None:
    """Operations of one sample in the record's mode; None where they are not counted or the workload has changed."""
    known = of(record)
    return None if known is None else known[half(record.cell.mode)]


def at_least(record: Record, name: str) -> float:
    """One of the counts of a record's network, whatever the record says of its code; 0 where nothing is counted.

    Of code of another version it is taken with room; of a size that is not counted, as the least of the workload's.
    """
    if known := of(record):
        return float(known[name])
    own = counts().get(network(record.cell.workload, record.cell.params))
    return (float(own[name]) if own else _least(record.cell.workload, name)) / OTHER_CODE


@cache
def _least(workload_id: str, name: str) -> float:
    """The least of a count over a workload's networks; 0 without any."""
    return min((one[name] for key, one in counts().items() if key.split()[0] == workload_id), default=0.0)


def flop_per_step(record: Record, run: Run) -> float:
    """Operations of a step at least: as the run's probe counted them, or of its batch; 0 where neither is known."""
    return max(run.flop_per_step or 0.0, at_least(record, half(record.cell.mode)) * record.cell.batch_size)
