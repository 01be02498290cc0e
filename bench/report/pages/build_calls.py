"""What a source may call about published builds: which has code for a chip, and which was the last with something.

All is read from the dated table of builds, in which a new release is one row.
"""

from __future__ import annotations

from markupsafe import Markup

from bench.doctor import builds
from bench.doctor.facts import NAMES
from bench.report.pages.markup import PARTS
from bench.report.templates import join

CODE = PARTS.code
PORTABLE = "portable code, which the driver translates at the first start"
UNDATED = "undated"


def code_for(framework: str, chip: str) -> Markup:
    """Which builds of a framework hold code for a chip: "since `2.7`, in the builds `cu128` and later".

    Args:
        framework: "torch", "tensorflow" or "jax".
        chip: a compute capability, "12.0", or AMD's name of a chip, "gfx1151".
    """
    rows = _rows(framework, chip)
    if not rows:
        return join(["no builds that we know"])
    newest = rows[-1]
    native = [row for row in rows if _tags(row, chip)]
    if native and native[-1] is newest:
        first = native[0]
        if first is rows[0]:
            return join(["yes, up to the newest we read, ", CODE(newest.to)])
        return join(["since ", CODE(first.from_), ", in the builds ", CODE(_tags(first, chip)[0]), " and later"])
    if any(builds.runs_on(_holds(newest, tag), chip) for tag in newest.builds):
        return join(["no machine code up to ", CODE(newest.to), "; ", PORTABLE])
    if native:
        return join(["up to ", CODE(native[-1].to), ", in the build ", CODE(_tags(native[-1], chip)[-1])])
    return join(["none up to ", CODE(newest.to)])


def last_with(framework: str, what: str) -> Markup:
    """The last release that had what a framework gave up: "TensorFlow `2.10`"."""
    return join([f"{NAMES[framework]} ", CODE(builds.ended(framework, what).last)])


def plugin_end(name: str) -> Markup:
    """The newest release of its framework that a plug-in works with: "JAX `0.5.0`, read on 2025-03-11"."""
    plugin = builds.plugin_limit(name)
    if plugin is None:
        raise KeyError(name)
    return join([f"{NAMES[plugin.framework]} ", CODE(plugin.newest), _read(plugin, ", read on ")])


def chips_of(framework: str) -> Markup:
    """What the newest builds of a framework hold code for: "`6.0` to `9.0`, in TensorFlow `2.21`"."""
    newest = _rows(framework, "")[-1]
    widest = max(map(builds.table().architectures.__getitem__, newest.builds.values()), key=len)
    return join([_span(widest), f", in {NAMES[framework]} ", CODE(newest.to)])


def builds_for(chip: str) -> Markup:
    """A table of the newest builds of each framework, and of the first ones with code for a chip."""
    lines = []
    for framework, title in NAMES.items():
        rows = _rows(framework, chip)
        first = next((row for row in rows if _tags(row, chip)), rows[-1])
        for row in [first, rows[-1]][rows[-1] is first :]:
            tag = (_tags(row, chip) or list(row.builds))[0]
            lines.append((join([f"{title} ", CODE(row.to), ", ", CODE(tag)]), _span(_holds(row, tag)), _read(row)))
    return PARTS.table(("package", "chips", "read"), lines, label=f"Builds with code for {chip}")


def old_cards() -> Markup:
    """A table of the generations that NVIDIA gave up, with the last releases that have code for them."""
    lines = [
        (
            f"{row.name} ({' to '.join(row.capabilities)})",
            *(code_for(framework, row.capabilities[1]) for framework in NAMES),
            row.last_driver,
        )
        for row in builds.table().generation
        if row.last_driver
    ]
    return PARTS.table(
        ("cards, the newest of", *NAMES.values(), "last driver branch"), lines, label="Old cards and the last builds"
    )


def _rows(framework: str, chip: str) -> list[builds.Release]:
    """The releases of a framework that have builds for the chip's maker, oldest first."""
    of_amd = chip.startswith("gfx")
    rows = [row for row in builds.table().release if row.framework == framework]
    rows = [row for row in rows if any(tag.startswith("rocm") == of_amd for tag in row.builds)]
    return sorted(rows, key=lambda row: builds.version_of(row.to))


def _holds(row: builds.Release, tag: str) -> tuple[str, ...]:
    return builds.table().architectures[row.builds[tag]]


def _tags(row: builds.Release, chip: str) -> list[str]:
    """Builds of a release with machine code for a chip, oldest CUDA or ROCm first."""
    return sorted((tag for tag in row.builds if _is_native(_holds(row, tag), chip)), key=builds.version_of)


def _is_native(architectures: tuple[str, ...], chip: str) -> bool:
    if chip.startswith("gfx"):
        return chip in architectures
    return builds.runs_on(tuple(text for text in architectures if not text.startswith("+")), chip)


def _span(architectures: tuple[str, ...]) -> Markup:
    """From the oldest to the newest chip of a list."""
    ends = [architectures[0], architectures[-1]]
    names = (CODE(text) for text in dict.fromkeys(text.lstrip("+") for text in ends))
    return join([join(names, " to "), ", and portable code" if ends[1].startswith("+") else ""])


def _read(row: builds.Row, before: str = "") -> str:
    return "" if row.date == UNDATED else f"{before}{row.date}"


# The names available in a source.
CALLS = {call.__name__: call for call in (code_for, chips_of, last_with, plugin_end, builds_for, old_cards)}
