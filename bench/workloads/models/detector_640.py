"""One-stage detector with the layers of YOLOv8n on random 640 px images. Pure: seeded arrays and a model.

Its training step lacks what the makers' program does beside the network: each place is told its classes and box, so
that no search pairs places with objects, and images are not altered. Weights are random: pretrained ones would run at
the same speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant, Workload

if TYPE_CHECKING:
    import keras

N_CLASSES = 80  # of COCO
N_BINS = 16  # to each side of a box: how far it lies away, as a distribution
STRIDES = (8, 16, 32)  # pixels to a place, on three grids

QUICK = Variant(mode="infer", batch_size=1, n_samples=2, params={"image_px": 640}, n_blocks=5, steady_limit_s=2.0,
                headline=True, estimate_s=11.0)  # fmt: skip

SPEC = Workload(
    id="detector-640",
    title="Object detector of YOLOv8n's size, 640 px",
    summary="A detector with the layers of YOLOv8n and random weights looks at, or is trained on, 640 px images.",
    sample_noun="images",
    data_source="pixels, classes and boxes drawn by a seeded generator: only speed is asked",
    variants={
        "smoke": (Variant(batch_size=2, n_samples=4, params={"image_px": 64}, n_blocks=2, steady_limit_s=0.5,
                          headline=True, estimate_s=14.0),),
        "quick": (QUICK,),
        "reference": (
            QUICK,
            Variant(batch_size=2, n_samples=32, params={"image_px": 640}, n_blocks=5, steady_limit_s=3.0,
                    headline=True, estimate_s=20.0),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Images (n_samples, px, px, 3), float32 from 0 to 1, and what each place should say, (n_samples, places, 144).

    Of the latter, float32, 4 * 16 numbers are shares of the bins of a box's sides, which add up to 1 a side, and 80
    are 0 or 1 for the classes.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    px, n = int(variant.params["image_px"]), variant.n_samples
    n_places = sum((px // stride) ** 2 for stride in STRIDES)
    x = rng.random((n, px, px, 3), dtype=np.float32)
    sides = np.eye(N_BINS, dtype=np.float32)[rng.integers(0, N_BINS, (n, n_places, 4))]
    classes = rng.integers(0, N_CLASSES, (n, n_places, 1)) == np.arange(N_CLASSES)
    return Data(x, np.concatenate([sides.reshape(n, n_places, -1), classes.astype(np.float32)], axis=-1))


def build_model(variant: Variant) -> keras.Model:
    """YOLOv8n. Input (batch, px, px, 3), output (batch, places, 144): sides' bins and classes, logits."""
    import keras

    px = int(variant.params["image_px"])
    images = keras.Input((px, px, 3))
    x = _split(_convolution(_convolution(images, 16, strides=2), 32, strides=2), 32, 1)
    fine = _split(_convolution(x, 64, strides=2), 64, 2)  # (batch, px / 8, px / 8, 64)
    middle = _split(_convolution(fine, 128, strides=2), 128, 2)
    coarse = _pyramid(_split(_convolution(middle, 256, strides=2), 256, 1), 256)

    def up(x: Any) -> Any:
        return keras.layers.UpSampling2D()(x)

    def join(*parts: Any) -> Any:
        return keras.layers.Concatenate()(list(parts))

    middle = _split(join(up(coarse), middle), 128, 1, short_cut=False)
    fine = _split(join(up(middle), fine), 64, 1, short_cut=False)
    middle = _split(join(_convolution(fine, 64, strides=2), middle), 128, 1, short_cut=False)
    coarse = _split(join(_convolution(middle, 128, strides=2), coarse), 256, 1, short_cut=False)

    said = [join(_read_out(x, 64, 4 * N_BINS), _read_out(x, 80, N_CLASSES)) for x in (fine, middle, coarse)]
    places = [keras.layers.Reshape((-1, 4 * N_BINS + N_CLASSES))(x) for x in said]
    return keras.Model(images, keras.layers.Concatenate(axis=1)(places), name="detector_640")


def _convolution(x: Any, width: int, kernel: int = 3, strides: int = 1) -> Any:
    """Convolution, batch normalisation, SiLU."""
    import keras

    x = keras.layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False)(x)
    return keras.layers.Activation("silu")(keras.layers.BatchNormalization(momentum=0.97, epsilon=1e-3)(x))


def _split(x: Any, width: int, n: int, *, short_cut: bool = True) -> Any:
    """One half goes on as it is, the other through n pairs of convolutions; all that came of it is joined (C2f)."""
    import keras

    x = _convolution(x, width, 1)
    parts = [x[..., : width // 2], x[..., width // 2 :]]
    for _ in range(n):
        y = _convolution(_convolution(parts[-1], width // 2), width // 2)
        parts.append(keras.layers.Add()([parts[-1], y]) if short_cut else y)
    return _convolution(keras.layers.Concatenate()(parts), width, 1)


def _pyramid(x: Any, width: int) -> Any:
    """Largest values of ever wider surroundings beside each other (SPPF)."""
    import keras

    parts = [_convolution(x, width // 2, 1)]
    for _ in range(3):
        parts.append(keras.layers.MaxPooling2D(5, strides=1, padding="same")(parts[-1]))
    return _convolution(keras.layers.Concatenate()(parts), width, 1)


def _read_out(x: Any, width: int, n: int) -> Any:
    """n logits at each place, by two convolutions and a linear layer."""
    import keras

    return keras.layers.Conv2D(n, 1)(_convolution(_convolution(x, width), width))


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Stochastic gradient descent with momentum; cross-entropy of every number from logits."""
    import keras

    return {
        "optimizer": keras.optimizers.SGD(learning_rate=0.01, momentum=0.937, nesterov=True),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
    }
