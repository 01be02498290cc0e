"""Facts about one card: how fast it would train a network beside our CPU, what a job on it would cost, when it pays.

All are published or estimated; a session that measured the same card takes the place of its speeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from bench.records.store import SessionResults
from bench.report.estimates import jobs
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import estimated, fact
from bench.report.facts.fact import Entry, Found, Make
from bench.report.facts.networks import epoch_cost, priced
from bench.report.published import cards
from bench.report.stats import format as fmt
from bench.workloads import registry

# The end of a fact's name, and the card that it means.
CARDS = {
    "t4": "Tesla T4",
    "p100": "Tesla P100 PCIe 16 GB",
    "gtx-1050-ti": "GeForce GTX 1050 Ti",
    "gtx-1650": "GeForce GTX 1650",
    "rtx-3050-laptop": "GeForce RTX 3050 Laptop",
    "rtx-4060-laptop": "GeForce RTX 4060 Laptop",
    "rtx-3060": "GeForce RTX 3060 12 GB",
    "rtx-3090": "GeForce RTX 3090",
    "rtx-4090": "GeForce RTX 4090",
    "rtx-5090": "GeForce RTX 5090",
    "v100": "Tesla V100 SXM2 16 GB",
    "a100": "A100 SXM4 40 GB",
    "h100": "H100 SXM5 80 GB",
}
WORKLOADS = ("resnet50", "mobilenet-v2", "cnn-digits", "mlp-tabular")
JOB = "resnet50"
YEARS = 3  # that a bought card is used
SPEEDS = {f"{workload}-train-speedup-{end}": (workload, card) for end, card in CARDS.items() for workload in WORKLOADS}


@cache
def costs() -> Mapping[str, str]:
    """The card of each fact on a cost: those of which a dated price of an hour is known."""
    return {f"{JOB}-imagenet-epoch-cost-{end}": card for end, card in CARDS.items() if jobs.rents(card)}


@cache
def bought() -> Mapping[str, str]:
    """The card of each fact on the hours until a bought one has paid: those of which both prices are known."""
    return {f"hours-to-break-even-{end}": c for end, c in CARDS.items() if jobs.rents(c) and jobs.launch_price(c)}


@cache
def entries() -> Mapping[str, Entry]:
    """The facts, by name; made of the sessions that measured the card."""
    found: dict[str, Entry] = {}
    titles = registry.workloads()
    for name, (workload, card) in SPEEDS.items():
        title = f"{titles[workload].title} on {fmt.with_article(card)}: training speed over that of the CPU"
        how = "Each device at its fastest batch and usual precision, of one session."
        found[name] = Entry(title, how, _measured(workload, card))
    for name, card in costs().items():
        title = f"one pass of ResNet-50 over the images of ImageNet on {fmt.with_article(card)}, rented"
        found[name] = Entry(title, "The newest dated price of an hour, times hours.", lambda evidence, session: None)
    for name, card in bought().items():
        title = f"hours of use from which buying {fmt.with_article(card)} costs less than renting one"
        how = "The launch price over the newest dated price of an hour; electricity and resale are left out."
        found[name] = Entry(title, how, lambda evidence, session: None)
    return found


def of(name: str, evidence: Evidence) -> Found | None:
    """What is published or estimated under a fact's name; None where nothing is."""
    if name in SPEEDS:
        workload, card = SPEEDS[name]
        found = estimated.known(evidence, workload, card)
        return None if found is None else found.found(evidence, found.speedup)
    if name in bought():
        return _break_even(bought()[name])
    return _cost(evidence, costs()[name]) if name in costs() else None


def _break_even(card: str) -> Found | None:
    rent, price = jobs.rents(card)[0], jobs.launch_price(card)
    if price is None:
        return None
    hours = float(price.value) / float(rent.value)
    short = (
        f"{fmt.number(float(f'{hours:.2g}'), 2)} hours, {fmt.number(hours / YEARS / 365, 2)} a day for {YEARS} years"
    )
    note = f"bought for {priced(price)}, rented for {priced(rent)}"
    return Found(f"{short} (published prices)", note=note, short=short, figure=rent)


def _cost(evidence: Evidence, card: str) -> Found | None:
    pair, price = estimated.known(evidence, JOB, card), jobs.rents(card)[0]
    if pair is None:
        return None
    found = pair.found(evidence, pair.gpu)
    ends = (epoch_cost(rate, price) for rate in (pair.gpu.high, pair.gpu.low))
    short = f"{' to '.join(dict.fromkeys(fmt.number(end, 2) for end in ends))} USD"
    return found._replace(
        text=f"{short} ({found.text.partition('(')[2]}",
        estimate=None,
        note=f"{priced(price)}; {found.note}",
        short=short,
    )


def _measured(workload: str, card: str) -> Make:
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        found = evidence.view(session).best_contrast(Pick(workload))
        if found is None or not cards.words(card) <= cards.words(evidence.view(session).gpu_text(found.gpu)):
            return None
        text = fact.named(fmt.interval(found.speedup), found.arms)
        return Found(text, fact.cells(evidence, found.gpu, found.cpu), found.speedup)

    return make
