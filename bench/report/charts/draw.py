"""Charts: from rows of evidence to Vega-Lite specifications in sentinel colours. Pure: no files, no statistics.

A colour here is a name, not a shade: each sentinel in ``COLOURS`` stands for a CSS variable of the site, so that one
drawing is right in both colour schemes. Every drawing comes twice, for a desk and for a phone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from altair.utils import schemapi

from bench.records.store import SessionResults
from bench.report.charts.chart import CHARTS, Chart, Drawing, Other, Picture, Scope
from bench.report.charts.paint.axes import COLOURS, NARROW_PX, VALUES, WIDE_PX, Layers, with_values
from bench.report.evidence.evidence import Evidence
from bench.report.evidence.view import Pick
from bench.report.stats import format as fmt
from bench.workloads import registry


def draw(
    chart_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    others: Sequence[Other] = (),
) -> Drawing:
    """One chart of a session, by default of the one that ``picture`` chooses.

    Raises:
        UnknownNameError: no such chart.
    """
    drawn, made = picture(chart_id, evidence, workload=workload, session=session, others=others)
    is_yours = drawn is not None and drawn.is_local
    with schemapi.debug_mode(False):  # checking every part takes half of the time; the tests check what comes out
        wide, narrow = _finished(made.paint(False), WIDE_PX), _finished(made.paint(True), NARROW_PX)
    if is_yours:
        wide, narrow = (json.loads(fmt.yours(json.dumps(spec))) for spec in (wide, narrow))
    return Drawing(
        id=chart_id,
        workload=workload,
        title=fmt.yours(made.title) if is_yours else made.title,
        description=fmt.yours(made.description) if is_yours else made.description,
        wide=wide,
        narrow=narrow,
        rows=tuple(made.rows),
        session=None if made.rows and all("kind" in row and not row["cells"] for row in made.rows) else drawn,
        note=made.note,
    )


def picture(
    chart_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    others: Sequence[Other] = (),
) -> tuple[SessionResults | None, Picture]:
    """The session that a chart is of, and its picture before it is painted.

    By default that is the session the site leads with, of one workload the first of the shown ones that ran it; of one
    workload, or about a GPU, before that the first whose picture shows a GPU and says enough. A local session is drawn
    only where it has as many marks as the published one that would be drawn without it; else it stands in the table
    beside the chart.

    Raises:
        UnknownNameError: no such chart.
    """
    if chart_id not in CHARTS:
        raise registry.unknown("chart", chart_id, list(CHARTS))
    chart = CHARTS[chart_id]
    scope = Scope(evidence=evidence, session=session, workload=workload, others=tuple(others))
    if session is not None:
        return session, chart.make(scope)
    drawn, made = _first(chart, scope, evidence.shown)
    if drawn is not None and drawn.is_local:
        published = _first(chart, scope, [one for one in evidence.shown if not one.is_local])
        if _n_marks(published[1]) > _n_marks(made):
            return published
    return drawn, made


def _first(chart: Chart, scope: Scope, sessions: Sequence[SessionResults]) -> tuple[SessionResults | None, Picture]:
    """The session that a chart is of, among some, and its picture."""
    if scope.workload or chart.about_gpu:
        for one in (s for s in sessions if scope.evidence.view(s).has_gpu):
            made = chart.make(dataclasses.replace(scope, session=one))
            if made.says_enough and made.shows_gpu(scope.evidence):
                return one, made
    ran = (one for one in sessions if scope.workload and scope.evidence.view(one).records(Pick(scope.workload)))
    first = next(ran, next(iter(sessions), None))
    return first, chart.make(dataclasses.replace(scope, session=first))


def _n_marks(made: Picture) -> int:
    """Marks that rest on a record."""
    return sum(bool(row["cells"]) for row in made.rows)


def _finished(drawing: Layers, width: int) -> dict[str, Any]:
    """The specification with the site's type and colours, exactly as wide as asked for."""
    spec = {"config": {}} | with_values(drawing)
    spec |= {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    VALUES.clear()
    soft, ink, grid = COLOURS["ink-soft"], COLOURS["ink"], COLOURS["grid"]
    text = {"labelColor": soft, "titleColor": soft, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500}
    spec["config"] = {
        "background": "transparent",
        "font": "sans-serif",
        "padding": 4,
        "view": {"stroke": None, "fill": None},
        "axis": text
        | {
            "gridColor": grid,
            "domainColor": grid,
            "tickColor": grid,
            "labelLimit": 0,
            "titlePadding": 10,
            "labelOverlap": True,
            "labelSeparation": 6,
        },
        "legend": {
            "labelColor": ink,
            "labelFontSize": 12,
            "labelLimit": 0,
            "symbolSize": 80,
            "columnPadding": 16,
            "layout": {"top": {"anchor": "start", "bounds": "full", "margin": 12}},
        },
        "text": {"color": ink},
    }
    return spec
