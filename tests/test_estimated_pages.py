"""What pages show where a formula speaks and no record: another mark, another link, no count among measurements."""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.claims import case
from bench.report.estimates import bands, formula, jobs, rows
from bench.report.evidence.evidence import Evidence
from bench.report.facts import estimated, graded, lookup
from bench.report.pages import (
    calls,
    cell_pages,
    context,
    data_files,
    downloads,
    estimate_calls,
    fact_pages,
    gpu_pages,
    left_out,
    menu,
    render,
)
from bench.report.pages.parts import Used
from bench.report.published import cards
from bench.workloads import registry
from tests import committed, gpu_session
from tests.factories import made, make_gpu, make_machine, make_record, make_run, make_session, make_session_results

ROOT = Path(__file__).parents[1]
FACT = "resnet50-train-speedup"


@cache
def site(*, with_gpu: bool = False) -> context.Site:
    """The pages over the committed sessions without a GPU, or with an invented one beside them."""
    more = (gpu_session.gpu_session(only=("resnet50", "mlp-tabular")),) if with_gpu else ()
    return context.Site(ROOT / "docs", committed.without_a_gpu(*more))


def facts_page() -> str:
    """The page of all facts, of which no page cites one."""
    return fact_pages.facts_page(site(), Used(), lambda make, *_: make())


def test_an_estimate_links_to_how_it_is_made_and_says_how_far_it_can_be_trusted():
    shown = str(calls.Voice(site(), "index.md").fact(FACT))
    known = formula.constants()

    assert re.match(r'<a class="est" href="method/how-we-estimate/" title="Estimated, not measured&#10;', shown)
    assert "data-cells" not in shown and "evidence" not in shown.partition(">")[0]
    assert f"{known.counts['points']:,} published measurements on {known.counts['cards']} GPUs" in shown
    assert f"{known.ranges['keras'].inside} of {known.ranges['keras'].n}" in shown


def test_a_record_takes_the_place_of_an_estimate():
    shown = str(calls.Voice(site(with_gpu=True), "index.md").fact(FACT))

    assert 'class="num"' in shown and gpu_session.MACHINE in shown and "estimated" not in shown


@pytest.mark.parametrize("path", ["index.md", "faq/how-many-times-faster.md"])
def test_a_gpu_record_makes_the_estimate_step_back_on_its_pages(path: str):
    before, after = (render.render(one, one.sources[path])[1] for one in (site(), site(with_gpu=True)))

    assert 'class="est"' in before
    assert not re.search(r'class="est"[^>]*title="[^"]*ResNet-50', after)


def test_an_estimate_counts_as_no_measurement():
    voice = calls.Voice(site(), "index.md")
    voice.fact(FACT)
    known = voice.calls()

    assert [] == list(voice.sessions())
    assert (False, True, True) == tuple(known[name](FACT) for name in ("measured", "estimated", "known"))
    assert ("estimated", False) == tuple(data_files.fact_data(site().fact(FACT))[key] for key in ("kind", "measured"))


def test_all_facts_lists_estimates_apart_from_measurements():
    text = facts_page()
    _, _, below = text.partition("\n## Estimated\n")
    estimated, _, missing = below.partition("\n## Not measured yet\n")

    assert f'id="{FACT}"' in estimated and 'class="est"' in estimated
    assert f"`{FACT}`" not in missing


def test_tables_for_readers_leave_out_what_nobody_measured_and_name_it_once():
    names: list[str] = []
    missing = str(left_out.MISSING)
    table = f"| | ours | theirs |\n| --- | --- | --- |\n| a | {missing} | 3 |\n| b | not measured yet | |"

    assert "|  | theirs |\n| --- | --- |\n| a | 3 |" == left_out.in_markdown(table, names)
    assert ["ours", "b"] == names
    assert 1 == left_out.foot(names, "x").count("ours; b")
    assert "" == left_out.foot([], "x")


def test_a_table_that_holds_a_value_keeps_its_row_with_a_dash_for_what_is_missing():
    names: list[str] = []
    table = f"| net | CPU | GPU |\n| --- | --- | --- |\n| a | 2 | {left_out.MISSING} |\n| b | 1 | 4 |"
    found = left_out.in_markdown(table, names)

    assert [] == names and 1 == found.count(">–</span>") and "not measured yet" not in found


@pytest.mark.parametrize("path", ["index.md", "faq/amd-gpu.md", "faq/gpu-slower-than-cpu.md", "faq/wsl2-or-docker.md"])
def test_no_page_for_readers_says_not_measured_yet(path: str):
    head, body = render.render(site(), site().sources[path])

    assert "not measured yet" not in (head + body).lower()


def test_the_home_page_shows_the_estimate_in_its_table():
    body = render.render(site(), site().sources["index.md"])[1]

    assert 10 < body.count('class="est"')
    assert "Rests on" not in body


@cache
def card_pages() -> dict[str, str]:
    return gpu_pages.gpu_pages(site())


def test_every_often_named_card_has_a_page_and_a_line_in_the_index():
    pages = card_pages()
    names = [card.name for card in cards.often_named()]

    assert 60 <= len(names) and 1 + len(names) == len(pages)
    assert len(names) == pages[gpu_pages.INDEX].count('<th scope="row">')
    assert all(f">{name}</a>" in pages[gpu_pages.INDEX] for name in names)


def test_a_card_stands_beside_our_cpu_and_a_refusal_says_why_in_a_word():
    text = card_pages()["gpus/geforce-rtx-4090.md"]

    assert 'class="num"' in text and 10 < text.count('class="est"')
    assert "<td>no estimate</td><td>works step by step</td>" in text
    assert "0.29 USD an hour" in text and "One pass of ResNet-50" in text
    assert 'href="../../guides/your-job/?gpus=geforce-rtx-4090"' in text


def test_the_menu_has_the_index_of_cards_and_not_each_card():
    shown = str(menu.navigation({"index.md": "", **card_pages()}))

    assert gpu_pages.INDEX in shown and "rtx-4090" not in shown


def test_every_published_row_with_a_step_stands_beside_its_estimate():
    lines = list(csv.DictReader(io.StringIO(downloads.published_files()["data/estimates.csv"])))
    known = [line for line in lines if line["kind"] != "refused"]

    assert len(lines) == sum(row.seconds is not None for row in (*rows.measured(), *rows.notebooks()))
    assert 1000 < len(known) and all(line["refused_because"] for line in lines if line["kind"] == "refused")
    for line in known[::97]:
        ratio = float(line["measured_s"]) / float(line["estimated_s"])
        assert float(line["measured_over_estimated"]) == pytest.approx(ratio, rel=1e-3)
        assert (line["in_range"] == "yes") == (
            float(line["low_s"]) <= float(line["measured_s"]) <= float(line["high_s"])
        )


def published_row(**fields) -> rows.Row:
    """A training speed of ResNet-50 on a T4 that nobody published."""
    given = {"batch": 32.0, "precision": "fp32", "throughput": 100.0} | fields
    return rows.Row(
        id="invented", source="nvidia/deeplearningexamples", file="x.md", network="resnet-50@224x224", card="Tesla T4",
        framework="TensorFlow", optimizer="sgd", input_from="", unit="images/s", **given,
    )  # fmt: skip


def with_rows(monkeypatch: pytest.MonkeyPatch, *found: rows.Row, evidence: Evidence | None = None, name: str = FACT):
    monkeypatch.setattr(rows, "of", lambda network, card: tuple(row for row in found if card == row.card))
    return lookup.lookup(name, site().evidence if evidence is None else evidence)


def test_a_published_row_of_the_same_network_and_card_makes_the_estimate_step_back(monkeypatch):
    before, after = site().fact(FACT), with_rows(monkeypatch, published_row())

    assert ("estimated", "published") == (before.kind, after.kind)
    assert after.text.endswith("(published, T4, batch 32)") and not after.measured
    assert after.estimate.value == pytest.approx(100.0 / site().fact(f"{FACT}-cpu").estimate.value)
    assert (after.figure.source, after.figure.id) == ("nvidia/deeplearningexamples", "invented")
    assert "100 images/s" in after.note and "formula" not in after.note


def test_a_gpu_record_makes_a_published_row_step_back(monkeypatch):
    found = with_rows(monkeypatch, published_row(), evidence=site(with_gpu=True).evidence)

    assert ("measured", None) == (found.kind, found.figure)


@pytest.mark.parametrize(
    "fields",
    [
        {"precision": "amp"},
        {"batch": 16.0},
        {"batch": None},
        {"left_out": "TF32 on or off was not recorded"},
        {"card": "Tesla V100 SXM2 16 GB"},
    ],
)
def test_rows_of_another_training_leave_the_estimate_where_it_is(monkeypatch, fields):
    assert "estimated" == with_rows(monkeypatch, msgspec.structs.replace(published_row(), **fields)).kind


def test_of_several_rows_the_nearest_batch_counts_and_of_equal_ones_the_fastest(monkeypatch):
    both = (published_row(batch=64.0), published_row(batch=64.0, throughput=120.0), published_row(batch=256.0))

    assert "120 images/s" in with_rows(monkeypatch, *both).note
    assert "estimated" == with_rows(monkeypatch, *both, name=f"{FACT}-same-batch").kind
    (session, cell), *_ = site().fact(f"{FACT}-cpu").cells
    same = published_row(batch=float(session.records[cell].cell.batch_size))
    assert "published" == with_rows(monkeypatch, *both, same, name=f"{FACT}-same-batch").kind


def test_a_published_fact_looks_like_a_published_number():
    voice = calls.Voice(site(), "faq/gaming-gpu.md")
    shown, fact = str(voice.fact("resnet50-train-speedup-rtx-4090")), site().fact("resnet50-train-speedup-rtx-4090")

    assert "published" == fact.kind
    assert 'class="pub"' in shown and f'href="{fact.figure.url}"' in shown and 'href="#source-1"' in shown
    assert (
        fact.text in shown and fact.figure.source in shown and 'class="est"' not in shown and 'class="num"' not in shown
    )
    assert fact.figure.id in voice.notes[fact.figure.id].detail and fact.figure.text in fact_pages.published_page(
        voice.site.used.figures
    )
    assert [] == list(voice.sessions())
    assert f'id="{fact.id}"' in facts_page().partition("## Published")[2].partition("## Estimated")[0]


def test_a_page_can_show_a_published_speed_by_the_id_of_its_row():
    voice = calls.Voice(site(), "faq/small-batch.md")
    shown, row = str(voice.published("mxnet-perf-0013")), rows.by_id()["mxnet-perf-0013"]

    assert f">{row.throughput:.1f} images a second</a>" in shown and "mxnet-perf-0013" in voice.notes
    assert row.card in shown and "batch 1" in fact_pages.published_page(voice.site.used.figures)


def test_the_rate_of_decoded_pictures_is_that_of_the_notebooks():
    shown = re.sub(r"<[^>]*>", "", str(estimate_calls.decoded()))

    assert f" in {bands.pictures().n} public notebooks" in shown
    assert shown.partition(" in ")[0] in formula.REFUSED["pictures"][1]


def test_the_free_gpu_of_every_page_is_one_number():
    generic, named = site().fact(FACT), site().fact(f"{FACT}-t4")

    assert (generic.text, generic.estimate) == (named.text, named.estimate)


def test_a_fact_of_a_card_is_estimated_until_a_session_has_measured_that_card():
    name = "mobilenet-v2-train-speedup-h100"
    found = site().fact(name)
    card = make_gpu("NVIDIA H100 SXM5 80 GB")
    machine = make_machine("h100-16c", gpus=(card,))
    records = [make_record("mobilenet-v2", device=device, threads=16, n_runs=5) for device in ("cpu", "gpu")]
    measured = make_session_results(records, machine=machine, session=make_session(records, machine_id=machine.id))
    after = lookup.lookup(name, Evidence(Results((measured,)), registry.workloads()))

    assert "estimated" == found.kind and found.text.endswith("(estimated, H100)") and "H100" in found.note
    assert "measured" == after.kind and "estimated" not in after.text


def test_a_job_on_a_card_costs_its_hours_at_a_dated_price():
    for name, card in (("t4", "Tesla T4"), ("rtx-4090", "GeForce RTX 4090")):
        found, price = site().fact(f"resnet50-imagenet-epoch-cost-{name}"), jobs.rents(card)[0]
        costs = [float(number) for number in re.findall(r"[\d.]+(?= to| USD)", found.text)]
        pair = estimated.known(site().evidence, "resnet50", card)

        assert (found.kind, len(costs)) == (("estimated", 2) if name == "t4" else ("published", 1))
        for rate, cost in ((pair.gpu.high, costs[0]), (pair.gpu.low, costs[-1])):
            assert 1_281_167 / rate / 3600 * float(price.value) == pytest.approx(cost, rel=0.05)
        assert price.date in found.note


def test_a_bought_card_pays_after_the_hours_that_its_price_rents(monkeypatch):
    name, card = "hours-to-break-even-rtx-4090", "GeForce RTX 4090"
    price, rent = jobs.launch_price(card), jobs.rents(card)[0]
    found = lookup.lookup(name, Evidence(Results(()), registry.workloads()))
    hours, a_day = (float(number.replace(",", "")) for number in re.findall(r"[\d,.]*\d(?= hours| a day)", found.short))

    assert ("published", rent, ()) == (found.kind, found.figure, found.cells)
    assert float(price.value) / float(rent.value) == pytest.approx(hours, rel=0.05)
    assert hours / 3 / 365 == pytest.approx(a_day, rel=0.05)
    assert price.date in found.note and rent.date in found.note
    dearer = msgspec.structs.replace(rent, value=str(10 * float(rent.value)))
    monkeypatch.setattr(jobs, "rents", lambda card: (dearer,))
    assert lookup.lookup(name, Evidence(Results(()), registry.workloads())).short.startswith(f"{hours / 10:.0f} hours")


def graded_evidence(*factors: float) -> Evidence:
    """Records of ResNet-50 on an H100, each so many times the middle of the formula's range."""
    machine = make_machine("h100-16c", gpus=(make_gpu("NVIDIA H100 SXM5 80 GB"),))
    records = []
    for index, factor in enumerate(factors):
        record = make_record("resnet50", device="gpu", threads=16, batch_size=8 + index, n_samples=8 * (8 + index))
        session = make_session_results([record], machine=machine, session=make_session([record], machine_id=machine.id))
        found = graded.grade(session, record)
        step_s = factor * found.answer.seconds
        records.append(msgspec.structs.replace(record, runs=(make_run(0, cell=record.cell, step_s=(step_s,) * 3),)))
    session = make_session(records, machine_id=machine.id)
    return Evidence(Results((make_session_results(records, machine=machine, session=session),)), registry.workloads())


@pytest.mark.parametrize(
    ("factors", "expected", "is_doubted"),
    [
        ((1.0,) * 20, (20, 20), False),
        ((1.0,) * 16 + (9.0,) * 4, (16, 20), False),
        ((1.0,) * 15 + (9.0,) * 5, (15, 20), True),
        ((9.0,) * 19, (0, 19), False),
        ((), (0, 0), False),
    ],
)
def test_our_gpu_records_grade_the_formula_and_lower_its_badge(factors, expected, is_doubted):
    found = context.Site(ROOT / "docs", graded_evidence(*factors))
    verdict = case.Verdict(id="x", belief="X.", outcome="false", parts=(), rule="", basis="estimates")
    told = str(estimate_calls.grades(calls.Voice(found, "method/how-we-estimate.md")))

    assert expected == tuple(found.tally) and is_doubted == found.tally.is_doubted
    assert is_doubted == ("do not bear out" in found.basis(verdict)) == ("too few" in told)


def test_a_gpu_records_page_folds_what_the_estimate_had_said():
    pages = made(cell_pages.evidence_pages(graded_evidence(1.0, 9.0), ""))
    text = "".join(pages.values())

    assert 2 == text.count("What the estimate had said")
    assert 1 == text.count("the measured step lies in it") == text.count("the measured step lies outside")
    session = min(committed.results().sessions, key=lambda one: len(one.records))
    plain = made(cell_pages.evidence_pages(Evidence(Results((session,)), registry.workloads()), ""))
    assert plain and "What the estimate had said" not in "".join(plain.values())
