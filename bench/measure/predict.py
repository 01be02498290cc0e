"""Predictions in the child: throughput until the outputs are on the host, latency of single batches."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench.machine import meters
from bench.measure.backend import Adapter
from bench.measure.clock import CLOCK_DIGITS, N_LATENCIES, Clock
from bench.schema import Block, Data, Phase, Request


class Stopwatch:
    """A monotonic clock that goes only between ``start`` and ``stop``."""

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        """Args:
        now: a monotonic clock, in seconds.
        """
        self._now, self._counted = now, 0.0
        self._since: float | None = None

    def start(self) -> None:
        """Go on."""
        self._since = self._now()

    def stop(self) -> None:
        """Stand still until the next start."""
        self._counted, self._since = self.read(), None

    def read(self) -> float:
        """Seconds that it has gone so far."""
        return self._counted + (0.0 if self._since is None else self._now() - self._since)


def predict_callbacks(keras: Any, model: Any, watch: Stopwatch, seen: dict[str, Any]) -> Any:
    """A callback list that stops the watch when all outputs of a call of predict have reached the host.

    That is before predict returns: in TensorFlow it then waits, idle, for the thread that tunes the input pipeline
    (``bench/workloads/studies/fit_return.py``). Joining the batches into one array falls away with it.
    """
    outputs: list[Any] = []

    class OutputList(keras.callbacks.CallbackList):  # a CallbackList for the reason that step_callbacks gives
        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_predict_batch_end(batch, logs)
            outputs.append(logs["outputs"])

        def on_predict_end(self, logs: Any = None) -> None:
            super().on_predict_end(logs)
            for batch in outputs:
                keras.tree.map_structure(keras.ops.convert_to_numpy, batch)
            watch.stop()
            seen["output"] = outputs[-1]
            outputs.clear()

    return OutputList(model=model, verbose=0)


def infer(
    keras: Any,
    backend: Adapter,  # noqa: ARG001  as of train
    request: Request,
    model: Any,
    data: Data,
    phases: dict[Phase, float],
    steady: meters.SteadyMeter,
    seen: dict[str, Any],
) -> None:
    """Throughput from predict over the data, until the outputs are on the host; latency from predict_on_batch."""
    cell, variant = request.cell, request.variant
    n_steps = len(data.x) // cell.batch_size
    batch = data.x[: cell.batch_size]
    start = perf_counter()
    model.predict_on_batch(batch)
    phases["first_step"] = perf_counter() - start

    watch = Stopwatch()
    callbacks = predict_callbacks(keras, model, watch, seen)
    model.predict(batch, batch_size=cell.batch_size, verbose=0, callbacks=callbacks)
    clock = Clock(
        lambda: None,  # the watch stops when the outputs are on the host: the device is done
        n_blocks=variant.n_blocks,
        limit_s=variant.steady_limit_s,
        started=True,
        on_steady=steady.start,
        on_steady_end=steady.stop,
        now=watch.read,
    )
    while not clock.done and not clock.latencies_s:
        watch.start()
        model.predict(data.x, batch_size=cell.batch_size, verbose=0, callbacks=callbacks)
        clock.step()
    latencies: list[float] = []
    while len(latencies) < min(N_LATENCIES, variant.n_blocks) and sum(latencies) < variant.steady_limit_s / 4:
        start = perf_counter()
        model.predict_on_batch(batch)
        latencies.append(round(perf_counter() - start, CLOCK_DIGITS))
    seen["latencies"] = latencies
    # The clock counted calls of predict; the record counts steps.
    for name in ("warmup", "blocks"):
        scaled = [Block(n_steps=block.n_steps * n_steps, seconds=block.seconds) for block in getattr(clock, name)]
        setattr(clock, name, scaled)
    seen["clock"] = clock
