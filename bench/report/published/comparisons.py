"""Which published rows stand beside measurements of ours, from bench/published/comparisons.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
import yaml

from bench.report.published import figures
from bench.report.published.figures import FOLDER, PublishedError
from bench.schema import Device, Mode

FILE = "comparisons.yaml"


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody's speeds of several networks on one machine; ``rows`` are published rows by workload of ours."""

    id: str
    name: str
    mode: Mode
    device: Device
    rows: Mapping[str, str]
    is_time: bool = False  # rows hold times, so that the larger one is the slower network
    why: str  # what sets it apart from ours, for outliers


class Comparisons(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file: published speed-ups by workload, and sources of speeds."""

    speedups: Mapping[str, tuple[str, ...]]
    sources: tuple[Source, ...]


@cache
def comparisons(folder: Path = FOLDER) -> Comparisons:
    """The file's content.

    Raises:
        PublishedError: an entry has another shape, or names a row that does not exist or holds no number.
    """
    shown = f"bench/published/{FILE}"
    try:
        data = yaml.load((folder / FILE).read_text(encoding="utf-8"), Loader=figures.YAML_LOADER)
        found = msgspec.convert(data, Comparisons)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise PublishedError(f"{shown}: {error}") from error
    rows = [row for row_ids in found.speedups.values() for row in row_ids]
    rows += [row for source in found.sources for row in source.rows.values()]
    for row in rows:
        try:
            float(figures.lookup(row, folder).value)
        except ValueError as error:  # PublishedError is one
            raise PublishedError(f"{shown}: {error}; name a row with a number") from error
    return found
