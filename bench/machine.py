"""Describes this host; nothing personal. Reads /proc, NVML and package metadata; imports no framework."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bench import cgroups
from bench.meters import attempt
from bench.schema import BACKENDS, Gpu, Machine

# Instruction sets that decide how fast a matrix product can be on a CPU, by /proc/cpuinfo's names.
FLAGS = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_fp16",
    "amx_int8",
    "asimd",
    "asimddp",
    "asimdhp",
    "sve",
    "bf16",
    "i8mm",
)

CPUS = Path("/sys/devices/system/cpu")
SIBLINGS = "topology/thread_siblings_list"

INSTALL = {
    "tensorflow": "pip install tensorflow",
    "jax": "pip install jax",
    "torch": "pip install torch",
}
DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"),
    "jax": ("jax",),
    "torch": ("torch",),
}
OTHER_VERSIONS = (
    "keras",
    "jaxlib",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "nvidia-cublas",
    "nvidia-cublas-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "triton",
    "numpy",
    "scipy",
    "scikit-learn",
    "msgspec",
)

# Variables that change results; their values go into session.json when they are set.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "GOMP_SPINCOUNT",
    "HIP_VISIBLE_DEVICES",
    "JAX_PLATFORMS",
    "KERAS_TORCH_DEVICE",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


# Parts of bench/ that a measurement does not depend on.
NOT_MEASURING = ("report", "published", "results")
COMMIT_TEXT = re.compile(r"([0-9a-f]{40})-([0-9a-f]{16})")


class Cores(NamedTuple):
    """How many cores this process can really use."""

    visible: int
    affinity: int | None
    quota: float | None
    effective: int


def cores(cgroup: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> Cores:
    """Effective cores: the least of what is visible, allowed by affinity and paid for by the cgroup's quota."""
    visible = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    quota = cgroup_quota(cgroup, self_cgroup)
    effective = min(visible, affinity or visible)
    if quota is not None:
        effective = min(effective, max(1, int(quota)))  # half a core more would only be throttled
    return Cores(visible, affinity, quota, effective)


def core_order(allowed: Iterable[int], root: Path = CPUS) -> list[int]:
    """The cores in the order to use them: one hardware thread of each, fast kinds first, then the second threads.

    Cores are numbered in ways that differ by maker. The first four of a list may be two cores with two threads each, or
    the slow kind of a processor with two kinds, and then "four cores" is no number that another machine could be held
    against. Where the system tells neither siblings nor speed, the order is that of the numbers.

    Args:
        allowed: numbers of the cores that this process may use.
        root: the kernel's folder of processors.
    """
    numbers = sorted(allowed)
    seen: dict[tuple[int, ...], int] = {}
    keys = {}
    for number in numbers:
        siblings = _siblings(root, number)
        keys[number] = (seen.get(siblings, 0), -_speed(root / f"cpu{number}"), number)
        seen[siblings] = seen.get(siblings, 0) + 1
    return sorted(numbers, key=keys.__getitem__)


def n_physical(numbers: Iterable[int], root: Path = CPUS) -> int | None:
    """Physical cores that some cores, as the system numbers them, lie on; None where the system does not tell."""
    numbers = tuple(numbers)
    if not all((root / f"cpu{number}" / SIBLINGS).exists() for number in numbers):
        return None
    return len({_siblings(root, number) for number in numbers})


def physical_cores() -> int:
    """Effective cores that are no second hardware threads; all effective ones where the system does not tell."""
    effective = cores().effective
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(effective)
    return min(effective, n_physical(allowed) or effective)


def _siblings(root: Path, number: int) -> tuple[int, ...]:
    """Cores that are hardware threads of one physical core: from "0-1" or "0,8"."""
    try:
        text = (root / f"cpu{number}" / SIBLINGS).read_text().strip()
        ranges = [part.partition("-") for part in text.split(",")]
        return tuple(n for low, _, high in ranges for n in range(int(low), int(high or low) + 1))
    except (OSError, ValueError):
        return (number,)


def _speed(folder: Path) -> int:
    """How fast a core is beside the others of its machine, in the kernel's measure; 0 where it does not tell."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        with contextlib.suppress(OSError, ValueError):
            return int((folder / name).read_text())
    return 0


def cgroup_quota(root: Path, self_cgroup: Path) -> float | None:
    """Cores granted by the tightest CPU quota from this process's cgroup up to the root; None without one.

    Reads ``cpu.max`` (version 2) or ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` (version 1).
    """
    folders = [root, root / "cpu"]
    for controllers, path in cgroups.memberships(self_cgroup):
        if not controllers or "cpu" in controllers:
            base = root if not controllers else root / "cpu"
            folders += [base.joinpath(*path[: n + 1]) for n in range(len(path))]
    quotas = [quota for folder in folders if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _quota(folder: Path) -> float | None:
    try:
        granted, period = (folder / "cpu.max").read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError):
        pass
    try:
        granted = int((folder / "cpu.cfs_quota_us").read_text())
        return None if granted < 0 else granted / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None


def describe(*, machine_id: str = "") -> Machine:
    """This host. The id follows from the hardware unless given: GPU or CPU model, then the effective cores."""
    unmeasured: dict[str, str] = {}
    model, family, flags = _cpu()
    gpus = describe_gpus()
    physical = _physical_cores()
    if physical is None:
        unmeasured["n_physical_cores"] = "the operating system does not tell"
    virtual = _virtual()
    if virtual is None:
        unmeasured["virtual"] = "only Linux on x86 tells"
    return Machine(
        id=machine_id or suggest_id(model, gpus, cores().effective),
        cpu_model=model,
        cpu_family=family,
        architecture=platform.machine(),
        n_physical_cores=physical,
        n_logical_cores=os.cpu_count() or 1,
        cpu_flags=tuple(flag for flag in FLAGS if flag in flags),
        memory_bytes=_memory(),
        gpus=gpus,
        os=_os(),
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
    return (Gpu(name=f"{_cpu()[0]} GPU", memory_bytes=_memory(), power_limit_w=None, driver=driver),)


def versions() -> dict[str, str]:
    """Versions of Python, Keras, the installed backends and what they rest on; absent packages are left out."""
    found = {"python": platform.python_version()}
    for name in OTHER_VERSIONS:
        if version := _version(name):
            found[name] = version
    for backend in BACKENDS:
        if version := backend_version(backend):
            found[backend] = version
    return found


def backend_version(backend: str) -> str | None:
    """Installed version of a backend, or None when it is not installed; does not import it."""
    if importlib.util.find_spec(backend) is None:
        return None
    return next((v for name in DISTRIBUTIONS[backend] if (v := _version(name))), "unknown")


def variables() -> dict[str, str]:
    """Environment variables that change results, as they are set now, without values that are paths."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ and "/" not in os.environ[name]}


def commit(repository: Path) -> tuple[str | None, bool | None]:
    """Git commit of a checkout and whether its measuring code differs from it; (None, None) where nothing tells.

    A copy without git, as on a rented machine, is told by ``BENCH_COMMIT``, which holds what ``commit_text`` gave.
    """
    try:
        head = _git(repository, "rev-parse", "HEAD")
        excluded = (f":!bench/{name}" for name in NOT_MEASURING)
        return head, bool(_git(repository, "status", "--porcelain", "--", "bench", *excluded))
    except (OSError, subprocess.SubprocessError):
        found = COMMIT_TEXT.fullmatch(os.environ.get("BENCH_COMMIT", ""))
    if found is None:
        return None, None
    return found[1], found[2] != measuring_hash(repository)


def commit_text(repository: Path) -> str:
    """A checkout's commit and the fingerprint of its measuring code, for ``BENCH_COMMIT`` beside a copy without git.

    Raises:
        ValueError: not a git checkout, or its measuring code is not that of its commit.
    """
    head, dirty = commit(repository)
    if head is None or dirty:
        raise ValueError("the measuring code is not committed: commit it, so that records can name where they are from")
    return f"{head}-{measuring_hash(repository)}"


def measuring_hash(repository: Path) -> str:
    """16 hex digits of SHA-256 over the Python files that a measurement depends on, with their paths."""
    root = repository / "bench"
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in NOT_MEASURING:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _git(repository: Path, *words: str) -> str:
    found = subprocess.run(["git", *words], cwd=repository, capture_output=True, text=True, check=True, timeout=20)
    return found.stdout.strip()


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache  # the library starts other programs to ask: a second
def _cpu() -> tuple[str, str, frozenset[str]]:
    """Model name, "vendor family/model/stepping", and flags."""
    try:
        import cpuinfo

        info = cpuinfo.get_cpu_info()
    except Exception:  # noqa: BLE001  the library probes with other programs, which may all be missing
        info = {}
    model = " ".join(str(info.get("brand_raw") or platform.processor() or platform.machine()).split())
    numbers = "/".join(str(info.get(key, "?")) for key in ("family", "model", "stepping"))
    return model, f"{info.get('vendor_id_raw', '?')} {numbers}", frozenset(info.get("flags", ()))


def _physical_cores() -> int | None:
    try:
        import psutil

        return psutil.cpu_count(logical=False)
    except ImportError:
        return None


def _memory() -> int:
    """Bytes of memory; ``BENCH_MEMORY_BYTES`` where that is more, for machines whose memory grows while it is used."""
    import psutil

    granted = os.environ.get("BENCH_MEMORY_BYTES", "")
    return max(psutil.virtual_memory().total, int(granted) if granted.isdigit() else 0)


def _os() -> str:
    """Name and version of the operating system, without the host."""
    if sys.platform == "linux":
        try:
            release = platform.freedesktop_os_release()
            return f"{release.get('PRETTY_NAME', 'Linux')}, kernel {'.'.join(platform.release().split('.')[:2])}"
        except OSError:
            return f"Linux {platform.release().split('-')[0]}"
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"


def _virtual() -> bool | None:
    """Whether a hypervisor announces itself."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
    return " hypervisor" in text if "flags" in text else None
