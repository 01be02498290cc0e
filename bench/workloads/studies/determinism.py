"""What it costs to make training repeat itself bit by bit, and whether it does so anyway. Pure but for the nets.

Sums whose parts arrive in another order end in other bits. Each backend has switches that forbid such operations.
TensorFlow cannot take its switch back within a process, so the runs without it always come first.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Reading, Series, Variant, Workload

N_CLASSES = 10
N_WORDS, LENGTH = 1_000, 64
N_STEPS = 10  # of each of the two trainings that are compared
RATE = 0.01

SPEC = Workload(
    id="determinism",
    title="Bitwise repeatable training",
    summary="A net is trained twice from the same seed, without and with the backend's switches for determinism.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images or word numbers; the same for both trainings",
    series=(Series(id="off", label="training step, switches off"), Series(id="on", label="training step, switches on")),
    readings=(
        Reading(id="equal-off", label="same bits twice, switches off", unit="count"),
        Reading(id="equal-on", label="same bits twice, switches on", unit="count"),
        Reading(id="difference-off", label="largest difference of two weights, switches off", unit="ratio"),
        Reading(id="difference-on", label="largest difference of two weights, switches on", unit="ratio"),
        Reading(
            id="same-order", label="fit after set_random_seed: the same order of rows in every epoch", unit="count"
        ),
        Reading(
            id="same-order-unseeded", label="fit without a seed: the same order of rows in every epoch", unit="count"
        ),
        Reading(id="time-ratio", label="step with the switches on over step with them off", unit="ratio"),
    ),
    variants={
        "smoke": tuple(Variant(mode="study", batch_size=8, n_samples=80, params={"net": net}, n_blocks=3,
                               steady_limit_s=0.2, headline=net == "cnn", estimate_s=10.0)
                       for net in ("cnn", "embedding")),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=N_STEPS * batch_size, params={"net": net},
                    n_blocks=20, steady_limit_s=4.0, headline=batch_size == 32,
                    estimate_s=16.0 if batch_size == 32 else 60.0, sweep="determinism")
            for net in ("cnn", "embedding") for batch_size in (32, 256)
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Train twice from one seed and time the step, first with the switches off, then with them on."""
    import numpy as np

    rng = np.random.default_rng(study.seed)
    net, n = str(study.variant.params["net"]), study.variant.n_samples
    x = (
        rng.standard_normal((n, 32, 32, 3), dtype=np.float32)
        if net == "cnn"
        else rng.integers(0, N_WORDS, (n, LENGTH), dtype=np.int32)
    )
    y = rng.integers(0, N_CLASSES, n, dtype=np.int32)
    study.read("same-order-unseeded", float(is_same_order(study.keras)))  # the worker seeds all but TensorFlow
    study.keras.utils.set_random_seed(study.seed)
    study.read("same-order", float(is_same_order(study.keras)))
    for state in ("off", "on"):
        if state == "on":
            switch_on(study)
        weights = [trained(study, net, state, x, y)[1] for _ in range(2)]
        study.read(f"equal-{state}", float(same_bits(*weights)))
        study.read(f"difference-{state}", largest_difference(*weights))
        step, _ = trained(study, net, state, x, y, n_steps=0)
        study.time({state: lambda step=step: step(x[: study.cell.batch_size], y[: study.cell.batch_size])})
    study.read("time-ratio", study.median_s("on") / study.median_s("off"))
    tensor = study.keras.ops.convert_to_tensor(weights[1][0])
    study.observe(tensor, study.keras.ops.add(tensor, tensor))


def switch_on(study: Any) -> None:
    """The backend's switches. JAX has one that is an option of each compilation; see ``stepper``."""
    import os

    if study.cell.backend == "tensorflow":
        study.framework.config.experimental.enable_op_determinism()
    elif study.cell.backend == "torch":
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # what PyTorch asks for before it promises anything on CUDA
        study.framework.use_deterministic_algorithms(True)
        study.framework.backends.cudnn.deterministic = True


def trained(study: Any, net: str, state: str, x: Any, y: Any, n_steps: int = N_STEPS) -> tuple[Any, list[Any]]:
    """A step function, and the weights on the host after some steps from the run's seed."""
    study.keras.utils.set_random_seed(study.seed)
    model = build(study.keras, net)
    step, weights = stepper(study, model, state)
    size = study.cell.batch_size
    for index in range(n_steps):
        chosen = slice(index * size, (index + 1) * size)
        step(x[chosen], y[chosen])
    return step, weights()


def stepper(study: Any, model: Any, state: str) -> tuple[Any, Any]:
    """A training step from host arrays to the loss, and a function that gives the weights as NumPy arrays.

    Keras's own step, but in JAX: its switch is an option of the compiler, which only an own jit can hand over.
    """
    import numpy as np

    keras = study.keras
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if study.cell.backend != "jax":
        model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss_of, jit_compile=False)
        return model.train_on_batch, lambda: [np.array(weight) for weight in model.get_weights()]
    jax = study.framework

    def update(values: Any, x: Any, y: Any) -> Any:
        def of(values: Any) -> Any:
            return loss_of(y, model.stateless_call(values, [], x, training=True)[0])

        loss, gradients = jax.value_and_grad(of)(values)
        return [value - RATE * gradient for value, gradient in zip(values, gradients, strict=True)], loss

    options = {"xla_gpu_deterministic_ops": True} if state == "on" else {}
    compiled = jax.jit(update, donate_argnums=0, compiler_options=options)
    held = [[jax.numpy.array(weight.value) for weight in model.trainable_variables]]

    def step(x: Any, y: Any) -> Any:
        held[0], loss = compiled(held[0], x, y)
        return loss

    return step, lambda: [np.array(value) for value in held[0]]


def same_bits(first: list[Any], second: list[Any]) -> bool:
    """Whether two lists of arrays are equal bit by bit: unlike ``==``, this tells 0 from -0 and NaN equals itself."""
    return len(first) == len(second) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(first, second, strict=True)
    )


def largest_difference(first: list[Any], second: list[Any]) -> float:
    """Largest absolute difference between entries of two lists of arrays of equal shapes."""
    import numpy as np

    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def is_same_order(keras: Any) -> bool:
    """Whether fit goes through the rows in the same order in each of three epochs; by default it shuffles them.

    The loss of a batch is the mean of its row numbers, whatever the weights, so losses tell which rows it had.
    """
    import numpy as np

    losses: list[float] = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            losses.append(float(logs["loss"]))

    def row_number(truth: Any, output: Any) -> Any:
        return keras.ops.mean(truth + 0 * output, axis=-1)

    n, size, n_epochs = 64, 8, 3
    rows = np.arange(n, dtype=np.float32)[:, None]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss=row_number, optimizer="sgd", jit_compile=False if keras.backend.backend() != "jax" else "auto")
    model.fit(rows, rows, batch_size=size, epochs=n_epochs, verbose=0, callbacks=[Losses()])
    epochs = np.reshape(losses, (n_epochs, n // size))
    return bool((epochs == epochs[0]).all())


def build(keras: Any, net: str) -> Any:
    """Logits of ten classes from images (batch, 32, 32, 3), or from words (batch, 64).

    The second net's gradient adds up many rows into one of its table, which is where a GPU's order may vary.
    """
    layers = keras.layers
    if net == "cnn":
        front = [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
        ]
    else:
        front = [keras.Input((LENGTH,), dtype="int32"), layers.Embedding(N_WORDS, 64), layers.GlobalAveragePooling1D()]
    return keras.Sequential([*front, layers.Dense(128, activation="relu"), layers.Dense(N_CLASSES)])
