"""What fields of a record say of each other, of their session and their machine. Pure: structs in, sentences out.

Each bound leaves room for whatever an honest machine may do; what lies beyond is a slip of a hand or an invention.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from bench.records import operations
from bench.schema import Block, Conditions, Control, Machine, Observed, Record, Run, Session, Target

SLACK_S = 0.05  # clocks of two processes, and rounding
SLACK_FRAC = 0.01
LEAST_PROCESS_BYTES = 2**20  # of any Python
LEAST_MACHINE_BYTES = 2**26  # none runs Python and a framework with less
FLOAT32_BYTES = 4
LEAST_WEIGHT_BYTES = 2  # of a parameter, in any precision of ours
LEAST_STEP_S = 1e-8  # a call of Python takes several times as long
MOST_FLOP_PER_S = {"cpu": 1e13, "gpu": 1e17}  # of one thread, with its core's matrix unit; of one GPU; in any precision
# Over the control kernel's rate: a small product that many cores share badly may reach an eighth of what a large one
# does; tensor cores, which the kernel never has, give up to 15 times in tf32 and 30 times in half precision.
OVER_CONTROL = {"float32-strict": 16.0, "tf32": 32.0, "mixed_bfloat16": 64.0, "mixed_float16": 64.0}
LEAST_CONTROL = 1024  # side of a control kernel that says something of a device's rate
MOST_WATTS = 1e3  # of a machine's processors beside CORE_WATTS for each core, or of a GPU whose limit is not known
CORE_WATTS = 10.0
LEAST_WATTS = 0.01  # a hundredth of what the smallest board that runs Python takes
OVER_LIMIT = 1.5  # a GPU goes beyond its power limit for instants only
FIELDS_IN_WORDS = {*Run.__struct_fields__, *Observed.__struct_fields__, *Conditions.__struct_fields__}

Found = Iterator[tuple[str, str]]  # JSON path below the record, and what is wrong there


def within(whole_s: float) -> float:
    """The most that parts of so many seconds may last together."""
    return whole_s * (1 + SLACK_FRAC) + SLACK_S


def finished(record: Record) -> list[tuple[str, Run]]:
    """JSON path and run of every finished run."""
    return [(f"$.runs[{number}]", run) for number, run in enumerate(record.runs) if run.status == "ok"]


def outcome(record: Record) -> Found:
    """Status and reason of a record and its runs tell one story; a text under ``unmeasured`` belongs to a null."""
    good = [run for run in record.runs if run.status == "ok"]
    if record.status != "ok" and good:
        yield "$.status", f"expected 'ok', of which {len(good)} runs are, found {record.status!r}"
    if record.reason and record.runs and len(good) == len(record.runs):
        yield "$.reason", f"expected an empty text where all runs are 'ok', found {record.reason[:60]!r}"
    if record.status != "ok" and not good and record.status not in ({r.status for r in record.runs} or {"skipped"}):
        yield "$.status", f"expected that of a run, or 'skipped' without any, found {record.status!r}"
    for number, run in enumerate(record.runs):
        at = f"$.runs[{number}]"
        bare = {name: getattr(run, name) for name in ("index", "order", "status", "reason", "started_at", "total_s")}
        if run.status != "ok" and run != Run(**bare):
            yield at, f"expected no readings of a run that is {run.status!r}, found some"
        if (run.status == "ok") == bool(run.reason):
            yield f"{at}.reason", f"expected a text unless the status is 'ok', found {run.reason[:60]!r}"
        for name, text in run.unmeasured.items():
            if name not in FIELDS_IN_WORDS or not text:
                yield f"{at}.unmeasured", f"expected a field's name and why it is null, found {name[:60]!r}"
            elif getattr(run, name, None) is not None:
                yield f"{at}.unmeasured.{name}", f"expected none beside a value, found {text[:60]!r}"
    for name in ("n_params", "flop_per_step"):
        if len(values := {getattr(run, name) for run in good}) > 1:
            yield "$.runs", f"expected one {name} in all, found {' and '.join(map(str, values))}"
    starts = [run.started_at for run in good]
    if record.profile != "smoke" and len(set(starts)) < len(starts):
        yield "$.runs", "expected processes one after the other, found two that start at one instant"


def waits(record: Record) -> Found:
    """No part of a run lasts longer than the run, with those that were cut from its arrays."""
    for at, run in finished(record):
        steady = [block.seconds for blocks in (run.blocks, *run.series.values()) for block in blocks]
        limit = within(run.total_s)
        apart, longest = run.job.seconds if run.job else 0.0, 0.0  # of parts that do not overlap
        for name, seconds, n_dropped in (
            ("warmup", [block.seconds for block in run.warmup], 0),
            ("blocks", steady, run.n_blocks_dropped),
            ("latencies_s", run.latencies_s, run.n_latencies_dropped),
            ("between_epochs_s", run.between_epochs_s, run.n_between_epochs_dropped),
            ("first_s", [max(run.first_s.values(), default=0.0)], 0),
            ("control_before", run.control_before.seconds if run.control_before else (), 0),
            ("control_after", run.control_after.seconds if run.control_after else (), 0),
        ):
            kept = sum(seconds)
            least = kept + n_dropped * min(seconds, default=0.0) if n_dropped else kept
            longest = max(longest, least)
            apart += 0.0 if name in ("latencies_s", "first_s") else kept
            if least > limit:
                cut = f", with {n_dropped} cut" if n_dropped else ""
                yield f"{at}.{name}", f"expected at most the run's {run.total_s} s together, found {least}{cut}"
            if n_dropped and not seconds:
                yield f"{at}.{name}", f"expected some of {n_dropped} that were cut, found none"
        if longest <= limit < apart:
            yield at, f"expected parts of at most the run's {run.total_s:g} s together, found {apart:g}"


def job(record: Record) -> Found:
    """A job ends at its target or at its last epoch, and each epoch holds its own evaluation."""
    target = record.spec.target
    for at, run in finished(record):
        if run.job is None:
            continue
        before_s = 0.0
        for number, epoch in enumerate(run.job.epochs):
            if epoch.evaluation_s > within(max(0.0, epoch.at_s - before_s)):
                text = f"expected at most the epoch's {epoch.at_s - before_s} s, found {epoch.evaluation_s}"
                yield f"{at}.job.epochs[{number}][3]", text
            if (epoch.quality is None) != (target is None):
                words = "null without a target" if target is None else "the target's metric"
                yield f"{at}.job.epochs[{number}][1]", f"expected {words}, found {epoch.quality}"
            before_s = epoch.at_s
        yield from _reached(run, target, at)


def _reached(run: Run, target: Target | None, at: str) -> Found:
    assert run.job is not None, "asked of jobs only"
    qualities = [epoch.quality or 0.0 for epoch in run.job.epochs]
    expected = None if target is None else any(quality >= target.at_least for quality in qualities)
    if run.job.reached is not expected:
        yield f"{at}.job.reached", f"expected {expected} by its epochs, found {run.job.reached}"
    if target is None:
        return
    if len(qualities) > target.max_epochs:
        yield f"{at}.job.epochs", f"expected at most the target's {target.max_epochs}, found {len(qualities)}"
    if any(quality >= target.at_least for quality in qualities[:-1]):
        yield f"{at}.job.epochs", f"expected to end with the first that reaches {target.at_least}, found more"


def speed(record: Record) -> Found:
    """Nothing is faster than any device: steps, counted operations, the control kernel."""
    cell = record.cell
    most = MOST_FLOP_PER_S[cell.device] * (cell.n_gpus or cell.threads)
    per_sample = operations.at_least(record, operations.half(cell.mode))
    for at, run in finished(record):
        if run.n_samples_per_step != cell.batch_size:
            text = f"expected the batch of {cell.batch_size}, found {run.n_samples_per_step}"
            yield f"{at}.n_samples_per_step", text
        parts = {"warmup": run.warmup, "blocks": run.blocks}
        parts |= {f"series.{name}": blocks for name, blocks in run.series.items()}
        fastest = {name: _fastest(blocks) for name, blocks in parts.items()}
        for name, step_s in fastest.items():
            if step_s < LEAST_STEP_S:
                yield f"{at}.{name}", f"expected at least {LEAST_STEP_S:g} s a step, found {step_s:.3g}"
        rate = operations.flop_per_step(record, run) / min(fastest["blocks"], fastest["warmup"])
        near = min(most, OVER_CONTROL[cell.precision] * _control_rate(run) * max(1, cell.n_gpus))
        if rate > near:
            yield f"{at}.blocks", f"expected at most {near:.3g} operations a second, found {rate:.3g}"
        if run.job and (rate := per_sample * cell.n_samples * len(run.job.epochs) / run.job.done_s) > most:
            yield f"{at}.job.epochs", f"expected at most {most:g} operations a second, found {rate:.3g}"
        yield from _control(run, most, at, 1 if record.profile == "smoke" else LEAST_CONTROL)


def _control_rate(run: Run) -> float:
    """Operations per second of the fastest control kernel; infinite without a large one, so that no rule fires."""
    controls = [one for one in (run.control_before, run.control_after) if one and one.n >= LEAST_CONTROL]
    return max((2.0 * one.n**3 / min(one.seconds) for one in controls), default=math.inf)


def _control(run: Run, most: float, at: str, least_n: int) -> Found:
    for name in ("control_before", "control_after"):
        control: Control | None = getattr(run, name)
        if control is not None and (rate := 2.0 * control.n**3 / min(control.seconds)) > most:
            yield f"{at}.{name}.seconds", f"expected at most {most:g} operations a second, found {rate:.3g}"
        if control is None or control.n < least_n:
            text = f"expected the control kernel, at least {least_n} wide; found {control and control.n}"
            yield f"{at}.{name}", text
    if run.control_before and run.control_after:
        sizes = [(control.n, len(control.seconds)) for control in (run.control_before, run.control_after)]
        for name, was, is_ in zip(("n", "seconds"), *sizes, strict=True):
            if was != is_:
                yield f"{at}.control_after.{name}", f"expected the {was} of before, found {is_}"


def meters(record: Record) -> Found:
    """Counters only count up, and what belongs to a GPU is null in a run on the CPU."""
    for at, run in finished(record):
        ends = [end.n_throttled_periods for end in (run.before, run.after) if end is not None]
        if len(ends) == 2 and None not in ends and (ends[1] or 0) < (ends[0] or 0):
            yield f"{at}.after.n_throttled_periods", f"expected at least the {ends[0]} of before, found {ends[1]}"
        for name, field in itertools.product(("before", "after"), ("cpu_temperature_c", "gpu_temperature_c")):
            if getattr(getattr(run, name), field, None) == 0:
                yield f"{at}.{name}.{field}", "expected null for a sensor that tells nothing, found 0"
        if record.cell.device != "cpu":
            continue
        if run.utilisation_frac is not None:
            yield f"{at}.utilisation_frac", f"expected null on the CPU, found {len(run.utilisation_frac)} readings"


def observed(record: Record) -> Found:
    """The process checks itself that it ran what the cell says, and fails where it did not."""
    cell, kind = record.cell, record.spec.kind
    for at, run in finished(record):
        seen = run.observed
        if seen is None:
            continue
        asked: dict[str, object] = {"jit": cell.jit}
        if seen.n_cores_affinity is not None:
            asked["n_cores_affinity"] = cell.threads
        if cell.device == "cpu":
            asked |= {"device_name": "CPU", "tf32": None}
        elif kind != "study" and cell.precision in ("float32-strict", "tf32"):
            asked["tf32"] = cell.precision == "tf32"
        if kind == "model":  # mixed precision keeps its weights so too
            asked["weight_dtype"] = "float32"
        if kind != "study" and not cell.precision.startswith("mixed_"):
            asked["output_dtype"] = "float32"
        for name, expected in asked.items():
            if (value := getattr(seen, name)) != expected:
                yield f"{at}.observed.{name}", f"expected {expected!r}, found {value!r}"
        if cell.device == "gpu" and seen.device_name == "CPU":
            yield f"{at}.observed.device_name", "expected a GPU's name, found 'CPU'"
        if seen.n_physical_cores and seen.n_cores_affinity and seen.n_physical_cores > seen.n_cores_affinity:
            text = f"expected at most the {seen.n_cores_affinity} it may use, found {seen.n_physical_cores}"
            yield f"{at}.observed.n_physical_cores", text


def spec(record: Record) -> Found:
    """The copy of the workload keeps one profile's variants, and every series and reading once."""
    if set(record.spec.variants) != {record.profile}:
        yield "$.spec.variants", f"expected {record.profile!r} alone, found {', '.join(record.spec.variants) or 'none'}"
    for name in ("series", "readings"):
        ids = [item.id for item in getattr(record.spec, name)]
        if len(set(ids)) < len(ids):
            yield f"$.spec.{name}", f"expected every id once, found {', '.join(ids)[:80]}"


def on_machine(record: Record, machine: Machine) -> Found:
    """A run has no more cores, GPUs or power than its machine."""
    cell, most_cores = record.cell, machine.n_logical_cores
    limits = sorted((gpu.power_limit_w or MOST_WATTS) * OVER_LIMIT for gpu in machine.gpus)
    device_bytes = sum(gpu.memory_bytes or 0 for gpu in machine.gpus)
    watts = MOST_WATTS + CORE_WATTS * most_cores
    if cell.device == "gpu":
        watts = sum(limits[len(limits) - cell.n_gpus :])
    least_params = operations.at_least(record, "forward_step_bytes") / FLOAT32_BYTES  # that a forward pass reads
    if record.status == "ok" and cell.threads > most_cores:
        yield "$.cell.threads", f"expected at most the machine's {most_cores}, found {cell.threads}"
    if record.status == "ok" and cell.n_gpus > len(machine.gpus):
        yield "$.cell.params.gpus", f"expected at most the machine's {len(machine.gpus)}, found {cell.n_gpus}"
    for at, run in finished(record):
        for name in ("n_threads", "n_cores_affinity", "n_physical_cores"):
            value = getattr(run.observed, name, None)
            if value is not None and value > most_cores:
                yield f"{at}.observed.{name}", f"expected at most the machine's {most_cores} cores, found {value}"
        if run.peak_host_bytes is not None and run.peak_host_bytes < LEAST_PROCESS_BYTES:
            yield f"{at}.peak_host_bytes", f"expected at least {LEAST_PROCESS_BYTES}, found {run.peak_host_bytes}"
        held = run.peak_host_bytes if cell.device == "cpu" else (run.peak_device_bytes or 0) * cell.n_gpus
        room = held or machine.memory_bytes + device_bytes
        if run.n_params is not None and 0 < room < LEAST_WEIGHT_BYTES * run.n_params:
            text = f"expected each in {LEAST_WEIGHT_BYTES} of at most {room} bytes that were used"
            yield f"{at}.n_params", f"{text}, found {run.n_params}"
        if run.n_params is not None and run.n_params < least_params:
            yield f"{at}.n_params", f"expected at least the network's {least_params:g}, found {run.n_params}"
        yield from _power(run, watts, at)
        if machine.gpus:
            continue
        for name, field in itertools.product(("before", "after"), GPU_CONDITIONS):
            if getattr(getattr(run, name), field, None) is not None:
                yield f"{at}.{name}.{field}", "expected null on a machine without a GPU, found a value"


def _power(run: Run, most_w: float, at: str) -> Found:
    """Power is neither that of no machine nor of none at all; a counter that stands still tells nothing."""
    if run.idle_w is not None and not LEAST_WATTS <= run.idle_w <= most_w:
        yield f"{at}.idle_w", f"expected {LEAST_WATTS:g} to {most_w:g} W, or null with a reason; found {run.idle_w:g}"
    least = LEAST_WATTS * sum(block.seconds for blocks in (run.blocks, *run.series.values()) for block in blocks)
    if run.energy_j is not None and run.energy_j > most_w * within(run.total_s):
        text = f"expected at most {most_w:g} W for the run's {run.total_s:g} s, found {run.energy_j:g} J"
        yield f"{at}.energy_j", text
    elif run.energy_j is not None and run.energy_j < least:
        yield f"{at}.energy_j", f"expected at least {least:.3g} J, or null with a reason; found {run.energy_j:g}"


GPU_CONDITIONS = tuple(name for name in Conditions.__struct_fields__ if "gpu" in name)


def of_machine(machine: Machine) -> Found:
    """What its driver tells of a GPU, and why of what it does not."""
    yield from _in_words(machine, ("n_physical_cores", "virtual"))
    if machine.memory_bytes == 0 and not machine.unmeasured.get("memory_bytes"):
        yield "$.unmeasured.memory_bytes", "expected the reason why memory_bytes is 0, found none"
    if 0 < machine.memory_bytes < LEAST_MACHINE_BYTES:
        yield "$.memory_bytes", f"expected 0 or at least {LEAST_MACHINE_BYTES}, found {machine.memory_bytes}"
    if len(set(machine.cpu_flags)) < len(machine.cpu_flags):
        yield "$.cpu_flags", "expected every flag once, found one twice"


def of_session(session: Session, machine: Machine) -> Found:
    """A session has no more cores than its machine lets it have, and plans every cell once."""
    yield from _in_words(session, ("n_cores_affinity", "cgroup_quota_cores", "commit", "dirty"))
    if session.n_cores_visible > machine.n_logical_cores:
        text = f"expected at most the machine's {machine.n_logical_cores}, found {session.n_cores_visible}"
        yield "$.n_cores_visible", text
    if session.n_cores_affinity is not None and session.n_cores_affinity > session.n_cores_visible:
        text = f"expected at most the {session.n_cores_visible} that are visible, found {session.n_cores_affinity}"
        yield "$.n_cores_affinity", text
    if session.n_cores_affinity is not None and session.n_cores_effective > session.n_cores_affinity:
        text = f"expected at most the {session.n_cores_affinity} of the affinity, found {session.n_cores_effective}"
        yield "$.n_cores_effective", text
    quota = session.cgroup_quota_cores
    if quota is not None and session.n_cores_effective > max(1.0, quota + 1):
        yield "$.n_cores_effective", f"expected at most the quota's {quota:g}, found {session.n_cores_effective}"
    ids = [cell.cell_id for cell in session.plan]
    if len(set(ids)) < len(ids):
        yield "$.plan", "expected every cell once, found one twice"


def with_versions(record: Record, session: Session) -> Found:
    """A session names the version of every backend that it measured."""
    if record.status == "ok" and record.cell.backend not in session.versions:
        yield "$.cell.backend", f"expected one of the session's versions, found {record.cell.backend!r}"


def _in_words(described: Machine | Session, names: Sequence[str]) -> Found:
    for name in names:
        if getattr(described, name) is None and not described.unmeasured.get(name):
            yield f"$.unmeasured.{name}", f"expected the reason why {name} is null, found none"
    for name in described.unmeasured:
        if name not in described.__struct_fields__:
            yield "$.unmeasured", f"expected names of fields, found {name[:60]!r}"
        elif getattr(described, name) not in (None, 0):
            yield f"$.unmeasured.{name}", "expected none beside a value, found a text"


def _fastest(blocks: Sequence[Block]) -> float:
    """Seconds per step of the fastest block; infinite without any, so that no rule fires."""
    return min([block.seconds / block.n_steps for block in blocks], default=math.inf)


RECORD_RULES = (outcome, waits, job, speed, meters, observed, spec)
