"""After an edit only what depends on it is made again, and the site is the one that a first build makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records import store
from bench.report.pages import build, cache, parts, render
from bench.report.pages.parts import Part, Parts, Sources, Used
from bench.report.prose import source

pytest.importorskip("altair")

from scripts import gen_pages
from tests.factories import in_turn, make_record
from tests.test_pages import results_with, write_docs

pytestmark = pytest.mark.slow

OTHER = {"name": "faq/other.md", "head": "title: What else?\nid: other\n"}
LIST = {"name": "faq/index.md", "head": "title: Questions\nid: questions\n"}


class User:
    """What parts are made from."""

    def __init__(self) -> None:
        self.used = Used()


def sources_of(**bodies: str) -> Sources:
    return Sources({path: source.parsed(f"---\ntitle: T\n---\n{body}", path, path) for path, body in bodies.items()})


def made_of(sources: Sources, before: dict[str, Part], *given: object) -> tuple[bool, dict[str, Part]]:
    """Whether a part that looks at the source "a" was made anew, and the parts."""
    found, calls = Parts(sources, before), []
    found.part(User(), lambda: calls.append(sources["a"].body), "one", *given)
    return bool(calls), found.now


@pytest.mark.parametrize(
    ("sources", "given", "is_made"),
    [
        ({"a": "x", "b": "y"}, (1,), False),
        ({"a": "x", "b": "edited"}, (1,), False),
        ({"a": "edited", "b": "y"}, (1,), True),
        ({"b": "y", "a": "x"}, (2,), True),
    ],
    ids=["same", "not looked at", "looked at", "given"],
)
def test_a_part_is_made_again_where_what_it_asked_for_changed(
    sources: dict[str, str], given: tuple[int], is_made: bool
):
    _, before = made_of(sources_of(a="x", b="y"), {}, 1)

    assert is_made == made_of(sources_of(**sources), before, *given)[0]


@pytest.mark.parametrize("look", [lambda s: s["a"], lambda s: s.get("a"), lambda s: list(s.items()),
                                  lambda s: list(s.values())], ids=["item", "get", "items", "values"])  # fmt: skip
def test_every_way_to_a_source_is_a_look_at_it(look: Callable[[Sources], object]):
    sources = sources_of(a="x")

    look(sources)

    assert {"a"} == sources.seen


def test_a_part_from_before_says_again_what_it_referred_to():
    sources, first, second = sources_of(a="x"), User(), User()
    found = Parts(sources, {})
    found.part(first, lambda: first.used.groups.setdefault("g", (["1"], ())), "one")

    for name in ("one", "one again"):
        Parts(sources, {name: found.now["one"]}).part(second, lambda: pytest.fail("made again"), name)

    assert {"g": (["1"], ())} == first.used.groups == second.used.groups
    assert first.used.groups["g"][0] is not found.now["one"].used.groups["g"][0]  # adding to it changes no part


def edited_body(docs: Path, results: Path) -> None:
    write_docs(docs, "Not so.")


def edited_head(docs: Path, results: Path) -> None:
    write_docs(docs, "So.", head="title: Why not?\nid: q\n")


def new_page(docs: Path, results: Path) -> None:
    write_docs(docs, "Third.", name="faq/third.md", head="title: Third?\nid: third\n")


def gone_page(docs: Path, results: Path) -> None:
    (docs / OTHER["name"]).unlink()


def new_record(docs: Path, results: Path) -> None:
    *_, record = in_turn([make_record(), make_record("cnn-digits"), make_record("matmul")])
    store.write_record(next(results.rglob("session.json")).parent, record)


def edited_runs(docs: Path, results: Path) -> None:
    """Of the only workload that the first page does not read."""
    (path,) = results.rglob("resnet50*.json")
    raw = json.loads(path.read_bytes())
    raw["runs"][0]["total_s"] += 0.5
    path.write_text(json.dumps(raw))


def touched_record(docs: Path, results: Path) -> None:
    (path,) = results.rglob("resnet50*.json")
    path.write_text(f"{path.read_text()}\n")


@pytest.mark.parametrize(
    ("edit", "process", "rendered"),
    [
        (edited_runs, "same", ["faq/index.md", "faq/other.md"]),
        (edited_runs, "next", ["faq/index.md", "faq/other.md"]),
        (touched_record, "same", []),
        (edited_body, "same", ["faq/index.md", "faq/q.md"]),
        (edited_body, "next", ["faq/index.md", "faq/q.md"]),
        (edited_head, "same", ["faq/index.md", "faq/q.md"]),
        (new_page, "same", ["faq/index.md", "faq/other.md", "faq/q.md", "faq/third.md"]),
        (gone_page, "same", ["faq/index.md", "faq/q.md"]),
        (new_record, "same", ["faq/index.md", "faq/other.md", "faq/q.md"]),
    ],
)
def test_an_edit_shows_wherever_a_first_build_shows_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[Path, Path], None],
    rendered: list[str],
    process: str,
):
    docs = write_docs(tmp_path / "docs", 'So. {{ fact("cnn-digits-train-cpu-throughput") }}')
    write_docs(docs, '{{ table("fairness") }}', **OTHER)
    write_docs(docs, '{{ generated_index("faq") }}', **LIST)
    results = results_with(tmp_path / "results", *in_turn([make_record(), make_record("cnn-digits")]))
    build.build(docs, results, keep=tmp_path / "kept")
    seen, whole = [], render.render
    monkeypatch.setattr(render, "render", lambda site, one: (seen.append(one.path), whole(site, one))[1])

    edit(docs, results)
    if process == "next":
        cache.CACHE.forget()
    after = build.build(docs, results, keep=tmp_path / "kept")

    assert rendered == sorted(seen)
    cache.CACHE.forget()
    assert build.build(docs, results) == after


def test_a_file_to_copy_is_handed_over_as_what_it_holds(tmp_path: Path):
    (tmp_path / "pack.tgz").write_bytes(b"packed")

    assert [b"a", b"b", b"packed"] == [*map(gen_pages.as_bytes, ("a", b"b", tmp_path / "pack.tgz"))]


def test_texts_that_differ_have_other_digests():
    assert parts.digest("a") == parts.digest("a") != parts.digest("b")
