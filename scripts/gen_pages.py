"""Adapter between the pages and the site generator. Writes what ``bench.report.pages`` builds.

Under mkdocs-gen-files it runs by itself at every build and hands the pages over in memory.
By hand, for any other generator: python scripts/gen_pages.py --out DIR [--docs DIR] [--results DIR]
DIR then holds the pages in docs/ and an mkdocs.yml with the menu; Zensical builds it as it is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def results_folder() -> Path:
    """Records to build from; SITE_RESULTS points tests and previews at other ones."""
    return Path(os.environ.get("SITE_RESULTS") or ROOT / "bench" / "results")


def public(address: str | None) -> str:
    """The site's public address with a slash at its end; empty where it is only on this machine."""
    host = urlsplit(address or "").hostname
    return f"{address.rstrip('/')}/" if host not in (None, "localhost", "127.0.0.1") else ""


def forget_edited_modules() -> None:
    """Under `mkdocs serve` modules stay loaded between builds; drop ours when one of their files was edited."""
    kinds = ("*.py", "*.j2")
    read = [path for kind in kinds for path in (ROOT / "bench").rglob(kind)] + [*(ROOT / "bench/published").iterdir()]
    newest = max(path.stat().st_mtime_ns for path in read)
    if getattr(sys, "_pages_built_from", newest) != newest:
        for name in [name for name in sys.modules if name == "bench" or name.startswith("bench.")]:
            del sys.modules[name]
    sys._pages_built_from = newest


def as_bytes(content: str | bytes | Path) -> bytes:
    """What a page or a file holds; a path is that of a file."""
    if isinstance(content, Path):
        return content.read_bytes()
    return content if isinstance(content, bytes) else content.encode()


def unchanged(built: Mapping[str, str | bytes | Path], frame: str) -> set[str]:
    """Paths whose content is that of the last build in this process, within the same frame.

    ``mkdocs serve --dirty`` renders none of them again: what stands around a page follows from the frame alone.
    """
    now = {path: hash(content) for path, content in built.items()}
    last_frame, last = getattr(sys, "_pages_handed_over", ("", {}))
    sys._pages_handed_over = (frame, now)
    return {path for path in now if last_frame == frame and last.get(path) == now[path]}


def frame_of(nav: object, docs: Path) -> str:
    """What stands around every page: the menu, the theme's templates, the settings, and the hooks."""
    files = [ROOT / "mkdocs.yml", *sorted((ROOT / "scripts").glob("*.py")), *sorted(docs.glob("_overrides/**/*.html"))]
    return "\n".join([repr(nav), *(path.read_text(encoding="utf-8") for path in files)])


class WholeBlocks(Extension):
    """Carries long blocks of finished HTML past the parser of Markdown, which would read every tag twice to no end.

    A stand-in with the block's ids goes through in its place, so that links into it are still checked.
    """

    def extendMarkdown(self, md: Markdown) -> None:
        """Take the blocks out after code has been set aside, before ids are collected; put them back at the end."""
        blocks: list[str] = []
        md.preprocessors.register(_TakeOut(md, blocks), "whole_blocks", 22)  # code is at 25, ids at 21
        md.postprocessors.register(_PutBack(md, blocks), "whole_blocks", 1)  # raw HTML comes back at 30


class _TakeOut(Preprocessor):
    LONG = 400  # characters; shorter ones cost nothing
    START = re.compile(r"<(div|details|figure|table|ul|dl)[ >]")
    STAND_IN = re.compile(r'<div data-block="(\d+)">.*?</div>', re.S)

    def __init__(self, md: Markdown, blocks: list[str]) -> None:
        super().__init__(md)
        self.blocks = blocks

    def run(self, lines: list[str]) -> list[str]:
        return "\n\n".join(map(self.stand_in, "\n".join(lines).split("\n\n"))).split("\n")

    def stand_in(self, text: str) -> str:
        start = self.START.match(text)
        if start is None or len(text) < self.LONG or not text.rstrip().endswith(f"</{start[1]}>"):
            return text
        if len(re.findall(rf"<{start[1]}[ >]", text)) != text.count(f"</{start[1]}>"):
            return text
        self.blocks.append(text)
        ids = "".join(f'<i id="{name}"></i>' for name in re.findall(r' id="([^"]+)"', text))
        return f'<div data-block="{len(self.blocks) - 1}">{ids}</div>'


class _PutBack(Postprocessor):
    def __init__(self, md: Markdown, blocks: list[str]) -> None:
        super().__init__(md)
        self.blocks = blocks

    def run(self, text: str) -> str:
        return _TakeOut.STAND_IN.sub(lambda found: self.blocks[int(found[1])], text)


def under_mkdocs() -> None:
    """Hand every page to the build in progress, and the menu with them."""
    import mkdocs_gen_files
    from mkdocs.plugins import BasePlugin
    from mkdocs_gen_files.plugin import PluginError

    forget_edited_modules()
    from bench.report.pages import build, menu
    from bench.report.prose.source import PageError

    class Drawings(BasePlugin):
        """Puts drawings into finished pages, since they take the longest; meanwhile the pages are rendered."""

        def on_post_page(self, output: str, **_: Any) -> str:
            return begun.drawn(output)

        def on_post_build(self, **_: Any) -> None:
            if not same:  # a preview keeps its first build: to keep all pages takes longer than to make those edited
                begun.finish()

    editor = mkdocs_gen_files.FilesEditor.current()
    docs = Path(editor.config["docs_dir"])
    try:
        about = editor.config["site_description"] or ""
        begun = build.begin(
            docs,
            results_folder(),
            address=public(editor.config["site_url"]),
            summary=about,
            repository=editor.config["repo_url"] or "",
            keep=ROOT / ".cache" / "kept",
        )
    except PageError as error:
        raise PluginError(str(error)) from error  # MkDocs shows the message without a traceback and stops
    built = begun.pages
    editor.config["plugins"]["drawings"] = Drawings()
    if editor.config["nav"] is None:
        editor.config["nav"] = menu.navigation(built)
    same = unchanged(built, frame_of(editor.config["nav"], docs))
    if not same:
        gc.freeze()  # the records stay; else the collector walks through them while pages are rendered
    for path, content in built.items():
        with mkdocs_gen_files.open(path, "wb") as file:
            file.write(as_bytes(content))
        if path in same:
            os.utime(file.name, (0, 0))  # older than what was made of it
    extensions: list[Any] = editor.config["markdown_extensions"]
    extensions.append(WholeBlocks())


def to_folder(out: Path, sources: Path, results: Path) -> None:
    """Write a whole project: docs/ with every page and the files of the sources that are no pages, and mkdocs.yml.

    What only MkDocs does is left out of the settings, and the theme's overrides, which ask for a filter of a hook.
    Evidence is left out of the search, whose index takes no page that long.
    """
    from mkdocs.utils.yaml import yaml_load

    from bench.report.pages import build, menu

    docs = out / "docs"
    for path in sources.rglob("*"):
        relative = path.relative_to(sources)
        hidden = any(part.startswith(("_", ".")) for part in relative.parts)
        if path.is_file() and path.suffix != ".md" and not hidden:
            (docs / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, docs / relative)
    pages = build.build(sources, results)
    for path, content in pages.items():
        target = docs / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_bytes(content))
    (docs / "evidence" / ".meta.yml").write_text("search: {exclude: true}\n", encoding="utf-8")
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
    given = parser.parse_args(arguments)
    to_folder(given.out, given.docs, given.results)


# gen-files runs this file under the name "<run_path>"; imported by a test it does nothing.
if __name__ == "__main__":
    main(sys.argv[1:])
elif __name__ == "<run_path>":
    under_mkdocs()
