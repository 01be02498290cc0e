"""Two sessions side by side: ratios under the right name, planted changes found, noise not called a change."""

import msgspec
import numpy as np
import pytest

from bench.report.evidence import against
from bench.report.stats import estimate
from bench.schema import Block, Reading, Series
from tests.factories import make_cell, make_gpu, make_machine, make_record, make_run, make_session, make_session_results

NAMES = ("cnn-digits", "lstm-text", "mlp-tabular", "mobilenet-v2", "resnet50", "transformer-text")


def make_side(factor=1.0, *, day="2026-11-03", machine=None, names=NAMES, n_runs=5, threads=2, odd=None, **session):
    """A session whose steps take ``factor`` times the invented time; ``odd`` maps workloads to other factors."""
    machine = machine or make_machine()
    records = []
    for name in names:
        cell = make_cell(name, threads=threads)
        step_s = 0.05 * (odd or {}).get(name, factor)
        records.append(make_record(name, step_s=step_s, n_runs=n_runs, session_date=day, threads=cell.threads))
    described = make_session(records, id=day, machine_id=machine.id, n_cores_effective=threads, **session)
    return make_session_results(records, machine=machine, session=described)


def other_machine(**fields):
    return make_machine("other-16c", cpu_family="OtherVendor 9/9/9", n_logical_cores=16, **fields)


def test_that_machine_over_this_machine_is_above_one_when_that_one_is_faster():
    here, there = make_side(2.0), make_side(1.0, machine=other_machine())

    found = against.compare(here, there)

    assert not found.same_machine
    assert {"slower"} == {row.order for row in found.rows}
    for row in found.rows:
        assert row.ratio.low <= 2.0 * 1.03
        assert row.ratio.value == pytest.approx(2.0, rel=0.05)
        assert row.change is None


def test_cells_of_two_machines_meet_when_each_uses_all_its_cores():
    here, there = make_side(), make_side(machine=other_machine(), threads=16)

    twins = against.twins(here, there)

    assert len(NAMES) == len(twins)
    assert all("-t2" in mine.cell.id and "-t16" in theirs.cell.id for mine, theirs in twins)


def test_a_cell_on_some_of_the_cores_has_no_twin_on_another_machine():
    here = make_side()
    there = make_side(machine=other_machine(), threads=4)
    there = there._replace(session=msgspec.structs.replace(there.session, n_cores_effective=16))

    assert () == against.compare(here, there).rows
    assert "run the same profile" in against.normal(against.compare(here, there))


@pytest.mark.parametrize(
    "changed", [{"id": "another"}, {"cpu_family": "V 1/2/3"}, {"n_logical_cores": 64}, {"gpus": (make_gpu(),)}]
)
def test_two_machines_are_one_only_if_nothing_tells_them_apart(changed):
    machine = make_machine()

    assert against.is_same_machine(machine, msgspec.structs.replace(machine, os="Linux 7"))
    assert not against.is_same_machine(machine, msgspec.structs.replace(machine, **changed))


def test_a_planted_slow_down_between_two_dates_is_named():
    here = make_side(day="2026-12-01", odd={"lstm-text": 1.3})
    found = against.compare(here, make_side())

    assert found.same_machine
    verdicts = {row.cell_id.split("-train")[0]: row.change.verdict for row in found.rows}
    assert {"lstm-text": "slower"} == {name: v for name, v in verdicts.items() if v != "no change shown"}
    sentence = against.normal(found)
    assert (
        "This machine is normal: 5 of 6 results are within 10 % of example-2c/2026-11-03, 1 slower, 0 faster"
        in sentence
    )
    assert "Of 6 tested, 1 became slower" in sentence
    assert ["lstm-text"] == [row.cell_id.split("-train")[0] for row in against.standing_out(found)]


def test_two_quiet_dates_are_normal():
    found = against.compare(make_side(day="2026-12-01"), make_side())

    assert "This machine is normal: 6 of 6 results" in against.normal(found)
    assert [] == against.standing_out(found)


def test_a_machine_that_is_slow_throughout_is_not_normal():
    """The same processor and cores under another name: equal numbers are to be expected, and these are not."""
    found = against.compare(make_side(1.5), make_side(machine=make_machine("twin-2c")))

    assert found.is_like and not found.same_machine
    assert "This machine is not normal: 0 of 6 results are within 10 % of twin-2c" in against.normal(found)
    assert "6 slower, 0 faster" in against.normal(found)


def test_the_farthest_off_comes_first():
    here = make_side(odd={"lstm-text": 1.3, "resnet50": 4.0, "mlp-tabular": 0.6})

    found = against.standing_out(against.compare(here, make_side(machine=make_machine("twin-2c"))))

    assert ["resnet50", "mlp-tabular", "lstm-text"] == [row.cell_id.split("-train")[0] for row in found]


def test_the_most_like_machine_is_picked():
    """The same processor before the same cores, both before another kind; without a cell in common none."""
    here = make_side(machine=make_machine("mine-2c", n_logical_cores=4))
    same_cpu = make_side(machine=make_machine("same-cpu-16c"), threads=16)
    same_cores = make_side(machine=other_machine(cpu_model="Other"))
    far = make_side(machine=other_machine(cpu_model="Other"), threads=64)
    nothing = make_side(machine=make_machine("mine-2c", n_logical_cores=4), names=())

    assert same_cpu is against.most_like(here, [far, same_cores, same_cpu, nothing])
    assert same_cores is against.most_like(here, [far, same_cores, nothing])
    assert None is against.most_like(here, [nothing])


def test_the_rule_names_the_test_and_the_minimum_effect():
    assert "Mann-Whitney" in against.rule()
    assert "at least 5 %" in against.rule()


def test_a_sure_but_small_change_is_not_called_one():
    before = [1.0, 1.001, 1.002, 1.003, 1.004]

    found = against.change_of(before, [value * 1.03 for value in before])

    assert found.p < against.ALPHA
    assert "no change shown" == found.verdict


def test_a_large_but_unsure_change_is_not_called_one():
    found = against.change_of([1.0, 1.4, 1.1, 1.5, 1.2], [1.3, 1.6, 1.05, 1.7, 1.45])

    assert found.effect_frac > against.MIN_EFFECT_FRAC
    assert "no change shown" == found.verdict


@pytest.mark.parametrize(("n", "m", "verdict"), [(3, 3, "too few runs"), (1, 5, "too few runs"), (4, 4, "slower")])
def test_few_runs_cannot_be_tested(n, m, verdict):
    before, after = [1.0 + 0.001 * i for i in range(n)], [2.0 + 0.001 * i for i in range(m)]

    assert verdict == against.change_of(before, after).verdict


def test_false_changes_are_as_rare_as_the_level_says():
    """Nested noise with slow neighbours, 2,000 pairs of the same cell: at most the level, less the minimum effect."""
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(2000):
        pair = 1 + 0.03 * rng.standard_normal((2, 5)) + 0.3 * (rng.random((2, 5)) < 0.1)
        found += against.change_of(list(pair[0]), list(pair[1])).verdict != "no change shown"

    assert 0 < found <= 1.2 * against.ALPHA * 2000


def test_a_planted_change_of_a_fifth_is_nearly_always_found():
    rng = np.random.default_rng(8)
    pairs = [(1 + 0.03 * rng.standard_normal(5), 1.2 + 0.03 * rng.standard_normal(5)) for _ in range(500)]

    verdicts = [against.change_of(list(a), list(b)).verdict for a, b in pairs]

    assert verdicts.count("slower") >= 0.95 * 500


def test_a_cell_out_of_the_pattern_of_two_machines_stands_out():
    """This machine is twice as slow everywhere but on one cell, where it is ten times as slow."""
    here, there = make_side(2.0, odd={"resnet50": 10.0}), make_side(1.0, machine=other_machine())

    found = against.compare(here, there)

    sentence = against.normal(found)
    assert "5 of 6 results keep within 2x of their proportion to other-16c/2026-11-03" in sentence
    assert "that machine / this machine is 2" in sentence
    assert ["resnet50"] == [row.cell_id.split("-train")[0] for row in against.standing_out(found)]
    assert "speed-up" not in sentence


def test_a_constant_factor_between_two_machines_is_normal():
    sentence = against.normal(against.compare(make_side(3.0), make_side(machine=other_machine())))

    assert "This machine is normal, as far as another kind can tell: 6 of 6" in sentence


def test_few_common_cells_make_no_pattern():
    here, there = make_side(3.0, names=NAMES[:2]), make_side(machine=other_machine(), names=NAMES[:2])

    assert "2 CPU results are too few for a pattern" in against.normal(against.compare(here, there))


def test_what_differs_beside_the_machine_is_listed():
    here = make_side(versions={"keras": "3.13.0"}, environment={"TF_ENABLE_ONEDNN_OPTS": "0"})
    there = make_side(versions={"keras": "3.12.0"})

    found = against.compare(here, there).differences

    assert ("keras 3.12.0 there, 3.13.0 here", "TF_ENABLE_ONEDNN_OPTS is 'unset' there, '0' here") == found


def test_another_source_of_the_workload_is_not_compared():
    record = make_record("resnet50")
    here = make_session_results([record])
    there = make_session_results([make_record("resnet50", source_hash="f" * 16)])

    (row,) = against.compare(here, there).rows

    assert row.ratio is None
    assert "not comparable" in row.problem and "source" in row.problem


def test_a_study_is_compared_series_by_series():
    cell = make_cell("matmul", mode="study")
    spec = msgspec.structs.replace(
        make_record("matmul").spec,
        kind="study",
        series=(Series(id="slow", label="slow"), Series(id="fast", label="fast")),
        readings=(Reading(id="r", label="r", unit="s"),),
    )

    def study(factor, day):
        runs = [
            make_run(
                index,
                cell=cell,
                blocks=(),
                started_at=f"{day}T08:0{index}:00+00:00",
                series={
                    name: tuple(Block(n_steps=1, seconds=factor * seconds * (1 + 0.001 * i)) for i in range(9))
                    for name, seconds in (("slow", 1.0), ("fast", 0.1))
                },
            )
            for index in range(3)
        ]
        return make_session_results([make_record("matmul", mode="study", spec=spec, runs=runs)])

    rows = against.compare(study(3.0, "2026-12-01"), study(1.0, "2026-11-03")).rows

    assert ["slow", "fast"] == [row.series for row in rows]
    assert [3.0, 3.0] == [pytest.approx(row.ratio.value) for row in rows]
    assert {"slower"} == {row.order for row in rows}


def make_ratio(value, low, high):
    return estimate.Estimate(value=value, low=low, high=high, n=3, n_samples=90, unit="ratio", spread_frac=0.0)


@pytest.mark.parametrize(
    ("ratio", "same_machine", "expected"),
    [
        (make_ratio(1.0, 0.9, 1.1), True, "agrees"),
        (make_ratio(1.1, 1.04, 1.2), True, "agrees"),
        (make_ratio(0.9, 0.8, 0.951), True, "agrees"),
        (make_ratio(1.1, 1.06, 1.2), True, "disagrees"),
        (make_ratio(0.9, 0.8, 0.94), True, "disagrees"),
        (make_ratio(1.0, 0.9, 1.1), False, "not comparable"),
    ],
)
def test_a_rerun_agrees_within_the_tolerance_on_the_same_machine_only(ratio, same_machine, expected):
    assert expected == against.agreement(ratio, same_machine=same_machine)


def test_the_tolerance_can_be_chosen():
    assert "agrees" == against.agreement(make_ratio(1.2, 1.15, 1.3), same_machine=True, tolerance_frac=0.2)


def make_rows(*ratios, problem=""):
    row = against.Row("cell", "", "cpu", "images", None, None, None, None, None, problem)
    return [row._replace(ratio=ratio) for ratio in ratios or (None,)]


@pytest.mark.parametrize(
    ("rows", "same_machine", "verdict", "words"),
    [
        (make_rows(make_ratio(1.0, 0.9, 1.1)), True, "agrees", "comes within 5 % of 1"),
        (make_rows(make_ratio(2.0, 1.9, 2.1)), True, "disagrees", "stays outside 5 % of 1"),
        (make_rows(make_ratio(1.0, 0.9, 1.1)), False, "not comparable", "another machine than example-2c/2026-11-03"),
        (make_rows(problem="the study has changed"), True, "not comparable", "the study has changed"),
        (make_rows(), True, "not comparable", "no steps were timed"),
        (make_rows(make_ratio(1.0, 0.9, 1.1), make_ratio(2.0, 1.9, 2.1)), True, "disagrees", "at least one"),
        (make_rows(make_ratio(1.0, 0.9, 1.1), make_ratio(1.0, 0.9, 1.1)), True, "agrees", "each ratio's"),
    ],
)
def test_the_verdict_on_a_rerun(rows, same_machine, verdict, words):
    found, why = against.conclude(rows, make_side(), same_machine=same_machine)

    assert verdict == found
    assert words in why
