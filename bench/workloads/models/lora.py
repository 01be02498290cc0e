"""Fine-tuning step of a decoder, adapters alone or all weights. Pure: seeded token ids and a model.

The decoder has the depth, width and vocabulary of Pythia-70M, and no positions, which would add no product. Adapters
are Keras's own low-rank ones (``enable_lora``) on the queries and values of every attention layer, as KerasHub puts
them. Weights are random: pretrained ones would run at the same speed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.schema import Data, Names, Part, Scalar, Variant, Workload

if TYPE_CHECKING:
    import keras

VOCABULARY = 50_304
HEAD_SIZE = 64
RANK = 8

TINY: dict[str, Scalar] = {"width": 64, "layers": 2, "length": 16}
PYTHIA_70M: dict[str, Scalar] = {"width": 512, "layers": 6, "length": 128}

# Two texts a step: an update of all weights then takes little of the step, as it does in practice.
QUICK = Variant(batch_size=2, n_samples=32, params=PYTHIA_70M | {"tuned": "adapters"}, n_blocks=5,
                steady_limit_s=3.0, headline=True, estimate_s=16.0)  # fmt: skip

SPEC = Workload(
    id="lora",
    title="LoRA on a decoder of Pythia-70M's size",
    summary="Low-rank adapters of a decoder with random weights, or all its weights, are trained on random tokens.",
    sample_noun="texts",
    data_source="token ids drawn by a seeded generator: only speed is asked, and it does not depend on them",
    variants={
        "smoke": tuple(Variant(batch_size=2, n_samples=4, params=TINY | {"tuned": tuned}, n_blocks=2,
                               steady_limit_s=0.5, headline=tuned == "adapters", estimate_s=8.0)
                       for tuned in ("adapters", "all")),
        "quick": (QUICK,),
        "reference": (
            QUICK,
            Variant(batch_size=2, n_samples=32, params=PYTHIA_70M | {"tuned": "all"}, n_blocks=5, steady_limit_s=3.0,
                    estimate_s=19.0),
        ),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("all", "all weights trained", "tuned", "all"),))


def load_data(variant: Variant, seed: int) -> Data:
    """Token ids of shape (n_samples, length), int32, and the ids one place further, of the same shape."""
    import numpy as np

    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, VOCABULARY, (variant.n_samples, int(variant.params["length"]) + 1), dtype=np.int32)
    return Data(tokens[:, :-1].copy(), tokens[:, 1:].copy())


def build_model(variant: Variant) -> keras.Model:
    """Pre-norm decoder. Input (batch, length), output (batch, length, 50304), logits.

    ``tuned`` is "adapters" (all else is frozen) or "all" (there are no adapters).
    """
    import keras

    width, length = int(variant.params["width"]), int(variant.params["length"])
    tokens = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, width)(tokens)  # (batch, length, width)
    attentions = []
    for _ in range(int(variant.params["layers"])):
        y = keras.layers.LayerNormalization()(x)
        attentions.append(keras.layers.MultiHeadAttention(width // HEAD_SIZE, HEAD_SIZE))
        x = keras.layers.Add()([x, attentions[-1](y, y, use_causal_mask=True)])
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(4 * width, activation="gelu")(y)  # (batch, length, 4 * width)
        x = keras.layers.Add()([x, keras.layers.Dense(width)(y)])
    x = keras.layers.LayerNormalization()(x)
    logits = keras.layers.Dense(VOCABULARY, use_bias=False)(x)  # (batch, length, 50304)
    model = keras.Model(tokens, logits, name="lora")
    if variant.params["tuned"] == "adapters":
        for attention in attentions:
            attention.query_dense.enable_lora(RANK)
            attention.value_dense.enable_lora(RANK)
        for weight in model.weights:
            weight.trainable = "lora" in weight.name
    return model


def compile_arguments(variant: Variant) -> dict[str, Any]:
    """Adam at the rate usual for what is tuned; cross-entropy of the next token from logits."""
    import keras

    return {
        "optimizer": keras.optimizers.Adam(learning_rate=2e-4 if variant.params["tuned"] == "adapters" else 2e-5),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
