"""Whether a session agrees with itself: the two halves of its repeats."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from bench.report.stats import estimate, quantities
from bench.schema import Record


class SelfTest(NamedTuple):
    """A session against itself: how often even runs of a headline cell seem to differ from its odd runs.

    ``planned`` is the cell that the plan repeats twice as often for this test, None in a session without one;
    ``halves`` are all headline cells with two runs or more in each half.
    """

    planned: tuple[Record, Halves] | None
    halves: tuple[tuple[Record, Halves], ...]

    @property
    def n_different(self) -> int:
        """Headline cells that seem to differ from themselves."""
        return sum(against.differs for _, against in self.halves)

    @property
    def false_frac(self) -> estimate.Estimate:
        """Share of headline cells that seem to differ from themselves, with Wilson's interval; 0.05 is expected."""
        return estimate.share(self.n_different, len(self.halves))

    @property
    def passed(self) -> bool:
        """Whether the planned cell agrees with itself; without one, whether the share may be the expected one."""
        if self.planned is not None:
            return not self.planned[1].differs
        return self.false_frac.low <= 1 - estimate.CONFIDENCE_FRAC

    @property
    def is_weak(self) -> bool:
        """Whether no cell has enough runs for a test that sees more than large differences."""
        return self.planned is None


class Halves(msgspec.Struct, frozen=True, kw_only=True):
    """A cell against itself: its even runs over its odd ones, which nothing should tell apart."""

    ratio: estimate.Estimate
    n_even: int
    n_odd: int

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1, which it should do in 5 % of such tests."""
        return estimate.side(self.ratio) != "overlaps"

    @property
    def is_weak(self) -> bool:
        """Whether a half has fewer runs than a headline cell: then only a large difference would be seen."""
        return min(self.n_even, self.n_odd) < estimate.MIN_RUNS

    @property
    def sees_frac(self) -> float:
        """How far the interval reaches from its value, as a share: a smaller difference would have gone unseen."""
        return max(self.ratio.high / self.ratio.value, self.ratio.value / self.ratio.low) - 1


# A cell against itself, and against its own past.


def against_itself(record: Record) -> Halves | None:
    """The ratio of a cell's even runs to its odd ones, or None with fewer than two in a half.

    Runs of a cell take turns with those of other cells, so drift of the machine hits both halves alike.
    """
    runs = sorted(quantities.ok_runs(record), key=lambda run: run.index)
    even, odd = (
        msgspec.structs.replace(record, runs=tuple(run for run in runs if run.index % 2 == parity)) for parity in (0, 1)
    )
    if min(len(even.runs), len(odd.runs)) < 2:
        return None
    ratio = quantities.ratio(even, odd)
    return None if ratio is None else Halves(ratio=ratio, n_even=len(even.runs), n_odd=len(odd.runs))
