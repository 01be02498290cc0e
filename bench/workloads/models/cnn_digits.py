"""Small convnet on scikit-learn's handwritten digits, trained to 97 % on held-out images. Pure: arrays and a model.

The smallest real image task: it asks whether one needs a GPU to learn. All profiles use the same data, because
a job that stops at a quality must be the same job everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Target, Variant, Workload

if TYPE_CHECKING:
    import keras

N_TRAIN = 1_440  # 45 batches of 32; the other 357 of 1,797 images are held out
SPLIT_SEED = 0


SPEC = Workload(
    id="cnn-digits",
    title="Convnet on handwritten digits",
    summary="A small convolutional net learns to read 8 x 8 pixel digits until it names 97 % of held-out ones rightly.",
    sample_noun="images",
    data_source="the 1,797 digits that ship with scikit-learn; 357 of them, chosen once by a fixed seed, are held out",
    target=Target(metric="accuracy", at_least=0.97, max_epochs=30),
    variants={
        "smoke": tuple(Variant(mode=mode, batch_size=32, n_samples=N_TRAIN, n_blocks=3, steady_limit_s=0.5,
                               headline=True, estimate_s=8.0) for mode in ("train", "infer")),
        "quick": tuple(Variant(mode=mode, batch_size=32, n_samples=N_TRAIN, n_blocks=10, steady_limit_s=1.0,
                               headline=True, estimate_s=8.0) for mode in ("train", "infer")),
        "reference": (
            *(Variant(mode=mode, batch_size=32, n_samples=N_TRAIN, n_blocks=30, steady_limit_s=3.0, headline=True,
                      estimate_s=8.0, more_threads=(1, 2, 4, 8) if mode == "train" else (),
                      more_precisions=("mixed_bfloat16", "mixed_float16") if mode == "train" else (),
                      sweep="batch" if mode == "train" else "") for mode in ("train", "infer")),
            # All divide the 1,440 images, so that every batch size learns from the same ones.
            *(Variant(batch_size=batch_size, n_samples=N_TRAIN, n_blocks=15, steady_limit_s=2.0, estimate_s=10.0,
                      sweep="batch") for batch_size in (8, 16, 96, 240, 480)),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, 8, 8, 1), float32 from 0 to 1, and class numbers of shape (n_samples,), int32.

    The split never changes and ``seed`` has no part in it: a target reached on other images is another target.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    labels = digits.target.astype(np.int32)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    train, test = order[:N_TRAIN][: variant.n_samples], order[N_TRAIN:]
    return Data(images[train], labels[train], images[test], labels[test])


def build_model(variant: Variant) -> keras.Model:
    """Two convolutions, a hidden layer and a linear read-out. Input (batch, 8, 8, 1), output (batch, 10), logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),  # (batch, 8, 8, 32)
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),  # (batch, 8, 8, 64)
            keras.layers.MaxPooling2D(),  # (batch, 4, 4, 64)
            keras.layers.Flatten(),  # (batch, 1024)
            keras.layers.Dense(128, activation="relu"),  # (batch, 128)
            keras.layers.Dense(10),  # (batch, 10), logits
        ],
        name="cnn_digits",
    )


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at its default rate; cross-entropy of ten classes from logits; accuracy, which the target reads."""
    import keras

    return {
        "optimizer": keras.optimizers.Adam(),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }
