"""Builds results folders and whole sites for tests, each once in a run. Writes below a temporary folder."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from bench.records import store
from bench.records.store import Results

ROOT = Path(__file__).parents[1]
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served meanwhile, on this machine alone."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def write_results(root: Path, results: Results) -> Path:
    """A results folder on disk with these sessions, the runs of each one after the other."""
    from tests.factories import in_turn

    root.mkdir(parents=True, exist_ok=True)
    for session in results.sessions:
        folder = root / session.path
        store.begin(folder, session.machine, session.session)
        for record in in_turn(session.records.values()):
            store.write_record(folder, record)
    return root


def build_site(results: Path, out: Path, **variables: str) -> str:
    """Strict build of the whole site from a results folder; what the build printed.

    Args:
        variables: of the environment, beside today's.
    """
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env=os.environ | {"SITE_RESULTS": str(results), "SITE_URL": "http://localhost:8000/"} | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-4000:]
    return done.stderr


@dataclass
class Element:
    """One element of a page: name, attributes, and the text below it."""

    name: str
    attributes: dict[str, str]
    parent: Element | None = None
    parts: list[str | Element] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below the element."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    @property
    def classes(self) -> list[str]:
        """Its classes."""
        return self.attributes.get("class", "").split()

    def walk(self) -> list[Element]:
        """The element and all below it."""
        found, todo = [], [self]
        while todo:
            element = todo.pop()
            found.append(element)
            todo += [part for part in reversed(element.parts) if isinstance(part, Element)]
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs}, self.here)
        self.here.parts.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.parts.append(Element(tag, {key: value or "" for key, value in attrs}, self.here))

    def handle_endtag(self, tag: str) -> None:
        at: Element | None = self.here
        while at is not None and at.name != tag:
            at = at.parent
        if at is not None and at.parent is not None:
            self.here = at.parent

    def handle_data(self, data: str) -> None:
        self.here.parts.append(data)


def parse(text: str) -> Element:
    """A page as a tree."""
    builder = _Builder()
    builder.feed(text)
    return builder.root


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that is made by whichever process of the tests asks first; the others wait for it.

    Args:
        make: makes the folder that it is given, which has another name until it is whole.

    Raises:
        AssertionError: it could not be made, and is not tried again; the message is that of the first time.
    """
    part, failed = (folder.with_name(f"{folder.name}.{ending}") for ending in ("part", "failed"))
    try:
        folder.with_name(f"{folder.name}.begun").mkdir()
    except FileExistsError:
        while not folder.exists():
            assert not failed.exists(), failed.read_text(encoding="utf-8")
            time.sleep(0.1)
        return folder
    try:
        make(part)
    except BaseException as error:
        failed.write_text(str(error), encoding="utf-8")
        raise
    return part.rename(folder)


class Sites:
    """The sites that tests look at, built when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trees: dict[str, dict[str, Element]] = {}

    def results(self, name: str) -> Path:
        """The records a site is built from: "full" (GPU machine, local session), "none", "committed"."""
        committed = ROOT / "bench" / "results"
        if name == "committed" and not (committed / "local").exists():
            return committed

        def make(root: Path) -> None:
            if name == "committed":  # without what the owner of this checkout measured
                shutil.copytree(committed, root, ignore=shutil.ignore_patterns("local"))
                return
            from tests.factories import make_results

            full = make_results(gpu=True, local=True, n_runs=2, n_blocks=4)
            write_results(root, full if name == "full" else Results(()))

        return once(self.folder / f"results-{name}", make)

    def site(self, name: str) -> Path:
        """The built site's folder."""
        return once(self.folder / f"site-{name}", functools.partial(build_site, self.results(name)))

    def pages(self, name: str) -> dict[str, Element]:
        """Every page of a site as a tree, by path below the site's root."""
        if name not in self._trees:
            out = self.site(name)
            self._trees[name] = {
                path.relative_to(out).as_posix(): parse(path.read_text(encoding="utf-8"))
                for path in sorted(out.rglob("*.html"))
            }
        return self._trees[name]
