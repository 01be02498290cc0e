"""Counts a model's operations, and the bytes they must move, layer by layer; writes bench/flops.json. Needs keras.

Counted are the multiplications and additions of dense, convolution, recurrent and attention layers, two operations for
each multiply-add. Normalisation, activations, pooling, look-ups, the loss and the optimizer are left out: in the
networks measured here they are a few percent of the arithmetic, though not of the time.

Training costs the forward pass, and for each layer with weights to learn the same again for the gradient of its
weights; and the same again for the gradient of its input, where a layer before it learns. Frozen layers before the
first one that learns are passed forward only.
Source: Goodfellow, Bengio and Courville, Deep Learning (2016), section 6.5 (back-propagation costs a constant number of
operations per operation of the forward pass).

Bytes are a floor for a program that runs one layer after the other, in the types of the model as built. A step's:
each weight read for the forward pass; in training each kernel read again where a gradient passes through its layer to
one before; each gradient written and read; each weight that learns, and each of its optimizer's slots, read and
written. A sample's: the input read, the output of each layer whose operations are counted written; in training that
output, or of a recurrent layer its state at every time step, read once more on the way back.
Left out is what a good compiler can avoid: outputs of normalisation, activation and pooling, which may be made where
they are used; an output's read by the very next layer, and its gradient, which may come from a cache; scores of
attention; rows that an embedding looks up, beyond its output. A table of embeddings is passed over as a whole only
where the optimizer has slots to decay.

``python -m bench.workloads.count_flops`` counts every variant of every workload that trains a model; a test
compares file and count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.records import operations
from bench.schema import Variant
from bench.workloads import registry

if TYPE_CHECKING:
    import keras

# Arrays of one unit each that a recurrent layer keeps of every time step for the way back.
STATES = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}
# Matrix products and convolutions of a layer in one training step; a dense layer's are one forward and two back, of
# which a convolution's library joins two; attention has four dense layers and two products.
N_LAUNCHED = {"MultiHeadAttention": 18, "SeparableConv1D": 4, "SeparableConv2D": 4}


class Moved(NamedTuple):
    """Least bytes: of a step, whatever its batch, and of each sample in it."""

    step: float
    sample: float


def count(model: keras.Model) -> tuple[float, float]:
    """Floating-point operations of one sample: of a forward pass, and of a training step.

    Raises:
        ValueError: a layer with a kernel that this does not know.
    """
    forward = training = 0.0
    learns_before = False
    for layer in leaves(model):
        operations = layer_flop(layer)
        learns = bool(layer.trainable_weights)
        forward += operations
        training += operations * (1 + learns + learns_before)
        learns_before = learns_before or learns
    return forward, training


def least_bytes(model: keras.Model, n_slots: int) -> tuple[Moved, Moved]:
    """Bytes that a step must move at least: of inference, and of training with an optimizer of so many slots.

    A slot is an array as large as a weight, kept from step to step: momentum has one, Adam two.
    """
    layers = leaves(model)
    tables = [w for layer in layers if type(layer).__name__ == "Embedding" for w in layer.weights]
    dense = _others(model.weights, tables)
    forward = Moved(
        _bytes(dense),
        sum(_size(x.shape[1:], x.dtype) for x in model.inputs) + sum(_output_bytes(layer) for layer in layers),
    )
    again = kept = 0.0
    learns_before = False
    for layer in layers:
        if learns_before and layer_flop(layer):
            again += _bytes([w for w in layer.weights if "kernel" in w.name])
        learns_before = learns_before or bool(layer.trainable_weights)
        kept += _kept_bytes(layer) if learns_before else 0.0
    update = _bytes(_others(model.trainable_weights, tables)) * (2 + 2 + 2 * n_slots)
    if n_slots:
        update += _bytes([w for w in tables if w.trainable]) * (2 + 2 * n_slots)
    return forward, Moved(forward.step + again + update, forward.sample + kept)


def matrix_operations(model: keras.Model) -> int:
    """Matrix products and convolutions that a training step launches; a recurrent layer counts as one dense layer."""
    kinds = [type(layer).__name__ for layer in leaves(model) if layer_flop(layer)]
    return sum(N_LAUNCHED.get(kind, 2 if "Conv" in kind else 3) for kind in kinds)


def n_slots(optimizer: Any) -> int:
    """Arrays that an optimizer keeps for each weight. It must be fresh, and is used up."""
    import keras

    before = len(optimizer.variables)
    optimizer.build([keras.Variable([0.0])])
    return len(optimizer.variables) - before


def _output_bytes(layer: Any) -> float:
    """What a layer must write for one sample; 0 for one that may be made where its output is used."""
    kind = type(layer).__name__
    if kind == "MultiHeadAttention":
        return _attention_bytes(layer)
    if kind == "Embedding" or layer_flop(layer):
        return _size(layer.output.shape[1:], layer.output.dtype)
    return 0.0


def _kept_bytes(layer: Any) -> float:
    """What a layer's way back, and that of the layer after it, must read of one sample's forward pass."""
    n_states = STATES.get(type(layer).__name__)
    if n_states is None:
        return _output_bytes(layer)
    return n_states * _size((layer.input.shape[1], layer.units), layer.output.dtype)


def _attention_bytes(layer: Any) -> float:
    """Queries, keys, values, what is attended to, and the output."""
    keys = layer.input[1] if isinstance(layer.input, list) else layer.input
    n_queries, n_keys, dtype = layer.output.shape[1], keys.shape[1], layer.output.dtype
    inner = layer.num_heads * (n_queries + n_keys) * (layer.key_dim + layer.value_dim)
    return _size((inner,), dtype) + _size(layer.output.shape[1:], dtype)


def _size(shape: Any, dtype: Any) -> float:
    """Bytes of an array."""
    import numpy as np

    return float(math.prod(shape) * np.dtype(str(dtype)).itemsize)


def _bytes(weights: Iterable[Any]) -> float:
    return sum((_size(w.shape, w.dtype) for w in weights), 0.0)


def _others(weights: Iterable[Any], tables: list[Any]) -> list[Any]:
    return [w for w in weights if not any(w is table for table in tables)]


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


def leaves(model: Any) -> list[Any]:
    """Layers in the order of their making, nested models taken apart; attention counts as one."""
    found: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "layers") and type(layer).__name__ != "MultiHeadAttention":
            found += leaves(layer)
        else:
            found.append(layer)
    return found


def count_all() -> dict[str, dict[str, Any]]:
    """Operations, matrix products and least bytes of every network that a workload builds, with its source's hash."""
    import keras

    found: dict[str, dict[str, Any]] = {}
    for spec in registry.workloads().values():
        variants: list[Variant] = [v for group in spec.variants.values() for v in group] if spec.kind == "model" else []
        for variant in variants:
            name = registry.network(spec.id, variant.params)
            if name not in found:
                module = registry.module(spec.id)
                model = module.build_model(variant)
                forward, training = count(model)
                passed, trained = least_bytes(model, n_slots(module.compile_arguments(variant)["optimizer"]))
                found[name] = {
                    "forward": forward,
                    "forward_sample_bytes": passed.sample,
                    "forward_step_bytes": passed.step,
                    "matrix_operations": matrix_operations(model),
                    "source": registry.source_hash(spec.id),
                    "training": training,
                    "training_sample_bytes": trained.sample,
                    "training_step_bytes": trained.step,
                }
                keras.backend.clear_session()
    return found


def main() -> None:
    """Count and write."""
    operations.FILE.write_text(json.dumps(count_all(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
