"""The import wall: who may import whom, over the syntax tree and in a fresh interpreter.

The table below is the one in docs/contributing/architecture.md. Imports are compared by their first component, inside
functions too; what only a type checker executes does not count.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = frozenset({"tensorflow", "jax", "torch"})
FRAMEWORKS = BACKENDS | {"keras"}
SITE_PACKAGES = frozenset({"altair", "jinja2", "mkdocs", "mkdocs_gen_files", "polars", "vl_convert"})
SOURCES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("bench", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if "results" not in path.parts
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What a module may import: from this repository (by dotted name), and from elsewhere (by first component)."""

    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import as written: full dotted name, line, and whether it happens when the module is imported."""

    name: str
    line: int
    at_import: bool

    @property
    def first(self) -> str:
        """First component: the package that is really loaded."""
        return self.name.split(".")[0]


def layer(ours: str = "", others: str = "") -> Layer:
    """Layer from two lists of names separated by blanks; `ours` is relative to `bench`."""
    places = {"registry": "workloads.registry", "store": "records"}
    names = {f"bench.{places.get(name, name)}" for name in (*ours.split(), "ROOT", "REPOSITORY")}
    return Layer(ours=frozenset(names), others=frozenset(others.split()))


ESTIMATES = "report.stats report.studies report.verdicts report.format report.trust"
DRAWN = f"schema registry store {ESTIMATES} report.rooflines report.rows report.traces"
MODELS = "numpy sklearn keras tensorflow jax torch"

# Keys are modules; a key that ends in ".*" holds for every module of that room and for the room itself. A room may
# import itself and the rooms below: cli > session, measure, report > doctor, workloads > machine, records > schema.
WALL = {
    "bench": layer(),
    "bench.schema": layer(others="msgspec"),
    "bench.machine.*": layer("schema machine", "psutil cpuinfo pynvml numpy"),
    "bench.records.*": layer("schema records", "msgspec"),
    "bench.workloads": layer(),
    "bench.workloads.registry": layer("schema workloads"),
    "bench.workloads.count_flops": layer("schema workloads", "keras numpy"),
    "bench.workloads.models.*": layer("schema", MODELS),
    "bench.workloads.parts.by_hand.*": layer("workloads.parts", MODELS),
    "bench.workloads.parts.*": layer("workloads.parts", MODELS),
    # The clock is what one of them measures.
    "bench.workloads.studies.*": layer("schema machine workloads measure.clock", f"{MODELS} PIL"),
    # Apart, since it must see what the user's environment shows.
    "bench.doctor.probe": layer("machine.software", "keras tensorflow jax torch"),
    "bench.doctor.*": layer("schema doctor machine", "msgspec psutil"),
    "bench.measure.*": layer("schema measure machine records.codec workloads", f"msgspec {MODELS}"),
    "bench.session.*": layer("schema session machine records workloads", "msgspec"),
    "bench.cli.*": layer(
        "schema cli session doctor machine records workloads report.stats report.studies report.format report.against",
        "msgspec typer rich",
    ),
    "bench.coverage": layer("report.stats", "numpy"),
    "bench.report": layer(),
    "bench.report.stats": layer("schema", "msgspec numpy scipy"),
    "bench.report.studies": layer("schema report.stats", "msgspec"),
    "bench.report.drift": layer("schema report.stats", "msgspec"),
    "bench.report.rooflines": layer("schema registry report.stats report.studies", "msgspec"),
    "bench.report.trust": layer("schema report.stats", "msgspec numpy scipy"),
    "bench.report.traces": layer("schema report.stats report.trust", "numpy"),
    "bench.report.format": layer("schema report.stats"),
    "bench.report.rules": layer("schema report.stats report.format report.published", "msgspec"),
    "bench.report.cases": layer("schema report.stats report.studies report.format report.published report.rules"),
    "bench.report.verdicts": layer(
        "schema report.stats report.studies report.format report.published report.rules report.cases",
        "msgspec numpy scipy yaml",
    ),
    "bench.report.answers": layer(
        "report.cases report.facts report.format report.published report.rows report.rules report.stats", "msgspec"
    ),
    "bench.report.ledger": layer(
        "report.facts report.format report.published report.rows report.rules report.verdicts", "msgspec"
    ),
    "bench.report.flipped": layer("schema store report.rows report.rules report.verdicts", "msgspec"),
    "bench.report.groups": layer(),
    "bench.report.heads": layer(),
    "bench.report.kept": layer(),
    "bench.report.beside": layer("schema report.cases report.published report.rows report.stats", "msgspec"),
    "bench.report.questions": layer(
        "schema store report.format report.groups report.heads report.published report.rows", "msgspec"
    ),
    "bench.report.readability": layer(),
    "bench.report.sharing": layer(),
    "bench.report.cards": layer(),
    "bench.report.freshness": layer("store report.published"),
    "bench.report.total_time": layer("schema report.stats"),
    "bench.report.against": layer("schema store report.stats report.studies report.format", "scipy"),
    "bench.report.history": layer("schema store report.against report.stats report.studies report.format report.rows"),
    "bench.report.published": layer("schema", "msgspec yaml"),
    "bench.report.rows": layer(f"schema registry store {ESTIMATES} report.drift", "msgspec numpy polars"),
    "bench.report.charts": layer(f"{DRAWN} report.beside", "altair polars"),
    "bench.report.calculators": layer(
        f"schema store {ESTIMATES} report.freshness report.published report.rows", "msgspec"
    ),
    "bench.report.tables": layer(f"{DRAWN} report.beside report.calculators", "msgspec polars"),
    "bench.report.facts": layer(f"{DRAWN} report.calculators report.history report.tables", "msgspec polars"),
    "bench.report.pages": layer(
        f"{DRAWN} report.calculators report.cards report.charts report.tables report.facts report.freshness"
        " report.against report.history report.groups report.beside report.heads report.kept report.ledger"
        " report.answers report.published report.questions report.rules report.flipped report.sharing"
        " report.total_time report.trust",
        "altair jinja2 markdown markupsafe msgspec polars vl_convert yaml",
    ),
    "scripts.refresh_benchmarks": layer("cli", "typer"),
    "scripts.gen_pages": layer("report.pages", "markdown mkdocs_gen_files"),
    "scripts.notebooks": layer("", "jupytext nbclient nbformat"),
    "scripts.check_prose": layer(
        "schema registry store report.calculators report.facts report.groups report.pages report.published"
        " report.answers report.readability report.rows report.verdicts",
        "jinja2 markdown yaml",
    ),
}


def module_name(source: str) -> str:
    """Dotted name of a file: "bench/report/stats.py" becomes "bench.report.stats"."""
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def layer_of(module: str) -> Layer | None:
    """The row of the wall for one module, or None when nobody wrote one."""
    return WALL.get(module) or WALL.get(f"{module}.*") or WALL.get(f"{module.rpartition('.')[0]}.*")


def is_for_type_checkers(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`, whose body never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(tree: ast.AST, module: str, *, is_package: bool = False, at_import: bool = True) -> Iterator[Import]:
    """Every import in a tree, nested ones and `importlib.import_module("literal")` included.

    `from a import b` is reported as "a.b", since b may be a module; relative imports are resolved against `module`.
    """
    for node in ast.iter_child_nodes(tree):
        if is_for_type_checkers(node):
            yield from (
                found
                for child in node.orelse
                for found in imports(ast.Module([child], []), module, is_package=is_package, at_import=at_import)
            )
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name=alias.name, line=node.lineno, at_import=at_import)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield Import(name=f"{origin}.{alias.name}", line=node.lineno, at_import=at_import)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(name=str(node.args[0].value), line=node.lineno, at_import=at_import)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, module, is_package=is_package, at_import=at_import and not inside)


def violations(text: str, source: str) -> list[str]:
    """What a file imports although the wall forbids it; one sentence each.

    Raises:
        LookupError: the wall has no row for the file.
    """
    module = module_name(source)
    allowed = layer_of(module)
    if allowed is None:
        msg = f"{source}: no row in WALL of tests/test_layers.py; add one, and to docs/contributing/architecture.md"
        raise LookupError(msg)
    found = []
    for item in imports(ast.parse(text), module, is_package=source.endswith("__init__.py")):
        where = f"{source}:{item.line}: {item.name}"
        if item.first in sys.stdlib_module_names:
            continue
        if item.first in ("bench", "scripts", "tests"):
            if not any(f"{item.name}.".startswith(f"{name}.") for name in allowed.ours):
                found.append(f"{where} is not among {sorted(allowed.ours)}")
        elif item.first not in allowed.others:
            found.append(f"{where} is not among {sorted(allowed.others)}")
        elif item.first in FRAMEWORKS and item.at_import:
            found.append(f"{where} must be imported inside a function, after the parent has set the environment")
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_module_imports_only_what_its_layer_allows(source: str):
    assert [] == violations((ROOT / source).read_text(encoding="utf-8"), source)


@pytest.mark.parametrize("text", [
    "import keras",
    "import keras.layers as layers",
    "from keras.src.backend import config",
    "def f():\n    import tensorflow",
    "class A:\n    def f(self):\n        from jax.numpy import sum",
    "try:\n    import torch.cuda\nexcept ImportError:\n    pass",
    "import importlib\nkeras = importlib.import_module('keras')",
    "x = __import__('keras.ops')",
    "from bench.measure import child",
    "from bench import schema, measure",
    "import bench.measure.child",
    "from bench.measure.child import main",
    "from ..measure import child",
    "from .. import measure",
    "from . import charts",
    "import altair",
    "import polars.selectors",
    "if TYPE_CHECKING:\n    pass\nelse:\n    import keras",
])  # fmt: skip
def test_planted_violation_is_caught(text: str):
    assert 1 == len(violations(text, "bench/report/stats.py"))


@pytest.mark.parametrize("text", [
    "import json, os.path",
    "from numpy.linalg import norm",
    "import scipy.stats",
    "from bench.schema import Record",
    "from bench import schema",
    "from ..schema import Record",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import polars",
])  # fmt: skip
def test_what_a_layer_allows_passes(text: str):
    assert [] == violations(text, "bench/report/stats.py")


def test_relative_import_in_a_package_file_resolves_to_that_package():
    assert ["bench.report.charts"] == [i.name for i in imports(ast.parse("from . import charts"), "bench.report",
                                                               is_package=True)]  # fmt: skip


def test_name_that_only_begins_like_an_allowed_one_is_caught():
    assert 1 == len(violations("import bench.schema_extra", "bench/report/stats.py"))


def test_framework_at_module_level_is_caught_where_frameworks_are_allowed():
    assert 1 == len(violations("import keras", "bench/workloads/models/resnet50.py"))
    assert [] == violations("def build_model():\n    import keras", "bench/workloads/models/resnet50.py")


def test_module_without_a_row_is_refused():
    with pytest.raises(LookupError, match=r"bench/report/helpers\.py: no row"):
        violations("import json", "bench/report/helpers.py")


def test_every_row_of_the_wall_has_its_file():
    modules = {module_name(source) for source in SOURCES}

    assert [] == [name for name in WALL if not name.endswith(".*") and name not in modules]


def test_only_the_adapter_knows_the_page_generator():
    users = [s for s in SOURCES if "mkdocs_gen_files" in (ROOT / s).read_text(encoding="utf-8")]

    assert ["scripts/gen_pages.py"] == users


def loaded_by(modules: list[str], unwanted: frozenset[str]) -> list[str]:
    """Which unwanted packages a fresh interpreter holds after importing the modules."""
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*sorted({set(unwanted)!r} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.split()


def test_the_site_half_loads_no_framework():
    pytest.importorskip("altair")
    pytest.importorskip("polars")
    modules = [module_name(s) for s in SOURCES if s.startswith("bench/report/")]

    rooms = ["bench.records.store", "bench.workloads.registry"]
    loaded = loaded_by([*modules, *rooms, "scripts.gen_pages"], FRAMEWORKS)

    assert [] == loaded


def test_declaring_every_workload_loads_no_framework():
    modules = [module_name(s) for s in SOURCES if s.startswith("bench/workloads/")]

    assert [] == loaded_by(modules, FRAMEWORKS)


def test_the_measuring_half_loads_no_site_package_and_no_framework():
    rooms = ("machine", "records", "session", "measure", "doctor", "cli")
    modules = [module_name(s) for s in SOURCES if s.split("/")[1] in rooms and not s.endswith("__main__.py")]

    assert [] == loaded_by([*modules, "scripts.refresh_benchmarks"], SITE_PACKAGES | FRAMEWORKS)


def test_the_probe_for_loaded_packages_sees_a_planted_one():
    assert ["json"] == loaded_by(["json.decoder"], frozenset({"json", "keras"}))
