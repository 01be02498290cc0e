"""Pages that say how many times faster a GPU is, with an invented GPU session beside the committed records."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bench.records import store
from bench.report.facts import lookup
from bench.report.pages import context, render

pytest.importorskip("altair")


from bench.workloads import registry
from tests import committed, gpu_session

ROOT = Path(__file__).parents[1]
ARMS = re.compile(r"batch \d+.*(?:float32|TF32|bfloat16|float16)")
PAGES = (
    "faq/how-many-times-faster.md",
    "faq/worth-buying-a-gpu.md",
    "faq/cloud-cpu-or-gpu.md",
    "misconceptions/only-for-training.md",
    "misconceptions/lstm-gains-nothing.md",
)


def sources_over(*sessions: store.SessionResults) -> context.Site:
    """The pages' sources over the committed sessions without a GPU, and these."""
    return context.Site(ROOT / "docs", committed.without_a_gpu(*sessions))


@pytest.fixture(scope="module")
def site() -> context.Site:
    """With an invented GPU session, which does not lead."""
    found = sources_over(gpu_session.gpu_session(only=("resnet50", "lstm-text", "mlp-tabular", "matmul")))
    assert found.evidence.lead.machine.id != gpu_session.MACHINE
    return found


@cache
def body(site: context.Site, path: str) -> str:
    return render.render(site, site.sources[path])[1]


def ratio_table(text: str) -> list[str]:
    """Rows of the table whose last column is a ratio of the devices."""
    tables = re.findall(r"^\|.*(?:\n\|.*)+(?:\n\n<p class=.below-table.>.*</p>)?", text, re.M)
    (found,) = (one for one in tables if re.match(r"\|[^\n]*\| (?:GPU over CPU|factor) \|\n", one))
    return found.splitlines()


@pytest.mark.parametrize("path", PAGES)
def test_a_ratio_stands_beside_its_own_cpu_and_gpu_and_names_the_machine_once(site: context.Site, path: str):
    head, _, *rows = ratio_table(body(site, path))
    rows, caption = [row for row in rows if row.startswith("|")], rows[-1]

    assert rows and "Measured on an NVIDIA H200 beside 16 cores of an Intel" in caption
    assert head.count("|") == 5
    for row in rows:
        cells = re.findall(r'data-cells="([^"]*)"', row)
        assert 3 == len(cells), row  # nothing that was not measured
        assert set(cells[2].split()) == {*cells[0].split(), *cells[1].split()}
        assert all(name.startswith(gpu_session.MACHINE) for name in cells[2].split())
        assert ARMS.search(row)


def test_without_a_gpu_the_pages_show_an_estimated_one_beside_the_cpu():
    bare = sources_over()
    text = render.render(bare, bare.sources["faq/worth-buying-a-gpu.md"])[1]

    assert "| training | CPU | GPU | GPU over CPU |\n" in text and 6 <= text.count('class="est"')
    assert lookup.lookup("resnet50-train-cpu-throughput", bare.evidence).text.partition(" ")[0] in text


def test_every_ratio_of_the_devices_names_batch_and_precision_of_both_sides(site: context.Site):
    for name in lookup.names(registry.workloads()):
        if re.search(r"-(train|infer)-speedup(-same-batch)?$|^speedup-", name):
            found = lookup.lookup(name, site.evidence)
            assert not found.measured or ARMS.search(found.text), name
    for verdict_id in ("gpu-is-always-faster", "gpu-is-a-hundred-times-faster", "good-cpu-is-nearly-as-fast",
                       "cpu-trains-many-times-faster", "lstm-gains-nothing", "low-meter-means-broken"):  # fmt: skip
        assert all(ARMS.search(case.name) for case in site.judge(verdict_id).cases), verdict_id
    sentence = site.judge("only-for-training").tally
    assert sentence.startswith("For inference with ResNet-50, 224 px, batch ") and "an NVIDIA H200 is" in sentence
