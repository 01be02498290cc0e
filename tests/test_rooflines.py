"""Achieved arithmetic and its share of the ceiling, from invented records."""

from __future__ import annotations

import pytest

from bench.records import operations
from bench.report.charts import make_table as make
from bench.report.evidence import rooflines
from bench.report.stats import quantities
from bench.schema import Cell, Record
from bench.workloads import registry
from tests.factories import make_cell, make_conditions, make_evidence, make_record, make_run, make_session_results

# Of one image; a step moves a fixed part, too.
TRAINING_BYTES, FORWARD_BYTES = 2e9 / 8 + 1e9, 1e9 / 8 + 0.5e9


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    entry = {"forward": 8e9, "training": 24e9, "source": registry.source_hash("resnet50")}
    entry |= {"forward_step_bytes": 1e9, "forward_sample_bytes": 0.5e9}
    entry |= {"training_step_bytes": 2e9, "training_sample_bytes": 1e9}
    known = {"resnet50 image_px=224": entry}
    monkeypatch.setattr(operations, "counts", lambda: known)


def test_achieved_is_rate_times_operations_of_a_sample():
    training = make_record("resnet50", step_s=2.0, jitter_frac=0.0)  # 8 images in 2 s
    inference = make_record("resnet50", mode="infer", step_s=2.0, jitter_frac=0.0)

    assert 4 * 24e9 == pytest.approx(rooflines.achieved(training).value)
    assert 4 * 8e9 == pytest.approx(rooflines.achieved(inference).value)


def test_a_workload_that_changed_has_no_count():
    assert rooflines.achieved(make_record("resnet50", source_hash="f" * 16)) is None


def test_the_ceiling_is_the_fastest_product_on_the_same_device():
    slow, fast = (make_record("matmul", backend=b, step_s=s, jitter_frac=0.0) for b, s in (("jax", 2.0), ("torch", 1)))
    net = make_record("resnet50", step_s=2.0, jitter_frac=0.0)
    evidence = make_evidence(make_session_results([slow, fast, net]))

    best = rooflines.ceiling(evidence, evidence.lead, "cpu")

    assert best is fast
    assert rooflines.ceiling(evidence, evidence.lead, "gpu") is None
    assert 4 * 24e9 / (2 * 4096**3) == pytest.approx(rooflines.share(net, best).value)


def bandwidth_record(rate: float, *, backend="tensorflow", mib=256, threads=2, loaded=False) -> Record:
    """Copies at so many bytes per second; the sum of all elements is slower."""
    spec = registry.workload("bandwidth")
    cell = Cell(
        workload=spec.id, mode="study", backend=backend, device="cpu", jit="off", batch_size=1, n_samples=1,
        threads=threads, params={"mib": mib},
    )  # fmt: skip
    readings = {"copy-rate": rate, "sum-rate": rate / 2}
    before = make_conditions(load_1min=50.0 if loaded else 0.1)
    like = make_cell("call-styles", backend=backend)
    runs = tuple(make_run(i, cell=like, series={}, first_s={}, readings=readings, before=before) for i in range(5))
    known = {"profile": "reference", "method_version": 1, "source_hash": "x"}
    return Record(cell=cell, spec=spec, status="ok", runs=runs, **known)


def test_bytes_are_the_fixed_part_and_those_of_each_sample():
    training = make_record("resnet50", step_s=2.0, jitter_frac=0.0)  # 8 images in 2 s
    inference = make_record("resnet50", mode="infer", step_s=2.0, jitter_frac=0.0)

    assert [TRAINING_BYTES, FORWARD_BYTES] == [rooflines.bytes_per_sample(r) for r in (training, inference)]
    assert [24e9 / TRAINING_BYTES, 8e9 / FORWARD_BYTES] == [rooflines.intensity(r) for r in (training, inference)]
    assert 4 * TRAINING_BYTES == pytest.approx(rooflines.moved(training).value)
    assert "bytes_per_s" == rooflines.moved(training).unit


def test_bytes_are_counted_for_float32_and_for_todays_code_only(monkeypatch):
    half, other = make_record("resnet50", precision="mixed_bfloat16"), make_record("resnet50", source_hash="f" * 16)
    today = make_record("resnet50")
    old = {name: entry for name, entry in operations.counts()["resnet50 image_px=224"].items() if "bytes" not in name}

    assert rooflines.intensity(half) is None and rooflines.moved(half) is None
    assert rooflines.intensity(other) is None and rooflines.moved(other) is None
    monkeypatch.setattr(operations, "counts", lambda: {"resnet50 image_px=224": old})
    assert rooflines.intensity(today) is None


def test_the_bandwidth_is_the_best_of_the_largest_arrays_on_most_threads():
    best = bandwidth_record(20e9, backend="jax")
    others = [
        bandwidth_record(90e9, mib=1),  # a cache
        bandwidth_record(40e9, threads=1),
        bandwidth_record(60e9, backend="torch", loaded=True),
        bandwidth_record(10e9),
    ]
    evidence = make_evidence(make_session_results([best, *others]))

    band = rooflines.bandwidth(evidence, evidence.lead, "cpu")

    assert (best, 20e9, "bytes_per_s") == (band.record, band.rate.value, band.rate.unit)
    assert rooflines.bandwidth(evidence, evidence.lead, "gpu") is None
    alone = make_evidence(make_session_results([bandwidth_record(60e9, loaded=True)]))
    assert 60e9 == rooflines.bandwidth(alone, alone.lead, "cpu").rate.value


@pytest.mark.parametrize(("bandwidth", "is_memory"), [(1e9, True), (1e12, False)])
def test_the_lower_ceiling_is_the_roof(bandwidth: float, is_memory: bool):
    net, product = make_record("resnet50"), make_record("matmul")
    evidence = make_evidence(make_session_results([net, product, bandwidth_record(bandwidth)]))
    band = rooflines.bandwidth(evidence, evidence.lead, "cpu")

    roof = rooflines.roof(net, product, band)

    flat = quantities.flop_rate(product)
    expected = rooflines.intensity(net) * bandwidth if is_memory else flat.value
    assert (is_memory, pytest.approx(expected)) == (roof.is_memory, roof.rate.value)
    shares = [rooflines.share(net, product), rooflines.memory_share(net, band)]
    of_roof = rooflines.roof_share(net, product, band)
    assert max(share.value for share in shares) == pytest.approx(of_roof.value)
    assert all(share.low <= share.value <= share.high for share in (*shares, of_roof))


def test_shares_go_from_the_worst_to_the_best_ends():
    net = make_record("resnet50")
    evidence = make_evidence(make_session_results([net, bandwidth_record(1e10)]))
    band = rooflines.bandwidth(evidence, evidence.lead, "cpu")
    mine = rooflines.moved(net)

    share = rooflines.memory_share(net, band)

    assert (mine.low / band.rate.high, mine.high / band.rate.low) == (share.low, share.high)
    assert mine.low < mine.high


def test_the_tables_name_both_ceilings_and_the_lower():
    net, product = make_record("resnet50"), make_record("matmul")
    evidence = make_evidence(make_session_results([net, product, bandwidth_record(1e9)]))

    ceilings = make.make("rooflines", evidence, workload="resnet50")
    lower = make.make("roofs", evidence, workload="resnet50")

    assert {"matrix product", "of the matrix product", "bandwidth", "of the bandwidth"} <= set(ceilings.columns)
    at = lower.columns.index("lower ceiling")
    assert ["memory"] == [row[at].text for row in lower.rows if row[at].text]
    assert net.cell.id in [ref.cell for cell in lower.rows[0] for ref in cell.cells]
