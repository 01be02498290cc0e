"""What flipped: only real changes, in the order of the sessions, with the cause that the sessions themselves tell."""

from __future__ import annotations

from bench.report.claims import flipped
from tests.beliefs import BELIEFS
from tests.factories import make_evidence, make_gpu, make_machine, make_record, make_session, make_session_results


def session(day: int, *, machine=None, versions=None, **fields):
    records = [make_record("cnn-digits", jit="off", session_date=f"2026-11-{day:02d}", **fields)]
    machine = machine or make_machine()
    more = {"versions": versions} if versions else {}
    described = make_session(
        records, machine_id=machine.id, id=f"2026-11-{day:02d}", started_at=f"2026-11-{day:02d}T08:00:00+00:00", **more
    )
    return make_session_results(records, machine=machine, session=described)


def test_one_session_flips_nothing():
    assert () == flipped.flips(make_evidence(session(1)), BELIEFS)


def test_the_same_times_again_flip_nothing():
    assert () == flipped.flips(make_evidence(session(1), session(2)), BELIEFS)


def test_a_verdict_that_turns_is_told_with_both_sentences():
    slow = session(1, step_s=2_000.0)

    found = flipped.flips(make_evidence(slow, session(2)), BELIEFS)

    turned = {flip.after.id: (flip.before.outcome, flip.after.outcome) for flip in found}
    assert ("true", "false") == turned["not-feasible-without-gpu"]
    assert all(flip.before.sentence != flip.after.sentence for flip in found)
    assert {"more records of a known machine"} == {flip.cause for flip in found}


def test_causes():
    known = session(1)
    versions = known.session.versions | {"keras": "99.0"}
    gpu = session(3, machine=make_machine("other-16c", cpu_model="Other CPU", gpus=(make_gpu(),)))

    assert flipped.cause(session(2, versions=versions), [known]).startswith("version: keras ")
    assert "hardware: a new machine, Other CPU with Example GPU" == flipped.cause(gpu, [known])
