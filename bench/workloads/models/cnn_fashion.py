"""Small convnet on Fashion-MNIST, trained to 90 % on the test images. Pure: downloaded arrays and a model.

The exercise of many a first course, at its usual size: 60,000 small pictures of clothes. Keras downloads them once;
where that cannot be done, the run is skipped and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, DataUnavailableError, Target, Variant, Workload

if TYPE_CHECKING:
    import keras

SOCKET_LIMIT_S = 10.0  # silence after which a download is given up

SPEC = Workload(
    id="cnn-fashion",
    title="Convnet on Fashion-MNIST",
    summary="A small convolutional net learns to name pieces of clothing until it is right on 90 % of the test images.",
    sample_noun="images",
    data_source="Fashion-MNIST through keras.datasets, downloaded on first use; skipped where that fails",
    target=Target(metric="accuracy", at_least=0.9, max_epochs=15),
    variants={
        "smoke": (Variant(batch_size=32, n_samples=512, n_job_epochs=1, n_blocks=2, steady_limit_s=0.5,
                          headline=True, estimate_s=9.0),),
        "quick": (Variant(mode="infer", batch_size=32, n_samples=1_024, n_blocks=5, steady_limit_s=0.5,
                          headline=True, estimate_s=7.0),),
        "reference": (
            Variant(batch_size=32, n_samples=60_000, n_blocks=15, steady_limit_s=3.0, headline=True,
                    estimate_s=120.0, sweep="batch"),
            Variant(mode="infer", batch_size=32, n_samples=1_024, n_blocks=15, steady_limit_s=2.0, headline=True,
                    estimate_s=9.0),
            # 250 divides the 60,000 images, so that every step has one shape.
            Variant(batch_size=250, n_samples=60_000, n_blocks=15, steady_limit_s=3.0, estimate_s=120.0,
                    sweep="batch"),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, 28, 28, 1), float32 from 0 to 1, and class numbers of shape (n_samples,), int32.

    The first n_samples training images, and all 10,000 test images; ``seed`` has no part in it.

    Raises:
        DataUnavailableError: the images are not in Keras's cache and cannot be downloaded.
    """
    import socket

    import keras
    import numpy as np

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_LIMIT_S)
    try:
        (x, y), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails
        msg = (
            "Fashion-MNIST is not in the cache of Keras and could not be downloaded; connect to the network and run "
            "keras.datasets.fashion_mnist.load_data() once"
        )
        raise DataUnavailableError(msg) from error
    finally:
        socket.setdefaulttimeout(before)

    def images(pixels: Any) -> Any:
        return (pixels[..., None] / 255).astype(np.float32)

    n = variant.n_samples
    return Data(images(x[:n]), y[:n].astype(np.int32), images(x_test), y_test.astype(np.int32))


def build_model(variant: Variant) -> keras.Model:
    """Two convolutions, a hidden layer and a linear read-out. Input (batch, 28, 28, 1), output (batch, 10), logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),  # (batch, 28, 28, 32)
            keras.layers.MaxPooling2D(),  # (batch, 14, 14, 32)
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),  # (batch, 14, 14, 64)
            keras.layers.MaxPooling2D(),  # (batch, 7, 7, 64)
            keras.layers.Flatten(),  # (batch, 3136)
            keras.layers.Dense(128, activation="relu"),  # (batch, 128)
            keras.layers.Dense(10),  # (batch, 10), logits
        ],
        name="cnn_fashion",
    )


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at its default rate; cross-entropy of ten classes from logits; accuracy, which the target reads."""
    import keras

    return {
        "optimizer": keras.optimizers.Adam(),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }
