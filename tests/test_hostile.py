"""Text of a record never becomes markup: not HTML, not Markdown, not a call, on no page and in no field."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import markdown
import msgspec
import pytest
import yaml
from msgspec import inspect

pytest.importorskip("altair")

from bench.records import files as records_files
from bench.records import store
from bench.records.codec import encode
from bench.records.store import Results, SessionResults
from bench.report import templates
from bench.report.pages import build, compare_pages, job
from bench.schema import Machine, Reading, Record, Session
from scripts.whole_blocks import WholeBlocks
from tests import sites
from tests.factories import make_conditions, make_gpu, make_machine, make_record, make_session_results
from tests.sites import ROOT
from tests.test_pages import write_docs

SIGN = "hostile"
HOSTILE = (
    f'{SIGN} <script>alert(1)</script>"><img src=x onerror=alert(1)> \' onclick="alert(1) {{{{ 7*7 }}}} {{% raw %}} '
    "](javascript:alert(1)) [a][b] | `code` **bold** *it* __bold__ \\*{: onclick=alert(1) }"
    "\n\n# heading\n\n```\nfence\n```\n\n    indented\n\n[b]: javascript:alert(1)\n\x02wzxhzdk:0\x03 \u202e end"
)
SHORT = f'{SIGN} <b>a</b> | `code` " onclick=x {{{{ 7*7 }}}}'  # parameters stand in names of files
# What the store refuses to read if it is anything but a plain id or a time, so that no page can show it.
REFUSED = {("Cell", "workload"), ("Workload", "id"), ("Machine", "id"), ("Session", "id"), ("Session", "machine_id")}
REFUSED |= {("Run", "started_at"), ("Session", "started_at")}
# By ids that the record itself declares; elsewhere the report looks up names of its own.
DECLARED = {("Run", "series"), ("Run", "first_s"), ("Run", "readings")}
Words = Callable[[tuple[str, str]], str]


def said(at: tuple[str, str]) -> str:
    """The hostile words for a field, given as its struct and its name."""
    return SHORT if at[1] == "params" else HOSTILE


def spoiled(value: Any, kind: inspect.Type, at: tuple[str, str], words: Words) -> Any:
    """A value of a type with hostile words before every text, keys included."""
    if isinstance(kind, inspect.Metadata):
        return spoiled(value, kind.type, at, words)
    if isinstance(kind, inspect.UnionType):
        bare = [one.type if isinstance(one, inspect.Metadata) else one for one in kind.types]
        texts = [one for one in bare if isinstance(one, inspect.StrType)]
        others = [one for one in bare if not isinstance(one, inspect.StrType | inspect.NoneType)]
        kind = texts[0] if isinstance(value, str) and texts else others[0] if others else kind
    if value is None:
        return None
    if isinstance(kind, inspect.StrType) and isinstance(value, str):
        return value if at in REFUSED else f"{words(at)} {value}"
    if at[1] == "params":
        return value | {words(at): words(at)}
    if isinstance(kind, inspect.DictType):
        bare_key = kind.key_type.type if isinstance(kind.key_type, inspect.Metadata) else kind.key_type
        made = {key: spoiled(one, kind.value_type, at, words) for key, one in value.items()}
        if at in DECLARED:
            return {f"{words(at)} {key}": one for key, one in made.items()}
        return made | ({words(at): next(iter(made.values()))} if made and isinstance(bare_key, inspect.StrType) else {})
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return type(value)(spoiled(one, kind.item_type, at, words) for one in value)
    if isinstance(kind, inspect.StructType):
        name = kind.cls.__name__
        return kind.cls(**{f.name: spoiled(getattr(value, f.name), f.type, (name, f.name), words) for f in kind.fields})
    return value


def hostile(value: Any, words: Words = said) -> Any:
    """The same struct with every text hostile; made past the gate, which lets none of them in."""
    return spoiled(value, inspect.type_info(type(value)), ("", ""), words)


def text_fields(type_: type) -> set[tuple[str, str]]:
    """Every field of a stored type, at any depth, that may hold free text."""
    found: set[tuple[str, str]] = set()

    def walk(kind: inspect.Type, at: tuple[str, str]) -> None:
        if isinstance(kind, inspect.Metadata):
            return walk(kind.type, at)
        if isinstance(kind, inspect.StrType):
            found.add(at)
        for part in getattr(kind, "types", ()):
            walk(part, at)
        for name in ("item_type", "key_type", "value_type"):
            if hasattr(kind, name):
                walk(getattr(kind, name), at)
        if isinstance(kind, inspect.StructType):
            for field in kind.fields:
                walk(field.type, (kind.cls.__name__, field.name))

    walk(inspect.type_info(type_), ("", ""))
    return found


def filled_in(value: Any, found: set[tuple[str, str]]) -> None:
    """Collect the fields of a struct, at any depth, that hold a hostile text."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            part = getattr(value, name)
            if SIGN in str(part):
                found.add((type(value).__name__, name))
            filled_in(part, found)
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            filled_in(part, found)


def hostile_results(words: Words = said) -> Results:
    """A CPU session and one with a GPU, every free text of which is hostile."""
    replace = msgspec.structs.replace
    sessions = []
    for name, device in (("own-4c", "cpu"), ("gpu-16c", "gpu")):
        gpus = (make_gpu(compute_capability="9.0"),) if device == "gpu" else ()
        machine = make_machine(name, gpus=gpus, unmeasured={"virtual": "unknown"})
        workloads = ("resnet50", "cnn-digits", "matmul", "lstm-text", "call-styles")
        records = [replace(make_record(one, device=device, n_runs=2), commit="0123") for one in workloads]
        runs = tuple(
            replace(run, before=make_conditions(gpu_throttle="hot"), observed=replace(run.observed, openmp=("gomp",)))
            for run in records[0].runs
        )
        records[0] = replace(records[0], runs=runs)
        study = records[-1]  # with a reading, of which its workload has none
        spec = replace(study.spec, readings=(Reading(id="agree", label="results agree", unit="count"),))
        runs = tuple(replace(run, readings={"agree": 1.0}) for run in study.runs)
        records[-1] = replace(study, spec=spec, runs=runs)
        records.append(make_record("mobilenet-v2", device=device, status="failed", reason="no"))
        made = make_session_results(records, machine=machine)
        session = replace(made.session, machine_id=name, environment={"TF_XLA_FLAGS": "none"})
        spoilt = {one.cell.id: one for one in (hostile(record, words) for record in made.records.values())}
        described = hostile(machine, words), hostile(session, words)
        sessions.append(SessionResults(*described, spoilt, False, f"{name}/{session.id}"))
    return Results(tuple(sessions))


def written(root: Path, results: Results) -> Path:
    """A results folder with these sessions, past the store, which would refuse to write them."""
    for session in results.sessions:
        folder = root / session.path
        folder.mkdir(parents=True)
        parts = {"machine": session.machine, "session": session.session} | session.records
        for name, part in parts.items():
            (folder / f"{name}.json").write_bytes(encode(part))
    return root


# The scripts that a page asks for.
OURS = [{"type": "module", "src": f"../../{script}"} for script in (job.SCRIPT, compare_pages.SCRIPT)]


def harm(text: str) -> list[str]:
    """What of a page came out as markup that only a hostile text asks for."""
    found = []
    for element in sites.parse(text).walk():
        attributes = element.attributes
        if (element.name, element.text) == ("script", "") and attributes in OURS:
            continue
        if element.name in ("img", "script", "b") and element.attributes.get("type") != "application/ld+json":
            found.append(f"<{element.name}> {element.text[:80]}")
        found += [name for name in attributes if name.startswith("on") or name in ("alert(1)", "src")]
        found += [value for name, value in attributes.items() if name in ("href", "src") and "javascript" in value]
        if (element.name, element.text) in (("strong", "bold"), ("em", "it"), ("h1", "heading"), ("code", "code")):
            found.append(f"<{element.name}>")
    return found + re.findall("[\x02\x03\u202e]", text)


BODY = """
It takes {{ fact("resnet50-train-speedup") }} on {{ fact("resnet50-train-cpu-throughput") }}.

| a | b |
| --- | --- |
| {{ fact("resnet50-train-cpu-throughput") }} | {{ fact("cnn-digits-time-to-target") }} |

{{ chart("speed-by-workload") }}

{{ chart("phase-times", "resnet50") }}

{{ table("sessions") }}

{{ table("failures") }}

{{ verdict("always-requires-gpu") }}

{{ cases("always-requires-gpu") }}

{{ your_job() }}
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str | bytes]:
    """Every page of a small site whose records are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    docs = write_docs(folder / "docs", BODY)
    write_docs(docs, "Yes.", name="index.md", head="title: Home\nid: home\n")
    made = hostile_results()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "load", lambda *_, **__: made)
        return build.build(docs, written(folder / "results", made))


def test_a_hostile_record_has_a_hostile_text_in_every_field_for_free_text():
    found: set[tuple[str, str]] = set()
    for session in hostile_results().sessions:
        for part in (session.machine, session.session, *session.records.values()):
            filled_in(part, found)
    expected = set().union(*(text_fields(type_) for type_ in (Machine, Session, Record))) - REFUSED

    assert expected - found == set(), "make_record and its like leave these empty: fill them in"


@pytest.mark.slow
def test_every_page_is_harmless_as_markdown_and_as_html(pages):
    kinds = yaml.safe_load(re.sub(r"(?s)^plugins:.*?(?=^markdown_extensions)", "", MKDOCS, flags=re.M))
    extensions = [next(iter(one)) if isinstance(one, dict) else one for one in kinds["markdown_extensions"]]
    seen = 0
    for path, text in pages.items():
        if not path.endswith(".md"):
            continue
        _, head, body = text.split("---\n", 2)
        title = str(yaml.safe_load(head).get("title")) + str(yaml.safe_load(head).get("description"))
        html = markdown.Markdown(extensions=[*extensions, WholeBlocks()]).convert(body)
        assert [] == harm(f"<p>{title}</p>{html}"), path
        seen += SIGN in html
        for table in (element for element in sites.parse(html).walk() if element.name == "table"):
            n_columns = {
                sum(part.name in ("td", "th") for part in row.walk())
                for row in table.walk()
                if row.name == "tr" and "group" not in row.classes
            }
            assert 1 == len(n_columns), path
    assert seen > 10


MKDOCS = re.sub(r"!ENV (\[.*\])", "''", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def test_a_hostile_text_shows_what_it_says(pages):
    machine = sites.parse(pages["machines/own-4c.md"].partition("## History")[0])

    shown = next(element.text for element in machine.walk() if element.name == "dd")
    assert HOSTILE.replace("\x02", "\ufffd").replace("\x03", "\ufffd").replace("\u202e", "\ufffd") in shown


@pytest.mark.parametrize(
    "text", ["a_b", "__a__", "a | b", "`a`", "](b)", "{{ a }}", "\\*", "a\n\nb", "<b>", "'\"", "&amp;", "~~~"]
)
def test_an_inert_text_has_no_mark_of_html_or_markdown_and_reads_the_same(text: str):
    made = templates.inert(text)

    assert not re.search(r"[<>\"'`|*\[\]{}\\~\n]|__", made)
    assert text == sites.parse(f"<p>{made}</p>").text
    assert made is templates.inert(made)


@pytest.mark.parametrize("name", ["../../x", "a b", "<b>", "A"])
def test_the_store_refuses_a_name_that_is_no_plain_id(tmp_path: Path, name: str):
    made = make_session_results([make_record()])
    root = sites.write_results(tmp_path, Results((made,)))
    path = next(root.rglob("resnet50*.json"))
    text = path.read_text(encoding="utf-8").replace('"resnet50"', f'"{name}"')
    path.write_text(text, encoding="utf-8")

    with pytest.raises(records_files.RecordError, match=r"\$\.cell\.workload: expected"):
        store.load(root)


def test_the_store_refuses_what_is_no_time(tmp_path: Path):
    made = make_session_results([make_record()])
    root = sites.write_results(tmp_path, Results((made,)))
    for path in root.rglob("*.json"):
        text = re.sub(r'("started_at": ?)"[^"]*"', r'\1"<b>yesterday</b>"', path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")

    with pytest.raises(records_files.RecordError, match=r"(?s)started_at: expected.*started_at: expected"):
        store.load(root)
