"""The calculators' forms: every number in them is a record's or a published row's, and their formulas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from bench.report import calculators, published, stats
from bench.report.rows import Evidence
from bench.store import Results
from tests.factories import make_evidence, make_record, make_run, make_session_results
from tests.sites import ROOT, Element, Sites, parse


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return make_evidence(gpu=True)


def options(form: str, select: str) -> Iterator[Element]:
    for element in parse(form).walk():
        if element.name == "option" and element.parent.attributes.get("name") == select:
            yield element


def test_rates_in_the_form_are_those_of_the_records(evidence: Evidence):
    found = {
        option.attributes["value"]: option.attributes for option in options(calculators.how_long(evidence), "case")
    }

    assert set(found) == set(evidence.model_workloads())
    for workload, data in found.items():
        record = evidence.best(evidence.lead, workload, "train", "cpu")
        rate = stats.throughput(record)
        assert [rate.value, rate.low, rate.high] == [float(data[f"data-{name}"]) for name in ("rate", "low", "high")]
        start = stats.start_up(record).value + stats.first_step(record).value
        assert pytest.approx(start) == float(data["data-start"])


def test_without_records_there_is_no_form():
    assert "" == calculators.how_long(Evidence(Results(()), {}))


def test_prices_in_the_form_are_published_rows_with_their_dates():
    form = calculators.buy_or_rent()
    rows = published.figures()

    for select in ("card", "rent"):
        found = list(options(form, select))
        assert len(found) >= 2 and 1 == sum("selected" in option.attributes for option in found)
        for option in found:
            row = rows[option.attributes["value"]]
            assert (row.value, row.date) == (option.attributes["data-price"], option.attributes["data-date"])
            assert calculators.DAY.fullmatch(row.date)


def test_the_script_holds_no_price_and_no_rate():
    script = (ROOT / "docs/assets/js/calculators.js").read_text(encoding="utf-8")
    code = re.sub(r"//.*|/\*.*?\*/", "", script)

    found = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", code))

    assert found <= {"0", "1", "2", "3", "60", "1000", "3600", "86400", "86400000"}  # units and digits


def test_break_even_hours():
    assert pytest.approx(1000) == calculators.break_even_hours(500, 0.5)
    assert pytest.approx(500) == calculators.break_even_hours(500, 0.5, resale=250)
    assert pytest.approx(1250) == calculators.break_even_hours(500, 0.5, watts=500, price_per_kwh=0.2)
    assert calculators.break_even_hours(500, 0.1, watts=500, price_per_kwh=0.2) is None
    assert 0 == calculators.break_even_hours(500, 0.5, resale=600)


def test_worked_example_follows_from_its_rows():
    words, (card, rent) = calculators.worked_break_even()

    hours = float(card.value) / float(rent.value)

    assert words == f"{card.value} / {rent.value} = {round(hours):,} hours"


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(1, "coffee break"), (600, "coffee break"), (601, "lunch"), (3601, "overnight"), (43201, "no")],
)
def test_patience(seconds: float, word: str):
    assert word == calculators.patience(seconds)


def with_peaks(**peaks: int) -> Evidence:
    records = []
    for batch, size in peaks.items():
        record = make_record("resnet50", batch_size=int(batch.removeprefix("b")))
        runs = [make_run(i, cell=record.cell, peak_host_bytes=size) for i in range(2)]
        records.append(make_record("resnet50", batch_size=record.cell.batch_size, runs=runs))
    return make_evidence(make_session_results(records))


def test_memory_grows_along_the_line_through_two_batches():
    evidence = with_peaks(b8=2_800_000_000, b32=5_200_000_000)

    (growth,) = calculators.growths(evidence, evidence.lead)

    assert 100_000_000 == growth.per_sample_bytes
    assert 2_000_000_000 == growth.fixed_bytes
    assert [0, 16, 32] == [growth.largest_batch(size) for size in (2_000_000_000, 4_000_000_000, 6_000_000_000)]


def test_memory_that_does_not_grow_tells_no_batch():
    assert () == calculators.growths(*(lambda e: (e, e.lead))(with_peaks(b8=900_000_000, b32=900_000_000)))
    assert () == calculators.growths(*(lambda e: (e, e.lead))(with_peaks(b8=900_000_000)))


def test_time_by_cores_compares_one_variant(evidence: Evidence):
    found = calculators.by_threads(evidence, evidence.lead, "resnet50")

    assert len({(r.cell.batch_size, r.cell.n_samples, json.dumps(dict(r.cell.params))) for r in found.values()}) == 1
    assert found and all(record.cell.threads == n for n, record in found.items())


@pytest.mark.browser(needs_chromium=False)  # whole sites
def test_pages_carry_the_forms_only_where_they_belong(sites: Sites):
    built = sites.built("full")

    with_forms = {path for path, text in built.items() if isinstance(text, str) and 'class="calculator"' in text}

    assert with_forms == {"guides/how-long.md", "guides/buy-rent-free.md"}
    assert 'class="calculator"' not in sites.built("none")["guides/how-long.md"]
