"""Epochs of fit and of a step written by hand, timed alike: in shuffled batches, without their first steps."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench.schema import Block


def epoch_by_hand(study: Any, step: Any, rows: Any, y: Any, n_skipped: int, rng: Any) -> Block:
    """One epoch in shuffled batches without its first steps."""
    batches = rng.permutation(len(y)).reshape(-1, study.cell.batch_size)
    loss = None
    for index, chosen in enumerate(batches):
        if index == n_skipped:
            study.sync(loss)
            start = perf_counter()
        loss = step(rows[chosen], y[chosen])
    study.sync(loss)
    return Block(n_steps=len(batches) - n_skipped, seconds=perf_counter() - start)


def epoch_of_fit(study: Any, model: Any, x: Any, y: Any, n_skipped: int) -> Block:
    """One epoch of fit without its first steps."""
    n_steps = len(x) // study.cell.batch_size
    times: list[float] = []

    def on_step(n_done: int, loss: Any) -> None:
        if n_done in (n_skipped, n_steps):
            study.sync(loss)
            times.append(perf_counter())

    watched_fit(study, model, x, y, on_step, shuffle=True)
    return Block(n_steps=n_steps - n_skipped, seconds=times[1] - times[0])


def watched_fit(study: Any, model: Any, x: Any, y: Any, on_step: Callable[[int, Any], None], *, shuffle: bool) -> None:
    """One epoch of fit that tells of each step. A per-step callback would make Keras fetch the loss each time."""

    class StepList(study.keras.callbacks.CallbackList):
        n_done = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            self.n_done += 1
            on_step(self.n_done, logs["loss"])

    callbacks = StepList(add_history=True, model=model, epochs=1, verbose=0, steps=len(x) // study.cell.batch_size)
    model.fit(x, y, batch_size=study.cell.batch_size, epochs=1, verbose=0, shuffle=shuffle, callbacks=callbacks)
