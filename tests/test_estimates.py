"""The GPU side that nobody measured: data that stop with a complaint, the formula, its fit, its refusals, its words."""

from __future__ import annotations

import csv
import math
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.estimates import bands, card_memory, check, fit, formula, held_out, jobs, networks, pairs, rows, words
from bench.report.estimates.formula import Case, Constants, Hull, Range, Terms
from bench.report.estimates.networks import Network
from bench.report.evidence import memory
from bench.report.published import cards, sources, strict
from bench.report.published.cards import Card
from bench.report.published.strict import PublishedError
from bench.workloads import registry
from tests import committed

ROOT = Path(__file__).parents[1]
NET = Network(
    id="net", title="net", family="cnn", forward=8e9, activations=1e7, parameters=2e7, matrix_operations=100.0
)
CARD = Card(
    name="Card", vendor="NVIDIA", architecture="Ampere", released="2021-05", fp32=2e13, tf32=4e13, fp16=8e13,
    bandwidth=5e11, memory=12e9, watts=200.0, is_often_named=True, aliases=(), source="techpowerup", url="https://a.b/c.1",
)  # fmt: skip
TERMS = Terms(launch=2e-3, launch_each=1e-4, yearly=0.5, arithmetic=2.0, memory=30.0, amd=0.5)
ALL = Range(low=0.5, high=2.0, n=10, inside=9)
KNOWN = Constants(
    terms=TERMS,
    ranges=dict.fromkeys(("nvidia", "amd", "keras", "launching"), ALL),
    hull=Hull(peak=(1e12, 1e14), bandwidth=(1e11, 8e12), forward=1e12, parameters=1e9, matrix_operations=2e3),
    counts={"points": 9, "cards": 3},
    held_out=({"left_out": "one card", "p90": 1.5},),
    versions={},
)


def case(network: Network = NET, card: Card = CARD, **fields) -> Case:
    return Case(network=network, card=card, **{"batch": 64.0, "optimizer": "sgd"} | fields)


def other(something, **fields):
    return msgspec.structs.replace(something, **fields)


# The data.


MEASURED = ",".join(rows.MEASURED_COLUMNS) + "\n"
GOOD = "a-1,apache/mxnet,perf.md,resnet-50@224x224,Tesla T4,MXNet,fp32,32,sgd,,100,images/s,\n"


def read(tmp_path: Path, *lines: str) -> tuple[rows.Row, ...]:
    path = tmp_path / "measured.csv"
    path.write_text(MEASURED + "".join(lines), encoding="utf-8")
    return rows.measured(path)


def test_a_row_gives_the_seconds_of_a_step(tmp_path):
    (row,) = read(tmp_path, GOOD)

    assert 0.32 == row.seconds


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (GOOD.replace("apache/mxnet", ""), r"measured.csv:2: source is empty; fill in source"),
        (GOOD.replace("apache/mxnet", "somebody"), r"csv:2: no source 'somebody' in sources.csv; add the source"),
        (GOOD.replace("images/s", "images/h"), r"measured.csv:2: unit is 'images/h'; known are audio samples/s"),
        (GOOD.replace(",100,", ",0,"), r"measured.csv:2: throughput is '0', not a number above zero; correct it"),
        (GOOD.replace(",100,", ",nan,"), r"measured.csv:2: throughput is 'nan', not a number above zero"),
        (GOOD.replace(",100,", ",inf,"), r"measured.csv:2: throughput is 'inf', not a number above zero"),
        (GOOD.replace(",100,", ",,"), r"measured.csv:2: throughput is empty"),
        (GOOD.replace(",32,", ",-32,"), r"measured.csv:2: batch_size is '-32', not a number above zero"),
        (GOOD.replace("Tesla T4", "Tesla T5"), r"measured.csv:2: no card 'Tesla T5' in cards.csv; add the card there"),
        (GOOD.replace("resnet-50@224x224", "net"), r"measured.csv:2: no network 'net' in networks.csv; add the"),
        (GOOD.replace("fp32", "fp31"), r"measured.csv:2: precision is 'fp31'; known are amp, "),
        (GOOD + GOOD, r"measured.csv:3: a-1 stands above already; give every row an id of its own"),
        (GOOD + GOOD.replace("a-1", "a-2").replace(",100,", ",50,"), r"csv:3: 50 images/s contradicts 100 of a-1"),
        (GOOD.replace("\n", ",more\n"), r"measured.csv:2: 14 cells under 13 columns; quote what holds a comma"),
    ],
)  # fmt: skip
def test_a_bad_row_names_line_and_remedy(tmp_path, bad, complaint):
    with pytest.raises(PublishedError, match=complaint):
        read(tmp_path, bad)


def test_two_figures_for_one_thing_may_differ_by_rounding(tmp_path):
    assert 2 == len(read(tmp_path, GOOD, GOOD.replace("a-1", "a-2").replace(",100,", ",105,")))


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "measured.csv"
    path.write_text(MEASURED.replace("throughput", "speed"), encoding="utf-8")

    with pytest.raises(PublishedError, match=r"measured.csv:1: the columns are .*speed.*; make them .*throughput"):
        rows.measured(path)


def table(tmp_path: Path, name: str, replace: str, by: str) -> Path:
    """The head and the line of a committed table that holds some text, changed."""
    with (sources.GPU / name).open(encoding="utf-8", newline="") as file:
        head, *lines = file.readlines()
    path = tmp_path / name
    path.write_text(head + next(line for line in lines if replace in line).replace(replace, by, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "read_it", "replace", "by", "complaint"),
    [
        ("cards.csv", cards.cards, "2018-09-13", "soon", r"cards.csv:2: released is 'soon'; write 2022"),
        ("cards.csv", cards.cards, ",8.14,", ",0,", r"cards.csv:2: fp32_tflops is '0'"),
        (
            "cards.csv",
            cards.cards,
            "Tesla T4,NVIDIA",
            "Tesla T4,NVidia",
            r"cards.csv:2: vendor is 'NVidia'; known are AMD",
        ),
        ("cards.csv", cards.cards, "techpowerup,https", ",https", r"cards.csv:2: source is empty"),
        ("networks.csv", networks.published, ",8178,", ",none,", r"networks.csv:2: forward_mflop is 'none'"),
        ("networks.csv", networks.published, ",cnn,", ",nice,", r"networks.csv:2: family is 'nice'"),
        ("sources.csv", sources.sources, "https://github.com/apache", "apache", r"sources.csv:2: url is 'apache"),
        ("sources.csv", sources.sources, ",2018-05", ",", r"sources.csv:2: date is empty"),
        ("pairs.csv", pairs.pairs, "minimaxir/keras", "nobody/keras", r"pairs.csv:2: no source 'nobody"),
    ],
)
def test_a_bad_line_of_the_other_tables_is_refused(tmp_path, name, read_it, replace, by, complaint):
    with pytest.raises(PublishedError, match=complaint):
        read_it(table(tmp_path, name, replace, by))


def test_every_committed_row_has_a_source_and_a_time_where_it_has_a_batch():
    for row in (*rows.measured(), *rows.notebooks()):
        assert sources.sources()[row.source].url
        assert row.batch is None or row.unit not in rows.SAMPLES or (row.seconds or 0) > 0


def test_one_table_of_cards_holds_every_specification():
    with (strict.FOLDER / "gpu_specs.csv").open(encoding="utf-8", newline="") as file:
        other_metrics = {row["metric"] for row in csv.DictReader(file)}

    assert not other_metrics & {"peak_fp32", "memory", "memory_bandwidth", "tdp"}


# Names.


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("RTX 4090", "GeForce RTX 4090"),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", "GeForce RTX 4070 Laptop"),
        ("Tesla V100-SXM2-16GB", "Tesla V100 SXM2 16 GB"),
        ("NVIDIA A100-SXM4-40GB", "A100 SXM4 40 GB"),
        ("rtx3080", "GeForce RTX 3080 10 GB"),
        ("gtx 1080ti", "GeForce GTX 1080 Ti"),
        ("T4", "Tesla T4"),
        ("A6000", "RTX A6000"),
    ],
)
def test_a_card_is_found_however_it_is_spelt(spelt, name):
    assert name == cards.card(spelt).name


def test_every_card_is_found_by_its_own_name_and_its_aliases():
    for card in cards.cards().values():
        assert [card] == [cards.card(name) for name in (card.name,)]
        assert {card.name} >= {cards.card(name).name for name in card.aliases}


def test_unknown_and_ambiguous_names_name_near_ones():
    with pytest.raises(PublishedError, match=r"unknown GPU 'RTX 4091'; near ones: GeForce RTX 4090"):
        cards.card("RTX 4091")
    with pytest.raises(PublishedError, match=r"near ones: Quadro RTX 6000, RTX 6000 Ada"):
        cards.card("RTX 6000")
    with pytest.raises(PublishedError, match=r"unknown network 'resnet51'; near ones: .*resnet"):
        networks.network("resnet51")


def test_sixty_cards_are_often_named_and_have_what_the_formula_needs():
    found = cards.often_named()

    assert 60 == len(found)
    assert [] == [card.name for card in found if formula.refused_card(card, formula.constants().hull)]
    assert all(card.memory for card in found)


def test_networks_are_found_by_any_spelling_and_ours_first():
    assert "resnet-50@224x224" == networks.network("ResNet-50").id
    assert "resnet-50@32x32" == networks.network("resnet50 32x32").id
    assert "resnet50 image_px=224" == networks.network("resnet50 image_px=224").id


def test_our_counts_agree_with_published_ones_of_the_same_network():
    ours, theirs = networks.network("mobilenet-v2 image_px=224"), networks.network("mobilenet_v2")

    for name in ("forward", "activations", "parameters", "matrix_operations"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=0.02), name


def test_published_twins_of_our_networks_and_their_rows_are_found():
    twins = {name: networks.twin(networks.ours()[name]) for name in networks.ours()}

    assert {
        "resnet50 image_px=224": "resnet-50@224x224",
        "mobilenet-v2 image_px=224": "mobilenet-v2@224x224",
        "inception-v3 image_px=299": "inception-v3@299x299",
    } == {name: twin.id for name, twin in twins.items() if twin is not None}
    found = rows.of("resnet-50@224x224", "GeForce RTX 3090")
    assert found and {("resnet-50@224x224", "GeForce RTX 3090")} == {(row.network, row.card) for row in found}
    assert () == rows.of("resnet-50@224x224", "GeForce RTX 5090")


# The formula.


def test_a_step_worked_by_hand():
    found = formula.estimate(case(precision="fp32"), KNOWN)

    host = (2e-3 + 100 * 1e-4) * 0.5  # a card of 2021 is one year from 2020
    arithmetic = 64 * 3 * 8e9 / (2.0 * 2e13)
    memory = (30.0 * 4 * 64 * 1e7 + 4 * (3 + 6) * 2e7) / 5e11
    assert (host, arithmetic, memory) == pytest.approx((found.host, found.arithmetic, found.memory))
    assert ("gpu", "keras") == (found.kind, found.range_of)
    assert (found.seconds * 0.5, found.seconds * 2) == pytest.approx((found.low, found.high))


def test_precisions_use_the_units_that_the_card_has():
    peaks = {name: formula.peak(case(precision=name)) for name in ("fp32", "tf32", "tf32-conv", "amp", "bf16")}
    assert {"fp32": 2e13, "tf32": 4e13, "tf32-conv": 4e13, "amp": 8e13, "bf16": 8e13} == peaks
    assert 2e13 == formula.peak(case(other(NET, family="transformer"), precision="tf32-conv"))
    assert 2e13 == formula.peak(case(card=other(CARD, fp16=None), precision="amp"))


def test_policies_of_keras_become_precisions():
    asked = [("float32", "tensorflow"), ("float32", "torch"), ("float32-strict", "jax"), ("mixed_float16", "jax")]
    assert ["tf32", "tf32-conv", "fp32", "amp"] == [formula.precision_of(*pair) for pair in asked]
    assert "bf16" == formula.precision_of("mixed_bfloat16", "tensorflow")


def test_an_amd_card_takes_its_factor_and_its_own_range():
    mine, theirs = (formula.estimate(case(card=other(CARD, vendor=v, architecture="RDNA 3.0"), is_keras=False), KNOWN)
                    for v in ("NVIDIA", "AMD"))  # fmt: skip

    assert 2 * mine.gpu == pytest.approx(theirs.gpu)
    assert ("nvidia", "amd") == (mine.range_of, theirs.range_of)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (case(other(NET, family="recurrent")), "one time step after another"),
        (case(other(NET, family="embedding")), "table of embeddings"),
        (case(other(NET, family="recommendation")), "networks of this kind"),
        (case(other(NET, is_frozen=True)), "do not learn"),
        (case(other(NET, activations=None)), "nobody counted"),
        (case(input_from="pictures"), "pictures that a few cores decode"),
        (case(input_from="strings"), "split inside the model"),
        (case(card=other(CARD, vendor="Apple")), "Apple"),
        (case(card=other(CARD, vendor="Intel")), "Intel"),
        (case(card=other(CARD, architecture="Kepler")), "cards of this age"),
        (case(card=other(CARD, vendor="AMD", architecture="CDNA 3.0")), "data centres"),
        (case(card=other(CARD, bandwidth=None)), "peak or memory bandwidth is not known"),
        (case(card=other(CARD, fp32=None)), "peak or memory bandwidth is not known"),
        (case(card=other(CARD, fp32=1e15)), "too far from those"),
        (case(card=other(CARD, bandwidth=1e9)), "too far from those"),
        (case(other(NET, parameters=7e9)), "far larger"),
        (case(other(NET, forward=1e13)), "far larger"),
        (case(card=other(CARD, architecture="Turing"), precision="bf16"), "bfloat16"),
        (case(card=other(CARD, vendor="AMD", architecture="RDNA 1.0"), precision="amp"), "half precision"),
        (case(batch=1, is_tensorflow=False), "is known of TensorFlow alone"),
    ],
)
def test_refusals_name_their_reason_and_what_is_known_instead(asked, reason):
    found = formula.estimate(asked, KNOWN)

    assert "refused" == found.kind
    assert reason in found.reason and found.instead
    assert math.isnan(found.low) and math.isnan(found.high)


def test_a_small_network_under_tensorflow_lies_between_the_floor_and_twice_the_sum():
    tiny = other(NET, forward=1e5, activations=1e3, parameters=1e4, matrix_operations=12.0)

    found = formula.estimate(case(tiny, other(CARD, released="2020"), batch=32.0))

    assert ("launching", "launching") == (found.kind, found.range_of)
    assert 1e-3 == found.low and 2.1 * found.seconds == pytest.approx(found.high)


NUMBER = st.floats(1e-2, 1e2)
PROPERTY = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@PROPERTY
@given(NUMBER, NUMBER, NUMBER, NUMBER, st.booleans(), st.floats(1.0, 8.0))
def test_more_work_takes_longer_and_a_better_card_no_longer(size, peak, width, batch, is_tensorflow, more):
    network = other(NET, forward=8e9 * size, activations=1e7 * size)
    card = other(CARD, fp32=2e13 * peak, bandwidth=5e11 * width)
    base = case(network, card, batch=batch * 10, is_tensorflow=is_tensorflow, precision="fp32")
    seconds, larger, faster, wider = (
        formula.estimate(asked, KNOWN).seconds
        for asked in (
            base,
            other(base, batch=base.batch * more),
            other(base, card=other(card, fp32=card.fp32 * more)),
            other(base, card=other(card, bandwidth=card.bandwidth * more)),
        )
    )

    assert faster <= seconds * (1 + 1e-12) and wider <= seconds * (1 + 1e-12) and seconds <= larger * (1 + 1e-12)


@given(
    st.sampled_from([net for net in networks.published().values() if net.is_counted]),
    st.sampled_from(sorted(cards.cards().values(), key=lambda card: card.name)),
    st.floats(1, 4096),
    st.sampled_from(["fp32", "tf32", "amp"]),
    st.booleans(),
)
@PROPERTY
def test_a_range_holds_its_middle(network, card, batch, precision, is_keras):
    found = formula.estimate(case(network, card, batch=batch, precision=precision, is_keras=is_keras))

    assert found.kind == "refused" or found.low <= found.seconds <= found.high


# The fit.


@pytest.fixture(scope="module")
def fitted() -> Constants:
    return fit.fit()


def test_the_fit_gives_the_committed_constants(fitted):
    committed = formula.constants()

    if committed.versions == {"numpy": np.__version__, "python": platform.python_version()}:
        assert formula.FILE.read_bytes() == fit.as_text(fitted)
    for name in Terms.__struct_fields__:
        assert getattr(committed.terms, name) == pytest.approx(getattr(fitted.terms, name), rel=0.005), name
    for name, held in committed.ranges.items():
        assert (held.low, held.high) == pytest.approx((fitted.ranges[name].low, fitted.ranges[name].high), rel=0.02)


def test_the_held_out_tables_are_the_committed_ones(fitted):
    for old, new in zip(formula.constants().held_out, fitted.held_out, strict=True):
        assert old["left_out"] == new["left_out"]
        for name in ("median", "p90", "nvidia_p90"):
            assert old[name] == pytest.approx(new[name], rel=0.01), (old["left_out"], name)


@pytest.mark.parametrize(
    ("left_out", "p90"),
    [("one card", 1.7), ("one source", 1.75), ("one network", 1.75), ("every card newer than 2020", 1.75)],
)
def test_held_out_errors_are_as_small_as_the_pages_say(left_out, p90):
    line = next(line for line in formula.constants().held_out if line["left_out"] == left_out)

    assert line["p90"] <= p90 and line["nvidia_p90"] <= p90
    assert line["median"] <= 1.25


def test_rivals_are_worse():
    lines = {str(line["left_out"]): line for line in formula.constants().held_out}
    for name, line in lines.items():
        assert "rival" not in name or line["p90"] > lines["one card"]["p90"]


def test_the_range_covers_what_it_had_not_seen():
    some = fit.points(rows.measured())
    names = ("card", "source")
    off = held_out.leave_out(some, {name: held_out.GROUPS[name] for name in names})

    for name in names:
        n, inside = held_out.covered(some, formula.constants().terms, off, "nvidia", name)
        assert n > 900 and 0.85 <= inside / n <= 0.95


def test_small_networks_of_the_notebooks_lie_in_their_range():
    held = formula.constants().ranges["launching"]

    assert held.inside >= 0.95 * held.n > 0


def test_a_term_without_a_row_of_its_kind_stays_at_its_start():
    some = fit.points(rows.measured())
    nvidia = some.only(np.array([case.card.vendor == "NVIDIA" for case in some.cases]))

    assert fit.START.amd == pytest.approx(fit.solve(nvidia).amd)


def test_known_terms_are_found_again():
    some = fit.points(rows.measured())
    made = some._replace(log_seconds=fit.log_estimates(some.base, TERMS))

    found = fit.solve(made)

    for name in Terms.__struct_fields__:
        assert getattr(TERMS, name) == pytest.approx(getattr(found, name), rel=1e-3), name


def test_one_bad_row_moves_the_terms_little():
    some = fit.points(rows.measured())
    wild = some.log_seconds.copy()
    wild[10] += 8
    moved = fit.solve(some._replace(log_seconds=wild))

    assert formula.constants().terms.memory == pytest.approx(moved.memory, rel=0.02)


def test_estimates_need_neither_scipy_nor_a_framework():
    program = (
        "import sys; from bench.report.estimates import bands, card_memory, check, fit, jobs, pairs, words;"
        "bands.floor();"
        "print([name for name in ('scipy', 'keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


# Rows that the fit has not seen.


HEAD = "id,model,device,batch_size,precision,framework,input,throughput,unit,mode,device_kind,note\n"


def checked(tmp_path: Path, text: str) -> check.Report:
    path = tmp_path / "unseen.csv"
    path.write_text(text, encoding="utf-8")
    return check.check(path)


def test_rows_are_read_in_many_spellings(tmp_path):
    report = checked(
        tmp_path,
        HEAD
        + "1,ResNet-50 v1.5,NVIDIA A100-SXM4-40GB,256,Mixed Precision,PyTorch,224x224x3,800,img/sec,train,gpu,\n"
        + "2,resnet50,RTX 3090,64,FP32,TensorFlow 2 (Keras),224 px,300,images per second,,,optimizer adam\n"
        + "3,bert_base,V100,96,fp16,PyTorch,seq 128,150,ms/step,training,GPU,no optimizer step\n",
    )

    assert [] == list(report.bad) and {} == report.skipped
    assert ["nvidia", "keras", "nvidia"] == [item.estimate.range_of for item in report.checked]
    assert [256 / 800, 64 / 300, 0.15] == pytest.approx([item.seconds for item in report.checked])


def test_what_cannot_be_used_is_counted_and_named(tmp_path):
    report = checked(
        tmp_path,
        HEAD
        + "1,resnet50,Voodoo 5,64,fp32,PyTorch,224x224,300,images/s,train,gpu,\n"
        + "2,ResNet-51,T4,64,fp32,PyTorch,224x224,300,images/s,train,gpu,\n"
        + "3,resnet50,T4,64,fp32,PyTorch,224x224,300,images/s,infer,gpu,\n"
        + "4,resnet50,T4,64,fp32,PyTorch,224x224,nan,images/s,train,gpu,\n"
        + "5,resnet50,T4,64,fp32,PyTorch,224x224,300,furlongs,train,gpu,\n"
        + "6,resnet50,T4,64,fp32,PyTorch,224x224,90,images/s,train,gpu,\n"
        + "6,resnet50,T4,64,fp32,PyTorch,224x224,90,images/s,train,gpu,\n"
        + "7,resnet50,T4,,fp32,PyTorch,224x224,90,images/s,train,gpu,\n"
        + "8,resnet50,T4,32,fp32,PyTorch,224x224,90,tokens/s,train,gpu,\n"
        + "9,resnet50,T4,32,fp7,PyTorch,224x224,90,images/s,train,gpu,\n",
    )

    assert {"Voodoo 5": 1} == report.unknown_cards and {"ResNet-51 224x224": 1} == report.unknown_networks
    assert 1 == len(report.checked) and 6 == sum(report.skipped.values())
    assert {"the same row again": 1, "no batch": 1, "not training": 1}.items() <= report.skipped.items()
    assert ["unseen.csv:5", "unseen.csv:6", "unseen.csv:11"] == [problem.partition(": ")[0] for problem in report.bad]


def test_the_report_counts_what_lies_in_the_range(tmp_path):
    middle = formula.estimate(
        case(networks.network("ResNet-50"), cards.card("T4"), precision="fp32", is_keras=False, is_tensorflow=False)
    ).seconds
    lines = [
        f"{i},resnet50,T4,64,fp32,PyTorch,224x224,{64 / (middle * f)},images/s,train,gpu," for i, f in enumerate((1, 4))
    ]

    report = checked(tmp_path, HEAD + "\n".join(lines) + "\n")

    line = next(line for line in report.lines() if line["case"] == "not refused, NVIDIA")
    assert (2, 0.5, 0.5) == (line["rows"], line["in_range"], line["within_1.75"])
    assert 4 == pytest.approx(report.worst()[0].factor)


def test_a_file_without_the_columns_that_matter_is_refused(tmp_path):
    with pytest.raises(PublishedError, match=r"unseen.csv:1: no column device; name one so"):
        checked(tmp_path, "model,batch_size,throughput,unit\n")
    with pytest.raises(PublishedError, match="no column throughput"):
        checked(tmp_path, "model,device,batch_size\n")


def test_a_network_of_two_sizes_is_told_by_its_operations(tmp_path):
    twice = [net for net in networks.published().values() if net.title == "Keras C10k3-C10k3-C10k3-D1"]
    assert len({net.forward for net in twice}) > 1
    text = "model,device,batch,framework,input,step_ms,fwd_gflops,note\n"
    lines = [f"{n.title},T4,32,Keras 2,{n.size},20,{n.forward / 1e9},arrays in memory\n" for n in twice]

    report = checked(tmp_path, text + "".join(lines))

    assert [net.id for net in twice] == [item.network for item in report.checked]


# Pairs, bands, jobs, words.


def test_what_the_refusals_say_of_notebooks_is_what_they_have():
    floor, pictures, texts = bands.floor(), bands.pictures(), bands.texts()

    assert 1e-3 < floor.low < floor.median < floor.high < 10e-3 and floor.n >= 40
    assert f"{pictures.low:.0e} {pictures.high:.0e}" == f"{40:.0e} {600:.0e}"
    assert "40 to 600 images a second" in formula.REFUSED["pictures"][1]
    assert "5 to 35 ms a step" in formula.REFUSED["strings"][1]
    assert (5e-3, 35e-3) == pytest.approx((texts.low, texts.high), rel=0.1)


def test_pairs_show_no_gain_for_the_smallest_networks_and_much_for_large_ones():
    found = pairs.pairs()
    colab = [pair for pair in found if pair.card == "Tesla T4"]

    assert all(pair.speedup < 1 for pair in colab if pair.network.forward < 1e5)
    assert all(pair.speedup > 5 for pair in colab if pair.network.forward > 4e6)
    assert found == tuple(sorted(found, key=lambda pair: pair.network.forward))


def test_a_larger_card_and_half_precision_hold_larger_batches():
    small, large = (card_memory.largest_batch(NET, other(CARD, memory=size)) for size in (8e9, 80e9))
    half = card_memory.largest_batch(NET, other(CARD, memory=8e9), "amp")

    assert 0 < small.surely <= small.perhaps < large.surely
    assert 2 * small.perhaps == half.perhaps
    assert card_memory.Fits(0, 0) == card_memory.largest_batch(NET, other(CARD, memory=1.2e9))
    assert card_memory.largest_batch(NET, other(CARD, memory=None)) is None


def test_published_trainings_fitted_the_cards_they_ran_on():
    found = [
        (row, card_memory.largest_batch(networks.published()[row.network], cards.cards()[row.card], row.precision))
        for row in rows.measured()
        if row.seconds is not None
    ]
    fits = [2 * limit.perhaps > row.batch for row, limit in found if limit is not None]

    assert sum(fits) / len(fits) >= 0.97


def test_a_job_costs_the_hours_of_its_range_at_each_dated_price():
    card = cards.card("T4")
    answer = formula.estimate(case(networks.network("ResNet-50"), card))

    found = jobs.costs(answer, jobs.steps(1000, 64, 2), card)

    assert 32 == jobs.steps(1000, 64, 2)
    assert found and all(cost.price.date for cost in found)
    price = float(found[0].price.value)
    assert (answer.low * 32 / 3600 * price, answer.high * 32 / 3600 * price) == pytest.approx(found[0][:2])
    assert () == jobs.costs(formula.estimate(case(other(NET, is_frozen=True), card)), 10, card)


def test_the_launch_price_of_a_card_is_found_where_one_was_read():
    assert "329" == jobs.launch_price("GeForce RTX 3060 12 GB").value
    assert jobs.launch_price("Tesla T4") is None


def test_words_are_a_range_with_what_stands_behind_it():
    answer = formula.estimate(case(), KNOWN)

    assert "140 to 500 ms" == words.span(0.1432, 0.503)
    assert "0.8 to 2.1 s" == words.span(0.8, 2.1)
    assert "9 of 10 lay in such a range" in words.trust(answer, KNOWN)
    assert "bound by the GPU" == words.kind(answer)
    assert words.kind(formula.estimate(case(other(NET, is_frozen=True)), KNOWN)).startswith("no estimate: some layers")


def test_our_records_of_memory_lie_between_the_bounds_of_what_a_sample_keeps():
    kept = {}
    evidence = committed.evidence()
    for session in evidence.sessions:
        for growth in memory.growths(evidence, session):
            params = dict(growth.small.cell.params)
            network = networks.ours().get(registry.network(str(params.pop("net", "")), params))
            if (
                network is not None
                and growth.small.cell.backend == "tensorflow"
                and network.family in ("cnn", "transformer")
            ):
                kept[network.id] = growth.per_sample_bytes / (4 * network.activations)

    assert len(kept) >= 4
    assert all(card_memory.KEPT_LEAST <= factor <= card_memory.KEPT_MOST for factor in kept.values()), kept


ODD = st.sampled_from(
    ["", " ", "0", "-1", "nan", "inf", "1e400", "abc", "32", "1", "μ±", '"', "224x224", "resnet50", "T4", "images/s"]
)


@PROPERTY
@given(st.lists(st.lists(ODD, min_size=0, max_size=15), max_size=4))
def test_no_row_makes_the_check_crash(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "odd.csv"
    head = "id,model,device,batch,precision,framework,input,throughput,unit,mode,n_devices,fwd_gflops,note"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(head + "\n")
        csv.writer(file).writerows(lines)

    report = check.check(path)

    n = len(report.checked) + sum(report.skipped.values()) + len(report.bad)
    assert n == sum(bool(line) for line in lines) and report.lines() is not None
