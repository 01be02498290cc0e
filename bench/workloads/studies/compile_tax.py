"""What compiling a training step costs before it helps, and what a change of shape costs. Pure but for the nets.

A compiled step is paid for at its first call, again for every new shape of its input, and again in every new process
unless a cache on disk keeps it.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import Any

from bench.schema import Block, Names, Reading, Series, Variant, Workload

N_CLASSES = 10
SIDE = 32  # pixels; the other shapes have about as many in all, so that the arithmetic hardly changes
AREA_FRAC = 0.03
COMPILERS = ("c++", "g++", "clang++", "cl")

SPEC = Workload(
    id="compile-tax",
    title="Cost of compiling",
    summary="A convnet is trained without and with compilation, on images of one shape and of changing shapes.",
    kind="study",
    sample_noun="images",
    data_source="seeded random pixels and classes; only speed is asked",
    series=(
        Series(id="eager", label="each operation on its own (run_eagerly; JAX: jit_compile=False)"),
        Series(id="graph", label="TensorFlow graph (jit_compile=False)"),
        Series(id="compiled", label="compiled (jit_compile=True)"),
        Series(id="one-shape", label="Keras's default, one shape"),
        Series(id="few-shapes", label="Keras's default, a few shapes in turn"),
        Series(id="new-shapes", label="Keras's default, a new shape at every step"),
    ),
    readings=(
        Reading(id="pays-after-eager", label="steps until compiling beats single operations", unit="count"),
        Reading(id="pays-after-graph", label="steps until compiling beats TensorFlow's graph", unit="count"),
        Reading(id="few-shapes-first", label="first step of each of a few shapes, together", unit="s"),
        Reading(id="first-uncached", label="first step, no cache on disk", unit="s"),
        Reading(id="first-cache-cold", label="first step, cache on disk still empty", unit="s"),
        Reading(id="first-cache-warm", label="first step, cache on disk filled", unit="s"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=4, n_samples=4, params={"net": "tiny", "shapes": 2}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=20.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=16, n_samples=16, params={"net": net, "shapes": 10}, n_blocks=10,
                    steady_limit_s=3.0, headline=net == "small", estimate_s=estimate_s, sweep="compilation")
            for net, estimate_s in (("small", 36.0), ("mid", 75.0))
        ),
    },
)  # fmt: skip

NAMES = Names(
    alternatives=(("eager", "graph", "compiled"),), nets={"small": "two convolutions", "mid": "eight convolutions"}
)

# Filters of each convolution by net; an image is halved before the filters grow.
FILTERS = {"tiny": (8,), "small": (32, 64), "mid": (32, 32, 64, 64, 128, 128, 256, 256)}


def measure(study: Any) -> None:
    """Time the arms on batches of shape (batch_size, 32, 32, 3), then the changing shapes, then the cache."""
    import numpy as np

    rng = np.random.default_rng(study.seed)

    def batch(height: int, width: int) -> tuple[Any, Any]:
        n = study.cell.batch_size
        pixels = rng.standard_normal((n, height, width, 3), dtype=np.float32)
        return pixels, rng.integers(0, N_CLASSES, n, dtype=np.int32)

    def step_of(model: Any, data: tuple[Any, Any]) -> Any:
        return lambda: model.train_on_batch(*data)

    warm = build(study, "tiny", {"run_eagerly": study.cell.backend != "jax", "jit_compile": False})
    warm.train_on_batch(*batch(SIDE, SIDE))  # loads the backend's libraries, which no arm should pay for
    net, data = str(study.variant.params["net"]), batch(SIDE, SIDE)
    study.time({name: step_of(build(study, net, how), data) for name, how in arms(study.cell.backend, net).items()})
    for other in ("eager", "graph"):
        if other in study.series and "compiled" in study.series:
            n_steps = pays_after(
                study.first_s[other], step_s(study, other), study.first_s["compiled"], step_s(study, "compiled")
            )
            if n_steps is not None:
                study.read(f"pays-after-{other}", n_steps)

    shapes = shapes_of_one_area()
    model = build(study, net, {"jit_compile": "auto"})
    change_shapes(study, model, data, [batch(*next(shapes)) for _ in range(int(study.variant.params["shapes"]))])
    new_shapes(study, model, (batch(*shape) for shape in shapes))
    if study.cell.backend == "jax":
        read_cache(study, net, data)
    study.observe(model.weights[0].value, model(data[0]))


def arms(backend: str, net: str) -> dict[str, dict[str, Any]]:
    """Arguments of compile by series.

    PyTorch's compiler is left out where no C++ compiler is at hand, and for the net that only tries the study out,
    because it takes a minute.
    """
    if backend == "tensorflow":
        return {
            "eager": {"run_eagerly": True, "jit_compile": False},
            "graph": {"jit_compile": False},
            "compiled": {"jit_compile": True},
        }
    known = {"eager": {"jit_compile": False}, "compiled": {"jit_compile": True}}
    if backend == "torch" and (net == "tiny" or not has_compiler()):
        del known["compiled"]
    return known


def has_compiler() -> bool:
    """Whether a C++ compiler is found: the one that CXX names, or a usual one."""
    import os
    import shutil

    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS) if name)


def pays_after(first_a_s: float, step_a_s: float, first_b_s: float, step_b_s: float) -> float | None:
    """Number of steps after which b, first call included, has taken no longer than a; None if that never happens."""
    if first_b_s <= first_a_s:
        return 1.0 if step_b_s <= step_a_s else None
    if step_b_s >= step_a_s:
        return None
    return 1.0 + (first_b_s - first_a_s) / (step_a_s - step_b_s)


def step_s(study: Any, name: str) -> float:
    """Median seconds of a step in a series' blocks."""
    from statistics import median

    return median(block.seconds / block.n_steps for block in study.series[name])


def shapes_of_one_area() -> Any:
    """Pairs (height, width), each once and none of them square, whose area is within 3 % of 32 x 32 pixels."""
    area = SIDE * SIDE
    for height in range(SIDE // 2, 2 * SIDE + 1):
        for width in range(SIDE // 2, 2 * SIDE + 1):
            if height != width and abs(height * width - area) <= AREA_FRAC * area:
                yield height, width


def change_shapes(study: Any, model: Any, data: tuple[Any, Any], batches: list[tuple[Any, Any]]) -> None:
    """Time steps on one shape against steps on a few shapes in turn, after the first of each has been timed."""
    from itertools import cycle

    start = perf_counter()
    model.train_on_batch(*data)
    one_s = perf_counter() - start
    start = perf_counter()
    for chosen in batches:
        model.train_on_batch(*chosen)
    study.read("few-shapes-first", perf_counter() - start)
    turn = cycle(batches)
    study.time(
        {"one-shape": lambda: model.train_on_batch(*data), "few-shapes": lambda: model.train_on_batch(*next(turn))}
    )
    study.first("one-shape", one_s)
    study.first_s.pop("few-shapes", None)  # the reading holds them all


def new_shapes(study: Any, model: Any, batches: Any) -> None:
    """Time steps of which each has a shape that was never seen, until there are enough or the limit is reached."""
    spent = 0.0
    for n_done, chosen in enumerate(batches):
        if n_done >= study.variant.n_blocks or (n_done >= 3 and spent > study.variant.steady_limit_s):
            break
        start = perf_counter()
        model.train_on_batch(*chosen)
        seconds = perf_counter() - start
        spent += seconds
        study.add("new-shapes", Block(n_steps=1, seconds=seconds))


def read_cache(study: Any, net: str, data: tuple[Any, Any]) -> None:
    """Read the seconds of JAX's first step without a cache on disk, with an empty one and with a filled one.

    Before each, everything compiled in this process is forgotten, as in a new process.
    """
    import os
    import tempfile

    jax = study.framework

    def first_s() -> float:
        model = build(study, net, {"jit_compile": True})
        jax.clear_caches()
        start = perf_counter()
        model.train_on_batch(*data)
        return perf_counter() - start

    study.read("first-uncached", first_s())
    with tempfile.TemporaryDirectory(prefix="cache-") as folder, disk_cache(jax, folder):
        cold = first_s()
        n_kept = len(os.listdir(folder))
        if not n_kept:
            raise RuntimeError("JAX wrote nothing into its compilation cache")
        study.read("first-cache-cold", cold)
        study.read("first-cache-warm", first_s())


@contextmanager
def disk_cache(jax: Any, folder: str) -> Any:
    """JAX's persistent compilation cache in a folder, for everything however small and quick to compile."""
    from jax.experimental.compilation_cache import compilation_cache

    wanted = {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in wanted}
    compilation_cache.reset_cache()
    for name, value in wanted.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def build(study: Any, net: str, how: dict[str, Any]) -> Any:
    """A convnet for colour images of any shape, ten classes, as logits.

    Args:
        how: arguments of compile that say what is compiled.
    """
    keras = study.keras
    layers: list[Any] = [keras.Input((None, None, 3))]
    n_before = FILTERS[net][0]
    for n_filters in FILTERS[net]:
        if n_filters != n_before:
            layers.append(keras.layers.MaxPooling2D())
        layers += [keras.layers.Conv2D(n_filters, 3, padding="same"), keras.layers.BatchNormalization()]
        layers.append(keras.layers.ReLU())
        n_before = n_filters
    model = keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **how,
    )
    return model
