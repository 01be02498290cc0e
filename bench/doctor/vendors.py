"""AMD's, Intel's and Apple's GPUs: rules from facts to findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bench.doctor import builds, fixes, said
from bench.doctor.facts import (
    NAMES,
    BackendFacts,
    Facts,
    Finding,
    block,
    gfx_chips,
    is_apple,
    is_jetson,
    is_present,
    is_translated,
    quoted,
)


def amd(facts: Facts) -> Iterator[Finding]:
    """An AMD card or APU, its driver, and builds for ROCm."""
    host = facts.host
    has_build = any(backend.rocm for backend in facts.backends)
    has_other = is_present(facts, "NVIDIA") or any(backend.xpu for backend in facts.backends)
    if is_jetson(host) or not is_present(facts, "AMD") or (has_other and not has_build):
        return  # beside another maker's card, AMD's is mostly the one in the processor
    if host.system == "Linux" and not host.has_kfd and not any(backend.gpus for backend in facts.backends):
        in_container = bool(host.container)
        yield Finding(
            id="rocm-driver",
            severity="problem" if has_build else "note",
            seen="an AMD graphics card without AMD's compute device (/dev/kfd)"
            + (" inside this container" if in_container else ""),
            means="the device is not handed in, or the host has none"
            if in_container
            else "ROCm's kernel driver is not loaded, or the chip is not one that it supports: frameworks use the CPU",
            fix=fixes.start(facts)
            if in_container
            else "look for the chip in https://rocm.docs.amd.com/projects/install-on-linux/en/latest/reference/"
            "system-requirements.html",
        )
        return
    for backend in facts.backends:
        if backend.installed and not backend.error:
            yield from _amd_backend(facts, backend)


def _amd_backend(facts: Facts, backend: BackendFacts) -> Iterator[Finding]:
    host, name = facts.host, NAMES[backend.name]
    chips = ", ".join(gfx_chips(facts)) or "chip not told"
    named = ", ".join(backend.gpus) or "no GPU"
    shown = named if chips in named else f"{named} ({chips})"
    words = backend.keras_error or ("" if backend.gpus else backend.log)
    saying = said.explain(words, facts) if words else None
    fails = bool(backend.keras_error) or not backend.gpus
    lacks = fails and bool(gfx_chips(facts) and backend.architectures) and not _has_code(facts, backend)
    if backend.rocm and (lacks or (saying and saying.id == "no-kernel")):
        yield Finding(
            id=f"{backend.name}-architecture",
            severity="problem",
            seen=f"{name} {backend.version} for ROCm sees {shown}; it holds "
            f"{', '.join(backend.architectures) or 'code for chips that it does not tell'}" + quoted(words),
            means="its list names the chip, so that a library under it has no code for that"
            if backend.architectures and not lacks and gfx_chips(facts)
            else "this build has no code for the chip",
            fix=f"{_other_rocm(facts)}. HSA_OVERRIDE_GFX_VERSION, with which users claim a sister chip, "
            "is unsupported: it can work, crash or give wrong numbers",
        )
    elif not backend.gpus and backend.rocm:
        yield Finding(
            id=f"{backend.name}-rocm",
            severity="problem",
            seen=f"AMD's compute device ({chips}), and {name} {backend.version} built for ROCm sees no GPU"
            + quoted(words),
            means=saying.means
            if saying
            else "this user may not open /dev/kfd or /dev/dri/renderD*"
            if host.may_render is False
            else "the chip is not on this build's list, or this user may not open /dev/kfd: we do not know which",
            fix=said.fix_of(saying, facts, backend.name) if saying else f"ls -l /dev/kfd; {fixes.rights(facts)}",
            paste="" if saying or host.may_render is False else block(facts),
        )
    elif not backend.gpus and host.system == "Windows" and backend.name == "torch":
        yield Finding(
            id="torch-rocm",
            severity="note",
            seen=f"an AMD graphics card, and {name} {backend.version} without ROCm",
            means="the card is not used: this build computes on the CPU",
            fix=f"{fixes.rocm(facts)}; or WSL2 with a card that ROCm supports",
        )
    elif not backend.gpus and host.system == "Linux":
        yield Finding(
            id=f"{backend.name}-rocm",
            severity="problem",
            seen=f"AMD's compute device ({chips}), and {name} {backend.version} without ROCm",
            means="the card is not used: this build computes on the CPU",
            fix=fixes.install(facts, backend.name)
            if backend.name != "tensorflow"
            else "AMD publishes tensorflow-rocm, whose newest release on the package index is 2.14; "
            "or: export KERAS_BACKEND=torch, with the build for ROCm",
        )


def _other_rocm(facts: Facts) -> str:
    """Where a build with code for this machine's chips is; where the chip is not told, how to learn its name."""
    if not gfx_chips(facts):
        return (
            "rocminfo | grep gfx tells the chip (Strix Halo is gfx1151); take a build that lists it: AMD's own, "
            f"{fixes.AMD_WHEELS}, or a newer one for ROCm from {fixes.TORCH_INDEX}"
        )
    return f"a build for {', '.join(gfx_chips(facts))}: {fixes.rocm(facts)}"


def _has_code(facts: Facts, backend: BackendFacts) -> bool:
    listed = {name.split(":")[0] for name in backend.architectures}
    return any(chip in listed for chip in gfx_chips(facts))


def intel(facts: Facts) -> Iterator[Finding]:
    """Intel's GPUs, which PyTorch uses as xpu."""
    host = facts.host
    torch = fixes.backend_facts(facts, "torch")
    built = f"PyTorch {torch.version} is built for {'CUDA' if torch.cuda else 'the CPU'}" if torch.installed else ""
    has_build = bool(torch.xpu) or "+xpu" in torch.version
    has_other = is_present(facts, "NVIDIA") or is_present(facts, "AMD")
    if not is_present(facts, "Intel") or (has_other and not has_build) or fixes.is_misplaced(facts):
        return  # beside another maker's card, Intel's is mostly the one in the processor
    drivers = [name for name in host.pci_drivers if name in ("i915", "xe")]
    bound = f", kernel driver {drivers[0]}" if drivers else ""
    if torch.gpus:
        return
    words = torch.error or torch.log
    saying = said.explain(words, facts) if words else None
    explained = saying if saying and saying.id == "xpu-no-device" else None
    yield Finding(
        id="intel-gpu",
        severity="problem" if has_build else "note",
        seen=f"an Intel GPU on the bus{bound}"
        + (
            f"; PyTorch {torch.version} for XPU sees no device"
            if has_build
            else f"; {built or 'PyTorch is not installed'}"
        )
        + quoted(words),
        means=(
            explained.means
            if explained
            else "this user may not open /dev/dri/renderD*"
            if has_build and host.may_render is False
            else "PyTorch's build for XPU and Intel's newest graphics driver are needed; graphics inside an older "
            "processor is not supported"
            if host.system == "Windows"
            else "PyTorch's build for XPU and Intel's compute runtime (Level Zero) are needed, and the kernel's driver "
            "(i915 or xe) must suit the runtime; graphics inside an older processor is not supported"
        )
        + ". This project does not measure on xpu yet",
        fix=(
            said.fix_of(explained, facts, "torch")
            if explained
            else f"{'' if host.system == 'Windows' else f'install the runtime: {fixes.INTEL_RUNTIME}; '}"
            f"{fixes.install(facts, 'torch')}"
            if not has_build
            else f"install the runtime: {fixes.INTEL_RUNTIME}; {fixes.rights(facts)}"
        ),
    )


def apple(facts: Facts) -> Iterator[Finding]:
    """Plug-ins on an Apple chip, which suit some releases of their framework only."""
    host = facts.host
    if is_translated(host):
        yield Finding(
            id="rosetta",
            severity="problem",
            seen=f"{host.cpu_model}, and a Python for {host.architecture}",
            means="this Python is for Intel's processors and runs under Rosetta, slowly and without the GPU",
            fix=fixes.ARM_PYTHON,
        )
    torch = fixes.backend_facts(facts, "torch")
    if is_apple(host) and torch.installed and not (torch.gpus or torch.error):
        yield Finding(
            id="torch-metal",
            severity="note",
            seen=f"PyTorch {torch.version} sees no GPU (mps) on {host.cpu_model or 'Apple silicon'}",
            means="its wheels have Metal built in, which macOS 14 and later give, and virtual machines mostly do not",
            fix="update macOS; in a virtual machine there is nothing to do",
        )
    if not is_apple(host):
        return
    for plugin in builds.table().plugin:
        backend = fixes.backend_facts(facts, plugin.framework)
        words = backend.error or backend.keras_error
        if not backend.installed or (backend.gpus and not words):
            continue
        name, has = NAMES[backend.name], facts.packages.get(plugin.name, "")
        too_new = builds.beyond(backend.version, plugin.newest)
        saying = said.explain(words, facts) if words else None
        words = words or backend.log
        is_suspect = bool(backend.error) and saying is None  # nobody knows these words, and the plug-in is at hand
        if has and (too_new or is_suspect or (saying and saying.id == "metal-plugin")):
            yield Finding(
                id=f"{backend.name}-metal",
                severity="problem",
                seen=f"{plugin.name} {has} beside {name} {backend.version}" + quoted(words),
                means=f"the plug-in does not work with {name} after {plugin.newest}"
                if too_new
                else f"we do not know what this means; the plug-in works with some releases of {name} only, and "
                "without it the rest can be tried"
                if is_suspect
                else f"the plug-in works with some releases of {name} only, and stops this one",
                fix=f"pip uninstall -y {plugin.name} ({name} then computes on the CPU); for the GPU: "
                "export KERAS_BACKEND=torch",
            )
        elif not (backend.error or backend.keras_error):
            yield Finding(
                id=f"{backend.name}-metal",
                severity="note",
                seen=f"{name} {backend.version} on {facts.host.cpu_model or 'Apple silicon'} computes on the CPU"
                + (f", with {plugin.name} {has}{quoted(words)}" if has and words else ""),
                means=f"that is well; Apple's plug-in {plugin.name} stopped at {name} {plugin.newest}"
                + (" and would break it" if too_new else ""),
                fix="for the GPU: export KERAS_BACKEND=torch, whose wheel has Metal built in",
            )
