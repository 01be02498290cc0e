"""A diffusion model's U-Net: a denoising step, and a step of its training. Pure: seeded arrays and a model.

Blocks, levels and text attention are those of Stable Diffusion 1.5, whose width is 320; here it is 64, so that a
training step takes a second or two. A picture takes one step for each of its denoising steps, twice that with guidance.
Weights are random: pretrained ones would run at the same speed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench.schema import Backend, Data, Scalar, Variant, Workload

if TYPE_CHECKING:
    import keras

N_PLANES = 4  # of a latent
TEXT = (77, 768)  # places and numbers of an encoded prompt
N_HEADS = 8
N_GROUPS = 32  # of the normalisation: widths are its multiples
WIDTHS = (1, 2, 4, 4)  # of the levels, in widths of the first; each level but the last is halved to the next
N_STEPS = 1_000  # of the noise's schedule

PREDICT: dict[str, Scalar] = {"width": 64, "levels": 4, "latent_px": 64}  # of a picture of 512 px
# Stable Diffusion's training began with pictures of 256 px. At 64 each of five layers would keep half a gigabyte of
# attention for the way back, more than once.
TRAIN: dict[str, Scalar] = {"width": 64, "levels": 4, "latent_px": 32}
# Where a step of training is compiled, seven hundred weights and their averages take minutes before the first one.
EAGER: tuple[Backend, ...] = ("torch",)
TINY: dict[str, Scalar] = {"width": 32, "levels": 2, "latent_px": 8}

QUICK = Variant(mode="infer", batch_size=1, n_samples=1, params=PREDICT, n_blocks=5, steady_limit_s=2.0, headline=True,
                estimate_s=26.0)  # fmt: skip

SPEC = Workload(
    id="diffusion-unet",
    title="U-Net of a diffusion model, 64 px latents",
    summary="A U-Net in the shape of Stable Diffusion's, at a fifth of its width, takes noise out of a latent.",
    sample_noun="latents",
    data_source="noise, prompts and step numbers drawn by a seeded generator: only speed is asked",
    variants={
        "smoke": (
            Variant(mode="infer", batch_size=1, n_samples=1, params=TINY, n_blocks=2, steady_limit_s=0.5, headline=True,
                    estimate_s=12.0),
            Variant(batch_size=1, n_samples=2, params=TINY, n_blocks=2, steady_limit_s=0.5, estimate_s=10.0,
                    backends=EAGER),
        ),
        "quick": (QUICK,),
        "reference": (
            QUICK,
            Variant(batch_size=2, n_samples=32, params=TRAIN, n_blocks=5, steady_limit_s=3.0, headline=True,
                    estimate_s=17.0, backends=EAGER),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Rows of latent, prompt and step number, and the noise in the latents, (n_samples, px, px, 4), all float32.

    A row has px * px * 4 + 77 * 768 + 1 numbers. One array holds all inputs: batches are cut as of other networks.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    px, n = int(variant.params["latent_px"]), variant.n_samples
    inputs = rng.standard_normal((n, px * px * N_PLANES + math.prod(TEXT) + 1), dtype=np.float32)
    inputs[:, -1] = rng.integers(0, N_STEPS, n)
    return Data(inputs, rng.standard_normal((n, px, px, N_PLANES), dtype=np.float32))


def build_model(variant: Variant) -> keras.Model:
    """U-Net with attention to a prompt. Input as of ``load_data``, output (batch, px, px, 4), the noise."""
    import keras

    width, px = int(variant.params["width"]), int(variant.params["latent_px"])
    widths = [times * width for times in WIDTHS[: int(variant.params["levels"])]]
    row = keras.Input((px * px * N_PLANES + math.prod(TEXT) + 1,))
    latent = keras.layers.Reshape((px, px, N_PLANES))(row[:, : px * px * N_PLANES])
    text = keras.layers.Reshape(TEXT)(row[:, px * px * N_PLANES : -1])
    step = _step_vector(row[:, -1:], width)

    x = _convolution(latent, width)
    kept = [x]
    for level, wide in enumerate(widths, start=1):
        for _ in range(2):
            x = _residual(x, step, wide)
            x = _attend(x, text) if level < len(widths) else x
            kept.append(x)
        if level < len(widths):
            x = _convolution(x, wide, strides=2)
            kept.append(x)
    x = _residual(x, step, wide)
    x = _residual(_attend(x, text), step, wide)
    for level, wide in reversed(list(enumerate(widths, start=1))):
        for _ in range(3):
            x = _residual(keras.layers.Concatenate()([x, kept.pop()]), step, wide)
            x = _attend(x, text) if level < len(widths) else x
        if level > 1:
            x = _convolution(keras.layers.UpSampling2D()(x), wide)
    return keras.Model(row, _convolution(_normal(x), N_PLANES), name="diffusion_unet")


def _step_vector(step: Any, width: int) -> Any:
    """Sines and cosines of a step's number through two dense layers: (batch, 1) to (batch, 4 * width)."""
    import keras
    import numpy as np

    rates = np.exp(-math.log(10_000) * np.arange(width // 2, dtype=np.float32) / (width // 2))
    x = keras.layers.Concatenate()([keras.ops.cos(step * rates), keras.ops.sin(step * rates)])
    x = keras.layers.Dense(4 * width, activation="silu")(x)
    return keras.layers.Dense(4 * width, activation="silu")(x)


def _convolution(x: Any, width: int, **options: Any) -> Any:
    """Three by three, as large as its input where no stride is given."""
    import keras

    return keras.layers.Conv2D(width, 3, padding="same", **options)(x)


def _normal(x: Any) -> Any:
    """Normalised in groups, then SiLU."""
    import keras

    return keras.layers.Activation("silu")(keras.layers.GroupNormalization(N_GROUPS)(x))


def _residual(x: Any, step: Any, width: int) -> Any:
    """Two convolutions beside a short cut, told of the step in between."""
    import keras

    y = _convolution(_normal(x), width)
    y = keras.layers.Add()([y, keras.layers.Reshape((1, 1, width))(keras.layers.Dense(width)(step))])
    y = _convolution(_normal(y), width)
    return keras.layers.Add()([y, x if x.shape[-1] == width else keras.layers.Conv2D(width, 1)(x)])


def _attend(x: Any, text: Any) -> Any:
    """A transformer block over all places: attention among them, attention to the prompt, a gated dense part."""
    import keras

    px, width = x.shape[1], x.shape[-1]
    y = keras.layers.Conv2D(width, 1)(keras.layers.GroupNormalization(N_GROUPS)(x))
    y = keras.layers.Reshape((px * px, width))(y)
    for other in (None, text):
        z = keras.layers.LayerNormalization()(y)
        z = keras.layers.MultiHeadAttention(N_HEADS, width // N_HEADS)(z, z if other is None else other)
        y = keras.layers.Add()([y, z])
    z = keras.layers.LayerNormalization()(y)
    gate = keras.layers.Dense(4 * width, activation="gelu")(z)
    z = keras.layers.Multiply()([keras.layers.Dense(4 * width)(z), gate])
    y = keras.layers.Add()([y, keras.layers.Dense(width)(z)])
    y = keras.layers.Conv2D(width, 1)(keras.layers.Reshape((px, px, width))(y))
    return keras.layers.Add()([x, y])


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """AdamW at the rate Stable Diffusion was trained at; mean squared error of the noise."""
    import keras

    return {"optimizer": keras.optimizers.AdamW(learning_rate=1e-4), "loss": keras.losses.MeanSquaredError()}
