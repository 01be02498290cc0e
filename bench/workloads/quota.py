"""A training step under a container's CPU quota, with as many threads as there are cores. Pure but for net and group.

A quota is time and not cores: threads on all cores use up a period's share in a part of it, and then all wait. The
process puts itself into a control group of its own, gives that a quota and takes it away, and leaves the group again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from bench.schema import Block, DataUnavailableError, Reading, Series, Variant, Workload

WIDTH, N_LAYERS, N_CLASSES = 512, 3, 10
RATE = 1e-4
PERIOD_US = 100_000  # the kernel's default, and that of Docker and Kubernetes
PREFIX = "keras-quota-"
N_TRIES = 20  # to remove a group that the process has just left

SETTINGS = {
    "free": "no quota, all cores",
    "quota": "quota of half the cores, threads for all",
    "pinned": "no quota, permitted on half the cores only",
    "quota-pinned": "the quota, and permitted on as many cores only",
    "quota-threads": "the quota, and a pool of as many threads (PyTorch)",
    "crowded": "permitted on half the cores only, threads for all (PyTorch)",
}

SPEC = Workload(
    id="quota",
    title="CPU quota of a container",
    summary="A dense network is trained without and with the CPU quota that a container has, all in one process.",
    kind="study",
    sample_noun="steps",
    data_source="seeded random rows and classes; only speed is asked",
    series=tuple(Series(id=name, label=label) for name, label in SETTINGS.items()),
    readings=(
        Reading(id="cores-all", label="cores and threads of the process", unit="count"),
        Reading(id="cores-quota", label="cores that the quota grants, as read in the group", unit="count"),
        Reading(
            id="gain", label="step under the quota over one that is also permitted on as many cores only", unit="ratio"
        ),
        *(Reading(id=f"p50-{name}", label=f"median step: {label}", unit="s") for name, label in SETTINGS.items()),
        *(
            Reading(id=f"p99-{name}", label=f"step that 99 % do not exceed: {label}", unit="s")
            for name, label in SETTINGS.items()
        ),
        *(
            Reading(
                id=f"stopped-{name}", label=f"periods in which the kernel stopped the process: {label}", unit="frac"
            )
            for name, label in SETTINGS.items()
            if name.startswith("quota")
        ),
    ),
    variants={
        "smoke": (
            Variant(
                mode="study",
                batch_size=32,
                n_samples=32,
                params={"block_s": 0.25},
                n_blocks=3,
                steady_limit_s=0.2,
                headline=True,
                estimate_s=15.0,
                devices=("cpu",),
            ),
        ),
        "quick": (),
        "reference": (
            Variant(
                mode="study",
                batch_size=256,
                n_samples=256,
                params={"block_s": 0.5},  # five periods: a share of a period more or less does not show
                n_blocks=8,
                steady_limit_s=14.0,
                headline=True,
                estimate_s=60.0,
                devices=("cpu",),
                sweep="threads",
            ),
        ),
    },
)


def measure(study: Any) -> None:
    """Time training steps on one batch of shape (batch_size, 512) in each setting in turn.

    Raises:
        DataUnavailableError: one core only, or no control group can be made here.
    """
    import numpy as np

    from bench import machine

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise DataUnavailableError("a quota below the number of cores needs two cores that a process can be kept on")
    rng = np.random.default_rng(study.seed)
    x = rng.standard_normal((study.cell.batch_size, WIDTH), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, study.cell.batch_size, dtype=np.int32)
    model = build(study)
    start = perf_counter()
    model.train_on_batch(x, y)
    study.phases["first_step"] = perf_counter() - start

    n_granted = len(cores) // 2
    taken: dict[str, list[list[float]]] = {name: [] for name in SETTINGS}  # seconds of each step, by block
    periods: dict[str, list[tuple[int, int]]] = {name: [] for name in SETTINGS}
    with own_group() as group:
        settings = contexts(study, group, cores[:n_granted])
        with group.quota(n_granted):
            granted = machine.cores().quota
        if granted is not None:
            study.read("cores-quota", granted)

        def block(name: str) -> Block:
            with ExitStack() as stack:
                for enter in settings[name]:
                    stack.enter_context(enter())
                steps_s, counts = timed(partial(model.train_on_batch, x, y), group, study.variant.params["block_s"])
            taken[name].append(steps_s)
            periods[name].append(counts)
            return Block(n_steps=len(steps_s), seconds=sum(steps_s))

        study.take({name: partial(block, name) for name in settings})
    study.read("cores-all", len(cores))
    for name in settings:
        n_kept = len(study.series[name])  # the blocks before them warmed up
        steps_s = np.concatenate(taken[name][-n_kept:])
        study.read(f"p50-{name}", float(np.percentile(steps_s, 50)))
        study.read(f"p99-{name}", float(np.percentile(steps_s, 99)))
        n_periods, n_stopped = (sum(column) for column in zip(*periods[name][-n_kept:], strict=True))
        if name.startswith("quota") and n_periods:
            study.read(f"stopped-{name}", n_stopped / n_periods)
    study.read("gain", step_s(study, "quota") / step_s(study, "quota-pinned"))
    study.observe(model.weights[0].value, model(x))


def step_s(study: Any, name: str) -> float:
    """Median over a series' blocks of their mean step, in seconds: what counts for throughput."""
    from statistics import median

    return median(block.seconds / block.n_steps for block in study.series[name])


def contexts(study: Any, group: Group, cores: list[int]) -> dict[str, tuple[Callable[[], Any], ...]]:
    """What makes each setting, as functions that give context managers: a quota of, or a place on, so many cores.

    PyTorch's pool can change its size, and does so here as in a process that is started on those cores. The others
    size theirs once, when they start: permitted on fewer cores, they keep more threads than cores.
    """
    quota, pin = partial(group.quota, len(cores)), partial(pinned, cores)
    if study.cell.backend != "torch":
        return {"free": (), "quota": (quota,), "pinned": (pin,), "quota-pinned": (quota, pin)}
    pool = partial(torch_threads, study.framework, len(cores))
    return {
        "free": (),
        "quota": (quota,),
        "pinned": (pin, pool),
        "quota-pinned": (quota, pin, pool),
        "quota-threads": (quota, pool),
        "crowded": (pin,),
    }


def timed(step: Callable[[], Any], group: Group, seconds: float) -> tuple[list[float], tuple[int, int]]:
    """Seconds of each of the steps that fill a time; periods under a quota meanwhile, and those with a stop.

    A new quota starts with a full share, so the steps of one period before do not count.
    """
    steps_of(step, PERIOD_US / 1e6)
    before = group.periods()
    steps_s = steps_of(step, seconds)
    after = group.periods()
    return steps_s, (after[0] - before[0], after[1] - before[1])


def steps_of(step: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of each of the calls that fill a time; a call returns when its work is done. At least one."""
    taken: list[float] = []
    start = last = perf_counter()
    while not taken or last - start < seconds:
        step()
        now = perf_counter()
        taken.append(now - last)
        last = now
    return taken


class Group:
    """A control group that holds this process, and the quota it can be given.

    Attributes:
        folder: of the group.
        is_v2: whether it is of the unified hierarchy (cpu.max) or of the older one (cpu.cfs_quota_us).
    """

    def __init__(self, folder: Path, *, is_v2: bool) -> None:
        """A group in whose folder the kernel has put its files."""
        self.folder, self.is_v2 = folder, is_v2

    @contextmanager
    def quota(self, n_cores: float) -> Iterator[None]:
        """Within it, the group may use that many cores' time per period; behind it, it has no quota."""
        self._write(int(n_cores * PERIOD_US))
        try:
            yield
        finally:
            self._write(None)

    def periods(self) -> tuple[int, int]:
        """Periods under a quota so far, and those in which the kernel stopped the group."""
        lines = (line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        values = {parts[0]: int(parts[1]) for parts in lines if len(parts) == 2}
        return values["nr_periods"], values["nr_throttled"]

    def _write(self, granted_us: int | None) -> None:
        if self.is_v2:
            put(self.folder / "cpu.max", f"{'max' if granted_us is None else granted_us} {PERIOD_US}")
            return
        put(self.folder / "cpu.cfs_period_us", str(PERIOD_US))
        put(self.folder / "cpu.cfs_quota_us", str(-1 if granted_us is None else granted_us))


@contextmanager
def own_group(root: Path = Path("/sys/fs/cgroup"), self_cgroup: Path = Path("/proc/self/cgroup")) -> Iterator[Group]:
    """A new control group with this process in it; on leaving, the process is back where it was and the group gone.

    Nothing of an existing group is changed. A group of an earlier process that was killed is removed.

    Raises:
        DataUnavailableError: no place where this process may make a group that can have a quota.
    """
    reasons = []
    for home, parent, is_v2 in places(root, self_cgroup):
        folder = parent / f"{PREFIX}{os.getpid()}"
        for left in parent.glob(f"{PREFIX}*"):
            with suppress(OSError):
                os.rmdir(left)  # fails while a process is in it
        try:
            os.mkdir(folder)
        except OSError as error:
            reasons.append(error.strerror or type(error).__name__)
            continue
        group = Group(folder, is_v2=is_v2)
        try:
            with group.quota(1):
                pass
            put(folder / "cgroup.procs", str(os.getpid()))
        except OSError as error:
            reasons.append(error.strerror or type(error).__name__)
            remove(folder)
            continue
        try:
            yield group
        finally:
            put(home / "cgroup.procs", str(os.getpid()))
            remove(folder)
        return
    why = f" ({', '.join(sorted(set(reasons)))})" if reasons else ""
    raise DataUnavailableError(
        f"no control group with a CPU quota can be made here{why}; it takes Linux and the right to"
    )


def places(root: Path, self_cgroup: Path) -> list[tuple[Path, Path, bool]]:
    """Where a group could be made: this process's group, the folder for the new one, whether it is version 2.

    Version 1 has a folder for each controller. In version 2 a group with processes hands no controller on to groups
    below it, so the new group goes beside this process's own, or below it where that is the root of all.
    """
    try:
        lines = [line.split(":", 2) for line in self_cgroup.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, name in (parts for parts in lines if len(parts) == 3):
        path = Path(name.lstrip("/"))
        if ".." in path.parts:
            continue
        if "cpu" in controllers.split(","):
            bases = (root / "cpu", root / controllers)
            homes = [home for base in bases for home in (base / path, base) if (home / "cgroup.procs").exists()]
            found += [(home, home, False) for home in homes[:1]]
        elif not controllers and (root / "cgroup.controllers").exists():
            home = root / path
            parents = [home, *([home.parent] if path.parts else [])]
            found += [(home, parent, True) for parent in parents if hands_on_cpu(parent)]
    return found


def hands_on_cpu(folder: Path) -> bool:
    """Whether groups below a group of version 2 have the CPU controller."""
    try:
        return "cpu" in (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def put(file: Path, text: str) -> None:
    """Write one value to one of the kernel's files, which exist or not but are never made."""
    descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a group; the kernel may take a moment until the last thread has left.

    Raises:
        OSError: it is still in use after a second.
    """
    for n_left in reversed(range(N_TRIES)):
        try:
            os.rmdir(folder)
        except OSError:
            if not n_left:
                raise
            sleep(0.05)
        else:
            return


@contextmanager
def pinned(cores: list[int]) -> Iterator[None]:
    """Within it, every thread of this process is kept on some cores; behind it, on those it had."""
    usual = os.sched_getaffinity(0)
    before = {thread: affinity(thread) for thread in threads()}
    for thread in before:
        move(thread, set(cores))
    try:
        yield
    finally:
        for thread in threads():
            move(thread, before.get(thread) or usual)


def threads(tasks: Path = Path("/proc/self/task")) -> list[int]:
    """Ids of this process's threads."""
    return [int(entry.name) for entry in tasks.iterdir()]


def affinity(thread: int) -> set[int] | None:
    """Cores that a thread is permitted on; None where it has ended."""
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:
        return None


def move(thread: int, cores: set[int]) -> None:
    """Permit a thread on these cores only, if it still runs."""
    with suppress(ProcessLookupError):
        os.sched_setaffinity(thread, cores)


@contextmanager
def torch_threads(torch: Any, n: int) -> Iterator[None]:
    """Within it, PyTorch's pool for one operation has that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build(study: Any) -> Any:
    """Rows of 512 numbers to ten logits through three layers of 512, compiled as Keras does by default."""
    keras = study.keras
    hidden = [keras.layers.Dense(WIDTH, activation="relu") for _ in range(N_LAYERS)]
    model = keras.Sequential([keras.Input((WIDTH,)), *hidden, keras.layers.Dense(N_CLASSES)])
    model.compile(
        optimizer=keras.optimizers.SGD(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=study.cell.backend == "jax",
    )
    return model
