"""Parts of a build: each is made again only where something that it asked for has changed since the last build."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from bench.report.charts.chart import Drawing
from bench.report.evidence.cells import CellRef
from bench.report.facts.fact import Fact
from bench.report.prose.source import Source
from bench.report.published.figures import Figure
from bench.report.stats import reads

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Used:
    """What the pages referred to while they were rendered."""

    facts: dict[str, Fact] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    groups: dict[str, tuple[list[str], tuple[CellRef, ...]]] = field(default_factory=dict)
    drawings: dict[str, Drawing] = field(default_factory=dict)

    def add(self, other: Used) -> None:
        """Add what another part referred to."""
        self.facts |= other.facts
        self.figures |= other.figures
        self.drawings |= other.drawings
        for anchor, (texts, refs) in other.groups.items():
            shown, _ = self.groups.setdefault(anchor, ([], refs))
            shown += (text for text in texts if text not in shown)


class User(Protocol):
    """A site in the making."""

    used: Used


class Sources(dict[str, Source]):
    """Sources by path, with those that were looked at since somebody emptied ``seen``."""

    def __init__(self, found: Mapping[str, Source]) -> None:
        """Nothing is seen yet."""
        super().__init__(found)
        self.seen: set[str] = set()

    def __getitem__(self, path: str) -> Source:
        """One source."""
        self.seen.add(path)
        return super().__getitem__(path)

    def get(self, path: str, default: Any = None) -> Any:
        """As of a dict."""
        self.seen.add(path)
        return super().get(path, default)

    def values(self) -> Any:
        """All sources, which counts as a look at each."""
        self.seen.update(self)
        return super().values()

    def items(self) -> Any:
        """All sources by path, which counts as a look at each."""
        self.seen.update(self)
        return super().items()


@dataclass(slots=True, kw_only=True)
class Part:
    """What was made, of which sources and records, and what it referred to."""

    given: str
    seen: dict[str, str]  # digest of each source that it looked at
    read: reads.Names  # records, and what follows from whole sessions
    used: Used
    made: Any


class Parts:
    """The parts of one build, taken from the last one where they would come out the same."""

    def __init__(self, sources: Sources, before: Mapping[str, Part], changed: Set[str] = frozenset()) -> None:
        """``before`` are those of an earlier build by the same code; of its records these have ``changed``."""
        self.sources = sources
        self.before = before
        self.changed = changed
        self.now: dict[str, Part] = {}
        self._digests = {path: digest(source.text) for path, source in dict.items(sources)}

    def part(self, site: User, make: Callable[[], T], name: str, *given: object) -> T:
        """What ``make`` returns.

        Args:
            site: what it is made from; its ``used`` is added to.
            make: looks at sources, if at any, through ``sources``.
            name: tells the part from others.
            given: all that it is made of beside the code and the records and sources that it looks at.
        """
        known, asked = self.before.get(name), digest(repr(given))
        if known is None or known.given != asked or not self._is_current(known):
            known = self._made(site, make, asked)
        self.now[name] = known
        reads.add(known.read)
        site.used.add(known.used)
        made: T = known.made
        return made

    def _is_current(self, part: Part) -> bool:
        return part.read.isdisjoint(self.changed) and all(
            self._digests.get(path) == seen for path, seen in part.seen.items()
        )

    def _made(self, site: User, make: Callable[[], Any], given: str) -> Part:
        whole, site.used = site.used, Used()
        self.sources.seen.clear()
        try:
            made, read = reads.collected(make)
            seen = {path: self._digests.get(path, "") for path in self.sources.seen}
            return Part(given=given, seen=seen, read=read, used=site.used, made=made)
        finally:
            site.used = whole


def digest(text: str) -> str:
    """Tells one text from another."""
    return hashlib.sha256(text.encode()).hexdigest()
