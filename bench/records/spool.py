"""Runs of cells that are not complete yet, and how a record's samples are thinned. Reads and writes files."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from bench.records import files
from bench.records.codec import encode
from bench.records.files import SPOOL, RecordError
from bench.schema import Record, Run

# Records stay small enough to read in a pull request; longer sample arrays are cut, and the cut is counted.
RECORD_LIMIT_BYTES = 20_000


def write_run(folder: Path, cell_id: str, run: Run) -> None:
    """Spool one finished run of a cell that is not complete yet.

    Its index is the first that is free, where a session that was killed has the run's own already.
    """
    taken = {path.name.rsplit(".", 2)[1] for path in (folder / SPOOL).glob(f"{cell_id}.*.json")}
    if str(run.index) in taken:
        run = msgspec.structs.replace(run, index=next(n for n in itertools.count() if str(n) not in taken))
    files.write_once(folder / SPOOL / f"{cell_id}.{run.index}.json", run)


def has_spooled_runs(folder: Path) -> bool:
    """Whether a session has finished runs of incomplete cells."""
    return bool(n_spooled(folder))


def spooled_runs(folder: Path, cell_id: str) -> tuple[Run, ...]:
    """Finished runs of an incomplete cell, by repeat.

    Raises:
        RecordError: a file cannot be read; ``remove_leftovers`` takes it away at the next start.
    """
    runs = []
    for path in (folder / SPOOL).glob(f"{cell_id}.*.json"):
        run = _read(path)
        if run is None:
            at = f"{folder.name}/{SPOOL}/{path.name}"
            raise RecordError(files.refusal(at, "$", "expected a run, found something else", "go on with --resume"))
        runs.append(run)
    return tuple(sorted(runs, key=lambda run: run.index))


def remove_leftovers(folder: Path) -> list[str]:
    """Remove what a killed process left in a session: half files, runs of cells with a record, unreadable runs.

    Returns:
        A sentence for each run that has to be repeated.
    """
    said = []
    for path in (folder / SPOOL).glob("*.*.json"):
        if (folder / f"{path.name.partition('.')[0]}.json").exists():
            path.unlink()
        elif _read(path) is None:
            path.unlink()
            said.append(f"{SPOOL}/{path.name} cannot be read: that run is repeated")
    for path in (*folder.glob(".*.tmp"), *(folder / SPOOL).glob(".*.tmp")):
        path.unlink()
    with contextlib.suppress(OSError):
        (folder / SPOOL).rmdir()
    return said


def _read(path: Path) -> Run | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


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
