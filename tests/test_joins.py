"""A local session joins the published ones: nothing that stood there without it is gone."""

from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("altair")

from bench.records.store import Results
from bench.report.charts import chart, draw, make_table
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.report.pages import addresses, context, drawings, machine_pages, plain, render
from bench.report.prose import source
from bench.workloads import registry
from tests import factories


@cache
def evidence(*, local: bool, gpu: bool) -> Evidence:
    """One published machine or two, and the reader's own, which measured less."""
    found = factories.make_results(gpu=gpu, local=True, n_runs=2, n_blocks=4)
    kept = tuple(session for session in found.sessions if local or not session.is_local)
    return Evidence(Results(kept), registry.workloads())


def shown(table_id: str, found: Evidence) -> set[tuple[str, object]]:
    """Every number of a table with what it rests on."""
    return {(cell.text, cell.cells) for row in make_table.make(table_id, found).rows for cell in row if cell.cells}


@pytest.mark.slow
@pytest.mark.parametrize("gpu", [False, True])
def test_no_table_loses_a_number(gpu: bool):
    before, after = (evidence(local=local, gpu=gpu) for local in (False, True))
    assert after.lead.is_local and before.lead.path == after.shown[1].path
    lost = {id_: gone for id_ in make_table.ids() if (gone := shown(id_, before) - shown(id_, after))}

    assert {} == lost


@pytest.mark.parametrize("gpu", [False, True])
def test_no_fact_is_lost_and_what_the_own_machine_lacks_stays_as_it_was(gpu: bool):
    before, after = (evidence(local=local, gpu=gpu) for local in (False, True))
    n_kept = 0
    for name in lookup.names(before.workloads):
        one, other = lookup.lookup(name, before), lookup.lookup(name, after)
        assert (one.kind == "missing") >= (other.kind == "missing"), name
        if one.kind == "measured" and other.session is not None and not other.session.is_local:
            n_kept += 1
            assert one.short == other.short, name
    assert 20 < n_kept


@pytest.mark.parametrize("gpu", [False, True])
def test_no_chart_has_fewer_marks(gpu: bool):
    before, after = (evidence(local=local, gpu=gpu) for local in (False, True))
    drawn_local = 0
    for id_ in chart.ids():
        for workload in ("", "resnet50"):
            (_, one), (session, other) = (draw.picture(id_, found, workload=workload) for found in (before, after))
            n_before, n_after = (sum(bool(row["cells"]) for row in made.rows) for made in (one, other))
            assert n_before <= n_after, (id_, workload)
            drawn_local += session is not None and session.is_local
    assert drawn_local


@pytest.mark.parametrize(
    ("step_s", "words"),
    [(1.6, "1.6 times slower than ours"), (0.5, "2 times faster than ours"), (1.0, "about as fast as ours")],
)
def test_a_band_says_how_the_own_machine_stands_to_ours(step_s: float, words: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drawings, "begin_svg", lambda spec: lambda: "")
    ours = factories.make_session_results([factories.make_record("resnet50", step_s=1.0)])
    records = [factories.make_record("resnet50", step_s=step_s)]
    yours_ = factories.make_session_results(records, machine=factories.make_machine("own-2c"), is_local=True)
    joined = context.Site(source.DOCS, factories.make_evidence(ours, yours_))
    alone = context.Site(source.DOCS, factories.make_evidence(ours))

    for page in ("index.md", "faq/do-i-need-a-gpu.md"):
        body = render.render(joined, joined.sources[page])[1]
        assert f"{words} at ResNet-50" in plain.plain(body)
        assert f'href="{addresses.href(page, "machines/local-own-2c.md", "beside")}"' in body
        assert '<div class="yours">' in body and "&lt;a class" not in body
        assert 'class="yours"' not in render.render(alone, alone.sources[page])[1]
    pages = factories.made(machine_pages.machine_pages(joined))
    assert "{ #beside }" in pages["machines/local-own-2c.md"] and words in plain.plain(pages["machines/index.md"])


@pytest.mark.parametrize(
    ("own", "band", "n_machines"),
    [
        ({"workload": "matmul"}, "Your machine. What was measured on it", "2 machines"),
        ({"workload": "resnet50", "status": "failed", "reason": "it broke"}, "", "1 machine"),
    ],
)
def test_an_own_machine_with_nothing_to_set_beside_ours_promises_nothing(own, band, n_machines, monkeypatch):
    monkeypatch.setattr(drawings, "begin_svg", lambda spec: lambda: "")
    ours = factories.make_session_results([factories.make_record("resnet50", step_s=1.0)])
    records = [factories.make_record(**own)]
    yours_ = factories.make_session_results(records, machine=factories.make_machine("own-2c"), is_local=True)
    site = context.Site(source.DOCS, factories.make_evidence(ours, yours_))

    body = plain.plain(render.render(site, site.sources["index.md"])[1])

    assert f"Measured on {n_machines}" in body and "Yours beside ours" not in body
    assert body.startswith(band) and (band or "Your machine" not in body)
    assert n_machines == site.fact("n-machines").text
