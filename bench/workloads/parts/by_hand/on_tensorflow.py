"""The nets in TensorFlow's own words: variables, tf.nn and raw operations, one step under tf.function."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bench.workloads.parts.by_hand import (
    ADAM_BETAS,
    ADAM_EPSILON,
    LAYER_NORM_EPSILON,
    MOBILENET_BLOCKS,
    MOBILENET_NORM,
    MOMENTUM,
    RATES,
    RESNET_NORM,
    RESNET_STAGES,
    WITH_ADAM,
    Peer,
    numbered,
)

NORM = "layer_normalization"


def build(net: str, weights: Mapping[str, Any], params: Mapping[str, Any], device: str) -> Peer:
    """A net whose weights begin as those given, by Keras path and in Keras's layout; TensorFlow picks the device."""
    import tensorflow as tf

    values = {path: tf.Variable(weight) for path, weight in weights.items() if "/moving_" not in path}
    moving = {path: tf.Variable(weight) for path, weight in weights.items() if "/moving_" in path}
    forward = partial(NETS[net], params, values, moving)
    trained = list(values.values())
    rate = tf.Variable(RATES[net])
    update = (adam if net in WITH_ADAM else momentum)(trained, rate)

    @tf.function(reduce_retracing=True)
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, forward(x)))
        update(tape.gradient(loss, trained))
        return loss

    n_params = sum(value.shape.num_elements() for value in trained)
    return Peer(step, rate.assign, n_params, lambda: {path: value.numpy() for path, value in moving.items()})


def momentum(variables: list[Any], rate: Any) -> Any:
    """Stochastic gradient descent with momentum: an update that takes the gradients."""
    import tensorflow as tf

    slots = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def update(gradients: list[Any]) -> None:
        for variable, slot, gradient in zip(variables, slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle, accum=slot.handle, lr=rate, grad=gradient, momentum=MOMENTUM
            )

    return update


def adam(variables: list[Any], rate: Any) -> Any:
    """Adam with both means corrected for their start at zero: an update that takes the gradients."""
    import tensorflow as tf

    means, squares = ([tf.Variable(tf.zeros_like(variable)) for variable in variables] for _ in range(2))
    n_steps = tf.Variable(0.0)
    keep_1, keep_2 = ADAM_BETAS

    def update(gradients: list[Any]) -> None:
        n_steps.assign_add(1.0)
        powers = {"beta1_power": keep_1**n_steps, "beta2_power": keep_2**n_steps}
        for variable, mean, square, gradient in zip(variables, means, squares, gradients, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                # Of an embedding. Keras on TensorFlow squares each occurrence of a row by itself, and so does this.
                squared = tf.IndexedSlices(tf.square(gradient.values), gradient.indices, gradient.dense_shape)
                mean.assign_add((1 - keep_1) * (tf.convert_to_tensor(gradient) - mean))
                square.assign_add((1 - keep_2) * (tf.convert_to_tensor(squared) - square))
                corrected = rate * tf.sqrt(1 - powers["beta2_power"]) / (1 - powers["beta1_power"])
                variable.assign_sub(corrected * mean / (tf.sqrt(square) + ADAM_EPSILON))
                continue
            slots = {"var": variable.handle, "m": mean.handle, "v": square.handle}
            tf.raw_ops.ResourceApplyAdam(
                **slots, **powers, lr=rate, beta1=keep_1, beta2=keep_2, epsilon=ADAM_EPSILON, grad=gradient
            )

    return update


def conv(values: Any, name: str, x: Any, stride: int = 1, padding: str = "SAME") -> Any:
    """Convolution of (batch, rows, columns, channels), with a bias where the layer has one."""
    import tensorflow as tf

    x = tf.nn.conv2d(x, values[f"{name}/kernel"], stride, padding)
    return tf.nn.bias_add(x, values[f"{name}/bias"]) if f"{name}/bias" in values else x


def batch_norm(values: Any, moving: Any, name: str, x: Any, settings: tuple[float, float]) -> Any:
    """Normalise each channel by this batch with TensorFlow's fused operation, and update the moving averages."""
    import tensorflow as tf

    keep, epsilon = settings
    gamma, beta = values[f"{name}/gamma"], values[f"{name}/beta"]
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=epsilon)
    n_values = tf.cast(tf.size(x) / tf.size(mean), tf.float32)
    biased = variance * (n_values - 1) / n_values  # the operation gives the unbiased variance, Keras keeps the biased
    for statistic, now in (("mean", mean), ("variance", biased)):
        average = moving[f"{name}/moving_{statistic}"]
        average.assign(keep * average + (1 - keep) * now)
    return y


def layer_norm(values: Any, name: str, x: Any) -> Any:
    """Normalise each vector."""
    import tensorflow as tf

    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    gamma, beta = values[f"{name}/gamma"], values[f"{name}/beta"]
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, LAYER_NORM_EPSILON)


def dense(values: Any, name: str, x: Any) -> Any:
    """Product with the kernel, plus the bias."""
    import tensorflow as tf

    return tf.nn.bias_add(tf.matmul(x, values[f"{name}/kernel"]), values[f"{name}/bias"])


def resnet50(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, rows, columns, 3)."""
    import tensorflow as tf

    def unit(name: str, x: Any, stride: int = 1, padding: str = "SAME") -> Any:
        x = conv(values, f"{name}_conv", x, stride, padding)
        return batch_norm(values, moving, f"{name}_bn", x, RESNET_NORM)

    x = tf.nn.relu(unit("conv1", tf.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0))), 2, "VALID"))
    x = tf.nn.max_pool2d(tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 2, "VALID")
    for stage, _, n_blocks in RESNET_STAGES:
        for index in range(n_blocks):
            name = f"{stage}_block{index + 1}"
            stride = 2 if index == 0 and stage != "conv2" else 1
            y = tf.nn.relu(unit(f"{name}_1", x, stride))
            y = tf.nn.relu(unit(f"{name}_2", y))
            y = unit(f"{name}_3", y)
            x = tf.nn.relu((unit(f"{name}_0", x, stride) if index == 0 else x) + y)
    return dense(values, "predictions", tf.reduce_mean(x, (1, 2)))


def mobilenet_v2(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, rows, columns, 3)."""
    import tensorflow as tf

    def norm(name: str, x: Any) -> Any:
        return batch_norm(values, moving, name, x, MOBILENET_NORM)

    x = tf.nn.relu6(norm("bn_Conv1", conv(values, "Conv1", x, 2)))
    for index, (width, stride) in enumerate(MOBILENET_BLOCKS):
        name = f"block_{index}_" if index else "expanded_conv_"
        y = tf.nn.relu6(norm(f"{name}expand_BN", conv(values, f"{name}expand", x))) if index else x
        y = tf.nn.depthwise_conv2d(y, values[f"{name}depthwise/kernel"], (1, stride, stride, 1), "SAME")
        y = tf.nn.relu6(norm(f"{name}depthwise_BN", y))
        y = norm(f"{name}project_BN", conv(values, f"{name}project", y))
        x = x + y if stride == 1 and x.shape[-1] == width else y
    x = tf.nn.relu6(norm("Conv_1_bn", conv(values, "Conv_1", x)))
    return dense(values, "predictions", tf.reduce_mean(x, (1, 2)))


def lstm_text(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 128) from character codes of (batch, length); the graph holds every step of the walk."""
    import tensorflow as tf

    kernel, recurrent, bias = (values[f"lstm/lstm_cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias"))
    x = tf.gather(values["embedding/embeddings"], x)  # (batch, length, 64)
    x = tf.nn.bias_add(tf.matmul(x, kernel), bias)  # all steps' inputs in one product
    hidden = memory = tf.zeros((tf.shape(x)[0], recurrent.shape[0]))
    for now in tf.unstack(x, int(params["length"]), axis=1):
        into, forget, new, out = tf.split(now + tf.matmul(hidden, recurrent), 4, axis=1)
        memory = tf.sigmoid(forget) * memory + tf.sigmoid(into) * tf.tanh(new)
        hidden = tf.sigmoid(out) * tf.tanh(memory)
    return dense(values, "dense", hidden)


def transformer_text(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 8) from word ids of (batch, length)."""
    import tensorflow as tf

    def attention(name: str, x: Any) -> Any:
        query, key, value = (
            tf.einsum("blw,whd->bhld", x, values[f"{name}/{part}/kernel"]) + values[f"{name}/{part}/bias"][:, None]
            for part in ("query", "key", "value")
        )
        scores = tf.matmul(query, key, transpose_b=True) / query.shape[-1] ** 0.5  # (batch, heads, length, length)
        x = tf.matmul(tf.nn.softmax(scores), value)
        kernel, bias = (values[f"{name}/attention_output/{part}"] for part in ("kernel", "bias"))
        return tf.einsum("bhld,hdw->blw", x, kernel) + bias

    n_layers = int(params["layers"])
    x = tf.gather(values["embedding/embeddings"], x) + values["positions/table"]
    for index in range(n_layers):
        x = x + attention(numbered("multi_head_attention", index), layer_norm(values, numbered(NORM, 2 * index), x))
        y = dense(values, numbered("dense", 2 * index), layer_norm(values, numbered(NORM, 2 * index + 1), x))
        x = x + dense(values, numbered("dense", 2 * index + 1), tf.nn.gelu(y))
    x = tf.reduce_mean(layer_norm(values, numbered(NORM, 2 * n_layers), x), 1)
    return dense(values, numbered("dense", 2 * n_layers), x)


NETS = {
    "resnet50": resnet50,
    "mobilenet-v2": mobilenet_v2,
    "lstm-text": lstm_text,
    "transformer-text": transformer_text,
}
