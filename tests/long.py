"""The long forms of the suites that try to break what holds; their short forms are tests. A figure is printed last.

python -m tests.long kill [N]       a session killed at every file operation and at N random moments, and 13 faults
python -m tests.long fuzz [N]       N mutants of stored sessions through the gate
python -m tests.long payload [N]    hostile texts through the gate, and past it through N builds and Chromium
python -m tests.long personal [N]   texts with and without personal data, each in N sentences
python -m tests.long scale [N]      N machines: seconds and memory of a check and of a build
python -m tests.long serve [N]      N edits of an answer and of a record until they show
"""

from __future__ import annotations

import importlib
import sys
import time

# By name: the module, whose ``count(n)`` returns what was counted and what went wrong; and the usual n.
SUITES = {
    "kill": ("tests.test_kill", 300),
    "fuzz": ("tests.test_gate", 10_000),
    "payload": ("tests.test_payloads", 3),
    "personal": ("tests.test_personal", 5),
    "scale": ("scripts.many_machines", 100),
    "serve": ("tests.serving", 5),
}


def main(arguments: list[str]) -> int:
    """Exit code: 0 if nothing went wrong, 1 otherwise, 2 for a suite that there is not."""
    if not arguments or arguments[0] not in SUITES or not all(word.isdecimal() for word in arguments[1:]):
        print(__doc__)
        return 2
    name, usual = SUITES[arguments[0]]
    began = time.monotonic()
    counts, wrong = importlib.import_module(name).count(int(arguments[1]) if arguments[1:] else usual)
    print(*wrong[:20], sep="\n")
    shown = ", ".join(f"{name} {value}" for name, value in counts.items())
    print(f"{arguments[0]}: {shown}; {len(wrong)} wrong; {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
