"""Where the work of a call of Keras's fit begins and ends, for clocks that should not count what lies around it.

What lies around it: data made ready, and in TensorFlow a wait, idle, for the thread that tunes the input pipeline,
between epochs and before fit returns (``bench/workloads/studies/fit_return.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any


def marks(keras: Any, sync: Callable[[], None]) -> Any:
    """A callback that keeps when a fit's first epoch began and when the latest one ended, by perf_counter.

    Put it last, so that what other callbacks do at the end of an epoch is in it.

    Args:
        keras: the imported module.
        sync: returns when the device has finished.

    Returns:
        A callback with the attributes ``begun_s`` and ``ended_s``; both are None before.
    """

    class Marks(keras.callbacks.Callback):  # without a hook per step, which would make each step wait
        begun_s: float | None = None
        ended_s: float | None = None

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if self.begun_s is None:
                self.begun_s = perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            sync()
            self.ended_s = perf_counter()

    return Marks()


def untuned(tensorflow: Any, x: Any, y: Any, batch_size: int) -> Any:
    """Rows as a tf.data pipeline of batches, without the thread that tunes it: fit then waits for none."""
    pipeline = tensorflow.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
    options = tensorflow.data.Options()
    options.autotune.enabled = False
    return pipeline.with_options(options)
