"""What importing loads, in a fresh interpreter. Who may import whom is a matter of `lint-imports` (pyproject.toml)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BACKENDS = frozenset({"tensorflow", "jax", "torch"})
FRAMEWORKS = BACKENDS | {"keras"}
SITE_PACKAGES = frozenset({"altair", "jinja2", "mkdocs", "vl_convert", "yaml"})
SOURCES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("bench", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if "results" not in path.parts
)


def test_rooms_import_downward(tmp_path: Path):
    importlinter = pytest.importorskip("importlinter.cli")

    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from {importlinter.__name__} import lint_imports_command as run; run()",
         "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout


def test_every_room_has_a_place_in_the_wall():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    wall = {c["id"]: c for c in config["contracts"]}

    for name, folder in (("rooms", "bench"), ("report", "bench/report")):
        found = {p.stem for p in (ROOT / folder).iterdir() if (p / "__init__.py").exists() or p.suffix == ".py"}
        placed = {room.strip() for layer in wall[name]["layers"] for room in layer.split(":")}
        assert placed == found - {"__init__"}
        assert wall[name]["exhaustive"]


def module_name(source: str) -> str:
    """Dotted name of a file: "bench/report/stats/bootstrap.py" becomes "bench.report.stats"."""
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_only_the_adapter_knows_the_page_generator():
    imports = re.compile(r"^ *(?:from|import) mkdocs", re.M)
    users = [s for s in SOURCES if imports.search((ROOT / s).read_text(encoding="utf-8"))]

    assert ["scripts/gen_pages.py", "scripts/preview.py", "scripts/rendered.py"] == users


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
    modules = [module_name(s) for s in SOURCES if s.startswith("bench/report/")]

    rooms = ["bench.records.store", "bench.workloads.registry"]
    loaded = loaded_by([*modules, *rooms, "scripts.gen_pages"], FRAMEWORKS)

    assert [] == loaded


def test_declaring_every_workload_loads_no_framework():
    modules = [module_name(s) for s in SOURCES if s.startswith("bench/workloads/")]

    assert [] == loaded_by(modules, FRAMEWORKS | {"numpy", "sklearn"})


def test_the_measuring_half_loads_no_site_package_and_no_framework():
    rooms = ("machine", "records", "session", "measure", "doctor", "cli")
    modules = [module_name(s) for s in SOURCES if s.split("/")[1] in rooms and not s.endswith("__main__.py")]

    assert [] == loaded_by([*modules, "scripts.refresh_benchmarks"], SITE_PACKAGES | FRAMEWORKS)


def test_the_probe_for_loaded_packages_sees_a_planted_one():
    assert ["json"] == loaded_by(["json.decoder"], frozenset({"json", "keras"}))
