"""What the studies of bandwidth, copies, overheads, timers and endurance compute from their blocks."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench.schema import Block
from bench.workloads import registry
from tests import frameworks

REPOSITORY = Path(__file__).parent.parent
INSTALLED = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]

bandwidth, copies, endurance, fit_overhead, pipeline, resident, timers = (
    registry.module(name)
    for name in ("bandwidth", "copy", "endurance", "fit-overhead", "input-pipeline", "resident-data", "wrong-timer")
)


def blocks(*seconds: float, n_steps: int = 1) -> list[Block]:
    return [Block(n_steps=n_steps, seconds=value) for value in seconds]


# Bandwidth


def test_a_triad_counts_two_arrays_read_and_one_written():
    series = {"triad": blocks(1.0, 2.0, 9.0, n_steps=2), "sum": blocks(0.5)}

    assert {"triad": 3 * 800 / 1.0, "sum": 800 / 0.5} == bandwidth.rates(series, n_bytes=800)


def test_every_operation_has_its_count_of_arrays_and_its_rate():
    names = [item.id for item in bandwidth.SPEC.series]

    assert set(names) == set(bandwidth.N_ARRAYS)
    assert [f"{name}-rate" for name in names] == [item.id for item in bandwidth.SPEC.readings]


# Copies


@pytest.mark.parametrize(("n_bytes", "expected"), [(1, 200), (2**20, 200), (2**26, 4), (2**28, 1), (2**30, 1)])
def test_blocks_of_large_copies_are_short(n_bytes: int, expected: int):
    assert expected == copies.calls_per_block(n_bytes)


@pytest.mark.parametrize(("to_device", "expected"), [(np.asarray, True), (np.array, False)])
def test_an_array_that_is_shared_is_told_from_a_copy_and_left_as_it_was(to_device, expected: bool):
    host = np.arange(4, dtype=np.float32)

    assert expected is copies.shares_to_device(to_device, host)
    assert [0, 1, 2, 3] == host.tolist()


@pytest.mark.parametrize(("to_host", "expected"), [(np.asarray, True), (np.array, False)])
def test_a_view_of_the_device_is_told_from_a_copy(to_host, expected: bool):
    study = SimpleNamespace(cell=SimpleNamespace(backend="torch", device="cpu"))

    assert expected is copies.shares_to_host(study, to_host, np.arange(4, dtype=np.float32))


def test_a_host_copy_that_jax_keeps_is_not_taken_for_the_device():
    kept = np.arange(4, dtype=np.float32)
    array = SimpleNamespace(unsafe_buffer_pointer=lambda: copies.address(kept))

    def shares(device: str, host: np.ndarray) -> bool:
        study = SimpleNamespace(cell=SimpleNamespace(backend="jax", device=device))
        return copies.shares_to_host(study, lambda _: host, array)

    assert shares("cpu", kept)
    assert not shares("gpu", kept)
    assert not shares("cpu", kept.copy())


def test_rate_of_a_copy_counts_each_byte_once():
    assert 4_000.0 == copies.rate(blocks(0.5, 1.0, 9.0, n_steps=4), n_bytes=1_000)


# Resident data


def test_copy_is_a_share_of_the_fed_step():
    series = {"resident": blocks(0.8), "fed": blocks(1.0), "copy": blocks(0.1)}

    assert {"copy-frac": 0.1, "resident-speedup": 1.25} == resident.shares(series)


# Wrong timers


class Queue:
    """A device whose calls return after one tick and are done 100 ticks later, one after the other."""

    def __init__(self, backend: str = "jax"):
        self.cell = SimpleNamespace(backend=backend)
        self.now, self.busy_until = 0.0, 0.0

    def __call__(self, x):
        self.now += 1
        self.busy_until = max(self.now, self.busy_until) + 100
        return x

    def sync(self, value=None):
        self.now = max(self.now, self.busy_until)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_not_waiting_sees_the_calls_return_and_waiting_sees_the_work(monkeypatch, backend: str):
    queue = Queue(backend)
    monkeypatch.setattr(timers, "perf_counter", lambda: queue.now)

    waited, returned = (timers.time_calls(queue, queue, 0, 10, wait=wait) for wait in (True, False))

    assert Block(n_steps=10, seconds=1001.0) == waited
    assert Block(n_steps=10, seconds=10.0) == returned
    assert queue.now == queue.busy_until  # idle again: the next block does not inherit this one's work


def test_first_call_is_also_part_of_the_first_ten(monkeypatch):
    queue = Queue()
    monkeypatch.setattr(timers, "perf_counter", lambda: queue.now)

    assert (101.0, 101.0 + 901.0) == timers.time_first_calls(queue, queue, 0)


def test_wrong_answers_are_held_against_the_right_one():
    series = {"right": blocks(20.0, n_steps=10), "no-wait": blocks(1.0, n_steps=10), "single": blocks(1.0, 2.0, 6.0)}

    ratios = timers.ratios(series, first_s=82.0, first_calls_s=100.0)

    assert {
        "no-wait-ratio": 0.05,
        "first-in-mean-ratio": 5.0,
        "first-ratio": 41.0,
        "fastest-single-ratio": 0.5,
        "slowest-single-ratio": 3.0,
    } == ratios
    assert set(ratios) == {item.id for item in timers.SPEC.readings}


# Endurance


def test_a_machine_that_slows_down_is_seen():
    # Ten minutes in blocks of 10 s: 100 steps a block for five minutes, 50 after.
    paces = endurance.paces(blocks(*[10.0] * 30, n_steps=100) + blocks(*[10.0] * 30, n_steps=50))

    assert {"first-step": 0.1, "last-step": 0.2, "slowest-step": 0.2, "last-to-first-rate": 0.5} == paces


def test_only_the_first_and_last_minute_count():
    middle = blocks(*[10.0] * 48, n_steps=1)
    ends = blocks(*[10.0] * 6, n_steps=100)

    paces = endurance.paces(ends + middle + ends)

    assert (0.1, 0.1, 10.0) == (paces["first-step"], paces["last-step"], paces["slowest-step"])


def test_a_single_block_is_both_beginning_and_end():
    assert 1.0 == endurance.paces(blocks(3.0, n_steps=2))["last-to-first-rate"]


@pytest.mark.parametrize(("epoch_s", "expected"), [(0.01, 500), (2.0, 3), (7.0, 1), (0.0, 5_000_000_000)])
def test_epochs_fill_a_block(epoch_s: float, expected: int):
    assert expected == endurance.epochs_per_block(epoch_s, block_s=5.0)


def test_ten_minutes_of_blocks_fit_into_a_record():
    variant = max(endurance.SPEC.variants["reference"], key=lambda v: v.params["minutes"])

    n_blocks = 60 * variant.params["minutes"] / variant.params["block-s"]

    assert 600.0 == 60 * variant.params["minutes"]
    assert n_blocks <= min(150, variant.n_blocks)


# Overheads


def test_the_thrown_away_progress_bar_believes_in_a_terminal():
    terminal = fit_overhead.Terminal()

    assert 3 == terminal.write("bar")
    assert terminal.isatty()
    assert "" == terminal.getvalue()


@pytest.mark.keras
@pytest.mark.parametrize("backend", INSTALLED)
def test_bare_step_descends_as_the_formula_says(backend: str):
    code = f"""
import importlib
import json
from types import SimpleNamespace

import numpy as np
from bench.workloads import registry

module = registry.module("fit-overhead")
framework = importlib.import_module({backend!r})
keras = SimpleNamespace(ops=SimpleNamespace(convert_to_tensor=getattr(framework, "tensor", None)))
cell = SimpleNamespace(backend={backend!r})
step = module.bare_step(SimpleNamespace(seed=3, cell=cell, framework=framework, keras=keras))
x = np.random.default_rng(0).standard_normal((32, module.N_FEATURES), dtype=np.float32)
y = 100 * x[:, :1]
losses = [step(x, y) for _ in range(3)]
print(json.dumps([float(loss[0] if isinstance(loss, tuple) else loss) for loss in losses]))
"""

    losses = frameworks.last_line(code, backend=backend)

    assert losses == pytest.approx(descend(n_steps=3), rel=1e-3)


def descend(n_steps: int) -> list[float]:
    """Losses of the same network and batch by hand, in float64."""
    rng = np.random.default_rng(3)
    shapes = ((fit_overhead.N_FEATURES, fit_overhead.WIDTH), (fit_overhead.WIDTH,), (fit_overhead.WIDTH, 1), (1,))
    w1, b1, w2, b2 = (rng.standard_normal(s, dtype=np.float32).astype(float) / s[0] ** 0.5 for s in shapes)
    x = np.random.default_rng(0).standard_normal((32, fit_overhead.N_FEATURES), dtype=np.float32).astype(float)
    y = 100 * x[:, :1]
    losses = []
    for _ in range(n_steps):
        hidden = np.maximum(x @ w1 + b1, 0)
        error = hidden @ w2 + b2 - y
        losses.append(float((error**2).mean()))
        d_out = 2 * error / error.size
        d_hidden = (d_out @ w2.T) * (hidden > 0)
        gradients = (x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_out, d_out.sum(0))
        w1, b1, w2, b2 = (
            weight - fit_overhead.LEARNING_RATE * gradient
            for weight, gradient in zip((w1, b1, w2, b2), gradients, strict=True)
        )
    return losses


# Input pipeline


def test_jpeg_files_follow_from_the_seed_and_are_about_as_dense_as_photographs():
    pytest.importorskip("PIL")

    first, again, other = (pipeline.draw_jpeg(np.random.default_rng(seed), 256) for seed in (0, 0, 1))

    assert first == again != other
    assert 0.5 < 8 * len(first) / 256**2 < 5  # bits per pixel


def test_decoded_images_are_cut_to_size_and_lie_between_0_and_1():
    pytest.importorskip("PIL")
    rng = np.random.default_rng(0)
    file = pipeline.draw_jpeg(rng, 64)

    images = np.stack([pipeline.decode(file, 32, rng) for _ in range(8)])

    assert (8, 32, 32, 3) == images.shape
    assert np.float32 == images.dtype
    assert 0 <= images.min() < 0.3 and 0.7 < images.max() <= 1
    assert len({image.tobytes() for image in images}) > 1  # crops and mirrors differ


def test_waiting_is_the_share_that_ready_images_would_save():
    series = {
        "ready": blocks(1.6, n_steps=16),
        "workers-0": blocks(6.4, n_steps=16),
        "workers-2": blocks(1.5, n_steps=16),
        "decode": blocks(0.32),
    }

    assert {
        "waiting-workers-0": 0.75,
        "waiting-workers-2": 0.0,
        "decode-image": 0.01,
        "workers-needed": 4.0,
    } == pytest.approx(pipeline.summary(series, batch_size=32))
