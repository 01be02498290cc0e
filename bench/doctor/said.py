"""Explains what drivers and backends say, by the table of sayings. Pure.

A saying explains a text only where its pattern matches, and only on machines that its condition names. Where none
does, the doctor does not know, and says so.
"""

from __future__ import annotations

import re

from bench.doctor import builds, fixes
from bench.doctor.facts import Facts, Saying, is_jetson
from bench.doctor.sayings import SAYINGS


def explain(text: str, facts: Facts) -> Saying | None:
    """The first saying that a text is; None where it says nothing that the table knows."""
    for saying in SAYINGS:
        if re.search(saying.says, text, re.IGNORECASE) and saying.when(facts):
            return saying
    return None


def _look(facts: Facts) -> str:
    """Where to see whether a process may use an NVIDIA card."""
    if facts.host.container:
        return fixes.start(facts)
    return "ls -l /dev/nvidia*" if facts.host.system == "Linux" else "nvidia-smi"


def _library(facts: Facts) -> str:
    """How a process comes to the driver's own library."""
    if facts.host.container:
        return (
            f"{fixes.start(facts)}; where nvidia-smi works inside already: NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        )
    return "in WSL it lies in /usr/lib/wsl/lib; wsl --shutdown, then again" if facts.host.wsl else fixes.driver(facts)


def fix_of(saying: Saying, facts: Facts, backend: str = "") -> str:
    """A saying's fix, with what fits this machine in its gaps: {install} and {name} are the backend's."""
    install = fixes.install(facts, backend) if backend and "{install}" in saying.fix else ""
    return saying.fix.format(
        install=install,
        driver=fixes.driver(facts),
        name=fixes.NAMES.get(backend, "the framework"),
        module=backend,
        version=facts.host.driver or "the driver's",
        plugin=f"{backend}-metal",
        rights=fixes.rights(facts),
        branches=fixes.last_branches(),
        look=_look(facts),
        may_run="icacls python.exe shows who may run it"
        if facts.host.system == "Windows"
        else "ls -lL $(command -v python3) shows who may run it, ulimit -u how many processes are allowed",
        library=_library(facts),
        kernel_log="look for NVRM and Xid in: sudo dmesg" if facts.host.system == "Linux" else "the system's event log",
        home="let this user write the folder, or: export KERAS_HOME=C:/temp/keras"
        if facts.host.system == "Windows"
        else "export HOME=/tmp KERAS_HOME=/tmp/keras TMPDIR=/tmp",
        numpy="take a newer release of the framework: for this Python there is no NumPy 1"
        if builds.version_of(facts.host.python) >= (3, 13)
        else "pip install 'numpy<2', or take a newer release of the framework",
        unset="" if is_jetson(facts.host) or facts.host.system == "Windows" else "unset LD_LIBRARY_PATH; ",
    )
