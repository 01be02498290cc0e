"""The one reader of GPUs: NVIDIA's through NVML, Apple's by platform. Asks the driver; imports no framework.

What the driver refuses is None, never a guess.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bench.machine import cpu
from bench.schema import Gpu

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons that mean "held back", from NVML's header nvml.h.
# Idle (bit 0), application clocks (1) and sync boost (4) are states, not limits.
THROTTLE_BITS = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}


class GpuReading(NamedTuple):
    """What NVML says of one GPU at one instant; None where the driver refuses."""

    clock_hz: float | None
    temperature_c: float | None
    throttle: str | None
    n_processes: int | None
    energy_j: float | None
    power_w: float | None
    utilisation_frac: float | None


# The driver's library answers, is there and does not start, is not there; or nothing here can ask it.
State = Literal["answers", "silent", "no library", "no binding"]
NO_GPU = GpuReading(None, None, None, None, None, None, None)


@dataclass(frozen=True, slots=True)
class Nvml:
    """A pynvml-like module that is initialised; without one, whatever is asked gives None."""

    module: Any = None
    error: str = ""  # what a driver says that should answer and does not
    state: State = "answers"
    refused: dict[str, str] = field(default_factory=dict)  # calls that gave nothing, and why

    def ask(self, name: str, *arguments: Any) -> Any:
        """What a call gives; None where the driver refuses or these bindings do not have it, with the reason kept."""
        if self.module is None:
            return None
        try:
            return getattr(self.module, name)(*arguments)
        except Exception as error:  # noqa: BLE001  bindings of several makers raise what they like
            self.refused[name] = str(error) or type(error).__name__
            return None

    def driver(self) -> str:
        """The driver's version; empty where it does not tell."""
        return _text(self.ask("nvmlSystemGetDriverVersion") or "")

    def driver_cuda(self) -> str:
        """The newest CUDA that the driver runs, as "12.8"; empty where it does not tell."""
        newest = self.ask("nvmlSystemGetCudaDriverVersion")
        return "" if newest is None else f"{newest // 1000}.{newest % 1000 // 10}"

    def handles(self) -> list[Any]:
        """The GPUs, but for those that the driver lists and cannot open, fallen off the bus."""
        found = [self.ask("nvmlDeviceGetHandleByIndex", i) for i in range(self.ask("nvmlDeviceGetCount") or 0)]
        return [handle for handle in found if handle is not None]

    def visible_handle(self, visible: str) -> Any:
        """The first GPU of CUDA_VISIBLE_DEVICES: a number in the order of the bus, or a UUID (MIG too).

        None where there is none: another GPU's readings would be those of no one.
        """
        first = visible.split(",")[0].strip() or "0"
        if first.isdigit():
            return self.ask("nvmlDeviceGetHandleByIndex", int(first))
        return self.ask("nvmlDeviceGetHandleByUUID", first)

    def describe(self, handle: Any) -> Gpu:
        """A GPU's hardware; one without a name is an "NVIDIA GPU"."""
        limit = self.ask("nvmlDeviceGetPowerManagementLimit", handle)
        capability = self.ask("nvmlDeviceGetCudaComputeCapability", handle)
        memory = self.ask("nvmlDeviceGetMemoryInfo", handle)
        return Gpu(
            name=_text(self.ask("nvmlDeviceGetName", handle) or "NVIDIA GPU"),
            memory_bytes=getattr(memory, "total", None) or None,
            power_limit_w=limit / 1e3 if limit else None,  # mW
            driver=self.driver() or "unknown",
            compute_capability=None if capability is None else ".".join(map(str, capability)),
        )

    def read(self, handle: Any) -> GpuReading:
        """A GPU's state now."""
        clock = self.ask("nvmlDeviceGetClockInfo", handle, getattr(self.module, "NVML_CLOCK_SM", None))
        sensor = getattr(self.module, "NVML_TEMPERATURE_GPU", None)
        temperature = self.ask("nvmlDeviceGetTemperature", handle, sensor)
        energy = self.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
        power = self.ask("nvmlDeviceGetPowerUsage", handle)
        pids = self.pids(handle)
        return GpuReading(
            clock_hz=None if clock is None else clock * 1e6,  # MHz
            temperature_c=float(temperature) if temperature else None,  # 0 where it has no sensor
            throttle=self.throttle(handle),
            n_processes=None if pids is None else n_others(pids, os.getpid()),
            energy_j=None if energy is None else energy / 1e3,  # mJ since the driver was loaded
            power_w=None if power is None else power / 1e3,  # mW
            utilisation_frac=self.utilisation(handle),
        )

    def pids(self, handle: Any) -> list[int] | None:
        """Processes that compute on a GPU."""
        found = self.ask("nvmlDeviceGetComputeRunningProcesses", handle)
        return None if found is None else [process.pid for process in found]

    def is_mig(self, handle: Any) -> bool | None:
        """Whether a GPU is cut into instances; None where the driver does not tell, as of a chip that cannot be."""
        mode = self.ask("nvmlDeviceGetMigMode", handle)
        return None if mode is None else bool(mode[0])

    def free_bytes(self, handle: Any) -> int | None:
        """Memory of a GPU that nobody holds."""
        memory = self.ask("nvmlDeviceGetMemoryInfo", handle)
        return getattr(memory, "free", None)

    def throttle(self, handle: Any) -> str | None:
        """What holds a GPU back, in words; an empty text when nothing does."""
        bits = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        return None if bits is None else ", ".join(text for bit, text in THROTTLE_BITS.items() if bits & bit)

    def utilisation(self, handle: Any) -> float | None:
        """Share of the last moments in which a GPU computed."""
        rates = self.ask("nvmlDeviceGetUtilizationRates", handle)
        return None if rates is None else float(rates.gpu) / 100


@contextlib.contextmanager
def opened() -> Iterator[Nvml]:
    """NVML as long as it is needed; where there are no bindings, no library or no driver, one that tells nothing."""
    try:
        import pynvml
    except Exception:  # noqa: BLE001  absent, or of a kind that does not load here
        yield Nvml(state="no binding")
        return
    try:
        pynvml.nvmlInit()
    except Exception as error:  # noqa: BLE001  whatever it is, there is no GPU to read
        is_absent = isinstance(error, getattr(pynvml, "NVMLError_LibraryNotFound", ()))
        words = str(error) or type(error).__name__
        yield Nvml(state="no library") if is_absent else Nvml(error=words, state="silent")
        return
    nvml = Nvml(pynvml)
    try:
        yield nvml
    finally:
        nvml.ask("nvmlShutdown")


class GpuMeter(NamedTuple):
    """Reads one GPU; without one, everything it reads is None."""

    nvml: Nvml = Nvml()
    handle: Any = None

    def __call__(self) -> GpuReading:
        """All that the driver tells, at this instant."""
        return NO_GPU if self.handle is None else self.nvml.read(self.handle)

    def utilisation(self) -> float | None:
        """The utilisation alone: one call, since it is sampled while the device is measured."""
        return None if self.handle is None else self.nvml.utilisation(self.handle)


@contextlib.contextmanager
def gpu_meter(device: str) -> Iterator[GpuMeter]:
    """A meter of the first visible GPU; on a CPU, without NVML or where NVML has no such GPU, it reads nothing."""
    if device != "gpu":
        yield GpuMeter()
        return
    with opened() as nvml:
        yield GpuMeter(nvml, nvml.visible_handle(os.environ.get("CUDA_VISIBLE_DEVICES", "0")))


def describe_gpus() -> tuple[Gpu, ...]:
    """GPUs of this host: NVIDIA through NVML, Apple's by platform; empty where there is none."""
    with opened() as nvml:
        if nvml.module is not None:
            return tuple(map(nvml.describe, nvml.handles()))
    return _apple_gpu()


def n_others(pids: list[int], own: int) -> int:
    """Processes on a GPU beside this one, which has a context there.

    A container shows processes by their numbers outside, where this one is listed under a number it does not know.
    """
    return max(0, len(pids) - 1) if own not in pids else sum(pid != own for pid in pids)


def _text(value: str | bytes) -> str:
    """NVML bindings return bytes in old versions and text in new ones."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _apple_gpu() -> tuple[Gpu, ...]:
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return ()
    driver = f"macOS {platform.mac_ver()[0]}"
    return (
        Gpu(
            name=f"{cpu.cpu_facts()[0]} GPU", memory_bytes=cpu.memory_bytes() or None, power_limit_w=None, driver=driver
        ),
    )
