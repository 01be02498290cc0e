"""One process at a time: a lock file that the system releases when its holder ends, however it ends. Writes files."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bench.records.files import StoreError, advice, shown_folder


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards.

    Raises:
        StoreError: another process holds it, which is named; or its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _open(path)
    except OSError as error:
        raise StoreError(f"cannot write in {shown_folder(path.parent)}: {error.strerror}; {advice(error)}") from error
    with file:
        if not is_free(file):
            holder = path.read_text(encoding="utf-8", errors="replace").strip()[:20] or "unknown"
            raise StoreError(
                f"process {holder} measures into {shown_folder(path.parent)} already: two at once disturb each other; "
                "wait for its end, or end it and go on with --resume"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def is_free(file: BinaryIO) -> bool:
    """Lock an open file for this process, unless another holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open(path: Path) -> BinaryIO:
    if path.is_symlink() or (path.exists() and not path.is_file()):  # what it points to is not ours to empty
        raise FileExistsError(errno.EEXIST, f"{path.name} is no regular file, remove it", path.name)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644), "r+b")
