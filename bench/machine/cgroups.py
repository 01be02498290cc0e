"""Control groups of Linux, of either hierarchy: which one this process is in, and new ones. Impure: makes folders.

The older hierarchy (version 1) has a folder of its own for each controller, such as cpu or memory; the unified one
(version 2) has one folder for all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple

from bench.schema import DataUnavailableError

ROOT = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")
N_TRIES = 50  # to remove a group that a process has just left
BETWEEN_TRIES_S = 0.1


class Membership(NamedTuple):
    """A line of /proc/self/cgroup: the controllers, none in the unified hierarchy, and the group's path below it."""

    controllers: tuple[str, ...]
    path: tuple[str, ...]


class Place(NamedTuple):
    """Where a group could be made: this process's own group, the folder for the new one, and the hierarchy."""

    home: Path
    parent: Path
    is_v2: bool


def memberships(self_cgroup: Path = SELF) -> list[Membership]:
    """The groups of this process; one that lies outside of what this process sees is left out."""
    try:
        lines = [line.split(":", 2) for line in self_cgroup.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, name in (parts for parts in lines if len(parts) == 3):
        path = tuple(part for part in name.split("/") if part)
        if ".." not in path:
            found.append(Membership(tuple(filter(None, controllers.split(","))), path))
    return found


def places(controller: str, root: Path = ROOT, self_cgroup: Path = SELF) -> list[Place]:
    """Where a group with a controller could be made, the best place first.

    A container may see its own group as the topmost one, though it is told the group's full path. In the unified
    hierarchy a group with processes hands no controller on to groups below it, so the new group goes beside this
    process's own, or below it where that is the topmost.
    """
    found = []
    for controllers, path in memberships(self_cgroup):
        if controller in controllers:
            bases = (root / controller, root / ",".join(controllers))
            homes = [home for base in bases for home in (base.joinpath(*path), base) if is_group(home)]
            found += [Place(home, home, is_v2=False) for home in homes[:1]]
        elif not controllers and (root / "cgroup.controllers").exists():
            home = next((folder for folder in (root.joinpath(*path), root) if is_group(folder)), root)
            parents = [home, *([home.parent] if home != root else [])]
            found += [Place(home, parent, is_v2=True) for parent in parents if hands_on(parent, controller)]
    return found


def is_group(folder: Path) -> bool:
    """Whether a folder is a control group."""
    return (folder / "cgroup.procs").exists()


def hands_on(folder: Path, controller: str) -> bool:
    """Whether groups below a group of version 2 have a controller."""
    try:
        return controller in (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


@contextmanager
def new_group(
    controller: str, prefix: str, claim: Callable[[Path, bool], None], root: Path = ROOT, self_cgroup: Path = SELF
) -> Iterator[tuple[Path, Place]]:
    """The folder of a new group, and where it lies; removed on leaving, when no process may be in it any more.

    Nothing of an existing group is changed. What an earlier process left behind when it was killed is removed.

    Args:
        controller: that the group must have, such as "cpu" or "memory".
        prefix: of the group's name; the process's number follows.
        claim: puts the group to its use, given its folder and whether it is of version 2; OSError where that fails.

    Raises:
        DataUnavailableError: no place where this process may make a group that can be put to that use.
        OSError: the group is still in use some seconds after it was left.
    """
    reasons = []
    for place in places(controller, root, self_cgroup):
        folder = place.parent / f"{prefix}{os.getpid()}"
        for left in place.parent.glob(f"{prefix}*"):
            if not Path("/proc", left.name.removeprefix(prefix)).exists():
                with suppress(OSError):
                    os.rmdir(left)  # fails while a process is in it
        try:
            os.mkdir(folder)
        except OSError as error:
            reasons.append(error.strerror or type(error).__name__)
            continue
        try:
            claim(folder, place.is_v2)
        except OSError as error:
            reasons.append(error.strerror or type(error).__name__)
            remove(folder)
            continue
        try:
            yield folder, place
        finally:
            remove(folder)
        return
    why = f" ({', '.join(sorted(set(reasons)))})" if reasons else ""
    raise DataUnavailableError(
        f"no control group for {controller} can be made here{why}; it takes Linux and the right to"
    )


def put(file: Path, text: str) -> None:
    """Write one value to one of the kernel's files, which exist or not but are never made."""
    descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a group; the kernel may take a moment until the last process has left.

    Raises:
        OSError: it is still in use after some seconds.
    """
    for n_left in reversed(range(N_TRIES)):
        try:
            os.rmdir(folder)
        except OSError:
            if not n_left:
                raise
            sleep(BETWEEN_TRIES_S)
        else:
            return
