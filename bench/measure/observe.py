"""What really ran, read from arrays and settings inside the child."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from bench.machine import cores as machine_cores
from bench.machine import software
from bench.measure.backend import Adapter, NotAsAskedError
from bench.schema import Cell, Jit, Observed, Request


def watch_recurrent_path(backend: Adapter) -> list[str]:
    """A list that tells which path recurrent layers take: "loop" when a layer asks for one, "fused" when a kernel runs.

    The backend's own function does not tell: PyTorch's walks step by step where there is no fused kernel.
    """
    paths: list[str] = []
    _tell(sys.modules["keras.src.backend"], ("lstm", "gru"), on_call=lambda: paths.append("loop"))
    module, names = backend.fused_kernels
    parent, _, last = module.rpartition(".")
    owner = getattr(importlib.import_module(parent), last, None) or importlib.import_module(module)
    _tell(owner, names, on_return=lambda: paths.append("fused"))
    return paths


def _tell(
    owner: Any,
    names: tuple[str, ...],
    on_call: Callable[[], None] = lambda: None,
    on_return: Callable[[], None] = lambda: None,
) -> None:
    """Wrap those of a module's functions that it has, so that calls, and calls that return, are told of."""
    for name in names:
        original = getattr(owner, name, None)
        if original is None:
            continue

        def watched(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            on_call()
            result = _original(*args, **kwargs)
            on_return()
            return result

        setattr(owner, name, watched)


def observe(
    keras: Any,
    backend: Adapter,
    request: Request,
    measured: dict[str, Any],
    cores: int | None,
    unmeasured: dict[str, str],
) -> Observed:
    """What really ran, read from the arrays and from the frameworks' own settings.

    Raises:
        NotAsAskedError: weights and output lie on different devices.
    """
    cell = request.cell
    weight, output = measured["weight"], measured["output"]
    device = backend.device_of(weight)
    if (other := backend.device_of(output)) != device:
        raise NotAsAskedError(f"weights and output lie on different devices: {sorted((device, other))}")
    on_gpu = device == "gpu"
    n_threads = backend.n_threads()
    if n_threads is None and backend.why_no_n_threads:
        unmeasured["n_threads"] = backend.why_no_n_threads
    n_physical = None if cores is None else machine_cores.n_physical(os.sched_getaffinity(0))
    if n_physical is None:
        unmeasured["n_physical_cores"] = "the operating system does not tell"
    if cores is None:
        unmeasured["n_cores_affinity"] = "this operating system has no core affinity"
    paths = measured.get("paths", [])
    return Observed(
        device=device,
        device_name=backend.gpu_name() if on_gpu else "CPU",
        weight_dtype=_dtype(weight),
        output_dtype=_dtype(output),
        jit=_jit(cell, backend, measured.get("model")),
        tf32=backend.allows_tf32() if on_gpu else None,
        layout=keras.config.image_data_format(),
        recurrent_path="none" if not paths else ("fused" if "fused" in paths else "loop"),
        autotune=backend.autotune() if on_gpu else "none on a CPU",
        n_threads=n_threads,
        n_cores_affinity=cores,
        n_physical_cores=n_physical,
        openmp=tuple(software.openmp_runtimes()),
        caches="cold: compilation caches point to an empty folder for every run",
        data_feed=_data_feed(cell.mode),
    )


def _jit(cell: Cell, backend: Adapter, model: Any) -> Jit:
    """What Keras resolved for a model; a probe is one eager operation, and what a study compiles, it says itself."""
    if model is not None:
        return "on" if model.jit_compile else "off"
    return cell.jit if backend.always_compiles else "off"


def _data_feed(mode: str) -> str:
    """How the data reaches the device, in words."""
    if mode == "probe":
        return "repeated operation on resident arrays"
    if mode == "study":
        return "as each series of the study says"
    return f"numpy arrays through {'model.fit, in a new order each epoch' if mode == 'train' else 'model.predict'}"


def _dtype(value: Any) -> str:
    return str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")


def check_as_asked(request: Request, observed: Observed) -> None:
    """Refuse a run on another device, with another compilation or in another precision than asked for."""
    cell = request.cell
    if observed.device != cell.device:
        raise NotAsAskedError(f"asked for {cell.device}, weights and output lie on {observed.device}")
    if observed.jit != cell.jit:
        raise NotAsAskedError(f"asked for jit {cell.jit}, Keras resolved it to {observed.jit}")
    if request.kind != "model":
        return
    if observed.weight_dtype != "float32":  # mixed precision keeps them so too
        raise NotAsAskedError(f"asked for {cell.precision}, the model's weights are {observed.weight_dtype}")
    if observed.output_dtype != "float32" and not cell.precision.startswith("mixed_"):
        raise NotAsAskedError(f"asked for {cell.precision}, the model's output is {observed.output_dtype}")
