"""Processes that wait for a line and answer it, for studies of settings that a library reads once, when it starts.

The study's process asks, only whom it asks works. Impure: starts processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from bench import REPOSITORY

MARK = "answer "  # before a line that is meant for the parent
STOPPED_S = 10.0  # a process has ended by so long after its input


@contextmanager
def serving(command: list[str], request: Any, variables: Mapping[str, str], name: str) -> Iterator[subprocess.Popen]:
    """A process with further variables in its environment; it ends with the block, or with its parent.

    Args:
        command: its program and first arguments; what is asked for follows them as JSON.
        name: of the process, for the message of its failure.

    Raises:
        RuntimeError: it ended early; the message has its last words.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*command, json.dumps(request)],
            cwd=REPOSITORY,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        except BrokenPipeError:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["it printed nothing"])[-1]
            raise RuntimeError(f"the process {name} ended early: {last[:200]}") from None
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()  # its loop ends with its input
            try:
                process.wait(timeout=STOPPED_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def module(name: str) -> list[str]:
    """The command that runs a module of this repository."""
    return [sys.executable, "-m", name]


def ask(process: subprocess.Popen, line: str | int) -> Any:
    """What a process answers to a line.

    Raises:
        BrokenPipeError: it has ended.
    """
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    for said in process.stdout:
        if said.startswith(MARK):
            return json.loads(said.removeprefix(MARK))
    raise BrokenPipeError


def answer(told: IO[str], found: Any) -> None:
    """Answer the line that was read last; whatever else a process prints is passed over."""
    told.write(f"{MARK}{json.dumps(found)}\n")
    told.flush()
