"""All data to take away: every column described, every form alike, the archive equal byte for byte."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("polars")
pytest.importorskip("altair")

import polars as pl

from bench.records import codec
from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.report.pages import downloads
from bench.report.pages.addresses import Pages
from bench.workloads import registry
from tests.factories import make_results
from tests.sites import write_results

pytestmark = pytest.mark.slow

ADDRESS = "https://example.org/gpu/"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_results(gpu=True, local=True, n_runs=2, n_blocks=4)
    return write_results(tmp_path_factory.mktemp("results"), made)


def files_of(results: Path) -> Pages:
    from bench.records import store

    evidence = Evidence(store.load(results), registry.workloads())
    made = downloads.measured_files(evidence) | downloads.published_files() | downloads.record_files(evidence, results)
    return made | downloads.archived(made, ADDRESS)


@pytest.fixture(scope="module")
def files(results: Path) -> Pages:
    return files_of(results)


def table(files: Pages, name: str):
    return pl.read_parquet(io.BytesIO(files[f"data/{name}.parquet"]))


def test_every_column_and_field_is_described_and_every_number_has_a_unit():
    lines = downloads.dictionary()

    assert len(lines) > 250 and len(lines) == len({(where, name) for where, name, *_ in lines})
    for where, name, meaning, unit, type_ in lines:
        is_number = re.search(r"number|integer|Int64|Float64", type_) is not None
        of_words = name.endswith("version") and where != "records.csv"  # a plain count of forms
        assert len(meaning.split()) > 1 or meaning in ("version",), (where, name)
        assert bool(unit) == is_number or of_words, (where, name, unit, type_)


def test_the_schema_holds_what_is_written_and_describes_it(files: Pages):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files[downloads.SCHEMA])
    records = [path for path in files if path.endswith(".json") and path.count("/") == 3]

    assert schema == json.loads(json.dumps(codec.json_schema()))
    for path in [*records[:60], *(path for path in records if path.endswith(("machine.json", "session.json")))]:
        kind = {"machine": "Machine", "session": "Session"}.get(Path(path).stem, "Record")
        jsonschema.validate(json.loads(files[path]), schema | {"$ref": f"#/$defs/{kind}"})
    run = schema["$defs"]["Run"]["properties"]
    assert run["total_s"]["description"] == "the parent's clock: from spawning the process to its end"
    assert run["total_s"]["unit"] == "s"


@pytest.mark.parametrize("described", downloads.TABLES, ids=lambda one: one.name)
def test_both_forms_of_a_table_hold_its_columns_and_the_same_rows(files: Pages, described: downloads.Described):
    found = table(files, described.name)
    lines = list(csv.DictReader(io.StringIO(files[f"data/{described.name}.csv"])))

    assert list(described.columns) == found.columns == list(lines[0])
    assert len(lines) == found.height > 20
    for name, column in described.columns.items():
        assert found.schema[name] == getattr(pl, column.type)
        if column.type == "Float64":
            told = [None if line[name] == "" else float(line[name]) for line in lines]
            assert told == found[name].to_list()


def test_tables_hold_every_cell_series_and_reading(files: Pages):
    made = make_results(gpu=True, local=True, n_runs=2, n_blocks=4)
    records, studied = table(files, "records"), table(files, "studies")
    every = [record for session in made.sessions for record in session.records.values()]

    assert records.height == len(every) and {True, False} == set(records["is_local"])
    studies = [record for record in every if record.spec.kind == "study" and record.status == "ok"]
    assert studies and set(studied["cell_id"]) == {record.cell.id for record in studies}
    one = studies[0]
    rows = studied.filter(pl.col("cell_id") == one.cell.id)
    assert {item.id for item in (*one.spec.series, *one.spec.readings)} == set(rows["id"])
    assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()


def test_the_archive_holds_everything_and_equal_data_make_equal_bytes(files: Pages, results: Path):
    with zipfile.ZipFile(io.BytesIO(files[downloads.ARCHIVE])) as archive:
        names = archive.namelist()
        inside = {name: archive.read(name) for name in names}

    expected = {path.removeprefix("data/") for path in files if path not in (downloads.ARCHIVE, downloads.PAGE)}
    assert names == sorted(names) and {*names} == expected | {"LICENSE"}
    for name in expected:
        told = files[f"data/{name}"]
        assert inside[name] == (told if isinstance(told, bytes) else told.encode())
    stored = next(path for path in results.rglob("*.json") if path.stem not in ("machine", "session"))
    assert stored.read_bytes() in inside.values()
    assert files_of(results) == files


def test_the_page_names_sizes_licence_citation_and_what_opens_the_data(files: Pages, tmp_path, monkeypatch):
    page = files[downloads.PAGE]
    size_mb = len(files[downloads.ARCHIVE]) / 1e6

    assert f"{size_mb:.3g} MB" in page or f"{size_mb * 1e3:.3g} kB" in page
    assert "CC0" in page and ADDRESS in page and "2026-11" in page
    for name in {*files} - {downloads.PAGE}:
        if name.count("/") == 1:
            assert f'href="{name.removeprefix("data/")}" download' in page, name
    opens = re.search(r"import polars; (records = .*)\n", page)[1].replace(f"{ADDRESS}data/", "")
    (tmp_path / "records.parquet").write_bytes(files["data/records.parquet"])
    monkeypatch.chdir(tmp_path)
    found = {"polars": pl}
    exec(opens, found)
    assert found["records"].equals(table(files, "records"))


def test_without_records_the_tables_are_empty_and_the_page_stands(tmp_path: Path):
    evidence = Evidence(Results(()), registry.workloads())
    made = downloads.measured_files(evidence) | downloads.record_files(evidence, tmp_path)
    page = downloads.archived(made | downloads.published_files(), "")[downloads.PAGE]

    assert table(made, "records").columns == list(downloads.RECORDS.columns) and 0 == table(made, "records").height
    assert 'read_parquet("records.parquet")' in page and "newest record" not in page
