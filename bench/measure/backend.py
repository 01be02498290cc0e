"""What differs between the backends: settings, seeds, waiting for the device, where an array lies, peak memory.

An adapter per backend answers all of it; nothing else in the child asks which backend it is.
"""

from __future__ import annotations

import importlib
import math
import os
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from bench.schema import Backend, Cell, Device, Request


class NotAsAskedError(RuntimeError):
    """What ran is not what was asked for: another device, another compilation, another precision."""


class Adapter(ABC):
    """One backend in this process.

    Attributes:
        framework: the backend's own module.
        fused_kernels: what walks a whole sequence as one operation: a module and its functions.
        always_compiles: whether an operation outside a model is compiled, too.
        why_no_n_threads: why ``n_threads`` is None.
    """

    name: ClassVar[Backend]
    fused_kernels: ClassVar[tuple[str, tuple[str, ...]]]
    always_compiles: ClassVar[bool] = False
    why_no_n_threads: ClassVar[str] = ""

    def __init__(self, framework: Any) -> None:
        """``framework`` is the backend's module, or what stands in for it in a test."""
        self.framework = framework

    def configure(self, keras: Any, request: Request) -> None:
        """Set explicitly whatever a default could decide differently: threads, precision, TF32, layout, seeds.

        Raises:
            NotAsAskedError: Keras has loaded another backend.
        """
        cell = request.cell
        if keras.backend.backend() != self.name:
            raise NotAsAskedError(f"asked for the backend {self.name}, Keras loaded {keras.backend.backend()}")
        self.set_options(cell)
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.set_image_data_format("channels_last")
        mixed = cell.precision.startswith("mixed_")
        keras.config.set_dtype_policy(cell.precision if mixed else "float32")
        self.seed(request.seed + request.index)

    @abstractmethod
    def set_options(self, cell: Cell) -> None:
        """Set the backend's own threads and precision of products."""

    def seed(self, seed: int) -> None:
        """Seed what weights, dropout and the order of the data follow from, but for TensorFlow's own generator.

        ``keras.utils.set_random_seed`` seeds that one too, and ``fit`` then walks through the rows in the same order in
        every epoch, in TensorFlow only: tensorflow/tensorflow issue 44195. A time to a target would be that of another
        training. Keras draws weights and dropout from Python's generator, so they stay the same for the same seed.
        """
        import numpy

        random.seed(seed)
        numpy.random.seed(seed % 2**32)

    @abstractmethod
    def wait(self, value: Any = None) -> None:
        """Return when the device has finished; ``value`` is something computed last."""

    def wait_for_result(self, value: Any) -> None:
        """Like ``wait`` for what a call has returned, which may be no tensor but lie on the host or be None."""
        is_host = value is None or type(value).__module__.split(".")[0] in ("builtins", "numpy")
        self.wait(None if is_host else value)

    def wait_for_training(self, model: Any) -> None:
        """Return when the device has finished the last training step."""
        self.wait(self.training_state(model))

    def training_state(self, model: Any) -> Any:
        """Something that is ready only when the last training step is: weights after the update."""
        return min(model.trainable_weights, key=lambda weight: math.prod(weight.shape)).value

    def array_of(self, weight: Any) -> Any:
        """A Keras variable's array."""
        return weight.value

    @abstractmethod
    def device_of(self, value: Any) -> Device:
        """Where an array lies."""

    def check_device(self, cell: Cell, value: Any) -> None:
        """Refuse a backend that computes elsewhere than asked for before anything is measured with it.

        Raises:
            NotAsAskedError: the value lies on another device.
        """
        device = self.device_of(value)
        if device == cell.device:
            return
        why = self.why_no_gpu() if cell.device == "gpu" else ""
        message = f"asked for {cell.device}, {self.name} computes on the {device}{': ' if why else ''}{why}"
        raise NotAsAskedError(message)

    @abstractmethod
    def why_no_gpu(self) -> str:
        """What the backend itself says of why it uses no GPU; empty where it says nothing."""

    @abstractmethod
    def gpu_name(self) -> str:
        """The GPU's name as the backend tells it."""

    @abstractmethod
    def forget_peak(self) -> int:
        """Let the GPU's peak of memory count from here on; bytes that JAX, which cannot forget, has held so far."""

    @abstractmethod
    def peak_device_bytes(self, held_bytes: int) -> tuple[int | None, str]:
        """The most memory held on the GPU, or None and why; ``held_bytes`` is what ``forget_peak`` gave."""

    @abstractmethod
    def allows_tf32(self) -> bool:
        """Whether products of float32 may be computed in TF32."""

    @abstractmethod
    def n_threads(self) -> int | None:
        """Threads of the backend's own pool for one operation; None where it does not tell."""

    @abstractmethod
    def autotune(self) -> str:
        """How kernels are chosen on a GPU, in words."""


class TensorFlow(Adapter):
    """TensorFlow: eager operations, compiled models where asked for."""

    name = "tensorflow"
    fused_kernels = ("tensorflow.raw_ops", ("CudnnRNNV3", "CudnnRNN"))

    def set_options(self, cell: Cell) -> None:
        config = self.framework.config
        config.threading.set_intra_op_parallelism_threads(cell.threads)
        config.threading.set_inter_op_parallelism_threads(cell.threads)
        config.experimental.enable_tensor_float_32_execution(cell.precision == "tf32")
        for gpu in config.list_physical_devices("GPU"):
            config.experimental.set_memory_growth(gpu, True)

    def wait(self, value: Any = None) -> None:
        import numpy

        self.framework.test.experimental.sync_devices()
        if value is not None:
            value = self.framework.convert_to_tensor(value)
            if "GPU" in value.device.upper():  # one number is enough to wait for; a matrix would be copied in the block
                value = self.framework.reshape(value, [-1])[:1]
            numpy.asarray(value)

    def device_of(self, value: Any) -> Device:
        return "gpu" if "GPU" in value.device.upper() else "cpu"

    def why_no_gpu(self) -> str:
        is_built = self.framework.test.is_built_with_cuda() or self.framework.test.is_built_with_rocm()
        return "it lists no GPU" if is_built else "this build of TensorFlow is for CPUs only"

    def gpu_name(self) -> str:
        gpu = self.framework.config.list_physical_devices("GPU")[0]
        return str(self.framework.config.experimental.get_device_details(gpu).get("device_name", "GPU"))

    def forget_peak(self) -> int:
        self.framework.config.experimental.reset_memory_stats("GPU:0")
        return 0

    def peak_device_bytes(self, held_bytes: int) -> tuple[int | None, str]:
        return int(self.framework.config.experimental.get_memory_info("GPU:0")["peak"]), ""

    def allows_tf32(self) -> bool:
        return bool(self.framework.config.experimental.tensor_float_32_execution_enabled())

    def n_threads(self) -> int | None:
        return self.framework.config.threading.get_intra_op_parallelism_threads() or None

    def autotune(self) -> str:
        return "cuDNN autotune: on (TensorFlow's default)"


class Jax(Adapter):
    """JAX: all it does is compiled."""

    name = "jax"
    fused_kernels = ("jax.experimental.rnn", ("lstm",))
    always_compiles = True
    why_no_n_threads = "JAX does not tell the size of its pool; it follows the affinity"

    def set_options(self, cell: Cell) -> None:
        names = {"float32-strict": "highest", "tf32": "tensorfloat32"}
        # Left alone, JAX computes what a mixed policy keeps in float32 as TF32 on a GPU.
        name = names.get(cell.precision, "highest" if cell.device == "gpu" else None)
        self.framework.config.update("jax_default_matmul_precision", name)

    def wait(self, value: Any = None) -> None:
        self.framework.block_until_ready(value)

    def wait_for_result(self, value: Any) -> None:
        """Any tree of arrays is waited for, a list or a dictionary, too."""
        self.wait(value)

    def training_state(self, model: Any) -> Any:
        state = getattr(model, "_jax_state", None)  # what fit holds while it runs; the variables are stale then
        # Keras wraps the list in a TrackedList, which JAX takes for a leaf that is ready at once: unwrap it.
        return list(state["trainable_variables"]) if state else [weight.value for weight in model.trainable_weights]

    def device_of(self, value: Any) -> Device:
        return "cpu" if next(iter(value.devices())).platform == "cpu" else "gpu"

    def why_no_gpu(self) -> str:
        errors: dict[str, Any] = {}
        with suppress(ImportError):  # private, and nowhere else
            from jax._src import xla_bridge

            errors = getattr(xla_bridge, "_backend_errors", errors)
        return "; ".join(f"{name}: {' '.join(str(text).split())}" for name, text in errors.items())

    def gpu_name(self) -> str:
        return str(self.framework.devices()[0].device_kind)

    def forget_peak(self) -> int:
        return self._peak() or 0

    def peak_device_bytes(self, held_bytes: int) -> tuple[int | None, str]:
        peak = self._peak()
        if peak is not None and peak <= held_bytes:
            return None, f"no more than the control kernel's {held_bytes} bytes, which JAX cannot forget"
        return peak, "the backend does not tell"

    def _peak(self) -> int | None:
        return (self.framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")

    def allows_tf32(self) -> bool:
        return bool(self.framework.config.jax_default_matmul_precision == "tensorfloat32")

    def n_threads(self) -> int | None:
        return None

    def autotune(self) -> str:
        is_off = "--xla_gpu_autotune_level=0" in os.environ.get("XLA_FLAGS", "")
        return "XLA autotune: off" if is_off else "XLA autotune: JAX's default"


class Torch(Adapter):
    """PyTorch: eager operations, on NVIDIA's and AMD's GPUs as ``cuda``, on Apple's as ``mps``."""

    name = "torch"
    fused_kernels = ("torch._VF", ("lstm", "gru"))

    def set_options(self, cell: Cell) -> None:
        self.framework.set_num_threads(cell.threads)
        self.framework.backends.cuda.matmul.allow_tf32 = cell.precision == "tf32"
        self.framework.backends.cudnn.allow_tf32 = cell.precision == "tf32"

    def seed(self, seed: int) -> None:
        super().seed(seed)
        self.framework.manual_seed(seed)

    def wait(self, value: Any = None) -> None:
        if self.framework.cuda.is_available():
            self.framework.cuda.synchronize()
        elif hasattr(self.framework, "mps") and self.framework.backends.mps.is_available():
            self.framework.mps.synchronize()

    def array_of(self, weight: Any) -> Any:
        return weight.value.data

    def device_of(self, value: Any) -> Device:
        return "cpu" if value.device.type == "cpu" else "gpu"

    def why_no_gpu(self) -> str:
        if self.framework.version.cuda is None and self.framework.version.hip is None:
            return "this build of PyTorch is for CPUs only"
        try:
            self.framework.cuda.init()
        except Exception as error:  # noqa: BLE001  whatever it is, it is the reason
            return " ".join(str(error).split())
        return ""

    def gpu_name(self) -> str:
        has_cuda = self.framework.cuda.is_available()
        return str(self.framework.cuda.get_device_name(0)) if has_cuda else "Apple GPU (MPS)"

    def forget_peak(self) -> int:
        if self.framework.cuda.is_available():
            self.framework.cuda.reset_peak_memory_stats()
        return 0

    def peak_device_bytes(self, held_bytes: int) -> tuple[int | None, str]:
        has_cuda = self.framework.cuda.is_available()
        return int(self.framework.cuda.max_memory_allocated()) if has_cuda else None, "the backend does not tell"

    def allows_tf32(self) -> bool:
        return bool(self.framework.backends.cuda.matmul.allow_tf32)

    def n_threads(self) -> int | None:
        return int(self.framework.get_num_threads())

    def autotune(self) -> str:
        return f"cuDNN benchmark: {'on' if self.framework.backends.cudnn.benchmark else 'off'}"


ADAPTERS: Mapping[Backend, type[Adapter]] = {"tensorflow": TensorFlow, "jax": Jax, "torch": Torch}


def load(name: Backend) -> Adapter:
    """The adapter of a backend; imports the framework."""
    return ADAPTERS[name](importlib.import_module(name))
