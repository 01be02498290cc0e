"""Names of this machine's owner, host and folders, taken out of what is stored. Asks the operating system."""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
from contextlib import suppress

from bench.records import texts

# Names that many machines share tell nothing, and are words of messages.
COMMON = frozenset(
    "admin amd apple backend build cluster colab conda container cpu cuda cudnn data debian dell desktop device docker"
    " driver error fedora gpu home host intel jax jetson jupyter kaggle keras kernel laptop linux localhost login"
    " machine model node notebook nvidia python pytorch root runner server service system tensorflow test torch ubuntu"
    " user users windows worker workstation".split()
)
# What else names the user or the host: of a cluster's job, of Windows, of who called sudo.
VARIABLES = ("COMPUTERNAME", "SLURM_JOB_USER", "SLURM_SUBMIT_HOST", "SLURMD_NODENAME", "SUDO_USER")


def has_home() -> bool:
    """Whether this user has a home; else "~" stays "~", and programs make a folder of that name wherever they are."""
    return os.path.expanduser("~") != "~"


def impersonal(text: str) -> str:
    """The text without this machine's folders, host and user, as one line that may be stored."""
    folders = [(os.getcwd(), "."), (sys.prefix, "(python)"), (os.path.expanduser("~"), "(home)")]
    for folder, shown in folders:
        for written in (folder.replace("\\", "\\\\"), folder):  # Windows errors quote paths with doubled backslashes
            if len(folder) > 1:
                text = text.replace(written, shown)
    return texts.clean(nameless(text))


def nameless(text: str) -> str:
    """The text with "(name)" for the names of this host and user wherever one stands as a word, with its domain."""
    for name in _names():
        text = re.sub(rf"(?i)(?<![\w-]){re.escape(name)}(?:\.[a-z][\w-]*)*(?![\w-])", "(name)", text)
    return text


def _names() -> list[str]:
    found = {os.environ.get(name, "") for name in VARIABLES}
    with suppress(OSError):
        found.add(socket.gethostname())
    with suppress(Exception):  # a user id without a name is an OSError in some versions, a KeyError in others
        found.add(getpass.getuser())
    found |= {name.partition(".")[0] for name in found}
    return sorted((name for name in found if len(name) > 2 and name.lower() not in COMMON), key=len, reverse=True)
