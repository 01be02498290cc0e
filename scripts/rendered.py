"""MkDocs hook: a page that would come out as in an earlier build is not rendered again.

Two things are kept of each page, in memory and for the next process below ``.cache``: the body that Markdown makes of
it, by its text and all that decides what is made of it, and what the theme's template makes of that body, by the same
and by what stands around it. A page that MkDocs had something to say about is never kept, since it would say it once.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import FileSystemBytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.utils import CountHandler

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scripts import kept  # noqa: E402  # found below ROOT

PACKAGES = ("jinja2", "markdown", "mkdocs", "mkdocs-jupyter", "mkdocs-material", "nbconvert", "pygments",
            "pymdown-extensions", "pyyaml")  # fmt: skip
LOGGER = logging.getLogger("mkdocs")
OF_OTHERS = ("icon", "status", "subtitle")  # what menus show of a page's front matter, beside its title


class State:
    """What a process remembers from one event and build to the next."""

    body_frame = ""  # all that decides what is made of a page's text
    page_frame = ""  # and what stands around it
    nav: Navigation


def on_pre_build(**_: Any) -> None:
    """Begin with what the last build kept."""
    kept.begin()


@event_priority(-100)  # after the menu is complete
def on_nav(nav: Navigation, *, config: MkDocsConfig, files: Files) -> None:
    """Find out what every page's body depends on."""
    State.nav = nav
    plain = {name: value for name, value in config.items() if isinstance(value, str | bool | int)}
    settings = {name: value for name, value in sorted(plain.items()) if name not in ("site_dir", "strict")}
    sources = [Path(config.config_file_path), *sorted((ROOT / "scripts").glob("*.py"))]
    State.body_frame = kept.digest(
        platform.python_version(),
        [(package, version(package)) for package in PACKAGES],
        LOGGER.getEffectiveLevel(),  # which decides whether anything is said
        config.theme.name,
        settings,
        [path.read_text(encoding="utf-8") for path in sources],
        [(file.src_uri, file.url, file.inclusion.name) for file in files],  # links may lead to each
    )


def on_page_markdown(_text: str, *, page: Any, **_: Any) -> None:
    """Have a page rendered from what is kept; notebooks have a renderer, and a memory, of their own."""
    page.kept_as = kept.digest(State.body_frame, page.file.src_uri, page.file.content_string)
    if "render" not in vars(page):
        page.render = functools.partial(body, page, page.render)


def body(page: Any, render: Callable[[MkDocsConfig, Files], None], config: MkDocsConfig, files: Files) -> None:
    """Make a page's body of its Markdown, or take the one that is kept."""
    name = kept.digest("body", page.kept_as)
    made = kept.look_up(name)
    if made is None:
        said = CountHandler()
        LOGGER.addHandler(said)
        try:
            render(config, files)
        finally:
            LOGGER.removeHandler(said)
        links = {target.src_uri: found for target, found in (page.links_to_anchors or {}).items()}
        if not said.get_counts():
            kept.keep(name, (page.content, page.toc, page._title_from_render, page.present_anchor_ids, links))
    else:
        page.content, page.toc, page._title_from_render, page.present_anchor_ids, links = made
        page.links_to_anchors = {files.get_file_from_path(path): found for path, found in links.items()}


def on_env(env: Any, *, config: MkDocsConfig, **_: Any) -> None:
    """Find out what stands around every page, and have the theme's templates ask for what is kept."""
    overrides = [path for path in sorted(Path(config.theme.custom_dir or "").rglob("*")) if path.is_file()]
    State.page_frame = kept.digest(
        config.nav,
        [(str(path), path.read_bytes()) for path in overrides],
        [(page.url, page.title, *(page.meta.get(name) for name in OF_OTHERS)) for page in State.nav.pages],
    )
    if os.access(kept.FOLDER, os.W_OK):
        env.bytecode_cache = FileSystemBytecodeCache(str(kept.FOLDER), "%s.template")
    get_template = env.get_template

    def remembering(name: str, parent: str | None = None, *given: Any) -> Any:
        template = get_template(name, parent, *given)
        if not parent and "render" not in vars(template):  # MkDocs asks without a parent, templates with one
            template.render = functools.partial(framed, template.render)
        return template

    env.get_template = remembering


def framed(render: Callable[[Any], str], context: Any) -> str:
    """A page within the theme, or the one that is kept."""
    if context["page"] is None:  # the site's map, and what is shown at wrong addresses
        return render(context)
    name = kept.digest("page", context["page"].kept_as, State.page_frame)
    made: str | None = kept.look_up(name)
    if made is None:
        made = render(context)
        kept.keep(name, made)
    return made
