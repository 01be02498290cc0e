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
from time import perf_counter
from typing import Any

from bench.machine import cgroups
from bench.machine import cores as machine_cores
from bench.schema import Block, DataUnavailableError, Reading, Series, Variant, Workload

WIDTH, N_LAYERS, N_CLASSES = 512, 3, 10
RATE = 1e-4
PERIOD_US = 100_000  # the kernel's default, and that of Docker and Kubernetes
PREFIX = "keras-quota-"

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
        "smoke": (Variant(mode="study", batch_size=32, n_samples=32, params={"block_s": 0.25}, n_blocks=3,
                          steady_limit_s=0.2, headline=True, estimate_s=15.0, devices=("cpu",)),),
        "quick": (),
        "reference": (
            # A block is five periods: a share of a period more or less does not show.
            Variant(mode="study", batch_size=256, n_samples=256, params={"block_s": 0.5}, n_blocks=8,
                    steady_limit_s=14.0, headline=True, estimate_s=60.0, devices=("cpu",), sweep="threads"),
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time training steps on one batch of shape (batch_size, 512) in each setting in turn.

    Raises:
        DataUnavailableError: one core only, or no control group can be made here.
    """
    import numpy as np

    cores = machine_cores.core_order(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
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
            granted = machine_cores.cores().quota
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
    study.read("gain", study.median_s("quota") / study.median_s("quota-pinned"))
    study.observe(model.weights[0].value, model(x))


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
            cgroups.put(self.folder / "cpu.max", f"{'max' if granted_us is None else granted_us} {PERIOD_US}")
            return
        cgroups.put(self.folder / "cpu.cfs_period_us", str(PERIOD_US))
        cgroups.put(self.folder / "cpu.cfs_quota_us", str(-1 if granted_us is None else granted_us))


@contextmanager
def own_group(root: Path = cgroups.ROOT, self_cgroup: Path = cgroups.SELF) -> Iterator[Group]:
    """A new control group with this process in it; on leaving, the process is back where it was and the group gone.

    Raises:
        DataUnavailableError: no place where this process may make a group that can have a quota.
    """
    me = str(os.getpid())

    def claim(folder: Path, is_v2: bool) -> None:
        with Group(folder, is_v2=is_v2).quota(1):
            pass
        cgroups.put(folder / "cgroup.procs", me)

    with cgroups.new_group("cpu", PREFIX, claim, root, self_cgroup) as (folder, place):
        try:
            yield Group(folder, is_v2=place.is_v2)
        finally:
            cgroups.put(place.home / "cgroup.procs", me)


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
