"""Runs of cells that are not complete yet, and how a record's samples are thinned. Reads and writes files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from bench.records import files
from bench.records.codec import encode
from bench.records.files import SPOOL
from bench.schema import Record, Run

# Records stay small enough to read in a pull request; longer sample arrays are cut, and the cut is counted.
RECORD_LIMIT_BYTES = 20_000


def write_run(folder: Path, cell_id: str, run: Run) -> None:
    """Spool one finished run of a cell that is not complete yet."""
    files.write_once(folder / SPOOL / f"{cell_id}.{run.index}.json", run)


def has_spooled_runs(folder: Path) -> bool:
    """Whether a session has finished runs of incomplete cells."""
    return (folder / SPOOL).is_dir()  # the last cell to be complete takes the folder away


def spooled_runs(folder: Path, cell_id: str) -> tuple[Run, ...]:
    """Finished runs of an incomplete cell, by repeat."""
    paths = (folder / SPOOL).glob(f"{cell_id}.*.json")
    runs = (msgspec.json.decode(path.read_bytes(), type=Run) for path in paths)
    return tuple(sorted(runs, key=lambda run: run.index))


def n_spooled(folder: Path) -> dict[str, int]:
    """How many runs of each incomplete cell are finished, by cell id."""
    return dict(Counter(path.name.partition(".")[0] for path in (folder / SPOOL).glob("*.*.json")))


def fit(record: Record) -> Record:
    """The record with its longest sample arrays cut until it is small enough; the cut is counted.

    Steady blocks and latencies are thinned evenly over the run, so that a trend in them stays visible.
    """
    sampled = [items for run in record.runs for items in (run.blocks, run.between_epochs_s, *run.series.values())]
    kept = max(map(len, sampled), default=0)
    latencies = max((len(run.latencies_s) for run in record.runs), default=0)
    while len(encode(record)) > RECORD_LIMIT_BYTES and (kept > 5 or latencies > 5):
        kept, latencies = max(5, int(kept * 0.85)), max(5, int(latencies * 0.85))
        record = msgspec.structs.replace(record, runs=tuple(_thin(run, kept, latencies) for run in record.runs))
    return record


def _thin(run: Run, n_blocks: int, n_latencies: int) -> Run:
    blocks, latencies = _evenly(run.blocks, n_blocks), _evenly(run.latencies_s, n_latencies)
    between = _evenly(run.between_epochs_s, n_blocks)
    series = {name: _evenly(items, n_blocks) for name, items in run.series.items()}
    n_cut = sum(len(run.series[name]) - len(items) for name, items in series.items())
    return msgspec.structs.replace(
        run,
        blocks=blocks,
        latencies_s=latencies,
        between_epochs_s=between,
        series=series,
        n_blocks_dropped=run.n_blocks_dropped + len(run.blocks) - len(blocks) + n_cut,
        n_latencies_dropped=run.n_latencies_dropped + len(run.latencies_s) - len(latencies),
        n_between_epochs_dropped=run.n_between_epochs_dropped + len(run.between_epochs_s) - len(between),
    )


def _evenly(items: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    if len(items) <= n:
        return items
    return tuple(items[round(i * (len(items) - 1) / (n - 1))] for i in range(n))
