"""The parent of one run: environment, spawn, wait, timeout. Starts processes and writes temporary files.

The parent sleeps in ``wait`` while the child is measured: no polling, no output to copy, no CPU taken from it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, time

import msgspec

from bench import REPOSITORY
from bench.machine import owner, processes
from bench.records import lock, texts
from bench.records.codec import encode
from bench.records.files import StoreError
from bench.schema import Cell, Request, Run, Status

WORKER = (sys.executable, "-m", "bench.measure")
SCRATCH = "bench-run-"  # begins the name of a run's temporary folder; the parent's number follows
STOPPED_S = 10.0  # a process has ended by so long after its result
# For runs that share the machine: waiting threads of OpenMP sleep. By default they spin, and those of two processes on
# the same cores then slow each other down many times over.
SHARING = {"OMP_WAIT_POLICY": "passive"}
RUNNING: set[subprocess.Popen[bytes]] = set()  # children of this process that have not ended
# Variables of one workload's cells on a GPU.
ON_GPU: Mapping[str, Mapping[str, str]] = {
    # PyTorch reads it once, at the first matrix product: that of the control kernel, before the study sets it.
    "determinism": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},
    # The studies' own processes need the memory that JAX would reserve for this one.
    "memory-caps": {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
    "multi-host": {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
}
# XLA tries out its kernels on a GPU in memory of their own, and in JAX the peak cannot be taken back afterwards.
PEAK_READERS = ("memory", "memory-nets", "memory-optimizers")
TAIL_BYTES = 65_536  # of a log are read
TIMEOUT_S = 1200.0  # the longest honest run, a whole fine-tuning job on one slow core, takes about a third


def environment(cell: Cell, base: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Variables for a child that runs this cell: backend, visible devices, thread pools, cold caches.

    Args:
        base: the parent's environment; passed through except where it would change the result.
        scratch: an empty folder for compilation caches, so that every run compiles from cold.
    """
    env = dict(base)
    threads = str(cell.threads)
    env |= {
        "KERAS_BACKEND": cell.backend,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(scratch, "inductor"),
        "TRITON_CACHE_DIR": os.path.join(scratch, "triton"),
        "CUDA_CACHE_PATH": os.path.join(scratch, "cuda"),
        "PYTHONHASHSEED": "0",
        "TMPDIR": scratch,  # the child ends without tidying up, and TensorFlow leaves files in there
    }
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    if not owner.has_home():
        env.setdefault("KERAS_HOME", os.path.join(scratch, "keras"))
    if cell.device == "cpu":
        env |= {
            "CUDA_VISIBLE_DEVICES": "",
            "HIP_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
            "KERAS_TORCH_DEVICE": "cpu",
        }
    else:
        env.pop("JAX_PLATFORMS", None)
        env.pop("KERAS_TORCH_DEVICE", None)
        env |= _on_gpu(cell, base)
    # Forces TF32 on or off below every framework's own setting, which the cell decides.
    env.pop("NVIDIA_TF32_OVERRIDE", None)
    return env


def _on_gpu(cell: Cell, base: Mapping[str, str]) -> dict[str, str]:
    """What a cell on a GPU needs beside: which GPUs it sees, in the order of their driver, and that of its workload."""
    n_gpus = cell.n_gpus
    visible = base.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(n_gpus)))
    env = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # NVML's order, by which the GPU's meters are read
        "CUDA_VISIBLE_DEVICES": ",".join(visible.split(",")[:n_gpus]),
        **ON_GPU.get(cell.workload, {}),
    }
    if cell.backend == "jax":
        if sys.platform != "darwin":  # elsewhere ``machine.describe_gpus`` finds NVIDIA's GPUs only
            env["JAX_PLATFORMS"] = "cuda,cpu"  # JAX then says why it has no CUDA, and does not go on with the CPU
        if cell.workload in PEAK_READERS:
            env["XLA_FLAGS"] = f"{base.get('XLA_FLAGS', '')} --xla_gpu_autotune_level=0".strip()
    return env


def launch(
    request: Request, *, timeout_s: float = TIMEOUT_S, worker: Sequence[str] = (), base: Mapping[str, str] | None = None
) -> Run:
    """Execute one run in a process of its own.

    Args:
        timeout_s: seconds after which the process is killed, with all that it started.
        worker: command that executes a request; by default ``WORKER``.

    Returns:
        What the child reported, or a run with status timeout, out_of_memory or failed and the reason.

    Raises:
        StoreError: the temporary folder cannot be written.
    """
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    with _scratch() as scratch:
        request_path, result_path = Path(scratch, "request.json"), Path(scratch, "result.json")
        with _in_words():
            request_path.write_bytes(encode(request))
        env = environment(request.cell, os.environ if base is None else base, scratch)
        env["BENCH_PARENT"] = str(os.getpid())  # a child whose parent is another ends
        start, spawned_at = perf_counter(), time()
        with open(Path(scratch, "log"), "wb") as log:
            process = subprocess.Popen(
                [*(worker or WORKER), str(request_path), str(result_path)],
                cwd=REPOSITORY,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            RUNNING.add(process)
            timed_out = threading.Event()
            timer = threading.Timer(timeout_s, _time_out, (process.pid, timed_out))
            timer.start()
            try:
                code = process.wait()
            except BaseException:  # Ctrl-C: the run in flight is lost, and must not go on alone
                processes.end_with_children(process.pid)
                process.wait()
                raise
            finally:
                timer.cancel()
                RUNNING.discard(process)
        total_s = perf_counter() - start
        status: Status
        if timed_out.is_set():
            status, reason = "timeout", f"no result after {timeout_s:g} s"
        elif result_path.exists():
            try:
                return _reported(result_path, total_s, spawned_at)
            except msgspec.DecodeError as error:  # half a file, or a number that no machine can have
                status, reason = "failed", texts.clean(f"the process left a result that cannot be: {error}")
        else:
            status, reason = _died(code, Path(scratch, "log"))
    return Run(
        index=request.index, order=request.order, status=status, reason=reason, started_at=started_at, total_s=total_s
    )


@contextmanager
def _scratch() -> Iterator[str]:
    """A temporary folder, locked as long as this process lives, so that ``remove_leftovers`` knows it."""
    with ExitStack() as stack:
        with _in_words():
            own = tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True)
            scratch = stack.enter_context(own)
            stack.enter_context(lock.held(Path(scratch, "lock")))
        yield scratch


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"cannot write into the temporary folder: {error.strerror or error}; free some space (or set TMPDIR)"
        raise StoreError(f"{msg} and go on with --resume") from error


def remove_leftovers() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
        try:
            with (folder / "lock").open("r+b") as file:
                is_left = lock.is_free(file)
        except FileNotFoundError:  # killed before it had locked it, or about to lock it
            pid = folder.name.removeprefix(SCRATCH).partition("-")[0]
            is_left = not pid.isdecimal() or not processes.is_alive(int(pid))
        except OSError:
            continue
        if is_left:
            shutil.rmtree(folder, ignore_errors=True)


def end_all() -> None:
    """End every run under way, in whatever thread it was launched."""
    for process in tuple(RUNNING):
        processes.end_with_children(process.pid)


def without_stop(total_s: float, until_result_s: float) -> float:
    """Seconds of a run whose parent may have been stopped meanwhile, by Ctrl-Z or a machine that slept.

    Then the parent learns of the end long after it; the result's own date tells when it was.
    """
    return until_result_s if 0 < until_result_s < total_s - STOPPED_S else total_s


def _reported(result: Path, total_s: float, spawned_at: float) -> Run:
    """What a child reported, with its seconds by the parent's clock."""
    run = msgspec.json.decode(result.read_bytes(), type=Run)
    return msgspec.structs.replace(run, total_s=without_stop(total_s, result.stat().st_mtime - spawned_at))


def _died(code: int, log: Path) -> tuple[Status, str]:
    """Status and reason of a child that left no result."""
    if code == -signal.SIGKILL if hasattr(signal, "SIGKILL") else False:
        return "out_of_memory", "the process was killed by signal 9, as the system does when memory runs out"
    if code < 0:
        return "failed", f"the process was ended by signal {-code}"
    lines = _tail(log).strip().splitlines()
    last = owner.impersonal(lines[-1]) if lines else "it printed nothing"
    return "failed", texts.clean(f"the process ended with exit code {code} and no result: {last}")


def _tail(log: Path) -> str:
    """The end of what a child printed, which may be any amount."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace")


def _time_out(pid: int, event: threading.Event) -> None:
    event.set()
    processes.end_with_children(pid)
