"""Short names of cells, as people type them: "resnet50 train tensorflow b8". Pure.

A name holds what tells a cell from the usual one of its size: nothing on precision, compilation or threads unless they
are further arms. It is accepted wherever an id is, and so is any part of it that fits one cell only.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from bench import grouped
from bench.records.check import size
from bench.schema import Cell
from bench.session import arms
from bench.workloads.registry import UnknownNameError, workloads

MOST_NAMED = 5  # cells that a refusal lists
USUAL_PRECISION = arms.PRECISIONS["cpu"][0]


def short_names(cells: Iterable[Cell]) -> dict[str, str]:
    """The short name of each cell by id, different for all of them; without a device it is the CPU's."""
    cells = list(cells)
    n_threads = _most_threads(cells)
    alike = grouped(cells, lambda cell: (cell.workload, cell.mode))
    varying = {
        key: {name for cell in group for name in cell.params if len({other.params.get(name) for other in group}) > 1}
        for key, group in alike.items()
    }
    names = {}
    for cell in cells:
        words = [cell.workload, cell.mode, cell.backend]
        words += ["gpu"] * (cell.device == "gpu") + [f"b{cell.batch_size}"] * (cell.batch_size > 1)
        shown = varying[cell.workload, cell.mode]
        words += [_param(name, value) for name, value in sorted(cell.params.items()) if name in shown]
        names[cell.id] = " ".join([*words, *_further(cell, n_threads)])
    n_named = Counter(names.values())
    return {cell.id: names[cell.id] + f" n{cell.n_samples}" * (n_named[names[cell.id]] > 1) for cell in cells}


def find(text: str, cells: Mapping[str, Cell]) -> Cell:
    """The cell of an id, a short name, or words that fit one cell only; of several the only usual one.

    Raises:
        UnknownNameError: none fits, or more than one; the message names the nearest.
    """
    if text in cells:
        return cells[text]
    names = short_names(cells.values())
    fitting = matching(text, cells)
    words = text.lower().split()
    name = " ".join(word for word in words if word != "cpu")
    whole = [cell for cell in fitting if names[cell.id] == name]
    on_device = [cell for cell in usual(fitting) if cell.device == "cpu" or "gpu" in words]
    for found in (fitting, whole, on_device):
        if len(found) == 1:
            return found[0]
    if fitting:
        shown = _listed(sorted((names[cell.id] for cell in fitting), key=len))
        raise UnknownNameError(f"{text!r} fits {len(fitting)} cells: {shown}; add a word that only yours has")
    near = difflib.get_close_matches(text.lower(), [*names.values(), *names], MOST_NAMED, 0.5)
    shown = _listed([names.get(name, name) for name in near])
    raise UnknownNameError(
        f"unknown cell {text!r}" + (f"; near it: {shown}" if near else "; `plan --all` lists a profile's")
    )


def matching(text: str, cells: Mapping[str, Cell]) -> list[Cell]:
    """Cells that every word of the text fits: a whole word before the beginning of one; or their ids begin with it."""
    found = list(cells.values())
    for word in text.lower().split():
        whole = [cell for cell in found if word in _words(cell)]
        found = whole or [cell for cell in found if any(_begins(own, word) for own in _words(cell))]
    return found or [cell for cell_id, cell in cells.items() if cell_id.startswith(text)]


def usual(cells: Iterable[Cell]) -> list[Cell]:
    """The cells of headline sizes that are no further arm."""
    cells = list(cells)
    n_threads = _most_threads(cells)
    return [cell for cell in cells if _is_headline(cell) and not _further(cell, n_threads)]


def _words(cell: Cell) -> set[str]:
    """All that a cell can be told by."""
    own = {cell.workload, cell.mode, cell.backend, cell.device, cell.precision, f"jit-{cell.jit}"}
    own |= {f"b{cell.batch_size}", f"n{cell.n_samples}", f"t{cell.threads}"}
    return own | {_param(name, value) for name, value in cell.params.items()}


def _begins(own: str, word: str) -> bool:
    """Whether a word is the beginning of a cell's own one; a number is whole or another one."""
    return own.startswith(word) and not (word[-1].isdigit() and own[len(word) :][:1].isdigit())


def _param(name: str, value: object) -> str:
    return f"{name}-{value}".lower().replace("_", "-")


def _further(cell: Cell, n_threads: int) -> list[str]:
    """What sets a cell apart from the usual one of its size, in words."""
    spec = workloads().get(cell.workload)
    jit = None if spec is None else arms.usual_jit(spec, cell.backend, cell.device)
    words = [cell.precision] * (cell.precision != USUAL_PRECISION) + [f"jit-{cell.jit}"] * (cell.jit != jit)
    return words + [f"t{cell.threads}"] * (cell.device == "cpu" and cell.threads != n_threads)


def _is_headline(cell: Cell) -> bool:
    """Whether headlines rest on a cell's size, in any profile."""
    spec = workloads().get(cell.workload)
    sizes = [] if spec is None else [v for variants in spec.variants.values() for v in variants if v.headline]
    return size(cell) in map(size, sizes)


def _most_threads(cells: Iterable[Cell]) -> int:
    return max((cell.threads for cell in cells if cell.device == "cpu"), default=0)


def _listed(names: Collection[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(repr(name) for name in list(names)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
