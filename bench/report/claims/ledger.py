"""The claims of the two articles with their verdicts. Pure: evidence and published rows in, entries out.

Nothing here is typed by hand: a claim says in bench/published/claims.yaml what settles it, and this module works it
out. Opinions are not measurable; what is outdated cites what replaced it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, get_args

import msgspec

from bench.report.claims import beliefs as claims_beliefs
from bench.report.claims import case as claims_case
from bench.report.claims import rule as claims_rule
from bench.report.claims import units as claims_units
from bench.report.claims.case import Case, Part
from bench.report.claims.check_rule import Offers, shape_problems, unknown
from bench.report.claims.units import LedgerError
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.published import figures as published
from bench.report.published.figures import Claim, ClaimRule, Named, Sum, Word
from bench.report.stats import format as fmt

WORDS: tuple[Word, ...] = get_args(Word)
Basis = Literal["our records", "published figures", "estimates", "the article's own numbers", "none"]
RESTS_ON: Mapping[claims_case.Basis, Basis] = {
    "records": "our records",
    "published": "published figures",
    "estimates": "estimates",
}

# Five years without a release are several generations of Python, CUDA and GPUs.
DORMANT_YEARS = 5.0
DAYS_PER_YEAR = 365.25

OPEN: Word = "not measured yet"
UNDECIDED = "Neither our records nor the published figures in our list decide this yet."
# A claim of two halves is as good as the weaker one, and open while one of them is.
WEAKEST_FIRST: tuple[Word, ...] = (OPEN, "refuted", "outdated", "depends", "confirmed", "not measurable")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, its verdict, and the words and numbers that led to it."""

    claim: Claim
    word: Word
    basis: Basis
    parts: tuple[Part, ...]
    rule: str

    @property
    def sentence(self) -> str:
        """Why the verdict is what it is, as plain text."""
        return "".join(part.text for part in self.parts)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an article names, and how things stand with it."""

    named: Named
    word: str
    parts: tuple[Part, ...]


def items(evidence: Evidence, beliefs: claims_beliefs.Beliefs) -> tuple[Item, ...]:
    """Every claim with its verdict, in the order of the articles.

    Raises:
        LedgerError: a rule names what does not exist, or cannot be worked out.
    """
    claims = published.claims()
    numbers = {f"{claim.id}.{name}": value for claim in claims for name, value in claim.numbers.items()}
    return tuple(_item(claim, numbers, evidence, beliefs) for claim in claims)


def states(evidence: Evidence) -> tuple[State, ...]:
    """Everything the articles name, with its state."""
    return tuple(_state(entry, evidence) for entry in published.named())


def counts(found: Iterable[Item]) -> dict[Word, int]:
    """How many claims have each verdict, in the order of the words."""
    words = [item.word for item in found]
    return {word: words.count(word) for word in WORDS}


def problems(beliefs: claims_beliefs.Beliefs, offers: Offers) -> Iterator[tuple[str, int, str]]:
    """File, line and words, with what to do, of everything wrong with the claims' rules."""
    for claim_id, given in published.rules().items():
        found = list(shape_problems(given, ClaimRule))
        if not found:
            rule = msgspec.convert(given, ClaimRule)
            rows = [*rule.rows, *rule.ages, *(row for pair in rule.quotients for row in pair)]
            found += [("facts", unknown("fact", name, offers.facts)) for name in rule.facts if name not in offers.facts]
            found += [
                ("rows", unknown("published row", row, offers.figures)) for row in rows if row not in offers.figures
            ]
            if rule.decided_by and rule.decided_by not in beliefs:
                found.append(("decided_by", unknown("belief", rule.decided_by, beliefs)))
        file, _, line = published.place_of(claim_id).rpartition(":")
        yield from ((file, int(line), f"claim {claim_id!r}: rule.{key}: {told}") for key, told in found)


def _item(claim: Claim, numbers: dict[str, float], evidence: Evidence, beliefs: claims_beliefs.Beliefs) -> Item:
    rule = claim.rule
    if claim.kind == "opinion":
        if rule is not None:
            at = published.place_of(claim.id)
            raise LedgerError(f"{at}: claim {claim.id!r} is an opinion and has a rule; remove one of the two")
        text = "An opinion, a definition or an anecdote: no number would settle it."
        return Item(claim=claim, word="not measurable", basis="none", parts=(Part(text),), rule="")
    if claim.kind == "outdated" and rule is None:
        if not claim.evidence:
            at = published.place_of(claim.id)
            told = "is outdated and cites nothing that replaced it; add a row to its evidence"
            raise LedgerError(f"{at}: claim {claim.id!r} {told}")
        parts = (Part("What holds today: "), *_joined(_statement(row) for row in claim.evidence), Part("."))
        text = "Outdated where a cited source says that something else holds today."
        return Item(claim=claim, word="outdated", basis="published figures", parts=parts, rule=text)
    if rule is None:
        return Item(claim=claim, word=OPEN, basis="none", parts=(Part(UNDECIDED),), rule="")
    try:
        has_cases = any((rule.facts, rule.rows, rule.quotients, rule.sums, rule.ages))
        if rule.decided_by and has_cases:
            first = _from_belief(claim, msgspec.structs.replace(rule, reason=""), evidence, beliefs)
            return _both(claim, first, _from_cases(claim, rule, numbers, evidence))
        if rule.decided_by:
            return _from_belief(claim, rule, evidence, beliefs)
        return _from_cases(claim, rule, numbers, evidence) if has_cases else _without_evidence(claim, rule)
    except (LookupError, ValueError) as error:
        why = error.args[0] if error.args else error
        raise LedgerError(f"{published.place_of(claim.id)}: claim {claim.id!r}: {why}; correct its rule") from error


def _from_belief(claim: Claim, rule: ClaimRule, evidence: Evidence, beliefs: claims_beliefs.Beliefs) -> Item:
    found = claims_beliefs.lookup(rule.decided_by, beliefs, evidence)
    agrees = {"true": rule.says, "false": not rule.says}.get(found.outcome)
    word: Word = "depends" if found.outcome == "depends" else "not measured yet"
    if agrees is not None:
        word = rule.holds if agrees else rule.fails
    said = "says so, too" if rule.says else "says the opposite"
    text = f'The belief "{found.belief}" is judged by its own rule; the claim {said}. {rule.reason}'.strip()
    if (rule.holds, rule.fails) != ("confirmed", "refuted"):
        text += f" If the two agree, the claim counts as {rule.holds}; if not, as {rule.fails}."
    basis: Basis = RESTS_ON[found.basis]
    return Item(claim=claim, word=word, basis=basis, parts=found.counted or found.parts, rule=text)


def _both(claim: Claim, first: Item, second: Item) -> Item:
    """The verdict on a claim of two halves, from those on each."""
    word = min((first.word, second.word), key=WEAKEST_FIRST.index)
    bases = {half.basis for half in (first, second) if word != OPEN or half.word == OPEN}
    parts = (Part(f"One half, {first.word}: "), *first.parts, Part(f" The other half, {second.word}: "), *second.parts)
    rule = (
        "Two halves: both must be decided, and the claim is as good as the weaker one. "
        f"One half: {first.rule} The other half: {second.rule}"
    )
    basis: Basis = bases.pop() if len(bases) == 1 else "published figures"
    return Item(claim=claim, word=word, basis=basis, parts=parts, rule=rule)


def _without_evidence(claim: Claim, rule: ClaimRule) -> Item:
    """A claim that waits for rows or records: its rule says which, and why those in our list do not decide."""
    if not rule.reason:
        raise LedgerError("the rule names no evidence and does not say why")
    text = "No rule until a record or a published figure bears on the claim itself."
    return Item(claim=claim, word=OPEN, basis="none", parts=(Part(f"{UNDECIDED} {rule.reason}"),), rule=text)


def _from_cases(claim: Claim, rule: ClaimRule, numbers: dict[str, float], evidence: Evidence) -> Item:
    unit = claims_units.unit(claim, rule)
    found = _cases(rule, numbers, evidence, unit)
    if rule.begins:
        test = claims_rule.Test(at_least=1.0)
    else:
        test = claims_rule.Test(at_least=_limit(rule.at_least, numbers), at_most=_limit(rule.at_most, numbers))
        if test.at_least is None and test.at_most is None:
            raise LedgerError("the rule has no threshold")
    shown_test, measure = test.words(_shower(rule, evidence, unit)), _measure(rule)
    basis: Basis = "our records" if rule.facts else "the article's own numbers" if rule.sums else "published figures"
    if rule.sums and rule.rows:
        basis = "published figures"
    kind: claims_case.Basis = "records" if rule.facts else "published"
    if any(case.is_estimated for case in found):
        basis = kind = "estimates"
    elif rule.facts and any(case.part.is_published for case in found):
        basis, kind = "published figures", "published"
    outcome = claims_rule.decide(found, test, rule.needs)
    text = claims_rule.rule_text(measure, rule.needs, shown_test, rule.reason, basis=kind)
    if rule.begins:
        text = f'Goes by whether the source\'s statement begins with "{rule.begins}". {rule.reason}'
    if (rule.holds, rule.fails) != ("confirmed", "refuted"):
        text = f"{text.strip()} If so, the claim counts as {rule.holds}; if not, as {rule.fails}."
    words: dict[str, Word] = {"true": rule.holds, "false": rule.fails, "depends": "depends"}
    word = words.get(outcome, OPEN)
    if not found:
        parts: Sequence[Part] = (Part("No record decides this yet."),)
    else:
        named = [(Part(f"{case.name}: "), case.part) for case in found]
        parts = (*(piece for n, pair in enumerate(named) for piece in ((Part("; "),) if n else ()) + pair), Part("."))
    return Item(claim=claim, word=word, basis=basis, parts=tuple(parts), rule=text.strip())


def _cases(rule: ClaimRule, numbers: dict[str, float], evidence: Evidence, unit: str) -> list[Case]:
    found = []
    for name in rule.facts:
        fact = lookup.lookup(name, evidence)
        if fact.estimate is not None:
            refs = tuple(evidence.ref(session.records[cell]) for session, cell in fact.cells if fact.figure is None)
            is_estimated, is_published = fact.kind == "estimated", fact.kind == "published"
            part, own = Part(fact.text, refs, is_estimated=is_estimated, is_published=is_published), fact.estimate
            found.append(Case(name=fact.title, value=own.value, low=own.low, high=own.high, part=part))
    for row in rule.rows:
        figure = published.lookup(row)
        text = figure.text
        if rule.begins:
            value = float(figure.value.lower().startswith(rule.begins.lower()))
        else:
            value = float(figure.value) * claims_units.factor(claims_units.unit_of(figure), unit, row)
            if claims_units.unit_of(figure) != unit:
                text += f" = {fmt.number(value, 4)} {unit}"
        found.append(claims_case.published_case(_subject(figure), value, text, figure))
    for over, under in rule.quotients:
        first, second = published.lookup(over), published.lookup(under)
        factor = claims_units.factor(
            claims_units.unit_of(first), claims_units.unit_of(second), over
        ) * claims_units.factor("x", unit, over)
        value = float(first.value) / float(second.value) * factor
        text = f"{first.text} against {second.text}, {fmt.ratio(value)}"
        found.append(claims_case.published_case(_subject(first), value, text, first, second))
    for row in rule.ages:
        figure = published.lookup(row)
        years = (newest_observation() - date.fromisoformat(figure.date)).days / DAYS_PER_YEAR
        text = f"{figure.text}, {fmt.number(years)} years ago"
        found.append(claims_case.published_case(_subject(figure), years, text, figure))
    for entry in rule.sums:
        value = _value(entry, numbers)
        found.append(Case(name=entry.name, value=value, low=value, high=value, part=Part(_shown(entry, numbers))))
    return [case for case in found if not case.is_estimated] or found


def newest_observation() -> date:
    """The day on which somebody last looked at what the package indexes offer: "today" for ages of releases."""
    days = [figure.date for figure in published.figures().values() if figure.evidence == "observed"]
    return max(date.fromisoformat(day) for day in days if len(day) == len("2026-11-21"))


def _state(entry: Named, evidence: Evidence) -> State:
    parts = tuple(_joined(_statement(row) for row in (*([entry.last] if entry.last else []), *entry.evidence)))
    if entry.last:
        figure = published.lookup(entry.last)
        if "archived" in figure.value or "retired" in figure.value:
            return State(named=entry, word="retired", parts=parts)
        if figure.metric in ("latest_version", "latest_documentation"):
            return State(named=entry, word="current", parts=parts)
        years = (newest_observation() - date.fromisoformat(figure.date)).days / DAYS_PER_YEAR
        since = (Part(f"No release for {fmt.number(years)} years; "),)
        return State(named=entry, word="dormant" if years >= DORMANT_YEARS else "current", parts=(*since, *parts))
    records = [
        record
        for session in evidence.sessions
        for record in session.records.values()
        if record.status == "ok" and record.cell.workload in entry.workloads
    ]
    has = [s for s in evidence.sessions if entry.machines and entry.machines in _hardware(s)]
    if records or has:
        return State(named=entry, word="measured here", parts=parts)
    return State(named=entry, word="published figures only", parts=parts)


def _hardware(session: Any) -> str:
    return " ".join((session.machine.cpu_model, *(gpu.name for gpu in session.machine.gpus)))


def _limit(limit: float | Sum | None, numbers: dict[str, float]) -> float | None:
    return _value(limit, numbers) if isinstance(limit, Sum) else limit


def _value(entry: Sum, numbers: dict[str, float]) -> float:
    missing = [name for name in (*entry.over, *entry.under) if name not in numbers]
    if missing:
        raise LedgerError(f"no claim has the number {missing[0]!r}")
    over, under = (math.prod(numbers[name] for name in names) for names in (entry.over, entry.under))
    return over / under


def _shown(entry: Sum, numbers: dict[str, float]) -> str:
    """The arithmetic as it would be written on paper: "380 x 21 / (220 x 135) = 0.269"."""
    over, under = (" x ".join(fmt.number(numbers[n], 6) for n in names) for names in (entry.over, entry.under))
    value = fmt.number(_value(entry, numbers))
    if not entry.under:
        return f"{over} = {value}"
    return f"{over} / ({under}) = {value}" if len(entry.under) > 1 else f"{over} / {under} = {value}"


def _measure(rule: ClaimRule) -> str:
    if rule.facts:
        return "what we measured"
    if rule.sums:
        return "what the article's own numbers give"
    return "the time since then, in years," if rule.ages else "the published figure"


def _shower(rule: ClaimRule, evidence: Evidence, unit: str) -> Any:
    """How the threshold is written: in the unit of what is tested."""
    if rule.facts:
        units = {fact.estimate.unit for name in rule.facts if (fact := lookup.lookup(name, evidence)).estimate}
        if units == {"s"}:
            return fmt.seconds
        if units == {"ratio"} or (not units and all("speedup" in name for name in rule.facts)):
            return fmt.ratio
        shares = units == {"frac"} or (not units and all(name.endswith("-utilisation") for name in rule.facts))
        return fmt.percent if shares else fmt.number
    if rule.sums or unit == "x":
        return fmt.ratio
    return (lambda value: f"{fmt.number(value)} {unit}") if unit else fmt.number


def _subject(figure: published.Figure) -> str:
    return ", ".join(dict.fromkeys(part for part in (figure.subject, figure.hardware) if part))


def _statement(row: str) -> tuple[Part, ...]:
    figure = published.lookup(row)
    source = f"{claims_case.short_source(figure.source)}, {figure.date}"
    what = ", ".join(part for part in (figure.subject, figure.metric.replace("_", " ")) if part)
    return (Part(f"{what}: "), Part(f"{figure.text} ({source})", figures=(row,)))


def _joined(groups: Iterable[tuple[Part, ...]]) -> Iterable[Part]:
    for number, group in enumerate(groups):
        if number:
            yield Part("; ")
        yield from group
