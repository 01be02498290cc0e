"""Four ways to ask one small network for predictions, timed call by call. Pure but for the network it builds.

What a call costs beyond its arithmetic is the same for a small batch and a large one, so a loop over single samples
pays it every time. ``predict`` is made for whole data sets; a compiled call is what a loop should use.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Series, Variant, Workload

WIDTH, N_FEATURES = 256, 32

SPEC = Workload(
    id="call-styles",
    title="Calling a model",
    summary="A small dense network is asked for predictions in four ways, one call at a time.",
    kind="study",
    sample_noun="calls",
    data_source="seeded random rows; only speed is asked",
    series=(
        Series(id="predict", label="model.predict(x)"),
        Series(id="predict-on-batch", label="model.predict_on_batch(x)"),
        Series(id="call", label="model(x), not compiled"),
        Series(id="compiled", label="model(x) compiled (PyTorch: in inference mode)"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, n_blocks=5, steady_limit_s=1.0, headline=True),),
        "quick": (Variant(mode="study", batch_size=1, n_samples=1, n_blocks=30, steady_limit_s=2.0, headline=True),),
        "reference": tuple(Variant(mode="study", batch_size=batch_size, n_samples=batch_size, n_blocks=200,
                                   steady_limit_s=8.0, headline=batch_size == 1, estimate_s=11.0)
                           for batch_size in (1, 8, 64, 1024)),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("predict", "predict-on-batch", "call", "compiled"),))


def measure(study: Any) -> None:
    """Time single calls of each style on one batch of shape (batch_size, 32)."""
    import numpy as np

    keras = study.keras
    layers = [keras.layers.Dense(WIDTH, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((N_FEATURES,)), *layers, keras.layers.Dense(1)])
    model.compile(jit_compile=study.cell.backend == "jax")
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.cell.batch_size, N_FEATURES), dtype=np.float32)
    compiled = compiled_call(study, model)
    study.time(
        {
            "predict": lambda: model.predict(x, verbose=0),
            "predict-on-batch": lambda: model.predict_on_batch(x),
            "call": lambda: model(x, training=False),
            "compiled": lambda: compiled(x),
        },
        block_s=0.0,
    )
    study.observe(model.weights[0].value, model(x))


def compiled_call(study: Any, model: Any) -> Any:
    """The model's forward pass, compiled in the backend's own idiom: host array in, device tensor out."""
    if study.cell.backend == "tensorflow":
        return study.framework.function(lambda x: model(x, training=False), reduce_retracing=True)
    if study.cell.backend == "jax":
        weights = [study.framework.numpy.array(weight.value) for weight in model.trainable_variables]  # predict donates
        forward = study.framework.jit(lambda values, x: model.stateless_call(values, [], x, training=False)[0])
        return lambda x: forward(weights, x)

    def without_gradients(x: Any) -> Any:
        with study.framework.inference_mode():
            return model(x, training=False)

    return without_gradients  # torch.compile needs a C++ compiler on the machine; inference_mode needs nothing
