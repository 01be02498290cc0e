"""Recommender's net: look-ups in one large table, a small dense net on top. Pure: seeded ids and a model.

A look-up moves memory and computes nothing, and a table of a million rows is larger than most networks. What a
training step costs then depends on whether the optimizer touches the rows that were looked up or all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant, Workload

if TYPE_CHECKING:
    import keras

N_FIELDS = 8  # ids in a sample: user, item, shop, ...
WIDTH = 16  # numbers to an id
SKEW = 1.1  # exponent of the ids' frequencies: few are looked up often, most hardly ever

SPEC = Workload(
    id="embedding",
    title="Embedding table with a small net",
    summary="Eight ids a sample are looked up in a large table, and a small dense net says yes or no from the rows.",
    sample_noun="samples",
    data_source="ids drawn by a seeded generator, few often and most rarely; a label from a hidden score of each",
    variants={
        "smoke": (Variant(batch_size=64, n_samples=256, params={"rows": 1_000, "optimizer": "adam"}, n_blocks=2,
                          steady_limit_s=0.5, headline=True, estimate_s=7.0),),
        "quick": (Variant(batch_size=1024, n_samples=65_536, params={"rows": 100_000, "optimizer": "adam"},
                          n_blocks=5, steady_limit_s=0.5, headline=True, estimate_s=7.0),),
        "reference": (
            *(Variant(mode=mode, batch_size=1024, n_samples=65_536, params={"rows": rows, "optimizer": "adam"},
                      n_blocks=15, steady_limit_s=2.0, headline=rows == 100_000, estimate_s=12.0)
              for rows in (10_000, 100_000, 1_000_000) for mode in ("train", "infer")),
            # Adam keeps two more tables: 2 GB for ten million rows, and as much again while a step computes.
            Variant(batch_size=1024, n_samples=65_536, params={"rows": 10_000_000, "optimizer": "adam"}, n_blocks=5,
                    steady_limit_s=4.0, estimate_s=20.0),
            *(Variant(batch_size=1024, n_samples=65_536, params={"rows": rows, "optimizer": "sgd"}, n_blocks=10,
                      steady_limit_s=2.0, estimate_s=12.0) for rows in (100_000, 1_000_000, 10_000_000)),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Ids of shape (n_samples, 8), int32, and labels 0 or 1 of shape (n_samples, 1), float32."""
    import numpy as np

    rng = np.random.default_rng(seed)
    n_rows = int(variant.params["rows"])
    # The inverse of the distribution function of a power law between 1 and n_rows, which needs no table of its own.
    share = rng.random((variant.n_samples, N_FIELDS))
    top = float(n_rows + 1) ** (1 - SKEW)
    rank = (1 + share * (top - 1)) ** (1 / (1 - SKEW))
    # Ranks are scattered over the table, as ids are: a prime factor keeps different ranks on different rows.
    ids = (rank.astype(np.int64) * 1_000_003 % n_rows).astype(np.int32)
    score = np.sin(ids.astype(np.float64) * 12.9898).sum(axis=1)
    return Data(ids, (score > np.median(score)).astype(np.float32)[:, None])


def build_model(variant: Variant) -> keras.Model:
    """One table, two hidden layers, a linear read-out. Input (batch, 8), output (batch, 1), logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((N_FIELDS,), dtype="int32"),
            keras.layers.Embedding(int(variant.params["rows"]), WIDTH),  # (batch, 8, 16)
            keras.layers.Flatten(),  # (batch, 128)
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),  # (batch, 1), logits
        ],
        name="embedding",
    )


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam or plain gradient descent at their default rates; cross-entropy of two classes from logits."""
    import keras

    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    return {
        "optimizer": optimizers[str(variant.params["optimizer"])](),
        "loss": keras.losses.BinaryCrossentropy(from_logits=True),
    }
