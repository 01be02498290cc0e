"""Reads this process and this host while a run is going: memory, energy, utilisation, clocks. Reads /proc, NVML.

Every reader returns ``None`` where the host does not tell, never a guess from a data sheet.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.schema import Conditions

RAPL_ROOT = Path("/sys/class/powercap")
SAMPLE_EVERY_S = 1.0


class GpuReading(NamedTuple):
    """What NVML says of one GPU at one instant; None where the driver refuses."""

    clock_hz: float | None
    temperature_c: float | None
    throttle: str | None
    n_processes: int | None
    energy_j: float | None
    power_w: float | None
    utilisation_frac: float | None


NO_GPU = GpuReading(None, None, None, None, None, None, None)

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons that mean "held back", from NVML's header nvml.h.
# Idle (bit 0), application clocks (1) and sync boost (4) are states, not limits.
THROTTLE_BITS = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}


def throttle_reason(bits: int) -> str:
    """NVML's bit mask in words; an empty text when nothing holds the GPU back."""
    return ", ".join(text for bit, text in THROTTLE_BITS.items() if bits & bit)


def read_gpu(nvml: Any, handle: Any) -> GpuReading:
    """One reading through a pynvml-like module; a call that the driver refuses yields None, nothing else is lost."""

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except nvml.NVMLError:
            return None

    bits = attempt(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    clock = attempt(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))
    energy = attempt(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    power = attempt(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    utilisation = attempt(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    processes = attempt(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    others = None if processes is None else sum(process.pid != os.getpid() for process in processes)
    return GpuReading(
        clock_hz=None if clock is None else clock * 1e6,  # MHz
        temperature_c=attempt(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        throttle=None if bits is None else throttle_reason(bits),
        n_processes=others,
        energy_j=None if energy is None else energy / 1e3,  # mJ since the driver was loaded
        power_w=None if power is None else power / 1e3,  # mW
        utilisation_frac=None if utilisation is None else utilisation / 100,
    )


@contextlib.contextmanager
def gpu_meter(device: str) -> Iterator[Callable[[], GpuReading]]:
    """A function that reads the first visible GPU; one that always returns NO_GPU on a CPU or without NVML."""
    if device != "gpu":
        yield lambda: NO_GPU
        return
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  no bindings, no library, no driver: all mean "not readable"
        yield lambda: NO_GPU
        return
    try:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(visible) if visible.isdigit() else 0)
        yield lambda: read_gpu(pynvml, handle)
    finally:
        pynvml.nvmlShutdown()


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
        load_1min=_load(),
        cpu_clock_hz=_cpu_clock(),
        cpu_temperature_c=_cpu_temperature(),
        gpu_clock_hz=gpu.clock_hz,
        gpu_temperature_c=gpu.temperature_c,
        gpu_throttle=gpu.throttle,
        n_gpu_processes=gpu.n_processes,
        n_throttled_periods=throttled_periods(),
    )


def throttled_periods(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How often the cgroup's CPU quota has stopped this process so far (cpu.stat nr_throttled)."""
    for path in (root / "cpu.stat", root / "cpu" / "cpu.stat"):
        try:
            for line in path.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "nr_throttled":
                    return int(value)
        except (OSError, ValueError):
            continue
    return None


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

        return psutil.Process().memory_info().peak_wset
    except (ImportError, AttributeError):
        return None


class Sampler:
    """Samples a reading once a second in a thread while a block of code runs. For GPU runs only: it costs a wake-up."""

    def __init__(self, read: Callable[[], float | None]) -> None:
        """Samples with ``read``; a reading of None is left out."""
        self._read = read
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.samples: list[float] = []

    def __enter__(self) -> Sampler:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling; ``samples`` is complete then."""
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            value = self._read()
            if value is not None:
                self.samples.append(value)


def _load() -> float | None:
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
            return float(sensors[name][0].current)
    return None
