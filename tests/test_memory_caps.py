"""The search for the largest batch under a cap, and the nets whose memory is read."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from bench.schema import DataUnavailableError, Variant
from bench.workloads import registry
from bench.workloads.studies import memory, memory_caps, memory_nets

GB = memory_caps.GB


class Tries:
    """Batches fit up to ``most``; what was tried is kept."""

    def __init__(self, most: int):
        self.most, self.tried = most, []

    def __call__(self, batch: int) -> bool:
        self.tried.append(batch)
        return batch <= self.most


@pytest.mark.parametrize("start", [1, 4, 16, 256])
@pytest.mark.parametrize(("most", "expected"), [(1, (1, 2)), (16, (16, 32)), (31, (16, 32)), (32, (32, 64))])
def test_search_finds_the_same_from_wherever_it_starts(start: int, most: int, expected: tuple[int, int]):
    fits = Tries(most)

    assert expected == memory_caps.search(fits, start)
    assert set(expected) <= set(fits.tried), "both were tried"
    assert len(fits.tried) == len(set(fits.tried))


def test_search_that_starts_right_tries_twice():
    fits = Tries(100)

    memory_caps.search(fits, 64)

    assert [64, 128] == fits.tried


def test_nothing_fits():
    fits = Tries(0)

    assert (0, 1) == memory_caps.search(fits, 8)
    assert [8, 4, 2, 1] == fits.tried


def test_search_ends_at_the_largest_batch_to_try():
    assert (16, None) == memory_caps.search(Tries(10**9), 2, most=16)
    assert (16, None) == memory_caps.search(Tries(10**9), 16, most=16)


def test_a_try_that_fails_otherwise_ends_the_search():
    def fits(batch: int) -> bool:
        if batch > 4:
            raise RuntimeError("a broken kernel")
        return True

    with pytest.raises(RuntimeError, match="broken kernel"):
        memory_caps.search(fits, 1)


def test_how_a_try_ended():
    said = "noise\nroom 5e8\n"

    assert (True, 5e8) == memory_caps.judge(0, 0, said, "")
    assert (False, 5e8) == memory_caps.judge(-9, 1, said, "")
    assert (False, None) == memory_caps.judge(-9, 1, "", "")  # killed while the framework was imported
    assert (False, 5e8) == memory_caps.judge(memory_caps.OUT_OF_MEMORY, 0, said, "OOM")


@pytest.mark.parametrize(("code", "errors"), [(1, "ValueError: shapes differ"), (-11, ""), (-9, "")])
def test_other_failures_are_told_apart(code: int, errors: str):
    with pytest.raises(RuntimeError, match=f"exit code {code}.*{errors or 'printed nothing'}"):
        memory_caps.judge(code, 0, "room 5e8", errors)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (ValueError("RESOURCE_EXHAUSTED: OOM when allocating tensor"), True),
        (ValueError("shapes differ"), False),
    ],
)
def test_errors_that_mean_memory(error: Exception, expected: bool):
    assert expected is memory_caps.is_out_of_memory(error, {"backend": "jax", "device": "gpu"}, None)


def test_torch_counts_what_its_error_does_not_say():
    def framework(n_ooms: int) -> SimpleNamespace:
        return SimpleNamespace(cuda=SimpleNamespace(memory_stats=lambda: {"num_ooms": n_ooms}))

    error, request = RuntimeError("unable to find an engine"), {"backend": "torch", "device": "gpu"}

    assert memory_caps.is_out_of_memory(error, request, framework(1))
    assert not memory_caps.is_out_of_memory(error, request, framework(0))
    assert not memory_caps.is_out_of_memory(error, request | {"device": "cpu"}, framework(1))


@pytest.mark.parametrize(
    ("used", "total", "match"),
    [
        (None, None, "does not tell"),
        (0, 8 * GB, "not more than the cap"),
        (16 * GB, 24 * GB, "8 GB of the GPU are free"),
    ],
)
def test_a_cap_that_the_gpu_cannot_imitate_is_skipped(monkeypatch: pytest.MonkeyPatch, used, total, match: str):
    monkeypatch.setattr(memory, "driver_bytes", lambda: (used, total))

    with pytest.raises(DataUnavailableError, match=match):
        memory_caps.check_gpu("gpu", 8 * GB)
    memory_caps.check_gpu("cpu", 8 * GB)


def test_a_cap_within_the_free_memory_is_tried(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "driver_bytes", lambda: (GB, 24 * GB))

    memory_caps.check_gpu("gpu", 8 * GB)


def test_jax_gets_its_share_before_it_is_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "driver_bytes", lambda: (0, 32 * GB))
    monkeypatch.setattr(os, "environ", {"XLA_CLIENT_MEM_FRACTION": "0.9"})

    memory_caps.limit_jax(8 * GB)

    assert {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.25", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"} == os.environ


def test_without_a_cgroup_there_is_no_cap(tmp_path: Path):
    told = tmp_path / "cgroup"
    told.write_text("0::/\n")

    for own in (told, tmp_path / "no-such-file"):
        with (
            pytest.raises(DataUnavailableError, match="no control group for memory"),
            memory_caps.memory_group(GB, tmp_path, own),
        ):
            pass
    assert [told] == list(tmp_path.iterdir()), "nothing is left behind"


def test_kills_are_counted_in_both_versions():
    assert 2 == memory_caps.n_killed("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert 1 == memory_caps.n_killed("low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n")
    assert 0 == memory_caps.n_killed("")


@pytest.mark.parametrize(("n_bytes", "n_kills"), [(10**6, 0), (10**9, 1)])
def test_a_process_above_its_cap_is_killed_and_counted(n_bytes: int, n_kills: int):
    code = (
        "import os, sys; open(os.path.join(sys.argv[1], 'cgroup.procs'), 'w').write(str(os.getpid())); "
        "x = b'1' * int(sys.argv[2])"
    )
    try:
        with memory_caps.memory_group(100 * 10**6) as group:
            done = subprocess.run([sys.executable, "-c", code, group.folder, str(n_bytes)], timeout=60)
            counted = group.n_kills()
    except DataUnavailableError as error:
        pytest.skip(str(error))

    assert (n_kills, n_kills > 0) == (counted, done.returncode != 0)
    assert not Path(group.folder).exists()


def test_fingerprint_follows_the_nets(monkeypatch: pytest.MonkeyPatch):
    before = registry.source_hash("memory-caps"), registry.source_hash("memory-nets")
    source = registry.source_text
    changed = {"bench.workloads.models.resnet50": source("bench.workloads.models.resnet50") + "\nA = 1\n"}
    monkeypatch.setattr(registry, "source_text", lambda name: changed.get(name) or source(name))
    registry.source_hash.cache_clear()

    after = registry.source_hash("memory-caps"), registry.source_hash("memory-nets")

    registry.source_hash.cache_clear()
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_every_net_is_read_at_two_batches_on_both_devices():
    def key(v: Variant) -> tuple:
        return v.devices, tuple(sorted(v.params.items()))

    variants = sorted(memory_nets.SPEC.variants["reference"], key=key)
    groups = {k: [v.batch_size for v in group] for k, group in itertools.groupby(variants, key)}

    nets = [{dict(params)["net"] for devices, params in groups if devices == (device,)} for device in ("cpu", "gpu")]
    assert [set(memory_nets.NETS)] * 2 == nets
    assert all(2 == len(batches) and batches[1] >= 4 * batches[0] for batches in groups.values())
    assert all(v.n_samples == 2 * v.batch_size for v in variants)


@pytest.mark.parametrize("variant", [v for vs in memory_nets.SPEC.variants.values() for v in vs])
def test_every_net_gets_data_of_its_own(variant: Variant):
    few = msgspec.structs.replace(variant, batch_size=2, n_samples=2)

    data = memory_nets.NETS[variant.params["net"]].load_data(few, 0)

    assert (2, 2) == (len(data.x), len(data.y))
