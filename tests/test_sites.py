"""What several processes of the tests share is made once: the first one makes it, the others wait."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.sites import once


def test_a_folder_is_made_once_and_is_whole_for_everybody(tmp_path: Path):
    begun, goes_on, made, seen = threading.Event(), threading.Event(), [], []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        begun.set()
        assert goes_on.wait(60)
        (folder / "file").touch()

    def ask() -> None:
        seen.append((once(tmp_path / "site", make) / "file").is_file())

    first, second = threading.Thread(target=ask), threading.Thread(target=ask)
    first.start()
    assert begun.wait(60)
    second.start()
    assert not (tmp_path / "site").exists()
    goes_on.set()
    first.join()
    second.join()

    assert 1 == len(made) and [True, True] == seen


def test_what_could_not_be_made_is_not_tried_again(tmp_path: Path):
    with pytest.raises(ZeroDivisionError):
        once(tmp_path / "site", lambda folder: 1 / 0)

    with pytest.raises(AssertionError, match="division by zero"):
        once(tmp_path / "site", lambda folder: folder.mkdir())
