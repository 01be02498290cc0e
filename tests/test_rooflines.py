"""Achieved arithmetic and its share of the ceiling, from invented records."""

from __future__ import annotations

import pytest

from bench import registry
from bench.report import rooflines
from tests.factories import make_evidence, make_record, make_session_results


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    known = {"resnet50 image_px=224": {"forward": 8e9, "training": 24e9, "source": registry.source_hash("resnet50")}}
    monkeypatch.setattr(rooflines, "counts", lambda: known)


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
