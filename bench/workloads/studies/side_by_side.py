"""A training alone, and beside a second one on the same cores: what sharing costs beyond the half that it must.

Threads of a pool that wait for each other may spin or sleep. Spinning is quicker while the cores are theirs; beside
another process it takes the time of whoever they wait for. OpenMP decides it by a variable, when its library is loaded,
so each setting needs processes of its own. Impure: starts processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import IO, Any

from bench.schema import Block, Names, Part, Series, Variant, Workload
from bench.workloads.parts import served
from bench.workloads.studies import onednn

COMMAND = served.module(__name__)
SETTINGS: dict[str, dict[str, str]] = {"": {}, "-asleep": {"OMP_WAIT_POLICY": "passive"}}
GO, STOP = "go", "stop"
MANY_EPOCHS = 1_000_000

SPEC = Workload(
    id="side-by-side",
    title="Two trainings on the same cores",
    summary="A small net is trained alone, and while a second process trains the same net on the same cores.",
    kind="study",
    sample_noun="samples",
    data_source="seeded random images or rows; only speed is asked",
    series=(
        Series(id="alone", label="step alone"),
        Series(id="beside", label="step beside a second training"),
        Series(id="alone-asleep", label="step alone, waiting OpenMP threads sleep"),
        Series(id="beside-asleep", label="step beside a second training, waiting OpenMP threads sleep"),
    ),
    variants={
        "smoke": (
            # One setting: another is two processes more.
            Variant(mode="study", batch_size=8, n_samples=16, params={"net": "dense", "settings": 1}, n_blocks=3,
                    steady_limit_s=0.3, headline=True, estimate_s=12.0, devices=("cpu",)),
        ),
        "quick": (),
        # Short epochs: beside another, a step may take many times as long.
        "reference": tuple(
            Variant(mode="study", batch_size=batch_size, n_samples=n_steps * batch_size, params={"net": net},
                    n_blocks=20, steady_limit_s=12.0, headline=net == "convolutions", estimate_s=75.0,
                    devices=("cpu",))
            for net, batch_size, n_steps in (("convolutions", 32, 4), ("dense", 128, 32))
        ),
    },
)  # fmt: skip

NAMES = Names(
    parts=(Part("dense", "dense layers", "net", "dense"),),
    alternatives=(("alone", "alone-asleep"), ("beside", "beside-asleep")),
)


def measure(study: Any) -> None:
    """Time blocks of one process, alone and while the other trains, in shuffled rounds, under both settings."""
    request = onednn.request_of(study)
    n_settings = int(study.variant.params.get("settings", len(SETTINGS)))
    with ExitStack() as stack:
        arms = {}
        for name, variables in islice(SETTINGS.items(), n_settings):
            timed, other = (
                stack.enter_context(served.serving(COMMAND, request, variables, f"{which}{name}"))
                for which in ("timed", "beside it")
            )
            for process in (timed, other):
                served.ask(process, 1)  # compiles, alone
            arms[f"alone{name}"] = onednn.Arm(timed).block
            arms[f"beside{name}"] = partial(block_beside, onednn.Arm(timed), other)
        study.take(arms)
    one = study.keras.ops.ones((1,))
    study.observe(one, one)


def block_beside(arm: onednn.Arm, other: subprocess.Popen) -> Block:
    """A block of one process, while the other one trains."""
    with beside(other):
        return arm.block()


@contextmanager
def beside(process: subprocess.Popen) -> Iterator[None]:
    """A block during which a process trains: since before its start, and until it has ended."""
    served.ask(process, GO)
    yield
    if served.ask(process, STOP) < 1:
        raise RuntimeError("the process beside the timed one has not trained meanwhile")


def serve(request: dict[str, Any], asked: IO[str], told: IO[str]) -> None:
    """Train as many epochs as a line asks for and tell steps and seconds; after "go" train until the next line."""
    import keras

    trained = onednn.Trained(keras, request)
    lines: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        for line in asked:
            lines.put(line.strip())
        lines.put("")

    class UntilAsked(keras.callbacks.Callback):
        n_epochs = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.n_epochs += 1
            self.model.stop_training = not lines.empty()

    threading.Thread(target=listen, daemon=True).start()
    while line := lines.get():
        if line == GO:
            served.answer(told, 0)
            until_asked = UntilAsked()
            trained.fit(epochs=MANY_EPOCHS, callbacks=[until_asked])
        elif line == STOP:
            served.answer(told, until_asked.n_epochs)
        else:
            served.answer(told, trained.epochs(int(line)))


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]), sys.stdin, sys.stdout)
