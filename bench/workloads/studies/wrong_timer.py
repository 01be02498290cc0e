"""The wrong clock beside the right one, on the same work. Pure but for the arrays it multiplies.

A backend may return from a call before the device has finished; the first call traces and compiles; one call is a
sample of one. Each of the wrong answers here is what a plausible few lines of timing code would have printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench.schema import Block, Reading, Series, Variant, Workload

N_CALLS = 10  # of the loop that is timed, as in most timing code
N_PRODUCTS = 4  # in one call: enough to compile, few enough to stay short

SPEC = Workload(
    id="wrong-timer",
    title="Wrong timers",
    summary="One compiled function of four matrix products is timed rightly, and in four ways that mislead.",
    kind="study",
    sample_noun="calls",
    data_source="seeded random matrices; only speed is asked",
    series=(
        Series(id="right", label="warm, ten calls, clock stopped when the device has finished"),
        Series(id="no-wait", label="warm, ten calls, clock stopped when the last call returns"),
        Series(id="single", label="warm, one call"),
    ),
    readings=(
        Reading(id="no-wait-ratio", label="not waiting for the device, relative to right", unit="ratio"),
        Reading(
            id="first-in-mean-ratio",
            label="mean of ten calls with the first among them, relative to right",
            unit="ratio",
        ),
        Reading(id="first-ratio", label="the first call alone, relative to right", unit="ratio"),
        Reading(id="fastest-single-ratio", label="luckiest single warm call, relative to right", unit="ratio"),
        Reading(id="slowest-single-ratio", label="unluckiest single warm call, relative to right", unit="ratio"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"n": 128}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=6.0),),
        "quick": (),
        "reference": tuple(Variant(mode="study", batch_size=1, n_samples=1, params={"n": n}, n_blocks=30,
                                   steady_limit_s=10.0, headline=n == 512, estimate_s=estimate_s)
                           for n, estimate_s in ((128, 5.0), (512, 7.0), (2048, 18.0))),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time calls on a matrix of shape (n, n), float32: the first ten, then each way in turn."""
    import numpy as np

    n = int(study.variant.params["n"])
    rng = np.random.default_rng(study.seed)
    convert = study.keras.ops.convert_to_tensor
    weight = convert(rng.standard_normal((n, n), dtype=np.float32) / np.float32(n**0.5))
    start = convert(rng.standard_normal((n, n), dtype=np.float32))
    study.sync(weight)
    study.sync(start)
    call = compiled(study, weight)
    first_s, first_calls_s = time_first_calls(study, call, start)
    study.take(
        {
            "right": lambda: time_calls(study, call, start, N_CALLS, wait=True),
            "no-wait": lambda: time_calls(study, call, start, N_CALLS, wait=False),
            "single": lambda: time_calls(study, call, start, 1, wait=True),
        }
    )
    study.first("right", first_s)
    for name, value in ratios(study.series, first_s, first_calls_s).items():
        study.read(name, value)
    study.observe(weight, call(start))


def compiled(study: Any, weight: Any) -> Callable[[Any], Any]:
    """A function of one (n, n) tensor: four products with ``weight``, each squashed so that values stay of order one.

    Compiled in the backend's usual idiom; PyTorch runs it operation by operation, as it does by default.
    """
    backend, framework = study.cell.backend, study.framework
    if backend == "tensorflow":
        tanh, wrap = framework.tanh, framework.function
    elif backend == "jax":
        tanh, wrap = framework.numpy.tanh, framework.jit
    else:
        tanh, wrap = framework.tanh, framework.no_grad()

    def chain(x: Any) -> Any:
        for _ in range(N_PRODUCTS):
            x = tanh(x @ weight)
        return x

    return wrap(chain)


def time_first_calls(study: Any, call: Callable[[Any], Any], start: Any) -> tuple[float, float]:
    """Seconds of the very first call, and of the first ten together; the device has finished in both."""
    begin = perf_counter()
    value = call(start)
    study.sync(value if study.cell.backend == "jax" else None)
    first_s = perf_counter() - begin
    rest = time_calls(study, call, value, N_CALLS - 1, wait=True)
    return first_s, first_s + rest.seconds


def time_calls(study: Any, call: Callable[[Any], Any], x: Any, n_calls: int, *, wait: bool) -> Block:
    """Calls in a chain, each on the result of the one before; the device is idle before and after."""
    begin = perf_counter()
    for _ in range(n_calls):
        x = call(x)
    returned_s = perf_counter() - begin
    study.sync(x if study.cell.backend == "jax" else None)  # the others would read the matrix back to the host
    return Block(n_steps=n_calls, seconds=perf_counter() - begin if wait else returned_s)


def ratios(series: dict[str, list[Block]], first_s: float, first_calls_s: float) -> dict[str, float]:
    """What each wrong way says, divided by the right answer: the median time of a call in its warm blocks."""
    calls_s = {name: [block.seconds / block.n_steps for block in blocks] for name, blocks in series.items()}
    right_s = statistics.median(calls_s["right"])
    return {
        "no-wait-ratio": statistics.median(calls_s["no-wait"]) / right_s,
        "first-in-mean-ratio": first_calls_s / N_CALLS / right_s,
        "first-ratio": first_s / right_s,
        "fastest-single-ratio": min(calls_s["single"]) / right_s,
        "slowest-single-ratio": max(calls_s["single"]) / right_s,
    }
