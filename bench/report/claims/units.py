"""Units of quoted numbers and how they convert."""

from __future__ import annotations

from bench.report.published import figures as published

# What one of a unit is in the smallest of its kind. Only units of one kind are converted.
KINDS_OF_UNITS: tuple[dict[str, float], ...] = (
    {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
    {"ms": 1e-3, "s": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0},
)
SPELLINGS = {"img/s": "images/s", "fps": "FPS"}
# The numbers of a claim say their unit in their name.
UNITS_OF_NUMBERS = {"gigabytes": "GB", "percent": "%", "watts": "W", "minutes": "minutes", "ratio": "x"}
UNITS_OF_ENDINGS = {"_h": "hours", "_s": "s"}


class LedgerError(ValueError):
    """A claim whose rule cannot be worked out; the message names the claim."""


def unit(claim: published.Claim, rule: published.ClaimRule) -> str:
    """The unit of a rule's thresholds: the one that the claim's numbers have, or else the one that its rows share.

    Raises:
        LedgerError: the numbers name several, or they name none and the rows differ.
    """
    if rule.begins or not (rule.rows or rule.quotients):
        return ""
    names: set[str] = set()
    for limit in (rule.at_least, rule.at_most):
        if isinstance(limit, published.Sum):
            names.update(limit.over if len(limit.over) == 1 and not limit.under else ())
        elif limit is not None:
            names.update(claim.numbers)
    named = {unit for name in names if (unit := _unit_of_number(name))}
    shared = {unit_of(published.lookup(row)) for row in rule.rows} | ({"x"} if rule.quotients else set())
    units = sorted(unit or "no unit" for unit in named or shared)
    if len(units) > 1:
        whose = "the claim's numbers" if named else "the rows"
        raise LedgerError(f"{whose} are in {' and in '.join(units)}, so the threshold has no unit")
    return (named or shared).pop()


def unit_of(figure: published.Figure) -> str:
    """The unit of a published row without remarks, in one spelling."""
    unit = figure.unit.partition(" (")[0]
    if unit == "USD/GPU-hour" and figure.hardware.startswith("1x "):
        return "USD/hour"  # a machine with one GPU
    return SPELLINGS.get(unit, unit)


def _unit_of_number(name: str) -> str:
    """The unit that the name of a claim's number says: "b-resnet50-40h-5h.gpu_h" is in hours; empty for "low"."""
    known = name.rpartition(".")[2]
    return UNITS_OF_NUMBERS.get(known) or UNITS_OF_ENDINGS.get(known[-2:], "")


def factor(unit: str, wanted: str, row: str) -> float:
    """What a number in one unit is multiplied with to be in another.

    Raises:
        LedgerError: they are not of one kind.
    """
    if unit == wanted:
        return 1.0
    for kind in KINDS_OF_UNITS:
        if unit in kind and wanted in kind:
            return kind[unit] / kind[wanted]
    raise LedgerError(f"row {row!r} gives {unit or 'no unit'} where the rule needs {wanted or 'no unit'}")
