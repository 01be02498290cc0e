"""Four of the workloads trained by Keras and by a script written by hand in its backend. Pure but for what it builds.

The Keras side is the workload itself; the other side starts from its weights. The losses of the first steps are
compared before anything is timed. None of the four nets has a dropout, so nothing random separates the sides.

PyTorch runs operation by operation; there each side is timed through torch.compile as well, where a C++ compiler is.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

from bench.schema import Block, Names, Part, Series, Variant, Workload
from bench.workloads.models import lstm_text, mobilenet_v2, resnet50, transformer_text
from bench.workloads.parts.epochs import epoch_by_hand, epoch_of_fit, watched_fit

NETS = {module.SPEC.id: module for module in (resnet50, mobilenet_v2, lstm_text, transformer_text)}
IMAGE_NETS = ("resnet50", "mobilenet-v2")
N_SKIPPED = {"resnet50": 1, "mobilenet-v2": 1, "lstm-text": 5, "transformer-text": 3}  # fit prepares its data there
N_COMPARED = 3
LOSS_TOLERANCE = 1e-4  # of the first loss; float32 sums in another order stay below
CHANGE_TOLERANCE = 0.05  # of what the steps change in the loss, beside the rounding of the loss itself
ROUNDING = 1e-5  # of the loss
# A deep net with random weights makes much of little: at its own learning rate, weights that differ by rounding have
# other losses after one step, in Keras alone as well. The image nets are compared in small steps.
COMPARED_RATE = {"resnet50": 1e-6, "mobilenet-v2": 1e-5}


SPEC = Workload(
    id="raw-models",
    title="Whole models in Keras and in the raw framework",
    summary="Four workloads are trained by Keras and by a script in its backend's own words, with equal arithmetic.",
    kind="study",
    sample_noun="samples",
    data_source="that of each workload; only speed is asked, and the losses of both sides are compared",
    series=(
        Series(id="raw", label="script in the backend's own words"),
        Series(id="raw-compiled", label="the same script, net through torch.compile"),
        Series(id="fit", label="model.fit, steps within an epoch"),
        Series(id="fit-compiled", label="model.fit with jit_compile (torch.compile)"),
    ),
    # Each net at the size and batch of its workload's headline training, with so many steps in an epoch.
    variants={
        profile: tuple(  # type: ignore[misc]
            Variant(mode="study", batch_size=own.batch_size, n_samples=n_steps * own.batch_size,
                    params={"net": net, **own.params}, n_blocks=n_blocks, steady_limit_s=limit_s, headline=True,
                    estimate_s=estimate_s, sweep=sweep)
            for net, n_steps, estimate_s in nets for own in [NETS[net].SPEC.headline_training(profile)]
        )
        for profile, n_blocks, limit_s, sweep, nets in (
            ("smoke", 3, 0.3, "", [("lstm-text", 8, 9.0), ("transformer-text", 6, 11.0)]),
            ("quick", 0, 0.0, "", []),
            ("reference", 12, 6.0, "backends", [("resnet50", 3, 55.0), ("mobilenet-v2", 2, 60.0),
                                                ("lstm-text", 15, 20.0), ("transformer-text", 8, 25.0)]),
        )
    },
)  # fmt: skip

NAMES = Names(
    parts=(
        Part("resnet50", "ResNet-50", "net", "resnet50"),
        Part("mobilenet-v2", "MobileNetV2", "net", "mobilenet-v2"),
        Part("lstm-text", "LSTM", "net", "lstm-text"),
        Part("transformer-text", "transformer", "net", "transformer-text"),
    ),
    alternatives=(("raw", "raw-compiled", "fit", "fit-compiled"),),
)


def measure(study: Any) -> None:
    """Check that all sides compute the same losses, then time blocks of their training steps in turn."""
    import numpy as np

    net, backend = str(study.variant.params["net"]), study.cell.backend
    start = perf_counter()
    data = NETS[net].load_data(study.variant, study.seed)
    is_turned = backend == "torch" and net in IMAGE_NETS
    rows = np.ascontiguousarray(data.x.transpose(0, 3, 1, 2)) if is_turned else data.x  # PyTorch's own layout
    study.phases["data"] = perf_counter() - start
    compiles = backend == "torch" and has_compiler(os.environ)
    start = perf_counter()
    models = {"fit": build_model(study, net, jit_compile=backend == "jax")}
    weights = named_weights(models["fit"])
    peers = {"raw": build_peer(study, net, weights)}
    if compiles:
        peers["raw-compiled"] = build_peer(study, net, weights, is_compiled=True)
        models["fit-compiled"] = build_model(study, net, jit_compile=True)
        models["fit-compiled"].set_weights(models["fit"].get_weights())
    study.phases["build"] = perf_counter() - start

    first_s = check_equal_work(study, models, peers, (data.x, rows, data.y))
    n_skipped, rng = N_SKIPPED[net], np.random.default_rng(study.seed)
    arms: dict[str, Callable[[], Block]] = {}
    for name, peer in peers.items():
        arms[name] = partial(epoch_by_hand, study, peer.step, rows, data.y, n_skipped, rng)
    for name, model in models.items():
        arms[name] = partial(epoch_of_fit, study, model, data.x, data.y, n_skipped)
    study.take(arms)
    for name, seconds in first_s.items():
        study.first(name, seconds)  # of a step; the clock's own first block was a whole epoch
    model = models["fit"]
    study.observe(model.weights[0].value, model(data.x[: study.cell.batch_size]))


def has_compiler(env: Mapping[str, str]) -> bool:
    """Whether the C++ compiler that torch.compile asks for is there."""
    return shutil.which(env.get("CXX") or {"win32": "cl", "darwin": "clang++"}.get(sys.platform, "g++")) is not None


def build_model(study: Any, net: str, *, jit_compile: bool) -> Any:
    """The workload's own Keras model, compiled."""
    model = NETS[net].build_model(study.variant)
    model.compile(**NETS[net].compile_arguments(study.variant), jit_compile=jit_compile)
    return model


def named_weights(model: Any) -> dict[str, Any]:
    """Weights as arrays, by layer and name: "lstm/lstm_cell/kernel".

    Keras numbers the layers without a name of their own through the whole process; here the numbers start anew.
    """
    import re

    found: dict[str, Any] = {}
    n_of_kind: dict[str, int] = {}
    for layer in model.layers:
        name = layer.name
        if by_keras := re.fullmatch(r"([a-z_]+?)(_\d+)?", name):
            kind = by_keras[1]
            number = n_of_kind[kind] = n_of_kind.get(kind, -1) + 1
            name = f"{kind}_{number}" if number else kind
        for weight, value in zip(layer.weights, layer.get_weights(), strict=True):
            found[f"{name}/{weight.path.partition(f'{layer.name}/')[2]}"] = value
    return found


def build_peer(study: Any, net: str, weights: dict[str, Any], **options: Any) -> Any:
    """The net written by hand in the study's backend; ``options`` are those of its ``build``."""
    from bench.workloads.parts.by_hand import on_jax, on_tensorflow, on_torch

    module = {"tensorflow": on_tensorflow, "jax": on_jax, "torch": on_torch}[study.cell.backend]
    device = "cpu"
    if study.cell.device == "gpu" and study.cell.backend == "torch":
        device = "cuda" if study.framework.cuda.is_available() else "mps"
    return module.build(net, weights, study.variant.params, device, **options)


def check_equal_work(
    study: Any, models: Mapping[str, Any], peers: Mapping[str, Any], data: tuple[Any, Any, Any]
) -> dict[str, float]:
    """Take the same few steps on all sides and compare the losses; seconds of the first step of each.

    The batch is the same each time, so that the loss changes by what the steps do and nothing else.

    Args:
        models: Keras's, by name of the series; the first is what the others are held against.
        peers: written by hand, by name of the series.
        data: pictures or texts for Keras, the same for the peers, classes.

    Raises:
        ArithmeticError: the losses differ by more than rounding explains, so the work is not equal.
    """
    net, size = str(study.variant.params["net"]), study.cell.batch_size
    x, rows, y = (part[:size] for part in data)
    losses: dict[str, list[float]] = {}
    first_s: dict[str, float] = {}
    first = next(iter(models))
    usual = float(study.keras.ops.convert_to_numpy(models[first].optimizer.learning_rate))
    for name, model in models.items():
        model.optimizer.learning_rate = COMPARED_RATE.get(net, usual)
        losses[name], first_s[name] = steps_of_fit(study, model, x, y)
        model.optimizer.learning_rate = usual
    for name, peer in peers.items():
        peer.set_rate(COMPARED_RATE.get(net, usual))
        start = perf_counter()
        losses[name] = [float(peer.step(rows, y))]
        first_s[name] = perf_counter() - start
        losses[name] += [float(peer.step(rows, y)) for _ in range(N_COMPARED - 1)]
        peer.set_rate(usual)
    for name, values in losses.items():
        compare_losses(losses[first], values, name)
    return first_s


def steps_of_fit(study: Any, model: Any, x: Any, y: Any) -> tuple[list[float], float]:
    """Losses of a few steps of fit on the same batch, and seconds of the first."""
    import numpy as np

    start = perf_counter()
    means: list[float] = []  # Keras tells the mean of the losses so far
    times: list[float] = []

    def on_step(n_done: int, loss: Any) -> None:
        means.append(float(loss))
        times.append(perf_counter() - start)

    watched_fit(
        study, model, np.concatenate([x] * N_COMPARED), np.concatenate([y] * N_COMPARED), on_step, shuffle=False
    )
    losses = [(n + 1) * mean - n * before for n, (before, mean) in enumerate(zip([0.0, *means], means, strict=False))]
    return losses, times[0]


def compare_losses(by_keras: list[float], others: list[float], name: str) -> None:
    """Refuse losses of equal steps that differ in the first one, or in what the steps change.

    Raises:
        ArithmeticError: they differ by more than rounding explains.
    """
    is_close = abs(others[0] - by_keras[0]) <= LOSS_TOLERANCE * abs(by_keras[0])
    for keras, other in zip(by_keras[1:], others[1:], strict=True):
        change = keras - by_keras[0]
        is_close &= abs(other - others[0] - change) <= CHANGE_TOLERANCE * abs(change) + ROUNDING * abs(keras)
    if not is_close:
        raise ArithmeticError(f"the losses differ: {by_keras} by Keras, {others} by {name}")
