"""A page that comes out as before is not rendered again, and the site is the one that a first build makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mkdocs")

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from mkdocs.structure.pages import Page

from scripts import kept, rendered
from tests.sites import ROOT

HOOK = str(ROOT / "scripts" / "rendered.py")
SETTINGS = f"""
site_name: Tried
theme: {{name: mkdocs, custom_dir: overrides}}
plugins: []
hooks: [{HOOK}]
nav: [{{Home: index.md}}, other.md, third.md]
strict: true
validation: {{links: {{anchors: warn}}}}
"""
ALL = ["index.md", "other.md", "third.md"]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Which bodies, by their sources, and which whole pages, as "whole", were made since somebody emptied the list."""
    seen: list[str] = []
    render, keep = Page.render, kept.keep
    monkeypatch.setattr(Page, "render", lambda page, *given: (seen.append(page.file.src_uri), render(page, *given)))
    monkeypatch.setattr(
        kept, "keep", lambda name, one: (seen.extend(["whole"] * isinstance(one, str)), keep(name, one))
    )
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "kept")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # this theme writes the time
    forget()
    return seen


def forget() -> None:
    """Forget what is in memory, as a new process begins."""
    kept.begin()
    kept.begin()


def project(root: Path) -> Path:
    """Three pages, the first of which links to a heading of the second."""
    for path, text in {
        "mkdocs.yml": SETTINGS,
        "overrides/main.html": '{% extends "base.html" %}',
        "scripts/hook.py": "",
        "docs/index.md": "# Home\n\n[Other](other.md#part)\n",
        "docs/other.md": "# Other\n\n## Part\n\nText.\n",
        "docs/third.md": "---\ntitle: Third\n---\nText.\n",
        "docs/data.txt": "1",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def built(root: Path, **given: Any) -> dict[str, bytes]:
    """The site's pages."""
    config = load_config(str(root / "mkdocs.yml"), site_dir=str(root / "site"), **given)
    sys.modules[HOOK].ROOT = root  # whose scripts count
    build(config)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "site").rglob("*.html")}


def write(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "bodies", "n_whole"),
    [
        (lambda root: None, [], 0),
        (write("docs/other.md", "# Other\n\n## Part\n\nEdited.\n"), ["other.md"], 1),
        (write("docs/third.md", "---\ntitle: Another\n---\nText.\n"), ["third.md"], 3),
        (write("docs/third.md", "---\ntitle: Third\nicon: x\n---\nText.\n"), ["third.md"], 3),
        (write("docs/other.md", "# Renamed\n\n## Part\n\nText.\n"), ["other.md"], 3),
        (write("docs/data.txt", "2"), [], 0),
        (write("docs/new.md", "# New\n"), [*ALL, "new.md"], 4),
        (write("overrides/main.html", '{% extends "base.html" %}{% block footer %}Own{% endblock %}'), [], 3),
        (write("overrides/content.html", "{{ page.content }}{{ page.title }}"), [], 3),
        (write("mkdocs.yml", SETTINGS.replace("Tried", "Named")), ALL, 3),
        (write("mkdocs.yml", SETTINGS.replace("{Home: index.md}", "{Start: index.md}")), ALL, 3),
        (write("mkdocs.yml", SETTINGS.replace(", third.md]", "]\nnot_in_nav: third.md")), ALL, 3),
        (write("scripts/hook.py", "edited = True"), ALL, 3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("process", ["same", "next"])
def test_after_an_edit_the_site_is_that_of_a_first_build(
    tmp_path: Path,
    made: list[str],
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[Path], object],
    bodies: list[str],
    n_whole: int,
    process: str,
):
    root = project(tmp_path / "project")
    built(root)
    made.clear()

    edit(root)
    if process == "next":
        forget()
    after = built(root)

    assert sorted([*bodies, *["whole"] * n_whole]) == sorted(made)
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "empty")
    forget()
    assert built(root) == after


def test_a_page_without_a_target_any_more_is_made_again_and_warned_of(tmp_path: Path, made: list[str]):
    root = project(tmp_path / "project")
    built(root)
    (root / "docs" / "other.md").unlink()
    write("mkdocs.yml", SETTINGS.replace("other.md, ", ""))(root)

    for _ in range(2):
        with pytest.raises(Abort):
            built(root)


def test_a_page_as_before_is_warned_of_when_the_heading_that_it_links_to_is_gone(tmp_path: Path, made: list[str]):
    root = project(tmp_path / "project")
    built(root)
    write("docs/other.md", "# Other\n\n## Piece\n")(root)
    made.clear()

    for _ in range(2):
        with pytest.raises(Abort):
            built(root)

    assert ["other.md", "whole"] == made


def test_a_quiet_build_keeps_nothing_for_one_that_would_warn(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
):
    root = project(tmp_path / "project")
    write("docs/third.md", "[Gone](gone.md)\n")(root)
    level = rendered.LOGGER.level
    try:
        rendered.LOGGER.setLevel("ERROR")
        built(root)
    finally:
        rendered.LOGGER.setLevel(level)

    with pytest.raises(Abort):
        built(root)


def test_what_is_kept_is_found_again_and_made_anew_where_it_is_torn(tmp_path: Path, made: list[str]):
    kept.keep("a", ("made", 1))
    forget()
    assert ("made", 1) == kept.look_up("a")

    forget()
    (tmp_path / "kept" / "a").write_bytes(b"torn")
    assert kept.look_up("a") is None
    assert kept.look_up("never") is None


def test_what_was_not_asked_for_longest_is_dropped(tmp_path: Path):
    for number, name in enumerate(["old", "new", "newer"]):
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (number, number))

    kept.tidy(tmp_path, 10)

    assert ["new", "newer"] == sorted(path.name for path in tmp_path.iterdir())
