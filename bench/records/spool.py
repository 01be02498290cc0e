"""Runs of cells that are not complete yet, and how a record's samples are thinned. Reads and writes files."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from bench.records.codec import encode
from bench.records.files import SPOOL, RecordError, refusal, write_once
from bench.schema import Record, Run

# Records stay small enough to read in a pull request; longer sample arrays are cut, and the cut is counted.
RECORD_LIMIT_BYTES = 20_000
LEAST_KEPT = 5
# Arrays of a run by name, each with the field that counts what was cut: "latencies_s" has "n_latencies_dropped".
SAMPLED = {
    name: counter
    for name in Run.__struct_fields__
    if (counter := f"n_{name.removesuffix('_s')}_dropped") in Run.__struct_fields__
}


def write_run(folder: Path, cell_id: str, run: Run) -> None:
    """Spool one finished run of a cell that is not complete yet.

    Its index is the first that is free, where a session that was killed has the run's own already.
    """
    taken = {path.name.rsplit(".", 2)[1] for path in (folder / SPOOL).glob(f"{cell_id}.*.json")}
    if str(run.index) in taken:
        run = msgspec.structs.replace(run, index=next(n for n in itertools.count() if str(n) not in taken))
    write_once(folder / SPOOL / f"{cell_id}.{run.index}.json", run)


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
            raise RecordError(refusal(at, "$", "expected a run, found something else", "go on with --resume"))
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
            remove(path)
        elif _read(path) is None:
            remove(path)
            said.append(f"{SPOOL}/{path.name} cannot be read: that run is repeated")
    for path in (*folder.glob(".*.tmp"), *(folder / SPOOL).glob(".*.tmp")):
        remove(path)
    if (folder / SPOOL).is_symlink() or (folder / SPOOL).is_file():
        (folder / SPOOL).unlink()
    with contextlib.suppress(OSError):
        (folder / SPOOL).rmdir()
    return said


def remove(path: Path) -> None:
    """Remove what lies at a path, whatever it is; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def _read(path: Path) -> Run | None:
    if path.is_symlink() or not path.is_file():  # a pipe never ends, nor does a link to a device
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def n_spooled(folder: Path) -> dict[str, int]:
    """How many runs of each incomplete cell are finished, by cell id."""
    return dict(Counter(path.name.partition(".")[0] for path in (folder / SPOOL).glob("*.*.json")))


def fit(record: Record) -> Record:
    """The record with its longest sample arrays cut until it is small enough; the cut is counted.

    Samples are thinned evenly over the run, so that a trend in them stays visible.
    """
    most = dict.fromkeys((*SAMPLED, "series"), 0)
    for run in record.runs:
        for name in SAMPLED:
            most[name] = max(most[name], len(getattr(run, name)))
        most["series"] = max(most["series"], *map(len, run.series.values()), 0)
    while len(encode(record)) > RECORD_LIMIT_BYTES and max(most.values()) > LEAST_KEPT:
        most = {name: max(LEAST_KEPT, int(n * 0.85)) for name, n in most.items()}
        record = msgspec.structs.replace(record, runs=tuple(_thin(run, most) for run in record.runs))
    return record


def _thin(run: Run, most: dict[str, int]) -> Run:
    changes: dict[str, Any] = {"series": {name: _evenly(items, most["series"]) for name, items in run.series.items()}}
    for name, counter in SAMPLED.items():
        items = getattr(run, name)
        changes[name] = _evenly(items, most[name])
        changes[counter] = getattr(run, counter) + len(items) - len(changes[name])
    cut = sum(len(run.series[name]) - len(items) for name, items in changes["series"].items())
    changes["n_blocks_dropped"] += cut
    return msgspec.structs.replace(run, **changes)


def _evenly(items: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    if len(items) <= n:
        return items
    return tuple(items[round(i * (len(items) - 1) / (n - 1))] for i in range(n))
