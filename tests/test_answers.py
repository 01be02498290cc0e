"""An answer is one object: a rule decides its outcome, and everything that shows it takes that outcome's sentence."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml

from bench.report.claims.check_rule import Offers
from bench.report.claims.sentence import SentenceError
from bench.report.facts import lookup
from bench.report.pages import build, drawings, plain
from bench.report.prose import check_page, readme, source

pytest.importorskip("altair")
pytest.importorskip("jinja2")

from bench.records.store import Results
from bench.report.claims import answers
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.workloads import registry
from tests.beliefs import BELIEFS, judge
from tests.factories import make_gpu, make_machine, make_record, make_results, make_session, make_session_results
from tests.sites import ROOT, write_results
from tests.test_pages import write_docs

ADDRESS = "https://example.org/"
RULE = """answer:
  says: A GPU trains a small network faster than a CPU.
  facts:
    a small network: mlp-tabular-train-speedup
  measure: the GPU's training speed over the CPU's
  at_least: 1
"""
SENTENCES = """  true: >-
    Yes: it trained {{ fact("mlp-tabular-train-speedup") }} as fast, `a` "small" one.
  false: >-
    No: it trained {{ lowest.value }} as fast.
  depends: >-
    Neither: it trained {{ highest.value }} as fast, {{ counted }} clearly.
  unknown: >-
    Perhaps, {{ published("kapp-resnet50-cpu-gpu-ratio") }} elsewhere; it is not measured yet.
"""
HEAD = f"title: Why?\nid: q\n{RULE}{SENTENCES}"
# Seconds of a step on CPU and GPU that make each outcome; the jitter of runs makes equal times overlap.
TIMES = {"true": (2.0, 1.0), "false": (1.0, 2.0), "depends": (1.0, 1.0), "not enough data": (1.0, None)}
WORDS = {"true": "Yes: ", "false": "No: ", "depends": "Neither: ", "not enough data": "Perhaps, 12.7"}


def session_of(outcome: str):
    """A machine with a GPU on which the answer has this outcome."""
    seconds = zip(("cpu", "gpu"), TIMES[outcome], strict=True)
    records = [
        make_record("mlp-tabular", device=device, step_s=step_s, jitter_frac=0.2)
        for device, step_s in seconds
        if step_s is not None
    ]
    machine = make_machine(gpus=(make_gpu(),))
    return make_session_results(records, machine=machine, session=make_session(records, machine_id=machine.id))


def evidence_of(outcome: str) -> Evidence:
    return Evidence(Results((session_of(outcome),)), registry.workloads())


def spec(head: str = HEAD) -> answers.Spec:
    found = answers.spec_of(yaml.safe_load(head))
    assert found is not None
    return found


def complaints(head: str, body: str = "{{ answer() }}\n") -> list[str]:
    """What is wrong with a page, as the build says it: line and words."""
    offers = Offers(lookup.names(registry.workloads()), published.figures(), registry.workloads())
    found = answers.problems(yaml.safe_load(head), f"---\n{head}---\n", f"\n{body}", beliefs=BELIEFS, offers=offers)
    return [f"{line}: {told}" for line, told in found]


# The object.


@pytest.mark.parametrize("outcome", answers.OUTCOMES)
def test_the_records_choose_outcome_and_sentence(outcome: str):
    answer = answers.decide("q", spec(), BELIEFS, evidence_of(outcome))

    assert outcome == answer.outcome
    assert answer.sentence.startswith(WORDS[outcome])
    assert "{{" not in answer.sentence and "`" not in answer.sentence
    assert answer.statement in HEAD and "True if the GPU's training speed over the CPU's is at least 1x" in answer.rule
    assert answer.compares_devices


def test_an_answer_takes_the_outcome_of_its_verdict():
    found = Evidence(make_results(gpu=True), registry.workloads())
    head = "title: Why?\nanswer:\n  decided_by: only-for-training\n" + SENTENCES.replace(
        "lowest.value", 'fact("n-runs")'
    )
    head = head.replace("highest.value", 'fact("n-runs")').replace("{{ counted }}", "some")

    answer, verdict = answers.decide("q", spec(head), BELIEFS, found), judge("only-for-training", found)

    assert ("false", verdict.outcome) == (answer.outcome, answer.outcome)
    assert (verdict.rule, verdict.belief, verdict.basis) == (answer.rule, answer.statement, answer.basis)


def test_two_facts_are_compared_within_one_machine_only():
    head = HEAD.replace("mlp-tabular-train-speedup\n", "[mlp-tabular-train-gpu-step, mlp-tabular-train-step]\n", 1)
    head = head.replace('fact("mlp-tabular-train-speedup")', "lowest.value").replace("at_least", "at_most")
    one = [make_record("mlp-tabular", device=device, step_s=s) for device, s in (("cpu", 2.0), ("gpu", 1.0))]
    machines = [make_machine(gpus=(make_gpu(),)), make_machine("other", gpus=(make_gpu(),))]
    apart = [
        make_session_results([r], machine=m, session=make_session([r], machine_id=m.id))
        for r, m in zip(one, machines, strict=True)
    ]
    together = make_session_results(one, machine=machines[0], session=make_session(one, machine_id=machines[0].id))

    answer = answers.decide("q", spec(head), BELIEFS, Evidence(Results((together,)), registry.workloads()))
    parted = answers.decide("q", spec(head), BELIEFS, Evidence(Results(tuple(apart)), registry.workloads()))

    assert ("true", "not enough data") == (answer.outcome, parted.outcome)
    assert "0.5" in answer.sentence


def test_two_facts_of_cells_hours_apart_hold_the_machines_drift():
    own = "  facts:\n    dense: [resnet50-train-cpu-throughput-jax, resnet50-train-cpu-throughput-tensorflow]\n"
    head = re.sub(r"  facts:\n.*\n", own, HEAD).replace('fact("mlp-tabular-train-speedup")', "lowest.value")
    slow, fast = make_record(step_s=1.0), make_record(backend="jax", step_s=0.8)
    again = make_session_results([make_record(step_s=1.6)], session_id="2026-11-01")

    def outcome(hour: str) -> str:
        runs = tuple(msgspec.structs.replace(run, started_at=f"2026-11-03T{hour}:00:00+00:00") for run in fast.runs)
        moved = msgspec.structs.replace(fast, runs=runs)
        found = Evidence(Results((make_session_results([slow, moved]), again)), registry.workloads())
        return answers.decide("q", spec(head), BELIEFS, found).outcome

    assert ("true", "depends") == (outcome("08"), outcome("16"))


def test_of_several_sentences_the_first_counts_whose_facts_have_records():
    several = "  unknown:\n    - Not at {{ fact('resnet50-train-step') }}.\n    - Not measured yet.\n"
    head = re.sub(r"  unknown:.*", "", HEAD, flags=re.S) + several
    without = evidence_of("not enough data")
    with_one = Evidence(Results((make_session_results([make_record("resnet50")]),)), registry.workloads())

    assert "Not measured yet." == answers.decide("q", spec(head), BELIEFS, without).sentence
    assert answers.decide("q", spec(head), BELIEFS, with_one).sentence.startswith("Not at ")


def test_a_case_that_nobody_counted_is_an_error():
    head = "answer:\n  decided_by: always-requires-gpu\n" + SENTENCES
    found = Evidence(make_results(), registry.workloads())
    assert "false" == judge("always-requires-gpu", found).outcome

    with pytest.raises(SentenceError, match=r"'lowest\.value': the rule counted no cases; write a fact"):
        answers.decide("q", spec(head), BELIEFS, found)


# One object: the page and everything that is made of it.


def text_of(card: bytes) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", card.decode()))


@pytest.mark.usefixtures("without_workload_pages")
@pytest.mark.parametrize("outcome", answers.OUTCOMES)
def test_page_description_data_and_card_say_the_same(outcome: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(drawings, "begin_card", lambda drawn: drawn.encode)
    docs = write_docs(tmp_path / "docs", "{{ answer() }}\n\n## More\n\nText.", head=HEAD)
    write_docs(docs, '{{ generated_index("faq") }}', name="faq/index.md", head="title: All\nid: all\n")
    root = write_results(tmp_path / "results", Results((session_of(outcome),)))

    built = build.build(docs, root, address=ADDRESS)

    _, head, body = built["faq/q.md"].split("---\n", 2)
    meta = yaml.safe_load(head)
    sentence = plain.plain(body.strip().partition("\n\n")[0])
    assert sentence.startswith(WORDS[outcome]) and "  " not in sentence and "n = " not in sentence
    assert [sentence] * 2 == [html.unescape(meta[key]) for key in ("description", "answer")]
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', body)
    assert sentence == json.loads(block)["mainEntity"][0]["acceptedAnswer"]["text"]
    for name in ("faq.json", "data/answers.json"):
        (one,) = (one for one in json.loads(built[name])["answers"] if one["id"] == "q")
        assert (sentence, outcome) == (one["answer"], one["verdict"])
        assert "A GPU trains a small network faster than a CPU." == one["statement"]
    assert f": {sentence}" in built["llms.txt"]
    drawn = plain.plain(text_of(built["assets/cards/q.png"]))
    assert sentence in drawn
    assert sentence in plain.plain(built["faq/index.md"])
    assert f"badge-{outcome.replace(' ', '-')}" in body.partition("Decided: ")[2]


@pytest.mark.usefixtures("without_workload_pages")
def test_code_and_quotes_survive_in_the_opening(tmp_path: Path):
    docs = write_docs(tmp_path / "docs", "{{ answer() }}", head=HEAD)

    built = build.build(docs, write_results(tmp_path / "results", Results((session_of("true"),))))

    opening = built["faq/q.md"].split("---\n", 2)[2].strip().partition("\n\n")[0]
    assert opening.endswith('as fast, `a` "small" one.')
    assert 'data-cells="' in opening


# What is refused.


def test_a_right_answer_is_accepted():
    assert [] == complaints(HEAD)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  depends: >-", "  dependz: >-", r"^14: dependz: unknown key 'dependz'; near ones: depends"),
        (SENTENCES[SENTENCES.index("  depends") : SENTENCES.index("  unknown")], "", r"^4: .*no sentence for"),
        ("  at_least: 1\n", "", r"^4: at_least: cases decide nothing without a threshold"),
        ("  says: A GPU trains a small network faster than a CPU.\n", "", r"^4: says: cases decide nothing w"),
        ("mlp-tabular-train-speedup\n", "mlp-tabular-train-spedup\n", r"^6: facts: unknown fact 'mlp-tabular-train-sp"),
        ("mlp-tabular-train-speedup\n", "[a, b, c]\n", r"^6: facts: a case is one fact, or two"),
        ("  at_least: 1\n", "  at_least: much\n", r"^9: at_least: expected a number or a .*, found 'much'"),
        ("  at_least: 1\n", "  at_least: 1\n  needs: often\n", r"^10: needs: expected one of .*, found 'often'"),
        (RULE, "answer:\n  decided_by: only-for-trainings\n", r"^5: decided_by: unknown belief 'only-for-trainings'"),
        (RULE, "answer:\n", r"^4: decided_by: an answer is decided by a belief, or by cases or facts"),
        ("  at_least", "  decided_by: only-for-training\n  at_least", r"of its own; write one of these"),
        ("Yes: it trained", "Yes: " + "it was " * 12 + "trained", r"^10: true: the sentence has 3\d words; shorten it"),
        ("as fast.\n  depends", "as fast\n  depends", r"^12: false: the sentence has no full stop"),
        ('fact("mlp-tabular-train-speedup")', 'fact("mlp")', r"^10: true: unknown fact 'mlp'"),
        ('published("kapp-resnet50-cpu-gpu-ratio")', 'published("kapp")', r"^16: unknown: unknown published 'kapp'"),
        ("{{ lowest.value }}", "{{ least.value }}", r"^12: false: 'least.value' is no expression of a sentence"),
        ("{{ lowest.value }}", "{{ chart('threads') }}", r"^12: false: .* is no expression of a sentence; write fact"),
        ("Perhaps,", "Perhaps {{ counted }},", r"^16: unknown: 'counted': there are no cases here"),
        ("Perhaps,", "Perhaps {{ fact('n-runs') }},", r"^16: unknown: the last sentence stands where"),
        ("title: Why?", "title: Why?\ndescription: So.", r"^3: description is the answer's sentence"),
        (RULE + SENTENCES, "answer: Yes.\n", r"^4: answer must be keys and values"),
    ],
)  # fmt: skip
def test_wrong_answers_are_refused(old: str, new: str, told: str):
    assert old in HEAD
    found = [one.replace("answer.", "", 1) for one in complaints(HEAD.replace(old, new))]
    assert [one for one in found if re.search(told, one)], found


@pytest.mark.parametrize(
    "body", ["Yes.\n", "Yes.\n\n{{ answer() }}\n", "{{ answer() }}\n\n{{ answer() }}\n", "{{ answer() }} Really.\n"]
)
def test_the_sentence_opens_the_page_once(body: str):
    (found,) = complaints(HEAD, body)
    assert found.startswith("19: the front matter has an answer; begin the text with {{ answer() }}")


def test_a_page_without_an_answer_cannot_call_it():
    (found,) = complaints("title: Why?\nid: q\n")
    assert "6: {{ answer() }} has nothing to say; write 'answer' into the front matter" == found


def test_verdicts_without_cases_have_no_lowest_one():
    head = HEAD.replace(RULE, "answer:\n  decided_by: always-requires-gpu\n")
    assert "there are no cases here" in "".join(complaints(head))


def test_a_wrong_answer_stops_the_build(tmp_path: Path):
    docs = write_docs(tmp_path / "docs", "{{ answer() }}", head=HEAD.replace("depends", "dependz"))

    with pytest.raises(source.PageError, match=r"docs/faq/q\.md:14: answer\.dependz: unknown key 'dependz'"):
        build.build(docs, write_results(tmp_path / "results", Results(())))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  depends: >-", "  dependz: >-", "16: answer.dependz: unknown key 'dependz'"),
        ("it trained {{ lowest", "it trained 3x {{ lowest", "14: naked number '3x' in false"),
        ("No: it trained", "No: it is faster, and trained", '14: "faster" without "than" in false'),
        ("at least", "at least", ""),
    ],
)
def test_the_checker_of_prose_knows_answers(old: str, new: str, told: str):
    head = HEAD.replace("id: q\n", "id: q\nworkloads: [resnet50]\ngroup: start\n").replace(old, new)
    found = check_page.check_page(
        source.parsed(f"---\n{head}---\n\n{{{{ answer() }}}}\n", "faq/q.md", "docs/faq/q.md"), check_page.known()
    )
    texts = [f"{one.line}: {one.text}" for one in found]
    assert (not told and not texts) or [one for one in texts if one.startswith(told) and told], texts


# The site's own answers.


def own_specs() -> dict[str, answers.Spec]:
    """Answers of the site that measurements decide, by the page's name."""
    found = {}
    for path, page in source.read(ROOT / "docs", "faq").items():
        if (one := answers.spec_of(page.meta)) is not None:
            found[path] = one
    return found


def test_many_answers_are_decided_by_records():
    assert len(own_specs()) >= 45


@pytest.mark.parametrize("name", ["none", "full", "committed"])
def test_every_answer_says_something_whatever_was_measured(name: str):
    results = {"none": Results(()), "full": make_results(gpu=True, n_runs=2, n_blocks=4)}
    found = Evidence(results[name], registry.workloads()) if name in results else readme.committed_evidence()
    for page, one in own_specs().items():
        answer = answers.decide(page, one, BELIEFS, found)
        assert answer.sentence.endswith(".") and "{{" not in answer.sentence, page
        assert ("not measured yet" not in answer.sentence) or "not enough data" == answer.outcome, answer
        if "not enough data" == answer.outcome:
            assert not answer.cases, page


def test_labels_name_the_batches_that_were_measured():
    labels = source.read(ROOT / "docs", "faq")["faq/gpu-for-inference.md"].meta["bars"]["rows"]
    evidence = readme.committed_evidence()

    for label, name in labels.items():
        ((session, cell_id),) = lookup.lookup(name, evidence).cells
        assert int(label.split()[0]) == session.records[cell_id].cell.batch_size, label
