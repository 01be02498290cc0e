"""Which builds of a framework fit a chip, a driver and a Python: the dated table of published releases, and questions.

Reads ``bench/published/framework_builds.toml`` once. Versions compare as tuples of numbers.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import msgspec

from bench import ROOT
from bench.schema import Struct

FILE = ROOT / "published" / "framework_builds.toml"
CUDA = re.compile(r"cu(?:da)?(\d\d)\.?(\d)?")


class Row(Struct, kw_only=True):
    """What every row has: when and where it was read."""

    date: str
    source: str
    read_in: str = ""  # where else it was read, if not at its source


class Release(Row, kw_only=True):
    """Releases of a framework that were built alike."""

    framework: str
    from_: str = msgspec.field(name="from")
    to: str
    pythons: tuple[str, str]  # oldest and newest that it has wheels for
    builds: dict[str, str]  # "cu126", "cuda12", "rocm7.2": the name of a list of architectures
    arm: dict[str, str] = {}  # the same for Linux on ARM, where that is built for other chips


class Generation(Row, kw_only=True):
    """NVIDIA's chips between two compute capabilities."""

    name: str
    capabilities: tuple[str, str]
    last_driver: str = ""  # branch that still knows them; empty while they are current
    last_cuda: str = ""


class Driver(Row, kw_only=True):
    """The oldest driver that runs programs of a CUDA generation."""

    cuda: int
    oldest: str


class Plugin(Row, kw_only=True):
    """A plug-in, and the newest release of its framework that it works with."""

    name: str
    framework: str
    newest: str


class Platform(Row, kw_only=True):
    """Systems and processors that a framework has wheels for: "Linux x86_64"."""

    framework: str
    systems: tuple[str, ...]


class Ended(Row, kw_only=True):
    """What a framework gave up, and the last release that had it; empty where none ever had."""

    framework: str
    what: str
    last: str
    instead: str


class Table(Struct, kw_only=True):
    """The whole file."""

    architectures: dict[str, tuple[str, ...]]
    release: tuple[Release, ...]
    generation: tuple[Generation, ...]
    driver: tuple[Driver, ...]
    plugin: tuple[Plugin, ...]
    platform: tuple[Platform, ...]
    ended: tuple[Ended, ...]


class Build(NamedTuple):
    """One build of one release: "2.8", "cu126"; its CUDA or ROCm as a version, its architectures."""

    release: str
    tag: str
    cuda: tuple[int, ...]  # empty for ROCm
    architectures: tuple[str, ...]


@cache
def table() -> Table:
    """The file, decoded; msgspec.ValidationError where a row lacks a field or has an unknown one."""
    return msgspec.toml.decode(FILE.read_text(encoding="utf-8"), type=Table)


def version_of(text: str) -> tuple[int, ...]:
    """ "2.11.0rc1" becomes (2, 11); an empty tuple for what is no version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def number_of(capability: str) -> int | None:
    """ "8.6" becomes 86 and "12.0" 120; None for what is no compute capability."""
    found = re.fullmatch(r"(\d+)\.(\d)", capability or "")
    return int(found[1] + found[2]) if found else None


def generation(capability: str | None) -> Generation | None:
    """The generation of a compute capability, None for an unknown one."""
    number = version_of(capability or "")
    rows = (row for row in table().generation if number)
    return next((row for row in rows if _between(number, row.capabilities)), None)


def _between(version: tuple[int, ...], span: tuple[str, str]) -> bool:
    return version_of(span[0]) <= version <= version_of(span[1])


def runs_on(architectures: tuple[str, ...], capability: str) -> bool:
    """Whether a build's list has code for a chip: machine code of its generation, or portable code of an older one."""
    chip = number_of(capability) or 0
    for text in architectures:
        number = number_of(text.lstrip("+")) or 0
        if number <= chip and (text.startswith("+") or number // 10 == chip // 10):
            return True
    return False


@cache
def chips() -> frozenset[str]:
    """Every chip that the table names: compute capabilities, and AMD's names."""
    listed_ = {text.lstrip("+") for architectures in table().architectures.values() for text in architectures}
    return frozenset(listed_.union(*(row.capabilities for row in table().generation)))


@cache
def builds(framework: str, processor: str = "") -> list[Build]:
    """All builds of a framework for a processor, x86 unless it is ARM's; newest release and newest CUDA first."""
    rows = [row for row in table().release if row.framework == framework]
    is_other = processor == "aarch64" and any(row.arm for row in rows)
    found = [
        Build(row.to, tag, _cuda(tag), table().architectures[name])
        for row in rows
        for tag, name in (row.arm if is_other else row.builds).items()
    ]
    return sorted(found, key=lambda build: (version_of(build.release), build.cuda, version_of(build.tag)), reverse=True)


def _cuda(tag: str) -> tuple[int, ...]:
    """ "cu126" becomes (12, 6), "cuda12" (12,), "rocm7.2" nothing."""
    found = CUDA.fullmatch(tag)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def pythons(framework: str, release: str = "") -> tuple[str, str] | None:
    """Oldest and newest Python of a release, of the newest one unless it is named; None where the table has none."""
    rows = [row for row in table().release if row.framework == framework]
    version = version_of(release)
    if version:
        rows = [row for row in rows if _between(version, (row.from_, row.to))]
    return max(rows, key=lambda row: version_of(row.to)).pythons if rows else None


def listed(framework: str, version: str, tag: str) -> tuple[str, ...]:
    """What a build of a release has code for, as published: "sm_80", "compute_90"; empty for an unknown build.

    Args:
        framework: "torch", "tensorflow" or "jax".
        version: of the installed release.
        tag: of its build: "cu128", "cuda13"; of TensorFlow, which has one build per release, empty.
    """
    rows = [row for row in table().release if row.framework == framework]
    rows = [row for row in rows if _between(version_of(version), (row.from_, row.to))]
    lists = (name for row in rows for one, name in row.builds.items() if one == tag or not tag)
    found = table().architectures.get(next(lists, ""), ())
    return tuple(("compute_" if text[0] == "+" else "sm_") + text.lstrip("+").replace(".", "") for text in found)


def has_wheel(framework: str, python: str, release: str = "") -> bool | None:
    """Whether a release has wheels for a Python; None where one of them is not known."""
    span, version = pythons(framework, release), version_of(python)
    if span is None or not version:
        return None
    return _between(version, span)


def has_platform(framework: str, system: str, machine: str) -> bool:
    """Whether a framework has wheels for a system and a processor, as Python's ``platform`` names them."""
    processor = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    return any(f"{system} {processor}" in row.systems for row in table().platform if row.framework == framework)


def fitting(
    framework: str,
    capabilities: tuple[str, ...],
    driver_cuda: str = "",
    python: str = "",
    release: str = "",
    processor: str = "",
) -> Build | None:
    """The build to take for some chips: of the named release where it has one, else of the newest that has.

    Args:
        framework: "torch", "tensorflow" or "jax".
        capabilities: of the chips that it must run on, "6.1"; none where they are not told: then any build will do.
        driver_cuda: the newest CUDA that the driver runs, "12.4"; builds of a later generation are left out.
        python: "3.12"; releases without a wheel for it are left out.
        release: the installed one, which is kept where it can be.
        processor: as Python's ``platform`` names it.
    """
    newest = version_of(driver_cuda)
    fit = [
        build
        for build in builds(framework, processor)
        if build.cuda
        and all(runs_on(build.architectures, capability) for capability in capabilities)
        and (not newest or build.cuda[0] <= newest[0])
        and has_wheel(framework, python, build.release) is not False
    ]
    same = [build for build in fit if version_of(build.release) == version_of(release)]
    of_one = [build for build in fit if build.release == fit[0].release]
    # Within a CUDA generation a driver runs newer minor versions too, but for code that is compiled at first use.
    return min(same or of_one, key=lambda build: bool(newest) and build.cuda > newest, default=None)


def plugin_limit(name: str) -> Plugin | None:
    """The row of a plug-in."""
    return next((row for row in table().plugin if row.name == name), None)


def beyond(version: str, limit: str) -> bool:
    """Whether a version is later than a limit, compared as far as the limit goes: 2.18.1 is not beyond 2.18."""
    parts = [int(part) for part in re.findall(r"\d+", limit)]
    return [int(part) for part in re.findall(r"\d+", version)[: len(parts)]] > parts


def ended(framework: str, what: str) -> Ended:
    """The row of what a framework gave up; KeyError where there is none."""
    for row in table().ended:
        if (row.framework, row.what) == (framework, what):
            return row
    raise KeyError(f"{framework}: {what}")


def oldest_driver(cuda: str) -> str:
    """The oldest Linux driver for a CUDA version; empty where the table does not tell."""
    generation_ = version_of(cuda)[:1]
    return next((row.oldest for row in table().driver if generation_ == (row.cuda,)), "")
