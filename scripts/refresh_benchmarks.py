"""Measure this machine: plan, run, check, summarise. ``--help`` lists the options, ``--dry-run`` the cells."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.cli.app import refresh

if __name__ == "__main__":
    refresh()
