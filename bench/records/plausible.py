"""Readings that cannot be true, each rule a small function. Pure: records in, sentences out.

A rule refuses only what no machine can do or what a harness does when it is broken; what merely looks odd is flagged
elsewhere and kept. ``store.check`` and the site's build run every rule over every session.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.records import agree, check, copies, files, operations
from bench.records.agree import Found, finished, within
from bench.records.check import MEASURED, instant
from bench.schema import Block, Cell, Machine, Record

if TYPE_CHECKING:
    from bench.records.store import SessionResults

MOST_PROBLEMS = 5  # of a kind that are told of one file
LEAST_SIDE = 1024  # of a matrix product: smaller ones say little of what a machine can do
CEILING_FACTOR = 4.0  # over the matrix product's rate: Winograd's convolutions save up to 4 in 4 multiplications on
# paper (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016), and are counted as if they did not
N_IDENTICAL = 5  # equal readings of a fine clock: more are no readings
IDENTICAL_FROM_S = 1e-3  # below it, clocks that tick every 40 to 100 ns repeat themselves honestly
THREAD_FACTOR = 1.5  # over linear scaling; caches that add up can give a little more than linear
JOB_FACTOR = 0.4  # the shortest of 336 stored jobs took 0.89 of its steps at the run's fastest
FEW_STEPS = 10  # of a call of `predict` on a GPU: below, it is mostly what each call costs apart from its steps
FORWARD_FACTOR = 0.5  # a training step holds a forward pass; `predict` may cost more around it than `fit` does


def refusals(session: SessionResults) -> list[str]:
    """What a session and its readings cannot be, one line each."""
    found = [("machine", text) for text in check.machine_problems(session.machine)]
    found += [("session", text) for text in check.session_problems(session.session)]
    found += [("machine", ": ".join(pair)) for pair in agree.of_machine(session.machine)]
    found += [("session", ": ".join(pair)) for pair in agree.of_session(session.session, session.machine)]
    for cell_id, record in session.records.items():
        sitting = check.sitting_problems(record, session.session, session.machine)
        found += [(cell_id, text) for text in itertools.islice(sitting, MOST_PROBLEMS)]
        found += [(cell_id, ": ".join(pair)) for pair in agree.with_versions(record, session.session)]
    found += problems(session.records, session.machine)
    return [files.refusal(f"{session.path}/{name}.json", *text.split(": ", 1)) for name, text in found]


def problems(records: Mapping[str, Record], machine: Machine | None = None) -> Iterator[tuple[str, str]]:
    """Cell id and "JSON path: what cannot be true", over the records of one session.

    Records of the smoke size are not set against each other: their runs share the machine, and a cell may be slow next
    to another for that alone.
    """
    for cell_id, record in records.items():
        for rule in (*RECORD_RULES, *agree.RECORD_RULES):
            for at, text in rule(record):
                yield cell_id, f"{at}: {text}"
        if machine is not None:
            for at, text in (*more_memory_than_the_machine(record, machine), *agree.on_machine(record, machine)):
                yield cell_id, f"{at}: {text}"
    yield from copies.within(records)
    alone = {cell_id: record for cell_id, record in records.items() if record.profile != "smoke"}
    steps = seconds_per_step(alone)
    for session_rule in SESSION_RULES:
        for cell_id, text in session_rule(alone, steps):
            yield cell_id, f"$: {text}"


# Of one record.


def zero_for_missing(record: Record) -> Found:
    """A zero where nothing can be zero stands for "not measured", which is written as null with a reason."""
    for at, run in finished(record):
        for name in MEASURED:
            if name != "final_loss" and getattr(run, name) == 0:
                yield f"{at}.{name}", "expected above 0, or null with a reason; found 0"
        if run.total_s == 0:
            yield f"{at}.total_s", "expected above 0, found 0"
        for phase in ("import", "steady"):
            if run.phases_s.get(phase) == 0:
                yield f"{at}.phases_s.{phase}", "expected above 0, found 0"
        if run.job is not None and run.job.seconds == 0:
            yield f"{at}.job.seconds", "expected above 0, found 0"


def job_shorter_than_its_steps(record: Record) -> Found:
    """A whole training far shorter than as many of the same run's fastest steps."""
    n_per_epoch = record.cell.n_samples // record.cell.batch_size
    for at, run in finished(record):
        if run.job is not None and run.blocks:
            least = JOB_FACTOR * len(run.job.epochs) * n_per_epoch * min(b.seconds / b.n_steps for b in run.blocks)
            if run.job.done_s < least:
                told = f"expected at least {least:.3g} s, by the run's own steps; found {run.job.done_s:.3g}"
                yield f"{at}.job.epochs[{len(run.job.epochs) - 1}].at_s", told


def miscounted_product(record: Record) -> Found:
    """Operations of a matrix product that are not those of its size."""
    side = record.cell.params.get("n")
    counted = 2 * float(side) ** 3 if type(side) is int else None
    for at, run in finished(record) if record.cell.workload == "matmul" else ():
        if counted is None or run.flop_per_step != counted:
            yield f"{at}.flop_per_step", f"expected 2 n^3 with n = {side!r}, found {run.flop_per_step}"


def identical_samples(record: Record) -> Found:
    """Many equal readings of a fine clock: copied, invented, or a clock that stood still."""
    for at, run in finished(record):
        readings: dict[str, Sequence[float]] = {f"series.{name}": _seconds(b) for name, b in run.series.items()}
        readings |= {"blocks": _seconds(run.blocks), "warmup": _seconds(run.warmup), "latencies_s": run.latencies_s}
        readings["between_epochs_s"] = run.between_epochs_s
        controls = (run.control_before, run.control_after)
        readings["control_before.seconds"] = [second for one in controls if one for second in one.seconds]
        for name, seconds in readings.items():
            if len(seconds) - len(set(seconds)) < N_IDENTICAL:
                continue
            most = max((seconds.count(value) for value in set(seconds) if value >= IDENTICAL_FROM_S), default=0)
            if most > N_IDENTICAL and most > len(seconds) / 2:
                yield f"{at}.{name}", f"expected readings that differ, found {most} of {len(seconds)} equal"


def clock_backwards(record: Record) -> Found:
    """Parts that last longer than the whole, or a later event with an earlier time."""
    for at, run in finished(record):
        limit = within(run.total_s)
        phases = sum(run.phases_s.values())
        if phases > limit:
            yield f"{at}.phases_s", f"expected at most the run's {run.total_s} s together, found {phases}"
        job = run.job
        if job is None:
            continue
        if job.seconds > limit:
            yield f"{at}.job.seconds", f"expected at most the run's {run.total_s} s, found {job.seconds}"
        ends = [0.0, *(epoch.at_s for epoch in job.epochs)]
        for index, (before, end) in enumerate(itertools.pairwise(ends)):
            if end < before:
                yield f"{at}.job.epochs[{index}]", f"expected to end after {before} s, found {end}"
        if ends[-1] > within(job.seconds):
            yield f"{at}.job.epochs", f"expected to end within the job's {job.seconds} s, found {ends[-1]}"


def blocks_longer_than_the_phase(record: Record) -> Found:
    """Steady blocks are a part of the steady phase."""
    for at, run in finished(record):
        steady, phase = sum(_seconds(run.blocks)), run.phases_s.get("steady")
        if phase is not None and not run.series and steady > within(phase):
            yield f"{at}.blocks", f"expected at most the steady phase's {phase} s together, found {steady}"


def gpu_memory_on_a_cpu(record: Record) -> Found:
    """A run that held GPU memory did not run on the CPU alone."""
    if record.cell.device == "cpu":
        for at, run in finished(record):
            if run.peak_device_bytes:
                yield f"{at}.peak_device_bytes", f"expected null in a run on the CPU, found {run.peak_device_bytes}"


def more_memory_than_the_machine(record: Record, machine: Machine) -> Found:
    """Resident memory fits into the machine, the GPU's into its largest GPU."""
    device_bytes = max((gpu.memory_bytes or 0 for gpu in machine.gpus), default=0)
    for at, run in finished(record):
        if run.peak_host_bytes and 0 < machine.memory_bytes < run.peak_host_bytes:
            text = f"expected at most the machine's {machine.memory_bytes}, found {run.peak_host_bytes}"
            yield f"{at}.peak_host_bytes", text
        if run.peak_device_bytes and device_bytes and run.peak_device_bytes > device_bytes:
            yield f"{at}.peak_device_bytes", f"expected at most the GPU's {device_bytes}, found {run.peak_device_bytes}"


# Of one session: what two cells say together, by their seconds per step.


def at_the_same_time(records: Mapping[str, Record], _steps: Mapping[str, float]) -> Found:
    """Processes of one session follow each other."""
    runs = sorted((run.started_at, run.total_s, cell_id) for cell_id, record in records.items() for run in record.runs)
    for (began, total_s, first), (started_at, _, second) in itertools.pairwise(runs):
        before, now = instant(began), instant(started_at)
        if before and now and total_s > within((now - before).total_seconds()):
            text = f"expected no run before the end of that of {began} ({first}), {total_s:g} s long"
            yield second, f"{text}, found one at {started_at}"


def faster_than_the_ceiling(records: Mapping[str, Record], steps: Mapping[str, float]) -> Found:
    """Counted operations per second far above the same device's own matrix product: a clock that did not wait."""
    flops = {cell_id: flop for cell_id in _timed(steps) if (flop := _flop_per_step(records[cell_id]))}
    rates = {cell_id: flop / steps[cell_id] for cell_id, flop in flops.items()}
    products = [(records[cell_id].cell, rate) for cell_id, rate in rates.items() if _is_large_product(records[cell_id])]
    for cell_id, rate in rates.items():
        cell = records[cell_id].cell
        ceiling = max(1, cell.n_gpus) * max(
            (
                most
                for product, most in products
                if (product.device, product.precision) == (cell.device, cell.precision)
                and (cell.device == "gpu" or product.threads >= cell.threads)
            ),
            default=float("inf"),
        )
        if cell.workload != "matmul" and rate > CEILING_FACTOR * ceiling:
            text = f"{CEILING_FACTOR:g} times the matrix product's {ceiling:.3g} operations a second, found {rate:.3g}"
            yield cell_id, f"expected at most {text}"


def threads_beyond_linear(records: Mapping[str, Record], steps: Mapping[str, float]) -> Found:
    """Cores that give far more than their number: one of the two cells did not do its work, or had no room to."""
    for first, second in _pairs(records, _timed(steps), but="threads"):
        a, b = records[first].cell, records[second].cell
        if a.device != "cpu" or a.threads >= b.threads:
            continue
        gain, more = steps[first] / steps[second], b.threads / a.threads
        if gain > THREAD_FACTOR * more:
            text = f"expected at most {THREAD_FACTOR * more:.3g} times the speed of {a.threads} threads"
            yield second, f"{text} ({first}), found {gain:.3g}"


def training_shorter_than_its_forward_pass(records: Mapping[str, Record], steps: Mapping[str, float]) -> Found:
    """A training step holds the forward pass that inference is, and the backward pass on top."""
    for first, second in _pairs(records, _timed(steps), but="mode"):
        cell = records[second].cell
        if (records[first].cell.mode, cell.mode) != ("train", "infer"):
            continue
        if cell.device == "gpu" and cell.n_samples < FEW_STEPS * cell.batch_size:
            continue
        train, infer = steps[first], steps[second]
        if train < FORWARD_FACTOR * infer:
            text = f"expected a training step of at least {FORWARD_FACTOR:g} of the forward pass's {infer:.3g} s"
            yield first, f"{text} ({second}), found {train:.3g}"


RECORD_RULES: tuple[Callable[[Record], Found], ...] = (
    zero_for_missing,
    job_shorter_than_its_steps,
    miscounted_product,
    identical_samples,
    clock_backwards,
    blocks_longer_than_the_phase,
    gpu_memory_on_a_cpu,
)
SESSION_RULES: tuple[Callable[[Mapping[str, Record], Mapping[str, float]], Found], ...] = (
    at_the_same_time,
    faster_than_the_ceiling,
    threads_beyond_linear,
    training_shorter_than_its_forward_pass,
)


def _seconds(blocks: Sequence[Block]) -> list[float]:
    return [block.seconds for block in blocks]


def seconds_per_step(records: Mapping[str, Record]) -> dict[str, float]:
    """Of each cell; infinite where it has no steps."""
    return {cell_id: _step_s(record) for cell_id, record in records.items()}


def _step_s(record: Record) -> float:
    """Median over runs of each run's median seconds per step; infinite without blocks, so that no rule fires."""
    medians = [
        statistics.median(block.seconds / block.n_steps for block in run.blocks)
        for _, run in finished(record)
        if run.blocks and all(block.n_steps > 0 for block in run.blocks)
    ]
    return statistics.median(medians) if medians else float("inf")


def _is_large_product(record: Record) -> bool:
    side = record.cell.params.get("n", 0)
    return record.cell.workload == "matmul" and isinstance(side, int) and side >= LEAST_SIDE


def _flop_per_step(record: Record) -> float | None:
    return next((flop for _, run in finished(record) if (flop := operations.flop_per_step(record, run))), None)


def _timed(steps: Mapping[str, float]) -> list[str]:
    """Cells that have steps."""
    return [cell_id for cell_id, step_s in steps.items() if 0 < step_s < float("inf")]


def _pairs(records: Mapping[str, Record], cell_ids: Iterable[str], *, but: str) -> Iterator[tuple[str, str]]:
    """Ordered pairs of measured cells that agree in every field but one."""
    groups: dict[tuple[str | int, ...], list[str]] = {}
    for cell_id in cell_ids:
        if records[cell_id].status != "ok":
            continue
        cell = records[cell_id].cell
        fields = [getattr(cell, name) for name in Cell.__struct_fields__ if name not in (but, "params")]
        groups.setdefault((*fields, repr(sorted(cell.params.items()))), []).append(cell_id)
    for group in groups.values():
        yield from ((a, b) for a in group for b in group if a != b)
