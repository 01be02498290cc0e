"""The formula against rows that the fit has not seen: factors between measured and estimated, coverage of the range.

The file is read leniently: columns in any order, under several names, most of them optional; what cannot be used is
counted and named.
"""

from __future__ import annotations

import csv
import errno
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np

from bench.report.estimates import formula, networks
from bench.report.estimates.formula import Case, Constants, Estimate
from bench.report.estimates.rows import InputFrom, Optimizer, Precision, is_tensorflow
from bench.report.published import cards
from bench.report.published.strict import PublishedError

# Names of columns, the usual one first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "network": ("model", "network", "net"),
    "input": ("input", "input_size", "image_size", "size"),
    "card": ("device", "card", "gpu", "hardware"),
    "framework": ("framework", "software"),
    "precision": ("precision", "dtype"),
    "batch": ("batch_size", "batch", "batchsize"),
    "optimizer": ("optimizer",),
    "input_from": ("input_from",),
    "value": ("throughput", "value", "speed"),
    "unit": ("unit",),
    "step_ms": ("step_ms", "ms_per_step", "milliseconds_per_step"),
    "mode": ("mode",),
    "kind": ("device_kind",),
    "devices": ("n_devices", "devices"),
    "forward": ("fwd_gflops",),
    "note": ("note", "notes"),
}
PRECISIONS: dict[str, Precision] = {
    "": "fp32", "fp32": "fp32", "float32": "fp32", "single": "fp32", "tf32": "tf32", "tf32conv": "tf32-conv",
    "amp": "amp", "mixed": "amp", "mixedprecision": "amp", "mixedfloat16": "amp", "fp16mixed": "amp", "ampfp16": "amp",
    "fp16": "fp16", "float16": "fp16", "half": "fp16", "bf16": "bf16", "bfloat16": "bf16", "ampbf16": "bf16",
    "mixedbfloat16": "bf16",
}  # fmt: skip
SAMPLES = r"(?:images?|imgs?|img|sequences?|seqs?|samples?|examples?|sentences?)"
RATE = re.compile(rf"{SAMPLES}(?:/| per )(?:s|sec|second)s?", re.IGNORECASE)
STEP = re.compile(r"(ms|s|us|sec|milliseconds|seconds)(?:(?:/| per )(?:step|batch|iteration|it))", re.IGNORECASE)
STEP_S = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6}
OTHER_UNITS = re.compile(r"(tokens?|mel frames?|audio samples?|frames?|words?)(?:/| per )s(?:ec|econd)?", re.IGNORECASE)
# Two counts of one network's operations agree so far.
COUNT_AGREES = 0.02
N_WORST = 5


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One row with what the formula says of it."""

    line: int
    id: str
    network: str
    card: str
    vendor: str
    batch: float
    seconds: float
    estimate: Estimate

    @property
    def factor(self) -> float:
        """Measured over estimated, or the inverse, whichever is larger."""
        return math.exp(abs(math.log(self.seconds / self.estimate.seconds)))

    @property
    def is_inside(self) -> bool:
        """Whether the range holds what was measured."""
        return self.estimate.low <= self.seconds <= self.estimate.high


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: the rows asked, and by reason how many were not."""

    checked: tuple[Checked, ...]
    skipped: dict[str, int]
    unknown_cards: dict[str, int]
    unknown_networks: dict[str, int]
    bad: tuple[str, ...]  # line and what is wrong with it

    def lines(self) -> list[dict[str, str | int | float]]:
        """Factors and coverage, by case."""
        asked = [item for item in self.checked if item.estimate.kind != "refused"]
        nvidia = [item for item in asked if item.vendor == "NVIDIA"]
        found = [
            _line("all with a number, refused or not", self._numbered(), with_range=False),
            _line("not refused", asked),
            _line("not refused, NVIDIA", nvidia),
            _line("not refused, AMD", [item for item in asked if item.vendor == "AMD"]),
        ]
        for name in ("nvidia", "keras", "launching"):
            found.append(_line(f"range: {name}", [i for i in nvidia if i.estimate.range_of == name]))
        return [line for line in found if line["rows"]]

    def refused(self) -> dict[str, int]:
        """Rows that were refused, by reason."""
        reasons = Counter(item.estimate.reason for item in self.checked if item.estimate.kind == "refused")
        return dict(reasons.most_common())

    def worst(self) -> list[Checked]:
        """The rows farthest off."""
        asked = [item for item in self.checked if item.estimate.kind != "refused"]
        return sorted(asked, key=lambda item: -item.factor)[:N_WORST]

    def _numbered(self) -> list[Checked]:
        return [item for item in self.checked if math.isfinite(item.estimate.seconds)]


def _line(name: str, items: list[Checked], *, with_range: bool = True) -> dict[str, str | int | float]:
    line: dict[str, str | int | float] = {"case": name, "rows": len(items)}
    if items:
        factors = np.array([item.factor for item in items])
        line |= {
            "median": round(float(np.median(factors)), 3),
            "p90": round(float(np.quantile(factors, 0.9)), 3),
            "within_1.75": round(float(np.mean(factors <= 1.75)), 3),
        }
        if with_range:
            line["in_range"] = round(sum(item.is_inside for item in items) / len(items), 3)
    return line


class _Skip(Exception):
    """The row is not what the formula is for."""


class _Bad(Exception):
    """The row is wrong."""


def check(path: Path, given: Constants | None = None) -> Report:
    """Ask the formula for every row of a file.

    Raises:
        OSError: the file cannot be read.
        PublishedError: it lacks a column that nothing can be said without.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no regular file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            names = _columns(path, reader.fieldnames or [])
            lines = [
                (reader.line_num, {key: (raw.get(name) or "").strip() for key, name in names.items()}) for raw in reader
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            raise PublishedError(f"{path.name}:{reader.line_num + 1}: expected UTF-8 text as CSV: {error}") from error
    skipped: Counter[str] = Counter()
    no_card: Counter[str] = Counter()
    no_network: Counter[str] = Counter()
    bad: list[str] = []
    asked: list[tuple[int, dict[str, str], Case, float]] = []
    seen: set[tuple[str, ...]] = set()
    for number, cells in lines:
        same = tuple(cells.values())
        if same in seen:
            skipped["the same row again"] += 1
            continue
        seen.add(same)
        try:
            case, seconds = _case(cells, no_card, no_network)
        except _Skip as reason:
            skipped[str(reason)] += 1
        except _Bad as problem:
            bad.append(f"{path.name}:{number}: {problem}")
        else:
            asked.append((number, cells, case, seconds))
    answers = formula.estimates([case for _, _, case, _ in asked], given)
    checked = tuple(
        Checked(
            line=number,
            id=cells.get("id", ""),
            network=case.network.id,
            card=case.card.name,
            vendor=case.card.vendor,
            batch=case.batch,
            seconds=seconds,
            estimate=answer,
        )
        for (number, cells, case, seconds), answer in zip(asked, answers, strict=True)
    )
    return Report(
        checked=checked,
        skipped=dict(skipped.most_common()),
        unknown_cards=dict(no_card.most_common()),
        unknown_networks=dict(no_network.most_common()),
        bad=tuple(bad),
    )


def _columns(path: Path, head: Sequence[str]) -> dict[str, str]:
    """The file's name of each column that it has."""
    plain = {re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_"): name for name in head}
    found = {key: plain[name] for key, known in COLUMNS.items() for name in known[::-1] if name in plain}
    for key in ("network", "card", "batch"):
        if key not in found:
            raise PublishedError(f"{path.name}:1: no column {COLUMNS[key][0]}; name one so (or {COLUMNS[key][1]})")
    if "value" not in found and "step_ms" not in found:
        raise PublishedError(f"{path.name}:1: no column throughput with its unit, and none step_ms")
    return found


def _case(cells: dict[str, str], no_card: Counter[str], no_network: Counter[str]) -> tuple[Case, float]:
    """The case of a row and its measured seconds."""
    if cells.get("mode", "train").lower() not in ("", "train", "training"):
        raise _Skip("not training")
    if cells.get("kind", "gpu").lower() not in ("", "gpu"):
        raise _Skip("not on a GPU")
    if cells.get("devices") not in (None, "", "1", "1.0"):
        raise _Skip("on several GPUs")
    if not cells["batch"]:
        raise _Skip("no batch")
    batch = _number(cells["batch"], "batch")
    seconds = _seconds(cells, batch)
    precision = PRECISIONS.get(re.sub(r"[^a-z0-9]", "", cells.get("precision", "").lower()))
    if precision is None:
        raise _Bad(f"precision {cells['precision']!r} is not known")
    network = _network(cells)
    if network is None:
        no_network[f"{cells['network']} {cells.get('input', '')}".strip()] += 1
    try:
        card = cards.card(cells["card"])
    except PublishedError:
        no_card[cells["card"]] += 1
        raise _Skip("unknown GPU") from None
    if network is None:
        raise _Skip("unknown network")
    framework = cells.get("framework", "")
    case = Case(
        network=network,
        card=card,
        batch=batch,
        precision=precision,
        optimizer=_optimizer(cells, network),
        is_keras="keras" in framework.lower(),
        is_tensorflow=is_tensorflow(framework),
        input_from=_input_from(cells),
    )
    return case, seconds


def _number(text: str, what: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise _Bad(f"{what} is {text!r}, not a number above zero")
    return value


def _seconds(cells: dict[str, str], batch: float) -> float:
    """A step's time, from a throughput or from the time itself."""
    if cells.get("step_ms"):
        return _number(cells["step_ms"], "step_ms") / 1e3
    value, unit = _number(cells.get("value", ""), "throughput"), cells.get("unit", "")
    if RATE.fullmatch(unit):
        return batch / value
    if step := STEP.fullmatch(unit):
        return value * STEP_S[step.group(1).lower()]
    if OTHER_UNITS.fullmatch(unit):
        raise _Skip(f"in {unit}, of which a step holds no known number")
    raise _Bad(f"unit {unit!r} is not known")


def _network(cells: dict[str, str]) -> networks.Network | None:
    """The network by its id or by name, input and, where several have both, operations."""
    name, size = cells["network"], cells.get("input", "")
    if name in networks.published():
        return networks.published()[name]
    found = [
        item for item in networks.candidates(name) if not size or networks.sizes(item.size) == networks.sizes(size)
    ]
    if len(found) > 1 and cells.get("forward"):
        forward = _number(cells["forward"], "fwd_gflops") * 1e9
        off = {item.id: abs((item.forward or math.inf) / forward - 1) for item in found}
        near = min(found, key=lambda item: off[item.id])
        found = [near] if off[near.id] <= COUNT_AGREES else found
    counted = [item for item in found if item.is_counted] or found
    if size or len(counted) < 2:
        return counted[0] if counted else None
    return max(counted, key=lambda item: networks.sizes(item.size) == (224,))


def _optimizer(cells: dict[str, str], network: networks.Network) -> Optimizer:
    """As the row names it, or as its note tells; else what such networks are mostly trained with."""
    name, note = cells.get("optimizer", "").lower(), cells.get("note", "").lower()
    if name in get_args(Optimizer):
        return name  # type: ignore[return-value]
    if "no optimizer step" in note or "forward and backward" in note:
        return "none"
    named = name or (re.findall(r"optimizer (\w+)", note) or [""])[0]
    if named:
        return "sgd" if named in ("sgd", "gradient", "adagrad", "momentum") else "adam"
    return "adam" if network.family == "transformer" else "sgd"


def _input_from(cells: dict[str, str]) -> InputFrom:
    """Where a step's samples come from, as far as a row tells."""
    if cells.get("input_from") in get_args(InputFrom):
        return cells["input_from"]  # type: ignore[return-value]
    note = cells.get("note", "").lower()
    if any(word in note for word in ("jpeg", "decoded on the cpu", "augmentation on the cpu")):
        return "pictures"
    if "strings" in note or "vectorized inside" in note:
        return "strings"
    return "memory" if "in memory" in note or "synthetic" in note else ""
