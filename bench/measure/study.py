"""A study in the child: arms timed in turn, values read once."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from bench.machine import meters
from bench.measure.backend import Adapter
from bench.measure.clock import BLOCK_S, CLOCK_DIGITS, MIN_BLOCKS, Clock, is_steady, step_callbacks
from bench.schema import Block, Data, Phase, Request
from bench.workloads import registry
from bench.workloads.parts import fits


class Study:
    """What a study's ``measure(study)`` works with: arms timed in turn, values read once.

    Attributes:
        keras, framework: the imported modules; the backend is ``cell.backend``.
        cell, variant, seed: what was asked for; ``seed`` differs between repeats.
        phases: seconds by phase; a study may add "data", "build" and "first_step".
    """

    def __init__(self, keras: Any, backend: Adapter, request: Request, phases: dict[Phase, float]) -> None:
        """An empty study of one run."""
        self.keras, self.framework, self.phases = keras, backend.framework, phases
        self._backend = backend
        self.cell, self.variant, self.seed = request.cell, request.variant, request.seed + request.index
        self.series: dict[str, list[Block]] = {}
        self.first_s: dict[str, float] = {}
        self.readings: dict[str, float] = {}
        self.steady: bool | None = None
        self.seen: dict[str, Any] = {}
        self.meter: meters.SteadyMeter | None = None
        spec = registry.workload(request.cell.workload)
        self._series_ids = {item.id for item in spec.series}
        self._reading_ids = {item.id for item in spec.readings}

    def sync(self, value: Any = None) -> None:
        """Return when the device has finished; ``value`` is a tensor (JAX: any tree) computed last."""
        self._backend.wait_for_result(value)

    def observe(self, weight: Any, output: Any | None = None) -> None:
        """Tensors whose device and types the record keeps; a run on another device than asked for is refused."""
        self.seen |= {"weight": weight, "output": weight if output is None else output}

    def time(self, arms: dict[str, Callable[[], Any]], *, block_s: float = BLOCK_S) -> None:
        """Time several things in turn: first call, warm-up by criterion, then a block of each per round.

        The order of a round is shuffled with the run's seed, so that drift meets every arm alike. A block holds as
        many calls as fill ``block_s``; 0 makes each call a block of its own, for percentiles of single calls. There
        are ``variant.n_blocks`` rounds, fewer if an arm's blocks would take longer than ``variant.steady_limit_s``,
        never under 3.

        Args:
            arms: by id of a declared series; each returns what it computed, for the synchronisation.
        """
        n_calls: dict[str, int] = {}
        steady: list[bool] = []
        for name, call in arms.items():
            self._check(name, self._series_ids, "series")
            self.first_s[name] = self._block(call, 1).seconds
            n_calls[name], is_done = self._warm_up(call, block_s)
            steady.append(is_done)
        self.steady = all(steady) and self.steady is not False
        self._in_turn({name: partial(self._block, call, n_calls[name]) for name, call in arms.items()})

    def take(self, arms: dict[str, Callable[[], Block]]) -> None:
        """Like ``time`` for arms that time a block themselves, with what should not count left outside their clock.

        The first block of each arm is apart, and kept as its first call where it is one; then the arm warms up until
        blocks agree or have taken a quarter of ``variant.steady_limit_s``, then come rounds as in ``time``.

        Args:
            arms: by id of a declared series; each does its work once, waits for the device and returns a block.
        """
        steady: list[bool] = []
        for name, take_block in arms.items():
            self._check(name, self._series_ids, "series")
            first = take_block()
            if first.n_steps == 1:
                self.first(name, first.seconds)
            trace = [take_block()]
            while not is_steady(trace, 0.0) and sum(b.seconds for b in trace) < self.variant.steady_limit_s / 4:
                trace.append(take_block())
            steady.append(is_steady(trace, 0.0))
        self.steady = all(steady) and self.steady is not False
        self._in_turn(arms)

    def _in_turn(self, arms: dict[str, Callable[[], Block]]) -> None:
        """A block of each arm per round, in shuffled order, until there are enough."""
        names, rng = list(arms), random.Random(self.seed)
        spent = dict.fromkeys(names, 0.0)
        if self.meter is not None:
            self.meter.start()
        for n_done in range(self.variant.n_blocks):
            if n_done >= MIN_BLOCKS and max(spent.values()) >= self.variant.steady_limit_s:
                break
            rng.shuffle(names)
            for name in names:
                block = arms[name]()
                spent[name] += block.seconds
                self.add(name, block)
        if self.meter is not None:
            self.meter.stop()

    def fit(self, model: Any, data: Data, n_epochs: int, *, is_clocked: bool) -> Block:
        """One call of ``model.fit``, as it comes or under the clock that times training, as a block of its steps.

        The block ends with the training, and not when fit has returned: in TensorFlow it waits for nothing then, now
        and again. The clock starts anew with each call, so that it waits for the device more often than in a long run.
        """
        marks = self.marks(model)
        batch_size, callbacks = self.cell.batch_size, [marks]
        start = perf_counter()
        if is_clocked:
            sync = partial(self._backend.wait_for_training, model)
            clock = Clock(sync, n_blocks=sys.maxsize, limit_s=math.inf, started=True)
            callbacks = step_callbacks(
                self.keras, model, clock, {}, n_steps=len(data.x) // batch_size, others=callbacks
            )
        model.fit(data.x, data.y, batch_size=batch_size, epochs=n_epochs, verbose=0, callbacks=callbacks)
        return Block(n_steps=n_epochs * (len(data.x) // batch_size), seconds=marks.ended_s - start)

    def epochs(self, model: Any, *data: Any, n_steps: int, callbacks: Sequence[Any] = (), **options: Any) -> Block:
        """One call of ``model.fit``, from the start of its first epoch to the end of its last, the device done.

        Args:
            model: compiled.
            data: what fit takes first, with its further arguments in ``callbacks`` and ``options``.
            n_steps: of all epochs together.
        """
        marks = self.marks(model)
        model.fit(*data, callbacks=[*callbacks, marks], **{"verbose": 0} | options)
        return Block(n_steps=n_steps, seconds=marks.ended_s - marks.begun_s)

    def marks(self, model: Any) -> Any:
        """A callback for one fit of that model that keeps when its epochs began and ended, see ``fits.marks``."""
        return fits.marks(self.keras, partial(self._backend.wait_for_training, model))

    def median_s(self, name: str) -> float:
        """Median seconds of a step or call in a series' blocks so far."""
        return median(block.seconds / block.n_steps for block in self.series[name])

    def add(self, name: str, block: Block) -> None:
        """Keep a block that the study timed itself."""
        self._check(name, self._series_ids, "series")
        block = Block(n_steps=block.n_steps, seconds=round(block.seconds, CLOCK_DIGITS))
        self.series.setdefault(name, []).append(block)

    def first(self, name: str, seconds: float) -> None:
        """Keep the seconds of a first call that the study timed itself."""
        self._check(name, self._series_ids, "series")
        self.first_s[name] = round(seconds, CLOCK_DIGITS)

    def read(self, name: str, value: float) -> None:
        """Keep one value, in the unit that the workload declares for it."""
        self._check(name, self._reading_ids, "reading")
        if not math.isfinite(value):
            raise FloatingPointError(f"reading {name} is {value}")
        self.readings[name] = float(value)

    def _block(self, call: Callable[[], Any], n_calls: int) -> Block:
        value = None
        start = perf_counter()
        for _ in range(n_calls):
            value = call()
        self.sync(value)
        return Block(n_steps=n_calls, seconds=round(max(perf_counter() - start, 1e-9), CLOCK_DIGITS))

    def _warm_up(self, call: Callable[[], Any], block_s: float) -> tuple[int, bool]:
        """Calls per block, and whether the criterion was met before the limit."""
        n_calls, trace, start = 1, [], perf_counter()
        while True:
            trace.append(self._block(call, n_calls))
            if trace[-1].seconds < block_s:
                per_call = trace[-1].seconds / n_calls
                n_calls = min(max(n_calls + 1, math.ceil(1.1 * block_s / max(per_call, 1e-9))), n_calls * 100)
            if is_steady(trace, block_s):
                return n_calls, True
            if len(trace) >= MIN_BLOCKS and perf_counter() - start >= self.variant.steady_limit_s:
                return n_calls, False

    def _check(self, name: str, declared: set[str], kind: str) -> None:
        if name not in declared:
            raise registry.unknown(kind, name, sorted(declared))


def measure_study(
    keras: Any, backend: Adapter, request: Request, phases: dict[Phase, float], steady: meters.SteadyMeter
) -> dict[str, Any]:
    """Let a study measure what it declares, under this process's threads, precision and device.

    A GPU is metered while series take turns; before that it compiles. A CPU's energy is that of the whole study.
    """
    study = Study(keras, backend, request, phases)
    if request.cell.device == "gpu":
        study.meter = steady
        registry.module(request.cell.workload).measure(study)
    else:
        steady.start()
        registry.module(request.cell.workload).measure(study)
        steady.stop()
    if not study.series and not study.readings:
        raise ValueError(f"{request.cell.workload} measured nothing")
    return study.seen | {
        "series": {name: tuple(blocks) for name, blocks in study.series.items()},
        "first_s": study.first_s,
        "readings": study.readings,
        "steady": study.steady,
        "n_samples_per_step": request.cell.batch_size,
    }
