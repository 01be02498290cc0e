"""Facts: estimates, and what follows from them, as text inside a sentence. Pure: evidence in, words out.

A fact is looked up by a permanent name. Families of names follow from the workloads; the others are functions with
the decorator ``@fact``. A fact without a record reads "not measured yet"; an unknown name is an error.

``lookup`` asks the leading session first, then the others, and says which machine when it is not the leading one, so
that a machine with few records does not hide what others measured.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from weakref import WeakKeyDictionary

from bench.records.store import SessionResults
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import by_card, estimated, fact, families, machines, networks
from bench.report.facts.fact import DERIVED, NOT_MEASURED, CellKey, Entry, Fact, FactError, Found
from bench.report.facts.families import Signature
from bench.report.facts.networks import ARTICLE_IMAGES, IMAGENET_EPOCHS, IMAGENET_IMAGES
from bench.report.stats import format as fmt
from bench.report.stats import spoken
from bench.schema import BACKENDS, Part, Record, Workload
from bench.workloads import registry


def lookup(name: str, evidence: Evidence) -> Fact:
    """The fact of that name.

    Raises:
        FactError: no such fact; the message names near ones.
    """
    entries = _entries_of(evidence)
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.5)
        hint = f"; near ones: {', '.join(near)}" if near else ""
        raise FactError(f"no fact {name!r}{hint}; python scripts/check_prose.py --facts TEXT lists them")
    entry = entries[name]
    for session in evidence.shown or ((None,) if entry.of_all else ()):
        found = entry.make(evidence, session)
        if found is not None:
            records = [home.records[cell] for home, cell in found.cells]
            doubts = _doubts(evidence, records)
            is_noisy = found.estimate is not None and found.estimate.is_noisy
            return Fact(
                id=name,
                title=entry.title,
                text=_placed(evidence, session, entry, found),
                short=_short(found, records),
                how=entry.how,
                kind="measured",
                estimate=found.estimate,
                cells=found.cells,
                note="; ".join(part for part in (found.note, *doubts) if part),
                is_doubted=is_noisy or any(doubts),
                session=None if entry.of_all else session,
                machine="" if session is None else _machine(evidence, session, found.cells),
            )
        if entry.of_all:
            break
    guess = estimated.of(name, evidence) or by_card.of(name, evidence)
    if guess is None:
        return Fact(id=name, title=entry.title, text=NOT_MEASURED, short=NOT_MEASURED, how=entry.how, kind="missing")
    home, cell = guess.cells[0] if guess.cells else (None, "")  # none of what follows from published figures alone
    is_own = home is None or name.endswith(estimated.BESIDE)
    return Fact(
        id=name,
        title=entry.title,
        text=guess.text,
        short=_short(guess, [] if home is None else [home.records[cell]]),
        how=entry.how if is_own else estimated.HOW if guess.figure is None else estimated.HOW_PUBLISHED,
        kind="measured" if guess.cells and is_own else "estimated" if guess.figure is None else "published",
        estimate=guess.estimate,
        cells=guess.cells,
        note=guess.note,
        session=home,
        machine="" if home is None else _machine(evidence, home, guess.cells),
        card=guess.card,
        figure=guess.figure,
    )


def _placed(evidence: Evidence, session: SessionResults | None, entry: Entry, found: Found) -> str:
    """The text, with its machine where that is not the leading one and the text does not name it."""
    if session is None or session is evidence.lead or entry.of_all or entry.is_place:
        return found.text
    return fact.placed(found.text, evidence.view(session).label)


def _short(found: Found, records: Sequence[Record]) -> str:
    """The number as a sentence says it."""
    if found.short or found.estimate is None:
        return found.short or found.text
    return spoken.spoken(found.estimate, records[0].spec.sample_noun if records else "samples")


def _machine(evidence: Evidence, session: SessionResults, cells: Sequence[CellKey]) -> str:
    """What a number of a session was measured on, in words; of both devices the GPU beside the CPU."""
    view = evidence.view(session)
    if session.is_local:
        return view.label
    own = [session.records[cell] for home, cell in cells if home is session]
    on = {record.cell.device: record for record in own}
    gpu = fmt.with_article(view.gpu_text(on["gpu"])) if "gpu" in on else ""
    cpu = view.cores_text(on.get("cpu")) if "cpu" in on or not gpu else ""
    return " beside ".join(filter(None, (gpu, cpu)))


def _doubts(evidence: Evidence, records: Sequence[Record]) -> tuple[str, ...]:
    """What disturbed the cells behind a number, whether they are old or hours apart; nothing for more than two."""
    if len(records) > 2:
        return ()
    return evidence.disturbance(records), evidence.age(records), evidence.distance(records)


def measured(name: str, evidence: Evidence) -> bool:
    """Whether the fact has a record.

    Raises:
        FactError: no such fact.
    """
    return lookup(name, evidence).measured


def known(name: str, evidence: Evidence) -> bool:
    """Whether the fact has a record, a published figure or an estimate.

    Raises:
        FactError: no such fact.
    """
    return lookup(name, evidence).kind != "missing"


def names(workloads: Mapping[str, Workload]) -> tuple[str, ...]:
    """Names of all facts, sorted."""
    return tuple(sorted(_entries(families.signature(workloads))))


def misplaced(name: str) -> str:
    """What to say of a fact that is the leading machine's name, where the numbers beside it may be another's."""
    if name not in DERIVED or not DERIVED[name].is_place:
        return ""
    return f'{name!r} may be another machine than that of the numbers beside it; write where("...") with one of them'


_KNOWN: WeakKeyDictionary[Evidence, dict[str, Entry]] = WeakKeyDictionary()


def _entries_of(evidence: Evidence) -> dict[str, Entry]:
    """All facts of these results; kept as long as they are."""
    if evidence not in _KNOWN:
        _KNOWN[evidence] = _entries(families.signature(evidence.workloads))
    return _KNOWN[evidence]


@cache
def _entries(workloads: tuple[Signature, ...]) -> dict[str, Entry]:
    entries = {**DERIVED, **by_card.entries()}
    for backend in BACKENDS:
        entries[f"start-up-{backend}"] = families.start_up(backend)
    for spec in workloads:
        parts = registry.names(spec.id).parts
        if spec.is_model:
            entries |= families.family(spec, spec.id, f"{spec.title}, ")
            for part in parts:
                title = f"{spec.title}, {part.label}, "
                entries |= families.family(spec, f"{spec.id}-{part.id}", title, _pick(part))
            if spec.has_target:
                entries |= families.target_family(spec)
        entries |= families.study_family(spec, spec.id, spec.title)
        for part in parts:
            title = f"{spec.title}, {part.label}"
            entries |= families.study_family(spec, f"{spec.id}-{part.id}", title, _pick(part))
    return entries


def _pick(part: Part) -> Pick:
    """The cells of a part of a workload."""
    return Pick(batch_size=int(part.value)) if part.param == "batch_size" else Pick(params={part.param: part.value})


networks.images(
    "resnet50-imagenet-epoch",
    "one pass over the training images of ImageNet",
    IMAGENET_IMAGES,
    f"Steady step times the {IMAGENET_IMAGES:,} images over the batch size; reading the images is left out.",
)
networks.images(
    "resnet50-imagenet-90-epochs",
    "ninety passes over the training images of ImageNet",
    IMAGENET_IMAGES * IMAGENET_EPOCHS,
    f"Steady step times {IMAGENET_EPOCHS} x {IMAGENET_IMAGES:,} images over the batch size; evaluation is left out.",
)
networks.images(
    "resnet50-2000-images",
    "one pass over two thousand images",
    ARTICLE_IMAGES,
    f"Steady step times {ARTICLE_IMAGES:,} images over the batch size; start-up and first step are left out.",
)


networks.extreme("speedup-smallest", "smallest", lambda n: 0)
networks.extreme("speedup-largest", "largest", lambda n: n - 1)
networks.extreme("speedup-median", "middle", lambda n: (n - 1) // 2)


machines.probe_rate("cpu")
machines.probe_rate("gpu")


for _precision in ("mixed_bfloat16", "mixed_float16"):
    machines.sixteen_bits(_precision, "matmul", "best")
    machines.sixteen_bits(_precision, "train", "best")
    machines.sixteen_bits(_precision, "train", "worst")


networks.grid_end("mlp-smallest-step", "smallest", 0)
networks.grid_end("mlp-largest-step", "largest", -1)


machines.overhead("harness-overhead", "clock", "what the clock of this benchmark adds to a step of fit")
machines.overhead(
    "harness-overhead-again", "again", "what a second fit adds to a step of the first, though nothing differs"
)


for _backend in BACKENDS:
    machines.late_jobs(_backend)
