"""Trainings in the child: the whole job first where one is asked for, then steady blocks of one endless fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from bench.machine import meters
from bench.measure import observe, predict
from bench.measure.backend import Adapter
from bench.measure.clock import CLOCK_DIGITS, ENDLESS_EPOCHS, Clock, step_callbacks
from bench.schema import Data, Epoch, Job, Phase, Request
from bench.workloads import registry


def measure_model(
    keras: Any, backend: Adapter, request: Request, phases: dict[Phase, float], steady: meters.SteadyMeter
) -> dict[str, Any]:
    """Build and compile the model, then train it or predict with it under the clock."""
    cell, variant = request.cell, request.variant
    workload = registry.module(cell.workload)
    start = perf_counter()
    data = workload.load_data(variant, request.seed)
    phases["data"] = perf_counter() - start
    if len(data.x) != cell.n_samples:
        raise ValueError(f"{cell.workload}: load_data gave {len(data.x)} rows, the cell says {cell.n_samples}")
    paths = observe.watch_recurrent_path(backend)
    start = perf_counter()
    model = workload.build_model(variant)
    model.compile(**workload.compile_arguments(variant), jit_compile=cell.jit == "on")
    phases["build"] = perf_counter() - start
    seen: dict[str, Any] = {"paths": paths, "model": model, "n_params": model.count_params()}
    seen["n_samples_per_step"] = cell.batch_size
    measure = _train if cell.mode == "train" else predict.infer
    measure(keras, backend, request, model, data, phases, steady, seen)
    seen["weight"] = backend.array_of(model.weights[0])
    return seen


def _train(
    keras: Any,
    backend: Adapter,
    request: Request,
    model: Any,
    data: Data,
    phases: dict[Phase, float],
    steady: meters.SteadyMeter,
    seen: dict[str, Any],
) -> None:
    """Whole job first where the variant asks for one, then steady blocks through one endless fit."""
    cell, variant = request.cell, request.variant
    sync = partial(backend.wait_for_training, model)
    if variant.n_job_epochs or (request.target and cell.mode == "train"):
        seen["job"] = _train_job(keras, request, model, data, sync, phases)
    clock = Clock(
        sync,
        n_blocks=variant.n_blocks,
        limit_s=variant.steady_limit_s,
        started="first_step" in phases,
        on_steady=steady.start,
        on_steady_end=steady.stop,
    )
    callbacks = step_callbacks(keras, model, clock, seen, n_steps=len(data.x) // cell.batch_size)
    model.fit(data.x, data.y, batch_size=cell.batch_size, epochs=ENDLESS_EPOCHS, verbose=0, callbacks=callbacks)
    seen["clock"] = clock
    seen["loss"] = float(keras.ops.convert_to_numpy(seen["logs"]["loss"]))
    # Of the model and not of the loss, which is float32 whatever the layers compute in; one row, after the clock.
    seen["output"] = keras.tree.flatten(model(data.x[:1], training=False))[0]
    if not math.isfinite(seen["loss"]):
        raise FloatingPointError(f"the loss is {seen['loss']}, so the work is not the work that was asked for")


def _train_job(
    keras: Any, request: Request, model: Any, data: Data, sync: Callable[[], None], phases: dict[Phase, float]
) -> Job:
    """Fit to the target, or for the variant's number of epochs; the first step is timed on the way."""
    cell, variant, target = request.cell, request.variant, request.target
    epochs: list[Epoch] = []

    def is_reached(quality: float | None) -> bool:
        return target is not None and quality is not None and quality >= target.at_least

    start = perf_counter()

    class JobList(keras.callbacks.CallbackList):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            if "first_step" not in phases:
                sync()
                phases["first_step"] = perf_counter() - start

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            sync()
            before = perf_counter()
            quality = None
            if target is not None:
                quality = float(
                    model.evaluate(data.x_test, data.y_test, batch_size=cell.batch_size, verbose=0, return_dict=True)[
                        target.metric
                    ]
                )
            now = perf_counter()
            at_s, evaluation_s = round(now - start, CLOCK_DIGITS), round(now - before, CLOCK_DIGITS)
            epochs.append(Epoch(loss=float(logs["loss"]), quality=quality, at_s=at_s, evaluation_s=evaluation_s))
            if is_reached(quality):
                model.stop_training = True

    n_epochs = variant.n_job_epochs or (target.max_epochs if target is not None else 0)
    callbacks = JobList(add_history=True, model=model, epochs=n_epochs, verbose=0, steps=None)
    model.fit(data.x, data.y, batch_size=cell.batch_size, epochs=n_epochs, verbose=0, callbacks=callbacks)
    seconds = perf_counter() - start
    if target is not None:
        phases["evaluation"] = sum(epoch.evaluation_s for epoch in epochs)
    reached = None if target is None else is_reached(epochs[-1].quality)
    return Job(epochs=tuple(epochs), seconds=round(seconds, CLOCK_DIGITS), reached=reached)
