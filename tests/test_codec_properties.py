"""Whatever a record holds comes back from its file; whatever a file holds, it is read or refused by name and place."""

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec.inspect as types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.records import files
from bench.records.codec import encode
from bench.records.files import RecordError
from bench.schema import Machine, Record, Session

DATA = Path(__file__).parent / "data"
STORED = [(path, kind) for kind in (Record, Machine, Session) for path in DATA.glob(f"*/{kind.__name__.lower()}.json")]
FEW = settings(max_examples=60, derandomize=True, deadline=None, database=None)
FORMED = (
    "a",
    "b-2",
    "2026-11-03",
    "2026-11-03-2",
    "2026-11-03T08:00:00.5+00:00",
    "0123456789abcdef",
    "ab" * 20,
    "2.9.0+cpu",
    "8.6",
    "float32",
)
ALPHABET = "abcxyzäλ処"  # what else a text may hold is in tests/test_gate.py
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def valid(kind):
    """Values of a type as msgspec describes it."""
    if isinstance(kind, types.Metadata):
        return valid(kind.type)
    if isinstance(kind, types.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, types.UnionType):
        return st.one_of(*map(valid, kind.types))
    if isinstance(kind, types.VarTupleType):
        return st.lists(valid(kind.item_type), min_size=kind.min_length or 0, max_size=2).map(tuple)
    if isinstance(kind, types.DictType):
        return st.dictionaries(valid(kind.key_type), valid(kind.value_type), max_size=2)
    if isinstance(kind, types.StructType):
        fields = {field.name: valid(field.type) for field in kind.fields if field.name != "schema_version"}
        return st.builds(kind.cls, **fields)
    if isinstance(kind, types.IntType):
        return st.integers(kind.ge, kind.le)
    if isinstance(kind, types.FloatType):
        return st.floats(kind.ge if kind.gt is None else kind.gt, kind.le, exclude_min=kind.gt is not None)
    if isinstance(kind, types.StrType):
        if kind.pattern:
            return st.sampled_from([text for text in FORMED if re.search(kind.pattern, text)])
        return st.text(ALPHABET, min_size=kind.min_length or 0, max_size=20)
    return {types.NoneType: st.none(), types.BoolType: st.booleans()}[type(kind)]


@cache
def folder():
    """One for all examples of a process."""
    return TemporaryDirectory()


def read(text, kind):
    path = Path(folder().name, "stored.json")
    path.write_bytes(text)
    return files.read(path, kind)


def is_read_or_refused(text, kind):
    try:
        assert isinstance(read(text, kind), kind)
    except RecordError as error:
        assert str(error).startswith("stored.json: $"), error  # noqa: PT017  both ends are fine
        return False
    return True


@pytest.mark.parametrize("kind", [Record, Machine, Session])
def test_what_is_written_is_read_again(kind):
    @FEW
    @given(valid(types.type_info(kind)))
    def holds(value):
        assert value == read(encode(value), kind)

    holds()


@pytest.mark.parametrize("kind", [Record, Machine, Session])
def test_any_json_is_read_or_refused(kind):
    @FEW
    @given(JSON)
    def holds(value):
        assert not is_read_or_refused(json.dumps(value).encode(), kind)

    holds()


@st.composite
def mutations(draw, stored):
    """The stored JSON with something else or nothing at one place; as often near the root as below."""
    raw = json.loads(stored)
    inner, key = raw, draw(st.sampled_from(sorted(raw)))
    while isinstance(inner[key], dict | list) and inner[key] and draw(st.booleans()):
        inner = inner[key]
        key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
    if draw(st.integers(0, 4)) == 0:
        del inner[key]
    else:
        inner[key] = draw(JSON)
    return raw


@pytest.mark.parametrize(("path", "kind"), STORED, ids=[f"{path.parent.name}/{path.name}" for path, _ in STORED])
def test_a_stored_file_with_anything_anywhere_is_read_or_refused(path, kind):
    @settings(FEW, max_examples=80)
    @given(mutations(path.read_text(encoding="utf-8")))
    def holds(raw):
        is_read_or_refused(json.dumps(raw).encode(), kind)

    holds()


@FEW
@given(st.binary(max_size=60))
def test_any_bytes_are_refused(text):
    assert not is_read_or_refused(text, Record)
