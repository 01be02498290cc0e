"""Names of this machine's owner, host and folders, taken out of what is stored. Asks the operating system."""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
from contextlib import suppress

from bench.records import texts

# Names that many machines share tell nothing, and may be words of a message.
COMMON = frozenset({"admin", "build", "localhost", "root", "runner", "ubuntu", "user"})


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
    for name in _names():
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "(name)", text)
    return texts.clean(text)


def _names() -> list[str]:
    found = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with suppress(Exception):  # a user id without a name is an OSError in some versions, a KeyError in others
        found.add(getpass.getuser())
    return sorted((name for name in found if len(name) > 2 and name.lower() not in COMMON), key=len, reverse=True)
