"""Adapter between the pages and the site generator, which takes what ``bench.report.pages`` builds.

Under mkdocs-gen-files it runs by itself at every build.
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
from pathlib import Path
from typing import Any

import mkdocs_gen_files
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scripts import whole_blocks  # noqa: E402  # found below ROOT


def results_folder() -> Path:
    """Records to build from; SITE_RESULTS points tests and previews at other ones."""
    return Path(os.environ.get("SITE_RESULTS") or ROOT / "bench" / "results")


class State:
    """What a process remembers from one build to the next."""

    newest_ns = 0  # time of the newest file of ours when modules were loaded
    n_builds = 0


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


class Drawings(BasePlugin):  # type: ignore[type-arg]  # it has no settings
    """Puts drawings into finished pages, since they take the longest; meanwhile pages are rendered."""

    def __init__(self, begun: Any, *, is_kept: bool) -> None:
        """``begun`` are the pages; with ``is_kept`` all of them are kept for the next process."""
        self.begun, self.is_kept = begun, is_kept

    def on_post_page(self, output: str, **_: Any) -> str:
        """Called with each page."""
        return str(self.begun.drawn(output))

    def on_post_build(self, **_: Any) -> None:
        """Called after the last."""
        if self.is_kept:
            self.begun.finish()


def under_mkdocs() -> None:
    """Hand every page to the build in progress, and the menu with them."""
    forget_edited_modules()
    from bench.report.pages import addresses, build, menu, workers
    from bench.report.prose.source import PageError

    gc.set_threshold(workers.N_BETWEEN_COLLECTIONS)
    config = (editor := mkdocs_gen_files.FilesEditor.current()).config
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
    # A preview keeps its first build: to keep all pages takes longer than to make those that were edited.
    config.plugins["drawings"] = Drawings(begun, is_kept=State.n_builds == 0)
    if State.n_builds == 0:
        gc.freeze()  # the records stay; else the collector walks through them while pages are rendered
    State.n_builds += 1
    if config.nav is None:
        config.nav = menu.navigation(begun.pages)
    for path, content in begun.pages.items():
        if path.endswith(".ipynb"):  # whose plugin reads a file
            with editor.open(path, "wb") as file:
                file.write(as_bytes(content))
        else:  # in memory: to write and delete 1,700 files takes longer than to render what was edited
            given = {"abs_src_path": str(content)} if isinstance(content, Path) else {"content": content}
            editor._files[path] = File.generated(config, path, **given)  # type: ignore[call-overload]
    config.markdown_extensions.append(whole_blocks.WholeBlocks())


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


# gen-files runs this file under the name "<run_path>", anew for each build; what is remembered is in the module.
if __name__ == "__main__":
    main(sys.argv[1:])
elif __name__ == "<run_path>":
    from scripts import gen_pages

    gen_pages.under_mkdocs()
