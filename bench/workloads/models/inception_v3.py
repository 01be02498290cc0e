"""Inception-v3 from Keras Applications on random images. Pure: seeded arrays, a model, no files.

Many small convolutions in parallel branches: more operations for each sum than a plain net has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant, Workload

if TYPE_CHECKING:
    import keras

N_CLASSES = 1_000

SPEC = Workload(
    id="inception-v3",
    title="Inception-v3, 299 px",
    summary="Inception-v3 with random weights is trained on, or applied to, 299 px colour images of 1,000 classes.",
    sample_noun="images",
    data_source="pixels and classes drawn by a seeded generator: only speed is asked, and it does not depend on them",
    variants={
        "smoke": (
            # Not trained: another net of this make is, and its graph of a step takes TensorFlow long.
            Variant(mode="infer", batch_size=2, n_samples=4, params={"image_px": 75}, n_blocks=2, steady_limit_s=0.5,
                    headline=True, estimate_s=9.0),
        ),
        "quick": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 299}, n_blocks=3, steady_limit_s=1.0,
                    headline=True, estimate_s=24.0),
            Variant(mode="infer", batch_size=8, n_samples=32, params={"image_px": 299}, n_blocks=3,
                    steady_limit_s=1.0, estimate_s=14.0),
        ),
        "reference": (
            Variant(batch_size=8, n_samples=256, params={"image_px": 299}, steady_limit_s=3.0, headline=True,
                    estimate_s=25.0),
            Variant(mode="infer", batch_size=8, n_samples=16, params={"image_px": 299}, steady_limit_s=3.0,
                    estimate_s=15.0),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, px, px, 3), float32 from -1 to 1, and class numbers of shape (n_samples,), int32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    image_px = int(variant.params["image_px"])
    x = rng.random((variant.n_samples, image_px, image_px, 3), dtype=np.float32) * 2 - 1
    y = rng.integers(0, N_CLASSES, variant.n_samples, dtype=np.int32)
    return Data(x, y)


def build_model(variant: Variant) -> keras.Model:
    """Inception-v3 with its read-out. Input (batch, px, px, 3), output (batch, 1000), probabilities."""
    import keras

    image_px = int(variant.params["image_px"])
    return keras.applications.InceptionV3(weights=None, input_shape=(image_px, image_px, 3), classes=N_CLASSES)


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Stochastic gradient descent with momentum, the optimizer such nets are trained with; cross-entropy."""
    import keras

    return {
        "optimizer": keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        "loss": keras.losses.SparseCategoricalCrossentropy(),
    }
