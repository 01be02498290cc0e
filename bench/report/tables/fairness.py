"""Table: what was equal between arms, and what was not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from bench.records.store import SessionResults
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.report.stats import quantities
from bench.report.tables import cells as tables_cells
from bench.report.tables import sessions, table
from bench.report.tables.table import MODES, Cellv, Draft, TableScope
from bench.schema import BACKENDS, DEVICES, Backend, Device, Record, Run


@table.table("fairness")
def fairness(scope: TableScope) -> Draft:
    """What was equal and what was not between the arms of one session, the leading published one: a column each."""
    evidence = scope.evidence
    session = next(iter(scope.leading[::-1]), None)
    found: dict[tuple[Backend, Device], list[Record]] = {}
    for workload in scope.workloads if session else ():
        for mode in (*MODES, "probe"):
            for device in DEVICES:
                for backend in BACKENDS:
                    best = evidence.view(session).best(Pick(workload, mode, device, backend=backend))
                    if best is not None:
                        found.setdefault((backend, device), []).append(best)
    arms = sorted(found, key=lambda arm: (DEVICES.index(arm[1]), BACKENDS.index(arm[0])))
    rows = []
    for name, values in _FAIRNESS.items() if arms else ():
        said = ([values(evidence.session_of(record), record) for record in found[arm]] for arm in arms)
        cells = (Cellv(text=_counted(s), cells=evidence.refs(*found[arm])) for arm, s in zip(arms, said, strict=True))
        rows.append((tables_cells.text(name), *cells))
    caption = "What was set, and what really ran, in what speaks for each backend."
    if session:
        caption += f" {scope.machine(session).text}, {session.session.id}."
    return Draft(caption=caption, columns=("", *(tables_cells.arm_text(*arm) for arm in arms)), rows=rows)


# Fairness: name of the row, and its value for a record.


def _runs(record: Record) -> list[Run]:
    return [run for run in record.runs if run.status == "ok"]


def _seen(record: Record, field: str) -> str:
    return _distinct(getattr(run.observed, field) for run in _runs(record) if run.observed is not None)


def _distinct(values: Iterable[Any]) -> str:
    words = {None: "not told", True: "on", False: "off"}
    shown = [words[v] if v is None or isinstance(v, bool) else str(v) for v in values]
    return ", ".join(dict.fromkeys(shown))


def _runtimes(record: Record) -> str:
    """OpenMP libraries in the process; two of them keep two pools of threads, which fight for the cores."""
    seen = [run.observed.openmp for run in _runs(record) if run.observed is not None]
    return _distinct(None if names is None else ", ".join(names) or "none seen" for names in seen)


def _counted(values: Iterable[str]) -> str:
    """Distinct values; with how many of them have each, when they differ."""
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    if len(found) == 1:
        return next(iter(found))
    shares = {text: float(text.removesuffix(" %")) for text in found if re.fullmatch(r"[\d.]+ %", text)}
    if len(shares) == len(found):
        n = sum(found.values())
        return f"{min(shares, key=shares.__getitem__)} to {max(shares, key=shares.__getitem__)} ({fmt.count(n)} runs)"
    return "; ".join(f"{value} ({fmt.count(n)} {'run' if n == 1 else 'runs'})" for value, n in sorted(found.items()))


def _state(record: Record, field: str, show: Callable[[float], str]) -> str:
    """Lowest and highest of a condition of the cell's device, before and after the runs."""
    states = [state for run in _runs(record) for state in (run.before, run.after) if state is not None]
    values = (getattr(state, f"{record.cell.device}_{field}") for state in states)
    told = [show(value) for value in values if value is not None]
    return ", ".join(dict.fromkeys((min(told), max(told)))) if told else "not told"


def warm_up_cell(record: Record) -> str:
    """In how many runs the steps settled."""
    met = sum(run.steady is True for run in _runs(record))
    return f"criterion met in {met} of {len(_runs(record))} runs"


def _spread(value_frac: float | None) -> str:
    return fmt.NOT_MEASURED if value_frac is None else fmt.percent(round(value_frac, 2))


def _quota(session: SessionResults) -> str:
    quota = session.session.cgroup_quota_cores
    return "none" if quota is None else fmt.number(quota)


_FAIRNESS: dict[str, Callable[[SessionResults, Record], str]] = {
    "backend version": lambda s, r: s.session.versions.get(r.cell.backend, "not told"),
    "Keras version": lambda s, r: s.session.versions.get("keras", "not told"),
    "device observed": lambda s, r: _seen(r, "device_name"),
    "precision asked": lambda s, r: r.cell.precision,
    "dtype of weights": lambda s, r: _seen(r, "weight_dtype"),
    "dtype of outputs": lambda s, r: _seen(r, "output_dtype"),
    "TF32": lambda s, r: "does not apply" if r.cell.device == "cpu" else _seen(r, "tf32"),
    "jit asked": lambda s, r: r.cell.jit,
    "jit resolved": lambda s, r: _seen(r, "jit"),
    "layout": lambda s, r: _seen(r, "layout"),
    "autotune": lambda s, r: _seen(r, "autotune"),
    "recurrent path": lambda s, r: _seen(r, "recurrent_path"),
    "threads asked": lambda s, r: fmt.count(r.cell.threads),
    "threads observed": lambda s, r: _seen(r, "n_threads"),
    "OpenMP runtimes": lambda s, r: _runtimes(r),
    "cores visible": lambda s, r: fmt.count(s.session.n_cores_visible),
    "cores by affinity": lambda s, r: _seen(r, "n_cores_affinity"),
    "physical cores of these": lambda s, r: _seen(r, "n_physical_cores"),
    "cores by quota": lambda s, r: _quota(s),
    "data feed": lambda s, r: _seen(r, "data_feed"),
    "caches": lambda s, r: _seen(r, "caches"),
    "batch size": lambda s, r: fmt.count(r.cell.batch_size),
    "runs": lambda s, r: fmt.count(len(_runs(r))),
    "warm-up": lambda s, r: warm_up_cell(r),
    "runs differ by": lambda s, r: _spread(getattr(quantities.throughput(r), "spread_frac", None)),
    "control kernel differs by": lambda s, r: _spread(quantities.control_spread_frac(r)),
    "clock": lambda s, r: _state(r, "clock_hz", fmt.hertz),
    "temperature": lambda s, r: _state(r, "temperature_c", fmt.celsius),
    "commit": lambda s, r: r.commit[:12] if r.commit else sessions.commit(s),
    "date": lambda s, r: fmt.date(s.session.started_at),
}
