"""Chart and table: the readings of a study."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import msgspec

from bench import grouped
from bench.records.store import SessionResults
from bench.report.charts import chart, marks
from bench.report.charts.paint import axes, forest
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import studies
from bench.report.stats.estimate import Estimate
from bench.report.tables import cells as tables_cells
from bench.report.tables import select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, PLACE, Cellv, Draft, TableScope
from bench.schema import BACKENDS, Backend, Reading, Record, Series


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A series or a reading of a study at one size, with the record of each backend.

    Where no backend has any there is no item; the records say why.
    """

    session: SessionResults
    workload: str
    size: str  # what tells it from the study's others, in words
    item: Series | Reading | None
    by_backend: dict[Backend, Record]

    def value(self, backend: Backend) -> Estimate | None:
        """Seconds per call of the series, or the reading; None where it was not measured."""
        record = self.by_backend.get(backend)
        if record is None or record.status != "ok" or self.item is None:
            return None
        read = studies.call_time if isinstance(self.item, Series) else studies.reading
        return read(record, self.item.id)


def _rows(scope: TableScope) -> Iterator[Row]:
    evidence = scope.evidence
    for session in scope.sessions:
        for workload in (w for w in scope.workloads if evidence.workloads[w].kind == "study"):
            spec, records = evidence.workloads[workload], evidence.view(session).records(Pick(workload))
            for group in select.groups(records, select.study_size):
                of = {b: [r for r in group if r.cell.backend == b] for b in BACKENDS}
                size = _words(evidence, group[0], records)
                by_backend = {b: _speaker(evidence, same) for b, same in of.items() if same}
                row = Row(session=session, workload=workload, size=size, item=None, by_backend=by_backend)
                every = [msgspec.structs.replace(row, item=item) for item in (*spec.series, *spec.readings)]
                yield from [one for one in every if any(map(one.value, by_backend))] or [row]


def _speaker(evidence: Evidence, records: Sequence[Record]) -> Record:
    """The first that was measured undisturbed, else disturbed, else the first."""
    return next((record for record in evidence.undisturbed(records) if record.status == "ok"), records[0])


@table.table("study")
def study_table(scope: TableScope) -> Draft:
    """What a study timed and read: a row for each series and reading, time and ratio to the first series by backend."""
    evidence = scope.evidence
    found = list(_rows(scope))
    backends = [backend for backend in BACKENDS if any(backend in row.by_backend for row in found)]
    chosen = [w for w in scope.workloads if evidence.workloads[w].kind == "study"]
    has_series = any(evidence.workloads[w].series for w in chosen)
    rows = []
    for row in found:
        title = evidence.title(row.workload)
        label = title if row.item is None else row.item.label
        start = (scope.machine(row.session), *map(tables_cells.text, (title, row.size, label)))
        values = (cell for b in backends for cell in _cells(scope, row, b)[: 2 if has_series else 1])
        rows.append((*start, *values, _place(scope, row)))
    columns: list[str] = [MACHINE, "study", "size", "what"]
    for backend in backends:
        name = fmt.backend(backend)
        columns += [name, f"{name}, ratio"] if has_series else [name]
    columns.append(PLACE)
    first = evidence.workloads[chosen[0]].series[0].label if len(chosen) == 1 and has_series else "the first series"
    caption = f"Time per call (lower is better), and how many times that of {first} it is, round by round."
    caption = caption if has_series else "Values read once per run."
    if any(row[-1].text for row in rows):
        caption += " Of ways to do the same work, those whose ratios overlap share a place."
    return Draft(caption=caption, columns=tuple(columns), rows=rows, varying=("study", "size", PLACE))


def _place(scope: TableScope, row: Row) -> Cellv:
    """Place of a series among its alternatives, by backend in words."""
    if not isinstance(row.item, Series):
        return NOTHING
    said = {}
    for backend in BACKENDS:
        record = row.by_backend.get(backend)
        place = None if record is None else studies.places(record).get(row.item.id)
        if record is not None and place is not None:
            said[f"{place}. in {fmt.backend(backend)}"] = record
    return Cellv(text=", ".join(said), cells=scope.evidence.refs(*said.values()))


def _words(evidence: Evidence, record: Record, among: Sequence[Record]) -> str:
    """What tells a study's cell from the others of its session, in words."""
    cell, words = record.cell, []
    for name, value in (
        ("device", fmt.device(cell.device)),
        ("batch_size", f"batch {fmt.count(cell.batch_size)}"),
        ("threads", fmt.cores(cell.threads)),
        ("precision", evidence.precision_text(record)),
    ):
        if len({getattr(other.cell, name) for other in among}) > 1:
            words.append(value)
    rest = {"backend": cell.backend, "jit": cell.jit, "n_samples": cell.n_samples}
    alike = (other.cell for other in among if msgspec.structs.replace(other.cell, **rest).id == cell.id)
    if len({other.n_samples for other in alike}) > 1:  # they differ in nothing else
        words.append(f"{fmt.count(cell.n_samples)} {evidence.noun(cell.workload)}")
    own = evidence.size(record)
    return ", ".join([*words, own] if own else words)


def _cells(scope: TableScope, row: Row, backend: Backend) -> tuple[Cellv, Cellv]:
    """A backend's value in a row, or why there is none, and its ratio to the first series."""
    record = row.by_backend.get(backend)
    if record is None:
        return NOTHING, NOTHING
    value = row.value(backend)
    if value is None:
        is_told = record.status != "ok" and not isinstance(row.item, Reading)
        return tables_cells.failed(scope, record) if is_told else NOTHING, NOTHING
    ratio, baseline = None, next(iter(record.spec.series), None)
    if isinstance(row.item, Series) and baseline is not None and baseline.id != row.item.id:
        ratio = studies.call_ratio(record, row.item.id, baseline.id)
    return (
        tables_cells.estimate(scope, value, record),
        NOTHING if ratio is None else tables_cells.estimate(scope, ratio, record),
    )


@chart.chart("study", about_gpu=True)
def study(scope: chart.Scope) -> chart.Picture:
    """Seconds per call of each series of a study, by backend and device, with intervals."""
    known = scope.evidence.workloads
    spec = known[scope.workload or next(id_ for id_, spec in known.items() if spec.kind == "study" and spec.series)]
    arms = {arm: scope.evidence.view(scope.session).usual(Pick(spec.id, None, *arm)) for arm in marks.arms(scope)}
    rows = list(_rows(dataclasses.replace(scope, workload=spec.id).of_table))
    found: list[marks.Mark] = []
    for item in spec.series:
        for (device, backend), record in arms.items():
            row = next((r for r in rows if r.item is item and r.by_backend.get(backend) is record), None)
            time = None if row is None else row.value(backend)
            if record is not None and time is not None:
                found.append(marks.estimated(scope, item.label, axes.series(device, backend), time, record))
    found = marks.drawn(found or [marks.absent(spec.title, axes.EVERY, fmt.NOT_MEASURED)], rising=True)
    finding, which = _finding(found)
    return chart.Picture(
        title=f"{spec.title}: {finding or 'time of a call'}",
        note=f"Time of a call. {which}".strip(),
        description=marks.in_words(f"Seconds per call, {spec.title}{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: forest.forest(
            found,
            "time per call (log scale, lower is better)",
            narrow=narrow,
            row_px=9,
            gap=0.8,
            name_chars=22 if narrow else 32,
            is_time=True,
        ),
    )


def _finding(found: list[marks.Mark]) -> tuple[str, str]:
    """The times of one backend on one device that are furthest apart, and which they are; empty without two."""
    by_series = grouped((mark for mark in found if mark["value"] is not None), lambda mark: mark["series"])
    ends = [
        (min(same, key=lambda mark: mark["value"]), max(same, key=lambda mark: mark["value"]))
        for same in by_series.values()
        if len(same) > 1
    ]
    if not ends:
        return "", ""
    fast, slow = max(ends, key=lambda pair: pair[1]["value"] / pair[0]["value"])
    which = f"The furthest apart, {slow['series']}: {slow['row']}; {fast['row']}."
    if slow["low"] <= fast["high"]:
        return "all times are about the same", which
    return f"a call takes from {marks.spoken(fast['value'])} to {marks.spoken(slow['value'])}", which
