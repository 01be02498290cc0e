"""The pages pass the checker, the checker catches what is planted, and ids are never lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("polars")

from scripts import check_prose as prose  # noqa: E402

ROOT = Path(__file__).parents[1]
NAMES = prose.Known(
    facts=frozenset({"resnet50-train-speedup"}),
    charts=frozenset({"speed-by-workload"}),
    tables=frozenset({"headline"}),
    verdicts=frozenset({"always-requires-gpu"}),
    figures=frozenset({"kapp-resnet50-cpu-gpu-ratio"}),
    workloads=frozenset({"resnet50"}),
    claims=frozenset({"a-42min-vs-33s"}),
)
HEAD = "---\ntitle: Why?\nid: why\ndescription: Because.\nworkloads: [resnet50]\n---\n\n"


def complaints(body: str, *, head: str = HEAD, path: str = "docs/faq/why.md") -> list[str]:
    """What the checker says about one page, as "line: text"."""
    return [f"{found.line}: {found.text}" for found in prose.check_page(path, head + body, NAMES, ROOT)]


def test_the_pages_have_no_problems():
    assert [] == [found.shown for found in prose.check()]


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("It is 12.4x faster.", "12.4x"),
        ("It takes 42 minutes.", "42 minutes"),
        ("Only 10 % of it.", "10 %"),
        ("| ResNet-50 | 120 |", "120"),
        ("- about 3 GB", "3 GB"),
        ("**8** cores", "8"),
    ],
)
def test_a_naked_number_is_caught(body: str, number: str):
    found = complaints(body)

    assert 1 == len(found)
    assert found[0].startswith(f"8: naked number '{number}': use fact(), published() or a marker")


@pytest.mark.parametrize(
    "body",
    [
        'ResNet-50 trains {{ fact("resnet50-train-speedup") }} as fast.',
        "Keras 3 on Python 3.11, with TF32 and float32, on an RTX 4090.",
        "Since 2026-11-21; see issue 1219.",
        "Asked in [owner/repo3 issue 12](https://github.com/owner/repo3/issues/12) and a/b pull request 7.",
        '{{ table("headline", "resnet50") }}',
        "1. First this.",
        "Write `batch_size=32`.",
        "See [there](https://example.org/2024/17).",
        "An article says 42 minutes. <!-- cites: a-42min-vs-33s -->",
        "Blocks of 100 ms. <!-- setting: README.md -->",
        "```python\nx = 12\n```",
    ],
)
def test_what_is_no_measurement_passes(body: str):
    assert [] == complaints(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('{{ fact("resnet50-train-speedups") }}', "near ones: resnet50-train-speedup"),
        ('{% if measured("resnet-speed") %}x{% endif %}', "unknown measured id 'resnet-speed'"),
        ('{{ chart("speed") }}', "unknown chart id 'speed'"),
        ('{{ table("headlines") }}', "near ones: headline"),
        ('{{ table("headline", "resnet5") }}', "unknown workload 'resnet5'; near ones: resnet50"),
        ('{{ verdict("always") }}', "unknown verdict id 'always'"),
        ('{{ published("kapp") }}', "unknown published id 'kapp'"),
        ('{{ rerun("resnet") }}', "near ones: resnet50"),
        ('{{ facts("resnet50-train-speedup") }}', "unknown call 'facts'; near ones: fact"),
        ("He said 42. <!-- cites: nobody -->", "unknown claim 'nobody'"),
        ("We do 42. <!-- setting: no/such/file.py -->", "no/such/file.py"),
    ],
)
def test_an_unknown_name_is_caught_with_its_line(body: str, complaint: str):
    found = complaints("\n" + body)

    assert 1 == len(found)
    assert found[0].startswith("9: ") and complaint in found[0]


@pytest.mark.parametrize("key", ["title", "id", "description", "workloads"])
def test_missing_front_matter_is_caught(key: str):
    head = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(f"{key}:"))

    assert [f"1: front matter has no '{key}'"] == complaints("Text.", head=head)


def test_a_misconception_needs_a_verdict():
    assert ["1: front matter has no 'verdict'"] == complaints("Text.", path="docs/misconceptions/why.md")


def test_front_matter_holds_no_number_and_no_unknown_name():
    head = HEAD.replace("Because.", "It is 76x faster.").replace("resnet50", "resnet51")

    found = complaints("Text.", head=head)

    assert ["1: unknown workload 'resnet51'; near ones: resnet50", "1: naked number '76x' in description"] == found


SHAPE = "Yes.\n\n## The evidence\n## When this is wrong\n## Measure it yourself\n## Related\n## Sources\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD.replace("Why?", "Why") + SHAPE, "1: the title of an answer is a question"),
        (
            HEAD + SHAPE.replace("## Related\n", ""),
            "1: sections The evidence, When this is wrong, Measure it yourself, S",
        ),
        (HEAD + SHAPE.replace("Yes.", "word " * 25 + "and one."), "8: the first sentence has 27 words, at most 25"),
        (HEAD + "{% if x %}\n" + SHAPE.replace("Yes.", "`a b` " * 26), "9: the first sentence has 26 words"),
    ],
)
def test_an_answer_out_of_shape_is_caught(text: str, complaint: str):
    found = prose.check_answer("docs/faq/why.md", text)

    assert 1 == len(found)
    assert f"{found[0].line}: {found[0].text}".startswith(complaint)


@pytest.mark.parametrize(
    "answer",
    [
        "Yes.",
        "Yes. " + "More words. " * 20,
        "word " * 25,
        'It is {{ fact("a b") }} of `x y`.',
        "# not\n```sh\n## no\n```",
    ],
)
def test_an_answer_in_shape_passes(answer: str):
    assert [] == prose.check_answer("docs/faq/why.md", HEAD + SHAPE.replace("Yes.", answer))


def test_a_misspelt_group_is_caught():
    head = HEAD.replace("id: why", "id: why\ngroup: slow")

    assert ["1: unknown group 'slow'; near ones: slower"] == complaints("Text.", head=head)
    assert [] == complaints("Text.", head=head.replace("group: slow", "group: slower"))


def test_every_answer_stands_in_a_group():
    texts = {path: text for path, text in prose.page_sources().items() if path.startswith("docs/faq/")}

    assert [] == [path for path, text in texts.items() if "group" not in prose.front_matter(text)[0]
                  and not path.endswith("index.md")]  # fmt: skip


def registered(**kinds: dict[str, str]) -> dict[str, dict[str, dict]]:
    """A registry with ids at pages, all of one day."""
    charts = kinds.pop("charts", {"speed-by-workload": "faq/why.md"})
    claims = kinds.pop("claims", {"a-42min-vs-33s": "faq/why.md"})
    kinds = {"charts": charts, "claims": claims, **kinds}
    return {kind: {n: {"page": page, "since": "2026-11-21"} for n, page in ids.items()} for kind, ids in kinds.items()}


def test_a_complete_registry_passes():
    assert [] == prose.check_registry({"faq/why.md": "why"}, registered(answers={"why": "faq/why.md"}), NAMES)


@pytest.mark.parametrize(
    ("pages", "kinds", "complaint"),
    [
        ({"faq/why.md": "why"}, {}, "'why' is not in docs/_ids.toml"),
        ({}, {"answers": {"why": "faq/why.md"}, "charts": {}, "claims": {}}, "no page faq/why.md with that id"),
        ({"faq/why.md": "who"}, {"answers": {"why": "faq/why.md"}}, "no page faq/why.md with that id"),
        ({"faq/why.md": "why"}, {"answers": {"why": "faq/why.md"}, "charts": {}}, "'speed-by-workload' is not reg"),
        (
            {"faq/why.md": "why"},
            {"answers": {"why": "faq/why.md"}, "charts": {"speed-by-workload": "faq/why.md", "old": "faq/why.md"}},
            "'old' does not exist any more",
        ),
        ({"faq/why.md": "why"}, {"answers": {"why": "faq/why.md"}, "pages": {"why": "faq/why.md"}}, "stands under"),
    ],
)
def test_a_broken_registry_is_caught(pages, kinds, complaint):
    found = prose.check_registry(pages, registered(**kinds), NAMES)

    assert any(complaint in problem.text for problem in found), found


def test_a_removed_or_redated_id_is_caught():
    before = registered(answers={"why": "faq/why.md", "how": "faq/how.md"})
    after = registered(answers={"why": "faq/moved.md"})
    after["charts"]["speed-by-workload"]["since"] = "2027-01-01"

    assert ["charts: 'speed-by-workload' changed its date", "answers: 'how' was removed"] == [
        found.text.split(";")[0] for found in prose.check_append_only(before, after)
    ]


def test_no_id_was_lost_since_any_commit():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    log = ["git", "log", "--format=%H", "--", prose.REGISTRY]
    commits = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    now = prose.load_registry((ROOT / prose.REGISTRY).read_text(encoding="utf-8"))

    for commit in commits:
        show = ["git", "show", f"{commit}:{prose.REGISTRY}"]
        done = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:  # not in the commit that removed a file
            assert [] == prose.check_append_only(prose.load_registry(done.stdout), now), commit


def test_the_readme_block_follows_the_records():
    readme = f"before\n{prose.START}\nold\n{prose.END}\nafter\n"

    made = prose.with_numbers(readme, prose.committed_evidence())

    assert made.startswith(f"before\n{prose.START}\n| | CPU |") and made.endswith(f"{prose.END}\nafter\n")
    assert "old" not in made
    assert made == prose.with_numbers(made, prose.committed_evidence())


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="numbers:start"):
        prose.with_numbers("# Title\n", prose.committed_evidence())
