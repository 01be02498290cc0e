"""Traces by name, flags, a cell against itself and against its past."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from bench.report.evidence import disturbed, self_test
from bench.report.stats import bootstrap, estimate, traces
from bench.schema import Block, Control, Reading, Series
from tests import committed
from tests.factories import make_cell, make_conditions, make_record, make_run

N_TRACES = 200


def blocks_of(seconds) -> tuple[Block, ...]:
    return tuple(Block(n_steps=4, seconds=4 * float(value)) for value in seconds)


def noisy(rng: np.random.Generator, level: np.ndarray) -> tuple[Block, ...]:
    """A trace with gamma noise of 2 to 4 % and now and then a block that a neighbour slowed."""
    noise = np.exp(rng.uniform(0.02, 0.04) * (rng.gamma(2.0, 0.5, len(level)) - 1) * np.sqrt(2))
    hit = rng.random(len(level)) < 0.03
    return blocks_of(level * noise * np.where(hit, 1.5, 1.0))


def flat(rng, n):
    return np.ones(n)


def warm_up(rng, n):
    """Slow at first: by a step, or ever less."""
    begin, gain = int(rng.integers(4, n // 2)), rng.uniform(0.25, 1.0)
    step = np.where(np.arange(n) < begin, 1 + gain, 1.0)
    return step if rng.random() < 0.5 else 1 + gain * np.exp(-3 * np.arange(n) / begin)


def slow_down(rng, n):
    """Fast at first, as before a chip is hot or a queue is full."""
    begin = int(rng.integers(5, n // 2))
    return np.where(np.arange(n) < begin, 1.0, 1 + rng.uniform(0.25, 0.8))


def cyclic(rng, n):
    """Swings between two levels, square or smooth."""
    period = rng.uniform(8, n / 2.5)
    wave = np.sin(2 * np.pi * (np.arange(n) / period + rng.random()))
    return 1 + rng.uniform(0.25, 0.6) * (np.sign(wave) if rng.random() < 0.5 else wave) / 1.2


@pytest.mark.parametrize(
    ("shape", "kind"), [(flat, "flat"), (warm_up, "warm-up"), (slow_down, "slow-down"), (cyclic, "no steady state")]
)
def test_synthetic_traces_get_their_name_95_times_in_100(shape, kind):
    rng = np.random.default_rng(21)
    found = []
    for _ in range(N_TRACES):
        trace = traces.classify_trace(noisy(rng, shape(rng, int(rng.integers(30, 61)))))
        found.append(trace.kind)

    assert found.count(kind) >= 0.95 * N_TRACES, {name: found.count(name) for name in set(found)}


def test_the_steady_part_begins_where_the_level_changes():
    rng = np.random.default_rng(5)

    level = np.where(np.arange(40) < 12, 1.6, 1.0)
    found = traces.classify_trace(blocks_of(level * (1 + 0.01 * rng.standard_normal(40))))

    assert ("warm-up", 12) == (found.kind, found.steady_from)
    assert [0, 12] == [start for start, _ in found.levels]
    assert (1.6, 1.0) == pytest.approx([level for _, level in found.levels], rel=0.05)


def test_a_trace_without_steady_part_says_so():
    late = traces.classify_trace(blocks_of([1.0] * 27 + [2.0] * 4))

    assert ("no steady state", None) == (late.kind, late.steady_from)


def test_constant_and_single_outlier_traces_are_flat():
    for seconds in ([1.0] * 20, [1.0] * 10 + [9.0] + [1.0] * 10):
        found = traces.classify_trace(blocks_of(seconds))
        assert ("flat", 0) == (found.kind, found.steady_from)


def test_a_step_below_the_limit_is_no_level():
    size = 1 + traces.LEVEL_FRAC
    assert "flat" == traces.classify_trace(blocks_of([size - 0.01] * 15 + [1.0] * 15)).kind
    assert "warm-up" == traces.classify_trace(blocks_of([size + 0.01] * 15 + [1.0] * 15)).kind


def test_short_traces_have_no_name():
    assert traces.classify_trace(blocks_of([1.0] * (traces.MIN_TRACE - 1))) is None
    assert traces.classify_trace(blocks_of([1.0] * traces.MIN_TRACE)) is not None
    assert traces.classify_trace(()) is None


def test_names_do_not_depend_on_the_unit_of_time():
    rng = np.random.default_rng(3)
    blocks = noisy(rng, warm_up(rng, 40))

    scaled = tuple(Block(n_steps=block.n_steps, seconds=1000 * block.seconds) for block in blocks)

    one, other = traces.classify_trace(blocks), traces.classify_trace(scaled)
    assert (one.kind, one.steady_from) == (other.kind, other.steady_from)


def test_a_runs_trace_is_its_warm_up_and_then_its_blocks():
    run = make_run(step_s=(1.0, 2.0))

    assert (*run.warmup, *run.blocks) == traces.trace_of(run)


# Flags.


def control(seconds: float) -> Control:
    return Control(n=64, seconds=(seconds,) * 3)


QUIET = {"control_before": control(1.0), "control_after": control(1.0), "total_s": 10.0}
DISTURBED = {
    "load": {"before": make_conditions(load_1min=2.6)},
    "gpu shared": {"after": make_conditions(n_gpu_processes=1)},
    "gpu throttled": {"after": make_conditions(gpu_throttle="hardware slowdown")},
    "cpu hot": {"after": make_conditions(cpu_temperature_c=97.0)},
    "gpu hot": {"after": make_conditions(gpu_temperature_c=86.0)},
    "quota": {"before": make_conditions(n_throttled_periods=100), "after": make_conditions(n_throttled_periods=106)},
    "cpu clock": {"before": make_conditions(cpu_clock_hz=3.0e9), "after": make_conditions(cpu_clock_hz=2.6e9)},
    "gpu clock": {"before": make_conditions(gpu_clock_hz=1.9e9), "after": make_conditions(gpu_clock_hz=1.6e9)},
    "control": {"control_after": control(1.6)},
}
# The same signs, each just within its limit.
CALM = {
    "load": {"before": make_conditions(load_1min=2.4)},
    "gpu shared": {"after": make_conditions(n_gpu_processes=0)},
    "gpu throttled": {"after": make_conditions(gpu_throttle="")},
    "cpu hot": {"after": make_conditions(cpu_temperature_c=94.0)},
    "gpu hot": {"after": make_conditions(gpu_temperature_c=84.0)},
    "quota": {"before": make_conditions(n_throttled_periods=100), "after": make_conditions(n_throttled_periods=104)},
    "cpu clock": {"before": make_conditions(cpu_clock_hz=3.0e9), "after": make_conditions(cpu_clock_hz=2.8e9)},
    "gpu clock": {"before": make_conditions(gpu_clock_hz=1.6e9), "after": make_conditions(gpu_clock_hz=1.9e9)},
    "control": {"control_after": control(1.4)},
}


@pytest.mark.parametrize("sign", DISTURBED)
def test_every_sign_of_disturbance_is_seen(sign):
    assert [sign] == list(disturbed.run_flags(make_run(**QUIET | DISTURBED[sign]), n_cores=2))


@pytest.mark.parametrize("sign", CALM)
def test_what_stays_within_its_limit_is_no_sign(sign):
    assert {} == disturbed.run_flags(make_run(**QUIET | CALM[sign]), n_cores=2)


def test_a_control_kernel_that_got_faster_is_a_sign_too():
    run = make_run(**QUIET | {"control_before": control(1.6)})

    assert ["control"] == list(disturbed.run_flags(run))
    assert 1 / 1.6 == pytest.approx(disturbed.control_factor(run))


def test_what_the_machine_does_not_tell_is_no_sign():
    nothing = make_conditions(**dict.fromkeys(make_conditions().__struct_fields__))
    run = make_run(before=nothing, after=nothing, control_before=None, control_after=None)

    assert {} == disturbed.run_flags(run, n_cores=2)
    assert {} == disturbed.run_flags(make_run(before=None, after=None), n_cores=2)
    assert {} == disturbed.run_flags(make_run(**QUIET | DISTURBED["load"]))  # without cores the load is not judged


@pytest.mark.parametrize(("n_disturbed", "expected"), [(0, ()), (1, ()), (2, ("2 of 4",)), (4, ("4 of 4",))])
def test_a_cell_is_flagged_when_half_of_its_runs_are(n_disturbed, expected):
    runs = [make_run(i, **QUIET | (DISTURBED["control"] if i < n_disturbed else {})) for i in range(4)]
    runs.append(make_run(4, status="failed", **DISTURBED["control"]))  # did not finish: is in no estimate either

    found = disturbed.flags(make_record(runs=runs), n_cores=2)

    assert len(expected) == len(found)
    assert all(words in text for words, text in zip(expected, found, strict=True))


def study(*units: str, series: tuple[Series, ...] = ()):
    """A disturbed cell of a study that reads values of these units."""
    shared = {"before": make_conditions(n_gpu_processes=1), "after": make_conditions(n_gpu_processes=1)}
    like = make_record("call-styles", runs=[make_run(cell=make_cell("call-styles"), **DISTURBED["control"] | shared)])
    readings = tuple(Reading(id=f"value-{unit}", label=unit, unit=unit) for unit in units)
    return msgspec.structs.replace(like, spec=msgspec.structs.replace(like.spec, series=series, readings=readings))


def test_bytes_do_not_wait_for_a_core_but_share_the_memory_of_a_gpu():
    in_bytes = disturbed.flags(study("bytes", "count"), n_cores=2)

    assert 1 == len(in_bytes) and "another process used the GPU" in in_bytes[0]
    for timed in (study("bytes", "s"), study("bytes", series=(Series(id="predict", label="predict"),)), study("ratio")):
        assert 2 == len(disturbed.flags(timed, n_cores=2))


# A cell against itself.


def split(even: float, odd: float, n: int, spread: float = 0.01):
    rng = np.random.default_rng(n)
    return make_record(
        runs=[make_run(i, step_s=tuple((odd if i % 2 else even) * (1 + spread * rng.random(5)))) for i in range(n)]
    )


def test_halves_of_one_cell_agree():
    found = self_test.against_itself(split(1.0, 1.0, 10))

    assert (5, 5, False, False) == (found.n_even, found.n_odd, found.differs, found.is_weak)
    assert 1.0 == pytest.approx(found.ratio.value, rel=0.01)
    assert 0 < found.sees_frac < 0.05


def test_halves_that_differ_are_found_out():
    found = self_test.against_itself(split(1.0, 1.2, 10))

    assert found.differs
    assert 1.2 == pytest.approx(found.ratio.value, rel=0.01)  # even runs took less time: more throughput


def test_two_against_three_is_weak_and_sees_less():
    weak, full = self_test.against_itself(split(1.0, 1.0, 5)), self_test.against_itself(split(1.0, 1.0, 10))

    assert (3, 2, True) == (weak.n_even, weak.n_odd, weak.is_weak)
    assert weak.sees_frac > full.sees_frac


def test_fewer_than_two_runs_in_a_half_tell_nothing():
    assert self_test.against_itself(split(1.0, 1.0, 3)) is None
    assert self_test.against_itself(make_record(status="failed")) is None


def test_false_differences_between_halves_are_as_rare_as_promised():
    rng = np.random.default_rng(9)
    n_draws, false = 300, 0
    for trial in range(n_draws):
        centers = np.exp(0.05 * rng.standard_normal(10))
        halves = [bootstrap.draws_of([[c] for c in centers[parity::2]], seed=2 * trial + parity) for parity in (0, 1)]
        false += estimate.side(bootstrap.ratio_of(*halves)) != "overlaps"

    # Three standard errors of 300 draws are 4 %.
    assert false / n_draws <= 0.09


# The committed records.


def test_few_committed_cells_are_flagged():
    """Limits that flag most of a published session would say nothing; those that flag none might not work."""
    for session in committed.results().sessions:  # a visitor's machine may have been busy: its flags are right
        measured = [record for record in session.records.values() if record.status == "ok"]
        flagged = [r for r in measured if disturbed.flags(r, n_cores=session.session.n_cores_effective)]
        assert len(flagged) < 0.25 * len(measured), session.path


def test_flags_do_not_change_a_record():
    record = make_record(runs=[make_run(**QUIET | DISTURBED["control"])])
    before = msgspec.json.encode(record)

    disturbed.flags(record, n_cores=2)

    assert before == msgspec.json.encode(record)
