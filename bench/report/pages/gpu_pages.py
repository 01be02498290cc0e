"""A page for each card that people ask for most: what it holds, costs, and is estimated to do beside our CPU."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup

from bench import grouped
from bench.report import templates
from bench.report.estimates import card_memory, formula, jobs, networks, rows, words
from bench.report.evidence.view import Pick
from bench.report.facts import by_card, estimated
from bench.report.facts.networks import IMAGENET_IMAGES
from bench.report.pages import addresses, job, markup
from bench.report.pages.calls import Voice
from bench.report.pages.context import Site
from bench.report.pages.markup import PARTS
from bench.report.published import cards
from bench.report.published.cards import Card
from bench.report.published.sources import sources
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken
from bench.report.templates import Valued, join
from bench.schema import Record
from bench.workloads import registry

GPU = templates.macros("gpu.md.j2")
INDEX = "gpus/index.md"
MOST_ROWS = 12  # of speeds from elsewhere


class Row(NamedTuple):
    """A network on a card: the CPU cell of ours that it stands beside, and the estimate, or in a word why none."""

    record: Record
    pair: estimated.Pair | None
    why: str = ""


def link(page: str, name: str) -> Markup:
    """A card's name that leads to its page."""
    return PARTS.link(addresses.href(page, addresses.card_page(cards.card(name))), name)


def gpu_pages(site: Site) -> addresses.Pages:
    """A page for each often-named card, and their index."""
    cells = list(_cells(site))
    found = {card: [_row(site, card, *both) for both in cells] for card in cards.often_named()}
    pages: addresses.Pages = {addresses.card_page(card): _page(site, card, same) for card, same in found.items()}
    return pages | {INDEX: _index(site, found)}


def _cells(site: Site) -> Iterator[tuple[Record, Record | None]]:
    """Of every network the fastest training cell on a CPU, and TensorFlow's, with which alone launching compares."""
    for workload in site.evidence.model_workloads():
        for view in map(site.evidence.view, site.evidence.shown):
            best = view.best(Pick(workload, "train", "cpu"))
            if best is not None and registry.network(workload, best.cell.params) in networks.ours():
                yield best, view.best(Pick(workload, "train", "cpu", backend="tensorflow"))
                break


def _row(site: Site, card: Card, best: Record, own: Record | None) -> Row:
    """What the card does beside the one of these cells that it can be compared with."""
    pair = _pair(site, card, best)
    if pair is None:
        return Row(best, None, formula.estimate(estimated.case_of(best, card)).range_of)
    if pair.is_launching:
        pair = None if own is None else _pair(site, card, own)
    return Row(best, None, "no TensorFlow cell") if pair is None else Row(pair.record, pair)


def _pair(site: Site, card: Card, record: Record) -> estimated.Pair | None:
    return estimated.of_record(site.evidence.session_of(record), record, card.name)


def _job(found: list[Row]) -> estimated.Pair | None:
    """The estimate for the network of the job that is priced."""
    return next((row.pair for row in found if row.record.cell.workload == by_card.JOB), None)


def _page(site: Site, card: Card, found: list[Row]) -> str:
    path = addresses.card_page(card)
    voice = Voice(site, path)
    text = GPU.page(
        door=addresses.href(path, "machines/index.md"),
        least_batch=estimated.LEAST_BATCH,
        lead=_lead(site, path, _job(found)),
        job=f"{addresses.href(path, job.PAGE)}?gpus={card.slug}",
        facts=_facts(voice, card),
        sure=words.trust(None, formula.constants()),
        how=addresses.href(path, estimated.HOW_PAGE),
        speeds=PARTS.table(
            ("Network", "As fast as our CPU", "This card", "Our CPU", "Largest batch"),
            [_speed(site, path, card, row) for row in found],
            label=f"Estimated for {card.name}",
        ),
        cost=_cost(voice, card, _job(found)),
        measured=_measured(card),
        all_rows=addresses.href(path, "data/estimates.csv"),
        index=addresses.href(path, INDEX),
    )
    about = f"{card.name}: memory, prices, and how fast it is estimated to train our networks beside our CPU."
    return markup.page(card.name, about, text, hide=("navigation", "toc"))


def _facts(voice: Voice, card: Card) -> Markup:
    """What the data sheet says, and what it costs where somebody dated a price."""
    source = PARTS.link(card.url, card.source_title)
    pairs = [
        ("Came out", card.released),
        ("Architecture", f"{card.vendor} {card.architecture}"),
        ("Memory", fmt.bytes_(card.memory) if card.memory else "not known"),
        ("Bandwidth", f"{fmt.number(card.bandwidth / 1e9)} GB/s" if card.bandwidth else "not known"),
        ("Peak, single precision", f"{fmt.number(card.fp32 / 1e12)} TFLOP/s" if card.fp32 else "not known"),
        ("Source", source),
    ]
    if launch := jobs.launch_price(card.name):
        pairs.append(("Price when it came out", voice.published(launch.id)))
    if rents := jobs.rents(card.name):
        pairs.append(("Rented, an hour", join((voice.published(price.id) for price in rents), "; ")))
    return PARTS.facts(pairs)


def _lead(site: Site, path: str, pair: estimated.Pair | None) -> Markup:
    """The page in one sentence, by the network of the job that is priced; empty without its estimate."""
    if pair is None:
        return Markup("")
    factor = site.estimated(path, fmt.between(pair.speedup), short=spoken.spoken(pair.speedup))
    return GPU.lead(pair.record.spec.title, factor, site.evidence.view(pair.session).cpu_text())


def _speed(site: Site, path: str, card: Card, row: Row) -> tuple[object, ...]:
    """A network's row: measured on the CPU, estimated on the card."""
    record, pair = row.record, row.pair
    network, noun = estimated.case_of(record, card).network, record.spec.sample_noun
    rate = quantities.throughput(record)
    assert rate is not None, "the fastest cell has a rate"
    fits = card_memory.largest_batch(network, card)
    ends = () if fits is None else dict.fromkeys(map(fmt.count, (fits.surely, fits.perhaps)))
    batches = " to ".join(ends)
    text, hint = fmt.interval(rate, noun=noun), f"batch {record.cell.batch_size}"
    cpu = site.number(path, text, site.evidence.refs(record), hint=hint, short=spoken.spoken(rate, noun))
    title = record.spec.title
    if pair is None:
        return title, "no estimate", words.why(row.why), cpu, batches
    note = f"Batch {pair.batch}, float32. {words.trust(pair.answer, formula.constants())}"
    shown = (
        site.estimated(path, fmt.between(one, noun), note, short=spoken.spoken(one, noun))
        for one in (pair.speedup, pair.gpu)
    )
    return title, *shown, cpu, batches


def _cost(voice: Voice, card: Card, pair: estimated.Pair | None) -> Markup:
    """One pass of ResNet-50 over ImageNet on the card: time, and price where it can be rented."""
    if pair is None or pair.answer is None:
        return Markup("")
    estimate, answer = functools.partial(voice.site.estimated, voice.page), pair.answer
    n_steps = jobs.steps(IMAGENET_IMAGES, pair.batch)
    time = " to ".join(spoken.seconds(end * n_steps) for end in (answer.low, answer.high))
    prices = []
    for cost in jobs.costs(answer, n_steps, card):
        text = f"{fmt.number(cost.low, 2)} to {fmt.number(cost.high, 2)} {cost.price.unit.partition('/')[0]}"
        prices.append((estimate(text), voice.published(cost.price.id)))
    return GPU.cost(estimate(time), prices)


def _measured(card: Card) -> Markup:
    """Speeds that others measured on it, one of each network, those with most rows first."""
    own = (row for row in (*rows.measured(), *rows.notebooks()) if row.card == card.name and row.batch)
    of_network = grouped(own, lambda row: row.network)
    first = sorted(of_network.values(), key=len, reverse=True)[:MOST_ROWS]
    lines = []
    for row in (max(group, key=lambda row: row.throughput) for group in first):
        network, source = networks.published()[row.network], sources()[row.source]
        name = f"{network.said} {network.size}".strip()
        how = f"{row.framework}, {row.precision}, batch {row.batch:g}"
        speed = PARTS.published_cell(f"{fmt.number(row.throughput)} {row.unit}")
        lines.append((name, speed, how, PARTS.link(source.url, source.id) if source.url else source.id))
    if not lines:
        return Markup("")
    n = sum(map(len, of_network.values()))
    table = PARTS.table(("Network", "Fastest figure", "With", "Source"), lines, label="Measured elsewhere")
    return PARTS.folded(f"{fmt.count(n)} figures of {len(of_network)} networks", table)


def _index(site: Site, found: dict[Card, list[Row]]) -> str:
    """All cards in one table, fastest first; those that the formula refuses at the end."""
    voice = Voice(site, INDEX)
    pairs = {card: _job(same) for card, same in found.items()}
    lines: list[tuple[object, ...]] = []
    for card, pair in sorted(pairs.items(), key=lambda item: 0.0 if item[1] is None else -item[1].gpu.value):
        launch = jobs.launch_price(card.name)
        shown: tuple[object, ...] = ("no estimate", "")
        if pair is not None:
            both = ((pair.gpu, "images"), (pair.speedup, ""))
            shown = tuple(
                Valued(
                    site.estimated(
                        INDEX, fmt.between(one, noun), short=spoken.spoken(one).replace(" samples a second", "")
                    ),
                    one.value,
                )
                for one, noun in both
            )
        lines.append((
            link(INDEX, card.name),
            Valued(fmt.bytes_(card.memory), card.memory) if card.memory else "not known",
            card.year,
            Valued(voice.published(launch.id), float(launch.value)) if launch else "",
            *shown,
        ))  # fmt: skip
    columns = ("Card", "Memory", "Year", "Price when new", "ResNet-50, images a second", "As fast as our CPU")
    table = PARTS.table(columns, lines, label="Cards", is_sortable=True)
    about = "Memory, year, price, and the estimated speed of ResNet-50 of the cards that people ask for most."
    how = "[how we estimate](../method/how-we-estimate.md)"
    text = f"The cards that people ask for most, fastest first. Speeds are estimated, not measured: {how}.\n\n"
    return markup.page("Graphics cards", about, text, table, "\n")
