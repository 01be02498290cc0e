"""Runs the notebooks' sources and stores them with their outputs. Reads docs/notebooks/_src/, writes docs/notebooks/.

python scripts/notebooks.py                    every notebook: run it here, keep what it printed
python scripts/notebooks.py train-on-a-cpu     only this one
python scripts/notebooks.py --out DIR          write the files elsewhere, as tests do
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
SOURCES = NOTEBOOKS / "_src"
LIMIT_S = 240  # for one cell


def names() -> tuple[str, ...]:
    """Names of all notebooks, sorted."""
    return tuple(sorted(path.stem for path in SOURCES.glob("*.py")))


def from_source(name: str) -> Any:
    """A notebook without outputs, read from its source in the percent format; ids of cells count up."""
    import jupytext

    notebook = jupytext.read(SOURCES / f"{name}.py", fmt="py:percent")
    notebook.metadata = {key: value for key, value in notebook.metadata.items() if key != "jupytext"}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number}", {}
    return notebook


def run(notebook: Any) -> None:
    """Execute every cell in a fresh process, in the notebooks' folder; outputs are stored in place.

    What the frameworks write to the error stream as they start (versions, missing drivers) is left out.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the message holds the cell and its traceback.
    """
    from nbclient import NotebookClient

    options = {"timeout": LIMIT_S, "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources={"metadata": {"path": str(NOTEBOOKS)}}, **options).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}  # without the version of the one who ran it


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 for a name that has no source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(names())}; all without one")
    parser.add_argument("--out", type=Path, default=NOTEBOOKS, help="folder of the written files")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no source for {', '.join(unknown)}; there are {', '.join(names())}")
    import nbformat

    for name in options.names or names():
        notebook = from_source(name)
        run(notebook)
        nbformat.write(notebook, options.out / f"{name}.ipynb")
        print(f"{name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
