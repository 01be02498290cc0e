"""Figures from elsewhere and the claims of the articles, each with its source. Reads bench/published/."""

from __future__ import annotations

import csv
import difflib
import re
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec
import yaml

from bench.report.published.cards import cards
from bench.report.published.said import said
from bench.report.published.strict import FOLDER, PublishedError

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there

Evidence = Literal[
    "measured", "derived", "documented", "secondary", "observed", "anecdote", "catalogue", "vendor-claim", "vendor-spec"
]
KINDS: tuple[Evidence, ...] = get_args(Evidence)

# What a reader must know before believing a kind of evidence; the other kinds need no warning.
WARNINGS: dict[str, str] = {
    "anecdote": "one user's report",
    "vendor-claim": "the vendor's own claim",
    "vendor-spec": "the vendor's data sheet",
    "secondary": "repeated by a third party",
    "derived": "arithmetic on the source's numbers",
}
RATIO_WARNING = "the source's GPU times look too short for its stated batch, so the ratio is doubtful"


# Units that only say what kind of name the value is.
NAME_UNITS = frozenset({"GPU model", "accelerator"})


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number or statement from elsewhere. ``url`` is empty where the source has no page; dates may be "undated"."""

    id: str
    subject: str
    metric: str
    value: str
    unit: str
    hardware: str
    software: str
    batch_size: str
    date: str
    source: str
    url: str
    evidence: Evidence
    warning: str
    file: str  # repo-relative path of the file that holds the row
    offer: str = ""  # what it is a price of, where several rows are prices of one and the same thing

    @property
    def text(self) -> str:
        """Value and unit as a reader expects them: "12.7x", "58.2 ms", "about 30 hours per week", "restricted"."""
        if self.unit == "x":
            return f"{self.value}x"
        if not self.unit or self.unit in NAME_UNITS:
            return self.value
        if not any(sign.isdigit() for sign in self.value):
            return f"{self.value} ({self.unit})"
        for bound in ("about", "over"):
            if self.unit.endswith(f"({bound})"):
                return f"{bound} {self.value} {self.unit.removesuffix(f'({bound})').strip()}"
        return f"{self.value} {self.unit}"

    @property
    def short(self) -> str:
        """The same as a sentence says it: "12.7 times", "56 minutes"."""
        return said(self.value, self.unit) or self.text

    @property
    def what(self) -> str:
        """Subject, quantity and hardware in words."""
        parts = [self.subject, self.metric.replace("_", " ")]
        return ", ".join(part for part in (*parts, self.hardware) if part)


class Sum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arithmetic on the articles' own numbers: the product of ``over`` divided by that of ``under``.

    Each entry is a claim's id and the name of one of its numbers: "b-135s-vs-21s.cpu_s".
    """

    name: str
    over: tuple[str, ...]
    under: tuple[str, ...]


Word = Literal["confirmed", "refuted", "depends", "outdated", "not measurable", "not measured yet"]


class ClaimRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What settles a claim: a belief, or a test over facts, published rows, ages or the articles' own numbers."""

    decided_by: str = ""  # a belief
    says: bool = True  # what the claim says of the belief
    facts: tuple[str, ...] = ()  # ids of facts with an estimate
    rows: tuple[str, ...] = ()  # ids of published rows with a number, or with a statement for ``begins``
    quotients: tuple[tuple[str, str], ...] = ()  # a published row over another
    sums: tuple[Sum, ...] = ()
    ages: tuple[str, ...] = ()  # published rows whose date counts, in years before the newest observation
    begins: str = ""  # how a published statement begins where the claim holds
    at_least: float | Sum | None = None
    at_most: float | Sum | None = None
    needs: Literal["always", "throughout", "mostly", "once", "varies"] = "always"
    holds: Word = "confirmed"
    fails: Word = "refuted"
    reason: str = ""  # why the threshold is where it is, or what the rule compares


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim of an article. ``page`` explains it; ``numbers`` are those that the article gives, by name."""

    id: str
    article: Literal["a", "b"]
    section: str
    claim: str
    kind: Literal["measurable-here", "checkable-against-published", "opinion", "outdated"]
    test: str
    evidence: tuple[str, ...]
    page: str
    numbers: dict[str, float] = {}
    rule: ClaimRule | None = None


NamedKind = Literal["framework", "model", "vendor", "hardware", "data set", "service", "system"]


class Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that an article names, or leaves out beside what it names."""

    id: str
    name: str
    type: NamedKind
    articles: str  # "a", "b", "ab", or "" for what both leave out
    evidence: tuple[str, ...]
    page: str
    workloads: tuple[str, ...] = ()  # workloads of ours that measure it
    machines: str = ""  # part of a CPU's or GPU's name by which a measured machine has it
    last: str = ""  # published row with the last release


class Article(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two articles the site answers."""

    title: str
    note: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    articles: dict[str, Article]
    claims: tuple[Claim, ...]
    named: tuple[Named, ...]


@cache
def figures(folder: Path = FOLDER) -> dict[str, Figure]:
    """Every published figure by row id, in file order.

    Raises:
        PublishedError: an id occurs twice, a row lacks value, source or date, or is disputed.
    """
    found: dict[str, Figure] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_from_row(row, path) for row in csv.DictReader(file)]
        _add(found, rows)
    if (folder / "gpu").exists():
        _add(found, _from_cards(folder / "gpu" / "cards.csv"))
    cloud = folder / "cloud_and_free_gpu.yaml"
    if cloud.exists():
        _add(found, _from_cloud(cloud))
    return found


def lookup(row_id: str, folder: Path = FOLDER) -> Figure:
    """The published figure with that row id.

    Raises:
        PublishedError: no such row; the message names near ones.
    """
    known = figures(folder)
    if row_id not in known:
        near = difflib.get_close_matches(row_id, known, n=3)
        hint = f"; near ones: {', '.join(near)}" if near else ""
        raise PublishedError(f"no published row {row_id!r} in bench/published/{hint}")
    return known[row_id]


def offers(name: str, folder: Path = FOLDER) -> tuple[Figure, ...]:
    """The published prices of one and the same thing.

    Raises:
        PublishedError: no row is a price of it.
    """
    found = tuple(figure for figure in figures(folder).values() if figure.offer == name)
    if not found:
        raise PublishedError(f"no published row has the offer {name!r}; see bench/published/cloud_and_free_gpu.yaml")
    return found


@cache
def _peaks(folder: Path) -> dict[str, str]:
    return yaml.load((folder / "gpu_peaks.yaml").read_text(encoding="utf-8"), Loader=YAML_LOADER)


def peak_row(gpu: str, folder: Path = FOLDER) -> str:
    """Row id of a GPU's float32 peak, by the GPU's name as its driver gives it; empty where none is known."""
    return next((row for part, row in _peaks(folder).items() if part in gpu), "")


@cache
def claims(folder: Path = FOLDER) -> tuple[Claim, ...]:
    """Every claim of the two articles, in the order in which the articles make them."""
    return _claims_file(folder).claims


def named(folder: Path = FOLDER) -> tuple[Named, ...]:
    """Every framework, model, vendor, data set and service that the articles name."""
    return _claims_file(folder).named


def articles(folder: Path = FOLDER) -> dict[str, Article]:
    """The two articles, by letter."""
    return _claims_file(folder).articles


def rules(folder: Path = FOLDER) -> dict[str, dict[str, object]]:
    """The rules of the claims as they are written, by id of the claim, to be checked before they are used."""
    data = yaml.load((folder / "claims.yaml").read_text(encoding="utf-8"), Loader=YAML_LOADER)
    return {claim["id"]: claim["rule"] for claim in data["claims"] if claim.get("rule") is not None}


@cache
def _claims_file(folder: Path) -> _Claims:
    path = folder / "claims.yaml"
    try:
        return msgspec.convert(yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER), _Claims)
    except msgspec.ValidationError as error:
        raise PublishedError(f"bench/published/{path.name}: {error}") from error


def place_of(entry_id: str, folder: Path = FOLDER) -> str:
    """File and line of a claim or of something named, for messages: "bench/published/claims.yaml:120"."""
    path = folder / "claims.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next((number for number, line in enumerate(lines, 1) if line == f"- id: {entry_id}"), 1)
    return f"bench/published/{path.name}:{at}"


def _add(found: dict[str, Figure], rows: list[Figure]) -> None:
    for figure in rows:
        if figure.id in found:
            raise PublishedError(f"{figure.file}: row id {figure.id!r} also stands in {found[figure.id].file}")
        missing = [name for name in ("value", "source", "date") if not getattr(figure, name)]
        if missing:
            raise PublishedError(f"{figure.file}: row {figure.id!r} has no {', '.join(missing)}")
        if figure.url and not figure.url.startswith(("https://", "http://")):
            raise PublishedError(f"{figure.file}: row {figure.id!r} has the address {figure.url!r}; write https://...")
        if figure.metric.endswith("_disputed"):
            raise PublishedError(f"{figure.file}: row {figure.id!r} is disputed; sources disagree, so it is not shown")
        found[figure.id] = figure


def _from_row(row: dict[str, str], path: Path) -> Figure:
    ratio = row["metric"] == "cpu_over_gpu_time_ratio" and path.name == "keras_applications.csv"
    return _figure(
        path,
        id=row["id"],
        subject=row["subject"],
        metric=row["metric"],
        value=row["value"],
        unit=row["unit"],
        hardware=row["hardware"],
        software=row["software"],
        batch_size=row["batch_size"],
        date=row["date"],
        source=row["source_title"],
        url=row["source_url"],
        evidence=row["evidence"],
        warning=RATIO_WARNING if ratio else "",
    )


def _from_cards(path: Path) -> list[Figure]:
    """What cards.csv says of each card, one figure a number."""
    found = []
    for card in cards(path).values():
        slug = re.sub(r"[^a-z0-9]+", "-", card.name.lower()).strip("-")
        numbers = (
            ("peak_fp32", card.fp32, 1e12, "TFLOP/s"),
            ("memory", card.memory, 1e9, "GB"),
            ("memory_bandwidth", card.bandwidth, 1e9, "GB/s"),
            ("tdp", card.watts, 1, "W"),
        )
        found += [
            _figure(
                path,
                id=f"gpu-{slug}-{metric.replace('_', '-')}",
                subject=card.name,
                metric=metric,
                value=f"{value / scale:g}",
                unit=unit,
                hardware=card.name,
                software="",
                batch_size="",
                date=card.released,
                source=card.source_title,
                url=card.url,
                evidence="secondary",
            )
            for metric, value, scale, unit in numbers
            if value is not None
        ]
    return found


def _from_cloud(path: Path) -> list[Figure]:
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)
    rows = [*data["free_tiers"], *data["cloud_prices"]]
    found = [
        _figure(
            path,
            id=row["id"],
            subject=row["provider"],
            metric=row.get("what") or f"price of {row['instance']}",
            value=str(row["value"]),
            unit=row["unit"],
            hardware=row.get("accelerator", ""),
            software="",
            batch_size="",
            date=str(row["date"]),
            source=row["source_title"],
            url=row["source_url"],
            evidence=row["evidence"],
            offer=row.get("offer", ""),
        )
        for row in rows
    ]
    for row in data["derived"]:
        value, unit = _derived_value(row)
        found.append(
            _figure(
                path,
                id=row["id"],
                subject=row["what"],
                metric=row.get("note", ""),
                value=value,
                unit=unit,
                hardware="",
                software="",
                batch_size="",
                date="undated",
                source=f"our arithmetic on {row['read_in']}",
                url="",
                evidence="derived",
            )
        )
    return found


def _derived_value(row: dict[str, object]) -> tuple[str, str]:
    if "ratio" in row:
        return str(row["ratio"]), "x"
    if "gpu_usd" in row:
        return f"{row['cpu_usd']:.2f} against {row['gpu_usd']:.2f}", "USD"
    return "the same", "price"


def _figure(path: Path, *, evidence: str, warning: str = "", **fields: str) -> Figure:
    # "secondary (mirror; ...)" keeps its remark as the warning.
    kind = evidence.split(" ", maxsplit=1)[0]
    remark = evidence[len(kind) :].strip(" ()")
    try:
        return msgspec.convert(
            fields
            | {
                "evidence": kind,
                "warning": warning or remark or WARNINGS.get(kind, ""),
                "file": f"bench/published/{path.relative_to(FOLDER) if path.is_relative_to(FOLDER) else path.name}",
            },
            Figure,
        )
    except msgspec.ValidationError as error:
        raise PublishedError(f"bench/published/{path.name}: row {fields['id']!r}: {error}") from error
