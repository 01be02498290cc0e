"""Counted operations against layers counted by hand, and the stored counts against the networks of today."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bench import flops, registry
from tests.sites import ROOT


def in_a_process(code: str) -> str:
    env = dict(os.environ, KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert 0 == done.returncode, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.keras
def test_layers_counted_by_hand():
    code = """
import json
import keras
from keras import layers as L
from bench import flops

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

    counted = json.loads(in_a_process(code))

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
def test_stored_counts_are_those_of_todays_networks():
    counted = json.loads(in_a_process("import json; from bench import flops; print(json.dumps(flops.count_all()))"))

    assert counted == json.loads(flops.FILE.read_text(encoding="utf-8")), "run: python -m bench.flops"


def test_every_network_of_a_workload_has_a_count_of_its_present_code():
    stored = json.loads(flops.FILE.read_text(encoding="utf-8"))

    expected = {
        registry.network(spec.id, variant.params): registry.source_hash(spec.id)
        for spec in registry.workloads().values()
        for variants in spec.variants.values()
        for variant in variants
        if spec.kind == "model"
    }
    assert expected == {name: entry["source"] for name, entry in stored.items()}, "run: python -m bench.flops"
