"""What was made of pages, by all that decides it: in memory for the next build, on disk for the next process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "rendered"
MOST_BYTES = 100_000_000  # a handful of builds: previews have other addresses, tests other records

_before: dict[str, Any] = {}  # what the last build kept
_now: dict[str, Any] = {}  # what this one does


def begin() -> None:
    """Begin a build: of what an earlier one kept, memory holds that of the last alone, and the folder has a limit."""
    global _before, _now
    if not _now:  # once for each process
        tidy(FOLDER, MOST_BYTES)
    _before, _now = _now, {}


def digest(*parts: object) -> str:
    """Name of what is made of these."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def look_up(name: str) -> Any:
    """What was kept under a name; None where nothing was."""
    found = _before.get(name)
    if found is None:
        try:
            found = pickle.loads(zlib.decompress((FOLDER / name).read_bytes()))
            os.utime(FOLDER / name)
        except Exception:  # noqa: BLE001  # no file, half of one, another version: it is made anew
            return None
    _now[name] = found
    return found


def keep(name: str, made: object) -> None:
    """Keep something, here and for the next process."""
    _now[name] = made
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time and nothing else
        FOLDER.mkdir(parents=True, exist_ok=True)
        staging = FOLDER / f"{name}.{os.getpid()}"
        staging.write_bytes(zlib.compress(pickle.dumps(made), 1))
        staging.replace(FOLDER / name)


def tidy(folder: Path, most_bytes: int) -> None:
    """Drop what was not asked for longest, above a limit."""
    with contextlib.suppress(OSError):  # another build does the same
        for file in sorted(folder.glob("*"), key=lambda file: -file.stat().st_mtime_ns):
            most_bytes -= file.stat().st_size
            if most_bytes < 0:
                file.unlink()
