"""Which cells a request stands for on a machine, and what each is among them. Pure.

An arm is a way to run one size: backend, device, precision, compilation, threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.schema import BACKENDS, PROFILES, Backend, Cell, Device, Jit, Precision, Profile, Variant, Workload
from bench.workloads.registry import unknown

DEFAULT_BACKENDS: tuple[Backend, ...] = ("tensorflow",)

# Compilation arms that make sense; the first is the one every cell runs in, the others are for headline
# cells of a reference session. JAX without jit runs operation by operation and is nobody's choice for training.
JIT_ARMS: Mapping[tuple[Backend, Device], tuple[Jit, ...]] = {
    ("tensorflow", "cpu"): ("off", "on"),
    ("tensorflow", "gpu"): ("on", "off"),
    ("jax", "cpu"): ("on",),
    ("jax", "gpu"): ("on",),
    ("torch", "cpu"): ("off",),
    ("torch", "gpu"): ("off", "on"),
}
# A probe is one operation: there is nothing to compile but in JAX, which compiles all it does. A study says for each
# of its series what it compiles.
PROBE_JIT: Mapping[Backend, Jit] = {"tensorflow": "off", "jax": "on", "torch": "off"}

# float32-strict is what both devices can do alike; the faster formats of a GPU are arms of headline cells. A quick
# session takes them where they tell most.
PRECISIONS: Mapping[Device, tuple[Precision, ...]] = {
    "cpu": ("float32-strict",),
    "gpu": ("float32-strict", "tf32", "mixed_bfloat16"),
}
QUICK_PRECISIONS = ("matmul", "resnet50", "transformer-text")
# cuDNN's LSTM as JAX calls it knows float32 and float64 only, and stops in sixteen bits.
FUSED_LSTM = ("lstm-text",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to measure, as it was asked for."""

    profile: Profile = "quick"
    only: tuple[str, ...] = ()  # workload ids, the first ones first; all when empty
    sweeps: tuple[str, ...] = ()  # only variants of these sweeps, with the usual arm beside the further ones
    backends: tuple[Backend, ...] = DEFAULT_BACKENDS
    devices: tuple[Device, ...] = ()  # by default cpu, and gpu where there is one
    threads: tuple[int, ...] = ()  # of a CPU cell; by default all cores
    repeats: int | None = None  # processes per cell; by default from plan.REPEATS
    seed: int = 0
    cell_ids: tuple[str, ...] = ()  # just these cells (in their profile's sizes), their workloads in this order
    time_budget_s: float | None = None  # leave out cells from the end until the rest fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the machine offers."""

    installed: Mapping[Backend, str | None]  # version of each backend, or None where it is missing
    n_gpus: int
    n_cores: int  # that this process can use

    def thread_counts(self, selection: Selection) -> tuple[int, ...]:
        """Threads of a CPU cell that are no further arm."""
        return selection.threads or (self.n_cores,)


def any_host(n_cores: int) -> Host:
    """A machine with a GPU on which every backend is installed, to see which cells there are."""
    return Host(installed=dict.fromkeys(BACKENDS, "any"), n_gpus=1, n_cores=n_cores)


def candidates(specs: Mapping[str, Workload], selection: Selection, host: Host) -> dict[str, tuple[Cell, Variant]]:
    """Every cell that is asked for, also what cannot run here, with its variant; by id.

    Raises:
        UnknownNameError: a workload, sweep or cell does not exist.
        ValueError: a workload asked for by name has no size in the profile.
    """
    _check_workloads(specs, selection)
    found: dict[str, tuple[Cell, Variant]] = {}
    for spec in (specs[name] for name in (selection.only or specs)):
        for variant in spec.variants[selection.profile]:
            if not selection.sweeps or variant.sweep in selection.sweeps:
                for cell in _cells(spec, variant, selection, host):
                    found.setdefault(cell.id, (cell, variant))
    for cell_id in selection.cell_ids:
        if cell_id not in found:
            raise unknown("cell", cell_id, list(found))
    return {cell_id: found[cell_id] for cell_id in selection.cell_ids} or found


def _check_workloads(specs: Mapping[str, Workload], selection: Selection) -> None:
    """Refuse workloads and sweeps that do not exist, or not in the profile's sizes."""
    profile = selection.profile
    for name in selection.only:
        if name not in specs:
            raise unknown("workload", name, tuple(specs))
    for name in selection.only:
        if not specs[name].variants[profile]:
            sizes = " and ".join(size for size in PROFILES if specs[name].variants[size])
            raise ValueError(f"{name} has no {profile} size, only {sizes}: add --profile reference")
    known_sweeps = sorted({v.sweep for spec in specs.values() for v in spec.variants[profile] if v.sweep})
    for name in selection.sweeps:
        if name not in known_sweeps:
            raise unknown("sweep", name, known_sweeps)


def _cells(spec: Workload, variant: Variant, selection: Selection, host: Host) -> list[Cell]:
    """Cells of a variant: the usual arms in every combination, then each further arm on its own."""
    devices: tuple[Device, ...] = selection.devices or (("cpu", "gpu") if host.n_gpus else ("cpu",))
    return [
        Cell(
            workload=spec.id,
            mode=variant.mode,
            backend=backend,
            device=device,
            precision=precision,
            jit=jit,
            batch_size=variant.batch_size,
            n_samples=variant.n_samples,
            threads=n,
            params=variant.params,
        )
        for device in devices
        if not variant.devices or device in variant.devices
        for backend in selection.backends
        if not variant.backends or backend in variant.backends
        for jit, precision, n in _arms(spec, variant, backend, device, selection, host)
    ]


def _arms(
    spec: Workload, variant: Variant, backend: Backend, device: Device, selection: Selection, host: Host
) -> list[tuple[Jit, Precision, int]]:
    """Compilation, precision and threads of a variant's cells on one backend and device."""
    profile = selection.profile
    has_precisions = variant.headline and spec.kind != "study" and (profile != "quick" or spec.id in QUICK_PRECISIONS)
    known_jits = JIT_ARMS[backend, device] if spec.kind == "model" else (PROBE_JIT[backend],)
    jits = known_jits if variant.headline and profile == "reference" else known_jits[:1]
    precisions = PRECISIONS[device] if has_precisions else PRECISIONS[device][:1]
    counts = host.thread_counts(selection) if device == "cpu" else (host.n_cores,)
    arms = [(jit, precision, n) for jit in jits for precision in precisions for n in counts]
    jit, precision, n = arms[0]
    more = [(other, precision, n) for other in variant.more_jits if other in known_jits]
    more += [(jit, p, n) for p in variant.more_precisions if device == "gpu" or p != "tf32"]
    if device == "cpu" and not selection.threads:
        more += [(jit, precision, count) for count in variant.more_threads if count < host.n_cores]
    return arms + [arm for arm in more if arm not in arms]


def usual_jit(spec: Workload, backend: Backend, device: Device) -> Jit:
    """The compilation arm that every cell of a workload runs in."""
    return JIT_ARMS[backend, device][0] if spec.kind == "model" else PROBE_JIT[backend]


def is_headline(spec: Workload, cell: Cell, variant: Variant) -> bool:
    """Whether a cell is one that headlines rest on: a headline variant in its backend's usual compilation arm."""
    return variant.headline and cell.jit == usual_jit(spec, cell.backend, cell.device)


def is_gpu_size(spec: Workload, variant: Variant) -> bool:
    """Whether a network runs at a batch that fills a GPU and would take a CPU minutes."""
    return spec.kind == "model" and variant.devices == ("gpu",)


def is_further(cell: Cell, counts: Sequence[int]) -> bool:
    """Whether a cell is a further arm of its variant: measured after all others, and repeated less.

    Args:
        counts: threads of a CPU cell that are none, see ``Host.thread_counts``.
    """
    return (cell.device == "cpu" and cell.threads not in counts) or cell.precision not in PRECISIONS[cell.device]


def why_not(cell: Cell, host: Host) -> str:
    """Why a cell cannot run on this machine, or an empty text."""
    if not host.installed.get(cell.backend):
        return f"{cell.backend} is not installed; `python -m bench.cli doctor` says how, where it can be"
    if cell.device == "gpu" and not host.n_gpus:
        return "this machine shows no GPU"
    if cell.n_gpus > host.n_gpus:
        return f"{cell.n_gpus} GPUs are needed, this machine shows {host.n_gpus}"
    if cell.threads > host.n_cores:
        return f"{cell.threads} threads asked for, {host.n_cores} cores may be used"
    is_jax_gpu = (cell.backend, cell.device) == ("jax", "gpu")
    if cell.workload in FUSED_LSTM and is_jax_gpu and cell.precision.startswith("mixed_"):
        return "cuDNN's LSTM in JAX computes in float32 and float64 only"
    return ""
