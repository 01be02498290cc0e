"""Whether there is a GPU at all, and variables that hide one: rules from facts to findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from bench.doctor import fixes, said
from bench.doctor.facts import (
    UUID,
    VENDORS,
    BackendFacts,
    Facts,
    Finding,
    Severity,
    is_apple,
    is_present,
    is_translated,
)

# Where else a graphics card is named, on systems whose list of cards this program cannot read, or not wholly.
ELSEWHERE = {
    "Windows": "Task Manager, Performance, names the cards; for NVIDIA's: nvidia-smi",
    "Linux": "lspci names the cards; for NVIDIA's: nvidia-smi; for AMD's: rocminfo; for Intel's: clinfo -l",
    "Darwin": "About This Mac names the chip",
}
# Microsoft's own adapter, behind which WSL and virtual machines hide whatever card there is.
STAND_IN = "0x1414"


def none_seen(facts: Facts) -> Iterator[Finding]:
    """No GPU: whether that is sure, or only not told."""
    host = facts.host
    if is_translated(host):
        return
    anything = set(host.pci_gpus) - {STAND_IN} or is_apple(host) or any(backend.gpus for backend in facts.backends)
    if anything or any(is_present(facts, vendor) for vendor in VENDORS.values()):
        return
    is_sure = host.system == "Linux" and not host.wsl and "graphics cards" not in host.refused
    if is_sure:
        yield Finding(
            id="no-gpu",
            severity="ok",
            seen="no GPU that a driver or the PCI bus shows",
            means="everything runs on the CPU; there is nothing to fix",
        )
        return
    reason = host.refused.get("graphics cards", "")
    yield Finding(
        id="gpu-not-told",
        severity="note",
        seen=f"no GPU that a driver shows; {'WSL' if host.wsl else host.system} lists no cards here"
        + (f" ({reason})" if reason else ""),
        means="there may be one all the same: not seen is not the same as not there",
        fix="in Windows: Task Manager, Performance, names the cards; nvidia-smi must show NVIDIA's there first"
        if host.wsl
        else ELSEWHERE.get(host.system, ELSEWHERE["Linux"]),
    )


def other_cards(facts: Facts) -> Iterator[Finding]:
    """Cards of makers whose GPUs no backend computes on."""
    others = [number for number in facts.host.pci_gpus if number != STAND_IN]
    if others and not any(number in VENDORS for number in others):
        yield Finding(
            id="no-gpu",
            severity="ok",
            seen=f"only graphics cards of other makers ({', '.join(dict.fromkeys(others))})",
            means="no framework here computes on them; many are a server's or a virtual machine's screen",
        )


def refused(facts: Facts) -> Iterator[Finding]:
    """What could not be read, each with its reason: not read is not the same as not there."""
    told = {name: reason for name, reason in facts.host.refused.items() if not name.startswith("NVML nvml")}
    if told:
        yield Finding(
            id="refused",
            severity="note",
            seen="not read: " + "; ".join(f"{name} (refused: {reason})" for name, reason in told.items()),
            means="nothing is said about these; the rest holds",
        )


# Variables that hide devices or bend results.


def hidden_devices(facts: Facts) -> Iterator[Finding]:
    """Variables that hide devices."""
    has_gpu = is_present(facts, "NVIDIA") or is_present(facts, "AMD")
    hidden: Severity = "problem" if has_gpu else "note"
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        value = facts.variables.get(name)
        if value is not None and (name.startswith("CUDA") or is_present(facts, "AMD")):
            weight = hidden if name.startswith("CUDA") or not facts.host.gpus else "note"
            for finding in _visible(facts, name, value, weight):
                if job := fixes.job(facts):  # whose other GPUs are other people's
                    has_part = finding.id.endswith("-part")
                    means = finding.means + ", as the cluster gave them to this job" * has_part
                    finding = msgspec.structs.replace(finding, means=means, fix="" if has_part else job)
                yield finding
    value = facts.variables.get("NVIDIA_VISIBLE_DEVICES", "all")
    if value in ("", "void", "none") and facts.host.container and not facts.host.gpus:
        yield variable_findings("NVIDIA_VISIBLE_DEVICES", value, hidden, "keeps the container's GPUs outside")
    platforms = facts.variables.get("JAX_PLATFORMS", facts.variables.get("JAX_PLATFORM_NAME", ""))
    if platforms and not {"cuda", "gpu", "rocm", "metal", "mps", "xpu"} & set(platforms.lower().split(",")):
        yield variable_findings("JAX_PLATFORMS", platforms, hidden, "keeps JAX off every GPU")
    selector = facts.variables.get("ONEAPI_DEVICE_SELECTOR", "*")
    if is_present(facts, "Intel") and not re.search(r"gpu|\*|:\d", selector):
        yield variable_findings("ONEAPI_DEVICE_SELECTOR", selector, "problem", "keeps PyTorch off Intel's GPUs")
    if facts.variables.get("KERAS_TORCH_DEVICE") == "cpu":
        yield variable_findings("KERAS_TORCH_DEVICE", "cpu", hidden, "keeps Keras on PyTorch off every GPU")


def _visible(facts: Facts, name: str, value: str, hidden: Severity) -> Iterator[Finding]:
    """One variable that lists devices, by number, or by UUID as instances of a card need."""
    gpus = facts.host.gpus if name.startswith("CUDA") else ()
    names = [part.strip() for part in value.split(",")]
    numbers = [int(part) for part in names if part.isdigit()]
    whose = "every GPU from every framework" if name.startswith("CUDA") else "AMD's GPUs"
    if names[0] in ("", "-1", "NoDevFiles"):
        yield variable_findings(name, value, hidden, f"hides {whose}")
    elif gpus and names[0].isdigit() and int(names[0]) >= len(gpus):
        means = f"names a GPU that is not there: they are numbered below {len(gpus)}; what follows it is not looked at"
        yield variable_findings(name, value, "problem", means)
    elif gpus and not names[0].isdigit():
        yield from _by_uuid(facts, name, value)
    elif numbers and any(gpu.mig for gpu in gpus):
        means = "of a card that is cut into instances (MIG), a number means the first instance"
        yield _in_part(variable_findings(name, value, "note", means), "name one by its UUID: nvidia-smi -L lists them")
    elif gpus and numbers and len(numbers) < len(gpus):
        finding = variable_findings(name, value, "note", f"shows {len(numbers)} of {len(gpus)} GPUs")
        yield _in_part(finding, finding.fix)


def _by_uuid(facts: Facts, name: str, value: str) -> Iterator[Finding]:
    """A device that is not named by its number."""
    if not value.startswith(("GPU-", "MIG-")):
        means = "is neither a number nor a UUID, so that CUDA shows no GPU"
        yield variable_findings(name, value, "problem", means)
    elif not any(backend.gpus for backend in facts.backends) and any(_may_be_hidden(facts, b) for b in facts.backends):
        finding = variable_findings(name, UUID.sub(r"\1...", value), "problem", "names a GPU, and no backend sees one")
        fix = f"compare it with: nvidia-smi -L; where no line has it: {finding.fix}"
        yield msgspec.structs.replace(finding, fix=fix)


def _may_be_hidden(facts: Facts, backend: BackendFacts) -> bool:
    """Whether a backend with CUDA gives no other reason why it sees no GPU than that none is there."""
    saying = said.explain(backend.error or backend.log, facts)
    return bool(backend.cuda) and (saying is None or saying.id in ("no-device", "cuda-driver-library"))


def _in_part(finding: Finding, fix: str) -> Finding:
    """A variable that hides a part only, and so explains no backend that sees nothing."""
    return msgspec.structs.replace(finding, id=f"{finding.id}-part", fix=fix)


def variable_findings(name: str, value: str, severity: Severity, means: str) -> Finding:
    """A finding on one variable."""
    return Finding(
        id=name.lower().replace("_", "-"), severity=severity, seen=f"{name}={value!r}", means=means, fix=f"unset {name}"
    )
