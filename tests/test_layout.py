"""What the study of layouts does without a framework: turning images, telling refusals, comparing results."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bench.workloads.studies import layout


def study_of(precision: str = "float32-strict") -> SimpleNamespace:
    readings: dict[str, float] = {}
    return SimpleNamespace(cell=SimpleNamespace(precision=precision), read=readings.__setitem__, readings=readings)


def outputs(*, predictions: float, losses: float) -> dict[str, np.ndarray]:
    """Results of both orders; those with channels_first are larger by these shares."""
    base = np.array([1.0, -2.0])
    first = {"infer-first": base * (1 + predictions), "train-first": base * (1 + losses)}
    return {"infer-last": base, "train-last": base} | first


def test_the_same_pixels_lie_in_either_order():
    x = np.arange(2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)

    last, first = (layout.in_layout(x, name) for name in layout.FORMATS.values())

    assert (2, 4, 5, 3) == last.shape
    assert (2, 3, 4, 5) == first.shape
    assert last[1, 2, 3, 0] == first[1, 0, 2, 3]
    assert first.flags["C_CONTIGUOUS"], "not a view with its strides turned"


def test_a_refusal_of_the_order_is_told_from_a_result_and_from_other_errors():
    def refusing() -> None:
        raise RuntimeError("The op only supports NHWC on device type CPU")

    def broken() -> None:
        raise RuntimeError("out of memory")

    assert (3, "") == layout.attempt(lambda: 3)
    assert layout.attempt(refusing)[0] is None
    assert "NHWC" in layout.attempt(refusing)[1]
    with pytest.raises(RuntimeError, match="out of memory"):
        layout.attempt(broken)


def test_equal_work_passes_and_its_difference_is_read():
    study = study_of()

    layout.compare(study, outputs(predictions=1e-6, losses=0.0))

    assert {"difference": pytest.approx(1e-6)} == study.readings


@pytest.mark.parametrize(("predictions", "losses"), [(0.01, 0.0), (0.0, 0.01), (float("nan"), 0.0)])
def test_unequal_work_fails_the_run(predictions: float, losses: float):
    with pytest.raises(ArithmeticError, match="differ"):
        layout.compare(study_of(), outputs(predictions=predictions, losses=losses))


def test_fewer_bits_may_differ_by_more():
    layout.compare(study_of("mixed_bfloat16"), outputs(predictions=0.03, losses=0.03))
    with pytest.raises(ArithmeticError):
        layout.compare(study_of("mixed_float16"), outputs(predictions=0.03, losses=0.03))


def test_an_order_that_was_refused_is_not_compared():
    study = study_of()
    found = outputs(predictions=0.0, losses=0.0)
    del found["train-first"], found["infer-first"]

    layout.compare(study, found)

    assert {} == study.readings
