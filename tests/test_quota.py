"""The control group that the quota study makes for itself, on a tree of files that stands in for the kernel's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.machine import cgroups
from bench.schema import DataUnavailableError
from bench.workloads.studies import quota

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")


class Kernel:
    """Makes and removes the files that the kernel makes and removes with a group's folder; other folders have none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...]) -> None:
        self.files, self.busy = files, 0
        self.made: list[Path] = []
        self.real_mkdir, self.real_rmdir = os.mkdir, os.rmdir
        monkeypatch.setattr(quota.os, "mkdir", self.mkdir)
        monkeypatch.setattr(quota.os, "rmdir", self.rmdir)

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self.real_mkdir(path, mode)
        if not Path(path).name.startswith(quota.PREFIX):
            return
        for name in self.files:
            (path / name).touch()
        (path / "cpu.stat").write_text("nr_periods 7\nnr_throttled 3\n")
        self.made.append(path)

    def rmdir(self, path: Path) -> None:
        if self.busy:
            self.busy -= 1
            raise OSError(16, "Device or resource busy")
        for name in (*self.files, "cpu.stat"):
            (path / name).unlink()
        self.real_rmdir(path)


def v1(tmp_path: Path, name: str = "/docker/abc", *, joined: bool = False) -> tuple[Path, Path]:
    """Root and /proc/self/cgroup of the older hierarchy; the group's folder is seen under its full name."""
    root = tmp_path / "cgroup"
    controllers = "cpu,cpuacct" if joined else "cpu"
    home = root / controllers / name.lstrip("/")
    home.mkdir(parents=True)
    (home / "cgroup.procs").touch()
    (tmp_path / "self").write_text(f"9:memory:/elsewhere\n1:{controllers}:{name}\n0::/\n")
    return root, tmp_path / "self"


def v2(tmp_path: Path, name: str = "/user/app/shell", *, hands_on: str = "cpu memory") -> tuple[Path, Path]:
    """Root and /proc/self/cgroup of the unified hierarchy; groups above this process's hand ``hands_on`` on."""
    root = tmp_path / "cgroup"
    home = root / name.lstrip("/")
    home.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory")
    folder = home
    while True:
        (folder / "cgroup.procs").touch()
        (folder / "cgroup.subtree_control").write_text("" if folder == home != root else hands_on)
        if folder == root:
            break
        folder = folder.parent
    (tmp_path / "self").write_text(f"0::{name}\n")
    return root, tmp_path / "self"


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch, ("cgroup.procs", "cpu.cfs_quota_us", "cpu.cfs_period_us"))


@pytest.fixture
def unified(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch, ("cgroup.procs", "cpu.max"))


def refuse(monkeypatch: pytest.MonkeyPatch, refused: Callable[[Path, str], bool]) -> None:
    """Let the writes fail of which a function says so."""
    real = cgroups.put

    def put(file: Path, text: str) -> None:
        if refused(file, text):
            raise OSError(22, "Invalid argument")
        real(file, text)

    monkeypatch.setattr(cgroups, "put", put)


@pytest.mark.parametrize("joined", [False, True])
def test_the_older_hierarchy_gets_a_group_below_the_own_one_with_a_quota_for_a_while(
    tmp_path: Path, older: Kernel, joined: bool
):
    root, self_cgroup = v1(tmp_path, joined=joined)
    home = root / ("cpu,cpuacct" if joined else "cpu") / "docker/abc"

    with quota.own_group(root, self_cgroup) as group:
        assert group.folder.parent == home
        assert str(os.getpid()) == (group.folder / "cgroup.procs").read_text()
        with group.quota(1.5):
            granted, period = ((group.folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            assert 1.5 == int(granted) / int(period)
        assert "-1" == (group.folder / "cpu.cfs_quota_us").read_text()
        assert (7, 3) == group.periods()

    assert str(os.getpid()) == (home / "cgroup.procs").read_text()
    assert not group.folder.exists()


def test_the_unified_hierarchy_gets_a_group_beside_the_own_one(tmp_path: Path, unified: Kernel):
    root, self_cgroup = v2(tmp_path)

    with quota.own_group(root, self_cgroup) as group:
        assert group.folder.parent == root / "user/app"
        with group.quota(2):
            assert f"{2 * quota.PERIOD_US} {quota.PERIOD_US}" == (group.folder / "cpu.max").read_text()
        assert f"max {quota.PERIOD_US}" == (group.folder / "cpu.max").read_text()

    assert str(os.getpid()) == (root / "user/app/shell/cgroup.procs").read_text()
    assert not group.folder.exists()


def test_a_process_in_the_root_group_gets_one_below_it(tmp_path: Path, unified: Kernel):
    root, self_cgroup = v2(tmp_path, "/")

    with quota.own_group(root, self_cgroup) as group:
        assert group.folder.parent == root


@pytest.mark.parametrize("version", [v1, v2])
def test_the_process_is_back_and_the_group_gone_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Callable[..., tuple[Path, Path]]
):
    files = ("cgroup.procs", "cpu.max") if version is v2 else ("cgroup.procs", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    kernel = Kernel(monkeypatch, files)
    root, self_cgroup = version(tmp_path)
    home = root / ("user/app/shell" if version is v2 else "cpu/docker/abc")

    with (
        pytest.raises(FloatingPointError, match="the loss"),
        quota.own_group(root, self_cgroup) as group,
        group.quota(1),
    ):
        raise FloatingPointError("the loss is nan")

    assert str(os.getpid()) == (home / "cgroup.procs").read_text()
    assert [group.folder] == kernel.made
    assert not group.folder.exists()


def test_a_quota_is_taken_away_after_an_error_within_it(tmp_path: Path, unified: Kernel):
    root, self_cgroup = v2(tmp_path)

    with quota.own_group(root, self_cgroup) as group:
        with pytest.raises(FloatingPointError, match="nan"), group.quota(1):
            raise FloatingPointError("nan")

        assert (group.folder / "cpu.max").read_text().startswith("max ")


def test_a_group_whose_last_thread_is_still_leaving_is_removed_a_little_later(
    tmp_path: Path, older: Kernel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cgroups, "sleep", lambda seconds: None)
    root, self_cgroup = v1(tmp_path)

    with quota.own_group(root, self_cgroup) as group:
        older.busy = 3

    assert 0 == older.busy
    assert not group.folder.exists()


def test_without_the_right_to_make_a_group_the_run_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root, self_cgroup = v1(tmp_path)

    def denied(path: Path, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(quota.os, "mkdir", denied)

    with pytest.raises(DataUnavailableError, match="Permission denied"), quota.own_group(root, self_cgroup):
        pytest.fail("there is no group to be in")


@pytest.mark.parametrize("file", ["cpu.cfs_quota_us", "cgroup.procs"])
def test_a_group_that_cannot_be_used_is_removed_and_the_run_skipped(
    tmp_path: Path, older: Kernel, monkeypatch: pytest.MonkeyPatch, file: str
):
    root, self_cgroup = v1(tmp_path)
    refuse(monkeypatch, lambda path, text: path.name == file and text != "-1")

    with pytest.raises(DataUnavailableError, match="Invalid argument"), quota.own_group(root, self_cgroup):
        pytest.fail("there is no group to be in")

    assert 1 == len(older.made)
    assert not older.made[0].exists()
    assert "" == (root / "cpu/docker/abc/cgroup.procs").read_text(), "the process never moved"


def test_a_group_that_hands_no_quota_on_is_left_alone(tmp_path: Path, unified: Kernel):
    root, self_cgroup = v2(tmp_path, hands_on="memory")

    with pytest.raises(DataUnavailableError), quota.own_group(root, self_cgroup):
        pytest.fail("there is no group to be in")

    assert [] == unified.made


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "1:cpu:/../outside\n0::/../outside\n"])
def test_no_group_is_made_where_the_own_one_is_unknown_or_outside(tmp_path: Path, unified: Kernel, text: str | None):
    root, self_cgroup = v2(tmp_path)
    self_cgroup.unlink()
    if text is not None:
        self_cgroup.write_text(text)

    with pytest.raises(DataUnavailableError), quota.own_group(root, self_cgroup):
        pytest.fail("there is no group to be in")

    assert [] == unified.made


@needs_affinity
def test_every_thread_is_kept_on_the_cores_and_returns_to_its_own():
    usual = os.sched_getaffinity(0)
    kept = [min(usual)]

    with pytest.raises(FloatingPointError), quota.pinned(kept):
        assert all(quota.affinity(thread) == set(kept) for thread in quota.threads())
        raise FloatingPointError("nan")

    assert os.sched_getaffinity(0) == usual
    assert all(quota.affinity(thread) in (usual, None) for thread in quota.threads())


@needs_affinity
def test_a_thread_that_has_ended_is_passed_over():
    gone = 2**22 + 1  # beyond the kernel's largest id

    quota.move(gone, {0})

    assert quota.affinity(gone) is None


def test_the_pool_of_pytorch_is_as_large_as_before_after_an_error():
    sizes = [4]
    torch = SimpleNamespace(get_num_threads=lambda: sizes[-1], set_num_threads=sizes.append)

    with pytest.raises(FloatingPointError), quota.torch_threads(torch, 2):
        assert 2 == sizes[-1]
        raise FloatingPointError("nan")

    assert [4, 2, 4] == sizes


@pytest.mark.parametrize(
    ("backend", "extra"), [("tensorflow", set()), ("jax", set()), ("torch", {"threads", "crowded"})]
)
def test_only_pytorch_can_change_its_pool(backend: str, extra: set[str]):
    study = SimpleNamespace(cell=SimpleNamespace(backend=backend), framework=None)
    group = SimpleNamespace(quota=lambda n_cores: None)

    found = set(quota.contexts(study, group, [0]))

    assert {"free", "quota", "pinned", "quota-pinned"} <= found <= set(quota.SETTINGS)
    assert len(extra) == len(found) - 4


def test_the_steps_of_a_block_fill_its_time_and_the_period_before_does_not_count(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]

    def step() -> None:
        clock[0] += 0.04

    counts = iter([(10, 4), (15, 8)])
    monkeypatch.setattr(quota, "perf_counter", lambda: clock[0])

    steps_s, periods = quota.timed(step, SimpleNamespace(periods=lambda: next(counts)), 0.1)

    assert [0.04] * 3 == pytest.approx(steps_s)
    assert (5, 4) == periods
    assert 0.24 == pytest.approx(clock[0]), "three steps to settle, three that count"


def test_a_step_longer_than_the_block_is_taken_once(monkeypatch: pytest.MonkeyPatch):
    clock = iter([0.0, 9.0])
    monkeypatch.setattr(quota, "perf_counter", lambda: next(clock))

    assert [9.0] == quota.steps_of(lambda: None, 0.5)
