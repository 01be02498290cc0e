"""Collects what the doctor looks at: the host, its GPUs now, packages, and each backend in a process of its own.

Reads /proc, /sys, NVML and package metadata; imports no framework. What cannot be read is None or empty.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bench import REPOSITORY
from bench.doctor.facts import BackendFacts, Facts, GpuFacts, HostFacts
from bench.machine import cores as machine_cores
from bench.machine import describe, meters, processes, software
from bench.machine import nvml as machine_nvml
from bench.machine.nvml import Nvml
from bench.schema import BACKENDS

PROBE_LIMIT_S = 120.0  # importing TensorFlow from a cold disk takes a minute on a slow one

# Distributions that decide what a backend can use; their names in lower case with hyphens.
PACKAGES = re.compile(
    r"(tensorflow(-\w+)*|tf-nightly|keras|tf-keras|torch|triton|jax|jaxlib|jax-(cuda|rocm)\d+-(plugin|pjrt)|jax-metal"
    r"|nvidia-(cudnn|cublas|cuda-runtime)(-cu\d+)?|numpy|intel-openmp|mkl)"
)
VARIABLES = (
    *software.VARIABLES,
    "CUDA_LAUNCH_BLOCKING",
    "JAX_PLATFORM_NAME",
    "KERAS_BACKEND",
    "KMP_DUPLICATE_LIB_OK",
    "LD_LIBRARY_PATH",
    "OPENBLAS_NUM_THREADS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTRAOP_THREADS",
    "TF_USE_LEGACY_KERAS",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
# A probe must not take a GPU's whole memory only to look at it.
GENTLE = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "0"}
TELLING = re.compile(
    r"(?i)cannot dlopen|could not find cuda|failed call to cuInit|cuda_error|unable to initialize|libcu"
)


def collect(backends: tuple[str, ...] = BACKENDS, *, limit_s: float = PROBE_LIMIT_S) -> Facts:
    """Everything the rules look at; starts one process per installed backend."""
    now = host()  # before the probes make a load of their own
    with ThreadPoolExecutor(len(backends)) as pool:
        asked = list(pool.map(lambda name: ask(name, limit_s=limit_s), backends))
    return Facts(
        host=now, backends=tuple(asked), packages=packages(), variables=variables(), keras_backend=keras_backend()
    )


def ask(
    backend: str,
    *,
    limit_s: float = PROBE_LIMIT_S,
    command: tuple[str, ...] = (sys.executable, "-m", "bench.doctor.probe"),
) -> BackendFacts:
    """What one backend says of itself; an error text where it crashes, hangs or prints nonsense."""
    version = software.backend_version(backend)
    if version is None:
        return BackendFacts(name=backend)
    known = BackendFacts(name=backend, installed=True, version=version)
    process = subprocess.Popen(
        [*command, backend],
        cwd=REPOSITORY,
        env=os.environ
        | {name: os.environ.get(name, value) for name, value in GENTLE.items()}
        | {"KERAS_BACKEND": backend},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        processes.end_with_children(process.pid)
        process.communicate()
        return msgspec.structs.replace(known, error=f"no answer within the time limit of {limit_s:g} s")
    log = " | ".join(dict.fromkeys(_clean(line) for line in err.splitlines() if TELLING.search(line)))[:400]
    try:
        seen = json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return msgspec.structs.replace(known, error=_why(process.returncode, err), log=log)
    seen = {name: value for name, value in seen.items() if value is not None and name != "keras"}
    if "keras_error" in seen:
        seen["keras_error"] = _clean(seen["keras_error"])
    lists = {name: tuple(seen.pop(name, ())) for name in ("gpus", "architectures", "openmp")}
    return msgspec.structs.replace(known, log=log, **lists | seen)


def _why(code: int, err: str) -> str:
    """Why a probe ended without an answer: its last line, or the signal that ended it."""
    if code < 0:
        return f"ended by signal {-code} ({signal.Signals(-code).name})"
    lines = [line for line in err.strip().splitlines() if line.strip()]
    return _clean(lines[-1])[:300] if lines else f"ended with exit code {code} and said nothing"


def _clean(line: str) -> str:
    """A log line without its head and without folders of this machine."""
    line = re.sub(r"^\S* ?\d+[:.\d]* +\d+ [\w.]+:\d+\] ", "", line.strip())
    return re.sub(r"(/[\w.+-]+)+/|\b[A-Za-z]:\\(?:[^\\\s'\"]+\\)*", "", line)


def host() -> HostFacts:
    """The machine as it is now."""
    cores, described = machine_cores.cores(), describe.describe()
    with machine_nvml.opened() as nvml:
        gpus, driver, driver_cuda = gpu_facts(nvml), nvml.driver(), nvml.driver_cuda()
    release = platform.release().lower()
    return HostFacts(
        system=platform.system(),
        wsl="microsoft" in release,
        container=container(),
        architecture=platform.machine(),
        cpu_model=described.cpu_model,
        cpu_flags=described.cpu_flags,
        n_visible=cores.visible,
        n_affinity=cores.affinity,
        quota_cores=cores.quota,
        n_effective=cores.effective,
        n_physical=described.n_physical_cores,
        load_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        n_throttled=meters.throttled_periods(),
        memory_bytes=described.memory_bytes,
        free_bytes=_free_memory(),
        memory_limit_bytes=_number(Path("/sys/fs/cgroup/memory.max")),
        shm_bytes=_shm(),
        on_battery=_on_battery(),
        power_profile=_power_profile(),
        pci_gpus=pci_gpus(),
        has_kfd=Path("/dev/kfd").exists(),
        driver=driver,
        driver_cuda=driver_cuda,
        driver_error=nvml.error,
        gpus=gpus,
    )


def packages() -> dict[str, str]:
    """Installed distributions that decide what a backend can use, with versions."""
    found = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.name or "").lower().replace("_", "-")
        if PACKAGES.fullmatch(name):
            found[name] = distribution.version
    return dict(sorted(found.items()))


def variables() -> dict[str, str]:
    """Variables that decide what a backend does, as set; values that hold paths only as being set."""
    return {name: "(set)" if "/" in os.environ[name] else os.environ[name] for name in VARIABLES if name in os.environ}


def keras_backend() -> str:
    """The backend that ``import keras`` would take: the variable, else the user's keras.json, else TensorFlow."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return str(json.loads((folder / "keras.json").read_text())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def container(root: Path = Path("/")) -> str:
    """Kind of the container this process is in; empty outside one or where nothing tells."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    return os.environ.get("container", "")


def pci_gpus(root: Path = Path("/sys/bus/pci/devices")) -> tuple[str, ...]:
    """Vendor numbers of the graphics cards and accelerators on the PCI bus."""
    found = []
    for device in sorted(root.glob("*")):
        try:
            kind, vendor = (device / "class").read_text().strip(), (device / "vendor").read_text().strip()
        except OSError:
            continue
        if kind.startswith("0x03") or (kind.startswith("0x12") and vendor == "0x10de"):
            found.append(vendor)
    return tuple(found)


def gpu_facts(nvml: Nvml) -> tuple[GpuFacts, ...]:
    """Every GPU as its driver tells now."""
    found = []
    for handle in nvml.handles():
        gpu, pids = nvml.describe(handle), nvml.pids(handle)
        found.append(
            GpuFacts(
                name=gpu.name,
                memory_bytes=gpu.memory_bytes,
                free_bytes=nvml.free_bytes(handle),
                compute_capability=gpu.compute_capability,
                n_processes=None if pids is None else sum(pid != os.getpid() for pid in pids),
                throttle=nvml.throttle(handle) or None,
            )
        )
    return tuple(found)


def _free_memory() -> int | None:
    try:
        import psutil

        return psutil.virtual_memory().available
    except ImportError:
        return None


def _shm() -> int | None:
    try:
        found = os.statvfs("/dev/shm")
    except (OSError, AttributeError):
        return None
    return found.f_frsize * found.f_blocks


def _on_battery() -> bool | None:
    try:
        import psutil

        battery = psutil.sensors_battery()
    except (ImportError, AttributeError, OSError):
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _power_profile() -> str:
    """ACPI's profile, else the frequency governor of the first core; empty where neither can be read."""
    for path in ("/sys/firmware/acpi/platform_profile", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"):
        try:
            return Path(path).read_text().strip()
        except OSError:
            continue
    return ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max" means no limit
        return None
