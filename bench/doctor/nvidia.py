"""NVIDIA's cards and driver: rules from facts to findings. Pure.

A driver is in one of several states, which are never taken for each other: it answers, it answers and has no card, it
is there and does not start, it is absent, or nothing here could ask it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from bench.doctor import builds, fixes, said
from bench.doctor.facts import (
    NAMES,
    BackendFacts,
    Facts,
    Finding,
    GpuFacts,
    block,
    gb,
    is_jetson,
    is_present,
    is_thor,
    jax_plugin,
    plural,
    quoted,
    sees_nvidia,
)

LITTLE_GPU_MEMORY_FRAC = 0.2
# Chips that have no memory of their own: NVML refuses to tell it.
SHARED_MEMORY = re.compile(r"(?i)\bGB10\b|\bThor\b|\bOrin\b|\bXavier\b|tegra|\bTX[12]\b|jetson")


def cards(facts: Facts) -> Iterator[Finding]:
    """The cards that the driver shows."""
    for gpu in facts.host.gpus:
        row = builds.generation(gpu.compute_capability)
        kind = f" ({row.name})" if row else ""
        capability = f", compute capability {gpu.compute_capability}" if gpu.compute_capability else ""
        shared = gpu.memory_bytes is None and SHARED_MEMORY.search(gpu.name)
        memory = "memory shared with the CPU" if shared else gb(gpu.memory_bytes)
        yield Finding(
            id="gpu",
            severity="ok",
            seen=f"{gpu.name}{kind}, {memory}{capability}, driver {facts.host.driver or 'not told'}",
            means="the driver sees this GPU"
            + (f"; branch {row.last_driver} of the driver is the last for it" if row and row.last_driver else "")
            + ("; it is cut into instances (MIG), each of which is a GPU of its own" if gpu.mig else ""),
        )


def shared_memory(facts: Facts) -> Iterator[Finding]:
    """GPUs without a memory of their own."""
    for gpu in facts.host.gpus:
        if gpu.memory_bytes is None and SHARED_MEMORY.search(gpu.name):
            yield Finding(
                id="gpu-system-memory",
                severity="note",
                seen=f"{gpu.name} has no memory of its own, and its driver tells none",
                means="its memory is the system's: what the CPU's programs hold, the GPU cannot have",
                fix="free -h shows what is free; a container's memory limit holds for the GPU as well",
            )


def driver(facts: Facts) -> Iterator[Finding]:
    """Why the driver shows no card."""
    host = facts.host
    refusal = next((host.refused[name] for name in LISTING if name in host.refused), "")
    if refusal and host.gpus:
        seen = "NVIDIA's driver lists a card more than these, and cannot open it"
        yield msgspec.structs.replace(_said(facts, seen, refusal), id="gpu-refused")
    if host.gpus or not is_present(facts, "NVIDIA") or is_jetson(host):
        return
    if any(map(sees_nvidia, facts.backends)):
        yield _unread(facts)
    elif host.driver_error:
        where = f" (module {host.kernel_module} is in the kernel)" if host.kernel_module else ""
        yield _said(facts, f"NVIDIA's driver is there and does not answer{where}", host.driver_error)
    elif refusal:
        yield _said(facts, f"NVIDIA's driver {host.driver} answers, and does not open its card", refusal)
    elif host.driver:
        yield _no_card(facts)
    elif "nouveau" in host.pci_drivers or ("0x10de", "vfio-pci") in zip(host.pci_gpus, host.pci_drivers, strict=False):
        yield _other_driver(facts)
    elif host.container or host.wsl:
        yield _outside(facts)
    else:
        yield _absent(facts)


# Calls without which the driver shows no card, and what they are named where one is refused.
LISTING = ("NVML nvmlDeviceGetCount", "NVML nvmlDeviceGetHandleByIndex")
NO_CARD = (
    "on an RTX 50 or another Blackwell card take the package with the open kernel modules ('open' in its name): no "
    "others start it; on a card before Turing the one without them, and no newer one than it knows: {branches}; else "
    "look for lines with NVRM in: sudo dmesg; and in the firmware's set-up switch on Above 4G Decoding and Resizable "
    "BAR"
)


def _unread(facts: Facts) -> Finding:
    """A card that a backend uses, though NVIDIA's library shows none."""
    host = facts.host
    names = dict.fromkeys(name for backend in facts.backends for name in backend.gpus)
    saying = said.explain(host.driver_error, facts) if host.driver_error else None
    if saying:
        fix = said.fix_of(saying, facts)
    elif host.nvml == "no library" and host.container:
        fix = "start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility: the library is of the second"
    else:
        fix = "pip install nvidia-ml-py" if host.nvml in ("no binding", "") else "look with: nvidia-smi"
    return Finding(
        id="nvidia-binding",
        severity="note",
        seen=f"a backend sees {', '.join(names)}; NVIDIA's library shows no card here"
        + (" (its Python binding is not installed)" if host.nvml == "no binding" else "")
        + quoted(host.driver_error),
        means="the card works; its clocks, memory and energy are not read",
        fix=fix,
    )


def _no_card(facts: Facts) -> Finding:
    """A driver that answers and has no card: it does not start it, or the card is switched off."""
    host = facts.host
    is_off = bool(host.pci_gpus) and "0x10de" not in host.pci_gpus
    is_hidden = facts.variables.get("CUDA_VISIBLE_DEVICES", "0") in ("", "NoDevFiles")  # as schedulers leave it
    job = fixes.job(facts)
    if host.container or job:
        whose = "this container" if host.container else "this job of a cluster"
        return Finding(
            id="nvidia-not-given",
            severity="problem",
            seen=f"NVIDIA's driver {host.driver} answers, and reports no device inside {whose}",
            means="it was given no GPU, or the machine's driver does not start one: nvidia-smi outside tells which",
            fix=job
            or f"{fixes.start(facts)}; where nvidia-smi shows none on the host: restart it, then there: "
            f"sudo dmesg | grep NVRM",
        )
    return Finding(
        id="nvidia-no-card",
        severity="problem",
        seen=f"NVIDIA's driver {host.driver} is loaded and answers, and reports no device"
        + ("; no NVIDIA card is on the bus" if is_off else "; an NVIDIA card is on the bus" if host.pci_gpus else ""),
        means="a laptop with switched graphics has its NVIDIA card off now, or the card is not seated"
        if is_off
        else "this driver does not start the card, or, on a cluster, this job was given none; no framework can use it"
        if is_hidden
        else "this driver does not start the card; no framework can use it",
        fix=("sudo prime-select nvidia, or: supergfxctl -m Hybrid; then restart; " if host.system == "Linux" else "")
        + "the maker's tool and the firmware have a switch for the graphics as well"
        if is_off
        else NO_CARD.format(branches=fixes.last_branches())
        if host.system == "Linux"
        else f"the Device Manager tells the card's error; {fixes.driver(facts)}; {fixes.last_branches()}",
    )


def _said(facts: Facts, seen: str, text: str) -> Finding:
    """A driver that is there and does not show its card, with its words."""
    seen += quoted(text)
    saying = said.explain(text, facts)
    if saying is None:
        return Finding(
            id="nvidia-driver-silent",
            severity="problem",
            seen=seen,
            means="no framework can use the card now; why, we do not know from these words",
            fix=f"restart the machine, or the container; if it stays, ask with the facts below: {fixes.ASK['nvidia']}",
            paste=block(facts),
        )
    return Finding(
        id=f"nvidia-{saying.id}", severity="problem", seen=seen, means=saying.means, fix=said.fix_of(saying, facts)
    )


def _other_driver(facts: Facts) -> Finding:
    has_nouveau = "nouveau" in facts.host.pci_drivers
    return Finding(
        id="nvidia-nouveau" if has_nouveau else "nvidia-passed-on",
        severity="problem" if has_nouveau else "note",
        seen=f"an NVIDIA card whose kernel driver is {'nouveau' if has_nouveau else 'vfio-pci'}",
        means="nouveau draws pictures and knows no CUDA"
        if has_nouveau
        else "the card is set aside for a virtual machine, so that this system cannot use it",
        fix=fixes.driver(facts) if has_nouveau else "use it there, or give it back to this system",
    )


def _outside(facts: Facts) -> Finding:
    """A container or WSL, whose driver is the outer system's."""
    host = facts.host
    module = f", whose kernel has NVIDIA's module {host.kernel_module}" if host.kernel_module else ""
    return Finding(
        id="nvidia-outside",
        severity="problem",
        seen=f"an NVIDIA card, seen from inside {'WSL' if host.wsl else 'a container'}{module}, and no NVIDIA library",
        means="the driver is the outer system's, and its library is not handed in: no framework can use the card",
        fix=f"whoever starts the container: {fixes.start(facts)}"
        if host.container
        else "install NVIDIA's driver in Windows, and none in WSL; then: wsl --shutdown, and check with: nvidia-smi",
    )


def _absent(facts: Facts) -> Finding:
    host = facts.host
    told = host.nvml == "no library"
    return Finding(
        id="nvidia-driver" if told or not host.nvml else "nvidia-not-asked",
        severity="problem",
        seen="an NVIDIA card, and NVIDIA's library is not there"
        if told
        else "an NVIDIA card, and NVIDIA's library was not asked: "
        + ("its Python binding is not installed" if host.nvml == "no binding" else "nothing tells whether it is there"),
        means=("" if told else "whether its driver runs is not known from here; ")
        + "without the driver no framework can use the card, whatever is installed in Python",
        fix=(
            ""
            if told
            else "look with: nvidia-smi; if that shows the card: pip install nvidia-ml-py; if there is no "
            "such command: "
        )
        + fixes.driver(facts),
    )


def visible(facts: Facts, backend: BackendFacts) -> tuple[GpuFacts, ...]:
    """The cards that a backend uses, by their names; all of them where its names are of none."""
    named = tuple(gpu for gpu in facts.host.gpus if gpu.name in backend.gpus)
    return named or facts.host.gpus


def architecture(facts: Facts) -> Iterator[Finding]:
    """A card that a build has no machine code for, and in which direction."""
    for backend in facts.backends:
        if not backend.installed or backend.rocm or not _may_lack_code(facts, backend):
            continue
        seen = set()
        for gpu in visible(facts, backend):
            capability = gpu.compute_capability or ""
            if builds.number_of(capability) is not None and capability not in seen:
                seen.add(capability)
                yield from _mismatch(facts, backend, gpu, capability)


def _may_lack_code(facts: Facts, backend: BackendFacts) -> bool:
    """Whether an error of a backend, where it has one, is no other than that: what it says so, or what nobody knows."""
    return not backend.error or said.explain(backend.error, facts) is None or _lacks_code(facts, backend)


def _lacks_code(facts: Facts, backend: BackendFacts) -> bool:
    """Whether a backend says that it has no code for a card."""
    texts = filter(None, (backend.error, backend.keras_error, backend.log))
    return any((saying := said.explain(text, facts)) and saying.id == "no-kernel" for text in texts)


def _listed(facts: Facts, backend: BackendFacts) -> tuple[str, ...]:
    """What a build has code for: as it tells; where it tells nothing, as its release is published."""
    if backend.architectures:
        return backend.architectures
    if backend.name == "jax":
        plugin = jax_plugin(facts)
        return builds.listed("jax", backend.version, plugin.split("-")[1]) if plugin else ()
    if not _lacks_code(facts, backend):
        return ()
    tag = f"cu{backend.cuda.replace('.', '')}" if backend.name == "torch" and backend.cuda else ""
    return builds.listed(backend.name, backend.version, tag) if tag or backend.name != "torch" else ()


def _mismatch(facts: Facts, backend: BackendFacts, gpu: GpuFacts, capability: str) -> Iterator[Finding]:
    number, architectures = builds.number_of(capability) or 0, _listed(facts, backend)
    known = re.findall(r"(sm|compute)_(\d+)(?![a-z\d])", " ".join(architectures))
    code = sorted(int(digits) for kind, digits in known if kind == "sm")
    portable = [int(digits) for kind, digits in known if kind == "compute"]
    # Machine code runs on its own generation only; portable code is compiled for any later one.
    if not code or _runs(code, number):
        return
    name, listed = NAMES[backend.name], ", ".join(architectures)
    words = backend.error or backend.keras_error or backend.log
    others = [other for other in visible(facts, backend) if other.compute_capability != capability]
    fits = any(_runs(code, builds.number_of(other.compute_capability or "") or 0) for other in others)
    works = fits and bool(backend.gpus) and not (backend.error or backend.keras_error)
    seen = f"{gpu.name} is sm_{number}; {name} {backend.version} holds {listed}"
    if any(n <= number for n in portable):
        if backend.name == "jax":
            return  # it compiles nearly all of its code for the card itself, whatever its wheels hold
        yield Finding(
            id=f"{backend.name}-compiles-first",
            severity="note",
            seen=seen,
            means="its kernels are compiled for this GPU at first use, which can take minutes, then kept",
            fix="let the first run finish; it is so once per release and machine",
        )
        return
    older, newer = number < code[0], number > code[-1]
    direction = "OLDER than" if older else "NEWER than" if newer else "between"
    fitting, one = fixes.install(facts, backend.name), fixes.build(facts, backend.name)
    has_code = one is not None and builds.runs_on(one.architectures, capability)
    yield Finding(
        id=f"{backend.name}-architecture",
        severity="note" if works else "problem",
        seen=seen + quoted(words),
        means=f"the card is {direction} every architecture of this build, which has no code for it"
        + (" ('no kernel image is available')" if "no kernel" not in words else ""),
        fix="leave it out by CUDA_VISIBLE_DEVICES, since another card works: no build has code for all of them"
        if works and not has_code
        else ("leave it out by CUDA_VISIBLE_DEVICES, since another card works; or " if works else "")
        + (f"a build that still has code for it: {fitting}" if older else f"a build that knows it: {fitting}"),
    )


def _runs(code: list[int], number: int) -> bool:
    """Whether machine code for some architectures holds one that a chip runs: of its generation, no newer than it."""
    return any(n // 10 == number // 10 and n <= number for n in code)


def state(facts: Facts) -> Iterator[Finding]:
    """Other processes, little memory, and what holds a card back."""
    seen = [name for backend in facts.backends for name in backend.gpus]
    by_mig = facts.variables.get("CUDA_VISIBLE_DEVICES", "").startswith("MIG-") or any(" MIG " in name for name in seen)
    for gpu in facts.host.gpus:
        # The driver tells memory and processes of the whole card, of which an instance is a part.
        if gpu.n_processes and not (gpu.mig or by_mig):
            yield Finding(
                id="gpu-shared",
                severity="note",
                seen=f"{gpu.n_processes} other {plural(gpu.n_processes, 'process', 'processes')} on the {gpu.name}",
                means="they share its time and memory, so timings taken now mean little",
                fix="nvidia-smi shows them",
            )
        little = gpu.free_bytes is not None and gpu.free_bytes < LITTLE_GPU_MEMORY_FRAC * (gpu.memory_bytes or 0)
        if little and not (gpu.mig or by_mig):
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


def unlike_cards(facts: Facts) -> Iterator[Finding]:
    """Several cards of several kinds, which CUDA and the driver number differently."""
    names = dict.fromkeys(gpu.name for gpu in facts.host.gpus)
    if len(names) > 1 and facts.variables.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        yield Finding(
            id="cuda-device-order",
            severity="note",
            seen=f"cards of several kinds: {', '.join(names)}; CUDA_DEVICE_ORDER is not PCI_BUS_ID",
            means="CUDA counts the fastest first, nvidia-smi goes by the bus: number 0 can be another card in each",
            fix="export CUDA_DEVICE_ORDER=PCI_BUS_ID, or name a card in CUDA_VISIBLE_DEVICES by its UUID "
            "(nvidia-smi -L lists them)",
        )


def jetson(facts: Facts) -> Iterator[Finding]:
    """NVIDIA's small boards, whose GPU is neither on the bus nor always in NVML."""
    host = facts.host
    if not is_jetson(host):
        return
    sees = [NAMES[backend.name] for backend in facts.backends if backend.gpus]
    has_any = any(backend.installed and not backend.error for backend in facts.backends)
    yield Finding(
        id="jetson",
        severity="ok" if sees else "problem" if has_any else "note",
        seen=f"{host.board or 'NVIDIA Jetson'}, whose GPU {' and '.join(sees) or 'no backend'} sees"
        + (f'; NVIDIA\'s library says: "{host.driver_error}"' if host.driver_error else ""),
        means="its memory is the system's, and not every reading of NVIDIA's library is there"
        if sees
        else "of the package index's builds those for CUDA 13 on ARM have code for it, from JetPack 7 on"
        if is_thor(host)
        else "wheels from the package index have no code for it: the board's builds are NVIDIA's own",
        fix="" if sees else fixes.install(facts, "torch"),
    )
