"""Sessions of machines without pages: a pack of each to take away, and its rows of the tables.

What follows from one session is kept on disk by the content of its files and by the code that it is made with, so that
a build reads only sessions that are new to it. Where the files have the names, times, sizes and numbers that they had
at the last build, they are not even opened.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.records import files as records_files
from bench.records import pack, store
from bench.records.store import Results, SessionResults
from bench.report.evidence import frame
from bench.report.evidence.evidence import Evidence
from bench.report.pages import addresses, cache, workers
from bench.report.prose.source import PageError
from bench.report.stats import quantities
from bench.workloads import registry

if TYPE_CHECKING:
    import polars as pl

INDEX = "sessions.json"  # of what is kept: by session the state of its files, and what tells their content
TABLES, PACKS = "sessions", "packs"  # sub-folders of what is kept
UNUSED_FOR = timedelta(days=30)  # after which tables are dropped
# All that decides the rows: rooms import only downward, so that nothing else of the code does.
DERIVING = ("schema.py", "units.py", "machine", "records", "workloads", "report/stats", "report/published",
            "report/estimates", "report/evidence")  # fmt: skip


class Derived(NamedTuple):
    """What is made of one session: files where they are kept, else what they would hold. Tables are Arrow's IPC."""

    records: bytes | Path
    studies: bytes | Path
    pack: bytes | Path
    n_records: int


class Made(NamedTuple):
    """A session as the index knows it."""

    state: str  # of its files
    digest: str  # of their content
    n_records: int
    sizes: tuple[int, ...]  # of its three files

    def files(self, keep: Path, session: SessionResults, code: str) -> tuple[Path, Path, Path]:
        """Where its records, its studies and its pack lie."""
        how = f"{self.digest} {session.standing.kind} {session.is_local} {code}"
        table = keep / TABLES / hashlib.sha256(how.encode()).hexdigest()[:32]
        packed = keep / PACKS / f"{self.digest}-{pack.COMPRESSION}.tgz"
        return table.with_suffix(".records"), table.with_suffix(".studies"), packed


class Further:
    """What is made of each of these sessions of a results folder, by all processors; it is begun at once."""

    def __init__(
        self, sessions: Sequence[SessionResults], results: Path, keep: Path | None, folders: Mapping[str, str]
    ) -> None:
        """Without a folder to ``keep`` it in, what is made is in memory; ``folders`` are ``cache.states``."""
        self._sessions, self._results, self._keep = sessions, results, keep
        self._states = {session.path: folders[str(results / session.path)] for session in sessions}
        self._folders = folders
        self._code = cache.code_of(cache.CODE, DERIVING) if sessions else ""
        self._known = _last(keep) if keep else {}
        self._begun: dict[str, Callable[[], Made]] = {}
        for session in sessions if keep else ():
            path, state = session.path, self._states[session.path]
            last = self._known.get(path)
            if last is None or last.state != state or not self._is_whole(last, session):
                self._begun[path] = workers.begin(_make, results, session, state, keep, self._code)

    @property
    def state(self) -> str:
        """Tells one state of all their files from another."""
        return repr(self._states)

    @property
    def is_in_the_making(self) -> bool:
        """Whether something of it was not there yet."""
        return bool(self._begun)

    @functools.cached_property
    def made(self) -> list[Derived]:
        """In the order of the sessions; waits.

        Raises:
            PageError: a stored record is broken.
        """
        if not self._sessions:
            return []
        if self._keep is None:
            with tempfile.TemporaryDirectory() as scratch:
                return list(map(_read, Further(self._sessions, self._results, Path(scratch), self._folders).made))
        # From the end, where no other process has begun yet: this one works too.
        self._known |= {path: self._begun[path]() for path in reversed(self._begun)}
        if self._begun:
            current = {one.path: self._known[one.path] for one in self._sessions}
            with records_files.replacing(self._keep / INDEX) as temporary:
                temporary.write_text(json.dumps(current), encoding="utf-8")
        made = [(self._known[one.path], one) for one in self._sessions]
        found = [Derived(*self._files(known, one), known.n_records) for known, one in made]
        _tidy(self._keep, {file for one in found for file in one[:3]})
        return found

    def _is_whole(self, made: Made, session: SessionResults) -> bool:
        """Whether its files are there as they were written; of those that are not, none stays."""
        for file, size in zip(self._files(made, session), made.sizes, strict=True):
            if not file.exists() or file.stat().st_size != size:
                file.unlink(missing_ok=True)
                return False
        return True

    def _files(self, made: Made, session: SessionResults) -> tuple[Path, Path, Path]:
        assert self._keep is not None, "nothing is kept"
        return made.files(self._keep, session, self._code)


def _read(one: Derived) -> Derived:
    records, studies, packed = (file.read_bytes() if isinstance(file, Path) else file for file in one[:3])
    return Derived(records, studies, packed, one.n_records)


def _last(keep: Path) -> dict[str, Made]:
    """Sessions of the last build by their paths."""
    try:
        return {path: Made(*made) for path, made in json.loads((keep / INDEX).read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):  # of another shape, too
        return {}


def _contents(folder: Path) -> dict[str, bytes]:
    """What a session's files hold; nothing of a hidden one, and of what the gate will refuse."""
    found = dict.fromkeys(sorted(os.listdir(folder)), b"")
    for name in found:
        if not name.startswith("."):
            with contextlib.suppress(records_files.Refused):
                found[name] = records_files.regular_bytes(folder / name)
    return found


def _digest(files: dict[str, bytes], name: str) -> str:
    """Tells a session's files from any other by their content."""
    seen = hashlib.sha256(name.encode())
    for file, data in files.items():
        seen.update(os.fsencode(f"{file} {len(data)}\n") + data)
    return seen.hexdigest()[:32]


def _make(results: Path, session: SessionResults, state: str, keep: Path, code: str) -> Made:
    """Make what is not there of a session."""
    folder = results / session.path
    files = _contents(folder)
    stored = {name: data for name, data in files.items() if name.endswith(".json") and name[0] != "."}
    made = Made(state, _digest(files, session.path), sum("-" in name for name in stored), ())
    records, studies, packed = made.files(keep, session, code)
    for path in (records, packed):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not (records.exists() and studies.exists()):
        gc.disable()  # it would walk through all records again and again
        try:
            whole = store.load_session(folder, results, read=functools.partial(_read_file, files))
            _write_tables(whole._replace(standing=session.standing), records, studies)
        except records_files.RecordError as error:
            raise PageError(str(error)) from error
        finally:
            gc.enable()
    if not packed.exists():
        pack.pack(folder, packed, stored)
    return made._replace(sizes=tuple(path.stat().st_size for path in (records, studies, packed)))


def _read_file(files: dict[str, bytes], path: Path, type_: type[Any], *, shown: str) -> Any:
    return records_files.read(path, type_, shown=shown, data=files.get(path.name, b""))


def _write_tables(session: SessionResults, records: Path, studies: Path) -> None:
    evidence = Evidence(Results((session,)), registry.workloads())
    _write(frame.records(evidence).with_columns(is_lead=False), records)
    _write(frame.studied(evidence), studies)
    evidence.forget()
    quantities.forget()  # of thousands of sessions


def _write(table: pl.DataFrame, path: Path) -> None:
    with records_files.replacing(path) as temporary:
        table.write_ipc(temporary, compression="lz4")


def _tidy(keep: Path, current: set[bytes | Path]) -> None:
    """Drop other packs, and tables that no build has used for long."""
    long_ago = time.time() - UNUSED_FOR.total_seconds()
    for path in (*(keep / TABLES).glob("[!.]*"), *(keep / PACKS).glob("[!.]*")):
        if path in current:
            os.utime(path)
        elif path.parent.name == PACKS or path.stat().st_mtime < long_ago:
            path.unlink(missing_ok=True)


def tables(found: Iterable[bytes | Path]) -> list[pl.LazyFrame]:
    """Tables as they were made, to be read when something is asked of them."""
    import polars as pl

    return [pl.scan_ipc(one) if isinstance(one, Path) else pl.read_ipc(io.BytesIO(one)).lazy() for one in found]


class Speeds(NamedTuple):
    """Headline training on machines without pages, each at its fastest; in samples a second."""

    workload: str
    device: str
    n_machines: int
    slowest: float
    fastest: float


def speeds(found: Sequence[Derived]) -> list[Speeds]:
    """The slowest and the fastest machine by workload and device."""
    import polars as pl

    if not found:
        return []
    known = pl.concat(tables(one.records for one in found))
    known = known.filter("headline", pl.col("mode") == "train", pl.col("samples_per_s").is_not_null())
    best = known.group_by("workload", "device", "machine").agg(pl.max("samples_per_s"))
    ends = [pl.len(), pl.min("samples_per_s").alias("slowest"), pl.max("samples_per_s").alias("fastest")]
    return [
        Speeds(*row)
        for row in best.group_by("workload", "device").agg(ends).sort("workload", "device").collect().rows()
    ]


def pack_path(session: SessionResults) -> str:
    """Download of a session without pages, named as ``export`` names it."""
    return f"data/packs/results-{addresses.machine_slug(session)}-{session.session.id}.tgz"
