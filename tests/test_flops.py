"""Counted operations against layers counted by hand, and the stored counts against the networks of today."""

from __future__ import annotations

import pytest

from bench.records import operations
from bench.workloads import registry
from tests import frameworks


@pytest.mark.keras
def test_layers_counted_by_hand():
    code = """
import json
import keras
from keras import layers as L
from bench.records import operations
from bench.workloads import count_flops as flops

def of(shape, *layers):
    return flops.count(keras.Sequential([keras.Input(shape), *layers]))[0]

tokens = keras.Input((10, 16))
attended = L.MultiHeadAttention(4, 8)(tokens, tokens)
frozen = keras.Sequential([keras.Input((4,)), L.Dense(8, trainable=False), L.Dense(2)])
print(json.dumps({
    "dense": of((3,), L.Dense(5)),
    "dense over places": of((7, 3), L.Dense(5)),
    "convolution": of((8, 8, 3), L.Conv2D(16, 3, padding="same")),
    "grouped": of((8, 8, 4), L.Conv2D(8, 3, padding="same", groups=2)),
    "depthwise": of((8, 8, 4), L.DepthwiseConv2D(3, padding="same")),
    "separable": of((8, 8, 4), L.SeparableConv2D(6, 3, padding="same")),
    "lstm": of((10, 3), L.LSTM(5)),
    "attention": flops.count(keras.Model(tokens, attended))[0],
    "two dense, training": flops.count(keras.Sequential([keras.Input((3,)), L.Dense(5), L.Dense(2)]))[1],
    "frozen first, training": flops.count(frozen)[1],
}))
"""

    counted = frameworks.last_line(code)

    assert {
        "dense": 2 * 3 * 5,
        "dense over places": 2 * 3 * 5 * 7,
        "convolution": 2 * 3 * 3 * 3 * 16 * 64,
        "grouped": 2 * 3 * 3 * 2 * 8 * 64,
        "depthwise": 2 * 3 * 3 * 4 * 64,
        "separable": 2 * (3 * 3 * 4 + 4 * 6) * 64,
        "lstm": 2 * (3 + 5) * 4 * 5 * 10,
        "attention": 4 * 2 * 16 * 32 * 10 + 2 * 2 * 4 * 10 * 10 * 8,
        # forward, gradient of the weights; gradient of the input for the second layer only
        "two dense, training": 2 * (3 * 5) * 2 + 2 * (5 * 2) * 3,
        # the frozen layer is passed forward only, and nothing before the second layer learns
        "frozen first, training": 2 * (4 * 8) * 1 + 2 * (8 * 2) * 2,
    } == counted


@pytest.mark.keras
def test_least_bytes_counted_by_hand():
    code = """
import json
import keras
from keras import layers as L
from bench.records import operations
from bench.workloads import count_flops as flops

def of(optimizer, shape, *layers, dtype="float32"):
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *layers])
    return [number for moved in flops.least_bytes(model, flops.n_slots(optimizer)) for number in moved]

sgd, adam = keras.optimizers.SGD, keras.optimizers.Adam
words = L.Embedding(100, 4), L.Flatten(), L.Dense(1)
tokens = keras.Input((10, 16))
attended = keras.Model(tokens, L.MultiHeadAttention(4, 8)(tokens, tokens))
print(json.dumps({
    "two dense": of(adam(), (3,), L.Dense(5), L.Activation("relu"), L.Dense(2)),
    "convolution": of(sgd(), (8, 8, 3), L.Conv2D(4, 3, padding="same"), L.BatchNormalization()),
    "lstm": of(sgd(momentum=0.9), (10, 3), L.LSTM(5)),
    "gru": of(sgd(), (10, 3), L.GRU(5, reset_after=False)),
    "embedding, adam": of(adam(), (6,), *words, dtype="int32"),
    "embedding, sgd": of(sgd(), (6,), L.Embedding(100, 4), L.Flatten(), L.Dense(1), dtype="int32"),
    "frozen first": of(sgd(), (4,), L.Dense(8, trainable=False), L.Dense(2)),
    "attention": [n for moved in flops.least_bytes(attended, 0) for n in moved],
}))
"""

    counted = frameworks.last_line(code)

    # forward: step, sample; training: step, sample; 4 bytes a number
    dense, second = 4 * (3 * 5 + 5 + 5 * 2 + 2), 4 * 5 * 2
    kernel, norm = 4 * (3 * 3 * 3 * 4 + 4), 4 * 4
    image, maps = 4 * 8 * 8 * 3, 4 * 8 * 8 * 4
    lstm, gru = 4 * 4 * (3 + 5 + 1) * 5, 4 * 3 * (3 + 5 + 1) * 5
    table, read_out = 4 * 100 * 4, 4 * (24 + 1)
    frozen, learns = 4 * (4 * 8 + 8), 4 * (8 * 2 + 2)
    heads = 4 * (4 * 16 * 32 + 3 * 32 + 16)
    assert {
        # weights once, the second kernel again, then gradient, weight and two slots twice each; outputs 5 and 2
        "two dense": [dense, 4 * (3 + 5 + 2), dense + second + dense * 8, 4 * (3 + 5 + 2) + 4 * (5 + 2)],
        # of the normalisation its weights only; its two moving averages do not learn
        "convolution": [kernel + 4 * norm, image + maps, kernel + 4 * norm + (kernel + 2 * norm) * 4, image + 2 * maps],
        # one slot; two states of five units at each of ten steps
        "lstm": [lstm, 4 * (30 + 5), lstm * 7, 4 * (30 + 5) + 4 * 2 * 5 * 10],
        "gru": [gru, 4 * (30 + 5), gru * 5, 4 * (30 + 5) + 4 * 5 * 10],
        # the table is passed over for the decay of its slots only
        "embedding, adam": [read_out, 4 * (6 + 24 + 1), read_out * 9 + 4 * 24 + table * 6, 4 * (6 + 24 + 1) + 4 * 25],
        "embedding, sgd": [read_out, 4 * (6 + 24 + 1), read_out * 5 + 4 * 24, 4 * (6 + 24 + 1) + 4 * 25],
        # nothing learns before the second layer, and the way back ends at its input
        "frozen first": [frozen + learns, 4 * (4 + 8 + 2), frozen + learns * 5, 4 * (4 + 8 + 2) + 4 * 2],
        # queries, keys, values and what is attended to, each of 4 x 8 numbers at 10 places; the output
        "attention": [heads, 4 * 160 + 4 * (4 * 320 + 160), heads * 5, 4 * 160 + 2 * 4 * (4 * 320 + 160)],
    } == counted


@pytest.mark.keras
def test_slots_are_those_of_the_optimizer():
    code = """
import json
import keras
from bench.records import operations
from bench.workloads import count_flops as flops

names = keras.optimizers
made = names.SGD(), names.SGD(momentum=0.9), names.RMSprop(), names.Adam(), names.AdamW(), names.Adam(amsgrad=True)
print(json.dumps([flops.n_slots(optimizer) for optimizer in made]))
"""

    assert [0, 1, 1, 2, 2, 3] == frameworks.last_line(code)


@pytest.mark.keras
def test_stored_counts_are_those_of_todays_networks():
    code = "import json; from bench.workloads import count_flops as flops; print(json.dumps(flops.count_all()))"
    counted = frameworks.last_line(code)

    assert counted == operations.counts(), "run: python -m bench.workloads.count_flops"


def test_every_network_of_a_workload_has_a_count_of_its_present_code():
    stored = operations.counts()

    expected = {
        registry.network(spec.id, variant.params): registry.source_hash(spec.id)
        for spec in registry.workloads().values()
        for variants in spec.variants.values()
        for variant in variants
        if spec.kind == "model"
    }
    sources = {name: entry["source"] for name, entry in stored.items()}
    assert expected == sources, "run: python -m bench.workloads.count_flops"


def test_no_network_moves_less_in_training_than_in_inference():
    stored = operations.counts()

    for name, entry in stored.items():
        for part in ("step", "sample"):
            assert 0 < entry[f"forward_{part}_bytes"] < entry[f"training_{part}_bytes"], name
