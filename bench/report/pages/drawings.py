"""Pictures: SVG in both colour schemes, cards, Vega-Lite specifications."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert
from markupsafe import Markup

from bench.report import templates
from bench.report.charts import chart
from bench.report.charts.paint import axes
from bench.report.claims.case import short_source
from bench.report.evidence import beside
from bench.report.pages import cache, workers
from bench.report.published import comparisons
from bench.report.published import figures as published
from bench.report.stats import format as fmt

VEGA = "assets/vega/vega.js"
CHART = templates.macros("chart.html.j2")
MAKERS = re.compile(r"\b(NVIDIA|AMD|Intel) ")
# The fill of a bar that is an estimated range, here or in a legend; not a band, which is paler.
ESTIMATED = re.compile(r'<path(?![^>]* opacity="0)[^>]*style="fill:var\(--chart-estimated\)[^>]*>')
DIGITS = re.compile(r"(?:\.0|(\.\d))\d+\b")
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONTS = "FONTCONFIG_FILE"  # says where the renderer finds fonts, when it draws for the first time
RENDERER = f"{version('vl-convert-python')}, its own fonts"


def others(chart_id: str) -> tuple[chart.Other, ...]:
    """Published speed-ups to draw beside a chart's own."""
    if chart_id == "ours-and-theirs":
        return tuple(
            chart.Other(
                workload=f"{network} {source.mode}",
                value=beside.ratio_of(source, network),
                label=f"{fmt.ratio(beside.ratio_of(source, network))}: {source.name}, {fmt.device(source.device)}",
            )
            for source in comparisons.comparisons().sources
            for network in beside.NETWORKS
            if network in source.rows
        )
    if chart_id != "cpu-gpu-speedup":
        return ()
    found = []
    for workload, row_ids in comparisons.comparisons().speedups.items():
        for figure in map(published.lookup, row_ids):
            label = f"{figure.value}x: {MAKERS.sub('', figure.hardware)}"
            source = short_source(figure.source)
            found.append(chart.Other(workload=workload, value=float(figure.value), label=label, source=source))
    return tuple(found)


# Pictures. Drawn once for each specification and version of the renderer, in a process beside this one.


def begin_svg(spec: dict[str, Any]) -> Callable[[], str]:
    """Begin to draw a specification; what comes back waits for the SVG."""
    text = json.dumps(spec | {"$schema": SCHEMA}, sort_keys=True)
    return _begin("svg", text, vl_convert.vegalite_to_svg, json.loads(text))  # read here: the renderer rounds numbers


def begin_card(drawn: str) -> Callable[[], bytes]:
    """Begin to turn a card's SVG into PNG; what comes back waits for it."""
    return _begin("png", drawn, vl_convert.svg_to_png, drawn)


def begin_vega() -> Callable[[], str]:
    """Begin to bundle Vega, Vega-Lite and their embedder in one file, for the site to serve itself."""
    return _begin("vega", "", vl_convert.javascript_bundle)


def _begin(kind: str, source: str, work: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    kept = cache.on_disk(cache.PICTURES, _picture, ignore=["draw"])
    key = (kind, source, RENDERER)
    if kept is not _picture and kept.check_call_in_cache(*key, None):
        return functools.partial(kept, *key, None)
    return functools.partial(kept, *key, workers.begin(_draw, work, *args))


def _draw(work: Callable[..., Any], *args: Any) -> Any:
    _leave_out_fonts()
    return work(*args)


@functools.cache
def _leave_out_fonts() -> None:
    """Have the renderer know none of this machine's fonts, in this process: a drawing is the same on every machine.

    Of those it would also open the file again for every text that it measures, a thousand times in a chart.
    """
    before = os.environ.get(FONTS)
    os.environ[FONTS] = str(Path(__file__).with_name("fonts.conf"))
    vl_convert.svg_to_png('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    del os.environ[FONTS]
    if before is not None:  # a browser that this process starts needs its fonts
        os.environ[FONTS] = before


def _picture(kind: str, source: str, renderer: str, draw: Callable[[], Any]) -> Any:
    """A picture by what it is drawn from; ``draw`` is called where none is on disk."""
    return draw()


def placed(drawn: str, drawing: chart.Drawing, anchor: str, kind: str) -> Markup:
    """Inline SVG of a drawing in the site's own colours, with title and description for screen readers."""
    found = re.fullmatch(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>(.*)', themed(drawn).strip(), re.S)
    if found is None:
        raise ValueError("the renderer drew no SVG")
    # Clip paths are named by number; two drawings on one page must not share them.
    body = re.sub(r'(id="|url\(#)(clip\d+)', rf"\g<1>{anchor}-\g<2>", found[2])

    def hatched(bar: re.Match[str]) -> str:
        whole = re.sub(r' fill-opacity="[^"]*"', "", bar[0])
        return whole.replace("fill:var(--chart-estimated)", f"fill:url(#{anchor}-hatch)", 1)

    body, n_bars = ESTIMATED.subn(hatched, body)
    lines = CHART.hatch(f"{anchor}-hatch") if n_bars else ""
    return CHART.drawing(anchor, kind, found[1], drawing.title, drawing.description, lines + Markup(body))


def svg(spec: dict[str, Any], drawing: chart.Drawing, anchor: str, kind: str) -> Markup:
    """Inline SVG of one of a drawing's specifications under an anchor."""
    return placed(begin_svg(spec)(), drawing, anchor, kind)


def themed(drawn: str) -> str:
    """SVG with each sentinel replaced by its CSS variable, and nothing left that would name a shade.

    Raises:
        ValueError: a colour that is not one of the sentinels.
    """
    roles = {sentinel: role for role, sentinel in axes.COLOURS.items()}
    plain = {"none", "transparent"}

    def restyled(match: re.Match[str]) -> str:
        tag, styles = match.group(0), []
        for name in ("fill", "stroke"):
            found = re.search(rf' {name}="([^"]*)"', tag)
            if found is None or found.group(1) in plain or found.group(1).startswith("url("):
                continue
            if found.group(1) not in roles:
                raise ValueError(f"{name}={found.group(1)!r} in a chart is not one of the palette's colours")
            styles.append(f"{name}:var(--chart-{roles[found.group(1)]})")
            tag = tag.replace(found.group(0), "", 1)
        if not styles:
            return tag
        end = 2 if tag.endswith("/>") else 1
        return f'{tag[:-end]} style="{";".join(styles)}"{tag[-end:]}'

    drawn = re.sub(r' (?:aria-[a-z]+|role|font-family|pointer-events)="[^"]*"', "", drawn)
    drawn = re.sub(r"<path[^>]*? d=\"\"[^>]*/>", "", drawn)
    # A tenth of a pixel is seen by nobody.
    drawn = re.sub(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"', lambda found: DIGITS.sub(r"\1", found[0]), drawn)
    return re.sub(r"<[a-z][^>]*>", restyled, drawn)


def light_shades(docs: Path) -> dict[str, str]:
    """Role -> shade in the light scheme, read from the stylesheet, for drawings that leave the site."""
    sheet = docs / "assets" / "css" / "site.css"
    text = sheet.read_text(encoding="utf-8") if sheet.exists() else ""
    found: dict[str, str] = {}
    for role, shade in re.findall(r"--chart-([a-z0-9-]+): *(#[0-9a-f]{6})", text):
        found.setdefault(role, shade)
    return found


def recoloured(text: str, shades: Mapping[str, str]) -> str:
    """A drawing's text with shades for its sentinel colours."""
    for role, sentinel in axes.COLOURS.items():
        text = text.replace(sentinel, shades.get(role, sentinel))
    return text
