"""What fit adds to a tiny model's step: progress bar, callback, metrics, and steps per execution.

The same two dense layers are also trained by the backend's own loop, without Keras, on the same NumPy batches.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from time import perf_counter
from typing import Any

from bench.schema import Block, Names, Series, Variant, Workload

N_FEATURES, WIDTH = 16, 32
LEARNING_RATE = 1e-3
STEPS_PER_EXECUTION = (10, 100)
METRICS = ["mae", "mape", "msle", "cosine_similarity"]

SPEC = Workload(
    id="fit-overhead",
    title="What fit costs",
    summary="A tiny dense network is trained through fit with and without extras, and by a loop without Keras.",
    kind="study",
    sample_noun="rows",
    data_source="seeded random rows; only speed is asked",
    series=(
        Series(id="fit", label="fit, verbose=0"),
        Series(id="progress-bar", label="fit, verbose=1 (its text is formatted and thrown away)"),
        Series(id="callback", label="fit with a callback on every batch"),
        Series(id="metrics", label="fit with four metrics"),
        Series(id="execution-10", label="fit, steps_per_execution=10"),
        Series(id="execution-100", label="fit, steps_per_execution=100"),
        Series(id="train-on-batch", label="a loop over train_on_batch"),
        Series(id="bare", label="a loop without Keras"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=32, n_samples=640, n_blocks=3, steady_limit_s=0.3,
                          headline=True, estimate_s=10.0),),
        "quick": (),
        "reference": (Variant(mode="study", batch_size=32, n_samples=6_400, n_blocks=20, steady_limit_s=8.0,
                              headline=True, estimate_s=24.0),),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("fit", "execution-10", "execution-100", "train-on-batch", "bare"),))


def measure(study: Any) -> None:
    """Time epochs of n_samples / batch_size steps each on rows of shape (n_samples, 16)."""
    import numpy as np

    keras = study.keras
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.cell.n_samples, N_FEATURES), dtype=np.float32)
    y = x[:, :1].copy()
    model = build_model(study)

    class EveryBatch(keras.callbacks.Callback):  # type: ignore[name-defined]
        n_batches = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.n_batches += 1

    arms: dict[str, Callable[[], Block]] = {
        "fit": partial(fit_epoch, study, model, x, y),
        "progress-bar": partial(fit_epoch, study, model, x, y, verbose=1),
        "callback": partial(fit_epoch, study, model, x, y, callbacks=[EveryBatch()]),
        "metrics": partial(fit_epoch, study, build_model(study, metrics=METRICS), x, y),
        "train-on-batch": partial(loop_epoch, study, model.train_on_batch, x, y),
        "bare": partial(loop_epoch, study, bare_step(study), x, y),
    }
    if study.cell.backend != "torch":  # Keras allows one step per execution only
        for n in STEPS_PER_EXECUTION:
            arms[f"execution-{n}"] = partial(fit_epoch, study, build_model(study, steps_per_execution=n), x, y)
    study.take(arms)
    study.observe(model.weights[0].value)


def build_model(study: Any, **options: Any) -> Any:
    """Two dense layers, 16 to 32 to 1, compiled with plain gradient descent on the squared error."""
    keras = study.keras
    model = keras.Sequential(
        [keras.Input((N_FEATURES,)), keras.layers.Dense(WIDTH, activation="relu"), keras.layers.Dense(1)]
    )
    jit_compile = study.cell.backend == "jax"
    model.compile(optimizer=keras.optimizers.SGD(LEARNING_RATE), loss="mse", jit_compile=jit_compile, **options)
    return model


class Terminal(io.StringIO):
    """A text stream that passes for a terminal and keeps nothing."""

    def isatty(self) -> bool:
        """So that the progress bar is redrawn as in front of a user."""
        return True

    def write(self, text: str) -> int:
        """Take the text and forget it."""
        return len(text)


def fit_epoch(study: Any, model: Any, x: Any, y: Any, *, verbose: int = 0, callbacks: Any = ()) -> Block:
    """One epoch of fit, from the start of the epoch to its end: what a call costs before and after is left out."""
    size = study.cell.batch_size
    with redirect_stdout(Terminal()):
        return study.epochs(model, x, y, n_steps=len(x) // size, batch_size=size, verbose=verbose, callbacks=callbacks)


def loop_epoch(study: Any, step: Callable[[Any, Any], Any], x: Any, y: Any) -> Block:
    """The same batches in a Python loop; ``step`` returns the loss, or anything that is ready only with it."""
    size = study.cell.batch_size
    loss = None
    start = perf_counter()
    for at in range(0, len(x), size):
        loss = step(x[at : at + size], y[at : at + size])
    study.sync(loss)
    return Block(n_steps=len(x) // size, seconds=perf_counter() - start)


def bare_step(study: Any) -> Callable[[Any, Any], Any]:
    """One training step of the same network in the backend's own words: NumPy batch in, loss tensor out."""
    import numpy as np

    rng = np.random.default_rng(study.seed)
    shapes = ((N_FEATURES, WIDTH), (WIDTH,), (WIDTH, 1), (1,))
    weights = [rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5) for shape in shapes]
    build = {"tensorflow": _tensorflow_step, "jax": _jax_step, "torch": _torch_step}[study.cell.backend]
    return build(study, weights)


def _tensorflow_step(study: Any, weights: list[Any]) -> Callable[[Any, Any], Any]:
    tf = study.framework
    variables = [tf.Variable(weight) for weight in weights]

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            w1, b1, w2, b2 = variables
            loss = tf.reduce_mean((tf.nn.relu(x @ w1 + b1) @ w2 + b2 - y) ** 2)
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(LEARNING_RATE * gradient)
        return loss

    return lambda x, y: step(tf.constant(x), tf.constant(y))


def _jax_step(study: Any, weights: list[Any]) -> Callable[[Any, Any], Any]:
    jax = study.framework
    state = [[jax.numpy.array(weight) for weight in weights]]

    def loss_of(values: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = values
        return ((jax.nn.relu(x @ w1 + b1) @ w2 + b2 - y) ** 2).mean()

    @jax.jit
    def step(values: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(values, x, y)
        return loss, [value - LEARNING_RATE * gradient for value, gradient in zip(values, gradients, strict=True)]

    def call(x: Any, y: Any) -> Any:
        loss, state[0] = step(state[0], x, y)
        return loss, state[0]

    return call


def _torch_step(study: Any, weights: list[Any]) -> Callable[[Any, Any], Any]:
    torch, device = study.framework, study.keras.ops.convert_to_tensor(0.0).device
    parameters = [torch.tensor(weight, device=device, requires_grad=True) for weight in weights]
    optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE)

    def step(x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = parameters
        inputs, answers = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
        loss = ((torch.relu(inputs @ w1 + b1) @ w2 + b2 - answers) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
