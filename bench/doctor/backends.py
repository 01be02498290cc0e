"""Whether each backend is there, starts, and sees a GPU, and why not: rules from facts to findings. Pure.

What a backend said stands in every finding on it, in its own words, before any reading of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bench.doctor import builds, fixes, said
from bench.doctor.facts import NAMES, BackendFacts, Facts, Finding, block, is_jetson, is_present, jax_plugin, quoted

VAGUE = ("platform", "cudnn-start", "cuda-start")  # sayings that name no reason of their own


def installed(facts: Facts) -> Iterator[Finding]:
    """Which backends are installed, and what each is."""
    for backend in facts.backends:
        yield _state(facts, backend)
    if facts.backends and not any(backend.installed for backend in facts.backends):
        there = [name for name in NAMES if not fixes.unavailable(facts, name)]
        yield Finding(
            id="no-backend",
            severity="problem",
            seen="none of TensorFlow, JAX and PyTorch is installed",
            means="Keras needs one of them to compute" + ("" if facts.host.python else f"; {_spans()}"),
            fix=next(
                (fix for name in there if (fix := fixes.install(facts, name)).startswith("pip")),
                fixes.install(facts, (*there, "tensorflow")[0]),
            ),
        )
    there = [backend.name for backend in facts.backends if backend.installed and not backend.error]
    if facts.backends and facts.keras_backend and facts.keras_backend not in NAMES:
        yield Finding(
            id="keras-backend",
            severity="problem",
            seen=f"Keras would use {facts.keras_backend!r}",
            means="models train on TensorFlow, JAX and PyTorch only",
            fix=f"export KERAS_BACKEND={there[0] if there else 'tensorflow'}",
        )
    chosen = fixes.backend_facts(facts, facts.keras_backend)
    if facts.keras_backend in NAMES and not chosen.installed and there:
        yield Finding(
            id="keras-backend",
            severity="problem",
            seen=f"Keras would use {chosen.name}, which is not installed",
            means="import keras fails",
            fix=f"export KERAS_BACKEND={there[0]}",
        )


def _spans() -> str:
    """Which Pythons each backend has wheels for, for where this one's version is not told."""
    spans = ((NAMES[name], builds.pythons(name)) for name in NAMES)
    return "wheels: " + ", ".join(f"{name} for Python {span[0]} to {span[1]}" for name, span in spans if span)


def python(facts: Facts) -> Iterator[Finding]:
    """A Python that a backend has no wheels for, older or newer."""
    if is_jetson(facts.host):
        return  # its builds come with the board's system, as its Python does
    for name in NAMES:
        span, have = builds.pythons(name), facts.host.python
        if fixes.backend_facts(facts, name).installed or not (command := fixes.python(facts, name)) or span is None:
            continue
        is_newer = builds.version_of(have) > builds.version_of(span[1])
        others = [other for other in NAMES if other != name and not fixes.python(facts, other)]
        others.sort(key=lambda other: fixes.backend_facts(facts, other).installed)  # the last is named
        is_chosen = name == (facts.keras_backend or "tensorflow")
        wanted = is_chosen and not any(backend.installed for backend in facts.backends)
        yield Finding(
            id=f"{name}-python",
            severity="problem" if wanted else "note",
            seen=f"Python {have}; {NAMES[name]} has wheels for {span[0]} to {span[1]}",
            means=f"this Python is {'newer than the newest' if is_newer else 'older than the oldest'} that it has "
            f"wheels for: pip answers 'No matching distribution found'",
            fix=command
            + (f"; or: export KERAS_BACKEND={others[-1]}, which has wheels for this Python" if others else ""),
        )


def _state(facts: Facts, backend: BackendFacts) -> Finding:
    """Whether a backend is installed, starts, and sees a GPU."""
    name = NAMES[backend.name]
    if not backend.installed:
        return Finding(
            id=f"{backend.name}-absent",
            severity="note",
            seen=f"{name} is not installed",
            means="Keras cannot compute on it",
            fix=fixes.install(facts, backend.name),
        )
    if backend.error:
        return _explained(facts, backend, f"{name} {backend.version} gives no answer", "broken", backend.error)
    if backend.keras_error:
        return _explained(facts, backend, f"Keras does not start on {name}", "keras", backend.keras_error)
    seen = f"{name} {backend.version} sees {', '.join(backend.gpus) or 'no GPU'}"
    is_unexplained = (backend.rocm and not is_present(facts, "AMD")) or (backend.xpu and not is_present(facts, "Intel"))
    if not backend.gpus and is_unexplained and not fixes.is_misplaced(facts):
        return _explained(facts, backend, seen, "unseen", backend.log)
    if not backend.gpus:
        means = "it computes on the CPU" + (", and has no GPU built in" if "+cpu" in backend.version else "")
        return Finding(id=f"{backend.name}-cpu", severity="ok", seen=seen + quoted(backend.log), means=means)
    where = {"gpu": "the TPU" if "TPU" in backend.gpus[0] else "the GPU", "cpu": "the CPU"}
    placed = backend.keras_placed or backend.placed
    return Finding(
        id=f"{backend.name}-gpu",
        severity="ok" if placed != "cpu" else "note",
        seen=seen,
        means=f"Keras puts arrays on {where.get(placed, placed)} without any code"
        if placed
        else "where Keras puts arrays, it did not tell",
    )


def _explained(facts: Facts, backend: BackendFacts, seen: str, otherwise: str, words: str) -> Finding:
    """A problem of a backend in its own words, with the saying that they are; where they are none, we do not know."""
    saying = said.explain(words, facts)
    if backend.log and (saying is None or saying.id in VAGUE):  # the log may know why it does not start
        saying = said.explain(backend.log, facts) or saying
    parts = [part for text in (words, backend.log) for part in text.split(" | ")]
    everything = " | ".join(dict.fromkeys(filter(None, parts)))
    if saying is not None:
        return Finding(
            id=f"{backend.name}-{saying.id}",
            severity="problem",
            seen=seen + quoted(everything),
            means=saying.means,
            fix=said.fix_of(saying, facts, backend.name),
        )
    return Finding(
        id=f"{backend.name}-{otherwise}",
        severity="problem",
        seen=seen + quoted(everything),
        means="we do not know what this means: no rule of ours matches these words"
        if everything
        else "we do not know why: it gives no reason, and no rule of ours finds one",
        fix=f"{'search for its words, or ' if everything else ''}ask with the facts below: {fixes.ASK[backend.name]}",
        paste=block(facts),
    )


def unseen_nvidia(facts: Facts) -> Iterator[Finding]:
    """A working NVIDIA driver, and a backend that sees no GPU: why."""
    host = facts.host
    names = ", ".join(dict.fromkeys(gpu.name for gpu in host.gpus))
    is_asked = bool(names)
    unasked = host.nvml == "no binding" and is_present(facts, "NVIDIA")  # then a build's own facts alone tell
    if is_jetson(host) or not (is_asked or unasked):
        return
    for backend in facts.backends:
        other = (backend.rocm or backend.xpu) and not fixes.is_misplaced(facts)
        told = is_asked or not (backend.cuda or backend.name == "jax")
        if backend.installed and told and not (backend.error or backend.gpus or other):
            shown = f"the driver shows {names}" if is_asked else "an NVIDIA card is there"
            seen = f"{NAMES[backend.name]} {backend.version} sees no GPU; {shown}"
            yield UNSEEN[backend.name](facts, backend, seen)


def _unseen(backend: BackendFacts, id_: str, seen: str, means: str, fix: str) -> Finding:
    return Finding(
        id=f"{backend.name}-{id_}", severity="problem", seen=seen + quoted(backend.log), means=means, fix=fix
    )


def _tensorflow_unseen(facts: Facts, backend: BackendFacts, seen: str) -> Finding:
    on_windows = builds.ended("tensorflow", "GPU on native Windows")
    fix = fixes.install(facts, "tensorflow")
    if facts.host.system == "Windows" and builds.beyond(backend.version, on_windows.last):
        means = f"TensorFlow has had no GPU support on native Windows since {on_windows.last}"
        return _unseen(backend, "windows", seen, means, fix)
    if not backend.cuda:
        removed = "pip uninstall -y tensorflow-cpu tensorflow-intel tensorflow; "
        fix = (removed if fix.startswith("pip") else "") + fix
        return _unseen(backend, "cpu-wheel", f"{seen}; this build has no CUDA", "a CPU-only build is installed", fix)
    cuda = re.sub(r"^64_(\d\d)(\d)$", r"\1.\2", backend.cuda)  # how Windows' builds tell 11.2
    saying = said.explain(backend.log, facts)
    if not any(name.startswith("nvidia-cudnn") for name in facts.packages) and (not saying or saying.id == "libraries"):
        absent = f"{seen}; it was built for CUDA {cuda}, and the pip packages with CUDA's libraries are absent"
        means = "TensorFlow finds no CUDA libraries, says so in its log, and goes on with the CPU"
        return _too_old(facts, backend, seen, cuda) or _unseen(backend, "and-cuda", absent, means, fix)
    return _as_said(facts, backend, seen, cuda)


def _jax_unseen(facts: Facts, backend: BackendFacts, seen: str) -> Finding:
    plugin = jax_plugin(facts)
    fix = fixes.install(facts, "jax")
    if facts.host.system == "Windows":
        return _unseen(backend, "windows", seen, "JAX has no GPU wheels for native Windows", fix)
    if not plugin:
        means = "plain jax computes on the CPU; the GPU comes with a plug-in"
        chips = [row.name for chip in fixes.capabilities(facts) if (row := builds.generation(chip)) and row.last_cuda]
        if chips and "cuda13" not in fix:
            means += f". CUDA 13 has no code for {' and '.join(dict.fromkeys(chips))}, whatever the driver announces"
        return _unseen(backend, "plugin", f"{seen}; no CUDA plug-in is installed", means, fix)
    return _as_said(facts, backend, seen, re.sub(r"\D", "", plugin))


def _torch_unseen(facts: Facts, backend: BackendFacts, seen: str) -> Finding:
    if fixes.is_misplaced(facts):
        whose = "AMD's" if backend.rocm else "Intel's"
        means = "this build is for another maker's cards"
        fix = fixes.install(facts, "torch")
        return _unseen(backend, "other-build", f"{seen}; it is built for {whose} GPUs", means, fix)
    if not backend.cuda:
        means = "a CPU-only wheel is installed: that is what plain pip gives on Windows, and before 2.11 on ARM"
        return _unseen(backend, "cpu-wheel", f"{seen}; this build has no CUDA", means, fixes.install(facts, "torch"))
    return _as_said(facts, backend, seen, backend.cuda)


UNSEEN: dict[str, Callable[[Facts, BackendFacts, str], Finding]] = {
    "tensorflow": _tensorflow_unseen,
    "jax": _jax_unseen,
    "torch": _torch_unseen,
}


def _as_said(facts: Facts, backend: BackendFacts, seen: str, cuda: str) -> Finding:
    """What a build with CUDA said; where that tells nothing, whether the driver is too old; else we do not know."""
    saying = said.explain(backend.log, facts)
    # The facts tell more than "the driver is too old": which one it takes, and whether that helps.
    told_little = saying is None or saying.id == "driver-too-old"
    older = _too_old(facts, backend, seen, cuda) if told_little else None
    return older or _explained(facts, backend, seen, "unseen", backend.log)


def _too_old(facts: Facts, backend: BackendFacts, seen: str, cuda: str) -> Finding | None:
    """A driver whose newest CUDA is of an older generation than the one that a build needs."""
    need, have = builds.version_of(cuda), builds.version_of(facts.host.driver_cuda)
    if not need or not have or have[0] >= need[0]:
        return None
    oldest, rows = builds.oldest_driver(cuda), [builds.generation(chip) for chip in fixes.capabilities(facts)]
    ended = any(row and row.last_cuda and builds.version_of(row.last_cuda) < need for row in rows)
    older = fixes.install(facts, backend.name)
    return _unseen(
        backend,
        "driver",
        f"{seen}; it was built for CUDA {cuda}, the driver {facts.host.driver} runs up to CUDA "
        f"{facts.host.driver_cuda}",
        "the driver is older than the CUDA that this build needs"
        + (", and the card is of a generation that this CUDA gave up: a newer driver will not help" if ended else ""),
        older
        if ended
        else fixes.driver(facts, oldest)
        + ("" if "NVIDIA's driver" in older else f"; or take a build for an older CUDA: {older}"),
    )


def _directml(facts: Facts) -> Iterator[Finding]:
    """Microsoft's plug-in, which suits one release of TensorFlow."""
    name, limit = "tensorflow-directml-plugin", builds.ended("tensorflow", "DirectML").last
    backend = fixes.backend_facts(facts, "tensorflow")
    if name in facts.packages and builds.beyond(backend.version, limit) and not backend.gpus:
        yield Finding(
            id="tensorflow-directml",
            severity="problem",
            seen=f"{name} {facts.packages[name]} beside TensorFlow {backend.version}",
            means=f"the plug-in was made for TensorFlow {limit}, and its development has ended",
            fix=f"pip uninstall -y {name}; for the GPU: {builds.ended('tensorflow', 'DirectML').instead}",
        )


def package_findings(facts: Facts) -> Iterator[Finding]:
    """Packages that are obsolete, or do not fit together."""
    packages = facts.packages
    if "tensorflow-gpu" in packages:
        yield Finding(
            id="tensorflow-gpu-package",
            severity="problem",
            seen=f"the package tensorflow-gpu {packages['tensorflow-gpu']}",
            means="it was given up in 2022: current TensorFlow is one package for CPU and GPU, and two installs clash",
            fix=f"pip uninstall -y tensorflow-gpu tensorflow; {fixes.install(facts, 'tensorflow')}",
        )
    both = [name for name in ("tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tf-nightly") if name in packages]
    if len(both) > 1:
        yield Finding(
            id="tensorflow-twice",
            severity="problem",
            seen=" and ".join(f"{name} {packages[name]}" for name in both),
            means="both write the same folder; which of them is imported is chance",
            fix=f"pip uninstall -y {' '.join(both)}; {fixes.install(facts, 'tensorflow')}",
        )
    yield from _directml(facts)
    plugins = [name for name in packages if re.fullmatch(r"jax-(cuda|rocm)\d+-plugin", name)]
    other = next((name for name in plugins if packages[name] != packages.get("jaxlib", packages[name])), "")
    twice = [name for name in plugins if name.startswith("jax-cuda")]
    if len(twice) > 1:
        yield Finding(
            id="jax-twice",
            severity="problem",
            seen=" and ".join(f"{name} {packages[name]}" for name in twice),
            means="plug-ins for two generations of CUDA: the second one is refused, and JAX may not start",
            fix=fixes.install(facts, "jax"),
        )
    if other:
        yield Finding(
            id="jax-plugin-version",
            severity="problem",
            seen=f"{other} {packages[other]} beside jaxlib {packages['jaxlib']}",
            means="the plug-in of another version is refused, and JAX goes on with the CPU",
            fix=fixes.install(facts, "jax"),
        )
    on_windows = builds.ended("tensorflow", "GPU on native Windows")
    if facts.host.system == "Windows" and builds.beyond(packages.get("tensorflow", "0"), on_windows.last):
        yield Finding(
            id="tensorflow-windows",
            severity="note",
            seen=f"TensorFlow {packages['tensorflow']} on native Windows",
            means=f"it uses no GPU here: support ended with {on_windows.last}",
            fix=f"for a GPU: {on_windows.instead}",
        )
