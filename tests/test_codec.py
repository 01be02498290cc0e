"""Stored files of every version are read as those of today, and a fingerprint's stand-in is what the history says."""

import json
from pathlib import Path

import pytest

from bench.records import codec
from bench.records import files as records_files
from bench.schema import SCHEMA_VERSION, Machine, Record, Session
from bench.workloads import registry

DATA = Path(__file__).parent / "data"
VERSIONS = range(1, SCHEMA_VERSION + 1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "kind"), [("machine", Machine), ("session", Session), ("record", Record)])
def test_a_stored_file_of_every_version_is_read(version, name, kind):
    path = DATA / f"schema-{version}" / f"{name}.json"
    assert version == json.loads(path.read_bytes())["schema_version"]

    assert SCHEMA_VERSION == records_files.read(path, kind).schema_version


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_whose_code_is_todays_has_todays_fingerprint(version):
    record = records_files.read(DATA / f"schema-{version}" / "record.json", Record)

    assert registry.source_hash(record.cell.workload) == record.source_hash


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (SCHEMA_VERSION + 1, "newer than this checkout; update it"),
        (0, "or an older version, found 0"),
        (True, "found True"),
        ("2", "found '2'"),
        (None, "found None"),
        (2.0, "found 2.0"),
    ],
)
def test_another_version_is_refused_in_words(tmp_path, version, said):
    raw = json.loads((DATA / "schema-1" / "machine.json").read_bytes()) | {"schema_version": version}
    (tmp_path / "machine.json").write_text(json.dumps(raw))

    with pytest.raises(records_files.RecordError, match=f"machine.json: .*schema_version: expected .*{said}"):
        records_files.read(tmp_path / "machine.json", Machine)


def test_a_fingerprint_of_unknown_code_stays_as_it_is():
    raw = json.loads((DATA / "schema-2" / "record.json").read_bytes()) | {"source_hash": "0" * 16}

    assert "0" * 16 == codec.upgrade(raw)["source_hash"]
