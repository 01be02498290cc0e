"""Describing a host: cores that can really be used, GPUs from what NVML returns, ids, nothing personal."""

import getpass
import os
import platform
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.cli import options as cli_options
from bench.machine import cores as machine_cores
from bench.machine import describe, nvml, software
from bench.records.codec import encode


class FakeNvmlError(Exception):
    """Stands in for pynvml.NVMLError."""


class FakeNvml:
    """What pynvml returns on a machine with two GPUs, one of which hides its power limit."""

    NVMLError = FakeNvmlError

    def nvmlSystemGetDriverVersion(self):
        return b"580.159.03"

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetName(self, handle):
        return ("NVIDIA H200", b"Tesla T4")[handle]

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=(150_754_820_096, 15_843_721_216)[handle])

    def nvmlDeviceGetPowerManagementLimit(self, handle):
        if handle == 1:
            raise FakeNvmlError
        return 700_000

    def nvmlDeviceGetCudaComputeCapability(self, handle):
        return ((9, 0), (7, 5))[handle]


def test_what_nvml_returns_becomes_gpus():
    told = nvml.Nvml(FakeNvml())
    first, second = map(told.describe, told.handles())

    assert ("NVIDIA H200", 150_754_820_096, 700.0, "580.159.03", "9.0") == (
        first.name,
        first.memory_bytes,
        first.power_limit_w,
        first.driver,
        first.compute_capability,
    )
    assert ("Tesla T4", None, "7.5") == (second.name, second.power_limit_w, second.compute_capability)


def cgroup(tmp_path, files, own="0::/\n"):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    self_cgroup = tmp_path / "self"
    self_cgroup.write_text(own)
    return machine_cores.cgroup_quota(tmp_path, self_cgroup)


def test_a_version_2_quota_is_read():
    assert machine_cores.cgroup_quota(Path("nowhere"), Path("nowhere")) is None


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({"cpu.max": "150000 100000"}, "0::/\n", 1.5),
        ({"cpu.max": "400000 100000", "pod/box/cpu.max": "200000 100000"}, "0::/pod/box\n", 2.0),
        ({"pod/cpu.max": "100000 100000", "pod/box/cpu.max": "max 100000"}, "0::/pod/box\n", 1.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/\n", None),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/\n", 3.0),
        (
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "200000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/box\n",
            2.0,
        ),
    ],
)
def test_the_tightest_quota_up_to_the_root_counts(tmp_path, files, own, expected):
    assert expected == cgroup(tmp_path, files, own)


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"memory.max": "max"}, "0::/\n", None),
        ({"memory.max": "8000", "pod/memory.max": "2000", "pod/box/memory.max": "max"}, "0::/pod/box\n", 2000),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, "3:memory:/\n", None),
        ({"memory/box/memory.limit_in_bytes": "4000"}, "3:memory:/box\n", 4000),
    ],
)
def test_the_tightest_memory_limit_up_to_the_root_counts(tmp_path, files, own, expected):
    cgroup(tmp_path, files, own)

    assert expected == machine_cores.memory_limit(tmp_path, tmp_path / "self")


def test_throttling_is_that_of_the_own_group(tmp_path):
    cgroup(tmp_path, {"cpu.stat": "nr_throttled 3\n", "box/cpu.stat": "nr_throttled 70\n"}, "0::/box\n")

    assert 70 == machine_cores.throttled_periods(tmp_path, tmp_path / "self")


def test_effective_cores_are_the_least_of_visible_affinity_and_quota(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("250000 100000")
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    cores = machine_cores.cores(tmp_path, tmp_path / "absent")

    assert (64, 8, 2.5, 2) == cores


def topology(root: Path, siblings: list[str], speeds: list[int] | None = None) -> Path:
    """The kernel's folder of processors: the threads that share a core, as each of them tells, and their speeds."""
    for number, text in enumerate(siblings):
        folder = root / f"cpu{number}"
        (folder / "topology").mkdir(parents=True)
        (folder / machine_cores.SIBLINGS).write_text(f"{text}\n")
        if speeds:
            (folder / "cpufreq").mkdir()
            (folder / "cpufreq/cpuinfo_max_freq").write_text(f"{speeds[number]}\n")
    return root


NEIGHBOURS = ["0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6-7", "6-7"]
HALVES = ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"]
FAST_AND_SLOW = (["0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"], [4600] * 4 + [3400] * 4)


@pytest.mark.parametrize(
    ("siblings", "speeds", "allowed", "expected"),
    [
        (NEIGHBOURS, None, range(8), [0, 2, 4, 6, 1, 3, 5, 7]),
        (HALVES, None, range(8), [0, 1, 2, 3, 4, 5, 6, 7]),
        (NEIGHBOURS, None, {1, 3, 4, 5}, [1, 3, 4, 5]),
        (*FAST_AND_SLOW, range(8), [0, 2, 4, 5, 6, 7, 1, 3]),
        (["4-7"] * 4 + FAST_AND_SLOW[0][4:], FAST_AND_SLOW[1][::-1], range(4, 8), [4, 5, 6, 7]),
        ([], None, {5, 1}, [1, 5]),
        (["nonsense"] * 2, None, range(2), [0, 1]),
    ],
)
def test_every_physical_core_is_used_before_a_second_thread_and_the_fast_kind_first(
    tmp_path, siblings, speeds, allowed, expected
):
    assert expected == machine_cores.core_order(allowed, topology(tmp_path, siblings, speeds))


@pytest.mark.parametrize(
    ("siblings", "speeds", "expected"),
    [(*FAST_AND_SLOW, [(2, 4), (4, 4)]), (HALVES, [5700, 5400, 5400, 5400] * 2, [(4, 8)]), (NEIGHBOURS, None, [])],
)
def test_kinds_of_cores_are_told_by_their_clocks(tmp_path, siblings, speeds, expected):
    """A favoured core of the same kind is a few percent faster; a slow kind is a fifth slower or more."""
    assert expected == machine_cores.kinds(range(8), topology(tmp_path, siblings, speeds))


def processor(*cores):
    """Windows' list of cores, given as (efficiency class, mask of its threads), and a cache that is none."""
    made = (struct.pack("<IIBB20xHQ8x", 0, 48, 1, class_, 1, mask) for class_, mask in cores)
    return struct.pack("<II8x", 2, 16) + b"".join(made)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (processor((1, 0b11), (1, 0b1100), (0, 0b10000), (0, 0b100000), (0, 0b1000000)), [(2, 4), (3, 3)]),
        (processor((2, 1), (1, 2), (0, 4)), [(1, 1), (1, 1), (1, 1)]),
        (processor((0, 0b11), (0, 0b1100)), []),
        (processor((1, 1))[:30], []),
        (b"\0" * 64, []),
        (b"", []),
    ],
)
def test_kinds_of_cores_are_told_by_windows(data, expected):
    assert expected == machine_cores.windows_kinds(data)


@pytest.mark.parametrize(
    ("n_visible", "n_physical", "model", "expected"),
    [
        (20, 14, "13th Gen Intel(R) Core(TM) i9-13900H", [(6, 12), (8, 8)]),
        (22, 16, "Intel(R) Core(TM) Ultra 7 155H", [(6, 12), (10, 10)]),
        (16, 8, "AMD Ryzen 7 5800X", []),
        (8, 8, "Apple M1", []),
        (8, None, "", []),
        (3, 2, "Intel(R) Xeon(R) CPU @ 2.20GHz", []),
    ],
)
def test_kinds_of_cores_are_told_by_their_numbers(n_visible, n_physical, model, expected):
    assert expected == machine_cores.kinds_by_counts(n_visible, n_physical, model)


@pytest.mark.parametrize(
    ("kinds", "effective", "expected"),
    [([machine_cores.Kind(6, 12), machine_cores.Kind(8, 8)], 20, 6), ([machine_cores.Kind(6, 12)], 4, 4), ([], 20, 10)],
)
def test_asking_for_the_fast_cores_leaves_slow_ones_out(monkeypatch, kinds, effective, expected):
    monkeypatch.setattr(machine_cores, "cores", lambda: machine_cores.Cores(20, 20, None, effective))
    monkeypatch.setattr(machine_cores, "kinds_here", lambda: kinds)
    monkeypatch.setattr(machine_cores, "count_physical", lambda: None)
    monkeypatch.setattr(machine_cores, "physical_cores", lambda: 10)

    assert (expected,) == cli_options.threads(["fast"])


def test_a_system_that_refuses_to_tell_its_kinds_of_cores_has_physical_ones(monkeypatch):
    def refuse():
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine_cores, "kinds_here", refuse)
    monkeypatch.setattr(machine_cores, "physical_cores", lambda: 3)

    assert 3 == machine_cores.fast_cores()


@pytest.mark.parametrize(
    ("siblings", "used", "expected"),
    [
        (NEIGHBOURS, {0, 1, 2}, 2),
        (NEIGHBOURS, {0, 2}, 2),
        (HALVES, range(8), 4),
        ([], {0}, None),
        (["0"], {0, 1}, None),
    ],
)
def test_physical_cores_are_counted_where_the_system_tells(tmp_path, siblings, used, expected):
    assert expected == machine_cores.n_physical(used, topology(tmp_path, siblings))


def test_asking_for_physical_cores_leaves_second_threads_out(monkeypatch):
    monkeypatch.setattr(machine_cores, "cores", lambda: machine_cores.Cores(8, 8, None, 8))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine_cores, "n_physical", lambda numbers: len(set(numbers)) // 2)
    assert 4 == machine_cores.physical_cores()

    monkeypatch.setattr(machine_cores, "n_physical", lambda numbers: None)
    assert 8 == machine_cores.physical_cores()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("AMD EPYC", "amd-epyc-2c"),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "intel-xeon-e5-2680-v4-2c"),
        ("AMD Ryzen 7 5800X 8-Core Processor", "amd-ryzen-7-5800x-2c"),
        ("Apple M2 Pro", "apple-m2-pro-2c"),
        ("", "unknown-2c"),
    ],
)
def test_an_id_follows_from_the_hardware(model, expected):
    assert expected == describe.suggest_id(model, (), 2)


def test_a_gpu_names_its_machine():
    gpus = tuple(map(nvml.Nvml(FakeNvml()).describe, (0, 1)))

    assert "nvidia-h200-16c" == describe.suggest_id("whatever", gpus[:1], 16)
    assert "nvidia-h200-tesla-t4-16c" == describe.suggest_id("whatever", gpus, 16)
    assert "2x-nvidia-h200-16c" == describe.suggest_id("whatever", gpus[:1] * 2, 16)


def test_this_machines_description_holds_nothing_personal():
    text = encode(describe.describe()).decode()

    for private in (platform.node(), str(Path.home()), str(Path.cwd())):
        assert len(private) < 4 or private not in text
    user = getpass.getuser()
    assert f'"{user}"' not in text


def test_variables_with_paths_are_left_out(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=folder/dump")

    found = software.variables()

    assert "4" == found["OMP_NUM_THREADS"]
    assert "XLA_FLAGS" not in found


def test_a_commit_outside_git_is_unknown(tmp_path):
    assert (None, None) == software.commit(tmp_path)


def test_an_absent_backend_has_no_version(monkeypatch):
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda _: None)

    assert software.backend_version("torch") is None
