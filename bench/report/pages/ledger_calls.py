"""What a source may call about the articles' claims, verdicts that changed, and published ratios beside ours."""

from __future__ import annotations

import functools
from collections.abc import Callable

from bench.report.claims import case as claims_case
from bench.report.claims import flipped, ledger
from bench.report.evidence import beside
from bench.report.pages import addresses, cache, markup
from bench.report.pages.calls import Voice
from bench.report.pages.markup import MISSING, e
from bench.report.published import figures as published
from bench.report.stats import format as fmt


def calls(voice: Voice) -> dict[str, Callable[..., str]]:
    """The names available in a source, for the page of that voice."""
    known = (claims_table, named_table, article_titles, flips, ours_and_theirs, agreement)
    return {call.__name__: functools.partial(call, voice) for call in known}


def ours_and_theirs(voice: Voice) -> str:
    """Published ratios beside ours, pair by pair, and the order of the networks in each source."""
    rows = []
    for pair in beside.pairs(voice.evidence):
        figures = tuple(figure.id for figure in pair.figures)
        words = f"{fmt.ratio(pair.theirs)}, from {pair.figures[0].text} and {pair.figures[1].text}"
        ours, gap, said = MISSING, MISSING, "not measured yet"
        if pair.ours is not None:
            cells = voice.evidence.refs(*pair.ours.records)
            where = "" if pair.is_like else f", on a {fmt.device(pair.ours.records[0].cell.device)}"
            ours = voice.number(pair.ours.ratio, cells) + e(where)
            gap = voice.site.number(voice.page, fmt.ratio(pair.ours.ratio.value / pair.theirs), cells)
            said = {"near": "near", "apart": f"apart: theirs is from {pair.source.why}"}.get(
                pair.place, "neither near nor apart: our interval crosses the limit"
            )
        device = f"{fmt.MODE_NAMES[pair.source.mode]}, {fmt.device(pair.source.device)}"
        name = voice.evidence.title(pair.network).partition(",")[0]
        theirs = voice.part(claims_case.Part(words, figures=figures))
        rows.append((f"{e(name)}, {device}", e(pair.source.name), theirs, ours, gap, e(said)))
    columns = ("Network", "Source", "Theirs, times ResNet-50", "Ours", "Ours over theirs", "Near or apart")
    return markup.block(markup.table(columns, rows, label="Ours and theirs")) + "\n\n" + _orders(voice)


def agreement(voice: Voice) -> str:
    """How many of the published ratios that can be compared lie near ours: "5 of 8"."""
    found = [(pair, pair.ours) for pair in beside.pairs(voice.evidence)]
    measured = [(pair, mine) for pair, mine in found if mine is not None]
    if not measured:
        return MISSING
    n_near = sum(pair.place == "near" for pair, _ in measured)
    cells = dict.fromkeys(ref for _, mine in measured for ref in voice.evidence.refs(*mine.records))
    return voice.site.number(voice.page, f"{n_near} of {len(measured)}", tuple(cells))


def _orders(voice: Voice) -> str:
    """The networks from fast to slow, by source, and whether ours come in the same order."""
    rows = []
    for source in beside.SOURCES:
        theirs, mine = beside.orders(voice.evidence, source)
        names = [[voice.evidence.title(name).partition(",")[0] for name in found] for found in (theirs, mine or ())]
        same = "not measured yet" if mine is None else "the same" if mine == theirs else "another"
        rows.append((e(source.name), e(", ".join(names[0])), e(", ".join(names[1])) or MISSING, same))
    return markup.block(
        markup.table(("Source", "Theirs, fastest first", "Ours", "Order"), rows, label="Order of the networks")
    )


def flips(voice: Voice) -> str:
    """Verdicts that a newer session changed, newest first."""
    make = functools.partial(flipped.flips, voice.evidence, voice.site.beliefs)
    found = cache.keep(voice.evidence, voice.site.of_beliefs("flips"), make)
    published_ones = [session for session in voice.evidence.sessions if not session.is_local]
    if not found:
        n = len(published_ones)
        compared = f"{fmt.count(n)} sessions were compared" if n > 1 else "there is only one session so far"
        return markup.block(f"<p>No verdict has changed yet: {compared}.</p>")
    paths = {str(source.meta.get("id")): path for path, source in voice.site.sources.items()}
    rows = []
    for flip in found:
        path = paths.get(flip.after.id)
        belief = e(flip.after.belief)
        slug = addresses.machine_slug(flip.session)
        rows.append(
            (
                f'<a href="{e(addresses.href(voice.page, path))}">{belief}</a>' if path else belief,
                f"{markup.badge(flip.before.outcome)}<p>{voice.sentence(flip.before)}</p>",
                f"{markup.badge(flip.after.outcome)}<p>{voice.sentence(flip.after)}</p>",
                e(flip.cause),
                f'<a href="{e(addresses.href(voice.page, f"machines/{slug}.md"))}">{e(slug)}</a>, '
                f"{flip.session.session.id}",
            )
        )
    return markup.block(
        markup.table(("Belief", "Before", "After", "What was new", "Session"), rows, label="What flipped")
    )


def article_titles(voice: Voice) -> str:
    """The two articles' titles, quoted."""
    return " and ".join(f"“{e(article.title)}”" for article in published.articles().values())


def claims_table(voice: Voice) -> str:
    """Every claim of the articles with its verdict, and the numbers of each verdict above them."""
    found = voice.site.claims()
    chips = "".join(
        f'<li data-word="{e(word)}">{markup.badge(word)} <strong>{n}</strong></li>'
        for word, n in ledger.counts(found).items()
    )
    entries = "".join(_claim(voice, item) for item in found)
    return markup.block(
        f'<ul class="ledger-counts" aria-label="Claims by verdict">{chips}</ul>'
        f'<ul class="ledger" id="ledger">{entries}</ul>'
    )


def _claim(voice: Voice, item: ledger.Item) -> str:
    claim = item.claim
    data = {"word": item.word, "article": claim.article, "kind": claim.kind, "basis": item.basis}
    marks = " ".join(f'data-{name}="{e(value)}"' for name, value in data.items())
    resting = "" if item.basis == "none" else f", resting on {item.basis}"
    where = f"Article {claim.article.upper()}, {claim.section.lower()}{resting}"
    source = voice.site.sources.get(claim.page)
    title = source.meta.get("title", claim.page) if source else claim.page
    rule = f"<p>Rule: {e(item.rule)}</p>" if item.rule else ""
    bearing = "".join(f"<li>{e(published.lookup(row).what)}: {voice.published(row)}</li>" for row in claim.evidence)
    figures = f"<p>Published figures that bear on it:</p><ul>{bearing}</ul>" if bearing else ""
    return (
        f'<li id="{e(claim.id)}" {marks}><p class="ledger-claim">{markup.badge(item.word)} <strong>{e(claim.claim)}'
        f'</strong> <a class="headerlink" href="#{e(claim.id)}" title="Link to this claim" '
        f'aria-label="Link to this claim">#</a></p><p class="ledger-where">{e(where)}. Explained: '
        f'<a href="{e(addresses.href(voice.page, claim.page))}">{e(title)}</a></p><p>{voice.sentence(item)}</p>'
        f'<details class="plain"><summary>How it is decided</summary>{rule}<p>What would settle it: '
        f"{e(claim.test)}.</p>{figures}</details></li>"
    )


def named_table(voice: Voice) -> str:
    """Everything the articles name, and how things stand with it."""
    items = []
    for state in voice.site.named():
        entry = state.named
        where = {"": "in neither article", "ab": "in both articles"}.get(
            entry.articles, f"in article {entry.articles.upper()}"
        )
        source = voice.site.sources.get(entry.page)
        title = source.meta.get("title", entry.page) if source else entry.page
        items.append(
            f'<li id="{e(entry.id)}"><p class="ledger-claim">{markup.badge(state.word)} '
            f'<strong>{e(entry.name)}</strong></p><p class="ledger-where">{e(entry.type.capitalize())}, {where}. '
            f'More: <a href="{e(addresses.href(voice.page, entry.page))}">{e(title)}</a></p>'
            f"<p>{voice.sentence(state)}.</p></li>"
        )
    return markup.block(f'<ul class="ledger">{"".join(items)}</ul>')
