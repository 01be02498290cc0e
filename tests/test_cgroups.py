"""Where a control group could be made and how it goes away, on a tree of files that stands in for the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.machine import cgroups
from bench.schema import DataUnavailableError

PREFIX = "keras-test-"
NO_SUCH_PROCESS = 2**22 + 1  # beyond the kernel's largest id


def tree(tmp_path: Path, own: str, groups: dict[str, str | None]) -> tuple[Path, Path]:
    """Root and /proc/self/cgroup; ``groups`` are folders and what each hands on, None in the older hierarchy."""
    root = tmp_path / "cgroup"
    for name, handed_on in groups.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").touch()
        if handed_on is not None:
            (folder / "cgroup.subtree_control").write_text(handed_on)
            (root / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "self").write_text(own)
    return root, tmp_path / "self"


def accept(folder: Path, is_v2: bool) -> None:
    """Any group will do."""


def is_at_the_root(folder: Path, is_v2: bool) -> None:
    """Only a group of the topmost one will do."""
    if folder.parent.name != "cgroup":
        raise OSError(22, "Invalid argument")


@pytest.mark.parametrize(
    ("own", "groups", "expected"),
    [
        ("4:memory:/jobs/one\n1:cpu:/jobs/two\n0::/\n", {"memory/jobs/one": None}, [("memory/jobs/one",) * 2]),
        ("4:cpu,memory:/jobs\n", {"cpu,memory/jobs": None}, [("cpu,memory/jobs",) * 2]),
        ("4:memory:/docker/abc\n", {"memory": None}, [("memory", "memory")]),
        ("4:memory:/\n", {"memory": None}, [("memory", "memory")]),
        ("0::/user/one\n", {"user/one": "", "user": "cpu memory", "": "cpu memory"}, [("user/one", "user")]),
        ("0::/docker/abc\n", {"": "cpu memory"}, [("", "")]),
        ("0::/user/one\n", {"user/one": "", "user": "cpu", "": "cpu memory"}, []),
        ("4:memory:/../outside\n0::/../outside\n", {"memory": None, "": "memory"}, []),
        ("nonsense\n", {"memory": None, "": "memory"}, []),
        ("", {"memory": None, "": "memory"}, []),
    ],
)
def test_where_a_memory_group_could_be_made(
    tmp_path: Path, own: str, groups: dict[str, str | None], expected: list[tuple[str, str]]
):
    root, self_cgroup = tree(tmp_path, own, groups)

    found = cgroups.places("memory", root, self_cgroup)

    assert expected == [
        (str(p.home.relative_to(root)).strip("."), str(p.parent.relative_to(root)).strip(".")) for p in found
    ]
    assert all(place.is_v2 == own.startswith("0::") for place in found)


def test_without_control_groups_there_is_no_place(tmp_path: Path):
    assert [] == cgroups.places("cpu", tmp_path, tmp_path / "no-such-file")


def test_a_group_that_cannot_be_put_to_use_makes_way_for_the_next_place(tmp_path: Path):
    root, self_cgroup = tree(tmp_path, "0::/one\n", {"one": "cpu", "": "cpu"})

    with cgroups.new_group("cpu", PREFIX, is_at_the_root, root, self_cgroup) as (folder, place):
        assert (root / f"{PREFIX}{os.getpid()}", root / "one") == (folder, place.home)
        assert folder.is_dir()

    assert not folder.exists()
    assert ["cgroup.procs", "cgroup.subtree_control"] == sorted(path.name for path in (root / "one").iterdir())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path: Path):
    root, self_cgroup = tree(tmp_path, "1:cpu:/\n", {"cpu": None})
    left, held = (root / f"cpu/{PREFIX}{process}" for process in (NO_SUCH_PROCESS, os.getppid()))
    left.mkdir()
    held.mkdir()

    with cgroups.new_group("cpu", PREFIX, accept, root, self_cgroup):
        assert not left.exists()

    assert held.exists(), "still without a process in it, but its own may be on the way"


def test_a_group_that_stays_in_use_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(cgroups, "sleep", waits.append)
    (tmp_path / "process").touch()

    with pytest.raises(OSError, match="not empty"):
        cgroups.remove(tmp_path)

    assert cgroups.N_TRIES - 1 == len(waits)


def test_every_reason_against_a_group_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def denied(path: Path, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied")

    root, self_cgroup = tree(tmp_path, "1:cpu:/\n", {"cpu": None})
    monkeypatch.setattr(cgroups.os, "mkdir", denied)

    with (
        pytest.raises(DataUnavailableError, match=r"for cpu can be made here \(Permission denied\); it takes Linux"),
        cgroups.new_group("cpu", PREFIX, accept, root, self_cgroup),
    ):
        pytest.fail("there is no group to be in")


def test_a_control_file_that_is_missing_is_not_made(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        cgroups.put(tmp_path / "cpu.max", "max")

    assert [] == list(tmp_path.iterdir())
