"""What happens when something goes wrong that nobody expected, and output that no code page can stop."""

from __future__ import annotations

import codecs
import errno
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from bench import cli
from bench.cli import show
from bench.doctor import collect, words
from bench.doctor.facts import BackendFacts, Facts, block
from bench.machine import software
from bench.records import files
from bench.schema import BACKENDS

NOT_OURS = (*files.FULL, errno.EROFS, errno.EIO)  # a disk that is full or broken
CUT_OFF = 128 + 13  # what a shell says of a program that SIGPIPE ended
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h: no command of ours gives it another meaning
WHERE = "report it as an issue of the repository that this copy is from, with these facts"
# Plain signs for those that a compatible decomposition does not reach.
PLAIN = {"\u00b5": "u", "\u03bc": "u", "\u00d7": "x", "\u2044": "/", "\u2192": "->", "\u2212": "-"} | dict.fromkeys(
    ("\u2010", "\u2013", "\u2014", "\u00b7"), "-"
)


def guard(command: Callable[[], object]) -> None:
    """Run a command; an unexpected error ends it with one sentence, the facts and the exit code 70.

    A disk that is full or broken is no fault of ours: one sentence, and exit code 1. Output that nobody reads any
    more, as behind ``| head``, ends it without a word, as it ends other programs.
    """
    cli.begin()
    survive_code_pages()
    try:
        os.getcwd()
    except FileNotFoundError:
        show.progress_console.print("error: the folder that you are in is gone; change to one that is there")
        sys.exit(show.WRONG_USAGE)
    try:
        command()
    except KeyboardInterrupt:
        _interrupted()
    except (BrokenPipeError, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code == cli.STOPPED:  # what typer makes of a Ctrl-C
            _interrupted()
        _flush()
        if any(isinstance(error, BrokenPipeError) for error in (ended, ended.__context__)):
            sys.exit(CUT_OFF)  # rich and typer end with 1, which means problems
        raise
    except Exception as error:  # noqa: BLE001  this is the last place where it can be told
        if isinstance(error, OSError) and error.errno in NOT_OURS:
            show.progress_console.print(f"error: cannot write: {error.strerror}; free space or name another place")
            sys.exit(show.SOME_FAILED)
        try:
            end(error, facts())
        except typer.Exit as ended:
            sys.exit(ended.exit_code)


def _interrupted() -> NoReturn:
    show.progress_console.print("interrupted")
    _flush()
    sys.exit(cli.STOPPED)


def _flush() -> None:
    """Write what is still held back; where nobody reads it any more, nothing of it is told at the end of Python.

    Source: note on SIGPIPE, https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def end(error: Exception, known: Facts) -> NoReturn:
    """Say in one sentence what went wrong, print what is known of the machine and where to report it.

    Raises:
        typer.Exit: with the code 70.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {Path(step.filename).name}, line {step.lineno}, {step.name}" for step in frame)
    what = f"{type(error).__name__}: {words.clean(str(error))}"
    text = f"error: this is a fault of ours, not of your machine: {what}{where}\n{WHERE}:\n\n{block(known)}"
    show.progress_console.print(text, markup=False, soft_wrap=True)
    raise typer.Exit(UNEXPECTED)


def facts() -> Facts:
    """What is known of this machine without asking any backend."""
    versions = [(name, software.backend_version(name)) for name in BACKENDS]
    known = [BackendFacts(name=name, installed=True, version=version) for name, version in versions if version]
    return Facts(host=collect.host(), backends=tuple(known), packages=collect.packages(), variables=collect.variables())


def survive_code_pages() -> None:
    """Let the standard streams write any sign: one that their code page lacks becomes a plain one, never an error."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """The nearest plain signs for what cannot be written."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign) or _decomposed(sign) or "?" for sign in signs), error.end


def _decomposed(sign: str) -> str:
    parts = unicodedata.normalize("NFKD", sign)
    return "".join(PLAIN.get(part, part) for part in parts).encode("ascii", "ignore").decode()
