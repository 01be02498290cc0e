"""The command `estimate`, and what it needs to know of a Keras model of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.report.estimates import fit, formula, networks
from tests import frameworks


def asked(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app.app, ["estimate", *arguments])
    assert code == result.exit_code, result.output
    return result.output


def test_one_estimate_is_a_range_with_what_stands_behind_it():
    text = asked("--model", "resnet50", "--gpu", "RTX 4090", "--batch", "32", "--precision", "mixed_float16")

    assert "resnet50 (image px 224) on a GeForce RTX 4090, batch 32, mixed_float16, TensorFlow: about " in text
    assert "a step, bound by the GPU (estimated, not measured)" in text
    assert "published measurements on 61 GPUs" in text and "come on top" in text


def test_a_refusal_says_why_and_what_is_known_instead():
    text = asked("--model", "mlp-tabular", "--gpu", "RTX 4090", "--backend", "jax")

    assert "no estimate: at this batch" in text and "known instead: " in text


def test_a_batch_beyond_the_memory_is_named():
    assert "is about the largest that its memory holds" in asked(
        "--model", "resnet50", "--gpu", "T4", "--batch", "4096"
    )


def test_a_ladder_of_cards_is_sorted_and_fits_a_terminal():
    few = asked("--model", "resnet50")
    assert "GeForce RTX 4090" in few and "more cards: --all" in few and len(few.splitlines()) < 40
    lines = asked("--model", "resnet50", "--all").splitlines()
    bars = [line for line in lines if line.rstrip().endswith("=")]

    assert "GeForce RTX 5090" in "\n".join(bars)
    assert max(map(len, bars)) <= 100
    starts = [line.rstrip().rfind(" =") for line in bars]
    assert starts == sorted(starts) and len(bars) > 40


def test_a_ladder_of_networks_says_which_have_none():
    text = asked("--gpu", "T4")

    assert "bound by launching" in text
    assert "no estimate for lstm-text" in text and "no estimate for embedding" in text


def test_json_holds_numbers_and_no_nan():
    found = json.loads(asked("--gpu", "T4", "--json"))
    kinds = {item["kind"] for item in found}

    assert {"gpu", "launching", "refused"} == kinds
    assert all((item["low"] is None) == (item["kind"] == "refused") for item in found)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--model", "resnet51"), "unknown network 'resnet51'; near ones: "),
        (("--gpu", "<script>"), "unknown GPU '<script>'; write it as its maker does"),
        (("--model", "resnet50", "--batch", "9" * 30), "less than or equal to 1000000000"),
        (("--gpu", "RTX 4091"), "unknown GPU 'RTX 4091'; near ones: GeForce RTX 4090"),
        (("--model", "resnet50", "--precision", "fp8"), "unknown precision 'fp8'"),
        (("--model", "resnet50", "--backend", "caffe"), "unknown backend 'caffe'"),
        ((), "name a network (--model), a GPU (--gpu) or both"),
        (("--check", "nowhere.csv"), "nowhere.csv: No such file"),
    ],
)
def test_what_is_not_known_is_said(arguments, complaint):
    assert complaint in asked(*arguments, code=2)


def test_check_prints_factors_coverage_and_what_it_could_not_use(tmp_path: Path):
    path = tmp_path / "unseen.csv"
    path.write_text(
        "model,device,batch_size,precision,framework,throughput,unit\n"
        "resnet50,T4,64,fp32,PyTorch,110,images/s\n"
        "resnet50,Voodoo 5,64,fp32,PyTorch,110,images/s\n"
        "resnet50,T4,64,fp32,PyTorch,0,images/s\n",
        encoding="utf-8",
    )

    text = asked("--check", str(path))

    assert "not refused, NVIDIA" in text and "unknown GPU: Voodoo 5: 1" in text
    assert "not used: unseen.csv:4: throughput is '0', not a number above zero" in text
    assert 1.0 == json.loads(asked("--check", str(path), "--json"))["lines"][0]["within_1.75"]


def test_fit_writes_what_it_found(tmp_path, monkeypatch):
    known = formula.constants()
    monkeypatch.setattr(fit, "fit", lambda: known)
    monkeypatch.setattr(formula, "FILE", tmp_path / "constants.json")

    first, second = asked("--fit"), asked("--fit")

    assert "constants.json: changed" in first and "constants.json: as it was" in second
    assert "every card newer than 2020" in first
    assert fit.as_text(known) == formula.FILE.read_bytes()


@pytest.mark.keras
def test_a_model_of_ones_own_is_counted_as_ours_are():
    code = """
import json
import keras
import msgspec
from keras import layers as L
from bench.report.estimates import networks

frozen = keras.Sequential([keras.Input((4,)), L.Dense(8, trainable=False), L.BatchNormalization(), L.Dense(2)])
text = keras.Sequential([keras.Input((4, 3)), L.LSTM(8), L.Dense(2)])
mobile = keras.applications.MobileNetV2(weights=None)
print(json.dumps([msgspec.to_builtins(networks.of_model(model)) for model in (mobile, frozen, text)]))
"""
    mobile, frozen, text = json.loads(frameworks.run(code))
    ours = networks.network("mobilenet-v2 image_px=224")

    for name in ("family", "forward", "activations", "parameters", "matrix_operations", "is_frozen"):
        assert getattr(ours, name) == mobile[name], name
    assert ("mlp", True, 6) == (frozen["family"], frozen["is_frozen"], frozen["matrix_operations"])
    assert ("recurrent", False) == (text["family"], text["is_frozen"])
