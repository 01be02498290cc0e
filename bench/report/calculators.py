"""What the calculators of the guides start from: rates, prices, memory by batch. Pure: evidence in, values, HTML out.

The page holds every number as a data attribute, taken from records or from published rows; the script
docs/assets/js/calculators.js only multiplies and divides what stands there and what the reader types.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping

import msgspec

from bench.records.store import SessionResults
from bench.report import format as fmt
from bench.report import freshness, published, stats, studies, verdicts
from bench.report.rows import Evidence, fastest, variant_key
from bench.report.stats import Estimate
from bench.schema import BACKENDS, DEVICES, Backend, Device, Record, Scalar

IDS = ("how-long", "buy-or-rent")
# Studies that read memory by batch, and the one that finds the largest batch under a cap by trying.
READ_BY, TRIED_BY = ("memory", "memory-nets"), "memory-caps"
# Nets that are no workload of their own.
SMALL_NETS = {"cnn": "Small image network", "mlp": "Small dense network"}
# How long people wait, in words; the first and the last are the limits that the verdicts use.
LUNCH_S = 3600.0
PATIENCE: tuple[tuple[str, float], ...] = (
    ("coffee break", verdicts.COFFEE_BREAK_S),
    ("lunch", LUNCH_S),
    ("overnight", verdicts.OVERNIGHT_S),
)
TOO_LONG = "no"
# A peak that grows by less than this share between the two batches read tells no line: something else than the layers'
# outputs sets it, the optimizer's step say, and takes turns with them at some larger batch.
FLAT_FRAC = 0.25
# Sizes of cards, in bytes. A card of "8 GB" has 8 * 2^30, so that counting 10^9 leaves about 7 % for the driver.
CARD_SIZES_GB = (4, 6, 8, 12, 16, 24, 40, 80)
CARDS_BYTES = tuple(size * 10**9 for size in CARD_SIZES_GB)
# What the form shows first, by row id; the reader chooses others or types.
FIRST_CARD = "gpu-geforce-rtx-3060-12-gb-launch-price"
FIRST_RENT = "openrelay-rtx3090-2026-09"
DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Training speed of one workload on a CPU, and what passes before the first steady step."""

    workload: str
    title: str
    noun: str
    rate: Estimate  # samples per second
    start_s: float  # import and device, then the first step
    arm: str  # backend, cores and machine in words
    record: Record


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of training as a straight line through the smallest and the largest batch that were read."""

    title: str
    session: SessionResults
    backend: Backend
    device: Device
    precision: str
    small: Record
    large: Record
    per_sample_bytes: float
    fixed_bytes: float  # what the line has at batch zero
    growth_frac: float  # of the smaller batch's peak, what the larger one took more

    @property
    def is_flat(self) -> bool:
        """Whether the peak grew too little for a line through it to say anything of other batches."""
        return self.growth_frac < FLAT_FRAC

    def largest_batch(self, card_bytes: float) -> int:
        """Largest power of two whose line stays within the card; 0 where not even one sample fits."""
        n = int((card_bytes - self.fixed_bytes) // self.per_sample_bytes)
        return 2 ** int(math.log2(n)) if n >= 1 else 0


class Capped(msgspec.Struct, frozen=True, kw_only=True):
    """The largest batch that was found by trying under a cap; of several runs the smallest."""

    title: str
    session: SessionResults
    record: Record
    cap_bytes: float
    room_bytes: float | None  # what the cap leaves for the net; None where every try ended before that was known
    largest: int  # 0 where not even one sample fitted
    too_large: int | None  # the next batch, which did not fit; None where all that were tried did
    growth: Growth | None  # the line of the same net in the same session

    @property
    def computed(self) -> int | None:
        """The largest batch that the line has for the same room; None without a line that tells."""
        if self.growth is None or self.growth.is_flat or self.room_bytes is None:
            return None
        return self.growth.largest_batch(self.room_bytes)


def patience(seconds: float) -> str:
    """The word for a wait: "coffee break", "lunch", "overnight" or "no"."""
    return next((word for word, limit_s in PATIENCE if seconds <= limit_s), TOO_LONG)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The fastest CPU training arm of each model, in the first shown session that has one."""
    found = []
    for workload in evidence.model_workloads():
        for session in evidence.shown:
            record = evidence.best(session, workload, "train", "cpu")
            rate = None if record is None else stats.throughput(record)
            if record is None or rate is None:
                continue
            parts = (stats.start_up(record), stats.first_step(record))
            found.append(
                Rate(
                    workload=workload,
                    title=evidence.title(workload),
                    noun=evidence.noun(workload),
                    rate=rate,
                    start_s=sum(part.value for part in parts if part is not None),
                    arm=f"{fmt.backend(record.cell.backend)}, {evidence.cpu_text(session, record)}",
                    record=record,
                )
            )
            break
    return tuple(found)


def by_threads(evidence: Evidence, session: SessionResults, workload: str) -> dict[int, Record]:
    """The fastest float32 training record for each number of cores, all of the variant that is fastest on all cores."""
    best = evidence.best(session, workload, "train", "cpu")
    records = evidence.records(session, workload=workload, mode="train", device="cpu", precision="float32-strict")
    by_count: dict[int, list[Record]] = {}
    for record in records:
        if record.status == "ok" and variant_key(record) == variant_key(best) and stats.throughput(record) is not None:
            by_count.setdefault(record.cell.threads, []).append(record)
    return {n: fastest(evidence.undisturbed(same)) for n, same in by_count.items()}


def time_for(record: Record, n_samples: int) -> Estimate | None:
    """Seconds of steady training that a number of samples takes; start-up is left out."""
    step = stats.step_time(record)
    if step is None:
        return None
    factor = n_samples / record.cell.batch_size
    return msgspec.structs.replace(step, value=step.value * factor, low=step.low * factor, high=step.high * factor)


def growths(evidence: Evidence, session: SessionResults) -> tuple[Growth, ...]:
    """Memory by batch of every training cell of a session that was read at two batches or more, all else the same.

    A workload whose net a study read on the same arm is left out: the study reads the net without the libraries.
    """
    groups: dict[tuple, list[tuple[Record, Estimate]]] = {}
    for record in evidence.records(session, status="ok"):
        peak = _peak(record)
        if peak is not None:
            groups.setdefault(_all_but_batch(record), []).append((record, peak))
    found = []
    for points in groups.values():
        points.sort(key=lambda point: point[0].cell.batch_size)
        (small, low), (large, high) = points[0], points[-1]
        n_more = large.cell.batch_size - small.cell.batch_size
        per_sample = (high.value - low.value) / n_more if n_more else 0.0
        if per_sample <= 0:  # one batch only, or too small a net for the allocator to show it
            continue
        cell = small.cell
        found.append(
            Growth(
                title=_net_title(evidence, small),
                session=session,
                backend=cell.backend,
                device=cell.device,
                precision=cell.precision,
                small=small,
                large=large,
                per_sample_bytes=per_sample,
                fixed_bytes=max(low.value - per_sample * cell.batch_size, 0.0),
                growth_frac=high.value / low.value - 1,
            )
        )
    read = {(_net(g.small), g.backend, g.device) for g in found if g.small.cell.workload in READ_BY}
    found = [
        g for g in found if g.small.cell.workload in READ_BY or (g.small.cell.workload, g.backend, g.device) not in read
    ]
    return tuple(sorted(found, key=lambda g: (DEVICES.index(g.device), g.title, BACKENDS.index(g.backend))))


def caps(evidence: Evidence, session: SessionResults) -> tuple[Capped, ...]:
    """What a session found under caps, by net, cap and backend, each beside the line of its net."""
    lines = {_line_key(growth.small, growth.small.cell.params): growth for growth in growths(evidence, session)}
    found = []
    for record in evidence.records(session, workload=TRIED_BY, status="ok"):
        params = {name: value for name, value in record.cell.params.items() if name != "cap_gb"}
        readings = [run.readings for run in stats.ok_runs(record)]

        def least(name: str, readings: list[Mapping[str, float]] = readings) -> float | None:
            return min((r[name] for r in readings if name in r), default=None)

        too_large = least("too-large")
        found.append(
            Capped(
                title=_net_title(evidence, record),
                session=session,
                record=record,
                cap_bytes=least("cap") or 0.0,
                room_bytes=least("room"),
                largest=int(least("largest") or 0),
                too_large=None if too_large is None else int(too_large),
                growth=lines.get(_line_key(record, params)),
            )
        )
    return tuple(
        sorted(
            found,
            key=lambda c: (
                DEVICES.index(c.record.cell.device),
                c.title,
                c.cap_bytes,
                BACKENDS.index(c.record.cell.backend),
            ),
        )
    )


def _net(record: Record) -> str:
    return str(record.cell.params.get("net", ""))


def _net_title(evidence: Evidence, record: Record) -> str:
    """A net in words; of a study's nets with what tells it from others of the same name in its session."""
    cell, net = record.cell, _net(record)
    if net:
        like = evidence.records(evidence.session_of(record), workload=cell.workload, params={"net": net})
        own = {k: v for k, v in cell.params.items() if k != "cap_gb" and any(r.cell.params.get(k) != v for r in like)}
        title = SMALL_NETS.get(net) or evidence.title(net)
    else:
        own, title = evidence.distinct_params(record), evidence.title(cell.workload)
    is_whole = cell.device == "cpu" and cell.workload not in (*READ_BY, TRIED_BY)  # libraries are in it
    words = [part for part in (fmt.params(own), "whole process" if is_whole else "") if part]
    return title + (f" ({', '.join(words)})" if words else "")


def _line_key(record: Record, params: Mapping[str, Scalar]) -> tuple:
    cell = record.cell
    return (cell.backend, cell.device, cell.precision, tuple(sorted((k, str(v)) for k, v in params.items())))


def _peak(record: Record) -> Estimate | None:
    cell = record.cell
    if cell.workload in READ_BY:  # their data grow with the batch, and are read before the net is built
        if cell.n_samples != 2 * cell.batch_size:
            return None
        return studies.reading(record, "peak") or studies.reading(record, "peak-first")
    if cell.mode != "train":
        return None
    return stats.peak_device_bytes(record) if cell.device == "gpu" else stats.peak_host_bytes(record)


def _all_but_batch(record: Record) -> tuple:
    cell = record.cell
    data = 0 if cell.workload in READ_BY else cell.n_samples  # the data lie in the process's memory
    params = tuple((name, str(value)) for name, value in sorted(cell.params.items()))
    has_job = any(run.job is not None for run in record.runs)  # a whole job keeps more than its steps do
    return (cell.workload, params, cell.backend, cell.device, cell.precision, cell.jit, cell.threads, data, has_job)


# Prices.


def cards() -> tuple[published.Figure, ...]:
    """Published launch prices of cards."""
    return tuple(f for f in published.figures().values() if f.metric == "launch_price" and f.unit == "USD")


def rents() -> tuple[published.Figure, ...]:
    """Published prices of one rented GPU for an hour, newest first; without those whose date is no date."""
    found = [
        f
        for f in published.figures().values()
        if f.unit in ("USD/GPU-hour", "USD/hour") and f.hardware.startswith("1x") and DAY.fullmatch(f.date)
    ]
    return tuple(sorted(found, key=lambda f: (f.date[:4], -float(f.value)), reverse=True))


def break_even_hours(
    price: float, rent_per_h: float, *, resale: float = 0.0, watts: float = 0.0, price_per_kwh: float = 0.0
) -> float | None:
    """Rented hours that cost as much as a card of one's own; None where an own hour costs as much as a rented one."""
    saved_per_h = rent_per_h - watts / 1000 * price_per_kwh
    return max(price - resale, 0.0) / saved_per_h if saved_per_h > 0 else None


# Forms. Hidden until the script shows them: without it they could do nothing.


def how_long(evidence: Evidence) -> str:
    """Form that asks for model, samples and epochs; empty where nothing was measured."""
    known = rates(evidence)
    if not known:
        return ""
    options = "".join(
        _option(
            rate.workload,
            rate.title,
            {
                "rate": rate.rate.value,
                "low": rate.rate.low,
                "high": rate.rate.high,
                "n": rate.rate.n,
                "start": rate.start_s,
                "noun": rate.noun,
                "arm": rate.arm,
            },
        )
        for rate in known
    )
    limits = " ".join(f"{word}={limit_s:g}" for word, limit_s in PATIENCE).replace("coffee break", "coffee-break")
    fields = (
        _label("Model", f'<select name="case">{options}</select>'),
        _label("Samples", _number("samples", str(verdicts.COURSE_SAMPLES), low=1)),
        _label("Epochs", _number("epochs", "1", low=1)),
    )
    return _form("how-long", "How long will it take?", fields, {"limits": limits, "too-long": TOO_LONG})


def buy_or_rent() -> str:
    """Form that asks for prices, with published ones to start from, and the first pair worked out below it."""
    chosen = {"card": published.lookup(FIRST_CARD), "rent": published.lookup(FIRST_RENT)}
    selects = {}
    for name, rows, words in (("card", cards(), _card_words), ("rent", rents(), _rent_words)):
        selects[name] = "".join(
            _option(f.id, words(f), {"price": f.value, "date": f.date}, chosen=f.id == chosen[name].id) for f in rows
        )
    fields = (
        _label("Card, published price", f'<select name="card">{selects["card"]}</select>'),
        _label("Price of the card", _number("price", chosen["card"].value)),
        _label("You sell it later for", _number("resale", "0")),
        _label("Rent, published price", f'<select name="rent">{selects["rent"]}</select>'),
        _label("Rent of an hour", _number("hourly", chosen["rent"].value)),
        _label("Watts under load", _number("watts", "", hint="not counted")),
        _label("Price of a kWh", _number("kwh", "", hint="not counted")),
        _label("Hours you use a week", _number("weekly", "", hint="your own")),
    )
    return _form("buy-or-rent", "Buy or rent?", fields, {"old-days": freshness.PRICE_OLD_AT_DAYS - 1})


def worked_break_even() -> tuple[str, tuple[published.Figure, published.Figure]]:
    """The form's first pair worked out, in plain text, and the two rows it rests on."""
    card, rent = published.lookup(FIRST_CARD), published.lookup(FIRST_RENT)
    hours = break_even_hours(float(card.value), float(rent.value))
    return f"{card.value} / {rent.value} = {fmt.count(round(hours))} hours", (card, rent)


def _card_words(figure: published.Figure) -> str:
    return f"{figure.subject}: {figure.value} ({figure.date})"


def _rent_words(figure: published.Figure) -> str:
    return f"{figure.hardware.removeprefix('1x ')}, {figure.subject}: {float(figure.value):g} ({figure.date})"


def _attributes(data: dict[str, object]) -> str:
    return "".join(
        f' data-{name}="{html.escape(repr(value) if isinstance(value, float) else str(value), quote=True)}"'
        for name, value in data.items()
    )


def _option(value: str, text: str, data: dict[str, object], *, chosen: bool = False) -> str:
    mark = " selected" if chosen else ""
    return f'<option value="{html.escape(value, quote=True)}"{mark}{_attributes(data)}>{html.escape(text)}</option>'


def _number(name: str, value: str, *, low: int = 0, hint: str = "") -> str:
    shown = f' placeholder="{html.escape(hint, quote=True)}"' if hint else ""
    return f'<input type="number" name="{name}" value="{html.escape(value, quote=True)}" min="{low}" step="any"{shown}>'


def _label(title: str, control: str) -> str:
    return f"<label>{html.escape(title)}{control}</label>"


def _form(kind: str, title: str, fields: Iterable[str], data: dict[str, object]) -> str:
    return (
        f'<form class="calculator" data-calculator="{kind}" aria-label="{html.escape(title, quote=True)}"'
        f"{_attributes(data)} hidden>{''.join(fields)}"
        '<output aria-live="polite"></output></form>'
    )
