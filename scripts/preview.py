"""MkDocs hook: what a preview showed last is set aside, and what is copied as before is taken from there.

MkDocs would delete every file before a build and write it again after, which takes longer than all else.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files


class State:
    """What a process remembers from one event and build to the next."""

    is_preview = False
    aside = Path()  # what was shown before
    contents: dict[str, bytes] = {}  # of files that were copied, by where they are from
    deleting = threading.Thread()


def on_startup(*, command: str, **_: Any) -> None:
    """Remember whether this is a build or a preview."""
    State.is_preview = command == "serve"


def on_pre_build(*, config: MkDocsConfig, **_: Any) -> None:
    """Set aside what was shown before; MkDocs leaves hidden folders alone."""
    if State.is_preview:
        State.aside = set_aside(Path(config.site_dir))


def set_aside(site: Path) -> Path:
    """Move what is in a folder to a hidden one within."""
    aside = Path(tempfile.mkdtemp(prefix=".", dir=site))
    for entry in site.glob("[!.]*"):
        entry.rename(aside / entry.name)
    return aside


@event_priority(-100)  # after all others have added theirs
def on_files(files: Files, **_: Any) -> None:
    """Have generated files moved rather than copied where they hold what they held."""
    if not State.is_preview:
        return
    before, State.contents = State.contents, {}
    for file in files:
        if file.generated_by and not file.is_documentation_page():
            content = State.contents[file.src_uri] = file.content_bytes
            if before.get(file.src_uri) == content:
                file.copy_file = functools.partial(move, State.aside, file)  # type: ignore[method-assign]


def move(aside: Path, file: File, dirty: bool = False) -> None:
    """Take a file from the folder that was set aside, or copy it."""
    try:
        os.makedirs(os.path.dirname(file.abs_dest_path), exist_ok=True)
        os.rename(aside / file.dest_uri, file.abs_dest_path)
    except OSError:
        File.copy_file(file, dirty)


def on_post_build(**_: Any) -> None:
    """Delete the rest beside whatever comes next."""
    if State.is_preview:
        State.deleting = threading.Thread(target=shutil.rmtree, args=(State.aside, True))
        State.deleting.start()


def on_shutdown() -> None:
    """Let MkDocs delete what is shown without two at it."""
    if State.deleting.ident:
        State.deleting.join()
