"""One training job that goes on for minutes, its pace kept block by block. Pure: seeded images, one model.

A machine that warms up, shares its cores, or draws on a credit may be slower in its tenth minute than in its first.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.schema import Block, Names, Part, Reading, Series, Variant, Workload
from bench.workloads.parts import fits

N_PIXELS, N_CLASSES = 32, 10
MIN_BLOCKS = 4  # so that the first and the last quarter are never the same block
WINDOW_S = 60.0  # of the first and last pace; a quarter of the run where that is shorter

SPEC = Workload(
    id="endurance",
    title="Ten minutes without a break",
    summary="A convolutional net is trained without a break, and its pace at the end is held against the beginning.",
    kind="study",
    sample_noun="images",
    data_source="seeded random images and classes; only speed is asked",
    series=(Series(id="train", label="training, block by block"),),
    readings=(
        Reading(id="first-step", label="step in the first minute (short runs: first quarter)", unit="s"),
        Reading(id="last-step", label="step in the last minute (short runs: last quarter)", unit="s"),
        Reading(id="slowest-step", label="step in the slowest block", unit="s"),
        Reading(id="last-to-first-rate", label="pace of the last minute, relative to the first", unit="ratio"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=16, n_samples=64, params={"block-s": 0.2, "minutes": 0.02},
                          n_blocks=10_000, steady_limit_s=1.0, headline=True, estimate_s=8.0),),
        "quick": (),
        "reference": (
            Variant(mode="study", batch_size=64, n_samples=256, params={"block-s": 0.5, "minutes": 0.05},
                    n_blocks=10_000, steady_limit_s=3.0, headline=True, estimate_s=11.0),
            Variant(mode="study", batch_size=64, n_samples=2_048, params={"block-s": 5.0, "minutes": 10},
                    n_blocks=10_000, steady_limit_s=600.0, estimate_s=620.0, sweep="endurance"),
        ),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("long", "ten minutes", "minutes", 10),))


def measure(study: Any) -> None:
    """Train for ``minutes`` in blocks of about ``block-s`` seconds, each some whole epochs of fit.

    The first epoch, which compiles, is kept apart; there is no other warm-up, since warming up is the question.
    """
    import numpy as np

    block_s, total_s = float(study.variant.params["block-s"]), 60.0 * float(study.variant.params["minutes"])
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.cell.n_samples, N_PIXELS, N_PIXELS, 3), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, study.cell.n_samples).astype(np.int32)
    model = build_model(study)
    fit = feed(study, x, y)
    study.first("train", fit(model, 1).seconds)
    probe = fit(model, 1)
    n_epochs, spent_s, n_blocks = epochs_per_block(probe.seconds, block_s), 0.0, 0
    while spent_s < total_s or n_blocks < MIN_BLOCKS:
        block = fit(model, n_epochs)
        study.add("train", block)
        spent_s, n_blocks = spent_s + block.seconds, n_blocks + 1
        n_epochs = epochs_per_block(block.seconds / n_epochs, block_s)  # the pace may change: that is the question
    for name, value in paces(study.series["train"]).items():
        study.read(name, value)
    study.observe(model.weights[0].value)


def build_model(study: Any) -> Any:
    """Images (batch, 32, 32, 3) to logits (batch, 10): three convolutions and a dense layer, compiled with Adam."""
    keras = study.keras
    model = keras.Sequential(
        [
            keras.Input((N_PIXELS, N_PIXELS, 3)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),  # (batch, 32, 32, 32)
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),  # (batch, 16, 16, 64)
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(128, 3, padding="same", activation="relu"),  # (batch, 8, 8, 128)
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(N_CLASSES),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=study.cell.backend == "jax",
    )
    return model


def feed(study: Any, x: Any, y: Any) -> Callable[..., Any]:
    """What trains a model on the rows for whole epochs; in TensorFlow through a pipeline that fit need not wait for."""
    size = study.cell.batch_size
    n_steps = len(x) // size
    if study.cell.backend == "tensorflow":
        pipeline = fits.untuned(study.framework, x, y, size)
        return lambda model, n_epochs: study.epochs(model, pipeline, n_steps=n_epochs * n_steps, epochs=n_epochs)
    return lambda model, n_epochs: study.epochs(
        model, x, y, n_steps=n_epochs * n_steps, epochs=n_epochs, batch_size=size
    )


def epochs_per_block(epoch_s: float, block_s: float) -> int:
    """Epochs that fill a block."""
    return max(1, math.ceil(block_s / max(epoch_s, 1e-9)))


def paces(blocks: Sequence[Block]) -> dict[str, float]:
    """Seconds per step at the beginning, at the end and at worst, and the rate at the end over that at the beginning.

    Beginning and end are the blocks that together take a minute, or a quarter of the run where that is shorter;
    at least one block each. The pace of several blocks is their median, which one disturbed block does not move.
    """
    window_s = min(WINDOW_S, sum(block.seconds for block in blocks) / 4)
    first_s, last_s = (_pace(part, window_s) for part in (blocks, tuple(reversed(blocks))))
    return {
        "first-step": first_s,
        "last-step": last_s,
        "slowest-step": max(block.seconds / block.n_steps for block in blocks),
        "last-to-first-rate": first_s / last_s,
    }


def _pace(blocks: Sequence[Block], window_s: float) -> float:
    """Median seconds per step of the leading blocks that begin within ``window_s``."""
    steps_s, spent_s = [], 0.0  # type: ignore[var-annotated]
    for block in blocks:
        if spent_s >= window_s and steps_s:
            break
        steps_s.append(block.seconds / block.n_steps)
        spent_s += block.seconds
    return statistics.median(steps_s)
