"""Collects what the doctor looks at: the host, packages, variables, and each backend in a process of its own.

Imports no framework. What cannot be read is None or empty; a backend that crashes or hangs is a text in its facts.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from bench import REPOSITORY
from bench.doctor import words
from bench.doctor.facts import BackendFacts, Facts
from bench.doctor.host import host
from bench.machine import owner, processes, software
from bench.schema import BACKENDS

PROBE_LIMIT_S = 120.0  # importing TensorFlow from a cold disk takes a minute on a slow one

# Distributions that decide what a backend can use; their names in lower case with hyphens.
PACKAGES = re.compile(
    r"(tensorflow(-\w+)*|tf-nightly|keras|tf-keras|torch|triton|pytorch-triton-\w+|triton-\w+|intel-extension-for-\w+"
    r"|jax|jaxlib|jax-(cuda|rocm)\d+-(plugin|pjrt)|jax-metal\w*"
    r"|nvidia-(cudnn|cublas|cuda-runtime|ml-py)(-cu\d+)?|numpy|protobuf|intel-openmp|mkl)"
)
VARIABLES = (
    *software.VARIABLES,
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "HSA_OVERRIDE_GFX_VERSION",
    "JAX_PLATFORM_NAME",
    "KERAS_BACKEND",
    "KMP_DUPLICATE_LIB_OK",
    "LD_LIBRARY_PATH",
    "LSB_JOBID",
    "NVIDIA_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR",
    "OPENBLAS_NUM_THREADS",
    "PBS_JOBID",
    "PYTORCH_ENABLE_MPS_FALLBACK",
    "ROCR_VISIBLE_DEVICES",
    "SLURM_JOB_ID",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTRAOP_THREADS",
    "TF_USE_LEGACY_KERAS",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
    "ZE_AFFINITY_MASK",
)
# A probe must not take a GPU's whole memory only to look at it.
GENTLE = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "0"}


def collect(backends: tuple[str, ...] = BACKENDS, *, limit_s: float = PROBE_LIMIT_S) -> Facts:
    """Everything the rules look at; starts one process per installed backend."""
    now = host()  # before the probes make a load of their own
    with ThreadPoolExecutor(len(backends)) as pool:
        asked = list(pool.map(lambda name: ask(name, limit_s=limit_s), backends))
    return Facts(
        host=now, backends=tuple(asked), packages=packages(), variables=variables(), keras_backend=keras_backend()
    )


def ask(
    backend: str,
    *,
    limit_s: float = PROBE_LIMIT_S,
    command: tuple[str, ...] = (sys.executable, "-m", "bench.doctor.probe"),
) -> BackendFacts:
    """What one backend says of itself; an error text where it crashes, hangs, prints nonsense or cannot be started."""
    version = software.backend_version(backend)
    if version is None:
        return BackendFacts(name=backend)
    known = BackendFacts(name=backend, installed=True, version=version)
    own = {name: os.environ.get(name, value) for name, value in GENTLE.items()} | {
        "KERAS_BACKEND": backend,
        "PYTHONIOENCODING": "utf-8",
    }
    if not owner.has_home():
        own.setdefault("KERAS_HOME", os.environ.get("KERAS_HOME", os.path.join(os.devnull, "keras")))
    try:
        process = subprocess.Popen(
            [*command, backend],
            cwd=REPOSITORY,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return msgspec.structs.replace(known, error=f"its probe could not be started: {error.strerror or error}")
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        processes.end_with_children(process.pid)
        process.communicate()
        return msgspec.structs.replace(known, error=f"no answer within the time limit of {limit_s:g} s")
    return answered(known, process.returncode, out, err)


def answered(known: BackendFacts, code: int, out: str, err: str) -> BackendFacts:
    """A backend's facts from its probe's exit code and output."""
    log = words.said(err)
    try:
        seen = dict(json.loads(out.strip().splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        return msgspec.structs.replace(known, error=words.why(code, err), log=log)
    seen = {name: value for name, value in seen.items() if value is not None and name != "keras"}
    if "keras_error" in seen:
        told = str(seen["keras_error"]).splitlines()
        seen["keras_error"] = words.joined(line for line in told if not words.CHATTER.search(line))
    try:
        return msgspec.convert({**msgspec.to_builtins(known), "log": log, **seen}, BackendFacts)
    except msgspec.ValidationError as error:
        return msgspec.structs.replace(known, error=f"its answer cannot be read: {error}", log=log)


def packages() -> dict[str, str]:
    """Installed distributions that decide what a backend can use, with versions."""
    found = {}
    for distribution in importlib.metadata.distributions():
        with suppress(Exception):  # one whose metadata are damaged
            name = (distribution.name or "").lower().replace("_", "-")
            if PACKAGES.fullmatch(name):
                found[name] = distribution.version or "unknown"
    return dict(sorted(found.items()))


def variables() -> dict[str, str]:
    """Variables that decide what a backend does, as set; values that hold paths only as being set."""
    set_: dict[str, str] = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return {name: "(set)" if re.search(r"[/\\]", value) else value for name, value in set_.items()}


def keras_backend() -> str:
    """The backend that ``import keras`` would take: the variable, else the user's keras.json, else TensorFlow."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    try:
        folder = Path(os.environ["KERAS_HOME"]) if "KERAS_HOME" in os.environ else Path.home() / ".keras"
        settings: Any = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
        return str(settings["backend"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):  # also a user without a home
        return "tensorflow"
