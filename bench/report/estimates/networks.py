"""What the formula needs to know of a network: of published ones, of our workloads', and of a Keras model.

Reads bench/published/gpu/networks.csv and bench/flops.json.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from bench.records import operations
from bench.report.published.sources import GPU
from bench.report.published.strict import PublishedError, lines

if TYPE_CHECKING:
    import keras

COLUMNS = (
    "id model input family forward_mflop activations_m parameters_m matrix_operations frozen_mflop group aliases"
).split()
Family = Literal[
    "cnn", "transformer", "mlp", "recurrent", "recommendation", "detection", "segmentation", "other", "embedding"
]
# What a sample's training moves, over its activations: each written once and read once, four bytes each.
MOVED_PER_ACTIVATION_BYTES = 8
# Names that are lists of layers: "Keras C32*2-D500-D10" has two convolutions and two dense layers.
LAYER = re.compile(r"([CD])(\d*)(?:k\d+)?(?:\*(\d+))?(?:-|$)")
LAYERS = re.compile(rf"Keras ((?:{LAYER.pattern})+)")
# Two versions of one network, strides in another layer say, differ less in their operations.
VARIANT_DIFFERS = 0.1
FAMILY_OF_OURS: dict[str, Family] = {
    "lstm-text": "recurrent",
    "embedding": "embedding",
    "mlp-tabular": "mlp",
    "detector-640": "detection",
    "diffusion-unet": "other",
    "gpt-small": "transformer",
    "lora": "transformer",
    "transformer-text": "transformer",
}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network and the size of its input.

    ``forward`` counts the operations of a sample's forward pass, two for each multiply-add; ``activations`` the numbers
    that its convolutions, dense layers and attention products put out for a sample; ``matrix_operations`` those of a
    training step, two for a convolution and three for a dense layer or attention product. None where nobody counted.
    """

    id: str
    title: str
    size: str = ""  # of the input, as its source writes it: "224x224", "seq 128"
    family: Family
    forward: float | None
    activations: float | None
    parameters: float | None
    matrix_operations: float | None
    is_frozen: bool = False  # whether some of its layers do not learn
    group: str = ""  # relatives, which a test of the formula leaves out together
    aliases: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """Its name as a reader reads it: "2 dense layers up to 500 wide", where a source has only its layers."""
        found = LAYERS.fullmatch(self.title)
        if found is None:
            return self.title
        layers = [(kind, width) for kind, width, n in LAYER.findall(found[1]) for _ in range(int(n or 1))]
        n_convolutions = sum(kind == "C" for kind, _ in layers)
        dense = [int(width or 0) for kind, width in layers if kind == "D"]
        words = [f"{n_convolutions} convolution{'s' if n_convolutions > 1 else ''}"] if n_convolutions else []
        if dense:
            wide = f" {'up to ' if min(dense) < max(dense) else ''}{max(dense)} wide" if max(dense) else ""
            words.append(f"{len(dense)} dense layer{'s' if len(dense) > 1 else ''}{wide}")
        return ", ".join(words)

    @property
    def is_counted(self) -> bool:
        """Whether all that the formula needs is known."""
        return None not in (self.forward, self.activations, self.parameters, self.matrix_operations)


@cache
def published(path: Path = GPU / "networks.csv") -> dict[str, Network]:
    """Networks of which somebody published a measurement, by id.

    Raises:
        PublishedError: a line is not as it must be, or two have the same id.
    """
    found: dict[str, Network] = {}
    for line in lines(path, COLUMNS):
        network = Network(
            id=line.text("id"),
            title=line.text("model"),
            size=line.text("input", needed=False),
            family=line.one_of("family", get_args(Family)),  # type: ignore[arg-type]
            forward=line.optional("forward_mflop", 1e6),
            activations=line.optional("activations_m", 1e6),
            parameters=line.optional("parameters_m", 1e6),
            matrix_operations=line.optional("matrix_operations"),
            is_frozen=line.optional("frozen_mflop") is not None,
            group=line.text("group", needed=False),
            aliases=line.several("aliases"),
        )
        if network.id in found:
            raise line.fail(f"{network.id} stands above already", "keep one line for each network and input")
        found[network.id] = network
    return found


@cache
def ours() -> dict[str, Network]:
    """The networks that our workloads build, by the name that bench/flops.json has for them."""
    return {
        name: Network(
            id=name,
            title=_title(name),
            family=FAMILY_OF_OURS.get(name.split(" ")[0], "cnn"),
            forward=entry["forward"],
            activations=entry["training_sample_bytes"] / MOVED_PER_ACTIVATION_BYTES,
            parameters=entry["forward_step_bytes"] / 4,
            matrix_operations=entry["matrix_operations"],
            is_frozen="tuned=head" in name,
        )
        for name, entry in operations.counts().items()
    }


def _title(name: str) -> str:
    """ "resnet50 image_px=224" becomes "resnet50 (image px 224)"."""
    workload, *sizes_ = name.split(" ")
    inside = ", ".join(part.replace("_", " ").replace("=", " ") for part in sizes_)
    return f"{workload} ({inside})" if inside else workload


def of_model(model: keras.Model, name: str = "") -> Network:
    """What a built Keras model of one's own needs. Imports Keras.

    Raises:
        ValueError: it has a layer whose operations nobody here knows how to count.
    """
    from bench.workloads import count_flops as counting

    forward, _ = counting.count(model)
    _, moved = counting.least_bytes(model, 0)
    kinds = {type(layer).__name__ for layer in counting.leaves(model)}
    return Network(
        id=name or model.name,
        title=name or model.name,
        family=_family(kinds),
        forward=forward,
        activations=moved.sample / MOVED_PER_ACTIVATION_BYTES,
        parameters=float(model.count_params()),
        matrix_operations=counting.matrix_operations(model),
        is_frozen=any("kernel" in weight.name for weight in model.non_trainable_weights),
    )


def _family(kinds: set[str]) -> Family:
    if kinds & {"LSTM", "GRU", "SimpleRNN", "Bidirectional"}:
        return "recurrent"
    if "MultiHeadAttention" in kinds:
        return "transformer"
    return "cnn" if any("Conv" in kind for kind in kinds) else "mlp"


def network(name: str) -> Network:
    """The network that a name means: one of ours by its whole name, else a published one, at 224 px if there is one.

    Raises:
        PublishedError: none or several; the message names near ones.
    """
    for known in (ours(), published()):
        if name in known:
            return known[name]
    found = candidates(name)
    if found:
        return max(found, key=lambda item: (item.is_counted, sizes(item.size) == (224,), item.forward or 0.0))
    names = [item.id for item in (*ours().values(), *published().values()) if item.is_counted]
    names = list(dict.fromkeys(known.partition(" ")[0] for known in names))
    near = difflib.get_close_matches(name.lower(), names, n=4, cutoff=0.4)
    hint = (
        f"near ones: {', '.join(near)}" if near else "known are the models of `list`, and published ones such as vgg16"
    )
    raise PublishedError(f"unknown network {name!r}; {hint}")


def candidates(name: str) -> tuple[Network, ...]:
    """Published networks of that name, however it is spelt, with or without the size of the input."""
    return _index().get(spelt(name), ())


def twin(mine: Network) -> Network | None:
    """The published network that one of ours is, at the same size of input; None where nobody published it."""
    workload = mine.id.partition(" ")[0]
    near = [
        item
        for item in candidates(workload)
        if item.is_counted and abs((item.forward or 0.0) / (mine.forward or 1.0) - 1) <= VARIANT_DIFFERS
    ]
    return near[0] if near else None


def spelt(name: str) -> str:
    """A name without what spellings differ in: "ResNet-50" and "resnet50" are one."""
    return re.sub(r"[^a-z0-9.]", "", name.lower().replace("*", "x"))


def sizes(text: str) -> tuple[int, ...]:
    """The numbers of an input's size, each once and without colour channels: (224,) of "224x224x3", "224 px"."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return tuple(dict.fromkeys(number for number in numbers if len(numbers) == 1 or number not in (1, 3)))


@cache
def _index() -> dict[str, tuple[Network, ...]]:
    found: dict[str, list[Network]] = {}
    for item in published().values():
        for title in (item.title, *item.aliases):
            for name in dict.fromkeys((spelt(item.id), spelt(title), spelt(title + item.size))):
                found.setdefault(name, []).append(item)
    return {name: tuple({item.id: item for item in items}.values()) for name, items in found.items()}
