"""GPUs as their driver describes them: NVIDIA's through NVML, Apple's by platform."""

from __future__ import annotations

import platform
import sys
from typing import Any

from bench.machine import cpu
from bench.machine.meters import attempt
from bench.schema import Gpu


def describe_gpus() -> tuple[Gpu, ...]:
    """GPUs of this host: NVIDIA through NVML, Apple's by platform; empty where there is none."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  no bindings, no library, no driver: all mean "no NVIDIA GPU"
        return _apple_gpu()
    try:
        return parse_nvml(pynvml)
    finally:
        attempt(pynvml, pynvml.nvmlShutdown)


def parse_nvml(nvml: Any) -> tuple[Gpu, ...]:
    """What a pynvml-like module tells of every GPU; what the driver refuses is None, a name "NVIDIA GPU"."""
    driver = _text(attempt(nvml, nvml.nvmlSystemGetDriverVersion) or "unknown")
    gpus = []
    for handle in gpu_handles(nvml):
        limit = attempt(nvml, lambda h=handle: nvml.nvmlDeviceGetPowerManagementLimit(h))
        capability = attempt(nvml, lambda h=handle: nvml.nvmlDeviceGetCudaComputeCapability(h))
        memory = attempt(nvml, lambda h=handle: nvml.nvmlDeviceGetMemoryInfo(h))
        gpus.append(
            Gpu(
                name=_text(attempt(nvml, lambda h=handle: nvml.nvmlDeviceGetName(h)) or "NVIDIA GPU"),
                memory_bytes=None if memory is None else int(memory.total),
                power_limit_w=None if limit is None else limit / 1e3,  # mW
                driver=driver,
                compute_capability=None if capability is None else ".".join(map(str, capability)),
            )
        )
    return tuple(gpus)


def gpu_handles(nvml: Any) -> list[Any]:
    """A pynvml-like module's handles; a GPU that the driver lists and cannot open, fallen off the bus, is left out."""
    indices = range(attempt(nvml, nvml.nvmlDeviceGetCount) or 0)
    found = [attempt(nvml, lambda i=index: nvml.nvmlDeviceGetHandleByIndex(i)) for index in indices]
    return [handle for handle in found if handle is not None]


def _text(value: str | bytes) -> str:
    """NVML bindings return bytes in old versions and text in new ones."""
    return value.decode() if isinstance(value, bytes) else value


def _apple_gpu() -> tuple[Gpu, ...]:
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return ()
    driver = f"macOS {platform.mac_ver()[0]}"
    return (Gpu(name=f"{cpu.cpu_facts()[0]} GPU", memory_bytes=cpu.memory_bytes(), power_limit_w=None, driver=driver),)
