"""The command line: arguments and printing only."""

import os
import signal
import sys

# Who presses Ctrl-C while modules load, a second on a slow disk, is told nothing of modules.
PROGRAMS = ("gpu-bench", "refresh_benchmarks.py")
STOPPED = 128 + signal.SIGINT  # what a shell says of a program that Ctrl-C ended


def _stop(*_: object) -> None:
    os.write(2, b"interrupted before anything began\n")
    os._exit(STOPPED)  # an exception may be lost in a callback of the import system


def begin() -> None:
    """From here on Ctrl-C is an exception again."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_is_module = ("-m", __name__) in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
_is_program = _is_module or os.path.basename(sys.argv[0]).removesuffix(".exe") in PROGRAMS
if _is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # who ignores it goes on doing so
    signal.signal(signal.SIGINT, _stop)
