"""The float64 reference of the numerics study: its forward pass and its gradients."""

from __future__ import annotations

import numpy as np
import pytest

from bench.workloads.studies import numerics

EPS = 1e-6


def net_of(kind: str, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Weights, inputs and classes of a tiny net."""
    rng = np.random.default_rng(seed)
    if kind == "cnn":
        shapes = [(3, 3, 3, 4), (4,), (3, 3, 4, 5), (5,), (2 * 3 * 5, 10), (10,)]
        x = rng.standard_normal((2, 4, 6, 3))
    else:
        shapes = [(6, 7), (7,), (7, 5), (5,), (5, 10), (10,)]
        x = rng.standard_normal((3, 6))
    return [rng.standard_normal(shape) / 2 for shape in shapes], x, rng.integers(0, 10, len(x))


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_gradients_of_the_reference_are_those_of_finite_differences(kind: str):
    weights, x, y = net_of(kind)

    _, _, gradients = numerics.reference(kind, weights, x, y)

    assert [weight.shape for weight in weights] == [gradient.shape for gradient in gradients]
    rng = np.random.default_rng(1)
    for weight, gradient in zip(weights, gradients, strict=True):
        for place in rng.integers(0, weight.size, 6):
            entry = np.unravel_index(place, weight.shape)
            kept = weight[entry]
            weight[entry] = kept + EPS
            above = numerics.reference(kind, weights, x, y)[1]
            weight[entry] = kept - EPS
            below = numerics.reference(kind, weights, x, y)[1]
            weight[entry] = kept
            assert (above - below) / (2 * EPS) == pytest.approx(gradient[entry], rel=1e-5, abs=1e-9)


def test_every_gradient_of_the_reference_has_something_to_say():
    for kind in ("cnn", "mlp"):
        assert all(np.abs(gradient).max() > 1e-6 for gradient in numerics.reference(kind, *net_of(kind))[2])


def test_convolution_is_the_sum_written_out():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((1, 4, 5, 2)), rng.standard_normal((3, 3, 2, 3))

    out = numerics.convolve(x, kernel)

    def pixel(row: int, column: int) -> np.ndarray:
        total = np.zeros(3)
        for i in range(3):
            for j in range(3):
                r, c = row + i - 1, column + j - 1
                if 0 <= r < 4 and 0 <= c < 5:
                    total += x[0, r, c] @ kernel[i, j]
        return total

    assert (1, 4, 5, 3) == out.shape
    assert all(np.allclose(out[0, r, c], pixel(r, c)) for r in range(4) for c in range(5))


def test_pool_takes_the_largest_of_four_and_sends_its_gradient_back_there():
    x = np.arange(16.0).reshape(1, 4, 4, 1)

    maxima, chosen = numerics.pool(x)
    back = numerics.pool_back(np.ones_like(maxima), chosen)

    assert [5, 7, 13, 15] == maxima.ravel().tolist()
    assert [5, 7, 13, 15] == np.flatnonzero(back).tolist()


def test_differences_are_nothing_for_equal_numbers_and_grow_with_an_error():
    expected = numerics.reference("mlp", *net_of("mlp"))
    logits, loss, gradients = expected

    same = numerics.differences(expected, expected)
    off = numerics.differences((logits + 0.5, loss * 1.25, [gradients[0] * 2, *gradients[1:]]), expected)

    assert {0.0} == set(same.values())
    assert 0.5 == pytest.approx(off["logits-abs"])
    assert 0.5 / np.abs(logits).max() == pytest.approx(off["logits-rel"])
    assert 0.25 == pytest.approx(off["loss-rel"])
    assert 1.0 == pytest.approx(off["gradients-rel"])
    assert np.abs(gradients[0]).max() == pytest.approx(off["gradients-abs"])
