"""What one Keras backend sees, in a process of its own: ``python -m bench.doctor.probe BACKEND`` prints one JSON line.

Runs in the child only, and under the user's own environment: what hides a device there must hide it here. A backend
that crashes, hangs or prints pages of warnings then costs the doctor one answer and no more.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from bench.machine.software import openmp_runtimes


def tensorflow() -> dict[str, Any]:
    """Devices and build of TensorFlow."""
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {
        "version": tf.__version__,
        "gpus": names,
        "cuda": build.get("cuda_version") or ("?" if tf.test.is_built_with_cuda() else None),
        "rocm": "?" if tf.test.is_built_with_rocm() else None,
        "architectures": list(build.get("cuda_compute_capabilities") or ()),
        "n_threads": tf.config.threading.get_intra_op_parallelism_threads() or None,
        "placed": "gpu" if "GPU" in tf.ones((1,)).device.upper() else "cpu",
    }


def jax() -> dict[str, Any]:
    """Devices of JAX and the plug-in that brings them."""
    import jax

    devices = jax.devices()
    gpus = [device.device_kind for device in devices if device.platform != "cpu"]
    version = getattr(devices[0].client, "platform_version", "") if gpus else ""
    cuda = re.search(r"(?i)cuda (\d+)", version)
    return {
        "version": jax.__version__,
        "gpus": gpus,
        "cuda": cuda_version(cuda[1]) if cuda else None,
        "rocm": "?" if "rocm" in version.lower() else None,
        "placed": "gpu" if next(iter(jax.numpy.ones((1,)).devices())).platform != "cpu" else "cpu",
    }


def cuda_version(digits: str) -> str:
    """CUDA's version from how a plug-in tells it: "12", or "13020" for 13.2."""
    return digits if len(digits) < 4 else f"{int(digits) // 1000}.{int(digits) % 1000 // 10}"


def torch() -> dict[str, Any]:
    """Devices and build of PyTorch: NVIDIA's and AMD's as cuda, Intel's as xpu, Apple's as mps.

    Without Keras, tensors stay on the CPU until they are moved.
    """
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.version.hip:  # whose chips of one name may be of several kinds
        chips = [torch.cuda.get_device_properties(index).gcnArchName.split(":")[0] for index in range(len(gpus))]
        gpus = [f"{name} ({chip})" for name, chip in zip(gpus, chips, strict=True)]
    with_xpu = getattr(torch, "xpu", None)
    if with_xpu is not None and with_xpu.is_available():
        gpus += [with_xpu.get_device_name(index) for index in range(with_xpu.device_count())]
    if torch.backends.mps.is_available():
        gpus.append("Apple GPU (mps)")
    return {
        "version": torch.__version__,
        "gpus": gpus,
        "cuda": torch.version.cuda,
        "rocm": torch.version.hip,
        "xpu": getattr(torch.version, "xpu", None),
        "architectures": torch.cuda.get_arch_list() if torch.version.cuda or torch.version.hip else [],
        "n_threads": torch.get_num_threads(),
        "placed": str(torch.ones((1,)).device.type),
    }


PROBES: dict[str, Callable[[], dict[str, Any]]] = {"tensorflow": tensorflow, "jax": jax, "torch": torch}


def keras() -> dict[str, Any]:
    """Where Keras puts an array without being told, on the backend that the environment names."""
    try:
        import keras

        value = keras.ops.ones((1,))
        device = getattr(value, "device", "")
        text = str(device() if callable(device) else device).lower()
        return {"keras": keras.__version__, "keras_placed": "cpu" if "cpu" in text else "gpu"}
    except Exception as error:  # noqa: BLE001  a backend without Keras still has an answer
        return {"keras_error": f"{type(error).__name__}: {error}"[:600]}


def main(backend: str) -> None:
    """Print what the backend sees; the last line of the output is the JSON."""
    seen = PROBES[backend]()
    seen |= keras()
    seen["openmp"] = openmp_runtimes()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
