"""A page's own figure: a few numbers of one kind as bars, each of the kind it is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from bench.report import templates
from bench.report.claims import sentence, units
from bench.report.claims.beliefs import Belief
from bench.report.claims.case import Decided, Verdict
from bench.report.claims.rule import SHOWN, WORDED
from bench.report.facts.fact import Fact
from bench.report.pages import plain, whose
from bench.report.prose.bars import PLACEHOLDER, PUBLISHED, Spec, spec_of
from bench.report.prose.source import PageError
from bench.report.published import figures as published
from bench.report.published import said
from bench.report.stats import format as fmt
from bench.report.stats import spoken
from bench.report.templates import inert, join

if TYPE_CHECKING:
    from bench.report.pages.calls import Voice

BARS = templates.macros("bars.html.j2")
ABOUT_EQUAL = 1.1  # ends whose quotient is below it are called equal
MOST_CASES = 10
MOST_LINEAR = 60  # from this quotient of the ends on, the scale is logarithmic
ASIDE = re.compile(r" \([^()]*\)|, batch \d+ (?:on both|against \d+)$")  # a size; batches of a card and a CPU
PARTS_OF_A_NAME = re.compile(r", (?![^()]*\))")
KINDS = {"measured": "measured here", "published": "published elsewhere", "estimated": "estimated"}
FACTORS = {"TFLOP/s": 1e12, "GFLOP/s": 1e9, "TB/s": 1e12, "GB/s": 1e9, "MB/s": 1e6, "%": 0.01, "million": 1e6}
RATES = ("img/s", "images/s", "FPS", "fps", "samples/s", "seq/s", "tokens/s", "words/s")
BYTES_PER_S = ("TB/s", "GB/s", "MB/s")
UNITS = {"x": "ratio", "%": "frac", "TFLOP/s": "flop_per_s", "GFLOP/s": "flop_per_s", "million": "count"}


class Row(NamedTuple):
    """A bar: where it begins and ends in its unit, and how it is shown."""

    label: str
    low: float
    value: float
    high: float
    unit: str
    kind: str
    device: str
    shown: Markup


def figure(voice: Voice, spec: Spec) -> Markup:
    """The figure; empty where fewer than two of its numbers exist.

    Raises:
        PageError: the numbers are in different units, or one is none.
    """
    rows = [row for label, name in spec.rows.items() if (row := _row(voice, label, name)) is not None]
    if len(rows) < 2:
        return Markup("")
    if len(found := {row.unit for row in rows}) > 1:
        raise PageError(f"bars: the rows are in {' and in '.join(sorted(found))}; show numbers of one unit")
    if spec.sort:
        rows.sort(key=lambda row: -row.value)
    rows, place = _placed_once(rows)
    return _drawn(finding(spec, rows), spec.shows, place, rows)


def cases(voice: Voice, verdict: Verdict, belief: Belief, table: Markup) -> Markup:
    """What a belief counted, each with its range, and where it has to lie; the table where these are no quantities.

    Of more than a few cases those in even steps from the lowest to the highest are drawn.
    """
    found = verdict.cases
    is_drawable = all(0 < case.low <= case.high < math.inf for case in found) and len({*map(_ends, found)}) > 1
    if not is_drawable or belief.unit in WORDED:
        return table
    step = (len(found) - 1) / (MOST_CASES - 1)
    drawn = found if len(found) <= MOST_CASES else [found[round(step * at)] for at in range(MOST_CASES)]
    names, shared = labels(voice, [case.name for case in drawn])
    rows = [
        Row(names[case.name], case.low, case.value, case.high, belief.unit, _kind(case), "", voice.part(case.part))
        for case in reversed(drawn)
    ]
    limits = [end for end in (belief.test.at_least, belief.test.at_most) if end]
    shows = belief.shows or f"Each mark: {belief.measure.rstrip(',')}."
    some = f" All: {shared}." if shared else ""
    some += f" The figure shows {len(drawn)} of the {len(found)}." if len(drawn) < len(found) else ""
    title, shows = (
        "".join(part.text for part in sentence.filled(words, found, voice.evidence))
        for words in (f"{_how_many(found)} {belief.counted}", shows)
    )
    return _drawn(title, f"{shows} {_line(belief)}", some, rows, limits, table)


def _how_many(cases: Sequence[Decided]) -> str:
    """How many cases agree, as a title says it: "3 of 14", "None of the 9", "All 15"."""
    n = sum(case.side == "agrees" for case in cases)
    none, every = ("Neither of the 2", "Both") if len(cases) == 2 else (f"None of the {len(cases)}", f"All {n}")
    return none if not n else every if 1 < n == len(cases) else f"{n} of {len(cases)}"


def _line(belief: Belief) -> str:
    """Which side of the line, or of the two, a belief needs."""
    test = belief.test
    side = "on or right of" if test.at_most is None else "on or left of" if test.at_least is None else "between"
    ends = [end for end in (test.at_least, test.at_most) if end is not None]
    words = [spoken.times(end) if belief.unit == "ratio" else SHOWN[belief.unit](end) for end in ends]
    return f"Marks wholly {side} the line{'s' if len(ends) > 1 else ''}, at {' and '.join(words)}, support the belief."


def _drawn(
    title: str, shows: str, more: str, rows: Sequence[Row], limits: Sequence[float] = (), table: Markup | str = ""
) -> Markup:
    """The figure of rows: ``shows`` says what they are, ``more`` what else there is to say of them."""
    scale = Scale.of(rows, limits)
    rules = limits or [1.0] * (rows[0].unit == "ratio" and scale.foot < 1 < scale.top)
    kinds = [kind for kind in KINDS if kind in {row.kind for row in rows}]
    return BARS.figure(
        title,
        join([shows, scale.words, more]),
        [(row, *map(scale.at, (row.low, row.value, row.high))) for row in rows],
        [(kind, KINDS[kind]) for kind in kinds] if kinds != ["measured"] else [],
        scale.is_log,
        [scale.at(rule) for rule in rules],
        table,
    )


def _placed_once(rows: list[Row]) -> tuple[list[Row], Markup]:
    """Rows that need not say their machine, and a sentence that does, where all measured ones have the same."""
    marks = [mark for row in rows for mark in whose.MARK.findall(row.shown)]
    if len({key for _, key, _ in marks}) != 1:
        return rows, Markup("")
    kind, key, machine = marks[0][0], marks[0][1], Markup(marks[0][2])
    bare = [row._replace(shown=Markup(whose.MARK.sub("", row.shown))) for row in rows]
    words = Markup(" Beside {}{}." if kind == "by" else " Measured on {}{}.")
    return bare, words.format(machine, whose.mark("at", key, machine))


def labels(voice: Voice, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """Names of cases without what all of them share, which is returned apart; machines by the name of their CPU."""
    cpus = {(view := voice.evidence.view(s)).label: view.cpu for s in voice.evidence.sessions}
    known = re.compile(rf"(,?) on ({'|'.join(map(re.escape, cpus))})\b") if cpus else None
    tidy = {one: known.sub(lambda m: f", {cpus[m[2]]}", one) if known else one for one in names}
    parts = {one: PARTS_OF_A_NAME.split(re.sub(r",? on the CPU", "", text)) for one, text in tidy.items()}
    shared = [part for part in parts[names[0]] if all(part in other for other in parts.values())]
    short = {one: ", ".join(part for part in own if part not in shared) or tidy[one] for one, own in parts.items()}
    bare = {one: ASIDE.sub("", text) for one, text in short.items()}
    seen = Counter(bare.values())
    # An aside stays where it tells two rows apart.
    return {one: bare[one] if seen[bare[one]] == 1 else short[one] for one in short}, ", ".join(shared)


def _ends(case: Decided) -> tuple[float, float]:
    return case.low, case.high


def _kind(case: Decided) -> str:
    if case.part.is_estimated:
        return "estimated"
    return "published" if case.part.figures or case.part.is_published else "measured"


def finding(spec: Spec, rows: Sequence[Row]) -> str:
    """The title: what the ends of the figure say, with the labels that the numbers put there."""
    most, least = max(rows, key=lambda row: row.value), min(rows, key=lambda row: row.value)
    low, middle, high = map(_times, (most.low, most.value, most.high), (least.high, least.value, least.low))
    template = spec.same if middle < ABOUT_EQUAL or low <= 1 else spec.says
    is_wide = "estimated" in (most.kind, least.kind) and high > 1.2 * low
    times = f"{_two(low)} to {_two(high)}" if is_wide else _two(middle)
    values = {"most_value": plain.plain(most.shown), "least_value": plain.plain(least.shown)}
    values |= {"most": most.label, "least": least.label, "times": times}
    title = PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
    return title[:1].upper() + title[1:]


def _times(most: float, least: float) -> float:
    """How often the one has the other; of two nothings they are equal."""
    return most / least if least > 0 else math.inf if most > 0 else 1.0


def _two(value: float) -> str:
    return fmt.number(float(f"{value:.2g}"), 2) if math.isfinite(value) else "many"


def _row(voice: Voice, label: str, name: str) -> Row | None:
    if name.startswith(PUBLISHED):
        return _published(voice, label, name.removeprefix(PUBLISHED))
    fact: Fact = voice.site.fact(name)
    if fact.kind == "missing":
        voice.left_out.append(label)
        return None
    if fact.estimate is None:
        raise PageError(f"bars: fact {name!r} is no number; choose another")
    own = fact.estimate
    if not 0 <= own.low <= own.value <= own.high < math.inf:  # such as a quality that some runs never reached
        voice.left_out.append(label)
        return None
    devices = {session.records[cell].cell.device for session, cell in fact.cells}
    device = "gpu" if "gpu" in devices or name.partition("-gpu")[1] else "cpu"
    nouns = {voice.evidence.noun(session.records[cell].cell.workload) for session, cell in fact.cells}
    unit = f"{' and '.join(sorted(nouns))} a second" if own.unit == "samples_per_s" else own.unit
    return Row(label, own.low, own.value, own.high, unit, fact.kind, device, voice.fact(name))


def _published(voice: Voice, label: str, row_id: str) -> Row:
    figure = published.lookup(row_id)
    unit = units.unit_of(figure)
    kind = next((kind for kind in units.KINDS_OF_UNITS if unit in kind), {})
    factor = kind.get(unit, FACTORS.get(unit, 1.0))
    unit = said.UNITS[unit] if unit.endswith(RATES) else said.DOLLARS.get(unit, unit)
    unit = {"s": "s", "GB": "bytes"}.get(next((u for u in ("s", "GB") if u in kind), ""), UNITS.get(unit, unit))
    unit = "bytes_per_s" if unit in BYTES_PER_S else unit
    ends = said.ends(figure.value)
    if ends is None:
        raise PageError(f"bars: published row {row_id!r} is no number: {figure.value!r}; choose another")
    low, high = sorted(end * factor for end in ends)
    return Row(label, low, (low * high) ** 0.5, high, unit, "published", "", voice.published(row_id))


class Scale(NamedTuple):
    """Where a value stands between two ends."""

    foot: float
    top: float
    is_log: bool

    @classmethod
    def of(cls, rows: Sequence[Row], limits: Sequence[float] = ()) -> Scale:
        """From zero, or logarithmic where the ends are far apart or a threshold is drawn."""
        lows, highs = [*(row.low for row in rows), *limits], [*(row.high for row in rows), *limits]
        if min(lows) > 0 and (limits or max(highs) > MOST_LINEAR * min(lows)):
            return cls(min(lows) / 1.15, max(highs) * 1.05, is_log=True)
        return cls(0.0, max(highs) if max(highs) > 0 else 1.0, is_log=False)

    @property
    def words(self) -> str:
        """How to read it, where that is not plain."""
        return " The scale is logarithmic." if self.is_log else ""

    def at(self, value: float) -> float:
        """Percent of the width."""
        if not self.is_log:
            return max(0.0, round(100 * value / self.top, 1))
        return round(100 * math.log(value / self.foot) / math.log(self.top / self.foot), 1)


def call(voice: Voice) -> Markup:
    """``{{ bars() }}`` of a page."""
    spec = spec_of(voice.site.sources[voice.page].meta)
    if spec is None:
        raise PageError("bars() without 'bars' in the front matter; write it there")
    return figure(voice, spec)


def titled(voice: Voice, title: str = "", caller: object = None) -> Markup:
    """``{% call figure("finding") %} ... {% endcall %}``: a small table or list as the page's figure.

    Raises:
        PageError: it has no finding, or nothing below it.
    """
    content = str(caller()) if callable(caller) else ""
    if not title or not content.strip():
        raise PageError('write {% call figure("finding") %}, a small table or list, and {% endcall %}')
    return BARS.titled(inert(title), Markup(content))  # the page's own Markdown and what its calls returned
