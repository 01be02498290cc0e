"""Numbers too small for the usual format, and what they cost a CPU: the same operations on usual and tiny values. Pure.

Below about 1e-38 float32 keeps its numbers with fewer digits ("subnormal"), and many CPUs take a slow path for
them. Some libraries round them to zero instead ("flush to zero"), which is quicker and rarely matters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.schema import Reading, Series, Variant, Workload

TINY = 1e-40  # float32's smallest normal number is about 1.2e-38, its smallest of all about 1.4e-45
N_CHANNELS, N_BATCH = 32, 8
OPERATIONS = {"scale": "multiplication by a number", "product": "matrix product", "convolution": "convolution"}
VALUES = {"normal": "usual values", "tiny": "tiny values", "flushed": "tiny values, flushed to zero"}

SPEC = Workload(
    id="denormals",
    title="Tiny numbers on a CPU",
    summary="Three operations are timed on usual values, and on some so small that float32 keeps fewer digits of them.",
    kind="study",
    sample_noun="operations",
    data_source="seeded random numbers, and the same times 1e-40",
    series=tuple(
        Series(id=f"{operation}-{values}", label=f"{label}, {what}")
        for operation, label in OPERATIONS.items()
        for values, what in VALUES.items()
    ),
    readings=tuple(
        Reading(id=f"{operation}-kept-{values}", label=f"results that are not zero: {label}, {what}", unit="frac")
        for operation, label in OPERATIONS.items()
        for values, what in VALUES.items()
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"n": 64}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=8.0, devices=("cpu",)),),
        "quick": (),
        "reference": (
            # PyTorch's switch acts on the thread that sets it, so one thread shows it whole.
            Variant(mode="study", batch_size=1, n_samples=1, params={"n": 512}, n_blocks=20, steady_limit_s=2.5,
                    headline=True, estimate_s=24.0, devices=("cpu",), more_threads=(1,), sweep="denormals"),
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time each operation on each kind of values, and read which share of its results is not zero."""
    import numpy as np

    ops = study.keras.ops
    arms: dict[str, Callable[[], Any]] = {}
    can_flush = study.cell.backend == "torch" and study.framework.set_flush_denormal(True)
    if can_flush:
        study.framework.set_flush_denormal(False)
    for values in VALUES:
        if values == "flushed" and not can_flush:
            continue  # TensorFlow and JAX decide by themselves, and have no switch
        for operation, call in operations(study, 1.0 if values == "normal" else TINY).items():
            arms[f"{operation}-{values}"] = with_flush(study, call) if values == "flushed" else call
    for name, call in arms.items():
        operation, values = name.rsplit("-", 1)
        # Bits are counted on the host: a comparison with zero may itself take a tiny number for zero.
        bits = np.ascontiguousarray(ops.convert_to_numpy(call()), dtype=np.float32).view(np.uint32)
        study.read(f"{operation}-kept-{values}", float(np.mean((bits & 0x7FFFFFFF) != 0)))
    study.time({name: arms[name] for item in SPEC.series if (name := item.id) in arms})
    product = arms["product-normal"]()
    study.observe(product, product)


def operations(study: Any, factor: float) -> dict[str, Callable[[], Any]]:
    """The operations on seeded values times a factor: (n, n) matrices, and (8, n / 8, n / 8, 32) images."""
    import numpy as np

    ops, n = study.keras.ops, int(study.variant.params["n"])
    rng = np.random.default_rng(study.seed)

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape, dtype=np.float32)

    def tensor(values: Any) -> Any:
        return ops.convert_to_tensor(values)

    matrix, images = (
        tensor(draw(*shape) * np.float32(factor)) for shape in ((n, n), (N_BATCH, n // 8, n // 8, N_CHANNELS))
    )
    other = tensor(draw(n, n) / np.float32(n**0.5))
    kernel = tensor(draw(3, 3, N_CHANNELS, N_CHANNELS) / np.float32(9 * N_CHANNELS) ** 0.5)
    return {
        "scale": lambda: ops.multiply(matrix, 0.75),
        "product": lambda: ops.matmul(matrix, other),
        "convolution": lambda: ops.conv(images, kernel, padding="same"),
    }


def with_flush(study: Any, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call with PyTorch's switch on, and off again behind it."""

    def flushed() -> Any:
        study.framework.set_flush_denormal(True)
        try:
            return call()
        finally:
            study.framework.set_flush_denormal(False)

    return flushed
