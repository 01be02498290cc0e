"""What a build worked out from the records, kept on disk for the next build of the same records by the same code.

The name of a file tells all that its contents follow from: records, code, published figures, versions and the day
(prices and badges age). Whatever of these changes, nothing is found and everything is worked out anew.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import REPOSITORY, ROOT
from bench.records import files as records_files
from bench.records import store
from bench.report.evidence.evidence import Evidence
from bench.report.prose.source import PageError
from bench.workloads import registry

CODE = ROOT  # with the published figures and the counted operations
CACHE = REPOSITORY / ".cache" / "charts"
CARD_CACHE = CACHE.parent / "cards"


# Loading, kept between builds of one process: under `mkdocs serve` only what changed is read again.


def _fingerprint(results: Path) -> str:
    seen = hashlib.sha256()
    for path in sorted(results.rglob("*.json")):
        status = path.lstat()
        seen.update(f"{path}:{status.st_mtime_ns}:{status.st_size}\n".encode())
    return seen.hexdigest()


def evidence(results: Path) -> Evidence:
    """Evidence of a results folder, kept while no file in it changes."""
    key = (str(results), _fingerprint(results))
    if _LOADED.get("key") != key:
        _LOADED.clear()
        try:
            loaded = store.load(results)
        except records_files.RecordError as error:
            raise PageError(str(error)) from error
        _LOADED["evidence"] = Evidence(loaded, registry.workloads())
        _LOADED["key"] = key
    return _LOADED["evidence"]


_LOADED: dict[str, Any] = {}
_KEPT: dict[str, Any] = {}


def keep(evidence: Evidence, name: str, make: Callable[[], Any]) -> Any:
    """The value for this evidence, made once."""
    if _KEPT.get("evidence") is not evidence:
        _KEPT.clear()
        _KEPT["evidence"] = evidence
    if name not in _KEPT:
        _KEPT[name] = make()
    return _KEPT[name]


ON_DISK = ("drawing ", "svg ", "table ", "claims", "evidence pages ", "flips")  # slow to make, and made of plain data


def recall(evidence: Evidence, results: Path, folder: Path) -> str:
    """Take what an earlier process kept for this evidence, unless this one has begun already; the state's name."""
    name = name_of(_fingerprint(results), CODE)
    if _KEPT.get("evidence") is not evidence:
        _KEPT.clear()
        _KEPT.update(load(folder, name), evidence=evidence)
        _KEPT["on disk"] = frozenset(_KEPT)
    return name


def remember(folder: Path, name: str) -> None:
    """Keep what was worked out since, for the next process."""
    values = {key: value for key, value in _KEPT.items() if key.startswith(ON_DISK)}
    if not _KEPT.get("on disk", frozenset()) >= values.keys():
        save(folder, name, values)
        _KEPT["on disk"] = frozenset(values)


N_FILES = 4  # a few states, so that going back and forth between two branches costs nothing
LIBRARIES = ("altair", "vl-convert-python", "msgspec", "numpy", "polars")


def name_of(records: str, code: Path) -> str:
    """Name of a state.

    Args:
        records: fingerprint of the records.
        code: folder whose files, at any depth, decide what is made of them; its folder of results is left out.
    """
    seen = hashlib.sha256(f"{records}\n{date.today()}\n{platform.python_version()}\n".encode())
    for library in LIBRARIES:
        seen.update(f"{library} {version(library)}\n".encode())
    for path in sorted(code.rglob("*")):
        inside = path.relative_to(code)
        if path.is_file() and path.suffix != ".pyc" and inside.parts[0] != "results":
            seen.update(f"{inside}\n".encode())
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()[:32]


def load(folder: Path, name: str) -> dict[str, Any]:
    """What was kept for a state; empty where nothing was, or where it cannot be read."""
    path = folder / f"{name}.pickle"
    try:
        found = pickle.loads(path.read_bytes())  # our own file, in a folder that is never published
        os.utime(path)
    except Exception:  # noqa: BLE001  a torn file, or one that another version wrote: it only costs time
        return {}
    return found


def save(folder: Path, name: str, values: Mapping[str, Any]) -> None:
    """Keep the values of a state, and only the latest few states; a folder that cannot be written only costs time."""
    write(folder / f"{name}.pickle", pickle.dumps(dict(values), protocol=pickle.HIGHEST_PROTOCOL))
    try:
        for old in _newest_first(folder.glob("*.pickle"))[N_FILES:]:
            old.unlink(missing_ok=True)
    except OSError:
        pass


def write(path: Path, data: bytes) -> None:
    """Keep one file, whole or not at all; a folder that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        pass


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
