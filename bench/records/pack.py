"""A session as one file, to carry home from a machine that is lent for minutes. Reads and writes files."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from bench import units
from bench.records import files as records_files
from bench.records.files import LOCAL, MOST_BYTES, RESULTS, RecordError
from bench.records.store import MOST_FILES, add_files, check
from bench.schema import Session

# What a pack may hold: MACHINE/SESSION/FILE.json, all names in lower-case kebab; a file system knows 255 bytes a name.
MEMBER = re.compile(rf"{units.SLUG}/{units.SESSION}/(?=.{{1,240}}$){units.SLUG}\.json", re.ASCII)
MOST_TOTAL_BYTES = 64_000_000
COMPRESSION = 4  # of nine; the usual six takes a third longer and saves 6 %


def pack(folder: Path, target: Path, files: Mapping[str, bytes] | None = None) -> int:
    """Pack a session's finished cells, in place of an older pack at once or not at all; the number of its records.

    Runs of cells that are not complete stay behind.

    Args:
        files: what the folder's files hold, in order of their names, if they were read already.

    Raises:
        OSError: the target cannot be written, or is no regular file.
    """
    # Without owner and date equal files make equal bytes.
    files = files or {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    with (
        records_files.replacing(target) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=COMPRESSION, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder.parent.name}/{folder.name}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return len(files) - 2


def take(path: Path, root: Path = RESULTS, *, is_published: bool = True) -> tuple[Path, int]:
    """File the session of a pack among the published ones.

    A later pack of a session that is filed already adds the records that are new; a file that differs is refused.

    Args:
        is_published: refuse a session at the smoke size, whose times say nothing.

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
        if sessions[0].parent.name == LOCAL:
            raise RecordError(f"{path.name}: expected a machine's name, found {LOCAL!r}")
        for name in ("machine.json", "session.json"):
            if not (sessions[0] / name).is_file():
                raise RecordError(f"{path.name}: expected a {name}, found none")
        if problems := check(staged):
            raise RecordError("\n".join(problems))
        if not any(sessions[0].glob("*-*.json")):
            raise RecordError(f"{path.name}: expected records, found a session without any")
        session = records_files.read(sessions[0] / "session.json", Session)
        if is_published and session.profile == "smoke":
            raise RecordError(f"{path.name}: expected a quick or reference session, found a smoke one: a rehearsal")
        target = root / sessions[0].relative_to(staged)
        return target, add_files(sessions[0], target)


class _Limited:
    """What a small file unpacks to, up to a limit: headers, too, may be of any size."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self.file = file
        self.left = 2 * MOST_TOTAL_BYTES

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many."""
        data = self.file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.ReadError(f"more than {2 * MOST_TOTAL_BYTES} bytes")
        return data


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file in a pack.

    Raises:
        RecordError: see ``take``.
    """
    if path.exists() and not path.is_file():
        raise RecordError(f"{path.name}: expected a pack, found a folder, pipe or device")
    seen: set[str] = set()
    total = 0
    try:
        with gzip.open(path) as file:
            stream = _Limited(file)
            archive = tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|")  # noqa: SIM115  its file is closed
            for member in archive:
                if not member.isfile() or member.issparse() or not MEMBER.fullmatch(member.name):
                    found = f"{member.name[:80]!r}{'' if member.isfile() else ', no regular file'}"
                    raise RecordError(f"{path.name}: expected only MACHINE/DATE/NAME.json, found {found}")
                if member.name in seen:
                    raise RecordError(f"{path.name}: expected each file once, found {member.name} again")
                seen.add(member.name)
                total += member.size
                if len(seen) > MOST_FILES or member.size > MOST_BYTES or total > MOST_TOTAL_BYTES:
                    limits = f"{MOST_FILES} files of {MOST_BYTES} bytes, {MOST_TOTAL_BYTES} together"
                    raise RecordError(f"{path.name}: expected at most {limits}, found more in {member.name}")
                contents = archive.extractfile(member)
                assert contents is not None, "a regular file has contents"
                yield member.name, contents.read()
            while stream.read(2**16):  # the checksum is at the end
                pass
    except FileNotFoundError as error:
        raise RecordError(f"{path.name}: expected a pack, found no such file") from error
    except RecordError:
        raise
    except (OSError, tarfile.TarError, EOFError, zlib.error, ValueError, ArithmeticError) as error:
        found = records_files.one_line(str(error), 120)
        raise RecordError(f"{path.name}: expected a pack (a gzipped tar of records), found {found}") from error
