"""The pages pass the checker, the checker catches what is planted, and ids are never lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.report.prose import check_page, groups, links, shape
from bench.report.prose import ids as prose_ids
from bench.report.prose import problem as prose_problem
from bench.report.prose import readme as prose_readme
from bench.report.prose import source as prose_source
from bench.report.prose.source import Source
from bench.workloads import registry
from scripts import check_prose
from tests.beliefs import BELIEFS

pytest.importorskip("altair")


ROOT = Path(__file__).parents[1]
NAMES = prose_problem.Known(
    facts=frozenset({"resnet50-train-speedup"}),
    charts=frozenset({"speed-by-workload"}),
    tables=frozenset({"headline"}),
    beliefs={"always-requires-gpu": BELIEFS["always-requires-gpu"]},
    figures=frozenset({"kapp-resnet50-cpu-gpu-ratio"}),
    workloads={"resnet50": registry.workload("resnet50")},
    claims=frozenset({"a-42min-vs-33s"}),
)
HEAD = "---\ntitle: Why?\nid: why\ndescription: Because.\nworkloads: [resnet50]\n---\n\n"


def page(text: str, path: str = "docs/faq/why.md") -> Source:
    return prose_source.parsed(text, path.removeprefix("docs/"), path)


def complaints(body: str, *, head: str = HEAD, path: str = "docs/faq/why.md") -> list[str]:
    """What the checker says about one page, as "line: text"."""
    return [f"{found.line}: {found.text}" for found in check_page.check_page(page(head + body, path), NAMES, ROOT)]


def test_the_pages_have_no_problems():
    assert [] == [found.shown for found in check_page.check()]


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("It takes 12.4x the time.", "12.4x"),
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

    found = complaints("Text.", head=head)

    assert 1 == len(found) and found[0].startswith(f"1: front matter has no '{key}'; add it")


def test_a_misconception_needs_a_verdict():
    head = HEAD.replace("Why?", "It is so")

    (found,) = complaints("Text.", head=head, path="docs/misconceptions/why.md")
    assert "front matter has no 'verdict'; add it" in found


def test_front_matter_holds_no_number_and_no_unknown_name():
    head = HEAD.replace("Because.", "It takes 76x the time.").replace("resnet50", "resnet51")

    found = complaints("Text.", head=head)

    assert "1: unknown workload 'resnet51'; near ones: resnet50" == found[0]
    assert found[1].startswith("1: naked number '76x' in description; ") and 2 == len(found)


SHAPE = """Yes.

{{ chart("mlp-surface") }}

## Why

Because.

## When it is different for you

- For you.

## Check it yourself
## Related

- [More](more.md)
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD.replace("Why?", "Why") + SHAPE, "1: the title of an answer is a question"),
        (
            HEAD + SHAPE.replace("## Why\n", ""),
            "1: sections When it is different for you, Check it yourself, Related; ",
        ),
        (HEAD + SHAPE.replace("## Related", "## Sources\n## All the numbers\n## Related"), "1: sections Why, When"),
        (HEAD + SHAPE.replace("## Why", "## Whence\n## Why"), "1: sections Whence, Why, "),
        (HEAD + SHAPE.replace("Yes.", "word " * 25 + "and one."), "8: a sentence has 27 words; shorten it"),
        (HEAD + SHAPE.replace("Because.", "Yes. " + "`a b` " * 26), "14: a sentence has 27 words"),
        (HEAD + SHAPE.replace("- For you.", "- For " + "you " * 25), "18: a sentence has 26 words"),
        (HEAD + SHAPE.replace("{{ chart", "{{ fact"), "7: 0 figures below the answer; show one"),
        (HEAD + SHAPE.replace("Yes.", '{{ table("a") }}'), "7: 2 figures below the answer; show one"),
        (HEAD + SHAPE.replace("Because.", "So.\n\nSo.\n\nSo.\n\nSo."), "12: 4 paragraphs under 'Why'; 3 at most"),
        (HEAD + SHAPE.replace("- For you.", "- So.\n" * 5), "16: 5 lines under 'When it is different for you'; keep"),
        (HEAD + SHAPE.replace("- [More]", "- [a](b)\n" * 3 + "- [More]"), "21: 4 lines under 'Related'; keep the 3"),
    ],
)
def test_an_answer_out_of_shape_is_caught(text: str, complaint: str):
    found = shape.check_answer(page(text))

    assert 1 == len(found), found
    assert f"{found[0].line}: {found[0].text}".startswith(complaint)


@pytest.mark.parametrize(
    "answer",
    [
        "Yes.",
        "Yes. " + "More words. " * 20,
        "word " * 25,
        'It is {{ fact("a b") }} of `x y`.',
        "[A long name of a page](with-a-long-address.md) " + "word " * 19,
        "# not\n```sh\n## no\n```",
    ],
)
def test_an_answer_in_shape_passes(answer: str):
    assert [] == shape.check_answer(page(HEAD + SHAPE.replace("Yes.", answer)))


def test_a_belief_has_a_shape_of_its_own():
    as_belief = SHAPE.replace("## Why\n", "## Why people believe it\n").replace(
        "## When it is different for you", "## What is true"
    )

    assert [] == shape.check_belief(page(HEAD + as_belief))
    assert shape.check_belief(page(HEAD + SHAPE))[0].text.startswith("sections Why, When it is different for you, ")


BARS = """bars:
  shows: Times as fast.
  says: "{most} is {times} times {least}"
  same: They are equal
  rows:
    one: resnet50-train-speedup
    other: published/kapp-resnet50-cpu-gpu-ratio
"""


@pytest.mark.parametrize(
    ("bars", "body", "complaint"),
    [
        (BARS, "{{ bars() }}", ""),
        ("", "{{ bars() }}", "1: {{ bars() }} has nothing to draw; write"),
        (BARS, "", "6: the front matter has 'bars'; call {{ bars() }} once"),
        (BARS.replace("{least}", "{last}"), "{{ bars() }}", "8: bars.says: unknown placeholder 'last'; "),
        (BARS.replace("{least}", "{least.__class__}"), "{{ bars() }}", "8: bars.says: a brace that belongs to no"),
        (BARS.replace("{least}", "{0}"), "{{ bars() }}", "8: bars.says: unknown placeholder '0'; "),
        (BARS.replace("{least}", "{least"), "{{ bars() }}", "8: bars.says: a brace that belongs to no placeholder"),
        (BARS.replace("They are equal", "5"), "{{ bars() }}", "9: bars.same: expected `str`, got `int`, found 5"),
        (BARS.replace("equal", "{times}"), "{{ bars() }}", "9: bars.same: where the ends are about equal"),
        (BARS.replace("published/k", "published/l"), "{{ bars() }}", "10: bars.rows: unknown published row"),
        (BARS.replace("    one: resnet50-train-speedup\n", ""), "{{ bars() }}", "10: bars.rows: a figure compares 2"),
        (BARS.replace("  same: They are equal\n", ""), "{{ bars() }}", "6: bars.same: there is no 'same'; add it"),
        ("bars: [1]\n", "{{ bars() }}", "6: bars must be keys and values"),
    ],
)
def test_a_wrong_figure_is_caught_with_its_line(bars: str, body: str, complaint: str):
    found = complaints(body, head=HEAD.replace("]\n---", f"]\n{bars}---"))

    assert bool(complaint) == bool(found), found
    assert not complaint or found[0].startswith(complaint), found


def test_a_misspelt_group_is_caught():
    head = HEAD.replace("id: why", "id: why\ngroup: slow")

    assert ["1: unknown group 'slow'; near ones: slower"] == complaints("Text.", head=head)
    assert [] == complaints("Text.", head=head.replace("group: slow", "group: slower"))


def test_every_answer_stands_in_a_group():
    answers = prose_source.read(ROOT / "docs", "faq")

    assert ["faq/index.md"] == [path for path, answer in answers.items() if "group" not in answer.meta]


# Comparisons, limits, links, titles.


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("A GPU is faster.", "A GPU is faster."),
        ("It is slower than this. It is faster.", "It is faster."),
        ("| Faster cards |", "Faster cards"),
        ("Buy a faster card than mine. Or a faster one.", "Or a faster one."),
    ],
)
def test_faster_without_than_is_caught(body: str, sentence: str):
    (found,) = complaints(body)

    assert f'8: "faster" without "than": \'{sentence}\'; say than what' in found.replace("| ", "").replace(" |", "")


@pytest.mark.parametrize(
    "body",
    [
        "A GPU is faster than a CPU.",
        "See [why is it faster?](why.md)",
        'He asked "how many times faster?"',
        "**The belief.** It is faster.",
        '`faster` {{ fact("resnet50-train-speedup") }} as fast',
    ],
)
def test_comparisons_and_other_peoples_words_pass(body: str):
    assert [] == complaints(body)


def test_faster_in_a_description_is_caught():
    assert "in description" in complaints("Text.", head=HEAD.replace("Because.", "It is faster."))[0]


@pytest.mark.parametrize(
    "sentence",
    ["We have not tried it.", "We rented nothing.", "Ours ran on one core only.", "not measured yet", "Nobody has."],
)
def test_a_page_that_says_what_was_not_tried_passes(sentence: str):
    assert [] == complaints(f"Yes.\n\n{shape.LIMITS}\n\n{sentence}")


@pytest.mark.parametrize("sentence", ["It is not so.", "{{ fact('we') }} no", "We tried it."])
def test_a_page_that_does_not_say_what_was_not_tried_is_caught(sentence: str):
    text = HEAD + f"Yes.\n\n{shape.LIMITS}\n\n{sentence}"

    found = [one for one in check_page.check_page(page(text), NAMES, ROOT) if "not tried" in one.text]

    assert [10] == [one.line for one in found]


def test_the_title_of_a_misconception_is_a_claim():
    head = HEAD.replace("workloads", "verdict: {judge: course_jobs}\nworkloads")

    found = complaints("Text.", head=head, path="docs/misconceptions/why.md")

    assert ["1: the title of a misconception is a claim and ends without a mark; write it as believed"] == found
    assert [] == complaints("Text.", head=head.replace("Why?", "So"), path="docs/misconceptions/why.md")


SOURCES = {
    "docs/faq/why.md": '## Folded { .fold }\n\n## Named { #mine .fold }\n\n## Why not, then?\n\n<i id="own"></i>\n',
    "docs/articles/index.md": "# Claims\n",
}


@pytest.mark.parametrize("anchor", ["folded", "mine", "why-not-then", "own"])
def test_a_link_to_a_folded_section_is_no_problem(anchor: str):
    assert [] == links.check_links("docs/faq/why.md", f"See [it](#{anchor}).", SOURCES, NAMES, ROOT)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("See [it](who.md).", "no such page; docs/faq/why.md is near; correct it or remove the link"),
        ("See [it](why.md#why-not).", "faq/why.md has no heading 'why-not'; near ones: why-not-then"),
        ("See [it](why.md#folded-fold).", "faq/why.md has no heading 'folded-fold'; near ones: folded"),
        ("See [it](#nowhere).", "has no heading 'nowhere'"),
        ("See [it](../workloads/resnet51.md).", "no such page"),
        ("See [it](http://example.org/).", "begins with http:; write the page's https: address"),
        ("See [it](https://example).", "is no well-formed address"),
        ("See [it](https://example.org/a.).", "is no well-formed address"),
        ("See [it](mailto:me@example.org).", "begins with mailto:"),
    ],
)
def test_a_link_that_leads_nowhere_is_caught(body: str, complaint: str):
    (found,) = links.check_links("docs/faq/why.md", f"one\n{body}\n", SOURCES, NAMES, ROOT)

    assert ("docs/faq/why.md", 2) == (found.path, found.line)
    assert complaint in found.text


@pytest.mark.parametrize(
    "body",
    [
        "[it](why.md#why-not-then)",
        "[it](why.md#own)",
        "[it](../articles/index.md#a-42min-vs-33s)",
        "[it](../workloads/resnet50.md)",
        "[it](../evidence/facts.md#x)",
        "[it](https://example.org/a?b=c#d)",
        "`[it](who.md)`",
        "```\n[it](who.md)\n```",
    ],
)
def test_a_link_that_leads_somewhere_passes(body: str):
    assert [] == links.check_links("docs/faq/why.md", body, SOURCES, NAMES, ROOT)


def test_a_guide_answers_in_a_short_first_sentence():
    shown = "\n\n{{ bars() }}\n\n## Why\n"
    assert [] == shape.check_opening(page(HEAD + "**Do it.** <!-- setting: README.md -->" + shown))
    assert "26 words" in shape.check_opening(page(HEAD + "word " * 26 + shown))[0].text
    assert "nothing to see" in shape.check_opening(page(HEAD + "**Do it.**\n\n## Why" + shown))[0].text
    assert "says nothing" in shape.check_opening(page(HEAD))[0].text


def test_every_complaint_says_what_to_do():
    body = "It is 12x. {{ fact('nothing-like-it') }} [x](who.md) It is faster.\n\n" + shape.LIMITS
    text = HEAD.replace("workloads", "colour: red\nworkloads").replace("id: why", "id: Why") + body
    found = check_page.check_page(page(text), NAMES, ROOT)
    found += links.check_links("docs/faq/why.md", text, SOURCES, NAMES, ROOT)
    found += shape.check_answer(page(HEAD.replace("Why?", "Why") + "word " * 30))

    assert len(found) >= 9
    remedies = "use write say add near known shorten make correct show".split()
    assert [] == [one.text for one in found if not any(word in one.text.split("; ", 1)[-1] for word in remedies)]


# The report.


def test_the_report_counts_words_sentences_and_a_grade():
    prose_of_it = "The cat sat. {{ fact('x') }} is a very long sentence of ten words, it says."
    text = f"{HEAD}# The page\n\n{prose_of_it}\n\n| a | b |\n"

    found = groups.read(page(text))

    assert ["The page", "The cat sat.", "It is a very long sentence of ten words, it says.", "a", "b"] == (
        groups.sentences(page(text).body)
    )
    assert (18, 2, 11) == (found.n_words, found.n_sentences, found.longest)
    # By hand: 14 words, 2 sentences, syllables 3 + (1+1+1+2+1+2+1+1+1+1+1).
    assert abs(found.grade - (0.39 * 14 / 2 + 11.8 * 16 / 14 - 15.59)) < 1e-9


@pytest.mark.parametrize(
    ("word", "n"), [("cat", 1), ("table", 2), ("time", 1), ("accuracy", 4), ("free", 1), ("GPU", 1), ("epoch", 2)]
)
def test_syllables_are_groups_of_vowels(word: str, n: int):
    assert n == groups.syllables(word)


def test_the_report_is_sorted_and_ends_with_the_middle_page(capsys):
    assert 0 == check_prose.main(["--report"])

    lines = capsys.readouterr().out.splitlines()
    grades = [float(line.split()[-1]) for line in lines[1:-1]]
    assert len(prose_source.read(prose_source.DOCS)) == len(grades)
    assert grades == sorted(grades, reverse=True)
    assert lines[-1].startswith("middle page")


def registered(**kinds: dict[str, str]) -> dict[str, dict[str, dict]]:
    """A registry with ids at pages, all of one day."""
    charts = kinds.pop("charts", {"speed-by-workload": "faq/why.md"})
    claims = kinds.pop("claims", {"a-42min-vs-33s": "faq/why.md"})
    kinds = {"charts": charts, "claims": claims, **kinds}
    return {kind: {n: {"page": page, "since": "2026-11-21"} for n, page in ids.items()} for kind, ids in kinds.items()}


def test_an_entry_that_is_no_table_is_a_problem_and_says_the_form():
    kinds = registered() | {"answers": {"why": "faq/why.md"}}

    (found,) = prose_ids.check_registry({"faq/why.md": "why"}, kinds, NAMES)

    assert found.text == "id 'why' must have page and since, has 'faq/why.md'; write these two"


def test_a_complete_registry_passes():
    assert [] == prose_ids.check_registry({"faq/why.md": "why"}, registered(answers={"why": "faq/why.md"}), NAMES)


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
        (
            {"faq/why.md": "why", "faq/who.md": "why"},
            {"answers": {"why": "faq/why.md"}},
            "id 'why' belongs to docs/faq/why.md; give this page another",
        ),
        ({"notebooks/n.ipynb": ""}, {}, "'' is not in docs/_ids.toml"),
    ],
)
def test_a_broken_registry_is_caught(pages, kinds, complaint):
    found = prose_ids.check_registry(pages, registered(**kinds), NAMES)

    assert any(complaint in problem.text for problem in found), found


def lost_ids(before: dict[str, dict[str, dict]], after: dict[str, dict[str, dict]]) -> list[str]:
    """Ids that an older registry had and a newer one lost or dates differently; an id may move to another list."""
    now = {name: entry for ids in after.values() for name, entry in ids.items()}
    lost = []
    for kind, ids in before.items():
        for name, entry in ids.items():
            if name not in now:
                lost.append(f"{kind}: {name!r} was removed")
            elif now[name]["since"] != entry["since"]:
                lost.append(f"{kind}: {name!r} changed its date")
    return lost


def test_a_removed_or_redated_id_is_caught():
    before = registered(answers={"why": "faq/why.md", "how": "faq/how.md"})
    after = registered(answers={"why": "faq/moved.md"})
    after["charts"]["speed-by-workload"]["since"] = "2027-01-01"

    assert ["charts: 'speed-by-workload' changed its date", "answers: 'how' was removed"] == lost_ids(before, after)


def test_an_id_twice_in_one_list_is_refused_with_its_line():
    text = '[answers]\nwhy = { page = "a.md", since = 2026-11-21 }\nwhy = { page = "b.md", since = 2026-11-21 }\n'

    with pytest.raises(ValueError, match=r"docs/_ids\.toml:3: .*; an id may stand there once"):
        prose_ids.load_registry(text)


def test_notebooks_have_ids_of_their_own():
    found = prose_ids.notebook_ids()

    assert found and all(prose_problem.ID.fullmatch(name) for name in found.values())
    kinds = prose_ids.load_registry((ROOT / prose_ids.REGISTRY).read_text(encoding="utf-8"))
    assert found == {entry["page"]: name for name, entry in kinds["notebooks"].items()}


def test_no_id_was_lost_since_any_commit():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    log = ["git", "log", "--format=%H", "--", prose_ids.REGISTRY]
    commits = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    now = prose_ids.load_registry((ROOT / prose_ids.REGISTRY).read_text(encoding="utf-8"))

    for commit in commits:
        show = ["git", "show", f"{commit}:{prose_ids.REGISTRY}"]
        done = subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:  # not in the commit that removed a file
            assert [] == lost_ids(prose_ids.load_registry(done.stdout), now), commit


def test_the_readme_block_follows_the_records():
    readme = f"before\n{prose_readme.START}\nold\n{prose_readme.END}\nafter\n"

    made = prose_readme.with_numbers(readme, prose_readme.committed_evidence())

    assert made.startswith(f"before\n{prose_readme.START}\n| | CPU |") and made.endswith(f"{prose_readme.END}\nafter\n")
    assert "old" not in made
    assert made == prose_readme.with_numbers(made, prose_readme.committed_evidence())


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="numbers:start"):
        prose_readme.with_numbers("# Title\n", prose_readme.committed_evidence())
