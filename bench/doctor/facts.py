"""What the doctor looks at and what it finds, as structs, and the words that rules share. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from bench.schema import Struct

Severity = Literal["problem", "note", "ok"]
SEVERITIES: tuple[Severity, ...] = ("problem", "note", "ok")
# PCI vendor numbers of graphics cards. Source: https://pcisig.com/membership/member-companies
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
TORCH_INSTALL = "choose your system and CUDA at https://pytorch.org/get-started/locally/ and run the line it gives"
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


class GpuFacts(Struct, kw_only=True):
    """One NVIDIA GPU as its driver tells now."""

    name: str
    memory_bytes: int | None
    free_bytes: int | None = None
    compute_capability: str | None = None
    n_processes: int | None = None
    throttle: str | None = None


class HostFacts(Struct, kw_only=True):
    """The machine under this process; None where it does not tell."""

    system: str  # "Linux", "Windows", "Darwin"
    wsl: bool = False
    container: str = ""  # its kind, or empty
    architecture: str = "x86_64"
    cpu_model: str = ""
    cpu_flags: tuple[str, ...] = ()
    n_visible: int = 1
    n_affinity: int | None = None
    quota_cores: float | None = None
    n_effective: int = 1
    n_physical: int | None = None
    load_1min: float | None = None
    n_throttled: int | None = None  # periods in which the quota held this process's group back
    memory_bytes: int | None = None
    free_bytes: int | None = None
    memory_limit_bytes: int | None = None  # of the container
    shm_bytes: int | None = None
    on_battery: bool | None = None
    power_profile: str = ""
    driver: str = ""  # NVIDIA's, empty where none answers
    driver_cuda: str = ""  # newest CUDA that the driver runs: "12.8"
    driver_error: str = ""
    pci_gpus: tuple[str, ...] = ()  # vendor numbers of graphics cards on the bus
    has_kfd: bool = False  # AMD's compute device node
    gpus: tuple[GpuFacts, ...] = ()


class BackendFacts(Struct, kw_only=True):
    """What one backend said in a process of its own."""

    name: str
    installed: bool = False
    version: str = ""
    error: str = ""  # why it gave no answer
    log: str = ""  # lines of its log that speak of GPUs
    gpus: tuple[str, ...] = ()
    placed: str = ""  # where an array landed without any code: "cpu" or "gpu"
    keras_placed: str = ""  # the same through Keras
    keras_error: str = ""
    cuda: str = ""  # version that it was built for, empty when it was not
    rocm: str = ""
    architectures: tuple[str, ...] = ()  # "sm_90" holds machine code, "compute_90" code that is compiled at first use
    n_threads: int | None = None
    openmp: tuple[str, ...] = ()


class Facts(Struct, kw_only=True):
    """All that the rules look at."""

    host: HostFacts
    backends: tuple[BackendFacts, ...] = ()
    packages: dict[str, str] = {}  # distributions that matter, with versions
    variables: dict[str, str] = {}  # environment variables that matter, as set
    keras_backend: str = ""  # what Keras would use here


class Finding(Struct, kw_only=True):
    """One thing that the doctor saw."""

    id: str
    severity: Severity
    seen: str
    means: str
    fix: str = ""  # a command where there is one


Rule = Callable[[Facts], Iterator[Finding]]


def cuda_fix(facts: Facts, backend: str) -> str:
    """The command that brings a backend with CUDA libraries that this driver can run."""
    if backend == "torch":
        return TORCH_INSTALL
    if backend == "tensorflow":
        return "pip install 'tensorflow[and-cuda]'"
    newest = facts.host.driver_cuda.split(".")[0]
    generation = 13 if newest.isdigit() and int(newest) >= 13 else 12
    return f"pip install -U 'jax[cuda{generation}]'"


def version_of(text: str) -> tuple[int, ...]:
    """ "2.11.0rc1" becomes (2, 11); an empty tuple for what is no version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def is_apple(host: HostFacts) -> bool:
    """Whether the host has an Apple chip."""
    return host.system == "Darwin" and host.architecture == "arm64"


def cores_text(n: int) -> str:
    """A number of cores with its noun."""
    return f"{n} {plural(n, 'core', 'cores')}"


def plural(n: int, one: str, many: str) -> str:
    """The noun that fits a number."""
    return one if n == 1 else many


def gb(value_bytes: float | None) -> str:
    """Bytes in gigabytes, or that they are not told."""
    return "memory not told" if value_bytes is None else f"{value_bytes / 1e9:.1f} GB"
