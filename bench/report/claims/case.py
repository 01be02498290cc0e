"""Cases and verdicts: what a rule is decided on, and what comes out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from bench.report.stats import format as fmt
from bench.report.stats import spoken
from bench.report.stats.estimate import Estimate

if TYPE_CHECKING:
    from bench.report.evidence.cells import CellRef
    from bench.report.published.figures import Figure

Outcome = Literal["true", "false", "depends", "not measured"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
Basis = Literal["records", "published", "estimates"]
Side = Literal["agrees", "disagrees", "open"]


class Part(msgspec.Struct, frozen=True):
    """A piece of a sentence; ``cells`` is not empty when it shows a measured number, ``figures`` for published ones."""

    text: str
    cells: tuple[CellRef, ...] = ()
    figures: tuple[str, ...] = ()  # row ids of bench/published/
    fact: str = ""  # id of the fact that it is, where it is one
    is_place: bool = False  # of a fact, not its number but its machine
    with_place: bool = False  # or both
    short: str = ""  # a number as a sentence says it, without interval and source
    is_estimated: bool = False  # by the formula; ``cells`` then holds the measured side of a ratio
    is_published: bool = False  # a figure of others that is no row of bench/published/ by itself; the text names them


class Decided(msgspec.Struct, frozen=True):
    """A case of a verdict, and the side on which it counts."""

    name: str
    part: Part
    side: Side
    low: float = 0.0
    value: float = 0.0
    high: float = 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A belief, what the records or the published figures say about it, and the rule that decided."""

    id: str
    belief: str
    outcome: Outcome
    parts: tuple[Part, ...]
    rule: str
    counted: tuple[Part, ...] = ()  # how many cases agree and which stand at the ends, where ``parts`` do not say it
    basis: Basis = "records"
    compares_devices: bool = False  # whether the rule sets a GPU against a CPU
    cases: tuple[Decided, ...] = ()  # what a rule over many cases counted, lowest first

    @property
    def sentence(self) -> str:
        """The answer as plain text, numbers included."""
        return "".join(part.text for part in self.parts)

    @property
    def tally(self) -> str:
        """How many cases agree, and the ends, as plain text; of a verdict without cases its sentence."""
        return "".join(part.text for part in self.counted or self.parts)

    @property
    def numbers(self) -> tuple[Part, ...]:
        """The parts that show numbers, of the sentence and of the tally."""
        return tuple(part for part in (*self.parts, *self.counted) if part.cells or part.figures)

    @property
    def cells(self) -> tuple[CellRef, ...]:
        """Every cell the verdict rests on, without repeats."""
        return tuple(dict.fromkeys(cell for part in self.numbers for cell in part.cells))

    @property
    def figures(self) -> tuple[str, ...]:
        """Every published row the verdict rests on, without repeats."""
        return tuple(dict.fromkeys(row for part in self.numbers for row in part.figures))


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One number with its interval; low and high equal the value where the source gives none."""

    name: str
    value: float
    low: float
    high: float
    part: Part  # the number as it is shown, with its evidence

    @property
    def is_estimated(self) -> bool:
        """Whether it was estimated; such a case never counts beside a measured one."""
        return self.part.is_estimated


def case_of(name: str, estimate: Estimate, refs: tuple[CellRef, ...], noun: str = "samples") -> Case:
    """A measured case."""
    part = Part(fmt.interval(estimate, noun), refs, short=spoken.middle(estimate, noun))
    return Case(name=name, value=estimate.value, low=estimate.low, high=estimate.high, part=part)


def published_case(name: str, value: float, text: str, *figures: Figure, short: str = "") -> Case:
    """A case made of published figures; the text names the number and nothing else, ``short`` as a sentence says it."""
    sources = "; ".join(dict.fromkeys(f"{short_source(figure.source)}, {figure.date}" for figure in figures))
    ids = tuple(figure.id for figure in figures)
    part = Part(f"{text} ({sources})", figures=ids, short=short or text)
    return Case(name=name, value=value, low=value, high=value, part=part)


def short_source(source: str) -> str:
    """A source's name without its remarks."""
    return re.split(r" \(|[;,] ", source)[0][:60]
