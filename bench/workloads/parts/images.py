"""Nets of Keras Applications on random images: their data, the net and how it is trained. Pure: seeded arrays, a model.

A workload binds the constructor: ``build_model = partial(images.build_model, "ResNet50")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant

if TYPE_CHECKING:
    import keras

N_CLASSES = 1_000


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, px, px, 3), float32 from -1 to 1, and class numbers of shape (n_samples,), int32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    image_px = int(variant.params["image_px"])
    x = rng.random((variant.n_samples, image_px, image_px, 3), dtype=np.float32) * 2 - 1
    y = rng.integers(0, N_CLASSES, variant.n_samples, dtype=np.int32)
    return Data(x, y)


def build_model(constructor: str, variant: Variant) -> keras.Model:
    """A net with random weights and its read-out. Input (batch, px, px, 3), output (batch, 1000), probabilities.

    Args:
        constructor: name of the net in ``keras.applications``.
    """
    import keras

    image_px = int(variant.params["image_px"])
    make = getattr(keras.applications, constructor)
    return make(weights=None, input_shape=(image_px, image_px, 3), classes=N_CLASSES)


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Stochastic gradient descent with momentum, the optimizer such nets are trained with; cross-entropy."""
    import keras

    return {
        "optimizer": keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        "loss": keras.losses.SparseCategoricalCrossentropy(),
    }
