"""One GPU against several: the same total batch shared by them, and a full batch for each. Pure but for the nets.

Each process times three models in turn on one machine: on one device, on n devices with the same total batch (strong
scaling), and on n devices with n times the batch (weak scaling). JAX goes through ``keras.distribution.DataParallel``,
TensorFlow through ``tf.distribute.MirroredStrategy``; Keras has no data parallelism for PyTorch.
"""

from __future__ import annotations

from contextlib import nullcontext
from time import perf_counter
from typing import Any

from bench.schema import Block, DataUnavailableError, Reading, Series, Variant, Workload

N_CLASSES = 10
N_SKIPPED = 5  # steps at the start of an epoch that are not timed: fit prepares its data there
N_COMPARED = 3
TOLERANCE = 1e-3  # of the loss after some steps; sums in another order stay far below
COUNTS = (2, 4, 8)  # GPUs; the plan skips those that a machine lacks
# Of each net: pixels, channels, batch of one device, steps of an epoch.
NETS = {"small": (28, 1, 128, 105), "resnet50": (224, 3, 64, 20)}

SPEC = Workload(
    id="multi-gpu",
    title="Several GPUs",
    summary="A net is trained on one GPU and on several, with the same total batch and with a full batch for each GPU.",
    kind="study",
    sample_noun="images",
    data_source="seeded random bytes as images and random classes; only speed is asked, and losses are compared",
    series=(
        Series(id="one", label="one GPU"),
        Series(id="strong", label="all GPUs, the same total batch"),
        Series(id="weak", label="all GPUs, a full batch for each"),
    ),
    readings=(Reading(id="devices", label="GPUs that hold the weights", unit="count"),),
    variants={
        "smoke": (Variant(mode="study", batch_size=32, n_samples=320, params={"net": "small", "gpus": 2},
                          n_blocks=3, steady_limit_s=0.3, headline=True, estimate_s=20.0, devices=("gpu",)),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=batch_size * n_steps,
                    params={"net": net, "gpus": n}, n_blocks=10, steady_limit_s=10.0 if net == "resnet50" else 4.0,
                    headline=n == 2, estimate_s=120.0 if net == "resnet50" else 40.0, devices=("gpu",), sweep="gpus")
            for n in COUNTS for net, (_, _, batch_size, n_steps) in reversed(NETS.items())
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Train on one device and on n until the losses agree, then time steps of all three ways in turn.

    Raises:
        DataUnavailableError: the backend has no data parallelism in Keras, or the process sees too few devices.
        ArithmeticError: the losses differ by more than rounding explains, so the work is not equal.
    """
    import numpy as np

    net, n, batch = str(study.variant.params["net"]), int(study.variant.params["gpus"]), study.cell.batch_size
    names = device_names(study, n)
    image_px, channels, _, _ = NETS[net]
    rng = np.random.default_rng(study.seed)
    x = rng.integers(0, 256, (study.variant.n_samples, image_px, image_px, channels), dtype=np.uint8)
    y = rng.integers(0, N_CLASSES, len(x), dtype=np.int32)
    many = np.concatenate([x] * n), np.concatenate([y] * n)
    arms = {
        "one": (Trainer(study, net, []), x, y, batch),
        "strong": (Trainer(study, net, names), x, y, batch),
        "weak": (Trainer(study, net, names), *many, batch * n),
    }
    losses = {name: first_losses(study, name, *arm) for name, arm in arms.items()}
    # Batch normalisation sees a device's share of the batch in TensorFlow: with it the losses differ rightly.
    if net == "small" and not np.allclose(losses["one"], losses["strong"], rtol=TOLERANCE):
        raise ArithmeticError(f"the losses differ between one device and {n}: {losses}")
    study.read("devices", min(arms[name][0].n_devices() for name in ("strong", "weak")))
    study.take({name: lambda arm=arm: arm[0].epoch(*arm[1:]) for name, arm in arms.items()})
    model = arms["one"][0].model
    study.observe(model.weights[0].value, model(x[:1]))


def device_names(study: Any, n: int) -> list[str]:
    """The first n devices of the cell's kind as Keras names them: "gpu:0", "gpu:1".

    Raises:
        DataUnavailableError: Keras cannot spread a model over devices in this backend, or there are fewer.
    """
    try:
        names = study.keras.distribution.list_devices(study.cell.device)
    except (AttributeError, NotImplementedError):
        raise DataUnavailableError(
            f"Keras {study.keras.__version__} has no data parallelism for {study.cell.backend}: "
            "keras.distribution works on JAX, tf.distribute on TensorFlow"
        ) from None
    if len(names) < n:
        raise DataUnavailableError(f"{n} GPUs are needed, this process sees {len(names)}")
    return list(names[:n])


class Trainer:
    """One model and the devices that it is trained on; every call on it happens in their scope."""

    def __init__(self, study: Any, net: str, names: list[str]) -> None:
        """``names`` are the devices; empty for the backend's default one, without any distribution."""
        self.study, self._names, self._scope = study, names, nullcontext
        if names and study.cell.backend == "jax":
            self._scope = study.keras.distribution.DataParallel(devices=names, auto_shard_dataset=False).scope
        elif names:
            self._scope = study.framework.distribute.MirroredStrategy([name.upper() for name in names]).scope
        study.keras.utils.set_random_seed(study.seed)  # equal weights at the start
        with self._scope():
            self.model = build(study.keras, net, study.cell.backend)

    def n_devices(self) -> int:
        """Devices that hold a copy of the first weight."""
        value = self.model.weights[0].value
        if self.study.cell.backend == "jax":
            return len(value.sharding.device_set)
        return len({copy.device for copy in getattr(value, "values", (value,))})

    def fit(self, x: Any, y: Any, batch_size: int, **options: Any) -> Any:
        """``model.fit`` over the rows in their order, once."""
        options = {"epochs": 1, "verbose": 0, "shuffle": False} | options
        scope = self._scope if self.study.cell.backend == "jax" else nullcontext  # TensorFlow's model remembers
        with scope():
            return self.model.fit(x, y, batch_size=batch_size, **options)

    def epoch(self, x: Any, y: Any, batch_size: int) -> Block:
        """One epoch without its first steps. A per-step callback would make Keras fetch the loss each time."""
        n_steps, times, study = len(x) // batch_size, [], self.study

        class StepList(study.keras.callbacks.CallbackList):  # type: ignore[name-defined]
            n_done = 0

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                super().on_train_batch_end(batch, logs)
                self.n_done += 1
                if self.n_done in (N_SKIPPED, n_steps):
                    study.sync(logs["loss"])
                    times.append(perf_counter())

        callbacks = StepList(add_history=True, model=self.model, epochs=1, verbose=0, steps=n_steps)
        self.fit(x, y, batch_size, callbacks=callbacks)
        return Block(n_steps=n_steps - N_SKIPPED, seconds=times[1] - times[0])


def first_losses(study: Any, name: str, trainer: Trainer, x: Any, y: Any, batch_size: int) -> list[float]:
    """Losses of a few single steps over the first batch; the seconds of the first are kept as the arm's first call."""
    losses = []
    for index in range(N_COMPARED):
        start = perf_counter()
        history = trainer.fit(x[:batch_size], y[:batch_size], batch_size)
        if index == 0:
            study.first(name, perf_counter() - start)
        losses.append(float(history.history["loss"][-1]))
    return losses


def build(keras: Any, net: str, backend: str) -> Any:
    """Logits of ten classes from (batch, px, px, channels) bytes; ResNet-50, or a small convnet without normalisation.

    Compiled alike on one device and on several: Keras switches XLA off under ``tf.distribute``.
    """
    layers, (image_px, channels, _, _) = keras.layers, NETS[net]
    images = keras.Input((image_px, image_px, channels), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(images)
    if net == "resnet50":
        base = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(image_px, image_px, channels))
        x = layers.GlobalAveragePooling2D()(base(x))
    else:
        for filters in (32, 64):
            x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, activation="relu")(x))
        x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    model = keras.Model(images, layers.Dense(N_CLASSES)(x))
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=backend == "jax",
    )
    return model
