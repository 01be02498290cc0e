"""Commands that would make this machine worse: a table, and the check of every command before it is printed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from bench.doctor import builds, fixes
from bench.doctor.facts import Facts, is_jetson


class Harm(NamedTuple):
    """A command, the machines on which it does harm, and the harm."""

    command: str  # pattern; a fix holds several commands, set apart by semicolons
    when: Callable[[Facts], bool]
    harm: str


def _works(facts: Facts, name: str) -> bool:
    backend = fixes.backend_facts(facts, name)
    return bool(backend.gpus) and not backend.error and not backend.keras_error


def _is(facts: Facts, name: str, build: str) -> bool:
    if name == "torch" and fixes.is_misplaced(facts):
        return False
    return bool(getattr(fixes.backend_facts(facts, name), build)) or f"+{build}" in facts.packages.get(name, "")


def _all_below(facts: Facts, capability: str) -> bool:
    chips = [builds.version_of(chip) for chip in fixes.capabilities(facts)]
    return bool(chips) and max(chips) < builds.version_of(capability)


def _newest_lacks(facts: Facts, name: str) -> bool:
    """Whether the newest release has no build for any of the cards."""
    newest = builds.builds(name)[0].release
    every = builds.builds(name, facts.host.architecture)
    lists = [build.architectures for build in every if build.release == newest and build.cuda]
    chips = fixes.capabilities(facts)
    return bool(chips) and not any(builds.runs_on(one, chip) for one in lists for chip in chips)


def _driver_below(facts: Facts, cuda: int) -> bool:
    return 0 < next(iter(builds.version_of(facts.host.driver_cuda)), 0) < cuda


def _beyond(facts: Facts, plugin: str) -> bool:
    limit = builds.plugin_limit(plugin)
    return limit is not None and builds.beyond(fixes.backend_facts(facts, limit.framework).version, limit.newest)


def _no_wheel(name: str) -> Callable[[Facts], bool]:
    return lambda facts: builds.has_wheel(name, facts.host.python) is False


HARMS = (
    Harm(
        r"pip (un)?install[^;]*\btorch\b(?![^;]*/rocm)",
        lambda f: _is(f, "torch", "rocm") and _works(f, "torch"),
        "the ROCm build that works would be gone",
    ),
    Harm(
        r"pip install[^;]*\btorch\b(?![^;]*/rocm)",
        lambda f: _is(f, "torch", "rocm"),
        "it would replace the build for ROCm by one that cannot use this card",
    ),
    Harm(
        r"pip install[^;]*\btorch\b(?![^;]*/xpu)",
        lambda f: _is(f, "torch", "xpu"),
        "it would replace the build for Intel's GPUs by one that cannot use them",
    ),
    Harm(r"pip install[^;]*\btensorflow\b", lambda f: _is(f, "tensorflow", "rocm"), "it would replace AMD's build"),
    Harm(r"pip install[^;]*\bjax\[cuda", lambda f: _is(f, "jax", "rocm"), "its plug-in would stand beside AMD's"),
    Harm(
        r"pip install[^;]*(\btorch\b(?![^;]*whl/cu13)|\btensorflow\b|\bjax\b)",
        lambda f: is_jetson(f.host),
        "it would replace NVIDIA's build for this board by one without its GPU",
    ),
    Harm(
        r"pip install (-U|--force-reinstall)[^;]*\btorch\b(?![^;]*--index-url)",
        lambda f: _works(f, "torch") or _newest_lacks(f, "torch"),
        "the newest build need not run on this card",
    ),
    Harm(
        r"pip install[^;]*tensorflow\[and-cuda\](?!==)",
        lambda f: _newest_lacks(f, "tensorflow"),
        "the newest TensorFlow has no code for this card",
    ),
    Harm(
        r"(?<!there: )pip install[^;]*tensorflow\[and-cuda\]",
        lambda f: f.host.system != "Linux",
        "its libraries exist for Linux only",
    ),
    Harm(
        r"jax\[cuda13\]", lambda f: _all_below(f, "7.5"), "CUDA 13 has no code for cards below compute capability 7.5"
    ),
    Harm(r"jax\[cuda13\]|whl/cu13", lambda f: _driver_below(f, 13), "this driver does not run CUDA 13"),
    Harm(
        r"jax\[cuda12\]|whl/cu12|tensorflow\[and-cuda\](?!==2\.14)",
        lambda f: _driver_below(f, 12),
        "this driver does not run CUDA 12",
    ),
    Harm(
        r"whl/cu", lambda f: _is(f, "torch", "rocm") or _is(f, "torch", "xpu"), "a build for CUDA cannot use this card"
    ),
    Harm(r"pip install[^;]*\bjax-metal\b", lambda f: _beyond(f, "jax-metal"), "the plug-in breaks a JAX of this age"),
    Harm(
        r"pip install[^;]*\btensorflow-metal\b",
        lambda f: _beyond(f, "tensorflow-metal"),
        "the plug-in is made for an older TensorFlow",
    ),
    Harm(
        r"(?<!there: )pip install[^;]*\btensorflow(?!\S*==|-)",
        _no_wheel("tensorflow"),
        "there is no such wheel for this Python",
    ),
    Harm(r"pip install[^;]*\btorch(?!\S*==)\b", _no_wheel("torch"), "there is no such wheel for this Python"),
    Harm(r"(?<!there: )pip install[^;]*\bjax\b(?!\S*==|-)", _no_wheel("jax"), "there is no such wheel for this Python"),
    Harm(
        r"install NVIDIA's driver(?! in Windows)",
        lambda f: bool(f.host.container) or f.host.wsl or is_jetson(f.host),
        "the driver belongs to the system outside",
    ),
    Harm(r"unset LD_LIBRARY_PATH", lambda f: is_jetson(f.host), "the board's libraries are found through it"),
    Harm(
        r"^(?!.*there: ).*numpy<2",
        lambda f: builds.version_of(f.host.python) >= (3, 13),
        "there is no such wheel for this Python",
    ),
    Harm(
        r"-U [^;]*numpy",
        lambda f: (0,) < builds.version_of(f.packages.get("tensorflow", "")) < (2, 18),
        "this TensorFlow needs NumPy 1",
    ),
    Harm(r"unset \w+_VISIBLE_DEVICES", lambda f: bool(fixes.job(f)), "the other GPUs are those of other jobs"),
    Harm(r"sudo usermod", lambda f: bool(f.host.container), "groups of a container are given when it starts"),
    Harm(r"nvidia-smi -r|--gpu-reset", lambda f: True, "a reset ends what others compute"),
)


def harm_of(fix: str, facts: Facts) -> str:
    """What a fix would break on this machine; empty where nothing is known against it."""
    for number in map(int, re.findall(r"NUM_THREADS=(\d+)", fix)):
        if number > facts.host.n_effective:
            return "more threads than cores take turns"
    return next((harm.harm for harm in HARMS if re.search(harm.command, fix) and harm.when(facts)), "")


def checked(fix: str, facts: Facts) -> str:
    """A fix that may be printed: itself, or why it is left out."""
    harm = harm_of(fix, facts)
    return (
        f"no command is given here, since the usual one does harm: {harm}; ask where the build is from" if harm else fix
    )
