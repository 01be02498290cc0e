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
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def results_folder() -> Path:
    """Records to build from; SITE_RESULTS points tests and previews at other ones."""
    return Path(os.environ.get("SITE_RESULTS") or ROOT / "bench" / "results")


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


def under_mkdocs() -> None:
    """Hand every page to the build in progress, and the menu with them."""
    import mkdocs_gen_files
    from mkdocs.plugins import BasePlugin
    from mkdocs_gen_files.plugin import PluginError

    from scripts import whole_blocks

    forget_edited_modules()
    from bench.report.pages import addresses, build, menu
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
        begun = build.begin(
            docs,
            results_folder(),
            address=addresses.public(editor.config["site_url"]),
            summary=editor.config["site_description"] or "",
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
    editor.config["markdown_extensions"].append(whole_blocks.WholeBlocks())  # type: ignore[arg-type]  # or its name


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


# gen-files runs this file under the name "<run_path>"; imported by a test it does nothing.
if __name__ == "__main__":
    main(sys.argv[1:])
elif __name__ == "<run_path>":
    under_mkdocs()
