"""The ledger: every claim has a verdict that follows from its rule, and a broken rule stops the build."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from bench.records.store import Results
from bench.report.claims import ledger
from bench.report.claims.units import LedgerError
from bench.report.evidence.evidence import Evidence
from bench.report.published import figures as published
from bench.report.published.figures import Claim, ClaimRule, Named, Sum
from bench.workloads import registry
from tests.beliefs import BELIEFS, judge
from tests.factories import (
    INVENTED,
    make_evidence,
    make_gpu,
    make_machine,
    make_record,
    make_session,
    make_session_results,
    make_workload,
)

ROOT = Path(__file__).parents[1]
NOTHING = Evidence(Results(()), registry.workloads())
NAMED = (
    "TensorFlow PyTorch Keras JAX Caffe Theano MXNet ResNet-50 Inception-v3 LSTM YOLOv4 NVIDIA AMD Intel ImageNet COCO "
    "GPT-3 Kaggle FPGA ASIC TPU NPU"
).split()

EPYC = "power-tdp-amd-epyc-7763"


def evidence_of(*sessions, **fields) -> Evidence:
    """Invented records beside every declared workload, because claims name workloads that nobody invented."""
    found = make_evidence(*sessions, **fields)
    declared = registry.workloads() | {id_: make_workload(id_) for id_ in INVENTED}
    return Evidence(Results(tuple(found.sessions)), declared)


def claim(rule: ClaimRule | None, *, kind: str = "measurable-here", numbers: dict[str, float] | None = None, **fields):
    known = {
        "id": "a-claim",
        "article": "a",
        "section": "somewhere",
        "claim": "Something.",
        "test": "Try it",
        "evidence": (),
        "page": "faq/do-i-need-a-gpu.md",
    }
    return Claim(**known | {"kind": kind, "rule": rule, "numbers": numbers or {}} | fields)


def decided(monkeypatch, rule: ClaimRule | None, evidence: Evidence = NOTHING, **fields) -> ledger.Item:
    """The ledger's entry of one claim that is alone in it."""
    monkeypatch.setattr(published, "claims", lambda: (claim(rule, **fields),))
    (item,) = ledger.items(evidence, BELIEFS)
    return item


def test_every_claim_has_a_verdict_and_says_why():
    found = ledger.items(NOTHING, BELIEFS)

    assert len(found) >= 130
    for item in found:
        assert item.word in ledger.WORDS, item.claim.id
        assert item.basis in get_args(ledger.Basis), item.claim.id
        assert item.sentence.endswith("."), item.claim.id
    assert len(found) == sum(ledger.counts(found).values())


def test_only_opinions_are_not_measurable_and_all_of_them():
    for item in ledger.items(NOTHING, BELIEFS):
        assert ("opinion" == item.claim.kind) == ("not measurable" == item.word), item.claim.id


def test_no_claim_is_left_without_a_rule():
    assert [] == [c.id for c in published.claims() if c.rule is None and c.kind not in ("opinion", "outdated")]


def test_what_no_record_decides_is_only_what_records_could_decide():
    for item in ledger.items(NOTHING, BELIEFS):
        if item.word == "not measured yet":
            assert item.basis in ("our records", "none") and item.rule, item.claim.id


def test_utilisation_is_held_against_the_articles_figure():
    record = make_record("resnet50", device="gpu", run_fields={"utilisation_frac": (0.94, 0.95, 0.96)})
    machine = make_machine(gpus=(make_gpu(),))
    session = make_session([record], machine_id=machine.id)
    evidence = evidence_of(make_session_results([record], machine=machine, session=session))

    found = next(item for item in ledger.items(evidence, BELIEFS) if item.claim.id == "b-util-image-95-45min")

    assert ("confirmed", "our records") == (found.word, found.basis)
    assert "95.0 %" in found.sentence and "from 90 % to 100 %" in found.rule


def test_what_is_outdated_cites_what_holds_today():
    for item in ledger.items(NOTHING, BELIEFS):
        if item.word == "outdated":
            assert [row for part in item.parts for row in part.figures], item.claim.id


def test_every_claim_and_name_links_to_a_page_that_exists():
    for entry in (*published.claims(), *published.named()):
        assert (ROOT / "docs" / entry.page).is_file(), entry.id


def test_without_records_only_published_figures_and_arithmetic_decide():
    for item in ledger.items(NOTHING, BELIEFS):
        if item.basis == "our records":
            assert "not measured yet" == item.word, item.claim.id


def test_records_decide_claims_that_waited():
    waiting = {i.claim.id: i.word for i in ledger.items(NOTHING, BELIEFS)}
    found = {i.claim.id: i.word for i in ledger.items(evidence_of(gpu=True), BELIEFS)}

    assert "not measured yet" == waiting["a-42min-vs-33s"] != found["a-42min-vs-33s"]
    assert "not measured yet" == waiting["b-10x-to-100x"] != found["b-10x-to-100x"]


# The articles' own arithmetic.


def entry(claim_id: str) -> ledger.Item:
    return next(item for item in ledger.items(NOTHING, BELIEFS) if item.claim.id == claim_id)


def test_watts_times_seconds_say_the_opposite_of_the_text():
    found = entry("b-power-not-energy")

    assert ("confirmed", "the article's own numbers") == (found.word, found.basis)
    assert "380 x 21 / (220 x 135) = 0.269" in found.sentence


def test_its_tables_stay_below_its_text():
    found = entry("b-6x-contradicts-10-100x")

    assert "confirmed" == found.word
    assert "135 / 21 = 6.43" in found.sentence and "at most 10x" in found.rule


# Rules.


def test_a_belief_settles_a_claim_that_says_the_opposite(monkeypatch):
    agrees = decided(monkeypatch, ClaimRule(decided_by="gpu-uses-more-energy"))
    denies = decided(monkeypatch, ClaimRule(decided_by="gpu-uses-more-energy", says=False))

    assert ("refuted", "published figures") == (agrees.word, agrees.basis)
    assert "confirmed" == denies.word


@pytest.mark.parametrize(("at_least", "word"), [(300.0, "confirmed"), (1000.0, "depends"), (5000.0, "refuted")])
def test_published_rows_are_held_against_a_threshold(monkeypatch, at_least: float, word: str):
    rows = ("gpu-geforce-rtx-3060-12-gb-launch-price", "gpu-geforce-rtx-5090-launch-price")

    assert word == decided(monkeypatch, ClaimRule(rows=rows, at_least=at_least, needs="throughout")).word


@pytest.mark.parametrize(("years", "word"), [(5.0, "outdated"), (50.0, "confirmed")])
def test_age_decides_between_declining_and_gone(monkeypatch, years: float, word: str):
    rule = ClaimRule(ages=("caffe-release",), at_least=years, holds="outdated", fails="confirmed")

    assert word == decided(monkeypatch, rule).word


def test_it_depends_is_confirmed_only_by_cases_on_both_sides(monkeypatch):
    rows = ("gpu-geforce-rtx-3060-12-gb-launch-price", "gpu-geforce-rtx-5090-launch-price")

    assert "confirmed" == decided(monkeypatch, ClaimRule(rows=rows, at_least=1000.0, needs="varies")).word
    assert "refuted" == decided(monkeypatch, ClaimRule(rows=rows, at_least=1.0, needs="varies")).word
    assert "not measured yet" == decided(monkeypatch, ClaimRule(rows=rows[:1], at_least=1.0, needs="varies")).word


def test_a_fact_is_held_against_a_threshold_with_its_interval(monkeypatch):
    evidence = evidence_of(gpu=True)
    held = ClaimRule(facts=("resnet50-train-speedup",), at_least=2.0)

    assert "confirmed" == decided(monkeypatch, held, evidence).word
    assert "refuted" == decided(monkeypatch, msgspec.structs.replace(held, at_least=1e6), evidence).word


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (ClaimRule(decided_by="gpu-is-always-faste"), "gpu-is-always-faster"),
        (ClaimRule(facts=("resnet51-train-speedup",), at_least=1.0), "resnet50-train-speedup"),
        (ClaimRule(rows=("nobody",), at_least=1.0), "no published row 'nobody'"),
        (ClaimRule(rows=("tf-gpu-removed",), at_least=1.0), "could not convert"),
        (ClaimRule(rows=("gpu-tesla-t4-memory",)), "no threshold"),
        (ClaimRule(sums=(Sum(name="s", over=("a-claim.watts",), under=()),), at_least=1.0), "a-claim.watts"),
        (ClaimRule(), "names no evidence"),
        (ClaimRule(rows=("imagenet-size", "nanogpt-shakespeare-size"), at_least=1.0), "in GiB and in MB"),
        (ClaimRule(rows=("imagenet-size",), quotients=((EPYC, EPYC),), at_least=1.0), "in GiB and in x"),
        (ClaimRule(quotients=((EPYC, "imagenet-size"),), at_least=1.0), f"'{EPYC}' gives W where the rule needs GiB"),
    ],
)
def test_a_broken_rule_stops_with_the_claims_id(monkeypatch, rule: ClaimRule, complaint: str):
    with pytest.raises(LedgerError, match="a-claim") as caught:
        decided(monkeypatch, rule)

    assert complaint in str(caught.value)


# Units.


@pytest.mark.parametrize(("at_most", "word"), [(167.0, "refuted"), (168.0, "confirmed")])
def test_a_figure_is_judged_in_the_unit_of_the_claims_number(monkeypatch, at_most: float, word: str):
    rule = ClaimRule(rows=("imagenet-size",), at_least=135.0, at_most=at_most)

    found = decided(monkeypatch, rule, numbers={"gigabytes": 150.0})

    assert word == found.word  # 155.84 GiB
    assert "155.84 GiB = 167.3 GB" in found.sentence and f"from 135 GB to {at_most:.0f} GB" in found.rule


def test_a_threshold_that_is_a_number_of_the_claim_has_its_unit(monkeypatch):
    rule = ClaimRule(rows=("imagenet-size",), at_least=Sum(name="claimed", over=("a-claim.gigabytes",), under=()))

    assert "confirmed" == decided(monkeypatch, rule, numbers={"gigabytes": 160.0}).word
    assert "refuted" == decided(monkeypatch, rule, numbers={"gigabytes": 170.0}).word


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ({"watts": 150.0}, "'imagenet-size' gives GiB where the rule needs W"),
        ({"watts": 150.0, "percent": 5.0}, "in % and in W"),
    ],
)
def test_units_of_different_kinds_are_refused(monkeypatch, numbers: dict[str, float], complaint: str):
    with pytest.raises(LedgerError, match="a-claim") as caught:
        decided(monkeypatch, ClaimRule(rows=("imagenet-size",), at_least=1.0), numbers=numbers)

    assert complaint in str(caught.value)


@pytest.mark.parametrize("claim_id", ["b-imagenet-150gb", "b-min-256gb-ssd"])
def test_what_the_articles_say_of_imagenet_is_judged_in_gigabytes(claim_id: str):
    found = entry(claim_id)

    assert "refuted" == found.word
    assert "155.84 GiB = 167.3 GB" in found.sentence and " GB in every case" in found.rule


# Claims of two halves, and claims that wait for evidence.

HALVES = ClaimRule(
    decided_by="gpu-uses-more-energy", says=False, facts=("resnet50-train-speedup",), at_least=2.0, reason="Why."
)


def test_a_half_that_nobody_measured_leaves_the_claim_open(monkeypatch):
    found = decided(monkeypatch, HALVES)

    assert ("not measured yet", "our records") == (found.word, found.basis)
    assert "One half, confirmed: " in found.sentence and "The other half, not measured yet: " in found.sentence
    assert 1 == found.rule.count("Why.")


@pytest.mark.parametrize(
    ("fields", "word"),
    [({}, "confirmed"), ({"at_least": 1e6}, "refuted"), ({"says": True}, "refuted"), ({"holds": "depends"}, "depends")],
)
def test_a_claim_is_as_good_as_its_weaker_half(monkeypatch, fields: dict, word: str):
    found = decided(monkeypatch, msgspec.structs.replace(HALVES, **fields), evidence_of(gpu=True))

    assert (word, "published figures") == (found.word, found.basis)


@pytest.mark.parametrize(
    "claim_id", ["b-cpu-trainable-gpu-enhances", "b-faq-require-gpu", "b-faq-without-gpu-significantly-longer"]
)
def test_what_is_said_of_a_gpu_rests_on_estimates_until_there_is_one(claim_id: str):
    on_a_cpu = next(item for item in ledger.items(evidence_of(), BELIEFS) if item.claim.id == claim_id)

    assert "our records" != on_a_cpu.basis
    assert "(estimated, T4)" in on_a_cpu.sentence


@pytest.mark.parametrize(
    ("claim_id", "word"),
    [
        ("a-courses-use-small-data", "not measured yet"),
        ("a-three-days-on-cpu-by-mistake", "not measured yet"),
        ("b-driver-updates-bring-speed", "not measured yet"),
        ("b-faq-best-gpu-nvidia-cuda", "depends"),
        ("b-breakthroughs-with-gpus", "depends"),
    ],
)
def test_evidence_about_something_else_or_a_half_confirms_nothing(claim_id: str, word: str):
    assert word == entry(claim_id).word


def test_a_rule_without_evidence_says_what_is_missing(monkeypatch):
    found = decided(monkeypatch, ClaimRule(reason="A list of courses is missing."))

    assert ("not measured yet", "none") == (found.word, found.basis)
    assert found.sentence.endswith("A list of courses is missing.")


def test_an_opinion_with_a_rule_is_refused(monkeypatch):
    with pytest.raises(LedgerError, match="opinion"):
        decided(monkeypatch, ClaimRule(decided_by="gpu-is-always-faster"), kind="opinion")


def test_an_outdated_claim_without_a_source_is_refused(monkeypatch):
    with pytest.raises(LedgerError, match="cites nothing"):
        decided(monkeypatch, None, kind="outdated")


# What the articles name.


@pytest.mark.parametrize("name", NAMED)
def test_everything_the_articles_name_has_a_row(name: str):
    found = [state for state in ledger.states(NOTHING) if state.named.name == name]

    assert 1 == len(found)
    assert [row for part in found[0].parts for row in part.figures]


def test_frameworks_without_a_release_for_years_are_dormant_or_retired():
    words = {state.named.name: state.word for state in ledger.states(NOTHING)}

    assert {"Caffe": "dormant", "Theano": "dormant", "MXNet": "retired"}.items() <= words.items()
    assert {"TensorFlow": "current", "PyTorch": "current", "Keras": "current"}.items() <= words.items()


def test_a_model_is_measured_here_once_it_has_a_record():
    words = {state.named.name: state.word for state in ledger.states(evidence_of())}

    assert "measured here" == words["ResNet-50"]
    assert "published figures only" == words["YOLOv4"]
    assert "published figures only" == {s.named.name: s.word for s in ledger.states(NOTHING)}["ResNet-50"]


def test_a_vendor_is_measured_here_by_the_name_of_its_chips(monkeypatch):
    vendor = Named(
        id="a-vendor", name="Example", type="vendor", articles="a", evidence=(), page="x.md", machines="Example CPU"
    )
    monkeypatch.setattr(published, "named", lambda: (vendor,))

    assert ["measured here"] == [state.word for state in ledger.states(evidence_of())]
    assert ["published figures only"] == [state.word for state in ledger.states(NOTHING)]


def test_verdicts_of_beliefs_and_claims_agree():
    evidence = evidence_of(gpu=True)
    for item in ledger.items(evidence, BELIEFS):
        rule = item.claim.rule
        if rule is not None and rule.decided_by and not rule.facts:
            outcome = judge(rule.decided_by, evidence).outcome
            assert ("not measured" == outcome) == ("not measured yet" == item.word), item.claim.id
            assert ("depends" == outcome) <= ("depends" == item.word), item.claim.id
