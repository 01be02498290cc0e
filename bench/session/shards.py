"""A session cut by workload into jobs, each of which may be killed anywhere and started again. Starts processes.

A job measures its workload's part of the one plan, on whatever node of its kind is free. What is compared with each
other is of one workload, and so of one node; the parts of a kind become one session when all are there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bench.records import files, gather, store
from bench.session import arms, launch, prepare
from bench.session import run as session_run
from bench.session.prepare import Options, Prepared
from bench.workloads import registry

Launcher = Literal["local", "slurm"]
LAUNCHERS: tuple[Launcher, ...] = ("local", "slurm")
FOLDER = ".shards"  # of a results folder: a folder for each kind, with parts and logs, until the session is whole
PARTS, SCRATCH = "parts", "whole"  # of such a folder
MOST_LIMITS = 10  # how often a job goes on after its time limit; after a preemption always
POLL_S = 5.0  # between two looks at the queue
# Slurm tells every process of a job that it will end. The parent starts the job again, from its last finished run; the
# child must not die of it, since that would be a failed run.
DEAF = ("sh", "-c", 'trap "" TERM USR2; exec "$@"', "sh")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of machine: where its jobs go, and where their parts lie meanwhile."""

    name: str  # of the partition; of the local launcher "local"
    launcher: Launcher
    nodes: int  # of one job, which runs on the first
    gpus_per_node: int
    limit_s: float  # of one job
    options: Options

    @property
    def folder(self) -> Path:
        """Where parts and logs lie until the session is whole."""
        options = self.options
        return (files.RESULTS / files.LOCAL if options.results is None else options.results) / FOLDER / self.name

    @property
    def job_name(self) -> str:
        """The name of its jobs in the queue, by which they are found again."""
        return f"gpu-bench-{self.name}-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]}"

    def left(self) -> list[Shard]:
        """Jobs whose part is not there yet."""
        shards = [Shard(self.options, name, self.folder.resolve()) for name in workloads(self.options)]
        return [shard for shard in shards if not shard.part.exists()]


@dataclass(frozen=True, slots=True)
class Shard:
    """The job of one workload. Calling it measures what is still missing of its part."""

    options: Options
    workload: str
    folder: Path  # of the kind

    @property
    def part(self) -> Path:
        """The session's folder with this workload's records, once all are there."""
        return self.folder / PARTS / self.workload

    def __call__(self) -> None:
        """Go on where an earlier call was ended; nothing is left to do where one has finished."""
        if self.part.exists():
            return
        root = self.folder / self.workload
        launch.remove_leftovers()
        with store.measuring(root, local=False):
            own = replace(self.options, results=root, resume=True)
            prepared = only(prepare.prepare(own, estimate=lambda cell, variant: 0.0), self.workload)
            n_at_once = session_run.at_once(prepared)
            launcher = partial(
                launch.launch,
                timeout_s=own.timeout_s,
                worker=(*DEAF, *launch.WORKER),
                base=launch.SHARING | os.environ if n_at_once > 1 else None,
            )
            for step in session_run.execute(prepared, launcher=launcher, n_at_once=n_at_once):
                print(step.n_done, "of", step.n_total, step.planned.cell.id, step.run.status, flush=True)  # a job's log
            self.part.parent.mkdir(exist_ok=True)
            os.replace(prepared.folder, self.part)

    def checkpoint(self) -> Any:
        """What submitit puts back into the queue when the job is preempted or at its time limit: the same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def workloads(options: Options) -> list[str]:
    """Ids of the workloads that have a cell among those asked for, on any machine."""
    found = arms.candidates(registry.workloads(), options, arms.any_host(1)).values()
    return list(dict.fromkeys(cell.workload for cell, _ in found))


def only(prepared: Prepared, workload: str) -> Prepared:
    """One workload's part of a prepared session, whose plan stays whole."""
    plan = prepared.plan
    own = replace(
        plan,
        runs=tuple(run for run in plan.runs if run.cell.workload == workload),
        skipped=tuple(item for item in plan.skipped if item[0].workload == workload),
    )
    return replace(prepared, plan=own, unclosed=tuple(cell for cell in prepared.unclosed if cell.workload == workload))


def submit(kind: Kind) -> int:
    """Submit what is left of a kind, unless its jobs are under way; how many jobs that was.

    The local launcher returns when they have ended: two measurements on one machine would disturb each other.

    Raises:
        ValueError: submitit is not installed, or Slurm refuses the jobs.
    """
    is_new, shards = not kind.folder.exists(), [] if under_way(kind) else kind.left()
    if not shards:
        return 0
    try:
        import submitit
    except ImportError:
        raise ValueError("--launcher needs submitit: pip install --require-hashes -r requirements/slurm.txt") from None
    try:
        executor = submitit.AutoExecutor(
            kind.folder.resolve() / "log", cluster=kind.launcher, slurm_max_num_timeout=MOST_LIMITS,
            local_max_num_timeout=MOST_LIMITS,
        )  # fmt: skip
        executor.update_parameters(
            name=kind.job_name,
            timeout_min=max(10, int(kind.limit_s // 60)),  # of which the last two are not used: the signal comes before
            nodes=kind.nodes,
            gpus_per_node=kind.gpus_per_node or None,
            slurm_partition=kind.name,
            slurm_exclusive=True,
            slurm_mem="0",  # all of the node's
            slurm_srun_args=["--nodes=1", "--ntasks=1", "--cpu-bind=none"],
            slurm_additional_parameters={"requeue": True},
        )
        if kind.launcher == "slurm":
            executor.submit_array(shards)
        else:
            for shard in shards:
                job = executor.submit(shard)
                try:
                    job.wait()
                except BaseException:  # Ctrl-C
                    job.cancel()
                    raise
    except RuntimeError as error:  # of sbatch
        if is_new:
            shutil.rmtree(kind.folder)
        raise ValueError(f"{kind.name}: {error}") from None
    return len(shards)


def under_way(kind: Kind) -> bool:
    """Whether the queue holds a job of a kind, waiting or running; a queue that does not answer counts as yes."""
    if kind.launcher == "local":
        return False
    command = ["squeue", "--noheader", "--format=%i", f"--name={kind.job_name}"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ValueError("this machine has no Slurm: it has no command squeue") from None
    return bool(found.returncode or found.stdout.strip())


def wait(kinds: Sequence[Kind]) -> Iterator[int]:
    """Wait until the queue holds no job of any kind; how many are left, whenever that changes."""
    n_left = 0
    while any(map(under_way, kinds)):
        if (n := sum(len(kind.left()) for kind in kinds)) != n_left:
            yield n
        n_left = n
        time.sleep(POLL_S)


def collect(kind: Kind) -> Path:
    """File a kind's parts as one session; its folder.

    Raises:
        RecordError: not all are there, or they do not fit together.
    """
    if left := kind.left():
        names = ", ".join(shard.workload for shard in left)
        raise files.RecordError(f"{len(left)} workloads are not finished ({names}); their logs: {kind.folder / 'log'}")
    options = kind.options
    local = options.results is None
    parts = [kind.folder / PARTS / name for name in workloads(options)]
    folder = gather.gather(parts, options.results or files.RESULTS, local=local, scratch=kind.folder / SCRATCH)
    shutil.rmtree(kind.folder)
    with suppress(OSError):  # another kind's parts are there
        kind.folder.parent.rmdir()
    return folder
