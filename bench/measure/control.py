"""The control kernel, idle power, and the cores that the child may use."""

from __future__ import annotations

import os
from time import perf_counter, sleep
from typing import Any

from bench.machine import cores, meters
from bench.machine.nvml import GpuMeter
from bench.measure.backend import Adapter
from bench.measure.clock import CLOCK_DIGITS
from bench.schema import Cell, Control

# Side of the control kernel's matrices. On a CPU 2 GFLOP: long enough to time on one core, short enough not to heat it.
# On a GPU 137 GFLOP: some milliseconds of the fastest, so that it is the product that is timed and not its launch.
CONTROL_N = {"cpu": 1024, "gpu": 4096}
N_CONTROLS = 5
WAKE_S = 0.5  # an idle GPU's clock is a fraction of its own: the control kernel runs so long before it is timed
IDLE_S = 1.0  # NVML's power is a mean over the last second, and so is a reading of RAPL made here


def pin(threads: int) -> int | None:
    """Restrict this process to that many cores, each a physical one as long as there are enough.

    Returns:
        The number of cores that it may use, or None where the system has no affinity.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    os.sched_setaffinity(0, cores.core_order(os.sched_getaffinity(0))[:threads])
    return len(os.sched_getaffinity(0))


def time_control(keras: Any, backend: Adapter, cell: Cell) -> Control:
    """Time the control kernel after an uncounted product or, on a GPU, WAKE_S of them."""
    n = CONTROL_N[cell.device]
    x = keras.ops.full((n, n), 0.5, dtype="float32")

    def once() -> float:
        start = perf_counter()
        backend.wait(keras.ops.matmul(x, x))
        return round(perf_counter() - start, CLOCK_DIGITS)

    once()
    if cell.device == "gpu":
        until = perf_counter() + WAKE_S
        while perf_counter() < until:
            once()
    return Control(n=n, seconds=tuple(once() for _ in range(N_CONTROLS)))


def idle_power(gpu: GpuMeter, device: str) -> float | None:
    """Watts of the device while this process does nothing for IDLE_S: NVML's reading of a GPU, RAPL's of a CPU."""
    if device == "gpu":
        if gpu.handle is not None:
            sleep(IDLE_S)
        return gpu().power_w or None
    begin = meters.read_rapl()
    if begin is None:
        return None
    sleep(IDLE_S)
    end = meters.read_rapl()
    return meters.rapl_joules(begin, end) / IDLE_S or None if end else None
