"""Stored files of every version are read as those of today, and a fingerprint's stand-in is what the history says."""

import ast
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from bench.records import codec
from bench.records import files as records_files
from bench.schema import SCHEMA_VERSION, Machine, Record, Session
from bench.session import launch
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


# Both ends of every row, from the history.


def git(*words):
    return subprocess.run(
        ["git", *words], cwd=launch.REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()


def sources(commit):
    """The text of a module at a commit, by dotted name; None where there was none."""
    files = set(git("ls-tree", "-r", "--name-only", commit, "bench").splitlines())

    def source(name):
        base = name.replace(".", "/")
        file = next((file for file in (f"{base}.py", f"{base}/__init__.py") if file in files), None)
        return None if file is None else git("show", f"{commit}:{file}")

    return source


def fingerprint_1(name, source):
    """The fingerprint until schema 3: import statements counted, and parts were those that PARTS named."""

    def code(module):
        body = ast.parse(source(module)).body
        body = [node for node in body if not registry._assigns(node, "SPEC") and not registry._is_docstring(node)]
        for node in ast.walk(ast.Module(body=body, type_ignores=[])):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and registry._is_docstring(node.body[0]):
                node.body = node.body[1:] or node.body
        return body

    own = code(name)
    parts = next((ast.literal_eval(node.value) for node in own if registry._assigns(node, "PARTS")), ())
    text = "\n".join(registry._dump(node) for body in (own, *map(code, parts)) for node in body)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def modules_at(commit):
    """Dotted name of each workload's module at a commit."""
    files = [Path(file) for file in git("ls-tree", "-r", "--name-only", commit, "bench/workloads").splitlines()]
    return {f.stem.replace("_", "-"): ".".join(f.with_suffix("").parts) for f in files if f.suffix == ".py"}


def has_history():
    """Whether this is a git checkout with all its commits."""
    return (launch.REPOSITORY / ".git").exists() and git("rev-parse", "--is-shallow-repository") == "false"


needs_history = pytest.mark.skipif(not has_history(), reason="the history is not here")


@needs_history
def test_fingerprints_that_stand_for_the_same_code_are_those_of_the_history(monkeypatch):
    before_rooms = ("bench.fits", "bench.served", "bench.by_hand", "bench.cgroups", "bench.clock")
    monkeypatch.setattr(registry, "COUNTED", (*registry.COUNTED, *before_rooms))
    for change in codec.changes():
        before, after = (
            change["commit"],
            git("log", "-1", "--format=%H", "-S", change["why"], "--", str(codec.SAME_CODE)),
        )
        if not after:
            pytest.skip("the newest change is not committed yet")
        old, new = sources(before), sources(after)
        kind = fingerprint_1 if "PARTS" in (old("bench.registry") or "") else registry.fingerprint
        then, now = modules_at(before), modules_at(after)
        for workload, ends in change["same"].items():
            found = [kind(then[workload], old), registry.fingerprint(now[workload], new)]
            assert ends == found, workload


def change_for(why):
    return next(change for change in codec.changes() if why in change["why"])


def without(names, source):
    """As `source`, but for functions of these names; says so if anything but SPEC used them."""

    def cut(module):
        text = source(module)
        if text is None:
            return None
        body = [node for node in ast.parse(text).body if getattr(node, "name", None) not in names]
        left = ast.Module(body=[node for node in body if not registry._assigns(node, "SPEC")], type_ignores=[])
        assert not [node for node in ast.walk(left) if isinstance(node, ast.Name) and node.id in names], module
        return ast.unparse(ast.Module(body=body, type_ignores=[]))

    return cut


@needs_history
def test_without_the_functions_that_only_made_spec_the_code_is_the_same():
    change = change_for("functions that only made SPEC")
    old, then = without({"_variant", "_variants"}, sources(change["commit"])), modules_at(change["commit"])

    assert {workload: registry.fingerprint(then[workload], old) for workload in change["same"]} == {
        workload: after for workload, (_, after) in change["same"].items()
    }
