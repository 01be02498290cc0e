"""The parent of one run: what it hands to the child, and what it makes of a child that fails."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import msgspec
import pytest

from bench.schema import Request, Variant
from bench.session import launch
from tests.factories import make_cell

FAKE = (sys.executable, str(Path(__file__).parent / "fake_worker.py"))


def make_request(**fields):
    cell = make_cell("cnn-digits", **fields)
    variant = Variant(batch_size=cell.batch_size, n_samples=cell.n_samples)
    return Request(cell=cell, variant=variant, target=None, kind="model", index=2, order=7, seed=0)


def run_fake(monkeypatch, behaviour, **options):
    monkeypatch.setenv("FAKE_WORKER", behaviour)
    return launch.launch(make_request(), worker=FAKE, **options)


def test_launch_returns_the_childs_run_with_the_parents_clock(monkeypatch):
    run = run_fake(monkeypatch, "works")

    assert ("ok", 2, 7) == (run.status, run.index, run.order)
    assert run.total_s > 0


def test_a_parent_that_was_stopped_does_not_count_its_stop():
    assert 20.0 == launch.without_stop(500.0, 20.0)
    assert 22.0 == launch.without_stop(22.0, 20.0)  # the process took that long to end
    assert 22.0 == launch.without_stop(22.0, -3000.0)  # the system's clock was set


def test_launch_records_a_timeout(monkeypatch):
    run = run_fake(monkeypatch, "hangs", timeout_s=0.2)

    assert "timeout" == run.status
    assert "no result after 0.2 s" == run.reason


def test_every_run_under_way_can_be_ended_from_another_thread(monkeypatch):
    with ThreadPoolExecutor() as pool:
        hanging = [pool.submit(run_fake, monkeypatch, "hangs", timeout_s=60.0) for _ in range(2)]
        while len(launch.RUNNING) < 2:
            sleep(0.01)
        launch.end_all()

        assert all("ok" != run.result(timeout=30).status for run in hanging)
    assert not launch.RUNNING


def test_a_killed_child_counts_as_out_of_memory(monkeypatch):
    run = run_fake(monkeypatch, "killed")

    assert "out_of_memory" == run.status


def test_a_child_that_dies_leaves_its_last_line_as_the_reason(monkeypatch):
    run = run_fake(monkeypatch, "dies")

    assert "failed" == run.status
    assert "exit code 3" in run.reason
    assert "something broke" in run.reason


def test_a_cpu_cell_hides_every_gpu_from_every_backend():
    env = launch.environment(make_cell(device="cpu", threads=3), {"CUDA_VISIBLE_DEVICES": "0"}, "scratch")

    assert "" == env["CUDA_VISIBLE_DEVICES"]
    assert "cpu" == env["JAX_PLATFORMS"]
    assert "cpu" == env["KERAS_TORCH_DEVICE"]
    assert {"3"} == {env[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}


@pytest.mark.parametrize(("visible", "expected"), [({}, "0"), ({"CUDA_VISIBLE_DEVICES": "2,3"}, "2")])
def test_a_gpu_cell_sees_one_gpu_and_no_forced_platform(visible, expected):
    base = {**visible, "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu", "NVIDIA_TF32_OVERRIDE": "1"}

    env = launch.environment(make_cell(device="gpu", backend="torch"), base, "scratch")

    assert expected == env["CUDA_VISIBLE_DEVICES"]
    assert not {"JAX_PLATFORMS", "KERAS_TORCH_DEVICE", "NVIDIA_TF32_OVERRIDE"} & set(env)


@pytest.mark.parametrize(("system", "expected"), [("linux", "cuda,cpu"), ("darwin", None)])
def test_jax_is_told_that_its_gpu_is_one_of_nvidia(monkeypatch, system, expected):
    """Else it goes on with the CPU where CUDA does not load, and says nothing. On macOS there is no CUDA."""
    monkeypatch.setattr(sys, "platform", system)

    env = launch.environment(make_cell(device="gpu", backend="jax", jit="on"), {"JAX_PLATFORMS": "cpu"}, "scratch")

    assert expected == env.get("JAX_PLATFORMS")


def environment_of(workload, backend="jax", device="gpu", **base):
    cell = msgspec.structs.replace(make_cell(backend=backend, device=device, jit="on"), workload=workload)
    return launch.environment(cell, base, "scratch")


def test_gpus_have_the_order_in_which_their_meters_are_read():
    assert "PCI_BUS_ID" == environment_of("cnn-digits", CUDA_DEVICE_ORDER="FASTEST_FIRST")["CUDA_DEVICE_ORDER"]
    assert "CUDA_DEVICE_ORDER" not in environment_of("cnn-digits", device="cpu")


@pytest.mark.parametrize(
    ("workload", "name", "value"),
    [("determinism", "CUBLAS_WORKSPACE_CONFIG", ":4096:8"), ("memory-caps", "XLA_PYTHON_CLIENT_PREALLOCATE", "false")],
)
def test_a_study_has_what_must_be_set_before_a_gpu_is_used(workload, name, value):
    assert value == environment_of(workload).get(name)
    assert name not in environment_of(workload, device="cpu")
    assert name not in environment_of("cnn-digits")


@pytest.mark.parametrize("workload", ["memory", "memory-nets", "memory-optimizers"])
def test_the_memory_that_xla_tries_kernels_in_is_not_in_a_peak(workload):
    own = {"XLA_FLAGS": "--xla_dump_to=folder"}

    assert "--xla_gpu_autotune_level=0" == environment_of(workload).get("XLA_FLAGS")
    assert "--xla_dump_to=folder --xla_gpu_autotune_level=0" == environment_of(workload, **own)["XLA_FLAGS"]
    for other in (
        environment_of(workload, device="cpu", **own),
        environment_of(workload, backend="torch", **own),
        environment_of("resnet50", **own),
    ):
        assert "--xla_dump_to=folder" == other["XLA_FLAGS"]


def test_what_a_child_leaves_goes_with_its_run():
    assert "scratch" == environment_of("resnet50", TMPDIR="elsewhere")["TMPDIR"]


def test_compilation_caches_are_cold():
    env = launch.environment(make_cell(), {"JAX_COMPILATION_CACHE_DIR": "warm"}, "scratch")

    assert "JAX_COMPILATION_CACHE_DIR" not in env
    assert all(env[name].startswith("scratch") for name in ("TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH"))
