"""The page of pitfalls points at code that exists, and says of each whether it is stopped, shown, measured or open."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "method" / "pitfalls.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| what misleads", "| ---"))
]
WORDS = ("Stopped", "Shown", "Measured", "Open")


def names_of(path: Path) -> set[str]:
    """Functions, classes, methods and values that a module defines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_the_page_has_rows():
    assert len(ROWS) >= 45
    assert all(len(row) == 2 for row in ROWS)
    assert len(ROWS) == len({row[0] for row in ROWS})


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_each_pitfall_has_a_state_and_a_place_that_exists(row: list[str]):
    here, _, where = row[1].partition("<br>")
    assert any(re.search(rf"\b{word}\b", here) for word in WORDS), here
    places = re.findall(r"`([^`]+)`", where)
    assert places
    for place in places:
        file, _, name = place.partition(": ")
        assert (REPOSITORY / file).is_file(), place
        assert not name or name in names_of(REPOSITORY / file), place
