"""What decides a step beside the GPU, read off public notebooks: launching, decoding pictures, splitting text.

Five, fifty and ninety-five in a hundred runs lie below a band's ends and its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from bench.report.estimates import formula, held_out, networks, rows

# A step whose GPU part is shorter shows what starting it takes.
SHORT_GPU_S = 1.5e-3


class Band(NamedTuple):
    """Quantiles of ``n`` runs."""

    low: float
    median: float
    high: float
    n: int


def _band(values: Sequence[float]) -> Band:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return Band(float(low), float(median), float(high), len(values))


@cache
def floor() -> Band:
    """Seconds of the smallest networks' steps on GPUs, under Keras on TensorFlow, data in memory."""
    known = formula.constants()
    small = held_out.launched(known.terms, known.hull, known.ranges)
    return _band([row.seconds for row, answer in small if answer.gpu < SHORT_GPU_S and row.seconds is not None])


@cache
def pictures() -> Band:
    """Images a second of trainings that decode pictures on the CPU, on whatever GPU."""
    return _band([row.throughput for row in rows.notebooks() if row.input_from == "pictures"])


@cache
def texts() -> Band:
    """Seconds of a step of small text models that look up embeddings or split strings, on whatever GPU."""
    known = networks.published()
    return _band(
        [
            row.seconds
            for row in rows.notebooks()
            if row.seconds is not None and (row.input_from == "strings" or known[row.network].family == "embedding")
        ]
    )
