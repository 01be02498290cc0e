"""The title of a chart is what its data say: it flips where they flip."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

pytest.importorskip("altair")

from bench.report.charts import draw
from bench.schema import Record
from tests.factories import make_evidence, make_gpu, make_machine, make_record, make_session_results

SAME = {"jitter_frac": 0.0, "n_runs": 3, "n_blocks": 6}


def title(chart_id: str, records: Iterable[Record], workload: str = "") -> str:
    """Of a chart of one machine, which has a GPU if a record has."""
    records = list(records)
    has_gpu = any("gpu" == record.cell.device for record in records)
    machine = make_machine(gpus=(make_gpu(),) if has_gpu else ())
    evidence = make_evidence(make_session_results(records, machine=machine))
    return draw.picture(chart_id, evidence, workload=workload)[1].title


def by(steps_s: dict[str, float], field: str, workload: str = "resnet50", **fields) -> list[Record]:
    """A record for each value of a field of the cell, with its seconds of a step."""
    return [make_record(workload, step_s=s, **SAME, **fields | {field: value}) for value, s in steps_s.items()]


def test_the_fastest_framework_is_named_and_a_draw_is_one():
    first = [by({"tensorflow": 1.0, "torch": 2.0}, "backend", w) for w in ("resnet50", "mobilenet-v2")]
    other = [by({"tensorflow": 2.0, "torch": 1.0}, "backend", w) for w in ("resnet50", "mobilenet-v2")]
    even = by({"tensorflow": 1.0, "torch": 1.0}, "backend")

    assert "TensorFlow trains all 2 networks fastest" == title("speed-by-workload", first[0] + first[1])
    assert "PyTorch trains all 2 networks fastest" == title("speed-by-workload", other[0] + other[1])
    assert "TensorFlow trains 1 of 2 networks fastest, PyTorch 1" == title("speed-by-workload", first[0] + other[1])
    assert "No framework is clearly the fastest on any of 1 networks" == title("speed-by-workload", even)


def test_compiling_is_faster_or_slower():
    faster, slower = ({"off": off, "on": on} for off, on in ((2.0, 1.0), (1.0, 2.0)))

    assert "1 of 1 networks clearly faster and none clearly slower" in title("jit-arms", by(faster, "jit"))
    assert "none of the 1 networks clearly faster and 1 clearly slower" in title("jit-arms", by(slower, "jit"))


def test_the_gpu_is_ahead_on_as_many_networks_as_it_is():
    gains, loses = ({"cpu": cpu, "gpu": 1.0} for cpu in (20.0, 0.5))
    digits = by(loses, "device", "cnn-digits")

    assert "The GPU trains 1 of 1 networks faster than the CPU, at most 20 times as fast" == title(
        "cpu-gpu-speedup", by(gains, "device")
    )
    assert title("cpu-gpu-speedup", digits).startswith("The GPU trains none of the 1 networks faster")
    assert title("cpu-gpu-speedup", by(gains, "device") + digits).startswith("The GPU trains 1 of 2 networks faster")


def test_the_gpu_is_done_first_from_some_step_on_or_never():
    gains, loses = ({"cpu": cpu, "gpu": 1.0} for cpu in (20.0, 0.5))

    assert "The GPU is done first from " in title("job-by-steps", by(gains, "device"))
    assert "The CPU is done first, even after 100,000 steps" in title("job-by-steps", by(loses, "device"))


def test_starting_takes_longer_up_to_more_steps_where_a_step_is_short():
    long, short = (title("job-by-steps", by({"jax": s}, "backend")) for s in (0.1, 0.001))
    n_long, n_short = (int(said.split()[2].replace(",", "")) for said in (long, short))

    assert 10 * n_long <= n_short
    assert title("job-by-steps", by({"jax": 60.0}, "backend")).startswith(
        "From the first steps on, training takes longer"
    )
    assert title("phase-times", by({"jax": 10.0}, "backend")).endswith("in none of the 1 trainings")
    assert title("phase-times", by({"jax": 1e-4}, "backend")).endswith("in 1 of 1 trainings")


def test_the_gain_of_a_large_batch_is_below_one_where_it_loses():
    def at(small_s: float, large_s: float) -> str:
        return title("throughput-by-batch", by({8: small_s, 32: large_s}, "batch_size"), "resnet50")

    assert "TensorFlow still gains at 32" == at(1.0, 1.0)
    assert at(1.0, 8.0).endswith("a batch of 8 is enough in TensorFlow")


def test_a_matrix_product_is_as_many_times_faster_on_the_gpu():
    assert "The GPU multiplies large matrices 10x as fast as the CPU" == title(
        "matmul-rate", by({"cpu": 1.0, "gpu": 0.1}, "device", "matmul")
    )
    assert "0.1x as fast" in title("matmul-rate", by({"cpu": 0.1, "gpu": 1.0}, "device", "matmul"))
    assert "How fast matrices are multiplied" == title("matmul-rate", by({"jax": 1.0}, "backend", "matmul"))
    sizes = [
        make_record(workload="matmul", mode="probe", params={"n": n}, step_s=s) for n, s in ((64, 1.0), (256, 1.0))
    ]
    assert "Below 256 rows" in title("matmul-rate", sizes)


def test_cores_gain_or_do_not():
    def on(one_s: float, two_s: float) -> str:
        return title("threads", by({1: one_s, 2: two_s}, "threads"))

    assert "2 cores make 1 of 1 trainings faster than one does, up to 2 times as fast" == on(2.0, 1.0)
    assert on(1.0, 2.0).startswith("2 cores make none of the 1 trainings faster than one does")


def test_a_goal_is_met_within_a_minute_or_not():
    soon, late = (by({"jax": s}, "backend", "cnn-digits") for s in (0.001, 10.0))

    assert title("time-to-target", soon).endswith(" s") and title("time-to-target", late).endswith(
        (" minutes", "hours")
    )


def test_steps_that_never_settle_say_so():
    calm = by({"jax": 0.1}, "backend", "cnn-digits")
    wild = by({"torch": 0.1}, "backend", "cnn-digits", run_fields={"steady": False})

    assert title("warm-up", calm, "cnn-digits").startswith("Steps settle ")
    assert ", in 1 of 2 frameworks never" in title("warm-up", calm + wild, "cnn-digits")
    assert title("warm-up", wild, "cnn-digits").startswith("Steps never settle")


def test_the_gpu_is_ahead_in_as_many_combinations_of_width_and_batch():
    gains, loses = ({"cpu": cpu, "gpu": 1.0} for cpu in (20.0, 0.5))

    assert "The GPU is faster in 1 of 1 " in title("mlp-surface", by(gains, "device", "mlp-tabular"))
    assert "The GPU is faster in none of the 1 " in title("mlp-surface", by(loses, "device", "mlp-tabular"))
