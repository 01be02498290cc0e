"""The largest batch that fits under a cap on memory, found by trying: each try is a process of its own that may die.

On a CPU the cap is a memory cgroup, so it holds for all that the process keeps in memory, libraries included; the
system kills a process that needs more, and counts that. On a GPU it is the limit of the backend's own allocator,
which leaves out what the driver takes. Impure: starts processes, makes and removes a cgroup.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench import REPOSITORY
from bench.machine import cgroups
from bench.schema import DataUnavailableError, Names, Reading, Variant, Workload
from bench.workloads.studies import memory, memory_nets

N_STEPS = 2  # of one try
MAX_BATCH = 65_536
TRY_LIMIT_S = 240.0
GB = 10**9
CONTEXT_BYTES = 10**9  # that a process takes of a GPU beside its allocator; left free for the child
OUT_OF_MEMORY = 3  # exit code of a child that ran out of memory and could still say so
WORDS = (
    "RESOURCE_EXHAUSTED",
    "ResourceExhausted",
    "out of memory",
    "OutOfMemory",
    "exceeds the memory limit",
    "Unable to allocate",
    "can't allocate memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
PREFIX = "keras-cap-"
# Names of the limits, which take bytes, and of the file that counts kills, by whether the hierarchy is the unified one.
FILES = {
    False: (("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), "memory.oom_control"),
    True: (("memory.max", "memory.swap.max"), "memory.events"),
}


SPEC = Workload(
    id="memory-caps",
    title="Largest batch under a cap",
    summary="A net is trained for two steps in processes whose memory is capped, until the largest batch that fits "
    "is found.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images; memory does not depend on their values",
    readings=(
        Reading(id="largest", label="largest batch that fitted", unit="count"),
        Reading(id="too-large", label="smallest batch that did not", unit="count"),
        Reading(id="cap", label="cap", unit="bytes"),
        Reading(id="room", label="left by the libraries for the net", unit="bytes"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=64, n_samples=64, params={"net": "cnn", "cap_gb": 1},
                          headline=True, estimate_s=25.0),),
        "quick": (),
        # The batch is the one that is tried first.
        "reference": tuple(
            Variant(mode="study", batch_size=start, n_samples=start,
                    params={"net": net, "cap_gb": cap_gb, **({"image_px": 224} if net == "resnet50" else {})},
                    headline=(net, cap_gb, device) == ("cnn", 12, "gpu"), estimate_s=estimate_s,
                    backends=("tensorflow", "torch") if device == "cpu" else (), devices=(device,),  # type: ignore[arg-type]
                    sweep="memory-caps")
            for device, net, sizes in (
                ("cpu", "cnn", ((2, 128, 35.0), (4, 256, 45.0))),
                ("cpu", "resnet50", ((4, 16, 55.0), (8, 32, 75.0))),
                ("gpu", "cnn", ((4, 1024, 60.0), (8, 2048, 60.0), (12, 2048, 60.0), (16, 4096, 60.0),
                                (24, 4096, 60.0), (48, 8192, 60.0), (80, 16_384, 60.0))),
                ("gpu", "resnet50", ((4, 32, 60.0), (8, 64, 60.0), (12, 64, 60.0), (16, 128, 60.0), (24, 128, 60.0),
                                     (48, 256, 60.0), (80, 512, 60.0))),
            )
            for cap_gb, start, estimate_s in sizes
        ),
    },
)  # fmt: skip

NAMES = Names(memory="under-cap")


class Trial(NamedTuple):
    """How a try ended: whether the batch fitted, and the bytes under the cap that were left before the net was built.

    ``room_bytes`` is None where the process was killed before it could say.
    """

    fits: bool
    room_bytes: float | None


def measure(study: Any) -> None:
    """Find the largest batch under the cap and the smallest above it, by doubling or halving from the first one.

    Raises:
        DataUnavailableError: no cap can be set here, or the GPU has not that much to give.
        RuntimeError: a try ended otherwise than by fitting or by running out of memory.
    """
    cap_bytes = int(study.variant.params["cap_gb"]) * GB
    check_gpu(study.cell.device, cap_bytes)
    rooms: list[float] = []

    def fits(batch: int) -> bool:
        found = attempt(study, cap_bytes, batch)
        rooms.extend([] if found.room_bytes is None else [found.room_bytes])
        return found.fits

    largest, too_large = search(fits, study.cell.batch_size)
    study.read("largest", largest)
    if too_large is not None:
        study.read("too-large", too_large)
    study.read("cap", cap_bytes)
    if rooms:
        study.read("room", min(rooms))
    study.observe(study.keras.ops.ones((1,)))


def search(fits: Callable[[int], bool], start: int, most: int = MAX_BATCH) -> tuple[int, int | None]:
    """The largest batch that fits and the next one, which does not; each of the two was tried.

    Args:
        fits: whether a batch fits; of two batches the smaller one fits if the larger one does.
        start: the batch to try first; then it is doubled while it fits, or halved until it does.
        most: no batch above it is tried.

    Returns:
        0 and the smallest batch where nothing fits; the last batch tried and None where everything does.
    """
    batch = start
    if fits(batch):
        while 2 * batch <= most:
            if not fits(2 * batch):
                return batch, 2 * batch
            batch *= 2
        return batch, None
    while batch > 1:
        if fits(batch // 2):
            return batch // 2, batch
        batch //= 2
    return 0, batch


def check_gpu(device: str, cap_bytes: int) -> None:
    """Refuse a cap that the GPU cannot imitate.

    Raises:
        DataUnavailableError: no NVIDIA driver tells its memory, it is no larger than the cap, or others hold too much.
    """
    if device != "gpu":
        return
    used, total = memory.driver_bytes()
    if used is None or total is None:
        raise DataUnavailableError("nvidia-smi does not tell the memory of this GPU, so no part of it can be set")
    if total <= cap_bytes:
        raise DataUnavailableError(f"the GPU has {total / GB:.0f} GB, not more than the cap of {cap_bytes / GB:.0f} GB")
    if total - used < cap_bytes + CONTEXT_BYTES:
        raise DataUnavailableError(
            f"{(total - used) / GB:.0f} GB of the GPU are free, too few for a cap of {cap_bytes / GB:.0f} GB: "
            "other processes, or this one's own reserve, hold the rest"
        )


def attempt(study: Any, cap_bytes: int, batch: int) -> Trial:
    """Train with one batch in a process under the cap.

    Raises:
        RuntimeError: it failed for another reason than memory.
        TimeoutError: it took longer than the limit.
    """
    cell = study.cell
    request = {
        "backend": cell.backend,
        "device": cell.device,
        "batch": batch,
        "params": dict(cell.params),
        "cap_bytes": cap_bytes,
        "seed": study.seed,
    }
    command = [sys.executable, "-m", __name__]
    with memory_group(cap_bytes) if cell.device == "cpu" else no_group() as group:
        try:
            done = subprocess.run(
                [*command, json.dumps(request | {"cgroup": group.folder})],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                timeout=TRY_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"a try with a batch of {batch} took longer than {TRY_LIMIT_S:g} s") from None
        return judge(done.returncode, group.n_kills(), done.stdout, done.stderr)


def judge(code: int, n_kills: int, output: str, errors: str) -> Trial:
    """How a child ended, from its exit code, the kills its cgroup counted and what it printed.

    Raises:
        RuntimeError: it failed for another reason than memory.
    """
    said = [line.split()[1] for line in output.splitlines() if line.startswith("room ")]
    room_bytes = float(said[-1]) if said else None
    if code == 0:
        return Trial(True, room_bytes)
    if n_kills or code == OUT_OF_MEMORY:
        return Trial(False, room_bytes)
    last = (errors.strip().splitlines() or ["it printed nothing"])[-1]
    raise RuntimeError(f"a try ended with exit code {code}, and not for want of memory: {last[:200]}")


class Group(NamedTuple):
    """A memory cgroup: its folder, and how many processes the system killed in it so far."""

    folder: str | None
    n_kills: Callable[[], int]


@contextmanager
def no_group() -> Iterator[Group]:
    """No cgroup: the child's cap is not one of the system."""
    yield Group(None, lambda: 0)


@contextmanager
def memory_group(cap_bytes: int, root: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> Iterator[Group]:
    """A new memory cgroup with a cap on memory and swap together, removed at the end.

    Raises:
        DataUnavailableError: none can be made here.
    """

    def claim(folder: Path, is_v2: bool) -> None:
        (limit, swap_limit), counter = FILES[is_v2]
        cgroups.put(folder / limit, str(cap_bytes))
        with suppress(OSError):  # a kernel without accounts of swap has no such file
            cgroups.put(folder / swap_limit, str(0 if is_v2 else cap_bytes))
        (folder / counter).read_text()

    with cgroups.new_group("memory", PREFIX, claim, root, self_cgroup) as (folder, place):
        counter = folder / FILES[place.is_v2][1]
        yield Group(str(folder), lambda: n_killed(counter.read_text()))


def n_killed(text: str) -> int:
    """Processes killed for want of memory, from a cgroup's file of names and numbers."""
    counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
    return int(counts.get("oom_kill", 0))


# What runs in the child.


def main(text: str) -> None:
    """Train under the cap; exit with OUT_OF_MEMORY where the backend says that memory ran out."""
    request = json.loads(text)
    if request["cgroup"]:
        Path(request["cgroup"], "cgroup.procs").write_text(str(os.getpid()))
    if request["device"] == "gpu" and request["backend"] == "jax":
        limit_jax(request["cap_bytes"])
    import keras

    framework = importlib.import_module(request["backend"])
    limit_bytes = request["cap_bytes"]
    if request["device"] == "gpu":
        limit_bytes = limit_gpu(request["backend"], framework, limit_bytes)
    keras.config.set_image_data_format("channels_last")
    try:
        train(keras, request, limit_bytes)
    except Exception as error:
        if not is_out_of_memory(error, request, framework):
            raise
        print(f"{type(error).__name__}: {error}"[:1000], file=sys.stderr)
        sys.stderr.flush()
        os._exit(OUT_OF_MEMORY)


def train(keras: Any, request: Mapping[str, Any], limit_bytes: int) -> None:
    """Say what is left for the net, then take a few steps of one batch."""
    import numpy as np

    batch, net = int(request["batch"]), request["params"]["net"]
    variant = Variant(mode="study", batch_size=batch, n_samples=batch, params=request["params"])
    if net == "cnn":
        rng = np.random.default_rng(request["seed"])
        x = rng.standard_normal((batch, 64, 64, 3), dtype=np.float32)
        y = rng.integers(0, memory.N_CLASSES, batch, dtype=np.int32)
    else:
        x, y, *_ = memory_nets.NETS[net].load_data(variant, request["seed"])
    keras.ops.convert_to_numpy(keras.ops.ones((1,)) + 1.0)  # the device is up
    print("room", limit_bytes - (resident_bytes() if request["device"] == "cpu" else 0), flush=True)
    if net == "cnn":
        model = memory.build(keras, net)
    else:
        model = memory_nets.build(keras, variant, is_compiled=request["backend"] == "jax")
    history = model.fit(x, y, batch_size=batch, epochs=N_STEPS, verbose=0)
    if not np.isfinite(history.history["loss"]).all():
        raise FloatingPointError(f"the losses are {history.history['loss']}")


def resident_bytes() -> int:
    """Bytes of this process in memory that no file holds as well, as Linux tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def limit_jax(cap_bytes: int) -> None:
    """Limit the allocator of JAX, which reads its settings when it is imported, to a share of the GPU."""
    _, total = memory.driver_bytes()
    for name in ("XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"):
        os.environ.pop(name, None)
    os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = str(cap_bytes / (total or cap_bytes))
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"


def limit_gpu(backend: str, framework: Any, cap_bytes: int) -> int:
    """Set the limit of the allocator before its first use; the limit in bytes as the backend has it."""
    if backend == "tensorflow":
        gpu = framework.config.list_physical_devices("GPU")[0]
        limit = framework.config.LogicalDeviceConfiguration(memory_limit=cap_bytes / 2**20)  # MiB
        framework.config.set_logical_device_configuration(gpu, [limit])
        framework.config.experimental.enable_tensor_float_32_execution(False)
        return cap_bytes
    if backend == "jax":
        framework.config.update("jax_default_matmul_precision", "highest")
        return int(framework.devices()[0].memory_stats()["bytes_limit"])
    framework.backends.cuda.matmul.allow_tf32 = False
    framework.backends.cudnn.allow_tf32 = False
    framework.cuda.set_per_process_memory_fraction(cap_bytes / framework.cuda.get_device_properties(0).total_memory)
    return cap_bytes


def is_out_of_memory(error: BaseException, request: Mapping[str, Any], framework: Any) -> bool:
    """Whether an error says that memory ran out; PyTorch counts that too, since what it raises then may not say."""
    text = f"{type(error).__name__} {error}"
    if isinstance(error, MemoryError) or any(word in text for word in WORDS):
        return True
    is_torch = request["backend"] == "torch" and request["device"] == "gpu"
    return is_torch and framework.cuda.memory_stats().get("num_ooms", 0) > 0


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # tearing a framework down takes a second and can crash
