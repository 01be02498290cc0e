"""A Slurm of one node on this machine, for tests: munge, controller and daemon below a folder, without root."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PARTITIONS = ("low", "high")  # a job of the second preempts those of the first, which go back into the queue
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=500 State=UNKNOWN
PartitionName=low Nodes=node Default=YES PriorityTier=1 MaxTime=INFINITE
PartitionName=high Nodes=node PriorityTier=2 MaxTime=INFINITE
"""


def missing() -> str:
    """Why there can be no Slurm here; empty when there can."""
    lacking = [name for name in PROGRAMS if path(name) is None]
    return f"no {', '.join(lacking)}; on Debian: apt-get install slurm-wlm munge" if lacking else ""


def path(name: str) -> str | None:
    """A program, also of those that only administrators have on their path."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Path]:
    """A Slurm that takes jobs, by its configuration for SLURM_CONF; ended, with its jobs, afterwards."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    controller, daemon = _free_ports(2)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname(), controller=controller, daemon=daemon, folder=folder,
                                user=getpass.getuser(), cpus=os.cpu_count()))  # fmt: skip
    (folder / "cgroup.conf").write_text("IgnoreSystemd=yes\n")
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
         f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"],
        ["slurmctld", "-D", "-c", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf)],
    ]  # fmt: skip
    environment = os.environ | {"SLURM_CONF": str(conf)}
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{command[0]}.out").open("wb"))
            started = subprocess.Popen([str(path(command[0])), *command[1:]], env=environment, stdout=log, stderr=log)
            stack.callback(started.wait)
            stack.callback(started.terminate)
        stack.callback(_end_jobs, environment)
        for _ in range(600):
            ask = subprocess.run(
                ["sinfo", "--noheader", "--format=%T"], env=environment, capture_output=True, text=True
            )
            if ask.stdout.split()[:1] == ["idle"]:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"Slurm does not start: {ask.stdout}{ask.stderr}")
        yield conf


def _end_jobs(environment: dict[str, str]) -> None:
    subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=environment, check=False)
    for _ in range(600):
        left = subprocess.run(["squeue", "--noheader"], env=environment, capture_output=True, text=True, check=False)
        if not left.stdout.strip():
            return
        time.sleep(0.1)


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
