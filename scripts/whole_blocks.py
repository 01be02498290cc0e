"""Markdown that leaves long blocks of finished HTML alone."""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor


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
