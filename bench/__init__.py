"""Executable benchmarks behind "Do I need a GPU?": declare, plan, run, record, derive, render."""
