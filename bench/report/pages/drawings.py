"""Pictures: SVG in both colour schemes, cards, Vega-Lite specifications."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vl_convert

from bench.report.charts import chart
from bench.report.charts.paint import axes
from bench.report.evidence import beside
from bench.report.pages import cache, cards
from bench.report.pages import plain as pages_plain
from bench.report.pages.markup import e
from bench.report.published import figures as published
from bench.report.stats import format as fmt

VEGA = "assets/vega/vega.js"
# What others published about a workload of ours or its nearest relative, shown where our GPU arm is missing.
PUBLISHED_SPEEDUPS = {
    "resnet50": ("cnnb-resnet-50-gtx-1080-ti-speedup", "kapp-resnet50-cpu-gpu-ratio"),
    "inception-v3": ("kapp-inceptionv3-cpu-gpu-ratio",),
    "mobilenet-v2": ("kapp-mobilenetv2-cpu-gpu-ratio",),
    "lstm-text": ("dawn-bidaf-ratio-k80",),
}
ANCHOR = "chart-anchor-"  # stands for a drawing's place on a page until that is known


def others(chart_id: str) -> tuple[chart.Other, ...]:
    """Published speed-ups to draw beside a chart's own."""
    if chart_id == "ours-and-theirs":
        return tuple(
            chart.Other(
                workload=f"{network} {source.mode}",
                value=beside.ratio_of(source, network),
                label=f"{fmt.ratio(beside.ratio_of(source, network))}: {source.name}, {fmt.device(source.device)}",
            )
            for source in beside.SOURCES
            for network in beside.NETWORKS
            if network in source.rows
        )
    if chart_id != "cpu-gpu-speedup":
        return ()
    found = []
    for workload, row_ids in PUBLISHED_SPEEDUPS.items():
        for row_id in row_ids:
            figure = published.figures().get(row_id)
            if figure is not None:
                label = f"{figure.value}x: {figure.hardware} ({pages_plain.short_source(figure.source)}, {figure.date})"
                found.append(chart.Other(workload=workload, value=float(figure.value), label=label))
    return tuple(found)


# Drawings as SVG.


def svg(spec: dict[str, Any], drawing: chart.Drawing, anchor: str, kind: str) -> str:
    """Inline SVG of a drawing in the site's own colours, with title and description for screen readers."""
    bare = _svg_of(json.dumps(spec, sort_keys=True))
    title, about = e(drawing.title), e(drawing.description)
    words = f'<title id="{anchor}-title">{title}</title><desc id="{anchor}-desc">{about}</desc>'
    # Clip paths are named by number; two drawings on one page must not share them.
    bare = re.sub(r'(id="|url\(#)(clip\d+|gradient_\d+)', rf"\g<1>{anchor}-\g<2>", bare)
    return re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>",
        rf'<svg xmlns="http://www.w3.org/2000/svg" class="drawing {kind}" \1 role="img" '
        rf'aria-labelledby="{anchor}-title {anchor}-desc">{words.replace(chr(92), "")}',
        bare,
        count=1,
    )


@functools.lru_cache(maxsize=512)
def _svg_of(spec: str) -> str:
    """Themed SVG without words, from memory, from disk, or drawn now."""
    name = hashlib.sha256(f"{THEME_VERSION}\n{vl_convert.__version__}\n{spec}".encode()).hexdigest()[:32]
    path = cache.CACHE / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
    drawn = themed(
        vl_convert.vegalite_to_svg(json.loads(spec) | {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"})
    )
    cache.write(path, drawn.encode())
    return drawn


THEME_VERSION = 1  # raise it when `themed` changes, so that kept drawings are made anew


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

    drawn = re.sub(r' (?:aria-[a-z]+|role)="[^"]*"', "", drawn)
    drawn = re.sub(r"<path[^>]*? d=\"\"[^>]*/>", "", drawn)
    return re.sub(r"<[a-z][^>]*>", restyled, drawn)


def card(drawn: str) -> bytes:
    """A card as PNG, from disk or drawn now."""
    name = hashlib.sha256(f"{cards.VERSION}\n{vl_convert.__version__}\n{drawn}".encode()).hexdigest()[:32]
    path = cache.CARD_CACHE / f"{name}.png"
    try:
        return path.read_bytes()
    except OSError:
        pass
    data = vl_convert.svg_to_png(drawn)
    cache.write(path, data)
    return data


def vega() -> str:
    """Vega, Vega-Lite and their embedder in one file, for the site to serve itself."""
    path = cache.CACHE / f"vega-{vl_convert.__version__}.js"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        pass
    bundle = vl_convert.javascript_bundle()
    cache.write(path, bundle.encode())
    return bundle


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
