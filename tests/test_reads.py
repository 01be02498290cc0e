"""What a value was read from is noted, whichever way it comes to who uses it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from bench.records import codec, files
from bench.records.store import Results, SessionResults
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.pages import cache
from bench.report.pages.context import Site
from bench.report.prose import source
from bench.report.stats import quantities, reads
from bench.schema import Record
from tests.factories import in_turn, make_record, make_results, make_session_results
from tests.sites import write_results


class Owner:
    """Has a value of each kind."""

    def __init__(self, record: Record, name: str = "") -> None:
        self.record, self.name = record, name

    def name_of(self, value: str) -> str:
        """As what ``noted`` is noted."""
        return self.name and f"{value} of {self.name}"

    @reads.kept_property
    def kept(self) -> int:
        """A value that is worked out once."""
        return len(self.record.runs)

    @reads.noted_property
    def noted(self) -> int:
        """A value that is noted itself."""
        return len(self.record.runs)


@pytest.fixture(scope="module")
def record() -> Record:
    """A record that is noted as "a"."""
    return reads.watched(make_record(n_runs=2, n_blocks=3), "a")


def test_a_watched_record_is_the_record(record: Record):
    plain = make_record(n_runs=2, n_blocks=3)

    assert codec.encode(plain) == codec.encode(record) and isinstance(record, Record)
    assert quantities.throughput(plain) == quantities.throughput(record)


@pytest.mark.parametrize(
    "use",
    [
        lambda record: record.runs,
        lambda _: reads.watched(make_record(method_version=1), "a").numbers_method,
        quantities.throughput,
        lambda record: quantities.throughput.ratio(record, make_record()),
        lambda record: quantities.throughput.ratio(make_record(), record),
        lambda record: Owner(record).kept,
        lambda record: Owner(record).noted,
        lambda record: reads.kept({}, "k", lambda: record.runs),
        lambda record: reads.add(reads.collected(lambda: record.runs)[1]),
    ],
)
def test_whoever_uses_the_runs_is_noted_each_time(record: Record, use):
    for _ in range(2):  # the second time from what is remembered
        assert {"a"} == reads.collected(lambda: use(record))[1]


def test_a_kept_value_says_each_time_what_it_was_made_of(record: Record):
    owner, values = Owner(record), {}

    for use in (lambda: owner.kept, lambda: owner.noted, lambda: reads.kept(values, "k", lambda: record.runs)):
        assert [{"a"}, {"a"}] == [reads.collected(use)[1] for _ in range(2)]
    assert (2, {"a"}) == reads.behind(owner, "kept")


def test_a_noted_value_stands_for_what_it_was_made_of(record: Record):
    owner = Owner(record, "m/1")

    assert (2, {"noted of m/1"}) == reads.collected(lambda: owner.noted)
    assert (2, {"a"}) == reads.behind(owner, "noted")


def test_nothing_is_noted_of_a_head_a_plain_record_or_what_is_only_collected(record: Record):
    def use() -> None:
        assert record.cell and record.status and make_record().runs
        assert msgspec.structs.replace(record, runs=()).runs == ()
        reads.collected(lambda: record.runs)

    assert set() == reads.collected(use)[1]


def test_every_value_of_evidence_that_is_kept_notes_what_it_reads():
    session = make_results(n_runs=2, n_blocks=3, workloads=("cnn-digits",)).sessions[0]
    records = {cell: reads.watched(record, cell) for cell, record in session.records.items()}
    evidence = Evidence(Results((session._replace(records=records),)), {}, is_noted=True)
    view = evidence.view(evidence.lead)

    for name in ("control_rate", "drift", "has_passed_self_test"):
        assert {f"{name} of {session.path}"} == reads.collected(lambda name=name: getattr(view, name))[1]
        assert set(records) >= reads.behind(view, name)[1] != set()


def test_an_answer_says_each_time_what_it_rests_on():
    """Lists of answers ask for them after their pages did."""
    site = Site(source.DOCS, cache.CACHE.evidence(files.RESULTS))
    asked = [one for path, one in site.sources.items() if path.startswith(("faq/", "misconceptions/"))]

    def noted() -> dict[str, reads.Names]:
        return {one.path: reads.collected(lambda one=one: site.decide(one))[1] for one in asked}

    def judged() -> dict[str, reads.Names]:
        return {name: reads.collected(lambda name=name: site.judge(name))[1] for name in site.beliefs}

    first, verdicts = noted(), judged()
    assert (first, verdicts) == (noted(), judged())
    assert sum(map(bool, first.values())) > 20 and sum(map(bool, verdicts.values())) > 20


def test_a_value_outlives_an_edit_of_what_it_was_not_made_of(tmp_path: Path):
    records = in_turn([make_record(), make_record("cnn-digits")])
    results = write_results(tmp_path / "results", Results((make_session_results(records),)))
    kept, made = cache.Cache(), []

    def ask(workload: str) -> float:
        evidence = kept.evidence(results, tmp_path / "kept")
        (session,) = evidence.sessions

        def make() -> tuple[float, SessionResults]:
            made.append(workload)
            (record,) = evidence.view(session).records(Pick(workload))
            return record.runs[0].total_s, session

        value, of = kept.keep(evidence, workload, make, across=True)
        assert of is session and of.records is session.records
        return value

    before = ask("cnn-digits"), ask("resnet50")
    (path,) = results.rglob("resnet50*.json")
    raw = json.loads(path.read_bytes())
    raw["runs"][0]["total_s"] += 0.5
    path.write_text(json.dumps(raw))

    assert before == (ask("cnn-digits"), ask("resnet50") - 0.5)
    assert ["cnn-digits", "resnet50", "resnet50"] == made
    session = path.parent / "session.json"
    raw = json.loads(session.read_bytes())
    session.write_text(json.dumps(raw | {"seed": raw["seed"] + 1}))
    ask("cnn-digits")
    assert ["cnn-digits", "resnet50", "resnet50", "cnn-digits"] == made  # all but runs is read by everything
    kept.keep(Evidence(Results(()), {}), "x", lambda: None)
    ask("cnn-digits")
    assert 5 == len(made)  # of another evidence nothing is carried over
