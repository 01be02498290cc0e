"""What the parent starts: tied to the parent's life before anything else is imported, then the child."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, so that a killed refresh leaves nobody computing.

    A parent that ended before is known by its number, which ``launch`` passes on.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.environ.get("BENCH_PARENT", str(os.getppid())) != str(os.getppid()):
        os._exit(1)


if __name__ == "__main__":
    die_with_parent()
    from bench.measure import child

    child.main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the result is on disk; tearing a framework down takes a second and can crash
