"""Why a device is or is not used: rules over collected facts. Pure; ``bench.vitals`` collects the facts.

Each rule looks at the facts and yields findings: what was seen, what it means, and what to do. A rule claims nothing
that its facts do not show. Thresholds stand at the top, each with its source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from bench.schema import SIXTEEN_BIT_FLAGS, Struct

Severity = Literal["problem", "note", "ok"]
SEVERITIES: tuple[Severity, ...] = ("problem", "note", "ok")

BUSY_LOAD = 0.25  # load per usable core from which timings are disturbed
FULL_LOAD = 1.0  # from here on, every core has other work
LITTLE_MEMORY_BYTES = 4 * 10**9
SMALL_SHM_BYTES = 512 * 2**20  # Docker gives 64 MB, which PyTorch's loader processes fill at once
LITTLE_GPU_MEMORY_FRAC = 0.2
# TensorFlow 2.10 was the last release with GPU support on native Windows.
# Source: https://www.tensorflow.org/install/pip
LAST_TF_ON_WINDOWS = (2, 10)
# Oldest Linux driver that runs programs of a CUDA generation; within one, newer minor versions run on older drivers.
# Source: NVIDIA, CUDA Toolkit release notes, https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
MIN_DRIVER = {11: "450.80", 12: "525.60", 13: "580.65"}
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


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings, problems first, in the order of the rules."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def has_problem(findings: tuple[Finding, ...]) -> bool:
    """Whether anything needs fixing."""
    return any(finding.severity == "problem" for finding in findings)


# Devices of the machine.


def _gpus(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    for gpu in host.gpus:
        capability = f", compute capability {gpu.compute_capability}" if gpu.compute_capability else ""
        seen = f"{gpu.name}, {_gb(gpu.memory_bytes)}{capability}, driver {host.driver}"
        yield Finding(id="gpu", severity="ok", seen=seen, means="the driver sees this GPU")
    cards = {VENDORS[number] for number in host.pci_gpus if number in VENDORS}
    if host.gpus:
        return
    if "NVIDIA" in cards or host.driver_error:
        in_container = bool(host.container)
        yield Finding(
            id="nvidia-driver",
            severity="problem",
            seen=f"an NVIDIA card, and no driver that answers ({host.driver_error or 'no NVML library'})",
            means="no framework can use the card, whatever is installed in Python",
            fix="start the container with: docker run --gpus all ... (host: NVIDIA Container Toolkit)"
            if in_container
            else "install NVIDIA's driver from your distribution, reboot, then check with: nvidia-smi",
        )
    elif "AMD" not in cards and not _is_apple(host):
        yield Finding(
            id="no-gpu",
            severity="ok",
            seen="no GPU that a driver or the PCI bus shows",
            means="everything runs on the CPU; there is nothing to fix",
        )


def _gpu_state(facts: Facts) -> Iterator[Finding]:
    for gpu in facts.host.gpus:
        if gpu.n_processes:
            yield Finding(
                id="gpu-shared",
                severity="note",
                seen=f"{gpu.n_processes} other {_plural(gpu.n_processes, 'process', 'processes')} on the {gpu.name}",
                means="they share its time and memory, so timings taken now mean little",
                fix="nvidia-smi shows them",
            )
        if gpu.free_bytes is not None and gpu.free_bytes < LITTLE_GPU_MEMORY_FRAC * (gpu.memory_bytes or 0):
            yield Finding(
                id="gpu-memory",
                severity="problem",
                seen=f"{_gb(gpu.free_bytes)} of {_gb(gpu.memory_bytes)} free on the {gpu.name}",
                means="a new process may fail for lack of memory; TensorFlow and JAX reserve most of it at start",
                fix="end the process that holds it (nvidia-smi), or set TF_FORCE_GPU_ALLOW_GROWTH=true "
                "and XLA_PYTHON_CLIENT_PREALLOCATE=false",
            )
        if gpu.throttle:
            yield Finding(
                id="gpu-throttled",
                severity="note",
                seen=f"{gpu.name} is held back: {gpu.throttle}",
                means="its clock is below what it could be",
                fix="nvidia-smi -q -d PERFORMANCE tells more; check cooling and the power limit",
            )


# Variables that hide devices or bend results.


def _hidden_devices(facts: Facts) -> Iterator[Finding]:
    n_gpus, variables = len(facts.host.gpus), facts.variables
    has_gpu = bool(n_gpus or {"0x10de", "0x1002"} & set(facts.host.pci_gpus))
    hidden: Severity = "problem" if has_gpu else "note"
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        value = variables.get(name)
        if value is None or (name.startswith("HIP") and "0x1002" not in facts.host.pci_gpus):
            continue
        if value.strip() in ("", "-1"):
            yield _variable(name, value, hidden, "hides every GPU from every framework")
        elif name.startswith("CUDA") and n_gpus:
            indices = [int(part) for part in value.split(",") if part.strip().isdigit()]
            if indices and min(indices) >= n_gpus:
                yield _variable(
                    name, value, "problem", f"names a GPU that is not there: they are numbered below {n_gpus}"
                )
            elif len(indices) < n_gpus and indices:
                yield _variable(name, value, "note", f"shows {len(indices)} of {n_gpus} GPUs")
    platforms = variables.get("JAX_PLATFORMS", variables.get("JAX_PLATFORM_NAME", ""))
    if platforms and not {"cuda", "gpu", "rocm", "metal"} & set(platforms.lower().split(",")):
        yield _variable("JAX_PLATFORMS", platforms, hidden, "keeps JAX off every GPU")
    if variables.get("KERAS_TORCH_DEVICE") == "cpu":
        yield _variable("KERAS_TORCH_DEVICE", "cpu", hidden, "keeps Keras on PyTorch off every GPU")


def _variable(name: str, value: str, severity: Severity, means: str) -> Finding:
    return Finding(
        id=name.lower().replace("_", "-"),
        severity=severity,
        seen=f"{name}={value!r}",
        means=means,
        fix=f"unset {name}",
    )


def _thread_variables(facts: Facts) -> Iterator[Finding]:
    host, usable = facts.host, facts.host.n_effective
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        value = facts.variables.get(name, "")
        if not value.isdigit():
            continue
        number = int(value)
        if number > usable:
            yield Finding(
                id=name.lower().replace("_", "-"),
                severity="problem",
                seen=f"{name}={number}, and {_cores(usable)} may be used",
                means="more threads than cores take turns and wait for each other",
                fix=f"export {name}={usable}",
            )
        elif number < usable and number > 0:
            yield Finding(
                id=name.lower().replace("_", "-"),
                severity="note",
                seen=f"{name}={number}, and {_cores(usable)} may be used",
                means="the rest of the cores stay idle in the libraries that obey it",
                fix=f"unset {name}",
            )
    quota_below = host.quota_cores is not None and host.quota_cores < (host.n_affinity or host.n_visible)
    if quota_below and "OMP_NUM_THREADS" not in facts.variables:
        yield Finding(
            id="threads-over-quota",
            severity="problem",
            seen=f"a CPU limit of {host.quota_cores:g} cores on {host.n_affinity or host.n_visible} visible ones, "
            "and no thread variable",
            means="thread pools are made for the visible cores and then held back by the limit",
            fix=f"export OMP_NUM_THREADS={usable} TF_NUM_INTRAOP_THREADS={usable}; for JAX: taskset -c 0-{usable - 1} "
            "python ... (our own runs do both)",
        )


def _other_variables(facts: Facts) -> Iterator[Finding]:
    variables = facts.variables
    meanings = {
        "TF_ENABLE_ONEDNN_OPTS": ("0", "TensorFlow uses its older CPU kernels; convolutions are usually slower"),
        "KMP_DUPLICATE_LIB_OK": ("", "silences the crash that two OpenMP runtimes cause; results may be slow or wrong"),
        "TF_USE_LEGACY_KERAS": ("", "tf.keras is then Keras 2, another program than Keras 3"),
        "NVIDIA_TF32_OVERRIDE": ("", "forces TF32 on or off below every framework's own setting"),
        "XLA_FLAGS": ("", "changes how JAX and jit_compile build programs"),
        "CUDA_LAUNCH_BLOCKING": ("1", "waits for every kernel: for finding errors, slow for all else"),
    }
    for name, (value, means) in meanings.items():
        if name in variables and (not value or variables[name] == value):
            yield _variable(name, variables[name], "note", means)


# The processor.


def _cores_found(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    limits = []
    if host.n_affinity is not None and host.n_affinity < host.n_visible:
        limits.append(f"affinity allows {host.n_affinity}")
    if host.quota_cores is not None:
        limits.append(f"the CPU limit pays for {host.quota_cores:g}")
    seen = f"{host.cpu_model or 'CPU'}: {_cores(host.n_effective)} usable of {host.n_visible}"
    yield Finding(
        id="cores",
        severity="note" if limits else "ok",
        seen=seen + (f" ({', '.join(limits)})" if limits else ""),
        means="less than the whole machine" if limits else "all cores may be used",
    )
    if host.n_physical and host.n_visible > host.n_physical:
        yield Finding(
            id="smt",
            severity="note",
            seen=f"{host.n_visible} logical on {host.n_physical} physical cores",
            means="two hardware threads share one core's arithmetic: matrix work gains little from the second",
            fix=f"compare with --threads {min(host.n_physical, host.n_effective)}",
        )
    if host.n_throttled:
        yield Finding(
            id="quota-throttling",
            severity="note",
            seen=f"the CPU limit has stopped this container {host.n_throttled:,} times since it started",
            means="a stopped process waits up to a tenth of a second each time",
            fix="raise the limit, or use fewer threads than it pays for",
        )


def _instructions(facts: Facts) -> Iterator[Finding]:
    host, flags = facts.host, set(facts.host.cpu_flags)
    if not flags:
        yield Finding(
            id="instructions",
            severity="note",
            seen="the CPU's instruction flags cannot be read",
            means="nothing can be said about AVX and bfloat16",
        )
        return
    if host.architecture.lower() in ("x86_64", "amd64"):
        if "avx" not in flags:
            yield Finding(
                id="no-avx",
                severity="problem",
                seen="no AVX",
                means="TensorFlow's wheels stop with 'illegal instruction' on this CPU",
                fix="on a virtual machine: pass the host's CPU through (QEMU: -cpu host); else use PyTorch or JAX",
            )
        elif "avx2" not in flags:
            yield Finding(
                id="no-avx2",
                severity="note",
                seen="AVX without AVX2",
                means="matrix products run at about half the rate per clock of a CPU with AVX2 and FMA",
            )
        else:
            wide = [name for name in ("avx512f", "avx512_vnni", "amx_tile") if name in flags]
            yield Finding(
                id="instructions",
                severity="ok",
                seen=", ".join(["avx2", *wide]),
                means="libraries choose their kernels at run time; the line 'not compiled to use' in TensorFlow's "
                "log is no error",
            )
    if flags & SIXTEEN_BIT_FLAGS["mixed_bfloat16"]:
        with_amx = ", AMX" if "amx_bf16" in flags else ""
        yield Finding(id="bf16", severity="ok", seen=f"bfloat16 instructions{with_amx}", means="mixed_bfloat16 can pay")
    else:
        yield Finding(
            id="no-bf16",
            severity="note",
            seen="no bfloat16 instructions (AVX512_BF16, AMX, Arm BF16)",
            means="mixed_bfloat16 is emulated on this CPU: right results, usually slower than float32",
            fix="keep float32 on the CPU",
        )


def _load(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    if host.load_1min is None:
        return
    per_core = host.load_1min / host.n_effective
    if per_core < BUSY_LOAD:
        yield Finding(id="load", severity="ok", seen=f"load {host.load_1min:.2f}", means="the machine is quiet")
        return
    yield Finding(
        id="load",
        severity="problem" if per_core >= FULL_LOAD else "note",
        seen=f"load {host.load_1min:.2f} on {_cores(host.n_effective)} over the last minute",
        means="other work takes part of the cores: timings taken now are too slow",
        fix="close what runs (top shows it), then wait a minute",
    )


def _memory(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    if host.memory_limit_bytes is not None and host.memory_bytes is not None:
        if host.memory_limit_bytes < host.memory_bytes:
            yield Finding(
                id="memory-limit",
                severity="note",
                seen=f"this container may use {_gb(host.memory_limit_bytes)} of {_gb(host.memory_bytes)}",
                means="a process that takes more is killed without a message",
            )
    if host.free_bytes is not None and host.free_bytes < LITTLE_MEMORY_BYTES:
        yield Finding(
            id="memory",
            severity="note",
            seen=f"{_gb(host.free_bytes)} of memory free",
            means="the larger workloads may be killed or swap",
            fix="close what uses it",
        )
    if host.shm_bytes is not None and host.shm_bytes < SMALL_SHM_BYTES and host.container:
        yield Finding(
            id="shared-memory",
            severity="note",
            seen=f"/dev/shm holds {host.shm_bytes / 2**20:.0f} MiB",
            means="PyTorch's loader processes pass batches through it and die with a bus error when it is full",
            fix="docker run --shm-size=2g ...",
        )


def _surroundings(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    if host.wsl:
        yield Finding(
            id="wsl",
            severity="ok",
            seen="Linux under Windows (WSL)",
            means="TensorFlow can use an NVIDIA GPU here; files under /mnt/c are slow",
        )
    if host.container:
        yield Finding(
            id="container",
            severity="ok",
            seen=f"inside a container ({host.container})",
            means="cores, memory and GPUs are what the container was given",
        )
    if host.on_battery:
        yield Finding(
            id="battery",
            severity="note",
            seen="running on battery",
            means="clocks are lower than on the mains",
            fix="plug it in before measuring",
        )
    if host.power_profile in ("powersave", "power-saver", "low-power", "quiet"):
        yield Finding(
            id="power-profile",
            severity="note",
            seen=f"power profile {host.power_profile!r}",
            means="the processor may stay below its highest clock (with Intel's and AMD's own drivers it need not)",
            fix="powerprofilesctl set performance",
        )


# Backends.


def _installed(facts: Facts) -> Iterator[Finding]:
    for backend in facts.backends:
        name = NAMES[backend.name]
        if not backend.installed:
            yield Finding(
                id=f"{backend.name}-absent",
                severity="note",
                seen=f"{name} is not installed",
                means="its cells are skipped",
                fix=f"pip install {backend.name}" if backend.name != "torch" else TORCH_INSTALL,
            )
        elif backend.error:
            yield _broken(facts, backend)
        elif backend.keras_error:
            yield Finding(
                id=f"{backend.name}-keras",
                severity="problem",
                seen=f"Keras does not start on {name}: {backend.keras_error}",
                means="the backend works alone, but not under Keras",
                fix=f"pip install -U keras {backend.name}",
            )
        elif backend.gpus:
            where = {"gpu": "the GPU", "cpu": "the CPU"}
            seen = f"{name} {backend.version} sees {', '.join(backend.gpus)}"
            placed = backend.keras_placed or backend.placed
            yield Finding(
                id=f"{backend.name}-gpu",
                severity="ok" if placed != "cpu" else "note",
                seen=seen,
                means=f"Keras puts arrays on {where.get(placed, placed)} without any code",
            )
        else:
            yield Finding(
                id=f"{backend.name}-cpu",
                severity="ok",
                seen=f"{name} {backend.version} sees no GPU",
                means="it computes on the CPU",
            )
    if facts.backends and not any(backend.installed for backend in facts.backends):
        yield Finding(
            id="no-backend",
            severity="problem",
            seen="none of TensorFlow, JAX and PyTorch is installed",
            means="Keras needs one of them to compute",
            fix="pip install tensorflow",
        )
    if facts.backends and facts.keras_backend and facts.keras_backend not in NAMES:
        yield Finding(
            id="keras-backend",
            severity="problem",
            seen=f"Keras would use {facts.keras_backend!r}",
            means="models train on TensorFlow, JAX and PyTorch only",
            fix="export KERAS_BACKEND=tensorflow",
        )
    chosen = next((backend for backend in facts.backends if backend.name == facts.keras_backend), None)
    if chosen is not None and not chosen.installed and any(backend.installed for backend in facts.backends):
        there = next(backend.name for backend in facts.backends if backend.installed)
        yield Finding(
            id="keras-backend",
            severity="problem",
            seen=f"Keras would use {chosen.name}, which is not installed",
            means="import keras fails",
            fix=f"export KERAS_BACKEND={there}",
        )


def _broken(facts: Facts, backend: BackendFacts) -> Finding:
    """A backend that is installed and gave no answer."""
    name, error = NAMES[backend.name], backend.error
    means, fix = "it cannot be imported", f"pip install --force-reinstall {backend.name}"
    if "time limit" in error:
        means = "its import or its first operation hangs; on a new GPU it may be compiling its kernels"
        fix = "run it again; if it hangs again, look at nvidia-smi, then reinstall it"
    elif "signal 4" in error or "illegal instruction" in error.lower():
        means = "the wheel uses instructions that this CPU lacks"
        fix = "see the finding on AVX"
    elif re.search(r"libcudnn|libcublas|libcudart|libnv", error):
        means, fix = "its CUDA libraries are missing or of another version", _cuda_fix(facts, backend.name)
    elif "DLL load failed" in error:
        fix = "install Microsoft's Visual C++ Redistributable (x64), then: " + fix
    elif "numpy" in error.lower():
        means, fix = "it was built for another NumPy", f"pip install -U {backend.name} numpy"
    return Finding(id=f"{backend.name}-broken", severity="problem", seen=f"{name}: {error}", means=means, fix=fix)


def _unseen_nvidia(facts: Facts) -> Iterator[Finding]:
    """A working NVIDIA driver, and a backend that sees no GPU: why."""
    host = facts.host
    hidden = {finding.id for finding in _hidden_devices(facts) if finding.severity == "problem"}
    for backend in facts.backends:
        if not host.gpus or not backend.installed or backend.error or backend.gpus:
            continue
        if "cuda-visible-devices" in hidden or (backend.name == "jax" and "jax-platforms" in hidden):
            continue  # said already
        yield UNSEEN[backend.name](facts, backend)


def _tensorflow_unseen(facts: Facts, backend: BackendFacts) -> Finding:
    host, packages = facts.host, facts.packages
    seen = f"TensorFlow {backend.version} sees no GPU; the driver shows {host.gpus[0].name}"
    if host.system == "Windows" and _version(backend.version) > LAST_TF_ON_WINDOWS:
        return Finding(
            id="tensorflow-windows",
            severity="problem",
            seen=seen,
            means="TensorFlow has had no GPU support on native Windows since 2.11",
            fix="use WSL2 and there: pip install 'tensorflow[and-cuda]'; or stay on Windows with KERAS_BACKEND=torch",
        )
    if not backend.cuda:
        return Finding(
            id="tensorflow-cpu-wheel",
            severity="problem",
            seen=f"{seen}; this build has no CUDA",
            means="a CPU-only TensorFlow is installed",
            fix="pip uninstall -y tensorflow-cpu tensorflow-intel tensorflow; pip install 'tensorflow[and-cuda]'",
        )
    if _too_old(host, backend.cuda):
        return _driver_too_old(host, backend, seen)
    if not any(name.startswith("nvidia-cudnn") for name in packages):
        return Finding(
            id="tensorflow-and-cuda",
            severity="problem",
            seen=f"{seen}; it was built for CUDA {backend.cuda}, and the pip packages with CUDA's libraries are absent",
            means="TensorFlow finds no CUDA libraries, says so in its log, and goes on with the CPU",
            fix="pip install 'tensorflow[and-cuda]'",
        )
    return _unexplained(backend, seen, "pip install --force-reinstall 'tensorflow[and-cuda]'")


def _jax_unseen(facts: Facts, backend: BackendFacts) -> Finding:
    host, packages = facts.host, facts.packages
    seen = f"JAX {backend.version} sees no GPU; the driver shows {host.gpus[0].name}"
    plugins = [name for name in packages if re.fullmatch(r"jax-cuda\d+-plugin", name)]
    fix = _cuda_fix(facts, "jax")
    if host.system == "Windows":
        return Finding(
            id="jax-windows",
            severity="problem",
            seen=seen,
            means="JAX has no GPU wheels for native Windows",
            fix=f"use WSL2 and there: {fix}",
        )
    if not plugins:
        return Finding(
            id="jax-plugin",
            severity="problem",
            seen=f"{seen}; no CUDA plug-in is installed",
            means="plain jax computes on the CPU; the GPU comes with a plug-in",
            fix=fix,
        )
    generation = re.search(r"\d+", plugins[0])
    if generation and _too_old(host, generation[0]):
        return _driver_too_old(host, backend, seen, generation[0])
    return _unexplained(backend, seen, fix)


def _torch_unseen(facts: Facts, backend: BackendFacts) -> Finding:
    seen = f"PyTorch {backend.version} sees no GPU; the driver shows {facts.host.gpus[0].name}"
    if not backend.cuda:
        return Finding(
            id="torch-cpu-wheel",
            severity="problem",
            seen=f"{seen}; this build has no CUDA",
            means="a CPU-only wheel is installed: on Windows and macOS that is what plain pip gives",
            fix=f"pip uninstall -y torch; then {TORCH_INSTALL}",
        )
    if _too_old(facts.host, backend.cuda):
        return _driver_too_old(facts.host, backend, seen)
    return _unexplained(backend, seen, TORCH_INSTALL)


UNSEEN: dict[str, Callable[[Facts, BackendFacts], Finding]] = {
    "tensorflow": _tensorflow_unseen,
    "jax": _jax_unseen,
    "torch": _torch_unseen,
}


def _driver_too_old(host: HostFacts, backend: BackendFacts, seen: str, cuda: str = "") -> Finding:
    cuda = cuda or backend.cuda
    needed = MIN_DRIVER.get(int(cuda.split(".")[0]))
    return Finding(
        id=f"{backend.name}-driver",
        severity="problem",
        seen=f"{seen}; it was built for CUDA {cuda}, the driver {host.driver} runs up to CUDA {host.driver_cuda}",
        means="the driver is older than the CUDA that this build needs",
        fix=f"update NVIDIA's driver{f' to {needed} or newer' if needed else ''}, or install a build for an older CUDA",
    )


def _unexplained(backend: BackendFacts, seen: str, fix: str) -> Finding:
    said = f"; its log says: {backend.log}" if backend.log else ""
    return Finding(
        id=f"{backend.name}-unseen",
        severity="problem",
        seen=seen + said,
        means="build and driver fit each other, so a library is missing, damaged or shadowed by another copy",
        fix=f"unset LD_LIBRARY_PATH; {fix}",
    )


def _architecture(facts: Facts) -> Iterator[Finding]:
    """A GPU newer than the machine code in a wheel."""
    for gpu in facts.host.gpus:
        capability = (gpu.compute_capability or "").replace(".", "")
        if not capability.isdigit():
            continue
        for backend in facts.backends:
            known = [
                (kind, int(digits))
                for kind, digits in re.findall(r"(sm|compute)_(\d+)", " ".join(backend.architectures))
            ]
            code = [number for kind, number in known if kind == "sm"]
            # Machine code runs on its own generation only; portable code is compiled for any later one.
            if not code or any(n // 10 == int(capability) // 10 and n <= int(capability) for n in code):
                continue
            portable = any(kind == "compute" and number <= int(capability) for kind, number in known)
            name = NAMES[backend.name]
            listed = ", ".join(backend.architectures)
            if portable:
                yield Finding(
                    id=f"{backend.name}-compiles-first",
                    severity="note",
                    seen=f"{gpu.name} is sm_{capability}; {name} {backend.version} holds {listed}",
                    means="its kernels are compiled for this GPU at first use, which can take minutes, then cached",
                    fix=f"a newer {name} may hold them: pip install -U {backend.name}",
                )
            else:
                yield Finding(
                    id=f"{backend.name}-architecture",
                    severity="problem",
                    seen=f"{gpu.name} is sm_{capability}; {name} {backend.version} holds {listed}",
                    means="this build has no kernels for this GPU: 'no kernel image is available'",
                    fix=TORCH_INSTALL if backend.name == "torch" else f"pip install -U {backend.name}",
                )


def _packages(facts: Facts) -> Iterator[Finding]:
    packages, host = facts.packages, facts.host
    if "tensorflow-gpu" in packages:
        yield Finding(
            id="tensorflow-gpu-package",
            severity="problem",
            seen=f"the package tensorflow-gpu {packages['tensorflow-gpu']}",
            means="it was given up in 2022: current TensorFlow is one package for CPU and GPU, and two installs clash",
            fix="pip uninstall -y tensorflow-gpu tensorflow; pip install 'tensorflow[and-cuda]'",
        )
    both = [name for name in ("tensorflow", "tensorflow-cpu") if name in packages]
    if len(both) > 1:
        yield Finding(
            id="tensorflow-twice",
            severity="problem",
            seen=" and ".join(f"{name} {packages[name]}" for name in both),
            means="both write the same folder; which of them is imported is chance",
            fix="pip uninstall -y tensorflow tensorflow-cpu; pip install tensorflow",
        )
    plugin = next((name for name in packages if re.fullmatch(r"jax-cuda\d+-plugin", name)), None)
    if plugin and "jaxlib" in packages and packages[plugin] != packages["jaxlib"]:
        yield Finding(
            id="jax-plugin-version",
            severity="problem",
            seen=f"{plugin} {packages[plugin]} beside jaxlib {packages['jaxlib']}",
            means="the plug-in of another version is refused, and JAX goes on with the CPU",
            fix=_cuda_fix(facts, "jax"),
        )
    on_windows = host.system == "Windows" and _version(packages.get("tensorflow", "0")) > LAST_TF_ON_WINDOWS
    if on_windows and not host.gpus:
        yield Finding(
            id="tensorflow-windows",
            severity="note",
            seen=f"TensorFlow {packages['tensorflow']} on native Windows",
            means="it would use no GPU here: support ended with 2.10",
            fix="for a GPU: WSL2, or KERAS_BACKEND=torch",
        )


def _apple(facts: Facts) -> Iterator[Finding]:
    if not _is_apple(facts.host):
        return
    by_name = {backend.name: backend for backend in facts.backends if backend.installed and not backend.error}
    plugins = {"tensorflow": "tensorflow-metal", "jax": "jax-metal"}
    for name, plugin in plugins.items():
        backend = by_name.get(name)
        if backend is not None and not backend.gpus:
            has = plugin in facts.packages
            yield Finding(
                id=f"{name}-metal",
                severity="note",
                seen=f"{NAMES[name]} {backend.version} on Apple silicon sees no GPU"
                + (f", with {plugin} {facts.packages[plugin]}" if has else f"; {plugin} is not installed"),
                means="Apple's plug-in brings the GPU, and works with some versions only"
                if has
                else "without Apple's plug-in it computes on the CPU",
                fix="look up which versions the plug-in supports, or use KERAS_BACKEND=torch"
                if has
                else f"pip install {plugin}, or KERAS_BACKEND=torch, whose wheel has the GPU built in",
            )


def _amd(facts: Facts) -> Iterator[Finding]:
    host = facts.host
    if "0x1002" not in host.pci_gpus or host.gpus:
        return
    if not host.has_kfd:
        yield Finding(
            id="rocm-driver",
            severity="note",
            seen="an AMD graphics card without AMD's compute device (/dev/kfd)",
            means="ROCm is not installed, or the card is not one that it supports: frameworks use the CPU",
            fix="check the card in ROCm's list of supported GPUs; in a container add: --device=/dev/kfd "
            "--device=/dev/dri",
        )
        return
    for backend in facts.backends:
        if backend.installed and not backend.error and not backend.gpus:
            yield Finding(
                id=f"{backend.name}-rocm",
                severity="problem",
                seen=f"AMD's compute device, and {NAMES[backend.name]} {backend.version} "
                + ("built for ROCm sees no GPU" if backend.rocm else "without ROCm"),
                means="the card is not used"
                if not backend.rocm
                else "the card is not on this build's list of targets, or this user may not open /dev/kfd",
                fix="sudo usermod -aG render,video $USER, then log in again"
                if backend.rocm
                else (
                    TORCH_INSTALL.replace("CUDA", "ROCm") if backend.name == "torch" else "AMD publishes ROCm wheels"
                ),
            )


def _openmp(facts: Facts) -> Iterator[Finding]:
    for backend in facts.backends:
        kinds = sorted(set(backend.openmp))
        if len(kinds) > 1:
            yield Finding(
                id=f"{backend.name}-openmp",
                severity="note",
                seen=f"{NAMES[backend.name]} with Keras loads two OpenMP runtimes: {', '.join(kinds)}",
                means="each keeps its own threads: together they can take more cores than there are",
                fix=f"export OMP_NUM_THREADS={facts.host.n_effective}; do not mix conda's and pip's packages",
            )


RULES: tuple[Rule, ...] = (
    _gpus,
    _hidden_devices,
    _unseen_nvidia,
    _architecture,
    _packages,
    _apple,
    _amd,
    _installed,
    _gpu_state,
    _cores_found,
    _thread_variables,
    _instructions,
    _openmp,
    _load,
    _memory,
    _surroundings,
    _other_variables,
)


def _cuda_fix(facts: Facts, backend: str) -> str:
    """The command that brings a backend with CUDA libraries that this driver can run."""
    if backend == "torch":
        return TORCH_INSTALL
    if backend == "tensorflow":
        return "pip install 'tensorflow[and-cuda]'"
    newest = facts.host.driver_cuda.split(".")[0]
    generation = 13 if newest.isdigit() and int(newest) >= 13 else 12
    return f"pip install -U 'jax[cuda{generation}]'"


def _too_old(host: HostFacts, cuda: str) -> bool:
    """Whether the driver's newest CUDA is of an older generation than the one a build needs."""
    need, have = _version(cuda), _version(host.driver_cuda)
    return bool(need and have) and have[0] < need[0]


def _version(text: str) -> tuple[int, ...]:
    """ "2.11.0rc1" becomes (2, 11); an empty tuple for what is no version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _is_apple(host: HostFacts) -> bool:
    return host.system == "Darwin" and host.architecture == "arm64"


def _cores(n: int) -> str:
    return f"{n} {_plural(n, 'core', 'cores')}"


def _plural(n: int, one: str, many: str) -> str:
    return one if n == 1 else many


def _gb(value_bytes: float | None) -> str:
    return "memory not told" if value_bytes is None else f"{value_bytes / 1e9:.1f} GB"


def as_text(findings: tuple[Finding, ...]) -> str:
    """Findings as readable lines: what needs fixing first, what is well last."""
    blocks = []
    for finding in findings:
        lines = [f"{finding.severity:<8} {finding.seen}", f"         {finding.means}"]
        if finding.fix:
            lines.append(f"         fix: {finding.fix}")
        blocks.append("\n".join(lines))
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    problems, notes = counts["problem"], counts["note"]
    total = f"{problems} {_plural(problems, 'problem', 'problems')}, {notes} {_plural(notes, 'note', 'notes')}"
    return "\n".join([*blocks, total])
