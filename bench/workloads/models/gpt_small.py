"""Decoder-only transformer that writes English prose, one character after another. Pure: fixed windows and a model.

The smallest honest language model: the network of the large ones in miniature, trained from random weights until it
names a given share of the characters of topics that it never read. The data never change, because a job that stops
at a quality must be the same job everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Target, Variant, Workload

if TYPE_CHECKING:
    import keras

N_CHARACTERS = 128  # ASCII; fixed, so that the work is the same for every version of the text
N_TEST = 256  # held-out windows, a multiple of every batch size
# Two long topics whose sentences no other topic repeats, a tenth of the text.
HELD_OUT = ("debugger", "formatstrings")

SIZE = {"width": 128, "layers": 2, "heads": 4, "length": 64}
TINY = {"width": 32, "layers": 1, "heads": 2, "length": 32}

SPEC = Workload(
    id="gpt-small",
    title="Small GPT on characters",
    summary="A decoder-only transformer reads English prose until it names half of the characters of unseen topics.",
    sample_noun="windows",
    data_source="the help texts that ship with Python (pydoc_data.topics); two of the topics are held out",
    target=Target(metric="accuracy", at_least=0.5, max_epochs=12),
    variants={
        "smoke": (Variant(batch_size=16, n_samples=64, params=TINY, n_job_epochs=1, n_blocks=2, steady_limit_s=0.5,
                          headline=True, estimate_s=8.0),),
        "quick": (Variant(mode="infer", batch_size=32, n_samples=64, params=SIZE, n_blocks=5, steady_limit_s=0.5,
                          headline=True, estimate_s=7.0),),
        "reference": (
            Variant(batch_size=32, n_samples=6_400, params=SIZE, n_blocks=15, steady_limit_s=3.0, headline=True,
                    estimate_s=40.0),
            Variant(mode="infer", batch_size=32, n_samples=64, params=SIZE, n_blocks=15, steady_limit_s=2.0,
                    headline=True, estimate_s=9.0),
        ),
    },
)  # fmt: skip


def load_data(variant: Variant, seed: int) -> Data:
    """Windows of character codes, (n_samples, length), int32, and the codes one place further, of the same shape.

    Windows start at even distances over the text and overlap little; the 256 held-out ones come from topics of their
    own. ``seed`` has no part in it.
    """
    from pydoc_data.topics import topics

    import numpy as np

    length = int(variant.params["length"])

    def windows(names: list[str], n: int) -> tuple[Any, Any]:
        text = "\n".join(topics[name] for name in names)
        codes = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8).astype(np.int32)
        starts = np.linspace(0, len(codes) - length - 1, n).astype(int)
        found = codes[starts[:, None] + np.arange(length + 1)]
        return np.ascontiguousarray(found[:, :-1]), np.ascontiguousarray(found[:, 1:])

    names = sorted(topics)
    x, y = windows([name for name in names if name not in HELD_OUT], variant.n_samples)
    return Data(x, y, *windows([name for name in names if name in HELD_OUT], N_TEST))


def build_model(variant: Variant) -> keras.Model:
    """Pre-norm decoder with learned positions. Input (batch, length), output (batch, length, 128), logits."""
    import keras

    width, n_layers = int(variant.params["width"]), int(variant.params["layers"])
    n_heads, length = int(variant.params["heads"]), int(variant.params["length"])

    class Positions(keras.layers.Layer):
        """Adds a learned vector for each place in the window. Input and output (batch, length, width)."""

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.table = self.add_weight(shape=input_shape[1:], initializer="random_normal", name="table")

        def call(self, x: Any) -> Any:
            return x + self.table

    codes = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(N_CHARACTERS, width)(codes)  # (batch, length, width)
    x = Positions()(x)
    for _ in range(n_layers):
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.MultiHeadAttention(n_heads, width // n_heads)(y, y, use_causal_mask=True)
        x = keras.layers.Add()([x, y])
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(4 * width, activation="gelu")(y)  # (batch, length, 4 * width)
        y = keras.layers.Dense(width)(y)  # (batch, length, width)
        x = keras.layers.Add()([x, y])
    x = keras.layers.LayerNormalization()(x)
    logits = keras.layers.Dense(N_CHARACTERS)(x)  # (batch, length, 128)
    return keras.Model(codes, logits, name="gpt_small")


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at thrice its default rate, which two layers bear; cross-entropy from logits; accuracy over all places."""
    import keras

    return {
        "optimizer": keras.optimizers.Adam(learning_rate=3e-3),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }
