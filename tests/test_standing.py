"""How a session stands: one strict file; what is withdrawn or unconfirmed decides nothing, and its pages say so."""

from __future__ import annotations

import pytest

from bench.records import files, standing, store
from bench.records.files import RecordError
from bench.records.standing import Standing
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.pages import cell_pages, context, machine_pages
from bench.report.prose import source
from tests import committed
from tests.factories import made, make_evidence, make_record, make_results, make_session_results
from tests.sites import write_results

NAME = "example-2c/2026-11-03"


@pytest.fixture
def root(tmp_path):
    """A results folder with one session."""
    return write_results(tmp_path, store.Results((make_session_results([make_record("cnn-digits", n_runs=2)]),)))


def entry(text: str, name: str = NAME) -> str:
    return f'["{name}"]\n{text}\n'


WITHDRAWN = 'kind = "withdrawn"\nreason = "its clock stood still"\ndate = 2026-11-29'


def test_the_committed_file_says_why_of_each_that_counts_no_more():
    found = standing.read(files.RESULTS)
    assert set(found) <= {session.path for session in committed.results().sessions}
    assert all(one.counts or (one.reason and one.date) for one in found.values())


def test_a_folder_without_the_file_counts_whole(root):
    (session,) = store.load(root).sessions
    assert session.standing == standing.UNLISTED and session.standing.counts


def test_kind_reason_and_date_come_with_the_session(root):
    (root / standing.FILE).write_text(entry(WITHDRAWN), encoding="utf-8")
    (session,) = store.load(root).sessions
    assert [] == store.check(root)
    assert not session.standing.counts
    assert "withdrawn since 2026-11-29 (its clock stood still): it counts nowhere" in session.standing.words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "expected TOML"),
        (entry('kind = "gold"'), "gold"),
        (entry('kind = "reference"\nby = "me"'), "known keys"),
        (entry('kind = "withdrawn"\ndate = 2026-11-29'), "expected the reason why it is withdrawn"),
        (entry('kind = "unverified"\nreason = "odd"'), "expected the date"),
        (entry('kind = "unverified"\nreason = "odd"\ndate = 2999-01-01'), "a date in the past"),
        (entry('kind = "unverified"\nreason = "odd"\ndate = "today"'), "date"),
        (entry('kind = "unverified"\nreason = "<b>odd</b>"\ndate = 2026-11-29'), "without markup"),
        (entry('kind = "reference"', "example-2c/2026-11-04"), "none of that name"),
        (entry('kind = "reference"', "../2026-11-03"), "none of that name"),
        (entry('kind = "reference"', "local/example-2c"), "none of that name"),
        (entry('kind = "reference"') * 2, "expected TOML"),
        ("kind = 1", "expected"),
        ("x = " + "[" * 5000, "expected TOML"),
    ],
)
def test_anything_else_is_refused_in_one_line(root, text, said):
    (root / standing.FILE).write_text(text, encoding="utf-8")
    (problem,) = store.check(root)
    assert problem.startswith("status.toml: $") and said in problem and len(problem) <= 300 and problem.isprintable()
    with pytest.raises(RecordError, match=r"status\.toml"):
        store.load(root)


def test_a_link_in_its_place_is_refused(root, tmp_path):
    (root / standing.FILE).symlink_to(tmp_path / "elsewhere")
    assert "expected a regular file, found a link" in store.check(root)[0]


def stands(session: store.SessionResults, kind: standing.Kind) -> store.SessionResults:
    return session._replace(standing=Standing(kind=kind, reason="its clock stood still"))


@pytest.mark.parametrize("kind", ["unverified", "superseded", "withdrawn"])
def test_what_does_not_count_decides_nothing(kind):
    cpu, gpu = make_results(gpu=True, n_runs=2, n_blocks=4).sessions
    with_it, without, never = (make_evidence(cpu, *more) for more in ((gpu,), (stands(gpu, kind),), ()))
    name = "resnet50-train-speedup"
    assert lookup.lookup(name, with_it).measured
    assert not lookup.lookup(name, without).measured
    assert lookup.lookup("n-records", without).text == lookup.lookup("n-records", never).text
    assert (cpu,) == without.shown == never.shown
    assert with_it.shown == (gpu, cpu)


@pytest.mark.slow
@pytest.mark.parametrize("kind", standing.KINDS)
def test_its_pages_stay_and_say_how_it_stands(kind):
    cpu, gpu = make_results(gpu=True, n_runs=2, n_blocks=4).sessions
    evidence = make_evidence(cpu, stands(gpu, kind))
    pages = machine_pages.machine_pages(context.Site(source.DOCS, evidence))
    pages = made(pages | cell_pages.evidence_pages(evidence, ""))
    own = [pages["machines/gpu-16c.md"], pages["evidence/gpu-16c/2026-11-02/resnet50.md"]]
    assert kind in pages["machines/index.md"]
    for page in own:
        assert ('class="standing"' in page) == (kind not in ("reference", "community"))
    assert "its clock stood still" in own[0]
    assert 'class="standing"' not in pages["machines/example-2c.md"]


def test_data_pages_list_the_unverified_and_not_the_withdrawn():
    cpu, gpu = make_results(gpu=True, n_runs=2, n_blocks=4).sessions
    listed = [Evidence(store.Results((cpu, stands(gpu, kind))), {}).listed for kind in ("unverified", "withdrawn")]
    assert [2, 1] == [len(found) for found in listed]
