"""What a process wrote and how it ended, in its own words, without folders and names of this machine."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.machine import owner

MOST_SAID = 600  # characters that are kept
# Lines that every start of a framework prints, whatever the machine.
CHATTER = re.compile(
    r"(?i)onednn custom operations|binary is optimized to use|rebuild tensorflow with|unable to register cu\w+ factory"
    r"|computation.?placer already registered|before absl::InitializeLog|^traceback \(most recent|^\s+(file \"|\^+$)"
    r"|^\s+return |^  \w|^warnings?\.warn|^I0000|created device|xla service|MLIR|hostname:|information for host"
    r"|kernel errors might be asynchronously|for debugging consider passing|^compile with `TORCH_USE"
)
TELLING = re.compile(
    r"(?i)error|fail|warn|unable|cannot|could not|can't|no \w*[ -]?(device|gpu|kernel)|not (found|supported|available)"
    r"|missing|unsupported|incompatible|mismatch|too old|denied|refused|is zero|experimental|no such file"
    r"|may be present|outdated|libcu|libnv|cuda|cudnn|rocm|hip\b|xpu|metal"
)
# What TensorFlow and XLA log as a warning or worse: "2026-11-29 09:55:28.117: E ", "W1129 ".
SEVERE = re.compile(r"^[\d :.-]*\b[WEF](\d{4})? [\d :.]*\S+\.(cc|h|py):\d+\]")
# Severity, time, process and source line before a message of TensorFlow and of XLA.
LOG_HEAD = re.compile(r"^[\d :.-]*(?:[IWEF](?:\d{4})? )?[\d :.]*\S+\.(?:cc|h|py):\d+\] ")
CONTROL = re.compile(r"\x1b\[[\d;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")  # colours, and what moves a cursor
ERROR_HEAD = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b")  # the last line of a traceback begins so
# How Windows numbers the ends that Unix has signals for.
# Source: Microsoft, NTSTATUS values, https://learn.microsoft.com/openspecs/windows_protocols/ms-erref
WINDOWS_ENDS = {
    0xC000001D: "illegal instruction",
    0xC0000005: "access violation",
    0xC0000135: "a DLL was not found",
    0xC0000139: "a DLL lacks a function: it is of another version",
    0xC0000142: "a DLL failed to start",
    0xC0000374: "heap corruption",
    0xC0000409: "abort (stack buffer overrun)",
    0xC00000FD: "stack overflow",
}


def said(err: str) -> str:
    """What a backend wrote of its own accord that tells something, in its words, each line once."""
    lines = [line.strip() for line in err.splitlines() if line.strip() and not CHATTER.search(line)]
    return joined([line for line in lines if SEVERE.search(line) or TELLING.search(clean(line))] or lines[-3:])


def joined(lines: Iterable[str]) -> str:
    """Lines as one, without folders and names of this machine, each once."""
    return " | ".join(dict.fromkeys(filter(None, map(clean, lines))))[:MOST_SAID]


def why(code: int, err: str) -> str:
    """Why a probe ended without an answer: its last words, or how the system ended it."""
    if text := WINDOWS_ENDS.get(code & 0xFFFFFFFF):
        return f"ended with exit code {code} (0x{code & 0xFFFFFFFF:X}, {text})"
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        return f"ended by signal {-code} ({known.get(-code, 'unknown')})"
    lines = [line for line in err.strip().splitlines() if line.strip() and not CHATTER.search(line)]
    heads = [number for number, line in enumerate(lines) if ERROR_HEAD.match(line)]
    lines = lines[heads[-1] :] if heads else lines[-1:]  # an error may tell its reason on several lines
    return joined(lines) if lines else f"ended with exit code {code} and said nothing"


def clean(line: str) -> str:
    """A line of a log without its head, and without folders and names of this machine."""
    line = LOG_HEAD.sub("", CONTROL.sub("", line).strip())
    with suppress(Exception):  # a user without a home, or without a name
        line = line.replace(str(Path.home()), "~")
    line = line.replace("file://", "")
    line = re.sub(r"(?<![:/\w])~?(?!/dev/)(/[^/\s'\":|]+)+/", "", line)
    line = re.sub(r"\b[A-Za-z]:\\+(?:[^\\/:*?\"<>|\r\n']+\\+)*", "", line)
    line = re.sub(r"\\\\(?:[^\\\s'\"]+\\+)+", "", line)  # another computer's folder
    return owner.nameless(line)
