"""MkDocs hook: a page that would come out as in an earlier build is not rendered again.

Two things are kept of each page, in memory and for the next process below ``.cache``: the body that Markdown makes of
it, by its text and all that decides what is made of it, and what the theme's template makes of that body, by the same
and by what stands around it. A page that MkDocs had something to say about is never kept, since it would say it once.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import pickle
import platform
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import FileSystemBytecodeCache, Template
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.utils import CountHandler

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "rendered"
MOST_BYTES = 100_000_000  # a handful of builds: previews have other addresses, tests other records
PACKAGES = ("jinja2", "markdown", "mkdocs", "mkdocs-jupyter", "mkdocs-material", "nbconvert", "pygments",
            "pymdown-extensions", "pyyaml")  # fmt: skip
LOGGER = logging.getLogger("mkdocs")
OF_OTHERS = ("icon", "status", "subtitle")  # what menus show of a page's front matter, beside its title


class State:
    """What a process remembers from one event and build to the next."""

    is_preview = False
    body_frame = ""  # all that decides what is made of a page's text
    page_frame = ""  # and what stands around it
    nav: Navigation
    before: dict[str, Any] = {}  # what the last build kept
    now: dict[str, Any] = {}  # what this one does


def digest(*parts: object) -> str:
    """Name of what is made of these."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def kept(name: str) -> Any:
    """What was kept under a name; None where nothing was."""
    found = State.before.get(name)
    if found is None:
        try:
            found = pickle.loads(zlib.decompress((FOLDER / name).read_bytes()))
            os.utime(FOLDER / name)
        except Exception:  # noqa: BLE001  # no file, half of one, another version: it is made anew
            return None
    State.now[name] = found
    return found


def keep(name: str, made: object) -> None:
    """Keep something, here and for the next process."""
    State.now[name] = made
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        staging = FOLDER / f".{name}.{os.getpid()}.tmp"
        staging.write_bytes(zlib.compress(pickle.dumps(made), 1))
        staging.replace(FOLDER / name)
    except OSError:  # a folder that cannot be written costs time and nothing else
        pass


def tidy(most_bytes: int) -> None:
    """Drop what was not asked for longest, above a limit."""
    found = sorted(((file.stat(), file) for file in FOLDER.glob("*")), key=lambda one: -one[0].st_mtime_ns)
    for status, file in found:
        most_bytes -= status.st_size
        if most_bytes < 0:
            file.unlink(missing_ok=True)


def on_startup(*, command: str, **_: Any) -> None:
    """Remember whether this is a build or a preview."""
    State.is_preview = command == "serve"


def on_pre_build(*, config: MkDocsConfig, **_: Any) -> None:
    """Begin anew; of a preview, set the last site aside."""
    State.before, State.now = State.now, {}
    if State.is_preview:
        set_aside(Path(config.site_dir))


def set_aside(site: Path) -> None:
    """Delete what is in a folder beside the build, which would wait for each of the files, then write it again.

    MkDocs leaves hidden folders alone.
    """
    old = Path(tempfile.mkdtemp(prefix=".", dir=site))
    for entry in site.iterdir():
        if not entry.name.startswith("."):
            entry.rename(old / entry.name)
    threading.Thread(target=shutil.rmtree, args=(old, True)).start()


@event_priority(-100)  # after the menu is complete
def on_nav(nav: Navigation, *, config: MkDocsConfig, files: Files) -> None:
    """Find out what every page's body depends on."""
    State.nav = nav
    plain = {name: value for name, value in config.items() if isinstance(value, str | bool | int)}
    settings = {name: value for name, value in sorted(plain.items()) if name not in ("site_dir", "strict")}
    sources = [Path(config.config_file_path), *sorted((ROOT / "scripts").glob("*.py"))]
    State.body_frame = digest(
        platform.python_version(),
        [(package, version(package)) for package in PACKAGES],
        LOGGER.getEffectiveLevel(),  # which decides whether anything is said
        settings,
        [path.read_text(encoding="utf-8") for path in sources],
        [(file.src_uri, file.url, file.inclusion.name) for file in files],  # links may lead to each
    )


def on_page_markdown(_text: str, *, page: Any, **_: Any) -> None:
    """Have a page rendered from what is kept; notebooks have a renderer, and a memory, of their own."""
    page.kept_as = digest(State.body_frame, page.file.src_uri, page.file.content_string)
    if "render" not in vars(page):
        page.render = functools.partial(render, page, page.render)


def render(page: Any, render: Callable[[MkDocsConfig, Files], None], config: MkDocsConfig, files: Files) -> None:
    """Make a page's body, or take the one that is kept."""
    name = digest("body", page.kept_as)
    made = kept(name)
    if made is None:
        said = CountHandler()
        LOGGER.addHandler(said)
        render(config, files)
        LOGGER.removeHandler(said)
        links = {target.src_uri: found for target, found in (page.links_to_anchors or {}).items()}
        if not said.get_counts():
            keep(name, (page.content, page.toc, page._title_from_render, page.present_anchor_ids, links))
    else:
        page.content, page.toc, page._title_from_render, page.present_anchor_ids, links = made
        page.links_to_anchors = {files.get_file_from_path(path): found for path, found in links.items()}


def on_env(env: Any, *, config: MkDocsConfig, **_: Any) -> None:
    """Find out what stands around every page, and have templates ask for what is kept."""
    overrides = [path for path in sorted(Path(config.theme.custom_dir or "").rglob("*")) if path.is_file()]
    State.page_frame = digest(
        repr(config.nav),
        [(path.name, path.read_bytes()) for path in overrides],
        [(page.url, page.title, *(page.meta.get(name) for name in OF_OTHERS)) for page in State.nav.pages],
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    env.bytecode_cache = FileSystemBytecodeCache(str(FOLDER), "%s.template")
    get_template = env.get_template

    def remembering(name: str, parent: str | None = None, *given: Any) -> Any:
        found = get_template(name, parent, *given)
        return found if parent else Remembering(found)  # MkDocs asks without a parent, templates with one

    env.get_template = remembering


class Remembering:
    """A template of the theme that gives again what it made of a page."""

    def __init__(self, template: Template) -> None:
        """``template`` makes what is not kept."""
        self.template = template

    def render(self, context: Any) -> str:
        """The finished page."""
        page = context["page"]
        if page is None:  # the site's map, and what is shown at wrong addresses
            return self.template.render(context)
        name = digest("page", page.kept_as, State.page_frame)
        made: str | None = kept(name)
        if made is None:
            made = self.template.render(context)
            keep(name, made)
        return made


@event_priority(-100)
def on_post_build(**_: Any) -> None:
    """Bound what is kept on disk."""
    if not State.is_preview:
        tidy(MOST_BYTES)
