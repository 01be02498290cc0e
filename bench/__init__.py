"""Executable benchmarks behind "Do I need a GPU?": declare, plan, run, record, derive, render."""

from pathlib import Path

ROOT = Path(__file__).parent  # this package's folder
REPOSITORY = ROOT.parent
