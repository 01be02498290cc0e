"""Workloads in the shape of known models, against the published sizes of these models and against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from bench.schema import BACKENDS
from bench.workloads import registry
from tests import frameworks

# Weights of the models, as their makers' checkpoints hold them.
PYTHIA_70M = 70_426_624
UNET_OF_STABLE_DIFFUSION_1_5 = 859_520_964
YOLOV8N = 3_157_184
WHISPER_TINY = 37_184_640  # without the encoder's fixed sines and cosines


@pytest.mark.keras
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_adapters_learn_and_they_begin_as_nothing(backend: str):
    code = """
import json
import keras
import numpy as np
from bench.workloads import registry

module = registry.module("lora")
adapters, whole = module.SPEC.variants["smoke"]
data = module.load_data(adapters, 0)
models = []
for variant in (adapters, whole):
    keras.utils.set_random_seed(0)
    models.append(module.build_model(variant))
tuned = models[0]
tuned.compile(**module.compile_arguments(adapters))
first, plain = (model.predict_on_batch(data.x) for model in models)
before = [keras.ops.convert_to_numpy(w) for w in tuned.weights]
tuned.train_on_batch(data.x, data.y)
changed = [w.name for w, old in zip(tuned.weights, before) if (keras.ops.convert_to_numpy(w) != old).any()]
print(json.dumps({
    "differs": float(np.abs(first - plain).max()),
    "learn": sorted({w.name for w in tuned.trainable_weights}),
    "changed": sorted(set(changed)),
    "n_changed": len(changed),
    "all learn": len(models[1].trainable_weights) == len(models[1].weights),
    "weights": models[1].count_params(),
}))
"""

    found = frameworks.last_line(code, backend=backend)

    tiny = registry.module("lora").TINY
    assert found["differs"] < 1e-5
    assert ["lora_kernel_a", "lora_kernel_b"] == found["learn"]
    # of a product with a zero matrix only the zero matrix has a gradient at first
    assert (["lora_kernel_b"], 2 * tiny["layers"]) == (found["changed"], found["n_changed"])
    assert found["all learn"]
    assert n_of_decoder(tiny["width"], tiny["layers"]) == found["weights"]


def n_of_decoder(width: int, n_layers: int) -> int:
    """Weights of a decoder: table and read-out; four products for attention and eight for the rest, biases, norms."""
    return 2 * registry.module("lora").VOCABULARY * width + n_layers * (12 * width**2 + 13 * width) + 2 * width


def test_the_decoder_is_as_large_as_pythia():
    size = registry.module("lora").PYTHIA_70M

    assert PYTHIA_70M == n_of_decoder(size["width"], size["layers"])


@pytest.mark.keras
def test_the_unet_at_stable_diffusions_width_would_be_as_large():
    """Weights are a quadratic function of the width, which three widths determine."""
    code = """
import json
from bench.schema import Variant
from bench.workloads import registry

build = registry.module("diffusion-unet").build_model
sizes = [Variant(batch_size=1, n_samples=1, params={"width": w, "levels": 4, "latent_px": 8}) for w in (32, 64, 96)]
print(json.dumps([build(size).count_params() for size in sizes]))
"""

    first, second, third = frameworks.last_line(code)

    n_more = (320 - 32) // 32
    at_320 = first + n_more * (second - first) + n_more * (n_more - 1) // 2 * (third - 2 * second + first)
    # Keras gives queries, keys and values of each attention a bias; of each width there are so many pairs of them.
    biases = 2 * 3 * (5 * 320 + 5 * 640 + 6 * 1280)
    assert UNET_OF_STABLE_DIFFUSION_1_5 + biases == at_320


@pytest.mark.keras
def test_the_unet_hears_of_prompt_and_step():
    code = """
import json
import numpy as np
from bench.workloads import registry

module = registry.module("diffusion-unet")
variant = module.SPEC.variants["smoke"][0]
model, row = module.build_model(variant), module.load_data(variant, 0).x[:1]
other_text, other_step = row.copy(), row.copy()
other_text[:, -2] += 10.0
other_step[:, -1] = (row[:, -1] + 500) % 1000
said = [model.predict_on_batch(x) for x in (row, other_text, other_step)]
print(json.dumps([float(np.abs(said[0] - x).max()) for x in said]))
"""

    same, other_text, other_step = frameworks.last_line(code)

    assert 0 == same
    assert min(other_text, other_step) > 1e-4


@pytest.mark.keras
def test_the_detector_has_the_weights_and_places_of_yolov8n():
    code = """
import json
import keras
from bench.workloads import registry

module = registry.module("detector-640")
(variant,) = module.SPEC.variants["quick"]
model = module.build_model(variant)
print(json.dumps([sum(int(keras.ops.size(w)) for w in model.trainable_weights), list(model.output_shape),
                  list(module.load_data(variant, 0).y.shape)]))
"""

    n_weights, shape, said = frameworks.last_line(code)

    assert YOLOV8N == n_weights
    assert [None, 80 * 80 + 40 * 40 + 20 * 20, 144] == shape
    assert shape[1:] == said[1:]


def test_each_side_of_a_box_is_told_in_one_bin_and_each_place_one_class():
    module = registry.module("detector-640")

    said = module.load_data(module.SPEC.variants["smoke"][0], 0).y

    assert np.array_equal(said[..., :64].reshape(*said.shape[:2], 4, 16).sum(-1), np.ones((*said.shape[:2], 4)))
    assert np.array_equal(said[..., 64:].sum(-1), np.ones(said.shape[:2]))


@pytest.mark.keras
def test_encoder_and_decoder_have_the_weights_of_whisper_tiny():
    code = """
import json
import keras
from bench.workloads import registry

module = registry.module("speech-to-text")
size = module.WHISPER_TINY
print(json.dumps(module.build_encoder(keras, size).count_params() + module.build_decoder(keras, size).count_params()))
"""
    module = registry.module("speech-to-text")
    width, layers = module.WHISPER_TINY["width"], module.WHISPER_TINY["layers"]
    # Ours: a read-out apart from the table, fewer places for tokens, biases of the keys of twelve attentions.
    differs = module.VOCABULARY * width - (448 - module.WHISPER_TINY["tokens"]) * width + 3 * layers * width

    assert WHISPER_TINY + differs == frameworks.last_line(code)


@pytest.mark.keras
@pytest.mark.parametrize("backend", BACKENDS)
def test_tokens_written_down_with_a_cache_are_those_of_whole_sequences(backend: str):
    """The compiled, cached decoder of a backend against plain attention over the whole sequence, in NumPy."""
    code = """
import importlib, os
from types import SimpleNamespace
import keras
import numpy as np
from bench.workloads import registry

module = registry.module("speech-to-text")
backend = os.environ["KERAS_BACKEND"]
size = {"width": 128, "layers": 2, "frames": 20, "tokens": 6}
study = SimpleNamespace(keras=keras, framework=importlib.import_module(backend), cell=SimpleNamespace(backend=backend))
keras.utils.set_random_seed(0)
encoder, decoder = module.build_encoder(keras, size), module.build_decoder(keras, size)
rng, host = np.random.default_rng(0), keras.ops.convert_to_numpy
for weight in decoder.weights:  # biases too, so that each must be used
    weight.assign(rng.normal(0, 0.3, weight.shape))
sound = module.compiled_call(study, encoder)(keras.ops.convert_to_tensor(rng.normal(size=(1, 20, 80)), "float32"))
tokens = [int(host(t)[0, 0]) for t in module.write(keras.ops, size, sound, module.compiled_call(study, decoder))]

def made(kind):  # in the order of making, which their numbers tell
    layers = [layer for layer in decoder.layers if type(layer).__name__ == kind]
    return sorted(layers, key=lambda layer: int(layer.name.rpartition("_")[2]) if layer.name[-1].isdigit() else -1)

weights = lambda layer: [host(w) for w in layer.weights]
dense, norms, tables = (iter(made(kind)) for kind in ("Dense", "LayerNormalization", "Embedding"))

def norm(x, layer):
    gain, shift = weights(layer)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * gain + shift

def through(x, layer):
    return x @ weights(layer)[0] + (weights(layer)[1] if len(layer.weights) > 1 else 0)

def attend(query, keys, values, is_causal, out):
    parts = []
    for at in (slice(0, 64), slice(64, 128)):
        scores = query[:, at] @ keys[:, at].T / 8
        scores = np.where(np.tril(np.ones(scores.shape)) > 0, scores, -np.inf) if is_causal else scores
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        parts.append(shares / shares.sum(-1, keepdims=True) @ values[:, at])
    return through(np.concatenate(parts, axis=1), out)

read = [0, *tokens[:-1]]
x = weights(next(tables))[0][read] + weights(next(tables))[0]
sound = [host(part)[0] for part in sound]
for number in range(2):
    y = norm(x, next(norms))
    keys, values, query = (through(y, next(dense)) for _ in range(3))
    x = x + attend(query, keys, values, True, next(dense))
    query = through(norm(x, next(norms)), next(dense))
    x = x + attend(query, *sound[2 * number : 2 * number + 2], False, next(dense))
    up, down = next(dense), next(dense)
    y = host(keras.activations.gelu(keras.ops.convert_to_tensor(through(norm(x, next(norms)), up))))
    x = x + through(y, down)
logits = through(norm(x, next(norms)), next(dense))
print(*tokens)
print(*logits.argmax(-1))
"""

    written, expected = frameworks.run(code, backend=backend).splitlines()[-2:]

    assert expected == written
