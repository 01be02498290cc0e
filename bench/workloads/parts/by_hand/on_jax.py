"""The nets in JAX's own words: functions of a dictionary of weights, one jitted step whose state is donated."""

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
    """A net whose weights begin as those given, by Keras path and in Keras's layout (NHWC); JAX picks the device."""
    import jax
    import numpy as np
    from jax import numpy as jnp

    forward = partial(NETS[net], params)
    optimizer = adam if net in WITH_ADAM else momentum
    values = {path: jnp.array(weight) for path, weight in weights.items() if "/moving_" not in path}
    moving = {path: jnp.array(weight) for path, weight in weights.items() if "/moving_" in path}
    n_slots = 2 if net in WITH_ADAM else 1
    slots = tuple({path: jnp.zeros_like(value) for path, value in values.items()} for _ in range(n_slots))
    state = (values, moving, slots, jnp.zeros(()))
    rate = jnp.array(RATES[net])

    def loss_of(values: Any, moving: Any, x: Any, y: Any) -> Any:
        new = dict(moving)
        logits = forward(values, new, x)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)), new

    def update(state: Any, rate: Any, x: Any, y: Any) -> Any:
        values, moving, slots, n_steps = state
        (loss, moving), gradients = jax.value_and_grad(loss_of, has_aux=True)(values, moving, x, y)
        values, slots = optimizer(rate, values, gradients, slots, n_steps + 1)
        return (values, moving, slots, n_steps + 1), loss

    compiled = jax.jit(update, donate_argnums=0)

    def step(x: Any, y: Any) -> Any:
        nonlocal state
        state, loss = compiled(state, rate, x, y)
        return loss

    def set_rate(value: float) -> None:
        nonlocal rate
        rate = jnp.array(value)

    n_params = sum(value.size for value in values.values())
    return Peer(step, set_rate, n_params, lambda: {path: np.asarray(value) for path, value in state[1].items()})


def momentum(rate: Any, values: Any, gradients: Any, slots: Any, n_steps: Any) -> Any:
    """Stochastic gradient descent with momentum."""
    import jax

    velocity = jax.tree.map(lambda v, g: MOMENTUM * v - rate * g, slots[0], gradients)
    return jax.tree.map(lambda value, v: value + v, values, velocity), (velocity,)


def adam(rate: Any, values: Any, gradients: Any, slots: Any, n_steps: Any) -> Any:
    """Adam with both means corrected for their start at zero."""
    import jax
    from jax import numpy as jnp

    keep_1, keep_2 = ADAM_BETAS
    mean = jax.tree.map(lambda m, g: keep_1 * m + (1 - keep_1) * g, slots[0], gradients)
    square = jax.tree.map(lambda v, g: keep_2 * v + (1 - keep_2) * g * g, slots[1], gradients)
    rate = rate * jnp.sqrt(1 - keep_2**n_steps) / (1 - keep_1**n_steps)
    values = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + ADAM_EPSILON), values, mean, square)
    return values, (mean, square)


def conv(values: Any, name: str, x: Any, stride: int = 1, padding: Any = "SAME", *, by_channel: bool = False) -> Any:
    """Convolution of (batch, rows, columns, channels), with a bias where the layer has one."""
    from jax import lax

    kernel = values[f"{name}/kernel"]
    if by_channel:
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    x = lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1] if by_channel else 1,
    )
    return x + values[f"{name}/bias"] if f"{name}/bias" in values else x


def batch_norm(values: Any, moving: Any, name: str, x: Any, settings: tuple[float, float]) -> Any:
    """Normalise each channel by this batch, and bring the moving averages up to date."""
    from jax import lax

    keep, epsilon = settings
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    for statistic, now in (("mean", mean), ("variance", variance)):
        path = f"{name}/moving_{statistic}"
        moving[path] = keep * moving[path] + (1 - keep) * lax.stop_gradient(now)
    return (x - mean) * (lax.rsqrt(variance + epsilon) * values[f"{name}/gamma"]) + values[f"{name}/beta"]


def layer_norm(values: Any, name: str, x: Any) -> Any:
    """Normalise each vector."""
    from jax import lax

    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + LAYER_NORM_EPSILON) * values[f"{name}/gamma"] + values[f"{name}/beta"]


def dense(values: Any, name: str, x: Any) -> Any:
    """Product with the kernel, plus the bias."""
    return x @ values[f"{name}/kernel"] + values[f"{name}/bias"]


def resnet50(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, rows, columns, 3)."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    def unit(name: str, x: Any, stride: int = 1, padding: Any = "SAME") -> Any:
        x = conv(values, f"{name}_conv", x, stride, padding)
        return batch_norm(values, moving, f"{name}_bn", x, RESNET_NORM)

    x = jax.nn.relu(unit("conv1", x, 2, ((3, 3), (3, 3))))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for stage, _, n_blocks in RESNET_STAGES:
        for index in range(n_blocks):
            name = f"{stage}_block{index + 1}"
            stride = 2 if index == 0 and stage != "conv2" else 1
            y = jax.nn.relu(unit(f"{name}_1", x, stride))
            y = jax.nn.relu(unit(f"{name}_2", y))
            y = unit(f"{name}_3", y)
            x = jax.nn.relu((unit(f"{name}_0", x, stride) if index == 0 else x) + y)
    return dense(values, "predictions", x.mean((1, 2)))


def mobilenet_v2(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, rows, columns, 3)."""
    import jax

    def norm(name: str, x: Any) -> Any:
        return batch_norm(values, moving, name, x, MOBILENET_NORM)

    x = jax.nn.relu6(norm("bn_Conv1", conv(values, "Conv1", x, 2)))
    for index, (width, stride) in enumerate(MOBILENET_BLOCKS):
        name = f"block_{index}_" if index else "expanded_conv_"
        y = jax.nn.relu6(norm(f"{name}expand_BN", conv(values, f"{name}expand", x))) if index else x
        # Odd sizes are padded on both sides, even ones behind only, as "SAME" does.
        y = jax.nn.relu6(norm(f"{name}depthwise_BN", conv(values, f"{name}depthwise", y, stride, by_channel=True)))
        y = norm(f"{name}project_BN", conv(values, f"{name}project", y))
        x = x + y if stride == 1 and x.shape[-1] == width else y
    x = jax.nn.relu6(norm("Conv_1_bn", conv(values, "Conv_1", x)))
    return dense(values, "predictions", x.mean((1, 2)))


def lstm_text(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 128) from character codes of (batch, length)."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    kernel, recurrent, bias = (values[f"lstm/lstm_cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias"))
    x = values["embedding/embeddings"][x]  # (batch, length, 64)

    def walk(state: Any, x: Any) -> Any:
        hidden, memory = state
        # All steps' inputs in one product before the walk would take most of twice the time on a CPU.
        into, forget, new, out = jnp.split(x @ kernel + hidden @ recurrent + bias, 4, axis=-1)
        memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(into) * jnp.tanh(new)
        return (jax.nn.sigmoid(out) * jnp.tanh(memory), memory), None

    start = jnp.zeros((len(x), len(recurrent)))
    (hidden, _), _ = lax.scan(walk, (start, start), x.swapaxes(0, 1))
    return dense(values, "dense", hidden)


def transformer_text(params: Any, values: Any, moving: Any, x: Any) -> Any:
    """Logits of (batch, 8) from word ids of (batch, length)."""
    import jax
    from jax import numpy as jnp

    def attention(name: str, x: Any) -> Any:
        query, key, value = (
            jnp.einsum("blw,whd->blhd", x, values[f"{name}/{part}/kernel"]) + values[f"{name}/{part}/bias"]
            for part in ("query", "key", "value")
        )
        x = jax.nn.dot_product_attention(query, key, value)  # (batch, length, heads, width of a head)
        kernel, bias = (values[f"{name}/attention_output/{part}"] for part in ("kernel", "bias"))
        return jnp.einsum("blhd,hdw->blw", x, kernel) + bias

    n_layers = int(params["layers"])
    x = values["embedding/embeddings"][x] + values["positions/table"]
    for index in range(n_layers):
        x = x + attention(numbered("multi_head_attention", index), layer_norm(values, numbered(NORM, 2 * index), x))
        y = dense(values, numbered("dense", 2 * index), layer_norm(values, numbered(NORM, 2 * index + 1), x))
        x = x + dense(values, numbered("dense", 2 * index + 1), jax.nn.gelu(y, approximate=False))
    x = layer_norm(values, numbered(NORM, 2 * n_layers), x).mean(1)
    return dense(values, numbered("dense", 2 * n_layers), x)


NETS = {
    "resnet50": resnet50,
    "mobilenet-v2": mobilenet_v2,
    "lstm-text": lstm_text,
    "transformer-text": transformer_text,
}
