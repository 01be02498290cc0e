"""What really ran, read from arrays and settings inside the child."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from bench.doctor import probe
from bench.machine import cores as machine_cores
from bench.measure import backend as measure_backend
from bench.measure.backend import NotAsAskedError
from bench.schema import Jit, Observed, Request

# What walks a whole sequence as one operation, by backend: a module and its functions.
FUSED_KERNELS = {
    "tensorflow": ("tensorflow.raw_ops", ("CudnnRNNV3", "CudnnRNN")),
    "jax": ("jax.experimental.rnn", ("lstm",)),
    "torch": ("torch._VF", ("lstm", "gru")),
}


def watch_recurrent_path(keras: Any) -> list[str]:
    """A list that tells which path recurrent layers take: "loop" when a layer asks for one, "fused" when a kernel runs.

    The backend's own function does not tell: PyTorch's walks step by step where there is no fused kernel.
    """
    paths: list[str] = []
    _tell(sys.modules["keras.src.backend"], ("lstm", "gru"), on_call=lambda: paths.append("loop"))
    module, names = FUSED_KERNELS[keras.backend.backend()]
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
    framework: Any,
    request: Request,
    measured: dict[str, Any],
    cores: int | None,
    unmeasured: dict[str, str],
) -> Observed:
    """What really ran, read from the arrays and from the frameworks' own settings."""
    cell = request.cell
    weight, output = measured["weight"], measured["output"]
    devices = {measure_backend.device_of(cell.backend, value) for value in (weight, output)}
    if len(devices) > 1:
        raise NotAsAskedError(f"weights and output lie on different devices: {sorted(devices)}")
    device = devices.pop()
    model = measured.get("model")
    on_gpu = device == "gpu"
    n_threads: int | None
    if cell.backend == "tensorflow":
        tf32 = framework.config.experimental.tensor_float_32_execution_enabled()
        n_threads = framework.config.threading.get_intra_op_parallelism_threads() or None
        autotune = "cuDNN autotune: on (TensorFlow's default)"
    elif cell.backend == "jax":
        tf32 = framework.config.jax_default_matmul_precision == "tensorfloat32"
        n_threads = None
        unmeasured["n_threads"] = "JAX does not tell the size of its pool; it follows the affinity"
        is_off = "--xla_gpu_autotune_level=0" in os.environ.get("XLA_FLAGS", "")
        autotune = "XLA autotune: off" if is_off else "XLA autotune: JAX's default"
    else:
        tf32 = bool(framework.backends.cuda.matmul.allow_tf32)
        n_threads = framework.get_num_threads()
        autotune = f"cuDNN benchmark: {'on' if framework.backends.cudnn.benchmark else 'off'}"
    n_physical = None if cores is None else machine_cores.n_physical(os.sched_getaffinity(0))
    if n_physical is None:
        unmeasured["n_physical_cores"] = "the operating system does not tell"
    if cores is None:
        unmeasured["n_cores_affinity"] = "this operating system has no core affinity"
    jit: Jit = cell.jit if model is None else ("on" if model.jit_compile else "off")
    if model is None and cell.backend != "jax":
        jit = "off"  # a probe is one eager operation; what a study compiles, it says itself
    paths = measured.get("paths", [])
    return Observed(
        device=device,
        device_name=_device_name(cell.backend, framework, device),
        weight_dtype=_dtype(weight),
        output_dtype=_dtype(output),
        jit=jit,
        tf32=bool(tf32) if on_gpu else None,
        layout=keras.config.image_data_format(),
        recurrent_path="none" if not paths else ("fused" if "fused" in paths else "loop"),
        autotune=autotune if on_gpu else "none on a CPU",
        n_threads=n_threads,
        n_cores_affinity=cores,
        n_physical_cores=n_physical,
        openmp=tuple(probe.openmp_runtimes()),
        caches="cold: compilation caches point to an empty folder for every run",
        data_feed=_data_feed(cell.mode),
    )


def _data_feed(mode: str) -> str:
    """How the data reaches the device, in words."""
    if mode == "probe":
        return "repeated operation on resident arrays"
    if mode == "study":
        return "as each series of the study says"
    return f"numpy arrays through {'model.fit, in a new order each epoch' if mode == 'train' else 'model.predict'}"


def _device_name(backend: str, framework: Any, device: str) -> str:
    if device == "cpu":
        return "CPU"
    if backend == "tensorflow":
        gpu = framework.config.list_physical_devices("GPU")[0]
        return str(framework.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    if backend == "jax":
        return str(framework.devices()[0].device_kind)
    return framework.cuda.get_device_name(0) if framework.cuda.is_available() else "Apple GPU (MPS)"


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
