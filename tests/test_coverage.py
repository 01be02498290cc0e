"""What intervals promise, checked by drawing from noise whose truth is known. Every draw is seeded."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.report.stats import bootstrap, break_even
from bench.report.stats import estimate as stats_estimate
from bench.report.stats.coverage import NOISES, Noise, estimate_coverage, ratio_coverage
from bench.report.stats.estimate import Estimate
from bench.schema import BACKENDS, Block, Record
from tests.factories import make_cell, make_plan, make_record, make_run


def record_of(blocks: np.ndarray, workload: str = "mlp-tabular", **fields) -> Record:
    """A record of runs of one-step blocks; ``blocks`` has shape (n_runs, n_blocks), in seconds."""
    cell = make_cell(workload, **fields)
    runs = [make_run(i, cell=cell, step_s=1.0) for i in range(len(blocks))]
    runs = [
        msgspec.structs.replace(run, blocks=tuple(Block(n_steps=1, seconds=float(s)) for s in row))
        for run, row in zip(runs, blocks, strict=True)
    ]
    return make_record(workload, runs=runs, **fields)


def estimate(value: float, low: float, high: float, unit: str = "samples_per_s") -> Estimate:
    return Estimate(value=value, low=low, high=high, n=5, n_samples=5, unit=unit, spread_frac=0.0)


# Coverage.


def test_interval_of_five_processes_beside_slow_neighbours_covers_95_percent():
    found = estimate_coverage(Noise(), 5, n_draws=1000, seed=4)

    assert 0.93 <= found <= 0.97


@pytest.mark.parametrize("name", [name for name in NOISES if name != "only blocks differ"])
@pytest.mark.parametrize("n", [5, 10])
def test_interval_covers_what_it_says_under_every_noise_in_which_processes_differ(name: str, n: int):
    # Three standard errors of 400 draws are 3 %.
    assert 0.91 <= estimate_coverage(NOISES[name], n, n_draws=400, seed=n) <= 1.0


def test_interval_errs_on_the_safe_side_where_only_blocks_differ():
    assert estimate_coverage(NOISES["only blocks differ"], 5, n_draws=200) >= 0.97


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 3), (2, 5), (3, 3), (3, 5), (4, 4), (5, 5)])
def test_interval_of_a_ratio_covers_95_percent_from_two_runs_on(n: int, m: int):
    # The least favourable noise; three standard errors of 400 draws are 3 %.
    assert 0.915 <= ratio_coverage(NOISES["only processes differ"], n, m, n_draws=400, seed=n * m) <= 1.0


def test_a_ratio_without_widening_would_find_differences_between_equal_cells(monkeypatch):
    monkeypatch.setattr(bootstrap, "RATIO_WIDENING", {})

    assert ratio_coverage(NOISES["only processes differ"], 2, 2, n_draws=300) < 0.8


# Drift.


def ratio_under_drift(order: list[tuple[str, int]], drift_frac: float) -> float:
    """Measured ratio of two cells of equal speed when the machine slows down evenly over the order of runs."""
    slowness = 1 + drift_frac * np.arange(len(order)) / (len(order) - 1)
    first, second = (
        np.median([seconds for (name, _), seconds in zip(order, slowness, strict=True) if name == wanted])
        for wanted in sorted({name for name, _ in order})[:2]
    )
    return float(first / second)


def planned_order(seed: int) -> list[tuple[str, int]]:
    chosen = make_plan(profile="reference", only=("mobilenet-v2",), backends=BACKENDS, repeats=5, seed=seed)
    return [(run.cell.id, run.index) for run in chosen.runs if run.variant.headline]


def test_drift_over_the_interleaved_order_biases_a_ratio_by_less_than_one_percent():
    drift = 0.10
    errors = np.array([math.log(ratio_under_drift(planned_order(seed), drift)) for seed in range(200)])

    assert abs(np.mean(errors)) < 0.01
    assert np.quantile(np.abs(errors), 0.95) < 0.025
    # One arm after the other would have been wrong by nearly half of the drift between two arms of several.
    blocked = math.log(ratio_under_drift(sorted(planned_order(0)), drift))
    assert abs(blocked) > 0.015
    assert abs(blocked) > 3 * abs(np.mean(errors))


# Break-even.

SIZES = (16, 64, 256, 1024, 4096)


def curve(rng: np.random.Generator, crossing: float, trial: int) -> list[tuple[Any, Any]]:
    """Resampled rates of both sides at every size: the first is ahead from ``crossing`` on, by a saturating curve."""
    noise, pairs = Noise(hit=0.2), []
    for number, size in enumerate(SIZES):
        gain = 8 * size / (size + 7 * crossing)  # 1 at the crossing, 8 far behind it
        fast, slow = gain / noise.draw(rng, 5, 9), 1 / noise.draw(rng, 5, 9)
        seed = 100 * trial + 2 * number
        pairs.append((bootstrap.draws_of(fast.tolist(), seed), bootstrap.draws_of(slow.tolist(), seed + 1)))
    return pairs


@pytest.mark.slow
def test_a_planted_break_even_lies_in_its_interval():
    rng = np.random.default_rng(8)
    n_draws, hits, widths = 400, 0, []
    for trial in range(n_draws):
        crossing = float(np.exp(rng.uniform(math.log(20), math.log(3500))))
        found = break_even.of_draws(SIZES, curve(rng, crossing, trial))
        hits += found.low < crossing <= found.high
        widths.append(sum(found.low < size <= found.high for size in SIZES))

    assert hits / n_draws >= 0.92  # three standard errors are 3 %
    assert np.mean(widths) < 2.5  # and is no mere "somewhere": mostly one or two steps of the grid
    assert np.mean(np.array(widths) == 1) > 0.3


def equal_runs(factor: float, size: int) -> tuple[Record, Record]:
    blocks = np.ones((5, 3))
    fields = {"params": {"width": size}}
    return record_of(blocks / factor, device="gpu", **fields), record_of(blocks, **fields)


@pytest.mark.parametrize(("factors", "size", "low", "high"), [
    ((0.5, 0.8, 1.5, 3.0, 6.0), 256, 64, 256),
    ((2.0, 2.0, 3.0, 3.0, 6.0), 16, 0.0, 16),
    ((0.5, 0.6, 0.7, 0.8, 0.9), None, 4096, math.inf),
    ((0.5, 2.0, 0.7, 2.0, 3.0), 1024, 256, 1024),  # ahead once, then behind again
])  # fmt: skip
def test_break_even_without_noise_lies_between_two_sizes(factors, size, low, high):
    found = break_even.break_even_interval(SIZES, [equal_runs(f, s) for f, s in zip(factors, SIZES, strict=True)])

    assert (size, low, high) == (found.size, found.low, found.high)


def test_break_even_interval_refuses_what_is_no_curve():
    pair = equal_runs(2.0, 16)

    assert break_even.break_even_interval((), ()) is None
    assert break_even.break_even_interval((16,), [(pair[0], make_record("mlp-tabular", status="failed"))]) is None
    with pytest.raises(ValueError, match="2 sizes for 1"):
        break_even.break_even_interval((16, 64), [pair])
    with pytest.raises(stats_estimate.ComparisonError, match="workload"):
        break_even.break_even_interval((16,), [(pair[0], make_record("matmul"))])


# Ranks.


def test_equal_ones_share_a_rank_and_the_next_is_skipped():
    found = stats_estimate.ranks([estimate(9, 8, 10), estimate(9.5, 9, 11), estimate(5, 4, 6), None])

    assert (1, 1, 3, None) == found


def test_overlap_that_does_not_carry_over():
    # The middle one overlaps both; only the first is certainly ahead of the last.
    assert (1, 1, 2) == stats_estimate.ranks([estimate(10, 9, 11), estimate(9, 7.5, 10), estimate(7, 6, 8)])


def test_less_time_is_a_better_rank():
    assert (2, 1) == stats_estimate.ranks([estimate(2, 1.9, 2.1, "s"), estimate(1, 0.9, 1.1, "s")])


def test_ranks_do_not_depend_on_the_order_in_which_they_are_asked_for():
    rng = np.random.default_rng(2)
    for _ in range(100):
        found = [estimate(v, v - d, v + d) for v, d in zip(rng.uniform(5, 9, 6), rng.uniform(0, 1, 6), strict=True)]
        order = rng.permutation(6)

        expected, shuffled = stats_estimate.ranks(found), stats_estimate.ranks([found[i] for i in order])

        assert tuple(expected[i] for i in order) == shuffled
        assert 1 in expected
        # Whoever is certainly better has the better rank, always.
        for i, a in enumerate(found):
            assert all(
                expected[i] < expected[j] for j, b in enumerate(found) if stats_estimate.compare(a, b) == "faster"
            )


def test_ranks_of_nothing():
    assert () == stats_estimate.ranks([])
    assert (None,) == stats_estimate.ranks([None])
