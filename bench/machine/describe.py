"""Describes this host; nothing personal. Reads /proc, NVML and package metadata; imports no framework."""

from __future__ import annotations

import os
import platform
import re

from bench.machine import cores, cpu, nvml, software
from bench.machine.cpu import FLAGS
from bench.schema import Gpu, Machine


def describe(*, machine_id: str = "") -> Machine:
    """This host. The id follows from the hardware unless given: GPU or CPU model, then the effective cores."""
    unmeasured: dict[str, str] = {}
    model, family, flags = cpu.cpu_facts()
    gpus = nvml.describe_gpus()
    physical = cores.count_physical()
    if physical is None:
        unmeasured["n_physical_cores"] = "the operating system does not tell"
    memory_bytes = cpu.memory_bytes()
    if not memory_bytes:
        unmeasured["memory_bytes"] = "the operating system does not tell"
    virtual = cpu.is_virtual()
    if virtual is None:
        unmeasured["virtual"] = "only Linux on x86 tells"
    return Machine(
        id=machine_id or suggest_id(model, gpus, cores.cores().effective),
        cpu_model=model,
        cpu_family=family,
        architecture=platform.machine(),
        n_physical_cores=physical,
        n_logical_cores=os.cpu_count() or 1,
        cpu_flags=tuple(flag for flag in FLAGS if flag in flags),
        memory_bytes=memory_bytes,
        gpus=gpus,
        os=software.os_text(),
        virtual=virtual,
        unmeasured=unmeasured,
    )


def suggest_id(cpu_model: str, gpus: tuple[Gpu, ...], n_cores: int) -> str:
    """Kebab name from the hardware: "nvidia-h200-16c", "2x-tesla-t4-8c", "amd-ryzen-7-5800x-16c"."""
    names = [gpu.name for gpu in gpus] or [cpu_model]
    counts = {name: names.count(name) for name in names}
    slugs = [f"{n}x-{_slug(name)}" if n > 1 else _slug(name) for name, n in counts.items()]
    return f"{'-'.join(slugs)}-{n_cores}c"


def _slug(name: str) -> str:
    words = re.sub(r"\(r\)|\(tm\)|\bcpu\b|\bprocessor\b|\d+-core|@.*$|with radeon.*$", " ", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "unknown"
