"""How much memory training takes: weights, what the optimizer keeps, and the peak of a step. Pure but for the nets.

Weights and optimizer state do not depend on the batch; what the layers hand on to the backward pass does. On a CPU
the peak is the growth of the process, allocator and libraries included; on a GPU it is what the allocator gave out.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Precision, Reading, Variant, Workload

N_CLASSES = 100
N_STEPS = 3  # measured steps, after a first one that compiles
MIXED: tuple[Precision, ...] = ("mixed_bfloat16", "mixed_float16")

SPEC = Workload(
    id="memory",
    title="Memory of training",
    summary="A net is trained for a few steps, and the memory that this takes is read.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images or rows; memory does not depend on their values",
    readings=(
        Reading(id="weights", label="weights", unit="bytes"),
        Reading(id="optimizer", label="kept by the optimizer", unit="bytes"),
        Reading(id="data", label="training data on the host", unit="bytes"),
        Reading(id="peak", label="peak of a step, above what was used before the net was built", unit="bytes"),
        Reading(id="peak-first", label="peak with the first step, which compiles", unit="bytes"),
        Reading(id="held", label="in use on the GPU, as the driver tells", unit="bytes"),
        Reading(id="used", label="given out by the backend's allocator on the GPU", unit="bytes"),
        Reading(id="device", label="memory of the GPU", unit="bytes"),
    ),
    variants={
        "smoke": tuple(Variant(mode="study", batch_size=batch_size, n_samples=2 * batch_size, params={"net": net},
                               headline=net == "mlp", estimate_s=8.0, devices=devices)  # type: ignore[arg-type]
                       for net, batch_size, devices in (("mlp", 8, ()), ("none", 1, ("gpu",)))),
        "quick": (),
        "reference": (
            *(Variant(mode="study", batch_size=batch_size, n_samples=2 * batch_size, params={"net": net},
                      headline=(net, batch_size) == ("cnn", 16),
                      more_precisions=MIXED if batch_size in (16, 64) else (), estimate_s=4.0 + batch_size / 6,
                      sweep="memory") for net in ("cnn", "mlp") for batch_size in (1, 4, 16, 64)),
            *(Variant(mode="study", batch_size=16, n_samples=n_samples, params={"net": "mlp"}, estimate_s=12.0,
                      sweep="memory-rows") for n_samples in (16_384, 131_072)),
            Variant(mode="study", batch_size=1, n_samples=2, params={"net": "none"}, estimate_s=8.0,
                    devices=("gpu",), sweep="memory"),
        ),
    },
)  # fmt: skip

NAMES = Names(nets={"cnn": "small image network", "mlp": "small dense network"}, memory="by-batch")


def measure(study: Any) -> None:
    """Read the bytes of a net that is trained with Adam through fit, or of a process without a net."""
    import numpy as np

    keras, net = study.keras, str(study.variant.params["net"])
    if net == "none":
        one = keras.ops.ones((1,))
        study.sync(one)
        study.observe(one)
        read_device(study)
        return
    rng = np.random.default_rng(study.seed)
    shape = (64, 64, 3) if net == "cnn" else (512,)
    x = rng.standard_normal((study.variant.n_samples, *shape), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, len(x), dtype=np.int32)
    n_first = study.cell.batch_size

    forget_peak(study)
    before = peak_bytes(study) or 0.0  # used now; where the peak cannot be taken back, the peak so far
    model = build(keras, net)
    model.fit(x[:n_first], y[:n_first], batch_size=n_first, verbose=0)
    read_peak(study, "peak-first", before)
    if forget_peak(study) or study.cell.device == "gpu":  # compiling takes the host's memory, see launch.py
        n_steps = min(N_STEPS, len(x) // n_first)
        model.fit(x, y, batch_size=n_first, verbose=0, steps_per_epoch=n_steps)
        read_peak(study, "peak", before)
    study.read("weights", n_bytes(model.weights))
    study.read("optimizer", n_bytes(model.optimizer.variables))
    study.read("data", float(x.nbytes + y.nbytes))
    if study.cell.device == "gpu":
        read_device(study)
    study.observe(model.weights[0].value, model(x[:n_first]))


def n_bytes(variables: list[Any]) -> float:
    """Bytes of Keras variables, from their shapes and types."""
    import math

    import numpy as np

    def width(dtype: str) -> int:
        return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize  # NumPy has no bfloat16

    return float(sum(math.prod(variable.shape) * width(variable.dtype) for variable in variables))


def build(keras: Any, net: str) -> Any:
    """A net whose activations outweigh its weights, on images (batch, 64, 64, 3), or the reverse, on rows of 512."""
    layers = keras.layers
    if net == "cnn":
        parts = [keras.Input((64, 64, 3))]
        for n_filters in (32, 64, 128):
            for _ in range(2):
                parts += [layers.Conv2D(n_filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
            parts.append(layers.MaxPooling2D())
        parts.append(layers.GlobalAveragePooling2D())
    else:
        parts = [keras.Input((512,)), *(layers.Dense(2048, activation="relu") for _ in range(3))]
    model = keras.Sequential([*parts, layers.Dense(N_CLASSES)])
    model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def forget_peak(study: Any) -> bool:
    """Set the peak to what is used now; False where that cannot be done, so that the peak stays the largest so far."""
    import gc

    gc.collect()
    if study.cell.device == "cpu":
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # Linux only, see proc(5): resets the peak resident set size
        except OSError:
            return False
    elif study.cell.backend == "tensorflow":
        study.framework.config.experimental.reset_memory_stats("GPU:0")
    elif study.cell.backend == "torch" and study.framework.cuda.is_available():
        study.framework.cuda.reset_peak_memory_stats()
    else:
        return False
    return True


def read_peak(study: Any, name: str, before: float) -> None:
    """Read the growth since the start; left out where the system does not tell, or where an older peak hides it."""
    peak = peak_bytes(study)
    if peak is not None and peak > before:
        study.read(name, peak - before)


def peak_bytes(study: Any) -> float | None:
    """Largest number of bytes so far: of this process on a CPU, given out by the backend's allocator on a GPU."""
    if study.cell.device == "cpu":
        return resident_peak_bytes()
    if study.cell.backend == "tensorflow":
        return float(study.framework.config.experimental.get_memory_info("GPU:0")["peak"])
    if study.cell.backend == "jax":
        peak = (study.framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        return None if peak is None else float(peak)
    return float(study.framework.cuda.max_memory_allocated()) if study.framework.cuda.is_available() else None


def resident_peak_bytes() -> float | None:
    """Largest resident size of this process; None on Windows, whose Python does not tell."""
    import sys

    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else 1024 * peak)  # macOS counts bytes, others KiB


def read_device(study: Any) -> None:
    """Read what the driver says this process holds of the GPU, and what the backend's allocator has given out of it.

    The worker lets TensorFlow's pool grow on demand, where by itself it would take nearly all; JAX takes its usual
    share at the start.
    """
    if study.cell.backend == "tensorflow":
        used = study.framework.config.experimental.get_memory_info("GPU:0")["current"]
    elif study.cell.backend == "jax":
        used = (study.framework.devices()[0].memory_stats() or {}).get("bytes_in_use")
    else:
        used = study.framework.cuda.memory_allocated() if study.framework.cuda.is_available() else None
    held, total = driver_bytes()
    for name, value in (("used", used), ("held", held), ("device", total)):
        if value is not None:
            study.read(name, float(value))


def driver_bytes() -> tuple[float | None, float | None]:
    """Bytes of the first visible GPU in use and in all, as nvidia-smi tells; None without it.

    What other processes hold is counted in: inside a container the driver does not tell whose is what. A run on a GPU
    that others use says so in its conditions.
    """
    import os
    import subprocess

    command = ["nvidia-smi", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"]
    command.append(f"--id={os.environ.get('CUDA_VISIBLE_DEVICES') or '0'}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None, None
    return parsed(done.stdout)


def parsed(text: str) -> tuple[float | None, float | None]:
    """Bytes in use and in all from a line such as "1024, 143771", which counts MiB; None for what is no number."""
    fields = (text.splitlines() or [""])[0].split(",")
    values = [float(field) * 2**20 if field.strip().isdigit() else None for field in fields]
    return (values[0], values[1]) if len(values) == 2 else (None, None)
