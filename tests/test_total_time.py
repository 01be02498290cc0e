"""Whole jobs from their parts: the sum, its check against measured jobs, and what is said when it is off."""

import re

import pytest

from bench.report.stats import quantities, total_time
from bench.schema import Block, Epoch, Job
from tests import committed
from tests.factories import make_cell, make_record, make_run

SET_UP = {"import": 3.0, "device_start": 0.5, "data": 0.25, "build": 0.25}


def make_job_run(index, *, step_s, seconds, n_epochs=2, evaluations=(), first_step_s=1.0):
    """A run with 4 s of set-up, given steps, and a whole job of 80 steps an epoch."""
    quality = list(evaluations) + [None] * n_epochs
    epochs = tuple(
        Epoch(
            loss=0.1,
            quality=None if quality[i] is None else 0.9,
            at_s=seconds * (i + 1) / n_epochs,
            evaluation_s=quality[i] or 0.0,
        )
        for i in range(n_epochs)
    )
    return make_run(
        index,
        cell=make_cell("transfer-2000"),
        phases_s=SET_UP | {"first_step": first_step_s},
        blocks=tuple(Block(n_steps=1, seconds=step_s) for _ in range(5)),
        job=Job(epochs=epochs, seconds=seconds, reached=None),
        total_s=seconds + 20,
    )


def make_job_record(*runs):
    return make_record("transfer-2000", runs=runs)


def test_a_job_is_set_up_first_step_and_the_other_steps():
    record = make_job_record(make_job_run(0, step_s=0.1, seconds=17.0))

    assert 4.0 + 1.0 == pytest.approx(quantities.projected_time(record, 1).value)
    assert 4.0 + 1.0 + 999 * 0.1 == pytest.approx(quantities.projected_time(record, 1000).value)


def test_the_measured_job_is_in_no_part():
    """The check may not use what it checks: another duration of the job leaves the prediction as it is."""
    usual, slow = (make_job_record(make_job_run(0, step_s=0.1, seconds=s)) for s in (16.9, 33.8))

    first, second = total_time.check(usual), total_time.check(slow)

    assert first.predicted_s == second.predicted_s == pytest.approx(4.0 + 1.0 + 159 * 0.1)
    assert first.holds and not second.holds
    assert 160 == first.n_steps


def test_a_prediction_comes_from_the_other_processes():
    """One process has steps and a job three times slower; its own parts would have foretold its own job."""
    runs = [make_job_run(i, step_s=0.1, seconds=16.9) for i in range(2)]
    found = total_time.check(make_job_record(*runs, make_job_run(2, step_s=0.3, seconds=48.7)))

    assert found.n == 3
    assert found.low < 0.5
    assert found.high > 1.5  # two runs, foretold from one usual and one slow process


def test_evaluations_belong_to_the_job_and_the_first_is_longer():
    record = make_job_record(
        make_job_run(0, step_s=0.1, seconds=1.0 + 239 * 0.1 + 2.2, n_epochs=3, evaluations=(2.0, 0.1, 0.1))
    )

    found = total_time.check(record)

    assert 1.0 == pytest.approx(found.ratio)
    assert found.holds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(16.9, "the sum holds"), (30.0, "so the sum is off here"), (10.0, "% more than the measured")],
)
def test_a_prediction_that_is_off_says_so(seconds, words):
    found = total_time.check(make_job_record(make_job_run(0, step_s=0.1, seconds=seconds)))

    assert words in total_time.in_words(found)


def test_jobs_that_disagree_say_how_far():
    runs = [make_job_run(i, step_s=0.1, seconds=seconds) for i, seconds in enumerate((16.9, 16.9, 40.0))]

    said = total_time.in_words(total_time.check(make_job_record(*runs)))

    assert "the sum is off here" in said
    assert re.search(r"Single jobs differ: by run it is from \d+ % less to \d+ % (more|less)\.", said), said
    assert "Single jobs" not in total_time.in_words(total_time.check(make_job_record(*runs[:2])))


def test_no_job_no_check_and_no_blocks_no_parts():
    assert total_time.check(make_record("resnet50")) is None
    assert total_time.check(make_record(status="failed")) is None
    assert total_time.parts_of(make_run(0, cell=make_cell(), blocks=())) is None
    with pytest.raises(ValueError, match="at least 1"):
        quantities.projected_time(make_record(), 0)


def test_most_committed_whole_jobs_are_foretold_by_their_parts():
    """The claim behind every projected time, over all real jobs; the page says where it does not hold."""
    found = {
        record.cell.id: check
        for session in committed.results().sessions
        for record in session.records.values()
        if (check := total_time.check(record)) is not None
    }

    assert len(found) >= 9
    holding = [cell_id for cell_id, check in found.items() if check.holds]
    assert len(holding) >= 0.8 * len(found), {k: v.ratio for k, v in found.items() if not v.holds}
