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
from bench.schema import Machine, Record, Session

ALPHA = 0.05  # probability of a change found where there is none, per cell
MIN_EFFECT_FRAC = 0.05  # a smaller change is not called one, however sure it is
TOLERANCE_FRAC = 0.05  # a rerun agrees when the ratio's interval comes within this share of 1
NEAR_FRAC = 0.10  # a result is like that of a like machine when the ratio's interval comes within this share of 1
NORMAL_FRAC = 0.75  # share of the results that must be near for a machine to be called normal
SHAPE_FACTOR = 2.0  # a cell is out of the pattern of two unlike machines when its ratio is off by more
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


class Comparison(NamedTuple):
    """All cells that two sessions share."""

    same_machine: bool
    differences: tuple[str, ...]  # what else differs: versions, cores, profile
    rows: tuple[Row, ...]
    there: str  # path of the session that this one is held against
    is_like: bool  # both have the same processor, cores and GPUs, so that equal numbers are to be expected

    @property
    def rated(self) -> list[tuple[Row, Estimate]]:
        """Rows that have a ratio, each with it."""
        return [(row, row.ratio) for row in self.rows if row.ratio is not None]


def compare(here: SessionResults, there: SessionResults) -> Comparison:
    """This session against that one: cells with equal ids, then cells that use all cores of their machine."""
    same = is_same_machine(here.machine, there.machine)
    rows = [row for a, b in twins(here, there) for row in compare_cells(a, b, same_machine=same)]
    is_like = same or all(_likeness(here, there))
    return Comparison(same, differences(here.session, there.session), tuple(rows), there.path, is_like)


def most_like(here: SessionResults, others: Iterable[SessionResults]) -> SessionResults | None:
    """Of the sessions that share a cell with this one, that of the machine most like this one; None without any.

    This machine itself comes first, then the same processor, the same GPUs, the nearest number of cores; then the
    session with most cells in common, and of those the latest.
    """

    def preference(there: SessionResults) -> tuple[bool, bool, bool, float, int, str]:
        cores = abs(math.log(there.session.n_cores_effective / here.session.n_cores_effective))
        same_cpu, same_gpus, _ = _likeness(here, there)
        same = is_same_machine(here.machine, there.machine)
        return same, same_cpu, same_gpus, -cores, len(twins(here, there)), there.session.started_at

    return max((there for there in others if twins(here, there)), key=preference, default=None)


def _likeness(here: SessionResults, there: SessionResults) -> tuple[bool, bool, bool]:
    """Whether two sessions had the same model of processor, the same GPUs and as many cores."""
    one, other = here.machine, there.machine
    same_cpu = (one.cpu_model, one.cpu_family) == (other.cpu_model, other.cpu_family)
    same_gpus = [gpu.name for gpu in one.gpus] == [gpu.name for gpu in other.gpus]
    return same_cpu, same_gpus, here.session.n_cores_effective == there.session.n_cores_effective


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


def change(before: Record, after: Record, seconds: quantities.Quantity = quantities.step_time) -> Change:
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
        problem = next((row.problem for row in rows if row.problem), "no steps were timed")
        return "not comparable", problem.removeprefix("not comparable: ")
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
    """Whether this machine's numbers are normal: a sentence, and what a test of each result adds."""
    rated, there = comparison.rated, comparison.there
    if not rated:
        return f"Nothing here can be compared with {there}: run the same profile with this version of the benchmarks."
    if not comparison.is_like:
        return _normal_elsewhere(comparison)
    off = {id(row) for row in standing_out(comparison)}
    n_near = sum(id(row) not in off for row, _ in rated)
    is_normal = n_near >= NORMAL_FRAC * len(rated)
    answer = "This machine is normal" if is_normal else "This machine is not normal"
    count = (
        f"{n_near} of {len(rated)} results {'is' if n_near == 1 else 'are'} within {fmt.percent(NEAR_FRAC)} of {there}"
    )
    if off:
        n_slower = sum(id(row) in off and ratio.value > 1 for row, ratio in rated)
        count += f", {n_slower} slower, {len(off) - n_slower} faster"
    return f"{answer}: {count}." + (_tested(rated) if comparison.same_machine else "")


def standing_out(comparison: Comparison) -> list[Row]:
    """Rows that are not near, the farthest off first.

    Of two like machines those whose ratio's interval stays outside ``NEAR_FRAC`` of 1; of two others those that are
    off the middle of their device by more than ``SHAPE_FACTOR``.
    """
    found: list[tuple[float, Row]] = []
    for device in dict.fromkeys(row.device for row, _ in comparison.rated):
        group = [(row, ratio) for row, ratio in comparison.rated if row.device == device]
        low, high = 1 - NEAR_FRAC, 1 + NEAR_FRAC
        middle = 1.0
        if not comparison.is_like:
            if len(group) < MIN_PATTERN:
                continue
            middle = _middle(group)
            low, high = middle / SHAPE_FACTOR, middle * SHAPE_FACTOR
        found += [(abs(math.log(r.value / middle)), row) for row, r in group if r.low > high or r.high < low]
    return [row for _, row in sorted(found, key=lambda item: -item[0])]


def _middle(rated: Sequence[tuple[Row, Estimate]]) -> float:
    return math.exp(statistics.median(math.log(ratio.value) for _, ratio in rated))


def _tested(rated: Sequence[tuple[Row, Estimate]]) -> str:
    """What the test of each result of two dates says, where there are runs enough for it."""
    verdicts = [row.change.verdict for row, _ in rated if row.change is not None]
    n_tested = len(verdicts) - verdicts.count("too few runs")
    if not n_tested:
        return " All have too few runs for a test of change."
    return (
        f" Of {n_tested} tested, {verdicts.count('slower')} became slower and {verdicts.count('faster')} faster by"
        f" {fmt.percent(MIN_EFFECT_FRAC)} or more"
        f" (by chance alone: about {max(1, round(ALPHA * n_tested))}, or fewer)."
    )


def _normal_elsewhere(comparison: Comparison) -> str:
    """Another kind of machine: is the ratio of a cell in line with that of the others on the same device?"""
    words: list[str] = []
    odd, n_rated = standing_out(comparison), 0
    for device in dict.fromkeys(row.device for row, _ in comparison.rated):
        group = [(row, ratio) for row, ratio in comparison.rated if row.device == device]
        name = fmt.device(device)
        if len(group) < MIN_PATTERN:
            words.append(
                f"{len(group)} {name} {'result is' if len(group) == 1 else 'results are'} too few for a pattern"
            )
            continue
        n_rated += len(group)
        words.append(
            f"that machine / this machine is {fmt.ratio(_middle(group))} in the middle of {len(group)} {name} results"
        )
    if not n_rated:
        return f"{comparison.there} is another kind of machine: {'; '.join(words)}."
    answer = "normal" if n_rated - len(odd) >= NORMAL_FRAC * n_rated else "not normal"
    return (
        f"This machine is {answer}, as far as another kind can tell: {n_rated - len(odd)} of {n_rated} results keep"
        f" within {fmt.ratio(SHAPE_FACTOR)} of their proportion to {comparison.there}; {'; '.join(words)}."
    )


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
        ratio = quantities.ratio(there, here)
    except ComparisonError as error:
        problem = f"not comparable: {_difference(error)}"
    values = (quantities.throughput(here), quantities.throughput(there))
    tested = change(there, here) if same_machine and ratio is not None else None
    return [_row(common, "", *values, ratio, tested, problem)]


def _difference(error: ComparisonError) -> str:
    """What two records differ in, without their names and values, so that equal reasons are equal texts."""
    _, verb, rest = str(error).partition("differ in ")
    return f"they {verb}{rest.partition(':')[0]}" if verb else str(error)


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
