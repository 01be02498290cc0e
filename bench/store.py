"""The only module that touches results/: write-once, iterate, validate. Reads and writes files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from bench import plausible
from bench.schema import (
    METHOD_VERSIONS,
    RECORD_LIMIT_BYTES,
    SCHEMA_VERSION,
    SLUG,
    UPGRADES,
    Machine,
    Record,
    Run,
    Session,
    Struct,
    encode,
)

RESULTS = Path(__file__).parent / "results"
LOCAL = "local"  # sub-folder of results/ that git ignores: this machine, not yet published
SPOOL = ".runs"  # sub-folder of a session: runs of cells that are not complete yet
T = TypeVar("T", bound=Struct)


class RecordError(ValueError):
    """A stored file that is not what it must be: path, place in the JSON, expected, found."""


class StoreError(OSError):
    """Results cannot be written; the message says why and what to do."""


class SessionResults(NamedTuple):
    """One session read from disk."""

    machine: Machine
    session: Session
    records: dict[str, Record]  # by cell id
    is_local: bool  # measured by the owner of this checkout, not published
    path: str  # session folder below the results folder, POSIX


class Results(NamedTuple):
    """Everything stored, published sessions first, then local ones; each in order of path."""

    sessions: tuple[SessionResults, ...]


def load(root: Path = RESULTS, *, only_plausible: bool = True) -> Results:
    """All sessions below a results folder.

    ``only_plausible`` refuses what cannot be true; planning the next run does without, so that a strange reading does
    not stand in the way of measuring again.

    Raises:
        RecordError: at least one file is broken, or holds what cannot be true; the message lists every one.
    """
    problems: list[str] = []
    sessions = [_load_session(folder, is_local, root, problems) for folder, is_local in _session_folders(root)]
    if only_plausible:
        problems += [problem for session in sessions for problem in _implausible(session)]
    if problems:
        raise RecordError("\n".join(problems))
    return Results(tuple(session for session in sessions if session is not None))


def check(root: Path = RESULTS) -> list[str]:
    """Problems of all stored files, one line each; empty when all is well."""
    problems: list[str] = []
    for folder, is_local in _session_folders(root):
        session = _load_session(folder, is_local, root, problems)
        problems += _implausible(session)
    return problems


def load_session(folder: Path, root: Path) -> SessionResults:
    """One session's folder.

    Raises:
        RecordError: a file in it is broken.
    """
    problems: list[str] = []
    session = _load_session(folder, LOCAL in folder.relative_to(root).parts[:1], root, problems)
    if session is None or problems:
        raise RecordError("\n".join(problems))
    return session


def read(path: Path, type_: type[T], *, shown: str | None = None) -> T:
    """A stored file, strictly decoded; older schema versions are upgraded in memory.

    Raises:
        RecordError: not readable, not JSON, unknown version, or not of the type; says path, JSON path,
            expected and found.
    """
    where = shown or path.name
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{where}: cannot be read: {error.strerror}") from error
    if not text.strip():
        raise RecordError(f"{where}: $: expected a JSON object, found an empty file")
    try:
        raw = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: $: expected JSON, found {_json_problem(error)}") from error
    if not isinstance(raw, dict):
        raise RecordError(f"{where}: $: expected a JSON object, found {type(raw).__name__}")
    version = raw.get("schema_version")
    while version != SCHEMA_VERSION:
        if version not in UPGRADES:
            msg = f"{where}: $.schema_version: expected {SCHEMA_VERSION} or an older version, found {version!r}"
            raise RecordError(msg)
        raw = UPGRADES[version](raw)
        version = raw.get("schema_version")
    try:
        return msgspec.convert(raw, type_, strict=True)
    except msgspec.ValidationError as error:
        raise RecordError(f"{where}: {_validation_problem(error, raw)}") from error


def session_folder(root: Path, machine_id: str, session_id: str, *, local: bool) -> Path:
    """Where a session lives."""
    return (root / LOCAL if local else root) / machine_id / session_id


def new_session_id(root: Path, machine_id: str, day: str, *, local: bool) -> str:
    """The day, or the day with the next free number behind it."""
    number, session_id = 1, day
    while session_folder(root, machine_id, session_id, local=local).exists():
        number += 1
        session_id = f"{day}-{number}"
    return session_id


def latest_session_folder(root: Path, machine_id: str, *, local: bool) -> Path | None:
    """This machine's newest session, by the instant at which it started; None when there is none."""
    parent = (root / LOCAL if local else root) / machine_id
    if not parent.is_dir():
        return None
    started = [
        (read(folder / "session.json", Session).started_at, folder)
        for folder in parent.iterdir()
        if (folder / "session.json").is_file()
    ]
    return max(started)[1] if started else None


def begin(folder: Path, machine: Machine, session: Session) -> None:
    """Create a session's folder with its two descriptions.

    Raises:
        StoreError: the folder cannot be written.
    """
    write_once(folder / "machine.json", machine)
    write_once(folder / "session.json", session)


def write_record(folder: Path, record: Record) -> Path:
    """Store a cell's record and drop the spooled runs it was made of.

    Raises:
        FileExistsError: the cell has a record already.
        StoreError: the folder cannot be written.
    """
    path = folder / f"{record.cell.id}.json"
    write_once(path, fit(record))
    for spooled in (folder / SPOOL).glob(f"{record.cell.id}.*.json"):
        spooled.unlink()
    with contextlib.suppress(OSError):
        (folder / SPOOL).rmdir()
    return path


def write_run(folder: Path, cell_id: str, run: Run) -> None:
    """Spool one finished run of a cell that is not complete yet."""
    write_once(folder / SPOOL / f"{cell_id}.{run.index}.json", run)


def has_spooled_runs(folder: Path) -> bool:
    """Whether a session has finished runs of incomplete cells."""
    return (folder / SPOOL).is_dir()  # the last cell to be complete takes the folder away


def spooled_runs(folder: Path, cell_id: str) -> tuple[Run, ...]:
    """Finished runs of an incomplete cell, by repeat."""
    runs = []
    for path in (folder / SPOOL).glob(f"{cell_id}.*.json"):
        runs.append(msgspec.json.decode(path.read_bytes(), type=Run))
    return tuple(sorted(runs, key=lambda run: run.index))


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


def write_once(path: Path, value: Struct) -> None:
    """Write a new file: to a temporary name beside it, flushed to disk, then linked into place.

    Raises:
        FileExistsError: the file exists; stored files are never reopened for writing.
        StoreError: disk full, read-only folder and their like; nothing half-written is left.
    """
    data = encode(value)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        if path.exists():
            raise FileExistsError(errno.EEXIST, "is stored already and is never overwritten", path.name)
        os.replace(temporary, path)
        temporary = None
    except FileExistsError:
        raise
    except OSError as error:
        msg = f"cannot write {path.name} in {_shown(path.parent)}: {error.strerror}; {_advice(error)}"
        raise StoreError(msg) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def keep(folder: Path, root: Path = RESULTS) -> Path:
    """Copy a local session among the published ones, for a pull request.

    Raises:
        FileExistsError: it is there already.
        StoreError: it still has runs of incomplete cells.
    """
    if has_spooled_runs(folder):
        raise StoreError(f"{_shown(folder)} has unfinished cells; continue with --resume, or close them with --seal")
    target = root / folder.parent.name / folder.name
    if target.exists():
        raise FileExistsError(errno.EEXIST, "is filed already", _shown(target))
    staging = target.with_name(f".{target.name}.tmp")
    shutil.copytree(folder, staging, dirs_exist_ok=True)
    os.replace(staging, target)
    return target


def add_files(source: Path, target: Path) -> int:
    """Copy the files of a session's folder that its filed copy lacks; how many were new.

    Raises:
        FileExistsError: a file is there already and differs; then nothing is copied.
    """
    files = sorted(source.glob("*.json"))
    new = [path for path in files if not (target / path.name).exists()]
    for path in files:
        if path not in new and (target / path.name).read_bytes() != path.read_bytes():
            raise FileExistsError(errno.EEXIST, "is filed already and differs", _shown(target / path.name))
    target.mkdir(parents=True, exist_ok=True)
    for path in new:
        staging = target / f".{path.name}.tmp"
        shutil.copyfile(path, staging)
        os.replace(staging, target / path.name)
    return len(new)


def _session_folders(root: Path) -> Iterator[tuple[Path, bool]]:
    for parent, is_local in ((root, False), (root / LOCAL, True)):
        if not parent.is_dir():
            continue
        for machine in sorted(parent.iterdir()):
            if not machine.is_dir() or machine.name.startswith(".") or machine.name == LOCAL:
                continue
            for folder in sorted(machine.iterdir()):
                if folder.is_dir() and not folder.name.startswith("."):
                    yield folder, is_local


def _load_session(folder: Path, is_local: bool, root: Path, problems: list[str]) -> SessionResults | None:
    relative = folder.relative_to(root).as_posix()

    def attempt(path: Path, type_: type[T]) -> T | None:
        try:
            return read(path, type_, shown=f"{relative}/{path.name}")
        except RecordError as error:
            problems.append(str(error))
            return None

    machine = attempt(folder / "machine.json", Machine)
    session = attempt(folder / "session.json", Session)
    if machine is not None:
        _expect(problems, f"{relative}/machine.json: $.id", folder.parent.name, machine.id)
    if session is not None:
        _expect(problems, f"{relative}/session.json: $.id", folder.name, session.id)
        _expect(problems, f"{relative}/session.json: $.machine_id", folder.parent.name, session.machine_id)
    records: dict[str, Record] = {}
    for path in sorted(folder.glob("*.json")):
        if path.name in ("machine.json", "session.json"):
            continue
        record = attempt(path, Record)
        if record is None:
            continue
        name = f"{relative}/{path.name}"
        if record.cell.id != path.stem:
            problems.append(f"{name}: $.cell: expected a file named {record.cell.id}.json, found {path.name}")
        problems += [f"{name}: {problem}" for problem in _semantic_problems(record)]
        records[record.cell.id] = record
    if machine is None or session is None:
        return None
    return SessionResults(machine, session, records, is_local, relative)


def _implausible(session: SessionResults | None) -> list[str]:
    """What the readings of a session cannot be, one line each, with what to do about it."""
    if session is None:
        return []
    found = plausible.problems(session.records, session.machine)
    return [f"{session.path}/{cell_id}.json: {text}; measure the cell again" for cell_id, text in found]


def _semantic_problems(record: Record) -> Iterator[str]:
    """What types cannot say: values that no real run can have."""
    if not SLUG.fullmatch(record.cell.id):
        yield f"$.cell: expected a lower-case kebab id, found {record.cell.id!r}"
    newest = METHOD_VERSIONS[record.cell.mode]
    if not 1 <= record.method_version <= newest:
        yield f"$.method_version: expected 1 to {newest}, found {record.method_version}"
    if record.cell.workload != record.spec.id:
        yield f"$.spec.id: expected {record.cell.workload!r}, found {record.spec.id!r}"
    if record.status == "ok" and not any(run.status == "ok" for run in record.runs):
        yield "$.runs: expected at least one run with status 'ok', found none"
    if record.status != "ok" and not record.reason:
        yield f"$.reason: expected why the status is {record.status!r}, found an empty text"
    for number, run in enumerate(record.runs):
        at = f"$.runs[{number}]"
        for kind, blocks in (("warmup", run.warmup), ("blocks", run.blocks)):
            for index, block in enumerate(blocks):
                if block.seconds <= 0 or block.n_steps <= 0:
                    yield (
                        f"{at}.{kind}[{index}]: expected steps and seconds above 0, "
                        f"found {block.n_steps} in {block.seconds}"
                    )
        for name, seconds in run.phases_s.items():
            if seconds < 0:
                yield f"{at}.phases_s.{name}: expected 0 or more, found {seconds}"
        for field in ("latencies_s", "between_epochs_s"):
            for index, seconds in enumerate(getattr(run, field)):
                if seconds <= 0:
                    yield f"{at}.{field}[{index}]: expected above 0, found {seconds}"
        if run.status == "ok":
            if run.observed is None:
                yield f"{at}.observed: expected the observed device, found null"
            elif run.observed.device != record.cell.device:
                yield f"{at}.observed.device: expected {record.cell.device!r}, found {run.observed.device!r}"
            if record.spec.kind == "study":
                yield from _study_problems(record, run, at)
            elif not run.blocks:
                yield f"{at}.blocks: expected steady blocks, found none"
        for field in MEASURED:
            if run.status == "ok" and getattr(run, field) is None and field not in run.unmeasured:
                yield f"{at}.unmeasured.{field}: expected the reason why {field} is null, found none"


def _study_problems(record: Record, run: Run, at: str) -> Iterator[str]:
    """A study's run has what its workload declares, and nothing else."""
    if not run.series and not run.readings:
        yield f"{at}.series: expected blocks of a series or a reading, found neither"
    series, readings = ({item.id for item in items} for items in (record.spec.series, record.spec.readings))
    for field, declared in (("series", series), ("first_s", series), ("readings", readings)):
        for name in sorted(set(getattr(run, field)) - declared):
            yield f"{at}.{field}.{name}: expected one of {', '.join(sorted(declared)) or 'none'}, found {name!r}"
    for name, blocks in run.series.items():
        for index, block in enumerate(blocks):
            if block.seconds <= 0 or block.n_steps <= 0:
                found = f"{block.n_steps} in {block.seconds}"
                yield f"{at}.series.{name}[{index}]: expected steps and seconds above 0, found {found}"


MEASURED = (
    "flop_per_step",
    "n_params",
    "final_loss",
    "job",
    "peak_host_bytes",
    "peak_device_bytes",
    "energy_j",
    "idle_w",
    "utilisation_frac",
)


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


def _expect(problems: list[str], where: str, expected: str, found: str) -> None:
    if expected != found:
        problems.append(f"{where}: expected {expected!r}, found {found!r}")


class _NotANumberError(ValueError):
    """NaN or an infinity in a JSON text."""


def _refuse_constant(name: str) -> float:
    raise _NotANumberError(f"{name}, which is not a JSON number")


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno} (a truncated file?)"
    if isinstance(error, UnicodeDecodeError):
        return "bytes that are not UTF-8 text"
    return str(error) or type(error).__name__


def _validation_problem(error: msgspec.ValidationError, raw: Any) -> str:
    """msgspec's message as 'JSON path: expected, found'."""
    message, _, at = str(error).partition(" - at `")
    path = at.rstrip("`") or "$"
    if message.startswith("Object contains unknown field"):
        return f"{path}: expected only known keys, found {message.removeprefix('Object contains unknown field ')}"
    if message.startswith("Object missing required field"):
        return f"{path}: expected the key {message.removeprefix('Object missing required field ')}, found none"
    return f"{path}: {message[0].lower()}{message[1:].replace(', got ', ', found ')}{_found(raw, path, message)}"


def _found(raw: Any, path: str, message: str) -> str:
    """The offending value itself, where the message does not show one."""
    if ", got " in message:
        return ""
    value = raw
    try:
        for part in path.removeprefix("$").replace("[", ".[").strip(".").split("."):
            if part.startswith("["):
                value = value[int(part[1:-1])]
            elif part:
                value = value[part]
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return f", found {json.dumps(value)[:60]}"


def _shown(path: Path) -> str:
    """A folder as the reader of the message knows it: from the results folder on."""
    parts = path.parts
    return "/".join(parts[parts.index("results") :]) if "results" in parts else path.name


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "free some space and go on with --resume"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable or choose another with --results"
    return "choose another folder with --results"
