"""What types cannot say of a record: values that no real run can have. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from bench.schema import METHOD_VERSIONS, SLUG, Record, Run


def semantic_problems(record: Record) -> Iterator[str]:  # noqa: C901  one line each, none nested
    """What types cannot say: values that no real run can have."""
    if not SLUG.fullmatch(record.cell.id):
        yield f"$.cell: expected a lower-case kebab id, found {record.cell.id!r}"
    if not SLUG.fullmatch(record.cell.workload):
        yield f"$.cell.workload: expected a lower-case kebab id, found {record.cell.workload!r}"
    newest = METHOD_VERSIONS[record.cell.mode]
    if not 1 <= record.method_version <= newest:
        yield f"$.method_version: expected 1 to {newest}, found {record.method_version}"
    if record.cell.workload != record.spec.id:
        yield f"$.spec.id: expected {record.cell.workload!r}, found {record.spec.id!r}"
    if record.status == "ok" and not any(run.status == "ok" for run in record.runs):
        yield "$.runs: expected at least one run with status 'ok', found none"
    if record.status != "ok" and not record.reason:
        yield f"$.reason: expected why the status is {record.status!r}, found an empty text"
    for number, run in enumerate(record.runs):
        at = f"$.runs[{number}]"
        if not is_time(run.started_at):
            yield f"{at}.started_at: expected a time as ISO 8601, found {run.started_at!r}"
        for kind, blocks in (("warmup", run.warmup), ("blocks", run.blocks)):
            for index, block in enumerate(blocks):
                if block.seconds <= 0 or block.n_steps <= 0:
                    yield (
                        f"{at}.{kind}[{index}]: expected steps and seconds above 0, "
                        f"found {block.n_steps} in {block.seconds}"
                    )
        for name, seconds in run.phases_s.items():
            if seconds < 0:
                yield f"{at}.phases_s.{name}: expected 0 or more, found {seconds}"
        for field in ("latencies_s", "between_epochs_s"):
            for index, seconds in enumerate(getattr(run, field)):
                if seconds <= 0:
                    yield f"{at}.{field}[{index}]: expected above 0, found {seconds}"
        if run.status == "ok":
            if run.observed is None:
                yield f"{at}.observed: expected the observed device, found null"
            elif run.observed.device != record.cell.device:
                yield f"{at}.observed.device: expected {record.cell.device!r}, found {run.observed.device!r}"
            if record.spec.kind == "study":
                yield from _study_problems(record, run, at)
            elif not run.blocks:
                yield f"{at}.blocks: expected steady blocks, found none"
        for field in MEASURED:
            if run.status == "ok" and getattr(run, field) is None and field not in run.unmeasured:
                yield f"{at}.unmeasured.{field}: expected the reason why {field} is null, found none"


def is_time(text: str) -> bool:
    """Whether a text is a time as ISO 8601 writes it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _study_problems(record: Record, run: Run, at: str) -> Iterator[str]:
    """A study's run has what its workload declares, and nothing else."""
    if not run.series and not run.readings:
        yield f"{at}.series: expected blocks of a series or a reading, found neither"
    series, readings = ({item.id for item in items} for items in (record.spec.series, record.spec.readings))
    for field, declared in (("series", series), ("first_s", series), ("readings", readings)):
        for name in sorted(set(getattr(run, field)) - declared):
            yield f"{at}.{field}.{name}: expected one of {', '.join(sorted(declared)) or 'none'}, found {name!r}"
    for name, blocks in run.series.items():
        for index, block in enumerate(blocks):
            if block.seconds <= 0 or block.n_steps <= 0:
                found = f"{block.n_steps} in {block.seconds}"
                yield f"{at}.series.{name}[{index}]: expected steps and seconds above 0, found {found}"


UNEXPLAINED = ("steady", "observed", "control_before", "control_after", "before", "after")  # may be null without words
MEASURED = tuple(
    field.name for field in msgspec.structs.fields(Run) if field.default is None and field.name not in UNEXPLAINED
)
