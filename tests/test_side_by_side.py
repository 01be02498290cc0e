"""Two trainings on the same cores: who trains when, without a framework; and the process that does it, with one."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import SimpleNamespace

import pytest

from bench.schema import Block
from bench.workloads.parts import served
from bench.workloads.studies import onednn, side_by_side

# Notes what it is asked for in a file of both processes; two steps take an eighth of a second, by its word.
NOTES = """
import json, sys
from bench.workloads.parts import served
known = json.loads(sys.argv[1])
for line in map(str.strip, sys.stdin):
    with open(known["notes"], "a") as notes:
        print(known["name"], line, file=notes)
    told = {"go": 0, "stop": 3}.get(line)
    if told is None:
        told = {"n_steps": 2 * int(line), "seconds": float(line) / 8}
    served.answer(sys.stdout, told)
"""


@pytest.fixture
def processes(tmp_path):
    notes = tmp_path / "notes"
    command = [sys.executable, "-c", NOTES]

    def start(name):
        return served.serving(command, {"name": name, "notes": str(notes)}, {}, name)

    with start("timed") as timed, start("other") as other:
        yield SimpleNamespace(timed=timed, other=other, notes=notes)


def test_the_other_trains_since_before_a_block_and_until_after_it(processes):
    arm = onednn.Arm(processes.timed)

    assert Block(n_steps=2, seconds=0.125) == side_by_side.block_beside(arm, processes.other)
    two_epochs = side_by_side.block_beside(arm, processes.other)  # of an eighth of a second come nearest to a block
    assert Block(n_steps=4, seconds=0.25) == two_epochs

    asked = processes.notes.read_text().splitlines()
    assert ["other go", "timed 1", "other stop", "other go", "timed 2", "other stop"] == asked


def test_alone_means_that_the_other_does_nothing(processes):
    onednn.Arm(processes.timed).block()

    assert ["timed 1"] == processes.notes.read_text().splitlines()


def test_a_neighbour_that_did_not_train_fails_the_run(processes, monkeypatch):
    monkeypatch.setattr(side_by_side, "STOP", "go")  # whose answer is 0

    with pytest.raises(RuntimeError, match="has not trained"):
        side_by_side.block_beside(onednn.Arm(processes.timed), processes.other)


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_process_trains_until_it_is_asked_for_something_else(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    request = {"net": "dense", "batch_size": 4, "n_samples": 8, "n_threads": 1, "jit": backend == "jax", "seed": 0}
    env = {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"}

    with served.serving(side_by_side.COMMAND, request, os.environ | env, backend) as process:
        assert 6 == served.ask(process, 3)["n_steps"]
        assert 0 == served.ask(process, side_by_side.GO)
        assert served.ask(process, side_by_side.STOP) >= 1
        assert served.ask(process, 1)["seconds"] > 0
    assert 0 == process.returncode
