"""Pictures of an answer for link previews: question and short answer as an SVG of 1200 x 630. Pure: words in, text out.

SVG has no line breaking and nothing here knows the font that will draw it, so widths are estimates on the wide side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.report import templates

WIDTH_PX, HEIGHT_PX = 1200, 630
FONTS = "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif"
MARGIN_PX = 72
LINE_EM = 1.25
TITLE_SIZES_PX = (64, 56, 48, 42)
ANSWER_SIZES_PX = (40, 36, 32, 28)
MOST_TITLE_LINES = 3
ANSWER_BOTTOM_PX = 530
INK, SOFT, PAPER, CPU, GPU = "#17202c", "#4c596b", "#ffffff", "#2a72d8", "#d4600c"
# Width of a character in units of the font's size; of a bold one a twelfth more.
NARROW, WIDE, CAPITAL, OTHER = 0.34, 0.92, 0.74, 0.58
BOLD = 1.08


class Block(NamedTuple):
    """Text broken into lines that fit, and the size that made them fit."""

    lines: tuple[str, ...]
    size_px: int

    @property
    def height_px(self) -> float:
        """From the top of the first line to the bottom of the last."""
        return len(self.lines) * self.size_px * LINE_EM


def width_px(text: str, size_px: float, *, bold: bool = False) -> float:
    """Estimated width of a line of text in pixels."""
    kinds = (
        NARROW if c in " .,:;!|'`ijlIft()[]-" else WIDE if c in "mwMW@%" else CAPITAL if c.isupper() else OTHER
        for c in text
    )
    return size_px * sum(kinds) * (BOLD if bold else 1)


def wrap(text: str, size_px: int, limit_px: float, *, bold: bool = False) -> tuple[str, ...]:
    """Lines of whole words no wider than the limit; a single word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_px(longer, size_px, bold=bold) <= limit_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def fit(text: str, sizes_px: Sequence[int], height_px: float, *, bold: bool = False) -> Block:
    """Text at the largest size at which it fits; at the smallest one it is cut between words, with an ellipsis."""
    limit_px = WIDTH_PX - 2 * MARGIN_PX
    for size_px in sizes_px:
        block = Block(wrap(text, size_px, limit_px, bold=bold), size_px)
        if block.height_px <= height_px:
            return block
    size_px = sizes_px[-1]
    n_lines = max(1, int(height_px / (size_px * LINE_EM)))
    words = text.split()
    while words:
        words.pop()
        lines = wrap(" ".join(words).rstrip(",;:.") + " …", size_px, limit_px, bold=bold)
        if len(lines) <= n_lines:
            break
    return Block(lines, size_px)


def svg(question: str, answer: str, site: str) -> str:
    """A card: the question above, its short answer below, the site's name at the foot."""
    title = fit(question, TITLE_SIZES_PX, MOST_TITLE_LINES * TITLE_SIZES_PX[-1] * LINE_EM, bold=True)
    top_px = MARGIN_PX + 10
    middle_px = top_px + title.height_px + 26
    words = fit(answer, ANSWER_SIZES_PX, ANSWER_BOTTOM_PX - middle_px)
    return templates.macros("card.svg.j2").card(
        width=WIDTH_PX,
        height=HEIGHT_PX,
        fonts=FONTS,
        colours={"ink": INK, "soft": SOFT, "paper": PAPER, "cpu": CPU, "gpu": GPU},
        texts=[
            (_lines(title, top_px), title.size_px, "bold", INK),
            (_lines(words, middle_px), words.size_px, "normal", SOFT),
        ],
        margin=MARGIN_PX,
        foot=HEIGHT_PX - 44,
        site=site,
    )


def _lines(block: Block, top_px: float) -> list[tuple[str, str]]:
    """Each line with the place of its base line."""
    return [(line, f"{top_px + block.size_px * (LINE_EM * number + 1):.0f}") for number, line in enumerate(block.lines)]
