"""What our own clock costs: the two ways of fit that are compared, the table and the facts made of them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from bench.measure import study
from bench.measure.backend import Torch
from bench.records.store import Results
from bench.report.charts import make_table as make
from bench.report.evidence.evidence import Evidence
from bench.report.facts import lookup
from bench.schema import Block, Cell, Data, Record, Request, Variant
from bench.workloads import registry
from tests.factories import INVENTED, make_cell, make_run, make_session_results

SPEC = registry.workload("harness-overhead")
STEP_S, RETURN_S = 0.25, 9.0


class CallbackList:
    """As much of Keras's as a fit in these tests needs."""

    def __init__(self, callbacks: list[Any], **options: Any) -> None:
        """Options are Keras's, and of no use here."""
        self.callbacks = callbacks

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Of each epoch."""
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Of each epoch."""
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Of each step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Of each step."""


class Callback:
    """As much of Keras's as a fit in these tests needs."""


class Model:
    """Its fit tells the callbacks of each step, as Keras's does, and comes back late."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.now_s = 0.0

    def fit(self, x: Any, y: Any, *, batch_size: int, epochs: int, verbose: int, callbacks: Any) -> None:
        """Nothing is trained."""
        self.calls.append({"n": len(x), "batch_size": batch_size, "epochs": epochs, "callbacks": callbacks})
        told = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks)
        for epoch in range(epochs):
            told.on_epoch_begin(epoch)
            for step in range(len(x) // batch_size):
                told.on_train_batch_begin(step)
                self.now_s += STEP_S
                told.on_train_batch_end(step, {"loss": 0.5})
            told.on_epoch_end(epoch)
        self.now_s += RETURN_S


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], tuple[Model, Block, int]]:
    """Calls ``Study.fit``: the model, the block, and how often the device was waited for."""

    def call(is_clocked: bool) -> tuple[Model, Block, int]:
        waits: list[Any] = []

        class Counted(Torch):
            def wait_for_training(self, model: Any) -> None:
                waits.append(model)

        keras = SimpleNamespace(callbacks=SimpleNamespace(CallbackList=CallbackList, Callback=Callback))
        variant = Variant(mode="study", batch_size=4, n_samples=12)
        cell = make_cell(workload="call-styles", mode="study", batch_size=4, n_samples=12)
        request = Request(cell=cell, variant=variant, target=None, kind="study", index=0, order=0, seed=0)
        model = Model()
        for module in (study, study.fits):
            monkeypatch.setattr(module, "perf_counter", lambda: model.now_s)
        block = study.Study(keras, Counted(None), request, {}).fit(
            model, Data(list(range(12)), list(range(12))), 5, is_clocked=is_clocked
        )
        return model, block, len(waits)

    return call


def test_a_bare_fit_is_told_of_its_epochs_alone_and_waits_at_the_end_of_each(fit):
    model, block, n_waits = fit(False)

    (marks,) = model.calls[0].pop("callbacks")
    assert [{"n": 12, "batch_size": 4, "epochs": 5}] == model.calls
    hooks = {name for name in vars(type(marks)) if name.startswith("on_")}
    assert {"on_epoch_begin", "on_epoch_end"} == hooks  # with one per step Keras would wait for each
    assert 15 == block.n_steps
    assert 15 * STEP_S == block.seconds
    assert 5 == n_waits


def test_a_clocked_fit_is_told_of_each_step_and_waits_at_the_end_of_blocks_too(fit):
    model, block, n_waits = fit(True)

    assert isinstance(model.calls[0]["callbacks"], CallbackList)
    assert 15 == block.n_steps
    assert 15 * STEP_S == block.seconds
    assert n_waits > 5


def record(net: str, clock: float, *, backend: str = "tensorflow", status: str = "ok", source_hash: str = "") -> Record:
    """Three rounds of fits of 0.1 s; under the clock they take so many times that."""
    cell = Cell(
        workload="harness-overhead", mode="study", backend=backend, device="cpu", jit="off", batch_size=32,
        n_samples=64, threads=2, params={"net": net},
    )  # fmt: skip
    rounds = (0.1, 0.12, 0.11)
    factors = {"bare": 1.0, "clock": clock, "again": 0.999}
    series = {name: tuple(Block(n_steps=1, seconds=s * f) for s in rounds) for name, f in factors.items()}
    runs = (make_run(0, cell=make_cell("call-styles"), series=series),) if status == "ok" else ()
    known = {"profile": "reference", "method_version": 1, "reason": "broken"}
    known["source_hash"] = source_hash or registry.source_hash("harness-overhead")
    return Record(cell=cell, spec=SPEC, status=status, runs=runs, **known)


def evidence_of(*records: Record) -> Evidence:
    return Evidence(Results((make_session_results(records),)), {**INVENTED, **registry.workloads()})


def test_the_table_says_what_the_clock_adds_in_percent_beside_what_nothing_adds():
    records = record("mlp-tabular", 1.012), record("mlp-tabular", 0.98, backend="jax")
    made = make.make("overhead", evidence_of(*records))

    rows = [[cell.text for cell in row] for row in made.rows]
    assert ("network", "fit", "TensorFlow", "JAX") == made.columns
    assert ["timed", "bare again"] == [row[1] for row in rows]
    assert "+1.2 % (+1.2 to +1.2 within one run)" == rows[0][2]
    assert rows[0][3].startswith("-2.0 % (")
    assert rows[1][2].startswith("-0.1 % (")
    assert all(cell.cells for row in made.rows for cell in row[2:])


def test_a_failed_cell_says_so_instead_of_a_number():
    records = record("mlp-tabular", 1.0), record("mlp-tabular", 1.0, backend="jax", status="failed")
    made = make.make("overhead", evidence_of(*records))

    assert {"failed: broken"} == {row[-1].text for row in made.rows}


def test_the_facts_tell_what_is_typical_and_count_what_surely_costs_more_than_a_hundredth():
    evidence = evidence_of(
        record("mlp-tabular", 1.02), record("resnet50", 1.01), record("resnet50", 0.95, backend="torch")
    )

    found = lookup.lookup("harness-overhead", evidence)
    assert pytest.approx(1.01) == found.estimate.value
    assert found.text.startswith("+1.0 % (")
    assert 3 == found.estimate.n == len(found.cells)
    assert lookup.lookup("harness-overhead-again", evidence).text.startswith("-0.1 % (-0.1 to -0.1")
    assert "1 of 3" == lookup.lookup("harness-overhead-certain", evidence).text


@pytest.mark.parametrize("name", ["harness-overhead", "harness-overhead-again", "harness-overhead-certain"])
def test_without_records_nothing_is_said(name: str):
    assert not lookup.measured(name, evidence_of())


def test_what_an_earlier_clock_cost_says_nothing_of_this_one():
    earlier, now = record("mlp-tabular", 1.5, source_hash="0" * 16), record("resnet50", 1.01)

    assert not lookup.measured("harness-overhead", evidence_of(earlier))
    assert lookup.lookup("harness-overhead", evidence_of(earlier, now)).text.startswith("+1.0 % (")


def test_each_net_is_trained_as_its_own_headline_is():
    for variant in SPEC.variants["reference"]:
        own = registry.workload(str(variant.params["net"]))
        headline = next(v for v in own.variants["reference"] if v.headline and v.mode == "train")
        assert headline.batch_size == variant.batch_size
        assert {"net": own.id, **headline.params} == variant.params
        assert 0 == variant.n_samples % variant.batch_size
