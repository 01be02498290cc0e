"""What a results folder has beyond an earlier one of the same records. Reads files.

Stored files are written once: what a change may do is add sessions and records, and say how sessions stand.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench.records import files, standing, store
from bench.records.standing import UNLISTED, Standing
from bench.records.store import Results, SessionResults

UNSHARED = (".lock", ".DS_Store")  # that systems and running measurements make
REMEDY = "leave it, withdraw it in status.toml"


class Changes(NamedTuple):
    """The same results before and after; ``problems`` are one line each, and without any both are loaded."""

    problems: tuple[str, ...]
    before: Results
    after: Results
    changed: tuple[SessionResults, ...]  # sessions of ``after`` with files that are new
    stand_anew: tuple[tuple[str, Standing, Standing], ...]  # session, before, after


def changes(before: Path, after: Path, *, most_machines: int | None = None) -> Changes:
    """The changes between two results folders; only the folders of changed sessions go through the gate.

    Args:
        most_machines: as for ``store.load``; the records of no further machine are read.

    Raises:
        RecordError: the earlier folder is broken.
    """
    if after.is_symlink() or after.parent.is_symlink():  # it would be the earlier folder again
        said = "expected a folder of records, found a link to one"
        return Changes((files.refusal(after.name, "$", said),), Results(()), Results(()), (), ())
    known = {path: names for path, names in _published(before).items() if "session.json" in names}
    found = _published(after)
    changed = {path for path, names in found.items() if path not in known or names - known[path]}
    changed |= {path for path in found if _is_linked(after / path)}
    problems = store.check(after, only=changed)
    for path in sorted(changed):
        if "session.json" not in found[path]:
            problems.append(files.refusal(path, "$", "expected a session.json, found none"))
    problems += _rewritten(before, after, known, found)
    problems += _hidden(before, after)
    earlier = store.load(before, most_machines=most_machines)
    if not problems:
        loaded = [store.load_session(after / path, after) for path in sorted(changed)]
        problems += [_unfit(session) for session in loaded if session.session.profile == "smoke" or not session.records]
    if problems:
        return Changes(tuple(problems), earlier, earlier, (), ())
    standings = standing.read(after)
    fresh = {session.path: session for session in loaded}
    kept = {session.path: session for session in earlier.sessions if not session.is_local}
    later = tuple(
        session._replace(standing=standings.get(path, UNLISTED)) for path, session in sorted((kept | fresh).items())
    )
    known_ones = sorted((*earlier.sessions, *earlier.further), key=lambda session: session.path)
    moved = [(s.path, s.standing, standings.get(s.path, UNLISTED)) for s in known_ones if not s.is_local]
    return Changes(
        (),
        Results(tuple(kept.values())),
        Results(later),
        tuple(session for session in later if session.path in fresh),
        tuple(one for one in moved if one[1] != one[2]),
    )


def _published(root: Path) -> dict[str, set[str]]:
    """Names of what lies in each published session's folder, by path below the results folder."""
    folders = [folder for folder in root.glob("*/*") if folder.is_dir() and folder.parent.name != files.LOCAL]
    return {
        folder.relative_to(root).as_posix(): {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        for folder in sorted(folders)
        if not folder.name.startswith(".") and not folder.parent.name.startswith(".")
    }


def _rewritten(before: Path, after: Path, known: dict[str, set[str]], found: dict[str, set[str]]) -> list[str]:
    problems = []
    for path, names in known.items():
        for name in sorted(names):
            if name not in found.get(path, ()):
                problems.append(files.refusal(f"{path}/{name}", "$", "expected the stored file, found none", REMEDY))
            elif not _is_same(before / path / name, after / path / name):
                said = "expected the file as it was stored, found another"
                problems.append(files.refusal(f"{path}/{name}", "$", said, REMEDY))
    return problems


def _hidden(before: Path, after: Path) -> list[str]:
    """What the gate does not look at and a change must not bring along: hidden names beside published sessions."""
    found = (path.relative_to(after) for pattern in (".*", "*/.*", "*/*/.*") for path in after.glob(pattern))
    return [
        files.refusal(path.as_posix(), "$", "expected no hidden file or folder, found one", "take it away")
        for path in sorted(found)
        if path.parts[0] != files.LOCAL and path.name not in UNSHARED and not (before / path).exists()
    ]


def _is_linked(folder: Path) -> bool:
    return folder.is_symlink() or folder.parent.is_symlink()


def _is_same(stored: Path, found: Path) -> bool:
    """Whether two files hold the same; what is no regular file of that size is not read."""
    is_regular = found.is_file() and not found.is_symlink()
    return is_regular and found.stat().st_size == stored.stat().st_size and found.read_bytes() == stored.read_bytes()


def _unfit(session: SessionResults) -> str:
    """Why a session that passes the gate is none to publish."""
    if session.records:
        said = "expected 'quick' or 'reference', found 'smoke', a rehearsal"
        return files.refusal(f"{session.path}/session.json", "$.profile", said)
    return files.refusal(session.path, "$", "expected records, found a session without any")
