"""Notebooks agree with their sources, carry what a run printed, and run from the first cell to the last."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.report.pages import data_files

pytest.importorskip("jupytext")
pytest.importorskip("altair")


from scripts import notebooks, policy

ROOT = Path(__file__).parents[1]


def stored(name: str) -> dict:
    return json.loads((notebooks.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))


def test_every_notebook_has_a_source():
    assert notebooks.names() == tuple(sorted(path.stem for path in notebooks.NOTEBOOKS.glob("*.ipynb")))


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_agrees_with_its_source(name: str):
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in stored(name)["cells"]]

    again = f"run: python scripts/notebooks.py {name}"
    assert cells == [(cell.cell_type, cell.source) for cell in notebooks.from_source(name).cells], again


@pytest.mark.parametrize("name", notebooks.names())
def test_stored_outputs_are_of_one_whole_run_and_name_no_place(name: str):
    cells = [cell for cell in stored(name)["cells"] if cell["cell_type"] == "code"]

    assert list(range(1, len(cells) + 1)) == [cell["execution_count"] for cell in cells]
    shown = json.dumps([cell["outputs"] for cell in cells])
    assert not re.search(r"/(home|tmp|work|root|Users)/|stderr|https?://(?!www\.w3\.org)", shown)
    assert "Run on " in shown


@pytest.mark.parametrize("repository", ["", "https://git.example.org/a/b"])
def test_without_a_repository_on_github_there_are_no_links_to_colab(repository: str):
    assert not any("colab.research" in text for text in data_files.notebooks(ROOT / "docs", repository).values())


def test_links_to_colab_and_kaggle_follow_the_repository():
    built = data_files.notebooks(ROOT / "docs", "https://github.com/somebody/something")

    for name in notebooks.names():
        text = built[f"notebooks/{name}.ipynb"]
        file = f"somebody/something/blob/main/docs/notebooks/{name}.ipynb"
        assert f"https://colab.research.google.com/github/{file})" in text
        assert f"https://www.kaggle.com/kernels/welcome?src=https://github.com/{file})" in text


@pytest.mark.keras
@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_runs(tmp_path: Path, name: str):
    command = [sys.executable, "scripts/notebooks.py", name, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    assert 0 == done.returncode, done.stderr[-3000:]
    assert (tmp_path / f"{name}.ipynb").is_file()


def test_the_keyboard_reaches_the_code_that_scrolls_and_no_frame_around_it():
    html = '<div class="jp-Cell-inputWrapper" tabindex="0"><script>1</script><div class="highlight-ipynb hl-python">'
    page = SimpleNamespace(file=SimpleNamespace(src_uri="notebooks/a.ipynb"))

    found = policy.on_page_content(html, page=page)

    assert '<div class="jp-Cell-inputWrapper"><div class="highlight-ipynb hl-python" tabindex="0">' == found
