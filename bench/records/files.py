"""One stored file: strictly read, written once. Reads and writes files."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench import ROOT, units
from bench.records import codec, texts
from bench.schema import Struct

RESULTS = ROOT / "results"
LOCAL = "local"  # sub-folder of results/ that git ignores: this machine, not yet published
SPOOL = ".runs"  # sub-folder of a session: runs of cells that are not complete yet
MOST_BYTES = 2**18  # of a file; a record has 20 kB
MOST_DEPTH = 12
MOST_ITEMS = 10_000  # of a list or an object
MOST_KNOWN = 50_000  # texts that need not be looked at again
T = TypeVar("T", bound=Struct)
# msgspec names the pattern that a text does not have; readers want its meaning.
_FORM = re.compile(r"`str` matching regex (.*)")
_MEANING = {
    repr(meta.pattern): meta.description
    for kind in vars(units).values()
    for meta in getattr(kind, "__metadata__", ())
    if meta.pattern
}


class RecordError(ValueError):
    """A stored file that is not what it must be: path, place in the JSON, expected, found, what to do."""


class StoreError(OSError):
    """Results cannot be written; the message says why and what to do."""


def read(path: Path, type_: type[T], *, shown: str | None = None, data: bytes = b"") -> T:
    """A stored file through the gate: whoever wrote it, what comes back is of the type and within its bounds.

    A regular file of at most MOST_BYTES, UTF-8, JSON with no key twice, plain impersonal texts, a known version
    (older ones are upgraded in memory), known keys, numbers in the range of their unit.

    Args:
        shown: the file in messages.
        data: what ``regular_bytes`` said of it, if it was asked already.

    Raises:
        RecordError: it is not; one line with path, JSON path, expected, found and what to do.
    """
    try:
        data = data or regular_bytes(path)
        with contextlib.suppress(codec.VersionError, msgspec.ValidationError):  # told below, what comes before it first
            if (plain := _plain(data)) is not None:
                return msgspec.convert(codec.upgrade(plain), type_, strict=True)
        raw = _parsed(_text(data))
        if found := _text_problem(raw):
            raise Refused(f"${found[0]}", found[1])
        raw = codec.upgrade(raw)
        return msgspec.convert(raw, type_, strict=True)
    except Refused as error:
        at, said = error.args
    except codec.VersionError as error:
        at, said = "$.schema_version", str(error)
    except msgspec.ValidationError as error:
        at, said = validation_problem(error, raw)
    raise RecordError(refusal(shown or path.name, at, said))


def refusal(where: str, at: str, said: str, remedy: str = "measure it again or take the file away") -> str:
    """One printable line of at most 300 characters: file, JSON path, expected and found, what to do."""
    where = where.replace("::", r"\x3a\x3a").replace("##[", r"\x23#[")  # a log of GitHub's would obey them
    where, at, remedy = one_line(where, 130, tail=True), one_line(at, 50), remedy[:50]
    return f"{where}: {at}: {one_line(said, 300 - len(where) - len(at) - len(remedy) - 6)}; {remedy}"


def one_line(text: str, most: int, *, tail: bool = False) -> str:
    """The text without what would break a line or a terminal, cut to so many characters."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= most else f"…{text[1 - most :]}" if tail else f"{text[: most - 1]}…"


def write_once(path: Path, value: Struct) -> None:
    """Write a new file: to a temporary name beside it, flushed to disk, then linked into place.

    Texts that ``read`` would refuse are cleaned: what is written is read again.

    Raises:
        FileExistsError: the file exists; stored files are never reopened for writing.
        StoreError: disk full, read-only folder and their like, or a number that ``read`` would refuse; nothing
            half-written is left.
    """
    try:
        data = codec.encode(msgspec.convert(texts.cleaned(msgspec.to_builtins(value)), type(value)))
    except msgspec.ValidationError as error:
        raise StoreError(f"cannot write {path.name}, which would not be read again: {error}") from error
    temporary = None
    try:
        if path.parent.name == SPOOL:  # a session's own folder that is gone is not made again
            _make(path.parent)
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
        msg = f"cannot write {path.name} in {shown_folder(path.parent)}: {error.strerror}; {advice(error)}"
        raise StoreError(msg) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A file beside the target to write to, which then takes its place at once, or leaves nothing.

    Raises:
        FileExistsError: the target is a folder, link, pipe or device.
    """
    if os.path.lexists(target) and (target.is_symlink() or not target.is_file()):
        raise FileExistsError(errno.EEXIST, "is there already and no regular file", target.name)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder.name) from error


class Refused(ValueError):
    """What the gate refuses: JSON path, and "expected ..., found ..."."""


_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)


def regular_text(path: Path) -> str:
    """The text of a regular file; see ``regular_bytes``.

    Raises:
        Refused: it is none, too large, or no UTF-8.
    """
    return _text(regular_bytes(path))


def regular_bytes(path: Path) -> bytes:
    """What a regular file holds; a link, a pipe or a device is not opened, or not read.

    Raises:
        Refused: it is none, or too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or (not _NOFOLLOW and path.is_symlink()):
                raise Refused("$", "expected a regular file, found a folder, link, pipe or device")
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        what = "a link" if path.is_symlink() else f"one that cannot be read: {error.strerror}"
        raise Refused("$", f"expected a regular file, found {what}") from error
    if len(data) > MOST_BYTES:
        raise Refused("$", f"expected at most {MOST_BYTES} bytes, found more")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("$", f"expected UTF-8 text, found byte {data[error.start]:#04x} at {error.start}") from error


def _plain(data: bytes) -> codec.Json | None:
    """What ``_parsed`` and ``_text_problem`` let pass, in a third of the time; None where it takes them to tell.

    How deep it is, the conversion tells: no stored type is that deep.
    """
    if b"\\" in data or b'"versions"' in data or data.count(b",") >= MOST_ITEMS:
        return None
    try:
        raw = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    # Nothing is escaped: more colons than in what was decoded are those of a key that stood there before.
    if type(raw) is not dict or msgspec.json.encode(raw).count(b":") != data.count(b":"):
        return None
    pieces = data.split(b'"')  # every other one is a text
    texts_in = pieces[1::2]
    new = {*texts_in} - _FINE
    for at in itertools.compress(range(1, len(pieces), 2), map(new.__contains__, texts_in)):
        key = pieces[at - 2].decode() if pieces[at - 1].strip() == b":" else ""  # nothing is stricter than no key
        if texts.problem(pieces[at].decode(), key):
            return None
        if key not in _LENIENT:
            _FINE.add(pieces[at])
    if len(_FINE) > MOST_KNOWN:
        _FINE.clear()
    return raw


_FINE: set[bytes] = set()  # texts that may stand under any key
_LENIENT = texts.UNREAD | texts.IDS


def _parsed(text: str) -> codec.Json:
    if not text.strip():
        raise Refused("$", "expected a JSON object, found an empty file")
    try:
        raw = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_each_key_once)
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno} (a truncated file?)"
        raise Refused("$", f"expected JSON, found {found}") from error
    except Refused:
        raise
    except (ValueError, RecursionError) as error:
        raise Refused("$", f"expected JSON, found {error}") from error
    if not isinstance(raw, dict):
        raise Refused("$", f"expected a JSON object, found {type(raw).__name__}")
    return raw


def _refuse_constant(name: str) -> float:
    raise Refused("$", f"expected JSON, found {name}, which is not a JSON number")


def _each_key_once(pairs: list[tuple[str, Any]]) -> codec.Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Refused("$", f"expected every key once, found {twice[:40]!a} twice")
    return found


def _text_problem(value: Any, key: str = "", depth: int = 0) -> tuple[str, str] | None:
    """Path below the value and problem of the first text that cannot be stored, or of what is too deep or too long."""
    if type(value) is str:
        said = texts.problem(value, key)
        return ("", said) if said else None
    if depth == MOST_DEPTH or len(value) > MOST_ITEMS:
        return "", f"expected at most {MOST_ITEMS} items and a depth of {MOST_DEPTH}, found more"
    if type(value) is dict:
        for name, item in value.items():
            if said := texts.problem(name):
                return "", f"{said}, a key"
            if type(item) in _DEEP and (found := _text_problem(item, texts.below(key, name), depth + 1)):
                return f".{name}{found[0]}", found[1]
    elif not _DEEP.isdisjoint(map(type, value)):  # most lists hold numbers alone
        for index, item in enumerate(value):
            if type(item) in _DEEP and (found := _text_problem(item, key, depth + 1)):
                return f"[{index}]{found[0]}", found[1]
    return None


_DEEP = frozenset({str, dict, list})


def validation_problem(error: msgspec.ValidationError, raw: Any) -> tuple[str, str]:
    """msgspec's message as JSON path and "expected ..., found ..."."""
    message, _, at = str(error).partition(" - at `")
    is_key = at.startswith("key` in `")  # how msgspec names a key that is none of the known ones
    path = at.removeprefix("key` in `").rstrip("`") or "$"
    message = _FORM.sub(lambda form: _MEANING[form[1]], message[0].lower() + message[1:])
    if message.startswith("object contains unknown field"):
        return path, f"expected only known keys, found {message.removeprefix('object contains unknown field ')}"
    if message.startswith("object missing required field"):
        return path, f"expected the key {message.removeprefix('object missing required field ')}, found none"
    if message.startswith("invalid enum value"):
        message = "expected a word of those known there"
    if message == "number out of range":
        message = "expected a number of at most 64 bits"
    if is_key:
        message = f"a key is none of the known ones: {message}"
    return path, message.replace(", got ", ", found ") + _found(raw, path, message)


def _found(raw: Any, path: str, message: str) -> str:
    """The offending value itself, or what holds it, where the message does not show one."""
    if ", got " in message:
        return ""
    value = raw
    with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):
        for part in path.removeprefix("$").replace("[", ".[").strip(".").split("."):
            if part.startswith("["):
                value = value[int(part[1:-1])]
            elif part:
                value = value[part]
    return f", found {json.dumps(value)[:60]}"


def shown_folder(path: Path) -> str:
    """A folder as the reader of the message knows it: from the results folder on."""
    parts = path.parts
    return "/".join(parts[parts.index("results") :]) if "results" in parts else path.name


FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def advice(error: OSError) -> str:
    """What to do about an error of the file system."""
    if error.errno in FULL:
        return "free some space and go on with --resume"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable or choose another with --results"
    if error.errno == errno.ENOTDIR:
        return "take that away and go on with --resume"
    if error.errno == errno.ENOENT:
        return "the folder is gone (--resume begins a new session) or cannot be made (name another with --results)"
    return "choose another folder with --results"
