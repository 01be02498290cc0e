"""Charts: every one is drawn from full, partial and no evidence, themed, described, and shows what is missing."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.report.charts import chart, draw
from bench.report.charts import make_table as make
from bench.report.charts.paint import axes
from bench.report.charts.paint import labels as paint_labels
from bench.report.pages import drawings

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

import altair as alt
from jsonschema import ValidationError

from bench.records.store import Results
from bench.report.evidence.evidence import Evidence
from bench.schema import Block
from bench.workloads import registry
from tests.factories import (
    INVENTED,
    make_evidence,
    make_gpu,
    make_machine,
    make_record,
    make_session_results,
    make_workload,
)
from tests.test_rooflines import bandwidth_record

COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|rgba?\([^)]*\)")


@cache
def evidence(name: str) -> Evidence:
    if name == "none":
        return Evidence(Results(()), {id_: make_workload(id_) for id_ in INVENTED})
    return make_evidence(gpu=name == "gpu", n_runs=2, n_blocks=4)


@cache
def drawing(chart_id: str, name: str) -> chart.Drawing:
    return draw.draw(chart_id, evidence(name))


def rendered(chart_id: str, name: str, kind: str = "wide") -> str:
    made = drawing(chart_id, name)
    return drawings.svg(getattr(made, kind), made, f"chart-{chart_id}-{kind}", kind)


def test_each_chart_has_its_table():
    assert set(chart.ids()) <= set(make.ids())


@pytest.mark.parametrize("name", ["none", "cpu", "gpu"])
@pytest.mark.parametrize("chart_id", chart.ids())
def test_a_specification_is_valid_in_vega_lite(chart_id: str, name: str):
    for spec in (drawing(chart_id, name).wide, drawing(chart_id, name).narrow):
        check(spec)


def check(spec: dict) -> None:
    """Raise unless Vega-Lite knows all of a specification; the layout of legends is Vega's own."""
    legend = {key: value for key, value in spec["config"]["legend"].items() if key != "layout"}
    alt.TopLevelLayerSpec.validate(of_one_row(spec | {"config": spec["config"] | {"legend": legend}}))


def of_one_row(part: Any) -> Any:
    """The specification with the first row of its data: to check every row takes longer than all the rest."""
    if isinstance(part, list):
        return [of_one_row(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: {"values": value["values"][:1]} if key == "data" else of_one_row(value) for key, value in part.items()}


def test_a_wrong_specification_is_found():
    spec = drawing("phase-times", "cpu").wide
    layer = spec["layer"][0] | {"mark": {"type": "bar", "colour": "red"}}

    for wrong in ({"layer": [layer]}, {"hight": 3}):
        with pytest.raises(ValidationError):
            check(spec | wrong)


@pytest.mark.parametrize("name", ["none", "cpu", "gpu"])
@pytest.mark.parametrize("chart_id", chart.ids())
def test_chart_is_themed_and_described(chart_id: str, name: str):
    for kind in ("wide", "narrow"):
        text = rendered(chart_id, name, kind)

        assert [] == list(COLOUR.findall(re.sub(r"url\(#[^)]*\)", "", text)))
        assert 'role="img"' in text
        title, description = (re.search(rf"<{tag} id=\"([^\"]+)\">(.+?)</{tag}>", text) for tag in ("title", "desc"))
        assert f'aria-labelledby="{title.group(1)} {description.group(1)}"' in text
        assert drawing(chart_id, name).title == html.unescape(title.group(2))
        assert description.group(2).endswith(".")


# They have something to show before anybody measures.
OF_OTHERS = ("card-ladder", "same-script-pairs", "estimate-against-measured")


@pytest.mark.parametrize("chart_id", [id_ for id_ in chart.ids() if id_ not in OF_OTHERS])
def test_chart_without_records_says_so_and_shows_no_number(chart_id: str):
    text = re.sub(r"<(title|desc)[^>]*>.*?</\1>", "", rendered(chart_id, "none"))
    said = re.findall(r"<text[^>]*>([^<]+)</text>", text)

    assert any("not measured yet" in line for line in said)
    assert [] == [line for line in said if re.fullmatch(r"[\d.,]+[kM%]?", line) and chart_id != "phase-times"]
    assert "not measured yet" in drawing(chart_id, "none").description


@pytest.mark.parametrize(
    "chart_id", [id_ for id_ in chart.ids() if id_ not in ("phase-times", "mlp-surface", "warm-up")]
)
def test_every_value_of_ours_carries_its_interval(chart_id: str):
    values = [row for row in drawing(chart_id, "gpu").rows if row["value"] is not None]
    values = [row for row in values if row.get("kind") != "published"]

    assert values or chart_id == "estimate-against-measured"
    assert all(row["low"] <= row["value"] <= row["high"] for row in values)


def test_the_axis_says_scale_and_direction():
    for chart_id in ("speed-by-workload", "throughput-by-batch", "matmul-rate"):
        assert "log scale, higher is better" in rendered(chart_id, "cpu")
    assert "lower is better" in rendered("time-to-target", "cpu")


def test_a_failed_cell_stands_in_the_place_of_its_mark():
    records = [make_record("resnet50", backend="tensorflow"), make_record("resnet50", backend="jax", status="failed")]
    partial = make_evidence(make_session_results(records))

    made = draw.draw("speed-by-workload", partial)

    said = drawings.svg(made.wide, made, "x", "wide")
    assert "JAX, CPU: failed: loss is not finite" in html.unescape(said)


def test_without_a_gpu_the_published_speed_up_stands_beside_the_estimated_range():
    others = (chart.Other(workload="resnet50", value=65.5, label="65.5x: a GPU against a CPU (somewhere, 2016)"),)

    made = draw.draw("cpu-gpu-speedup", evidence("cpu"), others=others)

    text = drawings.svg(made.wide, made, "x", "wide")
    assert "65.5x: a GPU against a CPU" in text
    assert "var(--chart-published)" in text and "var(--chart-estimated)" in text
    assert "not measured yet" not in text
    assert ["estimated", "published"] == [row["kind"] for row in made.rows if row["row"] == "ResNet-50"]


@cache
def led_by_a_cpu() -> Evidence:
    """A local session without a GPU leads; a published machine has one."""
    return make_evidence(gpu=True, local=True, n_runs=1, n_blocks=3)


ABOUT_A_GPU = sorted(id_ for id_, one in chart.CHARTS.items() if one.about_gpu)


@pytest.mark.parametrize("chart_id", [id_ for id_ in ABOUT_A_GPU if id_ != "roofs"])  # nobody's bandwidth was measured
def test_a_chart_about_a_gpu_is_drawn_from_the_machine_that_has_one(chart_id: str):
    made = draw.draw(chart_id, led_by_a_cpu())

    assert led_by_a_cpu().lead.is_local
    assert "gpu-16c" == made.session.machine.id
    assert on_gpu(led_by_a_cpu(), made)
    assert made.session is tables_session(chart_id, made.session)


def on_gpu(evidence: Evidence, made: chart.Drawing) -> bool:
    refs = [ref for row in made.rows for ref in row["cells"]]
    return any("gpu" == session.records[cell].cell.device for session, cell in evidence.resolve(refs))


def tables_session(chart_id: str, session):
    """The session whose numbers begin the table of a chart."""
    made = make.make(chart_id, led_by_a_cpu(), first=session)
    return next(led_by_a_cpu().resolve(cell.cells)[0][0] for row in made.rows for cell in row if cell.cells)


@pytest.mark.parametrize("chart_id", ["time-to-target", "warm-up", "job-by-steps", "phase-times"])
def test_a_chart_of_one_workload_shows_a_gpu_wherever_one_ran_it(chart_id: str):
    made = draw.draw(chart_id, led_by_a_cpu(), workload="cnn-digits")

    assert "gpu-16c" == made.session.machine.id
    assert on_gpu(led_by_a_cpu(), made)


def test_a_chart_of_all_workloads_that_is_not_about_a_gpu_stays_with_the_lead_that_has_as_many_marks():
    gpu = make_session_results(
        [make_record("resnet50", device="gpu", threads=16)], machine=make_machine("gpu-16c", gpus=(make_gpu(),))
    )
    both = make_evidence(make_session_results([make_record("resnet50"), make_record("cnn-digits")], is_local=True), gpu)
    for chart_id in ("speed-by-workload", "time-to-target"):
        made = draw.draw(chart_id, both)

        assert made.session is both.lead and not both.view(both.lead).has_gpu
        assert all(row["series"].endswith("CPU") for row in made.rows)


def test_one_batch_size_on_the_gpu_is_no_curve_over_batches():
    cpu = make_session_results([make_record("resnet50", batch_size=size) for size in (2, 8, 32)], is_local=True)
    machine = make_machine("gpu-16c", gpus=(make_gpu(),))
    gpu = [make_record("resnet50", device=device, threads=16) for device in ("cpu", "gpu")]
    both = make_evidence(cpu, make_session_results(gpu, machine=machine))

    assert "example-2c" == draw.draw("throughput-by-batch", both, workload="resnet50").session.machine.id
    assert "gpu-16c" == draw.draw("job-by-steps", both, workload="resnet50").session.machine.id


@pytest.mark.parametrize("chart_id", ["speed-by-workload", "phase-times", "job-by-steps", "matmul-rate", "rooflines"])
def test_a_backend_that_a_machine_does_not_run_has_no_row(chart_id: str):
    records = [make_record(w, backend=b) for w in ("resnet50", "matmul", "cnn-digits") for b in ("jax", "torch")]

    made = draw.draw(chart_id, make_evidence(make_session_results(records)))

    assert not any("TensorFlow" in str(value) for row in made.rows for value in row.values())
    assert "TensorFlow" not in drawings.svg(made.wide, made, "x", "wide")


def test_the_faster_formats_of_a_gpu_stand_beside_strict_float32():
    arms = [("float32-strict", 1.0), ("tf32", 0.15), ("mixed_bfloat16", 0.07)]
    records = [make_record("matmul", device="gpu", precision=p, step_s=s, backend=b, jitter_frac=0)
               for p, s in arms for b in ("jax", "torch")]  # fmt: skip
    records.append(make_record("matmul"))

    made = draw.draw("matmul-rate", make_evidence(make_session_results(records)))

    shown = drawings.svg(made.wide, made, "x", "wide")
    assert {"TF32", "bfloat16", ""} == {row["label"] for row in made.rows}
    assert "GPU TF32<" in shown and "GPU bfloat16<" in shown
    fastest = max(made.rows, key=lambda row: row["value"] or 0.0)
    assert "bfloat16" == fastest["label"] and f"{fastest['series']}, bfloat16, at 4096" in made.description
    assert 1 == sum(row["label"] == "bfloat16" for row in made.rows), "of the fastest backend only"


def test_both_speed_ups_of_a_network_name_batch_and_precision():
    common = {"jitter_frac": 0, "n_runs": 2}
    records = [
        make_record("resnet50", batch_size=8, step_s=1.0, **common),
        make_record("resnet50", batch_size=8, step_s=0.1, device="gpu", **common),
        make_record("resnet50", batch_size=32, step_s=0.1, device="gpu", precision="mixed_bfloat16", **common),
    ]

    made = draw.draw("cpu-gpu-speedup", make_evidence(make_session_results(records)))

    marks = [row for row in made.rows if row["value"] is not None]
    assert [40, 10] == [pytest.approx(row["value"]) for row in marks]
    assert "batch 32, bfloat16" in marks[0]["label"] and "batch 8" in marks[1]["label"]
    assert {"ResNet-50"} == {row["row"] for row in made.rows}, "a row without anything is not drawn"


def test_cpu_and_gpu_never_share_a_colour():
    text = rendered("speed-by-workload", "gpu")

    for backend in ("tensorflow", "jax", "torch"):
        assert f"var(--chart-cpu-{backend})" in text
        assert f"var(--chart-gpu-{backend})" in text


def test_every_role_has_a_shade_in_both_schemes():
    sheet = (Path(__file__).parents[1] / "docs/assets/css/site.css").read_text(encoding="utf-8")
    light, dark = sheet.split('[data-md-color-scheme="slate"]')[:2]

    for role in axes.COLOURS:
        assert f"--chart-{role}:" in light and f"--chart-{role}:" in dark, role


def test_a_shade_outside_the_palette_is_refused():
    with pytest.raises(ValueError, match="palette"):
        drawings.themed('<svg><path fill="#123456" d="M0,0"/></svg>')


def test_unknown_chart_names_near_ones():
    with pytest.raises(registry.UnknownNameError, match="speed-by-workload"):
        draw.draw("speed-by-workloads", evidence("none"))


def test_equal_evidence_gives_equal_drawings():
    again = draw.draw("phase-times", make_evidence(n_runs=2, n_blocks=4))

    assert json.dumps(drawing("phase-times", "cpu").wide) == json.dumps(again.wide)


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_below_the_roofs_every_group_of_points_and_every_ceiling_has_its_name(width: str):
    names = ["resnet50", "mlp-tabular", "inception-v3"]
    records = [make_record(name, backend=b) for name in (*names, "matmul") for b in ("tensorflow", "jax")]
    records.append(bandwidth_record(20e9))

    made = draw.draw("roofs", make_evidence(make_session_results(records)))

    shown = re.findall(r"<text[^>]*>([^<]+)</text>", drawings.svg(getattr(made, width), made, "x", width))
    labels = {row["row" if width == "wide" else "short"] for row in made.rows}
    assert 3 == len(labels) and all(1 == shown.count(label) for label in labels)
    assert any(line.startswith("CPU: matrix product, ") for line in shown)
    assert "CPU: memory, 20 GB/s" in shown
    assert "20 GB/s for memory; they meet at" in made.description


def test_texts_are_placed_where_they_meet_nothing():
    plane = paint_labels.Plane((1.0, 100.0), (1.0, 100.0), (200.0, 200.0))
    plane.take_px(100, 100, 10)

    first = plane.place("a name", [(100, 100), (100, 40)])
    second = plane.place("a name", [(100, 40), (100, 160)])

    assert [pytest.approx(10.0), pytest.approx(10.0)] == [first["x"], second["x"]]
    assert first["value"] == pytest.approx(100 ** (160 / 200)) and second["value"] == pytest.approx(100 ** (40 / 200))
    low, _ = plane.at(*[plane.place("a name", [(-500, 100)])[key] for key in ("x", "value")])
    assert low > 0, "no text leaves the plot"


def test_a_name_never_stands_on_the_far_side_of_other_points():
    plane = paint_labels.Plane((1.0, 100.0), (1.0, 100.0), (300.0, 300.0))
    column = [{"x": 80.0, "value": value} for value in (5.0, 20.0)]
    nearer = [{"x": 60.0, "value": value} for value in (2.0, 50.0)]

    found = {
        name["text"]: name
        for name in paint_labels.group_names(plane, {("far", "CPU"): column, ("near", "CPU"): nearer})
    }

    assert found["far"]["x"] > 60.0


def test_a_trace_is_drawn_with_its_measured_part_marked():
    slow = make_record("cnn-digits", step_s=0.1, run_fields={"warmup": (Block(n_steps=2, seconds=1.0),) * 3})
    unsettled = make_record("cnn-digits", backend="jax", run_fields={"steady": False})
    plain = make_record("cnn-digits", backend="torch", run_fields={"warmup": ()})

    made = draw.draw("warm-up", make_evidence(make_session_results([slow, unsettled, plain])), workload="cnn-digits")

    text = drawings.svg(made.wide, made, "x", "wide")
    assert 2 == text.count(">measured<")
    assert "JAX, CPU: 4.67 ms a step, never settled" in text and "TensorFlow, CPU: " in text
    assert "PyTorch" not in text
    assert "TensorFlow, CPU: warm-up of 3 blocks in 3 s, the first at" in made.description
    assert "never settled" in made.description
    first = next(row for row in made.rows if row["series"] == "TensorFlow, CPU")
    assert 5.0 == pytest.approx(first["value"], rel=0.1) and 0.5 == first["x"]
