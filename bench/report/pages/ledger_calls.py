"""What a source may call about the articles' claims, verdicts that changed, and published ratios beside ours."""

from __future__ import annotations

import functools
from collections.abc import Callable

from markupsafe import Markup

from bench.report import templates
from bench.report.claims import case as claims_case
from bench.report.claims import flipped, ledger
from bench.report.evidence import beside
from bench.report.pages import addresses
from bench.report.pages.cache import CACHE
from bench.report.pages.calls import VERDICT, Voice
from bench.report.pages.markup import MISSING, PARTS
from bench.report.published import comparisons
from bench.report.published import figures as published
from bench.report.stats import format as fmt
from bench.report.templates import join

LEDGER = templates.macros("ledger.html.j2")


def ours_and_theirs(voice: Voice) -> Markup:
    """Published ratios beside ours, pair by pair, and the order of the networks in each source."""
    rows = []
    for pair in beside.pairs(voice.evidence):
        figures = tuple(figure.id for figure in pair.figures)
        words = f"{fmt.ratio(pair.theirs)}, from {pair.figures[0].text} and {pair.figures[1].text}"
        ours, gap, said = MISSING, MISSING, "not measured yet"
        if pair.ours is not None:
            cells = voice.evidence.refs(*pair.ours.records)
            where = "" if pair.is_like else f", on a {fmt.device(pair.ours.records[0].cell.device)}"
            ours = join([voice.number(pair.ours.ratio, cells), where])
            gap = voice.site.number(voice.page, fmt.ratio(pair.ours.ratio.value / pair.theirs), cells)
            said = {"near": "near", "apart": f"apart: theirs is from {pair.source.why}"}.get(
                pair.place, "neither near nor apart: our interval crosses the limit"
            )
        device = f"{fmt.MODE_NAMES[pair.source.mode]}, {fmt.device(pair.source.device)}"
        name = voice.evidence.title(pair.network).partition(",")[0]
        theirs = voice.part(claims_case.Part(words, figures=figures))
        rows.append((f"{name}, {device}", pair.source.name, theirs, ours, gap, said))
    columns = ("Network", "Source", "Theirs, times ResNet-50", "Ours", "Ours over theirs", "Near or apart")
    return join([PARTS.table(columns, rows, label="Ours and theirs"), Markup("\n\n"), _orders(voice)])


def agreement(voice: Voice) -> Markup:
    """How many of the published ratios that can be compared lie near ours: "5 of 8"."""
    found = [(pair, pair.ours) for pair in beside.pairs(voice.evidence)]
    measured = [(pair, mine) for pair, mine in found if mine is not None]
    if not measured:
        return MISSING
    n_near = sum(pair.place == "near" for pair, _ in measured)
    cells = dict.fromkeys(ref for _, mine in measured for ref in voice.evidence.refs(*mine.records))
    return voice.site.number(voice.page, f"{n_near} of {len(measured)}", tuple(cells))


def _orders(voice: Voice) -> Markup:
    """The networks from fast to slow, by source, and whether ours come in the same order."""
    rows = []
    for source in comparisons.comparisons().sources:
        theirs, mine = beside.orders(voice.evidence, source)
        names = [[voice.evidence.title(name).partition(",")[0] for name in found] for found in (theirs, mine or ())]
        same = "not measured yet" if mine is None else "the same" if mine == theirs else "another"
        rows.append((source.name, ", ".join(names[0]), ", ".join(names[1]) or MISSING, same))
    return PARTS.table(("Source", "Theirs, fastest first", "Ours", "Order"), rows, label="Order of the networks")


def flips(voice: Voice) -> Markup:
    """Verdicts that a newer session changed, newest first."""

    def keep(name: str, judge: Callable[[], claims_case.Verdict]) -> claims_case.Verdict:
        return CACHE.keep(voice.evidence, voice.site.of_beliefs(name), judge, across=True)

    make = functools.partial(flipped.flips, voice.evidence, voice.site.beliefs, keep)
    found = CACHE.keep(voice.evidence, voice.site.of_beliefs("flips"), make, slow=True)
    published_ones = [session for session in voice.evidence.sessions if not session.is_local]
    if not found:
        n = min(len(published_ones), flipped.MOST_SESSIONS)
        compared = f"{fmt.count(n)} sessions were compared" if n > 1 else "there is only one session so far"
        return PARTS.paragraph(f"No verdict has changed yet: {compared}.")
    paths = {str(source.meta.get("id")): path for path, source in voice.site.sources.items()}
    rows = []
    for flip in found:
        path = paths.get(flip.after.id)
        slug, belief = addresses.machine_slug(flip.session), flip.after.belief
        machine = PARTS.link(addresses.href(voice.page, f"machines/{slug}.md"), slug)
        rows.append(
            (
                PARTS.link(addresses.href(voice.page, path), belief) if path else belief,
                *(VERDICT.flip(PARTS.badge(one.outcome), voice.sentence(one)) for one in (flip.before, flip.after)),
                flip.cause,
                join([machine, f", {flip.session.session.id}"]),
            )
        )
    return PARTS.table(("Belief", "Before", "After", "What was new", "Session"), rows, label="What flipped")


def article_titles(voice: Voice) -> Markup:
    """The two articles' titles, quoted."""
    return join((f"“{article.title}”" for article in published.articles().values()), " and ")


def claims_table(voice: Voice) -> Markup:
    """Every claim of the articles with its verdict, and the numbers of each verdict above them."""
    found = voice.site.claims()
    counts = LEDGER.counts(list(ledger.counts(found).items()))
    return LEDGER.claims(counts, [_claim(voice, item) for item in found])


def _claim(voice: Voice, item: ledger.Item) -> Markup:
    claim = item.claim
    resting = "" if item.basis == "none" else f", resting on {item.basis}"
    return LEDGER.claim(
        item,
        where=f"Article {claim.article.upper()}, {claim.section.lower()}{resting}",
        address=addresses.href(voice.page, claim.page),
        title=_title(voice, claim.page),
        sentence=voice.sentence(item),
        figures=[(published.lookup(row).what, voice.published(row)) for row in claim.evidence],
    )


def named_table(voice: Voice) -> Markup:
    """Everything the articles name, and how things stand with it."""
    items = []
    for state in voice.site.named():
        entry = state.named
        where = {"": "in neither article", "ab": "in both articles"}.get(
            entry.articles, f"in article {entry.articles.upper()}"
        )
        items.append(
            {
                "id": entry.id,
                "word": state.word,
                "name": entry.name,
                "what": entry.type.capitalize(),
                "where": where,
                "address": addresses.href(voice.page, entry.page),
                "title": _title(voice, entry.page),
                "sentence": voice.sentence(state),
            }
        )
    return LEDGER.named(items)


def _title(voice: Voice, page: str) -> str:
    source = voice.site.sources.get(page)
    return str(source.meta.get("title", page)) if source else page


CALLS: dict[str, Callable[[Voice], Markup]] = {
    call.__name__: call for call in (claims_table, named_table, article_titles, flips, ours_and_theirs, agreement)
}
