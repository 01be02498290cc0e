"""What the doctor looks at and what it finds, as structs, and the words that rules share. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Literal, NamedTuple

from bench.machine.nvml import State
from bench.schema import Struct

Severity = Literal["problem", "note", "ok"]
NvmlState = Literal[State, ""]  # what became of NVIDIA's library; empty where nobody looked
SEVERITIES: tuple[Severity, ...] = ("problem", "note", "ok")
# PCI vendor numbers of graphics cards. Source: https://pcisig.com/membership/member-companies
VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
# A device's own number, of which the beginning is enough.
UUID = re.compile(r"((?:GPU|MIG)-\w{4})[\w-]+")
SAYS = '; it says: "'  # what stands before words that a finding quotes
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


class GpuFacts(Struct, kw_only=True):
    """One NVIDIA GPU as its driver tells now."""

    name: str
    memory_bytes: int | None = None
    free_bytes: int | None = None
    compute_capability: str | None = None
    n_processes: int | None = None
    throttle: str | None = None
    mig: bool | None = None  # cut into instances: memory and processes are then those of the whole card


class CoreKind(Struct, kw_only=True):
    """Cores of one kind, of a processor that may have several."""

    n_cores: int
    n_threads: int


class HostFacts(Struct, kw_only=True):
    """The machine under this process; None or empty where it does not tell, and why in ``refused``."""

    system: str  # "Linux", "Windows", "Darwin"
    wsl: bool = False
    container: str = ""  # its kind, or empty
    remote: bool = False  # a shell from another machine
    board: str = ""  # a small computer's own name: "NVIDIA Jetson Orin Nano Developer Kit"
    python: str = ""  # its version
    architecture: str = "x86_64"
    cpu_model: str = ""
    cpu_flags: tuple[str, ...] = ()
    n_visible: int = 1
    n_affinity: int | None = None
    quota_cores: float | None = None
    n_effective: int = 1
    n_physical: int | None = None
    core_kinds: tuple[CoreKind, ...] = ()  # fastest first
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
    driver_error: str = ""  # what NVIDIA's library says when it does not start
    nvml: NvmlState = ""
    kernel_module: str = ""  # version of NVIDIA's module in the running kernel, which a container sees too
    pci_gpus: tuple[str, ...] = ()  # vendor numbers of graphics cards on the bus
    pci_drivers: tuple[str, ...] = ()  # the kernel's driver of each of them, empty for none
    has_kfd: bool = False  # AMD's compute device node
    may_render: bool | None = None  # whether this user may open the compute and render devices of AMD's and Intel's
    gfx: tuple[str, ...] = ()  # AMD's chips as ROCm names them: "gfx1151"
    gpus: tuple[GpuFacts, ...] = ()
    refused: dict[str, str] = {}  # what could not be read, and why


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
    xpu: str = ""  # Intel's
    architectures: tuple[str, ...] = ()  # "sm_90" and "gfx1100" hold machine code, "compute_90" code compiled later
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
    follows: tuple[str, ...] = ()  # what this explains, which is then no finding of its own
    paste: str = ""  # facts to paste where somebody is asked


class Saying(NamedTuple):
    """A pattern of what is said, what it means, and what to do.

    ``fix`` may hold gaps such as {install} and {driver}: see ``said.fix_of``.
    """

    id: str
    says: str  # pattern, whatever the case
    means: str
    fix: str
    when: Callable[[Facts], bool] = lambda _: True


Rule = Callable[[Facts], Iterator[Finding]]


def is_apple(host: HostFacts) -> bool:
    """Whether the host has an Apple chip."""
    return host.system == "Darwin" and host.architecture == "arm64"


def is_translated(host: HostFacts) -> bool:
    """Whether a Python for Intel's processors runs on an Apple chip, under Rosetta."""
    return host.system == "Darwin" and host.architecture != "arm64" and "apple" in host.cpu_model.lower()


def cores_text(n: int) -> str:
    """A number of cores with its noun."""
    return f"{n} {plural(n, 'core', 'cores')}"


def plural(n: int, one: str, many: str) -> str:
    """The noun that fits a number."""
    return one if n == 1 else many


def quoted(text: str) -> str:
    """Somebody's own words, as the end of a sentence; empty where nothing was said."""
    return f'{SAYS}{" | ".join(filter(None, map(str.strip, text.splitlines())))}"' if text.strip() else ""


def gb(value_bytes: float | None) -> str:
    """Bytes in gigabytes, or that they are not told."""
    return "memory not told" if value_bytes is None else f"{value_bytes / 1e9:.1f} GB"


def is_jetson(host: HostFacts) -> bool:
    """Whether the host is one of NVIDIA's small boards, whose GPU, driver and frameworks come with the system."""
    return "jetson" in host.board.lower() or any("nvgpu" in gpu.name or "Tegra" in gpu.name for gpu in host.gpus)


def is_thor(host: HostFacts) -> bool:
    """Whether the board is a Thor, whose system runs the ordinary builds for CUDA 13 on ARM."""
    return is_jetson(host) and "thor" in " ".join([host.board, *(gpu.name for gpu in host.gpus)]).lower()


def sees_nvidia(backend: BackendFacts) -> bool:
    """Whether a backend sees a GPU of NVIDIA's."""
    named = any(name.lower().startswith(("nvidia", "geforce", "tesla", "quadro")) for name in backend.gpus)
    return named or (bool(backend.gpus and backend.cuda) and not backend.rocm)


def gfx_chips(facts: Facts) -> tuple[str, ...]:
    """AMD's chips of this machine, as the kernel's driver names them or a backend does: "gfx1151"."""
    names = " ".join(name for backend in facts.backends for name in backend.gpus)
    return tuple(dict.fromkeys(facts.host.gfx or re.findall(r"\bgfx[0-9a-f]{3,4}\b", names)))


def jax_plugin(facts: Facts) -> str:
    """The installed package that brings JAX its CUDA: "jax-cuda12-plugin"; empty without one."""
    return next((name for name in facts.packages if re.fullmatch(r"jax-cuda\d+-plugin", name)), "")


def is_present(facts: Facts, vendor: str) -> bool:
    """Whether anything shows a card of a vendor: the bus, its driver, or a backend."""
    host = facts.host
    if vendor in {VENDORS.get(number) for number in host.pci_gpus}:
        return True
    if vendor == "AMD":
        return host.has_kfd or bool(host.gfx) or any(backend.rocm and backend.gpus for backend in facts.backends)
    if vendor == "Intel":
        return any(backend.xpu and backend.gpus for backend in facts.backends)
    told = host.gpus or host.driver or host.driver_error or host.kernel_module or is_jetson(host)
    return bool(told) or any(map(sees_nvidia, facts.backends))


def block(facts: Facts) -> str:
    """What to paste where somebody is asked: lines of facts, nothing personal."""
    host = facts.host
    system = [host.system, host.architecture, "WSL" if host.wsl else "", host.container, host.board]
    lines = [f"system: {', '.join(filter(None, system))}; Python {host.python or 'not told'}", f"CPU: {host.cpu_model}"]
    for gpu in host.gpus:
        lines.append(f"GPU: {gpu.name}, compute capability {gpu.compute_capability or 'not told'}")
    if host.pci_gpus:
        cards = [f"{vendor} ({name or 'no driver'})" for vendor, name in zip_longest(host.pci_gpus, host.pci_drivers)]
        lines.append(f"on the bus: {', '.join(cards)}")
    nvidia = [host.driver, host.driver_cuda and f"CUDA {host.driver_cuda}", host.nvml, host.driver_error]
    lines.append(f"NVIDIA: {', '.join(filter(None, nvidia)) or 'nothing told'}")
    lines += [f"AMD: {', '.join(host.gfx)}"] if host.gfx else []
    for backend in facts.backends:
        if backend.installed:
            built = [f"{kind} {value}" for kind in ("cuda", "rocm", "xpu") if (value := getattr(backend, kind))]
            lines.append(f"{NAMES.get(backend.name, backend.name)} {backend.version} {' '.join(built)}".rstrip())
            lines += [f"  says: {text}" for text in (backend.error, backend.keras_error, backend.log) if text]
    lines += [f"packages: {' '.join(f'{name}={version}' for name, version in facts.packages.items())}"]
    lines += [UUID.sub(r"\1...", f"{name}={value}") for name, value in facts.variables.items()]
    lines += [f"not read: {name}: {reason}" for name, reason in host.refused.items()]
    return "\n".join(lines)
