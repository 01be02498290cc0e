"""A probe in the child: one operation in a loop until the clock has what it needs."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from bench.machine import meters
from bench.measure.backend import Adapter
from bench.measure.clock import Clock
from bench.schema import Phase, Request
from bench.workloads import registry


def measure_probe(
    keras: Any,  # noqa: ARG001  as of the other kinds
    backend: Adapter,
    request: Request,
    phases: dict[Phase, float],
    steady: meters.SteadyMeter,
) -> dict[str, Any]:
    """Run a probe's step in a loop until the clock has what it needs."""
    cell, variant = request.cell, request.variant
    workload = registry.module(cell.workload)
    dtype = cell.precision.removeprefix("mixed_") if cell.precision.startswith("mixed_") else "float32"
    start = perf_counter()
    step = workload.build_probe(variant, dtype)
    phases["build"] = perf_counter() - start
    last: list[Any] = [None]
    clock = Clock(
        lambda: backend.wait(last[0]),
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
