"""What a training step on a GPU takes that nobody measured: one, every card for a network, every network for a card."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from bench.cli import options as cli_options
from bench.cli import show
from bench.report.estimates import card_memory, formula, networks, words
from bench.report.estimates import check as checking
from bench.report.published import cards
from bench.report.published.strict import PublishedError
from bench.report.stats import format as fmt
from bench.schema import BACKENDS, Backend
from bench.workloads import registry

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16", "float32-strict")
BAR_WIDTH = 26  # characters between the ends of the ladder
NAME_WIDTH = 36
MANY = 16  # times the batch asked for: memory beyond that is no question
WIDTH = 100
ON_TOP = "Loading data, compiling and the first step come on top."

Model = Annotated[
    str, typer.Option(metavar="NAME", help="A network: one of ours (`list`), or a published one such as vgg16.")
]
Gpu = Annotated[
    str, typer.Option(metavar="NAME", help='A card, for example "RTX 4090"; without it, those asked for most.')
]
Batch = Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000_000, help="Samples in a step.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help=f"A policy of Keras: {', '.join(POLICIES)}.")]
BackendName = Annotated[str, typer.Option("--backend", metavar="NAME", help=f"One of {', '.join(BACKENDS)}.")]
Fit = Annotated[bool, typer.Option("--fit", help="Fit the constants again from the published rows, and write them.")]
Check = Annotated[
    Path | None, typer.Option("--check", metavar="FILE", help="Ask the formula for the rows of a CSV it has not seen.")
]


def estimate(
    model: Model = "",
    gpu: Gpu = "",
    batch: Batch = 32,
    precision: Precision = "float32",
    backend: BackendName = "tensorflow",
    fit: Fit = False,
    check: Check = None,
    show_all: cli_options.ShowAll = False,
    as_json: cli_options.AsJson = False,
) -> None:
    """What would a training step take on a GPU? A range, from published measurements."""
    try:
        if fit:
            _fit(as_json)
        elif check is not None:
            _check(check, as_json)
        elif model or gpu:
            policy = cli_options.one_of("precision", (precision,), POLICIES)[0]
            on = cli_options.one_of("backend", (backend,), BACKENDS)[0]
            _ask(model, gpu, batch, policy, on, show_all=show_all, as_json=as_json)
        else:
            raise ValueError("name a network (--model), a GPU (--gpu) or both; or --fit, or --check FILE")
    except (PublishedError, registry.UnknownNameError, ValueError) as error:
        show.fail(error)
    except OSError as error:
        show.fail(ValueError(f"{check}: {error.strerror}"))


def _ask(model: str, gpu: str, batch: int, policy: str, backend: Backend, *, show_all: bool, as_json: bool) -> None:
    """Print one estimate, or a ladder of several."""
    often = cards.often_named()
    usual = often if show_all or as_json else tuple(card for card in often if card.name in cards.USUAL)
    asked_cards = (cards.card(gpu),) if gpu else usual
    asked = (networks.network(_headline(model)),) if model else _ours()
    cases = [
        formula.case_of(network, card, batch, policy=policy, backend=backend)
        for network in asked
        for card in asked_cards
    ]
    answers = formula.estimates(cases)
    if as_json:
        show.print_json([_plain(case, answer) for case, answer in zip(cases, answers, strict=True)])
    elif model and gpu:
        _print_one(cases[0], answers[0], policy, backend)
    else:
        names = [case.network.title if gpu else case.card.name for case in cases]
        names = names if show_all else _told_apart(names)
        head = asked_cards[0].name if gpu else asked[0].title
        show.out.print(f"{head}, {_how(batch, policy, backend)}: estimated, not measured", markup=False)
        _print_ladder("network" if gpu else "GPU", list(zip(names, answers, strict=True)), batch, show_all=show_all)


def _headline(model: str) -> str:
    """A workload's id as the name of the network that it trains first; any other name as it is."""
    known = registry.workloads().get(model)
    if known is None or known.kind != "model":
        return model
    return registry.network(model, known.headline_training("reference").params)


def _ours() -> tuple[networks.Network, ...]:
    """The networks that the reference profile trains, by name."""
    models = (spec for spec in registry.workloads().values() if spec.kind == "model")
    names = {registry.network(spec.id, variant.params) for spec in models for variant in spec.variants["reference"]}
    return tuple(networks.ours()[name] for name in sorted(names))


def _how(batch: float, policy: str, backend: Backend) -> str:
    return f"batch {fmt.count(batch)}, {policy}, {fmt.backend(backend)}"


def _plain(case: formula.Case, answer: formula.Estimate) -> dict[str, Any]:
    """A case and its estimate as data; numbers that there are not are NaN, which JSON gets as null."""
    asked = {"network": case.network.id, "gpu": case.card.name, "batch": case.batch, "precision": case.precision}
    return asked | msgspec.to_builtins(answer)


def _print_one(case: formula.Case, answer: formula.Estimate, policy: str, backend: Backend) -> None:
    name = f"{case.network.title} on {fmt.with_article(case.card.name)}, {_how(case.batch, policy, backend)}"
    if answer.kind == "refused":
        show.print_wrapped(f"{name}: {words.kind(answer)}")
        show.print_wrapped(f"known instead: {answer.instead}")
        return
    show.print_wrapped(
        f"{name}: about {words.span(answer.low, answer.high)} a step, {words.kind(answer)} (estimated, not measured)"
    )
    show.print_wrapped(f"that is {words.rate_span(answer, case.batch)} samples/s")
    shares = (("starting the work", answer.host), ("arithmetic", answer.arithmetic), ("memory traffic", answer.memory))
    said = (f"{what} {fmt.percent(round(share / answer.seconds, 2))}" for what, share in shares)
    show.print_wrapped(f"in the middle of that range: {', '.join(said)} of the time")
    fits = card_memory.largest_batch(case.network, case.card, case.precision)
    if fits is not None and fits.perhaps < case.batch:
        show.print_wrapped(f"but a batch of {fits.perhaps or 1} is about the largest that its memory holds")
    elif fits is not None and fits.surely <= MANY * case.batch:
        most = dict.fromkeys((fmt.count(fits.surely), fmt.count(fits.perhaps)))
        show.print_wrapped(f"its memory holds batches up to about {' to '.join(most)}")
    show.print_wrapped(f"{words.trust(answer, formula.constants())} {ON_TOP}")


def _told_apart(names: list[str]) -> list[str]:
    """Names such as "lora (layers 6, tuned all)" with what tells those of one network apart: "lora (tuned all)"."""
    parts = [(name.partition(" (")[0], name.partition(" (")[2].rstrip(")").split(", ")) for name in names]
    shown = []
    for base, params in parts:
        others = [other for one, other in parts if one == base]
        own = [param for param in params if any(param not in other for other in others)]
        shown.append(f"{base} ({', '.join(own)})" if own else base)
    return shown


def _print_ladder(noun: str, named: list[tuple[str, formula.Estimate]], batch: int, *, show_all: bool) -> None:
    """One line for each that has an estimate, fastest first, on a scale of factors; then who has none, and why."""
    known = sorted((item for item in named if item[1].kind != "refused"), key=lambda item: item[1].seconds)
    if known:
        start = math.log10(min(answer.low for _, answer in known))
        end = math.log10(max(answer.high for _, answer in known))
        table = show.new_table(noun, "a step takes", "samples/s", "")
        for name, answer in known:
            table.add_row(_short(name), words.span(answer.low, answer.high), words.rate_span(answer, batch),
                          _bar(answer, start, end))  # fmt: skip
        show.out.print(table, width=WIDTH)
        launching = sum(answer.kind == "launching" for _, answer in known)
        if launching:
            show.print_wrapped("marked with dashes: bound by launching, which a faster GPU does not help")
        show.print_wrapped(f"{words.trust(known[len(known) // 2][1], formula.constants())} {ON_TOP}")
    reasons: dict[str, list[str]] = {}
    for name, answer in named:
        if answer.kind == "refused":
            reasons.setdefault(f"{answer.reason}. Known instead: {answer.instead}", []).append(name)
    for reason, names in reasons.items():
        n_sizes = Counter(name.partition(" (")[0] for name in names)
        folded = [base if n == 1 else f"{base} ({n} sizes)" for base, n in n_sizes.items()]
        show.print_wrapped(f"no estimate for {', '.join(names if show_all else folded)}: {reason}")
    if noun == "GPU" and not show_all:
        show.print_text("more cards: --all, or name one with --gpu")


def _short(name: str) -> str:
    """A network's name that leaves room for the rest."""
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1]}…"


def _bar(answer: formula.Estimate, start: float, end: float) -> str:
    """A range as a bar on the logarithmic scale from start to end."""
    width = (end - start) or 1.0
    first, last = (round((math.log10(x) - start) / width * (BAR_WIDTH - 1)) for x in (answer.low, answer.high))
    return " " * first + ("-" if answer.kind == "launching" else "=") * (last - first + 1)


def _fit(as_json: bool) -> None:
    """Fit, write, and print what came of it."""
    from bench.report.estimates import fit as fitting

    before = formula.FILE.read_bytes() if formula.FILE.exists() else b""
    found = fitting.fit()
    text = fitting.as_text(found)
    formula.FILE.write_bytes(text)
    if as_json:
        show.print_text(text.decode())
        return
    numbers = msgspec.to_builtins(found.terms)
    show.print_text(", ".join(f"{name} {value:g}" for name, value in numbers.items()))
    for name, held in found.ranges.items():
        show.print_text(
            f"range {name}: {held.low:g} to {held.high:g} times the middle, {held.inside} of {held.n} inside"
        )
    table = show.new_table(
        "left out of the fit", "groups", "points", "median", "9 in 10", "NVIDIA 9 in 10", "within 2x"
    )
    for line in found.held_out:
        shown = (f"{line[name]:.2f}" if line[name] else "" for name in ("median", "p90", "nvidia_p90"))
        table.add_row(
            str(line["left_out"]),
            str(line["groups"]),
            str(line["points"]),
            *shown,
            fmt.percent(float(line["within_2"])),
        )
    show.out.print(table)
    same = "as it was" if text == before else "changed"
    show.print_text(f"{show.relative(formula.FILE)}: {same}")


def _check(path: Path, as_json: bool) -> None:
    """Ask the formula for a file's rows, and print how far off it was."""
    report = checking.check(path)
    if as_json:
        found = {name: getattr(report, name) for name in ("skipped", "unknown_cards", "unknown_networks", "bad")}
        show.print_json(found | {"lines": report.lines(), "refused": report.refused()})
        return
    table = show.new_table("case", "rows", "median", "9 in 10", "within 1.75x", "in the range")
    for line in report.lines():
        inside = fmt.percent(float(line["in_range"])) if "in_range" in line else ""
        table.add_row(
            str(line["case"]), str(line["rows"]), f"{line['median']:.2f}", f"{line['p90']:.2f}",
            fmt.percent(float(line["within_1.75"])), inside,
        )  # fmt: skip
    show.out.print(table)
    for title, counted in (
        ("refused", report.refused()),
        ("left aside", report.skipped),
        ("unknown GPU", report.unknown_cards),
        ("unknown network", report.unknown_networks),
    ):
        for what, n in Counter(counted).most_common():
            show.print_text(f"{title}: {what}: {n}")
    for item in report.worst():
        show.print_text(
            f"farthest off: line {item.line}, {item.network} on {item.card}, batch {item.batch:g}:"
            f" {fmt.seconds(item.seconds)} measured, {fmt.seconds(item.estimate.seconds)} in the middle"
        )
    for problem in report.bad:
        show.print_text(f"not used: {problem}")
