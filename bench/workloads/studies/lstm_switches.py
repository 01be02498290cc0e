"""One LSTM layer, and what each of its switches costs in a training step. Pure but for the networks it builds.

On a GPU a recurrent layer runs either as one fused operation or step by step, and an innocent argument decides which.
Each arm differs from the plain layer in one argument; whether the fused operation ran is seen from the operation
itself, because Keras falls back without a word.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Reading, Series, Variant, Workload

N_FEATURES = 64
RATE = 1e-4  # small, so that no arm's loss runs away; speed does not depend on it
REFUSABLE = "mask-left"  # TensorFlow's fused operation refuses padding on the left with an error

# Arguments of the layer by switch; "gru", "bidirectional" and the masks change what is around it instead.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "return-sequences": {"return_sequences": True},
    "go-backwards": {"go_backwards": True},
    "bidirectional": {},
    "gru": {},
    "mask-right": {},
    "mask-left": {},
    "dropout": {"dropout": 0.2},
    "recurrent-dropout": {"recurrent_dropout": 0.2},
    "relu": {"activation": "relu"},
    "no-bias": {"use_bias": False},
    "unroll": {"unroll": True},
    "no-cudnn": {"use_cudnn": False},
}
# What runs the whole walk as one operation, by backend: module and the functions of it that do so.
FUSED = {
    "tensorflow": ("tensorflow.raw_ops", ("CudnnRNNV3", "CudnnRNN")),
    "jax": ("jax.experimental.rnn", ("lstm",)),
    "torch": ("torch._VF", ("lstm", "gru")),
}

LABELS = {
    "plain": "plain LSTM",
    "return-sequences": "return_sequences=True",
    "go-backwards": "go_backwards=True",
    "bidirectional": "Bidirectional (twice the work)",
    "gru": "GRU instead of LSTM",
    "mask-right": "mask, padding on the right",
    "mask-left": "mask, padding on the left",
    "dropout": "dropout=0.2",
    "recurrent-dropout": "recurrent_dropout=0.2",
    "relu": 'activation="relu"',
    "no-bias": "use_bias=False",
    "unroll": "unroll=True",
    "no-cudnn": "use_cudnn=False",
}

SPEC = Workload(
    id="lstm-switches",
    title="Switches of an LSTM layer",
    summary="A network with one LSTM layer is trained step by step, with one argument of the layer changed at a time.",
    kind="study",
    sample_noun="sequences",
    data_source="seeded random sequences, zeros where padded; only speed is asked",
    series=tuple(Series(id=name, label=label) for name, label in LABELS.items()),
    readings=(
        *(Reading(id=f"fused-{name}", label=f"fused path: {label}", unit="count") for name, label in LABELS.items()),
        Reading(id=f"refused-{REFUSABLE}", label=f"ends with an error: {LABELS[REFUSABLE]}", unit="count"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=8, n_samples=8, params={"units": 8, "length": 4}, n_blocks=3,
                          steady_limit_s=0.05, headline=True, estimate_s=15.0),),
        "quick": (),
        "reference": (
            Variant(mode="study", batch_size=64, n_samples=64, params={"units": 128, "length": 64}, n_blocks=10,
                    steady_limit_s=1.5, headline=True, estimate_s=40.0, sweep="recurrent"),
            Variant(mode="study", batch_size=32, n_samples=32, params={"units": 32, "length": 16}, n_blocks=10,
                    steady_limit_s=1.0, headline=True, estimate_s=40.0, sweep="recurrent"),
            Variant(mode="study", batch_size=64, n_samples=64, params={"units": 512, "length": 64}, n_blocks=5,
                    steady_limit_s=1.5, estimate_s=100.0, sweep="recurrent"),
        ),
    },
)  # fmt: skip

NAMES = Names(alternatives=(("plain", "unroll", "no-cudnn"),))


def measure(study: Any) -> None:
    """Time one training step of each switch on one batch of shape (batch_size, length, 64)."""
    from functools import partial
    from time import perf_counter

    import numpy as np

    units, length = (int(study.variant.params[name]) for name in ("units", "length"))
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.cell.batch_size, length, N_FEATURES), dtype=np.float32) / 4
    y = rng.standard_normal((study.cell.batch_size, 1), dtype=np.float32)
    fused = watch_fused(FUSED[study.cell.backend])
    arms: dict[str, Any] = {}
    first_s: dict[str, float] = {}
    for name in ARGUMENTS:
        model = build(study.keras, name, units, length)
        step = partial(model.train_on_batch, padded(x, name), y)
        fused.clear()
        start = perf_counter()
        refused = is_refused(name, step)
        first_s[name] = perf_counter() - start
        if name == REFUSABLE:
            study.read(f"refused-{name}", float(refused))
        if not refused:
            study.read(f"fused-{name}", float(bool(fused)))
            arms[name] = step
    study.time(arms)
    for name, step in arms.items():
        study.first(name, first_s[name])  # the clock's own first call was the second one
        loss = float(np.asarray(step()))
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss of {name} is {loss}")
    study.observe(model.weights[0].value, model(x))


def is_refused(switch: str, step: Any) -> bool:
    """Take a switch's first step: whether the fused operation refuses its padding. Other errors go on."""
    try:
        step()
    except Exception as error:
        if switch != REFUSABLE or "right-padded" not in str(error):
            raise
        return True
    return False


def watch_fused(functions: tuple[str, tuple[str, ...]]) -> list[str]:
    """A list that grows by a name whenever one of a module's functions returns; a call that raises does not count.

    Args:
        functions: a module's name and the names of its functions; those that this release lacks are left out.
    """
    import importlib

    seen: list[str] = []
    parent, _, last = functions[0].rpartition(".")
    module = getattr(importlib.import_module(parent), last, None) or importlib.import_module(functions[0])
    for name in functions[1]:
        original = getattr(module, name, None)
        if original is None:
            continue

        def watched(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            result = _original(*args, **kwargs)
            seen.append(_name)
            return result

        setattr(module, name, watched)
    return seen


def padded(x: Any, switch: str) -> Any:
    """A copy of x, shape (batch, length, features), with zeros in up to half of each row at the masked end."""
    import numpy as np

    rows = x.copy()
    length = x.shape[1]
    n_zeros = np.arange(len(x)) % (length // 2 + 1)  # from none to half of the row
    for row, n in zip(rows, n_zeros, strict=True):
        if switch == "mask-left":
            row[:n] = 0
        elif switch == "mask-right":
            row[length - n :] = 0
    return rows


def build(keras: Any, switch: str, units: int, length: int) -> Any:
    """One recurrent layer and a linear read-out, compiled as Keras does by default."""
    kind = keras.layers.GRU if switch == "gru" else keras.layers.LSTM
    layers = [kind(units, **ARGUMENTS[switch])]
    if switch == "bidirectional":
        layers = [keras.layers.Bidirectional(layers[0])]
    if switch.startswith("mask"):
        layers.insert(0, keras.layers.Masking())
    if switch == "return-sequences":
        layers.append(keras.layers.GlobalAveragePooling1D())
    model = keras.Sequential([keras.Input((length, N_FEATURES)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse")
    return model
