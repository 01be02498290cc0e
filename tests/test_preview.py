"""A preview shows what a build makes, without writing again what it copied before."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mkdocs")

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

from scripts import preview

SETTINGS = "{site_name: Tried, theme: mkdocs, plugins: [], nav: [index.md]}"


class Generated:
    """Adds files, as the adapter does."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    @event_priority(100)
    def on_files(self, files: Files, *, config: MkDocsConfig) -> None:
        for path, content in self.contents.items():
            files.append(File.generated(config, path, content=content))


def shown(root: Path, site: Path, **contents: bytes) -> dict[str, tuple[bytes, int]]:
    """What each generated file of the next preview holds, and its number on the disk."""
    config = load_config(str(root / "mkdocs.yml"), site_dir=str(site))
    config.plugins["generated"] = Generated({f"data/{name}": content for name, content in contents.items()})
    config.plugins["preview"] = preview
    build(config, serve_url="http://localhost/")
    preview.on_shutdown()
    assert [] == [path.name for path in site.glob(".*")]
    assert (site / "index.html").exists()
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in (site / "data").iterdir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one page."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("Text.")
    (tmp_path / "mkdocs.yml").write_text(SETTINGS)
    return tmp_path


def test_a_preview_moves_what_is_as_before_writes_what_is_not_and_drops_what_is_gone(root: Path):
    site = root / "site"
    site.mkdir()
    preview.on_startup(command="serve")
    first = shown(root, site, same=b"1", edited=b"1", gone=b"1")

    second = shown(root, site, same=b"1", edited=b"2", new=b"1")

    assert {"same": b"1", "edited": b"2", "new": b"1"} == {name: content for name, (content, _) in second.items()}
    assert first["same"] == second["same"]


def test_what_is_as_before_is_written_where_it_was_lost(root: Path):
    site = root / "site"
    site.mkdir()
    preview.on_startup(command="serve")
    shown(root, site, same=b"1")
    (site / "data" / "same").unlink()

    assert b"1" == shown(root, site, same=b"1")["same"][0]


def test_a_build_sets_nothing_aside(root: Path):
    site = root / "site"
    site.mkdir()
    (site / "old.html").write_text("1")
    preview.on_startup(command="build")

    shown(root, site, same=b"1")

    assert not (site / "old.html").exists()
