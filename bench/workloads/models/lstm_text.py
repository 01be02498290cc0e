"""LSTM that predicts the next character of English prose, over units and length. Pure: seeded windows and a model.

A recurrent net walks the sequence one step after another, so a GPU helps only as far as each step is large
or the whole walk runs as one fused operation. The layer's settings are those that allow the fused path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Variant, Workload

if TYPE_CHECKING:
    import keras

N_CHARACTERS = 128  # ASCII; fixed, so that the work is the same for every version of the text
EMBEDDING_WIDTH = 64

SPEC = Workload(
    id="lstm-text",
    title="LSTM on characters",
    summary="An LSTM reads a window of English prose and learns to name the character that follows.",
    sample_noun="sequences",
    data_source="the help texts that ship with Python (pydoc_data.topics); windows start at seeded random places",
    variants={
        "smoke": (
            Variant(batch_size=16, n_samples=64, params={"units": 16, "length": 16}, n_blocks=2, steady_limit_s=0.5,
                    headline=True, estimate_s=6.0),
            Variant(mode="infer", batch_size=16, n_samples=64, params={"units": 16, "length": 16}, n_blocks=2,
                    steady_limit_s=0.5, estimate_s=6.0),
        ),
        "quick": (
            Variant(batch_size=64, n_samples=4_096, params={"units": 128, "length": 64}, n_blocks=10,
                    steady_limit_s=1.0, headline=True, estimate_s=7.0),
            Variant(mode="infer", batch_size=64, n_samples=4_096, params={"units": 128, "length": 64}, n_blocks=10,
                    steady_limit_s=1.0, estimate_s=8.0),
        ),
        "reference": (
            Variant(batch_size=64, n_samples=4_096, params={"units": 128, "length": 64}, steady_limit_s=3.0,
                    headline=True, estimate_s=10.0, more_threads=(1, 2, 4, 8), sweep="threads"),
            Variant(mode="infer", batch_size=64, n_samples=4_096, params={"units": 128, "length": 64},
                    steady_limit_s=3.0, estimate_s=10.0),
            Variant(batch_size=64, n_samples=4_096, params={"units": 32, "length": 64}, n_blocks=10,
                    steady_limit_s=1.5, estimate_s=7.0),
            Variant(batch_size=64, n_samples=4_096, params={"units": 512, "length": 64}, n_blocks=10,
                    steady_limit_s=1.5, estimate_s=9.0),
            Variant(batch_size=64, n_samples=4_096, params={"units": 128, "length": 256}, n_blocks=10,
                    steady_limit_s=1.5, estimate_s=9.0),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Windows of character codes, shape (n_samples, length), int32, and the code after each, shape (n_samples,)."""
    from pydoc_data.topics import topics

    import numpy as np

    text = "\n".join(topics[name] for name in sorted(topics))
    codes = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype(np.int32)
    length = int(variant.params["length"])
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(codes) - length, variant.n_samples)
    windows = codes[starts[:, None] + np.arange(length + 1)]
    return Data(np.ascontiguousarray(windows[:, :-1]), np.ascontiguousarray(windows[:, -1]))


def build_model(variant: Variant) -> keras.Model:
    """Embedding, one LSTM and a linear read-out. Input (batch, length), output (batch, 128), logits."""
    import keras

    return keras.Sequential(
        [
            keras.Input((int(variant.params["length"]),), dtype="int32"),
            keras.layers.Embedding(N_CHARACTERS, EMBEDDING_WIDTH),  # (batch, length, 64)
            # Fused kernels need tanh, sigmoid, a bias, no recurrent dropout, no unrolling, no mask: all defaults.
            keras.layers.LSTM(int(variant.params["units"])),  # (batch, units)
            keras.layers.Dense(N_CHARACTERS),  # (batch, 128), logits
        ],
        name="lstm_text",
    )


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at its default rate; cross-entropy of 128 characters from logits."""
    import keras

    return {"optimizer": keras.optimizers.Adam(), "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
