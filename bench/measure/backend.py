"""What differs between the backends: settings, seeds, waiting for the device, where an array lies, peak memory."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from typing import Any

from bench.schema import Cell, Request


class NotAsAskedError(RuntimeError):
    """What ran is not what was asked for: another device, another compilation, another precision."""


def framework(backend: str) -> Any:
    """The backend's own module."""
    if backend == "tensorflow":
        import tensorflow

        return tensorflow
    if backend == "jax":
        import jax

        return jax
    import torch

    return torch


def configure(keras: Any, framework: Any, request: Request) -> None:
    """Set explicitly whatever a default could decide differently: threads, precision, TF32, layout, seeds."""
    cell = request.cell
    if keras.backend.backend() != cell.backend:
        raise NotAsAskedError(f"asked for the backend {cell.backend}, Keras loaded {keras.backend.backend()}")
    tf32 = cell.precision == "tf32"
    if cell.backend == "tensorflow":
        framework.config.threading.set_intra_op_parallelism_threads(cell.threads)
        framework.config.threading.set_inter_op_parallelism_threads(cell.threads)
        framework.config.experimental.enable_tensor_float_32_execution(tf32)
        for gpu in framework.config.list_physical_devices("GPU"):
            framework.config.experimental.set_memory_growth(gpu, True)
    elif cell.backend == "jax":
        names = {"float32-strict": "highest", "tf32": "tensorfloat32"}
        # Left alone, JAX computes what a mixed policy keeps in float32 as TF32 on a GPU.
        name = names.get(cell.precision, "highest" if cell.device == "gpu" else None)
        framework.config.update("jax_default_matmul_precision", name)
    else:
        framework.set_num_threads(cell.threads)
        framework.backends.cuda.matmul.allow_tf32 = tf32
        framework.backends.cudnn.allow_tf32 = tf32
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    mixed = cell.precision.startswith("mixed_")
    keras.config.set_dtype_policy(cell.precision if mixed else "float32")
    _seed(framework, cell.backend, request.seed + request.index)


def _seed(framework: Any, backend: str, seed: int) -> None:
    """Seed what weights, dropout and the order of the data follow from, but for TensorFlow's own generator.

    ``keras.utils.set_random_seed`` seeds that one too, and ``fit`` then walks through the rows in the same order in
    every epoch, in TensorFlow only: tensorflow/tensorflow issue 44195. A time to a target would be that of another
    training. Keras draws weights and dropout from Python's generator, so they stay the same for the same seed.
    """
    import numpy

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    if backend == "torch":
        framework.manual_seed(seed)


def wait(backend: str, framework: Any, value: Any = None) -> None:
    """Return when the device has finished; ``value`` is something computed last."""
    if backend == "tensorflow":
        import numpy

        framework.test.experimental.sync_devices()
        if value is not None:
            value = framework.convert_to_tensor(value)
            if "GPU" in value.device.upper():  # one number is enough to wait for; a matrix would be copied in the block
                value = framework.reshape(value, [-1])[:1]
            numpy.asarray(value)
    elif backend == "jax":
        framework.block_until_ready(value)
    elif framework.cuda.is_available():
        framework.cuda.synchronize()
    elif hasattr(framework, "mps") and framework.backends.mps.is_available():
        framework.mps.synchronize()


def wait_for_training(backend: str, framework: Any, model: Any) -> None:
    """Return when the device has finished the last training step."""
    wait(backend, framework, _state(model, backend))


def _state(model: Any, backend: str) -> Any:
    """Something that is ready only when the last training step is: weights after the update."""
    if backend == "jax":
        state = getattr(model, "_jax_state", None)  # what fit holds while it runs; the variables are stale then
        # Keras wraps the list in a TrackedList, which JAX takes for a leaf that is ready at once: unwrap it.
        return list(state["trainable_variables"]) if state else [weight.value for weight in model.trainable_weights]
    smallest = min(model.trainable_weights, key=lambda weight: math.prod(weight.shape))
    return smallest.value


def device_of(backend: str, value: Any) -> str:
    """cpu or gpu, from where an array lies."""
    if backend == "tensorflow":
        name = value.device
        return "gpu" if "GPU" in name.upper() else "cpu"
    if backend == "jax":
        platform = next(iter(value.devices())).platform
        return "cpu" if platform == "cpu" else "gpu"
    return "cpu" if value.device.type == "cpu" else "gpu"


def forget_peak(cell: Cell, framework: Any) -> int:
    """Let the device's peak of memory count from here on; bytes that JAX, which cannot forget, has held so far."""
    if cell.device == "cpu":
        return 0
    if cell.backend == "tensorflow":
        framework.config.experimental.reset_memory_stats("GPU:0")
    elif cell.backend == "jax":
        return (framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    elif framework.cuda.is_available():
        framework.cuda.reset_peak_memory_stats()
    return 0


def peak_device_bytes(cell: Cell, framework: Any, held_bytes: int) -> tuple[int | None, str]:
    """The most memory that the run held on its device, or None and why; ``held_bytes`` were held before it."""
    if cell.device == "cpu":
        return None, "a CPU run uses host memory"
    if cell.backend == "tensorflow":
        return int(framework.config.experimental.get_memory_info("GPU:0")["peak"]), ""
    if cell.backend == "jax":
        peak = (framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        if peak is not None and peak <= held_bytes:
            return None, f"no more than the control kernel's {held_bytes} bytes, which JAX cannot forget"
    else:
        peak = int(framework.cuda.max_memory_allocated()) if framework.cuda.is_available() else None
    return peak, "the backend does not tell"


def check_device(cell: Cell, framework: Any, value: Any) -> None:
    """Refuse a backend that computes elsewhere than asked for before anything is measured with it."""
    device = device_of(cell.backend, value)
    if device == cell.device:
        return
    why = _why_no_gpu(cell.backend, framework) if cell.device == "gpu" else ""
    raise NotAsAskedError(f"asked for {cell.device}, {cell.backend} computes on the {device}{': ' if why else ''}{why}")


def _why_no_gpu(backend: str, framework: Any) -> str:
    """What a backend itself says of why it uses no GPU; empty where it says nothing."""
    if backend == "tensorflow":
        is_built = framework.test.is_built_with_cuda() or framework.test.is_built_with_rocm()
        return "it lists no GPU" if is_built else "this build of TensorFlow is for CPUs only"
    if backend == "jax":
        errors: dict[str, Any] = {}
        with suppress(ImportError):  # private, and nowhere else
            from jax._src import xla_bridge

            errors = getattr(xla_bridge, "_backend_errors", errors)
        return "; ".join(f"{name}: {' '.join(str(text).split())}" for name, text in errors.items())
    if framework.version.cuda is None and framework.version.hip is None:
        return "this build of PyTorch is for CPUs only"
    try:
        framework.cuda.init()
    except Exception as error:  # noqa: BLE001  whatever it is, it is the reason
        return " ".join(str(error).split())
    return ""
