"""When fit comes back: its two parts, what counts as late, and what only TensorFlow has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.schema import Block, Data, Variant
from bench.workloads import registry
from bench.workloads.parts import fits
from tests.factories import make_cell

fit_return = registry.module("fit-return")


class Callback:
    """As much of Keras's as this study needs."""

    def on_train_end(self, logs: Any = None) -> None:
        """Of the training."""

    def on_predict_end(self, logs: Any = None) -> None:
        """Of the prediction."""

    def on_test_end(self, logs: Any = None) -> None:
        """Of the evaluation."""


class CallbackList:
    """As much of Keras's as this study needs."""

    def __init__(self, **options: Any) -> None:
        """Options are Keras's, and of no use here."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before the data."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before each step."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After the last step."""


class Model:
    """Its fit trains for one time, and comes back after another; of many epochs the second starts late."""

    weights = (SimpleNamespace(value=0.0),)

    def __init__(self, training_s: float, returns_s: tuple[float, ...]) -> None:
        self.training_s, self.returns_s, self.calls = training_s, iter(returns_s), []
        self.now_s = 0.0

    def compile(self, **options: Any) -> None:
        """Nothing to compile."""

    def fit(self, *arguments: Any, verbose: int, callbacks: list[Any], **options: Any) -> None:
        """Only time passes."""
        if isinstance(callbacks, CallbackList):
            for epoch in range(options["epochs"]):
                callbacks.on_epoch_begin(epoch)
                self.now_s += 1.5 if epoch == 1 else 0.0
                for step in range(2):
                    callbacks.on_train_batch_begin(step)
                    self.now_s += self.training_s / 2
                callbacks.on_epoch_end(epoch)
            return
        self.calls.append((arguments, options))
        self.now_s += self.training_s
        callbacks[0].on_train_end()
        self.now_s += next(self.returns_s)

    def predict(self, x: Any, *, batch_size: int, verbose: int, callbacks: list[Any]) -> None:
        """Comes back at once."""
        self.now_s += self.training_s
        callbacks[0].on_predict_end()

    def evaluate(self, x: Any, y: Any, *, batch_size: int, verbose: int, callbacks: list[Any]) -> None:
        """Comes back at once."""
        self.now_s += self.training_s
        callbacks[0].on_test_end()

    def __call__(self, x: Any) -> float:
        return 0.0


class Study:
    """Keeps what is added and read."""

    def __init__(self, backend: str, n_blocks: int) -> None:
        self.cell = make_cell(workload="call-styles", mode="study", backend=backend, batch_size=2)
        self.variant = Variant(mode="study", batch_size=2, n_samples=4, n_blocks=n_blocks)
        callbacks = SimpleNamespace(Callback=Callback, CallbackList=CallbackList)
        self.keras, self.framework, self.seed = SimpleNamespace(callbacks=callbacks), None, 0
        self.series: dict[str, list[Block]] = {}
        self.readings: dict[str, float] = {}

    def add(self, name: str, block: Block) -> None:
        self.series.setdefault(name, []).append(block)

    def read(self, name: str, value: float) -> None:
        self.readings[name] = value

    def sync(self, value: Any) -> None:
        """Nothing is queued here."""

    def observe(self, weight: Any, output: Any) -> None:
        """Not asked here."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    def call(backend: str, returns_s: tuple[float, ...], n_blocks: int) -> tuple[Study, Model]:
        study, model = Study(backend, n_blocks), Model(0.5, returns_s)
        net = fit_return.transformer_text
        monkeypatch.setattr(fit_return, "perf_counter", lambda: model.now_s)
        monkeypatch.setattr(net, "load_data", lambda variant, seed: Data([1, 2, 3, 4], [0, 0, 1, 1]))
        monkeypatch.setattr(net, "build_model", lambda variant: model)
        monkeypatch.setattr(net, "compile_arguments", lambda variant: {})
        monkeypatch.setattr(fits, "untuned", lambda tensorflow, x, y, batch_size: "a pipeline")
        fit_return.measure(study)
        return study, model

    return call


def test_a_late_return_is_told_from_the_training_before_it(run):
    study, model = run("torch", (0.0, 0.0, 2.0, 0.0, 0.0), 4)  # the first call does not count

    calls = {f"{part}{call}" for part in ("training", "return") for call in ("", "-predict", "-evaluate")}
    assert calls | {"epoch", "epoch-start"} == set(study.series)
    assert [0.0, 2.0, 0.0, 0.0] == [block.seconds for block in study.series["return"]]
    assert [0.5] * 4 == [block.seconds for block in study.series["training"]]
    assert 0.25 == study.readings["late-share"]
    assert 0 == study.readings["late-share-predict"] == study.readings["late-share-evaluate"]
    assert 4 == study.readings["longest-ratio"]
    assert "late-share-untuned" not in study.readings
    assert {"batch_size": 2} == model.calls[0][1]


def test_what_passes_before_the_first_step_of_an_epoch_is_told_apart(run):
    study, _ = run("jax", (0.0,) * 5, 4)

    assert [1.5, 0.0, 0.0, 0.0] == [block.seconds for block in study.series["epoch-start"]]
    assert [0.5] * 4 == [block.seconds for block in study.series["epoch"]]
    assert 0.25 == study.readings["late-share-epoch"]
    assert 1.5 / (1.5 + 4 * 0.5) == study.readings["lost-share-epoch"]
    assert "lost-share-epoch-untuned" not in study.readings


def test_tensorflow_is_also_timed_on_a_pipeline_without_autotuning(run):
    study, model = run("tensorflow", (0.0,) * 8, 3)

    assert [3] * 12 == [len(blocks) for blocks in study.series.values()]
    assert {"training", "return", "training-untuned", "return-untuned"} < set(study.series)
    assert 0 == study.readings["late-share"] == study.readings["late-share-untuned"]
    assert 4 == sum(arguments == ("a pipeline",) for arguments, _ in model.calls)
