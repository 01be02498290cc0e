"""Cases for beliefs: comparisons and quantities read from records, and figures published elsewhere. Pure.

Every function here returns a function from evidence to cases, so that a belief can be written as one expression.
Smoke runs are left out: they only prove that the code runs. Comparisons stay within one session. A cell that was
disturbed while it was measured counts only where none of its like was not.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.report import format as fmt
from bench.report import published, stats, studies
from bench.report.rules import Case, Part, case_of, published_case
from bench.report.stats import Estimate, Quantity
from bench.schema import Device, Mode, Precision, Record

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.rows import Contrast, Evidence

Cases = Callable[["Evidence"], list[Case]]


def serious(evidence: Evidence) -> tuple[SessionResults, ...]:
    """Sessions of real size, the leading one first."""
    return tuple(session for session in evidence.shown if session.session.profile != "smoke")


# Comparisons within a session.


def gpu_over_cpu(
    *, modes: Sequence[Mode] = ("train",), workloads: Sequence[str] = (), by_size: bool = False, strict: bool = False
) -> Cases:
    """The GPU's speed over the CPU's on each network, each at its fastest batch and usual precision.

    Args:
        by_size: at every size that both ran instead, one batch for both.
        strict: like for like instead, the headline's batch and strict float32 on both.
    """

    def cases(evidence: Evidence) -> list[Case]:
        contrast = evidence.contrast if strict else evidence.best_contrast
        return [
            contrast_case(evidence, found)
            for session in serious(evidence)
            for workload in workloads or evidence.model_workloads()
            for mode in modes
            for options in (_sizes(evidence, session, workload, mode) if by_size else [{}])
            if (found := contrast(session, workload, mode, **options)) is not None
        ]

    return cases


def contrast_case(evidence: Evidence, contrast: Contrast, more: str = "") -> Case:
    """GPU over CPU as a case, whose name says batch and precision of both."""
    name = f"{_task(evidence, contrast.gpu)}, {contrast.arms}{more}"
    refs = evidence.refs(contrast.gpu, contrast.cpu)
    return case_of(_placed(evidence, name, contrast.session), contrast.speedup, refs)


def between_arms(field: str, first: Any, second: Any, *, device: Device | None = None) -> Cases:
    """Speed of one setting over that of another, all else equal: ``between_arms("jit", "on", "off")``."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session, records in _alike(evidence, field):
            by_value = {getattr(record.cell, field): record for record in records}
            one, other = by_value.get(first), by_value.get(second)
            if one is None or other is None or device not in (None, one.cell.device):
                continue
            ratio = evidence.record_speedup(one, other)
            if ratio is not None:
                found.append(case_of(_arm_name(evidence, one, session), ratio, evidence.refs(one, other)))
        return found

    return cases


def more_over_fewer(field: str) -> Cases:
    """Speed at the largest value of a counting field over that at each smaller one: threads."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session, records in _alike(evidence, field):
            *fewer, most = sorted(records, key=lambda record: getattr(record.cell, field))
            for record in fewer:
                ratio = evidence.record_speedup(most, record) if record.cell.device == "cpu" else None
                if ratio is not None:
                    name = f"{_name(evidence, most, session)}, {getattr(most.cell, field)} {field} against "
                    name += str(getattr(record.cell, field))
                    found.append(case_of(name, ratio, evidence.refs(most, record)))
        return found

    return cases


def larger_batch(*, per_doubling: bool = False) -> Cases:
    """Training speed of each batch size over that of the next smaller one measured, or its share per doubling.

    A step to or from a cell that was disturbed is left out, and not bridged by a longer one.
    """

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            groups: dict[tuple[Any, ...], list[Record]] = {}
            measured = evidence.records(session, mode="train", status="ok")
            usable = {record.cell.id for record in evidence.undisturbed(measured)}
            for record in measured:
                c = record.cell
                key = (c.workload, c.backend, c.device, c.precision, c.jit, c.threads, tuple(sorted(c.params.items())))
                groups.setdefault(key, []).append(record)
            for records in groups.values():
                ordered = sorted(records, key=lambda record: record.cell.batch_size)
                for small, large in itertools.pairwise(ordered):
                    if not {small.cell.id, large.cell.id} <= usable:
                        continue
                    ratio = evidence.record_speedup(large, small)
                    n_doublings = math.log2(large.cell.batch_size / small.cell.batch_size)
                    if ratio is None or n_doublings == 0:
                        continue
                    if per_doubling:
                        ratio = _mapped(ratio, lambda value, n=n_doublings: value ** (1 / n))
                    name = f"{_arm_name(evidence, large, session, batch=False)}, batch {small.cell.batch_size} to "
                    name += str(large.cell.batch_size)
                    found.append(case_of(name, ratio, evidence.refs(large, small)))
        return found

    return cases


def backend_over_others(backend: str) -> Cases:
    """Training speed of one backend over the fastest other one, on each workload and device."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            for workload in evidence.model_workloads():
                for device in ("cpu", "gpu"):
                    arms = {
                        name: evidence.best(session, workload, "train", device, backend=name)
                        for name in fmt.BACKEND_NAMES
                    }
                    mine = arms.pop(backend, None)
                    others = [record for record in arms.values() if record is not None]
                    rival = max(others, key=_speed, default=None)
                    ratio = None if mine is None or rival is None else evidence.record_speedup(mine, rival)
                    if ratio is not None:
                        name = f"{_name(evidence, mine, session)} on the {device.upper()} against "
                        name += fmt.backend(rival.cell.backend)
                        found.append(case_of(name, ratio, evidence.refs(mine, rival)))
        return found

    return cases


def quickest_step_job(evidence: Evidence) -> list[Case]:
    """Whole job of the arm with the fastest step over that of the arm whose job ends first; 1 where they are one."""
    found = []
    for session in serious(evidence):
        for workload in evidence.model_workloads():
            for device in ("cpu", "gpu"):
                arms = evidence.undisturbed(evidence.candidates(session, workload, "train", device))
                timed = [r for r in arms if stats.whole_job_time(r) is not None and stats.step_time(r) is not None]
                if len(timed) < 2:
                    continue
                quick = min(timed, key=lambda r: (stats.step_time(r).value, r.cell.id))
                first = min(timed, key=lambda r: (stats.whole_job_time(r).value, r.cell.id))
                name = f"{_name(evidence, quick, session)} on the {device.upper()}"
                if quick is first:
                    part = Part("the same arm", evidence.refs(*timed))
                    found.append(Case(name=name, value=1.0, low=1.0, high=1.0, part=part))
                elif ratio := evidence.record_speedup(first, quick, "whole_job_time"):
                    found.append(case_of(name, ratio, evidence.refs(quick, first)))
    return found


# Quantities of single records.


def of_records(
    make: Callable[[Record], Estimate | None],
    *,
    modes: Sequence[Mode],
    device: Device | None = "cpu",
    by: Quantity = "throughput",
) -> Cases:
    """A quantity of the cell that speaks for each model, in each mode; ``by`` is what the cell is the best in."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            for workload in evidence.model_workloads():
                for mode in modes:
                    for where in (device,) if device else ("cpu", "gpu"):
                        record = evidence.best(session, workload, mode, where, by=by)
                        value = None if record is None else make(record)
                        if value is not None:
                            name = _name(evidence, record, session)
                            found.append(case_of(name, value, evidence.refs(record), evidence.noun(workload)))
        return found

    return cases


def first_over_steady(record: Record) -> Estimate | None:
    """First step over a steady one."""
    return quotient(stats.first_step(record), stats.step_time(record))


def quality_gap(evidence: Evidence) -> list[Case]:
    """How far the worst run on the GPU ends above the best run on the CPU, in held-out quality; below 0, they mix."""
    found = []
    for session in serious(evidence):
        for workload in evidence.model_workloads():
            for backend in fmt.BACKEND_NAMES:
                arms = [
                    evidence.best(session, workload, "train", device, backend=backend, by="time_to_target")
                    for device in ("gpu", "cpu")
                ]
                if any(record is None for record in arms):
                    continue
                gpu, cpu = ([q for run in record.runs if (q := _last_quality(run)) is not None] for record in arms)
                if gpu and cpu:
                    gap = min(gpu) - max(cpu)
                    name = f"{_name(evidence, arms[0], session)}, {fmt.backend(backend)}"
                    found.append(case_of(name, _single(gap, "frac", min(len(gpu), len(cpu))), evidence.refs(*arms)))
    return found


def memory_ratio(evidence: Evidence) -> list[Case]:
    """A GPU's memory over the main memory of its machine."""
    found = []
    for session in serious(evidence):
        records = evidence.records(session, device="gpu", status="ok")
        for gpu in [gpu for gpu in session.machine.gpus[:1] if records and gpu.memory_bytes is not None]:
            ratio = _single(gpu.memory_bytes / session.machine.memory_bytes, "ratio", 1)
            name = f"{gpu.name}, {fmt.bytes_(gpu.memory_bytes)} beside {fmt.bytes_(session.machine.memory_bytes)}"
            found.append(case_of(name, ratio, evidence.refs(records[0])))
    return found


def memory_of_half_precision(evidence: Evidence) -> list[Case]:
    """Peak GPU memory with mixed precision over that in float32, all else equal."""
    found = []
    for session, records in _alike(evidence, "precision"):
        by_value = {record.cell.precision: record for record in records}
        full = by_value.get("float32-strict")
        for name in ("mixed_float16", "mixed_bfloat16"):
            half = by_value.get(name)
            ratio = None if full is None or half is None else stats.ratio(half, full, "peak_device_bytes")
            if ratio is not None:
                found.append(case_of(_arm_name(evidence, half, session), ratio, evidence.refs(half, full)))
    return found


def share_of_best_product(backend: str) -> Cases:
    """A backend's rate of the largest matrix product on the CPU over the fastest backend's."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            records = evidence.records(
                session, workload="matmul", device="cpu", precision="float32-strict", status="ok"
            )
            sizes = {record.cell.params.get("n") for record in records}
            same = [record for record in records if sizes and record.cell.params.get("n") == max(sizes)]
            mine = max((r for r in same if r.cell.backend == backend), key=_rate, default=None)
            best = max((r for r in same if r.cell.backend != backend), key=_rate, default=None)
            ratio = None if mine is None or best is None else evidence.record_speedup(mine, best, "flop_rate")
            if ratio is not None:
                name = f"{_name(evidence, mine, session)}, {fmt.backend(backend)} against "
                name += fmt.backend(best.cell.backend)
                found.append(case_of(name, ratio, evidence.refs(mine, best)))
        return found

    return cases


def share_of_data_sheet(peaks: dict[str, str]) -> Cases:
    """Best measured float32 matrix product of a GPU over the peak that its data sheet prints.

    ``peaks`` maps a part of a GPU's name to the published row with its peak in TFLOP/s.
    """

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            row = next((row for part, row in peaks.items() if part in evidence.gpu_text(session)), None)
            records = evidence.records(session, workload="matmul", device="gpu", precision="float32-strict")
            best = max((r for r in records if stats.flop_rate(r) is not None), key=_rate, default=None)
            if row is None or best is None:
                continue
            peak = float(published.lookup(row).value) * 1e12
            share = _mapped(stats.flop_rate(best), lambda value, peak=peak: value / peak, unit="frac")
            found.append(case_of(evidence.gpu_text(session, best), share, evidence.refs(best)))
        return found

    return cases


def device_without_code(evidence: Evidence) -> list[Case]:
    """Share of finished runs on GPU machines, asked for the GPU, whose weights lay there: no workload names one."""
    found = []
    for session in serious(evidence):
        for backend in fmt.BACKEND_NAMES:
            records = [
                r for r in evidence.records(session, backend=backend, device="gpu", status="ok") if stats.n_params(r)
            ]
            runs = [run for record in records for run in record.runs if run.status == "ok" and run.observed]
            if runs:
                hits = sum(run.observed.device == "gpu" for run in runs)
                low, high = stats.wilson(hits, len(runs))
                share = Estimate(
                    value=hits / len(runs), low=low, high=high, n=len(runs), n_samples=len(runs), unit="frac",
                    spread_frac=0.0,
                )  # fmt: skip
                found.append(case_of(fmt.backend(backend), share, evidence.refs(*records)))
    return found


def busy_and_idle(least_util_frac: float) -> Cases:
    """Share of the best measured rate, for GPU cells of the matrix product whose utilisation reads high."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            records = evidence.records(session, workload="matmul", device="gpu", status="ok")
            best = max((r for r in records if stats.flop_rate(r) is not None), key=_rate, default=None)
            for record in records:
                util = _utilisation(record)
                if best is None or util is None or util < least_util_frac:
                    continue
                share = quotient(stats.flop_rate(record), stats.flop_rate(best), unit="frac")
                if share is not None:
                    found.append(case_of(_arm_name(evidence, record, session), share, evidence.refs(record, best)))
        return found

    return cases


def speedup_at_low_utilisation(most_util_frac: float) -> Cases:
    """The GPU's speed over the CPU's, where the GPU's utilisation reads low."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            for workload in evidence.model_workloads():
                contrast = evidence.contrast(session, workload)
                util = None if contrast is None else _utilisation(contrast.gpu)
                if contrast is not None and util is not None and util <= most_util_frac:
                    found.append(contrast_case(evidence, contrast, f", at {fmt.percent(util)} utilisation"))
        return found

    return cases


# Studies.


def study_ratio(workload: str, series: str, baseline: str, *, device: Device | None = None) -> Cases:
    """Seconds of a call of one series over those of another, in every cell of a study."""

    def cases(evidence: Evidence) -> list[Case]:
        return [
            case_of(_study_name(evidence, record, session), ratio, evidence.refs(record))
            for session, record in _study_records(evidence, workload, device)
            if (ratio := studies.call_ratio(record, series, baseline)) is not None
        ]

    return cases


def share_of_best(workload: str, share: str, ceiling: str) -> Cases:
    """A share of each cell's own ceiling, of the highest ceiling instead that any backend found for the same work.

    Args:
        share: id of the reading that is a share.
        ceiling: id of the reading that it is a share of.
    """

    def cases(evidence: Evidence) -> list[Case]:
        groups: dict[tuple[Any, ...], list[tuple[SessionResults, Record]]] = {}
        for session, record in _study_records(evidence, workload, None):
            c = record.cell
            same = (id(session), c.device, c.threads, c.precision, c.batch_size, tuple(sorted(c.params.items())))
            groups.setdefault(same, []).append((session, record))
        found = []
        for group in groups.values():
            own = {id(record): studies.reading(record, ceiling) for _, record in group}
            best = max((e for e in own.values() if e is not None), key=lambda e: e.value, default=None)
            for session, record in group:
                value, mine = studies.reading(record, share), own[id(record)]
                if value is None or mine is None or best is None:
                    continue
                scaled = _mapped(value, lambda v, factor=mine.value / best.value: v * factor)
                refs = evidence.refs(record, *(r for _, r in group if own[id(r)] is best))
                found.append(case_of(_study_name(evidence, record, session), scaled, refs))
        return found

    return cases


def study_reading(
    workload: str,
    reading: str,
    *,
    device: Device | None = None,
    show: Callable[[float], str] | None = None,
    only: Callable[[Record], bool] = lambda record: True,
) -> Cases:
    """A reading of every cell of a study.

    Args:
        show: gives words for values that are no quantities.
        only: which cells count.
    """

    def cases(evidence: Evidence) -> list[Case]:
        found = [
            case_of(_study_name(evidence, record, session), value, evidence.refs(record))
            for session, record in _study_records(evidence, workload, device)
            if only(record) and (value := studies.reading(record, reading)) is not None
        ]
        if show is None:
            return found
        return [
            Case(name=one.name, value=one.value, low=one.low, high=one.high, part=Part(show(one.value), one.part.cells))
            for one in found
        ]

    return cases


def all_of(*makers: Cases) -> Cases:
    """The cases of several makers."""
    return lambda evidence: [case for make in makers for case in make(evidence)]


def study_readings(workload: str, prefix: str, *, device: Device | None = None) -> Cases:
    """Every reading of a study whose id begins with the prefix, named by its label."""

    def cases(evidence: Evidence) -> list[Case]:
        return [
            case_of(f"{reading.label}, {_study_name(evidence, record, session)}", value, evidence.refs(record))
            for session, record in _study_records(evidence, workload, device)
            for reading in studies.readings_of(record)
            if reading.id.startswith(prefix) and (value := studies.reading(record, reading.id)) is not None
        ]

    return cases


def study_readings_ratio(workload: str, over: str, under: str, *, device: Device | None = None) -> Cases:
    """One reading over another, in every cell of a study; the interval spans the ends of both."""

    def cases(evidence: Evidence) -> list[Case]:
        return [
            case_of(_study_name(evidence, record, session), ratio, evidence.refs(record))
            for session, record in _study_records(evidence, workload, device)
            if (ratio := quotient(studies.reading(record, over), studies.reading(record, under))) is not None
        ]

    return cases


def study_reading_between(
    workload: str, reading: str, first: Precision, second: Precision, *, device: Device | None = None
) -> Cases:
    """A reading of a study at one precision over that at another, all else equal."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session, record in _study_records(evidence, workload, device):
            cell = record.cell
            if cell.precision != first:
                continue
            same = evidence.records(
                session, workload=workload, mode="study", backend=cell.backend, device=cell.device, jit=cell.jit,
                precision=second, batch_size=cell.batch_size, params=cell.params, status="ok",
            )  # fmt: skip
            other = next((r for r in same if r.cell.threads == cell.threads), None)
            ratio = other and quotient(studies.reading(record, reading), studies.reading(other, reading))
            if ratio is not None and other is not None:
                found.append(case_of(_study_name(evidence, record, session), ratio, evidence.refs(record, other)))
        return found

    return cases


def study_on_both(workload: str, series: str) -> Cases:
    """The GPU's speed over the CPU's at one series of a study, same session, backend and variant."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for session in serious(evidence):
            arms: dict[tuple[Any, ...], dict[str, list[Record]]] = {}
            for record in evidence.records(session, workload=workload, mode="study", status="ok"):
                cell = record.cell
                if cell.precision == "float32-strict":
                    key = (cell.backend, cell.batch_size, tuple(sorted(cell.params.items())))
                    arms.setdefault(key, {}).setdefault(cell.device, []).append(record)
            for sides in arms.values():
                if len(sides) < 2:
                    continue
                gpu, cpu = sides["gpu"][0], max(sides["cpu"], key=lambda record: record.cell.threads)
                ratio = quotient(studies.call_time(cpu, series), studies.call_time(gpu, series))
                if ratio is not None:
                    name = f"{fmt.backend(gpu.cell.backend)}, {fmt.arms(gpu.cell, cpu.cell)}"
                    found.append(case_of(_placed(evidence, name, session), ratio, evidence.refs(gpu, cpu)))
        return found

    return cases


# Published figures.


def rows(*row_ids: str, name: str = "") -> Cases:
    """The published figures themselves."""

    def cases(evidence: Evidence) -> list[Case]:
        figures = [published.lookup(row_id) for row_id in row_ids]
        return [published_case(name or figure.what, float(figure.value), figure.text, figure) for figure in figures]

    return cases


def row_ratios(*pairs: tuple[str, str, str], scale: float = 1.0) -> Cases:
    """One published figure over another, each with a name: ``(name, over, under)``; times ``scale``."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for name, over, under in pairs:
            first, second = published.lookup(over), published.lookup(under)
            value = float(first.value) / float(second.value) * scale
            share = fmt.ratio(value) if scale == 1 else f"{fmt.percent(value)} of the ideal gain"
            text = f"{first.text} against {second.text}, {share}"
            found.append(published_case(name, value, text, first, second))
        return found

    return cases


# Small parts.


def quotient(first: Estimate | None, second: Estimate | None, unit: str = "ratio") -> Estimate | None:
    """Ratio of two estimates of different things; the interval spans the ends of both, so it is rather too wide."""
    if first is None or second is None or second.low <= 0:
        return None
    return Estimate(
        value=first.value / second.value,
        low=first.low / second.high,
        high=first.high / second.low,
        n=min(first.n, second.n),
        n_samples=min(first.n_samples, second.n_samples),
        unit=unit,
        spread_frac=max(first.spread_frac, second.spread_frac),
    )


def _mapped(estimate: Estimate, change: Callable[[float], float], unit: str | None = None) -> Estimate:
    return Estimate(
        value=change(estimate.value), low=change(estimate.low), high=change(estimate.high), n=estimate.n,
        n_samples=estimate.n_samples, unit=unit or estimate.unit, spread_frac=estimate.spread_frac,
    )  # fmt: skip


def _single(value: float, unit: str, n: int) -> Estimate:
    return Estimate(value=value, low=value, high=value, n=n, n_samples=n, unit=unit, spread_frac=0.0)


def _speed(record: Record) -> tuple[float, str]:
    value = stats.throughput(record)
    return (0.0 if value is None else value.value, record.cell.id)


def _rate(record: Record) -> tuple[float, str]:
    value = stats.flop_rate(record)
    return (0.0 if value is None else value.value, record.cell.id)


def _last_quality(run: Any) -> float | None:
    if run.status != "ok" or run.job is None or not run.job.epochs:
        return None
    return run.job.epochs[-1].quality


def _utilisation(record: Record) -> float | None:
    """Median of a GPU's utilisation over all samples of all runs."""
    samples = [value for run in record.runs for value in run.utilisation_frac or ()]
    return statistics.median(samples) if samples else None


def _sizes(evidence: Evidence, session: SessionResults, workload: str, mode: Mode) -> list[dict[str, Any]]:
    """Every size of a workload that ran on the session's GPU, as options of ``contrast``."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in evidence.records(session, workload=workload, mode=mode, device="gpu", status="ok"):
        cell = record.cell
        options = {"params": dict(cell.params), "batch_size": cell.batch_size}
        seen.setdefault((tuple(sorted(cell.params.items())), cell.batch_size), options)
    return [options for _, options in sorted(seen.items(), key=lambda item: str(item[0]))]


def _alike(evidence: Evidence, field: str) -> Iterator[tuple[SessionResults, list[Record]]]:
    """Groups of two or more measured cells of a session that differ in one field of the cell only."""
    names = ("workload", "mode", "backend", "device", "precision", "jit", "batch_size", "n_samples", "threads")
    for session in serious(evidence):
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in evidence.undisturbed(evidence.records(session, status="ok")):
            cell = record.cell
            if cell.mode not in ("train", "infer"):
                continue
            key = (*(getattr(cell, n) for n in names if n != field), tuple(sorted(cell.params.items())))
            groups.setdefault(key, []).append(record)
        for records in groups.values():
            if len(records) > 1:
                yield session, records


def _study_records(evidence: Evidence, workload: str, device: Device | None) -> Iterable[tuple[SessionResults, Record]]:
    """Measured cells of a study; a disturbed one only where no other was measured."""
    for session in serious(evidence):
        found = evidence.records(session, workload=workload, mode="study", device=device, status="ok")
        for record in evidence.undisturbed(found):
            yield session, record


def _study_name(evidence: Evidence, record: Record, session: SessionResults) -> str:
    cell = record.cell
    where = f"{fmt.backend(cell.backend)} on the {cell.device.upper()}"
    if any(r.cell.batch_size != cell.batch_size for _, r in _study_records(evidence, cell.workload, None)):
        where += f", batch {cell.batch_size}"
    distinct = fmt.params(evidence.distinct_params(record))
    return _placed(evidence, f"{where}{f', {distinct}' if distinct else ''}", session)


def _name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True) -> str:
    """A cell's task in words: title, mode where it is not training, and what tells it from the other sizes."""
    cell = record.cell
    words = _task(evidence, record)
    same = evidence.records(session, workload=cell.workload, mode=cell.mode, device=cell.device)
    if batch and any(r.cell.batch_size != cell.batch_size for r in same):
        words += f", batch {cell.batch_size}"
    return _placed(evidence, words, session)


def _task(evidence: Evidence, record: Record) -> str:
    """A cell's task without its batch size."""
    distinct = fmt.params(evidence.distinct_params(record))
    mode = ", inference" if record.cell.mode == "infer" else ""
    return evidence.title(record.cell.workload) + mode + (f" ({distinct})" if distinct else "")


def _arm_name(evidence: Evidence, record: Record, session: SessionResults, *, batch: bool = True) -> str:
    cell = record.cell
    return f"{_name(evidence, record, session, batch=batch)}, {fmt.backend(cell.backend)} on the {cell.device.upper()}"


def _placed(evidence: Evidence, words: str, session: SessionResults) -> str:
    return words if len(serious(evidence)) == 1 else f"{words}, on {evidence.label(session)}"
