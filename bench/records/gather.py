"""Sessions of equal machines that share a plan become one, whole or not at all. Reads and writes files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.records import files, store
from bench.records.files import RecordError
from bench.schema import Machine, Session


def machine_changes(before: Machine, now: Machine) -> list[str]:
    """Fields in which two descriptions tell of two machines.

    The memory that a virtual machine shows may grow while it is used, and differs a little between equal nodes.
    """
    before, now = (msgspec.structs.replace(machine, unmeasured={}, memory_bytes=0) for machine in (before, now))
    return [name for name in now.__struct_fields__ if getattr(before, name) != getattr(now, name)]


def gather(parts: Sequence[Path], root: Path, *, local: bool, scratch: Path) -> Path:
    """File the records of several sessions as one, which begins with the first of them; its folder below ``root``.

    Args:
        parts: folders of sessions of one plan, each with the records of some of its cells.
        scratch: a folder on the same disk, which is emptied.

    Raises:
        RecordError: they are not of one kind of machine and one environment, a planned cell has no record, or
            ``store.check`` refuses what came together; nothing is filed.
    """
    sittings = [
        (files.read(part / "session.json", Session), files.read(part / "machine.json", Machine), part.name)
        for part in parts
    ]
    session, machine, first = min(sittings, key=lambda sitting: sitting[0].started_at)
    for other, other_machine, name in sittings:
        alike = msgspec.structs.replace(other, id=session.id, started_at=session.started_at)
        changed = machine_changes(machine, other_machine)
        changed += [field for field in session.__struct_fields__ if getattr(session, field) != getattr(alike, field)]
        if changed:
            raise RecordError(
                f"{name} and {first} are of two kinds of machine or environment: other {', '.join(changed)}"
            )
    shutil.rmtree(scratch, ignore_errors=True)
    id_ = store.new_session_id(root, machine.id, session.started_at[:10], local=local)
    staged = store.session_folder(scratch, machine.id, id_, local=False)
    store.begin(staged, machine, msgspec.structs.replace(session, id=id_))
    for path in (path for part in parts for path in part.glob("*-*.json")):
        shutil.copyfile(path, staged / path.name)
    lacking = sorted({cell.cell_id for cell in session.plan} - {path.stem for path in staged.iterdir()})
    if lacking:
        raise RecordError(f"{len(lacking)} of {len(session.plan)} planned cells have no record, first {lacking[0]}")
    if problems := store.check(scratch):
        raise RecordError("\n".join(problems))
    target = store.session_folder(root, machine.id, id_, local=local)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(staged, target)
    shutil.rmtree(scratch)
    return target
