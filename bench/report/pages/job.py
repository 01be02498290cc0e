"""The tool "your job": the file that its script reads, and the form with its table of defaults. Pure.

The file holds constants, networks, cards, prices and measured rates. The script applies the formula of
``bench.report.estimates`` to them; a test compares the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from markupsafe import Markup

from bench.records.store import SessionResults
from bench.report import templates
from bench.report.charts.time_to_finish import CARDS
from bench.report.estimates import card_memory, formula, jobs, networks, rows, words
from bench.report.estimates.networks import Network
from bench.report.evidence import sizes, thresholds
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import estimated
from bench.report.pages import addresses, markup
from bench.report.pages.markup import PARTS
from bench.report.published import cards, freshness
from bench.report.published.figures import Figure
from bench.report.published.strict import PublishedError
from bench.report.stats import estimate, quantities
from bench.report.stats import format as fmt
from bench.schema import Device, Precision, Record
from bench.workloads import registry

if TYPE_CHECKING:
    from bench.report.pages.calls import Voice

FILE = "data/your-job.json"
PAGE = "guides/your-job.md"
SCRIPT = "assets/js/your-job.js"
FORM = templates.macros("your_job.html.j2")
# Keras's policy, and the precisions of records that it means on a GPU, the usual one first.
POLICIES: dict[str, tuple[Precision, ...]] = {
    "float32": ("tf32", "float32-strict"),
    "mixed_float16": ("mixed_float16",),
    "mixed_bfloat16": ("mixed_bfloat16",),
}
# What a published row's precision is under Keras.
POLICY_OF = dict.fromkeys(get_args(rows.Precision), "float32") | {
    "amp": "mixed_float16", "fp16": "mixed_float16", "bf16": "mixed_bfloat16",
}  # fmt: skip
AXIS = {
    "second": 1.0, "minute": 60.0, "coffee break": thresholds.COFFEE_BREAK_S, "hour": 3600.0,
    "overnight": thresholds.OVERNIGHT_S, "week": 604_800.0, "year": 31_557_600.0,
}  # fmt: skip
# Operations of a training step for each layer that a reader counts: convolutions, dense layers, blocks of attention.
OPERATIONS_OF_LAYER = {"cnn": 2, "mlp": 3, "transformer": 24}
DEFAULT_NETWORK = "resnet50 image_px=224"
DEFAULT_BATCH = 32
# Networks that differ in size only: up to so many times the operations, the smaller tells of the larger.
MOST_SCALED = 16


class Measured(NamedTuple):
    """The fastest cell of a network on a machine's device at one batch."""

    session: SessionResults
    record: Record
    network: str
    policy: str

    @property
    def rate(self) -> estimate.Estimate:
        """Samples a second in steady training."""
        found = quantities.throughput(self.record)
        assert found is not None, "only cells with a rate are asked for"
        return found


def command(workload: str) -> str:
    """What measures a workload on the reader's machine."""
    size = "" if registry.workload(workload).variants.get("quick") else " --profile reference"
    return f"python scripts/refresh_benchmarks.py{size} --only {workload}"


def measured(evidence: Evidence, device: Device) -> Iterator[Measured]:
    """What trains fastest on a device: networks at every batch and policy tried, on the GPUs of all, chosen CPUs."""
    policies = POLICIES if device == "gpu" else {"float32": ("float32-strict",)}
    for session in evidence.shown if device == "gpu" else evidence.chosen:
        if session.session.profile == "smoke":  # its sizes are too small to tell anything
            continue
        view = evidence.view(session)
        for workload in evidence.model_workloads():
            every = view.records(Pick(workload, "train", device, status="ok"))
            for params, batch in {(tuple(r.cell.params.items()), r.cell.batch_size): None for r in every}:
                pick = Pick(workload, "train", device, batch_size=batch, params=dict(params))
                for policy, precisions in policies.items():
                    tried = (view.best(pick.but(precision=precision)) for precision in precisions)
                    best = next((r for r in tried if r is not None and quantities.throughput(r) is not None), None)
                    if best is not None:
                        yield Measured(session, best, registry.network(workload, best.cell.params), policy)


# The file.


def data(evidence: Evidence) -> dict[str, Any]:
    """Everything that the script computes from and shows."""
    on_cpu, on_gpu = list(measured(evidence, "cpu")), list(measured(evidence, "gpu"))
    known, asked = formula.constants(), _networks(evidence, on_cpu)
    return {
        "axis": list(AXIS.items()),
        "coffee_break": thresholds.COFFEE_BREAK_S,
        "overnight": thresholds.OVERNIGHT_S,
        "formula": _formula(known),
        "memory": {
            "context": card_memory.CONTEXT_BYTES,
            "weight": card_memory.WEIGHT_COPIES * formula.WEIGHT_BYTES,
            "kept": [card_memory.KEPT_MOST, card_memory.KEPT_LEAST],
        },
        "refused": formula.REFUSED,
        "sure": {name: words.trust(_of_range(name), known) for name in ("keras", "launching")},
        "policies": {name: formula.number_bytes(formula.precision_of(name, "tensorflow")) for name in POLICIES},
        "operations_of_layer": OPERATIONS_OF_LAYER,
        "scaled": _scaled(on_cpu),
        "cards": [_card(card, known.hull) for card in cards.often_named()],
        "networks": [_network(evidence, one, on_cpu, known.hull) for one in asked],
        "machines": _machines(evidence, on_cpu),
        "rates": [_rate(one) | {"machine": evidence.view(one.session).key} for one in on_cpu],
        "gpu_rates": [_rate(one) | {"card": name} for one in on_gpu if (name := _card_of(one))],
        "published": [list(row) for one in asked for row in _published(one)],
        "old_days": freshness.PRICE_OLD_AT_DAYS - 1,
        "defaults": _defaults(asked, evidence),
    }


def files(evidence: Evidence) -> addresses.Pages:
    """The file by its path."""
    return {FILE: json.dumps(data(evidence), separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"}


def _formula(known: formula.Constants) -> dict[str, Any]:
    terms, keras = known.terms, known.ranges["keras"]
    return {
        "launch": terms.launch,
        "launch_each": terms.launch_each,
        "arithmetic": terms.arithmetic,
        "memory": terms.memory,
        "training_over_forward": formula.TRAINING_OVER_FORWARD,
        "weight": formula.WEIGHT_BYTES * (formula.PASSES + formula.ACCESSES["adam"]),
        "floor": formula.FLOOR_S,
        "ranges": {"keras": [keras.low, keras.high], "launching": [formula.LAUNCH_LOW, formula.LAUNCH_HIGH]},
        "most": {name: formula.HULL_SLACK * getattr(known.hull, name) for name in formula.SIZES},
    }


def _of_range(name: str) -> formula.Estimate:
    return formula.Estimate(kind="launching" if name == "launching" else "gpu", range_of=name)


def _card(card: cards.Card, hull: formula.Hull) -> dict[str, Any]:
    terms, plain = formula.constants().terms, networks.ours()[DEFAULT_NETWORK]
    cases = {policy: formula.case_of(plain, card, 1, policy=policy) for policy in POLICIES}
    rents, price = jobs.rents(card.name), jobs.launch_price(card.name)
    return {
        "id": card.slug,
        "name": card.name,
        "said": f"a free {estimated.spoken(estimated.CARD)}"
        if card.name == estimated.CARD
        else fmt.with_article(_said(card)),
        "free": card.name == estimated.CARD,
        "page": addresses.url_of(addresses.card_page(card)),
        "words": [sorted(cards.words(name)) for name in (card.name, *card.aliases)],
        "refused": {policy: formula.refusal(case, hull) for policy, case in cases.items()},
        "peak": {policy: _known(formula.peak(case)) for policy, case in cases.items()},
        "bandwidth": card.bandwidth,
        "launch": terms.yearly ** (card.year - formula.BASE_YEAR),
        "slower": 1 / terms.amd if card.vendor == "AMD" else 1.0,
        "memory": card.memory,
        "watts": card.watts,
        "rent": _price(rents[0]) if rents else None,
        "price": _price(price) if price else None,
    }


def _said(card: cards.Card) -> str:
    """A card's name as people say it, with as much of the rest as tells it from the others."""

    def ways(one: cards.Card) -> tuple[str, ...]:
        return estimated.spoken(one.name), re.sub(r" SXM\d?| PCIe", "", one.name), one.name

    others = {way for one in cards.often_named() if one.name != card.name for way in ways(one)}
    return next(way for way in ways(card) if way not in others)


def _known(value: float) -> float | None:
    return value if value == value else None


def _price(figure: Figure) -> dict[str, Any]:
    by = figure.subject if figure.unit.endswith("hour") else "launch price"
    return {"value": float(figure.value), "date": figure.date, "by": by, "id": figure.id}


def _networks(evidence: Evidence, on_cpu: list[Measured]) -> list[Network]:
    """The networks that were trained on a CPU, small ones first; without features where nobody counted them."""
    found = {}
    for one in on_cpu:
        workload = one.record.cell.workload
        family = networks.FAMILY_OF_OURS.get(workload, "cnn")
        blank = Network(id=one.network, title=one.network, family=family, forward=None, activations=None,
                        parameters=None, matrix_operations=None)  # fmt: skip
        found[one.network] = networks.ours().get(one.network, blank)
    return sorted(found.values(), key=lambda network: (network.forward or 0.0, network.id))


def _network(evidence: Evidence, network: Network, on_cpu: list[Measured], hull: formula.Hull) -> dict[str, Any]:
    cell = next(one.record.cell for one in on_cpu if one.network == network.id)
    others = [one.record.cell.params for one in on_cpu if one.record.cell.workload == cell.workload]
    own = {name: value for name, value in cell.params.items() if any(o.get(name) != value for o in others)}
    return {
        "id": network.id,
        "title": ", ".join(filter(None, (evidence.title(cell.workload), sizes.words(cell.workload, own)))),
        "noun": evidence.noun(cell.workload),
        "workload": cell.workload,
        "params": dict(cell.params),
        "command": command(cell.workload),
        "family": network.family,
        "forward": network.forward,
        "activations": network.activations,
        "parameters": network.parameters,
        "operations": network.matrix_operations,
        "refused": formula.refusal(formula.case_of(network, cards.card(estimated.CARD), 1), hull),
    }


def _machines(evidence: Evidence, on_cpu: list[Measured]) -> list[dict[str, Any]]:
    views = {view.key: view for one in on_cpu if (view := evidence.view(one.session))}
    return [
        {
            "id": key,
            "title": f"{view.cpu_text()} ({view.label})",
            "said": "this machine" if view.described.is_local else view.cores_text(),
        }
        for key, view in views.items()
    ]


def _rate(one: Measured) -> dict[str, Any]:
    parts = (quantities.start_up(one.record), quantities.first_step(one.record))
    ref = markup.ref(one.session, one.record)
    return {
        "network": one.network,
        "policy": one.policy,
        "batch": one.record.cell.batch_size,
        "rate": [one.rate.low, one.rate.value, one.rate.high],
        "runs": one.rate.n,
        "start": sum(part.value for part in parts if part is not None),
        "backend": fmt.backend(one.record.cell.backend),
        "page": f"{addresses.url_of(addresses.evidence_of(ref))}#{ref.cell}",
    }


def _card_of(one: Measured) -> str:
    """The listed card that a record ran on; empty where it is none of them or they were several."""
    try:
        card = cards.card(one.session.machine.gpus[0].name)
    except (PublishedError, IndexError):
        return ""
    return card.slug if card.is_often_named and one.record.cell.n_gpus == 1 else ""


def _published(network: Network) -> Iterator[tuple[str, str, str, float, float]]:
    """Speeds that others measured of the same network on a listed card: batch and samples a second."""
    for card in cards.often_named():
        for row in rows.of_ours(network, card.name):
            yield network.id, card.slug, POLICY_OF[row.precision], row.batch or 0.0, row.throughput


def _scaled(on_cpu: list[Measured]) -> dict[str, float] | None:
    """How far off a CPU's rate is when it is taken to fall as a network's operations grow; None without a pair.

    Asked of our own networks that differ in size only, up to ``MOST_SCALED`` times: ``factor`` is the worst.
    """
    best: dict[tuple[str, str], dict[str, float]] = {}
    for one in on_cpu:
        network = networks.ours().get(one.network)
        if network is not None and network.forward and network.family in (*formula.FITTED_FAMILIES, "recurrent"):
            work = best.setdefault((one.session.path, one.record.cell.workload), {})
            work[one.network] = max(work.get(one.network, 0.0), network.forward * one.rate.value)
    size = {name: network.forward or 0.0 for name, network in networks.ours().items()}
    off = [
        work[small] / work[large]
        for work in best.values()
        for small in work
        for large in work
        if 1 < size[large] / size[small] <= MOST_SCALED
    ]
    factors = [max(ratio, 1 / ratio) for ratio in off]
    return {"factor": max(factors), "pairs": len(factors), "most": MOST_SCALED} if factors else None


def _defaults(asked: list[Network], evidence: Evidence) -> dict[str, str]:
    """What the form starts with; every field of the address, so that nothing else is read from one."""
    names = [network.id for network in asked]
    model = DEFAULT_NETWORK if DEFAULT_NETWORK in names else next(iter(names), "")
    typed = "rate like operations weights layers outputs on rent price resale watts kwh weekly".split()
    return dict.fromkeys(typed, "") | {
        "model": model,
        "samples": str(thresholds.COURSE_SAMPLES // 10),
        "epochs": "10",
        "batch": str(DEFAULT_BATCH),
        "precision": "float32",
        "cpu": evidence.view(evidence.lead).key if evidence.lead else "",
        "gpus": ",".join(cards.card(name).slug for name in CARDS.values()),
        "like": model,
    }


# The page.


def form(voice: Voice) -> Markup:
    """The form, hidden until its script shows it, and what a page without scripts shows in its place."""
    for card in cards.often_named():
        for figure in (*jobs.rents(card.name)[:1], *filter(None, (jobs.launch_price(card.name),))):
            voice.site.used.figures[figure.id] = figure
            voice.figures.add(figure.id)
    here = addresses.href(voice.page, "index.md")
    how, notebook = (addresses.href(voice.page, to) for to in (estimated.HOW_PAGE, "notebooks/time-it-right.ipynb"))
    table = _table(voice) or PARTS.paragraph("No record of a training on a CPU so far.")
    return FORM.tool(here, FILE, SCRIPT, how, notebook, tuple(POLICIES), table)


def _table(voice: Voice) -> Markup | None:
    """Every workload's first network with the default job: measured on the leading CPU, estimated on three cards."""
    evidence, samples = voice.evidence, thresholds.COURSE_SAMPLES
    lines = []
    for workload in evidence.model_workloads():
        record = evidence.view(evidence.lead).best(Pick(workload, "train", "cpu"))
        rate = None if record is None else quantities.throughput(record)
        if evidence.lead is None or record is None or rate is None:
            continue
        time = estimate.times(estimate.inverse(rate), samples, "s")
        shown = voice.site.number(voice.page, fmt.seconds(time.value), (markup.ref(evidence.lead, record),))
        network = networks.ours().get(registry.network(workload, record.cell.params))
        guesses = (_guess(voice, network, card) for card in CARDS.values())
        lines.append((time.value, (evidence.title(workload), shown, *guesses)))
    if not lines or evidence.lead is None:
        return None
    caption = (
        f"{fmt.count(samples)} samples, batch {DEFAULT_BATCH}, float32. CPU: measured on"
        f" {evidence.view(evidence.lead).cpu_text()}, at the batch that is fastest there. Cards: estimated."
    )
    columns = ("Model", "CPU", *CARDS)
    return PARTS.table(columns, [line for _, line in sorted(lines, key=lambda one: one[0])], caption, label="Times")


def _guess(voice: Voice, network: Network | None, card: str) -> Markup:
    answer = formula.estimate(formula.case_of(network, cards.card(card), DEFAULT_BATCH)) if network else None
    if answer is None or answer.kind == "refused":
        return PARTS.note(f"no estimate{f': {words.why(answer.range_of)}' if answer else ''}")
    steps = jobs.steps(thresholds.COURSE_SAMPLES, DEFAULT_BATCH)
    return voice.site.estimated(voice.page, words.span(answer.low * steps, answer.high * steps))
