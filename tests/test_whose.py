"""Whose a number is: no sentence sets a number of one machine beside the name of another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.pages import calls, context, drawings, render, whose, workload_pages
from bench.report.pages.plain import plain
from bench.report.prose import check_page, source
from bench.report.prose.source import PageError, is_for_readers
from bench.workloads import registry
from tests.factories import made, make_evidence, make_machine, make_record, make_results, make_session_results

DOCS = Path(__file__).parents[1] / "docs"
OURS, YOURS = "2 cores of an AMD EPYC", "this machine"


def number(text: str, key: str, machine: str, kind: whose.Kind = "of") -> str:
    return f'<a class="num">{text}</a>{whose.mark(kind, key, machine)}'


def machine(key: str, words: str) -> str:
    return f"{words}{whose.mark('at', key, words)}"


def words(text: str, lead: str = "ours") -> str:
    return plain(whose.settled(text, lead))


def test_a_number_of_the_leading_machine_stands_alone_and_one_of_another_names_it():
    assert "It takes 3 s." == words(f"It takes {number('3 s', 'ours', OURS)}.")
    assert f"It takes 3 s on {OURS}." == words(f"It takes {number('3 s', 'ours', OURS)}.", lead="local-yours")
    assert "7 times beside this machine" == words(number("7 times", "yours", YOURS, "by"))


def test_a_machine_that_the_sentence_names_is_that_of_its_numbers_or_they_say_so():
    named = f"On {machine('ours', OURS)}, one takes"

    assert f"On {OURS}, one takes 3 s." == words(f"{named} {number('3 s', 'ours', OURS)}.", lead="yours")
    assert f"On {OURS}, one takes 3 s on {YOURS}." == words(f"{named} {number('3 s', 'yours', YOURS)}.", lead="yours")
    assert f"3 s on {OURS}" == words(f"{number('3 s', 'ours', OURS)} on {machine('ours', OURS)}", lead="yours")


def test_our_cpu_is_yours_where_your_own_machine_leads():
    ours, yours = (f"On our CPU it takes {number('3 s', key, YOURS)}." for key in ("ours", "local-own"))

    assert "On your CPU it takes 3 s." == words(yours, lead="local-own")
    assert "On our CPU it takes 3 s." == words(ours, lead="ours")
    assert "On our CPU it takes 3 s on this machine." == words(yours)


def test_what_a_sentence_names_holds_to_the_end_of_its_paragraph():
    text = f"On {machine('yours', YOURS)}: {number('3 s', 'yours', YOURS)}.\n\nAnd {number('4 s', 'yours', YOURS)}."

    assert f"On {YOURS}: 3 s. And 4 s on {YOURS}." == words(text)


def table(*rows: tuple[str, ...]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (("what", "time"), ("---", "---"), *rows))


def test_a_table_has_its_machine_below_it_and_a_number_of_another_says_so():
    own, other = ("a", number("3 s", "ours", OURS)), ("b", number("4 s", "yours", YOURS))

    assert words(table(own)).endswith(f"| a | 3 s | Measured on {OURS}.")
    assert f"| b | 4 s on {YOURS} | Measured on {OURS}." in words(table(own, other))
    assert f"| a | 3 s on {OURS} |" in words(table(own, other), lead="yours")
    assert words(table(other)).endswith(f"| b | 4 s | Measured on {YOURS}.")
    assert f"| b | 4 s on {YOURS} | | b | 4 s on {YOURS} | | a | 3 s |" in words(table(other, other, own))


def test_a_doubt_is_a_word_in_a_sentence_and_a_mark_in_a_table():
    rough, loose = (whose.hedge(is_doubted=doubted, is_close=False) for doubted in (True, False))
    one = '<a class="num">3 s</a>'

    assert "It takes roughly 3 s, about 3 s, nearly 3 s." == words(
        f"It takes {rough}{one}, {loose}{one}, nearly {loose}{one}."
    )
    told = whose.settled(table(("a", f"{rough}{one}"), ("b", f"{loose}{one}")), "")
    assert 1 == told.count(f"{one}<sup") and 1 == told.count("Only rough") and "about" not in told
    assert "" == whose.hedge(is_doubted=False, is_close=True)


def site(*sessions) -> context.Site:
    return context.Site(DOCS, make_evidence(*sessions))


def test_the_machine_of_the_site_cannot_be_written_on_a_page_for_readers():
    own = site(make_session_results([make_record("resnet50")]))
    names = check_page.known()
    page = source.parsed('---\ntitle: X\nid: x\n---\n\nOn {{ fact("machine-cpu") }}.\n', "faq/x.md", "docs/faq/x.md")

    assert "2 cores of an Example CPU" in calls.Voice(own, "method/index.md").fact("machine-cpu")
    with pytest.raises(PageError, match="where"):
        calls.Voice(own, "faq/x.md").fact("machine-cpu")
    assert any("write where" in problem.text for problem in check_page.check_page(page, names))


@pytest.fixture(scope="module")
def two_machines() -> context.Site:
    """Every workload on two published machines, one with a GPU, and a few of them on the reader's own."""
    evidence = Evidence(make_results(gpu=True, local=True, n_runs=2, n_blocks=4), registry.workloads())
    assert 3 == len(evidence.shown) and evidence.lead.is_local
    return context.Site(DOCS, evidence)


@pytest.mark.slow
def test_on_every_page_a_sentence_with_a_machine_takes_its_numbers_from_it(two_machines, monkeypatch):
    """Reads each paragraph as a reader would: the machine last named, else the one that leads."""
    settle, texts = whose.settled, []
    monkeypatch.setattr(drawings, "begin_svg", lambda spec: lambda: "")
    monkeypatch.setattr(whose, "settled", lambda text, lead: texts.append((text, lead)) or settle(text, lead))
    for path, page in two_machines.sources.items():
        if is_for_readers(path):
            render.render(two_machines, page)
    seen = 0
    for text, lead in texts:
        for block in re.split(r"\n\s*\n|\n(?=- )|</li>", text):
            if block.lstrip().startswith("|") or len(marks := whose.MARK.findall(block)) < 2:
                continue
            current, shown = lead, settle(block, lead)
            for _, key, named in marks:
                if key != current:
                    seen += 1
                    assert named in shown, (block, shown)
                current = key
    assert 5 < seen


def test_a_fact_says_its_machine_when_asked_and_a_ratio_names_both_sides():
    evidence = make_evidence(gpu=True, n_runs=2, n_blocks=4)
    voice = calls.Voice(context.Site(DOCS, evidence), "faq/x.md")
    ratio = lookup.lookup("resnet50-train-speedup", evidence)

    assert ratio.where.startswith("an Example GPU beside 16 cores of an Example Server CPU")
    assert plain(str(voice.fact("resnet50-train-speedup", where=True))).endswith(f" on {ratio.where}")
    assert plain(str(voice.where("resnet50-train-cpu-throughput"))).endswith("cores of an Example Server CPU")


@pytest.mark.parametrize(
    ("families", "words"),
    [
        (("Vendor 25/1/1", "Vendor 26/2/1"), {"older", "newer"}),
        (("Vendor 25/1/1", "Other 6/1/1"), {"other"}),
        (("Vendor 25/1/1", "Vendor 25/1/1"), {"Example"}),
    ],
)
def test_two_cpus_of_one_name_are_told_apart(families, words):
    named = [(f"{letter}-2c", family) for letter, family in zip("ab", families, strict=True)]
    made = [make_session_results([make_record("cnn-digits")], machine=make_machine(n, cpu_family=f)) for n, f in named]
    evidence = Evidence(Results(tuple(made)), registry.workloads())
    first, second = (evidence.view(session).cpu for session in evidence.shown)

    assert first.startswith("Example")
    assert second.partition(" ")[0] in words and second.endswith(first)


def test_a_page_of_a_workload_that_the_lead_never_ran_is_of_the_machine_that_did(monkeypatch):
    lead = make_session_results([make_record("cnn-digits"), make_record("mlp-tabular")])
    machine = make_machine("another-2c", cpu_model="Another CPU")
    own = site(lead, make_session_results([make_record("resnet50")], machine=machine))
    monkeypatch.setattr(drawings, "begin_svg", lambda spec: lambda: "")
    assert lead is own.evidence.lead

    pages = made(workload_pages.workload_pages(own))

    page, (row,) = pages["workloads/resnet50.md"], re.findall(r"<tr>.*resnet50.*?</tr>", pages["workloads/index.md"])
    assert "## Headline numbers on Another CPU, measured" in page
    assert f", {own.evidence.view(own.evidence.leading('resnet50')).label}" in row
    assert lead is own.evidence.leading("cnn-digits") is own.evidence.leading("never-ran")
