"""Charts: from rows of evidence to Vega-Lite specifications in sentinel colours. Pure: no files, no statistics.

A colour here is a name, not a shade: each sentinel in ``COLOURS`` stands for a CSS variable of the site, so that one
drawing is right in both colour schemes. Every drawing comes twice, for a desk and for a phone.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from altair.utils import schemapi

from bench.records.store import SessionResults
from bench.report.charts.chart import CHARTS, ChartError, Drawing, Other, Picture, Scope
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, NARROW_PX, VALUES, WIDE_PX, Layers
from bench.report.evidence.evidence import Evidence


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
        ChartError: no such chart.
    """
    drawn, made = picture(chart_id, evidence, workload=workload, session=session, others=others)
    with schemapi.debug_mode(False):  # checking every part takes half of the time; the tests check what comes out
        wide, narrow = _finished(made.paint(False), WIDE_PX), _finished(made.paint(True), NARROW_PX)
    return Drawing(
        id=chart_id,
        workload=workload,
        title=made.title,
        description=made.description,
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

    By default that is the session the site leads with; of one workload, or about a GPU, the first of the shown ones
    whose picture shows a GPU and says enough.

    Raises:
        ChartError: no such chart.
    """
    if chart_id not in CHARTS:
        near = difflib.get_close_matches(chart_id, CHARTS, n=2) or sorted(CHARTS)
        raise ChartError(f"no chart {chart_id!r}; near ones: {', '.join(near)}")
    chart = CHARTS[chart_id]
    scope = Scope(evidence=evidence, session=session or evidence.lead, workload=workload, others=tuple(others))
    if session is None and (workload or chart.about_gpu):
        for one in (s for s in evidence.shown if evidence.view(s).has_gpu):
            made = chart.make(dataclasses.replace(scope, session=one))
            if made.says_enough and made.shows_gpu(evidence):
                return one, made
    return scope.session, chart.make(scope)


def _finished(drawing: Layers, width: int) -> dict[str, Any]:
    """The specification with the site's type and colours, exactly as wide as asked for."""
    spec = {"config": {}} | axes.with_values(drawing)
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
