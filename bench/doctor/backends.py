"""Why a backend does not see a device: rules from facts to findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bench.doctor import gpu
from bench.doctor.facts import NAMES, TORCH_INSTALL, BackendFacts, Facts, Finding, HostFacts, cuda_fix, version_of

# TensorFlow 2.10 was the last release with GPU support on native Windows.
# Source: https://www.tensorflow.org/install/pip
LAST_TF_ON_WINDOWS = (2, 10)
# Oldest Linux driver that runs programs of a CUDA generation; within one, newer minor versions run on older drivers.
# Source: NVIDIA, CUDA Toolkit release notes, https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/
MIN_DRIVER = {11: "450.80", 12: "525.60", 13: "580.65"}


# Backends.


def installed(facts: Facts) -> Iterator[Finding]:
    """Which backends are installed."""
    yield from (_state(facts, backend) for backend in facts.backends)
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


def _state(facts: Facts, backend: BackendFacts) -> Finding:
    """Whether a backend is installed, starts, and sees a GPU."""
    name = NAMES[backend.name]
    if not backend.installed:
        return Finding(
            id=f"{backend.name}-absent",
            severity="note",
            seen=f"{name} is not installed",
            means="its cells are skipped",
            fix=f"pip install {backend.name}" if backend.name != "torch" else TORCH_INSTALL,
        )
    if backend.error:
        return _broken(facts, backend)
    if backend.keras_error:
        return Finding(
            id=f"{backend.name}-keras",
            severity="problem",
            seen=f"Keras does not start on {name}: {backend.keras_error}",
            means="the backend works alone, but not under Keras",
            fix=f"pip install -U keras {backend.name}",
        )
    if backend.gpus:
        where = {"gpu": "the GPU", "cpu": "the CPU"}
        seen = f"{name} {backend.version} sees {', '.join(backend.gpus)}"
        placed = backend.keras_placed or backend.placed
        return Finding(
            id=f"{backend.name}-gpu",
            severity="ok" if placed != "cpu" else "note",
            seen=seen,
            means=f"Keras puts arrays on {where.get(placed, placed)} without any code",
        )
    return Finding(
        id=f"{backend.name}-cpu",
        severity="ok",
        seen=f"{name} {backend.version} sees no GPU",
        means="it computes on the CPU",
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
        means, fix = "its CUDA libraries are missing or of another version", cuda_fix(facts, backend.name)
    elif "DLL load failed" in error:
        fix = "install Microsoft's Visual C++ Redistributable (x64), then: " + fix
    elif "numpy" in error.lower():
        means, fix = "it was built for another NumPy", f"pip install -U {backend.name} numpy"
    return Finding(id=f"{backend.name}-broken", severity="problem", seen=f"{name}: {error}", means=means, fix=fix)


def unseen_nvidia(facts: Facts) -> Iterator[Finding]:
    """A working NVIDIA driver, and a backend that sees no GPU: why."""
    host = facts.host
    hidden = {finding.id for finding in gpu.hidden_devices(facts) if finding.severity == "problem"}
    for backend in facts.backends:
        if not host.gpus or not backend.installed or backend.error or backend.gpus:
            continue
        if "cuda-visible-devices" in hidden or (backend.name == "jax" and "jax-platforms" in hidden):
            continue  # said already
        yield UNSEEN[backend.name](facts, backend)


def _tensorflow_unseen(facts: Facts, backend: BackendFacts) -> Finding:
    host, packages = facts.host, facts.packages
    seen = f"TensorFlow {backend.version} sees no GPU; the driver shows {host.gpus[0].name}"
    if host.system == "Windows" and version_of(backend.version) > LAST_TF_ON_WINDOWS:
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
    fix = cuda_fix(facts, "jax")
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


def package_findings(facts: Facts) -> Iterator[Finding]:
    """Packages that are obsolete, or do not fit together."""
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
            fix=cuda_fix(facts, "jax"),
        )
    on_windows = host.system == "Windows" and version_of(packages.get("tensorflow", "0")) > LAST_TF_ON_WINDOWS
    if on_windows and not host.gpus:
        yield Finding(
            id="tensorflow-windows",
            severity="note",
            seen=f"TensorFlow {packages['tensorflow']} on native Windows",
            means="it would use no GPU here: support ended with 2.10",
            fix="for a GPU: WSL2, or KERAS_BACKEND=torch",
        )


def _too_old(host: HostFacts, cuda: str) -> bool:
    """Whether the driver's newest CUDA is of an older generation than the one a build needs."""
    need, have = version_of(cuda), version_of(host.driver_cuda)
    return bool(need and have) and have[0] < need[0]
