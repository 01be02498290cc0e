"""The only module that touches results/: write-once, iterate, validate. Reads and writes files."""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import itertools
import multiprocessing
import os
import re
import shutil
import warnings
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.records import check as records_check
from bench.records import copies, lock, plausible, spool, standing
from bench.records import files as records_files
from bench.records.files import LOCAL, RESULTS, SPOOL, RecordError, StoreError, T
from bench.records.standing import UNLISTED, Standing
from bench.schema import SLUG, Machine, Record, Session

FILE = re.compile(rf"{SLUG.pattern}\.json")
MOST_FILES = 2_000  # of a session; the largest has 300
FEW_SESSIONS = 30  # up to so many, other processes would take longer to start than to check them


class SessionResults(NamedTuple):
    """One session read from disk."""

    machine: Machine
    session: Session
    records: dict[str, Record]  # by cell id
    is_local: bool  # measured by the owner of this checkout, not published
    path: str  # session folder below the results folder, POSIX
    standing: Standing = UNLISTED  # of a published one, whether it counts


class Results(NamedTuple):
    """Everything stored, published sessions first, then local ones; each in order of path."""

    sessions: tuple[SessionResults, ...]
    further: tuple[SessionResults, ...] = ()  # without their records: of machines beyond those that were asked for


def load(
    root: Path = RESULTS,
    *,
    only_plausible: bool = True,
    most_machines: int | None = None,
    read: Callable[..., Any] = records_files.read,
) -> Results:
    """All sessions below a results folder.

    Args:
        only_plausible: refuses what cannot be true; planning the next run does without, so that a strange reading does
            not stand in the way of measuring again.
        most_machines: of more, only these are read: local ones, those of reference, those with a GPU, then
            the newest; the others are ``further``.
        read: how a file goes through the gate.

    Raises:
        RecordError: at least one file is broken, or holds what cannot be true; the message lists every one.
    """
    problems: list[str] = []
    standings = _standings(root, problems)
    folders = list(_session_folders(root))
    further = () if most_machines is None else _further(root, folders, standings, most_machines)
    left_out = {root / session.path for session in further}
    sessions = [_load_session(*one, root, problems, read=read) for one in folders if one[0] not in left_out]
    if only_plausible:
        problems += [problem for session in sessions if session for problem in plausible.refusals(session)]
    if problems:
        raise RecordError("\n".join(problems))
    found = (session for session in sessions if session is not None)
    return Results(
        tuple(session._replace(standing=standings.get(session.path, UNLISTED)) for session in found), further
    )


def _further(
    root: Path, folders: Sequence[tuple[Path, bool]], standings: Mapping[str, Standing], most: int
) -> tuple[SessionResults, ...]:
    """Sessions of machines beyond so many, without their records; one whose description is broken is none of them."""
    if len({folder.parent for folder, _ in folders}) <= most:
        return ()
    heads = (_load_session(folder, is_local, root, [], only_head=True) for folder, is_local in folders)
    sessions = [one._replace(standing=standings.get(one.path, UNLISTED)) for one in heads if one is not None]
    return standing.beyond(sessions, most)


def check(root: Path = RESULTS, *, only: Collection[str] | None = None) -> list[str]:
    """Problems of all stored files, one line each; empty when all is well.

    Args:
        only: paths below the results folder of the sessions to look into; all when not given.
    """
    folders = [] if only is not None and not only else list(_session_folders(root))
    problems = list(_strays(root))
    _standings(root, problems)
    work = functools.partial(_problems_of, root, only)
    if len(folders) <= FEW_SESSIONS:
        found = list(map(work, folders))
    else:
        # Records hold no cycles: a collector would only walk through them.
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=gc.disable) as workers:
            found = list(workers.map(work, folders, chunksize=4))
    problems += itertools.chain.from_iterable(said for _, said, _ in found)
    return [*problems, *copies.between(root, {path: prints for path, _, prints in found}, only)]


def count(root: Path = RESULTS) -> tuple[int, int]:
    """How many sessions are stored, and how many records; nothing is read."""
    folders = [folder for folder, _ in _session_folders(root)]
    return len(folders), sum(len(_record_files(folder, lambda *_: None)) for folder in folders)


def _problems_of(
    root: Path, only: Collection[str] | None, found: tuple[Path, bool]
) -> tuple[str, list[str], Sequence[int]]:
    """A session's path, its problems if they are asked for, and numbers of its samples."""
    folder, is_local = found
    path = folder.relative_to(root).as_posix()
    if only is not None and path not in only:
        return path, [], array("q", (number for number, _, _ in copies.stored(folder)))
    problems: list[str] = []
    session = _load_session(folder, is_local, root, problems)
    if session is None:
        return path, problems, ()
    return path, problems + plausible.refusals(session), copies.prints(session.records.values())


def load_session(folder: Path, root: Path, *, read: Callable[..., Any] = records_files.read) -> SessionResults:
    """One session's folder.

    Args:
        read: how a file goes through the gate.

    Raises:
        RecordError: a file in it is broken.
    """
    problems: list[str] = []
    session = _load_session(folder, LOCAL in folder.relative_to(root).parts[:1], root, problems, read=read)
    if session is None or problems:
        raise RecordError("\n".join(problems))
    return session


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
        (records_files.read(folder / "session.json", Session).started_at, folder)
        for folder in parent.iterdir()
        if (folder / "session.json").is_file()
    ]
    return max(started)[1] if started else None


def begin(folder: Path, machine: Machine, session: Session) -> None:
    """Create a session's folder with its two descriptions, at once or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    staging = folder.with_name(f".{folder.name}.tmp")
    try:
        staging.mkdir(parents=True)
        records_files.write_once(staging / "machine.json", machine)
        records_files.write_once(staging / "session.json", session)
        os.replace(staging, folder)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, StoreError):
            raise
        shown = records_files.shown_folder(folder)
        raise StoreError(f"cannot create {shown}: {error.strerror}; {records_files.advice(error)}") from error


@contextlib.contextmanager
def measuring(root: Path, *, local: bool) -> Iterator[list[str]]:
    """A results folder for this process alone, without what killed ones left there.

    Yields:
        What was removed and has to be measured again, a sentence each.

    Raises:
        StoreError: another process measures into it, or it cannot be written.
    """
    parent = root / LOCAL if local else root
    with lock.held(parent / ".lock"):
        for staging in parent.glob("*/.*.tmp"):
            spool.remove(staging)
        folders = [folder for folder in parent.glob("*/*") if folder.is_dir() and not folder.is_symlink()]
        yield [sentence for folder in folders for sentence in spool.remove_leftovers(folder)]


def write_record(folder: Path, record: Record) -> Path:
    """Store a cell's record and drop the spooled runs it was made of.

    Raises:
        FileExistsError: the cell has a record already.
        StoreError: the folder cannot be written.
    """
    path = folder / f"{record.cell.id}.json"
    records_files.write_once(path, spool.fit(record))
    for spooled in (folder / SPOOL).glob(f"{record.cell.id}.*.json"):
        spooled.unlink()
    with contextlib.suppress(OSError):
        (folder / SPOOL).rmdir()
    return path


def keep(folder: Path, root: Path = RESULTS) -> Path:
    """Copy a local session among the published ones, for a pull request.

    Raises:
        FileExistsError: it is there already.
        StoreError: it still has runs of incomplete cells.
    """
    if spool.has_spooled_runs(folder):
        raise StoreError(
            f"{records_files.shown_folder(folder)} has unfinished cells; continue with --resume, or close them with "
            "--seal"
        )
    target = root / folder.parent.name / folder.name
    if target.exists():
        raise FileExistsError(errno.EEXIST, "is filed already", records_files.shown_folder(target))
    _file_whole(folder, target)
    return target


def _file_whole(source: Path, target: Path) -> None:
    """Copy a session to where there is none: at once or not at all.

    Raises:
        StoreError: the folder cannot be written.
    """
    staging = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        for path in sorted(source.glob("*.json")):
            shutil.copyfile(path, staging / path.name)
        os.replace(staging, target)
    except OSError as error:
        shown = records_files.shown_folder(target)
        raise StoreError(f"cannot create {shown}: {error.strerror}; {records_files.advice(error)}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # of what was interrupted; else it has another name by now


def add_files(source: Path, target: Path) -> int:
    """Copy the files of a session's folder that its filed copy lacks; how many were new.

    Raises:
        FileExistsError: a file is there already and differs; then nothing is copied.
        StoreError: the folder cannot be written.
    """
    if target.is_symlink() or target.parent.is_symlink():
        raise StoreError(f"cannot write in {records_files.shown_folder(target)}: it is a link; put a folder there")
    files = sorted(source.glob("*.json"))
    new = [path for path in files if not os.path.lexists(target / path.name)]
    for path in files:
        filed = target / path.name
        if path not in new and (not filed.is_file() or filed.read_bytes() != path.read_bytes()):
            raise FileExistsError(errno.EEXIST, "is filed already and differs", records_files.shown_folder(filed))
    if not os.path.lexists(target):
        _file_whole(source, target)
        return len(new)
    try:
        for path in new:
            with records_files.replacing(target / path.name) as temporary:
                shutil.copyfile(path, temporary)
    except OSError as error:
        shown = records_files.shown_folder(target)
        raise StoreError(f"cannot write in {shown}: {error.strerror}; {records_files.advice(error)}") from error
    return len(new)


def _standings(root: Path, problems: list[str]) -> dict[str, Standing]:
    try:
        return standing.read(root)
    except RecordError as error:
        problems.append(str(error))
        return {}


def _strays(root: Path) -> Iterator[str]:
    """What lies where only folders of machines and sessions belong; hidden names are left alone."""
    machines = [path for parent in (root, root / LOCAL) if parent.is_dir() for path in sorted(parent.iterdir())]
    sessions = [
        path for machine in machines if machine.is_dir() and machine.name != LOCAL for path in machine.iterdir()
    ]
    for path in (*machines, *sorted(sessions)):
        if not path.name.startswith(".") and not path.is_dir() and path != root / standing.FILE:
            found = "a link to nothing" if path.is_symlink() else "a file"
            yield records_files.refusal(path.relative_to(root).as_posix(), "$", f"expected a folder, found {found}")


def _session_folders(root: Path) -> Iterator[tuple[Path, bool]]:
    """Each session's folder, and whether it is local; one that a killed run left without its session is no session."""
    for parent, is_local in ((root, False), (root / LOCAL, True)):
        if not parent.is_dir():
            continue
        for machine in sorted(parent.iterdir()):
            if not machine.is_dir() or machine.name.startswith(".") or machine.name == LOCAL:
                continue
            for folder in sorted(machine.iterdir()):
                if not folder.is_dir() or folder.name.startswith("."):
                    continue
                if os.path.lexists(folder / "session.json"):
                    yield folder, is_local
                else:
                    shown = records_files.one_line(folder.relative_to(root).as_posix(), 200, tail=True)
                    warnings.warn(f"{shown} is left out: it has no session.json", stacklevel=2)


def _load_session(
    folder: Path,
    is_local: bool,
    root: Path,
    problems: list[str],
    *,
    only_head: bool = False,
    read: Callable[..., Any] = records_files.read,
) -> SessionResults | None:
    relative = folder.relative_to(root).as_posix()

    def refuse(name: str, at: str, said: str) -> None:
        problems.append(records_files.refusal(f"{relative}/{name}", at, said))

    def judge(name: str, found: Iterable[str]) -> None:
        for problem in itertools.islice(found, plausible.MOST_PROBLEMS):
            at, _, said = problem.partition(": ")
            refuse(name, at, said)

    def attempt(path: Path, type_: type[T]) -> T | None:
        try:
            found: T = read(path, type_, shown=f"{relative}/{path.name}")
            return found
        except RecordError as error:
            problems.append(str(error))
            return None

    if folder.is_symlink() or folder.parent.is_symlink():
        refuse("", "$", "expected a folder, found a link to one")
        return None
    machine = attempt(folder / "machine.json", Machine)
    session = attempt(folder / "session.json", Session)
    if machine is not None:
        judge("machine.json", _expected("$.id", folder.parent.name, machine.id))
    if session is not None:
        judge("session.json", _expected("$.id", folder.name, session.id))
        judge("session.json", _expected("$.machine_id", folder.parent.name, session.machine_id))
    records: dict[str, Record] = {}
    for path in () if only_head else _record_files(folder, refuse):
        record = attempt(path, Record)
        if record is None:
            continue
        if record.cell.id != path.stem:
            refuse(path.name, "$.cell", f"expected a file named {record.cell.id}.json, found another name")
        judge(path.name, records_check.semantic_problems(record))
        records[record.cell.id] = record
    if machine is None or session is None:
        return None
    return SessionResults(machine, session, records, is_local, relative)


def _record_files(folder: Path, refuse: Callable[[str, str, str], None]) -> list[Path]:
    """What must be records; what is neither that nor hidden is refused."""
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if len(paths) > MOST_FILES:
        refuse("", "$", f"expected at most {MOST_FILES} files, found {len(paths)}")
        return []
    for path in paths:
        if not FILE.fullmatch(path.name):
            refuse(path.name, "$", "expected only machine.json, session.json and CELL.json, found another name")
    return [p for p in paths if FILE.fullmatch(p.name) and p.name not in ("machine.json", "session.json")]


def _expected(at: str, expected: str, found: str) -> list[str]:
    return [] if expected == found else [f"{at}: expected {expected!r}, found {found!r}"]
