"""What a workload's networks and sizes are called: parameters in words. Pure.

Names that a workload gives itself (its file's NAMES) come first; a parameter that nobody words is told by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from bench.report.stats import format as fmt
from bench.schema import Scalar
from bench.workloads import registry

# A parameter's value within words, or the words of each value.
WORDS: Mapping[str, str | Mapping[Scalar, str]] = {
    "image_px": "{} px",
    "pixels": "{} px",
    "crop": "cut to {} px",
    "layers": "{} layers",
    "units": "{} units",
    "length": "sequences of {}",
    "n": "matrices {} wide",
    "rows": "{} rows",
    "mib": "{} MiB",
    "kib": "{} KiB",
    "cap_gb": "at most {} GB",
    "n_envs": "{} at once",
    "minutes": "{} minutes",
    "width": "width {}",
    "size": "size {}",
    "block-s": "blocks of {} s",
    "block_s": "blocks of {} s",
    "shapes": "{} shapes",
    "tuned": {"all": "all layers trained", "head": "only the last layer trained"},
    "task": {"tabular": "a table", "digits": "handwritten digits"},
    "model": {"conv": "convolutions", "linear": "one dense layer"},
    "optimizer": {"adam": "Adam", "sgd": "SGD"},
}


def words(workload: str, params: Mapping[str, Scalar]) -> str:
    """A size of a workload by the parameters that tell it from others: "BERT-base size"; empty without any."""
    if part := _part(workload, params):
        return part
    rest, said = dict(params), []
    if own := str(rest.pop("net", "")):
        said.append(net(own, workload))
    if own in registry.workloads():
        if part := _part(own, rest):
            return ", ".join([*said, part])
        usual = _usual(own).items()
        rest = dict(rest.items() - usual) if usual <= rest.items() else rest
    if "layers" in rest:
        rest.pop("heads", None)  # goes with the width
    return ", ".join([*said, *(_of(name, value) for name, value in rest.items())])


def net(name: str, workload: str = "") -> str:
    """A network of a study in words: the title of its workload, or what that study or another calls its own."""
    known = registry.workloads()
    return known[name].title if name in known else registry.names(workload).nets.get(name) or _nets().get(name, name)


def _part(workload: str, params: Mapping[str, Scalar]) -> str:
    """What a workload calls the size, where it has a name for it."""
    found = (part.label for part in registry.names(workload).parts if params.get(part.param) == part.value)
    return next(found, "").removeprefix("of ")


@cache
def _nets() -> dict[str, str]:
    """Nets that are no workload of their own, by the parameter that names them."""
    return {name: title for workload in registry.workloads() for name, title in registry.names(workload).nets.items()}


def _usual(workload: str) -> dict[str, Scalar]:
    """Parameters of the variant that a workload measures first."""
    variants = registry.workloads()[workload].variants["reference"]
    return dict(next((one for one in variants if one.headline), variants[0]).params)


def _of(name: str, value: Scalar) -> str:
    known = WORDS.get(name)
    if isinstance(known, str):
        return known.format(fmt.number(value, 12) if isinstance(value, int | float) else value)
    return known[value] if isinstance(known, Mapping) and value in known else fmt.params({name: value})
