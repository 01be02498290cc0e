"""All data to take away: records, tables of them as CSV and Parquet, what each column means, and one archive of it all.

Every table has its columns declared here or in ``evidence.frame``, each with a meaning and of a number its unit; the
data dictionary is made of that and of the JSON Schema.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import REPOSITORY
from bench.records import codec
from bench.report import templates
from bench.report.estimates import formula, networks, rows
from bench.report.evidence import frame
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.frame import FRAME_COLUMNS, STUDY_COLUMNS, Column
from bench.report.pages import addresses, further, markup, sharing
from bench.report.pages.addresses import Files
from bench.report.pages.cache import CACHE
from bench.report.pages.markup import PARTS
from bench.report.published import cards
from bench.report.published import figures as published
from bench.report.published.sources import sources
from bench.report.stats import format as fmt
from bench.report.tables.table import for_spreadsheets

if TYPE_CHECKING:
    import polars as pl

ARCHIVE = "data/do-i-need-a-gpu-data.zip"
DICTIONARY, SCHEMA, PAGE = "data/dictionary.csv", "data/schema.json", "data/index.md"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: equal data make equal bytes
DATA = templates.macros("data.md.j2")


class Described(NamedTuple):
    """A table's file name, what a row of it is, and its columns."""

    name: str
    row: str
    columns: Mapping[str, Column]


RECORDS = Described("records", "A measured cell, with its estimates", FRAME_COLUMNS)
STUDIES = Described("studies", "A series that a study timed, or a reading that it took", STUDY_COLUMNS)
PUBLISHED = Described(
    "published",
    "A figure from elsewhere",
    {
        "id": Column("String", "id of the row, by which pages name it"),
        "subject": Column("String", "of what it is: a network, a card, a service"),
        "metric": Column("String", "what was counted or measured"),
        "value": Column("String", "as the source gives it"),
        "unit": Column("String", "as the source gives it"),
        "hardware": Column("String", "on which it was measured"),
        "software": Column("String", "with which it was measured"),
        "batch_size": Column("String", "samples of a step"),
        "date": Column("String", "of the figure; undated where the source has none"),
        "source": Column("String", "title of the source"),
        "url": Column("String", "address of the source"),
        "evidence": Column("String", "kind of evidence: measured, derived, documented, anecdote and others"),
        "warning": Column("String", "what to know before believing it"),
        "file": Column("String", "file of this repository that holds the row"),
        "offer": Column("String", "of a price: what it buys, where several rows are prices of it"),
    },
)
ESTIMATES = Described(
    "estimates",
    "A published training step on a GPU beside what our formula says of it",
    {
        "id": Column("String", "id of the published row"),
        "source": Column("String", "id of its source"),
        "address": Column("String", "address of its source"),
        "file": Column("String", "file of the source that holds it"),
        "network": Column("String", "network and size of its input"),
        "card": Column("String", "graphics card"),
        "framework": Column("String", "framework and version"),
        "precision": Column("String", "precision of the arithmetic"),
        "batch": Column("Float64", "samples of a step", "count"),
        "measured_s": Column("Float64", "a step as published", "s"),
        "estimated_s": Column("Float64", "a step by the formula; none where it refuses", "s"),
        "low_s": Column("Float64", "lower end of its range", "s"),
        "high_s": Column("Float64", "upper end", "s"),
        "measured_over_estimated": Column("Float64", "the published step over the estimated one", "ratio"),
        "in_range": Column("String", "yes or no: whether the range holds the published step"),
        "kind": Column("String", "what decides the step: gpu, launching; or refused"),
        "refused_because": Column("String", "why the formula refuses"),
        "left_out_of_the_fit_because": Column("String", "why the formula was not fitted to it"),
    },
)
TABLES = (RECORDS, STUDIES, PUBLISHED, ESTIMATES)


# The tables.


def _table_files(table: Described, made: pl.DataFrame, further: Iterable[pl.LazyFrame] = ()) -> Files:
    """A table as CSV and as Parquet, which also has the further rows: as text they would outgrow a site."""
    import polars as pl

    out = io.BytesIO()
    pl.concat([made.lazy(), *further]).sink_parquet(out)
    safe = made.with_columns(pl.col(pl.String).map_elements(for_spreadsheets, return_dtype=pl.String))
    return {f"data/{table.name}.csv": safe.write_csv(), f"data/{table.name}.parquet": out.getvalue()}


def measured_files(evidence: Evidence, derived: Sequence[further.Derived] = ()) -> Files:
    """Tables of what was measured: of every cell, and of what studies timed and read.

    Args:
        evidence: of the machines that have pages.
        derived: of those that have none.
    """
    records = _table_files(RECORDS, frame.records(evidence), further.tables(one.records for one in derived))
    return records | _table_files(STUDIES, frame.studied(evidence), further.tables(one.studies for one in derived))


def published_files() -> Files:
    """Tables of what others published: every figure, and every training step beside its estimate."""
    figures = ([getattr(figure, name) for name in PUBLISHED.columns] for figure in published.figures().values())
    return _table_files(PUBLISHED, frame.table(PUBLISHED.columns, figures)) | _table_files(
        ESTIMATES, frame.table(ESTIMATES.columns, (_estimate_line(row, answer) for row, answer in estimated()))
    )


def estimated() -> Iterator[tuple[rows.Row, formula.Estimate]]:
    """Every published row that has a step, with the formula's answer."""
    found = [row for row in (*rows.measured(), *rows.notebooks()) if row.seconds is not None]
    known = networks.published()
    cases = [formula.case_of_row(row, known[row.network], cards.cards()[row.card]) for row in found]
    return zip(found, formula.estimates(cases), strict=True)


def _estimate_line(row: rows.Row, answer: formula.Estimate) -> tuple[Any, ...]:
    seconds = row.seconds or 0.0
    numbers: tuple[Any, ...] = (None, None, None, None, "")
    if answer.kind != "refused":
        times = (answer.seconds, answer.low, answer.high, seconds / answer.seconds)
        numbers = (*map(_rounded, times), "yes" if answer.low <= seconds <= answer.high else "no")
    return (
        row.id, row.source, sources()[row.source].url, row.file, row.network, row.card, row.framework, row.precision,
        row.batch, _rounded(seconds), *numbers, answer.kind, answer.reason, row.left_out,
    )  # fmt: skip


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


# What they mean.


def dictionary() -> list[tuple[str, str, str, str, str]]:
    """Table or object, column or field, meaning, unit, type: of every table, then of every object of the records."""
    lines = [
        (f"{table.name}.csv", name, column.meaning, column.unit, column.type)
        for table in TABLES
        for name, column in table.columns.items()
    ]
    for struct, found in codec.json_schema()["$defs"].items():
        listed = [(one["title"], one) for one in found.get("prefixItems", ())]
        for name, field in listed or found["properties"].items():
            lines.append((struct, name, field["description"], _unit(field), _type(field)))
    return lines


def _type(field: Mapping[str, Any]) -> str:
    """A field's type in words: "number or null", "list of Run"."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_type, field["anyOf"])))
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    inner = field.get("items") or field.get("additionalProperties")
    if isinstance(inner, dict) and inner:
        return f"{'list of' if field['type'] == 'array' else 'names to'} {_type(inner)}"
    return str(field.get("type", "any"))


def _unit(field: Mapping[str, Any]) -> str:
    """The unit that a field's numbers have; empty where it has none."""
    parts = [*field.get("anyOf", ()), *(field[name] for name in ("items", "additionalProperties") if name in field)]
    return field.get("unit") or next((unit for part in parts if isinstance(part, dict) and (unit := _unit(part))), "")


# The files, the archive and their page.


def record_files(evidence: Evidence, results: Path) -> Files:
    """Every record as it is stored, with the JSON Schema."""

    def make() -> Files:
        pages: Files = {SCHEMA: json.dumps(codec.json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"}
        for session in evidence.stored:
            for name in ("machine", "session", *session.records):
                file = results / session.path / f"{name}.json"
                pages[addresses.data_path(session, name)] = file.read_bytes()
        return pages

    return CACHE.keep(evidence, "data files", make)


def archived(files: Files, address: str) -> Files:
    """The data dictionary, an archive of it with all these files, and the page that offers them.

    Args:
        files: tables, records and schema, by path.
        address: the site's public address; empty when it has none.
    """
    lines = dictionary()
    columns = dict.fromkeys(("in", "name", "meaning", "unit", "type"), Column("String", ""))
    known = frame.table(columns, lines)
    files = files | {DICTIONARY: known.write_csv()}
    licence = (REPOSITORY / "LICENSE-DATA").read_text(encoding="utf-8")
    inside = {path.removeprefix("data/"): text for path, text in files.items()} | {"LICENSE": licence}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(inside.items()):
            how = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED  # it is compressed already
            archive.writestr(zipfile.ZipInfo(name, LONG_AGO), text, how)
    shared = {DICTIONARY: files[DICTIONARY], ARCHIVE: out.getvalue()}
    return shared | {PAGE: _page(files | shared, lines, address)}


def _page(files: Files, lines: Sequence[tuple[str, str, str, str, str]], address: str) -> str:
    described = []
    has_more = False  # machines in the Parquet files that the others lack
    for table in TABLES:
        forms = [_file(files, f"data/{table.name}.{form}") for form in ("csv", "parquet")]
        n_rows, n_in_csv = _height(files, table, "parquet"), _height(files, table, "csv")
        has_more = has_more or n_rows > n_in_csv
        described.append((table.row, fmt.count(n_rows), *forms))
    tables = PARTS.table(("A row is", "Rows", "CSV", "Parquet"), described, label="Tables")
    dates = [path.split("/")[2] for path in files if path.endswith("/session.json")]
    day = max(dates, default="")[:10]
    columns = ("In", "Name", "Meaning", "Unit", "Type")
    text = DATA.page(
        archive=_file(files, ARCHIVE),
        n_records=fmt.count(sum(path.endswith(".json") and path.count("/") == 3 for path in files)),
        tables=tables,
        has_more=has_more,
        others=[_file(files, path) for path in (DICTIONARY, SCHEMA)],
        root=f"{address}data/" if address else "",
        day=day,
        site=sharing.SITE,
        dictionary=PARTS.table(columns, lines, label="What every column and field means", is_sortable=True),
    )
    about = "Every record, table and published figure of this site in one archive, and what each column means."
    return markup.page("Download the data", about, text, hide=("toc",))


def _height(files: Files, table: Described, form: str) -> int:
    """How many rows a table has."""
    import polars as pl

    content = files[f"data/{table.name}.{form}"]
    if isinstance(content, str):
        return content.count("\n") - 1
    return int(pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item())


def _file(files: Files, path: str) -> markup.Markup:
    """A link to a file with its size."""
    content = files[path]
    size = len(content if isinstance(content, bytes) else content.encode())
    return DATA.file(addresses.href(PAGE, path), path.rpartition("/")[2], fmt.bytes_(size))
