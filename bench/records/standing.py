"""How a published session stands: whether it decides answers, is only shown, or counts no more. Reads one file.

The file lies beside the machines' folders, since a stored session is never opened for writing again.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from bench.records import files, texts
from bench.schema import Struct

if TYPE_CHECKING:
    from bench.records.store import SessionResults

FILE = "status.toml"
Kind = Literal["reference", "community", "unverified", "superseded", "withdrawn"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEANING: dict[Kind, str] = {
    "reference": "measured for this site",
    "community": "sent in and accepted",
    "unverified": "nobody has confirmed it: it is shown, and decides no answer",
    "superseded": "a newer session stands in its place: it is shown, and decides no answer",
    "withdrawn": "it counts nowhere: in no fact, no verdict and no chart",
}


class Standing(Struct, kw_only=True):
    """How one session stands; as an unlisted one does unless told otherwise."""

    kind: Kind = "community"
    reason: str = ""  # a sentence without a full stop; only a session that counts may do without
    date: Date | None = None  # on which a maintainer said so; needed with a reason

    @property
    def counts(self) -> bool:
        """Whether the session decides facts, verdicts and charts."""
        return self.kind in ("reference", "community")

    @property
    def words(self) -> str:
        """Kind, its meaning, and since when and why where that was told."""
        since = f" since {self.date}" if self.date else ""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.kind}{since}{why}: {MEANING[self.kind]}"


UNLISTED = Standing()


def read(root: Path) -> dict[str, Standing]:
    """Standing by session, "MACHINE/DATE"; empty where the results folder has no such file.

    Raises:
        RecordError: the file is not strictly what it must be, or names a session that is not published.
    """
    path = root / FILE
    if not os.path.lexists(path):
        return {}
    raw: object = None
    try:
        raw = tomllib.loads(files.regular_text(path))
        found = msgspec.convert(raw, dict[str, Standing])
        for name, standing in found.items():
            for said in _problems(root, name, standing):
                raise files.Refused(f"$.{name}", said)
    except files.Refused as error:
        at, said = error.args
    except msgspec.ValidationError as error:
        at, said = files.validation_problem(error, raw)
    except (ValueError, RecursionError) as error:  # tomllib reads numbers of any length, and Python does not
        at, said = "$", f"expected TOML, found {error}"
    else:
        return found
    raise files.RecordError(files.refusal(FILE, at, said, "correct the entry"))


def _problems(root: Path, name: str, standing: Standing) -> list[str]:
    """What types cannot say of an entry."""
    machine, _, session = name.partition("/")
    is_there = machine and session and ".." not in name and machine != files.LOCAL
    if not is_there or not (root / machine / session / "session.json").is_file():
        return ["expected a published session, MACHINE/DATE, found none of that name"]
    if said := texts.problem(standing.reason):
        return [f"reason: {said}"]
    if not standing.counts and not standing.reason:
        return [f"expected the reason why it is {standing.kind}, found none"]
    if standing.reason and standing.date is None:
        return ["expected the date beside its reason, found none"]
    if standing.date is not None and standing.date > datetime.now(UTC).date():
        return [f"expected a date in the past, found {standing.date}"]
    return []


def beyond(sessions: Sequence[SessionResults], most: int) -> tuple[SessionResults, ...]:
    """Sessions of machines beyond so many: local ones come first, those of reference, those with a GPU, the newest."""
    best: dict[tuple[bool, str], tuple[bool | str, ...]] = {}
    for one in sessions:
        machine, kind = (one.is_local, one.machine.id), one.standing
        place = (one.is_local, kind.kind == "reference", kind.counts, bool(one.machine.gpus), one.session.started_at)
        best[machine] = max(place, best.get(machine, place))
    kept = sorted(best, key=lambda machine: best[machine], reverse=True)[:most]
    return tuple(one for one in sessions if (one.is_local, one.machine.id) not in kept)
