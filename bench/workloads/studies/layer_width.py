"""A dense net whose layers are a multiple of 64 wide, of 8, of 4, or odd: one training step of each, in turn. Pure.

Units for matrices work on tiles. A width that is no multiple of the tile leaves the last one partly empty, or makes
the library choose a slower way; on GPUs of some years sixteen-bit products use the tensor units only for multiples
of eight.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Precision, Reading, Series, Variant, Workload

N_LAYERS, N_CLASSES = 3, 8
RATE = 1e-4  # small, so that no net diverges however long it is timed
# Columns taken from the full width, by series; the full width is a multiple of 64.
LESS = {"multiple-64": 0, "multiple-8": 8, "multiple-4": 12, "odd": 7}
SIXTEEN_BITS: tuple[Precision, ...] = ("mixed_bfloat16", "mixed_float16")

SPEC = Workload(
    id="layer-width",
    title="Widths that are multiples of eight",
    summary="A dense net with three hidden layers is trained, at widths that differ by less than one in sixty.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random rows and classes; only speed is asked",
    series=(
        Series(id="multiple-64", label="layers of the full width, a multiple of 64"),
        Series(id="multiple-8", label="layers 8 narrower, a multiple of 8"),
        Series(id="multiple-4", label="layers 12 narrower, a multiple of 4"),
        Series(id="odd", label="layers 7 narrower, an odd width"),
    ),
    readings=tuple(
        Reading(id=f"per-flop-{name}", label=f"time per operation, over that of the full width: {label}", unit="ratio")
        for name, label in (("multiple-8", "8 narrower"), ("multiple-4", "12 narrower"), ("odd", "7 narrower"))
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=8, n_samples=8, params={"width": 64}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=9.0),),
        "quick": (),
        "reference": (
            Variant(mode="study", batch_size=256, n_samples=256, params={"width": 1024}, n_blocks=30,
                    steady_limit_s=6.0, headline=True, estimate_s=45.0, devices=("cpu",),
                    more_precisions=("mixed_bfloat16",), sweep="width"),
            # Of a size that keeps a GPU busy.
            Variant(mode="study", batch_size=4096, n_samples=4096, params={"width": 4096}, n_blocks=30,
                    steady_limit_s=6.0, headline=True, estimate_s=45.0, devices=("gpu",),
                    more_precisions=("tf32", *SIXTEEN_BITS), sweep="width"),
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time training steps at each width in turn, on data that lies on the device."""
    from functools import partial
    from time import perf_counter

    import numpy as np

    keras, size, full = study.keras, study.cell.batch_size, int(study.variant.params["width"])
    rng = np.random.default_rng(study.seed)
    y = keras.ops.convert_to_tensor(rng.integers(0, N_CLASSES, size, dtype=np.int32))
    steps: dict[str, Any] = {}
    first_s: dict[str, float] = {}
    for name, less in LESS.items():
        width = full - less
        model = build(keras, width, is_compiled=study.cell.backend == "jax")
        x = keras.ops.convert_to_tensor(rng.standard_normal((size, width), dtype=np.float32))
        steps[name] = partial(model.train_on_batch, x, y)
        start = perf_counter()
        steps[name]()
        first_s[name] = perf_counter() - start
    study.time(steps)
    for name, seconds in first_s.items():
        study.first(name, seconds)  # the clock's own first call was the second one
    for name, step in steps.items():
        if not np.isfinite(np.asarray(step(), dtype=np.float64)).all():
            raise FloatingPointError(f"the loss at {name} is not finite")
    seconds_per_flop = {name: study.median_s(name) / flop(full - less, size) for name, less in LESS.items()}
    for name in LESS:
        if name != "multiple-64":
            study.read(f"per-flop-{name}", seconds_per_flop[name] / seconds_per_flop["multiple-64"])
    study.observe(model.weights[0].value, model(x))


def build(keras: Any, width: int, *, is_compiled: bool) -> Any:
    """Rows (batch, width) to eight logits through three hidden layers of that width."""
    hidden = [keras.layers.Dense(width, activation="relu") for _ in range(N_LAYERS)]
    model = keras.Sequential([keras.Input((width,)), *hidden, keras.layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=is_compiled,
    )
    return model


def flop(width: int, batch_size: int) -> float:
    """Operations of a step: two per weight and sample forward, as many for each of the gradients needed.

    The gradient of the first layer's input is not needed.
    """
    products = N_LAYERS * width * width + width * N_CLASSES
    return batch_size * (6.0 * products - 2.0 * width * width)
