"""Dense net on tabular rows, over a grid of widths and batch sizes. Pure: seeded arrays, a model, no files.

The grid shows where a GPU starts to win: a narrow net on small batches is bound by the cost of starting each
operation, a wide one on large batches by arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant, Workload

if TYPE_CHECKING:
    import keras

N_FEATURES = 32
N_HIDDEN_LAYERS = 3

# The net of a first course, width 128 at Keras's default batch size, is the headline; the grid surrounds it.
SPEC = Workload(
    id="mlp-tabular",
    title="Dense net on tabular rows",
    summary="A dense net with three hidden layers learns a nonlinear yes-or-no rule from rows of 32 numbers.",
    sample_noun="rows",
    data_source="drawn by a seeded generator: 32 correlated features, a rule with interactions, 5 % of labels flipped",
    variants={
        "smoke": (Variant(batch_size=32, n_samples=512, params={"width": 16}, n_job_epochs=1, n_blocks=3,
                          steady_limit_s=0.5, headline=True, estimate_s=6.0),),
        "quick": (
            Variant(batch_size=32, n_samples=16_384, params={"width": 128}, n_job_epochs=3, n_blocks=10,
                    steady_limit_s=1.0, headline=True, estimate_s=8.0),
            *(Variant(batch_size=batch_size, n_samples=n_samples, params={"width": width}, n_blocks=10,
                      steady_limit_s=1.0, estimate_s=6.0)
              for width in (16, 1024) for batch_size, n_samples in ((32, 16_384), (2048, 262_144))),
        ),
        "reference": (
            Variant(batch_size=32, n_samples=16_384, params={"width": 128}, n_job_epochs=3, steady_limit_s=3.0,
                    headline=True, estimate_s=10.0, more_threads=(1, 2, 4, 8),
                    more_precisions=("mixed_bfloat16", "mixed_float16"), sweep="crossover"),
            Variant(mode="infer", batch_size=32, n_samples=16_384, params={"width": 128}, n_blocks=10,
                    steady_limit_s=2.0, estimate_s=8.0),
            # The last corner would take a CPU minutes and says nothing that its neighbours do not.
            *(
                Variant(batch_size=batch_size, n_samples=n_samples, params={"width": width}, n_blocks=10,
                        steady_limit_s=1.5, estimate_s=20.0 if width == 4096 and batch_size >= 2048 else 7.0,
                        devices=("gpu",) if (width, batch_size) == (4096, 8192) else (),
                        more_precisions=("tf32", "mixed_bfloat16") if (width, batch_size) == (4096, 8192) else (),
                        sweep="crossover")
                for width in (16, 64, 128, 256, 1024, 4096)
                for batch_size, n_samples in ((8, 16_384), (32, 16_384), (256, 65_536), (2048, 262_144),
                                              (8192, 262_144))
                if (width, batch_size) != (128, 32)
            ),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Rows of shape (n_samples, 32), float32, and labels 0 or 1 of shape (n_samples, 1), float32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((N_FEATURES, N_FEATURES), dtype=np.float32) / np.float32(N_FEATURES**0.5)
    x = rng.standard_normal((variant.n_samples, N_FEATURES), dtype=np.float32)
    x += x @ mixing
    score = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + np.where(x[:, 3] > 0.5, x[:, 4], -x[:, 5]) + 0.5 * x[:, 6]
    flipped = rng.random(variant.n_samples) < 0.05
    y = ((score > 0) ^ flipped).astype(np.float32)[:, None]
    return Data(x, y)


def build_model(variant: Variant) -> keras.Model:
    """Three hidden layers of one width and a linear read-out. Input (batch, 32), output (batch, 1), logits."""
    import keras

    width = int(variant.params["width"])
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(N_HIDDEN_LAYERS)]  # (batch, width) each
    return keras.Sequential(
        [
            keras.Input((N_FEATURES,)),
            *hidden,
            keras.layers.Dense(1),  # (batch, 1), logits
        ],
        name="mlp_tabular",
    )


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at its default rate; cross-entropy of two classes from logits."""
    import keras

    return {"optimizer": keras.optimizers.Adam(), "loss": keras.losses.BinaryCrossentropy(from_logits=True)}
