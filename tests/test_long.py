"""The command of the long suites: each is there, its figure is printed last, and what is wrong is its exit code."""

import importlib
import inspect
from types import SimpleNamespace

import pytest

from tests import long


@pytest.mark.parametrize("name", long.SUITES)
def test_every_suite_is_described_and_counts(name):
    module, usual = long.SUITES[name]

    assert f"python -m tests.long {name} [N]" in long.__doc__
    assert usual > 0 and 1 <= len(inspect.signature(importlib.import_module(module).count).parameters)


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["x was read"], 1)])
def test_the_figure_is_printed_last(monkeypatch, capsys, wrong, code):
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(count=lambda n: ({"tried": n}, wrong)))

    assert code == long.main(["fuzz", "7"])

    *before, last = capsys.readouterr().out.splitlines()
    assert last.startswith(f"fuzz: tried 7; {len(wrong)} wrong; ")
    assert "\n".join(before) == "\n".join(wrong)


@pytest.mark.parametrize("words", [[], ["everything"], ["kill", "often"]])
def test_another_word_is_told_which_there_are(capsys, words):
    assert 2 == long.main(words)
    assert "python -m tests.long kill" in capsys.readouterr().out
