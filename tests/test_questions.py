"""Numbered questions: all there, each with a page, a sweep and records; a wrong entry stops the build."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bench.report.pages import build, context, render
from bench.report.prose import coverage, questions
from bench.report.prose import source as prose_source

pytest.importorskip("altair")
pytest.importorskip("jinja2")

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.workloads import registry
from tests import committed
from tests.factories import make_gpu, make_machine, make_record, make_session, make_session_results
from tests.sites import ROOT, write_results

DOCS = ROOT / "docs"
TEXT = (DOCS / questions.FILE).read_text(encoding="utf-8")
LIST = Path(os.environ.get("QUESTIONS_MD", ROOT.parent / "shared" / "QUESTIONS.md"))


@pytest.fixture(scope="module")
def register() -> questions.Register:
    return questions.read(TEXT, f"docs/{questions.FILE}")


@pytest.fixture(scope="module")
def sources() -> dict[str, prose_source.Source]:
    return prose_source.read(DOCS)


# The committed list.


def test_every_number_and_sweep_is_there(register):
    assert [question.number for question in register.questions] == list(range(1, 86))
    assert [sweep.id for sweep in register.sweeps] == [f"S{n}" for n in range(1, 25)]
    assert sorted(map(int, register.beliefs)) == list(range(1, 41))


def test_the_list_fits_pages_and_workloads(register, sources):
    pages = {name: source.meta for name, source in sources.items()}
    found = questions.problems(register, TEXT, questions.FILE, pages=pages, specs=registry.workloads())

    assert list(found) == []


def test_every_answer_of_a_measurable_question_rests_on_a_workload_that_can_be_run(register, sources):
    specs = registry.workloads()
    for question in register.questions:
        listed = {name for page in question.pages for name in sources[page].meta.get("workloads") or ()}
        missing = set(question.workloads) - listed
        assert not missing, f"question {question.number}: {sorted(missing)} not in the front matter of its page"
        for name in question.workloads:
            variants = specs[name].variants
            assert variants["smoke"] and variants["reference"], name


def test_every_workload_belongs_to_a_sweep(register):
    used = {name for sweep in register.sweeps for name in questions.workloads_of(sweep)}

    assert set(registry.workloads()) - used == set()


def test_every_answer_has_at_most_one_number(register):
    pages = [page for question in register.questions for page in question.pages]

    assert len(pages) == len(set(pages))


def test_facts_cite_their_sources(register, sources):
    for question in register.questions:
        if question.where == "fact":
            assert any(coverage.sources_of(sources[page]) for page in question.pages), question.number
            assert not question.workloads, question.number


def test_contributors_are_named(register):
    for question in register.questions:
        assert bool(question.who) == (question.where == "contributor"), question.number


def test_no_measurable_question_is_empty(register):
    bearing = coverage.Bearing(register, committed.evidence())
    empty = {
        question.number
        for question in register.questions
        if question.where in questions.MEASURABLE
        and not coverage.count(bearing.of_question(question).values()).cpu
        and not bearing.gpu_only(question)
    }

    assert set() == empty


def test_no_sweep_is_empty_but_those_for_other_machines(register):
    bearing = coverage.Bearing(register, committed.evidence())
    empty = {
        sweep.id
        for sweep in register.sweeps
        if not (sweep.gpu_only or sweep.contributor_only) and not bearing.of_sweep(sweep)
    }

    assert set() == empty


@pytest.mark.skipif(not LIST.is_file(), reason="the list of questions that the project was given is not in a checkout")
def test_numbers_and_marks_agree_with_the_list_given(register):
    text = LIST.read_text(encoding="utf-8").partition("\n## (b)")[0]
    entries = re.findall(r"^\*\*(\d+)\. (.*?)(?=^\*\*\d+\. |\Z)", text, re.M | re.S)
    assert len(entries) == 85
    marks = {"contrib": "contributor", "doc": "fact"}
    ours = {question.number: question for question in register.questions}
    for number, entry in entries:
        measure = entry[entry.index("- Measure:") :]
        found = re.search(r"\*\*((?:here|cap|contrib|doc)(?:/\w+)*)\*\*", measure)
        assert found is not None, number
        given = {marks.get(word, word) for word in found.group(1).split("/")}
        assert ours[int(number)].where in given, number


# What a wrong entry says.

QUESTION = (
    '[[questions]]\nnumber = 1\nwhere = "here"\npages = ["faq/q.md"]\nsweeps = ["S1"]\nworkloads = ["resnet50"]\n'
)
SWEEP = '[[sweeps]]\nid = "S1"\nname = "n"\nvaries = "v"\nmeasured = [{ workloads = ["resnet50"] }]\n'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"faq/q.md"', '"faq/p.md"', r"_questions\.toml:9: unknown page 'faq/p\.md'; near ones: faq/q\.md"),
        ('"here"', '"hear"', r"_questions\.toml:8: unknown mark 'hear'; near ones: here"),
        ('["S1"]', '["S2"]', r"_questions\.toml:10: unknown sweep 'S2'; known are S1"),
        ('s = ["resnet50"]\n', 's = ["resnet5"]\n', r"_questions\.toml:11: unknown workload 'resnet5'; near ones: res"),
        ('s = ["resnet50"]\n', 's = ["matmul"]\n', r"_questions\.toml:11: workload 'matmul' belongs to none of the sw"),
        ('s = ["resnet50"]\n', "s = []\n", r"_questions\.toml:8: question 1 can be measured but names no workloads"),
        ('["faq/q.md"]', "[]", r"_questions\.toml:9: question 1 has no page; name the page that answers it"),
        ('"here"', '"fact"', r"_questions\.toml:8: question 1 is 'fact', but its page .* write where: documents there"),
        ("number = 1\n", 'number = "1"\n', r"_questions\.toml:7: Expected `int`, got `str`.* shows an entry"),
        ("number = 1\n", "number = 1\nasks = 1\n", r"_questions\.toml:6: Object contains unknown field `asks`"),
        ("number = 1\n", "number = 1\nnumber = 2\n", r"_questions\.toml:8: Cannot overwrite a value"),
        ('[{ workloads = ["resnet50"] }]', '[{ workloads = ["r"] }]', r"_questions\.toml:5: unknown workload 'r'"),
        ('["resnet50"] }]', '["resnet50"], tags = ["bach"] }]', r":5: unknown sweep tag 'bach'; near ones: batch"),
        ('["resnet50"] }]', '["resnet50"], cell = { modes = [] } }]', r":5: unknown field of a cell 'modes'; .* mode"),
        ('["resnet50"] }]', '["resnet50"], differ = "thread" }]', r":5: unknown field of a cell 'thread'; .* threads"),
        ('["resnet50"] }]', '["resnet50"], needs = "energy" }]', r":5: unknown field of a run 'energy'; .* energy_j"),
        ('["resnet50"] }]', '["resnet50"], machine = "(" }]', r":5: machine '\(' is no pattern: .*; write a regular"),
        (SWEEP, SWEEP + SWEEP, r"_questions\.toml:7: sweep 'S1' stands here twice; give this one another id"),
        (QUESTION, QUESTION * 2, r"_questions\.toml:13: question 1 stands here twice; give this one the next free num"),
        (QUESTION, QUESTION + '[beliefs]\n1 = "faq/no.md"\n', r"_questions\.toml:13: unknown page 'faq/no\.md'"),
    ],
)
def test_a_wrong_entry_stops_the_build(tmp_path: Path, old: str, new: str, message: str):
    text = SWEEP + QUESTION
    assert old in text
    pages, shown = {"faq/q.md": {"where": "here"}}, f"docs/{questions.FILE}"

    with pytest.raises(prose_source.PageError, match=message):
        questions.checked(text.replace(old, new), shown, pages=pages, specs=registry.workloads())


def test_a_wrong_entry_stops_the_build_of_the_site(tmp_path: Path):
    docs = tmp_path / "docs"
    (docs / "faq").mkdir(parents=True)
    (docs / "faq/q.md").write_text("---\ntitle: Why?\nid: q\n---\n\nBecause.\n", encoding="utf-8")
    (docs / questions.FILE).write_text(SWEEP + QUESTION.replace("q.md", "p.md"), encoding="utf-8")

    with pytest.raises(prose_source.PageError, match=r"docs/_questions\.toml:9: unknown page 'faq/p\.md'"):
        build.build(docs, write_results(tmp_path / "results", Results(())))


def test_a_list_that_fits_is_taken():
    pages, shown = {"faq/q.md": {}}, questions.FILE

    found = questions.checked(SWEEP + QUESTION, shown, pages=pages, specs=registry.workloads())

    assert [question.number for question in found.questions] == [1]


# Which records bear on what.


def of_part(part: questions.Part, *sessions) -> set[str]:
    evidence = Evidence(Results(sessions), registry.workloads())
    sweep = questions.Sweep(id="S", name="", varies="", measured=(part,))
    found = coverage.Bearing(questions.Register(), evidence).of_sweep(sweep)
    return {record.cell.id for record in found.values()}


def test_records_of_other_workloads_and_failed_ones_do_not_count():
    good = make_record("resnet50")
    session = make_session_results((good, make_record("resnet50", status="failed", threads=1), make_record("matmul")))

    assert of_part(questions.Part(workloads=("resnet50",)), session) == {good.cell.id}


def test_a_record_without_another_setting_beside_it_varies_nothing():
    records = [make_record("resnet50", threads=n) for n in (1, 2)]
    other = make_record("mlp-tabular", threads=2)
    part = questions.Part(differ="threads")

    assert of_part(part, make_session_results((*records, other))) == {record.cell.id for record in records}
    assert of_part(part, make_session_results(records[:1])) == set()


def test_a_batch_of_another_size_may_come_with_other_data():
    records = [make_record("resnet50", batch_size=n, n_samples=10 * n) for n in (8, 16)]

    assert len(of_part(questions.Part(differ="batch_size"), make_session_results(records))) == 2
    assert of_part(questions.Part(differ="threads"), make_session_results(records)) == set()


def test_parameters_and_fields_of_a_cell_are_matched_alike():
    wide = make_record("mlp-tabular", params={"width": 4096})
    slim = make_record("mlp-tabular", params={"width": 16})
    session = make_session_results((wide, slim))

    assert of_part(questions.Part(cell={"width": (4096,)}), session) == {wide.cell.id}
    assert of_part(questions.Part(cell={"device": ("gpu",)}), session) == set()


def test_a_record_needs_the_value_that_is_asked_for():
    metered = make_record("resnet50", threads=1, run_fields={"energy_j": 5.0})
    other = make_record("resnet50", threads=2, run_fields={"energy_j": None})

    assert of_part(questions.Part(needs="energy_j"), make_session_results((metered, other))) == {metered.cell.id}


def test_a_machine_and_a_setting_can_be_asked_for():
    record = make_record("resnet50")
    amd = make_session_results((record,), machine=make_machine(gpus=(make_gpu("AMD Radeon RX 7900"),)))
    plain = make_session_results((record,), machine=make_machine(cpu_model="AMD EPYC"))
    off = make_session_results((record,), session=make_session(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}))
    card = questions.Part(machine="GPU .*(AMD|Radeon)")
    setting = questions.Part(environment={"TF_ENABLE_ONEDNN_OPTS": "0"})

    assert of_part(card, amd) and not of_part(card, plain)
    assert of_part(setting, off) and not of_part(setting, plain)


def test_a_tag_is_that_of_the_variant():
    variant = next(v for v in registry.workloads()["resnet50"].variants["reference"] if v.sweep == "batch")

    taken = {"mode": variant.mode, "n_samples": variant.n_samples, "params": variant.params}
    tagged = make_record("resnet50", batch_size=variant.batch_size, **taken)
    other = make_record("resnet50", batch_size=999, **taken)

    found = of_part(questions.Part(tags=("batch",)), make_session_results((tagged, other)))

    assert found == {tagged.cell.id}


# What the page shows.


def shown_by(text: str, head: str = "", **meta) -> str:
    register = questions.read(text, questions.FILE)
    meta = {"title": "Why?"} | meta
    pages = {"faq/q.md": prose_source.Source(path="faq/q.md", shown="docs/faq/q.md", meta=meta, head=head, body="")}
    page = coverage.Page(
        link=lambda path: f"../{path}",
        facts=lambda names: f"{len(names)} numbers",
        badge=str,
        rests_on=lambda name: coverage.Counted(3, 0),
    )
    session = make_session_results((make_record("resnet50"), make_record("matmul")))
    evidence = Evidence(Results((session,)), registry.workloads())
    return coverage.tables(register, evidence, pages, page)


def test_a_question_shows_its_page_sweep_and_records():
    text = shown_by(SWEEP + QUESTION, group="cpu")

    assert "## The CPU side {#questions-cpu}" in text
    assert '<tr id="q1"><th scope="row">1. <a href="../faq/q.md">Why?</a></th>' in text
    assert '<a href="#sweep-s1">S1</a>' in text and '<tr id="sweep-s1">' in text
    assert '<li><a href="../workloads/resnet50.md">resnet50</a>: 1</li>' in text
    assert '<td data-label="CPU records">1</td><td data-label="GPU records"><span class="missing">none yet' in text


def test_a_fact_shows_its_sources_and_no_records():
    entry = QUESTION.replace('"here"', '"fact"').replace('workloads = ["resnet50"]\n', "")
    head = "x [a](https://a.example/) [b](https://b.example/) a/b issue 7 and issue 8"

    text = shown_by(entry, head)

    assert "a fact, no run needed: 4 sources on its page" in text
    assert '<td data-label="CPU records">–</td><td data-label="GPU records">–</td>' in text


def test_contributors_and_owners_of_a_gpu_are_told_so():
    entry = QUESTION.replace('"here"', '"contributor"') + 'who = "owners of a <Mac>"\n'
    gpu = QUESTION + 'only = [{ cell = { device = ["gpu"] } }]\ngpu_only = "a CPU has none"\n'

    assert "contributors only: owners of a &#60;Mac&#62;" in shown_by(SWEEP + entry)
    assert "owners of a GPU: a CPU has none" in shown_by(SWEEP + gpu)
    assert '<td data-label="CPU records">–</td><td data-label="GPU records"><span' in shown_by(SWEEP + gpu)


def test_a_page_without_a_number_is_listed_below_its_group():
    text = shown_by("", group="speed", workloads=["matmul"], id="q")

    assert "## How much faster {#questions-speed}" in text
    assert '<tr id="page-q"><th scope="row"><a href="../faq/q.md">Why?</a></th><td' in text


def test_a_belief_shows_what_its_verdict_rests_on():
    text = shown_by(
        SWEEP + QUESTION + '[beliefs]\n4 = "faq/q.md"\n', verdict={"judge": "course_jobs"}, id="always-requires-gpu"
    )

    assert '<tr id="m4"><th scope="row">M4. <a href="../faq/q.md">Why?</a></th>' in text
    assert '<td data-label="CPU records it rests on">3</td>' in text


def test_the_coverage_page_lists_every_question_without_a_record():
    site = context.Site(DOCS, Evidence(Results(()), registry.workloads()))
    site.check_heads()
    _, text = render.render(site, site.sources["method/coverage.md"])

    for anchor in (*(f"q{n}" for n in range(1, 86)), *(f"sweep-s{n}" for n in range(1, 25))):
        assert text.count(f'<tr id="{anchor}">') == 1, anchor
    assert not re.search(r'<td data-label="[CG]PU records">\d', text)
