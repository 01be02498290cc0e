"""Samples that are those of another run, copied or multiplied by a factor. Reads files.

Of each list of samples only the beginning is compared, so that a copy may be cut; lists that are short or nearly
constant are not, since clocks that tick coarsely make some of them alike.
"""

from __future__ import annotations

import contextlib
import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.records import files
from bench.records.agree import finished
from bench.schema import Record, Run

N_COMPARED = 6  # samples of a list's beginning
N_LEAST = 5  # of a shorter list; the least spread allows a thousand values for each, which makes 10^12 such lists
DIGITS = 1e6  # of a sample over the first one
LEAST_SPREAD_FRAC = 1e-3  # between samples
LOCAL = f"{files.LOCAL}/"
FINE_S = 1e-3  # a sample's least length: clocks that tick every 100 ns tell a thousandth of it well


def within(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Cell id and sentence for each two cells of a session that share samples, as they are or each by one factor.

    Within a run they may: blocks of one step are its latencies.
    """
    seen: dict[tuple[int, ...], tuple[str, str, str]] = {}
    told = set()
    for cell_id, record in records.items():
        for at, run in finished(record):
            for name, seconds in _lists(run):
                shape = _shape(seconds)
                first = seen.setdefault(shape, (cell_id, at, name)) if shape else (cell_id, at, name)
                if first[:2] != (cell_id, at) and (cell_id, first[0]) not in told:
                    told.add((cell_id, first[0]))
                    where = f"{first[1]}.{first[2]}" + (f" of {first[0]}" if first[0] != cell_id else "")
                    yield cell_id, f"{at}.{name}: expected samples of its own, found those, or a multiple, of {where}"


def prints(records: Iterable[Record]) -> array[int]:
    """A number for the samples of each run, the same in every process."""
    return array("q", (number for record in records for _, run in finished(record) for number in _numbers(run)))


def stored(folder: Path) -> Iterator[tuple[int, str, str]]:
    """The same of a session's files, whatever else they hold: each number with its file and JSON path."""
    for path in sorted(folder.glob("*-*.json")):
        with contextlib.suppress(files.Refused, msgspec.DecodeError):  # which the gate tells of the session itself
            record = msgspec.json.decode(files.regular_bytes(path), type=_Runs)
            for index, run in enumerate(record.runs):
                for number in _numbers(run) if run.status == "ok" else ():
                    yield number, path.name, f"$.runs[{index}]"


class _Runs(msgspec.Struct):
    runs: tuple[Run, ...]


def between(root: Path, sessions: Mapping[str, Sequence[int]], only: Iterable[str] | None) -> Iterator[str]:
    """A line for each two sessions that share samples; a local session and what was filed of it are one.

    Args:
        sessions: numbers of their runs, by path below the results folder.
        only: of which sessions it is told; all when not given.
    """
    owners: dict[int, str] = {}
    shared: dict[tuple[str, str], list[int]] = {}
    told = set(sessions if only is None else only)
    for path in sorted(sessions, key=lambda path: path in told):  # what was there before is no copy of what comes
        for number in sessions[path]:
            first = owners.setdefault(number, path)
            if path in told and first.removeprefix(LOCAL) != path.removeprefix(LOCAL):
                shared.setdefault((path, first), []).append(number)
    for (path, first), numbers in shared.items():
        _, name, at = next(place for place in stored(root / path) if place[0] == numbers[0])
        said = f"expected samples of its own, found those of {files.one_line(first, 80, tail=True)}"
        yield files.refusal(f"{path}/{name}", at, f"{said}, in {len(numbers)} runs")


def _numbers(run: Run) -> Iterator[int]:
    """One number, or none where a run has no samples that tell it from all others."""
    found = (seconds[:N_COMPARED] for _, seconds in _lists(run) if _shape(seconds))
    yield from (hash(tuple(seconds)) for seconds in itertools.islice(found, 1))


def _lists(run: Run) -> Iterator[tuple[str, Sequence[float]]]:
    """What a run has timed, by name: what counts most first."""
    if run.blocks:
        yield "blocks", [block.seconds for block in run.blocks[:N_COMPARED]]
        yield "warmup", [block.seconds for block in (*run.warmup, *run.blocks)[:N_COMPARED]]
        yield "latencies_s", run.latencies_s
    for name, blocks in run.series.items():
        yield f"series.{name}", [block.seconds for block in blocks[:N_COMPARED]]
    controls = [one.seconds for one in (run.control_before, run.control_after) if one]
    yield "control_before.seconds", [*itertools.chain.from_iterable(controls)]


def _shape(seconds: Sequence[float]) -> tuple[int, ...]:
    """Samples over their first one; empty where others could be the same by chance."""
    if len(seconds) < N_LEAST:
        return ()
    seconds = seconds[:N_COMPARED]
    first, least = seconds[0], min(seconds)
    if least < FINE_S or max(seconds) < least * (1 + LEAST_SPREAD_FRAC):
        return ()
    factor = DIGITS / first
    shape = tuple([round(value * factor) for value in seconds])
    return shape if len(set(shape)) >= N_LEAST else ()
