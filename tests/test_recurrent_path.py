"""The worker tells a fused recurrent kernel from a loop, whatever way a backend falls back."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from bench.measure import observe
from bench.measure.backend import Torch


def watched(monkeypatch: pytest.MonkeyPatch, lstm: object, kernel: object) -> tuple[list[str], ModuleType]:
    """Paths seen, and the pretended backend whose function ``lstm(kernels)`` may call the fused kernel."""
    parent, kernels, backend = ModuleType("pretended"), ModuleType("pretended.kernels"), ModuleType("backend")
    kernels.lstm = kernel
    parent.kernels = kernels
    backend.lstm = lambda: lstm(kernels)
    monkeypatch.setitem(sys.modules, "pretended", parent)
    monkeypatch.setitem(sys.modules, "pretended.kernels", kernels)
    monkeypatch.setitem(sys.modules, "keras.src.backend", backend)

    class Pretended(Torch):
        fused_kernels = ("pretended.kernels", ("lstm", "gru"))

    return observe.watch_recurrent_path(Pretended(None)), backend


def refuse(*_: object) -> None:
    raise NotImplementedError


def test_a_kernel_that_runs_is_fused(monkeypatch: pytest.MonkeyPatch):
    paths, backend = watched(monkeypatch, lambda kernels: kernels.lstm(1), lambda x: x + 1)

    assert [] == paths
    assert 2 == backend.lstm()
    assert "fused" in paths


def test_a_backend_that_walks_by_itself_is_a_loop(monkeypatch: pytest.MonkeyPatch):
    paths, backend = watched(monkeypatch, lambda kernels: "walked step by step", refuse)

    backend.lstm()

    assert ["loop"] == paths


def test_a_backend_that_refuses_is_a_loop(monkeypatch: pytest.MonkeyPatch):
    paths, backend = watched(monkeypatch, refuse, refuse)

    with pytest.raises(NotImplementedError):
        backend.lstm()
    assert ["loop"] == paths


def test_a_kernel_that_fails_is_a_loop(monkeypatch: pytest.MonkeyPatch):
    paths, backend = watched(monkeypatch, lambda kernels: kernels.lstm(), refuse)

    with pytest.raises(NotImplementedError):
        backend.lstm()
    assert ["loop"] == paths
