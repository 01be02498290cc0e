"""What the driver and the variables say of the GPUs: rules from facts to findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.doctor.facts import NAMES, TORCH_INSTALL, VENDORS, Facts, Finding, Severity, gb, is_apple, plural

LITTLE_GPU_MEMORY_FRAC = 0.2


# Devices of the machine.


def gpu_findings(facts: Facts) -> Iterator[Finding]:
    """GPUs that the driver shows, or why it shows none."""
    host = facts.host
    for gpu in host.gpus:
        capability = f", compute capability {gpu.compute_capability}" if gpu.compute_capability else ""
        seen = f"{gpu.name}, {gb(gpu.memory_bytes)}{capability}, driver {host.driver}"
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
    elif "AMD" not in cards and not is_apple(host):
        yield Finding(
            id="no-gpu",
            severity="ok",
            seen="no GPU that a driver or the PCI bus shows",
            means="everything runs on the CPU; there is nothing to fix",
        )


def gpu_state(facts: Facts) -> Iterator[Finding]:
    """Other processes, little memory, and what holds a GPU back."""
    for gpu in facts.host.gpus:
        if gpu.n_processes:
            yield Finding(
                id="gpu-shared",
                severity="note",
                seen=f"{gpu.n_processes} other {plural(gpu.n_processes, 'process', 'processes')} on the {gpu.name}",
                means="they share its time and memory, so timings taken now mean little",
                fix="nvidia-smi shows them",
            )
        if gpu.free_bytes is not None and gpu.free_bytes < LITTLE_GPU_MEMORY_FRAC * (gpu.memory_bytes or 0):
            yield Finding(
                id="gpu-memory",
                severity="problem",
                seen=f"{gb(gpu.free_bytes)} of {gb(gpu.memory_bytes)} free on the {gpu.name}",
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


def hidden_devices(facts: Facts) -> Iterator[Finding]:
    """Variables that hide devices."""
    n_gpus, variables = len(facts.host.gpus), facts.variables
    has_gpu = bool(n_gpus or {"0x10de", "0x1002"} & set(facts.host.pci_gpus))
    hidden: Severity = "problem" if has_gpu else "note"
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        value = variables.get(name)
        if value is None or (name.startswith("HIP") and "0x1002" not in facts.host.pci_gpus):
            continue
        if value.strip() in ("", "-1"):
            yield variable_findings(name, value, hidden, "hides every GPU from every framework")
        elif name.startswith("CUDA") and n_gpus:
            indices = [int(part) for part in value.split(",") if part.strip().isdigit()]
            if indices and min(indices) >= n_gpus:
                yield variable_findings(
                    name, value, "problem", f"names a GPU that is not there: they are numbered below {n_gpus}"
                )
            elif len(indices) < n_gpus and indices:
                yield variable_findings(name, value, "note", f"shows {len(indices)} of {n_gpus} GPUs")
    platforms = variables.get("JAX_PLATFORMS", variables.get("JAX_PLATFORM_NAME", ""))
    if platforms and not {"cuda", "gpu", "rocm", "metal"} & set(platforms.lower().split(",")):
        yield variable_findings("JAX_PLATFORMS", platforms, hidden, "keeps JAX off every GPU")
    if variables.get("KERAS_TORCH_DEVICE") == "cpu":
        yield variable_findings("KERAS_TORCH_DEVICE", "cpu", hidden, "keeps Keras on PyTorch off every GPU")


def variable_findings(name: str, value: str, severity: Severity, means: str) -> Finding:
    """A finding on one variable."""
    return Finding(
        id=name.lower().replace("_", "-"), severity=severity, seen=f"{name}={value!r}", means=means, fix=f"unset {name}"
    )


def architecture(facts: Facts) -> Iterator[Finding]:
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


def apple(facts: Facts) -> Iterator[Finding]:
    """Plug-ins on an Apple chip."""
    if not is_apple(facts.host):
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


def amd(facts: Facts) -> Iterator[Finding]:
    """An AMD card and its driver."""
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
