"""The processes that draw and read beside this one."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")
N_BETWEEN_COLLECTIONS = 100_000  # objects; Python's own is 700, and records and pages hold hardly any cycles
MOST = 4  # each holds a JavaScript engine


class _State:
    pool: ProcessPoolExecutor | None = None


def begin(work: Callable[..., T], *args: Any) -> Callable[[], T]:
    """Have another process do some work; what comes back waits for the result, or does the work itself."""
    if _State.pool is None:
        n = min(MOST, max(1, (os.cpu_count() or 1) - 1))
        # Not forked: a JavaScript engine that runs in this process would not survive it.
        _State.pool = ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare)
    try:
        future = _State.pool.submit(work, *args)
    except BrokenProcessPool:
        return functools.partial(work, *args)
    return functools.partial(_result, future, work, args)


def end() -> None:
    """Have the other processes begin nothing more: of what was given to them only what is under way ends."""
    if _State.pool is not None:
        _State.pool.shutdown(wait=False, cancel_futures=True)
        _State.pool = None


def _prepare() -> None:
    """Have this process end when the one that began it is gone, even if that was killed."""
    gc.set_threshold(N_BETWEEN_COLLECTIONS)
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _result(future: Future[T], work: Callable[..., T], args: tuple[Any, ...]) -> T:
    if future.cancel():  # nobody has begun it: better to do it than to wait
        return work(*args)
    try:
        return future.result()
    except BrokenProcessPool:  # a script that cannot be imported a second time, or no memory for a second process
        return work(*args)
