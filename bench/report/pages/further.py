"""Sessions of machines without pages: a pack of each to take away, and its rows of the tables.

What follows from one session is kept on disk by the content of its files and by the code that it is made with, so that
a build reads only sessions that are new to it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.records import files as records_files
from bench.records import pack, store
from bench.records.standing import Standing
from bench.records.store import Results, SessionResults
from bench.report.evidence import frame
from bench.report.evidence.evidence import Evidence
from bench.report.pages import addresses, cache
from bench.report.prose.source import PageError
from bench.report.stats import quantities
from bench.workloads import registry

if TYPE_CHECKING:
    import polars as pl

KEPT, PACKS = "sessions", "packs"  # sub-folders of what is kept
# All that decides the rows: rooms import only downward, so that nothing else of the code does.
DERIVING = ("schema.py", "units.py", "machine", "records", "workloads", "report/stats", "report/published",
            "report/estimates", "report/evidence")  # fmt: skip


class Derived(NamedTuple):
    """What is made of one session; tables as Arrow's IPC files."""

    records: bytes
    studies: bytes
    n_records: int
    pack: bytes | Path  # a file where it is kept


def derived(sessions: Sequence[SessionResults], results: Path, keep: Path | None) -> list[Derived]:
    """What is made of each of these sessions of a results folder, by all processors.

    Raises:
        PageError: a stored record is broken.
    """
    code = cache.code_of(cache.CODE, DERIVING)
    begun = [
        cache.CACHE.begin(_derived, results, session.path, session.standing, session.is_local, keep, code)
        for session in sessions
    ]
    # From the end, where no other process has begun yet: this one works too.
    found = [wait() for wait in reversed(begun)][::-1]
    if keep:
        current = {one.pack for one in found}
        for path in (keep / PACKS).glob("*.tgz"):
            if path not in current:
                path.unlink(missing_ok=True)
    return found


def _derived(results: Path, path: str, standing: Standing, is_local: bool, keep: Path | None, code: str) -> Derived:
    folder = results / path
    digest = _digest(folder, path)
    make = functools.partial(_tables, results, folder, standing)
    kept = cache.on_disk(keep / KEPT, _kept, ignore=["make"]) if keep else _kept
    records, studied, n_records = kept(digest, standing.kind, is_local, code, make)
    return Derived(records, studied, n_records, _pack(folder, digest, keep))


def _digest(folder: Path, name: str) -> str:
    """Tells a session's files from any other."""
    seen = hashlib.sha256(name.encode())
    for path in sorted(folder.iterdir()):
        try:
            text = "" if path.name.startswith(".") else records_files.regular_text(path)
        except records_files.Refused:
            text = ""  # what is wrong, the gate tells
        seen.update(f"{path.name} {len(text)}\n{text}".encode())
    return seen.hexdigest()[:32]


def _kept(
    digest: str, standing: str, is_local: bool, code: str, make: Callable[[], tuple[bytes, bytes, int]]
) -> tuple[bytes, bytes, int]:
    """Tables of a session by all that decides them."""
    return make()


def _tables(results: Path, folder: Path, standing: Standing) -> tuple[bytes, bytes, int]:
    try:
        session = store.load_session(folder, results)
    except records_files.RecordError as error:
        raise PageError(str(error)) from error
    evidence = Evidence(Results((session._replace(standing=standing),)), registry.workloads())
    records, studied = frame.records(evidence).with_columns(is_lead=False), frame.studied(evidence)
    quantities.forget()  # of thousands of sessions
    return _as_bytes(records), _as_bytes(studied), len(session.records)


def _as_bytes(table: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    table.write_ipc(out, compression="zstd")
    return out.getvalue()


def _pack(folder: Path, digest: str, keep: Path | None) -> bytes | Path:
    if keep is None:
        with tempfile.TemporaryDirectory() as scratch:
            pack.pack(folder, made := Path(scratch, "pack.tgz"))
            return made.read_bytes()
    target = keep / PACKS / f"{digest}.tgz"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        pack.pack(folder, target)
    return target


def tables(found: Iterable[bytes], columns: list[str] | None = None) -> list[pl.DataFrame]:
    """Tables as they were made; of each only the columns that are named."""
    import polars as pl

    return [pl.read_ipc(io.BytesIO(one), columns=columns) for one in found]


class Speeds(NamedTuple):
    """Headline training on machines without pages, each at its fastest; in samples a second."""

    workload: str
    device: str
    n_machines: int
    slowest: float
    fastest: float


def speeds(found: Sequence[Derived]) -> list[Speeds]:
    """The slowest and the fastest machine by workload and device."""
    import polars as pl

    if not found:
        return []
    columns = ["machine", "workload", "device", "mode", "headline", "samples_per_s"]
    known = pl.concat(tables((one.records for one in found), columns))
    known = known.filter("headline", pl.col("mode") == "train", pl.col("samples_per_s").is_not_null())
    best = known.group_by("workload", "device", "machine").agg(pl.max("samples_per_s"))
    ends = [pl.len(), pl.min("samples_per_s").alias("slowest"), pl.max("samples_per_s").alias("fastest")]
    return [Speeds(*row) for row in best.group_by("workload", "device").agg(ends).sort("workload", "device").rows()]


def pack_path(session: SessionResults) -> str:
    """Download of a session without pages, named as ``export`` names it."""
    return f"data/packs/results-{addresses.machine_slug(session)}-{session.session.id}.tgz"
