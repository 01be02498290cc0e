"""One session against another, cell by cell; and whether a rerun agrees with what was published. Pure.

Two sessions of one machine can be told faster or slower. Sessions of two machines differ for many reasons at once, so
their ratio carries the name "that machine / this machine", and only its pattern over cells says what is normal.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from bench.records.store import SessionResults
from bench.report.stats import estimate, quantities, studies
from bench.report.stats import format as fmt
from bench.report.stats.estimate import ComparisonError, Estimate, Order
from bench.report.stats.quantities import Quantity
from bench.schema import Machine, Record, Session

ALPHA = 0.05  # probability of a change found where there is none, per cell
MIN_EFFECT_FRAC = 0.05  # a smaller change is not called one, however sure it is
TOLERANCE_FRAC = 0.05  # a rerun agrees when the ratio's interval comes within this share of 1
SHAPE_FACTOR = 2.0  # a cell is out of the pattern of two machines when its ratio is off by more
MIN_PATTERN = 4  # cells of a device from which two machines have a pattern

Verdict = Literal["slower", "faster", "no change shown", "too few runs"]
Agreement = Literal["agrees", "disagrees", "not comparable"]


class Change(NamedTuple):
    """Two dates of one machine: a rank test on process medians, and how large the difference is."""

    verdict: Verdict
    p: float | None  # two-sided, exact; None with too few runs
    effect_frac: float  # later seconds over earlier seconds, less 1: above 0 is slower
    n_before: int
    n_after: int


class Row(NamedTuple):
    """One cell, or one series of a study, in both sessions. ``ratio`` is that session's rate over this session's."""

    cell_id: str
    series: str  # of a study, else empty
    device: str
    noun: str
    here: Estimate | None
    there: Estimate | None
    ratio: Estimate | None
    order: Order | None  # how this session stands to that one
    change: Change | None  # same machine only
    problem: str  # why there is no ratio, or empty

    @property
    def label(self) -> str:
        """Cell, and series of a study."""
        return f"{self.cell_id} {self.series}".strip()


class Comparison(NamedTuple):
    """All cells that two sessions share."""

    same_machine: bool
    differences: tuple[str, ...]  # what else differs: versions, cores, profile
    rows: tuple[Row, ...]


def compare(here: SessionResults, there: SessionResults) -> Comparison:
    """This session against that one: cells with equal ids, then cells that use all cores of their machine."""
    same = is_same_machine(here.machine, there.machine)
    rows = [row for a, b in twins(here, there) for row in compare_cells(a, b, same_machine=same)]
    return Comparison(same, differences(here.session, there.session), tuple(rows))


def is_same_machine(one: Machine, other: Machine) -> bool:
    """Whether two descriptions are of one machine, or of two that nothing tells apart; software may differ."""
    names = ("id", "cpu_model", "cpu_family", "n_logical_cores")
    return all(getattr(one, name) == getattr(other, name) for name in names) and [gpu.name for gpu in one.gpus] == [
        gpu.name for gpu in other.gpus
    ]


def differences(here: Session, there: Session) -> tuple[str, ...]:
    """What differs between two sessions beside the machine, in words: that session first, then this one."""
    found = []
    for name in sorted({*here.versions, *there.versions}):
        then, now = there.versions.get(name, "absent"), here.versions.get(name, "absent")
        if then != now:
            found.append(f"{name} {then} there, {now} here")
    if here.n_cores_effective != there.n_cores_effective:
        counts = (fmt.cores(session.n_cores_effective) for session in (there, here))
        found.append("{} there, {} here".format(*counts))
    for name in sorted({*here.environment, *there.environment}):
        then, now = there.environment.get(name, "unset"), here.environment.get(name, "unset")
        if then != now:
            found.append(f"{name} is {then!r} there, {now!r} here")
    return tuple(found)


def twins(here: SessionResults, there: SessionResults) -> list[tuple[Record, Record]]:
    """Measured cells of both sessions that do the same work, in order of this session's ids."""
    mine, theirs = _measured(here), _measured(there)
    whole = {_shape(r): r for r in theirs.values() if r.cell.threads == there.session.n_cores_effective}
    pairs = []
    for cell_id, record in sorted(mine.items()):
        twin = theirs.get(cell_id)
        if twin is None and record.cell.threads == here.session.n_cores_effective:
            twin = whole.get(_shape(record))
        if twin is not None:
            pairs.append((record, twin))
    return pairs


def rate_ratio(here: Record, there: Record) -> Estimate | None:
    """That record's samples per second over this record's; None where one has no steps of its own.

    Raises:
        ComparisonError: they differ in method, workload, mode or source.
    """
    return quantities.ratio(there, here)


def change(before: Record, after: Record, seconds: Quantity = quantities.step_time) -> Change:
    """Whether one machine became slower or faster on a cell: Mann-Whitney on process medians and a minimum effect.

    Processes are the independent repeats; blocks within one are not. With fewer than four on each side, the exact
    test cannot reach its level, and the verdict is "too few runs".
    Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947).
    """
    return change_of(seconds.medians(before), seconds.medians(after))


def change_of(before: list[float], after: list[float]) -> Change:
    """As ``change``, from seconds per step, one value per process."""
    n, m = len(before), len(after)
    effect = statistics.median(after) / statistics.median(before) - 1 if n and m else 0.0
    if not n or not m or 2 / math.comb(n + m, n) >= ALPHA:
        return Change("too few runs", None, effect, n, m)
    from scipy.stats import mannwhitneyu  # half a second to import, and needed by few

    p = float(mannwhitneyu(before, after, alternative="two-sided").pvalue)
    verdict: Verdict = "no change shown"
    if p < ALPHA and abs(effect) >= MIN_EFFECT_FRAC:
        verdict = "slower" if effect > 0 else "faster"
    return Change(verdict, p, effect, n, m)


def agreement(ratio: Estimate, *, same_machine: bool, tolerance_frac: float = TOLERANCE_FRAC) -> Agreement:
    """Whether a rerun agrees with a published number: its ratio's interval comes within the tolerance of 1.

    On another machine the number itself may differ, and nothing follows from that.
    """
    if not same_machine:
        return "not comparable"
    inside = ratio.low <= 1 + tolerance_frac and ratio.high >= 1 - tolerance_frac
    return "agrees" if inside else "disagrees"


def conclude(
    rows: Sequence[Row], there: SessionResults, *, same_machine: bool, tolerance_frac: float = TOLERANCE_FRAC
) -> tuple[Agreement, str]:
    """Whether a cell that was run again agrees with its published record, and why, in words.

    Of a study every series has to agree.
    """
    ratios = [row.ratio for row in rows if row.ratio is not None]
    if not ratios:
        return "not comparable", next((row.problem for row in rows if row.problem), "no steps were timed")
    if not same_machine:
        return "not comparable", f"another machine than {there.path}; the ratio above is between two machines"
    within = f"{fmt.percent(tolerance_frac)} of 1" if tolerance_frac else "1"
    found = {agreement(ratio, same_machine=True, tolerance_frac=tolerance_frac) for ratio in ratios}
    if "disagrees" in found:
        which = "the ratio's interval" if len(ratios) == 1 else "at least one ratio's interval"
        return "disagrees", f"{which} stays outside {within}, against {there.path}"
    which = "the ratio's interval" if len(ratios) == 1 else "each ratio's interval"
    return "agrees", f"{which} comes within {within}, against {there.path}"


def rule() -> str:
    """How a change between two dates is called, in words."""
    return (
        f"slower or faster: Mann-Whitney test on process medians, p < {ALPHA:g}, "
        f"and a change of at least {fmt.percent(MIN_EFFECT_FRAC)}"
    )


def normal(comparison: Comparison) -> str:
    """Whether this machine's numbers are normal, as a sentence or two."""
    rated = [(row, row.ratio) for row in comparison.rows if row.ratio is not None]
    if not rated:
        return "Is my number normal? No cell could be compared: run the same profile."
    return _normal_here(rated) if comparison.same_machine else _normal_elsewhere(rated)


def _normal_here(rated: list[tuple[Row, Estimate]]) -> str:
    rows = [row for row, _ in rated]
    slower = [row for row in rows if row.change is not None and row.change.verdict == "slower"]
    faster = [row for row in rows if row.change is not None and row.change.verdict == "faster"]
    # Where a cell has too few runs for the test, the interval of the ratio has to do.
    untested = [(row, ratio) for row, ratio in rated if row.change is None or row.change.verdict == "too few runs"]
    off = [row for row, ratio in untested if agreement(ratio, same_machine=True) == "disagrees"]
    n_tested = len(rows) - len(untested)
    parts = []
    if n_tested:
        parts.append(
            f"of {n_tested} tested, {len(slower)} became slower and {len(faster)} faster "
            f"(about {max(1, round(ALPHA * n_tested))} would look changed by chance, before the minimum effect)"
        )
    if untested:
        parts.append(
            f"of {len(untested)} with too few runs for the test, "
            f"{len(off)} differ by more than {fmt.percent(TOLERANCE_FRAC)} and their intervals"
        )
    answer = "Yes" if not slower and not off else "Not all"
    changed = _named([*slower, *faster, *off])
    return f"Is my number normal? {answer}: {'; '.join(parts)}." + (f" Look at: {changed}." if changed else "")


def _normal_elsewhere(rated: list[tuple[Row, Estimate]]) -> str:
    """Another machine: is the ratio of a cell in line with that of the others on the same device?"""
    words: list[str] = []
    odd: list[Row] = []
    for device in dict.fromkeys(row.device for row, _ in rated):
        group = [(row, ratio) for row, ratio in rated if row.device == device]
        name = fmt.device(device)
        if len(group) < MIN_PATTERN:
            words.append(f"{len(group)} {name} {'cell' if len(group) == 1 else 'cells'} are too few for a pattern")
            continue
        middle = math.exp(statistics.median(math.log(ratio.value) for _, ratio in group))
        words.append(f"over {len(group)} {name} cells that machine / this machine is {fmt.ratio(middle)} in the middle")
        odd += [row for row, r in group if r.low > middle * SHAPE_FACTOR or r.high < middle / SHAPE_FACTOR]
    tested = any("in the middle" in word for word in words)
    answer = "Another machine" if not tested else ("Mostly" if odd else "Yes, as far as another machine can tell")
    closing = f" Out of that pattern by more than {fmt.ratio(SHAPE_FACTOR)}: {_named(odd)}." if odd else ""
    return f"Is my number normal? {answer}: {'; '.join(words)}.{closing}"


def _named(rows: Iterable[Row], limit: int = 5) -> str:
    labels = [row.label for row in rows]
    more = f" and {len(labels) - limit} more" if len(labels) > limit else ""
    return ", ".join(labels[:limit]) + more


def _measured(session: SessionResults) -> Mapping[str, Record]:
    return {cell_id: record for cell_id, record in session.records.items() if record.status == "ok"}


def _shape(record: Record) -> tuple[Any, ...]:
    """A cell without its number of threads."""
    cell = record.cell
    params = tuple(sorted(cell.params.items()))
    arm = (cell.backend, cell.device, cell.precision, cell.jit)
    return (cell.workload, cell.mode, *arm, cell.batch_size, cell.n_samples, params)


def compare_cells(here: Record, there: Record, *, same_machine: bool) -> list[Row]:
    """One cell in both sessions: a row, or of a study a row per series."""
    common = {"cell_id": here.cell.id, "device": here.cell.device, "noun": here.spec.sample_noun}
    if here.spec.kind == "study":
        return _study_rows(here, there, common, same_machine=same_machine)
    ratio, problem = None, ""
    try:
        ratio = rate_ratio(here, there)
    except ComparisonError as error:
        problem = f"not comparable: {error}"
    values = (quantities.throughput(here), quantities.throughput(there))
    tested = change(there, here) if same_machine and ratio is not None else None
    return [_row(common, "", *values, ratio, tested, problem)]


def _study_rows(here: Record, there: Record, common: dict[str, Any], *, same_machine: bool) -> list[Row]:
    if here.source_hash != there.source_hash or not here.shares_method(there):
        return [_row(common, "", None, None, None, None, "not comparable: the study has changed since")]
    theirs = {item.id for item in studies.series_of(there)}
    rows = []
    for item in studies.series_of(here):
        seconds = studies.calls(item.id)
        ratio = seconds.ratio(here, there) if item.id in theirs else None
        if ratio is not None:
            tested = change(there, here, seconds) if same_machine else None
            rows.append(_row(common, item.id, seconds(here), seconds(there), ratio, tested, ""))
    return rows


def _row(
    common: dict[str, Any],
    series: str,
    here: Estimate | None,
    there: Estimate | None,
    ratio: Estimate | None,
    tested: Change | None,
    problem: str,
) -> Row:
    return Row(
        **common,
        series=series,
        here=here,
        there=there,
        ratio=ratio,
        order=None if ratio is None else estimate.side(estimate.inverse(ratio)),
        change=tested,
        problem=problem,
    )
