"""Charts: from rows of evidence to Vega-Lite specifications in sentinel colours. Pure: no files, no statistics.

A colour here is a name, not a shade: each sentinel in ``COLOURS`` stands for a CSS variable of the site, so that one
drawing is right in both colour schemes. Every drawing comes twice, for a desk and for a phone.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

import altair as alt
from altair.utils import schemapi

from bench.records.store import SessionResults
from bench.report.charts.chart import CHARTS, ChartError, Drawing, Other, Picture, Scope
from bench.report.charts.paint import axes
from bench.report.charts.paint.axes import COLOURS, NARROW_PX, VALUES, WIDE_PX
from bench.report.evidence.evidence import Evidence

CHECKS_SCHEMA = False
# Charts whose point is what a GPU changes: drawn of a machine with a GPU wherever that has the records, whichever
# machine leads; so is every chart of one workload.
ABOUT_A_GPU = (
    "cpu-gpu-speedup",
    "job-by-steps",
    "matmul-rate",
    "mlp-surface",
    "phase-times",
    "rooflines",
    "roofs",
    "study",
    "throughput-by-batch",
)


def draw(
    chart_id: str,
    evidence: Evidence,
    *,
    workload: str = "",
    session: SessionResults | None = None,
    others: Sequence[Other] = (),
) -> Drawing:
    """One chart of a session, by default of the one the site leads with, or of a GPU machine where it is about one.

    Raises:
        ChartError: no such chart.
    """
    if chart_id not in CHARTS:
        near = difflib.get_close_matches(chart_id, CHARTS, n=2) or sorted(CHARTS)
        raise ChartError(f"no chart {chart_id!r}; near ones: {', '.join(near)}")
    scope = Scope(evidence=evidence, session=session or evidence.lead, workload=workload, others=tuple(others))
    found = _with_gpu(chart_id, scope) if session is None and (workload or chart_id in ABOUT_A_GPU) else None
    session, picture = found or (scope.session, CHARTS[chart_id](scope))
    # Checking every part against Vega-Lite's schema takes half of the time; the tests do it for every chart.
    with schemapi.debug_mode(CHECKS_SCHEMA):
        wide, narrow = _finished(picture.paint(False), WIDE_PX), _finished(picture.paint(True), NARROW_PX)
    return Drawing(
        id=chart_id,
        workload=workload,
        title=picture.title,
        description=picture.description,
        wide=wide,
        narrow=narrow,
        rows=tuple(picture.rows),
        session=session,
    )


def _with_gpu(chart_id: str, scope: Scope) -> tuple[SessionResults, Picture] | None:
    """The first of the shown sessions whose picture shows a GPU and says enough, with it."""
    for session in scope.evidence.shown:
        if scope.evidence.view(session).has_gpu:
            picture = CHARTS[chart_id](dataclasses.replace(scope, session=session))
            if picture.n_on_gpu() and picture.says_enough:
                return session, picture
    return None


def _finished(drawing: alt.Chart | alt.LayerChart, width: int) -> dict[str, Any]:
    """The specification with the site's type and colours, exactly as wide as asked for."""
    spec = axes.with_values(drawing.to_dict(validate=False))
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
