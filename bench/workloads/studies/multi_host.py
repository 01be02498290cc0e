"""One host against several in one training, through ``keras.distribution`` on JAX: a process on each, all in step.

The processes are tasks of a Slurm job, one GPU each. Elsewhere they all run on this host's CPU, which shows that the
path works and no more. Impure: starts processes.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from bench import REPOSITORY
from bench.schema import Block, DataUnavailableError, Reading, Series, Variant, Workload
from bench.workloads.studies.multi_gpu import NETS, TOLERANCE, Trainer, first_losses

LIMIT_S = 600.0
ARMS = ("one", "strong", "weak")

SPEC = Workload(
    id="multi-host",
    title="Several hosts",
    summary="A net is trained on one GPU and on one GPU of each of several hosts, with the same total batch and with a "
    "full batch for each.",
    kind="study",
    sample_noun="images",
    data_source="seeded random bytes as images and random classes; only speed is asked, and losses are compared",
    series=(
        Series(id="one", label="one host"),
        Series(id="strong", label="all hosts, the same total batch"),
        Series(id="weak", label="all hosts, a full batch for each"),
    ),
    readings=(
        Reading(id="hosts", label="hosts that took part", unit="count"),
        Reading(id="devices", label="devices that hold the weights", unit="count"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=32, n_samples=320, params={"net": "small", "hosts": 2}, n_blocks=3,
                          headline=True, estimate_s=30.0, backends=("jax",)),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=NETS[net][2], n_samples=NETS[net][2] * NETS[net][3],
                    params={"net": net, "hosts": n}, n_blocks=10, headline=n == 2, estimate_s=120.0, devices=("gpu",),
                    backends=("jax",), sweep="hosts")
            for n in (2, 4) for net in ("resnet50", "small")
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Let the processes train in step, and keep what the first of them timed.

    Raises:
        DataUnavailableError: this is no Slurm job of so many nodes.
        RuntimeError: a process ended badly; with the last that it said.
        ArithmeticError: the losses differ by more than rounding explains, so the work is not equal.
    """
    import numpy as np

    n = int(study.variant.params["hosts"])
    n_nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", 1))
    if study.cell.device == "gpu" and n_nodes < n:
        raise DataUnavailableError(f"{n} hosts are needed, this is {n_nodes}: run --launcher slurm --nodes {n}")
    with socket.socket() as free:
        free.bind(("", 0))
        address = f"{socket.gethostname() if n_nodes > 1 else '127.0.0.1'}:{free.getsockname()[1]}"
    asked = {"address": address, "hosts": n, "net": study.variant.params["net"], "device": study.cell.device,
             "seed": study.seed, "batch": study.cell.batch_size, "n_samples": study.variant.n_samples,
             "n_blocks": study.variant.n_blocks}  # fmt: skip
    told = run_all(n, json.dumps(asked))
    if asked["net"] == "small" and not np.allclose(told["losses"]["one"], told["losses"]["strong"], rtol=TOLERANCE):
        raise ArithmeticError(f"the losses differ between one host and {n}: {told['losses']}")
    for name in ARMS:
        study.first(name, told["first"][name])
        for n_steps, seconds in told["blocks"][name]:
            study.add(name, Block(n_steps=n_steps, seconds=seconds))
    study.read("hosts", told["hosts"])
    study.read("devices", told["devices"])
    study.observe(study.keras.ops.ones((1,)))


def run_all(n: int, asked: str) -> dict[str, Any]:
    """What the first of n processes reports; see ``measure``."""
    command, counts = [sys.executable, "-m", __name__, asked], range(n)
    if "SLURM_JOB_ID" in os.environ:
        command = ["srun", "--overlap", f"--ntasks={n}", "--distribution=cyclic", "--cpu-bind=none", *command]
        counts = range(1)
    processes = [
        subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | {"SLURM_PROCID": str(rank)}, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for rank in counts
    ]  # fmt: skip
    try:
        ended = [(process, *process.communicate(timeout=LIMIT_S)) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, _, errors in ended:
        if process.returncode:
            last = (errors.strip().splitlines() or ["it printed nothing"])[-1]
            raise RuntimeError(f"a process ended with exit code {process.returncode}: {last[:200]}")
    return dict(json.loads(ended[0][1].strip().splitlines()[-1]))


# What runs on each host.


def main(text: str, rank: int) -> None:
    """Train in step with the other processes; the first one prints what it timed."""
    asked = json.loads(text)
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    if asked["device"] == "cpu":
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    import keras

    n, batch = asked["hosts"], asked["batch"]
    keras.distribution.initialize(job_addresses=asked["address"], num_processes=n, process_id=rank)
    firsts: dict[str, float] = {}
    study = SimpleNamespace(keras=keras, cell=SimpleNamespace(backend="jax"), seed=asked["seed"],
                            sync=jax.block_until_ready, first=firsts.__setitem__)  # fmt: skip
    image_px, channels, _, _ = NETS[asked["net"]]
    rng = np.random.default_rng(asked["seed"])
    x = rng.integers(0, 256, (asked["n_samples"], image_px, image_px, channels), dtype=np.uint8)
    y = rng.integers(0, 10, len(x), dtype=np.int32)
    # A process feeds its own rows of each step; all together feed those that one host would.
    mine = np.arange(len(x)).reshape(-1, n, batch // n)[:, rank].ravel()
    everywhere = keras.distribution.list_devices(asked["device"])
    arms = {"strong": (Trainer(study, asked["net"], everywhere), x[mine], y[mine], batch // n),
            "weak": (Trainer(study, asked["net"], everywhere), x, y, batch)}  # fmt: skip
    if rank == 0:
        arms["one"] = (Trainer(study, asked["net"], []), x, y, batch)
    losses = {name: first_losses(study, name, *arms[name]) for name in ARMS if name in arms}
    blocks: dict[str, list[tuple[int, float]]] = {name: [] for name in ARMS}
    order, shuffle = list(ARMS), random.Random(asked["seed"]).shuffle
    for number in range(asked["n_blocks"] + 1):
        shuffle(order)  # alike in every process
        for name in (name for name in order if name in arms):
            block = arms[name][0].epoch(*arms[name][1:])
            blocks[name] += [(block.n_steps, block.seconds)] if number else []  # the first warms up
    names = multihost_utils.process_allgather(np.uint32(crc32(socket.gethostname().encode())))
    if rank == 0:
        print(json.dumps({"first": firsts, "losses": losses, "blocks": blocks, "hosts": len({*names.tolist()}),
                          "devices": arms["strong"][0].n_devices()}))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(os.environ["SLURM_PROCID"]))
