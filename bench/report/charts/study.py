"""Chart and table: the readings of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bench.report.charts import chart, marks
from bench.report.charts.chart import Picture, Scope
from bench.report.charts.paint import axes, forest
from bench.report.charts.paint.axes import NOT_MEASURED
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import studies
from bench.report.tables import cells as tables_cells
from bench.report.tables import select, table
from bench.report.tables.cells import NOTHING
from bench.report.tables.table import MACHINE, PLACE, Cellv, Draft, TableScope
from bench.schema import BACKENDS, Backend, Record


@table.table("study")
def study_table(scope: TableScope) -> Draft:
    """What a study timed and read: a row for each series and reading, time and ratio to the first series by backend."""
    evidence = scope.evidence
    chosen = [w for w in scope.workloads if evidence.workloads[w].kind == "study"]
    backends = [b for b in BACKENDS if any(evidence.view(s).records(Pick(w, backend=b))
                for s in scope.sessions for w in chosen)]  # fmt: skip
    has_series = any(evidence.workloads[w].series for w in chosen)
    rows = []
    for session in scope.sessions:
        for workload in chosen:
            records = evidence.view(session).records(Pick(workload))
            for group in select.groups(records, select.study_size):
                by_backend = {record.cell.backend: record for record in group}
                size = _study_words(evidence, group[0], records)
                ranks = _study_places(scope, by_backend)
                for label, cells in _study_rows(scope, workload, by_backend, backends, has_series):
                    start = (
                        scope.machine(session),
                        tables_cells.text(evidence.title(workload)),
                        tables_cells.text(size),
                        tables_cells.text(label),
                    )
                    rows.append((*start, *cells, ranks.pop(label, NOTHING)))  # a reading may have a series' label
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
    varying = ("study", "size", PLACE)
    keep = [i for i, name in enumerate(columns) if name not in varying or len({r[i].text for r in rows}) > 1]
    return Draft(
        caption=caption, columns=tuple(columns[i] for i in keep), rows=[tuple(row[i] for i in keep) for row in rows]
    )


def _study_places(scope: TableScope, by_backend: dict[Backend, Record]) -> dict[str, Cellv]:
    """Place of each series among its alternatives, by backend in words; by the series' label."""
    said: dict[str, list[tuple[str, Record]]] = {}
    for backend in BACKENDS:
        record = by_backend.get(backend)
        if record is None:
            continue
        labels = {item.id: item.label for item in record.spec.series}
        for name, place in studies.places(record).items():
            said.setdefault(labels[name], []).append((f"{place}. in {fmt.backend(backend)}", record))
    return {
        label: Cellv(text=", ".join(text for text, _ in parts), cells=scope.evidence.refs(*(r for _, r in parts)))
        for label, parts in said.items()
    }


def _study_words(evidence: Evidence, record: Record, among: Sequence[Record]) -> str:
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
    own = fmt.params(evidence.distinct_params(record))
    return ", ".join([*words, own] if own else words)


def _study_rows(
    scope: TableScope, workload: str, by_backend: dict[Backend, Record], backends: Sequence[Backend], has_series: bool
) -> Iterator[tuple[str, list[Cellv]]]:
    """Label and cells of each series and reading that a backend has; else why there is none."""
    spec = scope.evidence.workloads[workload]
    failed = {b: r for b, r in by_backend.items() if r.status != "ok"}
    baseline = spec.series[0].id if spec.series else ""
    found = False
    for item in spec.series:
        if not any(item in studies.series_of(r) for r in by_backend.values()):
            continue
        cells: list[Cellv] = []
        for backend in backends:
            record = by_backend.get(backend)
            time = None if record is None else studies.call_time(record, item.id)
            if record is None or record.status != "ok" or time is None:
                cells += [tables_cells.failed(scope, failed.get(backend)) if backend in failed else NOTHING, NOTHING]
                continue
            ratio = None if item.id == baseline else studies.call_ratio(record, item.id, baseline)
            cells += [
                tables_cells.estimate(scope, time, record),
                NOTHING if ratio is None else tables_cells.estimate(scope, ratio, record),
            ]
        found = True
        yield item.label, cells
    for item in spec.readings:
        values = {b: studies.reading(r, item.id) for b, r in by_backend.items() if r.status == "ok"}
        if not any(values.values()):
            continue
        cells = []
        for backend in backends:
            value = values.get(backend)
            cells.append(NOTHING if value is None else tables_cells.estimate(scope, value, by_backend[backend]))
            cells += [NOTHING] if has_series else []
        found = True
        yield item.label, cells
    if not found:
        cells = []
        for backend in backends:
            cells += [tables_cells.failed(scope, failed.get(backend)) if backend in failed else NOTHING]
            cells += [NOTHING] if has_series else []
        yield spec.title, cells


@chart.chart("study")
def study(scope: Scope) -> Picture:
    """Seconds per call of each series of a study, by backend and device, with intervals."""
    known = scope.evidence.workloads
    spec = known[scope.workload or next(id_ for id_, spec in known.items() if spec.kind == "study" and spec.series)]
    found = []
    for item in spec.series:
        for device, backend in marks.arms(scope):
            record = scope.evidence.view(scope.session).usual(Pick(spec.id, device=device, backend=backend))
            time = None if record is None else studies.call_time(record, item.id)
            if time is not None:
                found.append(marks.estimated(item.label, axes.series(device, backend), time))
        if not any(mark["row"] == item.label for mark in found):
            found.append(marks.absent(item.label, axes.series(*marks.arms(scope)[0]), NOT_MEASURED))
    return Picture(
        title=f"Time per call: {spec.title}",
        description=marks.in_words(f"Seconds per call, {spec.title}{scope.place()}", found, fmt.seconds),
        rows=found,
        paint=lambda narrow: forest.forest(found, "seconds per call (log scale, lower is better)", narrow=narrow),
    )
