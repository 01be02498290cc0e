"""The child: one process, one run of one cell. The only module that imports keras; phases live here.

Started by ``bench.session.launch`` as ``python -m bench.measure REQUEST RESULT`` in an environment that
the parent has set.
The clock stops only after the device has finished: every block of steps ends with a synchronisation.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from bench.machine import meters, nvml, owner
from bench.measure import backend as backends
from bench.measure import control, observe, study, train
from bench.measure import probe as measure_probe
from bench.measure.clock import CLOCK_DIGITS, Clock
from bench.records.codec import encode
from bench.schema import DataUnavailableError, Phase, Request, Run, Status

# How the frameworks and their libraries say that memory ran out, in lower case and without underscores.
OUT_OF_MEMORY = (
    "resourceexhausted",
    "out of memory",
    "outofmemory",
    "oom when allocating",
    "unable to allocate",
    "can't allocate memory",
    "statusallocfailed",
)


def execute(request: Request) -> Run:
    """Do one run and describe it. Raises whatever the framework raises; ``main`` turns that into a run."""
    cell = request.cell
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    cores = control.pin(cell.threads)
    unmeasured: dict[str, str] = {}
    phases: dict[Phase, float] = {}
    keras, backend = _start(request, phases)

    with nvml.gpu_meter(cell.device) as gpu:
        idle_w = control.idle_power(gpu, cell.device)
        before = meters.conditions(gpu())
        control_before = control.time_control(keras, backend, cell)
        if cell.device == "gpu":  # the clock of an idle one says nothing of the run
            before = meters.conditions(gpu())
        held_bytes = backend.forget_peak() if cell.device == "gpu" else 0
        steady = meters.SteadyMeter(gpu, cell.device)
        measured = MEASURE[request.kind](keras, backend, request, phases, steady)
        control_after = control.time_control(keras, backend, cell)
        after = meters.conditions(gpu())
    clock: Clock | None = measured.get("clock")
    if clock is not None:
        phases["warmup"], phases["steady"] = clock.warmup_s, clock.steady_s
    if clock is not None and clock.first_step_s is not None:
        phases["first_step"] = clock.first_step_s

    observed = observe.observe(keras, backend, request, measured, cores, unmeasured)
    observe.check_as_asked(request, observed)
    read = _quantities(request, backend, measured, steady, held_bytes) | {
        "idle_w": (idle_w, "no readable power counter (NVML, RAPL)")
    }
    unmeasured |= {name: reason for name, (value, reason) in read.items() if value is None}
    return Run(
        index=request.index,
        order=request.order,
        status="ok",
        started_at=started_at,
        total_s=0.0,  # the parent fills it in from its own clock
        phases_s={name: round(seconds, CLOCK_DIGITS) for name, seconds in phases.items()},
        warmup=tuple(clock.warmup) if clock else (),
        steady=clock.steady if clock else measured.get("steady"),
        blocks=tuple(clock.blocks) if clock else (),
        latencies_s=tuple(measured.get("latencies") or (clock.latencies_s if clock else ())),
        between_epochs_s=tuple(clock.paused_s) if clock else (),
        series=measured.get("series", {}),
        first_s=measured.get("first_s", {}),
        readings=measured.get("readings", {}),
        n_samples_per_step=measured["n_samples_per_step"],
        observed=observed,
        control_before=control_before,
        control_after=control_after,
        before=before,
        after=after,
        unmeasured=unmeasured,
        **{name: value for name, (value, _) in read.items()},
    )


def _start(request: Request, phases: dict[Phase, float]) -> tuple[Any, backends.Adapter]:
    """Keras and its backend, imported, set up and found to compute on the device that was asked for."""
    start = perf_counter()
    import keras

    backend = backends.load(request.cell.backend)
    phases["import"] = perf_counter() - start
    backend.configure(keras, request)
    start = perf_counter()
    first = keras.ops.ones((1,)) + 1.0
    backend.wait(first)
    phases["device_start"] = perf_counter() - start
    backend.check_device(request.cell, first)
    return keras, backend


def _quantities(
    request: Request, backend: backends.Adapter, measured: dict[str, Any], steady: meters.SteadyMeter, held_bytes: int
) -> dict[str, tuple[Any, str]]:
    """By field of a run, what may not be known, and the reason where it is None."""
    on_gpu = request.cell.device == "gpu"
    return {
        "energy_j": (steady.joules, steady.why_no_joules),
        "utilisation_frac": (steady.utilisation or None, "no sample from NVML while steady" if on_gpu else "GPU only"),
        "peak_device_bytes": (
            backend.peak_device_bytes(held_bytes) if on_gpu else (None, "a CPU run uses host memory")
        ),
        "peak_host_bytes": (meters.peak_host_bytes(), "the operating system does not tell"),
        "flop_per_step": (measured.get("flop"), "counted for probes only"),
        "n_params": (measured.get("n_params"), f"a {request.kind} has no model of its own"),
        "final_loss": (measured.get("loss"), "no training step in this run"),
        "job": (measured.get("job"), "this cell times steps, not a whole job"),
    }


MEASURE = {"model": train.measure_model, "probe": measure_probe.measure_probe, "study": study.measure_study}


def describe_failure(error: BaseException) -> tuple[Status, str]:
    """Status and reason of a run that ended with an error: its type and first line, without names of this machine.

    Data that cannot be had here is no failure: such a run is skipped, and its reason is the message alone.
    """
    text = str(error).strip() or type(error).__name__
    lower = f"{type(error).__name__} {text}".lower().replace("_", "")
    is_memory = isinstance(error, MemoryError) or any(word in lower for word in OUT_OF_MEMORY)
    is_skipped = isinstance(error, DataUnavailableError)
    line = text.splitlines()[0] if is_skipped else f"{type(error).__name__}: {text.splitlines()[0]}"
    return "skipped" if is_skipped else ("out_of_memory" if is_memory else "failed"), owner.impersonal(line)


def main(request_path: str, result_path: str) -> None:
    """Execute the request in one file and leave the run in the other, whatever happens."""
    request = msgspec.json.decode(Path(request_path).read_bytes(), type=Request)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        run = execute(request)
    except Exception as error:  # noqa: BLE001  a failing cell is a record, not a crash
        import traceback

        traceback.print_exc()
        status, reason = describe_failure(error)
        run = Run(
            index=request.index, order=request.order, status=status, reason=reason, started_at=started_at, total_s=0.0
        )
    temporary = Path(f"{result_path}.tmp")
    temporary.write_bytes(encode(run))
    os.replace(temporary, result_path)
