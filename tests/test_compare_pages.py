"""Two machines side by side: the numbers of `gpu-bench compare`, the same whichever comes first."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("polars")

from bench.records.store import Results
from bench.report.evidence import against
from bench.report.evidence.evidence import Evidence
from bench.report.pages import compare_pages
from bench.report.pages.context import Site
from bench.report.stats import estimate
from bench.workloads import registry
from tests import committed
from tests.factories import make_machine, make_record, make_results, make_session, make_session_results


def pages(evidence: Evidence, docs: Path) -> dict[str, str]:
    return compare_pages.compare_pages(Site(docs, evidence))


def machine(number: int, step_s: float = 0.5):
    described = make_machine(f"m{number}-2c")
    records = [make_record("resnet50", step_s=step_s, n_runs=5), make_record("cnn-digits", step_s=step_s, n_runs=5)]
    session = make_session(records, machine_id=described.id)
    return make_session_results(records, machine=described, session=session)


def evidence_of(*sessions) -> Evidence:
    return Evidence(Results(sessions), registry.workloads())


def sentence(first, second, docs: Path) -> str:
    (pair,) = (text for path, text in pages(evidence_of(first, second), docs).items() if path.endswith(".json"))
    return json.loads(pair)["sentence"]


@pytest.mark.parametrize("evidence", [committed.evidence, None], ids=["committed", "with a GPU and a local one"])
def test_ratios_are_those_of_the_command_and_inverse_the_other_way(evidence):
    found = evidence() if evidence else Evidence(make_results(gpu=True, local=True, n_runs=3), registry.workloads())
    n_compared = 0
    for first, second in compare_pages.pairs(found.shown):
        results, problems = compare_pages.results(first, second)
        swapped, _ = compare_pages.results(second, first)
        command = against.compare(first, second)
        n_compared += len(results)

        told = {(row.cell_id, row.series): estimate.inverse(ratio) for row, ratio in command.rated}
        assert told == {(one.row.cell_id, one.row.series): one.ratio for one in results}
        assert sorted(problems) == sorted(row.problem for row in command.rows if row.problem)
        for one in results:
            rates = (one.row.here.value, one.row.there.value)
            ratio = rates[1] / rates[0] if one.row.series else rates[0] / rates[1]
            assert one.ratio.value == pytest.approx(ratio)
        if results and len(swapped) == len(results):
            assert compare_pages.mean(results) == pytest.approx(1 / compare_pages.mean(swapped))
    assert n_compared > 100


def test_the_sentence_names_the_faster_machine_and_turns_with_the_numbers(tmp_path: Path):
    slow, fast = machine(1, step_s=0.6), machine(2, step_s=0.2)
    as_is = sentence(slow, fast, tmp_path)
    turned = sentence(machine(1, 0.2), machine(2, 0.6), tmp_path)

    assert "On the CPU m2-2c is 3 times as fast as m1-2c</strong>" in as_is
    assert "geometric mean of 2 results" in as_is and "faster in 2 of them, slower in 0" in as_is
    assert "On the CPU m1-2c is 3 times as fast as m2-2c</strong>" in turned
    assert "about as fast" in sentence(machine(1), machine(2), tmp_path)


def test_the_mean_is_geometric():
    results, _ = compare_pages.results(machine(1, 0.6), machine(2, 0.2))
    ratios = [one.ratio.value for one in results]

    assert compare_pages.mean(results) == pytest.approx(math.exp(statistics.fmean(map(math.log, ratios))))


def test_a_machine_of_ones_own_is_the_first_choice_and_every_pair_has_a_file(tmp_path: Path):
    found = Evidence(make_results(gpu=True, local=True, n_runs=2), registry.workloads())
    made = pages(found, tmp_path)
    page = made[compare_pages.PAGE]

    assert page.index('value="local-own-4c" selected') < page.index('value="gpu-16c"')
    n = len(found.shown)
    assert n * (n - 1) // 2 == len(made) - 1
    shown = next(json.loads(text) for path, text in made.items() if path.startswith("data/compare/local-own-4c--"))
    assert shown["sentence"] in page and shown["table"] in page and "this machine" in shown["sentence"]
    assert "On the GPU" not in shown["sentence"]


def test_cells_of_a_cpu_and_a_gpu_do_not_meet_in_one_mean(tmp_path: Path):
    first, second = (make_results(gpu=True, n_runs=2).sessions[-1] for _ in range(2))
    found = compare_pages.results(first, second)[0]

    assert {"cpu", "gpu"} == {one.row.device for one in found}
    evidence = Evidence(make_results(gpu=True, n_runs=2), registry.workloads())
    assert any("On the CPU" in text for text in pages(evidence, tmp_path).values())


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_machines_are_told_how_to_add_one(n: int, tmp_path: Path):
    made = pages(evidence_of(*(machine(number) for number in range(n))), tmp_path)

    assert [compare_pages.PAGE] == list(made)
    assert "add yours" in made[compare_pages.PAGE] and "<script" not in made[compare_pages.PAGE]


def test_pairs_of_very_many_machines_grow_as_machines_do():
    few, many = ([machine(number) for number in range(n)] for n in (8, 160))

    assert 8 * 7 // 2 == len(list(compare_pages.pairs(few)))
    found = list(compare_pages.pairs(many))
    assert 159 == len(found) and all(first is many[0] for first, _ in found)
