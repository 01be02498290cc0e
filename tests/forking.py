"""A program that imports Keras on TensorFlow once and forks for each line of its input; see ``frameworks``.

It imports nothing of this repository: a fork runs the code of the folder that it is given.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

LIMIT_S = 600


def serve() -> None:
    """Fork for each line of the input; print the exit code of each fork."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    import keras

    assert keras.backend.backend() == "tensorflow"
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            execute(**request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=told, flush=True)


def execute(code: str, words: list[str], folder: str, env: dict[str, str], scratch: str) -> None:
    """Be a fresh interpreter that runs the code; never returns."""
    signal.alarm(LIMIT_S)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(scratch, name), os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env, TMPDIR=scratch)
    tempfile.tempdir = scratch  # a fork ends without tidying up, and TensorFlow leaves files in there
    sys.argv, sys.path[0] = ["-c", *words], ""
    exit_code = 0
    try:
        exec(compile(code, "<code>", "exec", dont_inherit=True), {"__name__": "__main__"})
    except BaseException:  # noqa: BLE001  the parent reads what it was
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    serve()
