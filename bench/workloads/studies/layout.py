"""The same convnet on images stored pixel by pixel and colour by colour: one step of each, in turn. Pure but for nets.

Equal weights and equal pixels: the outputs are compared before anything is timed. An order in which a backend has no
code for a device is left out, and a reading says so.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Names, Part, Reading, Series, Variant, Workload

N_CLASSES = 10
N_CHANNELS = 3
RATE = 1e-3  # small, so that the two nets stay close however long they are timed
FILTERS = (32, 64, 128)
# Largest difference of two outputs, as a share of the largest output; sums in another order stay far below.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
FORMATS = {"last": "channels_last", "first": "channels_first"}
DOES = {"train": "training step", "infer": "prediction"}
# What a backend says that has no code for an order on a device.
REFUSALS = ("NHWC", "NCHW")

SPEC = Workload(
    id="layout",
    title="channels_last and channels_first",
    summary="A small convnet is trained and asked for predictions, with its images in either order in memory.",
    kind="study",
    sample_noun="images",
    data_source="seeded random pixels and classes, the same in both orders; only speed is asked",
    series=tuple(
        Series(id=f"{does}-{order}", label=f"{what}, {layout}")
        for does, what in DOES.items()
        for order, layout in FORMATS.items()
    ),
    readings=(
        *(
            Reading(id=f"refused-{does}", label=f"no code for channels_first here: {what}", unit="count")
            for does, what in DOES.items()
        ),
        Reading(id="infer-ratio", label="prediction with channels_first over one with channels_last", unit="ratio"),
        Reading(id="difference", label="largest difference of the two outputs, as a share of the largest", unit="frac"),
    ),
    variants={
        "smoke": tuple(Variant(mode="study", batch_size=4, n_samples=4, params={"net": net, "pixels": 16}, n_blocks=3,
                               steady_limit_s=0.2, headline=net == "plain", estimate_s=9.0)
                       for net in ("plain", "depthwise")),
        "quick": (),
        "reference": (
            *(Variant(mode="study", batch_size=32, n_samples=32, params={"net": net, "pixels": 64}, n_blocks=15,
                      steady_limit_s=4.0, headline=net == "plain", estimate_s=20.0, sweep="layout")
              for net in ("plain", "depthwise")),
            # Of a size that keeps a GPU busy.
            *(Variant(mode="study", batch_size=256, n_samples=256, params={"net": net, "pixels": 64}, n_blocks=15,
                      steady_limit_s=4.0, headline=net == "plain", estimate_s=40.0, devices=("gpu",),
                      more_precisions=("tf32", "mixed_bfloat16", "mixed_float16"), sweep="layout")
              for net in ("plain", "depthwise")),
        ),
    },
)  # fmt: skip

NAMES = Names(
    nets={"plain": "ordinary convolutions"},
    parts=(Part("depthwise", "depthwise convolutions", "net", "depthwise"),),
    alternatives=(("train-last", "train-first"), ("infer-last", "infer-first")),
)


def measure(study: Any) -> None:
    """Build the net once per order, compare the outputs, then time a training step and a prediction of each."""
    from functools import partial
    from time import perf_counter

    import numpy as np

    size, pixels = study.cell.batch_size, int(study.variant.params["pixels"])
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((size, pixels, pixels, N_CHANNELS), dtype=np.float32)
    y = study.keras.ops.convert_to_tensor(rng.integers(0, N_CLASSES, size, dtype=np.int32))
    nets, images = {}, {}
    for order, layout in FORMATS.items():
        nets[order] = build(study, str(study.variant.params["net"]), layout, pixels)
        images[order] = study.keras.ops.convert_to_tensor(in_layout(x, layout))  # on the device: no copy is timed
    nets["first"].set_weights(nets["last"].get_weights())

    arms: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    first_s: dict[str, float] = {}
    for does in ("infer", "train"):  # the outputs are those of the weights before the first training step
        for order in FORMATS:
            net = nets[order]
            call = partial(net.predict_on_batch, images[order])
            if does == "train":
                call = partial(net.train_on_batch, images[order], y)
            start = perf_counter()
            output, refused = attempt(call)
            first_s[f"{does}-{order}"] = perf_counter() - start
            if order == "first":
                study.read(f"refused-{does}", float(bool(refused)))
            elif refused:
                raise RuntimeError(f"{does} with channels_last is refused: {refused}")
            if not refused:
                arms[f"{does}-{order}"] = call
                outputs[f"{does}-{order}"] = np.asarray(output, dtype=np.float64)
    compare(study, outputs)
    study.time({item.id: arms[item.id] for item in SPEC.series if item.id in arms})
    if "infer-first" in arms:
        study.read("infer-ratio", call_s(study, "infer-first") / call_s(study, "infer-last"))
    for name in arms:
        study.first(name, first_s[name])  # the clock's own first call was the second one
        if not np.isfinite(np.asarray(arms[name](), dtype=np.float64)).all():
            raise FloatingPointError(f"the result of {name} is not finite")
    study.observe(nets["last"].weights[0].value, nets["last"](images["last"]))


def in_layout(x: Any, layout: str) -> Any:
    """A contiguous copy of images of shape (n, height, width, channels) in Keras's ``data_format``."""
    import numpy as np

    return np.ascontiguousarray(x if layout == "channels_last" else x.transpose(0, 3, 1, 2))


def attempt(call: Any) -> tuple[Any, str]:
    """What a call returns, and the backend's refusal of the order ("" where it runs). Other errors go on."""
    try:
        return call(), ""
    except Exception as error:
        if not any(word in str(error) for word in REFUSALS):
            raise
        return None, str(error)


def compare(study: Any, outputs: dict[str, Any]) -> None:
    """Hold each result with channels_first against that with channels_last, and read the predictions' difference.

    Raises:
        ArithmeticError: they differ by more than rounding explains, so the work is not equal.
    """
    precision = study.cell.precision
    tolerance = TOLERANCE[precision.removeprefix("mixed_") if precision.startswith("mixed_") else "float32"]
    for does in DOES:
        if f"{does}-first" not in outputs:
            continue
        found = difference(outputs[f"{does}-last"], outputs[f"{does}-first"])
        if not found <= tolerance:
            raise ArithmeticError(f"the results of a {DOES[does]} differ by {found:.2g} of the largest")
        if does == "infer":
            study.read("difference", found)


def difference(one: Any, other: Any) -> float:
    """Largest absolute difference of two arrays of one shape, as a share of the first one's largest value."""
    import numpy as np

    return float(np.abs(one - other).max() / np.abs(one).max())


def call_s(study: Any, name: str) -> float:
    """Median seconds of a call in a series' blocks."""
    from statistics import median

    return median(block.seconds / block.n_steps for block in study.series[name])


def build(study: Any, net: str, layout: str, pixels: int) -> Any:
    """Images (batch, pixels, pixels, 3), or (batch, 3, pixels, pixels), to ten logits: three blocks of convolution.

    Args:
        net: "plain" has usual convolutions; "depthwise" has from the second block on one kernel for each channel and
            a product over the channels, as MobileNet has.
        layout: Keras's ``data_format`` of every layer.
    """
    layers = study.keras.layers
    is_last = layout == "channels_last"
    where = {"data_format": layout}
    parts: list[Any] = [study.keras.Input((pixels, pixels, N_CHANNELS) if is_last else (N_CHANNELS, pixels, pixels))]
    for index, n_filters in enumerate(FILTERS):
        if net == "depthwise" and index:
            parts.append(layers.DepthwiseConv2D(3, padding="same", use_bias=False, **where))
            parts.append(layers.Conv2D(n_filters, 1, use_bias=False, **where))
        else:
            parts.append(layers.Conv2D(n_filters, 3, padding="same", use_bias=False, **where))
        parts += [layers.BatchNormalization(axis=-1 if is_last else 1), layers.ReLU(), layers.MaxPooling2D(**where)]
    model = study.keras.Sequential([*parts, layers.GlobalAveragePooling2D(**where), layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=study.keras.optimizers.SGD(RATE),
        loss=study.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=study.cell.backend == "jax",
    )
    return model
