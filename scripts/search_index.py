"""MkDocs hook: the search index, written by Pagefind after the site. Reads the pages and docs/_search.toml.

``mkdocs serve`` writes none, so that an edit shows at once; the search box then says so.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from html import escape
from pathlib import Path
from typing import Any

# Folders whose pages are found, with their heading among the results and what their score is multiplied by; evidence,
# data and the pages for contributors are left out.
KINDS = {
    "faq": ("Answers", 1.0),
    "misconceptions": ("Beliefs", 0.75),
    "guides": ("Guides", 0.95),
    "method": ("Method", 0.6),
    "notebooks": ("Notebooks", 0.7),
    "gpus": ("Graphics cards", 0.9),
    "machines": ("Machines", 0.6),
    "workloads": ("Models", 0.6),
}
TITLE, ASKED, ANSWER, TEXT = 10.0, 8.0, 3.0, 0.5  # weights; Pagefind takes up to 10
NOT_READ = re.compile(
    r"<(svg|script|style|table|figure|form)\b.*?</\1>|<(ul|div) class=\"(?:answers|provenance|yours)\".*?</\2>", re.S
)
AT_A_GLANCE = re.compile(r"<figure class=\"chart glance\".*?</figure>", re.S)  # an answer's own small table
TAG = re.compile(r"<[^>]+>")
WORD = re.compile(r"[a-z][a-z0-9]{3,}")

_serving = False
_found: dict[str, str] = {}  # address below the site's root -> what is indexed of the page
_vocabulary: set[str] = set()


def on_startup(*, command: str, **_: Any) -> None:
    """Remember whether this is a build or a preview."""
    global _serving
    _serving = command == "serve"


def on_pre_build(**_: Any) -> None:
    """Forget the pages of an earlier build in this process."""
    _found.clear()
    _vocabulary.clear()


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Keep what the search reads of a page; the page itself stays as it is."""
    kind = page.file.src_uri.partition("/")[0]
    if not _serving and kind in KINDS:
        _found[page.url] = indexed(kind, page.meta, page.title, html)
    return html


def indexed(kind: str, meta: dict[str, Any], title: str, html: str) -> str:
    """A page as Pagefind reads it: title, other wordings, answer and text, each with its weight.

    Args:
        kind: folder of the page, one of ``KINDS``.
        meta: its front matter; ``asks`` has other wordings, ``answer`` or ``description`` the answer.
        title: where the front matter has none.
        html: body of the page.
    """
    heading, weight = KINDS[kind]
    title = str(meta.get("title") or title)
    asked = meta.get("asks") or []
    asked = [escape(str(one)) for one in ([asked] if isinstance(asked, str) else asked)]
    if kind == "gpus" and " " in title:
        asked.append(title.partition(" ")[2])  # people leave "GeForce" and "Tesla" out
    answer = str(meta.get("answer") or meta.get("description") or "")
    _vocabulary.update(WORD.findall(TAG.sub(" ", " ".join([title, *asked, answer]).lower())))
    text = TAG.sub(" ", " ".join([*AT_A_GLANCE.findall(html), NOT_READ.sub(" ", html)]))
    parts = ((title, TITLE), (". ".join(asked), ASKED), (answer, ANSWER), (text, TEXT))
    body = "".join(f'<p data-pagefind-weight="{share:g}">{part}</p>' for part, share in parts if part)
    shown = {
        "title": title,
        "answer": re.split(r"(?<=[.!?]) (?=[A-Z])", answer, maxsplit=1)[0],
        "wordings": "; ".join([title, *asked]),
        "kind": heading,
        "weight": weight,
    }
    head = "".join(f'<b data-pagefind-meta="{name}">{value}</b>' for name, value in shown.items())
    return f'<html lang="en"><body data-pagefind-body><div data-pagefind-ignore>{head}</div>{body}</body></html>'


def on_post_build(*, config: Any, **_: Any) -> None:
    """Write the index below the site, and the words that the search box needs beside it."""
    if not _found:
        return
    out = Path(config["site_dir"]) / "pagefind"
    write(out)
    words = tomllib.loads((Path(config["docs_dir"]) / "_search.toml").read_text(encoding="utf-8"))
    words["vocabulary"] = sorted(_vocabulary)
    (out / "words.json").write_text(json.dumps(words, separators=(",", ":")), encoding="utf-8")


def write(out: Path) -> None:
    """Have Pagefind write the pages found to a folder, without the user interfaces that it brings.

    Its command, not its Python client: the client waits a tenth of a second for every page, and ends the process
    before the last file is on disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        for address, page in _found.items():
            file = Path(folder) / address / "index.html"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(page, encoding="utf-8")
        options = ["--site", folder, "--output-path", str(out), "--force-language", "en", "--quiet"]
        subprocess.run([sys.executable, "-m", "pagefind", *options], check=True)
    for file in out.glob("pagefind-*"):
        if file.suffix in (".js", ".css") and file.stem != "pagefind-worker":
            file.unlink()
