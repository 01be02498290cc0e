"""Adapter between the pages and the site generator, which takes what ``bench.report.pages`` builds.

As a hook of MkDocs it runs by itself at every build and hands the pages over in memory.
By hand, for any other generator: python scripts/gen_pages.py --out DIR [--docs DIR] [--results DIR]
DIR then holds the pages in docs/ and an mkdocs.yml with the menu; Zensical builds it as it is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, file_sort_key

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scripts import whole_blocks  # noqa: E402  # found below ROOT


def results_folder() -> Path:
    """Records to build from; SITE_RESULTS points tests and previews at other ones."""
    return Path(os.environ.get("SITE_RESULTS") or ROOT / "bench" / "results")


class State:
    """What a process remembers from one event and build to the next."""

    newest_ns = 0  # time of the newest file of ours when modules were loaded
    n_builds = 0
    begun: Any = None  # the pages of this build
    notebooks: tempfile.TemporaryDirectory[str]  # of this build, for their plugin, which reads files


def forget_edited_modules() -> None:
    """Under `mkdocs serve` modules stay loaded between builds; drop ours when one of their files was edited."""
    kinds = ("*.py", "*.j2")
    read = [path for kind in kinds for path in (ROOT / "bench").rglob(kind)] + [*(ROOT / "bench/published").iterdir()]
    newest_ns = max(path.stat().st_mtime_ns for path in read)
    if State.newest_ns not in (0, newest_ns):
        for name in [name for name in sys.modules if name == "bench" or name.startswith("bench.")]:
            del sys.modules[name]
    State.newest_ns = newest_ns


def as_bytes(content: str | bytes | Path) -> bytes:
    """What a page or a file holds; a path is that of a file."""
    if isinstance(content, Path):
        return content.read_bytes()
    return content if isinstance(content, bytes) else content.encode()


@event_priority(100)  # before notebooks are looked for
def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Replace the sources by what they render to, add the generated pages, and set the menu."""
    forget_edited_modules()
    from bench.report.pages import addresses, build, menu
    from bench.report.prose.source import PageError

    try:
        begun = build.begin(
            Path(config.docs_dir),
            results_folder(),
            address=addresses.public(config.site_url),
            summary=config.site_description or "",
            repository=config.repo_url or "",
            keep=ROOT / ".cache" / "kept",
        )
    except PageError as error:
        raise PluginError(str(error)) from error  # MkDocs shows the message without a traceback and stops
    if State.n_builds == 0:
        gc.freeze()  # the records stay; else the collector walks through them while pages are rendered
    State.n_builds += 1
    State.begun, State.notebooks = begun, tempfile.TemporaryDirectory()
    if config.nav is None:
        config.nav = menu.navigation(begun.pages)
    found = {file.src_uri: file for file in files}
    found |= {path: handed_over(config, path, content) for path, content in begun.pages.items()}
    config.markdown_extensions.append(whole_blocks.WholeBlocks())
    return Files(sorted(found.values(), key=file_sort_key))


def handed_over(config: MkDocsConfig, path: str, content: str | bytes | Path) -> File:
    """A page or a file as MkDocs takes it."""
    if path.endswith(".ipynb"):
        file = Path(State.notebooks.name, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_bytes(content))
        return File(path, State.notebooks.name, config.site_dir, config.use_directory_urls)
    if isinstance(content, Path):
        return File.generated(config, path, abs_src_path=str(content))
    return File.generated(config, path, content=content if path.endswith(".md") else as_bytes(content))


def on_post_page(output: str, **_: Any) -> str:
    """Put drawings into a finished page, since they take the longest; meanwhile pages are rendered."""
    return str(State.begun.drawn(output))


def on_post_build(**_: Any) -> None:
    """Keep all pages for the next process."""
    State.notebooks.cleanup()
    if State.n_builds == 1:  # a preview keeps its first build: to keep all takes longer than to make those edited
        State.begun.finish()


def to_folder(out: Path, docs: Path, results: Path) -> None:
    """Write a whole project: docs/ with every page and the files of the sources that are no pages, and mkdocs.yml.

    What only MkDocs does is left out of the settings, and the theme's overrides, which ask for a filter of a hook.
    Evidence is left out of the search, whose index takes no page that long.
    """
    from mkdocs.utils.yaml import yaml_load

    from bench.report.pages import build, menu

    for path in docs.rglob("*"):
        relative = path.relative_to(docs)
        hidden = any(part.startswith(("_", ".")) for part in relative.parts)
        if path.is_file() and path.suffix != ".md" and not hidden:
            (out / "docs" / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / "docs" / relative)
    pages = build.build(docs, results)
    for path, content in pages.items():
        target = out / "docs" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_bytes(content))
    (out / "docs" / "evidence" / ".meta.yml").write_text("search: {exclude: true}\n", encoding="utf-8")
    with (ROOT / "mkdocs.yml").open(encoding="utf-8") as file:
        settings = yaml_load(file)
    for name in ("hooks", "watch"):
        del settings[name]
    del settings["theme"]["custom_dir"]
    settings |= {"plugins": ["meta"], "nav": menu.navigation(pages)}
    (out / "mkdocs.yml").write_text(json.dumps(settings, indent=1), encoding="utf-8")  # JSON is YAML


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the sources")
    parser.add_argument("--results", type=Path, default=results_folder(), help="folder of the records")
    to_folder(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
