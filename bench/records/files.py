"""One stored file: strictly read, written once. Reads and writes files."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench import ROOT
from bench.records import codec
from bench.records.codec import encode
from bench.schema import Struct

RESULTS = ROOT / "results"
LOCAL = "local"  # sub-folder of results/ that git ignores: this machine, not yet published
SPOOL = ".runs"  # sub-folder of a session: runs of cells that are not complete yet
T = TypeVar("T", bound=Struct)


class RecordError(ValueError):
    """A stored file that is not what it must be: path, place in the JSON, expected, found."""


class StoreError(OSError):
    """Results cannot be written; the message says why and what to do."""


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
    try:
        raw = codec.upgrade(raw)
    except codec.VersionError as error:
        raise RecordError(f"{where}: $.schema_version: {error}") from error
    try:
        return msgspec.convert(raw, type_, strict=True)
    except msgspec.ValidationError as error:
        raise RecordError(f"{where}: {_validation_problem(error, raw)}") from error


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
        msg = f"cannot write {path.name} in {shown_folder(path.parent)}: {error.strerror}; {_advice(error)}"
        raise StoreError(msg) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


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
    is_key = at.startswith("key` in `")  # how msgspec names a key that is none of the known ones
    path = at.removeprefix("key` in `").rstrip("`") or "$"
    if is_key:
        return f"{path}: a key is none of the known ones: {message[0].lower()}{message[1:]}"
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


def shown_folder(path: Path) -> str:
    """A folder as the reader of the message knows it: from the results folder on."""
    parts = path.parts
    return "/".join(parts[parts.index("results") :]) if "results" in parts else path.name


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "free some space and go on with --resume"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make the folder writable or choose another with --results"
    return "choose another folder with --results"
