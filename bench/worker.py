"""The child: one process, one run of one cell. The only module that imports keras; phases live here.

Started by ``bench.launch`` as ``python -m bench.worker REQUEST RESULT`` in an environment that the parent has set.
The clock stops only after the device has finished: every block of steps ends with a synchronisation.
"""

from __future__ import annotations

import importlib
import math
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import msgspec

from bench import fits, machine, meters, probe, registry
from bench.clock import BLOCK_S, CLOCK_DIGITS, ENDLESS_EPOCHS, MIN_BLOCKS, N_LATENCIES, Clock, is_steady, step_callbacks
from bench.schema import (
    Block,
    Cell,
    Control,
    Data,
    DataUnavailableError,
    Epoch,
    Jit,
    Job,
    Observed,
    Request,
    Run,
    encode,
)

# Side of the control kernel's matrices. On a CPU 2 GFLOP: long enough to time on one core, short enough not to heat it.
# On a GPU 137 GFLOP: some milliseconds of the fastest, so that it is the product that is timed and not its launch.
CONTROL_N = {"cpu": 1024, "gpu": 4096}
N_CONTROLS = 5
WAKE_S = 0.5  # an idle GPU's clock is a fraction of its own: the control kernel runs so long before it is timed
IDLE_S = 1.0  # NVML's power is a mean over the last second, and so is a reading of RAPL made here
PR_SET_PDEATHSIG = 1  # linux/prctl.h
# How the frameworks and their libraries say that memory ran out, in lower case and without underscores.
OUT_OF_MEMORY = (
    "resourceexhausted",
    "out of memory",
    "outofmemory",
    "oom when allocating",
    "unable to allocate",
    "can't allocate memory",
    "statusallocfailed",
)
# What walks a whole sequence as one operation, by backend: a module and its functions.
FUSED_KERNELS = {
    "tensorflow": ("tensorflow.raw_ops", ("CudnnRNNV3", "CudnnRNN")),
    "jax": ("jax.experimental.rnn", ("lstm",)),
    "torch": ("torch._VF", ("lstm", "gru")),
}


class NotAsAskedError(RuntimeError):
    """What ran is not what was asked for: another device, another compilation, another precision."""


def execute(request: Request) -> Run:
    """Do one run and describe it. Raises whatever the framework raises; ``main`` turns that into a run."""
    cell = request.cell
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    cores = _pin(cell.threads)
    unmeasured: dict[str, str] = {}
    phases: dict[str, float] = {}

    start = perf_counter()
    import keras

    framework = _framework(cell.backend)
    phases["import"] = perf_counter() - start
    _configure(keras, framework, request)

    start = perf_counter()
    first = keras.ops.ones((1,)) + 1.0
    _wait(cell.backend, framework, first)
    phases["device_start"] = perf_counter() - start
    _check_device(cell, framework, first)

    with meters.gpu_meter(cell.device) as gpu:
        idle_w = _idle_power(gpu, cell.device)
        before = meters.conditions(gpu())
        control_before = _control(keras, framework, cell)
        if cell.device == "gpu":  # the clock of an idle one says nothing of the run
            before = meters.conditions(gpu())
        held_bytes = _forget_peak(cell, framework)
        steady = meters.SteadyMeter(gpu, cell.device)
        measured = MEASURE[request.kind](keras, framework, request, phases, steady)
        control_after = _control(keras, framework, cell)
        after = meters.conditions(gpu())
    clock: Clock | None = measured.get("clock")
    if clock is not None:
        phases["warmup"], phases["steady"] = clock.warmup_s, clock.steady_s
    if clock is not None and clock.first_step_s is not None:
        phases["first_step"] = clock.first_step_s

    observed = _observe(keras, framework, request, measured, cores, unmeasured)
    _check_as_asked(request, observed)
    peak_device, why_no_peak = _peak_device_bytes(cell, framework, held_bytes)
    why = {
        "energy_j": (steady.joules, steady.why_no_joules),
        "idle_w": (idle_w, "no readable power counter (NVML, RAPL)"),
        "utilisation_frac": (
            steady.utilisation or None,
            "GPU only" if cell.device == "cpu" else "no sample from NVML while steady",
        ),
        "peak_device_bytes": (peak_device, why_no_peak),
        "peak_host_bytes": (meters.peak_host_bytes(), "the operating system does not tell"),
        "flop_per_step": (measured.get("flop"), "counted for probes only"),
        "n_params": (measured.get("n_params"), f"a {request.kind} has no model of its own"),
        "final_loss": (measured.get("loss"), "no training step in this run"),
        "job": (measured.get("job"), "this cell times steps, not a whole job"),
    }
    unmeasured |= {name: reason for name, (value, reason) in why.items() if value is None}
    return Run(
        index=request.index,
        order=request.order,
        status="ok",
        started_at=started_at,
        total_s=0.0,  # the parent fills it in from its own clock
        phases_s={name: round(seconds, CLOCK_DIGITS) for name, seconds in phases.items()},
        warmup=tuple(clock.warmup) if clock else (),
        steady=clock.steady if clock else measured.get("steady"),
        blocks=tuple(clock.blocks) if clock else (),
        latencies_s=tuple(measured.get("latencies") or (clock.latencies_s if clock else ())),
        between_epochs_s=tuple(clock.paused_s) if clock else (),
        series=measured.get("series", {}),
        first_s=measured.get("first_s", {}),
        readings=measured.get("readings", {}),
        n_samples_per_step=measured["n_samples_per_step"],
        observed=observed,
        control_before=control_before,
        control_after=control_after,
        before=before,
        after=after,
        unmeasured=unmeasured,
        **{name: value for name, (value, _) in why.items()},
    )


def _pin(threads: int) -> int | None:
    """Restrict this process to that many cores, each a physical one as long as there are enough.

    Returns:
        The number of cores that it may use, or None where the system has no affinity.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    os.sched_setaffinity(0, machine.core_order(os.sched_getaffinity(0))[:threads])
    return len(os.sched_getaffinity(0))


def _framework(backend: str) -> Any:
    """The backend's own module."""
    if backend == "tensorflow":
        import tensorflow

        return tensorflow
    if backend == "jax":
        import jax

        return jax
    import torch

    return torch


def _configure(keras: Any, framework: Any, request: Request) -> None:
    """Set explicitly whatever a default could decide differently: threads, precision, TF32, layout, seeds."""
    cell = request.cell
    if keras.backend.backend() != cell.backend:
        raise NotAsAskedError(f"asked for the backend {cell.backend}, Keras loaded {keras.backend.backend()}")
    tf32 = cell.precision == "tf32"
    if cell.backend == "tensorflow":
        framework.config.threading.set_intra_op_parallelism_threads(cell.threads)
        framework.config.threading.set_inter_op_parallelism_threads(cell.threads)
        framework.config.experimental.enable_tensor_float_32_execution(tf32)
        for gpu in framework.config.list_physical_devices("GPU"):
            framework.config.experimental.set_memory_growth(gpu, True)
    elif cell.backend == "jax":
        names = {"float32-strict": "highest", "tf32": "tensorfloat32"}
        # Left alone, JAX computes what a mixed policy keeps in float32 as TF32 on a GPU.
        name = names.get(cell.precision, "highest" if cell.device == "gpu" else None)
        framework.config.update("jax_default_matmul_precision", name)
    else:
        framework.set_num_threads(cell.threads)
        framework.backends.cuda.matmul.allow_tf32 = tf32
        framework.backends.cudnn.allow_tf32 = tf32
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    mixed = cell.precision.startswith("mixed_")
    keras.config.set_dtype_policy(cell.precision if mixed else "float32")
    _seed(framework, cell.backend, request.seed + request.index)


def _seed(framework: Any, backend: str, seed: int) -> None:
    """Seed what weights, dropout and the order of the data follow from, but for TensorFlow's own generator.

    ``keras.utils.set_random_seed`` seeds that one too, and ``fit`` then walks through the rows in the same order in
    every epoch, in TensorFlow only: tensorflow/tensorflow issue 44195. A time to a target would be that of another
    training. Keras draws weights and dropout from Python's generator, so they stay the same for the same seed.
    """
    import numpy

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    if backend == "torch":
        framework.manual_seed(seed)


def _wait(backend: str, framework: Any, value: Any = None) -> None:
    """Return when the device has finished; ``value`` is something computed last."""
    if backend == "tensorflow":
        import numpy

        framework.test.experimental.sync_devices()
        if value is not None:
            value = framework.convert_to_tensor(value)
            if "GPU" in value.device.upper():  # one number is enough to wait for; a matrix would be copied in the block
                value = framework.reshape(value, [-1])[:1]
            numpy.asarray(value)
    elif backend == "jax":
        framework.block_until_ready(value)
    elif framework.cuda.is_available():
        framework.cuda.synchronize()
    elif hasattr(framework, "mps") and framework.backends.mps.is_available():
        framework.mps.synchronize()


def _control(keras: Any, framework: Any, cell: Cell) -> Control:
    """Time the control kernel after an uncounted product or, on a GPU, WAKE_S of them."""
    n = CONTROL_N[cell.device]
    x = keras.ops.full((n, n), 0.5, dtype="float32")

    def once() -> float:
        start = perf_counter()
        _wait(cell.backend, framework, keras.ops.matmul(x, x))
        return round(perf_counter() - start, CLOCK_DIGITS)

    once()
    if cell.device == "gpu":
        until = perf_counter() + WAKE_S
        while perf_counter() < until:
            once()
    return Control(n=n, seconds=tuple(once() for _ in range(N_CONTROLS)))


def _idle_power(gpu: meters.GpuMeter, device: str) -> float | None:
    """Watts of the device while this process does nothing for IDLE_S: NVML's reading of a GPU, RAPL's of a CPU."""
    if device == "gpu":
        if gpu.nvml is not None:
            sleep(IDLE_S)
        return gpu().power_w
    begin = meters.read_rapl()
    if begin is None:
        return None
    sleep(IDLE_S)
    end = meters.read_rapl()
    return meters.rapl_joules(begin, end) / IDLE_S if end else None


def _measure_probe(
    keras: Any, framework: Any, request: Request, phases: dict[str, float], steady: meters.SteadyMeter
) -> dict:
    """Run a probe's step in a loop until the clock has what it needs."""
    cell, variant = request.cell, request.variant
    workload = registry.module(cell.workload)
    dtype = cell.precision.removeprefix("mixed_") if cell.precision.startswith("mixed_") else "float32"
    start = perf_counter()
    step = workload.build_probe(variant, dtype)
    phases["build"] = perf_counter() - start
    last: list[Any] = [None]
    clock = Clock(
        lambda: _wait(cell.backend, framework, last[0]),
        n_blocks=variant.n_blocks,
        limit_s=variant.steady_limit_s,
        on_steady=steady.start,
        on_steady_end=steady.stop,
    )
    while not clock.done:
        last[0] = step()
        clock.step()
    return {
        "clock": clock,
        "output": last[0],
        "weight": last[0],
        "flop": float(workload.flop_per_step(variant)),
        "n_samples_per_step": cell.batch_size,
    }


class Study:
    """What a study's ``measure(study)`` works with: arms timed in turn, values read once.

    Attributes:
        keras, framework: the imported modules; the backend is ``cell.backend``.
        cell, variant, seed: what was asked for; ``seed`` differs between repeats.
        phases: seconds by phase; a study may add "data", "build" and "first_step".
    """

    def __init__(self, keras: Any, framework: Any, request: Request, phases: dict[str, float]) -> None:
        """An empty study of one run."""
        self.keras, self.framework, self.phases = keras, framework, phases
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
        is_host = value is None or type(value).__module__.split(".")[0] in ("builtins", "numpy")
        _wait(self.cell.backend, self.framework, value if self.cell.backend == "jax" or not is_host else None)

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
            sync = partial(_wait_for_training, self.cell.backend, self.framework, model)
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
        return fits.marks(self.keras, partial(_wait_for_training, self.cell.backend, self.framework, model))

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


def _measure_study(
    keras: Any, framework: Any, request: Request, phases: dict[str, float], steady: meters.SteadyMeter
) -> dict:
    """Let a study measure what it declares, under this process's threads, precision and device.

    A GPU is metered while series take turns; before that it compiles. A CPU's energy is that of the whole study.
    """
    study = Study(keras, framework, request, phases)
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


def _measure_model(
    keras: Any, framework: Any, request: Request, phases: dict[str, float], steady: meters.SteadyMeter
) -> dict:
    """Build and compile the model, then train it or predict with it under the clock."""
    cell, variant = request.cell, request.variant
    workload = registry.module(cell.workload)
    start = perf_counter()
    data = workload.load_data(variant, request.seed)
    phases["data"] = perf_counter() - start
    if len(data.x) != cell.n_samples:
        raise ValueError(f"{cell.workload}: load_data gave {len(data.x)} rows, the cell says {cell.n_samples}")
    paths = _watch_recurrent_path(keras)
    start = perf_counter()
    model = workload.build_model(variant)
    model.compile(**workload.compile_arguments(variant), jit_compile=cell.jit == "on")
    phases["build"] = perf_counter() - start
    seen: dict[str, Any] = {"paths": paths, "model": model, "n_params": model.count_params()}
    seen["n_samples_per_step"] = cell.batch_size
    measure = _train if cell.mode == "train" else _infer
    measure(keras, framework, request, model, data, phases, steady, seen)
    seen["weight"] = model.weights[0].value if cell.backend != "torch" else model.weights[0].value.data
    return seen


def _train(
    keras: Any,
    framework: Any,
    request: Request,
    model: Any,
    data: Data,
    phases: dict[str, float],
    steady: meters.SteadyMeter,
    seen: dict[str, Any],
) -> None:
    """Whole job first where the variant asks for one, then steady blocks through one endless fit."""
    cell, variant = request.cell, request.variant
    sync = partial(_wait_for_training, cell.backend, framework, model)
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
    model.fit(
        data.x, data.y, batch_size=cell.batch_size, epochs=ENDLESS_EPOCHS, verbose=0, callbacks=callbacks
    )
    seen["clock"] = clock
    seen["loss"] = float(keras.ops.convert_to_numpy(seen["logs"]["loss"]))
    # Of the model and not of the loss, which is float32 whatever the layers compute in; one row, after the clock.
    seen["output"] = keras.tree.flatten(model(data.x[:1], training=False))[0]
    if not math.isfinite(seen["loss"]):
        raise FloatingPointError(f"the loss is {seen['loss']}, so the work is not the work that was asked for")


def _train_job(
    keras: Any, request: Request, model: Any, data: Data, sync: Callable[[], None], phases: dict[str, float]
) -> Job:
    """Fit to the target, or for the variant's number of epochs; the first step is timed on the way."""
    cell, variant, target = request.cell, request.variant, request.target
    epochs: list[Epoch] = []
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
                    model.evaluate(
                        data.x_test, data.y_test, batch_size=cell.batch_size, verbose=0, return_dict=True
                    )[target.metric]
                )
            now = perf_counter()
            at_s, evaluation_s = round(now - start, CLOCK_DIGITS), round(now - before, CLOCK_DIGITS)
            epochs.append(Epoch(loss=float(logs["loss"]), quality=quality, at_s=at_s, evaluation_s=evaluation_s))
            if target is not None and quality >= target.at_least:
                model.stop_training = True

    n_epochs = variant.n_job_epochs or target.max_epochs
    callbacks = JobList(add_history=True, model=model, epochs=n_epochs, verbose=0, steps=None)
    model.fit(data.x, data.y, batch_size=cell.batch_size, epochs=n_epochs, verbose=0, callbacks=callbacks)
    seconds = perf_counter() - start
    if target is not None:
        phases["evaluation"] = sum(epoch.evaluation_s for epoch in epochs)
    reached = None if target is None else bool(epochs[-1].quality >= target.at_least)
    return Job(epochs=tuple(epochs), seconds=round(seconds, CLOCK_DIGITS), reached=reached)


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
    (``bench/workloads/fit_return.py``). Joining the batches into one array falls away with it.
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


def _infer(
    keras: Any,
    framework: Any,
    request: Request,
    model: Any,
    data: Data,
    phases: dict[str, float],
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


MEASURE = {"model": _measure_model, "probe": _measure_probe, "study": _measure_study}


def _wait_for_training(backend: str, framework: Any, model: Any) -> None:
    """Return when the device has finished the last training step."""
    _wait(backend, framework, _state(model, backend))


def _state(model: Any, backend: str) -> Any:
    """Something that is ready only when the last training step is: weights after the update."""
    if backend == "jax":
        state = getattr(model, "_jax_state", None)  # what fit holds while it runs; the variables are stale then
        # Keras wraps the list in a TrackedList, which JAX takes for a leaf that is ready at once: unwrap it.
        return list(state["trainable_variables"]) if state else [weight.value for weight in model.trainable_weights]
    smallest = min(model.trainable_weights, key=lambda weight: math.prod(weight.shape))
    return smallest.value


def _watch_recurrent_path(keras: Any) -> list[str]:
    """A list that tells which path recurrent layers take: "loop" when a layer asks for one, "fused" when a kernel runs.

    The backend's own function does not tell: PyTorch's walks step by step where there is no fused kernel.
    """
    paths: list[str] = []
    _tell(sys.modules["keras.src.backend"], ("lstm", "gru"), on_call=lambda: paths.append("loop"))
    module, names = FUSED_KERNELS[keras.backend.backend()]
    parent, _, last = module.rpartition(".")
    owner = getattr(importlib.import_module(parent), last, None) or importlib.import_module(module)
    _tell(owner, names, on_return=lambda: paths.append("fused"))
    return paths


def _tell(
    owner: Any,
    names: tuple[str, ...],
    on_call: Callable[[], None] = lambda: None,
    on_return: Callable[[], None] = lambda: None,
) -> None:
    """Wrap those of a module's functions that it has, so that calls, and calls that return, are told of."""
    for name in names:
        original = getattr(owner, name, None)
        if original is None:
            continue

        def watched(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            on_call()
            result = _original(*args, **kwargs)
            on_return()
            return result

        setattr(owner, name, watched)


def _observe(
    keras: Any,
    framework: Any,
    request: Request,
    measured: dict[str, Any],
    cores: int | None,
    unmeasured: dict[str, str],
) -> Observed:
    """What really ran, read from the arrays and from the frameworks' own settings."""
    cell = request.cell
    weight, output = measured["weight"], measured["output"]
    devices = {_device(cell.backend, value) for value in (weight, output)}
    if len(devices) > 1:
        raise NotAsAskedError(f"weights and output lie on different devices: {sorted(devices)}")
    device = devices.pop()
    model = measured.get("model")
    on_gpu = device == "gpu"
    n_threads: int | None
    if cell.backend == "tensorflow":
        tf32 = framework.config.experimental.tensor_float_32_execution_enabled()
        n_threads = framework.config.threading.get_intra_op_parallelism_threads() or None
        autotune = "cuDNN autotune: on (TensorFlow's default)"
    elif cell.backend == "jax":
        tf32 = framework.config.jax_default_matmul_precision == "tensorfloat32"
        n_threads = None
        unmeasured["n_threads"] = "JAX does not tell the size of its pool; it follows the affinity"
        is_off = "--xla_gpu_autotune_level=0" in os.environ.get("XLA_FLAGS", "")
        autotune = "XLA autotune: off" if is_off else "XLA autotune: JAX's default"
    else:
        tf32 = bool(framework.backends.cuda.matmul.allow_tf32)
        n_threads = framework.get_num_threads()
        autotune = f"cuDNN benchmark: {'on' if framework.backends.cudnn.benchmark else 'off'}"
    n_physical = None if cores is None else machine.n_physical(os.sched_getaffinity(0))
    if n_physical is None:
        unmeasured["n_physical_cores"] = "the operating system does not tell"
    if cores is None:
        unmeasured["n_cores_affinity"] = "this operating system has no core affinity"
    jit: Jit = cell.jit if model is None else ("on" if model.jit_compile else "off")
    if model is None and cell.backend != "jax":
        jit = "off"  # a probe is one eager operation; what a study compiles, it says itself
    paths = measured.get("paths", [])
    return Observed(
        device=device,
        device_name=_device_name(cell.backend, framework, device),
        weight_dtype=_dtype(weight),
        output_dtype=_dtype(output),
        jit=jit,
        tf32=bool(tf32) if on_gpu else None,
        layout=keras.config.image_data_format(),
        recurrent_path="none" if not paths else ("fused" if "fused" in paths else "loop"),
        autotune=autotune if on_gpu else "none on a CPU",
        n_threads=n_threads,
        n_cores_affinity=cores,
        n_physical_cores=n_physical,
        openmp=tuple(probe.openmp_runtimes()),
        caches="cold: compilation caches point to an empty folder for every run",
        data_feed=_data_feed(cell.mode),
    )


def _data_feed(mode: str) -> str:
    """How the data reaches the device, in words."""
    if mode == "probe":
        return "repeated operation on resident arrays"
    if mode == "study":
        return "as each series of the study says"
    return f"numpy arrays through {'model.fit, in a new order each epoch' if mode == 'train' else 'model.predict'}"


def _device(backend: str, value: Any) -> str:
    """cpu or gpu, from where an array lies."""
    if backend == "tensorflow":
        name = value.device
        return "gpu" if "GPU" in name.upper() else "cpu"
    if backend == "jax":
        platform = next(iter(value.devices())).platform
        return "cpu" if platform == "cpu" else "gpu"
    return "cpu" if value.device.type == "cpu" else "gpu"


def _device_name(backend: str, framework: Any, device: str) -> str:
    if device == "cpu":
        return "CPU"
    if backend == "tensorflow":
        gpu = framework.config.list_physical_devices("GPU")[0]
        return str(framework.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
    if backend == "jax":
        return str(framework.devices()[0].device_kind)
    return framework.cuda.get_device_name(0) if framework.cuda.is_available() else "Apple GPU (MPS)"


def _dtype(value: Any) -> str:
    return str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")


def _forget_peak(cell: Cell, framework: Any) -> int:
    """Let the device's peak of memory count from here on; bytes that JAX, which cannot forget, has held so far."""
    if cell.device == "cpu":
        return 0
    if cell.backend == "tensorflow":
        framework.config.experimental.reset_memory_stats("GPU:0")
    elif cell.backend == "jax":
        return (framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    elif framework.cuda.is_available():
        framework.cuda.reset_peak_memory_stats()
    return 0


def _peak_device_bytes(cell: Cell, framework: Any, held_bytes: int) -> tuple[int | None, str]:
    """The most memory that the run held on its device, or None and why; ``held_bytes`` were held before it."""
    if cell.device == "cpu":
        return None, "a CPU run uses host memory"
    if cell.backend == "tensorflow":
        return int(framework.config.experimental.get_memory_info("GPU:0")["peak"]), ""
    if cell.backend == "jax":
        peak = (framework.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
        if peak is not None and peak <= held_bytes:
            return None, f"no more than the control kernel's {held_bytes} bytes, which JAX cannot forget"
    else:
        peak = int(framework.cuda.max_memory_allocated()) if framework.cuda.is_available() else None
    return peak, "the backend does not tell"


def _check_device(cell: Cell, framework: Any, value: Any) -> None:
    """Refuse a backend that computes elsewhere than asked for before anything is measured with it."""
    device = _device(cell.backend, value)
    if device == cell.device:
        return
    why = _why_no_gpu(cell.backend, framework) if cell.device == "gpu" else ""
    raise NotAsAskedError(f"asked for {cell.device}, {cell.backend} computes on the {device}{': ' if why else ''}{why}")


def _why_no_gpu(backend: str, framework: Any) -> str:
    """What a backend itself says of why it uses no GPU; empty where it says nothing."""
    if backend == "tensorflow":
        is_built = framework.test.is_built_with_cuda() or framework.test.is_built_with_rocm()
        return "it lists no GPU" if is_built else "this build of TensorFlow is for CPUs only"
    if backend == "jax":
        errors: dict[str, Any] = {}
        with suppress(ImportError):  # private, and nowhere else
            from jax._src import xla_bridge

            errors = getattr(xla_bridge, "_backend_errors", errors)
        return "; ".join(f"{name}: {' '.join(str(text).split())}" for name, text in errors.items())
    if framework.version.cuda is None and framework.version.hip is None:
        return "this build of PyTorch is for CPUs only"
    try:
        framework.cuda.init()
    except Exception as error:  # noqa: BLE001  whatever it is, it is the reason
        return " ".join(str(error).split())
    return ""


def _check_as_asked(request: Request, observed: Observed) -> None:
    """Refuse a run on another device, with another compilation or in another precision than asked for."""
    cell = request.cell
    if observed.device != cell.device:
        raise NotAsAskedError(f"asked for {cell.device}, weights and output lie on {observed.device}")
    if observed.jit != cell.jit:
        raise NotAsAskedError(f"asked for jit {cell.jit}, Keras resolved it to {observed.jit}")
    if request.kind != "model":
        return
    if observed.weight_dtype != "float32":  # mixed precision keeps them so too
        raise NotAsAskedError(f"asked for {cell.precision}, the model's weights are {observed.weight_dtype}")
    if observed.output_dtype != "float32" and not cell.precision.startswith("mixed_"):
        raise NotAsAskedError(f"asked for {cell.precision}, the model's output is {observed.output_dtype}")


def describe_failure(error: BaseException) -> tuple[str, str]:
    """Status and reason of a run that ended with an error: its type and first line, without paths of this machine.

    Data that cannot be had here is no failure: such a run is skipped, and its reason is the message alone.
    """
    text = str(error).strip() or type(error).__name__
    lower = f"{type(error).__name__} {text}".lower().replace("_", "")
    is_memory = isinstance(error, MemoryError) or any(word in lower for word in OUT_OF_MEMORY)
    is_skipped = isinstance(error, DataUnavailableError)
    line = text.splitlines()[0] if is_skipped else f"{type(error).__name__}: {text.splitlines()[0]}"
    for path, name in ((os.getcwd(), "."), (sys.prefix, "<python>"), (str(Path.home()), "~")):
        if len(path) > 1:
            line = line.replace(path, name)
    return "skipped" if is_skipped else ("out_of_memory" if is_memory else "failed"), line[:300]


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, so that a killed refresh leaves nobody computing."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(request_path: str, result_path: str) -> None:
    """Execute the request in one file and leave the run in the other, whatever happens."""
    die_with_parent()
    request = msgspec.json.decode(Path(request_path).read_bytes(), type=Request)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        run = execute(request)
    except Exception as error:  # noqa: BLE001  a failing cell is a record, not a crash
        import traceback

        traceback.print_exc()
        status, reason = describe_failure(error)
        run = Run(
            index=request.index,
            order=request.order,
            status=status,
            reason=reason,
            started_at=started_at,
            total_s=0.0,
        )
    temporary = Path(f"{result_path}.tmp")
    temporary.write_bytes(encode(run))
    os.replace(temporary, result_path)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the result is on disk; tearing a framework down takes a second and can crash
