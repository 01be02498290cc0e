"""What the harness costs: the same model.fit bare and under the clock, in turn, in one process.

``python -m bench.overhead`` prints two lines per workload and backend: the ratio of the two times, with a bootstrap
interval over rounds, and the same for a second bare fit, which shows what such a ratio is on this machine when nothing
differs. It starts a process per workload and backend, as the harness does, and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from functools import partial
from time import perf_counter
from typing import Any

from bench import launch, plan, registry
from bench.schema import BACKENDS, Backend, Cell, Profile, Request, encode

N_ROUNDS = 41
PART_S = 0.3  # one timed fit lasts at least this long: short, so that a slow neighbour meets every part of a round


def overhead_ratios(request: Request, n_rounds: int) -> dict[str, list[float]]:
    """Seconds over those of a bare fit, one value a round, of "clock" and of "bare again"; the order is shuffled."""
    from bench import worker

    cell, variant = request.cell, request.variant
    worker._pin(cell.threads)
    import keras

    framework = worker._framework(cell.backend)
    worker._configure(keras, framework, request)
    workload = registry.module(cell.workload)
    data = workload.load_data(variant, request.seed)
    model = workload.build_model(variant)
    model.compile(**workload.compile_arguments(variant), jit_compile=cell.jit == "on")

    def sync() -> None:
        worker._wait(cell.backend, framework, worker._state(model, cell.backend))

    def fit(n_epochs: int, callbacks: Any) -> float:
        start = perf_counter()
        model.fit(data.x, data.y, batch_size=cell.batch_size, epochs=n_epochs, verbose=0, callbacks=callbacks)
        sync()
        return perf_counter() - start

    def under_clock(n_epochs: int) -> float:
        clock = worker.Clock(sync, n_blocks=sys.maxsize, limit_s=float("inf"), started=True)
        return fit(n_epochs, worker.step_callbacks(keras, model, clock, {}))

    fit(1, None)
    under_clock(1)
    n_epochs = max(1, round(PART_S / fit(1, None)))
    arms = {
        "bare": partial(fit, n_epochs, None),
        "clock": partial(under_clock, n_epochs),
        "bare again": partial(fit, n_epochs, None),
    }
    ratios: dict[str, list[float]] = {"clock": [], "bare again": []}
    rng = random.Random(request.seed)
    for _ in range(n_rounds):
        seconds = {name: arms[name]() for name in rng.sample(list(arms), len(arms))}
        for name, values in ratios.items():
            values.append(seconds[name] / seconds["bare"])
    return ratios


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Median and its 95 % percentile bootstrap interval over rounds, seeded."""
    import numpy

    rng = numpy.random.default_rng(0)
    draws = numpy.median(rng.choice(ratios, size=(10_000, len(ratios))), axis=1)
    low, high = numpy.percentile(draws, [2.5, 97.5])
    return float(numpy.median(ratios)), float(low), float(high)


def request_for(workload: str, backend: Backend, profile: Profile, n_cores: int) -> Request:
    """The workload's first headline training variant as a CPU cell."""
    spec = registry.workload(workload)
    variant = next(v for v in spec.variants[profile] if v.headline and v.mode == "train")
    cell = Cell(
        workload=workload,
        backend=backend,
        device="cpu",
        jit=plan.JIT_ARMS[backend, "cpu"][0],
        batch_size=variant.batch_size,
        n_samples=variant.n_samples,
        threads=n_cores,
        params=variant.params,
    )
    return Request(cell=cell, variant=variant, target=None, kind=spec.kind, index=0, order=0, seed=0)


def main() -> None:
    """Measure the chosen workloads and backends, one process each."""
    from bench import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["cnn-digits", "resnet50"], help="workloads")
    parser.add_argument("--backend", nargs="*", default=["tensorflow"], choices=BACKENDS)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        import msgspec

        with open(arguments.child, "rb") as file:
            request = msgspec.json.decode(file.read(), type=Request)
        for name, values in overhead_ratios(request, arguments.rounds).items():
            ratio, low, high = interval(values)
            print(
                f"{request.cell.workload} {request.cell.backend} {name}: {(ratio - 1) * 100:+.2f} % "
                f"({(low - 1) * 100:+.2f} to {(high - 1) * 100:+.2f}, {len(values)} rounds)",
                flush=True,
            )
        return
    for workload in arguments.only:
        for backend in arguments.backend:
            request = request_for(workload, backend, arguments.profile, machine.cores().effective)
            with tempfile.TemporaryDirectory() as scratch:
                path = os.path.join(scratch, "request.json")
                with open(path, "wb") as file:
                    file.write(encode(request))
                env = launch.environment(request.cell, os.environ, scratch)
                command = [sys.executable, "-m", "bench.overhead", "--child", path, "--rounds", str(arguments.rounds)]
                subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
