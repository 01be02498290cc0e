"""From a network, a card and a batch to the seconds of a training step, with a range; or to the reason why not.

    seconds = (launch + launch_each * M) * yearly ** (year - 2020)          host: starting the work
            + B * 3 * F / (arithmetic * P)                                  arithmetic
            + (memory * b * B * A + 4 * (3 + o) * W) / BW                   memory traffic

F, A, W and M are a network's forward operations, activations, parameters and matrix operations; B the batch; b the
bytes of a number; o how often the optimizer reads or writes a weight; P a card's peak for the precision and BW its
bandwidth, both times ``amd`` on AMD's cards. The constants are fitted together (``fit``): none is an efficiency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from bench.report.estimates import rows
from bench.report.estimates.networks import Family, Network
from bench.report.estimates.rows import InputFrom, Optimizer, Precision, Row
from bench.report.published.cards import Card
from bench.schema import Backend

FILE = Path(__file__).with_name("constants.json")
BASE_YEAR = 2020
TRAINING_OVER_FORWARD = 3
# Reads and writes of each weight by the passes, and by the optimizer; four bytes each.
WEIGHT_BYTES = 4
PASSES = 3
ACCESSES: dict[Optimizer, int] = {"none": 0, "sgd": 6, "adam": 10}
HALF: frozenset[str] = frozenset({"amp", "fp16", "bf16"})
# On the one such card that was measured, half precision took up to 13 times as long as its data sheet has it.
BROKEN_HALF = "RDNA 1.0"
# Architectures of before bfloat16.
NO_BFLOAT16 = frozenset(
    {"Maxwell", "Maxwell 2.0", "Pascal", "Volta", "Turing", "GCN 4.0", "GCN 5.0", "GCN 5.1", "RDNA 1.0", "RDNA 2.0"}
)

FITTED_FAMILIES: tuple[Family, ...] = ("cnn", "transformer", "mlp")

Kind = Literal["gpu", "launching", "refused"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One question: how long a training step of this network takes on this card."""

    network: Network
    card: Card
    batch: float
    precision: Precision = "fp32"
    optimizer: Optimizer = "adam"
    is_keras: bool = True
    is_tensorflow: bool = True
    input_from: InputFrom = "memory"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted numbers: seconds, seconds, a factor a year, and three factors without a unit."""

    launch: float
    launch_each: float
    yearly: float
    arithmetic: float
    memory: float
    amd: float


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What measured over estimated lies between, and how often it did where the fit had not seen the case."""

    low: float
    high: float
    n: int
    inside: int


class Hull(msgspec.Struct, frozen=True, kw_only=True):
    """What the fit has seen: extremes of peaks in single precision and of bandwidths, the largest networks."""

    peak: tuple[float, float]
    bandwidth: tuple[float, float]
    forward: float
    parameters: float
    matrix_operations: float


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """What ``fit`` writes and every estimate reads."""

    terms: Terms
    ranges: dict[str, Range]
    hull: Hull
    counts: dict[str, int]  # rows, cards, networks, sources of the fit
    held_out: tuple[dict[str, str | int | float], ...]
    versions: dict[str, str]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a training step, never shown without its range; or why there is none.

    ``range_of`` names the range it has, or its entry in ``REFUSED``.
    ``kind``: "gpu", the GPU decides; "launching", starting the work decides; "refused", for the ``reason``, beside
    which ``instead`` says what is known. A refused one has its parts where they could be computed, and no range.
    """

    kind: Kind
    range_of: str = ""
    seconds: float = math.nan
    low: float = math.nan
    high: float = math.nan
    host: float = math.nan
    arithmetic: float = math.nan
    memory: float = math.nan
    reason: str = ""
    instead: str = ""

    @property
    def gpu(self) -> float:
        """Arithmetic and memory traffic together."""
        return self.arithmetic + self.memory


# The floor of a small network's step under TensorFlow, seconds, and how far around the formula its steps lie.
FLOOR_S = 1e-3
LAUNCH_LOW, LAUNCH_HIGH = 0.6, 2.1
# How far outside what the fit has seen a card or a network may lie.
HULL_SLACK = 2.0
SIZES = ("forward", "parameters", "matrix_operations")  # of a network

MEASURE = "measure it: gpu-bench run, on the machine that has the GPU"
REFUSED: dict[str, tuple[str, str]] = {
    "uncounted": ("nobody counted the operations of this network", "published speeds of the network, where there are"),
    "recurrent": (
        "a recurrent network waits for one time step after another, which the formula does not know",
        "published pairs: a GPU was 0.3 to 5 times as fast as the CPU, with fused kernels 3 to 4 times",
    ),
    "embedding": (
        "looking up a table of embeddings, and splitting the text for it, is not in the formula",
        "small text models in public notebooks took 5 to 35 ms a step, whatever the GPU",
    ),
    "family": ("the formula was not fitted to networks of this kind", f"published speeds, or {MEASURE}"),
    "frozen": (
        "some layers do not learn, and no such training was in the fit",
        "the time lies between a forward pass and the training of the whole network",
    ),
    "pictures": (
        "the step waits for pictures that a few cores decode",
        "on two to four cores 40 to 600 images a second, whatever the GPU",
    ),
    "strings": (
        "the step waits for text that is split inside the model",
        "small text models in public notebooks took 5 to 35 ms a step, whatever the GPU",
    ),
    "Apple": ("on Apple's GPUs the formula was wrong by more than three times", f"published speeds, or {MEASURE}"),
    "Intel": ("one card of Intel's was measured, which is too few", f"published speeds, or {MEASURE}"),
    "old": ("cards of this age run a third as fast as their data sheet has the formula say", "published speeds"),
    "unmeasured": ("no AMD card for data centres was measured", MEASURE),
    "no spec": ("the card's peak or memory bandwidth is not known", f"published speeds, or {MEASURE}"),
    "large": ("the network is far larger than those that were measured", MEASURE),
    "hull": ("the card is too far from those that were measured", MEASURE),
    "launching": (
        "at this batch starting the work takes longer than the GPU's own part; how long, is known of TensorFlow alone",
        "under TensorFlow there is an estimate, and at a larger batch",
    ),
    "half": ("half precision does not work as it should on cards of this architecture", "float32 runs on it"),
    "bfloat16": ("the card has no units for bfloat16", "mixed_float16 runs on it"),
}

# Of these, what is known instead are figures that others published (``bands``, ``pairs``).
FROM_OTHERS = frozenset({"recurrent", "embedding", "pictures", "strings"})


@cache
def constants(path: Path = FILE) -> Constants:
    """The committed outcome of the fit."""
    return msgspec.json.decode(path.read_bytes(), type=Constants)


def case_of(
    network: Network, card: Card, batch: float, *, policy: str = "float32", backend: Backend = "tensorflow"
) -> Case:
    """A case as Keras runs it: by the name of its precision policy and its backend."""
    return Case(
        network=network,
        card=card,
        batch=batch,
        precision=precision_of(policy, backend),
        is_tensorflow=backend == "tensorflow",
    )


def precision_of(policy: str, backend: Backend) -> Precision:
    """What a policy of Keras means on a GPU: single precision runs in TF32 where the card and the backend have it."""
    if policy == "float32-strict":
        return "fp32"
    if policy == "float32":
        return "tf32-conv" if backend == "torch" else "tf32"
    return "bf16" if policy == "mixed_bfloat16" else "amp"


def case_of_row(row: Row, network: Network, card: Card) -> Case:
    """The case that a published row measured."""
    if row.batch is None:
        raise ValueError(f"{row.id} has no batch")
    return Case(
        network=network,
        card=card,
        batch=row.batch,
        precision=row.precision,
        optimizer=row.optimizer,
        is_keras=row.is_keras,
        is_tensorflow=row.is_tensorflow,
        input_from=row.input_from,
    )


def published(case: Case) -> tuple[Row, ...]:
    """What others measured of a case's network on its card in the same arithmetic, at whatever batch."""
    return tuple(
        row
        for row in rows.of_ours(case.network, case.card.name)
        if (row.precision in HALF) == (case.precision in HALF)
        and peak(case_of_row(row, case.network, case.card)) == peak(case)
    )


def peak(case: Case) -> float:
    """The card's operations a second that the case's precision can use."""
    card = case.card
    base = card.fp32 or math.nan
    if case.precision in HALF:
        return card.fp16 or base
    if case.precision == "tf32" or (case.precision == "tf32-conv" and case.network.family != "transformer"):
        return card.tf32 or base
    return base


def number_bytes(precision: Precision) -> int:
    """Bytes of one activation."""
    return 2 if precision in HALF else 4


def bases(cases: Sequence[Case]) -> np.ndarray:
    """What the fitted numbers multiply, one column a case, rows as ``parts`` has them."""
    table = np.array(
        [
            (
                1.0,
                case.network.matrix_operations,
                case.batch * TRAINING_OVER_FORWARD * (case.network.forward or math.nan) / peak(case),
                number_bytes(case.precision) * case.batch * (case.network.activations or math.nan)
                / (case.card.bandwidth or math.nan),
                WEIGHT_BYTES * (PASSES + ACCESSES[case.optimizer]) * (case.network.parameters or math.nan)
                / (case.card.bandwidth or math.nan),
                case.card.year - BASE_YEAR,
                case.card.vendor == "AMD",
            )
            for case in cases
        ],
        dtype=float,
    )  # fmt: skip
    return table.reshape(-1, 7).T


def parts(base: np.ndarray, terms: Terms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds of host, arithmetic and memory traffic."""
    one, operations, computed, moved, weights, year, is_amd = base
    slower = np.where(is_amd > 0, 1 / terms.amd, 1.0)
    host = (terms.launch * one + terms.launch_each * operations) * terms.yearly**year
    return host, computed / terms.arithmetic * slower, (terms.memory * moved + weights) * slower


def refusal(case: Case, hull: Hull) -> str:
    """Why a case has no estimate whatever its numbers; empty where it may have one."""
    network, card = case.network, case.card
    if network.family in ("recurrent", "embedding"):
        return network.family
    if network.family not in FITTED_FAMILIES:
        return "family"
    if case.input_from in ("pictures", "strings"):
        return case.input_from
    if network.is_frozen:
        return "frozen"
    if not network.is_counted:
        return "uncounted"
    if any((getattr(network, name) or 0) > HULL_SLACK * getattr(hull, name) for name in SIZES):
        return "large"
    if case.precision == "bf16" and card.architecture in NO_BFLOAT16:
        return "bfloat16"
    if case.precision in HALF and card.architecture == BROKEN_HALF:
        return "half"
    return refused_card(card, hull)


def refused_card(card: Card, hull: Hull) -> str:
    """Why a card has no estimates; empty where it may have some."""
    if card.vendor in ("Apple", "Intel"):
        return card.vendor
    if not (card.fp32 and card.bandwidth):
        return "no spec"
    if card.architecture == "Kepler":
        return "old"
    if card.architecture.startswith("CDNA"):
        return "unmeasured"
    for value, (low, high) in ((card.fp32, hull.peak), (card.bandwidth, hull.bandwidth)):
        if not low / HULL_SLACK <= value <= high * HULL_SLACK:
            return "hull"
    return ""


def estimates(cases: Sequence[Case], given: Constants | None = None) -> list[Estimate]:
    """An estimate for every case, in their order."""
    if not cases:
        return []
    known = given or constants()
    host, arithmetic, memory = parts(bases(cases), known.terms)
    numbers = zip(cases, host.tolist(), arithmetic.tolist(), memory.tolist(), strict=True)
    return [_estimate(case, known, *three) for case, *three in numbers]


def estimate(case: Case, given: Constants | None = None) -> Estimate:
    """The estimate for one case."""
    return estimates([case], given)[0]


def _estimate(case: Case, known: Constants, host: float, arithmetic: float, memory: float) -> Estimate:
    seconds, gpu = host + arithmetic + memory, arithmetic + memory
    why = refusal(case, known.hull)
    if not why and host > gpu and not case.is_tensorflow:
        why = "launching"
    if why:
        reason, instead = REFUSED[why]
        return Estimate(
            kind="refused",
            range_of=why,
            seconds=seconds,
            host=host,
            arithmetic=arithmetic,
            memory=memory,
            reason=reason,
            instead=instead,
        )
    if host > gpu:
        kind: Kind = "launching"
        name, low, high = "launching", min(seconds, max(FLOOR_S, LAUNCH_LOW * gpu)), LAUNCH_HIGH * seconds
    else:
        kind, name = "gpu", range_name(case)
        low, high = known.ranges[name].low * seconds, known.ranges[name].high * seconds
    return Estimate(
        kind=kind, range_of=name, seconds=seconds, low=low, high=high, host=host, arithmetic=arithmetic, memory=memory
    )


def range_name(case: Case) -> str:
    """Which range a case has that the GPU decides."""
    if case.is_keras:
        return "keras"
    return "amd" if case.card.vendor == "AMD" else "nvidia"
