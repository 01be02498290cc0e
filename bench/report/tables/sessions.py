"""Tables of sessions, machines and failures."""

from __future__ import annotations

from bench.records.store import SessionResults
from bench.report.stats import format as fmt
from bench.report.tables import cells as tables_cells
from bench.report.tables import select, table
from bench.report.tables.cells import MISSING
from bench.report.tables.table import MACHINE, Cellv, Draft, TableScope


@table.table("sessions")
def sessions(scope: TableScope) -> Draft:
    """Every session: when, where, how much, with which versions."""
    rows = []
    for session in select.every_session(scope):
        described, records = session.session, tuple(session.records.values())
        measured = [record for record in records if record.status == "ok"]
        others = [record for record in records if record.status != "ok"]
        rows.append((
            scope.machine(session),
            tables_cells.text(described.id),
            tables_cells.text(described.profile),
            tables_cells.number(scope, len(measured), measured),
            tables_cells.number(scope, len(others), others),
            tables_cells.number(scope, sum(len(record.runs) for record in records), records),
            tables_cells.text(", ".join(f"{name} {version}" for name, version in sorted(described.versions.items()))),
            tables_cells.text(commit(session)),
            tables_cells.text("not published" if session.is_local else session.standing.kind),
        ))  # fmt: skip
    return Draft(
        caption="Sessions: all cells measured on one machine in one environment on one day.",
        columns=(MACHINE, "session", "profile", "cells", "not measured", "runs", "versions", "commit", "state"),
        rows=rows,
        keeps_machine=True,
    )


@table.table("machines")
def machines(scope: TableScope) -> Draft:
    """Every machine: processor, cores, memory, GPUs."""
    evidence = scope.evidence
    rows = []
    for found in select.groups(select.every_session(scope), lambda s: evidence.view(s).key):
        session = max(found, key=lambda s: s.session.started_at)
        machine, described = session.machine, session.session
        told = [record for record in session.records.values() if record.status == "ok"][:1]
        gpus = [fmt.gpu(gpu) for gpu in machine.gpus]
        rows.append((
            tables_cells.text(evidence.view(session).label),
            tables_cells.text(machine.cpu_model),
            MISSING if machine.n_physical_cores is None else tables_cells.number(scope, machine.n_physical_cores, told),
            tables_cells.number(scope, machine.n_logical_cores, told),
            tables_cells.number(scope, described.n_cores_effective, told),
            Cellv(text=fmt.bytes_(machine.memory_bytes), cells=scope.evidence.refs(*told)),
            tables_cells.text("; ".join(gpus) or "none"),
            tables_cells.text(machine.os),
            tables_cells.text(fmt.count(len(found))),
        ))  # fmt: skip
    return Draft(
        caption="Machines, as they describe themselves.",
        columns=(
            MACHINE,
            "CPU",
            "physical cores",
            "logical cores",
            "cores used",
            "memory",
            "GPU",
            "system",
            "sessions",
        ),
        rows=rows,
        keeps_machine=True,
    )


@table.table("failures")
def failures(scope: TableScope) -> Draft:
    """Cells without a result, and why: failing is a result, too."""
    evidence = scope.evidence
    rows = []
    for session in select.every_session(scope):
        start = (scope.machine(session), tables_cells.text(session.session.id))
        for record in evidence.view(session).records():
            if record.status != "ok" and record.cell.workload in scope.workloads:
                cells = evidence.refs(record)
                rows.append((
                    *start,
                    Cellv(text=record.cell.id, cells=cells),
                    Cellv(text=fmt.status(record.status), cells=cells),
                    tables_cells.text(record.reason),
                ))  # fmt: skip
        for planned in session.session.plan:
            if planned.cell_id not in session.records and planned.cell_id.startswith(
                tuple(f"{w}-" for w in scope.workloads)
            ):
                words = "skipped" if planned.skip else fmt.NOT_MEASURED
                reason = planned.skip or "planned, but the session ended before it"
                rows.append(
                    (*start, tables_cells.text(planned.cell_id), tables_cells.text(words), tables_cells.text(reason))
                )
    return Draft(
        caption="Cells that gave no result.", columns=(MACHINE, "session", "cell", "what happened", "why"), rows=rows
    )


def commit(session: SessionResults) -> str:
    """Commit of a session in words."""
    described = session.session
    if described.commit is None:
        return "not told"
    return described.commit[:12] + (", with local changes" if described.dirty else "")
