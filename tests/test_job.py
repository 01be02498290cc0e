"""The tool "your job": its file holds what records, rows and fit hold; its script computes what the formula does."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

pytest.importorskip("altair")

from bench import REPOSITORY
from bench.records import pack
from bench.records.store import Results
from bench.report.estimates import card_memory, formula, jobs, networks
from bench.report.estimates.networks import Network
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.pages import job
from bench.report.published import cards
from bench.report.published import figures as published
from bench.report.stats import quantities
from bench.workloads import registry
from tests import committed
from tests.factories import make_evidence, make_gpu, make_machine, make_record, make_session_results
from tests.sites import served

SCRIPTS = REPOSITORY / "docs/assets/js"
MOST_BYTES = 60_000  # of the file, compressed
N_JOBS = 1_000
CARDS = {card.slug: card for card in cards.often_named()}
OURS = networks.ours()


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return committed.evidence()


@pytest.fixture(scope="module")
def data(evidence: Evidence) -> dict[str, Any]:
    return json.loads(job.files(evidence)[job.FILE])


# The file.


def test_the_file_is_small(evidence: Evidence):
    assert len(gzip.compress(job.files(evidence)[job.FILE].encode())) <= MOST_BYTES


def test_rates_are_those_of_the_records(evidence: Evidence, data: dict[str, Any]):
    for workload in evidence.model_workloads():
        for session in evidence.shown:
            record = evidence.view(session).best(Pick(workload, "train", "cpu"))
            if record is None:
                continue
            rate = quantities.throughput(record)
            assert [rate.low, rate.value, rate.high] in [
                one["rate"]
                for one in data["rates"]
                if (one["network"], one["machine"], one["batch"])
                == (registry.network(workload, record.cell.params), evidence.view(session).key, record.cell.batch_size)
            ]


def test_every_sixty_cards_and_every_refusal_are_in_it(data: dict[str, Any]):
    hull = formula.constants().hull
    assert [card["id"] for card in data["cards"]] == list(CARDS)
    for one in data["networks"]:
        for card in data["cards"]:
            for policy in data["policies"]:
                case = formula.case_of(OURS[one["id"]], CARDS[card["id"]], 32, policy=policy)
                assert formula.refusal(case, hull) == (one["refused"] or card["refused"][policy])
    assert set(formula.REFUSED) == set(data["refused"])


def test_prices_are_published_rows_with_their_dates(data: dict[str, Any]):
    found = [price for card in data["cards"] for price in (card["rent"], card["price"]) if price]

    assert len(found) >= 5
    for price in found:
        row = published.lookup(price["id"])
        assert (float(row.value), row.date) == (price["value"], price["date"])


def test_no_records_no_networks():
    empty = job.data(Evidence(Results(()), {}))

    assert ([], [], []) == (empty["networks"], empty["rates"], empty["machines"])


def test_a_card_of_ours_that_was_measured_is_in_it():
    machine = make_machine("gpu-16c", gpus=(make_gpu("Tesla T4"),))
    records = [make_record("resnet50", device=device) for device in ("cpu", "gpu")]

    (found,) = job.data(make_evidence(make_session_results(records, machine=machine)))["gpu_rates"]

    assert ("tesla-t4", "float32") == (found["card"], found["policy"])
    assert quantities.throughput(records[1]).value == found["rate"][1]


def test_a_networks_rate_is_scaled_no_further_than_ours_were(evidence: Evidence, data: dict[str, Any]):
    worst = {"factor": 1.0, "pairs": 0, "most": job.MOST_SCALED}
    best: dict[tuple[str, str], float] = {}
    for one in data["rates"]:
        key = one["machine"], one["network"]
        best[key] = max(best.get(key, 0.0), one["rate"][1])
    for (machine, small), slow in best.items():
        for (other, large), fast in best.items():
            kinds = {name.partition(" ")[0] for name in (small, large)}
            times = (OURS[large].forward or 0) / (OURS[small].forward or 1)
            if machine == other and len(kinds) == 1 and kinds != {"embedding"} and 1 < times <= job.MOST_SCALED:
                off = slow / fast / times
                worst = worst | {"factor": max(worst["factor"], off, 1 / off), "pairs": worst["pairs"] + 1}
    assert worst == pytest.approx(data["scaled"])


def test_the_scripts_hold_no_price_no_rate_and_no_constant_of_the_fit():
    code = "".join(re.sub(r"//.*|/\*.*?\*/", "", path.read_text()) for path in sorted(SCRIPTS.glob("your-job*.js")))

    found = {float(number) for number in re.findall(r"(?<![\w.\-#$])\d+(?:\.\d+)?(?:e\d+)?(?![\w.])", code)}

    shares, counts = {0.01, 0.1, 0.9, 0.95, 1.5}, {0, 1, 2, 3, 4, 8, 10, 100, 200, 1000, 1e6, 64e6, 1e12}
    seconds = {60, 3600, 86400, 31557600, 31557600e3, 864e5}
    tar = {8, 12, 48, 124, 136, 156, 512}
    assert found <= shares | counts | seconds | tar


# The script, in a browser that has nothing but the script and the file.


@pytest.fixture(scope="module")
def address(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("job")
    (folder / "data").mkdir()
    (folder / job.FILE).write_text(job.files(evidence)[job.FILE], encoding="utf-8")
    (folder / "assets").symlink_to(REPOSITORY / "docs/assets")
    tool = job.FORM.tool("", job.FILE, job.SCRIPT, "how/", "notebook/", tuple(job.POLICIES), "<p>a table</p>")
    for scheme in ("default", "slate"):
        (folder / f"{scheme}.html").write_text(
            f'<!doctype html><html lang="en"><title>Tool</title><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width">'
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self'; img-src 'self' data:\">"
            f'<link rel="stylesheet" href="assets/css/site.css"><link rel="stylesheet" href="page.css">'
            f'<link rel="icon" href="data:,">'
            f'<body data-md-color-scheme="{scheme}"><main class="md-typeset"><h1>Tool</h1>{tool}</main></body></html>',
            encoding="utf-8",
        )
    body = "body { background: var(--md-default-bg-color); color: var(--md-typeset-color); font: 16px sans-serif }"
    (folder / "page.css").write_text(f"{body} a {{ color: var(--md-typeset-a-color) }}")
    with served(folder) as at:
        yield at


@pytest.fixture(scope="module")
def script(browser: Any, address: str) -> Iterator[Any]:
    """Evaluates an expression in which ``math`` is the script, ``data`` the file and ``given`` what is passed."""
    page = browser.new_page()
    page.goto(f"{address}default.html")

    def evaluate(expression: str, given: Any = None) -> Any:
        load = "const math = await import('/assets/js/your-job-math.js')"
        fetched = "const data = await (await fetch('/data/your-job.json')).json()"
        return page.evaluate(f"async (given) => {{ {load}; {fetched}; return {expression} }}", given)

    yield evaluate
    page.close()


def random_state(data: dict[str, Any], rng: random.Random) -> dict[str, str]:
    """Choices as a reader might make them, all over the place."""

    def number(low: float, high: float) -> str:
        return f"{math.exp(rng.uniform(math.log(low), math.log(high))):.4g}"

    like = rng.choice(data["networks"])
    size = like["forward"] / 1e6
    state = dict(data["defaults"]) | {
        "model": "own" if rng.random() < 0.5 else rng.choice(data["networks"])["id"],
        "like": like["id"],
        "samples": str(rng.randint(1, 10**7)),
        "epochs": str(rng.randint(1, 300)),
        "batch": str(2 ** rng.randint(0, 13)),
        "precision": rng.choice(list(data["policies"])),
        "cpu": rng.choice([*(one["id"] for one in data["machines"]), "rate"]),
        "rate": number(0.01, 1e6),
        "gpus": ",".join(one["id"] for one in data["cards"] if rng.random() < 0.2),
    }
    for name, low, high in (
        ("operations", size / 64, size * 64), ("operations", 1e5, 1e7),
        ("weights", 1e-3, 1e4), ("layers", 1, 300), ("layers", 1e4, 1e5), ("outputs", 1e-3, 1e3),
        ("rent", 0.05, 9), ("price", 100, 4e4), ("resale", 1, 2e3), ("watts", 20, 1e3), ("kwh", 0.05, 1),
    ):  # fmt: skip
        if rng.random() < (0.1 if low >= 1e4 else 0.5):
            state[name] = number(low, high)
    return state


def network_of(state: dict[str, str], data: dict[str, Any]) -> Network:
    """The network of some choices, as the formula takes it."""
    if state["model"] != "own":
        return OURS[state["model"]]
    like = OURS[state["like"]]

    def typed(name: str, otherwise: float, unit: float) -> float:
        return float(state[name]) * unit if state[name] else otherwise

    forward = typed("operations", like.forward, 1e6)
    return msgspec.structs.replace(
        like,
        forward=forward,
        parameters=typed("weights", like.parameters, 1e6),
        activations=typed("outputs", like.activations * forward / like.forward, 1e6),
        matrix_operations=typed("layers", like.matrix_operations, job.OPERATIONS_OF_LAYER.get(like.family, math.nan)),
    )


@pytest.fixture(scope="module")
def states(data: dict[str, Any]) -> list[dict[str, str]]:
    rng = random.Random(2026)
    return [random_state(data, rng) for _ in range(N_JOBS)]


@pytest.fixture(scope="module")
def results(script: Any, states: list[dict[str, str]]) -> list[dict[str, Any]]:
    return script("given.map((state) => math.compute(data, state))", states)


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


@pytest.mark.browser
def test_a_thousand_jobs_take_in_the_browser_what_the_formula_says(
    data: dict[str, Any], states: list[dict[str, str]], results: list[dict[str, Any]]
):
    n = {"estimated": 0, "refused": 0, "memory": 0}
    for state, result in zip(states, results, strict=True):
        network, batch = network_of(state, data), float(state["batch"])
        chosen = [row for row in result["rows"] if row["device"] == "gpu"]
        assert sorted(row["id"] for row in chosen) == sorted(filter(None, state["gpus"].split(",")))
        for row in chosen:
            case = formula.case_of(network, CARDS[row["id"]], batch, policy=state["precision"])
            answer = formula.estimate(case)
            if answer.kind == "refused":
                assert (row["kind"], row["refused"]) == ("none", answer.range_of)
                assert answer.reason in row["why"] and answer.instead in row["why"]
                n["refused"] += 1
                continue
            fits = card_memory.largest_batch(network, CARDS[row["id"]], case.precision)
            assert (fits.surely, fits.perhaps) == (row["fits"]["surely"], row["fits"]["perhaps"])
            if fits.perhaps < batch:
                assert (row["kind"], row["refused"]) == ("none", "memory")
                n["memory"] += 1
                continue
            steps = jobs.steps(float(state["samples"]), batch, float(state["epochs"]))
            expected = [close(end * steps) for end in (answer.low, answer.seconds, answer.high)]
            assert (expected, answer.range_of) == ([row["low"], row["value"], row["high"]], row["how"])
            n["estimated"] += 1
    assert min(n.values()) > 100


@pytest.mark.browser
def test_a_cpus_time_is_that_of_the_nearest_measured_batch(
    data: dict[str, Any], states: list[dict[str, str]], results: list[dict[str, Any]]
):
    n_measured = n_scaled = 0
    for state, result in zip(states, results, strict=True):
        row, network = result["cpu"], network_of(state, data)
        n, base = float(state["samples"]) * float(state["epochs"]), OURS.get(state["model"], OURS[state["like"]])
        if state["cpu"] == "rate":
            assert ("typed", close(n / float(state["rate"]))) == (row["kind"], row["value"])
            continue
        known = [r for r in data["rates"] if (r["machine"], r["network"]) == (state["cpu"], base.id)]
        scale = network.forward / base.forward
        most = data["scaled"]["most"] if state["model"] == "own" else math.inf
        if not known or not 1 / most <= scale <= most:
            assert row["kind"] == "none" and row["why"]
            continue
        off = [abs(math.log(float(r["batch"]) / float(state["batch"]))) for r in known]
        _, _, rate = min(zip(off, (-r["rate"][1] for r in known), (r["rate"] for r in known), strict=True))
        wide = data["scaled"]["factor"] if state["model"] == "own" else 1.0
        expected = [n / rate[2] * scale / wide, n / rate[1] * scale, n / rate[0] * scale * wide]
        assert [close(value) for value in expected] == [row["low"], row["value"], row["high"]]
        assert row["kind"] == ("estimated" if state["model"] == "own" else "measured")
        n_measured, n_scaled = n_measured + (wide == 1), n_scaled + (wide > 1)
    assert min(n_measured, n_scaled) > 50


@pytest.mark.browser
def test_outside_the_hull_there_is_no_number(data: dict[str, Any], states: list[dict[str, str]], results: list[Any]):
    hull, n_outside = formula.constants().hull, 0
    for state, result in zip(states, results, strict=True):
        network = network_of(state, data)
        is_outside = any(getattr(network, size) > formula.HULL_SLACK * getattr(hull, size) for size in formula.SIZES)
        for row in result["rows"][1:] if is_outside else ():
            n_outside += 1
            assert row["kind"] == "none" and row["why"].startswith("No estimate: ")
    assert n_outside > 100


@pytest.mark.browser
def test_the_sentence_agrees_with_the_bars(data: dict[str, Any], results: list[dict[str, Any]]):
    seen = set()
    for result in results:
        cpu, gpu, verdict = result["cpu"], result.get("gpu"), result["verdict"]
        cpu_known, gpu_known = cpu["kind"] != "none", bool(gpu) and gpu["kind"] != "none"
        timed = [row for row in (cpu, gpu) if row and row["kind"] != "none"]
        assert all(f"{row['time']} on {row['said']}" in result["sentence"] for row in timed)
        assert any(row["kind"] == "estimated" for row in timed) == ("estimated)" in result["sentence"])
        both = cpu_known and gpu_known
        is_faster, is_slower = both and gpu["high"] < cpu["low"], both and gpu["low"] > cpu["high"]
        expected = (
            ("no-cpu" if gpu_known else "nothing") if not cpu_known
            else "cpu" if cpu["high"] <= data["coffee_break"]
            else "no-gain" if is_slower
            else "open" if both and not is_faster
            else "patience" if cpu["low"] <= data["overnight"]
            else "gpu" if is_faster else "long"
        )  # fmt: skip
        assert expected == verdict
        assert len(result["sentence"].split()) <= (30 if cpu["kind"] == "estimated" else 25)
        seen.add(verdict)
    assert {"cpu", "patience", "gpu", "long", "open", "no-gain", "no-cpu", "nothing"} == seen


@pytest.mark.browser
def test_rent_and_break_even_follow_from_prices(states: list[dict[str, str]], results: list[dict[str, Any]]):
    n_hours = n_costs = 0
    for state, result in zip(states, results, strict=True):
        money = result.get("money")
        if money is None:
            continue
        card = CARDS[money["row"]["id"]]
        rents, launch = jobs.rents(card.name), jobs.launch_price(card.name)
        rent = float(state["rent"] or (rents[0].value if rents else "nan"))
        price = float(state["price"] or (launch.value if launch else "nan"))
        saved = rent - float(state["watts"] or card.watts or 0) / 1000 * float(state["kwh"] or 0)
        if saved > 0 and price >= 0:
            n_hours += 1
            assert close(max(price - float(state["resale"] or 0), 0.0) / saved) == money["hours"]
        if money["row"]["kind"] == "estimated" and not math.isnan(rent):
            n_costs += 1
            assert [close(money["row"][end] / 3600 * rent) for end in ("low", "high")] == money["job"]
    assert min(n_hours, n_costs) > 100


@pytest.mark.browser
def test_an_address_brings_the_choices_back(script: Any, states: list[dict[str, str]]):
    back = script("given.map((state) => math.fromAddress(math.toAddress(state, data), data))", states)

    assert states == back


@pytest.mark.browser
def test_an_address_of_nonsense_is_an_address_of_nothing(script: Any, data: dict[str, Any]):
    nonsense = "?model=x&cpu=mine&precision=int8&gpus=none,%3Cb%3E&on=y&q=1"
    nonsense += "&samples=-3&epochs=1e999&batch=NaN&rate=0x10&rent=-0&price=&kwh=1e"

    assert script("math.fromAddress(given, data)", nonsense) == data["defaults"] | {"gpus": ""}


@pytest.mark.browser
@pytest.mark.parametrize("size", ["1e400", "1e308", "9e13", "1e-300", "-2", "0x10000000000000"])
def test_a_slip_of_a_number_is_no_number_and_no_endless_digits(script: Any, data: dict[str, Any], size: str):
    names = ("samples", "epochs", "batch", "rate", "price", "rent", "watts", "weekly")
    states = [data["defaults"] | {"cpu": "rate", "rate": "5"} | {name: size} for name in names]
    kept = "({sentence: found?.sentence, numbers: [found?.money?.hours, found?.money?.job].flat()})"
    equal = "found?.money?.isRentEqual"

    found = script(f"given.map((state) => math.compute(data, state)).map((found) => [{kept}, {equal}])", states)

    assert [None] * 3 == [one["sentence"] for one, _ in found[:3]]
    assert "CPU" not in found[3][0]["sentence"].partition(":")[2], "nobody knows its time"
    assert not [number for one, _ in found for number in one["numbers"] if number is not None and number >= 1e12]
    assert not any(is_equal for _, is_equal in found)


HARMLESS = {"status": "ok", "cell": {"mode": "train", "device": "cpu", "workload": "resnet50", "batch_size": 8,
                                     "backend": "jax", "params": {"image_px": 224}},
            "runs": [{"status": "ok", "blocks": [[1, 2]], "n_samples_per_step": 8}]}  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize(
    ("spoilt", "kept"),
    [
        ({}, 1),
        ({"runs": [None, 5, {"status": "ok", "blocks": [None]}]}, 0),
        ({"runs": [{"status": "ok", "blocks": [[1, 1e-320]], "n_samples_per_step": 1e308}]}, 0),
        ({"runs": [{"status": "ok", "blocks": [[0, 1]]}]}, 0),
        ({"runs": {"length": 1}}, 0),
        ({"cell": HARMLESS["cell"] | {"batch_size": "<b>8"}}, 0),
        ({"cell": HARMLESS["cell"] | {"batch_size": 1e308}}, 0),
        ({"cell": HARMLESS["cell"] | {"params": None}}, 0),
        ({"cell": HARMLESS["cell"] | {"backend": {"a": 1}}}, 1),
    ],
)
def test_a_loaded_file_that_is_no_record_gives_no_rate(script: Any, spoilt: dict[str, Any], kept: int):
    others = [None, [], 5, "x", {}, [None], {"cell": None}]

    found = script("math.ratesOf(data, given)", [*others, HARMLESS | spoilt])

    assert kept == len(found)
    assert all(isinstance(one["backend"], str) and 0 < one["rate"][0] < 1e12 for one in found)


@pytest.mark.browser
def test_a_loaded_file_goes_into_the_address_as_a_rate(script: Any, data: dict[str, Any]):
    state = data["defaults"] | {"cpu": "mine"}

    assert {"cpu=rate", "rate=12.5"} == set(script("math.toAddress(given, data, 12.5)", state).split("&"))


@pytest.mark.browser
def test_other_records_make_other_sentences(script: Any, data: dict[str, Any]):
    slower = "{...data, rates: data.rates.map((one) => ({...one, rate: one.rate.map((rate) => rate / 100)}))}"

    before, after = script(f"[data, {slower}].map((one) => math.compute(one, given))", data["defaults"])

    assert ("patience", "gpu") == (before["verdict"], after["verdict"])
    assert close(100 * before["cpu"]["value"]) == after["cpu"]["value"]


@pytest.mark.browser
def test_a_card_that_was_measured_needs_no_estimate(script: Any, data: dict[str, Any]):
    rate = {"network": data["defaults"]["model"], "card": "tesla-t4", "policy": "float32", "batch": 64,
            "rate": [90, 100, 110], "runs": 5, "start": 9, "backend": "JAX", "page": ""}  # fmt: skip

    result = script("math.compute({...data, gpu_rates: [given[0]]}, given[1])", [rate, data["defaults"]])

    assert ("tesla-t4", "measured") == (result["gpu"]["id"], result["gpu"]["kind"])
    assert [20_000 / 110, 200, 20_000 / 90] == [close(result["gpu"][end]) for end in ("low", "value", "high")]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.2, 0.5, "under a second"), (0.5, 70, "up to 70 seconds"), (20, 70, "20 to 70 seconds"),
        (90, 320, "1.5 to 5.3 minutes"), (50, 320, "50 seconds to 5.3 minutes"), (7200, 360_000, "2 hours to 4.2 days"),
        (60.1, 60.2, "60 seconds"), (9e5, 9e9, "10 days to 290 years"),
        (9e5, 9e30, "10 days to over 1,000 years"), (9e30, 9e31, "over 1,000 years"),
    ],
)  # fmt: skip
def test_ranges_in_words(script: Any, low: float, high: float, words: str):
    assert words == script("math.range(...given)", [low, high])


@pytest.mark.browser
@pytest.mark.parametrize(
    ("renderer", "card"),
    [
        ("ANGLE (NVIDIA, NVIDIA GeForce RTX 3080 (0x00002206) Direct3D11 vs_5_0, D3D11)", "geforce-rtx-3080-10-gb"),
        ("ANGLE (NVIDIA Corporation, NVIDIA GeForce GTX 1650/PCIe/SSE2, OpenGL 4.5.0)", "geforce-gtx-1650"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU/PCIe/SSE2", "geforce-rtx-3060-laptop"),
        ("NVIDIA GeForce RTX 4090/PCIe/SSE2", "geforce-rtx-4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU/PCIe/SSE2", None),
        ("NVIDIA GeForce RTX 2080 Ti/PCIe/SSE2", "geforce-rtx-2080-ti"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER/PCIe/SSE2", "geforce-rtx-4070-ti-super"),
        ("NVIDIA GeForce RTX 4070 Ti/PCIe/SSE2", None),
        ("NVIDIA GeForce GTX 1060 3GB/PCIe/SSE2", None),
        ("AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 17.0.6, DRM 3.54)", "radeon-rx-7900-xtx"),
        ("ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)", None),
        ("Apple M1", None),
        ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_browsers_name_for_a_card_means_that_card_or_none(script: Any, renderer: str, card: str | None):
    assert card == script("math.matchCard(data, given)?.id ?? null", renderer)


@pytest.mark.browser
def test_every_card_is_known_by_its_own_name(script: Any, data: dict[str, Any]):
    names = [card["name"] for card in data["cards"]]

    assert list(CARDS) == script("given.map((name) => math.matchCard(data, name)?.id)", names)


# The page, without the rest of the site.


class Opened:
    """The tool in a browser, and what went wrong or was asked for there."""

    def __init__(self, browser: Any, address: str, query: str = "", scheme: str = "default", **context: Any) -> None:
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.problems.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", lambda request: self.asked.append(request.url.removeprefix(address)))
        self.page.goto(f"{address}{scheme}.html{query}")

    @property
    def sentence(self) -> str:
        return self.page.locator(".job-sentence").inner_text()

    def close(self) -> None:
        self.context.close()


@pytest.mark.browser
def test_a_reader_types_a_job_and_reads_how_long_it_takes(browser: Any, address: str):
    opened = Opened(browser, address)
    page = opened.page
    page.get_by_label("Samples", exact=True).fill("7200")
    page.get_by_label("Epochs").fill("10")
    page.locator("select[name=cpu]").select_option("rate")
    page.get_by_label("Samples a second that it trains").fill("10")

    assert opened.sentence.startswith("A matter of patience: 2 hours on your CPU; ")
    times = page.locator(".job-time").all_inner_texts()
    assert 4 == len(times) and times[0] == "2 hours" and all(text.endswith(", estimated") for text in times[1:])
    page.wait_for_url("**samples=7200*")
    assert page.locator(".job-table").is_hidden()
    page.get_by_label("Epochs").fill("")
    assert opened.sentence.startswith("Type how many") and page.locator(".job-chart").is_hidden()
    for typed, understood in {"2.000": "2000", "1,281,167": "1281167", "1 281 167": "1281167", "2,5": "2.5"}.items():
        page.get_by_label("Epochs").fill(typed)
        page.wait_for_url(f"**epochs={understood}&*")
        page.get_by_label("Epochs").blur()
        assert understood == page.get_by_label("Epochs").input_value(), typed
    assert [] == opened.problems
    opened.close()


@pytest.mark.browser
def test_a_reader_loads_what_a_measurement_wrote_and_nothing_is_sent(
    browser: Any, address: str, evidence: Evidence, tmp_path: Path
):
    opened = Opened(browser, address)
    record = evidence.view(evidence.lead).best(Pick("cnn-digits", "train", "cpu"))
    folder = REPOSITORY / "bench/results" / evidence.lead.path
    packed = tmp_path / "results.tgz.gz"
    pack.pack(folder, packed)
    opened.page.wait_for_selector(".job-result:not([hidden])")
    before = list(opened.asked)
    opened.page.locator("select[name=cpu]").select_option("mine")
    assert opened.sentence.startswith("Nobody knows this CPU's time yet")

    opened.page.locator("input[type=file]").set_input_files(folder / f"{record.cell.id}.json")
    opened.page.wait_for_selector("[data-device=cpu][data-kind=measured]")
    opened.page.wait_for_url("**rate=*")
    asked = "Object.fromEntries(new URLSearchParams(location.search))"
    found = opened.page.evaluate(asked)
    assert ("cnn-digits", close(quantities.throughput(record).value)) == (found["model"], float(found["rate"]))
    opened.page.locator("select[name=model]").select_option("resnet50 image_px=224")
    opened.page.locator("input[type=file]").set_input_files(packed)
    opened.page.wait_for_selector("[data-device=cpu][data-kind=measured]")
    assert "images a second at batch 32" in opened.page.locator("[data-device=cpu] .job-note").inner_text()

    broken = tmp_path / "broken.json"
    broken.write_text("{<script>")
    opened.page.locator("input[type=file]").set_input_files(broken)
    opened.page.wait_for_selector(".job-sentence:has-text('This is no file')")
    unpacked = tmp_path / "results.tgz"
    unpacked.write_text("<img src=x onerror=alert(1)>")
    opened.page.locator("input[type=file]").set_input_files(unpacked)
    opened.page.wait_for_selector(".job-sentence:has-text('results.tgz is not compressed by gzip')")
    assert before == opened.asked and [] == opened.problems
    opened.close()


@pytest.mark.browser
def test_a_reader_types_prices_and_reads_when_buying_pays(browser: Any, address: str):
    opened = Opened(browser, address, "?on=geforce-rtx-3060-12-gb&gpus=geforce-rtx-3060-12-gb")
    page = opened.page
    page.get_by_text("What would it cost?").click()
    assert "329" == page.get_by_label("Price of the card, USD").input_value()
    assert "older than 90 days" in page.locator(".old-price").inner_text()
    for label, value in {
        "Price of the card, USD": "500", "Rent of an hour, USD": "0.5", "Watts under load": "500",
        "Price of a kWh, USD": "0.2", "Hours you use a week": "10",
    }.items():  # fmt: skip
        page.get_by_label(label).fill(value)

    assert "Buying pays after 1,250 rented hours" in page.locator("[data-out=money]").inner_text()
    assert "130 weeks at 10 hours a week" in page.locator("[data-out=money]").inner_text()
    page.get_by_label("Rent of an hour, USD").fill("0.1")
    assert "as much in electricity as a rented one" in page.locator("[data-out=money]").inner_text()
    assert [] == opened.problems
    opened.close()


@pytest.mark.browser
def test_the_address_is_the_link_and_the_copies_hold_the_rows(browser: Any, address: str):
    opened = Opened(
        browser, address, "?samples=500&gpus=l4,tesla-t4", permissions=["clipboard-read", "clipboard-write"]
    )
    page = opened.page
    copied = {}
    for name in ("Copy link", "Copy as text", "Copy as CSV"):
        page.get_by_role("button", name=name).click()
        page.wait_for_selector("[data-out=copied]:text('Copied')")
        copied[name] = page.evaluate("navigator.clipboard.readText()")

    assert copied["Copy link"] == page.url and "samples=500" in page.url
    assert opened.sentence in copied["Copy as text"] and page.url in copied["Copy as text"]
    rows = list(csv.DictReader(io.StringIO(copied["Copy as CSV"])))
    assert ["measured", "estimated", "estimated"] == [row["kind"] for row in rows]
    assert {"L4", "Tesla T4"} == {row["device"] for row in rows[1:]}
    assert all(float(row["low_s"]) <= float(row["middle_s"]) <= float(row["high_s"]) for row in rows)
    assert [] == opened.problems
    opened.close()


@pytest.mark.browser
def test_the_tool_works_with_the_keyboard_alone(browser: Any, address: str):
    opened = Opened(browser, address)
    page = opened.page
    page.wait_for_selector(".job-result:not([hidden])")
    page.locator("select[name=model]").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("123456")
    page.wait_for_url("**samples=123456*")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(name := page.evaluate("document.activeElement.name || document.activeElement.textContent"))
        if name == "add":
            page.keyboard.type("gtx 1080 ti")
            page.keyboard.press("Enter")
            break
    assert {"epochs", "batch", "precision", "cpu", "gpu", "add"} <= reached
    page.wait_for_url("**gpus=*geforce-gtx-1080-ti*")
    opened.close()


@pytest.mark.browser
def test_a_model_that_one_cpu_was_measured_on_chooses_it(browser: Any, address: str, data: dict[str, Any]):
    model = next(one["network"] for one in data["rates"] if one["network"].startswith("detector-640"))
    on = {one["machine"] for one in data["rates"] if one["network"] == model}
    opened = Opened(browser, address, f"?{urlencode({'model': model})}")
    page, chosen = opened.page, opened.page.locator("select[name=cpu]")
    page.wait_for_selector(".job-result:not([hidden])")

    assert data["defaults"]["cpu"] not in on and chosen.input_value() in on
    assert "Nobody" not in opened.sentence
    page.locator("select[name=model]").select_option(data["defaults"]["model"])
    assert data["defaults"]["cpu"] == chosen.input_value()
    assert [] == opened.problems
    opened.close()


@pytest.mark.browser
def test_a_card_is_added_by_part_of_its_name_and_ticked_off(browser: Any, address: str):
    opened = Opened(browser, address, "?gpus=tesla-t4")
    page, boxes = opened.page, opened.page.locator("input[name=gpu]")
    page.wait_for_selector(".job-result:not([hidden])")
    field, said = page.get_by_label("Add a graphics card"), page.locator("[data-out=looked]")

    assert len(CARDS) == page.locator("datalist option").count() and 1 == boxes.count()
    for typed, told in {
        "no such card": "None of the 60 cards", "rtx 40": "Which one? GeForce RTX 40", "l40s": "Added: L40S.",
        "RTX 4090": "Added: GeForce RTX 4090.", "4090 rtx": "Added: GeForce RTX 4090.",
    }.items():  # fmt: skip
        field.fill(typed)
        page.keyboard.press("Enter")
        assert said.inner_text().startswith(told), (typed, said.inner_text())
    assert 3 == boxes.count() and "" == field.input_value()
    boxes.first.uncheck()
    page.wait_for_url("**gpus=l40s%2C*")
    assert 3 == boxes.count()
    assert [] == opened.problems
    opened.close()


OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('.job-axis > span')].map((one) => {
    const range = document.createRange(); range.selectNodeContents(one);
    return [one.textContent, range.getBoundingClientRect()];
  });
  const frame = document.querySelector('.job-chart').getBoundingClientRect();
  const out = boxes.filter(([, b]) => b.left < frame.left - 1 || b.right > frame.right + 1).map(([text]) => text);
  const meet = boxes.flatMap(([one, a], i) => boxes.slice(i + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => `${one} meets ${other}`));
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return [...out, ...meet, ...(wide > 0 ? [`${wide} px too wide`] : [])];
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize(
    "query", ["", "?model=own&cpu=rate&rate=0.001", "?samples=1&epochs=1&model=cnn-digits", "?model=own&operations=1e7"]
)
def test_nothing_overlaps_and_nothing_is_too_wide(browser: Any, address: str, width: int, query: str):
    opened = Opened(browser, address, query, viewport={"width": width, "height": 900})
    opened.page.wait_for_selector(".job-result:not([hidden])")
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

    assert [] == opened.page.evaluate(OVERLAPS)
    assert [] == opened.problems
    opened.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_axe_finds_nothing_in_the_tool(browser: Any, address: str, scheme: str):
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python not installed")
    opened = Opened(browser, address, "?model=own", scheme, bypass_csp=True)
    opened.page.wait_for_selector(".job-result:not([hidden])")
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    opened.page.evaluate((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))

    found = opened.page.evaluate(
        "axe.run(document.querySelector('.your-job'), {runOnly: ['wcag2a', 'wcag2aa', 'wcag22aa']})"
    )

    assert [] == [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found["violations"]]
    opened.close()


@pytest.mark.browser
def test_without_javascript_there_is_a_table_and_no_form(browser: Any, address: str):
    opened = Opened(browser, address, java_script_enabled=False)

    assert opened.page.locator(".job-table").is_visible()
    assert not opened.page.locator(".your-job form").first.is_visible()
    assert not opened.page.locator(".job-result").is_visible()
    opened.close()
