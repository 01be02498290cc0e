"""Structs to JSON, and stored JSON of any version to that of today.

Pure, but for the table of fingerprints that it reads once.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from bench import ROOT, schema
from bench.schema import SCHEMA_VERSION, Machine, Record, Session, Struct

SAME_CODE = ROOT / "workloads" / "same_code.toml"
Json = dict[str, Any]


class VersionError(ValueError):
    """A stored file of a version that this checkout does not read; the message says expected, found and what to do."""


def changes() -> list[Json]:
    """The table of fingerprints that stand for the same code, as it is stored."""
    found: list[Json] = tomllib.loads(SAME_CODE.read_text(encoding="utf-8"))["change"]
    return found


@cache
def same_code() -> Mapping[tuple[str, str], str]:
    """Today's fingerprint by workload and an older one that stands for the same code; of several changes the last."""
    found: dict[tuple[str, str], str] = {}
    for change in changes():
        for workload, (old, new) in change["same"].items():
            found = {key: new if (key[0], value) == (workload, old) else value for key, value in found.items()}
            found[workload, old] = new
    return found


def _to_3(raw: Json) -> Json:
    """Every new key has a default; a record's fingerprint becomes one of today's kind where its code is known."""
    cell, source_hash = raw.get("cell"), raw.get("source_hash")
    workload = cell.get("workload") if isinstance(cell, dict) else None
    found = None
    if isinstance(workload, str) and isinstance(source_hash, str):
        found = same_code().get((workload, source_hash))
    return raw | {"schema_version": 3} | ({"source_hash": found} if found else {})


# One function per version step, from the decoded JSON of version k to that of k + 1.
UPGRADES: Mapping[int, Callable[[Json], Json]] = {
    1: lambda raw: raw | {"schema_version": 2},  # every new key has a default
    2: _to_3,
}


def upgrade(raw: Json) -> Json:
    """The decoded JSON of a stored file in today's version.

    Raises:
        VersionError: its version is newer than this checkout, or none.
    """
    version = raw.get("schema_version")
    while version != SCHEMA_VERSION:
        if type(version) is int and version > SCHEMA_VERSION:
            msg = f"expected at most {SCHEMA_VERSION}, found {version}: newer than this checkout; update it (git pull)"
            raise VersionError(msg)
        if type(version) is not int or version not in UPGRADES:
            raise VersionError(f"expected {SCHEMA_VERSION} or an older version, found {version!r}")
        raw = UPGRADES[version](raw)
        version = raw["schema_version"]
    return raw


def encode(value: Struct) -> bytes:
    """JSON of a struct: keys sorted, indented by two, lists of plain values on one line, a newline at the end.

    Raises:
        ValueError: a float is NaN or infinite, which JSON does not have.
    """
    return (_json(msgspec.to_builtins(value), "") + "\n").encode()


def json_schema() -> dict[str, Any]:
    """JSON Schema of the three stored files; every field has a description, and every number its unit.

    What a field means stands once, in the comment behind it in ``bench.schema``.
    """
    _, components = msgspec.json.schema_components((Record, Machine, Session), ref_template="#/$defs/{name}")
    for struct, field, meaning in _comments((ROOT / "schema.py").read_text(encoding="utf-8")):
        if struct not in components:
            continue
        found = components[struct]
        if "prefixItems" in found:  # stored as a list
            names = getattr(schema, struct).__struct_fields__
            found["prefixItems"][names.index(field)] |= {"title": field, "description": meaning}
        else:
            found["properties"][field]["description"] = meaning
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": components}


def _comments(source: str) -> Iterator[tuple[str, str, str]]:
    """Class, field and comment of every annotated field of a module's classes."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    told = {
        token.start[0]: token.string.removeprefix("#").strip() for token in tokens if token.type == tokenize.COMMENT
    }
    for struct in (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)):
        for field in (node for node in struct.body if isinstance(node, ast.AnnAssign)):
            lines = range(field.lineno, (field.end_lineno or field.lineno) + 1)
            if meaning := " ".join(told[line] for line in lines if line in told):
                yield struct.name, ast.unparse(field.target), meaning


def _json(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {_json(value[key], inner)}" for key in sorted(value))
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value):
        return "[\n" + ",\n".join(inner + _json(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
