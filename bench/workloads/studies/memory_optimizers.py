"""How much memory an optimizer keeps beside the weights, and what a step takes at most. Pure but for the net.

The state does not depend on the batch: for one number per weight it is the weights once more, for Adam twice. What is
read, and how, is as in ``memory``.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Part, Reading, Variant, Workload
from bench.workloads.studies import memory

N_FEATURES, N_CLASSES = 512, 100
N_STEPS = 3  # measured steps, after a first one that compiles
OPTIMIZERS = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
    "adafactor": ("Adafactor", {}),
}

SPEC = Workload(
    id="memory-optimizers",
    title="Memory by optimizer",
    summary="The same dense net is trained for a few steps with one optimizer or another, and the memory is read.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random rows; memory does not depend on their values",
    readings=(
        Reading(id="weights", label="weights", unit="bytes"),
        Reading(id="optimizer", label="kept by the optimizer", unit="bytes"),
        Reading(id="peak", label="peak of a step, above what was used before the net was built", unit="bytes"),
        Reading(id="peak-first", label="peak with the first step, which compiles", unit="bytes"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=8, n_samples=16, params={"optimizer": "momentum", "width": 256},
                          headline=True, estimate_s=8.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=16, n_samples=64, params={"optimizer": name, "width": 4096},
                    headline=name == "adam", estimate_s=12.0, sweep="memory")
            for name in OPTIMIZERS
        ),
    },
)  # fmt: skip

NAMES = Names(
    parts=(
        Part("sgd", "SGD", "optimizer", "sgd"),
        Part("momentum", "SGD with momentum", "optimizer", "momentum"),
        Part("rmsprop", "RMSprop", "optimizer", "rmsprop"),
        Part("adafactor", "Adafactor", "optimizer", "adafactor"),
    )
)


def measure(study: Any) -> None:
    """Read the bytes of a dense net that is trained through fit with the variant's optimizer."""
    import numpy as np

    keras, size, params = study.keras, study.cell.batch_size, study.variant.params
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.variant.n_samples, N_FEATURES), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, len(x), dtype=np.int32)

    memory.forget_peak(study)
    before = memory.peak_bytes(study) or 0.0  # used now; where the peak cannot be taken back, the peak so far
    model = build(keras, str(params["optimizer"]), int(params["width"]), is_compiled=study.cell.jit == "on")
    model.fit(x[:size], y[:size], batch_size=size, verbose=0)
    memory.read_peak(study, "peak-first", before)
    if memory.forget_peak(study) or study.cell.device == "gpu":  # compiling takes the host's memory, see launch.py
        model.fit(x, y, batch_size=size, verbose=0, steps_per_epoch=min(N_STEPS, len(x) // size))
        memory.read_peak(study, "peak", before)
    study.read("weights", memory.n_bytes(model.weights))
    study.read("optimizer", memory.n_bytes(model.optimizer.variables))
    study.observe(model.weights[0].value, model(x[:size]))


def build(keras: Any, optimizer: str, width: int, *, is_compiled: bool) -> Any:
    """Rows of 512 to a hundred logits through three hidden layers, compiled with an optimizer at its default rate."""
    name, arguments = OPTIMIZERS[optimizer]
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((N_FEATURES,)), *hidden, keras.layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=getattr(keras.optimizers, name)(**arguments),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=is_compiled,
    )
    return model
