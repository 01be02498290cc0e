"""How many cores this process can really use, of which kinds, in which order. Asks the operating system."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.machine import cgroups, cpu

CPUS = Path("/sys/devices/system/cpu")
SIBLINGS = "topology/thread_siblings_list"
NO_LIMIT_BYTES = 2**60  # version 1 writes a number of this size where there is no limit

# Processors whose cores are all alike.
UNIFORM = re.compile(r"(?i)xeon|epyc|opteron|threadripper|virtual|qemu|kvm|common")
APART = 0.9  # below this share of a faster core's clock, a core is of another kind: favoured cores differ by less


class Kind(NamedTuple):
    """Cores of one kind: how many, and how many hardware threads they have together."""

    n_cores: int
    n_threads: int


class Cores(NamedTuple):
    """How many cores this process can really use."""

    visible: int
    affinity: int | None
    quota: float | None
    effective: int


def cores(cgroup: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> Cores:
    """Effective cores: the least of what is visible, allowed by affinity and paid for by the cgroup's quota."""
    visible = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    quota = cgroup_quota(cgroup, self_cgroup)
    effective = min(visible, affinity or visible)
    if quota is not None:
        effective = min(effective, max(1, int(quota)))  # half a core more would only be throttled
    return Cores(visible, affinity, quota, effective)


def core_order(allowed: Iterable[int], root: Path = CPUS) -> list[int]:
    """The cores in the order to use them: one hardware thread of each, fast kinds first, then the second threads.

    Cores are numbered in ways that differ by maker. The first four of a list may be two cores with two threads each, or
    the slow kind of a processor with two kinds, and then "four cores" is no number that another machine could be held
    against. Where the system tells neither siblings nor speed, the order is that of the numbers.

    Args:
        allowed: numbers of the cores that this process may use.
        root: the kernel's folder of processors.
    """
    numbers = sorted(allowed)
    seen: dict[tuple[int, ...], int] = {}
    keys = {}
    for number in numbers:
        siblings = _siblings(root, number)
        keys[number] = (seen.get(siblings, 0), -_speed(root / f"cpu{number}"), number)
        seen[siblings] = seen.get(siblings, 0) + 1
    return sorted(numbers, key=keys.__getitem__)


def kinds(allowed: Iterable[int], root: Path = CPUS) -> list[Kind]:
    """The kinds of cores among some, fastest first; empty where the system does not tell how fast they are."""
    found: dict[tuple[int, ...], tuple[int, int]] = {}  # of each core by its threads: its speed, how many are allowed
    for number in allowed:
        siblings = _siblings(root, number)
        found[siblings] = (_speed(root / f"cpu{number}"), found.get(siblings, (0, 0))[1] + 1)
    groups: list[Kind] = []
    last = 0
    for speed, n_threads in sorted(found.values(), reverse=True):
        if not speed:
            return []
        if groups and speed >= APART * last:
            groups[-1] = Kind(groups[-1].n_cores + 1, groups[-1].n_threads + n_threads)
        else:
            groups.append(Kind(1, n_threads))
        last = speed
    return groups


def kinds_here() -> list[Kind]:
    """The kinds of cores that this process may use, fastest first; empty where the system does not tell."""
    if sys.platform == "darwin":
        words = ["sysctl", "-n", "hw.perflevel0.physicalcpu", "hw.perflevel1.physicalcpu"]
        told = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=10).stdout.split()
        return [Kind(int(n), int(n)) for n in told]
    if sys.platform == "win32":
        import ctypes

        ask, size = ctypes.windll.kernel32.GetLogicalProcessorInformationEx, ctypes.c_ulong()
        ask(0, None, ctypes.byref(size))
        data = ctypes.create_string_buffer(size.value)
        return windows_kinds(data.raw) if ask(0, data, ctypes.byref(size)) else []
    return kinds(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def windows_kinds(data: bytes) -> list[Kind]:
    """The kinds of cores in a list of Windows' SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX; empty if all are alike.

    A faster kind has a higher EfficiencyClass.
    Source: https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-processor_relationship
    """
    found: dict[int, Kind] = {}
    at = 0
    while at + 32 <= len(data):
        relation, size = struct.unpack_from("<II", data, at)
        if relation == 0 and size:  # a core: its class at 9, the number of its masks at 30, one of 16 bytes from 32 on
            (n_masks,) = struct.unpack_from("<H", data, at + 30)
            masks = (struct.unpack_from("<Q", data, at + 32 + 16 * number)[0] for number in range(n_masks))
            known = found.get(data[at + 9], Kind(0, 0))
            found[data[at + 9]] = Kind(known.n_cores + 1, known.n_threads + sum(mask.bit_count() for mask in masks))
        at += max(size, 8)
    return [found[class_] for class_ in sorted(found, reverse=True)] if len(found) > 1 else []


def kinds_by_counts(n_visible: int, n_physical: int | None, cpu_model: str) -> list[Kind]:
    """Two kinds of cores, fast ones first, by the numbers alone; empty where these tell none.

    With more threads than cores and fewer than twice as many, some cores have two threads and are the fast ones. In a
    server or a virtual machine it says only that not all of the cores' threads were handed out.
    """
    n_doubled = n_visible - (n_physical or n_visible)
    if not n_physical or not 0 < n_doubled < n_physical or UNIFORM.search(cpu_model):
        return []
    return [Kind(n_doubled, 2 * n_doubled), Kind(n_physical - n_doubled, n_physical - n_doubled)]


def fast_cores() -> int:
    """Effective cores of the fastest kind, each counted once; of a processor with one kind all physical ones."""
    found: list[Kind] = []
    with contextlib.suppress(Exception):  # a system that refuses to tell
        found = kinds_here() or kinds_by_counts(os.cpu_count() or 1, count_physical(), cpu.cpu_facts()[0])
    return min(cores().effective, found[0].n_cores) if found else physical_cores()


def n_physical(numbers: Iterable[int], root: Path = CPUS) -> int | None:
    """Physical cores that some cores, as the system numbers them, lie on; None where the system does not tell."""
    numbers = tuple(numbers)
    if not all((root / f"cpu{number}" / SIBLINGS).exists() for number in numbers):
        return None
    return len({_siblings(root, number) for number in numbers})


def physical_cores() -> int:
    """Effective cores that are no second hardware threads; all effective ones where the system does not tell."""
    effective = cores().effective
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(effective)
    return min(effective, n_physical(allowed) or effective)


def _siblings(root: Path, number: int) -> tuple[int, ...]:
    """Cores that are hardware threads of one physical core: from "0-1" or "0,8"."""
    try:
        text = (root / f"cpu{number}" / SIBLINGS).read_text().strip()
        ranges = [part.partition("-") for part in text.split(",")]
        return tuple(n for low, _, high in ranges for n in range(int(low), int(high or low) + 1))
    except (OSError, ValueError):
        return (number,)


def _speed(folder: Path) -> int:
    """How fast a core is beside the others of its machine, in the kernel's measure; 0 where it does not tell."""
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        with contextlib.suppress(OSError, ValueError):
            return int((folder / name).read_text())
    return 0


def cgroup_quota(root: Path, self_cgroup: Path) -> float | None:
    """Cores granted by the tightest CPU quota from this process's cgroup up to the root; None without one.

    Reads ``cpu.max`` (version 2) or ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us`` (version 1).
    """
    quotas = [quota for folder in group_folders("cpu", root, self_cgroup) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def memory_limit(root: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> int | None:
    """Bytes granted by the tightest memory limit from this process's group up to the root; None without one."""
    limits = []
    for folder in group_folders("memory", root, self_cgroup):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # "max" means no limit
                limits.append(int((folder / name).read_text()))
    return min((limit for limit in limits if limit < NO_LIMIT_BYTES), default=None)


def throttled_periods(root: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> int | None:
    """How often a CPU quota has stopped this process's group so far (cpu.stat nr_throttled)."""
    for folder in reversed(group_folders("cpu", root, self_cgroup)):
        with contextlib.suppress(OSError, ValueError):
            for line in (folder / "cpu.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "nr_throttled":
                    return int(value)
    return None


def group_folders(controller: str, root: Path, self_cgroup: Path) -> list[Path]:
    """Folders that may tell of a controller, from the root down to this process's own group, in either hierarchy.

    Version 1 mounts a controller under its own name, under the names of all that share its folder, or both.
    """
    folders = [root, root / controller]
    for controllers, path in cgroups.memberships(self_cgroup):
        bases = [root] if not controllers else [root / controller, root / ",".join(controllers)]
        if not controllers or controller in controllers:
            folders += [base.joinpath(*path[:n]) for base in bases for n in range(len(path) + 1)]
    return list(dict.fromkeys(folders))


def _quota(folder: Path) -> float | None:
    try:
        granted, period = (folder / "cpu.max").read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return None if quota < 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None


def count_physical() -> int | None:
    """Physical cores of the host, or None where psutil is missing or does not tell."""
    try:
        import psutil

        n: int | None = psutil.cpu_count(logical=False)
    except Exception:  # noqa: BLE001  absent, or it may not read /proc and /sys
        return None
    return n
