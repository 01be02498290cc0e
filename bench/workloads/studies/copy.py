"""Copies between NumPy arrays and the device, by size. Pure but for the arrays it copies.

On a CPU the device's memory is the host's, and a backend may share an array instead of copying it. Whether it does
is found out by changing the original, and no rate is read where nothing was copied.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from bench.schema import Block, Names, Reading, Series, Variant, Workload

KIBIBYTE = 2**10
BLOCK_BYTES = 256 * 2**20  # copied in one block at most, or one array where that is larger
MAX_CALLS = 200  # per block

SPEC = Workload(
    id="copy",
    title="Copying to and from the device",
    summary="A float32 array is copied from NumPy to the device and back, without any work on it.",
    kind="study",
    sample_noun="copies",
    data_source="normal random numbers from the run's seed, in pageable host memory",
    series=(
        Series(id="to-device", label="NumPy array to the device"),
        Series(id="to-host", label="device to a NumPy array"),
        Series(id="keras-to-device", label="NumPy array to the device through keras.ops.convert_to_tensor"),
        Series(id="keras-to-host", label="device to a NumPy array through keras.ops.convert_to_numpy"),
        Series(id="to-device-pinned", label="page-locked host memory to the device (PyTorch, GPU)"),
        Series(id="to-host-pinned", label="device to page-locked host memory (PyTorch, GPU)"),
        Series(id="numpy-copy", label="NumPy array to NumPy array"),
    ),
    readings=(
        Reading(id="to-device-shares", label="array shared with NumPy, not copied (1: yes)", unit="count"),
        Reading(id="to-host-shares", label="array shared with the device, not copied (1: yes)", unit="count"),
        Reading(id="to-device-rate", label="NumPy array to the device", unit="bytes_per_s"),
        Reading(id="to-host-rate", label="device to a NumPy array", unit="bytes_per_s"),
        Reading(id="keras-to-device-rate", label="NumPy array to the device through Keras", unit="bytes_per_s"),
        Reading(id="keras-to-host-rate", label="device to a NumPy array through Keras", unit="bytes_per_s"),
        Reading(id="keras-to-device-shares", label="through Keras: array shared, not copied (1: yes)", unit="count"),
        Reading(id="to-device-pinned-rate", label="page-locked host memory to the device", unit="bytes_per_s"),
        Reading(id="to-host-pinned-rate", label="device to page-locked host memory", unit="bytes_per_s"),
        Reading(id="numpy-copy-rate", label="NumPy array to NumPy array", unit="bytes_per_s"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"kib": 64}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=6.0),),
        "quick": (),
        "reference": tuple(
            Variant(mode="study", batch_size=1, n_samples=1, params={"kib": kib}, n_blocks=30, steady_limit_s=4.0,
                    headline=kib == 16_384, estimate_s=estimate_s, sweep="size")
            for kib, estimate_s in ((4, 7.0), (64, 7.0), (1_024, 14.0), (16_384, 9.5), (262_144, 24.0))
        ),
    },
)  # fmt: skip

NAMES = Names(
    alternatives=(("to-device", "keras-to-device", "to-device-pinned"), ("to-host", "keras-to-host", "to-host-pinned"))
)


def measure(study: Any) -> None:
    """Time copies of float32 arrays of ``kib`` KiB each way, and find out whether they are copies at all."""
    import numpy as np

    n_bytes = int(study.variant.params["kib"]) * KIBIBYTE
    host = np.random.default_rng(study.seed).standard_normal(n_bytes // 4, dtype=np.float32)
    to_device, to_host = own_ways(study)
    keras_to_device, keras_to_host = study.keras.ops.convert_to_tensor, study.keras.ops.convert_to_numpy
    device_array = keras_to_device(host.copy())
    shares = {
        "to-device": shares_to_device(to_device, host),
        "to-host": shares_to_host(study, to_host, device_array),
        "keras-to-device": shares_to_device(keras_to_device, host),
    }
    n_calls = calls_per_block(n_bytes)
    target = np.empty_like(host)
    study.take(
        {
            "to-device": lambda: time_copies(study, to_device, [host] * n_calls),
            "to-host": lambda: time_copies(study, to_host, new_handles(study, device_array, n_calls)),
            "keras-to-device": lambda: time_copies(study, keras_to_device, [host] * n_calls),
            "keras-to-host": lambda: time_copies(study, keras_to_host, new_handles(study, device_array, n_calls)),
            "numpy-copy": lambda: time_copies(study, partial(np.copyto, target), [host] * n_calls),
            **pinned_arms(study, host, device_array, n_calls),
        }
    )
    for name, blocks in study.series.items():
        if not shares.get(name, False):
            study.read(f"{name}-rate", rate(blocks, n_bytes))
    for name, value in shares.items():
        study.read(f"{name}-shares", float(value))
    study.observe(device_array)


def calls_per_block(n_bytes: int) -> int:
    """Copies of ``n_bytes`` that one block takes: all their results live at once, so large ones are few."""
    return max(1, min(MAX_CALLS, BLOCK_BYTES // n_bytes))


def time_copies(study: Any, copy: Callable[[Any], Any], sources: Sequence[Any]) -> Block:
    """Copy each source once; the clock stops when all results are there. Freeing them is left out."""
    start = perf_counter()
    results = [copy(source) for source in sources]
    study.sync(results if study.cell.backend == "jax" else None)
    return Block(n_steps=len(results), seconds=perf_counter() - start)


def new_handles(study: Any, device_array: Any, n_calls: int) -> list[Any]:
    """The array as many times as it is to be read; on JAX, which keeps a host copy once made, as new arrays."""
    if study.cell.backend != "jax":
        return [device_array] * n_calls
    handles = [study.framework.numpy.array(device_array) for _ in range(n_calls)]
    study.sync(handles)
    return handles


def own_ways(study: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The backend's own functions: NumPy array to device tensor, and device tensor to NumPy array."""
    import numpy as np

    framework = study.framework
    if study.cell.backend == "tensorflow":
        return framework.convert_to_tensor, lambda tensor: tensor.numpy()
    if study.cell.backend == "jax":
        return framework.numpy.asarray, np.asarray
    device = study.keras.ops.convert_to_tensor(0.0).device
    return partial(framework.as_tensor, device=device), lambda tensor: tensor.cpu().numpy()


def shares_to_device(to_device: Callable[[Any], Any], host: Any) -> bool:
    """Whether a tensor made from a NumPy array changes with it. The array is left as it was."""
    tensor = to_device(host)
    before = float(host[0])
    float((tensor + 0.0)[0])  # a copy still on its way has arrived
    host[0] = before + 1.0
    after = float((tensor + 0.0)[0])
    host[0] = before
    return after != before


def shares_to_host(study: Any, to_host: Callable[[Any], Any], device_array: Any) -> bool:
    """Whether a NumPy array made from a tensor lies in the tensor's own memory."""
    first, second = to_host(device_array), to_host(device_array)
    if study.cell.backend == "jax":  # hands out one host copy again and again, so ask where the device has it
        return study.cell.device == "cpu" and address(first) == device_array.unsafe_buffer_pointer()
    return address(first) == address(second)


def address(array: Any) -> int:
    """Where a NumPy array's first element lies in memory."""
    return array.__array_interface__["data"][0]


def pinned_arms(study: Any, host: Any, device_array: Any, n_calls: int) -> dict[str, Callable[[], Block]]:
    """PyTorch's copies from and into page-locked memory, which a GPU can reach without the CPU; empty elsewhere."""
    if study.cell.backend != "torch" or study.cell.device != "gpu" or device_array.device.type != "cuda":
        return {}
    torch = study.framework
    pinned = torch.from_numpy(host).pin_memory()
    target = torch.empty_like(pinned).pin_memory()
    to_device = partial(pinned.to, device_array.device, non_blocking=True)
    return {
        "to-device-pinned": lambda: time_copies(study, lambda _: to_device(), range(n_calls)),
        "to-host-pinned": lambda: time_copies(
            study, lambda source: target.copy_(source, non_blocking=True), [device_array] * n_calls
        ),
    }


def rate(blocks: Sequence[Block], n_bytes: int) -> float:
    """Bytes of the array over the median time of a copy; a byte that is read and written counts once."""
    return n_bytes / statistics.median(block.seconds / block.n_steps for block in blocks)
