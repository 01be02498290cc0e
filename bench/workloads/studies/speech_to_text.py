"""Thirty seconds of sound written down by an encoder-decoder in the shape of Whisper, greedily. Pure: seeded weights.

The encoder reads the whole window at once, then the decoder writes token after token, each needing every weight of it.
Keys and values of earlier tokens stay in a cache of fixed size, so that no call has a new shape. Weights and sound are
random, and the number of tokens is fixed: only speed is asked.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Reading, Scalar, Series, Variant, Workload

VOCABULARY = 51_865
HEAD_SIZE = 64
N_BANDS = 80  # of the spectrum
WINDOW_S = 30.0  # Whisper's window; its spectrum has 100 frames a second, of which the encoder makes 50 places

# Eighty tokens are about what is said in half a minute.
TINY: dict[str, Scalar] = {"width": 64, "layers": 1, "frames": 60, "tokens": 4}
WHISPER_TINY: dict[str, Scalar] = {"width": 384, "layers": 4, "frames": 3_000, "tokens": 80}

SPEC = Workload(
    id="speech-to-text",
    title="Speech to text, Whisper's smallest size",
    summary="An encoder-decoder in the shape of Whisper's smallest, with random weights, writes down 30 s of sound.",
    kind="study",
    sample_noun="windows",
    data_source="a spectrum of 30 s and weights drawn by a seeded generator: only speed is asked",
    series=(Series(id="window", label="30 s of sound, read and written down"),),
    readings=(
        Reading(id="sound-per-s", label="seconds of sound written down in a second", unit="ratio"),
        Reading(id="weights", label="weights of the network", unit="count"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params=TINY, n_blocks=3, steady_limit_s=0.5,
                          headline=True, estimate_s=12.0),),
        "quick": (),
        "reference": (Variant(mode="study", batch_size=1, n_samples=1, params=WHISPER_TINY, n_blocks=5,
                              steady_limit_s=4.0, headline=True, estimate_s=20.0),),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time whole windows, by compiled calls."""
    import numpy as np

    keras, params = study.keras, study.variant.params
    encoder, decoder = build_encoder(keras, params), build_decoder(keras, params)
    frames = np.random.default_rng(study.seed).standard_normal((1, params["frames"], N_BANDS), dtype=np.float32)
    sound = keras.ops.convert_to_tensor(frames)
    encode, decode = compiled_call(study, encoder), compiled_call(study, decoder)

    def window() -> Any:
        return write(keras.ops, params, encode(sound), decode)[-1]

    study.time({"window": window})
    study.read("sound-per-s", WINDOW_S / study.median_s("window"))
    study.read("weights", encoder.count_params() + decoder.count_params())
    study.observe(decoder.weights[0].value, encode(sound)[0])


def write(ops: Any, params: Any, sound: list[Any], decode: Any) -> list[Any]:
    """Token after token, each the likeliest after the one before; ids of shape (1, 1), on the device.

    Args:
        sound: what the encoder made: keys and values of each layer of the decoder.
        decode: the compiled decoder.
    """
    shape = (1, int(params["tokens"]), int(params["width"]))
    caches = [ops.zeros(shape) for _ in range(2 * int(params["layers"]))]
    token, tokens = ops.zeros((1, 1), dtype="int32"), []
    for place in range(int(params["tokens"])):
        token, *caches = decode([token, ops.full((1, 1), place, dtype="int32"), *caches, *sound])
        tokens.append(token)
    return tokens


def build_encoder(keras: Any, params: Any) -> Any:
    """Input (batch, frames, 80); outputs keys and values of each decoder's layer, (batch, frames / 2, width) each."""
    width, n_frames = int(params["width"]), int(params["frames"])
    layers = keras.layers
    frames = keras.Input((n_frames, N_BANDS))
    x = layers.Conv1D(width, 3, padding="same", activation="gelu")(frames)
    x = layers.Conv1D(width, 3, strides=2, padding="same", activation="gelu")(x)  # (batch, frames / 2, width)
    x = x + _waves(n_frames // 2, width)
    for _ in range(int(params["layers"])):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(width // HEAD_SIZE, HEAD_SIZE)(y, y)
        x = x + _dense_part(layers, x, width)
    x = layers.LayerNormalization()(x)
    return keras.Model(frames, [layers.Dense(width)(x) for _ in range(2 * int(params["layers"]))], name="encoder")


def build_decoder(keras: Any, params: Any) -> Any:
    """One token further.

    Inputs: token and place, (batch, 1), whole numbers; keys and values of earlier tokens of each layer, (batch,
    tokens, width) each; keys and values of the sound, as the encoder gives them. Outputs: the likeliest next token,
    (batch, 1), and the caches with this token's keys and values.
    """
    import numpy as np

    width, n_tokens, n_layers = int(params["width"]), int(params["tokens"]), int(params["layers"])
    layers, ops = keras.layers, keras.ops
    token, place = (keras.Input((1,), dtype="int32") for _ in range(2))
    caches = [keras.Input((n_tokens, width)) for _ in range(2 * n_layers)]
    sound = [keras.Input((int(params["frames"]) // 2, width)) for _ in range(2 * n_layers)]
    places = np.arange(n_tokens, dtype=np.int32)
    is_here = ops.expand_dims(ops.equal(place, places), -1)  # (batch, tokens, 1)
    is_past = ops.expand_dims(ops.greater_equal(place, places), 1)  # (batch, 1, tokens)
    x = layers.Embedding(VOCABULARY, width)(token) + layers.Embedding(n_tokens, width)(place)  # (batch, 1, width)
    grown = []
    for number in range(n_layers):
        y = layers.LayerNormalization()(x)
        keys, values = (
            ops.where(is_here, layers.Dense(width)(y), cache) for cache in caches[2 * number : 2 * number + 2]
        )
        grown += [keys, values]
        x = x + _attend(keras, layers.Dense(width)(y), keys, values, is_past)
        y = layers.LayerNormalization()(x)
        x = x + _attend(keras, layers.Dense(width)(y), *sound[2 * number : 2 * number + 2])
        x = x + _dense_part(layers, x, width)
    logits = layers.Dense(VOCABULARY, use_bias=False)(layers.LayerNormalization()(x))  # (batch, 1, 51865)
    best = ops.argmax(logits, axis=-1)
    return keras.Model([token, place, *caches, *sound], [ops.cast(best, "int32"), *grown], name="decoder")


def _dense_part(layers: Any, x: Any, width: int) -> Any:
    y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Dense(width)(y)


def _attend(keras: Any, query: Any, keys: Any, values: Any, mask: Any = None) -> Any:
    """One query in several heads, and a dense layer: (batch, 1, width) to the same."""
    ops, width = keras.ops, query.shape[-1]

    def heads(x: Any) -> Any:  # (batch, heads, places, 64)
        return ops.transpose(ops.reshape(x, (-1, x.shape[1], width // HEAD_SIZE, HEAD_SIZE)), (0, 2, 1, 3))

    scores = ops.matmul(heads(query), ops.transpose(heads(keys), (0, 1, 3, 2))) / HEAD_SIZE**0.5
    if mask is not None:
        scores = ops.where(ops.expand_dims(mask, 1), scores, -1e9)
    seen = ops.transpose(ops.matmul(ops.softmax(scores), heads(values)), (0, 2, 1, 3))
    return keras.layers.Dense(width)(ops.reshape(seen, (-1, 1, width)))


def _waves(n_places: int, width: int) -> Any:
    """Sines and cosines that tell places apart, (places, width), float32."""
    import numpy as np

    rates = np.exp(-np.log(10_000) * np.arange(width // 2) / (width // 2 - 1))
    angles = np.arange(n_places)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def compiled_call(study: Any, model: Any) -> Any:
    """The forward pass in the backend's own idiom: a graph in TensorFlow, XLA in JAX, without gradients in PyTorch."""
    if study.cell.backend == "tensorflow":
        return study.framework.function(lambda inputs: model(inputs, training=False))
    if study.cell.backend == "jax":
        weights = [weight.value for weight in model.trainable_variables]
        forward = study.framework.jit(lambda values, inputs: model.stateless_call(values, [], inputs)[0])
        return lambda inputs: forward(weights, inputs)

    def without_gradients(inputs: Any) -> Any:
        with study.framework.inference_mode():
            return model(inputs, training=False)

    return without_gradients
