"""Runs code in a process of its own with a framework loaded; the suite itself stays free of frameworks.

On Linux the process is forked from one that has imported Keras on TensorFlow and computed nothing: an import takes
seconds of processor time, a fork none. For other backends and systems each process imports it anew.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench import REPOSITORY

ON_CPU = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
LIMIT_S = 600
ONE_AT_A_TIME = threading.Lock()


def run(
    code: str,
    *words: str,
    backend: str = "tensorflow",
    folder: Path = REPOSITORY,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What code prints in a fresh process on the CPU; skips the test where the backend is not installed.

    Args:
        words: its arguments.
        folder: where it runs, and whose ``bench`` it imports.
        variables: added to its environment.

    Raises:
        AssertionError: it failed; the message is the end of what it told.
    """
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    env = os.environ | ON_CPU | {"KERAS_BACKEND": backend} | dict(variables or {})
    if backend == "tensorflow" and sys.platform == "linux":
        status, printed, told = _forked(code, words, folder, env)
    else:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        status, printed, told = done.returncode, done.stdout, done.stderr
    assert 0 == status, told[-3000:]
    return printed.strip()


def last_line(*arguments: Any, **options: Any) -> Any:
    """The last line that code prints, as JSON; arguments are those of ``run``."""
    return json.loads(run(*arguments, **options).splitlines()[-1])


def _forked(code: str, words: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code and both outputs of code in a fork of the process that has imported TensorFlow."""
    with ONE_AT_A_TIME, tempfile.TemporaryDirectory() as scratch:
        server = _server()
        assert server.stdin is not None and server.stdout is not None
        request = {"code": code, "words": words, "folder": str(folder), "env": dict(env), "scratch": scratch}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the process that forks has ended"
        out, err = (Path(scratch, name).read_text(errors="replace") for name in ("out", "err"))
    return int(answer), out, err


@cache
def _server() -> subprocess.Popen[str]:
    """The process that forks; it ends with its input, that is with the tests."""
    env = os.environ | ON_CPU | {"KERAS_BACKEND": "tensorflow"}
    program = [sys.executable, str(Path(__file__).with_name("forking.py"))]
    return subprocess.Popen(program, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
