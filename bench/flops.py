"""Counts a model's floating-point operations layer by layer; writes bench/flops.json. Needs keras.

Counted are the multiplications and additions of dense, convolution, recurrent and attention layers, two operations for
each multiply-add. Normalisation, activations, pooling, look-ups, the loss and the optimizer are left out: in the
networks measured here they are a few percent of the arithmetic, though not of the time.

Training costs the forward pass, and for each layer with weights to learn the same again for the gradient of its
weights; and the same again for the gradient of its input, where a layer before it learns. Frozen layers before the
first one that learns are passed forward only.
Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.5 (back-propagation costs a constant number of
operations per operation of the forward pass).

``python -m bench.flops`` counts every variant of every workload that trains a model; a test compares file and count.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import registry
from bench.schema import Variant

if TYPE_CHECKING:
    import keras

FILE = Path(__file__).with_name("flops.json")


def count(model: keras.Model) -> tuple[float, float]:
    """Floating-point operations of one sample: of a forward pass, and of a training step.

    Raises:
        ValueError: a layer with a kernel that this does not know.
    """
    forward = training = 0.0
    learns_before = False
    for layer in _leaves(model):
        operations = layer_flop(layer)
        learns = bool(layer.trainable_weights)
        forward += operations
        training += operations * (1 + learns + learns_before)
        learns_before = learns_before or learns
    return forward, training


def layer_flop(layer: Any) -> float:
    """Operations of one layer's forward pass for one sample.

    Raises:
        ValueError: the layer multiplies by a kernel in a way that is not known here.
    """
    kind = type(layer).__name__
    if kind == "Dense":
        return 2.0 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if kind in ("Conv1D", "Conv2D", "Conv3D"):  # the kernel already holds channels per group
        return 2.0 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if kind in ("DepthwiseConv1D", "DepthwiseConv2D"):
        return 2.0 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if kind in ("SeparableConv1D", "SeparableConv2D"):
        kernels = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
        return 2.0 * kernels * math.prod(layer.output.shape[1:-1])
    if kind in ("LSTM", "GRU", "SimpleRNN"):
        weights = math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
        return 2.0 * weights * layer.input.shape[1]
    if kind == "MultiHeadAttention":
        return _attention_flop(layer)
    if hasattr(layer, "kernel"):
        raise ValueError(f"do not know the operations of {kind} ({layer.name})")
    return 0.0


def _attention_flop(layer: Any) -> float:
    """Projections of query, key and value, the products of scores and of values, the output's projection."""
    keys = layer.input[1] if isinstance(layer.input, list) else layer.input
    n_queries, n_keys = layer.output.shape[1], keys.shape[1]
    heads, key, value = layer.num_heads, layer.key_dim, layer.value_dim
    parts = (
        (layer.query_dense, n_queries),
        (layer.key_dense, n_keys),
        (layer.value_dense, n_keys),
        (layer.output_dense, n_queries),
    )
    projections = sum(2.0 * math.prod(dense.kernel.shape) * n for dense, n in parts)
    return projections + 2.0 * heads * n_queries * n_keys * (key + value)


def _leaves(model: Any) -> list[Any]:
    """Layers in the order of their making, nested models taken apart; attention counts as one."""
    found: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "layers") and type(layer).__name__ != "MultiHeadAttention":
            found += _leaves(layer)
        else:
            found.append(layer)
    return found


def count_all() -> dict[str, dict[str, Any]]:
    """Forward and training operations per sample of every network that a workload builds, with its source's hash."""
    import keras

    found: dict[str, dict[str, Any]] = {}
    for spec in registry.workloads().values():
        variants: list[Variant] = [v for group in spec.variants.values() for v in group] if spec.kind == "model" else []
        for variant in variants:
            name = registry.network(spec.id, variant.params)
            if name not in found:
                forward, training = count(registry.module(spec.id).build_model(variant))
                found[name] = {"forward": forward, "training": training, "source": registry.source_hash(spec.id)}
                keras.backend.clear_session()
    return found


def main() -> None:
    """Count and write."""
    FILE.write_text(json.dumps(count_all(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
