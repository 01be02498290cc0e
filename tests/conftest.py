"""Skips what this machine cannot run, with the reason: real training without frameworks, browser tests without one."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Containers often ask for no byte code. Some hundred processes start here, and each would compile the repository anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Records stay: to walk through all of them again and again takes a tenth of the time.
gc.set_threshold(100_000, 20, 50)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> Path | None:
    """The Chromium this machine has, or None."""
    return next((Path(found) for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


def keras_missing() -> str:
    """Why no real model can be trained here; empty when it can."""
    missing = [name for name in ("keras", "tensorflow") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} not installed; make test installs them" if missing else ""


def browser_missing() -> str:
    """Why no page can be opened here; empty when one can."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright not installed; make test installs it"
    if chromium_path() is None:
        return f"no Chromium found (looked for {', '.join(CHROMIUM_NAMES)}); on Debian: apt-get install chromium"
    return ""


def pytest_xdist_auto_num_workers() -> int:
    """One more than two processors: tests wait for browsers and for processes that they started."""
    return max(3, os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here."""
    reasons = {"keras": keras_missing(), "browser": browser_missing()}
    for item in items:
        for name, reason in reasons.items():
            marker = item.get_closest_marker(name)
            if reason and marker and marker.kwargs.get("needs_chromium", True):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of the browser that tests marked `browser` drive."""
    path = chromium_path()
    if path is None:
        pytest.skip(browser_missing())
    return path


@contextlib.contextmanager
def launched() -> Iterator:
    """A running Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(chromium_path()), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator:
    """A running Chromium, for all tests of a process."""
    with launched() as started:
        yield started


@pytest.fixture
def without_workload_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds leave out the pages of workloads, whose drawings take nine tenths of their time."""
    from bench.report.pages import workload_pages

    monkeypatch.setattr(workload_pages, "workload_pages", lambda site: {})


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory):
    """Whole sites, each built once when first asked for, whatever process of the tests asks."""
    for name in ("altair", "mkdocs"):
        pytest.importorskip(name)
    from tests.sites import Sites

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "sites"
    folder.mkdir(exist_ok=True)
    return Sites(folder)
