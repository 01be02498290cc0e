"""Reverse CPU and GPU in the records, and the pages that compare them change."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

from bench.report.charts import draw
from bench.report.claims import ledger
from bench.report.evidence.view import Pick

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.claims import answers
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated
from bench.report.prose import source
from bench.report.published import figures as published
from bench.schema import Record
from bench.workloads import registry
from tests import committed
from tests.beliefs import BELIEFS, judge
from tests.factories import (
    INVENTED,
    invented_step_s,
    make_gpu,
    make_job,
    make_machine,
    make_record,
    make_run,
    make_session,
    make_session_results,
    make_workload,
)
from tests.test_cases import study_record

ROOT = Path(__file__).parents[1]
ENOUGH_FRAC = 0.9
MAIN_BYTES, GPU_BYTES = 64 * 2**30, 80 * 2**30
COMPARING = tuple(i for i, e in BELIEFS.items() if e.compares_devices and e.basis == "records")


def reversible(workload: str, device: str, *, is_reversed: bool, **fields) -> Record:
    """A record of a device; reversed, it has the times, the qualities and the meter of the other one."""
    record = make_record(workload, device=device, n_runs=1, n_blocks=3, **fields)
    is_gpu = (device == "gpu") != is_reversed
    other = msgspec.structs.replace(record.cell, device="gpu" if is_gpu else "cpu")
    step_s = invented_step_s(other)
    runs = []
    for index in range(3):
        extra = {"utilisation_frac": (0.3, 0.4)} if device == "gpu" else {}
        if record.spec.target is not None and record.cell.mode == "train":
            extra["job"] = make_job(1000 * step_s, (0.971 + 0.001 * index + (0.02 if is_gpu else 0.0),))
        runs.append(make_run(index, cell=record.cell, step_s=(step_s, step_s * 1.01, step_s * 0.99), **extra))
    return msgspec.structs.replace(record, runs=tuple(runs))


def recommender(device: str, *, is_reversed: bool) -> Record:
    """A record of the embedding workload with the times of the transformer."""
    like = reversible("transformer-text", device, is_reversed=is_reversed)
    spec = registry.workload("embedding")
    headline = next(v for v in spec.variants["reference"] if v.headline and v.mode == "train")
    fields = {"batch_size": headline.batch_size, "n_samples": headline.n_samples, "params": dict(headline.params)}
    return msgspec.structs.replace(
        like,
        cell=msgspec.structs.replace(like.cell, workload="embedding", **fields),
        spec=spec,
        source_hash=registry.source_hash("embedding"),
    )


@cache
def evidence(*, is_reversed: bool) -> Evidence:
    """One machine with a GPU on which everything but the tiny table is faster on the GPU, or on the CPU."""
    records = []
    for workload in (id_ for id_ in INVENTED if id_ != "call-styles"):
        for variant in make_workload(workload).variants["reference"]:
            for device in ("cpu", "gpu"):
                common = {"mode": variant.mode, "batch_size": variant.batch_size, "n_samples": variant.n_samples}
                records.append(
                    reversible(workload, device, is_reversed=is_reversed, params=dict(variant.params), **common)
                )
    for device, larger in (("cpu", 64), ("gpu", 128)):
        # Beyond the batch that both ran, each device is fastest at one of its own, the GPU in another precision, too.
        fields = {"batch_size": larger, "n_samples": 16 * larger, "params": {"image_px": 224}}
        precisions = ("float32-strict",) if device == "cpu" else ("float32-strict", "tf32")
        for precision in precisions:
            records.append(reversible("resnet50", device, is_reversed=is_reversed, precision=precision, **fields))
    for device in ("cpu", "gpu"):
        seconds = 1.0 if (device == "gpu") != is_reversed else 2.0
        records.append(study_record("rl-loop", times={"act": seconds}, device=device))
        one_row = study_record("call-styles", times={"compiled": seconds}, device=device)
        records.append(msgspec.structs.replace(one_row, source_hash=registry.source_hash("call-styles")))
        records.append(recommender(device, is_reversed=is_reversed))
    main, on_gpu = (GPU_BYTES, MAIN_BYTES) if is_reversed else (MAIN_BYTES, GPU_BYTES)
    machine = make_machine(gpus=(make_gpu(memory_bytes=on_gpu),), memory_bytes=main)
    session = make_session(records, machine_id=machine.id)
    found = make_session_results(records, machine=machine, session=session)
    declared = {**registry.workloads(), **{id_: make_workload(id_) for id_ in INVENTED}}
    return Evidence(Results((found,)), declared)


def test_beliefs_that_count_comparisons_of_the_devices_say_so():
    comparing = {"gpu_over_cpu", "study_on_both", "quality_gap", "memory_ratio", "speedup_at_low_utilisation"}

    assert [] == [i for i, b in BELIEFS.items() if comparing & set(b.cases) and not b.compares_devices]


def test_both_sides_decide_every_belief_that_compares_the_devices():
    assert len(COMPARING) >= 10
    for verdict_id in COMPARING:
        for is_reversed in (False, True):
            found = judge(verdict_id, evidence(is_reversed=is_reversed))
            assert "not measured" != found.outcome, verdict_id


def test_reversing_the_devices_changes_the_pages_that_compare_them():
    changed, kept = [], []
    for verdict_id in COMPARING:
        before, after = (judge(verdict_id, evidence(is_reversed=side)) for side in (False, True))
        flipped = (before.outcome, before.sentence) != (after.outcome, after.sentence)
        (changed if flipped else kept).append(verdict_id)

    assert len(changed) >= ENOUGH_FRAC * len(COMPARING), kept


def test_reversing_the_devices_turns_outcomes_and_not_only_numbers():
    before, after = ({i: judge(i, evidence(is_reversed=side)).outcome for i in COMPARING} for side in (0, 1))

    assert ("false", "true") == (before["only-for-training"], after["only-for-training"])
    assert ("false", "true") == (before["lstm-gains-nothing"], after["lstm-gains-nothing"])
    assert ("true", "false") == (before["gpu-has-more-memory"], after["gpu-has-more-memory"])
    assert ("true", "false") == (
        before["reinforcement-learning-needs-a-gpu"],
        after["reinforcement-learning-needs-a-gpu"],
    )
    assert 2 * sum(before[i] != after[i] for i in COMPARING) > len(COMPARING)


def test_reversing_the_devices_turns_both_ratios_of_each_workload():
    before, after = (evidence(is_reversed=side) for side in (False, True))
    for make in ("best_contrast", "contrast"):
        turned = 0
        for workload in before.model_workloads():
            one, other = (getattr(found.view(found.lead), make)(Pick(workload)) for found in (before, after))
            if one is not None:
                assert (one.speedup.low > 1) == (other.speedup.high < 1), (make, workload)
                turned += 1
        assert turned >= 7, make


def test_each_device_at_its_best_is_another_ratio_than_equal_settings():
    before, after = (evidence(is_reversed=side) for side in (False, True))
    arms = [found.view(found.lead).best_contrast(Pick("resnet50")).arms for found in (before, after)]
    words = [judge("gpu-is-a-hundred-times-faster", found).tally for found in (before, after)]

    assert "batch 128, TF32, against batch 64, float32" == arms[0]
    assert arms[1].endswith("against batch 64, float32")
    for found, said in zip((before, after), words, strict=True):
        equal = found.view(found.lead).contrast(Pick("resnet50"))
        assert "At equal settings on both" in said and "batch 8, strict float32 on both" == equal.arms


def test_reversing_the_devices_changes_the_claims_that_compare_them():
    def compares(item: ledger.Item) -> bool:
        rule = item.claim.rule
        return rule is not None and (rule.decided_by in COMPARING or any("-speedup" in name for name in rule.facts))

    before, after = (ledger.items(evidence(is_reversed=side), BELIEFS) for side in (False, True))
    pairs = [(one, other) for one, other in zip(before, after, strict=True) if compares(one)]
    kept = [one.claim.id for one, other in pairs if (one.word, one.sentence) == (other.word, other.sentence)]

    assert len(pairs) >= 20
    assert len(kept) <= (1 - ENOUGH_FRAC) * len(pairs), kept
    assert sum(one.word != other.word for one, other in pairs) >= len(pairs) / 2


def beside_their_chart() -> dict[str, str]:
    """Verdicts by the page that shows them beside the chart of all speed-ups."""
    pages = source.read(ROOT / "docs", "misconceptions")
    return {page.meta["id"]: path for path, page in pages.items() if 'chart("cpu-gpu-speedup")' in page.body}


def at_their_best(found) -> list[dict]:
    """The marks of the chart of all speed-ups on which verdicts rest: each device as its owner would use it."""
    rows = draw.draw("cpu-gpu-speedup", found).rows
    return [row for row in rows if row["value"] is not None and row["series"] == "each at its best"]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_no_verdict_contradicts_the_chart_beside_it(is_reversed: bool):
    found = evidence(is_reversed=is_reversed)
    drawn = {row["row"]: row for row in at_their_best(found)}
    shown = beside_their_chart()

    assert len(shown) >= 2 and len(drawn) >= 5
    for verdict_id, page in shown.items():
        cases = judge(verdict_id, found).cases
        assert len(cases) == len(drawn), page
        for case in cases:
            (row,) = (row for title, row in drawn.items() if case.name.startswith(title))
            said = float(case.part.text.partition("x ")[0].replace(",", ""))
            assert said == pytest.approx(row["value"], rel=0.006), (page, case.name)  # three digits


def test_a_gpu_that_the_chart_draws_behind_is_not_always_faster():
    for is_reversed in (False, True):
        found = evidence(is_reversed=is_reversed)
        rows = [row for row in draw.draw("cpu-gpu-speedup", found).rows if row["value"] is not None]
        behind = [row for row in rows if row["high"] < 1]

        assert behind
        assert "false" == judge("gpu-is-always-faster", found).outcome


def test_published_figures_do_not_change_with_our_records():
    for verdict_id in (i for i, e in BELIEFS.items() if e.basis == "published"):
        before, after = (judge(verdict_id, evidence(is_reversed=side)) for side in (False, True))
        assert before.sentence == after.sentence
    assert published.claims()


# Answers to questions.


@cache
def own_answers(*, is_reversed: bool) -> dict[str, answers.Answer]:
    """The answers of the site that records of both devices decide, by page."""
    found = {}
    for path, page in source.read(ROOT / "docs", "faq").items():
        spec = answers.spec_of(page.meta)
        if spec is not None and answers.compares_devices(spec, BELIEFS):
            answer = answers.decide(path, spec, BELIEFS, evidence(is_reversed=is_reversed))
            if answer.basis == "records":
                found[path.removeprefix("faq/").removesuffix(".md")] = answer
    return found


def drawn_on(page: str) -> frozenset[str]:
    return frozenset(
        re.findall(r'chart\("([^"]+)"', (ROOT / "docs" / "faq" / f"{page}.md").read_text(encoding="utf-8"))
    )


def factor(text: str) -> float:
    """The ratio that a number begins with: "0.512x (...)"."""
    return float(text.partition("x ")[0].replace(",", ""))


def test_both_sides_decide_every_answer_that_compares_the_devices():
    for is_reversed in (False, True):
        found = own_answers(is_reversed=is_reversed)
        assert len(found) >= 12
        assert not [page for page, answer in found.items() if answer.outcome == "not enough data"]
        assert not [page for page, answer in found.items() if "not measured" in answer.sentence]


def test_reversing_the_devices_changes_the_answers_that_compare_them():
    before, after = (own_answers(is_reversed=side) for side in (False, True))
    kept = [p for p in before if (before[p].outcome, before[p].sentence) == (after[p].outcome, after[p].sentence)]
    turned = [page for page in before if before[page].outcome != after[page].outcome]

    assert len(kept) <= (1 - ENOUGH_FRAC) * len(before), kept
    assert len(turned) >= 0.75 * len(before), sorted(set(before) - set(turned))


def test_reversing_the_devices_changes_what_the_answers_say_first():
    before, after = (own_answers(is_reversed=side) for side in (False, True))
    for page in before:
        if before[page].outcome != after[page].outcome:
            first, other = (a[page].sentence.partition("x (")[0].rstrip("0123456789.,") for a in (before, after))
            assert first != other, page


@pytest.mark.parametrize("is_reversed", [False, True])
def test_no_answer_contradicts_the_chart_beside_it(is_reversed: bool):
    found, seen = evidence(is_reversed=is_reversed), set()
    rates = [row for row in draw.draw("matmul-rate", found).rows if row["value"] is not None]
    pairs = [row for row in draw.draw("same-script-pairs", found).rows if "kind" not in row]
    for page, answer in own_answers(is_reversed=is_reversed).items():
        drawn = drawn_on(page)
        if "cpu-gpu-speedup" in drawn:
            ours = sorted(row["value"] for row in at_their_best(found))
            told = [factor(case.part.text) for case in answer.cases]
            if len(told) == 1:  # of one network
                assert any(told[0] == pytest.approx(one, rel=0.006) for one in ours), page
            else:
                assert told == pytest.approx(ours, rel=0.006), page
        elif "same-script-pairs" in drawn and page == "gpu-slower-than-cpu":
            (case,) = answer.cases
            (row,) = (row for row in pairs if row["row"] == found.title("mlp-tabular"))
            assert factor(case.part.text) == pytest.approx(row["value"], rel=0.006), page
        elif "matmul-rate" in drawn:
            best = {side: max(r["value"] for r in rates if side in r["series"]) for side in ("CPU", "GPU")}
            assert (answer.outcome == "true") == (best["GPU"] > best["CPU"]), page
        else:
            continue
        seen.add(page)
    assert {"how-many-times-faster", "gpu-slower-than-cpu", "what-does-a-gpu-do"} <= seen


# Estimates, where no GPU was measured.


def reversed_pair(found: estimated.Pair | None) -> estimated.Pair | None:
    """The card with the speed that makes the CPU as many times faster than it as it was than the CPU."""
    if found is None:
        return None
    cpu, gpu = found.cpu, found.gpu
    ends = {"value": cpu.value**2 / gpu.value, "low": cpu.value**2 / gpu.high, "high": cpu.value**2 / gpu.low}
    return found._replace(gpu=msgspec.structs.replace(gpu, **ends))


def by_estimates() -> dict[str, tuple[str, str]]:
    """Outcome and sentence of every belief, answer and claim that rests on estimates, by its id."""
    found = committed.without_a_gpu()
    pages = source.read(ROOT / "docs", "faq").items()
    specs = {path: spec for path, page in pages if (spec := answers.spec_of(page.meta)) is not None}
    decided = [answers.decide(path, spec, BELIEFS, found) for path, spec in specs.items()]
    decided += [judge(verdict_id, found) for verdict_id in BELIEFS]
    shown = {one.id: (one.outcome, one.sentence) for one in decided if one.basis == "estimates"}
    claims = (item for item in ledger.items(found, BELIEFS) if item.basis == "estimates")
    return shown | {item.claim.id: (item.word, item.sentence) for item in claims}


def test_reversed_estimates_flip_what_rests_on_them(monkeypatch: pytest.MonkeyPatch):
    before = by_estimates()
    made = estimated.of_record
    monkeypatch.setattr(estimated, "of_record", lambda *given, **named: reversed_pair(made(*given, **named)))
    after = by_estimates()
    both = before.keys() & after.keys()

    assert 8 <= len(before) and len(both) >= ENOUGH_FRAC * len(before)
    assert not [name for name in both if before[name] == after[name]]
    assert any(before[name][0] != after[name][0] for name in both)
