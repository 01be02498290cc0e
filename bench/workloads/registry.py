"""Finds workloads and fingerprints their code. Reads source files; imports no framework."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType

from bench import REPOSITORY
from bench.records.check import workload_files
from bench.records.operations import network as network
from bench.schema import SLUG, Names, Workload

# Where code lies whose change is a change of what a workload computes or how its own clock reads.
COUNTED = ("bench.workloads.", "bench.machine.cgroups", "bench.measure.clock")
DECLARED = ("SPEC", "NAMES")  # what a workload's file says of itself


MOST_KNOWN, MOST_NEAR = 12, 4  # names that a refusal lists


class UnknownNameError(ValueError):
    """A workload, backend, device or cell that does not exist; the message names the known ones."""


def unknown(kind: str, name: str, known: list[str] | tuple[str, ...]) -> UnknownNameError:
    """Error that names what was asked for, the nearest known name and all known ones; of many the nearest few."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = known if len(known) <= MOST_KNOWN else difflib.get_close_matches(name, known, n=MOST_NEAR, cutoff=0.3)
    more = [f"and {len(known) - len(shown)} more"] if len(shown) < len(known) else []
    return UnknownNameError(f"unknown {kind} {name!r}{hint} (known: {', '.join([*shown, *more])})")


@cache
def workloads() -> dict[str, Workload]:
    """SPEC of every workload, by id, in alphabetical order.

    Raises:
        ValueError: a file's SPEC is missing, or its id does not follow from its file name.
    """
    found: dict[str, Workload] = {}
    for name, file in sorted(workload_files().items()):
        spec = getattr(importlib.import_module(file), "SPEC", None)
        if not isinstance(spec, Workload) or spec.id != name or not SLUG.fullmatch(spec.id):
            path = f"{file.replace('.', '/')}.py"
            raise ValueError(f"{path}: SPEC.id must be {name!r}, found {getattr(spec, 'id', None)!r}")
        found[name] = spec
    return found


def workload(workload_id: str) -> Workload:
    """SPEC of one workload.

    Raises:
        UnknownNameError: no such workload.
    """
    if workload_id not in workloads():
        raise unknown("workload", workload_id, list(workloads()))
    return workloads()[workload_id]


def names(workload_id: str) -> Names:
    """What the report calls the parts of a workload: its file's NAMES; empty without one, or without that workload."""
    return getattr(module(workload_id), "NAMES", Names()) if workload_id in workloads() else Names()


def module(workload_id: str) -> ModuleType:
    """The module that declares a workload; its functions import a framework when called."""
    return importlib.import_module(module_name(workload_id))


@cache
def source_hash(workload_id: str) -> str:
    """Fingerprint of a workload's functions: 16 hex digits of SHA-256 over their syntax trees.

    Comments, docstrings, layout, import statements, SPEC (of which every record keeps a copy) and NAMES do not count,
    so that only a change of what is computed makes two results incomparable. What the file imports from COUNTED counts
    with it, and what that imports, by content and not by name: files may move.
    """
    return fingerprint(module_name(workload_id), source_text)


def fingerprint(name: str, source: Callable[[str], str | None]) -> str:
    """Fingerprint of the module of that name, see ``source_hash``.

    Args:
        source: a module's text by dotted name; None where there is no such module.
    """
    seen, waiting = {}, [name]
    while waiting:
        module = waiting.pop()
        text = None if module in seen else source(module)
        if text is not None:
            imported, seen[module] = _counted(text)
            waiting += imported
    own = seen.pop(name)
    return hashlib.sha256("\n".join([own, *sorted(filter(None, seen.values()))]).encode()).hexdigest()[:16]


@cache
def _counted(text: str) -> tuple[tuple[str, ...], str]:
    """What a module imports from COUNTED, and what of its text counts; many workloads import the same modules."""
    body = ast.parse(text).body
    return tuple(part for part in _imported(body) if part.startswith(COUNTED)), _text(body)


def module_name(workload_id: str) -> str:
    """Dotted name of the module that declares a workload."""
    workload(workload_id)
    return workload_files()[workload_id]


def source_text(name: str) -> str | None:
    """Text of a module of this repository by dotted name; None where there is none."""
    path = REPOSITORY.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """Dotted names of what may be modules that these statements import, also within functions."""
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class _NoImports(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None


def _text(body: list[ast.stmt]) -> str:
    """Syntax trees of a module's statements as text, without what DECLARED names, imports and docstrings."""
    kept = [node for node in body if not assigns(node, *DECLARED) and not is_docstring(node)]
    tree = _NoImports().visit(ast.Module(body=kept, type_ignores=[]))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.body and is_docstring(node.body[0]):
            node.body = node.body[1:]
    return "\n".join(map(dump, tree.body))


def dump(node: object) -> str:
    """A syntax tree as text, the same in every version of Python: absent and empty fields are left out.

    ``ast.dump`` itself shows fields that only some versions have.
    """
    if isinstance(node, list):
        return "[" + ",".join(dump(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
    shown = (f"{name}={dump(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(shown)})"


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a string and nothing else."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def assigns(node: ast.stmt, *names: str) -> bool:
    """Whether a statement gives one of these names a value."""
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in names for t in node.targets)
