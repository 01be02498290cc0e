"""What a call costs when there is nothing to compute: the smallest operation, function and training step.

A device that computes a thousand times faster still waits for the Python that asks it, so the cost of asking bounds
how fast small work can go anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.schema import Names, Series, Variant, Workload

N_STEPS = 200  # of one epoch of fit: enough for its start to vanish in the mean

SPEC = Workload(
    id="dispatch",
    title="Cost of asking",
    summary="One addition of two numbers, and one training step of a model with one neuron, are asked for in turn.",
    kind="study",
    sample_noun="calls",
    data_source="one row of one number; only speed is asked",
    series=(
        Series(id="numpy", label="NumPy, one addition"),
        Series(id="operation", label="the backend, one addition"),
        Series(id="keras-operation", label="keras.ops.add"),
        Series(id="compiled", label="one addition in a compiled function"),
        Series(id="train-on-batch", label="train_on_batch, one neuron"),
        Series(id="fit-step", label="one step of fit, one neuron"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, n_blocks=3, steady_limit_s=0.3, headline=True,
                          estimate_s=9.0),),
        "quick": (),
        "reference": (Variant(mode="study", batch_size=1, n_samples=1, n_blocks=30, steady_limit_s=8.0,
                              headline=True, estimate_s=40.0, more_threads=(1,), sweep="threads"),),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("numpy", "operation", "keras-operation", "compiled"),))


def measure(study: Any) -> None:
    """Time single additions of tensors of shape (1,) and single training steps on one row of shape (1, 1)."""
    import numpy as np

    keras = study.keras
    small = np.ones((1,), np.float32)
    left, right = keras.ops.convert_to_tensor(small), keras.ops.convert_to_tensor(small)
    x = np.ones((N_STEPS, 1), np.float32)
    row = x[:1]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss="mse", jit_compile=study.cell.backend == "jax")
    arms: dict[str, Callable[[], Any]] = {
        "numpy": lambda: small + small,
        "operation": lambda: left + right,
        "keras-operation": lambda: keras.ops.add(left, right),
        "train-on-batch": lambda: model.train_on_batch(row, row),
    }
    if study.cell.backend != "torch":  # torch.compile needs a C++ compiler on the machine
        wrap = study.framework.function if study.cell.backend == "tensorflow" else study.framework.jit
        add = wrap(lambda a, b: a + b)
        arms["compiled"] = lambda: add(left, right)
    study.time(arms)
    study.take({"fit-step": lambda: study.epochs(model, x, x, n_steps=len(x), batch_size=1)})
    study.observe(model.weights[0].value, left + right)
