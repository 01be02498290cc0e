"""One prediction after an idle moment: what a request costs that does not follow another at once. Pure but for nets.

Back-to-back timing keeps clocks high, caches full and thread pools awake. Requests of real users come seldom, and the
machine has slept meanwhile: cores and GPUs lower their clocks, pools of threads go to sleep.
"""

from __future__ import annotations

import random
from typing import Any

from bench.schema import Block, Names, Part, Series, Variant, Workload
from bench.workloads.studies import call_styles

GAPS_S = {"gap-0": 0.0, "gap-10ms": 0.01, "gap-100ms": 0.1, "gap-1s": 1.0}
FILTERS = (32, 64, 128)
N_WARM_UP = 50  # requests one after another before the first that counts
SHAPES = {"dense": (call_styles.N_FEATURES,), "cnn": (64, 64, 3)}

SPEC = Workload(
    id="request-gap",
    title="A request after a pause",
    summary="A net is asked for one prediction right after another, and after pauses.",
    kind="study",
    sample_noun="calls",
    data_source="seeded random rows or images; only speed is asked",
    series=(
        Series(id="gap-0", label="right after another call"),
        Series(id="gap-10ms", label="a hundredth of a second after another call"),
        Series(id="gap-100ms", label="a tenth of a second after another call"),
        Series(id="gap-1s", label="a second after another call"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"net": "dense"}, n_blocks=2,
                          steady_limit_s=0.1, headline=True, estimate_s=10.0),),
        "quick": (),
        "reference": tuple(Variant(mode="study", batch_size=1, n_samples=1, params={"net": net}, n_blocks=30,
                                   steady_limit_s=8.0, headline=net == "dense", estimate_s=60.0, sweep="gap")
                           for net in SHAPES),
    },
)  # fmt: skip

NAMES = Names(parts=(Part("cnn", "convolutions", "net", "cnn"),), nets={"dense": "small dense network"})


def measure(study: Any) -> None:
    """Time one compiled call on one sample after each pause, in turn; a call right before the pause does not count."""
    import numpy as np

    net = str(study.variant.params["net"])
    model = build(study.keras, net)
    model.compile(jit_compile=study.cell.backend == "jax")
    x = np.random.default_rng(study.seed).standard_normal((1, *SHAPES[net]), dtype=np.float32)
    call = call_styles.compiled_call(study, model)

    def request() -> float:
        return seconds_of(study, call, x)

    study.phases["first_step"] = request()
    for _ in range(N_WARM_UP):
        request()
    names, rng = list(GAPS_S), random.Random(study.seed)
    for _ in range(study.variant.n_blocks):
        rng.shuffle(names)
        for name in names:
            study.add(name, after_pause(request, GAPS_S[name]))
    study.observe(model.weights[0].value, call(x))


def build(keras: Any, net: str) -> Any:
    """The small dense net of ``call_styles`` on rows of 32, or a convnet of three blocks on images of 64 px."""
    layers = keras.layers
    parts = [keras.Input(SHAPES[net])]
    if net == "cnn":
        for n_filters in FILTERS:
            parts += [layers.Conv2D(n_filters, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        parts.append(layers.GlobalAveragePooling2D())
    else:
        parts += [layers.Dense(call_styles.WIDTH, activation="relu") for _ in range(3)]
    return keras.Sequential([*parts, layers.Dense(1)])


def seconds_of(study: Any, call: Any, x: Any) -> float:
    """Seconds from handing over a host array to having the answer as one."""
    from time import perf_counter

    start = perf_counter()
    study.keras.ops.convert_to_numpy(call(x))
    return perf_counter() - start


def after_pause(request: Any, gap_s: float) -> Block:
    """A request, a pause, and the request that counts."""
    from time import sleep

    request()
    if gap_s:
        sleep(gap_s)
    return Block(n_steps=1, seconds=request())
