"""Facts about machines, clocks and sessions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.records.store import SessionResults
from bench.report.evidence import history, memory
from bench.report.evidence.cells import fastest, is_older_method
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.facts import fact
from bench.report.facts.fact import CellKey, Found
from bench.report.stats import format as fmt
from bench.report.stats import quantities, spoken, studies
from bench.report.stats.estimate import Estimate
from bench.schema import Backend, Device, Job, Mode, Precision, Record

MOST_PAIRS_LISTED = 3  # of two sessions; of more the fewest and the most
LATE_FRAC = 0.1  # of a job: fit came back late when it took that much longer to do so
OVERHEAD_LIMIT_FRAC = 0.01  # of a step: what this benchmark's own clock should stay within


def probe_rate(device: Device) -> None:
    """Register the highest rate of a matrix product on a device."""

    @fact.fact(
        f"matmul-{device}-rate",
        f"highest rate of a square matrix product on the {device.upper()}",
        "Operations by formula (2 n^3) over the median time of a step; the best n, backend and XLA setting in float32.",
    )
    def make(evidence: Evidence, session: SessionResults) -> Found | None:
        records = evidence.view(session).records(Pick("matmul", device=device, precision="float32-strict"))
        record = fastest(evidence.undisturbed(records), "flop_rate")
        value = None if record is None else quantities.flop_rate(record)
        if record is None or value is None:
            return None
        text = fact.named(fmt.interval(value), f"{fmt.count(float(record.cell.params['n']))} wide")
        return Found(text, fact.cells(evidence, record), value, fact.arm(record))


def sixteen_bits(precision: Precision, what: str, word: str) -> None:
    """The largest or smallest gain of a precision on a CPU: of the matrix product, or of a training."""
    name = precision.removeprefix("mixed_")

    @fact.fact(
        f"{name}-{what}-{word}-cpu",
        f"{word} speed of a {'matrix product' if what == 'matmul' else 'training'} on a CPU in {name}, over float32",
        "Over all machines: the rate of each cell divided by that of the same cell in strict float32, in one session; "
        "pairs that were disturbed count only where no other was measured.",
        of_all=True,
    )
    def make(evidence: Evidence, _: SessionResults) -> Found | None:
        is_product = what == "matmul"
        quantity = "flop_rate" if is_product else "throughput"
        workload: str | None = "matmul" if is_product else None
        mode: Mode | None = None if is_product else "train"
        found: list[tuple[Estimate, Record, Record]] = []
        for session in evidence.shown:
            for record in evidence.view(session).records(Pick(workload, mode, "cpu", precision=precision, status="ok")):
                twin = msgspec.structs.replace(record.cell, precision="float32-strict").id
                ratio = evidence.view(session).cell_ratio(record.cell.id, twin, quantity)
                if ratio is not None:
                    found.append((ratio, record, session.records[twin]))
        if not found:
            return None
        found = [one for one in found if not any(map(evidence.flags, one[1:]))] or found
        ratio, record, strict = (max if word == "best" else min)(found, key=lambda one: one[0].value)
        machine = evidence.view(evidence.session_of(record)).label
        arm = f"{evidence.title(record.cell.workload)}, {fmt.backend(record.cell.backend)}, {machine}"
        return Found(
            fact.named(fmt.interval(ratio), arm), fact.cells(evidence, record, strict), ratio, fact.arm(record)
        )


@fact.fact(
    "memory-caps-agree",
    "caps on memory under which the computed largest batch is the one found by trying",
    "Under each cap the largest batch of the line through readings at two batches, for the room that was left, against "
    "the one found by trying; both are powers of two.",
)
def _caps_agree(evidence: Evidence, session: SessionResults) -> Found | None:
    both = [(c, c.growth) for c in memory.caps(evidence, session) if c.computed is not None and c.growth is not None]
    if not both:
        return None
    n_equal = sum(capped.computed == capped.largest for capped, _ in both)
    records = [record for capped, growth in both for record in (capped.record, growth.small, growth.large)]
    return Found(f"{n_equal} of {len(both)}", fact.cells(evidence, *records))


def _of_this_clock(evidence: Evidence, session: SessionResults) -> tuple[Record, ...]:
    """Records of what the clock costs, without those that measured an earlier clock: they say nothing of this one."""
    found = evidence.view(session).records(Pick("harness-overhead", status="ok"))
    return tuple(record for record in found if not is_older_method(record))


def overhead(name: str, series: str, title: str) -> None:
    """Register what a series of the study adds to bare fit, over all its networks and backends."""

    @fact.fact(
        name,
        title,
        "One of two fits of the same network over the other, timed in turn in one process, paired by round; the median "
        "over the processes of all networks and backends.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        records = _of_this_clock(evidence, session)
        value = studies.pooled_ratio(records, series, "bare") if records else None
        if value is None:
            return None
        text = fmt.change(value)
        return Found(text, fact.cells(evidence, *records), value, short=text.partition(" (")[0])


@fact.fact(
    "harness-overhead-certain",
    "networks and backends in which the clock of this benchmark surely adds more than a hundredth to a step of fit",
    "Fit under the clock over fit as it comes, timed in turn in one process, paired by round; counted are the networks "
    "and backends whose 95 % interval lies above a hundredth.",
)
def _certain_overhead(evidence: Evidence, session: SessionResults) -> Found | None:
    records = _of_this_clock(evidence, session)
    ratios = [r for record in records if (r := studies.call_ratio(record, "clock", "bare")) is not None]
    n_above = sum(ratio.low > 1 + OVERHEAD_LIMIT_FRAC for ratio in ratios)
    return Found(f"{n_above} of {len(ratios)}", fact.cells(evidence, *records)) if ratios else None


def late_jobs(backend: Backend) -> None:
    """Register how many whole jobs in a backend came back late, and which one the latest."""

    def jobs(evidence: Evidence, session: SessionResults) -> list[tuple[Record, Job]]:
        records = evidence.view(session).records(Pick(mode="train", backend=backend, device="cpu", status="ok"))
        return [(record, run.job) for record in records for run in record.runs if run.job is not None]

    how = "From the end of the last epoch until fit had returned, in every whole job of the session on the CPU"

    @fact.fact(
        f"jobs-late-{backend}",
        f"whole jobs in {fmt.backend(backend)} in which fit came back late",
        f"{how}; late is by a tenth of the job or more.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        found = jobs(evidence, session)
        n_late = sum(job.return_s >= LATE_FRAC * job.done_s for _, job in found)
        return (
            Found(f"{n_late} of {len(found)}", fact.cells(evidence, *(record for record, _ in found)))
            if found
            else None
        )

    @fact.fact(
        f"jobs-longest-return-{backend}",
        f"the longest time that fit took to come back after a whole job in {fmt.backend(backend)}",
        f"{how}; the longest, and the seconds of its job.",
    )
    def _(evidence: Evidence, session: SessionResults) -> Found | None:
        found = jobs(evidence, session)
        if not found:
            return None
        record, job = max(found, key=lambda pair: pair[1].return_s)
        text = f"{fmt.seconds(job.return_s)} after {fmt.seconds(job.done_s)} of work"
        short = f"{spoken.seconds(job.return_s)} after {spoken.seconds(job.done_s)} of work"
        return Found(text, fact.cells(evidence, record), note=record.spec.title, short=short)


@fact.fact(
    "sessions-overlap-elsewhere",
    "headline intervals that overlap, for every two sessions of each other machine",
    "As for the leading machine, of which sessions-overlap tells.",
    of_all=True,
)
def _overlap_elsewhere(evidence: Evidence, _: SessionResults) -> Found | None:
    repeated = [(session, pairs) for session in evidence.shown[1:] if (pairs := repeats(evidence, session))]
    if not repeated:
        return None
    text = "; ".join(f"{overlap_words(pairs)} on {evidence.view(session).label}" for session, pairs in repeated)
    return Found(text, of_pairs(evidence, [found for _, pairs in repeated for found in pairs]))


def overlap_words(pairs: Sequence[history.Overlap]) -> str:
    """Each pair's count; of many the fewest and the most."""
    *others, last = [found.text for found in pairs]
    if len(pairs) > MOST_PAIRS_LISTED:
        fewest, *_, most = sorted(pairs, key=lambda found: len(found.together) / found.n)
        return f"{fewest.text} to {most.text}"
    return f"{', '.join(others)} and {last}" if others else last


@fact.fact(
    "sessions-overlap-enough",
    "pairs of sessions of one machine in which nine of ten headline intervals overlap",
    "Every two sessions with equal versions; counted are those in which the 95 % intervals of at least nine of ten "
    "headline cells overlap.",
)
def _overlap_enough(evidence: Evidence, session: SessionResults) -> Found | None:
    pairs = repeats(evidence, session)
    if not pairs:
        return None
    enough = [found for found in pairs if len(found.together) >= history.EXPECTED_FRAC * found.n]
    note = f"sessions {'; '.join(found.names for found in enough)}" if enough else ""
    return Found(f"{len(enough)} of {len(pairs)}", of_pairs(evidence, pairs), note=note)


def repeats(evidence: Evidence, session: SessionResults) -> tuple[history.Overlap, ...]:
    """Every two sessions of the session's machine with equal versions."""
    return history.repeats(history.same_machine(evidence.sessions, session))


def of_pairs(evidence: Evidence, pairs: Sequence[history.Overlap]) -> tuple[CellKey, ...]:
    """Cells of both records of each pair."""
    return fact.cells(evidence, *(record for found in pairs for record in found.records))
