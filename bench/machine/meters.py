"""Reads this process and this host while a run is going: memory, energy, utilisation, clocks. Reads /proc, NVML.

Every reader returns ``None`` where the host does not tell, never a guess from a data sheet.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.machine import cores
from bench.machine.nvml import GpuMeter, GpuReading
from bench.schema import Conditions

RAPL_ROOT = Path("/sys/class/powercap")
SAMPLE_EVERY_S = 0.1
MOST_SAMPLES = 60  # of a run that are kept, evenly over it
# A GPU's energy counter may not tick for a tenth of a second: over less than this its steps are a part of the reading.
SHORTEST_ENERGY_S = 2.0


class SteadyMeter:
    """Joules and, of a GPU, utilisation between ``start`` and ``stop``: what a run spends while it is steady.

    A study starts and stops it several times, and the joules add up. ``joules`` is None where no counter is readable
    or, on a GPU, where the counter's steps are too coarse for so short a time; ``why_no_joules`` says which.
    """

    def __init__(self, gpu: GpuMeter, device: str) -> None:
        """``device`` is the run's: "gpu" reads NVML, "cpu" the packages' RAPL counters."""
        self._gpu, self._device = gpu, device
        self._begin: Any = None
        self._since = 0.0
        self._sampler: Sampler | None = None
        self._joules: float | None = None
        self._seconds = 0.0
        self._samples: list[float] = []

    def start(self) -> None:
        """Read the counter, and on a GPU begin to sample."""
        if self._device == "gpu":
            self._begin = self._gpu().energy_j
            self._sampler = Sampler(self._gpu.utilisation).start()
        else:
            self._begin = read_rapl()
        self._since = perf_counter()

    def stop(self) -> None:
        """Add what was spent since the start."""
        self._seconds += perf_counter() - self._since
        if self._sampler is not None:
            self._samples += self._sampler.stop()
            self._sampler = None
        if self._begin is None:
            return
        spent = None
        if self._device == "gpu":
            end = self._gpu().energy_j
            spent = None if end is None else end - self._begin
        elif counters := read_rapl():
            spent = rapl_joules(self._begin, counters)
        if spent is not None and (spent or self._device == "gpu"):  # a virtual machine's counter may stand still
            self._joules = (self._joules or 0.0) + spent

    @property
    def joules(self) -> float | None:
        """Energy of all steady parts together."""
        if self._joules is None or self._device != "gpu":
            return self._joules
        return round(self._joules, 3) if self._seconds >= SHORTEST_ENERGY_S and self._joules > 0 else None

    @property
    def why_no_joules(self) -> str:
        """Why ``joules`` is None."""
        if self._seconds == 0:
            return "this study times its steps itself"
        if self._joules is None:
            return "no readable energy counter (NVML, RAPL)"
        return f"the steady part lasted {self._seconds:.1f} s, too short for the steps of the GPU's counter"

    @property
    def utilisation(self) -> tuple[float, ...]:
        """Samples of a GPU's utilisation, at most MOST_SAMPLES, evenly over the steady parts."""
        every = -(-len(self._samples) // MOST_SAMPLES) or 1
        return tuple(self._samples[::every])


def read_rapl(root: Path = RAPL_ROOT) -> dict[str, tuple[int, int]] | None:
    """Energy counters of the CPU packages: {domain: (microjoules, range)}; None when none can be read."""
    counters = {}
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            if not (folder / "name").read_text().startswith("package"):
                continue
            counters[folder.name] = (
                int((folder / "energy_uj").read_text()),
                int((folder / "max_energy_range_uj").read_text()),
            )
        except (OSError, ValueError):
            continue
    return counters or None


def rapl_joules(start: dict[str, tuple[int, int]], end: dict[str, tuple[int, int]]) -> float:
    """Energy between two readings, summed over packages. A counter that wrapped around once is mended."""
    total_uj = 0
    for domain, (before, span) in start.items():
        after = end[domain][0]
        total_uj += after - before if after >= before else after + span - before
    return total_uj / 1e6


def conditions(gpu: GpuReading) -> Conditions:
    """State of the host now."""
    return Conditions(
        load_1min=load_1min(),
        cpu_clock_hz=_cpu_clock(),
        cpu_temperature_c=_cpu_temperature(),
        gpu_clock_hz=gpu.clock_hz or None,
        gpu_temperature_c=gpu.temperature_c,
        gpu_throttle=gpu.throttle,
        n_gpu_processes=gpu.n_processes,
        n_throttled_periods=cores.throttled_periods(),
    )


def peak_host_bytes() -> int | None:
    """Largest resident size of this process so far.

    /proc is asked first: getrusage carries a parent's size over exec on Linux.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    except ImportError:
        pass
    try:
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    except (ImportError, AttributeError):
        return None


class Sampler:
    """Samples a reading every SAMPLE_EVERY_S in a thread. For GPU runs only: it costs a wake-up."""

    def __init__(self, read: Callable[[], float | None]) -> None:
        """Samples with ``read``; a reading of None is left out."""
        self._read = read
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._samples: list[float] = []

    def start(self) -> Sampler:
        """Start sampling."""
        self._thread.start()
        return self

    def stop(self) -> list[float]:
        """Stop sampling; the samples so far."""
        self._stop.set()
        self._thread.join()
        return self._samples

    def _loop(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            value = self._read()
            if value is not None:
                self._samples.append(value)


def load_1min() -> float | None:
    """Processes that compute or wait to, averaged over the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _cpu_clock() -> float | None:
    try:
        import psutil

        frequency = psutil.cpu_freq()
    except Exception:  # noqa: BLE001  psutil raises platform-specific errors where the kernel hides clocks
        return None
    return frequency.current * 1e6 if frequency and frequency.current else None


def _cpu_temperature() -> float | None:
    try:
        import psutil

        sensors = psutil.sensors_temperatures()
    except Exception:  # noqa: BLE001  absent on some platforms, unreadable on others
        return None
    for name in ("coretemp", "k10temp", "zenpower", "cpu_thermal"):
        if sensors.get(name):
            told = float(sensors[name][0].current)
            return told if told and -50 <= told <= 150 else None  # sensors that are not wired say 0, 255 or -128
    return None
