"""oneDNN on and off: two processes that wait in turn."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from bench.schema import Block
from bench.workloads.parts import served
from bench.workloads.studies import onednn
from tests import frameworks

ECHO = """
import os, sys
from bench.workloads.parts import served
for line in sys.stdin:
    loss = float(os.environ["TF_ENABLE_ONEDNN_OPTS"])
    served.answer(sys.stdout, {"n_steps": int(line) + 8, "seconds": 2.0, "loss": loss})
"""


def test_each_setting_reaches_its_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onednn, "COMMAND", [sys.executable, "-c", ECHO])
    with onednn.trainer("on", {}) as on, onednn.trainer("off", {}) as off:
        assert (1.0, 0.0) == (served.ask(on, 1)["loss"], served.ask(off, 1)["loss"])
        assert Block(n_steps=9, seconds=2.0) == onednn.Arm(off).block()


@pytest.mark.parametrize(
    ("net", "shape"), [("convolutions", (4, 32, 32, 3)), ("dense", (4, 128)), ("look-ups", (4, onednn.LENGTH))]
)
def test_data_follow_from_the_seed(net: str, shape: tuple[int, ...]):
    (x, y), (again, _), (other, _) = (onednn.data(net, 4, seed) for seed in (1, 1, 2))

    assert shape == x.shape and (4,) == y.shape
    assert np.array_equal(x, again) and not np.array_equal(x, other)


SERVES = """
import io, json, sys
from bench.workloads.studies import onednn
onednn.serve(json.loads(sys.argv[1]), io.StringIO("1\\n3\\n2\\n"), sys.stdout)
"""


@pytest.mark.keras
@pytest.mark.parametrize("net", ["convolutions", "dense", "look-ups"])
def test_a_process_trains_as_many_epochs_as_it_is_asked_for(net: str):
    request = {"net": net, "batch_size": 4, "n_samples": 8, "n_threads": 1, "jit": False, "seed": 0}
    # In a process of its own: it sets threads, which TensorFlow permits before its first operation only.
    printed = frameworks.run(SERVES, json.dumps(request))
    lines = [line for line in printed.splitlines() if line.startswith(served.MARK)]
    told = [json.loads(line.removeprefix(served.MARK)) for line in lines]

    assert [2, 6, 4] == [one["n_steps"] for one in told]
    assert all(one["seconds"] > 0 for one in told)
    assert told[1]["loss"] < told[0]["loss"]  # it learns
