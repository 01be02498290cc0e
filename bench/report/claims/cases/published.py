"""Cases from published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.claims import case
from bench.report.claims.case import Case, published_case
from bench.report.claims.cases.names import Cases
from bench.report.published import figures as published
from bench.report.stats import format as fmt

if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence


# Beliefs that say one thing of many cases.

# A part of a GPU's name as its driver gives it, and the published row with its float32 peak.
PEAK_ROWS = {
    "H200": "gpu-h200-sxm-141-gb-peak-fp32",
    "H100": "gpu-h100-sxm5-80-gb-peak-fp32",
    "RTX 4090": "gpu-geforce-rtx-4090-peak-fp32",
    "RTX 3090": "gpu-geforce-rtx-3090-peak-fp32",
    "T4": "gpu-tesla-t4-peak-fp32",
}
H100_PRICES = (
    "runpod-h100-sxm-community-2026-11",
    "nebius-h100-2026-09",
    "runpod-h100-sxm-secure-2026-11",
    "lambda-h100-sxm-2026-09",
    "gcp-a3-highgpu-1g-2026-09",
    "azure-nd96isr-h100-2026-11",
)


def scaling(evidence: Evidence) -> list[Case]:
    """Gain from more GPUs or machines over the ideal gain, from published rows."""
    return [
        *row_ratios(
            ("Inception-v3, eight P100 against one", "tfr1-inceptionv3-p100x8", "tfr1-inceptionv3-p100"),
            ("ResNet-50, eight P100 against one", "tfr1-resnet-50-p100x8", "tfr1-resnet-50-p100"),
            scale=1 / 8,
        )(evidence),
        *row_ratios(
            ("ResNet-50, 128 CPU servers against 64", "dawn-r50-train-64xeon", "dawn-r50-train-128xeon"), scale=1 / 2
        )(evidence),
        *row_ratios(
            ("DistilBERT, four CPU servers against one", "hf-distilbert-spr1", "hf-distilbert-spr4"), scale=1 / 4
        )(evidence),
    ]


def free_hours(evidence: Evidence) -> list[Case]:
    """Hours granted as a share of the week or the day, from published rows."""
    shares = (("kaggle-gpu-hours", 7 * 24), ("colab-free-session-hours", 24))
    return [
        case.published_case(figure.subject, float(figure.value) / hours, figure.text, figure)
        for row, hours in shares
        for figure in [published.lookup(row)]
    ]


def provider(row: str) -> str:
    """Who offers what a published row is about."""
    return published.lookup(row).subject


if TYPE_CHECKING:
    from bench.report.evidence.evidence import Evidence


def all_of(*makers: Cases) -> Cases:
    """The cases of several makers."""
    return lambda evidence: [case for make in makers for case in make(evidence)]


# Published figures.


def rows(*row_ids: str, name: str = "") -> Cases:
    """The published figures themselves."""

    def cases(evidence: Evidence) -> list[Case]:
        figures = [published.lookup(row_id) for row_id in row_ids]
        return [published_case(name or figure.what, float(figure.value), figure.text, figure) for figure in figures]

    return cases


def row_ratios(*pairs: tuple[str, str, str], scale: float = 1.0) -> Cases:
    """One published figure over another, each with a name: ``(name, over, under)``; times ``scale``."""

    def cases(evidence: Evidence) -> list[Case]:
        found = []
        for name, over, under in pairs:
            first, second = published.lookup(over), published.lookup(under)
            value = float(first.value) / float(second.value) * scale
            share = fmt.ratio(value) if scale == 1 else f"{fmt.percent(value)} of the ideal gain"
            text = f"{first.text} against {second.text}, {share}"
            found.append(published_case(name, value, text, first, second))
        return found

    return cases
