"""Processes by their number: whether they live, and their end with all that they started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def end_with_children(pid: int) -> None:
    """Kill a process that leads a group of its own, what is left of the group, and every process below it."""
    import psutil

    found = []
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        found = [process, *process.children(recursive=True)]
    if hasattr(os, "killpg"):  # also those whose parent has ended
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    for process in found:
        with suppress(psutil.Error):
            process.kill()


def is_alive(pid: int) -> bool:
    """Whether a process has this number."""
    import psutil

    return bool(psutil.pid_exists(pid))
