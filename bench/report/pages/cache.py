"""What a build works out, kept for the same process and, where it is slow to make, on disk for the next.

What is kept on disk, and what decides whether it is found again:

- values that follow from the records (``Cache.keep``): by name and ``state_of``, which is a fingerprint of the records,
  the code, the published figures, the libraries and the day, since prices and badges age;
- all pages together (``Cache.through_disk``): by the same and by the sources;
- the parts of the last build (``Cache.last``): by the same but for the records' runs; each knows the sources and the
  records that it was made of (``parts``, ``stats.reads``);
- tables of a session whose machine has no pages (``further``): by its files and the code that they follow from;
- pictures (``drawings``): by the specification or the SVG that they are drawn from and the version of the renderer.

A function's own source counts too: joblib forgets what an older one returned.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import pickle
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import joblib
import msgspec

from bench import REPOSITORY, ROOT
from bench.records import files as records_files
from bench.records import store
from bench.report.evidence.evidence import MOST_WITH_PAGES, Evidence
from bench.report.evidence.view import OF
from bench.report.prose.source import PageError
from bench.report.stats import reads
from bench.schema import Record
from bench.workloads import registry

T = TypeVar("T")
_Read = tuple[tuple[int, int, int, int], Any]  # times, size and number of a file, and what it held
CODE = ROOT  # with the published figures and the counted operations
PICTURES = REPOSITORY / ".cache" / "pictures"
LIBRARIES = ("altair", "jinja2", "msgspec", "numpy", "polars")
DIGEST_BYTES = 32
VALUES = "values"  # sub-folder of what is kept by the state of everything
MOST_BYTES = 1_000_000_000  # a handful of states, so that going back and forth between branches costs nothing


class Seen(NamedTuple):
    """The state of what something was made of."""

    records: dict[str, str]  # digest of each, and of others that may be read
    values: dict[str, tuple[str, reads.Names]]  # of sessions: as text, with the records behind each


def states(results: Path) -> dict[str, str]:
    """What tells one state of each folder from another: name, times, size and number of every file, strays too."""
    found = {}
    for folder, inner, names in os.walk(results):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        seen = hashlib.sha256()
        for name in sorted(name for name in names if not name.startswith(".")):
            status = os.lstat(os.path.join(folder, name))
            times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
            seen.update(os.fsencode(f"{name}:{times}:{status.st_size}:{status.st_ino}\n"))
        found[folder] = seen.hexdigest()
    return found


def _but_runs(results: store.Results) -> str:
    """Fingerprint of everything that is stored but for the runs of the records."""
    seen = hashlib.sha256()
    for session in (*results.sessions, *results.further):
        seen.update(f"{session.path} {session.is_local} {session.standing}\n".encode())
        heads = (msgspec.structs.replace(record, runs=()) for record in session.records.values())
        seen.update(msgspec.json.encode([session.machine, session.session, *heads]))
    return seen.hexdigest()


def state_of(records: str, code: str) -> str:
    """Name of a state by the fingerprints of the records and of the code that decides what is made of them."""
    return hashlib.sha256(f"{records}\n{date.today()}\n{code}\n".encode()).hexdigest()[:32]


def code_of(code: Path, rooms: Sequence[str] = ("*",)) -> str:
    """Fingerprint of code and of the libraries that it uses.

    Args:
        code: folder whose files, at any depth, count; its folder of results is left out.
        rooms: files and folders in it that count.
    """
    seen = hashlib.sha256(f"{platform.python_version()}\n".encode())
    for library in LIBRARIES:
        seen.update(f"{library} {version(library)}\n".encode())
    found = [path for room in rooms for top in code.glob(room) for path in (top, *top.rglob("*"))]
    for path in sorted(found):
        inside = path.relative_to(code)
        if path.is_file() and path.suffix != ".pyc" and inside.parts[0] != "results":
            seen.update(f"{inside}\n".encode())
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()[:32]


class _Pickler(pickle.Pickler):
    """Pickles a session as its path: it is in the evidence already, and far larger than what follows from it."""

    def reducer_override(self, found: object) -> Any:
        """Called for everything but plain values."""
        return (_session, (found.path,)) if isinstance(found, store.SessionResults) else NotImplemented


def _session(path: str) -> store.SessionResults:
    return CACHE.session(path)


def _value(state: str, name: str, make: Callable[[], Any]) -> bytes:
    """A value by state and name, with its digest before it; ``make`` is called where none is on disk.

    Pickled here: joblib reads objects with a pickler in Python, which takes longer than to make many of them anew.
    """
    pickled = _pickled(make())
    return hashlib.sha256(pickled).digest() + pickled


class LostError(LookupError):
    """What was kept on disk cannot be read any more."""


def lost() -> Any:
    """In the place of what makes a value, where only a kept one will do.

    Raises:
        LostError: always.
    """
    raise LostError


def _pickled(value: object) -> bytes:
    out = io.BytesIO()
    _Pickler(out, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return out.getvalue()


def _in_place(
    known: Sequence[store.SessionResults], loaded: Sequence[store.SessionResults]
) -> tuple[store.SessionResults, ...]:
    """Sessions as loaded; one that differs in its records alone is the object that it was, which values refer to."""
    before = {session.path: session for session in known}
    return tuple(_taken_over(before.get(session.path), session) for session in loaded)


def _taken_over(known: store.SessionResults | None, session: store.SessionResults) -> store.SessionResults:
    if known is None or known._replace(records=session.records) != session:
        return session
    known.records.clear()
    known.records.update(session.records)
    return known


class Cache:
    """Values by name, for one evidence at a time."""

    def __init__(self) -> None:
        """Empty."""
        self._evidence: Evidence | None = None
        self._loaded = ""  # the records that the evidence was read from
        self._records = ""
        self.folders: dict[str, str] = {}  # states of those of the records
        self._files: dict[Path, _Read] = {}  # of the records that were read last
        self.others: dict[str, str] = {}  # states of what is read beside them, by name
        self._folder: Path | None = None
        self._values: dict[Any, tuple[Any, reads.Names]] = {}
        self._across: dict[Any, tuple[Any, reads.Names]] = {}  # those that may outlive the evidence
        self._named: dict[str, Any] = {}
        self._named_before: dict[str, Any] = {}  # of the evidence before this one
        self._last: dict[str, tuple[str, Any]] = {}
        self._written: set[tuple[Path, str]] = set()
        self._kept: Any = None  # _value with its results on disk
        self._code = self._state = self._state_but_runs = ""

    def look(self, results: Path, folder: Path | None = None) -> None:
        """Find out which state the records and the code are in, without reading the records.

        Args:
            folder: where values are kept on disk; nowhere without one.
        """
        self.folders = states(results)
        self._records = hashlib.sha256(repr(self.folders).encode()).hexdigest()
        self._folder = folder
        self._kept = on_disk(folder / VALUES, _value, ignore=["make"]) if folder else None
        self._code = code_of(CODE) if folder else ""
        self._state = state_of(self._records, self._code)

    def evidence(self, results: Path, folder: Path | None = None) -> Evidence:
        """Evidence of a results folder, read again when a file in it changes; under `mkdocs serve` that is seldom.

        Args:
            folder: as for ``look``.

        Raises:
            PageError: a stored record is broken.
        """
        self.look(results, folder)
        return self.read(results)

    def read(self, results: Path) -> Evidence:
        """Evidence of the results folder that was looked at last.

        Raises:
            PageError: a stored record is broken.
        """
        if self._loaded != f"{results} {self._records}":
            last, written, named, across = self._last, self._written, self._named, self._across
            state, sessions = self._state_but_runs, self._evidence.stored if self._evidence else ()
            seen = self.seen(frozenset().union(*(names for _, names in across.values())))
            self.forget()
            try:
                files, self._files = self._files, {}
                read = functools.partial(self._read_file, files)
                loaded = store.load(results, most_machines=MOST_WITH_PAGES, read=read)
            except records_files.RecordError as error:
                raise PageError(str(error)) from error
            loaded = loaded._replace(sessions=_in_place(sessions, loaded.sessions))
            self._evidence = Evidence(loaded, registry.workloads(), is_noted=True)
            self._loaded = f"{results} {self._records}"
            self._state_but_runs = state_of(_but_runs(loaded), self._code)
            self._last, self._written, self._named_before = last, written, named
            if state == self._state_but_runs:
                changed = self.changed(seen).union(self.others)
                self._across = {name: kept for name, kept in across.items() if kept[1].isdisjoint(changed)}
        return self._evidence  # type: ignore[return-value]  # set above

    def seen(self, names: Iterable[str]) -> Seen:
        """The state of all that may be read, and of the sessions' values among these names of what was."""
        return Seen(self._states(), {name: self._value(name) for name in names if OF in name})

    def changed(self, before: Seen) -> set[str]:
        """Names of what is not as it was; a session's value is worked out where a record behind it has changed."""
        found = {name for name, state in self._states().items() if before.records.get(name) != state}
        values = before.values.items()
        return found | {
            name for name, (text, read) in values if not found.isdisjoint(read) and self._value(name)[0] != text
        }

    def _states(self) -> dict[str, str]:
        records = (found.state for _, found in self._files.values() if isinstance(found, reads.Watched))
        return self.others | dict(records)

    def _value(self, name: str) -> tuple[str, reads.Names]:
        value, _, path = name.partition(OF)
        found, read = reads.behind(self._evidence.view(self.session(path)), value)  # type: ignore[union-attr]  # read
        return repr(found), read

    def _read_file(self, last: Mapping[Path, _Read], path: Path, type_: type[Any], *, shown: str) -> Any:
        """A stored file; one that is as at the last reading is the same object, with what was estimated of it."""
        try:
            status = path.lstat()
        except OSError:  # which the gate tells
            return records_files.read(path, type_, shown=shown)
        state = status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
        kept = last.get(path)
        if kept is None or kept[0] != state:
            found = records_files.read(path, type_, shown=shown)
            kept = state, reads.watched(found, shown) if isinstance(found, Record) else found
        self._files[path] = kept
        return kept[1]

    def forget(self) -> None:
        """Forget what is in memory, as a new process begins."""
        self._evidence, self._loaded, self._state_but_runs = None, "", ""
        self._values, self._across, self._named = {}, {}, {}
        self._last, self._written = {}, set()

    def keep(
        self, evidence: Evidence, name: str, make: Callable[[], T], *, slow: bool = False, across: bool = False
    ) -> T:
        """The value for this evidence, made once.

        Args:
            slow: also on disk; such a value must be plain data.
            across: for later ones too, as long as nothing has changed that it was made of, all of which is noted.
        """
        if self._evidence is not evidence:
            self.forget()
            self._evidence, self._kept = evidence, None
        values = self._across if across else self._values
        return reads.kept(values, name, (lambda: self.through_disk(name, make)) if slow else make)

    def keep_named(self, name: str, make: Callable[[], T]) -> T:
        """The value that its name decides, whatever the records are; made once for this evidence and the one before."""
        if name not in self._named:
            self._named[name] = self._named_before[name] if name in self._named_before else make()
        found: T = self._named[name]
        return found

    @staticmethod
    def name_of(docs: Path, *given: str) -> str:
        """Name of what is made of all sources and of ``given``."""
        sources = hashlib.sha256(repr(given).encode())
        for path in sorted(docs.rglob("*")):
            if path.is_file():
                sources.update(f"{path.relative_to(docs)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        return f"pages {sources.hexdigest()}"

    def is_on_disk(self, name: str) -> bool:
        """Whether an earlier process kept a value of this name and state."""
        return self._kept not in (None, _value) and self._kept.check_call_in_cache(self._state, name, None)

    def through_disk(self, name: str, make: Callable[[], T]) -> T:
        """The value from disk if it is there, else made and put there; not held in memory."""
        if self._kept is None:
            return make()
        made: list[tuple[T, reads.Names]] = []

        def make_once() -> tuple[T, reads.Names]:
            made.append(reads.collected(make))
            return made[0]

        kept = self._kept(self._state, name, make_once)
        pickled = memoryview(kept)[DIGEST_BYTES:]
        if not made and hashlib.sha256(pickled).digest() != kept[:DIGEST_BYTES]:
            self._kept.call(self._state, name, make_once)
        found, read = made[0] if made else pickle.loads(pickled)
        reads.add(read)
        return found

    def last(self, name: str, default: T) -> T:
        """What ``keep_last`` was given in this state of the code and all but the runs, here or in another process."""
        if self._folder is None:
            return default
        if name not in self._last:
            self._last[name] = self._read_last(name)
        state, value = self._last[name]
        return value if state == self._state_but_runs else default

    def keep_last(self, name: str, value: object) -> None:
        """Keep a value for ``last``, in the place of an earlier one."""
        if self._folder is None:
            return
        self._last[name] = (self._state_but_runs, value)
        if (self._folder, name) in self._written:
            return  # the next process begins with this one's first: what has changed since, it makes again
        self._written.add((self._folder, name))
        with contextlib.suppress(OSError):  # a folder that cannot be written costs time and nothing else
            staging = self._folder / f".{name}.{os.getpid()}.tmp"
            staging.write_bytes(b"".join(map(_pickled, self._last[name])))
            os.replace(staging, self._folder / f"{name}.pickle")

    def _read_last(self, name: str) -> tuple[str, Any]:
        """State and value on disk; of another state, or torn, nothing."""
        try:
            with (self._folder / f"{name}.pickle").open("rb") as file:  # type: ignore[operator]  # see below
                state = pickle.load(file)
                return state, pickle.load(file) if state == self._state_but_runs else None
        except Exception:  # noqa: BLE001  # no folder, no file, half of one: what was in it is made anew
            return "", None

    def session(self, path: str) -> store.SessionResults:
        """A session of the evidence by its path."""
        found = self._evidence.stored if self._evidence is not None else ()
        return next(session for session in found if session.path == path)


def on_disk(folder: Path, function: Callable[..., T], ignore: list[str]) -> Any:
    """The function with its results kept below a folder; as it is where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        memory = joblib.Memory(folder, verbose=0)
        return memory.cache(function, ignore=ignore)
    except OSError:
        return function


def tidy(folder: Path) -> None:
    """Drop the values that were not asked for longest, above a limit in bytes."""
    joblib.Memory(folder / VALUES, verbose=0).reduce_size(bytes_limit=MOST_BYTES)


CACHE = Cache()
