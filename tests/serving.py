"""How long an edit takes to show under ``mkdocs serve``: ``tests.long serve``. In a copy, which nobody else edits."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from tests.sites import ROOT, free_port

ANSWER, RECORD = "faq/how-long-on-a-cpu", "intel-xeon-2c/2026-11-22"
LIMIT_S = 120.0
LOOK_S = 3.0  # after the first page, until MkDocs has looked at every file; what is edited before that it never sees
GOALS_S = {"answer": 2.0, "record": 5.0}


def shown(address: str, words: str) -> None:
    """Wait until a page holds these words.

    Raises:
        TimeoutError: it did not within LIMIT_S.
    """
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=LIMIT_S) as answer:
                if words in answer.read().decode():
                    return
        except OSError:  # not there yet
            pass
        time.sleep(0.05)
    raise TimeoutError(f"{address} did not show {words}")


def cpu_seconds(pid: int) -> float:
    """What a process and those it waited for have computed."""
    return sum(psutil.Process(pid).cpu_times()[:4])


def edit_answer(root: Path, address: str, number: int) -> None:
    """Add a sentence to an answer and wait for it."""
    path = root / "docs" / f"{ANSWER}.md"
    words = f"Edited by {'x' * (number + 1)}."  # a digit would have to come from a measurement
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{words}\n", encoding="utf-8")
    shown(f"{address}{ANSWER}/", words)


def edit_record(root: Path, address: str, number: int) -> None:
    """Change a time of a record and wait for it."""
    path = next(
        path for path in sorted((root / "bench" / "results" / RECORD).glob("*.json")) if "cnn-digits-train" in path.name
    )
    raw = json.loads(path.read_bytes())
    raw["runs"][0]["phases_s"]["import"] = 1 + (number + 1) / 1024
    path.write_text(json.dumps(raw), encoding="utf-8")
    shown(f"{address}data/{RECORD}/{path.name}", json.dumps(1 + (number + 1) / 1024))


def count(n: int) -> tuple[dict[str, str], list[str]]:
    """Median seconds of n edits of each kind until they show, and which are over the goal."""
    ignored = shutil.ignore_patterns(".git", ".venv", "site", "local")
    with tempfile.TemporaryDirectory() as temporary:
        root, port = Path(temporary, "copy"), free_port()
        shutil.copytree(ROOT, root, ignore=ignored, symlinks=True)
        server = subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "serve", "--quiet", "--dev-addr", f"127.0.0.1:{port}"],
            cwd=root,
            env=os.environ | {"SITE_URL": ""},
        )
        try:
            address, began = f"http://127.0.0.1:{port}/", time.monotonic()
            shown(f"{address}{ANSWER}/", "</html>")
            counts, wrong = {"first page": f"{time.monotonic() - began:.1f} s"}, []
            time.sleep(LOOK_S)
            for name, edit in {"answer": edit_answer, "record": edit_record}.items():
                seconds, used = [], cpu_seconds(server.pid)
                for number in range(n + 1):
                    began = time.monotonic()
                    edit(root, address, number)
                    seconds.append(time.monotonic() - began)
                used = (cpu_seconds(server.pid) - used) / len(seconds)
                middle = statistics.median(seconds[1:])  # the first one reads what later ones keep
                counts[name] = f"{middle:.1f} s (first {seconds[0]:.1f} s, {used:.1f} s of CPU each)"
                wrong += [f"{name}: {middle:.1f} s, the goal is {GOALS_S[name]:g} s"] if middle > GOALS_S[name] else []
        finally:
            server.terminate()
            server.wait()
    return counts, wrong
