"""Training speeds on named GPUs that others measured, each with its source. Reads bench/published/gpu/."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

from bench import grouped
from bench.report.estimates import networks
from bench.report.estimates.networks import Network
from bench.report.published import cards
from bench.report.published.sources import GPU, sources
from bench.report.published.strict import Line, lines

SHARED_COLUMNS = "id source file network card framework precision batch_size optimizer input_from".split()
MEASURED_COLUMNS = [*SHARED_COLUMNS, "throughput", "unit", "left_out"]
NOTEBOOK_COLUMNS = [*SHARED_COLUMNS, "steps_per_epoch", "throughput", "unit"]

Precision = Literal["fp32", "tf32", "tf32-conv", "amp", "fp16", "bf16"]
Optimizer = Literal["none", "sgd", "adam"]
InputFrom = Literal["", "memory", "pictures", "strings"]
# Per second; only of the first three does a step hold as many as its batch.
SAMPLES = frozenset({"images/s", "sequences/s", "samples/s"})
UNITS = SAMPLES | {"tokens/s", "mel frames/s", "audio samples/s"}
# Two figures for the same thing in one place may differ by rounding and by a repeat, not by more.
AGREE_WITHIN = 1.1


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One published training speed of one GPU.

    ``tf32-conv`` is PyTorch's default on cards with TF32: convolutions in TF32, products in single precision.
    ``seconds`` is a step's time; None where the file gives no batch or counts something else than samples.
    """

    id: str
    source: str
    file: str
    network: str
    card: str
    framework: str
    precision: Precision
    batch: float | None
    optimizer: Optimizer
    input_from: InputFrom
    throughput: float
    unit: str
    steps_per_epoch: float | None = None
    left_out: str = ""  # why the fit leaves it out

    @property
    def seconds(self) -> float | None:
        """Time of one step."""
        return self.batch / self.throughput if self.batch and self.unit in SAMPLES else None

    @property
    def is_keras(self) -> bool:
        """Whether Keras ran the steps."""
        return "keras" in self.framework.lower()

    @property
    def is_tensorflow(self) -> bool:
        """Whether TensorFlow ran the steps, under Keras or not."""
        return is_tensorflow(self.framework)

    @property
    def stack(self) -> str:
        """The framework without its version: what repeats of one measurement share."""
        return re.split(r"[\s(]", self.framework)[0] + (" XLA" if "XLA" in self.framework else "")


def is_tensorflow(framework: str) -> bool:
    """Whether a framework's name means TensorFlow, under Keras or not."""
    name = framework.lower()
    if "tensorflow" in name or re.search(r"\btf\b", name):
        return True
    return "keras" in name and not re.search(r"jax|torch|theano|cntk|mxnet", name)


@cache
def measured(path: Path = GPU / "measured.csv") -> tuple[Row, ...]:
    """Speeds from benchmarks, logs and tables.

    Raises:
        PublishedError: a row is not as it must be, names what is not known, or contradicts another.
    """
    return _read(path, MEASURED_COLUMNS)


@cache
def notebooks(path: Path = GPU / "notebooks.csv") -> tuple[Row, ...]:
    """Speeds that Keras printed into public notebooks; validation and the end of an epoch are inside.

    Raises:
        PublishedError: as ``measured``.
    """
    return _read(path, NOTEBOOK_COLUMNS)


@cache
def by_id() -> dict[str, Row]:
    """Every published speed by its id."""
    return {row.id: row for row in (*measured(), *notebooks())}


def of(network: str, card: str) -> tuple[Row, ...]:
    """The published speeds of a network on a card, by their ids."""
    return _by_case().get((network, card), ())


def of_ours(mine: Network, card: str) -> tuple[Row, ...]:
    """What others measured on a card of the network that one of ours is, where the GPU and not its input decided.

    Without the rows that have no step, and those that the fit leaves out.
    """
    twin = networks.twin(mine) if mine.is_counted else None
    found = of(twin.id, card) if twin else ()
    return tuple(r for r in found if r.seconds is not None and not r.left_out and r.input_from in ("", "memory"))


@cache
def _by_case() -> dict[tuple[str, str], tuple[Row, ...]]:
    found = grouped(by_id().values(), lambda row: (row.network, row.card))
    return {key: tuple(group) for key, group in found.items()}


def _read(path: Path, columns: list[str]) -> tuple[Row, ...]:
    found: dict[str, Row] = {}
    places: dict[tuple[object, ...], tuple[Line, Row]] = {}
    for line in lines(path, columns):
        row = Row(
            id=line.text("id"),
            source=line.key("source", sources()),
            file=line.text("file", needed=False),
            network=line.key("network", networks.published()),
            card=line.key("card", cards.cards()),
            framework=line.text("framework"),
            precision=line.one_of("precision", get_args(Precision)),  # type: ignore[arg-type]
            batch=line.optional("batch_size"),
            optimizer=line.one_of("optimizer", get_args(Optimizer)),  # type: ignore[arg-type]
            input_from=line.one_of("input_from", get_args(InputFrom)),  # type: ignore[arg-type]
            throughput=line.number("throughput"),
            unit=line.one_of("unit", UNITS),
            steps_per_epoch=line.optional("steps_per_epoch"),
            left_out=line.text("left_out", needed=False),
        )
        if row.id in found:
            raise line.fail(f"{row.id} stands above already", "give every row an id of its own")
        found[row.id] = row
        key = tuple(getattr(row, name) for name in Row.__struct_fields__ if name not in ("id", "throughput"))
        before = places.setdefault(key, (line, row))[1]
        if not 1 / AGREE_WITHIN <= row.throughput / before.throughput <= AGREE_WITHIN:
            raise line.fail(
                f"{row.throughput:g} {row.unit} contradicts {before.throughput:g} of {before.id}, all else the same",
                "look both up in the source and keep the right one",
            )
    return tuple(found.values())
