"""A session as one file, to carry home from a machine that is lent for minutes. Reads and writes files."""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import store
from bench.store import RecordError

# What a pack may hold: MACHINE/SESSION/FILE.json, all names in lower-case kebab.
MEMBER = re.compile(r"([a-z0-9-]+)/(\d{4}-\d{2}-\d{2}(?:-\d+)?)/([a-z0-9-]+\.json)")
MOST_MEMBERS = 5_000
MOST_BYTES = 1_000_000  # of one file; a record has 20 kB


def pack(folder: Path, target: Path) -> int:
    """Pack a session's finished cells, in place of an older pack at once or not at all; the number of its records.

    Runs of cells that are not complete stay behind.
    """
    files = sorted(folder.glob("*.json"))
    temporary = target.with_name(f".{target.name}.tmp")
    with tarfile.open(temporary, "w:gz") as archive:
        for path in files:
            data = path.read_bytes()
            member = tarfile.TarInfo(f"{folder.parent.name}/{folder.name}/{path.name}")  # no owner, no date
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    os.replace(temporary, target)
    return len(files) - 2


def take(path: Path, root: Path = store.RESULTS) -> tuple[Path, int]:
    """File the session of a pack among the published ones.

    A later pack of a session that is filed already adds the records that are new; a file that differs is refused.

    Returns:
        The session's folder, and how many files are new.

    Raises:
        RecordError: the pack is no pack, holds what no session has, or a record that ``store.check`` refuses.
        FileExistsError: a file of the session is filed already and differs.
    """
    with tempfile.TemporaryDirectory(prefix="pack-") as scratch:
        staged = Path(scratch)
        for member, data in _members(path):
            place = staged / member
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        sessions = sorted(staged.glob("*/*"))
        if len(sessions) != 1:
            raise RecordError(f"{path.name}: expected the files of one session, found {len(sessions)} sessions")
        for name in ("machine.json", "session.json"):
            if not (sessions[0] / name).is_file():
                raise RecordError(f"{path.name}: expected a {name}, found none")
        if problems := store.check(staged):
            raise RecordError("\n".join(problems))
        target = root / sessions[0].relative_to(staged)
        return target, store.add_files(sessions[0], target)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file in a pack.

    Raises:
        RecordError: see ``take``.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            for number, member in enumerate(archive):
                if not member.isfile() or not MEMBER.fullmatch(member.name):
                    found = f"{member.name[:80]!r}{'' if member.isfile() else ', no regular file'}"
                    raise RecordError(f"{path.name}: expected only MACHINE/DATE/NAME.json, found {found}")
                if number >= MOST_MEMBERS or member.size > MOST_BYTES:
                    limits = f"{MOST_MEMBERS} files of {MOST_BYTES} bytes"
                    raise RecordError(f"{path.name}: expected at most {limits}, found more in {member.name}")
                yield member.name, archive.extractfile(member).read()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise RecordError(f"{path.name}: expected a pack (a gzipped tar of records), found {error}") from error
