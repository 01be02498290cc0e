"""How far a backend's numbers lie from exact ones: a net's losses and gradients against a float64 reference. Pure.

Equal weights and equal data give other bits on another device, because sums are taken in another order and some
formats keep fewer digits. The reference is written in NumPy, in float64, and is tested against finite differences.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Precision, Reading, Variant, Workload

N_CLASSES = 10
MORE: tuple[Precision, ...] = ("tf32", "mixed_bfloat16", "mixed_float16")

SPEC = Workload(
    id="numerics",
    title="Rounding of a training step",
    summary="A small net's logits, loss and gradients are compared with the same computed in float64 by NumPy.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images or rows and weights; the reference is computed from the same numbers",
    readings=(
        Reading(id="logits-abs", label="logits: largest difference", unit="ratio"),
        Reading(id="logits-rel", label="logits: largest difference over largest logit", unit="ratio"),
        Reading(id="loss-rel", label="loss: difference over loss", unit="ratio"),
        Reading(id="gradients-abs", label="gradients: largest difference", unit="ratio"),
        Reading(id="gradients-rel", label="gradients: largest difference over a tensor's largest entry", unit="ratio"),
        Reading(id="product-rel", label="matrix product: largest difference over largest entry", unit="ratio"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=4, n_samples=4, params={"net": "cnn", "size": 8}, headline=True,
                          estimate_s=6.0),),
        "quick": (),
        "reference": tuple(Variant(mode="study", batch_size=16, n_samples=16, params={"net": net, "size": size},
                                   headline=True, more_precisions=MORE, estimate_s=4.5, sweep="precision")
                           for net, size in (("cnn", 32), ("mlp", 1024))),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Read the differences between this backend's numbers and the reference, once."""
    import numpy as np

    net, size = str(study.variant.params["net"]), int(study.variant.params["size"])
    rng = np.random.default_rng(study.seed)
    shape = (size, size, 3) if net == "cnn" else (size,)
    x = rng.standard_normal((study.cell.batch_size, *shape), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, len(x), dtype=np.int32)
    model = build(study.keras, net, size)
    model.set_weights(draw(rng, [tuple(weight.shape) for weight in model.weights]))
    weights = [np.asarray(weight, dtype=np.float64) for weight in model.get_weights()]
    expected = reference(net, weights, x.astype(np.float64), y)
    seen = training_step(study, model, x, y)
    for name, value in differences(seen, expected).items():
        study.read(name, value)
    study.read("product-rel", product_difference(study, rng, 2 * size))
    study.observe(model.weights[0].value, model(x))


def draw(rng: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Kernels scaled by their number of inputs and small biases, float32, the same for every backend."""
    import math

    import numpy as np

    scales = [math.sqrt(2 / math.prod(shape[:-1])) if len(shape) > 1 else 0.01 for shape in shapes]
    return [
        rng.standard_normal(shape).astype(np.float32) * np.float32(s) for shape, s in zip(shapes, scales, strict=True)
    ]


def differences(seen: tuple[Any, float, list[Any]], expected: tuple[Any, float, list[Any]]) -> dict[str, float]:
    """Readings from (logits, loss, gradients) of a backend and of the reference."""
    import numpy as np

    (logits, loss, gradients), (true_logits, true_loss, true_gradients) = seen, expected
    pairs = list(zip(gradients, true_gradients, strict=True))
    off = [np.abs(gradient - true).max() for gradient, true in pairs]
    return {
        "logits-abs": np.abs(logits - true_logits).max(),
        "logits-rel": np.abs(logits - true_logits).max() / np.abs(true_logits).max(),
        "loss-rel": abs(loss - true_loss) / true_loss,
        "gradients-abs": max(off),
        "gradients-rel": max(d / np.abs(true).max() for d, (_, true) in zip(off, pairs, strict=True)),
    }


def product_difference(study: Any, rng: Any, n: int) -> float:
    """Largest difference of one n x n matrix product from float64's, over the product's largest entry."""
    import numpy as np

    ops = study.keras.ops
    dtype = study.keras.config.dtype_policy().compute_dtype
    left, right = (rng.standard_normal((n, n), dtype=np.float32) for _ in range(2))
    product = ops.matmul(ops.convert_to_tensor(left, dtype=dtype), ops.convert_to_tensor(right, dtype=dtype))
    exact = left.astype(np.float64) @ right.astype(np.float64)
    seen = ops.convert_to_numpy(ops.cast(product, "float32")).astype(np.float64)
    return float(np.abs(seen - exact).max() / np.abs(exact).max())


def build(keras: Any, net: str, size: int) -> Any:
    """Logits of ten classes from (batch, size, size, 3) images or (batch, size) rows."""
    layers = keras.layers
    if net == "cnn":
        front = [
            keras.Input((size, size, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
        ]
    else:
        front = [keras.Input((size,)), *(layers.Dense(size, activation="relu") for _ in range(3))]
    return keras.Sequential([*front, layers.Dense(N_CLASSES)])


def training_step(study: Any, model: Any, x: Any, y: Any) -> tuple[Any, float, list[Any]]:
    """Logits, mean cross-entropy and gradients of every weight, by this backend's own differentiation, in float64."""
    import numpy as np

    keras, framework, variables = study.keras, study.framework, model.trainable_variables

    def loss_of(logits: Any) -> Any:
        losses = keras.losses.sparse_categorical_crossentropy(y, keras.ops.cast(logits, "float32"), from_logits=True)
        return keras.ops.mean(losses)

    if study.cell.backend == "tensorflow":
        with framework.GradientTape() as tape:
            logits = model(x, training=True)
            loss = loss_of(logits)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
    elif study.cell.backend == "jax":

        def with_logits(values: Any) -> Any:
            logits, _ = model.stateless_call(values, [], x, training=True)
            return loss_of(logits), logits

        step = framework.jit(framework.value_and_grad(with_logits, has_aux=True))
        (loss, logits), gradients = step([variable.value for variable in variables])
    else:
        logits = model(x, training=True)
        loss = loss_of(logits)
        loss.backward()
        gradients = [variable.value.grad for variable in variables]

    def exact(value: Any) -> Any:
        return keras.ops.convert_to_numpy(keras.ops.cast(value, "float32")).astype(np.float64)

    return exact(logits), float(exact(loss)), [exact(gradient) for gradient in gradients]


def reference(net: str, weights: list[Any], x: Any, y: Any) -> tuple[Any, float, list[Any]]:
    """Logits (batch, 10), mean cross-entropy and its gradients by weight, in the precision of its inputs.

    Args:
        net: "cnn" or "mlp"; the layers of ``build``.
        weights: kernel and bias of each layer in turn, as Keras keeps them.
        x: images of shape (batch, size, size, 3) or rows of shape (batch, size).
        y: class numbers of shape (batch,).
    """
    import numpy as np

    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    n_convolved = 2 if net == "cnn" else 0
    inputs, outputs, value = [], [], x
    for kernel, bias in pairs[:n_convolved]:
        inputs.append(value)
        value = np.maximum(convolve(value, kernel) + bias, 0)
        outputs.append(value)
    if n_convolved:
        pooled, chosen = pool(value)
        value = pooled.reshape(len(x), -1)
    for index, (kernel, bias) in enumerate(pairs[n_convolved:], start=n_convolved):
        inputs.append(value)
        value = value @ kernel + bias
        if index < len(pairs) - 1:
            value = np.maximum(value, 0)
        outputs.append(value)
    logits = value
    shifted = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    loss = float(-np.log(shares[np.arange(len(y)), y]).mean())

    gradients: list[Any] = []
    back = (shares - np.eye(N_CLASSES)[y]) / len(y)
    for index in reversed(range(len(pairs))):
        kernel, _ = pairs[index]
        if index < len(pairs) - 1:  # every layer but the read-out ends in a relu
            back = back * (outputs[index] > 0)
        if index < n_convolved:
            kernel_gradient, back_to_input = convolve_back(inputs[index], kernel, back)
            bias_gradient = back.sum(axis=(0, 1, 2))
        else:
            kernel_gradient, bias_gradient, back_to_input = inputs[index].T @ back, back.sum(axis=0), back @ kernel.T
        back = back_to_input
        if index == n_convolved and n_convolved:
            back = pool_back(back.reshape(pooled.shape), chosen)
        gradients = [kernel_gradient, bias_gradient, *gradients]
    return logits, loss, gradients


def convolve(x: Any, kernel: Any) -> Any:
    """Convolution with zeros around: (batch, h, w, in) and (odd, odd, in, out) to (batch, h, w, out)."""
    import numpy as np

    return np.tensordot(windows(x, kernel), kernel, axes=((3, 4, 5), (2, 0, 1)))


def windows(x: Any, kernel: Any) -> Any:
    """Every pixel's surroundings, shape (batch, h, w, in, kernel rows, kernel columns); zeros beyond the border."""
    import numpy as np

    rows, columns = kernel.shape[:2]
    around = np.pad(x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(around, (rows, columns), axis=(1, 2))


def convolve_back(x: Any, kernel: Any, back: Any) -> tuple[Any, Any]:
    """Gradients of the kernel and of the input, from the output's gradient of shape (batch, h, w, out)."""
    import numpy as np

    of_kernel = np.tensordot(windows(x, kernel), back, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return of_kernel, convolve(back, turned)


def pool(x: Any) -> tuple[Any, Any]:
    """Maxima of 2 x 2 pixels, shape (batch, h / 2, w / 2, channels), and which of the four each was, from 0 to 3."""
    n, h, w, channels = x.shape
    fours = (
        x.reshape(n, h // 2, 2, w // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, channels, 4)
    )
    return fours.max(axis=-1), fours.argmax(axis=-1)


def pool_back(back: Any, chosen: Any) -> Any:
    """Gradient of pool's input: each maximum's gradient at the pixel that it came from."""
    import numpy as np

    n, h, w, channels = back.shape
    fours = np.where(np.arange(4) == chosen[..., None], back[..., None], 0.0)
    return fours.reshape(n, h, w, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, channels)
