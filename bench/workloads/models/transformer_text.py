"""Transformer encoder that tells which help topic a passage comes from. Pure: seeded passages and a model.

Nearly all of its work is matrix products over whole sequences. The largest size has the depth and width of
BERT-base, trained from random weights: speed is asked, and pretrained weights would run at the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Names, Part, Variant, Workload

if TYPE_CHECKING:
    import keras

# Eight long topics that no other topic of the list repeats.
TOPICS = ("specialnames", "compound", "types", "formatstrings", "string-methods", "typesseq", "debugger", "assignment")
N_TOKENS = 8_192  # words are hashed into so many ids, so that the table has one size for every version of the text

COURSE_SIZE = {"width": 128, "layers": 2, "heads": 4, "length": 128}
BERT_BASE_SIZE = {"width": 768, "layers": 12, "heads": 12, "length": 128}

SPEC = Workload(
    id="transformer-text",
    title="Transformer encoder on words",
    summary="A transformer encoder reads a passage of English prose and learns to name the topic it was taken from.",
    sample_noun="passages",
    data_source="eight of the help texts that ship with Python (pydoc_data.topics); passages start at seeded places",
    variants={
        "smoke": (Variant(batch_size=4, n_samples=16, params={"width": 32, "layers": 1, "heads": 2, "length": 16},
                          n_blocks=2, steady_limit_s=0.5, headline=True, estimate_s=6.0),),
        "quick": (
            Variant(batch_size=32, n_samples=1_024, params=COURSE_SIZE, n_blocks=10, steady_limit_s=1.0,
                    headline=True, estimate_s=9.0),
            Variant(mode="infer", batch_size=32, n_samples=512, params=COURSE_SIZE, n_blocks=10, steady_limit_s=1.0,
                    estimate_s=8.0),
        ),
        "reference": (
            Variant(batch_size=32, n_samples=1_024, params=COURSE_SIZE, steady_limit_s=3.0, headline=True,
                    estimate_s=12.0, more_threads=(1, 2, 4, 8), more_precisions=("mixed_bfloat16", "mixed_float16"),
                    sweep="threads"),
            Variant(mode="infer", batch_size=32, n_samples=512, params=COURSE_SIZE, steady_limit_s=3.0,
                    estimate_s=11.0),
            Variant(batch_size=4, n_samples=32, params=BERT_BASE_SIZE, n_blocks=3, steady_limit_s=1.5,
                    estimate_s=25.0),
            Variant(mode="infer", batch_size=4, n_samples=32, params=BERT_BASE_SIZE, n_blocks=3, steady_limit_s=1.5,
                    estimate_s=25.0),
            Variant(batch_size=64, n_samples=640, params=BERT_BASE_SIZE, n_blocks=10, steady_limit_s=3.0,
                    estimate_s=40.0, devices=("gpu",), more_precisions=("tf32", "mixed_bfloat16"), sweep="batch"),
        ),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("large", "of BERT-base size", "width", 768),))


def load_data(variant: Variant, seed: int) -> Data:
    """Passages of word ids, shape (n_samples, length), int32, and topic numbers of shape (n_samples,), int32."""
    import re
    import zlib
    from pydoc_data.topics import topics

    import numpy as np

    length = int(variant.params["length"])
    rng = np.random.default_rng(seed)
    ids_by_topic = []
    for name in TOPICS:
        words = re.findall(r"[a-z_]+|[^\sa-z_]", topics[name].lower())
        # zlib.crc32 gives the same id in every process; Python's own hash of a string does not.
        ids_by_topic.append(np.array([zlib.crc32(word.encode()) % N_TOKENS for word in words], dtype=np.int32))
    y = rng.integers(0, len(TOPICS), variant.n_samples, dtype=np.int32)
    x = np.empty((variant.n_samples, length), dtype=np.int32)
    for row, topic in enumerate(y):
        start = rng.integers(0, len(ids_by_topic[topic]) - length + 1)
        x[row] = ids_by_topic[topic][start : start + length]
    return Data(x, y)


def build_model(variant: Variant) -> keras.Model:
    """Pre-norm encoder, mean over positions, linear read-out. Input (batch, length), output (batch, 8), logits."""
    import keras

    width, n_layers = int(variant.params["width"]), int(variant.params["layers"])
    n_heads, length = int(variant.params["heads"]), int(variant.params["length"])

    class Positions(keras.layers.Layer):
        """Adds a learned vector for each place in the sequence. Input and output (batch, length, width)."""

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.table = self.add_weight(shape=input_shape[1:], initializer="random_normal", name="table")

        def call(self, x: Any) -> Any:
            return x + self.table

    tokens = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(N_TOKENS, width)(tokens)  # (batch, length, width)
    x = Positions()(x)
    for _ in range(n_layers):
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.MultiHeadAttention(n_heads, width // n_heads)(y, y)  # (batch, length, width)
        x = keras.layers.Add()([x, y])
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(4 * width, activation="gelu")(y)  # (batch, length, 4 * width)
        y = keras.layers.Dense(width)(y)  # (batch, length, width)
        x = keras.layers.Add()([x, y])
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.GlobalAveragePooling1D()(x)  # (batch, width)
    logits = keras.layers.Dense(len(TOPICS))(x)  # (batch, 8)
    return keras.Model(tokens, logits, name="transformer_text")


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at the small rate that deep encoders need; cross-entropy of eight topics from logits."""
    import keras

    return {
        "optimizer": keras.optimizers.Adam(learning_rate=1e-4),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
