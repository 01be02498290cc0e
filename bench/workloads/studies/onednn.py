"""TensorFlow with its library oneDNN and without, in turns: the same nets, trained by two processes that wait between.

TensorFlow reads TF_ENABLE_ONEDNN_OPTS once, when it starts, so each setting needs a process of its own. Both have the
same seed and the same data; only one works at a time. Impure: starts processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import IO, Any

from bench.schema import Block, Names, Part, Reading, Series, Variant, Workload
from bench.workloads.parts import fits, served

SETTINGS = {"on": "1", "off": "0"}
COMMAND = served.module(__name__)
N_CLASSES = 10
N_TOKENS, LENGTH, N_DIMENSIONS = 50_000, 32, 64  # of the look-ups
BLOCK_S = 0.3
RATE = 1e-3
# Losses of a first epoch; sums run in another order, so the last digits differ, and a few steps carry that on.
TOLERANCE = 1e-3

SPEC = Workload(
    id="onednn",
    title="oneDNN on and off in TensorFlow",
    summary="Three small nets are trained by TensorFlow with oneDNN and without, block by block in turn.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images, rows and tokens; only speed is asked",
    series=(Series(id="on", label="step with oneDNN, the default"), Series(id="off", label="step without oneDNN")),
    readings=(Reading(id="loss-gap", label="first loss without oneDNN, apart from the one with it", unit="frac"),),
    variants={
        "smoke": (
            Variant(mode="study", batch_size=8, n_samples=16, params={"net": "dense"}, n_blocks=3,
                    steady_limit_s=0.5, headline=True, estimate_s=20.0, backends=("tensorflow",), devices=("cpu",)),
        ),
        "quick": (),
        # Steps of an epoch: enough that what fit does between epochs does not count.
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=n_steps * batch_size, params={"net": net},
                    n_blocks=20, steady_limit_s=8.0, headline=net == "convolutions", estimate_s=35.0,
                    backends=("tensorflow",), devices=("cpu",), more_threads=(1,), sweep="onednn")
            for net, batch_size, n_steps in (("convolutions", 32, 16), ("dense", 32, 128), ("look-ups", 1024, 32))
        ),
    },
)  # fmt: skip

NAMES = Names(
    parts=(Part("dense", "dense layers", "net", "dense"), Part("look-ups", "look-ups in a table", "net", "look-ups")),
    alternatives=(("on", "off"),),
)


def measure(study: Any) -> None:
    """Train a block in one process, then one in the other, in shuffled rounds.

    Raises:
        RuntimeError: a process ended early, or the two disagree on the loss by more than rounding explains.
    """
    request = request_of(study)
    with ExitStack() as stack:
        trainers = {name: stack.enter_context(trainer(name, request)) for name in SETTINGS}
        losses = {name: served.ask(process, 1)["loss"] for name, process in trainers.items()}
        gap = abs(losses["off"] / losses["on"] - 1)
        if not gap <= TOLERANCE:
            raise RuntimeError(f"the first losses, {losses['on']:.6g} and {losses['off']:.6g}, are not of one net")
        study.read("loss-gap", gap)
        study.take({name: Arm(process).block for name, process in trainers.items()})
    one = study.keras.ops.ones((1,))
    study.observe(one, one)


def request_of(study: Any) -> dict[str, Any]:
    """What a process is told of the net that it trains, how, and on how many threads."""
    return {
        "net": str(study.variant.params["net"]),
        "batch_size": study.cell.batch_size,
        "n_samples": study.variant.n_samples,
        "n_threads": study.cell.threads,
        "jit": study.cell.jit == "on",
        "seed": study.seed,
    }


class Arm:
    """Blocks of about ``BLOCK_S`` of one process that trains epochs when asked."""

    def __init__(self, process: subprocess.Popen) -> None:
        """Args:
        process: one that serves epochs, see ``served``.
        """
        self._process, self._n_epochs = process, 1

    def block(self) -> Block:
        """Whole epochs: as many as fill a block's time at the pace of this arm's last one."""
        told = served.ask(self._process, self._n_epochs)
        self._n_epochs = max(1, round(BLOCK_S * self._n_epochs / told["seconds"]))
        return Block(n_steps=told["n_steps"], seconds=told["seconds"])


def trainer(setting: str, request: dict[str, Any]) -> AbstractContextManager[subprocess.Popen]:
    """A process that has built the net under a setting and waits."""
    return served.serving(COMMAND, request, {"TF_ENABLE_ONEDNN_OPTS": SETTINGS[setting]}, f"with oneDNN {setting}")


def serve(request: dict[str, Any], asked: IO[str], told: IO[str]) -> None:
    """Train as many epochs as each line asks for, and tell steps, seconds and the loss of the last epoch."""
    import keras

    trained = Trained(keras, request)
    for line in asked:
        served.answer(told, trained.epochs(int(line)))


class Trained:
    """The net of a request with its rows, trained by whole epochs."""

    def __init__(self, keras: Any, request: dict[str, Any]) -> None:
        """Args:
        keras: the imported module; nothing has been computed by it yet.
        request: see ``request_of``.
        """
        self._keras, size = keras, request["batch_size"]
        is_tensorflow = keras.backend.backend() == "tensorflow"
        if is_tensorflow:
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(request["n_threads"])
            tensorflow.config.threading.set_inter_op_parallelism_threads(request["n_threads"])
        keras.utils.set_random_seed(request["seed"])
        x, y = data(request["net"], request["n_samples"], request["seed"])
        self.model = build(keras, request["net"], jit=request["jit"])
        self.n_steps = len(x) // size
        if is_tensorflow:
            self.fit = partial(self.model.fit, fits.untuned(tensorflow, x, y, size), verbose=0)
        else:
            self.fit = partial(self.model.fit, x, y, batch_size=size, verbose=0)

    def epochs(self, n: int) -> dict[str, Any]:
        """Train ``n`` epochs: steps, seconds from the first one's begin to the last one's end, and the last loss."""
        # No wait for the device: this is the CPU, and fit has read the last step's loss when an epoch ends.
        marks = fits.marks(self._keras, lambda: None)
        losses = self.fit(epochs=n, callbacks=[marks])
        return {
            "n_steps": n * self.n_steps,
            "seconds": marks.ended_s - marks.begun_s,
            "loss": float(losses.history["loss"][-1]),
        }


def data(net: str, n: int, seed: int) -> tuple[Any, Any]:
    """Images (n, 32, 32, 3), rows (n, 128) or tokens (n, 32), and classes (n,)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    y = rng.integers(0, N_CLASSES, n).astype(np.int32)
    if net == "look-ups":
        return rng.integers(0, N_TOKENS, (n, LENGTH)).astype(np.int32), y
    shape = (n, 32, 32, 3) if net == "convolutions" else (n, 128)
    return rng.standard_normal(shape, dtype=np.float32), y


def build(keras: Any, net: str, *, jit: bool) -> Any:
    """A small net to ten logits, compiled with plain gradient descent."""
    layers = keras.layers
    if net == "convolutions":
        parts = [keras.Input((32, 32, 3))]
        for n_filters in (32, 64, 128):
            parts += [layers.Conv2D(n_filters, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        parts.append(layers.GlobalAveragePooling2D())
    elif net == "look-ups":
        parts = [keras.Input((LENGTH,), dtype="int32"), layers.Embedding(N_TOKENS, N_DIMENSIONS)]
        parts.append(layers.GlobalAveragePooling1D())
    else:
        parts = [keras.Input((128,)), *(layers.Dense(128, activation="relu") for _ in range(2))]
    model = keras.Sequential([*parts, layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    return model


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]), sys.stdin, sys.stdout)
