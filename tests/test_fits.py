"""Where the work of a call of fit begins and ends, on a clock of its own and without a framework."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.workloads.parts import fits


def test_a_fit_is_marked_from_its_first_epoch_to_the_end_of_its_last(monkeypatch: pytest.MonkeyPatch):
    """What passes before the first epoch and after the last is left out; the device is waited for."""
    time = SimpleNamespace(s=0.0)
    monkeypatch.setattr(fits, "perf_counter", lambda: time.s)
    keras = SimpleNamespace(callbacks=SimpleNamespace(Callback=object))

    def wait_for_the_device() -> None:
        time.s += 0.25

    marks = fits.marks(keras, wait_for_the_device)
    assert marks.begun_s is marks.ended_s is None

    time.s = 5.0  # the data are made ready
    for epoch in range(2):
        marks.on_epoch_begin(epoch)
        time.s += 1.0
        marks.on_epoch_end(epoch)
    time.s += 60.0  # fit does not come back yet

    assert (5.0, 7.5) == (marks.begun_s, marks.ended_s)


def test_autotuning_is_switched_off():
    made: list[Any] = []

    class Dataset:
        def batch(self, size: int) -> Dataset:
            made.append(size)
            return self

        def with_options(self, options: Any) -> Any:
            return options

    options = SimpleNamespace(autotune=SimpleNamespace(enabled=True))
    source = SimpleNamespace(from_tensor_slices=lambda rows: Dataset())
    tensorflow = SimpleNamespace(data=SimpleNamespace(Dataset=source, Options=lambda: options))

    assert fits.untuned(tensorflow, [1], [2], 32).autotune.enabled is False
    assert [32] == made
