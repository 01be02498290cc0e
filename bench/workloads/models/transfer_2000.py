"""One epoch of transfer learning over 2,000 images, head alone or whole net. Pure: seeded arrays and a model.

The everyday job: a known image net, a few thousand pictures, a new read-out. The base keeps its random weights
and nothing is downloaded; pretrained weights would run at the same speed. Measured as a whole job, from the first
call of fit to the end of the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Names, Part, Variant, Workload

if TYPE_CHECKING:
    import keras

N_CLASSES = 10

SPEC = Workload(
    id="transfer-2000",
    title="Transfer learning on 2,000 images",
    summary="A new read-out on MobileNetV2, or the whole net with it, is tuned for one epoch on 2,000 colour images.",
    sample_noun="images",
    data_source="pixels and classes drawn by a seeded generator: only speed is asked, and it does not depend on them",
    variants={
        "smoke": (Variant(batch_size=2, n_samples=4, params={"tuned": "head", "image_px": 64}, n_job_epochs=1,
                          n_blocks=2, steady_limit_s=0.5, headline=True, estimate_s=7.0),),
        "quick": (Variant(batch_size=25, n_samples=100, params={"tuned": "head", "image_px": 224}, n_job_epochs=1,
                          n_blocks=3, steady_limit_s=0.5, headline=True, estimate_s=8.0),),
        "reference": (
            Variant(batch_size=25, n_samples=2_000, params={"tuned": "head", "image_px": 224}, n_job_epochs=1,
                    n_blocks=5, steady_limit_s=1.0, headline=True, estimate_s=20.0),
            Variant(batch_size=25, n_samples=2_000, params={"tuned": "all", "image_px": 224}, n_job_epochs=1,
                    n_blocks=5, steady_limit_s=1.0, estimate_s=85.0),
        ),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("all", "all layers trained", "tuned", "all"),))


def load_data(variant: Variant, seed: int) -> Data:
    """Images of shape (n_samples, px, px, 3), uint8, and class numbers of shape (n_samples,), int32.

    Bytes, as image files decode to: 2,000 images take 0.3 GB, a quarter of what float32 would.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    image_px = int(variant.params["image_px"])
    x = rng.integers(0, 256, (variant.n_samples, image_px, image_px, 3), dtype=np.uint8)
    y = rng.integers(0, N_CLASSES, variant.n_samples, dtype=np.int32)
    return Data(x, y)


def build_model(variant: Variant) -> keras.Model:
    """MobileNetV2 under a new read-out. Input (batch, px, px, 3), bytes; output (batch, 10), logits.

    ``tuned`` is "head" (the base is frozen, which also keeps its batch normalisation in inference mode) or "all"
    (every weight and every normalisation statistic is tuned).
    """
    import keras

    image_px = int(variant.params["image_px"])
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(image_px, image_px, 3))
    base.trainable = variant.params["tuned"] == "all"

    images = keras.Input((image_px, image_px, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)  # (batch, px, px, 3), from -1 to 1
    x = base(x)  # (batch, px / 32, px / 32, 1280)
    x = keras.layers.GlobalAveragePooling2D()(x)  # (batch, 1280)
    x = keras.layers.Dropout(0.2)(x)
    logits = keras.layers.Dense(N_CLASSES)(x)  # (batch, 10)
    return keras.Model(images, logits, name="transfer_2000")


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam, at a hundredth of its default rate when the whole net is tuned; cross-entropy from logits."""
    import keras

    learning_rate = 1e-3 if variant.params["tuned"] == "head" else 1e-5
    return {
        "optimizer": keras.optimizers.Adam(learning_rate=learning_rate),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
