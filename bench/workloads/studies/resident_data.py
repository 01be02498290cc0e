"""A small training step on data that lies on the device, and the same step fed from NumPy each time.

The difference is what feeding costs. It counts where a step does little work per number it is given.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.schema import Block, Names, Reading, Series, Variant, Workload

N_PIXELS, N_CLASSES = 32, 10
BATCH = 128

SPEC = Workload(
    id="resident-data",
    title="Data on the device",
    summary="A classifier of small colour images takes training steps on resident batches and on NumPy batches.",
    kind="study",
    sample_noun="images",
    data_source="seeded random images and classes; only speed is asked",
    series=(
        Series(id="resident", label="train_on_batch, batch already on the device"),
        Series(id="fed", label="train_on_batch, NumPy batch"),
        Series(id="copy", label="the batch's copy to the device alone"),
    ),
    readings=(
        Reading(id="copy-frac", label="copying one batch, as a share of a step fed from NumPy", unit="frac"),
        Reading(id="resident-speedup", label="step fed from NumPy, relative to one on resident data", unit="ratio"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=8, n_samples=32, params={"model": "linear"}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=7.0),),
        "quick": (),
        "reference": tuple(Variant(mode="study", batch_size=BATCH, n_samples=8 * BATCH, params={"model": model},
                                   n_blocks=30, steady_limit_s=8.0, headline=model == "conv", estimate_s=19.0)
                           for model in ("linear", "conv")),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("resident", "fed"),))


def measure(study: Any) -> None:
    """Time steps that go round n_samples / batch_size batches of images (batch_size, 32, 32, 3), float32."""
    import numpy as np

    batch_size, n_samples = study.cell.batch_size, study.cell.n_samples
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((n_samples, N_PIXELS, N_PIXELS, 3), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, n_samples).astype(np.int32)
    batches = [(x[at : at + batch_size], y[at : at + batch_size]) for at in range(0, n_samples, batch_size)]
    convert = study.keras.ops.convert_to_tensor
    resident = [(convert(images), convert(classes)) for images, classes in batches]
    model = build_model(study.keras, str(study.variant.params["model"]))
    model.compile(
        optimizer=study.keras.optimizers.SGD(1e-3),
        loss=study.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=study.cell.backend == "jax",
    )
    at = dict.fromkeys(("resident", "fed", "copy"), 0)

    def following(name: str, source: list[Any]) -> Any:
        at[name] = (at[name] + 1) % len(source)
        return source[at[name]]

    def copy() -> Any:
        images, classes = following("copy", batches)
        copied = convert(images), convert(classes)
        return copied if study.cell.backend == "jax" else None  # a tensor given back would be read to the host

    study.time(
        {
            "resident": lambda: model.train_on_batch(*following("resident", resident)),
            "fed": lambda: model.train_on_batch(*following("fed", batches)),
            "copy": copy,
        }
    )
    for name, value in shares(study.series).items():
        study.read(name, value)
    study.observe(model.weights[0].value, resident[0][0])


def build_model(keras: Any, kind: str) -> Any:
    """Images (batch, 32, 32, 3) to logits (batch, 10): one dense layer ("linear"), or three convolutions ("conv")."""
    layers = [keras.layers.Flatten()]
    if kind == "conv":
        layers = [
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),  # (batch, 15, 15, 16)
            keras.layers.Conv2D(32, 3, strides=2, activation="relu"),  # (batch, 7, 7, 32)
            keras.layers.Conv2D(64, 3, strides=2, activation="relu"),  # (batch, 3, 3, 64)
            keras.layers.Flatten(),
        ]
    return keras.Sequential([keras.Input((N_PIXELS, N_PIXELS, 3)), *layers, keras.layers.Dense(N_CLASSES)])


def shares(series: Mapping[str, Sequence[Block]]) -> dict[str, float]:
    """Copy over fed step, and fed step over resident step, from medians."""
    median = {
        name: statistics.median(block.seconds / block.n_steps for block in blocks) for name, blocks in series.items()
    }
    return {"copy-frac": median["copy"] / median["fed"], "resident-speedup": median["fed"] / median["resident"]}
