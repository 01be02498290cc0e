"""Commands that set sessions side by side: `compare` and `repro`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer

from bench.cli import measure, names, show
from bench.cli import options as cli_options
from bench.doctor import cpu
from bench.machine import cores, describe
from bench.records import files, store
from bench.report.evidence import against
from bench.report.stats import format as text
from bench.report.stats.estimate import Estimate
from bench.schema import Cell, Machine, Record
from bench.session.prepare import Options, prepare
from bench.workloads import registry

EXIT_OF: dict[against.Agreement, int] = {"agrees": 0, "disagrees": 1, "not comparable": 3}
MOST_SHOWN = 5  # results that stick out
Words = Annotated[
    list[str],
    typer.Argument(metavar="RESULT", help="A published one: its id, or words such as resnet50 train tensorflow b8."),
]


def compare(
    session: Annotated[
        str,
        typer.Argument(
            metavar="SESSION", help="Session to compare with, MACHINE/DATE; default: the most like machine's."
        ),
    ] = "",
    mine: Annotated[
        str, typer.Option(metavar="SESSION", help="Session to look at, MACHINE/DATE; default: this machine's latest.")
    ] = "",
    cell: Annotated[
        str, typer.Option(metavar="WORDS", help="Only results that these words fit, such as 'resnet50 train'.")
    ] = "",
    show_all: cli_options.ShowAll = False,
    as_json: cli_options.AsJson = False,
) -> None:
    """Is my number normal? This machine against the one most like it. Or two dates of one machine."""
    try:
        found = store.load().sessions
        here, there = _chosen_sessions(found, session, mine)
        compared = against.compare(here, there)
        if cell:
            known = {id_: record.cell for id_, record in here.records.items()}
            wanted = {one.id for one in names.matching(cell, known)} or {names.find(cell, known).id}
            compared = compared._replace(rows=tuple(row for row in compared.rows if row.cell_id in wanted))
    except (registry.UnknownNameError, files.RecordError, ValueError) as error:
        show.fail(error)
    if as_json:
        show.print_json([{"here": here.path, "there": there.path} | comparison_json(compared)])
    else:
        _print_comparison(here, there, compared, show_all=show_all)


def repro(
    cell: Words,
    session: Annotated[
        str, typer.Option(metavar="SESSION", help="Published session to hold it against, MACHINE/DATE.")
    ] = "",
    repeats: Annotated[int, typer.Option(metavar="N", min=1, help="Processes to run here.")] = 3,
    tolerance: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0.0, help="Agrees when the ratio's interval comes within this share of 1."),
    ] = against.TOLERANCE_FRAC,
    results: cli_options.ResultsDir = None,
    machine_id: cli_options.MachineId = "",
    as_json: cli_options.AsJson = False,
) -> None:
    """One published result again, with a verdict. Exit code: 0 agrees, 1 disagrees, 3 not comparable, 2 wrong usage."""
    try:
        published = [item for item in store.load().sessions if not item.is_local and item.standing.counts]
        there, record = _published(published, " ".join(cell), session, describe.describe(machine_id=machine_id))
    except (registry.UnknownNameError, files.RecordError) as error:
        show.fail(error)

    def conclude(verdict: against.Agreement, why: str, rows: Sequence[against.Row] = ()) -> NoReturn:
        if as_json:
            plain = [_row_json(row) for row in rows]
            show.print_json(
                {"cell": record.cell.id, "there": there.path, "verdict": verdict, "why": why, "rows": plain}
            )
        else:
            show.print_text(f"{verdict}: {why}")
        raise typer.Exit(EXIT_OF[verdict])

    if record.status != "ok":
        conclude("not comparable", f"it gave no number in {there.path}: {record.status}, {record.reason}")
    options = Options(
        profile=record.profile, cell_ids=(record.cell.id,), repeats=repeats, results=results, machine_id=machine_id
    )
    with show.measuring(results):
        try:
            prepared = prepare(cli_options.for_cells(options, [record.cell]))
        except registry.UnknownNameError:
            conclude("not comparable", "this version of the benchmarks has no such cell on this machine")
        except (files.RecordError, ValueError) as error:
            show.fail(error)
        for _, reason in prepared.plan.skipped:
            conclude("not comparable", reason)
        measure.run(prepared, quiet=as_json)
    own = store.load_session(prepared.folder, results or files.RESULTS).records[record.cell.id]
    if own.status != "ok":
        conclude("not comparable", f"it gave no number here: {own.reason}")
    same = against.is_same_machine(prepared.machine, there.machine)
    rows = against.compare_cells(own, record, same_machine=same)
    if not as_json:
        _print_rows(rows, names.short_names([own.cell]), same_machine=same)
        for difference in against.differences(prepared.session, there.session):
            show.print_text(f"differs: {difference}")
        show.print_text(f"records: {show.relative(prepared.folder)}")
        if load := _disturbance(own):
            show.print_text(load)
    conclude(*against.conclude(rows, there, same_machine=same, tolerance_frac=tolerance), rows)


def _chosen_sessions(
    found: Sequence[store.SessionResults], session: str, mine: str
) -> tuple[store.SessionResults, store.SessionResults]:
    """The session to look at, and the one to hold it against.

    Raises:
        UnknownNameError: no session of that name.
        ValueError: there is none to look at, none that shares a cell with it, or both are the same.
    """
    other, own = (_named(found, name) if name else None for name in (session, mine))
    local = [item for item in found if item.is_local and item is not other]
    if own:
        here = own
    elif local:
        here = max(local, key=lambda item: item.session.started_at)
    else:
        raise ValueError(f"this machine has no session yet; run `{show.COMMAND} run` first, or name one with --mine")
    if other:
        if other is here:
            raise ValueError(f"{session} is the session to look at and the one to hold it against; name two")
        return here, other
    others = [item for item in found if not item.is_local and item.standing.counts and item is not here]
    there = against.most_like(here, others)
    if there is None:
        raise ValueError(f"no published session has a cell of {here.path}; run another profile, or name a session")
    return here, there


def _named(sessions: Sequence[store.SessionResults], name: str) -> store.SessionResults:
    """The session of that path, MACHINE/DATE; the newest of a machine whose id alone is named. Published ones first.

    Raises:
        UnknownNameError: neither is known.
    """
    for path in (name, f"{files.LOCAL}/{name}"):
        own = [item for item in sessions if path in (item.path, item.path.rpartition("/")[0])]
        if own:
            return max(own, key=lambda item: item.session.started_at)
    raise registry.unknown("session", name, [item.path for item in sessions])


def _published(
    sessions: Sequence[store.SessionResults], name: str, path: str, host: Machine
) -> tuple[store.SessionResults, Record]:
    """The published session to hold a cell against: this machine's if there is one, with a number if there is one.

    Raises:
        UnknownNameError: no session of that path, or no cell of that name.
    """
    if path:
        sessions = [_named(sessions, path)]
    cells: dict[str, Cell] = {id_: record.cell for item in sessions for id_, record in item.records.items()}
    cell_id = names.find(name, cells).id
    holders = [item for item in sessions if cell_id in item.records]

    def preference(item: store.SessionResults) -> tuple[bool, bool, str]:
        measured = item.records[cell_id].status == "ok"
        return measured, against.is_same_machine(host, item.machine), item.session.started_at

    there = max(holders, key=preference)
    return there, there.records[cell_id]


def _print_comparison(
    here: store.SessionResults, there: store.SessionResults, compared: against.Comparison, *, show_all: bool
) -> None:
    """The answer, then what sticks out or everything, then why the rest has no ratio, once for each reason."""
    known = names.short_names(record.cell for record in here.records.values())
    show.print_wrapped(against.normal(compared))
    show.print_wrapped(f"this: {here.path} ({here.machine.cpu_model})   that: {there.path} ({there.machine.cpu_model})")
    if compared.differences:
        show.print_wrapped("differs: " + "; ".join(compared.differences))
    rated = [row for row, _ in compared.rated]
    is_whole = show_all or len(rated) <= MOST_SHOWN
    rows = rated if is_whole else against.standing_out(compared)[:MOST_SHOWN]
    if rows:
        show.print_text("" if is_whole else "\nWhat sticks out most:")
        _print_rows(rows, known, same_machine=compared.same_machine)
        if compared.same_machine:
            show.print_wrapped(against.rule())
    if len(rated) > len(rows):
        show.print_text(f"all {len(rated)} results: --all")
    reasons: dict[str, list[str]] = {}
    for row in compared.rows:
        if row.problem:
            reasons.setdefault(row.problem, []).append(known[row.cell_id])
    for reason, cells in reasons.items():
        shown = "" if show_all else f", such as {cells[0]}"
        show.print_wrapped(f"{len(cells)} {reason}" + (f": {', '.join(cells)}" if show_all else shown))


def _print_rows(rows: Sequence[against.Row], known: Mapping[str, str], *, same_machine: bool) -> None:
    """Cells of a comparison, each by its short name."""
    noun = "session" if same_machine else "machine"
    table = show.new_table("cell", f"this {noun}", f"that {noun}", "that / this", f"this {noun} is")
    for column in table.columns[1:-1]:
        column.no_wrap = show.out.width >= show.WIDE
    for row in rows:
        values = ("" if value is None else text.estimate(value, row.noun) for value in (row.here, row.there))
        ratio = "" if row.ratio is None else _ratio_words(row.ratio)
        table.add_row(f"{known[row.cell_id]} {row.series}".strip(), *values, ratio, _order_words(row) or row.problem)
    show.print_table(table)


def _ratio_words(ratio: Estimate) -> str:
    """A ratio with its ends."""
    ends = f" ({text.number(ratio.low)} to {text.number(ratio.high)})" if ratio.low < ratio.high else ""
    return text.ratio(ratio.value) + ends


def _order_words(row: against.Row) -> str:
    """How this session stands to that one; between two dates of one machine, what the test says."""
    if row.change is None:
        return row.order or ""
    is_sure = row.change.verdict in ("slower", "faster")
    sure = "" if row.change.p is None or not is_sure else f", p = {text.number(row.change.p)}"
    return f"{row.change.verdict}{sure}"


def comparison_json(compared: against.Comparison) -> dict[str, Any]:
    """A comparison as plain data."""
    out = [{"cell_id": row.cell_id, "series": row.series} for row in against.standing_out(compared)]
    rows = [_row_json(row) for row in compared.rows]
    said = {"rows": rows, "standing_out": out, "normal": against.normal(compared), "rule": against.rule()}
    return compared._asdict() | said


def _row_json(row: against.Row) -> dict[str, Any]:
    return row._asdict() | {"change": None if row.change is None else row.change._asdict()}


def _disturbance(record: Record) -> str:
    """What else ran on the machine, in words; empty when it was quiet."""
    loads = [run.before.load_1min for run in record.runs if run.before is not None and run.before.load_1min is not None]
    if record.cell.device != "cpu" or not loads or loads[0] / cores.cores().effective < cpu.BUSY_LOAD:
        return ""
    return f"disturbed: the load was {loads[0]:.2f} when the first run began; measure again on a quiet machine"
