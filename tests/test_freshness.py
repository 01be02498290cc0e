"""How old numbers are: days of sessions, a Keras that is behind, dates of published prices."""

from __future__ import annotations

import msgspec
import pytest

from bench.report.published import figures as published
from bench.report.published import freshness
from tests.factories import make_session, make_session_results


def session(started_at: str = "2026-11-02T10:00:00Z", *, keras: str = "3.12.0"):
    versions = {"python": "3.11.2"} | ({"keras": keras} if keras else {})
    return make_session_results(session=make_session(started_at=started_at, versions=versions))


def test_days_are_the_first_and_the_last():
    assert () == freshness.days([])
    assert ("2026-11-02",) == freshness.days([session(), session()])
    assert ("2025-01-09", "2026-11-02") == freshness.days([session(), session("2025-01-09T00:00:00Z")])


@pytest.mark.parametrize(
    ("used", "known", "words"),
    [
        (["3.12.0"], ["3.12.1"], ""),  # a patch release is not behind
        (["3.9.2"], ["3.9.2", "3.10.0"], "Keras 3.9, newest here 3.10"),  # by number, not by letters
        (["3.12.0", "2.15.0"], ["3.12.0"], "Keras 2.15, newest here 3.12"),  # the oldest of the page counts
        ([""], ["3.12.0"], ""),  # not recorded
        ([], ["3.12.0"], ""),
    ],
)
def test_behind_the_newest_keras(used, known, words: str):
    assert words == freshness.behind([session(keras=k) for k in used], [session(keras=k) for k in known])


@pytest.mark.parametrize(
    ("unit", "date", "expected"),
    [
        ("USD/hour", "2026-09-20", "2026-09-20"),
        ("USD", "2021-02", "2021-02"),
        ("USD", "before 2025-01-01", "2025-01-01"),
        ("USD", "2018 onwards", "2018"),
        ("USD", "undated stored copy", ""),
        ("USD", "2025-2026 (catalogue v8)", ""),
        ("ms", "2026-09-20", ""),  # no price
    ],
)
def test_the_day_of_a_price(unit: str, date: str, expected: str):
    figure = msgspec.structs.replace(next(iter(published.figures().values())), unit=unit, metric="m", date=date)

    assert expected == freshness.price_day(figure)
