"""Executable benchmarks behind "Do I need a GPU?": declare, plan, run, record, derive, render."""

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent  # this package's folder
REPOSITORY = ROOT.parent
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Items with equal keys together, in the order in which the keys first come."""
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
