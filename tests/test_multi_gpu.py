"""Several GPUs and hosts: who is asked to measure them, and the code itself on virtual CPU devices, whose times
count for nothing and are thrown away.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.schema import Cell, DataUnavailableError
from bench.session import launch
from bench.workloads import registry
from bench.workloads.studies import multi_host
from tests import frameworks
from tests.factories import make_plan

REPOSITORY = Path(__file__).parent.parent


def planned_for(n_gpus: int, profile: str = "reference"):
    specs = {"multi-gpu": registry.workload("multi-gpu")}
    return make_plan(specs, profile=profile, n_gpus=n_gpus, n_cores=4, backends=("tensorflow", "jax"))


def make_cell(n_gpus: int) -> Cell:
    return Cell(
        workload="multi-gpu", mode="study", backend="jax", device="gpu", jit="on", batch_size=32, n_samples=320,
        threads=4, params={"net": "small", "gpus": n_gpus},
    )  # fmt: skip


@pytest.mark.parametrize("profile", ["smoke", "reference"])
def test_a_machine_without_a_gpu_is_not_asked(profile: str):
    planned = planned_for(0, profile)

    assert () == (*planned.runs, *planned.skipped)


def test_one_gpu_is_too_few_and_says_so():
    planned = planned_for(1)

    assert () == planned.runs
    reasons = {cell.params["gpus"]: reason for cell, reason in planned.skipped}
    assert "2 GPUs are needed, this machine shows 1" == reasons[2]
    assert {2, 4, 8} == set(reasons)


def test_as_many_gpus_as_there_are_take_part():
    planned = planned_for(5)

    assert {2, 4} == {run.cell.params["gpus"] for run in planned.runs}
    assert {8} == {cell.params["gpus"] for cell, _ in planned.skipped}
    assert {"gpu"} == {run.cell.device for run in planned.runs}


@pytest.mark.parametrize(
    ("visible", "n_gpus", "expected"),
    [
        ({}, 2, "0,1"),
        ({}, 1, "0"),
        ({"CUDA_VISIBLE_DEVICES": "3,5,7"}, 2, "3,5"),
        ({"CUDA_VISIBLE_DEVICES": "3"}, 2, "3"),
    ],
)
def test_a_process_sees_the_gpus_of_its_cell_and_no_other(visible: dict[str, str], n_gpus: int, expected: str):
    env = launch.environment(make_cell(n_gpus), visible, "scratch")

    assert expected == env["CUDA_VISIBLE_DEVICES"]


ON_VIRTUAL_DEVICES = """
import json, os
import keras
from bench.workloads import registry
from bench.schema import Cell, DataUnavailableError, Request
from bench.records.codec import encode
from bench.measure import backend as backends
from bench.measure.study import Study

backend = os.environ["KERAS_BACKEND"]
adapter = backends.load(backend)
framework = adapter.framework
if backend == "tensorflow":
    cpu = framework.config.list_physical_devices("CPU")[0]
    framework.config.set_logical_device_configuration(cpu, [framework.config.LogicalDeviceConfiguration()] * N_DEVICES)
module = registry.module("WORKLOAD")
(variant,) = module.SPEC.variants["smoke"]
cell = Cell(workload="WORKLOAD", mode="study", backend=backend, device="cpu", jit="off", threads=2,
            params=variant.params, batch_size=variant.batch_size, n_samples=variant.n_samples)
request = Request(cell=cell, variant=variant, target=None, kind="study", index=0, order=0, seed=0)
study = Study(keras, adapter, request, {})
try:
    module.measure(study)
    n_steps = {name: sorted({block.n_steps for block in blocks}) for name, blocks in study.series.items()}
    print(json.dumps({"steps": n_steps, "first": sorted(study.first_s), "devices": study.readings["devices"],
                      "seen": sorted(study.seen)}))
except DataUnavailableError as error:
    print(json.dumps(str(error)))
"""


def on_virtual_devices(backend: str, n_devices: int, workload: str = "multi-gpu"):
    code = ON_VIRTUAL_DEVICES.replace("N_DEVICES", str(n_devices)).replace("WORKLOAD", workload)
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices}"}
    return frameworks.last_line(code, backend=backend, variables=flags)


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_share_the_work_and_get_the_losses_of_one(backend: str):
    """``measure`` itself compares the losses, and fails where they differ."""
    found = on_virtual_devices(backend, 2)

    assert {"one": [5], "strong": [5], "weak": [5]} == found["steps"]
    assert ["one", "strong", "weak"] == found["first"]
    assert 2 == found["devices"]
    assert ["output", "weight"] == found["seen"]


@pytest.mark.keras
def test_too_few_devices_are_a_skip_with_its_reason():
    assert "2 GPUs are needed, this process sees 1" == on_virtual_devices("jax", 1)


@pytest.mark.keras
def test_pytorch_is_skipped_with_its_reason():
    assert "has no data parallelism for torch" in on_virtual_devices("torch", 2)


# Several hosts.


@pytest.mark.keras
def test_two_processes_train_in_step_and_get_the_losses_of_one():
    """Each stands for a host, and brings two devices; ``measure`` itself compares the losses."""
    found = on_virtual_devices("jax", 2, "multi-host")

    assert {"one": [5], "strong": [5], "weak": [5]} == found["steps"]
    assert 4 == found["devices"]


def test_hosts_that_a_job_has_not_are_a_skip_with_its_reason(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "1")
    study = SimpleNamespace(variant=SimpleNamespace(params={"hosts": 2}), cell=SimpleNamespace(device="gpu"))

    with pytest.raises(DataUnavailableError, match="2 hosts are needed, this is 1: run --launcher slurm --nodes 2"):
        multi_host.measure(study)


def test_a_process_that_ends_badly_ends_the_run_with_what_it_said():
    with pytest.raises(RuntimeError, match="a process ended with exit code 1: .*JSONDecodeError"):
        multi_host.run_all(1, "no JSON")
