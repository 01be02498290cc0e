"""Processes that wait for a line: settings reach them, other lines are passed over, an early end is a failure."""

from __future__ import annotations

import sys

import pytest

from bench.workloads.parts import served

ECHO = """
import json, os, sys
from bench.workloads.parts import served
known = json.loads(sys.argv[1])
for line in sys.stdin:
    print("a library's own words")
    served.answer(sys.stdout, [line.strip(), os.environ["SETTING"], known])
"""


def test_a_setting_reaches_its_process_and_other_lines_are_passed_over():
    command = [sys.executable, "-c", ECHO]
    with (
        served.serving(command, {"n": 1}, {"SETTING": "on"}, "on") as on,
        served.serving(command, {"n": 2}, {"SETTING": "off"}, "off") as off,
    ):
        assert ["5", "on", {"n": 1}] == served.ask(on, 5)
        assert ["go", "off", {"n": 2}] == served.ask(off, "go")
        assert ["stop", "on", {"n": 1}] == served.ask(on, "stop")
    assert (0, 0) == (on.returncode, off.returncode)


def test_a_process_that_ends_early_is_a_failure_with_its_last_words():
    command = [sys.executable, "-c", "raise SystemExit('no such processor')"]

    with (
        pytest.raises(RuntimeError, match="the process with it off ended early: no such processor"),
        served.serving(command, {}, {}, "with it off") as process,
    ):
        process.wait()
        served.ask(process, 1)
