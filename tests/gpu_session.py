"""A GPU session that nobody measured, for tests of the pages and for looking at them by hand. Never published.

The cells are those that ``bench.session.plan`` would run on such a machine; the times follow from counted operations
and bytes, a data-sheet-like rate and a fixed time per launch, with jitter seeded by the cell's id. Not one of them is
a measurement: nothing here may reach bench/results/ or a published page.

``python -m tests.gpu_session OUT_DIR [--local] [--profile quick]`` copies the committed records to OUT_DIR and adds it;
build the site from there with SITE_RESULTS=OUT_DIR.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.records import files, operations, store
from bench.records.check import size
from bench.records.store import SessionResults
from bench.schema import (
    METHOD_VERSIONS,
    Backend,
    Block,
    Cell,
    Control,
    PlannedCell,
    Precision,
    Profile,
    Record,
    Run,
    Workload,
)
from bench.workloads import registry
from tests.factories import (
    in_turn,
    job_of,
    make_conditions,
    make_gpu,
    make_machine,
    make_observed,
    make_plan,
    make_run,
    make_session,
)

MACHINE = "nvidia-h200-16c"
N_CORES = 16
DAY = "2026-11-28"
BACKENDS: tuple[Backend, ...] = ("jax", "torch")

# Operations a second of a large matrix product, and the share of it that a network reaches.
GPU_RATE: Mapping[Precision, float] = {
    "float32-strict": 5e13, "tf32": 3.8e14, "mixed_bfloat16": 7.2e14, "mixed_float16": 7.2e14,
}  # fmt: skip
CORE_RATE: Mapping[Precision, float] = {"float32-strict": 9e10, "mixed_bfloat16": 1.6e11, "mixed_float16": 1.2e11}
NETWORK_FRAC = {"gpu": 0.25, "cpu": 0.4}
BYTES_PER_S = {"gpu": 4e12, "cpu": 2e11}
LAUNCH_S = {("gpu", "torch"): 12e-6, ("gpu", "jax"): 3e-6, ("cpu", "torch"): 4e-6, ("cpu", "jax"): 1e-6}
# Launches of a training step; a forward pass has a third.
N_LAUNCHES = {"resnet50": 1500, "mobilenet-v2": 1500, "inception-v3": 2500, "transfer-2000": 1000, "lstm-text": 700}
FEW_LAUNCHES = 200
READING = {"bytes": 2e9, "per_s": 900.0, "s": 0.2, "ratio": 1.2, "frac": 0.4, "count": 1.0, "flop_per_s": 1e13}


def gpu_session(
    profile: Profile = "quick",
    *,
    local: bool = False,
    backends: Sequence[Backend] = BACKENDS,
    only: Sequence[str] = (),
    repeats: int | None = None,
    session_id: str = DAY,
) -> SessionResults:
    """The planned cells of a profile on one H200 and 16 cores, each with an invented record."""
    specs = registry.workloads()
    planned = make_plan(
        specs, profile=profile, n_gpus=1, n_cores=N_CORES, backends=tuple(backends), only=tuple(only), repeats=repeats
    )
    orders: dict[str, list[int]] = {}
    for run in planned.runs:
        orders.setdefault(run.cell.id, []).append(run.order)
    records = {
        cell_id: _record(cell, specs[cell.workload], profile, orders[cell_id], session_id)
        for cell_id, cell in planned.cells.items()
    }
    machine = make_machine(
        MACHINE, cpu_model="Intel(R) Xeon(R) Platinum 8468", cpu_family="GenuineIntel 6/143/8",
        n_physical_cores=N_CORES, n_logical_cores=N_CORES, cpu_flags=("avx2", "avx512f", "avx512_bf16", "amx_bf16"),
        memory_bytes=128 * 2**30, gpus=(make_gpu("NVIDIA H200", memory_bytes=150_754_820_096, driver="580.95.05"),),
    )  # fmt: skip
    versions = {"python": "3.12.3", "keras": "3.15.1", "jax": "0.11.2", "torch": "2.11.0+cu130", "numpy": "2.5.2"}
    session = make_session(
        id=session_id, machine_id=MACHINE, profile=profile, n_repeats=repeats or 1, n_cores_effective=N_CORES,
        versions={name: text for name, text in versions.items() if name not in ("jax", "torch") or name in backends},
        plan=tuple(PlannedCell(cell_id=cell_id, n_repeats=len(orders[cell_id])) for cell_id in records),
    )  # fmt: skip
    path = f"{files.LOCAL + '/' if local else ''}{MACHINE}/{session_id}"
    return SessionResults(machine, session, records, local, path)


def add_to(root: Path, session: SessionResults) -> Path:
    """Write a session into a results folder, as the harness would."""
    folder = root / session.path
    store.begin(folder, session.machine, session.session)
    for record in in_turn(session.records.values()):
        store.write_record(folder, record)
    return folder


def with_committed(root: Path, session: SessionResults) -> Path:
    """A results folder with the committed records and this session beside them."""
    shutil.copytree(files.RESULTS, root, ignore=shutil.ignore_patterns(files.LOCAL))
    add_to(root, session)
    return root


def step_s(cell: Cell) -> float:
    """Seconds of one step: counted work at the device's rate, bytes at its bandwidth, and a time per launch."""
    flop, n_bytes = _work(cell)
    n_launches = N_LAUNCHES.get(cell.workload, FEW_LAUNCHES) / (3 if cell.mode == "infer" else 1)
    if cell.mode != "probe":
        flop /= NETWORK_FRAC[cell.device]
    elif cell.device == "gpu":
        n_launches = 1
    else:
        n_launches = 0
    if cell.device == "gpu" and cell.jit == "on" and cell.backend == "torch":
        n_launches /= 3
    rate = GPU_RATE[cell.precision] if cell.device == "gpu" else CORE_RATE[cell.precision] * cell.threads**0.9
    launch_s = LAUNCH_S[cell.device, cell.backend if cell.backend != "tensorflow" else "torch"]
    return flop / rate + n_bytes / BYTES_PER_S[cell.device] + n_launches * launch_s + 2e-6


def _work(cell: Cell) -> tuple[float, float]:
    """Operations and least bytes of a step."""
    if cell.workload == "matmul":
        n = float(cell.params["n"])
        return 2 * n**3, 12 * n**2
    counts = operations.counts()
    name = registry.network(cell.workload, cell.params)
    known = counts.get(name) or next(count for key, count in counts.items() if key.split()[0] == cell.workload)
    kind = "training" if cell.mode == "train" else "forward"
    n = cell.batch_size
    return known[kind] * n, known[f"{kind}_step_bytes"] + n * known[f"{kind}_sample_bytes"]


def _record(cell: Cell, spec: Workload, profile: Profile, orders: Sequence[int], day: str) -> Record:
    spec = msgspec.structs.replace(spec, variants={profile: spec.variants[profile]})
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(cell.id.encode()).digest()[:4], "big"))
    runs = tuple(_run(index, order, cell, spec, profile, rng, day) for index, order in enumerate(orders))
    return Record(
        cell=cell, spec=spec, profile=profile, status="ok", runs=runs,
        source_hash=registry.source_hash(cell.workload), method_version=METHOD_VERSIONS[cell.mode],
    )  # fmt: skip


def _run(
    index: int, order: int, cell: Cell, spec: Workload, profile: Profile, rng: np.random.Generator, day: str
) -> Run:
    on_gpu = cell.device == "gpu"
    minutes = order // 4
    compiling = 1.0 if cell.backend == "torch" and cell.jit == "off" else 8.0
    control_s = (2.7e-3 if on_gpu else 6e-3) * (1 + 0.01 * rng.standard_normal(10))
    fields: dict[str, Any] = {
        "order": order,
        "started_at": f"{day[:10]}T{8 + minutes // 60:02d}:{minutes % 60:02d}:{15 * (order % 4):02d}+00:00",
        "control_before": Control(n=4096 if on_gpu else 1024, seconds=tuple(control_s[:5].tolist())),
        "control_after": Control(n=4096 if on_gpu else 1024, seconds=tuple(control_s[5:].tolist())),
        "peak_host_bytes": 3_000_000_000,
    }
    if on_gpu:
        clock = {"gpu_clock_hz": 1.98e9, "gpu_temperature_c": 45.0, "n_gpu_processes": 0}
        fields |= {"before": make_conditions(**clock), "after": make_conditions(**clock), "idle_w": 75.0}
        fields |= {"peak_device_bytes": min(2_000_000_000 + 5_000_000 * cell.batch_size, 100_000_000_000)}
        fields |= {"observed": make_observed(cell, device_name="NVIDIA H200")}
    if spec.kind == "study":
        fields |= _studied(cell, spec, rng)
        return make_run(index, cell=cell, step_s=1e-3, **fields)
    step = step_s(cell)
    n_steps = max(1, round(0.1 / step))
    n_blocks = min(6, *(one.n_blocks for one in spec.variants[profile] if size(one) == size(cell)))
    blocks = [
        Block(n_steps=n_steps, seconds=step * n_steps * (1 + abs(0.02 * rng.standard_normal())))
        for _ in range(n_blocks)
    ]
    steady_s = sum(block.seconds for block in blocks)
    phases = {"import": 4.5, "device_start": 0.9 if on_gpu else 0.1, "data": 0.3, "build": 0.8}
    phases |= {"first_step": step + compiling, "warmup": steady_s, "steady": 1.2 * steady_s, "evaluation": step}
    fields |= {
        "phases_s": phases,
        "blocks": tuple(blocks),
        "warmup": tuple(msgspec.structs.replace(block, seconds=1.05 * block.seconds) for block in blocks[:3]),
        "latencies_s": tuple((step * (1.1 + 0.05 * rng.random(10))).tolist()),
        "flop_per_step": _work(cell)[0] if cell.mode == "probe" else None,
        "final_loss": None if cell.mode != "train" else 0.5,
        "job": job_of(cell, spec, profile, step, rng) if cell.mode == "train" else None,
    }
    if on_gpu:
        fields |= {"utilisation_frac": (0.6, 0.7, 0.65), "energy_j": 350.0 * steady_s}
    return make_run(index, cell=cell, step_s=step, **fields)


def _studied(cell: Cell, spec: Workload, rng: np.random.Generator) -> dict[str, Any]:
    """Series that differ by factors of their own, and readings of their unit's size."""
    base = 6e-5 if cell.device == "gpu" else 1.5e-4
    series = {}
    for item in spec.series:
        seconds = base * (1 + 9 * rng.random())
        n_steps = max(1, round(0.1 / seconds))
        series[item.id] = tuple(Block(n_steps=n_steps, seconds=seconds * n_steps * (1 + 0.02 * rng.random()))
                                for _ in range(5))  # fmt: skip
    units = READING | {"bytes_per_s": 0.8 * BYTES_PER_S[cell.device]}
    factor = {"frac": 1.0, "count": 0.0, "bytes": 0.2}
    readings = {r.id: units[r.unit] * (1 - 0.1 * factor.get(r.unit, 1.0) * rng.random()) for r in spec.readings}
    return {"series": series, "first_s": dict.fromkeys(series, 0.8), "readings": readings, "idle_w": None}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="results folder to make; must not exist")
    parser.add_argument("--local", action="store_true", help="as this machine's own session, not as a published one")
    parser.add_argument("--profile", default="quick", choices=("smoke", "quick", "reference"))
    parser.add_argument("--only", nargs="*", default=(), help="workloads; all when not given")
    parser.add_argument("--repeats", type=int, help="processes per cell; by default as the profile says")
    given = parser.parse_args()
    session = gpu_session(given.profile, local=given.local, only=given.only, repeats=given.repeats)
    with_committed(given.out, session)
    print("\n".join(store.check(given.out)) or f"{len(session.records)} invented cells in {given.out / session.path}")


if __name__ == "__main__":
    main()
