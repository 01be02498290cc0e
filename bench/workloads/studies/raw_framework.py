"""The same small net trained by Keras and by a loop written by hand in its backend. Pure but for the nets it builds.

The arithmetic is one and the same: equal weights at the start, equal batches, equal optimizer; the losses are compared
before anything is timed. What differs is all that Keras does around a step.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

from bench.schema import Data, Names, Series, Variant, Workload
from bench.workloads.parts.epochs import epoch_by_hand, epoch_of_fit

N_CLASSES = 10
N_FEATURES = 32
RATE, MOMENTUM = 0.01, 0.9
N_SKIPPED = 5  # steps at the start of an epoch that are not timed: fit prepares its data there
N_COMPARED = 5
TOLERANCE = 1e-3  # of the loss after some steps; float32 sums in another order stay far below

SPEC = Workload(
    id="raw-framework",
    title="Keras and the raw framework",
    summary="A small net is trained by Keras and by a loop in its backend's own words, with equal arithmetic.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images or rows; only speed is asked, and the losses of both sides are compared",
    series=(
        Series(id="raw", label="loop in the backend's own words"),
        Series(id="fit", label="model.fit, steps within an epoch"),
        Series(id="train-on-batch", label="model.train_on_batch in a loop"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=32, n_samples=640, params={"net": "cnn"}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=9.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=(100 if batch_size == 32 else 30) * batch_size,
                    params={"net": net}, n_blocks=20, steady_limit_s=4.0, headline=batch_size == 32,
                    estimate_s={"cnn": 19.0, "mlp": 9.0}[net] * (1 if batch_size == 32 else 2), sweep="backends")
            for net in ("cnn", "mlp") for batch_size in (32, 512)
        ),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("raw", "fit", "train-on-batch"),))


def measure(study: Any) -> None:
    """Check that both sides compute the same losses, then time blocks of their training steps in turn."""
    import numpy as np

    keras, net = study.keras, str(study.variant.params["net"])
    rng = np.random.default_rng(study.seed)
    shape = (8, 8, 1) if net == "cnn" else (N_FEATURES,)
    x = rng.standard_normal((study.variant.n_samples, *shape), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, len(x), dtype=np.int32)
    is_torch_cnn = study.cell.backend == "torch" and net == "cnn"
    rows = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if is_torch_cnn else x  # PyTorch's own layout
    models = {name: build(keras, net, study.cell.backend) for name in ("fit", "train-on-batch")}
    weights = models["fit"].get_weights()
    models["train-on-batch"].set_weights(weights)
    raw = RAW[study.cell.backend](study, net, weights)

    first_s = check_equal_work(study, models["train-on-batch"].train_on_batch, raw, (x, rows, y))
    batch = slice(0, study.cell.batch_size)
    first_s["fit"] = study.fit(models["fit"], Data(x[batch], y[batch]), 1, is_clocked=False).seconds
    rng = np.random.default_rng(study.seed)
    study.take({
        "raw": partial(epoch_by_hand, study, raw, rows, y, N_SKIPPED, rng),
        "fit": partial(epoch_of_fit, study, models["fit"], x, y, N_SKIPPED),
        "train-on-batch": partial(epoch_by_hand, study, models["train-on-batch"].train_on_batch, x, y, N_SKIPPED, rng),
    })  # fmt: skip
    for name, seconds in first_s.items():
        study.first(name, seconds)  # of a step; the clock's own first block was a whole epoch
    model = models["train-on-batch"]
    study.observe(model.weights[0].value, model(x[: study.cell.batch_size]))


def check_equal_work(study: Any, by_keras: Any, raw: Any, data: tuple[Any, Any, Any]) -> dict[str, float]:
    """Take a few steps on both sides and compare the losses; seconds of the first step of each.

    Raises:
        ArithmeticError: the losses differ by more than rounding explains, so the work is not equal.
    """
    x, rows, y = data
    first_s: dict[str, float] = {}
    for index in range(N_COMPARED):
        chosen = slice(index * study.cell.batch_size, (index + 1) * study.cell.batch_size)
        losses = {}
        for name, step, inputs in (("train-on-batch", by_keras, x), ("raw", raw, rows)):
            start = perf_counter()
            losses[name] = float(step(inputs[chosen], y[chosen]))
            first_s.setdefault(name, perf_counter() - start)
        if abs(losses["raw"] - losses["train-on-batch"]) > TOLERANCE * abs(losses["train-on-batch"]):
            raise ArithmeticError(f"the losses of step {index + 1} differ: {losses}")
    return first_s


def build(keras: Any, net: str, backend: str) -> Any:
    """The Keras side: logits of ten classes from (batch, 8, 8, 1) images or (batch, 32) rows.

    Compiled as the raw side is: a graph in TensorFlow, jit in JAX, nothing in PyTorch.
    """
    layers = keras.layers
    if net == "cnn":
        front = [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
        ]
    else:
        front = [keras.Input((N_FEATURES,)), *(layers.Dense(128, activation="relu") for _ in range(3))]
    model = keras.Sequential([*front, layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(RATE, momentum=MOMENTUM),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=backend == "jax",
    )
    return model


def raw_tensorflow(study: Any, net: str, weights: list[Any]) -> Any:
    """A step under tf.function with a GradientTape: host batch in, loss out."""
    tf = study.framework
    variables = [tf.Variable(weight) for weight in weights]
    momenta = [tf.Variable(tf.zeros_like(weight)) for weight in weights]

    def logits(x: Any) -> Any:
        if net == "cnn":
            for kernel, bias in (variables[0:2], variables[2:4]):
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))
            x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID"), (tf.shape(x)[0], -1))
        dense = variables[4:] if net == "cnn" else variables
        for index in range(0, len(dense), 2):
            x = tf.matmul(x, dense[index]) + dense[index + 1]
            x = tf.nn.relu(x) if index < len(dense) - 2 else x
        return x

    @tf.function(reduce_retracing=True)
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x)))
        for variable, momentum, gradient in zip(variables, momenta, tape.gradient(loss, variables), strict=True):
            momentum.assign(MOMENTUM * momentum - RATE * gradient)
            variable.assign_add(momentum)
        return loss

    return step


def raw_jax(study: Any, net: str, weights: list[Any]) -> Any:
    """A jitted value_and_grad step whose state is donated: host batch in, loss out."""
    jax, jnp = study.framework, study.framework.numpy

    def loss_of(values: Any, x: Any, y: Any) -> Any:
        dense = values
        if net == "cnn":
            for index in (0, 2):
                x = jax.lax.conv_general_dilated(
                    x, values[index], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                x = jax.nn.relu(x + values[index + 1])
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            x, dense = x.reshape(len(x), -1), values[4:]
        for index in range(0, len(dense), 2):
            x = x @ dense[index] + dense[index + 1]
            x = jax.nn.relu(x) if index < len(dense) - 2 else x
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1))

    def update(state: Any, x: Any, y: Any) -> Any:
        values, momenta = state
        loss, gradients = jax.value_and_grad(loss_of)(values, x, y)
        momenta = [MOMENTUM * m - RATE * g for m, g in zip(momenta, gradients, strict=True)]
        return ([v + m for v, m in zip(values, momenta, strict=True)], momenta), loss

    compiled = jax.jit(update, donate_argnums=0)
    state = ([jnp.array(weight) for weight in weights], [jnp.zeros_like(weight) for weight in weights])

    def step(x: Any, y: Any) -> Any:
        nonlocal state
        state, loss = compiled(state, x, y)
        return loss

    return step


def raw_torch(study: Any, net: str, weights: list[Any]) -> Any:
    """Modules, zero_grad, backward and step: host batch in PyTorch's own layout in, loss out."""
    torch, nn = study.framework, study.framework.nn
    device = "cpu"
    if study.cell.device == "gpu":
        device = "cuda" if torch.cuda.is_available() else "mps"
    if net == "cnn":
        front = [nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.Conv2d(32, 64, 3, padding="same"), nn.ReLU()]
        sizes = [1024, 128, N_CLASSES]
        front += [nn.MaxPool2d(2), nn.Flatten()]
    else:
        front, sizes = [], [N_FEATURES, 128, 128, 128, N_CLASSES]
    dense = [
        part for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True) for part in (nn.Linear(n_in, n_out), nn.ReLU())
    ]
    model = nn.Sequential(*front, *dense[:-1]).to(device)
    with torch.no_grad():
        for parameter, weight in zip(model.parameters(), as_torch(net, weights), strict=True):
            parameter.copy_(torch.tensor(weight))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    cross_entropy = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(torch.from_numpy(x).to(device)), torch.from_numpy(y).long().to(device))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def as_torch(net: str, weights: list[Any]) -> list[Any]:
    """Keras's weights in PyTorch's layout: output channels first, and pixels flattened channel by channel."""
    import numpy as np

    turned = []
    for index, weight in enumerate(weights):
        if weight.ndim == 4:
            weight = weight.transpose(3, 2, 0, 1)
        elif weight.ndim == 2:
            if net == "cnn" and index == 4:  # rows of this kernel are (row, column, channel) of a 4 x 4 x 64 image
                weight = weight.reshape(4, 4, 64, -1).transpose(2, 0, 1, 3).reshape(1024, -1)
            weight = weight.T
        turned.append(np.ascontiguousarray(weight))
    return turned


RAW = {"tensorflow": raw_tensorflow, "jax": raw_jax, "torch": raw_torch}
