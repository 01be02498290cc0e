"""Finds workloads and fingerprints their code. Reads source files; imports no framework."""

from __future__ import annotations

import ast
import difflib
import hashlib
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from bench import workloads as package
from bench.schema import SLUG, Scalar, Workload


class UnknownNameError(ValueError):
    """A workload, backend, device or cell that does not exist; the message names the known ones."""


def unknown(kind: str, name: str, known: list[str] | tuple[str, ...]) -> UnknownNameError:
    """Error that names what was asked for, the nearest known name and all known ones."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UnknownNameError(f"unknown {kind} {name!r}{hint} (known: {', '.join(known)})")


@cache
def workloads() -> dict[str, Workload]:
    """SPEC of every workload, by id, in alphabetical order.

    Raises:
        ValueError: a file's SPEC is missing, or its id does not follow from its file name.
    """
    found: dict[str, Workload] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        spec = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), "SPEC", None)
        expected = info.name.replace("_", "-")
        if not isinstance(spec, Workload) or spec.id != expected or not SLUG.fullmatch(spec.id):
            msg = f"bench/workloads/{info.name}.py: SPEC.id must be {expected!r}, found {getattr(spec, 'id', None)!r}"
            raise ValueError(msg)
        found[spec.id] = spec
    return found


def workload(workload_id: str) -> Workload:
    """SPEC of one workload.

    Raises:
        UnknownNameError: no such workload.
    """
    if workload_id not in workloads():
        raise unknown("workload", workload_id, list(workloads()))
    return workloads()[workload_id]


def module(workload_id: str) -> ModuleType:
    """The module that declares a workload; its functions import a framework when called."""
    workload(workload_id)
    return importlib.import_module(f"{package.__name__}.{workload_id.replace('-', '_')}")


def network(workload_id: str, params: Mapping[str, Scalar]) -> str:
    """Name of the network that a variant builds: workload and parameters; batch size and mode do not change it."""
    return " ".join([workload_id, *(f"{name}={value}" for name, value in sorted(params.items()))])


@cache
def source_hash(workload_id: str) -> str:
    """Fingerprint of a workload's functions: 16 hex digits of SHA-256 over their syntax trees.

    Comments, docstrings, layout and SPEC (of which every record keeps a copy) do not count,
    so that only a change of what is computed makes two results incomparable. A workload whose work is spread over
    further modules names them in PARTS, and their functions count too.
    """
    workload(workload_id)
    body = _code(f"{package.__name__}.{workload_id.replace('-', '_')}")
    parts = next((ast.literal_eval(node.value) for node in body if _assigns(node, "PARTS")), ())
    text = "\n".join(_dump(node) for statements in (body, *map(_code, parts)) for node in statements)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code(name: str) -> list[ast.stmt]:
    """Syntax trees of a module's statements, without SPEC and docstrings."""
    spec = importlib.util.find_spec(name)
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    body = [node for node in tree.body if not _assigns(node, "SPEC") and not _is_docstring(node)]
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_docstring(node.body[0]) and len(node.body) > 1:
            node.body = node.body[1:]
    return body


def _dump(node: object) -> str:
    """A syntax tree as text, the same in every version of Python: absent and empty fields are left out.

    ``ast.dump`` itself shows fields that only some versions have.
    """
    if isinstance(node, list):
        return "[" + ",".join(_dump(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
    shown = (f"{name}={_dump(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(shown)})"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
