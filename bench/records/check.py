"""What types cannot say of a record: values that no real run can have. Pure."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from bench import ROOT
from bench.machine.software import VARIABLES
from bench.schema import METHOD_VERSIONS, Cell, Machine, ReadingUnit, Record, Run, Session, Variant, Workload

FOLDERS = ("models", "studies")  # of bench/workloads: one file per workload
# As a machine's name: pages and folders have some, Windows keeps the others for its devices.
RESERVED = ("index", "local", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
MOST_GPUS = 64  # of one machine
LEAST_BLOCKS = 3  # of a run, however long they take
CLOCK_STEP = timedelta(hours=1)  # by which a machine's clock may be set back within a session
AHEAD = timedelta(days=1)  # of this machine's clock
# The most that a reading can be, and the least of those that are never nothing, in the unit that its workload declares.
MOST: Mapping[ReadingUnit, float] = {
    "s": 1e7, "bytes": 2**47, "bytes_per_s": 1e14, "flop_per_s": 1e17, "per_s": 1e12, "ratio": 1e9, "frac": 1,
    "count": 1e12,
}  # fmt: skip
LEAST: Mapping[ReadingUnit, float] = {"s": 1e-9, "bytes": 0.1, "bytes_per_s": 0.1, "flop_per_s": 0.1, "per_s": 1e-6}
# Versions that there are, or will be for some years; "unknown" stands for a build that does not tell its own.
MINOR = r"\.\d{1,2}(?:\.\d\S*|\D\S*)?"
VERSIONS = {
    name: re.compile(f"(?:{major}){MINOR}|unknown")
    for name, major in {"keras": "3", "tensorflow": "[1-3]", "torch": "[1-3]", "jax": "[01]", "jaxlib": "[01]"}.items()
} | {"python": re.compile(r"3\.(?:1[1-9]|2\d)\.\d\S*"), "numpy": re.compile(f"[23]{MINOR}")}
MAY_BE_NOTHING = ("before", "room", "used", "held")  # readings in bytes of what a device holds


@cache
def workload_files() -> dict[str, str]:
    """Dotted name of the module of each workload that this checkout knows, by the id that its file name gives."""
    return {
        info.name.replace("_", "-"): f"bench.workloads.{folder}.{info.name}"
        for folder in FOLDERS
        for info in pkgutil.iter_modules([str(ROOT / "workloads" / folder)])
    }


@cache
def declared(workload: str) -> Workload:
    """What this checkout declares of a workload that it knows."""
    found: Workload = importlib.import_module(workload_files()[workload]).SPEC
    return found


def semantic_problems(record: Record) -> Iterator[str]:
    """What types cannot say of one record, as "JSON path: expected ..., found ..."."""
    newest = METHOD_VERSIONS[record.cell.mode]
    if record.method_version > newest:
        yield f"$.method_version: expected 1 to {newest}, found {record.method_version}"
    yield from _spec_problems(record)
    if record.status == "ok" and not any(run.status == "ok" for run in record.runs):
        yield "$.runs: expected at least one run with status 'ok', found none"
    if record.status != "ok" and not record.reason:
        yield f"$.reason: expected why the status is {record.status!r}, found an empty text"
    if len({run.index for run in record.runs}) < len(record.runs):
        yield "$.runs: expected every index once, found one twice"
    series, readings = ({item.id for item in items} for items in (record.spec.series, record.spec.readings))
    variant = next(
        (one for one in record.spec.variants.get(record.profile, ()) if size(one) == size(record.cell)), None
    )
    for number, run in enumerate(record.runs):
        at = f"$.runs[{number}]"
        if variant is not None and run.status == "ok":
            yield from _asked_problems(record, variant, run, at)
        if run.series or run.first_s or run.readings:
            yield from _declared_problems(record, run, at, series, readings)
        if run.status == "ok":
            yield from _measured_problems(record, run, at)


def _spec_problems(record: Record) -> Iterator[str]:
    """The record's copy of its workload fits the cell."""
    cell, spec = record.cell, record.spec
    if cell.workload not in workload_files():
        yield f"$.cell.workload: expected a workload of this checkout (git pull), found {cell.workload!r}"
    if cell.workload != spec.id:
        yield f"$.spec.id: expected {cell.workload!r}, found {spec.id!r}"
    if spec.kind != ("model" if cell.mode in ("train", "infer") else cell.mode):
        yield f"$.spec.kind: expected that of the mode {cell.mode!r}, found {spec.kind!r}"
    if cell.workload in workload_files():
        yield from _word_problems(spec, declared(cell.workload))
    gpus = cell.params.get("gpus", 1)
    if type(gpus) is not int or not 1 <= gpus <= MOST_GPUS:
        yield f"$.cell.params.gpus: expected a whole number from 1 to {MOST_GPUS}, found {gpus!r}"
    if cell.n_samples % cell.batch_size:
        yield f"$.cell.n_samples: expected whole batches of {cell.batch_size}, found {cell.n_samples}"
    sizes = [size(variant) for variant in spec.variants.get(record.profile, ())]
    if size(cell) not in sizes:
        yield f"$.spec.variants.{record.profile}: expected the cell's {size(cell)}, found {(*sizes, 'none')[0]}"


def _word_problems(spec: Workload, known: Workload) -> Iterator[str]:
    """Pages show a record's words as ours, so they are those of this checkout.

    Whoever rewords a workload adds a step to ``codec.UPGRADES`` that brings the stored ones along.
    """
    for name in ("title", "summary", "sample_noun", "data_source", "pretrained", "target"):
        expected, found = getattr(known, name), getattr(spec, name)
        if found != expected:
            shown = [str(msgspec.to_builtins(value))[:80] for value in (expected, found)]
            yield f"$.spec.{name}: expected {shown[0]!r}, found {shown[1]!r}"
    for name in ("series", "readings"):
        for number, item in enumerate(getattr(spec, name)):
            if item not in getattr(known, name):
                yield f"$.spec.{name}[{number}]: expected one that the workload declares, found {item.label[:60]!r}"


def size(sized: Cell | Variant) -> tuple[object, ...]:
    """What a cell takes from its variant: equal sizes of a workload are the same work."""
    return sized.mode, sized.batch_size, sized.n_samples, sized.params


def _declared_problems(record: Record, run: Run, at: str, series: set[str], readings: set[str]) -> Iterator[str]:
    """A run has the series and readings that its workload declares, and no others."""
    for field, declared in (("series", series), ("first_s", series), ("readings", readings)):
        for name in sorted(set(getattr(run, field)) - declared):
            yield f"{at}.{field}.{name}: expected one of {', '.join(sorted(declared)) or 'none'}, found {name!r}"
    for reading in record.spec.readings:
        most = run.total_s if reading.unit == "s" else MOST[reading.unit]
        least = 0.0 if reading.id in MAY_BE_NOTHING else LEAST.get(reading.unit, 0.0)
        if not least <= run.readings.get(reading.id, least) <= most:
            yield f"{at}.readings.{reading.id}: expected {least:g} to {most:g}, found {run.readings[reading.id]}"


def _asked_problems(record: Record, variant: Variant, run: Run, at: str) -> Iterator[str]:
    """A run has as many blocks and epochs as its variant asks for; its blocks grow while it warms up, and then stay."""
    n_blocks = len(run.blocks) + run.n_blocks_dropped
    if record.spec.kind != "study" and n_blocks > (most := max(LEAST_BLOCKS, variant.n_blocks)):
        yield f"{at}.blocks: expected at most the variant's {most}, found {n_blocks}"
    sizes = [block.n_steps for block in (*run.warmup, *run.blocks)]
    if sizes != sorted(sizes) or len({block.n_steps for block in run.blocks}) > 1:
        yield f"{at}.blocks: expected blocks of equal steps after those that grew, found {str(sizes)[:60]}"
    n_epochs = len(run.job.epochs) if run.job else None
    if n_epochs is not None and record.spec.target is None and n_epochs != variant.n_job_epochs:
        yield f"{at}.job.epochs: expected the variant's {variant.n_job_epochs}, found {n_epochs}"


def _measured_problems(record: Record, run: Run, at: str) -> Iterator[str]:
    """A finished run has what its kind measures, or why it has not."""
    if run.observed is None:
        yield f"{at}.observed: expected the observed device, found null"
    elif run.observed.device != record.cell.device:
        yield f"{at}.observed.device: expected {record.cell.device!r}, found {run.observed.device!r}"
    if record.spec.kind != "study" and not (run.blocks and "steady" in run.phases_s):
        yield f"{at}.blocks: expected steady blocks and their phase, found none"
    elif record.spec.kind == "study" and not run.series and not run.readings:
        yield f"{at}.series: expected blocks of a series or a reading, found neither"
    if run.n_samples_per_step == 0:
        yield f"{at}.n_samples_per_step: expected above 0, found 0"
    for field in MEASURED:
        if getattr(run, field) is None and field not in run.unmeasured:
            yield f"{at}.unmeasured.{field}: expected the reason why {field} is null, found none"


def machine_problems(machine: Machine) -> Iterator[str]:
    """The machine has a name of its own and no more cores than threads."""
    if machine.id in RESERVED:
        yield f"$.id: expected a name that no folder or page has, found {machine.id!r}"
    if machine.n_physical_cores is not None and machine.n_physical_cores > machine.n_logical_cores:
        text = f"expected at most the {machine.n_logical_cores} logical ones"
        yield f"$.n_physical_cores: {text}, found {machine.n_physical_cores}"


def session_problems(session: Session) -> Iterator[str]:
    """The session's date is a day, and neither another than that of its start nor one to come; nothing else is set."""
    for name in sorted(set(session.environment) - set(VARIABLES)):
        yield f"$.environment: expected only variables that change results, found {name!r}"
    for name, form in VERSIONS.items():
        if (version := session.versions.get(name)) is not None and not form.fullmatch(version):
            yield f"$.versions.{name}: expected one that there is, found {version[:40]!r}"
    for number, planned in enumerate(session.plan):
        if planned.n_repeats > (0 if planned.skip else session.n_repeats):
            text = f"expected at most the session's {session.n_repeats}, and 0 of what is skipped"
            yield f"$.plan[{number}].n_repeats: {text}, found {planned.n_repeats}"
        if not planned.cell_id.startswith(tuple(f"{name}-" for name in workload_files())):
            yield f"$.plan[{number}].cell_id: expected a cell of a workload, found {planned.cell_id[:60]!r}"
    if session.n_cores_effective > session.n_cores_visible:
        text = f"expected at most the {session.n_cores_visible} that are visible"
        yield f"$.n_cores_effective: {text}, found {session.n_cores_effective}"
    started = instant(session.started_at)
    if started is None or started > datetime.now(UTC) + AHEAD:
        yield f"$.started_at: expected an instant in the past, found {session.started_at}"
    if session.id[:10] != session.started_at[:10]:
        yield f"$.started_at: expected one of {session.id[:10]}, found {session.started_at}"


def sitting_problems(record: Record, session: Session, machine: Machine) -> Iterator[str]:
    """A record belongs to its session and its machine."""
    if record.profile != session.profile:
        yield f"$.profile: expected the session's {session.profile!r}, found {record.profile!r}"
    if record.status == "ok" and record.cell.device == "gpu" and not machine.gpus:
        yield "$.cell.device: expected a device of the machine, which has no GPU; found 'gpu'"
    begun = instant(session.started_at)
    for number, run in enumerate(record.runs):
        started = instant(run.started_at)
        latest = datetime.now(UTC) + AHEAD - timedelta(seconds=run.total_s)
        if started is None or begun is None or not begun - CLOCK_STEP <= started <= latest:
            text = f"expected an instant after the session's {session.started_at} and an end in the past"
            yield f"$.runs[{number}].started_at: {text}, found {run.started_at}"


def instant(text: str) -> datetime | None:
    """When a text says it was; None for a day that its month does not have."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


UNEXPLAINED = ("steady", "observed", "control_before", "control_after", "before", "after")  # may be null without words
MEASURED = tuple(
    field.name for field in msgspec.structs.fields(Run) if field.default is None and field.name not in UNEXPLAINED
)
