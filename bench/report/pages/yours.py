"""The reader's own machine on the site: a band at the top of pages, and a table on the machine's own page."""

from __future__ import annotations

from markupsafe import Markup

from bench.report.evidence.yours import Beside, beside
from bench.report.pages import addresses
from bench.report.pages.context import Site
from bench.report.pages.markup import PARTS
from bench.report.stats import estimate, spoken
from bench.report.stats import format as fmt
from bench.report.stats.quantities import throughput as rate
from bench.report.templates import join


def band(site: Site, page: str) -> Markup:
    """How a leading local machine stands to the published one, with a link to both side by side; else empty."""
    lead = site.evidence.lead
    if lead is None or not lead.is_local or site.evidence.published is None:
        return Markup("")
    found = beside(site.evidence)
    address = addresses.href(page, f"machines/{addresses.machine_slug(lead)}.md", "beside" if found else "")
    words, name = (_words(found[0]), _name(site, found[0])) if found else ("", "")
    return join([PARTS.yours(words, name, address), Markup("\n\n")])


def table(site: Site, page: str) -> Markup:
    """Every training that both machines did alike; empty without a local machine that leads."""
    found = beside(site.evidence)
    published = site.evidence.published
    if not found or published is None:
        return Markup("")
    rows = [
        (
            _name(site, one),
            *(
                site.number(page, fmt.interval(quantity, one.yours.spec.sample_noun), site.evidence.refs(record))
                for record, quantity in ((one.yours, rate(one.yours)), (one.ours, rate(one.ours)))
            ),
            site.number(page, fmt.interval(one.slower), site.evidence.refs(one.yours, one.ours)),
        )
        for one in found
    ]
    caption = (
        f"Training on the CPU, each machine with its fastest backend; ours is {site.machine_words(published)}. "
        "Above 1x yours is the slower one."
    )
    return PARTS.table(("Network", "Yours", "Ours", "Your time over ours"), rows, caption, label="Yours beside ours")


def _words(one: Beside) -> str:
    """How yours stands to ours: "1.6 times slower than ours"."""
    side = estimate.side(one.slower)
    if side == "overlaps":
        return "about as fast as ours"
    ratio = one.slower if side == "faster" else estimate.inverse(one.slower)
    return f"{spoken.spoken(ratio)} {'slower' if side == 'faster' else 'faster'} than ours"


def _name(site: Site, one: Beside) -> str:
    """The network, without the size of its input."""
    return site.evidence.title(one.yours.cell.workload).partition(",")[0]
