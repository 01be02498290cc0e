"""How old a page's numbers are: their days, the Keras they ran with beside the newest one, the day of a price. Pure.

What stays true after the build is decided here; days are counted in the browser, because a page outlives its build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.records.store import SessionResults
from bench.report.published.figures import Figure

OLD_AT_DAYS = 180
PRICE_OLD_AT_DAYS = 91  # "older than ninety days"
MINOR = re.compile(r"(\d+)\.(\d+)")
PRICE_DAY = re.compile(r"(?:before )?(\d{4}(?:-\d{2}){0,2})(?: onwards)?")


def day(session: SessionResults) -> str:
    """The day on which a session began, as "2026-11-21"."""
    return session.session.started_at[:10]


def days(sessions: Iterable[SessionResults]) -> tuple[str, ...]:
    """First and last day of some sessions; one day if they are the same, none without sessions."""
    found = sorted({day(session) for session in sessions})
    return tuple(found) if len(found) < 2 else (found[0], found[-1])


def keras_minor(session: SessionResults) -> tuple[int, int] | None:
    """Major and minor version of the Keras that a session used; None where it is not recorded."""
    found = MINOR.match(session.session.versions.get("keras", ""))
    return (int(found.group(1)), int(found.group(2))) if found else None


def behind(used: Iterable[SessionResults], known: Iterable[SessionResults]) -> str:
    """In words, when the oldest Keras among the used sessions is older by a minor version than the newest known one."""
    oldest = min((minor for s in used if (minor := keras_minor(s))), default=None)
    newest = max((minor for s in known if (minor := keras_minor(s))), default=None)
    if oldest is None or newest is None or oldest >= newest:
        return ""
    return f"Keras {oldest[0]}.{oldest[1]}, newest here {newest[0]}.{newest[1]}"


def price_day(figure: Figure) -> str:
    """The date of a published price, as "2026", "2026-09" or "2026-09-20"; empty for other figures and vague dates."""
    if "USD" not in figure.unit and "price" not in figure.metric:
        return ""
    found = PRICE_DAY.fullmatch(figure.date)
    return found.group(1) if found else ""
