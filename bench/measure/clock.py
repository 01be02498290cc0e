"""The clock under which training is timed, and how fit tells it of steps.

It cuts a training into first step, warm-up, steady blocks and latencies. Pure but for the device that it waits for.
What it costs the training is measured by the workload ``harness-overhead``, whose records are current as long as this
module is what they measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from bench.schema import Block

BLOCK_S = 0.1  # a block lasts at least this long, so that the clock's and the synchronisation's cost vanish in it
WINDOW = 3  # blocks compared by the warm-up criterion
STEADY_FRAC = 0.05  # steady: two successive windows' medians differ by at most this share
MIN_BLOCKS = 3
WARMUP_LIMITS = 2  # a warm-up may take this many times the limit of the steady part
N_LATENCIES = 20
CLOCK_DIGITS = 9  # perf_counter resolves nanoseconds; what a float shows behind them is noise of the subtraction
ENDLESS_EPOCHS = 1_000_000  # the clock ends fit, not the number of epochs


class Clock:
    """Cuts a stream of steps into first step, warm-up, steady blocks and latencies.

    ``step`` is told of every finished dispatch and synchronises only where a block ends.
    """

    def __init__(
        self,
        sync: Callable[[], None],
        *,
        n_blocks: int,
        limit_s: float,
        started: bool = False,
        on_steady: Callable[[], None] = lambda: None,
        on_steady_end: Callable[[], None] = lambda: None,
        now: Callable[[], float] = perf_counter,
    ) -> None:
        """Args:
        sync: returns when the device has finished everything dispatched so far.
        n_blocks: steady blocks wanted; fewer if they would take longer than ``limit_s``, but at least 3.
        limit_s: limit of the steady part; the warm-up may take twice as long.
        started: the first step was measured before.
        on_steady: called once, when the warm-up ends, outside the timed blocks; ``on_steady_end`` likewise.
        now: a monotonic clock, in seconds.
        """
        self._sync, self._n_blocks, self._limit_s, self._now = sync, n_blocks, limit_s, now
        self._on_steady, self._on_steady_end = on_steady, on_steady_end
        self.first_step_s: float | None = None
        self.warmup: list[Block] = []
        self.blocks: list[Block] = []
        self.latencies_s: list[float] = []
        self.paused_s: list[float] = []  # each time that it stood still
        self.steady: bool | None = None
        self.done = False
        self._stage = "warmup" if started else "first"
        self._block_steps, self._n = 1, 0
        self._due = 1.0  # steps after which the block ends; kept, since every step of every model asks
        self._start = self._now()
        self._paused_at: float | None = None

    def pause(self) -> None:
        """Stand still once the device has finished; until ``go_on``, time passes in no block."""
        self._sync()
        self._paused_at = self._now()

    def go_on(self) -> None:
        """Go on after a pause; without one, nothing."""
        if self._paused_at is not None:
            paused_s = self._now() - self._paused_at
            self._start += paused_s
            self.paused_s.append(round(max(paused_s, 1e-9), CLOCK_DIGITS))
            self._paused_at = None

    def step(self) -> bool:
        """One step was dispatched; whether it ended a block."""
        self._n += 1
        if self._n < self._due:
            return False
        self._sync()
        seconds = round(self._now() - self._start, CLOCK_DIGITS)
        self._take(Block(n_steps=self._n, seconds=seconds))
        self._due = math.inf if self.done else 1 if self._stage == "latency" else self._block_steps
        self._n, self._start = 0, self._now()
        return True

    @property
    def warmup_s(self) -> float:
        """Seconds spent warming up."""
        return sum(block.seconds for block in self.warmup)

    @property
    def steady_s(self) -> float:
        """Seconds in steady blocks."""
        return sum(block.seconds for block in self.blocks)

    def _take(self, block: Block) -> None:
        if self._stage == "first":
            self.first_step_s = block.seconds
            self._stage = "warmup"
        elif self._stage == "warmup":
            self._warm(block)
        elif self._stage == "steady":
            self.blocks.append(block)
            enough = len(self.blocks) >= self._n_blocks
            if enough or (len(self.blocks) >= MIN_BLOCKS and self.steady_s >= self._limit_s):
                self._on_steady_end()
                if self._block_steps == 1:  # every block was a block of one step already
                    self.latencies_s = [block.seconds for block in self.blocks]
                    self.done = True
                self._stage = "latency"
        else:
            self.latencies_s.append(block.seconds)
            spent = sum(self.latencies_s)
            if len(self.latencies_s) >= min(N_LATENCIES, self._n_blocks) or spent > self._limit_s / 4:
                self.done = True

    def _warm(self, block: Block) -> None:
        self.warmup.append(block)
        if block.seconds < BLOCK_S:  # grow until a block is long enough; never shrink, so that no block is short
            per_step = block.seconds / block.n_steps
            self._block_steps = max(block.n_steps + 1, math.ceil(1.1 * BLOCK_S / max(per_step, 1e-9)))
            self._block_steps = min(self._block_steps, block.n_steps * 100)
        self.steady = is_steady(self.warmup)
        if self.steady or (len(self.warmup) >= MIN_BLOCKS and self.warmup_s >= WARMUP_LIMITS * self._limit_s):
            self._stage = "steady"
            self._on_steady()


def is_steady(trace: list[Block], block_s: float = BLOCK_S) -> bool:
    """Whether the last two windows of blocks of at least ``block_s`` have medians within STEADY_FRAC of each other."""
    steps_s = [block.seconds / block.n_steps for block in trace if block.seconds >= block_s]
    if len(steps_s) < 2 * WINDOW:
        return False
    before, last = (sorted(part)[WINDOW // 2] for part in (steps_s[-2 * WINDOW : -WINDOW], steps_s[-WINDOW:]))
    return abs(last - before) <= STEADY_FRAC * before


def step_callbacks(
    keras: Any, model: Any, clock: Clock, seen: dict[str, Any], *, n_steps: int, others: Sequence[Any] = ()
) -> Any:
    """A callback list that tells the clock of each step and ends fit when the clock is done, beside other callbacks.

    Between epochs, of ``n_steps`` each, the clock stands still: whoever trains pays for an epoch's start once an epoch
    and not with each step, and in TensorFlow it may hold a long wait (``bench/workloads/studies/fit_return.py``).

    It is a CallbackList and not a Callback because Keras reads a step's metrics back to the host for any
    callback with a per-step hook, which would make every step wait for the device.
    """

    class StepList(keras.callbacks.CallbackList):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_begin(batch, logs)
            clock.go_on()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            if clock.step() and clock.done:
                seen["logs"] = logs
                model.stop_training = True
            if batch == n_steps - 1:
                clock.pause()

    return StepList(list(others), add_history=True, model=model, epochs=ENDLESS_EPOCHS, verbose=0, steps=None)
