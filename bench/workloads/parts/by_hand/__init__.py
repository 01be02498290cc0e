"""Nets of the workloads written by hand in each backend's own words, to set Keras against; and what they share.

Each module builds a net from the weights of the Keras model and gives a training step. Pure but for the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MOMENTUM = 0.9
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-7
LAYER_NORM_EPSILON = 1e-3
WITH_ADAM = ("lstm-text", "transformer-text")  # the others take momentum
RATES = {"resnet50": 0.01, "mobilenet-v2": 0.01, "lstm-text": 1e-3, "transformer-text": 1e-4}
# Batch norm: the share of the old moving average that a step keeps, and what is added to the variance.
RESNET_NORM = (0.99, 1.001e-5)
MOBILENET_NORM = (0.999, 1e-3)
RESNET_STAGES = (("conv2", 64, 3), ("conv3", 128, 4), ("conv4", 256, 6), ("conv5", 512, 3))  # name, width, blocks
MOBILENET_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
MOBILENET_BLOCKS = tuple(  # output channels and stride of each; all but the first widen their input sixfold
    (width, stride if index == 0 else 1) for width, n_blocks, stride in MOBILENET_STAGES for index in range(n_blocks)
)


class Peer(NamedTuple):
    """A net written by hand, with its optimizer."""

    step: Callable[[Any, Any], Any]  # host batch and classes in, loss before the update out
    set_rate: Callable[[float], None]  # learning rate of the steps to come
    n_params: int  # numbers that training changes
    moving: Callable[[], dict[str, Any]]  # moving averages of batch norm now, on the host, by their Keras path


def numbered(kind: str, index: int) -> str:
    """Name that Keras gives the layer of a kind: "dense", "dense_1"."""
    return f"{kind}_{index}" if index else kind
