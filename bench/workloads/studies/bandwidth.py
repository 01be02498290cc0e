"""Memory bandwidth through the backend: copy, scale, triad and sum of arrays far larger than any cache.

Where a step does few operations per number it touches, memory and not arithmetic sets its pace.

Bytes are counted as in the STREAM benchmark: each array read and each array written, once per call. What the hardware
moves beyond that (a line read before it is overwritten) is not counted. Copy, scale and triad write into memory that
exists already, each call on the result of the one before, so that nothing can be skipped, overlapped or kept in a
cache. Scaling into a new array is timed apart: on a CPU the operating system has to map new memory for it, which can
cost more than the work.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.schema import Block, Reading, Series, Variant, Workload

MEBIBYTE = 2**20
STEP = 1e-6  # of the triad: small, so that values stay of order one over thousands of calls
N_ARRAYS: Mapping[str, int] = {"copy": 2, "scale": 2, "triad": 3, "sum": 1, "scale-new": 2, "numpy-copy": 2}
LABELS = {
    "triad": "triad, a = a + s b, in place",
    "copy": "copy, a = b, in place",
    "scale": "scale, a = s a, in place",
    "sum": "sum of all elements",
    "scale-new": "scale into a new array",
    "numpy-copy": "NumPy's copy, in place, one core",
}

SPEC = Workload(
    id="bandwidth",
    title="Memory bandwidth",
    summary="Large float32 arrays are copied, scaled, added and summed; bytes read plus bytes written are counted.",
    kind="study",
    sample_noun="calls",
    data_source="normal random numbers from the run's seed, already in the device's memory",
    series=tuple(Series(id=name, label=label) for name, label in LABELS.items()),
    readings=tuple(Reading(id=f"{name}-rate", label=label, unit="bytes_per_s") for name, label in LABELS.items()),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"mib": 2}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=8.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=1, n_samples=1, params={"mib": mib}, n_blocks=20, steady_limit_s=4.0,
                    headline=mib == 256, estimate_s=22.0 if mib == 256 else 30.0,
                    devices=("gpu",) if mib == 2048 else (), more_threads=(1,) if mib == 256 else (),
                    sweep="threads" if mib == 256 else "size")
            for mib in (1, 16, 256, 2048)
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time each operation on float32 arrays of ``mib`` MiB and read the bytes it moves per second."""
    import numpy as np

    n_bytes = int(study.variant.params["mib"]) * MEBIBYTE
    rng = np.random.default_rng(study.seed)
    host = rng.standard_normal(n_bytes // 4, dtype=np.float32)
    arms, device_array = operations(study, host)
    if study.cell.device == "cpu":
        target = np.empty_like(host)
        arms["numpy-copy"] = lambda: np.copyto(target, host)
    study.time(arms)
    for name, value in rates(study.series, n_bytes).items():
        study.read(f"{name}-rate", value)
    study.observe(device_array)


def operations(study: Any, host: Any) -> tuple[dict[str, Callable[[], Any]], Any]:
    """The backend's operations by series id, and one of the device arrays they read.

    The in-place ones share one array. Each function returns something small or nothing: a synchronisation
    that read a whole array back to the host would be timed with it.
    """
    build = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[study.cell.backend]
    return build(study.framework, study.keras.ops.convert_to_tensor, host)


def _tensorflow(tf: Any, convert: Callable[[Any], Any], host: Any) -> tuple[dict[str, Callable[[], Any]], Any]:
    """XLA fuses each of these into one pass over memory, which TensorFlow's own kernels would take two for."""
    source = convert(host)
    target, new = tf.Variable(source), [convert(host)]
    sign, one, step = tf.constant(-1.0), tf.constant(1.0), tf.constant(STEP)
    scale = tf.function(lambda s: _nothing(target.assign(s * target)), jit_compile=True)
    triad = tf.function(lambda b, s: _nothing(target.assign(target + s * b)), jit_compile=True)
    # A product with one moves the same bytes. A plain assignment would move none: the variable takes over the array.
    copy = tf.function(lambda b, s: _nothing(target.assign(s * b)), jit_compile=True)

    def scale_new() -> None:
        new[0] = new[0] * sign

    return {
        "triad": lambda: triad(source, step),
        "copy": lambda: copy(source, one),
        "scale": lambda: scale(sign),
        "sum": lambda: tf.reduce_sum(source),
        "scale-new": scale_new,
    }, source


def _jax(jax: Any, convert: Callable[[Any], Any], host: Any) -> tuple[dict[str, Callable[[], Any]], Any]:
    """A donated argument gives its memory to the result. Each call takes the last one's result, so none overlap."""
    source = convert(host)
    last = {"target": jax.numpy.array(host), "new": jax.numpy.array(host), "total": jax.numpy.float32(0)}
    sign, step = jax.numpy.float32(-1.0), jax.numpy.float32(STEP)

    def chained(name: str, function: Callable[..., Any], *rest: Any, donate: bool) -> Callable[[], Any]:
        compiled = jax.jit(function, donate_argnums=(0,) if donate else (), keep_unused=True)

        def call() -> Any:
            last[name] = compiled(last[name], *rest)
            return last[name]

        return call

    return {
        "triad": chained("target", lambda a, b, s: a + s * b, source, step, donate=True),
        "copy": chained("target", lambda a, b: jax.numpy.copy(b), source, donate=True),
        "scale": chained("target", lambda a, s: s * a, sign, donate=True),
        "sum": chained("total", lambda total, b: jax.numpy.sum(b) - total, source, donate=False),
        "scale-new": chained("new", lambda a, s: s * a, sign, donate=False),
    }, source


def _torch(torch: Any, convert: Callable[[Any], Any], host: Any) -> tuple[dict[str, Callable[[], Any]], Any]:
    """Each in-place method is one pass over memory."""
    source = convert(host)
    target, new = source.clone(), [source.clone()]

    def scale_new() -> None:
        new[0] = new[0] * -1.0

    return {
        "triad": lambda: _nothing(target.add_(source, alpha=STEP)),
        "copy": lambda: _nothing(target.copy_(source)),
        "scale": lambda: _nothing(target.mul_(-1.0)),
        "sum": lambda: source.sum(),
        "scale-new": scale_new,
    }, source


def _nothing(value: Any) -> None:
    """Drop a whole array, so that the clock does not read it back to the host."""


def rates(series: Mapping[str, Sequence[Block]], n_bytes: int) -> dict[str, float]:
    """Bytes per second by series: arrays touched times their bytes, over the median time of a call."""
    return {
        name: N_ARRAYS[name] * n_bytes / statistics.median(block.seconds / block.n_steps for block in blocks)
        for name, blocks in series.items()
    }
